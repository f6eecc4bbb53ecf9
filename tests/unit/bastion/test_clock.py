"""The clock: it never runs back, whatever the system's does, and says how far that was set back (threat T43)."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from bastion.clock import STEP_US, Clock

BEGAN_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000


class System:
    """A system whose clocks a test sets."""

    def __init__(self) -> None:
        self.wall_us = BEGAN_US
        self.up_us = 5_000_000

    def clock(self) -> Clock:
        return Clock(wall_ns=lambda: self.wall_us * 1000, monotonic_ns=lambda: self.up_us * 1000)

    def passes(self, us: int, *, wall_us: int | None = None) -> None:
        """Let time pass; the wall clock may think otherwise."""
        self.up_us += us
        self.wall_us += us if wall_us is None else wall_us


def test_it_follows_the_wall_clock() -> None:
    system = System()
    clock = system.clock()
    system.passes(MINUTE_US)
    assert clock.now_us() == BEGAN_US + MINUTE_US
    assert clock.now() == (BEGAN_US + MINUTE_US) / 1_000_000
    system.passes(MINUTE_US, wall_us=10 * MINUTE_US)  # set forward
    assert clock.now_us() == BEGAN_US + 11 * MINUTE_US
    assert clock.stepped_back_us == 0


def test_t43_a_wall_clock_that_is_set_back_does_not_take_time_with_it() -> None:
    system = System()
    clock = system.clock()
    clock.now_us()
    system.passes(MINUTE_US, wall_us=-60 * MINUTE_US)
    assert clock.now_us() == BEGAN_US + MINUTE_US
    assert clock.stepped_back_us == 61 * MINUTE_US
    system.passes(MINUTE_US)
    assert clock.now_us() == BEGAN_US + 2 * MINUTE_US  # it goes on at its own pace


def test_t43_a_step_is_one_step_although_readings_waver() -> None:
    system = System()
    clock = system.clock()
    system.passes(0, wall_us=-60 * MINUTE_US)
    clock.now_us()
    told = clock.stepped_back_us
    for wavering_us in (3, -5, 40, -200, 1000, 0) * 20:
        system.passes(1_000_000, wall_us=1_000_000 + wavering_us)
        clock.now_us()
    assert clock.stepped_back_us == told
    system.passes(0, wall_us=-MINUTE_US)
    clock.now_us()
    assert clock.stepped_back_us > told + STEP_US


def test_t43_a_step_after_a_long_silence_is_seen() -> None:
    """The wall clock is later than at the last reading, but not as late as the time that has passed."""
    system = System()
    clock = system.clock()
    clock.now_us()
    system.passes(120 * MINUTE_US, wall_us=30 * MINUTE_US)
    assert clock.now_us() == BEGAN_US + 120 * MINUTE_US
    assert clock.stepped_back_us == 90 * MINUTE_US


def test_drift_is_no_step() -> None:
    system = System()
    clock = system.clock()
    for _ in range(100):
        system.passes(1_000_000, wall_us=999_000)
        clock.now_us()
    assert clock.stepped_back_us == 0


def test_t43_time_goes_on_from_the_last_evidence_when_the_system_starts_in_the_past() -> None:
    system = System()
    clock = system.clock()
    last_us = BEGAN_US + 30 * MINUTE_US
    clock.not_before(last_us)
    assert clock.now_us() == last_us
    assert clock.stepped_back_us == 30 * MINUTE_US
    system.passes(MINUTE_US)
    assert clock.now_us() == last_us + MINUTE_US
    clock.not_before(BEGAN_US)
    assert clock.now_us() == last_us + MINUTE_US


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**10), st.integers(-(10**12), 10**12), st.none() | st.integers(0, 2 * BEGAN_US)
        ),
        max_size=30,
    )
)
def test_t43_it_never_runs_back_and_never_falls_behind_the_time_that_passes(
    story: list[tuple[int, int, int | None]],
) -> None:
    system = System()
    clock = system.clock()
    before = clock.now_us()
    for passed_us, wall_us, evidence_us in story:
        system.passes(passed_us, wall_us=wall_us)
        if evidence_us is not None:
            clock.not_before(evidence_us)
        now = clock.now_us()
        assert now >= before
        assert now >= (evidence_us or 0)
        before = now


def test_threads_that_read_it_at_once_never_see_it_run_back() -> None:
    """The event loop and the writer of the recorder both ask."""
    clock = Clock()
    faults = []

    def read() -> None:
        before = 0
        for _ in range(20_000):
            now = clock.now_us()
            if now < before:
                faults.append((before, now))
            before = now

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
