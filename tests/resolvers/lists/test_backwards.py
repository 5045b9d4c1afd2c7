"""Reading backwards, and behind a Crm that failed, where it once went wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from server.context import ContextMaker
from server.cursors import SignedCursors
from server.indexes import MemoryIndexes
from tests.resolvers.graph import Graph, autotask_graph
from tests.resolvers.lists.asking import Clock
from vendors.sandbox import Fault

PAGE = """
query ($first: Int, $after: String, $last: Int, $before: String, $orderBy: [OpportunityOrder!]) {
  opportunities(first: $first, after: $after, last: $last, before: $before, orderBy: $orderBy) {
    nodes { vendorId crm { key } }
    pageInfo { startCursor endCursor hasPreviousPage hasNextPage }
    sources { status }
  }
}
"""
ORDERS: Mapping[str, Sequence[dict[str, object]]] = {"native": [], "by title": [{"field": "TITLE"}], "by day": [{"field": "CREATED_AT"}]}
FIRST_ID = 100_001


@pytest.fixture(params=ORDERS)
def order_by(request: pytest.FixtureRequest) -> Sequence[dict[str, object]]:
    return ORDERS[request.param]


async def page(graph: Graph, **arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = (await graph.data(PAGE, **{"orderBy": None, **arguments}))["opportunities"]
    return found


def rows(*found: dict[str, Any]) -> list[tuple[str, int]]:
    return [(node["crm"]["key"], int(node["vendorId"])) for one in found for node in one["nodes"]]


async def test_a_page_read_backwards_goes_on_forwards_in_every_crm(order_by: Sequence[dict[str, object]]) -> None:
    async with autotask_graph(left=2, right=6) as graph:
        everything = rows(await page(graph, first=100, orderBy=order_by))
        end = await page(graph, last=5, orderBy=order_by)
        start = await page(graph, last=5, before=end["pageInfo"]["startCursor"], orderBy=order_by)

        rest = await page(graph, first=100, after=start["pageInfo"]["endCursor"], orderBy=order_by)

    assert rows(start, rest) == everything


async def test_a_crm_that_fails_on_the_last_page_is_made_up_for_on_the_one_before(order_by: Sequence[dict[str, object]]) -> None:
    async with autotask_graph(left=4, right=6) as graph:
        everything = rows(await page(graph, first=100, orderBy=order_by))
        graph.make = ContextMaker({key: ground.crm for key, ground in graph.grounds.items()}, SignedCursors(b"k" * 32))
        graph.break_down("left", Fault(kind="status", status=400))
        end = await page(graph, last=3, orderBy=order_by)
        graph.mend("left")

        start = await page(graph, last=100, before=end["pageInfo"]["startCursor"], orderBy=order_by)

    assert [source["status"] for source in end["sources"]] == ["FAILED", "OK"]
    assert sorted(rows(start, end)) == sorted(everything)


async def test_rows_that_come_before_the_place_meanwhile_leave_none_out() -> None:
    clock = Clock()
    async with autotask_graph(one=4) as graph:
        crms = {key: ground.crm for key, ground in graph.grounds.items()}
        graph.make = ContextMaker(crms, SignedCursors(b"k" * 32), indexes=MemoryIndexes(clock))
        table = graph.table("one", "Opportunities")
        found = [await page(graph, last=1)]
        for number in range(3):
            table.put({**table.rows[FIRST_ID], "id": FIRST_ID - 10 + number})
        clock.seconds = 1_000

        while found[-1]["pageInfo"]["hasPreviousPage"]:
            found.append(await page(graph, last=1, before=found[-1]["pageInfo"]["startCursor"]))
            assert len(found) < 20

        expected = [*range(FIRST_ID - 10, FIRST_ID - 7), *range(FIRST_ID, FIRST_ID + 4)]
        assert [local_id for _, local_id in rows(*found)] == expected[::-1]
        forwards = await page(graph, first=100, after=found[-1]["pageInfo"]["endCursor"])

    assert [local_id for _, local_id in rows(forwards)] == expected[1:]


@pytest.mark.parametrize("is_forward", [True, False])
async def test_rows_that_a_crm_owed_do_not_bring_back_those_of_others(is_forward: bool) -> None:  # noqa: FBT001
    ways = {"first": "after"} if is_forward else {"last": "before"}
    size, cursor = next(iter(ways.items()))
    ends = ("endCursor", "hasNextPage") if is_forward else ("startCursor", "hasPreviousPage")
    order_by = [{"field": "CREATED_AT"}, {"field": "TITLE"}]
    async with autotask_graph(left=4, right=6) as graph:
        everything = rows(await page(graph, first=100, orderBy=order_by))
        graph.make = ContextMaker({key: ground.crm for key, ground in graph.grounds.items()}, SignedCursors(b"k" * 32))
        graph.break_down("left", Fault(kind="status", status=400))
        found = [await page(graph, orderBy=order_by, **{size: 4})]
        graph.mend("left")

        while found[-1]["pageInfo"][ends[1]]:
            found.append(await page(graph, orderBy=order_by, **{size: 2, cursor: found[-1]["pageInfo"][ends[0]]}))
            assert len(found) < 20

    assert sorted(rows(*found)) == sorted(everything)
