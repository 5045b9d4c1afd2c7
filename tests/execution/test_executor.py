"""Our executor says what graphql-core says, and goes the quick way where it should."""

from pathlib import Path
from typing import Any

import orjson
import pytest
import strawberry

from resolvers.node_id import encode
from server.execution.executor import executor_class
from server.execution.plans import Plans, Way
from tests.execution.both_ways import Bench
from vendors.model import Ref

BOARD = (Path(__file__).parents[2] / "bench" / "board.graphql").read_text()
IDS = [encode("Opportunity", Ref("a", "3")), encode("Account", Ref("b", "4")), encode("Crm", Ref("a", "")), encode("User", Ref("b", "2"))]

QUICK = {
    "board": BOARD,
    "typename": "{ __typename crms { __typename key } }",
    "aliases": "{ x: crms { k: key l: label } y: crms { k: id } }",
    "merged fields": "{ crms { key } crms { label pipelines { name } } crms { pipelines { stages { name } } } }",
    "fragments": "query { crms { ...C } } fragment C on Crm { key ... on Crm { label ...D } } fragment D on Crm { id vendor }",
    "interface fragments": "{ crms { ... on Node { id } pipelines { ... on CrmRecord { crm { key } vendorId } ... on Node { id } } } }",
    "enums and lists of them": "{ crms { vendor capabilities closable health { circuit code } } }",
    "connection": "{ opportunities(first: 5) { edges { cursor node { id title } } pageInfo { hasNextPage endCursor startCursor } totalCount"
    " sources { status rows crm { key } fetchedAt: vendorCalls } } }",
    "scalars": "{ opportunities(first: 24) { nodes { amount { amount currency } closedAt expectedCloseDate probability tags"
    " customFields { key value type } isDeleted } } }",
    "computed and contextual": "{ opportunities(first: 24) { nodes { expectedRevenue { amount currency } expectedRevenueOrigin accountName"
    " lossReason { id label } apideck { leadId interactionCount } } } }",
    "deep relations": "{ opportunities(first: 24) { nodes { account { parent { parent { owner { name } } } owner { email } }"
    " contacts { account { name owner { name } } } stage { pipeline { stages { name } } } } } }",
    "a relation twice": "{ opportunities(first: 24) { nodes { a: owner { name } b: owner { email } owner { id } updatedBy { id } } } }",
    "links": "{ opportunities(first: 24) { nodes { account { id } accounts { id } contacts { id name } primaryContact { id } } } }",
    "node": "query($id: ID!) { node(id: $id) { __typename id ... on Opportunity { title owner { name } } ... on CrmRecord { vendorId } } }",
    "nodes": "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Opportunity { title stage { name } }"
    " ... on Account { name parent { name } } ... on Crm { key } } }",
    "single": "query($id: ID!) { opportunity(id: $id) { title owner { name } account { name contacts(first: 2) { nodes { name } } } } }",
    "several roots": "{ pipelines { name stages { order pipeline { id } } } users(first: 3) { nodes { name } }"
    " accounts(first: 9) { edges { node { name address { city country } parent { address { city } } } } }"
    " contacts(first: 2) { totalCount nodes { owner { name } } } }",
    "arguments with variables": "query($n: Int = 3, $crms: [String!]) { opportunities(first: $n, crms: $crms) { nodes { title } } }",
    "summary": "{ opportunitySummary(groupBy: [STATUS, OWNER]) { count totals { amount currency } groups(first: 3) { count"
    " owner { name } totals { amount } status } } }",
    "other currencies": '{ opportunities(first: 24) { nodes { amount { in(currency: "EUR") { amount rate } } } } }',
    "nothing there": "{ opportunities(first: 3, crms: []) { nodes { title owner { name } } edges { cursor } } }",
}
VARIABLES: dict[str, Any] = {"first": 24, "id": IDS[0], "ids": IDS, "crms": ["b"]}


@pytest.mark.parametrize("text", QUICK.values(), ids=QUICK)
async def test_an_operation_without_errors_goes_the_quick_way(bench: Bench, text: str) -> None:
    variables = {name: value for name, value in VARIABLES.items() if f"${name}" in text}

    stock, ours, way = await bench.both(text, variables)

    assert orjson.loads(ours.data) is not None
    assert (ours.data, ours.errors) == (stock.data, stock.errors)
    assert way is Way.QUICK
    assert ours.batches <= stock.batches
    assert ours.asked == stock.asked


async def test_a_list_that_is_an_attribute_goes_the_quick_way() -> None:
    @strawberry.type
    class Part:
        name: str

    @strawberry.type
    class Whole:
        parts: list[Part]
        part: Part | None = None

    @strawberry.type
    class Query:
        @strawberry.field
        def whole(self) -> Whole:
            return Whole(parts=[Part(name="one"), Part(name="two")])

    plans = Plans()
    schema = strawberry.Schema(Query, execution_context_class=executor_class(plans))

    for _ in range(3):  # the last one by the plan's code
        result = await schema.execute("{ whole { parts { name } part { name } } }")
        assert result.errors is None
        assert result.data == {"whole": {"parts": [{"name": "one"}, {"name": "two"}], "part": None}}

    assert plans.gone == {Way.QUICK: 3}


STOCK = {
    "introspection": "{ __schema { queryType { name } } crms { key } }",
    "type introspection": '{ __type(name: "Crm") { name } }',
    "a list below a list": "{ crms { pipelines { opportunities(first: 1) { nodes { title } } } } }",
    "an unknown resolver in a list": "{ opportunities(first: 2) { nodes { stageHistory { eventId } } } }",
}


@pytest.mark.parametrize("text", STOCK.values(), ids=STOCK)
async def test_what_cannot_be_planned_is_run_by_graphql_core(bench: Bench, text: str) -> None:
    _, way = await bench.same(text)

    assert way is Way.STOCK


@pytest.mark.parametrize("with_owner", [True, False])
@pytest.mark.parametrize("without_title", [True, False])
async def test_conditions_are_part_of_the_plan(bench: Bench, with_owner: bool, without_title: bool) -> None:  # noqa: FBT001
    text = """query($o: Boolean!, $t: Boolean = true) { opportunities(first: 3) { nodes {
        owner @include(if: $o) { name } title @skip(if: $t) ...F @include(if: $o) ... @skip(if: $o) { status } id @include(if: true)
    } } } fragment F on Opportunity { probability isDeleted @skip(if: true) }"""

    for _ in range(3):
        _, way = await bench.same(text, {"o": with_owner, "t": without_title})
        assert way is Way.QUICK


async def test_two_choices_of_conditions_are_two_plans(bench: Bench) -> None:
    text = "query($o: Boolean!) { crms { key label @include(if: $o) } }"

    for choice in (True, False, True, False):
        _, way = await bench.same(text, {"o": choice})
        assert way is Way.QUICK

    assert len(bench.plans) == 2


async def test_operations_of_one_document_have_plans_of_their_own(bench: Bench) -> None:
    text = "query a { crms { key } } query b { crms { label } }"

    first, _ = await bench.same(text, name="a")
    second, _ = await bench.same(text, name="b")

    assert b'"key"' in first.data
    assert b'"label"' in second.data


async def test_plans_are_bounded(bench: Bench) -> None:
    for number in range(30):
        await bench.same(f"{{ crms {{ n{number}: key }} }}")
    assert len(bench.plans) == 30

    bounded = type(bench.plans)(max_operations=10)
    small = Bench(bench.schema, bench.crms, bounded)
    for number in range(30):
        await small.same(f"{{ crms {{ n{number}: key }} }}")
    assert len(bounded) == 10


@pytest.mark.parametrize(
    "text",
    [
        "{ crms { key } } # " + "x" * 2_000,
        '{ crms { key } nodes(ids: ["' + '" "'.join("x" * 500) + '"]) @skip(if: true) { id } }',
        "{ " + " ".join(f'n{number}: node(id: "") @include(if: false) {{ id }}' for number in range(40)) + " crms { key } }",
    ],
)
async def test_a_plan_weighs_what_it_holds_of_its_document(bench: Bench, text: str) -> None:
    bounded = type(bench.plans)(max_bytes=10 * 340 * len(text))
    small = Bench(bench.schema, bench.crms, bounded)

    for number in range(20):
        await small.same(f"# {number:2}\n{text}")

    assert 5 < len(bounded) < 10


async def test_a_plan_weighs_the_types_that_may_be_met(bench: Bench) -> None:
    text = "{ " + " ".join(f'n{number}: node(id: "") {{ id }}' for number in range(40)) + " }"
    bounded = type(bench.plans)(max_bytes=16_000_000)
    small = Bench(bench.schema, bench.crms, bounded)

    for number in range(20):
        await small.same(f"# {number:2}\n{text}")

    assert 3 < len(bounded) < 11, "by their fields alone there would be 14"


async def test_a_huge_operation_is_not_planned(bench: Bench) -> None:
    fields = " ".join(f"n{number}: key" for number in range(2_001))

    _, way = await bench.same(f"{{ crms {{ {fields} }} }}")

    assert way is Way.STOCK


async def test_an_operation_that_may_meet_a_great_many_types_is_not_planned(bench: Bench) -> None:
    text = "{ " + " ".join(f'n{number}: node(id: "") {{ id }}' for number in range(160)) + " }"

    _, way = await bench.same(text)

    assert way is Way.STOCK
