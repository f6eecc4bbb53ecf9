"""Where policy texts come from, and each shipped file."""

from pathlib import Path

import pytest

from policies.document import parse_policy
from policies.errors import PolicyUnreadableError
from policies.model import Access, Request
from policies.shell import quick
from policies.source import library_names, read_source


def request(login: str, access: Access, env: str = "dev") -> Request:
    return Request(
        identity="orders-deployer",
        groups=frozenset({"ci"}),
        target="web-1",
        labels={"env": env},
        login=login,
        access=access,
    )


@pytest.mark.parametrize("name", library_names())
def test_shipped_policy_is_sound_and_gives_reasons(name: str, tmp_path: Path) -> None:
    source = read_source(f"library:{name}", tmp_path)
    assert source.label == f"library:{name}"
    policy = parse_policy([source])
    assert policy.rules or policy.masks
    assert all(rule.reason for rule in policy.rules)
    assert all(one.id.startswith(f"{name}.") for one in (*policy.rules, *policy.masks))


def test_all_shipped_policies_can_be_used_together(tmp_path: Path) -> None:
    names = library_names()
    assert {"starter", "no-raw"} <= set(names)
    parse_policy(read_source(f"library:{name}", tmp_path) for name in names)


def test_starter_lets_ci_work_on_dev_only_with_what_is_understood(tmp_path: Path) -> None:
    policy = parse_policy([read_source("library:starter", tmp_path)])
    assert all(rule.match is not None for rule in policy.rules)
    assert policy.decide(request("deploy", Access.EXEC)).allowed
    assert policy.decide(request("deploy", Access.SFTP)).allowed
    assert not policy.decide(request("deploy", Access.RAW)).allowed
    assert not policy.decide(request("deploy", Access.EXEC, env="prod")).allowed
    for statement in ("./deploy.sh v1 > log", "curl -sS https://a.example | tee b", "/opt/x/y; python3 -c 1"):
        assert policy.judge(request("deploy", Access.EXEC), quick(statement)).allowed, statement
    for statement in ("$x y", "if", "l\u200bs"):
        assert not policy.judge(request("deploy", Access.EXEC), quick(statement)).allowed, statement


def test_no_root_denies_root_and_allows_nothing(tmp_path: Path) -> None:
    policy = parse_policy([read_source("library:no-root", tmp_path)])
    assert policy.decide(request("root", Access.EXEC)).rules == ("no-root.nobody-works-as-root",)
    assert policy.decide(request("deploy", Access.EXEC)).rules == ()


def test_no_raw_denies_raw_and_allows_nothing(tmp_path: Path) -> None:
    policy = parse_policy([read_source("library:no-raw", tmp_path)])
    assert policy.decide(request("deploy", Access.RAW)).rules == ("no-raw.no-raw-terminals",)
    assert policy.decide(request("deploy", Access.EXEC)).rules == ()


@pytest.mark.parametrize("name", ["library:nosuch", "library:", "library:../model", "library:starter.toml"])
def test_t46_unknown_shipped_policy_lists_those_that_exist(name: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyUnreadableError, match=r'expected .*"library:no-raw".* or "library:strict"'):
        read_source(name, tmp_path)


def test_own_file_is_read_beside_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("# é\n", "utf-8")
    source = read_source("policy.toml", tmp_path)
    assert (source.label, source.text) == (str(tmp_path / "policy.toml"), "# é\n")


def test_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "latin1.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(PolicyUnreadableError, match=r"latin1\.toml is not UTF-8 at byte 5, expected"):
        read_source("latin1.toml", tmp_path)
    with pytest.raises(PolicyUnreadableError, match=r"none\.toml cannot be read \(No such file"):
        read_source("none.toml", tmp_path)
    with pytest.raises(PolicyUnreadableError, match=r"cannot be read \(Is a directory"):
        read_source(".", tmp_path)
    with pytest.raises(PolicyUnreadableError, match="cannot be read"):
        read_source("a\0b", tmp_path)
