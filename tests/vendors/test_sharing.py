"""Work that several ask for at once: it is done once, for as long as somebody waits for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext

import pytest

from vendors.calls import (
    CallRecorder,
    Deadline,
    VendorCall,
    current_deadline,
    deadline_scope,
    giving_way,
    record_cache_hit,
    record_call,
    record_kept,
    recording,
    warn,
)
from vendors.errors import UnavailableError
from vendors.flight import Flights
from vendors.sharing import SharedReads


class Work:
    """Work that ends when it is told, and counts how often it was begun and given up."""

    def __init__(self) -> None:
        self.begun = 0
        self.given_up = 0
        self.done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> str:
        self.begun += 1
        try:
            return await asyncio.shield(self.done)
        except asyncio.CancelledError:
            self.given_up += 1
            raise


async def started(count: int, run: Callable[[], Awaitable[str]]) -> list[asyncio.Task[str]]:
    async def call() -> str:
        return await run()

    tasks = [asyncio.create_task(call()) for _ in range(count)]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_is_done_once_for_all() -> None:
    flights, work = Flights[str](), Work()
    tasks = await started(3, lambda: flights.run("a", work))
    other = await started(1, lambda: flights.run("b", work))
    work.done.set_result("found")
    assert await asyncio.gather(*tasks, *other) == ["found"] * 4
    assert work.begun == 2


async def test_is_begun_anew_by_who_asks_later() -> None:
    flights, work = Flights[str](), Work()
    work.done.set_result("found")
    assert [await flights.run("a", work) for _ in range(2)] == ["found"] * 2
    assert work.begun == 2


async def test_goes_on_when_one_of_those_who_wait_leaves() -> None:
    flights, work = Flights[str](), Work()
    first, second = await started(2, lambda: flights.run("a", work))
    first.cancel()
    await asyncio.wait([first])
    work.done.set_result("found")
    assert await second == "found"
    assert (work.begun, work.given_up, first.cancelled()) == (1, 0, True)


async def test_ends_with_the_last_one_who_waits() -> None:
    flights, work = Flights[str](), Work()
    tasks = await started(2, lambda: flights.run("a", work))
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert (work.begun, work.given_up) == (1, 1)
    later = (await started(1, lambda: flights.run("a", work)))[0]
    work.done.set_result("found")
    assert await later == "found"


async def test_fails_for_all_and_its_failure_is_not_kept() -> None:
    flights, work = Flights[str](), Work()
    tasks = await started(2, lambda: flights.run("a", work))
    error = UnavailableError("no answer", crm="main", operation="deals.list", status=None)
    work.done.set_exception(error)
    assert await asyncio.gather(*tasks, return_exceptions=True) == [error, error]
    work.done = asyncio.get_running_loop().create_future()
    work.done.set_result("found")
    assert await flights.run("a", work) == "found"


async def test_has_the_time_of_who_has_most() -> None:
    flights, seen = Flights[float](), list[float]()
    go_on = asyncio.Event()

    async def work() -> float:
        await go_on.wait()
        deadline = current_deadline()
        assert deadline is not None
        seen.append(deadline.at)
        return deadline.at

    async def ask(at: float) -> float:
        with deadline_scope(Deadline(at, lambda: 0.0)):
            return await flights.run("a", work)

    tasks = [asyncio.create_task(ask(at)) for at in (5.0, 9.0, 7.0)]
    await asyncio.sleep(0)
    go_on.set()
    assert await asyncio.gather(*tasks) == [9.0] * 3
    assert seen == [9.0]


async def test_has_the_time_of_who_has_most_also_within_other_work() -> None:
    outer, inner, go_on = Flights[str](), Flights[str](), asyncio.Event()

    async def work() -> str:
        await go_on.wait()
        deadline = current_deadline()
        assert deadline is not None
        return "found" if deadline.remaining() > 1 else "in a hurry"

    async def around() -> str:
        deadline = current_deadline()
        assert deadline is not None
        return await inner.run("b", work, seconds=deadline.remaining())

    async def ask(seconds: float) -> str:
        with deadline_scope(Deadline(time.monotonic() + seconds, time.monotonic)):
            return await outer.run("a", around, seconds=seconds)

    tasks = [*await started(1, lambda: ask(0.05)), *await started(1, lambda: ask(5.0))]  # the second comes when all has begun
    asyncio.get_running_loop().call_later(0.2, go_on.set)
    first, second = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(first, TimeoutError)
    assert second == "found"


class Layers:
    """Work within work, at one moment: for who has so many seconds."""

    def __init__(self) -> None:
        self.outer, self.inner = Flights[str](), Flights[str]()
        self.slow = asyncio.Event()
        self.ends: list[Deadline | None] = []

    async def linger(self) -> str:
        self.ends.append(current_deadline())
        await self.slow.wait()
        return "slow"

    async def hurry(self) -> str:
        return "quick"

    async def both(self) -> str:
        return "".join(await asyncio.gather(self.inner.run("slow", self.linger), self.inner.run("quick", self.hurry)))

    async def begun(self, seconds: float, run: Callable[[], Awaitable[str]]) -> asyncio.Task[str]:
        with deadline_scope(Deadline(seconds, lambda: 0.0)):
            (task,) = await started(1, run)
        return task


async def test_has_the_time_of_who_has_most_also_when_other_work_within_is_done() -> None:
    of = Layers()
    tasks = [await of.begun(seconds, lambda: of.outer.run("a", of.both)) for seconds in (1.0, 20.0)]
    assert [end and end.at for end in of.ends] == [20.0]
    of.slow.set()
    assert await asyncio.gather(*tasks) == ["slowquick"] * 2


async def test_has_the_time_of_who_has_most_also_of_those_who_joined_by_other_work() -> None:
    of = Layers()
    tasks = [await of.begun(1.0, lambda: of.inner.run("slow", of.linger))]
    tasks += [await of.begun(seconds, lambda: of.outer.run("a", of.both)) for seconds in (1.0, 20.0)]
    assert [end and end.at for end in of.ends] == [20.0]
    of.slow.set()
    assert await asyncio.gather(*tasks) == ["slow", "slowquick", "slowquick"]


async def test_hides_from_nobody_that_he_is_cancelled() -> None:
    stubborn = asyncio.Event()

    async def work() -> str:
        try:
            return await asyncio.Future()
        finally:
            await stubborn.wait()

    (task,) = await started(1, lambda: Flights[str]().run("a", work, seconds=0.0))
    await asyncio.sleep(0.01)  # his time is over, and he waits for the work to end
    task.cancel()

    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    stubborn.set()


async def test_is_waited_for_by_nobody_longer_than_he_has_time() -> None:
    flights, work = Flights[str](), Work()

    async def ask(seconds: float) -> str:
        with deadline_scope(Deadline(seconds, lambda: 0.0)):
            return await flights.run("a", work)

    (hurried,) = await started(1, lambda: ask(0.0))
    (patient,) = await started(1, lambda: ask(60.0))
    with pytest.raises(TimeoutError):
        await hurried
    work.done.set_result("found")
    assert await patient == "found"
    assert (work.begun, work.given_up) == (1, 0)


async def test_is_begun_anew_by_who_has_little_time_for_what_takes_long() -> None:
    flights, hanging, work = Flights[str](), Work(), Work()
    work.done.set_result("found")

    async def ask(seconds: float, what: Work) -> str:
        with deadline_scope(Deadline(seconds, lambda: 0.0)):
            return await flights.run("a", what)

    (first,) = await started(1, lambda: ask(60.0, hanging))
    assert await ask(1e-9, work) == "found"
    assert not first.done()
    hanging.done.set_result("found late")
    assert await first == "found late"
    assert (hanging.begun, work.begun) == (1, 1)


@pytest.mark.filterwarnings("error")
async def test_that_fails_with_nobody_waiting_says_nothing() -> None:
    flights = Flights[str]()

    async def work() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise UnavailableError("no answer", crm="main", operation="deals.list", status=None) from None
        return ""

    (task,) = await started(1, lambda: flights.run("a", work))
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


class TestSharedReads:
    async def read(self, reads: SharedReads, key: str, go_on: asyncio.Event, *, gives_way: bool = False) -> tuple[object, CallRecorder]:
        async def read() -> object:
            await go_on.wait()
            record_call(VendorCall(crm="main", operation="deals.list", status=200, seconds=0.1))
            record_cache_hit()
            record_kept(3.0)
            warn("main", "PERCENT_OUT_OF_RANGE", "The probability is 140.")
            return object()

        with recording(CallRecorder()) as recorder, giving_way() if gives_way else nullcontext():
            return await reads.run("Deal", lambda: key, read), recorder

    async def test_give_the_same_to_all_who_come_after_the_first_and_tell_all_what_is_odd(self) -> None:
        reads, go_on = SharedReads(), asyncio.Event()
        tasks = [asyncio.create_task(self.read(reads, "a", go_on)) for _ in range(4)]
        await asyncio.sleep(0)
        go_on.set()
        answers = await asyncio.gather(*tasks)
        assert len({id(found) for found, _ in answers[1:]}) == 1
        assert [len(recorder.calls) for _, recorder in answers] == [1, 1, 0, 0]
        assert [(len(recorder.warnings), recorder.cache_hits, recorder.kept_since) for _, recorder in answers] == [(1, 1, 3.0)] * 4

    async def test_are_not_shared_with_who_gives_way(self) -> None:
        reads, go_on = SharedReads(), asyncio.Event()
        tasks = [asyncio.create_task(self.read(reads, "a", go_on, gives_way=gives_way)) for gives_way in (False, True, False)]
        await asyncio.sleep(0)
        go_on.set()
        assert [len(recorder.calls) for _, recorder in await asyncio.gather(*tasks)] == [1, 1, 1]

    async def test_that_have_failed_leave_the_next_one_alone(self) -> None:
        reads = SharedReads()

        async def fail() -> None:
            raise UnavailableError("no answer", crm="main", operation="deals.list", status=None)

        for _ in range(2):
            with pytest.raises(UnavailableError):
                await reads.run("Deal", lambda: "a", fail)
