"""One operation on files waits for people inside its live session, by sftp and by both kinds of scp (T36, T37)."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from recorder.events import Kind
from tests.campaign.scene import family
from tests.integration.conftest import World
from tests.integration.gate_world import adopt
from tests.integration.hold_world import bot, ends, entries, holding_world, holds, person, waiting
from tests.integration.jump_evidence import Since

POLICY = """\
[[rule]]
id = "files-and-echo"
verdict = "allow"
when = { groups = ["ci"] }
match = [
  { operation = ["upload", "download", "stat", "list", "mkdir", "setstat"], reads = "glob:**" },
  { writes = "glob:**" },
  { program = ["echo", "sleep"] },
]

[[rule]]
id = "removals-and-keys-are-four-eyes"
verdict = "approve"
match = [
  { operation = ["delete", "rename"] },
  { operation = ["upload", "download"], writes = "glob:**/*.pem" },
  { operation = "download", reads = "glob:**/*.pem" },
]
reason = "somebody looks first"
approvers = { groups = ["dba"], expires = "5m" }

[[rule]]
id = "brief"
verdict = "approve"
match = [
  { operation = "upload", writes = "glob:**/*.brief" },
  { operation = "delete", writes = "glob:**/*.brief" },
]
approvers = { groups = ["dba"], expires = "1s" }
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with holding_world(tmp_path_factory.mktemp("held-files"), policy=POLICY) as made:
        (made.job / "key.pem").write_bytes(b"key" * 30_000)
        (made.job / "app.tgz").write_bytes(b"app" * 100_000)
        (made.job / "x.brief").write_bytes(b"brief")
        yield made


@pytest.fixture
def there(tmp_path: Path) -> Path:
    made = tmp_path / "there"
    made.mkdir()
    (made / "old").write_text("old")
    (made / "old.brief").write_text("old")
    return made


def sftp(world: World, batch: str) -> subprocess.Popen[bytes]:
    batch_file = world.job / "batch"
    batch_file.write_text(batch)
    return world.start("sftp", "-q", "-F", "ssh_config", "-b", str(batch_file), "web-1")


def answer(world: World, word: str, seen: dict[str, Any], *more: str) -> None:
    done = person(world, "alex", word, seen["id"], *more)
    assert done.returncode == 0, done.stderr


def test_l3_t36_an_operation_of_sftp_waits_in_its_place_and_then_runs(world: World, there: Path) -> None:
    since = Since(world)
    held = sftp(world, f"put app.tgz {there}/one\nrm {there}/old\nput app.tgz {there}/two\n")
    (seen,) = waiting(world)
    assert (seen["statement"], seen["rule"]) == (f"delete {there}/old", ["removals-and-keys-are-four-eyes"])
    assert f"writes {there}/old" in seen["facts"]
    assert sorted(path.name for path in there.iterdir()) == ["old", "old.brief", "one"]
    answer(world, "approve", seen)
    status, _out, told = ends(held)
    assert status == 0, told
    assert told.startswith(f"bastion: held {seen['id']} by removals-and-keys-are-four-eyes: waits until ")
    assert told.count("bastion:") == 1
    assert sorted(path.name for path in there.iterdir()) == ["old.brief", "one", "two"]
    assert (there / "two").read_bytes() == b"app" * 100_000
    recorded = since.ended()
    assert [detail["state"] for detail in recorded.details(Kind.HOLD)] == ["waiting", "approved"]
    assert [entry["kind"] for entry in entries(world, seen["id"])] == [
        "hold.asked",
        "hold.answered",
        "hold.ended",
    ]


def test_t36_a_denied_operation_is_answered_as_that_and_the_session_goes_on(
    world: World, there: Path
) -> None:
    held = sftp(world, f"-rename {there}/old {there}/new\nput app.tgz {there}/after\n")
    (seen,) = waiting(world)
    answer(world, "deny", seen, "--reason", "'not on a Friday'")
    status, _out, told = ends(held)
    assert status == 0
    assert f"bastion: {seen['id']} denied by alex@acme.example: not on a Friday (session " in told
    assert "ermission denied" in told
    assert sorted(path.name for path in there.iterdir()) == ["after", "old", "old.brief"]


def test_an_operation_that_nobody_decides_is_refused_in_time(world: World, there: Path) -> None:
    status, _out, told = ends(sftp(world, f"rm {there}/old.brief\n"))
    assert status == 1
    assert "expired: nobody has decided in time" in told
    assert (there / "old.brief").exists()


@pytest.mark.parametrize("options", [(), ("-O",)], ids=["sftp", "legacy"])
def test_l3_t36_scp_waits_before_the_file_is_there_both_ways(
    world: World, there: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    scp = ("scp", "-q", "-F", "ssh_config", *options)
    held = world.start(*scp, "key.pem", f"web-1:{there}/new.pem")
    (seen,) = waiting(world)
    assert seen["statement"].startswith(f"upload {there}/new.pem")
    assert not (there / "new.pem").exists()
    answer(world, "approve", seen)
    status, _out, told = ends(held)
    assert status == 0, told
    assert (there / "new.pem").read_bytes() == b"key" * 30_000

    held = world.start(*scp, f"web-1:{there}/new.pem", str(tmp_path / "got"))
    (seen,) = waiting(world)
    assert seen["statement"] == f"download {there}/new.pem"
    answer(world, "deny", seen, "--reason", "no")
    status, _out, told = ends(held)
    assert status == 1
    assert f"{seen['id']} denied by alex@acme.example: no" in told
    assert (tmp_path / "got").read_bytes() == b"" if (tmp_path / "got").exists() else True


def test_legacy_scp_ends_with_124_when_nobody_has_decided(world: World, there: Path) -> None:
    done = world.ssh("web-1", f"scp -t {there}", stdin=b"C0644 5 x.brief\nbrief\0")
    assert done.returncode == 124
    assert b"expired: nobody has decided in time" in done.stderr
    assert not (there / "x.brief").exists()


def test_t37_a_client_that_goes_away_withdraws_its_operation(world: World, there: Path) -> None:
    held = sftp(world, f"rm {there}/old\n")
    (seen,) = waiting(world)
    for pid in family(held.pid)[1:]:  # ssh, and what it started for the jump: sftp ends by itself
        with suppress(ProcessLookupError):  # so does each whose other end has gone
            os.kill(pid, signal.SIGKILL)
    held.wait(20)
    world.until(lambda: not holds(world))
    done = person(world, "alex", "approve", seen["id"])
    assert done.returncode == 1
    assert "withdrawn: the bot is gone" in done.stderr.decode()
    assert (there / "old").exists()


def test_other_channels_of_the_connection_flow_on_while_an_operation_waits(world: World, there: Path) -> None:
    control = ("-o", "ControlMaster=auto", "-o", f"ControlPath={world.job}/mux", "-o", "ControlPersist=30")
    batch_file = world.job / "batch-mux"
    batch_file.write_text(f"rm {there}/old\n")
    assert bot(world, *control, "web-1", "echo first").wait(20) == 0
    held = world.start("sftp", "-q", "-F", "ssh_config", *control, "-b", str(batch_file), "web-1")
    (seen,) = waiting(world)
    status, out, _told = ends(bot(world, *control, "web-1", "echo beside"))
    assert (status, out) == (0, b"beside\n")
    answer(world, "approve", seen)
    assert ends(held)[0] == 0
    assert not (there / "old").exists()
    bot(world, *control, "-O", "exit", "web-1").wait(20)


def test_t37_a_reload_that_denies_it_cancels_the_operation(world: World, there: Path) -> None:
    held = sftp(world, f"rm {there}/old\n")
    (seen,) = waiting(world)
    adopt(world, POLICY + '\n[[rule]]\nid = "never"\nverdict = "deny"\nmatch = [{ operation = "delete" }]\n')
    status, _out, told = ends(held)
    assert status == 1
    assert f"{seen['id']} cancelled: the policy has changed and denies it by never" in told
    assert (there / "old").exists()
    adopt(world, POLICY)
