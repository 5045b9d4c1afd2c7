"""What polls of Pipeliner tell and what they cost, and what a changed record says of its change."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest

from tests.contract.reading import sound
from tests.playground import Playground, playground
from tests.vendors.pipeliner.test_adapter import POSITIONS, client_of
from tests.vendors.pipeliner.writing_ground import LEAST, LOST, PROPOSAL, WON, Ground, writing
from vendors.capabilities import PageRequest
from vendors.changes import ChangeFacts, PollsOpportunities, WatchesOpportunities
from vendors.errors import MalformedReplyError
from vendors.model import Opportunity, OpportunityStatus, Ref, Selection
from vendors.pipeliner import watching
from vendors.pipeliner.client import Client
from vendors.pipeliner.sandbox.control import API
from vendors.pipeliner.sandbox.store import Store
from vendors.sandbox import Fault, OptionValue
from vendors.sandbox_board import LIFE, Board

STATES = Selection({"Opportunity": frozenset({"stage_ref", "status", "updated_at", "updated_by_ref", "revision"})})
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
FAR_AWAY = datetime(2199, 1, 1, tzinfo=UTC)


def store_of(ground: Playground) -> Store:
    return ground.sandbox.app[API].store


def board_of(ground: Playground) -> Board:
    return ground.sandbox.app[LIFE].board


def dice(seed: int) -> Random:
    return Random(seed)  # noqa: S311  # repeatable, not secret


def in_order(board: Board) -> list[str]:
    """The deals as they are now, which later changes leave alone."""
    return list(board.deals())


async def polled(
    ground: Playground, since: datetime, *, size: int = 100, between: Callable[[], object] = lambda: None
) -> list[Opportunity]:
    """All pages of a poll; `between` happens before each further one."""
    records: list[Opportunity] = []
    request = PageRequest(size=size, selection=STATES)
    while True:
        page = await client_of(ground).changed_opportunities(since, request)
        assert len(page.rows) <= size and page.dropped == 0
        records += [row.record for row in page.rows]
        if not page.has_more:
            return records
        assert page.position is not None and page.position != request.position
        request = PageRequest(size=size, selection=STATES, position=page.position)
        between()


@pytest.mark.parametrize("options", POSITIONS, ids=str)
async def test_a_poll_tells_what_the_api_and_people_have_changed(options: Mapping[str, OptionValue]) -> None:
    async with playground("pipeliner", options=options) as play:
        ground, board = Ground(play), board_of(play)
        first, second, third, fourth, *others = in_order(board)
        since = store_of(play).now() + timedelta(microseconds=1)

        created = (await ground.create()).local_id
        await ground.update(await ground.read(first), title="Renamed")
        await (await ground.client.plan_move(await ground.read(second), PROPOSAL, None)).execute()
        await (await ground.client.plan_delete(await ground.read(third))).execute()
        board.move(fourth, dice(1))
        found = {record.local_id: record for record in await polled(play, since, size=2)}

        assert found.keys() == {created, first, second, third, fourth}
        assert [local_id for local_id, record in found.items() if record.is_deleted] == [third]
        for local_id in found.keys() - {third}:
            state = board.state(local_id)
            assert state is not None
            assert found[local_id].stage_ref == Ref(play.crm.key, state.stage or "")
        assert others


@pytest.mark.parametrize("size", [1, 3, 10])
@pytest.mark.parametrize("options", [POSITIONS[0], {"filter_instants": "seconds"}, {"last_page_cursor": "value"}, POSITIONS[-1]], ids=str)
async def test_what_changes_between_the_pages_of_a_poll_is_told_of_as_it_is_in_the_end(
    options: Mapping[str, OptionValue], size: int
) -> None:
    """However often a record was seen before, it is seen again after its last change; so what was seen last is how it is."""
    async with playground("pipeliner", options=options) as play:
        store, board, random = store_of(play), board_of(play), dice(size)
        before = len(store.tables["Opportunities"].ids)
        left = [30]

        def change() -> None:
            """Let people and programs do something to some records, but not forever."""
            if left[0] > 0:
                left[0] -= 1
                board.move(random.choice(board.deals()), random)
                store.change("Opportunities", random.choice(board.deals()), {"name": "Renamed"})
                store.delete("Opportunities", random.choice(board.deals()))
                row = store.tables["Opportunities"].rows[random.choice(board.deals())]
                store.insert("Opportunities", {key: value for key, value in row.items() if key not in {"id", "created"}})

        seen = {record.local_id: record for record in await polled(play, LONG_AGO, size=size, between=change)}

        rows = store.tables["Opportunities"].rows
        assert len(rows) > before
        assert seen.keys() == rows.keys()
        assert {local_id: record.revision for local_id, record in seen.items()} == {
            row_id: str(row["revision"]) for row_id, row in rows.items()
        }


async def test_records_of_the_same_instant_are_all_told_of() -> None:
    """A change of many at once may stamp them alike, and pages end between them."""
    async with playground("pipeliner", scale=60) as play:
        table = store_of(play).tables["Opportunities"]
        at = datetime(2026, 10, 1, 8, 30, 15, 250, tzinfo=UTC)
        table.load([{**row, "modified": at} for row in table.rows.values()])

        assert sorted(record.local_id for record in await polled(play, at, size=7)) == table.ids


async def test_a_quiet_poll_is_one_call_and_a_full_one_a_call_for_every_hundred() -> None:
    async with playground("pipeliner", scale=250) as play:
        since = store_of(play).now() + timedelta(seconds=2)

        assert await polled(play, since, size=1_000) == []
        (call,) = play.control.calls
        assert call.operation == "GET Opportunities"
        assert dict(call.query) == {
            "first": "100",
            "include-deleted": "true",
            "filter[modified]": since.strftime("%Y-%m-%d %H:%M:%S"),
            "filter-op[modified]": "gte",
            "order-by": "modified",
            "load-only": "id,is_deleted,modified,modified_by_user,revision,status,step_id",
        }
        play.control.calls.clear()
        assert len(await polled(play, LONG_AGO, size=1_000)) == 250
        assert play.control.operations() == ["GET Opportunities"] * 3


async def test_a_poll_asks_for_no_related_records() -> None:
    async with playground("pipeliner") as play:
        selection = Selection({"Opportunity": frozenset({"owner_ref", "account_ref"}), "User": frozenset({"name"})})

        page = await client_of(play).changed_opportunities(LONG_AGO, PageRequest(size=100, selection=selection))

        (call,) = play.control.calls
        assert "expand" not in dict(call.query) and page.seeds is None
        assert any(row.record.owner_ref for row in page.rows) and any(row.record.account_ref for row in page.rows)


async def test_a_moment_is_asked_for_in_utc_and_reaches_back_to_its_second() -> None:
    async with playground("pipeliner") as play:
        moment = datetime(2026, 5, 11, 14, 30, 15, 999_999, tzinfo=timezone(timedelta(hours=2)))

        await polled(play, moment)

        assert dict(play.control.calls[0].query)["filter[modified]"] == "2026-05-11 12:30:15"


async def test_the_first_and_the_last_moments_of_time_can_be_asked_for() -> None:
    async with playground("pipeliner") as play:
        everything = store_of(play).tables["Opportunities"].ids

        for moment in (datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))):
            assert sorted(record.local_id for record in await polled(play, moment)) == everything
        assert await polled(play, FAR_AWAY) == []


async def test_a_row_that_cannot_be_read_costs_a_poll_only_itself() -> None:
    async with playground("pipeliner") as play:
        play.control.faults.append(Fault(kind="bad_row", match="Opportunities", times=1))

        page = await client_of(play).changed_opportunities(LONG_AGO, PageRequest(size=100, selection=STATES))

        assert (len(page.rows), page.dropped) == (len(store_of(play).tables["Opportunities"].ids) - 1, 1)


async def test_a_poll_that_gets_no_sensible_answer_fails() -> None:
    async with playground("pipeliner") as play:
        play.control.faults.append(Fault(kind="cut_json", match="Opportunities"))

        with pytest.raises(MalformedReplyError):
            await polled(play, LONG_AGO)


async def test_what_became_a_lead_again_is_told_of_by_no_poll_but_is_missed_by_a_sweep() -> None:
    async with playground("pipeliner") as play:
        gone, *others = in_order(board_of(play))
        since = store_of(play).now()

        async with play.crm.link.session.post(f"{play.sandbox.base_url}/_sandbox/back_to_lead", json={"id": gone}) as answer:
            assert answer.status == 200
        sweep = await client_of(play).opportunities_page(PageRequest(size=100, selection=STATES))

        assert await polled(play, since) == []
        assert sorted(row.record.local_id for row in sweep.rows) == sorted(others)
        assert await client_of(play).opportunities_by_ids([gone], STATES) == {}


async def test_a_change_is_dated_and_signed_by_the_record_when_people_make_it() -> None:
    async with playground("pipeliner") as play:
        board, store, random = board_of(play), store_of(play), dice(4)
        kinds: set[OpportunityStatus | None] = set()

        for deal in in_order(board):
            board.move(deal, random)
            record = sound((await client_of(play).opportunities_by_ids([deal], STATES))[deal])
            row = store.tables["Opportunities"].rows[deal]
            kinds.add(record.status)

            facts = client_of(play).change_facts(record)
            assert facts == ChangeFacts(changed_at=row["modified"], changed_by=Ref(play.crm.key, row["modified_by_user_id"]))
            assert facts.changed_at is not None and facts.changed_at.utcoffset() == timedelta(0)

        assert kinds == {OpportunityStatus.OPEN, OpportunityStatus.WON, OpportunityStatus.LOST}


@pytest.mark.parametrize("stage", [WON, LOST, PROPOSAL])
async def test_a_change_by_a_program_is_dated_and_nobodys(stage: str) -> None:
    async with writing() as ground:
        current = await ground.create()
        await (await ground.client.plan_move(current, stage, None)).execute()

        record = await ground.read(current.local_id)

        assert ground.client.change_facts(record) == ChangeFacts(changed_at=ground.row("Opportunities", current.local_id)["modified"])


async def test_a_record_that_was_not_moved_tells_when_it_was_modified() -> None:
    async with writing() as ground:
        before = await ground.create()

        after = await ground.update(before, title=f"{LEAST.title}, again")

        assert ground.client.change_facts(after).changed_at == after.updated_at != before.updated_at


def test_a_record_without_stamps_tells_nothing() -> None:
    record = Opportunity(ref=Ref("dach", "1"), title="", closed_at=LONG_AGO, status=OpportunityStatus.WON)

    assert watching.change_facts(record) == ChangeFacts()


def test_watching_ten_thousand_opportunities_keeps_to_its_calls() -> None:
    plan = watching.WATCHING
    polls, sweeps = 3_600 / plan.poll_seconds, 3_600 / plan.sweep_seconds

    assert polls + sweeps * 10_000 / 100 <= plan.calls_per_hour / 2
    assert issubclass(Client, WatchesOpportunities) and issubclass(Client, PollsOpportunities)
