"""A worker asks the supervisor's register, and gets no answer from nobody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bastion.register import ASK_BURST, OwnRegister
from bastion.workers.link import Link, Message, pair
from bastion.workers.register import AskedRegister, answer
from recorder.errors import StoreError

NOW = 1_700_000_000.0


@pytest.fixture
async def asked() -> Any:
    """Two workers' registers that ask one, and the links to it."""
    register = OwnRegister(lambda: NOW)
    made = [connected(register) for _ in range(2)]
    links, registers = [link for link, _one in made], [one for _link, one in made]
    yield registers, links
    for link in (*links, *(one._link for one in registers)):
        link.close()


def connected(register: OwnRegister) -> tuple[Link, AskedRegister]:
    """Return the supervisor's link to a worker, and that worker's register."""
    ours, theirs = pair()
    tasks: set[asyncio.Task[None]] = set()

    def hear(message: Message, _file: int | None) -> None:
        tasks.add(asyncio.get_running_loop().create_task(answer(register, link, message)))

    link = Link(ours, hear, lambda: None)
    worker = Link(theirs, lambda message, _file: asked.answered(message), lambda: None)
    asked = AskedRegister(worker)
    return link, asked


async def test_t16_the_first_key_is_the_same_for_all_workers(asked: Any) -> None:
    (one, two), _links = asked
    answers = await asyncio.gather(
        *(
            register.first_key("token", f"key-{number}", int(NOW) + 60)
            for number, register in enumerate((one, two) * 5)
        )
    )
    assert len(set(answers)) == 1


async def test_t20_a_source_has_one_measure_with_all_workers(asked: Any) -> None:
    (one, two), _links = asked
    passed = [await register.may_ask("192.0.2.7") for register in (one, two) * int(ASK_BURST)]
    assert passed.count(True) == ASK_BURST
    assert await two.may_note("192.0.2.7", "connection.refused") == 0
    assert await one.may_note("192.0.2.7", "connection.refused") is None


async def test_l2_without_a_supervisor_nothing_is_decided(asked: Any) -> None:
    (one, _two), links = asked
    asyncio.get_running_loop().remove_reader(links[0]._sock)
    waiting = asyncio.get_running_loop().create_task(one.first_key("token", "key", int(NOW) + 60))
    await asyncio.sleep(0.01)
    one.lost()
    with pytest.raises(StoreError, match="supervisor is gone"):
        await waiting
    with pytest.raises(StoreError, match="supervisor is gone"):
        await one.may_ask("192.0.2.7")
    assert one._asked == {}
