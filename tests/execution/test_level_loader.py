"""A level of keys is one wait, and shares everything with single loads.

One file, because all of it is about one class, over one source that tells what it was asked.
"""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from resolvers.loaders.level import LevelLoader, Wait


class Source:
    """Answers batches of keys with `v<key>`, when it is let; keys of `errors` fail alone."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.errors: set[Any] = set()
        self.failure: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.reply: Callable[[list[Any]], Any] = lambda keys: [f"v{key}" for key in keys]

    async def __call__(self, keys: list[Any]) -> list[Any]:
        self.batches.append(keys)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        values: Any = self.reply(keys)
        return [LookupError(f"no {key}") if key in self.errors else value for key, value in zip(keys, values, strict=False)]


@pytest.fixture
def source() -> Source:
    return Source()


def loader_of(source: Source, **options: Any) -> LevelLoader[Any, Any]:
    return LevelLoader(source.__call__, **options)


def shown(level: dict[Any, Any]) -> dict[Any, Any]:
    return {key: str(value) if isinstance(value, Exception) else value for key, value in level.items()}


def told(wait: object) -> list[Any]:
    """What who waits for a part is told, as it is told."""
    assert isinstance(wait, Wait)
    heard: list[Any] = []
    wait.then = heard.append
    return heard


async def ticks(number: int = 6) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_level_is_one_batch_with_the_keys_in_order(source: Source) -> None:
    loader = loader_of(source)

    assert await loader.load_level([3, 1, 2]) == {3: "v3", 1: "v1", 2: "v2"}
    assert source.batches == [[3, 1, 2]]


async def test_levels_and_loads_of_one_tick_are_one_batch(source: Source) -> None:
    loader = loader_of(source)

    first, second, single = loader.load_level([1, 2]), loader.load_level([2, 3]), loader.load(4)

    assert await first == {1: "v1", 2: "v2"}
    assert await second == {2: "v2", 3: "v3"}
    assert await single == "v4"
    assert source.batches == [[1, 2, 3, 4]]


async def test_parts_of_a_level_are_what_is_known_and_each_batch(source: Source) -> None:
    loader = loader_of(source)
    await loader.load_level([1, 2])
    source.gate = asyncio.Event()
    sent = loader.load(3)
    await ticks()
    unsent = loader.load(5)

    (known, there), (of_sent, first), (of_unsent, second) = loader.load_parts([3, 4, 1, 2, 5])

    assert (known, there) == ([1, 2], {1: "v1", 2: "v2"})
    assert (of_sent, of_unsent) == ([3], [4, 5])
    heard, later = told(first), told(second)
    source.gate.set()
    assert (await sent, await unsent) == ("v3", "v5")
    assert (heard, later) == ([{3: "v3"}], [{4: "v4", 5: "v5"}])
    assert source.batches == [[1, 2], [3], [5, 4]]


async def test_chunks_that_end_in_another_order_leave_the_order_of_keys(source: Source) -> None:
    first, second = asyncio.Event(), asyncio.Event()

    async def batch(keys: list[Any]) -> list[Any]:
        await (first if 1 in keys else second).wait()
        return await source(keys)

    loader: LevelLoader[int, str] = LevelLoader(batch, max_batch_size=2)
    level = loader.load_level([1, 2, 3])
    second.set()
    await ticks()
    first.set()

    assert list((await level).items()) == [(1, "v1"), (2, "v2"), (3, "v3")]
    assert source.batches == [[3], [1, 2]]


async def test_a_batch_function_may_tell_values_by_key(source: Source) -> None:
    source.reply = lambda keys: {key: f"v{key}" for key in reversed(keys) if key != 2}

    async def batch(keys: list[Any]) -> Any:
        await source(keys)
        return source.reply(keys)

    plain: LevelLoader[int, str] = LevelLoader(batch)
    assert list((await plain.load_level([1, 2, 3])).items()) == [(1, "v1"), (2, None), (3, "v3")]
    by_text: LevelLoader[int, str] = LevelLoader(batch, get_cache_key=str)
    assert list((await by_text.load_level([3, 1])).items()) == [(3, "v3"), (1, "v1")]
    assert list((await by_text.load_level([1, 4])).items()) == [(1, "v1"), (4, "v4")]


async def test_a_dict_that_a_batch_function_gives_stays_as_it_is(source: Source) -> None:
    given = {1: "v1", 2: "v2"}

    async def batch(keys: list[Any]) -> Any:
        await source(keys)
        return given if keys == [1, 2] else {key: f"v{key}" for key in keys}

    loader: LevelLoader[int, str] = LevelLoader(batch)
    await loader.load_level([1, 2])
    await loader.load_level([3])
    loader.clear(1)

    assert given == {1: "v1", 2: "v2"}


async def test_a_level_of_which_nothing_is_known_or_asked_for_has_one_part(source: Source) -> None:
    ((keys, found),) = loader_of(source).load_parts([2, 1])
    heard = told(found)
    await ticks()

    assert keys == [2, 1]
    assert heard == [{2: "v2", 1: "v1"}]


async def test_a_level_without_keys_has_no_parts(source: Source) -> None:
    assert loader_of(source).load_parts([]) == []


async def test_who_waits_for_a_part_is_told_once_when_its_batch_is_cancelled(source: Source) -> None:
    source.gate = asyncio.Event()
    loader = loader_of(source, max_batch_size=1)
    ((_, found),) = loader.load_parts([2, 1])
    heard = told(found)
    await ticks()
    first, second = (task for task in asyncio.all_tasks() if task.get_name() == "a batch")
    first.cancel()
    await ticks()
    second.cancel()
    await asyncio.wait({first, second})

    assert heard == [None]


async def test_what_a_level_loaded_a_single_load_knows(source: Source) -> None:
    loader = loader_of(source)
    source.errors.add(2)

    await loader.load_level([1, 2])

    assert await loader.load(1) == "v1"
    with pytest.raises(LookupError, match="no 2"):
        await loader.load(2)
    assert source.batches == [[1, 2]]


async def test_what_a_single_load_loaded_a_level_knows(source: Source) -> None:
    loader = loader_of(source)
    source.errors.add(2)
    await loader.load(1)
    with pytest.raises(LookupError):
        await loader.load(2)

    level = loader.load_level([1, 2])

    assert level.done()
    assert shown(level.result()) == {1: "v1", 2: "no 2"}
    assert source.batches == [[1], [2]]


async def test_a_level_joins_what_is_under_way(source: Source) -> None:
    loader = loader_of(source)
    source.gate = asyncio.Event()
    single, level = loader.load(1), loader.load_level([2])
    await ticks()

    late_level, late_single = loader.load_level([1, 2, 3]), loader.load(2)
    await ticks()
    source.gate.set()

    assert await late_level == {1: "v1", 2: "v2", 3: "v3"}
    assert (await single, await level, await late_single) == ("v1", {2: "v2"}, "v2")
    assert source.batches == [[1, 2], [3]]


async def test_one_failed_key_fails_nobody_else(source: Source) -> None:
    loader = loader_of(source)
    source.errors = {2}

    assert shown(await loader.load_level([1, 2, 3])) == {1: "v1", 2: "no 2", 3: "v3"}


async def test_a_failed_batch_fails_its_keys_and_is_asked_again_later(source: Source) -> None:
    loader = loader_of(source)
    source.failure = OSError("gone")
    level, single = loader.load_level([1, 2]), loader.load(3)

    assert shown(await level) == {1: "gone", 2: "gone"}
    with pytest.raises(OSError, match="gone"):
        await single

    source.failure = None
    assert await loader.load_level([1, 3]) == {1: "v1", 3: "v3"}
    assert source.batches == [[1, 2, 3], [1, 3]]


@pytest.mark.parametrize("reply", [["one"], ["one", "two", "three"], None])
async def test_an_answer_of_another_length_fails_the_batch(reply: list[str] | None) -> None:
    async def batch(keys: list[Any]) -> Any:
        del keys
        return reply

    loader: LevelLoader[Any, Any] = LevelLoader(batch)

    level = await loader.load_level([1, 2])

    assert {type(value) for value in level.values()} == {TypeError}


async def test_a_batch_keeps_to_its_maximum(source: Source) -> None:
    loader = loader_of(source, max_batch_size=2)

    assert await loader.load_level([1, 2, 3, 4, 5]) == {key: f"v{key}" for key in range(1, 6)}
    assert source.batches == [[1, 2], [3, 4], [5]]


async def test_without_batching_every_key_is_asked_for_alone(source: Source) -> None:
    loader = loader_of(source, batch=False)

    assert await loader.load_level([1, 2]) == {1: "v1", 2: "v2"}
    assert source.batches == [[1], [2]]


async def test_without_a_cache_every_level_asks(source: Source) -> None:
    loader = loader_of(source, cache=False)
    loader.prime(1, "primed")

    assert await loader.load_level([1, 2]) == {1: "v1", 2: "v2"}
    assert await loader.load_level([1]) == {1: "v1"}
    assert await loader.load(1) == "v1"
    assert source.batches == [[1, 2], [1], [1]]


async def test_keys_that_mean_the_same_are_asked_for_once(source: Source) -> None:
    loader = loader_of(source, get_cache_key=str.lower)

    assert await loader.load_level(["A", "a", "b"]) == {"A": "vA", "a": "vA", "b": "vb"}
    assert await loader.load("B") == "vb"
    assert source.batches == [["A", "b"]]


async def test_a_primed_key_is_known_and_a_known_key_is_not_primed(source: Source) -> None:
    loader = loader_of(source)
    loader.prime(1, "primed").prime(1, "again")
    loader.prime(2, LookupError("not there"))

    assert shown(await loader.load_level([1, 2])) == {1: "primed", 2: "not there"}
    assert await loader.load(1) == "primed"
    assert source.batches == []


async def test_a_key_under_way_is_not_primed(source: Source) -> None:
    loader = loader_of(source)
    level = loader.load_level([1])

    loader.prime(1, "primed")

    assert await level == {1: "v1"}


async def test_a_cleared_key_is_asked_for_again(source: Source) -> None:
    loader = loader_of(source)
    await loader.load_level([1, 2])

    loader.clear(1)

    assert await loader.load_level([1, 2]) == {1: "v1", 2: "v2"}
    loader.clear_all()
    assert await loader.load(2) == "v2"
    assert source.batches == [[1, 2], [1], [2]]


@pytest.mark.parametrize("everything", [True, False])
async def test_a_key_cleared_under_way_is_answered_but_not_kept(source: Source, everything: bool) -> None:  # noqa: FBT001
    loader = loader_of(source)
    source.gate = asyncio.Event()
    before = loader.load_level([1, 2])
    await ticks()

    if everything:
        loader.clear_all()
    else:
        loader.clear(1)
    source.reply = lambda keys: [f"new{key}" for key in keys]
    after = loader.load_level([1])
    await ticks()
    source.reply = lambda keys: ["new1"] if keys == [1] else ["v1", "v2"]
    source.gate.set()

    assert await before == {1: "v1", 2: "v2"}
    assert await after == {1: "new1"}
    assert await loader.load(1) == "new1"


async def test_a_cancelled_waiter_cancels_nothing_that_others_wait_for(source: Source) -> None:
    loader = loader_of(source)
    source.gate = asyncio.Event()

    async def wait_for(future: "asyncio.Future[Any]") -> Any:
        return await future

    leaving = [asyncio.create_task(wait_for(loader.load_level([1, 2]))), asyncio.create_task(wait_for(loader.load(1)))]
    staying = asyncio.create_task(wait_for(loader.load_level([1, 2]))), asyncio.create_task(wait_for(loader.load(1)))
    await ticks()
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    source.gate.set()

    assert await staying[0] == {1: "v1", 2: "v2"}
    assert await staying[1] == "v1"
    assert all(task.cancelled() for task in leaving)
    assert await loader.load(2) == "v2"
    assert source.batches == [[1, 2]]


async def test_errors_that_nobody_looks_at_are_no_complaint(source: Source) -> None:
    loader = loader_of(source)
    source.errors = {1, 2}
    loader.load(1)
    loader.load_level([2])
    loader.prime(3, LookupError("x"))
    loader.load(3)

    await ticks(10)

    assert source.batches == [[1, 2]]


async def test_a_batch_that_is_cancelled_ends_its_waits(source: Source) -> None:
    loader = loader_of(source)
    source.gate = asyncio.Event()
    level, single = loader.load_level([1]), loader.load(2)
    await ticks()
    batch = next(task for task in asyncio.all_tasks() if task is not asyncio.current_task())

    batch.cancel()
    await ticks()

    assert level.cancelled()
    assert single.cancelled()
    source.gate.set()
    assert await loader.load_level([1, 2]) == {1: "v1", 2: "v2"}


async def test_no_key_is_a_mistake(source: Source) -> None:
    with pytest.raises(TypeError, match="called with a value"):
        loader_of(source).load(None)


async def test_an_empty_level_asks_nobody(source: Source) -> None:
    assert await loader_of(source).load_level([]) == {}
    assert source.batches == []


async def test_a_batch_runs_in_the_context_of_who_asked_first() -> None:
    who: ContextVar[str] = ContextVar("who")
    seen: list[tuple[str, str]] = []

    class Loader(LevelLoader[str, str]):
        async def batch_load_fn(self, keys: list[str]) -> list[str]:
            seen.extend((key, who.get()) for key in keys)
            return keys

    async def ask(name: str, *, at_most: int | None) -> None:
        who.set(name)
        await Loader(max_batch_size=at_most).load_level([f"{name}1", f"{name}2"])

    await asyncio.gather(ask("a", at_most=None), ask("b", at_most=None), ask("c", at_most=1))  # all of them in one tick

    assert sorted(seen) == [(f"{name}{number}", name) for name in "abc" for number in "12"]


def test_loaders_of_a_loop_that_ended_before_it_sent_keep_nobody_waiting() -> None:
    class Loader(LevelLoader[str, str]):
        async def batch_load_fn(self, keys: list[str]) -> list[str]:
            return keys

    async def ask() -> "asyncio.Future[str]":
        return Loader().load("a")

    async def ask_and_wait() -> str:
        return await Loader().load("b")

    loop = asyncio.new_event_loop()
    left = loop.run_until_complete(ask())
    loop.close()

    assert asyncio.run(ask_and_wait()) == "b"
    assert not left.done()


@pytest.mark.parametrize("forgets", ["one", "all"])
async def test_a_level_holds_what_was_known_when_it_was_asked_for(source: Source, forgets: str) -> None:
    loader = loader_of(source)
    await loader.load(1)
    level = loader.load_level([1, 2])
    if forgets == "one":
        loader.clear(1)
    else:
        loader.clear_all()
    async with asyncio.timeout(60):
        assert shown(await level) == {1: "v1", 2: "v2"}


async def test_a_key_whose_part_of_a_batch_has_failed_is_asked_anew(source: Source) -> None:
    loader = loader_of(source, max_batch_size=1)
    source.failure = LookupError("nothing today")
    second = asyncio.Event()

    async def wait(keys: list[Any]) -> list[Any]:
        if keys == [2]:
            await second.wait()
        return await source(keys)

    loader.batch_load_fn = wait
    level = loader.load_level([1, 2])
    await ticks()
    source.failure = None
    async with asyncio.timeout(60):
        assert await loader.load(1) == "v1"
    second.set()
    assert shown(await level) == {1: "nothing today", 2: "v2"}
