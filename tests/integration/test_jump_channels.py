"""Several commands share one connection and are one session; memory does not grow with what passes."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.jump_evidence import Since, multiplexed, running

MEGABYTE = 1 << 20


def test_t27_ten_commands_at_once_on_one_connection_are_one_session(world: World) -> None:
    since = Since(world)
    with multiplexed(world) as ssh:
        jobs = {}
        for number in range(10):
            command = f"read x; echo {number} $x; echo error {number} >&2; exit {number}"
            jobs[number] = world.start(*ssh, command)
        for number, job in reversed(jobs.items()):
            out, err = job.communicate(f"said {number}\n".encode(), timeout=30)
            said = (f"{number} said {number}\n".encode(), f"error {number}\n".encode())
            assert (job.returncode, out, err) == (number, *said)
    recorded = since.ended()
    requests = {event.channel: event.data for event in recorded.events if event.kind is Kind.REQUEST}
    assert sorted(requests) == list(range(1, 11))
    exits = {event.channel: event.detail["status"] for event in recorded.events if event.kind is Kind.EXIT}
    for channel, command in requests.items():
        number = int(command.split()[3].rstrip(b";"))
        of_channel = [event for event in recorded.events if event.channel == channel]
        output = b"".join(event.data for event in of_channel if event.kind is Kind.OUTPUT)
        assert (exits[channel], output) == (number, f"{number} said {number}\n".encode())


def test_t27_a_denied_channel_leaves_the_others_alone(world: World) -> None:
    since = Since(world)
    with multiplexed(world) as ssh:
        running = world.start(*ssh, "read x; echo still here")
        shell = world.run(*ssh, stdin=b"echo never\n")
        assert (shell.returncode, shell.stdout) == (126, b"")
        assert running.communicate(b"go\n", timeout=30)[0] == b"still here\n"
        assert len(since.live().details(Kind.REQUEST)) == 2


def test_t27_transfers_side_by_side_do_not_mix(world: World) -> None:
    payloads = [os.urandom(2 * MEGABYTE) for _ in range(4)]
    jobs = []
    with multiplexed(world) as ssh:
        for index, payload in enumerate(payloads):
            (world.job / f"payload-{index}").write_bytes(payload)
            with (world.job / f"payload-{index}").open("rb") as source:
                jobs.append(world.start(*ssh, "cat", stdin=source))
        for job, payload in zip(jobs, payloads, strict=True):
            echoed = job.communicate(timeout=60)[0]
            assert hashlib.sha256(echoed).digest() == hashlib.sha256(payload).digest()


def test_t27_a_client_that_closes_early_still_hears_how_its_command_ended(world: World) -> None:
    """OpenSSH's client closes a shared channel once both streams have ended; the status may come much later."""
    payload = os.urandom(3 * MEGABYTE)
    (world.job / "early").write_bytes(payload)
    with multiplexed(world) as ssh:
        for command, status in (
            ("exec >&- 2>&-; sleep 0.3; exit 9", 9),
            ("exec >&- 2>&-; sleep 0.3; kill -9 $$", 255),
            (f"exec >&- 2>&-; sleep 0.3; cat > {world.folder}/early; exit 7", 7),
        ):
            with (world.job / "early").open("rb") as source:
                assert world.start(*ssh, command, stdin=source).wait(timeout=20) == status
    assert (world.folder / "early").read_bytes() == payload


def test_t27_a_shared_channel_whose_client_is_killed_ends_its_command(world: World) -> None:
    marker = f"marker-{os.getpid()}-shared"
    with multiplexed(world) as ssh:
        job = world.start(*ssh, f"while echo tick; do sleep 0.02; done # {marker}")
        assert job.stdout
        assert job.stdout.readline() == b"tick\n"
        job.kill()
        job.communicate()
        world.until(lambda: not running(marker), 5)
        assert world.run(*ssh, "echo the connection lives").returncode == 0


def resident_mb(world: World) -> float:
    """Return how much memory the bastion has."""
    found = subprocess.run(
        ["pgrep", "-f", f"bastion serve --config {world.stage.config}"], capture_output=True, text=True
    )
    (pid,) = found.stdout.split()
    (line,) = [it for it in Path(f"/proc/{pid}/status").read_text().splitlines() if it.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


@pytest.mark.parametrize(
    "job",
    [
        "ssh -F ssh_config web-1 'head -c 150000000 /dev/zero' | wc -c",
        "ssh -F ssh_config web-1 'head -c 150000000 /dev/zero' | (sleep 1.5; wc -c)",
        "head -c 150000000 /dev/zero | ssh -F ssh_config web-1 wc -c",
        "head -c 150000000 /dev/zero | ssh -F ssh_config web-1 'sleep 1.5; wc -c'",
    ],
    ids=["down", "down-to-a-slow-reader", "up", "up-to-a-slow-reader"],
)
def test_l11_memory_does_not_grow_with_what_passes(world: World, job: str) -> None:
    """Whoever is slower makes the other wait: buffers are bounded, in both directions."""
    assert world.ssh("web-1", "head -c 20000000 /dev/zero").returncode == 0  # buffers that stay are made
    before = resident_mb(world)
    done = world.run("bash", "-c", job, timeout=60)
    assert done.stdout.strip() == b"150000000"
    assert resident_mb(world) - before < 48
