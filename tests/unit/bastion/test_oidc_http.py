"""The keys of an issuer, fetched from a real HTTP server on loopback; the clock is a number."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from bastion.adapters.oidc_http import (
    DEFAULT_FRESH_S,
    FETCH_INTERVAL_S,
    MAX_BODY_BYTES,
    MAX_FRESH_S,
    MIN_FRESH_S,
    STALE_GRACE_S,
    IssuerKeys,
    StaticKeys,
    fresh_for_s,
)
from bastion.tasks import Tasks
from bastion.token import IssuerTrust, KeysUnavailable, verify
from tests.unit.bastion.token_forge import AUDIENCE, NOW, claims_of, public, signed

HOUR = 3600


class Issuer:
    """An issuer on loopback that does as the test says and counts what it is asked."""

    def __init__(self) -> None:
        self.keys = [public("rsa")]
        self.cache_control = ""
        self.asked: list[str] = []
        self.document: dict[str, object] = {}
        self.discovery_answer: web.Response | None = None
        self.jwks_answer: web.Response | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Event()
        self.url = ""

    @property
    def fetches(self) -> int:
        return self.asked.count("/keys")

    async def discovery(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        self.waiting.set()
        await self.gate.wait()
        if self.discovery_answer is not None:
            return self.discovery_answer
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.origin}/keys", **self.document})

    async def jwks(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.jwks_answer is not None:
            return self.jwks_answer
        return web.json_response({"keys": self.keys}, headers={"Cache-Control": self.cache_control})

    async def elsewhere(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.origin}/keys", "keys": self.keys})

    async def start(self) -> None:
        app = web.Application()
        for path in ("", "/tenant"):
            app.router.add_get(f"{path}/.well-known/openid-configuration", self.discovery)
        app.router.add_get("/keys", self.jwks)
        app.router.add_get("/elsewhere", self.elsewhere)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.origin = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        self.url = self.origin

    async def stop(self) -> None:
        self.gate.set()
        await self.runner.cleanup()


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    running = Issuer()
    await running.start()
    yield running
    await running.stop()


def source(issuer: Issuer, **options: float) -> IssuerKeys:
    return IssuerKeys(name="acme", url=issuer.url, spawn=Tasks().start, **options)


async def unavailable(keys: IssuerKeys, now: float = NOW) -> str:
    with pytest.raises(KeysUnavailable) as caught:
        await keys.keys(kid="rsa", now=now)
    assert "acme" in caught.value.public
    assert caught.value.public.isprintable()
    assert len(caught.value.public) < 600
    return caught.value.public


async def test_a_token_is_verified_with_the_keys_that_discovery_leads_to(issuer):
    keys = await source(issuer).keys(kid="rsa", now=NOW)
    trust = IssuerTrust(name="acme", url=issuer.url, audience=AUDIENCE)
    assert verify(signed(claims_of(iss=issuer.url)), issuer=trust, keys=keys, now=NOW)["sub"] == "job:7"


async def test_an_issuer_with_a_path_and_a_terminal_slash_is_discovered_below_it(issuer):
    issuer.url = f"{issuer.origin}/tenant/"
    assert (await source(issuer).keys(kid="rsa", now=NOW)).has("rsa")
    assert issuer.asked == ["/tenant/.well-known/openid-configuration", "/keys"]


# The cache


async def test_keys_are_kept_for_as_long_as_the_issuer_says(issuer):
    issuer.cache_control = "public, max-age=600, must-revalidate"
    keys = source(issuer)
    for now in (NOW, NOW + 1, NOW + 599):
        await keys.keys(kid="rsa", now=now)
    assert issuer.fetches == 1
    await keys.keys(kid="rsa", now=NOW + 600)
    assert issuer.fetches == 2


@pytest.mark.parametrize(
    ("cache_control", "fresh_s"),
    [
        ("", DEFAULT_FRESH_S),
        ("max-age=600", 600),
        ("Public , Max-Age = 600", 600),
        ('max-age="600"', 600),
        ("max-age=0", MIN_FRESH_S),
        ("max-age=1", MIN_FRESH_S),
        ("max-age=31536000", MAX_FRESH_S),
        ("max-age=9999999999", MAX_FRESH_S),
        ("no-store", MIN_FRESH_S),
        ("max-age=600, no-cache", MIN_FRESH_S),
        ("s-maxage=9", DEFAULT_FRESH_S),
        ("max-age=-5", DEFAULT_FRESH_S),
        ("max-age=x", DEFAULT_FRESH_S),
        ("max-age=" + "9" * 9000, DEFAULT_FRESH_S),
    ],
)
def test_freshness_is_bounded_whatever_the_header_says(cache_control, fresh_s):
    assert fresh_for_s(cache_control) == fresh_s


async def test_t10_a_rotated_key_is_found_by_its_unknown_kid(issuer):
    keys = source(issuer)
    await keys.keys(kid="rsa", now=NOW)
    issuer.keys = [public("p256")]
    assert (await keys.keys(kid="p256", now=NOW + FETCH_INTERVAL_S)).has("p256")
    assert issuer.fetches == 2


async def test_t10_a_withdrawn_key_is_gone_after_the_next_fetch(issuer):
    keys = source(issuer)
    await keys.keys(kid="rsa", now=NOW)
    issuer.keys = [public("p256")]
    assert not (await keys.keys(kid="rsa", now=NOW + DEFAULT_FRESH_S)).has("rsa")


async def test_t10_a_flood_of_unknown_kids_causes_one_fetch_in_the_interval(issuer):
    keys = source(issuer)
    await keys.keys(kid="rsa", now=NOW)
    for number in range(200):
        found = await keys.keys(kid=f"made-up-{number}", now=NOW + 100 + number * FETCH_INTERVAL_S / 201)
        assert found.has("rsa")
    assert issuer.fetches == 2
    await keys.keys(kid="made-up", now=NOW + 100 + FETCH_INTERVAL_S)
    assert issuer.fetches == 3


async def test_t10_callers_at_the_same_time_share_one_fetch(issuer):
    keys = source(issuer)
    issuer.gate.clear()
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(keys.keys(kid=f"kid-{number}", now=NOW + number)) for number in range(50)]
        await issuer.waiting.wait()
        issuer.gate.set()
    assert all(task.result().has("rsa") for task in asking)
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_t10_a_bot_that_hangs_up_does_not_cancel_the_fetch_for_the_others(issuer):
    keys = source(issuer)
    issuer.gate.clear()
    loop = asyncio.get_running_loop()
    first = loop.create_task(keys.keys(kid="rsa", now=NOW))
    await issuer.waiting.wait()
    second = loop.create_task(keys.keys(kid="rsa", now=NOW + 1))
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    issuer.gate.set()
    assert (await second).has("rsa")
    assert issuer.fetches == 1


async def test_a_failed_fetch_is_tried_again_after_the_interval_only(issuer):
    issuer.discovery_answer = web.Response(status=503)
    keys = source(issuer)
    await unavailable(keys)
    assert "503" in await unavailable(keys, NOW + FETCH_INTERVAL_S - 1)
    assert len(issuer.asked) == 1
    issuer.discovery_answer = None
    assert (await keys.keys(kid="rsa", now=NOW + FETCH_INTERVAL_S)).has("rsa")


# The issuer is down


async def test_cached_keys_serve_for_a_bounded_time_while_the_issuer_is_down(issuer):
    keys = source(issuer)
    await keys.keys(kid="rsa", now=NOW)
    await issuer.stop()
    end = NOW + DEFAULT_FRESH_S + STALE_GRACE_S
    for now in (NOW + DEFAULT_FRESH_S, NOW + DEFAULT_FRESH_S + HOUR, end - 1):
        assert (await keys.keys(kid="rsa", now=now)).has("rsa")


async def test_l2_after_that_time_no_token_is_verified(issuer):
    keys = source(issuer)
    await keys.keys(kid="rsa", now=NOW)
    await issuer.stop()
    assert "cannot be reached" in await unavailable(keys, NOW + DEFAULT_FRESH_S + STALE_GRACE_S)


async def test_l2_an_issuer_that_was_never_reached_fails_closed(issuer):
    await issuer.stop()
    assert "cannot be reached" in await unavailable(source(issuer))


async def test_an_issuer_that_does_not_answer_is_given_up(issuer):
    issuer.gate.clear()
    assert "did not answer within 0.05 s" in await unavailable(source(issuer, timeout_s=0.05))


# T10: what a hostile or broken answer must not do


@pytest.mark.parametrize("named", ["https://other.example", "", None, 7, ["x"]])
async def test_t10_discovery_must_name_the_configured_issuer(issuer, named):
    issuer.document = {"issuer": named}
    assert "names the issuer" in await unavailable(source(issuer))
    assert issuer.fetches == 0


async def test_t10_discovery_must_name_the_issuer_exactly(issuer):
    issuer.document = {"issuer": f"{issuer.url}/"}
    assert "names the issuer" in await unavailable(source(issuer))


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "http://10.0.0.1/keys",
        "http://issuer.acme.example/keys",
        "http://127.0.0.1.evil.example/keys",
        "http://user@127.0.0.1/keys",
        "ftp://127.0.0.1/keys",
        "file:///etc/passwd",
        "/keys",
        "//127.0.0.1/keys",
        "http://127.0.0.1:99999/keys",
        "http://[::1/keys",
        "http://127.0.0.1/keys\nX: y",
        "",
        None,
        7,
    ],
)
async def test_t10_jwks_uri_must_not_lead_elsewhere_in_the_clear(issuer, jwks_uri):
    issuer.document = {"jwks_uri": jwks_uri}
    await unavailable(source(issuer))
    assert issuer.fetches == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_t10_redirects_are_not_followed(issuer, status):
    away = {"Location": f"{issuer.origin}/elsewhere"}
    issuer.discovery_answer = web.Response(status=status, headers=away)
    assert "redirects" in await unavailable(source(issuer))
    issuer.discovery_answer, issuer.jwks_answer = None, web.Response(status=status, headers=away)
    assert "redirects" in await unavailable(source(issuer))
    assert "/elsewhere" not in issuer.asked


async def test_an_answer_longer_than_the_bound_is_refused(issuer):
    issuer.jwks_answer = web.Response(body=b" " * (MAX_BODY_BYTES + 1))
    assert str(MAX_BODY_BYTES) in await unavailable(source(issuer))


async def test_a_compressed_answer_is_not_unpacked(issuer):
    response = web.json_response({"keys": issuer.keys, "pad": "x" * 100_000})
    response.enable_compression(web.ContentCoding.gzip)
    issuer.jwks_answer = response
    assert "not strict JSON" in await unavailable(source(issuer))


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"issuer":"a","issuer":"b"}', b"\xff", b"[" * 99_999]
)
async def test_documents_that_are_not_strict_json_are_refused(issuer, body):
    issuer.discovery_answer = web.Response(body=body)
    assert "not strict JSON" in await unavailable(source(issuer))
    issuer.discovery_answer, issuer.jwks_answer = None, web.Response(body=body)
    assert "key set" in await unavailable(source(issuer))


async def test_a_bad_answer_leaves_the_cached_keys_in_use(issuer):
    keys = source(issuer)
    await keys.keys(kid="rsa", now=NOW)
    issuer.jwks_answer = web.Response(body=b"maintenance")
    assert (await keys.keys(kid="rsa", now=NOW + DEFAULT_FRESH_S)).has("rsa")


async def test_proxies_of_the_environment_are_not_used(issuer, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await source(issuer).keys(kid="rsa", now=NOW)).has("rsa")


# Keys from a file


async def test_keys_of_a_file_serve_whatever_the_kid(tmp_path):
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [public("rsa")]}))
    keys = StaticKeys.read(path)
    assert (await keys.keys(kid="other", now=NOW)).has("rsa")


@pytest.mark.parametrize("body", [None, b"", b"{}", b"-----BEGIN PUBLIC KEY-----"])
def test_a_file_that_is_no_key_set_is_named(tmp_path, body):
    path = tmp_path / "jwks.json"
    if body is not None:
        path.write_bytes(body)
    with pytest.raises(KeysUnavailable, match=r"jwks\.json"):
        StaticKeys.read(path)
