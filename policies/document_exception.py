"""Lay out [[exception]]: what masks let pass after all, and count.

In      the `exception` tables of a policy file
Out     policies.masking.exception.MaskException
Errors  pydantic.ValidationError, which document.py puts into words
Source  docs/masking.md, "Exceptions"
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from policies.document_table import Table
from policies.document_when import OneOrMore, RuleId, WhenTable, frozen, one_line
from policies.masking.exception import MaskException
from policies.masking.plan import chosen


def _hash(text: str) -> str:
    from policies.masking.hashed import length_of

    length_of(text)
    return text


class ExceptionTable(Table):
    """What masks let pass after all. Exactly one of `values` and `reads` says what that is; it counts as passed."""

    id: RuleId = Field(
        description="Its name; unique over all policy files.", examples=["the-card-of-our-tests"]
    )
    when: WhenTable = Field(
        default=WhenTable(), description="For whom and where; left out, for everybody everywhere."
    )
    kinds: OneOrMore | None = Field(
        default=None,
        description="Kinds of detectors whose finds pass: secrets, personal.",
        examples=[["personal"]],
    )
    detectors: OneOrMore | None = Field(
        default=None, description="Detectors whose finds pass.", examples=[["payment-card"]]
    )
    values: Annotated[list[Annotated[str, AfterValidator(_hash)]], Field(min_length=1)] | None = Field(
        default=None,
        description="Values that pass, each as `bastion hash-value` prints it: the policy does not have the value.",
        examples=[["16:5f0c0ab5a5f7ae92c31c5b0c7a3f1d2e"]],
    )
    reads: OneOrMore | None = Field(
        default=None,
        description="Files whose contents pass where a command prints them and surely nothing else: `cat`, `head`, "
        "`nl`, `tac` or `tail` alone, all words literal.",
        examples=[["glob:/srv/docs/**"]],
    )
    reason: Annotated[str, AfterValidator(one_line)] = Field(default="", description="Why, in one line.")

    @model_validator(mode="after")
    def _is_one(self) -> ExceptionTable:
        if (self.values is None) == (self.reads is None):
            got = "neither" if self.values is None else "both"
            raise ValueError(f"got {got}, expected exactly one of values and reads")
        if self.kinds is None and self.detectors is None:
            raise ValueError("got neither kinds nor detectors, expected what passes to be named")
        chosen(self.kinds, self.detectors)
        return self

    def exception(self) -> MaskException:
        """Return the exception that this table says."""
        return MaskException(
            id=self.id,
            when=self.when.when(),
            detectors=chosen(self.kinds, self.detectors),
            values=frozenset(self.values or ()),
            reads=frozen(self.reads) or (),
        )
