"""The one way in which something becomes known: a reading is compared with what was known, the log is written, then everybody is told.

Readings of a Crm run side by side, and the one that ends later may have looked earlier. So a reading that was under way while another one
of the same opportunity ended proves nothing about what came first; when it says something else, the opportunity is read once more.
"""

import asyncio
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from resolvers.changes import ChangeEvent, ChangeSource
from resolvers.context import Clocks
from resolvers.freshness import drop_kept
from resolvers.listing.entries import Entry
from server.changes.broker import Broker
from server.changes.snapshot import Difference, Snapshot, difference, event_id, is_older, kept
from server.changes.store import Change, ChangeStore, Hint, Watch
from vendors.changes import WatchesOpportunities
from vendors.model import Opportunity, Ref
from vendors.registry import Crm

_DOUBTED_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of an opportunity: its entry and record, or neither when there is no such opportunity any more."""

    local_id: str
    entry: Entry | None = None
    record: Opportunity | None = None


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A reading that is older than what is known, by the vendor's stamps, and since when it says so."""

    entry: Entry
    since: float


class Funnel:
    """What is known of one Crm's opportunities.

    Args:
        crm: The Crm.
        store: The log.
        broker: Tells events.
        order: Held while events are written and told, so that they are told in the order of the log; one for all Crms.
        clocks: The time.
        watch: How far watching has come.

    Attributes:
        known: What is known, by id.
        is_complete: Whether all opportunities have been read once.
        doubtful_before: What was created before that and is seen for the first time may have been there before, unreadable.
        revision: Changes whenever that changes.
    """

    def __init__(
        self,
        crm: Crm,
        store: ChangeStore,
        broker: Broker,
        *,
        order: asyncio.Lock,
        clocks: Clocks,
        known: dict[str, Snapshot],
        watch: Watch,
    ) -> None:
        self.crm = crm
        self.known = known
        self.revision = 0
        self.is_complete = watch.complete_since is not None
        self.doubtful_before = watch.doubtful_before
        self._store = store
        self._broker = broker
        self._order = order
        self._clocks = clocks
        self._moment = 0
        self._under_way: set[int] = set()
        self._settled: dict[str, int] = {}
        self._doubts: dict[str, _Doubt] = {}

    def complete(self, ids: Iterable[str]) -> None:
        """Note that all opportunities have been read, these in the vendor's native order; what came meanwhile stands behind them."""
        self.known = {**{local_id: self.known[local_id] for local_id in ids if local_id in self.known}, **self.known}
        self.is_complete = True
        self.revision += 1

    def entries(self) -> list[Entry]:
        """What is known of the opportunities that there are, in the vendor's native order."""
        return [snapshot.entry for snapshot in self.known.values() if not snapshot.is_deleted]

    @contextmanager
    def reading(self) -> Generator[int, None, None]:
        """Begin a reading; `observe` what it has found with the moment that this gives, before it ends."""
        self._moment += 1
        begun = self._moment
        self._under_way.add(begun)
        try:
            yield begun
        finally:
            self._under_way.discard(begun)
            if not self._under_way:
                self._settled.clear()

    async def observe(
        self, begun: int, readings: Iterable[Reading], source: ChangeSource, *, followed: Mapping[str, Hint] | None = None
    ) -> Sequence[str]:
        """Take in what a reading found, and give the ids that have to be read once more.

        Args:
            begun: The moment that `reading` gave.
            readings: What it found.
            source: What made us look; a hint that is followed says it for its opportunity.
            followed: The hints that led here, by opportunity.

        Raises:
            sqlite3.Error: It could not be written; nothing has become known.
        """
        # What is in the log must be told, also when whoever read it has gone.
        return await asyncio.shield(self._observe(begun, list(readings), source, followed or {}))

    async def _observe(self, begun: int, readings: Sequence[Reading], source: ChangeSource, followed: Mapping[str, Hint]) -> Sequence[str]:
        async with self._order:
            changes: dict[str, Change] = {}
            again: list[str] = []
            for reading in readings:
                now = None if reading.entry is None or reading.entry.is_deleted else kept(reading.entry)
                before = self.known.get(reading.local_id)
                found = difference(before, now, is_complete=self.is_complete and not self._may_be_old(now))
                if found is None:
                    self._doubts.pop(reading.local_id, None)
                elif self._settled.get(reading.local_id, 0) > begun:
                    again.append(reading.local_id)
                elif not self._is_doubtful(reading.local_id, now, before):
                    hint = followed.get(reading.local_id)
                    changes[reading.local_id] = self._change(reading, found, source if hint is None else hint.source)
            done = [hint for local_id, hint in followed.items() if local_id not in again]
            if changes or done:
                events = await self._store.append(list(changes.values()), crm=self.crm.key, followed=done)
                self.known.update((local_id, change.snapshot) for local_id, change in changes.items())
                self.revision += 1
                if changes:
                    drop_kept(self.crm, *changes)  # before anybody is told, and asks again
                await self._broker.publish(events)
            self._moment += 1
            if self._under_way - {begun}:
                self._settled.update((reading.local_id, self._moment) for reading in readings if reading.local_id not in again)
        return again

    def _may_be_old(self, now: Entry | None) -> bool:
        """Whether an opportunity that is seen for the first time may have been there when some could not be read."""
        if now is None or self.doubtful_before is None:
            return False
        return now.created_at is None or now.created_at < self.doubtful_before

    def _is_doubtful(self, local_id: str, now: Entry | None, before: Snapshot | None) -> bool:
        """Whether a reading contradicts a later one. When the vendor goes on saying so, it means it."""
        if now is None or not is_older(now, before):
            self._doubts.pop(local_id, None)
            return False
        doubt = self._doubts.get(local_id)
        if doubt is None or doubt.entry != now:
            self._doubts[local_id] = _Doubt(now, self._clocks.monotonic())
            return True
        return self._clocks.monotonic() - doubt.since < _DOUBTED_SECONDS

    def _change(self, reading: Reading, found: Difference, source: ChangeSource) -> Change:
        ref = Ref(self.crm.key, reading.local_id)
        if found.kind is None:
            return Change(ref, found.snapshot, None)
        event = ChangeEvent(
            sequence=0,
            event_id=event_id(ref, found),
            kind=found.kind,
            ref=ref,
            before=found.before,
            after=found.after,
            source=source,
            detected_at=datetime.fromtimestamp(round(self._clocks.utc_timestamp(), 3), UTC),
            record=reading.record,
        )
        if event.is_move and reading.record is not None and isinstance(self.crm.client, WatchesOpportunities):
            facts = self.crm.client.change_facts(reading.record)
            event = replace(event, changed_at=facts.changed_at, changed_by_ref=facts.changed_by)
        return Change(ref, found.snapshot, event)
