"""Pages of a list that the portal only offers by offset, sorted by id, while rows come and go.

A place names the row before it twice: by its offset, to ask there, and by its id, to see whether the rows have moved since. Ids ascend, so
that whatever has a higher id is behind the place. Several lists can be read as one, each row once: there is no "or" in the portal's filter.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from vendors.onlyoffice import wire
from vendors.paging import LoopGuard
from vendors.wire import Decoded

T = TypeVar("T")

# Source: Community Server, web.autofac.config (maxPage): `count` is cut to 1,000.
MAX_ROWS: Final = 1_000
MAX_SIZE: Final = MAX_ROWS - 2
"""Rows of a page that one call gives: the row before it and one behind it are asked for too."""


@dataclass(frozen=True, slots=True)
class Place:
    """Right behind the row with that id; `offset` rows were before the place, that row included.

    `lists` names the lists that are read as one, with the offset in each; it is empty for a list of its own.
    """

    offset: int = 0
    last_id: int = 0
    lists: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, position: str | None) -> "Place":
        if position is None:
            return cls()
        offset, last_id, *lists = position.split("~")
        named = [text.partition(":") for text in lists]
        return cls(int(offset), int(last_id), tuple((name, int(at)) for name, _, at in named))

    def __str__(self) -> str:
        return "~".join([f"{self.offset}~{self.last_id}", *(f"{name}:{offset}" for name, offset in self.lists)])


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """A row and the place behind it; `row` is None when it could not be read."""

    row: T | None
    place: Place


@dataclass(frozen=True, slots=True)
class Window(Generic[T]):
    """Rows from an offset on, by id. `lost` counts those that have not even a readable id, `total` all rows of the list."""

    entries: Sequence[Entry[T]]
    lost: int
    end: int
    has_more: bool
    total: int | None = None

    def begins_by(self, row_id: int) -> bool:
        return bool(self.entries) and self.entries[0].place.last_id <= row_id


@dataclass(frozen=True, slots=True)
class Behind(Generic[T]):
    """The rows behind a place, no more than wanted, and whether the portal has further ones. `total` is the portal's count of the list."""

    entries: Sequence[Entry[T]]
    has_more: bool
    lost: int
    total: int | None = None


Read = Callable[[int, int], Awaitable[Window[T]]]
"""Reads the window at an offset, of that many rows."""


def window_of(decoded: Decoded[wire.Envelope[list[Any]]], start: int, asked: int) -> Window[Any]:
    """Put an answer in order. A full window may have rows behind it; one that the portal cut says so by its `nextIndex`."""
    found = {int(row.id): row for row in decoded.value.response}
    unread = [row_id for row_id in map(_id_of, decoded.dropped) if row_id is not None and row_id not in found]
    in_order = sorted([*found, *unread])
    received = len(decoded.value.response) + len(decoded.dropped)
    return Window(
        [Entry(found.get(row_id), Place(start + index, row_id)) for index, row_id in enumerate(in_order, 1)],
        received - len(in_order),
        start + received,
        received > 0 and (received >= asked or decoded.value.nextIndex is not None),
        # Source: Community Server, CRMApi.Deals GetDeals: of rows behind the end, it is where they were looked for.
        decoded.value.total if received or start == 0 else None,
    )


async def rows_behind(place: Place, size: int, read: Read[T], guard: LoopGuard) -> Behind[T]:
    """Read the rows behind a place: one call, unless rows before it have gone.

    Args:
        place: Where to go on.
        size: Number of rows wanted.
        read: Reads the list.
        guard: Stops a walk that does not end.
    """
    size = min(size, MAX_SIZE)
    at, step = max(0, place.offset - 1), size + 1
    while True:
        guard.step(at)
        window = await read(at, min(place.offset - at + size + 1, MAX_ROWS))
        if at == 0 or window.begins_by(place.last_id):
            break
        at, step = max(0, at - step), step * 2
    found, lost = _behind(window, place.last_id), window.lost
    while window.has_more and len(found) + lost <= size:
        guard.step(window.end)
        window = await read(window.end, size + 1)
        found, lost = {**found, **_behind(window, place.last_id)}, lost + window.lost
    kept = list(found.values())[: max(1, size - lost)]
    return Behind(kept, len(found) > len(kept), lost, window.total)


async def rows_of_all_behind(place: Place, size: int, read_of: Callable[[str], Read[T]], guard_of: Callable[[], LoopGuard]) -> Behind[T]:
    """Read the rows that are behind a place in any of its lists, each row once: a call for each list, at the same time.

    Args:
        place: Where to go on, with its lists.
        size: Number of rows wanted.
        read_of: Gives what reads a list, by its name.
        guard_of: Makes what stops a walk that does not end.
    """
    places = [Place(offset, place.last_id) for _, offset in place.lists]
    reads = [read_of(name) for name, _ in place.lists]
    parts = await asyncio.gather(*(rows_behind(at, size, read, guard_of()) for at, read in zip(places, reads, strict=True)))
    found = {entry.place.last_id: entry for part in parts for entry in part.entries}
    # Behind the last row of a list that goes on there may be rows before those of the other lists.
    known = min((part.entries[-1].place.last_id for part in parts if part.has_more), default=None)
    in_order = [row_id for row_id in sorted(found) if known is None or row_id <= known][:size]
    offsets, entries = [offset for _, offset in place.lists], [list(part.entries)[::-1] for part in parts]
    kept: list[Entry[T]] = []
    for row_id in in_order:
        for index, ahead in enumerate(entries):
            while ahead and ahead[-1].place.last_id <= row_id:
                offsets[index] = ahead.pop().place.offset
        lists = tuple((name, offset) for (name, _), offset in zip(place.lists, offsets, strict=True))
        kept.append(replace(found[row_id], place=Place(0, row_id, lists)))
    return Behind(kept, len(kept) < len(found) or any(part.has_more for part in parts), sum(part.lost for part in parts))


async def entries_of(ids: Iterable[int], read: Read[T], guard: LoopGuard) -> list[Entry[T]]:
    """Look rows up by id: one call in a list of up to MAX_ROWS, and halving what is left of a longer one.

    Args:
        ids: Ids of the rows; those that are not in the list are left out, unless they may be rows that could not be read.
        read: Reads the list.
        guard: Stops a walk that does not end.
    """
    found: list[Entry[T]] = []
    doubtful: set[int] = set()
    searches = [_Search(sorted(set(ids)))]
    while searches:
        search = searches.pop()
        at = search.at
        guard.step(at)
        window = await read(at, MAX_ROWS)
        in_window = {entry.place.last_id: entry for entry in window.entries}
        first, last = min(in_window, default=sys.maxsize), max(in_window, default=0)
        found += [in_window[row_id] for row_id in search.ids if row_id in in_window]
        doubtful.update(search.ids if window.lost else ())
        before = _Search([row_id for row_id in search.ids if row_id < first], search.low, at)
        jump = 0 if at == 0 else search.jump * 2 or MAX_ROWS
        behind = _Search([row_id for row_id in search.ids if row_id > last], window.end, search.high, jump)
        searches += [before] if before.is_open else []
        # Source: Community Server, DealDao: the kept count is forgotten when an opportunity is made or deleted.
        searches += [behind] if window.has_more and window.total != window.end and behind.is_open else []
    unread = doubtful - {entry.place.last_id for entry in found}
    return [*found, *(Entry(None, Place(0, row_id)) for row_id in sorted(unread))]


@dataclass(frozen=True, slots=True)
class _Search:
    """Ids that may be at offsets from `low` on, and before `high` where that is known; else it is looked for in jumps."""

    ids: Sequence[int]
    low: int = 0
    high: int | None = None
    jump: int = 0

    @property
    def is_open(self) -> bool:
        return bool(self.ids) and (self.high is None or self.low < self.high)

    @property
    def at(self) -> int:
        if self.high is None:
            return self.low + self.jump
        return self.low + max(0, self.high - self.low - MAX_ROWS) // 2


def _behind(window: Window[T], last_id: int) -> Mapping[int, Entry[T]]:
    return {entry.place.last_id: entry for entry in window.entries if entry.place.last_id > last_id}


def _id_of(row: Mapping[str, Any]) -> int | None:
    value = row.get("id")
    return value if isinstance(value, int) else None
