"""Writes to the Pipeliner sandbox: the tutorial, required fields, links, money, refusals, batches, the life of a deal.

Source: Pipeliner "Create Opportunity"; recorded error bodies; "Bulk Create, Update, Delete".
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.vendors.pipeliner.sandbox_caller import ENTITIES, Caller, calling
from vendors.pipeliner.sandbox.control import API
from vendors.pipeliner.sandbox.store import Change

MISSING = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture
async def call() -> AsyncIterator[Caller]:
    async with calling() as caller:
        yield caller


async def least(call: Caller) -> dict[str, Any]:
    """The least body that is taken."""
    return {
        "name": "Quay lights",
        "owner_id": await call.id_of("Clients", "mira.koenig@nordkai.example", "email"),
        "step_id": await call.id_of("Steps", "First contact"),
        "closing_date": "2026-12-31",
        "value": {"base_value": 100, "currency_id": await call.id_of("Currencies", "EUR", "code")},
    }


async def created(call: Caller, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = (await call("POST", "Opportunities", {**await least(call), **more}, status=201))["data"]
    return row


async def patched(call: Caller, row_id: str, **body: Any) -> dict[str, Any]:
    row: dict[str, Any] = (await call("PATCH", f"Opportunities/{row_id}", body))["data"]
    return row


def reasons(refusal: dict[str, Any]) -> dict[str, list[tuple[int, str]]]:
    """The inner codes and messages by field."""
    return {each["field_name"]: [(error["code"], error["message"]) for error in each["errors"]] for each in refusal["field_errors"]}


async def test_the_tutorial_runs_to_its_end(call: Caller) -> None:
    owner = await call.one("Clients", **{"load-only": "id,default_unit_id", "filter[email]": "mira.koenig@nordkai.example"})
    pipeline = await call.one("Pipelines", expand="steps", **{"filter-op[name]": "contains", "filter[name]": "New equip"})
    account = await call.one("Accounts", **{"include-deleted": "false", "filter[email1]": "hamburg@harbourlines.example"})
    links = await call.rows("ContactAccountRelations", **{"filter[account_id]": account["id"]})
    currency = await call.one("Currencies", **{"filter[is_base]": "true"})
    body = {
        "closing_date": "2027-01-01",
        "name": "New Opportunity",
        "owner_id": owner["id"],
        "step_id": pipeline["steps"][0]["id"],
        "value": {"base_value": 100, "currency_id": currency["id"]},
        "account_relations": [{"account_id": account["id"], "is_primary": True}],
        "contact_relations": [{"contact_id": link["contact_id"], "is_primary": index == 0} for index, link in enumerate(links)],
    }

    answer = await call("POST", "Opportunities", body, status=201)

    row = await call.read("Opportunities", answer["data"]["id"], expand="step,owner,primary_account,primary_contact,contact_relations")
    assert owner.keys() == {"id", "default_unit_id"}
    assert (answer["success"], answer["data"]["unit_id"]) == (True, owner["default_unit_id"])
    assert (row["step"]["name"], row["owner"]["last_name"], row["primary_account"]["name"]) == (
        "First contact",
        "König",
        "Harbour Lines GmbH",
    )
    assert row["value"] == {"base_value": "100.00", "currency_id": currency["id"], "value_foreign": "100.00"}
    assert {link["contact_id"] for link in row["contact_relations"]} == {link["contact_id"] for link in links}
    assert row["primary_contact"]["id"] == links[0]["contact_id"]
    assert (row["status"], row["days_in_step"], row["is_archived"]) == (1, 0, False)
    assert len(await call.raw()) == 53


@pytest.mark.parametrize("key", ["name", "owner_id", "step_id", "closing_date", "value"])
async def test_a_required_field_that_is_missing_is_told(call: Caller, key: str) -> None:
    body = await least(call)

    for given in ({name: value for name, value in body.items() if name != key}, {**body, key: None}):
        refusal = await call("POST", "Opportunities", given, status=422)
        assert reasons(refusal) == {key: [(119, f"Non-null field '{key}' is null or empty.")]}


async def test_a_refusal_has_the_recorded_keys(call: Caller) -> None:
    refusal = await call("POST", "Opportunities", {**await least(call), "name": ""}, status=422)

    (group,) = refusal["field_errors"]
    assert refusal.keys() == {
        *("code", "name", "message", "entity_id", "entity_name", "entity_errors", "field_errors", "step_checklist_errors"),
        *("entity_index", "http_status", "success"),
    }
    assert (refusal["code"], refusal["name"], refusal["entity_name"], refusal["entity_index"]) == (
        40000,
        "ERROR_ENTITY_VALIDATION",
        "Opportunity",
        None,
    )
    assert refusal["message"] == "\nNon-null field 'name' is null or empty."
    assert group.keys() == {"field_id", "field_name", "code", "name", "errors"}
    assert (group["code"], group["name"]) == (40002, "ERROR_FIELD_VALIDATION")
    assert group["errors"][0].keys() == {"code", "name", "message", "field_id", "field_name"}
    assert (await call.read("Fields", group["field_id"]))["api_name"] == "name"


async def test_all_problems_are_told_at_once(call: Caller) -> None:
    refusal = await call("POST", "Opportunities", {"name": "x", "ranking": "high", "share_mode": 4, "label_flag": 8}, status=422)

    assert set(reasons(refusal)) == {"owner_id", "step_id", "closing_date", "value", "ranking", "share_mode", "label_flag"}
    assert refusal["message"].count("\n") == 7


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"[" * 100_000, b"\xff", b'{"ranking": NaN}'])
async def test_a_body_that_is_no_json_object_is_refused(call: Caller, body: bytes) -> None:
    refusal = await call("POST", "Opportunities", body, status=400)

    assert (refusal["code"], refusal["name"], refusal["success"]) == (117, "ERROR_PARAMETER_INVALID", False)


@pytest.mark.parametrize(
    "key",
    [
        *("id", "modified", "status", "qualify_date", "is_favorite", "days_in_step", "is_deleted", "is_delete_protected", "formatted_name"),
        *("fitness_description", "primary_account", "primary_contact", "owner", "step", "unit", "cf_offer_no"),
    ],
)
async def test_read_only_fields_are_refused(call: Caller, key: str) -> None:
    row = await created(call)

    for method, entity, body in (("POST", "Opportunities", await least(call)), ("PATCH", f"Opportunities/{row['id']}", {})):
        refusal = await call(method, entity, {**body, key: "x"}, status=422)
        assert [message for _, message in reasons(refusal)[key]] == [f"Field '{key}' is read-only."]


async def test_read_only_fields_can_be_overridden(call: Caller) -> None:
    answer = await call(
        "POST", "Opportunities", {**await least(call), "qualify_date": "2026-03-01T08:00:00"}, status=201, **{"validation-level": 8}
    )

    assert answer["data"]["qualify_date"] == "2026-03-01 08:00:00.000000+00:00"
    await call("POST", "Opportunities", {**await least(call), "id": MISSING}, status=422, **{"validation-level": 8})


async def test_an_unknown_field_is_refused(call: Caller) -> None:
    refusal = await call("POST", "Opportunities", {**await least(call), "nome": "x"}, status=422)

    assert [error["message"] for error in refusal["entity_errors"]] == ["Unknown field 'nome'."]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("closing_date", "31.12.2026"),
        ("closing_date", 20261231),
        ("created", "yesterday"),
        ("won_date", True),
        ("name", 7),
        ("is_archived", "true"),
        ("ranking", 1.5),
        ("ranking", True),
        ("owner_id", 7),
        ("documents", "x"),
        ("documents", [7]),
        ("cf_options", "x,y"),
        ("cf_margin", "much"),
        ("cf_budget", "1e99"),
        ("account_relations", {}),
        ("value", 100),
        ("value", {"amount": 100}),
    ],
)
async def test_values_of_the_wrong_kind_are_refused(call: Caller, key: str, value: object) -> None:
    refusal = await call("POST", "Opportunities", {**await least(call), key: value}, status=422)

    assert key in reasons(refusal)


@pytest.mark.parametrize("key", ["owner_id", "step_id", "unit_id", "oppty_type_id", "reason_of_close_id", "cf_segment"])
async def test_a_relation_to_nothing_is_refused(call: Caller, key: str) -> None:
    refusal = await call("POST", "Opportunities", {**await least(call), key: MISSING}, status=422)

    ((code, message),) = reasons(refusal)[key]
    assert code == 120 and MISSING in message


async def test_a_deleted_record_can_be_pointed_to_only_when_allowed(call: Caller) -> None:
    gone = (await call.one("Clients", **{"filter[email]": "hanno.petersen@nordkai.example", "include-deleted": "true"}))["id"]
    row = await created(call)

    refusal = await call("PATCH", f"Opportunities/{row['id']}", {"owner_id": gone}, status=422)
    answer = await call("PATCH", f"Opportunities/{row['id']}", {"owner_id": gone}, **{"validation-level": 16})

    assert [code for code, _ in reasons(refusal)["owner_id"]] == [120]
    assert answer["data"]["owner_id"] == gone
    assert (await patched(call, row["id"], ranking=2))["owner_id"] == gone


async def test_all_fields_are_checked_unless_only_the_changed_ones_are_to_be(call: Caller) -> None:
    row = await call.deal("Ewa's handover: bollard survey")

    refusal = await call("PATCH", f"Opportunities/{row['id']}", {"ranking": 3}, status=422)
    answer = await call("PATCH", f"Opportunities/{row['id']}", {"ranking": 3}, **{"validation-level": 2})

    assert set(reasons(refusal)) == {"owner_id"}
    assert answer["data"]["ranking"] == 3


async def test_an_option_of_a_custom_field_is_checked_unless_only_system_fields_are(call: Caller) -> None:
    body = {**await least(call), "cf_options": [MISSING]}

    assert "cf_options" in reasons(await call("POST", "Opportunities", body, status=422))
    assert (await call("POST", "Opportunities", body, status=201, **{"validation-level": 4}))["data"]["cf_options"] == [MISSING]


async def test_the_levels_are_a_number(call: Caller) -> None:
    await call("POST", "Opportunities", await least(call), status=400, **{"validation-level": "all"})
    await call("POST", "Opportunities", await least(call), status=400, expand="owner")


async def test_every_writable_field_of_the_document_is_kept(call: Caller) -> None:
    whole = await call.deal("Quay crane retrofit, berth 4")
    keys = [
        *("closing_date", "created", "description", "is_value_auto_calculate", "label_flag", "name", "oppty_type_id", "owner_id"),
        *("product_currency_id", "product_price_list_id", "product_sections", "quick_account_email", "quick_account_name"),
        *("quick_account_phone", "quick_contact_name", "quick_email", "quick_phone", "ranking", "reason_of_close_description"),
        *("reason_of_close_id", "share_mode", "step_id", "unit_id", "was_qualified", "value", "documents", "product_relations"),
        *("sharing_units", "sharing_clients", "oppty_recurrence", "revenue_schedule"),
    ]
    keys += [key for key in whole if key.startswith("cf_") and key != "cf_offer_no"]

    answer = await call("POST", "Opportunities", {**{key: whole[key] for key in keys}, "revision": 1}, status=201)

    assert {key: answer["data"][key] for key in keys} == {key: whole[key] for key in keys}
    assert answer["data"]["revision"] > whole["revision"]


async def test_relations_may_be_objects_whose_id_is_a_uri(call: Caller) -> None:
    uri = "https://eu-central.api.pipelinersales.com/api/v100/rest/spaces/de_Nordkai_AG/entities/CloudObjects/5ddfe953-a569-48e1-86bb-271e6506e7d0"

    row = await created(call, documents=[{"id": uri}])

    assert row["documents"] == [uri]


@pytest.mark.parametrize(
    ("code", "given", "base", "foreign"),
    [
        ("EUR", {"base_value": 100}, "100.00", "100.00"),
        ("EUR", {"value_foreign": "4.32"}, "4.32", "4.32"),
        ("USD", {"value_foreign": 1160}, "1000.00", "1160.00"),
        ("USD", {"base_value": "1000"}, "1000.00", "1160.00"),
        ("CHF", {"value_foreign": "935.00", "base_value": 7}, "1000.00", "935.00"),
        ("EUR", {"value_foreign": 0}, "0.00", "0.00"),
    ],
)
async def test_one_amount_is_computed_from_the_other(call: Caller, code: str, given: dict[str, Any], base: str, foreign: str) -> None:
    currency_id = await call.id_of("Currencies", code, "code")

    value = (await created(call, value={**given, "currency_id": currency_id}))["value"]

    assert {key: f"{float(part):.2f}" for key, part in value.items() if key != "currency_id"} == {
        "base_value": base,
        "value_foreign": foreign,
    }


async def test_a_new_amount_is_in_the_currency_of_the_old_one(call: Caller) -> None:
    row = await call.deal("Ship-to-shore crane, channel side")

    value = (await patched(call, row["id"], value={"value_foreign": 116}))["value"]

    assert value["currency_id"] == row["value"]["currency_id"]
    assert (float(value["base_value"]), float(value["value_foreign"])) == (100, 116)


async def test_a_value_needs_an_amount_and_a_currency_with_a_rate(call: Caller) -> None:
    body = await least(call)
    kroner = (await call.one("Currencies", **{"filter[code]": "Kronen", "include-deleted": "true"}))["id"]

    for value, code in (
        ({"base_value": 1}, 119),
        ({"currency_id": body["value"]["currency_id"]}, 119),
        ({"base_value": 1, "currency_id": MISSING}, 120),
        ({"base_value": 1, "currency_id": kroner}, 120),
    ):
        refusal = await call("POST", "Opportunities", {**body, "value": value}, status=422)
        assert [each for each, _ in reasons(refusal)["value"]] == [code]


async def contact_ids(call: Caller) -> tuple[str, str, str]:
    one, two, three = [row["id"] for row in await call.rows("Contacts", first=3)]
    return one, two, three


@pytest.mark.parametrize("flags", [(False, False), (True, True), (False,)])
async def test_links_need_exactly_one_primary(call: Caller, flags: tuple[bool, ...]) -> None:
    links = [{"contact_id": row_id, "is_primary": flag} for row_id, flag in zip(await contact_ids(call), flags, strict=False)]

    refusal = await call("POST", "Opportunities", {**await least(call), "contact_relations": links}, status=422)

    assert reasons(refusal) == {
        "contact_relations": [(40002, "Error on field contact_relations. Exactly one 'is_primary' item must be set.")]
    }
    assert len(await call.raw()) == 52


async def test_a_list_of_links_replaces_or_joins_the_present_ones() -> None:
    kept: dict[str, set[str]] = {}
    for position in ("replace", "merge"):
        async with calling(relation_lists=position) as call:
            one, two, three = await contact_ids(call)
            row = await created(call, contact_relations=[{"contact_id": one, "is_primary": True}, {"contact_id": two}])
            before = {
                link["contact_id"]: link["id"]
                for link in await call.rows("LeadOpptyContactRelations", **{"filter[lead_oppty_id]": row["id"]})
            }

            await patched(call, row["id"], contact_relations=[{"contact_id": two, "is_primary": True}, {"contact_id": three}])

            after = await call.rows("LeadOpptyContactRelations", **{"filter[lead_oppty_id]": row["id"]})
            assert [link["contact_id"] for link in after if link["is_primary"]] == [two]
            assert before[two] in {link["id"] for link in after}
            kept[position] = {link["contact_id"] for link in after}

    assert kept == {"replace": {two, three}, "merge": {one, two, three}}


async def test_links_may_be_named_by_their_own_id_and_all_taken_away(call: Caller) -> None:
    row = await call.deal("Quay crane retrofit, berth 4")

    same = await patched(call, row["id"], contact_relations=[{"id": uri} for uri in row["contact_relations"]])
    none = await patched(call, row["id"], contact_relations=[])

    assert same["contact_relations"] == row["contact_relations"]
    assert (none["contact_relations"], none["primary_contact"]) == ([], None)
    assert "contact_relations" in reasons(
        await call("PATCH", f"Opportunities/{row['id']}", {"contact_relations": [{"id": MISSING}]}, status=422)
    )


async def test_link_rows_can_be_written_by_themselves(call: Caller) -> None:
    one, two, _ = await contact_ids(call)
    row = await created(call)
    entity = "LeadOpptyContactRelations"

    await call("POST", entity, {"lead_oppty_id": row["id"], "contact_id": one, "is_primary": False}, status=422)
    first = (await call("POST", entity, {"lead_oppty_id": row["id"], "contact_id": one, "is_primary": True}, status=201))["data"]
    second = (
        await call("POST", entity, {"lead_oppty_id": row["id"], "contact_id": two, "is_primary": True, "relationship": 3}, status=201)
    )["data"]

    assert (await call.read(entity, first["id"]))["is_primary"] is False
    assert (await call.read("Opportunities", row["id"]))["primary_contact"].endswith(two)
    await call("DELETE", f"{entity}/{second['id']}", status=422)
    await call("PATCH", f"{entity}/{second['id']}", {"is_primary": False}, status=422)
    await call("DELETE", f"{entity}/{first['id']}")
    await call("DELETE", f"{entity}/{second['id']}")
    assert (await call.read("Opportunities", row["id"]))["contact_relations"] == []


async def test_a_move_changes_step_revision_and_time(call: Caller) -> None:
    row = await call.deal("Gangway for cruise berth")
    step_id = await call.id_of("Steps", "First contact")

    moved = await patched(call, row["id"], step_id=step_id)

    assert (moved["step_id"], moved["status"], moved["days_in_step"]) == (step_id, 1, 0)
    assert moved["revision"] > row["revision"] and moved["modified"] > row["modified"]
    assert await call.read("Opportunities", row["id"]) == moved


async def test_a_step_of_another_process_is_refused(call: Caller) -> None:
    row = await created(call)

    refusal = await call("PATCH", f"Opportunities/{row['id']}", {"step_id": await call.id_of("Steps", "New lead")}, status=422)

    assert set(reasons(refusal)) == {"step_id"}


async def test_a_checklist_stops_a_move_until_its_field_is_filled(call: Caller) -> None:
    row = await created(call, step_id=await call.id_of("Steps", "Needs analysis"))
    step_id = await call.id_of("Steps", "Proposal")

    refusal = await call("PATCH", f"Opportunities/{row['id']}", {"step_id": step_id}, status=422)

    (item,) = refusal["step_checklist_errors"]
    assert (item["label"], item["field_name"]) == ("Scope of supply is described", "cf_scope")
    assert refusal["message"] == f"\n{item['message']}" and refusal["field_errors"] == []
    assert (await call.read("Opportunities", row["id"]))["step_id"] == row["step_id"]
    assert (await patched(call, row["id"], step_id=step_id, cf_scope="Two masts"))["step_id"] == step_id


async def test_a_last_step_wins_and_leaving_it_opens_again(call: Caller) -> None:
    row = await created(call)

    won = await patched(call, row["id"], step_id=await call.id_of("Steps", "Closed/Won"))
    again = await patched(call, row["id"], step_id=row["step_id"])

    assert won["status"] == 3 and won["won_date"] == won["modified"] and won["fitness_description"]["is_won"] is True
    assert (again["status"], again["won_date"]) == (1, None)


async def test_a_date_may_be_what_wins() -> None:
    async with calling(won_by="won_date") as call:
        row = await created(call)

        at_the_end = await patched(call, row["id"], step_id=await call.id_of("Steps", "Closed/Won"))
        won = await patched(call, row["id"], won_date="2026-11-20 10:00:00")

    assert (at_the_end["status"], won["status"], won["won_date"]) == (1, 3, "2026-11-20 10:00:00.000000+00:00")


async def test_a_step_of_no_chance_loses_and_leaving_it_opens_again(call: Caller) -> None:
    row = await created(call)

    lost = await patched(call, row["id"], step_id=await call.id_of("Steps", "Closed/Lost"))
    renamed = await patched(call, row["id"], name="Quay lights, lost")
    again = await patched(call, row["id"], step_id=row["step_id"])

    assert lost["status"] == 2 and lost["lost_date"] == lost["modified"] and not lost["is_archived"]
    assert (renamed["status"], renamed["lost_date"]) == (2, lost["lost_date"])
    assert (again["status"], again["lost_date"]) == (1, None)


async def test_a_date_may_be_what_loses() -> None:
    async with calling(won_by="won_date") as call:
        row = await created(call)

        in_the_step = await patched(call, row["id"], step_id=await call.id_of("Steps", "Closed/Lost"))
        lost = await patched(call, row["id"], lost_date="2026-11-20")
        won = await patched(call, row["id"], won_date="2026-11-21")
        again = await patched(call, row["id"], won_date=None)

    assert (in_the_step["status"], lost["status"], lost["lost_date"]) == (1, 2, "2026-11-20 00:00:00.000000+00:00")
    assert (won["status"], won["lost_date"]) == (3, None)
    assert (again["status"], again["won_date"]) == (1, None)


async def test_names_lose_their_needless_blanks(call: Caller) -> None:
    row = await created(call, name="  Quay \t lights ")
    blank = await call("PATCH", f"Opportunities/{row['id']}", {"name": " \n"}, status=422)

    assert (row["name"], row["formatted_name"]) == ("Quay lights", "Quay lights")
    assert [code for code, _ in reasons(blank)["name"]] == [119]


async def test_numbers_keep_all_their_digits(call: Caller) -> None:
    least_body = await least(call)
    body = json.dumps({**least_body, "value": 0, "product_sections": 0})
    sections = '"product_sections": {"share": 0.25, "parts": [1.5]}'
    text = body.replace(
        '"value": 0', f'"value": {{"base_value": 123456789012345.67, "currency_id": "{least_body["value"]["currency_id"]}"}}'
    )

    _, answer = await call.send("POST", f"{ENTITIES}Opportunities", text.replace('"product_sections": 0', sections).encode())

    row = json.loads(answer)["data"]
    assert row["value"]["base_value"] == "123456789012345.67"
    assert row["product_sections"] == {"share": 0.25, "parts": [1.5]}


async def test_a_ranking_has_32_bits(call: Caller) -> None:
    row = await created(call, ranking=-(2**31))

    refusal = await call("PATCH", f"Opportunities/{row['id']}", {"ranking": 2**31}, status=422)

    assert row["ranking"] == -(2**31)
    assert [code for code, _ in reasons(refusal)["ranking"]] == [40002]


async def test_archiving_loses_and_fetching_back_opens_again(call: Caller) -> None:
    row = await created(call)
    reason = await call.id_of("Data", "No decision", "option_name")

    lost = await patched(call, row["id"], is_archived=True, reason_of_close_id=reason)
    back = await patched(call, row["id"], is_archived=False)

    assert (lost["status"], lost["is_archived"], lost["reason_of_close_id"]) == (2, True, reason)
    assert lost["lost_date"] == lost["modified"]
    assert (back["status"], back["lost_date"]) == (1, None)


async def test_delete_hides_a_record_and_its_links(call: Caller) -> None:
    row = await call.deal("Quay crane retrofit, berth 4")

    answer = await call("DELETE", f"Opportunities/{row['id']}")

    assert answer == {"success": True, "data": row["id"]}
    await call("GET", f"Opportunities/{row['id']}", status=404)
    await call("PATCH", f"Opportunities/{row['id']}", {"ranking": 1}, status=404)
    await call("DELETE", f"Opportunities/{row['id']}", status=404)
    assert await call.rows("LeadOpptyContactRelations", **{"filter[lead_oppty_id]": row["id"]}) == []
    kept = await call.read("Opportunities", row["id"], **{"include-deleted": "true"})
    assert kept["is_deleted"] is True and kept["revision"] > row["revision"]
    assert kept["contact_relations"] == row["contact_relations"]


async def test_a_deleted_record_does_not_show_what_was_taken_out_before(call: Caller) -> None:
    one, two, _ = await contact_ids(call)
    row = await created(call, contact_relations=[{"contact_id": one, "is_primary": True}, {"contact_id": two, "is_primary": False}])
    other = await created(call, contact_relations=[{"contact_id": one, "is_primary": True}])
    stays = await patched(call, row["id"], contact_relations=[{"contact_id": two, "is_primary": True}])
    empty = await patched(call, other["id"], contact_relations=[])

    for each in (row, other):
        await call("DELETE", f"Opportunities/{each['id']}")

    for before in (stays, empty):
        kept = await call.read("Opportunities", before["id"], **{"include-deleted": "true"})
        assert (kept["primary_contact"], kept["contact_relations"]) == (before["primary_contact"], before["contact_relations"])


async def test_a_protected_record_cannot_be_deleted(call: Caller) -> None:
    row = await call.deal("Nachtrag Krananlage (geschützt)")

    refusal = await call("DELETE", f"Opportunities/{row['id']}", status=422)

    assert (row["is_delete_protected"], len(refusal["entity_errors"])) == (True, 1)
    assert await call.read("Opportunities", row["id"]) == row


async def test_a_batch_creates_and_updates_in_the_order_of_its_elements(call: Caller) -> None:
    row = await created(call)

    answer = await call("POST", "Opportunities/batch-modify", [{"id": row["id"], "ranking": 4}, {**await least(call), "name": "Second"}])

    assert answer["success"] is True and answer["data"][0] == row["id"]
    assert (await call.read("Opportunities", row["id"]))["ranking"] == 4
    assert (await call.read("Opportunities", answer["data"][1]))["name"] == "Second"


async def test_one_bad_element_undoes_the_whole_batch(call: Caller) -> None:
    row = await created(call)
    before = await call.raw()

    refusal = await call("POST", "Opportunities/batch-modify", [{"id": row["id"], "ranking": 4}, {"name": "x"}], status=422)

    assert (refusal["code"], refusal["entity_index"]) == (40000, 1)
    assert await call.raw() == before


async def test_good_elements_are_kept_when_asked_for(call: Caller) -> None:
    row = await created(call)
    elements = [
        {"id": row["id"], "ranking": 4},
        {"id": row["id"], "status": 3},
        {"id": MISSING, "ranking": 1},
        7,
        {"id": row["id"], "share_mode": 1},
    ]

    answer = await call("POST", "Opportunities/batch-modify", elements, **{"rollback-method": 1})

    good, refused, missing, malformed, last = answer["data"]
    assert (good, last) == (row["id"], row["id"])
    assert [(each["http_status"], each["entity_index"], each["success"]) for each in (refused, missing, malformed)] == [
        (422, 1, False),
        (404, 2, False),
        (400, 3, False),
    ]
    kept = await call.read("Opportunities", row["id"])
    assert (kept["ranking"], kept["share_mode"], kept["status"]) == (4, 1, 1)


async def test_an_element_that_fails_at_its_links_leaves_nothing_behind(call: Caller) -> None:
    before = await call.raw()
    element = {**await least(call), "contact_relations": [{"contact_id": row_id} for row_id in await contact_ids(call)]}

    (refused,) = (await call("POST", "Opportunities/batch-modify", [element], **{"rollback-method": 1}))["data"]

    assert refused["code"] == 40000
    assert await call.raw() == before


async def test_a_batch_deletes(call: Caller) -> None:
    one, two = [row["id"] for row in await call.rows("Opportunities", first=2)]

    await call("POST", "Opportunities/batch-delete", [one, MISSING], status=404)
    assert (await call.read("Opportunities", one))["is_deleted"] is False
    deleted, missing, other = (await call("POST", "Opportunities/batch-delete", [one, MISSING, two], **{"rollback-method": 1}))["data"]

    assert (deleted, other) == (one, two)
    assert (missing["code"], missing["entity_index"], missing["http_status"]) == (404, 1, 404)
    await call("GET", f"Opportunities/{two}", status=404)


async def test_a_batch_is_a_list_of_a_hundred_at_most(call: Caller) -> None:
    bodies: list[object] = [{}, ["x"] * 101]
    for body in bodies:
        assert (await call("POST", "Opportunities/batch-delete", body, status=400))["code"] == 117
    await call("POST", "Opportunities/batch-delete", [], status=400, **{"rollback-method": 2})


async def test_accounts_and_contacts_are_written_as_well(call: Caller) -> None:
    owner_id = await call.id_of("Clients", "tove.ek@nordkai.example", "email")

    assert set(reasons(await call("POST", "Accounts", {"email1": "x@y.example"}, status=422))) == {"name", "owner_id"}
    account = (await call("POST", "Accounts", {"name": "Hafen Ost", "owner_id": owner_id, "cf_draught": 7.5}, status=201))["data"]
    links = [{"account_id": account["id"], "is_primary": True, "position": "Master"}]
    contact = (await call("POST", "Contacts", {"last_name": "Ek", "owner_id": owner_id, "account_relations": links}, status=201))["data"]
    renamed = (await call("PATCH", f"Accounts/{account['id']}", {"name": "Hafen West"}))["data"]

    assert (account["cf_draught"], account["account_class"], renamed["formatted_name"]) == ("7.5", 1, "Hafen West")
    assert contact["primary_account"].endswith(account["id"])
    assert (await call.one("ContactAccountRelations", **{"filter[account_id]": account["id"]}))["position"] == "Master"


async def test_webhooks_are_registered(call: Caller) -> None:
    body = {
        "url": "https://receiver.example/pipeliner",
        "insecure_ssl": False,
        "events": ["Opportunity.Move", "Account.*", "Lead.BackToLead"],
    }

    hook = (await call("POST", "Webhooks", body, status=201))["data"]
    refusal = await call("POST", "Webhooks", {**body, "events": ["Pipeline.Update"]}, status=422)

    assert (hook["url"], hook["events"], hook["insecure_ssl"]) == tuple(body[key] for key in ("url", "events", "insecure_ssl"))
    assert hook["signature"] and hook["application_id"] and "revision" not in hook
    assert set(reasons(refusal)) == {"events"}
    assert set(reasons(await call("POST", "Webhooks", {}, status=422))) == {"url", "events", "insecure_ssl"}
    assert [row["id"] for row in await call.rows("Webhooks")] == [hook["id"]]
    await call("DELETE", f"Webhooks/{hook['id']}")
    assert await call.rows("Webhooks") == []


async def test_whoever_listens_is_told_of_what_was_done_and_not_of_what_was_undone(call: Caller) -> None:
    heard: list[Change] = []
    row = await created(call)
    call.sandbox.app[API].store.subscribe(heard.append)

    await call(
        "PATCH", f"Opportunities/{row['id']}", {"step_id": await call.id_of("Steps", "Closed/Won")}, headers={"Webhook-Skip-Key": "own"}
    )
    await call("POST", "Opportunities/batch-modify", [{"id": row["id"], "ranking": 5}, {}], status=422)

    (change,) = heard
    assert (change.id, change.skip_key, set(change.events)) == (
        row["id"],
        "own",
        {"Opportunity.Update", "Opportunity.Move", "Opportunity.Won"},
    )
    assert change.before is not None and change.before["step_id"] == row["step_id"]


async def test_writes_at_the_same_time_are_all_kept(call: Caller) -> None:
    rows = await call.rows("Opportunities", first=10, **{"filter[status]": 1})
    good = [row for row in rows if not row["name"].startswith("Ewa")]

    answers = await asyncio.gather(*(patched(call, row["id"], ranking=9) for row in good))

    revisions = [answer["revision"] for answer in answers]
    assert len(set(revisions)) == len(good) and min(revisions) > max(row["revision"] for row in rows)
