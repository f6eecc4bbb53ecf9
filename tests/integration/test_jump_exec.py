"""A command behaves through the bastion as it does without: output, status, signals, end of file, bytes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import time

import pytest

from bastion.adapters.asyncssh_hooks import Command
from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.jump_client import at_the_target
from tests.integration.jump_evidence import Direct, Since

JUMP = ("-J", "bastion")
MEGABYTE = 1 << 20


def target(world: World) -> str:
    return f"{world.login}@web-1"


@pytest.mark.parametrize(
    ("command", "stdin"),
    [
        ("echo out; echo err >&2; exit 3", b""),
        ("true", b""),
        ("exit 255", b""),
        ("no-such-program", b""),
        ("kill -9 $$", b""),
        ("kill -TERM $$", b""),
        ("kill -SEGV $$", b""),
        ("echo before; kill -9 $$", b""),
        ("sort", b"c\na\nb\n"),
        ("cat >&2", b"to stderr\n"),
        ("exec 0<&-; echo closed", b"unread\n"),
        ("exec 1>&-; echo unseen; echo seen >&2; exit 4", b""),
        ("bash -s -- one two", b'echo "$1 $2" $#\nexit 5\n'),
        ("printf '\\000\\377\\r\\n'", b""),
        (" ", b""),
    ],
)
def test_a_command_ends_as_it_does_without_the_bastion(world: World, command: str, stdin: bytes) -> None:
    direct = Direct(world).ssh(command, stdin=stdin)
    since = Since(world)
    jumped = world.ssh(*JUMP, target(world), command, stdin=stdin)
    assert (jumped.returncode, jumped.stdout, jumped.stderr) == (
        direct.returncode,
        direct.stdout,
        direct.stderr,
    )
    recorded = since.ended()
    assert recorded.request.data == command.encode()
    assert recorded.output == direct.stdout
    assert recorded.data(Kind.ERROR) == direct.stderr


def test_a_shell_without_a_terminal_is_not_an_exec(world: World) -> None:
    """The world's policy has no rule for shells; `ssh host` with a script on stdin asks for one."""
    since = Since(world)
    done = world.ssh(*JUMP, target(world), stdin=b"echo never\n")
    assert (done.returncode, done.stdout) == (126, b"")
    assert b"bastion: shell denied on web-1" in done.stderr
    assert since.ended().details(Kind.VERDICT)[0]["verdict"] == "deny"


def test_t27_death_by_signal_is_recorded_by_its_name(world: World) -> None:
    since = Since(world)
    assert world.ssh(*JUMP, target(world), "kill -9 $$").returncode == 255
    recorded = since.ended()
    assert recorded.details(Kind.EXIT)[0]["signal"] == "KILL"
    assert (recorded.row.exit_status, recorded.row.exit_signal) == (None, "KILL")


def test_t24_a_script_that_comes_slowly_runs_line_by_line(world: World) -> None:
    since = Since(world)
    job = world.start("ssh", "-F", "ssh_config", *JUMP, target(world), "bash", "-s")
    assert job.stdin
    assert job.stdout
    for word in (b"one", b"two", b"three"):
        job.stdin.write(b"echo " + word + b"\n")
        job.stdin.flush()
        assert job.stdout.readline() == word + b"\n"  # it ran before the next line was written
        time.sleep(0.1)
    job.stdin.write(b"exit 6\n")
    job.stdin.flush()
    assert job.wait(timeout=20) == 6
    job.communicate()
    assert since.ended().input == b"echo one\necho two\necho three\nexit 6\n"


def test_t27_a_half_closed_pipe_lets_the_answer_come_back(world: World) -> None:
    job = (
        f"printf 'b\\na\\n' | ssh -F ssh_config -J bastion {target(world)} 'sort; sleep 0.2; echo end' | cat"
    )
    done = world.run("bash", "-o", "pipefail", "-c", job)
    assert (done.returncode, done.stdout) == (0, b"a\nb\nend\n")


def test_t27_a_reader_that_has_enough_ends_the_command(world: World) -> None:
    """As without a bastion: `yes | head -1` ends, and so does a command that prints only now and then."""
    for command in ("yes", "while sleep 0.1; do echo again; done"):
        since = Since(world)
        job = f"ssh -F ssh_config -J bastion {target(world)} '{command}' | head -1"
        done = world.run("bash", "-c", job, timeout=15)
        assert done.stdout.count(b"\n") == 1
        recorded = since.ended()
        assert {"side": "client", "of": "output"} in recorded.details(Kind.EOF)
        assert recorded.row.bytes_out < 32 * MEGABYTE


def test_t25_stderr_is_kept_apart_and_recorded(world: World) -> None:
    since = Since(world)
    script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done"
    done = world.ssh(*JUMP, target(world), script)
    assert done.stdout == b"out 1\nout 2\nout 3\n"
    assert done.stderr == b"err 1\nerr 2\nerr 3\n"
    recorded = since.ended()
    assert (recorded.output, recorded.data(Kind.ERROR)) == (done.stdout, done.stderr)


def test_a_command_that_is_not_utf8_runs_byte_for_byte(world: World) -> None:
    since = Since(world)
    command = b"printf %s '\xff\xfe caf\xe9' | od -An -tx1"
    done = subprocess.run(
        [b"ssh", b"-F", b"ssh_config", b"-J", b"bastion", target(world).encode(), command],
        cwd=world.job,
        capture_output=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout.split()) == (0, b"ff fe 20 63 61 66 e9".split())
    assert since.ended().request.data == command


def test_t27_twenty_megabytes_each_way_are_exact(world: World) -> None:
    payload = os.urandom(20 * MEGABYTE)
    since = Since(world)
    done = world.ssh(*JUMP, target(world), "cat", stdin=payload)
    assert done.returncode == 0
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(payload).digest()
    recorded = since.ended()
    assert (recorded.row.bytes_in, recorded.row.bytes_out) == (len(payload), len(payload))
    assert recorded.input == recorded.output == payload


async def test_a_signal_reaches_the_target_even_after_the_end_of_input(world: World) -> None:
    """OpenSSH's client sends no signals; others do. For a login as root, sshd takes note and does no more."""
    since = Since(world)
    log_before = world.stage.host.log.stat().st_size
    async with asyncio.timeout(30), at_the_target(world) as connection:
        command = "trap 'echo caught; exit 9' USR1; echo ready; read x; while echo; do sleep 0.05; done"
        process = await connection.create_process(command)
        process.stdin.write_eof()
        assert await process.stdout.readline() == "ready\n"
        process.send_signal("USR1")

        def reached() -> bool:
            log = world.stage.host.log.read_bytes()[log_before:]
            return b"session_signal_req" in log or process.exit_status == 9

        while not reached():
            await asyncio.sleep(0.02)
    recorded = since.ended()
    assert recorded.details(Kind.SIGNAL) == [{"name": "USR1"}]
    assert {"side": "client"} in recorded.details(Kind.EOF)


async def test_l3_an_empty_command_is_not_turned_into_a_shell(world: World) -> None:
    """An exec request without a command is one: what the policy let pass as exec must not start a shell."""
    since = Since(world)
    async with asyncio.timeout(30), at_the_target(world) as connection:
        done = await connection.run(Command(b""), input=b"echo a shell\n", encoding=None, timeout=20)
        assert (done.exit_status, done.stdout) == (0, b"")
    recorded = since.ended()
    assert (recorded.request.detail["access"], recorded.row.access) == ("exec", "exec")
