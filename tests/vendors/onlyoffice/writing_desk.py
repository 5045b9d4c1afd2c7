"""Helpers for tests of writes: a connected client, its write calls as the sandbox saw them, and records read anew."""

import json
from decimal import Decimal
from typing import Any

from tests.contract.reading import sound
from tests.playground import Playground
from vendors.extension import VendorId
from vendors.model import EVERYTHING, Contact, Money, Opportunity
from vendors.onlyoffice.client import Client
from vendors.onlyoffice.extension import OnlyofficeOpportunityFields
from vendors.onlyoffice.sandbox.records import Deal
from vendors.onlyoffice.sandbox.routes import PORTAL
from vendors.onlyoffice.sandbox.store import Store
from vendors.sandbox import Call
from vendors.writes import OpportunityValues, RuleCode, WritePlan, Written

IVO = VendorId("9924256a-739c-462b-af15-e652a3b1b6eb")
ANNA = VendorId("5c3f0e82-1b7d-49d4-a0c9-6e4f8b2a7d31")
INTEGRATION = VendorId("2f9e1c7b-4d38-4b0a-8c66-91a7b35e0d42")
NOT_WRITES = ("authentication", "batch")


def client_of(ground: Playground) -> Client:
    assert isinstance(ground.crm.client, Client)
    return ground.crm.client


def store_of(ground: Playground) -> Store:
    return ground.sandbox.app[PORTAL].store


def deal_of(ground: Playground, local_id: str) -> Deal:
    return store_of(ground).deals[int(local_id)]


def writes(ground: Playground) -> list[Call]:
    return [call for call in ground.control.calls if call.method != "GET" and call.operation not in NOT_WRITES]


def sent(ground: Playground) -> list[tuple[str, Any]]:
    """Operation and JSON body of every write call."""
    return [(call.operation, json.loads(call.body) if call.body else None) for call in writes(ground)]


def values(**changes: Any) -> OpportunityValues:
    """The least that a create needs, with changes."""
    least: dict[str, Any] = {"title": "Dock upgrade", "owner_id": IVO, "stage_id": "4", "amount": Money(amount=Decimal(0), currency="EUR")}
    return OpportunityValues(**{**least, **changes})


async def read(ground: Playground, local_id: str) -> Opportunity:
    """The complete record as it is now."""
    return sound((await client_of(ground).opportunities_by_ids([local_id], EVERYTHING))[local_id])


async def linked(ground: Playground, local_id: str) -> tuple[str | None, list[str], str | None, list[str]]:
    """Ids of account, accounts, primary contact and contacts as they are now."""
    record = await read(ground, local_id)
    links = sound((await client_of(ground).opportunity_links([record], EVERYTHING))[local_id])
    return (
        None if links.account_ref is None else links.account_ref.local_id,
        [ref.local_id for ref in links.account_refs],
        None if record.primary_contact_ref is None else record.primary_contact_ref.local_id,
        [ref.local_id for ref in links.contact_refs],
    )


async def contact(ground: Playground, local_id: str) -> Contact:
    return sound((await client_of(ground).contacts_by_ids([local_id], EVERYTHING))[local_id])


def own_of(record: Opportunity) -> OnlyofficeOpportunityFields:
    assert isinstance(record.extension, OnlyofficeOpportunityFields)
    return record.extension


def broken(plan: WritePlan) -> dict[tuple[str, ...], RuleCode]:
    """Broken rules by path; every one says what to do."""
    assert all(violation.message.endswith(".") for violation in plan.violations)
    assert len({violation.path for violation in plan.violations}) == len(plan.violations), plan.violations
    assert not plan.violations or not plan.requests
    return {violation.path: violation.code for violation in plan.violations}


async def done(plan: WritePlan) -> Written:
    assert not plan.violations, plan.violations
    written = await plan.execute()
    assert not written.problems, written.problems
    return written
