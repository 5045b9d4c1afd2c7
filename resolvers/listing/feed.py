"""The rows of one Crm, as a page is put together from several: read from the vendor's pages or taken from an index."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from resolvers.errors import ScanBudgetError
from resolvers.listing.index import Index
from resolvers.listing.kinds import Kind
from resolvers.listing.order import Measures, Order, Values, tie
from resolvers.listing.plan import Plan
from resolvers.listing.source import Source
from vendors.calls import recording
from vendors.capabilities import PageRequest
from vendors.model import Record, Selection

if TYPE_CHECKING:
    from resolvers.context import Context

R = TypeVar("R", bound=Record)

_MOST_ROWS_AT_ONCE: Final = 1_000
_FEWEST_ROWS_TO_SIFT: Final = 50
_BARREN_PAGES: Final = 3
_BREATH: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a list has come in one Crm.

    Args:
        count: Number of rows given before.
        position: Where the vendor goes on; None where only an index does.
        last_id: The last row given.
        is_done: Whether nothing followed; without a last row it is the end of the list.
        values: For a list in an order: what the last row was compared by, of whichever Crm (`last_crm`) it was.
        last_crm: The Crm of the row that `values` and `last_id` belong to; None for this one.
    """

    count: int = 0
    position: str | None = None
    last_id: str | None = None
    is_done: bool = False
    values: Values | None = None
    last_crm: str | None = None

    @property
    def is_end(self) -> bool:
        return self.is_done and self.last_id is None

    def key(self, order: Order) -> tuple[Any, ...] | None:
        """For a list in an order: the key of the last row that was passed; None when none was."""
        return None if self.values is None else order.key(self.values, self.last_crm or "", self.last_id or "")


START: Final = Place()
END: Final = Place(is_done=True)
"""Behind all rows: where a Crm that failed on the page a list is read backwards from still is."""


@dataclass(slots=True)
class Candidate(Generic[R]):
    """A row that comes next in its Crm. `record` is None where only an index told it."""

    entry: Any
    record: R | None
    position: str | None
    values: Values = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Generic[R]):
    """What feeds of one list share."""

    context: "Context"
    kind: Kind[R]
    order: Order | None
    selection: Selection
    include_deleted: bool
    path: Sequence[str | int]
    is_backward: bool = False


class NotSortedError(Exception):
    """A vendor did not give the order that it was asked for."""


class Feed(ABC, Generic[R]):
    """The rows of one Crm from a place on.

    Attributes:
        source: What is told of it.
        count: Number of rows given so far, also on earlier pages.
        buffer: Rows that come next.
        has_more: Whether further rows may follow those.
        has_failed: Whether they cannot be had now.
        last_taken: The last row that was taken out of the buffer.
        has_stopped: Whether reading ended before a row was found, and may go on from `position` with the next page.
    """

    def __init__(self, reading: Reading[R], plan: Plan, source: Source, place: Place, measures: Measures) -> None:
        self.reading = reading
        self.plan = plan
        self.source = source
        self.place = place
        self.measures = measures
        self.count = place.count
        self.buffer: deque[Candidate[R]] = deque()
        self.has_more = True
        self.has_failed = False
        self.has_stopped = False
        self.position = place.position
        self.last_taken: Candidate[R] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it has, or may have, a next row."""
        return bool(self.buffer) or self.is_hungry

    @property
    def is_hungry(self) -> bool:
        """Whether it has to be filled before its next row is known."""
        return not self.buffer and self.has_more and not self.has_failed and not self.has_stopped

    @abstractmethod
    async def fill(self, size: int) -> None:
        """Bring about that many rows into the buffer, at least one where there is one.

        Raises:
            VendorError: They could not be read; what is in the buffer stays.
        """

    def noted(self) -> AbstractContextManager[None]:
        """Count what the Crm is asked for within, and how long that takes."""
        return noted(self.reading.context, self.source, self.reading.path)


@contextmanager
def noted(context: "Context", source: Source, path: Sequence[str | int]) -> Generator[None, None, None]:
    """Count what a Crm is asked for within, and how long that takes."""
    begun = context.clocks.monotonic()
    with recording() as recorder:
        try:
            yield
        finally:
            context.place_warnings(recorder.warnings, path)
            source.vendor_calls += len(recorder.calls)
            source.cache_hits += recorder.cache_hits
            source.milliseconds += (context.clocks.monotonic() - begun) * 1_000


class PagesFeed(Feed[R]):
    """Reads the vendor's pages, in its native order or in the order asked for, and leaves out what does not belong to the list."""

    def __init__(
        self, reading: Reading[R], plan: Plan, source: Source, place: Place, measures: Measures, *, is_counted: bool, is_sorted: bool
    ) -> None:
        super().__init__(reading, plan, source, place, measures)
        self.has_more = not place.is_done
        self.total: int | None = None
        self._is_counted = is_counted
        self._is_sorted = is_sorted
        self._selection = (
            reading.selection.including(reading.kind.selection(plan.columns)) if plan.criteria or is_sorted else reading.selection
        )
        self._ties: list[Candidate[R]] = []
        self._before_ties = self._behind_last = place.position

    @property
    def resumes_at(self) -> str | None:
        """Where reading goes on behind what was looked at."""
        return self._before_ties if self.reading.order is not None else self.position

    async def fill(self, size: int) -> None:
        wanted, barren, calls = len(self.buffer) + size, 0, 0
        # Rows that may not belong to the list, or whose turn comes when a later one is known, are read more at a time.
        step = size if self.plan.is_exact and not self._is_sorted else max(2 * size, _FEWEST_ROWS_TO_SIFT)
        with self.noted(), recording() as recorder:
            while self.has_more and len(self.buffer) < wanted and not self.has_stopped:
                seen = await self._read(step)
                barren = 0 if seen else barren + 1
                calls = len(recorder.calls)
                is_over = self.source.rows_scanned >= self.plan.crm.scanning.max_rows or calls >= self.plan.crm.scanning.max_calls
                if self.has_more and len(self.buffer) < wanted and (is_over or barren >= _BARREN_PAGES):
                    self._stop(is_over=is_over)
                step = min(step * 2, _MOST_ROWS_AT_ONCE)
        if not self.has_more:
            self._flush()

    async def _read(self, size: int) -> int:
        """Read a page, and tell how many rows were on it."""
        reading, plan = self.reading, self.plan
        request = PageRequest(
            size=size,
            position=self.position,
            selection=self._selection,
            include_deleted=reading.include_deleted,
            where=plan.pushdown.conditions,
            sort=plan.sort if self._is_sorted else None,
            count=self._is_counted and self.total is None,
        )
        page = await reading.kind.page(plan.crm, request)
        self.source.pages += 1
        self.source.fetched_at = reading.context.utc_now()
        self.source.rows_scanned += len(page.rows) + page.dropped
        if self._is_counted and self.total is None:
            self.total = page.total
        reading.context.loaders.seed(page.seeds)
        records = [row.record for row in page.rows]
        entries = await reading.kind.entries(reading.context, plan.crm, records, plan.columns)
        for row, entry in zip(page.rows, entries, strict=True):
            reading.kind.seed(reading.context.loaders, row.record)
            self._take(Candidate(entry, row.record, row.position))
        is_stuck = page.position is None or page.position == self.position
        if page.dropped or (page.has_more and is_stuck):
            self.source.lose_rows()
        self.has_more = page.has_more and not is_stuck
        self.position = page.position or self.position
        return len(page.rows)

    def _take(self, candidate: Candidate[R]) -> None:
        order = self.reading.order
        if order is None:
            if self.plan.matches(candidate.entry):
                self.buffer.append(candidate)
            return
        candidate.values = order.values(candidate.entry, self.measures)
        if None in candidate.values:
            raise NotSortedError  # where the vendor puts rows without a value is not known
        if self._ties:
            last, this = order.comparable(self._ties[-1].values), order.comparable(candidate.values)
            if this < last:
                raise NotSortedError
            if this > last:
                self._flush()
        if not self._ties:
            self._before_ties = self._behind_last
        self._behind_last, candidate.position = candidate.position, self._before_ties
        self._ties.append(candidate)

    def _flush(self) -> None:
        """Hand on rows of equal value in the list's order. Reading goes on before all of them: the vendor's order of them is its own."""
        order, place = self.reading.order, self.place
        if order is None or not self._ties:
            return
        crm = self.plan.crm.key
        self._ties.sort(key=lambda candidate: tie(crm, candidate.entry.local_id))
        passed = place.key(order)
        for candidate in self._ties:
            is_new = passed is None or order.key(candidate.values, crm, candidate.entry.local_id) > passed
            if is_new and self.plan.matches(candidate.entry):
                self.buffer.append(candidate)
        self._ties = []

    def _stop(self, *, is_over: bool) -> None:
        self.has_stopped = is_over
        if is_over:
            self.source.stop(ScanBudgetError(self.plan.crm, is_resumable=True))
        else:  # page after page cannot be read
            self.has_failed = True
            self.source.lose_rows()


class IndexFeed(Feed[R]):
    """Takes rows from an index, forwards or backwards, in native order or the one asked for; their records are read later."""

    def __init__(
        self,
        reading: Reading[R],
        plan: Plan,
        source: Source,
        place: Place,
        measures: Measures,
        *,
        index: Index,
        ranks: Sequence[int],
        start: int,
    ) -> None:
        super().__init__(reading, plan, source, place, measures)
        self.index = index
        self._ranks = ranks
        self._at = start
        self.start = start
        self._found = self._matching()
        source.fetched_at = index.fetched_at
        if index.dropped:
            source.lose_rows()

    @property
    def base(self) -> Place:
        """For a list in native order that was read backwards: the place before all that was given.

        The count says only whose turn it is: rows that came meanwhile can make it too small, also less than nothing.
        """
        if not self.buffer:
            return START
        return Place(count=self.count, last_id=self.buffer[0].entry.local_id)

    async def fill(self, size: int) -> None:
        with self.noted():
            for seen, candidate in enumerate(self._found, 1):
                if candidate is not None:
                    self.buffer.append(candidate)
                    if len(self.buffer) > size:  # one more tells whether more follow
                        return
                if seen % _BREATH == 0:
                    await asyncio.sleep(0)
            self.has_more = False

    def _matching(self) -> Iterator[Candidate[R] | None]:
        """The rows from the place on; None for one that does not belong to the list."""
        order = self.reading.order
        steps = range(self.start - 1, -1, -1) if self.reading.is_backward else range(self.start, len(self._ranks))
        for at in steps:
            entry = self.index.entries[self._ranks[at]]
            if not self.plan.matches(entry):
                yield None
                continue
            yield Candidate(entry, None, None, () if order is None else order.values(entry, self.measures))
