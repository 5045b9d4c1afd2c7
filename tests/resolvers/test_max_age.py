"""What an operation may take from what earlier ones have read, and what it then says about that."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from strawberry.types import ExecutionResult

from resolvers.node_id import encode
from tests.live import live
from tests.playground import playground
from tests.resolvers.graph import SEEDED, Graph, autotask_graph, until, whole_graph
from tests.resolvers.test_over_http import ask
from tests.server.changes.watchtower import EAGER, Tower, watched
from vendors.cache import MemoryCache
from vendors.capabilities import Page, PageRequest
from vendors.model import Opportunity, Ref
from vendors.sandbox import Fault

BOARD = """
query($age: Int!, $first: Int = 20) {
  opportunities(first: $first, maxAge: $age) {
    nodes {
      id title amount { amount currency } probability crm { key }
      pipeline { name } stage { name } owner { name email } account { name } contacts { name email }
    }
    sources { crm { key } status vendorCalls ageSeconds }
  }
}
"""
TITLES = "{ opportunities(first: 20, crms: [%s], maxAge: 60) { nodes { title } sources { ageSeconds } } }"
SOURCES = "sources { crm { key } status vendorCalls ageSeconds fetchedAt }"


@dataclass(slots=True)
class SetClock:
    """Begins long before the clients' clock, so that no small table looks newer than what is read from the vendor."""

    now: float = -1_000_000.0

    def __call__(self) -> float:
        return self.now


class KeepingGraph(Graph):
    """A graph that keeps what it reads, by a clock of the test's own."""

    def __init__(self, graph: Graph, *, ttl_seconds: float = 300) -> None:
        self.clock = SetClock()
        crms = {
            key: replace(ground.crm, cache=MemoryCache(ttl_seconds=ttl_seconds, clock=self.clock)) for key, ground in graph.grounds.items()
        }
        super().__init__(graph.grounds, more=crms)
        self.crms = crms

    def all_calls(self) -> dict[str, list[str]]:
        """What the sandboxes were asked since the last look, those that were."""
        return {key: calls for key in self.grounds if (calls := self.calls(key))}

    async def explained(self, query: str, **variables: object) -> Mapping[str, Any]:
        """The `extensions` of an answer, with the explanation."""
        result = await self.schema.execute(
            query, variable_values=variables, context_value=self.make(), operation_extensions={"explain": True}
        )
        assert isinstance(result, ExecutionResult)
        assert result.errors is None, result.errors
        return result.extensions or {}


@pytest.fixture
async def whole() -> AsyncGenerator[KeepingGraph, None]:
    async with whole_graph() as graph:
        yield KeepingGraph(graph)


@pytest.fixture
async def twins() -> AsyncGenerator[KeepingGraph, None]:
    async with autotask_graph(left=SEEDED, right=SEEDED) as graph:
        yield KeepingGraph(graph)


def nodes(data: Mapping[str, Any]) -> Any:
    return data["opportunities"]["nodes"]


# what is kept


async def test_a_board_over_every_vendor_is_shown_again_without_a_call(whole: KeepingGraph) -> None:
    first = await whole.data(BOARD, age=60)
    assert set(whole.all_calls()) == set(whole.grounds)

    again = await whole.data(BOARD, age=60)

    assert whole.all_calls() == {}
    assert nodes(again) == nodes(first)
    assert {source["vendorCalls"] for source in again["opportunities"]["sources"]} == {0}


@pytest.mark.parametrize(
    "arguments",
    [
        "filter: { status: [OPEN] }",
        "filter: { probability: { gte: 10 } }",
        'filter: { accountName: { contains: "a" } }',
        'filter: { stageNames: ["Proposal"] }',
        "orderBy: [{ field: TITLE }]",
        'orderBy: [{ field: AMOUNT, currency: "EUR" }], filter: { status: [OPEN] }',
        "orderBy: [{ field: EXPECTED_CLOSE_DATE }]",
        "last: 10",
        "includeDeleted: true",
    ],
)
async def test_a_list_is_shown_again_without_a_call(arguments: str, whole: KeepingGraph) -> None:
    query = (
        f"{{ opportunities({arguments}, maxAge: 60) {{ nodes {{ id title account {{ name }} }} pageInfo {{ endCursor hasNextPage }}"
        " sources { status } } }"
    )
    first = await whole.data(query)
    assert whole.all_calls()

    again = await whole.data(query)

    assert whole.all_calls() == {}
    assert [node["id"] for node in nodes(again)] == [node["id"] for node in nodes(first)]
    assert again == first


async def test_pages_totals_and_lists_below_records_are_shown_again_without_a_call(whole: KeepingGraph) -> None:
    query = """query($after: String) { opportunities(first: 7, after: $after, maxAge: 60) { totalCount pageInfo { endCursor }
        nodes { title account { name opportunities(first: 3) { nodes { title } } contacts(first: 2) { nodes { name } } } } } }"""
    second = """{ accounts(first: 5, maxAge: 60) { nodes { name } } contacts(first: 5, maxAge: 60) { nodes { name } }
        users(first: 5, maxAge: 60) { nodes { name } } }"""
    first = await whole.data(query)
    behind = await whole.data(query, after=first["opportunities"]["pageInfo"]["endCursor"])
    parties = await whole.data(second)
    assert whole.all_calls()

    assert await whole.data(query) == first
    assert await whole.data(query, after=first["opportunities"]["pageInfo"]["endCursor"]) == behind
    assert await whole.data(second) == parties
    assert whole.all_calls() == {}


async def test_records_are_read_by_id_once_and_so_is_that_there_is_none(whole: KeepingGraph) -> None:
    ids = [node["id"] for node in nodes(await whole.data("{ opportunities(first: 10) { nodes { id } } }"))]
    ids += [encode("Contact", Ref(key, "4711471147")) for key in whole.grounds]
    query = "query($ids: [ID!]!) { nodes(ids: $ids, maxAge: 60) { id ... on Opportunity { title contacts { name } } } }"
    first = await whole.answer(query, ids=ids)
    whole.all_calls()

    again = await whole.answer(query, ids=ids)

    assert again.data == first.data
    assert set(whole.all_calls()) <= {error.extensions["crm"] for error in first.errors or () if error.extensions}


async def test_rows_of_a_list_are_found_by_their_ids(twins: KeepingGraph) -> None:
    found = await twins.data("{ opportunities(first: 3, maxAge: 60) { nodes { id title } } }")
    twins.all_calls()

    query = "query($id: ID!) { opportunity(id: $id, maxAge: 60) { title } node(id: $id, maxAge: 60) { id } }"
    shown = await twins.data(query, id=nodes(found)[2]["id"])

    assert shown["opportunity"]["title"] == nodes(found)[2]["title"]
    assert twins.all_calls() == {}


async def test_without_an_age_everything_is_read_anew_and_nothing_is_kept(twins: KeepingGraph) -> None:
    await twins.data(BOARD, age=0)
    twins.all_calls()

    kept = await twins.data(BOARD, age=60)
    assert set(twins.all_calls()) == {"left", "right"}
    anew = await twins.data(BOARD, age=0)

    assert set(twins.all_calls()) == {"left", "right"}
    assert nodes(anew) == nodes(kept)


async def test_a_record_that_was_read_with_few_fields_does_not_serve_who_asks_for_more(twins: KeepingGraph) -> None:
    few = "{ opportunities(first: 5, maxAge: 60) { nodes { title } } }"
    more = "{ opportunities(first: 5, maxAge: 60) { nodes { title amount { amount } autotask { assessmentScore } } } }"
    await twins.data(few)
    twins.all_calls()

    shown = await twins.data(more)
    assert set(twins.all_calls()) == {"left", "right"}
    assert any(node["amount"] for node in nodes(shown))
    await twins.data(few)
    assert twins.all_calls() == {}


async def test_a_list_with_deleted_rows_and_one_without_are_two(twins: KeepingGraph) -> None:
    plain = "{ opportunities(first: 60, maxAge: 60) { nodes { title } } }"
    await twins.data(plain)
    twins.all_calls()

    await twins.data(plain.replace("first", "includeDeleted: true, first"))

    assert set(twins.all_calls()) == {"left", "right"}


async def test_an_error_is_never_kept(twins: KeepingGraph) -> None:
    twins.break_down("left", Fault(kind="status", status=503))
    failed = await twins.data(BOARD, age=60)
    assert [source["status"] for source in failed["opportunities"]["sources"]] == ["FAILED", "OK"]
    twins.mend("left")
    twins.crms["left"].link.https[-1].circuit.succeeded()

    mended = await twins.data(BOARD, age=60)

    assert [source["status"] for source in mended["opportunities"]["sources"]] == ["OK", "OK"]
    assert {node["crm"]["key"] for node in nodes(mended)} == {"left", "right"}


async def test_a_page_with_rows_that_could_not_be_read_is_asked_for_again(twins: KeepingGraph) -> None:
    row = next(iter(twins.table("left", "Opportunities").rows.values()))
    title, row["title"] = row["title"], {"not": "a title"}
    failed = await twins.data(BOARD, age=60)
    assert [source["status"] for source in failed["opportunities"]["sources"]] == ["PARTIAL", "OK"]
    row["title"] = title

    mended = await twins.data(BOARD, age=60)

    assert [source["status"] for source in mended["opportunities"]["sources"]] == ["OK", "OK"]
    global_id = encode("Opportunity", Ref("left", str(row["id"])))
    assert global_id not in [node["id"] for node in nodes(failed)]
    assert global_id in [node["id"] for node in nodes(mended)]


async def test_rows_that_are_kept_are_not_what_a_stricter_field_reads_by_id(twins: KeepingGraph) -> None:
    for order in ("", "orderBy: [{ field: TITLE }]"):
        rows = f'opportunities(first: 4, maxAge: 60, crms: ["left"] {order}) {{ nodes {{ id title }} }}'
        shown = nodes(await twins.data(f"{{ {rows} }}"))[0]
        twins.calls("left")

        found = await twins.data(f"query($id: ID!) {{ {rows} opportunity(id: $id) {{ title }} }}", id=shown["id"])

        assert found["opportunity"]["title"] == nodes(found)[0]["title"] == shown["title"]
        assert len(twins.calls("left")) == 1


async def test_a_record_that_could_not_be_read_is_asked_for_again(twins: KeepingGraph) -> None:
    await twins.data("{ pipelines { name } users { nodes { name } } }")
    query = "{ opportunities(first: 4, maxAge: 60) { nodes { account { name } } } }"
    twins.break_down("left", Fault(kind="status", status=503, match="Companies"))
    failed = await twins.answer(query)
    assert failed.errors
    twins.mend("left")
    twins.crms["left"].link.https[-1].circuit.succeeded()

    mended = await twins.data(query)

    assert all(node["account"] for node in nodes(mended))


async def test_what_was_odd_in_a_list_is_told_again(twins: KeepingGraph) -> None:
    next(iter(twins.table("left", "Opportunities").rows.values()))["probability"] = 140
    first = await twins.answer(BOARD, age=60)
    again = await twins.answer(BOARD, age=60)

    told = (first.extensions or {})["warnings"]
    assert [(warning["code"], warning["crm"], warning["path"]) for warning in told] == [("PERCENT_OUT_OF_RANGE", "left", ["opportunities"])]
    assert (again.extensions or {})["warnings"] == told


@pytest.mark.parametrize("is_listed", [True, False])
async def test_what_was_odd_in_a_record_is_told_of_that_record(twins: KeepingGraph, *, is_listed: bool) -> None:
    odd, fine = list(twins.table("left", "Opportunities").rows)[:2]
    twins.table("left", "Opportunities").rows[odd]["probability"] = 140
    by_id = "query($ids: [ID!]!) { nodes(ids: $ids, maxAge: 60) { ... on Opportunity { probability } } }"
    ids = [encode("Opportunity", Ref("left", str(number))) for number in (odd, fine)]
    first = await twins.answer("{ opportunities(maxAge: 60) { nodes { probability } } }" if is_listed else by_id, ids=ids)
    twins.all_calls()

    both, one, other = [await twins.answer(by_id, ids=wanted) for wanted in (ids, ids[:1], ids[1:])]

    assert twins.all_calls() == {}
    told = [warning["message"] for answer in (first, both, one) for warning in (answer.extensions or {})["warnings"]]
    assert len(told) == 3
    assert len(set(told)) == 1
    assert "warnings" not in (other.extensions or {})


# how old


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


# what changes


async def test_an_own_write_is_seen_at_once(twins: KeepingGraph) -> None:
    before = await twins.data(BOARD, age=60)
    chosen = next(node for node in nodes(before) if node["crm"]["key"] == "left")
    by_id = "query($id: ID!) { opportunity(id: $id, maxAge: 60) { title } }"
    await twins.data(by_id, id=chosen["id"])
    made = await twins.data(
        "mutation($input: UpdateOpportunityInput!) { updateOpportunity(input: $input) { outcome opportunity { title } } }",
        input={"id": chosen["id"], "title": "Renamed by us"},
    )
    assert made["updateOpportunity"] == {"outcome": "DONE", "opportunity": {"title": "Renamed by us"}}
    twins.all_calls()

    after = await twins.data(BOARD, age=60)

    assert [node["title"] for node in nodes(after) if node["id"] == chosen["id"]] == ["Renamed by us"]
    assert set(twins.all_calls()) == {"left"}  # nothing was written into the other one
    assert (await twins.data(by_id, id=chosen["id"]))["opportunity"]["title"] == "Renamed by us"


async def test_a_write_whose_answer_is_lost_is_seen_at_once(twins: KeepingGraph) -> None:
    chosen = next(node for node in nodes(await twins.data(BOARD, age=60)) if node["crm"]["key"] == "left")
    twins.break_down("left", Fault(kind="reset_mid_body", match="Opportunities.patch", times=1))
    lost = await twins.answer(
        "mutation($input: UpdateOpportunityInput!) { updateOpportunity(input: $input) { outcome } }",
        input={"id": chosen["id"], "title": "Renamed nevertheless"},
    )
    assert lost.errors

    after = await twins.data(BOARD, age=60)

    assert [node["title"] for node in nodes(after) if node["id"] == chosen["id"]] == ["Renamed nevertheless"]


async def test_a_reading_that_a_write_overtakes_is_not_kept(twins: KeepingGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = next(node for node in nodes(await twins.data(BOARD, age=0)) if node["crm"]["key"] == "left")
    client: Any = twins.crms["left"].client
    read, has_read, goes_on = client.opportunities_page, asyncio.Event(), asyncio.Event()

    async def read_slowly(request: PageRequest) -> Page[Opportunity]:
        page: Page[Opportunity] = await read(request)
        has_read.set()
        await goes_on.wait()
        return page

    monkeypatch.setattr(client, "opportunities_page", read_slowly)
    slow = asyncio.create_task(twins.data(BOARD, age=60))
    await has_read.wait()
    monkeypatch.undo()
    await twins.data(
        "mutation($input: UpdateOpportunityInput!) { updateOpportunity(input: $input) { outcome } }",
        input={"id": chosen["id"], "title": "Renamed meanwhile"},
    )
    goes_on.set()
    await slow

    after = await twins.data(BOARD, age=60)

    assert [node["title"] for node in nodes(after) if node["id"] == chosen["id"]] == ["Renamed meanwhile"]


@asynccontextmanager
async def watched_and_kept(folder: Path) -> AsyncGenerator[tuple[Tower, KeepingGraph], None]:
    async with playground("autotask") as ground:
        keeping = KeepingGraph(Graph({ground.crm.key: ground}))
        crm = keeping.crms[ground.crm.key]
        crm = replace(crm, watching=EAGER, link=replace(crm.link, sleep=asyncio.sleep))
        async with watched(folder, {crm.key: crm}) as (service, store, make_context):
            tower = Tower({crm.key: crm}, {crm.key: ground}, service, store, make_context)
            keeping.make = make_context
            await tower.settled()
            yield tower, keeping


async def test_a_change_that_is_noticed_is_seen_at_once(tmp_path: Path) -> None:
    async with watched_and_kept(tmp_path) as (tower, keeping):
        (key,) = tower.crms
        query = "{ opportunities(first: 60, maxAge: 3600) { nodes { id stage { name } } } }"
        before = await keeping.data(query)
        assert await keeping.data(query) == before
        board = tower.board(key)
        deal = board.deals()[0]
        head = tower.service.head
        board.move(deal, Random(11))  # noqa: S311  # keeps no secret
        await tower.next(1, after=head)

        after = await keeping.data(query)

        changed = [new["id"] for old, new in zip(nodes(before), nodes(after), strict=True) if old != new]
        assert changed == [encode("Opportunity", Ref(key, deal))]


async def test_an_event_of_a_subscription_is_shown_as_it_is_now(tmp_path: Path) -> None:
    async with watched_and_kept(tmp_path) as (tower, keeping):
        (key,) = tower.crms
        await keeping.data("{ accounts(first: 60, maxAge: 3600) { nodes { name } } }")
        await keeping.data("{ opportunities(first: 60, maxAge: 3600) { nodes { title account { name } } } }")
        query = "subscription { opportunityStageChanged { opportunity { title account { name } } } }"
        results: Any = await keeping.schema.subscribe(query, context_value=keeping.make())
        waiting = asyncio.create_task(anext(results))
        await until(lambda: tower.service.broker.subscribers > 0)
        keeping.calls(key)
        board = tower.board(key)
        board.move(board.deals()[0], Random(11))  # noqa: S311  # keeps no secret

        async with asyncio.timeout(60):
            result = await waiting

        await results.aclose()
        assert result.errors is None
        assert "ages" not in (result.extensions or {})
        assert any("Companies" in call for call in keeping.calls(key))


# the whole way


async def test_a_configured_server_keeps_what_it_reads() -> None:
    query = "{ opportunities(first: 10, maxAge: 300) { nodes { title owner { name } account { name } } } }"
    async with live() as running:
        _, first = await ask(running.url, query)
        for sandbox in running.sandboxes.values():
            sandbox.control.calls.clear()

        _, again = await ask(running.url, query)

        assert again["data"] == first["data"]
        assert set(again["extensions"]["ages"]) == set(running.sandboxes)
        assert all(0 < age < 300 for age in again["extensions"]["ages"].values())
        assert [sandbox.control.operations() for sandbox in running.sandboxes.values()] == [[]] * len(running.sandboxes)
