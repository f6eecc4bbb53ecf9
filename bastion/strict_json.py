"""Read JSON that every reader would read alike, and show any value so that it acts on nobody.

In      bytes of an outsider: a token's parts, a key set, a discovery document
Out     dict; or short ASCII text
Errors  ValueError, whose text says what is not strict
Source  RFC 8259 sections 4, 6 and 8; RFC 8725 section 2.6
"""

from __future__ import annotations

import json
import math
from typing import Any

SHOWN_CHARS = 120


def shown(value: object) -> str:
    """Return a value as short ASCII JSON, so that no character of it acts on a terminal or fills a log."""
    text = json.dumps(value, ensure_ascii=True, default=str).replace("\x7f", "\\u007f")
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 3] + "..."


def read_object(body: bytes) -> dict[str, Any]:
    """Return one JSON object of UTF-8; raise ValueError on duplicate names, NaN, infinity or lone surrogates.

    RFC 8259 leaves these open and parsers differ in them, which is how two readers come to see two tokens.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_number,
            parse_float=_finite,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeError:
        raise ValueError("not UTF-8") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {shown(twice)} appears twice")
    return table


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
