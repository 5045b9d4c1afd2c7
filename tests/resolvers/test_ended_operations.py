"""What an operation leaves behind when nobody waits for it any more: nothing."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import cast

import pytest

from bench.company import Found, Memory, contexts, memory_crm, memory_of
from resolvers.changes import ChangeEvent, Changes
from resolvers.node_id import encode
from server.schema import build_schema
from tests.resolvers.graph import Graph, autotask_graph, until
from vendors.calls import recording
from vendors.model import Ref
from vendors.query import Condition, Pushdown, Sort
from vendors.registry import Crm
from vendors.sandbox import Fault

SCHEMA = build_schema()
NESTED = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Account { id opportunities(first: 2) { nodes { id owner { name } } } } } }"
IDS = [encode("Account", Ref("left", str(number))) for number in (1, 2, 3)]


class Pushing(Memory):
    """It takes all conditions, so that lists of several records are read together."""

    def opportunities_pushdown(self, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:  # noqa: ARG002
        return Pushdown(conditions=tuple(conditions))


class Gate:
    """Holds answers to lists back until it is opened."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, operation: str, found: Found) -> Found:
        if operation.startswith("list"):
            self.asked.set()
            await self.opened.wait()
        return found


def pushing_crm() -> Crm:
    crm = memory_crm("left", opportunities=12)
    memory_of(crm).__class__ = Pushing
    return crm


async def left_over(before: set[asyncio.Task[object]]) -> list[str]:
    for _ in range(20):
        await asyncio.sleep(0)
    return [task.get_coro().__qualname__ for task in asyncio.all_tasks() - before]  # type: ignore[union-attr]


async def test_lists_below_records_are_not_read_on_when_the_operation_is_cancelled() -> None:
    crm, gate = pushing_crm(), Gate()
    memory_of(crm).reply = gate
    before = asyncio.all_tasks()
    operation = asyncio.create_task(SCHEMA.execute(NESTED, variable_values={"ids": IDS}, context_value=contexts([crm])()))
    await gate.asked.wait()

    operation.cancel()
    await asyncio.wait([operation])

    assert await left_over(before) == []
    calls = len(memory_of(crm).calls)
    gate.opened.set()
    assert await left_over(before) == []
    assert len(memory_of(crm).calls) == calls


@pytest.fixture
async def graph() -> AsyncGenerator[Graph, None]:
    async with autotask_graph(left=40) as made:
        yield made


async def test_requests_for_lists_below_records_end_with_the_operation(graph: Graph) -> None:
    ids = [encode("Account", Ref("left", str(number))) for number in list(graph.table("left", "Companies").rows)[:5]]
    await graph.data(NESTED, ids=ids)
    ours = {"dispatch_queue_batch", "Client._rows", "Client._page", "VendorHttp._attempts"}
    graph.calls("left")
    graph.break_down("left", Fault(kind="hang", match="Opportunities.query"))
    operation = asyncio.create_task(graph.answer(NESTED, ids=ids))
    control = graph.grounds["left"].control
    await until(lambda: any("Opportunities.query" in call for call in control.operations()))

    operation.cancel()
    await asyncio.wait([operation])

    assert ours.isdisjoint(await left_over(set()))


async def test_what_runs_on_has_nothing_more_read() -> None:
    crm = pushing_crm()
    context = contexts([crm])()
    with recording(context.recorder):
        before = asyncio.all_tasks()
        account = context.loaders.accounts_by_ref
        context.end()
        waits = [loader.load(Ref("left", "1")) for loader in (account, context.loaders.accounts_by_ref, context.loaders.users_by_ref)]

        assert await left_over(before) == []

    assert memory_of(crm).calls == []
    assert all(wait.cancelled() for wait in waits)


class SlowChanges:
    def __init__(self) -> None:
        self.read: list[str] = []

    async def of_opportunities(self, refs: Sequence[Ref], last: int) -> dict[Ref, list[ChangeEvent]]:
        del refs, last
        self.read.append("begun")
        await asyncio.sleep(0)
        self.read.append("read")
        return {}


@pytest.mark.parametrize("after", range(12))
async def test_whoever_waits_for_a_history_is_told_when_the_operation_ends(after: int) -> None:
    context, changes = contexts([memory_crm("left", opportunities=4)])(), SlowChanges()
    context.changes = cast("Changes", changes)
    operation = asyncio.ensure_future(
        SCHEMA.execute("{ opportunities(first: 4) { nodes { stageHistory(last: 3) { eventId } } } }", context_value=context)
    )
    for _ in range(after):
        await asyncio.sleep(0)

    context.end()
    read = list(changes.read)

    await asyncio.wait([operation], timeout=5)
    assert operation.done()
    assert changes.read == read
