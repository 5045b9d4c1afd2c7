"""Connectors of Apideck that lack something: pages, pipelines, filters, or relations in filtered lists."""

from typing import Any

import pytest
from aiohttp import web

from tests.playground import playground
from tests.vendors.apideck.listing import COMPANY, TITLES, asking, by, client_of, ids_of
from tests.vendors.apideck.scripted_vendor import Json, numbered, refusal, rows, scripted
from vendors.calls import recording
from vendors.errors import UnavailableError, UnsupportedError
from vendors.model import EVERYTHING, Opportunity, Selection
from vendors.query import Field
from vendors.sandbox import Fault

PLACED = Selection({"Opportunity": frozenset({"title", "pipeline_ref", "stage_ref"})})


# Connectors without paging.


def unpaged(path: str, query: dict[str, str]) -> Json | web.Response:
    if query.keys() & {"limit", "cursor"}:
        return refusal(501, "PaginationNotSupportedError")
    return rows([{"id": f"{path}{number}", "emails": [], "company_id": "co", "stages": []} for number in range(30)])


async def test_every_list_of_a_connector_without_paging_is_read_whole_and_that_is_remembered() -> None:
    async with scripted(unpaged) as (made, client):
        deals = await client.opportunities_page(asking(20))
        more = await client.opportunities_page(asking(20, position=deals.position))
        users = await client.users_by_ids(["users3"], EVERYTHING)
        accounts = await client.accounts_by_ids([f"companies{number}" for number in range(5)], EVERYTHING)
        contacts = await client.contacts_page(asking(40, by(Field.ACCOUNT, "co")))
        pipelines = await client.pipelines()
        limits = [(path, query.get("limit")) for path, query in made.asked]
        made.asked.clear()
        checks = await client.check()

    assert ids_of(deals) + ids_of(more) == [f"opportunities{number}" for number in range(30)]
    assert (deals.has_more, more.has_more) == (True, False)
    assert (len(users), len(accounts), len(contacts.rows), len(pipelines)) == (1, 5, 30, 30)
    assert limits == [
        *(("opportunities", limit) for limit in ("20", None, None)),
        *(("users", limit) for limit in ("200", None)),
        *(("companies", limit) for limit in ("200", None)),
        *(("contacts", limit) for limit in ("40", None)),
        ("pipelines", None),
    ]
    assert [check.error for check in checks] == [None] * 5
    assert all("limit" not in query for query in made.queries())


async def test_pipelines_are_read_whole_without_a_limit() -> None:
    ids = [f"p{number}" for number in range(45)]
    async with scripted(lambda _, query: numbered(ids, query)) as (made, client):
        pipelines = await client.pipelines()

    assert [pipeline.local_id for pipeline in pipelines] == ids
    assert made.queries() == [{}, {"cursor": "page-1"}, {"cursor": "page-2"}]


# Connectors without pipelines.


def without_pipelines(status: int, type_name: str) -> Any:
    def answer(path: str, _: dict[str, str]) -> Json | web.Response:
        if path == "pipelines":
            return refusal(status, type_name)
        deals: list[Json] = [{"id": "1", "pipeline_stage_id": "s"}, {"id": "2", "pipeline_id": "p", "pipeline_stage_id": "s"}]
        return rows(deals)

    return answer


@pytest.mark.parametrize(
    ("status", "type_name"), [(501, "ConnectorOperationUnsupportedError"), (404, "ConnectorMappingNotFoundError"), (403, "")]
)
async def test_deals_are_shown_where_pipelines_cannot_be_read(status: int, type_name: str) -> None:
    async with scripted(without_pipelines(status, type_name)) as (_, client):
        with recording() as recorder:
            page = await client.opportunities_page(asking(5, selection=PLACED))
        if status != 403:
            with pytest.raises(UnsupportedError):
                await client.pipelines()

    assert [(row.record.pipeline_ref, row.record.stage_ref) for row in page.rows] == [
        (None, None),
        (("am", "p"), ("am", "p~s")),
    ]
    assert [warned.code for warned in recorder.warnings] == ["STAGE_WITHOUT_PIPELINE"]


async def test_pipelines_that_fail_for_now_leave_no_wrong_nulls() -> None:
    async with scripted(without_pipelines(503, "")) as (_, client):
        with pytest.raises(UnavailableError):
            await client.opportunities_page(asking(5, selection=PLACED))


async def test_pipelines_are_read_only_for_deals_that_lack_theirs() -> None:
    async with scripted(lambda _path, _query: rows([{"id": "2", "pipeline_id": "p", "pipeline_stage_id": "s"}])) as (made, client):
        await client.opportunities_page(asking(5, selection=PLACED))

    assert made.paths() == ["opportunities"]


# Lists of a company.


async def test_filters_that_opportunities_lack_may_work_for_contacts() -> None:
    def answer(path: str, query: dict[str, str]) -> Json | web.Response:
        if path == "opportunities" and "filter[company_id]" in query:
            return refusal(400, "UnsupportedFiltersError")
        return rows([{"id": "1", "company_id": "co"}, {"id": "2", "company_id": "other"}])

    async with scripted(answer) as (made, client):
        deals = await client.opportunities_page(asking(5, by(Field.ACCOUNT, "co")))
        contacts = await client.contacts_page(asking(5, by(Field.ACCOUNT, "co")))
        first = made.queries()
        made.asked.clear()
        await client.opportunities_page(asking(5, by(Field.ACCOUNT, "co")))

    assert (ids_of(deals), len(contacts.rows)) == (["1"], 2)
    assert [query.get("filter[company_id]") for query in first] == ["co", None, "co"]
    assert first[1] == {"limit": "200", "fields": "company_id,deleted,id,title"}
    assert [query.get("filter[company_id]") for query in made.queries()] == [None]


async def test_a_list_that_is_looked_through_is_read_in_portions_and_goes_on_unfiltered_elsewhere() -> None:
    def answer(_: str, query: dict[str, str]) -> Json | web.Response:
        if "filter[company_id]" in query:
            return refusal(501, "UnsupportedFiltersError")
        number = int(query.get("cursor", "0"))
        return rows([{"id": f"d{number}", "company_id": "co" if number in {3, 12, 13} else "x"}], str(number + 1) if number < 14 else None)

    async with scripted(answer) as (made, client), scripted(answer) as (other, elsewhere):
        first = await client.opportunities_page(asking(2, by(Field.ACCOUNT, "co")))
        asked = len(made.asked)
        second = await elsewhere.opportunities_page(asking(1, by(Field.ACCOUNT, "co"), position=first.position))
        third = await elsewhere.opportunities_page(asking(5, by(Field.ACCOUNT, "co"), position=second.position))

    assert (ids_of(first), first.has_more, asked) == (["d3"], True, 11)
    assert (ids_of(second), ids_of(third), third.has_more) == (["d12"], ["d13"], False)
    assert not any("filter[company_id]" in query for query in other.queries())


RELATIONS = Selection({"Opportunity": frozenset({"title", "contact_refs"}), "ApideckOpportunityFields": frozenset()})
ACCOUNTS = Selection({"Opportunity": frozenset({"title", "account_ref", "account_refs"}), "ApideckOpportunityFields": frozenset()})
LEADS = Selection({"Opportunity": frozenset({"title", "extension"}), "ApideckOpportunityFields": frozenset({"lead_id"})})


@pytest.mark.parametrize(
    ("selection", "is_read_again"), [(RELATIONS, True), (LEADS, True), (EVERYTHING, True), (ACCOUNTS, False), (TITLES, False)]
)
async def test_what_filters_leave_out_is_read_again_only_when_the_filter_does_not_tell_it(
    selection: Selection, *, is_read_again: bool
) -> None:
    async with playground("apideck") as made:
        client = client_of(made)
        listed = await client.opportunities_page(asking(100, selection=selection))
        mine = {
            row.record.ref
            for row in (await client.opportunities_page(asking(100, selection=ACCOUNTS))).rows
            if row.record.account_ref == ("americas", COMPANY)
        }
        made.control.calls.clear()

        page = await client.opportunities_page(asking(20, by(Field.ACCOUNT, COMPANY), selection=selection))
        queries = [dict(call.query) for call in made.control.calls]

    assert len(queries) == 1 + is_read_again
    assert (queries[0].get("fields") == "deleted,id") is is_read_again
    assert len(page.rows) > 2
    whole = {row.record.ref: row.record for row in listed.rows}
    assert {row.record.ref for row in page.rows} == mine
    for record in (row.record for row in page.rows):
        for name in selection.of("Opportunity") or Opportunity.__dataclass_fields__:
            assert getattr(record, name) == getattr(whole[record.ref], name), name


async def test_other_connectors_lists_of_a_company_are_one_call() -> None:
    async with scripted(lambda _path, _query: rows([{"id": str(number), "contact_ids": ["c"]} for number in range(5)])) as (made, client):
        page = await client.opportunities_page(asking(5, by(Field.ACCOUNT, "co"), selection=RELATIONS))

    assert made.paths() == ["opportunities"]
    assert all(row.record.contact_refs == (("am", "c"),) for row in page.rows)


async def test_a_deal_that_goes_away_before_it_is_read_again_is_left_out_and_an_error_is_told() -> None:
    def answer(path: str, _: dict[str, str]) -> Json | web.Response:
        return rows([{"id": "1"}, {"id": "2"}]) if path == "opportunities" else {"data": {"id": "1"}} if path.endswith("/1") else status

    async with scripted(answer, service_id="hubspot") as (_, client):
        status = refusal(404, "EntityNotFoundError")
        page = await client.opportunities_page(asking(5, by(Field.ACCOUNT, "co"), selection=RELATIONS))
        assert ids_of(page) == ["1"]

        status = refusal(501, "MappingError")
        with pytest.raises(UnsupportedError):
            await client.opportunities_page(asking(5, by(Field.ACCOUNT, "co"), selection=RELATIONS))


async def test_an_unreadable_row_counts_as_one_of_those_asked_for() -> None:
    async with playground("apideck") as made:
        client = client_of(made)
        made.control.faults.append(Fault(kind="bad_row", match="opportunitiesAll", times=1))

        page = await client.opportunities_page(asking(10))

    assert (len(page.rows), page.dropped, page.has_more, made.control.count()) == (9, 1, True, 1)
