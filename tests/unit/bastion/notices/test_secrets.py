"""Secrets come from files, and are shown by nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from bastion.config import load
from bastion.config_errors import ConfigError
from bastion.notices.secrets import read_secrets
from tests.unit.bastion.config_fixture import write_config

KEY = "0123456789abcdef0123456789abcdef"
URL = "https://hooks.example/services/T0/B0/abcdefgh"
CHANNEL = '[[notify]]\nname = "ops"\nkind = "webhook"\nurl_file = "url"\nkey_file = "key"\n'


def write(folder: Path, more: str = CHANNEL, *, url: str = URL, key: str = KEY, **changes: str) -> Path:
    """Write a configuration with a channel, and its secrets."""
    path = write_config(folder)
    text = path.read_text()
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text.replace("[policy]", f"{more}\n[policy]"))
    (folder / "url").write_text(url)
    (folder / "key").write_text(key)
    for name in ("url", "key"):
        (folder / name).chmod(0o600)
    return path


def test_secrets_are_read_and_their_repr_shows_none(tmp_path: Path) -> None:
    secrets = read_secrets(load(write(tmp_path, key=f"{KEY}\n", url=f"# ours\n\n{URL}\n")))
    assert secrets.channels["ops"].urls == (URL,)
    assert secrets.channels["ops"].key == KEY.encode()
    shown = repr(secrets) + repr(secrets.channels["ops"])
    assert URL not in shown
    assert KEY not in shown


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://hooks.example/abcdefgh", KEY),
        ("https://user:abcdefgh@hooks.example/", KEY),
        ("https://hooks.example/abcdefgh\nhttps://hooks.example/abcdefgh", KEY),
        ("https://hooks.example:0/abcdefgh", KEY),
        ("abcdefgh", KEY),
        ("", KEY),
        (URL, "abcdefgh"),
        (URL, "whsec_abcdefgh"),
        (URL, ""),
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(tmp_path: Path, url: str, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_secrets(load(write(tmp_path, url=url, key=key)))
    assert "notify[0]." in str(refused.value)
    assert "abcdefgh" not in str(refused.value)


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        (
            CHANNEL.replace('"url"', f'"{URL}"'),
            "notify[0].url_file: is a URL, which is a secret, expected the name of a file that holds it",
        ),
        (CHANNEL.replace('"url"', '"nowhere"'), "notify[0].url_file: there is no file"),
        (CHANNEL.replace('"url"', '"var/url"'), "notify[0].url_file: "),
        (CHANNEL.replace('key_file = "key"\n', ""), "notify[0].key_file: is missing"),
        (CHANNEL.replace("webhook", "apprise"), "notify[0].key_file: is set but unused"),
        (CHANNEL.replace("webhook", "pigeon"), "notify[0].kind: "),
        (CHANNEL + 'team = "T1"\n', "notify[0].team: is set but unused"),
        (CHANNEL + f'url = "{URL}"\n', "notify[0].url: "),
        (CHANNEL + 'events = ["holds"]\n', "notify[0].events[0]: "),
        (CHANNEL + 'targets = ["glob:[z-a]"]\n', "notify[0].targets[0]: "),
        (CHANNEL + CHANNEL, "notify[1].name: "),
        (CHANNEL.replace('"ops"', '"github"'), 'notify[0].name: "github" is an issuer\'s name'),
        (CHANNEL.replace('"ops"', '"Ops Hook"'), "notify[0].name: "),
    ],
)
def test_check_says_which_channel_is_wrong_and_how(tmp_path: Path, channel: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(write(tmp_path, channel))
    assert said in str(refused.value)
    assert "abcdefgh" not in str(refused.value)


def test_a_key_for_answers_is_one_persons(tmp_path: Path) -> None:
    own = 'name = "sam@acme.example"\nanswer_key_file = "key"'
    changes = {
        'name = "sam@acme.example"': own,
        'aliases = { github = "dana" }': 'aliases = { github = "dana" }\nanswer_key_file = "key"',
    }
    with pytest.raises(
        ConfigError, match=r"person\[1\].answer_key_file: .*holds the key of dana@acme.example as well"
    ):
        read_secrets(load(write(tmp_path, "", **changes)))
    changes.popitem()
    assert read_secrets(load(write(tmp_path, "", **changes))).persons == {"sam@acme.example": KEY.encode()}


def test_files_that_others_can_read_are_warned_of(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "key").chmod(0o644)
    assert any("notify[0].key_file" in line and "chmod 600" in line for line in load(path).warnings)


def test_a_slack_channel_that_nobody_can_answer_is_warned_of(tmp_path: Path) -> None:
    warnings = load(write(tmp_path, CHANNEL.replace("webhook", "slack"))).warnings
    assert any("answers.listen is not set" in line for line in warnings)
    assert any('no person has an alias "ops"' in line for line in warnings)


def test_aliases_may_name_channels(tmp_path: Path) -> None:
    changes = {'aliases = { github = "dana" }': 'aliases = { github = "dana", ops = "U1" }'}
    assert load(write(tmp_path, **changes)).persons[0].aliases["ops"] == "U1"


def test_t36_what_the_bastion_signs_can_be_no_persons_answer(tmp_path: Path) -> None:
    changes = {'name = "sam@acme.example"': 'name = "sam@acme.example"\nanswer_key_file = "key"'}
    with pytest.raises(ConfigError, match="holds the key of ops as well"):
        read_secrets(load(write(tmp_path, **changes)))
