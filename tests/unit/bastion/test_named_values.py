"""Values that are always masked come from a file, from hashes, and from the keys for targets; none is ever told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bastion.config import load
from bastion.config_errors import ConfigError
from bastion.errors import KeyringError
from bastion.named_values import listed_values, named_values, read_value_key, value_key
from policies.masking.hashed import hash_value
from tests.unit.bastion.config_fixture import write_config

VALUE = "correct horse battery"


def file_of(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "known-values"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_has_one_value_a_line() -> None:
    assert listed_values(b"# two\n\none value\r\nanother\n") == [b"one value", b"another"]


def test_values_hashes_and_lines_of_private_keys_are_named(tmp_path: Path) -> None:
    key = value_key(tmp_path)
    pem = tmp_path / "web-1"
    pem.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n" + f"{'a' * 70}\n{'b' * 70}\nccc\n" + "-----END\n")
    made = named_values(
        file=file_of(tmp_path, f"{VALUE}\n"),
        hashes=[hash_value(key, b"hunter2hunter2")],
        keys=tmp_path,
        key_files=[pem, tmp_path / "gone"],
        hashed=False,
    )
    assert made.values == {VALUE.encode(), b"b" * 70}
    assert len(made.detectors()) == 3


def test_a_key_of_hashes_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    key = value_key(tmp_path)
    assert value_key(tmp_path) == read_value_key(tmp_path) == key
    assert (tmp_path / "values.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "values.key").chmod(0o644)
    with pytest.raises(KeyringError, match="chmod 600"):
        read_value_key(tmp_path)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (f"{VALUE}\n", 0o644, "can be used by others than its owner: chmod 600"),
        ("abc\n", 0o600, "a known value of 3 bytes, expected 6 or more"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_not_told(
    tmp_path: Path, text: str, mode: int, said: str
) -> None:
    path = write_config(tmp_path)
    file_of(tmp_path, text, mode)
    path.write_text(path.read_text().replace("[policy]\n", '[policy]\nknown_values = "known-values"\n'))
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert said in str(raised.value)
    assert text.strip() not in str(raised.value)


def test_a_configuration_takes_them_into_its_policy(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    file_of(tmp_path, f"{VALUE}\n")
    before = load(path).policy
    path.write_text(path.read_text().replace("[policy]\n", '[policy]\nknown_values = "known-values"\n'))
    after = load(path).policy
    assert VALUE.encode() in after.named.values
    assert after.digest() == before.digest()
    assert VALUE not in repr(after)


def test_hashes_need_their_key(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    text = path.read_text()
    path.write_text(text.replace("[policy]\n", f'[policy]\nknown_hashes = ["20:{"0" * 32}"]\n'))
    with pytest.raises(ConfigError, match=r"values\.key: is no key of hashed values"):
        load(path)
    value_key(load(write_config(tmp_path)).bastion.keys)
    path.write_text(text.replace("[policy]\n", '[policy]\nknown_hashes = ["hunter2"]\n'))
    with pytest.raises(ConfigError, match="got no hash of a value") as raised:
        load(path)
    assert "hunter2" not in str(raised.value)
