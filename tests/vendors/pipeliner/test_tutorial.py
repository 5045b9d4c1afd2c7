"""The assignment of the vendor's tutorial, step by step through the graph.

Source: Pipeliner "Create Opportunity" (Tutorials & Articles): an opportunity in the first step of a pipeline, linked with an account and
with contacts that belong to this account, exactly one of each primary; then it is moved and won.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from resolvers.node_id import decode, encode
from tests.resolvers.writing_desk import Desk, desk, errors
from tests.vendors.pipeliner.writing_ground import EUR, FIRST_CONTACT, MIRA, NEEDS_ANALYSIS, WON
from vendors.model import Ref
from vendors.pipeliner.sandbox.control import API

PIPELINE = "New equipment"


def rows(at: Desk, entity: str, **wanted: object) -> list[Mapping[str, Any]]:
    """The sandbox's own rows that are not deleted."""
    found = at.ground.sandbox.app[API].store.tables[entity].rows.values()
    return [row for row in found if not row.get("is_deleted") and all(row.get(key) == value for key, value in wanted.items())]


async def step_of(at: Desk, name: str, position: int) -> str:
    """Step 1 of the tutorial: a pipeline and its steps."""
    found = await at.graph.data('{ crm(key: "dach") { pipelines { name stages { id name } } } }')
    stages = next(each["stages"] for each in found["crm"]["pipelines"] if each["name"] == name)
    return str(stages[position]["id"])


async def test_the_tutorial_s_opportunity_is_created_linked_moved_and_won() -> None:
    async with desk("pipeliner") as at:
        owner = encode("User", Ref("dach", MIRA))
        first, second = [await step_of(at, PIPELINE, position) for position in (0, 1)]
        account = await at.write("createAccount", {"crm": "dach", "name": "Ziemann", "email": "info@ziemann.example", "ownerId": owner})
        people = [
            await at.write(
                "createContact", {"crm": "dach", "firstName": name, "lastName": "Doe", "ownerId": owner, "accountId": account["id"]}
            )
            for name in ("John", "Jane")
        ]
        at.calls().clear()

        made = await at.write(
            "createOpportunity",
            {
                "crm": "dach",
                "title": "New Opportunity",
                "ownerId": owner,
                "stageId": first,
                "expectedCloseDate": "2027-01-01",
                "amount": {"amount": "100", "currency": "EUR"},
                "accountId": account["id"],
                "primaryContactId": people[0]["id"],
                "contactIds": [each["id"] for each in people],
            },
        )
        (create,) = at.writes()
        moved = await at.write("moveOpportunityToStage", {"id": made["id"], "stageId": second})
        moved_to = row_of(at, made["id"])["step_id"]
        too_early = await at.write("closeOpportunity", {"id": made["id"], "status": "WON"})
        filled = await at.write("updateOpportunity", {"id": made["id"], "customFields": [{"key": "cf_scope", "value": "Twelve masts"}]})
        won = await at.write("closeOpportunity", {"id": made["id"], "status": "WON"})

        # The sandbox's second step has a checklist, which the tutorial's does not have.
        assert [code for _, code in errors(too_early)] == ["STAGE_CHECKLIST_INCOMPLETE"]
        for done in (account, *people, made, moved, filled, won):
            assert (done["outcome"], errors(done)) == ("DONE", [])
        ids = [decode(each["id"]).ref.local_id for each in (made, account, *people)]
        check_request(json.loads(create.body, parse_float=Decimal), ids)
        assert moved_to == NEEDS_ANALYSIS
        assert won["opportunity"]["status"] == "WON"
        check_records(at, ids)


def row_of(at: Desk, global_id: str) -> Mapping[str, Any]:
    (row,) = rows(at, "Opportunities", id=decode(global_id).ref.local_id)
    return dict(row)


def check_request(body: dict[str, Any], ids: list[str]) -> None:
    """The keys of the tutorial's request, and nothing but them."""
    _, account, john, jane = ids
    value = body.pop("value")
    assert value.pop("currency_id") == EUR
    (amount,) = value.values()
    assert set(value) <= {"base_value", "value_foreign"}
    assert amount == 100
    assert body == {
        "name": "New Opportunity",
        "owner_id": MIRA,
        "step_id": FIRST_CONTACT,
        "closing_date": "2027-01-01",
        "account_relations": [{"account_id": account, "is_primary": True}],
        "contact_relations": [{"contact_id": john, "is_primary": True}, {"contact_id": jane, "is_primary": False}],
    }


def check_records(at: Desk, ids: list[str]) -> None:
    """What the sandbox ends with."""
    deal, account, john, jane = ids
    (row,) = rows(at, "Opportunities", id=deal)
    assert (row["name"], row["owner_id"], row["step_id"], str(row["closing_date"])) == ("New Opportunity", MIRA, WON, "2027-01-01")
    assert row["value"]["currency_id"] == EUR
    assert Decimal(row["value"]["base_value"]) == 100
    accounts = rows(at, "LeadOpptyAccountRelations", lead_oppty_id=deal)
    contacts = rows(at, "LeadOpptyContactRelations", lead_oppty_id=deal)
    assert [(each["account_id"], each["is_primary"]) for each in accounts] == [(account, True)]
    assert {each["contact_id"]: each["is_primary"] for each in contacts} == {john: True, jane: False}
    assert {each["contact_id"] for each in rows(at, "ContactAccountRelations", account_id=account)} == {john, jane}
