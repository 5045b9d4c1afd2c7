"""Readings that come in any order, twice, or from a vendor that answers out of order: the chain of events stays true."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest

from resolvers.changes import ChangeCriteria, ChangeEvent, ChangeSource
from resolvers.listing.entries import Entry
from server.changes.broker import Broker
from server.changes.funnel import Funnel, Reading
from server.changes.store import ChangeStore, Watch
from server.context import SystemClocks
from tests.playground import playground
from tests.server.changes.test_snapshot import NOON, changed
from tests.server.changes.test_store import writer
from tests.server.changes.watchtower import CURSORS

DACH = ChangeCriteria(crms=frozenset({"dach"}))
LATER = NOON + timedelta(seconds=5)


class Clocks(SystemClocks):
    """Time that a test sets."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class Watched:
    """A funnel that knows one opportunity, in stage s1."""

    def __init__(self, funnel: Funnel, store: ChangeStore, clocks: Clocks) -> None:
        self.funnel = funnel
        self.store = store
        self.clocks = clocks

    async def read(self, entry: Entry | None, source: ChangeSource = ChangeSource.POLL) -> list[str]:
        with self.funnel.reading() as begun:
            return [*await self.funnel.observe(begun, [Reading("7", entry)], source)]

    async def events(self) -> list[ChangeEvent]:
        return [*await self.store.read(0, 100, crms=["dach"], only_moves=False)]

    async def steps(self) -> list[tuple[str | None, str | None]]:
        """From which stage to which; None where it was not there."""
        return [
            (None if event.before is None else event.before.stage, None if event.after is None else event.after.stage)
            for event in await self.events()
        ]


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncGenerator[Watched, None]:
    store, clocks = ChangeStore(tmp_path), Clocks()
    broker = Broker(store, CURSORS, most_waiting=100, lag_seconds=30, clock=clocks.monotonic)
    async with playground("pipeliner") as ground:
        funnel = Funnel(ground.crm, store, broker, order=asyncio.Lock(), clocks=clocks, known={}, watch=Watch())
        made = Watched(funnel, store, clocks)
        await made.read(changed(stage="s1"))
        funnel.complete(["7"])
        yield made
    store.close()


async def test_the_first_sight_is_silent_and_the_rest_is_told(watched: Watched) -> None:
    assert await watched.steps() == []
    await watched.read(changed(stage="s2"))
    await watched.read(None)
    await watched.read(changed(stage="s4"))
    assert await watched.steps() == [("s1", "s2"), ("s2", None), ("s2", "s4")]


async def test_the_same_change_from_everywhere_is_one_event(watched: Watched) -> None:
    for source in (ChangeSource.WEBHOOK, ChangeSource.POLL, ChangeSource.MUTATION, ChangeSource.WEBHOOK):
        await watched.read(changed(stage="s2"), source)
    (event,) = await watched.events()
    assert event.source is ChangeSource.WEBHOOK


async def test_a_reading_that_began_before_another_one_ended_decides_nothing(watched: Watched) -> None:
    with watched.funnel.reading() as slow:
        assert await watched.read(changed(stage="s2")) == []
        assert await watched.funnel.observe(slow, [Reading("7", changed(stage="s1"))], ChangeSource.POLL) == ["7"]
        assert await watched.funnel.observe(slow, [Reading("7")], ChangeSource.POLL) == ["7"]
        assert await watched.funnel.observe(slow, [Reading("7", changed(stage="s2"))], ChangeSource.POLL) == [], "it says the same"
    assert await watched.steps() == [("s1", "s2")]
    assert await watched.read(changed(stage="s1")) == []
    assert await watched.steps() == [("s1", "s2"), ("s2", "s1")]


async def test_readings_of_others_do_not_matter(watched: Watched) -> None:
    with watched.funnel.reading() as slow:
        with watched.funnel.reading() as other:
            await watched.funnel.observe(other, [Reading("8", changed(local_id="8"))], ChangeSource.POLL)
        assert await watched.funnel.observe(slow, [Reading("7", changed(stage="s2"))], ChangeSource.POLL) == []
    assert ("s1", "s2") in await watched.steps()


async def test_what_an_old_stamp_says_is_believed_only_when_the_vendor_insists(watched: Watched) -> None:
    await watched.read(changed(stage="s2", updated_at=LATER))
    for _ in range(3):
        await watched.read(changed(stage="s1"))
    assert await watched.steps() == [("s1", "s2")], "an answer of before"
    watched.clocks.now += 61
    await watched.read(changed(stage="s1"))
    assert await watched.steps() == [("s1", "s2"), ("s2", "s1")], "somebody has set the clock back"


async def test_a_doubt_ends_with_an_answer_that_is_right(watched: Watched) -> None:
    await watched.read(changed(stage="s2", updated_at=LATER))
    await watched.read(changed(stage="s1"))
    await watched.read(changed(stage="s2", updated_at=LATER))
    watched.clocks.now += 61
    await watched.read(changed(stage="s1"))
    assert await watched.steps() == [("s1", "s2")]


async def test_what_cannot_be_written_is_not_known_and_comes_again(watched: Watched) -> None:
    db = writer(watched.store)
    db.execute(f"pragma max_page_count = {db.execute('pragma page_count').fetchone()[0]}")
    before = dict(watched.funnel.known)
    big = changed(stage="s2", title="x" * 20_000)
    with pytest.raises(sqlite3.OperationalError):
        await watched.read(big)
    assert watched.funnel.known == before
    assert await watched.steps() == []
    db.execute("pragma max_page_count = 100000")
    await watched.read(big)
    assert await watched.steps() == [("s1", "s2")]


async def test_who_is_cancelled_while_it_is_written_leaves_memory_and_log_alike(watched: Watched) -> None:
    follower = watched.funnel._broker.follow(None, DACH)  # pyright: ignore[reportPrivateUsage]
    told = asyncio.create_task(anext(follower))
    await asyncio.sleep(0)
    reading = asyncio.create_task(watched.read(changed(stage="s2")))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    async with asyncio.timeout(60):
        event = await told
    assert event.after is not None
    assert event.after.stage == "s2"
    await watched.read(changed(stage="s3"))
    assert await watched.steps() == [("s1", "s2"), ("s2", "s3")]
    await follower.aclose()
