"""Tokens of an OIDC issuer that is not ours, from its discovery to the identity that they belong to."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bastion.adapters.oidc_http import FETCH_INTERVAL_S, IssuerKeys
from bastion.identity import Identity, evidence_claims, identify
from bastion.tasks import Tasks
from bastion.token import ClaimRefused, IssuerTrust, UnknownKey, read_unverified, verify

FOREIGN = Path(__file__).parents[1] / "foreign_issuer"
AUDIENCE = "ssh://bastion.acme.example"
START_S = 30


@asynccontextmanager
async def started(alg: str) -> AsyncIterator[str]:
    """Run the foreign issuer and yield its URL."""
    node = shutil.which("node")
    assert node, "node is not installed: run scripts/setup (apt-get install nodejs npm)"
    assert (FOREIGN / "node_modules").is_dir(), f"run scripts/setup, or: npm ci --prefix {FOREIGN}"
    process = await asyncio.create_subprocess_exec(
        node,
        "server.mjs",
        "0",
        AUDIENCE,
        alg,
        cwd=FOREIGN,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    try:
        async with asyncio.timeout(START_S):
            url = (await process.stdout.readline()).decode().strip()
        assert url, f"the foreign issuer did not start: {(await process.stderr.read()).decode()}"
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def token_of(url: str) -> str:
    """Ask for an access token as the job would; return it."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/.well-known/openid-configuration") as response:
            endpoint = (await response.json())["token_endpoint"]
        form = {"grant_type": "client_credentials", "resource": AUDIENCE, "scope": "bastion"}
        client = {"Authorization": aiohttp.encode_basic_auth("orders-job", "orders-secret")}
        async with session.post(endpoint, data=form, headers=client) as response:
            answer = await response.json()
    assert "access_token" in answer, answer
    return answer["access_token"]


def issuer_keys(url: str) -> IssuerKeys:
    return IssuerKeys(name="foreign", url=url, spawn=Tasks().start)


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_a_token_of_a_foreign_issuer_leads_to_its_identity(alg):
    async with started(alg) as url:
        token = await token_of(url)
        now = time.time()
        head = read_unverified(token)
        assert (head.alg, head.iss) == (alg, url)
        keys = await issuer_keys(url).keys(kid=head.kid, now=now)
    claims = verify(token, issuer=IssuerTrust(name="foreign", url=url, audience=AUDIENCE), keys=keys, now=now)
    deployer = Identity(
        name="orders-deployer",
        owner="dana@acme.example",
        issuer="foreign",
        match={"sub": "orders-job", "project_id": "20"},
        groups=("ci",),
        lifetime_s=900,
        session_s=3600,
    )
    assert identify(claims, [deployer]) is deployer
    assert evidence_claims(claims) == {
        "issuer": url,
        "sub": "orders-job",
        "repository_id": "20",
        "environment": "production",
    }
    other = IssuerTrust(name="foreign", url=url, audience="ssh://other.acme.example")
    with pytest.raises(ClaimRefused, match="aud"):
        verify(token, issuer=other, keys=keys, now=now)


async def test_t10_a_foreign_issuer_that_rotates_its_key_is_followed():
    async with started("ES256") as url:
        source, now = issuer_keys(url), time.time()
        trust = IssuerTrust(name="foreign", url=url, audience=AUDIENCE)
        old = await token_of(url)
        verify(old, issuer=trust, keys=await source.keys(kid=read_unverified(old).kid, now=now), now=now)
        async with aiohttp.ClientSession() as session, session.post(f"{url}/rotate") as response:
            assert response.status == 200
        new = await token_of(url)
        later = now + FETCH_INTERVAL_S
        keys = await source.keys(kid=read_unverified(new).kid, now=later)
    verify(new, issuer=trust, keys=keys, now=later)
    with pytest.raises(UnknownKey):
        verify(old, issuer=trust, keys=keys, now=later)
