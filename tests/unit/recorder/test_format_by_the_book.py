"""A verifier written from docs/recording-format.md alone accepts what the recorder writes, and nothing else.

The verifier (from `Broken` to `verify_by_the_book`) uses nothing of the recorder: where the page and the code
disagree, these tests fail.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import random
import re
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from recorder.events import Kind
from recorder.recording import Header, Recording
from recorder.recovery import checkpoint, recover
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store
from recorder.verify import verify

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "recording-format.md").read_text("utf-8")


class Broken(Exception):
    """Something does not hold."""


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


def h(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def read_msgpack(data: bytes, at: int = 0) -> tuple[Any, int]:
    """Return one MessagePack value and where it ends (msgpack.org, spec.md)."""
    tag, at = data[at], at + 1

    def number(form: str) -> tuple[Any, int]:
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)

    def items(count: int, at: int) -> tuple[list[Any], int]:
        found = []
        for _ in range(count):
            value, at = read_msgpack(data, at)
            found.append(value)
        return found, at

    def pairs(count: int, at: int) -> tuple[dict[Any, Any], int]:
        flat, at = items(2 * count, at)
        return dict(zip(flat[::2], flat[1::2], strict=True)), at

    if tag <= 0x7F or tag >= 0xE0:
        return (tag if tag <= 0x7F else tag - 256), at
    if tag <= 0x8F:
        return pairs(tag & 0x0F, at)
    if tag <= 0x9F:
        return items(tag & 0x0F, at)
    if tag <= 0xBF:
        return data[at : at + (tag & 0x1F)].decode(), at + (tag & 0x1F)
    if tag in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[tag], at
    sizes = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I",
             0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}  # fmt: skip
    if tag in sizes:
        count, at = number(sizes[tag])
        if tag >= 0xDC:
            return (items if tag <= 0xDD else pairs)(count, at)
        piece = data[at : at + count]
        return (piece if tag <= 0xC6 else piece.decode()), at + count
    scalars = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
               0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}  # fmt: skip
    return number(scalars[tag])


def public_keys(jwks: str) -> dict[str, Ed25519PublicKey]:
    """Return the auditor's keys by their RFC 7638 thumbprint."""
    keys = {}
    for jwk in json.loads(jwks)["keys"]:
        members = {name: jwk[name] for name in ("crv", "kty", "x")}
        thumbprint = h(json.dumps(members, separators=(",", ":"), sort_keys=True).encode())
        kid = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
        keys[kid] = Ed25519PublicKey.from_public_bytes(from_base64url(jwk["x"]))
    return keys


def signed(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def check_file(database: sqlite3.Connection) -> None:
    def schema(of: sqlite3.Connection) -> set[str]:
        rows = of.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master")
        return {re.sub(r"\s+", " ", " ".join(row)) for row in rows}

    book = sqlite3.connect(":memory:")
    book.executescript(PAGE.split("```sql\n")[1].split("```")[0])
    expect(schema(database) == schema(book), "the schema is another")
    pragmas = [
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    ]
    expect(pragmas == [1650553716, 1], "not this format")
    expect(database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "the file is damaged")


def check_audit(
    database: sqlite3.Connection, keys: dict[str, Ed25519PublicKey], witnessed: str | None
) -> list[dict[str, Any]]:
    """Return the payloads of the audit chain."""
    entries: list[dict[str, Any]] = []
    previous, at_before, heads = h(b"bastion-audit-v1\0"), 0, []
    for seq, at_us, kind, session, jws in database.execute(
        "SELECT seq, at_us, kind, session, jws FROM audit ORDER BY seq"
    ):
        first, payload, signature = jws.split(".")
        header, entry = json.loads(from_base64url(first)), json.loads(from_base64url(payload))
        expect(header["alg"] == "EdDSA" and header["kid"] in keys, f"entry {seq}: unknown key")
        message = f"{first}.{payload}".encode("ascii")
        expect(signed(keys[header["kid"]], from_base64url(signature), message), f"entry {seq}: signature")
        expect(seq == len(entries) + 1 and entry["prev"] == previous.hex(), f"entry {seq}: not next")
        columns = (entry["seq"], entry["at_us"], entry["kind"], entry["detail"].get("session"))
        expect(columns == (seq, at_us, kind, session), f"entry {seq}: columns")
        expect(at_us >= at_before, f"entry {seq}: dated before its forerunner")
        previous, at_before = h(jws.encode()), at_us
        heads.append(f"{seq}:{previous.hex()}")
        entries.append(entry)
    expect(witnessed is None or witnessed in heads, "the witnessed head is not there")
    return entries


def check_session(
    database: sqlite3.Connection,
    keys: dict[str, Ed25519PublicKey],
    row: dict[str, Any],
    entries: list[dict[str, Any]],
) -> None:
    session = row["id"]
    hashes = [h(b"bastion-session-v1\0" + session.encode())]
    events: list[list[Any]] = []
    stream, open_segment = None, 0
    for seq, segment, bytes_in, bytes_out, body, digest, signature in database.execute(
        "SELECT seq, segment, bytes_in, bytes_out, body, hash, signature FROM chunks"
        " WHERE session = ? ORDER BY seq",
        (session,),
    ):
        expect(seq == len(hashes), f"chunk {seq} does not follow")
        numbers = struct.pack(">QQQQ", seq, segment, bytes_in, bytes_out)
        linked = h(b"bastion-chunk-v1\0" + session.encode() + numbers + hashes[-1] + h(body))
        expect(digest == linked, f"chunk {seq}: hash")
        expect(any(signed(key, signature, digest) for key in keys.values()), f"chunk {seq}: signature")
        if segment == seq:
            stream, open_segment = zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj(), seq
        expect(stream is not None and segment == open_segment, f"chunk {seq}: segment")
        assert stream is not None
        raw = stream.decompress(body)
        found, end = read_msgpack(raw)
        expect(end == len(raw), f"chunk {seq}: more than one array")
        events += found
        hashes.append(linked)

    kinds = [event[1] for event in events]
    expect(kinds[0] == "open" and kinds.count("open") == 1 and events[0][4]["id"] == session, "header")
    expect("close" not in kinds[:-1], "it goes on after its end")
    expect(all(a[0] <= b[0] for a, b in itertools.pairwise(events)), "times run back")

    own = [entry for entry in entries if entry["detail"].get("session") == session]
    (opened,) = [entry for entry in own if entry["kind"] == "session.opened"]
    sealed = [entry for entry in own if entry["kind"] == "session.sealed"]
    expect(opened["detail"]["first"] == hashes[1].hex(), "not the first chunk that was witnessed")
    for entry in entries:
        if entry["kind"] == "recording.checkpoint" and session in entry["detail"]["heads"]:
            count, head = entry["detail"]["heads"][session]
            expect(len(hashes) > count and hashes[count].hex() == head, "a checkpoint saw another chunk")
    expect(len(sealed) == (kinds[-1] == "close"), "its end and its seal do not go together")
    for entry in sealed:
        ends = (entry["detail"]["chunks"], entry["detail"]["head"])
        expect(ends == (len(hashes) - 1, hashes[-1].hex()), "it does not end as sealed")
    expect(
        row == folded(events, sealed[0]["seq"] if sealed else None),
        "the row does not say what its events say",
    )


def folded(events: list[list[Any]], seal: int | None) -> dict[str, Any]:
    """Return the row that these events give."""
    header = events[0][4]
    row: dict[str, Any] = {
        name: header[name] for name in ("id", "identity", "owner", "target", "login", "started_us")
    }
    row |= {"state": "active", "ended_us": None, "exit_status": None, "exit_signal": None, "end_reason": None}
    row |= {
        "bytes_in": 0,
        "bytes_out": 0,
        "seal": seal,
        "claims": json.dumps(header["claims"], sort_keys=True),
        "exposure": "{}",
    }
    access: list[str] = []
    for at_us, kind, _channel, _data, detail in events:
        if kind == "request" and detail.get("access") and detail["access"] not in access:
            access.append(detail["access"])
        elif kind == "mask":
            counts = json.loads(row["exposure"])
            for name, _kind, action, *_place in detail["hits"]:
                counts[name] = {**counts.get(name, {}), action: counts.get(name, {}).get(action, 0) + 1}
            row["exposure"] = json.dumps(counts, sort_keys=True)
        elif kind == "exit":
            row |= {"exit_status": detail.get("status"), "exit_signal": detail.get("signal")}
        elif kind == "close":
            row |= {name: detail[name] for name in ("state", "bytes_in", "bytes_out")}
            row |= {"ended_us": row["started_us"] + at_us, "end_reason": detail["reason"]}
    return {**row, "access": ",".join(access)}


def verify_by_the_book(path: Path, jwks: str, head: str | None = None) -> int:
    """Return how many sessions hold; raise Broken, or whatever nonsense in the file leads to."""
    database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        keys = public_keys(jwks)
        check_file(database)
        entries = check_audit(database, keys, head)
        database.row_factory = sqlite3.Row
        rows = {row["id"]: dict(row) for row in database.execute("SELECT * FROM sessions")}
        database.row_factory = None
        opened = {entry["detail"]["session"] for entry in entries if entry["kind"] == "session.opened"}
        chunked = {name for (name,) in database.execute("SELECT DISTINCT session FROM chunks")}
        expect(opened == set(rows) and chunked == set(rows), "a session is gone, or was slipped in")
        for row in rows.values():
            check_session(database, keys, row, entries)
        return len(rows)
    finally:
        database.close()


# What the recorder writes, held against that.

IDS = [f"01JD000000000000000000000{number}" for number in range(1, 4)]


@pytest.fixture
def clock() -> Callable[[], int]:
    ticks = iter(range(1_700_000_000_000_000, 1_800_000_000_000_000, 1_000))
    return lambda: next(ticks)


@pytest.fixture
async def written(tmp_path: Path, clock: Callable[[], int]) -> tuple[Path, str, str]:
    """Return a file with a long closed, an interrupted and an active session, its JWK Set and its head."""
    old, new = Signer(generate_seal_key()), Signer(generate_seal_key())
    path = tmp_path / "recordings.sqlite"
    store = Store(path, old, now_us=clock)

    async def begin(name: str) -> Recording:
        header = Header(
            id=name, identity="orders-deployer", owner="dana@acme.example", target="web-1", login="deploy",
            started_us=store.now_us(), claims={"run_id": "42", "actor": "dän"}, certificate={"serial": 2**62},
            peer="192.0.2.7",
        )  # fmt: skip
        recording = Recording(store, header)
        await recording.open()
        await recording.append(
            [recording.event(Kind.REQUEST, 1, b"./deploy.sh \xff", access="exec", pty=False)]
        )
        return recording

    long, cut = await begin(IDS[0]), await begin(IDS[1])
    noise = random.Random(7)
    for _ in range(6):  # more than one segment, and nothing that compresses well
        await long.append([long.event(Kind.OUTPUT, 1, noise.randbytes(50_000))], bytes_in=3, bytes_out=50_000)
    await long.append([long.event(Kind.EXIT, 1, status=3)])
    await store.commit(lambda transaction: checkpoint(transaction, IDS[:2], {}))
    await long.close("the bot disconnected")
    await cut.append([cut.event(Kind.OUTPUT, 1, b"half an answ")], bytes_out=12)
    store.close()
    store = Store(path, new, now_us=clock)
    assert store.run_now(lambda transaction: recover(transaction, KeySet.of(new, old), "it died")) == [IDS[1]]
    await begin(IDS[2])
    head = (await store.audit("service.stopped", {})).head
    store.close()
    return path, json.dumps({"keys": [new.public_jwk(), old.public_jwk()]}), head


def changed(path: Path, *statements: str) -> Path:
    """Return a copy of the file in which these statements were run."""
    copy = path.with_name("copy.sqlite")
    copy.write_bytes(path.read_bytes())
    connection = sqlite3.connect(copy)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return copy


async def test_l8_a_stranger_can_verify_by_the_page_alone(written: tuple[Path, str, str]) -> None:
    path, jwks, head = written
    assert verify_by_the_book(path, jwks, head) == 3
    assert verify(path, KeySet.from_json(jwks)).problems == []


async def test_l8_a_flipped_byte_of_any_chunk_is_found_by_the_page_alone(
    written: tuple[Path, str, str],
) -> None:
    path, jwks, _head = written
    connection = sqlite3.connect(path)
    bodies = [body for (body,) in connection.execute("SELECT body FROM chunks WHERE length(body) < 3000")]
    connection.close()
    whole = path.read_bytes()
    places = [whole.find(body) + len(body) // 2 for body in bodies if whole.find(body) >= 0]
    assert len(places) > 5
    copy = path.with_name("flipped.sqlite")
    for place in places:
        copy.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(Broken):
            verify_by_the_book(copy, jwks)


@pytest.mark.parametrize(
    "statement",
    [
        f"DELETE FROM chunks WHERE session = '{IDS[0]}' AND seq = 3",
        f"DELETE FROM sessions WHERE id = '{IDS[0]}'",
        f"UPDATE sessions SET identity = 'someone-else' WHERE id = '{IDS[2]}'",
        f"UPDATE chunks SET bytes_out = 1 WHERE session = '{IDS[0]}' AND seq = 4",
        "DELETE FROM audit WHERE seq = 3",
        "UPDATE audit SET kind = 'service.started' WHERE seq = 5",
        "CREATE VIEW extra AS SELECT 1",
    ],
)
async def test_t42_tampering_is_found_by_the_page_alone(
    written: tuple[Path, str, str], statement: str
) -> None:
    path, jwks, _head = written
    with pytest.raises(Broken):
        verify_by_the_book(changed(path, statement), jwks)


async def test_t42_a_cut_back_file_is_found_by_a_witnessed_head(written: tuple[Path, str, str]) -> None:
    path, jwks, head = written
    copy = changed(path, f"DELETE FROM audit WHERE seq = {head.split(':')[0]}")
    assert verify_by_the_book(copy, jwks) == 3
    with pytest.raises(Broken):
        verify_by_the_book(copy, jwks, head)
