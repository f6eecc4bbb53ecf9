"""Make a stream of a megabyte of logs with secrets all over: each example of each detector, in each way to write it.

In      the detectors' own examples
Out     the stream, and where each value lies that must not come through
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from policies.masking import DETECTORS, Detector, Hit, choose
from policies.masking.catalogue import compiled
from policies.masking.compiled import Compiled
from policies.masking.finder import Finder
from policies.masking.redactor import Redactor
from tests.bench.redact import ordinary_logs

STREAM_BYTES = 1 << 20

PREFIXES = ("", "  ", "Nov 24 02:11:01 web-1 app[12]: ", "\x1b[31merror\x1b[0m ", "\xe9t\xe9 ", "\x00 ")
SUFFIXES = ("\n", "\r\n", " ok\n", "\x1b[0m\n", " \n\n")

# Ways in which a value stands; {} is the value.
FORMATS = {
    "assignment": "export APP_SETTING={}\n",
    "quoted": "app_setting = '{}'\n",
    "json": '{{"id": 17, "setting": "{}", "on": true}}\n',
    "yaml": "  setting: {}\n  on: true\n",
    "url": "GET https://api.example.com/v1/items?page=2&setting={}&on=1 200\n",
    "header": "X-App-Setting: {}\r\n",
    "table": " 17 | {} | t\n",
    "csv": "17,{},t\n",
    "colour": "\x1b[36msetting\x1b[0m=\x1b[32m{}\x1b[0m\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One value in the stream: where it lies, whose it is, and how it is written."""

    start: int
    end: int
    detector: str
    form: str


def values(detector: Detector) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each example of a detector, and the span of what is masked in it."""
    if not detector.pattern:  # it goes over lines: what it masks is told by the whole of them
        for text in detector.matches:
            _out, (hit, *_) = _masked(text.encode())
            start = sum(len(line) for line in text.splitlines(keepends=True)[: hit.line - 1]) + hit.column - 1
            yield text, (start, start + hit.length)
        return
    only = Compiled([detector], {})
    for text in detector.matches:
        raw = text.encode()
        spans = [only.confirm(number, raw, start, len(raw)) for number, start in only.scan(raw)]
        start, end = next(span for span in spans if span is not None)
        yield text, (len(raw[:start].decode()), len(raw[:end].decode()))


def _masked(data: bytes) -> tuple[bytes, list[Hit]]:
    stream = Redactor(Finder(compiled(choose())), key=b"planted")
    begin, end = stream.feed(data), stream.finish()
    return bytes(begin.out + end.out), begin.hits + end.hits


def stands_alone(detector: Detector, text: str, span: tuple[int, int]) -> bool:
    """Say whether an example is nothing but its value, which may stand anywhere."""
    return bool(detector.pattern) and span == (0, len(text)) and "\n" not in text


def planted(size: int = STREAM_BYTES, seed: int = 7) -> tuple[bytes, list[Planted]]:
    """Return a stream of about so many bytes, always the same for a seed, and what must not come through."""
    chance = random.Random(seed)
    ways: list[tuple[Detector, str, tuple[int, int], str]] = []
    for detector in DETECTORS:
        for text, span in values(detector) if detector.default else ():
            ways.append((detector, text, span, "as it is"))
            if stands_alone(detector, text, span):
                ways += [(detector, text, span, form) for form in FORMATS]
    chance.shuffle(ways)
    stream = bytearray()
    places: list[Planted] = []
    between = ordinary_logs(size).splitlines(keepends=True)
    for number, (detector, text, span, form) in enumerate(ways):
        _plant(stream, places, chance, detector, text, span, form)
        if detector.pattern:  # a table goes on to its end, a key to its own
            while between and len(stream) < size * (number + 1) // len(ways):
                stream += between.pop()
    return bytes(stream), places


def _plant(
    stream: bytearray,
    places: list[Planted],
    chance: random.Random,
    detector: Detector,
    text: str,
    span: tuple[int, int],
    form: str,
) -> None:
    start, end = span
    if form == "as it is":
        alone = not detector.pattern or "^" in detector.pattern[:5] or detector.pattern.endswith("$")
        before = "" if alone else chance.choice(PREFIXES)
        after = "\n" if alone else chance.choice(SUFFIXES)
    else:
        before, after = FORMATS[form].replace("{{", "{").replace("}}", "}").split("{}")
    stream += before.encode() + text[:start].encode()
    value = text[start:end].encode()
    places.append(Planted(start=len(stream), end=len(stream) + len(value), detector=detector.name, form=form))
    stream += value + text[end:].encode() + after.encode()
