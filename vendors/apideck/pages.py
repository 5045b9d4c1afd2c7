"""Places in a list that has opaque page cursors and nothing finer: the page's own cursor, and the last row seen of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import orjson

from vendors.apideck import wire

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list.

    Args:
        cursor: The cursor that gives the page; None for the first page.
        limit: Page size that the page was first read with, which it has to be read with again; None before it was read.
        last_id: The last row seen of it; None for its beginning.
    """

    cursor: str | None = None
    limit: int | None = None
    last_id: str | None = None

    def __str__(self) -> str:
        return orjson.dumps([self.cursor, self.limit, self.last_id]).decode()

    @classmethod
    def of(cls, position: str | None) -> "Place":
        return cls() if position is None else cls(*orjson.loads(position))

    def rest(self, ids: Sequence[str]) -> int:
        """Index of the first row not seen yet; a row that has gone meanwhile makes the page begin again, so that nothing is skipped."""
        return ids.index(self.last_id) + 1 if self.last_id in ids else 0


def next_cursor(rows: wire.Rows[T]) -> str | None:
    """The cursor of the next page. Source: Apideck CRM API, Meta: null on the last one; without meta there is no further page."""
    return None if rows.meta is None or rows.meta.cursors is None else rows.meta.cursors.next
