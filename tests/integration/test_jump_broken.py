"""What breaks on either side ends the session, with a reason for whoever is left."""

from __future__ import annotations

import os
import random
import signal
import time

from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.jump_evidence import Since, children, multiplexed, running


def test_t27_a_bot_killed_in_mid_answer_ends_what_it_ran(world: World) -> None:
    since = Since(world)
    marker = f"marker-{os.getpid()}-killed"
    job = world.start("ssh", "-F", "ssh_config", "web-1", f"while echo tick; do sleep 0.02; done # {marker}")
    assert job.stdout
    for _ in range(3):
        assert job.stdout.readline() == b"tick\n"
    assert running(marker)
    job.kill()
    job.communicate()
    recorded = since.ended()
    world.until(lambda: not running(marker), 5)
    assert recorded.row.end_reason == "the bot disconnected"
    assert recorded.row.exit_status is None
    assert recorded.output.startswith(b"tick\ntick\ntick\n")


def test_t27_a_bot_killed_while_its_terminal_is_quiet_ends_what_it_ran(world: World) -> None:
    """With a terminal the command is hung up even if it never writes, as without a bastion."""
    since = Since(world)
    marker = f"{os.getpid()}"
    job = world.start("ssh", "-F", "ssh_config", "-tt", "web-1", f"echo up; exec -a quiet-{marker} sleep 600")
    assert job.stdout
    assert b"up" in job.stdout.readline()
    world.until(lambda: running(f"quiet-{marker}"))
    job.kill()
    job.communicate()
    since.ended()
    world.until(lambda: not running(f"quiet-{marker}"), 5)


def test_t27_a_bot_killed_in_mid_transfer_leaves_a_sealed_record_of_what_passed(world: World) -> None:
    since = Since(world)
    job = world.start("ssh", "-F", "ssh_config", "web-1", "cat > /dev/null")
    assert job.stdin
    job.stdin.write(os.urandom(3_000_000))
    job.stdin.flush()
    world.until(lambda: since._added() and since.live().row.bytes_in >= 2_900_000)
    job.kill()
    job.communicate()
    recorded = since.ended()
    assert recorded.row.bytes_in == len(recorded.input)
    assert recorded.row.end_reason == "the bot disconnected"


def test_a_target_that_vanishes_is_told_with_255(world: World) -> None:
    since = Since(world)
    before = set(children(world))
    job = world.start("ssh", "-F", "ssh_config", "web-1", "echo begun; cat")
    assert job.stdout
    assert job.stdout.readline() == b"begun\n"
    for child in set(children(world)) - before:
        os.kill(child, signal.SIGKILL)
    out, err = job.communicate(timeout=20)
    assert (job.returncode, out) == (255, b"")
    assert err == b"bastion: web-1 closed the channel without saying how the command ended\r\n"
    recorded = since.ended()
    assert (recorded.row.exit_status, recorded.details(Kind.EXIT)) == (None, [])
    assert recorded.data(Kind.NOTICE) == err


def test_after_a_target_has_vanished_the_same_connection_reaches_it_again(world: World) -> None:
    before = set(children(world))
    with multiplexed(world) as ssh:
        job = world.start(*ssh, "echo begun; cat")
        assert job.stdout
        assert job.stdout.readline() == b"begun\n"
        for child in set(children(world)) - before:
            os.kill(child, signal.SIGKILL)
        assert job.wait(timeout=20) == 255
        job.communicate()
        assert world.run(*ssh, "echo back").stdout == b"back\n"


def test_a_client_that_vanishes_at_any_moment_leaves_no_session_open(world: World) -> None:
    dice = random.Random(3)
    before = {row["id"] for row in world.sessions()}
    for _ in range(15):
        client = world.start("ssh", "-F", "ssh_config", "-J", "bastion", f"{world.login}@web-1", "sleep 60")
        time.sleep(dice.uniform(0, 0.35))
        client.kill()
        client.communicate()
    world.until(lambda: not [row for row in world.sessions("--state", "active") if row["id"] not in before])
    mine = [row for row in world.sessions() if row["id"] not in before]
    assert mine, "no client came as far as a session"
    assert {row["sealed"] for row in mine} == {True}
