"""What an amount is in, and what an opportunity is expected to bring."""

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pytest
from strawberry.types import ExecutionResult

from resolvers.rates import NO_RATES, RateTable
from server.context import ContextMaker
from server.cursors import SignedCursors
from tests.resolvers.graph import Graph, autotask_graph, codes
from vendors.autotask.sandbox.values import Row

QUERY = """
{ opportunities { nodes { status probability amount { amount currency } expectedRevenue { amount currency } expectedRevenueOrigin } } }
"""
FJORD_SHIPPING, NO_CURRENCY, GONE = 174, 29_683_530, 29_699_999
ACTIVE, LOST, CLOSED = 1, 2, 3


async def opportunity(graph: Graph, **changed: object) -> dict[str, Any]:
    """The only opportunity, with these fields of the vendor."""
    table = graph.table("service", "Opportunities")
    row: Row = table.rows[table.ids[0]]
    row.update(changed)
    nodes: list[dict[str, Any]] = (await graph.data(QUERY))["opportunities"]["nodes"]
    return nodes[0]


@pytest.mark.parametrize(
    ("status", "probability", "amount", "expected"),
    [
        (CLOSED, 20, 1000.5, "1000.50"),
        (LOST, 80, 1000.5, "0.00"),
        (ACTIVE, 20, 1000.5, "200.10"),
        (ACTIVE, 0, 1000.5, "0.00"),
        (ACTIVE, 50, 0.25, "0.12"),
        (ACTIVE, 50, 0.27, "0.14"),
    ],
)
async def test_an_expected_revenue_is_the_amount_weighed_by_its_chance(status: int, probability: int, amount: float, expected: str) -> None:
    async with autotask_graph(service=1) as graph:
        found = await opportunity(graph, companyID=FJORD_SHIPPING, status=status, probability=probability, amount=amount)

    assert found["expectedRevenue"] == {"amount": expected, "currency": "EUR"}
    assert found["expectedRevenueOrigin"] == "DERIVED"


@pytest.mark.parametrize(("amount", "expected"), [(5, "2"), (7, "4"), (1001, "500")])
async def test_an_expected_revenue_in_a_currency_without_cents_is_rounded_half_even_to_whole_units(amount: int, expected: str) -> None:
    async with autotask_graph(service=1) as graph:
        currencies = graph.table("service", "Currencies")
        currencies.rows[3]["name"] = "JPY"

        found = await opportunity(graph, companyID=FJORD_SHIPPING, status=ACTIVE, probability=50, amount=amount)

    assert found["expectedRevenue"] == {"amount": expected, "currency": "JPY"}


@pytest.mark.parametrize("missing", ["amount", "probability"])
async def test_without_an_amount_or_a_chance_nothing_is_expected(missing: str) -> None:
    async with autotask_graph(service=1) as graph:
        row = {"companyID": FJORD_SHIPPING, "status": ACTIVE, "probability": 50, "amount": 10.0}

        found = await opportunity(graph, **(row | {missing: None}))

    assert found[missing] is None
    assert found["expectedRevenue"] is None
    assert found["expectedRevenueOrigin"] is None


async def test_a_won_deal_without_a_chance_is_expected_whole() -> None:
    async with autotask_graph(service=1) as graph:
        found = await opportunity(graph, companyID=FJORD_SHIPPING, status=CLOSED, probability=None, amount=10.0)

    assert found["expectedRevenue"] == {"amount": "10.00", "currency": "EUR"}


async def test_a_chance_out_of_range_is_null_and_a_warning_with_the_path_of_its_list() -> None:
    async with autotask_graph(service=1) as graph:
        table = graph.table("service", "Opportunities")
        table.rows[table.ids[0]].update(probability=140, status=ACTIVE)

        result = await graph.answer("{ deals: opportunities { nodes { probability expectedRevenue { amount } } } }")

    assert result.errors is None
    assert result.data == {"deals": {"nodes": [{"probability": None, "expectedRevenue": None}]}}
    warnings = (result.extensions or {})["warnings"]
    assert [(warned["crm"], warned["path"], set(warned)) for warned in warnings] == [
        ("service", ["deals"], {"code", "crm", "path", "message"})
    ]
    assert "100001" in warnings[0]["message"]


async def test_a_warning_about_a_record_by_id_has_no_path() -> None:
    async with autotask_graph(service=1) as graph:
        table = graph.table("service", "Opportunities")
        table.rows[table.ids[0]].update(probability=140)
        identifier = (await graph.data("{ opportunities { nodes { id } } }"))["opportunities"]["nodes"][0]["id"]

        result = await graph.answer("query($id: ID!) { opportunity(id: $id) { probability } }", id=identifier)

    assert [warned["path"] for warned in (result.extensions or {})["warnings"]] == [None]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{ opportunities(first: 1, orderBy: [{ field: TITLE }]) { nodes { title } } }", ["opportunities"]),
        ("{ opportunities(last: 1) { nodes { title } totalCount } }", ["opportunities"]),
        ("{ opportunitySummary { weightedTotals { amount } } }", ["opportunitySummary"]),
    ],
)
async def test_whoever_uses_what_was_scanned_is_warned_of_it(text: str, path: list[str]) -> None:
    async with autotask_graph(service=3) as graph:
        table = graph.table("service", "Opportunities")
        table.rows[table.ids[1]].update(probability=140, status=ACTIVE, title="M")
        await graph.answer(text)

        again = await graph.answer(text)

    assert again.errors is None
    assert [(warned["crm"], warned["path"]) for warned in (again.extensions or {})["warnings"]] == [("service", path)]


async def test_at_most_twenty_warnings_are_told() -> None:
    async with autotask_graph(service=30) as graph:
        for row in graph.table("service", "Opportunities").rows.values():
            row["probability"] = 140

        result = await graph.answer("{ opportunities(first: 30) { nodes { probability } } }")

    warnings = (result.extensions or {})["warnings"]
    assert len(warnings) == 20
    assert len({warned["message"] for warned in warnings}) == 20


async def test_an_answer_without_anything_odd_has_no_warnings() -> None:
    async with autotask_graph(service=3) as graph:
        result = await graph.answer("{ opportunities { nodes { probability } } }")

    assert not result.extensions


@pytest.mark.parametrize(("company", "currency"), [(FJORD_SHIPPING, "EUR"), (NO_CURRENCY, "GBP"), (GONE, None)])
async def test_an_amount_is_in_the_currency_of_its_account(company: int, currency: str | None) -> None:
    async with autotask_graph(service=1) as graph:
        found = await opportunity(graph, companyID=company, amount=10.0, status=CLOSED)

    assert found["amount"]["currency"] == currency
    assert found["expectedRevenue"] == {"amount": "10.00", "currency": currency}


FRIDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 16)
RATES = RateTable(
    "EUR",
    [
        (FRIDAY, {"USD": Decimal("1.0850"), "PLN": Decimal("4.2735"), "NOK": Decimal("11.6480"), "GBP": Decimal("0.86480")}),
        (MONDAY, {"USD": Decimal("1.0800"), "JPY": Decimal("167.42")}),
    ],
)
CONVERSION = """
query($currency: String!, $on: Date) {
  opportunities { nodes { amount { currency in(currency: $currency, on: $on) { amount currency rate rateDate } } } }
}
"""


def with_rates(graph: Graph, rates: RateTable = RATES) -> Graph:
    """The same graph, with exchange rates."""
    crms = {key: ground.crm for key, ground in graph.grounds.items()}
    graph.make = ContextMaker(crms, SignedCursors(b"a key that only tests have"), rates=lambda: rates)
    return graph


async def conversion(currency: str, on: str | None = None, *, rates: RateTable = RATES, company: int = FJORD_SHIPPING) -> ExecutionResult:
    """The only opportunity's amount of 100, which its account tells to be in euros, in that currency."""
    async with autotask_graph(service=1) as graph:
        table = graph.table("service", "Opportunities")
        table.rows[table.ids[0]].update(companyID=company, amount=100.0)
        return await with_rates(graph, rates).answer(CONVERSION, currency=currency, on=on)


def amount_of(result: ExecutionResult) -> dict[str, Any]:
    assert result.errors is None
    assert result.data is not None
    return dict(result.data["opportunities"]["nodes"][0]["amount"])


def warnings_of(result: ExecutionResult) -> list[dict[str, Any]]:
    return list((result.extensions or {}).get("warnings", []))


@pytest.mark.parametrize(
    ("currency", "on", "expected"),
    [
        ("USD", None, ("108.50", "1.0850", "2026-11-20")),
        ("USD", "2026-11-20", ("108.50", "1.0850", "2026-11-20")),
        ("USD", "2026-11-19", ("108.00", "1.0800", "2026-11-16")),
        ("USD", "2030-01-01", ("108.50", "1.0850", "2026-11-20")),
        ("JPY", None, ("16742", "167.42", "2026-11-16")),
        ("EUR", None, ("100.00", "1", "2026-11-20")),
        ("EUR", "2020-02-29", ("100.00", "1", "2020-02-29")),
    ],
)
async def test_an_amount_in_the_currency_of_its_account_is_converted(currency: str, on: str | None, expected: tuple[str, str, str]) -> None:
    result = await conversion(currency, on)

    amount, rate, day = expected
    assert amount_of(result) == {"currency": "EUR", "in": {"amount": amount, "currency": currency, "rate": rate, "rateDate": day}}
    assert warnings_of(result) == []


async def test_without_any_rates_an_amount_is_still_one_in_its_own_currency_today() -> None:
    before = datetime.now(UTC).date()

    found = amount_of(await conversion("EUR", rates=NO_RATES))

    assert found["in"] | {"rateDate": ""} == {"amount": "100.00", "currency": "EUR", "rate": "1", "rateDate": ""}
    assert before <= date.fromisoformat(found["in"]["rateDate"]) <= datetime.now(UTC).date()


async def test_an_amount_is_converted_through_a_third_currency() -> None:
    found = amount_of(await conversion("PLN", company=NO_CURRENCY))

    # 100 pounds are 100 / 0.86480 euros, each of 4.2735 zlotys.
    assert found["currency"] == "GBP"
    assert found["in"]["amount"] == "494.16"
    assert Decimal(found["in"]["rate"]).quantize(Decimal("0.0000000001"), rounding=ROUND_HALF_EVEN) == Decimal("4.9416049954")


async def test_a_converted_amount_needs_no_other_field_to_know_its_currency() -> None:
    async with autotask_graph(service=1) as graph:
        table = graph.table("service", "Opportunities")
        table.rows[table.ids[0]].update(companyID=FJORD_SHIPPING, amount=100.0)
        query = '{ opportunities { nodes { amount { in(currency: "USD") { amount } } } } }'

        found = await with_rates(graph).data(query)

    assert found["opportunities"]["nodes"] == [{"amount": {"in": {"amount": "108.50"}}}]


@pytest.mark.parametrize(
    ("currency", "on", "company", "rates", "message"),
    [
        (
            "CHF",
            None,
            FJORD_SHIPPING,
            RATES,
            (
                "1 amount in EUR could not be converted to CHF: the exchange rates have no EUR or no CHF on 2026-11-20;"
                " choose another currency or add it to the rates."
            ),
        ),
        (
            "USD",
            "2026-11-15",
            FJORD_SHIPPING,
            RATES,
            "1 amount in EUR could not be converted to USD: there is no rate for the day asked for; ask for a later one, up to 2026-11-20.",
        ),
        (
            "USD",
            None,
            FJORD_SHIPPING,
            NO_RATES,
            "1 amount in EUR could not be converted to USD: no exchange rates are configured; set money.rates_file or [money.rates].",
        ),
        (
            "USD",
            None,
            GONE,
            RATES,
            (
                "1 amount without a currency could not be converted to USD: the CRM does not say what they are in; set the currency there,"
                " or in the CRM's settings where they have it."
            ),
        ),
    ],
)
async def test_what_cannot_be_converted_is_null_and_a_warning_that_says_what_to_do(
    currency: str, on: str | None, company: int, rates: RateTable, message: str
) -> None:
    result = await conversion(currency, on, rates=rates, company=company)

    assert amount_of(result)["in"] is None
    assert warnings_of(result) == [{"code": "MISSING_RATE", "crm": None, "path": None, "message": message}]


async def test_missing_rates_are_counted_by_the_two_currencies() -> None:
    async with autotask_graph(service=5) as graph:
        for row, company in zip(
            graph.table("service", "Opportunities").rows.values(), [FJORD_SHIPPING] * 3 + [NO_CURRENCY] * 2, strict=True
        ):
            row["companyID"] = company
        query = '{ opportunities { nodes { amount { in(currency: "CHF") { amount } yen: in(currency: "SEK") { amount } } } } }'

        result = await with_rates(graph).answer(query)

    assert result.errors is None
    told = {warning["message"].partition(":")[0] for warning in warnings_of(result)}
    assert told == {
        "3 amounts in EUR could not be converted to CHF",
        "2 amounts in GBP could not be converted to CHF",
        "3 amounts in EUR could not be converted to SEK",
        "2 amounts in GBP could not be converted to SEK",
    }


async def test_missing_rates_of_one_operation_are_not_told_by_the_next() -> None:
    async with autotask_graph(service=1) as graph:
        await with_rates(graph).answer(CONVERSION, currency="CHF")

        result = await graph.answer(CONVERSION, currency="USD")

    assert warnings_of(result) == []


@pytest.mark.parametrize("currency", ["eur", "EURO", "EU", "", "\u20ac", "E1R", "EUR\n", " EUR"])
async def test_a_currency_is_three_capital_letters(currency: str) -> None:
    result = await conversion(currency)

    assert codes(result) == ["BAD_USER_INPUT"]
    assert result.errors is not None
    assert result.errors[0].message.startswith("`currency` must be three capital letters of ISO 4217, such as EUR, not ")
    assert result.data is not None
    assert result.data["opportunities"]["nodes"][0]["amount"]["in"] is None


async def test_amounts_of_every_crm_are_converted(graph: Graph) -> None:
    query = '{ opportunities(first: 100) { nodes { crm { key } amount { amount currency in(currency: "EUR") { amount } } } } }'

    nodes = (await with_rates(graph).data(query))["opportunities"]["nodes"]

    per_euro = {"EUR": Decimal(1), "USD": Decimal("1.0850"), "PLN": Decimal("4.2735"), "NOK": Decimal("11.6480"), "GBP": Decimal("0.86480")}
    known = [node for node in nodes if node["amount"] is not None and node["amount"]["currency"] in per_euro]
    assert {node["crm"]["key"] for node in known} == set(graph.grounds)
    for node in known:
        amount = node["amount"]
        exact = Decimal(amount["amount"]) / per_euro[amount["currency"]]
        assert amount["in"] == {"amount": str(exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN))}
