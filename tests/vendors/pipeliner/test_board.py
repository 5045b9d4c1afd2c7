"""The people at work in the Pipeliner sandbox: what they do to deals, and who is told of it."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from tests.contract.reading import whole_list
from tests.playground import Playground, playground
from tests.vendors.pipeliner.test_adapter import POSITIONS
from tests.vendors.pipeliner.test_watching import STATES, board_of, dice, in_order, store_of
from tests.vendors.pipeliner.writing_ground import FIRST_CONTACT, LOST, NEGOTIATION, OLD_STAGE, PROPOSAL, WON, Ground
from vendors.model import OpportunityStatus
from vendors.sandbox import OptionValue
from vendors.sandbox_board import LIFE, DealState

STATUSES: Final = {OpportunityStatus.OPEN: "OPEN", OpportunityStatus.WON: "WON", OpportunityStatus.LOST: "LOST", None: None}
WAYS_TO_WIN = [{"won_by": "step"}, {"won_by": "won_date"}]
A_DAY = datetime(2026, 11, 1, tzinfo=UTC)


async def read_states(play: Playground) -> dict[str, tuple[str | None, str | None]]:
    """Where the adapter finds every deal."""
    records = await whole_list(play.crm, selection=STATES)
    return {record.local_id: (record.stage_ref.local_id if record.stage_ref else None, STATUSES[record.status]) for record in records}


def told_states(play: Playground) -> dict[str, tuple[str | None, str | None]]:
    """Where the board says that every deal is."""
    board = board_of(play)
    states = {deal: board.state(deal) for deal in board.deals()}
    return {deal: (state.stage, state.status) for deal, state in states.items() if state is not None}


@pytest.mark.parametrize("options", POSITIONS, ids=str)
async def test_after_many_moves_everything_is_where_the_board_says(options: Mapping[str, OptionValue]) -> None:
    async with playground("pipeliner", options=options) as play:
        board, random, heard, ways = board_of(play), dice(500), list[str](), set[tuple[str | None, str | None]]()
        moved: set[str] = set()
        board.listen(heard.append)

        for _ in range(500):
            deal = random.choice(board.deals())
            before = board.state(deal)
            board.move(deal, random)
            after = board.state(deal)
            assert before is not None and after is not None and before != after
            assert heard == [deal]
            heard.clear()
            ways.add((before.status, after.status))
            moved.add(deal)

        assert ways == {("OPEN", "OPEN"), ("OPEN", "WON"), ("OPEN", "LOST"), ("WON", "OPEN"), ("LOST", "OPEN")}
        assert await read_states(play) == told_states(play)
        assert_sound(play, moved)


def assert_sound(play: Playground, moved: Collection[str]) -> None:
    """The tables agree with themselves, and what was moved with the vendor's rules."""
    store = store_of(play)
    table = store.tables["Opportunities"]
    assert table.ids == sorted(table.rows)
    for key in ("step_id", "status", "is_deleted"):
        values = {table.value(row, key) for row in table.rows.values()}
        found = {value: list(table.by(key, value)) for value in values}
        assert found == {value: [row_id for row_id in table.ids if table.value(table.rows[row_id], key) == value] for value in values}
    for row in (table.rows[deal] for deal in moved):
        step = store.tables["Steps"].rows[row["step_id"]]
        status = table.value(row, "status")
        assert step["pipeline_id"] is not None
        assert status == {0: 2, 100: 3}.get(step["percent"], status)
        assert (row.get("won_date") is not None) is (status == 3)
        assert (row.get("lost_date") is not None) is (status == 2)
        assert status == 2 or not row.get("is_archived")
        assert row["created"] <= row["modified"] and row["_step_entered"] <= row["modified"]


@pytest.mark.parametrize("options", WAYS_TO_WIN, ids=str)
async def test_the_same_dice_make_the_same_moves(options: Mapping[str, OptionValue]) -> None:
    ends: list[dict[str, tuple[str | None, str | None]]] = []
    for seed in (1, 1, 2):
        async with playground("pipeliner", options=options, scale=30) as play:
            random = dice(seed)
            for _ in range(50):
                board_of(play).move(random.choice(board_of(play).deals()), random)
            ends.append(told_states(play))

    assert ends[0] == ends[1] != ends[2]


@pytest.mark.parametrize("options", WAYS_TO_WIN, ids=str)
async def test_a_deal_is_mostly_moved_on_and_always_within_its_pipeline(options: Mapping[str, OptionValue]) -> None:
    async with playground("pipeliner", options=options) as play:
        ground, board = Ground(play), board_of(play)
        steps = store_of(play).tables["Steps"].rows
        on = 0
        for seed in range(60):
            deal = (await ground.create(stage_id=FIRST_CONTACT)).local_id
            board.move(deal, dice(seed))
            first = board.state(deal)
            assert first is not None and first.stage is not None
            on += first.status == "OPEN" and steps[first.stage]["sort_order"] == 1
            assert steps[first.stage]["pipeline_id"] == steps[FIRST_CONTACT]["pipeline_id"]

        assert on > 30


@pytest.mark.parametrize("options", WAYS_TO_WIN, ids=str)
@pytest.mark.parametrize(
    "values",
    [
        {"step_id": WON, "won_date": A_DAY},
        {"step_id": PROPOSAL, "won_date": A_DAY},
        {"step_id": LOST, "lost_date": A_DAY},
        {"step_id": PROPOSAL, "lost_date": A_DAY},
        {"step_id": PROPOSAL, "is_archived": True},
        {"step_id": OLD_STAGE},
        {"step_id": OLD_STAGE, "is_archived": True},
        {"step_id": OLD_STAGE, "won_date": A_DAY},
        {"step_id": NEGOTIATION},
        {"step_id": None},
        {"step_id": "46ff80f0-a1c2-4193-b24f-efef49b1ed59"},
    ],
    ids=str,
)
async def test_a_deal_can_be_moved_from_wherever_it_is(options: Mapping[str, OptionValue], values: dict[str, Any]) -> None:
    async with playground("pipeliner", options=options) as play:
        board, store = board_of(play), store_of(play)
        deal = board.deals()[0]

        for seed in range(40):
            store.change("Opportunities", deal, {"is_archived": False, "won_date": None, "lost_date": None, **values})
            before = board.state(deal)
            board.move(deal, dice(seed))
            assert board.state(deal) != before is not None


async def test_whoever_listens_is_told_of_what_the_api_does() -> None:
    async with playground("pipeliner") as play:
        ground, board, heard = Ground(play), board_of(play), list[tuple[str, DealState | None]]()
        oldest, *_ = in_order(board)
        board.listen(lambda deal: heard.append((deal, board.state(deal))))

        deal = (await ground.create(stage_id=FIRST_CONTACT)).local_id
        assert heard == [(deal, DealState(FIRST_CONTACT, "OPEN"))]
        assert board.deals()[0] == oldest and board.deals()[-1] == deal
        heard.clear()

        current = await ground.update(await ground.read(deal), stage_id=PROPOSAL)
        assert heard == [(deal, DealState(PROPOSAL, "OPEN"))]
        heard.clear()

        await (await ground.client.plan_delete(current)).execute()
        assert heard == [(deal, None)]
        assert deal not in board.deals() and board.state(deal) is None
        with pytest.raises(KeyError):
            board.move(deal, dice(0))


async def test_whoever_listens_is_not_told_of_other_records_nor_of_what_was_undone() -> None:
    async with playground("pipeliner") as play:
        board, store, heard = board_of(play), store_of(play), list[str]()
        deal = board.deals()[0]
        board.listen(heard.append)

        store.change("Accounts", store.tables["Accounts"].ids[0], {"city": "Kiel"})
        store.insert("Leads", {"name": "Somebody asked"})

        def fail() -> None:
            with store.transaction():
                store.back_to_lead(deal)
                store.insert("Opportunities", {"name": "Never"})
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()

        assert heard == []
        assert told_states(play) == await read_states(play)
        assert board.state(deal) is not None


async def test_a_deal_that_becomes_a_lead_again_leaves_the_board_and_keeps_its_links() -> None:
    async with playground("pipeliner") as play:
        board, store, heard = board_of(play), store_of(play), list[str]()
        deal = next(row["lead_oppty_id"] for row in store.tables["LeadOpptyAccountRelations"].rows.values())
        links = list(store.tables["LeadOpptyAccountRelations"].by("lead_oppty_id", deal))
        board.listen(heard.append)

        store.back_to_lead(deal)

        assert heard == [deal]
        assert deal not in board.deals() and board.state(deal) is None
        assert store.tables["Leads"].rows[deal]["id"] == deal
        assert list(store.tables["LeadOpptyAccountRelations"].by("lead_oppty_id", deal)) == links
        assert await read_states(play) == told_states(play)


async def test_the_boards_deals_are_those_of_the_list_the_oldest_first() -> None:
    async with playground("pipeliner") as play:
        rows = store_of(play).tables["Opportunities"].rows
        created = [rows[deal]["created"] for deal in board_of(play).deals()]

        assert created == sorted(created)
        assert sorted(board_of(play).deals()) == sorted((await read_states(play)).keys())


async def test_the_life_of_the_sandbox_is_moved_from_outside_and_written_down() -> None:
    async with playground("pipeliner") as play:
        session, url = play.crm.link.session, play.sandbox.base_url

        async with session.post(f"{url}/_sandbox/moves", json={"count": 100}) as answer:
            assert answer.status == 200
        async with session.get(f"{url}/_sandbox/history") as answer:
            history = await answer.json()

        assert sum(len(states) - 1 for states in history.values()) == 100
        assert {deal: tuple(states[-1]) for deal, states in history.items()} == await read_states(play)
        assert play.sandbox.app[LIFE].history.keys() == history.keys()
