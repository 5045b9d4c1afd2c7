"""Counting opportunities, and summing them exactly by their own currency."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from resolvers.listing.entries import Entry
from resolvers.summary.group_keys import Values

DIGITS: Final = 200  # amounts of vendors have at most 50, and as many behind the point; rates have 34


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


def _added(total: Decimal | None, amount: Decimal | None) -> Decimal | None:
    if total is None or amount is None:
        return amount if total is None else total
    return total + amount
