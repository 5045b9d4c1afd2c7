"""Reads `[money]`: the currency that amounts are compared in, and where exchange rates come from."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

from pydantic import BaseModel, ConfigDict, Field

from resolvers.rates import NO_RATES, RateTable
from server.config_mistakes import Mistakes, known, validated
from server.rates import RatesFile
from server.rates_reading import CURRENCY, rate_of
from vendors.errors import ConfigError


class MoneySettings(BaseModel):
    """`[money]`, without the table `rates`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{3}$",
        description="Currency that amounts are compared and summed in when a query names none.",
        examples=["EUR"],
    )
    rates_file: Path | None = Field(
        default=None,
        description="Reference rates of the European Central Bank: its eurofxref-hist or eurofxref-daily, as .xml, .csv or .zip. "
        "A new file is taken over within a minute.",
        examples=["eurofxref-hist.xml"],
    )


class RateSettings(BaseModel):
    """`[money.rates]`, without the rates themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str = Field(pattern=r"^[A-Z]{3}$", description="Currency that the rates are given for one unit of.", examples=["EUR"])
    date: dt.date = Field(strict=True, description="Day of the rates.", examples=[dt.date(2026, 11, 20)])


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyConfig:
    """What the server knows of money. `rates` gives the exchange rates as they are now."""

    currency: str | None
    rates: Callable[[], RateTable]


def money_config(value: object, mistakes: Mistakes, *, folder: Path) -> MoneyConfig | None:
    """Read `[money]` and, in it, the rates or their file; None when there are mistakes."""
    if not isinstance(value, dict):
        mistakes.add("", "must be a table, [money]")
        return None
    table = known(cast("dict[str, Any]", value), [*MoneySettings.model_fields, "rates"], mistakes)
    settings = validated(MoneySettings, {name: table[name] for name in table if name != "rates"}, mistakes)
    sources = list(_sources(table, mistakes, folder=folder))
    if len(sources) > 1:
        mistakes.add("rates_file", "stands beside [money.rates]; keep one of the two")
    currency = table.get("currency")
    is_lacking = isinstance(currency, str) and bool(CURRENCY.fullmatch(currency)) and _all_lack(sources, currency)
    if is_lacking:
        mistakes.add("currency", f"the exchange rates have no such currency{_on(sources)}; choose another one, or add it to the rates")
    if settings is None or is_lacking or len(sources) > 1:
        return None
    rates = sources[0].rates if sources else lambda: NO_RATES
    return None if rates is None else MoneyConfig(currency=settings.currency, rates=rates)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where rates come from, read as far as its mistakes allow.

    Args:
        rates: Gives the rates; None when there are mistakes.
        lacks: Whether a currency is not among those of the last day; False, too, where that cannot be known before a mistake is mended.
    """

    rates: Callable[[], RateTable] | None
    lacks: Callable[[str], bool]


_UNREADABLE: Final = _Source(rates=None, lacks=lambda _: False)


def _sources(table: Mapping[str, Any], mistakes: Mistakes, *, folder: Path) -> Iterator[_Source]:
    if "rates_file" in table:
        yield _file(table["rates_file"], mistakes, folder=folder)
    if "rates" in table:
        yield _configured(table["rates"], mistakes.within("rates"))


def _all_lack(sources: Sequence[_Source], currency: str) -> bool:
    """Whether there are rates, and the currency is missing whichever of them are kept."""
    return bool(sources) and all(source.lacks(currency) for source in sources)


def _on(sources: Sequence[_Source]) -> str:
    """The day that a currency is missing on, as far as there is one."""
    days = {None if source.rates is None else source.rates().latest for source in sources}
    return f" on {day}" if len(days) == 1 and (day := days.pop()) is not None else ""


def _file(file: object, mistakes: Mistakes, *, folder: Path) -> _Source:
    """Read the file of rates; what is no name of a file is noted already."""
    if not isinstance(file, str) or not file:
        return _UNREADABLE
    path = (folder / file).absolute()
    try:
        rates = RatesFile(path)
    except ConfigError as error:
        # Other values are not quoted, for they may be secrets; with this one, people wonder where a relative path starts.
        mistakes.add("rates_file", f"the file that it names {error}; its full path is {str(path)!r}")
        return _UNREADABLE
    now = rates()
    return _Source(rates=rates, lacks=lambda currency: now.rate(now.base, currency) is None)


def _configured(value: object, mistakes: Mistakes) -> _Source:
    """Read `[money.rates]`: one day's rates, in units of each currency for one of the base."""
    if not isinstance(value, dict):
        mistakes.add("", "must be a table, [money.rates]")
        return _UNREADABLE
    table = cast("dict[str, Any]", value)
    names = RateSettings.model_fields
    settings = validated(RateSettings, {name: table[name] for name in table if name in names}, mistakes)
    rates = {name: _configured_rate(name, table[name], table.get("base"), mistakes) for name in table if name not in names}
    if not rates:
        mistakes.add("", 'has no rate; add one such as USD = "1.0850"')
    currencies = [table.get("base"), *rates]
    # One that is misspelt may be meant for the currency that is missing.
    is_known = bool(rates) and all(isinstance(name, str) and CURRENCY.fullmatch(name) for name in currencies)
    found = {name: rate for name, rate in rates.items() if rate is not None}
    configured = None
    if settings is not None and found and len(found) == len(rates):
        configured = RateTable(settings.base, [(settings.date, found)])
    return _Source(
        rates=None if configured is None else lambda: configured,
        lacks=lambda currency: is_known and currency not in currencies,
    )


def _configured_rate(name: str, value: object, base: object, mistakes: Mistakes) -> Decimal | None:
    if not CURRENCY.fullmatch(name):
        mistakes.add(name, "unknown; the settings here are base, date, and currencies as three capital letters")
    elif name == base:
        mistakes.add(name, "is the base, whose rate is 1; leave it out")
    elif isinstance(value, float):
        mistakes.add(name, 'put the rate in quotes, such as "1.0850": as a number with a point it would lose digits')
    elif isinstance(value, bool) or not isinstance(value, str | int):
        mistakes.add(name, 'must be a rate in quotes, such as "1.0850", or a whole number')
    else:
        try:
            return rate_of(str(value))
        except ValueError as error:
            mistakes.add(name, str(error))
    return None
