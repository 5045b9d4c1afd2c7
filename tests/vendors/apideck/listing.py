"""What tests of Apideck's lists share: what is asked for, and what is there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.playground import Playground
from vendors.apideck.client import Client
from vendors.capabilities import Page, PageRequest
from vendors.model import Opportunity, Ref, Selection
from vendors.query import Condition, Field, Operator
from vendors.sandbox import OptionValue

COMPANY, OWNER = "6214407301", "71004012"
RELATED = Selection(
    {
        "Opportunity": frozenset({"title", "owner_ref", "account_ref", "contact_refs", "created_at", "updated_at"}),
        "ApideckOpportunityFields": frozenset(),
        "Contact": frozenset({"name", "account_ref", "owner_ref"}),
    }
)
TITLES = Selection({"Opportunity": frozenset({"title"}), "ApideckOpportunityFields": frozenset(), "Contact": frozenset({"name"})})
COMPANIES = Selection({"Opportunity": frozenset({"account_ref"}), "ApideckOpportunityFields": frozenset()})
OPTIONS: Sequence[Mapping[str, OptionValue]] = [
    {},
    {"filters": "unsupported"},
    {"filters": "unsupported", "unsupported_status": 501},
    {"filtered_relations": "present"},
    {"pages": "short"},
    {"nulls": "absent", "total_count": "absent", "last_page": "no_meta", "after_delete": "flagged"},
]


def by(field: Field, *values: object, operator: Operator = Operator.ANY_OF) -> Condition:
    return Condition(field, operator, values)


ACCOUNT, OWNED = by(Field.ACCOUNT, COMPANY), by(Field.OWNER, OWNER)


def client_of(ground: Playground) -> Client:
    assert isinstance(ground.crm.client, Client)
    return ground.crm.client


def asking(size: int, *where: Condition, selection: Selection = TITLES, **others: Any) -> PageRequest:
    return PageRequest(size=size, selection=selection, where=where, **others)


def ids_of(page: Page[Any]) -> list[str]:
    return [row.record.local_id for row in page.rows]


async def all_deals(client: Client, request: PageRequest) -> list[Opportunity]:
    found: list[Opportunity] = []
    while True:
        page = await client.opportunities_page(request)
        found += [row.record for row in page.rows]
        if not page.has_more:
            return found
        assert page.position is not None and page.position != request.position
        request = replace(request, position=page.position)


def fulfils(deal: Opportunity, condition: Condition) -> bool:
    ref = deal.owner_ref if condition.field is Field.OWNER else deal.account_ref
    return isinstance(ref, Ref) and ref.local_id == condition.values[0]
