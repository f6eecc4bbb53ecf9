"""What is to be sent survives a restart, in order, and is bounded."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bastion.notices import outbox as outbox_module
from bastion.notices.notice import Notice
from bastion.notices.outbox import Delivery, Outbox, OutboxFault
from tests.unit.bastion.notices.notices_fixture import NOW, asked, denial


def delivery(name: str, channel: str = "ops", notice: Notice | None = None) -> Delivery:
    return Delivery(id=name, channel=channel, queued_at=NOW, attempts=0, notice=notice or denial())


def test_what_was_put_is_there_after_a_restart_oldest_first(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    for name in ("one", "two"):
        assert outbox.put(delivery(name, notice=asked("touch 'ü' \\u202e"))) == []
    outbox.put(delivery("other", "another"))
    first = outbox.oldest("ops")
    assert first is not None
    outbox.tried(first)
    outbox.close()
    again = Outbox(tmp_path / "outbox.sqlite")
    found = again.oldest("ops")
    assert found is not None
    assert (found.id, found.attempts, found.notice) == ("one", 1, asked("touch 'ü' \\u202e"))
    assert again.waiting() == {"ops": 2, "another": 1}
    again.done(found)
    second = again.oldest("ops")
    assert second is not None
    assert second.id == "two"
    assert again.oldest("nobody") is None
    again.close()


def test_the_oldest_of_a_channel_give_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "MAX_ROWS", 3)
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put(delivery("other", "another"))
    gone = [one.id for number in range(5) for one in outbox.put(delivery(f"m{number}"))]
    assert gone == ["m0", "m1"]
    assert outbox.waiting() == {"ops": 3, "another": 1}
    outbox.close()


def test_what_is_for_channels_that_are_no_more_is_forgotten(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put(delivery("one"))
    outbox.put(delivery("two", "gone"))
    assert [one.id for one in outbox.keep_only({"ops"})] == ["two"]
    assert outbox.waiting() == {"ops": 1}
    outbox.close()


def test_only_this_user_can_read_it(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.close()
    assert (tmp_path / "outbox.sqlite").stat().st_mode & 0o077 == 0


def test_a_file_that_is_none_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(b"this is no database, and it is long enough to be seen as none of them" * 20)
    with pytest.raises(OutboxFault, match="moved away, it is made anew"):
        Outbox(path)


def test_a_row_that_was_altered_is_a_fault_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    outbox = Outbox(path)
    outbox.put(delivery("one"))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE outbox SET notice = '{}'")
    with pytest.raises(OutboxFault):
        outbox.oldest("ops")
    outbox.close()
