"""What the adapter of Lead Gen & CRM sends, and what it makes of the vendor's errors and pages."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from tests.playground import Playground, playground
from tests.vendors.sharpspring.scripted_vendor import scripted
from vendors.capabilities import PageRequest
from vendors.errors import (
    ConflictError,
    CredentialsError,
    MalformedReplyError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
)
from vendors.model import EVERYTHING, UNREAD, Opportunity, Selection
from vendors.sharpspring.client import Client
from vendors.sharpspring.extension import SharpspringOpportunityFields
from vendors.sharpspring.settings import Settings

TITLES = Selection({"Opportunity": frozenset({"title"})})


@asynccontextmanager
async def ground(**options: Any) -> AsyncGenerator[tuple[Playground, Client], None]:
    async with playground("sharpspring", **options) as made:
        assert isinstance(made.crm.client, Client)
        yield made, made.crm.client


def page_of(size: int, position: str | None = None, selection: Selection = TITLES, *, deleted: bool = False) -> PageRequest:
    return PageRequest(size=size, position=position, selection=selection, include_deleted=deleted)


def sent(made: Playground, operation: str = "") -> list[dict[str, Any]]:
    return [json.loads(call.body)["params"] for call in made.control.calls if operation in call.operation]


async def titles(client: Client, size: int = 500) -> list[str]:
    return [row.record.title for row in (await client.opportunities_page(page_of(size))).rows]


def failing(code: object) -> dict[str, Any]:
    return {"result": None, "error": {"code": code, "message": "Vendor's words", "data": []}}


def listed(*ids: str, key: str = "opportunity") -> dict[str, Any]:
    return {"result": {key: [{"id": local_id, "opportunityName": f"Deal {local_id}"} for local_id in ids]}}


# Requests.


async def test_every_call_is_a_post_to_one_url_with_the_credentials_in_headers() -> None:
    async with scripted(lambda _: {"result": []}, account_id="A-1", secret_key="s3cret") as (vendor, client):
        await client.check()

        assert {frozenset(asked) for asked in vendor.asked} == {frozenset({"method", "params", "id"})}
        assert vendor.sent_as == {("POST", "/pubapi/v1.2/", "application/json", "A-1", "Bearer s3cret")}


async def test_a_page_asks_for_one_row_more_than_wanted_and_no_time_is_lost_on_tables_nobody_reads() -> None:
    async with ground() as (made, client):
        page = await client.opportunities_page(page_of(5))
        await client.opportunities_page(page_of(5, page.rows[2].position))

        assert made.control.operations() == ["getOpportunities"] * 2
        assert sent(made) == [{"where": {}, "limit": 6, "offset": 0}, {"where": {}, "limit": 7, "offset": 2}]


async def test_contacts_are_asked_for_with_the_fields_that_are_read() -> None:
    async with ground() as (made, client):
        found = await client.contacts_by_ids(["88038560001", "x", "9999"], Selection({"Contact": frozenset({"name"})}))

        assert list(found) == ["88038560001"]
        (params,) = sent(made)
        assert params["where"] == {"id": ["88038560001", "9999"]}
        assert params["fields"] == ["emailAddress", "firstName", "id", "lastName"]


async def test_ids_that_are_no_numbers_cost_no_call() -> None:
    async with ground() as (made, client):
        assert await client.opportunities_by_ids(["x", "", "٣"], TITLES) == {}  # the last is a digit, but no ASCII one
        assert await client.accounts_by_ids(["default"], EVERYTHING) == {}
        assert await client.contacts_by_ids([], EVERYTHING) == {}
        assert made.control.calls == []


# Answers.


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (101, RejectedRequestError),
        (103, CredentialsError),
        ("104", CredentialsError),
        (105, CredentialsError),
        (106, QuotaExceededError),
        (204, RejectedRequestError),
        (205, RejectedRequestError),
        (212, PermissionDeniedError),
        (301, ConflictError),
        (303, RejectedRequestError),
        (305, PermissionDeniedError),
        (404, NotFoundError),
        (4711, RejectedRequestError),
    ],
)
async def test_a_code_says_what_went_wrong_and_is_asked_for_once(code: object, kind: type[VendorError]) -> None:
    async with scripted(lambda _: failing(code)) as (vendor, client):
        with pytest.raises(VendorError) as caught:
            await client.opportunities_page(page_of(5))

        assert type(caught.value) is kind
        assert caught.value.vendor_code == str(code)
        assert "Vendor's words" not in str(caught.value)
        assert len(vendor.asked) == 1


@pytest.mark.parametrize("code", [107, 209, 222])
async def test_a_throttled_read_is_tried_again_after_a_second_or_more(code: int) -> None:
    answers = iter([failing(code), listed("7")])
    async with scripted(lambda _: next(answers)) as (vendor, client):
        page = await client.opportunities_page(page_of(5))

        assert [row.record.local_id for row in page.rows] == ["7"]
        assert 1.25 in vendor.pauses
        assert vendor.asked[0] == vendor.asked[1]


async def test_lasting_throttling_is_told_with_a_delay() -> None:
    async with scripted(lambda _: failing(107)) as (vendor, client):
        with pytest.raises(RateLimitedError) as caught:
            await client.opportunities_page(page_of(5))

        assert caught.value.retry_after_seconds == 1.25
        assert len(vendor.asked) == 3


async def test_an_unknown_error_of_the_vendor_is_tried_again() -> None:
    async with scripted(lambda _: failing(999)) as (vendor, client):
        with pytest.raises(UnavailableError):
            await client.opportunities_page(page_of(5))

        assert len(vendor.asked) == 3


@pytest.mark.parametrize("error", [None, [], {"code": None, "message": None, "data": None}, {"code": 302, "message": "m", "data": []}])
async def test_every_shape_of_success_is_one(error: object) -> None:
    async with scripted(lambda _: listed("7") | {"error": error}) as (_, client):
        assert await titles(client, 5) == ["Deal 7"]


async def test_a_list_of_errors_fails_a_read() -> None:
    async with scripted(lambda _: {"result": [], "error": [{"code": 106, "message": "m", "data": []}]}) as (_, client):
        with pytest.raises(QuotaExceededError):
            await client.opportunities_page(page_of(5))


async def test_an_answer_to_another_question_is_malformed_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with scripted(lambda _: listed("7") | {"id": "4711"}) as (vendor, client):
        with pytest.raises(MalformedReplyError):
            await client.opportunities_page(page_of(5))

        assert "with the id of another request" in caplog.text
        assert len(vendor.asked) == 1


async def test_the_id_of_a_request_may_come_back_as_a_number() -> None:
    async with scripted(lambda asked: listed("7") | {"id": int(asked["id"])}) as (_, client):
        assert await titles(client, 5) == ["Deal 7"]


async def test_different_questions_have_different_ids_and_the_same_question_the_same() -> None:
    async with scripted(lambda _: {"result": []}) as (vendor, client):
        for size in (5, 6, 5):
            await client.opportunities_page(page_of(size))

        first, second, third = (asked["id"] for asked in vendor.asked)
        assert first == third != second
        assert all(asked["id"].isdecimal() and len(asked["id"]) <= 15 for asked in vendor.asked)


@pytest.mark.parametrize("result", [None, {"one": [], "other": []}, {"opportunity": None}, "text", 7])
async def test_an_answer_without_rows_that_can_be_told_is_malformed(result: object) -> None:
    async with scripted(lambda _: {"result": result}) as (_, client):
        with pytest.raises(MalformedReplyError):
            await client.opportunities_page(page_of(5))


@pytest.mark.parametrize("body", ["[]", "", "Service temporarily unavailable, try again in a few minutes"])
async def test_a_body_that_is_no_envelope_is_malformed_and_asked_for_once(body: str) -> None:
    async with scripted(lambda _: web.Response(text=body)) as (vendor, client):
        with pytest.raises(MalformedReplyError):
            await client.opportunities_page(page_of(5))

        assert len(vendor.asked) == 1


async def test_a_401_with_a_text_is_wrong_credentials() -> None:
    async with scripted(lambda _: web.Response(status=401, text="Could not determine a clusterID")) as (_, client):
        with pytest.raises(CredentialsError):
            await client.check()


@pytest.mark.parametrize("has_more", [True, False, None])
async def test_what_the_vendor_says_of_more_rows_is_believed(has_more: bool | None) -> None:  # noqa: FBT001  # a row of the table
    """Without a word of it, a page that is not full is the last."""
    more = {} if has_more is None else {"hasMore": has_more}
    async with scripted(lambda _: listed("7", "8") | more) as (_, client):
        assert (await client.opportunities_page(page_of(5))).has_more is bool(has_more)
        assert (await client.opportunities_page(page_of(1))).has_more


# Pages.


async def test_a_larger_page_that_fails_is_asked_for_smaller_and_that_is_remembered(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with ground(options={"page_limit_500": "fails"}, scale=450) as (made, client):
        links = await client.opportunity_links([row.record for row in (await client.opportunities_page(page_of(20))).rows], EVERYTHING)
        users = await client.users_by_ids(["312000001"], EVERYTHING)

        assert len(links) == 20
        assert list(users) == ["312000001"]
        first, *others = [params["limit"] for params in sent(made, "getOpportunityLeads")]
        assert (first, set(others)) == (500, {200})
        assert [params["limit"] for params in sent(made, "getUserProfiles")] == [200]
        assert caplog.text.count("it is asked for 200") == 1


async def test_a_small_page_that_fails_is_not_asked_for_again() -> None:
    async with scripted(lambda _: web.Response(text="oops"), page_size=200) as (vendor, client):
        with pytest.raises(MalformedReplyError):
            await client.pipelines()

        assert [asked["params"]["limit"] for asked in vendor.asked] == [200]


async def test_a_table_longer_than_a_page_is_read_to_its_end() -> None:
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        offset = asked["params"]["offset"]
        ids = [str(7000 + number) for number in range(offset, min(offset + asked["params"]["limit"], 230))]
        return {"result": {"dealStage": [{"id": stage_id, "weight": 1} for stage_id in ids]}}

    async with scripted(answer, page_size=100) as (vendor, client):
        (pipeline,) = await client.pipelines()

        assert len(pipeline.stages) == 230
        assert [asked["params"]["offset"] for asked in vendor.asked] == [0, 100, 200]


async def test_rows_that_cannot_be_read_are_counted_and_keep_the_places_of_the_others() -> None:
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        rows: list[object] = [{"id": "1"}, {"id": {}}, {"id": "3"}, {"id": "4"}, "nonsense", {"id": "6"}]
        start, count = asked["params"]["offset"], asked["params"]["limit"]
        return {"result": {"opportunity": rows[start : start + count]}}

    async with scripted(answer) as (vendor, client):
        first = await client.opportunities_page(page_of(2))
        second = await client.opportunities_page(page_of(3, first.position))
        third = await client.opportunities_page(page_of(3, second.position))
        behind_three = await client.opportunities_page(page_of(3, second.rows[0].position))

        assert [([row.record.local_id for row in page.rows], page.dropped, page.has_more) for page in (first, second, third)] == [
            (["1"], 1, True),
            (["3", "4"], 1, True),
            (["6"], 0, False),
        ]
        assert [row.record.local_id for row in behind_three.rows] == ["4", "6"]
        assert len(vendor.asked) == 4


async def test_an_empty_list_has_no_position() -> None:
    async with scripted(lambda _: {"result": []}) as (_, client):
        page = await client.opportunities_page(page_of(2))

        assert (list(page.rows), page.has_more, page.position) == ([], False, None)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("gone", [[], [3], [10], [3, 10], [9, 10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [11]])
@pytest.mark.parametrize("come", [[], [1001, 1002]])
async def test_rows_that_come_and_go_between_two_pages_make_neither_gap_nor_repetition(
    gone: list[int],
    come: list[int],
    descending: bool,  # noqa: FBT001  # a row of the table
) -> None:
    """New rows have the greatest ids. `gone` are places in the list, of which the first ten were read."""
    ids = sorted(range(101, 131), reverse=descending)

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        start, count = asked["params"]["offset"], asked["params"]["limit"]
        return listed(*map(str, ids[start : start + count]))

    async with scripted(answer) as (_, client):
        first = await client.opportunities_page(page_of(10))
        expected = [place_id for place, place_id in enumerate(ids, 1) if place > 10 and place not in gone]
        expected += [] if descending else come
        ids[:] = sorted([*(place_id for place, place_id in enumerate(ids, 1) if place not in gone), *come], reverse=descending)

        found: list[int] = []
        position, has_more = first.position, first.has_more
        while has_more:
            page = await client.opportunities_page(page_of(10, position))
            found += [int(row.record.local_id) for row in page.rows]
            position, has_more = page.position, page.has_more

        assert first.rows[0].record.local_id == ("130" if descending else "101")
        assert found == expected


@pytest.mark.parametrize("page_size", [100, 500])
@pytest.mark.parametrize("descending", [False, True])
async def test_a_position_is_found_again_after_hundreds_of_rows_came_or_went_before_it(
    descending: bool,  # noqa: FBT001  # a row of the table
    page_size: int,
) -> None:
    ids = list(range(1200, 0, -1)) if descending else list(range(1, 1201))

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        start, count = asked["params"]["offset"], asked["params"]["limit"]
        return listed(*map(str, ids[start : start + count]))

    async with scripted(answer, page_size=page_size) as (_, client):
        position: str | None = None
        for _ in range(10):
            position = (await client.opportunities_page(page_of(80, position))).position
        ids[:] = list(range(2000, 0, -1)) if descending else list(range(790, 1201))

        page = await client.opportunities_page(page_of(5, position))

        assert position == ("800~401~desc" if descending else "800~800")
        expected = ["400", "399", "398", "397", "396"] if descending else ["801", "802", "803", "804", "805"]
        assert [row.record.local_id for row in page.rows] == expected[: len(page.rows)]
        assert page.rows
        assert page.has_more


@pytest.mark.parametrize(("deleted", "count"), [(False, 0), (True, 3)])
async def test_inactive_rows_are_left_out_unless_they_are_wanted(deleted: bool, count: int) -> None:  # noqa: FBT001  # a row of the table
    async with ground(options={"inactive_rows": "listed"}) as (_, client):
        page = await client.opportunities_page(page_of(100, deleted=deleted))

        assert sum(row.record.is_deleted for row in page.rows) == count


async def test_an_inactive_opportunity_is_read_by_its_id() -> None:
    async with ground() as (made, client):
        found = await client.opportunities_by_ids(["90531100457"], TITLES)

        record = found["90531100457"]
        assert isinstance(record, Opportunity)
        assert record.is_deleted
        assert made.control.operations() == ["getOpportunities"]


# Records.


async def test_links_are_read_with_an_opportunity_only_when_its_own_fields_show_them() -> None:
    links = Selection({"Opportunity": frozenset({"title", "extension"}), "SharpspringOpportunityFields": frozenset({"links"})})
    async with ground() as (made, client):
        (plain,) = (await client.opportunities_page(page_of(1))).rows
        assert plain.record.contact_refs is UNREAD
        assert made.control.count("getOpportunityLeads") == 0

        page = await client.opportunities_page(page_of(20, selection=links))
        by_id = await client.opportunities_by_ids([page.rows[1].record.local_id], links)

        record = page.rows[1].record
        assert isinstance(record.extension, SharpspringOpportunityFields)
        assert [(link.id, link.lead_ref and link.lead_ref.local_id) for link in record.extension.links or ()] == [
            ("39450200004", "88038560009"),
            ("39450200007", "88038560013"),
        ]
        assert record.contact_refs == tuple(link.lead_ref for link in record.extension.links or ())
        assert by_id[record.local_id] == record
        assert made.control.count("getOpportunityLeads") == 2


async def test_a_record_says_what_it_was_read_with() -> None:
    async with ground() as (_, client):
        partial = (await client.opportunities_page(page_of(1))).rows[0].record
        whole = (await client.opportunities_page(page_of(1, selection=EVERYTHING))).rows[0].record

        assert (partial.read_fields, whole.read_fields) == (frozenset({"title"}), None)
        assert (partial.pipeline_ref, whole.pipeline_ref) == (None, ("nordic", "default"))


async def test_version_1_speaks_the_zone_of_the_company() -> None:
    stamps = Selection({"Opportunity": frozenset({"created_at", "updated_at"})})
    options = {"opportunity_timestamps": "present"}
    old = {"api_version": "v1", "time_zone": "Europe/Oslo"}
    async with ground(options=options) as (_, client), ground(options=options, settings=old) as (made, speaks_local):
        expected = [row.record for row in (await client.opportunities_page(page_of(20, selection=stamps))).rows]
        found = [row.record for row in (await speaks_local.opportunities_page(page_of(20, selection=stamps))).rows]

        assert [record.created_at for record in found] == [record.created_at for record in expected]
        assert [record.updated_at for record in found] == [record.updated_at for record in expected]
        assert all(record.created_at for record in found)
        assert {call.path for call in made.control.calls} == {"/pubapi/v1/"}


async def test_the_currency_is_the_configured_one() -> None:
    async with ground() as (_, client), ground(settings={"currency": None}) as (_, without):
        assert await client.base_currency() == "NOK"
        assert await without.base_currency() is None
        amount = (await without.opportunities_page(page_of(1))).rows[0].record.amount
        assert amount is not None
        assert amount.currency is None


@pytest.mark.parametrize(
    "wrong",
    [{"currency": "kr"}, {"api_version": "v2"}, {"time_zone": "Oslo"}, {"time_zone": "../etc"}, {"page_size": 501}, {"account_id": ""}],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"account_id": "A", "secret_key": "S", **wrong})


async def test_small_tables_are_kept_and_a_new_user_is_found() -> None:
    users = ["1"]

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        return (
            {"result": {"userProfile": [{"id": user_id} for user_id in users]}} if asked["method"] == "getUserProfiles" else {"result": []}
        )

    async with scripted(answer) as (vendor, client):
        assert list(await client.users_by_ids(["1"], EVERYTHING)) == ["1"]
        await client.users_by_ids(["1"], EVERYTHING)
        for _ in range(2):
            await client.pipelines()
            await client.custom_field_definitions()

        assert [asked["method"] for asked in vendor.asked] == ["getUserProfiles", "getDealStages", "getFields"]


async def test_a_check_tells_which_method_fails_and_raises_when_all_do() -> None:
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        return failing(305) if asked["method"] == "getLeads" else {"result": []}

    async with scripted(answer) as (vendor, client), scripted(lambda _: failing(105)) as (_, refusing):
        checks = await client.check()

        assert {check.entity: type(check.error) for check in checks if check.error} == {"getLeads": PermissionDeniedError}
        assert len(checks) == 7
        assert {asked["params"]["limit"] for asked in vendor.asked} == {1}
        with pytest.raises(CredentialsError):
            await refusing.check()
