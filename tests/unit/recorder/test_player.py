"""The replay obeys its keys, keeps its times, and leaves the reader's terminal as it was."""

from __future__ import annotations

import pytest

from recorder.events import Event, Kind
from recorder.player import Player

SESSION = [
    Event(0, Kind.OPEN),
    Event(100_000, Kind.REQUEST, 1, b"first", {"type": "exec", "pty": False}),
    Event(1_100_000, Kind.OUTPUT, 1, b"one\n"),
    Event(1_200_000, Kind.INPUT, 1, b"unseen"),
    Event(61_100_000, Kind.OUTPUT, 1, b"two\n"),
    Event(61_200_000, Kind.REQUEST, 2, b"second", {"type": "exec", "pty": False}),
    Event(63_200_000, Kind.ERROR, 2, b"three\n"),
    Event(63_300_000, Kind.CLOSE, detail={"reason": "done"}),
]
ALL = (
    b"\x1b[2m#1 $ first\x1b[22m\r\none\r\ntwo\r\n"
    b"\x1b[2m#2 $ second\x1b[22m\r\nthree\r\n"
)  # fmt: skip


def played(player: Player) -> tuple[bytes, list[float]]:
    """Step through to the end or a pause; return what was drawn, and the delays before what drew."""
    drawn, delays = b"", []
    while (delay := player.due()) is not None:
        piece = player.step()
        drawn += piece
        if piece:
            delays.append(round(delay, 6))
        else:
            assert delay == 0
    return drawn, delays


def test_times_are_those_of_the_session() -> None:
    player = Player(SESSION)
    assert played(player) == (ALL, [0.1, 1.0, 60.0, 0.1, 2.0])
    assert player.finished
    assert player.step() == b""


def test_idle_limit_bounds_each_pause_before_speed_applies() -> None:
    assert played(Player(SESSION, idle_limit_s=1.5, speed=2))[1] == [0.05, 0.5, 0.75, 0.05, 0.75]


def test_speed_0_plays_at_once() -> None:
    assert played(Player(SESSION, speed=0)) == (ALL, [0.0] * 5)


@pytest.mark.parametrize("start", [2, "sec"])
def test_start_at_a_marker_skips_without_delay_and_loses_nothing(start: int | str) -> None:
    assert played(Player(SESSION, start=start)) == (ALL, [0.0, 0.0, 0.0, 0.0, 2.0])


def test_a_marker_that_is_not_there_skips_to_the_end() -> None:
    assert played(Player(SESSION, start="third")) == (ALL, [0.0] * 5)


def test_pause_and_resume() -> None:
    player = Player(SESSION)
    player.step()
    player.step()
    player.key(" ")
    assert player.due() is None
    assert not player.finished
    player.key(" ")
    assert played(player)[1] == [1.0, 60.0, 0.1, 2.0]


def test_single_step_pauses() -> None:
    player = Player(SESSION)
    player.key(".")
    assert played(player) == (b"\x1b[2m#1 $ first\x1b[22m\r\n", [0.0])
    player.key(".")
    assert played(player) == (b"one\r\n", [0.0])
    player.key(".")
    assert played(player) == (b"two\r\n", [0.0])
    assert player.paused


@pytest.mark.parametrize("key", ["n", "]"])
def test_next_command_draws_all_in_between_at_once(key: str) -> None:
    player = Player(SESSION)
    player.step()
    player.step()
    player.key(key)
    assert played(player) == (ALL.split(b"\r\n", 1)[1], [0.0, 0.0, 0.0, 2.0])


def test_next_command_while_paused_stays_paused() -> None:
    player = Player(SESSION)
    player.key(" ")
    player.key("n")
    assert played(player) == (b"\x1b[2m#1 $ first\x1b[22m\r\n", [0.0])
    assert player.paused


def test_faster_and_slower_credit_the_wait_so_far() -> None:
    player = Player(SESSION)
    for _ in range(2):
        player.step()
    assert player.due() == 1.0
    player.key("+", waited_s=0.5)
    assert player.due() == 0.25
    player.key("-")
    player.key("-")
    assert player.due() == 1.0
    player.key("x", waited_s=99)
    assert player.due() == 0.0


def test_speed_keeps_its_bounds() -> None:
    player = Player(SESSION)
    for _ in range(50):
        player.key("+")
    assert player.speed == 64
    for _ in range(50):
        player.key("-")
    assert player.speed == 1 / 16


@pytest.mark.parametrize("key", ["q", "\x03", "\x04"])
def test_quit(key: str) -> None:
    player = Player(SESSION)
    player.key(key)
    assert player.finished
    assert player.due() is None
    assert player.step() == b""


@pytest.mark.parametrize(
    "options", [{"speed": -1}, {"speed": float("nan")}, {"speed": 1e9}, {"idle_limit_s": -1}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Player(SESSION, **options)  # type: ignore[arg-type]


def test_t45_a_replay_draws_and_no_more() -> None:
    events = [
        Event(0, Kind.OUTPUT, 1, b"a\x1b]52;c;"),
        Event(1, Kind.OUTPUT, 1, b"aGk=\x07b\x1b[6n\x1b[?2004h\xe2"),
    ]
    events.append(Event(2, Kind.REQUEST, 1, b"\x1b]0;x\x07", {"type": "exec"}))
    drawn, _ = played(Player(events, speed=0))
    assert drawn == b"ab\x1b[2m#1 $ \\x1b]0;x\\x07\x1b[22m\r\n" + "\ufffd".encode()


def test_t45_the_terminal_is_put_back() -> None:
    plain = Player([Event(0, Kind.OUTPUT, 1, b"text")])
    played(plain)
    reset = plain.finish()
    assert b"\x1b[0m" in reset
    assert b"\x1b[?25h" in reset
    assert b"\x1b[?1049l" not in reset
    full = Player([Event(0, Kind.OUTPUT, 1, b"\x1b[?1049h\x1b[?25l")])
    played(full)
    assert b"\x1b[?1049l" in full.finish()


def test_events_are_read_one_ahead() -> None:
    taken = []

    def source() -> object:
        for event in SESSION:
            taken.append(event)
            yield event

    player = Player(source())  # type: ignore[arg-type]
    assert len(taken) == 1
    player.step()
    assert len(taken) == 2


def test_an_empty_session_is_finished() -> None:
    assert Player([]).finished


def test_input_that_no_terminal_echoed_is_shown_line_by_line_and_escaped() -> None:
    session = [
        Event(0, Kind.REQUEST, 1, b"bash -s", {"type": "exec", "pty": False}),
        Event(1, Kind.INPUT, 1, b"cd /\nrm \x1b]0;x\x07"),
        Event(2, Kind.INPUT, 1, b"y\nend"),
        Event(3, Kind.INPUT, 1, b"\0\1"),
        Event(4, Kind.EOF, 1, b"", {"side": "client"}),
        Event(5, Kind.REQUEST, 2, b"", {"type": "shell", "pty": True}),
        Event(6, Kind.INPUT, 2, b"echoed by its terminal\n"),
    ]
    drawn, _delays = played(Player(session, speed=0, styled=False))
    assert drawn == (
        b"#1 $ bash -s\r\n#1 < cd /\r\n#1 < rm \\x1b]0;x\\x07y\r\n#1 < [2 bytes that are not text]\r\n"
        b"#1 < end\r\n#2 $ shell\r\n"
    )
