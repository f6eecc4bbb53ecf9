"""The door for answers over HTTP: short requests, a few at a time, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping

import pytest

from bastion.adapters import answers_http
from bastion.adapters.answers_http import BODY_BYTES, AnswerDoor
from bastion.addresses import Address
from bastion.errors import ServeError
from bastion.notices.answers import AnswerDesk, Reply


class Desk(AnswerDesk):
    """Takes everything."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Mapping[str, str], bytes]] = []

    async def signed(self, headers: Mapping[str, str], body: bytes, peer: str) -> Reply:
        self.taken.append((peer, headers, body))
        return Reply(status=200, said={"said": "taken"})

    async def slack(self, name: str, headers: Mapping[str, str], body: bytes, peer: str) -> Reply:
        self.taken.append((name, headers, body))
        return Reply(status=200, said={"text": "told elsewhere"})


class Door:
    def __init__(self) -> None:
        self.desk, self.noted = Desk(), list[tuple[str, str]]()
        self.door = AnswerDoor(self.desk, self.note)
        self.port = 0

    async def note(self, source: str, fault: str) -> None:
        self.noted.append((source, fault))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send bytes, and return the status and the body of the answer; the connection is closed then."""
        reader, writer = await self.connect()
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), body

    async def post(self, path: str, body: bytes = b"{}") -> tuple[int, bytes]:
        head = f"POST {path} HTTP/1.1\r\nHost: b\r\nX-Name: Value\r\nContent-Length: {len(body)}\r\n\r\n"
        return await self.ask(head.encode() + body)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    made.port = int((await made.door.open(Address(host="127.0.0.1", port=0))).rpartition(":")[2])
    yield made
    await made.door.close()


async def test_answers_and_slack_have_their_paths(door: Door) -> None:
    status, body = await door.post("/answers", b'{"a": 1}')
    assert (status, json.loads(body)) == (200, {"said": "taken"})
    assert await door.post("/slack/ops", b"payload=x") == (200, b"")
    (peer, headers, taken), (name, _headers, _taken) = door.desk.taken
    assert (peer, headers["x-name"], taken, name) == ("127.0.0.1", "Value", b'{"a": 1}', "ops")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"GET / HTTP/1.1", 404), (b"POST /answers/x HTTP/1.1", 404), (b"GET /answers HTTP/1.1", 405)],
)
async def test_there_is_nothing_else(door: Door, request_line: bytes, status: int) -> None:
    assert (await door.ask(request_line + b"\r\nHost: b\r\n\r\n"))[0] == status
    assert door.desk.taken == []


@pytest.mark.parametrize(
    "junk", [b"\x00\x01\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"GET " + b"x" * 20_000 + b"\r\n\r\n"]
)
async def test_what_is_no_http_is_400_and_not_in_the_journal(
    door: Door, junk: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await door.ask(junk))[0] == 400
    assert caplog.records == []


async def test_a_body_that_is_too_long_is_not_read_on(door: Door) -> None:
    head = b"POST /answers HTTP/1.1\r\nHost: b\r\nContent-Length: 100000000\r\n\r\n"
    status, _body = await door.ask(head + b"x" * (BODY_BYTES + 70_000))
    assert status == 413
    assert door.noted == [("127.0.0.1", "a body that is too long")]


async def test_whoever_is_slow_or_silent_is_let_go_of(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_http, "LIFE_S", 0.05)
    reader, writer = await door.connect()
    assert await asyncio.wait_for(reader.read(), 10) == b"", "one that says nothing"
    writer.close()
    monkeypatch.setattr(answers_http, "LIFE_S", 60.0)
    monkeypatch.setattr(answers_http, "REQUEST_S", 0.02)
    status, _body = await door.ask(b"POST /answers HTTP/1.1\r\nHost: b\r\nContent-Length: 10\r\n\r\nx")
    assert status == 408


async def test_connections_have_a_bound(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(answers_http, "CONNECTIONS", 3)
    opened = [await door.connect() for _ in range(3)]
    reader, writer = await door.connect()
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 10) == b""
    assert caplog.records == []
    for _reader, one in [*opened, (reader, writer)]:
        one.close()


async def test_one_connection_is_for_one_request(door: Door) -> None:
    one = b"POST /answers HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\n{}"
    await door.ask(one + one)
    assert len(door.desk.taken) == 1


async def test_an_address_that_is_taken_is_named(door: Door) -> None:
    with pytest.raises(ServeError, match=f"cannot listen on 127.0.0.1:{door.port}"):
        await AnswerDoor(Desk(), door.note).open(Address(host="127.0.0.1", port=door.port))
