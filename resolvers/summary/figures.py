"""What was counted as the graph shows it: each sum is converted once, at the rates of the day, and rounded at the very end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from resolvers.listing.source import Source
from resolvers.rates import Rates
from resolvers.summary.group_keys import GroupKey, Values
from resolvers.summary.tally import DIGITS, Sum, Tally
from resolvers.types.enums import SourceState
from vendors.model import Money, OpportunityStatus, Ref, minor_units


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
        with localcontext(prec=DIGITS):
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
