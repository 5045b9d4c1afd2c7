"""What is decided of a list before its first row is taken: where each Crm goes on, how its rows are found, and the feed that gives them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, ParamSpec, TypeVar

from resolvers.errors import contained
from resolvers.listing.cursor import digest_of, opened
from resolvers.listing.entries import Entry
from resolvers.listing.feed import END, START, IndexFeed, PagesFeed, Reading, noted
from resolvers.listing.index import Index, fresh_index, indexed, note_age
from resolvers.listing.moment import moment_of
from resolvers.listing.money import comparison_currency
from resolvers.listing.order import Measures
from resolvers.listing.parents import SharedFeed, siblings_of
from resolvers.listing.plan import Plan, plan_of
from resolvers.listing.request import Listing
from resolvers.listing.source import Source, Strategy, labels
from resolvers.listing.trail import Part
from resolvers.loaders.pipelines import pipelines_of
from resolvers.types.enums import Consistency
from vendors.calls import CallWithheldError, warn_again
from vendors.errors import VendorError
from vendors.model import Record
from vendors.registry import Crm
from vendors.values import cached_property

R = TypeVar("R", bound=Record)
P = ParamSpec("P")


class Preparation(Generic[R]):
    """Decides how the rows of each Crm are found, and makes the feeds that give them."""

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
        self._context.depends_on_indexes |= may_use_index or (part.place.last_id is not None and part.place.position is None)
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

    async def _index(self, part: Part[R], plan: Plan) -> Index:
        """The index of a Crm's part, filled if there is none."""
        if part.index is None:
            part.index = await indexed(self._context, self._listing.kind, plan, include_deleted=self._listing.include_deleted)
            part.source.rows_scanned += len(part.index.entries)
            part.source.pages += part.index.pages
        else:
            part.source.cache_hits += 1
        note_age(self._context, part.index)
        warn_again(part.index.warnings)
        return part.index

    def _noted(self, source: Source) -> AbstractContextManager[None]:
        return noted(self._context, source, self._listing.path)


def _no_amount(_: Entry) -> None:
    """Stand in where an order compares no amounts."""
