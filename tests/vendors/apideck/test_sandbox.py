"""The Apideck sandbox against the vendor's document: access, reading, paging, refusals."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from tests.vendors.apideck.sandbox_caller import Answer, Caller, calling

RESOURCES = ["opportunities", "pipelines", "users", "companies", "contacts"]
BY_ID = {"opportunities": "9017442101", "users": "71004012", "companies": "6214407301", "contacts": "101"}
ERROR_KEYS = {"status_code", "error", "type_name", "message", "detail", "ref"}


@pytest.fixture
async def apideck() -> AsyncIterator[Caller]:
    async with calling() as caller:
        yield caller


def refused(answer: Answer, status: int, type_name: str) -> bool:
    return (answer.status, answer.body["status_code"], answer.body["type_name"]) == (
        status,
        status,
        type_name,
    ) and answer.body.keys() >= ERROR_KEYS


@pytest.mark.parametrize("token", [None, "Bearer wrong", "sk_sandbox_nordkai_americas_3f9c71", "Bearer sk_sandbox_nordkai_americas_3f9c7"])
async def test_a_missing_or_wrong_bearer_is_unauthorized(apideck: Caller, token: str | None) -> None:
    answer = await apideck.call("GET", "/crm/users", headers={"Authorization": token})

    assert refused(answer, 401, "UnauthorizedError")
    assert answer.body["error"] == "Unauthorized"


@pytest.mark.parametrize("name", ["x-apideck-app-id", "x-apideck-consumer-id", "x-apideck-service-id"])
@pytest.mark.parametrize("value", [None, ""])
async def test_a_missing_header_is_named(apideck: Caller, name: str, value: str | None) -> None:
    answer = await apideck.call("GET", "/crm/users", headers={name: value})

    assert refused(answer, 400, "RequestHeadersValidationError")
    assert answer.body["detail"] == {"missing": [{name: "required"}]}


@pytest.mark.parametrize(
    ("header", "value", "status", "type_name"),
    [
        ("x-apideck-app-id", "other-app", 401, "UnauthorizedError"),
        ("x-apideck-consumer-id", "other-consumer", 404, "ConnectionNotFoundError"),
        ("x-apideck-service-id", "no-such-connector", 404, "ConnectorNotFoundError"),
        ("x-apideck-service-id", "pipedrive", 401, "ConnectorCredentialsError"),
    ],
)
async def test_a_wrong_application_consumer_or_connector_is_refused(
    apideck: Caller, header: str, value: str, status: int, type_name: str
) -> None:
    answer = await apideck.call("GET", "/crm/users", headers={header: value})

    assert refused(answer, status, type_name)


async def test_a_lost_connection_says_when_to_try_again(apideck: Caller) -> None:
    answer = await apideck.call("GET", "/crm/users", headers={"x-apideck-service-id": "pipedrive"})

    detail = answer.body["detail"]
    assert detail["type"] == "refresh_token_connector_error"
    assert detail["debug"].keys() == {"credentials_expire_at_ms", "retry_after_ms", "cooldown_remaining_ms"}


@pytest.mark.parametrize("resource", RESOURCES)
async def test_a_list_comes_in_the_envelope(apideck: Caller, resource: str) -> None:
    answer = await apideck.get(f"/crm/{resource}")

    assert answer.status == 200
    assert answer.headers["Request-Id"]
    frame = {key: value for key, value in answer.body.items() if key not in ("data", "meta", "links")}
    assert frame == {"status_code": 200, "status": "OK", "service": "hubspot", "resource": resource, "operation": "all"}
    assert answer.body["meta"]["items_on_page"] == len(answer.data)
    assert answer.body["links"]["current"].startswith(f"{apideck.running.base_url}/crm/{resource}?cursor=")


@pytest.mark.parametrize(("resource", "key"), BY_ID.items())
async def test_one_record_comes_in_the_envelope(apideck: Caller, resource: str, key: str) -> None:
    answer = await apideck.get(f"/crm/{resource}/{key}")

    assert answer.status == 200
    assert answer.data["id"] == key
    assert (answer.body["resource"], answer.body["operation"]) == (resource, "one")
    assert answer.data.keys() >= {"created_at", "updated_at"}


@pytest.mark.parametrize("resource", BY_ID)
async def test_an_unknown_id_is_not_found(apideck: Caller, resource: str) -> None:
    answer = await apideck.get(f"/crm/{resource}/424242")

    assert refused(answer, 404, "EntityNotFoundError")
    assert answer.body["detail"] == {"not_found": {"entity": resource, "id": "424242"}}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/crm/pipelines/default"),
        ("POST", "/crm/pipelines"),
        ("PATCH", "/crm/pipelines/default"),
        ("DELETE", "/crm/pipelines/default"),
    ],
)
async def test_everything_but_the_list_of_pipelines_is_upcoming(apideck: Caller, method: str, path: str) -> None:
    answer = await apideck.call(method, path, body={"name": "New"} if method in ("POST", "PATCH") else None)

    assert refused(answer, 501, "ConnectorOperationUnsupportedError")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/crm/opportunities/9017442101", 405),
        ("DELETE", "/crm/opportunities", 405),
        ("PATCH", "/crm/opportunities", 405),
        ("GET", "/crm/deals", 404),
        ("GET", "/crm/opportunities/9017442101/stages", 404),
        ("GET", "/crm/stages", 404),
    ],
)
async def test_methods_and_paths_outside_the_document_are_refused(apideck: Caller, method: str, path: str, status: int) -> None:
    answer = await apideck.call(method, path)

    assert answer.status == status
    assert answer.body.keys() >= ERROR_KEYS


async def test_a_page_holds_twenty_rows_unless_asked_otherwise(apideck: Caller) -> None:
    default = await apideck.get("/crm/opportunities")
    largest = await apideck.get("/crm/opportunities", limit="200")

    assert len(default.data) == 20
    assert len(largest.data) == largest.body["meta"]["total_count"] == 55


@pytest.mark.parametrize("limit", ["0", "201", "-1", "ten", "1.5", "", " 5"])
async def test_a_limit_outside_1_to_200_is_refused(apideck: Caller, limit: str) -> None:
    answer = await apideck.get("/crm/opportunities", limit=limit)

    assert refused(answer, 400, "RequestValidationError")
    assert "limit" in answer.body["detail"]["invalid"][0]


@pytest.mark.parametrize("params", [{"limit": "7"}, {"limit": "7", "sort[by]": "title"}, {"limit": "1", "filter[status]": "open"}])
async def test_cursors_lead_through_every_row_once(apideck: Caller, params: dict[str, str]) -> None:
    pages = await apideck.pages("/crm/opportunities", params)

    whole = await apideck.call("GET", "/crm/opportunities", params={**params, "limit": "200"})
    assert [row["id"] for page in pages for row in page.data] == [row["id"] for row in whole.data]
    assert {page.body["meta"]["total_count"] for page in pages} == {len(whole.data)}
    assert pages[0].body["links"]["next"].endswith(pages[1].body["meta"]["cursors"]["current"])


async def test_an_unfiltered_list_does_not_shift_when_a_row_before_the_cursor_goes(apideck: Caller) -> None:
    first = await apideck.get("/crm/opportunities", limit="3")
    await apideck.call("DELETE", f"/crm/opportunities/{first.data[0]['id']}")

    second = await apideck.get("/crm/opportunities", limit="1", cursor=first.body["meta"]["cursors"]["next"])

    assert second.data[0]["id"] == "9017442104"


async def test_a_cursor_is_good_for_its_own_list_only(apideck: Caller) -> None:
    cursor = (await apideck.get("/crm/opportunities", limit="3")).body["meta"]["cursors"]["next"]

    for path, params in [
        ("/crm/contacts", {"cursor": cursor}),
        ("/crm/opportunities", {"cursor": cursor, "filter[status]": "open"}),
        ("/crm/opportunities", {"cursor": "nonsense"}),
        ("/crm/opportunities", {"cursor": "cGlwZWRyaXZlOjpvcHBvcnR1bml0aWVzOjowOjoz"}),
    ]:
        assert refused(await apideck.call("GET", path, params=params), 400, "InvalidCursorError")


@pytest.mark.parametrize(
    ("resource", "params"),
    [
        ("opportunities", {"filter[pipeline_id]": "default"}),
        ("opportunities", {"filter[pipeline_stage_id]": "closedwon"}),
        ("opportunities", {"filter[updated_since]": "2026-01-01T00:00:00.000Z"}),
        ("opportunities", {"filter[close_date]": "2026-12-15"}),
        ("opportunities", {"filter[monetary_amount]": "many"}),
        ("opportunities", {"filter": "open"}),
        ("opportunities", {"filters[status]": "open"}),
        ("opportunities", {"sort[by]": "close_date"}),
        ("opportunities", {"sort[by]": "title", "sort[direction]": "down"}),
        ("opportunities", {"sort[direction]": "desc"}),
        ("opportunities", {"sort[field]": "title"}),
        ("opportunities", {"sort": "title"}),
        ("opportunities", {"raw": "yes"}),
        ("opportunities", {"fields": "id,stage"}),
        ("opportunities", {"fields": "id,,title"}),
        ("opportunities", {"fields": "pass_through"}),
        ("opportunities", {"page": "2"}),
        ("opportunities", {"offset": "20"}),
        ("pipelines", {"filter[name]": "Equipment sales"}),
        ("pipelines", {"sort[by]": "name"}),
        ("users", {"sort[by]": "name"}),
        ("users", {"fields": "password"}),
        ("companies", {"filter[owner_id]": "71004012"}),
        ("companies", {"filter[updated_since]": "yesterday"}),
        ("contacts", {"filter[title]": "Owner"}),
        ("contacts", {"sort[by]": "company_name"}),
    ],
)
async def test_unknown_parameters_filters_sort_keys_and_fields_are_refused(apideck: Caller, resource: str, params: dict[str, str]) -> None:
    assert refused(await apideck.call("GET", f"/crm/{resource}", params=params), 400, "RequestValidationError")


@pytest.mark.parametrize(("resource", "key"), BY_ID.items())
async def test_reading_one_record_takes_no_list_parameters(apideck: Caller, resource: str, key: str) -> None:
    assert refused(await apideck.get(f"/crm/{resource}/{key}", limit="1"), 400, "RequestValidationError")
    assert refused(await apideck.call("GET", f"/crm/{resource}/{key}", params={"sort[by]": "title"}), 400, "RequestValidationError")
    filtered = await apideck.call("GET", f"/crm/{resource}/{key}", params={"filter[name]": "x"})
    assert filtered.status == (200 if resource == "contacts" else 400)


@pytest.mark.parametrize("params", [{"filter[email]": "mira.koenig@nordkai.example"}, {"filter[name]": "Mira"}])
async def test_this_connector_filters_no_users(apideck: Caller, params: dict[str, str]) -> None:
    assert refused(await apideck.call("GET", "/crm/users", params=params), 400, "UnsupportedFiltersError")


@pytest.mark.parametrize(
    ("key", "value", "count"),
    [
        ("title", "DECK LIGHT", 5),
        ("title", "Deck lighting 2027", 2),
        ("status", "closedwon", 5),
        ("monetary_amount", "96400.50", 1),
        ("win_probability", "37.5", 1),
        ("company_id", "6214407306", 4),
        ("company_id", "0", 0),
        ("owner_id", "71004014", 8),
        ("primary_contact_id", "101", 3),
    ],
)
async def test_opportunities_are_filtered(apideck: Caller, key: str, value: str, count: int) -> None:
    answer = await apideck.call("GET", "/crm/opportunities", params={f"filter[{key}]": value, "limit": "200"})

    assert len(answer.data) == answer.body["meta"]["total_count"] == count


async def test_several_filters_must_all_match(apideck: Caller) -> None:
    answer = await apideck.call("GET", "/crm/opportunities", params={"filter[owner_id]": "71004012", "filter[status]": "closedwon"})

    assert {row["title"] for row in answer.data} == {"Ship unloader drives", "Deck lighting 2026"}


@pytest.mark.parametrize(
    ("resource", "key", "value", "names"),
    [
        ("companies", "name", "baltic", ["Baltic Timber and Freight"]),
        ("companies", "created_since", "2027-01-01T00:00:00.000Z", []),
        ("contacts", "company_id", "6214407308", ["Fiona MacLeod", "Angus Rae"]),
        ("contacts", "email", "Marcus.Reed@atlanticcrane.example", ["Marcus Reed"]),
        ("contacts", "first_name", "marcus", ["Marcus Reed"]),
        ("contacts", "owner_id", "71004019", ["Ingrid Halvorsen"]),
    ],
)
async def test_companies_and_contacts_are_filtered(apideck: Caller, resource: str, key: str, value: str, names: list[str]) -> None:
    answer = await apideck.call("GET", f"/crm/{resource}", params={f"filter[{key}]": value})

    assert [row["name"] for row in answer.data] == names


async def test_contacts_are_found_by_phone_number(apideck: Caller) -> None:
    phone = (await apideck.get("/crm/contacts/101")).data["phone_numbers"][0]["number"]

    answer = await apideck.call("GET", "/crm/contacts", params={"filter[phone_number]": phone.replace("-", "")})

    assert "101" in [row["id"] for row in answer.data]


@pytest.mark.parametrize(
    ("resource", "by"),
    [
        *(("opportunities", by) for by in ("created_at", "updated_at", "title", "win_probability", "monetary_amount", "status")),
        *(("companies", by) for by in ("created_at", "updated_at", "name")),
        *(("contacts", by) for by in ("created_at", "updated_at", "name", "first_name", "last_name")),
    ],
)
async def test_lists_are_sorted_with_gaps_last(apideck: Caller, resource: str, by: str) -> None:
    upwards = await apideck.call("GET", f"/crm/{resource}", params={"sort[by]": by, "limit": "200"})
    downwards = await apideck.call("GET", f"/crm/{resource}", params={"sort[by]": by, "sort[direction]": "desc", "limit": "200"})

    rising = [comparable(row[by]) for row in upwards.data if row[by] is not None]
    falling = [comparable(row[by]) for row in downwards.data if row[by] is not None]
    assert rising == sorted(rising)
    assert falling == rising[::-1]
    assert rising[0] != rising[-1]
    gaps = len(upwards.data) - len(rising)
    assert [row[by] for row in (*upwards.data[len(rising) :], *downwards.data[len(rising) :])] == [None] * 2 * gaps


def comparable(value: Any) -> Any:
    if isinstance(value, str):
        return datetime.fromisoformat(value) if value.startswith("20") else value.casefold()
    return value


async def test_contacts_are_sorted_by_their_first_address(apideck: Caller) -> None:
    answer = await apideck.call("GET", "/crm/contacts", params={"sort[by]": "email", "limit": "200"})

    addresses = [row["emails"][0]["email"] for row in answer.data if row["emails"]]
    assert addresses == sorted(addresses)
    assert answer.data[-1]["emails"] == []


async def test_a_filtered_or_sorted_list_of_opportunities_lacks_relations(apideck: Caller) -> None:
    for params in ({"filter[owner_id]": "71004012"}, {"sort[by]": "updated_at"}):
        answer = await apideck.call("GET", "/crm/opportunities", params=params)

        assert not answer.data[0].keys() & {"company_id", "primary_contact_id", "contact_ids", "lead_id", "contact_id"}
        assert answer.data[0].keys() >= {"owner_id", "company_name", "pipeline_stage_id"}


async def test_fields_keep_what_is_listed_and_nothing_else(apideck: Caller) -> None:
    answer = await apideck.get("/crm/opportunities/9017442101", fields="title,custom_fields.value,owner_id")
    pipelines = await apideck.get("/crm/pipelines", fields="id,stages.id,stages.name")

    assert answer.data.keys() == {"title", "custom_fields", "owner_id"}
    assert answer.data["custom_fields"][1] == {"value": 38.5}
    assert all(row.keys() == {"id", "stages"} and row["stages"][0].keys() == {"id", "name"} for row in pipelines.data)


async def test_raw_adds_the_downstream_object(apideck: Caller) -> None:
    one = await apideck.get("/crm/opportunities/9017442101", raw="true")
    many = await apideck.get("/crm/opportunities", raw="true", limit="2")
    without = await apideck.get("/crm/opportunities", raw="false")

    assert one.body["_raw"]["properties"]["dealname"] == one.data["title"]
    assert [row["id"] for row in many.body["_raw"]["results"]] == [row["id"] for row in many.data]
    assert "_raw" not in without.body


async def test_pass_through_is_taken_on_lists(apideck: Caller) -> None:
    assert (await apideck.call("GET", "/crm/opportunities", params={"pass_through[search]": "crane"})).status == 200


async def test_calls_are_logged_under_the_vendors_operation_ids(apideck: Caller) -> None:
    await apideck.get("/crm/opportunities")
    await apideck.get("/crm/opportunities/9017442101")
    await apideck.call("PATCH", "/crm/companies/6214407301", body={"name": "Atlantic Crane Company"})
    await apideck.call("POST", "/crm/contacts", body={"name": "New"})
    await apideck.call("DELETE", "/crm/contacts/801")

    assert apideck.running.control.operations() == [
        "opportunitiesAll",
        "opportunitiesOne",
        "companiesUpdate",
        "contactsAdd",
        "contactsDelete",
    ]
