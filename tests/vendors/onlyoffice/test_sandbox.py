"""The sandbox against the vendor's facts: logging in, envelopes, errors, the list. Sources: API pages and Community Server's source."""

import base64
import json
from typing import Any

import pytest

from tests.vendors.onlyoffice.portal import Open, Portal
from vendors.onlyoffice.sandbox.logins import ADMIN_USERNAME, APP_USERNAME, OUTSIDER_USERNAME, PASSWORD, SHORT_CALLS, SMS_USERNAME, USERNAME

FILTER = "crm/opportunity/filter.json"
LOST_USER = "4a515a15-d4d6-4b8e-828e-e0586f18f3a3"
NO_DATE = "0001-01-01T00:00:00.0000000Z"


def log_in(portal: Portal, user_name: str, password: str = PASSWORD, path: str = "authentication.json") -> Any:
    return portal.session.post(f"/api/2.0/{path}", json={"userName": user_name, "password": password})


# Logging in


async def test_logging_in_answers_201_with_a_token_and_its_end_in_portal_time(open_portal: Open) -> None:
    portal = await open_portal(user_name=None)

    async with log_in(portal, USERNAME) as reply:
        body = await reply.json()

    assert reply.status == 201
    assert {key: body[key] for key in ("count", "status", "statusCode")} == {"count": 1, "status": 0, "statusCode": 201}
    assert set(body["response"]) == {"token", "expires"}
    assert body["response"]["expires"].endswith("0+03:00")


@pytest.mark.parametrize(("user_name", "mark"), [(SMS_USERNAME, "sms"), (APP_USERNAME, "tfa")])
async def test_an_account_with_a_second_factor_gets_201_and_no_token(open_portal: Open, user_name: str, mark: str) -> None:
    portal = await open_portal(user_name=None)

    async with log_in(portal, user_name) as reply:
        body = await reply.json()

    assert (reply.status, body["response"]["token"], body["response"][mark]) == (201, None, True)


async def test_wrong_credentials_are_a_server_error_in_the_envelope(open_portal: Open) -> None:
    portal = await open_portal(user_name=None)

    async with log_in(portal, USERNAME, "wrong") as reply:
        body = await reply.json()

    assert (reply.status, reply.reason) == (500, "Server error")
    assert body["error"]["message"] == "User authentication failed"
    assert set(body) == {"status", "statusCode", "error"} and set(body["error"]) == {"message", "hresult", "data"}


async def test_guessing_is_stopped_for_a_minute_even_with_the_right_password(open_portal: Open) -> None:
    portal = await open_portal(user_name=None)
    moment = 1_000.0
    portal.store.clock = lambda: moment
    for _ in range(5):
        async with log_in(portal, USERNAME, "wrong"):
            pass

    async with log_in(portal, USERNAME) as refused:
        message = (await refused.json())["error"]["message"]
    moment += 61
    async with log_in(portal, USERNAME) as accepted:
        pass

    assert (refused.status, message, accepted.status) == (500, "Login Fail. Too many attempts", 201)


@pytest.mark.parametrize("header", [None, "nonsense", "Bearer nonsense", "Basic bm90OnJlYWw="])
async def test_no_or_bad_credentials_are_401_in_plain_text(portal: Portal, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}

    async with portal.session.get("/api/2.0/" + FILTER, headers=headers) as reply:
        text = await reply.text()

    assert (reply.status, text, reply.content_type) == (401, "Unauthorized", "text/html")
    assert ("WWW-Authenticate" in reply.headers) is (header is not None)


@pytest.mark.parametrize(
    ("style", "accepted"),
    [("all", {"raw", "bearer", "basic", "cookie"}), ("raw", {"raw"}), ("bearer", {"bearer"})],
)
async def test_auth_style_says_which_forms_are_accepted(open_portal: Open, style: str, accepted: set[str]) -> None:
    portal = await open_portal(auth_style=style)
    token = portal.headers["Authorization"]
    basic = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    forms = {
        "raw": {"Authorization": token},
        "bearer": {"Authorization": f"Bearer {token}"},
        "basic": {"Authorization": f"Basic {basic}"},
        "cookie": {"Cookie": f'asc_auth_key="{token}"'},
    }

    good: set[str] = set()
    for name, headers in forms.items():
        async with portal.session.get("/api/2.0/people/@self", headers=headers) as reply:
            good |= {name} if reply.status == 200 else set[str]()

    assert good == accepted


async def test_a_short_token_ends_after_its_calls_and_a_new_one_works(open_portal: Open) -> None:
    portal = await open_portal(token_lifetime="short")
    for _ in range(SHORT_CALLS):
        await portal.get("people/@self")

    async with portal.session.get("/api/2.0/people/@self", headers=portal.headers) as reply:
        pass
    await portal.log_in()

    assert reply.status == 401
    assert (await portal.get("people/@self"))["userName"] == "integration"


async def test_a_long_token_ends_with_time(portal: Portal) -> None:
    later = portal.store.clock() + 8 * 86_400
    portal.store.clock = lambda: later

    async with portal.session.get("/api/2.0/people/@self", headers=portal.headers) as reply:
        assert reply.status == 401


async def test_a_user_without_the_crm_module_is_denied_there_only(open_portal: Open) -> None:
    portal = await open_portal(user_name=OUTSIDER_USERNAME)

    body = await portal.call("GET", FILTER, status=403)

    assert body["error"]["message"] == "Access Denied"
    assert (await portal.get("people/@self"))["userName"] == "marta.liepa"


# Envelope and errors


async def test_slashes_are_escaped_and_the_media_type_names_utf_8(portal: Portal) -> None:
    async with portal.session.get("/api/2.0/crm/opportunity/stage/8", headers=portal.headers) as reply:
        text = await reply.text()

    assert "Closure\\/Transaction" in text
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"


async def test_an_empty_list_drops_count_and_keeps_a_total_of_zero(portal: Portal) -> None:
    body = await portal.call("GET", FILTER, params={"filterValue": "zeppelin"})

    assert body == {"total": 0, "status": 0, "statusCode": 200, "response": []}


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "crm/opportunity/0", 400, "Value does not fall within the expected range."),
        ("GET", "crm/opportunity/99999", 404, "Not found"),
        ("GET", "crm/opportunity/130", 404, "Not found"),
        ("GET", "crm/opportunity/99999999999", 400, "Value was either too large or too small for an Int32."),
        ("GET", "crm/contact/26", 404, "Not found"),
        ("GET", "crm/opportunity/stage/77", 404, "Not found"),
        ("GET", "people/nobody", 404, "User not found"),
        ("DELETE", "crm/opportunity/130", 403, "Access Denied"),
        ("DELETE", "crm/opportunity/stage/1", 403, "Access Denied"),
        ("PATCH", "crm/opportunity/101", 404, "Method not found"),
        ("GET", "crm/opportunity/filter?responsibleid=ivo", 400, "Guid should contain 32 digits"),
        ("GET", "crm/opportunity/filter?opportunityStagesid=x", 400, "not a valid value for Int32"),
        ("GET", "crm/opportunity/filter?stageType=Half", 400, "enumeration"),
        ("GET", "crm/opportunity/filter?contactAlsoIsParticipant=maybe", 400, "Boolean"),
        ("GET", "crm/settings/currency/convert?amount=1&fromcurrency=EUR&tocurrency=XXX", 400, "expected range"),
    ],
)
async def test_refusals_have_the_envelope_status_and_reason(portal: Portal, method: str, path: str, status: int, message: str) -> None:
    reasons = {400: "Invalid arguments", 403: "Access denied", 404: "The record could not be found"}

    async with portal.session.request(method, f"/api/2.0/{path}", headers=portal.headers) as reply:
        body = await reply.json()

    assert (reply.status, reply.reason) == (status, reasons[status])
    assert (body["status"], body["statusCode"]) == (1, status) and "response" not in body
    assert message in body["error"]["message"]


@pytest.mark.parametrize("path", ["/api/2.0/crm/deals", "/api/2.0/crm/opportunity/abc", "/api/3.0/crm/opportunity/1", "/"])
async def test_a_path_without_a_route_is_a_page_of_the_web_server(portal: Portal, path: str) -> None:
    async with portal.session.get(path, headers=portal.headers) as reply:
        assert (reply.status, reply.content_type) == (404, "text/html")


async def test_malformed_json_is_a_bad_request(portal: Portal) -> None:
    headers = {"Content-Type": "application/json"}
    portal.headers |= headers

    body = await portal.call("POST", "crm/opportunity", status=400, data="{")

    assert body["error"]["message"].startswith("Unable to deserialize json")


# The list


async def test_defaults_are_left_out_and_the_rest_is_there(portal: Portal) -> None:
    free = next(row for row in await portal.get(FILTER) if row["id"] == 136)

    always = {
        "createBy",
        "created",
        "members",
        "title",
        "responsible",
        "actualCloseDate",
        "expectedCloseDate",
        "isPrivate",
        "canEdit",
        "id",
    }
    assert set(free) == always | {"stage", "customFields"}
    assert (free["actualCloseDate"], free["expectedCloseDate"], free["members"], free["customFields"]) == (NO_DATE, NO_DATE, [], [])


async def test_sent_defaults_are_zeros_and_nulls(open_portal: Open) -> None:
    portal = await open_portal(defaults="sent")

    body = await portal.call("GET", FILTER, params={"sortBy": "id", "startIndex": 0})
    free = next(row for row in body["response"] if row["id"] == 136)

    assert body["startIndex"] == 0
    names = ("bidType", "bidValue", "perPeriodValue", "successProbability", "contact", "description", "bidCurrency", "accessList")
    assert [free[name] for name in names] == [0, 0, 0, 0, None, None, None, None]
    assert free["stage"]["sortOrder"] == 0


async def test_pascal_names_are_those_of_the_api_pages(open_portal: Open) -> None:
    portal = await open_portal(names="pascal")

    body = await portal.call("GET", "crm/opportunity/104")
    deal = body["response"]

    assert {"ID", "BidType", "BidValue", "PerPeriodValue", "Responsible", "BidCurrency", "CustomFields"} <= set(deal)
    assert {"Id", "DisplayName"} <= set(deal["Responsible"]) and {"ID", "IsCompany"} <= set(deal["Contact"])


@pytest.mark.parametrize(("position", "expected"), [("off_by_one", 7), ("right", 6), ("absent", None)])
async def test_next_index_appears_only_while_there_is_more(open_portal: Open, position: str, expected: int | None) -> None:
    portal = await open_portal(next_index=position)

    middle = await portal.call("GET", FILTER, params={"sortBy": "id", "startIndex": 2, "count": 4})
    end = await portal.call("GET", FILTER, params={"sortBy": "id", "startIndex": 50, "count": 4})

    assert (middle["count"], middle["startIndex"], middle.get("nextIndex")) == (4, 2, expected)
    assert end["count"] == 3 and "nextIndex" not in end


async def test_paging_by_id_gives_every_visible_opportunity_once(portal: Portal) -> None:
    ids: list[int] = []
    while True:
        rows = await portal.get(FILTER, sortBy="id", count=7, startIndex=len(ids))
        ids += [row["id"] for row in rows]
        if len(rows) < 7:
            break

    assert ids == sorted(deal_id for deal_id in portal.store.deals if deal_id != 130)


async def test_a_page_never_holds_more_than_a_thousand(open_portal: Open) -> None:
    portal = await open_portal(scale=1_200)

    capped = await portal.call("GET", FILTER, params={"count": 5_000})
    default = await portal.call("GET", FILTER)

    assert (capped["count"], capped["total"], default["count"]) == (1_000, 1_200, 1_000)


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({"responsibleid": "7ad20b61-c3f4-4598-8e17-5f09d6b3c8a2"}, {133, 166}),
        ({"OPPORTUNITYSTAGESID": 11}, {122, 145, 148}),
        ({"stageType": 1, "filterValue": "lighting"}, {142}),
        ({"stageType": "ClosedAndLost", "tags[]": "lighting"}, {163}),
        ({"tags": "crane"}, {101, 144}),
        ({"contactid": 16}, {105, 135}),
        ({"contactid": 16, "contactAlsoIsParticipant": "true"}, {105, 107, 121, 135, 150}),
        ({"filterValue": "lighting deck, Inc"}, {102, 112, 142, 163}),
        ({"fromDate": "2026-11-01", "toDate": "2026-11-15"}, {121, 150, 122, 127}),
        ({"fromDate": "2026-11-01", "stageType": 1, "tags": "software"}, {146}),
    ],
)
async def test_filters_select(portal: Portal, params: dict[str, Any], ids: set[int]) -> None:
    assert {row["id"] for row in await portal.get(FILTER, **params)} == ids


async def test_a_contact_that_takes_part_in_anything_is_not_looked_for_among_primary_contacts(portal: Portal) -> None:
    portal.store.deals[105].members = []
    primary = {row["id"] for row in await portal.get(FILTER, contactid=16)}
    taking_part = {row["id"] for row in await portal.get(FILTER, contactid=16, contactAlsoIsParticipant="true")}
    for deal in portal.store.deals.values():
        deal.members = []
    portal.store.move(101, 8)
    nowhere = {row["id"] for row in await portal.get(FILTER, contactid=16, contactAlsoIsParticipant="true")}

    assert primary == {105, 135} and nowhere == {105, 135}
    assert taking_part == {107, 121, 135, 150}


async def test_the_close_date_of_a_record_whose_stage_is_gone_is_the_actual_one(portal: Portal) -> None:
    wide = {"fromDate": "0002-01-01", "toDate": "9999-12-31"}

    dated = {row["id"]: row for row in await portal.get(FILTER, **wide)}

    assert 135 not in dated and 101 in dated
    assert next(row for row in await portal.get(FILTER) if row["id"] == 135)["expectedCloseDate"] != NO_DATE


async def test_sorting_knows_its_words_and_only_descending_turns_it_round(portal: Portal) -> None:
    values = [row.get("bidValue", 0) for row in await portal.get(FILTER, sortBy="BidValue", sortOrder="descending")]
    ids = [row["id"] for row in await portal.get(FILTER, sortBy="id", sortOrder="desc")]
    titles = [row["title"].casefold() for row in await portal.get(FILTER, sortBy="title")]
    owners = [row["responsible"]["displayName"] for row in await portal.get(FILTER, sortBy="responsible.displayName")]

    assert values == sorted(values, reverse=True)
    assert ids == sorted(ids)
    assert titles == sorted(titles)
    assert owners == sorted(owners)


async def test_the_default_order_is_by_stage(portal: Portal) -> None:
    order = {row["id"]: index for index, row in enumerate(await portal.get("crm/opportunity/stage"))}
    rows = [row for row in await portal.get(FILTER) if "stage" in row and row["stage"]["id"] > 4]

    positions = [order[row["stage"]["id"]] for row in rows]
    assert positions == sorted(positions)


async def test_fields_keep_top_level_keys_without_case(open_portal: Open) -> None:
    top = await open_portal()
    deep = await open_portal(fields="every_level")

    assert await top.get("crm/opportunity/105", fields="ID,TITLE") == {"title": "Berth planning software", "id": 105}
    assert (await top.get("crm/opportunity/105", fields="id,stage"))["stage"]["stageType"] == 0
    assert await deep.get("crm/opportunity/105", fields="id,stage") == {"stage": {"id": 4}, "id": 105}


async def test_updated_since_is_a_filter_on_the_creation_within_the_page(portal: Portal) -> None:
    body = await portal.call("GET", FILTER, params={"sortBy": "id", "count": 30, "updatedSince": "2026-11-01"})

    assert [row["id"] for row in body["response"]] == [120, 125]
    assert (body["count"], body["total"]) == (2, 53)


@pytest.mark.parametrize(("position", "first", "second"), [("stale", 2, 2), ("fresh", 2, 1), ("absent", None, None)])
async def test_a_total_can_be_old_after_a_move(open_portal: Open, position: str, first: int | None, second: int | None) -> None:
    portal = await open_portal(total=position)
    params = {"tags": "crane", "stageType": 1, "count": 1}
    await portal.call("PUT", "crm/opportunity/101/stage/8", json={"stageid": 8})

    before = await portal.call("GET", FILTER, params=params)
    await portal.call("PUT", "crm/opportunity/101/stage/7", json={"stageid": 7})
    after = await portal.call("GET", FILTER, params=params)

    assert (before.get("total"), after.get("total")) == (first, second)


async def test_an_old_total_is_forgotten_after_thirty_seconds_and_after_a_delete(portal: Portal) -> None:
    moment = portal.store.clock()
    portal.store.clock = lambda: moment
    params = {"stageType": 2, "count": 1}
    before = (await portal.call("GET", FILTER, params=params))["total"]

    await portal.call("PUT", "crm/opportunity/161/stage/4", json={"stageid": 4})
    moment += 31
    after_time = (await portal.call("GET", FILTER, params=params))["total"]
    await portal.call("DELETE", "crm/opportunity/162")
    after_delete = (await portal.call("GET", FILTER, params=params))["total"]

    assert [before - after_time, before - after_delete] == [1, 2]


@pytest.mark.parametrize(
    ("offset", "created", "expected"),
    [
        ("+03:00", "2026-08-03T11:20:41.0000000+03:00", "2026-12-04T00:00:00.0000000+03:00"),
        ("+00:00", "2026-08-03T08:20:41.0000000Z", "2026-12-04T00:00:00.0000000Z"),
        ("-05:00", "2026-08-03T03:20:41.0000000-05:00", "2026-12-04T00:00:00.0000000-05:00"),
    ],
)
async def test_dates_are_in_portal_time(open_portal: Open, offset: str, created: str, expected: str) -> None:
    portal = await open_portal(portal_offset=offset)

    deal = await portal.get("crm/opportunity/106.json")

    assert (deal["created"], deal["expectedCloseDate"]) == (created, expected)


# Visibility, and list against single read


async def test_a_private_opportunity_shows_its_access_list_but_not_hidden_contacts(portal: Portal) -> None:
    listed = next(row for row in await portal.get(FILTER) if row["id"] == 129)

    assert listed["isPrivate"] is True and len(listed["accessList"]) == 3
    assert "contact" not in listed and [member["id"] for member in listed["members"]] == [12]


async def test_an_administrator_sees_everything(open_portal: Open) -> None:
    portal = await open_portal(user_name=ADMIN_USERNAME)

    deal = await portal.get("crm/opportunity/130")

    assert deal["contact"]["displayName"] == "Project Albatross Holding" and deal["contact"]["isPrivate"] is True


async def test_a_single_read_adds_the_access_list_and_the_headings(portal: Portal) -> None:
    listed = next(row for row in await portal.get(FILTER) if row["id"] == 101)
    single = await portal.get("crm/opportunity/101")

    assert "accessList" not in listed and single["accessList"] == []
    added = [field for field in single["customFields"] if field not in listed["customFields"]]
    assert [(field["fieldType"], field["entityId"], field["fieldValue"], field["label"]) for field in added] == [
        (4, 0, None, "Logistics & docking")
    ]


@pytest.mark.parametrize(("position", "status"), [("not_found", 404), ("shown", 200)])
async def test_a_record_whose_stage_is_gone_is_listed_without_it(open_portal: Open, position: str, status: int) -> None:
    portal = await open_portal(single_missing_stage=position)

    listed = next(row for row in await portal.get(FILTER) if row["id"] == 135)
    single = await portal.call("GET", "crm/opportunity/135", status=status)

    assert "stage" not in listed and "stage" not in single.get("response", {})


async def test_a_deleted_owner_is_the_stand_in_and_a_name_is_html_encoded(portal: Portal) -> None:
    owners = {row["id"]: row["responsible"] for row in await portal.get(FILTER)}

    assert (owners[132]["id"], owners[132]["displayName"]) == (LOST_USER, "Profile has been removed")
    assert owners[102]["displayName"] == "Ivo Brandt" and owners[104]["displayName"] == "Anna O&#39;Neil"
    assert owners[133]["displayName"] == "Andris Ozols"


async def test_by_contact_by_prefix_and_tags(portal: Portal) -> None:
    assert {row["id"] for row in await portal.get("crm/opportunity/bycontact/12")} >= {102, 108, 142, 165}
    assert [row["id"] for row in await portal.get("crm/opportunity/byprefix", prefix="winch service")] == [104, 141]
    assert [row["id"] for row in await portal.get("crm/opportunity/byprefix", prefix="Winch", contactID=44)] == [104, 141]
    assert await portal.get("crm/opportunity/tag/101") == ["crane", "tender"]


# Beside opportunities


async def test_stages_come_in_their_order_with_counts_and_without_sort_order(portal: Portal) -> None:
    stages = await portal.get("crm/opportunity/stage")

    assert [stage["id"] for stage in stages] == [1, 3, 2, 4, 5, 6, 7, 8, 9, 11]
    assert all("sortOrder" not in stage and isinstance(stage["stageType"], int) for stage in stages)
    assert next(stage for stage in stages if stage["id"] == 11)["relativeItemsCount"] == 3


async def test_a_person_has_a_company_and_a_company_has_a_count_of_people(portal: Portal) -> None:
    person, company, lone = await portal.get("crm/contact/44"), await portal.get("crm/contact/14"), await portal.get("crm/contact/58")

    assert (person["company"]["displayName"], person["isCompany"], person["title"]) == ("Harbour Lines", False, "Fleet superintendent")
    assert (company["companyName"], company["personsCount"], company["isCompany"]) == ("Harbour Lines", 1, True)
    assert "company" not in lone and lone["currency"] is None
    assert [(row["infoType"], row["category"], row["isPrimary"]) for row in person["commonData"]] == [(1, 1, True), (0, 2, False)]
    assert company["addresses"][0]["city"] == "Southampton" and "category" in company["addresses"][0]


async def test_contacts_can_be_filtered_and_paged(portal: Portal) -> None:
    companies = await portal.call("GET", "crm/contact/filter", params={"contactListView": "Company", "count": 5, "sortBy": "id"})
    everybody = await portal.get("crm/contact/filter")
    found = await portal.get("crm/contact/filter", filterValue="ole@harbourlines.example")

    assert (companies["count"], companies["total"], companies["nextIndex"]) == (5, 15, 6)
    assert [row["created"] for row in everybody] == sorted((row["created"] for row in everybody), reverse=True)
    assert [row["id"] for row in found] == [44]


async def test_contacts_by_ids_leave_out_the_unknown_and_the_hidden(portal: Portal) -> None:
    rows = await portal.get("crm/contact/mail?contactids=44&contactids=60&contactids=9999&contactids=24&contactids=21")

    assert {row["id"]: row.get("email", {}).get("data") for row in rows} == {
        44: "ole@harbourlines.example",
        24: "ops@kurzemetowage.example",
        21: None,
    }


async def test_staff_and_data_of_a_contact(portal: Portal) -> None:
    assert [row["id"] for row in await portal.get("crm/contact/company/12/person")] == [41, 42]
    assert await portal.get("crm/contact/company/41/person") == []
    await portal.call("GET", "crm/contact/company/26/person", status=404)
    await portal.call("GET", "crm/contact/company/999/person", status=404)
    await portal.call("GET", "crm/contact/company/0/person", status=400)
    assert [row["data"] for row in await portal.get("crm/contact/44/data")] == ["ole@harbourlines.example", "+45 20 55 54 40"]


async def test_full_contacts_of_an_opportunity_mark_the_primary_as_not_editable(portal: Portal) -> None:
    rows = await portal.get("crm/opportunity/106/contact")

    assert [(row["id"], row["isCompany"], row["canEdit"]) for row in rows] == [(58, False, False), (22, True, True), (13, True, True)]


@pytest.mark.parametrize(("position", "email"), [("visible", "anna.oneil@nordkai.example"), ("hidden", None)])
async def test_people_have_a_long_form_whose_email_may_be_hidden(open_portal: Open, position: str, email: str | None) -> None:
    portal = await open_portal(people_email=position)

    anna, own = await portal.get("people/anna.oneil.json"), await portal.get("people/@self")

    assert (anna["email"], anna["displayName"], anna["status"]) == (email, "Anna O&#39;Neil", 1)
    assert anna["department"] == "F&#246;rs&#228;ljning &amp; service"
    assert own["email"] == USERNAME
    assert await portal.get(f"people/{anna['id']}") == anna


async def test_those_who_left_are_not_listed_but_can_be_read(portal: Portal) -> None:
    names = {row["userName"] for row in await portal.get("people")}
    listed = await portal.call("GET", "people/filter", params={"count": 3})
    left = await portal.get("people/andris.ozols")

    assert "andris.ozols" not in names and len(names) == 7
    assert (listed["total"], listed["nextIndex"]) == (7, 4)
    assert (left["status"], left["terminated"]) == (2, "2026-05-29T17:00:00.0000000+03:00")
    assert set((await portal.get("people/simple/filter"))[0]) <= {"id", "displayName", "title", "avatarSmall", "profileUrl"}


@pytest.mark.parametrize(("position", "count"), [("on", 2), ("off", 7)])
async def test_people_by_ids_is_a_list_filter_that_may_be_passed_over(open_portal: Open, position: str, count: int) -> None:
    portal = await open_portal(people_list_filter=position)
    ids = "9924256a-739c-462b-af15-e652a3b1b6eb,5c3f0e82-1b7d-49d4-a0c9-6e4f8b2a7d31"

    assert len(await portal.get("people", filterBy="id", filterOp="equals", filterValue=ids)) == count


async def test_currencies_are_listed_and_converted(portal: Portal) -> None:
    currencies = await portal.get("crm/settings/currency")

    assert set(currencies[0]) == {"title", "symbol", "abbreviation", "cultureName", "isConvertable", "isBasic"}
    assert await portal.get("crm/settings/currency/convert", amount=100, fromcurrency="EUR", tocurrency="sek") == 1112
    assert {row["toCurrency"] for row in await portal.get("crm/currency/rates")} == {row["abbreviation"] for row in currencies} - {"EUR"}


async def test_custom_field_definitions_have_every_kind(portal: Portal) -> None:
    definitions = await portal.get("crm/opportunity/customfield/definitions")

    assert {row["fieldType"] for row in definitions} == {0, 1, 2, 3, 4, 5}
    assert json.loads(next(row["mask"] for row in definitions if row["fieldType"] == 2))[0] == "Dry dock"
    assert next(row for row in definitions if row["id"] == 24)["relativeItemsCount"] == 3


@pytest.mark.parametrize(("position", "text"), [("iso", "2026-12-01"), ("portal", "12/1/2026")])
async def test_values_of_custom_fields_are_text(open_portal: Open, position: str, text: str) -> None:
    portal = await open_portal(date_field_text=position)

    values = {row["id"]: row["fieldValue"] for row in await portal.get("crm/opportunity/103/customfield")}

    assert values == {24: "Dry dock", 25: "true", 26: text, 23: None}


# Several calls in one


async def test_a_batch_answers_each_entry_as_text_and_null_for_what_has_no_route(portal: Portal) -> None:
    entries = [
        {"relativeUrl": "/api/2.0/crm/contact/44.json", "name": "44"},
        {"relativeUrl": "/api/2.0/crm/contact/99999.json", "name": "99999", "method": "GET"},
        {"relativeUrl": "/api/2.0/nothing/here", "name": "none"},
        {
            "relativeUrl": "/api/2.0/crm/opportunity/105/stage/5",
            "method": "PUT",
            "body": '{"stageid":5}',
            "bodyContentType": "application/json",
        },
    ]

    body = await portal.call("POST", "batch", status=201, data={"batch": json.dumps(entries)})

    contact, unknown, none, moved = body["response"]
    assert (contact["name"], contact["status"], json.loads(contact["data"])["response"]["id"]) == ("44", 200, 44)
    assert (unknown["status"], json.loads(unknown["data"])["error"]["message"]) == (404, "Not found")
    assert none is None
    assert json.loads(moved["data"])["response"]["stage"]["id"] == 5 and portal.store.deals[105].stage_id == 5
    assert portal.running.control.operations()[-1] == "batch"


async def test_a_batch_that_is_no_list_is_refused_and_without_the_module_there_is_no_route(open_portal: Open) -> None:
    portal, without = await open_portal(), await open_portal(batch="off")

    await portal.call("POST", "batch", status=400, data={"batch": "{}"})
    await portal.call("POST", "batch", status=400, data={})
    async with without.session.post("/api/2.0/batch", headers=without.headers, data={"batch": "[]"}) as reply:
        assert (reply.status, reply.content_type) == (404, "text/html")


# Names in the log


async def test_calls_are_logged_under_the_names_of_the_api(portal: Portal) -> None:
    for path in ("crm/opportunity/filter.json?count=1", "crm/opportunity/101", "crm/Contact/44.json", "people/ivo.brandt"):
        await portal.get(path)

    assert portal.running.control.operations() == [
        "authentication",
        "GET crm/opportunity/filter",
        "GET crm/opportunity/{id}",
        "GET crm/contact/{id}",
        "GET people/{user}",
    ]
