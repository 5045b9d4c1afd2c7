from dataclasses import dataclass

from vendors.extension import described


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerlyOpportunityFields:
    """Fields that only Ledgerly has."""

    shelf: str | None = described("Shelf that the paper stands on.", wire="shelf")
