"""Whoever reads evidence leaves evidence of it, by every door; nobody is who they say, only who they prove."""

from __future__ import annotations

import pytest

from tests.integration.conftest import World

READINGS = [["sessions"], ["show"], ["replay"], ["export", "--format", "json"]]


def reads_since(world: World, before: int) -> list[tuple[str, str]]:
    """Return (command, by) of the reads on the audit chain after its first `before` entries."""
    entries = [entry["detail"] for entry in world.audit()[before:] if entry["kind"] == "evidence.read"]
    return [(detail["command"], detail["by"]) for detail in entries]


@pytest.fixture
def session(world: World) -> str:
    """The id of a session that has ended."""
    assert world.ssh("web-1", "echo read me").returncode == 0
    return str(world.ended_session()["id"])


@pytest.mark.parametrize("words", READINGS, ids=lambda words: words[0])
def test_l9_reading_on_the_bastion_is_recorded_with_the_user(
    world: World, session: str, words: list[str]
) -> None:
    before = len(world.audit())
    command, *options = words
    done = world.bastion(command, *([] if command == "sessions" else [session]), *options)
    assert done.returncode == 0
    ((read, by),) = reads_since(world, before)
    assert read == command
    assert by.startswith(world.login)
    assert "on the bastion itself" in by


@pytest.mark.parametrize("words", READINGS, ids=lambda words: words[0])
def test_l9_reading_over_ssh_is_recorded_with_the_identity_and_the_address(
    world: World, session: str, words: list[str]
) -> None:
    world.responder("sessions")
    before = len(world.audit())
    command, *options = words
    done = world.responder(command, *([] if command == "sessions" else [session]), *options)
    assert done.returncode == 0, done.stderr
    assert reads_since(world, before) == [(command, "on-call over SSH from 127.0.0.1")]


def test_l9_a_read_that_cannot_be_recorded_shows_nothing(world: World, session: str) -> None:
    elsewhere = world.folder / "unwritable"
    elsewhere.mkdir(exist_ok=True)
    text = world.stage.config.read_text().replace('keys = "./keys"', 'keys = "./unwritable"')
    config = world.folder / "no-seal.toml"
    config.write_text(text)
    done = world.bastion("show", session, "--config", str(config))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"reading evidence is recorded" in done.stderr


@pytest.mark.parametrize("user", ["on-call", "dana", "root", "on-call/1"])
def test_t49_a_user_name_makes_nobody_a_responder(world: World, user: str) -> None:
    before = len(world.audit())
    done = world.ssh("-l", user, "bastion", "sessions")
    assert (done.returncode, done.stdout) == (126, b"")
    assert b"orders-deployer may not read evidence" in done.stderr
    assert reads_since(world, before) == []


def test_t49_the_user_name_at_the_bastion_and_the_environment_change_nothing_in_the_record(
    world: World,
) -> None:
    spoof = ["-o", "SetEnv=BASTION_IDENTITY=on-call", "-J", "on-call@bastion", f"{world.login}@web-1"]
    assert world.ssh(*spoof, "true").returncode == 0
    row = world.ended_session()
    assert (row["identity"], row["owner"], row["claims"]["actor"]) == (
        "orders-deployer",
        "dana@acme.example",
        "sam",
    )


def test_t49_what_a_client_says_for_the_door_of_a_command_is_not_believed(world: World) -> None:
    before = len(world.audit())
    done = world.responder("'--door' root sessions")
    assert done.returncode == 126
    assert reads_since(world, before) == []
    assert world.responder("sessions", "--door", "root").returncode == 2
