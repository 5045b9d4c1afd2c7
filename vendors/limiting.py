"""How much a Crm may be asked: concurrency, calls a second, pauses it asks for, and a circuit that opens when it is down."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from vendors.calls import Clock, gives_way

Sleep = Callable[[float], Awaitable[None]]

_MINUTE_SECONDS: Final = 60.0
_GIVES_WAY_SECONDS: Final = 5.0


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

    def shared_by(self, processes: int) -> "Limits":
        """What one of several processes may do, so that together they keep to it.

        One call at a time is the rule of a login, and each process has its own.

        Raises:
            IndivisibleError: There are more processes than calls at once.
        """
        if processes == 1:
            return self
        at_once = [number for number in (self.max_concurrent, self.max_concurrent_per_entity) if number is not None and number > 1]
        if at_once and min(at_once) < processes:
            raise IndivisibleError(f"it lets {min(at_once)} calls run at once")
        return replace(
            self,
            max_concurrent=max(1, self.max_concurrent // processes),
            max_concurrent_per_entity=None
            if self.max_concurrent_per_entity is None
            else max(1, self.max_concurrent_per_entity // processes),
            calls_per_second=None if self.calls_per_second is None else self.calls_per_second / processes,
            burst=max(1, self.burst // processes),
        )


class IndivisibleError(Exception):
    """A limit is too small to be shared by so many processes."""


class _Places(asyncio.Semaphore):
    """A semaphore of which a free place can be taken at once: to await what is not waited for costs as much as the rest of a place."""

    def take_now(self) -> bool:
        """Take a place if one is free, and tell whether; `release` gives it back."""
        if self.locked():
            return False
        self._value -= 1
        return True


class Budget:
    """Spends the limits of one Crm: call slots by semaphore, and a token bucket for the rate.

    Calls that give way hold at most half of the slots, of an entity too, and leave half of a burst to those that people wait for, until
    these have taken it for so long that it is their turn nonetheless.
    """

    def __init__(self, limits: Limits, *, clock: Clock, sleep: Sleep) -> None:
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._slots = _Places(limits.max_concurrent)
        self._background_slots = _Places(max(1, limits.max_concurrent // 2))
        self._entity_slots: dict[str, _Places] = {}
        self._background_entity_slots: dict[str, _Places] = {}
        self._tokens = float(limits.burst)
        self._filled_at = clock()

    def slot(self, entity: str | None) -> "Slot":
        """What takes a place for a call, as soon as there is one and the rate allows it."""
        return Slot(self, entity)

    def places(self, entity: str | None) -> Sequence[_Places]:
        """What a call holds."""
        return (*self._of_entity(self._entity_slots, entity, share=1), self._slots)

    def background_places(self, entity: str | None) -> Sequence[_Places]:
        """What a call that gives way holds besides, and first."""
        return (self._background_slots, *self._of_entity(self._background_entity_slots, entity, share=2))

    def _of_entity(self, slots: dict[str, _Places], entity: str | None, *, share: int) -> Sequence[_Places]:
        most = self._limits.max_concurrent_per_entity
        if entity is None or most is None:
            return ()
        return (slots.setdefault(entity, _Places(max(1, most // share))),)

    async def leave_tokens(self) -> None:
        """Wait until half of a burst is there, but not for ever."""
        rate, kept = self._limits.calls_per_second, self._limits.burst / 2
        until = self._clock() + _GIVES_WAY_SECONDS
        while rate is not None and self._filled(rate) < kept and self._clock() < until:
            await self._sleep(min((kept - self._tokens) / rate, until - self._clock()))

    def take_token_now(self) -> bool:
        """Take a token if the rate allows a call at once, and tell whether."""
        rate = self._limits.calls_per_second
        if rate is None:
            return True
        if self._filled(rate) < 1:
            return False
        self._tokens -= 1
        return True

    async def take_token(self) -> None:
        """Wait for the rate."""
        rate = self._limits.calls_per_second
        if rate is None:
            return
        self._filled(rate)
        self._tokens -= 1
        if self._tokens < 0:  # tokens below zero are calls that wait already: each later one waits longer
            try:
                await self._sleep(-self._tokens / rate)
            except BaseException:
                self._tokens += 1  # the call is not made
                raise

    def _filled(self, rate: float) -> float:
        """Add the tokens of the time that has passed, and tell how many there are."""
        now = self._clock()
        self._tokens = min(float(self._limits.burst), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        return self._tokens


class Slot:
    """A place for one call, held from taking to leaving."""

    __slots__ = ("_budget", "_entity", "_held")

    def __init__(self, budget: Budget, entity: str | None) -> None:
        self._budget = budget
        self._entity = entity
        self._held: list[_Places] = []

    def take_now(self) -> bool:
        """Take the place if nothing has to be waited for, and tell whether; mostly nothing has."""
        if gives_way():
            return False
        for place in self._budget.places(self._entity):
            if not place.take_now():
                self.leave()
                return False
            self._held.append(place)
        if self._budget.take_token_now():
            return True
        self.leave()
        return False

    async def take(self) -> None:
        """Take the place as soon as that is possible."""
        budget = self._budget
        try:
            if gives_way():
                await self._hold(budget.background_places(self._entity))
                await budget.leave_tokens()
            await self._hold(budget.places(self._entity))
            await budget.take_token()
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Give the place back, if it is held."""
        while self._held:
            self._held.pop().release()

    async def _hold(self, places: Iterable[_Places]) -> None:
        for place in places:
            await place.acquire()
            self._held.append(place)


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

    @property
    def was_asked_for(self) -> bool:
        """Whether the vendor has asked for a pause and not answered since."""
        return self._until > 0

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
        if self._opened_at is None:
            return True
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
