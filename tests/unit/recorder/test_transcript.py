"""A session told as text: readable, complete, and not to be forged from inside."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recorder.events import Event, Kind
from recorder.transcript import LINE_BOUND, transcript

SESSION = {
    "id": "01JD3X",
    "identity": "orders-deployer",
    "owner": "dana@acme.example",
    "target": "web-1",
    "login": "deploy",
    "started_us": 1_760_000_000_123_456,
}
SHELL = Event(0, Kind.REQUEST, 1, b"", {"type": "shell", "pty": True, "cols": 20, "rows": 4})


def told(*events: Event) -> list[str]:
    return list(transcript(SESSION, events))[4:]


def test_a_session_reads_well() -> None:
    assert list(
        transcript(
            SESSION,
            [
                Event(0, Kind.OPEN, detail={"id": "01JD3X"}),
                Event(
                    1_234_000,
                    Kind.REQUEST,
                    1,
                    b"./deploy.sh",
                    {"type": "exec", "access": "exec", "pty": False},
                ),
                Event(1_240_000, Kind.VERDICT, 1, detail={"verdict": "allow", "rules": ["ci-deploys"]}),
                Event(1_300_000, Kind.INPUT, 1, b"yes\n"),
                Event(1_500_000, Kind.OUTPUT, 1, b"\x1b[1mdeploying\x1b[0m\ndone"),
                Event(1_600_000, Kind.ERROR, 1, b"warning: slow\n"),
                Event(1_650_000, Kind.NOTICE, 1, b"bastion: held\n"),
                Event(1_700_000, Kind.EOF, 1, detail={"side": "client"}),
                Event(1_800_000, Kind.EXIT, 1, detail={"status": 0}),
                Event(2_000_000, Kind.REQUEST, 2, b"sftp", {"type": "subsystem", "pty": False}),
                Event(2_100_000, Kind.FILE, 2, detail={"op": "open", "path": "/srv/app.tgz"}),
                Event(
                    62_200_000,
                    Kind.FILE,
                    2,
                    detail={
                        "op": "close",
                        "path": "/srv/app.tgz",
                        "direction": "upload",
                        "length": 9,
                        "sha256": "ab12",
                    },
                ),
                Event(62_300_000, Kind.REFUSED, 0, detail={"what": "agent forwarding", "reason": "never"}),
                Event(62_400_000, Kind.DIGEST, 2, detail={"stream": "output", "length": 5, "sha256": "cd"}),
                Event(62_500_000, Kind.SIGNAL, 2, detail={"name": "TERM"}),
                Event(62_600_000, Kind.EXIT, 2, detail={"signal": "TERM", "core": False, "message": ""}),
                Event(3_662_700_000, Kind.CLOSE, detail={"reason": "the client left"}),
            ],
        )
    ) == [
        "session 01JD3X",
        "orders-deployer (owner dana@acme.example) on deploy@web-1",
        "began 2025-10-09 08:53:20 UTC",
        "",
        "[+00:01.234] #1 exec ./deploy.sh",
        "[+00:01.240] #1 allow by ci-deploys",
        "  < yes",
        "  | deploying",
        " 2| warning: slow",
        " b| bastion: held",
        "  | done",
        "[+00:01.800] #1 exit 0",
        "[+00:02.000] #2 subsystem sftp",
        "[+00:02.100] #2 open /srv/app.tgz",
        "[+01:02.200] #2 upload /srv/app.tgz 9 bytes sha256 ab12",
        "[+01:02.300] refused agent forwarding: never",
        "[+01:02.500] #2 signal TERM",
        "[+01:02.600] #2 output not kept: 5 bytes sha256 cd",
        "[+01:02.600] #2 killed by TERM",
        "[+01:01:02.700] closed: the client left",
    ]


def test_of_running_digests_only_the_last_counts() -> None:
    def digest(at_us: int, stream: str, length: int, **more: object) -> Event:
        detail = {"stream": stream, "of": "rsync", "length": length, "sha256": f"ab{length}", **more}
        return Event(at_us, Kind.DIGEST, 1, detail=detail)

    running = [digest(1000, "input", 1), digest(2000, "output", 5), digest(3000, "input", 3)]
    ends = [digest(4000, "input", 3, ended=True), digest(5000, "output", 5, ended=True)]
    told = ["#1 rsync upload 3 bytes sha256 ab3", "#1 rsync download 5 bytes sha256 ab5"]
    whole = transcript(SESSION, [*running, *ends, Event(6000, Kind.EXIT, 1, detail={"status": 0})])
    assert list(whole)[4:] == ["[+00:00.004] " + told[0], "[+00:00.005] " + told[1], "[+00:00.006] #1 exit 0"]
    torn = transcript(SESSION, [*running, Event(7000, Kind.CLOSE, detail={"state": "interrupted"})])
    assert list(torn)[4:] == [*("[+00:00.007] " + line for line in told), "[+00:00.007] interrupted"]


def test_a_pty_is_rendered() -> None:
    lines = told(
        SHELL,
        Event(1, Kind.INPUT, 1, b"ls\r"),
        Event(2, Kind.OUTPUT, 1, b"$ lx\x08s\r\na\r\nb\r\nc\r\n\x1b[32m$ \x1b[0m"),
        Event(3, Kind.EXIT, 1, detail={"status": 0}),
    )
    assert lines == [
        "[+00:00.000] #1 shell",
        "  | $ ls",
        "  | a",
        "  | b",
        "  | c",
        "  | $",
        "[+00:00.000] #1 exit 0",
    ]


def test_output_after_exit_is_told() -> None:
    lines = told(SHELL, Event(1, Kind.EXIT, 1, detail={"status": 0}), Event(2, Kind.OUTPUT, 1, b"late"))
    assert lines[-1] == "  | late"


def test_a_session_without_an_end_tells_what_there_is() -> None:
    assert told(Event(1, Kind.OUTPUT, 1, b"half a line\xe2"), SHELL)[-1] == "  | half a line\ufffd"


def test_a_resize_of_a_pty_loses_nothing() -> None:
    lines = told(
        SHELL,
        Event(1, Kind.OUTPUT, 1, b"one\r\ntwo\r\nthree"),
        Event(2, Kind.RESIZE, 1, detail={"cols": 20, "rows": 1}),
        Event(3, Kind.RESIZE, 9, detail={"cols": 20, "rows": 1}),
    )
    assert lines[1:] == ["  | one", "  | two", "  | three"]


def test_carriage_returns_do_not_hide_what_they_overwrite() -> None:
    assert told(
        Event(1, Kind.OUTPUT, 1, b"rm -rf /srv\rls\r\n10%\r"), Event(2, Kind.OUTPUT, 1, b"\nend")
    ) == [
        "  | rm -rf /srv",
        "  | ls",
        "  | 10%",
        "  | end",
    ]


def test_a_long_line_is_cut_and_kept() -> None:
    lines = told(Event(1, Kind.OUTPUT, 1, b"x" * (2 * LINE_BOUND + 5)))
    assert [len(line) - 4 for line in lines] == [LINE_BOUND, LINE_BOUND, 5]


def test_acts_on_files() -> None:
    def act(**detail: object) -> list[str]:
        return [line.partition("] #1 ")[2] for line in told(Event(1, Kind.FILE, 1, detail=detail))]

    sent = {"direction": "download", "path": "/a", "length": 5, "sha256": "ab"}
    assert act(op="progress", **sent) == []
    assert act(op="close", complete=False, status="not-closed", **sent) == [
        "download /a 5 bytes (incomplete: not-closed) sha256 ab"
    ]
    assert act(op="rename", path="/a", to="/b\n", status="ok") == ["rename /a to /b\\n"]
    assert act(op="remove", path="/a", status="permission-denied") == ["remove /a: permission-denied"]


def test_ends() -> None:
    lines = told(
        Event(1, Kind.EXIT, 1, detail={"status": None}),
        Event(2, Kind.CLOSE, detail={"state": "interrupted", "reason": "the bastion stopped"}),
    )
    assert [line[13:] for line in lines] == ["#1 ended without a status", "interrupted: the bastion stopped"]


def test_t45_output_cannot_pass_for_an_event() -> None:
    forged = "\n[+00:09.000] #1 exit 0\r[+00:09.000] x\u2028[+\u202e\x85[+".encode()
    for line in told(
        Event(1, Kind.OUTPUT, 1, forged), Event(2, Kind.ERROR, 1, forged), Event(3, Kind.NOTICE, 1, forged)
    ):
        assert not line.startswith("[")
        assert len(line.splitlines()) == 1
        assert "\u202e" not in line


def test_t45_names_in_events_are_escaped() -> None:
    (line,) = told(Event(1, Kind.REFUSED, 0, detail={"what": "env\x1b]0;x\x07", "reason": "a\nb"}))
    assert line == "[+00:00.000] refused env\\x1b]0;x\\x07: a\\nb"


@given(
    kinds=st.lists(st.sampled_from(list(Kind)), max_size=20),
    data=st.lists(st.binary(max_size=40), min_size=20, max_size=20),
    pty=st.booleans(),
)
def test_t45_any_events_give_plain_lines(kinds: list[Kind], data: list[bytes], pty: bool) -> None:
    detail = {"pty": pty, "cols": 9, "rows": 3}
    events = [Event(at, kind, at % 2, data[at], detail) for at, kind in enumerate(kinds)]
    for line in told(*events):
        assert len(line.splitlines()) == 1
        assert "\x1b" not in line
