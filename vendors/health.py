"""How a Crm is doing, as its last calls showed. What changes is logged, once for each change."""

import logging
import os
import socket
import ssl

from vendors.calls import Clock
from vendors.errors import (
    OUTAGES,
    MalformedReplyError,
    PermissionDeniedError,
    RateLimitedError,
    RejectedRequestError,
    VendorError,
)

log = logging.getLogger(__name__)

_NOT_FOUND = 404


class Health:
    """The health of one Crm: as a whole, of what it refuses to do while the rest works, and of what it answers so that it cannot be read.

    Args:
        crm: The Crm's key.
        clock: Monotonic seconds.

    Attributes:
        ill: Those of one Crm, this one among them, that are not usable.
    """

    def __init__(self, crm: str, *, clock: Clock) -> None:
        self.last_answer_at: float | None = None
        self._crm = crm
        self._clock = clock
        self._failure: VendorError | None = None
        self._refusals: dict[str | None, VendorError] = {}
        self._unreadable: dict[str | None, VendorError] = {}
        self.ill: set[Health] = set()

    def join(self, other: "Health") -> None:
        """Tell together with another way out of the same Crm, such as the one of its login: that it is ill, and that it is well again."""
        self.ill = other.ill

    @property
    def error(self) -> VendorError | None:
        """What is wrong; None while it answers, refuses nothing and can be read."""
        return self._failure or next(iter(self._refusals.values()), None) or next(iter(self._unreadable.values()), None)

    def answered(self, operation: str) -> None:
        """Note that an operation worked."""
        self._is_back()
        if self._refusals.pop(operation, None) is not None:
            log.info("CRM %r does %s again", self._crm, operation)

    def was_read(self, operation: str) -> None:
        """Note that the answer to an operation could be read."""
        if self._unreadable:
            self._unreadable.pop(operation, None)

    def failed(self, error: VendorError) -> None:
        """Note how an operation ended that is not tried again; mistakes of one request alone say nothing of the Crm."""
        match error:
            case _ if isinstance(error, OUTAGES):
                if not self.ill:
                    log.warning("CRM %r is not usable: %s (%s)%s", self._crm, error.code, error.operation, _because(error))
                self.ill.add(self)
                self._failure = error
            case PermissionDeniedError():
                self._refused(error)
            case RejectedRequestError(status=status) if status == _NOT_FOUND:
                self._refused(error)
            case MalformedReplyError():  # whoever could not read it has written that down
                self._unreadable[error.operation] = error
            case _:
                pass

    def _refused(self, error: VendorError) -> None:
        self._is_back()
        if error.operation not in self._refusals:
            log.warning("CRM %r refuses %s: %s (status %s)", self._crm, error.operation, error.code, error.status)
        self._refusals[error.operation] = error

    def _is_back(self) -> None:
        self.last_answer_at = self._clock()
        self._failure = None
        if self in self.ill:
            self.ill.remove(self)
            if not self.ill:
                log.warning("CRM %r answers again", self._crm)  # who was told of the one is told of the other


def behind(error: VendorError) -> VendorError:
    """The failure that is behind that of a call which was not made, since the circuit is open; the error itself otherwise."""
    return error.__cause__ if isinstance(error.__cause__, VendorError) else error


def _because(error: VendorError) -> str:
    """Why, as far as it may be told: no address, which could hold a secret, and no word of the vendor."""
    if isinstance(error, RateLimitedError) and error.retry_after_seconds is not None:
        return f": it asks for a pause of {error.retry_after_seconds:.0f} s"
    error = behind(error)
    cause = error.__cause__
    if cause is None:
        return "" if error.status is None else f": status {error.status}"
    said = network_reason(cause)
    return f": {type(cause).__name__}{f', {said}' if said else ''}"


def network_reason(cause: BaseException) -> str | None:
    """What the system says of a network error, which aiohttp keeps inside its own; None where it says nothing."""
    inner: object = getattr(cause, "os_error", None) or getattr(cause, "certificate_error", None) or cause
    if isinstance(inner, ssl.SSLCertVerificationError):
        return inner.verify_message
    if isinstance(inner, ssl.SSLError):
        return f"TLS: {inner.reason.lower().replace('_', ' ')}" if inner.reason else "TLS"
    if not isinstance(inner, OSError):
        return None
    # Python's own text of a refused connection has the address in it; the numbers of a failed look-up of a name are others.
    if inner.errno and not isinstance(inner, socket.gaierror):
        return os.strerror(inner.errno)
    return inner.strerror or ("the connection was broken off" if isinstance(inner, ConnectionError) else None)
