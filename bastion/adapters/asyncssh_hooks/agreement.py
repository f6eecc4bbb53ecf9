"""Agree with clients other than OpenSSH: ciphers that they know, and their guesses at the key exchange.

In      the client's identification, its KEXINIT
Out     our KEXINIT; a wrong guess passed over
Source  RFC 4253 section 7, 7.1
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_KEXINIT
from asyncssh.packet import SSHPacket

from bastion.adapters.ciphers import ciphers_for

COOKIE_BYTES = 16

if TYPE_CHECKING:
    _Connection = SSHConnection
else:
    _Connection = object


class Agreement(_Connection):
    """A server's part of a key exchange; goes before Bounds in the bases."""

    def _send_kexinit(self) -> None:
        self._enc_algs = ciphers_for(self._client_version, self._options.encryption_algs)
        super()._send_kexinit()

    def _process_kexinit(self, pkttype: int, pktid: int, packet: SSHPacket) -> Any:
        begin = packet._idx
        return self._agree(super()._process_kexinit(pkttype, pktid, packet), packet, begin)

    async def _agree(self, agreement: Any, packet: SSHPacket, begin: int) -> None:
        """Agree, and pass over the packet that follows if it rests on a wrong guess."""
        await agreement
        packet._idx = begin
        theirs, follows = _proposal(packet)
        ours, _ = _proposal(SSHPacket(self._server_kexinit[1:]))
        self._ignore_first_kex = follows and theirs != ours

    AGREEMENT_HANDLERS = {MSG_KEXINIT: _process_kexinit}  # noqa: RUF012


def _proposal(packet: SSHPacket) -> tuple[tuple[bytes, bytes], bool]:
    """Return the key exchange and kind of host key that come first, and whether a guess at them follows."""
    packet.get_bytes(COOKIE_BYTES)
    lists = [packet.get_namelist() for _ in range(10)]
    first = [names[0] if names else b"" for names in lists[:2]]
    return (first[0], first[1]), packet.get_boolean()
