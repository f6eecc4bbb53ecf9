"""Ask the supervisor from a worker, and wait for what it answers.

In      questions, over the link
Out     its answers
Errors  StoreError when the supervisor is gone (law L2)
Holds   one question for each task that asks
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from bastion.workers.link import Link, Message
from recorder.errors import StoreError


class Questions:
    """The questions of one kind (`op`) that a worker has asked."""

    def __init__(self, link: Link, op: str) -> None:
        self._link = link
        self._op = op
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._lost = False

    def answered(self, message: Message) -> None:
        """Take an answer in."""
        future = self._asked.get(message["question"])
        if future is not None and not future.done():
            future.set_result(message["answer"])

    def lost(self) -> None:
        """Take note that no more answers come."""
        self._lost = True
        for future in self._asked.values():
            if not future.done():
                future.set_exception(_gone())

    async def ask(self, what: str, *words: Any) -> Any:
        """Return the answer; raise StoreError."""
        if self._lost:
            raise _gone()
        number = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        try:
            self._link.send({"op": self._op, "question": number, "what": what, "words": words})
            return await future
        finally:
            del self._asked[number]


def _gone() -> StoreError:
    return StoreError("the bastion's supervisor is gone")
