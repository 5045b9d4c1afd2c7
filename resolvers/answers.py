"""What happens around every operation: the selection is found before it runs, and its errors and warnings are put in order after it."""

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationDefinitionNode, get_operation_ast
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult as StrawberryResult

from resolvers.context import Context
from resolvers.errors import is_unexpected, shown
from resolvers.event_execution import around_events
from resolvers.explain import explanation
from resolvers.freshness import shown_ages
from resolvers.selection import selection_of
from vendors.calls import MAX_WARNINGS, recording
from vendors.errors import ErrorCode

log = logging.getLogger(__name__)

# Raised for requests that name nothing that can run; over a stream they come as results.
_REQUEST_ERRORS: Final = (CannotGetOperationTypeError, InvalidOperationTypeError, MissingQueryError)


class Answers(SchemaExtension):
    """Prepares the context of an operation, and shows its errors as clients may see them."""

    _is_streamed = False
    _begun = 0.0

    def on_execute(self) -> Iterator[None]:
        """Find what the operation reads, before the first resolver runs."""
        execution = self.execution_context
        schema: GraphQLSchema = execution.schema._schema  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it has no public name
        document = execution.graphql_document
        operation = None if document is None else get_operation_ast(document, execution.operation_name)
        if isinstance(execution.context, Context) and document is not None and isinstance(operation, OperationDefinitionNode):
            execution.context.selection = selection_of(schema, document, operation)
            self._begun = execution.context.clocks.monotonic()
            try:
                with recording(execution.context.recorder), around_events(self._event):
                    yield
            finally:
                execution.context.end()
        else:
            yield

    @asynccontextmanager
    async def _event(self) -> AsyncGenerator[None]:
        """Do for an event what `on_execute` does for an operation; its selection is that of the operation."""
        context = self.execution_context.context
        self._begun = context.clocks.monotonic()
        try:
            with recording(context.recorder):
                yield
        finally:
            context.end()

    def on_operation(self) -> Iterator[None]:
        """Add the errors of lists, and mask what nobody but us should read."""
        yield
        if not self._is_streamed:
            self._put_in_order(self.execution_context.result)

    def on_stream_result(self, result: Any) -> Iterator[None]:
        """Do the same for every answer over a transport that streams: of a subscription, and of any operation over a WebSocket."""
        self._is_streamed = True
        self._put_in_order(result)
        yield

    def get_results(self) -> dict[str, Any]:
        """Tell missing exchange rates and odd data of the vendors as `extensions.warnings`, and what was asked to be explained."""
        context = self.execution_context.context
        if not isinstance(context, Context):
            return {}
        warnings: list[dict[str, Any]] = [
            {"code": "MISSING_RATE", "crm": None, "path": None, "message": message}
            for message in context.missing_rates.messages(context.rates)
        ]
        warnings += [
            {"code": warned.code, "crm": warned.crm, "path": context.warning_paths.get(warned), "message": warned.message}
            for warned in dict.fromkeys(context.recorder.warnings)
        ]
        told: dict[str, Any] = {"warnings": warnings[:MAX_WARNINGS]} if warnings else {}
        if context.freshness.ages:
            told["ages"] = shown_ages(context.freshness.ages)
        if (self.execution_context.operation_extensions or {}).get("explain") is True:
            told["explain"] = explanation(context, (context.clocks.monotonic() - self._begun) * 1_000)
        return told

    def _put_in_order(self, result: object) -> None:
        if not isinstance(result, ExecutionResult | StrawberryResult):
            return
        context = self.execution_context.context
        errors = [_request_error(error) for error in result.errors or ()]
        crms = {}
        if isinstance(context, Context):
            errors += context.list_errors
            context.list_errors = []
            crms = dict(context.crms)
        result.errors = [shown(error, crms) for error in errors] or None
        for before, after in zip(errors, result.errors or [], strict=True):
            if is_unexpected(after):
                log.error("a resolver failed at %s", after.path, exc_info=before.original_error)


def _request_error(error: GraphQLError) -> GraphQLError:
    if not isinstance(error.original_error, _REQUEST_ERRORS):
        return error
    return GraphQLError(error.message, extensions={"code": ErrorCode.BAD_USER_INPUT.value})
