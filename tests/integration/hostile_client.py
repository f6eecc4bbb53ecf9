"""Be a client that logs in properly and then misbehaves, packet by packet.

In      a world; the job's key and certificate
Out     RawSsh connections, logged in at the outer door
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from tests.integration.conftest import World
from tests.integration.raw_ssh import USERAUTH_SUCCESS, RawSsh, ed25519_blob


def logged_in(world: World, *, source: str = "127.0.0.1") -> RawSsh:
    """Return a connection that is logged in as the job."""
    key = load_ssh_private_key((world.job / "key").read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    blob = certificate_blob(world)
    raw = RawSsh(world.stage.port, source=source).ask_for_login()
    kind = "ssh-ed25519-cert-v01@openssh.com"
    raw.send(raw.signed_by("bot", blob, key.sign, algorithm=kind, signature="ssh-ed25519"))
    raw.expect(USERAUTH_SUCCESS)
    return raw


def logged_in_with_plain_key(world: World) -> RawSsh:
    """Return a connection of anybody's, at login@."""
    key = Ed25519PrivateKey.generate()
    raw = RawSsh(world.stage.port).ask_for_login()
    raw.send(raw.signed("login", ed25519_blob(key), key))
    raw.expect(USERAUTH_SUCCESS)
    return raw


def certificate_blob(world: World) -> bytes:
    """Return the job's certificate as it goes over the wire."""
    return base64.b64decode((world.job / "key-cert.pub").read_bytes().split()[1])
