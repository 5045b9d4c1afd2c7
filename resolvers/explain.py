"""How an answer came about: which vendor calls were made, what the vendors evaluated and what was evaluated here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import strawberry

from resolvers.arguments import After, Before, CrmKeys, First, IncludeDeleted, Last, MaxAge
from resolvers.context import Context
from resolvers.freshness import allowed
from resolvers.listing.pages import planned_sources, read_page
from resolvers.listing.request import Listing
from resolvers.listing.source import Source, Strategy
from resolvers.lists import Filter, OrderByArgument, opportunity_listing
from resolvers.relation import ASSUMED_SIZE, attribute, computed
from resolvers.types.connection import SourceStatus
from resolvers.types.enums import described_enum
from vendors.calls import VendorCall

_SHOWN_CALLS: Final = 200

described_enum(
    Strategy,
    name="ReadingStrategy",
    description="How the rows of a CRM are found.",
    texts={
        "PAGES": "From the vendor's pages in its native order, as far as the page needs.",
        "SORTED_PAGES": "From the vendor's pages in the order asked for, as far as the page needs.",
        "INDEX": "From an index that one scan fills and that is kept for a while; the page's records are then read by id.",
        "NONE": "Not at all: no row of the CRM can belong to the page, or it could not be planned.",
    },
)

DryRun = Annotated[
    bool, strawberry.argument(description="Whether to only plan: no vendor is called, and what only a call could tell is left open.")
]


@dataclass(frozen=True, slots=True)
class _Part:
    source: Source
    is_dry: bool


@strawberry.type(description="How one CRM's part of a list is found.")
class SourcePlan:
    source: SourceStatus = computed(lambda plan: plan.source, "What `sources` of the list says.")
    strategy: Strategy = attribute("How its rows are found.", always="source.strategy")
    pages: int | None = computed(
        lambda plan: None if plan.is_dry else plan.source.pages, "Number of pages read from the vendor; null for a dry run."
    )
    rows_scanned: int | None = computed(
        lambda plan: None if plan.is_dry else plan.source.rows_scanned, "Number of rows looked at; null for a dry run."
    )
    cache_hits: int = attribute("How often something kept made a call unnecessary.", always="source.cache_hits")
    milliseconds: float = computed(lambda plan: round(plan.source.milliseconds, 1), "Time spent on it, waiting included.")
    least_calls: int = attribute(
        "For a dry run: the least number of vendor calls that it takes; a scan takes more, by the number of rows.",
        always="source.least_calls",
    )
    needs_call: bool = attribute(
        "For a dry run: whether the plan depends on a table or an index that has to be read first.", always="source.needs_call"
    )


@strawberry.type(description="How a list of opportunities comes about.")
class ListPlan:
    dry_run: bool = computed(lambda plan: plan[0], "Whether no vendor was called.")
    rows: int | None = computed(
        lambda plan: None if plan[0] else sum(source.rows for source in plan[1]),
        "Number of rows on the page; null for a dry run, which reads none.",
    )
    vendor_calls: int | None = computed(
        lambda plan: None if plan[0] else sum(source.vendor_calls for source in plan[1]),
        "Number of vendor calls for the page, without those for relations; null for a dry run, which `leastCalls` tell of.",
    )
    plans: list[SourcePlan] = computed(
        lambda plan: [_Part(source, is_dry=plan[0]) for source in plan[1]], "How every CRM's part is found.", assumed_size=5
    )


async def explain(  # noqa: PLR0917  # the arguments of the list
    info: strawberry.Info[Any, Any],
    filter: Filter = None,  # noqa: A002
    order_by: OrderByArgument = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    crms: CrmKeys = None,
    include_deleted: IncludeDeleted = False,  # noqa: FBT002
    max_age: MaxAge = 0,
    dry_run: DryRun = False,  # noqa: FBT002
) -> Any:
    listing: Listing[Any] = opportunity_listing(
        info,
        filter,
        order_by,
        first=first,
        after=after,
        last=last,
        before=before,
        crms=crms,
        include_deleted=include_deleted,
        max_age=allowed(info, max_age),
    )
    return dry_run, await planned_sources(listing) if dry_run else (await read_page(listing)).sources


explain_field: Any = strawberry.field(
    resolver=explain,
    description="How the page of `opportunities` with the same arguments comes about. It is read for it, unless `dryRun`. A request with"
    ' `extensions: {"explain": true}` gets the same for everything in it, in `extensions.explain` of the answer.',
    metadata={ASSUMED_SIZE: 1},
)


def explanation(context: Context, milliseconds: float) -> dict[str, Any]:
    """What `extensions.explain` of an answer holds."""
    by_crm: dict[str, list[VendorCall]] = {}
    for call in context.recorder.calls:
        by_crm.setdefault(call.crm, []).append(call)
    return {
        "milliseconds": round(milliseconds, 1),
        "cacheHits": context.recorder.cache_hits,
        "crms": [_crm(context, key, by_crm.get(key, ())) for key in context.crms],
        "lists": [{"path": list(path), "sources": [_source(source) for source in sources]} for path, sources in context.explained],
    }


def _crm(context: Context, key: str, calls: Sequence[VendorCall]) -> Mapping[str, Any]:
    return {
        "crm": key,
        "vendor": context.crms[key].vendor.key.upper(),
        "vendorCalls": len(calls),
        "calls": [
            {"operation": call.operation, "status": call.status, "milliseconds": round(call.seconds * 1_000, 1)}
            for call in calls[:_SHOWN_CALLS]
        ],
    }


def _source(source: Source) -> Mapping[str, Any]:
    return {
        "crm": source.crm.key,
        "status": source.status.name,
        "strategy": source.strategy.name,
        "pushedDown": list(source.pushed_down),
        "evaluatedHere": list(source.evaluated_here),
        "vendorCalls": source.vendor_calls,
        "pages": source.pages,
        "rowsScanned": source.rows_scanned,
        "rows": source.rows,
        "cacheHits": source.cache_hits,
        "fetchedAt": None if source.fetched_at is None else source.fetched_at.isoformat(),
        "ageSeconds": source.age_seconds,
        "milliseconds": round(source.milliseconds, 1),
    }
