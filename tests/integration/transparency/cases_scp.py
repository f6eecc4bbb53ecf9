"""scp: both protocols, single files and trees, modes and times, and what goes wrong."""

from __future__ import annotations

import os
from collections.abc import Callable

from tests.integration.transparency.clients import SCP
from tests.integration.transparency.matrix import case
from tests.integration.transparency.way import Ended, Way

GROUP = "Copies"
PROTOCOLS = {"over SFTP": (), "legacy protocol (`-O`)": ("-O",)}
Copy = Callable[..., list[Ended]]
ODD = "it's *?[x] $HOME ünï"


def both(title: str) -> Callable[[Callable[[Way, Copy], None]], Callable[[Way, Copy], None]]:
    """Enter a story as one case for each protocol; its `copy` runs scp with each list of words it is given."""

    def enter(story: Callable[[Way, Copy], None]) -> Callable[[Way, Copy], None]:
        for name, options in PROTOCOLS.items():

            def run(way: Way, options: tuple[str, ...] = options) -> None:
                def copy(*calls: tuple[str, ...]) -> list[Ended]:
                    return way.together(*(("scp", "-F", "ssh_config", *options, *words) for words in calls))

                story(way, copy)

            run.__module__ = __name__
            case(GROUP, SCP, f"{title}, {name}")(run)
        return story

    return enter


@both("files to and from, `-p`, `-q`, `-C`, `-l`")
def files(way: Way, copy: Copy) -> None:
    way.plant(way.here / "tree")
    done = copy(
        ("here/tree/large", "target:{there}/"),
        ("-p", "here/tree/run.sh", "here/tree/bytes", "here/tree/empty", "target:{there}"),
        ("-q", "-C", "here/tree/bytes", "target:{there}/renamed"),
        ("-l", "100000", "-p", "target:{here}/tree/bytes", "here/back"),
        ("-p", "target:{here}/tree/run.sh", "target:{here}/tree/-dash", "here/none/../"),
    )
    assert [it.status for it in done[:4]] == [0, 0, 0, 0]
    assert (way.there / "large").read_bytes() == (way.here / "tree" / "large").read_bytes()


@both("trees to and from (`-r`), into what is there and what is not, with `-p`")
def trees(way: Way, copy: Copy) -> None:
    way.plant(way.here / "tree")
    (way.here / "tree" / "dangling").unlink()  # scp follows links
    (way.there / "exists").mkdir()
    (way.here / "exists").mkdir()
    done = copy(
        ("-r", "here/tree", "target:{there}/new"),
        ("-rp", "here/tree", "here/tree/deep", "target:{there}/exists"),
        ("-rp", "target:{here}/tree", "here/new"),
        ("-r", "target:{here}/tree", "target:{here}/tree/deep", "here/exists"),
    )
    assert [it.status for it in done] == [0, 0, 0, 0]
    assert way.files_in(way.here / "new") == way.files_in(way.there / "exists" / "tree")


@both("patterns at the target, several sources, odd names")
def patterns(way: Way, copy: Copy) -> None:
    names = ("a1", "a2", "b1", "c", ODD)
    for name in names:
        (way.here / name).write_text(name)
    for folder in ("one", "two", "up"):
        (way.here / folder).mkdir()
    escaped = "it\\'s\\ \\*\\?\\[x\\]\\ \\$HOME\\ ünï"
    done = copy(
        ("target:{here}/a*", "target:{here}/[bc]*", "here/one"),
        ("here/a1", "here/b1", "target:{here}/c", "target:{there}"),
        (f"here/{ODD}", "target:{there}"),
        (f"target:{{here}}/{escaped}", "here/two"),
        ("target:{here}/nothing*", "here/two"),
    )
    assert [it.status for it in done] == [0, 0, 0, 0, 1]
    assert {it.name for it in (way.here / "one").iterdir()} == {"a1", "a2", "b1", "c"}
    assert (way.here / "two" / ODD).read_text() == (way.there / ODD).read_text() == ODD


@both("errors: missing files and folders, folders without `-r`, a tree onto a file, a file onto a folder")
def errors(way: Way, copy: Copy) -> None:
    (way.here / "file").write_text("file")
    (way.here / "tree" / "in").mkdir(parents=True)
    (way.there / "taken" / "file").mkdir(parents=True)
    (way.there / "file").write_text("old")
    os.mkfifo(way.here / "fifo")
    done = copy(
        ("target:{there}/missing", "here/back"),
        ("here/missing", "target:{there}/new"),
        ("here/file", "target:{there}/missing/deep"),
        ("here/file", "target:{there}/missing/"),
        ("target:{there}/taken", "here/back"),
        ("here/tree", "target:{there}/new"),
        ("-r", "here/tree", "target:{there}/file"),
        ("here/file", "target:{there}/taken"),
        ("target:{there}/file", "target:{there}/missing", "here/tree"),
        ("target:{there}/file", "here/missing/"),
        ("-r", "target:{there}/missing", "here/back"),
        ("target:{there}/file", "here/tree/in"),
    )
    assert [it.status > 0 for it in done] == [True] * 11 + [False]


@case(GROUP, SCP, "`-3`: from one target to another through the client")
def between(way: Way) -> None:
    way.plant(way.here / "tree")
    (way.here / "tree" / "dangling").unlink()
    for options in ((), ("-O",)):
        words = ("scp", "-F", "ssh_config", *options, "-3", "-rp", "target:{here}/tree")
        assert way.run(*words, "rekeying:{there}/tree" + "".join(options)).status == 0
