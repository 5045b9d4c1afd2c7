"""What `[money]` may hold, and how each mistake in it is told."""

import tomllib
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import server.demo
from resolvers.rates import Rate
from server.commands.init import template
from server.config import Config, parse_config
from vendors.errors import ConfigError

CRM = {"vendor": "autotask", "username": "u", "integration_code_env": "C", "secret_env": "C"}
RATES = {"base": "EUR", "date": date(2026, 11, 20), "USD": "1.0850", "JPY": 167}
FILE = b"Date, USD, \n20 November 2026, 1.2000, \n"


def parsed(money: object, folder: Path = Path()) -> Config:
    return parse_config({"money": money, "crms": {"service": CRM}}, {"C": "code"}, folder=folder)


def mistakes_of(money: object, folder: Path = Path()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parsed(money, folder)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("money", [{}, None])
def test_without_any_settings_there_are_no_rates(money: object) -> None:
    config = parsed(money) if money is not None else parse_config({"crms": {"service": CRM}}, {"C": "code"}, folder=Path())

    assert config.money.currency is None
    assert config.money.rates().latest is None


def test_rates_may_stand_in_the_configuration() -> None:
    money = parsed({"currency": "JPY", "rates": RATES}).money

    assert money.currency == "JPY"
    assert money.rates().rate("EUR", "USD") == Rate(Decimal("1.0850"), date(2026, 11, 20))
    assert money.rates().rate("EUR", "JPY") == Rate(Decimal(167), date(2026, 11, 20))
    assert money.rates().rate("EUR", "USD", date(2026, 11, 19)) is None


def test_the_base_need_not_be_the_euro() -> None:
    money = parsed({"currency": "USD", "rates": {"base": "USD", "date": date(2026, 11, 20), "EUR": "0.8"}}).money

    assert money.rates().rate("EUR", "USD") == Rate(Decimal("1.25"), date(2026, 11, 20))


def test_a_file_of_rates_is_read_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_bytes(FILE)

    money = parsed({"rates_file": "rates.csv"}, tmp_path).money

    assert money.rates().rate("EUR", "USD") == Rate(Decimal("1.2000"), date(2026, 11, 20))


@pytest.mark.parametrize("absent", ["rates/absent.xml", "/rates/absent.xml"])
def test_it_is_told_where_a_file_of_rates_was_looked_for(absent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    (line,) = mistakes_of({"rates_file": absent}, Path("conf"))

    assert line.endswith(f"(No such file or directory); its full path is '{tmp_path / 'conf' / absent}'")


@pytest.mark.parametrize(
    ("money", "mistake"),
    [
        (3, "money: must be a table, [money]"),
        ({"curency": "EUR"}, "money.curency: unknown; did you mean currency?"),
        (
            {"currency": "euro"},
            "money.currency: must be three capital letters of ISO 4217, such as EUR. Currency that amounts are compared and summed in",
        ),
        ({"currency": "EUR\n"}, "money.currency: must be three capital letters of ISO 4217, such as EUR."),
        ({"currency": 3}, "money.currency: must be text, in quotes."),
        ({"currency": "GBP", "rates": RATES}, "money.currency: the exchange rates have no such currency on 2026-11-20; choose another one"),
        ({"rates_file": 3}, "money.rates_file: must be text, in quotes."),
        ({"rates_file": "absent.xml"}, "money.rates_file: the file that it names cannot be read (No such file or directory)"),
        (
            {"rates_file": "bad.csv"},
            "money.rates_file: the file that it names is wrong in line 2: the rate of USD must be a number above 0",
        ),
        ({"rates_file": "good.csv", "rates": RATES}, "money.rates_file: stands beside [money.rates]; keep one of the two"),
        ({"rates": 3}, "money.rates: must be a table, [money.rates]"),
        (
            {"rates": {**RATES, "base": "euro"}},
            "money.rates.base: must be three capital letters of ISO 4217, such as EUR. Currency that the rates are given for one unit of.",
        ),
        (
            {"rates": {**RATES, "date": "2026-11-20"}},
            "money.rates.date: must be a day without quotes, such as 2026-11-20. Day of the rates.",
        ),
        ({"rates": {**RATES, "date": datetime(2026, 11, 20, 9)}}, "money.rates.date: must be a day without quotes"),  # noqa: DTZ001  # as TOML reads it
        ({"rates": {"base": "EUR", "USD": "1"}}, "money.rates.date: is missing. Day of the rates."),
        ({"rates": {"date": date(2026, 11, 20), "USD": "1"}}, "money.rates.base: is missing."),
        ({"rates": {"base": "EUR", "date": date(2026, 11, 20)}}, 'money.rates: has no rate; add one such as USD = "1.0850"'),
        (
            {"rates": {**RATES, "USD": 1.085}},
            'money.rates.USD: put the rate in quotes, such as "1.0850": as a number with a point it would lose digits',
        ),
        ({"rates": {**RATES, "USD": True}}, 'money.rates.USD: must be a rate in quotes, such as "1.0850", or a whole number'),
        ({"rates": {**RATES, "USD": ["1"]}}, 'money.rates.USD: must be a rate in quotes, such as "1.0850", or a whole number'),
        ({"rates": {**RATES, "USD": 0}}, "money.rates.USD: must be a number above 0, written like 1.0850, with at most 18 digits"),
        ({"rates": {**RATES, "USD": -1}}, "money.rates.USD: must be a number above 0"),
        ({"rates": {**RATES, "USD": "1,0850"}}, "money.rates.USD: must be a number above 0"),
        (
            {"rates": {**RATES, "usd": "1.0850"}},
            "money.rates.usd: unknown; the settings here are base, date, and currencies as three capital",
        ),
        ({"rates": {**RATES, "EUR": "1"}}, "money.rates.EUR: is the base, whose rate is 1; leave it out"),
    ],
)
def test_a_mistake_about_money_is_told_by_its_setting(money: object, mistake: str, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_bytes(FILE)
    (tmp_path / "bad.csv").write_bytes(FILE.replace(b"1.2000", b"hunter2"))

    lines = mistakes_of(money, tmp_path)

    assert len(lines) == 1
    assert lines[0].startswith(mistake)
    assert "hunter2" not in lines[0]


def test_all_mistakes_about_money_are_told_at_once() -> None:
    lines = mistakes_of({"currency": "euro", "rates": {"base": "eur", "date": 3, "USD": 1.5, "JPY": 1.5}})

    assert [line.partition(":")[0] for line in lines] == [
        "money.currency",
        "money.rates.base",
        "money.rates.date",
        "money.rates.USD",
        "money.rates.JPY",
    ]


@pytest.mark.parametrize(
    ("money", "settings"),
    [
        ({"currency": "EURO", "rates_file": "absent.xml"}, ["currency", "rates_file"]),
        ({"curency": "EUR", "rates": {**RATES, "USD": 1.5}}, ["curency", "rates.USD"]),
        ({"currency": "CHF", "rates": {**RATES, "date": "20.11.2026", "USD": "1,085"}}, ["rates.date", "rates.USD", "currency"]),
        (
            {"currency": "CHF", "rates_file": "absent.xml", "rates": {**RATES, "date": "20.11.2026", "USD": "1,085"}},
            ["rates_file", "rates.date", "rates.USD", "rates_file"],
        ),
        ({"currency": "CHF", "rates_file": "good.csv", "rates": RATES}, ["rates_file", "currency"]),
        ({"currency": "CHF", "rates_file": 3, "rates": RATES}, ["rates_file", "rates_file"]),
    ],
)
def test_no_mistake_about_money_hides_another_one(money: object, settings: list[str], tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_bytes(FILE)

    lines = mistakes_of(money, tmp_path)

    assert [line.partition(": ")[0] for line in lines] == [f"money.{setting}" for setting in settings]


@pytest.mark.parametrize(
    ("money", "setting"),
    [
        ({"currency": "CHF", "rates": {**RATES, "base": "chf"}}, "rates.base"),
        ({"currency": "CHF", "rates": {**RATES, "chf": "0.95"}}, "rates.chf"),
        ({"currency": "CHF", "rates": {"base": "EUR", "date": date(2026, 11, 20)}}, "rates"),
        ({"currency": "CHF", "rates": {**RATES, "CHF": "0,95"}}, "rates.CHF"),
        ({"currency": "JPY", "rates_file": "good.csv", "rates": RATES}, "rates_file"),
    ],
)
def test_a_currency_that_may_be_there_once_a_mistake_is_mended_is_none_itself(money: object, setting: str, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_bytes(FILE)

    (line,) = mistakes_of(money, tmp_path)

    assert line.startswith(f"money.{setting}: ")


def test_what_init_writes_about_money_is_right_once_it_is_uncommented() -> None:
    blocks = [block for block in template().split("\n\n") if "money" in block]
    lines = [line.removeprefix("# ") for block in blocks for line in block.splitlines() if " = " in line or line.endswith("]")]
    data: dict[str, Any] = tomllib.loads("\n".join(line for line in lines if not line.startswith("rates_file")))

    money = parsed(data["money"]).money

    assert [line for line in lines if line.startswith("rates_file")] == ['rates_file = "eurofxref-hist.xml"']
    assert money.currency == "EUR"
    assert money.rates().rate("EUR", "USD") == Rate(Decimal("1.0850"), date(2026, 11, 20))


@pytest.mark.parametrize("currency", ["USD", "PLN", "NOK", "GBP", "SEK", "DKK", "CHF", "JPY", "CAD", "ISK"])
def test_the_rates_of_the_demo_have_the_currencies_of_its_sandboxes(currency: str) -> None:
    money = parsed({"currency": "EUR", "rates_file": str(server.demo.RATES_FILE)}).money

    rate = money.rates().rate(currency, "EUR", date(2026, 11, 17))

    assert rate is not None
    assert rate.on == date(2026, 11, 17)
