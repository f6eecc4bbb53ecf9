"""Keep a process that sends by Apprise, for one channel, while there is something to send.

In      deliveries; URLs, which are secret
Out     Outcome of each attempt
Holds   one process, killed if it takes longer than SEND_S, and ended when it has had nothing to do for IDLE_S
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from typing import Any

from bastion.environment import child_environment
from bastion.notices.courier import Outcome
from bastion.notices.outbox import Delivery

SEND_S = 45.0
IDLE_S = 120.0
ANSWER_BYTES = 64 * 1024
FAILED = Outcome(delivered=False, said="the process that sends by Apprise failed")


class AppriseCourier:
    """The way to the services of one channel."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = list(urls)
        self._taken: tuple[str, list[str]] = ("", [])  # the URLs that took a delivery already
        self._process: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None

    async def carry(self, delivery: Delivery, at: float) -> Outcome:
        if self._taken[0] != delivery.id:
            self._taken = (delivery.id, [])
        urls = [url for url in self._urls if url not in self._taken[1]]
        try:
            said = await self._ask({"urls": urls, "notice": delivery.notice.to_json()})
        except TimeoutError:
            return Outcome(delivered=False, said=f"did not answer within {SEND_S:g} s")
        if said is None:
            return FAILED
        self._taken[1].extend(url for url, taken in zip(urls, said["taken"], strict=True) if taken)
        return Outcome(delivered=all(said["taken"]), said=said["said"])

    async def unknown(self) -> list[int] | None:
        """Return which of the URLs, counted from 1, Apprise does not know; None if it cannot be asked."""
        try:
            said = await self._ask({"urls": self._urls, "check": True})
        except TimeoutError:
            return None
        return None if said is None else [int(at) for at in said["unknown"]]

    async def close(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any] | None:
        """Return what the process says, None if it ended without a word; raise TimeoutError, and then it is killed."""
        done = False
        try:
            async with asyncio.timeout(SEND_S):
                answer = await self._exchange(json.dumps(question).encode() + b"\n")
            done = answer is not None
            return answer
        finally:
            if not done:
                await self.close()
            else:
                self._rest_later()

    async def _exchange(self, line: bytes) -> dict[str, Any] | None:
        if self._idle is not None:
            self._idle.cancel()
        try:
            if self._process is None or self._process.returncode is not None:
                self._process = await _begin()
            stdin, stdout = self._process.stdin, self._process.stdout
            assert stdin is not None  # noqa: S101 - asked for below
            assert stdout is not None  # noqa: S101 - asked for below
            stdin.write(line)
            await stdin.drain()
            answered = await stdout.readline()
            said: dict[str, Any] | None = json.loads(answered) if answered else None
        except (OSError, ValueError):
            return None
        return said

    def _rest_later(self) -> None:
        """End the process by and by: with no more lines to come it leaves by itself."""

        def rest() -> None:
            process, self._process = self._process, None
            if process is not None and process.stdin is not None:
                process.stdin.close()

        self._idle = asyncio.get_running_loop().call_later(IDLE_S, rest)


async def _begin() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "bastion.adapters.apprise_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # a trace could have a URL in it
        start_new_session=True,
        limit=ANSWER_BYTES,
        env=child_environment(),
    )
