"""What a worker is given is the very same that the supervisor read, whatever becomes of the files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bastion.config import load
from bastion.keyring import open_keyring, pack_keyring, public_line, unpack_keyring
from bastion.workers.handover import Handover, give, take
from tests.unit.bastion.config_fixture import write_config


def test_a_configuration_arrives_as_it_was_when_it_was_read(tmp_path: Path) -> None:
    config = load(write_config(tmp_path))
    file = give(Handover(config=config, key_files={"github": b"{}"}, worker=3, now_us=17))
    (tmp_path / "bastion.toml").unlink()
    taken = take(file)
    assert (taken.config, taken.config.policy.digest()) == (config, config.policy.digest())
    assert (taken.key_files, taken.worker, taken.now_us) == ({"github": b"{}"}, 3, 17)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


def test_keys_arrive_as_they_were_when_the_service_began(tmp_path: Path) -> None:
    ring = open_keyring(tmp_path / "keys")
    packed = pack_keyring(ring)
    for path in (tmp_path / "keys").iterdir():
        path.unlink()
    taken = unpack_keyring(packed)
    for name in ("login_ca", "user_ca", "host_ca", "host"):
        assert public_line(getattr(taken, name)) == public_line(getattr(ring, name))
    assert taken.seal.kid == ring.seal.kid
    assert taken.seal_keys.verify(b"digest", ring.seal.sign(b"digest"))
    assert ring.seal_keys.verify(b"digest", taken.seal.sign(b"digest"))
    assert (taken.folder, taken.made) == (ring.folder, ())
