"""What moves more data than a limit lets is stopped while it happens, or waits for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import World
from tests.integration.gate_world import adopt
from tests.integration.hold_world import bot, ends, entries, holding_world, person, waiting

KIB = 1024
MAIL = "sam.doe@" + "example.org"
RULE = """\
[[rule]]
id = "all"
verdict = "allow"
when = { access = ["exec", "shell", "sftp"] }

"""


def limit(text: str, **keys: Any) -> str:
    """Return a policy with one limit."""
    more = "".join(f"{key} = {value}\n" for key, value in keys.items())
    return f'{RULE}[[limit]]\nid = "no-bulk"\nreason = "production stays where it is"\n{text}\n{more}'


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with holding_world(
        tmp_path_factory.mktemp("limits"), policy=limit('bytes = "64KiB"\nper = "session"')
    ) as made:
        yield made


def told(text: str) -> str:
    """Return the one line that the bot is told."""
    (line,) = [line for line in text.splitlines() if line.startswith("bastion: ")]
    return line


def test_t40_l1_a_session_ends_before_it_has_moved_more_than_it_may(world: World) -> None:
    adopt(world, limit('bytes = "64KiB"\nper = "session"'))
    done = world.ssh("web-1", f"head -c {4000 * KIB} /dev/zero; echo done >&2")
    session = world.ended_session()
    line = told(done.stderr.decode())
    assert done.returncode == 126
    assert line.startswith("bastion: session ended by limit no-bulk: ")
    assert "bytes in this session, at most 65,536; production stays where it is" in line
    assert line.rstrip().endswith(f"(session {session['id']})")
    assert len(done.stdout) <= 64 * KIB
    assert session["exit_status"] == 126
    assert session["bytes_out"] == len(done.stdout)
    assert session["limits"] == ({"no-bulk": {"bytes": len(done.stdout)}} if done.stdout else {})
    events = world.events(session["id"])
    exceeded = next(
        event["detail"] for event in events if event["kind"] == "limit" and "limit" in event["detail"]
    )
    assert (exceeded["limit"], exceeded["verdict"], exceeded["at_most"]) == ("no-bulk", "deny", 64 * KIB)
    assert exceeded["figure"] > 64 * KIB
    assert any(event["kind"] == "marker" and "limit no-bulk" in str(event) for event in events)
    alert = f"alert session={session['id']}"
    assert any(
        alert in row and "limit=no-bulk" in row for row in world.stage.journal.read_text().splitlines()
    )
    assert "limit no-bulk: " in world.bastion("replay", session["id"]).stdout.decode()
    shown = world.bastion("show", session["id"]).stdout.decode()
    assert ("limits    no-bulk " in shown) == bool(done.stdout)  # of what passed, and that may be nothing


def test_what_stays_within_a_limit_passes_whole(world: World) -> None:
    adopt(world, limit('bytes = "64KiB"\nper = "session"'))
    done = world.ssh("web-1", f"head -c {64 * KIB} /dev/zero")
    assert (done.returncode, len(done.stdout)) == (0, 64 * KIB)


def test_files_that_are_fetched_count_as_well(world: World) -> None:
    adopt(world, limit('bytes = "64KiB"\nper = "session"'))
    (world.folder / "table").write_bytes(bytes(300 * KIB))
    for words in (("scp", "-F", "ssh_config"), ("scp", "-O", "-F", "ssh_config")):
        (world.job / "copied").unlink(missing_ok=True)
        done = world.run(*words, f"web-1:{world.folder}/table", "copied")
        assert done.returncode != 0
        assert "limit no-bulk" in done.stderr.decode()
        got = (world.job / "copied").stat().st_size if (world.job / "copied").exists() else 0
        assert got <= 64 * KIB


def test_lines_and_hits_are_limits_too(world: World) -> None:
    adopt(world, limit('lines = 100\nper = "session"'))
    done = world.ssh("web-1", "seq 100; sleep 0.2; echo one more")
    assert done.returncode == 126
    assert done.stdout.splitlines()[-1] == b"100"
    adopt(world, limit('hits = 2\ndetectors = "email"\nper = "session"'))
    done = world.ssh("web-1", f"echo {MAIL}; sleep 0.2; echo {MAIL}; sleep 0.2; echo {MAIL}; echo never")
    assert done.returncode == 126
    assert done.stdout == f"{MAIL}\n{MAIL}\n".encode()
    assert "3 hits in this session, at most 2" in told(done.stderr.decode())


@pytest.mark.parametrize("options", [(), ("-O",)], ids=["sftp", "legacy"])
def test_t40_hits_in_files_that_are_fetched_count_before_they_pass(
    world: World, options: tuple[str, ...]
) -> None:
    adopt(world, limit('hits = 2\ndetectors = "email"\nper = "session"'))
    clean = b"10:00:01 info served /api/v1/items in 12 ms\n" * 12_000
    (world.folder / "people").write_bytes(clean.join([f"{MAIL}\n".encode()] * 3))
    (world.folder / "pair").write_bytes(clean.join([f"{MAIL}\n".encode()] * 2))
    (world.job / "fetched").unlink(missing_ok=True)
    fetch = ("scp", *options, "-F", "ssh_config")
    done = world.run(*fetch, f"web-1:{world.folder}/people", "fetched")
    assert done.returncode != 0
    assert "3 hits in this session, at most 2" in told(done.stderr.decode())
    assert (world.job / "fetched").read_bytes().count(MAIL.encode()) <= 2
    assert world.run(*fetch, f"web-1:{world.folder}/pair", "fetched").returncode == 0
    assert world.run(*fetch, "fetched", f"web-1:{world.folder}/again").returncode == 0
    exceeded = world.run(*fetch, f"web-1:{world.folder}/pair", f"web-1:{world.folder}/people", ".")
    assert exceeded.returncode != 0


def test_a_limit_speaks_of_whom_its_when_says(world: World) -> None:
    adopt(world, limit('bytes = "1KiB"\nper = "session"', when='{ targets = ["elsewhere"] }'))
    assert len(world.ssh("web-1", f"head -c {64 * KIB} /dev/zero").stdout) == 64 * KIB
    adopt(world, limit('bytes = "1KiB"\nper = "session"', when='{ access = ["shell"] }'))
    assert world.ssh("web-1", f"head -c {64 * KIB} /dev/zero").returncode == 0


ASKS = 'bytes = "64KiB"\nper = "session"\nverdict = "approve"'


def test_an_answer_that_exceeds_a_limit_waits_until_somebody_lets_more_pass(world: World) -> None:
    adopt(world, limit(ASKS, approvers='{ groups = ["dba"], expires = "5m" }'))
    program = bot(world, "web-1", f"head -c {60 * KIB} /dev/zero; head -c {60 * KIB} /dev/zero; echo end >&2")
    (hold,) = waiting(world)
    assert hold["rule"] == ["no-bulk"]
    assert hold["reason"] == "production stays where it is"
    assert "head -c" in hold["statement"]
    assert any("at most 65,536" in fact for fact in hold["facts"])
    assert person(world, "alex", "approve", hold["id"]).returncode == 0
    status, out, err = ends(program)
    assert (status, len(out)) == (0, 120 * KIB)
    assert f"held {hold['id']} by no-bulk: waits until" in err
    states = [entry["detail"].get("state") for entry in entries(world, hold["id"])]
    assert states[-1] == "approved"
    session = world.ended_session()
    held = [event["detail"]["state"] for event in world.events(session["id"]) if event["kind"] == "hold"]
    assert held == ["waiting", "approved"]


def test_an_answer_that_is_denied_ends_the_session(world: World) -> None:
    adopt(world, limit(ASKS, approvers='{ groups = ["dba"] }'))
    program = bot(world, "web-1", f"head -c {400 * KIB} /dev/zero")
    (hold,) = waiting(world)
    assert person(world, "alex", "deny", hold["id"], "--reason", "no").returncode == 0
    status, out, err = ends(program)
    assert status == 126
    assert len(out) <= 64 * KIB
    assert f"{hold['id']} denied by" in err


def test_t37_an_answer_waits_no_more_once_its_bot_is_gone(world: World) -> None:
    adopt(world, limit(ASKS, approvers='{ groups = ["dba"] }'))
    program = bot(world, "web-1", f"head -c {400 * KIB} /dev/zero")
    (hold,) = waiting(world)
    program.kill()
    program.communicate()
    world.until(lambda: entries(world, hold["id"])[-1]["detail"].get("state") == "withdrawn")


def test_a_limit_that_asks_nobody_denies(world: World) -> None:
    adopt(world, limit(ASKS))
    done = world.ssh("web-1", f"head -c {400 * KIB} /dev/zero")
    assert done.returncode == 126
    assert "nobody can approve more: it names no approvers" in told(done.stderr.decode())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_limit_within_an_hour_holds_over_sessions_workers_and_a_restart(
    tmp_path: Path, workers: int
) -> None:
    world = World(tmp_path, workers=workers)
    world.ready()
    try:
        adopt(world, limit('bytes = "200KiB"\nper = "hour"'))
        for _ in range(3):
            assert world.ssh("web-1", f"head -c {60 * KIB} /dev/zero").returncode == 0
        counted = [row["limits"].get("no-bulk", {}).get("bytes") for row in world.sessions()]
        assert counted == [60 * KIB] * 3
        world.stage.stop_bastion()
        world.stage.start_bastion()
        done = world.ssh("web-1", f"head -c {60 * KIB} /dev/zero")
        assert done.returncode == 126
        assert len(done.stdout) <= 20 * KIB
        line = told(done.stderr.decode())
        assert "of this identity within an hour, at most 204,800" in line
        assert world.ssh("web-1", "true").returncode == 0  # which moves nothing
        check = json.loads(world.bastion("policy", "check", "--json").stdout)
        assert check["ok"] is True
    finally:
        world.strike()
