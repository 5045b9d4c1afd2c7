"""Queries of the Autotask sandbox against the vendor's help pages: operators, groups, fields, pages and their links, limits."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from vendors.autotask.sandbox import SANDBOX
from vendors.sandbox import OptionValue, RunningSandbox, start

ROOT = "/atservicesrest/v1.0"
HEADERS = {"ApiIntegrationCode": "NKSANDBOXTRACKINGIDENTIFIER", "UserName": "crmgraph@nordkai-service.example", "Secret": "harbour-Crane-7"}


class Caller:
    """Speaks plain HTTP to one running sandbox."""

    def __init__(self, running: RunningSandbox, session: aiohttp.ClientSession) -> None:
        self.running = running
        self.session = session

    async def __call__(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] = HEADERS, status: int = 200
    ) -> Any:
        url = path if path.startswith("http") else self.running.base_url + path
        async with self.session.request(method, URL(url, encoded=True), json=body, headers=headers) as response:
            text = await response.text()
            assert response.status == status, f"{method} {path}: {response.status} {text}"
            return json.loads(text) if text else None


@asynccontextmanager
async def sandbox(options: Mapping[str, OptionValue] | None = None, scale: int | None = None) -> AsyncGenerator[Caller, None]:
    running = await start(SANDBOX, options=options, scale=scale)
    try:
        async with aiohttp.ClientSession() as session:
            yield Caller(running, session)
    finally:
        await running.stop()


@pytest.fixture
async def call() -> AsyncIterator[Caller]:
    async with sandbox() as caller:
        yield caller


QUERY = f"{ROOT}/Opportunities/query"
ALL = {"op": "exist", "field": "id"}


async def ids(call: Caller, *conditions: object, path: str = QUERY) -> list[int]:
    page = await call("POST", path, {"filter": list(conditions)})
    return [item["id"] for item in page["items"]]


def search(body: object) -> str:
    return quote(json.dumps(body, separators=(",", ":")), safe="")


async def test_records_are_read_by_many_ids_at_once_and_missing_ones_are_left_out(call: Caller) -> None:
    page = await call("POST", QUERY, {"filter": [{"op": "in", "field": "id", "value": [312, 999, 311]}]})

    assert [item["id"] for item in page["items"]] == [311, 312]
    assert page["pageDetails"] == {"count": 2, "requestCount": 500, "prevPageUrl": None, "nextPageUrl": None}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"op": "eq", "field": "stage", "value": 29682776}, [313]),
        ({"op": "eq", "field": "status", "value": 0}, [29701412, 29701423, 29701434]),
        ({"op": "eq", "field": "companyID", "value": 0}, [29701426]),
        ({"op": "in", "field": "companyID", "value": [0, 29683530]}, [29701425, 29701426]),
        ({"op": "lt", "field": "id", "value": 313}, [311, 312]),
        ({"op": "lte", "field": "id", "value": 313}, [311, 312, 313]),
        ({"op": "gt", "field": "amount", "value": 1240000}, [29701419]),
        ({"op": "gte", "field": "amount", "value": 1240000.0}, [29701402, 29701419]),
        ({"op": "beginsWith", "field": "title", "value": "Hull coating"}, [29701405, 29701447]),
        ({"op": "endsWith", "field": "title", "value": "2027"}, [29701403, 29701404]),
        ({"op": "contains", "field": "title", "value": "FÄRJELÄGE"}, [29701423, 29701456]),
        ({"op": "eq", "field": "title", "value": "deck lighting 2027"}, [29701404]),
        ({"op": "notExist", "field": "createDate"}, [313]),
        ({"op": "exist", "field": "salesOrderID"}, [29701437]),
        ({"op": "gte", "field": "lastActivity", "value": "2026-11-19T15:20:00Z"}, [29701402, 29701405, 29701409]),
        ({"op": "gt", "field": "lastActivity", "value": "2026-11-19T16:20:00+01:00"}, [29701405, 29701409]),
        ({"op": "eq", "field": "projectedCloseDate", "value": "2026-12-11"}, [29701402]),
        ({"op": "eq", "field": "useQuoteTotals", "value": True}, [29701438, 29701439]),
        ({"op": "noteq", "field": "opportunityCategoryID", "value": 2}, None),
        ({"op": "notIn", "field": "status", "value": [1, 2, 3]}, [311, 29701412, 29701423, 29701434, 29701437, 29701441]),
    ],
)
async def test_every_operator_selects_what_it_says(call: Caller, condition: dict[str, object], expected: list[int] | None) -> None:
    found = await ids(call, condition)

    if expected is None:
        records = await call("GET", "/_sandbox/records")
        expected = [record["id"] for record in records if record["opportunityCategoryID"] != 2]
        assert len(expected) > 5
    assert found == expected


async def test_unset_values_are_neither_equal_nor_unequal(call: Caller) -> None:
    equal = await ids(call, {"op": "eq", "field": "rating", "value": 1})
    unequal = await ids(call, {"op": "noteq", "field": "rating", "value": 1})
    unset = await ids(call, {"op": "notExist", "field": "rating"})

    assert len(equal) + len(unequal) + len(unset) == 52
    assert equal and unequal and unset


async def test_conditions_are_all_needed_and_groups_nest(call: Caller) -> None:
    hull = {"op": "beginsWith", "field": "title", "value": "Hull"}
    lost = {"op": "eq", "field": "status", "value": 2}
    either = {"op": "or", "items": [{"op": "and", "items": [hull, lost]}, {"op": "eq", "field": "id", "value": 311}]}

    assert await ids(call, hull, lost) == [29701447]
    assert await ids(call, either) == [311, 29701447]
    assert await ids(call, either, {"op": "gt", "field": "id", "value": 311}) == [29701447]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"op": "contains", "field": "Vessel or berth", "value": "aurora"}, [29701403]),
        ({"op": "gt", "field": "Crane hours per year", "value": 5000}, [29701409]),
        ({"op": "lt", "field": "Renewal Date", "value": "2027-06-01"}, [29701403]),
        ({"op": "eq", "field": "Service level", "value": "3"}, [29701402, 29701409]),
        ({"op": "exist", "field": "Scope notes"}, [29701403]),
    ],
)
async def test_a_user_defined_field_of_every_kind_can_be_searched(call: Caller, condition: dict[str, object], expected: list[int]) -> None:
    assert await ids(call, condition | {"udf": True}) == expected


async def test_only_one_user_defined_condition_is_taken(call: Caller) -> None:
    condition = {"op": "exist", "field": "Scope notes", "udf": True}

    body = await call("POST", QUERY, {"filter": [condition, {"op": "and", "items": [condition]}]}, status=500)

    assert body == {"errors": ["Queries are limited to 1 user-defined field condition."]}


@pytest.mark.parametrize(
    "conditions",
    [
        [{"op": "in", "field": "id", "value": list(range(501))}],
        [{"op": "in", "field": "id", "value": list(range(400))}, {"op": "in", "field": "companyID", "value": list(range(101))}],
        [{"op": "or", "items": [{"op": "eq", "field": "id", "value": number} for number in range(501)]}],
    ],
)
async def test_more_than_500_alternatives_are_refused(call: Caller, conditions: list[object]) -> None:
    body = await call("POST", QUERY, {"filter": conditions}, status=500)

    assert body == {"errors": ["Queries are limited to 500 or fewer 'OR' conditions."]}


@pytest.mark.parametrize(("zone", "from_day", "to_day"), [("utc", True, True), ("west", False, True), ("east", True, False)])
async def test_a_filters_days_begin_in_the_zone_that_the_option_names(zone: str, from_day: bool, to_day: bool) -> None:  # noqa: FBT001
    async with sandbox({"filter_zone": zone}) as call:
        days = [await ids(call, {"op": op, "field": "projectedCloseDate", "value": "2026-12-11T00:00:00Z"}) for op in ("gte", "lte")]
        exactly = await ids(call, {"op": "eq", "field": "projectedCloseDate", "value": "2026-12-11"})

    assert [29701402 in found for found in days] == [from_day, to_day]
    assert exactly == [29701402]


async def test_500_alternatives_are_taken(call: Caller) -> None:
    assert await ids(call, {"op": "in", "field": "id", "value": list(range(500))}) == [311, 312, 313]


NOT_UNDERSTOOD: list[object] = [
    {},
    {"filter": None},
    {"filter": []},
    {"filter": {"op": "exist", "field": "id"}},
    {"filter": [ALL], "sort": "id"},
    {"filter": [ALL], "MaxRecords": 0},
    {"filter": [ALL], "MaxRecords": 501},
    {"filter": [ALL], "MaxRecords": "10"},
    {"filter": [ALL], "IncludeFields": ["id", "stageName"]},
    {"filter": [ALL], "IncludeFields": "id"},
    {"filter": ["id"]},
    {"filter": [{"op": "like", "field": "title", "value": "x"}]},
    {"filter": [{"op": "notin", "field": "id", "value": [1]}]},
    {"filter": [{"op": ["eq"], "field": "id", "value": 1}]},
    {"filter": [{"op": "eq", "field": "lastActivityDate", "value": "2026-11-01"}]},
    {"filter": [{"op": "exist", "field": "Renewal Date"}]},
    {"filter": [{"op": "exist", "field": "Renewal", "udf": True}]},
    {"filter": [{"op": "eq", "field": "id", "value": 1, "not": True}]},
    {"filter": [{"op": "eq", "field": "contactID", "value": None}]},
    {"filter": [{"op": "eq", "field": "useQuoteTotals", "value": None}]},
    {"filter": [{"op": "eq", "field": "useQuoteTotals", "value": 1}]},
    {"filter": [{"op": "eq", "field": "stage", "value": "Won"}]},
    {"filter": [{"op": "eq", "field": "title", "value": 7}]},
    {"filter": [{"op": "gt", "field": "lastActivity", "value": "yesterday"}]},
    {"filter": [{"op": "gt", "field": "amount", "value": "much"}]},
    {"filter": [{"op": "contains", "field": "stage", "value": "1"}]},
    {"filter": [{"op": "in", "field": "id", "value": 311}]},
    {"filter": [{"op": "in", "field": "id", "value": []}]},
    {"filter": [{"op": "or", "items": []}]},
    {"filter": [{"op": "in", "field": "companyID", "value": [2**31]}]},
    {"filter": [{"op": "eq", "field": "id", "value": 2**63}]},
    {"filter": [{"op": "gte", "field": "createDate", "value": "0001-01-01T00:00:00Z"}]},
    {"filter": [{"op": "lte", "field": "projectedCloseDate", "value": "9999-12-31"}]},
    ["filter"],
]


@pytest.mark.parametrize("body", NOT_UNDERSTOOD, ids=str)
async def test_a_query_that_the_vendor_would_not_understand_is_refused(call: Caller, body: object) -> None:
    refused = await call("POST", QUERY, body, status=500)

    assert [type(error) for error in refused["errors"]] == [str]


async def test_a_body_that_is_no_json_is_refused(call: Caller) -> None:
    async with call.session.post(call.running.base_url + QUERY, data=b"{", headers=HEADERS) as response:
        assert response.status == 500
        assert (await response.json())["errors"][0].startswith("Unexpected character")


async def test_contacts_are_active_by_number_not_by_boolean(call: Caller) -> None:
    path = f"{ROOT}/Contacts/query"

    active = await ids(call, {"op": "eq", "field": "isActive", "value": 0}, path=path)
    refused = await call("POST", path, {"filter": [{"op": "eq", "field": "isActive", "value": True}]}, status=500)

    assert active == [30801, 30821]
    assert refused["errors"][0].startswith("Unexpected character encountered while parsing value: t.")


async def test_an_empty_filter_may_mean_everything() -> None:
    async with sandbox({"empty_filter": "all"}) as call:
        assert len(await ids(call)) == 52
        await call("POST", QUERY, {}, status=500)


async def test_query_keys_are_taken_in_any_case(call: Caller) -> None:
    page = await call("POST", QUERY, {"Filter": [ALL], "maxRecords": 1, "includeFields": ["id"]})

    assert page["items"] == [{"id": 311, "userDefinedFields": []}]


async def test_field_names_are_taken_in_any_case_unless_the_option_says_exactly() -> None:
    query = {"filter": [{"op": "eq", "field": "CompanyId", "value": 0}], "IncludeFields": ["ID"]}
    async with sandbox() as call:
        assert (await call("POST", QUERY, query))["items"][0]["id"] == 29701426
    async with sandbox({"field_case": "exact"}) as call:
        refused = await call("POST", QUERY, query, status=500)

        assert refused == {"errors": ["Unable to find CompanyId in the Opportunity Entity."]}


@pytest.mark.parametrize(("position", "extra"), [("present", {"userDefinedFields": []}), ("absent", {})])
async def test_only_included_fields_come_back(position: str, extra: dict[str, object]) -> None:
    query = {"filter": [{"op": "eq", "field": "id", "value": 311}], "IncludeFields": ["id", "title", "contactID"]}
    async with sandbox({"include_udf_with_fields": position}) as call:
        items = (await call("POST", QUERY, query))["items"]

        assert items == [{"id": 311, "title": "Gantry brake replacement, quay 2", "contactID": 30722} | extra]


async def test_user_defined_fields_can_be_included_by_name(call: Caller) -> None:
    query = {"filter": [{"op": "eq", "field": "id", "value": 29701402}], "IncludeFields": ["id", "Service level", "Scope notes"]}

    item = (await call("POST", QUERY, query))["items"][0]

    assert item == {
        "id": 29701402,
        "userDefinedFields": [{"name": "Service level", "value": "Gold & on call"}, {"name": "Scope notes", "value": None}],
    }


async def test_included_fields_need_the_id_when_a_page_is_not_enough(call: Caller) -> None:
    query = {"filter": [ALL], "IncludeFields": ["title"]}

    await call("POST", QUERY, query | {"MaxRecords": 10}, status=500)
    whole = await call("POST", QUERY, query)

    assert len(whole["items"]) == 52


async def test_a_count_counts_all_pages(call: Caller) -> None:
    query = {"filter": [{"op": "in", "field": "status", "value": [3, 4]}], "MaxRecords": 1}

    assert await call("POST", f"{QUERY}/count", query) == {"queryCount": 11}
    assert await call("GET", f"{QUERY}/count?search={search(query)}") == {"queryCount": 11}


@pytest.mark.parametrize("cursor", ["json", "base64"])
async def test_posted_queries_are_paged_by_posting_their_links_with_the_same_body(cursor: str) -> None:
    query = {"filter": [{"op": "noteq", "field": "status", "value": 2}], "MaxRecords": 15}
    async with sandbox({"paging_cursor": cursor}) as call:
        whole = await ids(call, *query["filter"])  # type: ignore[misc]
        page = await call("POST", QUERY, query)
        links = [page["pageDetails"]["nextPageUrl"]]
        found = [item["id"] for item in page["items"]]

        assert links[0].startswith(f"{call.running.base_url}/ATServicesRest/V1.0/Opportunities/query/next?paging=")
        assert "search=" not in links[0]
        await call("GET", links[0], status=405)
        await call("POST", links[0], status=500)
        while link := links[-1]:
            page = await call("POST", link, query)
            assert page["pageDetails"]["count"] == len(page["items"]) <= page["pageDetails"]["requestCount"] == 15
            found += [item["id"] for item in page["items"]]
            links.append(page["pageDetails"]["nextPageUrl"])

        assert found == whole and len(links) == 3
        assert call.running.control.count("Opportunities.next") == 4


async def test_got_queries_are_paged_by_getting_their_links_which_carry_the_search(call: Caller) -> None:
    first = await call("GET", f"{QUERY}?search={search({'filter': [ALL], 'MaxRecords': 40})}")
    link = first["pageDetails"]["nextPageUrl"]

    second = await call("GET", link)

    assert "&search=" in link
    assert [len(page["items"]) for page in (first, second)] == [40, 12]
    assert second["pageDetails"]["nextPageUrl"] is None
    await call("POST", link, {"filter": [ALL]}, status=405)


async def test_an_invented_cursor_is_refused(call: Caller) -> None:
    for cursor in ("", "x", "%7b%7d", "%7b%22nextIds%22%3a%5b%5d%7d"):
        await call("POST", f"{QUERY}/next?paging={cursor}", {"filter": [ALL]}, status=500)


@pytest.mark.parametrize(("position", "rest"), [("null", {"nextPageUrl": None}), ("empty", {"nextPageUrl": ""}), ("absent", {})])
async def test_the_last_page_says_so_in_three_ways(position: str, rest: dict[str, object]) -> None:
    async with sandbox({"next_page": position}) as call:
        details = (await call("POST", QUERY, {"filter": [ALL]}))["pageDetails"]

        assert details == {"count": 52, "requestCount": 500, "prevPageUrl": None} | rest


async def test_a_page_that_is_just_full_is_the_last_one(call: Caller) -> None:
    page = await call("POST", QUERY, {"filter": [{"op": "lte", "field": "id", "value": 313}], "MaxRecords": 3})

    assert page["pageDetails"] == {"count": 3, "requestCount": 3, "prevPageUrl": None, "nextPageUrl": None}


async def test_keyset_pages_reach_every_record() -> None:
    async with sandbox(scale=1_234) as call:
        found: list[int] = []
        while True:
            page = await ids(call, {"op": "gt", "field": "id", "value": found[-1] if found else -1})
            found += page
            if len(page) < 500:
                break

        assert len(found) == len(set(found)) == 1_234
        assert found == sorted(found)


async def test_a_url_of_more_than_2048_characters_is_404_when_it_is_got(call: Caller) -> None:
    long = search({"filter": [{"op": "in", "field": "id", "value": list(range(100_000, 100_400))}]})

    async with call.session.get(URL(f"{call.running.base_url}{QUERY}?search={long}", encoded=True), headers=HEADERS) as response:
        assert (response.status, response.content_type) == (404, "text/html")


async def test_contacts_of_a_company_are_its_children(call: Caller) -> None:
    page = await call("GET", f"{ROOT}/Companies/29683513/Contacts")

    assert [contact["lastName"] for contact in page["items"]] == ["Lund", "Moss", "Okafor"]
    assert page["pageDetails"]["count"] == 3
    assert (await call("GET", f"{ROOT}/Companies/29683513/Contacts/30711"))["item"]["emailAddress"] == "ole@harbourlines.example"
    assert await call("GET", f"{ROOT}/Companies/174/Contacts/30711") == {"item": None}
