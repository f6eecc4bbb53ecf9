"""Stand between a terminal and a shell that has no line editor: no line reaches it before it has its verdict.

In      the keys of the bot's terminal; what the target prints, for secrecy and for the prompt
Out     Admitted: allowed statements, exactly as judged; Ctrl-C, Ctrl-D and Ctrl-Z as they are
Holds   a LineEditor, one statement, the last line printed
Source  docs/gate.md; RFC 4254 section 8 (terminal modes)

The far terminal does not echo, and obeys no erasing keys; the shell expands no history and edits no lines. What is
drawn while a line is edited comes from here. Output decides nothing: what looks like a prompt for a password only
keeps the line from being drawn, and a lone word from being recorded.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from bastion.gate import Ruling, data_facts
from bastion.inlet import Admitted, Channel
from bastion.line_editor import BELL, END, INTERRUPT, SUSPEND, Drawn, Key, LineEditor, Submitted
from bastion.requests import Pty, Request
from policies.facts import Command
from policies.shell.assembler import Piece, ShellAssembler
from recorder.events import Event

READ_BYTES = 1000  # bash takes a line of a terminal in pieces of 1,024 bytes
KEYS_AT_ONCE = 16  # that are dealt with before other sessions have their turn
CONTINUES = b"> "
HIDDEN = b"[hidden]"

_ASKS_FOR_SECRET = re.compile(
    r"(?i)(?:password|passphrase|passcode|pass ?word|pin|otp|token|secret|code)\b[^\n]{0,80}[:?>]\s*$"
)
_LONE_WORD = re.compile(rb"[^\s;&|<>()$`\\'\"/]+")
_ALTERS_TERMINAL = frozenset({"stty", "reset", "tset"})
_ASKS_ONLY = frozenset({"-a", "--all", "-g", "--save", "size", "speed"})

_DISABLED = 255
MODES: Mapping[int, int] = {
    1: 3,
    2: 28,
    3: _DISABLED,
    4: _DISABLED,
    5: 4,
    6: _DISABLED,
    7: _DISABLED,
    8: _DISABLED,
    9: _DISABLED,
    10: 26,
    11: _DISABLED,
    12: _DISABLED,
    13: _DISABLED,
    14: _DISABLED,
    16: _DISABLED,
    18: _DISABLED,
    **dict.fromkeys((30, 31, 32, 33, 34, 35, 37, 38, 39, 40), 0),  # input is taken as it comes …
    36: 1,
    41: 1,
    42: 1,  # … but for ICRNL
    50: 1,
    51: 1,
    52: 0,
    53: 0,
    54: 0,
    55: 0,
    56: 0,
    57: 0,
    58: 0,
    59: 0,
    60: 0,
    61: 0,
    62: 0,  # no ECHO, no IEXTEN
    70: 1,
    71: 0,
    72: 1,
    73: 0,
    74: 0,
    75: 0,
    90: 0,
    91: 1,
    92: 0,
    93: 0,
    128: 38400,
    129: 38400,
}


def guarded(request: Request, command: bytes) -> Request:
    """Return the request that starts a guarded shell in place of this one."""
    assert request.pty is not None  # noqa: S101 - there is no guarded shell without a terminal
    return replace(request, kind="exec", data=command, pty=_tamed(request.pty))


def _tamed(pty: Pty) -> Pty:
    return replace(pty, modes=MODES)


class GuardedShell:
    """The inlet of one guarded shell."""

    def __init__(self, channel: Channel, cols: int) -> None:
        self._channel = channel
        self._editor = LineEditor(cols)
        self._assembler = ShellAssembler()
        self._printed = b""  # since the last newline
        self._data = ""  # why what follows is data
        self._data_allowed: bool | None = None
        self._unread = False  # a statement has gone on that bash may not have read to its end
        self._events: list[Event] = []
        self._shown = bytearray()
        self._forward = bytearray()

    async def take(self, data: bytes) -> AsyncIterator[Admitted]:
        """Take keys; see Inlet."""
        for at in range(0, len(data), KEYS_AT_ONCE):
            for effect in self._editor.feed(data[at : at + KEYS_AT_ONCE]):
                match effect:
                    case Drawn():
                        self._draw(effect.data)
                    case Key():
                        self._key(effect.data)
                    case Submitted():
                        yield self._admitted()
                        await self._line(effect)
                        yield self._admitted()
            yield self._admitted()
            await asyncio.sleep(0)

    async def end(self) -> AsyncIterator[Admitted]:
        """End the input: a line that was not submitted goes nowhere; see Inlet."""
        return
        yield

    def watch(self, data: bytes) -> None:
        """See what was printed; see Inlet."""
        self._unread = False
        self._printed = (self._printed + data).rpartition(b"\n")[2][-4096:]
        self._editor.drawing.printed(self._printed)
        self._editor.hidden = _ASKS_FOR_SECRET.search(self._editor.drawing.text()) is not None

    def resize(self, cols: int) -> None:
        """Note how wide the terminal is; see Inlet."""
        self._editor.drawing.cols = max(cols, 2)

    # What goes out.

    def _admitted(self) -> Admitted:
        admitted = Admitted(
            events=tuple(self._events),
            forward=bytes(self._forward),
            shown=bytes(self._shown),
        )
        self._events = []
        for buffer in (self._forward, self._shown):
            buffer.clear()
        return admitted

    def _draw(self, data: bytes) -> None:
        if data:
            self._events.append(self._channel.shown(data))
            self._shown += data

    def _send(self, data: bytes, recorded: bytes | None = None) -> None:
        self._events.append(self._channel.input(data if recorded is None else recorded))
        self._forward += data

    def _tell(self, ruling: Ruling) -> None:
        """Tell the bot on its terminal, not on stderr: a client may show the two in any order."""
        notice = self._channel.notice(ruling)
        self._events.append(notice)
        self._shown += notice.data

    def _prompt_again(self) -> None:
        """Draw the prompt as the shell printed it: it knows nothing of a line that was refused."""
        self._draw(self._editor.drawing.prompt)
        self._editor.drawing.printed(self._editor.drawing.prompt)

    def _key(self, key: bytes) -> None:
        """Pass on a key that makes no line.

        At Ctrl-C and Ctrl-Z the far terminal drops what nobody has read yet: the rest of a statement that bash has read
        half would be lost, and what follows taken for it. So they do nothing until bash has said something since. At
        Ctrl-C bash also loses the first byte that comes with it: there is a newline for that.
        """
        pending = self._assembler.pending
        self._assembler.reset()
        if key == END and pending:
            self._draw(b"^D\r\n")
            self._prompt_again()
        elif key != END and self._unread and not self._data:
            self._draw(BELL)
        else:
            self._draw(b"^Z" if key == SUSPEND else b"")
            self._send(key + b"\n" if key == INTERRUPT and not self._data else key)

    # Lines.

    async def _line(self, submitted: Submitted) -> None:
        """Judge a line; what it completes goes on, or is refused."""
        line = submitted.line + b"\n"
        if submitted.why:
            self._assembler.reset()
            ruling = await self._rule(Piece(submitted.line[:1024], submitted.why), submitted.hidden)
            self._refuse(ruling.refused(submitted.why), submitted.hidden)
            return
        if self._data:
            self._pass_data(line, submitted.hidden)
            return
        pieces = self._assembler.feed(line)
        if not pieces:
            self._draw(CONTINUES)
            self._editor.drawing.printed(CONTINUES)
            return
        for piece in pieces:
            await self._piece(piece, submitted.hidden)

    async def _piece(self, piece: Piece, hidden: bool) -> None:
        if piece.blank:
            self._send(piece.source)
            return
        ruling = await self._rule(piece, hidden)
        if not piece.whole:
            ruling = ruling.refused(piece.why)
            self._assembler = ShellAssembler()
        unseen = hidden and _LONE_WORD.fullmatch(piece.source.strip()) is not None
        if self._channel.waits(ruling) and not hidden:  # what may be a password is shown to nobody
            ruling = await self._channel.settled(ruling)
        if not ruling.allowed:
            self._refuse(ruling, hidden)
            return
        if ruling.hold is None:  # else it is on record since it began to wait
            self._events.append(self._channel.statement(ruling, hidden=unseen))
        if ruling.verdict.warn:
            self._tell(ruling)
        self._send(piece.source, HIDDEN + b"\n" if unseen else None)
        self._unread = self._unread or b"\n" in piece.source[:-1] or len(piece.source) > READ_BYTES
        if ruling.switches:
            self._data = ruling.takes
        elif any(map(_alters_terminal, ruling.facts.commands)):
            self._data = "an earlier statement changed what the terminal makes of a line"

    async def _rule(self, piece: Piece, hidden: bool) -> Ruling:
        channel = self._channel
        return await channel.gate.statement(
            piece.source, channel.access, shell=channel.shell, why=piece.why, hidden=hidden
        )

    def _refuse(self, ruling: Ruling, hidden: bool) -> None:
        unseen = hidden and _LONE_WORD.fullmatch(ruling.source.strip()) is not None
        if ruling.hold is None:
            self._events.append(self._channel.statement(ruling, hidden=unseen))
        self._tell(ruling.unseen() if unseen else ruling)
        self._prompt_again()

    def _pass_data(self, line: bytes, hidden: bool) -> None:
        """Pass on what a program reads; it is judged once, as data."""
        if self._data_allowed is None:
            ruling = self._channel.gate.known(data_facts(self._data), self._channel.access)
            self._data_allowed = ruling.allowed or None  # who is refused is told so each time
            if not ruling.allowed:
                self._refuse(ruling, False)
                return
            self._events.append(self._channel.statement(ruling))
        self._send(line, HIDDEN + b"\n" if hidden else None)


def _alters_terminal(command: Command) -> bool:
    """Say whether a command may change what the terminal makes of a line: which keys erase, which bits count."""
    name, *words = (word.text for word in command.words)
    return name.rpartition("/")[2] in _ALTERS_TERMINAL and not (words and set(words) <= _ASKS_ONLY)
