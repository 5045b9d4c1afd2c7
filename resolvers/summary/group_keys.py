"""What opportunities can be grouped by, and where their rows have it."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from resolvers.listing.entries import Entry
from vendors.model import OpportunityStatus, Ref


class GroupKey(StrEnum):
    """What opportunities can be grouped by."""

    CRM = "crm"
    STATUS = "status"
    PIPELINE = "pipeline"
    STAGE = "stage"
    OWNER = "owner"
    ACCOUNT = "account"
    CURRENCY = "currency"
    CLOSE_MONTH = "close_month"
    CREATED_MONTH = "created_month"


COLUMNS: Final[Mapping[GroupKey, frozenset[str]]] = {
    GroupKey.CRM: frozenset(),
    GroupKey.STATUS: frozenset({"status"}),
    GroupKey.PIPELINE: frozenset({"pipeline"}),
    GroupKey.STAGE: frozenset({"stage"}),
    GroupKey.OWNER: frozenset({"owner"}),
    GroupKey.ACCOUNT: frozenset({"account"}),
    GroupKey.CURRENCY: frozenset({"amount", "currency"}),
    GroupKey.CLOSE_MONTH: frozenset({"status", "actual_close_date", "expected_close_date"}),
    GroupKey.CREATED_MONTH: frozenset({"created_at"}),
}

Values = tuple[Any, ...]
"""What the rows of a group have in common, one value for each key; a Ref for a record."""


def reader(key: GroupKey, crm: str) -> Callable[[Entry], Any]:
    """What a Crm's row has for a key."""

    def read_close_month(entry: Entry) -> str | None:
        day = None if entry.status is OpportunityStatus.OPEN else entry.actual_close_date
        return _month(day or entry.expected_close_date)

    def read_ref(entry: Entry) -> Ref | None:
        local_id = getattr(entry, key.value)
        return None if local_id is None else Ref(crm, local_id)

    match key:
        case GroupKey.CRM:
            return lambda _: crm
        case GroupKey.PIPELINE | GroupKey.STAGE | GroupKey.OWNER | GroupKey.ACCOUNT:
            return read_ref
        case GroupKey.STATUS:
            return lambda entry: entry.status
        case GroupKey.CURRENCY:
            return lambda entry: entry.currency
        case GroupKey.CLOSE_MONTH:
            return read_close_month
        case GroupKey.CREATED_MONTH:
            return lambda entry: _month(entry.created_at)


def _month(day: date | datetime | None) -> str | None:
    return None if day is None else day.isoformat()[:7]
