"""The limits as a part of every operation, over HTTP and WebSocket alike.

What guards validation is checked before validation, the cost after it; nothing has run when an operation is refused. Errors of a
request get their code here, so that all transports say the same.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from graphql import DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode, get_operation_ast
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document
from strawberry.types import ExecutionContext

from server.limits.cost import known_cost
from server.limits.deadline import DeadlineExtension
from server.limits.model import Limits, limit_error
from server.limits.shape import exceeded, measure
from vendors.calls import Clock
from vendors.errors import ErrorCode

# How the parser of graphql-core 3.3 words its refusal; it has no class of its own.
_TOO_MANY_TOKENS = "Document contains more than"


def operation_extensions(limits: Limits, *, clock: Clock) -> tuple[Callable[[], SchemaExtension], ...]:
    """Return factories for `strawberry.Schema(extensions=...)`; put them last, so that they see what caches already know.

    Args:
        limits: What one operation may ask for.
        clock: Monotonic seconds; the clock of the event loop.
    """
    return (lambda: LimitsExtension(limits), lambda: DeadlineExtension(limits, clock))


class LimitsExtension(SchemaExtension):
    """Refuses operations that exceed the limits, or that do not say which operation they mean."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits

    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = self._limits.max_tokens
        yield

    def on_parse(self) -> Iterator[None]:
        yield
        for error in self.execution_context.pre_execution_errors or ():
            if _TOO_MANY_TOKENS in error.message:
                maximum = self._limits.max_tokens
                error.message = f"The document has more than {maximum} tokens. Please send several operations."
                error.extensions = {"code": ErrorCode.LIMIT_EXCEEDED, "limit": "max_tokens", "maximum": maximum}
        _set_codes(self.execution_context.pre_execution_errors)

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        document = context.graphql_document
        if document is not None and not context.pre_execution_errors:
            # An empty list says that a cache knows this document as valid, and so as within the limits of its shape.
            known_valid = context.pre_execution_errors is not None
            errors = self._selection_errors(document)
            if not errors and not known_valid:
                # Validated here and not by Strawberry, which would not look at errors that an extension finds afterwards.
                errors = exceeded(measure(document), self._limits) or validate_document(
                    _core_schema(context), document, context.validation_rules
                )
            context.pre_execution_errors = errors or self._cost_errors(document)
        _set_codes(context.pre_execution_errors)
        yield

    def on_execute(self) -> Iterator[None]:
        yield
        result = self.execution_context.result
        if result is not None and result.data is None:
            # Without a path it is no field's error: the variables do not fit.
            _set_codes([error for error in getattr(result, "errors", None) or () if error.path is None])

    def _selection_errors(self, document: DocumentNode) -> list[GraphQLError]:
        # Without a name Strawberry would run the first operation.
        count = sum(isinstance(node, OperationDefinitionNode) for node in document.definitions)
        if count < 2 or _provided_name(self.execution_context) is not None:  # noqa: PLR2004
            return []
        return [GraphQLError(f"The document has {count} operations. Please say with `operationName` which one is to run.")]

    def _cost_errors(self, document: DocumentNode) -> list[GraphQLError]:
        context = self.execution_context
        operation = get_operation_ast(document, context.operation_name)
        if operation is None:
            return []
        variables = cast("object", context.variables or {})
        if not isinstance(variables, dict):
            return [GraphQLError("`variables` must be an object.")]  # not every transport has looked
        actual = known_cost(document, operation, cast("dict[str, Any]", variables), _core_schema(context))
        maximum = self._limits.max_cost
        if actual <= maximum:
            return []
        message = "An operation may cost at most {maximum}, this one costs {actual}. Please ask for fewer rows or fewer nested lists."
        return [limit_error(message, limit="max_cost", maximum=maximum, actual=actual)]


def _core_schema(context: ExecutionContext) -> GraphQLSchema:
    return context.schema._schema  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - Strawberry has no public name for it


def _provided_name(context: ExecutionContext) -> str | None:
    # The public `operation_name` falls back to the first operation's.
    return context._provided_operation_name  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def _set_codes(errors: Iterable[GraphQLError] | None) -> None:
    """Give the code of a mistaken request to the errors that have none."""
    for error in errors or ():
        error.extensions = {"code": ErrorCode.BAD_USER_INPUT, **(error.extensions or {})}
