"""A page of a list over several Crms, put together from their feeds.

Without an order rows come by (rank in the Crm's native order, Crm): the first row of every Crm, then the second of every Crm, and so on.
With one they come by (its keys, Crm, id). A row is taken only when the next row of every other Crm is known, so no Crm's slowness or
failure changes the order of what the others give.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heapreplace
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from resolvers.errors import contained
from resolvers.freshness import read_by_ids, read_rows
from resolvers.listing.cursor import Cursor, sealed
from resolvers.listing.feed import Feed, IndexFeed, NotSortedError, PagesFeed, Place
from resolvers.listing.prepare import Preparation
from resolvers.listing.request import Listing
from resolvers.listing.source import Source, Strategy, labels
from resolvers.listing.trail import Part, Step, Trail
from resolvers.types.enums import CountOrigin, SourceState
from vendors.calls import Deadline, current_deadline, deadline_scope, without_calls
from vendors.capabilities import ById, PageRequest
from vendors.errors import OUTAGES, UnavailableError, UnsupportedError, VendorError
from vendors.model import Record

R = TypeVar("R", bound=Record)

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


class _Page(Preparation[R]):
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
        waiting = [part for part in hungry if not self._is_filled_at_once(part, share)]
        if waiting:
            with deadline_scope(_deadline_of_round()):
                await asyncio.gather(*(self._guarded(part, self._fill_part, part, share, missing) for part in waiting))

    def _is_filled_at_once(self, part: Part[R], share: int) -> bool:
        """Fill from kept pages, if that is possible; tell whether there is nothing to wait for. Guarded as what is waited for is."""
        try:
            return isinstance(part.feed, PagesFeed) and part.feed.fill_at_once(share)
        except VendorError as error:
            self._fail(part, error)
        except Exception as defect:  # noqa: BLE001  # whatever happens in one Crm takes nothing away from the others
            self._fail(part, contained(defect, crm=part.source.crm.key))
        return True

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
        failed = [feed for key in lacking if (feed := self._parts[key].feed) is not None and feed.has_failed]
        for feed in failed:
            had = [number for number, (of, candidate) in enumerate(steps) if of is feed and candidate.record is not None]
            last = had[-1] if had else -1
            feed.take_back([candidate for of, candidate in steps[last + 1 :] if of is feed])
            steps[:] = [step for number, step in enumerate(steps) if number <= last or step[0] is not feed]
        found = [feed for feed, candidate in steps if candidate.record is not None]
        for feed in found:
            feed.source.rows += 1
        for feed in failed:
            feed.source.note_rows()
        return len(found)

    async def _read_records(self, steps: Sequence[Step[R]]) -> None:
        """Read rows that an index told, and see whether they still belong to the list.

        A row that fails before one that can be read is passed over. Those behind the last one may fail because the Crm does, which shows
        when they are read once more, and with them the row that follows.

        Raises:
            VendorError: That of the first of those.
        """
        (feed, _), kind = steps[0], self._listing.kind
        plan = feed.plan
        selection = self._context.selection.including(kind.selection(plan.columns))

        def read(ids: Sequence[str], max_age: float) -> Awaitable[ById[R]]:
            return read_by_ids(
                self._context,
                plan.crm,
                kind.name,
                ids,
                selection=selection,
                read=lambda wanted: kind.by_ids(plan.crm, wanted, selection),
                max_age=max_age,
                note=lambda age: feed.source.read(self._context.utc_now(), age),
            )

        ids = [candidate.entry.local_id for _, candidate in steps]
        with feed.noted():
            found = await read(ids, self._listing.max_age)
            answers = [found.get(local_id) for local_id in ids]
            broken = _broken_at(answers, may_be_kept=self._listing.max_age > 0)
            if broken < len(ids) and not feed.buffer and feed.has_more:
                await feed.fill(1)
            following = [candidate.entry.local_id for candidate in islice(feed.buffer, 1)]
            if broken < len(ids) and not _is_of_crm(found.get(ids[broken])) and (following or self._listing.max_age):
                again = await _read_again(lambda: read([*following, *ids[broken:]], 0.0))
                if again is not None:
                    rest = [again.get(local_id) for local_id in ids[broken:]]
                    is_up = any(not isinstance(again.pop(local_id, None), OUTAGES) for local_id in following)
                    broken += _broken_at(rest, is_up=is_up)
                    found = {**found, **again}
            records = [record for record in found.values() if not isinstance(record, VendorError)]
            entries = await kind.entries(self._context, plan.crm, records, plan.columns)
        belongs = {
            record.local_id
            for record, entry in zip(records, entries, strict=True)
            if plan.matches(entry) and (self._listing.include_deleted or not getattr(record, "is_deleted", False))
        }
        if self._listing.max_age <= self._context.freshness.max_age:  # the records may be that old
            kind.seed(self._context.loaders, records)
        for _, candidate in steps[:broken]:
            row = found.get(candidate.entry.local_id)
            if isinstance(row, VendorError):
                feed.source.lose_rows(row)
            elif row is not None and row.local_id in belongs:
                candidate.record = row
        failure = found.get(ids[broken]) if broken < len(ids) else None
        if isinstance(failure, VendorError):
            raise failure

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
        if source.error is not None and (feed is None or feed.has_failed):  # what is known of it would count rows that nobody can have
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
        source.read_from(index.fetched_at, self._context.utc_now())
        if not index.dropped:
            source.total_count, source.total_count_origin = sum(map(plan.matches, index.entries)), CountOrigin.SCAN

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


def _broken_at(answers: Sequence[object], *, may_be_kept: bool = False, is_up: bool = False) -> int:
    """The number of the row from which on the Crm may have failed: behind it, none was read from it, and it is not known to be up."""
    is_read = (number for number, answer in enumerate(answers) if answer is not None and not isinstance(answer, VendorError))
    sound = len(answers) if is_up else -1 if may_be_kept else max(is_read, default=-1)
    failed = (number for number, answer in enumerate(answers) if isinstance(answer, OUTAGES) and (number > sound or _is_of_crm(answer)))
    return next(failed, len(answers))


def _is_of_crm(answer: object) -> bool:
    """Whether a row cannot be read for a reason that is none of its own; what is unavailable may be so alone."""
    return isinstance(answer, OUTAGES) and not isinstance(answer, UnavailableError)


async def _read_again(read: Callable[[], Awaitable[ById[R]]]) -> dict[str, R | VendorError] | None:
    """What can be read of rows, which may be nothing of any; None where they fail as a whole."""
    try:
        return dict(await read())
    except VendorError:
        return None


def _deadline_of_round() -> Deadline | None:
    whole = current_deadline()
    return None if whole is None else Deadline(whole.clock() + whole.remaining() * _SHARE_OF_DEADLINE, whole.clock)
