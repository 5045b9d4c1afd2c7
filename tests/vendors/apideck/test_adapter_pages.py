"""How Apideck's lists are walked: places that outlive changes, cursors and ids of any characters."""

from collections.abc import Sequence

import pytest

from tests.playground import playground
from tests.vendors.apideck.listing import asking, client_of, ids_of
from tests.vendors.apideck.scripted_vendor import Json, numbered, rows, scripted
from vendors.apideck.client import Client
from vendors.apideck.pages import Place
from vendors.apideck.sandbox import STORE
from vendors.errors import MalformedReplyError


async def rest_of(client: Client, position: str | None, size: int) -> list[str]:
    """All rows behind a position."""
    found: list[str] = []
    while True:
        page = await client.opportunities_page(asking(size, position=position))
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
        client = client_of(made)
        everything = await rest_of(client, None, 50)
        page = await client.opportunities_page(asking(size))
        for index in deleted:
            made.sandbox.app[STORE].delete("opportunities", everything[index])

        rest = await rest_of(client, page.rows[104].position, 5)

    assert rest == [row_id for index, row_id in enumerate(everything) if index > 104 and index not in deleted]


async def test_where_every_row_remembered_is_gone_the_page_begins_again_and_nothing_is_left_out() -> None:
    ids = list("abcdefgh")
    async with scripted(lambda _, query: numbered(ids, query)) as (_, client):
        page = await client.opportunities_page(asking(8))
        ids[2:5] = []

        rest = await client.opportunities_page(asking(8, position=page.rows[4].position))

    assert ids_of(rest) == ["a", "b", "f", "g", "h"]


# Cursors that are page numbers.


async def test_a_list_goes_on_with_the_limit_that_it_began_with() -> None:
    ids = [f"d{number}" for number in range(50)]
    async with scripted(lambda _, query: numbered(ids, query)) as (made, client):
        for size, others in ((10, (1, 3, 10, 19)), (7, (12,))):
            first = await client.opportunities_page(asking(size))
            later = await client.opportunities_page(asking(size, position=first.position))
            for row, wanted in [*((row, other) for row in first.rows for other in others), *((row, 200) for row in later.rows)]:
                at = ids.index(row.record.local_id) + 1
                made.asked.clear()

                page = await client.opportunities_page(asking(wanted, position=row.position))

                assert ids_of(page) == ids[at : at + wanted]
                assert {query["limit"] for query in made.queries()} == {str(size)}


async def test_a_list_that_is_wanted_in_bigger_steps_from_its_first_page_on_takes_the_biggest_pages() -> None:
    ids = [f"d{number}" for number in range(1_500)]
    async with scripted(lambda _, query: numbered(ids, query)) as (made, client):
        first = await client.opportunities_page(asking(25))
        for row in first.rows:
            made.asked.clear()
            page = await client.opportunities_page(asking(50, position=row.position))
            assert ids_of(page) == ids[ids.index(row.record.local_id) + 1 :][:50]
            assert made.queries() == [{"limit": "200", "fields": "deleted,id,title"}]
        made.asked.clear()
        found, position = ids_of(first), first.position
        for size in (50, 100, 200, 400, 800):
            page = await client.opportunities_page(asking(size, position=position))
            found, position = found + ids_of(page), page.position

    assert found == ids
    assert [query["limit"] for query in made.queries()] == ["200"] * 12


async def test_many_rows_come_in_as_many_pages_as_they_take() -> None:
    ids = [f"d{number}" for number in range(450)]
    async with scripted(lambda _, query: numbered(ids, query)) as (made, client):
        page = await client.opportunities_page(asking(430))

    assert ids_of(page) == ids[:430]
    assert page.has_more
    assert [query["limit"] for query in made.queries()] == ["200", "200", "200"]


async def test_salesforce_is_always_asked_for_whole_pages() -> None:
    ids = [f"d{number}" for number in range(250)]
    async with scripted(lambda _, query: numbered(ids, query), service_id="salesforce") as (made, client):
        page = await client.opportunities_page(asking(3))
        rest = await client.opportunities_page(asking(200, position=page.position))

    assert (ids_of(page), ids_of(rest)) == (ids[:3], ids[3:203])
    assert {query["limit"] for query in made.queries()} == {"200"}


async def test_a_connector_whose_pages_are_short_is_asked_for_more_from_then_on() -> None:
    async with playground("apideck", options={"pages": "short"}) as made:
        client = client_of(made)
        first = await client.opportunities_page(asking(20))
        cold = [dict(call.query)["limit"] for call in made.control.calls]
        again = await client.opportunities_page(asking(20))

    assert (len(first.rows), ids_of(first)) == (20, ids_of(again))
    assert cold == ["20", "20"]
    assert [dict(call.query)["limit"] for call in made.control.calls] == ["20", "20", "200"]


async def test_a_page_that_links_to_itself_is_malformed() -> None:
    async with scripted(lambda _path, _query: rows([{"id": "a"}], "same")) as (made, client):
        with pytest.raises(MalformedReplyError):
            await client.opportunities_page(asking(5))

    assert len(made.asked) == 2


async def test_an_empty_page_before_the_end_is_passed_over() -> None:
    def answer(_: str, query: dict[str, str]) -> Json:
        return rows([{"id": "z"}]) if "cursor" in query else rows([], "next")

    async with scripted(answer) as (_, client):
        page = await client.opportunities_page(asking(5))

    assert (ids_of(page), page.has_more) == (["z"], False)


async def test_a_list_without_meta_is_one_page() -> None:
    async with scripted(lambda _path, _query: {"data": [{"id": "a"}]}) as (_, client):
        page = await client.opportunities_page(asking(1))

    assert (ids_of(page), page.has_more) == (["a"], False)


async def test_an_empty_list_has_no_position() -> None:
    async with scripted(lambda _path, _query: rows([])) as (_, client):
        page = await client.opportunities_page(asking(1))

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
        everything = await client.opportunities_page(asking(5))
        behind = [await client.opportunities_page(asking(5, position=row.position)) for row in everything.rows]

    assert ids_of(everything) == ["first", row_id, "third", row_id + "2", "end"]
    for index, rest in enumerate(behind):
        assert ids_of(rest) == ids_of(everything)[index + 1 :]
    for row in everything.rows:
        assert row.position.isascii() and row.position.isprintable() and len(row.position) <= 500


async def test_long_ids_leave_room_for_fewer_rows_remembered() -> None:
    ids = [letter * 240 for letter in "abcd"]
    async with scripted(lambda _, query: numbered(ids, query)) as (_, client):
        page = await client.opportunities_page(asking(4))
        rest = await client.opportunities_page(asking(4, position=page.rows[2].position))

    assert ids_of(rest) == ids[3:]


@pytest.mark.parametrize("answer", [rows([{"id": "a"}], "c" * 500), rows([{"id": "ü" * 200}, {"id": "b"}], "c")])
async def test_what_no_position_can_hold_is_malformed(answer: Json) -> None:
    async with scripted(lambda _path, _query: answer) as (_, client):
        with pytest.raises(MalformedReplyError):
            await client.opportunities_page(asking(1))


def test_a_place_is_read_from_its_position() -> None:
    place = Place(limit=20, cursor="a:b,c", seen=("x,y", ":", "\ud800"), is_filtered=True, is_ordered=True, ends_first=True)

    assert Place.of(place.position or "") == place
    assert Place.of(Place(limit=5, cursor="c", ends_first=True).position or "") == Place(limit=5, cursor="c", ends_first=True)
    assert Place.of(Place(limit=7).position or "") == Place(limit=7)
