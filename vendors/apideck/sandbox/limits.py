"""The request budgets a connection has: the connector's window, and the calls the plan includes."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

ResetAs = Literal["seconds", "milliseconds", "retry_after"]


@dataclass(slots=True, kw_only=True)
class Limits:
    """A fixed window of requests, as the connected CRM enforces it, and what is left of the plan.

    No number is published; Apideck adds no limit of its own. The default is the sandbox's own and out of an ordinary client's reach.

    Args:
        requests: Requests that a window takes.
        window_seconds: Length of a window.
        quota: Calls left in the plan; None for no end.
        reset_as: Unit or header that tells when the window ends. Not documented; an option of the sandbox.
        clock: Seconds that only go forward.
        wall_clock: Unix time in seconds, for the reset stamp.
    """

    requests: int = 5_000
    window_seconds: float = 10.0
    quota: int | None = None
    reset_as: ResetAs = "seconds"
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    _window_ends: float = field(default=-math.inf, init=False)
    _used: int = field(default=0, init=False)

    def take_quota(self) -> bool:
        """Use up one call of the plan; False when none is left."""
        if self.quota is None:
            return True
        self.quota -= 1
        return self.quota >= 0

    def take(self) -> bool:
        """Use up one request of the window; False when none is left."""
        now = self.clock()
        if now >= self._window_ends:
            self._window_ends, self._used = now + self.window_seconds, 0
        if self._used >= self.requests:
            return False
        self._used += 1
        return True

    def headers(self, *, refused: bool) -> dict[str, str]:
        """What an answer says of the window. Source: Apideck guide "Unified rate limits", x-downstream-ratelimit headers."""
        remaining_seconds = max(0.0, self._window_ends - self.clock())
        headers = {
            "x-downstream-ratelimit-limit": str(self.requests),
            "x-downstream-ratelimit-remaining": str(max(0, self.requests - self._used)),
        }
        reset = self.wall_clock() + remaining_seconds
        match self.reset_as:
            case "seconds":
                headers["x-downstream-ratelimit-reset"] = str(math.ceil(reset))
            case "milliseconds":
                headers["x-downstream-ratelimit-reset"] = str(math.ceil(reset * 1_000))
            case "retry_after":
                if refused:
                    headers["Retry-After"] = str(math.ceil(remaining_seconds))
        return headers
