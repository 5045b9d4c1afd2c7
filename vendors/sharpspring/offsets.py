"""Reading on at a place in a list that the vendor counts by rows, although rows may come and go meanwhile."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from vendors.paging import LoopGuard
from vendors.sharpspring.rpc import Answer


class HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=HasId)

_LOOK_BACK: Final = 50
_STRIDE: Final = 500
_DESCENDS: Final = "desc"


@dataclass(frozen=True, slots=True)
class Place:
    """The place behind a row.

    Args:
        offset: Number of rows before it.
        last_id: Id of the last one of them, where that could be read.
        descends: Whether ids were seen to go down.
    """

    offset: int = 0
    last_id: str = ""
    descends: bool = False

    def __str__(self) -> str:
        return f"{self.offset}~{self.last_id}" + (f"~{_DESCENDS}" if self.descends else "")


START: Final = Place()


@dataclass(frozen=True, slots=True)
class Window(Generic[T]):
    """Rows from a place on.

    Args:
        rows: Each with the place behind it; None for one that cannot be read.
        has_more: Whether there are rows behind them.
        end: The place behind them; None when nothing was looked at.
    """

    rows: Sequence[tuple[Place, T | None]]
    has_more: bool
    end: Place | None


class Offsets(Generic[T]):
    """Reads on at places of a list.

    Where a place has a row before it, that row is read again: if it is still there, nothing has moved. Otherwise rows were added or
    removed before it, and the place is looked for among the rows around.

    Args:
        read: Reads a page at an offset, of at most so many rows.
        page_size: Tells how many rows a page has at most, which may turn out to be less than before.
        crm: Key of the Crm, for errors.
        operation: What reads, for errors.
    """

    def __init__(self, read: Callable[[int, int], Awaitable[Answer[T]]], page_size: Callable[[], int], *, crm: str, operation: str) -> None:
        self._read = read
        self._page_size = page_size
        self._crm = crm
        self._operation = operation

    async def behind(self, place: Place, count: int) -> Window[T]:
        """Read so many rows behind a place, in as many calls as full pages of them would be.

        Where these overlap, a window of more than a page comes a few rows short.
        """
        window = await self._step(place, count)
        rows = list(window.rows)
        calls = 1
        while window.rows and window.has_more and len(rows) < count and calls * self._page_size() < count:
            window = await self._step(rows[-1][0], count - len(rows))
            rows += window.rows
            calls += 1
        end = rows[min(count, len(rows)) - 1][0] if rows else place if window.has_more else None
        return Window(rows[:count], len(rows) > count or window.has_more, end)

    async def _step(self, place: Place, count: int) -> Window[T]:
        """Read a page behind a place: that many rows, and one more if there is one, where a page can hold them."""
        if not place.last_id:
            answer = await self._read(place.offset, count + 1)
            return _window(answer, 0, place.offset, place)
        answer = await self._read(place.offset - 1, count + 2)
        first = answer.rows[0] if answer.rows else None
        if answer.rows and (first is None or first.id == place.last_id):
            return _window(answer, 1, place.offset, place)
        return await self._moved(place, count)

    async def _moved(self, place: Place, count: int) -> Window[T]:
        """Look for a place that is no longer where it was: a little before it, then on towards where it must be."""
        guard = LoopGuard(crm=self._crm, operation=self._operation)
        start, limit, is_going_on = max(0, place.offset - _LOOK_BACK), _LOOK_BACK + count + 1, False
        while True:
            answer = await self._read(start, limit)
            index = _index_behind(answer.rows, place)
            if index == 0 and start > 0 and not is_going_on:
                start = max(0, start - _STRIDE)
            elif index == len(answer.rows) and answer.has_more:
                guard.step(start)
                start, is_going_on = start + index, True
            else:
                return _window(answer, index, start + index, place)
            limit = _STRIDE


def place_from(position: str | None) -> Place:
    """Read the text of a place."""
    if position is None:
        return START
    offset, last_id, *more = position.split("~")
    return Place(int(offset), last_id, more == [_DESCENDS])


def _window(answer: Answer[T], skipped: int, offset: int, place: Place) -> Window[T]:
    """The rows of a page but for the first ones; `offset` is that of the first that is left."""
    descends = _descends(answer.rows, place)
    rows = [
        (Place(number, "" if row is None else row.id, descends), row) for number, row in enumerate(answer.rows[skipped:], start=offset + 1)
    ]
    return Window(rows, answer.has_more, rows[-1][0] if rows else None)


def _descends(rows: Sequence[HasId | None], place: Place) -> bool:
    # Not documented how rows are ordered; seen by ascending id, so the direction is taken from the rows, or from those seen earlier.
    numbers = [int(row.id) for row in rows if row is not None]
    return numbers[0] > numbers[-1] if len(numbers) > 1 else place.descends


def _index_behind(rows: Sequence[HasId | None], place: Place) -> int:
    ids = [(index, row.id) for index, row in enumerate(rows) if row is not None]
    for index, row_id in ids:
        if row_id == place.last_id:
            return index + 1
    # The row itself is gone.
    descends, last = _descends(rows, place), int(place.last_id)
    return next((index for index, row_id in ids if (int(row_id) < last if descends else int(row_id) > last)), len(rows))
