"""The shipped policies: every rule says why, and has cases that hold (T31, T32, T34, T35)."""

import tomllib
from importlib import resources
from pathlib import Path

import pytest

from policies import cases
from policies.document import parse_policy
from policies.model import Rule
from policies.source import library_names, read_source

NAMES = library_names()
WITH_CASES = ("baseline", "deploy-only", "read-only", "strict")
SUITES = {suite.policy.removeprefix("library:"): suite for suite in cases.library_suites()}


def rules(name: str) -> tuple[Rule, ...]:
    return parse_policy([read_source(f"library:{name}", Path())]).rules


@pytest.mark.parametrize("name", NAMES)
def test_rules_carry_the_name_of_their_file_and_say_why(name: str) -> None:
    for rule in rules(name):
        assert rule.id.startswith(f"{name}.")
        assert rule.reason


@pytest.mark.parametrize("name", WITH_CASES)
def test_rules_that_deny_have_a_severity_and_a_technique(name: str) -> None:
    for rule in rules(name):
        assert rule.allows or (rule.severity and rule.attack), rule.id


@pytest.mark.parametrize("name", WITH_CASES)
def test_every_rule_has_a_case(name: str) -> None:
    file = resources.files("policies").joinpath("library", "cases", f"{name}.toml")
    tried = {
        rule for case in tomllib.loads(file.read_text("utf-8"))["case"] for rule in case.get("rules", ())
    }
    assert {rule.id for rule in rules(name)} - tried <= {"read-only.download-logs"}


@pytest.mark.parametrize("name", WITH_CASES)
def test_t31_t32_t34_t35_cases_of_the_library_hold(name: str) -> None:
    failed = [result for result in cases.run(SUITES[name]) if not result.passed]
    assert not failed
