"""Look through what is read of one file by SFTP before any of it is let go of.

Answers to READs wait, in the order in which they came, until what they hold is decided: a detector may need what
follows to tell what something is. What follows comes with the client's next READs; where it asks for nothing more, or
reads about in the file, we read on ourselves on its handle, and look at that and forget it. Before a piece that does
not follow on the last, we read what is before it, for the same reason. So a client that reads every other piece, or one
byte at a time, or backwards, gets no more than one that reads from beginning to end.

In      answers to the client's READs, and to our own
Out     Step: what is let go of, what is denied, what we want to read ourselves
Holds   the answers that wait (the tap bounds them), LEAD_BYTES or AHEAD_BYTES of our own, a Scanner
Errors  DetectorFault
Source  draft-ietf-secsh-filexfer-02 section 6.4; docs/masking.md
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from bastion.transfer.look import Inspection, Seen
from policies.masking.redactor import Hit
from policies.masking.scanner import UNDECIDED_BYTES, Scanned, Scanner

LEAD_BYTES = 64 * 1024  # before a piece that follows on nothing: a private key takes at most half of it
AHEAD_BYTES = UNDECIDED_BYTES + 1024
SPOOL_READ_BYTES = 255 * 1024  # what OpenSSH answers at once
SPOOL_BYTES_MAX = 1024 * 1024 * 1024  # of a file that is looked through before any of it is let go of


class Answer(NamedTuple):
    """What the target answered to a READ of the client, as it came: the head of its packet, and the payload."""

    id: int
    offset: int
    length: int  # asked for
    head: bytes
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


@dataclass(slots=True, kw_only=True)
class Step:
    """What is to be done now; `want` is where we read on ourselves, and how much."""

    released: list[Answer] = field(default_factory=list)
    denied: list[Answer] = field(default_factory=list)
    want: tuple[int, int] | None = None


@dataclass(slots=True)
class _Own:
    """Bytes that we read ourselves."""

    offset: int
    wanted: int
    data: bytearray = field(default_factory=bytearray)
    flying: bool = False  # has been asked for
    done: bool = False
    ended: bool = False  # the file ends with them


@dataclass(slots=True)
class _Run:
    """A stretch that was looked through without a gap; places are those of the file."""

    scanner: Scanner
    start: int
    frontier: int
    decided: int
    stop: Hit | None = None
    ahead: tuple[Hit, ...] = ()  # what a probe has seen in what is decided, and the scanner not yet
    told: frozenset[Hit] = frozenset()  # of what a probe has seen, and the scanner will find again

    def found(self, hits: Iterable[Hit]) -> list[Hit]:
        """Take what the scanner has found; return what was not told yet."""
        found = list(hits)
        new = [hit for hit in found if hit not in self.told]
        known = frozenset(found)
        self.told -= known
        self.ahead = tuple(hit for hit in self.ahead if hit not in known)
        return new

    def passing(self, end: int) -> list[Hit]:
        """Return what a probe has seen before this place of the file, and nobody was told of."""
        new = [hit for hit in self.ahead if hit.offset < end - self.start and hit not in self.told]
        self.told = self.told.union(new)
        return new

    def take(self, scanned: Scanned) -> None:
        self.decided = max(self.decided, self.start + scanned.decided)
        if scanned.stop is not None:
            self.stop, self.decided = scanned.stop, self.start + scanned.decided


class Reads:
    """The reads of one open file."""

    def __init__(self, inspection: Inspection, seen: Seen) -> None:
        self.seen = seen
        self._plan = inspection.plan
        self._queue: deque[Answer] = deque()
        self._fed = 0  # of the queue
        self._asked = 0  # READs of the client that the target has not answered
        self._run: _Run | None = None
        self._own: _Own | None = None
        self._end: int | None = None  # of the file, as far as the target said
        self._spool: Scanner | None = inspection.plan.scanner() if inspection.plan.spool else None

    def asked(self) -> None:
        """Note that a READ of the client goes to the target."""
        self._asked += 1

    def came(self, answer: Answer) -> None:
        """Take an answer with payload."""
        self._asked -= 1
        self._queue.append(answer)
        if answer.data:
            self._end = None  # the end was seen before: it may have grown since

    def failed(self, offset: int, *, ended: bool) -> None:
        """Note an answer without: the file has ended, or the target refused."""
        self._asked -= 1
        if ended:
            self._end = offset if self._end is None else min(self._end, offset)

    def own_came(self, data: bytes) -> None:
        """Take what we wanted, or a part of it."""
        if self._own is not None:
            self._own.data += data
            self._own.flying = False
            self._own.done = len(self._own.data) >= self._own.wanted

    def own_failed(self, status: str, *, ended: bool) -> None:
        """Note that there is no more of what we wanted."""
        if self._own is None:
            return
        self._own.done, self._own.ended = True, ended
        if not ended:
            self.seen.refuse(f"it cannot be looked into: the target answers {status} to reading it")

    def advance(self) -> Step:
        """Decide what can be decided."""
        step = Step()
        while self._queue:
            if self._own is not None and not self._own.done:
                own = self._own
                if not own.flying:
                    own.flying = True
                    step.want = (own.offset + len(own.data), own.wanted - len(own.data))
                break
            if self.seen.stopped:
                step.denied += self._queue
                self._queue.clear()
            elif self._spool is not None:
                self._look_through(self._spool)
            elif self._run is not None and self._joins(self._run):
                self._feed(self._run)
            elif not self._fed and not self._queue[0].data:
                step.released.append(self._queue.popleft())
            elif not self._fed:
                self._begin(self._queue[0])
            elif self._run is not None and self._queue[0].end <= self._run.decided:
                self.seen.found(self._run.passing(self._queue[0].end))
                step.released.append(self._queue.popleft())
                self._fed -= 1
            elif self._run is not None and self._run.stop is not None:
                self.seen.stop(self._run.stop, self._run.decided)
            elif self._run is not None and (self._fed < len(self._queue) or not self._asked):
                self._look_ahead(self._run)
            else:
                break
        return step

    def finish(self) -> list[Answer]:
        """End it: return the answers that were never let go of."""
        self._end_run()
        left = list(self._queue)
        self._queue.clear()
        return left

    def _joins(self, run: _Run) -> bool:
        return self._fed < len(self._queue) and self._queue[self._fed].offset == run.frontier

    def _feed(self, run: _Run) -> None:
        joined = []
        while self._joins(run):  # all at once: a detector's way costs less than many
            answer = self._queue[self._fed]
            self._fed += 1
            run.frontier = answer.end
            joined.append(answer.data)
        scanned = run.scanner.feed(b"".join(joined))
        run.take(scanned)
        self.seen.found(run.found(scanned.hits))
        self._read(run.scanner)

    def _begin(self, answer: Answer) -> None:
        """Begin a run where this answer does; first get what is before it."""
        lead_bytes = min(LEAD_BYTES, answer.offset)
        lead = self._owned(answer.offset - lead_bytes, lead_bytes) if lead_bytes else _Own(0, 0, done=True)
        if lead is None:
            return
        self._end_run()
        if len(lead.data) < lead_bytes:  # nobody knows any more what the piece is the end of
            self.seen.refuse("it has changed while it was looked into")
            return
        start = answer.offset - lead_bytes
        scanner = self._plan.scanner(lead_bytes=lead_bytes, whole=start == 0)
        self._run = _Run(scanner, start, answer.offset, start)
        self._run.take(scanner.feed(bytes(lead.data)))

    def _end_run(self) -> None:
        if self._run is not None:
            self.seen.found(self._run.found(self._run.scanner.finish().hits))
            self._run = None

    def _look_ahead(self, run: _Run) -> None:
        """Decide what is held by what follows it in the file."""
        if self._end is not None and run.frontier >= self._end:
            ahead: _Own | None = _Own(run.frontier, 0, done=True, ended=True)
        else:
            ahead = self._owned(run.frontier, AHEAD_BYTES)
        if ahead is None:
            return
        probe = run.scanner.copy()
        scanned = probe.feed(bytes(ahead.data))
        hits = list(scanned.hits)
        if ahead.ended:
            scanned = probe.finish()
            hits += scanned.hits
        run.take(scanned)
        run.ahead = tuple(hits)
        if run.stop is None and run.decided < run.frontier:
            self.seen.refuse("it cannot be told what it holds")
        self._read(probe)

    def _look_through(self, scanner: Scanner) -> None:
        """Go on to look through all of the file before any of it is let go of."""
        own = self._own
        if own is None:
            self._own = _Own(0, SPOOL_READ_BYTES)
            return
        self._own = None
        scanned = scanner.feed(bytes(own.data))
        place = own.offset + len(own.data)
        if own.ended:
            scanned, self._spool = scanner.finish(), None
        elif place > SPOOL_BYTES_MAX:
            self.seen.refuse(f"it is larger than the {SPOOL_BYTES_MAX} bytes that are looked through ahead")
        else:
            self._own = _Own(place, SPOOL_READ_BYTES)
        if scanned.stop is not None:
            self.seen.stop(scanned.stop, scanned.decided)
        self._read(scanner)
        if self.seen.stopped:
            self._own = None

    def _owned(self, offset: int, wanted: int) -> _Own | None:
        """Return bytes that we have read ourselves; None if they are still to come."""
        own, self._own = self._own, None
        if own is not None and (own.offset, own.wanted) == (offset, wanted):
            return own
        self._own = _Own(offset, wanted)
        return None

    def _read(self, scanner: Scanner) -> None:
        """Note whether it can be read at all."""
        self.seen.unread = self.seen.unread or scanner.unread
        if self.seen.unread and self._plan.refuses_unread and not self.seen.stopped:
            self.seen.refuse(f"it cannot be read ({self.seen.unread}), and the policy refuses what cannot")
