"""What an earlier service left open is ended on the record by the next one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.errors import StoreError
from recorder.evidence import Evidence
from recorder.past import end_lost_holds
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store, Transaction


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(
        tmp_path / "recordings.sqlite", Signer(generate_seal_key()), now_us=lambda: 1_795_000_000_000_000
    )
    yield opened
    opened.close()


def happened(store: Store, *entries: tuple[str, dict[str, Any]]) -> None:
    def work(transaction: Transaction) -> None:
        for kind, detail in entries:
            transaction.audit(kind, detail)

    store.run_now(work)


def asked(hold: str, session: str | None = "S1") -> tuple[str, dict[str, Any]]:
    whose = {} if session is None else {"session": session}
    return "hold.asked", {**whose, "hold": hold, "binding": "b", "identity": "deployer", "rules": ["r"]}


def ended(hold: str, session: str | None = "S1") -> tuple[str, dict[str, Any]]:
    whose = {} if session is None else {"session": session}
    return "hold.ended", {**whose, "hold": hold, "state": "approved", "reason": "by kim"}


def test_t37_holds_that_were_left_open_end_as_cancelled_once(store: Store) -> None:
    happened(
        store,
        ("service.started", {}),
        asked("H-0001"),
        ended("H-0001"),
        asked("H-0002"),
        asked("H-0003", "S2"),
        asked("H-0005", None),
        ended("H-0005", None),
        asked("H-0006", None),
    )
    lost = store.run_now(lambda transaction: end_lost_holds(transaction, "killed"))
    assert [(one["hold"], one["identity"], one["reason"]) for one in lost] == [
        ("H-0002", "deployer", "killed"),
        ("H-0003", "deployer", "killed"),
        ("H-0006", "deployer", "killed"),
    ]
    evidence = Evidence(store.path, KeySet.of(store.signer))
    ends = [entry.detail for entry in evidence.audit() if entry.kind == "hold.ended"][2:]
    evidence.close()
    assert [(one.get("session"), one["hold"], one["state"], one["binding"]) for one in ends] == [
        ("S1", "H-0002", "cancelled", "b"),
        ("S2", "H-0003", "cancelled", "b"),
        (None, "H-0006", "cancelled", "b"),
    ]
    again = store.run_now(lambda transaction: end_lost_holds(transaction, "killed"))
    assert again == []


def test_what_was_asked_ahead_of_an_earlier_start_is_not_looked_for_again(store: Store) -> None:
    happened(store, ("service.started", {}), asked("H-0001", None), ("service.started", {}))
    assert store.run_now(lambda transaction: end_lost_holds(transaction, "killed")) == []


def test_an_entry_that_was_altered_is_named_as_such(store: Store) -> None:
    happened(store, ("service.started", {}), asked("H-0001"))
    alter = "UPDATE audit SET jws = 'x.e30.y' WHERE kind = 'hold.asked'"
    store.run_now(lambda transaction: transaction.connection.execute(alter))
    with pytest.raises(StoreError, match="an audit entry was altered"):
        store.run_now(lambda transaction: end_lost_holds(transaction, "killed"))
