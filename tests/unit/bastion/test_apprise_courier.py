"""Apprise runs in a process of its own, which is killed if it hangs; what it says has no secret in it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bastion.adapters import apprise_courier
from bastion.adapters.apprise_courier import AppriseCourier
from bastion.notices.outbox import Delivery
from tests.unit.bastion.notices.notices_fixture import NOW, asked

DELIVERY = Delivery(id="msg_1", channel="ops", queued_at=NOW, attempts=0, notice=asked("echo '<!channel>' é"))


@contextmanager
def server(status: int = 200) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the port of a server, and the bodies that it was sent."""
    found: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield http.server_port, found
    http.shutdown()
    thread.join()
    http.server_close()


async def test_a_message_is_sent_and_the_process_kept_for_the_next() -> None:
    with server() as (port, found):
        courier = AppriseCourier([f"ntfy://127.0.0.1:{port}/secret-topic"])
        outcome = await courier.carry(DELIVERY, NOW)
        process = courier._process
        assert (outcome.delivered, outcome.said) == (True, "ntfy took it")
        assert (await courier.carry(replace(DELIVERY, id="msg_2"), NOW)).delivered
        assert courier._process is process
        await courier.close()
    assert len(found) == 2
    assert "› echo '<!channel>' é".encode() in found[0] or b"\\u00e9" in found[0]
    assert process is not None
    assert process.returncode is not None


async def test_what_is_not_taken_is_said_with_a_status_and_without_the_url() -> None:
    with server(403) as (port, _found):
        courier = AppriseCourier([f"gotify://127.0.0.1:{port}/Asecrettoken"])
        outcome = await courier.carry(DELIVERY, NOW)
        await courier.close()
    assert (outcome.delivered, outcome.again) == (False, True)
    assert outcome.said == "Gotify answered with status 403"


async def test_of_several_services_those_that_took_it_are_not_sent_it_again() -> None:
    with server() as (first, found), server(500) as (second, again):
        courier = AppriseCourier([f"json://127.0.0.1:{first}/a", f"json://127.0.0.1:{second}/b"])
        assert not (await courier.carry(DELIVERY, NOW)).delivered
        assert not (await courier.carry(DELIVERY, NOW)).delivered
        await courier.close()
    assert (len(found), len(again)) == (1, 2)


async def test_a_service_that_hangs_is_killed_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        courier = AppriseCourier([f"json://127.0.0.1:{silent.getsockname()[1]}/?rto=600"])
        await courier.unknown()  # it has begun, and waits for the next
        process = courier._process
        monkeypatch.setattr(apprise_courier, "SEND_S", 0.3)
        outcome = await courier.carry(DELIVERY, NOW)
    assert (outcome.delivered, outcome.said) == (False, "did not answer within 0.3 s")
    assert process is not None
    assert process.returncode == -9
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


async def test_urls_that_apprise_does_not_know_are_named_by_number() -> None:
    courier = AppriseCourier(["json://127.0.0.1/", "pigeon://secret", "mailto://"])
    assert await courier.unknown() == [2, 3]
    await courier.close()
