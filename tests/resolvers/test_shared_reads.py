"""Operations that run at once and ask for the same: the vendors are asked once, and every answer is whole."""

import asyncio
from typing import Any

import pytest
from strawberry.types import ExecutionResult

from resolvers.freshness import drop_kept
from resolvers.node_id import encode
from server.limits import Limits
from tests.resolvers.graph import Graph, autotask_graph, until, whole_graph
from vendors.model import Ref
from vendors.sandbox import Fault

BOARD = """
{
  opportunities(first: 50) {
    nodes {
      id title amount { amount currency } probability crm { key }
      pipeline { name } stage { name } owner { name email } account { name } contacts { name email }
    }
    sources { crm { key } status }
  }
}
"""
AT_ONCE = 6


async def at_once(graph: Graph, *queries: str) -> list[ExecutionResult]:
    return await asyncio.gather(*(graph.answer(query) for query in queries))


def calls(graph: Graph) -> dict[str, list[str]]:
    return {key: sorted(graph.calls(key)) for key in graph.grounds}


async def test_ask_no_vendor_more_often_than_one_does() -> None:
    async with whole_graph() as graph:
        await graph.data(BOARD)  # so that the small tables are kept
        calls(graph)
        alone = await graph.data(BOARD)
        calls_of_one = calls(graph)
        answers = await at_once(graph, *[BOARD] * AT_ONCE)
        assert calls(graph) == calls_of_one
        assert all(calls_of_one.values())
        assert [(answer.errors, answer.data) for answer in answers] == [(None, alone)] * AT_ONCE


async def test_are_all_told_what_is_odd() -> None:
    async with autotask_graph(main=20) as graph:
        for row in graph.table("main", "Opportunities").rows.values():
            row["probability"] = 140
        query = "{ opportunities(first: 1) { nodes { probability } } }"
        answers = await at_once(graph, *[query] * AT_ONCE)
        assert {str(answer.errors) for answer in answers} == {"None"}
        told: list[Any] = [(answer.extensions or {}).get("warnings") for answer in answers]
        assert told[0]
        assert told == [told[0]] * AT_ONCE
        assert told[0][0]["code"] == "PERCENT_OUT_OF_RANGE"


async def test_share_nothing_that_the_other_does_not_read() -> None:
    async with autotask_graph(main=20) as graph:
        short = "{ opportunities(first: 5) { nodes { title owner { name } } } }"
        long = "{ opportunities(first: 5) { nodes { title description owner { name email } account { name phone } } } }"
        expected = [await graph.data(query) for query in (short, long)]
        answers = await at_once(graph, short, long, short, long)
        assert [(answer.errors, answer.data) for answer in answers] == [(None, data) for data in expected] * 2


async def test_show_a_change_to_who_asks_after_it_while_one_from_before_is_under_way() -> None:
    async with autotask_graph(main=20) as graph:
        rows = graph.table("main", "Opportunities").rows
        local_id, row = next(iter(rows.items()))
        query, global_id = "query($id: ID!) { opportunity(id: $id) { title } }", encode("Opportunity", Ref("main", str(local_id)))
        await graph.data(query, id=global_id)
        control = graph.grounds["main"].control
        arrived = len(control.calls)
        graph.break_down("main", Fault(kind="hang", times=1))
        before = asyncio.create_task(graph.data(query, id=global_id))
        await until(lambda: len(control.calls) > arrived)
        row["title"] = "Changed"
        drop_kept(graph.make().crms["main"], str(local_id))
        async with asyncio.timeout(60):
            after = await graph.data(query, id=global_id)
        before.cancel()
        await asyncio.gather(before, return_exceptions=True)
        assert after["opportunity"]["title"] == "Changed"


@pytest.mark.parametrize("what_hangs", ["zoneInformation", "Opportunities.query", "Opportunities.fields"])
async def test_do_not_join_for_ever_what_hangs(what_hangs: str) -> None:
    async with autotask_graph(left=20, right=20) as graph:
        hurried = Graph(graph.grounds, limits=Limits(deadline_seconds=1))
        control = graph.grounds["left"].control
        graph.break_down("left", Fault(kind="hang", times=1, match=what_hangs))
        hanging = asyncio.create_task(graph.answer(BOARD))
        await until(lambda: any(what_hangs in operation for operation in control.operations()))

        early, late = [await hurried.answer(BOARD) for _ in range(2)]

        assert not hanging.done()
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        assert early.data
        assert {node["crm"]["key"] for node in early.data["opportunities"]["nodes"]} >= {"right"}
        is_left_out = {"crm": {"key": "left"}, "status": "FAILED"} in early.data["opportunities"]["sources"]
        assert is_left_out or "'left' did not answer" in str(early.errors)
        assert late.errors is None
        assert {node["crm"]["key"] for node in (late.data or {})["opportunities"]["nodes"]} == {"left", "right"}
