"""A client of Apideck's unified CRM API: pages by opaque cursors, one id a call, pipelines and users as whole tables."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import quote

from vendors.apideck import mapping, wire
from vendors.apideck.errors import UNSUPPORTED_FILTERS, UNSUPPORTED_PAGINATION, judge
from vendors.apideck.pages import Place, next_cursor
from vendors.apideck.settings import Settings
from vendors.auth import FixedAccess
from vendors.calls import warn
from vendors.capabilities import ById, EntityCheck, Page, PageRequest, Row
from vendors.errors import UnsupportedError, VendorError
from vendors.http import Request
from vendors.limiting import Limits
from vendors.model import Account, Contact, Opportunity, Pipeline, Record, Selection, User
from vendors.paging import LoopGuard, all_pages, one_by_one
from vendors.registry import Link
from vendors.tables import Table
from vendors.wire import Decoded, Decoder

T = TypeVar("T")
R = TypeVar("R", bound=Record)

# Not documented: Apideck has no limit of its own, the connector's hold; 8 requests at once are what a CRM is expected to bear.
LIMITS: Final = Limits(max_concurrent=8)
# Source: Apideck CRM API, limit: 1 to 200.
_MAX_LIMIT: Final = 200
# Reading one page of the list is worth it from this many ids on: there is no call for several ids.
_LIST_FROM: Final = 3
# Source: Apideck CRM API, opportunities, connector notes: a filtered list of hubspot leaves these out.
_LOST_BY_FILTER: Final = frozenset({"account_ref", "account_refs", "primary_contact_ref", "contact_refs", "extension"})


@dataclass(frozen=True, slots=True)
class _Users:
    """The table of users, and the ids that it and the vendor do not know."""

    found: dict[str, User]
    missing: set[str] = field(default_factory=set[str])


class Client:
    """Reads the CRM behind one connection of a consumer."""

    def __init__(self, link: Link, settings: Settings) -> None:
        self._crm = link.crm
        self._settings = settings
        headers = {
            "Authorization": f"Bearer {settings.api_key.get_secret_value()}",
            "x-apideck-app-id": settings.app_id,
            "x-apideck-consumer-id": settings.consumer_id,
            "x-apideck-service-id": settings.service_id,
        }
        self._http = link.http(auth=FixedAccess(settings.base_url, headers), limits=LIMITS, judge=judge)
        self._pipelines: Table[Sequence[Pipeline]] = Table(self._load_pipelines, ttl_seconds=link.table_ttl_seconds, clock=link.clock)
        self._users: Table[_Users] = Table(self._load_users, ttl_seconds=link.table_ttl_seconds, clock=link.clock)
        self._pipelines_are_paged = True
        self._can_filter = True
        # Not documented: some connectors fill a page by half although more rows follow; then it pays to ask for more.
        self._pages_are_short = False

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        page = await self._page("opportunities", wire.OPPORTUNITIES, request, fields=mapping.opportunity_fields(request.selection))
        return await self._opportunity_page(page, request)

    async def account_opportunities_page(self, account_id: str, request: PageRequest) -> Page[Opportunity]:
        fields = mapping.opportunity_fields(request.selection)
        page = await self._of_company("opportunities", wire.OPPORTUNITIES, account_id, request, fields=fields)
        found = await self._opportunity_page(page, request)
        if not self._can_filter or not request.selection.wants("Opportunity", *_LOST_BY_FILTER):
            return found
        whole = await self.opportunities_by_ids([row.record.local_id for row in found.rows], request.selection)
        rows: list[Row[Opportunity]] = []
        for row in found.rows:
            record = whole.get(row.record.local_id)
            if isinstance(record, VendorError):
                raise record
            rows.append(row if record is None else Row(record, row.position))
        return Page(rows=rows, has_more=found.has_more, position=found.position, dropped=found.dropped)

    async def opportunities_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:
        fields = mapping.opportunity_fields(selection)
        rows = await self._rows_by_ids("opportunities", wire.OPPORTUNITIES, wire.OPPORTUNITY, ids, fields)
        good = [row for row in rows.values() if not isinstance(row, VendorError)]
        found = {record.local_id: record for record in await self._opportunities(good, selection)}
        return {local_id: row if isinstance(row, VendorError) else found[local_id] for local_id, row in rows.items()}

    async def pipelines(self) -> Sequence[Pipeline]:
        return await self._pipelines.get()

    async def users_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[User]:  # noqa: ARG002  # the kept table is whole
        users = await self._users.get()
        # Not documented: whether a connector lists users who have left; reading one by its id finds out.
        unknown = [local_id for local_id in ids if local_id not in users.found and local_id not in users.missing]
        extra = await self._one_by_one("users", wire.USER, unknown, None)
        users.missing.update(set(unknown) - extra.keys())
        users.found.update({key: mapping.user_from_wire(self._crm, row) for key, row in extra.items() if not isinstance(row, VendorError)})
        failed = {key: row for key, row in extra.items() if isinstance(row, VendorError)}
        return {**{local_id: users.found[local_id] for local_id in ids if local_id in users.found}, **failed}

    async def accounts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Account]:
        rows = await self._rows_by_ids("companies", wire.COMPANIES, wire.COMPANY, ids, mapping.account_fields(selection))
        return _mapped(rows, lambda row: mapping.account_from_wire(self._crm, row, read_fields=selection.of("Account")))

    async def contacts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Contact]:
        rows = await self._rows_by_ids("contacts", wire.CONTACTS, wire.CONTACT, ids, mapping.contact_fields(selection))
        return _mapped(rows, lambda row: mapping.contact_from_wire(self._crm, row, read_fields=selection.of("Contact")))

    async def account_contacts_page(self, account_id: str, request: PageRequest) -> Page[Contact]:
        page = await self._of_company("contacts", wire.CONTACTS, account_id, request, fields=mapping.contact_fields(request.selection))
        return _with(
            page, [mapping.contact_from_wire(self._crm, row.record, read_fields=request.selection.of("Contact")) for row in page.rows]
        )

    async def base_currency(self) -> str | None:
        return self._settings.base_currency

    async def check(self) -> Sequence[EntityCheck]:
        return await asyncio.gather(*(self._check(entity) for entity in ("opportunities", "pipelines", "users", "companies", "contacts")))

    async def _check(self, entity: str) -> EntityCheck:
        try:
            await self._http.send(_list_request(entity, limit=None if entity == "pipelines" else 1))
        except VendorError as error:
            return EntityCheck(entity=entity, error=error)
        return EntityCheck(entity=entity, error=None)

    async def _opportunity_page(self, page: Page[wire.Opportunity], request: PageRequest) -> Page[Opportunity]:
        records = await self._opportunities([row.record for row in page.rows], request.selection)
        mapped = _with(page, records)
        visible = [row for row in mapped.rows if request.include_deleted or not row.record.is_deleted]
        return Page(rows=visible, has_more=page.has_more, position=page.position, dropped=page.dropped)

    async def _opportunities(self, rows: Sequence[wire.Opportunity], selection: Selection, service: str | None = None) -> list[Opportunity]:
        placed = selection.wants("Opportunity", "pipeline_ref", "stage_ref")
        pipelines = await self._pipelines.get() if placed and any(map(mapping.lacks_pipeline, rows)) else ()
        read_fields = None if mapping.opportunity_fields(selection) is None else selection.of("Opportunity")
        return [
            mapping.opportunity_from_wire(
                self._crm,
                row,
                service=service or self._settings.service_id,
                status_map=self._settings.status_map,
                pipelines=pipelines,
                read_fields=read_fields,
            )
            for row in rows
        ]

    async def _page(
        self,
        entity: str,
        decoder: Decoder[wire.Rows[T]],
        request: PageRequest,
        *,
        fields: Sequence[str] | None,
        params: Sequence[tuple[str, str]] = (),
        keep: Callable[[T], bool] | None = None,
    ) -> Page[T]:
        """Read what is left of the page at a place, or the next page; `keep` leaves rows out."""
        place = Place.of(request.position)
        limit = place.limit or (_MAX_LIMIT if self._pages_are_short else min(request.size, _MAX_LIMIT))
        answer = await self._list(entity, decoder, limit=limit, cursor=place.cursor, fields=fields, params=params)
        rows: list[Any] = answer.value.data
        following = next_cursor(answer.value)
        self._pages_are_short |= following is not None and len(rows) + len(answer.dropped) < limit
        begin = place.rest([row.id for row in rows])
        taken = rows[begin : begin + request.size]
        is_whole = begin + len(taken) == len(rows)

        def behind(row: Any) -> Place:
            return Place(following) if following and row is rows[-1] else Place(place.cursor, limit, row.id)

        end = behind(taken[-1]) if taken else Place(following) if following else None
        return Page(
            rows=[Row(row, str(behind(row))) for row in taken if keep is None or keep(row)],
            has_more=not is_whole or following is not None,
            position=None if end is None else str(end),
            dropped=len(answer.dropped),
        )

    async def _of_company(
        self, entity: str, decoder: Decoder[wire.Rows[T]], company_id: str, request: PageRequest, *, fields: Sequence[str] | None
    ) -> Page[T]:
        """Read the rows that belong to a company; where the connector cannot filter, look through the whole list."""
        if self._can_filter:
            try:
                return await self._page(entity, decoder, request, fields=fields, params=[("filter[company_id]", company_id)])
            except UnsupportedError as error:
                if error.vendor_code != UNSUPPORTED_FILTERS:
                    raise
                self._can_filter = False
        wider = None if fields is None else [*fields, "company_id"]
        guard = LoopGuard(crm=self._crm, operation=f"{entity}All")
        rows: list[Row[T]] = []
        position, dropped = request.position, 0
        while True:
            guard.step(position)
            whole = PageRequest(size=_MAX_LIMIT, position=position, selection=request.selection)
            page = await self._page(entity, decoder, whole, fields=wider, keep=lambda row: _company_of(row) == company_id)
            rows.extend(page.rows)
            position, dropped = page.position, dropped + page.dropped
            if len(rows) > request.size or not page.has_more:
                break
        taken = rows[: request.size]
        more = len(rows) > len(taken)
        return Page(rows=taken, has_more=more, position=taken[-1].position if more else position, dropped=dropped)

    async def _rows_by_ids(
        self, entity: str, many: Decoder[wire.Rows[T]], one: Decoder[wire.One[T]], ids: Sequence[str], fields: Sequence[str] | None
    ) -> dict[str, T | VendorError]:
        """Read rows by id: few of them singly, more by paging the list as long as that is fewer calls."""
        wanted = list(dict.fromkeys(ids))
        if len(wanted) < _LIST_FROM:
            return await self._one_by_one(entity, one, wanted, fields)
        found: dict[str, T | VendorError] = {}
        guard = LoopGuard(crm=self._crm, operation=f"{entity}All")
        cursor: str | None = None
        seen = 0
        while True:
            guard.step(cursor)
            answer = (await self._list(entity, many, limit=_MAX_LIMIT, cursor=cursor, fields=fields)).value
            rows: list[Any] = answer.data
            seen += len(rows)
            found.update({row.id: row for row in rows if row.id in wanted})
            missing = [local_id for local_id in wanted if local_id not in found]
            cursor = next_cursor(answer)
            if cursor is None or not missing:
                return found
            total = None if answer.meta is None else answer.meta.total_count
            if total is None or -(-(total - seen) // _MAX_LIMIT) >= len(missing):
                singly: dict[str, T | VendorError] = await self._one_by_one(entity, one, missing, fields)
                return {**found, **singly}

    async def _one_by_one(
        self, entity: str, decoder: Decoder[wire.One[T]], ids: Sequence[str], fields: Sequence[str] | None
    ) -> dict[str, T | VendorError]:
        async def read(local_id: str) -> T | None:
            params = [] if fields is None else [("fields", ",".join(fields))]
            request = Request(operation=f"{entity}One", path=f"crm/{entity}/{_in_path(local_id)}", params=params)
            return decoder.read(self._http, request, await self._http.send(request)).value.data

        return await one_by_one(ids, read)

    async def _list(
        self,
        entity: str,
        decoder: Decoder[wire.Rows[T]],
        *,
        limit: int | None,
        cursor: str | None,
        fields: Sequence[str] | None = None,
        params: Sequence[tuple[str, str]] = (),
    ) -> Decoded[wire.Rows[T]]:
        request = _list_request(entity, limit=limit, cursor=cursor, fields=fields, params=params)
        answer = decoder.read(self._http, request, await self._http.send(request))
        for warned in (answer.value.meta.warnings if answer.value.meta else None) or ():
            warn(self._crm, "VENDOR_WARNING", f"Apideck could read only a part of {entity} ({warned.type or 'no reason given'}).")
        return answer

    async def _load_pipelines(self) -> Sequence[Pipeline]:
        async def page(cursor: str | None) -> tuple[Sequence[wire.Pipeline], str | None]:
            limit = _MAX_LIMIT if self._pipelines_are_paged else None
            rows = (await self._list("pipelines", wire.PIPELINES, limit=limit, cursor=cursor)).value
            return rows.data, next_cursor(rows)

        try:
            rows = await all_pages(page, LoopGuard(crm=self._crm, operation="pipelinesAll"))
        except UnsupportedError as error:
            if error.vendor_code != UNSUPPORTED_PAGINATION or not self._pipelines_are_paged:
                raise
            self._pipelines_are_paged = False
            rows = await all_pages(page, LoopGuard(crm=self._crm, operation="pipelinesAll"))
        return [mapping.pipeline_from_wire(self._crm, row, self._settings.stage_kinds) for row in rows]

    async def _load_users(self) -> _Users:
        async def page(cursor: str | None) -> tuple[Sequence[wire.User], str | None]:
            rows = (await self._list("users", wire.USERS, limit=_MAX_LIMIT, cursor=cursor)).value
            return rows.data, next_cursor(rows)

        rows = await all_pages(page, LoopGuard(crm=self._crm, operation="usersAll"))
        return _Users({row.id: mapping.user_from_wire(self._crm, row) for row in rows})


def _list_request(
    entity: str,
    *,
    limit: int | None,
    cursor: str | None = None,
    fields: Sequence[str] | None = None,
    params: Sequence[tuple[str, str]] = (),
) -> Request:
    sent: list[tuple[str, str]] = [] if limit is None else [("limit", str(limit))]
    sent += [] if cursor is None else [("cursor", cursor)]
    sent += [] if fields is None else [("fields", ",".join(fields))]
    return Request(operation=f"{entity}All", path=f"crm/{entity}", params=[*sent, *params])


def _in_path(local_id: str) -> str:
    """An id as one segment of a path: the connector's ids may hold any character."""
    return quote(local_id, safe="")


def _company_of(row: Any) -> str | None:
    company: str | None = row.company_id
    return company


def _mapped(rows: Mapping[str, T | VendorError], make: Callable[[T], R]) -> dict[str, R | VendorError]:
    return {local_id: row if isinstance(row, VendorError) else make(row) for local_id, row in rows.items()}


def _with(page: Page[Any], records: Sequence[R]) -> Page[R]:
    rows = [Row(record, row.position) for record, row in zip(records, page.rows, strict=True)]
    return Page(rows=rows, has_more=page.has_more, position=page.position, dropped=page.dropped)
