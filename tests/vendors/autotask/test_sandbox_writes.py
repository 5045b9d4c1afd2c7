"""Writes of the Autotask sandbox against the rules of the vendor's page on opportunities, and against its other entities."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from yarl import URL

from vendors.autotask.sandbox import SANDBOX
from vendors.autotask.sandbox.control import API
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
async def sandbox(options: Mapping[str, OptionValue] | None = None) -> AsyncGenerator[Caller, None]:
    running = await start(SANDBOX, options=options)
    running.app[API].store.now = lambda: datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
    try:
        async with aiohttp.ClientSession() as session:
            yield Caller(running, session)
    finally:
        await running.stop()


@pytest.fixture
async def call() -> AsyncIterator[Caller]:
    async with sandbox() as caller:
        yield caller


PATH = f"{ROOT}/Opportunities"
NOW = "2026-11-21T08:30:00Z"
IVO, PRIYA, SAM, API_USER = 29682885, 29682886, 29682887, 29682901
# One deal of each standing, from the seed.
OPEN, LOST, WON, RECURRING, QUOTED = 29701404, 29701447, 29701435, 29701403, 29701402
NEW = {
    "title": "Dock upgrade",
    "companyID": 174,
    "contactID": 30684,
    "ownerResourceID": IVO,
    "stage": 12,
    "status": 1,
    "probability": 20,
    "amount": 5000,
    "cost": 3000,
    "startDate": "2026-11-20T00:00:00Z",
    "projectedCloseDate": "2027-01-31T00:00:00Z",
    "useQuoteTotals": False,
}


async def read(call: Caller, record_id: int) -> dict[str, Any]:
    item: dict[str, Any] = (await call("GET", f"{PATH}/{record_id}"))["item"]
    return item


async def create(call: Caller, **fields: object) -> dict[str, Any]:
    answer = await call("POST", PATH, {name: value for name, value in (NEW | fields).items() if value is not ...})
    assert answer.keys() == {"itemId"}
    return await read(call, answer["itemId"])


async def patch(call: Caller, record_id: int, **fields: object) -> dict[str, Any]:
    assert await call("PATCH", PATH, {"id": record_id} | fields) == {"itemId": record_id}
    return await read(call, record_id)


async def refused(call: Caller, record_id: int, **fields: object) -> str:
    before = await read(call, record_id)
    error: str = (await call("PATCH", PATH, {"id": record_id} | fields, status=500))["errors"][0]
    assert await read(call, record_id) == before
    return error


async def test_a_created_opportunity_is_kept_with_what_the_server_sets(call: Caller) -> None:
    item = await create(call)

    assert item["id"] > 29701458
    assert item == item | NEW
    assert (item["createDate"], item["lastActivity"], item["creatorResourceID"]) == (NOW, NOW, API_USER)
    assert (item["lostDate"], item["closedDate"], item["impersonatorCreatorResourceID"]) == (None, None, None)


async def test_the_amount_of_a_created_opportunity_becomes_its_one_time_revenue(call: Caller) -> None:
    item = await create(call)

    assert (item["amount"], item["onetimeRevenue"], item["cost"], item["onetimeCost"]) == (5000, 5000, 3000, 3000)


@pytest.mark.parametrize(
    "name",
    [
        "amount",
        "companyID",
        "cost",
        "ownerResourceID",
        "probability",
        "projectedCloseDate",
        "stage",
        "startDate",
        "status",
        "title",
        "useQuoteTotals",
    ],
)
async def test_required_fields_are_required(call: Caller, name: str) -> None:
    body = {key: value for key, value in NEW.items() if key != name}

    assert await call("POST", PATH, body, status=500) == {"errors": [f"Missing Required Field: {name}."]}
    if name != "useQuoteTotals":  # null is no boolean at all
        assert await call("PATCH", PATH, {"id": OPEN, name: None}, status=500) == {"errors": [f"Missing Required Field: {name}."]}


async def test_optional_fields_are_optional(call: Caller) -> None:
    item = await create(call, contactID=...)

    assert item["contactID"] is None


async def test_the_default_category_and_its_values_are_applied_to_what_is_left_open(call: Caller) -> None:
    left_open = await create(call)
    said = await create(call, rating=1, nextStep="Call on Monday")
    other = await create(call, opportunityCategoryID=2)

    assert (left_open["opportunityCategoryID"], left_open["rating"], left_open["totalAmountMonths"]) == (1, 2, 12)
    assert (said["rating"], said["nextStep"], said["totalAmountMonths"]) == (1, "Call on Monday", 12)
    assert (other["opportunityCategoryID"], other["leadSource"], other["totalAmountMonths"]) == (2, 2, None)


async def test_the_amount_is_recomputed_when_a_period_is_given_on_create(call: Caller) -> None:
    item = await create(call, amount=1, onetimeRevenue=1000, monthlyRevenue=100, yearlyRevenue=240, quarterlyCost=30, totalAmountMonths=24)

    assert item["amount"] == 1000 + 24 * 100 + 2 * 240
    assert item["cost"] == 8 * 30


async def test_the_amount_is_recomputed_when_a_period_changes_and_a_given_one_is_ignored(call: Caller) -> None:
    item = await patch(call, RECURRING, monthlyRevenue=8000, amount=1)

    assert (item["amount"], item["monthlyRevenue"], item["cost"]) == (96_000, 8000, 51_840)


async def test_a_new_amount_becomes_the_one_time_revenue_and_clears_the_periods(call: Caller) -> None:
    item = await patch(call, RECURRING, amount=90_000, monthlyRevenue=7200)

    assert (item["amount"], item["onetimeRevenue"], item["monthlyRevenue"]) == (90_000, 90_000, None)


# Source: Autotask REST "Opportunities", Special field attributes, lostDate: its five cases.
@pytest.mark.parametrize(
    ("record_id", "sent", "lost_date"),
    [
        (OPEN, {"status": 2, "lostDate": "2026-10-01T12:00:00Z"}, "2026-10-01T12:00:00Z"),
        (OPEN, {"status": 2}, NOW),
        (LOST, {"status": 1, "lostDate": "2026-10-01T12:00:00Z"}, None),
        (LOST, {"status": 1}, None),
        (LOST, {"lostDate": "2026-10-01T12:00:00Z"}, "2026-10-01T12:00:00Z"),
        (LOST, {"status": 2, "lostDate": "2026-10-01T12:00:00Z"}, "2026-10-01T12:00:00Z"),
        (LOST, {"title": "Still lost"}, "2026-04-21T13:05:40Z"),
        (OPEN, {"lostDate": "2026-10-01T12:00:00Z"}, None),
        (WON, {"status": 3, "lostDate": "2026-10-01T12:00:00Z"}, None),
    ],
)
async def test_the_lost_date_follows_the_status(call: Caller, record_id: int, sent: dict[str, object], lost_date: str | None) -> None:
    assert (await patch(call, record_id, **sent))["lostDate"] == lost_date


async def test_an_opportunity_created_as_lost_is_lost_now(call: Caller) -> None:
    assert (await create(call, status=2))["lostDate"] == NOW
    assert (await create(call, lostDate="2026-10-01T12:00:00Z"))["lostDate"] is None


async def test_date_only_fields_lose_their_time(call: Caller) -> None:
    item = await patch(
        call,
        OPEN,
        closedDate="2026-12-24T23:30:00-05:00",
        projectedCloseDate="2026-12-24T18:00:00Z",
        throughDate="2027-01-31",
        promisedFulfillmentDate="2027-01-15T06:30:00Z",
    )

    assert (item["closedDate"], item["projectedCloseDate"], item["throughDate"]) == (
        "2026-12-24T00:00:00Z",
        "2026-12-24T00:00:00Z",
        "2027-01-31T00:00:00Z",
    )
    assert item["promisedFulfillmentDate"] == "2027-01-15T06:30:00Z"


async def test_the_projected_close_is_not_before_the_start(call: Caller) -> None:
    text = "projectedCloseDate must be greater than or equal to startDate."

    assert await refused(call, OPEN, projectedCloseDate="2026-07-19") == text
    assert await refused(call, OPEN, startDate="2027-02-27") == text
    assert (await patch(call, OPEN, startDate="2027-02-26T15:00:00Z"))["projectedCloseDate"] == "2027-02-26T00:00:00Z"


@pytest.mark.parametrize("probability", [-1, 101])
async def test_the_probability_is_a_percentage(call: Caller, probability: int) -> None:
    assert "probability must be" in await refused(call, OPEN, probability=probability)
    await call("POST", PATH, NEW | {"probability": probability}, status=500)


@pytest.mark.parametrize("probability", [0, 100])
async def test_the_probability_may_be_none_or_all(call: Caller, probability: int) -> None:
    assert (await patch(call, OPEN, probability=probability))["probability"] == probability


@pytest.mark.parametrize("contact_id", [30701, 30821, 99999, 0], ids=["of another company", "inactive", "missing", "zero"])
async def test_the_contact_is_active_and_of_the_company(call: Caller, contact_id: int) -> None:
    text = "Reference value on field: contactID of type: Contact does not exist or is invalid."

    assert await refused(call, OPEN, contactID=contact_id) == text
    assert await call("POST", PATH, NEW | {"contactID": contact_id}, status=500) == {"errors": [text]}


async def test_the_contact_may_be_of_the_parent_company(call: Caller) -> None:
    item = await create(call, companyID=29683514, contactID=30711)

    assert item["contactID"] == 30711
    await call("POST", PATH, NEW | {"companyID": 29683513, "contactID": 30713}, status=500)


async def test_a_new_company_does_not_keep_another_ones_contact(call: Caller) -> None:
    assert "contactID" in await refused(call, OPEN, companyID=174)

    item = await patch(call, OPEN, companyID=174, contactID=30685)

    assert (item["companyID"], item["contactID"]) == (174, 30685)
    assert (await patch(call, OPEN, contactID=None))["contactID"] is None


@pytest.mark.parametrize("owner", [SAM, API_USER, 1], ids=["inactive", "API user", "missing"])
async def test_the_owner_is_an_active_person(call: Caller, owner: int) -> None:
    text = "Reference value on field: ownerResourceID of type: Resource does not exist or is invalid."

    assert await refused(call, OPEN, ownerResourceID=owner) == text


async def test_an_owner_who_has_left_stays_until_somebody_else_is_named(call: Caller) -> None:
    kept = await patch(call, 29701416, stage=29682774, ownerResourceID=SAM)
    given = await patch(call, 29701416, ownerResourceID=PRIYA)

    assert (kept["ownerResourceID"], given["ownerResourceID"]) == (SAM, PRIYA)


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [("companyID", 1, "Company"), ("productID", 1, "Product"), ("organizationalLevelAssociationID", 7, "OrganizationalLevelAssociation")],
)
async def test_references_lead_somewhere(call: Caller, field: str, value: int, kind: str) -> None:
    assert await refused(call, OPEN, **{field: value}) == f"Reference value on field: {field} of type: {kind} does not exist or is invalid."


async def test_an_organizational_level_cannot_be_cleared(call: Caller) -> None:
    assert (await read(call, QUOTED))["organizationalLevelAssociationID"] == 5
    assert "cannot be cleared" in await refused(call, QUOTED, organizationalLevelAssociationID=None)
    assert (await patch(call, QUOTED, organizationalLevelAssociationID=6))["organizationalLevelAssociationID"] == 6


async def test_quote_totals_need_a_quote(call: Caller) -> None:
    assert "useQuoteTotals" in await refused(call, OPEN, useQuoteTotals=True)
    await call("POST", PATH, NEW | {"useQuoteTotals": True}, status=500)
    assert (await patch(call, QUOTED, useQuoteTotals=True))["useQuoteTotals"] is True


async def test_a_revenue_spread_without_a_unit_is_discarded(call: Caller) -> None:
    discarded = await patch(call, OPEN, revenueSpread=6)
    kept = await patch(call, OPEN, revenueSpread=6, revenueSpreadUnit="Months")

    assert (discarded["revenueSpread"], discarded["revenueSpreadUnit"]) == (None, None)
    assert (kept["revenueSpread"], kept["revenueSpreadUnit"]) == (6, "Months")


async def test_revenue_without_a_spread_is_spread_all_at_once(call: Caller) -> None:
    assert (await create(call))["revenueSpreadUnit"] == "Once"


@pytest.mark.parametrize(
    ("field", "length"),
    [
        ("title", 128),
        ("description", 8000),
        ("barriers", 500),
        ("helpNeeded", 500),
        ("market", 500),
        ("nextStep", 500),
        ("lossReasonDetail", 500),
        ("winReasonDetail", 500),
        ("promotionName", 50),
    ],
)
async def test_texts_have_a_length(call: Caller, field: str, length: int) -> None:
    longest = await patch(call, OPEN, **{field: "ø" * length})

    assert longest[field] == "ø" * length
    assert await refused(call, OPEN, **{field: "ø" * (length + 1)}) == f"The value of field {field} is longer than {length} characters."


@pytest.mark.parametrize(("field", "value"), [("stage", 99), ("stage", 29682776), ("status", 5), ("rating", 0), ("leadSource", 6)])
async def test_picklists_take_their_active_values(call: Caller, field: str, value: int) -> None:
    assert await refused(call, OPEN, **{field: value}) == f"Value on picklist field: {field} does not exist or is invalid."


async def test_a_record_with_an_old_stage_can_still_be_changed(call: Caller) -> None:
    assert (await patch(call, 29701433, title="Reefer sockets", stage=99))["title"] == "Reefer sockets"


READ_ONLY = {
    "createDate": "2026-01-01T00:00:00Z",
    "lastActivity": "2026-01-01T00:00:00Z",
    "creatorResourceID": IVO,
    "impersonatorCreatorResourceID": IVO,
    "salesOrderID": 1,
    "assessmentScore": 1,
    "relationshipAssessmentScore": 1,
    "technicalAssessmentScore": 1,
    "salesProcessPercentComplete": 1,
}


@pytest.mark.parametrize("field", READ_ONLY)
async def test_read_only_fields_are_refused_or_ignored(field: str) -> None:
    async with sandbox() as call:
        assert (
            await refused(call, OPEN, **{field: READ_ONLY[field] if field != "creatorResourceID" else SAM})
            == f"The field {field} is read-only."
        )
        await call("POST", PATH, NEW | {field: READ_ONLY[field]}, status=500)
    async with sandbox({"read_only": "ignored", "edit_is_activity": "no"}) as call:
        before = await read(call, OPEN)

        assert await patch(call, OPEN, **{field: READ_ONLY[field]}) == before | {"revenueSpreadUnit": "Once"}


async def test_an_unknown_field_is_refused(call: Caller) -> None:
    assert "'stageID'" in await refused(call, OPEN, stageID=12)
    assert "'name'" in (await call("POST", PATH, NEW | {"name": "Dock"}, status=500))["errors"][0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stage", True),
        ("stage", "won"),
        ("probability", 12.5),
        ("amount", "5000 GBP"),
        ("title", 5),
        ("useQuoteTotals", 0),
        ("startDate", "today"),
    ],
)
async def test_a_value_of_the_wrong_type_is_refused(call: Caller, field: str, value: object) -> None:
    assert f"Path '{field}'" in await refused(call, OPEN, **{field: value})


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": 999}, {"id": "x"}, {"itemId": 311}, [], None])
async def test_an_update_names_an_existing_record(call: Caller, body: object) -> None:
    assert (await call("PATCH", PATH, body, status=500))["errors"]


async def test_a_partial_update_changes_what_it_names(call: Caller) -> None:
    before = await read(call, OPEN)

    item = await patch(call, OPEN, stage=12, description="Two ferries", rating=None)

    expected = {"stage": 12, "description": "Two ferries", "rating": None, "lastActivity": NOW, "revenueSpreadUnit": "Once"}
    assert item == before | expected


async def test_a_full_update_clears_what_it_does_not_name(call: Caller) -> None:
    before = await read(call, QUOTED)
    body = {name: before[name] for name in NEW} | {
        "id": QUOTED,
        "onetimeRevenue": before["onetimeRevenue"],
        "onetimeCost": before["onetimeCost"],
    }

    assert await call("PUT", PATH, body) == {"itemId": QUOTED}
    item = await read(call, QUOTED)

    assert (item["rating"], item["nextStep"], item["productID"], item["promotionName"]) == (None, None, None, None)
    assert {udf["value"] for udf in item["userDefinedFields"]} == {None}
    assert item["organizationalLevelAssociationID"] == 5
    assert (item["title"], item["amount"], item["createDate"]) == (before["title"], before["amount"], before["createDate"])
    assert item["assessmentScore"] == 72.5


async def test_a_record_that_was_read_can_be_written_back_whole(call: Caller) -> None:
    before = await read(call, LOST)

    await call("PUT", PATH, before)

    assert await read(call, LOST) == before | {"lastActivity": NOW, "revenueSpreadUnit": "Once"}


@pytest.mark.parametrize(("position", "stamped"), [("yes", NOW), ("no", "2026-11-12T13:40:00Z")])
async def test_an_edit_may_count_as_activity(position: str, stamped: str) -> None:
    async with sandbox({"edit_is_activity": position}) as call:
        assert (await patch(call, OPEN, stage=12))["lastActivity"] == stamped


@pytest.mark.parametrize(("position", "closed"), [("as_given", None), ("filled", "2026-11-21T00:00:00Z")])
async def test_closing_may_fill_the_closed_date(position: str, closed: str | None) -> None:
    async with sandbox({"closed_date": position}) as call:
        assert (await patch(call, OPEN, status=3))["closedDate"] == closed
        assert (await patch(call, RECURRING, status=3, closedDate="2026-11-20"))["closedDate"] == "2026-11-20T00:00:00Z"


@pytest.mark.parametrize(("position", "won", "lost"), [("no", 1, 1), ("yes", 3, 2)])
async def test_a_stage_may_take_the_status_along(position: str, won: int, lost: int) -> None:
    async with sandbox({"stage_sets_status": position}) as call:
        assert (await patch(call, OPEN, stage=16))["status"] == won
        item = await patch(call, RECURRING, stage=18)
        assert (item["status"], item["lostDate"]) == (lost, NOW if lost == 2 else None)
        assert (await patch(call, OPEN, stage=12))["status"] == 1
        assert (await patch(call, RECURRING, stage=16, status=0))["status"] == 0


async def test_user_defined_fields_are_written_by_name_and_the_others_stay(call: Caller) -> None:
    item = await patch(
        call,
        QUOTED,
        userDefinedFields=[
            {"name": "Crane hours per year", "value": "4300.5"},
            {"name": "Service level", "value": "Bronze"},
            {"name": "Renewal Date", "value": None},
        ],
    )

    assert {udf["name"]: udf["value"] for udf in item["userDefinedFields"]} == {
        "Vessel or berth": "Berth 4, STS 7 & 8",
        "Scope notes": None,
        "Crane hours per year": "4300.5",
        "Renewal Date": None,
        "Service level": "Bronze",
    }


@pytest.mark.parametrize(
    "value",
    [
        [{"name": "Crane hours", "value": "1"}],
        [{"name": "Crane hours per year", "value": "many"}],
        [{"name": "Crane hours per year", "value": 4300}],
        [{"name": "Renewal Date", "value": "soon"}],
        [{"name": "Service level", "value": "Platinum"}],
        [{"name": "Service level"}],
        [{"name": "Vessel or berth", "value": "x" * 101}],
        [{"name": "Vessel or berth", "value": "x"}] * 201,
        {"Vessel or berth": "x"},
    ],
    ids=lambda value: str(value)[:60],
)
async def test_user_defined_fields_are_checked(call: Caller, value: object) -> None:
    assert await refused(call, OPEN, userDefinedFields=value)


async def test_200_user_defined_fields_are_taken(call: Caller) -> None:
    item = await patch(call, OPEN, userDefinedFields=[{"name": "Vessel or berth", "value": "Quay 9"}] * 200)

    assert item["userDefinedFields"][0]["value"] == "Quay 9"


async def test_impersonation_names_the_creator(call: Caller) -> None:
    answer = await call("POST", PATH, NEW, headers=HEADERS | {"ImpersonationResourceId": str(PRIYA)})
    item = await read(call, answer["itemId"])

    assert (item["creatorResourceID"], item["impersonatorCreatorResourceID"]) == (PRIYA, API_USER)
    for nobody in (SAM, API_USER, 1, "x"):
        await call("POST", PATH, NEW, headers=HEADERS | {"ImpersonationResourceId": str(nobody)}, status=500)


async def test_field_names_of_writes_are_taken_in_any_case_unless_the_option_says_exactly() -> None:
    async with sandbox() as call:
        await call("PATCH", PATH, {"ID": OPEN, "Stage": 12})
        assert (await read(call, OPEN))["stage"] == 12
    async with sandbox({"field_case": "exact"}) as call:
        await call("PATCH", PATH, {"id": OPEN, "Stage": 12}, status=500)


async def test_companies_are_created_and_changed(call: Caller) -> None:
    path = f"{ROOT}/Companies"
    company = {"companyName": "Cowes Boat Hoist", "companyType": 1, "ownerResourceID": IVO, "phone": "+44 1983 555 100", "isActive": True}

    created = (await call("POST", path, company))["itemId"]
    await call("PATCH", path, {"id": created, "currencyID": 3})
    item = (await call("GET", f"{path}/{created}"))["item"]

    assert item == item | company | {"currencyID": 3, "createDate": NOW, "lastTrackedModifiedDateTime": NOW, "lastActivityDate": NOW}
    await call("POST", path, {"companyName": "No phone", "companyType": 1, "ownerResourceID": IVO}, status=500)
    await call("PATCH", path, {"id": created, "currencyID": 99}, status=500)


async def test_contacts_are_written_through_their_company(call: Caller) -> None:
    path = f"{ROOT}/Companies/174/Contacts"

    created = (await call("POST", path, {"firstName": "Lene", "lastName": "Sørensen", "isActive": 1}))["itemId"]
    await call("PATCH", path, {"id": created, "emailAddress": "lene@fjordshipping.example"})
    item = (await call("GET", f"{ROOT}/Contacts/{created}"))["item"]

    assert (item["companyID"], item["emailAddress"], item["lastModifiedDate"]) == (174, "lene@fjordshipping.example", NOW)
    await call("PATCH", f"{ROOT}/Companies/29683512/Contacts", {"id": created, "title": "Captain"}, status=500)
    await call("POST", path, {"firstName": "A", "lastName": "B", "isActive": 1, "companyID": 29683512}, status=500)
    assert await call("DELETE", f"{path}/{created}") == {"itemId": created}
    assert await call("GET", f"{ROOT}/Contacts/{created}") == {"item": None}


async def test_a_contacts_activity_is_a_number(call: Caller) -> None:
    body = {"firstName": "Lene", "lastName": "Sørensen", "isActive": True}

    error = (await call("POST", f"{ROOT}/Companies/174/Contacts", body, status=500))["errors"][0]

    assert error.startswith("Unexpected character encountered while parsing value: t.")


async def test_deleting_a_missing_contact_says_so_in_the_vendors_words(call: Caller) -> None:
    body = await call("DELETE", f"{ROOT}/Companies/174/Contacts/1", status=500)

    text = "No message. No matching records found. The logged in Resource may not have the required permissions to delete the data."
    assert body == {"errors": [text]}


async def test_of_a_currency_only_the_exchange_rate_is_written(call: Caller) -> None:
    path = f"{ROOT}/Currencies"

    await call("PATCH", path, {"id": 2, "exchangeRate": 0.8})
    item = (await call("GET", f"{path}/2"))["item"]

    assert (item["exchangeRate"], item["lastModifiedDateTime"]) == (0.8, NOW)
    await call("PATCH", path, {"id": 2, "name": "XXX"}, status=500)


async def test_resources_are_changed_but_not_created(call: Caller) -> None:
    await call("PATCH", f"{ROOT}/Resources", {"id": PRIYA, "isActive": False})

    assert (await call("GET", f"{ROOT}/Resources/{PRIYA}"))["item"]["isActive"] is False
    assert "ownerResourceID" in await refused(call, QUOTED, ownerResourceID=PRIYA)


async def test_state_does_not_outlive_a_run() -> None:
    async with sandbox() as call:
        await create(call)
    async with sandbox() as call:
        assert (await call("POST", f"{PATH}/query/count", {"filter": [{"op": "exist", "field": "id"}]})) == {"queryCount": 52}


async def test_a_title_loses_the_blanks_around_it(call: Caller) -> None:
    assert (await create(call, title="  Dock upgrade\n"))["title"] == "Dock upgrade"
    assert await refused(call, OPEN, title=" \n") == "Missing Required Field: title."


async def test_decimals_are_kept_digit_by_digit(call: Caller) -> None:
    body = json.dumps(NEW).replace("5000", "12345678901234567.89")
    url = call.running.base_url + PATH
    async with call.session.post(url, data=body, headers=HEADERS | {"Content-Type": "application/json"}) as response:
        created = (await response.json())["itemId"]

    async with call.session.get(f"{url}/{created}", headers=HEADERS) as response:
        assert '"amount":12345678901234567.89' in await response.text()
