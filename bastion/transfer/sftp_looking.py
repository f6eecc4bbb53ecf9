"""Hold the answers to reads of SFTP until they were looked into, and read on ourselves where that takes more.

In      READs of the client, what the target answers to them and to our own
Out     answers for the client, requests for the target, as bytes; events in the journal
Holds   HELD_BYTES_MAX that the client has asked for and that it has not got, and one answer of any size beside
Errors  DetectorFault
Source  draft-ietf-secsh-filexfer-02 section 6.4
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

from bastion.transfer.look import Inspection
from bastion.transfer.sftp_handle import Look, Opened
from bastion.transfer.sftp_reads import Answer
from bastion.transfer.sftp_request import Request
from bastion.transfer.sftp_wire import PAYLOAD_BYTES_MAX, denial, read_packet
from bastion.transfer.tap import Journal, Judged, TapEvent
from recorder.events import Kind

HELD_BYTES_MAX = 4 * 1024 * 1024
_OWN_IDS = 0xF000_0000  # from here on; clients count from 0


@dataclass(slots=True)
class Coming:
    """An answer whose payload is under way; without a request it is for us."""

    head: bytes
    request: Request | None
    data: bytearray = field(default_factory=bytearray)


class Looking:
    """The reads of all files of one channel; `report` takes what follows from a whole answer."""

    def __init__(
        self,
        inspection: Inspection,
        journal: Journal,
        used: Container[int],
        report: Callable[[list[dict[str, Any]]], None],
    ) -> None:
        self.answers = bytearray()
        self._requests: list[tuple[int, Opened, bytes]] = []  # of ours, that have not gone out
        self._inspection = inspection
        self._journal = journal
        self._used = used
        self._report = report
        self._asked_bytes = 0
        self._own: dict[int, Opened] = {}
        self._last_id = _OWN_IDS

    def begin(self, opened: Opened) -> None:
        """Look into an open file from now on."""
        opened.look = Look(self._inspection, opened.path, self._journal.happened)

    def full(self, request: Request) -> bool:
        """Say whether another READ would be too much."""
        return self._asked_bytes > 0 and self._asked_bytes + _size(request) > HELD_BYTES_MAX

    @property
    def roomy(self) -> bool:
        """Say whether more may be asked for again."""
        return self._asked_bytes <= HELD_BYTES_MAX // 2

    def asked(self, look: Look, request: Request) -> None:
        """Note that a READ of the client goes to the target."""
        self._asked_bytes += _size(request)
        look.reads.asked()

    def denies(self, look: Look, request: Request, raw: bytes) -> bool:
        """Answer a READ of a file that is stopped; say whether it is."""
        if not look.stopped:
            return False
        self._journal.unreleased(Kind.CLIENT_PROTOCOL, raw)
        self._deny(look, request.id)
        return True

    def failed(self, opened: Opened, look: Look, request: Request, *, ended: bool) -> None:
        """Take an answer without payload to a READ of the client, which goes on."""
        self._asked_bytes -= _size(request)
        look.reads.failed(request.offset, ended=ended)
        self.advance(opened, look)

    def came(self, opened: Opened, look: Look, coming: Coming) -> None:
        """Take a whole answer."""
        if coming.request is None:
            look.reads.own_came(bytes(coming.data))
        else:
            request, data = coming.request, bytes(coming.data)
            look.reads.came(Answer(request.id, request.offset, request.length, coming.head, data))
        self.advance(opened, look)

    def is_own(self, number: int) -> Opened | None:
        """Return the file that we have asked for by this id, once."""
        return self._own.pop(number, None)

    def take_requests(self) -> bytes:
        """Return what is to be asked of the target now."""
        requests, self._requests = self._requests, []
        return b"".join(asked for _number, _opened, asked in requests)

    def closes(self, opened: Opened) -> None:
        """Take back what was still to be asked by a handle that is closed: it may stand for another file then."""
        kept = [request for request in self._requests if request[1] is not opened]
        taken_back = [number for number, of, _asked in self._requests if of is opened]
        self._requests = kept
        for number in taken_back:
            del self._own[number]
            if opened.look is not None:
                opened.look.reads.own_failed(_CLOSED, ended=False)
                self.advance(opened, opened.look)

    def objection(self, request: Request) -> str:
        """Say why a request may not go on where files are looked into, empty if it may."""
        if (request.detail or {}).get("op") != "copy-data":
            return ""
        return f"no copy-data where files are looked into, it takes them apart (session {self._inspection.session})"

    def answered_us(self, head: bytes) -> None:
        """Record that payload comes to a READ of our own: it goes no further."""
        self._journal.happened(TapEvent(kind=Kind.TARGET_PROTOCOL, data=head, detail=_OURS))

    def own_failed(self, opened: Opened, raw: bytes, status: str, *, ended: bool) -> None:
        """Take an answer without payload to a READ of our own."""
        self._journal.happened(TapEvent(kind=Kind.TARGET_PROTOCOL, data=raw, detail=_OURS))
        if opened.look is not None:
            opened.look.reads.own_failed(status, ended=ended)
            self.advance(opened, opened.look)

    def advance(self, opened: Opened, look: Look) -> None:
        """Do what can be done for a file."""
        step = look.reads.advance()
        if step.want is not None and opened.closing:  # its handle may stand for another file by now
            look.reads.own_failed(_CLOSED, ended=False)
            more = look.reads.advance()
            step.denied += more.denied
            step.want = None
        for answer in step.released:
            self._journal.protocol(Kind.TARGET_PROTOCOL, answer.head)
            if answer.data:
                self._journal.file(opened.passed("download", memoryview(answer.data), answer.offset))
            self.answers += answer.head
            self.answers += answer.data
            self._done(opened, answer)
        for answer in step.denied:
            self._journal.unreleased(Kind.TARGET_PROTOCOL, answer.head)
            self._deny(look, answer.id)
            opened.failed("download")
            self._done(opened, answer)
        if step.want is not None:
            self._read_on(opened, *step.want)

    def _done(self, opened: Opened, answer: Answer) -> None:
        self._asked_bytes -= min(answer.length, PAYLOAD_BYTES_MAX)
        self._report(opened.settled())

    def _deny(self, look: Look, number: int) -> None:
        reason = f"{look.stopped} (session {self._inspection.session})"
        if not look.told:  # clients of sftp do not show the reason of a denial
            look.told = True
            self._journal.judged(Judged(event=None, told=f"bastion: {reason}\r\n".encode()))
        answer = denial(number, reason)
        self._journal.happened(TapEvent(kind=Kind.TARGET_PROTOCOL, data=answer, detail={"of": "bastion"}))
        self.answers += answer

    def _read_on(self, opened: Opened, offset: int, length: int) -> None:
        self._last_id += 1
        while self._last_id in self._used or self._last_id in self._own:
            self._last_id += 1
        self._own[self._last_id] = opened
        asked = read_packet(self._last_id, opened.handle, offset, length)
        self._journal.happened(TapEvent(kind=Kind.CLIENT_PROTOCOL, data=asked, detail={"of": "bastion"}))
        self._requests.append((self._last_id, opened, asked))

    def uses(self, number: int) -> bool:
        """Say whether a READ of our own has this id."""
        return number in self._own


_OURS = {"of": "bastion", "released": False}
_CLOSED = "that it is closed"


def _size(request: Request) -> int:
    return min(request.length, PAYLOAD_BYTES_MAX)
