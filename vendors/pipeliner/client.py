"""A client of the Pipeliner REST API v100: one list call a page with its relations expanded, small tables kept, the rest in batches.

Writes and webhooks are mixed in. They change none of the tables that are kept.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import SecretStr

from vendors.auth import FixedAccess, basic
from vendors.capabilities import ById, EntityCheck, OpportunityLinks, Page, PageRequest, Row, Seeds
from vendors.changes import ChangeFacts, Watching
from vendors.errors import VendorError
from vendors.limiting import Limits
from vendors.model import UNREAD, Account, Contact, CustomFieldDefinition, Opportunity, Pipeline, Selection, User
from vendors.paging import lost
from vendors.pipeliner import entities, mapping, parties, projection, query, watching, wire
from vendors.pipeliner.closing import ClosingStages
from vendors.pipeliner.custom_fields import ENTITY_NAMES, Options, definitions_from_wire
from vendors.pipeliner.lookups import Lookups, Tables
from vendors.pipeliner.places import Slice
from vendors.pipeliner.projection import Ask
from vendors.pipeliner.reader import Reader, judge
from vendors.pipeliner.settings import Settings
from vendors.pipeliner.webhooks import Webhooks
from vendors.pipeliner.writing import Writing
from vendors.query import Condition, Pushdown, Sort
from vendors.registry import Link
from vendors.tables import Table
from vendors.wire import records_of

T = TypeVar("T")

# Not documented: the vendor publishes no limits. A modest number of our own, so that reads one by one do not flood it.
LIMITS: Final = Limits(max_concurrent=6, calls_per_second=20, burst=100)
_CHECKED: Final = ("Opportunities", "Pipelines", "Clients", "Accounts", "Contacts", "Currencies")
_USER_FIELDS: Final = "id,email,first_name,last_name,formatted_name,is_deleted,default_unit_id"


class Client(Writing, Webhooks):
    """Reads and writes one team space. Ids are the vendor's UUIDs as text."""

    def __init__(self, link: Link, settings: Settings) -> None:
        self._crm = link.crm
        headers: dict[str, SecretStr | str] = {"Authorization": basic(settings.username, settings.password), "Accept": "application/json"}
        self._http = link.http(auth=FixedAccess(settings.base_url, headers), limits=LIMITS, judge=judge)
        self._reader = Reader(self._http)

        def table(load: Callable[[], Awaitable[T]]) -> Table[T]:
            return Table(load, crm=link.crm, ttl_seconds=link.table_ttl_seconds, clock=link.clock)

        self._pipelines = table(self._load_pipelines)
        self._users = table(self._load_users)
        self._unread_users = 0
        self._currencies = table(self._load_currencies)
        self._types = table(self._load_types)
        self._options = table(self._load_options)
        self._fields = table(self._load_fields)
        self._definitions = table(self._load_definitions)
        tables = Tables(
            pipelines=self._pipelines,
            users=self._users,
            currencies=self._currencies,
            types=self._types,
            units=table(self._load_units),
            options=self._options,
            fields=self._fields,
        )
        self._lookups = Lookups(self._reader, tables)
        self._closing = ClosingStages(won=settings.won_stage_id, lost=settings.lost_stage_id)
        self._write_params = settings.write_params
        self._signature = settings.webhook_signature

    def opportunities_pushdown(self, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:
        return query.pushdown(query.OPPORTUNITIES, conditions, sort, sorts=query.SORTS)

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        return await self._opportunities_page(request, seeds=True) if query.can_match(request.where) else _nothing(request)

    async def changed_opportunities(self, since: datetime, request: PageRequest) -> Page[Opportunity]:
        return await self._opportunities_page(watching.changes_since(since, request), seeds=False)

    def watching(self) -> Watching:
        return watching.WATCHING

    def change_facts(self, record: Opportunity) -> ChangeFacts:
        return watching.change_facts(record)

    async def opportunities_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:
        ask = projection.ask_for_opportunities(selection, seeds=False)
        found, tables = await asyncio.gather(self._reader.by_ids(entities.OPPORTUNITIES, ids, ask), self._tables_for(selection))
        rows, errors = _split(found)
        return {**errors, **{record.local_id: record for record in await self._opportunities(rows.values(), tables, selection, ask)}}

    async def opportunity_links(self, opportunities: Sequence[Opportunity], selection: Selection) -> ById[OpportunityLinks]:
        """Read the links that came as URIs of their own rows."""
        accounts, contacts, options = await asyncio.gather(
            self._reader.linked(
                "LeadOpptyAccountRelations",
                wire.ACCOUNT_RELATIONS,
                "lead_oppty_id",
                [record.local_id for record in opportunities if record.account_refs is UNREAD],
                projection.ask_for_account_relations(selection),
            ),
            self._reader.linked(
                "LeadOpptyContactRelations",
                wire.CONTACT_RELATIONS,
                "lead_oppty_id",
                [record.local_id for record in opportunities if record.contact_refs is UNREAD],
                projection.ask_for_contact_relations(selection),
            ),
            self._options_for_accounts(selection),
        )
        account_links, errors = _split(accounts)
        contact_links, more_errors = _split(contacts)
        links = {
            record.local_id: mapping.links_from_wire(
                self._crm,
                record,
                account_links.get(record.local_id, ()),
                contact_links.get(record.local_id, ()),
                selection=selection,
                labels=options.labels,
            )
            for record in opportunities
        }
        return {**links, **errors, **more_errors}

    async def pipelines(self) -> Sequence[Pipeline]:
        return (await self._pipelines.get()).all

    async def users(self) -> Sequence[User]:
        return list((await self._users.get()).values())

    async def users_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[User]:  # noqa: ARG002  # the kept table is whole
        users = await self._users.get()
        if any(user_id not in users for user_id in ids):
            users = await self._users.get_after_miss()
        found = {user_id: users[user_id] for user_id in ids if user_id in users}
        return {**found, **lost(ids, found, self._unread_users, crm=self._crm, operation="Clients.list")}

    def accounts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        return query.pushdown(query.ACCOUNTS, conditions)

    async def accounts_page(self, request: PageRequest) -> Page[Account]:
        if not query.can_match(request.where):
            return _nothing(request)
        selection = request.selection
        ask = projection.ask_for_accounts(selection).including("is_deleted")
        found, options = await asyncio.gather(self._reader.slice(entities.ACCOUNTS, request, ask), self._options_for_accounts(selection))
        rows = {row.id: row for row, _ in found.rows}
        records, errors = _split(self._accounts(rows, await self._contact_links(list(rows), selection), options, selection))
        for error in errors.values():
            raise error
        return _page(request, found, list(records.values()))

    async def accounts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Account]:
        found, links, options = await asyncio.gather(
            self._reader.by_ids(entities.ACCOUNTS, ids, projection.ask_for_accounts(selection)),
            self._contact_links(ids, selection),
            self._options_for_accounts(selection),
        )
        rows, errors = _split(found)
        return {**errors, **self._accounts(rows, links, options, selection)}

    def contacts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        return query.pushdown(query.CONTACTS, conditions)

    async def contacts_page(self, request: PageRequest) -> Page[Contact]:
        if not query.can_match(request.where):
            return _nothing(request)
        selection = request.selection
        ask = projection.ask_for_contacts(selection, seeds=True).including("is_deleted")
        found, options = await asyncio.gather(self._reader.slice(entities.CONTACTS, request, ask), self._options_for_accounts(selection))
        rows = [row for row, _ in found.rows]
        records = records_of(parties.contact_from_wire, self._crm, rows, read_fields=selection.of("Contact"))
        seeds = mapping.contact_seeds_from_wire(self._crm, rows, selection=selection, labels=options.labels)
        return _page(request, found, records, seeds)

    async def contacts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Contact]:
        found = await self._reader.by_ids(entities.CONTACTS, ids, projection.ask_for_contacts(selection))
        rows, errors = _split(found)
        records = records_of(parties.contact_from_wire, self._crm, rows.values(), read_fields=selection.of("Contact"))
        return {**errors, **{record.local_id: record for record in records}}

    async def custom_field_definitions(self) -> Sequence[CustomFieldDefinition]:
        return await self._definitions.get()

    async def base_currency(self) -> str | None:
        return (await self._currencies.get()).base

    async def check(self) -> Sequence[EntityCheck]:
        checks = await asyncio.gather(*(self._check(entity) for entity in _CHECKED))
        errors = [check.error for check in checks if check.error is not None]
        if len(errors) == len(checks):
            raise errors[0]
        return checks

    async def _opportunities_page(self, request: PageRequest, *, seeds: bool) -> Page[Opportunity]:
        selection = request.selection
        ask = projection.ask_for_opportunities(selection, seeds=seeds)
        found, tables = await asyncio.gather(self._reader.slice(entities.OPPORTUNITIES, request, ask), self._tables_for(selection))
        rows = [row for row, _ in found.rows]
        held = mapping.seeds_from_wire(self._crm, rows, selection=selection, labels=tables.options.labels) if seeds else None
        return _page(request, found, await self._opportunities(rows, tables, selection, ask), held)

    async def _check(self, entity: str) -> EntityCheck:
        try:
            await self._reader.probe(entity)
        except VendorError as error:
            return EntityCheck(entity=entity, error=error)
        return EntityCheck(entity=entity, error=None)

    async def _opportunities(
        self, rows: Iterable[wire.Opportunity], tables: mapping.Tables, selection: Selection, ask: Ask
    ) -> list[Opportunity]:
        rows = list(rows)
        steps = {step_id for row in rows if (step_id := row.step_id or row.step) is not None}
        if projection.reads_steps(selection) and not steps <= tables.pipelines.stages.keys():
            tables = replace(tables, pipelines=await self._pipelines.get_after_miss())
        currencies = {row.value.currency_id for row in rows if row.value is not None and row.value.currency_id is not None}
        if projection.reads_currencies(selection) and not currencies <= tables.currencies.by_id.keys():
            tables = replace(tables, currencies=await self._currencies.get_after_miss())
        return records_of(
            mapping.opportunity_from_wire, self._crm, rows, tables=tables, read_fields=selection.of("Opportunity"), names=ask.only
        )

    async def _tables_for(self, selection: Selection) -> mapping.Tables:
        """The small tables that opportunities need for what is read of them."""
        custom = selection.wants("Opportunity", "custom_fields")
        pipelines, currencies, types, options, definitions = await asyncio.gather(
            self._or(self._pipelines, mapping.Pipelines(), wanted=projection.reads_steps(selection)),
            self._or(self._currencies, mapping.Currencies(), wanted=projection.reads_currencies(selection)),
            self._or(self._types, {}, wanted=selection.wants("Opportunity", "type")),
            self._or(self._options, Options(), wanted=projection.reads_labels(selection)),
            self._or(self._definitions, (), wanted=custom),
        )
        own = {entry.key: entry for entry in definitions if entry.applies_to == "opportunity"}
        return mapping.Tables(
            pipelines=pipelines,
            currencies=currencies,
            types={row.id: row.name for row in types.values()},
            options=options,
            custom_fields=own if custom else None,
        )

    async def _or(self, table: Table[T], default: T, *, wanted: bool) -> T:
        return await table.get() if wanted else default

    async def _options_for_accounts(self, selection: Selection) -> Options:
        return await self._or(self._options, Options(), wanted=selection.wants("Account", "industry"))

    async def _contact_links(self, ids: Sequence[str], selection: Selection) -> ById[Sequence[wire.ContactAccountRelation]]:
        """The links of accounts to their contacts, where they are read."""
        wanted = ids if selection.wants("PipelinerAccountFields", "contact_relations") else ()
        return await self._reader.linked("ContactAccountRelations", wire.CONTACT_ACCOUNT_RELATIONS, "account_id", wanted, Ask())

    def _accounts(
        self,
        rows: Mapping[str, wire.Account],
        links: ById[Sequence[wire.ContactAccountRelation]],
        options: Options,
        selection: Selection,
    ) -> ById[Account]:
        found, errors = _split(links)
        return {
            local_id: errors.get(local_id)
            or parties.account_from_wire(
                self._crm,
                row,
                labels=options.labels,
                contact_relations=found.get(local_id, ()),
                read_fields=selection.of("Account"),
            )
            for local_id, row in rows.items()
        }

    async def _load_pipelines(self) -> mapping.Pipelines:
        rows = await self._reader.all("Pipelines", wire.PIPELINES, ("expand", "steps"))
        unexpanded = any(isinstance(step, str) for row in rows for step in row.steps)
        return mapping.pipelines_from_wire(self._crm, rows, await self._reader.all("Steps", wire.STEPS) if unexpanded else ())

    async def _load_users(self) -> Mapping[str, User]:
        rows, self._unread_users = await self._reader.all_told("Clients", wire.CLIENTS, ("load-only", _USER_FIELDS))
        return {row.id: parties.user_from_wire(self._crm, row) for row in rows}

    async def _load_currencies(self) -> mapping.Currencies:
        return mapping.currencies_from_wire(await self._reader.all("Currencies", wire.CURRENCIES))

    async def _load_types(self) -> Mapping[str, wire.OpportunityType]:
        only = ("load-only", "id,is_deleted,name,pipeline_id")
        return {row.id: row for row in await self._reader.all("OpportunityTypes", wire.OPPORTUNITY_TYPES, only)}

    async def _load_units(self) -> frozenset[str]:
        rows = await self._reader.all("SalesUnits", wire.ROWS, ("load-only", "id,is_deleted"))
        return frozenset(row.id for row in rows if not row.is_deleted)

    async def _load_options(self) -> Options:
        return Options.of(await self._reader.all("Data", wire.DATA, ("load-only", "id,is_deleted,option_name,data_set_id")))

    async def _load_fields(self) -> Sequence[wire.Field]:
        found = await asyncio.gather(*(self._reader.all("Fields", wire.FIELDS, ("filter[entity_name]", name)) for name in ENTITY_NAMES))
        return [row for rows in found for row in rows]

    async def _load_definitions(self) -> Sequence[CustomFieldDefinition]:
        rows, options = await asyncio.gather(self._fields.get(), self._options.get())
        return definitions_from_wire(self._crm, rows, options)


def _nothing(request: PageRequest) -> Page[Any]:
    """The list of conditions that no record can fulfil."""
    return Page(rows=(), has_more=False, total=0 if request.count else None)


def _page(request: PageRequest, found: Slice[Any], records: Iterable[T], seeds: Seeds | None = None) -> Page[T]:
    """Make the page of the records that a slice's rows became."""
    return Page(
        rows=[Row(record, position) for record, (_, position) in zip(records, found.rows, strict=True)],
        has_more=found.has_more,
        position=found.position,
        dropped=found.dropped,
        seeds=seeds,
        total=found.total if request.count else None,
    )


def _split(found: ById[T]) -> tuple[dict[str, T], dict[str, VendorError]]:
    """What was found, and what failed."""
    errors = {local_id: value for local_id, value in found.items() if isinstance(value, VendorError)}
    return {local_id: value for local_id, value in found.items() if not isinstance(value, VendorError)}, errors
