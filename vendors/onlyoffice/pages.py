"""Pages of a list that the portal only offers by offset, sorted by id, while rows come and go.

A place names the row before it twice: by its offset, to ask there, and by its id, to see whether the rows have moved since. Ids ascend, so
that whatever has a higher id is behind the place.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from vendors.onlyoffice import wire
from vendors.paging import LoopGuard
from vendors.wire import Decoded

T = TypeVar("T")

# Source: Community Server, web.autofac.config (maxPage): `count` is cut to 1,000.
MAX_ROWS: Final = 1_000
_MAX_SIZE: Final = MAX_ROWS - 2


@dataclass(frozen=True, slots=True)
class Place:
    """Right behind the row with that id; `offset` rows were before the place, that row included."""

    offset: int = 0
    last_id: int = 0

    @classmethod
    def of(cls, position: str | None) -> "Place":
        if position is None:
            return cls()
        offset, _, last_id = position.partition("~")
        return cls(int(offset), int(last_id))

    def __str__(self) -> str:
        return f"{self.offset}~{self.last_id}"


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """A row and the place behind it; `row` is None when it could not be read."""

    row: T | None
    place: Place


@dataclass(frozen=True, slots=True)
class Window(Generic[T]):
    """Rows from an offset on, by id. `lost` counts those that have not even a readable id."""

    entries: Sequence[Entry[T]]
    lost: int
    end: int
    has_more: bool

    def begins_by(self, row_id: int) -> bool:
        return bool(self.entries) and self.entries[0].place.last_id <= row_id


@dataclass(frozen=True, slots=True)
class Behind(Generic[T]):
    """The rows behind a place, no more than wanted, and whether the portal has further ones."""

    entries: Sequence[Entry[T]]
    has_more: bool
    lost: int


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
    )


async def rows_behind(place: Place, size: int, read: Callable[[int, int], Awaitable[Window[T]]], guard: LoopGuard) -> Behind[T]:
    """Read the rows behind a place: one call, unless rows before it have gone.

    Args:
        place: Where to go on.
        size: Number of rows wanted.
        read: Reads the window at an offset, of that many rows.
        guard: Stops a walk that does not end.
    """
    size = min(size, _MAX_SIZE)
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
    return Behind(kept, len(found) > len(kept), lost)


def _behind(window: Window[T], last_id: int) -> Mapping[int, Entry[T]]:
    return {entry.place.last_id: entry for entry in window.entries if entry.place.last_id > last_id}


def _id_of(row: Mapping[str, Any]) -> int | None:
    value = row.get("id")
    return value if isinstance(value, int) else None
