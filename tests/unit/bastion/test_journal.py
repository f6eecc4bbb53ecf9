"""The journal is one line for each thing, and nothing in it acts on a terminal."""

from __future__ import annotations

import logging

import pytest

from bastion.journal import JournalFormatter, journal_entry
from recorder.audit import Entry


def test_t45_what_came_from_outside_is_escaped() -> None:
    record = logging.LogRecord(
        "bastion.x", logging.WARNING, __file__, 1, "name=%s", ("a\nb\x1b]0;x\x07",), None
    )
    line = JournalFormatter().format(record)
    assert line.endswith("warning bastion.x: name=a\\nb\\x1b]0;x\\x07")
    assert "\n" not in line


def test_l8_each_head_of_the_audit_chain_is_witnessed_in_the_journal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = Entry(seq=7, at_us=1, kind="session.sealed", detail={"session": "01X"}, hash="ab" * 32)
    with caplog.at_level(logging.INFO):
        journal_entry(entry)
    assert caplog.messages == [f"audit head=7:{'ab' * 32} kind=session.sealed session=01X"]
