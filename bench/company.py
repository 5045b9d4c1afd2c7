"""A company whose CRMs are in memory: the product's own records, loaders and lists, without HTTP. For measuring and testing execution."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar, cast

from server.context import ContextMaker
from server.cursors import SignedCursors
from vendors import model
from vendors.apideck.extension import ApideckOpportunityFields, ApideckStageFields
from vendors.auth import FixedAccess
from vendors.capabilities import ById, OpportunityLinks, Page, PageRequest, Row
from vendors.extension import VendorId
from vendors.limiting import Limits
from vendors.model import Ref
from vendors.query import NOTHING, Condition, Pushdown, Sort
from vendors.registry import Crm, Link, Vendor, VendorSettings, all_vendors

R = TypeVar("R", bound=model.Record)
Found = dict[str, Any]
Reply = Callable[[str, Found], Awaitable[Found]]

_BEGIN: Final = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
_PIPELINES: Final = 5
_STAGES: Final = 12
_USERS: Final = 20
_ACCOUNTS: Final = 60
_CONTACTS: Final = 200


async def _at_once(operation: str, found: Found) -> Found:
    del operation
    return found


class Memory:
    """One CRM's client: it answers with the records it was made with.

    Attributes:
        calls: What it was asked: operation and ids.
        reply: What happens to every answer before it is given: it may take time, lack something, hold an error for an id, or fail.
    """

    def __init__(self, crm: str, *, opportunities: int, links: bool, account_currencies: bool) -> None:
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.reply: Reply = _at_once
        make = _Maker(crm, links=links, account_currencies=account_currencies)
        self._pipelines = [make.pipeline(number) for number in range(_PIPELINES)]
        self._users = {str(number): make.user(number) for number in range(_USERS)}
        self._accounts = {str(number): make.account(number) for number in range(_ACCOUNTS)}
        self._contacts = {str(number): make.contact(number) for number in range(_CONTACTS)}
        self._opportunities = {str(number): make.opportunity(number) for number in range(opportunities)}
        self._links = {key: make.links(int(key)) for key in self._opportunities}

    def all_opportunities(self) -> Sequence[model.Opportunity]:
        return list(self._opportunities.values())

    def opportunities_pushdown(self, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:
        del conditions, sort
        return NOTHING

    def accounts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        del conditions
        return NOTHING

    def contacts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        del conditions
        return NOTHING

    async def opportunities_page(self, request: PageRequest) -> Page[model.Opportunity]:
        return await self._page("list opportunities", self._opportunities, request)

    async def accounts_page(self, request: PageRequest) -> Page[model.Account]:
        return await self._page("list accounts", self._accounts, request)

    async def contacts_page(self, request: PageRequest) -> Page[model.Contact]:
        return await self._page("list contacts", self._contacts, request)

    async def users(self) -> Sequence[model.User]:
        self.calls.append(("list users", ()))
        return list((await self.reply("list users", dict(self._users))).values())

    async def pipelines(self) -> Sequence[model.Pipeline]:
        self.calls.append(("pipelines", ()))
        return list((await self.reply("pipelines", {of.local_id: of for of in self._pipelines})).values())

    async def opportunities_by_ids(self, ids: Sequence[str], selection: model.Selection) -> ById[model.Opportunity]:
        return await self._by_ids("opportunities", self._opportunities, ids, selection)

    async def users_by_ids(self, ids: Sequence[str], selection: model.Selection) -> ById[model.User]:
        return await self._by_ids("users", self._users, ids, selection)

    async def accounts_by_ids(self, ids: Sequence[str], selection: model.Selection) -> ById[model.Account]:
        return await self._by_ids("accounts", self._accounts, ids, selection)

    async def contacts_by_ids(self, ids: Sequence[str], selection: model.Selection) -> ById[model.Contact]:
        return await self._by_ids("contacts", self._contacts, ids, selection)

    async def opportunity_links(self, opportunities: Sequence[model.Opportunity], selection: model.Selection) -> ById[OpportunityLinks]:
        return await self._by_ids("links", self._links, [of.local_id for of in opportunities], selection)

    async def base_currency(self) -> str | None:
        self.calls.append(("base currency", ()))
        return cast("str | None", (await self.reply("base currency", {"currency": "EUR"})).get("currency"))

    async def _by_ids(self, operation: str, records: Mapping[str, Any], ids: Sequence[str], selection: model.Selection) -> ById[Any]:
        del selection
        self.calls.append((operation, tuple(ids)))
        return await self.reply(operation, {key: records[key] for key in ids if key in records})

    async def _page(self, operation: str, records: Mapping[str, Any], request: PageRequest) -> Page[Any]:
        begin = 0 if request.position is None else int(request.position) + 1
        keys = [str(number) for number in range(begin, min(begin + request.size, len(records)))]
        self.calls.append((operation, tuple(keys)))
        found = await self.reply(operation, {key: records[key] for key in keys})
        rows = [Row(record, key) for key, record in found.items()]
        return Page(rows=rows, has_more=begin + request.size < len(records), position=keys[-1] if keys else None, total=len(records))


class _Maker:
    """Makes records that are the same every time, with holes where real ones have them."""

    def __init__(self, crm: str, *, links: bool, account_currencies: bool) -> None:
        self._crm = crm
        self._account_currencies = account_currencies
        self._unread = links

    def ref(self, number: int, of: int) -> Ref:
        return Ref(self._crm, str(number % of))

    def stage(self, number: int) -> model.Stage:
        return model.Stage(
            ref=Ref(self._crm, str(number)),
            name=f"Stage {number}",
            order=number,
            pipeline_ref=self.ref(number, _PIPELINES),
            probability_percent=number * 7.5,
            kind=[*model.StageKind, None][number % 4],
            is_archived=number % 5 == 0,
            extension=ApideckStageFields(value=f"stage-{number}", display_order=number) if number % 2 else None,
        )

    def pipeline(self, number: int) -> model.Pipeline:
        return model.Pipeline(
            ref=Ref(self._crm, str(number)),
            name=f"Pipeline {number}",
            is_synthetic=number == 0,
            stages=tuple(self.stage(stage) for stage in range(number, _STAGES, _PIPELINES)),
            currency=None if number % 2 else "EUR",
        )

    def user(self, number: int) -> model.User:
        return model.User(ref=Ref(self._crm, str(number)), name=f"User {number}", email=f"u{number}@example.com", is_active=number % 7 != 0)

    def account(self, number: int) -> model.Account:
        return model.Account(
            ref=Ref(self._crm, str(number)),
            name=f"Account {number}",
            website=None if number % 3 else f"https://a{number}.example.com",
            owner_ref=self.ref(number, _USERS),
            parent_ref=None if number % 4 else self.ref(number + 1, _ACCOUNTS),
            address=None if number % 5 == 0 else model.Address(city=f"City {number % 9}", country="DE"),
            currency="CHF",
        )

    def contact(self, number: int) -> model.Contact:
        return model.Contact(
            ref=Ref(self._crm, str(number)),
            name=f"Contact {number}",
            email=f"c{number}@example.com",
            account_ref=self.ref(number, _ACCOUNTS),
            owner_ref=None if number % 6 == 0 else self.ref(number, _USERS),
        )

    def links(self, number: int) -> OpportunityLinks:
        account = self.ref(number, _ACCOUNTS)
        return OpportunityLinks(account_ref=account, account_refs=(account,), contact_refs=self.contacts(number))

    def contacts(self, number: int) -> tuple[Ref, ...]:
        return self.ref(number * 2, _CONTACTS), self.ref(number * 2 + 1, _CONTACTS)

    def opportunity(self, number: int) -> model.Opportunity:
        account = self.ref(number, _ACCOUNTS)
        unread = self._unread and number % 2 == 0
        currency = Ref(self._crm, account.local_id) if self._account_currencies and number % 10 == 9 else None
        return model.Opportunity(
            ref=Ref(self._crm, str(number)),
            title=f"Opportunity {number}",
            description=None if number % 3 else f"About {number}",
            amount=None
            if number % 8 == 7
            else model.Money(amount=Decimal(number * 1_000) / 8, currency=None if currency else "EUR", currency_of=currency),
            probability_percent=float(number % 100),
            probability_origin=model.ValueOrigin.VENDOR,
            status=[*model.OpportunityStatus][number % 3],
            status_label="status",
            pipeline_ref=self.ref(number, _PIPELINES),
            stage_ref=self.ref(number, _STAGES),
            expected_close_date=date(2026, 1, 1) + timedelta(days=number % 365),
            closed_at=None if number % 3 == 0 else _BEGIN + timedelta(hours=number),
            loss_reason=model.Reason(id="7", label="price") if number % 3 == 2 else None,
            owner_ref=None if number % 11 == 10 else self.ref(number, _USERS),
            account_ref=model.UNREAD if unread else account,
            account_refs=model.UNREAD if unread else (account,),
            primary_contact_ref=self.ref(number * 2, _CONTACTS),
            contact_refs=model.UNREAD if unread else self.contacts(number),
            tags=("a", "b")[: number % 3],
            custom_fields=(model.CustomField(key="k", label="K", type=model.CustomFieldType.NUMBER, value={"n": [number, None]}),),
            created_at=_BEGIN + timedelta(minutes=number),
            updated_by_ref=self.ref(number + 1, _USERS),
            extension=ApideckOpportunityFields(lead_id=VendorId(str(number)), interaction_count=1.5, service="s") if number % 2 else None,
        )


def memory_crm(key: str, *, opportunities: int, links: bool = False, account_currencies: bool = True) -> Crm:
    """Connect a Crm to a memory of its own.

    Args:
        key: The Crm's key.
        opportunities: Number of opportunities.
        links: Whether half of them do not tell their accounts and contacts themselves.
        account_currencies: Whether some of them have the currency of their account.
    """
    link = Link(crm=key, session=cast("Any", None), clock=time.monotonic, sleep=asyncio.sleep, jitter=lambda: 0.5)
    link.http(auth=FixedAccess("http://127.0.0.1:1", {}), limits=Limits(max_concurrent=1))  # nothing goes through it; it has a health
    client = Memory(key, opportunities=opportunities, links=links, account_currencies=account_currencies)
    vendor = Vendor(
        key=next(iter(all_vendors())),
        label="In memory",
        settings=VendorSettings,
        client=Memory,
        connect=lambda _link, _settings: client,
        extensions={},
    )
    return Crm(key=key, label=f"In memory {key}", vendor=vendor, client=client, link=link)


def memory_of(crm: Crm) -> Memory:
    return cast("Memory", crm.client)


def contexts(crms: Sequence[Crm]) -> ContextMaker:
    """Makes contexts of operations over these Crms."""
    return ContextMaker({crm.key: crm for crm in crms}, SignedCursors(b"a key that only memory has"))
