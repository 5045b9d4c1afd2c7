"""Crms that are really watched: sandboxes on loopback, the log in a directory, and what a test needs to see of both."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from resolvers.changes import ChangeCriteria, ChangeEvent, WatchState
from resolvers.listing.index import Index, IndexKey
from server.changes.service import ChangeService
from server.changes.settings import ChangeSettings
from server.changes.store import ChangeStore
from server.context import ContextMaker, SystemClocks
from server.cursors import SignedCursors
from server.indexes import MemoryIndexes
from tests.playground import Playground, playground
from vendors.changes import Watching
from vendors.registry import Crm
from vendors.sandbox import OptionValue
from vendors.sandbox_board import LIFE, Board

CURSORS = SignedCursors(b"a key for tests, long enough to be one")
EAGER = Watching(poll_seconds=0.05, sweep_seconds=0.3, overlap_seconds=5.0, calls_per_hour=1e9)
"""Waits of a test are short anyway; with this the rounds follow one another."""


@dataclass(frozen=True, slots=True)
class Tower:
    """Crms that are watched, by key."""

    crms: Mapping[str, Crm]
    grounds: Mapping[str, Playground]
    service: ChangeService
    store: ChangeStore
    make_context: ContextMaker

    def board(self, crm: str) -> Board:
        return self.grounds[crm].sandbox.app[LIFE].board

    def all_of(self, *, only_moves: bool = True) -> ChangeCriteria:
        return ChangeCriteria(crms=frozenset(self.crms), only_moves=only_moves)

    async def settled(self) -> None:
        """Wait until every Crm has been read once."""
        for crm in self.crms:
            await self.until(crm, lambda state: state.complete_since is not None)

    async def until(self, crm: str, holds: Callable[[WatchState], bool]) -> WatchState:
        """Wait until something holds of how a Crm is watched."""
        async with asyncio.timeout(60):
            while True:
                state = await self.service.state(self.crms[crm])
                assert state is not None
                if holds(state):
                    return state
                await asyncio.sleep(0.01)

    async def next(self, count: int, *, after: int | None, only_moves: bool = True) -> Sequence[ChangeEvent]:
        """The next so many events behind a position."""
        found: list[ChangeEvent] = []
        events = self.service.follow(after, self.all_of(only_moves=only_moves))
        async with asyncio.timeout(60):
            try:
                async for event in events:
                    found.append(event)
                    if len(found) == count:
                        break
            finally:
                await events.aclose()
        return found


@asynccontextmanager
async def tower(
    folder: Path,
    *vendors: str,
    watching: Watching = EAGER,
    settings: ChangeSettings | None = None,
    options: Mapping[str, OptionValue] | None = None,
    scale: int | None = None,
) -> AsyncGenerator[Tower, None]:
    """Watch the sandboxes of these vendors, with the log in that directory."""
    async with AsyncExitStack() as stack:
        grounds = {
            ground.crm.key: ground
            for ground in [await stack.enter_async_context(playground(vendor, options=options, scale=scale)) for vendor in vendors]
        }
        # Pauses of a client are cut short in tests; those between rounds are what a test asks for.
        crms = {
            key: replace(ground.crm, watching=watching, link=replace(ground.crm.link, sleep=asyncio.sleep))
            for key, ground in grounds.items()
        }
        async with watched(folder, crms, settings=settings) as (service, store, make_context):
            yield Tower(crms, grounds, service, store, make_context)


@asynccontextmanager
async def watched(
    folder: Path, crms: Mapping[str, Crm], *, settings: ChangeSettings | None = None
) -> AsyncGenerator[tuple[ChangeService, ChangeStore, ContextMaker], None]:
    """Watch Crms for as long as the block lasts, as the server does."""
    clocks = SystemClocks()
    scanned = MemoryIndexes(clocks.monotonic)
    store = ChangeStore(folder)
    service = ChangeService(
        store,
        crms,
        cursors=CURSORS,
        clocks=clocks,
        settings=settings or ChangeSettings(),
        scanned=scanned,
        make_context=ContextMaker(crms, CURSORS, indexes=scanned),
        jitter=random.Random(7).random,  # noqa: S311  # repeatable, not secret
    )
    service.start()
    try:
        yield service, store, ContextMaker(crms, CURSORS, indexes=service.indexes, changes=service)
    finally:
        await service.stop()
        await scanned.close()
        store.close()


async def known_of(at: Tower, crm: str) -> Index:
    """What is known of a Crm's opportunities, which for a moment is nothing where a sweep is late."""
    async with asyncio.timeout(20):
        while (known := at.service.indexes.fresh(IndexKey(crm, "Opportunity"), frozenset())) is None:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.01)
    return known
