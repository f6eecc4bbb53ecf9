"""No task is lost, and none fails unseen."""

from __future__ import annotations

import asyncio

import pytest

from bastion.tasks import Tasks


async def test_cancel_ends_all_but_the_one_that_asks() -> None:
    tasks = Tasks()
    forever = tasks.start(asyncio.Event().wait(), "forever")

    async def ending() -> str:
        await tasks.cancel()
        return "still here"

    assert await tasks.start(ending(), "ending") == "still here"
    assert forever.cancelled()


async def test_a_failure_is_told_to_the_journal(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("broken")

    tasks = Tasks()
    tasks.start(fail(), "told")
    awaited = tasks.start(fail(), "awaited", awaited=True)
    await tasks.wait()
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="broken"):
        await awaited
    assert [record.getMessage() for record in caplog.records] == ["task told failed: broken"]
