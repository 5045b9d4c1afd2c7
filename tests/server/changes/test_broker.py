"""Who follows gets every event once and in order, whenever it comes, and whatever others do."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from resolvers.changes import ChangeCriteria, ChangeEvent, position_of
from resolvers.errors import UserError
from server.changes.broker import Broker
from server.changes.store import ChangeStore
from tests.server.changes.test_snapshot import NOON
from tests.server.changes.test_store import move
from tests.server.changes.watchtower import CURSORS
from vendors.errors import ErrorCode
from vendors.model import Ref

ALL = ChangeCriteria(crms=frozenset({"dach", "nordic"}))
MOST = 5


class Log:
    """A log that is written to."""

    def __init__(self, store: ChangeStore) -> None:
        self.store = store
        self.now = 0.0
        self.broker = Broker(store, CURSORS, most_waiting=MOST, lag_seconds=30, clock=lambda: self.now)
        self.count = 0

    async def grow(self, count: int = 1, *, crm: str = "dach", local_id: str = "7") -> None:
        moves = [move(self.count + number, crm=crm, local_id=local_id) for number in range(count)]
        self.count += count
        await self.broker.publish(await self.store.append(moves, crm=crm))

    async def grow_slowly(self, count: int) -> None:
        for _ in range(count):
            await self.grow()


@pytest.fixture
async def log(tmp_path: Path) -> AsyncGenerator[Log, None]:
    store = ChangeStore(tmp_path)
    yield Log(store)
    store.close()


async def taken(events: AsyncGenerator[ChangeEvent, None], count: int) -> Sequence[int]:
    """The places of the next events."""
    async with asyncio.timeout(60):
        return [(await anext(events)).sequence for _ in range(count)]


async def test_without_a_position_only_what_comes_is_told(log: Log) -> None:
    await log.grow(3)
    async with aclosing(log.broker.follow(None, ALL)) as events:
        first = asyncio.create_task(taken(events, 2))
        await asyncio.sleep(0)
        await log.grow(2)
        assert await first == [4, 5]


async def test_what_was_before_is_told_first_and_nothing_is_lost_between(log: Log) -> None:
    """Events are written while the old ones are replayed, at every point of it."""
    await log.grow(4_000)
    writing = asyncio.create_task(log.grow_slowly(40))
    async with aclosing(log.broker.follow(100, ALL)) as events:
        found = await taken(events, 3_940)
    await writing
    assert found == list(range(101, 4_041))


async def test_only_what_is_wanted_is_told_of_old_and_of_new(log: Log) -> None:
    wanted = ChangeCriteria(crms=frozenset({"dach"}), opportunities=frozenset({Ref("dach", "8")}), only_moves=True)
    await log.grow(2)
    await log.grow(local_id="8")
    await log.grow(crm="nordic", local_id="8")
    async with aclosing(log.broker.follow(0, wanted)) as events:
        assert await taken(events, 1) == [3]
        later = asyncio.create_task(taken(events, 1))
        await asyncio.sleep(0)
        await log.grow(2 * MOST)
        await log.grow(local_id="8")
        assert await later == [5 + 2 * MOST], "what is not wanted takes no room in the queue"


@pytest.mark.parametrize("side", ["pipelines", "stages", "owners"])
def test_an_event_belongs_to_where_it_leaves_and_where_it_goes(side: str) -> None:
    event = move(4).event
    assert event is not None
    ids = {"pipelines": ["p1"], "stages": ["s4", "s5"], "owners": ["u1"]}[side]
    for local_id in ids:
        assert ChangeCriteria(crms=frozenset({"dach"}), **{side: frozenset({Ref("dach", local_id)})}).matches(event)  # type: ignore[arg-type]
    for ref in (Ref("dach", "other"), Ref("nordic", ids[0])):
        assert not ChangeCriteria(crms=frozenset({"dach"}), **{side: frozenset({ref})}).matches(event)  # type: ignore[arg-type]
    assert not ChangeCriteria(crms=frozenset({"dach"}), **{side: frozenset()}).matches(event)  # type: ignore[arg-type]


async def test_a_burst_is_no_lag(log: Log) -> None:
    async with aclosing(log.broker.follow(None, ALL)) as events:
        found = asyncio.create_task(taken(events, 10 * MOST + 1))
        await asyncio.sleep(0)
        await log.grow(10 * MOST)
        await log.grow(1)
        assert await found == list(range(1, 10 * MOST + 2))


async def test_who_is_too_slow_for_long_is_told_where_to_go_on_and_loses_nothing(log: Log) -> None:
    events, others = log.broker.follow(None, ALL), log.broker.follow(None, ALL)
    quick = asyncio.create_task(taken(others, MOST + 3))
    first = asyncio.create_task(taken(events, 1))
    await asyncio.sleep(0)
    await log.grow(1)
    assert await first == [1]
    for _ in range(MOST + 2):
        log.now += 10
        await log.grow(1)
    with pytest.raises(UserError) as raised:
        await taken(events, 1)
    assert raised.value.code is ErrorCode.SUBSCRIBER_LAGGED
    cursor = str(raised.value.extensions["cursor"])
    assert cursor in raised.value.message
    assert await quick == list(range(1, MOST + 4)), "nobody else notices"
    async with aclosing(log.broker.follow(position_of(CURSORS, log.store, cursor), ALL)) as again:
        assert await taken(again, MOST + 2) == list(range(2, MOST + 4))
    await others.aclose()
    assert log.broker.subscribers == 0


async def test_a_slow_replay_is_no_lag(log: Log) -> None:
    await log.grow(600)
    async with aclosing(log.broker.follow(0, ALL)) as events:
        assert await taken(events, 1) == [1]
        log.now += 3_600
        await log.grow(5 * MOST)
        assert await taken(events, 599 + 5 * MOST) == list(range(2, 601 + 5 * MOST))


async def test_a_cursor_that_is_too_old_names_the_oldest_one(log: Log) -> None:
    await log.grow(3)
    await log.store.drop_before(NOON.timestamp() + 1, deliveries_before=0)
    await log.grow(1)
    for position in (0, 2):
        with pytest.raises(UserError) as raised:
            await taken(log.broker.follow(position, ALL), 1)
        assert raised.value.code is ErrorCode.CURSOR_EXPIRED
        oldest = position_of(CURSORS, log.store, str(raised.value.extensions["oldestCursor"]))
        async with aclosing(log.broker.follow(oldest, ALL)) as events:
            assert await taken(events, 1) == [4]


async def test_when_the_server_stops_every_stream_ends(log: Log) -> None:
    await log.grow(1)
    streams = [log.broker.follow(None, ALL), log.broker.follow(0, ALL)]
    ends = [asyncio.create_task(_all(stream)) for stream in streams]
    await asyncio.sleep(0.05)
    log.broker.close()
    async with asyncio.timeout(60):
        assert await asyncio.gather(*ends) == [[], [1]]


async def _all(stream: AsyncGenerator[ChangeEvent, None]) -> Sequence[int]:
    return [event.sequence async for event in stream]


async def test_who_leaves_is_forgotten(log: Log) -> None:
    events = log.broker.follow(None, ALL)
    waiting = asyncio.create_task(taken(events, 1))
    await asyncio.sleep(0)
    assert log.broker.subscribers == 1
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert log.broker.subscribers == 0
