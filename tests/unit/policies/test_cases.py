"""Tables of cases: what they may say, by which policy they are judged, and what is said of each mistake."""

from pathlib import Path

import pytest

from policies.cases import Suite, library_suites, run, suite_of
from policies.errors import PolicyInvalidError, PolicyUnreadableError
from policies.source import Source

POLICY = """
[[rule]]
id = "ci-reads"
verdict = "allow"
when = { groups = ["ci"], labels = { env = "dev" }, access = ["exec"] }
match = [{ program = "ls" }]

[[rule]]
id = "uploads"
verdict = "allow"
when = { access = ["sftp"] }
match = [{ operation = "upload", writes = "glob:/srv/releases/**" }]
"""


def passed(folder: Path, cases: str, policy: str = POLICY) -> list[bool]:
    (folder / "p.toml").write_text(policy)
    (folder / "p.cases.toml").write_text(cases)
    return [result.passed for result in run(suite_of(str(folder / "p.toml")))]


def case(*lines: str) -> str:
    return "\n".join(("[[case]]", *lines, ""))


def test_case_that_says_nobody_is_judged_with_every_when_met(tmp_path: Path) -> None:
    assert passed(tmp_path, case('statement = "ls"', 'verdict = "allow"', 'rules = ["ci-reads"]')) == [True]


def test_case_that_says_who_and_where_is_judged_for_them(tmp_path: Path) -> None:
    for lines, verdict in (
        (('groups = ["ci"]', 'labels = { env = "dev" }'), "allow"),
        (('groups = ["ci"]', 'labels = { env = "prod" }'), "deny"),
        (('groups = ["ci"]', 'labels = { env = "dev" }', 'access = "shell"'), "deny"),
    ):
        assert passed(tmp_path, case('statement = "ls"', f'verdict = "{verdict}"', *lines)) == [True]


def test_operations_on_files_are_judged_as_sftp(tmp_path: Path) -> None:
    upload = ('operation = "upload"', 'verdict = "allow"', 'login = "deploy"')
    assert passed(tmp_path, case(*upload, 'writes = ["/srv/releases/a"]')) == [True]
    assert passed(tmp_path, case(*upload, 'writes = ["/etc/passwd"]')) == [False]


def test_every_statement_counts_and_rules_must_be_among_those_that_decided(tmp_path: Path) -> None:
    cases = case('statements = ["ls", "rm x"]', 'verdict = "allow"') + case(
        'statement = "ls"', 'verdict = "allow"', 'rules = ["uploads"]'
    )
    assert passed(tmp_path, cases) == [True, False, False]


def test_case_may_be_judged_by_other_policies_together(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(
        '[[rule]]\nid = "o"\nverdict = "deny"\nmatch = [{ program = "ls" }]\n'
    )
    cases = case('statement = "ls"', 'verdict = "deny"', 'rules = ["o"]', 'policy = ["p.toml", "other.toml"]')
    cases += case('statement = "ls"', 'verdict = "deny"', 'policy = "no-raw"')
    assert passed(tmp_path, cases) == [True, True]


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ("", "case: has an empty list, expected at least one case"),
        (case('verdict = "deny"'), "case[0]: expected one of statement, statements and operation"),
        (
            case('verdict = "deny"', 'statement = "x"', 'reads = ["/a"]'),
            "case[0]: reads and writes are those of an operation, expected operation beside them",
        ),
        (case('statement = "x"'), 'case[0].verdict: is missing, expected "allow", "deny" or "approve"'),
        (
            case('statement = "x"', 'verdict = "deny"', 'rule = "x"'),
            'case[0].rule: unknown key (did you mean "rules"?)',
        ),
        ("[[case]", "line 1, column 7: is not TOML"),
    ],
)
def test_mistake_in_a_table_is_told(tmp_path: Path, cases: str, expected: str) -> None:
    with pytest.raises(PolicyInvalidError) as caught:
        passed(tmp_path, cases)
    assert str(caught.value).startswith(f"{tmp_path}/p.cases.toml: {expected}")


def test_table_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolicyUnreadableError, match=r"x\.cases\.toml cannot be read"):
        suite_of(str(tmp_path / "x.toml"))
    with pytest.raises(PolicyUnreadableError, match="no shipped policy is called"):
        suite_of("library:nothing")


def test_statement_with_bytes_that_are_no_text_is_judged() -> None:
    cases = Source(label="c", text=case('statement = "ls \\u0000"', 'verdict = "deny"'))
    (result,) = run(Suite(cases=cases, policy="library:no-raw", folder=Path()))
    assert result.passed


def test_tables_of_the_library_are_found_by_name() -> None:
    for suite in library_suites():
        assert suite_of(suite.policy) == suite
