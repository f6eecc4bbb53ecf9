"""What each platform is really sent, by Apprise itself: nothing in it acts there (T36).

A statement full of what would act on one platform or another is sent by the program that sends, to each service that is
said to be known (DIALECTS) and to some of the others. What went over the wire is looked at, not what was meant.
"""

from __future__ import annotations

import email
import email.policy
import json
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from bastion.adapters.apprise_process import send
from bastion.notices.texts import DIALECTS, Dialect
from tests.unit.bastion.notices.notices_fixture import HOSTILE, INVISIBLE, asked

UUID = "abcdefab-1234-1234-1234-abcdefabcdef"
URLS = {
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
    "slack blocks": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?blocks=yes",
    "slack markdown": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?format=markdown",
    "discord": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js/",
    "discord embeds": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js/?format=markdown",
    "teams": "workflows://prod-1.logic.azure.com:443/643e69f83c8944/abcdef12345/",
    "mattermost": "mmosts://localhost/3ccdd113474722377935511fc85d3dd4",
    "telegram": "tgram://123456789:abcdefg_hijklmnop/12315544/",
    "rocket.chat": "rockets://web1/tokenb@localhost/#chan?mode=webhook",
    "google chat": "gchat://workspace/key/token",
    "zulip": f"zulip://bot@acme/{'a' * 32}/ops",
    "ntfy markdown": "ntfys://ntfy.example/topic?format=markdown",
    "ntfy": "ntfys://ntfy.example/topic",
    "gotify": "gotifys://localhost/abcdefghijk",
    "pushover": f"pover://{'u' * 30}@{'a' * 30}",
    "json": "jsons://localhost/hook",
}
STRICT = (
    "slack",
    "slack blocks",
    "slack markdown",
    "teams",
    "telegram",
    "rocket.chat",
    "google chat",
    "discord embeds",
    "ntfy markdown",
    "zulip",
)
FENCED = ("discord", "mattermost")
PLAIN = ("ntfy", "gotify", "pushover", "json")
ESCAPED = re.compile(
    r"\\(?=[!-/:-@\[-`{-~])"
)  # how Markdown, and Apprise for it, keeps a character from acting


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What went over HTTP."""
    found: list[Any] = []

    def request(_self: Any, method: str, url: str, **options: Any) -> Any:
        found.append(options.get("json") or options.get("data") or options.get("params"))
        return SimpleNamespace(
            status_code=200,
            content=b'{"ok":true,"result":"success"}',
            text="ok",
            headers={},
            json=lambda: {"ok": True},
        )

    monkeypatch.setattr(requests.Session, "request", request)
    return found


def texts(value: Any) -> Iterator[str]:
    """Yield every text in what was sent."""
    match value:
        case str() if value[:1] in "{[":
            yield from texts(json.loads(value))
        case str():
            yield value
        case bytes():
            yield from texts(value.decode())
        case dict():
            for key, one in value.items():
                if key not in ("attachments_0", "url", "$schema"):
                    yield from texts(one)
        case list() | tuple():
            for one in value:
                yield from texts(one)


def shown(platform: str, sent: list[Any]) -> str:
    """Send the hostile statement, and return the text in which it went."""
    send(URLS[platform], asked(HOSTILE, stated=HOSTILE, reason=HOSTILE))
    found = [text for body in sent for text in texts(body) if "echo" in text]
    assert found, f"nothing was sent to {platform}"
    assert not set(INVISIBLE.replace("\r", "")) & set("".join(texts(sent)))
    return "\n".join(found)


def test_each_service_that_is_said_to_be_known_is_tried_here() -> None:
    tried = {url.partition("://")[0].removesuffix("s") for url in URLS.values()} | {
        "mailto",
        "syslog",
        "xml",
        "form",
    }
    assert {scheme.removesuffix("s") for scheme in DIALECTS} <= tried | {"ntfy"}
    for platform, url in URLS.items():
        dialect = DIALECTS.get(url.partition("://")[0], Dialect.STRICT)
        if "format=markdown" in url:
            continue  # what is plain by itself is Markdown then
        expected = (
            Dialect.STRICT if platform in STRICT else Dialect.FENCED if platform in FENCED else Dialect.PLAIN
        )
        assert dialect is expected


@pytest.mark.parametrize("platform", STRICT)
def test_t36_no_mention_link_tag_or_emphasis_is_alive(platform: str, sent: list[Any]) -> None:
    text = ESCAPED.sub("", shown(platform, sent))
    text = (
        text.replace("<b>", "").replace("</b>", "").replace("&quot;", '"').replace("&#39;", "'")
    )  # Apprise's title
    text = re.sub(r"(?m)^(?:# |\*)H-7K3Q.*$", "", text)  # likewise
    assert not re.search(r"[<>@*~`\[\]{}|^]|(?<!&)#|&(?!(?:nbsp|amp);)", text.replace("&nbsp;", " "))
    assert "x3c!channel" in text
    assert "x40everyone" in text
    assert "://" not in text


@pytest.mark.parametrize("platform", FENCED)
def test_t36_all_stands_in_one_code_block_that_nothing_ends(platform: str, sent: list[Any]) -> None:
    text = shown(platform, sent)
    begin, _, rest = text.partition("```text\n")
    inside, end, behind = rest.rpartition("\n```")
    assert end
    assert "`" not in inside
    assert "@" not in text
    assert not re.search(r"[<>*\[\]`]", begin + behind)
    for body in sent:
        told = json.loads(body) if isinstance(body, str | bytes) else body
        assert "allow_mentions" not in told, "Apprise found nobody to mention"


@pytest.mark.parametrize("platform", PLAIN)
def test_t36_where_nothing_is_markup_a_statement_is_sent_word_for_word(
    platform: str, sent: list[Any]
) -> None:
    text = shown(platform, sent)
    assert "› echo '<!channel> <!here>" in text
    assert "\\u202egnp.exe" in text
    assert "markdown" not in json.dumps([str(body) for body in sent]).lower()


class _Smtp(socketserver.StreamRequestHandler):
    """Takes one mail, as RFC 5321 has it."""

    def handle(self) -> None:
        self.wfile.write(b"220 mail ESMTP\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                data = b""
                while (one := self.rfile.readline()) not in (b".\r\n", b""):
                    data += one.removeprefix(b".") if one.startswith(b"..") else one
                self.server.mails.append(data)  # type: ignore[attr-defined]
            elif verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


@contextmanager
def mail_server() -> Iterator[tuple[int, list[bytes]]]:
    """Yield the port of a mail server, and the mails that it has."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Smtp) as server:
        server.mails = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1], server.mails  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.text += "\n" if tag == "br" else ""

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("kind", ["text", "html"])
def test_t36_a_mail_shows_a_statement_and_does_nothing(kind: str) -> None:
    with mail_server() as (port, mails):
        url = f"mailto://127.0.0.1:{port}?mode=insecure&from=bastion@acme.example&to=dba@acme.example&format={kind}"
        taken, said = send(url, asked(HOSTILE, stated=HOSTILE))
        assert (taken, said) == (True, "E-Mail took it")
    (mail,) = mails
    parsed = email.message_from_bytes(mail, policy=email.policy.default)
    assert parsed["subject"] == "H-7K3Q waits for an approval: deployer on web-1"
    parts = [part for part in parsed.walk() if part.get_content_maintype() == "text"]
    assert parts
    for part in parts:
        text = part.get_content()
        if part.get_content_subtype() == "html":
            page = _Page()
            page.feed(text)
            assert page.tags <= {"html", "head", "body", "br", "p", "pre", "meta", "title", "div", "span"}
            text = page.text
        text = text.replace("\xa0", " ")
        assert not set(INVISIBLE.replace("\r", "")) & set(text)
        assert "echo '<!channel> <!here> <@U024BE7LH> <https://evil.example|our bank>" in text
        assert "<b>html</b> <img src=x onerror=alert(1)>" in text
        assert "\\u202egnp.exe\\u200b\\u2066\\ufeff\\x00" in text
