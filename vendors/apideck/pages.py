"""Places in lists that have opaque page cursors and nothing finer, and walking on from them. Pure but for the reading handed in."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar
from urllib.parse import quote, unquote

from vendors.apideck import wire
from vendors.capabilities import Page, Row
from vendors.errors import MalformedReplyError
from vendors.paging import MAX_PAGES, LoopGuard

R = TypeVar("R", bound=wire.Row)

MAX_CHARACTERS: Final = 500
REMEMBERED_ROWS: Final = 3
_FILTERED_MARK: Final = "f"
_ORDERED_MARK: Final = "o"
_END_MARK: Final = "e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a list: the start of a page, or behind a row in it.

    A walk keeps the limit it began with: the vendor's example of a cursor decodes to a page number, which another limit would make the
    number of other rows. Source: Apideck CRM API, schema Meta, cursors. Only from the first page, which needs no cursor, can it change over
    to bigger ones.

    Args:
        limit: The limit that pages are read with.
        cursor: The vendor's cursor of the page; None for the first one.
        seen: Ids of the last rows passed on the page, the latest one last; empty at its start.
        is_filtered: Whether the vendor filters the list; cursors of it are good for no other.
        is_ordered: Whether the vendor gives the list in an order that was asked for.
        ends_first: Whether `seen` are still those of the first page, which ends before `cursor`.
    """

    limit: int
    cursor: str | None = None
    seen: tuple[str, ...] = ()
    is_filtered: bool = False
    is_ordered: bool = False
    ends_first: bool = False

    @classmethod
    def of(cls, position: str) -> "Place":
        limit, seen, cursor = position.split(":")
        return cls(
            limit=int(limit.lstrip(_FILTERED_MARK + _ORDERED_MARK + _END_MARK)),
            cursor=unquoted(cursor) if cursor else None,
            seen=tuple(map(unquoted, seen.split(","))) if seen else (),
            is_filtered=_FILTERED_MARK in limit,
            is_ordered=_ORDERED_MARK in limit,
            ends_first=_END_MARK in limit,
        )

    @property
    def position(self) -> str | None:
        """Its text, in printable ASCII; with fewer of the rows passed if all would be too long, and None if one still is."""
        cursor = "" if self.cursor is None else quoted(self.cursor)
        marks = _FILTERED_MARK * self.is_filtered + _ORDERED_MARK * self.is_ordered + _END_MARK * self.ends_first
        for first in range(len(self.seen) + self.ends_first or 1):
            text = f"{marks}{self.limit}:{','.join(map(quoted, self.seen[first:]))}:{cursor}"
            if len(text) <= MAX_CHARACTERS:
                return text
        return None

    def behind(self, passed: Sequence[str]) -> "Place":
        return replace(self, seen=tuple(passed[-REMEMBERED_ROWS:]))

    def for_size(self, size: int, most: int) -> "Place":
        """Where to go on for so many rows: near the beginning, a wish for far more than the limit goes on with the biggest pages."""
        if (self.cursor is None or self.ends_first) and self.limit < most and size >= 2 * self.limit:
            return replace(self, limit=most, cursor=None, ends_first=False)
        return replace(self, seen=(), ends_first=False) if self.ends_first else self

    def first_unseen(self, ids: Sequence[str]) -> int:
        """Index of the row to go on with: behind the latest row passed that is still there.

        Where all rows remembered are gone, the page begins again: rows may then come twice, but none is left out.
        """
        if not self.is_ordered:
            return next((ids.index(passed) + 1 for passed in reversed(self.seen) if passed in ids), 0)
        # A row that was changed may have moved to another end of the order; most of those remembered have not.
        places = sorted(ids.index(passed) for passed in self.seen if passed in ids)
        middle = places[(len(places) - 1) // 2] if places else 0
        return next((at for at in range(middle, len(ids)) if ids[at] not in self.seen), len(ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[R]):
    """A page as the vendor sent it."""

    rows: Sequence[R]
    dropped: int
    next_cursor: str | None
    total_count: int | None


def everything(_row: object) -> bool:
    return True


async def walk(
    read: Callable[[Place], Awaitable[Answer[R]]],
    start: Place,
    size: int,
    *,
    crm: str,
    operation: str,
    keep: Callable[[R], bool] = everything,
    most_pages: int = MAX_PAGES,
) -> Page[R]:
    """Read up to that many rows behind a place, over as many pages as it takes.

    Args:
        read: Reads the page at a place.
        start: Where to begin.
        size: Number of rows wanted; rows that could not be read count.
        crm: Key of the Crm.
        operation: Name of the vendor call.
        keep: Whether a row belongs to the list.
        most_pages: Number of pages after which fewer rows than wanted are given.

    Raises:
        MalformedReplyError: Pages lead in circles, or a place takes more than the 500 characters of a position: the vendor bounds neither
            cursors nor ids, and shorter ones are all that is known.
    """
    guard = LoopGuard(crm=crm, operation=operation)
    guard.step(start.cursor)
    rows: list[Row[R]] = []
    here = page = start
    total: int | None = None
    dropped = pages = 0

    def found(*, has_more: bool) -> Page[R]:
        position = None if here == start else _position(here, crm, operation)
        return Page(rows=rows, has_more=has_more, position=position, dropped=dropped, total=total)

    while True:
        answer = await read(page)
        pages += 1
        total = answer.total_count if total is None else total
        following = end = None
        # Source: Apideck CRM API, "Pagination": a list ends where there is no next cursor. A page may be short, or longer than asked for.
        if answer.next_cursor is not None:
            guard.step(answer.next_cursor)
            following = end = replace(page, cursor=answer.next_cursor, seen=())
        ids = [row.id for row in answer.rows]
        if end is not None and page.cursor is None:
            end = replace(end.behind(ids), ends_first=True)
        for index in range(page.first_unseen(ids), len(ids)):
            if len(rows) + dropped >= size:
                return found(has_more=True)
            here = end if end is not None and index + 1 == len(ids) else page.behind(ids[: index + 1])
            if keep(answer.rows[index]):
                rows.append(Row(answer.rows[index], _position(here, crm, operation)))
        dropped += answer.dropped
        if following is None or end is None:
            return found(has_more=False)
        here, page = end, following
        if len(rows) + dropped >= size or pages >= most_pages:
            return found(has_more=True)


def _position(place: Place, crm: str, operation: str) -> str:
    position = place.position
    if position is None:
        raise MalformedReplyError(
            f"The CRM {crm!r} answered {operation} with a cursor that is too long to be kept.", crm=crm, operation=operation
        )
    return position


def quoted(text: str) -> str:
    """A text as a part of a position."""
    return quote(text, safe="", errors="surrogatepass")


def unquoted(text: str) -> str:
    return unquote(text, errors="surrogatepass")
