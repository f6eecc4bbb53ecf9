"""A session that has ended is let go of in that moment, however it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bastion.inbox import Closed, Data, Exited
from bastion.metering import Meters
from bastion.session import Session
from recorder.store import Store
from tests.unit.bastion.let_go import gone, watched
from tests.unit.bastion.relay_ends import open_store
from tests.unit.bastion.test_session import ALLOW, EXEC, Scene


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


async def test_a_session_whose_command_has_ended_is_let_go_of(store: Store) -> None:
    with watched(Session, Meters) as kept:
        scene = Scene(store, (ALLOW,), 1 << 20)
        await scene.ask(EXEC)
        for item in (Data(b"out"), Exited(status=0), Closed()):
            scene.far.inbox.put(item)
        await scene.bot_ended()
        await scene.session.finish("done")
        await scene.over()
        assert len(kept) == 2
        del scene.session  # which knows the scene
        await gone(kept)


async def test_a_session_that_is_cut_short_is_let_go_of(store: Store) -> None:
    with watched(Session, Meters) as kept:
        scene = Scene(store, (ALLOW,), 1 << 20)
        await scene.ask(EXEC)
        scene.far.inbox.put(Data(b"out"))
        async with asyncio.timeout(10):
            while not scene.bot.out:
                await asyncio.sleep(0.005)
        await scene.session.finish("told to", tell=True)
        await scene.over()
        assert len(kept) == 2
        del scene.session
        await gone(kept)
