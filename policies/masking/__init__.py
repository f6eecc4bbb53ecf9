"""Mask secrets and personal data in streams: detectors, and a redactor that any bytes may pass, in any pieces.

`open_redactor` returns the redactor of one stream; catalogue.py lists the detectors; docs/masking.md says the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policies.masking.action import Action, ActionKind
from policies.masking.catalogue import DETECTORS, choose, compiled
from policies.masking.detector import Detector, Kind
from policies.masking.errors import DetectorFault, DetectorInvalid, MaskingError
from policies.masking.finder import Finder
from policies.masking.redactor import HOLD_BACK, IDLE_CHARACTERS, Hit, Masked, Redactor


def open_redactor(
    *,
    key: bytes,
    kinds: Iterable[str] | None = None,
    detectors: Iterable[str] | None = None,
    actions: Mapping[str, Action] | None = None,
) -> Redactor:
    """Return the redactor of one stream; `key` makes the digests of the action `hash`."""
    return Redactor(Finder(compiled(choose(kinds, detectors))), key=key, actions=actions)


__all__ = [
    "DETECTORS",
    "HOLD_BACK",
    "IDLE_CHARACTERS",
    "Action",
    "ActionKind",
    "Detector",
    "DetectorFault",
    "DetectorInvalid",
    "Hit",
    "Kind",
    "Masked",
    "MaskingError",
    "Redactor",
    "choose",
    "open_redactor",
]
