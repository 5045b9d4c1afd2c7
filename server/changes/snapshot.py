"""What is known of an opportunity, what a new reading of it means, and how both are kept as bytes. Pure."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import orjson

from resolvers.changes import ChangeKind, Whereabouts
from resolvers.listing.entries import PLAIN_COLUMNS, Entry, selection_of_columns
from vendors.model import UNREAD, OpportunityStatus, Ref, Selection

COLUMNS: Final = PLAIN_COLUMNS | {"currency"}
"""What is kept of every opportunity: all that lists can look at without a further call for each."""

# What changes are told with, besides.
_TOLD: Final = frozenset({"stage_changed_at", "closed_at", "last_activity_at", "updated_by_ref", "revision"})


def _selection() -> Selection:
    return selection_of_columns(COLUMNS).including(Selection({"Opportunity": _TOLD}))


SELECTION: Final = _selection()

_NAMES: Final[tuple[str, ...]] = (
    "title",
    "amount",
    "currency",
    "expected_revenue",
    "probability",
    "status",
    "stage",
    "pipeline",
    "owner",
    "expected_close_date",
    "actual_close_date",
    "created_at",
    "updated_at",
    "is_archived",
)
_DECIMALS: Final = frozenset({"amount", "expected_revenue"})
_DAYS: Final = frozenset({"expected_close_date", "actual_close_date"})
_MOMENTS: Final = frozenset({"created_at", "updated_at"})
_UNKEPT: Final[dict[str, Any]] = {
    "account": UNREAD,
    "accounts": UNREAD,
    "contacts": UNREAD,
    "account_name": UNREAD,
    "tags": None,
    "custom_fields": None,
    "currency_of": None,
    "is_deleted": False,
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of an opportunity.

    Args:
        entry: As it was read last; of a deleted one, as it was before.
        version: Number of events there have been of it.
        is_deleted: Whether it is gone.
    """

    entry: Entry
    version: int = 0
    is_deleted: bool = False

    @property
    def whereabouts(self) -> Whereabouts:
        entry = self.entry
        return Whereabouts(stage=entry.stage, pipeline=entry.pipeline, status=entry.status, owner=entry.owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a reading means, compared with what was known. `kind` is None when it is no event."""

    snapshot: Snapshot
    kind: ChangeKind | None = None
    before: Whereabouts | None = None

    @property
    def after(self) -> Whereabouts | None:
        return None if self.snapshot.is_deleted else self.snapshot.whereabouts


def kept(entry: Entry) -> Entry:
    """What of an entry is compared and kept, whatever else it was read with."""
    return replace(entry, **_UNKEPT)


def difference(before: Snapshot | None, now: Entry | None, *, is_complete: bool) -> Difference | None:
    """Compare what was known with what was read.

    Args:
        before: What was known.
        now: What was read, as `kept`; None when there is no such opportunity, or it is marked as deleted.
        is_complete: Whether all opportunities of the Crm had been read once; before that, what is seen for the first time is not new.

    Returns:
        None when nothing is to be kept.
    """
    if before is None:
        if now is None:
            return None
        kind = ChangeKind.CREATED if is_complete else None
        return Difference(snapshot=Snapshot(now, version=int(is_complete)), kind=kind)
    if now is None:
        if before.is_deleted:
            return None
        gone = Snapshot(before.entry, version=before.version + 1, is_deleted=True)
        return Difference(snapshot=gone, kind=ChangeKind.DELETED, before=before.whereabouts)
    if now == before.entry and not before.is_deleted:
        return None
    kind = ChangeKind.CREATED if before.is_deleted else ChangeKind.UPDATED
    return Difference(snapshot=Snapshot(now, version=before.version + 1), kind=kind, before=before.whereabouts)


def is_older(now: Entry | None, before: Snapshot | None) -> bool:
    """Whether a reading is of an earlier time than what is known, by the vendor's own stamps: it answered out of order."""
    if now is None or before is None or now.updated_at is None or before.entry.updated_at is None:
        return False
    return now.updated_at < before.entry.updated_at


def event_id(ref: Ref, found: Difference) -> str:
    """What tells an event from all others: the same change, however often it is found, gives the same."""
    content = [ref.crm, ref.local_id, packed_place(found.before), packed_place(found.after), found.snapshot.version]
    return hashlib.sha256(orjson.dumps(content)).hexdigest()[:32]


def packed_place(place: Whereabouts | None) -> list[str | None] | None:
    return None if place is None else [place.stage, place.pipeline, None if place.status is None else place.status.value, place.owner]


def unpacked_place(packed: list[str | None] | None) -> Whereabouts | None:
    if packed is None:
        return None
    stage, pipeline, status, owner = packed
    return Whereabouts(stage=stage, pipeline=pipeline, status=None if status is None else OpportunityStatus(status), owner=owner)


def packed_entry(entry: Entry) -> bytes:
    """A kept entry as bytes."""
    return orjson.dumps([getattr(entry, name) for name in _NAMES], default=str)


def unpacked_entry(local_id: str, packed: bytes, shared: dict[str, str]) -> Entry:
    """The kept entry of these bytes; `shared` holds the texts that many entries have in common."""
    values: dict[str, Any] = dict(zip(_NAMES, orjson.loads(packed), strict=True))
    for name in _present(values, _DECIMALS):
        values[name] = Decimal(values[name])
    for name in _present(values, _DAYS):
        values[name] = date.fromisoformat(values[name])
    for name in _present(values, _MOMENTS):
        values[name] = datetime.fromisoformat(values[name])
    for name in _present(values, ("currency", "stage", "pipeline", "owner")):
        values[name] = shared.setdefault(values[name], values[name])
    if values["status"] is not None:
        values["status"] = OpportunityStatus(values["status"])
    return Entry(local_id=local_id, **values, **_UNKEPT)


def _present(values: dict[str, Any], names: Iterable[str]) -> list[str]:
    return [name for name in names if values[name] is not None]
