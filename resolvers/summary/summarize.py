"""Counts and sums over all Crms: each is read and tallied by itself, and the tallies are put together."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any, Final

from resolvers.errors import contained
from resolvers.listing.entries import Entry
from resolvers.listing.feed import noted
from resolvers.listing.index import fresh_index, indexed, note_age
from resolvers.listing.kinds import OPPORTUNITIES
from resolvers.listing.moment import Moment, moment_of
from resolvers.listing.opportunity_criteria import opportunity_criteria
from resolvers.listing.order import tie
from resolvers.listing.plan import Plan, plan_of
from resolvers.listing.source import Source, Strategy, labels
from resolvers.summary.figures import Exchange, Group, Summary
from resolvers.summary.group_keys import COLUMNS, GroupKey, reader
from resolvers.summary.tally import DIGITS, Tallies, Tally
from resolvers.types.enums import Consistency, CountOrigin, SourceState
from resolvers.types.filters import OpportunityFilter
from vendors.calls import Deadline, current_deadline, deadline_scope, warn_again
from vendors.errors import VendorError
from vendors.model import Ref
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context

_BREATH: Final = 5_000
_SHARE_OF_DEADLINE: Final = 0.7  # the rest of the time is for the relations of groups
_MONEY: Final = frozenset({"amount", "currency", "weighted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for.

    Args:
        context: The operation.
        crms: The Crms to ask, in the order of their keys.
        filter: Which opportunities count; all when None.
        keys: What they are grouped by.
        currency: The currency of the totals; None for none.
        path: Where it stands in the answer.
        include_deleted: Whether opportunities that a vendor keeps as deleted count.
        with_money: Whether anything but counts is wanted.
    """

    context: "Context"
    crms: Sequence[Crm]
    filter: OpportunityFilter | None
    keys: Sequence[GroupKey]
    currency: str | None
    path: Sequence[str | int]
    include_deleted: bool = False
    with_money: bool = True


async def summarize(request: Request) -> Summary:
    """Count and sum over all Crms. One that fails takes nothing away from the others, and its source says so."""
    context = request.context
    moment = moment_of(context, context.utc_now().date())
    sources = [
        Source(crm=crm, consistency=Consistency.STRICT if crm.vendor.has_strict_pages else Consistency.BEST_EFFORT) for crm in request.crms
    ]
    with deadline_scope(_deadline()):
        found = await asyncio.gather(*(_guarded(request, source, moment) for source in sources))
    exchange = Exchange(context.rates, request.currency, moment.today)
    summary = await asyncio.to_thread(_put_together, found, sources, exchange, request.keys)
    for converter in moment.converters:
        converter.tell()
    return summary


def tell_missing_rates(summary: Summary, context: "Context") -> None:
    """Count, for the answer's warnings, the opportunities that the totals lack."""
    for missing in summary.unconverted:
        for _ in range(missing.count):
            context.missing_rates.note(missing.currency, summary.currency or "")


async def _guarded(request: Request, source: Source, moment: Moment) -> Tallies:
    """The tallies of one Crm; whatever happens there takes nothing away from the others."""
    try:
        with noted(request.context, source, request.path):
            return await _tallied(request, source, moment)
    except VendorError as error:
        source.fail(error)
    except Exception as defect:  # noqa: BLE001  # as said
        source.fail(contained(defect, crm=source.crm.key))
    return {}


async def _tallied(request: Request, source: Source, moment: Moment) -> Tallies:
    context, crm = request.context, source.crm
    criteria = await opportunity_criteria(context, crm, request.filter, moment)
    if criteria is None:
        source.status, source.total_count, source.total_count_origin = SourceState.SKIPPED, 0, CountOrigin.SCAN
        return {}
    plan = plan_of(OPPORTUNITIES, crm, criteria, None)
    columns = plan.columns.union(_MONEY if request.with_money else (), *(COLUMNS[key] for key in request.keys))
    plan = replace(plan, columns=columns)
    source.strategy = Strategy.INDEX
    source.pushed_down = labels(plan.pushdown.conditions)
    source.evaluated_here = [*(criterion.label for criterion in plan.residual), *(["groupBy"] if request.keys else [])]
    index = fresh_index(context, OPPORTUNITIES, plan, include_deleted=request.include_deleted)
    if index is None:
        index = await indexed(context, OPPORTUNITIES, plan, include_deleted=request.include_deleted)
        source.rows_scanned = len(index.entries)
    else:
        source.cache_hits = 1
    note_age(context, index)
    warn_again(index.warnings)
    source.read_from(index.fetched_at, context.utc_now())
    tallies = await _tallies(plan, index.entries, request)
    source.rows = sum(tally.count for tally in tallies.values())
    if index.dropped:
        source.lose_rows()
    else:
        source.total_count, source.total_count_origin = source.rows, CountOrigin.SCAN
    return tallies


async def _tallies(plan: Plan, entries: Sequence[Entry], request: Request) -> Tallies:
    """Tally the entries that belong to the list by their keys, and let others run meanwhile."""
    tallies: Tallies = {}
    readers = [reader(key, plan.crm.key) for key in request.keys]
    for start in range(0, len(entries), _BREATH):
        matching = [entry for entry in entries[start : start + _BREATH] if plan.matches(entry)]
        with localcontext(prec=DIGITS):
            for entry in matching:
                values = tuple(read(entry) for read in readers)
                tally = tallies.get(values)
                if tally is None:
                    tally = tallies[values] = Tally()
                tally.add(entry, with_money=request.with_money)
        await asyncio.sleep(0)
    return tallies


def _put_together(found: Sequence[Tallies], sources: Sequence[Source], exchange: Exchange, keys: Sequence[GroupKey]) -> Summary:
    """Merge the tallies of all Crms, and bring the groups into their order: the greatest total first, those without one last."""
    merged: Tallies = {}
    overall = Tally()
    with localcontext(prec=DIGITS):
        for tallies in found:
            for values, tally in tallies.items():
                merged.setdefault(values, Tally()).merge(tally)
                overall.merge(tally)
    ranked: list[tuple[Any, Group]] = []
    for values, tally in merged.items() if keys else ():
        group = Group(tally, exchange, keys, values)
        total = group.total
        ranked.append(((total is None, Decimal(0) if total is None else total.amount.copy_negate(), [*map(_comparable, values)]), group))
    ranked.sort(key=lambda item: item[0])
    return Summary(overall, exchange, sources, [group for _, group in ranked])


def _comparable(value: str | Ref | None) -> tuple[Any, ...]:
    """Something that sorts the values of one key, None last."""
    if value is None:
        return (True,)
    return (False, tie(*value) if isinstance(value, Ref) else value)


def _deadline() -> Deadline | None:
    whole = current_deadline()
    return None if whole is None else Deadline(whole.clock() + whole.remaining() * _SHARE_OF_DEADLINE, whole.clock)
