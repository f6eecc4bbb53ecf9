"""Run an operator's commands as a person would, and see that complaints are lines for a person."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

from bastion.cli.main import main
from bastion.demo.host import wait_for_port

Finished = subprocess.CompletedProcess[str]
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k"}


def bastion(*words: str | Path, cwd: Path | None = None, config: Path | None = None) -> Finished:
    """Run the bastion command as a person would, with BASTION_CONFIG set or not."""
    environment = {name: value for name, value in os.environ.items() if name != "BASTION_CONFIG"}
    if config is not None:
        environment["BASTION_CONFIG"] = str(config)
    command = [str(word) for word in ("bastion", *words)]
    if words[0] in ("init", "check", "keys", "policy") and "--lines" not in words:
        return within(command, environment, cwd)
    return subprocess.run(
        [sys.executable, "-P", "-m", *command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def within(command: list[str], environment: dict[str, str], cwd: Path | None) -> Finished:
    """Run a command that only reads and writes files in this process: loading all of it takes half a second."""
    out, err = io.StringIO(), io.StringIO()
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        stack.enter_context(patch.object(sys, "argv", command))
        stack.enter_context(patch.dict(os.environ, environment, clear=True))
        if cwd is not None:
            stack.enter_context(chdir(cwd))
        ended = stack.enter_context(pytest.raises(SystemExit))
        main()
    status = int(ended.value.code or 0)
    return subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue())


def told(done: Finished, *, status: int = 2) -> list[str]:
    """Return the lines of a complaint, having seen that it is nothing but lines for a person."""
    assert (done.stdout, done.returncode) == ("", status), done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()


@contextmanager
def serving(config: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `bastion serve` until the end of the block."""
    journal = config.with_name("journal")
    with journal.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bastion", "serve", "--config", str(config)], stderr=stderr
        )
    try:
        wait_for_port(port, process, journal)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)
