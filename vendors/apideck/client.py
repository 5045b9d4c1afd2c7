"""A client of Apideck's unified CRM API: pages by opaque cursors, one id a call, pipelines and users as whole tables."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import SecretStr

from vendors.apideck import mapping, parties, wire
from vendors.apideck.errors import UNSUPPORTED_FILTERS, judge
from vendors.apideck.pages import Answer, Place, everything, walk
from vendors.apideck.reader import MAX_LIMIT, Reader
from vendors.apideck.settings import Settings
from vendors.auth import FixedAccess, bearer
from vendors.capabilities import ById, EntityCheck, Page, PageRequest, Row
from vendors.errors import PermissionDeniedError, UnsupportedError, VendorError
from vendors.limiting import Limits
from vendors.model import Account, Contact, Opportunity, Pipeline, Selection, User
from vendors.paging import MAX_PAGES
from vendors.registry import Link
from vendors.tables import Table

R = TypeVar("R", bound=wire.Row)
A = TypeVar("A", wire.Opportunity, wire.Contact)
M = TypeVar("M")

# Not documented: Apideck has no limit of its own, the connector's hold; 8 requests at once are what a CRM is expected to bear.
LIMITS: Final = Limits(max_concurrent=8)
# Source: Apideck CRM API, lists, connector notes: behind row 2,000 salesforce takes only a limit of 200, and gives 200 rows anyway.
_ALWAYS_WHOLE_PAGES: Final = frozenset({"salesforce"})
# Source: Apideck CRM API, opportunitiesAll, connector notes: a filtered list of hubspot leaves relations out.
_FILTERS_LOSE_RELATIONS: Final = frozenset({"hubspot"})
# Where a connector cannot filter, this many pages are looked through for one page of ours.
_SCANNED_PAGES: Final = 10
_CHECKED: Final[tuple[tuple[wire.Resource[Any], int | None], ...]] = (
    (wire.OPPORTUNITIES, 1),
    (wire.PIPELINES, None),
    (wire.USERS, 1),
    (wire.COMPANIES, 1),
    (wire.CONTACTS, 1),
)


@dataclass(frozen=True, slots=True)
class _Users:
    """The table of users, those that were read singly, and the ids that nobody has."""

    found: dict[str, User]
    missing: set[str] = field(default_factory=set[str])


class Client:
    """Reads the CRM behind one connection of a consumer.

    Ids are the connected CRM's own, of any form. Custom fields have no definitions: no operation lists them.
    """

    def __init__(self, link: Link, settings: Settings) -> None:
        self._crm = link.crm
        self._settings = settings
        headers: dict[str, SecretStr | str] = {
            "Authorization": bearer(settings.api_key),
            "x-apideck-app-id": settings.app_id,
            "x-apideck-consumer-id": settings.consumer_id,
            # Source: Apideck CRM API, x-apideck-service-id: needed as soon as the consumer has two connections.
            "x-apideck-service-id": settings.service_id,
        }
        self._reader = Reader(link.http(auth=FixedAccess(settings.base_url, headers), limits=LIMITS, judge=judge))
        self._pipelines: Table[Sequence[Pipeline]] = Table(self._load_pipelines, ttl_seconds=link.table_ttl_seconds, clock=link.clock)
        self._users: Table[_Users] = Table(self._load_users, ttl_seconds=link.table_ttl_seconds, clock=link.clock)
        self._unfiltered: set[str] = set()

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        page = await self._page(wire.OPPORTUNITIES, request, mapping.opportunity_fields(request.selection))
        return await self._opportunity_page(page, request)

    async def account_opportunities_page(self, account_id: str, request: PageRequest) -> Page[Opportunity]:
        fields = mapping.opportunity_fields(request.selection)
        loses = self._settings.service_id in _FILTERS_LOSE_RELATIONS and mapping.loses_by_filters(fields)
        page, is_filtered = await self._of_company(
            wire.OPPORTUNITIES, account_id, request, fields, filtered_fields=mapping.IDS if loses else fields
        )
        if is_filtered and loses:
            page = await self._read_again(page, fields)
        if is_filtered:
            # The filter tells the company, also where the rows do not.
            told = [row.record.model_copy(update={"company_id": row.record.company_id or account_id}) for row in page.rows]
            page = _with(page, told)
        return await self._opportunity_page(page, request)

    async def opportunities_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:
        rows = await self._reader.by_ids(wire.OPPORTUNITIES, ids, mapping.opportunity_fields(selection))
        good = [row for row in rows.values() if not isinstance(row, VendorError)]
        found = dict(zip([row.id for row in good], await self._opportunities(good, selection), strict=True))
        return {local_id: row if isinstance(row, VendorError) else found[row.id] for local_id, row in rows.items()}

    async def pipelines(self) -> Sequence[Pipeline]:
        return await self._pipelines.get()

    async def users_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[User]:  # noqa: ARG002  # the kept table is whole
        users = await self._users.get()
        # Not documented: whether a connector lists users who have left; reading one by its id finds out.
        unknown = [local_id for local_id in dict.fromkeys(ids) if local_id not in users.found and local_id not in users.missing]
        extra = await self._reader.singly(wire.USERS, unknown, parties.USER_FIELDS)
        users.missing.update(set(unknown) - extra.keys())
        users.found.update({key: parties.user_from_wire(self._crm, row) for key, row in extra.items() if not isinstance(row, VendorError)})
        failed = {key: row for key, row in extra.items() if isinstance(row, VendorError)}
        return {**{local_id: users.found[local_id] for local_id in ids if local_id in users.found}, **failed}

    async def accounts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Account]:
        rows = await self._reader.by_ids(wire.COMPANIES, ids, parties.account_fields(selection))
        return _mapped(rows, lambda row: parties.account_from_wire(self._crm, row, read_fields=selection.of("Account")))

    async def contacts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Contact]:
        rows = await self._reader.by_ids(wire.CONTACTS, ids, parties.contact_fields(selection))
        return _mapped(rows, lambda row: parties.contact_from_wire(self._crm, row, read_fields=selection.of("Contact")))

    async def account_contacts_page(self, account_id: str, request: PageRequest) -> Page[Contact]:
        fields = parties.contact_fields(request.selection)
        page, _ = await self._of_company(wire.CONTACTS, account_id, request, fields, filtered_fields=fields)
        read_fields = request.selection.of("Contact")
        return _with(page, [parties.contact_from_wire(self._crm, row.record, read_fields=read_fields) for row in page.rows])

    async def base_currency(self) -> str | None:
        return self._settings.base_currency

    async def check(self) -> Sequence[EntityCheck]:
        checks = await asyncio.gather(*(self._check(resource, limit) for resource, limit in _CHECKED))
        errors = [check.error for check in checks if check.error is not None]
        if len(errors) == len(checks):
            raise errors[0]
        return checks

    async def _check(self, resource: wire.Resource[Any], limit: int | None) -> EntityCheck:
        try:
            await self._reader.page(resource, limit=limit, fields=["id"])
        except VendorError as error:
            return EntityCheck(entity=resource.name, error=error)
        return EntityCheck(entity=resource.name, error=None)

    async def _opportunity_page(self, page: Page[wire.Opportunity], request: PageRequest) -> Page[Opportunity]:
        mapped = _with(page, await self._opportunities([row.record for row in page.rows], request.selection))
        visible = [row for row in mapped.rows if request.include_deleted or not row.record.is_deleted]
        return Page(rows=visible, has_more=page.has_more, position=page.position, dropped=page.dropped)

    async def _opportunities(self, rows: Sequence[wire.Opportunity], selection: Selection) -> list[Opportunity]:
        pipelines: Sequence[Pipeline] | None = None
        if selection.wants("Opportunity", "pipeline_ref", "stage_ref") and any(map(mapping.lacks_pipeline, rows)):
            pipelines = await self._pipelines_or_none()
        read_fields = None if mapping.opportunity_fields(selection) is None else selection.of("Opportunity")
        return [
            mapping.opportunity_from_wire(
                self._crm,
                row,
                service=self._settings.service_id,
                status_map=self._settings.status_map,
                pipelines=pipelines,
                read_fields=read_fields,
            )
            for row in rows
        ]

    async def _pipelines_or_none(self) -> Sequence[Pipeline]:
        try:
            return await self._pipelines.get()
        except (UnsupportedError, PermissionDeniedError):  # it lasts, and takes nothing from deals but where they stand
            return ()

    async def _page(self, resource: wire.Resource[R], request: PageRequest, fields: Sequence[str] | None) -> Page[R]:
        return await self._walk(resource, self._place(resource, request), request.size, fields=fields)

    def _place(self, resource: wire.Resource[Any], request: PageRequest) -> Place:
        if request.position is not None:
            return Place.of(request.position)
        is_whole = self._settings.service_id in _ALWAYS_WHOLE_PAGES or resource.name in self._reader.short_paged
        return Place(limit=MAX_LIMIT if is_whole else min(request.size, MAX_LIMIT))

    async def _walk(
        self,
        resource: wire.Resource[R],
        place: Place,
        size: int,
        *,
        fields: Sequence[str] | None,
        filters: Mapping[str, str] | None = None,
        keep: Callable[[R], bool] = everything,
        most_pages: int = MAX_PAGES,
    ) -> Page[R]:
        def read(place: Place) -> Awaitable[Answer[R]]:
            return self._reader.page(resource, limit=place.limit, cursor=place.cursor, fields=fields, filters=filters)

        return await walk(read, place, size, crm=self._crm, operation=f"{resource.name}All", keep=keep, most_pages=most_pages)

    async def _of_company(
        self,
        resource: wire.Resource[A],
        company_id: str,
        request: PageRequest,
        fields: Sequence[str] | None,
        *,
        filtered_fields: Sequence[str] | None,
    ) -> tuple[Page[A], bool]:
        """Read rows of a company by the vendor's filter, or by looking through all rows where the connector has no such filter.

        Also tells whether the rows come from a filtered list, and so hold only `filtered_fields`. A list goes on the way it began.
        """
        place = self._place(resource, request)
        if not place.is_scan and (request.position is not None or resource.name not in self._unfiltered):
            try:
                filters = {"company_id": company_id}
                return await self._walk(resource, place, request.size, fields=filtered_fields, filters=filters), True
            except UnsupportedError as error:
                if error.vendor_code != UNSUPPORTED_FILTERS or request.position is not None:
                    raise
                self._unfiltered.add(resource.name)
        if request.position is None:
            place = Place(limit=MAX_LIMIT, is_scan=True)
        looked_at = _with_company(fields)

        def is_of_company(row: A) -> bool:
            return row.company_id == company_id

        scanned = await self._walk(resource, place, request.size, fields=looked_at, keep=is_of_company, most_pages=_SCANNED_PAGES)
        return scanned, False

    async def _read_again(self, page: Page[wire.Opportunity], fields: Sequence[str] | None) -> Page[wire.Opportunity]:
        """Read the rows of a filtered list once more, with what it left out; one that has gone meanwhile is left out itself."""
        found = await self._reader.by_ids(wire.OPPORTUNITIES, [row.record.id for row in page.rows], fields)
        rows: list[Row[wire.Opportunity]] = []
        for row in page.rows:
            whole = found.get(row.record.id)
            if isinstance(whole, VendorError):
                raise whole
            if whole is not None:
                rows.append(Row(whole, row.position))
        return Page(rows=rows, has_more=page.has_more, position=page.position, dropped=page.dropped)

    async def _load_pipelines(self) -> Sequence[Pipeline]:
        # Without a limit: some connectors refuse paging here, and few CRMs have more pipelines than the vendor's page of 20.
        rows = await self._reader.all(wire.PIPELINES, limit=None, fields=None)
        return [mapping.pipeline_from_wire(self._crm, row, self._settings.stage_kinds) for row in rows]

    async def _load_users(self) -> _Users:
        try:
            rows = await self._reader.all(wire.USERS, limit=MAX_LIMIT, fields=parties.USER_FIELDS)
        except UnsupportedError:  # the connector may still read single ones
            rows = []
        return _Users({row.id: parties.user_from_wire(self._crm, row) for row in rows})


def _with_company(fields: Sequence[str] | None) -> Sequence[str] | None:
    return None if fields is None else sorted({*fields, "company_id"})


def _mapped(rows: ById[R], make: Callable[[R], M]) -> dict[str, M | VendorError]:
    return {local_id: row if isinstance(row, VendorError) else make(row) for local_id, row in rows.items()}


def _with(page: Page[Any], records: Sequence[M]) -> Page[M]:
    rows = [Row(record, row.position) for record, row in zip(records, page.rows, strict=True)]
    return Page(rows=rows, has_more=page.has_more, position=page.position, dropped=page.dropped)
