"""Writes through the graph: what they answer, and what the vendors hold afterwards."""

import dataclasses
import json
from typing import Any

import pytest

from resolvers.node_id import encode
from resolvers.writing.values import ONLY_OF_CHANGES
from tests.contract.conftest import VENDORS
from tests.resolvers.graph import codes
from tests.resolvers.writing_desk import Desk, Json, asks, crm_of, desk, errors, planned, shown
from vendors.sandbox import Fault
from vendors.writes import OpportunityValues


async def titles(at: Desk, text: str) -> list[str]:
    query = "query($title: String!) { opportunities(first: 50, filter: { title: { contains: $title } }) { nodes { title } } }"
    return [node["title"] for node in (await at.graph.data(query, title=text))["opportunities"]["nodes"]]


async def test_what_is_created_is_answered_as_the_vendor_holds_it_and_listed_at_once(at: Desk) -> None:
    before = await titles(at, "Quay lights")
    made = await at.write("createOpportunity", await at.new(title="Quay lights  "))

    assert (made["outcome"], made["userErrors"], made["candidates"]) == ("DONE", [], [])
    assert made["opportunity"] == await shown(at, made["id"])
    assert made["opportunity"]["id"] == made["id"]
    assert made["opportunity"]["status"] == "OPEN"
    assert before == []
    assert await titles(at, "Quay lights") == [made["opportunity"]["title"]]
    assert len(at.writes()) == len(made["vendorRequests"]) > 0


@pytest.mark.parametrize("vendor", VENDORS)
async def test_the_answer_shows_what_the_vendor_made_of_the_title(vendor: str) -> None:
    async with desk(vendor) as at:
        made = await at.write("createOpportunity", await at.new(title="  Quay lights  "))

        assert "  Quay lights  " in json.dumps([request["body"] for request in made["vendorRequests"]], default=str)
        assert made["opportunity"]["title"] == "Quay lights"


async def test_an_update_changes_what_it_names_and_null_clears(at: Desk) -> None:
    takes_description = "description" in {
        rule["name"] for rule in (await crm_of(at, "createFields { name isAllowed }"))["createFields"] if rule["isAllowed"]
    }
    made = await at.write("createOpportunity", await at.new())

    renamed = await at.write("updateOpportunity", {"id": made["id"], "title": "Quay lights"})
    cleared = await at.write("updateOpportunity", {"id": made["id"], "description": None})

    changing = {"title", "updatedAt", "revision"}
    assert renamed["outcome"] == "DONE"
    assert renamed["opportunity"]["title"] == "Quay lights"
    assert {key: value for key, value in renamed["opportunity"].items() if key not in changing} == {
        key: value for key, value in made["opportunity"].items() if key not in changing
    }
    assert cleared["opportunity" if takes_description else "userErrors"]
    if takes_description:
        assert renamed["opportunity"]["description"] == "Öl, 5 %"
        assert cleared["opportunity"]["description"] in {None, ""}
        assert cleared["opportunity"]["title"] == "Quay lights"


async def test_a_deal_is_moved_won_opened_again_and_lost(at: Desk) -> None:
    current = await at.model()
    deal = encode("Opportunity", current.ref)
    stage = await at.other_stage(current)

    moved = await at.write("moveOpportunityToStage", {"id": deal, "stageId": stage})
    assert (moved["outcome"], moved["opportunity"]["stage"]["id"]) == ("DONE", stage)

    for status in ("WON", "OPEN", "LOST"):
        closed = await at.write("closeOpportunity", {"id": deal, "status": status})
        assert (closed["outcome"], errors(closed)) == ("DONE", []), status
        assert closed["opportunity"]["status"] == status
        assert closed["opportunity"] == await shown(at, deal)


async def test_what_is_deleted_is_gone_where_the_vendor_deletes(at: Desk) -> None:
    current = await at.model()
    deal = encode("Opportunity", current.ref)
    able = (await crm_of(at, "capabilities"))["capabilities"]
    at.calls().clear()

    deleted = await at.write("deleteOpportunity", {"id": deal}, key="delete")

    if "DELETE_OPPORTUNITIES" not in able:
        assert at.vendor == "autotask"
        assert (deleted["outcome"], errors(deleted), at.calls()) == ("REFUSED", [(["input"], "NOT_SUPPORTED")], [])
        return
    assert (deleted["outcome"], deleted["id"], deleted["userErrors"]) == ("DONE", deal, [])
    # Some vendors show a deleted record to whoever knows its id.
    assert (deleted["opportunity"] or {"isDeleted": True})["isDeleted"] is True
    assert (await shown(at, deal) is None) is (deleted["opportunity"] is None)
    assert current.title not in await titles(at, current.title)
    writes = len(at.writes())
    assert (await at.write("deleteOpportunity", {"id": deal}, key="delete"))["outcome"] == "REPLAYED"
    assert errors(await at.write("deleteOpportunity", {"id": deal})) == [(["input", "id"], "NOT_FOUND")]
    assert errors(await at.write("updateOpportunity", {"id": deal, "title": "x"})) == [(["input", "id"], "NOT_FOUND")]
    assert len(at.writes()) == writes


async def account_and_contacts(at: Desk, *names: str) -> tuple[str, list[str]]:
    """A new account with contacts."""
    owner = (
        {"ownerId": encode("User", ref)}
        if (ref := (await at.model()).owner_ref) and at.vendor in {"pipeliner", "autotask", "sharpspring"}
        else {}
    )
    account = await at.write("createAccount", {"crm": at.key, "name": "Fjord & Söhne  ", "phone": "+47 55 55", **owner})
    assert (account["outcome"], errors(account)) == ("DONE", [])
    assert account["account"]["id"] == account["id"]
    assert account["account"]["name"].strip() == "Fjord & Söhne"
    contacts: list[str] = []
    for name in names:
        person = {"crm": at.key, "firstName": name, "lastName": "Berg", "email": f"{name}@fjord.example", "accountId": account["id"]}
        made = await at.write("createContact", person | (owner if at.vendor == "pipeliner" else {}))
        assert (made["outcome"], errors(made)) == ("DONE", [])
        assert made["contact"] == {"id": made["id"], "firstName": name, "lastName": "Berg", "email": f"{name}@fjord.example"}
        contacts.append(made["id"])
    return account["id"], contacts


async def test_an_account_and_its_contacts_are_created_and_linked_to_a_new_deal(at: Desk) -> None:
    account, (ida,) = await account_and_contacts(at, "ida")

    made = await at.write("createOpportunity", await at.new(accountId=account, primaryContactId=ida))

    assert errors(made) == []
    deal = made["opportunity"]
    assert (deal["account"]["id"], deal["primaryContact"]["id"]) == (account, ida)


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor != "autotask"])
async def test_contacts_are_replaced_added_and_taken_out(vendor: str) -> None:
    async with desk(vendor) as at:
        account, (ida, lene, kari) = await account_and_contacts(at, "ida", "lene", "kari")
        made = await at.write("createOpportunity", await at.new(accountId=account, primaryContactId=ida))

        async def after(**changes: Any) -> set[str]:
            done = await at.write("updateOpportunity", {"id": made["id"], **changes})
            assert (done["outcome"], errors(done)) == ("DONE", [])
            return {contact["id"] for contact in done["opportunity"]["contacts"]}

        assert await after(contactIds=[ida, lene]) == {ida, lene}
        assert await after(addContacts=[kari]) == {ida, lene, kari}
        assert await after(removeContacts=[lene]) == {ida, kari}
        assert await after(title="Quay lights") == {ida, kari}
        assert await after(addContacts=None, removeContacts=None) == {ida, kari}


async def test_a_second_contact_is_refused_where_a_deal_has_one() -> None:
    async with desk("autotask") as at:
        account, (ida, lene) = await account_and_contacts(at, "ida", "lene")
        made = await at.write("createOpportunity", await at.new(accountId=account, primaryContactId=ida))
        at.calls().clear()

        refused = await at.write("updateOpportunity", {"id": made["id"], "addContacts": [lene]})

        assert [path for path, _ in errors(refused)] == [["input", "addContacts"]]
        assert at.writes() == []


def with_nulls(at: Desk, new: Json, *kept: str) -> Json:
    """The input with null for everything that it leaves out, the vendor's own fields among it."""
    names = [item.name for item in dataclasses.fields(OpportunityValues) if item.name not in {*ONLY_OF_CHANGES, "extension"}]
    keys = [{"probability_percent": "probability"}.get(name, name) for name in names]
    own = [item.name for item in dataclasses.fields(at.ground.crm.vendor.inputs["Opportunity"])]
    nothing = {camel(key): None for key in keys if key not in kept}
    return {**nothing, at.vendor: {camel(name): None for name in own}, **new}


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


async def test_null_is_as_good_as_absent_in_a_new_record(at: Desk) -> None:
    new = await at.new(title="Quay lights")
    nulls = with_nulls(at, new) | {"customFields": [{"key": "no matter", "value": None}]}

    plain, same = [await at.write("createOpportunity", values, dry=True) for values in (new, nulls)]
    missing = await at.write("createOpportunity", {"crm": at.key}, dry=True)
    also = await at.write("createOpportunity", with_nulls(at, {"crm": at.key}), dry=True)

    assert (plain["outcome"], same["outcome"]) == ("DRY_RUN", "DRY_RUN")
    assert [planned(request) for request in same["vendorRequests"]] == [planned(request) for request in plain["vendorRequests"]]
    assert also["userErrors"] == missing["userErrors"] != []


async def test_null_is_as_good_as_absent_in_a_new_account(at: Desk) -> None:
    owner = {"ownerId": (await at.new())["ownerId"]} if at.vendor in {"pipeliner", "autotask", "sharpspring"} else {}
    account = {"crm": at.key, "name": "Fjord", "phone": "+47 55 55", **owner}
    nothing = dict.fromkeys(("email", "website", "ownerId"))

    plain, same = [await at.write("createAccount", values, dry=True) for values in (account, nothing | account)]

    assert (plain["outcome"], same["userErrors"]) == ("DRY_RUN", [])
    assert [planned(request) for request in same["vendorRequests"]] == [planned(request) for request in plain["vendorRequests"]]


async def test_null_beside_contacts_makes_none_of_them_the_primary_one_or_is_refused(at: Desk) -> None:
    account, contacts = await account_and_contacts(at, "ida", *(["ole"] if at.vendor != "autotask" else []))
    new = await at.new(title="Quay lights", accountId=account, primaryContactId=None, contactIds=contacts)

    made = await at.write("createOpportunity", new)

    if at.vendor in {"autotask", "pipeliner"}:
        assert (made["outcome"], errors(made)) == ("REFUSED", [(["input", "primaryContactId"], "CONTRADICTION")])
        assert at.creates() == 0
        return
    assert (made["outcome"], errors(made), made["opportunity"]["primaryContact"]) == ("DONE", [], None)
    assert {each["id"] for each in made["opportunity"]["contacts"]} == set(contacts)


async def test_a_vendor_that_is_down_is_an_error_and_no_user_error(at: Desk) -> None:
    deal = encode("Opportunity", (await at.model()).ref)
    at.ground.control.faults[:] = [Fault(kind="status", status=503)]

    result = await at.graph.answer(asks("updateOpportunity"), input={"id": deal, "title": "x"}, dry=False)

    assert codes(result) == ["UNAVAILABLE"]
    assert result.data == {"made": None}
    assert at.writes() == []


async def test_a_create_that_the_vendor_answers_with_its_own_failure_may_have_happened(at: Desk) -> None:
    new = await at.new()
    at.fail_creates("status")

    assert await at.write_error("createOpportunity", new) == "OUTCOME_UNKNOWN"
    assert at.creates() == 1


async def test_mutations_of_one_operation_are_made_in_order_and_read_each_other(at: Desk) -> None:
    deal = encode("Opportunity", (await at.model()).ref)
    query = """mutation($id: ID!) {
        one: updateOpportunity(input: { id: $id, title: "One" }) { opportunity { title } userErrors { code } }
        two: updateOpportunity(input: { id: $id, title: "Two" }) { opportunity { title } userErrors { code } } }"""

    made = await at.graph.data(query, id=deal)

    assert [made[name]["opportunity"]["title"] for name in ("one", "two")] == ["One", "Two"]
