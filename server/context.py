"""Makes the context of every operation."""

import time
from collections.abc import Callable, Mapping

from resolvers.changes import Changes
from resolvers.context import Context, CursorCodec
from resolvers.listing.index import IndexStore
from resolvers.rates import NO_RATES, Rates
from resolvers.writing.ledger import WriteLedger
from server.indexes import MemoryIndexes
from server.ledger import SqliteLedger
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
        indexes: Keeps what lists have scanned; in memory when None.
        ledger: Keeps what became of writes; in memory when None, which ends with the process.
        changes: Keeps what happened to opportunities; None where nobody watches.
        rates: Gives the exchange rates for one operation.
        reporting_currency: The currency that amounts are compared and summed in where a query names none.
    """

    def __init__(
        self,
        crms: Mapping[str, Crm],
        cursors: CursorCodec,
        *,
        indexes: IndexStore | None = None,
        ledger: WriteLedger | None = None,
        rates: Callable[[], Rates] = lambda: NO_RATES,
        changes: Changes | None = None,
        reporting_currency: str | None = None,
    ) -> None:
        self._crms = dict(sorted(crms.items()))
        self._cursors = cursors
        self._changes = changes
        self._rates = rates
        self._reporting_currency = reporting_currency
        self._clocks = SystemClocks()
        self._indexes = MemoryIndexes(self._clocks.monotonic) if indexes is None else indexes
        self._ledger = SqliteLedger(None, process="", days=1) if ledger is None else ledger

    def __call__(self) -> Context:
        return Context(
            crms=self._crms,
            cursors=self._cursors,
            clocks=self._clocks,
            indexes=self._indexes,
            ledger=self._ledger,
            changes=self._changes,
            rates=self._rates(),
            reporting_currency=self._reporting_currency,
        )
