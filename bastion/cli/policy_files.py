"""Read the policy files that a command line names, and turn what is wrong with them into an operator's error.

In      names: paths, or `library:NAME`
Out     Policy
Errors  OperatorError, a line for each problem
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bastion.errors import OperatorError
from policies.document import parse_policy
from policies.engine import Policy
from policies.errors import PolicyError, PolicyInvalidError, PolicyUnreadableError
from policies.problem import Problem
from policies.source import Source, read_source


@contextmanager
def operators_errors() -> Iterator[None]:
    """Turn what is wrong with a policy into what an operator must put right."""
    try:
        yield
    except PolicyError as error:
        raise OperatorError(str(error)) from error


def read_policies(names: Iterable[str]) -> tuple[Policy | None, list[str]]:
    """Return the policy that the files make together, or None; and all that is wrong with them."""
    sources: list[Source] = []
    problems: list[str | Problem] = []
    for name in dict.fromkeys(names):
        try:
            sources.append(read_source(name, Path()))
        except PolicyUnreadableError as error:
            problems.append(str(error))
    policy: Policy | None = None
    try:
        policy = parse_policy(sources)
    except PolicyInvalidError as error:
        problems += error.problems
    return (None if problems else policy), [str(problem) for problem in problems]


def policy_of(names: Iterable[str]) -> Policy:
    """Return the policy that the files make together; raise OperatorError."""
    policy, problems = read_policies(names)
    if policy is None:
        raise OperatorError("\n".join(problems))
    return policy
