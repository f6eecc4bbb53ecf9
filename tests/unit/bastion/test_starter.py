"""What `bastion init` writes is valid as it is, and so are its examples."""

import re
from pathlib import Path

from bastion.addresses import parse_listen
from bastion.config import load
from bastion.settings import Config
from bastion.starter import CONFIG_NAME, POLICY_NAME, starter_config, starter_policy

TEXT = starter_config(listen=[parse_listen("127.0.0.1:2222")], names=["bastion.acme.example"])


def loaded(folder: Path, text: str) -> Config:
    (folder / CONFIG_NAME).write_text(text, "utf-8")
    (folder / POLICY_NAME).write_text(starter_policy(), "utf-8")
    return load(folder / CONFIG_NAME)


def test_starter_loads_as_written(tmp_path: Path) -> None:
    config = loaded(tmp_path, TEXT)
    assert config.bastion.names == ("bastion.acme.example",)
    assert config.recorder.quota_bytes == 1 << 30
    assert (config.identities, config.targets) == ((), ())
    assert len(config.policy.rules) == 3
    assert len(config.policy.masks) == 3


def test_starter_loads_with_its_examples_uncommented_and_without_a_warning(tmp_path: Path) -> None:
    config = loaded(tmp_path, re.sub(r"(?m)^#(?! )", "", TEXT))
    assert [identity.name for identity in config.identities] == ["orders-deployer"]
    assert [target.name for target in config.targets] == ["web-1"]
    assert config.issuers[0].audience == "ssh://bastion.acme.example"
    assert config.warnings == ()


def test_starter_writes_names_and_addresses_as_toml(tmp_path: Path) -> None:
    listen = [parse_listen("[::1]:0"), parse_listen("127.0.0.1:22")]
    config = loaded(tmp_path, starter_config(listen=listen, names=["localhost", "127.0.0.1"]))
    assert config.bastion.listen == tuple(listen)
    assert config.bastion.names == ("localhost", "127.0.0.1")
