"""What is allowed in a configuration and looks like a mistake."""

from pathlib import Path

from bastion.config import load
from tests.unit.bastion.config_fixture import LEAST, POLICY, WHOLE, issuer_table, spoiled, write_config


def warnings(folder: Path, config: str, policy: str = POLICY) -> list[str]:
    path = write_config(folder, config, policy)
    return [line.removeprefix(f"{path}: ") for line in load(path).warnings]


def test_configuration_without_anybody_is_warned_of(tmp_path: Path) -> None:
    assert warnings(tmp_path, LEAST, "") == [
        "identity: none is declared, so nobody can get a certificate",
        "target: none is declared, so there is nothing to reach",
        "policy.files: no rule allows anything, so every session is denied",
    ]


def test_example_name_is_warned_of(tmp_path: Path) -> None:
    text = LEAST.replace("bastion.acme.example", "bastion.example.com")
    assert warnings(tmp_path, text)[0].startswith("bastion.names: ")


def test_issuer_that_no_identity_uses_is_warned_of(tmp_path: Path) -> None:
    assert 'issuer[0]: no identity has tokens of "a"' in warnings(
        tmp_path, LEAST + issuer_table("a", "https://a.example")
    )


def test_l7_owner_who_is_no_person_is_warned_of(tmp_path: Path) -> None:
    text = spoiled('owner = "sam@acme.example"', 'owner = "max@acme.example"')
    assert warnings(tmp_path, text) == [
        'identity[1].owner: "max@acme.example" is no declared person, so nightly gets no certificate'
    ]


def test_what_no_rule_covers_is_warned_of(tmp_path: Path) -> None:
    when = 'groups = ["deployers"], labels = { env = "prod" }'
    rule = f'[[rule]]\nid = "r"\nverdict = "allow"\nwhen = {{ {when} }}\nmatch = [{{ program = "id" }}]\n'
    assert warnings(tmp_path, WHOLE, rule) == [
        "identity[1]: no rule allows nightly anything",
        "target[1]: no rule allows anybody to reach web-2",
    ]


def test_rule_that_names_what_is_not_there_is_warned_of(tmp_path: Path) -> None:
    rule = (
        '[[rule]]\nid = "r"\nverdict = "deny"\nwhen = { targets = ["web-*", "web-9"], identities = ["x"] }\n'
    )
    assert warnings(tmp_path, WHOLE, POLICY + rule) == [
        'rule r: when.identities names "x", which is not declared',
        'rule r: when.targets names "web-*", which is not declared (a glob begins with "glob:")',
        'rule r: when.targets names "web-9", which is not declared',
    ]


def test_groups_logins_and_labels_that_nothing_has_are_warned_of(tmp_path: Path) -> None:
    when = 'groups = ["cii", "glob:x", "github/dba"], logins = ["nobody"], labels = { zone = "eu" }'
    rule = f'[[rule]]\nid = "r"\nverdict = "allow"\nwhen = {{ {when} }}\nmatch = [{{ program = "id" }}]\n'
    assert warnings(tmp_path, WHOLE, POLICY + rule) == [
        'rule r: when.groups names "cii", which is not declared',
        'rule r: when.logins names "nobody", which is not declared',
        'rule r: when.labels names "zone", a label that no target has',
    ]
    denied = rule.replace('"allow"', '"deny"')
    assert len(warnings(tmp_path, WHOLE, POLICY + denied)) == 2, "what is denied may be to come"


def test_l4_rule_that_allows_every_statement_is_warned_of_by_its_own_file(tmp_path: Path) -> None:
    (line,) = warnings(tmp_path, WHOLE, POLICY.replace('match = [{ program = "ls" }]', ""))
    assert line.startswith(f'{tmp_path / "policy.toml"}: rule[0]: rule "ci" has no match: ')


def test_what_a_shipped_policy_means_is_not_warned_of(tmp_path: Path) -> None:
    text = WHOLE.replace('"library:no-raw"', '"library:baseline"')
    assert [line for line in warnings(tmp_path, text) if line.startswith("library:")] == []


def test_private_key_that_others_can_use_is_warned_of(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    (tmp_path / "web-1.key").chmod(0o640)
    (line,) = load(path).warnings
    assert line.startswith(f"{path}: target[0].auth.file: ")
    assert line.endswith("can be used by others than its owner (chmod 600 it)")
