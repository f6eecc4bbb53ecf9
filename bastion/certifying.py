"""Serve a request for a certificate: a token on standard input, and a certificate on standard output, or why not.

In      the channel of somebody who has proven possession of a key
Out     a certificate line; or a line on stderr and exit status 1
Holds   TOKEN_BYTES and one more of a token, for at most TOKEN_WAIT_S
Errors  none: each is told, and recorded
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bastion.authority import TOKEN_BYTES, Authority, CertificateRefused
from bastion.ends import BotEnd
from bastion.errors import Refused
from bastion.inbox import Closed, Data, Eof, Exited
from recorder.errors import RecorderError

log = logging.getLogger("bastion.certifying")

TOKEN_WAIT_S = 20.0

NoteBroken = Callable[[str, str, str], Awaitable[None]]


async def certify(authority: Authority, note_broken: NoteBroken, bot: BotEnd, key: bytes, peer: str) -> bool:
    """Serve one request to its end; say whether there was a certificate."""
    try:
        async with asyncio.timeout(TOKEN_WAIT_S):
            token = await _read_all(bot, TOKEN_BYTES)
        line = await authority.issue(token, key, peer)
    except TimeoutError:
        await note_broken(peer, "certificate.refused", f"no token arrived within {TOKEN_WAIT_S:.0f} s")
        await end(bot, f"no token arrived within {TOKEN_WAIT_S:.0f} s", status=1)
    except (CertificateRefused, Refused) as error:
        log.warning("certificate refused peer=%s: %s", peer, error.public)
        await end(bot, f"no certificate: {error.public}", status=1)
    except RecorderError as error:
        log.error("certificate refused peer=%s: %s", peer, error)
        await end(bot, f"no certificate: {error.public}", status=1)
    else:
        await bot.write(line.encode() + b"\n")
        bot.exit(Exited(status=0))
        return True
    return False


async def _read_all(bot: BotEnd, most_bytes: int) -> bytes:
    """Return what arrives until end of file, and at most one byte more than `most_bytes`."""
    data = b""
    while len(data) <= most_bytes:
        for item in await bot.inbox.take():
            match item:
                case Data():
                    data += item.data
                case Eof() | Closed():
                    return data
                case _:
                    pass
    return data


async def end(bot: BotEnd, text: str, *, status: int) -> None:
    """Say why, and end a channel."""
    await bot.write(f"bastion: {text}\n".encode(), error=True)
    bot.exit(Exited(status=status))
