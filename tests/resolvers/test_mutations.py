"""Writes through the graph: what they answer, what they refuse, and what the vendors are sent for them."""

import dataclasses
import json
import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from resolvers.node_id import decode, encode
from resolvers.writing.values import ONLY_OF_CHANGES
from tests.contract.conftest import VENDORS
from tests.resolvers.graph import SEEDED, autotask_graph, codes
from tests.resolvers.writing_desk import DEAL, Desk, Json, asks, desk, errors, planned, sent
from vendors.capabilities import Capability
from vendors.model import Ref
from vendors.registry import all_vendors
from vendors.sandbox import Fault
from vendors.writes import OpportunityValues


@pytest.fixture(params=VENDORS)
async def at(request: pytest.FixtureRequest) -> AsyncGenerator[Desk, None]:
    """A graph over one Crm, of every vendor in turn."""
    async with desk(request.param) as found:
        yield found


async def crm_of(at: Desk, fields: str) -> Json:
    query = f"query($key: String!) {{ crm(key: $key) {{ {fields} }} }}"
    return dict((await at.graph.data(query, key=at.key))["crm"])


async def shown(at: Desk, global_id: str) -> Json | None:
    """An opportunity as another operation reads it."""
    found = await at.graph.data(f"query($id: ID!) {{ opportunity(id: $id) {{ {DEAL} }} }}", id=global_id)
    return None if found["opportunity"] is None else dict(found["opportunity"])


async def titles(at: Desk, text: str) -> list[str]:
    query = "query($title: String!) { opportunities(first: 50, filter: { title: { contains: $title } }) { nodes { title } } }"
    return [node["title"] for node in (await at.graph.data(query, title=text))["opportunities"]["nodes"]]


# what is written


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


async def test_contacts_are_not_replaced_and_changed_at_once(at: Desk) -> None:
    current = await at.model()
    contact = encode("Contact", Ref(at.key, "1"))

    values = {"id": encode("Opportunity", current.ref), "contactIds": [contact], "addContacts": [contact], "removeContacts": [contact]}
    refused = await at.write("updateOpportunity", values)

    assert refused["outcome"] == "REFUSED"
    assert errors(refused) == [(["input", name], "CONTRADICTION") for name in ("addContacts", "removeContacts")]
    assert at.calls() == []


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


async def test_a_custom_field_is_given_once(at: Desk) -> None:
    twice = [{"key": "Berth", "value": "1"}, {"key": "other", "value": "1"}, {"key": "Berth", "value": "1"}]

    created = await at.write("createOpportunity", await at.new(customFields=twice))
    updated = await at.write("updateOpportunity", {"id": encode("Opportunity", Ref(at.key, "1")), "customFields": twice})

    for refused in (created, updated):
        assert (["input", "customFields", "Berth"], "CONTRADICTION") in errors(refused)
        assert [code for _, code in errors(refused)].count("CONTRADICTION") == 1
    assert at.calls() == []


@pytest.mark.parametrize("amount", ["1E+999999999", "-1E-999999999", "9" * 1_001, "1_000", "١٢", " 5 "])
async def test_an_amount_that_cannot_be_written_out_is_told(amount: str) -> None:
    async with desk("autotask") as at:
        new = await at.new(amount={"amount": amount})

        for key in (None, "a key"):
            error = await at.graph.error(asks("createOpportunity"), input=new, key=key)
            assert (error.extensions or {})["code"] == "BAD_USER_INPUT"
        assert at.calls() == []


@pytest.mark.parametrize(
    ("vendor", "changes", "path"),
    [
        ("autotask", {"expectedCloseDate": "0001-01-01"}, "expectedCloseDate"),
        ("apideck", {"pipelineId": "UGlwZWxpbmU6YW1lcmljYXM6bm9uZQ=="}, "pipelineId"),
        ("sharpspring", {"expectedCloseDate": "0001-01-01"}, "expectedCloseDate"),
    ],
)
async def test_a_mistake_is_told_once(vendor: str, changes: Json, path: str) -> None:
    async with desk(vendor) as at:
        refused = await at.write("createOpportunity", await at.new(**changes))

        assert errors(refused) == [(["input", path], "INVALID_REFERENCE" if path == "pipelineId" else "OUT_OF_RANGE")]


# what is refused before anybody is called


REFERENCES = {
    "pipelineId": "Pipeline",
    "stageId": "Stage",
    "ownerId": "User",
    "accountId": "Account",
    "primaryContactId": "Contact",
}
LISTS = {"accountIds": "Account", "contactIds": "Contact"}
TEXTS = {"description", "type", "leadSource", "tags"}


def wrong_ids(at: Desk, type_name: str) -> list[str]:
    """An id of another Crm, one of another type, and texts that are none."""
    other = "Stage" if type_name == "User" else "User"
    return [encode(type_name, Ref("elsewhere", "1")), encode(other, Ref(at.key, "1")), "1", "", "VXNlcg==", "💥"]


async def test_every_wrong_id_is_told_with_its_path_and_nobody_is_called(at: Desk) -> None:
    for position in range(6):
        values: Json = {name: wrong_ids(at, kind)[position] for name, kind in REFERENCES.items()}
        values |= {name: [encode(kind, Ref(at.key, "1")), wrong_ids(at, kind)[position]] for name, kind in LISTS.items()}
        expected = [["input", name] for name in REFERENCES] + [["input", name, "1"] for name in LISTS]

        created = await at.write("createOpportunity", {"crm": at.key, "title": "x", **values})
        assert sorted(path for path, code in errors(created) if code == "INVALID_ID") == sorted(expected)
        assert [path for path, code in errors(created) if code != "INVALID_ID" and path[:2] in [each[:2] for each in expected]] == []
        assert (created["outcome"], created["id"], created["opportunity"], created["vendorRequests"]) == ("REFUSED", None, None, [])

        deal = encode("Opportunity", Ref(at.key, "1"))
        changes = {name: [wrong_ids(at, "Contact")[position]] for name in ("addContacts", "removeContacts")}
        updated = await at.write("updateOpportunity", {"id": deal, **values, **changes})
        assert sorted(path for path, _ in errors(updated)) == sorted(expected + [["input", name, "0"] for name in changes])

        stage = wrong_ids(at, "Stage")[position]
        moved = await at.write("moveOpportunityToStage", {"id": deal, "stageId": stage, "expected": {"stageId": stage}})
        assert sorted(errors(moved)) == [(["input", "expected", "stageId"], "INVALID_ID"), (["input", "stageId"], "INVALID_ID")]
        for kind, name in (("createAccount", "ownerId"), ("createContact", "accountId")):
            made = await at.write(kind, {"crm": at.key, name: wrong_ids(at, REFERENCES[name])[position]})
            assert errors(made) == [(["input", name], "INVALID_ID")]
    assert at.calls() == []


async def test_what_else_is_wrong_is_told_with_the_wrong_ids_as_far_as_nobody_has_to_be_called(at: Desk) -> None:
    rules = (await crm_of(at, "createFields { name isRequired isAllowed maxLength }"))["createFields"]
    bad: Json = {rule["name"]: "x" * (rule["maxLength"] + 1) for rule in rules if rule["maxLength"] is not None and "." not in rule["name"]}
    bad |= {rule["name"]: ["x"] if rule["name"] == "tags" else "x" for rule in rules if not rule["isAllowed"] and rule["name"] in TEXTS}
    required = [rule["name"] for rule in rules if rule["isRequired"] and rule["name"] not in bad]
    new = await at.new(**bad) | dict.fromkeys(required)

    fit = await at.write("createOpportunity", new)
    at.calls().clear()
    wrong = await at.write("createOpportunity", {**new, "ownerId": "1", "contactIds": ["1"], "accountIds": None})

    told = {(path[1], code) for path, code in errors(fit) if code in {"REQUIRED", "NOT_SUPPORTED", "TOO_LONG"}}
    hidden = {("ownerId", "REQUIRED"), ("primaryContactId", "REQUIRED")}  # by the ids that are wrong
    assert {(path[1], code) for path, code in errors(wrong)} == told - hidden | {("ownerId", "INVALID_ID"), ("contactIds", "INVALID_ID")}
    assert ("title", "TOO_LONG" if "title" in bad else "REQUIRED") in told
    assert at.calls() == []


@pytest.mark.parametrize(
    ("vendor", "values"),
    [
        ("autotask", {"accountIds": ["Account"]}),
        ("autotask", {"accountIds": ["Account", "wrong"]}),
        ("apideck", {"contactIds": ["Contact"]}),
        ("apideck", {"contactIds": ["wrong"]}),
    ],
)
async def test_the_main_one_is_not_missed_where_it_is_the_first_of_a_list(vendor: str, values: Json) -> None:
    async with desk(vendor, settings={"require_primary_contact": True} if vendor == "apideck" else None) as at:
        lists = {name: [encode(each, Ref(at.key, "1")) if each != "wrong" else "1" for each in ids] for name, ids in values.items()}

        refused = await at.write("createOpportunity", {"crm": at.key, **lists, "pipelineId": "1"})

        assert (["input", "title"], "REQUIRED") in errors(refused)
        assert not {"accountId", "primaryContactId"} & {path[1] for path, _ in errors(refused)}
        assert at.calls() == []


@pytest.mark.parametrize(
    ("mutation", "more"),
    [
        ("updateOpportunity", {"title": "x"}),
        ("moveOpportunityToStage", {"stageId": "1"}),
        ("closeOpportunity", {"status": "WON"}),
        ("deleteOpportunity", {}),
    ],
)
async def test_a_wrong_id_of_the_deal_itself_is_told(mutation: str, more: Json) -> None:
    async with desk("autotask") as at:
        for wrong in (encode("Account", Ref(at.key, "1")), "1", ""):
            assert errors(await at.write(mutation, {"id": wrong, **more})) == [(["input", "id"], "INVALID_ID")]
        elsewhere = encode("Opportunity", Ref("elsewhere", "1"))
        assert errors(await at.write(mutation, {"id": elsewhere, **more})) == [(["input", "id"], "UNKNOWN_CRM")]
        assert at.calls() == []


@pytest.mark.parametrize("mutation", ["createOpportunity", "createAccount", "createContact"])
async def test_an_unknown_crm_is_told(mutation: str) -> None:
    async with desk("autotask") as at:
        made = await at.write(mutation, {"crm": "elsewhere"})

        assert errors(made) == [(["input", "crm"], "UNKNOWN_CRM")]
        assert at.calls() == []


async def test_an_id_of_another_crm_of_the_same_vendor_is_refused() -> None:
    async with autotask_graph(left=SEEDED, right=SEEDED) as twins:
        stage = encode("Stage", Ref("right", "12"))
        deal = encode("Opportunity", Ref("left", "29701404"))

        made = (await twins.data(asks("moveOpportunityToStage"), input={"id": deal, "stageId": stage}))["made"]

        assert errors(made) == [(["input", "stageId"], "INVALID_ID")]
        assert twins.calls("left") == twins.calls("right") == []


async def test_what_only_another_vendor_takes_is_refused(at: Desk) -> None:
    others = [vendor.key for vendor in all_vendors().values() if vendor.inputs and vendor.key != at.vendor]
    new = await at.new()
    deal = encode("Opportunity", (await at.model()).ref)

    assert len(others) >= 3
    for other in others:
        for mutation, values in (("createOpportunity", new), ("updateOpportunity", {"id": deal, "title": "x"})):
            refused = await at.write(mutation, {**values, other: {}})
            assert errors(refused) == [(["input", other], "NOT_SUPPORTED")]
    assert at.calls() == []


# What the vendors' pages mark as read-only, or derive: nobody can even ask for it.
READ_ONLY = {
    "apideck": "id expectedRevenue interactionCount lastActivityAt deleted createdAt updatedAt createdBy updatedBy",
    "autotask": """id createDate creatorResourceId impersonatorCreatorResourceId lastActivity salesOrderId assessmentScore
        relationshipAssessmentScore technicalAssessmentScore salesProcessPercentComplete""",
    "onlyoffice": "id created createBy canEdit",
    "pipeliner": "modified status daysInStep qualifyDate fitness fitnessDescription formattedName isFavorite percent",
    "sharpspring": "id",
}


async def test_what_a_vendor_keeps_itself_cannot_be_asked_for(at: Desk) -> None:
    new = await at.new()
    derived = [{**new, name: "1"} for name in ("expectedRevenue", "createdAt", "updatedAt", "revision", "isDeleted")]
    own = [{**new, at.vendor: {name: "1"}} for name in READ_ONLY[at.vendor].split()]

    for values in (*derived, *own):
        result = await at.graph.answer(asks("createOpportunity"), input=values)
        assert codes(result) == ["BAD_USER_INPUT"], values
    assert at.calls() == []


# what the client expects


async def test_what_is_not_as_expected_is_a_conflict_and_not_written(at: Desk) -> None:
    current = await at.model()
    deal, stage = encode("Opportunity", current.ref), await at.other_stage(current)

    for expected in ({"stageId": stage}, {"status": "WON"}):
        for mutation, values in (
            ("updateOpportunity", {"title": "x"}),
            ("moveOpportunityToStage", {"stageId": stage}),
            ("closeOpportunity", {"status": "LOST"}),
            *([("deleteOpportunity", {})] if at.vendor != "autotask" else []),
        ):
            refused = await at.write(mutation, {"id": deal, **values, "expected": expected})
            assert (refused["outcome"], errors(refused)) == ("REFUSED", [(["input", "expected", *expected], "CONFLICT")])
    assert at.writes() == []


async def test_what_is_as_expected_is_written_and_then_no_more(at: Desk) -> None:
    current = await at.model()
    deal = encode("Opportunity", current.ref)
    before = await shown(at, deal)
    assert before is not None
    expected = {"stageId": before["stage"]["id"], "status": "OPEN"}
    told = {name: before[name] for name in ("updatedAt", "revision") if before[name] is not None}

    done = await at.write("updateOpportunity", {"id": deal, "title": "Quay lights", "expected": expected | told})
    assert (done["outcome"], errors(done)) == ("DONE", [])

    for name, value in told.items():
        at.calls().clear()
        refused = await at.write("updateOpportunity", {"id": deal, "title": "Quay", "expected": {name: value}})
        assert errors(refused) == [(["input", "expected", name], "CONFLICT")]
        assert at.writes() == []


async def test_what_a_vendor_does_not_tell_cannot_be_expected() -> None:
    async with desk("autotask") as at:
        deal = encode("Opportunity", (await at.model()).ref)

        refused = await at.write("updateOpportunity", {"id": deal, "title": "x", "expected": {"revision": "7"}})

        assert errors(refused) == [(["input", "expected", "revision"], "NOT_SUPPORTED")]
        assert at.writes() == []


# dry runs


async def test_a_dry_run_tells_exactly_what_is_sent_afterwards(at: Desk) -> None:
    current = await at.model()
    deal = encode("Opportunity", current.ref)
    asked: list[tuple[str, Json]] = [
        ("createOpportunity", await at.new()),
        ("updateOpportunity", {"id": deal, "title": "Quay lights", "amount": None if at.vendor == "apideck" else await amount_of(at)}),
        ("moveOpportunityToStage", {"id": deal, "stageId": await at.other_stage(current)}),
        ("closeOpportunity", {"id": deal, "status": "LOST"}),
        *([("deleteOpportunity", {"id": deal})] if at.vendor != "autotask" else []),
    ]
    for mutation, values in asked:
        at.calls().clear()
        dry = await at.write(mutation, values, key="dry", dry=True)
        assert (dry["outcome"], errors(dry), at.writes()) == ("DRY_RUN", [], []), mutation
        assert all(secret not in json.dumps(dry, default=str) for secret in at.secrets())

        done = await at.write(mutation, values, key=mutation)
        assert done["outcome"] == "DONE"
        assert without_moments(done["vendorRequests"]) == without_moments(dry["vendorRequests"])
        own_id = Ref(at.key, current.local_id) if mutation != "createOpportunity" else None
        local_id = current.local_id if own_id else made_id(done)
        assert [planned(fill(request, local_id)) for request in done["vendorRequests"]] == [sent(call) for call in at.writes()]
        for request, call in zip(dry["vendorRequests"], at.writes(), strict=True):
            assert call.path.endswith(fill(request, local_id)["path"])
            assert {tuple(each) for each in request["parameters"]} <= {tuple(each) for each in call.query}


def without_moments(requests: list[Json]) -> str:
    """What is sent, but for the moment at which a deal is closed: the next second may have begun."""
    return re.sub(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^"]*"', '"a moment"', json.dumps(requests))


async def amount_of(at: Desk) -> Json:
    return dict((await at.new())["amount"])


def made_id(done: Json) -> str:
    return decode(done["id"]).ref.local_id


def fill(request: Json, local_id: str) -> Json:
    return {**request, "path": request["path"].replace("{id}", local_id)}


async def test_a_dry_run_tells_all_broken_rules_and_needs_no_key(at: Desk) -> None:
    required = {rule["name"] for rule in (await crm_of(at, "createFields { name isRequired }"))["createFields"] if rule["isRequired"]}

    dry = await at.write("createOpportunity", {"crm": at.key}, dry=True)

    assert dry["outcome"] == "REFUSED"
    assert {path[1] for path, code in errors(dry) if code == "REQUIRED"} >= required
    assert at.writes() == []


# what a Crm says it can do


async def test_capabilities_and_closable_agree_with_what_happens(at: Desk) -> None:
    crm = await crm_of(at, "capabilities closable")
    deal = encode("Opportunity", (await at.model()).ref)
    asked = {
        "CREATE_OPPORTUNITIES": ("createOpportunity", {"crm": at.key}),
        "UPDATE_OPPORTUNITIES": ("updateOpportunity", {"id": deal, "title": "x"}),
        "MOVE_OPPORTUNITIES": ("moveOpportunityToStage", {"id": deal, "stageId": encode("Stage", Ref(at.key, "none"))}),
        "DELETE_OPPORTUNITIES": ("deleteOpportunity", {"id": deal}),
        "CREATE_ACCOUNTS": ("createAccount", {"crm": at.key}),
        "CREATE_CONTACTS": ("createContact", {"crm": at.key}),
    }
    assert asked.keys() <= set(Capability.__members__)

    for capability, (mutation, values) in asked.items():
        at.calls().clear()
        made = await at.write(mutation, values, dry=True)
        is_refused = (["input"], "NOT_SUPPORTED") in errors(made)
        assert is_refused is (capability not in crm["capabilities"]), mutation
        assert not is_refused or at.calls() == []
    for status in ("OPEN", "WON", "LOST"):
        made = await at.write("closeOpportunity", {"id": deal, "status": status}, dry=True)
        assert ((["input", "status"], "NOT_SUPPORTED") in errors(made)) is (status not in crm["closable"])


@pytest.mark.parametrize(
    ("vendor", "settings"),
    [
        ("pipeliner", {"won_stage_id": (), "lost_stage_id": ()}),
        ("apideck", {"won_status": None, "lost_status": None, "open_status": None}),
    ],
)
async def test_a_deal_is_not_closed_where_the_settings_do_not_say_how(vendor: str, settings: Json) -> None:
    async with desk(vendor, settings=settings) as at:
        deal = encode("Opportunity", (await at.model()).ref)
        crm = await crm_of(at, "capabilities closable")
        at.calls().clear()

        refused = await at.write("closeOpportunity", {"id": deal, "status": "WON"})

        assert crm["closable"] == []
        assert "CLOSE_OPPORTUNITIES" not in crm["capabilities"]
        assert errors(refused) == [(["input", "status"], "NOT_SUPPORTED")]
        assert at.calls() == []


async def test_every_field_of_create_fields_is_a_key_of_the_input_and_what_is_not_allowed_is_refused(at: Desk) -> None:
    rules = (await crm_of(at, "createFields { name isRequired isAllowed maxLength }"))["createFields"]
    query = "query($name: String!) { __type(name: $name) { inputFields { name type { name } } } }"

    async def keys_of(name: str) -> dict[str, str | None]:
        found = (await at.graph.data(query, name=name))["__type"]["inputFields"]
        return {key["name"]: key["type"]["name"] for key in found}

    keys = await keys_of("CreateOpportunityInput")
    own = await keys_of(str(keys[at.vendor])) if at.vendor in keys else {}
    known = {*keys, *(f"{at.vendor}.{name}" for name in own)}
    values: Json = {"description": "x", "type": "x", "leadSource": "x", "tags": ["x"], "probability": 7}
    new = await at.new()

    assert {rule["name"] for rule in rules} == known - {"crm", *all_vendors()}
    for rule in rules:
        if rule["name"] in values:
            dry = await at.write("createOpportunity", {**new, rule["name"]: values[rule["name"]]}, dry=True)
            told = [code for path, code in errors(dry) if path[:2] == ["input", rule["name"]]]
            assert (told in (["NOT_SUPPORTED"], ["READ_ONLY"])) is not rule["isAllowed"], rule
        if rule["maxLength"] is not None and rule["name"] in {"title", "description"}:
            dry = await at.write("createOpportunity", {**new, rule["name"]: "x" * (rule["maxLength"] + 1)}, dry=True)
            assert errors(dry) == [(["input", rule["name"]], "TOO_LONG")]
        if rule["isRequired"]:
            dry = await at.write("createOpportunity", {**new, rule["name"]: None}, dry=True)
            assert (["input", rule["name"]], "REQUIRED") in [(path[:2], code) for path, code in errors(dry)], rule
    assert at.writes() == []


# what fails


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


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor != "apideck"])  # whose connectors' fields are not known
async def test_the_path_of_a_custom_field_is_its_key_as_the_vendor_spells_it(vendor: str) -> None:
    async with desk(vendor) as at:
        refused = await at.write("createOpportunity", await at.new(customFields=[{"key": "no_such_field", "value": 1}]))

        assert [path[:3] for path, _ in errors(refused)] == [["input", "customFields", "no_such_field"]]
        assert at.writes() == []
