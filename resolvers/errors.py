"""Errors as the graph shows them: a closed set of codes, our own words, and nothing of Python or a vendor."""

from collections.abc import Mapping
from typing import Any, Final

from graphql import GraphQLError

from vendors.errors import ErrorCode, VendorError
from vendors.registry import Crm

MASKED_MESSAGE: Final = "Something went wrong on our side; the server's log has it under this request's id."


class UserError(Exception):
    """A mistake of whoever asked, in words that say what to mend."""

    def __init__(self, code: ErrorCode, message: str, **extensions: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.extensions = extensions


def bad_input(message: str) -> UserError:
    return UserError(ErrorCode.BAD_USER_INPUT, message)


def vendor_extensions(error: VendorError, crms: Mapping[str, Crm]) -> dict[str, object]:
    """The `extensions` of a vendor's failure: code, crm, vendor, retryable and retryAfterMs."""
    crm = crms.get(error.crm)
    return {
        "code": error.code.value,
        "crm": error.crm,
        "vendor": None if crm is None else crm.vendor.key.upper(),
        "retryable": error.retryable,
        "retryAfterMs": retry_after_ms(error),
    }


def retry_after_ms(error: VendorError) -> int | None:
    return None if error.retry_after_seconds is None else int(error.retry_after_seconds * 1_000)


def shown(error: GraphQLError, crms: Mapping[str, Crm]) -> GraphQLError:
    """The error as a client may see it: request errors as they are, ours with their code, everything else masked."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if cause is None or isinstance(cause, GraphQLError):
        if error.extensions and "code" in error.extensions:
            return error
        return _replaced(error, error.message, {**(error.extensions or {}), "code": ErrorCode.BAD_USER_INPUT.value})
    if isinstance(cause, VendorError):
        return _replaced(error, cause.message, vendor_extensions(cause, crms))
    if isinstance(cause, UserError):
        return _replaced(error, cause.message, {"code": cause.code.value, **cause.extensions})
    return _replaced(error, MASKED_MESSAGE, {"code": ErrorCode.INTERNAL.value})


def is_unexpected(error: GraphQLError) -> bool:
    """Whether an error is our own defect and belongs into the log with its traceback."""
    return (error.extensions or {}).get("code") == ErrorCode.INTERNAL.value


def _replaced(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
        original_error=error.original_error,
    )
