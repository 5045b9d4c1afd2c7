"""A page of a list over several Crms, put together from their feeds.

Without an order rows come by (rank in the Crm's native order, Crm): the first row of every Crm, then the second of every Crm, and so on.
With one they come by (its keys, Crm, id). A row is taken only when the next row of every other Crm is known, so no Crm's slowness or
failure changes the order of what the others give.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heapify, heappop, heapreplace
from typing import Any, Final, Generic, ParamSpec, TypeVar

from resolvers.errors import contained
from resolvers.freshness import read_by_ids, read_rows
from resolvers.listing.criteria import moment_of
from resolvers.listing.cursor import Cursor, digest_of, opened, sealed
from resolvers.listing.entries import Entry
from resolvers.listing.feed import END, START, Feed, IndexFeed, NotSortedError, PagesFeed, Place, Reading, noted
from resolvers.listing.index import Index, fresh_index, indexed
from resolvers.listing.money import comparison_currency
from resolvers.listing.order import Measures
from resolvers.listing.parents import SharedFeed, siblings_of
from resolvers.listing.plan import Plan, plan_of
from resolvers.listing.request import Listing
from resolvers.listing.source import Source, Strategy, labels
from resolvers.listing.trail import Part, Step, Trail
from resolvers.loaders.pipelines import pipelines_of
from resolvers.types.enums import Consistency, CountOrigin, SourceState
from vendors.calls import CallWithheldError, Deadline, current_deadline, deadline_scope, without_calls
from vendors.capabilities import PageRequest
from vendors.errors import UnsupportedError, VendorError
from vendors.model import Record
from vendors.registry import Crm

R = TypeVar("R", bound=Record)
P = ParamSpec("P")

# A round of reading gets this share of the time that is left: the rest is for making up for a Crm that took all of it, and for relations.
_SHARE_OF_DEADLINE: Final = 0.7


@dataclass(slots=True, kw_only=True)
class Connection(Generic[R]):
    """A page as the graph shows it."""

    records: list[R]
    sources: list[Source]
    has_next_page: bool
    has_previous_page: bool
    cursor: Callable[[int], str]
    end: Callable[[], str | None]
    total_count: int | None = None

    @property
    def end_cursor(self) -> str | None:
        return self.end()

    @property
    def start_cursor(self) -> str | None:
        return self.cursor(0) if self.records else None


async def planned_sources(listing: Listing[Any]) -> list[Source]:
    """How the Crms would contribute to the page, without calling a vendor; what only a call could tell is left open.

    Raises:
        UserError: As for `read_page`.
    """
    page = _Page(listing)
    with without_calls():
        return await page.planned()


async def read_page(listing: Listing[R]) -> Connection[R]:
    """Put the page together. A Crm that fails takes nothing away from the others: its source says so.

    Raises:
        UserError: The cursor is none of ours, or one of another list (INVALID_CURSOR), or amounts are compared in no currency.
    """
    return await _Page(listing).read()


@dataclass(slots=True)
class _Merged(Generic[R]):
    steps: list[Step[R]] = field(default_factory=list[Any])
    shown: int = 0


class _Page(Generic[R]):
    def __init__(self, listing: Listing[R]) -> None:
        self._listing = listing
        self._context = listing.context
        self._order = listing.order
        window = listing.window
        argument = "before" if window.is_backward else "after"
        self._cursor = None if window.cursor is None else opened(self._context, window.cursor, self._digest, self._order, argument)
        self._today = self._context.utc_now().date() if self._cursor is None else self._cursor.today
        self._moment = moment_of(self._context, self._today)
        self._reading = Reading(
            context=self._context,
            kind=listing.kind,
            order=self._order,
            selection=self._context.selection,
            include_deleted=listing.include_deleted,
            path=listing.path,
            max_age=listing.max_age,
            is_backward=window.is_backward,
        )
        self._parts = {crm.key: self._part(crm) for crm in listing.crms}
        if self._order is not None and self._order.needs_rates:
            comparison_currency(self._context, listing.currency)

    @cached_property
    def _digest(self) -> str:
        return digest_of(self._listing.kind.name, self._listing.identity)

    def _part(self, crm: Crm) -> Part[R]:
        beginning = END if self._listing.window.is_backward else START
        place = beginning if self._cursor is None else self._cursor.places.get(crm.key, START)
        consistency = Consistency.STRICT if crm.vendor.has_strict_pages else Consistency.BEST_EFFORT
        return Part(Source(crm=crm, consistency=consistency), place)

    async def read(self) -> Connection[R]:
        merged: _Merged[R] = _Merged()
        parts: Sequence[Part[R]] = list(self._parts.values())
        if not self._needs_tables:
            for part in parts:
                await self._guarded(part, self._decide, part)  # no waiting, so that there is nothing to be done side by side
            parts = [part for part in parts if part.source.strategy is not Strategy.NONE and part.feed is None]
        if parts:
            with deadline_scope(_deadline_of_round()):
                await asyncio.gather(*(self._guarded(part, self._prepare, part) for part in parts))
        while merged.shown < self._listing.window.size:
            taken = self._take(self._listing.window.size - merged.shown)
            if taken:
                merged.shown += await self._show(taken)
                merged.steps += taken
                continue
            hungry = [part for part in self._parts.values() if part.feed is not None and part.feed.is_hungry]
            if not hungry:
                break
            await self._fill(hungry, self._listing.window.size - merged.shown)
        if self._listing.is_counted:
            with deadline_scope(_deadline_of_round()):
                await asyncio.gather(*(self._count(part) for part in self._parts.values()))
        return self._connection(merged)

    async def planned(self) -> list[Source]:
        """See `planned_sources`."""
        await asyncio.gather(*(self._guarded(part, self._plan, part) for part in self._parts.values()))
        return [part.source for part in self._parts.values()]

    async def _plan(self, part: Part[R]) -> None:
        """Prepare as far as that goes without a call."""
        try:
            await self._prepare(part)
        except CallWithheldError:
            part.source.needs_call = True

    async def _guarded(self, part: Part[R], do: Callable[P, Awaitable[None]], *given: P.args, **named: P.kwargs) -> None:
        """Do something for one Crm; whatever happens there takes nothing away from the others."""
        try:
            await do(*given, **named)
        except VendorError as error:
            self._fail(part, error)
        except Exception as defect:  # noqa: BLE001  # as said
            self._fail(part, contained(defect, crm=part.source.crm.key))

    def _fail(self, part: Part[R], error: VendorError) -> None:
        part.source.fail(error)
        if part.feed is not None:
            part.feed.has_failed = True

    @property
    def _needs_tables(self) -> bool:
        """Whether deciding how rows are found may take a table of the Crm, which may have to be read first."""
        return self._listing.needs_tables or (self._order is not None and self._order.needs_stages)

    async def _prepare(self, part: Part[R]) -> None:
        """Decide how the rows of a Crm are found, unless that is decided, and get ready for it."""
        if part.plan is None:
            await self._decide(part)
        plan, strategy = part.plan, part.source.strategy
        if part.feed is not None or plan is None or strategy is Strategy.NONE:
            return
        if strategy is Strategy.INDEX:
            await self._use_index(part, plan)
        elif not await self._use_shared(part, plan):
            self._use_pages(part, plan)

    async def _decide(self, part: Part[R]) -> None:
        """Decide how the rows of a Crm are found, and begin with its pages where these are read for this list alone."""
        crm, order = part.source.crm, self._order
        with self._noted(part.source) if self._needs_tables else nullcontext():
            criteria = await self._listing.criteria(crm, self._moment)
            ranks = {}
            if order is not None and order.needs_stages:
                ranks = {stage.local_id: stage.order for pipeline in await pipelines_of(crm) for stage in pipeline.stages}
        part.converter = self._moment.convert(self._listing.currency) if order is not None and order.needs_rates else None
        part.measures = Measures(amount=_no_amount if part.converter is None else part.converter.amount, stage_ranks=ranks)
        part.plan = plan = plan_of(self._listing.kind, crm, criteria, order)
        if plan.criteria is None:
            return
        part.source.pushed_down = labels(plan.pushdown.conditions)
        part.source.evaluated_here = [criterion.label for criterion in plan.residual]
        if part.place.is_done and not self._listing.window.is_backward:
            return
        may_use_index = order is not None or self._listing.is_counted or self._listing.window.is_backward or bool(plan.residual)
        if may_use_index or part.place.last_id is not None:
            part.index = fresh_index(self._context, self._listing.kind, plan, include_deleted=self._listing.include_deleted)
        part.source.strategy = self._strategy(part, plan)
        if part.source.strategy is not Strategy.INDEX and self._listing.refers is None:
            self._use_pages(part, plan)

    def _strategy(self, part: Part[R], plan: Plan) -> Strategy:
        needs_index = self._listing.window.is_backward or (
            part.place.last_id is not None and part.place.position is None and self._order is None
        )
        if self._order is not None:
            return Strategy.SORTED_PAGES if plan.pushdown.is_sorted and not needs_index else Strategy.INDEX
        saves_reading = part.index is not None and bool(plan.residual)
        return Strategy.INDEX if needs_index or saves_reading else Strategy.PAGES

    async def _use_shared(self, part: Part[R], plan: Plan) -> bool:
        """Read the first rows together with those of other records' lists, if that works; tell whether it did."""
        refers = self._listing.refers
        if refers is None or part.place is not START or self._order is not None or self._listing.is_counted:
            return False
        assert part.measures is not None, "made with the plan"
        field, local_id = refers
        # The same field of the operation, at whichever record: its other arguments are the same.
        key = plan.crm.key, tuple(step for step in self._listing.path if isinstance(step, str))
        with self._noted(part.source):
            siblings = siblings_of(key, self._reading, plan, field, self._listing.window.size)
            rows = await siblings.load(local_id)
        if rows is None:
            return False
        part.feed = SharedFeed(self._reading, plan, part.source, part.place, part.measures, rows=rows)
        return True

    def _use_pages(self, part: Part[R], plan: Plan) -> None:
        assert part.measures is not None, "made with the plan"
        is_sorted = self._order is not None
        if is_sorted:
            part.source.pushed_down = [*part.source.pushed_down, str(plan.sort)]
        is_counted = self._listing.is_counted and plan.is_exact
        part.feed = PagesFeed(self._reading, plan, part.source, part.place, part.measures, is_counted=is_counted, is_sorted=is_sorted)

    async def _use_index(self, part: Part[R], plan: Plan) -> None:
        assert part.measures is not None, "made with the plan"
        part.source.strategy = Strategy.INDEX
        if self._order is not None:
            part.source.evaluated_here = [*part.source.evaluated_here, "orderBy"]
        with self._noted(part.source):
            index = await self._index(part, plan)
        place, order, is_backward = part.place, self._order, self._listing.window.is_backward
        if order is None:
            ranks: Sequence[int] = range(len(index.entries))
            start = self._native_start(part, plan, index)
        else:
            identity = (order.keys, self._listing.currency, self._today)
            ranks = await index.in_order(order, part.measures, identity)
            start = len(ranks) if place.is_end else 0
            passed = place.key(order)
            if passed is not None:
                start = index.place_in(ranks, order, part.measures, passed, behind=not is_backward)
            if part.converter is not None:
                part.converter.forget()  # the rows of the page count, not all that were sorted
        part.feed = IndexFeed(self._reading, plan, part.source, place, part.measures, index=index, ranks=ranks, start=start)
        if order is None and is_backward:
            part.feed.count = self._count_before(part, plan, index)

    def _native_start(self, part: Part[R], plan: Plan, index: Index) -> int:
        place = part.place
        if not self._listing.window.is_backward:
            return 0 if place.last_id is None else index.behind(place.last_id, place.count)
        if place.is_end:
            return len(index.entries)
        start = 0 if place.last_id is None else index.behind(place.last_id, place.count)
        is_of_row = self._cursor is not None and self._cursor.row == (plan.crm.key, place.last_id)
        return start - 1 if is_of_row and place.last_id in index.ranks else start

    def _count_before(self, part: Part[R], plan: Plan, index: Index) -> int:
        """The number of rows of a Crm before the page that is read backwards."""
        if part.place.is_end:
            return sum(map(plan.matches, index.entries))
        is_of_row = self._cursor is not None and self._cursor.row == (plan.crm.key, part.place.last_id)
        return part.place.count - 1 if is_of_row else part.place.count

    def _take(self, most: int) -> list[Step[R]]:
        """Take rows for as long as it is certain which comes next."""
        alive = [part.feed for part in self._parts.values() if part.feed is not None and part.feed.is_alive]
        is_backward = self._listing.window.is_backward
        if self._order is None and not is_backward:
            return self._take_in_turn(alive, most)
        steps: list[Step[R]] = []
        while len(steps) < most:
            alive = [feed for feed in alive if feed.is_alive]
            if not alive or (self._order is not None and any(feed.is_hungry for feed in alive)):
                break
            feed = (max if is_backward else min)(alive, key=self._turn)
            if not feed.buffer:
                break
            candidate = feed.buffer.popleft()
            feed.count += -1 if is_backward else 1
            feed.last_taken = candidate
            steps.append((feed, candidate))
        return steps

    def _take_in_turn(self, alive: Sequence[Feed[R]], most: int) -> list[Step[R]]:
        """The same in native order, where numbers of rows decide, and then the keys of the Crms."""
        steps: list[Step[R]] = []
        turns = [(feed.count, feed.plan.crm.key, feed) for feed in alive]
        heapify(turns)
        while turns and len(steps) < most:
            count, key, feed = turns[0]
            if feed.buffer:
                steps.append((feed, feed.buffer.popleft()))
                feed.count = count + 1
                heapreplace(turns, (count + 1, key, feed))
            elif feed.is_alive:
                break
            else:
                heappop(turns)
        return steps

    def _turn(self, feed: Feed[R]) -> Any:
        """When it is a feed's turn."""
        crm = feed.plan.crm.key
        if self._order is None:
            return feed.count, crm
        candidate = feed.buffer[0]
        return self._order.key(candidate.values, crm, candidate.entry.local_id)

    async def _fill(self, hungry: Sequence[Part[R]], missing: int) -> None:
        alive = sum(part.feed is not None and part.feed.is_alive for part in self._parts.values())
        share = -(-missing // alive)
        waiting = [part for part in hungry if not (isinstance(part.feed, PagesFeed) and part.feed.fill_at_once(share))]
        if waiting:
            with deadline_scope(_deadline_of_round()):
                await asyncio.gather(*(self._guarded(part, self._fill_part, part, share, missing) for part in waiting))

    async def _fill_part(self, part: Part[R], share: int, missing: int) -> None:
        feed, plan = part.feed, part.plan
        assert feed is not None, "only such parts are hungry"
        assert plan is not None, "a feed has a plan"
        if isinstance(feed, IndexFeed):
            await feed.fill(missing)
            return
        try:
            await feed.fill(share)
        except (NotSortedError, UnsupportedError):
            if self._order is None:
                raise
            last = feed.last_taken
            if last is not None:
                part.place = Place(values=last.values, last_crm=plan.crm.key, last_id=last.entry.local_id)
            part.source.pushed_down = labels(plan.pushdown.conditions)
            await self._use_index(part, plan)

    async def _show(self, steps: list[Step[R]]) -> int:
        """Give the rows that were taken their records, and tell how many there are. Rows of a Crm that fails meanwhile are given back."""
        lacking: dict[str, list[Step[R]]] = {}
        for step in steps:
            if step[1].record is None:
                lacking.setdefault(step[0].plan.crm.key, []).append(step)
        if lacking:
            with deadline_scope(_deadline_of_round()):
                await asyncio.gather(*(self._guarded(self._parts[key], self._read_records, of_crm) for key, of_crm in lacking.items()))
        for key in lacking:
            failed = self._parts[key].feed
            if failed is not None and failed.has_failed:
                steps[:] = [step for step in steps if step[0] is not failed]
                failed.buffer.clear()
        found = [feed for feed, candidate in steps if candidate.record is not None]
        for feed in found:
            feed.source.rows += 1
        return len(found)

    async def _read_records(self, steps: Sequence[Step[R]]) -> None:
        """Read rows that an index told, and see whether they still belong to the list."""
        (feed, _), kind = steps[0], self._listing.kind
        plan = feed.plan
        selection = self._context.selection.including(kind.selection(plan.columns))
        with feed.noted():
            ids = [candidate.entry.local_id for _, candidate in steps]
            found = await read_by_ids(
                self._context,
                plan.crm,
                kind.name,
                ids,
                selection=selection,
                read=lambda wanted: kind.by_ids(plan.crm, wanted, selection),
                max_age=self._listing.max_age,
                note=lambda age: feed.source.read(self._context.utc_now(), age),
            )
            records = [record for record in found.values() if not isinstance(record, VendorError)]
            entries = await kind.entries(self._context, plan.crm, records, plan.columns)
        belongs = {
            record.local_id
            for record, entry in zip(records, entries, strict=True)
            if plan.matches(entry) and (self._listing.include_deleted or not getattr(record, "is_deleted", False))
        }
        if self._listing.max_age <= self._context.freshness.max_age:  # the records may be that old
            kind.seed(self._context.loaders, records)
        for _, candidate in steps:
            read = found.get(candidate.entry.local_id)
            if isinstance(read, VendorError):
                feed.source.lose_rows()
            elif read is not None and read.local_id in belongs:
                candidate.record = read

    async def _count(self, part: Part[R]) -> None:
        """Find out how many rows a Crm's part of the list has; where that fails, the rows there are stay."""
        source = part.source
        try:
            await self._counted(part)
        except VendorError as error:
            source.lose_count(error)
        except Exception as defect:  # noqa: BLE001  # whatever happens in one Crm takes nothing away from the others
            source.lose_count(contained(defect, crm=source.crm.key))

    async def _counted(self, part: Part[R]) -> None:
        plan, source, feed = part.plan, part.source, part.feed
        if plan is None:
            return
        if plan.criteria is None:
            source.total_count, source.total_count_origin = 0, CountOrigin.SCAN
            return
        total = feed.total if isinstance(feed, PagesFeed) else None
        if total is None and plan.is_exact and feed is None and not source.error:
            with self._noted(source):
                request = PageRequest(
                    size=1,
                    selection=self._listing.kind.selection(()),
                    include_deleted=self._listing.include_deleted,
                    where=plan.pushdown.conditions,
                    count=True,
                )
                kind = self._listing.kind
                age = self._listing.max_age
                total = (await read_rows(self._context, plan.crm, kind.name, request, max_age=age, read=kind.page)).page.total
        if total is not None:
            source.total_count, source.total_count_origin = total, CountOrigin.VENDOR
            return
        with self._noted(source):
            index = feed.index if isinstance(feed, IndexFeed) else await self._index(part, plan)
        if not index.dropped:
            source.total_count, source.total_count_origin = sum(map(plan.matches, index.entries)), CountOrigin.SCAN

    async def _index(self, part: Part[R], plan: Plan) -> Index:
        """The index of a Crm's part, filled if there is none."""
        if part.index is None:
            part.index = await indexed(self._context, self._listing.kind, plan, include_deleted=self._listing.include_deleted)
            part.source.rows_scanned += len(part.index.entries)
            part.source.pages += part.index.pages
        else:
            part.source.cache_hits += 1
        return part.index

    def _noted(self, source: Source) -> AbstractContextManager[None]:
        return noted(self._context, source, self._listing.path)

    def _connection(self, merged: _Merged[R]) -> Connection[R]:
        is_backward = self._listing.window.is_backward
        parts, steps = self._parts, merged.steps
        has_more = any(part.feed is not None and (part.feed.is_alive or part.feed.has_stopped) for part in parts.values())
        for part in parts.values():
            if part.feed is None and part.source.error is None and part.plan is not None:
                part.source.status = SourceState.SKIPPED
        if is_backward:
            steps.reverse()
        records = [candidate.record for _, candidate in steps if candidate.record is not None]
        trail: Trail[R] | None = None

        def cursor_at(count: int, *, is_end: bool = False) -> str:
            nonlocal trail
            if trail is None:
                trail = Trail(parts, steps, self._order, is_backward=is_backward)
            made = Cursor(
                today=self._today,
                row=trail.row(count),
                values=trail.values(count),
                places=trail.places(count, is_end=is_end),
            )
            return sealed(self._context, made, self._digest, self._order)

        counts_of: list[int] = []

        def cursor_behind(index: int) -> str:
            """The cursor of the record of that index; rows without one are passed over."""
            if not counts_of:
                counts_of.extend(count for count, (_, candidate) in enumerate(steps, 1) if candidate.record is not None)
            return cursor_at(counts_of[index])

        def end() -> str | None:
            if any(part.feed is not None and part.feed.has_stopped for part in parts.values()):
                return cursor_at(len(steps), is_end=True)
            return cursor_behind(len(records) - 1) if records else None

        counts = [part.source.total_count for part in parts.values()]
        self._tell_missing_rates()
        return Connection(
            records=records,
            sources=[part.source for part in parts.values()],
            has_next_page=self._cursor is not None if is_backward else has_more,
            has_previous_page=has_more if is_backward else self._cursor is not None,
            cursor=cursor_behind,
            end=end,
            total_count=sum(count for count in counts if count is not None) if None not in counts else None,
        )

    def _tell_missing_rates(self) -> None:
        for converter in self._moment.converters:
            converter.tell()


def _deadline_of_round() -> Deadline | None:
    whole = current_deadline()
    return None if whole is None else Deadline(whole.clock() + whole.remaining() * _SHARE_OF_DEADLINE, whole.clock)


def _no_amount(_: Entry) -> None:
    """Stand in where an order compares no amounts."""
