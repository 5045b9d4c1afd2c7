"""Lists of what refers to a record, read for many records of a Crm at once where its vendor takes several values in a condition."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiodataloader import DataLoader

from resolvers.freshness import read_rows
from resolvers.listing.criteria import Criterion, refers_to
from resolvers.listing.feed import Candidate, Feed, Place, Reading, looking_at
from resolvers.listing.order import Measures
from resolvers.listing.plan import Plan
from resolvers.listing.source import Source
from vendors.calls import warn_again
from vendors.capabilities import PageRequest
from vendors.query import Condition, Field, Operator

_MOST_PAGES: Final = 4
_ROWS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Rows:
    """What a reading for several records found for one of them, and how old it is."""

    candidates: Sequence[Candidate[Any]]
    dropped: int
    age_seconds: float


class Siblings(DataLoader[str, Rows | None]):
    """Reads the first rows of several lists together: those of the records of one Crm that the same field of an operation hangs on.

    Args:
        reading: What the lists share.
        plan: The plan of one of them.
        field: What refers to the records.
        others: The parts of the lists' filter, without that reference.
        size: Number of rows that each list wants.
    """

    def __init__(self, reading: Reading[Any], plan: Plan, field: Field, others: Sequence[Criterion], size: int) -> None:
        super().__init__()
        self._reading = reading
        self._tasks = reading.context.loaders.tasks
        self._crm = plan.crm
        self._columns = plan.columns
        self._field = field
        self._others = others
        self._size = size

    async def batch_load_fn(self, keys: list[str]) -> list[Rows | None]:
        """Find each record's rows; None where reading for it alone is better."""
        try:
            self._tasks.begin(asyncio.current_task())
            return await self._found(keys)
        except asyncio.CancelledError:
            for key in keys:  # a DataLoader would let them wait for ever
                self.load(key).cancel()
            raise

    async def _found(self, keys: Sequence[str]) -> list[Rows | None]:
        kind = self._reading.kind
        together = Condition(self._field, Operator.ANY_OF, tuple(keys))
        conditions = [together, *(condition for criterion in self._others for condition in criterion.conditions)]
        pushdown = kind.pushdown(self._crm, conditions, None)
        if len(keys) == 1 or together not in pushdown.conditions:
            return [None] * len(keys)
        referring = {key: refers_to(self._field, key, kind=kind.name.lower()) for key in keys}
        found: dict[str, list[Candidate[Any]]] = {key: [] for key in keys}
        position: str | None = None
        dropped, has_more, age = 0, True, 0.0
        rows = min(_ROWS_AT_ONCE, len(keys) * (self._size + 1))
        for _ in range(_MOST_PAGES):
            request, context = self._request(pushdown.conditions, position, rows), self._reading.context
            read = await read_rows(context, self._crm, kind.name, request, max_age=self._reading.max_age, read=kind.page)
            warn_again(read.warnings)  # they are placed with those of what is read anew
            page, age = read.page, max(age, read.age)
            rows = _ROWS_AT_ONCE
            dropped += page.dropped
            context.loaders.seed(page.seeds)
            records = [row.record for row in page.rows]
            kind.seed(context.loaders, records)
            with looking_at(self._crm, kind.name, request):
                entries = await kind.entries(context, self._crm, records, self._columns)
                for record, entry in zip(records, entries, strict=True):
                    if all(criterion.matches(entry) for criterion in self._others):
                        for key, criterion in referring.items():
                            if criterion.matches(entry):
                                found[key].append(Candidate(entry, record, None))
            has_more = page.has_more and page.position is not None and page.position != position
            position = page.position
            if not has_more or all(len(mine) > self._size for mine in found.values()):
                break
        return [Rows(found[key], dropped, age) if not has_more or len(found[key]) > self._size else None for key in keys]

    def _request(self, where: tuple[Condition, ...], position: str | None, rows: int) -> PageRequest:
        reading = self._reading
        return PageRequest(
            size=rows,
            position=position,
            selection=reading.selection.including(reading.kind.selection(self._columns)),
            include_deleted=reading.include_deleted,
            where=where,
        )


class SharedFeed(Feed[Any]):
    """The rows of one record's list that were read together with those of others."""

    def __init__(self, reading: Reading[Any], plan: Plan, source: Source, place: Place, measures: Measures, *, rows: Rows) -> None:
        super().__init__(reading, plan, source, place, measures)
        self.buffer.extend(rows.candidates)
        self.has_more = False
        source.pages, source.rows_scanned = 1, len(rows.candidates)
        source.read(reading.context.utc_now(), rows.age_seconds)
        if rows.dropped:
            source.lose_rows()

    async def fill(self, size: int) -> None:
        """It is full from the start: more rows than are wanted, or all there are."""


def siblings_of(key: object, reading: Reading[Any], plan: Plan, field: Field, size: int) -> Siblings:
    """The lists that are read together with one: of the same Crm and with the same `key`."""
    siblings = reading.context.siblings
    found = siblings.get(key)
    if found is None:
        assert plan.criteria is not None, "a list with rows has criteria"
        found = siblings[key] = Siblings(reading, plan, field, plan.criteria[1:], size)
    return found
