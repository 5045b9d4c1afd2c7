"""What a reading means, compared with what was known."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from resolvers.changes import ChangeKind
from resolvers.listing.entries import Entry
from server.changes.snapshot import Difference, Snapshot, difference, event_id, is_older, kept, packed_entry, unpacked_entry
from vendors.model import UNREAD, OpportunityStatus, Ref

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENTRY = kept(
    Entry(
        local_id="7",
        title="Pumps \u00fc\u2028",
        amount=Decimal("1250.50"),
        currency="EUR",
        currency_of="9",
        expected_revenue=None,
        probability=12.5,
        status=OpportunityStatus.OPEN,
        stage="s1",
        pipeline="p1",
        owner="u1",
        account="a1",
        accounts=("a1",),
        contacts=("c1",),
        account_name="ACME",
        expected_close_date=date(2026, 4, 1),
        actual_close_date=None,
        created_at=NOON - timedelta(days=3),
        updated_at=NOON,
        tags=("x",),
        custom_fields={"k": 1},
        is_deleted=False,
        is_archived=False,
    )
)


def changed(**values: object) -> Entry:
    return replace(ENTRY, **values)  # type: ignore[arg-type]  # names of its fields


def test_only_what_every_reading_tells_is_kept() -> None:
    assert [ENTRY.account, ENTRY.accounts, ENTRY.contacts, ENTRY.account_name] == [UNREAD] * 4
    assert (ENTRY.tags, ENTRY.custom_fields, ENTRY.currency_of) == (None, None, None)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"amount": Decimal("1E-7"), "expected_revenue": Decimal(0)},
        {name.name: None for name in fields(Entry) if name.name in {"amount", "currency", "probability", "status", "stage", "owner"}},
        {"status": OpportunityStatus.LOST, "actual_close_date": date(2026, 5, 5), "is_archived": None},
        {"created_at": datetime(2026, 1, 1, 1, 2, 3, 456789, tzinfo=UTC)},
    ],
    ids=str,
)
def test_an_entry_survives_being_kept(values: dict[str, object]) -> None:
    entry = changed(**values)
    assert unpacked_entry("7", packed_entry(entry), {}) == entry


def test_what_is_seen_first_is_new_only_when_all_the_rest_is_known() -> None:
    silent = difference(None, ENTRY, is_complete=False)
    assert silent == Difference(snapshot=Snapshot(ENTRY))
    new = difference(None, ENTRY, is_complete=True)
    assert new is not None
    assert (new.kind, new.before, new.after) == (ChangeKind.CREATED, None, Snapshot(ENTRY).whereabouts)


def test_what_stays_as_it_was_is_no_event() -> None:
    assert difference(Snapshot(ENTRY), changed(), is_complete=True) is None
    assert difference(None, None, is_complete=True) is None


def test_what_differs_is_an_event_with_the_next_version() -> None:
    found = difference(Snapshot(ENTRY, version=4), changed(stage="s2"), is_complete=True)
    assert found is not None
    assert (found.kind, found.snapshot.version) == (ChangeKind.UPDATED, 5)
    assert (found.before, found.after) == (Snapshot(ENTRY).whereabouts, Snapshot(changed(stage="s2")).whereabouts)


def test_what_is_gone_is_told_once_and_goes_on_where_it_was_when_it_is_back() -> None:
    gone = difference(Snapshot(ENTRY, version=1), None, is_complete=True)
    assert gone is not None
    assert (gone.kind, gone.after, gone.snapshot.is_deleted) == (ChangeKind.DELETED, None, True)
    assert difference(gone.snapshot, None, is_complete=True) is None
    back = difference(gone.snapshot, changed(stage="s3"), is_complete=True)
    assert back is not None
    assert (back.kind, back.before, back.snapshot.version) == (ChangeKind.CREATED, Snapshot(ENTRY).whereabouts, 3)


def test_the_same_change_has_the_same_id_and_another_one_has_not() -> None:
    ref = Ref("dach", "7")

    def id_of(before: Snapshot, now: Entry) -> str:
        found = difference(before, now, is_complete=True)
        assert found is not None
        return event_id(ref, found)

    first = id_of(Snapshot(ENTRY), changed(stage="s2"))
    assert first == id_of(Snapshot(ENTRY), changed(stage="s2", title="seen a moment later, with another title"))
    there_again = id_of(Snapshot(ENTRY, version=2), changed(stage="s2"))
    assert len({first, there_again, id_of(Snapshot(ENTRY), changed(status=OpportunityStatus.WON))}) == 3


def test_a_reading_is_older_only_by_the_vendors_own_stamps() -> None:
    earlier = changed(updated_at=NOON - timedelta(seconds=1), stage="s0")
    assert is_older(earlier, Snapshot(ENTRY))
    assert not is_older(ENTRY, Snapshot(ENTRY))
    assert not is_older(changed(updated_at=None), Snapshot(ENTRY))
    assert not is_older(earlier, Snapshot(changed(updated_at=None)))
    assert not is_older(None, Snapshot(ENTRY))
    assert not is_older(earlier, None)
