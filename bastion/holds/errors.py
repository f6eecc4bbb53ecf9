"""Name what can be wrong with a question or an answer.

Refused
├── CannotHold       the statement cannot wait: too many do, or it is too long to be judged by eye
└── AnswerRefused    a person's answer has no effect: who they are, or how the hold stands
"""

from __future__ import annotations

from bastion.errors import Refused


class CannotHold(Refused):
    """A statement cannot wait for an approval."""

    code = "cannot-hold"


class AnswerRefused(Refused):
    """An answer without effect."""

    code = "answer-refused"
