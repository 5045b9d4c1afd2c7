"""Runs a document as graphql-core runs it and as our executor does, over the same records, and compares what comes of it."""

import asyncio
import inspect
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema, parse, validate
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from bench.company import Reply, contexts, memory_of
from server.execution.core import execute
from server.execution.executor import executor_class
from server.execution.plans import Plans, Way
from vendors.cache import EntityCache
from vendors.registry import Crm

STOCK = StrawberryGraphQLCoreExecutionContext


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an operation, in a form that is equal when clients see the same."""

    data: bytes
    errors: frozenset[tuple[Any, ...]]
    calls: tuple[tuple[str, str, tuple[str, ...]], ...]

    @property
    def batches(self) -> Counter[tuple[str, str]]:
        """How often each Crm was asked for what."""
        return Counter((crm, operation) for crm, operation, _ in self.calls)

    @property
    def asked(self) -> Counter[tuple[str, str, str]]:
        """How often each Crm was asked for which record."""
        return Counter((crm, operation, key) for crm, operation, keys in self.calls for key in keys)


class RowCursors:
    """Tells of a cursor which row it stands for, and not how far each Crm was read: that depends on who comes first to what is scanned."""

    def seal(self, content: bytes) -> str:
        cursor = orjson.loads(content)
        return orjson.dumps([cursor["of"], cursor["row"], cursor["is"]]).decode()

    def open(self, cursor: str) -> bytes | None:
        del cursor
        return None


@dataclass(slots=True)
class Bench:
    """A schema and the Crms behind it.

    Attributes:
        reply: Makes what happens to the answers of a Crm, afresh for each execution.
        kept: Makes the caches of the Crms by their keys, afresh for each execution; without it nothing is kept.
    """

    schema: GraphQLSchema
    crms: Sequence[Crm]
    plans: Plans
    reply: Callable[[Crm], Reply] | None = None
    kept: Callable[[], Awaitable[Mapping[str, EntityCache]]] | None = None

    async def outcome(
        self, text: str | DocumentNode, executor: type[Any], variables: dict[str, Any] | None = None, name: str | None = None
    ) -> Outcome:
        crms = self.crms
        if self.kept is not None:
            kept = await self.kept()
            crms = [replace(crm, cache=kept.get(crm.key)) for crm in crms]
        context = replace(contexts(crms)(), cursors=RowCursors())
        for crm in self.crms:
            memory_of(crm).calls.clear()
            if self.reply is not None:
                memory_of(crm).reply = self.reply(crm)
        result: Any = execute(
            self.schema,
            parse(text) if isinstance(text, str) else text,
            context_value=context,
            variable_values=variables,
            operation_name=name,
            executor_class=executor,
            is_awaitable=optimized_is_awaitable,
        )
        executed: ExecutionResult = await result if inspect.isawaitable(result) else result
        calls = [(crm.key, operation, ids) for crm in self.crms for operation, ids in memory_of(crm).calls]
        return Outcome(
            json.dumps(executed.data, default=repr).encode(),
            frozenset(map(seen, [*(executed.errors or ()), *context.list_errors])),
            tuple(sorted(calls)),
        )

    async def both(
        self, text: str | DocumentNode, variables: dict[str, Any] | None = None, name: str | None = None
    ) -> tuple[Outcome, Outcome, Way]:
        """What comes of a valid document either way, and the way that ours went; ours runs twice, by a new plan and by its code."""
        document = text
        if isinstance(document, str):
            document = parse(document)
            assert validate(self.schema, document) == []
        stock = await self.outcome(document, STOCK, variables, name)
        await settled()
        before = self.plans.gone.copy()
        executor = executor_class(self.plans)
        ours = await self.outcome(document, executor, variables, name)
        await settled()
        again = await self.outcome(document, executor, variables, name)
        await settled()
        ((way, times),) = (self.plans.gone - before).items()
        assert times == 2
        assert (again.data, again.errors) == (ours.data, ours.errors)
        return stock, ours, way

    async def same(self, text: str, variables: dict[str, Any] | None = None, name: str | None = None) -> tuple[Outcome, Way]:
        """The outcome, when it is the same either way."""
        stock, ours, way = await self.both(text, variables, name)
        assert ours.data == stock.data
        assert ours.errors == stock.errors
        return ours, way


async def settled() -> None:
    """Let what graphql-core leaves in the background come to its end."""
    while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110  # it announces nothing
        await asyncio.sleep(0)


def seen(error: GraphQLError) -> tuple[Any, ...]:
    """An error as a client sees it."""
    locations = tuple((location.line, location.column) for location in error.locations or ())
    return error.message, tuple(error.path or ()), locations
