"""Post notices as JSON: signed, to a program of the operator's; or to Slack.

In      deliveries; a URL and a key, which are secret
Out     Outcome of each attempt; what is said of it names neither the URL nor what was answered
Holds   one connection at a time for each channel, POST_S at most
Source  Standard Webhooks 1.0; RFC 9110 section 15
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp

from bastion.notices.courier import Outcome, outcome_of
from bastion.notices.outbox import Delivery
from bastion.notices.payload import slack_body, webhook_body
from bastion.notices.signing import signed_headers

POST_S = 10.0

Body = Callable[[Delivery, float], tuple[bytes, dict[str, str]]]


class Poster:
    """The way to one URL."""

    def __init__(self, url: str, body: Body) -> None:
        self._url = url
        self._body = body

    async def carry(self, delivery: Delivery, at: float) -> Outcome:
        body, headers = self._body(delivery, at)
        return await post(self._url, body, headers)

    async def close(self) -> None:
        pass


def webhook(url: str, key: bytes, bastion: str) -> Poster:
    """Return the way to a program that checks signatures."""

    def body(delivery: Delivery, at: float) -> tuple[bytes, dict[str, str]]:
        made = webhook_body(delivery.notice, bastion)
        return made, signed_headers(key, delivery.id, int(at), made)

    return Poster(url, body)


def slack(url: str, *, buttons: bool) -> Poster:
    """Return the way to a Slack app's webhook."""
    return Poster(url, lambda delivery, _at: (slack_body(delivery.notice, buttons=buttons), {}))


async def post(url: str, body: bytes, headers: dict[str, str]) -> Outcome:
    """Post JSON once; the connection is not kept, nothing of the answer but its status is read."""
    try:
        async with (
            asyncio.timeout(POST_S),
            # trust_env=False: no proxy and no .netrc
            aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(
                url,
                data=body,
                headers={**headers, "Content-Type": "application/json", "User-Agent": "bastion"},
                allow_redirects=False,
            ) as response,
        ):
            return outcome_of(response.status)
    except TimeoutError:
        return Outcome(delivered=False, said=f"did not answer within {POST_S:g} s")
    except aiohttp.ClientConnectorCertificateError:
        return Outcome(delivered=False, said="has a certificate that is not trusted")
    except aiohttp.ClientConnectorError as error:
        return Outcome(
            delivered=False, said=f"cannot be reached: {error.os_error.strerror or 'no such host'}"
        )
    except (aiohttp.ClientError, OSError, ValueError) as error:  # their texts may have the URL in them
        return Outcome(delivered=False, said=f"cannot be reached: {type(error).__name__}")
