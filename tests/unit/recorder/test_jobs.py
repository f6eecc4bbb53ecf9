"""What has become of jobs reaches the loop in order, all of it, and in turns."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recorder.jobs import TELL_S, Answers, Job, Landed


@pytest.fixture
async def answers() -> AsyncIterator[Answers]:
    made = Answers(asyncio.get_running_loop())
    yield made
    made.close()


def job(answers: Answers, landed: Landed | None = None) -> Job[Any]:
    future = asyncio.get_running_loop().create_future()
    return Job(lambda _: None, answers, future, lambda: None, lambda error: error, lambda: None, landed)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def from_a_thread(work: Any, *details: Any) -> None:
    thread = threading.Thread(target=work, args=details)
    thread.start()
    thread.join()


async def test_landed_comes_before_the_future_and_both_in_the_order_of_the_jobs(answers: Answers) -> None:
    told: list[str] = []
    jobs: list[Job[Any]] = []

    def landed(number: int) -> Landed:
        return lambda error: told.append(f"{number} {error} {[job.future.done() for job in jobs]}")

    jobs += [job(answers, landed(number)) for number in range(3)]
    from_a_thread(answers.give, [(jobs[0], "a", None)])
    from_a_thread(answers.give, [(jobs[1], None, ValueError("b")), (jobs[2], "c", None)])
    got = await asyncio.gather(*(job.future for job in jobs), return_exceptions=True)
    assert [str(value) for value in got] == ["a", "b", "c"]
    assert told == ["0 None [False, False, False]", "1 b [True, False, False]", "2 None [True, True, False]"]


async def test_what_nobody_waits_for_any_more_is_not_let_go_of(answers: Answers) -> None:
    told: list[Exception | None] = []
    one, other = job(answers, told.append), job(answers)
    one.future.cancel()
    answers.give([(one, 1, None), (other, 2, None)])
    assert await other.future == 2
    assert told == []


async def test_a_fault_in_landed_is_one_jobs_own(answers: Answers) -> None:
    heard: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: heard.append(context["exception"])
    )

    def bad(_error: Exception | None) -> None:
        raise KeyError("x")

    jobs = [job(answers, bad), job(answers)]
    answers.give([(job, None, None) for job in jobs])
    await asyncio.gather(*(job.future for job in jobs))
    assert [type(error) for error in heard] == [KeyError]


async def test_who_heard_of_a_failure_by_landed_need_not_wait_for_the_future(answers: Answers) -> None:
    heard: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))
    answers.give([(job(answers, lambda _error: None), None, ValueError("told"))])
    await asyncio.sleep(0.01)
    gc.collect()
    assert heard == []


async def test_l11_others_have_their_turn_while_many_answers_are_told(answers: Answers) -> None:
    steps: list[str] = []

    def slow(_error: Exception | None) -> None:
        time.sleep(TELL_S)
        steps.append("told")

    jobs = [job(answers, slow) for _ in range(3)]
    answers.give([(job, None, None) for job in jobs])
    while not jobs[-1].future.done():
        await asyncio.sleep(0)
        steps.append("another")
    turns = [step for step, before in zip(steps, ["", *steps], strict=False) if step != before]
    assert turns.count("told") == len(jobs)


async def test_what_is_given_at_the_end_and_after_it_is_told(answers: Answers) -> None:
    jobs = [job(answers) for _ in range(2)]
    answers.give([(jobs[0], 1, None)])
    from_a_thread(answers.close)
    assert await jobs[0].future == 1
    await asyncio.sleep(0)
    answers.give([(jobs[1], 2, None)])
    assert await jobs[1].future == 2


def test_a_loop_that_has_closed_is_not_told_and_nothing_is_left_open() -> None:
    async def begun() -> tuple[Answers, Job[Any]]:
        made = Answers(asyncio.get_running_loop())
        return made, job(made)

    before = open_files()
    answers, left = asyncio.run(begun())
    answers.give([(left, 1, None)])
    answers.close()
    answers.give([(left, 1, None)])
    assert not left.future.done()
    assert open_files() == before


async def test_l2_landed_may_end_whoever_waits_for_the_future(answers: Answers) -> None:
    """A relay that hears of a failed commit ends the tasks that wait for it: that is no fault of the loop's."""
    faults = list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
    failed = job(answers, landed=lambda _error: waits.cancel() and None)
    later = job(answers)

    async def wait() -> None:
        await failed.future

    waits = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    from_a_thread(answers.give, [(failed, None, OSError("no space")), (later, "done", None)])
    assert await later.future == "done"
    with pytest.raises(asyncio.CancelledError):
        await waits
    assert faults == []
