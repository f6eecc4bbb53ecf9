"""rsync and git move trees through the bastion: of their streams length and digest are on record, and no content."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.events import Kind
from tests.integration.conftest import Finished, World
from tests.integration.jump_evidence import Recorded, Since, running, shown

MARKER = b"this-line-of-the-payload-must-not-be-in-the-recording\n"
CONTENT = os.urandom(1_000_000) + MARKER
WHO = ("-c", "user.name=Sam", "-c", "user.email=sam@acme.example", "-c", "init.defaultBranch=main")


class Story:
    """One client over an ssh that keeps a copy of what it sent and got."""

    def __init__(self, world: World, tmp_path: Path) -> None:
        self.world = world
        self.ours, self.theirs = tmp_path / "ours", tmp_path / "theirs"
        self.ours.mkdir()
        self.theirs.mkdir()
        (self.ours / "large").write_bytes(CONTENT)
        self.sent, self.got, self.error = (tmp_path / name for name in ("sent", "got", "error"))
        copying = Path(__file__).with_name("copying_ssh.py")
        words = [sys.executable, str(copying), str(tmp_path), "-F", str(world.job / "ssh_config")]
        self.ssh = shlex.join(words)
        self.since = Since(world)

    def rsync(self, *words: str) -> Finished:
        return self.world.run("rsync", "-e", self.ssh, *words)

    def git(self, *words: str) -> Finished:
        """Run git; it ends well."""
        done = self.world.run("git", *WHO, "-c", f"core.sshCommand={self.ssh}", *words)
        assert done.returncode == 0, done.stderr
        return done

    def recorded(self, of: str) -> Recorded:
        """Check that exactly what passed is on record by length and digest, and none of it as it is."""
        recorded = self.since.ended()
        ended = {it["stream"]: it for it in recorded.details(Kind.DIGEST) if it.get("ended")}
        passed = {"input": self.sent.read_bytes(), "output": self.got.read_bytes()}
        assert ended == {
            stream: {
                "of": of,
                "stream": stream,
                "length": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "ended": True,
            }
            for stream, data in passed.items()
        }
        assert (recorded.row.bytes_in, recorded.row.access) == (len(passed["input"]), "exec")
        assert not recorded.data(Kind.INPUT, Kind.OUTPUT, Kind.CLIENT_PROTOCOL, Kind.TARGET_PROTOCOL)
        assert recorded.data(Kind.ERROR, Kind.NOTICE).splitlines() == self.error.read_bytes().splitlines()
        self.since = Since(self.world)
        return recorded

    def shown(self, recorded: Recorded) -> None:
        """Check that `show` and the export as text tell the same length and digest."""
        ends = [it for it in recorded.details(Kind.DIGEST) if it.get("ended")]
        listed = shown(self.world, recorded.row.id)["files"]
        verbs = {"input": "upload", "output": "download"}
        assert [(it["what"], it["sha256"]) for it in listed] == [
            (f"{it['of']} {verbs[it['stream']]} {it['length']} bytes", it["sha256"]) for it in ends
        ]
        told = self.world.bastion("export", recorded.row.id, "--format", "text").stdout.decode()
        for it in listed:
            assert told.count(f"{it['what']} sha256 {it['sha256']}") == 1

    def there(self, path: str = "") -> str:
        return f"web-1:{self.theirs}/{path}"


@pytest.fixture
def story(world: World, tmp_path: Path) -> Iterator[Story]:
    return Story(world, tmp_path)


def test_t23_rsync_both_ways_is_recorded_by_length_and_digest(story: Story) -> None:
    odd = "an 'odd' name; $(id)"
    done = story.rsync("-a", f"{story.ours}/", story.there(odd))
    assert (done.returncode, done.stderr) == (0, b"")
    assert (story.theirs / odd / "large").read_bytes() == CONTENT
    recorded = story.recorded("rsync")
    assert recorded.request.detail["stream"] == "rsync"
    story.shown(recorded)

    assert story.rsync("-az", "--delete", story.there("an*"), f"{story.ours}/back").returncode == 0
    assert (story.ours / "back" / odd / "large").read_bytes() == CONTENT
    story.recorded("rsync")


def test_t25_what_rsync_complains_of_on_the_target_is_recorded_whole(story: Story) -> None:
    done = story.rsync("-a", story.there("missing"), str(story.ours))
    assert done.returncode == 23
    assert b"missing" in done.stderr
    story.recorded("rsync")


def test_t23_git_clone_push_and_archive_are_recorded_by_length_and_digest(story: Story) -> None:
    bare = story.theirs / "orders.git"
    story.world.run("git", *WHO, "init", "-q", "--bare", str(bare), check=True)
    tree = str(story.ours / "tree")
    story.git("init", "-q", tree)
    (story.ours / "tree" / "large").write_bytes(CONTENT)
    story.git("-C", tree, "add", "large")
    story.git("-C", tree, "commit", "-q", "-m", "first")
    story.git("-C", tree, "push", "-q", story.there("orders.git"), "HEAD:main")
    story.recorded("git receive-pack")

    story.git("clone", "-q", story.there("orders.git"), str(story.ours / "clone"))
    assert (story.ours / "clone" / "large").read_bytes() == CONTENT
    story.recorded("git upload-pack")

    story.git("archive", f"--remote={story.there('orders.git')}", "-o", str(story.ours / "a.tar"), "main")
    story.recorded("git upload-archive")


@pytest.mark.parametrize("more", ["; cat", "\ncat", " $(cat >&2)"])
@pytest.mark.parametrize("server", ["rsync --server --sender . {0}", "git-upload-pack {0}"])
def test_t23_a_command_that_only_begins_like_a_server_is_kept_whole(
    story: Story, server: str, more: str
) -> None:
    command = (server + more).format(story.theirs)
    story.world.ssh("web-1", command, stdin=MARKER)
    recorded = story.since.ended()
    assert recorded.input == MARKER
    assert recorded.details(Kind.DIGEST) == []
    assert "stream" not in recorded.request.detail


def test_t23_a_server_behind_a_wrapper_and_one_with_hidden_arguments_are_kept_whole(story: Story) -> None:
    for option in ("--rsync-path=env rsync", "--secluded-args"):
        assert story.rsync("-a", option, f"{story.ours}/", story.there(option[2:5])).returncode == 0
        recorded = story.since.ended()
        assert MARKER in recorded.input
        assert recorded.details(Kind.DIGEST) == []
        story.since = Since(story.world)


def test_t27_a_bot_killed_in_mid_stream_leaves_on_record_how_much_had_passed(story: Story) -> None:
    script = (
        f"(head -c 400000 /dev/zero; sleep 60) | exec ssh -F ssh_config web-1 git-receive-pack {story.theirs}"
    )
    story.world.run("git", *WHO, "init", "-q", "--bare", str(story.theirs), check=True)
    job = story.world.start("sh", "-c", script, start_new_session=True)
    story.world.until(lambda: story.since.live().details(Kind.DIGEST))
    os.killpg(job.pid, 9)
    job.communicate()
    recorded = story.since.ended()
    ended = {it["stream"]: it["length"] for it in recorded.details(Kind.DIGEST) if it.get("ended")}
    assert ended["input"] == recorded.row.bytes_in
    story.world.until(lambda: not running(f"git-receive-pack {story.theirs}"))
