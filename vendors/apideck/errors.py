"""Apideck's error bodies. The HTTP status line decides; where it leaves more than one meaning open, the body's `type_name` does."""

from collections.abc import Mapping
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from vendors.apideck import wire
from vendors.apideck.refusals import Refusal, refusals_of
from vendors.errors import (
    ConflictError,
    CredentialsError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    RejectedRequestError,
    UnsupportedError,
    VendorError,
)
from vendors.http import Fail, Reply
from vendors.meanings import retry_after_seconds

UNSUPPORTED_FILTERS: Final = "UnsupportedFiltersError"
UNSUPPORTED_SORT: Final = "UnsupportedSortFieldError"
UNSUPPORTED_PAGINATION: Final = "PaginationNotSupportedError"

_MILLISECONDS_FROM: Final = 1e12
_LONGEST_WAIT_SECONDS: Final = 3_600.0

# Source: Apideck CRM API, examples: bodies repeat a status that is not always the line's, so these mean the same whatever the body says.
_KINDS_OF_STATUS: Final[Mapping[int, type[VendorError]]] = {
    HTTPStatus.UNAUTHORIZED: CredentialsError,
    HTTPStatus.PAYMENT_REQUIRED: QuotaExceededError,
    HTTPStatus.FORBIDDEN: PermissionDeniedError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimitedError,
    HTTPStatus.NOT_IMPLEMENTED: UnsupportedError,
}
# Source: Apideck CRM API, responses and "Error Types". Which status they come with is mostly not documented.
_KINDS_OF_TYPE: Final[Mapping[str, type[VendorError]]] = {
    "UnauthorizedError": CredentialsError,
    "ConnectorCredentialsError": CredentialsError,
    "ConnectorDisabledError": CredentialsError,
    "OAuthCredentialsNotFoundError": CredentialsError,
    "OAuthConnectorError": CredentialsError,
    "IntegrationNotFoundError": CredentialsError,
    "ConnectionNotFoundError": CredentialsError,
    "ConnectionSettingsError": CredentialsError,
    "ConnectorNotFoundError": CredentialsError,
    "RequestLimitError": QuotaExceededError,
    "EntityNotFoundError": NotFoundError,
    "RequestValidationError": RejectedRequestError,
    "RequestHeadersValidationError": RejectedRequestError,
    "InvalidStateError": RejectedRequestError,
    "InvalidCursorError": RejectedRequestError,
    "ConnectorExecutionError": RejectedRequestError,
    "ConnectorRateLimitError": RateLimitedError,
    "MappingError": UnsupportedError,
    "ConnectorMappingNotFoundError": UnsupportedError,
    "ConnectorResponseMappingNotFoundError": UnsupportedError,
    "ConnectorOperationMappingNotFoundError": UnsupportedError,
    "ConnectorWorkflowMappingError": UnsupportedError,
    "ConnectorOperationUnsupportedError": UnsupportedError,
    UNSUPPORTED_FILTERS: UnsupportedError,
    UNSUPPORTED_SORT: UnsupportedError,
    UNSUPPORTED_PAGINATION: UnsupportedError,
}


class FieldsRefusedError(RejectedRequestError):
    """The vendor refused a request, and told of which fields, or for which reason of the connector's own."""

    refusals: tuple[Refusal, ...] = ()


# Source: Apideck CRM API, responses BadRequest and Unprocessable.
_REFUSALS: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
# What a 404 may also mean: that there is no such connection, or that the connector lacks the operation. The record may exist then.
_OTHER_KINDS_OF_404: Final = frozenset({CredentialsError, UnsupportedError})


def judge(reply: Reply, fail: Fail) -> VendorError | None:
    """Read an error; `vendor_code` then holds its type, if it is one that the vendor documents."""
    is_server_error = reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR and reply.status != HTTPStatus.NOT_IMPLEMENTED
    if reply.status < HTTPStatus.BAD_REQUEST or is_server_error:
        return None
    try:
        failure = wire.FAILURE.decode(reply.body).value
    except (ValueError, RecursionError):
        failure = wire.Failure()
    code = failure.type_name if failure.type_name in _KINDS_OF_TYPE else None
    kind = _KINDS_OF_STATUS.get(reply.status) or _KINDS_OF_TYPE.get(code or "")
    if reply.status == HTTPStatus.NOT_FOUND and kind not in _OTHER_KINDS_OF_404:
        kind = None if failure.type_name is None else NotFoundError  # without a type it is another server that answers
    if kind is None and reply.status in _REFUSALS:
        kind = RejectedRequestError
    if kind is None:
        return None
    error = fail(kind, retry_after_seconds=_wait_seconds(kind, reply, failure), vendor_code=code)
    refusals = refusals_of(failure) if kind is RejectedRequestError else ()
    if not refusals:
        return error
    refused = fail(FieldsRefusedError, error.message, vendor_code=code)
    refused.refusals = refusals
    return refused


def _wait_seconds(kind: type[VendorError], reply: Reply, failure: wire.Failure) -> float | None:
    if kind is RateLimitedError:
        return _seconds_until_reset(reply.headers)
    debug = None if failure.detail is None else failure.detail.debug
    if kind is not CredentialsError or debug is None or debug.cooldown_remaining_ms is None:
        return None
    # Source: Apideck CRM API, schema Unauthorized, detail.debug: until the connection's credentials may be tried again.
    return _bounded(float(debug.cooldown_remaining_ms / Decimal(1_000)))


def _seconds_until_reset(headers: Mapping[str, str]) -> float | None:
    """When to try again: `Retry-After`, else the downstream CRM's reset, compared with the answer's own `Date`.

    Source: Apideck "Unified rate limits": x-downstream-ratelimit-reset is a Unix time; whether in seconds or milliseconds is not told.
    """
    stated = retry_after_seconds(headers)
    if stated is not None:
        return stated
    try:
        reset = float(headers["x-downstream-ratelimit-reset"])
        now = parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return None
    return _bounded((reset / 1_000 if reset > _MILLISECONDS_FROM else reset) - now)


def _bounded(seconds: float) -> float | None:
    return None if seconds != seconds else min(_LONGEST_WAIT_SECONDS, max(0.0, seconds))  # noqa: PLR0124  # not a number
