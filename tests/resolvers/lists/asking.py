"""Asking the graph for lists, page by page."""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from types import ModuleType
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from resolvers.rates import RateTable
from server.context import ContextMaker
from server.cursors import SignedCursors
from server.indexes import MemoryIndexes
from tests.resolvers.graph import Graph
from tests.resolvers.lists.raw import apideck, autotask, onlyoffice, pipeliner, sharpspring
from tests.resolvers.lists.raw.common import Row
from tests.resolvers.lists.reference import RATES, REPORTING_CURRENCY, Deal, Json, row_of, the_list

LocalRow = tuple[str, str]

_TIMES: Final = int(os.environ.get("LIST_EXAMPLES", "1"))
"""How many times as many examples as usual are tried; more than 1 also tries others every time."""

_RAW: Final[Mapping[str, ModuleType]] = {
    "apideck": apideck,
    "autotask": autotask,
    "onlyoffice": onlyoffice,
    "pipeliner": pipeliner,
    "sharpspring": sharpspring,
}
_RATES: Final = RateTable(
    "EUR", [(date(1970, 1, 1), {key: Decimal(rate.numerator) / rate.denominator for key, rate in RATES.items() if key != "EUR"})]
)
_MOST_PAGES: Final = 200
_ENOUGH_PAGES: Final = 6
_KEPT_SECONDS: Final = 1_000.0  # longer than any index is kept

PAGE: Final = """
    totalCount
    edges { cursor node { id } }
    nodes { id }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    sources { crm { key } status code message evaluatedHere totalCount totalCountOrigin }
"""
_ARGUMENTS: Final = (
    "first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy, includeDeleted: $deleted"
)
_VARIABLES: Final = (
    "$first: Int, $after: String, $last: Int, $before: String,"
    " $filter: OpportunityFilter, $orderBy: [OpportunityOrder!], $deleted: Boolean!"
)
_LIST: Final = f"query List({_VARIABLES}) {{ opportunities({_ARGUMENTS}) {{ {PAGE} }} }}"
_PARENTS: Final = ("Account", "Contact", "User", "Stage", "Pipeline")
_OF_EACH: Final = " ".join(f"... on {name} {{ opportunities({_ARGUMENTS}) {{ {PAGE} }} }}" for name in _PARENTS)
_OF_ONE: Final = f"query Of($of: ID!, {_VARIABLES}) {{ node(id: $of) {{ {_OF_EACH} }} }}"


def examples(number: int) -> settings:
    """So many examples, the same ones every time unless the environment asks for more."""
    return settings(
        max_examples=number * _TIMES,
        derandomize=_TIMES == 1,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


@dataclass(slots=True)
class Clock:
    """Seconds that pass when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A list that is asked for. `of` is the record whose opportunities they are; None for those of all Crms."""

    filter: Json | None = None
    order_by: Sequence[Json] = ()
    include_deleted: bool = False
    of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page as the graph gave it."""

    rows: list[LocalRow]
    cursors: list[str]
    start: str | None
    end: str | None
    has_next: bool
    has_previous: bool
    total: int | None
    sources: list[Json] = field(default_factory=list[Json])

    @property
    def is_evaluated_here(self) -> bool:
        return any(source["evaluatedHere"] for source in self.sources)

    def failed(self) -> dict[str, str]:
        return {source["crm"]["key"]: source["message"] for source in self.sources if source["status"] not in {"OK", "SKIPPED"}}


class World:
    """A graph over the five sandboxes, whose opportunities every example replaces."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._crms = {key: ground.crm for key, ground in graph.grounds.items()}
        self._raw = {key: _RAW[crm.vendor.key] for key, crm in self._crms.items()}
        self._clock = Clock()
        self.keys = sorted(self._crms)
        self.begin({key: [] for key in self._crms})

    @property
    def contents(self) -> st.SearchStrategy[dict[str, list[Row]]]:
        """Opportunities for every Crm."""
        return st.fixed_dictionaries({key: raw.rows for key, raw in self._raw.items()})

    @property
    def today(self) -> date:
        return datetime.now(UTC).date()

    def begin(self, contents: Mapping[str, list[Row]]) -> list[Deal]:
        """Put these opportunities in the place of all others, and forget what was kept of those."""
        for key, rows in contents.items():
            self._raw[key].fill(self.graph.grounds[key].sandbox.app, rows)
            self.graph.grounds[key].control.calls.clear()
        self.graph.make = ContextMaker(
            self._crms,
            SignedCursors(b"a key that only tests have"),
            indexes=MemoryIndexes(self._clock),
            rates=lambda: _RATES,
            reporting_currency=REPORTING_CURRENCY,
        )
        return self.deals()

    def deals(self) -> list[Deal]:
        """What the sandboxes hold now, in the native order of each."""
        return [deal for key in self.keys for deal in self._raw[key].deals(self.graph.grounds[key].sandbox.app, key)]

    def vendor(self, key: str) -> str:
        return self._crms[key].vendor.key

    def age(self) -> None:
        """Let time pass until no index is fresh any more."""
        self._clock.seconds += _KEPT_SECONDS

    def expected(self, deals: Sequence[Deal], asked: Asked) -> list[LocalRow]:
        found = the_list(deals, filter_=asked.filter, order_by=asked.order_by, include_deleted=asked.include_deleted, today=self.today)
        return [deal.row for deal in found]

    async def page(
        self, asked: Asked, *, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> Page:
        data = await self.graph.data(
            _LIST if asked.of is None else _OF_ONE,
            first=first,
            after=after,
            last=last,
            before=before,
            filter=asked.filter,
            orderBy=asked.order_by or None,
            deleted=asked.include_deleted,
            **({} if asked.of is None else {"of": asked.of}),
        )
        found: Json = (data if asked.of is None else data["node"])["opportunities"]
        info: Json = found["pageInfo"]
        assert [edge["node"]["id"] for edge in found["edges"]] == [node["id"] for node in found["nodes"]]
        return Page(
            rows=[row_of(node["id"]) for node in found["nodes"]],
            cursors=[edge["cursor"] for edge in found["edges"]],
            start=info["startCursor"],
            end=info["endCursor"],
            has_next=info["hasNextPage"],
            has_previous=info["hasPreviousPage"],
            total=found["totalCount"],
            sources=found["sources"],
        )

    async def forwards(self, asked: Asked, sizes: Iterator[int], *, after: str | None = None) -> list[Page]:
        """All pages behind a cursor."""
        pages: list[Page] = []
        while not pages or pages[-1].has_next:
            pages.append(await self.page(asked, first=next(sizes), after=after))
            after = pages[-1].end or after
            assert len(pages) < _MOST_PAGES
        return pages

    async def backwards(self, asked: Asked, sizes: Iterator[int], *, before: str | None = None) -> list[Page]:
        """All pages before a cursor, the last rows first."""
        pages: list[Page] = []
        while not pages or pages[-1].has_previous:
            pages.append(await self.page(asked, last=next(sizes), before=before))
            before = pages[-1].start or before
            assert len(pages) < _MOST_PAGES
        return pages


def page_sizes(number: int) -> st.SearchStrategy[Iterator[int]]:
    """Sizes of the pages of a list of so many rows, which then has not too many of them."""
    least = max(1, min(100, number // _ENOUGH_PAGES))
    sizes = st.lists(st.one_of(st.integers(least, least + 6), st.just(100)), min_size=1, max_size=3)
    return sizes.map(itertools.cycle)


def in_reading_order(pages: Sequence[Page]) -> list[LocalRow]:
    return [row for page in pages for row in page.rows]


def in_list_order(pages: Sequence[Page]) -> list[LocalRow]:
    """The rows of pages that were read backwards."""
    return [row for page in reversed(pages) for row in page.rows]
