"""Whose the input is behind a program that may read it: the shell's only if a rule says so (L3, L4)."""

from __future__ import annotations

import pytest

from policies.document import parse_policy
from policies.model import Verdict
from policies.shell import quick
from policies.source import Source

HOLD = '\n[[rule]]\nid = "look"\nverdict = "approve"\nmatch = [{ argv = ["./x"] }]\napprovers = { groups = ["ops"] }\n'


def judged(statement: str, *entries: str, more: str = "") -> Verdict:
    text = f'[[rule]]\nid = "r"\nverdict = "allow"\nmatch = [{", ".join(entries)}]\n{more}'
    return parse_policy([Source(label="policy.toml", text=text)]).judge_alone(quick(statement))


@pytest.mark.parametrize(
    ("statement", "entries", "stays"),
    [
        ("./x", ['{ argv = ["./x"] }'], False),
        ("./x", ['{ argv = ["./x"], flags = "may_read_stdin" }'], True),
        ("./x", ['{ argv = ["./x"] }', '{ flags = "may_read_stdin" }'], True),
        ("./x; ./y", ['{ argv = ["./x"], flags = "may_read_stdin" }', '{ argv = ["./y"] }'], False),
        ("sudo ./x", ['{ argv = ["sudo", "./x"], flags = "may_read_stdin" }'], True),
        ("sudo ./x", ['{ argv = ["sudo", "./x"] }'], False),
        ("./x < /dev/null", ['{ argv = ["./x"] }'], True),
        ("uptime", ['{ argv = ["uptime"] }'], True),
    ],
)
def test_l3_input_stays_the_shells_behind_what_may_read_it_only_by_a_rule(
    statement: str, entries: list[str], stays: bool
) -> None:
    verdict = judged(statement, *entries)
    assert (verdict.allowed, verdict.input_stays) == (True, stays)


def test_an_allow_without_match_grants_that_as_well() -> None:
    text = '[[rule]]\nid = "all"\nverdict = "allow"\n'
    assert parse_policy([Source(label="policy.toml", text=text)]).judge_alone(quick("./x")).input_stays


@pytest.mark.parametrize("flags", [', flags = "may_read_stdin"', ""])
def test_l3_a_statement_that_waited_for_people_is_no_exception(flags: str) -> None:
    verdict = judged("./x", f'{{ argv = ["./x"]{flags} }}', more=HOLD)
    assert (verdict.held, verdict.input_stays) == (True, bool(flags))
