"""The vendor's two limits: requests at the same time for one entity, and requests in an hour.

Source: Autotask "Thread limiting" and REST "Thresholds and limits" (vendor help).
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

MAX_THREADS = 3
MAX_REQUESTS = 10_000
TIMEFRAME_MINUTES = 60


@dataclass(slots=True)
class Limits:
    """Counts what is under way and what was asked lately.

    Args:
        clock: Seconds that only go forward.
        sleep: Waits some seconds, when usage slows the server down.
        threshold: Requests of an hour; the vendor raises it on demand.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    threshold: int = MAX_REQUESTS
    _under_way: dict[tuple[str, str], list[web.Request]] = field(default_factory=dict[tuple[str, str], list[web.Request]])
    _asked: deque[float] = field(default_factory=deque[float])

    def enter(self, bucket: tuple[str, str], request: web.Request) -> bool:
        """Take a thread of a bucket, which is an integration code and an entity; False when all are taken.

        A request whose caller has hung up holds no thread.
        """
        waiting = [other for other in self._under_way.get(bucket, []) if other.transport is not None]
        self._under_way[bucket] = waiting
        if len(waiting) >= MAX_THREADS:
            return False
        waiting.append(request)
        return True

    def leave(self, bucket: tuple[str, str], request: web.Request) -> None:
        self._under_way[bucket] = [other for other in self._under_way.get(bucket, []) if other is not request]

    def used(self) -> int:
        """Requests of the last hour."""
        horizon = self.clock() - TIMEFRAME_MINUTES * 60
        while self._asked and self._asked[0] <= horizon:
            self._asked.popleft()
        return len(self._asked)

    def set_used(self, requests: int) -> None:
        """Pretend that other integrations of the same customer have just asked so often."""
        self._asked = deque([self.clock()] * requests)

    async def spend(self) -> bool:
        """Count a request, slowly when the hour is half used; False when nothing is left."""
        used = self.used()
        if used >= self.threshold:
            return False
        self._asked.append(self.clock())
        # The steps are approximate: about half a second from 50 %, about a second from 75 % on.
        for share, seconds in ((0.75, 1.0), (0.5, 0.5)):
            if used >= self.threshold * share:
                await self.sleep(seconds)
                break
        return True
