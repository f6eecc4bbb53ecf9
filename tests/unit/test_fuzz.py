"""Keep the fuzz targets sound: every find of theirs stays mended, their stage is true, and each can find something.

In      tests/vectors/fuzz/TARGET/NAME.json: `why`, and the input in hex
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import catalog, figures, mutation, worker
from tests.fuzz.ssh_packets import (
    CHANNELS,
    LOGINS,
    PACKET,
    POINT,
    RAW,
    VERSION,
    framed,
    kexinit,
    number,
    pieces,
    string,
)
from tests.fuzz.ssh_stage import OPTIONS, Stage
from tests.fuzz.target import Finding, Target, require, watched

VECTORS = sorted(figures.VECTORS.glob("*/*.json"))
INPUTS = 80


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_was_found_stays_mended(path: Path) -> None:
    watched(catalog.target(path.parent.name), bytes.fromhex(json.loads(path.read_text("utf-8"))["hex"]))


@pytest.mark.parametrize("name", catalog.PLACES)
def test_no_input_made_of_real_values_breaks_a_parser(name: str) -> None:
    target = catalog.target(name)
    seeds, rng = target.seeds(), Random(name)
    for seed in rng.sample(seeds, min(len(seeds), 40)):
        watched(target, seed)
    for _ in range(INPUTS):
        watched(target, target.mutate(rng.choice(seeds), rng, mutation.blind(rng))[: target.most_bytes])


@pytest.mark.parametrize(
    ("run", "what"),
    [
        (lambda data: require(data != b"x", "an x"), "an x"),
        (lambda data: data.decode("ascii") and [][1], "list index out of range"),
        (lambda data: [None for _ in range(400_000)] and None, "processor time"),
    ],
)
def test_a_finding_is_raised(run: Callable[[bytes], None], what: str) -> None:
    target = Target(name="x", feeds="x", run=run, seeds=lambda: [b"x"], mutate=lambda data, *_: data)
    with pytest.raises((Finding, IndexError), match=what):
        watched(target, b"x", most_cpu_s=0.001)


def test_processor_time_is_that_of_programs_too_which_a_target_starts() -> None:
    before_s, own_s = worker.processor_s(), time.process_time()
    subprocess.run([sys.executable, "-c", "while __import__('time').process_time() < 0.5: pass"], check=True)
    assert time.process_time() - own_s < 0.4
    assert worker.processor_s() - before_s >= 0.4


def test_parts_of_an_input_are_those_that_were_packed() -> None:
    parts = [(0, b""), (3, b"abc"), (255, b"\0" * 300)]
    assert mutation.unpack(mutation.pack(parts)) == parts
    assert mutation.unpack(mutation.pack(parts)[:-1]) == [*parts[:2], (255, b"\0" * 299)]


def test_a_login_with_a_certificate_holds_on_the_stage() -> None:
    stage = Stage().behind_keys().play(pieces([LOGINS[0], LOGINS[2]], 16))
    assert [payload[0] for payload in stage.sent()] == [6, 52]
    assert stage.door.login is not None
    assert stage.door.login.identity == "orders-deployer"


def test_t5_a_signature_that_does_not_hold_fails_on_the_stage() -> None:
    stage = Stage().behind_keys().play(pieces([LOGINS[0], LOGINS[5]], 16))
    assert [payload[0] for payload in stage.sent()] == [6, 51]
    assert not stage.connection._auth_complete


def test_t2_a_channel_before_the_login_ends_the_connection_on_the_stage() -> None:
    stage = Stage().behind_keys().play(pieces([LOGINS[0], CHANNELS[0]], 16))
    assert [payload[0] for payload in stage.sent()] == [6, 1]


def test_t18_a_packet_cut_short_ends_the_connection_with_a_reason_for_the_peer() -> None:
    stage = Stage().behind_keys().play([framed(bytes([5, 0, 0]), 16)])
    assert stage.sent()[0][0] == 1
    stage = Stage().behind_keys().play(pieces([(PACKET, b"")], 16))
    assert b"Malformed packet" in stage.sent()[0]


@pytest.mark.parametrize(
    "more", [bytes([2]) + string(b""), bytes([3]) + number(0), bytes([4, 0]) + string(b"") * 2]
)
def test_t17_t1_with_strict_key_exchange_nothing_goes_between_on_the_stage(more: bytes) -> None:
    hello, begin, agree = (RAW, VERSION), (PACKET, kexinit()), (PACKET, bytes([30]) + string(POINT))
    new_keys = b"\x15"
    assert new_keys in Stage().play(pieces([hello, begin, agree], 8)).opening()
    for parts in ([hello, (PACKET, more), begin, agree], [hello, begin, (PACKET, more), agree]):
        assert new_keys not in Stage().play(pieces(parts, 8)).opening()


def test_l11_no_key_exchange_is_offered_that_costs_the_server_much() -> None:
    names = {name.decode() for name in OPTIONS.kex_algs}
    assert "curve25519-sha256" in names
    assert not {name for name in names if name.startswith(("rsa", "diffie-hellman", "gss"))}


def test_the_page_shows_the_figures_and_the_finds_as_they_are() -> None:
    page = figures.PAGE.read_text("utf-8")
    assert figures.refreshed(page) == page, (
        "run scripts/fuzz --write, or .venv/bin/python -m tests.fuzz.figures"
    )
