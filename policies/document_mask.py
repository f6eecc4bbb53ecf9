"""Lay out [[mask]]: what is masked, for whom and where, and what becomes of it.

Source  docs/masking.md
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict, model_validator

from policies.document_table import Table
from policies.document_when import OneOrMore, RuleId, WhenTable
from policies.masking.action import MAX_EDGE, Action, ActionKind
from policies.masking.plan import MaskRule, Unreadable, chosen

Edge = Annotated[int, Field(ge=0, le=MAX_EDGE)]


class MaskTable(Table):
    """What is masked. Several may speak of one detector: the strictest action counts."""

    id: RuleId = Field(
        description="Its name in records; unique over all policy files.", examples=["no-secrets-to-bots"]
    )
    when: WhenTable = Field(
        default=WhenTable(), description="For whom and where; left out, for everybody everywhere."
    )
    kinds: OneOrMore | None = Field(
        default=None, description="Kinds of detectors: secrets, personal.", examples=[["secrets"]]
    )
    detectors: OneOrMore | None = Field(
        default=None, description="Detectors by name.", examples=[["aws-access-key"]]
    )
    action: Annotated[ActionKind, Strict(False)] = Field(
        default=ActionKind.REDACT,
        description="What becomes of what is found: redact (its detector's name stands there), partial (its edges "
        "stay), hash (a keyed digest: equal values stay equal within a session), detect (it passes, and is counted).",
    )
    first: Edge = Field(default=0, description="With partial: how many characters stay at the beginning.")
    last: Edge = Field(default=MAX_EDGE, description="With partial: how many characters stay at the end.")
    spool: bool = Field(
        default=False,
        description="Files that go out by sftp or scp are looked through from end to end before any of them is let go "
        "of; else a file is stopped where something begins that must not pass.",
    )
    unreadable: Unreadable = Field(
        default="count",
        description="What becomes of files that go out and cannot be read (compressed, encrypted, archives, office "
        "files; all of rsync and git): count (as unread, not as clean), deny.",
    )

    @model_validator(mode="after")
    def _known(self) -> MaskTable:
        chosen(self.kinds, self.detectors)
        edges = {"first", "last"} & self.model_fields_set
        if edges and self.action is not ActionKind.PARTIAL:
            raise ValueError(
                f'{min(edges)} is set where no edge stays, expected it with action = "partial" only'
            )
        return self

    def rule(self) -> MaskRule:
        """Return the rule that this table says."""
        return MaskRule(
            id=self.id,
            when=self.when.when(),
            detectors=chosen(self.kinds, self.detectors),
            action=Action(kind=self.action, first=self.first, last=self.last),
            spool=self.spool,
            unreadable=self.unreadable,
        )
