"""Killed in the middle of transfers, the bastion has recorded every byte that anybody had received (L1, T43)."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from bastion.keyring import load_key_set
from recorder.events import Event, Kind
from recorder.evidence import Evidence, Filter, SessionRow
from tests.integration.conftest import World

KILLS = 8
ENDLESS = "while head -c 49152 /dev/urandom | base64; do :; done"  # ends when nobody is there to read
PAYLOAD_BYTES = 48 << 20


def interrupted(world: World) -> list[tuple[SessionRow, list[Event]]]:
    """Return the newest three sessions with their events."""
    evidence = Evidence(world.database, load_key_set(world.folder / "keys" / "seal.jwks"), live=True)
    try:
        return [(row, list(evidence.events(row.id))) for row in evidence.sessions(Filter(limit=3))]
    finally:
        evidence.close()


def moved(events: list[Event]) -> dict[str, Any]:
    """Return the last word on a file that was on its way."""
    last: dict[str, Any] = {"length": 0, "sha256": hashlib.sha256().hexdigest(), "direction": None}
    for event in events:
        if event.kind is Kind.FILE and event.detail["op"] == "progress":
            last = event.detail
    return last


class Transfers:
    """A long answer, a download and an upload at the same time."""

    def __init__(self, world: World, round_: int, payload: Path) -> None:
        self.answer = world.job / f"answer.{round_}"
        self.download = world.job / f"download.{round_}"
        self.upload = world.folder / "web-1" / f"upload.{round_}"
        scp = ["scp", "-F", "ssh_config", "-q", *(["-O"] if round_ % 2 else [])]
        quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with self.answer.open("wb") as answer:
            self.programs = [
                world.start("ssh", "-F", "ssh_config", "web-1", ENDLESS, **{**quiet, "stdout": answer}),
                world.start(*scp, f"web-1:{payload}", str(self.download), **quiet),
                world.start(*scp, str(payload), f"web-1:{self.upload}", **quiet),
            ]
        world.until(
            lambda: all(
                file.exists() and file.stat().st_size for file in (self.answer, self.download, self.upload)
            )
        )

    def end(self) -> None:
        for program in self.programs:
            program.wait(timeout=20)


def test_l1_t43_kill_9_in_the_middle_of_transfers_loses_no_byte_that_was_released(own_world: World) -> None:
    world, dice = own_world, random.Random(9)
    payload = world.folder / "payload"
    payload.write_bytes(dice.randbytes(PAYLOAD_BYTES))
    source = payload.read_bytes()
    cut_short = 0
    for round_ in range(KILLS):
        transfers = Transfers(world, round_, payload)
        time.sleep(dice.uniform(0, 0.4))
        world.stage.stop_bastion(signal.SIGKILL)
        transfers.end()
        world.stage.start_bastion()

        found = interrupted(world)
        assert {(row.state, row.sealed) for row, _events in found if row.state != "closed"} <= {
            ("interrupted", True)
        }
        for row, events in found:
            sent = moved(events)
            if row.access == "exec" and any(event.data == ENDLESS.encode() for event in events):
                recorded = b"".join(event.data for event in events if event.kind is Kind.OUTPUT)
                received = transfers.answer.read_bytes()
                assert len(received) > 0
                assert recorded.startswith(received), (
                    f"round {round_}: the client had bytes that were not recorded"
                )
                assert row.state == "interrupted"
            else:
                arrived = transfers.download if sent["direction"] == "download" else transfers.upload
                assert sent["length"] >= arrived.stat().st_size, f"round {round_}: {sent['direction']}"
                assert sent["sha256"] == hashlib.sha256(source[: sent["length"]]).hexdigest()
                assert arrived.read_bytes() == source[: arrived.stat().st_size]
                cut_short += sent["length"] < PAYLOAD_BYTES
        for file in (transfers.answer, transfers.download, transfers.upload):
            file.unlink()
    assert cut_short >= KILLS, "hardly any transfer was cut short: the payload is too small"

    verified = world.bastion("verify", "--all", "--json")
    report = json.loads(verified.stdout)
    assert (verified.returncode, report["problems"]) == (0, [])
    notes = [note for note in report["notes"] if "nothing proves that no others followed" in note["what"]]
    assert len(notes) >= KILLS
    assert all(row["state"] != "active" for row in world.sessions())
    assert world.ssh("web-1", "echo", "still", "here").stdout == b"still here\n"


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
