"""Carry channel data in AES-GCM packets without the copies that asyncssh's general path makes of each.

Only data that nothing special holds for comes this way: logged in, keys agreed, AES-GCM, no compression, inside the
window. All else (and whatever looks wrong) is left for asyncssh, byte for byte as it came.

In      channel data to send; bytes from the transport
Out     packets, several in one write; data for channels
Errors  none of its own: a packet that does not hold is left where it was, and asyncssh refuses it
Source  RFC 4253 section 6; RFC 4254 section 5.2; RFC 5647 (AES-GCM in SSH)
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any, cast

from asyncssh.channel import SSHChannel
from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA, MSG_IGNORE
from asyncssh.encryption import GCMEncryption
from asyncssh.packet import String, UInt32
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

BLOCK_BYTES = 16
TAG_BYTES = 16
MINIMUM_PADDING_BYTES = 4
PADDING_AHEAD_BYTES = (
    4096  # of random padding are fetched at once: a system call for each packet costs more than it
)
ROOM_HIGH_BYTES = 1024 * 1024  # what waits to be sent before a writer must wait in turn
ROOM_LOW_BYTES = 512 * 1024  # and when it may go on: early, so that the far end never waits for us
_DATA_AT = 10  # in a packet of data: padding length, type, channel, length of the data
_SEQUENCE = 0xFFFFFFFF

if TYPE_CHECKING:
    _Connection = SSHConnection
    _Channel = SSHChannel[bytes]
else:
    _Connection = _Channel = object


class DataPackets(_Connection):
    """A connection whose channel data takes the short way; goes before asyncssh's own class in the bases."""

    _budget = 0  # how many packets may still be taken in before others have their turn
    _sealer: tuple[object, AESGCM] | None = None
    _opener: tuple[object, AESGCM] | None = None
    _padding = b""  # random bytes; each is used once

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, on a socket or on a channel of another connection."""
        cast(asyncio.WriteTransport, transport).set_write_buffer_limits(ROOM_HIGH_BYTES, ROOM_LOW_BYTES)
        super().connection_made(transport)

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        """Send a packet, without the IGNORE that asyncssh puts before each."""
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)

    def send_data(self, channel: SSHChannel[bytes], data: memoryview, datatype: int | None) -> int:
        """Send as much as the window takes, in one write; return how much, 0 if it must go the long way."""
        encryption = self._send_encryption
        if (
            type(encryption) is not GCMEncryption
            or not (self._auth_complete and self._kex_complete)
            or self._compressor is not None
            or self._rekey_due()
            or channel._send_chan is None
        ):
            return 0
        cipher = encryption._cipher
        if self._sealer is None or self._sealer[0] is not cipher:
            self._sealer = (cipher, AESGCM(cipher._key))
        aead = self._sealer[1]
        whole = min(len(data), channel._send_window)
        if datatype is None:
            head = bytes([MSG_CHANNEL_DATA]) + UInt32(channel._send_chan)
        else:
            head = bytes([MSG_CHANNEL_EXTENDED_DATA]) + UInt32(channel._send_chan) + UInt32(datatype)
        most = min(channel._send_pktsize, whole)
        out = bytearray((4 + len(head) + 4 + most + 2 * BLOCK_BYTES + TAG_BYTES) * -(-whole // most or 1))
        view = memoryview(out)
        sent = at = 0
        while sent < whole:
            size = min(most, whole - sent)
            padding = -(1 + len(head) + 4 + size) % BLOCK_BYTES
            if padding < MINIMUM_PADDING_BYTES:
                padding += BLOCK_BYTES
            length = 1 + len(head) + 4 + size + padding
            plain = b"".join(
                (bytes([padding]), head, UInt32(size), data[sent : sent + size], self._random(padding))
            )
            header = UInt32(length)
            view[at : at + 4] = header
            at += 4
            aead.encrypt_into(cipher._iv, plain, header, view[at : at + length + TAG_BYTES])
            cipher._update_iv()
            at += length + TAG_BYTES
            sent += size
            self._send_seq = (self._send_seq + 1) & _SEQUENCE
            self._rekey_bytes_sent += length
        view.release()
        del out[at:]
        channel._send_window -= whole
        self._send(cast(bytes, out))
        return whole

    def _random(self, size: int) -> bytes:
        if len(self._padding) < size:
            self._padding = os.urandom(PADDING_AHEAD_BYTES)
        taken, self._padding = self._padding[:size], self._padding[size:]
        return taken

    def _rekey_due(self) -> bool:
        by_time = bool(self._rekey_seconds) and time.monotonic() >= self._rekey_time
        return by_time or self._rekey_bytes_sent >= self._rekey_bytes

    def _recv_pkthdr(self) -> bool:
        """Take in the data that has arrived, or the header of another packet."""
        return self._take_data() or super()._recv_pkthdr()

    def _take_data(self) -> bool:
        """Take in whole packets of data for open channels, as long as there are such; say whether there was one."""
        encryption = self._recv_encryption
        if type(encryption) is not GCMEncryption or not self._auth_complete or self._decompressor is not None:
            return False
        cipher = encryption._cipher
        if self._opener is None or self._opener[0] is not cipher:
            self._opener = (cipher, AESGCM(cipher._key))
        aead = self._opener[1]
        buffer = self._inpbuf
        at = 0
        with memoryview(buffer) as view:
            while len(buffer) - at >= 4 + BLOCK_BYTES + TAG_BYTES:
                length = int.from_bytes(view[at : at + 4], "big")
                end = at + 4 + length + TAG_BYTES
                if length > self._max_recv_pktlen or length < BLOCK_BYTES or end > len(buffer):
                    break
                try:
                    plain = aead.decrypt(cipher._iv, view[at + 4 : end], view[at : at + 4])
                except InvalidTag:
                    break
                channel = self._whose(plain)
                if channel is None:
                    break
                cipher._update_iv()
                self._recv_seq = (self._recv_seq + 1) & _SEQUENCE
                self._auth_final = True
                at = end
                self._budget -= 1
                channel._accept_data(cast(bytes, memoryview(plain)[_DATA_AT : len(plain) - plain[0]]))
                if self._transport is None:  # that was the end of this connection
                    return True
                if self._budget <= 0:
                    break
        if at:
            self._inpbuf = buffer[at:]
        return at > 0

    def _whose(self, plain: bytes) -> SSHChannel[bytes] | None:
        """Return the channel whose data a packet holds; None if it is no data, or not as it should be."""
        if plain[1] != MSG_CHANNEL_DATA:
            return None
        channel = self._channels.get(int.from_bytes(plain[2:6], "big"))
        size = int.from_bytes(plain[6:_DATA_AT], "big")
        if (
            channel is None
            or channel._recv_state != "open"
            or size > channel._recv_window
            or _DATA_AT + size + plain[0] != len(plain)
        ):
            return None
        return channel


class DataChannel(_Channel):
    """A channel of such a connection; goes before asyncssh's own class in the bases."""

    def __init__(self, *details: Any) -> None:
        super().__init__(*details)
        self._send_high_water, self._send_low_water = ROOM_HIGH_BYTES, ROOM_LOW_BYTES

    def write(self, data: bytes, datatype: int | None = None) -> None:
        """Send data, and keep what the window does not take."""
        if self._send_state != "open" or not data:
            super().write(data, datatype)
            return
        self._send_buf.append(cast(Any, (memoryview(data), datatype)))
        self._send_buf_len += len(data)
        self._flush_send_buf()

    def _flush_send_buf(self) -> None:
        """Send as much of what was kept as the window takes."""
        while self._send_buf and self._send_window:
            data, datatype = cast("tuple[memoryview, int | None]", self._send_buf[0])
            connection = cast(DataPackets, self._conn)
            sent = connection.send_data(self, data, datatype)
            if not sent:
                sent = min(len(data), self._send_window, self._send_pktsize)
                self._send_window -= sent
                piece = String(bytes(data[:sent]))
                if datatype is None:
                    self.send_packet(MSG_CHANNEL_DATA, piece)
                else:
                    self.send_packet(MSG_CHANNEL_EXTENDED_DATA, UInt32(datatype), piece)
            self._send_buf_len -= sent
            if sent < len(data):
                self._send_buf[0] = cast(Any, (data[sent:], datatype))
            else:
                del self._send_buf[0]
        super()._flush_send_buf()  # what is left to do when nothing can be sent: pauses, end of file, close
