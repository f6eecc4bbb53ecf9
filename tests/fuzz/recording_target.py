"""Feed what readers of evidence read: events, asciicasts, seals, key sets, chain heads.

Source  docs/recording-format.md; asciicast v2, v3
"""

from __future__ import annotations

import json
from functools import cache
from random import Random

from recorder.cast import SECONDS_MAX, read_cast, write_cast
from recorder.errors import CastDecodeError, KeySetError, StoreError
from recorder.events import Event, EventDecodeError, Kind, decode_events, encode_events, weight
from recorder.seal import BadSignature, KeySet, Signer, generate_seal_key
from recorder.transcript import transcript
from recorder.verify import parse_head
from tests.fuzz import mutation
from tests.fuzz.target import Havoc, Target, require

EVENTS, CAST, KEYS, SEAL, HEAD = range(5)
HEADER = {
    "id": "x",
    "identity": "i",
    "owner": "o",
    "target": "t",
    "login": "l",
    "started_us": 1_790_000_100_000_000,
}
SCREEN = (
    b"\x1b[?1049h\x1b[2J\x1b[5;10Hhi\x1b[31m\xc3\xa9\x1b]0;title\x07\x1b[999999A\x1b[1;3r\n\r\x1b[L\x1b[?25l"
    b"\x1bPq\x1b\\"
)


@cache
def _signer() -> Signer:
    return Signer(generate_seal_key())


def _seeds() -> list[bytes]:
    pty = Event(
        at_us=1,
        kind=Kind.REQUEST,
        channel=1,
        data=b"top",
        detail={"pty": True, "cols": 80, "rows": 24, "term": "xterm"},
    )
    stories = [
        [Event(at_us=at, kind=kind, channel=1, data=b"data\r\n", detail={}) for at, kind in enumerate(Kind)],
        [pty, Event(at_us=5, kind=Kind.OUTPUT, channel=1, data=SCREEN)],
        [
            pty,
            Event(at_us=5, kind=Kind.RESIZE, channel=1, detail={"cols": 1, "rows": 2**31}),
            Event(at_us=6, kind=Kind.OUTPUT, channel=1, data=SCREEN),
        ],
        [
            Event(at_us=2, kind=Kind.EXIT, channel=1, detail={"status": 1}),
            Event(at_us=3, kind=Kind.CLOSE, detail={"state": "ended", "reason": "x"}),
        ],
        [
            Event(
                at_us=2,
                kind=Kind.FILE,
                channel=1,
                detail={"op": "close", "path": "a", "direction": "upload", "length": 3, "sha256": "0" * 64},
            )
        ],
    ]
    casts = [
        b"".join(write_cast(HEADER, story, version=version)) for story in stories[:3] for version in (2, 3)
    ]
    keys = json.dumps({"keys": [_signer().public_jwk()]}).encode()
    return [
        *(bytes([EVENTS]) + encode_events(story) for story in stories),
        *(bytes([CAST]) + cast for cast in casts),
        bytes([KEYS]) + keys,
        bytes([SEAL]) + _signer().sign_compact(b"{}").encode(),
        bytes([HEAD]) + b"17:" + b"ab" * 32,
    ]


def recording(data: bytes) -> None:
    """Read as the first byte says; only the declared errors may come of it."""
    kind, body = (data[0] % 5, data[1:]) if data else (EVENTS, b"")
    text = body.decode("utf-8", "surrogateescape")
    match kind:
        case 0:
            _events(body)
        case 1:
            _cast(body)
        case 2:
            _declared(lambda: KeySet.from_json(text), KeySetError)
        case 3:
            found = _declared(lambda: KeySet.of(_signer()).open_compact(text), BadSignature)
            require(found in (None, b"{}"), "a seal that was not made")
        case _:
            _declared(lambda: parse_head(text), StoreError)


def _declared(work: object, error: type[Exception]) -> object:
    assert callable(work)
    try:
        return work()
    except error:
        return None


def _events(body: bytes) -> None:
    try:
        events = decode_events(body)
    except EventDecodeError:
        return
    require(decode_events(encode_events(events)) == events, "written again, other events")
    for event in events:
        weight(event)
    for line in transcript(HEADER, events):
        require("\x1b" not in line and "\n" not in line, "a transcript that acts on a terminal")
    times = [0, *(event.at_us for event in events), SECONDS_MAX * 1_000_000]
    if times != sorted(times):
        return  # no recorder writes these, and no asciicast holds them
    for version in (2, 3):
        cast = read_cast(b"".join(write_cast(HEADER, events, version=version)))
        require(cast.version == version, "not the version that was asked for")


def _cast(body: bytes) -> None:
    try:
        cast = read_cast(body)
    except CastDecodeError:
        return
    require(cast.cols > 0 and cast.rows > 0, "a screen without size")


def _mutate(data: bytes, rng: Random, havoc: Havoc) -> bytes:
    if data[:1] == bytes([CAST]):
        return data[:1] + mutation.lines(('[1.0, "o", "x"]', "-1", "1e999", "[]", "{}", "#", "NaN", "true"))(
            data[1:], rng, havoc
        )
    return data[:1] + havoc(data[1:] or b"\0")


RECORDING = Target(
    name="recording",
    feeds="events, asciicasts, seals, key sets and chain heads as a reader of evidence is given them",
    run=recording,
    seeds=_seeds,
    mutate=_mutate,
)
