"""Reads `[money]`: the currency that amounts are compared in, and where exchange rates come from."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

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
    rates = _rates(table, None if settings is None else settings.rates_file, mistakes, folder=folder)
    if settings is None or rates is None:
        return None
    now = rates()
    if settings.currency is not None and now.latest is not None and now.rate(now.base, settings.currency) is None:
        mistakes.add("currency", f"the exchange rates have no such currency on {now.latest}; choose another one, or add it to the rates")
        return None
    return MoneyConfig(currency=settings.currency, rates=rates)


def _rates(table: Mapping[str, Any], file: Path | None, mistakes: Mistakes, *, folder: Path) -> Callable[[], RateTable] | None:
    if "rates" in table and "rates_file" in table:
        mistakes.add("rates_file", "stands beside [money.rates]; keep one of the two")
        return None
    if "rates" in table:
        configured = _configured(table["rates"], mistakes.within("rates"))
        return None if configured is None else lambda: configured
    if file is None:
        return lambda: NO_RATES
    path = (folder / file).absolute()
    try:
        return RatesFile(path)
    except ConfigError as error:
        # Other values are not quoted, for they may be secrets; with this one, people wonder where a relative path starts.
        mistakes.add("rates_file", f"the file that it names {error}; its full path is {str(path)!r}")
        return None


def _configured(value: object, mistakes: Mistakes) -> RateTable | None:
    """Read `[money.rates]`: one day's rates, in units of each currency for one of the base."""
    if not isinstance(value, dict):
        mistakes.add("", "must be a table, [money.rates]")
        return None
    table = cast("dict[str, Any]", value)
    names = RateSettings.model_fields
    settings = validated(RateSettings, {name: table[name] for name in table if name in names}, mistakes)
    rates = {name: _configured_rate(name, table[name], table.get("base"), mistakes) for name in table if name not in names}
    if not rates:
        mistakes.add("", 'has no rate; add one such as USD = "1.0850"')
    found = {name: rate for name, rate in rates.items() if rate is not None}
    return None if settings is None or not found or len(found) < len(rates) else RateTable(settings.base, [(settings.date, found)])


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
