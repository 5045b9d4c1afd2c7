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

_MAX_CHARACTERS: Final = 500
_REMEMBERED_ROWS: Final = 3
_SCAN_MARK: Final = "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a list: the start of a page, or behind a row in it.

    A walk keeps the limit it began with: the vendor's example of a cursor decodes to a page number, which another limit would make the
    number of other rows. Source: Apideck CRM API, schema Meta, cursors.

    Args:
        limit: The limit that pages are read with.
        cursor: The vendor's cursor of the page; None for the first one.
        seen: Ids of the last rows passed on the page, the latest one last; empty at its start.
        is_scan: Whether the list is read unfiltered, and filtered here.
    """

    limit: int
    cursor: str | None = None
    seen: tuple[str, ...] = ()
    is_scan: bool = False

    @classmethod
    def of(cls, position: str) -> "Place":
        limit, seen, cursor = position.split(":")
        return cls(
            limit=int(limit.removeprefix(_SCAN_MARK)),
            cursor=_unquoted(cursor) if cursor else None,
            seen=tuple(map(_unquoted, seen.split(","))) if seen else (),
            is_scan=limit.startswith(_SCAN_MARK),
        )

    @property
    def position(self) -> str | None:
        """Its text, in printable ASCII; with fewer of the rows passed if all would be too long, and None if one still is."""
        cursor = "" if self.cursor is None else _quoted(self.cursor)
        for first in range(max(1, len(self.seen))):
            text = f"{_SCAN_MARK if self.is_scan else ''}{self.limit}:{','.join(map(_quoted, self.seen[first:]))}:{cursor}"
            if len(text) <= _MAX_CHARACTERS:
                return text
        return None

    def behind(self, passed: Sequence[str]) -> "Place":
        return replace(self, seen=tuple(passed[-_REMEMBERED_ROWS:]))

    def first_unseen(self, ids: Sequence[str]) -> int:
        """Index of the row to go on with: behind the latest row passed that is still there.

        Where all rows remembered are gone, the page begins again: rows may then come twice, but none is left out.
        """
        return next((ids.index(passed) + 1 for passed in reversed(self.seen) if passed in ids), 0)


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
    dropped = pages = 0

    def found(*, has_more: bool) -> Page[R]:
        return Page(rows=rows, has_more=has_more, position=None if here == start else _position(here, crm, operation), dropped=dropped)

    while True:
        answer = await read(page)
        pages += 1
        following = None
        # Source: Apideck CRM API, "Pagination": a list ends where there is no next cursor. A page may be short, or longer than asked for.
        if answer.next_cursor is not None:
            guard.step(answer.next_cursor)
            following = replace(page, cursor=answer.next_cursor, seen=())
        ids = [row.id for row in answer.rows]
        for index in range(page.first_unseen(ids), len(ids)):
            if len(rows) + dropped >= size:
                return found(has_more=True)
            here = following if following is not None and index + 1 == len(ids) else page.behind(ids[: index + 1])
            if keep(answer.rows[index]):
                rows.append(Row(answer.rows[index], _position(here, crm, operation)))
        dropped += answer.dropped
        if following is None:
            return found(has_more=False)
        here = page = following
        if len(rows) + dropped >= size or pages >= most_pages:
            return found(has_more=True)


def _position(place: Place, crm: str, operation: str) -> str:
    position = place.position
    if position is None:
        raise MalformedReplyError(
            f"The CRM {crm!r} answered {operation} with a cursor that is too long to be kept.", crm=crm, operation=operation
        )
    return position


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def _unquoted(text: str) -> str:
    return unquote(text, errors="surrogatepass")
