"""Say what stands between a bot's input and the target where input is judged before it goes on.

In      what the bot sends
Out     Admitted, in order: what to record first, then what goes to the target and what the bot is shown
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from bastion.gate import STATUS_DENIED, Gate, Ruling
from bastion.transfer import Judged, TapEvent
from policies.facts import Facts
from policies.model import Access
from recorder.events import Event, Kind
from recorder.recording import Recording

Settle = Callable[[Ruling, Event], Awaitable[Ruling]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Record `events`; then tell the bot `told` on stderr, show it `shown`, and send `forward` to the target.

    `shut` says that nothing more of the bot's input is taken; the channel will end with `status`.
    """

    events: tuple[Event, ...] = ()
    forward: bytes = b""
    shown: bytes = b""
    told: bytes = b""
    shut: bool = False
    status: int = STATUS_DENIED


class Inlet(Protocol):
    """Judge one channel's input."""

    def take(self, data: bytes) -> AsyncIterator[Admitted]:
        """Take bytes from the bot."""

    def end(self) -> AsyncIterator[Admitted]:
        """End the input."""

    def watch(self, data: bytes) -> None:
        """See what the target printed; it may only add secrecy, and never changes what is judged."""

    def resize(self, cols: int) -> None:
        """Note how wide the bot's terminal is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What an inlet knows of its channel."""

    gate: Gate
    recording: Recording
    number: int
    access: Access
    shell: str
    settle: Settle | None = None  # where a statement can wait for people

    def statement(self, ruling: Ruling, *, request: bool = False, hidden: bool = False) -> Event:
        """Return the event that a statement was judged.

        `request` says that its REQUEST is on record as well; `hidden` keeps out of the record what may be a password.
        """
        told = ruling.unseen() if hidden else ruling
        detail = {"request": True, **told.detail()} if request else told.detail()
        return self.recording.event(Kind.STATEMENT, self.number, told.source, **detail)

    def waits(self, ruling: Ruling) -> bool:
        """Say whether a statement is to wait for people now."""
        return ruling.asks and self.settle is not None

    async def settled(self, ruling: Ruling, *, request: bool = False) -> Ruling:
        """Have people settle a ruling that waits; it is on record if it has a hold then."""
        assert self.settle is not None  # noqa: S101 - `waits` said so
        return await self.settle(ruling, self.statement(ruling, request=request))

    def operation(self, facts: Facts) -> Judged | None:
        """Judge an operation on files, where the policy tells them apart; it may have to wait for people."""
        ruling = self.gate.operation(facts)
        if ruling is None:
            return None
        if self.waits(ruling):
            return Judged(event=None, wait=partial(self._answered, ruling))
        return Judged(event=_tapped(ruling), denied="" if ruling.allowed else ruling.line(self.gate.session))

    async def _answered(self, ruling: Ruling) -> Judged:
        """Have people settle an operation; clients of sftp do not show the reason of a denial, so stderr has it."""
        settled = await self.settled(ruling)
        event = _tapped(settled) if settled.hold is None else None
        if settled.allowed:
            return Judged(event=event)
        line, told = settled.line(self.gate.session), self.notice(settled).data
        return Judged(event=event, denied=line, told=told, status=settled.status)

    def input(self, data: bytes) -> Event:
        """Return the event of bytes that go to the target."""
        return self.recording.event(Kind.INPUT, self.number, data)

    def shown(self, data: bytes) -> Event:
        """Return the event of bytes that the bastion itself puts on the bot's terminal."""
        return self.recording.event(Kind.OUTPUT, self.number, data, of="editor")

    def notice(self, ruling: Ruling) -> Event:
        """Return the event of the line that tells the bot of a ruling; its bytes are what to tell."""
        line = f"bastion: {ruling.line(self.gate.session)}\r\n".encode()
        return self.recording.event(Kind.NOTICE, self.number, line)


def _tapped(ruling: Ruling) -> TapEvent:
    return TapEvent(kind=Kind.STATEMENT, data=ruling.source, detail=ruling.detail())
