"""The rows of one Crm, as a page is put together from several: read from the vendor's pages or taken from an index.

Both ways stand together: they hand out the same candidates and places, and a page may change from one to the other.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from resolvers.errors import ScanBudgetError
from resolvers.freshness import Rows, forget_rows, kept_rows, read_rows
from resolvers.listing.index import Index
from resolvers.listing.kinds import Kind
from resolvers.listing.order import Measures, Order, Values, tie
from resolvers.listing.plan import Plan
from resolvers.listing.source import Source
from vendors.calls import CallRecorder, recording, warn_again
from vendors.capabilities import PageRequest
from vendors.errors import VendorError
from vendors.model import Record, Selection
from vendors.registry import Crm

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
    """What feeds of one list share; `max_age` is how old its rows may be, in seconds."""

    context: "Context"
    kind: Kind[R]
    order: Order | None
    selection: Selection
    include_deleted: bool
    path: Sequence[str | int]
    max_age: float = 0.0
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
        owed: The first row that was taken and could not be shown, since the Crm has failed.
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
        self.owed: Candidate[R] | None = None

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

    def take_back(self, rows: Sequence[Candidate[R]]) -> None:
        """Owe rows that were taken, and all behind them, since the Crm has failed."""
        self.buffer.clear()
        if rows:
            self.owed = rows[0]
            self.count += len(rows) if self.reading.is_backward else -len(rows)

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


@contextmanager
def looking_at(crm: Crm, kind: str, request: PageRequest) -> Generator[None, None, None]:
    """Let go of a page that is kept where nothing can be made of its rows: the vendor may send better ones the next time."""
    try:
        yield
    except (VendorError, NotSortedError):
        raise
    except Exception:
        forget_rows(crm, kind, request)
        raise


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
        self._looks = is_sorted or not plan.takes_all
        self._ties: list[Candidate[R]] = []
        self._before_ties = self._behind_last = place.position
        self._seen = 0
        self._calls: CallRecorder | None = None
        self._begun: tuple[int, Iterator[int]] | None = None

    @property
    def resumes_at(self) -> str | None:
        """Where reading goes on behind what was looked at."""
        return self._before_ties if self.reading.order is not None else self.position

    async def fill(self, size: int) -> None:
        with self.noted(), recording() as self._calls:
            if self._begun is None:
                steps = self._steps(size)
            else:
                step, steps = self._begun
                self._begun = None
                await self._read(step)
            for step in steps:
                await self._read(step)
        if not self.has_more:
            self._flush()

    def fill_at_once(self, size: int) -> bool:
        """Do the same with kept pages, without waiting. Where that comes to its end, `fill` goes on from there."""
        reading = self.reading
        if not reading.max_age or reading.order is not None:
            return False
        steps = self._steps(size)
        for step in steps:
            request = self._request(step)
            rows = kept_rows(reading.context, self.plan.crm, reading.kind.name, request, reading.max_age)
            with looking_at(self.plan.crm, reading.kind.name, request):
                entries = None if rows is None else self._entries_at_once(rows)
                if rows is None or entries is None:
                    self._begun = step, steps
                    return False
                self.source.cache_hits += 1
                self._take_in(rows, entries)
        return True

    def _steps(self, size: int) -> Iterator[int]:
        """The sizes of the pages to read until there are so many more rows, or reading has to stop."""
        wanted, barren = len(self.buffer) + size, 0
        # Rows that may not belong to the list, or whose turn comes when a later one is known, are read more at a time.
        step = size if self.plan.is_exact and not self._is_sorted else max(2 * size, _FEWEST_ROWS_TO_SIFT)
        scanning = self.plan.crm.scanning
        while self.has_more and len(self.buffer) < wanted and not self.has_stopped:
            yield step
            barren = 0 if self._seen else barren + 1
            calls = 0 if self._calls is None else len(self._calls.calls)
            is_over = self.source.rows_scanned >= scanning.max_rows or calls >= scanning.max_calls
            if self.has_more and len(self.buffer) < wanted and (is_over or barren >= _BARREN_PAGES):
                self._stop(is_over=is_over)
            step = min(step * 2, _MOST_ROWS_AT_ONCE)

    async def _read(self, size: int) -> None:
        reading, crm = self.reading, self.plan.crm
        kind, request = reading.kind, self._request(size)
        rows = await read_rows(reading.context, crm, kind.name, request, max_age=reading.max_age, read=kind.page)
        with looking_at(self.plan.crm, reading.kind.name, request):
            entries = self._entries_at_once(rows)
            if entries is None:
                entries = await kind.entries(reading.context, crm, [row.record for row in rows.page.rows], self.plan.columns)
            self._take_in(rows, entries)

    def _entries_at_once(self, rows: Rows) -> Sequence[Any] | None:
        """What the list looks at in rows, if that takes no further read; the records themselves where it looks at nothing."""
        made = rows.made
        records = made.get("records")
        if records is None:
            records = made["records"] = [row.record for row in rows.page.rows]
        if not self._looks:
            return cast("Sequence[Any]", records)
        if not self.plan.columns.isdisjoint(self.reading.kind.further):
            return None
        entries = made.get("entries")
        if entries is None:
            entries = made["entries"] = self.reading.kind.plain_entries(records)
        return cast("Sequence[Any]", entries)

    def _request(self, size: int) -> PageRequest:
        reading, plan = self.reading, self.plan
        return PageRequest(
            size=size,
            position=self.position,
            selection=self._selection,
            include_deleted=reading.include_deleted,
            where=plan.pushdown.conditions,
            sort=plan.sort if self._is_sorted else None,
            count=self._is_counted and self.total is None,
        )

    def _take_in(self, rows: Rows, entries: Sequence[Any]) -> None:
        reading, page, made = self.reading, rows.page, rows.made
        self._seen = len(page.rows)
        self.source.pages += 1
        self.source.read(reading.context.utc_now(), rows.age)
        self.source.rows_scanned += len(page.rows) + page.dropped
        if self._is_counted and self.total is None:
            self.total = page.total
        warn_again(rows.warnings)
        reading.context.place_warnings(rows.warnings, reading.path)
        if not rows.is_kept:
            reading.context.loaders.seed(page.seeds)
            reading.kind.seed(reading.context.loaders, made["records"])
        if self._looks:
            for row, entry in zip(page.rows, entries, strict=True):
                self._take(Candidate(entry, row.record, row.position))
        else:
            candidates = made.get("candidates")
            if candidates is None:
                candidates = made["candidates"] = [Candidate(row.record, row.record, row.position) for row in page.rows]
            self.buffer.extend(candidates)
        is_stuck = page.position is None or page.position == self.position
        if page.dropped or (page.has_more and is_stuck):
            self.source.lose_rows()
        self.has_more = page.has_more and not is_stuck
        self.position = page.position or self.position

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
        source.read_from(index.fetched_at, reading.context.utc_now())
        if index.dropped:
            source.lose_rows()

    @property
    def base(self) -> Place:
        """For a list in native order that was read backwards: the place before all that was given.

        The count says only whose turn it is: rows that came meanwhile can make it too small, also less than nothing.
        """
        following = self.owed or (self.buffer[0] if self.buffer else None)
        return START if following is None else Place(count=self.count, last_id=following.entry.local_id)

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
