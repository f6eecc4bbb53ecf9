"""Gather the shipped detectors, and choose among them.

In      kinds and names
Out     detectors in a fixed order; one Compiled for each choice
Errors  DetectorInvalid; ValueError for a kind or a name that there is not
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from policies.masking import (
    personal_contact,
    personal_numbers,
    secrets_carried,
    secrets_cloud,
    secrets_forges,
    secrets_hashes,
    secrets_named,
    secrets_services,
)
from policies.masking.compiled import KEY, TABLE, Compiled
from policies.masking.detector import Detector, Kind, made

PRIVATE_KEY = Detector(
    name="private-key",
    kind=Kind.SECRET,
    title="Private key, from the line after its header to its last line",
    pattern="",
    matches=(f"-----BEGIN RSA PRIVATE KEY-----\n{made(64)}\n{made(20)}\n-----END RSA PRIVATE KEY-----\n",),
    misses=("-----BEGIN RSA PRIVATE KEY-----\nno key here\n",),
    source="RFC 7468; RFC 1421; RFC 4880; OpenSSH, PuTTY",
    rank=0,
)
COLUMN = Detector(
    name="secret-column",
    kind=Kind.SECRET,
    title="Value in a table's column, or on the line after a name, that is called as a secret is",
    pattern="",
    matches=(" id | password \n----+----------\n 1 | hunter2\n", "- name: DB_PASSWORD\n  value: hunter2\n"),
    misses=(" id | name \n----+------\n 1 | hunter2\n",),
    source="psql, mysql, kubectl; RFC 4180; Kubernetes",
    rank=80,
)

DETECTORS: tuple[Detector, ...] = (
    PRIVATE_KEY,
    *secrets_cloud.DETECTORS,
    *secrets_forges.DETECTORS,
    *secrets_services.DETECTORS,
    *secrets_carried.DETECTORS,
    *secrets_hashes.DETECTORS,
    *secrets_named.DETECTORS,
    COLUMN,
    *personal_contact.DETECTORS,
    *personal_numbers.DETECTORS,
)


def choose(kinds: Iterable[str] | None = None, names: Iterable[str] | None = None) -> frozenset[str]:
    """Return the names of the detectors of these kinds and names; of all that are on by default without either."""
    if kinds is None and names is None:
        return frozenset(it.name for it in DETECTORS if it.default)
    known = {it.name for it in DETECTORS}
    chosen: set[str] = set()
    for kind in kinds or ():
        word = kind.removesuffix("s")
        if word not in [it.value for it in Kind]:
            raise ValueError(f"there is no kind {kind!r}: expected secret or personal")
        chosen |= {it.name for it in DETECTORS if it.kind == word and it.default}
    for name in names or ():
        if name not in known:
            raise ValueError(f"there is no detector {name!r}: bastion redact --list names them all")
        chosen.add(name)
    return frozenset(chosen)


@lru_cache(maxsize=64)
def compiled(names: frozenset[str]) -> Compiled:
    """Return these detectors, compiled; the same object for the same names."""
    return compiled_with(names, ())


def compiled_with(names: frozenset[str], known: Iterable[Detector]) -> Compiled:
    """Return these detectors and those of known values, compiled anew: no cache keeps the values."""
    chosen = [*known]
    chosen += [it for it in DETECTORS if it.name in names and it.pattern]
    structures = {KEY: PRIVATE_KEY, TABLE: COLUMN}
    return Compiled(chosen, {number: it for number, it in structures.items() if it.name in names})
