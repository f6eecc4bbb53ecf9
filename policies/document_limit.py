"""Lay out [[limit]]: how much of the answers may pass, for whom and where, and what becomes of more.

In      the `limit` tables of a policy file
Out     policies.limit.Limit
Errors  pydantic.ValidationError, which document.py puts into words
Source  docs/masking.md, "Limits"
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, Strict, model_validator

from policies.document_approvers import ApproversTable
from policies.document_table import Table
from policies.document_when import OneOrMore, RuleId, WhenTable, one_line
from policies.limit import Limit, Measure, Per
from policies.masking.plan import chosen
from policies.model import Severity, VerdictKind
from policies.size import parse_size

Size = Annotated[int, PlainValidator(parse_size, json_schema_input_type=str | int)]
Number = Annotated[int, Field(ge=1, le=10**15)]


class LimitTable(Table):
    """How much of the answers may pass. Exactly one of `bytes`, `lines` and `hits` says what is counted."""

    id: RuleId = Field(
        description="Its name in records and to the job; unique over all policy files.",
        examples=["no-bulk-from-prod"],
    )
    when: WhenTable = Field(
        default=WhenTable(), description="For whom and where; left out, for everybody everywhere."
    )
    bytes: Size | None = Field(
        default=None,
        description="At most so many bytes, of answers and of files that are fetched.",
        examples=["50MiB"],
    )
    lines: Number | None = Field(default=None, description="At most so many lines.", examples=[10_000])
    hits: Number | None = Field(
        default=None,
        description="At most so many finds of the detectors, masked or passed.",
        examples=[20],
    )
    kinds: OneOrMore | None = Field(
        default=None,
        description="With hits: of these kinds of detectors, secrets, personal; they are looked for although no "
        "mask names them.",
        examples=[["personal"]],
    )
    detectors: OneOrMore | None = Field(
        default=None, description="With hits: of these detectors.", examples=[["payment-card", "iban"]]
    )
    per: Annotated[Per, Strict(False)] = Field(
        description="Counted over one session, or over all sessions of the identity within the last hour."
    )
    verdict: Literal["deny", "approve"] = Field(
        default="deny",
        description="What becomes of what exceeds it: the session ends before it passes, or it waits for people; "
        "an approval lets as much again pass.",
    )
    reason: Annotated[str, AfterValidator(one_line)] = Field(
        default="", description="Why, in one line; the job sees it."
    )
    severity: Annotated[Severity, Strict(False)] | None = Field(
        default=None, description="How bad it is that it is exceeded; a record and an alert say it."
    )
    approvers: ApproversTable | None = Field(
        default=None, description='Who is asked, with verdict = "approve"; without any, it denies.'
    )

    @model_validator(mode="after")
    def _is_one(self) -> LimitTable:
        given = [name for name in ("bytes", "lines", "hits") if getattr(self, name) is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none of them"
            raise ValueError(f"got {got}, expected exactly one of bytes, lines and hits")
        finders = [name for name in ("kinds", "detectors") if getattr(self, name) is not None]
        if finders and given != ["hits"]:
            raise ValueError(f"{finders[0]} is set where no hits are counted, expected it beside hits only")
        if finders:
            chosen(self.kinds, self.detectors)
        if self.approvers is not None and self.verdict != "approve":
            raise ValueError(
                'approvers is set where nobody is asked, expected it with verdict = "approve" only'
            )
        return self

    def limit(self, place: tuple[str, str]) -> Limit:
        """Return the limit that this table says; `place` is its file and key."""
        amounts = {Measure.BYTES: self.bytes, Measure.LINES: self.lines, Measure.HITS: self.hits}
        ((measure, at_most),) = ((it, amount) for it, amount in amounts.items() if amount is not None)
        return Limit(
            id=self.id,
            measure=measure,
            at_most=at_most,
            per=self.per,
            verdict=VerdictKind(self.verdict),
            when=self.when.when(),
            detectors=chosen(self.kinds, self.detectors) if measure is Measure.HITS else frozenset(),
            reason=self.reason,
            severity=self.severity,
            approvers=None if self.approvers is None else self.approvers.approvers(),
            place=place,
        )
