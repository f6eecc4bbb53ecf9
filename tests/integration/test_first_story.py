"""A job's command goes through the bastion and comes back as evidence."""

from __future__ import annotations

from tests.integration.conftest import World


def test_a_command_keeps_its_output_stderr_and_status_and_is_recorded(world: World) -> None:
    done = world.ssh("-J", "bastion", f"{world.login}@web-1", "echo out; echo err >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    row = world.ended_session()
    assert (row["identity"], row["exit_status"], row["sealed"]) == ("orders-deployer", 3, True)
    assert row["claims"]["run_id"] == "8412"
    kinds = [event["kind"] for event in world.events(row["id"])]
    assert kinds[:3] == ["open", "request", "verdict"]
    assert kinds[-2:] == ["exit", "close"]


def test_a_script_on_stdin_runs_to_its_end(world: World) -> None:
    done = world.ssh("-J", "bastion", f"{world.login}@web-1", "bash", "-s", stdin=b"echo one\nexit 5\n")
    assert (done.returncode, done.stdout) == (5, b"one\n")
