"""What was read of a Crm, kept for operations that say how old it may be.

It holds records by kind and id, also that there is none, and pages of lists. Whoever keeps something says when reading it began and what
was asked of it: a record serves only who asks no more. A write, or a change that is noticed, drops what it may have touched; a reading that
was under way meanwhile is not kept, because it may have looked before. Errors are never kept.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from operator import itemgetter
from typing import Any, Final, NamedTuple, Protocol

from vendors.calls import Clock, Warned
from vendors.capabilities import Page

Wish = frozenset[tuple[str, str]] | None
"""What was asked of a record: attributes by the names of their classes; None for everything."""

_MOST_RECORDS: Final = 20_000
_MOST_WISHES: Final = 16
_LONGEST_ID: Final = 200  # characters; what is longer is no vendor's, and is not kept
_RECORD: Final = itemgetter(0)
_READ_AT: Final = itemgetter(1)
_LONGEST_QUESTION: Final = 1_000  # characters of what tells a page from others; pages of longer ones are not kept


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page of a list, and what was odd in it. `made` holds what its readers have made of it, so that they make it once."""

    page: Page[Any]
    read_at: float
    wish: Wish
    warnings: Sequence[Warned] = ()
    made: dict[str, Any] = field(default_factory=dict[str, Any])


Span = tuple[float, float]
"""When something was read, and the moment until which it serves whoever took it, in monotonic seconds of the cache."""


class Taken(NamedTuple):
    """What was kept of the records that were asked for.

    Args:
        records: The records, by id.
        age: How old the oldest of them is, in seconds.
        span: When that one was read, and from which moment on not all of them are given any more.
        warnings: What is odd in them.
    """

    records: Mapping[str, Any]
    age: float
    span: Span
    warnings: Sequence[Warned] = ()


class EntityCache(Protocol):
    """Keeps what was read of one Crm. It answers at once: one that is shared by several processes keeps near what it fetches from afar."""

    def now(self) -> float:
        """The moment, in monotonic seconds."""
        ...

    @property
    def revision(self) -> int:
        """Changes whenever something is dropped."""
        ...

    @property
    def version(self) -> int:
        """Changes whenever something is kept or dropped."""
        ...

    def span(self, read_at: float, *, max_age: float) -> Span:
        """That of what was read at that moment, for whom it may not be older than that."""
        ...

    def take(self, kind: str, ids: Sequence[str], *, wish: Wish, max_age: float) -> Taken:
        """Give what is kept of records and is not older than that, in the order of the ids."""
        ...

    def keep(
        self,
        kind: str,
        records: Mapping[str, Any],
        *,
        wish: Wish,
        read_at: float,
        revision: int,
        until: float = -inf,
        warnings: Sequence[Warned] = (),
    ) -> None:
        """Keep records, or that there are none, with what was odd when they were read, unless something was dropped since that revision."""
        ...

    def page(self, kind: str, key: Hashable, *, wish: Wish, max_age: float) -> KeptPage | None:
        """Give a page that is not older than that."""
        ...

    def keep_page(self, kind: str, key: Hashable, page: KeptPage, *, revision: int) -> None:
        """Keep a page, unless something was dropped since that revision."""
        ...

    def forget_page(self, kind: str, key: Hashable) -> None:
        """Let go of a page that nobody can show, whatever was asked of it, and of the records on it."""
        ...

    def drop(self, ids: Sequence[str]) -> None:
        """Drop the records of these ids, of whatever kind, and all pages, because something has changed."""
        ...


class MemoryCache:
    """Keeps things in memory, by what was asked of them.

    When there is too much, what was kept first goes first, of what has not been asked of the vendor for longest.

    Args:
        ttl_seconds: How long anything is kept, whatever age is allowed.
        clock: Monotonic seconds.
        most_records: Number of records, those on pages included.
    """

    def __init__(self, *, ttl_seconds: float, clock: Clock, most_records: int = _MOST_RECORDS) -> None:
        self.now = clock
        self._ttl_seconds = ttl_seconds
        self._most = most_records
        self._revision = self._version = 0
        self._shelves: dict[str, dict[Wish, _Shelf]] = {}
        self._fillings = 0

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def version(self) -> int:
        return self._version

    def span(self, read_at: float, *, max_age: float) -> Span:
        return read_at, read_at + min(max_age, self._ttl_seconds)

    def take(self, kind: str, ids: Sequence[str], *, wish: Wish, max_age: float) -> Taken:
        now, most = self.now(), min(max_age, self._ttl_seconds)
        earliest = now - most
        shelves = self._serving(kind, wish)
        get = shelves[0].records.get if len(shelves) == 1 else _youngest([shelf.records for shelf in shelves])
        found: list[Any] = list(map(get, ids))
        if all(found) and not any(shelf.warnings for shelf in shelves):  # as it mostly is
            oldest = min(map(_READ_AT, found), default=now)
            if oldest >= earliest:
                return Taken(dict(zip(ids, map(_RECORD, found), strict=True)), max(0.0, now - oldest), (oldest, oldest + most))
        kept = {local_id: of for local_id, of in zip(ids, found, strict=True) if of is not None}
        oldest = min(map(_READ_AT, kept.values()), default=now)
        if oldest < earliest:
            kept = {local_id: of for local_id, of in kept.items() if of[1] >= earliest or of[2] > now}
            oldest = min(map(_READ_AT, kept.values()), default=now)
        warnings = [warned for shelf in shelves if shelf.warnings for local_id in kept for warned in shelf.warnings.get(local_id, ())]
        until = min((max(read_at + most, serves_until) for _, read_at, serves_until in kept.values()), default=inf)
        return Taken(dict(zip(kept, map(_RECORD, kept.values()), strict=True)), max(0.0, now - oldest), (oldest, until), warnings)

    def keep(
        self,
        kind: str,
        records: Mapping[str, Any],
        *,
        wish: Wish,
        read_at: float,
        revision: int,
        until: float = -inf,
        warnings: Sequence[Warned] = (),
    ) -> None:
        if revision != self._revision or not records:
            return
        shelf = self._shelf(kind, wish)
        odd: defaultdict[str | None, list[Warned]] = defaultdict(list)
        for warned in warnings:
            odd[warned.local_id].append(warned)
        for local_id, record in records.items():
            if len(local_id) > _LONGEST_ID:
                continue
            kept = shelf.records.pop(local_id, None)
            if kept is not None and kept[1] > read_at:  # whoever began to read later has seen what is newer, whoever came first
                shelf.records[local_id] = kept
                continue
            shelf.records[local_id] = record, read_at, until
            shelf.warn_of(local_id, [*odd.get(None, ()), *odd.get(local_id, ())] if odd else ())
        self._make_room()

    def page(self, kind: str, key: Hashable, *, wish: Wish, max_age: float) -> KeptPage | None:
        earliest = self.now() - min(max_age, self._ttl_seconds)
        pages = [shelf.pages[key] for shelf in self._serving(kind, wish) if key in shelf.pages]
        youngest = max(pages, key=lambda page: page.read_at, default=None)
        return None if youngest is None or youngest.read_at < earliest else youngest

    def keep_page(self, kind: str, key: Hashable, page: KeptPage, *, revision: int) -> None:
        if revision != self._revision:
            return
        shelf = self._shelf(kind, page.wish)
        shelf.remove_page(key)
        if len(repr(key)) > _LONGEST_QUESTION:
            return
        shelf.pages[key] = page
        shelf.rows += _weight(page)
        self._make_room()

    def forget_page(self, kind: str, key: Hashable) -> None:
        self._version += 1
        shelves = self._shelves.get(kind, {}).values()
        ids = {row.record.local_id for shelf in shelves if key in shelf.pages for row in shelf.pages[key].page.rows}
        for shelf in shelves:
            shelf.remove_page(key)
            for local_id in ids:
                shelf.remove_record(local_id)

    def drop(self, ids: Sequence[str]) -> None:
        self._revision += 1
        self._version += 1
        for shelf in self._all_shelves():
            shelf.pages.clear()
            shelf.rows = 0
            for local_id in ids:
                shelf.remove_record(local_id)

    def _serving(self, kind: str, wish: Wish) -> "list[_Shelf]":
        """The shelves with what was read so that it serves a wish."""
        return [
            shelf
            for asked, shelf in self._shelves.get(kind, {}).items()
            if asked is wish or asked is None or (wish is not None and wish <= asked)
        ]

    def _shelf(self, kind: str, wish: Wish) -> "_Shelf":
        """The shelf for what is read with a wish, which is about to be filled."""
        self._version += 1
        shelves = self._shelves.setdefault(kind, {})
        shelf = shelves.get(wish)
        if shelf is None:
            if len(shelves) == _MOST_WISHES:
                del shelves[min(shelves, key=lambda asked: shelves[asked].filling)]
            shelf = shelves[wish] = _Shelf()
        self._fillings += 1
        shelf.filling = self._fillings
        return shelf

    def _all_shelves(self) -> "list[_Shelf]":
        return [shelf for shelves in self._shelves.values() for shelf in shelves.values()]

    def _make_room(self) -> None:
        surplus = sum(shelf.size for shelf in self._all_shelves()) - self._most
        while surplus > 0:
            filled = [shelf for shelf in self._all_shelves() if shelf.size]
            surplus -= min(filled, key=lambda shelf: shelf.filling).remove(surplus)


class _Shelf:
    """Holds what was read with the same wish: records, with when they were read and until when they serve anyhow, and pages.

    `filling` says which shelf was filled before which; `warnings` what was odd in records, by id.
    """

    __slots__ = ("filling", "pages", "records", "rows", "warnings")

    def __init__(self) -> None:
        self.filling = 0
        self.records: dict[str, tuple[Any, float, float]] = {}
        self.pages: dict[Hashable, KeptPage] = {}
        self.rows = 0
        self.warnings: dict[str, Sequence[Warned]] = {}

    @property
    def size(self) -> int:
        return len(self.records) + self.rows

    def remove(self, most: int) -> int:
        """Remove what was kept first, pages before records, until that is so much or all, and tell how much it was."""
        before = self.size
        while before - self.size < most and self.pages:
            self.remove_page(next(iter(self.pages)))
        while before - self.size < most and self.records:
            self.remove_record(next(iter(self.records)))
        return before - self.size

    def remove_record(self, local_id: str) -> None:
        self.records.pop(local_id, None)
        self.warnings.pop(local_id, None)

    def warn_of(self, local_id: str, warnings: Sequence[Warned]) -> None:
        """Keep what was odd in a record, in the place of what was odd before."""
        if warnings:
            self.warnings[local_id] = warnings
        else:
            self.warnings.pop(local_id, None)

    def remove_page(self, key: Hashable) -> None:
        page = self.pages.pop(key, None)
        if page is not None:
            self.rows -= _weight(page)


def _youngest(tables: Sequence[Mapping[str, tuple[Any, float, float]]]) -> Callable[[str], tuple[Any, float, float] | None]:
    """Finds what was read last of a record."""

    def get(local_id: str) -> tuple[Any, float, float] | None:
        return max((table[local_id] for table in tables if local_id in table), key=lambda kept: kept[1], default=None)

    return get


def _weight(page: KeptPage) -> int:
    return 1 + len(page.page.rows)
