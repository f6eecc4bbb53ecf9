"""Judge a script on a shell's stdin statement by statement, and other input as the data it is.

In      what the bot sends, in any pieces, at any speed: no timer decides anything
Out     Admitted: statements that are allowed, in order; nothing behind one that is denied
Holds   one statement (policies.shell.assembler)
Source  docs/gate.md; docs/security.md, law L3
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from bastion.gate import STATUS_DENIED, Ruling, data_facts
from bastion.inlet import Admitted, Channel
from bastion.stdin_shell import shell_on_stdin
from policies.shell.assembler import Piece, ShellAssembler
from recorder.events import Event

AT_ONCE = 64  # statements that are recorded and sent together
BREATH = 8  # statements after which other sessions have their turn
SHOWN_BYTES = 1024  # of refused data that are kept

INTERRUPT = b"\x03"


class _Batch:
    """What has been judged and not yet gone on."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._events: list[Event] = []
        self._forward = bytearray()
        self._recorded = 0  # of what goes on
        self._told = bytearray()
        self.judged = 0

    def add(self, ruling: Ruling, source: bytes) -> None:
        """Add a ruling, and what goes on by it."""
        if not ruling.allowed:
            self._record()
        if ruling.hold is None:  # else it is on record since it began to wait
            self._events.append(self._channel.statement(ruling))
        self.judged += 1
        if ruling.verdict.warn or not ruling.allowed:
            notice = self._channel.notice(ruling)
            self._events.append(notice)
            self._told += notice.data
        if ruling.allowed:
            self._forward += source

    def pass_on(self, data: bytes) -> None:
        """Add bytes that need no ruling."""
        self._forward += data

    def admitted(self, *, shut: bool = False, status: int = STATUS_DENIED) -> Admitted:
        """Return all that was added."""
        self._record()
        return Admitted(
            events=tuple(self._events),
            forward=bytes(self._forward),
            told=bytes(self._told),
            shut=shut,
            status=status,
        )

    def _record(self) -> None:
        if len(self._forward) > self._recorded:
            self._events.append(self._channel.input(bytes(self._forward[self._recorded :])))
            self._recorded = len(self._forward)


class DataInlet:
    """Input that a program reads: judged once, as data. With a terminal, refused input does not end the channel."""

    def __init__(self, channel: Channel, why: str, *, terminal: bool = False) -> None:
        self._channel = channel
        self._why = why
        self._terminal = terminal
        self._allowed: bool | None = None

    async def take(self, data: bytes) -> AsyncIterator[Admitted]:
        """Take bytes; see Inlet."""
        batch = _Batch(self._channel)
        keys = self._terminal and not data.strip(INTERRUPT)
        if self._allowed is None and not self._terminal and not data.strip(b" \t\n"):
            batch.pass_on(data)  # blank lines behind the last statement of a script
            yield batch.admitted()
            return
        if self._allowed is None and not keys:
            ruling = self._channel.gate.known(data_facts(self._why), self._channel.access, data[:SHOWN_BYTES])
            self._allowed = ruling.allowed
            batch.add(ruling, b"")
        if self._allowed:
            batch.pass_on(data)
        elif self._terminal:
            batch.pass_on(INTERRUPT * data.count(INTERRUPT))
        yield batch.admitted(shut=not (self._allowed or self._terminal))

    async def end(self) -> AsyncIterator[Admitted]:
        """End the input; see Inlet."""
        return
        yield

    def watch(self, data: bytes) -> None:
        """Output changes nothing; see Inlet."""

    def resize(self, cols: int) -> None:
        """Size changes nothing; see Inlet."""


class ScriptInlet:
    """The script of a shell that reads its stdin."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._shell = channel.shell
        self._assembler = ShellAssembler()
        self._data: DataInlet | None = None
        self._status = STATUS_DENIED

    async def take(self, data: bytes) -> AsyncIterator[Admitted]:
        """Take bytes; see Inlet."""
        batch = _Batch(self._channel)
        at = 0
        while at < len(data) and self._data is None:
            # Line by line: what follows a statement may turn out to be data, which must stay as it is.
            end = data.find(b"\n", at) + 1 or len(data)
            pieces = self._assembler.feed(data[at:end])
            at = end
            for piece in pieces:
                ruling = await self._judge(piece)
                if ruling is not None and self._channel.waits(ruling):
                    yield batch.admitted()  # what comes before it does not wait
                    batch = _Batch(self._channel)
                    ruling = await self._channel.settled(ruling)
                if not self._add(piece, ruling, batch):
                    yield batch.admitted(shut=True, status=self._status)
                    return
                if batch.judged >= AT_ONCE:
                    yield batch.admitted()
                    batch = _Batch(self._channel)
                elif batch.judged % BREATH == 0:
                    await asyncio.sleep(0)
        yield batch.admitted()
        if self._data is not None and at < len(data):
            async for admitted in self._data.take(data[at:]):
                yield admitted

    async def end(self) -> AsyncIterator[Admitted]:
        """End the input: a last line without its newline is a statement too; see Inlet."""
        batch = _Batch(self._channel)
        for piece in self._assembler.finish():
            ruling = await self._judge(piece)
            if ruling is not None and self._channel.waits(ruling):
                yield batch.admitted()
                batch = _Batch(self._channel)
                ruling = await self._channel.settled(ruling)
            if not self._add(piece, ruling, batch):
                yield batch.admitted(shut=True, status=self._status)
                return
        yield batch.admitted()

    def watch(self, data: bytes) -> None:
        """Output changes nothing; see Inlet."""

    def resize(self, cols: int) -> None:
        """Size changes nothing; see Inlet."""

    async def _judge(self, piece: Piece) -> Ruling | None:
        """Judge one statement, if it is one."""
        if piece.blank:
            return None
        channel = self._channel
        ruling = await channel.gate.statement(piece.source, channel.access, shell=self._shell, why=piece.why)
        return ruling if piece.whole else ruling.refused(piece.why)

    def _add(self, piece: Piece, ruling: Ruling | None, batch: _Batch) -> bool:
        """Add what was judged to the batch; say whether the script goes on."""
        if ruling is None:
            batch.pass_on(piece.source)
            return True
        batch.add(ruling, piece.source)
        self._status = ruling.status
        if ruling.allowed and ruling.switches:
            self._switch(ruling)
        return ruling.allowed

    def _switch(self, ruling: Ruling) -> None:
        """Note who reads what follows: a shell that reads statements in turn, or something else."""
        shell = shell_on_stdin(ruling.facts)
        if not shell:
            self._data = DataInlet(self._channel, ruling.takes)
        elif shell != "bash":
            self._shell = shell
