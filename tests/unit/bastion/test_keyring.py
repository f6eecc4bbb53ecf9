"""The bastion's keys on disk: made when missing, refused when open to others, kept when replaced."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bastion.errors import KeyringError
from bastion.keyring import (
    SEAL,
    SEAL_SET,
    SSH_KEYS,
    load_key_set,
    load_signer,
    open_keyring,
    private_pem,
    public_line,
    rotate_seal,
)
from recorder.seal import KeySet

PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def published(folder: Path) -> list[dict[str, str]]:
    return json.loads((folder / SEAL_SET).read_text())["keys"]


def refused(folder: Path) -> str:
    with pytest.raises(KeyringError) as caught:
        open_keyring(folder)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all keys made."""
    open_keyring(tmp_path / "keys")
    return tmp_path / "keys"


# Making


def test_missing_keys_are_made_and_named(tmp_path):
    ring = open_keyring(tmp_path / "deep" / "keys")
    assert set(ring.made) == {*SSH_KEYS, "seal"}
    assert mode(ring.folder) == 0o700
    for name in (*SSH_KEYS, SEAL):
        assert mode(ring.folder / name) == 0o600
    lines = {public_line(key) for key in (ring.login_ca, ring.user_ca, ring.host_ca, ring.host)}
    assert len(lines) == 4  # each authority is a key of its own


def test_keys_that_are_there_are_kept(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    ring = open_keyring(folder)
    assert ring.made == ()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_one_missing_key_is_made_beside_the_others(folder):
    kept = (folder / "user-ca").read_bytes()
    (folder / "host-ca").unlink()
    assert open_keyring(folder).made == ("host-ca",)
    assert (folder / "user-ca").read_bytes() == kept


def test_openssh_reads_the_keys_and_their_public_halves(folder):
    ring = open_keyring(folder)
    for name, key in zip(SSH_KEYS, (ring.login_ca, ring.user_ca, ring.host_ca, ring.host), strict=True):
        done = subprocess.run(["ssh-keygen", "-y", "-f", folder / name], capture_output=True, text=True)
        assert done.stdout.split()[:2] == public_line(key).split(), done.stderr
        assert (folder / f"{name}.pub").read_text().startswith(public_line(key) + " ")
    assert private_pem(ring.host).startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")


# Refusing


@pytest.mark.parametrize("bits", [0o040, 0o004, 0o020, 0o077])
@pytest.mark.parametrize("name", [*SSH_KEYS, SEAL])
def test_a_key_that_others_may_use_is_refused_with_the_command_that_mends_it(folder, name, bits):
    path = folder / name
    path.chmod(0o600 | bits)
    assert refused(folder) == f"{path}: others may use it (mode 0{0o600 | bits:o}); run: chmod 0600 {path}"
    path.chmod(0o600)
    assert open_keyring(folder).made == ()


@pytest.mark.parametrize("bits", [0o750, 0o705, 0o770, 0o777])
def test_a_folder_that_others_may_use_is_refused_with_the_command_that_mends_it(folder, bits):
    folder.chmod(bits)
    assert refused(folder) == f"{folder}: others may use it (mode 0{bits:o}); run: chmod 0700 {folder}"


@pytest.mark.parametrize("content", [b"", b"not a key\n", b"\xff\xfe\0", b"ssh-ed25519 AAAA login-ca\n"])
@pytest.mark.parametrize("name", SSH_KEYS)
def test_a_key_file_that_holds_no_key_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    assert refused(folder).startswith(f"{folder / name}: not an OpenSSH private key without passphrase")


def test_a_key_with_a_passphrase_is_named(folder):
    path = folder / "login-ca"
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "secret words", "-f", path], check=True, capture_output=True
    )
    assert str(path) in refused(folder)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_key_of_another_kind_is_named(folder, kind):
    path = folder / "user-ca"
    path.unlink()
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True, capture_output=True, input=b"y"
    )
    assert refused(folder) == f"{path}: expected an ed25519 key"


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"3", b"\xff", b'{"kty": "oct", "k": "AAAA"}', b'{"kty": "OKP", "crv": "Ed25519"}'],
)
def test_a_seal_key_that_is_none_is_named(folder, content):
    (folder / SEAL).write_bytes(content)
    assert refused(folder).startswith(f"{folder / SEAL}: ")


def test_the_public_half_is_no_seal_key(folder):
    (folder / SEAL).write_text(json.dumps(published(folder)[0]))
    assert str(folder / SEAL) in refused(folder)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"keys": []}', b'{"keys": [{}]}', b'{"keys": 3}', b"\xff", b"3"]
)
def test_a_key_set_that_is_none_is_named(folder, content):
    (folder / SEAL_SET).write_bytes(content)
    assert refused(folder).startswith(f"{folder / SEAL_SET}: ")
    with pytest.raises(KeyringError, match=SEAL_SET):
        load_key_set(folder / SEAL_SET)


def test_a_key_set_that_gives_away_a_private_key_is_refused_and_not_spread(folder):
    (folder / SEAL_SET).write_text(json.dumps({"keys": [json.loads((folder / SEAL).read_text())]}))
    assert "private" in refused(folder)


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "keys").write_text("")
    assert str(tmp_path / "keys") in refused(tmp_path / "keys")


def test_a_folder_of_another_user_is_named():
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "keys"
        open_keyring(folder)
        folder.chmod(0)
        as_root = os.geteuid() == 0
        try:
            if as_root:
                os.seteuid(65534)
            assert refused(folder) == f"{folder}: cannot be used: Permission denied"
        finally:
            if as_root:
                os.seteuid(0)
            folder.chmod(0o700)


def test_a_key_that_is_a_folder_is_named(folder):
    (folder / "host").unlink()
    (folder / "host").mkdir(mode=0o700)
    assert str(folder / "host") in refused(folder)


def test_a_missing_signer_says_as_whom_to_run(tmp_path):
    with pytest.raises(KeyringError, match="the user that the bastion runs as"):
        load_signer(tmp_path)


# The auditors' set


def test_the_published_set_has_no_private_parts(folder):
    rotate_seal(folder)
    for key in published(folder):
        assert not PRIVATE_MEMBERS & set(key)
        assert (key["kty"], key["crv"]) == ("OKP", "Ed25519")
    secret = json.loads((folder / SEAL).read_text())["d"]
    assert secret not in (folder / SEAL_SET).read_text()


def test_a_rotation_keeps_every_old_public_key(folder):
    signers = [load_signer(folder)]
    for _ in range(3):
        old, new = rotate_seal(folder)
        assert old == signers[-1].kid
        signers.append(load_signer(folder))
        assert new == signers[-1].kid
    assert [key["kid"] for key in published(folder)] == [signer.kid for signer in reversed(signers)]
    keys = open_keyring(folder).seal_keys
    for signer in signers:
        assert keys.open_compact(signer.sign_compact(b"evidence")) == b"evidence"
    assert mode(folder / SEAL) == 0o600
    assert not list(folder.glob("*.new"))


def test_a_rotation_that_was_cut_short_can_be_done_again(folder):
    before = load_signer(folder).kid
    (folder / (SEAL + ".new")).write_text("half a k")
    old, new = rotate_seal(folder)
    assert (old, open_keyring(folder).seal.kid) == (before, new)


def test_a_set_published_before_its_key_was_kept_still_has_both(folder):
    # A rotation cut between its two writes: the set names a key that never came to be.
    rotated = folder.parent / "rotated"
    shutil.copytree(folder, rotated)
    rotate_seal(rotated)
    shutil.copy(rotated / SEAL_SET, folder / SEAL_SET)
    ring = open_keyring(folder)
    assert published(folder)[0]["kid"] == ring.seal.kid
    assert len(published(folder)) == 2


def test_a_lost_set_is_made_again_from_the_key_in_force(folder):
    (folder / SEAL_SET).unlink()
    ring = open_keyring(folder)
    assert [key["kid"] for key in published(folder)] == [ring.seal.kid]
    KeySet.from_json((folder / SEAL_SET).read_text())
