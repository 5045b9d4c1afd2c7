"""A client of the Pipeliner REST API v100: one list call a page with its relations expanded, small tables kept, the rest in batches."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from pydantic import SecretStr

from vendors.auth import FixedAccess, basic
from vendors.capabilities import ById, EntityCheck, OpportunityLinks, Page, PageRequest, Row, Seeds
from vendors.errors import VendorError
from vendors.limiting import Limits
from vendors.model import UNREAD, Account, Contact, CustomFieldDefinition, Opportunity, Pipeline, Selection, User
from vendors.pipeliner import mapping, parties, projection, wire
from vendors.pipeliner.custom_fields import ENTITY_NAMES, Options, definitions_from_wire
from vendors.pipeliner.places import Slice
from vendors.pipeliner.projection import Ask
from vendors.pipeliner.reader import Reader, is_id, judge
from vendors.pipeliner.settings import Settings
from vendors.registry import Link
from vendors.tables import Table

T = TypeVar("T")

# Not documented: the vendor publishes no limits. A modest number of our own, so that reads one by one do not flood it.
LIMITS: Final = Limits(max_concurrent=6, calls_per_second=20, burst=100)
_CHECKED: Final = ("Opportunities", "Pipelines", "Clients", "Accounts", "Contacts", "Currencies")
_USER_FIELDS: Final = "id,email,first_name,last_name,formatted_name,is_deleted,default_unit_id"


class Client:
    """Reads one team space. Ids are the vendor's UUIDs as text."""

    def __init__(self, link: Link, settings: Settings) -> None:
        self._crm = link.crm
        headers: dict[str, SecretStr | str] = {"Authorization": basic(settings.username, settings.password), "Accept": "application/json"}
        self._reader = Reader(link.http(auth=FixedAccess(settings.base_url, headers), limits=LIMITS, judge=judge))

        def table(load: Callable[[], Awaitable[T]]) -> Table[T]:
            return Table(load, ttl_seconds=link.table_ttl_seconds, clock=link.clock)

        self._pipelines = table(self._load_pipelines)
        self._users = table(self._load_users)
        self._currencies = table(self._load_currencies)
        self._types = table(self._load_types)
        self._options = table(self._load_options)
        self._definitions = table(self._load_definitions)

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        ask = projection.ask_for_opportunities(request.selection, seeds=True)
        found, tables = await asyncio.gather(
            self._reader.slice("Opportunities", wire.OPPORTUNITIES, request, ask.params()), self._tables_for(request.selection)
        )
        rows = [row for row, _ in found.rows]
        records = await self._opportunities(rows, tables, request.selection, ask)
        shown = [
            Row(record, position)
            for record, (_, position) in zip(records, found.rows, strict=True)
            if request.include_deleted or not record.is_deleted
        ]
        return _page(found, shown, mapping.seeds_from_wire(self._crm, rows, selection=request.selection, labels=tables.options.labels))

    async def account_opportunities_page(self, account_id: str, request: PageRequest) -> Page[Opportunity]:
        if not is_id(account_id):
            return _NOTHING
        selection = request.selection
        ask = projection.ask_for_opportunities(selection, seeds=True)
        params = [("filter[account_id]", account_id), *ask.below("oppty", ("id", "is_deleted", "lead_oppty_id")).params()]
        found, tables = await asyncio.gather(
            self._reader.slice("LeadOpptyAccountRelations", wire.ACCOUNT_RELATIONS, request, params), self._tables_for(selection)
        )
        rows = [link.oppty for link, _ in found.rows if isinstance(link.oppty, wire.Opportunity)]
        records = {record.local_id: record for record in await self._opportunities(rows, tables, selection, ask)}
        records |= await self._unexpanded([link.oppty for link, _ in found.rows], self.opportunities_by_ids, selection)
        shown: list[Row[Opportunity]] = []
        for link, position in found.rows:
            record = records.get(wire.id_in(link.oppty) or "")  # the link of a lead has no opportunity
            # A link that is deleted while its opportunity is not was taken away.
            if record is not None and (not link.is_deleted or record.is_deleted) and (request.include_deleted or not record.is_deleted):
                shown.append(Row(record, position))
        return _page(found, shown, mapping.seeds_from_wire(self._crm, rows, selection=selection, labels=tables.options.labels))

    async def opportunities_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:
        ask = projection.ask_for_opportunities(selection, seeds=False)
        found, tables = await asyncio.gather(
            self._reader.by_ids("Opportunities", wire.OPPORTUNITIES, wire.OPPORTUNITY, ids, ask), self._tables_for(selection)
        )
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
            self._or(self._options, Options(), wanted=selection.wants("Account", "industry")),
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

    async def users_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[User]:  # noqa: ARG002  # the kept table is whole
        users = await self._users.get()
        if any(user_id not in users for user_id in ids):
            users = await self._users.get_after_miss()
        return {user_id: users[user_id] for user_id in ids if user_id in users}

    async def accounts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Account]:
        with_links = ids if selection.wants("PipelinerAccountFields", "contact_relations") else ()
        found, linked, options = await asyncio.gather(
            self._reader.by_ids("Accounts", wire.ACCOUNTS, wire.ACCOUNT, ids, projection.ask_for_accounts(selection)),
            self._reader.linked("ContactAccountRelations", wire.CONTACT_ACCOUNT_RELATIONS, "account_id", with_links, Ask()),
            self._or(self._options, Options(), wanted=selection.wants("Account", "industry")),
        )
        rows, errors = _split(found)
        links, link_errors = _split(linked)
        records = {
            local_id: parties.account_from_wire(
                self._crm,
                row,
                labels=options.labels,
                contact_relations=links.get(local_id, ()),
                read_fields=selection.of("Account"),
            )
            for local_id, row in rows.items()
        }
        return {**records, **errors, **{local_id: error for local_id, error in link_errors.items() if local_id in records}}

    async def contacts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Contact]:
        found = await self._reader.by_ids("Contacts", wire.CONTACTS, wire.CONTACT, ids, projection.ask_for_contacts(selection))
        rows, errors = _split(found)
        read_fields = selection.of("Contact")
        return {**errors, **{row.id: parties.contact_from_wire(self._crm, row, read_fields=read_fields) for row in rows.values()}}

    async def account_contacts_page(self, account_id: str, request: PageRequest) -> Page[Contact]:
        if not is_id(account_id):
            return _NOTHING
        selection = request.selection
        ask = projection.ask_for_contacts(selection).below("contact", ("id", "is_deleted", "contact_id", "contact.is_deleted"))
        found = await self._reader.slice(
            "ContactAccountRelations",
            wire.CONTACT_ACCOUNT_RELATIONS,
            request,
            [("filter[account_id]", account_id), *ask.params()],
        )
        links = [(link, position) for link, position in found.rows if not link.is_deleted]
        hidden = {link.contact.id for link, _ in links if isinstance(link.contact, wire.Contact) and link.contact.is_deleted}
        expanded = [link.contact for link, _ in links if isinstance(link.contact, wire.Contact)]
        records = {
            row.id: parties.contact_from_wire(self._crm, row, read_fields=selection.of("Contact"))
            for row in expanded
            if request.include_deleted or row.id not in hidden
        }
        records |= await self._unexpanded([link.contact or link.contact_id for link, _ in links], self.contacts_by_ids, selection)
        # A contact may have several links to the account; the first one counts.
        shown: dict[str, Row[Contact]] = {}
        for link, position in links:
            local_id = wire.id_in(link.contact) or link.contact_id or ""
            if local_id in records:
                shown.setdefault(local_id, Row(records[local_id], position))
        return _page(found, list(shown.values()))

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
        return [
            mapping.opportunity_from_wire(self._crm, row, tables=tables, read_fields=selection.of("Opportunity"), names=ask.only)
            for row in rows
        ]

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
            pipelines=pipelines, currencies=currencies, types=types, options=options, custom_fields=own if custom else None
        )

    async def _or(self, table: Table[T], default: T, *, wanted: bool) -> T:
        return await table.get() if wanted else default

    async def _unexpanded(
        self, links: Iterable[wire.Row | str | None], read: Callable[[Sequence[str], Selection], Awaitable[ById[T]]], selection: Selection
    ) -> dict[str, T]:
        """Read the records that a reply only links to (raises VendorError)."""
        ids = dict.fromkeys(found for link in links if isinstance(link, str) and (found := wire.id_in(link)) is not None)
        if not ids:
            return {}
        records, errors = _split(await read(list(ids), selection))
        for error in errors.values():
            raise error
        return dict(records)

    async def _load_pipelines(self) -> mapping.Pipelines:
        rows = await self._reader.all("Pipelines", wire.PIPELINES, ("expand", "steps"))
        unexpanded = any(isinstance(step, str) for row in rows for step in row.steps)
        return mapping.pipelines_from_wire(self._crm, rows, await self._reader.all("Steps", wire.STEPS) if unexpanded else ())

    async def _load_users(self) -> Mapping[str, User]:
        rows = await self._reader.all("Clients", wire.CLIENTS, ("load-only", _USER_FIELDS))
        return {row.id: parties.user_from_wire(self._crm, row) for row in rows}

    async def _load_currencies(self) -> mapping.Currencies:
        return mapping.currencies_from_wire(await self._reader.all("Currencies", wire.CURRENCIES))

    async def _load_types(self) -> Mapping[str, str | None]:
        return {row.id: row.name for row in await self._reader.all("OpportunityTypes", wire.OPPORTUNITY_TYPES, ("load-only", "id,name"))}

    async def _load_options(self) -> Options:
        return Options.of(await self._reader.all("Data", wire.DATA, ("load-only", "id,option_name,data_set_id")))

    async def _load_definitions(self) -> Sequence[CustomFieldDefinition]:
        async def fields() -> list[wire.Field]:
            found = await asyncio.gather(*(self._reader.all("Fields", wire.FIELDS, ("filter[entity_name]", name)) for name in ENTITY_NAMES))
            return [row for rows in found for row in rows]

        rows, options = await asyncio.gather(fields(), self._options.get())
        return definitions_from_wire(self._crm, rows, options)


_NOTHING: Final[Page[Any]] = Page(rows=(), has_more=False)


def _page(found: Slice[Any], rows: Sequence[Row[T]], seeds: Seeds | None = None) -> Page[T]:
    return Page(rows=rows, has_more=found.has_more, position=found.position, dropped=found.dropped, seeds=seeds)


def _split(found: ById[T]) -> tuple[dict[str, T], dict[str, VendorError]]:
    """What was found, and what failed."""
    errors = {local_id: value for local_id, value in found.items() if isinstance(value, VendorError)}
    return {local_id: value for local_id, value in found.items() if not isinstance(value, VendorError)}, errors
