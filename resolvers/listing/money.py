"""Converting the amounts of a list, with what cannot be converted counted."""

from datetime import date
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

from resolvers.errors import bad_input
from resolvers.listing.entries import Entry
from resolvers.types.money import checked_currency

if TYPE_CHECKING:
    from resolvers.context import Context

_DIGITS: Final = 200  # amounts of vendors have at most 50, and as many behind the point


class Converter:
    """Gives the amounts of one Crm's rows in one currency, exactly: rounding is for whoever shows them.

    Args:
        context: The operation.
        currency: The currency to convert to.
        on: Day of the rates.
    """

    def __init__(self, context: "Context", currency: str, on: date) -> None:
        self.currency = currency
        self._context = context
        self._on = on
        self._known: dict[str, Decimal | None] = {}
        self._missing: dict[str, str | None] = {}

    def amount(self, entry: Entry) -> Decimal | None:
        """The amount of a row; None when it has none, its currency is unknown, or there is no rate."""
        return None if entry.amount is None else self.converted(entry, entry.amount)

    def converted(self, entry: Entry, amount: Decimal) -> Decimal | None:
        """Another amount of a row, in the row's currency."""
        rate = None if entry.currency is None else self._rate(entry.currency)
        if rate is None:
            self._missing[entry.local_id] = entry.currency
            return None
        if entry.currency == self.currency:
            return amount
        with localcontext(prec=_DIGITS):
            return amount * rate

    def forget(self) -> None:
        """Do not count what was looked at so far."""
        self._missing.clear()

    def tell(self) -> None:
        """Count, for the answer's warnings, the rows whose amount could not be converted."""
        for currency in self._missing.values():
            self._context.missing_rates.note(currency, self.currency)

    def _rate(self, currency: str) -> Decimal | None:
        if currency not in self._known:
            rate = self._context.rates.rate(currency, self.currency, self._on)
            self._known[currency] = None if rate is None else rate.value
        return self._known[currency]


def comparison_currency(context: "Context", currency: str | None) -> str:
    """The currency that a list compares amounts in.

    Raises:
        UserError: It is malformed, or none is named anywhere (BAD_USER_INPUT).
    """
    if currency is not None:
        return checked_currency(currency)
    if context.reporting_currency is None:
        raise bad_input("Name the `currency` that amounts are compared in, or set `money.currency` in the server's configuration.")
    return context.reporting_currency
