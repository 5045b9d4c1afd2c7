"""Writes against the sandbox: what is kept, what is refused, what changes by itself. And the seed, and the generated opportunities."""

import json
from typing import Any

import pytest

from tests.vendors.onlyoffice.portal import Open, Portal
from vendors.onlyoffice.sandbox import SANDBOX
from vendors.onlyoffice.sandbox.logins import ADMIN_USERNAME, PASSWORD, USERNAME

IVO = "9924256a-739c-462b-af15-e652a3b1b6eb"
ANNA = "5c3f0e82-1b7d-49d4-a0c9-6e4f8b2a7d31"
NO_DATE = "0001-01-01T00:00:00.0000000Z"


def a_deal(**changes: Any) -> dict[str, Any]:
    """The least that a create needs, with changes; None takes a member away."""
    body = {"title": "Dock upgrade", "responsibleid": IVO, "stageid": 4, "bidCurrencyAbbr": "eur", **changes}
    return {name: value for name, value in body.items() if value is not None}


async def created(portal: Portal, **changes: Any) -> Any:
    return (await portal.call("POST", "crm/opportunity", status=201, json=a_deal(**changes)))["response"]


# Creating


async def test_a_create_answers_201_with_the_whole_record(portal: Portal) -> None:
    deal = await created(
        portal,
        bidType="PerMonth",
        bidValue=1200,
        perPeriodValue=12,
        contactid=44,
        members=[14],
        expectedCloseDate="2027-01-31",
        successProbability=150,
    )

    assert (deal["bidType"], deal["bidValue"], deal["perPeriodValue"], deal["bidCurrency"]["abbreviation"]) == (4, 1200, 12, "EUR")
    assert [member["id"] for member in deal["members"]] == [14, 44]
    assert (deal["expectedCloseDate"], deal["actualCloseDate"]) == ("2027-01-31T00:00:00.0000000+03:00", NO_DATE)
    assert (deal["successProbability"], deal["accessList"], deal["createBy"]["displayName"]) == (100, [], "Nordkai Integration")
    assert await portal.get(f"crm/opportunity/{deal['id']}") == deal


async def test_a_create_by_form_and_query_is_the_same(portal: Portal) -> None:
    form = {"TITLE": "By form", "customFieldList[0][Key]": "21", "customFieldList[0][Value]": "Berth 9", "members[]": "14"}

    body = await portal.call("POST", f"crm/opportunity?responsibleid={IVO}&stageid=4&bidCurrencyAbbr=EUR", status=201, data=form)

    deal = body["response"]
    assert (deal["title"], deal["members"][0]["id"]) == ("By form", 14)
    assert [field["fieldValue"] for field in deal["customFields"]] == ["Berth 9", None]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"title": None}, 400),
        ({"title": ""}, 400),
        ({"title": "x" * 256}, 500),
        ({"responsibleid": None}, 400),
        ({"responsibleid": "00000000-0000-0000-0000-000000000000"}, 400),
        ({"responsibleid": "ivo"}, 400),
        ({"stageid": None}, 400),
        ({"stageid": 77}, 400),
        ({"bidCurrencyAbbr": None}, 400),
        ({"bidCurrencyAbbr": "XXX"}, 400),
        ({"contactid": 99999}, 400),
        ({"contactid": 26}, 403),
        ({"bidType": "PerDecade"}, 400),
        ({"bidValue": "much"}, 400),
        ({"perPeriodValue": 2**31}, 400),
        ({"successProbability": 12.5}, 400),
        ({"isPrivate": "perhaps"}, 400),
        ({"members": ["x"]}, 400),
    ],
)
async def test_a_create_that_breaks_a_rule_is_refused_and_keeps_nothing(portal: Portal, changes: dict[str, Any], status: int) -> None:
    before = len(portal.store.deals)

    await portal.call("POST", "crm/opportunity", status=status, json=a_deal(**changes))

    assert len(portal.store.deals) == before


async def test_an_unknown_owner_is_accepted_and_shown_as_removed(portal: Portal) -> None:
    deal = await created(portal, responsibleid="11111111-2222-3333-4444-555555555555")

    assert deal["responsible"]["displayName"] == "Profile has been removed"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-31", "2027-01-31T00:00:00.0000000+03:00"),
        ("2027-01-31T10:20:30", "2027-01-31T10:20:30.0000000+03:00"),
        ("2027-01-31T10:20:30Z", "2027-01-31T13:20:30.0000000+03:00"),
        ("2027-01-31T10:20:30.125+01:00", "2027-01-31T12:20:30.1250000+03:00"),
        ("2027-01-31T10:20:30.1234560Z", "2027-01-31T13:20:30.1234560+03:00"),
        ("2027-01-31T10-20-30.000Z", "2027-01-31T13:20:30.0000000+03:00"),
        ("0001-01-01T00:00:00.0000000Z", NO_DATE),
        ("", NO_DATE),
    ],
)
async def test_accepted_date_formats(portal: Portal, text: str, expected: str) -> None:
    assert (await created(portal, expectedCloseDate=text))["expectedCloseDate"] == expected


@pytest.mark.parametrize("text", ["2027-01-31T10:20:30.123456", "31.01.2027", "2027-02-30", "2027-01-31 10:20:30", "tomorrow"])
async def test_refused_date_formats(portal: Portal, text: str) -> None:
    await portal.call("POST", "crm/opportunity", status=400, json=a_deal(expectedCloseDate=text))


@pytest.mark.parametrize(("position", "kept"), [("dropped", []), ("bound", ["Berth 9"])])
async def test_a_json_array_of_one_object_may_be_lost(open_portal: Open, position: str, kept: list[str]) -> None:
    portal = await open_portal(single_object_array=position)

    one = await created(portal, customFieldList=[{"Key": 21, "Value": "Berth 9"}])
    two = await created(portal, customFieldList=[{"Key": 21, "Value": "Berth 9"}, {"Key": 25, "Value": "true"}, {"Key": 999, "Value": "?"}])

    def filled(deal: Any) -> list[str]:
        return [field["fieldValue"] for field in deal["customFields"] if field["fieldValue"]]

    assert filled(one) == kept and filled(two) == ["Berth 9", "true"]


async def test_the_title_is_trimmed_and_the_answer_does_not_show_it(portal: Portal) -> None:
    deal = await created(portal, title=" Dock  upgrade ")
    answer = await portal.call("PUT", f"crm/opportunity/{deal['id']}", json=a_deal(title="Renamed "))

    assert (deal["title"], answer["response"]["title"]) == (" Dock  upgrade ", "Renamed ")
    assert (await portal.get(f"crm/opportunity/{deal['id']}"))["title"] == "Renamed"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("1234567890123456789.123456789", "1234567890123456789.123456789"),
        ("0.1234567895", "0.12345679"),
        ("1E+3", "1000"),
        ("-5.50", "-5.5"),
    ],
)
async def test_the_bid_is_exact_to_nine_decimals(portal: Portal, sent: str, kept: str) -> None:
    body = json.dumps(a_deal(bidValue=0)).replace('"bidValue": 0', f'"bidValue": {sent}')
    headers = {**portal.headers, "Content-Type": "application/json"}

    async with portal.session.post("/api/2.0/crm/opportunity", data=body, headers=headers) as reply:
        text = await reply.text()

    assert f'"bidValue":{kept},' in text


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"title": " "}, 400),
        ({"title": "a\x00b"}, 400),
        ({"description": "\ud800"}, 400),
        ({"description": "ä" * 32_768}, 500),
        ({"bidValue": "NaN"}, 400),
        ({"bidValue": 10**29}, 400),
        ({"expectedCloseDate": "0999-12-30"}, 500),
        ({"actualCloseDate": "0999-12-30"}, 500),
    ],
)
async def test_what_the_columns_and_the_wire_cannot_hold_is_refused(portal: Portal, changes: dict[str, Any], status: int) -> None:
    await portal.call("POST", "crm/opportunity", status=status, json=a_deal(**changes))
    await portal.call("PUT", "crm/opportunity/104", status=status, json=a_deal(**changes))

    assert portal.store.deals[104].title == "Winch service contract"


# Updating


async def test_an_update_replaces_everything_it_could_carry(portal: Portal) -> None:
    body = await portal.call("PUT", "crm/opportunity/104", json=a_deal(title="Renamed"))

    deal = body["response"]
    assert deal["title"] == "Renamed" and deal["createBy"]["displayName"] == "Anna O&#39;Neil"
    assert not {"bidType", "bidValue", "perPeriodValue", "successProbability", "contact", "description"} & set(deal)
    assert deal["expectedCloseDate"] == NO_DATE
    assert [member["id"] for member in deal["members"]] == [44, 14]


async def test_an_update_sets_given_members_without_adding_the_primary(portal: Portal) -> None:
    body = await portal.call("PUT", "crm/opportunity/104", json=a_deal(contactid=44, members=[14, 26]))

    assert [member["id"] for member in body["response"]["members"]] == [14]


async def test_an_update_changes_neither_dates_nor_probability_with_the_stage(portal: Portal) -> None:
    body = await portal.call("PUT", "crm/opportunity/104", json=a_deal(stageid=8, successProbability=30))

    deal = body["response"]
    assert (deal["stage"]["stageType"], deal["successProbability"], deal["actualCloseDate"]) == (1, 30, NO_DATE)


async def test_custom_values_cannot_be_emptied_by_an_update(portal: Portal) -> None:
    empty = [{"Key": 21, "Value": ""}, {"Key": 24, "Value": "Dry dock"}]

    await portal.call("PUT", "crm/opportunity/101", json=a_deal(customFieldList=empty))

    assert portal.store.deals[101].fields[21] == "Berth 4" and portal.store.deals[101].fields[24] == "Dry dock"


async def test_leaving_privacy_out_makes_ones_own_opportunity_public_and_not_another_persons(portal: Portal) -> None:
    own = await portal.call("PUT", "crm/opportunity/131", json=a_deal())
    others = await portal.call("PUT", "crm/opportunity/129", json=a_deal())

    assert (own["response"]["isPrivate"], others["response"]["isPrivate"]) == (False, True)


async def test_a_refused_update_leaves_the_record_as_it_was(portal: Portal) -> None:
    before = await portal.get("crm/opportunity/104")

    await portal.call("PUT", "crm/opportunity/104", status=400, json=a_deal(title="Half done", bidCurrencyAbbr="XXX"))
    await portal.call("PUT", "crm/opportunity/99999", status=404, json=a_deal())

    assert await portal.get("crm/opportunity/104") == before


# Moving


async def test_a_move_wants_the_stage_twice(portal: Portal) -> None:
    body = await portal.call("PUT", "crm/opportunity/104/stage/8", status=400)

    assert body["error"]["message"] == "Value does not fall within the expected range."
    assert portal.store.deals[104].stage_id == 6


@pytest.mark.parametrize("kwargs", [{"json": {"stageid": 8}}, {"data": {"stageID": "8"}}, {"params": {"stageid": 8}}])
async def test_a_move_to_a_won_stage_sets_probability_and_actual_close_date(portal: Portal, kwargs: dict[str, Any]) -> None:
    moment = portal.store.now().replace(year=2026, month=11, day=21, hour=9, minute=15, second=2, microsecond=441773)
    portal.store.now = lambda: moment

    deal = (await portal.call("PUT", "crm/opportunity/104/stage/8.json", **kwargs))["response"]

    assert (deal["stage"]["id"], deal["stage"]["stageType"], deal["successProbability"]) == (8, 1, 100)
    assert deal["actualCloseDate"] == "2026-11-21T12:15:02.4417730+03:00"
    assert portal.store.deals[104].modified == moment


async def test_reopening_clears_the_actual_close_date(portal: Portal) -> None:
    deal = (await portal.call("PUT", "crm/opportunity/161/stage/4", json={"stageid": 4}))["response"]

    assert (deal["stage"]["stageType"], deal["successProbability"], deal["actualCloseDate"]) == (0, 20, NO_DATE)


@pytest.mark.parametrize("path", ["crm/opportunity/99999/stage/8", "crm/opportunity/130/stage/8"])
async def test_a_move_of_what_is_not_there_or_not_editable_is_not_found(open_portal: Open, path: str) -> None:
    portal = await open_portal()

    await portal.call("PUT", path, status=404, json={"stageid": 8})
    await portal.call("PUT", "crm/opportunity/104/stage/77", status=404, json={"stageid": 77})


async def test_a_move_by_hand_goes_through_the_store_and_stays_out_of_the_log(portal: Portal) -> None:
    changes: list[tuple[str, int]] = []
    portal.store.listeners.append(lambda kind, deal_id: changes.append((kind, deal_id)))
    logged = portal.running.control.count()

    async with portal.session.post("/_sandbox/move", json={"id": 130, "stage": 9}) as reply:
        record = await reply.json()
    async with portal.session.post("/_sandbox/move", json={"id": 130, "stage": 77}) as refused:
        pass

    assert (record["stage_id"], record["success_probability"]) == (9, 0)
    assert changes == [("stage", 130)] and portal.running.control.count() == logged
    assert refused.status == 404


# Deleting


async def test_a_delete_answers_with_the_record_and_it_is_gone(portal: Portal) -> None:
    body = await portal.call("DELETE", "crm/opportunity/104")

    assert body["response"]["title"] == "Winch service contract"
    await portal.call("GET", "crm/opportunity/104", status=404)
    await portal.call("DELETE", "crm/opportunity/104", status=404)


async def test_put_on_the_collection_deletes_and_skips_what_it_cannot(portal: Portal) -> None:
    body = await portal.call("PUT", "crm/opportunity", json={"opportunityids": [101, 130, 99999, 102]})

    assert [row["id"] for row in body["response"]] == [101, 102]
    assert 130 in portal.store.deals and not {101, 102} & set(portal.store.deals)
    await portal.call("PUT", "crm/opportunity", status=400, json={"opportunityids": []})
    await portal.call("PUT", "crm/opportunity", status=400, json=a_deal())


async def test_delete_by_filter(portal: Portal) -> None:
    body = await portal.call("DELETE", "crm/opportunity/filter", params={"tags": "crane"})

    assert [row["id"] for row in body["response"]] == [101, 144]
    assert (await portal.get("crm/opportunity/filter", tags="crane")) == []


# Members, fields, access, stages


async def test_members_come_and_go(portal: Portal) -> None:
    added = await portal.call("POST", "crm/opportunity/104/contact/12", status=201)
    await portal.call("DELETE", "crm/opportunity/104/contact/14")

    assert added["response"]["companyName"] == "Baltic Timber & Freight SIA"
    assert [row["id"] for row in (await portal.get("crm/opportunity/104"))["members"]] == [44, 12]
    await portal.call("POST", "crm/opportunity/104/contact/26", status=404)
    await portal.call("POST", "crm/opportunity/0/contact/12", status=400)


async def test_one_custom_field_can_be_set(portal: Portal) -> None:
    body = await portal.call("POST", "crm/opportunity/104/customfield/21", status=201, json={"fieldValue": "Berth 1"})

    assert (body["response"]["fieldValue"], body["response"]["entityId"]) == ("Berth 1", 104)
    assert next(field for field in await portal.get("crm/opportunity/104/customfield") if field["id"] == 21)["fieldValue"] == "Berth 1"
    await portal.call("POST", "crm/opportunity/104/customfield/999", status=400, json={"fieldValue": "x"})


async def test_a_custom_field_is_trimmed_and_can_be_emptied(portal: Portal) -> None:
    path = "crm/opportunity/104/customfield/21"
    await portal.call("POST", path, status=201, json={"fieldValue": " Berth 1 "})
    assert portal.store.deals[104].fields[21] == "Berth 1"

    await portal.call("POST", path, status=201, json={"fieldValue": ""})
    await portal.call("POST", path, status=500, json={})

    assert not [field for field in (await portal.get("crm/opportunity/104"))["customFields"] if field["id"] == 21]


async def test_tags_come_and_go_in_any_case(portal: Portal) -> None:
    path = "crm/opportunity/104/tag"
    for name in ("CRANE", " new ", "New"):
        assert (await portal.call("POST", path, status=201, json={"tagName": name}))["response"] == name
    assert (await portal.get("crm/opportunity/tag/104"))[-2:] == ["crane", "new"]

    await portal.call("DELETE", path, json={"tagName": "Crane"})
    await portal.call("DELETE", path, params={"tagName": "NEW"})

    assert not {"crane", "new"} & set(await portal.get("crm/opportunity/tag/104"))
    await portal.call("DELETE", path, status=404, json={"tagName": "unheard of"})
    await portal.call("POST", path, status=400, json={"tagName": " "})
    await portal.call("DELETE", path, status=400)
    await portal.call("POST", "crm/opportunity/130/tag", status=404, json={"tagName": "x"})


# Contacts


async def test_companies_and_people_are_made(portal: Portal) -> None:
    firm = (await portal.call("POST", "crm/contact/company", status=201, json={"companyName": " Reede ", "shareType": 1}))["response"]
    given = {"firstName": "Imke", "lastName": "", "jobTitle": "Owner", "companyId": firm["id"], "shareType": "Read"}
    person = (await portal.call("POST", "crm/contact/person", status=201, json=given))["response"]

    assert (firm["displayName"], firm["isCompany"], firm["isShared"]) == ("Reede", True, True)
    assert (person["displayName"], person["title"], person["company"]["id"]) == ("Imke", "Owner", firm["id"])
    assert person["shareType"] == 2
    assert [row["id"] for row in await portal.get(f"crm/contact/company/{firm['id']}/person")] == [person["id"]]


@pytest.mark.parametrize(
    ("kind", "given", "status"),
    [
        ("company", {}, 400),
        ("company", {"companyName": " "}, 400),
        ("company", {"companyName": "x" * 256}, 500),
        ("person", {"lastName": "Sand"}, 500),
        ("person", {"firstName": "Imke"}, 500),
        ("person", {"firstName": " ", "lastName": "Sand"}, 400),
        ("person", {"firstName": "Imke", "lastName": "", "companyId": 999}, 404),
        ("person", {"firstName": "Imke", "lastName": "", "companyId": 26}, 404),
        ("company", {"companyName": "x", "shareType": "Everybody"}, 400),
    ],
)
async def test_a_contact_that_breaks_a_rule_is_not_made(portal: Portal, kind: str, given: dict[str, Any], status: int) -> None:
    before = len(portal.store.contacts)

    await portal.call("POST", f"crm/contact/{kind}", status=status, json=given)

    assert len(portal.store.contacts) == before


async def test_a_contact_that_is_shared_with_nobody_is_seen_by_its_managers_only(portal: Portal) -> None:
    hidden = (await portal.call("POST", "crm/contact/company", status=201, json={"companyName": "a"}))["response"]["id"]
    managed = {"companyName": "b", "managerList": [portal.store.employees[IVO].id, "2f9e1c7b-4d38-4b0a-8c66-91a7b35e0d42"]}
    seen = (await portal.call("POST", "crm/contact/company", status=201, json=managed))["response"]["id"]

    await portal.call("GET", f"crm/contact/{hidden}", status=404)
    assert (await portal.get(f"crm/contact/{seen}"))["companyName"] == "b"


async def test_data_of_a_contact_has_one_primary_of_a_kind(portal: Portal) -> None:
    for data in ("a@b.example", "c@d.example"):
        given = {"infoType": 1, "data": data, "isPrimary": True, "category": "Work"}
        await portal.call("POST", "crm/contact/41/data", status=201, json=given)

    emails = [row for row in await portal.get("crm/contact/41/data") if row["infoType"] == 1]
    assert [row["data"] for row in emails if row["isPrimary"]] == ["c@d.example"] and len(emails) == 3
    phone = {"infoType": "Phone", "data": "1", "category": "Mobile"}
    assert (await portal.call("POST", "crm/contact/41/data", status=201, json=phone))["response"]["category"] == 2
    await portal.call("POST", "crm/contact/41/data", status=400, json={**phone, "infoType": "Email"})
    await portal.call("POST", "crm/contact/41/data", status=400, json={**phone, "data": ""})
    await portal.call("POST", "crm/contact/26/data", status=404, json=phone)


async def test_access_is_the_creators_or_an_administrators(open_portal: Open) -> None:
    portal = await open_portal()
    await portal.call("PUT", "crm/opportunity/104/access", status=403, json={"isPrivate": True, "accessList": [IVO]})
    await portal.log_in(ADMIN_USERNAME)

    private = await portal.call("PUT", "crm/opportunity/104/access", json={"isPrivate": True, "accessList": [IVO, ANNA]})
    await portal.log_in()

    assert [user["displayName"] for user in private["response"]["accessList"]] == ["Ivo Brandt", "Anna O&#39;Neil", "Līga Kalniņa"]
    await portal.call("GET", "crm/opportunity/104", status=404)


async def test_an_administrator_edits_stages_that_no_opportunity_uses(open_portal: Open) -> None:
    portal = await open_portal(user_name=ADMIN_USERNAME)
    given = {"title": "Paused", "color": "#333333", "successProbability": 10, "stageType": "Open"}

    stage = (await portal.call("POST", "crm/opportunity/stage", status=201, json=given))["response"]
    path = f"crm/opportunity/stage/{stage['id']}"
    renamed = await portal.call("PUT", path, json={**given, "title": "On hold"})
    colored = await portal.call("PUT", f"{path}/color", json={"color": "#444444"})
    ordered = await portal.call("PUT", "crm/opportunity/stage/reorder", json={"ids": [stage["id"], 1, 2, 3, 4, 5, 6, 7, 8, 9, 11]})
    first = (await portal.get("crm/opportunity/stage"))[0]["title"]
    await portal.call("DELETE", path)

    assert (renamed["response"]["title"], colored["response"]["color"]) == ("On hold", "#444444")
    assert ordered["response"][0]["id"] == stage["id"] and first == "On hold"
    await portal.call("GET", path, status=404)
    await portal.call("DELETE", "crm/opportunity/stage/4", status=400)
    await portal.call("PUT", "crm/opportunity/stage/4", status=400, json=given)


# The seed and what is generated


async def test_references_of_the_seed_resolve_except_the_deliberately_broken(portal: Portal) -> None:
    async with portal.session.get("/_sandbox/records") as reply:
        records = await reply.json()
    store = portal.store

    assert 48 <= len(records) <= 55 and len({row["id"] for row in records}) == len(records)
    assert {row["id"] for row in records if row["stage_id"] not in store.stages} == {135}
    assert {row["id"] for row in records if row["responsible_id"] not in store.employees} == {132, 168}
    assert {row["id"] for row in records if {row["contact_id"], *row["members"]} - {0} - set(store.contacts)} == {126}
    assert {row["id"] for row in records if row["bid_currency"] not in store.currencies} == {136}
    assert all(contact.company_id in (0, *store.contacts) for contact in store.contacts.values())
    assert not {field for row in records for field in row["fields"]} - {str(key) for key in store.custom_fields}
    assert {row["bid_type"] for row in records} == {0, 1, 2, 3, 4, 5}
    assert max(len(row["title"]) for row in records) > 255 - 10
    assert all(len(row["title"]) <= 255 for row in records)


async def test_many_opportunities_have_an_owner_a_contact_and_a_company(portal: Portal) -> None:
    whole = 0
    for row in await portal.get("crm/opportunity/filter"):
        contact = portal.store.contacts.get(row.get("contact", {}).get("id", 0))
        person = contact is not None and not contact.is_company and contact.company_id > 0
        whole += person and row["responsible"]["displayName"] != "Profile has been removed"

    assert whole >= 20


async def test_stages_of_the_seed_are_mostly_open_with_closed_ones_dated(portal: Portal) -> None:
    kinds = {stage.id: stage.stage_type for stage in portal.store.stages.values()}
    counts = [sum(kinds.get(deal.stage_id, 0) == kind for deal in portal.store.deals.values()) for kind in (0, 1, 2)]

    assert counts[0] > 25 and counts[1] >= 10 and counts[2] >= 10
    assert all((deal.actual_close_date is not None) is bool(kinds.get(deal.stage_id)) for deal in portal.store.deals.values())
    assert all(deal.created < deal.actual_close_date for deal in portal.store.deals.values() if deal.actual_close_date)


async def test_generated_opportunities_are_the_same_every_time(open_portal: Open) -> None:
    first, second, more = await open_portal(scale=300), await open_portal(scale=300), await open_portal(scale=400)

    async def listed(portal: Portal, count: int) -> Any:
        rows = await portal.get(
            "crm/opportunity/filter", sortBy="id", count=count, fields="id,title,bidValue,created,expectedCloseDate,stage"
        )
        return json.dumps(rows)

    assert await listed(first, 300) == await listed(second, 300) == await listed(more, 300)
    assert len(more.store.deals) == 400
    assert len({deal.responsible_id for deal in more.store.deals.values()}) == 5
    assert {deal.stage_id for deal in more.store.deals.values()} == set(more.store.stages)


async def test_each_start_begins_with_fresh_state(open_portal: Open) -> None:
    one = await open_portal()
    await one.call("DELETE", "crm/opportunity/104")

    assert 104 in (await open_portal()).store.deals


async def test_the_settings_are_those_of_a_crm_that_can_log_in(portal: Portal) -> None:
    settings = portal.running.settings

    assert settings == {"portal_url": portal.running.base_url, "username": USERNAME, "password": PASSWORD}
    assert (SANDBOX.vendor, SANDBOX.crm_key, SANDBOX.label) == ("onlyoffice", "baltic", "Nordkai Baltic (ONLYOFFICE)")
