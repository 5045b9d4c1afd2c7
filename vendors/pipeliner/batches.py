"""Many records by id in few calls, although the vendor documents no such call.

Not documented: whether a filter takes several values, and how they are written. So the first read of several ids tries the ways that are
common, and what is honoured is remembered. Whatever does not come that way is asked for one by one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import Final, TypeVar, assert_never

from vendors.capabilities import ById
from vendors.errors import RejectedRequestError, VendorError
from vendors.paging import in_chunks, one_by_one

T = TypeVar("T")

# Source: Pipeliner "Create Opportunity", parameter `first`: at most 100 rows a page.
MAX_IDS: Final = 100

Params = Sequence[tuple[str, str]]


class Way(Enum):
    """How several values may be written in one filter, in the order in which they are tried."""

    REPEAT = "filter[id]=a&filter[id]=b"
    COMMA = "filter[id]=a,b"
    BRACKETS = "filter[id][]=a&filter[id][]=b"
    ONE_BY_ONE = "not at all"


class Batches:
    """Reads by many values of a filter, and learns how this server takes them."""

    def __init__(self) -> None:
        self.way: Way | None = None
        self._learning = asyncio.Lock()

    async def read(
        self,
        name: str,
        values: Sequence[str],
        listed: Callable[[Params], Awaitable[tuple[Mapping[str, T], bool]]],
        single: Callable[[str], Awaitable[T | None]],
    ) -> ById[T]:
        """Read by values.

        Args:
            name: Field to filter by.
            values: Its values.
            listed: Reads the rows of a filter; gives them by value, and whether every row could be read.
            single: Reads one value; None when there is nothing.
        """
        found: dict[str, T | VendorError] = {}
        if len(values) > 1 and self.way is None:
            async with self._learning:
                if self.way is None:
                    found.update(await in_chunks(values[:MAX_IDS], MAX_IDS, lambda chunk: self._learn(name, chunk, listed, single)))
                    values = values[MAX_IDS:]
        way = self.way or Way.ONE_BY_ONE
        if way is Way.ONE_BY_ONE:
            return {**found, **await one_by_one(values, single)}

        async def read(chunk: Sequence[str]) -> ById[T]:
            if len(chunk) == 1:
                return await one_by_one(chunk, single)
            came, whole = await listed(_filter(name, chunk, way))
            missing = [] if whole and _honoured(came, chunk) else [value for value in chunk if value not in came]
            return {**_asked(came, chunk), **await one_by_one(missing, single)}

        return {**found, **await in_chunks(values, MAX_IDS, read)}

    async def _learn(
        self,
        name: str,
        values: Sequence[str],
        listed: Callable[[Params], Awaitable[tuple[Mapping[str, T], bool]]],
        single: Callable[[str], Awaitable[T | None]],
    ) -> ById[T]:
        found: dict[str, T | VendorError] = {}
        for way in (Way.REPEAT, Way.COMMA, Way.BRACKETS):
            try:
                came, whole = await listed(_filter(name, values, way))
            except RejectedRequestError:
                continue
            found.update(_asked(came, values))
            if _honoured(came, values):
                self.way = way
                if whole:
                    return found
                break
        found.update(await one_by_one([value for value in values if value not in found], single))
        if self.way is None and sum(not isinstance(value, VendorError) for value in found.values()) > 1:
            self.way = Way.ONE_BY_ONE  # several are there, and no way gave more than one of them
        return found


def _filter(name: str, values: Sequence[str], way: Way) -> list[tuple[str, str]]:
    match way:
        case Way.REPEAT:
            return [(f"filter[{name}]", value) for value in values]
        case Way.COMMA:
            return [(f"filter[{name}]", ",".join(values))]
        case Way.BRACKETS:
            return [(f"filter[{name}][]", value) for value in values]
        case Way.ONE_BY_ONE:
            return [(f"filter[{name}]", values[0])]
    assert_never(way)


def _honoured(came: Mapping[str, object], asked: Sequence[str]) -> bool:
    """Whether several of the values were taken: more than one came, and nothing else (as it would if the filter were passed over)."""
    return len(came) > 1 and came.keys() <= {*asked}


def _asked(came: Mapping[str, T], asked: Sequence[str]) -> dict[str, T | VendorError]:
    return {value: came[value] for value in asked if value in came}
