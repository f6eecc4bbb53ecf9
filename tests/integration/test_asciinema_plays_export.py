"""One story: an exported session is played by Debian's asciinema, which knows version 2."""

from __future__ import annotations

import subprocess
from pathlib import Path

from recorder.cast import write_cast
from recorder.events import Event, Kind

SESSION = {
    "id": "01JD3X",
    "identity": "orders-deployer",
    "owner": "dana@acme.example",
    "target": "web-1",
    "login": "deploy",
    "started_us": 1_760_000_000_000_000,
}
EVENTS = [
    Event(0, Kind.OPEN),
    Event(10_000, Kind.REQUEST, 1, b"./deploy.sh", {"type": "exec", "access": "exec", "pty": False}),
    Event(20_000, Kind.INPUT, 1, b"yes\n"),
    Event(30_000, Kind.OUTPUT, 1, "\x1b[32mdéployé\x1b[0m\n".encode()),
    Event(40_000, Kind.OUTPUT, 1, b"\x1b]52;c;cm0gLXJm\x07\x1b[6n"),
    Event(50_000, Kind.ERROR, 1, b"warning\n"),
    Event(60_000, Kind.RESIZE, 1, detail={"cols": 100, "rows": 40}),
    Event(70_000, Kind.EXIT, 1, detail={"status": 0}),
    Event(80_000, Kind.CLOSE, detail={"reason": "done"}),
]
SHOWN = "\x1b[32mdéployé\x1b[0m\r\nwarning\r\n".encode()


def asciinema(command: str, cast: Path) -> bytes:
    # `script` gives it the terminal that it insists on.
    ran = subprocess.run(
        ["script", "--quiet", "--return", "--command", f"asciinema {command} {cast}", "/dev/null"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert ran.returncode == 0, (
        f"asciinema must be installed and must play the export: {ran.stdout!r} {ran.stderr!r}"
    )
    return ran.stdout


def test_t45_asciinema_plays_an_export_and_it_only_draws(tmp_path: Path) -> None:
    cast = tmp_path / "session.cast"
    cast.write_bytes(b"".join(write_cast(SESSION, EVENTS, version=2)))
    for command in ("cat", "play --idle-time-limit 0.01"):
        printed = asciinema(command, cast)
        assert SHOWN.replace(b"\r\n", b"\n") in printed.replace(b"\r", b""), command
        assert b"cm0gLXJm" not in printed
        assert b"\x1b[6n" not in printed
