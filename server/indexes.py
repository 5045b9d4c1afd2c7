"""Keeps the indexes of lists in memory."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from resolvers.listing.index import Index, IndexKey
from vendors.calls import Clock, Deadline, current_deadline, deadline_scope
from vendors.errors import VendorTimeoutError
from vendors.registry import Crm

_KEPT_FOR_A_CRM: Final = 8


@dataclass(frozen=True, slots=True)
class _Kept:
    index: Index
    until: float


class MemoryIndexes:
    """Indexes by what they hold. What is filled is filled to its end, in a task of its own, however short its callers' time is.

    A Crm has at most eight, and its newest ones hold at most twice as many rows as it may be scanned for; older ones give way.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[IndexKey, _Kept] = {}
        self._changes: Counter[str] = Counter()
        self._under_way: dict[tuple[IndexKey, frozenset[str], int], asyncio.Task[Index]] = {}

    def fresh(self, key: IndexKey, columns: frozenset[str]) -> Index | None:
        kept = self._kept.get(key)
        if kept is None or kept.until <= self._clock() or not columns <= kept.index.columns:
            return None
        return kept.index

    async def obtain(self, crm: Crm, key: IndexKey, columns: frozenset[str], fill: Callable[[frozenset[str]], Awaitable[Index]]) -> Index:
        found = self.fresh(key, columns)
        if found is not None:
            return found
        kept = self._kept.get(key)
        if kept is not None:
            columns = columns | kept.index.columns  # so that two lists do not take turns in filling it for themselves
        under_way = key, columns, self._changes[crm.key]
        task = self._under_way.get(under_way)
        if task is None:
            task = self._under_way[under_way] = asyncio.ensure_future(self._fill(crm, key, columns, fill))
            task.add_done_callback(lambda done: self._landed(under_way, done))
        deadline = current_deadline()
        try:
            return await asyncio.wait_for(asyncio.shield(task), None if deadline is None else deadline.remaining())
        except TimeoutError:
            raise VendorTimeoutError(
                f"The rows of the CRM {crm.key!r} are still being read, which goes on; ask again in a moment.",
                crm=crm.key,
                retry_after_seconds=1,
            ) from None

    def forget(self, crm: str) -> None:
        self._changes[crm] += 1
        for key in [key for key in self._kept if key.crm == crm]:
            del self._kept[key]

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fill(self, crm: Crm, key: IndexKey, columns: frozenset[str], fill: Callable[[frozenset[str]], Awaitable[Index]]) -> Index:
        changes = self._changes[crm.key]
        with deadline_scope(Deadline(self._clock() + crm.scanning.seconds, self._clock)):
            begun = self._clock()
            index = await fill(columns)
        if changes == self._changes[crm.key]:
            self._kept.pop(key, None)
            self._kept[key] = _Kept(index, begun + crm.scanning.index_ttl_seconds)
            self._make_room(crm)
        return index

    def _make_room(self, crm: Crm) -> None:
        keys = [key for key in self._kept if key.crm == crm.key]
        rows = 0
        for position, key in enumerate(reversed(keys)):
            rows += len(self._kept[key].index.entries)
            if position and (position >= _KEPT_FOR_A_CRM or rows > 2 * crm.scanning.max_rows):
                del self._kept[key]

    def _landed(self, under_way: tuple[IndexKey, frozenset[str], int], task: "asyncio.Task[Index]") -> None:
        self._under_way.pop(under_way, None)
        if not task.cancelled():
            task.exception()  # whoever waited has it
