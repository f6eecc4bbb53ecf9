"""sftp and scp move files through the bastion: exact on the disk, named and digested in the record, not kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.jump_evidence import Since, running, shown

MARKER = b"this-line-of-the-payload-must-not-be-in-the-recording\n"
CONTENTS = {
    "empty": b"",
    "notes.txt": MARKER * 40,
    "binary": bytes(range(256)) * 5 + MARKER,
    "large": os.urandom(3_000_000) + MARKER,
}

Files = dict[str, bytes]


class Story:
    """One transfer and what the record says of it."""

    def __init__(self, world: World, tmp_path: Path) -> None:
        self.world = world
        self.ours, self.theirs = tmp_path / "ours", tmp_path / "theirs"
        self.theirs.mkdir()
        (self.ours / "tree" / "deep").mkdir(parents=True)
        for name, content in CONTENTS.items():
            (self.ours / name).write_bytes(content)
            (self.ours / "tree" / "deep" / name).write_bytes(content[::-1])
        self.since = Since(world)

    def sftp(self, batch: str, *words: str) -> None:
        """Run sftp with a batch; it ends well."""
        where = words or (f"{self.world.login}@web-1",)
        done = self.world.run("sftp", "-q", "-F", "ssh_config", "-b", "-", *where, stdin=batch.encode())
        assert done.returncode == 0, done.stderr

    def scp(self, *words: str) -> None:
        """Run scp; it ends well."""
        done = self.world.run("scp", "-q", "-F", "ssh_config", *words)
        assert (done.returncode, done.stderr) == (0, b"")

    def there(self, path: str = "") -> str:
        """Return what scp calls a path on the target."""
        return f"{self.world.login}@web-1:{self.theirs}/{path}"

    def recorded(self, direction: str, files: Files) -> list[dict[str, Any]]:
        """Check that `bastion show` lists exactly these files as moved; return its whole list."""
        recorded = self.since.ended()
        listed: list[dict[str, Any]] = shown(self.world, recorded.row.id)["files"]
        moved = [it for it in listed if it["op"] == "close"]
        assert {
            it["path"]: (it["direction"], it["length"], it["sha256"], it["complete"]) for it in moved
        } == {
            path: (direction, len(content), hashlib.sha256(content).hexdigest(), True)
            for path, content in files.items()
        }
        assert len(moved) == len(files)
        assert recorded.row.access == "sftp"
        export = self.world.bastion("export", recorded.row.id, "--format", "json").stdout
        assert MARKER.strip() not in export
        kept = b"".join(event.data for event in recorded.events)
        for content in (CONTENTS["large"], CONTENTS["binary"]):
            assert content[:64] not in kept
            assert content[-64:] not in kept
        self.since = Since(self.world)
        return listed

    def at(self, folder: Path, files: dict[str, bytes] = CONTENTS) -> Files:
        """Return where files lie in a folder on the target."""
        return {f"{folder}/{name}": content for name, content in files.items()}


@pytest.fixture
def story(world: World, tmp_path: Path) -> Iterator[Story]:
    return Story(world, tmp_path)


def on_disk(folder: Path) -> Files:
    return {str(it.relative_to(folder)): it.read_bytes() for it in folder.rglob("*") if it.is_file()}


def test_t23_an_sftp_batch_is_recorded_step_by_step(story: Story) -> None:
    ours, theirs = story.ours, story.theirs
    puts = "".join(f"put {ours}/{name} {theirs}/{name}\n" for name in CONTENTS)
    story.sftp(puts)
    assert on_disk(theirs) == CONTENTS
    story.recorded("upload", story.at(theirs))

    gets = "".join(f"get {theirs}/{name} {ours}/back-{name}\n" for name in CONTENTS)
    story.sftp(gets)
    assert {name: (ours / f"back-{name}").read_bytes() for name in CONTENTS} == CONTENTS
    story.recorded("download", story.at(theirs))

    story.sftp(
        f"ls {theirs}\nmkdir {theirs}/new\nrename {theirs}/empty {theirs}/new/renamed\n"
        f"chmod 600 {theirs}/binary\nrm {theirs}/notes.txt\nln -s binary {theirs}/link\n"
    )
    listed = story.recorded("upload", {})
    said = {(it["op"], it.get("path"), it.get("to"), it.get("status")) for it in listed}
    assert ("mkdir", f"{theirs}/new", None, "ok") in said
    assert ("remove", f"{theirs}/notes.txt", None, "ok") in said
    assert any(
        op.endswith("rename") and path == f"{theirs}/empty" and to == f"{theirs}/new/renamed"
        for op, path, to, _ in said
    )
    assert any(it["op"] == "setstat" and it["path"] == f"{theirs}/binary" for it in listed)
    assert any(it["op"] == "symlink" for it in listed)


def test_t23_sftp_straight_at_the_bastion_takes_the_same_way(story: Story) -> None:
    """The subsystem's name says where: `sftp -s sftp:LOGIN@TARGET BASTION`."""
    put = f"put {story.ours}/binary {story.theirs}/binary\n"
    story.sftp(put, "-s", f"sftp:{story.world.login}@web-1", "bastion")
    assert (story.theirs / "binary").read_bytes() == CONTENTS["binary"]
    story.recorded("upload", {f"{story.theirs}/binary": CONTENTS["binary"]})


@pytest.mark.parametrize("protocol", [(), ("-O",)], ids=["sftp", "legacy"])
def test_t23_scp_both_ways_with_both_protocols(story: Story, protocol: tuple[str, ...]) -> None:
    sources = [str(story.ours / name) for name in CONTENTS]
    story.scp(*protocol, *sources, story.there())
    assert on_disk(story.theirs) == CONTENTS
    folder = Path(f"{story.theirs}/") if protocol else story.theirs
    story.recorded("upload", story.at(folder))

    back = story.ours / "back"
    back.mkdir()
    story.scp(*protocol, story.there("large"), str(back))
    assert on_disk(back) == {"large": CONTENTS["large"]}
    story.recorded("download", {f"{story.theirs}/large": CONTENTS["large"]})


@pytest.mark.parametrize("protocol", [(), ("-O",)], ids=["sftp", "legacy"])
def test_t23_scp_of_trees_both_ways_with_both_protocols(story: Story, protocol: tuple[str, ...]) -> None:
    tree = {f"deep/{name}": content[::-1] for name, content in CONTENTS.items()}
    story.scp(*protocol, "-r", str(story.ours / "tree"), story.there())
    assert on_disk(story.theirs / "tree") == tree
    story.recorded("upload", story.at(story.theirs / "tree", tree))

    story.scp(*protocol, "-r", story.there("tree"), str(story.ours / "back"))
    assert on_disk(story.ours / "back") == tree
    story.recorded("download", story.at(story.theirs / "tree", tree))


def test_t23_a_command_that_only_begins_like_scp_is_recorded_as_a_command(story: Story) -> None:
    done = story.world.ssh("web-1", f"scp -t {story.theirs}; echo more", stdin=b"")
    assert b"more\n" in done.stdout
    recorded = story.since.ended()
    assert recorded.row.access == "exec"
    assert recorded.output == done.stdout


def test_a_file_that_is_not_there_fails_as_it_does_without_the_bastion(story: Story) -> None:
    done = story.world.run("scp", "-q", "-F", "ssh_config", story.there("missing"), "x")
    assert (done.returncode, b"No such file" in done.stderr) == (1, True)


def test_t27_a_bot_killed_in_mid_upload_leaves_the_file_on_record_as_not_complete(story: Story) -> None:
    """How much of it had passed, and its digest so far, are on record as well."""
    upload = "printf 'C0644 1000000 slow\\n'; head -c 400000 /dev/zero; sleep 60"
    script = f"({upload}) | exec ssh -F ssh_config web-1 scp -t {story.theirs}"
    job = story.world.start("sh", "-c", script, start_new_session=True)
    story.world.until(lambda: (story.theirs / "slow").exists() and story.since.live().row.bytes_in >= 400_000)
    os.killpg(job.pid, 9)
    job.communicate()
    recorded = story.since.ended()
    (close,) = [it for it in recorded.details(Kind.FILE) if it["op"] == "close"]
    assert (close["complete"], close["length"]) == (False, 400_000)
    assert close["sha256"] == hashlib.sha256(bytes(400_000)).hexdigest()
    assert not running(f"scp -t {story.theirs}")
