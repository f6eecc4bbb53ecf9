"""Ask the supervisor's register from a worker.

In      questions, over the link
Out     its answers
Errors  StoreError when the supervisor is gone (law L2)
Holds   one question for each task that asks
"""

from __future__ import annotations

from bastion.register import Register
from bastion.workers.link import Link, Message
from bastion.workers.questions import Questions


class AskedRegister(Questions):
    """The register, as a worker sees it."""

    def __init__(self, link: Link) -> None:
        super().__init__(link, "ask")

    async def first_key(self, token: str, key: str, expires_at: int) -> str:
        return str(await self.ask("first_key", token, key, expires_at))

    async def may_ask(self, source: str) -> bool:
        return bool(await self.ask("may_ask", source))

    async def may_note(self, source: str, what: str) -> int | None:
        left_out = await self.ask("may_note", source, what)
        return None if left_out is None else int(left_out)


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
