"""Control commands are for responders, are words and no shell's line, and are few."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from bastion.control import COMMAND_BYTES, Control
from bastion.inbox import Exited, Inbox
from bastion.principal import Principal
from bastion.requests import Request
from bastion.settings import Config


class Person:
    """The far end of a control command."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.err = b""
        self.ended: Exited | None = None

    async def write(self, data: bytes, *, error: bool = False) -> None:
        self.err += data

    def write_eof(self) -> None:
        pass

    def exit(self, exited: Exited) -> None:
        self.ended = exited

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("groups", "kind", "line", "said"),
    [
        ({"ci"}, "exec", b"sessions", b"may not read evidence"),
        ({"responders"}, "shell", b"", b"has no shell"),
        ({"responders"}, "exec", b"keys seal", b"no such command"),
        ({"responders"}, "exec", b"", b"no such command"),
        ({"responders"}, "exec", b"sessions '", b"cannot be read"),
        ({"responders"}, "exec", b"sessions \xff", b"cannot be read"),
        ({"responders"}, "exec", b"sessions " + b"x" * COMMAND_BYTES, b"longer than"),
    ],
)
async def test_t44_what_is_refused(groups: set[str], kind: str, line: bytes, said: bytes) -> None:
    person = Person()
    principal = cast(Principal, SimpleNamespace(name="dana", groups=frozenset(groups), peer="192.0.2.1"))
    config = cast(Config, SimpleNamespace(bastion=SimpleNamespace(responders=frozenset({"responders"}))))
    await Control().serve(person, principal, Request(kind=kind, data=line), config)
    assert said in person.err
    assert person.ended == Exited(status=126)
