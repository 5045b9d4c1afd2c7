"""How many calls watching may make."""

from typing import Final

from vendors.calls import Clock
from vendors.limiting import Sleep

_HOUR_SECONDS: Final = 3_600.0
_BURST_HOURS: Final = 1 / 6


class Allowance:
    """The calls that watching may make: so many an hour on the average, and what ten minutes bring at once."""

    def __init__(self, calls_per_hour: float, *, clock: Clock, sleep: Sleep) -> None:
        self._rate = calls_per_hour / _HOUR_SECONDS
        self._most = max(1.0, calls_per_hour * _BURST_HOURS)
        self._left = self._most
        self._clock = clock
        self._sleep = sleep
        self._filled_at = clock()

    async def wait(self) -> None:
        """Wait until a call may be made."""
        while (lacking := 1 - self._filled()) > 0:
            await self._sleep(lacking / self._rate)

    def spend(self, calls: int) -> None:
        """Count calls that were made."""
        self._left = self._filled() - calls

    def _filled(self) -> float:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._filled_at) * self._rate)
        self._filled_at = now
        return self._left
