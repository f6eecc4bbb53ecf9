"""Name what a relay stands between: the channel of a bot, and the one that the bastion has opened on a target.

Out     BotEnd, TargetEnd; Outcome, how a channel ended; if_kept, for what goes on in the order of the record
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bastion.inbox import Exited, Inbox, Resize


class BotEnd(Protocol):
    """The channel that the bot has opened."""

    inbox: Inbox

    def send(self, data: bytes, *, error: bool = False) -> None: ...
    def has_room(self) -> bool: ...
    async def room(self) -> None: ...
    async def write(self, data: bytes, *, error: bool = False) -> None: ...
    def write_eof(self) -> None: ...
    def exit(self, exited: Exited) -> None: ...
    def close(self) -> None: ...


class TargetEnd(Protocol):
    """The channel that the bastion has opened; `lost` says why its connection broke, if it did."""

    inbox: Inbox
    lost: str

    def send(self, data: bytes) -> None: ...
    def has_room(self) -> bool: ...
    async def room(self) -> None: ...
    def write_eof(self) -> None: ...
    def resize(self, size: Resize) -> None: ...
    def signal(self, name: str) -> None: ...
    def stop_output(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a channel ended; `exited` is None when the target or the bot vanished."""

    exited: Exited | None
    bot_gone: bool = False


def if_kept(send: Callable[[], None]) -> Callable[[Exception | None], None]:
    """Return what is to be called once a commit has ended: it sends if that went well (laws L1 and L2)."""

    def landed(failure: Exception | None) -> None:
        if failure is None:
            send()

    return landed
