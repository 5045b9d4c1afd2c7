"""How Apideck's lists are walked: places that outlive changes, cursors and ids of any characters, connectors without pages or filters."""

from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from tests.playground import playground
from tests.vendors.apideck.scripted_vendor import Json, numbered, refusal, rows, scripted
from vendors.apideck.client import Client
from vendors.apideck.pages import Place
from vendors.apideck.sandbox import STORE
from vendors.calls import recording
from vendors.capabilities import Page, PageRequest
from vendors.errors import MalformedReplyError, UnavailableError, UnsupportedError
from vendors.model import EVERYTHING, Opportunity, Selection
from vendors.query import Condition, Field, Operator
from vendors.sandbox import Fault

TITLES = Selection({"Opportunity": frozenset({"title"}), "Contact": frozenset({"name"})})
PLACED = Selection({"Opportunity": frozenset({"title", "pipeline_ref", "stage_ref"})})


def page_of(size: int, position: str | None = None, selection: Selection = TITLES, where: tuple[Condition, ...] = ()) -> PageRequest:
    return PageRequest(size=size, position=position, selection=selection, where=where)


def of_company(company_id: str) -> tuple[Condition, ...]:
    return (Condition(Field.ACCOUNT, Operator.ANY_OF, (company_id,)),)


def ids_of(page: Page[Any]) -> list[str]:
    return [row.record.local_id for row in page.rows]


async def rest_of(client: Client, position: str | None, size: int) -> list[str]:
    """All rows behind a position."""
    found: list[str] = []
    while True:
        page = await client.opportunities_page(page_of(size, position))
        found += ids_of(page)
        if not page.has_more:
            return found
        assert page.position is not None and page.position != position
        position = page.position


# Rows that go away between two pages.


@pytest.mark.parametrize("size", [105, 115])
@pytest.mark.parametrize("deleted", [(104,), (103, 104), (101, 104), (100, 103, 104), (105,), (101, 102)])
async def test_rows_that_go_away_neither_hide_nor_repeat_others(deleted: Sequence[int], size: int) -> None:
    async with playground("apideck", scale=120) as made:
        client = made.crm.client
        assert isinstance(client, Client)
        everything = await rest_of(client, None, 50)
        page = await client.opportunities_page(page_of(size))
        for index in deleted:
            made.sandbox.app[STORE].delete("opportunities", everything[index])

        rest = await rest_of(client, page.rows[104].position, 5)

    assert rest == [row_id for index, row_id in enumerate(everything) if index > 104 and index not in deleted]


async def test_where_every_row_remembered_is_gone_the_page_begins_again_and_nothing_is_left_out() -> None:
    ids = list("abcdefgh")
    async with scripted(lambda _, query: numbered(ids, query)) as (_, client):
        page = await client.opportunities_page(page_of(8))
        ids[2:5] = []

        rest = await client.opportunities_page(page_of(8, page.rows[4].position))

    assert ids_of(rest) == ["a", "b", "f", "g", "h"]


# Cursors that are page numbers.


async def test_a_list_goes_on_with_the_limit_that_it_began_with() -> None:
    ids = [f"d{number}" for number in range(50)]
    async with scripted(lambda _, query: numbered(ids, query)) as (made, client):
        for size, others in ((10, (1, 3, 10, 19)), (7, (12,))):
            first = await client.opportunities_page(page_of(size))
            later = await client.opportunities_page(page_of(size, first.position))
            for row, wanted in [*((row, other) for row in first.rows for other in others), *((row, 200) for row in later.rows)]:
                at = ids.index(row.record.local_id) + 1
                made.asked.clear()

                page = await client.opportunities_page(page_of(wanted, row.position))

                assert ids_of(page) == ids[at : at + wanted]
                assert {query["limit"] for query in made.queries()} == {str(size)}


async def test_a_list_that_is_wanted_in_bigger_steps_from_its_first_page_on_takes_the_biggest_pages() -> None:
    ids = [f"d{number}" for number in range(1_500)]
    async with scripted(lambda _, query: numbered(ids, query)) as (made, client):
        first = await client.opportunities_page(page_of(25))
        for row in first.rows:
            made.asked.clear()
            page = await client.opportunities_page(page_of(50, row.position))
            assert ids_of(page) == ids[ids.index(row.record.local_id) + 1 :][:50]
            assert made.queries() == [{"limit": "200", "fields": "deleted,id,title"}]
        made.asked.clear()
        found, position = ids_of(first), first.position
        for size in (50, 100, 200, 400, 800):
            page = await client.opportunities_page(page_of(size, position))
            found, position = found + ids_of(page), page.position

    assert found == ids
    assert [query["limit"] for query in made.queries()] == ["200"] * 12


async def test_many_rows_come_in_as_many_pages_as_they_take() -> None:
    ids = [f"d{number}" for number in range(450)]
    async with scripted(lambda _, query: numbered(ids, query)) as (made, client):
        page = await client.opportunities_page(page_of(430))

    assert ids_of(page) == ids[:430]
    assert page.has_more
    assert [query["limit"] for query in made.queries()] == ["200", "200", "200"]


async def test_salesforce_is_always_asked_for_whole_pages() -> None:
    ids = [f"d{number}" for number in range(250)]
    async with scripted(lambda _, query: numbered(ids, query), service_id="salesforce") as (made, client):
        page = await client.opportunities_page(page_of(3))
        rest = await client.opportunities_page(page_of(200, page.position))

    assert (ids_of(page), ids_of(rest)) == (ids[:3], ids[3:203])
    assert {query["limit"] for query in made.queries()} == {"200"}


async def test_a_connector_whose_pages_are_short_is_asked_for_more_from_then_on() -> None:
    async with playground("apideck", options={"pages": "short"}) as made:
        client = made.crm.client
        assert isinstance(client, Client)
        first = await client.opportunities_page(page_of(20))
        cold = [dict(call.query)["limit"] for call in made.control.calls]
        again = await client.opportunities_page(page_of(20))

    assert (len(first.rows), ids_of(first)) == (20, ids_of(again))
    assert cold == ["20", "20"]
    assert [dict(call.query)["limit"] for call in made.control.calls] == ["20", "20", "200"]


async def test_a_page_that_links_to_itself_is_malformed() -> None:
    async with scripted(lambda _path, _query: rows([{"id": "a"}], "same")) as (made, client):
        with pytest.raises(MalformedReplyError):
            await client.opportunities_page(page_of(5))

    assert len(made.asked) == 2


async def test_an_empty_page_before_the_end_is_passed_over() -> None:
    def answer(_: str, query: dict[str, str]) -> Json:
        return rows([{"id": "z"}]) if "cursor" in query else rows([], "next")

    async with scripted(answer) as (_, client):
        page = await client.opportunities_page(page_of(5))

    assert (ids_of(page), page.has_more) == (["z"], False)


async def test_a_list_without_meta_is_one_page() -> None:
    async with scripted(lambda _path, _query: {"data": [{"id": "a"}]}) as (_, client):
        page = await client.opportunities_page(page_of(1))

    assert (ids_of(page), page.has_more) == (["a"], False)


async def test_an_empty_list_has_no_position() -> None:
    async with scripted(lambda _path, _query: rows([])) as (_, client):
        page = await client.opportunities_page(page_of(1))

    assert (page.rows, page.has_more, page.position) == ([], False, None)


# Positions.


@pytest.mark.parametrize(
    ("row_id", "cursor"),
    [
        ("a b/c?d#e%41:,", "em9oby1jcm06OnBhZ2U6OjM="),
        ("ä€😀", "s:1,2%"),
        ("\x7f\t\n", '{"after":"ü"}'),
        ("x" * 380, "short"),
        ("😀" * 9, "="),
    ],
)
async def test_ids_and_cursors_may_hold_any_character(row_id: str, cursor: str) -> None:
    pages = {"": rows([{"id": "first"}, {"id": row_id}, {"id": "third"}], cursor), cursor: rows([{"id": row_id + "2"}, {"id": "end"}])}
    async with scripted(lambda _, query: pages[query.get("cursor", "")]) as (_, client):
        everything = await client.opportunities_page(page_of(5))
        behind = [await client.opportunities_page(page_of(5, row.position)) for row in everything.rows]

    assert ids_of(everything) == ["first", row_id, "third", row_id + "2", "end"]
    for index, rest in enumerate(behind):
        assert ids_of(rest) == ids_of(everything)[index + 1 :]
    for row in everything.rows:
        assert row.position.isascii() and row.position.isprintable() and len(row.position) <= 500


async def test_long_ids_leave_room_for_fewer_rows_remembered() -> None:
    ids = [letter * 240 for letter in "abcd"]
    async with scripted(lambda _, query: numbered(ids, query)) as (_, client):
        page = await client.opportunities_page(page_of(4))
        rest = await client.opportunities_page(page_of(4, page.rows[2].position))

    assert ids_of(rest) == ids[3:]


@pytest.mark.parametrize("answer", [rows([{"id": "a"}], "c" * 500), rows([{"id": "ü" * 200}, {"id": "b"}], "c")])
async def test_what_no_position_can_hold_is_malformed(answer: Json) -> None:
    async with scripted(lambda _path, _query: answer) as (_, client):
        with pytest.raises(MalformedReplyError):
            await client.opportunities_page(page_of(1))


def test_a_place_is_read_from_its_position() -> None:
    place = Place(limit=20, cursor="a:b,c", seen=("x,y", ":", "\ud800"), is_filtered=True, is_ordered=True, ends_first=True)

    assert Place.of(place.position or "") == place
    assert Place.of(Place(limit=5, cursor="c", ends_first=True).position or "") == Place(limit=5, cursor="c", ends_first=True)
    assert Place.of(Place(limit=7).position or "") == Place(limit=7)


# Connectors without paging.


def unpaged(path: str, query: dict[str, str]) -> Json | web.Response:
    if query.keys() & {"limit", "cursor"}:
        return refusal(501, "PaginationNotSupportedError")
    return rows([{"id": f"{path}{number}", "emails": [], "company_id": "co", "stages": []} for number in range(30)])


async def test_every_list_of_a_connector_without_paging_is_read_whole_and_that_is_remembered() -> None:
    async with scripted(unpaged) as (made, client):
        deals = await client.opportunities_page(page_of(20))
        more = await client.opportunities_page(page_of(20, deals.position))
        users = await client.users_by_ids(["users3"], EVERYTHING)
        accounts = await client.accounts_by_ids([f"companies{number}" for number in range(5)], EVERYTHING)
        contacts = await client.contacts_page(page_of(40, where=of_company("co")))
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
            page = await client.opportunities_page(page_of(5, selection=PLACED))
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
            await client.opportunities_page(page_of(5, selection=PLACED))


async def test_pipelines_are_read_only_for_deals_that_lack_theirs() -> None:
    async with scripted(lambda _path, _query: rows([{"id": "2", "pipeline_id": "p", "pipeline_stage_id": "s"}])) as (made, client):
        await client.opportunities_page(page_of(5, selection=PLACED))

    assert made.paths() == ["opportunities"]


# Lists of a company.


async def test_filters_that_opportunities_lack_may_work_for_contacts() -> None:
    def answer(path: str, query: dict[str, str]) -> Json | web.Response:
        if path == "opportunities" and "filter[company_id]" in query:
            return refusal(400, "UnsupportedFiltersError")
        return rows([{"id": "1", "company_id": "co"}, {"id": "2", "company_id": "other"}])

    async with scripted(answer) as (made, client):
        deals = await client.opportunities_page(page_of(5, where=of_company("co")))
        contacts = await client.contacts_page(page_of(5, where=of_company("co")))
        first = made.queries()
        made.asked.clear()
        await client.opportunities_page(page_of(5, where=of_company("co")))

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
        first = await client.opportunities_page(page_of(2, where=of_company("co")))
        asked = len(made.asked)
        second = await elsewhere.opportunities_page(page_of(1, first.position, where=of_company("co")))
        third = await elsewhere.opportunities_page(page_of(5, second.position, where=of_company("co")))

    assert (ids_of(first), first.has_more, asked) == (["d3"], True, 11)
    assert (ids_of(second), ids_of(third), third.has_more) == (["d12"], ["d13"], False)
    assert not any("filter[company_id]" in query for query in other.queries())


RELATIONS = Selection({"Opportunity": frozenset({"title", "contact_refs"}), "ApideckOpportunityFields": frozenset()})
ACCOUNTS = Selection({"Opportunity": frozenset({"title", "account_ref", "account_refs"}), "ApideckOpportunityFields": frozenset()})
LEADS = Selection({"Opportunity": frozenset({"title", "extension"}), "ApideckOpportunityFields": frozenset({"lead_id"})})
COMPANY = "6214407301"


@pytest.mark.parametrize(
    ("selection", "is_read_again"), [(RELATIONS, True), (LEADS, True), (EVERYTHING, True), (ACCOUNTS, False), (TITLES, False)]
)
async def test_what_filters_leave_out_is_read_again_only_when_the_filter_does_not_tell_it(
    selection: Selection, *, is_read_again: bool
) -> None:
    async with playground("apideck") as made:
        client = made.crm.client
        assert isinstance(client, Client)
        listed = await client.opportunities_page(page_of(100, selection=selection))
        mine = {
            row.record.ref
            for row in (await client.opportunities_page(page_of(100, selection=ACCOUNTS))).rows
            if row.record.account_ref == ("americas", COMPANY)
        }
        made.control.calls.clear()

        page = await client.opportunities_page(page_of(20, selection=selection, where=of_company(COMPANY)))
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
        page = await client.opportunities_page(page_of(5, selection=RELATIONS, where=of_company("co")))

    assert made.paths() == ["opportunities"]
    assert all(row.record.contact_refs == (("am", "c"),) for row in page.rows)


async def test_a_deal_that_goes_away_before_it_is_read_again_is_left_out_and_an_error_is_told() -> None:
    def answer(path: str, _: dict[str, str]) -> Json | web.Response:
        return rows([{"id": "1"}, {"id": "2"}]) if path == "opportunities" else {"data": {"id": "1"}} if path.endswith("/1") else status

    async with scripted(answer, service_id="hubspot") as (_, client):
        status = refusal(404, "EntityNotFoundError")
        page = await client.opportunities_page(page_of(5, selection=RELATIONS, where=of_company("co")))
        assert ids_of(page) == ["1"]

        status = refusal(501, "MappingError")
        with pytest.raises(UnsupportedError):
            await client.opportunities_page(page_of(5, selection=RELATIONS, where=of_company("co")))


async def test_an_unreadable_row_counts_as_one_of_those_asked_for() -> None:
    async with playground("apideck") as made:
        client = made.crm.client
        assert isinstance(client, Client)
        made.control.faults.append(Fault(kind="bad_row", match="opportunitiesAll", times=1))

        page = await client.opportunities_page(page_of(10))

    assert (len(page.rows), page.dropped, page.has_more, made.control.count()) == (9, 1, True, 1)
