"""Polls of Lead Gen & CRM: nothing that was changed is passed by, however much it was, and in how many calls."""

import itertools
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.playground import Playground, playground
from tests.vendors.sharpspring.scripted_vendor import scripted
from tests.vendors.sharpspring.writing_ground import CLOSED_LOST, DECK_LIGHTING, DRONES, NEGOTIATION, NEW
from vendors.capabilities import PageRequest
from vendors.changes import ChangeFacts, PollsOpportunities, ReceivesWebhooks, WatchesOpportunities
from vendors.errors import MalformedReplyError, VendorError
from vendors.model import EVERYTHING, Opportunity, OpportunityStatus, Selection
from vendors.sandbox import Fault, OptionValue
from vendors.sandbox_board import LIFE
from vendors.sharpspring.client import Client
from vendors.sharpspring.sandbox import SANDBOX
from vendors.sharpspring.sandbox.routes import STORE
from vendors.sharpspring.sandbox.store import Store
from vendors.sharpspring.spans import Span, Spans, span_from, span_since, time_text
from vendors.writes import OpportunityValues, StatusValues, WritePlan

RANGE, LIST, STAGES = "getOpportunitiesDateRange", "getOpportunities", "getDealStages"
WHEREABOUTS = Selection({"Opportunity": frozenset({"stage_ref", "pipeline_ref", "status"})})
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
OSLO = ZoneInfo("Europe/Oslo")
OSLO_V1 = {"api_version": "v1", "time_zone": "Europe/Oslo"}

Between = Callable[[], object]


@asynccontextmanager
async def ground(**options: Any) -> AsyncGenerator[tuple[Playground, Client], None]:
    async with playground("sharpspring", **options) as made:
        assert isinstance(made.crm.client, Client)
        yield made, made.crm.client


def store_of(made: Playground) -> Store:
    return made.sandbox.app[STORE]


def rows_of(made: Playground) -> dict[int, dict[str, Any]]:
    return store_of(made).tables["opportunity"].rows


def active_of(made: Playground) -> set[str]:
    return {str(row_id) for row_id, row in rows_of(made).items() if row["isActive"]}


def right_now() -> datetime:
    return datetime.now(UTC)


async def poll(
    client: Client, since: datetime, *, size: int = 100, selection: Selection = WHEREABOUTS, between: Between | None = None
) -> list[Opportunity]:
    """Give the records of all pages, going on at the place of the last row as well as at that of the page."""
    found: list[Opportunity] = []
    position: str | None = None
    for turn in range(5_000):
        page = await client.changed_opportunities(since, PageRequest(size=size, position=position, selection=selection))
        assert len(page.rows) <= size
        found += [row.record for row in page.rows]
        if not page.has_more:
            return found
        position = page.rows[-1].position if page.rows and turn % 2 else page.position
        assert position is not None
        assert position.isascii() and position.isprintable() and len(position) <= 500
        if between is not None:
            between()
    raise AssertionError("the poll does not end")


async def polled_ids(client: Client, since: datetime, *, size: int = 100, between: Between | None = None) -> list[str]:
    return [record.local_id for record in await poll(client, since, size=size, between=between)]


async def record_of(client: Client, local_id: str) -> Opportunity:
    record = (await client.opportunities_by_ids([local_id], EVERYTHING))[local_id]
    assert isinstance(record, Opportunity)
    return record


async def done(plan: WritePlan) -> str:
    assert plan.violations == ()
    return (await plan.execute()).local_id


def spans_asked(made: Playground) -> list[tuple[datetime, datetime]]:
    params = [json.loads(call.body)["params"] for call in made.control.calls if call.operation == RANGE]
    return [(at(one["startDate"]), at(one["endDate"])) for one in params]


def at(text: str, zone: ZoneInfo | None = None, *, fold: int = 0) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone or UTC, fold=fold)


# What polls tell.


@pytest.mark.parametrize("options", SANDBOX.positions(), ids=str)
async def test_a_poll_tells_what_was_changed_in_every_position_of_the_sandbox(options: dict[str, OptionValue]) -> None:
    async with ground(options=options) as (made, client):
        since = right_now()
        edited, moved, closed, deleted = sorted(active_of(made))[:4]
        created = await done(await client.plan_create(NEW))
        await done(await client.plan_update(await record_of(client, edited), OpportunityValues(title="Renamed")))
        await done(await client.plan_move(await record_of(client, moved), NEGOTIATION, None))
        await done(await client.plan_close(await record_of(client, closed), StatusValues(status=OpportunityStatus.LOST)))
        await done(await client.plan_delete(await record_of(client, deleted)))
        states = {deal: list(history) for deal, history in made.sandbox.app[LIFE].history.items()}
        made.sandbox.app[LIFE].move(5)
        by_people = {deal for deal, history in made.sandbox.app[LIFE].history.items() if history != states[deal]}

        found = {record.local_id: record for record in await poll(client, since, selection=EVERYTHING)}

        expected = {edited, moved, closed}
        # What it cannot tell, in the positions in which the vendor would not: see the tests of the sweep below.
        if options.get("update_stamp") != "edits" or created in by_people:
            expected.add(created)
        if options.get("update_stamp") != "api":
            expected |= by_people
        if options.get("deletes") == "deactivate" and options.get("inactive_rows") == "listed":
            expected.add(deleted)
            assert found[deleted].is_deleted
        assert found.keys() == expected
        assert len(by_people) > 2
        for local_id, record in found.items():
            assert record == replace(await record_of(client, local_id), contact_refs=record.contact_refs, extension=record.extension)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"update_stamp": "edits"}, "create"),
        ({"update_stamp": "api"}, "move"),
        ({"deletes": "remove"}, "delete"),
        ({"deletes": "deactivate"}, "delete"),
    ],
    ids=str,
)
async def test_the_sweep_finds_what_a_poll_cannot_tell(options: dict[str, OptionValue], what: str) -> None:
    async with ground(options=options) as (made, client):
        before = await swept(client)
        since = right_now()
        if what == "create":
            changed = await done(await client.plan_create(NEW))
        elif what == "move":
            changed = DECK_LIGHTING
            store_of(made).edit(int(changed), {"dealStageID": int(CLOSED_LOST)})
        else:
            changed = await done(await client.plan_delete(await record_of(client, DECK_LIGHTING)))

        assert await polled_ids(client, since) == []
        after = await swept(client)
        assert {local_id for local_id in before | after if before.get(local_id) != after.get(local_id)} == {changed}


async def swept(client: Client) -> dict[str, tuple[object, object]]:
    page = await client.opportunities_page(PageRequest(size=1_000, selection=WHEREABOUTS))
    return {row.record.local_id: (row.record.stage_ref, row.record.status) for row in page.rows}


@pytest.mark.parametrize("settings", [{}, OSLO_V1], ids=str)
async def test_a_poll_tells_what_was_stamped_since_and_hardly_more(settings: Mapping[str, object]) -> None:
    async with ground(settings=settings) as (made, client):
        stamps = {str(row_id): at(row["updateTimestamp"]) for row_id, row in rows_of(made).items() if row["isActive"]}
        for since in sorted(stamps.values())[::5]:
            found = set(await polled_ids(client, since))

            assert {row_id for row_id, stamp in stamps.items() if stamp >= since} <= found
            # Two hours where clocks change, as they did in Oslo on 2025-10-26 and 2026-03-29 and 2026-10-25.
            assert found <= {row_id for row_id, stamp in stamps.items() if stamp >= since - timedelta(hours=2, seconds=1)}


async def test_times_are_sent_in_the_form_and_zone_of_the_vendor() -> None:
    since = datetime(2026, 7, 1, 22, 30, 15, 999_999, tzinfo=UTC)
    for settings, start, zone in (({}, "2026-07-01 22:30:14", UTC), (OSLO_V1, "2026-07-02 00:30:14", OSLO)):
        async with ground(settings=settings) as (made, client):
            await polled_ids(client, since)

            (params,) = [json.loads(call.body)["params"] for call in made.control.calls if call.operation == RANGE]
            assert params.keys() == {"startDate", "endDate", "timestamp"}
            assert (params["startDate"], params["timestamp"]) == (start, "update")
            end = datetime.strptime(params["endDate"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)
            assert timedelta(minutes=5) < end - right_now() < timedelta(minutes=15)  # the vendor's clocks may differ


async def test_a_poll_since_a_time_to_come_is_a_poll_all_the_same() -> None:
    async with ground() as (_, client):
        assert await polled_ids(client, right_now() + timedelta(days=2)) == []


# How many calls.


async def test_a_quiet_poll_is_one_call() -> None:
    async with ground() as (made, client):
        assert await polled_ids(client, right_now()) == []
        assert made.control.operations() == [STAGES, RANGE]  # the first poll of all asks what time it is

        made.control.calls.clear()
        assert await polled_ids(client, right_now() + timedelta(seconds=1)) == []

        assert made.control.operations() == [RANGE]


async def test_a_poll_that_finds_something_is_one_call_besides_the_kept_stages() -> None:
    async with ground() as (made, client):
        await client.pipelines()
        made.control.calls.clear()
        since = right_now()
        made.sandbox.app[LIFE].move(20)

        found = await polled_ids(client, since)

        assert len(set(found)) > 5
        assert made.control.operations() == [RANGE]


async def test_watching_leaves_most_of_the_budget_to_people() -> None:
    async with ground() as (_, client):
        watching = client.watching()

        assert isinstance(client, WatchesOpportunities)
        assert isinstance(client, PollsOpportunities)
        assert not isinstance(client, ReceivesWebhooks)
        assert watching.overlap_seconds >= 60
        # Source: Lead Gen & CRM Open API, overview article: 50,000 calls a day.
        assert watching.calls_per_hour * 24 <= 50_000 / 4
        pages_of_20_000 = 40 + 1
        per_hour = 3_600 / watching.poll_seconds + 3_600 / watching.sweep_seconds * pages_of_20_000
        assert per_hour <= watching.calls_per_hour


# Much at once.

MANY: list[dict[str, OptionValue]] = [
    {},
    {"row_order": "descending"},
    {"range_paging": "works"},
    {"range_bounds": "out"},
    {"page_limit_500": "fails"},
    {"empty_map": "list"},
    {"scalars": "number"},
    {"inactive_rows": "listed"},
]


@pytest.mark.parametrize(("size", "options"), [(70, {}), (70, {"page_limit_500": "fails"}), *((1_000, options) for options in MANY)])
async def test_after_a_long_time_nothing_is_passed_by(size: int, options: dict[str, OptionValue]) -> None:
    async with ground(options=options, scale=2_330) as (made, client):
        everything = set(map(str, rows_of(made)))
        expected = everything if "inactive_rows" in options else active_of(made)

        found = await polled_ids(client, LONG_AGO, size=size)

        assert set(found) == expected
        assert len(found) < len(expected) * 1.1  # what lies where two spans meet comes twice
        spans = spans_asked(made)
        assert LIST not in made.control.operations()
        assert min(end - start for start, end in spans) > timedelta(hours=1)
        if size == 1_000:
            fewest = len(expected) // (200 if "page_limit_500" in options else 500)
            assert fewest < len(spans) <= 4 * fewest + 12


@pytest.mark.parametrize(
    ("size", "options", "settings"),
    [(3, {}, {}), (3, {}, OSLO_V1), (3, {"row_order": "descending"}, {}), (60, {}, {}), (60, {"page_limit_500": "fails"}, OSLO_V1)],
)
async def test_rows_that_are_changed_come_and_go_between_pages_make_no_gap(
    size: int, options: dict[str, OptionValue], settings: dict[str, Any]
) -> None:
    rows_at_first = 240 if size == 3 else 1_500
    async with ground(options=options, settings=settings, scale=rows_at_first) as (made, client):
        store, rows = store_of(made), rows_of(made)
        wanted = sorted(active_of(made))
        gone: set[str] = set()
        turn = 0

        def change() -> None:
            """Move one from each end and from the middle, delete another one, and add one."""
            nonlocal turn
            left = [row_id for row_id in wanted if row_id not in gone]
            for row_id in (left[turn % len(left)], left[-1 - turn % len(left)], left[len(left) // 2]):
                store.edit(int(row_id), {"isClosed": not rows[int(row_id)]["isClosed"]})
            if turn % 3 == 0 and len(left) > rows_at_first // 2:
                victim = left[(turn * 7) % len(left)]
                gone.add(victim)
                store.delete("opportunity", {"id": victim})
            turn += 1

        found = await polled_ids(client, LONG_AGO, size=size, between=change)

        assert turn > 15
        assert gone
        assert set(wanted) - gone <= set(found)


@pytest.mark.parametrize(
    ("count", "options"),
    [(199, {"page_limit_500": "fails"}), (499, {}), (500, {}), *((900, options) for options in MANY)],
)
async def test_more_changes_in_a_second_than_the_vendor_tells_are_found_in_the_whole_list(
    count: int, options: dict[str, OptionValue]
) -> None:
    async with ground(options=options, scale=1_100) as (made, client):
        store, since = store_of(made), right_now()
        moment = since + timedelta(seconds=1)
        store.now = lambda: moment
        changed = sorted(map(str, rows_of(made)) if "inactive_rows" in options else active_of(made))[:count]
        for row_id in changed:
            store.edit(int(row_id), {"opportunityName": "Changed by an automation"})

        found = await polled_ids(client, since, size=1_000)

        assert set(changed) <= set(found)
        is_told = count < (200 if "page_limit_500" in options else 500)
        assert (LIST in made.control.operations()) is not is_told
        assert made.control.count() <= 40
        if is_told:
            assert len(found) == count
        else:
            start, end = spans_asked(made)[-1]
            assert end - start == timedelta(seconds=3)  # a second, and one on both sides


async def test_a_whole_list_that_a_poll_reads_has_no_gap_while_rows_come_and_go() -> None:
    async with ground(scale=700) as (made, client):
        store, since = store_of(made), right_now()
        store.now = lambda: since
        wanted = sorted(active_of(made))
        for row_id in wanted:
            store.edit(int(row_id), {"opportunityName": "Changed by an automation"})
        gone: list[str] = []

        def remove() -> None:
            gone.append(wanted[5 + 3 * len(gone)])
            store.delete("opportunity", {"id": gone[-1]})

        found = await polled_ids(client, since, size=40, between=remove)

        assert len(gone) > 10
        assert set(wanted) - set(gone) <= set(found)


# Answers that cannot be trusted.


def numbered(count: int) -> dict[str, Any]:
    return {"result": {"opportunity": [{"id": str(number), "isActive": "1"} for number in range(1, count + 1)]}}


CUT_OFF = {
    "500": numbered(500),
    "500, although it says that these are all": {**numbered(500), "hasMore": False},
    "730": numbered(730),
    "3, and says that there are more": {**numbered(3), "hasMore": True},
}


@pytest.mark.parametrize("cut_off", CUT_OFF.values(), ids=CUT_OFF)
async def test_an_answer_that_may_be_cut_off_is_asked_for_by_halves(cut_off: dict[str, Any]) -> None:
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        params = asked["params"]
        if asked["method"] != RANGE:
            return {"result": {"dealStage": []}}
        return cut_off if at(params["endDate"]) - at(params["startDate"]) > timedelta(hours=1) else numbered(2)

    async with scripted(answer) as (vendor, client):
        found = await polled_ids(client, right_now() - timedelta(hours=4))

        spans = [(at(one["params"]["startDate"]), at(one["params"]["endDate"])) for one in vendor.asked if one["method"] == RANGE]
        assert set(found) == {"1", "2"}
        trusted = [(start, end) for start, end in dict.fromkeys(spans) if end - start <= timedelta(hours=1)]
        assert len(trusted) < len(set(spans))
        assert trusted[0][0] == spans[0][0]
        for one, other in itertools.pairwise(trusted):
            assert one[0] < other[0] < one[1] < other[1]


async def test_a_row_that_cannot_be_read_is_counted_once_and_keeps_no_other_away() -> None:
    rows = [{"id": "12"}, {"id": {"no": "id"}}, {"id": "7"}, {"id": "30"}]

    async with scripted(lambda asked: {"result": {"opportunity": rows if asked["method"] == RANGE else []}}) as (_, client):
        first = await client.changed_opportunities(right_now(), PageRequest(size=2, selection=WHEREABOUTS))
        second = await client.changed_opportunities(right_now(), PageRequest(size=2, position=first.position, selection=WHEREABOUTS))

        assert [row.record.local_id for row in (*first.rows, *second.rows)] == ["7", "12", "30"]
        assert (first.has_more, second.has_more) == (True, False)
        assert (first.dropped, second.dropped) == (1, 0)


async def test_a_vendor_that_is_unwell_is_not_asked_again_and_again() -> None:
    async with ground() as (made, client):
        await polled_ids(client, right_now())
        made.control.calls.clear()
        await set_fault(made, kind="html")

        with pytest.raises(MalformedReplyError):
            await polled_ids(client, right_now())

        assert made.control.count() == 2


@pytest.mark.parametrize(("status", "kind"), [(200, "cut_json"), (200, "reset"), (401, "status")])
async def test_a_poll_that_fails_says_so(status: int, kind: str) -> None:
    async with ground() as (made, client):
        await set_fault(made, kind=kind, status=status)

        with pytest.raises(VendorError):
            await polled_ids(client, right_now())


async def test_ranges_that_never_can_be_read_leave_the_whole_list() -> None:
    async with ground() as (made, client):
        await set_fault(made, kind="html", match=RANGE)

        found = await polled_ids(client, right_now())

        assert set(found) == active_of(made)
        assert LIST in made.control.operations()
        assert made.control.count() < 30


async def test_a_vendor_that_does_not_tell_the_time_is_asked_for_long_enough() -> None:
    asked: list[tuple[str, str]] = []

    async def read(start: str, end: str) -> Sequence[Any] | None:
        asked.append((start, end))
        return ()

    told = await Spans(read, UTC).read(span_since(datetime(2026, 11, 21, 12, tzinfo=UTC)), None)

    assert told is not None and told.following is None
    assert asked == [("2026-11-21 11:59:59", "2027-11-22 12:10:01")]


@dataclass(frozen=True)
class Stamped:
    id: str
    stamp: datetime


@pytest.mark.parametrize("size", [1, 7, 1_000])
async def test_busy_times_with_a_quiet_one_between_take_few_calls_and_lose_nothing(size: int) -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    busy = now - timedelta(days=300)
    rows = [Stamped(str(number), busy + timedelta(seconds=(number * 7_919) % 40_000)) for number in range(1, 120)]
    rows += [Stamped(str(number), now - timedelta(seconds=(number * 7_919) % 40_000)) for number in range(120, 240)]
    asked: list[tuple[str, str]] = []

    async def read(start: str, end: str) -> Sequence[Stamped | None] | None:
        asked.append((start, end))
        found = [row for row in rows if at(start) <= row.stamp <= at(end)]
        return found if len(found) < 50 else None

    spans: Spans[Stamped] = Spans(read, UTC)
    place: Span | None = span_since(busy)
    given: list[str] = []
    while place is not None:
        told = await spans.read(place, now)
        assert told is not None
        found, place = told.first(size)
        given += [row.id for row, _ in found]

    assert set(given) == {row.id for row in rows}
    assert len(given) < len(rows) + 10
    assert len(asked) <= 60 + len(rows) // size


async def set_fault(made: Playground, *, kind: Any, status: int = 500, match: str = "") -> None:
    made.control.faults[:] = [Fault(kind=kind, status=status, match=match)]


# Places and times.


@pytest.mark.parametrize("span", [Span(start=0), Span(start=1_795_000_000, seconds=7), Span(start=5, last_id="90531100116")], ids=str)
def test_a_span_is_read_as_it_was_written(span: Span) -> None:
    assert span_from(str(span)) == span


def test_a_moment_before_1970_is_long_enough_ago() -> None:
    assert span_since(datetime(1, 1, 1, tzinfo=UTC)) == Span(start=0)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_no_reading_of_a_time_near_a_change_of_clocks_misses_a_row(zone: str) -> None:
    """The vendor may compare the texts, or what they mean; and an hour that comes twice may mean either."""
    local = ZoneInfo(zone)
    changes = [datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)]
    changes += [datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)]
    for change in changes:
        moments = [int((change + timedelta(minutes=minutes)).timestamp()) for minutes in range(-300, 301, 10)]
        texts = {moment: datetime.fromtimestamp(moment, local).strftime("%Y-%m-%d %H:%M:%S") for moment in moments}
        for moment in moments:
            start, end = (time_text(moment, local, toward=toward) for toward in (-1, 1))
            for fold in (0, 1):
                assert at(start, local, fold=fold).timestamp() <= moment <= at(end, local, fold=fold).timestamp()
            assert all(start <= text for other, text in texts.items() if other >= moment)
            assert all(text <= end for other, text in texts.items() if other <= moment)
            assert at(end, local).timestamp() - at(start, local).timestamp() <= 6 * 3_600


def test_a_time_away_from_any_change_of_clocks_is_exact() -> None:
    moment = int(datetime(2026, 7, 1, 22, 30, 15, tzinfo=UTC).timestamp())

    for toward in (-1, 1):
        assert time_text(moment, OSLO, toward=toward) == "2026-07-02 00:30:15"


# What records tell of a move.


@pytest.mark.parametrize("how", ["won", "lost", "moved", "unmoved"])
@pytest.mark.parametrize("timestamps", ["absent", "present"])
async def test_no_record_tells_when_and_by_whom_it_was_moved(how: str, timestamps: str) -> None:
    async with ground(options={"opportunity_timestamps": timestamps}) as (_, client):
        record = await record_of(client, DRONES)
        if how in ("won", "lost"):
            await done(await client.plan_close(record, StatusValues(status=OpportunityStatus(how))))
        elif how == "moved":
            await done(await client.plan_move(record, NEGOTIATION, None))

        record = await record_of(client, DRONES)

        assert (record.updated_at is not None) == (timestamps == "present")
        assert client.change_facts(record) == ChangeFacts(changed_at=None, changed_by=None)
