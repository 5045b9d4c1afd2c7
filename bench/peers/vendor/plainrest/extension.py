from dataclasses import dataclass

from vendors.extension import described


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainrestOpportunityFields:
    """Fields that only this vendor has."""

    external_key: str | None = described("Key of the record in other systems.", wire="externalKey")
    active: bool | None = described("Whether the record is in use.", wire="active")
