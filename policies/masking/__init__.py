"""Mask secrets and personal data in streams: detectors, and a redactor that any bytes may pass, in any pieces.

`open_redactor` returns the redactor of one stream; catalogue.py lists the detectors; docs/masking.md says the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policies.masking.action import Action, ActionKind
from policies.masking.catalogue import DETECTORS, choose, compiled, compiled_with
from policies.masking.detector import Detector, Kind
from policies.masking.errors import DetectorFault, DetectorInvalid, MaskingError
from policies.masking.finder import Finder
from policies.masking.known import known_value
from policies.masking.redactor import HOLD_BACK, IDLE_CHARACTERS, Hit, Masked, Redactor


def open_redactor(
    *,
    key: bytes,
    kinds: Iterable[str] | None = None,
    detectors: Iterable[str] | None = None,
    known: Iterable[bytes] = (),
    actions: Mapping[str, Action] | None = None,
) -> Redactor:
    """Return the redactor of one stream; `key` makes the digests of the action `hash`.

    `known` values are masked whatever is chosen. Where there are many streams, make one Finder for all of them.
    """
    return Redactor(open_finder(kinds=kinds, detectors=detectors, known=known), key=key, actions=actions)


def open_finder(
    *, kinds: Iterable[str] | None = None, detectors: Iterable[str] | None = None, known: Iterable[bytes] = ()
) -> Finder:
    """Return what finds these, for any number of streams; it takes about a second to make."""
    names, values = choose(kinds, detectors), sorted(set(known))
    return Finder(compiled_with(names, map(known_value, values)) if values else compiled(names))


__all__ = [
    "DETECTORS",
    "HOLD_BACK",
    "IDLE_CHARACTERS",
    "Action",
    "ActionKind",
    "Detector",
    "DetectorFault",
    "DetectorInvalid",
    "Finder",
    "Hit",
    "Kind",
    "Masked",
    "MaskingError",
    "Redactor",
    "choose",
    "open_finder",
    "open_redactor",
]
