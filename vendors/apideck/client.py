"""A client of Apideck's unified CRM API: pages by opaque cursors, one id a call, pipelines and users as whole tables."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import SecretStr

from vendors.apideck import mapping, parties, polling, query, watching, wire
from vendors.apideck.errors import judge
from vendors.apideck.lists import Lists
from vendors.apideck.pages import Answer
from vendors.apideck.query import Search
from vendors.apideck.reader import MAX_LIMIT, Reader
from vendors.apideck.settings import Settings
from vendors.apideck.users import Users
from vendors.apideck.webhooks import Webhooks
from vendors.apideck.writing import Writing
from vendors.auth import FixedAccess, bearer
from vendors.capabilities import ById, EntityCheck, Page, PageRequest, Row
from vendors.changes import ChangeFacts, Watching
from vendors.errors import PermissionDeniedError, UnsupportedError, VendorError
from vendors.limiting import Limits
from vendors.model import Account, Contact, Opportunity, Pipeline, Selection, User
from vendors.query import NOTHING, Condition, Field, Pushdown, Sort
from vendors.registry import Link
from vendors.tables import Table
from vendors.wire import records_of

R = TypeVar("R", bound=wire.Row)
A = TypeVar("A", wire.Opportunity, wire.Contact)
M = TypeVar("M")

# Not documented: Apideck has no limit of its own, the connector's hold; 8 requests at once are what a CRM is expected to bear.
LIMITS: Final = Limits(max_concurrent=8)
# Source: Apideck CRM API, opportunitiesAll, connector notes: a filtered or sorted list of hubspot leaves relations out.
_SEARCHES_LOSE_RELATIONS: Final = frozenset({"hubspot"})
_CHECKED: Final[tuple[tuple[wire.Resource[Any], int | None], ...]] = (
    (wire.OPPORTUNITIES, 1),
    (wire.PIPELINES, None),
    (wire.USERS, 1),
    (wire.COMPANIES, 1),
    (wire.CONTACTS, 1),
)


class Client(Writing, Webhooks):
    """Reads the CRM behind one connection of a consumer, watches it, and writes to it.

    Ids are the connected CRM's own, of any form. Custom fields have no definitions: no operation lists them.
    """

    def __init__(self, link: Link, settings: Settings) -> None:
        self._crm = link.crm
        self._settings = settings
        self._meanings = settings.meanings
        headers: dict[str, SecretStr | str] = {
            "Authorization": bearer(settings.api_key),
            "x-apideck-app-id": settings.app_id,
            "x-apideck-consumer-id": settings.consumer_id,
            # Source: Apideck CRM API, x-apideck-service-id: needed as soon as the consumer has two connections.
            "x-apideck-service-id": settings.service_id,
        }
        self._http = link.http(auth=FixedAccess(settings.base_url, headers), limits=LIMITS, judge=judge)
        self._reader = Reader(self._http)
        self._lists = Lists(self._reader, crm=link.crm, service_id=settings.service_id, lessons=link.lessons)
        self._pipelines: Table[Sequence[Pipeline]] = Table(
            self._load_pipelines, crm=link.crm, ttl_seconds=link.table_ttl_seconds, clock=link.clock
        )
        self._users: Table[Users] = Table(self._load_users, crm=link.crm, ttl_seconds=link.table_ttl_seconds, clock=link.clock)

    def opportunities_pushdown(self, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:
        return self._lists.pushdown(wire.OPPORTUNITIES, query.OPPORTUNITIES, conditions, sort)

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        fields = mapping.opportunity_fields(request.selection)
        told = {"company_id"} if any(condition.field is Field.ACCOUNT for condition in request.where) else set[str]()
        loses = self._loses(fields, told=told)
        listed = await self._lists.page(wire.OPPORTUNITIES, request, fields, searched_fields=mapping.IDS if loses else None)
        page = listed.page
        if loses and not listed.search.is_plain:
            page = await self._read_again(page, fields)
        rows = [_told(row.record, listed.search) for row in page.rows]
        mapped = _with(page, await self._opportunities(rows, request.selection))
        shown = [row for row in mapped.rows if request.include_deleted or not row.record.is_deleted]
        return replace(mapped, rows=shown, total=page.total if request.count and request.include_deleted else None)

    def watching(self) -> Watching:
        return watching.WATCHING

    def change_facts(self, record: Opportunity) -> ChangeFacts:
        return watching.change_facts(record)

    async def changed_opportunities(self, since: datetime, request: PageRequest) -> Page[Opportunity]:
        # Source: Apideck CRM API, schema OpportunitiesFilter: it has no time of change, but the list can be sorted by it.
        fields = mapping.opportunity_fields(request.selection)
        loses = self._loses(fields)
        asked = mapping.IDS if loses else fields
        names = None if asked is None else sorted(polling.STAMPS.union(asked))

        async def read(cursor: str | None) -> Answer[wire.Opportunity]:
            return await self._lists.newest(wire.OPPORTUNITIES, cursor, names)

        trail = polling.beginning(since) if request.position is None else polling.Trail.of(request.position)
        poll = polling.Poll(read=read, crm=self._crm, operation="opportunitiesAll", most_found=self._lists.most_found)
        page = await poll.page(trail, request.size)
        if loses:
            page = await self._read_again(page, fields)
        return _with(page, await self._opportunities([row.record for row in page.rows], request.selection))

    async def opportunities_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:
        rows = await self._reader.by_ids(wire.OPPORTUNITIES, ids, mapping.opportunity_fields(selection))
        return _in_place(rows, await self._opportunities(_good(rows), selection))

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
        return _in_place(rows, records_of(parties.account_from_wire, self._crm, _good(rows), read_fields=selection.of("Account")))

    async def contacts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Contact]:
        rows = await self._reader.by_ids(wire.CONTACTS, ids, parties.contact_fields(selection))
        return _in_place(rows, records_of(parties.contact_from_wire, self._crm, _good(rows), read_fields=selection.of("Contact")))

    def accounts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:  # noqa: ARG002  # whatever they are
        # Source: Apideck CRM API, schema CompaniesFilter: by name alone, and how a name matches is not documented.
        return NOTHING

    async def accounts_page(self, request: PageRequest) -> Page[Account]:
        fields = parties.account_fields(request.selection)
        listed = await self._lists.page(wire.COMPANIES, request, None if fields is None else sorted({*fields, "deleted"}))
        shown = [row for row in listed.page.rows if request.include_deleted or not row.record.deleted]
        read_fields = request.selection.of("Account")
        accounts = records_of(parties.account_from_wire, self._crm, [row.record for row in shown], read_fields=read_fields)
        rows = [Row(account, row.position) for account, row in zip(accounts, shown, strict=True)]
        total = listed.page.total if request.count and request.include_deleted else None
        return _like(listed.page, rows, total=total)

    def contacts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        return self._lists.pushdown(wire.CONTACTS, query.CONTACTS, conditions)

    async def contacts_page(self, request: PageRequest) -> Page[Contact]:
        listed = await self._lists.page(wire.CONTACTS, request, parties.contact_fields(request.selection))
        contacts = [_told(row.record, listed.search) for row in listed.page.rows]
        read_fields = request.selection.of("Contact")
        page = _with(listed.page, records_of(parties.contact_from_wire, self._crm, contacts, read_fields=read_fields))
        # Source: Apideck CRM API, schema Contact: contacts are never marked as deleted, so none are left out.
        return page if request.count else replace(page, total=None)

    async def users(self) -> Sequence[User]:
        listed = (await self._users.get()).listed
        if listed is None:
            raise UnsupportedError(f"The CRM {self._crm!r} does not list its users.", crm=self._crm, operation="usersAll")
        return listed

    async def base_currency(self) -> str | None:
        return self._settings.base_currency

    async def check(self) -> Sequence[EntityCheck]:
        checks = await asyncio.gather(*(self._check(resource, limit) for resource, limit in _CHECKED))
        errors = [check.error for check in checks if check.error is not None]
        if len(errors) == len(checks):
            raise errors[0]
        return checks

    def _loses(self, fields: Sequence[str] | None, *, told: Collection[str] = ()) -> bool:
        """Whether a search leaves out what is wanted, and its conditions do not tell it."""
        return self._settings.service_id in _SEARCHES_LOSE_RELATIONS and mapping.loses_by_search(fields, told=told)

    async def _check(self, resource: wire.Resource[Any], limit: int | None) -> EntityCheck:
        try:
            await self._reader.page(resource, limit=limit, fields=["id"])
        except VendorError as error:
            return EntityCheck(entity=resource.name, error=error)
        return EntityCheck(entity=resource.name, error=None)

    async def _opportunities(self, rows: Sequence[wire.Opportunity], selection: Selection) -> list[Opportunity]:
        pipelines: Sequence[Pipeline] | None = None
        if selection.wants("Opportunity", "pipeline_ref", "stage_ref") and any(map(mapping.lacks_pipeline, rows)):
            pipelines = await self._pipelines_or_none()
        read_fields = None if mapping.opportunity_fields(selection) is None else selection.of("Opportunity")
        return records_of(
            mapping.opportunity_from_wire,
            self._crm,
            rows,
            service=self._settings.service_id,
            status_map=self._meanings,
            pipelines=pipelines,
            read_fields=read_fields,
        )

    async def _pipelines_or_none(self) -> Sequence[Pipeline]:
        try:
            return await self._pipelines.get()
        except (UnsupportedError, PermissionDeniedError):  # it lasts, and takes nothing from deals but where they stand
            return ()

    async def _read_again(self, page: Page[wire.Opportunity], fields: Sequence[str] | None) -> Page[wire.Opportunity]:
        """Read the rows of a search once more, with what it left out; one that has gone meanwhile is left out itself."""
        found = await self._reader.by_ids(wire.OPPORTUNITIES, [row.record.id for row in page.rows], fields)
        rows: list[Row[wire.Opportunity]] = []
        for row in page.rows:
            whole = found.get(row.record.id)
            if isinstance(whole, VendorError):
                raise whole
            if whole is not None:
                rows.append(Row(whole, row.position))
        return replace(page, rows=rows)

    async def _load_pipelines(self) -> Sequence[Pipeline]:
        # Without a limit: some connectors refuse paging here, and few CRMs have more pipelines than the vendor's page of 20.
        rows = await self._reader.all(wire.PIPELINES, limit=None, fields=None)
        return [mapping.pipeline_from_wire(self._crm, row, self._settings.stage_kinds) for row in rows]

    async def _load_users(self) -> Users:
        try:
            rows = await self._reader.all(wire.USERS, limit=MAX_LIMIT, fields=parties.USER_FIELDS)
        except UnsupportedError:  # the connector may still read single ones
            return Users(None)
        return Users([parties.user_from_wire(self._crm, row) for row in rows])


def _good(rows: ById[R]) -> list[R]:
    return [row for row in rows.values() if not isinstance(row, VendorError)]


def _in_place(rows: ById[R], records: Iterable[M]) -> dict[str, M | VendorError]:
    """The records of the good rows, and the errors of the others."""
    made = iter(records)
    return {local_id: row if isinstance(row, VendorError) else next(made) for local_id, row in rows.items()}


def _told(row: A, search: Search) -> A:
    """A row with what the search proves of it where it does not tell that itself."""
    company_id = dict(search.filters).get("company_id")
    return row if company_id is None or row.company_id is not None else row.model_copy(update={"company_id": company_id})


def _with(page: Page[Any], records: Sequence[M]) -> Page[M]:
    return _like(page, [Row(record, row.position) for record, row in zip(records, page.rows, strict=True)], total=page.total)


def _like(page: Page[Any], rows: Sequence[Row[M]], *, total: int | None) -> Page[M]:
    return Page(rows=rows, has_more=page.has_more, position=page.position, dropped=page.dropped, total=total)
