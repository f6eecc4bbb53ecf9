"""OpenSSH's own sftp and scp move files through the taps, and the record agrees with the disk."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BETWEEN = Path(__file__).with_name("tap_between.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
CONTENTS = {"empty": b"", "one": b"1", "large": os.urandom(5 * 1024 * 1024), "odd": os.urandom(99_991)}

Details = list[dict[str, Any]]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """Return a folder with a tree of files, where the client runs."""
    ours = tmp_path / "ours"
    (ours / "tree" / "deep").mkdir(parents=True)
    for name, content in CONTENTS.items():
        (ours / name).write_bytes(content)
        (ours / "tree" / "deep" / name).write_bytes(content[::-1])
    return ours


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Return an empty folder on the target's side."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    return theirs


class Story:
    """Run one client through the tap and read what was recorded."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self.events = cwd.parent / "events.jsonl"

    def sftp(self, batch: str, *options: str) -> Details:
        server = f"{sys.executable} {BETWEEN} {self.events} sftp"
        return self._run(["sftp", "-q", *options, "-b", "-", "-D", server], batch)

    def scp(self, *arguments: str) -> Details:
        ssh = self.cwd.parent / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{BETWEEN}" "{self.events}" scp "$@"\n')
        ssh.chmod(0o755)
        return self._run(["scp", "-q", "-O", "-S", str(ssh), *arguments], "")

    def _run(self, command: list[str], stdin: str) -> Details:
        self.events.unlink(missing_ok=True)
        done = subprocess.run(
            command, cwd=self.cwd, env=ENVIRONMENT, input=stdin, text=True, capture_output=True, timeout=120
        )
        self.status, self.stderr = done.returncode, done.stderr
        return [json.loads(line) for line in self.events.read_text().splitlines()]


@pytest.fixture
def story(ours: Path) -> Story:
    return Story(ours)


def only(details: Details, op: str) -> Details:
    return [it for it in details if it["op"] == op]


def check_closes(closes: Details, expected: dict[str, bytes], direction: str) -> None:
    """Check that exactly these files passed, whole, with the digests of what lies on the disk."""
    assert {it["path"]: it["sha256"] for it in closes} == {
        path: sha256(content) for path, content in expected.items()
    }
    assert len(closes) == len(expected)
    for it in closes:
        assert (it["direction"], it["length"]) == (direction, len(expected[it["path"]]))
        assert it["complete"]
        assert it["sequential"]


def check_progress(details: Details) -> None:
    """Check law L1: each file's progress grows to exactly what its close says."""
    running: dict[str, tuple[int, str]] = {}
    for it in details:
        key = f"{it.get('direction')} {it.get('path')}"
        if it["op"] == "progress":
            assert it["length"] > running.get(key, (0, ""))[0]
            running[key] = (it["length"], it["sha256"])
        elif it["op"] == "close":
            assert running.pop(key, (0, sha256(b""))) == (it["length"], it["sha256"])
    assert not running


def check_no_payload(details: Details) -> None:
    """Check that no content was recorded with the protocol."""
    (protocol,) = only(details, "protocol")
    for content in (CONTENTS["large"], CONTENTS["odd"]):
        for at in range(0, len(content) - 16, 4096):
            assert content[at : at + 16].decode("latin-1") not in protocol["text"]


def test_l1_sftp_puts_and_gets_agree_with_the_disk(story: Story, ours: Path, theirs: Path) -> None:
    puts = "".join(f"put {name} {theirs}/{name}\n" for name in CONTENTS)
    details = story.sftp(puts)
    assert story.status == 0, story.stderr
    check_closes(only(details, "close"), {f"{theirs}/{n}": c for n, c in CONTENTS.items()}, "upload")
    check_progress(details)
    check_no_payload(details)
    assert {n: (theirs / n).read_bytes() for n in CONTENTS} == CONTENTS

    details = story.sftp("".join(f"get {theirs}/{name} got-{name}\n" for name in CONTENTS))
    assert story.status == 0, story.stderr
    check_closes(only(details, "close"), {f"{theirs}/{n}": c for n, c in CONTENTS.items()}, "download")
    check_progress(details)
    check_no_payload(details)
    assert {n: (ours / f"got-{n}").read_bytes() for n in CONTENTS} == CONTENTS
    assert all(it["eof"] for it in only(details, "close"))


@pytest.mark.parametrize("options", [("-R", "1"), ("-R", "256"), ("-B", "1000"), ("-B", "200000")])
def test_sftp_with_other_depths_and_sizes_of_requests(
    story: Story, ours: Path, theirs: Path, options: tuple[str, ...]
) -> None:
    details = story.sftp(f"put odd {theirs}/odd\nget {theirs}/odd back\n", *options)
    assert story.status == 0, story.stderr
    up, down = only(details, "close")
    check_closes([up], {f"{theirs}/odd": CONTENTS["odd"]}, "upload")
    check_closes([down], {f"{theirs}/odd": CONTENTS["odd"]}, "download")
    assert (ours / "back").read_bytes() == CONTENTS["odd"]


def test_sftp_trees(story: Story, ours: Path, theirs: Path) -> None:
    tree = {f"{theirs}/tree/deep/{name}": content[::-1] for name, content in CONTENTS.items()}
    details = story.sftp(f"put -rp tree {theirs}/\n")
    assert story.status == 0, story.stderr
    check_closes(only(details, "close"), tree, "upload")
    assert [it["path"] for it in only(details, "mkdir")] == [f"{theirs}/tree", f"{theirs}/tree/deep"]
    assert {it["path"] for it in only(details, "fsetstat")} == set(tree)

    details = story.sftp(f"get -rp {theirs}/tree back\n")
    assert story.status == 0, story.stderr
    check_closes(only(details, "close"), tree, "download")
    assert {it["path"] for it in only(details, "list")} >= {f"{theirs}/tree", f"{theirs}/tree/deep"}
    assert (ours / "back/deep/large").read_bytes() == CONTENTS["large"][::-1]


def test_sftp_resumes_where_it_broke_off(story: Story, ours: Path, theirs: Path) -> None:
    large, half = CONTENTS["large"], 2_000_000
    (theirs / "large").write_bytes(large[:half])
    (ours / "partial").write_bytes(large[:half])
    details = story.sftp(f"reput large {theirs}/large\nreget {theirs}/large partial\n")
    assert story.status == 0, story.stderr
    assert (theirs / "large").read_bytes() == (ours / "partial").read_bytes() == large
    for it in only(details, "close"):
        assert (it["offset"], it["length"], it["sha256"]) == (half, len(large) - half, sha256(large[half:]))
        assert it["complete"]
        assert it["sequential"]


def test_sftp_operations_are_recorded_with_their_status(story: Story, theirs: Path) -> None:
    (theirs / "a").write_bytes(b"a")
    batch = [
        "mkdir d",
        "-mkdir d",
        "chmod 4755 a",
        "ln a hard",
        "ln -s a soft",
        "rename a b",
        "copy b c",
        "ls -l",
        "-get missing",
        "rm hard",
        "-rm missing",
        "rmdir d",
    ]
    details = story.sftp(f"cd {theirs}\n" + "\n".join(batch) + "\n")
    assert story.status == 0, story.stderr
    done = [
        (
            it["op"],
            it["path"].removeprefix(f"{theirs}/"),
            it.get("to", "").removeprefix(f"{theirs}/"),
            it["status"],
        )
        for it in details
        if it["op"]
        in ("mkdir", "setstat", "hardlink", "symlink", "posix-rename", "copy-data", "remove", "rmdir")
    ]
    assert done == [
        ("mkdir", "d", "", "ok"),
        ("mkdir", "d", "", "failure"),
        ("setstat", "a", "", "ok"),
        ("hardlink", "a", "hard", "ok"),
        ("symlink", "a", "soft", "ok"),
        ("posix-rename", "a", "b", "ok"),
        ("copy-data", "b", "c", "ok"),
        ("remove", "hard", "", "ok"),
        ("remove", "missing", "", "no-such-file"),
        ("rmdir", "d", "", "ok"),
    ]
    assert only(details, "setstat")[0]["mode"] & 0o7777 == 0o4755
    assert [it["path"] for it in only(details, "list")] == [str(theirs)]
    assert {path.name for path in theirs.iterdir()} == {"b", "c", "soft"}


def test_scp_puts_and_gets_agree_with_the_disk(story: Story, ours: Path, theirs: Path) -> None:
    details = story.scp(*CONTENTS, f"web-1:{theirs}")
    assert story.status == 0, story.stderr
    check_closes(only(details, "close"), {f"{theirs}/{n}": c for n, c in CONTENTS.items()}, "upload")
    check_progress(details)
    check_no_payload(details)
    assert {n: (theirs / n).read_bytes() for n in CONTENTS} == CONTENTS

    for name, content in CONTENTS.items():
        details = story.scp(f"web-1:{theirs}/{name}", f"got-{name}")
        assert story.status == 0, story.stderr
        check_closes(only(details, "close"), {f"{theirs}/{name}": content}, "download")
        check_progress(details)
        check_no_payload(details)
        assert (ours / f"got-{name}").read_bytes() == content


def test_scp_trees(story: Story, ours: Path, theirs: Path) -> None:
    tree = {f"{theirs}/tree/deep/{name}": content[::-1] for name, content in CONTENTS.items()}
    details = story.scp("-r", "-p", "tree", f"web-1:{theirs}/")
    assert story.status == 0, story.stderr
    check_closes(only(details, "close"), tree, "upload")
    assert [it["path"] for it in only(details, "mkdir")] == [f"{theirs}/tree", f"{theirs}/tree/deep"]

    details = story.scp("-r", "-p", f"web-1:{theirs}/tree", "back")
    assert story.status == 0, story.stderr
    check_closes(only(details, "close"), tree, "download")
    assert (ours / "back/deep/large").read_bytes() == CONTENTS["large"][::-1]


def test_scp_to_a_name_that_only_the_target_can_tell(story: Story, theirs: Path) -> None:
    (close,) = only(story.scp("one", f"web-1:{theirs}/new-name"), "close")
    assert close["or_path"] == f"{theirs}/new-name"
    assert (theirs / "new-name").read_bytes() == b"1"


def test_scp_goes_on_after_a_file_that_the_target_refuses(story: Story, theirs: Path) -> None:
    (theirs / "large").mkdir()
    details = story.scp("empty", "large", "odd", f"web-1:{theirs}")
    assert story.status == 1
    assert "Is a directory" in story.stderr
    statuses = {it["path"]: it["status"] for it in only(details, "open")}
    assert statuses == {f"{theirs}/empty": "ok", f"{theirs}/large": "failed", f"{theirs}/odd": "ok"}
    assert (theirs / "odd").read_bytes() == CONTENTS["odd"]


def test_scp_of_a_missing_file_says_so(story: Story, theirs: Path) -> None:
    details = story.scp(f"web-1:{theirs}/missing", ".")
    assert story.status == 1
    assert "No such file" in story.stderr
    assert [it["op"] for it in details] == ["protocol"]


def test_l1_an_scp_client_that_never_waits_cannot_hide_a_file(ours: Path, theirs: Path) -> None:
    """The target refuses the first file; what was announced as its payload is a second, and recorded."""
    (theirs / "x").mkdir()
    events = ours.parent / "events.jsonl"
    done = subprocess.run(
        [sys.executable, str(BETWEEN), str(events), "scp", f"scp -d -t {theirs}"],
        env=ENVIRONMENT,
        input=b"C0644 23 x\nC0755 4 evil\nrun!\0\0"[:-1],
        capture_output=True,
        timeout=60,
    )
    assert b"Is a directory" in done.stdout
    details = [json.loads(line) for line in events.read_text().splitlines()]
    check_closes(only(details, "close"), {f"{theirs}/evil": b"run!"}, "upload")
    assert (theirs / "evil").read_bytes() == b"run!"
