"""Test what holds for the facts of any shell statement."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.facts import Facts, Flag
from policies.shell import MAX_STATEMENT_BYTES, analyse, doubtful, quick
from tests.oracle.generator import Programs

ORDINARY = [
    line
    for line in (Path(__file__).resolve().parents[2] / "vectors" / "shell" / "ordinary.txt")
    .read_text("utf-8")
    .splitlines()
    if line and not line.startswith(("cd ", "exit"))
]
NOISE = st.text(alphabet="ab $\"'`\\(){}[]<>|&;#!=*?~\n\t-0123/\u00e9\x00\r", max_size=60).map(str.encode)


@settings(deadline=None, max_examples=600)
@given(st.one_of(st.binary(max_size=200), NOISE))
def test_t31_any_bytes_have_facts(source: bytes) -> None:
    facts = quick(source)
    assert isinstance(doubtful(source), str)
    assert facts.as_json()
    assert Flag.UNPARSED in facts.flags or all(command.words for command in facts.commands)


@settings(deadline=None, max_examples=60)
@given(NOISE)
def test_t31_any_bytes_have_facts_by_both_parsers(source: bytes) -> None:
    assert analyse(source).flags >= quick(source).flags & {Flag.UNPARSED}


def told(facts: Facts) -> tuple[Counter[object], set[str]]:
    return Counter(command.words[0] for command in facts.commands), {
        touch.value.text for touch in facts.writes
    }


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(ORDINARY), st.sampled_from(ORDINARY), st.sampled_from(["; ", " && ", "\n", " | ", " || "])
)
def test_t30_the_facts_of_two_statements_have_those_of_each(one: str, two: str, between: str) -> None:
    first, second, both = analyse(one), analyse(two), analyse(one + between + two)
    if Flag.UNPARSED in both.flags or "=" in one.partition(" ")[0]:
        return
    for part in (first, second):
        programs, writes = told(part)
        assert programs <= told(both)[0]
        assert writes <= told(both)[1]
    assert first.flags - {Flag.READS_STDIN} <= both.flags


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000))
def test_t30_the_facts_of_two_random_programs_have_those_of_each(seed: int) -> None:
    random = Random(seed)
    one, two = Programs(random, 1).program().strip(), Programs(random, 1).program().strip()
    both = analyse(f"{one}\n{two}\n")
    if {Flag.UNPARSED, Flag.OPAQUE} & (both.flags | analyse(one).flags | analyse(two).flags):
        return
    for part in (one, two):
        assert {word.text for word in told(analyse(part))[0]} <= {word.text for word in told(both)[0]}


@pytest.mark.parametrize(
    "source",
    [
        "a" * (MAX_STATEMENT_BYTES + 1),
        "a;" * (MAX_STATEMENT_BYTES // 2),
        "(" * 200 + "a" + ")" * 200,
        "echo " + "$(" * 200 + "a" + ")" * 200,
        'echo "' + '$(echo "' * 150 + "a" + '")' * 150 + '"',
        "{ " * 300 + "a;" + " }" * 300,
        "if a; then " * 120 + "b" + "; fi" * 120,
        "$((" * 5_000,
        "`" * 20_001,
        "a\0b",
    ],
)
def test_l11_what_is_too_long_or_nested_too_deep_is_unparsed(source: str) -> None:
    assert Flag.UNPARSED in quick(source).flags
    assert Flag.UNPARSED in analyse(source).flags


def test_l11_a_script_in_a_script_is_followed_a_few_levels_only() -> None:
    source = "rm x"
    for _ in range(30):
        source = "eval " + source.replace("\\", "\\\\").replace(" ", "\\ ")
        if len(source) > 20_000:
            break
    assert {Flag.UNPARSED, Flag.OPAQUE} & analyse("eval " * 30 + "rm x").flags
