"""Terminals: their modes, size, keys, and what happens when one goes away."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.integration.jump_terminal import Terminal
from tests.integration.transparency.clients import OPENSSH
from tests.integration.transparency.matrix import case
from tests.integration.transparency.way import Way

GROUP = "Terminals"
ABOUT = "stty -a; stty size; echo $TERM; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all three"
SHELL = "PS1='re''ady> ' exec bash --norc --noprofile -i"


def terminal(way: Way, *words: str, rows: int = 24, cols: int = 80) -> Terminal:
    """Run ssh in a terminal."""
    return Terminal(way, "ssh", "-F", "ssh_config", *words, rows=rows, cols=cols)


@case(GROUP, OPENSSH, "`-t` and `-tt`: modes, control characters, size and TERM of the local terminal")
def modes(way: Way) -> None:
    for change in (
        "",
        "stty intr ^G erase ^H eof ^Y -ixon -icrnl;",
        "stty raw -echo;",
        "stty rows 0 cols 0;",
    ):
        script = f'{change} exec ssh -F ssh_config -tt target "{ABOUT}; exit 5"'.replace("$", "\\$")
        with Terminal(way, "sh", "-c", script, rows=31, cols=117) as window:
            assert window.status() == 5
            way.saw(change, window.shown)
        assert b"all three" in window.shown
    with terminal(way, "-t", "target", "exit 3") as window:
        way.saw("-t", (window.status(), window.shown))
    assert b"Connection to localhost closed." in window.shown


@case(GROUP, OPENSSH, "`-tt` without a local terminal, `-t` that gets none, `-T` in a terminal")
def forced(way: Way) -> None:
    job = way.start(
        "ssh",
        "-F",
        "ssh_config",
        "-tt",
        "target",
        f"{ABOUT}; echo rea''dy; read x; echo got $x; exit 4",
        bufsize=0,
    )
    assert job.stdin is not None
    assert job.stdout is not None
    shown = b""
    while b"ready\r\n" not in shown:
        shown += job.stdout.read(65536) or b"ready\r\n"
    job.stdin.write(b"a line\n")
    rest, complaints = job.communicate(timeout=30)
    way.saw("-tt", (shown + rest, complaints, job.returncode))
    assert (rest, job.returncode) == (b"a line\r\ngot a line\r\n", 4)
    assert way.ssh("-t", "target", "tty").stdout == b"not a tty\n"
    with terminal(way, "-T", "target", "tty; exit 6") as window:
        way.saw("-T", (window.status(), window.shown))
    assert window.shown == b"not a tty\r\n"


# Not a shell with a trap: bash loses one now and then.
NOTES_SIZES = """
import os, select, signal, sys
def size():
    window = os.get_terminal_size(0)
    return "%d %d\\n" % (window.lines, window.columns)
def note(*_):
    with open("{file}", "a") as file:
        file.write(size())
signal.signal(signal.SIGWINCH, note)
print(size(), end="", flush=True)
while not select.select([0], [], [], 0.1)[0]:
    pass
sys.exit(3)
"""


@case(GROUP, OPENSSH, "a resized window: SIGWINCH and the new size")
def resize(way: Way) -> None:
    program = NOTES_SIZES.format(file=way.there / "sizes")
    wanted = ["40 120", "25 66", "300 500"]
    with terminal(way, "-tt", "target", f"python3 -c {quoted(program)}", rows=30, cols=101) as window:
        window.until("30 101")
        for number, size in enumerate(wanted, 1):
            rows, cols = size.split()
            window.resize(int(rows), int(cols))
            way.world.until(lambda number=number: noted(window, way.there / "sizes", number))
        window.type("enough\n")
        assert window.status() == 3
    assert lines(way.there / "sizes") == wanted


@case(GROUP, OPENSSH, "keys: Ctrl-C, Ctrl-\\, Ctrl-Z, Ctrl-U, Ctrl-S and Ctrl-Q, Ctrl-D")
def keys(way: Way) -> None:
    with terminal(way, "-tt", "target", f"cd {way.there}; {SHELL}") as window:
        window.until("ready> ")
        for key, status in (("\x03", 130), ("\x1c", 131), ("\x1a", 148)):
            window.type("sh -c 'echo asle\"\"ep; exec sleep 60'\n")
            window.until("asleep")
            window.type(key)
            window.until("ready> ")
            window.type(f"echo $? >{status}\n")
            window.until("ready> ")
        for line in (
            "kill -9 %1; disown -a",
            "echo wrong >line\x15echo right >line",
            "echo one\x13\x11 >flow",
        ):
            window.type(f"{line}\n")
            window.until("ready> ")
        window.type("\x04")
        way.saw("status", window.status())
    found = {path.name: path.read_text() for path in way.there.iterdir()}
    assert found == {"130": "130\n", "131": "131\n", "148": "148\n", "line": "right\n", "flow": "one\n"}


@case(GROUP, OPENSSH, "`~.` and `~?`; a terminal that is closed: the command gets SIGHUP")
def hangup(way: Way) -> None:
    command = f"trap 'echo hup >{way.there}/$0; exit 1' HUP; echo rea''dy; while :; do sleep 0.05; done"
    with terminal(way, "-tt", "target", f"bash -c {quoted(command)} escaped") as window:
        window.until("ready")
        window.type("\r~?")
        way.saw("~?", window.until("(Note that escapes").partition(b"Supported")[2])
        window.type("\r~.")
        way.saw("~.", window.status())
        assert b"Connection to localhost closed." in window.shown
    with terminal(way, "-tt", "target", f"bash -c {quoted(command)} closed") as window:
        window.until("ready")
    way.world.until(lambda: all((way.there / name).exists() for name in ("escaped", "closed")))


@case(GROUP, OPENSSH, "a client that is killed: end of input for what reads, a broken pipe for what writes")
def killed(way: Way) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        mark = f"{{there}}/{number.name}"
        reads = way.start(
            "ssh", "-F", "ssh_config", "target", f"touch {mark}.r; cat; echo ended >{mark}.read"
        )
        writes = way.start(
            *("ssh", "-F", "ssh_config", "target"),
            f"trap '' PIPE; touch {mark}.w; while echo x 2>&-; do sleep 0.05; done; echo broken >{mark}.write",
        )
        for it in "rw":
            way.world.until((way.there / f"{number.name}.{it}").exists)
        for job in (reads, writes):
            os.kill(job.pid, number)
            way.saw(number.name, job.wait(timeout=20))
        for it in ("read", "write"):
            way.world.until((way.there / f"{number.name}.{it}").exists)


def lines(path: Path) -> list[str]:
    """Return the lines of a file that may not be there yet."""
    return path.read_text().splitlines() if path.exists() else []


def noted(window: Terminal, sizes: Path, number: int) -> bool:
    """Say whether the target has noted this many sizes; if not yet, see that ssh looks at its window.

    OpenSSH's client (9.2) does not block SIGWINCH between its look at the flag and its poll: one that arrives there
    is noticed with the next event only. A second signal is one; as the size is the same, the target hears of it once.
    """
    done = len(lines(sizes)) >= number
    if not done:
        window.process.send_signal(signal.SIGWINCH)
    return done


def quoted(text: str) -> str:
    """Return text as one word of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"
