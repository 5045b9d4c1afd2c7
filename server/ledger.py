"""The ledger of writes, in SQLite: every change is on the disk before it is acted on."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

import orjson

from resolvers.writing.ledger import Entry, EntryState, LedgerError
from server.store import make_private
from vendors.errors import ConfigError

T = TypeVar("T")

_FILE: Final = "ledger.sqlite3"
_SCHEMA: Final = """
create table if not exists writes (
    key text primary key,
    digest text not null,
    state text not null,
    process text not null,
    started_at real not null,
    result blob,
    mark text,
    changed_at real
) without rowid
"""
# Columns that files of earlier versions lack.
_ADDED: Final = {"mark": "text", "changed_at": "real"}
_FORGET: Final = "delete from writes where state = ? and coalesce(changed_at, started_at) < ?"
_END_UNKNOWN: Final = "update writes set state = ? where key = ? and state = ?"
_DONE: Final = "update writes set state = ?, process = ?, result = ?, changed_at = ? where key = ?"
_DAY_SECONDS: Final = 86_400.0


class SqliteLedger:
    """Entries by key, kept for a number of days; those that nobody knows the outcome of are kept until somebody says it.

    Args:
        store: The directory of the database; in memory when None.
        process: What tells this process from those before it; what another one has begun and not ended is UNKNOWN.
        days: How long entries are kept.
        now: Seconds since 1970.

    Raises:
        ConfigError: The database cannot be opened.
    """

    def __init__(self, store: Path | None, *, process: str, days: float, now: Callable[[], float] = time.time) -> None:
        self._process = process
        self._now = now
        self._lock = asyncio.Lock()
        self._turns: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        file = ":memory:" if store is None else store / _FILE
        try:
            if store is not None:
                make_private(store / _FILE)
            # Used by one thread at a time, see `_run`.
            self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=10)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            self._db.execute(_SCHEMA)
            present = {row[1] for row in self._db.execute("pragma table_info(writes)")}
            for column in _ADDED.keys() - present:
                self._db.execute(f"alter table writes add column {column} {_ADDED[column]}")
            self._db.execute(_FORGET, (EntryState.DONE, now() - days * _DAY_SECONDS))
        except sqlite3.Error as error:
            raise ConfigError(f"server.store_dir: {file} cannot be used ({error}); mend or remove it") from None

    def turn(self, of: Hashable) -> asyncio.Lock:
        return self._turns.setdefault(of, asyncio.Lock())

    async def begin(self, key: str, digest: str, mark: str | None = None) -> Entry | None:
        return await self._run(lambda: self._begin(key, digest, mark))

    async def begin_again(self, key: str, digest: str, mark: str | None = None) -> bool:
        return await self._run(lambda: self._begin_again(key, digest, mark))

    async def done(self, key: str, result: dict[str, Any]) -> None:
        new = (EntryState.DONE, self._process, orjson.dumps(result), self._now(), key)
        await self._run(lambda: self._db.execute(_DONE, new))

    async def unknown(self, key: str) -> None:
        await self._run(lambda: self._db.execute(_END_UNKNOWN, (EntryState.UNKNOWN, key, EntryState.STARTED)))

    async def withdrawn(self, key: str) -> None:
        await self._run(lambda: self._db.execute("delete from writes where key = ?", (key,)))

    def close(self) -> None:
        self._db.close()

    def _begin(self, key: str, digest: str, mark: str | None) -> Entry | None:
        new = (key, digest, EntryState.STARTED, self._process, self._now(), mark)
        made = self._db.execute(
            "insert or ignore into writes (key, digest, state, process, started_at, mark) values (?, ?, ?, ?, ?, ?)", new
        )
        if made.rowcount:
            return None
        row = self._db.execute("select digest, state, process, started_at, result, mark from writes where key = ?", (key,)).fetchone()
        state = EntryState(row[1])
        if state is EntryState.STARTED and row[2] != self._process:
            state = EntryState.UNKNOWN
        result = None if row[4] is None else orjson.loads(row[4])
        return Entry(digest=row[0], state=state, started_at=row[3], result=result, mark=row[5])

    def _begin_again(self, key: str, digest: str, mark: str | None) -> bool:
        changed = self._db.execute(
            "update writes set state = ?, process = ?, mark = coalesce(?, mark) where key = ? and digest = ?"
            " and (state = ? or (state = ? and process <> ?))",
            (EntryState.STARTED, self._process, mark, key, digest, EntryState.UNKNOWN, EntryState.STARTED, self._process),
        )
        return changed.rowcount == 1

    async def _run(self, work: Callable[[], T]) -> T:
        """Do it off the event loop, because it waits for the disk, in turn and to its end, also when the caller is cancelled."""

        async def in_turn() -> T:
            async with self._lock:
                try:
                    return await asyncio.to_thread(work)
                except sqlite3.Error as error:
                    raise LedgerError(f"the ledger of writes cannot be used: {error}") from error

        return await asyncio.shield(in_turn())
