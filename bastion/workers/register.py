"""Ask the supervisor's register from a worker.

In      questions, over the link
Out     its answers
Errors  StoreError when the supervisor is gone (law L2)
Holds   one question for each task that asks
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from bastion.register import Register
from bastion.workers.link import Link, Message
from recorder.errors import StoreError


class AskedRegister:
    """The register, as a worker sees it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._lost = False

    async def first_key(self, token: str, key: str, expires_at: int) -> str:
        return str(await self._ask("first_key", token, key, expires_at))

    async def may_ask(self, source: str) -> bool:
        return bool(await self._ask("may_ask", source))

    async def may_note(self, source: str, what: str) -> int | None:
        left_out = await self._ask("may_note", source, what)
        return None if left_out is None else int(left_out)

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

    async def _ask(self, what: str, *words: Any) -> Any:
        if self._lost:
            raise _gone()
        number = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        try:
            self._link.send({"op": "ask", "question": number, "what": what, "words": words})
            return await future
        finally:
            del self._asked[number]


async def answer(register: Register, link: Link, message: Message) -> None:
    """Answer a worker's question."""
    words = message["words"]
    said: str | bool | int | None
    match message["what"]:
        case "first_key":
            said = await register.first_key(*words)
        case "may_ask":
            said = await register.may_ask(*words)
        case _:
            said = await register.may_note(*words)
    link.send({"op": "answer", "question": message["question"], "answer": said})


def _gone() -> StoreError:
    return StoreError("the bastion's supervisor is gone")
