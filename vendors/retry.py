"""When to try again, as a pure decision."""

from dataclasses import dataclass

from vendors.errors import RateLimitedError, UnavailableError, VendorError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with full jitter.

    Args:
        max_attempts: Tries in all, the first included.
        base_delay_seconds: Upper end of the first pause; it doubles each time.
        max_delay_seconds: Upper end of any pause of our own choice; a vendor's Retry-After may be longer.
    """

    max_attempts: int = 3
    base_delay_seconds: float = 0.1
    max_delay_seconds: float = 2.0

    def delay_seconds(self, error: VendorError, *, attempt: int, remaining_seconds: float | None, jitter: float) -> float | None:
        """Pause before the next try of a read.

        Args:
            error: How the last try ended.
            attempt: Number of tries so far, from 1.
            remaining_seconds: Time left for the whole operation; None for no limit.
            jitter: A random number from 0 to 1.

        Returns:
            Seconds to wait, or None to give up.
        """
        if attempt >= self.max_attempts or not isinstance(error, UnavailableError | RateLimitedError):
            return None
        if error.retry_after_seconds is not None:
            delay = error.retry_after_seconds
        else:
            delay = min(self.max_delay_seconds, self.base_delay_seconds * 2 ** (attempt - 1)) * jitter
        if remaining_seconds is not None and delay >= remaining_seconds:
            return None
        return delay
