"""Commands: exit statuses, bytes, and what the command line and the environment may hold."""

from __future__ import annotations

from tests.integration.transparency.clients import OPENSSH
from tests.integration.transparency.matrix import case
from tests.integration.transparency.ways import Way

GROUP = "Commands"


@case(GROUP, OPENSSH, "exit statuses 0 to 255, and of what cannot be run")
def statuses(way: Way) -> None:
    done = way.each("true", "exit 1", "exit 3", "exit 126", "exit 255", "no-such-program", "/etc/passwd")
    assert [it.status for it in done] == [0, 1, 3, 126, 255, 127, 126]


@case(GROUP, OPENSSH, "death by a signal: status 255, and what ssh says of it")
def signals(way: Way) -> None:
    done = way.each("kill -9 $$", "kill -TERM $$", "kill -SEGV $$", "echo before; kill -HUP $$")
    assert {it.status for it in done} == {255}
