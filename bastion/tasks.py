"""Make tasks, and lose none: each belongs to a group that ends it, and a failure is told to the journal.

asyncio keeps only weak references to tasks and says nothing of a failure until collection; a bare create_task is
therefore banned, and this is the one place that makes them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("bastion.tasks")


class Tasks:
    """The running tasks of one owner."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str, *, awaited: bool = False) -> asyncio.Task[Any]:
        """Run a coroutine beside its owner; the owner's `cancel` ends it.

        The failure of an `awaited` task is for whoever awaits it, and is not told to the journal.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard if awaited else self._ended)
        return task

    async def cancel(self) -> None:
        """End all that still run, and wait until they have."""
        current = asyncio.current_task()
        running = [task for task in self._running if task is not current]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def wait(self) -> None:
        """Wait until all have ended by themselves."""
        while self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task %s failed: %s", task.get_name(), error, exc_info=error)
