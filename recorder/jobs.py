"""Say what a job for the writer thread is, and tell the event loop that waits for it what has become of it.

In      outcomes, from the threads that write and make safe
Out     `landed` called, then the future done, both on the loop and in the order of the jobs
Holds   the loop for TELL_S at a time, and one job's `landed` more (law L11)
Source  eventfd(2)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Landed = Callable[[Exception | None], None]
TELL_S = 0.002


@dataclass(slots=True)
class Job(Generic[T]):
    """One piece of work for a transaction, and who is to hear of it."""

    work: Callable[[Any], T]  # takes the store's Transaction
    answers: Answers
    future: asyncio.Future[T]
    undone: Callable[[], None]
    fault: Callable[[Exception], Exception]
    prepare: Callable[[], None]
    landed: Landed | None


Outcome = tuple[Job[Any], Any, Exception | None]


class Answers:
    """The way to one event loop, which one write wakes: there is no other callback between that and `landed`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to listen on the running loop."""
        self._loop = loop
        self._ready: deque[Outcome] = deque()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        loop.add_reader(self._bell, self._heard)

    def give(self, outcomes: list[Outcome]) -> None:
        """Let the loop hear of these jobs (from any thread); if it has closed, nobody waits for them any more."""
        self._ready.extend(outcomes)
        if self._bell >= 0:
            os.eventfd_write(self._bell, 1)
        else:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell)

    def close(self) -> None:
        """Tell what is there still, and listen no more (from any thread, when no other gives)."""
        try:
            self._loop.call_soon_threadsafe(self._close)
        except RuntimeError:  # the loop has closed
            self._hang_up()

    def _close(self) -> None:
        if self._bell >= 0:
            self._loop.remove_reader(self._bell)
        self._hang_up()
        self._tell()

    def _hang_up(self) -> None:
        bell, self._bell = self._bell, -1
        if bell >= 0:
            os.close(bell)

    def _heard(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        self._tell()

    def _tell(self) -> None:
        """Tell what has become of jobs, for a while; then others have their turn."""
        until_s = time.monotonic() + TELL_S
        try:
            while self._ready:
                _tell(*self._ready.popleft())
                if self._ready and time.monotonic() >= until_s:
                    break
        finally:
            if self._ready:
                self._loop.call_soon(self._tell)


def all_undone(jobs: list[Job[Any]], failure: Exception) -> list[Outcome]:
    """Undo jobs; return how they went."""
    for job in jobs:
        job.undone()
    return [(job, None, failure) for job in jobs]


def _tell(job: Job[Any], result: Any, error: Exception | None) -> None:
    if job.future.done():  # by whoever waited for it, and does no more
        return
    try:
        if job.landed is not None:
            job.landed(error)
    finally:
        if job.future.done():  # `landed` ended whoever waited for it
            pass
        elif error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)
            if job.landed is not None:
                job.future.exception()  # that was told: nobody need wait for the future as well
