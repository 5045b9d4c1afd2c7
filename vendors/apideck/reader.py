"""Reads Apideck's resources: pages of lists, single records, and many records by their ids in as few calls as that takes."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote

from vendors.apideck import wire
from vendors.apideck.errors import UNSUPPORTED_PAGINATION
from vendors.apideck.pages import Answer
from vendors.apideck.query import PLAIN, Search, is_possible
from vendors.calls import warn
from vendors.capabilities import ById
from vendors.errors import UnsupportedError, VendorError
from vendors.http import Request, VendorHttp
from vendors.paging import LoopGuard, all_pages, one_by_one

R = TypeVar("R", bound=wire.Row)

# Source: Apideck CRM API, parameter limit: 1 to 200, 20 by default.
MAX_LIMIT: Final = 200
# Reading a page of a list is worth it from this many ids on: there is no call for several ids.
_LIST_FROM: Final = 3


class Reader:
    """Sends the reads of one connection, and remembers what its connector turned out to lack.

    Args:
        http: The way to the vendor.

    Attributes:
        short_paged: Resources whose pages hold fewer rows than asked for although more follow; then it pays to ask for more.
    """

    def __init__(self, http: VendorHttp) -> None:
        self._http = http
        self.short_paged: set[str] = set()
        self._unpaged: set[str] = set()
        self._totals: dict[str, int] = {}

    async def page(
        self,
        resource: wire.Resource[R],
        *,
        limit: int | None,
        cursor: str | None = None,
        fields: Sequence[str] | None,
        search: Search = PLAIN,
    ) -> Answer[R]:
        """Read a page of a list; the whole list at once where the connector has no pages."""
        if resource.name in self._unpaged:
            limit = None
        params = [] if limit is None else [("limit", str(limit))]
        params += [] if cursor is None else [("cursor", cursor)]
        params += [*search.params, *_fields(fields)]
        request = self._request(f"{resource.name}All", f"crm/{resource.name}", params)
        try:
            reply = await self._http.send(request)
        except UnsupportedError as error:
            # Source: Apideck CRM API, PaginationNotSupportedError: without limit and cursor it works.
            if error.vendor_code != UNSUPPORTED_PAGINATION or limit is None or cursor is not None:
                raise
            self._unpaged.add(resource.name)
            return await self.page(resource, limit=None, fields=fields, search=search)
        # Some connectors send whole records whatever fields are asked for.
        decoded = resource.rows.asking(None if fields is None else frozenset(fields)).read(self._http, request, reply)
        meta = self._heeded(resource, decoded.value.meta)
        following = None if meta.cursors is None else meta.cursors.next
        if meta.total_count is not None and not search.filters:
            self._totals[resource.name] = meta.total_count
        if following is not None and limit is not None and len(decoded.value.data) + len(decoded.dropped) < limit:
            self.short_paged.add(resource.name)
        return Answer(rows=decoded.value.data, dropped=len(decoded.dropped), next_cursor=following, total_count=meta.total_count)

    async def all(self, resource: wire.Resource[R], *, limit: int | None, fields: Sequence[str] | None) -> list[R]:
        """Read a whole list."""

        async def fetch(cursor: str | None) -> tuple[Sequence[R], str | None]:
            answer = await self.page(resource, limit=limit, cursor=cursor, fields=fields)
            return answer.rows, answer.next_cursor

        return await all_pages(fetch, self._guard(resource))

    async def one(self, resource: wire.Resource[R], local_id: str, fields: Sequence[str] | None) -> R:
        """Read a record."""
        request = self._request(f"{resource.name}One", record_path(resource, local_id), _fields(fields), by_id=True)
        one = resource.one.read(self._http, request, await self._http.send(request)).value
        self._heeded(resource, one.meta)
        return one.data

    async def singly(self, resource: wire.Resource[R], ids: Sequence[str], fields: Sequence[str] | None) -> dict[str, R | VendorError]:
        """Read records by a call each."""
        return await one_by_one(_possible(ids), lambda local_id: self.one(resource, local_id, fields))

    async def by_ids(self, resource: wire.Resource[R], ids: Sequence[str], fields: Sequence[str] | None) -> ById[R]:
        """Read records by ids: few of them singly, more by paging the list as long as that is likely to be fewer calls."""
        missing = _possible(ids)
        found: dict[str, R | VendorError] = {}
        least_pages = max(1, -(-self._totals.get(resource.name, 0) // MAX_LIMIT))
        if len(missing) < _LIST_FROM or least_pages >= len(missing):
            return await self.singly(resource, missing, fields)
        guard = self._guard(resource)
        cursor: str | None = None
        seen = dropped = 0
        while True:
            guard.step(cursor)
            answer = await self.page(resource, limit=MAX_LIMIT, cursor=cursor, fields=fields)
            found.update((row.id, row) for row in answer.rows if row.id in missing)
            missing = [local_id for local_id in missing if local_id not in found]
            cursor, seen, dropped = answer.next_cursor, seen + len(answer.rows) + answer.dropped, dropped + answer.dropped
            if not missing or (cursor is None and not dropped):
                return found  # it was the whole list, so the others do not exist
            left = (answer.total_count or 0) - seen
            if cursor is None or left <= 0 or -(-left // max(1, len(answer.rows))) >= len(missing):
                return {**found, **await self.singly(resource, missing, fields)}

    def _request(self, operation: str, path: str, params: Sequence[tuple[str, str]], *, by_id: bool = False) -> Request:
        return Request(operation=operation, path=path, params=params, by_id=by_id)

    def _guard(self, resource: wire.Resource[R]) -> LoopGuard:
        return LoopGuard(crm=self._http.crm, operation=f"{resource.name}All")

    def _heeded(self, resource: wire.Resource[R], meta: wire.Meta | None) -> wire.Meta:
        """Pass on that an answer is incomplete. Source: Apideck CRM API, schema Meta, warnings: an optional step behind it failed."""
        if meta is not None and meta.warnings:
            warn(self._http.crm, "VENDOR_WARNING", f"Apideck could read only a part of {resource.name}; values may be missing.")
        return meta or wire.Meta()


def record_path(resource: wire.Resource[Any], local_id: str) -> str:
    """Where a record is; the connectors' ids may hold any character."""
    return f"crm/{resource.name}/{quote(local_id, safe='')}"


def _possible(ids: Sequence[str]) -> list[str]:
    return [local_id for local_id in dict.fromkeys(ids) if is_possible(local_id)]


def _fields(fields: Sequence[str] | None) -> list[tuple[str, str]]:
    return [] if fields is None else [("fields", ",".join(fields))]
