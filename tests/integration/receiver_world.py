"""Be the other end of notifications: a small HTTP server that checks signatures and answers, written from the docs.

Nothing here is the bastion's own code: signatures are made and checked as Standard Webhooks and Slack describe them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.integration.conftest import World

WEBHOOK_KEY = "whsec_" + base64.b64encode(b"a key of the webhook, 32 bytes..").decode()
KIM_KEY = "kim-s-own-key-for-answers-0123456789"
DANA_KEY = "dana-s-own-key-for-answers-0123456789"
SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@dataclass(slots=True)
class Received:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded


@dataclass(slots=True)
class Receiver:
    """What has come to the server, and how it answers: `status` may be changed at any time."""

    url: str = ""
    status: int = 200
    requests: list[Received] = field(default_factory=list)

    def of(self, kind: str, path: str = "/hook") -> list[dict[str, Any]]:
        """Return the payloads of one type, as a webhook gets them, each with a signature that holds."""
        found = [one for one in self.requests if one.path == path]
        assert all(map(signature_holds, found))
        return [one.json for one in found if one.json["type"] == kind]

    def slack(self) -> list[dict[str, Any]]:
        return [one.json for one in self.requests if one.path == "/slack-hook"]


def signature_holds(received: Received) -> bool:
    """Check a request as the Standard Webhooks specification says."""
    headers = received.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + received.body
    key = base64.b64decode(WEBHOOK_KEY.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    recent = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return recent and f"v1,{expected}" in headers["webhook-signature"].split(" ")


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Yield a server that takes everything, on a free port of this machine."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if receiver.status == 200:
                receiver.requests.append(Received(self.path, headers, body))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def channels(receiver: Receiver, folder: Path, port: int, more: str = "") -> Callable[[str], str]:
    """Return what adds a webhook, a Slack channel and a listener to a configuration, and keys to kim and dana."""
    secret_files = {
        "hook.url": f"{receiver.url}/hook",
        "hook.key": WEBHOOK_KEY,
        "slack.url": f"{receiver.url}/slack-hook",
        "slack.key": SLACK_SECRET,
        "kim.key": KIM_KEY,
        "dana.key": DANA_KEY,
    }
    for name, text in secret_files.items():
        (folder / name).write_text(text + "\n")
        (folder / name).chmod(0o600)

    def change(text: str) -> str:
        for name, user in (("kim", "U0KIM"), ("dana", "U0DANA")):
            text = text.replace(
                f'aliases = {{ ci = "{name}" }}\n',
                f'aliases = {{ ci = "{name}", ops-slack = "{user}" }}\nanswer_key_file = "{folder}/{name}.key"\n',
            )
        return f"""{text}
[[notify]]
name = "ops-hook"
kind = "webhook"
url_file = "{folder}/hook.url"
key_file = "{folder}/hook.key"

[[notify]]
name = "ops-slack"
kind = "slack"
url_file = "{folder}/slack.url"
key_file = "{folder}/slack.key"
events = ["hold.asked"]
{more}
[answers]
listen = "127.0.0.1:{port}"
"""

    return change


def http(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Post a body; return status and answer."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A person's program that answers."""

    url: str
    person: str = "kim@acme.example"
    key: str = KIM_KEY

    def request(self, answer: Mapping[str, Any], *, at: float | None = None) -> tuple[bytes, dict[str, str]]:
        """Return a signed answer, not sent yet."""
        body = json.dumps(answer).encode()
        message, stamp = f"msg_{secrets.token_hex(8)}", str(int(at if at is not None else time.time()))
        mac = hmac.new(self.key.encode(), f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
        return body, {
            "webhook-id": message,
            "webhook-timestamp": stamp,
            "webhook-signature": "v1," + base64.b64encode(mac).decode(),
            "bastion-person": self.person,
            "content-type": "application/json",
        }

    def send(self, answer: Mapping[str, Any], **options: Any) -> tuple[int, dict[str, Any]]:
        """Answer; return the status and what was said."""
        status, said = http(f"{self.url}/answers", *self.request(answer, **options))
        return status, json.loads(said)


def slack_press(
    message: Mapping[str, Any], action: str, user: str, reply_to: str, *, secret: str = SLACK_SECRET
) -> tuple[bytes, dict[str, str]]:
    """Return what Slack posts when a user presses a button of a message, signed as Slack documents it."""
    (buttons,) = [block for block in message["blocks"] if block["type"] == "actions"]
    (button,) = [one for one in buttons["elements"] if one["action_id"] == action]
    payload = {
        "type": "block_actions",
        "user": {"id": user, "username": "somebody", "team_id": "T0ACME"},
        "team": {"id": "T0ACME", "domain": "acme"},
        "response_url": reply_to,
        "actions": [{"type": "button", "action_id": action, "value": button["value"], "action_ts": "1.1"}],
    }
    body = urllib.parse.urlencode({"payload": json.dumps(payload)}).encode()
    stamp = str(int(time.time()))
    mac = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return body, {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={mac}",
        "Content-Type": "application/x-www-form-urlencoded",
    }


def of_kind(world: World, kind: str) -> list[dict[str, Any]]:
    """Return the details of one kind of entries of the audit chain."""
    return [entry["detail"] for entry in world.audit() if entry["kind"] == kind]
