"""The log of changes, what is known of every opportunity, and the hints that have yet to be followed, in SQLite.

What is written is on the disk before anything is told of it. One thread writes and one reads, so that a long replay holds nobody up.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import uuid4

import orjson

from resolvers.changes import ChangeEvent, ChangeKind, ChangeSource
from server.changes.snapshot import Snapshot, packed_entry, packed_place, unpacked_entry, unpacked_place
from server.store import make_private
from vendors.errors import ConfigError
from vendors.model import Ref

T = TypeVar("T")

_FILE: Final = "changes.sqlite3"
_VERSION: Final = 1
_BUSY_SECONDS: Final = 5.0
_SCHEMA: Final = """
create table if not exists events (
    sequence integer primary key autoincrement,
    event_id text not null unique,
    crm text not null,
    local_id text not null,
    kind text not null,
    is_move integer not null,
    source text not null,
    detected_at real not null,
    changed_at text,
    changed_by text,
    before blob,
    after blob
);
create index if not exists moves_of on events (crm, local_id, sequence) where is_move;
create index if not exists events_by_age on events (detected_at);
create index if not exists events_of_crm on events (crm, detected_at);
create table if not exists snapshots (
    crm text not null,
    local_id text not null,
    version integer not null,
    deleted_at real,
    entry blob not null,
    primary key (crm, local_id)
) without rowid;
create table if not exists hints (
    number integer primary key autoincrement,
    crm text not null,
    local_id text not null,
    source text not null,
    unique (crm, local_id) on conflict replace
);
create table if not exists deliveries (
    crm text not null,
    key text not null,
    received_at real not null,
    primary key (crm, key)
) without rowid;
create table if not exists runs (
    name text primary key,
    number integer not null unique,
    begun_after integer not null
) without rowid;
create table if not exists watches (crm text primary key, state blob not null) without rowid;
create table if not exists facts (name text primary key, value text not null) without rowid;
"""
_EVENT: Final = "sequence, event_id, crm, local_id, kind, source, detected_at, changed_at, changed_by, before, after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How far watching a Crm has come.

    Args:
        polled_to: Up to which moment, by the vendor's clock, all changes have been asked for.
        polled_at: When that was, by ours.
        complete_since: When all its opportunities had been read for the first time.
        swept_at: When the last reading of all of them ended.
        doubtful_before: When that was the case for the first time, as long as there were always some that could not be read.
    """

    polled_to: datetime | None = None
    polled_at: datetime | None = None
    complete_since: datetime | None = None
    swept_at: datetime | None = None
    doubtful_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """An opportunity that something may have happened to. A later hint of the same one has a higher number."""

    number: int
    local_id: str
    source: ChangeSource


@dataclass(frozen=True, slots=True)
class Change:
    """What a reading has changed: what is known from now on, and the event it makes; none for a first sight."""

    ref: Ref
    snapshot: Snapshot
    event: ChangeEvent | None


class ChangeStore:
    """Opens the database; every method that waits does so for the disk.

    Each time it is opened is a run with a name of its own. A cursor names the run that made it, and is good up to where that run came: when
    the database is an older copy, what later runs had told is not in it, and their cursors are refused.

    Args:
        store: The directory of the database.

    Raises:
        ConfigError: It cannot be opened.
    """

    def __init__(self, store: Path) -> None:
        self._file = store / _FILE
        make_private(self._file)
        self._writer, self._reader = ThreadPoolExecutor(1, "changes-write"), ThreadPoolExecutor(1, "changes-read")
        try:
            self._writing, self._reading = self._connection(), self._connection()
            self._writing.executescript(_SCHEMA)
            self._check_version()
            self._begin_run()
        except sqlite3.Error as error:
            raise ConfigError(
                f"server.store_dir: {self._file} cannot be used ({error}); make room on the disk, or end what holds it. If it is damaged,"
                " move it away: what has happened so far, and all cursors, are lost with it"
            ) from None

    def _begin_run(self) -> None:
        """Note where this run begins, and thereby where the one before it came to."""
        self.oldest = int(self._fact("oldest", "0"))
        self.head = self._one("select coalesce(max(seq), 0) from sqlite_sequence where name = 'events'")
        self._run = uuid4().hex
        self._writing.execute(
            "insert into runs (name, number, begun_after) select ?, coalesce(max(number), 0) + 1, ? from runs", (self._run, self.head)
        )
        begun = self._writing.execute("select name, begun_after from runs order by number").fetchall()
        self._came_to = {name: after for (name, _), (_, after) in pairwise(begun)}

    def run_of(self, position: int) -> str:
        """The run that came to a position."""
        return next((name for name, came_to in self._came_to.items() if position <= came_to), self._run)

    def holds(self, run: str, position: int) -> bool:
        """Whether a run came to a position, and what follows it is still there."""
        return self.oldest <= position <= (self.head if run == self._run else self._came_to.get(run, -1))

    def snapshots(self, crm: str) -> dict[str, Snapshot]:
        """All that is known of a Crm's opportunities; called before the server runs."""
        shared: dict[str, str] = {}
        rows = self._writing.execute("select local_id, version, deleted_at, entry from snapshots where crm = ?", (crm,))
        return {
            local_id: Snapshot(unpacked_entry(local_id, entry, shared), version, deleted_at is not None)
            for local_id, version, deleted_at, entry in rows
        }

    def watch(self, crm: str) -> Watch:
        """How far watching a Crm has come; called before the server runs."""
        row = self._writing.execute("select state from watches where crm = ?", (crm,)).fetchone()
        state: dict[str, str | None] = {} if row is None else orjson.loads(row[0])
        return Watch(**{name: None if value is None else datetime.fromisoformat(value) for name, value in state.items()})

    async def append(self, changes: Sequence[Change], *, crm: str, followed: Iterable[Hint] = ()) -> Sequence[ChangeEvent]:
        """Keep what readings have changed, and give the events with their places in the log; the hints that led there are then done.

        Raises:
            sqlite3.Error: It could not be written; nothing was.
        """
        return await self._write(lambda: self._append(changes, crm, followed))

    async def add_hints(self, crm: str, local_ids: Iterable[str], source: ChangeSource, *, delivery: str | None, now: float) -> bool:
        """Keep hints until they are followed; tell whether the delivery that they come from is new.

        Raises:
            sqlite3.Error: They could not be written.
        """
        return await self._write(lambda: self._add_hints(crm, local_ids, source, delivery, now))

    async def hints(self, crm: str, most: int) -> Sequence[Hint]:
        """The hints that have yet to be followed, the oldest first."""
        rows = await self._read(
            lambda: self._reading.execute(
                "select number, local_id, source from hints where crm = ? order by number limit ?", (crm, most)
            ).fetchall()
        )
        return [Hint(number, local_id, ChangeSource(source)) for number, local_id, source in rows]

    async def count_hints(self, crm: str) -> int:
        return await self._read(lambda: int(self._reading.execute("select count(*) from hints where crm = ?", (crm,)).fetchone()[0]))

    async def put_off(self, hints: Iterable[Hint]) -> None:
        """Put hints that could not be followed behind all others."""

        def work() -> None:
            for hint in hints:
                self._writing.execute(
                    "insert into hints (crm, local_id, source) select crm, local_id, source from hints where number = ?", (hint.number,)
                )

        await self._write(work)

    async def keep_watch(self, crm: str, watch: Watch) -> None:
        """Keep how far watching a Crm has come."""
        state = {name: None if moment is None else moment.isoformat() for name, moment in asdict(watch).items()}
        await self._write(
            lambda: self._writing.execute("insert or replace into watches (crm, state) values (?, ?)", (crm, orjson.dumps(state)))
        )

    async def read(self, after: int, most: int, *, crms: Sequence[str], only_moves: bool) -> Sequence[ChangeEvent]:
        """At most that many events of these Crms behind a position, in the order of the log."""
        names = ", ".join("?" for _ in crms)
        moves = " and is_move" if only_moves else ""
        query = f"select {_EVENT} from events where sequence > ? and crm in ({names}){moves} order by sequence limit ?"  # noqa: S608
        rows = await self._read(lambda: self._reading.execute(query, (after, *crms, most)).fetchall())
        return [self._event(row) for row in rows]

    async def moves_of(self, refs: Sequence[Ref], last: int) -> dict[Ref, Sequence[ChangeEvent]]:
        """The last moves of opportunities, oldest first."""
        query = f"select {_EVENT} from events where crm = ? and local_id = ? and is_move order by sequence desc limit ?"  # noqa: S608

        def work() -> dict[Ref, Sequence[ChangeEvent]]:
            return {
                ref: [self._event(row) for row in reversed(self._reading.execute(query, (ref.crm, ref.local_id, last)).fetchall())]
                for ref in refs
            }

        return await self._read(work)

    async def oldest_at(self, crm: str) -> datetime | None:
        """When the oldest event of a Crm that is kept was seen."""
        found = await self._read(lambda: self._reading.execute("select min(detected_at) from events where crm = ?", (crm,)).fetchone()[0])
        return None if found is None else datetime.fromtimestamp(found, UTC)

    async def drop_before(self, moment: float, *, deliveries_before: float) -> None:
        """Drop the events, and what is known of deleted opportunities, that are older than a moment, and older marks of deliveries."""

        def work() -> int:
            with self._transaction():
                newest = self._writing.execute("select max(sequence) from events where detected_at < ?", (moment,)).fetchone()[0]
                if newest is not None:
                    self._writing.execute("delete from events where sequence <= ?", (newest,))
                    self._writing.execute("insert or replace into facts values ('oldest', ?)", (str(newest),))
                    self._writing.execute("delete from runs where number < (select max(number) from runs where begun_after < ?)", (newest,))
                self._writing.execute("delete from snapshots where deleted_at < ?", (moment,))
                self._writing.execute("delete from deliveries where received_at < ?", (deliveries_before,))
            return self.oldest if newest is None else newest

        self.oldest = await self._write(work)

    def close(self) -> None:
        """Wait for what is being written, and close."""
        for executor in (self._writer, self._reader):
            executor.shutdown()
        for connection in (self._writing, self._reading):
            connection.close()

    def _connection(self) -> sqlite3.Connection:
        # Each is used by one thread at a time: by the one that opens it, then by its executor's.
        connection = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        return connection

    def _check_version(self) -> None:
        found = self._one("pragma user_version")
        if found not in {0, _VERSION}:
            raise ConfigError(
                f"server.store_dir: {self._file} was written by a newer version of this server (form {found}, this one knows {_VERSION})"
            )
        self._writing.execute(f"pragma user_version = {_VERSION}")

    def _fact(self, name: str, value: str) -> str:
        self._writing.execute("insert or ignore into facts values (?, ?)", (name, value))
        return str(self._writing.execute("select value from facts where name = ?", (name,)).fetchone()[0])

    def _one(self, query: str, *values: object) -> int:
        return int(self._writing.execute(query, values).fetchone()[0])

    @contextmanager
    def _transaction(self) -> Generator[None, None, None]:
        """All of it is written, or nothing."""
        self._writing.execute("begin immediate")
        try:
            yield
            self._writing.execute("commit")
        except BaseException:
            if self._writing.in_transaction:  # a full disk has ended it already
                self._writing.execute("rollback")
            raise

    def _append(self, changes: Sequence[Change], crm: str, followed: Iterable[Hint]) -> Sequence[ChangeEvent]:
        made: list[ChangeEvent] = []
        with self._transaction():
            for change in changes:
                if change.event is not None:
                    made.append(self._inserted(change.event))
                deleted_at = made[-1].detected_at.timestamp() if change.snapshot.is_deleted else None
                values = crm, change.ref.local_id, change.snapshot.version, deleted_at, packed_entry(change.snapshot.entry)
                self._writing.execute("insert or replace into snapshots values (?, ?, ?, ?, ?)", values)
            self._writing.executemany("delete from hints where number = ?", [(hint.number,) for hint in followed])
        if made:
            self.head = made[-1].sequence
        return made

    def _inserted(self, event: ChangeEvent) -> ChangeEvent:
        """Append an event, and give it with its place."""
        values = (
            event.event_id,
            event.ref.crm,
            event.ref.local_id,
            event.kind.value,
            event.is_move,
            event.source.value,
            event.detected_at.timestamp(),
            None if event.changed_at is None else event.changed_at.isoformat(),
            None if event.changed_by_ref is None else event.changed_by_ref.local_id,
            orjson.dumps(packed_place(event.before)),
            orjson.dumps(packed_place(event.after)),
        )
        row = self._writing.execute(
            "insert into events (event_id, crm, local_id, kind, is_move, source, detected_at, changed_at, changed_by, before, after)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        assert row.lastrowid is not None, "a row was inserted"
        return replace(event, sequence=row.lastrowid)

    def _add_hints(self, crm: str, local_ids: Iterable[str], source: ChangeSource, delivery: str | None, now: float) -> bool:
        with self._transaction():
            if delivery is not None:
                noted = self._writing.execute("insert or ignore into deliveries values (?, ?, ?)", (crm, delivery, now))
                if not noted.rowcount:
                    return False
            rows = [(crm, local_id, source.value) for local_id in local_ids]
            self._writing.executemany("insert into hints (crm, local_id, source) values (?, ?, ?)", rows)
        return True

    def _event(self, row: tuple[Any, ...]) -> ChangeEvent:
        sequence, event_id, crm, local_id, kind, source, detected_at, changed_at, changed_by, before, after = row
        return ChangeEvent(
            sequence=sequence,
            event_id=event_id,
            kind=ChangeKind(kind),
            ref=Ref(crm, local_id),
            before=unpacked_place(orjson.loads(before)),
            after=unpacked_place(orjson.loads(after)),
            source=ChangeSource(source),
            detected_at=datetime.fromtimestamp(detected_at, UTC),
            changed_at=None if changed_at is None else datetime.fromisoformat(changed_at),
            changed_by_ref=None if changed_by is None else Ref(crm, changed_by),
        )

    async def _write(self, work: Callable[[], T]) -> T:
        # To its end, also when the caller is cancelled: what is half known of would be lost.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._writer, work))

    async def _read(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, work)
