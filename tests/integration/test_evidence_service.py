"""The service keeps its evidence whole: it drains and stops, reloads all or nothing, and serves a folder alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bastion.keyring import load_signer
from recorder.store import append_now
from tests.integration.conftest import World

DENY = '[[rule]]\nid = "nobody"\nverdict = "deny"\nreason = "the freeze has begun"\nwhen = { access = ["exec"] }\n'


class Master:
    """A connection that stays open for several commands, as `ControlMaster` makes it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._options = ("-o", f"ControlPath={world.job}/%C", "-J", "bastion", f"{world.login}@web-1")
        self.program = world.start("ssh", "-F", "ssh_config", "-M", "-N", *self._options)
        check = ("ssh", "-F", "ssh_config", "-O", "check", *self._options)
        world.until(lambda: world.run(*check).returncode == 0)

    def run(self, command: str) -> subprocess.CompletedProcess[bytes]:
        return self._world.run("ssh", "-F", "ssh_config", "-o", "ControlMaster=no", *self._options, command)


def live(world: World) -> subprocess.Popen[bytes]:
    """Start a session that stays until it is ended, and wait until its command runs."""
    program = world.start("ssh", "-F", "ssh_config", "web-1", "echo up; exec cat")
    assert program.stdout is not None
    assert program.stdout.readline() == b"up\n"
    return program


def said(program: subprocess.Popen[bytes]) -> str:
    """Wait until a client ends by itself, and return what it said on stderr."""
    assert program.stderr is not None
    error = program.stderr.read().decode()
    program.wait(timeout=20)
    program.communicate()
    return error


# Stopping.


def test_sigterm_lets_a_running_command_end_and_leaves_one_whole_file(
    own_world: World, tmp_path: Path
) -> None:
    world = own_world
    job = world.start("ssh", "-F", "ssh_config", "web-1", "echo begun; read line; echo got $line; exit 7")
    assert job.stdin is not None
    assert job.stdout is not None
    assert job.stdout.readline() == b"begun\n"
    bastion = world.stage._bastion
    assert bastion is not None
    world.stage.signal(signal.SIGTERM)
    world.until(lambda: b"draining 1 sessions" in world.stage.journal.read_bytes())
    late = world.ssh("web-1", "echo", "late")
    assert late.returncode == 255
    out, _error = job.communicate(b"this\n", timeout=20)
    assert (job.returncode, out) == (7, b"got this\n")
    assert bastion.wait(timeout=20) == 0
    assert world.stage.stop_bastion() == 0

    names = {file.name for file in world.database.parent.iterdir()}
    assert names == {"outbox.sqlite", "recordings.sqlite", "serve.lock"}
    (row,) = world.sessions()
    assert (row["state"], row["exit_status"], row["sealed"]) == ("closed", 7, True)
    assert [event["kind"] for event in world.events(row["id"])][-1] == "close"
    assert world.bastion("replay", row["id"]).stdout.endswith(b"got this\r\n")  # read while it is stopped
    assert {file.name for file in world.database.parent.iterdir()} == names
    assert world.audit()[-1]["kind"] == "evidence.read"

    head = re.findall(r"audit head=(\S+) kind=service\.stopped", world.stage.journal.read_text())[-1]
    offline(world, tmp_path, head)


def offline(world: World, folder: Path, head: str) -> None:
    """Verify a copy in a read-only folder with public keys alone, as somebody whom the bastion does not know."""
    keys = world.bastion("keys", "seal").stdout
    place = folder / "auditor"
    place.mkdir()
    shutil.copy(world.database, place / "copy.sqlite")
    (place / "seal.jwks").write_bytes(keys)
    (place / "copy.sqlite").chmod(0o444)
    place.chmod(0o555)
    files = {file.name: file.read_bytes() for file in place.iterdir()}
    environment = {key: value for key, value in os.environ.items() if key != "BASTION_CONFIG"}
    words = ["verify", "--all", "--database", "copy.sqlite", "--keys", "seal.jwks", "--head", head]
    done = subprocess.run(
        [sys.executable, "-m", "bastion", *words],
        cwd=place,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "everything holds" in done.stdout
    assert {file.name: file.read_bytes() for file in place.iterdir()} == files
    place.chmod(0o755)


def test_a_second_sigterm_ends_what_still_runs_and_says_why(own_world: World) -> None:
    world = own_world
    program = live(world)
    world.stage.signal(signal.SIGTERM)
    world.until(lambda: b"draining 1 sessions" in world.stage.journal.read_bytes())
    assert world.stage.stop_bastion(signal.SIGTERM) == 0
    assert "bastion: session ended: the bastion was told to stop at once" in said(program)
    (row,) = world.sessions()
    assert (row["state"], row["sealed"]) == ("closed", True)
    assert world.bastion("verify", "--all").returncode == 0
    world.stage.start_bastion()
    assert world.ssh("web-1", "echo", "again").stdout == b"again\n"


# Alone.


def test_a_folder_is_served_once_and_an_address_too(own_world: World) -> None:
    world = own_world
    bastion = world.stage._bastion
    assert bastion is not None
    for _ in range(2):
        second = world.bastion("serve")
        lines = [line for line in second.stderr.decode().splitlines() if line.startswith("bastion: ")]
        assert second.returncode == 2
        assert lines == [
            f"bastion: {world.folder}/var: another bastion (process {bastion.pid}) serves these recordings"
        ]
    world.rewrite_config(lambda text: text.replace('data = "./var"', 'data = "./other"'))
    other = world.bastion("serve")
    lines = [line for line in other.stderr.decode().splitlines() if line.startswith("bastion: ")]
    assert (other.returncode, lines) == (
        2,
        [f"bastion: cannot listen on 127.0.0.1:{world.stage.port}: Address already in use"],
    )
    assert b"Traceback" not in other.stderr
    assert world.ssh("web-1", "echo", "unharmed").stdout == b"unharmed\n"
    assert stat.S_IMODE((world.folder / "other").stat().st_mode) == 0o700


# Reloading.


def break_syntax(text: str) -> str:
    return text + "\n[nonsense\n"


def break_key(text: str) -> str:
    return text.replace("[bastion]", '[bastion]\ncolour = "green"').replace("web-1", "web-9")


def break_policy(text: str) -> str:
    return text.replace("policy.toml", "missing.toml")


def break_listen(text: str) -> str:
    return re.sub('listen = "[^"]*"', 'listen = "127.0.0.1:1"', text).replace("web-1", "web-9")


@pytest.fixture(scope="module")
def reloaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A world whose configuration these stories change, one after another."""
    world = World(tmp_path_factory.mktemp("world"))
    world.ready()
    yield world
    world.strike()


@pytest.fixture
def mine(reloaded: World) -> Any:
    """The world of reloads, with its configuration put back afterwards."""
    config, policy = reloaded.stage.config.read_text(), (reloaded.folder / "policy.toml").read_text()
    yield reloaded
    reloaded.stage.config.write_text(config)
    reloaded.rewrite_policy(policy)
    assert reloaded.reload()["kind"] == "configuration.reloaded"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (break_syntax, "bastion.toml"),
        (break_key, "colour"),
        (break_policy, "missing.toml"),
        (break_listen, "bastion.listen: a change of this takes a restart"),
    ],
)
def test_a_faulty_configuration_changes_nothing_and_is_audited(
    mine: World, change: Callable[[str], str], problem: str
) -> None:
    program = live(mine)
    mine.rewrite_config(change)
    entry = mine.reload()
    assert entry["kind"] == "configuration.rejected"
    assert problem in "\n".join(entry["detail"]["problems"])
    assert problem in mine.stage.journal.read_text()
    assert mine.ssh("web-1", "echo", "as before").stdout == b"as before\n"
    out, _error = program.communicate(b"still alive\n", timeout=20)
    assert (program.returncode, out) == (0, b"still alive\n")


def test_a_faulty_policy_changes_nothing_either(mine: World) -> None:
    mine.rewrite_policy(DENY.replace("deny", "maybe"))
    assert mine.reload()["kind"] == "configuration.rejected"
    assert mine.ssh("web-1", "echo", "as before").stdout == b"as before\n"


def test_a_new_policy_judges_the_next_request_of_a_session_that_lives_on(mine: World) -> None:
    master = Master(mine)
    assert master.run("echo one").stdout == b"one\n"
    before = (mine.folder / "policy.toml").read_text()
    mine.rewrite_policy(before + DENY)
    entry = mine.reload()
    assert (entry["kind"], entry["detail"]["sessions_ended"]) == ("configuration.reloaded", [])
    denied = master.run("echo two")
    assert (denied.returncode, denied.stdout) == (126, b"")
    assert b"denied on web-1 by rule nobody: the freeze has begun" in denied.stderr
    mine.rewrite_policy(before)
    mine.reload()
    assert master.run("echo three").stdout == b"three\n"
    master.program.kill()
    master.program.communicate()
    row = mine.ended_session()
    verdicts = [event["detail"]["verdict"] for event in mine.events(row["id"]) if event["kind"] == "verdict"]
    assert verdicts[-3:] == ["allow", "deny", "allow"]


def without(table: str, name: str) -> Callable[[str], str]:
    """Return a change that takes one table out of a configuration."""

    def change(text: str) -> str:
        parts = re.split(r"(?m)^(?=\[)", text)
        kept = [
            part for part in parts if not (part.startswith(f"[[{table}]]") and f'name = "{name}"' in part)
        ]
        assert len(kept) == len(parts) - 1
        return "".join(kept)

    return change


def another_target(text: str) -> str:
    return text.replace('name = "web-1"', 'name = "web-7"')


def another_owner(text: str) -> str:
    return text.replace("dana@acme.example", "sam@acme.example")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("identity", "orders-deployer"), "identity orders-deployer was removed"),
        (without("person", "dana@acme.example"), "dana@acme.example, who owns orders-deployer, was removed"),
        (another_owner, "dana@acme.example, who owns orders-deployer, was removed"),
        (another_target, "target web-1 was removed"),
    ],
)
def test_t48_l6_l7_what_is_removed_ends_its_sessions_within_a_second(
    mine: World, change: Callable[[str], str], why: str
) -> None:
    program = live(mine)
    (row,) = mine.sessions("--state", "active")
    mine.rewrite_config(change)
    mine.stage.signal(signal.SIGHUP)
    error = said(program)
    assert (program.returncode, f"bastion: session ended: {why}" in error) == (255, True), error
    entry = mine.until(
        lambda: next((e for e in reversed(mine.audit()) if e["kind"] == "configuration.reloaded"), None)
    )
    assert entry["detail"]["sessions_ended"] == [row["id"]]
    details = mine.until(lambda: closed(mine, row["id"]))
    assert why in details["end_reason"]
    assert ended_within_a_second(mine, row["id"], entry)
    if "owns" not in why:  # somebody owns it still: its next session is theirs
        again = mine.ssh("web-1", "echo", "again")
        assert (again.returncode, again.stdout) == (255, b"")


def closed(world: World, session: str) -> dict[str, Any] | None:
    shown: dict[str, Any] = json.loads(world.bastion("show", "--json", session).stdout)
    return shown if shown["sealed"] else None


def ended_within_a_second(world: World, session: str, reloaded: dict[str, Any]) -> bool:
    """Compare what the evidence says: the entry of the reload follows the order to end, the seal its execution."""
    from bastion.keyring import load_key_set
    from recorder.evidence import Evidence

    evidence = Evidence(world.database, load_key_set(world.folder / "keys" / "seal.jwks"), live=True)
    try:
        entries = list(evidence.audit())
    finally:
        evidence.close()
    at = {entry.seq: entry.at_us for entry in entries}
    (sealed,) = [e for e in entries if e.kind == "session.sealed" and e.detail["session"] == session]
    return abs(sealed.at_us - at[reloaded["seq"]]) < 1_000_000


def test_a_burst_of_reloads_ends_with_the_last_file_in_force(mine: World) -> None:
    before = (mine.folder / "policy.toml").read_text()
    for text in (before + DENY, before, before + DENY):
        mine.rewrite_policy(text)
        for _ in range(3):
            mine.stage.signal(signal.SIGHUP)
    mine.reload()
    mine.until(lambda: mine.ssh("web-1", "true").returncode == 126)
    assert mine.ssh("web-1", "true").returncode == 126


# Time.


def test_t43_evidence_from_the_future_keeps_time_from_running_back_and_is_audited(own_world: World) -> None:
    """The system's clock was an hour ahead when the last entry was made, and has been set right since."""
    world = own_world
    assert world.stage.stop_bastion() == 0
    ahead_us = time.time_ns() // 1000 + 3_600_000_000
    append_now(world.database, load_signer(world.folder / "keys"), "service.stopped", {}, ahead_us)
    world.stage.start_bastion()
    step = world.until(lambda: next((e for e in world.audit() if e["kind"] == "clock.stepped-back"), None))
    assert 3_590_000_000 < step["detail"]["by_us"] < 3_610_000_000
    assert "the system clock was set back by" in world.stage.journal.read_text()
    refused = world.ssh("web-1", "echo", "never")
    assert (refused.returncode, refused.stdout) == (255, b"")
    assert b"not yet valid" in refused.stderr or b"expired" in refused.stderr
    assert world.bastion("verify", "--all").returncode == 0


# Keys.


def test_a_rotated_seal_key_signs_from_the_next_start_and_the_old_one_still_proves(own_world: World) -> None:
    world = own_world
    assert world.ssh("web-1", "echo", "old").returncode == 0
    rotated = world.bastion("keys", "seal", "--rotate")
    assert (rotated.returncode, len(json.loads(rotated.stdout)["keys"])) == (0, 2)
    assert world.ssh("web-1", "echo", "between").returncode == 0
    assert world.stage.stop_bastion() == 0
    world.stage.start_bastion()
    assert world.ssh("web-1", "echo", "new").returncode == 0
    world.until(lambda: len(world.sessions("--state", "closed")) == 3)
    done = world.bastion("verify", "--all")
    assert (done.returncode, b"everything holds" in done.stdout) == (0, True), done.stdout
    only = world.folder / "new.jwks"
    only.write_text(json.dumps({"keys": json.loads(rotated.stdout)["keys"][:1]}))
    assert world.bastion("verify", "--all", "--keys", str(only)).returncode == 1
