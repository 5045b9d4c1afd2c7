"""How Autotask's opportunities are watched: what polls tell, what only the sweep finds, and what both cost."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest

from resolvers.listing.entries import PLAIN_COLUMNS, selection_of_columns
from tests.contract.reading import whole_list
from tests.vendors.autotask.writing_ground import LEAST, LOST, NEGOTIATION, OPEN, VERBAL, WON, Ground, ground
from vendors.autotask import wire
from vendors.autotask.client import Client
from vendors.autotask.sandbox import SANDBOX
from vendors.autotask.sandbox.board import OpportunityBoard
from vendors.autotask.sandbox.control import API
from vendors.autotask.sandbox.fields import ENTITIES
from vendors.autotask.sandbox.store import Store
from vendors.autotask.watching import WATCHING, told_since
from vendors.capabilities import Page, PageRequest, Row
from vendors.changes import ChangeFacts, PollsOpportunities, ReceivesWebhooks, WatchesOpportunities
from vendors.model import EVERYTHING, Account, Opportunity, OpportunityStatus, Selection
from vendors.sandbox import Fault, OptionValue
from vendors.sandbox_board import LIFE
from vendors.writes import OpportunityValues, StatusValues

WATCHED = selection_of_columns({*PLAIN_COLUMNS, "currency"})
T = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
LATER = T + timedelta(minutes=1)
ENTITY = ENTITIES["Opportunities"]


@pytest.fixture
async def here() -> AsyncIterator[Ground]:
    async with ground() as made:
        yield made


@pytest.fixture(params=SANDBOX.positions(), ids=lambda options: ",".join(f"{options}".split()) or "defaults")
async def anywhere(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Ground, dict[str, OptionValue]]]:
    """The sandbox in one position of its options."""
    async with ground(options=request.param) as made:
        yield made, request.param


def dice(seed: int) -> Random:
    return Random(seed)  # noqa: S311  # keeps no secret


def store_of(here: Ground) -> Store:
    return here.made.sandbox.app[API].store


def board_of(here: Ground) -> OpportunityBoard:
    board = here.made.sandbox.app[LIFE].board
    assert isinstance(board, OpportunityBoard)
    return board


def at(here: Ground, moment: datetime) -> None:
    """Set the vendor's clock."""
    store_of(here).now = lambda: moment


def touch(here: Ground, deal: str) -> None:
    store_of(here).update(ENTITY, int(deal), {"nextStep": "Call"})


def add(here: Ground) -> str:
    return str(store_of(here).create(ENTITY, {"title": "Tug", "stage": 12, "status": 1}))


async def poll(here: Ground, since: datetime, *, size: int = 500, selection: Selection = WATCHED) -> list[Opportunity]:
    found: list[Opportunity] = []
    position, more = None, True
    while more:
        request = PageRequest(size=size, position=position, selection=selection)
        page = await here.client.changed_opportunities(since, request)
        assert len(page.rows) <= size and page.total is None
        assert not page.has_more or page.position not in {None, position}
        found += [row.record for row in page.rows]
        position, more = page.position, page.has_more
    return found


async def polled(here: Ground, since: datetime, *, size: int = 500) -> list[str]:
    return [record.local_id for record in await poll(here, since, size=size)]


def test_the_vendor_is_polled_and_pushes_nothing() -> None:
    assert issubclass(Client, WatchesOpportunities) and issubclass(Client, PollsOpportunities)
    assert not issubclass(Client, ReceivesWebhooks)


# What a poll tells.


async def test_a_poll_tells_what_changed(anywhere: tuple[Ground, dict[str, OptionValue]]) -> None:
    """By the API and by people, since a moment, in every position; what is not stamped comes with the sweep alone."""
    here, options = anywhere
    before = {record.local_id: record for record in await whole_list(here.made.crm)}
    at(here, T)

    created = await here.create(LEAST)
    await here.update("29701402", OpportunityValues(title="Renamed"))
    await here.done(await here.client.plan_move(await here.read(OPEN), VERBAL, None))
    await here.done(await here.client.plan_close(await here.read("29701405"), StatusValues(status=OpportunityStatus.WON)))
    await here.done(await here.client.plan_close(await here.read("29701407"), StatusValues(status=OpportunityStatus.LOST)))
    await here.done(await here.client.plan_close(await here.read(WON), StatusValues(status=OpportunityStatus.OPEN)))
    by_people = ["311", "312", "313", "29701433"]
    for deal in by_people:
        board_of(here).move(deal, dice(4))

    told = {record.local_id: record for record in await poll(here, T)}
    now = {record.local_id: record for record in await whole_list(here.made.crm)}
    expected = {
        "yes": {created.local_id, "29701402", OPEN, "29701405", "29701407", WON, *by_people},
        "not_of_stage": {created.local_id, "29701402"},
        "no": {created.local_id},
    }
    activity = str(options.get("edit_is_activity", "yes"))
    assert set(told) == expected[activity]
    assert {deal: (record.stage_ref, record.status, record.title) for deal, record in told.items()} == {
        deal: (now[deal].stage_ref, now[deal].status, now[deal].title) for deal in told
    }
    assert {deal for deal, record in now.items() if deal not in before or _looks(record) != _looks(before[deal])} == expected["yes"]


def _looks(record: Opportunity) -> tuple[object, ...]:
    return record.stage_ref, record.status, record.title


@pytest.mark.parametrize("zone", ["utc", "west", "east"])
@pytest.mark.parametrize("size", [1, 2, 500])
async def test_a_poll_reaches_back_to_its_moment_and_no_further(zone: str, size: int) -> None:
    async with ground(options={"filter_zone": zone}) as here:
        touched = {
            "29701402": T - timedelta(hours=23),
            "29701403": T - timedelta(hours=11),
            OPEN: T - timedelta(seconds=1),
            "29701405": T,
            "29701406": T + timedelta(milliseconds=1),
            "29701407": T + timedelta(hours=30),
        }
        for deal, moment in touched.items():
            at(here, moment)
            touch(here, deal)

        assert await polled(here, T, size=size) == ["29701405", "29701406", "29701407"]
        assert await polled(here, T + timedelta(microseconds=999_999), size=size) == ["29701405", "29701406", "29701407"]
        assert await polled(here, T.astimezone(timezone(timedelta(hours=9))), size=size) == ["29701405", "29701406", "29701407"]
        assert await polled(here, T + timedelta(days=2), size=size) == []


@pytest.mark.parametrize("far", [datetime.min, datetime(1753, 1, 1), datetime(1900, 1, 1)])  # noqa: DTZ001, DTZ901  # given a zone below
async def test_a_moment_before_all_times_tells_everything_that_has_a_stamp(here: Ground, far: datetime) -> None:
    assert await polled(here, far.replace(tzinfo=UTC), size=7) == [deal for deal in board_of(here).deals() if deal != "313"]


async def test_a_moment_behind_all_times_tells_nothing(here: Ground) -> None:
    assert await polled(here, datetime.max.replace(tzinfo=UTC)) == []


async def test_a_new_deal_is_told_by_its_creation_where_that_is_no_activity() -> None:
    async with ground(options={"edit_is_activity": "no"}) as here:
        at(here, T)
        created = add(here)

        assert await polled(here, T) == [created]
        assert await polled(here, LATER) == []


async def test_a_deal_without_any_stamp_is_left_to_the_sweep(here: Ground) -> None:
    """One was imported long ago without."""
    assert "313" not in await polled(here, datetime(1900, 1, 2, tzinfo=UTC))
    assert "313" in {record.local_id for record in await whole_list(here.made.crm, selection=WATCHED)}


async def test_what_was_deleted_in_the_product_is_missing_from_a_sweep_and_untold_by_polls(here: Ground) -> None:
    at(here, T)
    touch(here, OPEN)
    board_of(here).delete(OPEN)

    assert await polled(here, T) == []
    assert OPEN not in {record.local_id for record in await whole_list(here.made.crm, selection=WATCHED)}
    assert await here.client.opportunities_by_ids([OPEN], EVERYTHING) == {}


# Pages.


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", range(4))
async def test_no_row_is_missed_while_rows_change_come_and_go_between_pages(size: int, seed: int) -> None:
    async with ground() as here:
        random = dice(seed)
        at(here, T)
        changed = set(random.sample(board_of(here).deals(), 20))
        for deal in changed:
            touch(here, deal)
        at(here, LATER)
        found: list[str] = []
        gone: set[str] = set()
        meanwhile: set[str] = set()
        position, more = None, True
        while more:
            page = await here.client.changed_opportunities(T, PageRequest(size=size, position=position, selection=WATCHED))
            found += [row.record.local_id for row in page.rows]
            position, more = page.position, page.has_more
            moved, removed = random.sample(board_of(here).deals(), 2)
            board_of(here).move(moved, random)
            board_of(here).delete(removed)
            meanwhile.add(moved)
            gone.add(removed)
            if len(gone) < 5:
                meanwhile.add(add(here))
            assert len(gone) < 100

        assert changed - gone <= set(found) <= changed | meanwhile | gone
        assert len(set(found)) == len(found)
        # Whatever was not told yet comes with the next poll, which reaches back to the beginning of this one.
        assert meanwhile - gone <= set(await polled(here, LATER))


async def test_a_page_is_cut_behind_the_last_row_that_is_given(here: Ground) -> None:
    at(here, T)
    for deal in ("29701402", "29701403", OPEN):
        touch(here, deal)

    first = await here.client.changed_opportunities(T, PageRequest(size=2, selection=WATCHED))
    rest = await here.client.changed_opportunities(T, PageRequest(size=2, selection=WATCHED, position=first.position))

    assert ([row.position for row in first.rows], first.position, first.has_more) == (["29701402", "29701403"], "29701403", True)
    assert ([row.position for row in rest.rows], rest.position, rest.has_more) == ([OPEN], OPEN, False)
    assert not (await here.client.changed_opportunities(T, PageRequest(size=3, selection=WATCHED))).has_more


async def test_a_row_that_cannot_be_read_does_not_hide_the_others(here: Ground) -> None:
    at(here, T)
    for deal in ("29701402", "29701403", OPEN):
        touch(here, deal)
    here.made.control.faults.append(Fault(kind="bad_row", match="Opportunities.query", times=1))

    page = await here.client.changed_opportunities(T, PageRequest(size=500, selection=WATCHED))

    assert ([row.record.local_id for row in page.rows], page.dropped) == (["29701403", OPEN], 1)


@pytest.mark.parametrize(
    ("stamps", "is_told"),
    [
        ({}, True),
        ({"lastActivity": "2026-11-21T08:29:59Z", "createDate": "2026-11-01T00:00:00Z"}, False),
        ({"lastActivity": "2026-11-21T08:30:00Z", "createDate": "2026-11-01T00:00:00Z"}, True),
        ({"lastActivity": "2026-11-01T00:00:00Z", "createDate": "2026-11-21T08:30:01"}, True),
        ({"createDate": "2026-11-21T08:29:59.999Z"}, False),
        ({"lastActivity": "lately", "createDate": None}, True),
    ],
)
def test_a_row_is_left_out_only_where_it_says_that_it_is_older(stamps: dict[str, object], is_told: bool) -> None:  # noqa: FBT001
    row = wire.Opportunity.model_validate({"id": 311, **stamps})

    page = told_since(Page(rows=[Row(row, "311")], has_more=False), T + timedelta(milliseconds=700), 500)

    assert [told.record for told in page.rows] == [row] * is_told


# Calls.


async def test_a_quiet_poll_is_one_call_however_much_was_changed_before() -> None:
    async with ground(scale=2_000) as here:
        at(here, T - timedelta(hours=13))
        for deal in board_of(here).deals():
            touch(here, deal)
        at(here, T - timedelta(hours=1))
        for deal in board_of(here).deals()[:400]:
            touch(here, deal)
        assert await polled(here, T) == []
        here.made.control.calls.clear()

        assert await polled(here, T, size=10) == []
        assert here.made.control.operations() == ["Opportunities.query"]


async def test_a_poll_asks_for_whole_pages_and_for_the_fields_that_are_wanted(here: Ground) -> None:
    at(here, T)
    await here.client.changed_opportunities(T, PageRequest(size=3, selection=Selection({"Opportunity": frozenset({"title"})})))
    await here.client.changed_opportunities(T, PageRequest(size=3, position="311", selection=EVERYTHING, count=True))

    aged = [{"op": "gte", "field": name, "value": "2026-11-20T20:30:00Z"} for name in ("lastActivity", "createDate")]
    assert [json.loads(call.body) for call in here.made.control.calls if call.operation == "Opportunities.query"] == [
        {"MaxRecords": 500, "filter": [{"op": "or", "items": aged}], "IncludeFields": ["createDate", "id", "lastActivity", "title"]},
        {"MaxRecords": 500, "filter": [{"op": "or", "items": aged}, {"op": "gt", "field": "id", "value": 311}]},
    ]
    assert here.made.control.count("Opportunities.count") == 0


async def test_a_poll_of_many_changes_is_one_call_for_500_of_them_and_one_for_their_currencies() -> None:
    async with ground(scale=1_300) as here:
        at(here, T)
        for deal in board_of(here).deals():
            touch(here, deal)
        await here.client.changed_opportunities(T, PageRequest(size=1, selection=WATCHED))
        await here.client.accounts_by_ids(["0"], CURRENCIES)
        here.made.control.calls.clear()

        position, more, seen = None, True, 0
        while more:
            page = await here.client.changed_opportunities(T, PageRequest(size=500, position=position, selection=WATCHED))
            await currencies_of(here, [row.record for row in page.rows])
            position, more, seen = page.position, page.has_more, seen + len(page.rows)

        assert seen == 1_300
        assert here.made.control.operations() == ["Opportunities.query", "Companies.query"] * 3


CURRENCIES = Selection({"Account": frozenset({"id", "currency"})})


async def currencies_of(here: Ground, records: list[Opportunity]) -> None:
    """Read what the amounts' currencies take, as lists do."""
    companies = {record.amount.currency_of.local_id for record in records if record.amount and record.amount.currency_of}
    found = await here.client.accounts_by_ids(sorted(companies), CURRENCIES)
    assert set(found) == companies
    assert all(isinstance(account, Account) and account.currency for account in found.values())


async def test_a_sweep_is_one_call_for_500_rows_and_one_for_their_currencies() -> None:
    async with ground(scale=1_300) as here:
        await here.client.opportunities_page(PageRequest(size=1, selection=WATCHED))
        await here.client.accounts_by_ids(["0"], CURRENCIES)
        here.made.control.calls.clear()

        position, more, seen = None, True, 0
        while more:
            page = await here.client.opportunities_page(PageRequest(size=500, position=position, selection=WATCHED))
            await currencies_of(here, [row.record for row in page.rows])
            position, more, seen = page.position, page.has_more, seen + len(page.rows)

        assert seen == 1_300
        assert here.made.control.operations() == ["Opportunities.query", "Companies.query"] * 3


def test_a_twentieth_of_the_databases_budget_is_for_watching() -> None:
    polls, sweeps = 3_600 / WATCHING.poll_seconds, 3_600 / WATCHING.sweep_seconds

    assert WATCHING.calls_per_hour == 10_000 / 20
    assert polls + sweeps * 2 * 10 <= WATCHING.calls_per_hour  # 5,000 opportunities
    assert WATCHING.overlap_seconds >= 60


# What a record tells.


async def test_a_move_was_made_at_the_last_activity(here: Ground) -> None:
    """Won, lost, moved; nobody is named."""
    at(here, LATER)
    for deal, stage in ((OPEN, 16), ("29701405", 18), (LOST, int(NEGOTIATION))):
        store_of(here).move(int(deal), stage)

    for record in await poll(here, T):
        assert here.client.change_facts(record) == ChangeFacts(changed_at=LATER)
    for deal in (OPEN, "29701405", LOST):
        assert here.client.change_facts(await here.read(deal)) == ChangeFacts(changed_at=LATER)


async def test_a_record_without_activity_tells_nothing_of_its_change(here: Ground) -> None:
    record = await here.read("313")

    assert here.client.change_facts(record) == ChangeFacts()
    assert here.client.change_facts(replace(record, last_activity_at=T)) == ChangeFacts(changed_at=T)
