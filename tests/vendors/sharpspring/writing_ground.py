"""A client that writes, the sandbox that it writes into, and short words for both."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from tests.playground import Playground, playground
from vendors.model import EVERYTHING, Opportunity
from vendors.sandbox import OptionValue
from vendors.sharpspring.client import Client
from vendors.sharpspring.sandbox.routes import STORE
from vendors.sharpspring.sandbox.store import Store
from vendors.writes import OpportunityValues, RuleCode, WritePlan, Written

TOVE, LARS = "312000001", "312000002"
QUALIFIED, PROPOSAL, NEGOTIATION, CLOSED_LOST = "70110012", "70110014", "70110015", "70110017"
FJORD, OSLOFJORD = "40112233401", "40112233405"
LENE, JURGEN, IDA, HENRIK, KARI = "88038560001", "88038560004", "88038560009", "88038560013", "88038560018"
FAIR = "21600014"
# Ida is the primary lead of this deal, and Ida and Henrik are connected to it.
DECK_LIGHTING, DRONES, NO_DATE = "90531100116", "90531100284", "90531100255"

PROJECT, CAPACITY, PERMIT, DAY, BUDGET = (
    "project_code_66aa01f3c2b4d",
    "lift_capacity_t_66aa0230bb51f",
    "port_permit_66aa0251e3a07",
    "commissioning_day_66aa0276c8f13",
    "yearly_service_budget_66aa031472ab9",
)

NEW = OpportunityValues(title="Gantry crane & rails", expected_close_date=date(2027, 2, 1), stage_id=QUALIFIED, owner_id=TOVE)


@dataclass(frozen=True)
class Ground:
    made: Playground
    client: Client

    @property
    def store(self) -> Store:
        return self.made.sandbox.app[STORE]

    def row(self, local_id: str, table: str = "opportunity") -> dict[str, Any]:
        """The row as it is stored."""
        return self.store.tables[table].rows[int(local_id)]

    def leads_of(self, local_id: str) -> set[str]:
        rows = self.store.tables["opportunityLead"].find({"opportunityID": frozenset({int(local_id)})}, inactive=True)
        return {str(row["leadID"]) for row in rows}

    def writes(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """The writing calls that arrived, in order, as method and objects."""
        calls = [call for call in self.made.control.calls if call.operation.startswith(("create", "update", "delete"))]
        return [(call.operation, json.loads(call.body)["params"]["objects"]) for call in calls]

    async def read(self, local_id: str = DECK_LIGHTING) -> Opportunity:
        found = (await self.client.opportunities_by_ids([local_id], EVERYTHING))[local_id]
        assert isinstance(found, Opportunity)
        return found

    async def create(self, **values: Any) -> Written:
        plan = await self.client.plan_create(replace(NEW, **values))
        assert plan.violations == ()
        return await plan.execute()

    async def update(self, local_id: str = DECK_LIGHTING, **values: Any) -> Written:
        plan = await self.client.plan_update(await self.read(local_id), OpportunityValues(**values))
        assert plan.violations == ()
        return await plan.execute()


@asynccontextmanager
async def ground(
    options: Mapping[str, OptionValue] | None = None, *, settings: Mapping[str, object] | None = None
) -> AsyncGenerator[Ground, None]:
    async with playground("sharpspring", options=options, settings=settings) as made:
        assert isinstance(made.crm.client, Client)
        yield Ground(made, made.crm.client)


def broken(plan: WritePlan) -> set[tuple[tuple[str, ...], RuleCode]]:
    return {(violation.path, violation.code) for violation in plan.violations}
