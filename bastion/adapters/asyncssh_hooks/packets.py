"""Carry channel data in AES-GCM packets without the copies that asyncssh's general path makes of each.

Only data that nothing special holds for comes this way, and room for more of it: logged in, keys agreed, AES-GCM, no
compression, inside the window. All else (and whatever looks wrong) is left for asyncssh, byte for byte as it came.

In      channel data to send; bytes from the transport
Out     packets, several in one write; data for channels, and how much more they may send
Holds   SPARE_BUFFERS of BUFFER_BYTES, for all connections
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
from asyncssh.constants import (
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_WINDOW_ADJUST,
    MSG_IGNORE,
)
from asyncssh.encryption import GCMEncryption
from asyncssh.packet import SSHPacket, String, UInt32
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bastion.limits import MINIMUM_PACKET_BYTES

BLOCK_BYTES = 16
TAG_BYTES = 16
MINIMUM_PADDING_BYTES = 4
FRAME_BYTES = 4 + 1 + 4 + BLOCK_BYTES + MINIMUM_PADDING_BYTES + TAG_BYTES  # at most, around a packet's data
# Data is sealed in pieces that stay in the CPU's cache. Sealed once more, by the connection around a jump, one fills
# four packets of 32 KiB. What is a little more goes with it, or it would need a packet and a write of its own.
PIECE_BYTES = 127 * 1024
MOST_BYTES = PIECE_BYTES * 9 // 8
BUFFER_BYTES = MOST_BYTES + MOST_BYTES // MINIMUM_PACKET_BYTES * (FRAME_BYTES + 9)  # 9: type, channel, stream
SMALL_BYTES = 4096  # a buffer for less is not worth keeping, nor one for a packet of so little worth having
SPARE_BUFFERS = 2  # of all connections together: one inside a jump writes through the one around it
ROOM_HIGH_BYTES = 1024 * 1024  # what waits to be sent before a writer must wait in turn
ROOM_LOW_BYTES = 512 * 1024  # and when it may go on: early, so that the far end never waits for us
_DATA_AT = 10  # in a packet of data: padding length, type, channel, length of the data
_SEQUENCE = 0xFFFFFFFF
_COUNTER = 0xFFFFFFFFFFFFFFFF
_PADDING = os.urandom(2 * BLOCK_BYTES)  # encrypted with the data, under another nonce each time

_spare: list[bytearray] = []

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

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, on a socket or on a channel of another connection."""
        cast(asyncio.WriteTransport, transport).set_write_buffer_limits(ROOM_HIGH_BYTES, ROOM_LOW_BYTES)
        super().connection_made(transport)

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        """Send a packet, without the IGNORE that asyncssh puts before each."""
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)

    def send_data(self, channel: SSHChannel[bytes], data: bytes | memoryview, datatype: int | None) -> int:
        """Send what the window takes, as far as one write goes; return how much, 0 if it must go the long way."""
        encryption = self._send_encryption
        transport = self._transport
        if (
            type(encryption) is not GCMEncryption
            or not (self._auth_complete and self._kex_complete)
            or self._compressor is not None
            or transport is None
            or self._rekey_due()
            or channel._send_chan is None
        ):
            return 0
        cipher = encryption._cipher
        if self._sealer is None or self._sealer[0] is not cipher:
            self._sealer = (cipher, AESGCM(cipher._key))
        whole = min(len(data), channel._send_window)
        if whole > MOST_BYTES:
            whole = PIECE_BYTES
        most = min(channel._send_pktsize, whole)
        if datatype is None:
            head = bytes([MSG_CHANNEL_DATA]) + UInt32(channel._send_chan)
        else:
            head = bytes([MSG_CHANNEL_EXTENDED_DATA]) + UInt32(channel._send_chan) + UInt32(datatype)
        fixed, count = cipher._iv[:4], int.from_bytes(cipher._iv[4:], "big")
        if whole <= SMALL_BYTES and whole == most:
            length, before, after = _frame(head, whole)
            header = UInt32(length)
            sealed = self._sealer[1].encrypt(cipher._iv, b"".join((before, data[:whole], after)), header)
            cipher._iv = fixed + ((count + 1) & _COUNTER).to_bytes(8, "big")
            self._send_seq = (self._send_seq + 1) & _SEQUENCE
            self._rekey_bytes_sent += length
            channel._send_window -= whole
            self._send(header + sealed)
            return whole
        out = _taken_buffer(whole + -(-whole // most) * (len(head) + FRAME_BYTES))
        view = memoryview(out)
        seal = self._sealer[1].encrypt_into
        framed = at = 0
        for begin in range(0, whole, most):
            size = min(most, whole - begin)
            if size != framed:  # the first and, if it is shorter, the last
                length, before, after = _frame(head, size)
                header, framed = UInt32(length), size
            view[at : at + 4] = header
            end = at + 4 + length + TAG_BYTES
            plain = b"".join((before, data[begin : begin + size], after))
            seal(fixed + count.to_bytes(8, "big"), plain, header, view[at + 4 : end])
            count = (count + 1) & _COUNTER
            at = end
            self._send_seq = (self._send_seq + 1) & _SEQUENCE
            self._rekey_bytes_sent += length
        cipher._iv = fixed + count.to_bytes(8, "big")
        channel._send_window -= whole
        self._send(cast(bytes, view[:at]))
        if not transport.get_write_buffer_size():  # else it may go on holding what it was given
            _give_buffer(out)
        return whole

    def _rekey_due(self) -> bool:
        by_time = bool(self._rekey_seconds) and time.monotonic() >= self._rekey_time
        return by_time or self._rekey_bytes_sent >= self._rekey_bytes

    def _recv_pkthdr(self) -> bool:
        """Take in the data that has arrived, or the header of another packet that has arrived whole."""
        return self._take_data() or (not self._partly_here() and super()._recv_pkthdr())

    def _is_plain(self) -> bool:
        """Say whether what arrives may go the short way."""
        return (
            type(self._recv_encryption) is GCMEncryption
            and self._auth_complete
            and self._decompressor is None
        )

    def _partly_here(self) -> bool:
        """Say whether the rest of a packet is still to come: asyncssh, given its header, would take all of it in."""
        length = int.from_bytes(self._inpbuf[:4], "big")
        missing = len(self._inpbuf) < 4 + length + TAG_BYTES
        return missing and BLOCK_BYTES <= length <= self._max_recv_pktlen and self._is_plain()

    def _take_data(self) -> bool:
        """Take in whole packets of data or room, as long as there are such; say whether there was one."""
        if not self._is_plain():
            return False
        cipher = cast(GCMEncryption, self._recv_encryption)._cipher
        if self._opener is None or self._opener[0] is not cipher:
            self._opener = (cipher, AESGCM(cipher._key))
        opened = self._opener[1].decrypt
        fixed, count = cipher._iv[:4], int.from_bytes(cipher._iv[4:], "big")
        buffer = self._inpbuf
        at, arrived = 0, len(buffer)
        with memoryview(buffer) as view:
            while arrived - at >= 4 + BLOCK_BYTES + TAG_BYTES:
                header = buffer[at : at + 4]
                length = int.from_bytes(header, "big")
                end = at + 4 + length + TAG_BYTES
                if length > self._max_recv_pktlen or length < BLOCK_BYTES or end > arrived:
                    break
                try:
                    plain = opened(cipher._iv, view[at + 4 : end], header)
                except InvalidTag:
                    break
                channel = self._whose(plain)
                if channel is None:
                    break
                count = (count + 1) & _COUNTER
                cipher._iv = fixed + count.to_bytes(8, "big")
                number, self._recv_seq = self._recv_seq, (self._recv_seq + 1) & _SEQUENCE
                self._auth_final = True
                at = end
                self._budget -= 1
                if plain[1] == MSG_CHANNEL_DATA:
                    channel._accept_data(cast(bytes, memoryview(plain)[_DATA_AT : len(plain) - plain[0]]))
                else:
                    packet = SSHPacket(plain[1 : len(plain) - plain[0]])
                    packet.get_byte(), packet.get_uint32()
                    channel.process_packet(plain[1], number, packet)
                if self._transport is None:  # that was the end of this connection
                    return True
                if self._budget <= 0:
                    break
        if at:
            self._inpbuf = buffer[at:]
        return at > 0

    def _whose(self, plain: bytes) -> SSHChannel[bytes] | None:
        """Return the channel that a packet of data or room is for; None if it is another, or not as it should be."""
        channel = self._channels.get(int.from_bytes(plain[2:6], "big"))
        if channel is None:
            return None
        if plain[1] == MSG_CHANNEL_DATA:
            size = int.from_bytes(plain[6:_DATA_AT], "big")
            fits = size <= channel._recv_window and _DATA_AT + size + plain[0] == len(plain)
            return channel if fits and channel._recv_state == "open" else None
        if plain[1] == MSG_CHANNEL_WINDOW_ADJUST:
            return channel if _DATA_AT + plain[0] == len(plain) else None
        return None


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
        alone = not self._send_buf and len(data) <= min(SMALL_BYTES, self._send_window)
        if alone and cast(DataPackets, self._conn).send_data(self, data, datatype):
            return  # all of it went, so that nothing is kept
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


def _frame(head: bytes, size: int) -> tuple[int, bytes, bytes]:
    """Return the length of a packet with `size` bytes of data, and what goes before and after these inside it."""
    length = 1 + len(head) + 4 + size
    padding = -length % BLOCK_BYTES
    if padding < MINIMUM_PADDING_BYTES:
        padding += BLOCK_BYTES
    return length + padding, bytes([padding]) + head + UInt32(size), _PADDING[:padding]


def _taken_buffer(size: int) -> bytearray:
    """Return a buffer of at least so many bytes, with anything in it."""
    if not SMALL_BYTES < size <= BUFFER_BYTES:
        return bytearray(size)
    return _spare.pop() if _spare else bytearray(BUFFER_BYTES)


def _give_buffer(buffer: bytearray) -> None:
    """Take back a buffer that nobody looks at any more."""
    if len(buffer) == BUFFER_BYTES and len(_spare) < SPARE_BUFFERS:
        _spare.append(buffer)
