"""What is wrong with the identities, users and groups that persons have for themselves (T36)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bastion.config import load
from bastion.config_errors import ConfigError
from tests.unit.bastion.config_fixture import WHOLE, write_config

SAM = 'name = "sam@acme.example"\n'
DANA = 'aliases = { github = "dana" }\n'


def with_lines(*, sam: str = "", dana: str = "", bastion: str = "") -> str:
    text = WHOLE.replace(f"[[person]]\n{SAM}", f"[[person]]\n{SAM}{sam}\n").replace(DANA, f"{DANA}{dana}\n")
    return text.replace("[bastion]\n", f"[bastion]\n{bastion}\n")


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(write_config(folder, text))
    return [str(problem).removeprefix(f"{folder}/bastion.toml: ") for problem in caught.value.problems]


def test_a_person_has_groups_identities_and_a_uid(tmp_path: Path) -> None:
    text = with_lines(sam='groups = ["dba", "dba"]\nidentities = ["nightly"]\nuid = 1000')
    (_dana, sam) = load(write_config(tmp_path, text)).persons
    assert (sam.groups, sam.identities, sam.uid) == (("dba",), ("nightly",), 1000)


def test_t36_nobody_is_a_person_by_an_identity_that_somebody_else_owns(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, with_lines(sam='identities = ["orders-deployer"]'))
    assert line == (
        'person[1].identities[0]: "orders-deployer" is owned by "dana@acme.example", '
        "expected an identity that the person owns"
    )


def test_t36_one_identity_and_one_uid_are_one_person(tmp_path: Path) -> None:
    text = with_lines(sam='identities = ["nightly"]\nuid = 0', dana='identities = ["nightly"]\nuid = 0')
    lines = problems(tmp_path, text)
    assert lines[0].startswith('person[0].identities[0]: "nightly" is owned by "sam@acme.example"')
    assert lines[1:] == [
        'person[1].identities[0]: "nightly" is person[0] already, expected one person for each',
        "person[1].uid: 0 is taken by person[0], expected each only once",
    ]


def test_an_identity_of_a_person_must_be_declared(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, with_lines(sam='identities = ["nobody"]'))
    assert (
        line
        == 'person[1].identities[0]: no identity is called "nobody", expected the name of an [[identity]]'
    )


@pytest.mark.parametrize(
    ("socket", "said"),
    [
        ("./var/approvals.sock", "is under bastion.data, expected a folder that others may enter"),
        ("./keys/approvals.sock", "is under bastion.keys, expected a folder that others may enter"),
        (f"./{'x' * 108}", "is longer than 107 bytes, expected a shorter path"),
    ],
)
def test_the_socket_lies_where_others_can_reach_it(tmp_path: Path, socket: str, said: str) -> None:
    (line,) = problems(tmp_path, with_lines(bastion=f'socket = "{socket}"'))
    assert line.startswith("bastion.socket: ")
    assert said in line


def test_the_configuration_says_who_approves_where_a_rule_names_nobody(tmp_path: Path) -> None:
    files = 'files = ["policy.toml", "library:no-raw"]\n'
    rule = '[[rule]]\nid = "r"\nverdict = "approve"\n'
    text = WHOLE.replace(files, f'{files}approvers = {{ groups = "dba", expires = "90s" }}\n')
    (given, *_others) = load(write_config(tmp_path, text, rule)).policy.rules
    assert given.approvers is not None
    assert (given.approvers.groups, given.approvers.expires_s) == (("dba",), 90)
    (line,) = problems(tmp_path, text.replace('"90s"', '"2d"'))
    assert line.startswith('policy.approvers.expires: got "2d", expected a duration from 1s to 1d')
