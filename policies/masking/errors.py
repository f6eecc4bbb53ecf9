"""Name what can be wrong with masking.

MaskingError
├── DetectorInvalid    the operator: a detector is not sound, or fails its own examples
└── DetectorFault      us: a detector threw while it judged a value
"""

from __future__ import annotations


class MaskingError(Exception):
    """Root; `code` is stable and `public` may be shown to a peer."""

    code = "masking"
    public = "masking cannot be relied on"


class DetectorInvalid(MaskingError):
    """A detector cannot be used; the text names it, its key and the example."""

    code = "detector-invalid"

    def __init__(self, detector: str, key: str, message: str) -> None:
        super().__init__(f"detector {detector}: {key}: {message}")
        self.detector, self.key = detector, key


class DetectorFault(MaskingError):
    """A detector threw; its text never holds the value."""

    code = "detector-fault"

    def __init__(self, detector: str, error: BaseException) -> None:
        super().__init__(f"detector {detector} failed: {type(error).__name__}")
        self.detector = detector
