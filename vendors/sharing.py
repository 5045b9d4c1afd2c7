"""Reads that several operations ask for at once: one of them reads, and all get the very same records."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from vendors.calls import CallRecorder, gives_way, recording, retell
from vendors.flight import Flights

T = TypeVar("T")


class SharedReads:
    """The reads of one Crm that are under way.

    The calls count for the operation that began them. What was odd in the data, and how old what was kept, is told to every one.
    """

    def __init__(self) -> None:
        self._flights: Flights[tuple[Any, CallRecorder]] = Flights()
        self._alone: set[str] = set()

    async def run(self, kind: str, key: Callable[[], Hashable], read: Callable[[], Awaitable[T]]) -> T:
        """Read, or wait for who reads the same.

        Whoever comes while nobody reads anything of that kind reads by himself, which costs no task; his calls are shared all the same.

        Args:
            kind: What is read, such as `Account`.
            key: Tells what makes two reads the same: all that is asked for, and since when it must not be older.
            read: Reads it.
        """
        if kind not in self._alone:
            self._alone.add(kind)
            try:
                return await read()
            finally:
                self._alone.discard(kind)
        is_mine = False

        async def work() -> tuple[T, CallRecorder]:
            nonlocal is_mine
            is_mine = True
            with recording() as recorder:
                return await read(), recorder

        # Who has time does not hold up who has none.
        found, recorder = await self._flights.run((gives_way(), key()), work)
        if not is_mine:
            retell(recorder)
        value: T = found
        return value
