"""sftp: every command of its batch mode, its options, and what goes wrong."""

from __future__ import annotations

import os
import re

from tests.integration.jump_terminal import Terminal
from tests.integration.transparency.clients import SFTP
from tests.integration.transparency.matrix import case
from tests.integration.transparency.way import Ended, Way

GROUP = "SFTP"
LONG_AGO = 1_200_000_000


def batch(way: Way, lines: str, *words: str, quietly: bool = False) -> Ended:
    """Run sftp with a batch; its commands are echoed in what it prints."""
    where = words or ("target:{there}",)
    return way.run(*("sftp", "-F", "ssh_config", "-b", "-", *where), stdin=way.filled(lines), quietly=quietly)


def plant(way: Way) -> None:
    """Make files on the target, with times and modes that a listing may show."""
    for name, content in {"a.txt": "alpha", "b.txt": "beta" * 100, "c.log": "", ".hidden": "h"}.items():
        (way.there / name).write_text(content)
    (way.there / "folder" / "in").mkdir(parents=True)
    (way.there / "folder" / "x y").write_text("odd name")
    (way.there / "link").symlink_to("a.txt")
    for number, path in enumerate(sorted(way.there.rglob("*"), reverse=True)):
        os.utime(path, (LONG_AGO, LONG_AGO + number), follow_symlinks=False)
    os.utime(way.there, (LONG_AGO, LONG_AGO))


@case(GROUP, SFTP, "`ls` with every option and pattern, `pwd`, `lpwd`, `cd`, `lcd`, `lls`, `version`, `help`")
def listing(way: Way) -> None:
    plant(way)
    listings = "".join(f"ls -{it}\n" for it in ("1", "a", "l", "ln", "lS", "lt", "lr", "f", "lh", "ltr1"))
    done = batch(
        way,
        f"pwd\nlpwd\n{listings}ls *.txt\nls -l folder link\nls -1 [ab]*\ncd folder\npwd\nls -l\ncd ..\n"
        "lcd {here}\nlmkdir made\nlcd made\nlpwd\n!echo local $PWD\nlls -a\n"
        "lumask 077\nversion\nhelp\n?\nprogress\nprogress\n"
        "-cd missing\n-ls missing\n-cd a.txt\n-ls none*\npwd\n",
    )
    assert (done.status, b"SFTP protocol version 3" in done.stdout) == (0, True)


@case(GROUP, SFTP, "`put`, `get`, `mput`, `mget`: patterns, `-p`, `-r`, `-f`, folders, odd names")
def transfers(way: Way) -> None:
    way.plant(way.here / "tree")
    (way.here / "back").mkdir()
    (way.here / "kept").mkdir()
    done = batch(
        way,
        "put here/tree/large\nput -p here/tree/run.sh renamed\nput -f here/tree/bytes\nmkdir puts\n"
        "mput here/tree/*y* puts\n"
        'put -Rp here/tree\nput -r here/tree copy\nput "here/tree/a name \'with\' \\"quotes\\" *?[x] $HOME" odd\n'
        "get large here/back/\nget -p renamed here/back/run.sh\nmget puts/* here/back\nget -Rp tree here/kept\n"
        "get -f bytes here/back/synced\nget -r copy/deep here/back/deep\nls -1 *\n",
    )
    assert done.status == 0, done.stderr
    assert (way.there / "large").read_bytes() == (way.here / "back" / "large").read_bytes()


@case(GROUP, SFTP, "`reget`, `reput`, `get -a`, `put -a`: what was begun is completed")
def resumed(way: Way) -> None:
    whole = bytes(range(256)) * 4000
    for folder in (way.here, way.there):
        (folder / "whole").write_bytes(whole)
        (folder / "half").write_bytes(whole[:500_000])
        (folder / "more").write_bytes(whole[:3])
    (way.here / "half").rename(way.here / "whole-half")
    done = batch(
        way,
        "reput here/whole half\nput -a here/whole more\nreget whole here/whole-half\nget -a whole here/more\n"
        "-reget more here/none\n-reput here/missing half\n",
    )
    assert done.status == 0
    for path in (way.there / "half", way.there / "more", way.here / "whole-half", way.here / "more"):
        assert path.read_bytes() == whole


@case(
    GROUP,
    SFTP,
    "`mkdir`, `rmdir`, `rm`, `rename`, `ln`, `ln -s`, `symlink`, `copy`, `chmod`, `chown`, `chgrp`, with `-h`",
)
def changes(way: Way) -> None:
    plant(way)
    owner, group = os.getuid(), os.getgid()
    done = batch(
        way,
        "mkdir new\nrmdir new\nmkdir 'with space'\nrm c.log\nrename b.txt folder/moved\nrename -l a.txt a2.txt\n"
        "ln a2.txt hard\nln -s a2.txt soft\nsymlink nowhere dangling\ncopy a2.txt copied\ncp folder/moved copied2\n"
        f"chmod 600 a2.txt\nchmod 2751 folder\nchmod -h 640 copied\nchown {owner} copied\nchgrp {group} copied\n"
        f"chown -h {owner} soft\nchgrp -h {group} dangling\nchmod 604 *2*\nrm *opied*\nls -1a\n",
    )
    assert done.status == 0, done.stderr
    assert oct((way.there / "folder").stat().st_mode & 0o7777) == "0o2751"


@case(GROUP, SFTP, "`df`, `df -h`, `df -i`", but="the numbers, which change")
def disk(way: Way) -> None:
    done = batch(way, "df\ndf -h\ndf -i\ndf {there}\n-df missing\n", quietly=True)
    shape = re.sub(rb"[ \d.]+[KMGTP]?B?", b"#", done.stdout)
    way.saw("df", (done.status, shape, done.stderr))
    assert (done.status, done.stdout.count(b"%")) == (0, 8)


@case(GROUP, SFTP, "errors: the first one ends a batch, a line that begins with `-` does not; each message")
def errors(way: Way) -> None:
    plant(way)
    (way.here / "file").write_text("x")
    failing = [
        "get missing here/",
        "put here/missing",
        "put here/file missing/",
        "get folder here/",
        "put here folder",
        "mkdir folder",
        "rmdir missing",
        "rmdir folder",
        "rm missing",
        "rm folder",
        "rename missing other",
        "rename -l a.txt b.txt",
        "ln missing other",
        "ln a.txt b.txt",
        "symlink x link",
        "copy missing other",
        "chmod 600 missing",
        "chown 0 missing",
        "chmod 99 a.txt",
        "ls missing",
        "lcd missing",
        "!exit 3",
        "nonsense",
        "get",
    ]
    assert batch(way, "".join(f"-{line}\n" for line in failing)).status == 0
    with_end = batch(way, "rm a.txt\nrm missing\nrm b.txt\n")
    assert (with_end.status, (way.there / "b.txt").exists()) == (1, True)
    assert batch(way, "ls\n", "target:{there}/missing").status == 1


@case(
    GROUP,
    SFTP,
    "`-B`, `-R`, `-C`, `-l`, `-p`, `-r`, `-a`, `-f`, `-q`, a path on the command line, `-s` with a program",
)
def options(way: Way) -> None:
    way.plant(way.here / "tree")
    (way.there / "part").write_bytes(b"\0\1")
    lines = "put here/tree/large {there}/LARGE\nget {there}/LARGE here/LARGE\n"
    for number, words in enumerate(
        (
            ("-B", "1000", "-R", "1", "-C"),
            ("-R", "256", "-l", "200000"),
            ("-s", "/usr/lib/openssh/sftp-server"),
        )
    ):
        done = batch(way, lines.replace("LARGE", str(number)), *words, "target")
        assert (done.status, (way.here / str(number)).stat().st_size) == (0, 700_001)
    batch(way, "put here/tree/bytes part\n", "-a", "target:{there}")
    batch(way, "put here/tree\n", "-p", "-r", "-f", "target:{there}")
    assert (way.there / "part").read_bytes() == (way.here / "tree" / "bytes").read_bytes()
    for words in (
        ("target:{there}/part", "here/got"),
        ("-r", "target:{there}/tree/", "here/tree-got"),
        ("-q", "target:{there}/none"),
    ):
        way.run("sftp", "-F", "ssh_config", *words)
    assert (way.here / "got").exists()


@case(GROUP, SFTP, "an interactive session in a terminal, with the progress meter", but="the meter's speed")
def interactive(way: Way) -> None:
    (way.here / "large").write_bytes(bytes(3_000_000))
    with Terminal(way, "sftp", "-F", "ssh_config", f"target:{way.there}") as window:
        window.until("sftp> ")
        for command, answer in (
            ("put here/large", "100%"),
            ("get large here/back", "100%"),
            ("pwd", "Remote working"),
        ):
            window.type(f"{command}\n")
            window.until(answer)
            window.until("sftp> ")
        window.type("mkdir new\nrmdir missing\n")
        way.saw("complaint", way.plainly(window.until("No such file or directory")[-40:]))
        window.type("bye\n")
        way.saw("status", window.status())


@case(GROUP, SFTP, "1,000 small files in one folder")
def many(way: Way) -> None:
    (way.here / "many").mkdir()
    for number in range(1000):
        (way.here / "many" / f"file-{number:04}").write_text(str(number))
    assert batch(way, "put -r here/many\nget -r many here/back\nls -1 many\n").status == 0
    assert way.files_in(way.here / "back") == way.files_in(way.here / "many")
