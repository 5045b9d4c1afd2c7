"""Writes that are refused: what is wrong is told with its path, before anybody is called where nobody has to be."""

import pytest

from resolvers.node_id import encode
from tests.contract.conftest import VENDORS
from tests.resolvers.graph import SEEDED, autotask_graph, codes
from tests.resolvers.writing_desk import Desk, Json, asks, crm_of, desk, errors, shown
from vendors.model import Ref
from vendors.registry import all_vendors

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


async def test_contacts_are_not_replaced_and_changed_at_once(at: Desk) -> None:
    current = await at.model()
    contact = encode("Contact", Ref(at.key, "1"))

    values = {"id": encode("Opportunity", current.ref), "contactIds": [contact], "addContacts": [contact], "removeContacts": [contact]}
    refused = await at.write("updateOpportunity", values)

    assert refused["outcome"] == "REFUSED"
    assert errors(refused) == [(["input", name], "CONTRADICTION") for name in ("addContacts", "removeContacts")]
    assert at.calls() == []


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


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor != "apideck"])  # whose connectors' fields are not known
async def test_the_path_of_a_custom_field_is_its_key_as_the_vendor_spells_it(vendor: str) -> None:
    async with desk(vendor) as at:
        refused = await at.write("createOpportunity", await at.new(customFields=[{"key": "no_such_field", "value": 1}]))

        assert [path[:3] for path, _ in errors(refused)] == [["input", "customFields", "no_such_field"]]
        assert at.writes() == []


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
