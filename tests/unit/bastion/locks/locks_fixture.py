"""Locks to test with, and who runs into them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bastion.locks.lock import Kind, Lock, Party, Subject

NOW = 1_000.0
PARTY = Party(
    identity="deployer",
    persons=frozenset({"dana@acme.example"}),
    run="deployer/8412",
    target="web-1",
    session="01SESSION",
)
NAMES = {
    Kind.IDENTITY: "deployer",
    Kind.PERSON: "dana@acme.example",
    Kind.TARGET: "web-1",
    Kind.SESSION: "01SESSION",
    Kind.RUN: "deployer/8412",
}


def lock(kind: Kind = Kind.IDENTITY, name: str | None = None, **fields: Any) -> Lock:
    """Return a lock by kim, on what PARTY is unless another name is given."""
    usual = Lock(
        id="L-AAAA",
        subject=Subject(kind=kind, name=NAMES[kind] if name is None else name),
        reason="token in a public log",
        by="kim@acme.example",
        how="kim over SSH from 192.0.2.7",
        at=NOW,
        until=None,
    )
    return replace(usual, **fields)
