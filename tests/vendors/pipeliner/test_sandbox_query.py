"""Lists of the Pipeliner sandbox: pages and cursors, filters and their operators, order, scale.

Source: Pipeliner "Create Opportunity", query parameters of the list calls; "API parameters"; "Pagination".
"""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.vendors.pipeliner.sandbox_caller import Caller, calling


@pytest.fixture
async def call() -> AsyncIterator[Caller]:
    async with calling() as caller:
        yield caller


def cursor(*parts: str | None) -> str:
    return base64.b64encode(json.dumps(parts).encode()).decode()


async def walk(call: Caller, entity: str = "Opportunities", **params: Any) -> list[dict[str, Any]]:
    """All rows over all pages."""
    rows: list[dict[str, Any]] = []
    page = await call("GET", entity, **params)
    while True:
        rows += page["data"]
        if not page["page_info"]["has_next_page"]:
            return rows
        page = await call("GET", entity, **params, after=page["page_info"]["end_cursor"])


async def test_a_page_has_thirty_rows_by_default_and_a_hundred_at_most() -> None:
    async with calling(scale=150) as call:
        assert [len(await call.rows("Opportunities", **params)) for params in ({}, {"first": 7}, {"first": 100}, {"first": 101})] == [
            30,
            7,
            100,
            100,
        ]
    async with calling(scale=150, large_first="reject") as call:
        assert len(await call.rows("Opportunities", first=100)) == 100
        assert (await call("GET", "Opportunities", first=101, status=400))["code"] == 117


async def test_an_answer_has_the_recorded_envelope(call: Caller) -> None:
    page = await call("GET", "Opportunities", first=2)

    ids = [row["id"] for row in page["data"]]
    assert page.keys() == {"success", "total", "page_info", "data"}
    assert (page["success"], page["total"]) == (True, 49)
    assert page["page_info"] == {
        "start_cursor": cursor(ids[0]),
        "end_cursor": cursor(ids[1]),
        "has_previous_page": False,
        "has_next_page": True,
    }


async def test_rows_come_by_id_over_all_pages(call: Caller) -> None:
    rows = await walk(call, first=7)

    ids = [row["id"] for row in rows]
    assert ids == sorted(set(ids)) and len(ids) == 49


@pytest.mark.parametrize("order", ["-modified", "name", "-closing_date,name", "won_date", "-won_date", "owner_id,-created", "status"])
async def test_any_order_is_kept_over_all_pages(call: Caller, order: str) -> None:
    at_once = [row["id"] for row in await call.rows("Opportunities", first=100, **{"order-by": order})]
    in_pages = [row["id"] for row in await walk(call, first=4, **{"order-by": order})]

    assert in_pages == at_once
    assert len(set(at_once)) == 49


async def test_order_is_by_the_first_field_then_the_next_then_the_id(call: Caller) -> None:
    rows = await call.rows("Opportunities", first=100, **{"order-by": "status,-closing_date"})

    statuses = [row["status"] for row in rows]
    assert statuses == sorted(statuses)
    for status in (1, 2, 3):
        dates = [row["closing_date"] for row in rows if row["status"] == status]
        assert dates == sorted(dates, reverse=True)


async def test_a_cursor_of_an_order_holds_the_values_and_the_id(call: Caller) -> None:
    page = await call("GET", "Opportunities", first=1, **{"order-by": "-closing_date"})

    (row,) = page["data"]
    assert page["page_info"]["end_cursor"] == cursor(row["closing_date"], row["id"])


async def test_before_and_last_go_back(call: Caller) -> None:
    rows = [row["id"] for row in await call.rows("Opportunities", first=100)]

    async def ids(**params: Any) -> list[str]:
        return [row["id"] for row in await call.rows("Opportunities", **params)]

    assert await ids(before=cursor(rows[5]), first=100) == rows[:5]
    assert await ids(before=cursor(rows[5]), last=2) == rows[3:5]
    assert await ids(first=10, last=3) == rows[7:10]
    assert await ids(last=4) == rows[-4:]
    assert await ids(after=cursor(rows[2]), before=cursor(rows[6])) == rows[3:6]


async def test_the_middle_page_tells_of_both_sides(call: Caller) -> None:
    first = await call("GET", "Opportunities", first=10)
    second = await call("GET", "Opportunities", first=10, after=first["page_info"]["end_cursor"])

    assert (second["page_info"]["has_previous_page"], second["page_info"]["has_next_page"]) == (True, True)


@pytest.mark.parametrize(("position", "has_cursor"), [("null", False), ("value", True)])
async def test_the_cursor_of_the_last_page(position: str, *, has_cursor: bool) -> None:
    async with calling(last_page_cursor=position) as call:
        page = await call("GET", "Tags")

    assert page["page_info"]["has_next_page"] is False
    assert (page["page_info"]["end_cursor"] is not None) is has_cursor


async def test_an_empty_list(call: Caller) -> None:
    page = await call("GET", "Opportunities", **{"filter[name]": "nothing is called so"})

    assert page["data"] == [] and page["total"] == 0
    assert page["page_info"] == {"start_cursor": None, "end_cursor": None, "has_previous_page": False, "has_next_page": False}


async def test_the_total_may_be_missing() -> None:
    async with calling(total="absent") as call:
        assert (await call("GET", "Opportunities")).keys() == {"success", "page_info", "data"}


async def test_limit_and_offset_leave_the_page_info_out(call: Caller) -> None:
    rows = await call.rows("Opportunities", first=100)
    page = await call("GET", "Opportunities", limit=5, offset=40)

    assert page.keys() == {"success", "total", "data"}
    assert page["data"] == rows[40:45]


@pytest.mark.parametrize(
    "params",
    [
        {"after": "%%%"},
        {"after": base64.b64encode(b"{}").decode()},
        {"after": cursor("2026-01-01", "x")},
        {"first": "many"},
        {"first": "-1"},
        {"filter[nome]": "x"},
        {"filter[owner]": "x"},
        {"filter[days_in_step]": "3"},
        {"filter[account_relations]": "x"},
        {"filter[name]": "x", "filter-op[name]": "like"},
        {"filter-op[name]": "contains"},
        {"filter[status]": "open"},
        {"filter[closing_date]": "soon"},
        {"filter[is_archived]": "perhaps"},
        {"filter[status]": "1", "filter-op[status]": "contains"},
        {"filter[ranking]": "1", "filter-op[ranking]": "between"},
        {"order-by": "nome"},
        {"order-by": "-value"},
    ],
)
async def test_what_cannot_be_asked_is_refused(call: Caller, params: dict[str, str]) -> None:
    body = await call("GET", "Opportunities", status=400, **params)

    assert (body["code"], body["success"]) == (117, False)


NAMES = ["Deck lighting 2027", "Deck lighting, MV Blankenese", "Deck lighting, order in the wrong step"]


@pytest.mark.parametrize(
    ("field", "operator", "value", "expected"),
    [
        ("name", "eq", "Deck lighting 2027", NAMES[:1]),
        ("name", "eq", "deck lighting 2027", []),
        ("name", "ieq", "deck LIGHTING 2027", NAMES[:1]),
        ("name", "starts", "Deck lighting", NAMES),
        ("name", "istarts", "deck lighting,", NAMES[1:]),
        ("name", "contains", "MV Blank", NAMES[1:2]),
        ("name", "icontains", "mv blank", NAMES[1:2]),
        ("name", "ends", "wrong step", NAMES[2:]),
        ("name", "iends", "WRONG STEP", NAMES[2:]),
        ("name", "contains", "mv blank", []),
        ("label_flag", "eq", "7", ["Ship-to-shore crane, channel side"]),
        ("ranking", "gte", "5", ["Quay crane retrofit, berth 4", "Ship-to-shore crane, channel side"]),
        ("ranking", "gt", "5", []),
        ("ranking", "between", "5,9", ["Quay crane retrofit, berth 4", "Ship-to-shore crane, channel side"]),
        ("created", "lt", "2025-08-05 00:00:00", ["Old stock: capstans"]),
        ("created", "gte", "2026-11-17T00:00:00Z", ["Inquiry by phone, winch brake"]),
        ("closing_date", "lte", "2026-01-16", ["Berth planning, pilot"]),
        ("qualify_date", "not-null", "", ["Quay crane retrofit, berth 4"]),
        ("quick_email", "not-empty", "", ["Inquiry by phone, winch brake", "Quay crane retrofit, berth 4"]),
        ("cf_project_code", "eq", "NK-2026-041", ["Quay crane retrofit, berth 4"]),
        ("is_favorite", "eq", "true", ["Quay crane retrofit, berth 4"]),
    ],
)
async def test_operators(call: Caller, field: str, operator: str, value: str, expected: list[str]) -> None:
    rows = await call.rows("Opportunities", first=100, **{f"filter[{field}]": value, f"filter-op[{field}]": operator})

    assert sorted(row["name"] for row in rows) == expected


@pytest.mark.parametrize(
    ("operator", "needle", "folded", "pattern"),
    [
        ("icontains", "BLANKENESE", True, True),
        ("icontains", "ÖLSPERREN &", True, True),
        ("icontains", "ölsperren &", True, False),
        ("icontains", "KLEINHÜNINGEN", True, False),
        ("icontains", "crane_ channel", False, True),
        ("istarts", "quay%berth", False, True),
        ("iends", "%TUGS", False, True),
        ("icontains", "crane\\, channel", False, True),
        ("icontains", "no such title", False, False),
    ],
)
async def test_texts_are_compared_by_folding_case_or_as_patterns(operator: str, needle: str, *, folded: bool, pattern: bool) -> None:
    found: list[bool] = []
    for position in ("folded", "pattern"):
        async with calling(text_match=position) as call:
            found.append(bool(await call.rows("Opportunities", **{"filter[name]": needle, "filter-op[name]": operator})))

    assert found == [folded, pattern]


@pytest.mark.parametrize(("position", "counts"), [("microseconds", [1, 1, 0, 0]), ("seconds", [1, 0, 1, 0])])
async def test_a_filter_of_instants_may_look_at_whole_seconds_only(position: str, counts: list[int]) -> None:
    async with calling(filter_instants=position) as call:
        row = await call.deal("Old stock: capstans")  # the oldest one
        second = row["created"][:19]

        found = [
            len(
                await call.rows("Opportunities", **{"filter[name]": row["name"], "filter[created]": second, "filter-op[created]": operator})
            )
            for operator in ("gte", "gt", "lte", "lt")
        ]

    assert found == counts


async def test_links_come_in_the_order_of_their_opportunities(call: Caller) -> None:
    account_id = (await call.rows("LeadOpptyAccountRelations", first=1))[0]["account_id"]

    rows = await walk(call, "LeadOpptyAccountRelations", first=2, **{"filter[account_id]": account_id, "order-by": "lead_oppty_id"})

    assert [(row["lead_oppty_id"], row["id"]) for row in rows] == sorted((row["lead_oppty_id"], row["id"]) for row in rows)
    assert {row["account_id"] for row in rows} == {account_id}


@pytest.mark.parametrize(
    ("field", "operator", "opposite", "value"),
    [
        ("name", "eq", "not-eq", "Deck lighting 2027"),
        ("name", "ieq", "not-ieq", "deck lighting 2027"),
        ("won_date", "null", "not-null", ""),
        ("description", "empty", "not-empty", ""),
        ("closing_date", "lt", "gte", "2026-11-01"),
        ("closing_date", "gt", "lte", "2026-11-01"),
    ],
)
async def test_opposite_operators_share_the_list(call: Caller, field: str, operator: str, opposite: str, value: str) -> None:
    one, other = [
        {row["id"] for row in await call.rows("Opportunities", first=100, **{f"filter[{field}]": value, f"filter-op[{field}]": each})}
        for each in (operator, opposite)
    ]

    assert one and other and not one & other
    assert len(one | other) == 49


async def test_filters_of_several_fields_hold_together(call: Caller) -> None:
    owner_id = await call.id_of("Clients", "ewa.nowak@nordkai.example", "email")
    mine = await call.rows("Opportunities", first=100, **{"filter[owner_id]": owner_id})

    won = await call.rows("Opportunities", first=100, **{"filter[owner_id]": owner_id, "filter[status]": "3"})

    assert {row["owner_id"] for row in mine} == {owner_id}
    assert [row["id"] for row in won] == [row["id"] for row in mine if row["status"] == 3] != []


async def test_brackets_may_be_encoded_or_not(call: Caller) -> None:
    for query in ("filter[code]=CHF", "filter%5Bcode%5D=CHF"):
        response, text = await call.send("GET", f"/api/v100/rest/spaces/de_Nordkai_AG/entities/Currencies?{query}")
        assert response.status == 200
        assert [row["code"] for row in json.loads(text)["data"]] == ["CHF"]


@pytest.mark.parametrize("position", ["none", "repeat", "comma", "brackets"])
async def test_several_values_in_one_filter(position: str) -> None:
    async with calling(multi_value=position) as call:
        one, two = [row["id"] for row in await call.rows("Accounts", first=2)]

        async def found(params: dict[str, Any], status: int = 200) -> list[str]:
            answer = await call("GET", "Accounts", status=status, **params)
            return [row["id"] for row in answer.get("data", ())]

        assert await found({"filter[id]": [one, two]}) == ([one, two] if position == "repeat" else [one])
        assert await found({"filter[id]": f"{one},{two}"}) == ([one, two] if position == "comma" else [])
        if position == "brackets":
            assert await found({"filter[id][]": [one, two]}) == [one, two]
        else:
            assert await found({"filter[id][]": [one, two]}, 400) == []


async def test_a_list_goes_on_after_a_row_that_is_gone(call: Caller) -> None:
    first = await call("GET", "Opportunities", first=3)
    rest = await call.rows("Opportunities", first=100, after=first["page_info"]["end_cursor"])
    await call("DELETE", f"Opportunities/{first['data'][-1]['id']}")

    assert await call.rows("Opportunities", first=100, after=first["page_info"]["end_cursor"]) == rest


async def test_changes_since_a_time_are_polled_by_modified(call: Caller) -> None:
    newest = (await call.rows("Opportunities", first=1, **{"order-by": "-modified"}))[0]
    changed = (await call.rows("Opportunities", first=1))[0]
    await call("PATCH", f"Opportunities/{changed['id']}", {"ranking": 2})

    since = {"filter[modified]": newest["modified"][:19], "filter-op[modified]": "gte", "order-by": "modified", "include-deleted": "true"}
    rows = await call.rows("Opportunities", **since)

    assert [row["id"] for row in rows] == [newest["id"], changed["id"]]


async def test_scale_gives_the_same_opportunities_every_time() -> None:
    async with calling(scale=120) as call, calling(scale=120) as again:
        rows = await walk(call, first=50, expand="primary_account,primary_contact,step.pipeline")
        same = await walk(again, first=50, expand="primary_account,primary_contact,step.pipeline")

    assert rows == same
    assert len(rows) == 120
    assert {row["status"] for row in rows} == {1, 2, 3}
    assert len({row["owner_id"] for row in rows}) >= 4
    assert len({row["step"]["pipeline"]["name"] for row in rows}) == 2
    assert all(row["primary_account"]["name"] and row["primary_contact"]["formatted_name"] for row in rows)
    assert any(len(row["contact_relations"]) == 2 for row in rows)


async def test_a_hundred_thousand_opportunities_are_paged() -> None:
    async with calling(scale=100_000) as call:
        page = await call("GET", "Opportunities", first=100, expand="owner,primary_account")
        last = await call("GET", "Opportunities", last=1)
        newest = await call("GET", "Opportunities", first=1, **{"order-by": "-modified"})

    assert (page["total"], len(page["data"])) == (100_000, 100)
    assert last["data"][0]["name"].endswith(" 100000")
    assert newest["data"][0]["modified"] >= page["data"][0]["modified"]
