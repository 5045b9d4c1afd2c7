"""What the tests of writes share: a Crm on a fresh sandbox, its ids by name, and what was sent."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from tests.playground import Playground, playground
from vendors.errors import VendorError
from vendors.http import Request
from vendors.model import EVERYTHING, Account, Contact, Money, Opportunity
from vendors.pipeliner.client import Client
from vendors.pipeliner.sandbox.control import API
from vendors.sandbox import Call, OptionValue
from vendors.writes import OpportunityValues, Violation, WritePlan

MISSING = "00000000-0000-4000-8000-00000000dead"
MIRA = "00000000-0000-0000-0000-000000011410"
FORMER = "00000000-0000-0000-0000-000000011407"
NEW_EQUIPMENT = "e0c60b1f-e4a4-4825-b927-5cd519976e98"
RETROFIT = "2d228769-8d60-4b6b-8bfa-8ed56ab008e2"
FIRST_CONTACT = "8918a2fd-4012-46a4-ae84-62577c31c946"
NEEDS_ANALYSIS = "d1c71d1e-a0ed-464d-91d3-f5afe5c18d7c"
PROPOSAL = "0e0a2675-5da0-42bc-956b-86b2817f38dd"
NEGOTIATION = "b95b8cbb-5cfe-42a7-88ec-fcba7109b094"
WON = "08c830b6-0dbc-436b-a83f-08beda066e7a"
LOST = "c6d0b9f2-7e15-4d0f-8a36-3b94e5c1f872"
OLD_STAGE = "9b6c00b6-96a5-408f-923d-8b5a013b9b5b"
EUR = "5b18e3f0-23b9-4a66-9f2d-68a7e45c6d66"
USD = "4bfaa72a-c0c0-4fc9-9242-5194ed4ed2c5"

LEAST = OpportunityValues(
    title="Quay lights",
    owner_id=MIRA,
    stage_id=FIRST_CONTACT,
    expected_close_date=date(2026, 12, 31),
    amount=Money(amount=Decimal(100), currency="EUR"),
)


@dataclass(frozen=True, slots=True)
class Ground:
    play: Playground

    @property
    def client(self) -> Client:
        client = self.play.crm.client
        assert isinstance(client, Client)
        return client

    def writes(self) -> list[Call]:
        """The writes that the sandbox saw."""
        return [call for call in self.play.control.calls if call.method != "GET"]

    def bodies(self) -> list[tuple[str, str, Any]]:
        """Verb, path below the entities, and body of every write."""
        return [(call.method, call.path.partition("/entities/")[2], json.loads(call.body) if call.body else None) for call in self.writes()]

    def rows(self, entity: str) -> list[Mapping[str, Any]]:
        """The sandbox's own rows that are not deleted."""
        rows = self.play.sandbox.app[API].store.tables[entity].rows.values()
        return [row for row in rows if not row.get("is_deleted")]

    def row(self, entity: str, row_id: str) -> dict[str, Any]:
        return self.play.sandbox.app[API].store.tables[entity].rows[row_id]

    def id_of(self, entity: str, value: str, key: str = "name") -> str:
        (found,) = [row["id"] for row in self.rows(entity) if row.get(key) == value]
        return str(found)

    def ids(self, entity: str, count: int) -> list[str]:
        return [str(row["id"]) for row in self.rows(entity)[:count]]

    def linked(self, entity: str, key: str, opportunity_id: str) -> dict[str, bool]:
        """What an opportunity is linked to, and which of it is the main one."""
        return {row[key]: bool(row.get("is_primary")) for row in self.rows(entity) if row["lead_oppty_id"] == opportunity_id}

    def accounts_of(self, opportunity_id: str) -> dict[str, bool]:
        return self.linked("LeadOpptyAccountRelations", "account_id", opportunity_id)

    def contacts_of(self, opportunity_id: str) -> dict[str, bool]:
        return self.linked("LeadOpptyContactRelations", "contact_id", opportunity_id)

    async def read(self, local_id: str) -> Opportunity:
        found = (await self.client.opportunities_by_ids([local_id], EVERYTHING))[local_id]
        assert not isinstance(found, VendorError)
        return found

    async def account(self, local_id: str) -> Account:
        found = (await self.client.accounts_by_ids([local_id], EVERYTHING))[local_id]
        assert not isinstance(found, VendorError)
        return found

    async def contact(self, local_id: str) -> Contact:
        found = (await self.client.contacts_by_ids([local_id], EVERYTHING))[local_id]
        assert not isinstance(found, VendorError)
        return found

    async def create(self, **values: Any) -> Opportunity:
        """Create the least opportunity with these values, and read it; the sandbox's log is emptied."""
        plan = await self.client.plan_create(replace(LEAST, **values))
        assert plan.violations == ()
        record = await self.read((await plan.execute()).local_id)
        self.play.control.calls.clear()
        return record

    async def update(self, current: Opportunity, **values: Any) -> Opportunity:
        plan = await self.client.plan_update(current, OpportunityValues(**values))
        assert plan.violations == ()
        written = await plan.execute()
        assert written.problems == ()
        return await self.read(written.local_id)

    async def refused(self, **values: Any) -> list[tuple[tuple[str, ...], str]]:
        """Plan to create the least opportunity with these values."""
        return told(await self.client.plan_create(replace(LEAST, **values)))

    async def refused_update(self, current: Opportunity, **values: Any) -> list[tuple[tuple[str, ...], str]]:
        return told(await self.client.plan_update(current, OpportunityValues(**values)))


def told(plan: WritePlan) -> list[tuple[tuple[str, ...], str]]:
    """Paths and codes of what a plan refuses."""
    assert not plan.violations or plan.requests == ()
    return brief(plan.violations)


def brief(violations: tuple[Violation, ...]) -> list[tuple[tuple[str, ...], str]]:
    return [(violation.path, violation.code.value) for violation in violations]


def body_of(request: Request) -> Any:
    """The body of a planned request, numbers with all their digits."""
    return None if request.body is None else json.loads(request.body, parse_float=Decimal)


@asynccontextmanager
async def writing(options: Mapping[str, OptionValue] | None = None, settings: Mapping[str, object] | None = None) -> AsyncGenerator[Ground]:
    async with playground("pipeliner", options=options, settings=settings) as play:
        yield Ground(play)
