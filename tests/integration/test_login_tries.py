"""No way to log in can be tried for as long as the login may take."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.integration.conftest import World
from tests.integration.raw_ssh import RawSsh, ed25519_blob


@pytest.mark.parametrize(
    "attempt",
    [
        lambda raw, key, blob: raw.query("orders-deployer", blob),
        lambda raw, key, blob: raw.query("login", blob),
        lambda raw, key, blob: raw.signed("login", blob, key, session_id=b"another"),
        lambda raw, key, blob: raw.none("bot"),
        lambda raw, key, blob: raw.none(os.urandom(4).hex()),
        lambda raw, key, blob: raw.password("root", "root"),
        lambda raw, key, blob: raw.interactive("root"),
    ],
    ids=["refused key", "accepted query", "wrong signature", "none", "new names", "password", "interactive"],
)
def test_no_way_to_log_in_is_tried_for_ever(
    world: World, attempt: Callable[[RawSsh, Ed25519PrivateKey, bytes], bytes]
) -> None:
    key = Ed25519PrivateKey.generate()
    with RawSsh(world.stage.port) as connection:
        connection.ask_for_login()
        tries = 0
        while tries < 50:
            connection.send(attempt(connection, key, ed25519_blob(key)))
            if connection.receive() is None:
                break
            tries += 1
        assert 6 <= tries <= 20
