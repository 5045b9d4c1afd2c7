"""A client of the ONLYOFFICE API 2.0: a list that embeds what it refers to, single records in batches, kept tables of stages and people."""

import asyncio
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from vendors.capabilities import ById, EntityCheck, OpportunityLinks, Page, PageRequest, Row, Seeds
from vendors.changes import ChangeFacts, Watching
from vendors.errors import NotFoundError, VendorError
from vendors.http import Reply, Request
from vendors.limiting import Limits
from vendors.model import UNREAD, Account, Contact, CustomFieldDefinition, Opportunity, Pipeline, Ref, Selection, User
from vendors.onlyoffice import links, mapping, parties, query, watching, wire
from vendors.onlyoffice.batch import Batch
from vendors.onlyoffice.custom_fields import definition_from_wire, is_heading
from vendors.onlyoffice.login import http_for
from vendors.onlyoffice.pages import MAX_ROWS, MAX_SIZE, Place, Read, Window, entries_of, rows_behind, rows_of_all_behind, window_of
from vendors.onlyoffice.parties import Reading
from vendors.onlyoffice.projection import projection_of
from vendors.onlyoffice.query import OpportunityFilter
from vendors.onlyoffice.settings import Settings
from vendors.onlyoffice.writing import Writing
from vendors.paging import LoopGuard, all_pages, lost
from vendors.query import Condition, Pushdown, Sort
from vendors.registry import Link
from vendors.tables import Table
from vendors.wire import Decoded

T = TypeVar("T")
R = TypeVar("R", Account, Contact)

# Source: Community Server: no throttling in its source; a moderate number of calls at once is our own choice.
LIMITS: Final = Limits(max_concurrent=8)
_LIST: Final = "crm/opportunity/filter"
_CONTACTS: Final = "crm/contact/filter"
_CHECKED: Final[Mapping[str, str]] = {
    "opportunity": _LIST,
    "stage": "crm/opportunity/stage",
    "contact": _CONTACTS,
    "people": "people/filter",
    "currency": "crm/settings/currency",
}


@dataclass(frozen=True, slots=True)
class _Users:
    """Users by their ids: those that the portal lists, and others that were read one by one."""

    listed: dict[str, User]
    others: dict[str, User] = field(default_factory=dict[str, User])


class Client(Writing):
    """Reads and writes one portal. Persons and companies share one id space: a company is an account, a person a contact."""

    def __init__(self, link: Link, settings: Settings) -> None:
        self._crm = link.crm
        self._settings = settings
        self._http = http_for(link, settings, LIMITS)
        self._batch = Batch(self._http, clock=link.clock)

        def table(load: Any) -> Table[Any]:
            return Table(load, crm=link.crm, ttl_seconds=link.table_ttl_seconds, clock=link.clock)

        self._pipeline: Table[Pipeline] = table(self._load_pipeline)
        # Source: Community Server, Users/Constants: one profile stands for all users that were removed.
        self._lost_user = User(ref=Ref(self._crm, mapping.LOST_USER_ID), is_active=False)
        self._users: Table[_Users] = table(self._load_users)
        self._definitions: Table[Sequence[CustomFieldDefinition]] = table(self._load_definitions)
        self._currencies: Table[Sequence[wire.Currency]] = table(self._load_currencies)
        self._self: Table[wire.Person] = table(self._load_self)

    def opportunities_pushdown(self, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:  # noqa: ARG002  # the vendor gives no order
        return query.opportunities_pushdown(conditions)

    def accounts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        return query.accounts_pushdown(conditions)

    def contacts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        return query.contacts_pushdown(conditions)

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        wanted = query.opportunity_filter(request.where)
        if wanted is None:
            return _nothing(request)
        place, people, dropped = Place.of(request.position), frozenset[str](), 0
        if wanted.account_id is not None and not place.lists:
            company = await self._people(wanted.account_id)
            if company is None:
                return _nothing(request)
            people = frozenset(person.id for person in company[0])
            # Somebody who could not be read has opportunities that nobody looks for.
            dropped = company[1] if request.position is None else 0
        page = await self._opportunity_page(request, wanted, parties.reading_of(wanted, place, people))
        return replace(page, dropped=page.dropped + dropped) if dropped else page

    async def opportunities_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:
        ids = [local_id for local_id in ids if query.is_number(local_id)]
        path_makers = [_opportunity_path, _tags_path] if selection.wants("Opportunity", "tags") else [_opportunity_path]
        found = await self._batch.read([path_of(local_id) for local_id in ids for path_of in path_makers])
        records: dict[str, Opportunity | VendorError] = {}
        for local_id in ids:
            row = self._batch.decoded(_opportunity_path(local_id), found, wire.OPPORTUNITY)
            if isinstance(row, VendorError):
                records[local_id] = row
            elif row is not None:
                # A read by id has no place for what it embeds; `opportunity_links` gives that along with the relations.
                records[local_id] = self._opportunity(row, found, are_links_later=True)
        return {**records, **await self._listed_by_ids([local_id for local_id in ids if local_id not in records], found)}

    async def opportunity_links(self, opportunities: Sequence[Opportunity], selection: Selection) -> ById[OpportunityLinks]:
        """Read all persons that are needed at once: for the account the primary contact, for contacts everybody."""
        is_account_wanted, are_persons_wanted = links.is_account_wanted(selection), links.are_persons_wanted(selection)
        wanted: list[str] = []
        for record in opportunities:
            own = links.own_fields(record)
            primary = 1 if is_account_wanted and mapping.needs_employer(own) else 0
            persons = mapping.persons_of(own)
            wanted += [person.id for person in (persons if are_persons_wanted else persons[:primary])]
        contacts = await self._contacts(wanted)
        read = {local_id: row for local_id, row in contacts.items() if not isinstance(row, VendorError)}
        found: dict[str, OpportunityLinks | VendorError] = {}
        for record in opportunities:
            own = links.own_fields(record)
            failed = contacts.get(own.contact.id) if own.contact is not None and is_account_wanted else None
            found[record.local_id] = failed if isinstance(failed, VendorError) else links.links_of(self._crm, record, read)
        return found

    async def pipelines(self) -> Sequence[Pipeline]:
        return [await self._pipeline.get()]

    async def users_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[User]:  # noqa: ARG002  # the kept table is whole
        kept = await self._users.get()
        # Source: Community Server, EmployeeApi: only administrators are given terminated people in lists; by guid everybody is.
        users = ChainMap({mapping.LOST_USER_ID: self._lost_user}, kept.others, kept.listed)
        missing = {user_id: f"people/{user_id}" for user_id in ids if user_id not in users and query.is_guid(user_id)}
        found = await self._batch.read(list(missing.values()))
        failed: dict[str, VendorError] = {}
        for user_id, path in missing.items():
            row = self._batch.decoded(path, found, wire.PERSON)
            if isinstance(row, VendorError):
                failed[user_id] = row
            elif row is not None:
                kept.others[user_id] = mapping.user_from_wire(self._crm, row)
        return {user_id: users.get(user_id) or failed[user_id] for user_id in ids if user_id in users or user_id in failed}

    async def accounts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Account]:  # noqa: ARG002  # single reads are whole
        found = await self._contacts(ids)
        return {
            local_id: row if isinstance(row, VendorError) else mapping.account_from_wire(self._crm, row)
            for local_id, row in found.items()
            if isinstance(row, VendorError) or row.isCompany
        }

    async def contacts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Contact]:  # noqa: ARG002  # single reads are whole
        found = await self._contacts(ids)
        return {
            local_id: row if isinstance(row, VendorError) else mapping.contact_from_wire(self._crm, row)
            for local_id, row in found.items()
            if isinstance(row, VendorError) or not row.isCompany
        }

    async def users(self) -> Sequence[User]:
        return list((await self._users.get()).listed.values())

    async def accounts_page(self, request: PageRequest) -> Page[Account]:
        if query.has_owner(request.where):
            return _nothing(request)
        return await self._contact_page(request, "Company", lambda row: mapping.account_from_wire(self._crm, row))

    async def contacts_page(self, request: PageRequest) -> Page[Contact]:
        account_id = query.account_of(request.where)
        if query.has_owner(request.where) or (account_id is not None and not query.is_number(account_id)):
            return _nothing(request)
        if account_id is not None:
            return await self._company_page(request, account_id)
        return await self._contact_page(request, "Person", lambda row: mapping.contact_from_wire(self._crm, row))

    async def custom_field_definitions(self) -> Sequence[CustomFieldDefinition]:
        return await self._definitions.get()

    async def base_currency(self) -> str | None:
        return self._settings.base_currency or mapping.base_currency_of(await self._currencies.get())

    def watching(self) -> Watching:
        return watching.WATCHING

    def change_facts(self, record: Opportunity) -> ChangeFacts:
        return watching.change_facts(record)

    async def check(self) -> Sequence[EntityCheck]:
        return await asyncio.gather(*(self._check(entity, path) for entity, path in _CHECKED.items()))

    async def _check(self, entity: str, path: str) -> EntityCheck:
        try:
            await self._http.send(Request(operation=path, path=path, params=[("count", "1")]))
        except VendorError as error:
            return EntityCheck(entity=entity, error=error)
        return EntityCheck(entity=entity, error=None)

    async def _opportunity_page(self, request: PageRequest, wanted: OpportunityFilter, reading: Reading) -> Page[Opportunity]:
        projection = projection_of(request.selection, wanted)
        fields = [] if projection is None else projection.params

        def read_of(name: str) -> Read[wire.Opportunity]:
            return self._windows(_LIST, wire.OPPORTUNITIES, [*wanted.params, *parties.params_of(name), *fields])

        if reading.place.lists:
            behind = await rows_of_all_behind(reading.place, request.size, read_of, lambda: self._guard(_LIST))
        else:
            size = MAX_SIZE if reading.is_sieve else request.size
            behind = await rows_behind(reading.place, size, read_of(""), self._guard(_LIST))
        read = [(entry.row, str(entry.place)) for entry in behind.entries if entry.row is not None]
        kept = [(row, place) for row, place in read if wanted.keeps(row, reading.people)]
        is_cut, is_whole = len(kept) > request.size, len(kept) == len(read)
        kept = kept[: request.size]
        records = await self._listed([row for row, _ in kept], request.selection, wanted.account_id, reading.people)
        if projection is not None:
            records = [projection.narrowed(record) for record in records]
        return Page(
            rows=[Row(record, place) for record, (_, place) in zip(records, kept, strict=True)],
            has_more=is_cut or behind.has_more,
            position=kept[-1][1] if is_cut else str(behind.entries[-1].place) if behind.entries else None,
            dropped=behind.lost + len(behind.entries) - len(read),
            seeds=self._seeds([row for row, _ in kept]) if projection is None else None,
            total=behind.total if request.count and is_whole and not reading.is_sieve else None,
        )

    def _seeds(self, rows: Sequence[wire.Opportunity]) -> Seeds:
        """What the rows hold of others; what they hold of removed users is kept, because nothing else tells it."""
        seeds = links.seeds_of(self._crm, rows)
        self._lost_user = next((user for user in seeds.users if user.local_id == mapping.LOST_USER_ID), self._lost_user)
        return seeds

    async def _contact_page(self, request: PageRequest, view: str, map_row: Callable[[wire.Contact], R]) -> Page[R]:
        read = self._windows(_CONTACTS, wire.CONTACTS, [("contactListView", view)])
        behind = await rows_behind(Place.of(request.position), request.size, read, self._guard(_CONTACTS))
        rows = [(entry.row, str(entry.place)) for entry in behind.entries if entry.row is not None]
        return Page(
            rows=[Row(map_row(row), place) for row, place in rows],
            has_more=behind.has_more,
            position=str(behind.entries[-1].place) if behind.entries else None,
            dropped=behind.lost + len(behind.entries) - len(rows),
            seeds=links.employers_of(self._crm, [row for row, _ in rows]),
            total=behind.total if request.count else None,
        )

    async def _company_page(self, request: PageRequest, account_id: str) -> Page[Contact]:
        """People of a company, which the vendor lists at once and in no stated order; here they are in that of their ids."""
        company = await self._people(account_id)
        if company is None:
            return _nothing(request)
        people, dropped = company
        place = Place.of(request.position)
        behind = [row for row in people if int(row.id) > place.last_id]
        given = [(row, str(Place(last_id=int(row.id)))) for row in behind[: request.size]]
        return Page(
            rows=[Row(mapping.contact_from_wire(self._crm, row), position) for row, position in given],
            has_more=len(behind) > len(given),
            position=given[-1][1] if given else None,
            dropped=dropped if request.position is None else 0,
            seeds=links.employers_of(self._crm, [row for row, _ in given]),
            total=len(people) if request.count else None,
        )

    async def _people(self, account_id: str) -> tuple[Sequence[wire.Contact], int] | None:
        """People of a company by id, and how many of them could not be read; None where there is no such company for the user."""
        try:
            rows, dropped = await self._all(f"crm/contact/company/{account_id}/person", "crm/contact/company/person", wire.CONTACTS)
        except NotFoundError:
            return None
        # Source: Community Server, ContactDao AddMember: who was added to another company since is still among the people of the first.
        people = [row for row in rows if row.company is not None and row.company.id == account_id]
        return sorted(people, key=lambda row: int(row.id)), dropped

    def _windows(self, path: str, decoder: wire.PortalDecoder[wire.Envelope[list[T]]], filters: Sequence[tuple[str, str]]) -> Read[T]:
        async def read(start: int, count: int) -> Window[T]:
            # Source: Community Server, DealDao and ContactDao: ordered by id only when asked to; the default orders have ties.
            order = [("sortBy", "id"), ("sortOrder", "ascending")]
            answer = await self._list(path, path, decoder, start=start, count=count, more=[*order, *filters])
            return window_of(answer, start, count)

        return read

    def _guard(self, operation: str) -> LoopGuard:
        return LoopGuard(crm=self._crm, operation=operation)

    async def _listed(
        self, rows: Sequence[wire.Opportunity], selection: Selection, account_id: str | None, people: frozenset[str]
    ) -> list[Opportunity]:
        """Map rows of a list. Where one account hangs on a person, all persons of the page are left to the one call that reads that."""
        tags = await self._batch.read([_tags_path(row.id) for row in rows] if selection.wants("Opportunity", "tags") else [])
        records = [self._opportunity(row, tags) for row in rows]
        if account_id is not None:
            of_company = [row.contact is not None and row.contact.id in people for row in rows]
            pairs = zip(records, of_company, strict=True)
            records = [links.with_employer(record, account_id) if is_known else record for record, is_known in pairs]
        is_person_read = links.is_account_wanted(selection) and any(record.account_ref is UNREAD for record in records)
        if is_person_read and links.are_persons_wanted(selection):
            return [links.with_contacts_later(record) for record in records]
        return records

    async def _listed_by_ids(self, ids: Sequence[str], found: ById[Reply]) -> ById[Opportunity]:
        """Find in the list what does not exist by id: an opportunity whose stage is gone is there all the same."""
        if not ids:
            return {}
        try:
            entries = await entries_of(map(int, ids), self._windows(_LIST, wire.OPPORTUNITIES, []), self._guard(_LIST))
        except VendorError as error:
            return dict.fromkeys(ids, error)
        listed = {entry.row.id: self._opportunity(entry.row, found, are_links_later=True) for entry in entries if entry.row is not None}
        unread = [str(entry.place.last_id) for entry in entries if entry.row is None]
        return {**listed, **lost(unread, listed, len(unread), crm=self._crm, operation=_LIST)}

    def _opportunity(self, row: wire.Opportunity, found: ById[Reply], *, are_links_later: bool = False) -> Opportunity:
        tags = self._batch.decoded(_tags_path(row.id), found, wire.TAGS)
        return mapping.opportunity_from_wire(
            self._crm,
            row,
            tags=None if tags is None or isinstance(tags, VendorError) else tuple(tags),
            date_format=self._settings.custom_date_format,
            are_links_later=are_links_later,
        )

    async def _contacts(self, ids: Iterable[str]) -> ById[wire.Contact]:
        """Read persons and companies, each id once."""
        paths = {local_id: f"crm/contact/{local_id}" for local_id in ids if query.is_number(local_id)}
        found = await self._batch.read(list(paths.values()))
        contacts: dict[str, wire.Contact | VendorError] = {}
        for local_id, path in paths.items():
            contact = self._batch.decoded(path, found, wire.CONTACT)
            if contact is not None:
                contacts[local_id] = contact
        return contacts

    async def _list(
        self,
        path: str,
        operation: str,
        decoder: wire.PortalDecoder[wire.Envelope[list[T]]],
        *,
        start: int,
        count: int,
        more: Sequence[tuple[str, str]] = (),
    ) -> Decoded[wire.Envelope[list[T]]]:
        params = [("startIndex", str(start)), ("count", str(count)), *more]
        # Only the people of a company have an id in their path.
        request = Request(operation=operation, path=path, params=params, by_id=path != operation)
        return decoder.read(self._http, request, await self._http.send(request))

    async def _all(self, path: str, operation: str, decoder: wire.PortalDecoder[wire.Envelope[list[T]]]) -> tuple[Sequence[T], int]:
        """Read a whole list: its rows, and how many of them could not be read."""
        dropped = 0

        async def page(after: str | None) -> tuple[Sequence[T], str | None]:
            nonlocal dropped
            start = int(after or 0)
            answer = await self._list(path, operation, decoder, start=start, count=MAX_ROWS)
            dropped += len(answer.dropped)
            received = len(answer.value.response) + len(answer.dropped)
            has_more = received >= MAX_ROWS or (received > 0 and answer.value.nextIndex is not None)
            return answer.value.response, str(start + received) if has_more else None

        return await all_pages(page, LoopGuard(crm=self._crm, operation=operation)), dropped

    async def _load_pipeline(self) -> Pipeline:
        rows, _ = await self._all("crm/opportunity/stage", "crm/opportunity/stage", wire.STAGES)
        return mapping.pipeline_from_stages(self._crm, self._settings.pipeline_name, rows)

    async def _load_users(self) -> "_Users":
        rows, _ = await self._all("people/filter", "people/filter", wire.PEOPLE)
        return _Users({row.id: mapping.user_from_wire(self._crm, row) for row in rows})

    async def _load_definitions(self) -> Sequence[CustomFieldDefinition]:
        path = "crm/opportunity/customfield/definitions"
        rows, _ = await self._all(path, path, wire.CUSTOM_FIELDS)
        return [definition_from_wire(self._crm, row) for row in rows if not is_heading(row)]

    async def _load_currencies(self) -> Sequence[wire.Currency]:
        rows, _ = await self._all("crm/settings/currency", "crm/settings/currency", wire.CURRENCIES)
        return rows

    async def _load_self(self) -> wire.Person:
        request = Request(operation="people/@self", path="people/@self")
        return wire.PERSON.read(self._http, request, await self._http.send(request)).value.response


def _nothing(request: PageRequest) -> Page[Any]:
    return Page(rows=(), has_more=False, total=0 if request.count else None)


def _opportunity_path(local_id: str) -> str:
    return f"crm/opportunity/{local_id}"


def _tags_path(local_id: str) -> str:
    return f"crm/opportunity/tag/{local_id}"
