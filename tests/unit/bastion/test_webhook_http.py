"""What is posted is signed, and what came of it is said without a secret."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bastion.adapters import webhook_http
from bastion.adapters.webhook_http import slack, webhook
from bastion.notices.outbox import Delivery
from bastion.notices.signing import check_signed
from tests.unit.bastion.notices.notices_fixture import NOW, asked

KEY = b"0123456789abcdef0123456789abcdef"
DELIVERY = Delivery(id="msg_1", channel="ops", queued_at=NOW, attempts=0, notice=asked())


@asynccontextmanager
async def server(
    status: int = 200, *, hangs: bool = False
) -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """Yield the URL of a server, and what it was sent."""
    found: list[tuple[dict[str, str], bytes]] = []

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        found.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        if hangs:
            await asyncio.Event().wait()
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/elsewhere"})

    http = web.Server(serve)
    listening = await asyncio.get_running_loop().create_server(http, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/secret-token", found
    listening.close()
    await http.shutdown(0.1)


async def test_a_webhook_is_posted_signed() -> None:
    async with server() as (url, found):
        outcome = await webhook(url, KEY, "bastion.example.com").carry(DELIVERY, NOW)
    assert (outcome.delivered, outcome.said) == (True, "answered with status 200")
    ((headers, body),) = found
    assert check_signed(KEY, headers, body, NOW) == "msg_1"
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["data"]["bastion"] == "bastion.example.com"


async def test_slack_is_posted_blocks() -> None:
    async with server() as (url, found):
        assert (await slack(url, buttons=True).carry(DELIVERY, NOW)).delivered
    assert "blocks" in json.loads(found[0][1])


@pytest.mark.parametrize(("status", "again"), [(500, True), (429, True), (404, False), (302, True)])
async def test_what_is_not_taken_is_said_with_its_status(status: int, again: bool) -> None:
    async with server(status) as (url, found):
        outcome = await webhook(url, KEY, "b").carry(DELIVERY, NOW)
    assert (outcome.delivered, outcome.again, outcome.said) == (
        False,
        again,
        f"answered with status {status}",
    )
    assert len(found) == 1, "a redirection is not followed"


async def test_a_far_end_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_http, "POST_S", 0.05)
    async with server(hangs=True) as (url, _found):
        outcome = await webhook(url, KEY, "b").carry(DELIVERY, NOW)
    assert (outcome.delivered, outcome.again, outcome.said) == (False, True, "did not answer within 0.05 s")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/secret-token",
        "http://no-such-host.invalid/secret-token",
        "https://127.0.0.1:1/secret-token",
    ],
)
async def test_what_cannot_be_reached_is_said_without_the_url(url: str) -> None:
    outcome = await webhook(url, KEY, "b").carry(DELIVERY, NOW)
    assert not outcome.delivered
    assert outcome.said.startswith("cannot be reached: ")
    assert "secret-token" not in outcome.said
