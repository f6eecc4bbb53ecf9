"""Serve what people type to the running bastion itself: one tree of commands, whatever door they come by.

In      words, split already; who types them; where to write
Out     text; an exit status: 0 done, 1 without effect, 2 not understood, 126 not allowed
Errors  none to the door: each is a line
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Sequence
from typing import NoReturn, Protocol

from bastion.errors import Refused
from bastion.holds.callers import Caller
from recorder.errors import RecorderError
from recorder.terminal import plain


class Live(Protocol):
    """A live screen before somebody: lines to and from what draws it; `gone` is set when they have left."""

    gone: asyncio.Event
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def end(self) -> int:
        """Take the screen away, and return its exit status."""


class Screen(Protocol):
    """Where somebody reads; `gone` is set when they have left."""

    gone: asyncio.Event

    async def write(self, text: str, *, error: bool = False) -> None: ...

    async def live(self) -> Live | None:
        """Put a live screen before them, if they have a terminal; raise NotAllowed if there are too many."""


class Usage(Exception):
    """The words are not understood; the text says how they should be."""


class NotAllowed(Exception):
    """The caller may not even look."""


class Parser(argparse.ArgumentParser):
    """A parser that prints nothing and ends nothing; raise Usage."""

    def error(self, message: str) -> NoReturn:
        raise Usage(f"{message}\n{self.format_usage().rstrip()}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise Usage(message or "")


class Part(Protocol):
    """Commands that belong together."""

    @property
    def commands(self) -> Sequence[str]:
        """Return the first words of its commands."""

    async def serve(self, caller: Caller, words: Sequence[str], screen: Screen) -> int:
        """Run one of the commands, and return its exit status."""


class Tree:
    """All commands that the running bastion serves by itself."""

    def __init__(self, *parts: Part) -> None:
        self._parts = {command: part for part in parts for command in part.commands}

    @property
    def commands(self) -> tuple[str, ...]:
        return tuple(self._parts)

    async def serve(self, caller: Caller, words: Sequence[str], screen: Screen) -> int:
        """Run one command, and return its exit status."""
        part = self._parts.get(words[0]) if words else None
        if part is None:
            return await answered(_unknown(self.commands), screen)
        return await part.serve(caller, words, screen)


async def _unknown(commands: Sequence[str]) -> int:
    raise Usage(f"no such command; there are: {', '.join(commands)}")


async def answered(work: Awaitable[int], screen: Screen) -> int:
    """Return the exit status of a command, and tell what went wrong with it."""
    try:
        return await work
    except Usage as error:
        said, _, usage = str(error).partition("\n")
        await screen.write(f"bastion: {plain(said)}\n", error=True)
        await screen.write(f"{usage}\n" if usage else "", error=True)
        return 2
    except NotAllowed as error:
        await screen.write(f"bastion: {plain(str(error))}\n", error=True)
        return 126
    except (Refused, RecorderError) as error:
        await screen.write(f"bastion: {plain(error.public)}\n", error=True)
        return 1
