"""A client of the Autotask REST API: reads by `POST {Entity}/query`, by keyset over ids, and picklists from the metadata.

Its writes are mixed in (`writing.py`).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

import orjson
from pydantic import SecretStr, TypeAdapter
from yarl import URL

from vendors.auth import Access, FixedAccess, ObtainedAccess, directory
from vendors.autotask import mapping, query, watching, wire
from vendors.autotask.refusals import RefusalError
from vendors.autotask.settings import Settings
from vendors.autotask.writing import Writing
from vendors.capabilities import ById, EntityCheck, Page, PageRequest, Row
from vendors.changes import ChangeFacts, Watching
from vendors.errors import CredentialsError, NotFoundError, PermissionDeniedError, RateLimitedError, RejectedRequestError, VendorError
from vendors.http import Fail, Reply, Request
from vendors.limiting import Limits
from vendors.meanings import retry_after_seconds
from vendors.model import Account, Contact, CustomFieldDefinition, Opportunity, Pipeline, Record, Selection, User
from vendors.paging import LoopGuard, all_pages, in_chunks, lost
from vendors.query import Condition, Field, Pushdown, Sort
from vendors.registry import Link
from vendors.tables import Table
from vendors.wire import Decoded, Decoder, records_of

T = TypeVar("T")
R = TypeVar("R", bound=wire.Record)
M = TypeVar("M", bound=Record)

# Source: Autotask REST "Thresholds and limits" and "Thread limiting" (vendor help): 10,000 requests an hour for a customer's database,
# 3 requests at once for an entity. The server counts a request for a moment after its answer, so 2 are used.
LIMITS: Final = Limits(max_concurrent=10, max_concurrent_per_entity=2, calls_per_second=10_000 / 3_600, burst=500)
_ZONE_LIMITS: Final = Limits(max_concurrent=2)
# Source: Autotask REST "Advanced query features" (vendor help): at most 500 rows a page.
_MAX_ROWS: Final = 500
_ZONE_LIFETIME_SECONDS: Final = 12 * 3_600.0
_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500
# Source: texts seen by public clients; the vendor documents none. They are matched loosely and never passed on.
_KIND_OF_TEXT: Final[Sequence[tuple[str, type[VendorError]]]] = (
    ("threshold", RateLimitedError),
    ("zone information", CredentialsError),
    ("integration code", CredentialsError),
    ("integrationcode", CredentialsError),
    ("no matching records found", NotFoundError),
    ("permission", PermissionDeniedError),
)
_ROW_ID: Final = TypeAdapter[str](wire.RowId)
_REST_PATH: Final = "atservicesrest/v1.0/"
_METADATA_OF: Final = {"opportunity": "Opportunities", "account": "Companies", "contact": "Contacts"}


class Client(Writing):
    """Reads and writes one Autotask database. Ids are the vendor's numbers as text; 0 is a legal company."""

    def __init__(self, link: Link, settings: Settings) -> None:
        self._crm = link.crm
        self._settings = settings
        headers: dict[str, SecretStr | str] = {
            "ApiIntegrationCode": settings.integration_code,
            "UserName": settings.username,
            "Secret": settings.secret,
        }
        self._zone_http = link.http(auth=FixedAccess(settings.zone_url, {}), limits=_ZONE_LIMITS, judge=judge)
        self._headers = FixedAccess(settings.zone_url, headers)
        self._http = link.http(
            auth=ObtainedAccess(self._find_zone, lifetime_seconds=_ZONE_LIFETIME_SECONDS, clock=link.clock), limits=LIMITS, judge=judge
        )

        def table(load: Any) -> Table[Any]:
            return Table(load, crm=link.crm, ttl_seconds=link.table_ttl_seconds, clock=link.clock)

        self._picklists: Table[mapping.Picklists] = table(lambda: self._load_picklists("Opportunities"))
        self._company_picklists: Table[mapping.Picklists] = table(lambda: self._load_picklists("Companies"))
        self._contact_picklists: Table[mapping.Picklists] = table(lambda: self._load_picklists("Contacts"))
        self._currencies: Table[mapping.Currencies] = table(self._load_currencies)
        self._users: Table[mapping.Users] = table(self._load_users)
        self._unread_users = 0
        self._definitions: Table[Sequence[CustomFieldDefinition]] = table(self._load_definitions)

    def opportunities_pushdown(self, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:  # noqa: ARG002  # the vendor gives no order
        return query.pushdown(query.OPPORTUNITIES, conditions)

    def accounts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        return query.pushdown(query.ACCOUNTS, conditions)

    def contacts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        return query.pushdown(query.CONTACTS, conditions)

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        asks_status = any(condition.field is Field.STATUS for condition in request.where)
        wanted = query.opportunities_filter(request.where, await self._or(self._picklists, mapping.Picklists(), wanted=asks_status))
        if wanted is None:
            return _nothing(request)
        fields = mapping.opportunity_fields(request.selection)
        page, _ = await asyncio.gather(
            self._page("Opportunities", wire.OPPORTUNITIES, wanted, request, fields=fields), self._tables_for(request.selection)
        )
        return _mapped(page, await self._opportunities(_records(page), request.selection))

    async def accounts_page(self, request: PageRequest) -> Page[Account]:
        wanted = query.accounts_filter(request.where)
        if wanted is None:
            return _nothing(request)
        fields = mapping.account_fields(request.selection)
        page, _ = await asyncio.gather(
            self._page("Companies", wire.COMPANIES, wanted, request, fields=fields),
            self._account_tables_for(request.selection),
        )
        return _mapped(page, await self._accounts(_records(page), request.selection))

    async def contacts_page(self, request: PageRequest) -> Page[Contact]:
        wanted = query.contacts_filter(request.where)
        if wanted is None:
            return _nothing(request)
        fields = mapping.contact_fields(request.selection)
        page = await self._page("Contacts", wire.CONTACTS, wanted, request, fields=fields)
        return _mapped(page, self._contacts(_records(page), request.selection))

    async def opportunities_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:
        async def read(chunk: Sequence[str]) -> ById[Opportunity]:
            answer, _ = await asyncio.gather(
                self._query("Opportunities", wire.OPPORTUNITIES, query.by_ids(chunk), fields=mapping.opportunity_fields(selection)),
                self._tables_for(selection),
            )
            return self._found("Opportunities", chunk, answer, await self._opportunities(answer.value.items, selection))

        return await in_chunks(list(filter(query.is_id, ids)), query.MAX_ALTERNATIVES, read)

    def watching(self) -> Watching:
        return watching.WATCHING

    def change_facts(self, record: Opportunity) -> ChangeFacts:
        return watching.change_facts(record)

    async def changed_opportunities(self, since: datetime, request: PageRequest) -> Page[Opportunity]:
        """Read by id, which no change alters: what had changed before the first page comes; what changes meanwhile is for the next poll."""
        fields = watching.fields_with_stamps(mapping.opportunity_fields(request.selection))
        # A whole page of the vendor's, of which the older rows are left out.
        asked = replace(request, size=max(request.size, _MAX_ROWS), count=False)
        page, _ = await asyncio.gather(
            self._page("Opportunities", wire.OPPORTUNITIES, query.changed_since(since), asked, fields=fields),
            self._tables_for(request.selection),
        )
        page = watching.told_since(page, since, request.size)
        return _mapped(page, await self._opportunities(_records(page), request.selection))

    async def pipelines(self) -> Sequence[Pipeline]:
        return [mapping.pipeline_from_picklist(self._crm, self._settings.pipeline_name, await self._picklists.get())]

    async def users(self) -> Sequence[User]:
        return list((await self._users.get()).by_id.values())

    async def users_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[User]:  # noqa: ARG002  # the kept table is whole
        users = (await self._users.get()).by_id
        if any(user_id not in users for user_id in ids):
            users = (await self._users.get_after_miss()).by_id
        found = {user_id: users[user_id] for user_id in ids if user_id in users}
        return {**found, **lost(ids, found, self._unread_users, crm=self._crm, operation="Resources.query")}

    async def accounts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Account]:
        async def read(chunk: Sequence[str]) -> ById[Account]:
            answer, _ = await asyncio.gather(
                self._query("Companies", wire.COMPANIES, query.by_ids(chunk), fields=mapping.account_fields(selection)),
                self._account_tables_for(selection),
            )
            return self._found("Companies", chunk, answer, await self._accounts(answer.value.items, selection))

        return await in_chunks(list(filter(query.is_id, ids)), query.MAX_ALTERNATIVES, read)

    async def contacts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Contact]:
        async def read(chunk: Sequence[str]) -> ById[Contact]:
            answer = await self._query("Contacts", wire.CONTACTS, query.by_ids(chunk), fields=mapping.contact_fields(selection))
            return self._found("Contacts", chunk, answer, self._contacts(answer.value.items, selection))

        return await in_chunks(list(filter(query.is_id, ids)), query.MAX_ALTERNATIVES, read)

    async def custom_field_definitions(self) -> Sequence[CustomFieldDefinition]:
        return await self._definitions.get()

    async def base_currency(self) -> str | None:
        return (await self._currencies.get()).internal

    async def check(self) -> Sequence[EntityCheck]:
        return await asyncio.gather(
            *(self._check(entity) for entity in ("Opportunities", "Companies", "Contacts", "Resources", "Currencies"))
        )

    def _found(self, entity: str, ids: Sequence[str], answer: Decoded[Any], records: Iterable[M]) -> ById[M]:
        """What became of ids, by an answer and the records of its rows."""
        found = {record.local_id: record for record in records}
        return {**found, **lost(ids, found, len(answer.dropped), crm=self._crm, operation=f"{entity}.query")}

    async def _check(self, entity: str) -> EntityCheck:
        try:
            await self._http.send(_query_request(entity, _ALL, fields=["id"], size=1))
        except VendorError as error:
            return EntityCheck(entity=entity, error=error)
        return EntityCheck(entity=entity, error=None)

    async def _page(
        self,
        entity: str,
        decoder: Decoder[wire.Items[R]],
        wanted: query.Filter,
        request: PageRequest,
        *,
        fields: Sequence[str] | None,
    ) -> Page[R]:
        """Read a page of rows as they came, and at the same time the number of all rows where it is wanted."""
        page, total = await asyncio.gather(
            self._rows(entity, decoder, wanted, request, fields=fields), self._count(entity, wanted, is_wanted=request.count)
        )
        return replace(page, total=total)

    async def _rows(
        self, entity: str, decoder: Decoder[wire.Items[R]], wanted: query.Filter, request: PageRequest, *, fields: Sequence[str] | None
    ) -> Page[R]:
        rows: list[Row[R]] = []
        behind, left, dropped, has_more = request.position, request.size, 0, True
        while has_more and left > 0:
            answer = await self._query(entity, decoder, query.behind(wanted, behind), fields=fields, size=left)
            found, unread = answer.value.items, answer.dropped
            rows += [Row(row, row.id) for row in found]
            dropped += len(unread)
            left -= len(found) + len(unread)
            has_more = bool(answer.value.pageDetails.nextPageUrl)
            seen = [int(row.id) for row in found] + [row_id for row in unread if (row_id := _row_id(row.get("id"))) is not None]
            if not seen:
                break
            behind = str(max(seen))
        return Page(rows=rows, has_more=has_more, position=None if behind == request.position else behind, dropped=dropped)

    async def _count(self, entity: str, wanted: query.Filter, *, is_wanted: bool) -> int | None:
        """The vendor's number of all rows. Source: Autotask REST "Basic query calls", query/count (vendor help)."""
        if not is_wanted:
            return None
        request = _posted(entity, "query/count", {"filter": query.behind(wanted, None)})
        return wire.COUNT.read(self._http, request, await self._http.send(request)).value.queryCount

    async def _accounts(self, rows: Sequence[wire.Company], selection: Selection) -> list[Account]:
        picklists, currencies = await self._account_tables_for(selection)
        read_fields = selection.of("Account")
        return records_of(mapping.account_from_wire, self._crm, rows, picklists=picklists, currencies=currencies, read_fields=read_fields)

    async def _account_tables_for(self, selection: Selection) -> tuple[mapping.Picklists, mapping.Currencies]:
        return await asyncio.gather(
            self._or(self._company_picklists, mapping.Picklists(), wanted=selection.wants("Account", "industry")),
            self._or(self._currencies, mapping.Currencies(), wanted=selection.wants("Account", "currency")),
        )

    def _contacts(self, rows: Sequence[wire.Contact], selection: Selection) -> list[Contact]:
        return records_of(mapping.contact_from_wire, self._crm, rows, read_fields=selection.of("Contact"))

    async def _opportunities(self, rows: Sequence[wire.Opportunity], selection: Selection) -> list[Opportunity]:
        picklists, currencies, definitions = await self._tables_for(selection)
        read_fields = None if mapping.opportunity_fields(selection) is None else selection.of("Opportunity")
        return records_of(
            mapping.opportunity_from_wire,
            self._crm,
            rows,
            picklists=picklists,
            currencies=currencies,
            custom_fields=definitions,
            read_fields=read_fields,
        )

    async def _tables_for(self, selection: Selection) -> tuple[mapping.Picklists, mapping.Currencies, Mapping[str, CustomFieldDefinition]]:
        picklists, currencies, definitions = await asyncio.gather(
            self._or(self._picklists, mapping.Picklists(), wanted=mapping.needs_picklists(selection)),
            self._or(self._currencies, mapping.Currencies(), wanted=selection.wants("Opportunity", "cost")),
            self._or(self._definitions, (), wanted=selection.wants("Opportunity", "custom_fields")),
        )
        return picklists, currencies, {entry.key: entry for entry in definitions if entry.applies_to == "opportunity"}

    async def _or(self, table: Table[T], default: T, *, wanted: bool) -> T:
        return await table.get() if wanted else default

    async def _query(
        self,
        entity: str,
        decoder: Decoder[wire.Items[T]],
        wanted: query.Filter,
        *,
        fields: Sequence[str] | None,
        size: int = _MAX_ROWS,
    ) -> Decoded[wire.Items[T]]:
        request = _query_request(entity, wanted, fields=fields, size=size)
        asked = decoder.asking(None if fields is None else frozenset(fields))
        return asked.read(self._http, request, await self._http.send(request))

    async def _all(self, entity: str, decoder: Decoder[wire.Items[R]], fields: Sequence[str]) -> tuple[list[R], int]:
        """Read a whole table: its rows, and how many of them could not be read."""
        unread = 0

        async def page(after: str | None) -> tuple[Sequence[R], str | None]:
            nonlocal unread
            answer = await self._query(entity, decoder, query.behind([], after), fields=fields)
            unread += len(answer.dropped)
            items = answer.value
            return items.items, items.items[-1].id if items.items and items.pageDetails.nextPageUrl else None

        return await all_pages(page, LoopGuard(crm=self._crm, operation=f"{entity}.query")), unread

    async def _load_picklists(self, entity: str) -> mapping.Picklists:
        request = Request(operation=f"{entity}.fields", path=f"{entity}/entityInformation/fields", entity=entity)
        return mapping.picklists_from_wire(wire.FIELDS.read(self._http, request, await self._http.send(request)).value.entries)

    async def _load_currencies(self) -> mapping.Currencies:
        rows, _ = await self._all("Currencies", wire.CURRENCIES, ["id", "name", "isInternalCurrency"])
        return mapping.currencies_from_wire(rows)

    async def _load_users(self) -> mapping.Users:
        fields = ["id", "firstName", "lastName", "email", "userName", "isActive"]
        rows, self._unread_users = await self._all("Resources", wire.RESOURCES, fields)
        own_name = self._settings.username.casefold()
        own_id = next((row.id for row in rows if (row.userName or "").casefold() == own_name), None)
        return mapping.Users({row.id: mapping.user_from_wire(self._crm, row) for row in rows}, own_id)

    async def _load_definitions(self) -> Sequence[CustomFieldDefinition]:
        async def of(applies_to: str, entity: str) -> list[CustomFieldDefinition]:
            request = Request(operation=f"{entity}.userDefinedFields", path=f"{entity}/entityInformation/userDefinedFields", entity=entity)
            entries = wire.FIELDS.read(self._http, request, await self._http.send(request)).value.entries
            return [mapping.definition_from_wire(self._crm, applies_to, entry) for entry in entries]

        found = await asyncio.gather(*(of(applies_to, entity) for applies_to, entity in _METADATA_OF.items()))
        return [definition for definitions in found for definition in definitions]

    async def _find_zone(self) -> Access:
        """Ask which host serves the user's database.

        Source: Autotask REST "Zone information" (vendor help): unauthenticated, and 500 for an unknown user.
        """
        request = Request(operation="zoneInformation", path=f"{_REST_PATH}zoneInformation", params=[("user", self._settings.username)])
        reply = await self._zone_http.send(request)
        url = self._zone_url(wire.ZONE.read(self._zone_http, request, reply).value.url)
        if url is None:
            raise self._zone_http.malformed(request, reply)
        return Access(url, (await self._headers.access()).headers)

    def _zone_url(self, text: str) -> URL | None:
        """Where the zone is, unless the credentials must not go there."""
        try:
            url = directory(text).joinpath("v1.0/")
            origin = str(url.origin())
        except ValueError:  # no absolute URL
            return None
        host = origin.removeprefix("https://webservices").removesuffix(".autotask.net")
        vendors_own = origin.startswith("https://webservices") and origin.endswith(".autotask.net") and host.isdigit()
        return url if vendors_own or origin in self._settings.zone_origins else None


def judge(reply: Reply, fail: Fail) -> VendorError | None:
    """Read the vendor's errors, which come with HTTP 500 also when the request is at fault."""
    if reply.status < _CLIENT_ERROR:
        return None
    try:
        failure = wire.FAILURE.decode(reply.body).value
    except (ValueError, RecursionError):
        return None
    text = " ".join(map(str, failure.errors)).lower()
    kind = next((kind for words, kind in _KIND_OF_TEXT if words in text), None)
    if kind is not None:
        return fail(kind, retry_after_seconds=retry_after_seconds(reply.headers))
    # Source: Autotask REST: validation and reference errors are 500 with `errors`; trying again would not help.
    if reply.status not in {_CLIENT_ERROR, _SERVER_ERROR} or not failure.errors:
        return None
    plain = fail(RejectedRequestError)
    refusal = RefusalError(plain.message, crm=plain.crm, operation=plain.operation, status=plain.status)
    refusal.texts = tuple(map(str, failure.errors))
    return refusal


def _query_request(entity: str, wanted: query.Filter, *, fields: Sequence[str] | None, size: int = _MAX_ROWS) -> Request:
    body: dict[str, object] = {"MaxRecords": min(size, _MAX_ROWS), "filter": wanted}
    if fields is not None:
        body["IncludeFields"] = fields
    return _posted(entity, "query", body)


def _posted(entity: str, verb: str, body: object) -> Request:
    """A query, by POST: that of a GET has to fit into 2,048 characters of a URL."""
    return Request(
        operation=f"{entity}.{verb.rpartition('/')[2]}",
        method="POST",
        path=f"{entity}/{verb}",
        body=orjson.dumps(body),
        content_type="application/json",
        entity=entity,
    )


_ALL: Final = query.behind([], None)


def _nothing(request: PageRequest) -> Page[Any]:
    """The page of a list that no row can be on."""
    return Page(rows=(), has_more=False, total=0 if request.count else None)


def _records(page: Page[R]) -> list[R]:
    return [row.record for row in page.rows]


def _mapped(page: Page[Any], records: Sequence[T]) -> Page[T]:
    """A page with its rows' records mapped, one for each."""
    return replace(page, rows=[Row(record, row.position) for record, row in zip(records, page.rows, strict=True)])


def _row_id(value: object) -> int | None:
    try:
        return int(_ROW_ID.validate_python(value))
    except (ValueError, OverflowError):
        return None
