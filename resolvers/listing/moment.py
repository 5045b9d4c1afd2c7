"""What a list takes as now: its day, and that day's exchange rates."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from resolvers.listing.money import Converter, comparison_currency

if TYPE_CHECKING:
    from resolvers.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a list takes as now, on all its pages.

    Args:
        today: The day, in UTC.
        convert: Makes a converter to a currency, by the rates of that day; for None, to the server's own.
        converters: Those that were made, for what they could not convert.
    """

    today: date
    convert: Callable[[str | None], Converter]
    converters: list[Converter]


def moment_of(context: "Context", today: date) -> Moment:
    """The moment of a list that began on that day."""
    converters: list[Converter] = []

    def convert(currency: str | None) -> Converter:
        converters.append(Converter(context, comparison_currency(context, currency), today))
        return converters[-1]

    return Moment(today=today, convert=convert, converters=converters)
