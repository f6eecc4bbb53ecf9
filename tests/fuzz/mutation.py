"""Alter inputs so that their form survives: parts, SSH strings within strings, lines, JSON values.

In      bytes, a seeded Random, and a `havoc` that alters bytes blindly (the engine's, or `blind` here)
Out     bytes
Source  RFC 4251 section 5 (strings)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.fuzz.target import Havoc, Mutate

PART_BYTES = 0xFFFF
MOST_PARTS = 48
NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)

Part = tuple[int, bytes]


def pack(parts: Sequence[Part]) -> bytes:
    """Return parts as one input: of each a byte that says what it is, two of length, its body."""
    return b"".join(
        bytes([kind]) + len(body[:PART_BYTES]).to_bytes(2, "big") + body[:PART_BYTES] for kind, body in parts
    )


def unpack(data: bytes) -> list[Part]:
    """Return the parts of any bytes; the last takes what there is."""
    parts: list[Part] = []
    while len(data) >= 3 and len(parts) < MOST_PARTS:
        length = int.from_bytes(data[1:3], "big")
        parts.append((data[0], data[3 : 3 + length]))
        data = data[3 + length :]
    return parts


def blind(rng: Random) -> Havoc:
    """Return a havoc for where there is no engine: a few bytes changed, put in, doubled or taken out."""

    def havoc(data: bytes) -> bytes:
        altered = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 4))):
            at = rng.randint(0, len(altered))
            upto = min(len(altered), at + rng.choice((1, 1, 2, 4, 16)))
            match rng.randrange(5):
                case 0:
                    altered[at:upto] = rng.randbytes(upto - at)
                case 1:
                    altered[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8)))
                case 2:
                    del altered[at:upto]
                case 3:
                    altered[at:at] = altered[at:upto] * rng.choice((1, 2, 8))
                case _:
                    altered[at:upto] = rng.choice(NUMBERS).to_bytes(4, "big")
        return bytes(altered)

    return havoc


def parts(inner: Mutate, kinds: Sequence[int], spare: Sequence[Part] = ()) -> Mutate:
    """Return a mutation of inputs made of parts: mostly of one part's body, else of their order and number."""

    def mutate(data: bytes, rng: Random, havoc: Havoc) -> bytes:
        made = unpack(data) or list(spare[:1])
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            at = rng.randrange(len(made)) if made else 0
            match rng.randrange(10):
                case 0 if made:
                    made[at] = (rng.choice(kinds), made[at][1])
                case 1 if made:
                    del made[at]
                case 2 if made:
                    made.insert(rng.randint(0, len(made)), made[at])
                case 3 if spare:
                    made.insert(at, rng.choice(spare))
                case 4 if len(made) > 1:
                    other = rng.randrange(len(made))
                    made[at], made[other] = made[other], made[at]
                case _ if made:
                    made[at] = (made[at][0], inner(made[at][1], rng, havoc))
        return pack(made[:MOST_PARTS])

    return mutate


def strings(data: bytes, rng: Random, havoc: Havoc) -> bytes:
    """Alter one SSH string somewhere, its length put right; or a number; or bytes anywhere."""
    choice = rng.randrange(8)
    found = _string_places(data)
    if choice == 0 or not found:
        return havoc(data) if data else b"\0"
    at, length = rng.choice(found)
    body = data[at + 4 : at + 4 + length]
    if choice == 1:  # a length that lies
        return data[:at] + rng.choice(NUMBERS).to_bytes(4, "big") + data[at + 4 :]
    if choice == 2:
        body = b""
    elif choice == 3:
        other, more = rng.choice(found)
        body = data[other + 4 : other + 4 + more]
    elif choice == 4:
        body = body * 2
    elif _string_places(body) and rng.randrange(2):
        body = strings(body, rng, havoc)
    else:
        body = havoc(body) if body else b"\0"
    return data[:at] + len(body).to_bytes(4, "big") + body + data[at + 4 + length :]


def _string_places(data: bytes) -> list[tuple[int, int]]:
    places = []
    for at in range(min(len(data) - 3, 600)):
        length = int.from_bytes(data[at : at + 4], "big")
        if 0 < length <= len(data) - at - 4:
            places.append((at, length))
    return places


def lines(words: Sequence[str]) -> Mutate:
    """Return a mutation of text: lines doubled, moved, taken out; one word put in another's place."""

    def mutate(data: bytes, rng: Random, havoc: Havoc) -> bytes:
        made = data.split(b"\n")
        at = rng.randrange(len(made))
        word = rng.choice(words).encode("utf-8", "surrogatepass")
        match rng.randrange(8):
            case 0:
                del made[at]
            case 1:
                made.insert(rng.randint(0, len(made)), made[at])
            case 2:
                made[at] = word
            case 3 | 4:
                key, equals, _ = made[at].partition(b"=")
                made[at] = key + equals + word
            case 5:
                made[at] = havoc(made[at] or b"\0")
            case 6:
                cut = rng.randint(0, len(made[at]))
                made[at] = made[at][:cut] + word + made[at][cut:]
            case _:
                return havoc(data or b"\0")
        return b"\n".join(made)

    return mutate


def json_values(words: Sequence[Any], names: Sequence[str]) -> Mutate:
    """Return a mutation of a JSON text: a value replaced, a name added, doubled or taken out; or bytes."""

    def mutate(data: bytes, rng: Random, havoc: Havoc) -> bytes:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict) or rng.randrange(4) == 0:
            return havoc(data or b"\0")
        _alter(value, words, names, rng)
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
        if rng.randrange(8) == 0 and len(text) > 2:  # a name that is there twice
            text = f"{text[:-1]}, {json.dumps(rng.choice(names))}: {json.dumps(rng.choice(words))}}}"
        return text.encode("utf-8", "surrogatepass")

    return mutate


def _alter(table: dict[str, Any], words: Sequence[Any], names: Sequence[str], rng: Random) -> None:
    inner = [value for value in table.values() if isinstance(value, dict)]
    if isinstance(table.get("keys"), list):
        inner += [value for value in table["keys"] if isinstance(value, dict)]
    if inner and rng.randrange(2):
        _alter(rng.choice(inner), words, names, rng)
        return
    name = rng.choice([*table, *names])
    match rng.randrange(5):
        case 0:
            table.pop(name, None)
        case 1:
            table[name] = [table.get(name), rng.choice(words)]
        case 2:
            table[name] = {rng.choice(names): table.get(name)}
        case _:
            table[name] = rng.choice(words)
