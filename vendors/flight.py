"""Shared work: whoever asks for the same thing while it is under way waits for it instead of starting it again."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, TypeVar

from vendors.calls import Deadline, check_calls_are_allowed, context_with, current_deadline, record_joined

V = TypeVar("V")

_PATIENCE_SECONDS: Final = 30.0  # of who has no deadline
_JOINED_SHARE: Final = 0.5
_GRACE_SECONDS: Final = 0.2
_TASK_NAME: Final = "a flight"  # asyncio would count, and format a name for each that nobody reads


class FlightTimeoutError(TimeoutError):
    """A flight took longer than somebody waits; `about` is what was said of it by who began it."""

    def __init__(self, about: object) -> None:
        super().__init__()
        self.about = about


@dataclass(slots=True)
class _Flight(Generic[V]):
    task: "asyncio.Task[V]"
    begun_at: float
    deadline: Deadline | None
    about: object
    waiters: "list[asyncio.Future[None]]" = field(default_factory=list["asyncio.Future[None]"])


class Flights(Generic[V]):
    """Single-flight by key.

    The work runs in a task of its own and ends with its last waiter: when all have been cancelled or timed out, it is cancelled too.
    Its deadline is the latest of its waiters', each of whom waits no longer than until his own. A failure reaches all, and is not kept.

    What has taken half of the time that somebody has is not joined by him, but begun anew: it may never end, and whoever joins it would end
    like those before, as long as others come.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[V]] = {}

    async def run(
        self, key: Hashable, work: Callable[[], Coroutine[Any, Any, V]], *, seconds: float | None = None, about: object = None
    ) -> V:
        """Join the flight of that key, or start it.

        Args:
            key: What makes two pieces of work the same.
            work: Does it.
            seconds: How long to wait, and as much longer as the deadline of who waits is moved meanwhile. By default until shortly after
                that deadline, so that a time limit within the work, which knows more, comes first.
            about: What is told to all for whom it takes too long.

        Raises:
            FlightTimeoutError: It took longer.
        """
        check_calls_are_allowed()
        loop = asyncio.get_running_loop()
        flight = self._flights.get(key)
        mine = current_deadline()
        left = _PATIENCE_SECONDS if mine is None else mine.remaining()
        if flight is None or flight.task.cancelling() or loop.time() - flight.begun_at > left * _JOINED_SHARE:
            deadline = None
            if mine is not None:
                deadline = Deadline(mine.at, mine.clock)
                mine.within.append(deadline)
            task = asyncio.Task(work(), loop=loop, name=_TASK_NAME, context=context_with(deadline))
            flight = self._flights[key] = _Flight(task, loop.time(), deadline, about)
            task.add_done_callback(partial(self._landed, key, flight))
        else:
            record_joined(flight.begun_at)
            if flight.deadline is not None and mine is not None:
                flight.deadline.extend_to(mine)
                mine.within.append(flight.deadline)
        # Each has a wait of his own: one who is cancelled takes nothing away from the others.
        waiter: asyncio.Future[None] = loop.create_future()
        flight.waiters.append(waiter)
        if seconds is None and mine is not None:
            seconds = left + _GRACE_SECONDS
        timer = None if seconds is None else _Timer(loop, seconds, waiter, mine, flight.about)
        try:
            await waiter
        finally:
            if timer is not None:
                timer.stop()
            if mine is not None and flight.deadline is not None:
                mine.within.remove(flight.deadline)
            flight.waiters.remove(waiter)
            if not flight.waiters and not flight.task.done():
                flight.task.cancel()
                await asyncio.wait([flight.task])
        return flight.task.result()

    def _landed(self, key: Hashable, flight: _Flight[V], task: "asyncio.Task[V]") -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not task.cancelled():
            task.exception()  # marks it as seen: every waiter that is still there gets it by itself
        for waiter in flight.waiters:
            if not waiter.done():
                waiter.set_result(None)


class _Timer:
    """Ends a wait with FlightTimeoutError, unless there is more time by then."""

    __slots__ = ("_about", "_at", "_deadline", "_handle", "_loop", "_waiter")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        seconds: float,
        waiter: "asyncio.Future[None]",
        deadline: Deadline | None,
        about: object,
    ) -> None:
        self._loop = loop
        self._about = about
        self._waiter = waiter
        self._deadline = deadline
        self._at = 0.0 if deadline is None else deadline.at
        self._handle = loop.call_later(seconds, self._ring)

    def stop(self) -> None:
        self._handle.cancel()

    def _ring(self) -> None:
        if self._waiter.done():
            return
        more = 0.0 if self._deadline is None else self._deadline.at - self._at
        if more > 0:
            self._at += more
            self._handle = self._loop.call_later(more, self._ring)
        else:
            self._waiter.set_exception(FlightTimeoutError(self._about))
