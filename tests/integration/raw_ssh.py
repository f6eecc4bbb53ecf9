"""Speak SSH packet by packet, in any order: a client with no manners, for tests of the door.

It does its own key exchange (curve25519-sha256, AES-GCM) and checks nothing that the server proves: it is the
attacker, and shares no code with the server.

In      a port on loopback; payloads to send
Out     the payloads that the server answers with; None once it has hung up
Source  RFC 4252, 4253, 4254; RFC 5647; RFC 8731
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from collections.abc import Callable
from types import TracebackType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG, SERVICE_REQUEST, SERVICE_ACCEPT, EXT_INFO = 1, 2, 3, 4, 5, 6, 7
KEXINIT, NEWKEYS, KEX_ECDH_INIT, KEX_ECDH_REPLY = 20, 21, 30, 31
USERAUTH_REQUEST, USERAUTH_FAILURE, USERAUTH_SUCCESS, USERAUTH_BANNER, USERAUTH_PK_OK = 50, 51, 52, 53, 60
GLOBAL_REQUEST, REQUEST_SUCCESS, REQUEST_FAILURE = 80, 81, 82
CHANNEL_OPEN, CHANNEL_OPEN_CONFIRMATION, CHANNEL_OPEN_FAILURE = 90, 91, 92
CHANNEL_WINDOW_ADJUST, CHANNEL_DATA, CHANNEL_EXTENDED_DATA, CHANNEL_EOF, CHANNEL_CLOSE = 93, 94, 95, 96, 97
CHANNEL_REQUEST, CHANNEL_SUCCESS, CHANNEL_FAILURE = 98, 99, 100

VERSION = b"SSH-2.0-raw"
PATIENCE_S = 15.0


def string(data: bytes | str) -> bytes:
    body = data.encode() if isinstance(data, str) else data
    return len(body).to_bytes(4, "big") + body


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def mpint(value: int) -> bytes:
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big")) if value else string(b"")


def ed25519_blob(key: Ed25519PrivateKey) -> bytes:
    return string("ssh-ed25519") + string(key.public_key().public_bytes_raw())


class RawSsh:
    """One connection; everything waits for at most PATIENCE_S."""

    def __init__(
        self,
        port: int = 0,
        *,
        source: str = "127.0.0.1",
        through: socket.socket | None = None,
        strict: bool = False,
    ) -> None:
        """Connect (or take a socket that is) and exchange versions; nothing is encrypted yet.

        `strict` offers OpenSSH's strict key exchange (PROTOCOL, 1.9).
        """
        self._sock = through or socket.create_connection(
            ("127.0.0.1", port), timeout=PATIENCE_S, source_address=(source, 0)
        )
        self._sock.settimeout(PATIENCE_S)
        self._strict = strict
        self.server_kexinit = b""
        self._buffer = b""
        self._encrypt: _Cipher | None = None
        self._decrypt: _Cipher | None = None
        self.session_id = b""
        self.farewell = ""  # why the server hung up, once `receive` has returned None
        self._sock.sendall(VERSION + b"\r\n")
        self.server_version = self._line()

    def __enter__(self) -> RawSsh:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sock.close()

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    # Packets

    def send_bytes(self, data: bytes) -> None:
        """Send bytes that are no packet."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._sock.sendall(data)

    def send(self, *payloads: bytes) -> None:
        """Send packets, all in one write; a server that has hung up is no error here."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._sock.sendall(b"".join(self._packet(payload) for payload in payloads))

    def receive(self) -> bytes | None:
        """Return the next payload, or None when the server has hung up or said that it does."""
        while True:
            payload = self._read_packet()
            if payload is None or payload[0] == DISCONNECT:
                self.farewell = take(payload[5:])[0].decode() if payload else ""
                return None
            if payload[0] not in (IGNORE, DEBUG, EXT_INFO):
                return payload

    def expect(self, *kinds: int) -> bytes:
        """Return the next payload, which must be of one of these kinds; banners are passed over."""
        payload = self.receive()
        while payload is not None and payload[0] == USERAUTH_BANNER and USERAUTH_BANNER not in kinds:
            payload = self.receive()
        assert payload is not None, f"the server hung up where one of {kinds} was expected"
        assert payload[0] in kinds, f"got packet {payload[0]}, expected one of {kinds}"
        return payload

    def hung_up(self) -> bool:
        """Say whether the server ends the connection without ever granting anything."""
        granted = (USERAUTH_SUCCESS, REQUEST_SUCCESS, CHANNEL_OPEN_CONFIRMATION, CHANNEL_SUCCESS)
        while (payload := self.receive()) is not None:
            assert payload[0] not in granted, f"the server granted something: packet {payload[0]}"
        return True

    def cut_off(self) -> bool:
        """Say whether the server ends the connection, with whatever it says before that, in clear or not."""
        return self._read(1 << 30) is None

    # Getting as far as login

    def exchange_keys(self) -> None:
        """Do one key exchange; packets are encrypted from then on."""
        ours = self.kexinit()
        self.send(ours)
        theirs = self.server_kexinit = self.expect(KEXINIT)
        secret = X25519PrivateKey.generate()
        public = secret.public_key().public_bytes_raw()
        self.send(bytes([KEX_ECDH_INIT]) + string(public))
        reply = self.expect(KEX_ECDH_REPLY)
        host_key, rest = take(reply[1:])
        their_public, _signature = take(rest)
        shared = int.from_bytes(secret.exchange(X25519PublicKey.from_public_bytes(their_public)), "big")
        fields = (VERSION, self.server_version, ours, theirs, host_key, public, their_public)
        digest = hashlib.sha256(b"".join(string(field) for field in fields) + mpint(shared)).digest()
        self.session_id = self.session_id or digest
        self.send(bytes([NEWKEYS]))
        self.expect(NEWKEYS)

        def derived(letter: bytes, size: int) -> bytes:
            return hashlib.sha256(mpint(shared) + digest + letter + self.session_id).digest()[:size]

        self._encrypt = _Cipher(key=derived(b"C", 16), iv=derived(b"A", 12))
        self._decrypt = _Cipher(key=derived(b"D", 16), iv=derived(b"B", 12))

    def kexinit(self) -> bytes:
        lists = (
            "curve25519-sha256" + ",kex-strict-c-v00@openssh.com" * self._strict,
            "ssh-ed25519-cert-v01@openssh.com,ssh-ed25519",
            *("aes128-gcm@openssh.com",) * 2,
            *("hmac-sha2-256",) * 2,
            *("none",) * 2,
            *("",) * 2,
        )
        return (
            bytes([KEXINIT]) + os.urandom(16) + b"".join(string(names) for names in lists) + b"\0" + number(0)
        )

    def ask_for_login(self) -> RawSsh:
        """Do the key exchange and have the login service accepted; return self."""
        self.exchange_keys()
        self.send(bytes([SERVICE_REQUEST]) + string("ssh-userauth"))
        self.expect(SERVICE_ACCEPT)
        return self

    # Login

    def query(self, user: str, blob: bytes, algorithm: str = "ssh-ed25519") -> bytes:
        """Return the payload that asks whether a key would do."""
        return self._login(user) + b"\0" + string(algorithm) + string(blob)

    def signed(
        self,
        user: str,
        blob: bytes,
        key: Ed25519PrivateKey,
        *,
        algorithm: str = "ssh-ed25519",
        session_id: bytes | None = None,
        signed_user: str | None = None,
    ) -> bytes:
        """Return the payload of a login; the signature may be over another session or user than is sent."""
        tail = b"\1" + string(algorithm) + string(blob)
        over = self._login(user if signed_user is None else signed_user) + tail
        made = key.sign(string(self.session_id if session_id is None else session_id) + over)
        return self._login(user) + tail + string(string("ssh-ed25519") + string(made))

    def signed_by(
        self, user: str, blob: bytes, sign: Callable[[bytes], bytes], *, algorithm: str, signature: str
    ) -> bytes:
        """Return the payload of a login with a key of any kind, whose signature bears the name `signature`."""
        login = self._login(user) + b"\1" + string(algorithm) + string(blob)
        return login + string(string(signature) + string(sign(string(self.session_id) + login)))

    def _login(self, user: str, method: str = "publickey") -> bytes:
        return bytes([USERAUTH_REQUEST]) + string(user) + string("ssh-connection") + string(method)

    def none(self, user: str) -> bytes:
        return self._login(user, "none")

    def password(self, user: str, word: str) -> bytes:
        return self._login(user, "password") + b"\0" + string(word)

    def interactive(self, user: str) -> bytes:
        return self._login(user, "keyboard-interactive") + string("") + string("")

    # Bytes

    def packet_of_length(self, length: int) -> bytes:
        """Return a packet that claims this length, whatever it is in truth."""
        body = b"\4" + bytes(max(27, min(length, 1 << 20) - 1))
        return number(length) + (self._encrypt.seal(body, number(length)) if self._encrypt else body)

    def _packet(self, payload: bytes) -> bytes:
        block = 16 if self._encrypt else 8
        head = 1 if self._encrypt else 5  # AES-GCM does not encrypt the length (RFC 5647 section 7.3)
        padding = block - (head + len(payload)) % block
        padding += block if padding < 4 else 0
        body = bytes([padding]) + payload + os.urandom(padding)
        length = number(len(body))
        return length + (self._encrypt.seal(body, length) if self._encrypt else body)

    def _read_packet(self) -> bytes | None:
        length = self._read(4)
        if length is None:
            return None
        size = int.from_bytes(length, "big")
        body = self._read(size + (16 if self._decrypt else 0))
        if body is None:
            return None
        if self._decrypt:
            try:
                body = self._decrypt.open(body, length)
            except InvalidTag:
                raise AssertionError("the server's packet cannot be read: the keys differ") from None
        return body[1 : len(body) - body[0]]

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            more = self._sock.recv(1024)
            assert more, "the server hung up before its version"
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def _read(self, size: int) -> bytes | None:
        while len(self._buffer) < size:
            try:
                more = self._sock.recv(65536)
            except ConnectionResetError:
                return None
            if not more:
                return None
            self._buffer += more
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data


class _Cipher:
    """One direction of AES-GCM: the counter in the IV grows with each packet."""

    def __init__(self, *, key: bytes, iv: bytes) -> None:
        self._cipher = AESGCM(key)
        self._fixed, self._counter = iv[:4], int.from_bytes(iv[4:], "big")

    def _nonce(self) -> bytes:
        nonce = self._fixed + self._counter.to_bytes(8, "big")
        self._counter = (self._counter + 1) % 2**64
        return nonce

    def seal(self, body: bytes, length: bytes) -> bytes:
        return self._cipher.encrypt(self._nonce(), body, length)

    def open(self, body: bytes, length: bytes) -> bytes:
        return self._cipher.decrypt(self._nonce(), body, length)


def take(data: bytes) -> tuple[bytes, bytes]:
    """Return the string that data begins with, and what follows it."""
    size = int.from_bytes(data[:4], "big")
    return data[4 : 4 + size], data[4 + size :]


def open_session(channel: int = 0, *, window: int = 1 << 20, packet: int = 32768) -> bytes:
    return bytes([CHANNEL_OPEN]) + string("session") + number(channel) + number(window) + number(packet)


def open_direct(host: str, port: int) -> bytes:
    head = bytes([CHANNEL_OPEN]) + string("direct-tcpip") + number(0) + number(1 << 20) + number(32768)
    return head + string(host) + number(port) + string("127.0.0.1") + number(1)


def execute(command: str, channel: int = 0) -> bytes:
    return bytes([CHANNEL_REQUEST]) + number(channel) + string("exec") + b"\1" + string(command)


def adjust_window(size: int, channel: int = 0) -> bytes:
    return bytes([CHANNEL_WINDOW_ADJUST]) + number(channel) + number(size)


def send_data(data: bytes, channel: int = 0) -> bytes:
    return bytes([CHANNEL_DATA]) + number(channel) + string(data)


def ask_globally(name: str, rest: bytes = b"") -> bytes:
    return bytes([GLOBAL_REQUEST]) + string(name) + b"\1" + rest
