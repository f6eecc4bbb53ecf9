"""rsync: trees both ways, and only what changed the second time."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

from tests.integration.transparency.matrix import Client, case
from tests.integration.transparency.way import Ended, Way

GROUP = "rsync"
RSYNC = Client(name="rsync", ask=("rsync", "--version"), version=r"version (\S+)")
LONG_AGO = 1_000_000_000


def rsync(way: Way, *words: str, quietly: bool = False) -> Ended:
    return way.run("rsync", "-e", "ssh -F ssh_config", *words, quietly=quietly)


def tree(folder: Path) -> None:
    """Make files of many kinds, all with the same times in each way."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "empty").touch()
    (folder / "deep" / "script").write_text("#!/bin/sh\n")
    (folder / "deep" / "script").chmod(0o4755)
    (folder / "deep" / "large").write_bytes(random.Random(1).randbytes(2_000_000))
    (folder / "deep" / "er" / "private").write_text("x")
    (folder / "deep" / "er" / "private").chmod(0o600)
    (folder / "a 'b' \"c\" $(d);é").write_text("odd name")
    (folder / "link").symlink_to("deep/large")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "hard").hardlink_to(folder / "deep" / "script")
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    os.utime(folder, (LONG_AGO, LONG_AGO))


@case(GROUP, RSYNC, "push and pull of a tree: modes, times, symbolic and hard links, odd names")
def both_ways(way: Way) -> None:
    tree(way.here / "tree")
    assert rsync(way, "-aHi", "here/tree", "target:{there}").status == 0
    assert rsync(way, "-aHiz", "target:{there}/tree/", "here/back").status == 0
    assert (way.here / "back" / "deep" / "large").stat().st_mtime == LONG_AGO
    assert rsync(way, "-a", "target:{there}/tr*/deep/*", "here/pattern").status == 0
    assert rsync(way, "-a", "target:{there}/tree/a 'b' \"c\" $(d);é", "here/odd").status == 0
    assert rsync(way, "--list-only", "-r", "target:{there}/tree/").stdout


@case(
    GROUP, RSYNC, "delta: a second run sends what changed, and nothing if nothing did", but="bytes per second"
)
def delta(way: Way) -> None:
    content = bytearray(random.Random(2).randbytes(3_000_000))
    for change in (None, 1_500_000, None):
        if change is not None:
            content[change : change + 9] = b"different"
        (way.here / "large").write_bytes(content)
        done = rsync(
            way, "-c", "--stats", "--no-whole-file", "here/large", "target:{there}/large", quietly=True
        )
        assert done.status == 0
        way.saw(
            "stats",
            re.findall(rb"(?:Literal|Matched|Total (?:transferred )?file|Number)[^:]*: .*", done.stdout),
        )
        literal = int(re.findall(rb"Literal data: ([\d,]+)", done.stdout)[0].replace(b",", b""))
        way.saw("literal", literal)
    assert way.seen[1][1] == 3_000_000
    assert 0 < way.seen[3][1] < 10_000
    assert way.seen[5][1] == 0


@case(
    GROUP,
    RSYNC,
    "`--delete`, `--remove-source-files`, `--backup`, `--link-dest`, `--files-from`, `--partial-dir`",
)
def options(way: Way) -> None:
    tree(way.here / "tree")
    (way.there / "tree").mkdir()
    (way.there / "tree" / "stale").write_text("x")
    assert rsync(way, "-ai", "--delete", "here/tree/", "target:{there}/tree").status == 0
    assert not (way.there / "tree" / "stale").exists()
    assert rsync(way, "-ai", "--link-dest", "../tree", "here/tree/", "target:{there}/again").status == 0
    assert (way.there / "again" / "deep" / "large").stat().st_nlink == 2
    (way.here / "list").write_text("deep/script\nempty\n")
    backup = ("--backup", "--suffix=.old", "--partial-dir=.part", "--mkpath", "--ignore-times")
    for _ in range(2):
        files = ("--files-from=here/list", "here/tree", "target:{there}/a/b")
        assert rsync(way, "-i", *backup, *files).status == 0
    (way.here / "moved").write_text("x")
    assert rsync(way, "-t", "--remove-source-files", "here/moved", "target:{there}/").status == 0
    assert not (way.here / "moved").exists()


@case(
    GROUP,
    RSYNC,
    "what fails: no such file, no such folder there, more than `--max-delete`",
    but="rsync ends its own ssh once it knows: how much of what it says is still printed is chance both ways",
)
def failures(way: Way) -> None:
    (way.here / "a").write_text("a")
    (way.there / "stale").write_text("x")
    done = [
        rsync(way, "-a", "target:{there}/missing", "here/", quietly=True),
        rsync(way, "-a", "here/a", "target:{there}/no/such/folder/", quietly=True),
        rsync(way, "-a", "--delete", "--max-delete=0", "here/", "target:{there}/", quietly=True),
    ]
    way.saw("statuses", [it.status for it in done])
    assert [it.status for it in done] == [23, 11, 25]


@case(GROUP, RSYNC, "behind a wrapper (`--rsync-path`), with `--secluded-args` and with `--old-args`")
def spellings(way: Way) -> None:
    (way.here / "a").write_bytes(random.Random(3).randbytes(300_000))
    for number, option in enumerate(("--rsync-path=nice rsync", "--secluded-args", "--old-args")):
        assert rsync(way, "-a", option, "here/a", f"target:{{there}}/{number}").status == 0
        assert rsync(way, "-a", option, f"target:{{there}}/{number}", f"here/back-{number}").status == 0
