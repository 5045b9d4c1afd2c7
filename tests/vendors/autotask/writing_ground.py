"""An Autotask client and its sandbox, for tests of writes."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tests.playground import Playground, playground
from vendors.autotask.client import Client
from vendors.autotask.inputs import AutotaskOpportunityInput
from vendors.errors import VendorError
from vendors.extension import VendorId
from vendors.model import EVERYTHING, Money, Opportunity
from vendors.sandbox import Call
from vendors.writes import OpportunityValues, Violation, WritePlan

WRITES = ("POST", "PATCH", "PUT", "DELETE")
IVO, PRIYA, SAM, API_USER = "29682885", "29682886", "29682887", "29682901"
FJORD, HARBOUR, HARBOUR_CHILD, ATLANTIC, YACHT = "174", "29683513", "29683514", "29683512", "29683530"
# One deal of each standing, from the seed.
OPEN, LOST, WON, IMPLEMENTED, RECURRING, QUOTED = "29701404", "29701447", "29701435", "29701437", "29701403", "29701402"
NEGOTIATION, VERBAL, OLD_STAGE = "29682775", "12", "29682776"
NEW = OpportunityValues(
    title="Dock upgrade",
    description="Two cranes",
    amount=Money(amount=Decimal("5000.10"), currency="EUR"),
    probability_percent=20.0,
    expected_close_date=date(2027, 1, 31),
    stage_id=VERBAL,
    owner_id=IVO,
    account_id=FJORD,
    primary_contact_id="30684",
    extension=AutotaskOpportunityInput(start_date=datetime(2026, 11, 20, tzinfo=UTC), cost=Decimal(3000)),
)
LEAST = OpportunityValues(title="Dock upgrade", expected_close_date=date(2099, 1, 31), stage_id=VERBAL, owner_id=IVO, account_id=FJORD)


def own(**values: Any) -> AutotaskOpportunityInput:
    return AutotaskOpportunityInput(**values)


def choice(value: str) -> VendorId:
    return VendorId(value)


@dataclass(frozen=True, slots=True)
class Ground:
    made: Playground
    client: Client

    async def read(self, local_id: str) -> Opportunity:
        found = (await self.client.opportunities_by_ids([local_id], EVERYTHING))[local_id]
        assert not isinstance(found, VendorError)
        return found

    def writes(self) -> list[Call]:
        """The calls that change something, as the sandbox saw them."""
        return [call for call in self.made.control.calls if call.method in WRITES and "query" not in call.path]

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(call.body, parse_float=Decimal) for call in self.writes()]

    async def create(self, values: OpportunityValues) -> Opportunity:
        return await self.done(await self.client.plan_create(values))

    async def update(self, local_id: str, values: OpportunityValues) -> Opportunity:
        return await self.done(await self.client.plan_update(await self.read(local_id), values))

    async def done(self, plan: WritePlan) -> Opportunity:
        """Carry a plan out and read what came of it."""
        assert plan.violations == ()
        written = await plan.execute()
        assert written.problems == ()
        return await self.read(written.local_id)

    async def refusals_of_create(self, values: OpportunityValues) -> list[tuple[str, str]]:
        return self.refusals(await self.client.plan_create(values))

    async def refusals_of_update(self, local_id: str, values: OpportunityValues) -> list[tuple[str, str]]:
        return self.refusals(await self.client.plan_update(await self.read(local_id), values))

    def refusals(self, plan: WritePlan) -> list[tuple[str, str]]:
        """The rules that a plan breaks, which told no vendor about them."""
        assert plan.requests == ()
        assert self.writes() == []
        return told(plan.violations)


def told(violations: tuple[Violation, ...]) -> list[tuple[str, str]]:
    assert all(violation.message.endswith(".") and violation.vendor_code is None for violation in violations)
    return [(".".join(violation.path), str(violation.code)) for violation in violations]


@asynccontextmanager
async def ground(**options: Any) -> AsyncGenerator[Ground, None]:
    async with playground("autotask", **options) as made:
        assert isinstance(made.crm.client, Client)
        yield Ground(made, made.crm.client)
