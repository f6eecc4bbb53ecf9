"""Hand a worker what it needs to begin or to change, so that all processes go by the very same content.

A worker reads no configuration and no key by itself: files change. What the supervisor has read and checked passes in
memory that has no name; only the two processes can reach it.

In      a configuration, the key files of its issuers; at the beginning the bastion's own keys and the time
Out     an open file, and from it the same again
Source  memfd_create(2)
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bastion.settings import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What a worker goes by; `keys` (packed), `grant_key` and `now_us` are for its beginning."""

    config: Config
    key_files: Mapping[str, bytes]
    worker: int = 0
    now_us: int = 0
    grant_key: bytes = b""
    keys: Mapping[str, Any] | None = None


def give(handover: Handover) -> int:
    """Return an open file that holds it."""
    file = os.memfd_create("bastion-handover")
    with os.fdopen(os.dup(file), "wb") as out:
        pickle.dump(handover, out)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def take(file: int) -> Handover:
    """Return what the supervisor has put into an open file, and close that."""
    with os.fdopen(file, "rb") as source:
        handover: Handover = pickle.load(source)  # noqa: S301 - nobody but the supervisor can have written it
    return handover
