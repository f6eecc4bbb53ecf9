"""Say who must know of sessions that are not sealed yet: whoever seals them if this process dies.

In      sessions that begin and are sealed
Out     Roll, which a worker is for its supervisor; NoRoll
"""

from __future__ import annotations

from typing import Protocol


class Roll(Protocol):
    """Whoever must know which sessions this process has not sealed yet."""

    async def enter(self, session: str) -> None:
        """Take note of a session before anything of it is on disk."""

    def leave(self, session: str) -> None:
        """Take note that nothing of a session is left to be sealed."""


class NoRoll:
    """For a process that serves alone: when it dies, all sessions are cut off."""

    async def enter(self, session: str) -> None:
        pass

    def leave(self, session: str) -> None:
        pass
