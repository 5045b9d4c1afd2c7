"""Every position of the Apideck sandbox's options, its budgets, and its big variant."""

from typing import Any

import pytest

from tests.vendors.apideck.sandbox_caller import Caller, calling
from vendors.apideck.sandbox import SANDBOX, STORE

DEAL = "/crm/opportunities/9017442103"
PARKED = "Parked"


class Clock:
    """A clock that the test turns."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def limit(caller: Caller, *, requests: int) -> tuple[Clock, Clock]:
    limits = caller.running.app[STORE].limits
    monotonic, wall = Clock(100.0), Clock(1_795_000_000.5)
    limits.requests, limits.clock, limits.wall_clock = requests, monotonic, wall
    return monotonic, wall


async def by_id(caller: Caller, key: str) -> Any:
    return (await caller.get(f"/crm/opportunities/{key}")).data


async def test_the_settings_are_those_the_sandbox_checks() -> None:
    async with calling() as apideck:
        settings = apideck.running.settings

        words = {"won_status": "closedwon", "lost_status": "closedlost", "open_status": "open"}
        assert settings.keys() == {"base_url", "api_key", "app_id", "consumer_id", "service_id", *words}
        assert settings.items() >= words.items()
        headers = {
            "Authorization": f"Bearer {settings['api_key']}",
            "x-apideck-app-id": str(settings["app_id"]),
            "x-apideck-consumer-id": str(settings["consumer_id"]),
            "x-apideck-service-id": str(settings["service_id"]),
        }
        assert (await apideck.call("GET", "/crm/users", headers=headers)).status == 200


async def test_the_total_count_can_be_absent() -> None:
    async with calling({"total_count": "absent"}) as apideck:
        meta = (await apideck.get("/crm/opportunities")).body["meta"]

    assert "total_count" not in meta
    assert meta["cursors"]["next"] is not None


async def test_pipelines_never_have_a_total_count() -> None:
    async with calling() as apideck:
        assert "total_count" not in (await apideck.get("/crm/pipelines")).body["meta"]


async def test_unmapped_fields_are_null_by_default_and_can_be_absent() -> None:
    async with calling() as apideck:
        with_nulls = await by_id(apideck, "9017442104")
    async with calling({"nulls": "absent"}) as apideck:
        without = await by_id(apideck, "9017442104")
        pages = [await apideck.get(f"/crm/{name}", limit="200") for name in ("users", "companies", "contacts", "pipelines")]

    assert with_nulls["loss_reason"] is None
    assert {key: value for key, value in with_nulls.items() if value is not None} == without
    assert len(without) < len(with_nulls)
    assert all(value is not None for page in pages for row in page.data for value in row.values())


async def test_stages_have_ids_of_their_own_by_default() -> None:
    async with calling() as apideck:
        pipelines = (await apideck.get("/crm/pipelines")).data

    ids = [stage["id"] for pipeline in pipelines for stage in pipeline["stages"]]
    assert None not in ids
    assert len(ids) == len(set(ids))


async def test_stage_ids_can_repeat_in_every_pipeline() -> None:
    async with calling({"stage_ids": "repeated"}) as apideck:
        pipelines = (await apideck.get("/crm/pipelines")).data
        won, done = await by_id(apideck, "9017442129"), await by_id(apideck, "9017442131")

    assert [stage["id"] for stage in pipelines[0]["stages"]] == ["1", "2", "3", "4", "5", "6", "7"]
    assert [stage["id"] for stage in pipelines[1]["stages"]] == ["1", "2", "3", "4", "5", "6"]
    assert (won["pipeline_id"], won["pipeline_stage_id"]) == ("default", "6")
    assert (done["pipeline_id"], done["pipeline_stage_id"]) == ("74215630", "5")


async def test_stages_without_ids_are_named_by_value_or_name() -> None:
    async with calling({"stage_ids": "null"}) as apideck:
        stages = [stage for pipeline in (await apideck.get("/crm/pipelines")).data for stage in pipeline["stages"]]
        deals = (await apideck.get("/crm/opportunities", limit="200")).data
        await apideck.call("PATCH", DEAL, body={"title": "x", "pipeline_id": "74215630", "pipeline_stage_id": PARKED})
        moved = await by_id(apideck, "9017442103")

    assert {stage["id"] for stage in stages} == {None}
    assert [stage["name"] for stage in stages if stage["value"] is None] == [PARKED]
    known = {stage["value"] or stage["name"] for stage in stages}
    assert [deal["id"] for deal in deals if deal["pipeline_stage_id"] not in known] == ["9017442152"]
    assert sum(deal["pipeline_stage_id"] == PARKED for deal in deals) == 2
    assert moved["pipeline_stage_id"] == PARKED


@pytest.mark.parametrize(("form", "kind"), [("object", dict), ("string", str)])
async def test_the_detail_of_an_error_has_either_form(form: str, kind: type) -> None:
    async with calling({"error_detail": form}) as apideck:
        answers = [
            await apideck.get("/crm/opportunities", limit="0"),
            await apideck.get("/crm/opportunities/1"),
            await apideck.call("GET", "/crm/users", headers={"Authorization": None}),
            await apideck.call("PATCH", DEAL, body={"title": "x", "owner_id": "1"}),
            await apideck.get("/crm/pipelines/default"),
        ]

    assert [answer.status for answer in answers] == [400, 404, 401, 400, 501]
    assert all(isinstance(answer.body["detail"], kind) for answer in answers)


async def test_requests_beyond_the_window_are_refused_until_it_ends() -> None:
    async with calling() as apideck:
        monotonic, _ = limit(apideck, requests=2)

        first, second, third = [await apideck.get("/crm/users") for _ in range(3)]
        monotonic.now += 10
        later = await apideck.get("/crm/users")

    assert [answer.status for answer in (first, second, third, later)] == [200, 200, 429, 200]
    assert [answer.headers["x-downstream-ratelimit-remaining"] for answer in (first, second, third, later)] == ["1", "0", "0", "1"]
    assert (third.body["type_name"], third.body["error"]) == ("ConnectorRateLimitError", "Too Many Requests")
    assert third.body["detail"].keys() == {"context", "error"}


async def test_refused_credentials_use_up_no_window() -> None:
    async with calling() as apideck:
        limit(apideck, requests=1)
        await apideck.call("GET", "/crm/users", headers={"Authorization": None})

        assert (await apideck.get("/crm/users")).status == 200


@pytest.mark.parametrize(
    ("unit", "reset", "retry_after"),
    [("seconds", "1795000011", None), ("milliseconds", "1795000010500", None), ("retry_after", None, "10")],
)
async def test_a_429_tells_when_the_window_ends(unit: str, reset: str | None, retry_after: str | None) -> None:
    async with calling({"rate_limit_reset": unit}) as apideck:
        limit(apideck, requests=1)
        await apideck.get("/crm/users")

        answer = await apideck.get("/crm/users")

    assert answer.status == 429
    assert answer.headers["x-downstream-ratelimit-limit"] == "1"
    assert answer.headers.get("x-downstream-ratelimit-reset") == reset
    assert answer.headers.get("Retry-After") == retry_after


async def test_a_used_up_plan_answers_402_with_a_text() -> None:
    async with calling() as apideck:
        apideck.running.app[STORE].limits.quota = 1
        answers = [await apideck.get("/crm/users") for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 402]
    assert answers[1].body["type_name"] == "RequestLimitError"
    assert isinstance(answers[1].body["detail"], str)


async def test_the_last_page_can_come_without_meta() -> None:
    async with calling({"last_page": "no_meta"}) as apideck:
        first = await apideck.get("/crm/opportunities", limit="40")
        last = await apideck.get("/crm/opportunities", limit="40", cursor=first.body["meta"]["cursors"]["next"])

    assert "meta" not in last.body
    assert "links" not in last.body
    assert len(first.data) + len(last.data) == 55


async def test_a_short_page_is_not_the_last_one() -> None:
    async with calling({"pages": "short"}) as apideck:
        pages = await apideck.pages("/crm/opportunities", {"limit": "20"})

    assert [len(page.data) for page in pages] == [10, 10, 10, 10, 10, 5]


@pytest.mark.parametrize("status", [400, 501])
async def test_a_connector_may_neither_filter_nor_sort(status: int) -> None:
    async with calling({"filters": "unsupported", "sorts": "unsupported", "unsupported_status": status}) as apideck:
        filtered = await apideck.call("GET", "/crm/opportunities", params={"filter[status]": "open"})
        ordered = await apideck.call("GET", "/crm/contacts", params={"sort[by]": "name"})
        plain = await apideck.get("/crm/opportunities")

    assert (filtered.status, filtered.body["type_name"]) == (status, "UnsupportedFiltersError")
    assert (ordered.status, ordered.body["type_name"]) == (status, "UnsupportedSortFieldError")
    assert plain.status == 200


async def test_a_connector_may_filter_and_not_sort_or_sort_and_not_filter() -> None:
    for options, wanted in (({"sorts": "unsupported"}, [200, 400]), ({"filters": "unsupported"}, [400, 200])):
        async with calling(options) as apideck:
            filtered = await apideck.call("GET", "/crm/opportunities", params={"filter[status]": "open"})
            ordered = await apideck.call("GET", "/crm/opportunities", params={"sort[by]": "created_at"})

        assert [filtered.status, ordered.status] == wanted


async def test_a_filtered_list_can_have_its_relations() -> None:
    async with calling({"filtered_relations": "present"}) as apideck:
        answer = await apideck.call("GET", "/crm/opportunities", params={"filter[company_id]": "6214407306"})

    assert {row["company_id"] for row in answer.data} == {"6214407306"}
    assert answer.data[0]["contact_ids"] == ["401", "402"]


async def test_a_text_filter_can_want_the_whole_text() -> None:
    async with calling({"text_filter": "equals"}) as apideck:
        part = await apideck.call("GET", "/crm/opportunities", params={"filter[title]": "Deck lighting"})
        whole = await apideck.call("GET", "/crm/opportunities", params={"filter[title]": "deck lighting 2027"})

    assert (len(part.data), len(whole.data)) == (0, 1)


async def test_pipelines_may_refuse_paging() -> None:
    async with calling({"pipelines_paging": "refused"}) as apideck:
        limited = await apideck.get("/crm/pipelines", limit="200")
        plain = await apideck.get("/crm/pipelines")

    assert (limited.status, limited.body["type_name"]) == (400, "PaginationNotSupportedError")
    assert len(plain.data) == 3


async def test_pipelines_are_paged_otherwise() -> None:
    async with calling() as apideck:
        pages = await apideck.pages("/crm/pipelines", {"limit": "2"})

    assert [len(page.data) for page in pages] == [2, 1]


async def test_bodies_can_differ_from_the_status_line_as_the_examples_do() -> None:
    async with calling({"body_status": "examples"}) as apideck:
        created = await apideck.call("POST", "/crm/opportunities", body={"title": "x"})
        deleted = await apideck.call("DELETE", f"/crm/opportunities/{created.data['id']}")
        missing = await apideck.get("/crm/opportunities/1")

    assert (created.status, created.body["status_code"], created.body["resource"]) == (201, 200, "opportunities")
    assert (deleted.status, deleted.body["resource"]) == (200, "companies")
    assert (missing.status, missing.body["status_code"]) == (404, 400)


async def test_opportunities_can_come_with_warnings() -> None:
    async with calling({"warnings": "present", "last_page": "no_meta"}) as apideck:
        answers = [await apideck.get("/crm/opportunities"), await apideck.get("/crm/opportunities", limit="200"), await apideck.get(DEAL)]
        contacts = await apideck.get("/crm/contacts")

    for answer in answers:
        assert [warning.keys() for warning in answer.body["meta"]["warnings"]] == [{"type", "status_code", "error", "operation", "message"}]
    assert "warnings" not in contacts.body.get("meta", {})


async def test_a_deleted_opportunity_can_stay_flagged() -> None:
    async with calling({"after_delete": "flagged"}) as apideck:
        await apideck.call("DELETE", DEAL)
        await apideck.call("DELETE", "/crm/contacts/801")
        deal, contact = await apideck.get(DEAL), await apideck.get("/crm/contacts/801")
        again = await apideck.call("DELETE", DEAL)

    assert (deal.status, deal.data["deleted"], again.status) == (200, True, 422)
    assert contact.status == 404


async def test_a_move_can_leave_the_status_alone() -> None:
    async with calling({"status_after_move": "kept"}) as apideck:
        await apideck.call("POST", "/_sandbox/move", body={"id": "9017442103", "stage": "closedwon"})
        moved = await by_id(apideck, "9017442103")

    assert (moved["pipeline_stage_id"], moved["status"], moved["win_probability"]) == ("closedwon", "open", 20)


@pytest.mark.parametrize(
    ("way", "kept"),
    [
        ("merged", [{"id": "dock_slot", "name": "Dock slot", "description": None, "value": "x"}, {"name": "Coats", "value": 4}]),
        ("replaced", [{"name": "Coats", "value": 4}, {"id": "dock_slot", "value": "x"}]),
    ],
)
async def test_custom_fields_of_an_update_are_merged_or_replace_all(way: str, kept: list[dict[str, Any]]) -> None:
    async with calling({"custom_fields": way}) as apideck:
        given = [{"name": "Coats", "value": 4}, {"id": "dock_slot", "value": "x"}]
        await apideck.call("PATCH", "/crm/opportunities/9017442105", body={"title": "x", "custom_fields": given})
        read = (await by_id(apideck, "9017442105"))["custom_fields"]
        await apideck.call("PATCH", "/crm/opportunities/9017442105", body={"title": "x", "custom_fields": [{"name": "New", "value": 1}]})
        grown = (await by_id(apideck, "9017442105"))["custom_fields"]

    assert [{key: value for key, value in entry.items() if key in want} for entry, want in zip(read, kept, strict=True)] == kept
    assert len(grown) == (3 if way == "merged" else 1)


async def test_a_primary_contact_may_be_required_of_new_deals() -> None:
    async with calling({"primary_contact": "required"}) as apideck:
        bodies: list[dict[str, Any]] = [{}, {"primary_contact_id": None}, {"contact_ids": ["101"]}]
        refused = [await apideck.call("POST", "/crm/opportunities", body={"title": "x", **body}) for body in bodies]
        created = await apideck.call("POST", "/crm/opportunities", body={"title": "x", "primary_contact_id": "101"})
        changed = await apideck.call("PATCH", DEAL, body={"title": "x"})
        settings = apideck.running.settings

    missing = {"missing": [{"primary_contact_id": "required"}]}
    assert [(answer.status, answer.body["detail"]) for answer in refused] == [(400, missing)] * 3
    assert (created.status, changed.status) == (201, 200)
    assert settings["require_primary_contact"] is True


async def test_scale_makes_the_same_opportunities_each_time() -> None:
    rows: list[Any] = []
    companies: set[str] = set()
    for _ in range(2):
        async with calling(scale=450) as apideck:
            rows.append([row for page in await apideck.pages("/crm/opportunities", {"limit": "200"}) for row in page.data])
            companies = {row["id"] for row in (await apideck.get("/crm/companies", limit="200")).data}

    assert rows[0] == rows[1]
    assert len(rows[0]) == len({row["id"] for row in rows[0]}) == 450
    assert {row["company_id"] for row in rows[0]} <= companies
    assert len({row["owner_id"] for row in rows[0]}) == 5
    assert len({row["pipeline_stage_id"] for row in rows[0]}) == 13


async def test_a_search_reaches_ten_thousand_rows_and_no_more() -> None:
    async with calling(scale=10_300) as apideck:
        pages = await apideck.pages("/crm/opportunities", {"limit": "200", "sort[by]": "created_at"})
        unfiltered = await apideck.pages("/crm/opportunities", {"limit": "200"})

    assert sum(len(page.data) for page in pages) == 10_000
    assert sum(len(page.data) for page in unfiltered) == 10_300


async def test_state_does_not_outlive_a_run() -> None:
    for _ in range(2):
        async with calling() as apideck:
            assert (await apideck.get(DEAL)).status == 200
            await apideck.call("DELETE", DEAL)


def test_every_option_is_explained_and_has_a_hard_position() -> None:
    assert all(option.meaning for option in SANDBOX.options.values())
    assert len(SANDBOX.positions(pushes=True)) == 2 + sum(len(option.values) - 1 for option in SANDBOX.options.values())
