"""Be a small OIDC issuer for the demo and the tests: discovery, keys, and tokens as GitHub Actions shapes them.

In      claims to sign, by the name of a job
Out     GET /.well-known/openid-configuration, /jwks, /token/JOB on a loopback port
Source  OpenID Connect Discovery 1.0 section 4; RFC 7517; RFC 7519
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from aiohttp import web
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT

from bastion.clock import Clock

TOKEN_S = 600


class Issuer:
    """An issuer that knows a few jobs."""

    def __init__(self, audience: str, jobs: Mapping[str, Mapping[str, Any]]) -> None:
        self.url = ""
        self._audience = audience
        self._jobs = jobs
        self._clock = Clock()
        self._key = JWK.generate(kty="EC", crv="P-256", use="sig", alg="ES256", kid=secrets.token_hex(8))

    def rotate(self) -> None:
        """Sign with another key from now on; the old one is published no more."""
        self._key = JWK.generate(kty="EC", crv="P-256", use="sig", alg="ES256", kid=secrets.token_hex(8))

    def token(self, job: str | None = None, **claims: Any) -> str:
        """Return a token for a job; further claims replace the usual ones, None leaves one out."""
        now = int(self._clock.now())
        payload: dict[str, Any] = {
            "iss": self.url,
            "aud": self._audience,
            "iat": now,
            "nbf": now,
            "exp": now + TOKEN_S,
            "jti": secrets.token_hex(8),
            **(self._jobs[job] if job is not None else {}),
            **claims,
        }
        kept = {name: value for name, value in payload.items() if value is not None}
        header = {"alg": "ES256", "kid": self._key["kid"], "typ": "JWT"}
        token = JWT(header=json.dumps(header), claims=json.dumps(kept))
        token.make_signed_token(self._key)
        return str(token.serialize())

    def key_set(self) -> str:
        """Return what it publishes: a JWK Set with the public half of the key that it signs with."""
        return json.dumps({"keys": [json.loads(self._key.export_public())]})

    async def start(self, port: int = 0) -> str:
        """Listen on a loopback port and return the issuer's URL."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/.well-known/openid-configuration", self._discovery),
                web.get("/jwks", self._jwks),
                web.get("/token/{job}", self._token),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}"
        return self.url

    async def stop(self) -> None:
        """Close the port."""
        await self._runner.cleanup()

    async def _discovery(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            }
        )

    async def _jwks(self, _request: web.Request) -> web.Response:
        return web.json_response(text=self.key_set())

    async def _token(self, request: web.Request) -> web.Response:
        job = request.match_info["job"]
        if job not in self._jobs:
            raise web.HTTPNotFound(text=f"no job {job}; there are: {', '.join(self._jobs)}\n")
        return web.Response(text=self.token(job) + "\n")


class IssuerThread:
    """An issuer that runs beside a program that has no event loop of its own."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self._ready: Future[str] = Future()
        self._thread = threading.Thread(target=self._run, name="issuer", daemon=True)

    def start(self) -> str:
        """Start, and return the issuer's URL."""
        self._thread.start()
        return self._ready.result(timeout=20)

    def stop(self) -> None:
        """Stop, and wait until the port is closed."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout=20)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            self._ready.set_result(await self.issuer.start())
        except OSError as error:
            self._ready.set_exception(error)
            return
        await self._stopping.wait()
        await self.issuer.stop()
