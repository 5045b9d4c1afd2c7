"""Small tables of a Crm (pipelines, stages, users, currencies, picklists), kept whole for a while."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from vendors.calls import Clock, record_cache_hit, record_kept
from vendors.flight import Flights

T = TypeVar("T")

_MISS_REFRESH_SECONDS = 30.0


class Table(Generic[T]):
    """A value that is loaded on first use and again when it is too old; concurrent users share one load.

    Args:
        load: Reads the whole table from the vendor. A failed load is not kept.
        ttl_seconds: Age at which it is read again.
        clock: Monotonic seconds.
    """

    def __init__(self, load: Callable[[], Awaitable[T]], *, ttl_seconds: float, clock: Clock) -> None:
        self._load = load
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._flights: Flights[T] = Flights()
        self._kept: tuple[T, float] | None = None

    async def get(self) -> T:
        """The table, at most `ttl_seconds` old."""
        if self._kept is not None and self._clock() - self._kept[1] < self._ttl_seconds:
            record_cache_hit()
            record_kept(self._kept[1])
            return self._kept[0]
        return await self._flights.run(None, self._reload)

    async def get_after_miss(self) -> T:
        """The table for somebody who missed a key in it: read again, unless that happened less than half a minute ago."""
        if self._kept is not None and self._clock() - self._kept[1] < _MISS_REFRESH_SECONDS:
            record_kept(self._kept[1])
            return self._kept[0]
        return await self._flights.run(None, self._reload)

    def clear(self) -> None:
        """Forget the kept value."""
        self._kept = None

    async def _reload(self) -> T:
        value = await self._load()
        self._kept = (value, self._clock())
        return value
