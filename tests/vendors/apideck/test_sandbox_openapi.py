"""Every answer of the Apideck sandbox, and every kind of write it takes, against the vendor's OpenAPI file."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.vendors.apideck import openapi
from tests.vendors.apideck.sandbox_caller import HEADERS, Caller, calling
from vendors.apideck.sandbox import SANDBOX, STORE
from vendors.apideck.sandbox.fields import CURRENCIES, RESOURCES
from vendors.sandbox import OptionValue

if (reason := openapi.unavailable()) is not None:
    pytest.skip(reason, allow_module_level=True)

DEAL = "/crm/opportunities/9017442101"
OPPORTUNITY: dict[str, Any] = {
    "title": "Lashing bridge",
    "primary_contact_id": "101",
    "monetary_amount": 12.5,
    "currency": "BRL",
    "win_probability": 12.5,
    "close_date": "2027-01-31",
    "pipeline_id": None,
    "contact_ids": ["101"],
    "company_id": "6214407301",
    "owner_id": "71004012",
    "tags": None,
    "custom_fields": [{"id": "a", "value": [1, "b", True, None, {"c": 1}]}, {"name": "b", "description": None, "value": {"c": 1}}],
    "stage_last_changed_at": "2026-11-01T08:00:00.000Z",
    "pass_through": [{"service_id": "hubspot", "operation_id": "x", "extend_object": {}, "extend_paths": [{"path": "$.a", "value": 1}]}],
}
WRITES: Mapping[str, dict[str, Any]] = {
    "opportunities": OPPORTUNITY,
    "companies": {
        "name": "Port of Anywhere",
        "annual_revenue": "+$2m",
        "currency": None,
        "row_type": {"id": "1", "name": None},
        "bank_accounts": [{"bank_name": "Quay Bank", "account_type": "other", "currency": "USD", "country": "US"}],
        "websites": [{"url": "https://anywhere.example", "type": "primary"}],
        "social_links": [{"url": "https://social.example/anywhere", "type": None}],
        "addresses": [{"type": "office", "line5": None, "latitude": "1.5", "row_version": "1"}],
        "birthday": "1999-12-31",
        "read_only": False,
    },
    "contacts": {
        "first_name": "Jo",
        "gender": "unisex",
        "type": "personal",
        "current_balance": 1.5,
        "active": True,
        "birthday": "1999-12-31",
        "phone_numbers": [{"number": "555-1", "type": "direct-dial-in"}],
        "emails": [{"email": "jo@anywhere.example", "type": None}],
        "custom_fields": None,
        "opportunity_ids": ["9017442101"],
    },
    "users": {"emails": [{"email": "jo@nordkai.example"}], "password": "secret", "division": None, "phone_numbers": []},
}


async def check(
    caller: Caller, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None, expect: int = 200
) -> Any:
    """Send a request that the document allows, or that it does not if an error is expected, and check the answer; the answer's data."""
    query = list((params or {}).items())
    headers = HEADERS if body is None else {**HEADERS, "Content-Type": "application/json"}
    if expect < 300:
        assert openapi.request_violations(method, path, query, headers, body) == []
    answer = await caller.call(method, path, params=params, body=body)
    assert answer.status == expect
    assert openapi.violations(method, path, status=answer.status, body=answer.body, partial="fields" in (params or {})) == []
    return answer.body.get("data")


async def read_everything(caller: Caller) -> None:
    page: Mapping[str, str] = {"limit": "200"}
    for name, resource in RESOURCES.items():
        plain = {} if name == "pipelines" else page
        rows = await check(caller, "GET", f"/crm/{name}", params=plain)
        await check(caller, "GET", f"/crm/{name}", params={**plain, "raw": "true", "pass_through[a]": "b"})
        await check(caller, "GET", f"/crm/{name}", params={**plain, "fields": "id,updated_at"})
        for row in rows if resource.writable else ():
            await check(caller, "GET", f"/crm/{name}/{row['id']}", params={"raw": "true"})
    for name in ("opportunities", "companies", "contacts"):
        first = await caller.get(f"/crm/{name}", limit="5")
        await check(caller, "GET", f"/crm/{name}", params={"limit": "5", "cursor": first.body["meta"]["cursors"]["next"]})


async def write_everything(caller: Caller) -> None:
    for name, body in WRITES.items():
        created = await check(caller, "POST", f"/crm/{name}", body=body, expect=201)
        path = f"/crm/{name}/{created['id']}"
        await check(caller, "GET", path)
        await check(caller, "PATCH", path, params={"raw": "true"}, body=body)
        await check(caller, "DELETE", path)
    await check(caller, "PATCH", DEAL, body={"title": ""})


async def err_everywhere(caller: Caller) -> None:
    for name, resource in RESOURCES.items():
        await check(caller, "GET", f"/crm/{name}", params={"limit": "0"}, expect=400)
        if resource.writable:
            await check(caller, "GET", f"/crm/{name}/1", expect=404)
            await check(caller, "DELETE", f"/crm/{name}/1", expect=404)
            await check(caller, "POST", f"/crm/{name}", body={"id": "1"}, expect=400)
        else:
            await check(caller, "GET", f"/crm/{name}/default", expect=501)
    await check(caller, "PATCH", DEAL, body={"title": "x", "owner_id": "1"}, expect=400)
    await check(caller, "PATCH", "/crm/opportunities/9017442153", body={"title": "x"}, expect=422)
    for header in HEADERS:
        answer = await caller.call("GET", DEAL, headers={header: None})
        assert openapi.violations("GET", DEAL, status=answer.status, body=answer.body) == []
    limits = caller.running.app[STORE].limits
    limits.quota, limits.requests = 1, 0
    await check(caller, "GET", DEAL, expect=429)
    await check(caller, "GET", DEAL, expect=402)


@pytest.mark.parametrize("options", SANDBOX.positions(), ids=lambda options: ",".join(f"{k}={v}" for k, v in options.items()) or "defaults")
async def test_every_answer_is_as_documented(options: dict[str, OptionValue]) -> None:
    async with calling(options) as caller:
        await read_everything(caller)
        await write_everything(caller)
        await err_everywhere(caller)


@pytest.mark.parametrize("name", RESOURCES)
async def test_every_filter_and_sort_key_of_the_document_is_known(name: str) -> None:
    texts = {"number": "1", "since": "2026-01-01T00:00:00.000Z"}
    async with calling({"pipelines_paging": "supported"}) as caller:
        for key, rule in RESOURCES[name].filters.items():
            await check(
                caller, "GET", f"/crm/{name}", params={f"filter[{key}]": texts.get(rule, "x")}, expect=400 if name == "users" else 200
            )
        for by in RESOURCES[name].sorts:
            await check(caller, "GET", f"/crm/{name}", params={"sort[by]": by, "sort[direction]": "desc"})


@pytest.mark.parametrize("name", RESOURCES)
def test_the_sandbox_and_the_document_have_the_same_keys(name: str) -> None:
    fields = RESOURCES[name].shape.fields
    documented = openapi.record_properties(f"/crm/{name}")

    assert fields.keys() == documented.keys()
    marks = {key: (field.nullable, field.read_only, field.write_only) for key, field in fields.items() if key != "pass_through"}
    assert marks == {key: openapi.marks(schema) for key, schema in documented.items() if key != "pass_through"}


def test_the_sandbox_and_the_document_have_the_same_filters_sort_keys_and_currencies() -> None:
    for name, resource in RESOURCES.items():
        filters, sorts = openapi.list_keys(f"/crm/{name}")
        assert (set(resource.filters), set(resource.sorts)) == (filters, sorts)
    assert set(openapi.record_properties("/crm/opportunities")["currency"]["enum"]) - {None} == CURRENCIES


async def test_scaled_records_are_as_documented() -> None:
    async with calling(scale=200) as caller:
        await check(caller, "GET", "/crm/opportunities", params={"limit": "200"})


@pytest.mark.parametrize(
    ("path", "status", "body", "found"),
    [
        ("/crm/opportunities/1", 200, {"data": {"id": "1", "title": "x"}}, "required"),
        ("/crm/opportunities/1", 200, {"data": {"id": 1, "title": "x"}}, "data/id"),
        ("/crm/opportunities/1", 200, {"data": {"id": "1", "title": None}}, "data/title"),
        ("/crm/opportunities/1", 200, {"data": {"title": "x", "stage": "1"}}, "stage"),
        ("/crm/opportunities/1", 200, {"data": {"title": "x", "close_date": "31.1.2027"}}, "data/close_date"),
        ("/crm/opportunities/1", 200, {"data": {"title": "x", "updated_at": "2027-01-31T00:00:00"}}, "data/updated_at"),
        ("/crm/opportunities/1", 200, {"data": {"title": "x", "currency": "BYN"}}, "data/currency"),
        ("/crm/users/1", 200, {"data": {"emails": [], "password": "secret"}}, "data/password: is write-only"),
        ("/crm/opportunities/1", 202, {}, "status 202"),
        ("/crm/deals/1", 200, {}, "not in the document"),
    ],
)
def test_the_check_of_answers_finds_faults(path: str, status: int, body: dict[str, Any], found: str) -> None:
    whole: dict[str, Any] = {"status_code": 200, "status": "OK", "service": "hubspot", "resource": "x", "operation": "one"}
    answer = body if found == "required" else {**whole, **body}

    assert any(found in violation for violation in openapi.violations("GET", path, status=status, body=answer))


@pytest.mark.parametrize(
    ("request_line", "query", "without", "body", "found"),
    [
        ("GET /crm/opportunities", [], "Authorization", None, "header Authorization is missing"),
        ("GET /crm/opportunities", [], "x-apideck-app-id", None, "header x-apideck-app-id is missing"),
        ("GET /crm/opportunities", [], "x-apideck-consumer-id", None, "header x-apideck-consumer-id is missing"),
        ("GET /crm/opportunities", [("limit", "201")], "", None, "query limit"),
        ("GET /crm/opportunities", [("limit", "many")], "", None, "query limit"),
        ("GET /crm/opportunities", [("raw", "yes")], "", None, "query raw"),
        ("GET /crm/opportunities", [("page", "1")], "", None, "query page: unknown"),
        ("GET /crm/opportunities", [("filter", "x")], "", None, "query filter: unknown"),
        ("GET /crm/opportunities", [("filter[stage]", "x")], "", None, "query filter"),
        ("GET /crm/opportunities", [("filter[monetary_amount]", "x")], "", None, "query filter: monetary_amount"),
        ("GET /crm/opportunities", [("sort[by]", "close_date")], "", None, "query sort: by"),
        ("GET /crm/opportunities", [("fields", "id,stages.name")], "", None, "'stages.name' is not in the document"),
        ("GET /crm/pipelines", [("fields", "stages.nome")], "", None, "'stages.nome' is not in the document"),
        ("GET /crm/pipelines/1", [], "", None, "upcoming"),
        ("GET /crm/opportunities", [], "", {}, "takes no body"),
        ("POST /crm/opportunities", [], "", None, "body"),
        ("POST /crm/opportunities", [], "", {"title": "x"}, "Content-Type"),
        (f"PATCH {DEAL}", [], "", {"owner_id": "1"}, "'title' is a required property"),
        (f"PATCH {DEAL}", [], "", {"title": "x", "id": "1"}, "id: is read-only"),
        (f"PATCH {DEAL}", [], "", {"title": "x", "custom_mappings": {}}, "custom_mappings: is read-only"),
        (f"PUT {DEAL}", [], "", {"title": "x"}, "not in the document"),
    ],
)
def test_the_check_of_requests_finds_faults(
    request_line: str, query: list[tuple[str, str]], without: str, body: object, found: str
) -> None:
    method, path = request_line.split()
    headers = {name: value for name, value in HEADERS.items() if name != without}

    assert any(found in violation for violation in openapi.request_violations(method, path, query, headers, body))
