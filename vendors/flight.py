"""Shared work: whoever asks for the same thing while it is under way waits for it instead of starting it again."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from vendors.calls import Deadline, check_calls_are_allowed, current_deadline, deadline_scope

V = TypeVar("V")


@dataclass(slots=True)
class _Flight(Generic[V]):
    task: "asyncio.Task[V]"
    deadline: Deadline | None
    waiters: int = 0


class Flights(Generic[V]):
    """Single-flight by key.

    The work runs in a task of its own and ends with its last waiter: when all have been cancelled or timed out, it is cancelled too.
    Its deadline is the latest of its waiters'. A failure reaches every waiter and is not kept.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[V]] = {}

    async def run(self, key: Hashable, work: Callable[[], Awaitable[V]]) -> V:
        """Join the flight of that key, or start it."""
        check_calls_are_allowed()
        flight = self._flights.get(key)
        mine = current_deadline()
        if flight is None or flight.task.cancelling():
            deadline = None if mine is None else Deadline(mine.at, mine.clock)
            with deadline_scope(deadline):
                task = asyncio.ensure_future(_call(work))
            flight = _Flight(task, deadline)
            self._flights[key] = flight
            task.add_done_callback(lambda done: self._landed(key, done))
        elif flight.deadline is not None and mine is not None:
            flight.deadline.extend_to(mine)
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if flight.waiters == 0 and not flight.task.done():
                flight.task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await asyncio.wait([flight.task])

    def _landed(self, key: Hashable, task: "asyncio.Task[V]") -> None:
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]
        if not task.cancelled():
            task.exception()  # marks it as seen: every waiter that is still there gets it by itself


async def _call(work: Callable[[], Awaitable[V]]) -> V:
    return await work()
