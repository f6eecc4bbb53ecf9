"""Bound what a peer can make of us over one connection; for either side, before asyncssh's own class in the bases.

What is over a bound ends that connection with a reason, and nothing else: OverLimit, for the peer and for the record.

In      packets of one connection; the limits in force when it was made
Out     `room`, which waits until more may be written
Holds   PACKETS_AT_ONCE packets are taken in one step of the loop; UNREAD_REPLIES wait for a peer that does not read
Errors  OverLimit
Source  RFC 4253 sections 6, 7 and 9; RFC 4254 sections 4 and 5
"""

from __future__ import annotations

import asyncio
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

import asyncssh
from asyncssh.connection import SSHConnection
from asyncssh.constants import (
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_OPEN,
    MSG_CHANNEL_OPEN_CONFIRMATION,
    MSG_GLOBAL_REQUEST,
    MSG_KEX_LAST,
    MSG_KEXINIT,
    MSG_NEWKEYS,
    MSG_USERAUTH_BANNER,
)
from asyncssh.packet import PacketDecodeError, SSHPacket

from bastion.adapters.ssh_limits import OverLimit
from bastion.limits import (
    BANNERS,
    MINIMUM_PACKET_BYTES,
    PACKETS_AT_ONCE,
    REFUSED_CHANNELS,
    REFUSED_CHANNELS_PER_S,
    REKEY_BYTES,
    REKEYS,
    REKEYS_PER_S,
    UNREAD_REPLIES,
    Limits,
)
from bastion.throttle import Allowance

KEEPALIVE_SLACK = 1 / 8  # of the interval: a keep-alive may be as much too early
SHORTEST_PACKET_BYTES = 5  # one of padding length, four of padding: RFC 4253 section 6
_CHANNEL_KINDS = frozenset(  # that asyncssh has handlers for, on either side
    b"session direct-tcpip forwarded-tcpip x11 tun@openssh.com auth-agent@openssh.com"
    b" direct-streamlocal@openssh.com forwarded-streamlocal@openssh.com".split()
)
_DATA = frozenset({MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA})

if TYPE_CHECKING:
    _Connection = SSHConnection
else:
    _Connection = object


class Bounds(_Connection):
    """A connection that a peer cannot make more of than `limits` say."""

    limits = Limits()
    maximum_channels = 0  # that the peer may open
    _due: OverLimit | None = None
    over: OverLimit | None = None  # how the connection ended, if by this
    _budget = PACKETS_AT_ONCE
    _resting = False
    _unread = 0
    _banners = 0
    _taken_bytes = 0
    _put_off_at = 0.0
    _rekey_timer: asyncio.TimerHandle | None = None
    _idle_timer: asyncio.TimerHandle | None = None

    def bound(self, limits: Limits) -> None:
        """Take the limits; to be called once asyncssh has made its part of the connection."""
        self.limits = limits
        self._rekeys = Allowance(burst=REKEYS, per_s=REKEYS_PER_S, now=self._loop.time())
        self._refusals = Allowance(
            burst=REFUSED_CHANNELS, per_s=REFUSED_CHANNELS_PER_S, now=self._loop.time()
        )
        self._room = asyncio.Event()
        self._room.set()
        self._keys_agreed = asyncio.Event()
        self._cancel_login_timer()
        self._login_timer = self._loop.call_later(limits.handshake_s, self._login_timer_callback)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._due is not None:
            self.drop(self._due)

    def drop(self, error: OverLimit) -> None:
        """End this connection at once, or as soon as it has begun, and tell the peer why."""
        self._due = error
        if self._transport is not None:
            self._send_disconnect(error.code, error.reason, error.lang)
            self._force_close(error)

    # Time.

    def _login_timer_callback(self) -> None:
        self._login_timer = None
        self.drop(OverLimit("handshake", f"no login within {self.limits.handshake_s} s"))

    def watch_idle(self) -> None:
        """Drop the connection once no channel has been open for too long, from now on."""
        self._idle_timer = self._loop.call_later(self.limits.idle_connection_s, self._idle)

    def _idle(self) -> None:
        self.drop(
            OverLimit(
                "idle_connection",
                f"no channel was open for {self.limits.idle_connection_s} s",
                asyncssh.DISC_BY_APPLICATION,
            )
        )

    def add_channel(self, chan: Any) -> int:
        number = super().add_channel(chan)
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        return number

    def remove_channel(self, recv_chan: int) -> None:
        super().remove_channel(recv_chan)
        if not self._channels and self._idle_timer is not None and self._transport is not None:
            self.watch_idle()

    # Packets that come in.

    def data_received(self, data: bytes, datatype: Any = None) -> None:
        if self._recv_handler is _nothing_more:
            return
        self._taken_bytes += len(data)
        super().data_received(data, datatype)

    def _recv_data(self) -> None:
        """Take in packets, but not so many in one step that other connections wait (law L11)."""
        self._budget = PACKETS_AT_ONCE
        super()._recv_data()

    def _recv_pkthdr(self) -> bool:
        """Take in a packet's header, unless it lies about its length, or others have waited long enough."""
        if self._budget <= 0:
            self._rest()
            return False
        self._budget -= 1
        limit, most = "packet_before_login", self.limits.packet_before_login_bytes
        if self._auth_complete:
            limit, most = "packet", self.limits.packet_bytes
        self._max_recv_pktlen = most
        try:
            found = super()._recv_pkthdr()
        except asyncssh.ProtocolError as error:
            raise OverLimit(limit, f"a packet may have {most} bytes, not {self._pktlen}") from error
        if found and self._pktlen < SHORTEST_PACKET_BYTES:
            raise OverLimit(limit, f"a packet has at least {SHORTEST_PACKET_BYTES} bytes, not {self._pktlen}")
        return found

    def _rest(self) -> None:
        """Go on with what has arrived in the loop's next step, and read nothing more before that."""
        if not self._resting and self._transport is not None:
            self._resting = True
            self._transport.pause_reading()
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._resting = False
        if self._transport is not None:
            self._recv_data()
        if not self._resting and self._transport is not None:
            self._transport.resume_reading()

    def _reset_keepalive_timer(self) -> None:
        """Put the next keep-alive off; that it was put off a little earlier is as good, if none is under way."""
        now = self._loop.time()
        lately = now - self._put_off_at < self._keepalive_interval * KEEPALIVE_SLACK
        if self._keepalive_timer is None or self._keepalive_count or not lately:
            self._put_off_at = now
            super()._reset_keepalive_timer()

    # Key exchange.

    def _process_kexinit(self, pkttype: int, pktid: int, packet: SSHPacket) -> Any:
        """Agree on new keys, if that is not asked for more often than bytes or time give reason to."""
        if self._session_id and not self._kexinit_sent:
            moved = self._taken_bytes + self._rekey_bytes_sent
            self._taken_bytes = 0
            self._rekeys.give(moved / REKEY_BYTES)
            if not self._rekeys.take(self._loop.time()):
                raise OverLimit("rekeys", "new keys were asked for again and again")
        return super()._process_kexinit(pkttype, pktid, packet)

    def _send_kexinit(self) -> None:
        super()._send_kexinit()
        if self._session_id and self._rekey_timer is None:
            self._rekey_timer = self._loop.call_later(self.limits.rekey_s, self._rekey_stalled)

    def _rekey_stalled(self) -> None:
        self._rekey_timer = None
        self.drop(OverLimit("rekey", f"no new keys were agreed on within {self.limits.rekey_s} s"))

    def _process_newkeys(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        super()._process_newkeys(pkttype, pktid, packet)
        if self._rekey_timer is not None:
            self._rekey_timer.cancel()
            self._rekey_timer = None

    # Packets that go out.

    def has_room(self) -> bool:
        """Say whether `room` would not wait."""
        return self._room.is_set() and not self._deferred_packets

    async def room(self) -> None:
        """Wait until what was written so far has gone far enough for more."""
        await self._room.wait()
        if self._deferred_packets:  # a key exchange holds output back, for rekey_s at most
            self._keys_agreed.clear()
            await self._keys_agreed.wait()

    def _send_deferred_packets(self) -> None:
        super()._send_deferred_packets()
        self._keys_agreed.set()

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        """Send a packet, unless it is one answer too many for a peer that reads none."""
        if (
            pkttype > MSG_KEX_LAST
            and pkttype not in _DATA
            and (self._deferred_packets or not self._room.is_set())
        ):
            self._unread += 1
            if self._unread > UNREAD_REPLIES:
                self.drop(OverLimit("replies", f"{UNREAD_REPLIES} answers were not read"))
                return
        super().send_packet(pkttype, *args, handler=handler)

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._unread = 0
        self._room.set()

    # What the peer asks for.

    def _process_channel_open(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        """Refuse a channel of no known kind, one too many, or one of too small packets, before it is made."""
        begin = packet._idx
        kind = packet.get_string()
        number, _window, packet_bytes = packet.get_uint32(), packet.get_uint32(), packet.get_uint32()
        packet._idx = begin
        code = asyncssh.OPEN_RESOURCE_SHORTAGE
        if kind not in _CHANNEL_KINDS:  # asyncssh makes a method name of it: `channel` is no handler
            code, reason = asyncssh.OPEN_UNKNOWN_CHANNEL_TYPE, "bastion: there is no such kind of channel"
        elif packet_bytes < MINIMUM_PACKET_BYTES:
            reason = f"bastion: packets of fewer than {MINIMUM_PACKET_BYTES} bytes are not served"
        elif len(self._channels) >= self.maximum_channels:
            reason = f"bastion: no more than {self.maximum_channels} channels are open at once"
        else:
            super()._process_channel_open(pkttype, pktid, packet)
            return
        if not self._refusals.take(self._loop.time()):
            raise OverLimit("channels", "refused channels were asked for again and again")
        self.send_channel_open_failure(number, code, reason, "en")

    def _process_channel_open_confirmation(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        """Take a channel that the peer has opened for us, unless it wants each byte in a packet of its own."""
        begin = packet._idx
        packet.get_uint32(), packet.get_uint32(), packet.get_uint32()
        packet_bytes = packet.get_uint32()
        packet._idx = begin
        if packet_bytes < MINIMUM_PACKET_BYTES:
            raise OverLimit("packets", f"packets of {packet_bytes} bytes are not sent")
        super()._process_channel_open_confirmation(pkttype, pktid, packet)

    def _process_global_request(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        if len(self._global_request_queue) >= self.limits.requests:
            raise OverLimit("requests", "Too many global requests at once")
        super()._process_global_request(pkttype, pktid, packet)

    def _process_userauth_banner(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        self._banners += 1
        if self._banners > BANNERS:
            raise OverLimit("banners", f"more than {BANNERS} banners")
        super()._process_userauth_banner(pkttype, pktid, packet)

    def internal_error(
        self,
        exc_info: tuple[type[BaseException], BaseException, TracebackType]
        | tuple[None, None, None]
        | None = None,
        error_logger: Any = None,
    ) -> None:
        """End the connection; for a packet or a text that cannot be read the peer is at fault, and is told so."""
        error = (exc_info or sys.exc_info())[1]
        if isinstance(error, PacketDecodeError | UnicodeDecodeError):
            broken = asyncssh.ProtocolError(f"Malformed packet or text: {type(error).__name__}")
            self._send_disconnect(broken.code, broken.reason, broken.lang)
            self._force_close(broken)
        else:
            super().internal_error(exc_info, error_logger)

    def _cleanup(self, exc: Exception | None) -> None:
        # Not itself: it knows the frames that it comes from, which know this connection.
        self.over = OverLimit(exc.limit, exc.reason, exc.code) if isinstance(exc, OverLimit) else None
        for timer in (self._rekey_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        self._rekey_timer = self._idle_timer = None
        self._room.set()
        self._keys_agreed.set()
        super()._cleanup(exc)
        # It was a method of its own: a circle, which would keep keys in memory until a collection.
        self._recv_handler = _nothing_more

    # asyncssh looks handlers up in a table of the class, not by name: each class that has bounds takes these in.
    BOUNDED_HANDLERS = {  # noqa: RUF012
        MSG_KEXINIT: _process_kexinit,
        MSG_NEWKEYS: _process_newkeys,
        MSG_USERAUTH_BANNER: _process_userauth_banner,
        MSG_GLOBAL_REQUEST: _process_global_request,
        MSG_CHANNEL_OPEN: _process_channel_open,
        MSG_CHANNEL_OPEN_CONFIRMATION: _process_channel_open_confirmation,
    }


def _nothing_more() -> bool:
    """Take in no packet: the connection has gone."""
    return False
