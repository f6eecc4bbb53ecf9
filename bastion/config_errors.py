"""Name what can be wrong with a configuration.

OperatorError
└── ConfigError     the operator must act: `problems` lists every mistake (file, key, message)
"""

from __future__ import annotations

from collections.abc import Sequence

from bastion.errors import OperatorError
from policies.problem import Problem


class ConfigError(OperatorError):
    """The configuration cannot be used; its text has one line for each problem."""

    code = "config"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(
            "\n".join(str(problem) for problem in problems), public="the bastion's configuration has mistakes"
        )
        self.problems = tuple(problems)
