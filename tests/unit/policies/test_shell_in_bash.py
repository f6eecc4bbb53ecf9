"""Test the facts of shell statements against what bash runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from policies.facts import Facts, Flag
from policies.shell import analyse, doubtful, quick
from policies.shell.analyse import OWN_FAULT
from tests.oracle.claims import UNKNOWN, missing
from tests.oracle.opinions import changed, disagreement, lines
from tests.oracle.shell import Shell
from tests.oracle.trial import trial, untold

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "shell"
MISREAD = json.loads((VECTORS / "misread.json").read_text("utf-8"))
PROGRAMS = 1000
ORDINARY = [line for line in (VECTORS / "ordinary.txt").read_text("utf-8").splitlines() if line]


@pytest.fixture(scope="module", name="shell")
def _shell() -> Iterator[Shell]:
    with Shell() as shell:
        yield shell


def test_the_oracle_sees_what_runs(shell: Shell) -> None:
    program = b"m1 'a\nb' \"$(m2)\" | m3; sudo -n m4 ''; sh -c 'm5'"
    runs = shell.run(program)
    assert runs is not None
    assert {run[0] for run in runs} == {b"m1", b"m2", b"m3", b"sudo", b"m4", b"sh", b"m5"}
    assert (b"m1", b"a\nb", b"") in runs
    assert (b"m4", b"") in runs
    assert missing([analyse(program)], runs) == []
    assert missing([Facts(statement="", flags=frozenset())], runs)
    assert missing([analyse(b"m1; m2")], runs)


@pytest.mark.parametrize("vector", MISREAD, ids=[vector["why"] for vector in MISREAD])
def test_t31_what_a_parser_misread_once_is_told_now(vector: dict[str, str], shell: Shell) -> None:
    assert untold(shell, vector["program"].encode()) == []


def test_l4_no_program_runs_that_the_facts_do_not_tell_of(shell: Shell) -> None:
    figures = trial(shell, seed=20, most=PROGRAMS)
    assert figures.finds == []
    assert figures.ran > PROGRAMS // 3
    assert figures.known > figures.ran * 0.7, "most of what ran is said to be unknown, and so proves nothing"
    assert figures.unknown < figures.sampled * 0.6
    assert figures.guarded > 0, "the second parser has nothing to do"


def test_l4_what_is_not_in_doubt_is_the_same_to_the_second_parser() -> None:
    random = Random(7)
    programs = [changed(random) for _ in range(PROGRAMS)]
    assert {program: why for program in programs if (why := disagreement(program))} == {}
    assert sum(not doubtful(program) for program in programs) > PROGRAMS * 0.4, "most are in doubt anyway"


def test_a_difference_between_the_parsers_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.oracle.opinions.quick", lambda _program: analyse("m1 x"))
    assert disagreement(b"m1 y") == "two parsers find different words of m1"
    monkeypatch.undo()
    assert not disagreement(b"m1 | m2 >x")


def test_t24_no_statement_that_is_cut_short_is_too_much_for_the_analyser() -> None:
    for line in lines():
        words = line.split(b" ")
        for end in range(1, len(words)):
            for tail in (b"", b" "):
                assert OWN_FAULT not in quick(b" ".join(words[:end]) + tail).why.values()


def test_a_fault_of_the_analyser_is_no_exception_and_is_logged_without_the_statement(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise LookupError("hunter2")

    monkeypatch.setattr("policies.shell.programs.places", fails)
    facts = analyse("m1 hunter2")
    assert facts.why == {Flag.UNPARSED: OWN_FAULT}
    assert "LookupError in fails" in caplog.text
    assert "hunter2" not in caplog.text


def test_at_most_two_of_a_hundred_ordinary_lines_are_not_understood() -> None:
    unknown = [line for line in ORDINARY if UNKNOWN & analyse(line).flags]
    assert len(unknown) <= len(ORDINARY) * 0.02, unknown


def test_ordinary_lines_are_seldom_in_doubt() -> None:
    doubted = [line for line in ORDINARY if doubtful(line.encode())]
    assert len(doubted) <= len(ORDINARY) * 0.04, doubted
    assert not any(Flag.UNPARSED in analyse(line).flags for line in doubted)
