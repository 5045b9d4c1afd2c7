"""What operations share and what they do not, what they may cost, and how they end."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import get_introspection_query, get_operation_ast, parse

from server.examples import BOARD_QUERY
from server.limits import Limits, cost
from tests.resolvers.graph import Graph, codes, until
from vendors.sandbox import Fault

BOARD = """
query Board($first: Int!) {
  opportunities(first: $first) {
    nodes {
      id title status expectedCloseDate probability
      crm { key vendor }
      amount { amount currency }
      expectedRevenue { amount currency }
      pipeline { id name }
      stage { id name order }
      owner { id name email }
      account { id name }
      contacts { id name email }
    }
    sources { crm { key } status code rows vendorCalls }
    pageInfo { hasNextPage endCursor }
  }
}
"""
FIRST = "{ opportunities(first: 1) { nodes { title owner { name } account { name } } } }"


def estimated(graph: Graph, query: str, **variables: object) -> int:
    document = parse(query)
    operation = get_operation_ast(document, None)
    assert operation is not None
    return cost(document, operation, variables, graph.schema._schema)  # pyright: ignore[reportPrivateUsage]


async def test_what_has_changed_at_the_vendor_is_seen_by_the_next_operation(twins: Graph) -> None:
    before = (await twins.data(FIRST))["opportunities"]["nodes"][0]
    twins.table("left", "Opportunities").rows[311].update(title="Renamed", companyID=174)
    twins.table("left", "Companies").rows[174]["companyName"] = "FJORD SHIPPING AS"

    after = (await twins.data(FIRST))["opportunities"]["nodes"][0]

    assert before["account"]["name"] == "Solent Container Terminal"
    assert (after["title"], after["account"]["name"]) == ("Renamed", "FJORD SHIPPING AS")


async def test_small_tables_are_kept_for_a_while(twins: Graph) -> None:
    before = (await twins.data(FIRST))["opportunities"]["nodes"][0]
    twins.table("left", "Resources").rows[29_682_887]["firstName"] = "Somebody"

    after = (await twins.data(FIRST))["opportunities"]["nodes"][0]

    assert after["owner"] == before["owner"]


async def test_operations_at_the_same_time_share_their_reads(twins: Graph) -> None:
    await twins.data(BOARD, first=20)
    twins.grounds["left"].control.latency_seconds = 0.05
    twins.calls("left")

    answers = await asyncio.gather(*(twins.data(BOARD, first=20) for _ in range(6)))

    nodes = [answer["opportunities"]["nodes"] for answer in answers]
    assert all(one == nodes[0] for one in nodes)
    assert sorted(twins.calls("left")) == ["Companies.query", "Contacts.query", "Opportunities.query"]


async def test_operations_at_the_same_time_keep_their_errors_apart(twins: Graph) -> None:
    fine = "{ crms { key } }"
    wrong = '{ crm(key: "nobody") { key } }'

    results = await asyncio.gather(*(twins.answer(query) for query in (fine, wrong, fine, wrong)))

    assert [codes(result) for result in results] == [[], ["UNKNOWN_CRM"], [], ["UNKNOWN_CRM"]]


async def test_the_board_of_a_hundred_costs_a_quarter_of_what_is_permitted_at_most(twins: Graph) -> None:
    for query in (BOARD, BOARD_QUERY.replace("first: 10", "first: 100")):
        assert 500 < estimated(twins, query, first=100) <= Limits().max_cost / 4


async def test_a_board_of_a_hundred_is_answered(twins: Graph) -> None:
    found = await twins.data(BOARD, first=100)

    assert len(found["opportunities"]["nodes"]) == 100


async def test_the_introspection_of_graphiql_passes_all_limits(twins: Graph) -> None:
    query = get_introspection_query(
        descriptions=True, specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )

    found = await twins.data(query)

    names = {entry["name"] for entry in found["__schema"]["types"]}
    assert names >= {"Opportunity", "Decimal", "OpportunityConnection", "AutotaskOpportunityFields"}


async def test_everything_in_the_schema_is_described(twins: Graph) -> None:
    types: list[dict[str, Any]] = (await twins.data(get_introspection_query()))["__schema"]["types"]
    own = [entry for entry in types if not entry["name"].startswith("__")]
    fields = parts(own, "fields")

    described = [*own, *fields, *parts(fields, "args"), *parts(own, "enumValues")]
    assert len(described) > 300
    assert [part["name"] for part in described if not part["description"]] == []


def parts(owners: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [part for owner in owners for part in owner[name] or ()]


def _round_and_round(levels: int, first: str = "") -> str:
    """A query that goes from accounts to their opportunities and back."""
    inner = "id"
    for level in range(levels):
        inner = f"opportunities{first} {{ nodes {{ {inner} }} }}" if level % 2 == 0 else f"accounts {{ {inner} }}"
    return f"{{ opportunities{first} {{ nodes {{ accounts {{ {inner} }} }} }} }}"


async def test_a_query_thirty_levels_deep_is_refused_before_any_call(twins: Graph) -> None:
    error = await twins.error(_round_and_round(29))

    assert error.extensions is not None
    assert (error.extensions["code"], error.extensions["limit"]) == ("LIMIT_EXCEEDED", "max_depth")
    assert twins.calls("left") == twins.calls("right") == []


async def test_a_query_of_lists_in_lists_is_refused_by_its_cost_before_any_call(twins: Graph) -> None:
    error = await twins.error(_round_and_round(3, "(first: 100)"))

    assert error.extensions is not None
    assert (error.extensions["code"], error.extensions["limit"]) == ("LIMIT_EXCEEDED", "max_cost")
    assert twins.calls("left") == []


@pytest.fixture
def unhandled() -> Iterator[list[dict[str, Any]]]:
    """What the event loop could hand to nobody, such as exceptions that were never retrieved."""
    loop = asyncio.get_event_loop()
    found: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, told: found.append(told))
    yield found
    loop.set_exception_handler(None)


def ours(tasks: set["asyncio.Task[Any]"]) -> set["asyncio.Task[Any]"]:
    """Tasks that are not the sandboxes' own."""
    return {task for task in tasks if "aiohttp" not in getattr(task.get_coro(), "cr_code").co_filename}  # noqa: B009  # of coroutines only


@pytest.mark.parametrize("hanging", ["Opportunities.query", "Companies.query", "fields", "Currencies.query", "zoneInformation"])
async def test_a_cancelled_operation_leaves_nothing_behind(twins: Graph, hanging: str, unhandled: list[dict[str, Any]]) -> None:
    before = asyncio.all_tasks()
    for key in ("left", "right"):
        twins.break_down(key, Fault(kind="hang", match=hanging))
    operation = asyncio.ensure_future(twins.answer(BOARD, first=10))
    await until(lambda: all(ground.control.count(hanging) for ground in twins.grounds.values()))

    operation.cancel()
    with pytest.raises(asyncio.CancelledError):
        await operation

    left_over = ours(asyncio.all_tasks() - before)
    if left_over:
        await asyncio.wait(left_over, timeout=0.5)
    assert ours(asyncio.all_tasks() - before) == set()
    assert unhandled == []


async def test_a_cancelled_operation_does_not_end_another_that_waits_for_the_same(twins: Graph) -> None:
    await twins.data(BOARD, first=10)
    for key in ("left", "right"):
        twins.grounds[key].control.latency_seconds = 0.05
    first, second = (asyncio.ensure_future(twins.answer(BOARD, first=10)) for _ in range(2))
    twins.calls("left")
    await until(lambda: twins.grounds["left"].control.count() > 0)

    first.cancel()

    assert (await second).errors is None
    assert first.cancelled()


async def test_an_operation_that_runs_out_of_time_leaves_nothing_behind(twins: Graph, unhandled: list[dict[str, Any]]) -> None:
    await twins.data(BOARD, first=10)
    before = asyncio.all_tasks()
    short = Graph(twins.grounds, limits=Limits(deadline_seconds=0.5, grace_seconds=30))
    short.break_down("left", Fault(kind="hang", match="Companies.query"))

    result = await short.answer(BOARD, first=10)

    assert set(codes(result)) == {"TIMEOUT"}
    left_over = ours(asyncio.all_tasks() - before)
    if left_over:
        await asyncio.wait(left_over, timeout=0.5)
    assert ours(asyncio.all_tasks() - before) == set()
    assert unhandled == []
