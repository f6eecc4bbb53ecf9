"""The audit chain: each entry signed, each linked to the one before it, by whichever process wrote it."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from recorder import audit
from recorder.audit import AuditError, AuditReader, Entry
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store_schema import create_schema

SIGNER = Signer(generate_seal_key())
KEYS = KeySet.of(SIGNER)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    create_schema(made)
    yield made
    made.close()


def rows(connection: sqlite3.Connection) -> list[Any]:
    return connection.execute("SELECT seq, at_us, kind, session, jws FROM audit ORDER BY seq").fetchall()


def read(connection: sqlite3.Connection, keys: KeySet = KEYS) -> list[Entry]:
    reader = AuditReader(keys)
    return [reader.read(row) for row in rows(connection)]


def three(connection: sqlite3.Connection, signer: Signer = SIGNER) -> list[Entry]:
    return [
        audit.append(connection, signer, "service.started", {"listen": ["x"]}, 10),
        audit.append(connection, signer, "session.opened", {"session": "01JD1", "identity": "bot"}, 20),
        audit.append(connection, signer, "evidence.read", {"by": "dana"}, 30),
    ]


def payload(jws: str) -> dict[str, Any]:
    part = jws.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def test_entries_read_back_as_they_were_appended_each_linked_to_the_last(
    connection: sqlite3.Connection,
) -> None:
    entries = three(connection)
    assert read(connection) == entries
    texts = [row[4] for row in rows(connection)]
    assert [payload(text)["prev"] for text in texts] == [
        audit.FIRST_PREVIOUS,
        entries[0].hash,
        entries[1].hash,
    ]
    assert entries[2].head == f"3:{audit.entry_hash(texts[2])}"


def test_l8_processes_that_take_turns_write_one_chain(connection: sqlite3.Connection) -> None:
    """The server and the commands each append; a rotation may lie between them."""
    new = Signer(generate_seal_key())
    for at, signer in enumerate([SIGNER, new, SIGNER, new]):
        audit.append(connection, signer, "evidence.read", {"by": "dana"}, at)
    assert [entry.seq for entry in read(connection, KeySet.of(new, SIGNER))] == [1, 2, 3, 4]
    with pytest.raises(
        AuditError, match="audit entry 1 was altered: signed by a key that is not in the key set"
    ):
        read(connection, KeySet.of(new))


def test_t43_an_entry_is_never_dated_before_the_last(connection: sqlite3.Connection) -> None:
    audit.append(connection, SIGNER, "service.started", {}, 1_000)
    assert audit.append(connection, SIGNER, "service.stopped", {}, 5).at_us == 1_000
    assert len(read(connection)) == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("UPDATE audit SET at_us = at_us + 1 WHERE seq = 2", "entry 2 was altered: its columns"),
        ("UPDATE audit SET kind = 'session.sealed' WHERE seq = 2", "entry 2 was altered: its columns"),
        ("UPDATE audit SET session = '01JD2' WHERE seq = 2", "entry 2 was altered: its columns"),
        ("UPDATE audit SET session = '01JD2' WHERE seq = 1", "entry 1 was altered: its columns"),
        ("UPDATE audit SET jws = (SELECT jws FROM audit WHERE seq = 1) WHERE seq = 2", "entry 2 was altered"),
        ("UPDATE audit SET jws = x'00' WHERE seq = 2", "entry 2 was altered"),
        ("UPDATE audit SET jws = '' WHERE seq = 2", "entry 2 was altered"),
        ("UPDATE audit SET jws = 'a.b.c' WHERE seq = 2", "entry 2 was altered"),
        ("DELETE FROM audit WHERE seq = 1", "entry 1 is missing"),
        ("DELETE FROM audit WHERE seq = 2", "entry 2 is missing"),
        ("UPDATE audit SET seq = 9 WHERE seq = 2", "entry 2 is missing"),
    ],
)
def test_t42_an_entry_that_was_altered_or_removed_is_named(
    connection: sqlite3.Connection, change: str, complaint: str
) -> None:
    three(connection)
    connection.execute(change)
    with pytest.raises(AuditError, match=complaint):
        read(connection)


def forged(connection: sqlite3.Connection, **changes: Any) -> None:
    """Replace entry 3 by one that the seal key has signed, but that does not fit."""
    _seq, _at, _kind, _session, jws = rows(connection)[2]
    body = {**payload(jws), **changes}
    connection.execute(
        "UPDATE audit SET at_us = ?, jws = ? WHERE seq = 3",
        (body["at_us"], SIGNER.sign_compact(json.dumps(body).encode())),
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"prev": "0" * 64}, "entry 3 does not follow the entry before it"),
        ({"at_us": 15}, "entry 3 is dated before the entry it follows"),
        ({"seq": 4}, "its columns do not say what its signature says"),
        ({"detail": []}, "entry 3 was altered"),
        ({"detail": {"session": "01JD9"}}, "its columns do not say what its signature says"),
    ],
)
def test_t42_an_entry_signed_out_of_place_is_named(
    connection: sqlite3.Connection, changes: dict[str, Any], complaint: str
) -> None:
    three(connection)
    forged(connection, **changes)
    with pytest.raises(AuditError, match=complaint):
        read(connection)


def test_t42_a_chain_spliced_from_another_store_does_not_follow(connection: sqlite3.Connection) -> None:
    other = sqlite3.connect(":memory:", isolation_level=None)
    create_schema(other)
    audit.append(other, SIGNER, "service.started", {"listen": ["elsewhere"]}, 10)
    three(connection)
    second = audit.append(other, SIGNER, "evidence.read", {"by": "dana"}, 20)
    connection.execute("DELETE FROM audit WHERE seq = 2")
    connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?)", rows(other)[1])
    other.close()
    assert second.seq == 2
    with pytest.raises(AuditError, match="entry 2 does not follow the entry before it"):
        read(connection)


def test_t42_the_last_entry_has_one_spelling_only(connection: sqlite3.Connection) -> None:
    """No later entry vouches for its text: bits that base64url ignores would change its head unseen."""
    three(connection)
    text = rows(connection)[2][4]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters[letters.index(text[-1]) ^ 1]  # 64 bytes of signature leave 4 bits over
    protected, body, signature = text.split(".")
    spellings = [
        text[:-1] + last,
        text + "=",
        text + "\n",
        json.dumps({"protected": protected, "payload": body, "signature": signature}),
        json.dumps({"protected": protected, "payload": body, "signature": signature, "header": {"note": 1}}),
    ]
    for spelling in spellings:
        connection.execute("UPDATE audit SET jws = ? WHERE seq = 3", (spelling,))
        with pytest.raises(AuditError, match="entry 3 was altered"):
            read(connection)


def test_one_break_is_told_once_and_what_is_genuine_after_it_is_still_read(
    connection: sqlite3.Connection,
) -> None:
    three(connection)
    connection.execute("UPDATE audit SET jws = jws || 'x' WHERE seq = 1")
    reader = AuditReader(KEYS)
    looked = [reader.look(row) for row in rows(connection)]
    assert [bool(faults) for _entry, faults in looked] == [True, False, False]
    assert [entry.kind for entry, _faults in looked if entry] == ["session.opened", "evidence.read"]
    connection.execute("DELETE FROM audit WHERE seq = 2")
    reader = AuditReader(KEYS)
    looked = [reader.look(row) for row in rows(connection)][1:]
    assert looked[0][0] is not None
    assert looked[0][1] == ["audit entry 2 is missing (found audit entry 3 in its place)"]
