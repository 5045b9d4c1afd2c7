"""Everything that watches, in one: for the graph, which follows and reads the log, and for the server, which starts and ends it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Final

from resolvers.changes import ChangeCriteria, ChangeEvent, ChangePage, ChangeSource, WatchState
from resolvers.context import Clocks, Context, CursorCodec
from resolvers.listing.index import IndexStore
from server.changes.broker import Broker
from server.changes.funnel import Funnel
from server.changes.live import LiveIndexes
from server.changes.settings import ChangeSettings
from server.changes.store import ChangeStore
from server.changes.watcher import Watcher
from vendors.model import Opportunity, Ref
from vendors.registry import Crm

log = logging.getLogger(__name__)

_DAY_SECONDS: Final = 86_400.0
_HOUSEKEEPING_SECONDS: Final = 3_600.0
_READ_AT_ONCE: Final = 1_000


class ChangeService:
    """Watches Crms and keeps the log of their changes; see `resolvers.changes.Changes`.

    Args:
        store: The log.
        crms: The Crms, by key.
        cursors: Makes the cursors that errors name.
        clocks: The time.
        settings: How long events are kept, and how many wait for a subscriber.
        scanned: The indexes of lists that scans fill.
        make_context: Makes what records are read with.
        jitter: Gives random numbers from 0 to 1.

    Attributes:
        indexes: The indexes of lists, fed by watching where it knows enough.
        broker: Tells events.
    """

    def __init__(
        self,
        store: ChangeStore,
        crms: Mapping[str, Crm],
        *,
        cursors: CursorCodec,
        clocks: Clocks,
        settings: ChangeSettings,
        scanned: IndexStore,
        make_context: Callable[[], Context],
        jitter: Callable[[], float],
    ) -> None:
        self._store = store
        self._clocks = clocks
        self._settings = settings
        self.broker = Broker(store, cursors, most_waiting=settings.most_waiting, lag_seconds=settings.lag_seconds, clock=clocks.monotonic)
        order = asyncio.Lock()
        self._watchers: dict[str, Watcher] = {}
        for key, crm in crms.items():
            funnel = Funnel(crm, store, self.broker, order=order, clocks=clocks, known=store.snapshots(key), watch=store.watch(key))
            self._watchers[key] = Watcher(
                crm, crm.watching, funnel, store, make_context=make_context, jitter=jitter, retention_days=settings.retention_days
            )
        self.indexes = LiveIndexes(scanned, self._watchers, clock=clocks.monotonic)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def head(self) -> int:
        return self._store.head

    @property
    def oldest(self) -> int:
        return self._store.oldest

    def run_of(self, position: int) -> str:
        return self._store.run_of(position)

    def holds(self, run: str, position: int) -> bool:
        return self._store.holds(run, position)

    def start(self) -> None:
        """Begin to watch."""
        self._tasks = [asyncio.create_task(watcher.run()) for watcher in self._watchers.values()]
        self._tasks.append(asyncio.create_task(self._keep_house()))

    async def stop(self) -> None:
        """End all streams and all watching; what is being written is written to its end."""
        self.broker.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def hand_on(self, crm: Crm, ref: Ref) -> Opportunity | None:
        watcher = self._watchers.get(crm.key)
        if watcher is None:
            return None
        is_seen, record = await watcher.hand_on(ref)
        if is_seen:
            self.indexes.seen(crm.key)
        return record

    async def receive(self, crm: str, local_ids: Sequence[str], *, delivery: str | None) -> bool:
        """Keep the hints of a webhook, and have them followed; tell whether the delivery is new.

        Raises:
            sqlite3.Error: They could not be kept.
        """
        is_new = await self._store.add_hints(crm, local_ids, ChangeSource.WEBHOOK, delivery=delivery, now=self._clocks.utc_timestamp())
        self._watchers[crm].wake()
        return is_new

    async def read(self, after: int, limit: int, criteria: ChangeCriteria) -> ChangePage:
        found: list[ChangeEvent] = []
        position = after
        while True:
            events = await self._store.read(position, _READ_AT_ONCE, crms=sorted(criteria.crms), only_moves=criteria.only_moves)
            for event in events:
                if criteria.matches(event):
                    if len(found) == limit:
                        return ChangePage(events=found, has_more=True)
                    found.append(event)
                position = event.sequence
            if len(events) < _READ_AT_ONCE:
                return ChangePage(events=found, has_more=False)

    def follow(self, after: int | None, criteria: ChangeCriteria) -> AsyncGenerator[ChangeEvent, None]:
        return self.broker.follow(after, criteria)

    async def of_opportunities(self, refs: Sequence[Ref], last: int) -> Mapping[Ref, Sequence[ChangeEvent]]:
        return await self._store.moves_of(refs, last)

    async def state(self, crm: Crm) -> WatchState | None:
        watcher = self._watchers.get(crm.key)
        return None if watcher is None else await watcher.state()

    async def _keep_house(self) -> None:
        """Drop what is older than is kept, now and every hour."""
        while True:
            now = self._clocks.utc_timestamp()
            try:
                await self._store.drop_before(
                    now - self._settings.retention_days * _DAY_SECONDS, deliveries_before=now - self._settings.webhook_max_age_seconds
                )
            except Exception:
                log.exception("what is older than [changes] retention_days could not be dropped from the log of changes")
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)
