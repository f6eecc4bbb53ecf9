"""A session without a jump ends with the client that it belongs to."""

from __future__ import annotations

from tests.integration.conftest import World


def test_t27_a_direct_session_ends_and_is_sealed_when_its_client_vanishes(world: World) -> None:
    before = {row["id"] for row in world.sessions()}
    words = ("ssh", "-F", "ssh_config", "-s", "bastion", f"sftp:{world.login}@web-1")
    with world.start(*words) as client:

        def opened() -> str | None:
            rows = [row for row in world.sessions("--state", "active") if row["id"] not in before]
            return rows[0]["id"] if rows else None

        session = world.until(opened)
        client.kill()
    (row,) = world.until(
        lambda: [row for row in world.sessions() if row["id"] == session and row["ended_at"]]
    )
    assert (row["state"], row["sealed"], row["access"]) == ("closed", True, "sftp")
