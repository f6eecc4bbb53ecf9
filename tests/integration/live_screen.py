"""Look at a live screen as a person does: what ssh draws on a terminal, as a grid of characters.

In      a terminal with ssh in it
Out     the rows that are seen, and bells
"""

from __future__ import annotations

from typing import Any

import pyte

from tests.integration.conftest import World
from tests.integration.jump_terminal import Terminal
from tests.patience import looks


class Grid(pyte.Screen):
    """A grid of characters that counts bells."""

    bells = 0

    def bell(self, *_args: Any) -> None:
        self.bells += 1


class Looking(Terminal):
    """Somebody at a terminal with the live screen."""

    def __init__(self, world: World, *words: str, rows: int = 24, cols: int = 80) -> None:
        super().__init__(world, *words, rows=rows, cols=cols)
        self.grid = Grid(cols, rows)
        self._stream = pyte.ByteStream(self.grid)

    def resize(self, rows: int, cols: int) -> None:
        super().resize(rows, cols)
        if hasattr(self, "grid"):
            self.grid.resize(rows, cols)

    def look(self) -> list[str]:
        """Return the rows as they are now."""
        self._read(0.1)
        self._stream.feed(self.shown)
        self.shown = b""
        return [row.rstrip() for row in self.grid.display]

    def sees(self, *texts: str, never: tuple[str, ...] = ()) -> str:
        """Look until all of these are seen, and none of the others; return the screen."""
        screen = ""
        for _ in looks(20, 0):
            screen = "\n".join(self.look())
            if all(text in screen for text in texts) and not any(text in screen for text in never):
                return screen
        raise AssertionError(f"{texts} not seen, or one of {never}, but:\n{screen}")


def approvals(world: World, name: str, rows: int = 24, cols: int = 80) -> Looking:
    """Open the live screen as a person, over SSH."""
    return Looking(
        world, "ssh", "-F", f"ssh_config.{name}", "-t", "bastion", "approvals", rows=rows, cols=cols
    )
