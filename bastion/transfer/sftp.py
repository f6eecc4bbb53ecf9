"""Watch SFTP version 3: which file each byte of payload belongs to, and what became of every operation.

In      the bytes of both sides
Out     Tapped; packets go on whole, payload of WRITE and DATA goes on in pieces
Holds   one packet per side (sftp_wire.PACKET_BYTES_MAX), OUTSTANDING_MAX requests of which OPERATIONS_MAX
        name files, HANDLES_MAX open handles
Errors  TransferError: malformed, unknown handle or id, another version, past a bound
Source  draft-ietf-secsh-filexfer-02
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn

from bastion.transfer.errors import TransferError
from bastion.transfer.flow import Direction
from bastion.transfer.look import Inspection
from bastion.transfer.operation import sftp_facts
from bastion.transfer.sftp_handle import Opened
from bastion.transfer.sftp_looking import Coming, Looking
from bastion.transfer.sftp_request import Request, read_request
from bastion.transfer.sftp_wire import (
    HANDLE_BYTES_MAX,
    STATUS_EOF,
    STATUS_OK,
    Fields,
    Packet,
    PacketStream,
    PacketType,
    Piece,
    denial,
    first_packet,
    status_text,
)
from bastion.transfer.tap import Journal, Judge, Judged, OperationHeld, Side, TapEvent, Tapped, Wait
from recorder.events import Kind

VERSION = 3
HANDLES_MAX = 1024
OPERATIONS_MAX = 1024
OUTSTANDING_MAX = 131072  # paramiko asks for a whole file at once; one channel window holds 84,000 READs
OUTSTANDING_STALL = 8192  # past it the relay should let the target answer before it reads more

Details = list[dict[str, Any]]


class _Pending(NamedTuple):
    """A request that went to the target and has no answer."""

    request: Request
    opened: Opened | None


class _Payload(NamedTuple):
    """The payload under way on one side; `pending` is the WRITE that it completes. What is `coming` is held."""

    opened: Opened
    direction: Direction
    offset: int
    pending: _Pending | None
    coming: Coming | None = None


class _Full(Exception):
    """The client has asked for as much as may be held for it: the rest of what it says waits."""


class SftpTap:
    """A Tap for the sftp subsystem; what `judge` denies is answered here, and never reaches the target."""

    def __init__(self, judge: Judge = lambda facts: None, inspection: Inspection | None = None) -> None:
        """With an `inspection` files are looked into on their way, and stopped where they must not go on."""
        self._judge = judge
        self._answers = bytearray()  # to requests that were denied, for the client
        self._journal = Journal()
        self._judged: list[Judged] = []  # of the request at hand, which may wait for the last
        self._streams: dict[Side, PacketStream] = {
            "client": PacketStream("client"),
            "target": PacketStream("target"),
        }
        self._payload: dict[Side, _Payload] = {}
        self._handles: dict[bytes, Opened] = {}
        self._pending: dict[int, _Pending] = {}
        self._operations = 0  # how many of those pending have a FILE event to come
        self._greeted = False
        self._agreed = False
        self._fault = ""
        self._full = False
        self._looking = None
        if inspection is not None:
            self._looking = Looking(inspection, self._journal, self._pending, self._report)
        self.looks = self.crosses = inspection is not None

    @property
    def stalled(self) -> Side | None:
        """Name the client when it has asked for more than the target should owe, or we hold, at a time."""
        return "client" if self._full or len(self._pending) >= OUTSTANDING_STALL else None

    def client(self, data: bytes) -> Tapped:
        """Take bytes from the bot; see Tap."""
        passed = self._pass("client", Kind.CLIENT_PROTOCOL, self._asked, data)
        requests = self._own_requests()
        return replace(passed, forward=passed.forward + requests) if requests else passed

    def target(self, data: bytes) -> Tapped:
        """Take bytes from the target; our own answers go between two of its packets; see Tap."""
        before = self._own_answers()
        passed = self._pass("target", Kind.TARGET_PROTOCOL, self._answered, data)
        if self._looking is not None and self._looking.roomy:
            self._full = False
        forward = before + passed.forward + self._own_answers()
        return replace(passed, forward=forward, release=self._own_requests())

    def answered(self, side: Side, judged: Judged) -> Tapped:
        """Go on with the request that has waited; see Tap."""
        self._judged[-1] = judged
        self._journal.judged(judged)
        return self.client(b"")

    def finish(self) -> Tapped:
        """Report what is still open or unanswered; see Tap."""
        self._fault = self._fault or "the sftp channel has ended"
        used = [pending.opened for pending in self._pending.values()]
        used += [payload.opened for payload in self._payload.values()]
        for pending in self._pending.values():
            self._report(_concluded(pending, "unanswered"))
        for opened in (*used, *self._handles.values()):
            self._report(opened.ended() if opened else [])
        self._pending.clear()
        for side, stream in self._streams.items():
            kind = Kind.CLIENT_PROTOCOL if side == "client" else Kind.TARGET_PROTOCOL
            self._journal.unreleased(
                kind, stream.drop() if self._looking is None else first_packet(stream.drop())
            )
        return Tapped(events=self._journal.take())

    def _own_answers(self) -> bytes:
        """Return the answers that wait, if the target's stream is between two packets."""
        payload = self._payload.get("target")
        if payload is not None and payload.coming is None:
            return b""
        answers = bytes(self._answers)
        self._answers.clear()
        if self._looking is not None:
            answers += bytes(self._looking.answers)
            self._looking.answers.clear()
        return answers

    def _own_requests(self) -> bytes:
        """Return what we ask the target ourselves, if the client's stream is between two packets."""
        if self._looking is None or "client" in self._payload:
            return b""
        return self._looking.take_requests()

    def _pass(self, side: Side, kind: Kind, came: Callable[[Packet], Details | None], data: bytes) -> Tapped:
        """Deal with all that is whole; a packet is recorded before what follows from it."""
        if self._fault:
            raise TransferError(self._fault)
        stream, wait, more = self._streams[side], None, False
        try:
            for item in stream.items(data):
                if isinstance(item, Piece):
                    self._report(self._flowed(side, item))
                else:
                    details = came(item)
                    if details is None:
                        stream.leave_out(item)
                        continue
                    self._journal.protocol(kind, item.raw)
                    self._report(details)
        except OperationHeld as held:  # its packet is not dealt with, and comes again
            wait = held.wait
        except _Full:  # likewise
            self._full = more = True
        except TransferError as error:
            self._fault = error.public
            error.tapped = self._tapped(side)
            raise
        return self._tapped(side, wait, more=more)

    def _tapped(self, side: Side, wait: Wait | None = None, *, more: bool = False) -> Tapped:
        return Tapped(
            forward=self._streams[side].take(),
            events=self._journal.take(),
            owes=side == "client" and self._has_answers(),
            told=self._journal.told(),
            wait=wait,
            more=more,
        )

    def _has_answers(self) -> bool:
        return bool(self._answers) or (self._looking is not None and bool(self._looking.answers))

    def _held(self, opened: Opened, coming: Coming, piece: Piece) -> Details:
        """Keep payload until it is looked into."""
        coming.data += piece.data
        self._streams["target"].leave_out(piece)
        if piece.last:
            del self._payload["target"]
            if self._looking is not None and opened.look is not None:
                self._looking.came(opened, opened.look, coming)
        return []

    def _report(self, details: Details) -> None:
        for detail in details:
            self._journal.file(detail)

    def _flowed(self, side: Side, piece: Piece) -> Details:
        """Count payload; when a packet has all of it, a WRITE is asked for or a READ is settled."""
        opened, direction, offset, pending, coming = self._payload[side]
        if coming is not None:
            return self._held(opened, coming, piece)
        size = len(piece.data)
        details = [opened.passed(direction, piece.data, offset)] if size else []
        if not piece.last:
            self._payload[side] = _Payload(opened, direction, offset + size, pending)
            return details
        del self._payload[side]
        if pending is None:
            return details + opened.settled()
        opened.asked()
        self._pending[pending.request.id] = pending
        return details

    def _asked(self, packet: Packet) -> Details | None:
        """Take a request from the client; None if it is denied."""
        if packet.type == PacketType.INIT:
            if self._greeted:
                _refuse("sftp from the client begins twice")
            self._greeted = True
            return []
        if not self._agreed:
            _refuse("sftp from the client asks before a version was agreed")
        request = read_request(packet)
        if request.id in self._pending or (self._looking is not None and self._looking.uses(request.id)):
            _refuse("sftp from the client uses a request id that is still in use")
        if len(self._pending) >= OUTSTANDING_MAX or (request.detail and self._operations >= OPERATIONS_MAX):
            _refuse("sftp from the client has too many requests outstanding")
        pending = _Pending(request, self._named(request))
        opened = pending.opened
        if self._denies(request, packet):
            return None
        if request.type in (PacketType.READ, PacketType.WRITE):
            if opened is None or not opened.is_file:
                _refuse("sftp from the client reads or writes a handle that is not an open file")
            if request.type == PacketType.WRITE:
                self._payload["client"] = _Payload(opened, "upload", request.offset, pending)
                return []
            if self._looking is not None and opened.look is not None:
                if self._looking.denies(opened.look, request, packet.raw):
                    return None
                if self._looking.full(request):
                    raise _Full
                self._looking.asked(opened.look, request)
            opened.asked()
        elif request.type == PacketType.CLOSE and opened is not None and request.handle is not None:
            del self._handles[request.handle]  # invalid whatever the answer, draft section 6.3
            opened.closing = True
            if self._looking is not None:
                self._looking.closes(opened)
        self._pending[request.id] = pending
        self._operations += request.detail is not None
        return []

    def _denies(self, request: Request, packet: Packet) -> bool:
        """Put what is asked before the judge; answer it here if it is denied. Raise OperationHeld if it waits."""
        path = request.path or str((request.detail or {}).get("path", ""))
        for number, facts in enumerate(sftp_facts(request, path)):
            if number == len(self._judged):
                said = self._judge(facts)
                if said is None:
                    break
                self._judged.append(said)
                if said.wait is not None:
                    raise OperationHeld(said.wait)
                self._journal.judged(said)
            if self._judged[number].denied:
                return self._deny(request, packet, self._judged[number].denied)
        if self._looking is not None and (why := self._looking.objection(request)):
            self._journal.judged(Judged(event=None, told=f"bastion: {why}\r\n".encode()))
            return self._deny(request, packet, why)
        self._judged.clear()
        return False

    def _deny(self, request: Request, packet: Packet, why: str) -> bool:
        self._journal.unreleased(Kind.CLIENT_PROTOCOL, packet.raw)
        answer = denial(request.id, why)
        self._journal.happened(TapEvent(kind=Kind.TARGET_PROTOCOL, data=answer, detail={"of": "bastion"}))
        if request.detail is not None:
            self._journal.file({**request.detail, "status": "denied"})
        self._answers += answer
        self._judged.clear()
        return True

    def _named(self, request: Request) -> Opened | None:
        """Return what the request's handle stands for; write the paths of its handles into its detail."""
        if request.handle is None:
            return None
        opened = self._handle(request.handle)
        if request.detail is not None:
            request.detail["path"] = opened.path
            if request.to_handle is not None:
                request.detail["to"] = self._handle(request.to_handle).path
        return opened

    def _handle(self, handle: bytes) -> Opened:
        """Return the open handle; a guessed one could be another file by the time the target reads it."""
        opened = self._handles.get(handle)
        if opened is None:
            _refuse("sftp from the client names a handle that is not open")
        return opened

    def _answered(self, packet: Packet) -> Details | None:
        """Take an answer from the target; None if it is held, or is one to us."""
        fields = Fields("target", packet.raw)
        number = fields.u32()
        if packet.type == PacketType.VERSION:
            return self._version(number)
        if self._looking is not None and (asked := self._looking.is_own(number)) is not None:
            self._answered_us(self._looking, asked, packet, fields)
            return None
        pending = self._pending.get(number)
        if pending is None or not pending.request.may_answer(packet.type):
            _refuse("sftp from the target answers a request that was not made")
        request, opened = pending
        if packet.type == PacketType.DATA and opened:
            if fields.u32() > request.length:
                _refuse("sftp from the target answers with more than was asked for")
            del self._pending[number]
            coming = None if opened.look is None else Coming(packet.raw, request)
            self._payload["target"] = _Payload(opened, "download", request.offset, None, coming)
            return [] if coming is None else None
        code = STATUS_OK
        if packet.type == PacketType.HANDLE:
            self._open(fields.string(HANDLE_BYTES_MAX), request)
        elif packet.type == PacketType.STATUS:
            code = fields.u32()
        del self._pending[number]
        self._operations -= request.detail is not None
        if opened and request.type in (PacketType.READ, PacketType.WRITE):
            if self._looking is not None and opened.look is not None and request.type == PacketType.READ:
                ended = code == STATUS_EOF and request.length > 0  # reading nothing "ends" anywhere
                self._looking.failed(opened, opened.look, request, ended=ended)
            return _transferred(opened, request.type, code)
        return _concluded(pending, status_text(code))

    def _answered_us(self, looking: Looking, opened: Opened, packet: Packet, fields: Fields) -> None:
        """Take an answer to a READ of our own."""
        if packet.type == PacketType.DATA:
            looking.answered_us(packet.raw)
            self._payload["target"] = _Payload(opened, "download", 0, None, Coming(packet.raw, None))
        elif packet.type == PacketType.STATUS:
            code = fields.u32()
            looking.own_failed(opened, packet.raw, status_text(code), ended=code == STATUS_EOF)
        else:
            _refuse("sftp from the target answers a request that was not made")

    def _version(self, version: int) -> Details:
        if self._agreed or not self._greeted:
            _refuse("sftp from the target begins twice, or before the client")
        if version != VERSION:
            _refuse(f"sftp version {version} cannot be recorded: use version {VERSION}")
        self._agreed = True
        return []

    def _open(self, handle: bytes, request: Request) -> None:
        if handle in self._handles:
            _refuse("sftp from the target gives out a handle that is still open")
        if len(self._handles) >= HANDLES_MAX:
            _refuse("sftp from the client has too many files open")
        is_file = request.type == PacketType.OPEN
        opened = Opened(request.path, is_file=is_file, flags=request.flags, handle=handle)
        self._handles[handle] = opened
        if is_file and self._looking is not None:
            self._looking.begin(opened)


def _transferred(opened: Opened, request_type: int, code: int) -> Details:
    """Settle a READ or WRITE that got a STATUS: a WRITE hopes for `ok`, a READ gets no better than `eof`."""
    if request_type == PacketType.READ and code == STATUS_EOF:
        opened.eof = True
    elif request_type == PacketType.READ:
        opened.failed("download")
    elif code != STATUS_OK:
        opened.failed("upload")
    return opened.settled()


def _concluded(pending: _Pending, status: str) -> Details:
    """Return the events of an operation that came to its end."""
    request, opened = pending
    if request.type == PacketType.CLOSE and opened:
        return opened.closed(status)
    return [] if request.detail is None else [{**request.detail, "status": status}]


def _refuse(public: str) -> NoReturn:
    raise TransferError(public)
