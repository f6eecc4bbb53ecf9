"""A certificate proves a name; what that name may is read from the configuration in force."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bastion.certificate import Login
from bastion.config import load
from bastion.errors import Refused
from bastion.principal import find_identity, principal_of
from bastion.settings import Config
from tests.unit.bastion.config_fixture import write_config

PEER = "192.0.2.7"


@pytest.fixture
def config(tmp_path) -> Config:
    return load(write_config(tmp_path))


def login(identity: str = "orders-deployer", groups: tuple[str, ...] = ("github/dba",)) -> Login:
    return Login(
        identity=identity,
        key_id=f"{identity}/8412",
        serial=7,
        valid_after=0,
        valid_before=600,
        key=b"key",
        claims={"run_id": "8412"},
        groups=groups,
        source_addresses=None,
    )


def test_a_principal_has_the_identitys_groups_of_now_and_those_its_token_claimed(config):
    found = principal_of(login(), config, PEER)
    assert found.groups == {"ci", "deployers", "github/dba"}
    assert (found.name, found.owner, found.peer) == ("orders-deployer", "dana@acme.example", PEER)
    assert found.claims == {"run_id": "8412"}
    first, *others = config.identities
    reduced = replace(config, identities=(replace(first, groups=()), *others))
    assert principal_of(login(), reduced, PEER).groups == {"github/dba"}


@pytest.mark.parametrize(
    "name", ["removed", "Orders-deployer", "orders-deployer ", "", "orders-deployer/8412"]
)
def test_l6_an_identity_that_is_not_declared_opens_nothing(config, name):
    with pytest.raises(Refused, match="no longer declared"):
        principal_of(login(name), config, PEER)
    assert find_identity(config, name) is None


def test_l7_an_identity_whose_owner_has_gone_opens_nothing(config):
    _, sam = config.persons
    with pytest.raises(Refused, match="orders-deployer has no owner any more"):
        principal_of(login(), replace(config, persons=(sam,)), PEER)


def test_an_owner_named_by_an_alias_is_the_person(config):
    first, *others = config.identities
    by_alias = replace(config, identities=(replace(first, owner="dana"), *others))
    assert principal_of(login(), by_alias, PEER).owner == "dana@acme.example"
