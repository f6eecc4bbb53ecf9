"""A lock stops whom it speaks of, for as long as it says, and nobody else (L7, T48)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bastion.locks.book import MAX_OVER, Book
from bastion.locks.lock import Kind, Locked, lock_detail, lock_from_detail, lock_from_json, lock_to_json
from tests.unit.bastion.locks.locks_fixture import NOW, PARTY, lock


@pytest.mark.parametrize("kind", list(Kind))
def test_t48_each_kind_of_lock_stops_what_it_names_and_nothing_else(kind: Kind) -> None:
    book = Book(lambda: NOW)
    assert book.on(PARTY) is None
    book.add(lock(kind, "another"))
    assert book.on(PARTY) is None
    book.add(lock(kind, id="L-BBBB"))
    with pytest.raises(Locked, match=rf"{kind.value} .* is locked by kim@acme\.example \(L-BBBB\)"):
        book.check(PARTY)
    book.remove("L-BBBB", "lifted by kim@acme.example")
    assert book.on(PARTY) is None
    assert [one.id for one in book.standing()] == ["L-AAAA"]


def test_l7_whoever_owned_it_then_or_owns_it_now_stops_it() -> None:
    book = Book(lambda: NOW)
    book.add(lock(Kind.PERSON, "sam@acme.example"))
    assert book.on(PARTY) is None
    both = replace(PARTY, persons=PARTY.persons | {"sam@acme.example"})
    assert book.on(both) is not None
    assert book.stops("another", "sam@acme.example")
    assert not book.stops("another", None)


def test_a_lock_ends_with_its_time_and_is_over_then() -> None:
    now = [NOW]
    book = Book(lambda: now[0])
    book.add(lock(until=NOW + 60))
    assert book.on(PARTY) is not None
    now[0] += 60
    assert book.on(PARTY) is None
    assert book.standing() == []
    assert book.find("L-AAAA") is None
    assert book.ended("l-aaaa") == "its time was over"


def test_two_locks_on_one_thing_are_lifted_one_by_one() -> None:
    book = Book(lambda: NOW)
    book.add(lock())
    book.add(lock(id="L-BBBB"))
    book.remove("L-AAAA", "lifted")
    stops = book.on(PARTY)
    assert stops is not None
    assert stops.id == "L-BBBB"


def test_what_is_over_is_forgotten_in_time() -> None:
    book = Book(lambda: NOW)
    for number in range(MAX_OVER + 1):
        book.add(lock(id=f"L-{number:04}"))
        book.remove(f"L-{number:04}", "lifted")
    assert book.ended("0000") is None
    assert book.ended("0001") == "lifted"
    assert not book.known("L-0000")


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("until", [None, NOW + 7200.5])
def test_a_lock_survives_the_way_to_another_process_and_to_the_audit_chain(
    kind: Kind, until: float | None
) -> None:
    made = lock(kind, until=until)
    assert lock_from_json(lock_to_json(made)) == made
    assert lock_from_detail(lock_detail(made)) == made
    assert lock_detail(made).get("session") == ("01SESSION" if kind is Kind.SESSION else None)


@pytest.mark.parametrize("detail", [{}, {"lock": "L-AAAA"}, {**lock_detail(lock()), "kind": "everything"}])
def test_l2_an_entry_that_is_no_lock_is_not_taken_for_one(detail: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, LookupError)):
        lock_from_detail(detail)
