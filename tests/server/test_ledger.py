"""The ledger of writes."""

import sqlite3
from pathlib import Path

import pytest

from resolvers.writing.ledger import EntryState
from server.ledger import SqliteLedger
from vendors.errors import ConfigError

NOW = 1_800_000_000.0


def ledger(store: Path, process: str = "one", *, now: float = NOW) -> SqliteLedger:
    return SqliteLedger(store, process=process, days=30, now=lambda: now)


async def test_a_key_begins_once(tmp_path: Path) -> None:
    one = ledger(tmp_path)

    assert await one.begin("k", "digest") is None
    entry = await one.begin("k", "digest")

    assert entry is not None
    assert (entry.state, entry.digest, entry.started_at, entry.result) == (EntryState.STARTED, "digest", NOW, None)


async def test_what_was_done_is_told_by_the_next_process(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    await one.begin("k", "digest")
    await one.done("k", {"id": "7", "problems": []})
    one.close()

    entry = await ledger(tmp_path, "two").begin("k", "digest")

    assert entry is not None
    assert (entry.state, entry.result) == (EntryState.DONE, {"id": "7", "problems": []})


async def test_what_another_process_has_begun_and_not_ended_is_unknown(tmp_path: Path) -> None:
    await ledger(tmp_path).begin("k", "digest")

    entry = await ledger(tmp_path, "two").begin("k", "digest")

    assert entry is not None
    assert entry.state is EntryState.UNKNOWN


async def test_an_unknown_write_is_made_again_once(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    await one.begin("k", "digest")
    await one.unknown("k")

    assert await one.begin_again("k", "digest")
    assert not await one.begin_again("k", "digest")


async def test_a_write_that_is_made_again_has_begun_when_it_did_so_first_and_keeps_its_mark(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    await one.begin("k", "digest", "cf_mark")
    await one.unknown("k")
    one.close()

    two = ledger(tmp_path, "two", now=NOW + 600)
    assert await two.begin_again("k", "digest")
    entry = await two.begin("k", "digest")
    assert entry is not None
    assert (entry.started_at, entry.mark) == (NOW, "cf_mark")
    await two.unknown("k")
    assert await two.begin_again("k", "digest", "cf_other")
    entry = await two.begin("k", "digest")

    assert entry is not None
    assert (entry.started_at, entry.mark) == (NOW, "cf_other")


async def test_what_was_open_for_long_is_kept_from_when_it_was_settled(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    await one.begin("k", "digest")
    await one.unknown("k")
    one.close()
    two = ledger(tmp_path, "two", now=NOW + 60 * 86_400)
    await two.done("k", {"id": "7", "problems": []})
    two.close()

    entry = await ledger(tmp_path, "three", now=NOW + 61 * 86_400).begin("k", "digest")

    assert entry is not None
    assert entry.state is EntryState.DONE


async def test_a_ledger_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as old:
        old.execute(
            "create table writes (key text primary key, digest text not null, state text not null, process text not null,"
            " started_at real not null, result blob) without rowid"
        )
        old.execute("insert into writes values ('open', 'digest', 'unknown', 'zero', ?, null)", (NOW,))
        old.execute("insert into writes values ('old', 'digest', 'done', 'zero', ?, '{}')", (NOW - 31 * 86_400,))
    old.close()

    for process in ("one", "two"):
        later = ledger(tmp_path, process)
        entry = await later.begin("open", "digest")
        assert entry is not None
        assert (entry.state, entry.started_at, entry.mark) == (EntryState.UNKNOWN, NOW, None)
        later.close()
    assert await ledger(tmp_path, "three").begin("old", "digest", "cf_mark") is None


async def test_a_write_that_is_under_way_or_done_is_not_made_again(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    await one.begin("k", "digest")

    assert not await one.begin_again("k", "digest")
    await one.done("k", {"id": "7", "problems": []})
    assert not await one.begin_again("k", "digest")
    assert not await ledger(tmp_path, "two").begin_again("k", "digest")


async def test_what_has_not_happened_frees_its_key(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    await one.begin("k", "digest")
    await one.withdrawn("k")

    assert await one.begin("k", "another digest") is None


async def test_old_results_are_forgotten_and_open_questions_are_not(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    await one.begin("done", "digest")
    await one.done("done", {"id": "7", "problems": []})
    await one.begin("open", "digest")
    await one.unknown("open")
    one.close()

    later = ledger(tmp_path, "two", now=NOW + 31 * 86_400)
    assert await later.begin("done", "digest") is None
    entry = await later.begin("open", "digest")

    assert entry is not None
    assert entry.state is EntryState.UNKNOWN


async def test_a_file_that_is_no_database_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"no database at all, but long enough to be looked at" * 40)

    with pytest.raises(ConfigError, match=r"server.store_dir: .*ledger.sqlite3 cannot be used"):
        ledger(tmp_path)


async def test_every_step_is_on_the_disk_when_it_is_told(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    await one.begin("k", "digest")

    with sqlite3.connect(tmp_path / "ledger.sqlite3") as other:
        assert other.execute("select state from writes").fetchall() == [("started",)]
        assert other.execute("pragma journal_mode").fetchone() == ("wal",)
