"""Say which channels want to be told of a notice.

In      the filter of a channel; a notice; the groups that the configuration gives its identity
Out     yes or no
"""

from __future__ import annotations

from collections.abc import Iterable

from bastion.notices.notice import Notice
from bastion.settings import NotifyFilter
from policies.pattern import Patterns


class Wanted:
    """One channel's filter, compiled."""

    def __init__(self, tells: NotifyFilter) -> None:
        self._tells = tells
        self._groups = Patterns(tells.groups) if tells.groups else None
        self._identities = Patterns(tells.identities) if tells.identities else None
        self._targets = Patterns(tells.targets) if tells.targets else None

    def has(self, notice: Notice, declared: Iterable[str]) -> bool:
        """Say whether the channel is told; `declared` are groups of the identity beside those in the notice."""
        tells = self._tells
        if not tells.events.intersection(notice.kinds):
            return False
        asked = notice.hold["groups"] if notice.hold else ()
        if asked and tells.approvers and not tells.approvers.intersection(asked):
            return False
        if self._groups is not None and not any(map(self._groups.has, {*declared, *notice.groups})):
            return False
        if self._identities is not None and not self._identities.has(notice.identity):
            return False
        return self._targets is None or self._targets.has(notice.target)
