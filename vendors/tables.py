"""Small tables of a Crm (pipelines, stages, users, currencies, picklists), kept whole for a while."""

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from vendors.calls import Clock, Warned, gives_way, record_cache_hit, record_kept, recording, warn_again
from vendors.flight import Flights
from vendors.meanings import late

T = TypeVar("T")

_MISS_REFRESH_SECONDS = 30.0


class _Kept(NamedTuple, Generic[T]):
    value: T
    read_at: float
    warnings: Sequence[Warned]


class Table(Generic[T]):
    """A value that is loaded on first use and again when it is too old; concurrent users share one load.

    What was odd in it is told to everybody who uses it. As long as it is loaded equal, it is the same object: records that were made
    with it (`vendors.wire.records_of`) are recognized without comparing all of it, and keep no earlier ones alive.

    Args:
        load: Reads the whole table from the vendor. A failed load is not kept.
        crm: Key of the Crm.
        ttl_seconds: Age at which it is read again.
        clock: Monotonic seconds.
    """

    def __init__(self, load: Callable[[], Awaitable[T]], *, crm: str, ttl_seconds: float, clock: Clock) -> None:
        self._load = load
        self._crm = crm
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._flights: Flights[_Kept[T]] = Flights()
        self._kept: _Kept[T] | None = None
        self._clearings = 0

    async def get(self) -> T:
        """The table, at most `ttl_seconds` old (raises VendorError)."""
        kept = self._younger_than(self._ttl_seconds)
        if kept is not None:
            record_cache_hit()
        return await self._value(kept)

    async def get_after_miss(self) -> T:
        """The table for somebody who missed a key in it: read again, unless that happened less than half a minute ago."""
        return await self._value(self._younger_than(_MISS_REFRESH_SECONDS))

    def clear(self) -> None:
        """Have it loaded again for whoever asks next, whatever is being loaded now."""
        self._clearings += 1
        if self._kept is not None:
            self._kept = self._kept._replace(read_at=-math.inf)

    def _younger_than(self, seconds: float) -> _Kept[T] | None:
        kept = self._kept
        return None if kept is None or self._clock() - kept.read_at >= seconds else kept

    async def _value(self, kept: _Kept[T] | None) -> T:
        if kept is None:
            try:
                kept = await self._flights.run(
                    (gives_way(), self._clearings), self._reload
                )  # one that gives way would hold up who does not
            except TimeoutError as cause:
                raise late(self._crm) from cause
        else:
            record_kept(kept.read_at)
        warn_again(kept.warnings)
        return kept.value

    async def _reload(self) -> _Kept[T]:
        begun, clearings = self._clock(), self._clearings  # a change while it is read may be missing in it
        with recording() as recorder:
            value = await self._load()
        if self._kept is not None:
            if self._kept.read_at > begun:  # somebody who was in more of a hurry
                return self._kept
            if self._kept.value == value:
                value = self._kept.value
        made = _Kept(value, begun, tuple(recorder.warnings))
        if clearings == self._clearings:
            self._kept = made
        return made
