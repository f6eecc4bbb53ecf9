"""Listen for answers to holds over HTTP: a few short requests, and nothing else.

A connection is for one request, which must have come in whole within REQUEST_S; then it is closed. There is no TLS: a
proxy before it has that, or it listens on loopback.

In      POST /answers; POST /slack/CHANNEL
Out     JSON with a status; for Slack, what the user is told also goes to the URL that it names
Holds   CONNECTIONS at once; BODY_BYTES of each; TELLING texts on their way to Slack
Errors  ServeError: the address cannot be listened on
Source  RFC 9110; Slack, Handling user interaction
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from bastion.adapters.webhook_http import post
from bastion.addresses import Address
from bastion.listening import bound_addresses, refused
from bastion.notices.answers import AnswerDesk, Reply
from bastion.notices.payload import slack_text
from bastion.tasks import Tasks

log = logging.getLogger("bastion.answers")

CONNECTIONS = 64
TELLING = 64
BODY_BYTES = 256 * 1024
REQUEST_S = 10.0
LIFE_S = 20.0  # of a connection: a request, and its answer
SLACK = "/slack/"
ANSWERS = "/answers"

Note = Callable[[str, str], Awaitable[None]]  # of a source, what it did wrong


class _Connections(web.Server):
    """Counts connections, and ends those that last too long."""

    def __init__(self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        silent = logging.getLogger("bastion.answers.http")
        silent.disabled = True  # whoever sends what is no HTTP would write the journal
        super().__init__(handle, access_log=None, logger=silent, keepalive_timeout=0.0, lingering_time=0.0)
        self._timers: dict[RequestHandler, asyncio.TimerHandle] = {}

    def accept(self) -> asyncio.BaseProtocol:
        """Return what serves one more connection, or drops it."""
        return self() if len(self._timers) < CONNECTIONS else _Dropping()

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._timers[handler] = asyncio.get_running_loop().call_later(LIFE_S, transport.abort)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        if (timer := self._timers.pop(handler, None)) is not None:
            timer.cancel()


class _Dropping(asyncio.BaseProtocol):
    """Drops a connection for which there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a socket
        transport.abort()


class AnswerDoor:
    """The listener, while it is open."""

    def __init__(self, desk: AnswerDesk, note: Note) -> None:
        self._desk = desk
        self._note = note
        self._tasks = Tasks()
        self._telling = asyncio.Semaphore(TELLING)
        self._http: _Connections | None = None
        self._server: asyncio.Server | None = None

    async def open(self, address: Address) -> str:
        """Listen, and return where; raise ServeError."""
        self._http = _Connections(self._serve)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._http.accept, address.host, address.port, backlog=CONNECTIONS
            )
        except OSError as error:
            raise refused(address, error) from error
        return ", ".join(bound_addresses([self._server]))

    async def close(self) -> None:
        """Take no more."""
        if self._server is not None and self._http is not None:
            self._server.close()
            await self._http.shutdown(1.0)
        await self._tasks.cancel()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        peer = str(request.remote or "nowhere")
        try:
            reply = await self._reply(request, peer)
        except (TimeoutError, web.RequestPayloadError, ConnectionError):
            reply = _reply(408, "the request did not come in whole in time")
        if reply.fault:
            await self._note(peer, reply.fault)
        if reply.tell is not None and not self._telling.locked():
            self._tasks.start(self._tell(*reply.tell), "tell a user of Slack")
        slack = request.path.startswith(SLACK) and reply.status == 200
        response = web.Response(
            status=reply.status,
            text="" if slack else json.dumps(reply.said) + "\n",
            content_type="application/json",
        )
        response.force_close()
        return response

    async def _reply(self, request: web.BaseRequest, peer: str) -> Reply:
        path = request.path
        if path != ANSWERS and not path.startswith(SLACK):
            return _reply(404, "there is nothing here", fault=f"asks for {request.method} {path[:64]!r}")
        if request.method != "POST":
            return _reply(405, "expected POST")
        async with asyncio.timeout(REQUEST_S):
            body = await _body(request)
        if body is None:
            return _reply(413, f"the body is longer than {BODY_BYTES} bytes", fault="a body that is too long")
        headers = {name.lower(): value for name, value in request.headers.items()}
        if path == ANSWERS:
            return await self._desk.signed(headers, body, peer)
        return await self._desk.slack(path.removeprefix(SLACK), headers, body, peer)

    async def _tell(self, url: str, text: str) -> None:
        told = {"response_type": "ephemeral", "replace_original": False, "text": slack_text(text)}
        async with self._telling:
            outcome = await post(url, json.dumps(told).encode(), {})
        if not outcome.delivered:
            log.warning("a user of Slack could not be told what came of an answer: it %s", outcome.said)


async def _body(request: web.BaseRequest) -> bytes | None:
    """Return the body, None if it is too long."""
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > BODY_BYTES:
            return None
    return bytes(body)


def _reply(status: int, said: str, fault: str = "") -> Reply:
    return Reply(status=status, said={"error": said}, fault=fault)
