"""What an HTTP status, or a failure of one kind, means in our own words; no vendor's words are in them."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from vendors.errors import (
    ConflictError,
    CredentialsError,
    MalformedReplyError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    UnsupportedError,
    VendorError,
    VendorTimeoutError,
)

_MAX_RETRY_AFTER_SECONDS: Final = 3_600.0

KIND_OF_STATUS: Final[Mapping[int, type[VendorError]]] = {
    HTTPStatus.UNAUTHORIZED: CredentialsError,
    HTTPStatus.PAYMENT_REQUIRED: QuotaExceededError,
    HTTPStatus.FORBIDDEN: PermissionDeniedError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
}
"""Of the statuses that say what is wrong by themselves."""

MESSAGES: Final[Mapping[type[VendorError], str]] = {
    UnavailableError: "The CRM {crm!r} did not answer {operation}; try again later.",
    VendorTimeoutError: "The CRM {crm!r} did not answer {operation} in time; ask for less, or try again later.",
    RateLimitedError: "The CRM {crm!r} takes no more calls for now; try again later.",
    QuotaExceededError: "The quota of the CRM {crm!r} is used up; raise it with the vendor or wait until it is renewed.",
    CredentialsError: "The CRM {crm!r} refused its credentials; mend them in the configuration.",
    PermissionDeniedError: "The credentials of the CRM {crm!r} may not do {operation}; give them the permission at the vendor.",
    NotFoundError: "The CRM {crm!r} has no such record.",
    RejectedRequestError: "The CRM {crm!r} refused {operation}.",
    MalformedReplyError: "The CRM {crm!r} answered {operation} with something that cannot be read.",
    UnsupportedError: "The CRM {crm!r} cannot do {operation}; `Crm.capabilities` tells what it can.",
    ConflictError: "The CRM {crm!r} holds another state of the record; read it again.",
    OutcomeUnknownError: "It is not known whether the CRM {crm!r} did {operation}; look the record up before trying again.",
}
"""The message of each kind, where nothing more is known."""


def late(crm: str) -> VendorTimeoutError:
    """The error of who can wait no longer for what several wait for."""
    return VendorTimeoutError(f"The CRM {crm!r} did not answer in time; ask for less, or try again later.", crm=crm)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` (RFC 9110, 10.2.3), capped at an hour; None when absent or unreadable.

    It is a number of seconds, or an HTTP date, which is compared with the answer's own `Date`: the vendor's clock, not ours.
    """
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        if value.strip().isdigit():
            seconds = float(value)
        else:
            seconds = (parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(_MAX_RETRY_AFTER_SECONDS, max(0.0, seconds))
