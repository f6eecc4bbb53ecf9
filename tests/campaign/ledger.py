"""Hold what both ends received against what is on record, byte by byte.

In      the works of a round; the evidence database
Out     a Balance: bytes released and recorded each way, and each thing that does not agree, in words
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity

from recorder.events import Event, Kind
from recorder.evidence import Evidence, Filter, SessionRow
from tests.campaign.scene import MARK
from tests.campaign.traffic import Traffic, Work, typed_line

EMPTY = hashlib.sha256().hexdigest()
# What OpenSSH's client says by itself when its connection breaks, even if told to be quiet; and what the bastion says
# even if it cannot be recorded: that the session or the channel has ended, and why.
OWN_WORDS = re.compile(
    rb"(?:(?:Connection to \S+ closed by remote host\.|client_loop: send disconnect: [^\r\n]*|lost connection"
    rb"|bastion: (?:session ended: |\S+ closed the channel |the connection to )[^\r\n]*)\r?\n)+\Z"
)


@dataclass(slots=True, kw_only=True)
class Balance:
    """What was counted; `lost` are bytes that an end received and that the record does not have."""

    sessions: int = 0
    interrupted: int = 0
    channels: int = 0
    files: int = 0
    certificates: int = 0
    released_in: int = 0
    released_out: int = 0
    recorded_in: int = 0
    recorded_out: int = 0
    lost: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Balance) -> None:
        for name in (it.name for it in fields(self)):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel on record."""

    events: Sequence[Event]
    row: SessionRow | None = None

    def data(self, *kinds: Kind) -> bytes:
        """Return the bytes of all events of these kinds, in order."""
        return b"".join(event.data for event in self.events if event.kind in kinds)


class Ledger:
    """Reads only the sessions that it has not seen yet."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def check(self, traffic: Traffic, evidence: Evidence) -> Balance:
        """Compare one round with the sessions that came on record since the last."""
        rows = [row for row in evidence.sessions(Filter()) if row.id not in self._known]
        self._known |= {row.id for row in rows}
        balance = Balance(sessions=len(rows))
        channels: dict[str, Channel] = {}
        for row in rows:
            if not row.sealed or row.state not in ("closed", "interrupted"):
                balance.wrong.append(f"session {row.id} is {row.state}, sealed: {row.sealed}")
            balance.interrupted += row.state == "interrupted"
            channels.update(by_mark(row, evidence.events(row.id)))
        for work in traffic.works:
            _compare(work, channels.get(work.mark), balance)
        _compare_certificates(traffic.certificates, evidence, balance)
        return balance


def by_mark(row: SessionRow, events: Iterable[Event]) -> dict[str, Channel]:
    """Return a session's channels by the mark that their client gave them."""
    numbered: dict[int, list[Event]] = {}
    marks: dict[int, str] = {}
    for event in events:
        numbered.setdefault(event.channel, []).append(event)
        if event.kind is Kind.REQUEST:
            marks[event.channel] = event.detail["env"].get(MARK, f"unmarked {row.id} {event.channel}")
    return {mark: Channel(row=row, events=numbered[number]) for number, mark in marks.items()}


def _compare(work: Work, channel: Channel | None, balance: Balance) -> None:
    if channel is None:
        channel = Channel(events=())  # then neither end may have received anything
        if any(place is not None and place.exists() for place in (work.arrived, work.lines)):
            balance.wrong.append(f"{work.mark}: it ran at the target, and is not on record")
    else:
        balance.channels += 1
        if work.endless and work.cut and channel.row is not None and channel.row.state != "interrupted":
            balance.wrong.append(f"{work.mark}: its session is {channel.row.state}, not interrupted")
    if work.files:
        _compare_files(work, channel.events, balance)
        return
    output = channel.data(Kind.OUTPUT)
    received = work.received.read_bytes()
    balance.recorded_out += len(output) + len(channel.data(Kind.ERROR))
    _weigh(f"{work.mark}: output", received, output, balance, out=True)
    if work.said is not None:
        said = OWN_WORDS.sub(b"", work.said.read_bytes())
        _weigh(f"{work.mark}: stderr", said, channel.data(Kind.ERROR, Kind.NOTICE), balance, out=True)
    recorded = channel.data(Kind.INPUT)
    balance.recorded_in += len(recorded)
    if work.arrived is not None and work.arrived.exists():
        _weigh(f"{work.mark}: input", work.arrived.read_bytes(), recorded, balance, out=False)
    if work.lines is not None and work.lines.exists():
        ran = work.lines.read_text().split()
        typed = b"".join(typed_line(work.lines, number) for number in range(len(ran)))
        _weigh(f"{work.mark}: lines", typed, recorded, balance, out=False)
    if work.pump is not None and not bytes(work.pump.sent).startswith(recorded):
        balance.wrong.append(f"{work.mark}: the record has input that was never sent")


def _weigh(what: str, received: bytes, recorded: bytes, balance: Balance, *, out: bool) -> None:
    """Count what an end received, and what of it is not a prefix of the record."""
    if out:
        balance.released_out += len(received)
    else:
        balance.released_in += len(received)
    if not recorded.startswith(received):
        same = agreeing(received, recorded)
        balance.lost += len(received) - same
        balance.wrong.append(
            f"{what}: {len(received)} bytes received, {len(recorded)} recorded, alike up to {same}"
        )


def _compare_files(work: Work, events: Sequence[Event], balance: Balance) -> None:
    for file in work.files:
        last: Mapping[str, Any] = {"length": 0, "sha256": EMPTY}
        for event in events:
            here = event.kind is Kind.FILE and event.detail.get("op") == "progress"
            if here and event.detail["direction"] == file.direction and _names(event.detail, file.path):
                last = event.detail
        arrived = file.arrives.read_bytes() if file.arrives.exists() else b""
        length = last["length"]
        balance.files += length > 0
        if file.direction == "upload":
            balance.released_in += len(arrived)
            balance.recorded_in += length
        else:
            balance.released_out += len(arrived)
            balance.recorded_out += length
        source = work.source
        if len(arrived) > length or arrived != source[: len(arrived)]:
            balance.lost += max(1, len(arrived) - length)
            balance.wrong.append(f"{file.path}: {len(arrived)} bytes arrived, {length} are on record")
        if hashlib.sha256(source[:length]).hexdigest() != last["sha256"]:
            balance.wrong.append(f"{file.path}: the digest on record is not that of its first {length} bytes")


def _names(detail: Mapping[str, Any], path: str) -> bool:
    """Say whether an event is of this file: scp cannot know whether its target is a folder, and names both."""
    return path in (detail["path"], detail.get("or_path"))


def _compare_certificates(lines: Sequence[bytes], evidence: Evidence, balance: Balance) -> None:
    """Every certificate that somebody holds is on the audit chain."""
    issued = {int(entry.detail["serial"]) for entry in evidence.audit() if entry.kind == "certificate.issued"}
    for line in lines:
        certificate = load_ssh_public_identity(line)
        assert isinstance(certificate, SSHCertificate)
        balance.certificates += 1
        if certificate.serial not in issued:
            balance.wrong.append(f"certificate {certificate.serial} is not on the audit chain")


def agreeing(one: bytes, other: bytes) -> int:
    """Return how many bytes the two begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
