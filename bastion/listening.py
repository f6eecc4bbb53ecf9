"""Listen on the addresses of the configuration.

Out     servers bound to their addresses, and what these are
Errors  ServeError, which names the address
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence

from bastion.addresses import Address
from bastion.errors import ServeError

BACKLOG = 256


async def listen(
    addresses: Sequence[Address], protocol: Callable[[], asyncio.BaseProtocol], *, start: bool = True
) -> list[asyncio.Server]:
    """Bind every address, and accept connections unless `start` says that somebody else will."""
    servers: list[asyncio.Server] = []
    loop = asyncio.get_running_loop()
    for address in addresses:
        try:
            server = await loop.create_server(
                protocol,
                address.host,
                address.port,
                backlog=BACKLOG,
                reuse_address=True,
                start_serving=start,
            )
        except OSError as error:
            for bound in servers:
                bound.close()
            raise refused(address, error) from error
        servers.append(server)
    return servers


def refused(address: Address | str, error: OSError) -> ServeError:
    """Return the error for the operator."""
    # asyncio wraps the system's own words in a sentence that says the address once more
    plain = error.errno is None or isinstance(error, socket.gaierror)
    reason = error.strerror or error if plain else os.strerror(error.errno or 0)
    return ServeError(f"cannot listen on {address}: {reason}")


def bound_addresses(servers: Sequence[asyncio.Server]) -> list[str]:
    """Return where these servers listen, as HOST:PORT."""
    return [shown(sock.getsockname()) for server in servers for sock in server.sockets]


def shown(name: tuple[str, int]) -> str:
    """Return a socket's name as HOST:PORT."""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
