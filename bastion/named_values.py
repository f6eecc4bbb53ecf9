"""Gather the values that are always masked: those that the operator names, and the bastion's own for its targets.

Of the private keys by which the bastion logs in to targets, each line of their text counts but the first, which many
keys have in common.

In      the [policy] table; the targets' key files; the folder of keys
Out     policies.masking.named.Named
Errors  ValueError for a file or a hash that cannot be used, KeyringError for the key of hashes; neither tells a value
Source  docs/masking.md, "Known values"
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from bastion.errors import KeyringError
from policies.masking.named import Named

VALUE_KEY = "values.key"
KEY_BYTES = 32
LEAST_LINE = 24  # characters of a private key's line that tell it from other text


def named_values(
    *, file: Path | None, hashes: Iterable[str], keys: Path, key_files: Iterable[Path], hashed: bool
) -> Named:
    """Return the values; `hashed` says that a policy has hashes too, so that their key is needed."""
    hashes = frozenset(hashes)
    key = read_value_key(keys) if hashes or hashed else b""
    values = {line for path in key_files for line in _key_lines(path)}
    if file is not None:
        values |= set(_listed(file))
    named = Named(values=frozenset(values), hashes=hashes, key=key)
    named.detectors()
    return named


def value_key(folder: Path) -> bytes:
    """Return the key by which values are hashed, made if there is none; raise KeyringError."""
    path = folder / VALUE_KEY
    if not path.exists():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(path, "x", opener=partial(os.open, mode=0o600)) as file:
                file.write(secrets.token_bytes(KEY_BYTES).hex() + "\n")
        except OSError as error:
            raise KeyringError(f"{path}: cannot be made: {error.strerror}") from error
    return read_value_key(folder)


def read_value_key(folder: Path) -> bytes:
    """Return the key by which values are hashed; raise KeyringError."""
    path = folder / VALUE_KEY
    try:
        _check_closed(path)
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise KeyringError(
            f"{path}: is no key of hashed values ({error}); `bastion hash-value` makes it"
        ) from error
    if len(key) != KEY_BYTES:
        raise KeyringError(f"{path}: has {len(key)} bytes, expected {KEY_BYTES}")
    return key


def listed_values(text: bytes) -> list[bytes]:
    """Return the values of a file, one a line."""
    lines = (line.strip(b"\r") for line in text.split(b"\n"))
    return [line for line in lines if line and not line.startswith(b"#")]


def _listed(file: Path) -> list[bytes]:
    try:
        _check_closed(file)
        return listed_values(file.read_bytes())
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror})") from error


def _check_closed(path: Path) -> None:
    """Raise ValueError if others than its owner may use a file."""
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"{path} can be used by others than its owner: chmod 600 it")


def _key_lines(path: Path) -> Iterator[bytes]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return  # which is told where the key is needed
    body = [line.strip() for line in lines if line.strip() and not line.startswith(b"-----")]
    yield from (line for line in body[1:] if len(line) >= LEAST_LINE)
