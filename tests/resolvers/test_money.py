"""What an amount is in, and what an opportunity is expected to bring."""

from typing import Any

import pytest

from tests.resolvers.graph import Graph, autotask_graph
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
