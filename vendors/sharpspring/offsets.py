"""Reading on at a place in a list that the vendor counts by rows, although rows may come and go meanwhile."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from vendors.paging import LoopGuard
from vendors.sharpspring.rpc import Answer

T = TypeVar("T")

_LOOK_BACK: Final = 50
_STRIDE: Final = 500


@dataclass(frozen=True, slots=True)
class Place:
    """The place behind a row: how many rows are before it, and the id of the last one where that could be read."""

    offset: int = 0
    last_id: str = ""

    def __str__(self) -> str:
        return f"{self.offset}~{self.last_id}"


START: Final = Place()


@dataclass(frozen=True, slots=True)
class Window(Generic[T]):
    """Rows from a place on; `offset` is that of the first one now."""

    rows: Sequence[T | None]
    offset: int
    has_more: bool


class Offsets(Generic[T]):
    """Reads on at places of a list.

    Where a place has a row before it, that row is read again: if it is still there, nothing has moved. Otherwise rows were added or
    removed before it, and the place is looked for among the rows around.

    Args:
        read: Reads a page at an offset, of at most so many rows.
        id_of: The id of a row.
        crm: Key of the Crm, for errors.
        operation: What reads, for errors.
    """

    def __init__(self, read: Callable[[int, int], Awaitable[Answer[T]]], id_of: Callable[[T], str], *, crm: str, operation: str) -> None:
        self._read = read
        self._id_of = id_of
        self._crm = crm
        self._operation = operation

    async def behind(self, place: Place, count: int) -> Window[T]:
        """Read that many rows behind a place, and one more if there is one."""
        if not place.last_id:
            answer = await self._read(place.offset, count + 1)
            return Window(answer.rows, place.offset, answer.has_more)
        answer = await self._read(place.offset - 1, count + 2)
        first = answer.rows[0] if answer.rows else None
        if answer.rows and (first is None or self._id_of(first) == place.last_id):
            return Window(answer.rows[1:], place.offset, answer.has_more)
        return await self._moved(place, count)

    async def _moved(self, place: Place, count: int) -> Window[T]:
        """Look for a place that is no longer where it was: a little before it, then on towards where it must be."""
        guard = LoopGuard(crm=self._crm, operation=self._operation)
        start, limit, is_going_on = max(0, place.offset - _LOOK_BACK), _LOOK_BACK + count + 1, False
        while True:
            answer = await self._read(start, limit)
            index = self._index_behind(answer.rows, place.last_id)
            if index == 0 and start > 0 and not is_going_on:
                start = max(0, start - _STRIDE)
            elif index == len(answer.rows) and answer.has_more:
                guard.step(start)
                start, is_going_on = start + index, True
            else:
                return Window(answer.rows[index:], start + index, answer.has_more)
            limit = _STRIDE

    def _index_behind(self, rows: Sequence[T | None], last_id: str) -> int:
        ids = [(index, self._id_of(row)) for index, row in enumerate(rows) if row is not None]
        for index, row_id in ids:
            if row_id == last_id:
                return index + 1
        # The row itself is gone. Not documented how rows are ordered; seen by ascending id, so the direction is taken from the rows.
        numbers = [(index, int(row_id)) for index, row_id in ids]
        descends = len(numbers) > 1 and numbers[0][1] > numbers[-1][1]
        last = int(last_id)
        return next((index for index, number in numbers if (number < last if descends else number > last)), len(rows))


def place_from(position: str | None) -> Place:
    """Read the text of a place."""
    if position is None:
        return START
    offset, _, last_id = position.partition("~")
    return Place(int(offset), last_id)
