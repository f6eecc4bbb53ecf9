"""A profile is made of py-spy's stacks."""

from __future__ import annotations

from tests.bench.stacks import parsed, summary

RAW = """\
thread (12): MainThread;run (asyncio/runners.py:190);feed (bastion/relay.py:10);0x7f (libcrypto.so.3) 30
thread (12): MainThread;run (asyncio/runners.py:190);feed (bastion/relay.py:12) 10
thread (12): MainThread;run (asyncio/runners.py:190);epoll_wait (libc.so.6) 500
thread (13): recorder;write (some/where/recorder/store.py:5);fdatasync (libc.so.6) 60
not a stack
"""


def test_functions_are_counted_by_themselves_and_with_what_they_call() -> None:
    lines = [" ".join(line.split()) for line in summary(parsed(RAW.splitlines()))]
    own = lines.index("in itself")
    assert lines[:3] == ["thread", "60.0% thread recorder", "40.0% thread MainThread"]
    assert "30.0% (libcrypto.so.3) under feed (bastion/relay.py)" in lines[own:]
    assert "10.0% feed (bastion/relay.py)" in lines[own:]
    assert "60.0% fdatasync (libc.so.6)" in lines[own:]


def test_of_a_path_the_last_folder_stays() -> None:
    assert parsed(RAW.splitlines())[-1] == (
        ["thread recorder", "write (recorder/store.py)", "fdatasync (libc.so.6)"],
        60,
    )


def test_waiting_for_work_is_no_work() -> None:
    assert "epoll_wait" not in "\n".join(summary(parsed(RAW.splitlines())))
