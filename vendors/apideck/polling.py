"""Polls of a list that can be sorted, though not be asked for what has changed: from the newest row down to a moment.

A row that changes meanwhile jumps to the front, over the pages that were read already: so a poll of more than one page looks at the front
again, down to what was the newest there, until one page shows all of that. A row that goes lets the others move up: so a poll that goes on
later reads its page once more, and goes on with what is behind the last row passed there. What comes twice does no harm. Pure but for the
reading handed in.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Final

from vendors.apideck import wire
from vendors.apideck.pages import MAX_CHARACTERS, REMEMBERED_ROWS, Answer, quoted, unquoted
from vendors.capabilities import Page, Row
from vendors.errors import MalformedReplyError, UnsupportedError
from vendors.paging import LoopGuard

Read = Callable[[str | None], Awaitable[Answer[wire.Opportunity]]]
"""Reads the page at a cursor, None for the first, of a list that comes by `updated_at`, the latest first."""

STAMPS: Final = frozenset({"created_at", "id", "updated_at"})
"""What has to be read of the rows."""
# Rows that change while a connector puts a page together may stand out of order; more of them mean that it does not sort.
_SHARE_OUT_OF_ORDER: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """How far a poll has come.

    Args:
        floor: Rows that changed before are not looked for.
        top: The latest change that there was at the front when this pass began; None before its first page.
        at: The last change of the row passed last.
        seen: Ids of the last rows passed on the page.
        cursor: The vendor's cursor of the page; None for the first one.
        passed: Number of rows on the pages before.
    """

    floor: datetime
    top: datetime | None = None
    at: datetime | None = None
    seen: tuple[str, ...] = ()
    cursor: str | None = None
    passed: int = 0

    @classmethod
    def of(cls, position: str) -> "Trail":
        floor, top, at, seen, cursor, passed = position.split("|")
        return cls(
            floor=datetime.fromisoformat(floor),
            top=_moment(top),
            at=_moment(at),
            seen=tuple(map(unquoted, seen.split(","))) if seen else (),
            cursor=unquoted(cursor) if cursor else None,
            passed=int(passed),
        )

    @property
    def position(self) -> str | None:
        """Its text, with fewer of the rows passed if it would be too long; None if it still is."""
        cursor = "" if self.cursor is None else quoted(self.cursor)
        for first in range(max(1, len(self.seen))):
            seen = ",".join(map(quoted, self.seen[first:]))
            text = "|".join((self.floor.isoformat(), _text(self.top), _text(self.at), seen, cursor, str(self.passed)))
            if len(text) <= MAX_CHARACTERS:
                return text
        return None

    def behind(self, row: wire.Opportunity) -> "Trail":
        return replace(self, at=row.updated_at, seen=(*self.seen, row.id)[-REMEMBERED_ROWS:])

    def start_in(self, rows: Sequence[wire.Opportunity]) -> int | None:
        """Index of the row to go on with, when the page is read once more; None when rows may have left it that were not passed."""
        # Rows move to no other place than the front, so the last one found has not moved.
        places = [index for index, row in enumerate(rows) if row.id in self.seen]
        if places:
            return places[-1] + 1
        newest = max((row.updated_at for row in rows if row.updated_at is not None), default=None)
        is_before = newest is not None and self.at is not None and newest >= self.at
        return 0 if self.cursor is None or not self.seen or is_before else None


@dataclass(slots=True, kw_only=True)
class Poll:
    """One page of a poll.

    Args:
        read: Reads the vendor's pages.
        crm: Key of the Crm.
        operation: Name of the vendor call.
        most_found: The most rows that the vendor's sorted list has.
    """

    read: Read
    crm: str
    operation: str
    most_found: int | None
    _rows: list[Row[wire.Opportunity]] = field(default_factory=list[Row[wire.Opportunity]], init=False)
    _dropped: int = field(default=0, init=False)
    _pages: int = field(default=0, init=False)

    async def page(self, trail: Trail, size: int) -> Page[wire.Opportunity]:
        """Read up to that many rows.

        Raises:
            UnsupportedError: The connector does not sort, though it was asked to; its rows do not tell when they changed; or more of them
                have changed than it lists.
        """
        guard = LoopGuard(crm=self.crm, operation=self.operation)
        is_new = trail.top is None  # a pass that begins and ends with one page has seen it as it was at one moment
        answer = await self._read_page(trail)
        start = trail.start_in(answer.rows)
        if start is None:
            trail, start, is_new = Trail(floor=trail.floor), 0, True
            answer = await self._read_page(trail)
        trail = replace(trail, top=trail.top or _newest(answer.rows))
        guard.step(trail.cursor)
        while True:
            for row in answer.rows[start:]:
                changed_at = row.updated_at or row.created_at
                if changed_at is None or changed_at < trail.floor:
                    continue
                if len(self._rows) >= size:
                    return self._page(trail)
                trail = trail.behind(row)
                self._rows.append(Row(row, self._position(trail)))
            if self._is_over(trail, answer):
                is_whole = is_new and self._pages == 1
                return self._page(None if is_whole or trail.top in (None, trail.floor) else Trail(floor=trail.top))
            if len(self._rows) >= size:
                return self._page(trail)
            guard.step(answer.next_cursor)
            trail = replace(trail, cursor=answer.next_cursor, seen=(), passed=trail.passed + len(answer.rows))
            answer, start = await self._read_page(trail), 0

    async def _read_page(self, trail: Trail) -> Answer[wire.Opportunity]:
        answer = await self.read(trail.cursor)
        self._pages += 1
        self._dropped += answer.dropped
        stamps = [row.updated_at for row in answer.rows if row.updated_at is not None]
        is_all = trail.cursor is None and answer.next_cursor is None
        out_of_order = sum(before < after for before, after in pairwise(stamps))
        if not is_all and out_of_order > len(stamps) * _SHARE_OUT_OF_ORDER:
            raise self._unsupported("does not sort its opportunities by their changes")
        if answer.next_cursor is not None and answer.rows and not stamps:
            raise self._unsupported("does not tell when its opportunities have changed")
        return answer

    def _is_over(self, trail: Trail, answer: Answer[wire.Opportunity]) -> bool:
        """Whether nothing that is looked for stands behind a page."""
        last = next((row.updated_at for row in reversed(answer.rows) if row.updated_at is not None), None)
        if last is not None and last < trail.floor:
            return True
        if answer.next_cursor is not None:
            return False
        found = max(trail.passed + len(answer.rows), answer.total_count or 0)
        if self.most_found is not None and found >= self.most_found:
            raise self._unsupported("has changed in more opportunities than it lists")
        return True

    def _page(self, following: Trail | None) -> Page[wire.Opportunity]:
        position = None if following is None else self._position(following)
        return Page(rows=self._rows, has_more=following is not None, position=position, dropped=self._dropped)

    def _position(self, trail: Trail) -> str:
        position = trail.position
        if position is None:
            raise MalformedReplyError(
                f"The CRM {self.crm!r} answered {self.operation} with a cursor that is too long to be kept.",
                crm=self.crm,
                operation=self.operation,
            )
        return position

    def _unsupported(self, why: str) -> UnsupportedError:
        return UnsupportedError(
            f"The CRM {self.crm!r} {why}, and cannot be asked for what has changed.", crm=self.crm, operation=self.operation
        )


def beginning(since: datetime) -> Trail:
    """Where a poll begins. Not documented how exact a connector's stamps are; one of whole seconds is no older than the second."""
    return Trail(floor=since.replace(microsecond=0))


def _newest(rows: Sequence[wire.Opportunity]) -> datetime | None:
    return max((row.updated_at for row in rows if row.updated_at is not None), default=None)


def _text(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
