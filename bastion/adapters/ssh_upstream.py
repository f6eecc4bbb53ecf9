"""Open channels on a target over SSH, with a certificate made for one session or with a key of the operator's.

In      a target, a login, the session's id for the target's own log
Out     TargetChannel values; at most one connection without and one with the right to a terminal
Errors  Unreachable, HostKeyMismatch
Source  RFC 4252 to 4254; OpenSSH PROTOCOL.certkeys (source-address)
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import asyncssh

from bastion import certificate
from bastion.adapters.asyncssh_hooks import ClientConnection, Command, connect
from bastion.adapters.ciphers import offered_ciphers
from bastion.adapters.ssh_channels import TargetChannel
from bastion.errors import HostKeyMismatch, TargetError, Unreachable
from bastion.keyring import Keyring, fresh_key, private_pem
from bastion.limits import KEEPALIVES, Limits
from bastion.requests import Request
from bastion.settings import Target

CONNECT_S = 10.0
LOGIN_S = 20.0
HOST_KEY_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)


class SshWay:
    """The way to one SSH target as one login, for one session."""

    def __init__(
        self,
        target: Target,
        login: str,
        *,
        key_id: str,
        keyring: Keyring,
        now: Callable[[], float],
        limits: Limits,
    ) -> None:
        """Connect nowhere yet; `key_id` is what the target's log will show."""
        self._target = target
        self._login = login
        self._key_id = key_id
        self._keyring = keyring
        self._now = now
        self._limits = limits
        self._connections: dict[bool, ClientConnection] = {}
        self._connecting = asyncio.Lock()
        self._closed = False

    async def open(self, request: Request) -> TargetChannel:
        """Open a channel for a request; raise TargetError."""
        pty = request.pty
        connection = await self._connection(pty is not None)
        environment = {
            name.encode(): value.encode("utf-8", "surrogateescape")
            for name, value in request.environment.items()
        }
        made = TargetChannel()
        try:
            async with asyncio.timeout(LOGIN_S):
                await connection.open_channel(
                    lambda: made,
                    command=Command(request.data) if request.kind == "exec" else None,
                    subsystem="sftp" if request.kind != "exec" and request.data == b"sftp" else None,
                    environment=environment,
                    pty=pty,
                )
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise Unreachable(
                f"{self._target.name} refused the {request.kind} request: {_reason(connection.over or error)}"
            ) from error
        return made

    def close(self) -> None:
        """Drop the connections at once: the target ends what runs on them."""
        self._closed = True
        for connection in self._connections.values():
            connection.abort()
        self._connections.clear()

    async def _connection(self, pty: bool) -> ClientConnection:
        async with self._connecting:
            known = self._connections.get(pty)
            if known is not None and not known.is_closed():
                return known
            made = await self._connect(pty)
            if self._closed:
                made.abort()
                raise Unreachable("the session has ended")
            self._connections[pty] = made
            return made

    async def _connect(self, pty: bool) -> ClientConnection:
        name, address = self._target.name, self._target.address
        try:
            async with asyncio.timeout(CONNECT_S):
                sock = await _connect_socket(address.host, address.port)
        except (OSError, TimeoutError) as error:
            raise Unreachable(
                f"{name} cannot be reached at {address}: {_reason(error)}",
                public=f"target {name} cannot be reached: {_reason(error)}",
            ) from error
        try:
            async with asyncio.timeout(LOGIN_S):
                options = asyncssh.SSHClientConnectionOptions(
                    host=address.host,
                    port=address.port,
                    config=None,
                    username=self._login,
                    known_hosts=self._known_hosts(),
                    server_host_key_algs=self._host_key_algorithms(),
                    client_keys=self._client_keys(sock.getsockname()[0], pty),
                    agent_path=None,
                    agent_forwarding=False,
                    x509_trusted_certs=None,
                    gss_host=None,
                    password_auth=False,
                    kbdint_auth=False,
                    host_based_auth=False,
                    preferred_auth="publickey",
                    encryption_algs=offered_ciphers(),
                    compression_algs=["none"],
                    keepalive_interval=self._limits.keepalive_s,
                    keepalive_count_max=KEEPALIVES,
                )
                return await connect(sock, options, self._limits)
        except asyncssh.HostKeyNotVerifiable as error:
            raise HostKeyMismatch(
                f"{name} at {address} showed a host key that the configuration does not name: {error}",
                public=f"target {name} showed another host key than the configured one; nothing was sent to it",
            ) from error
        except asyncssh.PermissionDenied as error:
            raise Unreachable(
                f"{name} refused login {self._login!r}: does it trust the user CA (bastion keys user-ca)?",
                public=f"target {name} refused the bastion's login as {self._login!r}",
            ) from error
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise Unreachable(f"target {name}: the SSH handshake failed: {_reason(error)}") from error

    def _known_hosts(self) -> Any:
        if self._target.host_key is not None:
            return ([asyncssh.import_public_key(self._target.host_key)], [], [])
        assert self._target.host_ca is not None  # noqa: S101 - the configuration has one of the two
        return ([], [asyncssh.import_public_key(self._target.host_ca)], [])

    def _host_key_algorithms(self) -> list[str]:
        """Return the algorithms of the key we know first, and the others after it.

        A host that has no such key shows another one, which is refused as such: without the others the handshake
        would fail before anybody could say why.
        """
        if self._target.host_key is None:
            return [*(f"{name}-cert-v01@openssh.com" for name in HOST_KEY_ALGORITHMS), *HOST_KEY_ALGORITHMS]
        kind = self._target.host_key.split()[0]
        known = [
            name
            for name in HOST_KEY_ALGORITHMS
            if name == kind or (kind, name[:8]) == ("ssh-rsa", "rsa-sha2")
        ]
        return [*known, *(name for name in HOST_KEY_ALGORITHMS if name not in known)]

    def _client_keys(self, source_address: str, pty: bool) -> list[Any]:
        """Return the operator's key, or a key and certificate that exist for this connection only."""
        auth = self._target.auth
        if auth.kind == "key" and auth.file is not None:
            try:
                return [asyncssh.read_private_key(str(auth.file))]
            except (OSError, asyncssh.KeyImportError) as error:
                raise TargetError(
                    f"{auth.file}: cannot be used as a key: {error}",
                    public=f"the bastion has no usable key for target {self._target.name}",
                ) from error
        key = fresh_key()
        private = asyncssh.import_private_key(private_pem(key))
        line = certificate.issue_upstream(
            private.public_data,
            ca=self._keyring.user_ca,
            login=self._login,
            key_id=self._key_id,
            now=self._now(),
            source_address=source_address,
            pty=pty,
        )
        return [(private, asyncssh.import_certificate(line))]


async def _connect_socket(host: str, port: int) -> socket.socket:
    """Return a connected socket, trying each address of the host in turn; raise OSError."""
    loop = asyncio.get_running_loop()
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _name, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)  # asyncio's own text has the address in it
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
