"""Exchange rates: the look-up that an operation is given, and what is made with it. Pure: nothing here reads a file.

A rate is of one day. The newest day that is not after the asked one counts, because there are no rates of weekends and holidays. A
currency that is missing on that day is looked for up to a week before it, and not longer: one that is no longer quoted has no rate any
more, instead of its last one for ever.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Final, NamedTuple, Protocol

from vendors.model import minor_units

MAX_RATE_DIGITS: Final = 18
"""A quoted rate has no more digits than these, those behind the point included."""

_RATE_DIGITS: Final = 34  # of a rate through the base, which may have no end
_AMOUNT_DIGITS: Final = 200  # amounts of vendors have at most 50, and as many behind the point; no digit is lost before the rounding
_LOOK_BACK_DAYS: Final = 7
_ONE: Final = Decimal(1)
_NO_RATE: Final = 0


class Rate(NamedTuple):
    """What one unit of the source is worth in the target, as quoted on a day."""

    value: Decimal
    on: date


class Rates(Protocol):
    """Looks rates up."""

    @property
    def latest(self) -> date | None:
        """The newest day; None when there are no rates at all."""
        ...

    def rate(self, source: str, target: str, on: date | None = None) -> Rate | None:
        """The rate of a day, or the latest.

        Args:
            source: ISO 4217 letters.
            target: ISO 4217 letters.
            on: The newest day that is not after this one is taken; None takes the latest.

        Returns:
            The rate, to 34 digits where it goes through a third currency. None when a currency is not quoted then, or the day is before
            the first. A currency in itself is 1 on the asked day, whatever the rates are, or on the latest.
        """
        ...


class Converted(NamedTuple):
    """An amount in another currency, and the rate it was made with."""

    amount: Decimal
    currency: str
    rate: Decimal
    rate_date: date


def converted(rates: Rates, amount: Decimal, source: str, target: str, on: date | None = None) -> Converted | None:
    """The amount times the rate, rounded half-even to the target's minor units; None when there is no rate."""
    rate = rates.rate(source, target, on)
    if rate is None:
        return None
    with localcontext(prec=_AMOUNT_DIGITS):
        product = (amount * rate.value).quantize(_ONE.scaleb(-minor_units(target)), rounding=ROUND_HALF_EVEN)
    return Converted(amount=product, currency=target, rate=rate.value, rate_date=rate.on)


class _Column:
    """The rates of one currency, a row a day: a whole number and a power of ten each. Nine bytes a day, and every digit is kept."""

    __slots__ = ("powers", "wholes")

    def __init__(self) -> None:
        self.wholes = array("q")
        self.powers = array("b")

    def put(self, row: int, value: Decimal) -> None:
        """Note the rate of a row behind the last one."""
        self.fill(row)
        power = value.as_tuple().exponent
        assert isinstance(power, int)  # it is finite
        self.wholes.append(int(value.scaleb(-power)))
        self.powers.append(power)

    def fill(self, rows: int) -> None:
        """Note that the further rows up to that number have no rate."""
        missing = rows - len(self.wholes)
        self.wholes.extend([_NO_RATE] * missing)
        self.powers.extend([0] * missing)

    def sort(self, order: Sequence[int]) -> None:
        self.wholes = array("q", [self.wholes[row] for row in order])
        self.powers = array("b", [self.powers[row] for row in order])

    def at(self, row: int) -> Decimal | None:
        whole = self.wholes[row]
        return None if whole == _NO_RATE else Decimal(whole).scaleb(self.powers[row])


class RateTable:
    """Rates of days, in units of each currency for one of the base: 27 years of the European Central Bank's take about 3 MB.

    Args:
        base: ISO 4217 letters.
        days: The days in any order, each once, with the rates of the other currencies; a rate is above 0 and has at most
            `MAX_RATE_DIGITS` digits.
    """

    def __init__(self, base: str, days: Iterable[tuple[date, Mapping[str, Decimal]]] = ()) -> None:
        self.base = base
        self._columns: dict[str, _Column] = {}
        read: list[date] = []
        for row, (day, values) in enumerate(days):
            read.append(day)
            for currency, value in values.items():
                if currency not in self._columns:
                    self._columns[currency] = _Column()
                self._columns[currency].put(row, value)
        order = sorted(range(len(read)), key=read.__getitem__)
        self._days = [read[row] for row in order]
        for column in self._columns.values():
            column.fill(len(read))
            column.sort(order)

    @property
    def latest(self) -> date | None:
        return self._days[-1] if self._days else None

    def rate(self, source: str, target: str, on: date | None = None) -> Rate | None:
        if source == target:
            day = on or self.latest
            return None if day is None else Rate(_ONE, day)
        newest = (len(self._days) if on is None else bisect_right(self._days, on)) - 1
        with localcontext(prec=_RATE_DIGITS):
            for row in range(newest, -1, -1):
                if (self._days[newest] - self._days[row]).days > _LOOK_BACK_DAYS:
                    break
                divisor, dividend = self._per_base(source, row), self._per_base(target, row)
                if divisor is not None and dividend is not None:
                    return Rate(dividend / divisor, self._days[row])
        return None

    def _per_base(self, currency: str, row: int) -> Decimal | None:
        if currency == self.base:
            return _ONE
        column = self._columns.get(currency)
        return None if column is None else column.at(row)


NO_RATES: Final = RateTable("EUR")
"""Knows no currency but in itself."""


class MissingRates:
    """Counts amounts that an operation could not convert, by the two currencies; a source of None is an amount without a currency."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str | None, str], int] = {}

    def note(self, source: str | None, target: str) -> None:
        self._counts[source, target] = self._counts.get((source, target), 0) + 1

    def messages(self, rates: Rates) -> list[str]:
        """A sentence for each pair that says how many amounts there were, and what to do."""
        return [
            f"{'1 amount' if count == 1 else f'{count} amounts'} {f'in {source}' if source else 'without a currency'}"
            f" could not be converted to {target}: {_why(rates, source, target)}"
            for (source, target), count in self._counts.items()
        ]


def _why(rates: Rates, source: str | None, target: str) -> str:
    if source is None:
        return "the CRM does not say what they are in; set the currency there, or in the CRM's settings where they have it."
    if rates.latest is None:
        return "no exchange rates are configured; set money.rates_file or [money.rates]."
    if rates.rate(source, target) is not None:
        return f"there is no rate for the day asked for; ask for a later one, up to {rates.latest}."
    return f"the exchange rates have no {source} or no {target} on {rates.latest}; choose another currency or add it to the rates."
