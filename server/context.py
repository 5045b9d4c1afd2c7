"""Makes the context of every operation."""

import time
from collections.abc import Mapping

from resolvers.context import Context, CursorCodec
from vendors.registry import Crm


class SystemClocks:
    """The machine's time."""

    def monotonic(self) -> float:
        return time.monotonic()

    def utc_timestamp(self) -> float:
        return time.time()


class ContextMaker:
    """Knows what operations share, and makes the rest afresh for each.

    Args:
        crms: The connected Crms by key.
        cursors: Makes and reads cursors.
    """

    def __init__(self, crms: Mapping[str, Crm], cursors: CursorCodec) -> None:
        self._crms = dict(sorted(crms.items()))
        self._cursors = cursors
        self._clocks = SystemClocks()

    def __call__(self) -> Context:
        return Context(crms=self._crms, cursors=self._cursors, clocks=self._clocks)
