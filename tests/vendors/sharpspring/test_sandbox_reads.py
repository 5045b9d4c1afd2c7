"""What the sandbox's reading methods take and answer. Source: Lead Gen & CRM Open API, schema articles and method articles."""

import html
from typing import Any

import pytest

from tests.vendors.sharpspring.sandbox_caller import calling, rows_of

OPPORTUNITY_KEYS = [
    "id",
    "ownerID",
    "dealStageID",
    "accountID",
    "campaignID",
    "opportunityName",
    "probability",
    "amount",
    "isClosed",
    "isWon",
    "isActive",
    "closeDate",
    "originatingLeadID",
    "primaryLeadID",
]
LIST_KEYS = {
    "getOpportunities": "opportunity",
    "getOpportunityLeads": "getWhereopportunityLeads",
    "getDealStages": "dealStage",
    "getUserProfiles": "userProfile",
    "getAccounts": "account",
    "getLeads": "lead",
    "getFields": "field",
    "getCampaigns": "campaign",
}
RANGE_KEYS = {
    "getOpportunitiesDateRange": "opportunity",
    "getOpportunityLeadsDateRange": "opportunityLead",
    "getDealStagesDateRange": "dealStage",
    "getAccountsDateRange": "account",
    "getLeadsDateRange": "lead",
}
ALWAYS = {"startDate": "2000-01-01 00:00:00", "endDate": "2030-01-01 00:00:00", "timestamp": "update"}

FJORD_ACCOUNT = "40112233401"
LENE = "88038560001"
TOVE = "312000001"


@pytest.mark.parametrize(("method", "key"), LIST_KEYS.items())
async def test_a_list_stands_under_the_key_seen_on_the_wire(method: str, key: str) -> None:
    async with calling() as caller:
        envelope = await caller.call(method, {"where": {}})

        assert envelope["result"].keys() == {key, "hasMore"}
        assert envelope["result"][key]


@pytest.mark.parametrize(("method", "key"), RANGE_KEYS.items())
async def test_a_range_stands_under_the_key_seen_on_the_wire(method: str, key: str) -> None:
    async with calling() as caller:
        envelope = await caller.call(method, ALWAYS)

        assert envelope["result"].keys() == {key}
        assert envelope["result"][key]


@pytest.mark.parametrize(
    ("method", "params", "key"),
    [
        ("getDealStages", {"where": {}}, "dealStages"),
        ("getAccounts", {"where": {}}, "accounts"),
        ("getOpportunityLeads", {"where": {}}, "opportunityLeads"),
        ("getOpportunityLeadsDateRange", ALWAYS, "opportunityLeads"),
    ],
)
async def test_the_documented_keys_are_plurals(method: str, params: dict[str, object], key: str) -> None:
    async with calling(result_keys="documented") as caller:
        envelope = await caller.call(method, params)

        assert key in envelope["result"]


async def test_an_opportunity_has_the_keys_of_its_schema_and_the_custom_ones() -> None:
    async with calling() as caller:
        custom = [
            row["systemName"] for row in await caller.rows("getFields", where={"isCustom": 1}) if row["relationship"] == "opportunity"
        ]

        row = await caller.one("getOpportunity", id=str((await caller.by_name("Deck lighting 2027"))["id"]))

        assert list(row) == [*OPPORTUNITY_KEYS, *custom]


async def test_scalars_arrive_as_texts() -> None:
    async with calling() as caller:
        stored = await caller.by_name("Deck lighting 2027")

        row = await caller.one("getOpportunity", id=stored["id"])

        assert (row["id"], row["ownerID"], row["probability"], row["amount"]) == (str(stored["id"]), "312000002", "60", "312500.5")
        assert (row["isClosed"], row["isWon"], row["isActive"], row["closeDate"]) == ("0", "0", "1", "2026-12-18 00:00:00")


async def test_scalars_may_arrive_as_numbers() -> None:
    async with calling(scalars="number") as caller:
        stored = await caller.by_name("Deck lighting 2027")

        row = await caller.one("getOpportunity", id=stored["id"])

        assert (row["id"], row["ownerID"], row["probability"], row["amount"]) == (stored["id"], 312000002, 60, 312500.5)


async def test_empty_integers_arrive_in_three_ways_and_empty_dates_in_two() -> None:
    async with calling(inactive_rows="listed") as caller:
        await caller.write(
            "createOpportunities", *({"ownerID": TOVE, "dealStageID": "70110011", "opportunityName": "x", "closeDate": "2027-01-01"},) * 3
        )

        rows = await caller.rows("getOpportunities", where={})

        assert {row["accountID"] for row in rows} >= {"", None, "0"}
        assert next(row for row in rows if row["opportunityName"] == "Enquiry from Harbour Days")["closeDate"] in ("", None)


@pytest.mark.parametrize(
    ("words", "spoken"),
    [("digits", ("0", "0", "1", "0")), ("numbers", (0, 0, 1, 0)), ("json", (False, False, True, False)), ("blank", ("", "", None, "0"))],
)
async def test_flags_are_spoken_in_four_ways(words: str, spoken: tuple[Any, ...]) -> None:
    async with calling(booleans=words) as caller:
        active = await caller.one("getOpportunity", id=(await caller.by_name("Deck lighting 2027"))["id"])
        hidden = await caller.one("getOpportunity", id=(await caller.by_name("Duplicate: Deck lighting 2027"))["id"])

        assert (active["isClosed"], active["isWon"], active["isActive"], hidden["isActive"]) == spoken


async def test_texts_typed_in_the_product_are_escaped_and_the_less_than_sign_twice() -> None:
    async with calling() as caller:
        names = {row["accountName"] for row in await caller.rows("getAccounts", where={})}
        titles = {row["opportunityName"] for row in await caller.rows("getOpportunities", where={})}

        assert {"Müller &amp; Söhne Werft", "O&#039;Hare &amp; Daughters Stevedoring", "Nordlys &quot;Polar&quot; Cruises AS"} <= names
        assert "Fender renewal, quays for boats &amp;lt;24 m" in titles
        assert {html.unescape(name).replace("&lt;", "<") for name in names} >= {"Alliance of Ports for Boats <24 m", "Müller & Söhne Werft"}


async def test_texts_written_by_the_api_and_custom_fields_are_not_escaped() -> None:
    async with calling() as caller:
        names = {row["accountName"] for row in await caller.rows("getAccounts", where={})}
        coating = await caller.one("getOpportunity", id=(await caller.by_name("Hull coating, ferry Aurora"))["id"])

        assert "Moss Jetty & Crane AS" in names
        assert coating["site_notes_66aa02117d90e"] == "Dry dock from 4 January.\nOld coating: epoxy & silicone."


async def test_nothing_may_be_escaped() -> None:
    async with calling(html_escape="off") as caller:
        names = {row["accountName"] for row in await caller.rows("getAccounts", where={})}

        assert "Alliance of Ports for Boats <24 m" in names


async def test_version_1_speaks_the_time_zone_of_the_company() -> None:
    async with calling() as caller:
        ids = {name: (await caller.by_name(name))["id"] for name in ("Winch spare parts 2027", "Ice lights for the pilot station")}

        async def close_dates(version: str) -> list[str]:
            envelopes = [await caller.call("getOpportunity", {"id": row_id}, version=version) for row_id in ids.values()]
            return [envelope["result"]["opportunity"][0]["closeDate"] for envelope in envelopes]

        assert await close_dates("v1.2/") == ["2026-12-14 14:30:00", "2026-09-11 12:15:00"]
        assert await close_dates("v1/") == ["2026-12-14 15:30:00", "2026-09-11 14:15:00"]


async def test_version_1_reads_ranges_in_the_time_zone_of_the_company() -> None:
    async with calling() as caller:
        lead = await caller.one("getLead", id=LENE)
        assert lead["updateTimestamp"] == "2026-11-12 09:20:44"
        local = {"startDate": "2026-11-12 10:20:44", "endDate": "2026-11-12 10:20:44", "timestamp": "update"}

        in_oslo = await caller.call("getLeadsDateRange", local, version="v1/")
        in_utc = await caller.call("getLeadsDateRange", local)

        assert [row["id"] for row in in_oslo["result"]["lead"]] == [LENE]
        assert in_utc["result"]["lead"] == []


async def test_the_close_date_may_be_a_bare_day() -> None:
    async with calling(close_date="day") as caller:
        row = await caller.one("getOpportunity", id=(await caller.by_name("Winch spare parts 2027"))["id"])

        assert row["closeDate"] == "2026-12-14"


async def test_timestamps_of_opportunities_are_not_shown_unless_switched_on() -> None:
    async with calling() as caller:
        assert all("updateTimestamp" not in row for row in await caller.rows("getOpportunities", where={}))
    async with calling(opportunity_timestamps="present") as caller:
        raw = await caller.raw()
        assert all(row["updateTimestamp"] == raw[row["id"]]["updateTimestamp"] for row in await caller.rows("getOpportunities", where={}))


async def test_deal_stages_may_name_a_pipeline() -> None:
    async with calling() as caller:
        assert all("pipelineID" not in row for row in await caller.rows("getDealStages", where={}))
    async with calling(pipeline_id="present") as caller:
        assert {row["pipelineID"] for row in await caller.rows("getDealStages", where={})} == {"5101", "5102"}


@pytest.mark.parametrize("method", LIST_KEYS)
async def test_where_is_mandatory(method: str) -> None:
    async with calling() as caller:
        assert await caller.code(method, {"limit": 5}) == 206
        assert await caller.code(method, {"where": None}) == 206


@pytest.mark.parametrize("empty", [{}, [], ""])
async def test_an_empty_where_has_three_forms(empty: object) -> None:
    async with calling() as caller:
        assert len(await caller.rows("getDealStages", where=empty)) == 8


@pytest.mark.parametrize(
    ("key", "value"),
    [("ownerID", TOVE), ("dealStageID", "70110014"), ("accountID", FJORD_ACCOUNT), ("campaignID", "21600031"), ("ownerID", int(TOVE))],
)
async def test_opportunities_are_filtered_by_one_key(key: str, value: str | int) -> None:
    async with calling() as caller:
        expected = {row_id for row_id, row in (await caller.raw()).items() if str(row[key]) == str(value) and row["isActive"]}

        rows = await caller.rows("getOpportunities", where={key: value})

        assert {row["id"] for row in rows} == expected
        assert expected


@pytest.mark.parametrize(
    ("method", "where"),
    [
        ("getOpportunities", {"ownerID": TOVE, "dealStageID": "70110014"}),
        ("getOpportunities", {"ownerId": TOVE}),
        ("getOpportunities", {"opportunityName": "Deck lighting 2027"}),
        ("getOpportunities", {"primaryLeadID": LENE}),
        ("getOpportunities", {"ownerID": "Tove"}),
        ("getOpportunities", "ownerID"),
        ("getOpportunityLeads", {"leadId": LENE}),
        ("getDealStages", {"dealStageName": "Qualified"}),
        ("getUserProfiles", {"id": TOVE}),
        ("getUserProfiles", {"isActive": "yes"}),
        ("getAccounts", {"accountName": "Fjord Shipping AS"}),
        ("getLeads", {"accountID": FJORD_ACCOUNT}),
        ("getLeads", {"emailAddress": 5}),
        ("getFields", {"relationship": "lead"}),
        ("getCampaigns", {"campaignName": "x"}),
    ],
)
async def test_other_keys_and_values_in_where_are_refused(method: str, where: object) -> None:
    async with calling() as caller:
        assert await caller.code(method, {"where": where}) == 205


@pytest.mark.parametrize(
    ("method", "where", "count"),
    [
        ("getOpportunityLeads", {"leadID": LENE}, 4),
        ("getUserProfiles", {"isActive": 1}, 4),
        ("getUserProfiles", {"isActive": "0"}, 1),
        ("getUserProfiles", {"emailAddress": "lars.holm@nordkai.example"}, 1),
        ("getAccounts", {"id": FJORD_ACCOUNT}, 1),
        ("getAccounts", {"ownerID": "312000004"}, 1),
        ("getLeads", {"emailAddress": "lene@fjordshipping.example"}, 1),
        ("getLeads", {"id": LENE}, 1),
        ("getFields", {"systemName": "project_code_66aa01f3c2b4d"}, 1),
        ("getFields", {"label": "Project code"}, 1),
        ("getFields", {"isCustom": "1"}, 13),
        ("getCampaigns", {"ownerID": TOVE}, 2),
        ("getDealStages", {"id": "70110013"}, 1),
    ],
)
async def test_the_documented_keys_of_where_filter(method: str, where: dict[str, object], count: int) -> None:
    async with calling() as caller:
        assert len(await caller.rows(method, where=where)) == count


async def test_standard_fields_are_described_beside_the_custom_ones() -> None:
    async with calling() as caller:
        rows = await caller.rows("getFields", where={"isCustom": 0})

        names = {row["systemName"] for row in rows if row["relationship"] == "opportunity"}
        assert names == set(OPPORTUNITY_KEYS)
        required = {row["systemName"] for row in rows if row["relationship"] == "opportunity" and row["isRequired"] == "1"}
        assert required == {"ownerID", "dealStageID", "opportunityName", "closeDate"}
        assert {row["relationship"] for row in rows} == {"lead", "opportunity", "account", "campaign"}


async def test_inactive_opportunities_are_hidden_but_readable_by_id() -> None:
    async with calling() as caller:
        hidden = {row_id for row_id, row in (await caller.raw()).items() if not row["isActive"]}

        listed = {row["id"] for row in await caller.rows("getOpportunities", where={})}
        in_range = {row["id"] for row in await caller.rows("getOpportunitiesDateRange", **ALWAYS)}
        by_where = {(await caller.one("getOpportunities", where={"id": row_id}))["id"] for row_id in hidden}
        by_id = {(await caller.one("getOpportunity", id=row_id))["id"] for row_id in hidden}

        assert len(hidden) == 3
        assert not hidden & (listed | in_range)
        assert by_where == by_id == hidden


async def test_inactive_opportunities_may_be_listed() -> None:
    async with calling(inactive_rows="listed") as caller:
        assert {row["id"] for row in await caller.rows("getOpportunities", where={})} == set(await caller.raw())


async def test_inactive_leads_are_hidden_but_readable_by_id() -> None:
    async with calling() as caller:
        listed = {row["id"] for row in await caller.rows("getLeads", where={})}
        former = await caller.one("getLeads", where={"id": "880385600109"})

        assert former["active"] == "0"
        assert former["id"] not in listed


@pytest.mark.parametrize(("order", "reverse"), [("ascending", False), ("descending", True)])
async def test_pages_hold_every_row_once_in_the_order_of_ids(order: str, reverse: bool) -> None:  # noqa: FBT001 a parameter of the test
    async with calling(row_order=order) as caller:
        ids: list[int] = []
        for offset in range(0, 80, 8):
            ids += [int(row["id"]) for row in await caller.rows("getOpportunities", where={}, limit=8, offset=offset)]

        assert ids == sorted((int(row_id) for row_id, row in (await caller.raw()).items() if row["isActive"]), reverse=reverse)


async def test_a_limit_over_500_is_silently_500_and_so_is_none() -> None:
    async with calling(scale=1_100) as caller:
        lengths = [len(await caller.rows("getOpportunities", where={}, **limit)) for limit in ({}, {"limit": 1_000}, {"limit": "500"})]

        assert lengths == [500, 500, 500]


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": "many"}, {"offset": -1}, {"limit": True}])
async def test_a_senseless_limit_or_offset_is_refused(params: dict[str, object]) -> None:
    async with calling() as caller:
        assert await caller.code("getOpportunities", {"where": {}, **params}) == 205


async def test_has_more_stands_inside_and_beside_the_result() -> None:
    async with calling() as caller:
        first = await caller.call("getOpportunities", {"where": {}, "limit": 30})
        last = await caller.call("getOpportunities", {"where": {}, "limit": 30, "offset": 30})

        assert [(page["hasMore"], page["result"]["hasMore"]) for page in (first, last)] == [(True, True), (False, False)]


async def test_has_more_may_be_absent() -> None:
    async with calling(has_more="off") as caller:
        envelope = await caller.call("getOpportunities", {"where": {}, "limit": 30})

        assert "hasMore" not in envelope
        assert envelope["result"].keys() == {"opportunity"}


@pytest.mark.parametrize(("limit", "breaks"), [(500, True), (201, True), (200, False), (None, True)])
async def test_large_pages_may_fail_with_a_text_that_is_no_json(limit: int | None, breaks: bool) -> None:  # noqa: FBT001 a parameter of the test
    async with calling(page_limit_500="fails", scale=600) as caller:
        params: dict[str, object] = {"where": {}} if limit is None else {"where": {}, "limit": limit}

        response, text = await caller.post({"method": "getOpportunities", "params": params, "id": "q1"})

        assert response.status == 200
        assert text.startswith("{") is not breaks


async def test_an_omitted_limit_works_while_the_page_is_small() -> None:
    async with calling(page_limit_500="fails") as caller:
        assert len(await caller.rows("getDealStages", where={})) == 8


@pytest.mark.parametrize(
    ("method", "where", "codes"),
    [
        ("getLeads", {"id": [LENE, "88038560004"]}, {"leads_only": None, "none": 210, "all": None}),
        (
            "getLeads",
            {"emailAddress": ["lene@fjordshipping.example", "nobody@fjordshipping.example"]},
            {"leads_only": None, "none": 210, "all": None},
        ),
        ("getOpportunityLeads", {"leadID": [LENE, "88038560004"]}, {"leads_only": 210, "none": 210, "all": None}),
        ("getOpportunities", {"ownerID": [TOVE, "312000002"]}, {"leads_only": 210, "none": 210, "all": None}),
        ("getAccounts", {"id": [FJORD_ACCOUNT, "1"]}, {"leads_only": 210, "none": 210, "all": None}),
    ],
)
@pytest.mark.parametrize("switch", ["leads_only", "none", "all"])
async def test_lists_in_where_are_accepted_where_the_switch_says(
    method: str, where: dict[str, object], codes: dict[str, int | None], switch: str
) -> None:
    async with calling(array_where=switch) as caller:
        envelope = await caller.call(method, {"where": where})

        assert (envelope["error"] and envelope["error"]["code"]) == codes[switch]
        if codes[switch] is None:
            assert rows_of(envelope)


async def test_scalar_members_are_ignored_beside_lists() -> None:
    async with calling() as caller:
        rows = await caller.rows("getLeads", where={"id": [LENE, "88038560004"], "emailAddress": "nobody@fjordshipping.example"})

        assert [row["id"] for row in rows] == [LENE, "88038560004"]


@pytest.mark.parametrize(("ids_per_call", "asked", "code"), [("500", 500, None), ("500", 501, 209), ("100", 100, None), ("100", 101, 222)])
async def test_one_call_takes_so_many_lead_ids(ids_per_call: str, asked: int, code: int | None) -> None:
    async with calling(lead_ids_per_call=ids_per_call) as caller:
        envelope = await caller.call("getLeads", {"where": {"id": [str(number) for number in range(1, asked + 1)]}})

        assert (envelope["error"] and envelope["error"]["code"]) == code


async def test_leads_can_be_read_with_chosen_fields() -> None:
    async with calling() as caller:
        listed = await caller.one("getLeads", where={"id": [LENE]}, fields=["id", "lastName"])
        ranged = await caller.rows("getLeadsDateRange", **ALWAYS, fields=["emailAddress"])

        assert listed == {"id": LENE, "lastName": "Sørensen"}
        assert all(row.keys() == {"emailAddress"} for row in ranged)
        assert await caller.code("getLeads", {"where": {}, "fields": ["lastname"]}) == 205
        assert await caller.code("getLeads", {"where": {}, "fields": []}) == 205


@pytest.mark.parametrize(
    ("method", "row_id"),
    [("getOpportunityLead", "39450200001"), ("getDealStage", "70110011"), ("getAccount", FJORD_ACCOUNT), ("getLead", LENE)],
)
async def test_one_record_comes_as_a_list_of_one(method: str, row_id: str) -> None:
    async with calling() as caller:
        row = await caller.one(method, id=row_id)

        assert row["id"] == row_id
        assert await caller.rows(method, id="1") == []
        assert await caller.code(method, {}) == 206
        assert await caller.code(method, {"id": [row_id]}) == 210


async def test_an_unknown_opportunity_is_an_empty_list_or_code_404() -> None:
    async with calling() as caller:
        assert await caller.rows("getOpportunity", id="1") == []
    async with calling(not_found="404") as caller:
        assert await caller.code("getOpportunity", {"id": "1"}) == 404
        assert await caller.rows("getOpportunities", where={"id": "1"}) == []


async def test_an_unknown_lead_may_be_a_row_of_defaults_without_id() -> None:
    nobody = {"leadStatus": "open", "newsletter_segment_67f3b2d910c4e": ""}
    async with calling(lead_without_id="on") as caller:
        assert await caller.rows("getLead", id="1") == [nobody]
        assert await caller.rows("getLeads", where={"id": "1"}) == [nobody]
        assert await caller.one("getLead", id=LENE) != nobody


async def test_a_range_holds_what_was_created_or_updated_between_its_ends() -> None:
    async with calling() as caller:
        raw = await caller.raw()
        window = {"startDate": "2026-11-01 00:00:00", "endDate": "2026-11-15 23:59:59"}

        for timestamp, column in (("create", "createTimestamp"), ("update", "updateTimestamp")):
            rows = await caller.rows("getOpportunitiesDateRange", **window, timestamp=timestamp)

            expected = {
                row_id for row_id, row in raw.items() if row["isActive"] and window["startDate"] <= row[column] <= window["endDate"]
            }
            assert {row["id"] for row in rows} == expected
            assert expected


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"timestamp": None}, 206),
        ({"startDate": None}, 206),
        ({"endDate": "2026-11-01"}, 205),
        ({"endDate": "2026-11-01T00:00:00Z"}, 205),
        ({"endDate": "2026-13-01 00:00:00"}, 205),
        ({"timestamp": "modified"}, 205),
        ({"where": {}}, 205),
    ],
)
async def test_a_malformed_range_is_refused(change: dict[str, object], code: int) -> None:
    async with calling() as caller:
        assert await caller.code("getOpportunitiesDateRange", {**ALWAYS, **change}) == code


@pytest.mark.parametrize(("switch", "lengths"), [("ignored", [500, 500]), ("works", [10, 700])])
async def test_a_range_of_opportunities_is_cut_at_500_rows(switch: str, lengths: list[int]) -> None:
    async with calling(range_paging=switch, scale=1_000) as caller:
        assert len(await caller.rows("getOpportunitiesDateRange", **ALWAYS)) == 500

        assert [len(await caller.rows("getOpportunitiesDateRange", **ALWAYS, limit=limit)) for limit in (10, 700)] == lengths


async def test_a_range_of_leads_pages() -> None:
    async with calling() as caller:
        everybody = await caller.rows("getLeadsDateRange", **ALWAYS)

        page = await caller.rows("getLeadsDateRange", **ALWAYS, limit=5, offset=3)

        assert page == everybody[3:8]
