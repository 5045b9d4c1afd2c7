"""Pages by offset while rows come and go, and portals that cut pages or send rows that cannot be read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.playground import Playground, playground
from vendors.capabilities import PageRequest
from vendors.http import Request
from vendors.model import EVERYTHING, Selection
from vendors.onlyoffice import wire
from vendors.onlyoffice.client import Client
from vendors.onlyoffice.pages import MAX_ROWS, Behind, Place, Window, entries_of, rows_behind, window_of
from vendors.onlyoffice.sandbox.logins import ADMIN_USERNAME
from vendors.paging import LoopGuard

LIST = "GET crm/opportunity/filter"
TITLES = Selection({"Opportunity": frozenset({"title"})})


class Portal:
    """A list as the portal keeps it, answered in its own bytes."""

    def __init__(self, ids: Sequence[int], *, cap: int = MAX_ROWS, bad: Mapping[int, Any] | None = None) -> None:
        self.ids = list(ids)
        self.cap = cap
        self.bad = bad or {}
        self.asked: list[tuple[int, int]] = []

    async def read(self, start: int, count: int) -> Window[wire.Opportunity]:
        self.asked.append((start, count))
        end = start + min(count, self.cap)
        rows = [self.bad.get(row_id, {"id": row_id, "title": f"T{row_id}"}) for row_id in self.ids[start:end]]
        body: dict[str, Any] = {"count": len(rows), "response": rows, "total": len(self.ids)}
        if end < len(self.ids):
            body["nextIndex"] = end + 1
        return window_of(wire.OPPORTUNITIES.decode(json.dumps(body)), start, count)

    async def behind(self, place: Place, size: int) -> Behind[wire.Opportunity]:
        self.asked.clear()
        return await rows_behind(place, size, self.read, LoopGuard(crm="baltic", operation="list"))


def ids_of(behind: Behind[wire.Opportunity]) -> list[int]:
    return [entry.place.last_id for entry in behind.entries]


async def test_a_page_is_one_call_for_one_row_more_than_wanted_and_the_row_before_it() -> None:
    portal = Portal(range(1, 101))

    first = await portal.behind(Place(), 10)
    assert (ids_of(first), first.has_more, portal.asked) == (list(range(1, 11)), True, [(0, 11)])

    second = await portal.behind(first.entries[-1].place, 10)
    assert (ids_of(second), second.has_more, portal.asked) == (list(range(11, 21)), True, [(9, 12)])


@pytest.mark.parametrize(("size", "has_more"), [(99, True), (100, False), (998, False), (5_000, False)])
async def test_has_more_is_exact_at_the_end_of_the_list(size: int, has_more: bool) -> None:  # noqa: FBT001  # a parameter of the table
    assert (await Portal(range(1, 101)).behind(Place(), size)).has_more is has_more


async def test_no_page_is_larger_than_the_portal_allows() -> None:
    portal = Portal(range(1, 3_001))

    behind = await portal.behind(Place(500, 500), 5_000)

    assert ids_of(behind) == list(range(501, 1_499))
    assert behind.has_more and portal.asked == [(499, 1_000)]


@pytest.mark.parametrize("gone", [[1], [10], [9, 10], [3, 5, 7], list(range(1, 11)), list(range(1, 31)), [11], list(range(1, 101))])
@pytest.mark.parametrize("size", [1, 10, 200])
async def test_rows_that_went_meanwhile_make_nothing_skipped_or_repeated(gone: list[int], size: int) -> None:
    portal = Portal(range(1, 101))
    place = (await portal.behind(Place(), 30)).entries[-1].place if 30 in gone else (await portal.behind(Place(), 10)).entries[-1].place
    portal.ids = [row_id for row_id in portal.ids if row_id not in gone]

    behind = await portal.behind(place, size)

    expected = [row_id for row_id in portal.ids if row_id > place.last_id]
    assert (ids_of(behind), behind.has_more) == (expected[:size], len(expected) > size)
    assert len(portal.asked) <= 6


async def test_rows_that_became_visible_before_the_place_are_not_given_again() -> None:
    portal = Portal(range(11, 101))
    place = (await portal.behind(Place(), 10)).entries[-1].place
    portal.ids = list(range(1, 101))

    behind = await portal.behind(place, 5)

    assert (ids_of(behind), behind.has_more) == ([21, 22, 23, 24, 25], True)


async def test_a_portal_that_cuts_pages_shorter_is_asked_on() -> None:
    portal = Portal(range(1, 101), cap=25)

    behind = await portal.behind(Place(), 60)

    assert (ids_of(behind), behind.has_more) == (list(range(1, 61)), True)
    assert [start for start, _ in portal.asked] == [0, 25, 50]


async def test_an_unreadable_row_keeps_its_place_when_its_id_can_be_read() -> None:
    portal = Portal(range(1, 41), bad={10: {"id": 10, "stage": "none"}, 12: {"id": 12, "members": 3}})

    first = await portal.behind(Place(), 10)
    second = await portal.behind(first.entries[-1].place, 10)

    assert [entry.row is None for entry in first.entries] == [False] * 9 + [True]
    assert (ids_of(first), ids_of(second), first.lost) == (list(range(1, 11)), list(range(11, 21)), 0)


async def test_an_unreadable_row_without_an_id_counts_for_the_page() -> None:
    portal = Portal(range(1, 41), bad={4: {"id": {"no": "id"}}, 6: {"title": "nothing else"}})

    first = await portal.behind(Place(), 10)
    second = await portal.behind(first.entries[-1].place, 10)

    assert (ids_of(first), first.lost, first.has_more) == ([1, 2, 3, 5, 7, 8, 9, 10], 2, True)
    assert ids_of(second)[0] == 11


async def gone(ground: Playground, ids: Sequence[str]) -> None:
    for local_id in ids:
        request = Request(operation="delete", method="DELETE", path=f"crm/opportunity/{local_id}", read=False)
        await ground.crm.http.send(request)


@pytest.mark.parametrize("at", [0, 2, 4])
async def test_a_list_goes_on_where_it_was_although_opportunities_were_deleted(at: int) -> None:
    async with playground("onlyoffice", settings={"username": ADMIN_USERNAME}) as ground:
        client = ground.crm.client
        assert isinstance(client, Client)
        everything = await client.opportunities_page(PageRequest(size=60, selection=TITLES))
        ids = [row.record.local_id for row in everything.rows]
        page = await client.opportunities_page(PageRequest(size=5, selection=TITLES))
        await gone(ground, [*ids[: at + 1], ids[6]])
        ground.control.calls.clear()

        rest = await client.opportunities_page(PageRequest(size=5, position=page.rows[at].position, selection=TITLES))

        expected = [local_id for local_id in ids[at + 1 :] if local_id != ids[6]]
        assert [row.record.local_id for row in rest.rows] == expected[:5]
        assert ground.control.count(LIST) <= 2


async def test_nothing_moves_and_a_page_costs_one_call() -> None:
    async with playground("onlyoffice", scale=2_500) as ground:
        client = ground.crm.client
        assert isinstance(client, Client)
        seen: list[str] = []
        position: str | None = None
        pages = 0
        while True:
            page = await client.opportunities_page(PageRequest(size=998, position=position, selection=TITLES))
            seen += [row.record.local_id for row in page.rows]
            pages += 1
            if not page.has_more:
                break
            position = page.position

        assert ground.control.count(LIST) == pages == 3
        assert seen == [str(row_id) for row_id in range(1_001, 3_501)]


async def test_an_empty_list_has_no_position() -> None:
    async with playground("onlyoffice", scale=0) as ground:
        client = ground.crm.client
        assert isinstance(client, Client)

        page = await client.opportunities_page(PageRequest(size=10, selection=EVERYTHING))

    assert (list(page.rows), page.has_more, page.position, page.dropped) == ([], False, None, 0)


# Rows looked up by id


@pytest.mark.parametrize(
    ("count", "wanted", "calls"),
    [
        (0, [1], 1),
        (1, [2], 1),
        (1_000, [2, 4, 2_000], 1),
        (1_000, [2_001], 1),
        (1_001, [2_002], 2),
        (5_000, [2, 4], 1),
        (5_000, [10_000], 5),
        (5_000, [2, 4_400, 9_998, 12_345], 6),
    ],
)
async def test_rows_are_looked_up_by_id_in_few_calls(count: int, wanted: list[int], calls: int) -> None:
    portal = Portal(range(2, 2 * count + 1, 2))

    found = await entries_of(wanted, portal.read, LoopGuard(crm="baltic", operation="list"))

    assert sorted(entry.place.last_id for entry in found) == [row_id for row_id in wanted if row_id in portal.ids]
    assert len(portal.asked) <= calls


async def test_ids_that_a_row_without_a_readable_one_may_have_are_given_without_a_row() -> None:
    portal = Portal(range(1, 5_001), bad={4_990: {"id": {"no": "id"}}, 7: {"id": 7, "members": 3}})

    found = await entries_of([6, 7, 4_989, 4_990, 6_000], portal.read, LoopGuard(crm="baltic", operation="list"))

    # The bad rows are in the first and the last window; 7 is known to be one of them.
    assert {entry.place.last_id: entry.row is not None for entry in found} == {6: True, 7: False, 4_989: True, 4_990: False, 6_000: False}


@pytest.mark.parametrize("cap", [1, 7, 100, MAX_ROWS])
async def test_every_row_is_found_in_a_portal_that_cuts_pages(cap: int) -> None:
    portal = Portal(range(3, 300, 3), cap=cap)

    found = await entries_of(range(1, 310), portal.read, LoopGuard(crm="baltic", operation="list"))

    assert sorted(entry.place.last_id for entry in found) == portal.ids
    assert len(portal.asked) == len(set(portal.asked))
