"""What may be known before a write: what a Crm can do and takes, and what a dry run would send."""

import json
import re

import pytest

from resolvers.node_id import decode, encode
from tests.resolvers.writing_desk import Desk, Json, crm_of, desk, errors, planned, sent
from vendors.capabilities import Capability
from vendors.model import Ref
from vendors.registry import all_vendors

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
