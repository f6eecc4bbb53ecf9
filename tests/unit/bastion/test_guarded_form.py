"""Plain shells have a guarded form; what is not plainly one has none."""

from __future__ import annotations

import pytest

from bastion.guarded_form import LOGIN_SHELL, guarded_form
from policies.shell import quick

GUARDED = b"bash --noediting --norc --noprofile +H"


@pytest.mark.parametrize("command", ["bash", "bash -l", "bash --login", "/bin/bash", "sh", "bash -i"])
def test_a_plain_shell_is_started_guarded(command: str) -> None:
    assert guarded_form(quick(command)) == LOGIN_SHELL
    assert LOGIN_SHELL.endswith(b"exec " + GUARDED)


@pytest.mark.parametrize(
    ("command", "form"),
    [
        ("sudo -i", b"sudo -i " + GUARDED),
        ("sudo -u deploy -i", b"sudo -u deploy -i " + GUARDED),
        ("sudo -s", b"sudo -s " + GUARDED),
        ("sudo -n bash", b"sudo -n " + GUARDED),
        ("sudo bash -l", b"sudo " + GUARDED),
        ("su -", b"su '--session-command=exec " + GUARDED + b"' -"),
        ("su - deploy", b"su '--session-command=exec " + GUARDED + b"' - deploy"),
    ],
)
def test_a_shell_by_way_of_sudo_or_su_is_started_guarded(command: str, form: bytes) -> None:
    assert guarded_form(quick(command)) == form


@pytest.mark.parametrize(
    "command",
    [
        *(
            "vi",
            "bash -c ls",
            "bash x.sh",
            "zsh",
            "bash; ls",
            "cd /; bash",
            "bash | cat",
            "bash > log",
            "bash < f",
        ),
        *(
            "$SHELL",
            "sudo -i ls",
            "su -c ls",
            "su - deploy -c ls",
            "bash --rcfile x",
            "X=1 bash",
            "ssh db-1 bash",
        ),
        *("sudo sudo bash", "bash &", "PATH=x bash", "env bash"),
    ],
)
def test_l4_what_is_not_plainly_a_shell_has_no_guarded_form(command: str) -> None:
    assert guarded_form(quick(command)) is None
