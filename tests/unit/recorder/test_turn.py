"""Several processes write to one store in turns: none is starved, and none that dies holds the others up."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recorder.errors import StoreError
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store
from recorder.turn import Turn, remove
from recorder.verify import verify
from tests.unit.recorder.archive import Ticking

ENTRIES = 60
WRITERS = 3

WRITER = """\
import asyncio, sys, time
from pathlib import Path
from recorder.seal import Signer
from recorder.store import Store
from recorder.turn import Turn

async def main(path, key, name, entries):
    store = Store(path, Signer(key), now_us=lambda: time.time_ns() // 1000, turn=Turn(path, 2))
    print("ready", flush=True)
    sys.stdin.readline()

    def slow(transaction):
        time.sleep(0.004)
        transaction.audit("evidence.read", {"by": name})

    for _ in range(entries):
        await store.commit(slow)
    store.close(whole=False)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
"""

HOLDER = """\
import sys, time
from pathlib import Path
from recorder.turn import Turn
with Turn(Path(sys.argv[1]), 2):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings.sqlite"


def program(text: str, *words: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", text, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_l1_l8_processes_that_write_without_pause_share_one_chain_and_none_is_starved(path: Path) -> None:
    key = generate_seal_key()
    store = Store(path, Signer(key), now_us=Ticking(), turn=Turn(path, 2))
    writers = [program(WRITER, path, key, str(number), str(ENTRIES)) for number in range(WRITERS)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        _out, error = writer.communicate(timeout=60)
        assert (writer.returncode, error) == (0, "")
    with store._connection as connection:
        rows = connection.execute("SELECT jws FROM audit ORDER BY seq").fetchall()
    store.close()
    keys = KeySet.of(Signer(key))
    order = [json.loads(keys.open_compact(jws))["detail"]["by"] for (jws,) in rows]
    assert sorted(order) == sorted(str(number) for number in range(WRITERS) for _ in range(ENTRIES))
    first_done = min(len(order) - order[::-1].index(str(number)) for number in range(WRITERS))
    runs = [len(list(run)) for _name, run in itertools.groupby(order[:first_done])]
    assert max(runs) <= ENTRIES // 4, order
    assert verify(path, keys).problems == []


def test_l2_a_process_that_is_killed_in_its_turn_gives_it_back(path: Path) -> None:
    holder = program(HOLDER, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "mine\n"
    taken = threading.Event()

    def take() -> None:
        with Turn(path, 2):
            taken.set()

    waiting = threading.Thread(target=take)
    waiting.start()
    assert not taken.wait(0.2)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    waiting.join(timeout=20)
    assert taken.is_set()


def test_l2_what_fails_in_a_turn_does_not_keep_it(path: Path) -> None:
    store = Store(path, Signer(generate_seal_key()), now_us=Ticking(), turn=Turn(path, 2))

    def fault(_transaction: object) -> None:
        raise ValueError("not this one")

    for _ in range(2):
        with pytest.raises(StoreError, match="not this one"):
            store.run_now(fault)
    store.close()


async def test_l2_without_its_place_in_line_a_store_writes_nothing(path: Path) -> None:
    turn = Turn(path, 2)
    store = Store(path, Signer(generate_seal_key()), now_us=Ticking(), turn=turn)
    for file in turn._files:
        os.close(file)
    undone: list[bool] = []
    with pytest.raises(StoreError, match="turn cannot be taken"):
        await store.submit(lambda transaction: transaction.audit("x", {}), undone=lambda: undone.append(True))
    assert undone == [True]
    store.close()
    turn._files.clear()


def test_the_lock_files_go_with_the_last_process(path: Path) -> None:
    turn = Turn(path, 2)
    assert {file.name for file in path.parent.iterdir()} == {
        "recordings.sqlite-queue",
        "recordings.sqlite-turn",
    }
    turn.close()
    remove(path)
    assert list(path.parent.iterdir()) == []
    with pytest.raises(StoreError, match="cannot take turns"):
        Turn(path.parent / "missing" / "recordings.sqlite", 2)
