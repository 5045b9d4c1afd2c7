"""Everything that leaves `vendors/` when something went wrong.

VendorError
├── UnavailableError        the vendor is down, unreachable, or its circuit is open; later may work
├── VendorTimeoutError      no whole answer within the deadline
├── RateLimitedError        too many calls; `retry_after_seconds` says when again
├── QuotaExceededError      the plan's or day's quota is used up
├── CredentialsError        the credentials are wrong or have expired
├── PermissionDeniedError   the credentials are right but may not do this
├── NotFoundError           the record does not exist
├── RejectedRequestError    the vendor refused the request as such
├── MalformedReplyError     the answer is not what the vendor documents
├── UnsupportedError        the vendor cannot do this
├── ConflictError           somebody changed the record meanwhile, or it exists already
└── OutcomeUnknownError     a write may or may not have happened

The class says what the caller can do. Messages are ours: no vendor text, address, header or Python text is in them, so they may be
shown to anybody. `ConfigError` is outside the tree: a mistake in the settings, told when the server starts.
"""

from enum import StrEnum
from typing import ClassVar, Final, Self


class ErrorCode(StrEnum):
    """What went wrong, as a machine can use it. The set is closed."""

    TIMEOUT = "TIMEOUT"
    UNAVAILABLE = "UNAVAILABLE"
    RATE_LIMITED = "RATE_LIMITED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    REJECTED = "REJECTED"
    MALFORMED = "MALFORMED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    CONFLICT = "CONFLICT"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    SCAN_BUDGET_EXCEEDED = "SCAN_BUDGET_EXCEEDED"
    INVALID_ID = "INVALID_ID"
    INVALID_CURSOR = "INVALID_CURSOR"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    SUBSCRIBER_LAGGED = "SUBSCRIBER_LAGGED"
    UNKNOWN_CRM = "UNKNOWN_CRM"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    INTERNAL = "INTERNAL"


class ConfigError(Exception):
    """A mistake in the configuration; the message names the key and what to mend."""


class VendorError(Exception):
    """Base of all errors of a vendor call.

    Args:
        message: One sentence that says what to do next, safe to show.
        crm: Key of the Crm.
        operation: Our name of the vendor call, such as `Opportunities.query`.
        status: HTTP status of the answer, where there was one.
        retry_after_seconds: When another try makes sense, where the vendor said so.
        vendor_code: The vendor's own code of the error, where it has one.
    """

    code: ClassVar[ErrorCode]
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        crm: str,
        operation: str | None = None,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        vendor_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.crm = crm
        self.operation = operation
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.vendor_code = vendor_code

    def saying(self, message: str) -> Self:
        """The same error with another message."""
        kind = type(self)
        other = kind.__new__(kind, message)
        other.__dict__.update(self.__dict__)
        other.message = message
        return other


class UnavailableError(VendorError):
    code = ErrorCode.UNAVAILABLE
    retryable = True


class VendorTimeoutError(VendorError):
    code = ErrorCode.TIMEOUT
    retryable = True


class RateLimitedError(VendorError):
    code = ErrorCode.RATE_LIMITED
    retryable = True


class QuotaExceededError(VendorError):
    code = ErrorCode.QUOTA_EXCEEDED


class CredentialsError(VendorError):
    code = ErrorCode.UNAUTHENTICATED


class PermissionDeniedError(VendorError):
    code = ErrorCode.FORBIDDEN


class NotFoundError(VendorError):
    code = ErrorCode.NOT_FOUND


class RejectedRequestError(VendorError):
    code = ErrorCode.REJECTED


class MalformedReplyError(VendorError):
    code = ErrorCode.MALFORMED


class UnsupportedError(VendorError):
    code = ErrorCode.NOT_SUPPORTED


class ConflictError(VendorError):
    code = ErrorCode.CONFLICT


class OutcomeUnknownError(VendorError):
    code = ErrorCode.OUTCOME_UNKNOWN


OUTAGES: Final = (UnavailableError, VendorTimeoutError, RateLimitedError, QuotaExceededError, CredentialsError)
"""Errors that say that a Crm cannot be used now, whatever it is asked for."""
