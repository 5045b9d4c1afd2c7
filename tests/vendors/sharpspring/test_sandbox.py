"""The sandbox's door: URL, credentials, envelope, limits. Source: Lead Gen & CRM Open API, overview, errors and limits."""

import json
from typing import Any

import aiohttp
import pytest

from tests.vendors.sharpspring.sandbox_caller import CREDENTIALS, Clocks, calling
from vendors.sandbox import start
from vendors.sharpspring.sandbox import SANDBOX
from vendors.sharpspring.sandbox.limits import CALLS_PER_DAY
from vendors.sharpspring.sandbox.routes import ACCOUNT_ID, LIMITS, SECRET_KEY

LIST_STAGES: dict[str, object] = {"method": "getDealStages", "params": {"where": {}}, "id": "q1"}
MALFORMED: list[tuple[object, int]] = [
    (b"{", 101),
    (b"[]", 101),
    ({**LIST_STAGES, "Method": "x"}, 101),
    ({"method": "getDealStages", "params": {"where": {}}}, 102),
    ({"params": {}, "id": "q1"}, 201),
    ({"method": "", "params": {}, "id": "q1"}, 201),
    ({"method": "getDealStages", "id": "q1"}, 202),
    ({"method": "getDealStages", "params": "where", "id": "q1"}, 202),
    ({"method": "getdealstages", "params": {"where": {}}, "id": "q1"}, 204),
    ({"method": "getUsers", "params": {"where": {}}, "id": "q1"}, 204),
    ({"method": "getDealStages", "params": {"where": {}, "Limit": 1}, "id": "q1"}, 205),
    ({"method": "getDealStages", "params": {"where": {}, "fields": ["id"]}, "id": "q1"}, 205),
    ({"method": "getDealStages", "params": [], "id": "q1"}, 206),
]
HEADERS = {"X-Account-Id": ACCOUNT_ID, "Authorization": f"Bearer {SECRET_KEY}"}


@pytest.mark.parametrize("version", ["v1", "v1/", "v1.2", "v1.2/"])
async def test_both_versions_answer_with_and_without_a_trailing_slash(version: str) -> None:
    async with calling() as caller:
        envelope = await caller.call("getDealStages", {"where": {}}, version=version)

        assert len(envelope["result"]["dealStage"]) == 8


async def test_credentials_in_headers_are_accepted() -> None:
    async with calling() as caller:
        response, _ = await caller.post(LIST_STAGES, query={}, headers=HEADERS)

        assert response.status == 200


async def test_the_query_string_wins_over_the_headers() -> None:
    async with calling() as caller:
        wrong_query, _ = await caller.post(LIST_STAGES, query={**CREDENTIALS, "secretKey": "wrong"}, headers=HEADERS)
        wrong_headers, _ = await caller.post(LIST_STAGES, headers={**HEADERS, "Authorization": "Bearer wrong"})

        assert (wrong_query.status, wrong_headers.status) == (401, 200)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ({**CREDENTIALS, "secretKey": "wrong"}, {}),
        ({"accountid": ACCOUNT_ID, "secretKey": SECRET_KEY}, {}),
        ({"accountID": ACCOUNT_ID}, {}),
        ({}, {**HEADERS, "Authorization": f"Basic {SECRET_KEY}"}),
    ],
)
async def test_wrong_credentials_are_a_401_with_a_plain_text(query: dict[str, str], headers: dict[str, str]) -> None:
    async with calling() as caller:
        response, text = await caller.post(LIST_STAGES, query=query, headers=headers)

        assert (response.status, response.content_type) == (401, "text/plain")
        assert "clusterID" in text
        assert "WWW-Authenticate" not in response.headers


async def test_an_anonymous_call_is_offered_a_scheme_that_is_not_supported() -> None:
    async with calling() as caller:
        response, _ = await caller.post(LIST_STAGES, query={})

        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == 'Basic realm="SharpSpring"'


@pytest.mark.parametrize(
    ("query", "code"),
    [({}, 103), ({"secretKey": SECRET_KEY}, 103), ({"accountID": ACCOUNT_ID}, 104), ({**CREDENTIALS, "accountID": "other"}, 105)],
)
async def test_wrong_credentials_can_be_a_code_in_the_envelope(query: dict[str, str], code: int) -> None:
    async with calling(auth_failure="105") as caller:
        response, text = await caller.post(LIST_STAGES, query=query)

        assert response.status == 200
        assert json.loads(text)["error"]["code"] == code


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/pubapi/v1.2/", 303), ("POST", "/pubapi/v2/", 307), ("GET", "/api", 303)])
async def test_unknown_paths_redirect_to_the_login_page(method: str, path: str, status: int) -> None:
    async with calling() as caller:
        async with caller.session.request(method, caller.sandbox.base_url + path, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (status, "/login")
        async with caller.session.get(f"{caller.sandbox.base_url}/login") as page:
            assert page.content_type == "text/html"


@pytest.mark.parametrize(("body", "code"), MALFORMED)
async def test_a_malformed_request_is_refused_with_its_code(body: object, code: int) -> None:
    async with calling() as caller:
        response, text = await caller.post(body)

        assert response.status == 200
        envelope = json.loads(text)
        assert (envelope["result"], envelope["error"]["code"]) == (None, code)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
async def test_the_content_type_does_not_matter(content_type: str) -> None:
    async with calling() as caller:
        response, text = await caller.post(json.dumps(LIST_STAGES).encode(), headers={"Content-Type": content_type})

        assert response.status == 200
        assert json.loads(text)["error"] is None


@pytest.mark.parametrize("request_id", ["", "c0ffee-0001", 17])
async def test_the_request_id_is_echoed(request_id: str | int) -> None:
    async with calling() as caller:
        _, text = await caller.post({**LIST_STAGES, "id": request_id})

        assert json.loads(text)["id"] == request_id


async def test_the_request_id_may_come_back_as_a_number() -> None:
    async with calling(scalars="number") as caller:
        _, digits = await caller.post({**LIST_STAGES, "id": "17"})
        _, padded = await caller.post({**LIST_STAGES, "id": "007"})

        assert (json.loads(digits)["id"], json.loads(padded)["id"]) == (17, "007")


@pytest.mark.parametrize(("shape", "error"), [("null", None), ("list", []), ("members", {"code": None, "message": None, "data": None})])
async def test_the_error_of_a_success_has_three_shapes(shape: str, error: object) -> None:
    async with calling(success_error=shape) as caller:
        envelope = await caller.call("getDealStages", {"where": {}})

        assert envelope["error"] == error


async def test_an_empty_map_may_be_written_as_a_list() -> None:
    async with calling(empty_map="list") as caller:
        nothing = await caller.call("getOpportunity", {"id": "1"})
        refused = await caller.call("getNothing", {})
        unexplained = await caller.call("createLeads", {"objects": []})

        assert nothing["result"] == []
        assert refused["result"] == []
        assert unexplained["error"]["data"] == []


async def test_calls_are_counted_in_the_answer_as_texts() -> None:
    async with calling() as caller:
        await caller.call("getDealStages", {"where": {}})
        envelope = await caller.call("getDealStages", {"where": {}})

        assert (envelope["callCount"], envelope["queryLimit"]) == ("2", "50000")


async def test_the_count_of_calls_may_be_absent() -> None:
    async with calling(call_count="off") as caller:
        envelope = await caller.call("getDealStages", {"where": {}})

        assert envelope.keys() == {"result", "error", "id", "hasMore"}


async def test_ten_calls_a_second_are_let_through_and_more_are_code_107() -> None:
    clocks = Clocks(step=0)
    async with calling(clocks=clocks) as caller:
        for _ in range(10):
            await caller.rows("getDealStages", where={})

        eleventh = await caller.code("getDealStages", {"where": {}})
        clocks.seconds += 0.1
        refilled = await caller.rows("getDealStages", where={})
        again = await caller.code("getDealStages", {"where": {}})

        assert (eleventh, len(refilled), again) == (107, 8, 107)


async def test_the_bucket_holds_no_more_than_ten_calls() -> None:
    clocks = Clocks(step=0)
    async with calling(clocks=clocks) as caller:
        clocks.seconds += 3_600

        errors = [(await caller.call("getDealStages", {"where": {}}))["error"] for _ in range(12)]

        assert [error and error["code"] for error in errors] == [None] * 10 + [107, 107]


async def test_the_limit_per_second_can_be_switched_off() -> None:
    async with calling(clocks=Clocks(step=0), rate_limit="off") as caller:
        for _ in range(25):
            assert await caller.rows("getDealStages", where={})


@pytest.mark.parametrize(("unit", "code"), [("requests", None), ("objects", 107)])
async def test_the_limit_per_second_may_count_objects(unit: str, code: int | None) -> None:
    async with calling(clocks=Clocks(step=0), rate_unit=unit) as caller:
        await caller.write("updateOpportunities", *({"id": str(number)} for number in range(10)))

        envelope = await caller.call("getDealStages", {"where": {}})

        assert (envelope["error"] and envelope["error"]["code"]) == code


async def test_the_daily_limit_is_code_106_until_the_next_day() -> None:
    async with calling() as caller:
        caller.sandbox.app[LIMITS].calls_today = CALLS_PER_DAY - 1

        last = await caller.rows("getDealStages", where={})
        over = await caller.code("getDealStages", {"where": {}})
        caller.clocks.forward(hours=12)
        tomorrow = await caller.call("getDealStages", {"where": {}})

        assert (len(last), over, tomorrow["callCount"]) == (8, 106, "1")


async def test_wrong_credentials_do_not_use_up_calls() -> None:
    async with calling(clocks=Clocks(step=0)) as caller:
        for _ in range(15):
            await caller.post(LIST_STAGES, query={**CREDENTIALS, "secretKey": "wrong"})

        assert await caller.rows("getDealStages", where={})


async def test_calls_are_logged_by_the_method_they_name() -> None:
    async with calling() as caller:
        await caller.rows("getDealStages", where={})
        await caller.call("getNothing", {})
        await caller.session.get(f"{caller.sandbox.base_url}/api", allow_redirects=False)

        assert caller.sandbox.control.operations() == ["getDealStages", "getNothing", "GET /api"]


async def test_the_settings_open_the_door() -> None:
    sandbox = await start(SANDBOX)
    try:
        settings = sandbox.settings
        query = {"accountID": str(settings["account_id"]), "secretKey": str(settings["secret_key"])}
        url = f"{settings['base_url']}/pubapi/{settings['api_version']}/"
        async with aiohttp.ClientSession() as session, session.post(url, params=query, json=LIST_STAGES) as response:
            envelope: dict[str, Any] = await response.json()

        assert len(envelope["result"]["dealStage"]) == 8
        assert settings["currency"] == "NOK"
    finally:
        await sandbox.stop()
