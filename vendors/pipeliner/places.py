"""Places in a list whose vendor has cursors only between its pages: (cursor of the page's start, id of the last row seen in it)."""

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
        last_id: Id of the last row seen in the page; None when it is not begun.
        seen: Number of rows seen in the page, as a hint of how many to ask for again.
    """

    cursor: str | None = None
    last_id: str | None = None
    seen: int = 0

    @classmethod
    def at(cls, position: str | None) -> "Place":
        return cls() if position is None else cls(*json.loads(position))

    @property
    def position(self) -> str:
        return json.dumps([*self], separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Slice(Generic[R]):
    """Rows of a page, each with the position right behind it, and how the list goes on."""

    rows: Sequence[tuple[R, str]]
    has_more: bool
    position: str | None
    dropped: int


def cut(answer: Decoded[wire.Rows[R]], place: Place, size: int) -> Slice[R]:
    """Take the rows behind a place out of the page that starts at its cursor."""
    rows = answer.value.data
    following = wire.next_cursor(answer)
    begin = _behind(rows, place.last_id)
    end = min(begin + size, len(rows))
    places = [Place(place.cursor, rows[at].id, at + 1) for at in range(begin, end)]
    if end == len(rows) and following is not None:
        places[-1:] = [Place(following)]  # also when every row was seen before or left out: the list goes on there
    positions = [found.position for found in places]
    return Slice(
        rows=list(zip(rows[begin:end], positions, strict=False)),
        has_more=end < len(rows) or following is not None,
        position=positions[-1] if positions else None,
        dropped=len(answer.dropped),
    )


def _behind(rows: Sequence[Any], last_id: str | None) -> int:
    """Index of the first row behind that one; where it is gone, of the first with a greater id.

    Source: the vendor's cursors hold the id alone in the default order, which so is ascending by id.
    """
    if last_id is None:
        return 0
    at = next((at for at, row in enumerate(rows) if row.id == last_id), None)
    return at + 1 if at is not None else next((at for at, row in enumerate(rows) if row.id > last_id), len(rows))
