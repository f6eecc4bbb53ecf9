"""Policies are checked, explained and tested before they are live; each mistake is one line that helps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bastion.cli.policy_commands import policy
from policies.shell import MAX_STATEMENT_BYTES
from tests.integration.operator_desk import bastion, told
from tests.unit.bastion.config_fixture import WHOLE, write_config

TEAM = """
[[rule]]
id = "team.reads"
verdict = "allow"
match = [{ program = ["ls", "cat"] }, { reads = "glob:/srv/**" }]

[[rule]]
id = "team.keep-backups"
verdict = "deny"
match = [{ program = "rm", writes = "glob:/srv/backups/**" }]
reason = "backups are kept"
severity = "high"
attack = "T1485"
"""


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A policy file."""
    path = tmp_path / "team.toml"
    path.write_text(TEAM)
    return path


def lines_of(*words: str | Path, given: bytes) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bastion", "policy", "explain", *map(str, words), "--lines", "--json"],
        input=given,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


# check


def test_sound_policy_is_counted(team: Path) -> None:
    done = bastion("policy", "check", team)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("sound: 2 rules with 3 entries, policy ")


def test_every_mistake_of_every_file_is_told_with_file_and_key(team: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(
        '[[rule]]\nid = "a"\nverdict = "deny"\nmatch = [{ program = "class:shell" }, { flags = "opaqe" }]\n'
    )
    lines = told(bastion("policy", "check", team, other, tmp_path / "none.toml"))
    assert len(lines) == 3
    assert "none.toml cannot be read (No such file or directory), expected a policy in TOML" in lines[0]
    assert (
        f'{other}: rule[0].match[0].program[0]: no class of programs is called "shell" (did you mean'
        in lines[1]
    )
    assert f"{other}: rule[0].match[1].flags" in lines[2]
    done = bastion("policy", "check", other, "--json")
    assert done.returncode == 2
    assert [json.loads(done.stdout)["ok"], len(json.loads(done.stdout)["problems"])] == [False, 2]


def test_what_is_hardly_meant_is_warned_of_and_does_not_change_the_status(team: Path, tmp_path: Path) -> None:
    team.write_text(TEAM + '[[rule]]\nid = "all"\nverdict = "allow"\n')
    done = bastion("policy", "check", team)
    assert done.returncode == 0
    assert f'warning: {team}: rule[2]: rule "all" has no match: it allows every statement' in done.stderr
    config = write_config(
        tmp_path, WHOLE, '[[rule]]\nid = "x"\nverdict = "deny"\nwhen = { groups = ["cii", "github/x"] }\n'
    )
    done = bastion("policy", "check", "--config", config)
    assert done.returncode == 0
    assert 'warning: rule x: when.groups names "cii", which is not declared' in done.stderr
    assert "github/x" not in done.stderr


def test_mistake_in_the_files_is_told_before_one_in_the_configuration(team: Path, tmp_path: Path) -> None:
    team.write_text("[[rule]]\n")
    config = tmp_path / "bastion.toml"
    config.write_text("[nothing]\n")
    lines = told(bastion("policy", "check", team, "--config", config))
    assert {line.split(": ")[1] for line in lines} == {str(team)}


# explain


def test_explain_tells_facts_rules_and_verdict(team: Path) -> None:
    done = bastion(
        "policy", "explain", "--policy", team, "--", "sudo rm -rf /srv/backups/old; cat /etc/hosts"
    )
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "statement  sudo rm -rf /srv/backups/old; cat /etc/hosts",
        "command 0  sudo rm -rf /srv/backups/old",
        "command 1  rm -rf /srv/backups/old  (under 0)",
        "command 2  cat /etc/hosts",
        "reads      /etc/hosts",
        "writes     /srv/backups/old",
        "flag       privileged: sudo gives other rights",
        f"rule       team.keep-backups denies: backups are kept ({team}, rule[1])",
        f"rule       team.reads covers a part ({team}, rule[0])",
        'uncovered  the command "sudo" with these words',
        'uncovered  the command "rm" under "sudo" with these words',
        'uncovered  reading "/etc/hosts"',
        'uncovered  writing "/srv/backups/old"',
        "verdict    deny by team.keep-backups: backups are kept [high, T1485]",
    ]


def test_explain_names_the_rule_that_nearly_matched(team: Path) -> None:
    done = bastion("policy", "explain", "--policy", team, "rm /srv/x")
    assert "near       team.keep-backups, but for match[0].writes" in done.stdout.splitlines()
    found = json.loads(bastion("policy", "explain", "--policy", team, "--json", "rm /srv/x").stdout)
    assert found["near"] == [{"rule": "team.keep-backups", "entry": 0, "unmet": "writes"}]
    assert (found["verdict"], found["rules"]) == ("deny", [])


def test_explain_asks_as_an_identity_on_a_target(team: Path, tmp_path: Path) -> None:
    config = write_config(
        tmp_path, WHOLE, TEAM.replace('verdict = "allow"', 'verdict = "allow"\nwhen = { logins = ["app"] }')
    )
    ask = ("policy", "explain", "--config", config, "--identity", "nightly", "--target", "web-1")
    assert "verdict    allow by team.reads" in bastion(*ask, "--login", "app", "--", "ls").stdout
    done = bastion(*ask, "--login", "deploy", "--", "ls")
    assert 'verdict    deny: no rule allows the command "ls"' in done.stdout
    assert "near       team.reads, but for when.logins" in done.stdout
    assert "raw terminals" in bastion(*ask, "--login", "app", "--access", "raw", "--", "ls").stdout
    assert (
        "verdict    allow by team.reads"
        in bastion(*ask, "--login", "deploy", "--policy", team, "--", "ls").stdout
    )
    done = bastion(*ask, "--login", "app", "--", "ls <(ls)")
    assert "flag       unparsed: the shell is sh" in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--policy", "TEAM"], "which statement? give it behind --, in quotes"),
        (["--", "ls"], "by which policy? give --identity, --target and --login, or --policy"),
        (["--identity", "nightly", "--", "ls"], "by which policy?"),
        (["--policy", "TEAM", "--lines", "--", "ls"], "--lines takes the statements from standard input"),
    ],
)
def test_explain_says_what_is_missing(team: Path, words: list[str], expected: str) -> None:
    done = bastion("policy", "explain", *(str(team) if word == "TEAM" else word for word in words))
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr


def test_explain_says_whom_and_where_it_knows(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    ask = {"--identity": "nightly", "--target": "web-1", "--login": "app"}
    for option, expected in (
        ("--identity", 'no identity is called "x", expected "orders-deployer" or "nightly"'),
        ("--target", 'no target is called "x", expected "web-1" or "web-2"'),
        ("--login", 'no login on web-1 is called "x", expected "deploy" or "app"'),
    ):
        words = [word for pair in {**ask, option: "x"}.items() for word in pair]
        (line,) = told(bastion("policy", "explain", "--config", config, *words, "--", "ls"))
        assert line.endswith(expected)


def test_each_line_gets_one_object_in_order_whatever_is_in_it(team: Path) -> None:
    long = b"ls " + b"x" * (3 * MAX_STATEMENT_BYTES)
    given = [
        b"ls",
        b"",
        b"# nothing",
        b"cat \xff\xfe",
        b"ls \0",
        long,
        b"if",
        b"rm /srv/backups/x\r",
        b"cat /srv/a",
    ]
    found = lines_of("--policy", team, given=b"\n".join(given))
    assert len(found) == len(given)
    assert [each["verdict"] for each in found] == ["allow"] * 3 + ["deny"] * 5 + ["allow"]
    assert all(found[at]["facts"]["flags"] == ["unparsed"] for at in (3, 4, 5, 6))
    assert found[8]["rules"] == ["team.reads"]
    assert set(found[0]) >= {"verdict", "rules", "facts"}
    assert lines_of("--policy", team, given=b"") == []
    assert len(lines_of("--policy", team, given=b"\n\n")) == 2


def test_lines_may_be_judged_by_several_files_and_each_answer_comes_at_once(
    team: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(
        '[[rule]]\nid = "other"\nverdict = "deny"\nwhen = { groups = ["x"] }\nmatch = [{ program = "cat" }]\n'
    )
    command = [
        sys.executable,
        "-P",
        "-m",
        "bastion",
        "policy",
        "explain",
        "--policy",
        team,
        other,
        "--lines",
        "--json",
    ]
    with subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for statement, rules in ((b"cat /srv/x\n", ["other"]), (b"ls\n", ["team.reads"])):
            process.stdin.write(statement)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["rules"] == rules
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_statement_does_not_act_on_the_terminal(team: Path) -> None:
    done = bastion("policy", "explain", "--policy", team, "--", "ls \x1b]0;x\x07")
    assert "\x1b" not in done.stdout


# test


def test_cases_beside_a_policy_are_run(team: Path) -> None:
    cases = team.with_name("team.cases.toml")
    cases.write_text(
        '[[case]]\nstatements = ["ls", "cat /srv/a"]\nverdict = "allow"\n'
        '[[case]]\nstatement = "rm /srv/backups/x"\nverdict = "deny"\nrules = ["team.keep-backups"]\n'
    )
    done = bastion("policy", "test", team)
    assert (done.returncode, done.stdout) == (0, "3 passed, 0 failed, in 1 tables\n")
    cases.write_text('[[case]]\nstatement = "cat /etc/x"\nverdict = "allow"\n')
    done = bastion("policy", "test", team)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f'{cases}: case[0]: cat /etc/x: expected allow, got deny: no rule allows reading "/etc/x"',
        "0 passed, 1 failed, in 1 tables",
    ]
    found = json.loads(bastion("policy", "test", cases, "--json").stdout)
    assert (found["passed"], found["failed"], found["failures"][0]["verdict"]) == (0, 1, "deny")


def test_mistake_in_a_table_of_cases_is_one_line(team: Path) -> None:
    (line,) = told(bastion("policy", "test", team))
    assert "team.cases.toml cannot be read" in line
    team.with_name("team.cases.toml").write_text('[[case]]\nverdict = "allow"\n')
    (line,) = told(bastion("policy", "test", team))
    assert line.endswith("case[0]: expected one of statement, statements and operation")


# help


@pytest.mark.parametrize("name", sorted(policy.commands))
def test_every_policy_command_has_help(name: str) -> None:
    done = bastion("policy", name, "--help")
    assert done.returncode == 0
    assert (policy.commands[name].help or "").splitlines()[0] in " ".join(done.stdout.split())


def test_policy_commands_are_for_the_bastion_itself() -> None:
    done = bastion("--door", "on-call", "policy", "check")
    assert done.returncode == 2
    assert "this command runs on the bastion itself only" in done.stderr
