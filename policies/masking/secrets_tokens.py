"""Declare what the families of token detectors share: a prefix that nothing else has, then so many characters.

In      a name, a title, the pattern of the token itself, samples
Out     Detector
"""

from __future__ import annotations

from collections.abc import Callable

from policies.masking.detector import Detector, Kind

# What may stand before a token: no letter, digit or underscore, unless it ends an escape of JSON or of a URL.
EDGE = r"(?:\b|\\[nrtbf]|%[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2})"
HEX32 = "[0-9a-f]{32}"
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def token(
    name: str,
    title: str,
    pattern: str,
    *samples: str,
    misses: tuple[str, ...] = (),
    source: str = "",
    rank: int = 10,
    check: Callable[[bytes], bool] | None = None,
    gate: str = "",
    lead: str = "",
) -> Detector:
    """Return the detector of a token.

    One whose beginning is unmistakable may go on after a line end; the others have their mark in the middle (`gate`),
    after characters of the class `lead`.
    """
    return Detector(
        name=name,
        kind=Kind.SECRET,
        title=title,
        pattern=f"{EDGE}(?P<v>{pattern})",
        matches=tuple(
            form for sample in samples for form in (sample, f'"key": "{sample}",', f"x={sample}&y=1")
        ),
        misses=misses,
        wraps=not gate,
        check=check,
        gate=gate,
        lead=lead,
        source=source,
        rank=rank,
    )
