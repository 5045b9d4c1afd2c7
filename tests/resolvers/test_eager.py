"""A coroutine that has nothing to wait for is over at once; any other one goes on as if a task had run it from the beginning."""

import asyncio
from contextvars import ContextVar

import pytest

from resolvers.eager import begun

WHOSE: ContextVar[str] = ContextVar("whose", default="the caller's")


async def test_what_waits_for_nothing_is_there_at_once() -> None:
    async def work() -> str:
        WHOSE.set("its own")
        return WHOSE.get()

    assert begun(work()) == "its own"
    assert WHOSE.get() == "the caller's"


async def test_what_fails_at_once_raises_at_once() -> None:
    async def work() -> str:
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        begun(work())


async def test_what_waits_goes_on_in_a_task_and_in_its_context() -> None:
    gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> list[str]:
        WHOSE.set("its own")
        first = await gate
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        return [first, WHOSE.get()]

    task = begun(work())
    assert isinstance(task, asyncio.Task)
    await asyncio.sleep(0)
    assert not task.done()
    assert WHOSE.get() == "the caller's"
    gate.set_result("given")

    assert await task == ["given", "its own"]


async def test_a_failure_that_is_awaited_can_be_caught_by_who_awaits_it() -> None:
    gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        try:
            return await gate
        except LookupError as error:
            await asyncio.sleep(0)
            return f"caught: {error}"

    task = begun(work())
    assert isinstance(task, asyncio.Task)
    await asyncio.sleep(0)
    gate.set_exception(LookupError("gone"))

    assert await task == "caught: gone"


async def test_others_may_await_the_same() -> None:
    gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        return await gate

    tasks = [begun(work()), asyncio.create_task(work()), begun(work())]
    asyncio.get_running_loop().call_soon(gate.set_result, "given")

    assert await asyncio.gather(*tasks) == ["given"] * 3  # type: ignore[arg-type]  # none of them is over at once


@pytest.mark.parametrize("ticks", range(4))
async def test_cancelling_reaches_what_is_awaited(ticks: int) -> None:
    ended: list[str] = []
    inner: list[asyncio.Task[None]] = []

    async def slow() -> None:
        await asyncio.Event().wait()

    async def work() -> None:
        inner.append(asyncio.create_task(slow()))
        try:
            await asyncio.gather(*inner)
        finally:
            ended.append("tidied up")

    task = begun(work())
    assert isinstance(task, asyncio.Task)
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert inner[0].cancelled()
    assert ended == ["tidied up"]


async def test_cancelling_what_only_lets_others_go_first_ends_it() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            ended.append("tidied up")

    task = begun(work())
    assert isinstance(task, asyncio.Task)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["tidied up"]
