"""The Autotask sandbox against the vendor's help pages: zones, credentials, limits, errors, metadata, seed."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest
from yarl import URL

from vendors.autotask.sandbox import OPTIONS, SANDBOX
from vendors.autotask.sandbox.control import API
from vendors.sandbox import Fault, OptionValue, RunningSandbox, start

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


ALL = {"filter": [{"op": "exist", "field": "id"}]}
ZONE = f"{ROOT}/zoneInformation?user=crmgraph%40nordkai-service.example"
NO_ZONE = {"errors": ["Zone information could not be determined"]}
ENTITIES = ("Opportunities", "Companies", "Contacts", "Resources", "Currencies", "OpportunityCategories", "Products")

# Source: Autotask REST "Opportunities", Field definitions (vendor help).
_NAMES = """
advancedField1 advancedField2 advancedField3 advancedField4 advancedField5 amount assessmentScore barriers closedDate companyID
contactID cost createDate creatorResourceID description helpNeeded id impersonatorCreatorResourceID lastActivity leadSource
lossReason lossReasonDetail lostDate market monthlyCost monthlyRevenue nextStep onetimeCost onetimeRevenue opportunityCategoryID
organizationalLevelAssociationID ownerResourceID primaryCompetitor probability productID projectedCloseDate
promisedFulfillmentDate promotionName quarterlyCost quarterlyRevenue rating relationshipAssessmentScore revenueSpread
revenueSpreadUnit salesOrderID salesProcessPercentComplete semiannualCost semiannualRevenue stage startDate status
technicalAssessmentScore throughDate title totalAmountMonths useQuoteTotals winReason winReasonDetail yearlyCost yearlyRevenue
"""
OPPORTUNITY_FIELDS = set(_NAMES.split())


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in HEADERS.items() if key != name}


async def test_the_zone_of_a_known_user_is_told_without_credentials(call: Caller) -> None:
    zone = await call("GET", ZONE, headers={})

    assert zone == {
        "zoneName": "Nordkai sandbox",
        "url": f"{call.running.base_url}/ATServicesRest/",
        "webUrl": f"{call.running.base_url}/",
        "ci": 513558,
    }


@pytest.mark.parametrize("query", ["", "?user=", "?user=nobody%40nordkai.example"])
async def test_the_zone_of_an_unknown_user_is_an_error(call: Caller, query: str) -> None:
    assert await call("GET", f"{ROOT}/zoneInformation{query}", headers={}, status=500) == NO_ZONE


async def test_the_zone_url_may_come_without_a_slash() -> None:
    async with sandbox({"zone_url_slash": "without"}) as call:
        assert (await call("GET", ZONE, headers={}))["url"] == f"{call.running.base_url}/ATServicesRest"


async def test_the_zone_may_be_at_another_origin_which_the_settings_name_and_the_links_follow() -> None:
    async with sandbox({"zone_answers": "other_name"}) as call:
        zone = URL((await call("GET", ZONE, headers={}))["url"])
        page = await call("POST", f"{zone}v1.0/Companies/query", ALL | {"MaxRecords": 1})

        assert str(zone.origin()) != call.running.base_url
        assert call.running.settings["zone_origins"] == sorted([call.running.base_url, str(zone.origin())])
        assert URL(page["pageDetails"]["nextPageUrl"]).origin() == zone.origin()


async def test_settings_name_the_credentials_that_are_checked(call: Caller) -> None:
    settings = call.running.settings

    assert settings["zone_url"] == call.running.base_url
    assert {"ApiIntegrationCode": settings["integration_code"], "UserName": settings["username"], "Secret": settings["secret"]} == HEADERS


async def test_version_information_needs_no_credentials(call: Caller) -> None:
    assert await call("GET", "/atservicesrest/versioninformation", headers={}) == {"apiVersions": ["1.0"]}


async def test_paths_are_taken_in_any_case(call: Caller) -> None:
    assert (await call("GET", "/ATServicesRest/V1.0/OPPORTUNITIES/311"))["item"]["id"] == 311


@pytest.mark.parametrize(
    "headers", [{}, without("Secret"), without("UserName"), without("ApiIntegrationCode"), HEADERS | {"Secret": "wrong"}]
)
async def test_wrong_or_missing_credentials_are_401(call: Caller, headers: dict[str, str]) -> None:
    assert await call("GET", f"{ROOT}/Opportunities/311", headers=headers, status=401) is None


async def test_a_401_may_carry_errors() -> None:
    async with sandbox({"unauthorized_body": "errors"}) as call:
        body = await call("GET", f"{ROOT}/Opportunities/311", headers=HEADERS | {"Secret": "wrong"}, status=401)

        assert body == {"errors": ["Unauthorized"]}


@pytest.mark.parametrize("wrong", [{"UserName": "nobody@nordkai.example"}, {"ApiIntegrationCode": "A" * 27}])
async def test_an_unknown_user_or_integration_code_is_500(call: Caller, wrong: dict[str, str]) -> None:
    body = await call("GET", f"{ROOT}/Opportunities/311", headers=HEADERS | wrong, status=500)

    assert [type(error) for error in body["errors"]] == [str]


async def test_errors_may_be_objects() -> None:
    async with sandbox({"error_items": "object"}) as call:
        body = await call("POST", f"{ROOT}/Opportunities/query", {}, status=500)

        assert body["errors"][0].keys() == {"message", "field"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "Opportunities"),
        ("DELETE", "Opportunities/311"),
        ("DELETE", "Companies/174"),
        ("POST", "Contacts"),
        ("PATCH", "Contacts"),
        ("DELETE", "Contacts/30684"),
        ("POST", "Resources"),
        ("POST", "Currencies"),
        ("PUT", "Opportunities/311"),
        ("DELETE", "Opportunities/query"),
        ("POST", "ThresholdInformation"),
    ],
)
async def test_a_verb_that_an_entity_does_not_have_is_405_in_the_frameworks_shape(call: Caller, method: str, path: str) -> None:
    body = await call(method, f"{ROOT}/{path}", {} if method != "GET" else None, status=405)

    assert body == {"Message": f"The requested resource does not support http method '{method}'."}


@pytest.mark.parametrize(
    "path", ["/", "/atservicesrest/v2.0/Opportunities/311", f"{ROOT}/OpportunityContacts/query", f"{ROOT}/Opportunities/x"]
)
async def test_an_unknown_path_is_404_in_the_frameworks_shape(call: Caller, path: str) -> None:
    assert (await call("GET", path, status=404)).keys() == {"Message"}


async def test_a_missing_record_is_a_null_item(call: Caller) -> None:
    assert await call("GET", f"{ROOT}/Opportunities/999") == {"item": None}


async def statuses(call: Caller, paths: list[str]) -> list[int]:
    async def status(path: str) -> int:
        async with call.session.get(call.running.base_url + path, headers=HEADERS) as response:
            return response.status

    return sorted(await asyncio.gather(*map(status, paths)))


COMPANY_PATHS = [f"{ROOT}/Companies/{path}" for path in ("174", "entityInformation", "174/Contacts", "entityInformation/fields")]


async def test_a_fourth_request_for_an_entity_at_the_same_time_is_refused(call: Caller) -> None:
    call.running.control.latency_seconds = 0.1

    at_once = await statuses(call, COMPANY_PATHS)
    in_turn = [await statuses(call, [path]) for path in COMPANY_PATHS]

    assert at_once == [200, 200, 200, 429]
    assert in_turn == [[200]] * 4


async def test_every_entity_has_threads_of_its_own(call: Caller) -> None:
    call.running.control.latency_seconds = 0.1
    others = [f"{ROOT}/Contacts/30684", f"{ROOT}/Opportunities/311", f"{ROOT}/ThresholdInformation", ZONE, ZONE, ZONE, ZONE]

    assert await statuses(call, [*COMPANY_PATHS[:3], *others]) == [200] * 10


async def test_threads_that_hang_are_refused_to_others_until_their_callers_have_gone(call: Caller) -> None:
    call.running.control.faults.append(Fault(kind="hang", match="Companies", times=3))
    tasks = [asyncio.create_task(call("GET", f"{ROOT}/Companies/174", status=429)) for _ in range(4)]

    refused, hanging = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    # The server learns of the hang-ups while it serves others.
    later = [await statuses(call, [path]) for path in (f"{ROOT}/Contacts/30684", f"{ROOT}/Companies/174")]

    assert [task.result() for task in refused] == [{"errors": ["The Autotask API thread threshold of 3 threads has been exceeded."]}]
    assert later == [[200], [200]]


@pytest.mark.parametrize(("position", "status"), [(429, 429), (500, 500)])
async def test_used_up_hours_are_refused_until_they_have_passed(position: int, status: int) -> None:
    async with sandbox({"hourly_refusal": position}) as call:
        limits = call.running.app[API].limits
        now = 0.0
        limits.clock = lambda: now
        await call("PUT", "/_sandbox/threshold", {"used": 10_000})

        body = await call("GET", f"{ROOT}/Opportunities/311", status=status)
        now = 3_601.0
        later = await call("GET", f"{ROOT}/Opportunities/311")

        assert "threshold of 10000 requests" in body["errors"][0]
        assert later["item"]["id"] == 311


@pytest.mark.parametrize(("used", "delays"), [(4_999, []), (5_000, [0.5]), (7_500, [1.0])])
async def test_usage_of_half_the_hour_slows_the_server_down(call: Caller, used: int, delays: list[float]) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    call.running.app[API].limits.sleep = sleep
    await call("PUT", "/_sandbox/threshold", {"used": used})

    await call("GET", f"{ROOT}/Opportunities/311")

    assert slept == delays


async def test_threshold_information_counts_the_requests_of_the_hour(call: Caller) -> None:
    await call("GET", ZONE, headers={})
    await call("GET", f"{ROOT}/Opportunities/311")

    assert await call("GET", f"{ROOT}/ThresholdInformation") == {
        "externalRequestThreshold": 10_000,
        "requestThresholdTimeframe": 60,
        "currentTimeframeRequestCount": 2,
    }


async def test_a_threshold_can_be_raised(call: Caller) -> None:
    await call("PUT", "/_sandbox/threshold", {"threshold": 1_000_000, "used": 10_000})

    assert (await call("GET", f"{ROOT}/ThresholdInformation"))["externalRequestThreshold"] == 1_000_000


async def refusal_of_the_hour(options: Mapping[str, OptionValue]) -> str | None:
    async with sandbox(options) as call:
        await call("PUT", "/_sandbox/threshold", {"used": 10_000})
        async with call.session.get(f"{call.running.base_url}{ROOT}/Opportunities/311", headers=HEADERS) as response:
            return response.headers.get("Retry-After")


async def test_a_refusal_may_say_when_to_come_back() -> None:
    absent = await refusal_of_the_hour({})
    seconds = await refusal_of_the_hour({"retry_after": "seconds"})
    date = await refusal_of_the_hour({"retry_after": "date"})

    assert (absent, seconds) == (None, "30")
    assert date is not None and parsedate_to_datetime(date).tzinfo is not None


async def test_threads_may_be_refused_with_500() -> None:
    async with sandbox({"thread_refusal": 500}) as call:
        call.running.control.latency_seconds = 0.1

        assert await statuses(call, COMPANY_PATHS) == [200, 200, 200, 500]


@pytest.mark.parametrize("status", [500, 403])
async def test_a_missing_permission_is_an_error_of_the_entity(status: int) -> None:
    async with sandbox({"permission_status": status}) as call:
        await call("PUT", "/_sandbox/denied", ["Contacts", "Opportunities"])

        query = await call("POST", f"{ROOT}/Contacts/query", ALL, status=status)
        write = await call("PATCH", f"{ROOT}/Opportunities", {"id": 311}, status=status)
        other = await call("GET", f"{ROOT}/Companies/0")

        assert query == {"errors": ["The logged in Resource does not have the adequate permissions to query this entity type."]}
        assert write == {"errors": ["The logged in Resource does not have the adequate permissions to update this entity type."]}
        assert other["item"]["companyName"] == "Nordkai Service Ltd"


async def test_impersonation_on_a_read_is_a_missing_permission(call: Caller) -> None:
    body = await call("POST", f"{ROOT}/Companies/query", ALL, headers=HEADERS | {"ImpersonationResourceId": "29682885"}, status=500)

    assert "permissions to query" in body["errors"][0]


async def test_an_opportunity_has_every_field_of_the_vendors_page(call: Caller) -> None:
    item = (await call("GET", f"{ROOT}/Opportunities/311"))["item"]

    assert item.keys() == OPPORTUNITY_FIELDS | {"userDefinedFields"}


async def test_entity_information_says_what_an_entity_allows(call: Caller) -> None:
    opportunities = (await call("GET", f"{ROOT}/Opportunities/entityInformation"))["info"]
    contacts = (await call("GET", f"{ROOT}/Contacts/entityInformation"))["info"]

    assert opportunities == {
        "name": "Opportunity",
        "canCreate": True,
        "canDelete": False,
        "canQuery": True,
        "canUpdate": True,
        "userAccessForCreate": "All",
        "userAccessForDelete": "None",
        "userAccessForQuery": "All",
        "userAccessForUpdate": "All",
        "hasUserDefinedFields": True,
        "supportsWebhookCallouts": False,
    }
    assert (contacts["canDelete"], contacts["supportsWebhookCallouts"]) == (True, True)


@pytest.mark.parametrize(("position", "value"), [("string", "0"), ("int", 0)])
async def test_picklists_are_in_the_field_metadata(position: str, value: object) -> None:
    async with sandbox({"picklist_values": position}) as call:
        fields = {field["name"]: field for field in (await call("GET", f"{ROOT}/Opportunities/entityInformation/fields"))["fields"]}

        assert fields.keys() == OPPORTUNITY_FIELDS
        assert fields["status"] == fields["status"] | {
            "label": "Status",
            "dataType": "integer",
            "length": 0,
            "isRequired": True,
            "isReadOnly": False,
            "isQueryable": True,
            "isReference": False,
            "referenceEntityType": "",
            "isPickList": True,
            "picklistParentValueField": "",
            "isSupportedWebhookField": False,
        }
        assert fields["status"]["picklistValues"][0] == {
            "value": value,
            "label": "Not Ready To Buy",
            "isDefaultValue": False,
            "sortOrder": 1,
            "parentValue": "",
            "isActive": True,
            "isSystem": True,
        }
        assert [field["label"] for field in fields["status"]["picklistValues"]] == [
            "Not Ready To Buy",
            "Active",
            "Lost",
            "Closed",
            "Implemented",
        ]
        assert fields["title"]["picklistValues"] is None and fields["title"]["length"] == 128
        assert (fields["contactID"]["isReference"], fields["contactID"]["referenceEntityType"]) == (True, "Contacts")
        assert fields["closedDate"]["dataType"] == "datetime"
        assert fields["lastActivity"]["isReadOnly"] and not fields["productID"]["isReadOnly"]


async def test_an_inactive_stage_stays_in_the_picklist_and_in_records(call: Caller) -> None:
    fields = (await call("GET", f"{ROOT}/Opportunities/entityInformation/fields"))["fields"]
    stages = {stage["value"]: stage["isActive"] for field in fields if field["name"] == "stage" for stage in field["picklistValues"]}

    stage = (await call("GET", f"{ROOT}/Opportunities/313"))["item"]["stage"]

    assert stages[str(stage)] is False


async def test_user_defined_fields_have_metadata_of_their_own(call: Caller) -> None:
    fields = (await call("GET", f"{ROOT}/Opportunities/entityInformation/userDefinedFields"))["fields"]

    assert {field["name"]: field["dataType"] for field in fields} == {
        "Vessel or berth": "string",
        "Scope notes": "string",
        "Crane hours per year": "decimal",
        "Renewal Date": "datetime",
        "Service level": "string",
    }
    assert [value["label"] for value in fields[4]["picklistValues"]] == ["Bronze", "Silver", "Gold & on call"]
    assert await call("GET", f"{ROOT}/Resources/entityInformation/userDefinedFields") == {"fields": []}


async def test_every_entity_can_be_queried_and_described(call: Caller) -> None:
    for name in ENTITIES:
        items = (await call("POST", f"{ROOT}/{name}/query", ALL))["items"]
        described = {field["name"] for field in (await call("GET", f"{ROOT}/{name}/entityInformation/fields"))["fields"]}

        assert len(items) >= 3
        assert items[0].keys() - {"userDefinedFields"} == described


@pytest.mark.parametrize(("position", "value"), [("label", "Gold & on call"), ("value", "3")])
async def test_a_user_defined_list_carries_a_label_or_a_value(position: str, value: str) -> None:
    async with sandbox({"udf_lists": position}) as call:
        item = (await call("GET", f"{ROOT}/Opportunities/29701402"))["item"]

        assert {udf["name"]: udf["value"] for udf in item["userDefinedFields"]} == {
            "Vessel or berth": "Berth 4, STS 7 & 8",
            "Scope notes": None,
            "Crane hours per year": "4200",
            "Renewal Date": "2027-12-31",
            "Service level": value,
        }


@pytest.mark.parametrize(("position", "present"), [("absent", False), ("empty", True)])
async def test_entities_without_user_defined_fields_may_show_an_empty_list(position: str, present: bool) -> None:  # noqa: FBT001
    async with sandbox({"entities_without_udfs": position}) as call:
        assert ("userDefinedFields" in (await call("GET", f"{ROOT}/Resources/29682885"))["item"]) is present


@pytest.mark.parametrize(
    ("position", "shown"),
    [
        ("null", {"contactID": None, "closedDate": None, "barriers": None, "advancedField1": None, "leadSource": 4}),
        ("empty", {"contactID": "", "closedDate": "", "barriers": "", "advancedField1": None, "leadSource": 4}),
        ("absent", {"leadSource": 4}),
    ],
)
async def test_unset_values_are_null_empty_or_absent(position: str, shown: dict[str, object]) -> None:
    names = ["contactID", "closedDate", "barriers", "advancedField1", "leadSource"]
    hoist = {"filter": [{"op": "eq", "field": "title", "value": "Yacht hoist yearly check"}], "IncludeFields": names}
    async with sandbox({"nulls": position, "include_udf_with_fields": "absent"}) as call:
        assert (await call("POST", f"{ROOT}/Opportunities/query", hoist))["items"] == [shown]


async def test_whole_numbers_may_arrive_with_a_fraction() -> None:
    async with (
        sandbox({"ints": "float"}) as call,
        call.session.get(f"{call.running.base_url}{ROOT}/Contacts/30684", headers=HEADERS) as response,
    ):
        text = await response.text()

    assert '"isActive":1.0' in text
    assert '"id":30684.0' in text


@pytest.mark.parametrize(
    ("position", "start_date", "lost_date"),
    [
        ("seconds", "2025-08-11T00:00:00Z", "2026-02-20T14:03:11.910Z"),
        ("fraction", "2025-08-11T00:00:00.000Z", "2026-02-20T14:03:11.910Z"),
        ("no_zone", "2025-08-11T00:00:00", "2026-02-20T14:03:11.910"),
    ],
)
async def test_instants_are_spelled_in_three_ways(position: str, start_date: str, lost_date: str) -> None:
    async with sandbox({"dates": position}) as call:
        item = (await call("GET", f"{ROOT}/Opportunities/312"))["item"]

        assert (item["startDate"], item["lostDate"]) == (start_date, lost_date)


async def test_calls_are_logged_under_the_vendors_names(call: Caller) -> None:
    await call("GET", ZONE, headers={})
    await call("POST", f"{ROOT}/opportunities/query", ALL)
    await call("POST", f"{ROOT}/Opportunities/query/count", ALL)
    await call("GET", f"{ROOT}/Opportunities/entityInformation/fields")
    await call("GET", f"{ROOT}/Companies/174/Contacts")
    await call("PATCH", f"{ROOT}/Opportunities", {"id": 311})
    await call("DELETE", f"{ROOT}/Opportunities/311", status=405)

    assert call.running.control.operations() == [
        "zoneInformation",
        "Opportunities.query",
        "Opportunities.count",
        "Opportunities.fields",
        "Companies.Contacts.children",
        "Opportunities.patch",
        "Opportunities.DELETE",
    ]


async def test_a_move_in_the_product_sets_stage_and_status_and_is_told_to_listeners(call: Caller) -> None:
    store = call.running.app[API].store
    store.now = lambda: datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
    told: list[tuple[str, int]] = []
    store.listeners.append(lambda change: told.append((change.action, change.id)))

    await call("POST", "/_sandbox/move", {"id": 29701402, "stage": 16})
    won = (await call("GET", f"{ROOT}/Opportunities/29701402"))["item"]
    await call("POST", "/_sandbox/move", {"id": 29701402, "stage": 18})
    lost = (await call("GET", f"{ROOT}/Opportunities/29701402"))["item"]
    await call("POST", "/_sandbox/move", {"id": 29701402, "stage": 12})
    reopened = (await call("GET", f"{ROOT}/Opportunities/29701402"))["item"]

    assert (won["stage"], won["status"], won["closedDate"], won["lostDate"]) == (16, 3, "2026-11-21T00:00:00Z", None)
    assert (lost["stage"], lost["status"], lost["lostDate"]) == (18, 2, "2026-11-21T08:30:00Z")
    assert (reopened["stage"], reopened["status"], reopened["lostDate"], reopened["closedDate"]) == (12, 1, None, None)
    assert won["lastActivity"] == "2026-11-21T08:30:00Z"
    assert told == [("update", 29701402)] * 3


@pytest.mark.parametrize("move", [{"id": 1, "stage": 16}, {"id": 311, "stage": 1}])
async def test_a_move_to_nowhere_is_refused(call: Caller, move: dict[str, int]) -> None:
    await call("POST", "/_sandbox/move", move, status=404)


async def test_the_seed_is_consistent(call: Caller) -> None:
    tables: dict[str, dict[int, Any]] = {}
    for name in ENTITIES:
        tables[name] = {row["id"]: row for row in (await call("POST", f"{ROOT}/{name}/query", ALL))["items"]}
    fields = (await call("GET", f"{ROOT}/Opportunities/entityInformation/fields"))["fields"]
    missing: set[tuple[str, int]] = set()
    for row in tables["Opportunities"].values():
        for field in fields:
            value = row[field["name"]]
            if value is None:
                continue
            if field["isPickList"] and str(value) not in {option["value"] for option in field["picklistValues"]}:
                missing.add((field["name"], value))
            if field["referenceEntityType"] in tables and value not in tables[field["referenceEntityType"]]:
                missing.add((field["name"], value))

    # Each is in the seed on purpose: records that are gone, which old deals still name.
    assert missing == {("contactID", 30699), ("companyID", 29699999), ("ownerResourceID", 29682999), ("stage", 99), ("productID", 29682999)}
    whole = [
        row
        for row in tables["Opportunities"].values()
        if row["companyID"] in tables["Companies"]
        and row["contactID"] in tables["Contacts"]
        and row["ownerResourceID"] in tables["Resources"]
    ]
    assert len(tables["Opportunities"]) == 52
    assert len(whole) >= 40
    assert all(contact["companyID"] in tables["Companies"] for contact in tables["Contacts"].values())


async def test_the_seed_tells_the_service_arms_story(call: Caller) -> None:
    companies = (await call("POST", f"{ROOT}/Companies/query", ALL))["items"]
    resources = (await call("POST", f"{ROOT}/Resources/query", ALL))["items"]
    contacts = (await call("POST", f"{ROOT}/Contacts/query", ALL))["items"]
    opportunities = (await call("POST", f"{ROOT}/Opportunities/query", ALL))["items"]

    assert {"FJORD SHIPPING", "Atlantic Cranes Company", "Harbour Lines Ltd"} <= {company["companyName"] for company in companies}
    assert {resource["email"]: resource["isActive"] for resource in resources if resource["email"].endswith("@nordkai.example")} == {
        "ivo.brandt@nordkai.example": True,
        "priya.raman@nordkai.example": True,
        "sam.whitfield@nordkai.example": False,
    }
    assert {("Ole", "Lund"), ("Marcus", "Reed")} <= {(contact["firstName"], contact["lastName"]) for contact in contacts}
    assert {row["status"] for row in opportunities} == {0, 1, 2, 3, 4}
    assert {row["companyID"] for row in opportunities} >= {0, 174}
    assert max(len(row["title"]) for row in opportunities) == 128
    assert min(row["amount"] for row in opportunities) == 0 and max(row["amount"] for row in opportunities) == 2_400_000


async def test_nothing_in_the_seed_happens_after_its_day(call: Caller) -> None:
    for record in await call("GET", "/_sandbox/records"):
        past = [record.get(name, "") for name in ("startDate", "createDate", "lastActivity", "lostDate", "closedDate")]

        assert max(past) < "2026-11-21", record["title"]
        assert record["startDate"] <= record["projectedCloseDate"]


async def test_generated_opportunities_are_the_same_every_time() -> None:
    async with sandbox(scale=300) as first, sandbox(scale=300) as second:
        page = await first("POST", f"{ROOT}/Opportunities/query", ALL)
        again = await second("POST", f"{ROOT}/Opportunities/query", ALL)
        records = await first("GET", "/_sandbox/records")

    assert len(page["items"]) == 300
    assert page["items"] == again["items"]
    assert [record["id"] for record in records] == [item["id"] for item in page["items"]]
    assert {item["status"] for item in page["items"]} == {0, 1, 2, 3}
    assert len({item["ownerResourceID"] for item in page["items"]}) == 3


async def test_raw_records_are_those_that_are_kept(call: Caller) -> None:
    records = {record["id"]: record for record in await call("GET", "/_sandbox/records")}

    assert len(records) == 52
    assert records[29701402]["userDefinedFields"]["Crane hours per year"] == "4200"


@pytest.mark.parametrize("position", SANDBOX.positions(), ids=str)
async def test_every_position_of_the_options_answers(position: dict[str, OptionValue]) -> None:
    async with sandbox(position) as call:
        page = await call("POST", f"{ROOT}/Opportunities/query", {"filter": [{"op": "in", "field": "id", "value": [311, 312]}]})

        assert [int(item["id"]) for item in page["items"]] == [311, 312]
        assert call.running.options.keys() == OPTIONS.keys()
