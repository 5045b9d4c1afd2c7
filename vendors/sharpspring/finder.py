"""Finding rows by many values of a column, in as few calls as the vendor permits."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from vendors.calls import Clock, record_kept
from vendors.errors import VendorError
from vendors.paging import in_chunks, lost
from vendors.sharpspring import wire
from vendors.sharpspring.rpc import Rpc, Stretch

T = TypeVar("T")
Found = dict[str, list[T] | VendorError]

# Source: Lead Gen & CRM Open API, overview article: 500 rows, 100 leads. Error codes 209 and 222 (article 360034119232).
MAX_VALUES: Final = 500
FEWER_VALUES: Final = 100
_TOO_MANY_VALUES: Final = frozenset({"209", "222"})
# Source: error code 210 "Got array, expected variable" and 205 "Invalid parameters" (the same article).
_NO_LIST: Final = frozenset({"210", "205"})
_TRUSTED_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Generic[T]):
    """What is looked up.

    Args:
        method: The method that lists the rows.
        column: The column that `where` names.
        value: The row's value of it; blank for a row that stands for none.
        is_unique: Whether a value has one row at most.
        takes_lists: Whether `where` takes a list; None where that is not documented.
        is_short: Whether the whole table is likely to fit a page, so that it is worth a look before a list is tried.
        hides_rows: Whether the whole table leaves out rows that a value still finds.
        kept_seconds: How long a whole table may be kept.
    """

    method: wire.Method[T]
    column: str
    value: Callable[[T], str]
    is_unique: bool = True
    takes_lists: bool | None = None
    is_short: bool = False
    hides_rows: bool = False
    kept_seconds: float = 0.0


class _Since(NamedTuple):
    """When a look-up began, and how often the kept table had been cleared by then."""

    clearings: int
    at: float


@dataclass(frozen=True, slots=True)
class _Whole(Generic[T]):
    """A whole table by value, and how many of its rows could not be read."""

    rows: Mapping[str, list[T]]
    unread: int


class Finder(Generic[T]):
    """Looks rows up by a list of values, by the whole table, or value by value.

    A single value is one call. For several, a list is one call where the vendor takes it, which is documented for leads only: elsewhere
    it is tried where it would save calls, and what came of it is remembered. A list is believed to work once rows of two values came
    back. Without lists the whole table is read as long as that takes no more calls than there are values; a table that turned out
    longer is remembered as such.
    """

    def __init__(self, rpc: Rpc, target: Target[T], *, clock: Clock) -> None:
        self._rpc = rpc
        self._target = target
        self._clock = clock
        self._takes_lists = target.takes_lists
        self._max_values = MAX_VALUES
        self._least_pages = 1
        self._kept: tuple[_Whole[T], float] | None = None
        self._clearings = 0

    def clear(self) -> None:
        """Forget a kept table, and let none be kept that is being read now."""
        self._kept = None
        self._clearings += 1

    async def find(self, values: Collection[str], *, fields: Sequence[str] | None = None, trusts_gaps: bool = True) -> Found[T]:
        """Find the rows of each value, by ascending id where they came so.

        Args:
            values: What to look for.
            fields: The vendor's names of the fields to ask for; None for all.
            trusts_gaps: Whether a value may be taken as missing because it is missing in a kept table.

        Returns:
            Rows by value. A value without rows is missing; one that could not be looked up has its error, and so has one without rows
            where some rows could not be read.
        """
        wanted = list(dict.fromkeys(values))
        kept = self._from_kept(wanted, trusts_gaps=trusts_gaps)
        if kept is not None:
            return kept
        since = _Since(self._clearings, self._clock())
        if len(wanted) <= 1:
            return await self._singly(wanted, fields)
        begun: Stretch[T] = Stretch(behind=0)
        if self._target.is_short and self._least_pages == 1 and not self._takes_lists:
            begun = await self._rpc.first_pages(self._target.method, {}, most=1, fields=fields)
            if begun.behind is None:
                return await self._of_whole(begun, wanted, fields, since)
            self._least_pages = 2
        listed: Found[T] = {}
        if self._takes_lists is not False:
            listed, is_answer = await self._by_list(wanted, fields)
            if is_answer:
                return listed
        found = await self._without_lists(wanted, begun, fields, since)
        if self._takes_lists is None and _sound(found) > _sound(listed):
            self._takes_lists = False
        return found

    async def _by_list(self, wanted: Sequence[str], fields: Sequence[str] | None) -> tuple[Found[T], bool]:
        """Ask for lists of values. Also tells whether the answer can be taken for the whole truth."""
        doubtful: dict[str, VendorError] = {}

        async def read(values: Sequence[str]) -> Mapping[str, list[T] | VendorError]:
            answer = await self._rows({self._target.column: values}, len(values), fields)
            grouped = self._grouped(answer.rows)
            doubtful.update(self._lost(values, grouped, answer.unread))
            return grouped

        found = await in_chunks(wanted, min(self._max_values, self._rpc.page_size), read)
        codes = {value.vendor_code for value in found.values() if isinstance(value, VendorError)}
        if codes & _TOO_MANY_VALUES and len(wanted) > FEWER_VALUES and self._max_values > FEWER_VALUES:
            self._max_values = FEWER_VALUES
            return await self._by_list(wanted, fields)
        if codes & _NO_LIST or not found.keys() <= set(wanted):
            self._takes_lists = False
            return {}, False
        if self._takes_lists is None and not codes and len(found) > 1:
            self._takes_lists = True
        return {**found, **doubtful}, bool(codes or self._takes_lists)

    async def _without_lists(self, wanted: Sequence[str], begun: Stretch[T], fields: Sequence[str] | None, since: "_Since") -> Found[T]:
        offset = begun.behind or 0
        most = len(wanted) - (1 if offset else 0)
        if len(wanted) >= self._least_pages and most > 0:
            more = await self._rpc.first_pages(self._target.method, {}, most=most, offset=offset, fields=fields)
            if more.behind is None:
                whole = Stretch([*begun.rows, *more.rows], begun.unread + more.unread)
                return await self._of_whole(whole, wanted, fields, since)
            self._least_pages = len(wanted) + 1
        return await self._singly(wanted, fields)

    async def _singly(self, wanted: Iterable[str], fields: Sequence[str] | None) -> Found[T]:
        async def read(values: Sequence[str]) -> Mapping[str, list[T] | VendorError]:
            answer = await self._rows({self._target.column: values[0]}, 1, fields)
            return self._among(values, self._grouped(answer.rows), answer.unread)

        return await in_chunks(list(wanted), 1, read)

    async def _rows(self, where: Mapping[str, object], values: int, fields: Sequence[str] | None) -> Stretch[T]:
        if not self._target.is_unique:
            return await self._rpc.first_pages(self._target.method, where)
        rows: list[T] = []
        seen, has_more = 0, True
        while has_more and seen < values:  # a second page only where pages turn out to be smaller than was asked for
            answer = await self._rpc.page(self._target.method, where, limit=values - seen, offset=seen, fields=fields)
            rows += answer.readable()
            seen, has_more = seen + len(answer.rows), answer.has_more
        return Stretch(rows, seen - len(rows))

    async def _of_whole(self, whole: Stretch[T], wanted: Sequence[str], fields: Sequence[str] | None, since: "_Since") -> Found[T]:
        self._least_pages = max(1, -(-len(whole.rows) // self._rpc.page_size))
        grouped = self._grouped(whole.rows)
        if self._target.kept_seconds and since.clearings == self._clearings:
            self._kept = (_Whole(grouped, whole.unread), since.at)
        if not self._target.hides_rows:
            return self._among(wanted, grouped, whole.unread)
        hidden = [value for value in wanted if value not in grouped]
        return {**self._among(wanted, grouped, 0), **await self._singly(hidden, fields)}

    def _from_kept(self, wanted: Sequence[str], *, trusts_gaps: bool) -> Found[T] | None:
        if self._kept is None:
            return None
        whole, read_at = self._kept
        age = self._clock() - read_at
        # A value that is missing may have come since; the table is asked again for it, but not again and again.
        lifetime = self._target.kept_seconds
        if any(value not in whole.rows for value in wanted):
            lifetime = min(_TRUSTED_SECONDS, lifetime) if trusts_gaps else 0.0
        if age >= lifetime:
            return None
        record_kept(read_at)
        return self._among(wanted, whole.rows, whole.unread)

    def _grouped(self, rows: Iterable[T]) -> dict[str, list[T]]:
        grouped: dict[str, list[T]] = {}
        for row in rows:
            if value := self._target.value(row):
                grouped.setdefault(value, []).append(row)
        return grouped

    def _among(self, wanted: Sequence[str], grouped: Mapping[str, list[T]], unread: int) -> Found[T]:
        """The rows of the values that are wanted."""
        return {**{value: grouped[value] for value in wanted if value in grouped}, **self._lost(wanted, grouped, unread)}

    def _lost(self, wanted: Sequence[str], grouped: Mapping[str, list[T]], unread: int) -> dict[str, VendorError]:
        return lost(wanted, grouped, unread, crm=self._rpc.crm, operation=self._target.method.name)


def _sound(found: Found[T]) -> int:
    """How many values were found."""
    return sum(isinstance(rows, list) for rows in found.values())
