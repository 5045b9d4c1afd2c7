"""Counts and sums over opportunities."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import strawberry

from resolvers.arguments import CrmKeys, MaxAge
from resolvers.errors import bad_input
from resolvers.freshness import allowed
from resolvers.list_errors import is_selected, path_of, report
from resolvers.listing.filter_check import checked_filter
from resolvers.lists import Filter
from resolvers.node_id import encode
from resolvers.relation import ASSUMED_SIZE, attribute, computed, contextual, relation
from resolvers.summary.figures import Summary
from resolvers.summary.group_keys import GroupKey
from resolvers.summary.summarize import Request, summarize, tell_missing_rates
from resolvers.types.account import Account
from resolvers.types.connection import SOURCES, SourceStatus
from resolvers.types.enums import OpportunityStatus, described_enum
from resolvers.types.money import Money, checked_currency
from resolvers.types.pipeline import Pipeline
from resolvers.types.stage import Stage
from resolvers.types.user import User
from vendors.model import Ref

if TYPE_CHECKING:
    from resolvers.context import Context
    from resolvers.types.crm import Crm

MAX_GROUPS: Final = 1_000
DEFAULT_GROUPS: Final = 100
_CONVERTED: Final = ("total", "weightedTotal", "unconverted")
_MONEY: Final = (*_CONVERTED, "totals", "weightedTotals", "groups")  # groups come by their totals

described_enum(
    GroupKey,
    name="OpportunityGroupKey",
    description="What opportunities can be grouped by. Those without a value are a group of their own.",
    texts={
        "CRM": "The CRM it lives in.",
        "STATUS": "Whether it is open, won or lost.",
        "PIPELINE": "The pipeline it is in.",
        "STAGE": "The stage it is in.",
        "OWNER": "The user who owns it, in one CRM.",
        "ACCOUNT": "The company it is with, in one CRM.",
        "CURRENCY": "The currency of its amount.",
        "CLOSE_MONTH": "Month of its actual close date, or of the expected one while it is open or where there is no actual one.",
        "CREATED_MONTH": "Month in which it was created, in UTC.",
    },
)

GroupBy = Annotated[
    list[GroupKey] | None,
    strawberry.argument(description="What the groups have in common, each key once; no groups when absent or empty."),
]
TotalCurrency = Annotated[
    str | None,
    strawberry.argument(
        description="Currency of `total` and `weightedTotal`, as three ISO 4217 letters; the server's `money.currency` when absent."
    ),
]
CountDeleted = Annotated[bool, strawberry.argument(description="Whether opportunities that the vendor keeps as deleted count too.")]
FirstGroups = Annotated[
    int, strawberry.argument(description=f"Number of groups, from 1 to {MAX_GROUPS}; the one with the greatest total comes first.")
]


async def opportunity_summary(  # noqa: PLR0917  # the arguments of the field
    info: strawberry.Info[Any, Any],
    filter: Filter = None,  # noqa: A002  # the argument's name in the graph
    group_by: GroupBy = None,
    currency: TotalCurrency = None,
    crms: CrmKeys = None,
    include_deleted: CountDeleted = False,  # noqa: FBT002
    max_age: MaxAge = 0,
) -> Any:
    context: Context = info.context
    allowed(info, max_age)
    checked_filter(filter, context)
    keys = group_by or []
    for key in keys:
        if keys.count(key) > 1:
            raise bad_input(f"`groupBy` names {key.name} twice; leave one of them out.")
    request = Request(
        context=context,
        crms=context.chosen_crms(crms),
        filter=filter,
        keys=keys,
        currency=context.reporting_currency if currency is None else checked_currency(currency),
        path=path_of(info),
        include_deleted=include_deleted or (filter is not None and filter.deleted is True),
        with_money=any(is_selected(info, name) for name in _MONEY),
    )
    summary = await summarize(request)
    context.explained.append((request.path, summary.sources))
    if any(is_selected(info, name) or is_selected(info, "groups", name) for name in _CONVERTED):
        tell_missing_rates(summary, context)
    report(info, summary.sources)
    return summary


def _groups(self: Any, first: FirstGroups = DEFAULT_GROUPS) -> Any:
    summary: Summary = self
    if not 1 <= first <= MAX_GROUPS:
        raise bad_input(f"`first` must be from 1 to {MAX_GROUPS}, not {first}; narrow the filter or group by less.")
    return summary.ranked[:first]


def _global_id(type_name: str, key: str) -> Any:
    def value(group: Any) -> strawberry.ID | None:
        ref: Ref | None = getattr(group, key)
        return None if ref is None else strawberry.ID(encode(type_name, ref))

    return computed(value, f"Global id of the {key}, also where its record is gone; for a filter's `{key}Ids`.")


@strawberry.type(description="Opportunities that a total lacks, because there is no exchange rate for their currency, or they have none.")
class UnconvertedAmount:
    currency: str | None = attribute("ISO 4217 letters; null where the vendor does not say.")
    count: int = attribute("Number of opportunities with an amount or an expected revenue in it.")
    total: Decimal | None = attribute("Sum of their amounts; null when none has one.")
    weighted_total: Decimal | None = attribute("Sum of their expected revenues; null when none has one.")


@strawberry.type
class _Figures:
    count: int = attribute("Number of opportunities, also of those without an amount.")
    total: Money | None = attribute(
        "Sum of the amounts in one currency: each converted at the latest exchange rate, and the sum rounded half-even to the currency's"
        " minor units. Without the amounts in `unconverted`; null when there is no other, or no currency is named."
    )
    weighted_total: Money | None = attribute("Sum of `expectedRevenue` in one currency, in the same way.")
    totals: list[Money] = computed(
        lambda figures: figures.totals,
        "Exact sums of the amounts in their own currencies, by currency; those whose vendor does not say one are a sum of their own.",
        assumed_size=3,
    )
    weighted_totals: list[Money] = computed(
        lambda figures: figures.weighted_totals, "Exact sums of `expectedRevenue`, by currency.", assumed_size=3
    )
    unconverted: list[UnconvertedAmount] = computed(
        lambda figures: figures.unconverted, "What `total` and `weightedTotal` lack, by currency.", assumed_size=3
    )


@strawberry.type(description="Opportunities that have something in common. Keys that were not asked for are null.")
class OpportunityGroup(_Figures):
    keys: list[GroupKey] = computed(
        lambda group: group.keys, "What it is grouped by: if one of these is null here, it is the group of those without a value."
    )
    crm: Annotated["Crm", strawberry.lazy("resolvers.types.crm")] | None = contextual(
        lambda group, context: None if group.crm is None else context.crms[group.crm], "The CRM."
    )
    status: OpportunityStatus | None = attribute("The status.")
    pipeline: Pipeline | None = relation("The pipeline.", loader="pipelines_by_ref", key="pipeline")
    pipeline_id: strawberry.ID | None = _global_id("Pipeline", "pipeline")
    stage: Stage | None = relation("The stage.", loader="stages_by_ref", key="stage")
    stage_id: strawberry.ID | None = _global_id("Stage", "stage")
    owner: User | None = relation("The owner; null also where the vendor no longer tells the user.", loader="users_by_ref", key="owner")
    owner_id: strawberry.ID | None = _global_id("User", "owner")
    account: Account | None = relation(
        "The company; null also where the vendor no longer tells its record.", loader="accounts_by_ref", key="account"
    )
    account_id: strawberry.ID | None = _global_id("Account", "account")
    currency: str | None = attribute("The currency of the amounts, as ISO 4217 letters.")
    close_month: str | None = attribute("The month in which they were or will be closed, such as `2026-11`.")
    created_month: str | None = attribute("The month in which they were created, such as `2026-11`.")


@strawberry.type(description="Counts and sums over the opportunities of all CRMs.")
class OpportunitySummary(_Figures):
    currency: str | None = attribute("Currency of `total` and `weightedTotal`; null when none is named and the server has none.")
    groups: list[OpportunityGroup] = strawberry.field(
        resolver=_groups,
        description="The groups: the greatest total first, those without one last, and then by their keys.",
        metadata={ASSUMED_SIZE: DEFAULT_GROUPS},
    )
    group_count: int = computed(lambda summary: len(summary.ranked), "Number of all groups.")
    is_complete: bool = attribute("Whether every opportunity of every CRM is counted; if not, `sources` tells what is missing.")
    sources: list[SourceStatus] = computed(lambda summary: summary.sources, SOURCES, assumed_size=5)
