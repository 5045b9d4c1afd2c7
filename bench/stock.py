"""The board as Strawberry's documentation would have it: plain types, async resolvers, a DataLoader for each relation and request.

It reads through the same vendor clients as our server, so that a comparison shows the graph and what it asks the vendors for. It selects
everything, primes nothing and tunes nothing; a row that a Crm leaves out of its page is not replaced by another Crm's.
"""

import asyncio
import base64
import random
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from enum import Enum
from itertools import zip_longest
from typing import Any, TypeVar

import strawberry
from aiodataloader import DataLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL

from server.config import Config
from server.crms import connect_crms, open_session
from vendors import model
from vendors.capabilities import OpportunityLinks, PageRequest
from vendors.model import EVERYTHING, UNREAD, Ref
from vendors.registry import Crm as ConnectedCrm

T = TypeVar("T")
Found = Mapping[str, Any]


class Loaders:
    """The loaders of one request; keys are (crm, id)."""

    def __init__(self, crms: Mapping[str, ConnectedCrm]) -> None:
        self.crms = crms
        self.records: dict[Ref, model.Opportunity] = {}
        self.pipelines = _loader(crms, _read_pipelines)
        self.stages = _loader(crms, _read_stages)
        self.users = _loader(crms, _read_users)
        self.accounts = _loader(crms, _read_accounts)
        self.contacts = _loader(crms, _read_contacts)
        self.links = _loader(crms, self._read_links)

    async def _read_links(self, crm: ConnectedCrm, ids: Sequence[str]) -> Found:
        client: Any = crm.client
        found: Found = await client.opportunity_links([self.records[Ref(crm.key, local_id)] for local_id in ids], EVERYTHING)
        return found


Info = strawberry.Info[Loaders, None]


@strawberry.enum
class OpportunityStatus(Enum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"


@strawberry.type
class Crm:
    key: str


@strawberry.type
class Pipeline:
    id: strawberry.ID
    name: str | None


@strawberry.type
class Stage:
    id: strawberry.ID
    name: str | None
    order: int
    probability: float | None


@strawberry.type
class User:
    id: strawberry.ID
    name: str | None
    email: str | None


@strawberry.type
class Account:
    id: strawberry.ID
    name: str | None
    currency: strawberry.Private[str | None]


@strawberry.type
class Contact:
    id: strawberry.ID
    name: str | None
    email: str | None


@strawberry.type
class Money:
    amount: Decimal
    stated_currency: strawberry.Private[str | None]
    currency_of: strawberry.Private[Ref | None]

    @strawberry.field
    async def currency(self, info: Info) -> str | None:
        if self.currency_of is None:
            return self.stated_currency
        account: Account | None = await info.context.accounts.load(self.currency_of)
        return None if account is None else account.currency


@strawberry.type
class Opportunity:
    id: strawberry.ID
    title: str
    status: OpportunityStatus | None
    crm: Crm
    amount: Money | None
    probability: float | None
    expected_close_date: date | None
    close_date: date | None
    ref: strawberry.Private[Ref]
    pipeline_ref: strawberry.Private[Ref | None]
    stage_ref: strawberry.Private[Ref | None]
    owner_ref: strawberry.Private[Ref | None]
    account_ref: strawberry.Private[Ref | model.Unread | None]
    contact_refs: strawberry.Private[tuple[Ref, ...] | model.Unread]

    @strawberry.field
    async def pipeline(self, info: Info) -> Pipeline | None:
        return None if self.pipeline_ref is None else await info.context.pipelines.load(self.pipeline_ref)

    @strawberry.field
    async def stage(self, info: Info) -> Stage | None:
        return None if self.stage_ref is None else await info.context.stages.load(self.stage_ref)

    @strawberry.field
    async def owner(self, info: Info) -> User | None:
        return None if self.owner_ref is None else await info.context.users.load(self.owner_ref)

    @strawberry.field
    async def account(self, info: Info) -> Account | None:
        ref = self.account_ref
        if ref is UNREAD:
            links: OpportunityLinks | None = await info.context.links.load(self.ref)
            ref = None if links is None else links.account_ref
        return None if ref is None else await info.context.accounts.load(ref)

    @strawberry.field
    async def contacts(self, info: Info) -> list[Contact | None] | None:
        refs = self.contact_refs
        if refs is UNREAD:
            links: OpportunityLinks | None = await info.context.links.load(self.ref)
            if links is None:
                return None
            refs = links.contact_refs
        return await info.context.contacts.load_many(refs)


@strawberry.type
class OpportunityConnection:
    nodes: list[Opportunity]


@strawberry.type
class Query:
    @strawberry.field
    async def opportunities(self, info: Info, first: int) -> OpportunityConnection:
        crms = sorted(info.context.crms.values(), key=lambda crm: crm.key)
        lists = await asyncio.gather(*(_read_opportunities(crm, -(-first // len(crms))) for crm in crms))
        rows = [row for rank in zip_longest(*lists) for row in rank if row is not None][:first]
        info.context.records.update({row.ref: row for row in rows})
        return connection(rows)


def create_stock(config: Config) -> Starlette:
    """Make the stock server of a configuration."""
    crms: dict[str, ConnectedCrm] = {}

    class App(GraphQL[Loaders, None]):
        async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Loaders:  # noqa: ARG002  # Strawberry's
            return Loaders(crms)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        async with open_session() as session:
            crms.update(connect_crms(config, session, clock=time.monotonic, sleep=asyncio.sleep, jitter=random.random))
            yield

    return Starlette(routes=[Route("/graphql", App(strawberry.Schema(query=Query)))], lifespan=lifespan)


def _loader(crms: Mapping[str, ConnectedCrm], read: Callable[[ConnectedCrm, Sequence[str]], Awaitable[Found]]) -> "DataLoader[Ref, Any]":
    async def batch(keys: list[Ref]) -> list[Any]:
        ids: defaultdict[str, list[str]] = defaultdict(list)
        for key in keys:
            ids[key.crm].append(key.local_id)
        found = await asyncio.gather(*(read(crms[crm], of_crm) for crm, of_crm in ids.items()))
        by_crm = dict(zip(ids, found, strict=True))
        return [by_crm[key.crm].get(key.local_id) for key in keys]

    return DataLoader(batch)


async def _read_opportunities(crm: ConnectedCrm, size: int) -> list[model.Opportunity]:
    client: Any = crm.client
    page = await client.opportunities_page(PageRequest(size=size, selection=EVERYTHING))
    return [row.record for row in page.rows]


async def _read_pipelines(crm: ConnectedCrm, _: Sequence[str]) -> Found:
    client: Any = crm.client
    return {pipeline.local_id: Pipeline(id=_id(pipeline), name=pipeline.name) for pipeline in await client.pipelines()}


async def _read_stages(crm: ConnectedCrm, _: Sequence[str]) -> Found:
    client: Any = crm.client
    stages = [stage for pipeline in await client.pipelines() for stage in pipeline.stages]
    return {
        stage.local_id: Stage(id=_id(stage), name=stage.name, order=stage.order, probability=stage.probability_percent) for stage in stages
    }


async def _read_users(crm: ConnectedCrm, ids: Sequence[str]) -> Found:
    client: Any = crm.client
    return _copied(await client.users_by_ids(ids, EVERYTHING), lambda user: User(id=_id(user), name=user.name, email=user.email))


async def _read_accounts(crm: ConnectedCrm, ids: Sequence[str]) -> Found:
    client: Any = crm.client
    found: Found = await client.accounts_by_ids(ids, EVERYTHING)
    return _copied(found, lambda account: Account(id=_id(account), name=account.name, currency=account.currency))


async def _read_contacts(crm: ConnectedCrm, ids: Sequence[str]) -> Found:
    client: Any = crm.client
    return _copied(
        await client.contacts_by_ids(ids, EVERYTHING), lambda contact: Contact(id=_id(contact), name=contact.name, email=contact.email)
    )


def _copied(found: Found, make: Callable[[Any], T]) -> dict[str, T | Exception]:
    return {local_id: record if isinstance(record, Exception) else make(record) for local_id, record in found.items()}


def _id(record: model.Record) -> strawberry.ID:
    return strawberry.ID(base64.b64encode(f"{type(record).__name__}:{record.crm}:{record.local_id}".encode()).decode())


def connection(rows: Sequence[model.Opportunity]) -> OpportunityConnection:
    return OpportunityConnection(nodes=[_opportunity(row) for row in rows])


def _opportunity(row: model.Opportunity) -> Opportunity:
    return Opportunity(
        id=_id(row),
        title=row.title,
        status=None if row.status is None else OpportunityStatus(row.status.value),
        crm=Crm(key=row.crm),
        amount=None
        if row.amount is None
        else Money(amount=row.amount.amount, stated_currency=row.amount.currency, currency_of=row.amount.currency_of),
        probability=row.probability_percent,
        expected_close_date=row.expected_close_date,
        close_date=row.close_date,
        ref=row.ref,
        pipeline_ref=row.pipeline_ref,
        stage_ref=row.stage_ref,
        owner_ref=row.owner_ref,
        account_ref=row.account_ref,
        contact_refs=row.contact_refs,
    )
