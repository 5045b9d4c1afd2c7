"""How old that is which came with another operation's read, and what is told of odd records that were kept."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bench.company import contexts, memory_crm
from resolvers.freshness import read_by_ids
from resolvers.node_id import encode
from tests.resolvers.graph import autotask_graph
from tests.resolvers.keeping.graph import KeepingGraph
from vendors.cache import MemoryCache
from vendors.calls import record_joined, record_kept
from vendors.model import EVERYTHING, Account, Ref


@pytest.mark.parametrize(("joined", "age"), [(None, 80.0), (70.0, 30.0), (120.0, 0.0)])
async def test_a_record_is_as_old_as_the_read_that_was_joined_and_not_as_a_table_that_was_looked_at(
    joined: float | None, age: float
) -> None:
    cache = MemoryCache(ttl_seconds=300, clock=lambda: 100.0)
    crm = replace(memory_crm("left", opportunities=1), cache=cache)
    context = contexts([crm])()

    async def read(ids: Sequence[str]) -> dict[str, Account]:
        record_kept(20.0)
        if joined is not None:
            record_joined(joined)
        return {local_id: Account(ref=Ref("left", local_id), name="Kept") for local_id in ids}

    await read_by_ids(context, crm, "Account", ["1"], selection=EVERYTHING, read=read, max_age=200)

    assert cache.take("Account", ["1"], wish=None, max_age=200).age == age


def odd(answer: Any) -> list[tuple[str, object]]:
    extensions: dict[str, Any] = answer.extensions or {}
    return [(warning["message"], warning["path"]) for warning in extensions.get("warnings", [])]


async def test_every_odd_record_of_many_is_told_of_when_it_is_shown_again() -> None:
    async with autotask_graph(main=40) as graph:
        keeping = KeepingGraph(graph)
        rows = keeping.table("main", "Opportunities").rows
        for row in rows.values():
            row["probability"] = 140
        ids = [encode("Opportunity", Ref("main", str(number))) for number in rows]
        query = "query($ids: [ID!]!) { nodes(ids: $ids, maxAge: 60) { ... on Opportunity { probability } } }"
        first = await keeping.answer(query, ids=ids)
        assert len(odd(first)) == 20
        keeping.all_calls()

        for index in (0, 19, 20, 39):
            assert len(odd(await keeping.answer(query, ids=[ids[index]]))) == 1
        assert keeping.all_calls() == {}


async def test_what_is_odd_in_lists_below_records_is_told_again() -> None:
    async with autotask_graph(main=40) as graph:
        keeping = KeepingGraph(graph)
        rows = keeping.table("main", "Opportunities").rows
        for row in rows.values():
            row["probability"] = 140
        ids = [encode("Account", Ref("main", str(key))) for key in list(dict.fromkeys(row["companyID"] for row in rows.values()))[:3]]
        query = """query($ids: [ID!]!) { nodes(ids: $ids, maxAge: 60) {
            ... on Account { opportunities(first: 2) { nodes { title probability } } } } }"""
        first = await keeping.answer(query, ids=ids)
        assert odd(first)
        keeping.all_calls()

        again = await keeping.answer(query, ids=ids)

        assert keeping.all_calls() == {}
        assert odd(again) == odd(first)
