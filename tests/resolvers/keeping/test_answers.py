"""Which answers are kept as a whole, and for how long: never a moment longer than executing the query anew would give the same."""

import asyncio
import gc
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from weakref import ref

import aiohttp
import pytest
import strawberry

from bench.company import contexts, memory_crm
from resolvers.context import Context
from resolvers.footing import note_footing
from server.schema import build_schema
from tests.resolvers.keeping.graph import KeepingGraph
from tests.resolvers.test_over_http import served
from vendors.cache import MemoryCache
from vendors.sandbox import Fault

BOARD = """query Board($first: Int = 20, $age: Int = 60) { opportunities(first: $first, maxAge: $age) {
    pageInfo { hasNextPage endCursor }
    edges { node { id title amount { amount currency } crm { key label } pipeline { name } stage { name }
        owner { name email } account { name owner { name } } contacts { name email } } } } }"""
OTHER = "{ accounts(first: 5, maxAge: 60) { nodes { name } } users(first: 5, maxAge: 60) { nodes { name } } }"
RENAME = "mutation($input: UpdateOpportunityInput!) { updateOpportunity(input: $input) { outcome } }"


class Frontend:
    """Asks a graph over HTTP, and knows how many operations were executed for it."""

    def __init__(self, url: str, http: aiohttp.ClientSession, graph: KeepingGraph) -> None:
        self._url = url
        self._http = http
        self.graph = graph
        self.executed = 0

    async def ask(self, query: str, *, extensions: object = None, name: str | None = None, **variables: object) -> dict[str, Any]:
        body = {"query": query, "variables": variables, "extensions": extensions, "operationName": name}
        async with self._http.post(self._url, json=body) as response:
            assert response.status == 200
            answer: dict[str, Any] = await response.json()
            return answer

    async def is_executed(self, query: str, **asked: Any) -> bool:
        """Whether a query is executed, rather than given the answer that is kept; either way the answer is the one that it has now."""
        before = self.executed
        answer = await self.ask(query, **asked)
        was_executed = self.executed > before
        anew = await self.graph.schema.execute(query, variable_values=asked, context_value=self.graph.make())
        assert answer["data"] == anew.data
        assert was_executed or answer["extensions"] == anew.extensions
        return was_executed

    async def kept(self, query: str, **asked: Any) -> dict[str, Any]:
        """An answer that is kept from now on."""
        await self.ask(query, **asked)
        answer = await self.ask(query, **asked)
        assert not await self.is_executed(query, **asked)
        return answer


@asynccontextmanager
async def frontend(graph: KeepingGraph) -> AsyncGenerator[Frontend, None]:
    async with served(graph) as url, aiohttp.ClientSession() as http:
        asks = Frontend(url, http, graph)
        schema: strawberry.Schema = graph.schema
        execute: Callable[..., Awaitable[Any]] = schema.execute

        async def count(*args: Any, **kwargs: Any) -> Any:
            asks.executed += isinstance(kwargs["context_value"], Context) and "allowed_operation_types" in kwargs
            return await execute(*args, **kwargs)

        graph.schema.execute = count  # type: ignore[method-assign]
        yield asks


async def test_an_answer_of_kept_records_over_every_vendor_is_given_again_with_its_age(whole: KeepingGraph) -> None:
    async with frontend(whole) as asks:
        first = await asks.ask(BOARD)
        second = await asks.ask(BOARD)
        assert asks.executed == 2
        whole.all_calls()
        whole.clock.now += 7

        third = await asks.ask(BOARD)

        assert asks.executed == 2
        assert whole.all_calls() == {}
        assert third["data"] == second["data"] == first["data"]
        assert {crm: round(age) for crm, age in third["extensions"]["ages"].items()} == dict.fromkeys(sorted(whole.grounds), 7)


async def test_the_same_question_in_other_words_is_another_one(twins: KeepingGraph) -> None:
    two = f"{BOARD} query Other {OTHER}"
    async with frontend(twins) as asks:
        await asks.kept(BOARD, first=3, age=50)

        assert not await asks.is_executed(BOARD, age=50, first=3)
        assert await asks.is_executed(BOARD, first=4, age=50)
        assert await asks.is_executed(BOARD, first=3, age=51)
        assert await asks.is_executed(BOARD, first=3)
        assert await asks.is_executed(BOARD + " ", first=3, age=50)
        assert "edges" in (await asks.ask(two, name="Board"))["data"]["opportunities"]
        for _ in range(3):
            assert set((await asks.ask(two, name="Other"))["data"]) == {"accounts", "users"}
        assert "edges" in (await asks.ask(two, name="Board"))["data"]["opportunities"]


async def _write(asks: Frontend) -> None:
    found = await asks.graph.data("{ opportunities(first: 1) { nodes { id } } }")
    await asks.ask(RENAME, input={"id": found["opportunities"]["nodes"][0]["id"], "title": "Renamed"})


async def _other_list(asks: Frontend) -> None:
    await asks.ask(OTHER)


async def _age(asks: Frontend) -> None:
    asks.graph.clock.now += 60.001


async def _tomorrow(asks: Frontend) -> None:
    make = asks.graph.make

    class Tomorrow:
        def __init__(self, clocks: Any) -> None:
            self.monotonic = clocks.monotonic

        def utc_timestamp(self) -> float:
            return (datetime.now(UTC) + timedelta(days=1)).timestamp()

    asks.graph.make = lambda: replace(make(), clocks=Tomorrow(make().clocks))  # type: ignore[assignment]


async def _new_rates(asks: Frontend) -> None:
    make, rates = asks.graph.make, copy(asks.graph.make().rates)
    asks.graph.make = lambda: replace(make(), rates=rates)  # type: ignore[assignment]


async def _a_crm_of_another_name(asks: Frontend) -> None:
    make, crms = asks.graph.make, asks.graph.crms
    seen = {**crms, "left": replace(crms["left"], label="Renamed")}
    asks.graph.make = lambda: replace(make(), crms=seen)  # type: ignore[assignment]


async def _a_lesson(asks: Frontend) -> None:
    asks.graph.crms["left"].link.lessons.append("filter opportunities by owner_id")


@pytest.mark.parametrize("change", [_write, _other_list, _age, _tomorrow, _new_rates, _a_crm_of_another_name, _a_lesson])
async def test_it_is_made_anew_once_it_may_become_another_one(change: Callable[[Frontend], Awaitable[None]], twins: KeepingGraph) -> None:
    async with frontend(twins) as asks:
        await asks.kept(BOARD)

        await change(asks)

        assert await asks.is_executed(BOARD)
        await asks.kept(BOARD)


async def test_what_is_kept_of_other_crms_does_not_matter(twins: KeepingGraph) -> None:
    query = "{ opportunities(first: 5, crms: [%s], maxAge: 60) { nodes { title owner { name } } } }"
    async with frontend(twins) as asks:
        await asks.kept(query % '"left"')

        await asks.ask(query % '"right"')

        assert not await asks.is_executed(query % '"left"')


async def test_it_is_not_kept_for_longer_than_records_are(twins: KeepingGraph) -> None:
    async with frontend(twins) as asks:
        await asks.kept(BOARD, age=86_400)
        asks.graph.clock.now += 299
        assert not await asks.is_executed(BOARD, age=86_400)
        asks.graph.clock.now += 1.001

        assert await asks.is_executed(BOARD, age=86_400)


@pytest.mark.parametrize(
    "query",
    [
        "{ opportunities(first: 5) { nodes { title } } }",
        "{ opportunities(first: 5, maxAge: 60) { nodes { title } } users(first: 2) { nodes { name } } }",
        "{ opportunities(first: 5, maxAge: 60) { nodes { title } sources { ageSeconds } } }",
        "{ opportunities(first: 5, maxAge: 60) { nodes { title } totalCount } }",
        "{ opportunities(first: 5, maxAge: 60) { nodes { crm { health { circuit } } } } }",
        "{ opportunities(first: 5, maxAge: 60) { nodes { crm { changes { lagSeconds } } } } }",
        "{ opportunities(first: 5, maxAge: 60, orderBy: [{ field: TITLE }]) { nodes { title } } }",
        "{ opportunities(last: 5, maxAge: 60) { nodes { title } } }",
        '{ opportunities(first: 5, maxAge: 60, filter: { stageNames: ["Proposal"] }) { nodes { title } } }',
        '{ opportunities(first: 5, maxAge: 60, filter: { title: { contains: "e" } }) { nodes { title } } }',
        "{ opportunities(first: 5, maxAge: 60) { nodes { title } } crms { key } }",
        "{ changesCursor opportunities(first: 5, maxAge: 60) { nodes { title } } }",
        "{ opportunities(first: 5, maxAge: 60) { nodes { title } } __schema { queryType { name } } }",
        '{ opportunities(first: 5, maxAge: 60) { nodes { title amount { in(currency: "XAU") { amount } } } } }',
        "{ opportunities(first: 5, maxAge: 60) { nodes { title stageHistory { eventId } } } }",
        "{ opportunities(first: 5, maxAge: 60) { nodes { account { contacts(first: 2) { nodes { name } } } } } }",
        "{ opportunities(first: 5, maxAge: 60) { nodes { account { opportunities(first: 2) { nodes { title } } } } } }",
    ],
)
async def test_what_shows_more_than_kept_records_is_executed_each_time(query: str, twins: KeepingGraph) -> None:
    async with frontend(twins) as asks:
        for times in range(1, 5):
            answer = await asks.ask(query)
            assert answer["data"]
            assert asks.executed == times


async def test_the_pages_of_a_list_are_kept_one_by_one(twins: KeepingGraph) -> None:
    query = """query($after: String) { opportunities(first: 4, after: $after, maxAge: 60) { nodes { title } pageInfo { endCursor } } }"""
    async with frontend(twins) as asks:
        first = await asks.kept(query, after=None)
        second = await asks.kept(query, after=first["data"]["opportunities"]["pageInfo"]["endCursor"])
        assert second["data"]["opportunities"]["nodes"] != first["data"]["opportunities"]["nodes"]


async def test_a_crm_of_which_nothing_may_be_kept_is_read_each_time(twins: KeepingGraph) -> None:
    crms = {**twins.crms, "right": replace(twins.crms["right"], cache=None)}
    make = twins.make
    twins.make = lambda: replace(make(), crms=crms)  # type: ignore[assignment]
    async with frontend(twins) as asks:
        for times in range(1, 4):
            twins.all_calls()
            answers = await asyncio.gather(asks.ask(BOARD), asks.ask(BOARD))
            assert answers[0]["data"] == answers[1]["data"]
            assert asks.executed == 2 * times
            assert set(twins.all_calls()) >= {"right"}
        await asks.kept('{ opportunities(first: 5, crms: ["left"], maxAge: 60) { nodes { title } } }')


async def test_what_an_adapter_reads_without_a_call_is_nothing_to_stand_on() -> None:
    cache = MemoryCache(ttl_seconds=60, clock=time.monotonic)
    make = contexts([replace(memory_crm("kept", opportunities=3), cache=cache), memory_crm("anew", opportunities=3)])
    schema = build_schema()
    for crms, has_footing in (("kept", True), ("anew", False), ("kept anew", False)):
        for times in range(4):
            context = make()
            query = "query($crms: [String!]!) { opportunities(first: 2, crms: $crms, maxAge: 60) { nodes { title owner { name } } } }"
            result = await schema.execute(query, context_value=context, variable_values={"crms": crms.split()})
            assert result.errors is None
            assert (context.footing is not None) == (has_footing and times > 0)


async def test_what_changes_while_an_answer_is_made_is_in_the_next_one(twins: KeepingGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    async with frontend(twins) as asks:
        await asks.kept(BOARD)
        await _other_list(asks)
        cache: Any = twins.crms["left"].cache
        take = cache.take

        def take_before_a_change(*args: Any, **kwargs: Any) -> Any:
            taken = take(*args, **kwargs)
            cache.drop(["1"])
            return taken

        monkeypatch.setattr(cache, "take", take_before_a_change)
        await asks.ask(BOARD)
        monkeypatch.undo()

        assert await asks.is_executed(BOARD)


async def test_its_age_is_that_of_the_records_however_long_it_took_to_make(twins: KeepingGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    async with frontend(twins) as asks:
        await asks.kept(BOARD)
        cache: Any = twins.crms["left"].cache
        take = cache.take

        def take_slowly(*args: Any, **kwargs: Any) -> Any:
            taken = take(*args, **kwargs)
            twins.clock.now += 2
            return taken

        monkeypatch.setattr(cache, "take", take_slowly)
        await asks.ask(BOARD + " ")
        monkeypatch.undo()

        assert not await asks.is_executed(BOARD + " ")


@pytest.mark.parametrize(
    ("early", "late", "ages"),
    [
        ("opportunities(%s) { nodes { title } }", "opportunities(%s) { nodes { title } }", {"left": 50, "right": 10}),
        ("contacts(%s) { nodes { name } }", "accounts(%s) { nodes { name } }", {"left": 50}),
        ("accounts(%s) { nodes { name } }", "contacts(%s) { nodes { name } }", {"left": 50}),
    ],
)
async def test_it_is_as_old_as_the_oldest_and_kept_until_the_first_is_too_old(
    early: str, late: str, ages: dict[str, int], twins: KeepingGraph
) -> None:
    early %= 'first: 5, maxAge: 60, crms: ["left"]'
    late %= f'first: 5, maxAge: 60, crms: ["{max(ages)}"]'
    both = f"{{ early: {early} late: {late} }}"
    async with frontend(twins) as asks:
        await asks.ask(f"{{ {early} }}")
        twins.clock.now += 40
        await asks.ask(f"{{ {late} }}")
        twins.clock.now += 10
        kept = await asks.kept(both)
        assert {crm: round(age) for crm, age in kept["extensions"]["ages"].items()} == ages
        twins.clock.now += 9
        assert not await asks.is_executed(both)
        twins.clock.now += 2

        assert await asks.is_executed(both)


async def test_what_is_made_around_midnight_is_of_no_day(twins: KeepingGraph) -> None:
    make, days = twins.make, iter(range(100))

    class EachTimeAnotherDay:
        monotonic = staticmethod(make().clocks.monotonic)

        def utc_timestamp(self) -> float:
            return 1_800_000_000.0 + 86_400.0 * next(days)

    async with frontend(twins) as asks:
        await asks.kept(BOARD)
        twins.make = lambda: replace(make(), clocks=EachTimeAnotherDay())  # type: ignore[assignment]
        await asks.ask(BOARD)
        used = next(days)
        stopped = 1_800_000_000.0 + 86_400.0 * (used - 1)

        class Stopped:
            monotonic = EachTimeAnotherDay.monotonic

            def utc_timestamp(self) -> float:
                return stopped

        twins.make = lambda: replace(make(), clocks=Stopped())  # type: ignore[assignment]

        assert await asks.is_executed(BOARD)


def test_rates_that_are_no_longer_in_use_are_let_go(twins: KeepingGraph) -> None:
    context = replace(twins.make(), rates=copy(twins.make().rates))
    context.freshness.begun = context.utc_now().date(), context.versions()
    note_footing(context)
    footing, rates = context.footing, ref(context.rates)
    assert footing is not None
    assert footing.extensions(context) == {}

    del context
    gc.collect()

    assert rates() is None
    assert footing.extensions(twins.make()) is None


async def test_an_answer_with_errors_or_an_explanation_is_executed_each_time(twins: KeepingGraph) -> None:
    async with frontend(twins) as asks:
        await asks.kept(BOARD)
        executed = asks.executed
        for times in range(1, 4):
            assert "explain" in (await asks.ask(BOARD, extensions={"explain": True}))["extensions"]
            assert asks.executed == executed + times
        asks.graph.clock.now += 61
        twins.break_down("left", Fault(kind="status", status=500))
        for _ in range(3):
            executed = asks.executed
            assert [error["extensions"]["crm"] for error in (await asks.ask(BOARD))["errors"]] == ["left"]
            assert asks.executed == executed + 1


async def test_whatever_happens_the_answer_is_the_one_that_executing_gives(twins: KeepingGraph) -> None:
    random = Random(6)  # noqa: S311  # repeatable, not secret
    queries: list[tuple[str, dict[str, object]]] = [(BOARD, {"first": first, "age": age}) for first in (3, 20) for age in (20, 60)]
    queries.append((OTHER, {}))
    ways = {True: 0, False: 0}
    async with frontend(twins) as asks:
        for number in range(100):
            match random.randrange(16):
                case 0:
                    found = await twins.data("{ opportunities(first: 20) { nodes { id } } }")
                    chosen = random.choice(found["opportunities"]["nodes"])["id"]
                    await asks.ask(RENAME, input={"id": chosen, "title": f"Renamed {number}"})
                case 1 | 2:
                    twins.clock.now += random.choice([0.5, 15.0, 30.0])
                case _:
                    query, variables = random.choice(queries)
                    for _ in range(random.randrange(1, 4)):
                        ways[await asks.is_executed(query, **variables)] += 1

    assert min(ways.values()) > 15, ways
