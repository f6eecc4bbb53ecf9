"""A name leads to a target only for who may open it, and a login is one of those that are declared and open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bastion.certificate import Login
from bastion.config import load
from bastion.errors import Refused, UnknownTarget
from bastion.principal import Principal, principal_of
from bastion.resolve import access_request, check_login, find_target, may_open, resolve
from bastion.settings import Config
from policies.model import Access
from tests.unit.bastion.config_fixture import WHOLE, write_config

POLICY = """
[[rule]]
id = "ci"
verdict = "allow"
when = { groups = ["ci"], labels = { env = ["prod"] }, logins = ["deploy", "app"] }

[[rule]]
id = "dba"
verdict = "allow"
when = { groups = ["github/dba"], targets = ["web-2"] }

[[rule]]
id = "not-app"
verdict = "deny"
when = { logins = ["app"], identities = ["orders-deployer"] }
reason = "app is for people"
"""


@pytest.fixture
def config(tmp_path) -> Config:
    return load(write_config(tmp_path, WHOLE, POLICY))


def principal(config: Config, *groups: str) -> Principal:
    login = Login(
        identity="orders-deployer",
        key_id="orders-deployer/8412",
        serial=7,
        valid_after=0,
        valid_before=600,
        key=b"key",
        claims={},
        groups=groups,
        source_addresses=None,
    )
    return principal_of(login, config, "192.0.2.7")


def test_a_target_is_found_by_its_name_whatever_the_case(config):
    for name in ("web-1", "WEB-1", "Web-1"):
        found = find_target(config, name)
        assert found is not None
        assert found.name == "web-1"
    for name in ("web", "web-1 ", "web-1.", "", "127.0.0.1", "10.0.0.5", "[web-1]:22", "*", "web-１"):
        assert find_target(config, name) is None


def test_a_target_that_is_not_there_and_one_that_may_not_be_opened_are_not_told_apart(config):
    bot = principal(config)
    texts = []
    for name in ("web-2", "web-9"):
        with pytest.raises(UnknownTarget) as caught:
            resolve(config, bot, name)
        texts.append(caught.value.public.replace(name, "NAME"))
    assert texts[0] == texts[1]
    assert resolve(config, bot, "web-1").name == "web-1"


def test_a_group_out_of_a_token_opens_what_a_rule_gives_it(config):
    assert resolve(config, principal(config, "github/dba"), "web-2").name == "web-2"
    with pytest.raises(UnknownTarget):
        resolve(config, principal(config, "dba", "loose/dba"), "web-2")


def test_a_name_that_acts_on_a_terminal_is_shown_escaped_and_short(config):
    with pytest.raises(UnknownTarget) as caught:
        resolve(config, principal(config), "\x1b[2J\r\n" + "x" * 500)
    assert caught.value.public.isprintable()
    assert len(caught.value.public) < 200


def test_a_login_that_is_not_open_is_refused_with_those_that_are(config):
    bot = principal(config)
    web = resolve(config, bot, "web-1")
    check_login(config, bot, web, "deploy")
    for login in ("app", "root", "", "Deploy", "deploy\n", "\x1b[2J"):
        with pytest.raises(Refused, match=r"open are: deploy$") as caught:
            check_login(config, bot, web, login)
        assert caught.value.public.isprintable()


def test_where_no_login_is_open_it_says_so(config):
    bot = principal(config)
    web = find_target(config, "web-2")
    assert web is not None
    with pytest.raises(Refused, match="open are: none"):
        check_login(config, bot, web, "deploy")


def test_l4_an_empty_policy_opens_nothing(config, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = replace(config, policy=load(write_config(empty, policy="")).policy)
    web = find_target(nothing, "web-1")
    assert web is not None
    assert not may_open(nothing, principal(nothing), web, "deploy")


def test_the_question_to_the_policy_says_who_where_and_how(config):
    bot = principal(config, "github/dba")
    web = find_target(config, "web-1")
    assert web is not None
    asked = access_request(bot, web, "deploy", Access.EXEC)
    assert (asked.identity, asked.target, asked.login) == ("orders-deployer", "web-1", "deploy")
    assert asked.groups == {"ci", "deployers", "github/dba"}
    assert (dict(asked.labels), asked.access) == ({"env": "prod"}, Access.EXEC)
