"""Commands: exit statuses, bytes, and what the command line and the environment may hold."""

from __future__ import annotations

import subprocess
from contextlib import suppress

from tests.integration.transparency.clients import OPENSSH
from tests.integration.transparency.matrix import case
from tests.integration.transparency.way import Way, until

GROUP = "Commands"


@case(GROUP, OPENSSH, "exit statuses, also of what cannot be run")
def statuses(way: Way) -> None:
    done = way.each("true", "exit 1", "exit 3", "exit 126", "exit 255", "no-such-program", "/etc/passwd")
    assert [it.status for it in done] == [0, 1, 3, 126, 255, 127, 126]


@case(GROUP, OPENSSH, "death by a signal: status 255, and what ssh says of it")
def signals(way: Way) -> None:
    done = way.each("kill -9 $$", "kill -TERM $$", "kill -SEGV $$", "echo before; kill -HUP $$")
    assert {it.status for it in done} == {255}


@case(GROUP, OPENSSH, "bytes of any value on stdin, stdout and stderr")
def binary(way: Way) -> None:
    every = bytes(range(256)) * 20 + b"\xff\xfe\r\n\0"
    done = way.ssh("target", "tee /dev/stderr", stdin=every)
    assert (done.status, done.stdout, done.stderr) == (0, every, every)


@case(GROUP, OPENSSH, "quotes, newlines, tabs, `$`, and bytes that are not UTF-8 in the command")
def odd_words(way: Way) -> None:
    done = way.each(
        b"printf %s 'caf\xe9 \xff\xfe' | od -An -tx1",
        "printf '%s|' \"a b\" 'c\"d' e\\ f $'g\\th' \"`echo i`\"",
        "echo one\necho two\n\n",
        "cat <<'END'\n$HOME `not run`\nEND\n",
        "\techo 'ünïcödé ☂'\t# comment",
    )
    assert done[0].stdout.split() == b"63 61 66 e9 20 ff fe".split()


@case(GROUP, OPENSSH, "an empty command, one of blanks, and one of many words")
def words(way: Way) -> None:
    done = [
        way.ssh("target", *it, stdin=b"echo shell: $-\n") for it in ((" ",), ("", ""), ("echo", "a  b", "c"))
    ]
    assert [it.stdout for it in done] == [b"", b"", b"a b c\n"]


@case(GROUP, OPENSSH, "a command of 120,000 bytes")
def long_command(way: Way) -> None:
    done = way.ssh("target", "echo " + "x" * 60_000 + " '" + "y z" * 20_000 + "'")
    assert (done.status, len(done.stdout)) == (0, 120_002)


@case(GROUP, OPENSSH, "`-n`, stdin from /dev/null, and stdin closed")
def no_stdin(way: Way) -> None:
    for words in (("-n", "target", "cat; echo end"), ("target", "cat; echo end")):
        assert way.ssh(*words, stdin=subprocess.DEVNULL).stdout == b"end\n"
    assert way.run("sh", "-c", "ssh -F ssh_config target 'cat; echo end' <&-").stdout == b"end\n"


@case(GROUP, OPENSSH, "`-f`: ssh goes to the background once the command runs")
def background(way: Way) -> None:
    command = f"{until('[ -e {there}/go ]')}; echo late; exit 3"
    done = way.run("sh", "-c", f"ssh -F ssh_config -f target '{command}' >here/out 2>here/err")
    assert (done.status, (way.here / "out").read_bytes()) == (0, b"")
    (way.there / "go").touch()
    way.world.until(lambda: (way.here / "out").read_bytes() == b"late\n")


@case(GROUP, OPENSSH, "`-N` and `-W`: nothing is run; `-q`, `-T`, `-o RemoteCommand`")
def nothing(way: Way) -> None:
    assert way.ssh("-q", "-T", "-o", "RemoteCommand=echo run; exit 4", "target").status == 4
    holder = way.start("ssh", "-F", "ssh_config", "-N", "-S", "mux", "-M", "target")
    way.world.until(lambda: (way.job / "mux").exists())
    way.saw("-N", (terminated(holder), holder.returncode))
    banner = way.run(
        "sh",
        "-c",
        "echo bad | ssh -F ssh_config -W {target} jump | head -c 8".replace(
            "{target}", f"localhost:{way.target_port}"
        ),
    )
    assert banner.stdout == b"SSH-2.0-"


@case(GROUP, OPENSSH, "`SendEnv` and `SetEnv`: LANG, LC_* and what else the target accepts; 120 variables")
def environment(way: Way) -> None:
    show = "env | grep -E '^(LANG|LC_|FOO|BASTION_)' | sort"
    local = {"LANG": "de_DE.UTF-8", "LC_ALL": "C", "LC_TIME": "tlh", "BASTION_WHY": "ünder \xe9 'test'\n2"}
    done = way.ssh("-o", "SendEnv=LANG LC_* BASTION_* FOO", "target", show, env={**local, "FOO": "x"})
    assert b"LC_TIME=tlh\n" in done.stdout
    many = " ".join(f"LC_N{number}={number}" for number in range(120))
    done = way.ssh("-o", f"SetEnv={many} LC_LONG={'v' * 3000}", "target", show)
    assert done.stdout.count(b"LC_N") == 120


def terminated(program: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """End ssh by SIGTERM, and return what it had to say.

    OpenSSH's client (9.2) does not block signals between its look at the flag and its poll: one that arrives there is
    noticed with the next event only, which a second signal is.
    """
    for _ in range(10):
        program.terminate()
        with suppress(subprocess.TimeoutExpired):
            return program.communicate(timeout=3)
    raise AssertionError("ssh does not end")
