"""No process of the bastion leaves a picture of its memory behind, nor lets another one of its user take one (T41)."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import World
from tests.integration.test_workers import workers
from tests.patience import looks

PLAIN = ("setpriv", "--bounding-set=-sys_ptrace")  # root without the right to look into any process
HARD = resource.getrlimit(resource.RLIMIT_CORE)[1]  # not everywhere may root raise it
NO_LIMIT = ("prlimit", f"--core={'unlimited' if HARD == resource.RLIM_INFINITY else HARD}")


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world with two workers that was started where core files are wanted."""
    world = World(tmp_path / "world", workers=2)
    world.folder.mkdir()
    (tmp_path / "cores").mkdir()
    monkeypatch.chdir(tmp_path / "cores")  # where a core file would be, if the system writes files
    world.stage.launcher = (*PLAIN, *NO_LIMIT)
    world.ready()
    yield world
    world.strike()


def core_limit(pid: int) -> list[str]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith("Max core file size")).split()[4:6]


def readable(pid: int) -> bool:
    """Say whether another process of the same user may look into this one (see ptrace(2), access modes)."""
    looked = subprocess.run([*PLAIN, "readlink", f"/proc/{pid}/exe"], capture_output=True, check=False)
    return looked.returncode == 0


def crashed(pid: int, number: int) -> int:
    """Have a child crash; say how it ended."""
    os.kill(pid, number)
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    assert ended.si_status == number
    return ended.si_code


def test_t41_neither_supervisor_nor_worker_leaves_a_core_dump(two: World) -> None:
    supervisor = two.stage.process
    served = workers(supervisor)
    assert len(served) == 2
    for pid in (supervisor, *served):
        assert core_limit(pid) == ["0", "0"]
        assert not readable(pid)
    os.kill(served[0], signal.SIGSEGV)
    two.until(lambda: "ended with status -11" in two.stage.journal.read_text())
    assert crashed(supervisor, signal.SIGABRT) == os.CLD_KILLED  # and not CLD_DUMPED
    assert not list(Path.cwd().iterdir())


def test_t41_a_command_leaves_no_core_dump(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*PLAIN, *NO_LIMIT, sys.executable, "-m", "bastion", "redact"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as command:
        assert command.stdin is not None
        assert command.stdout is not None
        command.stdin.write(b"api_key = 0123\n")
        command.stdin.flush()
        assert command.stdout.readline()  # it is under way
        assert core_limit(command.pid) == ["0", "0"]
        assert not readable(command.pid)
        assert crashed(command.pid, signal.SIGSEGV) == os.CLD_KILLED
    assert not list(tmp_path.iterdir())


def test_a_program_of_somebody_else_can_be_read() -> None:
    """So that the tests above would see it if one of the bastion could."""
    with subprocess.Popen([*PLAIN, *NO_LIMIT, "sleep", "60"]) as program:
        try:
            started = Path(f"/proc/{program.pid}/cmdline")
            assert any(started.read_bytes().startswith(b"sleep\0") for _ in looks(20))
            assert readable(program.pid)
        finally:
            program.kill()
