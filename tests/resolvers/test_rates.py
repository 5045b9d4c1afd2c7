"""Rates of days, between any two currencies, and amounts made with them."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from resolvers.rates import NO_RATES, Rate, RateTable, converted
from vendors.model import minor_units

MONDAY, TUESDAY, THURSDAY, FRIDAY = (date(2026, 11, day) for day in (16, 17, 19, 20))
TABLE = RateTable(
    "EUR",
    [
        (FRIDAY, {"USD": Decimal("1.0850"), "PLN": Decimal("4.2735"), "JPY": Decimal("167.425"), "NOK": Decimal("11.6480")}),
        (THURSDAY, {"USD": Decimal("1.0800"), "PLN": Decimal("4.2700"), "KWD": Decimal("0.33350"), "NOK": Decimal("11.6000")}),
        (MONDAY, {"USD": Decimal("1.0700"), "RUB": Decimal("117.2010"), "NOK": Decimal("11.5000")}),
        (date(2026, 11, 6), {"USD": Decimal("1.0600"), "CHF": Decimal("0.93000")}),
    ],
)


@pytest.mark.parametrize(
    ("source", "target", "value"),
    [
        ("EUR", "USD", "1.0850"),
        ("USD", "EUR", "0.9216589861751152073732718894009217"),  # 1 / 1.0850 = 200 / 217
        ("USD", "PLN", "3.938709677419354838709677419354839"),  # 4.2735 / 1.0850 = 1221 / 310
        ("PLN", "USD", "0.2538902538902538902538902538902539"),  # 310 / 1221
        ("NOK", "NOK", "1"),
    ],
)
def test_a_rate_goes_through_the_base_to_34_digits(source: str, target: str, value: str) -> None:
    assert TABLE.rate(source, target) == Rate(Decimal(value), FRIDAY)


@pytest.mark.parametrize(
    ("on", "value", "of"),
    [
        (MONDAY, "1.0700", MONDAY),
        (TUESDAY, "1.0700", MONDAY),
        (date(2026, 11, 18), "1.0700", MONDAY),
        (THURSDAY, "1.0800", THURSDAY),
        (FRIDAY, "1.0850", FRIDAY),
        (date(2026, 11, 22), "1.0850", FRIDAY),
        (date(2031, 1, 1), "1.0850", FRIDAY),
        (date.max, "1.0850", FRIDAY),
        (None, "1.0850", FRIDAY),
        (date(2026, 11, 15), "1.0600", date(2026, 11, 6)),
        (date(2026, 11, 6), "1.0600", date(2026, 11, 6)),
    ],
)
def test_the_newest_day_that_is_not_after_the_asked_one_counts(on: date | None, value: str, of: date) -> None:
    assert TABLE.rate("EUR", "USD", on) == Rate(Decimal(value), of)


@pytest.mark.parametrize("on", [date(2026, 11, 5), date(1998, 12, 31), date.min])
def test_before_the_first_day_there_is_no_rate(on: date) -> None:
    assert TABLE.rate("EUR", "USD", on) is None


@pytest.mark.parametrize(("source", "target"), [("EUR", "XXX"), ("XXX", "EUR"), ("XXX", "YYY"), ("usd", "EUR"), ("", "EUR")])
def test_an_unknown_currency_has_no_rate(source: str, target: str) -> None:
    assert TABLE.rate(source, target) is None


def test_a_currency_that_is_missing_on_a_day_has_the_rate_of_up_to_a_week_before() -> None:
    assert TABLE.rate("EUR", "KWD") == Rate(Decimal("0.33350"), THURSDAY)
    assert TABLE.rate("EUR", "RUB") == Rate(Decimal("117.2010"), MONDAY)


def test_both_currencies_of_a_rate_are_quoted_on_one_day() -> None:
    assert TABLE.rate("NOK", "KWD") == Rate(Decimal("0.33350") / Decimal("11.6000"), THURSDAY)
    assert TABLE.rate("JPY", "KWD") is None


def test_a_currency_that_is_no_longer_quoted_has_no_rate_any_more() -> None:
    assert TABLE.rate("EUR", "CHF", MONDAY - timedelta(days=1)) == Rate(Decimal("0.93000"), date(2026, 11, 6))
    assert TABLE.rate("EUR", "CHF", MONDAY) is None
    assert TABLE.rate("EUR", "CHF") is None


def test_a_currency_in_itself_is_one_on_the_asked_day_or_the_latest() -> None:
    assert TABLE.rate("XXX", "XXX", date(1990, 1, 1)) == Rate(Decimal(1), date(1990, 1, 1))
    assert TABLE.rate("XXX", "XXX") == Rate(Decimal(1), FRIDAY)


def test_without_any_rates_a_currency_in_itself_is_one_on_the_asked_day() -> None:
    assert NO_RATES.latest is None
    assert NO_RATES.rate("USD", "USD", MONDAY) == Rate(Decimal(1), MONDAY)
    assert NO_RATES.rate("USD", "USD") is None
    assert NO_RATES.rate("EUR", "USD", MONDAY) is None


@pytest.mark.parametrize(
    ("amount", "source", "target", "expected"),
    [
        ("1180000.00", "EUR", "USD", "1280300.00"),
        ("100", "USD", "PLN", "393.87"),
        ("100", "EUR", "JPY", "16742"),  # 16742.5, half to even
        ("300", "EUR", "JPY", "50228"),  # 50227.5
        ("10", "EUR", "KWD", "3.335"),
        ("0.125", "EUR", "EUR", "0.12"),
        ("-100", "USD", "PLN", "-393.87"),
        ("0", "USD", "PLN", "0.00"),
    ],
)
def test_an_amount_is_rounded_half_even_to_the_minor_units_of_the_target(amount: str, source: str, target: str, expected: str) -> None:
    found = converted(TABLE, Decimal(amount), source, target)

    assert found is not None
    assert str(found.amount) == expected
    assert found.currency == target


def test_what_was_converted_tells_its_rate_and_day() -> None:
    assert converted(TABLE, Decimal(100), "EUR", "USD", TUESDAY) == (Decimal("107.00"), "USD", Decimal("1.0700"), MONDAY)
    assert converted(TABLE, Decimal(100), "EUR", "XXX") is None


def test_a_large_amount_is_converted_to_the_last_cent() -> None:
    amount = Decimal("123456789012345678901234567890123456789012345678.92")

    found = converted(TABLE, amount, "EUR", "USD")

    # 1.085 times as many, by hand: 133950616078395061607839506160783950616078395061.628200
    assert found is not None
    assert found.amount == Decimal("133950616078395061607839506160783950616078395061.63")


def test_every_digit_of_a_rate_is_kept() -> None:
    table = RateTable("EUR", [(FRIDAY, {"TRL": Decimal("1740322.50"), "AAA": Decimal("123456789.012345678"), "BBB": Decimal("1E-30")})])

    assert str(table.rate("EUR", "TRL")) == str(Rate(Decimal("1740322.50"), FRIDAY))
    assert table.rate("EUR", "AAA") == Rate(Decimal("123456789.012345678"), FRIDAY)
    assert table.rate("EUR", "BBB") == Rate(Decimal("1E-30"), FRIDAY)


rates = st.decimals(min_value="0.0001", max_value="2000000", places=4)
amounts = st.decimals(min_value="-1e18", max_value="1e18", places=2)


def unit(currency: str) -> Fraction:
    return Fraction(1, 10 ** minor_units(currency))


@given(amount=amounts, usd=rates, jpy=rates, pair=st.permutations(["EUR", "USD", "JPY"]))
def test_an_amount_that_is_converted_there_and_back_differs_by_rounding_alone(
    amount: Decimal, usd: Decimal, jpy: Decimal, pair: list[str]
) -> None:
    source, target, _ = pair
    table = RateTable("EUR", [(FRIDAY, {"USD": usd, "JPY": jpy})])
    per_base = {"EUR": Fraction(1), "USD": Fraction(usd), "JPY": Fraction(jpy)}

    there = converted(table, amount, source, target)
    assert there is not None
    back = converted(table, there.amount, target, source)
    assert back is not None

    lost = unit(target) / 2 * per_base[source] / per_base[target] + unit(source) / 2
    inexact = abs(Fraction(amount)) * Fraction(2, 10**32) + Fraction(1, 10**20)  # the rates have 34 digits
    assert abs(Fraction(back.amount) - Fraction(amount)) <= lost + inexact


@given(amount=amounts, usd=rates, pln=rates)
def test_an_amount_is_the_exact_quotient_rounded(amount: Decimal, usd: Decimal, pln: Decimal) -> None:
    table = RateTable("EUR", [(FRIDAY, {"USD": usd, "PLN": pln})])
    exact = Fraction(amount) * Fraction(pln) / Fraction(usd)
    # Halves are left out: through a rate without an end they may fall to either side.
    assume((exact * 100 * 2).denominator != 1 or (exact * 100).denominator == 1)

    found = converted(table, amount, "USD", "PLN")

    assert found is not None
    assert Fraction(found.amount) == Fraction(round(exact * 100), 100)


@given(
    offsets=st.dictionaries(st.integers(0, 40), st.sets(st.sampled_from(["USD", "PLN", "NOK"])), max_size=15),
    asked=st.integers(-2, 45),
    pair=st.permutations(["EUR", "USD", "PLN", "NOK"]),
)
def test_the_day_of_a_rate_is_that_of_a_plain_search(offsets: dict[int, set[str]], asked: int, pair: list[str]) -> None:
    source, target, *_ = pair
    table = RateTable("EUR", [(MONDAY + timedelta(days=offset), dict.fromkeys(quoted, Decimal(2))) for offset, quoted in offsets.items()])

    found = table.rate(source, target, MONDAY + timedelta(days=asked))

    newest = max((offset for offset in offsets if offset <= asked), default=None)
    both = {source, target} - {"EUR"}
    days = [offset for offset, quoted in offsets.items() if newest is not None and newest - 7 <= offset <= newest and both <= quoted]
    assert (None if found is None else (found.on - MONDAY).days) == max(days, default=None)
