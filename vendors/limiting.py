"""How much a Crm may be asked: concurrency, calls a second, pauses it asks for, and a circuit that opens when it is down."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vendors.calls import Clock, gives_way

Sleep = Callable[[float], Awaitable[None]]

_MINUTE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a vendor lets one set of credentials do.

    Args:
        max_concurrent: Requests under way at once.
        max_concurrent_per_entity: Requests under way at once for one entity; None for no such rule.
        calls_per_second: Long-run rate; None for no rule.
        burst: Calls that may come at once before the rate holds.
        max_reply_bytes: Size at which an answer is given up.
    """

    max_concurrent: int
    max_concurrent_per_entity: int | None = None
    calls_per_second: float | None = None
    burst: int = 1
    max_reply_bytes: int = 32 * 1024 * 1024


class Budget:
    """Spends the limits of one Crm: call slots by semaphore, and a token bucket for the rate.

    Calls that give way hold at most half of the slots, of an entity too, and leave half of a burst to those that people wait for.
    """

    def __init__(self, limits: Limits, *, clock: Clock, sleep: Sleep) -> None:
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._slots = asyncio.Semaphore(limits.max_concurrent)
        self._background_slots = asyncio.Semaphore(max(1, limits.max_concurrent // 2))
        self._entity_slots: dict[str, asyncio.Semaphore] = {}
        self._background_entity_slots: dict[str, asyncio.Semaphore] = {}
        self._tokens = float(limits.burst)
        self._filled_at = clock()

    @asynccontextmanager
    async def slot(self, entity: str | None) -> AsyncGenerator[None, None]:
        """Wait for a place and for the rate, and hold the place meanwhile."""
        if gives_way():
            async with self._background_slots, self._background_entity_slot(entity):
                await self._leave_tokens()
                async with self._held_slot(entity):
                    yield
        else:
            async with self._held_slot(entity):
                yield

    @asynccontextmanager
    async def _held_slot(self, entity: str | None) -> AsyncGenerator[None, None]:
        async with self._entity_slot(entity), self._slots:
            await self._take_token()
            yield

    def _entity_slot(self, entity: str | None) -> "asyncio.Semaphore | _NoSlot":
        if entity is None or self._limits.max_concurrent_per_entity is None:
            return _NO_SLOT
        return self._entity_slots.setdefault(entity, asyncio.Semaphore(self._limits.max_concurrent_per_entity))

    def _background_entity_slot(self, entity: str | None) -> "asyncio.Semaphore | _NoSlot":
        if entity is None or self._limits.max_concurrent_per_entity is None:
            return _NO_SLOT
        return self._background_entity_slots.setdefault(entity, asyncio.Semaphore(max(1, self._limits.max_concurrent_per_entity // 2)))

    async def _leave_tokens(self) -> None:
        """Wait until half of a burst is there."""
        rate, kept = self._limits.calls_per_second, self._limits.burst / 2
        while rate is not None and self._filled(rate) < kept:
            await self._sleep((kept - self._tokens) / rate)

    async def _take_token(self) -> None:
        rate = self._limits.calls_per_second
        if rate is None:
            return
        self._filled(rate)
        self._tokens -= 1
        if self._tokens < 0:  # tokens below zero are calls that wait already: each later one waits longer
            await self._sleep(-self._tokens / rate)

    def _filled(self, rate: float) -> float:
        """Add the tokens of the time that has passed, and tell how many there are."""
        now = self._clock()
        self._tokens = min(float(self._limits.burst), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        return self._tokens


class _NoSlot:
    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *exc: object) -> None:
        return None


_NO_SLOT = _NoSlot()


class Pause:
    """Keeps calls back while a vendor wants to be left alone.

    Its word is taken for a minute at most. After that single calls find out whether it still holds: a delay that was a mistake, or has
    been lifted, must not shut a Crm for an hour.
    """

    def __init__(self, *, clock: Clock, believed_seconds: float = 60.0) -> None:
        self._clock = clock
        self._believed_seconds = believed_seconds
        self._until = 0.0
        self._believed_until = 0.0
        self._probing = False

    def begin(self, seconds: float, *, is_probe: bool) -> None:
        """Note that the vendor refused a call and wants that much time; what a probe was told replaces what was said before."""
        now = self._clock()
        until, believed_until = now + seconds, now + min(seconds, self._believed_seconds)
        self._until = until if is_probe else max(self._until, until)
        self._believed_until = believed_until if is_probe else max(self._believed_until, believed_until)

    def end(self) -> None:
        """Note that the vendor answers again."""
        self._until = self._believed_until = 0.0

    def wait_seconds(self) -> float:
        """Time until a call may go out."""
        return max(0.0, self._believed_until - self._clock())

    def is_doubted(self) -> bool:
        """Whether the vendor's time is not over, and yet a call may find out."""
        return self._believed_until <= self._clock() < self._until

    def take_probe(self) -> bool:
        """Become the call that finds out, unless there is one; `leave_probe` must follow."""
        if self._probing:
            return False
        self._probing = True
        return True

    def leave_probe(self) -> None:
        self._probing = False


class Notices:
    """Counts what is logged often, so that a few lines a minute stand for all of them."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._since = clock()
        self._counts: Counter[Hashable] = Counter()

    def count(self, kind: Hashable) -> int:
        """How often that kind has come within the minute, this time included."""
        if self._clock() - self._since >= _MINUTE_SECONDS:
            self._since = self._clock()
            self._counts.clear()
        self._counts[kind] += 1
        return self._counts[kind]


class CircuitState(StrEnum):
    """Whether calls are let through (CLOSED), refused (OPEN), or tried one at a time (HALF_OPEN)."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Circuit:
    """Stops calling a Crm that keeps failing, and finds out by single probes when it is back."""

    def __init__(self, *, clock: Clock, failures_to_open: int = 5, cool_down_seconds: float = 5.0) -> None:
        self._clock = clock
        self._failures_to_open = failures_to_open
        self._cool_down_seconds = cool_down_seconds
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def state(self) -> CircuitState:
        if self._opened_at is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self._clock() - self._opened_at < self._cool_down_seconds else CircuitState.HALF_OPEN

    def admits(self) -> bool:
        """Whether a call may go out now. In the half-open state the first asker becomes the probe."""
        match self.state:
            case CircuitState.CLOSED:
                return True
            case CircuitState.OPEN:
                return False
            case CircuitState.HALF_OPEN:
                if self._probing:
                    return False
                self._probing = True
                return True

    def retry_after_seconds(self) -> float:
        """Time until the next probe may go out."""
        return 0.0 if self._opened_at is None else max(0.0, self._opened_at + self._cool_down_seconds - self._clock())

    def succeeded(self) -> None:
        self._failures, self._opened_at, self._probing = 0, None, False

    def failed(self) -> None:
        self._failures += 1
        self._probing = False
        if self._failures >= self._failures_to_open:
            self._opened_at = self._clock()

    def abandoned(self) -> None:
        """Note that a call ended without telling anything about the vendor, such as by cancellation."""
        self._probing = False
