"""A slow callback is told by its name, and what it was called with stays out of the table."""

from __future__ import annotations

import asyncio
from functools import partial

from tests.bench.launcher import name_of

SECRET = b"what a session said"


def send(*_values: object) -> None:
    """Be called."""


async def inner() -> None:
    await asyncio.Event().wait()


async def outer(*_values: object) -> None:
    await inner()


async def test_functions_and_partials_have_the_name_of_the_function() -> None:
    loop = asyncio.get_running_loop()
    for callback in (send, partial(send, SECRET), partial(partial(send, SECRET), SECRET)):
        handle = loop.call_soon(callback, SECRET)
        assert name_of(handle) == "send"


async def test_a_task_has_the_names_of_its_coroutine_and_of_what_that_awaits() -> None:
    loop = asyncio.get_running_loop()
    task = loop.create_task(outer(SECRET))
    await asyncio.sleep(0)
    handle = loop.call_soon(task.cancel)  # a method of the task, as its steps are
    assert name_of(handle) == "outer > inner > Event.wait"


async def test_an_object_without_a_name_has_that_of_its_type() -> None:
    class Callback:
        def __call__(self) -> None: ...

        def __repr__(self) -> str:
            return SECRET.decode()

    name = name_of(asyncio.get_running_loop().call_soon(Callback()))
    assert name.endswith("Callback")
    assert SECRET.decode() not in name
