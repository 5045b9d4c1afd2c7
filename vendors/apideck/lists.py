"""Lists of a connection: filtered and ordered by the connector where it can, else looked through here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from vendors.apideck import wire
from vendors.apideck.errors import UNSUPPORTED_FILTERS, UNSUPPORTED_SORT
from vendors.apideck.pages import Answer, Place, walk
from vendors.apideck.query import NEWEST_FIRST, PLAIN, SORTS, Search, pushdown, search_for
from vendors.apideck.reader import MAX_LIMIT, Reader
from vendors.capabilities import Page, PageRequest
from vendors.errors import UnsupportedError
from vendors.query import Abilities, Condition, Field, Pushdown, Sort

R = TypeVar("R", bound=wire.Row)

# Source: Apideck CRM API, lists, connector notes: behind row 2,000 salesforce takes only a limit of 200, and gives 200 rows anyway.
_ALWAYS_WHOLE_PAGES: Final = frozenset({"salesforce"})
# Source: Apideck CRM API, opportunitiesAll, companiesAll and contactsAll, connector notes: a filtered or sorted list of hubspot ends after
# 10,000 rows.
_MOST_FOUND: Final[Mapping[str, int]] = {"hubspot": 10_000}
# Where a connector cannot filter, this many pages are looked through for one page of ours.
_SCANNED_PAGES: Final = 10


class _CutOffError(UnsupportedError):
    """More rows match than the connector's search gives."""


@dataclass(frozen=True, slots=True)
class Listed(Generic[R]):
    """A page, and the search that the vendor made for it: plain where the rows were looked through here."""

    page: Page[R]
    search: Search


class Lists:
    """Reads lists, and remembers which filters and orders the connector turned out to lack.

    Args:
        reader: Reads the connection's resources.
        crm: Key of the Crm.
        service_id: The connector.
        lessons: Where to note what it turned out to lack.
    """

    def __init__(self, reader: Reader, *, crm: str, service_id: str, lessons: list[str]) -> None:
        self._reader = reader
        self._crm = crm
        self._service_id = service_id
        self._lessons = lessons
        self._most_found = _MOST_FOUND.get(service_id)
        self._refused: dict[str, set[frozenset[str]]] = {}
        self._orders = set(SORTS)
        self._refused_orders: set[Field] = set()

    @property
    def most_found(self) -> int | None:
        """The most rows that a filtered or sorted list has; None where it ends with its last row."""
        return self._most_found

    def pushdown(
        self, resource: wire.Resource[Any], abilities: Abilities, conditions: Sequence[Condition], sort: Sort | None = None
    ) -> Pushdown:
        """What of a list the connector evaluates, by all that is known of it. Lists of opportunities alone are ordered."""
        refused = self._refused.get(resource.name, set[frozenset[str]]())
        return pushdown(abilities, conditions, sort, sorts=self._orders, refused=refused)

    async def page(
        self,
        resource: wire.Resource[R],
        request: PageRequest,
        fields: Sequence[str] | None,
        *,
        searched_fields: Sequence[str] | None = None,
    ) -> Listed[R]:
        """Read a page of a list.

        Args:
            resource: What is listed.
            request: With conditions and an order that `pushdown` took. A list without conditions has its total, whoever wants it.
            fields: Names to ask for; None for all.
            searched_fields: Names to ask for instead where the vendor searches, which may leave others out.

        Raises:
            UnsupportedError: The connector does not give the order, and `pushdown` will not take it any more, or a position is of a list
                that came in another way.
        """
        search = search_for(request.where, request.sort)
        if search is None:
            return Listed(Page(rows=[], has_more=False), PLAIN)
        place = self._place(resource, request, search)
        if place.is_filtered:
            try:
                return Listed(await self._searched(resource, place, request, search, searched_fields or fields), search)
            except UnsupportedError as error:
                is_refused = error.vendor_code == UNSUPPORTED_FILTERS
                if request.position is not None or not (is_refused or isinstance(error, _CutOffError)):
                    raise
                if is_refused:
                    self._note_filters(resource, search.names)
            place = Place(limit=MAX_LIMIT, is_ordered=place.is_ordered)
        if not search.filters:
            names = fields if search.is_plain else searched_fields or fields
            return Listed(await self._searched(resource, place, request, search, names), search)
        if search.sort is not None and self._most_found is not None:
            # What to look for here is left out of ordered lists by this connector.
            raise self._without_order()
        return Listed(await self._looked_through(resource, place, request, search, fields), replace(search, filters=()))

    def _place(self, resource: wire.Resource[Any], request: PageRequest, search: Search) -> Place:
        """Where to go on. A list goes on the way it began: filtered by the vendor, or looked through here."""
        is_ordered = search.sort is not None
        if request.position is not None:
            place = Place.of(request.position)
            if place.is_ordered != is_ordered or (place.is_filtered and not search.filters):
                raise UnsupportedError(
                    f"The CRM {self._crm!r} cannot go on with a list that it gave in another way; begin it again.", crm=self._crm
                )
            return place.for_size(request.size, MAX_LIMIT)
        is_filtered = bool(search.filters) and search.names not in self._refused.get(resource.name, ())
        is_searched = is_filtered or is_ordered
        is_whole = (
            self._service_id in _ALWAYS_WHOLE_PAGES
            or resource.name in self._reader.short_paged
            or (is_searched and self._most_found is not None)  # its end has to be seen, and its cursors count rows, which may shift
            or (bool(search.filters) and not is_filtered)
        )
        limit = MAX_LIMIT if is_whole else min(request.size, MAX_LIMIT)
        return Place(limit=limit, is_filtered=is_filtered, is_ordered=is_ordered)

    async def _searched(
        self, resource: wire.Resource[R], place: Place, request: PageRequest, search: Search, fields: Sequence[str] | None
    ) -> Page[R]:
        """Read a list as the vendor finds it; a whole one is the plainest search."""

        async def read(place: Place) -> Answer[R]:
            return await self._answer(resource, place, search, fields)

        page = await walk(read, place, request.size, crm=self._crm, operation=_operation(resource))
        # Not documented: whether the number is that of the rows that match, or of all.
        return replace(page, total=None) if search.filters else page

    async def _looked_through(
        self, resource: wire.Resource[R], place: Place, request: PageRequest, search: Search, fields: Sequence[str] | None
    ) -> Page[R]:
        looked_at = None if fields is None else sorted({*fields, *search.names})

        async def read(place: Place) -> Answer[R]:
            return await self._answer(resource, place, replace(search, filters=()), looked_at)

        def keep(row: R) -> bool:
            return all(getattr(row, name) == value for name, value in search.filters)

        operation = _operation(resource)
        page = await walk(read, place, request.size, crm=self._crm, operation=operation, keep=keep, most_pages=_SCANNED_PAGES)
        return replace(page, total=None)

    async def newest(self, resource: wire.Resource[R], cursor: str | None, fields: Sequence[str] | None) -> Answer[R]:
        """Read a page of a list whose rows come by their last change, the latest first, however many there are.

        Raises:
            UnsupportedError: The connector does not give that order; it is not asked for it again.
        """
        if Field.UPDATED_AT in self._refused_orders:
            raise UnsupportedError(f"The CRM {self._crm!r} cannot be asked for what has changed.", crm=self._crm)
        return await self._read(resource, Place(limit=MAX_LIMIT, cursor=cursor, is_ordered=True), NEWEST_FIRST, fields)

    async def _read(self, resource: wire.Resource[R], place: Place, search: Search, fields: Sequence[str] | None) -> Answer[R]:
        try:
            return await self._reader.page(resource, limit=place.limit, cursor=place.cursor, fields=fields, search=search)
        except UnsupportedError as error:
            if error.vendor_code == UNSUPPORTED_SORT and search.sort is not None:
                self._refused_orders.add(search.sort.field)
                self._note_orders(search.sort.field)
            raise

    async def _answer(self, resource: wire.Resource[R], place: Place, search: Search, fields: Sequence[str] | None) -> Answer[R]:
        answer = await self._read(resource, place, search, fields)
        if self._most_found is not None and not search.is_plain and _may_be_cut_off(answer, self._most_found):
            if not search.filters:
                raise self._without_order()
            raise _CutOffError(
                f"The CRM {self._crm!r} finds more rows than it lists; ask for fewer.", crm=self._crm, operation=_operation(resource)
            )
        return answer

    def _note_filters(self, resource: wire.Resource[Any], names: frozenset[str]) -> None:
        refused = self._refused.setdefault(resource.name, set())
        if names not in refused:
            refused.add(names)
            self._lessons.append(f"filter {resource.name} by {', '.join(sorted(names))}")

    def _note_orders(self, *fields: Field) -> None:
        for lost in self._orders.intersection(fields):
            self._orders.discard(lost)
            self._lessons.append(f"order by {lost.value}")

    def _without_order(self) -> UnsupportedError:
        """Nothing is ordered by this connector any more."""
        self._note_orders(*self._orders)
        return UnsupportedError(f"The CRM {self._crm!r} cannot give all rows of this list in an order.", crm=self._crm)


def _may_be_cut_off(answer: Answer[Any], most: int) -> bool:
    return answer.next_cursor is not None if answer.total_count is None else answer.total_count >= most


def _operation(resource: wire.Resource[Any]) -> str:
    return f"{resource.name}All"
