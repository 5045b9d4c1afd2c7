"""No branch waits for a slower one, what is loaded is loaded together, and requests share nothing but plans.

One file, because all of it is about when things happen, over the same gates that hold answers back.
"""

import asyncio
import gc
import time
from contextvars import ContextVar
from dataclasses import replace
from itertools import permutations, product
from typing import Any

import orjson
import pytest
import strawberry

from bench.company import Reply, contexts, memory_crm, memory_of
from resolvers.node_id import encode
from server.execution.executor import executor_class
from server.execution.plans import Plans, Way
from server.execution.steps import Awaited
from server.limits import Limits, operation_extensions
from server.schema import build_schema
from tests.execution.both_ways import STOCK, Bench
from tests.execution.conftest import SCHEMA
from vendors.cache import EntityCache, MemoryCache
from vendors.errors import UnavailableError
from vendors.model import Ref
from vendors.registry import Crm

Found = dict[str, Any]
GRAPH = build_schema(operation_extensions(Limits(), clock=time.monotonic))


class Gates:
    """Holds the answers of some operations back until the test lets them go."""

    def __init__(self, *held: tuple[str, str]) -> None:
        self.held = {of: asyncio.Event() for of in held}
        self.asked: list[tuple[str, str]] = []

    def __call__(self, crm: Crm) -> Reply:
        async def reply(operation: str, found: Found) -> Found:
            self.asked.append((crm.key, operation))
            if (crm.key, operation) in self.held:
                await self.held[crm.key, operation].wait()
            return found

        return reply

    async def until(self, *expected: tuple[str, str]) -> None:
        async with asyncio.timeout(5):
            while not set(expected) <= set(self.asked):  # noqa: ASYNC110  # nobody announces it
                await asyncio.sleep(0)


WIDE = """{ opportunities(first: 24) {
  nodes { title amount { amount } owner { name } stage { name } account { name } contacts { name } } sources { status } } }"""
DEEP = """{ opportunities(first: 24) { nodes {
  owner { name } account { owner { name } parent { name } } primaryContact { account { name } } pipeline { name } } } }"""


@pytest.mark.parametrize("executor", ["stock", "ours"])
async def test_a_slow_relation_keeps_no_sibling_from_going_on(bench: Bench, executor: str) -> None:
    gates = Gates(("a", "users"), ("a", "pipelines"), ("b", "users"), ("b", "pipelines"))
    bench.reply = gates

    task = asyncio.create_task(bench.outcome(DEEP, STOCK if executor == "stock" else executor_class(bench.plans)))
    await gates.until(("a", "users"), ("a", "accounts"), ("a", "contacts"))
    for _ in range(30):
        await asyncio.sleep(0)

    assert memory_of(bench.crms[0]).calls.count(("users", ())) == 0
    asked = [operation for key, operation in gates.asked if key == "a"]
    assert asked.count("accounts") >= 2  # the parents and the contacts' accounts were asked for while users still hang
    for gate in gates.held.values():
        gate.set()
    assert (await task).errors == frozenset()


@pytest.mark.parametrize("executor", ["stock", "ours"])
async def test_a_slow_crm_keeps_no_other_crm_from_going_on(bench: Bench, executor: str) -> None:
    gates = Gates(("b", "accounts"))
    bench.reply = gates

    text = "{ opportunities(first: 24) { nodes { account { owner { name } } } } }"
    task = asyncio.create_task(bench.outcome(text, STOCK if executor == "stock" else executor_class(bench.plans)))
    await gates.until(("b", "accounts"), ("a", "users"))

    assert ("b", "users") not in gates.asked
    gates.held["b", "accounts"].set()
    assert (await task).errors == frozenset()


@pytest.mark.parametrize("executor", ["stock", "ours"])
async def test_a_record_that_is_known_waits_for_no_other_of_its_crm(bench: Bench, executor: str) -> None:
    gates = Gates(("a", "list opportunities"))
    bench.reply = gates
    text = f"""{{ account(id: "{encode("Account", Ref("a", "0"))}") {{ name }}
      opportunities(crms: ["a"]) {{ nodes {{ account {{ owner {{ name }} }} }} }} }}"""

    task = asyncio.create_task(bench.outcome(text, STOCK if executor == "stock" else executor_class(bench.plans)))
    await gates.until(("a", "accounts"))
    for _ in range(30):
        await asyncio.sleep(0)
    gates.held["a", "accounts"] = asyncio.Event()
    gates.held["a", "list opportunities"].set()
    await gates.until(("a", "users"))  # the owner of the one account that is known

    assert gates.asked.count(("a", "accounts")) == 2
    gates.held["a", "accounts"].set()
    assert (await task).errors == frozenset()


@pytest.mark.parametrize("executor", ["stock", "ours"])
async def test_what_a_batch_sets_is_not_seen_by_those_that_follow_from_it(bench: Bench, executor: str) -> None:
    set_by: ContextVar[str] = ContextVar("set_by", default="nobody")
    seen: list[str] = []

    def setting(_crm: Crm) -> Reply:
        async def reply(operation: str, found: Found) -> Found:
            seen.append(set_by.get())
            set_by.set(operation)
            return found

        return reply

    bench.reply = setting
    text = "{ opportunities(first: 24) { nodes { account { owner { name } } } } }"
    outcome = await bench.outcome(text, STOCK if executor == "stock" else executor_class(bench.plans))

    assert outcome.errors == frozenset()
    assert len(seen) >= 6  # the list, accounts and users, of two Crms
    assert set(seen) == {"nobody"}


@pytest.mark.parametrize(
    "order", list(permutations(["account { owner { name } }", "pipeline { name }", "primaryContact { owner { name } }"]))
)
@pytest.mark.parametrize("slow", list(product(range(3), repeat=3)), ids=str)
async def test_what_arrives_a_tick_apart_is_never_more_calls_than_stock(order: tuple[str, ...], slow: tuple[int, ...]) -> None:
    """Two branches lead to users, and whether they meet in one call is for the ticks to decide, not for us."""
    ticks: dict[str, int] = dict(zip(("pipelines", "accounts", "contacts"), slow, strict=True))

    def delayed(_crm: Crm) -> Reply:
        async def reply(operation: str, found: Found) -> Found:
            for _ in range(ticks.get(operation, 0)):
                await asyncio.sleep(0)
            return found

        return reply

    bench = Bench(SCHEMA, [memory_crm("a", opportunities=5)], Plans(), delayed)
    text = f"{{ opportunities(first: 5) {{ nodes {{ {' '.join(order)} }} }} }}"

    stock, ours = await bench.outcome(text, STOCK), await bench.outcome(text, executor_class(bench.plans))

    assert ours.data == stock.data
    assert ours.batches.total() <= stock.batches.total()


async def test_links_that_are_kept_lead_on_together_with_what_is_kept_besides() -> None:
    """Half of the rows tell their accounts themselves, of the others links do; all of these are kept, and their owners are not."""
    bench = Bench(SCHEMA, [memory_crm("b", opportunities=5, links=True)], Plans())
    text = "{ opportunities(first: 5, maxAge: 60) { nodes { account { owner { name } } } } }"

    async def kept() -> dict[str, EntityCache]:
        caches: dict[str, EntityCache] = {"b": MemoryCache(ttl_seconds=60, clock=lambda: 0.0)}

        async def filled() -> dict[str, EntityCache]:
            return caches

        def make(crm: Crm) -> Reply:
            async def reply(operation: str, found: Found) -> Found:
                if operation == "users":
                    raise UnavailableError("It is down.", crm=crm.key)
                return found

            return reply

        await replace(bench, reply=make, kept=filled).outcome(text, STOCK)
        caches["b"].drop(["0"])  # the first row, which links tell, so that something is asked for before the others are known
        return caches

    bench.kept = kept
    stock, ours, _ = await bench.both(text)

    assert ours.data == stock.data
    assert [sorted(ids) for _, operation, ids in ours.calls if operation == "users"] == [["0"], ["1", "2", "3", "4"]]


async def test_all_relations_of_a_level_are_asked_for_before_any_answers(bench: Bench) -> None:
    held = [("a", operation) for operation in ("users", "accounts", "contacts", "pipelines")]
    gates = Gates(*held)
    bench.reply = gates

    task = asyncio.create_task(bench.outcome(DEEP, executor_class(bench.plans)))
    await gates.until(*held)

    for gate in gates.held.values():
        gate.set()
    assert (await task).errors == frozenset()


async def test_requests_share_plans_and_nothing_else() -> None:
    plans = Plans()
    first, second = (
        Bench(SCHEMA, [memory_crm("a", opportunities=size), memory_crm("b", opportunities=size, links=True)], plans) for size in (3, 9)
    )
    executor = executor_class(plans)

    alone = [await each.outcome(DEEP, executor) for each in (first, second)]
    together = await asyncio.gather(*(each.outcome(DEEP, executor) for each in [first, second] * 5))

    assert len(plans) == 1
    assert plans.gone == {Way.QUICK: 12}
    assert [outcome.data for outcome in together] == [outcome.data for outcome in alone] * 5


async def test_whoever_changes_an_answer_changes_no_other_answer(bench: Bench) -> None:
    executor = executor_class(bench.plans)
    text = "{ opportunities(first: 4) { nodes { owner { name } } } }"

    before = await bench.outcome(text, executor)
    answer = orjson.loads(before.data)
    answer["opportunities"]["nodes"][0]["owner"]["name"] = "somebody else"

    assert (await bench.outcome(text, executor)).data == before.data


async def test_equal_relations_and_aliases_are_one_call_for_each_crm(bench: Bench) -> None:
    text = "{ opportunities(first: 24) { nodes { a: owner { name } b: owner { email } c: updatedBy { id } } } }"

    ours, way = await bench.same(text)

    assert way is Way.QUICK
    assert ours.batches == {("a", "list opportunities"): 1, ("b", "list opportunities"): 1, ("a", "users"): 1, ("b", "users"): 1}


@pytest.mark.parametrize("after", range(1, 29, 3))
async def test_cancelling_at_any_moment_leaves_nothing_behind(bench: Bench, after: int) -> None:
    def slow(_: Crm) -> Reply:
        async def reply(operation: str, found: Found) -> Found:
            del operation
            for _ in range(3):
                await asyncio.sleep(0)
            return found

        return reply

    bench.reply = slow
    fields = "... on Opportunity { owner { name } account { owner { name } } amount { currency } accountName contacts { account { id } } }"
    ids = [encode("Opportunity", Ref(crm, str(number))) for crm in "ab" for number in range(12)]
    running = bench.outcome(f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ {fields} }} }}", executor_class(bench.plans), {"ids": ids})
    task = asyncio.create_task(running)
    for _ in range(after):
        await asyncio.sleep(0)
    task.cancel()

    (result,) = await asyncio.gather(task, return_exceptions=True)

    # Nothing is left but batches and what they read, which belong to the context of the operation; here nobody ends it: they answer.
    assert isinstance(result, asyncio.CancelledError)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert all("dispatch_queue_batch" in repr(task) or "vendors/flight.py" in repr(task) for task in left)
    await asyncio.gather(*left)


@pytest.mark.parametrize("max_age", [0, 60])
@pytest.mark.parametrize("after", range(8))
async def test_cancelling_a_list_that_has_hardly_begun_leaves_nothing_behind(bench: Bench, after: int, max_age: int) -> None:
    text = f"{{ opportunities(first: 5, maxAge: {max_age}) {{ nodes {{ owner {{ name }} }} }} }}"
    task = asyncio.create_task(bench.outcome(text, executor_class(bench.plans)))
    for _ in range(after):
        await asyncio.sleep(0)
    task.cancel()

    (result,) = await asyncio.gather(task, return_exceptions=True)

    assert isinstance(result, asyncio.CancelledError)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert all("dispatch_queue_batch" in repr(task) for task in left)
    await asyncio.gather(*left)


@pytest.mark.parametrize("after", range(1, 20))
async def test_nothing_is_read_for_an_operation_that_has_ended(bench: Bench, after: int) -> None:
    schema, context = GRAPH, contexts(bench.crms)()
    asked = [memory_of(crm).calls for crm in bench.crms]
    for calls in asked:
        calls.clear()
    text = "{ opportunities(first: 5) { nodes { owner { name } account { owner { name } } contacts { name } } } }"
    task = asyncio.create_task(schema.execute(text, context_value=context))
    for _ in range(after):
        await asyncio.sleep(0)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    at_its_end = [list(calls) for calls in asked]
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)

    assert asked == at_its_end


async def test_a_failure_that_nobody_waits_for_any_more_is_not_complained_of() -> None:
    heard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: heard.append(complaint))
    future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    again = Awaited(None, [future]).again(list)

    future.set_exception(UnavailableError("not there", crm="a"))
    await asyncio.wait(again)
    del again, future
    gc.collect()

    assert heard == []


async def test_a_list_is_given_up_when_the_operation_fails_as_a_whole_at_once(bench: Bench) -> None:
    gates = bench.reply = Gates(("a", "list opportunities"), ("b", "list opportunities"))
    text = "query($ids: [ID!]!) { opportunities(first: 2) { nodes { title } } nodes(ids: $ids) { id } }"

    outcome = await bench.outcome(text, executor_class(bench.plans), {"ids": [encode("Account", Ref("a", "1"))] * 101})

    assert outcome.data == b"null"
    for _ in range(20):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert gates.asked == []


async def test_what_stands_beside_a_field_that_takes_everything_at_once_runs_until_it_waits() -> None:
    ran: list[str] = []

    @strawberry.type
    class Query:
        @strawberry.field
        async def before(self) -> str:
            ran.append("begun")
            await asyncio.sleep(0)
            ran.append("went on")
            return "shown to nobody"

        @strawberry.field
        def missing(self) -> str:
            return None  # type: ignore[return-value]

    schema = strawberry.Schema(Query, execution_context_class=executor_class())

    result = await schema.execute("{ before missing }")
    for _ in range(5):
        await asyncio.sleep(0)

    assert result.data is None
    assert ran == ["begun"]


async def test_an_operation_leaves_nothing_that_refers_to_itself(bench: Bench) -> None:
    schema, make_context = GRAPH, contexts(bench.crms)

    async def run() -> None:
        result: Any = await schema.execute(WIDE, context_value=make_context())
        assert result.errors is None

    for _ in range(3):  # the third time it is run by code of its own
        await run()
    gc.collect()
    gc.disable()
    try:
        await run()
        left = gc.collect()
    finally:
        gc.enable()
    assert left == 0


@pytest.mark.parametrize("is_later", [False, True])
async def test_leaves_of_a_list_that_are_awaited_wait_for_no_sibling(*, is_later: bool) -> None:
    has_begun = asyncio.Event()

    async def name() -> str:
        has_begun.set()
        await asyncio.sleep(0)
        return "Ida"

    async def names_later() -> Any:
        return [name(), name()]

    @strawberry.type
    class Query:
        @strawberry.field
        async def slow(self) -> str:
            await has_begun.wait()
            return "there"

        @strawberry.field
        def names(self) -> list[str]:
            return names_later() if is_later else [name(), name()]  # type: ignore[return-value, list-item]

    schema = strawberry.Schema(Query, execution_context_class=executor_class())

    async with asyncio.timeout(5):
        result = await schema.execute("{ slow names }")

    assert (result.data, result.errors) == ({"slow": "there", "names": ["Ida", "Ida"]}, None)
