"""Hands new events to whoever follows, each at its own pace and nobody at anybody else's cost."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from resolvers.changes import ChangeCriteria, ChangeEvent, cursor_of, expired
from resolvers.context import CursorCodec
from resolvers.errors import UserError
from server.changes.store import ChangeStore
from vendors.calls import Clock
from vendors.errors import ErrorCode

_REPLAYED_AT_ONCE: Final = 500
_TOLD_AT_ONCE: Final = 20


class Subscriber:
    """One that follows: the events that wait for it, at most so many."""

    def __init__(self, criteria: ChangeCriteria, position: int, most: int) -> None:
        self.position = position
        self.has_overflowed = False
        self._criteria = criteria
        self._most = most
        self._waiting: deque[ChangeEvent] = deque()
        self._awake: asyncio.Future[None] | None = None

    @property
    def is_caught_up(self) -> bool:
        """Whether nothing waits for it."""
        return not self._waiting and not self.has_overflowed

    def offer(self, event: ChangeEvent) -> None:
        """Put an event into its queue, if it wants it; a full queue is given up, since the log has it all."""
        is_replayed = event.sequence <= self.position
        if self.has_overflowed or is_replayed or not self._criteria.matches(event):
            return
        if len(self._waiting) >= self._most:
            self.has_overflowed = True
            self._waiting.clear()
        else:
            self._waiting.append(event)
        self.wake()

    def wake(self) -> None:
        if self._awake is not None and not self._awake.done():
            self._awake.set_result(None)

    async def take(self) -> ChangeEvent | None:
        """The next event; None when it was woken for another reason."""
        if self.is_caught_up:
            self._awake = asyncio.get_running_loop().create_future()
            try:
                await self._awake
            finally:
                self._awake = None
        if not self._waiting:
            return None
        event = self._waiting.popleft()
        self.position = event.sequence
        return event


class Broker:
    """Knows who follows.

    Args:
        store: The log that is replayed to who comes late.
        cursors: Makes the cursors that errors name.
        most_waiting: Number of events that wait in memory for one subscriber; of more it reads the log.
        lag_seconds: How long a subscriber may be further behind than that.
        clock: Monotonic seconds.
    """

    def __init__(self, store: ChangeStore, cursors: CursorCodec, *, most_waiting: int, lag_seconds: float, clock: Clock) -> None:
        self._store = store
        self._cursors = cursors
        self._most_waiting = most_waiting
        self._lag_seconds = lag_seconds
        self._clock = clock
        self._subscribers: set[Subscriber] = set()
        self._is_closed = False

    @property
    def head(self) -> int:
        return self._store.head

    @property
    def subscribers(self) -> int:
        """Number of those who follow live."""
        return len(self._subscribers)

    async def publish(self, events: Sequence[ChangeEvent]) -> None:
        """Tell events that are in the log, in its order; many of them a few at a time, so that they can be taken meanwhile."""
        for number, event in enumerate(events, 1):
            for subscriber in self._subscribers:
                subscriber.offer(event)
            if number % _TOLD_AT_ONCE == 0:
                await asyncio.sleep(0)

    def close(self) -> None:
        """Let everybody's stream end."""
        self._is_closed = True
        for subscriber in self._subscribers:
            subscriber.wake()

    async def follow(self, after: int | None, criteria: ChangeCriteria) -> AsyncGenerator[ChangeEvent, None]:
        """See `resolvers.changes.Changes.follow`."""
        position = self._store.head if after is None else after
        caught_up_at: float | None = None  # who has been up to date once must not fall behind for good
        while not self._is_closed:
            # Looking at the head and beginning to listen are one step of the event loop; what was read here and is told later is passed
            # over by the subscriber.
            while position < self._store.head:
                self._check_is_kept(position)
                self._check_is_quick(position, caught_up_at)
                looked_to = self._store.head
                events = await self._store.read(position, _REPLAYED_AT_ONCE, crms=sorted(criteria.crms), only_moves=criteria.only_moves)
                for event in events:
                    position = event.sequence
                    if criteria.matches(event):
                        yield event
                if len(events) < _REPLAYED_AT_ONCE:
                    position = max(position, looked_to)
                del events  # or they would be kept for as long as the subscriber then follows live
            subscriber = Subscriber(criteria, position, self._most_waiting)
            self._subscribers.add(subscriber)
            try:
                while not self._is_closed and not subscriber.has_overflowed:
                    if subscriber.is_caught_up:
                        caught_up_at = self._clock()
                    taken = await subscriber.take()
                    if taken is not None:
                        yield taken
            finally:
                self._subscribers.discard(subscriber)
            position = subscriber.position

    def _check_is_kept(self, position: int) -> None:
        if position < self._store.oldest:
            raise expired(self._cursors, self._store)

    def _check_is_quick(self, position: int, caught_up_at: float | None) -> None:
        is_far_behind = self._store.head - position > self._most_waiting
        if caught_up_at is None or not is_far_behind or self._clock() - caught_up_at < self._lag_seconds:
            return
        cursor = cursor_of(self._cursors, self._store, position)
        raise UserError(
            ErrorCode.SUBSCRIBER_LAGGED,
            f"This subscriber has taken events too slowly for {self._lag_seconds:g} seconds, and more than {self._most_waiting} wait;"
            f" subscribe again with `after: {cursor!r}`, the cursor of the last event that was taken.",
            cursor=cursor,
        )
