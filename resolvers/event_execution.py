"""Each event of a subscription is executed within scopes of its own: what an operation gets around it, every event gets too.

An extension's `on_execute` is over once a subscription is set up; the events come later, one after the other. An extension that has to be
around them says so with `around_events`, and the schema runs with `EventExecutor`.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from contextvars import ContextVar
from inspect import isawaitable
from typing import Any

from graphql import ExecutionResult, GraphQLError
from graphql.execution.collect_fields import collect_fields
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

EventScope = Callable[[], AbstractAsyncContextManager[None]]
"""Makes what is around one event. A GraphQLError that leaves it becomes the event's answer; the stream goes on."""

_scopes: ContextVar[tuple[EventScope, ...]] = ContextVar("event_scopes", default=())


@contextmanager
def around_events(scope: EventScope) -> Generator[None]:
    """Put a scope around every event of the subscription that is set up within this one; the first scope is the outermost."""
    token = _scopes.set((*_scopes.get(), scope))
    try:
        yield
    finally:
        _scopes.reset(token)


class EventExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes operations as always, and events of subscriptions within their scopes; for `Schema(execution_context_class=...)`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._event_scopes = _scopes.get()
        self._is_event = False

    def build_per_event_executor(self, payload: Any) -> Any:
        base: Any = super()
        executor = base.build_per_event_executor(payload)
        executor._is_event = True  # noqa: SLF001  # of this class
        # A copy shares what was noted of selections by the identity of lists that each event makes anew: it would grow with every event.
        executor._relevant_sub_fields = {}  # noqa: SLF001  # of graphql-core's executor
        return executor

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001  # graphql-core's signature
        return self._execute_event(serially) if self._is_event else super().execute_operation(serially)

    async def _execute_event(self, serially: bool | None) -> ExecutionResult:  # noqa: FBT001  # as above
        try:
            async with AsyncExitStack() as scopes:
                for scope in self._event_scopes:
                    await scopes.enter_async_context(scope())
                result: Any = super().execute_operation(serially)
                executed: ExecutionResult = await result if isawaitable(result) else result
                return executed
        except GraphQLError as error:  # of a scope; those of resolvers are in the result
            return ExecutionResult(None, [self._at_root_field(error)])

    def _at_root_field(self, error: GraphQLError) -> GraphQLError:
        """The error with the path of the subscription's field: one without a path would be about the whole subscription."""
        root_type = self.schema.subscription_type
        assert root_type is not None
        fields = collect_fields(self.schema, self.fragments, self.variable_values, root_type, self.operation, self.hide_suggestions)
        name, details = next(iter(fields.grouped_field_set.items()))
        nodes = [detail.node for detail in details]
        return GraphQLError(error.message, nodes, path=[name], extensions=error.extensions, original_error=error.original_error)
