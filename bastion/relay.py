"""Carry one channel's bytes both ways, each batch committed to the recording before it goes on (law L1).

In      a bot's channel and a target's, each with an inbox
Out     an Outcome, once the target has closed or the bot has gone
Holds   an inbox of bytes each way, and IN_FLIGHT batches whose commits are under way
Errors  RecorderError (nothing of the batch was released), TransferError, QuotaExceeded, LimitExceeded
Source  RFC 4254 sections 5 and 6
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from bastion.ends import BotEnd, Outcome, TargetEnd
from bastion.errors import BastionError
from bastion.gate import STATUS_DENIED
from bastion.inbox import Closed, Data, Eof, Exited, Item, OutputUnwanted, Quiet, Resize, Signal
from bastion.inlet import Admitted, Inlet
from bastion.masking import STREAMS, ChannelMask, Passed, Stream, hits_event, pieces
from bastion.metering import ChannelMeter
from bastion.quota import Quota
from bastion.tapping import Tapping
from bastion.transfer import Side, Tap
from recorder.errors import RecorderError
from recorder.events import Event, Kind
from recorder.jobs import Landed
from recorder.recording import Recording

_KINDS: Mapping[Stream, Kind] = {"input": Kind.INPUT, "output": Kind.OUTPUT, "error": Kind.ERROR}
STRAIGHT_BYTES = 4096  # more than a person or a prompt says at once: larger pieces are worth joining first
IN_FLIGHT = 4  # batches of one direction that are with the recorder at once: fewer wait for a slow disk
BATCH_BYTES = 512 * 1024  # each is held several times: for the record, its file, the cipher, the socket


class PolicyChanged(BastionError):
    """A reload brought rules for statements that a channel has sent unjudged so far."""

    code = "policy-changed"


@dataclass(slots=True, kw_only=True)
class Relay:
    """One channel between a bot and a target.

    An `inlet` judges the bot's input. Once it has shut, the target gets the end of input, and the channel ends with the
    status that the inlet named when what was allowed before has come to its own end. Input without an inlet goes on as
    long as `free` says so. A `mask` changes what is recorded, and what of the target's output goes on; a `meter` says
    whether it may.
    """

    bot: BotEnd
    target: TargetEnd
    recording: Recording
    channel: int
    quota: Quota
    tap: Tap | None = None
    inlet: Inlet | None = None
    mask: ChannelMask | None = None
    meter: ChannelMeter | None = None
    free: Callable[[], bool] = lambda: True
    _shut: bool = False
    _status: int = STATUS_DENIED
    _tapping: Tapping | None = field(init=False)
    _flying: dict[Side, deque[asyncio.Future[None]]] = field(
        default_factory=lambda: {"client": deque(), "target": deque()}
    )
    _directions: list[asyncio.Task[Any]] = field(default_factory=list)
    _failure: BaseException | None = None

    def __post_init__(self) -> None:
        self._tapping = None
        if self.tap is not None:
            self._tapping = Tapping(
                self.tap,
                bot=self.bot,
                target=self.target,
                recording=self.recording,
                channel=self.channel,
                append=self._append,
                meter=self.meter,
                mask=self.mask,
            )

    async def run(self) -> Outcome:
        """Relay until the target closes or the bot is gone; raise what the first failing direction raised.

        The bot's channel is closed with what the target said of the command's end. Where it closed without a word,
        the bot's channel stays open, for the caller to say so and close it.
        """
        try:
            inward, outward = await self._both_ways()
        except asyncio.CancelledError as cancelled:
            # Its traceback leads to the group, whose parent task keeps it: a circle, until a collection.
            raise cancelled.with_traceback(None) from None
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:  # also when the session ends and cancels this: which files were cut short is evidence
            self._directions = []  # they know the relay: a circle too
            if self._tapping is not None:
                await self._tapping.finish()
        if self._failure is not None:
            raise self._failure
        exited = None if outward.cancelled() else outward.result()
        if self._shut and not outward.cancelled():
            exited = Exited(status=self._status)
        if exited is not None:
            await self._append([self._exit_event(exited)])
            self.bot.exit(exited)
        return Outcome(exited=exited, bot_gone=not inward.cancelled())

    async def _both_ways(self) -> tuple[asyncio.Task[None], asyncio.Task[Exited | None]]:
        """Relay until one direction is done, which ends the other; return both tasks."""
        async with asyncio.TaskGroup() as group:
            inward = group.create_task(self._from_bot())
            outward = group.create_task(self._from_target())
            self._directions = [inward, outward]
            inward.add_done_callback(lambda _task: outward.cancel())
            outward.add_done_callback(lambda _task: inward.cancel())
        return inward, outward

    async def _from_bot(self) -> None:
        """Pass on what the bot sends; return when its channel is gone."""
        while True:
            for run in _runs(await self.bot.inbox.take(partial(self._straight, "client"))):
                if isinstance(run, Data) and self.tap is None and self.inlet is None:
                    if not self.free():
                        raise PolicyChanged(
                            "the policy now judges what this channel sends, which began unjudged"
                        )
                    await self._stream("client", run)
                    continue
                await self._landed("client")
                if self._tapping is not None:
                    await self._tapping.unstalled("client")
                match run:
                    case Quiet():
                        await self._settle("client", ["input"])
                    case Data() | Eof() if self._shut:
                        pass
                    case Data() if self.inlet is not None:
                        await self._admit(self.inlet.take(run.data))
                    case Data() if self._tapping is not None:
                        await self._tapping.take("client", run.data)
                    case Resize():
                        await self._append([self._event(Kind.RESIZE, **asdict(run))])
                        self.target.resize(run)
                        if self.inlet is not None:
                            self.inlet.resize(run.cols)
                    case Signal():
                        await self._append([self._event(Kind.SIGNAL, name=run.name)])
                        self.target.signal(run.name)
                    case Eof():
                        if self.inlet is not None:
                            await self._admit(self.inlet.end())
                        await self._settle("client", ["input"], end=True)
                        if not self._shut:
                            await self._append([self._event(Kind.EOF, side="client")])
                            self.target.write_eof()
                    case OutputUnwanted():
                        await self._append([self._event(Kind.EOF, side="client", of="output")])
                        self.target.stop_output()
                    case Closed(waits=True):
                        self.target.close()  # the target closes in turn, once it has said how the command ended
                    case Closed():
                        self.target.abort()
                        return
                    case _:
                        pass

    async def _from_target(self) -> Exited | None:
        """Pass on what the target sends; return how it ended, None when it closed without saying."""
        exited: Exited | None = None
        while True:
            closed = False
            for run in _runs(await self.target.inbox.take(partial(self._straight, "target"))):
                if isinstance(run, Data) and (self.tap is None or run.error):
                    if self.inlet is not None:
                        self.inlet.watch(run.data)
                    await self._stream("target", run)
                    continue
                await self._landed("target")
                if self._tapping is not None:
                    await self._tapping.unstalled("target")
                match run:
                    case Quiet():
                        await self._settle("target", STREAMS[1:])
                    case Data() if self._tapping is not None:
                        await self._tapping.take("target", run.data)
                    case Eof():
                        await self._settle("target", STREAMS[1:], end=True)
                        await self._append([self._event(Kind.EOF, side="target")])
                        self.bot.write_eof()
                    case Exited():
                        exited = run
                    case Closed():
                        await self._settle("target", STREAMS[1:], end=True)
                        closed = True
                    case _:
                        pass
            if closed:
                return exited

    async def _admit(self, admissions: AsyncIterator[Admitted]) -> None:
        """Record what was judged; then let go of what was allowed, and say what was not."""
        async for admitted in admissions:
            await self._append(
                await self._veiled(admitted.events),
                bytes_in=len(admitted.forward),
                bytes_out=len(admitted.shown),
                release=partial(self._let_go, admitted),
            )
            if admitted.told or admitted.shown:
                await self.bot.room()
            if admitted.forward:
                await self.target.room()
            if admitted.shut:
                self._shut, self._status = True, admitted.status
                await self._append([self._event(Kind.EOF, side="client", of="denied")])
                self.target.write_eof()

    def _let_go(self, admitted: Admitted) -> None:
        if admitted.told:
            self.bot.send(admitted.told, error=True)
        if admitted.shown:
            self.bot.send(admitted.shown)
        if admitted.forward:
            self.target.send(admitted.forward)

    async def _veiled(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return what was judged with its input masked, statement by statement."""
        if self.mask is None:
            return events
        veiled: list[Event] = []
        for event in events:
            veiled += await self.mask.input(event) if event.kind is Kind.INPUT else [event]
        return veiled

    async def _stream(self, side: Side, run: Data) -> None:
        """Record bytes; they go on as soon as they are committed, while the next are being recorded."""
        stream: Stream = "input" if side == "client" else "error" if run.error else "output"
        if self.mask is None:
            for piece in pieces(run.data, BATCH_BYTES):
                await self._carry(side, stream, Passed(piece, piece))
            return
        left = run.data
        while left:
            passed, left = await self.mask.taken(stream, left)
            await self._carry(side, stream, passed)
        inbox = self.bot.inbox if side == "client" else self.target.inbox
        self.mask.when_quiet(stream, lambda: inbox.put(Quiet(stream)))

    async def _settle(self, side: Side, streams: Sequence[Stream], *, end: bool = False) -> None:
        """Let go of what the mask holds back of these streams, as far as it may, or all of it at the `end`."""
        if self.mask is None:
            return
        for stream in streams:
            await self._carry(side, stream, await (self.mask.end(stream) if end else self.mask.idle(stream)))
        await self._landed(side)

    async def _carry(self, side: Side, stream: Stream, passed: Passed) -> None:
        if not (passed.recorded or passed.released or passed.hits):
            return
        content = self.recording.event(_KINDS[stream], self.channel, passed.recorded)
        events = [content, *hits_event(content, stream, passed.hits)]
        if self.meter is not None and side == "target":
            await self.meter.take(passed.released, passed.hits)
        self._launch(stream, events, passed.released)
        flying = self._flying[side]
        if len(flying) >= IN_FLIGHT:
            await flying.popleft()
        await (self.target if side == "client" else self.bot).room()

    def _straight(self, side: Side, run: Data) -> bool:
        """Pass on a little in the very step in which it came, where `_carry` would have nothing to wait for.

        Say if it was: a prompt and its answer then wait for no turn of a task's.
        """
        flying = self._flying[side]
        while flying and flying[0].done():
            flying.popleft()
        if flying or self._failure is not None or len(run.data) > STRAIGHT_BYTES:
            return False
        if self.mask is not None or self.tap is not None:
            return False
        if side == "client":
            if self.inlet is not None or not self.free() or not self.target.has_room():
                return False
        elif self.inlet is not None or self.meter is not None or not self.bot.has_room():
            return False
        stream: Stream = "input" if side == "client" else "error" if run.error else "output"
        data = bytes(run.data)
        try:
            self._launch(stream, [self.recording.event(_KINDS[stream], self.channel, data)], data)
        except (BastionError, RecorderError) as error:
            self._fail(error)
        return True

    def _launch(self, stream: Stream, events: Sequence[Event], data: bytes) -> None:
        """Let events be committed, and the data that they are about go on once they are."""
        if stream == "input":
            landed = partial(self._release, partial(self.target.send, data))
            self._flying["client"].append(self._begin(events, bytes_in=len(data), landed=landed))
        else:
            landed = partial(self._release, partial(self.bot.send, data, error=stream == "error"))
            self._flying["target"].append(self._begin(events, bytes_out=len(data), landed=landed))

    def _release(self, release: Callable[[], None], failure: Exception | None) -> None:
        """Let bytes go on that are committed; end the relay where they are not (laws L1 and L2)."""
        if self._failure is not None:
            return
        if failure is not None:
            self._fail(failure)
            return
        try:
            release()
        except BaseException as error:
            self._fail(error)
            raise

    def _fail(self, failure: BaseException) -> None:
        self._failure = failure
        for direction in self._directions:
            direction.cancel()

    async def _landed(self, side: Side) -> None:
        """Wait until all that one side has sent so far is committed, and with that has gone on."""
        flying = self._flying[side]
        while flying:
            await flying.popleft()

    def _event(self, kind: Kind, **detail: Any) -> Event:
        return self.recording.event(kind, self.channel, **detail)

    def _exit_event(self, exited: Exited) -> Event:
        if exited.signal is None:
            return self._event(Kind.EXIT, status=exited.status)
        return self._event(Kind.EXIT, signal=exited.signal, core=exited.core, message=exited.message)

    def _begin(
        self,
        events: Sequence[Event],
        *,
        bytes_in: int = 0,
        bytes_out: int = 0,
        landed: Landed | None = None,
    ) -> asyncio.Future[None]:
        kept = self.quota.apply(self.recording, list(events))
        return self.recording.begin(kept, bytes_in=bytes_in, bytes_out=bytes_out, landed=landed)

    async def _append(
        self,
        events: Sequence[Event],
        *,
        bytes_in: int = 0,
        bytes_out: int = 0,
        release: Callable[[], None] | None = None,
    ) -> None:
        """Commit events; `release` what goes on by them in the step in which they land."""
        landed = partial(self._release, release) if release is not None else None
        if not events:
            if landed is not None:
                landed(None)
            return
        if (done := self.recording.ahead(events)) is not None:
            await done
        await self._begin(events, bytes_in=bytes_in, bytes_out=bytes_out, landed=landed)


def _runs(items: Sequence[Item]) -> Iterator[Item]:
    """Yield the items, data of one stream that lies side by side joined, as far as it goes into one batch."""
    pending: list[Data] = []
    room = BATCH_BYTES
    for item in items:
        if isinstance(item, Data) and pending and pending[0].error == item.error and len(item.data) <= room:
            pending.append(item)
            room -= len(item.data)
            continue
        if pending:
            yield _joined(pending)
        if isinstance(item, Data):
            pending, room = [item], BATCH_BYTES - len(item.data)
        else:
            pending = []
            yield item
    if pending:
        yield _joined(pending)


def _joined(pending: Sequence[Data]) -> Data:
    return Data(b"".join(item.data for item in pending), pending[0].error)
