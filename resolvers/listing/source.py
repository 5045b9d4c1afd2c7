"""How one Crm contributed to a list, for `sources` and for whoever wants to know why a list took as long as it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from resolvers.types.enums import Consistency, CountOrigin, SourceState
from vendors.errors import MalformedReplyError, VendorError
from vendors.query import Condition
from vendors.registry import Crm


class Strategy(StrEnum):
    """How the rows of a Crm are found."""

    PAGES = "pages"
    SORTED_PAGES = "sorted_pages"
    INDEX = "index"
    NONE = "none"


@dataclass(slots=True, kw_only=True)
class Source:
    """How one Crm contributed to a page."""

    crm: Crm
    status: SourceState = SourceState.OK
    error: VendorError | None = None
    consistency: Consistency = Consistency.STRICT
    fetched_at: datetime | None = None
    age_seconds: float | None = None
    vendor_calls: int = 0
    rows: int = 0
    pushed_down: Sequence[str] = ()
    evaluated_here: Sequence[str] = ()
    total_count: int | None = None
    total_count_origin: CountOrigin = CountOrigin.UNKNOWN
    strategy: Strategy = Strategy.NONE
    pages: int = 0
    rows_scanned: int = 0
    cache_hits: int = 0
    milliseconds: float = 0.0
    needs_call: bool = False

    def fail(self, error: VendorError) -> None:
        """Note that the Crm's part is missing, or that the rest of it is."""
        self.error = error
        self.note_rows()

    def note_rows(self) -> None:
        """Note whether there are rows after all, of what has failed."""
        self.status = SourceState.PARTIAL if self.rows else SourceState.FAILED

    def stop(self, error: VendorError) -> None:
        """Note that reading ended before the page was full, and may go on."""
        self.error = error
        self.status = SourceState.PARTIAL

    def lose_count(self, error: VendorError) -> None:
        """Note that the rows could not be counted."""
        self.error = self.error or error
        if self.status is SourceState.OK:
            self.status = SourceState.PARTIAL

    def read(self, now: datetime, age_seconds: float = 0.0) -> None:
        """Note that rows were read, or taken from what was read so many seconds ago; what is oldest counts."""
        read_at = now - timedelta(seconds=age_seconds) if age_seconds else now
        self.fetched_at = read_at if self.fetched_at is None else min(self.fetched_at, read_at)
        self.age_seconds = max(round(age_seconds, 3), self.age_seconds or 0.0)

    def read_from(self, index_of: datetime, now: datetime) -> None:
        """Note that rows were taken from an index of that moment."""
        self.read(now, max(0.0, (now - index_of).total_seconds()))

    @property
    def least_calls(self) -> int:
        """The least number of vendor calls that the plan takes, before any was made."""
        if self.strategy is Strategy.INDEX:
            return 1 + (not self.cache_hits)
        return int(self.needs_call or self.strategy is not Strategy.NONE)

    def lose_rows(self, error: VendorError | None = None) -> None:
        """Note that rows could not be read and are left out, and why, where it is not that they are malformed."""
        self.status = SourceState.PARTIAL
        self.error = error or MalformedReplyError(f"Rows of the CRM {self.crm.key!r} cannot be read and are left out.", crm=self.crm.key)


def labels(conditions: Sequence[Condition]) -> list[str]:
    return [str(condition) for condition in conditions]
