"""Polls of Apideck: what has changed since a moment comes, whatever happens meanwhile; and what a record tells of its last change.

One file, because most of it is one walk, back from the newest change, with something else happening on the way each time.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from aiohttp import web

from tests.playground import Playground, playground
from tests.vendors.apideck.scripted_vendor import Json, refusal, rows, scripted
from vendors.apideck.client import Client
from vendors.apideck.polling import Trail
from vendors.apideck.sandbox import SANDBOX, STORE, Store
from vendors.apideck.sandbox.search import Search
from vendors.apideck.sandbox.store import Rules, Table
from vendors.capabilities import PageRequest
from vendors.changes import ChangeFacts, PollsOpportunities, WatchesOpportunities
from vendors.errors import MalformedReplyError, UnsupportedError
from vendors.model import EVERYTHING, Opportunity, OpportunityStatus, Ref, Selection
from vendors.query import Field, Sort
from vendors.sandbox import OptionValue
from vendors.sandbox_board import LIFE

CRANE, LIGHTS, WINCH, UNSTAMPED = "9017442101", "9017442103", "9017442104", "9017442152"
_READ = ("title", "stage_ref", "status", "stage_changed_at", "created_at", "updated_at", "updated_by_ref")
PLACES = Selection({"Opportunity": frozenset(_READ)})
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)  # after all that the seed holds
SORTED = [options for options in SANDBOX.positions() if options.get("sorts") != "unsupported"]


@asynccontextmanager
async def ground(
    options: Mapping[str, OptionValue] | None = None, *, scale: int | None = None
) -> AsyncGenerator[tuple[Playground, Client, Store], None]:
    async with playground("apideck", options=options, scale=scale) as made:
        assert isinstance(made.crm.client, Client)
        yield made, made.crm.client, made.sandbox.app[STORE]


def asking(size: int = 1_000, selection: Selection = PLACES, **others: Any) -> PageRequest:
    return PageRequest(size=size, selection=selection, include_deleted=True, **others)


Between = Callable[[int], object]


async def polled(client: Client, since: datetime, request: PageRequest, between: Between = lambda _: None) -> list[Opportunity]:
    """What a poll gives over all pages, and between them somebody does something."""
    found: list[Opportunity] = []
    for number in count(1):
        page = await client.changed_opportunities(since, request)
        assert len(page.rows) <= request.size
        assert page.has_more == (page.position is not None)
        assert all(row.position.isascii() and len(row.position) <= 500 for row in page.rows)
        found += [row.record for row in page.rows]
        if not page.has_more:
            return found
        assert number < 2_000, "the poll does not end"
        between(number)
        request = replace(request, position=page.position)
    raise AssertionError


def ids_of(deals: Sequence[Opportunity]) -> set[str]:
    return {deal.local_id for deal in deals}


def clock_of(store: Store, start: datetime = NOW) -> Callable[[], datetime]:
    """Let the store's time go on by some seconds with every look at it."""
    ticks = count()
    store.now = lambda: start + timedelta(seconds=7 * next(ticks))
    return store.now


# What a poll tells.


@pytest.mark.parametrize("options", SORTED, ids=str)
async def test_a_poll_tells_what_has_changed_in_every_position(options: dict[str, OptionValue]) -> None:
    async with ground(options) as (made, client, store):
        clock = clock_of(store)
        life = made.sandbox.app[LIFE]
        for size in (2, 1_000):
            since = clock()
            key = store.create("opportunities", {"title": "Slipway rails"})
            store.update("opportunities", LIGHTS, {"title": "Deck lighting"})
            life.board.move(CRANE, Random(size))  # noqa: S311  # repeatable, not secret
            gone = store.create("opportunities", {"title": "A mistake"})
            store.delete("opportunities", gone)

            found = {deal.local_id: deal for deal in await polled(client, since, asking(size))}
            later = await polled(client, clock(), asking(size))

            shown = {gone} if options.get("after_delete") == "flagged" else set[str]()
            assert found.keys() == {key, LIGHTS, CRANE} | shown
            assert {local_id for local_id, deal in found.items() if deal.is_deleted} == shown
            assert (found[LIGHTS].title, found[key].title) == ("Deck lighting", "Slipway rails")
            assert later == []
            read = await client.opportunities_by_ids([CRANE], PLACES)
            assert found[CRANE] == read[CRANE]


@pytest.mark.parametrize("options", SORTED, ids=str)
async def test_after_moves_on_the_board_a_poll_shows_where_the_deals_are(options: dict[str, OptionValue]) -> None:
    async with ground(options) as (made, client, store):
        clock = clock_of(store)
        life = made.sandbox.app[LIFE]
        since = clock()
        before = {deal: len(states) for deal, states in life.history.items()}
        life.move(30)
        found = {deal.local_id: deal for deal in await polled(client, since, asking())}

        assert found.keys() == {deal for deal, states in life.history.items() if len(states) > before[deal]}
        for deal, record in found.items():
            state = life.board.state(deal)
            assert state is not None and record.status is not None
            assert record.status.name == state.status
            assert record.stage_ref is not None and record.stage_ref.local_id.partition("~")[2] == state.stage


async def test_a_poll_since_ever_tells_all_that_have_a_stamp() -> None:
    async with ground() as (_, client, store):
        whole = {record["id"] for record in store.tables["opportunities"]}
        for size in (1, 7, 55, 1_000):
            assert ids_of(await polled(client, LONG_AGO, asking(size))) >= whole - {UNSTAMPED}


async def test_a_record_counts_as_changed_in_the_second_of_the_question() -> None:
    async with ground({"stamps": "seconds"}) as (_, client, store):
        store.now = lambda: NOW + timedelta(milliseconds=700)
        store.update("opportunities", CRANE, {"title": "Crane"})

        assert ids_of(await polled(client, NOW + timedelta(milliseconds=600), asking())) == {CRANE}
        assert await polled(client, NOW + timedelta(seconds=1), asking()) == []


@pytest.mark.parametrize("order_of_nulls", ["first", "last"])
async def test_a_record_without_a_time_of_change_is_for_the_sweep_unless_it_is_seen_to_be_new(order_of_nulls: str) -> None:
    async with ground({"order_of_nulls": order_of_nulls}) as (_, client, store):
        table = store.tables["opportunities"]
        assert UNSTAMPED not in ids_of(await polled(client, NOW, asking()))

        table.put({**(table.get(UNSTAMPED) or {}), "created_at": NOW.isoformat()})
        table.put({**(table.get(CRANE) or {}), "updated_at": NOW.isoformat()})

        for size in (1, 10):
            assert ids_of(await polled(client, NOW, asking(size))) == {UNSTAMPED, CRANE}


@pytest.mark.parametrize("filtered_relations", ["omitted", "present"])
async def test_relations_are_read_again_where_a_sorted_list_leaves_them_out(filtered_relations: str) -> None:
    async with ground({"filtered_relations": filtered_relations}) as (made, client, store):
        clock = clock_of(store)
        since = clock()
        store.update("opportunities", CRANE, {"title": "Crane"})
        found = await polled(client, since, asking(selection=EVERYTHING))
        read = await client.opportunities_by_ids([CRANE], EVERYTHING)

        assert found == [read[CRANE]]
        assert made.control.operations()[1:-1] == ["opportunitiesOne"]


async def test_only_what_is_needed_is_asked_for() -> None:
    async with ground() as (made, client, store):
        await client.changed_opportunities(clock_of(store)(), asking())

    query = dict(made.control.calls[0].query)
    assert (query["limit"], query["sort[by]"], query["sort[direction]"]) == ("200", "updated_at", "desc")
    assert not {"company_id", "monetary_amount", "custom_fields"} & set(query["fields"].split(","))


# Calls.


async def test_a_quiet_poll_and_one_with_few_changes_are_a_call_each() -> None:
    async with ground(scale=3_000) as (made, client, store):
        clock = clock_of(store)
        since = clock()
        assert await polled(client, since, asking()) == []
        assert made.control.count() == 1

        made.sandbox.app[LIFE].move(150)
        assert len(await polled(client, since, asking())) > 100
        assert made.control.count() == 2


async def test_a_poll_of_many_changes_is_a_call_for_200_and_one_to_end_it() -> None:
    async with ground(scale=1_500) as (made, client, _):
        assert len(ids_of(await polled(client, LONG_AGO, asking()))) == 1_500

    # 1,500 rows are 8 pages; after the first 1,000 a page is read once more, and at the end the first one.
    assert made.control.count() == 8 + 1 + 1


# What happens meanwhile.


@pytest.mark.parametrize(
    "options", [{}, {"total_count": "absent", "last_page": "no_meta"}, {"pages": "short"}, {"order_of_nulls": "first"}]
)
@pytest.mark.parametrize("size", [3, 20])
async def test_nothing_is_missed_while_records_change_come_and_go(options: dict[str, OptionValue], size: int) -> None:
    async with ground(options) as (made, client, store):
        clock = clock_of(store)
        table, random = store.tables["opportunities"], Random(size)  # noqa: S311  # repeatable, not secret
        for key in made.sandbox.app[LIFE].board.deals():
            if key != UNSTAMPED:
                store.update("opportunities", key, {"priority": "high"})
        expected = {record["id"] for record in table if record["updated_at"] is not None and not record["deleted"]}
        made_meanwhile: list[str] = []

        def disturb(number: int) -> None:
            if number > 25:
                return
            shown = [key for key in made.sandbox.app[LIFE].board.deals() if key != UNSTAMPED]
            for key in random.sample(shown, 2):
                store.update("opportunities", key, {"priority": "low"})
            store.delete("opportunities", random.choice(shown))
            if number % 3 == 0:
                made_meanwhile.append(store.create("opportunities", {"title": "Slipway rails"}))

        found = ids_of(await polled(client, NOW, asking(size), disturb))

        assert {key for key in (*expected, *made_meanwhile) if key in table} <= found
        assert clock() > NOW


@pytest.mark.parametrize("options", [{}, {"total_count": "absent"}, {"pages": "short"}, {"order_of_nulls": "first"}], ids=str)
@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_missed_between_the_vendors_own_pages(options: dict[str, OptionValue], seed: int) -> None:
    async with ground(options, scale=900) as (made, client, store):
        clock_of(store)
        table, random = store.tables["opportunities"], Random(seed)  # noqa: S311  # repeatable, not secret
        expected = {record["id"] for record in table}

        def disturb(_: int) -> None:
            shown = made.sandbox.app[LIFE].board.deals()
            for key in random.sample(list(shown), random.choice([0, 1, 40])):
                store.update("opportunities", key, {"priority": "low"})
            for key in random.sample(list(shown), random.choice([0, 1, 7, 60])):
                store.delete("opportunities", key)

        found = ids_of(await polled(client, LONG_AGO, asking(random.choice([90, 150, 200, 450])), disturb_first(disturb, 12)))

        assert {key for key in expected if key in table} <= found


def disturb_first(disturb: Between, times: int) -> Between:
    return lambda number: disturb(number) if number <= times else None


async def test_a_record_that_jumps_over_the_page_is_found_at_the_front() -> None:
    async with ground() as (_, client, store):
        clock_of(store)
        for key in (CRANE, LIGHTS, WINCH):
            store.update("opportunities", key, {"priority": "high"})

        def jump(number: int) -> None:
            if number == 1:  # the last one, which was not given yet
                store.update("opportunities", CRANE, {"priority": "low"})

        found = await polled(client, NOW, asking(1), jump)

    assert ids_of(found) == {CRANE, LIGHTS, WINCH}


async def test_a_page_that_has_moved_up_too_far_is_begun_again_from_the_front() -> None:
    async with ground(scale=900) as (_, client, store):
        clock_of(store)
        page = await client.changed_opportunities(LONG_AGO, asking(210))  # ten rows of the second page
        given = [row.record.local_id for row in page.rows]
        for key in given[:60]:
            store.delete("opportunities", key)

        rest = await polled(client, LONG_AGO, asking(210, position=page.position))

    assert {record["id"] for record in store.tables["opportunities"]} <= {*given, *ids_of(rest)}


@pytest.mark.parametrize(("count_of_deals", "size"), [(5, 1), (450, 50)])
@pytest.mark.parametrize("since", [NOW, NOW - timedelta(seconds=1)], ids=["since then", "since before"])
async def test_many_records_of_one_moment_come_to_an_end(since: datetime, count_of_deals: int, size: int) -> None:
    async with ground(scale=count_of_deals) as (_, client, store):
        store.now = lambda: NOW
        for record in list(store.tables["opportunities"]):
            store.update("opportunities", record["id"], {"priority": "high"})

        assert len(ids_of(await polled(client, since, asking(size)))) == count_of_deals


class Restless(Table):
    """Records of which some change right before every page that is given."""

    def __init__(self, records: Sequence[Json], change: Callable[[], object]) -> None:
        super().__init__(records)
        self.change = change

    def search(self, resource: str, search: Search, rules: Rules) -> list[str]:
        self.change()
        return super().search(resource, search, rules)


@pytest.mark.parametrize("options", [{}, {"pages": "short"}, {"order_of_nulls": "first"}], ids=str)
@pytest.mark.parametrize("size", [150, 1_000])
async def test_records_that_change_with_every_call_are_told_as_they_were_last(options: dict[str, OptionValue], size: int) -> None:
    async with ground(options, scale=900) as (_, client, store):
        clock_of(store)
        random = Random(size)  # noqa: S311  # repeatable, not secret
        ids = [record["id"] for record in store.tables["opportunities"]]
        left = iter(range(15))

        def change() -> None:
            for key in random.sample(ids, 30 if next(left, None) is not None else 0):
                store.update("opportunities", key, {"title": store.stamp()})

        store.tables["opportunities"] = Restless(list(store.tables["opportunities"]), change)
        found = {deal.local_id: deal.title for deal in await polled(client, LONG_AGO, asking(size))}

        assert found == {record["id"]: record["title"] for record in store.tables["opportunities"]}


# Connectors that cannot be asked.


@pytest.mark.parametrize("status", [400, 501])
async def test_a_connector_that_does_not_sort_is_not_asked_again(status: int) -> None:
    async with ground({"sorts": "unsupported", "unsupported_status": status}) as (made, client, _):
        for _ in range(3):
            with pytest.raises(UnsupportedError):
                await client.changed_opportunities(NOW, asking())
        assert made.control.count() == 1
        assert not client.opportunities_pushdown([], Sort(Field.UPDATED_AT)).is_sorted
        assert client.opportunities_pushdown([], Sort(Field.CREATED_AT)).is_sorted


async def test_what_a_list_learns_of_the_order_a_poll_knows() -> None:
    async with ground({"sorts": "unsupported"}) as (made, client, _):
        with pytest.raises(UnsupportedError):
            await client.opportunities_page(PageRequest(size=5, selection=PLACES, sort=Sort(Field.UPDATED_AT)))
        with pytest.raises(UnsupportedError):
            await client.changed_opportunities(NOW, asking())

        assert made.control.count() == 1


async def test_hubspot_is_polled_however_many_deals_it_has() -> None:
    async with ground(scale=10_300) as (made, client, store):
        with pytest.raises(UnsupportedError):  # of which it lists too few for an ordered list
            await client.opportunities_page(PageRequest(size=5, selection=PLACES, sort=Sort(Field.UPDATED_AT)))
        clock = clock_of(store)
        since = clock()
        made.sandbox.app[LIFE].board.move("30000000001", Random(1))  # noqa: S311  # repeatable, not secret

        assert ids_of(await polled(client, since, asking())) == {"30000000001"}


@pytest.mark.parametrize("total_count", ["present", "absent"])
async def test_a_poll_that_hubspot_may_cut_off_is_not_trusted(total_count: str) -> None:
    async with ground({"total_count": total_count}, scale=10_300) as (_, client, _):
        with pytest.raises(UnsupportedError, match="more opportunities than it lists"):
            await polled(client, LONG_AGO, asking())


def stamped(row_id: str, seconds: float | None, **more: object) -> Json:
    return {
        "id": row_id,
        "title": row_id,
        "updated_at": None if seconds is None else (NOW + timedelta(seconds=seconds)).isoformat(),
        **more,
    }


async def test_a_connector_that_only_says_that_it_sorts_is_found_out() -> None:
    page = [stamped(f"d{number}", -1_000 * number if number % 2 else 50.0 - number) for number in range(20)]
    async with scripted(lambda _path, _query: rows(page, "more")) as (_, client):
        with pytest.raises(UnsupportedError, match="does not sort"):
            await client.changed_opportunities(NOW, asking())


async def test_a_record_that_changes_while_its_page_is_put_together_is_no_sign_of_disorder() -> None:
    page = [stamped(f"d{number}", 30 - number) for number in range(60)]
    page[55] = stamped("d55", 90)
    async with scripted(lambda _path, _query: rows(page, "more")) as (made, client):
        found = await polled(client, NOW, asking())

    assert ids_of(found) == {*(f"d{number}" for number in range(31)), "d55"}
    assert len(made.asked) == 1


async def test_a_connector_without_pages_needs_no_order() -> None:
    def answer(_: str, query: dict[str, str]) -> Json | web.Response:
        if "limit" in query:
            return refusal(400, "PaginationNotSupportedError")
        return rows([stamped("old", -5), stamped("new", 5), stamped("older", -9), stamped("newest", 9)])

    async with scripted(answer) as (made, client):
        found = [ids_of(await polled(client, NOW, asking(size))) for size in (1, 2, 10)]

    assert found == [{"new", "newest"}] * 3
    assert len([query for query in made.queries() if "limit" in query]) == 1


async def test_a_connector_that_does_not_tell_when_its_records_changed_is_not_polled() -> None:
    async with scripted(lambda _path, _query: rows([stamped(f"d{number}", None) for number in range(9)], "more")) as (_, client):
        with pytest.raises(UnsupportedError, match="does not tell when"):
            await client.changed_opportunities(NOW, asking())


async def test_rows_that_cannot_be_read_are_counted_and_hide_no_others() -> None:
    async with scripted(lambda _path, _query: rows([stamped("a", 9), {"title": "no id"}, stamped("b", 5), stamped("c", -5)])) as (
        _,
        client,
    ):
        page = await client.changed_opportunities(NOW, asking())

    assert [row.record.local_id for row in page.rows] == ["a", "b"]
    assert page.dropped == 1
    assert not page.has_more


@pytest.mark.parametrize("cursors", [["x", "x"], ["x", "y", "x"]])
async def test_pages_that_lead_in_circles_are_malformed(cursors: list[str]) -> None:
    left = iter(cursors)
    async with scripted(lambda _path, _query: rows([stamped("a", 9)], next(left))) as (_, client):
        with pytest.raises(MalformedReplyError):
            await client.changed_opportunities(NOW, asking())


async def test_a_cursor_that_is_too_long_to_be_kept_is_malformed() -> None:
    async with scripted(lambda _path, _query: rows([stamped("a", 9)], "c" * 600)) as (_, client):
        with pytest.raises(MalformedReplyError):
            await client.changed_opportunities(NOW, asking(10))


def test_a_position_says_all_of_a_place_and_leaves_out_rows_where_it_would_be_too_long() -> None:
    trail = Trail(floor=NOW, top=NOW, at=NOW, seen=("ä|,1", "b%", "~"), cursor="c=|,", passed=400)
    long = replace(trail, seen=("a" * 200, "b" * 200, "c" * 300))

    assert Trail.of(trail.position or "") == trail
    assert Trail.of(long.position or "") == replace(long, seen=("c" * 300,))
    assert Trail.of(Trail(floor=NOW).position or "") == Trail(floor=NOW)


# What a record tells.


def deal(*, moved: float | None, updated: float | None) -> Opportunity:
    def at(seconds: float | None) -> datetime | None:
        return None if seconds is None else NOW + timedelta(seconds=seconds)

    return Opportunity(ref=Ref("am", "1"), title="", stage_changed_at=at(moved), updated_at=at(updated), updated_by_ref=Ref("am", "u"))


@pytest.mark.parametrize(
    ("moved", "updated", "is_told", "is_known_by_whom"),
    [
        (0, 0, True, True),
        (0, 0.9, True, True),
        (0, 5, True, False),
        (5, 0, True, False),
        (0, 60, True, False),
        (0, 61, False, False),
        (61, 0, False, False),
        (None, 0, False, False),
        (0, None, False, False),
    ],
)
def test_a_record_tells_when_it_was_moved_as_long_as_that_was_its_last_change(
    moved: float | None, updated: float | None, *, is_told: bool, is_known_by_whom: bool
) -> None:
    client = object.__new__(Client)

    facts = client.change_facts(deal(moved=moved, updated=updated))

    assert facts.changed_at == (NOW + timedelta(seconds=moved or 0) if is_told else None)
    assert facts.changed_by == (Ref("am", "u") if is_known_by_whom else None)


@pytest.mark.parametrize("options", [{}, {"nulls": "absent"}, {"stamps": "seconds"}, {"status_after_move": "kept"}], ids=str)
async def test_the_vendors_records_tell_of_moves_and_closings_and_not_of_other_changes(options: dict[str, OptionValue]) -> None:
    async with ground(options) as (_, client, store):
        clock_of(store)
        mover = "71004012"

        async def told() -> tuple[OpportunityStatus | None, datetime | None, ChangeFacts]:
            (found,) = await polled(client, NOW, asking())
            return found.status, found.updated_at, client.change_facts(found)

        closings = (("closedwon", OpportunityStatus.WON), ("closedlost", OpportunityStatus.LOST))
        for stage, status in (("contractsent", OpportunityStatus.OPEN), *closings):
            words = {OpportunityStatus.OPEN: "open"}.get(status, stage)
            store.update("opportunities", CRANE, {"pipeline_stage_id": stage, "status": words}, by=mover)
            found_status, at, facts = await told()
            assert found_status is status
            assert facts == ChangeFacts(changed_at=at, changed_by=Ref("americas", mover))

        now = store.now() + timedelta(hours=1)
        store.now = lambda: now
        store.update("opportunities", CRANE, {"title": "Crane"}, by=mover)
        assert (await told())[2] == ChangeFacts()
        store.update("opportunities", CRANE, {"status": "open"}, by=mover)
        assert (await told())[2] == ChangeFacts()


async def test_how_it_is_watched_leaves_most_of_an_hour_to_people() -> None:
    async with ground() as (_, client, _):
        assert isinstance(client, WatchesOpportunities) and isinstance(client, PollsOpportunities)
        watching = client.watching()

    polls = 3_600 / watching.poll_seconds
    sweeps = 3_600 / watching.sweep_seconds
    assert polls + sweeps * 10_000 / 200 <= watching.calls_per_hour
    assert watching.overlap_seconds >= 60
