"""Places in a list whose vendor has cursors only between its pages: (cursor of the page's start, last record seen in it)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from vendors.pipeliner import wire
from vendors.wire import Decoded

R = TypeVar("R", bound=wire.Row)


class Place(NamedTuple):
    """Where a list goes on.

    Args:
        cursor: The vendor's cursor of the page's start; None for the first page.
        last_id: Id of the last record seen in the page; None when it is not begun.
        seen: Number of rows seen in the page, as a hint of how many to ask for again.
        value: What that record was ordered by, besides its id; None in the order of ids, and for a record that has no such value.
    """

    cursor: str | None = None
    last_id: str | None = None
    seen: int = 0
    value: str | None = None

    @classmethod
    def at(cls, position: str | None) -> "Place":
        return cls() if position is None else cls(*json.loads(position))

    @property
    def position(self) -> str:
        return json.dumps([*self], separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Spot(Generic[R]):
    """A record in a page: the index of its row, and what it is ordered by besides its id. Values sort as text."""

    record: R
    index: int
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Slice(Generic[R]):
    """Records of a page, each with the position right behind it, and how the list goes on."""

    rows: Sequence[tuple[R, str]]
    has_more: bool
    position: str | None
    dropped: int
    total: int | None = None


def cut(
    answer: Decoded[wire.Rows[Any]], spots: Sequence[Spot[R]], place: Place, size: int, *, descending: bool = False, repeats: bool = False
) -> Slice[R]:
    """Take the records behind a place out of the page that starts at its cursor.

    Args:
        answer: The page.
        spots: The records in it.
        place: Where to begin.
        size: Number of records to take.
        descending: Whether their values descend.
        repeats: Whether the next page may begin with the record that this one ends with.
    """
    following = wire.next_cursor(answer)
    begin = _behind(spots, place, descending=descending)
    taken = spots[begin : begin + size]
    at_end = begin + len(taken) == len(spots)
    places = [Place(place.cursor, spot.record.id, spot.index + 1, spot.value) for spot in taken]
    if at_end and following is not None:  # also when every record was seen before or left out: the list goes on there
        last_id = taken[-1].record.id if taken else place.last_id
        places[-1:] = [Place(following, last_id if repeats else None)]
    positions = [found.position for found in places]
    return Slice(
        rows=[(spot.record, position) for spot, position in zip(taken, positions, strict=False)],
        has_more=not at_end or following is not None,
        position=positions[-1] if positions else None,
        dropped=len(answer.dropped),
    )


def _behind(spots: Sequence[Spot[Any]], place: Place, *, descending: bool) -> int:
    """Index of the first record behind the one last seen; where that is gone or has moved, of the first that comes after its place.

    Source: the vendor's cursors hold the id alone in the default order, which so is ascending by id, and in any other the value before it.
    """
    if place.last_id is None:
        return 0
    marks = [(spot.record.id, spot.value) for spot in spots]
    last = (place.last_id, place.value)
    if last in marks:
        return marks.index(last) + 1
    return next((at for at, (row_id, value) in enumerate(marks) if _comes_after(row_id, value, *last, descending=descending)), len(marks))


def _comes_after(row_id: str, value: str | None, last_id: str, last_value: str | None, *, descending: bool) -> bool:
    if value == last_value:
        return row_id > last_id
    # Not documented: where rows without a value come; taken for the greatest.
    is_greater = value is None or (last_value is not None and value > last_value)
    return is_greater is not descending
