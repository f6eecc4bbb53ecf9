"""Make detectors of values that are known: masked exactly, and in the forms in which programs write them.

In      the value's bytes, at least LEAST_BYTES of them
Out     Detector `known-value`, whose pattern is the value as it is, in base64, hex, URL and JSON escapes
Errors  ValueError for a value that is too short to be told from other text; its text never holds the value
Source  RFC 4648 sections 4, 5 and 8; RFC 3986 section 2.1; RFC 8259 section 7
"""

from __future__ import annotations

import base64
import json

from policies.masking.detector import Detector, Kind

LEAST_BYTES = 6
NAME = "known-value"


def known_value(value: bytes) -> Detector:
    """Return what finds this value; it is held in memory for as long as the detector is."""
    if len(value) < LEAST_BYTES:
        raise ValueError(f"a known value of {len(value)} bytes, expected {LEAST_BYTES} or more")
    forms = [_literal(form) for form in (value, *_in_base64(value), *_in_json(value))]
    forms += [_in_hex(value), _in_url(value)]
    return Detector(
        name=NAME,
        kind=Kind.SECRET,
        title="Value that the operator, or the bastion itself, has named",
        pattern=f"(?P<v>{'|'.join(dict.fromkeys(forms))})",
        matches=(),
        wraps=True,
        source="the configuration",
        rank=1,
    )


def _in_base64(value: bytes) -> list[bytes]:
    """Return what is the same of the value's base64 wherever it begins in what is encoded, in both alphabets."""
    found = []
    for before in range(3):
        text = base64.b64encode(b"\0" * before + value)
        first = (before * 8 + 5) // 6
        whole = (before + len(value)) * 8 // 6
        core = text[first:whole]
        found += [core, core.translate(bytes.maketrans(b"+/", b"-_"))]
    return found


def _in_json(value: bytes) -> list[bytes]:
    text = value.decode("utf-8", "surrogateescape")
    if not text.isprintable() and "\n" not in text:
        return []
    plain = json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "surrogateescape")
    return [plain, plain.replace(b"/", b"\\/"), json.dumps(text)[1:-1].encode()]


def _in_hex(value: bytes) -> str:
    return f"(?i:{'[: ]?'.join(f'{byte:02x}' for byte in value)})"


def _in_url(value: bytes) -> str:
    """Return the value with any of its characters escaped, letters and digits too."""
    return "".join(
        f"(?:{_literal(bytes([byte]))}|%{_any_case(f'{byte:02x}')}{'|[+]' if byte == 0x20 else ''})"
        for byte in value
    )


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


def _literal(value: bytes) -> str:
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\x{byte:02x}" for byte in value)
