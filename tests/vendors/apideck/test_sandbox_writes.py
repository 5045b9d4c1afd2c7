"""The Apideck sandbox's writes: what is refused, what is kept, what is stamped, who is told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.vendors.apideck.sandbox_caller import HEADERS, Caller, calling
from vendors.apideck.sandbox import STORE, Change

DEAL = "/crm/opportunities/9017442103"
READ_ONLY: dict[str, Any] = {
    "id": "1",
    "expected_revenue": 1,
    "interaction_count": 1,
    "last_activity_at": "2026-01-01T00:00:00.000Z",
    "deleted": True,
    "date_stage_changed": "2026-01-01T00:00:00.000Z",
    "date_last_contacted": "2026-01-01T00:00:00.000Z",
    "date_lead_created": "2026-01-01T00:00:00.000Z",
    "custom_mappings": {},
    "updated_by": "71004012",
    "created_by": "71004012",
    "updated_at": "2026-01-01T00:00:00.000Z",
    "created_at": "2026-01-01T00:00:00.000Z",
}
WRONG: list[tuple[str, Any]] = [
    ("stage", "contractsent"),
    ("amount", 5),
    ("title", None),
    ("title", 5),
    ("monetary_amount", "5"),
    ("monetary_amount", True),
    ("currency", "BYN"),
    ("currency", "usd"),
    ("close_date", "2027-03-01T00:00:00Z"),
    ("close_date", "2027-02-30"),
    ("stage_last_changed_at", "2027-03-01"),
    ("stage_last_changed_at", "2027-03-01T00:00:00"),
    ("contact_ids", None),
    ("contact_ids", "251"),
    ("contact_ids", [251]),
    ("tags", [1]),
    ("owner_id", 71004012),
    ("custom_fields", [{"value": 1}]),
    ("custom_fields", [{"id": "a", "label": "A", "value": 1}]),
    ("custom_fields", [{"id": "a", "value": [["nested"]]}]),
    ("pass_through", [{"extend_object": {}}]),
    ("pass_through", [{"service_id": "hubspot", "extend_paths": [{"path": "$.a"}]}]),
    ("pass_through", {"service_id": "hubspot"}),
]
WHOLE: dict[str, Any] = {
    "title": "Lashing bridge, berth 7",
    "primary_contact_id": "251",
    "description": "Steel work",
    "type": "New business",
    "monetary_amount": 125000.5,
    "currency": "CAD",
    "win_probability": 40,
    "close_date": "2027-03-01",
    "loss_reason_id": None,
    "loss_reason": None,
    "won_reason_id": "w1",
    "won_reason": "Price",
    "pipeline_id": "default",
    "pipeline_stage_id": "presentationscheduled",
    "source_id": "1201",
    "lead_id": "L-1",
    "lead_source": "Website",
    "contact_id": "252",
    "contact_ids": ["251", "252"],
    "company_id": "6214407303",
    "company_name": "Bayport",
    "owner_id": "71004012",
    "priority": "high",
    "status": "open",
    "status_id": "s1",
    "tags": ["new"],
    "custom_fields": [{"id": "berth", "value": "7"}, {"name": "Sizes", "value": [1, "two", None, {"three": 3}]}],
    "stage_last_changed_at": "2026-11-01T08:00:00.000Z",
}


@pytest.fixture
async def apideck() -> AsyncIterator[Caller]:
    async with calling() as caller:
        caller.running.app[STORE].now = lambda: datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
        yield caller


async def test_a_created_opportunity_answers_its_id_and_is_kept_whole(apideck: Caller) -> None:
    pass_through = [{"service_id": "hubspot", "extend_object": {"a": 1}, "extend_paths": [{"path": "$.b", "value": None}]}]

    created = await apideck.call("POST", "/crm/opportunities", body={**WHOLE, "pass_through": pass_through})
    read = await apideck.get(f"/crm/opportunities/{created.data['id']}")

    assert (created.status, created.body["status_code"], created.body["operation"]) == (201, 201, "add")
    assert created.data.keys() == {"id"}
    assert {key: read.data[key] for key in WHOLE} == WHOLE
    assert read.data["expected_revenue"] == 50000.2
    assert "pass_through" not in read.data
    assert read.data["created_at"] == read.data["updated_at"]
    assert read.data["deleted"] is False


async def test_a_title_is_all_that_a_create_needs(apideck: Caller) -> None:
    created = await apideck.call("POST", "/crm/opportunities", body={"title": ""})

    assert created.status == 201
    assert (await apideck.get("/crm/opportunities", limit="200")).data[-1]["id"] == created.data["id"]


async def test_blanks_around_a_title_are_not_kept(apideck: Caller) -> None:
    created = await apideck.call("POST", "/crm/opportunities", body={"title": "  Lashing bridge \t"})
    path = f"/crm/opportunities/{created.data['id']}"
    first = (await apideck.get(path)).data["title"]
    await apideck.call("PATCH", path, body={"title": " Another  one "})

    assert (first, (await apideck.get(path)).data["title"]) == ("Lashing bridge", "Another  one")


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_body_without_title_is_refused(apideck: Caller, method: str) -> None:
    path = "/crm/opportunities" if method == "POST" else DEAL

    answer = await apideck.call(method, path, body={"pipeline_stage_id": "contractsent"})

    assert (answer.status, answer.body["type_name"]) == (400, "RequestValidationError")
    assert answer.body["detail"] == {"missing": [{"title": "required"}]}


@pytest.mark.parametrize(("key", "value"), READ_ONLY.items())
async def test_read_only_keys_are_refused(apideck: Caller, key: str, value: object) -> None:
    for method, path in (("POST", "/crm/opportunities"), ("PATCH", DEAL)):
        answer = await apideck.call(method, path, body={"title": "x", key: value})

        assert (answer.status, answer.body["detail"]) == (400, {"invalid": [{key: "is read-only"}]})


@pytest.mark.parametrize(("key", "value"), WRONG)
async def test_unknown_keys_and_wrong_types_are_refused(apideck: Caller, key: str, value: object) -> None:
    answer = await apideck.call("POST", "/crm/opportunities", body={"title": "x", key: value})

    assert (answer.status, answer.body["type_name"]) == (400, "RequestValidationError")
    assert key in str(answer.body["detail"])


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', '{"title": "x", "monetary_amount": NaN}'])
async def test_a_body_that_is_no_json_object_is_refused(apideck: Caller, text: str) -> None:
    headers = {**HEADERS, "Content-Type": "application/json"}
    async with apideck.session.post(f"{apideck.running.base_url}/crm/opportunities", data=text, headers=headers) as response:
        body = await response.json()

    assert (response.status, body["type_name"]) == (400, "RequestValidationError")


async def test_a_body_of_another_content_type_is_refused(apideck: Caller) -> None:
    url = f"{apideck.running.base_url}/crm/opportunities"
    async with apideck.session.post(url, data=b'{"title": "x"}', headers={**HEADERS, "Content-Type": "text/plain"}) as response:
        body = await response.json()

    assert (response.status, body["type_name"]) == (400, "RequestHeadersValidationError")


async def test_an_update_changes_what_it_names_and_clears_what_is_null(apideck: Caller) -> None:
    before = (await apideck.get(DEAL)).data

    answer = await apideck.call("PATCH", DEAL, body={"title": before["title"], "priority": None, "monetary_amount": 1000})
    after = (await apideck.get(DEAL)).data

    assert (answer.status, answer.data, answer.body["operation"]) == (200, {"id": before["id"]}, "update")
    changed = {key for key in after if after[key] != before.get(key)}
    assert changed == {"priority", "monetary_amount", "expected_revenue", "updated_at", "updated_by"}
    assert (after["priority"], after["expected_revenue"], after["updated_by"]) == (None, 200.0, "71004001")
    assert after["updated_at"] == "2026-11-21T09:30:00.000Z"


async def test_a_stage_move_stamps_both_stage_dates_and_sets_the_status(apideck: Caller) -> None:
    before = (await apideck.get(DEAL)).data

    await apideck.call("PATCH", DEAL, body={"title": before["title"], "pipeline_id": "default", "pipeline_stage_id": "closedwon"})
    after = (await apideck.get(DEAL)).data

    assert (after["pipeline_stage_id"], after["status"], after["win_probability"]) == ("closedwon", "closedwon", 100)
    assert after["stage_last_changed_at"] == after["date_stage_changed"] == after["updated_at"] == "2026-11-21T09:30:00.000Z"


async def test_an_update_to_the_same_stage_is_no_move(apideck: Caller) -> None:
    before = (await apideck.get(DEAL)).data

    await apideck.call("PATCH", DEAL, body={"title": "Deck lighting 2028", "pipeline_stage_id": before["pipeline_stage_id"]})
    after = (await apideck.get(DEAL)).data

    assert after["title"] == "Deck lighting 2028"
    assert after["date_stage_changed"] == before["date_stage_changed"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"pipeline_id": "no-such-pipeline"}, "INVALID_PIPELINE"),
        ({"pipeline_stage_id": "no-such-stage"}, "INVALID_STAGE"),
        ({"pipeline_stage_id": "148220911"}, "INVALID_STAGE"),
        ({"pipeline_id": "74215630"}, "INVALID_STAGE"),
        ({"owner_id": "1"}, "OBJECT_NOT_FOUND"),
        ({"company_id": "1"}, "OBJECT_NOT_FOUND"),
        ({"primary_contact_id": "1"}, "OBJECT_NOT_FOUND"),
        ({"contact_id": "1"}, "OBJECT_NOT_FOUND"),
        ({"contact_ids": ["101", "1"]}, "OBJECT_NOT_FOUND"),
    ],
)
async def test_the_connected_crm_refuses_references_to_nothing(apideck: Caller, changes: dict[str, object], code: str) -> None:
    before = (await apideck.get(DEAL)).data

    answer = await apideck.call("PATCH", DEAL, body={"title": "x", **changes})

    assert (answer.status, answer.body["type_name"]) == (400, "ConnectorExecutionError")
    assert [(error.keys(), error["code"]) for error in answer.body["downstream_errors"]] == [({"message", "detail", "code"}, code)]
    assert (await apideck.get(DEAL)).data == before


async def test_a_new_company_id_brings_the_companys_name(apideck: Caller) -> None:
    await apideck.call("PATCH", DEAL, body={"title": "x", "company_id": "6214407302"})

    assert (await apideck.get(DEAL)).data["company_name"] == "Baltic Timber and Freight"


@pytest.mark.parametrize(
    ("resource", "body"),
    [
        ("companies", {"name": "Port of Anywhere", "annual_revenue": "+$2m", "emails": [{"email": "a@anywhere.example", "type": "work"}]}),
        ("contacts", {"first_name": "Jo", "company_id": "6214407301", "phone_numbers": [{"number": "555-1"}], "gender": "unisex"}),
        ("users", {"emails": [{"email": "new@nordkai.example"}], "password": "secret", "favourite_colour": "blue"}),
    ],
)
async def test_companies_contacts_and_users_are_created_changed_and_deleted(apideck: Caller, resource: str, body: dict[str, Any]) -> None:
    created = await apideck.call("POST", f"/crm/{resource}", body=body)
    path = f"/crm/{resource}/{created.data['id']}"
    read = (await apideck.get(path)).data
    changed = await apideck.call("PATCH", path, body={**body, "description": "Changed"})
    reread = (await apideck.get(path)).data
    deleted = await apideck.call("DELETE", path)
    gone = await apideck.get(path)

    assert (created.status, changed.status, deleted.status, gone.status) == (201, 200, 200, 404)
    assert {key: read.get(key) for key in body if key not in ("password", "favourite_colour")}.items() <= body.items()
    assert not read.keys() & {"password", "favourite_colour", "pass_through"}
    assert reread["description"] == "Changed"
    assert deleted.body["operation"] == "delete"


@pytest.mark.parametrize(
    ("resource", "body"),
    [
        ("companies", {}),
        ("companies", {"name": "x", "parent_id": "6214407301"}),
        ("companies", {"name": "x", "web": "x"}),
        ("companies", {"name": "x", "websites": [{"url": ""}]}),
        ("companies", {"name": "x", "bank_accounts": [{"country": "USA"}]}),
        ("contacts", {"gender": "other"}),
        ("contacts", {"type": "partner"}),
        ("contacts", {"emails": [{"email": "nobody"}]}),
        ("contacts", {"emails": [{"type": "work"}]}),
        ("contacts", {"phone_numbers": [{"number": "1", "type": "pager"}]}),
        ("contacts", {"addresses": [{"town": "Houston"}]}),
        ("contacts", {"last_activity_at": "2026-01-01T00:00:00.000Z"}),
        ("users", {"name": "No mail"}),
        ("users", {"emails": [], "created_at": "2026-01-01"}),
    ],
)
async def test_wrong_companies_contacts_and_users_are_refused(apideck: Caller, resource: str, body: dict[str, Any]) -> None:
    assert (await apideck.call("POST", f"/crm/{resource}", body=body)).status == 400


async def test_a_delete_answers_200_and_the_id(apideck: Caller) -> None:
    answer = await apideck.call("DELETE", DEAL)

    assert (answer.status, answer.data) == (200, {"id": "9017442103"})
    assert (await apideck.get(DEAL)).status == 404
    assert (await apideck.call("DELETE", DEAL)).status == 404
    assert (await apideck.call("PATCH", DEAL, body={"title": "x"})).status == 404


async def test_a_record_marked_as_deleted_is_listed_and_takes_no_change(apideck: Caller) -> None:
    listed = [row for row in (await apideck.get("/crm/opportunities", limit="200")).data if row["deleted"]]

    answer = await apideck.call("PATCH", f"/crm/opportunities/{listed[0]['id']}", body={"title": "x"})

    assert len(listed) == 3
    assert (answer.status, answer.body["type_name"]) == (422, "InvalidStateError")


async def test_writes_take_raw_and_no_other_parameter(apideck: Caller) -> None:
    raw = await apideck.call("PATCH", DEAL, params={"raw": "true"}, body={"title": "x"})
    fields = await apideck.call("PATCH", DEAL, params={"fields": "id"}, body={"title": "x"})

    assert raw.body["_raw"] == {"id": "9017442103"}
    assert fields.status == 400


async def test_listeners_hear_of_every_change(apideck: Caller) -> None:
    heard: list[Change] = []
    apideck.running.app[STORE].listeners.append(heard.append)

    created = await apideck.call("POST", "/crm/opportunities", body={"title": "x"})
    await apideck.call("PATCH", DEAL, body={"title": "y"})
    await apideck.call("POST", "/_sandbox/move", body={"id": "9017442103", "stage": "contractsent"})
    await apideck.call("DELETE", "/crm/contacts/801")
    await apideck.call("PATCH", DEAL, body={"title": "z", "owner_id": "1"})

    assert [(change.verb, change.resource, change.id) for change in heard] == [
        ("created", "opportunities", created.data["id"]),
        ("updated", "opportunities", "9017442103"),
        ("updated", "opportunities", "9017442103"),
        ("deleted", "contacts", "801"),
    ]


async def test_a_deal_is_moved_as_a_person_would(apideck: Caller) -> None:
    moved = await apideck.call("POST", "/_sandbox/move", body={"id": "9017442103", "stage": "148220912"})
    records = await apideck.call("GET", "/_sandbox/records")

    assert (moved.status, moved.body["pipeline_id"], moved.body["pipeline_stage_id"]) == (200, "74215630", "148220912")
    assert moved.body in records.body
    assert apideck.running.control.operations() == []
    assert (await apideck.get(DEAL)).data["date_stage_changed"] == moved.body["updated_at"]


async def test_a_move_to_nowhere_is_refused(apideck: Caller) -> None:
    assert (await apideck.call("POST", "/_sandbox/move", body={"id": "9017442103", "stage": "nowhere"})).status == 409
    assert (await apideck.call("POST", "/_sandbox/move", body={"id": "1", "stage": "closedwon"})).status == 404
