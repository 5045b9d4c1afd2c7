"""Operations that run at once and ask for the same: the vendors are asked once, and every answer is whole."""

import asyncio
from typing import Any

from strawberry.types import ExecutionResult

from tests.resolvers.graph import Graph, autotask_graph, whole_graph

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
