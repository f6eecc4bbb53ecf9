"""A shell that reads its script from its input goes on in what exec puts there (T31, L4)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from policies.facts import Flag
from policies.shell import analyse


def started(statement: str) -> list[list[str | None]]:
    return [one["argv"] for one in analyse(statement).as_json()["commands"] if one["argv"][0] == "."]


@pytest.mark.parametrize(
    "statement",
    ["exec </srv/x", "{ exec < /srv/x; }", "command exec </srv/x", "exec <>/srv/x", "eval 'exec </srv/x'"],
)
def test_t31_a_file_that_the_shell_goes_on_in_is_sourced(statement: str) -> None:
    facts = analyse(statement)
    assert started(statement) == [[".", "/srv/x"]]
    assert Flag.SWITCHES_INPUT in facts.flags
    assert Flag.OPAQUE not in facts.flags


@pytest.mark.parametrize(
    "statement",
    [
        'exec <"$f"',
        "exec < <(cat x)",
        "exec <&3",
        "echo id >x; exec <x",
        "exec </dev/fd/3",
        "exec </dev/tcp/h/80",
    ],
)
def test_l4_what_the_shell_goes_on_in_is_opaque_where_nobody_knows_it(statement: str) -> None:
    assert {Flag.OPAQUE, Flag.SWITCHES_INPUT} <= analyse(statement).flags


@pytest.mark.parametrize(
    "statement",
    ["exec 3<x", "exec >x", "exec 2>&1", "exec </dev/null", "exec <&-", "exec 3<>x", "exec cat <x"],
)
def test_what_leaves_the_script_where_it_is_sources_nothing(statement: str) -> None:
    assert started(statement) == []
    assert Flag.OPAQUE not in analyse(statement).flags


@pytest.mark.parametrize("redirection", ["<f", "<>f", "< <(cat f)", "3<f; exec <&3"])
def test_a_shell_does_so(redirection: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("echo in the file\n")
    script = f"exec {redirection}\necho in the script\n"
    ran = subprocess.run(["bash"], input=script, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "in the file" in ran.stdout


def test_a_file_that_is_opened_both_ways_is_read_and_written() -> None:
    facts = analyse("exec 3<>/srv/x; cat <&3 4<> /srv/y").as_json()
    assert (facts["reads"], facts["writes"]) == (["/srv/x", "/srv/y"], ["/srv/x", "/srv/y"])
    assert facts["flags"] == ["reads_stdin", "switches_input"]


@pytest.mark.parametrize("statement", ["cat 3<>x >|y", "sh 3<>x <<E\ncat 4<>y\nE\n", "echo 'a 3<>x' 3<>x"])
def test_known_limit_both_ways_beside_what_looks_like_it_is_not_understood(statement: str) -> None:
    assert Flag.UNPARSED in analyse(statement).flags
