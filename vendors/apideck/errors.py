"""Apideck's error bodies, by their `type_name`. The HTTP status decides where it says nothing."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from vendors.apideck import wire
from vendors.errors import (
    CredentialsError,
    NotFoundError,
    QuotaExceededError,
    RateLimitedError,
    RejectedRequestError,
    UnsupportedError,
    VendorError,
)
from vendors.http import Fail, Reply, retry_after_seconds

UNSUPPORTED_FILTERS: Final = "UnsupportedFiltersError"
UNSUPPORTED_PAGINATION: Final = "PaginationNotSupportedError"

_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500
_NOT_IMPLEMENTED: Final = 501
_MILLISECONDS_FROM: Final = 1e12
_LONGEST_WAIT_SECONDS: Final = 3_600.0

# Source: Apideck CRM API, responses, and the error types of its documentation.
_KINDS: Final[Mapping[str, type[VendorError]]] = {
    "UnauthorizedError": CredentialsError,
    "ConnectorCredentialsError": CredentialsError,
    "ConnectorDisabledError": CredentialsError,
    "OAuthCredentialsNotFoundError": CredentialsError,
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
    "ConnectorRateLimitError": RateLimitedError,
    "MappingError": UnsupportedError,
    "ConnectorMappingNotFoundError": UnsupportedError,
    "ConnectorResponseMappingNotFoundError": UnsupportedError,
    "ConnectorOperationMappingNotFoundError": UnsupportedError,
    "ConnectorWorkflowMappingError": UnsupportedError,
    "ConnectorOperationUnsupportedError": UnsupportedError,
    UNSUPPORTED_FILTERS: UnsupportedError,
    "UnsupportedSortFieldError": UnsupportedError,
    UNSUPPORTED_PAGINATION: UnsupportedError,
}


def judge(reply: Reply, fail: Fail) -> VendorError | None:
    """Read an error by its type; `vendor_code` then holds the type."""
    if reply.status < _CLIENT_ERROR:
        return None
    try:
        name = wire.FAILURE.decode(reply.body).value.type_name or ""
    except (ValueError, RecursionError):
        name = ""
    kind = _KINDS.get(name)
    # A server error is worth another try, whatever its body says; "not implemented" is none.
    if kind is None or (reply.status >= _SERVER_ERROR and reply.status != _NOT_IMPLEMENTED):
        kind = RateLimitedError if reply.status == 429 else UnsupportedError if reply.status == _NOT_IMPLEMENTED else None  # noqa: PLR2004
    return (
        None
        if kind is None
        else fail(kind, retry_after_seconds=_wait_seconds(reply) if kind is RateLimitedError else None, vendor_code=name or None)
    )


def _wait_seconds(reply: Reply) -> float | None:
    """When to try again: `Retry-After`, else the downstream CRM's reset.

    Source: Apideck "Unified rate limits": x-downstream-ratelimit-reset is a Unix time; whether in seconds or milliseconds is not told.
    """
    stated = retry_after_seconds(reply.headers)
    if stated is not None:
        return stated
    try:
        reset = float(reply.headers["x-downstream-ratelimit-reset"])
        now = parsedate_to_datetime(reply.headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return None
    at = reset / 1_000 if reset > _MILLISECONDS_FROM else reset
    return min(_LONGEST_WAIT_SECONDS, max(0.0, at - now))
