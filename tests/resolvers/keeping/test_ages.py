"""How old what an operation takes may be, and what it says about that."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime

import pytest

from tests.playground import playground
from tests.resolvers.graph import SEEDED, Graph, autotask_graph
from tests.resolvers.keeping.graph import BOARD, SOURCES, KeepingGraph
from vendors.cache import MemoryCache


async def test_what_is_older_than_allowed_is_read_again(twins: KeepingGraph) -> None:
    await twins.data(BOARD, age=60)
    twins.all_calls()

    twins.clock.now += 59
    await twins.data(BOARD, age=60)
    assert twins.all_calls() == {}
    twins.clock.now += 2
    await twins.data(BOARD, age=60)

    assert set(twins.all_calls()) == {"left", "right"}


@pytest.mark.parametrize("query", ["{ users(maxAge: 60) { nodes { name } } }", "{ pipelines(maxAge: 60) { name } }"])
async def test_the_age_of_a_small_table_is_told_too(query: str) -> None:
    async with autotask_graph(left=SEEDED) as graph:
        crm = replace(graph.grounds["left"].crm, cache=MemoryCache(ttl_seconds=300, clock=time.monotonic))
        keeping = Graph(graph.grounds, more={"left": crm})
        await keeping.data(query.replace("60", "0"))

        with_age, without = await keeping.answer(query), await keeping.answer(query.replace("60", "0"))

        assert 0 < (with_age.extensions or {})["ages"]["left"] < 60
        assert "ages" not in (without.extensions or {})


async def test_the_age_of_accounts_that_a_client_keeps_is_told_too() -> None:
    query = "query($age: Int!) { opportunities(first: 20, maxAge: $age) { nodes { account { name } } } }"
    async with playground("sharpspring") as ground:
        crm = replace(ground.crm, cache=MemoryCache(ttl_seconds=300, clock=time.monotonic))
        keeping = Graph({crm.key: ground}, more={crm.key: crm})
        await keeping.data(query, age=0)
        await asyncio.sleep(0.01)
        ground.control.calls.clear()

        result = await keeping.answer(query, age=60)

        assert ground.control.operations() == ["getOpportunities"]
        assert 0.01 <= (result.extensions or {})["ages"][crm.key] < 60


@pytest.mark.parametrize(
    "field", ["opportunitySummary(maxAge: %s) { count }", "opportunities(orderBy: [{field: TITLE}], maxAge: %s) { nodes { title } }"]
)
async def test_the_age_of_what_was_scanned_is_told_too(twins: KeepingGraph, field: str) -> None:
    query = f"{{ {field} }}"
    await twins.data(query % 0)
    await asyncio.sleep(0.05)

    with_age, without = await twins.answer(query % 60), await twins.answer(query % 0)

    assert all(0.05 <= age < 60 for age in (with_age.extensions or {})["ages"].values())
    assert "ages" not in (without.extensions or {})


async def test_an_operator_caps_the_age_of_a_crm() -> None:
    async with autotask_graph(left=SEEDED) as graph:
        keeping = KeepingGraph(graph, ttl_seconds=10)
        await keeping.data(BOARD, age=3_600)
        keeping.all_calls()

        keeping.clock.now += 9
        await keeping.data(BOARD, age=3_600)
        assert keeping.all_calls() == {}
        keeping.clock.now += 2
        await keeping.data(BOARD, age=3_600)

        assert set(keeping.all_calls()) == {"left"}


async def test_a_crm_that_keeps_nothing_is_read_anew() -> None:
    async with autotask_graph(left=SEEDED) as graph:
        await graph.data(BOARD, age=60)
        graph.calls("left")

        again = await graph.answer(BOARD, age=60)

        assert graph.calls("left")
        assert again.errors is None
        assert "ages" not in (again.extensions or {})


async def test_the_answer_says_how_old_it_is(twins: KeepingGraph) -> None:
    query = f"{{ opportunities(first: 20, maxAge: 60) {{ nodes {{ title account {{ name }} }} {SOURCES} }} }}"
    fresh = await twins.answer(query)
    twins.clock.now += 12.5
    kept = await twins.answer(query)

    assert fresh.data is not None
    assert [source["ageSeconds"] for source in fresh.data["opportunities"]["sources"]] == [0, 0]
    assert "ages" not in (fresh.extensions or {})
    assert kept.data is not None
    sources = kept.data["opportunities"]["sources"]
    assert [source["ageSeconds"] for source in sources] == [12.5, 12.5]
    assert (kept.extensions or {})["ages"] == {"left": 12.5, "right": 12.5}
    now = twins.make().utc_now()
    assert all(12.5 <= (now - datetime.fromisoformat(source["fetchedAt"])).total_seconds() < 60 for source in sources)


async def test_what_is_read_by_id_tells_its_age_though_the_rows_are_new(twins: KeepingGraph) -> None:
    account = "nodes { account { name } }"
    await twins.data(f'{{ opportunities(first: 4, maxAge: 60, crms: ["left"]) {{ {account} }} }}')
    twins.clock.now += 40

    result = await twins.answer(f'{{ opportunities(first: 3, maxAge: 60, crms: ["left"]) {{ {account} {SOURCES} }} }}')

    assert result.data is not None
    assert [source["ageSeconds"] for source in result.data["opportunities"]["sources"]] == [0]
    assert (result.extensions or {})["ages"] == {"left": 40}


async def test_the_explanation_counts_what_was_kept(twins: KeepingGraph) -> None:
    await twins.data(BOARD, age=60)

    told = (await twins.explained(BOARD, age=60))["explain"]

    assert told["cacheHits"] > 2
    assert [crm["vendorCalls"] for crm in told["crms"]] == [0, 0]
    assert [(source["vendorCalls"], source["cacheHits"]) for source in told["lists"][0]["sources"]] == [(0, 1), (0, 1)]


async def test_each_list_follows_its_own_age_and_what_is_below_them_the_strictest(twins: KeepingGraph) -> None:
    query = """query($strict: Int!) {
        a: opportunities(first: 5, crms: ["left"], maxAge: 60) { nodes { account { name } } sources { vendorCalls ageSeconds } }
        b: opportunities(first: 6, crms: ["left"], maxAge: $strict) { nodes { title } sources { vendorCalls ageSeconds } }
    }"""
    await twins.data(query, strict=60)
    twins.calls("left")
    twins.clock.now += 30

    found = await twins.data(query, strict=10)

    assert found["a"]["sources"] == [{"vendorCalls": 0, "ageSeconds": 30}]
    assert found["b"]["sources"] == [{"vendorCalls": 1, "ageSeconds": 0}]
    calls = twins.calls("left")
    assert len(calls) == 2
    assert sum("Companies" in call for call in calls) == 1


async def test_a_root_field_that_is_left_out_is_not_the_strictest(twins: KeepingGraph) -> None:
    query = """query($with: Boolean!) {
        crms { key }
        ...Kept
        users @include(if: $with) { nodes { name } }
        accounts(first: 1) @skip(if: true) { nodes { name } }
    }
    fragment Kept on Query { opportunities(first: 5, maxAge: 60) { nodes { account { name } } } }"""
    await twins.data(query, **{"with": False})
    twins.all_calls()

    await twins.data(query, **{"with": False})
    assert twins.all_calls() == {}
    await twins.data(query, **{"with": True})

    assert all(any("Companies" in call for call in calls) for calls in twins.all_calls().values())


@pytest.mark.parametrize("age", [-1, 86_401])
@pytest.mark.parametrize(
    "field",
    [
        "opportunities(maxAge: $age) { nodes { id } }",
        "accounts(maxAge: $age) { nodes { id } }",
        'node(id: "eA==", maxAge: $age) { id }',
        'opportunity(id: "eA==", maxAge: $age) { id }',
        "nodes(ids: [], maxAge: $age) { id }",
        "pipelines(maxAge: $age) { id }",
        "opportunitySummary(maxAge: $age) { count }",
        "explain(maxAge: $age) { rows }",
    ],
)
async def test_an_age_that_there_is_not_is_a_mistake_of_the_user(twins: KeepingGraph, field: str, age: int) -> None:
    error = await twins.error(f"query($age: Int!) {{ {field} }}", age=age)

    assert (error.extensions or {})["code"] == "BAD_USER_INPUT"
    assert "`maxAge` must be from 0 to 86400 seconds" in error.message
    assert twins.all_calls() == {}
