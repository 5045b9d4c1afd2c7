"""Places for calls: who waits, who goes before, and that a place is never lost."""

import asyncio
import time
from contextlib import ExitStack

import pytest

from tests.slots import holding
from vendors.calls import giving_way
from vendors.limiting import Budget, Limits


def budget(**limits: int) -> Budget:
    return Budget(Limits(max_concurrent=2, **limits), clock=time.monotonic, sleep=asyncio.sleep)


async def holder(of: Budget, entity: str | None, *, gives_way: bool = False) -> tuple[asyncio.Task[None], asyncio.Event]:
    """A call that holds its place until told, and who tells it; it has had every chance to get the place."""
    done = asyncio.Event()

    async def hold() -> None:
        with ExitStack() as stack:
            if gives_way:
                stack.enter_context(giving_way())
            async with holding(of.slot(entity)):
                held.set()
                await done.wait()

    held = asyncio.Event()
    task = asyncio.create_task(hold())
    for _ in range(10):
        await asyncio.sleep(0)
    task.set_name("holds" if held.is_set() else "waits")
    return task, done


@pytest.mark.parametrize("is_of_entity", [True, False])
async def test_no_more_calls_hold_a_place_than_there_are(is_of_entity: bool) -> None:  # noqa: FBT001
    of = budget(max_concurrent_per_entity=2)
    entity = "Deals" if is_of_entity else None
    calls = [await holder(of, entity) for _ in range(3)]
    assert [task.get_name() for task, _ in calls] == ["holds", "holds", "waits"]
    for _, done in calls:
        done.set()
    await asyncio.gather(*(task for task, _ in calls))


async def test_nobody_takes_the_place_of_who_waits_for_it() -> None:
    of = budget()
    slots = [of.slot(None) for _ in range(2)]
    assert [slot.take_now() for slot in slots] == [True, True]
    waiting, done = await holder(of, None)
    slots[0].leave()
    assert not of.slot(None).take_now()
    done.set()
    await waiting
    assert of.slot(None).take_now()


async def test_a_place_that_the_rate_denies_is_given_back() -> None:
    of = Budget(Limits(max_concurrent=1, calls_per_second=2.0, burst=1), clock=lambda: 0.0, sleep=asyncio.sleep)
    first, second, third = (of.slot(None) for _ in range(3))
    assert first.take_now()
    first.leave()
    assert not second.take_now()
    async with asyncio.timeout(10):
        await third.take()


async def test_an_entity_leaves_room_for_others() -> None:
    of = budget(max_concurrent_per_entity=1)
    calls = [await holder(of, entity) for entity in ("Deals", "Deals", "Users")]
    assert [task.get_name() for task, _ in calls] == ["holds", "waits", "holds"]
    for _, done in calls:
        done.set()
    await asyncio.gather(*(task for task, _ in calls))


async def test_calls_that_give_way_hold_half_of_the_places() -> None:
    of = budget()
    calls = [await holder(of, None, gives_way=gives_way) for gives_way in (True, True, False)]
    assert [task.get_name() for task, _ in calls] == ["holds", "waits", "holds"]
    for _, done in calls:
        done.set()
    await asyncio.gather(*(task for task, _ in calls))


@pytest.mark.parametrize("gives_way", [True, False])
async def test_who_leaves_while_waiting_takes_no_place_along(gives_way: bool) -> None:  # noqa: FBT001
    of = budget(max_concurrent_per_entity=1)
    first, first_done = await holder(of, None)
    second, second_done = await holder(of, None)
    # It holds the entity's only place, and those of who gives way, and waits for the last one.
    third, _ = await holder(of, "Deals", gives_way=gives_way)
    assert [task.get_name() for task in (first, second, third)] == ["holds", "holds", "waits"]
    third.cancel()
    await asyncio.wait([third])
    first_done.set()
    second_done.set()
    await asyncio.gather(first, second)
    last, last_done = await holder(of, "Deals", gives_way=gives_way)
    assert last.get_name() == "holds"
    last_done.set()
    await last


async def test_who_leaves_while_waiting_for_the_rate_has_called_nobody() -> None:
    waits: list[float] = []

    async def never(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.Event().wait()

    of = Budget(Limits(max_concurrent=2, calls_per_second=2.0, burst=1), clock=lambda: 0.0, sleep=never)
    await of.take_token()
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await of.take_token()

    assert waits == [0.5] * 5


async def test_who_gives_way_has_a_turn_though_others_never_stop() -> None:
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        while of.take_token_now():  # people take what there is
            pass
        await asyncio.sleep(0)

    of = Budget(Limits(max_concurrent=2, calls_per_second=2.0, burst=10), clock=lambda: now, sleep=sleep)
    while of.take_token_now():
        pass

    async with asyncio.timeout(5):
        with giving_way():
            await of.slot(None).take()

    assert 5.0 <= now <= 6.0
