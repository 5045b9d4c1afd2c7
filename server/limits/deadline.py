"""How long an operation may take, and who may end it earlier.

The deadline reaches vendor calls as a context variable. They end by it and leave a partial answer; what is still running a moment
later is cancelled. Of a subscription, being set up has a deadline and so has each of its events; the stream itself may go on for ever.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from resolvers.event_execution import around_events
from server.limits.model import Limits
from vendors.calls import Clock, Deadline, deadline_scope
from vendors.errors import ErrorCode


@dataclass(slots=True)
class RunningOperation:
    """What a transport may know of the operation it has started.

    Args:
        abandonable: Whether nobody is hurt when it is cancelled half-way. False once a mutation has begun.
    """

    abandonable: bool = True


running_operation: ContextVar[RunningOperation | None] = ContextVar("running_operation", default=None)
"""Set by a transport around an operation, filled in while it runs."""


class DeadlineExtension(SchemaExtension):
    """Gives the operation its deadline and cancels it when that has passed by the grace period."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        super().__init__()
        self._limits = limits
        self._clock = clock
        self._deadline = Deadline(clock() + limits.deadline_seconds, clock)

    async def on_execute(self) -> AsyncIterator[None]:
        operation = running_operation.get()
        is_mutation = self.execution_context.operation_type is OperationType.MUTATION
        if operation is not None:
            operation.abandonable = not is_mutation
        with around_events(self._event):
            async with self._ended_at(self._deadline, is_mutation=is_mutation):
                yield

    def _event(self) -> AbstractAsyncContextManager[None]:
        return self._ended_at(Deadline(self._clock() + self._limits.deadline_seconds, self._clock))

    @asynccontextmanager
    async def _ended_at(self, deadline: Deadline, *, is_mutation: bool = False) -> AsyncGenerator[None]:
        limit = asyncio.timeout(deadline.remaining() + self._limits.grace_seconds)
        try:
            with deadline_scope(deadline):
                async with limit:
                    yield
        except TimeoutError:
            raise self._error(is_mutation=is_mutation) from None

    def _error(self, *, is_mutation: bool) -> GraphQLError:
        seconds = self._limits.deadline_seconds
        if is_mutation:
            message = f"The mutation took longer than {seconds:g} seconds. It may have been carried out; please look before trying again."
            return GraphQLError(message, extensions={"code": ErrorCode.OUTCOME_UNKNOWN})
        message = f"The operation took longer than {seconds:g} seconds. Please ask for less in one operation."
        return GraphQLError(message, extensions={"code": ErrorCode.TIMEOUT})
