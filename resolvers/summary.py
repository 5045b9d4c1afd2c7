"""Counts and sums over the opportunities of all Crms, as a whole and in groups.

Amounts are summed exactly and by their own currency; each sum is converted once, at the rates of the day, and rounded at the very end.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from resolvers.errors import contained
from resolvers.listing.criteria import Moment, moment_of, opportunity_criteria
from resolvers.listing.entries import Entry
from resolvers.listing.feed import noted
from resolvers.listing.index import fresh_index, indexed
from resolvers.listing.kinds import OPPORTUNITIES
from resolvers.listing.order import tie
from resolvers.listing.plan import Plan, plan_of
from resolvers.listing.source import Source, Strategy, labels
from resolvers.rates import Rates
from resolvers.types.enums import Consistency, CountOrigin, SourceState
from resolvers.types.filters import OpportunityFilter
from vendors.calls import Deadline, current_deadline, deadline_scope
from vendors.errors import VendorError
from vendors.model import Money, OpportunityStatus, Ref, minor_units
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context

_BREATH: Final = 5_000
_DIGITS: Final = 200  # amounts of vendors have at most 50, and as many behind the point; rates have 34
_SHARE_OF_DEADLINE: Final = 0.7  # the rest of the time is for the relations of groups
_MONEY: Final = frozenset({"amount", "currency", "weighted"})


class GroupKey(StrEnum):
    """What opportunities can be grouped by."""

    CRM = "crm"
    STATUS = "status"
    PIPELINE = "pipeline"
    STAGE = "stage"
    OWNER = "owner"
    ACCOUNT = "account"
    CURRENCY = "currency"
    CLOSE_MONTH = "close_month"
    CREATED_MONTH = "created_month"


_COLUMNS: Final[Mapping[GroupKey, frozenset[str]]] = {
    GroupKey.CRM: frozenset(),
    GroupKey.STATUS: frozenset({"status"}),
    GroupKey.PIPELINE: frozenset({"pipeline"}),
    GroupKey.STAGE: frozenset({"stage"}),
    GroupKey.OWNER: frozenset({"owner"}),
    GroupKey.ACCOUNT: frozenset({"account"}),
    GroupKey.CURRENCY: frozenset({"amount", "currency"}),
    GroupKey.CLOSE_MONTH: frozenset({"status", "actual_close_date", "expected_close_date"}),
    GroupKey.CREATED_MONTH: frozenset({"created_at"}),
}

Values = tuple[Any, ...]
"""What the rows of a group have in common, one value for each key; a Ref for a record."""


@dataclass(slots=True)
class Sum:
    """What the opportunities of one currency sum up to.

    Attributes:
        count: How many have an amount or an expected revenue.
        total: Their amounts; None when none has one.
        weighted: Their expected revenues; None when none has one.
    """

    count: int = 0
    total: Decimal | None = None
    weighted: Decimal | None = None

    def add(self, count: int, amount: Decimal | None, weighted: Decimal | None) -> None:
        self.count += count
        self.total = _added(self.total, amount)
        self.weighted = _added(self.weighted, weighted)


@dataclass(slots=True)
class Tally:
    """Counts opportunities, and sums what they are worth by currency."""

    count: int = 0
    sums: dict[str | None, Sum] = field(default_factory=dict[str | None, Sum])

    def add(self, entry: Entry, *, with_money: bool) -> None:
        self.count += 1
        if not with_money:
            return
        amount, weighted = entry.amount, entry.weighted
        if amount is not None or weighted is not None:
            self._sum_in(entry.currency).add(1, amount, weighted)

    def merge(self, other: "Tally") -> None:
        self.count += other.count
        for currency, summed in other.sums.items():
            self._sum_in(currency).add(summed.count, summed.total, summed.weighted)

    def _sum_in(self, currency: str | None) -> Sum:
        found = self.sums.get(currency)
        if found is None:
            found = self.sums[currency] = Sum()
        return found


Tallies = dict[Values, Tally]


class Exchange:
    """Converts sums to one currency.

    Args:
        rates: The rates.
        currency: The currency to convert to; None converts nothing.
        on: Day of the rates.
    """

    def __init__(self, rates: Rates, currency: str | None, on: date) -> None:
        self.currency = currency
        self._rates = rates
        self._on = on
        self._known: dict[str | None, Decimal | None] = {None: None}

    def rate(self, source: str | None) -> Decimal | None:
        """What one unit of a currency is worth; None when there is no rate, or the currency is unknown."""
        if source not in self._known:
            found = None if source is None or self.currency is None else self._rates.rate(source, self.currency, self._on)
            self._known[source] = None if found is None else found.value
        return self._known[source]

    def total(self, sums: Iterable[tuple[str | None, Decimal | None]]) -> Money | None:
        """The sums of several currencies in this one, rounded at the end; None when there are some and not one can be converted."""
        if self.currency is None:
            return None
        present = [(currency, amount) for currency, amount in sums if amount is not None]
        with localcontext(prec=_DIGITS):
            parts = [amount * rate for currency, amount in present if (rate := self.rate(currency)) is not None]
            if present and not parts:
                return None
            unit = Decimal(1).scaleb(-minor_units(self.currency))
            return Money(amount=sum(parts, Decimal(0)).quantize(unit, rounding=ROUND_HALF_EVEN), currency=self.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnconvertedAmount:
    """What a total lacks, because there is no rate for it."""

    currency: str | None
    count: int
    total: Decimal | None
    weighted_total: Decimal | None


class Figures:
    """The numbers of a tally, as the graph shows them."""

    def __init__(self, tally: Tally, exchange: Exchange) -> None:
        self._tally = tally
        self._exchange = exchange

    @property
    def count(self) -> int:
        return self._tally.count

    @property
    def total(self) -> Money | None:
        return self._exchange.total((currency, summed.total) for currency, summed in self._sums())

    @property
    def weighted_total(self) -> Money | None:
        return self._exchange.total((currency, summed.weighted) for currency, summed in self._sums())

    @property
    def totals(self) -> list[Money]:
        return [Money(amount=summed.total, currency=currency) for currency, summed in self._sums() if summed.total is not None]

    @property
    def weighted_totals(self) -> list[Money]:
        return [Money(amount=summed.weighted, currency=currency) for currency, summed in self._sums() if summed.weighted is not None]

    @property
    def unconverted(self) -> list[UnconvertedAmount]:
        if self._exchange.currency is None:
            return []
        return [
            UnconvertedAmount(currency=currency, count=summed.count, total=summed.total, weighted_total=summed.weighted)
            for currency, summed in self._sums()
            if self._exchange.rate(currency) is None
        ]

    def _sums(self) -> list[tuple[str | None, Sum]]:
        return sorted(self._tally.sums.items(), key=lambda item: (item[0] is None, item[0] or ""))


class Group(Figures):
    """Opportunities that have something in common: the attributes named like their keys. The others are None."""

    crm: str | None = None
    status: OpportunityStatus | None = None
    pipeline: Ref | None = None
    stage: Ref | None = None
    owner: Ref | None = None
    account: Ref | None = None
    currency: str | None = None
    close_month: str | None = None
    created_month: str | None = None

    def __init__(self, tally: Tally, exchange: Exchange, keys: Sequence[GroupKey], values: Values) -> None:
        super().__init__(tally, exchange)
        self.keys = keys
        for key, value in zip(keys, values, strict=True):
            setattr(self, key.value, value)


class Summary(Figures):
    """Counts and sums over all Crms."""

    def __init__(self, tally: Tally, exchange: Exchange, sources: Sequence[Source], ranked: Sequence[Group]) -> None:
        super().__init__(tally, exchange)
        self.currency = exchange.currency
        self.sources = sources
        self.ranked = ranked

    @property
    def is_complete(self) -> bool:
        """Whether every opportunity of every Crm is counted."""
        return all(source.error is None and source.status in {SourceState.OK, SourceState.SKIPPED} for source in self.sources)


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
    columns = plan.columns.union(_MONEY if request.with_money else (), *(_COLUMNS[key] for key in request.keys))
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
    readers = [_reader(key, plan.crm.key) for key in request.keys]
    for start in range(0, len(entries), _BREATH):
        matching = [entry for entry in entries[start : start + _BREATH] if plan.matches(entry)]
        with localcontext(prec=_DIGITS):
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
    with localcontext(prec=_DIGITS):
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


def _reader(key: GroupKey, crm: str) -> Callable[[Entry], Any]:
    """What a Crm's row has for a key."""

    def read_close_month(entry: Entry) -> str | None:
        day = None if entry.status is OpportunityStatus.OPEN else entry.actual_close_date
        return _month(day or entry.expected_close_date)

    def read_ref(entry: Entry) -> Ref | None:
        local_id = getattr(entry, key.value)
        return None if local_id is None else Ref(crm, local_id)

    match key:
        case GroupKey.CRM:
            return lambda _: crm
        case GroupKey.PIPELINE | GroupKey.STAGE | GroupKey.OWNER | GroupKey.ACCOUNT:
            return read_ref
        case GroupKey.STATUS:
            return lambda entry: entry.status
        case GroupKey.CURRENCY:
            return lambda entry: entry.currency
        case GroupKey.CLOSE_MONTH:
            return read_close_month
        case GroupKey.CREATED_MONTH:
            return lambda entry: _month(entry.created_at)


def _month(day: date | datetime | None) -> str | None:
    return None if day is None else day.isoformat()[:7]


def _comparable(value: str | Ref | None) -> tuple[Any, ...]:
    """Something that sorts the values of one key, None last."""
    if value is None:
        return (True,)
    return (False, tie(*value) if isinstance(value, Ref) else value)


def _added(total: Decimal | None, amount: Decimal | None) -> Decimal | None:
    if total is None or amount is None:
        return amount if total is None else total
    return total + amount


def _deadline() -> Deadline | None:
    whole = current_deadline()
    return None if whole is None else Deadline(whole.clock() + whole.remaining() * _SHARE_OF_DEADLINE, whole.clock)
