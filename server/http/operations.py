"""Runs operations for every transport, and tells what came of them. Knows contexts and results, and no transport."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, Final, Protocol, cast, runtime_checkable

from starlette.requests import HTTPConnection
from strawberry import Schema
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from server.http.answer import answer_from_result
from server.http.body import GraphQLParameters

ContextFactory = Callable[[HTTPConnection, Mapping[str, object]], Awaitable[object] | object]
"""Builds the context of one operation from the connection and, on a WebSocket, the payload of its connection_init."""

_ALL_TYPES: Final = frozenset(OperationType)


@runtime_checkable
class Resumable(Protocol):
    """A context of a subscription that can go on where the client lost it.

    Args:
        resume_after: Set before the operation runs: the last event that the client has.
        event_id: Set by whoever makes the events, before each of them.
    """

    resume_after: str | None
    event_id: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """A GraphQL response: the answer of an operation, or one event of a subscription with its id."""

    body: dict[str, Any]
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The end of an operation that has no answer: nothing ran, or what makes the events has failed."""

    errors: list[dict[str, Any]]
    is_request_error: bool


Outcome = Result | Failure


class Operations:
    """Runs operations of a schema, each with a context of its own."""

    def __init__(self, schema: Schema, context_factory: ContextFactory) -> None:
        self._schema = schema
        self._context_factory = context_factory
        self.has_mutations = schema.mutation is not None
        self.has_subscriptions = schema.subscription is not None

    async def context(self, connection: HTTPConnection, connection_params: Mapping[str, object]) -> object:
        """Build a fresh context."""
        context = self._context_factory(connection, connection_params)
        return await context if isawaitable(context) else context

    async def execute(self, parameters: GraphQLParameters, context: object, allowed: frozenset[OperationType]) -> ExecutionResult:
        """Run a query or mutation.

        Raises:
            InvalidOperationTypeError: The operation is of none of the allowed types.
            CannotGetOperationTypeError: There is no such operation.
            MissingQueryError: The document is empty.
        """
        return await self._schema.execute(
            parameters.query,
            variable_values=parameters.variables,
            context_value=context,
            operation_name=parameters.operation_name,
            allowed_operation_types=allowed,
            operation_extensions=parameters.extensions,
        )

    async def type_of(self, parameters: GraphQLParameters) -> OperationType | None:
        """What kind of operation is asked for, without running it; None when it cannot be told, and running it will say why."""
        try:
            await self.execute(parameters, None, frozenset())
        except InvalidOperationTypeError as error:
            return error.operation_type
        except (CannotGetOperationTypeError, MissingQueryError):
            pass
        return None

    async def outcomes(
        self, parameters: GraphQLParameters, context: object, *, allowed: frozenset[OperationType] = _ALL_TYPES
    ) -> AsyncGenerator[Outcome]:
        """Run an operation of any type; a failure is the last outcome."""
        stream = await self._schema.stream(
            parameters.query,
            variable_values=parameters.variables,
            context_value=context,
            operation_name=parameters.operation_name,
            allowed_operation_types=allowed,
            operation_extensions=parameters.extensions,
        )
        async with aclosing(stream):
            async for frame in stream:
                result = cast("ExecutionResult", frame)  # other frames are of incremental delivery, which is off
                answer = answer_from_result(result)
                is_request_error = isinstance(result, PreExecutionError)
                # What fails within an event is in a field, and has its path.
                if is_request_error or (result.data is None and result.errors and all(error.path is None for error in result.errors)):
                    yield Failure(answer.body["errors"], is_request_error)
                    return
                yield Result(answer.body, context.event_id if isinstance(context, Resumable) else None)
