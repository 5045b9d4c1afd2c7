"""Errors as the graph shows them: a closed set of codes, our own words, and nothing of Python or a vendor."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from graphql import GraphQLError

from vendors.errors import ErrorCode, VendorError
from vendors.registry import Crm

log = logging.getLogger(__name__)

MASKED_MESSAGE: Final = "Something went wrong on our side; the server's log has it under this request's id."


class UserError(Exception):
    """A mistake of whoever asked, in words that say what to mend."""

    def __init__(self, code: ErrorCode, message: str, **extensions: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.extensions = extensions


class DefectError(VendorError):
    """A defect of ours that showed while one Crm was read: it takes nothing away from the other Crms."""

    code = ErrorCode.INTERNAL


class ScanBudgetError(VendorError):
    """Answering would take reading more of a Crm than its settings permit."""

    code = ErrorCode.SCAN_BUDGET_EXCEEDED

    def __init__(self, crm: Crm, *, is_resumable: bool = False) -> None:
        instead = "ask for the next page, which goes on where this one stopped" if is_resumable else "leave `orderBy` out"
        super().__init__(
            f"The CRM {crm.key!r} would have to be read further than {crm.scanning.max_rows} rows or {crm.scanning.max_calls} calls. Narrow"
            " the list by what the vendor evaluates itself (owner, stage, status or account for most; `sources.pushedDown` tells),"
            f" {instead}, or raise `scan_max_rows` and `scan_max_calls` of [crms.{crm.key}].",
            crm=crm.key,
        )


def contained(defect: Exception, *, crm: str) -> DefectError:
    """Log an unexpected exception, once, and give what the graph shows for it."""
    log.error("reading the CRM %r failed unexpectedly", crm, exc_info=defect)
    return DefectError(MASKED_MESSAGE, crm=crm)


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
    if _is_unfit_value(error, cause):
        return _replaced(error, MASKED_MESSAGE, {"code": ErrorCode.INTERNAL.value})
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
    """Whether an error is our own defect and has yet to be logged with its traceback."""
    is_logged = isinstance(error.original_error, DefectError)
    return (error.extensions or {}).get("code") == ErrorCode.INTERNAL.value and not is_logged


def _is_unfit_value(error: GraphQLError, cause: Exception | None) -> bool:
    """Whether a field's value does not fit its type: the library's error quotes it, and is about no place in the document."""
    return error.path is not None and isinstance(cause, GraphQLError) and cause.nodes is None and not cause.extensions


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
