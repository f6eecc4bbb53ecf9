"""Put the board on a terminal, and take its keys: the one place where prompt_toolkit is used.

prompt_toolkit reads keys, draws what has changed, follows the terminal's size and puts the terminal back; what is drawn
is text with styles and never markup, and control characters in it would not act (they do not get here, see rows.py).

In      a connected socket; the terminal that is this process's
Out     the screen; an exit status, with a last line for the terminal
Source  prompt_toolkit 3.0
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import ConditionalContainer, HSplit, Layout, VSplit, Window
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from bastion.approval_screen.board import Answering, Board
from bastion.approval_screen.link import Link
from bastion.tasks import Tasks
from recorder.terminal import plain

HUNG_UP = "the bastion hung up; open the screen again"
MAX_REASON_CHARS = 200
STYLE = Style.from_dict(
    {
        "title": "reverse bold",
        "chosen": "reverse",
        "faint": "fg:ansibrightblack",
        "more": "fg:ansicyan",
        "line": "fg:ansibrightblack",
        "label": "fg:ansicyan",
        "statement": "bold",
        "matched": "bold underline fg:ansired",
        "masked": "reverse fg:ansimagenta",
        "hidden": "fg:ansiyellow",
        "warning": "bold fg:ansiyellow",
        "good": "bold fg:ansigreen",
        "asks": "reverse bold",
        "key": "reverse bold",
        "keys": "",
    }
)


def run(sock: socket.socket) -> int:
    """Show the screen until the person or the bastion leaves; return the exit status."""
    said, status = asyncio.run(_Terminal().run(sock))
    if said:
        sys.stdout.write(f"bastion: {plain(said)}\n")
        sys.stdout.flush()
    return status


class _Terminal:
    def __init__(self) -> None:
        self._reason = Buffer(multiline=False)
        self._link: Link | None = None

    async def run(self, sock: socket.socket) -> tuple[str, int]:
        loop, tasks = asyncio.get_running_loop(), Tasks()
        self._board = Board(loop.time, get_cwidth)
        self._app: Application[None] = Application(
            layout=self._layout(),
            key_bindings=self._keys(),
            style=STYLE,
            full_screen=True,
        )
        self._app.ttimeoutlen = 0.1  # after which Esc is Esc and not the begin of another key
        link = self._link = await Link.over(sock)
        loop.add_signal_handler(signal.SIGTERM, self._leave, HUNG_UP, 1)
        tasks.start(self._hear(link), "hear the bastion")
        tasks.start(self._go_on(), "let times go on")
        try:
            await self._app.run_async(handle_sigint=False)
        except EOFError:  # the terminal is gone
            return "", 1
        finally:
            link.close()
            await tasks.cancel()
        return self._board.over or (HUNG_UP, 1)

    async def _hear(self, link: Link) -> None:
        async for told in link.told():
            ring, answers = self._board.heard(told)
            link.say(answers)
            if ring:
                self._app.output.bell()
                self._app.output.flush()
            if self._board.answering is None and self._reason.text:
                self._reason.reset()
            if self._board.over is not None:
                break
            self._app.invalidate()
        self._leave(HUNG_UP, 1)

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._board.rests_s())
            self._app.invalidate()

    def _leave(self, said: str, status: int) -> None:
        self._board.over = self._board.over or (said, status)
        if self._app.is_running and not self._app.is_done:
            self._app.exit()

    def _layout(self) -> Layout:
        asking = Condition(lambda: self._board.answering is not None)
        board = Window(FormattedTextControl(self._drawn, focusable=True, show_cursor=False), wrap_lines=False)
        reason = Window(BufferControl(self._reason), height=1)
        asks = Window(
            FormattedTextControl(lambda: list(self._board.prompt())), height=1, dont_extend_width=True
        )
        keys = Window(FormattedTextControl(lambda: list(self._board.keys(self._cols))), height=1)
        return Layout(
            HSplit(
                [
                    board,
                    ConditionalContainer(VSplit([asks, reason]), filter=asking),
                    ConditionalContainer(keys, filter=~asking),
                ]
            ),
            focused_element=board,
        )

    @property
    def _cols(self) -> int:
        return self._app.output.get_size().columns

    def _drawn(self) -> StyleAndTextTuples:
        size = self._app.output.get_size()
        drawn: StyleAndTextTuples = []
        for at, row in enumerate(self._board.rows(size.columns, size.rows - 1)):
            drawn += [("", "\n"), *row] if at else row
        return drawn

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        asking = Condition(lambda: self._board.answering is not None)

        def begins(key: str, answering: Answering) -> None:
            @keys.add(key, filter=~asking)
            def _begin(event: KeyPressEvent) -> None:
                self._say(self._board.begin(answering))

        def moves(key: str, by: int) -> None:
            @keys.add(key, filter=~asking)
            def _move(event: KeyPressEvent) -> None:
                self._say(self._board.move(by))

        def scrolls(key: str, pages: float) -> None:
            @keys.add(key)
            def _scroll(event: KeyPressEvent) -> None:
                self._board.scroll(pages)

        begins("a", "approve")
        begins("s", "session")
        begins("d", "deny")
        for key, by in (("up", -1), ("k", -1), ("down", 1), ("j", 1), ("home", -100_000), ("end", 100_000)):
            moves(key, by)
        for key, pages in (("pageup", -1.0), ("pagedown", 1.0), ("c-b", -1.0), ("c-f", 1.0)):
            scrolls(key, pages)

        @keys.add(" ", filter=~asking)
        def _on(event: KeyPressEvent) -> None:
            self._board.scroll(1.0)

        @keys.add("enter", filter=asking)
        def _give(event: KeyPressEvent) -> None:
            self._say(self._board.give(self._reason.text[:MAX_REASON_CHARS]))

        @keys.add("escape", filter=asking)
        @keys.add("c-g", filter=asking)
        @keys.add("c-c")
        @keys.add("q", filter=~asking)
        @keys.add("c-d", filter=~asking)
        def _back(event: KeyPressEvent) -> None:
            self._say(self._board.leave())
            if self._board.over is not None:
                self._leave("", 0)

        return keys

    def _say(self, messages: list[dict[str, object]]) -> None:
        """Tell the bastion what a key has come to, and have keys go where they belong then."""
        if self._link is not None:
            self._link.say(messages)
        if self._board.answering is None:
            self._reason.reset()
        windows = list(self._app.layout.find_all_windows())
        self._app.layout.focus(self._reason if self._board.answering is not None else windows[0])
