"""What looks for candidates serves any number of threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from policies.masking.candidates import scanner

GATES = [(-1, "BEGIN"), (0, "[0-9]{3}-[0-9]{2}"), (7, "(?:login|user) [a-z]")]


def test_candidates_are_told_by_the_number_of_their_gate() -> None:
    assert sorted(scanner(GATES)(b"BEGIN user a 123-45")) == [(-1, 0), (0, 13), (7, 6)]


def test_nothing_is_found_where_there_are_no_gates_or_no_text() -> None:
    assert scanner([])(b"BEGIN") == []
    assert scanner(GATES)(b"") == []


def test_threads_that_scan_at_the_same_time_find_what_one_alone_finds() -> None:
    # Hyperscan refuses a scratch that is in use: one for all threads ended sessions that were masked side by side.
    scan, text = scanner(GATES), b"123-45 login a and then some more text\n" * 20_000
    alone = scan(text)
    with ThreadPoolExecutor(4) as threads:
        assert all(found == alone for found in threads.map(scan, [text] * 12))
