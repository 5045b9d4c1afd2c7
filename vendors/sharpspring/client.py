"""A client of the Open API: pages by offset, and relations by whichever way of looking up costs the fewest calls."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import SecretStr

from vendors.auth import FixedAccess, bearer
from vendors.calls import warn
from vendors.capabilities import ById, EntityCheck, OpportunityLinks, Page, PageRequest, Row
from vendors.changes import ChangeFacts, Watching
from vendors.errors import MalformedReplyError, VendorError
from vendors.model import Account, Contact, CustomFieldDefinition, Opportunity, Pipeline, Selection, User
from vendors.paging import lost
from vendors.query import Condition, Pushdown, Sort, choose
from vendors.registry import Link
from vendors.sharpspring import mapping, query, wire
from vendors.sharpspring.finder import Finder, Found, Target
from vendors.sharpspring.offsets import HasId, Offsets, Window, place_from
from vendors.sharpspring.rpc import LIMITS, Answer, Rpc, judge
from vendors.sharpspring.settings import Settings
from vendors.sharpspring.spans import Spans, span_from, span_since
from vendors.sharpspring.watching import CHANGE_FACTS, WATCHING
from vendors.sharpspring.writer import Writer
from vendors.sharpspring.writing import Writing
from vendors.tables import Table

T = TypeVar("T")
M = TypeVar("M")
R = TypeVar("R", bound=HasId)

_CHECKED: tuple[wire.Method[Any], ...] = (
    wire.OPPORTUNITIES,
    wire.OPPORTUNITY_LEADS,
    wire.DEAL_STAGES,
    wire.USER_PROFILES,
    wire.ACCOUNTS,
    wire.LEADS,
    wire.FIELDS,
)
_WHOLE: Final = "whole~"
"""Begins the places of a poll that reads the whole list."""


class Client(Writing):
    """Reads and writes one account of Lead Gen & CRM. Ids are the vendor's numbers as text."""

    def __init__(self, link: Link, settings: Settings) -> None:
        self._crm = link.crm
        self._settings = settings
        # Source: Lead Gen & CRM Open API, overview article: credentials in headers, or in the query string, where logs would keep them.
        headers: dict[str, SecretStr | str] = {"X-Account-Id": settings.account_id, "Authorization": bearer(settings.secret_key)}
        base_url = f"{settings.base_url.rstrip('/')}/pubapi/{settings.api_version}/"
        http = link.http(auth=FixedAccess(base_url, headers), limits=LIMITS, judge=judge(link.jitter))
        self._rpc = Rpc(http, page_size=settings.page_size)
        self._writer = Writer(http)
        self._spans = Spans(lambda start, end: self._rpc.changed(wire.CHANGED_OPPORTUNITIES, start, end), settings.zone)

        def finder(target: Target[T]) -> Finder[T]:
            return Finder(self._rpc, target, clock=link.clock)

        def table(load: Callable[[], Any]) -> Table[Any]:
            return Table(load, crm=link.crm, ttl_seconds=link.table_ttl_seconds, clock=link.clock)

        # Source: observed: without an id only active rows come back.
        self._opportunities = finder(
            Target(method=wire.OPPORTUNITIES, column="id", value=lambda row: row.id, hides_rows=True),
        )
        self._links = finder(
            Target(
                method=wire.OPPORTUNITY_LEADS, column="opportunityID", value=lambda row: row.opportunityID, is_unique=False, is_short=True
            )
        )
        self._accounts = finder(
            Target(method=wire.ACCOUNTS, column="id", value=lambda row: row.id, is_short=True, kept_seconds=link.table_ttl_seconds)
        )
        # Source: Lead Gen & CRM Open API, lead methods (vendor help, article 50889): getLeads takes lists of ids.
        self._leads = finder(Target(method=wire.LEADS_BY_ID, column="id", value=lambda row: row.id, takes_lists=True, hides_rows=True))
        self._campaigns = finder(Target(method=wire.CAMPAIGNS, column="id", value=lambda row: row.id, is_short=True, hides_rows=True))
        self._pipelines: Table[Sequence[Pipeline]] = table(self._load_pipelines)
        self._users: Table[Mapping[str, User]] = table(self._load_users)
        self._unread_users = 0
        self._definitions: Table[Sequence[CustomFieldDefinition]] = table(self._load_definitions)

    def opportunities_pushdown(self, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:
        return choose(query.OPPORTUNITIES, conditions, sort=sort, most=query.MOST_CONDITIONS)

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        where = query.where_of(request.where)
        if where is None:
            return Page(rows=(), has_more=False)
        window, around = await asyncio.gather(
            self._window(wire.OPPORTUNITIES, where, request),
            self._surroundings(request.selection),
        )
        shown = [row for _, row in window.rows if row is not None and (row.isActive is not False or request.include_deleted)]
        records = await self._records(shown, around, request.selection)
        return _page(window, lambda row: records.get(row.id))

    def watching(self) -> Watching:
        return WATCHING

    def change_facts(self, record: Opportunity) -> ChangeFacts:  # noqa: ARG002  # no record tells anything
        return CHANGE_FACTS

    async def changed_opportunities(self, since: datetime, request: PageRequest) -> Page[Opportunity]:
        if request.position is not None and request.position.startswith(_WHOLE):
            return await self._page_of_whole(request, request.position.removeprefix(_WHOLE))
        span = span_since(since) if request.position is None else span_from(request.position)
        told = await self._spans.read(span, await self._rpc.vendor_time())
        if told is None:
            # More was changed within a moment than the vendor tells; the whole list has it too.
            return await self._page_of_whole(request, None)
        rows, end = told.first(request.size)
        records: Mapping[str, Opportunity] = {}
        if rows:  # a quiet poll needs no table
            records = await self._records([row for row, _ in rows], await self._surroundings(request.selection), request.selection)
        return Page(
            rows=[Row(records[row.id], str(place)) for row, place in rows],
            has_more=end is not None,
            position=None if end is None else str(end),
            dropped=told.dropped,
        )

    async def opportunities_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:
        found, around = await asyncio.gather(self._opportunities.find(_numbers(ids)), self._surroundings(selection))
        links = await self._links_if_wanted([local_id for local_id, rows in found.items() if isinstance(rows, list)], selection)

        def opportunity(rows: list[wire.Opportunity]) -> Opportunity | VendorError:
            mine = _of(self._crm, links, rows[0].id)
            return mine if isinstance(mine, VendorError) else mapping.opportunity_from_wire(self._crm, rows[0], around, links=mine)

        return _mapped(found, opportunity)

    async def opportunity_links(self, opportunities: Sequence[Opportunity], selection: Selection) -> ById[OpportunityLinks]:  # noqa: ARG002  # links have no further fields
        found = await self._links.find([opportunity.local_id for opportunity in opportunities])
        links: dict[str, OpportunityLinks | VendorError] = {}
        for opportunity in opportunities:
            rows = found.get(opportunity.local_id, [])
            links[opportunity.local_id] = rows if isinstance(rows, VendorError) else mapping.links_of(opportunity, rows)
        return links

    async def pipelines(self) -> Sequence[Pipeline]:
        return await self._pipelines.get()

    async def users_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[User]:  # noqa: ARG002  # the kept table is whole
        users = await self._users.get()
        if any(user_id not in users for user_id in ids):
            users = await self._users.get_after_miss()
        found = {user_id: users[user_id] for user_id in ids if user_id in users}
        return {**found, **lost(ids, found, self._unread_users, crm=self._crm, operation=wire.USER_PROFILES.name)}

    async def accounts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Account]:  # noqa: ARG002  # no fields can be chosen
        return _mapped(await self._accounts.find(_numbers(ids)), lambda rows: mapping.account_from_wire(self._crm, rows[0]))

    async def contacts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Contact]:
        found = await self._leads.find(_numbers(ids), fields=mapping.contact_fields(selection))
        read_fields = selection.of("Contact")
        return _mapped(found, lambda rows: mapping.contact_from_wire(self._crm, rows[0], read_fields=read_fields))

    def accounts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        return choose(query.ACCOUNTS, conditions, most=query.MOST_CONDITIONS)

    async def accounts_page(self, request: PageRequest) -> Page[Account]:
        where = query.where_of(request.where)
        if where is None:
            return Page(rows=(), has_more=False)
        return _page(await self._window(wire.ACCOUNTS, where, request), lambda row: mapping.account_from_wire(self._crm, row))

    def contacts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        return choose(query.CONTACTS, conditions)

    async def contacts_page(self, request: PageRequest) -> Page[Contact]:
        read_fields = request.selection.of("Contact")
        window = await self._window(wire.LEADS, {}, request, fields=mapping.contact_fields(request.selection))
        return _page(window, lambda row: mapping.contact_from_wire(self._crm, row, read_fields=read_fields))

    async def users(self) -> Sequence[User]:
        return tuple((await self._users.get()).values())

    async def custom_field_definitions(self) -> Sequence[CustomFieldDefinition]:
        return await self._definitions.get()

    async def base_currency(self) -> str | None:
        return self._settings.currency

    async def check(self) -> Sequence[EntityCheck]:
        checks = await asyncio.gather(*(self._check(method) for method in _CHECKED))
        errors = [check.error for check in checks if check.error is not None]
        if len(errors) == len(checks):
            raise errors[0]
        return checks

    async def _check(self, method: wire.Method[Any]) -> EntityCheck:
        try:
            await self._rpc.page(method, {}, limit=1)
        except VendorError as error:
            return EntityCheck(entity=method.name, error=error)
        return EntityCheck(entity=method.name, error=None)

    async def _window(
        self, method: wire.Method[R], where: Mapping[str, object], request: PageRequest, *, fields: Sequence[str] | None = None
    ) -> Window[R]:
        def read(offset: int, limit: int) -> Awaitable[Answer[R]]:
            return self._rpc.page(method, where, limit=limit, offset=offset, fields=fields)

        offsets = Offsets(read, lambda: self._rpc.page_size, crm=self._crm, operation=method.name)
        return await offsets.behind(place_from(request.position), request.size)

    async def _page_of_whole(self, request: PageRequest, position: str | None) -> Page[Opportunity]:
        page = await self.opportunities_page(replace(request, position=position, include_deleted=True))
        return replace(
            page,
            rows=[Row(row.record, _WHOLE + row.position) for row in page.rows],
            position=None if page.position is None else _WHOLE + page.position,
        )

    async def _records(
        self, rows: Sequence[wire.Opportunity], around: mapping.Surroundings, selection: Selection
    ) -> Mapping[str, Opportunity]:
        """Map the rows of a page, by id."""
        links = await self._links_if_wanted([row.id for row in rows], selection)
        records: dict[str, Opportunity] = {}
        for row in rows:
            mine = _of(self._crm, links, row.id)
            if isinstance(mine, VendorError):
                raise mine
            records[row.id] = mapping.opportunity_from_wire(self._crm, row, around, links=mine)
        return records

    async def _links_if_wanted(self, ids: Sequence[str], selection: Selection) -> Found[wire.OpportunityLead] | None:
        """Links by opportunity where they are read of the opportunity itself; what only needs contacts reads them later, by need."""
        return await self._links.find(ids) if selection.wants("SharpspringOpportunityFields", "links") else None

    async def _surroundings(self, selection: Selection) -> mapping.Surroundings:
        pipelines, definitions = await asyncio.gather(
            self._pipelines.get() if selection.wants("Opportunity", "pipeline_ref") else _nothing(),
            self._definitions.get() if selection.wants("Opportunity", "custom_fields") else _nothing(),
        )
        return mapping.Surroundings(
            currency=self._settings.currency,
            zone=self._settings.zone,
            pipelines={stage.local_id: pipeline.ref for pipeline in pipelines or () for stage in pipeline.stages},
            only_pipeline=pipelines[0].ref if pipelines and len(pipelines) == 1 else None,
            definitions=None if definitions is None else {entry.key: entry for entry in definitions if entry.applies_to == "opportunity"},
            read_fields=selection.of("Opportunity"),
        )

    async def _load_pipelines(self) -> Sequence[Pipeline]:
        return mapping.pipelines_from_wire(self._crm, self._settings.pipeline_name, await self._rpc.all(wire.DEAL_STAGES, {}))

    async def _load_users(self) -> Mapping[str, User]:
        profiles = await self._rpc.first_pages(wire.USER_PROFILES, {})
        self._unread_users = profiles.unread
        return {row.id: mapping.user_from_wire(self._crm, row) for row in profiles.rows}

    async def _load_definitions(self) -> Sequence[CustomFieldDefinition]:
        return [mapping.definition_from_wire(self._crm, row) for row in await self._rpc.all(wire.FIELDS, {"isCustom": 1})]


async def _nothing() -> None:
    """Stand in for a table that nobody needs."""


def _page(window: Window[R], one: Callable[[R], M | None]) -> Page[M]:
    """The records of a window's rows; a row that makes none does not belong to the list."""
    rows = [Row(record, str(place)) for place, row in window.rows if row is not None and (record := one(row)) is not None]
    return Page(
        rows=rows,
        has_more=window.has_more,
        position=None if window.end is None else str(window.end),
        dropped=sum(row is None for _, row in window.rows),
    )


def _mapped(found: Found[T], one: Callable[[list[T]], M | VendorError]) -> dict[str, M | VendorError]:
    return {local_id: rows if isinstance(rows, VendorError) else one(rows) for local_id, rows in found.items()}


def _of(crm: str, links: Found[wire.OpportunityLead] | None, local_id: str) -> list[wire.OpportunityLead] | VendorError | None:
    """The links of an opportunity; None where they are not wanted or cannot be read, which takes nothing else from it."""
    mine = None if links is None else links.get(local_id, [])
    if isinstance(mine, MalformedReplyError):
        warn(crm, "UNREADABLE_LINKS", f"The links of opportunity {local_id!r} cannot be read; they are shown as null.", local_id=local_id)
        return None
    return mine


def _numbers(ids: Sequence[str]) -> list[str]:
    """Only ids that the vendor could have given; the others exist nowhere."""
    return [local_id for local_id in ids if wire.is_row_id(local_id)]
