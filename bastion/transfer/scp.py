"""Watch the scp protocol of `scp -O`: a source that sends records and files, a sink that answers each.

In      the bytes of both sides; the client is the source of an upload, the target that of a download
Out     Tapped; what a source sends before the sink answered waits, and comes out as `release` of that answer
Holds   HELD_BYTES_MAX of the source; what a file's Content does; one line of the sink (scp_record.LINE_BYTES_MAX)
Errors  TransferError: not scp, an answer too many, a name outside of its directory, past a bound
Source  OpenSSH scp.c, source() and sink()

A source need not wait for answers, and many small clients do not. Were it believed at once, it could announce
a file that the sink refuses, and what was recorded as that file's payload would be obeyed as records.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import Any, NoReturn

from bastion.transfer.errors import OperationDenied, TransferError
from bastion.transfer.flow import Direction, Flow
from bastion.transfer.look import NOT_LOOKED_INTO, Inspection, Seen
from bastion.transfer.operation import scp_facts
from bastion.transfer.scp_command import ScpCommand
from bastion.transfer.scp_content import SPOOL_BYTES_MAX, Content
from bastion.transfer.scp_place import Place
from bastion.transfer.scp_record import LINE_BYTES_MAX, Record, is_record, read_record
from bastion.transfer.tap import Journal, Judge, Judged, OperationHeld, Side, Tapped, Wait
from recorder.events import Kind

HELD_BYTES_MAX = 4 * 1024 * 1024  # twice the channel window of OpenSSH and asyncssh
_COMPLAINTS = (1, 2)  # first byte of a line of text: a warning, or the end


class _Next(Enum):
    """What the source sends next."""

    RECORD = auto()
    PAYLOAD = auto()
    VERDICT = auto()  # after payload: whether the source could read all of it


_GREETING = Record(type="greeting")  # the sink answers once before anything was sent
_VERDICT = Record(type="verdict")


class ScpTap:
    """A Tap for one scp server."""

    crosses = True

    def __init__(
        self,
        command: ScpCommand,
        judge: Judge = lambda facts: None,
        inspection: Inspection | None = None,
    ) -> None:
        """With an `inspection` files are looked into on their way, and the stream ends where one must not go on."""
        self._judge = judge
        self._inspection = inspection
        self.looks = inspection is not None
        self._direction: Direction = "upload" if command.upload else "download"
        self._source: Side = "client" if command.upload else "target"
        kinds = (Kind.CLIENT_PROTOCOL, Kind.TARGET_PROTOCOL)
        self._source_kind, self._sink_kind = kinds if command.upload else reversed(kinds)
        self._recursive = command.recursive
        self._place = Place(command)
        self._journal = Journal()
        self._from_source = bytearray()  # a line that is not whole, or what waits for an answer
        self._from_sink = bytearray()  # a line that is not whole
        self._next = _Next.RECORD
        self._asked: Record | None = _GREETING  # waits for an answer of the sink
        self._paths: dict[str, str] = {}
        self._size = 0
        self._taken = 0  # of the payload, whether it has gone on or not
        self._flow: Flow | None = None
        self._readable = True
        self._wait: Wait | None = None  # the file at hand waits for people
        self._judged: Judged | None = None  # what they have said
        self._fault = ""
        self._content: Content | None = None

    @property
    def stalled(self) -> Side | None:
        """Name the source while bytes of it wait for an answer."""
        return self._source if self._from_source and (self._asked or self._wait) else None

    def client(self, data: bytes) -> Tapped:
        """Take bytes from the bot; see Tap."""
        return self._pass("client", data)

    def target(self, data: bytes) -> Tapped:
        """Take bytes from the target; see Tap."""
        return self._pass("target", data)

    def answered(self, side: Side, judged: Judged) -> Tapped:
        """Go on with the file that has waited; see Tap."""
        self._wait, self._judged = None, judged
        return self._pass(side, b"", go_on=True)

    def finish(self) -> Tapped:
        """Report what is still open or unanswered; see Tap."""
        self._fault = self._fault or "the scp channel has ended"
        if self._asked:
            self._answered("unanswered")
        if self._flow:
            self._close(complete=False, status="not-closed")
        source = bytes(self._from_source[:HELD_BYTES_MAX])
        if self._inspection is not None:  # no more than a record: the rest may be the content of files
            line = source[:LINE_BYTES_MAX].partition(b"\n")[0] + b"\n"
            source = line if is_record(line) else b""
        self._journal.unreleased(self._source_kind, source)
        self._journal.unreleased(self._sink_kind, bytes(self._from_sink[:HELD_BYTES_MAX]))
        self._from_source.clear()
        self._from_sink.clear()
        return Tapped(events=self._journal.take())

    def _pass(self, side: Side, data: bytes, *, go_on: bool = False) -> Tapped:
        if self._fault:
            raise TransferError(self._fault)
        forward: list[bytes] = []
        release: list[bytes] = []
        waited = self._wait
        try:
            if side == self._source:
                self._drain(data, forward)
            elif go_on:
                self._drain(b"", release)
            else:
                self._hear(data, forward, release)
        except TransferError as error:
            self._fault = error.public
            error.tapped = self._tapped(forward, release)
            raise
        wait = self._wait if self._wait is not waited else None
        return replace(self._tapped(forward, release), wait=wait)

    def _tapped(self, forward: list[bytes], release: list[bytes]) -> Tapped:
        return Tapped(
            forward=b"".join(forward),
            release=b"".join(release),
            events=self._journal.take(),
            told=self._journal.told(),
        )

    # --- the source

    def _drain(self, data: bytes, passed: list[bytes]) -> None:
        """Deal with the source's bytes as far as the sink has answered; add what may go on to `passed`."""
        held = self._from_source
        if held:
            held += data
        buffer = held or data
        at = 0
        try:
            while self._asked is None and self._wait is None and at < len(buffer):
                size, item = self._item(buffer, at)
                if not size:
                    break
                passed.append(item)
                at += size
                if self._content is not None and self._content.seen.stopped:
                    raise OperationDenied(self._content.seen.stopped)
        except OperationHeld as waiting:
            self._wait = waiting.wait
        finally:
            if buffer is held:
                del held[:at]
            else:
                held += memoryview(buffer)[at:]
        if len(held) > HELD_BYTES_MAX:
            _refuse("scp stream goes on too far without an answer")

    def _item(self, buffer: bytes | bytearray, at: int) -> tuple[int, bytes]:
        """Deal with one record, piece of payload or verdict; return its size (0: not whole) and what goes on."""
        if self._next is _Next.PAYLOAD and self._flow:
            piece = bytes(buffer[at : at + self._size - self._taken])
            self._taken += len(piece)
            last = self._taken == self._size
            if last:
                self._next = _Next.VERDICT
            passed = piece if self._content is None else self._content.passed(piece, last=last)
            if passed:
                self._journal.file(self._flow.add(passed, self._flow.length))
            return len(piece), passed
        if self._next is _Next.VERDICT and buffer[at] == 0:
            line = b"\0"
        elif buffer[at] in _COMPLAINTS or self._next is _Next.RECORD:
            line = _line(buffer, at)
        else:
            _refuse("scp stream has more than the announced size")
        if line:
            self._take(line)
            self._journal.protocol(self._source_kind, line)
        return len(line), line

    def _take(self, line: bytes) -> None:
        """Take a record or verdict, which the sink will answer; a complaint between files gets no answer."""
        if self._next is _Next.VERDICT:
            self._readable = line == b"\0"
            self._asked = _VERDICT
        elif line[0] not in _COMPLAINTS:
            record = read_record(line)
            if record.type == "D" and not self._recursive:
                _refuse("scp stream has a directory without -r")
            if record.type == "E":
                self._place.leave()
            elif record.name:
                self._paths = self._place.paths(record.name)
                self._check(record)
            self._asked = record

    def _check(self, record: Record) -> None:
        """Put a file or directory before the judge; raise OperationDenied or OperationHeld."""
        upload, folder = self._direction == "upload", record.type == "D"
        if record.type == "C" and self._inspection is not None and not upload:
            self._check_size(record, self._inspection)
        judged, self._judged = (
            self._judged or self._judge(scp_facts(upload, self._paths, folder=folder)),
            None,
        )
        if judged is None:
            return
        if judged.wait is not None:
            raise OperationHeld(judged.wait)
        self._journal.judged(replace(judged, told=b""))  # a denial ends the command, and is told with its end
        if judged.denied:
            op = ("mkdir" if upload else "list") if folder else "open"
            self._journal.file({"op": op, **self._paths, "direction": self._direction, "status": "denied"})
            raise OperationDenied(judged.denied, status=judged.status)

    def _check_size(self, record: Record, inspection: Inspection) -> None:
        """Refuse a file that is to be looked through ahead and is too large for it."""
        if inspection.plan.spool and record.size > SPOOL_BYTES_MAX:
            why = f"it is larger than the {SPOOL_BYTES_MAX} bytes that scp -O can have looked through ahead: use sftp"
            seen = Seen("download", self._paths["path"], self._journal.happened)
            seen.refuse(why)
            raise OperationDenied(seen.stopped)

    # --- the sink

    def _hear(self, data: bytes, passed: list[bytes], release: list[bytes]) -> None:
        """Deal with the sink's answers; add to `release` what of the source has waited for them."""
        held = self._from_sink
        held += data
        while held:
            if held[0] == 0:
                answer = b"\0"
            elif held[0] in _COMPLAINTS:
                answer = _line(held, 0)
            else:
                _refuse("scp answer is not one (does the target's shell print a greeting?)")
            if not answer:
                return
            if self._asked is None:
                _refuse("scp answer to nothing that was sent")
            self._journal.protocol(self._sink_kind, answer)
            self._answered("ok" if answer == b"\0" else "failed")
            passed.append(answer)
            del held[: len(answer)]
            self._drain(b"", release)

    def _answered(self, status: str) -> None:
        """Let the answer take effect: only what was accepted has payload, or is entered."""
        record, self._asked = self._asked or _GREETING, None
        detail: dict[str, Any] = {**self._paths, "direction": self._direction, "mode": record.mode}
        match record.type:
            case "C":
                self._journal.file({"op": "open", **detail, "size": record.size, "status": status})
                if status == "ok":
                    self._flow, self._size = Flow(self._direction, **self._paths), record.size
                    self._taken = 0
                    if self._inspection is not None:
                        seen = Seen(self._direction, self._paths["path"], self._journal.happened)
                        self._content = Content(self._inspection, seen, holds=self._direction == "download")
                    self._next = _Next.PAYLOAD if record.size else _Next.VERDICT
            case "D":
                op = "mkdir" if self._direction == "upload" else "list"
                self._journal.file({"op": op, **detail, "status": status})
                if status == "ok":
                    self._place.enter(record.name)
            case "verdict":
                self._close(complete=status == "ok" and self._readable, status=status)
                self._next = _Next.RECORD

    def _close(self, *, complete: bool, status: str) -> None:
        flow, self._flow = self._flow, None
        if flow:
            if status == "ok" and not complete:
                status = "failed"
            content = NOT_LOOKED_INTO if self._content is None else self._content.ended()
            self._content = None
            self._journal.file(flow.closed(complete=complete, status=status, size=self._size, **content))


def _line(buffer: bytes | bytearray, at: int) -> bytes:
    """Return the line that begins here, empty if it is not whole."""
    end = buffer.find(b"\n", at, at + LINE_BYTES_MAX) + 1
    if not end and len(buffer) - at >= LINE_BYTES_MAX:
        _refuse("scp stream has a line that is too long")
    return bytes(buffer[at:end])


def _refuse(public: str) -> NoReturn:
    raise TransferError(public)
