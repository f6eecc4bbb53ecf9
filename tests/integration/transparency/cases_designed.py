"""Differ by design: what a plain jump host lets through, and the bastion does not."""

from __future__ import annotations

from tests.integration.transparency.clients import OPENSSH
from tests.integration.transparency.matrix import differs
from tests.integration.transparency.ways import Way

GROUP = "Forwarding"


@differs(
    GROUP,
    OPENSSH,
    "`-A`, agent forwarding",
    plain="the target can use the client's keys",
    bastion="refused and recorded; the command runs without an agent",
    why="a credential must not outlive its job (L6)",
)
def agent(plain: Way, bastion: Way) -> None:
    script = "eval $(ssh-agent) >&2; ssh -F ssh_config -A target 'echo agent=${SSH_AUTH_SOCK:+yes}'; ssh-agent -k >&2"
    assert plain.run("sh", "-c", script).stdout == b"agent=yes\n"
    assert bastion.run("sh", "-c", script).stdout == b"agent=\n"
