"""An index of a Crm's rows: what filters and orders look at, in the vendor's native order, filled by one scan."""

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from resolvers.errors import ScanBudgetError
from resolvers.listing.kinds import Kind
from resolvers.listing.order import Measures, Order, tie
from resolvers.listing.plan import Plan
from vendors.calls import Warned, recording
from vendors.capabilities import PageRequest
from vendors.query import Condition
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context

_SCAN_ROWS: Final = 1_000
_KEPT_ORDERS: Final = 4


class IndexKey(NamedTuple):
    """What an index holds: the rows of a kind in a Crm that the vendor gives for these conditions."""

    crm: str
    kind: str
    include_deleted: bool = False
    where: tuple[Condition, ...] = ()


@dataclass(slots=True, kw_only=True)
class Index:
    """Rows in native order.

    Args:
        crm: Key of the Crm.
        entries: What lists look at in each row.
        columns: What is known in all of them.
        fetched_at: When the scan began, for people.
        dropped: Number of rows that could not be read and are missing.
        pages: Number of pages that the scan took.
        warnings: What was odd in the data, for whoever uses it.
    """

    crm: str
    entries: Sequence[Any]
    columns: frozenset[str]
    fetched_at: datetime
    dropped: int = 0
    pages: int = 0
    warnings: Sequence[Warned] = ()
    ranks: dict[str, int] = field(init=False)
    _orders: dict[Any, "array[int]"] = field(default_factory=dict[Any, "array[int]"], init=False)

    def __post_init__(self) -> None:
        self.ranks = {entry.local_id: rank for rank, entry in enumerate(self.entries)}

    def behind(self, local_id: str, count: int) -> int:
        """The rank behind a row, also when the row is gone: by its id where ids ascend or descend, else behind as many rows as before."""
        rank = self.ranks.get(local_id)
        if rank is not None:
            return rank + 1
        ids = [tie("", entry.local_id) for entry in self.entries]
        mine = tie("", local_id)
        if all(earlier < later for earlier, later in pairwise(ids)):
            return bisect_right(ids, mine)
        if all(earlier > later for earlier, later in pairwise(ids)):
            ids.reverse()
            return len(ids) - bisect_left(ids, mine)
        return min(count, len(ids))

    async def in_order(self, order: Order, measures: Measures, identity: object) -> "array[int]":
        """The ranks of the rows in an order, kept for the next time; `identity` tells orders apart."""
        found = self._orders.get(identity)
        if found is None:
            found = await asyncio.to_thread(self._sorted, order, measures)
            while len(self._orders) >= _KEPT_ORDERS:
                del self._orders[next(iter(self._orders))]
            self._orders[identity] = found
        return found

    def place_in(self, ranks: "array[int]", order: Order, measures: Measures, passed: tuple[Any, ...], *, behind: bool) -> int:
        """Where in an order a place is that may be between rows: behind a row of this key, or right before it."""

        def key(rank: int) -> tuple[Any, ...]:
            entry = self.entries[rank]
            return order.key(order.values(entry, measures), self.crm, entry.local_id)

        return (bisect_right if behind else bisect_left)(ranks, passed, key=key)

    def _sorted(self, order: Order, measures: Measures) -> "array[int]":
        keys = [order.key(order.values(entry, measures), self.crm, entry.local_id) for entry in self.entries]
        return array("L", sorted(range(len(keys)), key=keys.__getitem__))


class IndexStore(Protocol):
    """Keeps indexes for as long as their Crm's settings say."""

    def fresh(self, key: IndexKey, columns: frozenset[str]) -> Index | None:
        """An index with these columns that is young enough."""
        ...

    def forget(self, crm: str) -> None:
        """Drop what is kept of a Crm, and do not keep what is under way, because it has changed."""
        ...

    async def obtain(self, crm: Crm, key: IndexKey, columns: frozenset[str], fill: Callable[[frozenset[str]], Awaitable[Index]]) -> Index:
        """A fresh index, filled if there is none: once, however many ask, and to the end, also when nobody waits any more.

        Raises:
            VendorError: It could not be filled, or not within the time that the caller has.
        """
        ...


def fresh_index(context: "Context", kind: Kind[Any], plan: Plan, *, include_deleted: bool) -> Index | None:
    """An index that is there already: of the whole Crm, or of what its vendor gives for the list's filter."""
    whole, narrow = (IndexKey(plan.crm.key, kind.name, include_deleted, where) for where in ((), plan.pushdown.conditions))
    return context.indexes.fresh(whole, plan.columns) or context.indexes.fresh(narrow, plan.columns)


def note_age(context: "Context", index: Index) -> None:
    """Note how old an index is that is used, where the operation allows an age."""
    if context.freshness.max_age:
        context.freshness.note(index.crm, max(0.0, (context.utc_now() - index.fetched_at).total_seconds()))


async def indexed(context: "Context", kind: Kind[Any], plan: Plan, *, include_deleted: bool) -> Index:
    """An index of the rows that a vendor gives for a list's filter, filled if there is none.

    Raises:
        VendorError: It could not be filled, or not within the time that there is.
    """
    found = fresh_index(context, kind, plan, include_deleted=include_deleted)
    if found is not None:
        return found
    key, background = IndexKey(plan.crm.key, kind.name, include_deleted, plan.pushdown.conditions), context.detached()
    return await context.indexes.obtain(plan.crm, key, plan.columns, lambda columns: filled(background, plan.crm, kind, key, columns))


async def filled(context: "Context", crm: Crm, kind: Kind[Any], key: IndexKey, columns: frozenset[str]) -> Index:
    """Scan a Crm's rows into an index.

    Raises:
        VendorError: A page could not be read, or the scan would take more than the Crm's budget (SCAN_BUDGET_EXCEEDED).
    """
    selection = kind.selection(kind.plain_columns | columns)
    fetched_at = context.utc_now()
    rows: list[Any] = []
    position: str | None = None
    dropped = pages = 0
    with recording() as recorder:
        while True:
            size = min(_SCAN_ROWS, crm.scanning.max_rows + 1 - len(rows))
            request = PageRequest(size=size, position=position, selection=selection, include_deleted=key.include_deleted, where=key.where)
            page = await kind.page(crm, request)
            pages += 1
            context.loaders.seed(page.seeds)
            rows += await kind.entries(context, crm, [row.record for row in page.rows], columns)
            dropped += page.dropped
            if len(rows) > crm.scanning.max_rows:
                raise ScanBudgetError(crm)
            is_stuck = page.position is None or page.position == position
            if not page.has_more or is_stuck:
                dropped += page.has_more  # the vendor says that there is more, and gives no way to it
                break
            if len(recorder.calls) >= crm.scanning.max_calls:
                raise ScanBudgetError(crm)
            position = page.position
    return Index(
        crm=crm.key,
        entries=rows,
        columns=kind.settled(rows, kind.plain_columns | columns),
        fetched_at=fetched_at,
        dropped=dropped,
        pages=pages,
        warnings=tuple(recorder.warnings),
    )
