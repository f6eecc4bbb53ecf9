"""Who is let in: bounds hold whatever comes, and no source keeps another out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.admission import (
    FREE_TRIES,
    GIVEN_BACK,
    LONGEST_WAIT_S,
    SOURCES,
    Admission,
    Admitted,
    Refusal,
    source_of,
)
from bastion.limits import Limits

FEW = Limits(
    connections=12, connections_per_source=6, handshakes=4, handshakes_per_source=3, failures_per_source=5
)


def admitted(door: Admission, peer: str, now: float = 0.0) -> Admitted:
    answer = door.admit(peer, now)
    assert isinstance(answer, Admitted), answer
    return answer


def refused(door: Admission, peer: str, now: float = 0.0) -> Refusal:
    answer = door.admit(peer, now)
    assert isinstance(answer, Refusal), answer
    return answer


def log_in(door: Admission, peer: str, now: float = 0.0) -> int:
    ticket = admitted(door, peer, now).ticket
    door.authenticated(ticket, now)
    return ticket


def test_a_source_has_a_bound_and_others_have_their_own() -> None:
    door = Admission(FEW)
    for _ in range(6):
        log_in(door, "192.0.2.1")
    assert refused(door, "192.0.2.1").limit == "connections_per_source"
    assert "192.0.2.1 has 6 connections" in refused(door, "192.0.2.1").reason
    admitted(door, "192.0.2.2")


def test_there_is_a_bound_on_all_of_them() -> None:
    door = Admission(FEW)
    tickets = [log_in(door, f"192.0.2.{at}") for at in range(12)]
    assert refused(door, "192.0.2.99").limit == "connections"
    door.closed(tickets[3])
    admitted(door, "192.0.2.99")


def test_t19_the_oldest_stranger_of_the_biggest_source_goes_for_a_newcomer() -> None:
    door = Admission(FEW)
    silent = [admitted(door, "192.0.2.1").ticket for _ in range(3)]
    other = admitted(door, "192.0.2.2")
    assert other.evicted == ()
    newcomer = admitted(door, "192.0.2.3")
    assert newcomer.evicted == (silent[0],)
    assert door.handshakes == FEW.handshakes


def test_t19_a_source_that_is_full_of_strangers_loses_its_own() -> None:
    door = Admission(FEW)
    silent = [admitted(door, "192.0.2.1").ticket for _ in range(3)]
    assert admitted(door, "192.0.2.1").evicted == (silent[0],)
    door.closed(silent[0])  # its connection goes a moment later: counted once
    assert door.handshakes == 3


def test_connections_that_are_logged_in_are_never_sent_away() -> None:
    door = Admission(FEW)
    mine = [log_in(door, "192.0.2.1") for _ in range(5)]
    stranger = admitted(door, "192.0.2.1").ticket
    assert admitted(door, "192.0.2.1").evicted == (stranger,)
    assert not set(mine) & {stranger}


def test_a_source_that_only_fails_waits_longer_each_time_and_gets_in_again() -> None:
    door = Admission(FEW)
    now, waits = 0.0, []
    for _ in range(9):
        while isinstance(answer := door.admit("192.0.2.1", now), Admitted):
            door.closed(answer.ticket)
        assert answer.limit == "failures_per_source"
        began = now
        while isinstance(answer := door.admit("192.0.2.1", now), Refusal):
            now += 0.5
        door.closed(answer.ticket)
        waits.append(now - began)
    # a bucket half full forgets how long it last had to wait, so that a small one is never slowed for long
    assert waits[0] == 1.0
    assert max(waits) <= LONGEST_WAIT_S


def test_waiting_grows_to_its_bound() -> None:
    door = Admission(replace(FEW, failures_per_source=1000))
    now, waits = 0.0, []
    for _ in range(8):
        while isinstance(answer := door.admit("192.0.2.1", now), Admitted):
            door.closed(answer.ticket)
        began = now
        while isinstance(answer := door.admit("192.0.2.1", now), Refusal):
            now += 0.5
        door.closed(answer.ticket)
        waits.append(now - began)
    assert waits == [1, 2, 4, 8, 16, LONGEST_WAIT_S, LONGEST_WAIT_S, LONGEST_WAIT_S]


def test_a_login_makes_good_for_failures_of_others_at_that_address() -> None:
    door = Admission(FEW)
    for _ in range(4):
        door.closed(admitted(door, "192.0.2.1").ticket)
    log_in(door, "192.0.2.1")
    for _ in range(5):  # a full bucket again
        door.closed(admitted(door, "192.0.2.1").ticket)
    assert FEW.failures_per_source <= GIVEN_BACK
    refused(door, "192.0.2.1")


def test_tries_that_no_stock_client_makes_cost_as_much_as_connections() -> None:
    door = Admission(FEW)
    ticket = admitted(door, "192.0.2.1").ticket
    door.failed(ticket, FREE_TRIES)
    door.failed(ticket, 3)
    door.closed(ticket)
    admitted(door, "192.0.2.1")
    refused(door, "192.0.2.1")


def test_what_is_said_of_a_ticket_that_is_gone_changes_nothing() -> None:
    door = Admission(FEW)
    ticket = admitted(door, "192.0.2.1").ticket
    door.closed(ticket)
    door.closed(ticket)
    door.authenticated(ticket, 0.0)
    door.failed(ticket)
    assert (door.connections, door.handshakes) == (0, 0)


def test_new_limits_hold_for_the_next_connection() -> None:
    door = Admission(FEW)
    log_in(door, "192.0.2.1")
    door.limits = replace(FEW, connections=1)
    assert refused(door, "192.0.2.2").limit == "connections"


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_source_is_what_one_customer_is_given(peer: str, source: str) -> None:
    assert source_of(peer) == source


def test_sources_without_connections_are_forgotten_at_last() -> None:
    door = Admission(FEW)
    for at in range(SOURCES + 50):
        door.closed(admitted(door, f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}").ticket)
    assert door.sources == SOURCES


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "login", "fail", "close", "wait"]),
        st.integers(0, 7),
        st.integers(0, 40),
    ),
    max_size=150,
)


@given(STEPS)
def test_the_bounds_hold_whatever_happens(steps: list[tuple[str, int, int]]) -> None:
    door, now, live, logged_in = Admission(FEW), 100.0, dict[int, str](), set[int]()
    for step, source, pick in steps:
        ticket = sorted(live)[pick % len(live)] if live else 0
        match step:
            case "admit":
                answer = door.admit(f"192.0.2.{source}", now)
                if isinstance(answer, Admitted):
                    assert not set(answer.evicted) & logged_in
                    for gone in answer.evicted:
                        del live[gone]
                    live[answer.ticket] = f"192.0.2.{source}"
            case "login":
                door.authenticated(ticket, now)
                logged_in |= {ticket} & live.keys()
            case "fail":
                door.failed(ticket, pick)
            case "close":
                door.closed(ticket)
                live.pop(ticket, None)
            case "wait":
                now += pick - 5  # the clock may be set back
        strangers = live.keys() - logged_in
        assert door.connections == len(live) <= FEW.connections
        assert door.handshakes == len(strangers) <= FEW.handshakes
        for name in set(live.values()):
            assert sum(1 for it in live.values() if it == name) <= FEW.connections_per_source
            assert sum(1 for it in strangers if live[it] == name) <= FEW.handshakes_per_source


@given(st.lists(st.tuples(st.integers(0, 1), st.booleans()), max_size=200))
def test_t19_a_source_that_has_done_nothing_wrong_always_gets_in(flood: list[tuple[int, bool]]) -> None:
    """Whatever two others do short of logging in."""
    door = Admission(FEW)
    for source, closes in flood:
        answer = door.admit(f"192.0.2.{source}", 0.0)
        if isinstance(answer, Admitted) and closes:
            door.closed(answer.ticket)
    log_in(door, "198.51.100.1")
