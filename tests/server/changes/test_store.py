"""The log on the disk: all of a change or nothing, and a clear error where it cannot be written."""

import shutil
import sqlite3
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from resolvers.changes import ChangeEvent, ChangeKind, ChangeSource
from server.changes.snapshot import Snapshot, difference, event_id
from server.changes.store import Change, ChangeStore, Watch
from tests.server.changes.test_snapshot import ENTRY, NOON, changed
from vendors.errors import ConfigError
from vendors.model import Ref

CRMS = ["dach", "nordic"]


@pytest.fixture
def store(tmp_path: Path) -> Generator[ChangeStore, None, None]:
    made = ChangeStore(tmp_path)
    yield made
    made.close()


def writer(store: ChangeStore) -> sqlite3.Connection:
    """The connection that writes; a disk is made full for it alone."""
    return store._writing  # pyright: ignore[reportPrivateUsage]


def move(number: int, *, crm: str = "dach", local_id: str = "7", at: datetime = NOON) -> Change:
    """A change from one stage to the next."""
    found = difference(Snapshot(changed(stage=f"s{number}"), version=number), changed(stage=f"s{number + 1}"), is_complete=True)
    assert found is not None
    ref = Ref(crm, local_id)
    event = ChangeEvent(
        sequence=0,
        event_id=event_id(ref, found),
        kind=ChangeKind.UPDATED,
        ref=ref,
        before=found.before,
        after=found.after,
        source=ChangeSource.WEBHOOK,
        detected_at=at,
        changed_at=at - timedelta(seconds=3),
        changed_by_ref=Ref(crm, "u1"),
    )
    return Change(ref, found.snapshot, event)


async def test_events_come_back_as_they_were_in_the_order_of_the_log(store: ChangeStore, tmp_path: Path) -> None:
    made = await store.append([move(0), move(0, local_id="8")], crm="dach")
    made = [*made, *await store.append([move(0, crm="nordic")], crm="nordic")]
    assert [event.sequence for event in made] == [1, 2, 3] == list(range(1, store.head + 1))
    assert await store.read(0, 10, crms=CRMS, only_moves=True) == made
    assert await store.read(1, 1, crms=CRMS, only_moves=False) == made[1:2]
    assert await store.read(0, 10, crms=["nordic"], only_moves=False) == made[2:]
    known = store.snapshots("dach")
    store.close()
    again = ChangeStore(tmp_path)
    assert (again.head, again.oldest) == (3, 0)
    assert await again.read(0, 10, crms=CRMS, only_moves=True) == made
    entry = changed(stage="s1")
    assert again.snapshots("dach") == known == {"7": Snapshot(entry, 1), "8": Snapshot(replace(entry, local_id="8"), 1)}
    again.close()


async def test_a_full_disk_leaves_nothing_half_written(store: ChangeStore) -> None:
    await store.append([move(0)], crm="dach")
    pages = writer(store).execute("pragma page_count").fetchone()[0]
    writer(store).execute(f"pragma max_page_count = {pages}")
    many = [move(0, local_id=f"{number}-{'x' * 500}") for number in range(200)]
    with pytest.raises(sqlite3.OperationalError, match="full"):
        await store.append(many, crm="dach")
    assert (store.head, len(store.snapshots("dach"))) == (1, 1)
    writer(store).execute("pragma max_page_count = 1000000")
    assert len(await store.append(many, crm="dach")) == 200
    assert store.head == 201


async def test_a_locked_database_is_an_error_and_works_again_afterwards(store: ChangeStore, tmp_path: Path) -> None:
    writer(store).execute("pragma busy_timeout = 10")
    with sqlite3.connect(tmp_path / "changes.sqlite3", isolation_level=None) as other:
        other.execute("begin immediate")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await store.append([move(0)], crm="dach")
        other.execute("rollback")
    other.close()
    assert [event.sequence for event in await store.append([move(0)], crm="dach")] == [1]


async def test_a_hint_stays_until_it_is_followed_and_one_that_comes_meanwhile_stays_too(store: ChangeStore) -> None:
    await store.add_hints("dach", ["7", "8", "7"], ChangeSource.WEBHOOK, delivery=None, now=0)
    first = await store.hints("dach", 10)
    assert sorted(hint.local_id for hint in first) == ["7", "8"]
    assert await store.count_hints("dach") == 2
    await store.add_hints("dach", ["7"], ChangeSource.WEBHOOK, delivery=None, now=0)
    await store.append([move(0)], crm="dach", followed=first)
    left = await store.hints("dach", 10)
    assert [hint.local_id for hint in left] == ["7"]
    assert await store.hints("nordic", 10) == []


async def test_hints_that_fail_give_way_to_others(store: ChangeStore) -> None:
    for local_id in ("7", "8"):
        await store.add_hints("dach", [local_id], ChangeSource.WEBHOOK, delivery=None, now=0)
    await store.put_off(await store.hints("dach", 1))
    assert [hint.local_id for hint in await store.hints("dach", 10)] == ["8", "7"]


async def test_a_delivery_counts_once_for_each_crm(store: ChangeStore) -> None:
    assert await store.add_hints("dach", ["7"], ChangeSource.WEBHOOK, delivery="d1", now=5)
    assert not await store.add_hints("dach", ["8"], ChangeSource.WEBHOOK, delivery="d1", now=6)
    assert await store.add_hints("nordic", ["7"], ChangeSource.WEBHOOK, delivery="d1", now=6)
    assert [hint.local_id for hint in await store.hints("dach", 10)] == ["7"]
    await store.drop_before(0, deliveries_before=5.5)
    assert await store.add_hints("dach", ["8"], ChangeSource.WEBHOOK, delivery="d1", now=7)


async def test_what_is_too_old_is_dropped_and_the_log_says_up_to_where(store: ChangeStore, tmp_path: Path) -> None:
    await store.append([move(0, at=NOON), move(1, at=NOON + timedelta(days=1))], crm="dach")
    gone = difference(Snapshot(ENTRY, 1), None, is_complete=True)
    assert gone is not None
    event = move(0, local_id="9").event
    assert event is not None
    await store.append([Change(Ref("dach", "9"), gone.snapshot, event)], crm="dach")
    await store.drop_before((NOON + timedelta(hours=1)).timestamp(), deliveries_before=0)
    assert store.oldest == 3
    assert await store.read(0, 10, crms=CRMS, only_moves=False) == []
    assert sorted(store.snapshots("dach")) == ["7"]
    made = await store.append([move(2)], crm="dach")
    assert made[0].sequence == 4, "a place in the log is never given twice"
    store.close()
    again = ChangeStore(tmp_path)
    assert (again.oldest, again.head) == (3, 4)
    again.close()


async def test_a_position_is_good_up_to_where_its_run_came_and_not_in_an_older_copy(store: ChangeStore, tmp_path: Path) -> None:
    await store.append([move(0)], crm="dach")
    first = store.run_of(1)
    store.close()
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path, copy)
    second = ChangeStore(tmp_path)
    await second.append([move(1), move(2)], crm="dach")
    lost = second.run_of(2)
    assert [second.run_of(position) for position in range(4)] == [first, first, lost, lost]
    assert [second.holds(name, 1) for name in (first, lost, "unknown")] == [True, True, False]
    assert [second.holds(name, 2) for name in (first, lost)] == [False, True]
    second.close()
    restored = ChangeStore(copy)
    await restored.append([move(1), move(2), move(3)], crm="dach")
    assert [restored.holds(name, 1) for name in (first, lost, restored.run_of(2))] == [True, False, True]
    assert [restored.holds(name, 3) for name in (first, lost, restored.run_of(3))] == [False, False, True]
    await restored.drop_before((NOON + timedelta(days=1)).timestamp(), deliveries_before=0)
    assert restored.holds(restored.run_of(restored.oldest), restored.oldest)
    restored.close()


async def test_only_its_owner_reads_it(store: ChangeStore, tmp_path: Path) -> None:
    await store.append([move(0)], crm="dach")
    names = ("changes.sqlite3", "changes.sqlite3-wal", "changes.sqlite3-shm")
    assert [oct((tmp_path / name).stat().st_mode & 0o777) for name in names] == ["0o600"] * 3


async def test_the_last_moves_of_opportunities_are_told_oldest_first(store: ChangeStore) -> None:
    for number in range(4):
        await store.append([move(number), move(number, local_id="8")], crm="dach")
    found = await store.moves_of([Ref("dach", "7"), Ref("dach", "8"), Ref("dach", "9")], 2)
    steps = {ref.local_id: [event.after.stage for event in events if event.after is not None] for ref, events in found.items()}
    assert steps == {"7": ["s3", "s4"], "8": ["s3", "s4"], "9": []}


async def test_how_far_watching_has_come_outlives_the_process(store: ChangeStore, tmp_path: Path) -> None:
    watch = Watch(polled_to=NOON, swept_at=datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC))
    await store.keep_watch("dach", watch)
    store.close()
    again = ChangeStore(tmp_path)
    assert (again.watch("dach"), again.watch("nordic")) == (watch, Watch())
    again.close()


def test_a_log_that_cannot_be_read_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "changes.sqlite3").write_bytes(b"this is no database" * 100)
    with pytest.raises(ConfigError, match=r"changes\.sqlite3 cannot be used"):
        ChangeStore(tmp_path)


def test_a_log_of_a_newer_server_is_left_alone(store: ChangeStore, tmp_path: Path) -> None:
    writer(store).execute("pragma user_version = 9")
    store.close()
    with pytest.raises(ConfigError, match="newer version"):
        ChangeStore(tmp_path)
