"""Name what can be wrong with policy files; in each case the operator must act.

PolicyError
├── PolicyUnreadableError   a file cannot be read, or there is no shipped policy of that name
└── PolicyInvalidError      the text is not TOML or not rules; `problems` has every place
"""

from __future__ import annotations

from collections.abc import Sequence

from policies.problem import Problem


class PolicyError(Exception):
    """Root of this package's errors; `code` is stable and `public` may be shown to a peer."""

    code = "policy"
    public = "the policy cannot be used"


class PolicyUnreadableError(PolicyError):
    """A policy file cannot be read, or no shipped policy has this name; the text says which and why."""

    code = "policy-unreadable"


class PolicyInvalidError(PolicyError):
    """Policy text says something that it may not; `problems` lists every place, in order."""

    code = "policy-invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
