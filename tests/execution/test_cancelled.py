"""What is cancelled while an operation waits for it ends the operation, as it does with graphql-core, and nobody is asked again."""

import asyncio
from typing import Any

import pytest
import strawberry
from graphql import parse
from strawberry.execution import optimized_is_awaitable

from bench.company import Reply, contexts, memory_of
from resolvers import relation
from server.execution.core import execute
from server.execution.executor import executor_class
from server.execution.plans import Plans
from tests.execution.both_ways import STOCK, Bench, settled
from vendors.registry import Crm

OWNERS = "{ opportunities(first: 4) { nodes { title owner { name } } } }"


def without_users(_: Crm) -> Reply:
    """Cancel what reads users."""

    async def reply(operation: str, found: dict[str, Any]) -> dict[str, Any]:
        if operation == "users":
            raise asyncio.CancelledError
        return found

    return reply


async def test_a_batch_that_is_cancelled_ends_the_operation(bench: Bench) -> None:
    bench.reply = without_users
    for executor in (STOCK, executor_class(bench.plans)):
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await bench.outcome(OWNERS, executor)
        await settled()

        assert [operation for operation, _ in memory_of(bench.crms[0]).calls] == ["list opportunities", "users"]


async def test_a_batch_that_is_cancelled_before_the_answer_is_awaited_ends_the_operation(bench: Bench) -> None:
    for crm in bench.crms:
        memory_of(crm).reply = without_users(crm)
    answer: Any = execute(
        bench.schema,
        parse(OWNERS),
        context_value=contexts(bench.crms)(),
        executor_class=executor_class(bench.plans),
        is_awaitable=optimized_is_awaitable,
    )
    for _ in range(30):
        await asyncio.sleep(0)
    calls = memory_of(bench.crms[0]).calls
    assert [operation for operation, _ in calls] == ["list opportunities", "users"]

    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await answer

    assert len(calls) == 2


class _BeyondError(BaseException):
    """What is no mere exception."""


@pytest.mark.parametrize("error", [asyncio.CancelledError(), _BeyondError()])
async def test_a_field_that_is_cancelled_in_what_arrives_later_ends_the_operation(error: BaseException) -> None:
    asked: list[object] = []

    def cancelled(part: object, _: object) -> str:
        asked.append(part)
        raise error

    @strawberry.type
    class Part:
        name: str = relation.contextual(cancelled, "Its name.")

    @strawberry.type
    class Query:
        @strawberry.field
        async def later(self) -> Part:
            await asyncio.sleep(0)
            return Part()

    plans = Plans()
    for executor in (STOCK, executor_class(plans)):
        schema = strawberry.Schema(Query, execution_context_class=executor)
        with pytest.raises(type(error)):
            async with asyncio.timeout(5):
                await schema.execute("{ later { name } }")
        assert len(asked) == 1
        asked.clear()

    assert plans.gone == {}


async def test_what_stands_before_a_field_that_is_cancelled_at_once_is_not_begun() -> None:
    begun: list[str] = []

    @strawberry.type
    class Query:
        @strawberry.field
        async def later(self) -> str:
            begun.append("later")
            return "there"

        @strawberry.field
        def cancelled(self) -> str:
            raise asyncio.CancelledError

    schema = strawberry.Schema(Query, execution_context_class=executor_class())

    with pytest.raises(asyncio.CancelledError):
        await schema.execute("{ later cancelled }")
    await settled()

    assert begun == []
