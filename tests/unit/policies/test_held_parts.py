"""What a rule has matched of a statement is named, bounded, and never what it has not matched."""

from __future__ import annotations

from typing import Any

from policies.engine import Policy
from policies.facts import Facts, Flag
from policies.held_parts import MAX_PARTS, Part, held_parts
from policies.model import Match, Rule, VerdictKind
from policies.shell import quick


def parts(facts: Facts, *matches: Match) -> tuple[Part, ...]:
    rule = Rule(id="asks", verdict=VerdictKind.APPROVE, match=matches or None)
    return held_parts(Policy(rules=(rule,)), facts, ["asks"])


def said(statement: str, **match: Any) -> list[str]:
    return [part.said for part in parts(quick(statement.encode()), Match(**match))]


def test_the_commands_that_a_rule_speaks_of_and_no_other() -> None:
    text = "cd /srv && sudo rm -rf /srv/orders; echo done"
    assert said(text, program=("rm",)) == ["rm -rf /srv/orders"]
    (found,) = parts(quick(text.encode()), Match(program=("rm",)))
    assert found.words == ("rm", "-rf", "/srv/orders")


def test_files_hosts_flags_definitions_and_text() -> None:
    text = "PATH=/tmp tee /etc/motd < /etc/shadow; ssh db-1 true"
    assert said(text, writes=("glob:/etc/*",)) == ["writing /etc/motd"]
    assert said(text, reads=("/etc/shadow",)) == ["reading /etc/shadow"]
    assert said(text, contacts=("glob:db-*",)) == ["contacting db-1"]
    assert said(text, defines=("PATH",)) == ["setting PATH"]
    assert said(text, text=("glob:*shadow*",)) == ["its text"]
    (opaque,) = said("$x", flags=frozenset({Flag.OPAQUE}))
    assert opaque.startswith("opaque: ")


def test_what_is_known_when_it_runs_is_named_so() -> None:
    assert said("rm $x", program=("rm",)) == ["rm <$x: known when it runs>"]


def test_an_operation_on_files_is_named() -> None:
    upload = Facts(statement="upload /srv/x", operation="upload")
    assert [part.said for part in parts(upload, Match(operation=frozenset({"upload"})))] == [
        "the operation upload"
    ]


def test_a_rule_that_speaks_of_all_or_not_of_this_names_nothing() -> None:
    assert parts(quick(b"true")) == ()
    assert said("true", program=("rm",)) == []


def test_l11_there_is_a_bound_and_that_there_are_more_is_said() -> None:
    many = said("; ".join(f"rm /srv/{number}" for number in range(100)), program=("rm",))
    assert len(many) == MAX_PARTS + 1
    assert many[-1] == "and more"
