"""scp does not fetch what cat masks: by sftp and both kinds of scp files are looked into on their way (T38, T41)."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.gate_world import adopt
from tests.integration.jump_evidence import Recorded, Since, shown
from tests.integration.planted_values import made_up

# Made up, and cut in two so that nobody takes this file for a leak.
KEY_ID = made_up("AKIA", "Q3EGRZ7KPLMN2TXW").encode()
MAIL = b"sam.doe@" + b"example.org"
LINE = b"10:00:01 info served /api/v1/items in 12 ms status=200 host=web-1 ok\n"
POLICY = """\
[[rule]]
id = "all"
verdict = "allow"

[[mask]]
id = "no-secrets"
kinds = ["secrets"]
{more}
[[mask]]
id = "count-people"
kinds = ["personal"]
action = "detect"
"""
PROTOCOLS = pytest.mark.parametrize("options", [(), ("-O",)], ids=["sftp", "legacy"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("looked-into"))
    world.ready()
    adopt(world, POLICY.format(more=""))
    yield world
    world.strike()


@pytest.fixture
def there(tmp_path: Path) -> Path:
    made = tmp_path / "there"
    made.mkdir()
    (made / "clean.log").write_bytes(LINE * 30_000 + MAIL + b"\n")
    (made / "leak.log").write_bytes(LINE * 5_000 + b"aws_access_key_id=" + KEY_ID + b"\n" + LINE * 20_000)
    (made / "dump.gz").write_bytes(gzip.compress(os.urandom(300_000)))
    return made


def fetch(world: World, options: tuple[str, ...], path: Path) -> tuple[int, bytes, str]:
    """Fetch a file; return scp's status, what came, and what it said."""
    target = world.job / "got"
    target.unlink(missing_ok=True)
    done = world.run("scp", "-q", "-F", "ssh_config", *options, f"web-1:{path}", str(target))
    return done.returncode, target.read_bytes() if target.exists() else b"", done.stderr.decode()


def close(recorded: Recorded) -> dict[str, Any]:
    (found,) = [detail for detail in recorded.details(Kind.FILE) if detail["op"] == "close"]
    return found


@PROTOCOLS
def test_a_clean_file_arrives_as_it_is_and_is_on_record_as_that(
    world: World, there: Path, options: tuple[str, ...]
) -> None:
    since = Since(world)
    content = (there / "clean.log").read_bytes()
    assert fetch(world, options, there / "clean.log") == (0, content, "")
    recorded = since.ended()
    told = close(recorded)
    assert (told["length"], told["sha256"], told["complete"], told["content"]) == (
        len(content),
        hashlib.sha256(content).hexdigest(),
        True,
        "hit",  # the address may pass, and is counted
    )
    assert recorded.row.exposure == {"email": {"detect": 1}}
    assert dict(recorded.row.files["files out"]) == {"hit": 1, "bytes": len(content)}


@PROTOCOLS
def test_l10_t38_a_key_stops_the_file_before_the_chunk_that_holds_it(
    world: World, there: Path, options: tuple[str, ...]
) -> None:
    since = Since(world)
    status, got, told = fetch(world, options, there / "leak.log")
    whole = (there / "leak.log").read_bytes()
    place = whole.index(KEY_ID)
    assert status == 1
    assert (
        f"bastion: stopped {there}/leak.log: it holds what may not pass (aws-access-key at byte {place})"
        in told
    )
    assert KEY_ID not in got
    assert whole.startswith(got.rstrip(b"\0"))
    assert len(got) <= place
    recorded = since.ended()
    assert close(recorded)["content"] == "stopped"
    assert close(recorded)["stopped"] == {"detector": "aws-access-key", "offset": place}
    if options:
        assert recorded.details(Kind.EXIT)[-1]["status"] == 126
    text = world.bastion("show", recorded.row.id).stdout.decode()
    assert "files out" in text
    assert "1 stopped" in text
    shown_to_cat = world.ssh("web-1", f"tail -n +5001 {there}/leak.log").stdout
    assert shown_to_cat.startswith(b"aws_access_key_id=[aws-access-key]\n")


def test_l10_sftp_goes_on_with_other_files_after_one_that_is_stopped(world: World, there: Path) -> None:
    since = Since(world)
    got = world.job / "other"
    batch = f"-get {there}/leak.log {world.job}/leaked\nget {there}/clean.log {got}\n"
    done = world.run("sftp", "-q", "-F", "ssh_config", "-b", "-", "web-1", stdin=batch.encode())
    assert done.returncode == 0, done.stderr
    assert got.read_bytes() == (there / "clean.log").read_bytes()
    assert KEY_ID not in (world.job / "leaked").read_bytes()
    listed = shown(world, since.ended().row.id)["files"]
    assert [it["content"] for it in listed if it["op"] == "close"] == ["stopped", "hit"]


@PROTOCOLS
def test_what_is_compressed_counts_as_unread_and_a_rule_may_refuse_it(
    world: World, there: Path, options: tuple[str, ...]
) -> None:
    since = Since(world)
    content = (there / "dump.gz").read_bytes()
    assert fetch(world, options, there / "dump.gz") == (0, content, "")
    assert (close(since.ended())["content"], close(since.ended())["unread"]) == ("unread", "gzip")
    adopt(world, POLICY.format(more='unreadable = "deny"'))
    try:
        status, got, told = fetch(world, options, there / "dump.gz")
        assert (status, got) == (1, b"")
        assert "it cannot be read (gzip), and the policy refuses what cannot" in told
        done = world.run("rsync", "-e", "ssh -F ssh_config", f"web-1:{there}/clean.log", "synced")
        assert done.returncode != 0
        assert b"bastion: rsync denied on web-1: what it carries cannot be read" in done.stderr
    finally:
        adopt(world, POLICY.format(more=""))


@PROTOCOLS
def test_spool_lets_nothing_go_of_a_file_that_holds_a_key_anywhere(
    world: World, there: Path, options: tuple[str, ...]
) -> None:
    adopt(world, POLICY.format(more="spool = true"))
    try:
        status, got, told = fetch(world, options, there / "leak.log")
        assert (status, got) == (1, b"")
        assert "it holds what may not pass (aws-access-key at byte" in told
        content = (there / "clean.log").read_bytes()
        assert fetch(world, options, there / "clean.log") == (0, content, "")
    finally:
        adopt(world, POLICY.format(more=""))


@PROTOCOLS
def test_what_goes_up_arrives_and_is_counted(
    world: World, there: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    since = Since(world)
    mine = tmp_path / "mine"
    mine.write_bytes(LINE * 3000 + KEY_ID + b"\n")
    done = world.run("scp", "-q", "-F", "ssh_config", *options, str(mine), f"web-1:{there}/up")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (there / "up").read_bytes() == mine.read_bytes()
    recorded = since.ended()
    assert close(recorded)["content"] == "hit"
    assert recorded.row.exposure == {"aws-access-key": {"detect": 1}}
    assert recorded.row.files["files in"]["hit"] == 1


def test_exposure_adds_up_the_files(world: World, there: Path) -> None:
    fetch(world, (), there / "dump.gz")
    session = world.ended_session()["id"]
    done = world.responder("exposure", "--since", "1h", "--by", "session", "--json")
    row = next(row for row in json.loads(done.stdout) if row["session"] == session)
    assert row["files"]["files out"]["unread"] == 1
    table = world.bastion("exposure", "--by", "target").stdout.decode()
    assert "files out" in table.splitlines()[0]
    assert "stopped" in table


def test_t41_nothing_of_it_is_anywhere_on_disk(world: World, there: Path) -> None:
    adopt(world, POLICY.format(more="spool = true"))
    for options in ((), ("-O",)):
        fetch(world, options, there / "leak.log")
    world.stage.stop_bastion()
    for path in [*(world.folder / "var").rglob("*"), world.stage.journal]:
        data = path.read_bytes() if path.is_file() else b""
        assert KEY_ID not in data, path
    world.stage.start_bastion()
