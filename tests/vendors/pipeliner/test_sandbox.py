"""The Pipeliner sandbox against the vendor's documents: credentials, paths, errors, shapes of records, options, controls."""

import base64
import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from tests.vendors.pipeliner.sandbox_caller import ENTITIES, SPACE, Caller, Clocks, calling
from vendors.pipeliner.sandbox import SANDBOX

BERTH_4 = "Quay crane retrofit, berth 4"
MISSING = "00000000-0000-4000-8000-00000000dead"
NEW_HOST = f"https://eu-central.api.pipelinersales.com{ENTITIES}"

# Source: Pipeliner "Create Opportunity", POST/entities/Opportunities, answer.
OPPORTUNITY_KEYS = {
    *("account_relations", "closing_date", "contact_relations", "created", "days_in_step", "description", "documents"),
    *("fitness_description", "formatted_name", "id", "is_archived", "is_delete_protected", "is_deleted", "is_favorite"),
    *("is_value_auto_calculate", "label_flag", "lost_date", "modified", "name", "oppty_recurrence", "oppty_type"),
    *("oppty_type_id", "owner", "owner_id", "primary_account", "primary_contact", "product_currency", "product_currency_id"),
    *("product_price_list", "product_price_list_id", "product_relations", "product_sections", "qualify_date"),
    *("quick_account_email", "quick_account_name", "quick_account_phone", "quick_contact_name", "quick_email", "quick_phone"),
    *("ranking", "reason_of_close", "reason_of_close_description", "reason_of_close_id", "revenue_schedule", "revision"),
    *("share_mode", "sharing_clients", "sharing_units", "status", "step", "step_id", "unit", "unit_id", "value"),
    *("was_qualified", "won_date"),
}


@pytest.fixture
async def call() -> AsyncIterator[Caller]:
    async with calling() as caller:
        yield caller


def basic(text: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(b"de_Nordkai_AG_4JX2R8TQWM:wrong"),
        basic(b"x"),
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic ü"},
        {"Authorization": "Bearer x"},
    ],
)
async def test_requests_without_the_right_credentials_are_refused(call: Caller, headers: dict[str, str]) -> None:
    response, text = await call.send("GET", f"{ENTITIES}Opportunities", headers=headers)

    assert response.status == 401
    assert json.loads(text)["success"] is False


async def test_the_body_of_a_refusal_may_be_plain_text() -> None:
    async with calling(unauthorized_body="text") as call:
        response, text = await call.send("GET", f"{ENTITIES}Opportunities", headers={})

    assert (response.status, response.content_type, text) == (401, "text/plain", "Unauthorized Access")


async def test_the_settings_are_those_that_the_sandbox_takes(call: Caller) -> None:
    settings = call.sandbox.settings
    headers = basic(f"{settings['username']}:{settings['password']}".encode())

    response, _ = await call.send("GET", f"/api/v100/rest/spaces/{settings['space_id']}/entities/Clients", headers=headers)

    assert settings.keys() == {
        *("service_url", "space_id", "username", "password", "won_stage_id", "lost_stage_id", "webhook_signature"),
    }
    assert (settings["service_url"], response.status) == (call.sandbox.base_url, 200)


async def test_a_path_that_is_not_routed_has_the_frameworks_body(call: Caller) -> None:
    for path in ("/", "/api/v99/rest/spaces/x/entities/Clients", f"{SPACE}/Opportunities", f"{ENTITIES}Opportunities/a/b"):
        response, text = await call.send("GET", path)

        assert response.status == 404
        assert json.loads(text).keys() == {"status", "message", "errorcode", "traceback"}


async def test_an_unknown_space_is_told(call: Caller) -> None:
    response, text = await call.send("GET", "/api/v100/rest/spaces/de_Other/entities/Clients")

    assert response.status == 404
    assert json.loads(text) == {"code": 404, "name": "ERROR_NOT_FOUND", "message": "Space not found.", "success": False}


@pytest.mark.parametrize("entity", ["Contact", "opportunities", "Tasks"])
async def test_an_unknown_entity_is_told(call: Caller, entity: str) -> None:
    body = await call("GET", entity, status=404)

    assert (body["code"], body["name"], body["http_status"], body["success"]) == (2006, "ERROR_UNKNOWN_TYPE", 404, False)


async def test_a_method_that_an_entity_does_not_have_is_refused(call: Caller) -> None:
    pipeline_id = await call.id_of("Pipelines", "New equipment")

    for method, entity in (
        ("PUT", "Opportunities"),
        ("DELETE", "Opportunities"),
        ("POST", "Pipelines"),
        ("PATCH", f"Pipelines/{pipeline_id}"),
    ):
        body = await call(method, entity, {}, status=405)
        assert "success" not in body


@pytest.mark.parametrize(
    ("shape", "keys"),
    [("envelope", {"code", "name", "message", "http_status", "success"}), ("framework", {"status", "message", "errorcode", "traceback"})],
)
async def test_a_record_that_does_not_exist(shape: str, keys: set[str]) -> None:
    async with calling(record_not_found=shape) as call:
        for method in ("GET", "PATCH", "DELETE"):
            body = await call(method, f"Accounts/{MISSING}", {}, status=404)
            assert body.keys() == keys


async def test_a_record_holds_every_key_of_the_document(call: Caller) -> None:
    row = await call.deal(BERTH_4)

    assert row.keys() >= OPPORTUNITY_KEYS
    assert row["value"].keys() == {"base_value", "currency_id", "value_foreign"}
    assert row["fitness_description"] == {
        "is_won": False,
        "is_overdue": False,
        "activities_on_time": 2,
        "scheduled_activity": 1,
        "fitness": 3,
    }
    assert await call.read("Opportunities", row["id"]) == row


async def test_relations_are_uris_of_the_vendors_host(call: Caller) -> None:
    row = await call.deal(BERTH_4)

    for relation, entity in (
        ("owner", "Clients"),
        ("step", "Steps"),
        ("unit", "SalesUnits"),
        ("oppty_type", "OpportunityTypes"),
        ("reason_of_close", "Data"),
    ):
        assert row[relation] == f"{NEW_HOST}{entity}/{row[f'{relation}_id']}"
    assert [uri.rpartition("/")[0] for uri in row["contact_relations"]] == [f"{NEW_HOST}LeadOpptyContactRelations"] * 2
    assert row["primary_account"].startswith(f"{NEW_HOST}Accounts/")
    assert row["oppty_recurrence"].startswith(f"{NEW_HOST}OpptyRecurrences/")
    assert row["active_quote"].startswith(f"{NEW_HOST}Quotes/")


async def test_the_older_host_may_stand_in_relations() -> None:
    async with calling(relation_host="old") as call:
        row = await call.deal(BERTH_4)

    assert row["owner"] == f"https://eu-central.pipelinersales.com{ENTITIES}Clients/{row['owner_id']}"


async def test_expand_gives_objects_for_the_named_relations_alone(call: Caller) -> None:
    row = await call.deal(BERTH_4, expand="owner,step.pipeline,account_relations.account,contact_relations,tags")

    assert (row["owner"]["email"], row["owner"]["formatted_name"]) == ("mira.koenig@nordkai.example", "Mira König")
    assert row["owner"]["default_unit"].startswith("https://")
    assert (row["step"]["name"], row["step"]["percent"], row["step"]["pipeline"]["name"]) == ("Negotiation", 75, "New equipment")
    assert all(step.startswith("https://") for step in row["step"]["pipeline"]["steps"])
    assert [link["account"]["name"] for link in row["account_relations"]] == ["Harbour Lines GmbH"]
    assert all(link["contact"].startswith(f"{NEW_HOST}Contacts/") for link in row["contact_relations"])
    assert sorted(tag["name"] for tag in row["tags"]) == ["green port", "repeat order"]
    assert row["primary_account"].startswith("https://")


async def test_a_single_record_can_be_expanded_but_not_cut(call: Caller) -> None:
    row_id = (await call.deal(BERTH_4))["id"]

    assert (await call.read("Opportunities", row_id, expand="primary_contact"))["primary_contact"]["formatted_name"] == "Ole Henrik Lund"
    assert (await call("GET", f"Opportunities/{row_id}", status=400, **{"load-only": "id"}))["code"] == 117


async def test_load_only_gives_the_named_keys_alone(call: Caller) -> None:
    row = await call.deal(
        BERTH_4,
        expand="owner,contact_relations.contact",
        **{"load-only": "name,owner.email,contact_relations.contact.email1,contact_relations.is_primary,value.value_foreign,step"},
    )

    assert row.keys() == {"name", "owner", "contact_relations", "value", "step"}
    assert (row["owner"], row["value"]) == ({"email": "mira.koenig@nordkai.example"}, {"value_foreign": "1180000.00"})
    assert {"contact": {"email1": "ole@harbourlines.example"}, "is_primary": True} in row["contact_relations"]
    assert row["step"].startswith("https://")


@pytest.mark.parametrize(
    "params",
    [
        {"expand": "sales_unit"},
        {"expand": "owner_id"},
        {"expand": "owner.nobody"},
        {"load-only": "id,nome"},
        {"load-only": "owner.mail"},
        {"expand": "name"},
        {"page": "2"},
        {"include-deleted": "perhaps"},
    ],
)
async def test_unknown_names_are_refused(call: Caller, params: dict[str, str]) -> None:
    body = await call("GET", "Opportunities", status=400, **params)

    assert (body["code"], body["name"], body["http_status"], body["success"]) == (117, "ERROR_PARAMETER_INVALID", 400, False)


async def test_empty_values_are_empty_text_and_null_and_empty_lists(call: Caller) -> None:
    row = await call.deal("Slipway winch")

    assert (row["quick_email"], row["reason_of_close"], row["reason_of_close_id"], row["won_date"], row["tags"]) == (
        "",
        None,
        None,
        None,
        [],
    )
    assert (row["primary_account"], row["account_relations"], row["cf_scope"], row["cf_margin"]) == (None, [], "", None)
    assert row["formatted_name"] == row["name"]


async def test_links_that_were_deleted_are_not_shown(call: Caller) -> None:
    row = await call.deal("Camera system for spreader")

    links = await call.rows("LeadOpptyAccountRelations", **{"filter[lead_oppty_id]": row["id"], "include-deleted": "true"})

    assert len(row["account_relations"]) == 1
    assert sorted(link["is_deleted"] for link in links) == [False, True]


async def test_leads_share_the_links_of_opportunities(call: Caller) -> None:
    deal = await call.deal("Fender renewal, pier 2")
    account_id = await call.id_of("Accounts", "Elbe-Fähren Glückstadt KG")

    links = await call.rows("LeadOpptyAccountRelations", **{"filter[account_id]": account_id})

    of_deal = next(link for link in links if link["lead_oppty_id"] == deal["id"])
    (of_lead,) = [link for link in links if link["oppty"] is None]
    assert (of_deal["oppty"], of_deal["lead"]) == (f"{NEW_HOST}Opportunities/{deal['id']}", None)
    assert of_lead["lead"] == f"{NEW_HOST}Leads/{of_lead['lead_oppty_id']}"


async def test_steps_of_other_processes_are_mixed_into_the_steps(call: Caller) -> None:
    steps = await call.rows("Steps", first=100)

    assert all([step["pipeline_id"], step["lead_process_id"], step["quote_process_id"]].count(None) == 2 for step in steps)
    assert {bool(step["lead_process_id"]) for step in steps} == {bool(step["quote_process_id"]) for step in steps} == {True, False}


async def test_steps_of_a_pipeline_are_in_their_order(call: Caller) -> None:
    pipeline = await call.one("Pipelines", expand="steps", **{"filter[name]": "New equipment"})

    assert [step["name"] for step in pipeline["steps"]] == [
        "First contact",
        "Needs analysis",
        "Proposal",
        "Negotiation",
        "Closed/Won",
        "Closed/Lost",
    ]
    assert [step["sort_order"] for step in pipeline["steps"]] == [0, 1, 2, 3, 4, 5]
    assert all(step["pipeline"] == f"{NEW_HOST}Pipelines/{pipeline['id']}" for step in pipeline["steps"])


@pytest.mark.parametrize(("shape", "kind"), [("uris", str), ("objects", dict)])
async def test_unexpanded_steps(shape: str, kind: type) -> None:
    async with calling(unexpanded_steps=shape) as call:
        pipelines = await call.rows("Pipelines")

    assert pipelines and all(isinstance(step, kind) for pipeline in pipelines for step in pipeline["steps"])


@pytest.mark.parametrize(
    ("spelling", "created"),
    [
        ("space", r"2026-02-03 08:\d\d:\d\d\.\d{6}\+00:00"),
        ("t", r"2026-02-03T08:\d\d:\d\d\.\d{6}\+00:00"),
        ("naive", r"2026-02-03T08:\d\d:\d\d(\.\d{6})?"),
    ],
)
async def test_instants(spelling: str, created: str) -> None:
    async with calling(datetimes=spelling) as call:
        row = await call.deal(BERTH_4)

    assert re.fullmatch(created, row["created"])
    assert row["closing_date"] == "2026-12-15"


async def test_decimals_are_text_or_numbers(call: Caller) -> None:
    as_text = await call.deal("Łożyska suwnicy nr 3")
    async with calling(decimals="number") as other:
        as_number = await other.deal("Łożyska suwnicy nr 3")
        rates = await other.rows("CurrencyExchangeRates")

    assert as_text["value"]["value_foreign"] == "17650.75"
    assert as_number["value"]["value_foreign"] == 17650.75
    assert all(isinstance(rate["exchange_rate"], float) for rate in rates)


@pytest.mark.parametrize(("kind", "expected"), [("int", 3), ("string", "3")])
async def test_label_flags(kind: str, expected: object) -> None:
    async with calling(label_flag=kind) as call:
        assert (await call.deal(BERTH_4))["label_flag"] == expected


async def test_several_choices() -> None:
    shown: dict[str, Any] = {}
    for shape in ("ids", "objects", "comma"):
        async with calling(multi_select=shape) as call:
            shown[shape] = (await call.deal(BERTH_4))["cf_options"]
            labels = {row["id"]: row["option_name"] for row in await call.rows("Data", first=100)}

    assert [labels[choice] for choice in shown["ids"]] == ["Remote operation", "Training on site"]
    assert shown["objects"] == [{"id": choice, "option_name": labels[choice]} for choice in shown["ids"]]
    assert shown["comma"] == ",".join(shown["ids"])


async def test_extra_keys_come_with_whole_records() -> None:
    async with calling(extra_keys="on") as call:
        whole = await call("GET", "Accounts", expand="owner")
        cut = await call("GET", "Accounts", **{"load-only": "id"})

    assert {"static_profiles", "currency_exchange_rates_list"} <= whole["data"][0].keys()
    assert "static_profiles" in whole["data"][0]["owner"]
    assert cut["data"][0].keys() == {"id"}
    assert "request_info" in whole


async def test_custom_fields_are_described(call: Caller) -> None:
    fields = await call.rows("Fields", first=100, expand="data_set", **{"filter[entity_name]": "Opportunity"})
    row = await call.deal(BERTH_4)

    kinds = {field["api_name"]: field["type_id"] for field in fields}
    assert {kinds[name] for name in kinds if name.startswith("cf_")} == {
        *("checkbox", "currency", "currency_foreign", "date", "datetime", "dropdown", "email", "float", "input", "integer"),
        *("multiselect_checkbox", "phone", "radio", "sequence", "text_area", "url"),
    }
    assert all(row[name] not in (None, "", []) for name in kinds if name.startswith("cf_"))
    (risk,) = [field for field in fields if field["api_name"] == "cf_risk"]
    assert [(option["option_name"], option["calc_value"]) for option in risk["data_set"]] == [
        ("Low", "0.9"),
        ("Medium", "0.6"),
        ("High", "0.3"),
    ]
    assert row["cf_risk"] in {option["id"] for option in risk["data_set"]}


async def test_deleted_rows_are_hidden_unless_asked_for(call: Caller) -> None:
    name = "Entered twice: Deck lighting 2027"
    assert await call.rows("Opportunities", **{"filter[name]": name}) == []

    for spelling in ("include-deleted", "include_deleted"):
        row = await call.deal(name, expand="primary_account", **{spelling: "true"})
        assert (row["is_deleted"], row["primary_account"]["name"]) == (True, "Fjord Shipping A/S")
        assert (await call.read("Opportunities", row["id"], **{spelling: "true"}))["is_deleted"] is True


@pytest.mark.parametrize(("position", "status"), [("not_found", 404), ("shown", 200)])
async def test_a_deleted_record_by_its_id(position: str, status: int) -> None:
    async with calling(deleted_by_id=position) as call:
        owner = await call.one("Clients", **{"filter[email]": "hanno.petersen@nordkai.example", "include-deleted": "true"})

        await call("GET", f"Clients/{owner['id']}", status=status)


async def test_a_deleted_owner_still_owns_and_is_shown_when_expanded(call: Caller) -> None:
    row = await call.deal("Quay crane, option for berth 5", expand="owner")

    assert (row["owner"]["formatted_name"], row["owner"]["is_deleted"]) == ("Hanno Petersen", True)


async def test_a_reference_to_nobody_is_a_uri_and_null_when_expanded(call: Caller) -> None:
    name = "Ewa's handover: bollard survey"

    assert (await call.deal(name))["owner"].startswith(f"{NEW_HOST}Clients/")
    assert (await call.deal(name, expand="owner"))["owner"] is None


@pytest.mark.parametrize(("position", "has_retry_after"), [("plain", False), ("seconds", True), ("date", True)])
async def test_more_than_300_calls_a_minute_are_refused(position: str, *, has_retry_after: bool) -> None:
    clocks = Clocks()
    async with calling(clocks=clocks, rate_limit=position) as call:
        for _ in range(300):
            await call("GET", "Tags", first=1)
        response, text = await call.send("GET", f"{ENTITIES}Tags")
        clocks.seconds = 60.0
        await call("GET", "Tags")

    assert (response.status, json.loads(text)["success"]) == (429, False)
    assert ("Retry-After" in response.headers) is has_retry_after


async def test_without_a_limit_calls_are_not_counted(call: Caller) -> None:
    for _ in range(301):
        await call("GET", "Tags", first=1)


async def test_every_call_has_the_vendors_name_in_the_log(call: Caller) -> None:
    row_id = await call.id_of("Opportunities", BERTH_4)
    await call("GET", f"Opportunities/{row_id}")
    await call("PATCH", f"Opportunities/{row_id}", {"ranking": 1})
    await call("POST", "Opportunities", {}, status=422)
    await call("POST", "Opportunities/batch-modify", [])
    await call("POST", "Opportunities/batch-delete", [])
    await call("DELETE", f"Opportunities/{row_id}")

    assert call.sandbox.control.operations() == [
        "GET Opportunities",
        "GET Opportunities/{id}",
        "PATCH Opportunities/{id}",
        "POST Opportunities",
        "POST Opportunities/batch-modify",
        "POST Opportunities/batch-delete",
        "DELETE Opportunities/{id}",
    ]


async def test_the_demo_moves_a_deal_as_a_person_does(call: Caller) -> None:
    row = await call.deal("Gangway for cruise berth")
    step_id = await call.id_of("Steps", "Proposal")

    response, _ = await call.send("POST", "/_sandbox/move", {"id": row["id"], "stage": step_id}, headers={})
    moved = await call.read("Opportunities", row["id"])

    assert response.status == 200
    assert (moved["step_id"], moved["days_in_step"]) == (step_id, 0)
    assert moved["revision"] > row["revision"] and moved["modified"] > row["modified"]
    for wrong in ({"id": MISSING, "stage": step_id}, {"id": row["id"], "stage": MISSING}):
        assert (await call.send("POST", "/_sandbox/move", wrong, headers={}))[0].status == 404


async def test_the_raw_records_are_those_of_the_api(call: Caller) -> None:
    raw = await call.raw()
    shown = {row["id"]: row for row in await call.rows("Opportunities", first=100, **{"include-deleted": "true"})}

    assert list(raw) == sorted(raw) == list(shown)
    assert all(row["name"] == shown[row_id]["name"] and row["value"] == shown[row_id]["value"] for row_id, row in raw.items())


async def test_times_of_the_space_follow_its_clock() -> None:
    clocks = Clocks(now=datetime.fromisoformat("2027-01-01T00:00:00+00:00"))
    async with calling(clocks=clocks) as call:
        row = await call.deal("Inquiry by phone, winch brake")

    assert (row["days_in_step"], row["fitness_description"]["is_overdue"]) == (44, True)


async def test_everything_that_is_open_is_declared() -> None:
    assert SANDBOX.options["multi_value"].values == ("none", "repeat", "comma", "brackets")
    assert (SANDBOX.crm_key, SANDBOX.label) == ("dach", "Nordkai AG (Pipeliner)")
    assert SANDBOX.not_simulated
