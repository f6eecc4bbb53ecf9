"""Describe who may approve what a rule holds.

In      the `approvers` table of a rule
Out     policies.model.Approvers
Errors  pydantic.ValidationError, which document.py puts into words
Source  docs/approvals.md
"""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from policies.document_table import Table, listed
from policies.duration import DAY_S, parse_duration
from policies.model import Approvers
from policies.problem import shown

MAX_COUNT = 9

_GROUP = re.compile(r"(?:[a-z0-9-]{1,64}/)?[^\s/][^/]{0,255}")


def _group(text: str) -> str:
    if not _GROUP.fullmatch(text) or not text.isprintable():
        raise ValueError(f'got {shown(text)}, expected a group of persons such as "dba"')
    return text


def _written(default: str) -> Any:
    """Return a default as the file would have it; it is converted like what the file says."""
    return default


Groups = Annotated[
    list[Annotated[str, AfterValidator(_group)]],
    Field(min_length=1),
    BeforeValidator(listed, json_schema_input_type=str | Annotated[list[str], Field(min_length=1)]),
]
Expiry = Annotated[
    int,
    PlainValidator(partial(parse_duration, low_s=1, high_s=DAY_S), json_schema_input_type=str),
    Field(validate_default=True),
]


class ApproversTable(Table):
    """Who may approve what the rule holds. A rule that asks for approval and names nobody denies."""

    groups: Groups = Field(
        description="Groups of persons (see `[[person]]`), exactly; any of them is enough.",
        examples=[["dba"]],
    )
    count: Annotated[int, Field(ge=1, le=MAX_COUNT)] = Field(
        default=1, description="How many distinct persons must approve."
    )
    expires: Expiry = Field(
        default=_written("10m"),
        description="How long the statement waits before it is given up, 1s to 1d.",
        examples=["10m"],
    )
    self: bool = Field(
        default=False,
        description="Let the owner of the identity, and whoever triggered the run, approve as well.",
    )
    known_actor: bool = Field(
        default=False,
        description="Nobody may approve where whoever triggered the run is no declared person.",
    )
    for_session: bool = Field(
        default=False,
        description="An approver may approve the same statement for the rest of its session.",
    )

    def approvers(self) -> Approvers:
        """Return what this table says."""
        return Approvers(
            groups=tuple(dict.fromkeys(self.groups)),
            count=self.count,
            expires_s=self.expires,
            own=self.self,
            known_actor=self.known_actor,
            for_session=self.for_session,
        )
