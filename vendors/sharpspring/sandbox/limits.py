"""The vendor's limits on calls: a second's budget and a day's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from vendors.sharpspring.sandbox.errors import RefusedError

# Source: Lead Gen & CRM Open API, overview article: 10 calls a second, 50,000 a day, for the whole account.
CALLS_PER_SECOND = 10
CALLS_PER_DAY = 50_000


@dataclass(slots=True, kw_only=True)
class Limits:
    """Counts calls and refuses those over a limit.

    Args:
        clock: Seconds that never go back, for the budget per second.
        now: The time of day, for the budget per day. Not documented when a day ends; midnight UTC here.
        per_second: Whether the budget per second is enforced.
    """

    clock: Callable[[], float]
    now: Callable[[], datetime]
    per_second: bool
    calls_today: int = 0
    _tokens: float = CALLS_PER_SECOND
    _refilled: float = field(init=False)
    _day: int = field(init=False)

    def __post_init__(self) -> None:
        self._refilled = self.clock()
        self._day = self.now().toordinal()

    def charge(self, cost: int) -> None:
        """Count one call that costs so much of the budget per second; a costly one is let through on credit.

        Raises:
            RefusedError: 106 when the day's budget is used up, 107 when the second's is.
        """
        today = self.now().toordinal()
        if today != self._day:
            self._day, self.calls_today = today, 0
        if self.calls_today >= CALLS_PER_DAY:
            raise RefusedError(106)
        now = self.clock()
        self._tokens = min(CALLS_PER_SECOND, self._tokens + (now - self._refilled) * CALLS_PER_SECOND)
        self._refilled = now
        if self.per_second and self._tokens < 1:
            raise RefusedError(107)
        self._tokens -= cost
        self.calls_today += 1
