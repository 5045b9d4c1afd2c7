"""The indexes of lists, where watching already knows what a scan would find."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import inf

from resolvers.listing.index import Index, IndexKey, IndexStore
from resolvers.listing.kinds import OPPORTUNITIES
from server.changes.snapshot import COLUMNS
from server.changes.watcher import Watcher
from vendors.calls import Clock
from vendors.registry import Crm


@dataclass(slots=True)
class _Written:
    """The number of writes into a Crm that nobody has looked after, and when the last one was made."""

    count: int = 0
    last: float = -inf


class LiveIndexes:
    """Gives what watching knows of a Crm as its index while that is new enough, and scans where it is not.

    Args:
        scanned: The indexes that are filled by scans.
        watchers: Who watches, by Crm.
        clock: Monotonic seconds.
    """

    def __init__(self, scanned: IndexStore, watchers: Mapping[str, Watcher], *, clock: Clock) -> None:
        self._scanned = scanned
        self._watchers = watchers
        self._clock = clock
        self._written: dict[str, _Written] = {}
        self._made: dict[str, tuple[int, Index]] = {}

    def fresh(self, key: IndexKey, columns: frozenset[str]) -> Index | None:
        scanned = self._scanned.fresh(key, columns)
        is_whole = key == IndexKey(key.crm, OPPORTUNITIES.name) and columns <= COLUMNS
        known = self._known(key.crm) if is_whole else None
        if scanned is None or known is None:
            return scanned or known
        return max(scanned, known, key=lambda index: index.fetched_at)

    def forget(self, crm: str) -> None:
        written = self._written.setdefault(crm, _Written())
        written.count += 1
        written.last = self._clock()
        self._scanned.forget(crm)

    def seen(self, crm: str) -> None:
        """Note that one of the writes is known."""
        if crm in self._written:
            self._written[crm].count -= 1

    async def obtain(self, crm: Crm, key: IndexKey, columns: frozenset[str], fill: Callable[[frozenset[str]], Awaitable[Index]]) -> Index:
        return await self._scanned.obtain(crm, key, columns, fill)

    def _known(self, crm: str) -> Index | None:
        watcher = self._watchers.get(crm)
        seen = None if watcher is None else watcher.seen
        if watcher is None or seen is None or self._clock() - seen.began > watcher.patience_seconds:
            return None
        written = self._written.get(crm)
        if written is not None and written.last < seen.began:
            del self._written[crm]  # all of them are known
        elif written is not None and written.count > 0:
            return None  # a write that nobody has looked after yet
        revision, index = self._made.get(crm, (-1, None))
        if index is None or revision != watcher.funnel.revision:
            index = Index(crm=crm, entries=watcher.funnel.entries(), columns=COLUMNS, fetched_at=seen.whole_at)
            self._made[crm] = watcher.funnel.revision, index
        index.fetched_at, index.dropped = seen.whole_at, seen.unread
        return index
