"""Keep the bastion's keys: four authorities, each for one thing, and its host key.

login-ca   signs bots' and people's certificates; only the bastion trusts it
user-ca    signs the certificate that opens one target for one session; targets trust it
host-ca    signs host certificates for the bastion and the target names; bots trust it
seal       signs evidence; auditors trust it (`seal.jwks` holds the public halves, retired ones included)
host       the bastion's own host key, certified by host-ca

Out     keys, from a folder of mode 0700 and files of mode 0600; missing ones are made
Errors  KeyringError, which names the file
Source  OpenSSH PROTOCOL.key; RFC 7517
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from bastion.errors import KeyringError
from recorder.errors import KeySetError
from recorder.seal import KeySet, Signer, generate_seal_key

SSH_KEYS = ("login-ca", "user-ca", "host-ca", "host")
SEAL = "seal.jwk"
SEAL_SET = "seal.jwks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys in memory, and which of them were made just now (for the audit chain)."""

    folder: Path
    login_ca: Ed25519PrivateKey
    user_ca: Ed25519PrivateKey
    host_ca: Ed25519PrivateKey
    host: Ed25519PrivateKey
    seal: Signer
    seal_keys: KeySet
    made: tuple[str, ...]


def open_keyring(folder: Path) -> Keyring:
    """Load every key, making those that are missing; raise KeyringError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(folder)
        (folder / SEAL).exists()  # fails where the folder is another user's
    except OSError as error:
        raise KeyringError(f"{folder}: cannot be used: {error.strerror}") from error
    made: list[str] = []
    keys = {name: _ssh_key(folder / name, name, made) for name in SSH_KEYS}
    signer = _seal_key(folder, made)
    return Keyring(
        folder=folder,
        login_ca=keys["login-ca"],
        user_ca=keys["user-ca"],
        host_ca=keys["host-ca"],
        host=keys["host"],
        seal=signer,
        seal_keys=load_key_set(folder / SEAL_SET),
        made=tuple(made),
    )


def pack_keyring(ring: Keyring) -> Mapping[str, bytes | str]:
    """Return the keys themselves, for another process of the same service: the files may change meanwhile."""
    keys = {"login_ca": ring.login_ca, "user_ca": ring.user_ca, "host_ca": ring.host_ca, "host": ring.host}
    return {
        "folder": str(ring.folder),
        "seal": ring.seal.private_jwk(),
        "seal_keys": ring.seal_keys.to_json(),
        **{name: private_pem(key) for name, key in keys.items()},
    }


def unpack_keyring(packed: Mapping[str, Any]) -> Keyring:
    """Return the keys that another process has packed."""
    names = ("login_ca", "user_ca", "host_ca", "host")
    keys = {name: load_ssh_private_key(packed[name], password=None) for name in names}
    return Keyring(
        folder=Path(packed["folder"]),
        seal=Signer(packed["seal"]),
        seal_keys=KeySet.from_json(packed["seal_keys"]),
        made=(),
        **{name: key for name, key in keys.items() if isinstance(key, Ed25519PrivateKey)},
    )


def load_key_set(path: Path) -> KeySet:
    """Load the auditor's JWK Set; raise KeyringError, also when it gives away a private key."""
    try:
        text = path.read_text()
        keys = KeySet.from_json(text)
        if any("d" in entry for entry in _entries(text)):
            raise KeyringError(f"{path}: it holds a private key; this file is for public ones: remove its d")
        return keys
    except KeySetError as error:
        raise KeyringError(f"{path}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise KeyringError(f"{path}: cannot be read: {error}") from error


def load_signer(folder: Path) -> Signer:
    """Load the seal key alone, for a command that must leave a trace of what it reads; raise KeyringError."""
    path = folder / SEAL
    try:
        return Signer(path.read_text())
    except (KeySetError, TypeError) as error:
        raise KeyringError(f"{path}: not a private Ed25519 JWK: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise KeyringError(
            f"{path}: cannot be read ({error}); reading evidence is recorded, so it needs the seal key:"
            " run this as the user that the bastion runs as"
        ) from error


def rotate_seal(folder: Path) -> tuple[str, str]:
    """Make a new seal key, keep the old one's public half in the set, and return (old kid, new kid)."""
    old = load_signer(folder).kid
    text = generate_seal_key()
    new = Signer(text)
    _write_set(folder, new)
    _replace(folder / SEAL, text.encode(), mode=0o600)
    return old, new.kid


def public_line(key: Ed25519PrivateKey) -> str:
    """Return the public half as `ssh-ed25519 BASE64`."""
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def private_pem(key: Ed25519PrivateKey) -> bytes:
    """Return the private key in OpenSSH's own format."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def fresh_key() -> Ed25519PrivateKey:
    """Return a new key that lives in memory only (one for each upstream connection)."""
    return Ed25519PrivateKey.generate()


def _ssh_key(path: Path, name: str, made: list[str]) -> Ed25519PrivateKey:
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        _write_private(path, private_pem(key))
        _replace(path.with_name(path.name + ".pub"), f"{public_line(key)} {name}\n".encode(), mode=0o644)
        made.append(name)
        return key
    _check_private(path)
    try:
        loaded = load_ssh_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyringError(f"{path}: not an OpenSSH private key without passphrase: {error}") from error
    if not isinstance(loaded, Ed25519PrivateKey):
        raise KeyringError(f"{path}: expected an ed25519 key")
    return loaded


def _seal_key(folder: Path, made: list[str]) -> Signer:
    path = folder / SEAL
    if not path.exists():
        text = generate_seal_key()
        _write_private(path, text.encode())
        made.append("seal")
    _check_private(path)
    signer = load_signer(folder)
    _write_set(folder, signer)
    return signer


def _write_set(folder: Path, signer: Signer) -> None:
    """See that the public set holds this signer's key, first, before those it retired."""
    path = folder / SEAL_SET
    entries: list[dict[str, str]] = []
    if path.exists():
        load_key_set(path)
        entries = _entries(path.read_text())
    if entries and entries[0].get("kid") == signer.kid:
        return
    entries = [signer.public_jwk(), *(entry for entry in entries if entry.get("kid") != signer.kid)]
    _replace(path, json.dumps({"keys": entries}, indent=2).encode() + b"\n", mode=0o644)


def _entries(text: str) -> list[dict[str, str]]:
    """Return the keys of a JWK Set, or the one key that stands alone."""
    document = json.loads(text)
    keys: list[dict[str, str]] = document.get("keys", [document])
    return keys


def _write_private(path: Path, data: bytes) -> None:
    try:
        _write_new(path, data, 0o600)
    except OSError as error:
        raise KeyringError(f"{path}: cannot be written: {error.strerror}") from error


def _replace(path: Path, data: bytes, *, mode: int) -> None:
    """Put a file in place of another in one step, so that a crash leaves the one or the other whole."""
    beside = path.with_name(path.name + ".new")
    try:
        beside.unlink(missing_ok=True)  # what a crash has left
        _write_new(beside, data, mode)
        beside.replace(path)
    except OSError as error:
        raise KeyringError(f"{path}: cannot be written: {error.strerror}") from error


def _write_new(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _check_private(path: Path) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise KeyringError(f"{path}: cannot be looked at: {error.strerror}") from error
    if mode & 0o077:
        want = "0700" if path.is_dir() else "0600"
        raise KeyringError(f"{path}: others may use it (mode {mode:04o}); run: chmod {want} {path}")
