"""Connections: keep-alives, one connection for many commands, certificates that are renewed meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess

from tests.integration.transparency.clients import OPENSSH
from tests.integration.transparency.matrix import case
from tests.integration.transparency.way import Way, until

GROUP = "Connections"
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@case(GROUP, OPENSSH, "`ServerAliveInterval=1` while a command says nothing for longer")
def keep_alive(way: Way) -> None:
    options = ("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1")
    done = way.ssh(*options, "target", "sleep 3.5; echo late; exit 3")
    assert (done.status, done.stdout) == (3, b"late\n")


@case(GROUP, OPENSSH, "`ServerAliveCountMax`: the client gives up on a jump host that hangs")
def jump_hangs(way: Way) -> None:
    options = ("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1")
    job = way.start("ssh", "-F", "ssh_config", *options, "target", "echo here; touch {there}/runs; sleep 60")
    way.world.until((way.there / "runs").exists)
    stopped = way.jump_processes()
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    try:
        said = job.communicate(timeout=30)
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)
    way.saw("ended", (said, job.returncode))
    assert job.returncode == 255


@case(GROUP, OPENSSH, "ControlMaster: 20 commands at once over one connection, `-O check`, `-O exit`")
def multiplexed(way: Way) -> None:
    mux = ("-S", "mux")
    master = way.start("ssh", "-F", "ssh_config", *mux, "-M", "-N", "target", **QUIET)
    way.world.until(lambda: way.ssh(*mux, "-O", "check", "target", quietly=True).status == 0)
    all_run = until("set -- {there}/*; [ $# = 20 ]")
    jobs = [
        way.start(
            *("ssh", "-F", "ssh_config", *mux, "target"),
            f"touch {{there}}/{number}; {all_run}; echo {number}; cat; echo err >&2; exit {number}",
        )
        for number in range(20)
    ]
    for number, job in enumerate(jobs):
        way.saw(number, (job.communicate(b"in\n", timeout=60), job.returncode))
        assert job.returncode == number
    way.ssh(*mux, "target", "kill -9 $$")
    way.run(
        "sftp", "-q", "-F", "ssh_config", "-o", "ControlPath=mux", "-b", "-", "target", stdin=b"ls {there}\n"
    )
    way.ssh(*mux, "-O", "exit", "target")
    way.saw("master", master.wait(timeout=20))


@case(
    GROUP, OPENSSH, "ControlPersist: commands over a connection whose certificate has expired or was renewed"
)
def persistent(way: Way) -> None:
    way.certify("brief", 4)
    config = way.job / "ssh_config.brief"
    config.write_text((way.job / "ssh_config").read_text().replace("/key\n", "/brief\n"))
    alone = ("-F", config.name, "target")
    shared = ("-o", "ControlMaster=auto", "-o", "ControlPath=persist", "-o", "ControlPersist=yes", *alone)
    assert way.run("ssh", *shared, "echo first").stdout == b"first\n"
    way.world.until(lambda: way.run("ssh", *alone, "true", quietly=True).status == 255)
    assert way.run("ssh", *shared, "echo expired; exit 3").status == 3
    way.certify("brief", 600)
    assert way.run("ssh", *shared, "echo renewed; exit 4").status == 4
    assert way.run("ssh", *alone, "echo alone; exit 5").status == 5
    way.run("ssh", *shared[:-1], "-O", "exit", "target")
    way.world.until(lambda: not (way.job / "persist").exists())
    assert way.run("ssh", *shared, "echo anew; exit 6").status == 6
    way.run("ssh", *shared[:-1], "-O", "exit", "target")
