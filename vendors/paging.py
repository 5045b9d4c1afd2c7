"""Walking over a vendor's pages without being led in circles."""

import asyncio
from collections.abc import Awaitable, Callable, Container, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from vendors.errors import MalformedReplyError, NotFoundError, VendorError

T = TypeVar("T")

MAX_PAGES = 1_000


class LoopGuard:
    """Stops a walk whose vendor hands out the same cursor twice, or never ends."""

    def __init__(self, *, crm: str, operation: str, max_pages: int = MAX_PAGES) -> None:
        self._crm = crm
        self._operation = operation
        self._max_pages = max_pages
        self._seen: set[Hashable] = set()

    def step(self, cursor: Hashable) -> None:
        """Note a cursor that is about to be followed.

        Raises:
            MalformedReplyError: It was followed before, or there are too many.
        """
        if cursor in self._seen:
            raise MalformedReplyError(
                f"The CRM {self._crm!r} answered {self._operation} with a page that links to an earlier one.",
                crm=self._crm,
                operation=self._operation,
            )
        if len(self._seen) >= self._max_pages:
            raise MalformedReplyError(
                f"The CRM {self._crm!r} answered {self._operation} with more than {self._max_pages} pages.",
                crm=self._crm,
                operation=self._operation,
            )
        self._seen.add(cursor)


async def all_pages(fetch: Callable[[str | None], Awaitable[tuple[Sequence[T], str | None]]], guard: LoopGuard) -> list[T]:
    """Read all pages one after another.

    Args:
        fetch: Reads the page at a cursor (None for the first) and gives its rows and the next cursor (None after the last).
        guard: Stops a walk in circles.
    """
    rows: list[T] = []
    cursor: str | None = None
    while True:
        guard.step(cursor)
        page, cursor = await fetch(cursor)
        rows.extend(page)
        if cursor is None:
            return rows


async def in_chunks(
    ids: Sequence[str], size: int, fetch: Callable[[Sequence[str]], Awaitable[Mapping[str, T | VendorError]]]
) -> dict[str, T | VendorError]:
    """Read many ids in chunks at the same time; a chunk that fails gives its error to its own ids only."""
    found: dict[str, T | VendorError] = {}
    for part in await asyncio.gather(*(_chunk(ids[at : at + size], fetch) for at in range(0, len(ids), size))):
        found.update(part)
    return found


async def one_by_one(ids: Iterable[str], fetch: Callable[[str], Awaitable[T | None]]) -> dict[str, T | VendorError]:
    """Read many ids by a call each, at the same time (the Crm's own limits hold); None and NotFoundError leave the id out."""

    async def one(ids_of_one: Sequence[str]) -> Mapping[str, T | VendorError]:
        found = await fetch(ids_of_one[0])
        return {} if found is None else {ids_of_one[0]: found}

    return await in_chunks(list(ids), 1, one)


def lost(ids: Iterable[str], found: Container[str], unread: int, *, crm: str, operation: str) -> dict[str, VendorError]:
    """Errors of the ids that an answer does not hold while rows of it cannot be read, since any of them may be such a row.

    Args:
        ids: What was asked for.
        found: Those of it that the answer holds.
        unread: Number of rows that could not be read; when it is 0, what was not found does not exist, and there are no errors.
        crm: Key of the Crm.
        operation: Name of the vendor call.
    """
    if not unread:
        return {}
    message = f"The CRM {crm!r} answered {operation} with rows that cannot be read, and this may be one of them; mend the record there."
    error = MalformedReplyError(message, crm=crm, operation=operation)
    return {local_id: error for local_id in ids if local_id not in found}


async def _chunk(
    ids: Sequence[str], fetch: Callable[[Sequence[str]], Awaitable[Mapping[str, T | VendorError]]]
) -> Mapping[str, T | VendorError]:
    try:
        return await fetch(ids)
    except VendorError as error:
        return {} if isinstance(error, NotFoundError) and len(ids) == 1 else dict.fromkeys(ids, error)
