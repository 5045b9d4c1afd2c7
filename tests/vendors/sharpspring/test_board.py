"""The people of the sandbox: what their moves leave behind, and that everybody who listens hears of every change."""

import itertools
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.playground import Playground, playground
from tests.vendors.sharpspring.sandbox_caller import calling
from vendors.capabilities import PageRequest
from vendors.model import OpportunityStatus, Selection
from vendors.sandbox import OptionValue
from vendors.sandbox_board import LIFE, DealState, Life
from vendors.sharpspring.client import Client
from vendors.sharpspring.sandbox import SANDBOX
from vendors.sharpspring.sandbox.routes import STORE
from vendors.sharpspring.sandbox.store import Store

WORDS = {OpportunityStatus.OPEN: "OPEN", OpportunityStatus.WON: "WON", OpportunityStatus.LOST: "LOST"}
WHEREABOUTS = Selection({"Opportunity": frozenset({"stage_ref", "status"})})
TOVE, QUALIFIED, NEGOTIATION, CLOSED_WON, CLOSED_LOST = "312000001", "70110012", "70110015", "70110016", "70110017"
NEW = {"ownerID": TOVE, "dealStageID": QUALIFIED, "opportunityName": "Slipway rails", "closeDate": "2027-02-01 00:00:00"}


@asynccontextmanager
async def ground(options: Mapping[str, OptionValue] | None = None) -> AsyncGenerator[tuple[Playground, Client, Life], None]:
    async with playground("sharpspring", options=options) as made:
        assert isinstance(made.crm.client, Client)
        yield made, made.crm.client, made.sandbox.app[LIFE]


def store_of(made: Playground) -> Store:
    return made.sandbox.app[STORE]


async def states_as_read(client: Client) -> dict[str, DealState]:
    """Where the deals are as the adapter lists them."""
    page = await client.opportunities_page(PageRequest(size=1_000, selection=WHEREABOUTS))
    assert not page.has_more
    states: dict[str, DealState] = {}
    for row in page.rows:
        assert row.record.status is not None
        stage = row.record.stage_ref
        states[row.record.local_id] = DealState(None if stage is None else stage.local_id, WORDS[row.record.status])  # type: ignore[arg-type]  # one of three
    return states


def assert_is_valid(store: Store) -> None:
    for row_id, row in store.tables["opportunity"].rows.items():
        assert row["id"] == row_id
        assert row["dealStageID"] in store.tables["dealStage"].rows
        assert {type(row[name]) for name in ("isClosed", "isWon", "isActive")} == {bool}


@pytest.mark.parametrize("options", SANDBOX.positions(), ids=str)
async def test_after_500_moves_the_vendor_tells_what_the_board_says(options: dict[str, OptionValue]) -> None:
    async with ground(options) as (made, client, life):
        before = {row["id"]: row for row in store_of(made).tables["opportunity"].rows.values()}
        assert await states_as_read(client) == {deal: life.board.state(deal) for deal in life.board.deals()}

        life.move(500)

        assert_is_valid(store_of(made))
        assert await states_as_read(client) == {deal: life.board.state(deal) for deal in life.board.deals()}
        assert {deal: states[-1] for deal, states in life.history.items()} == {deal: life.board.state(deal) for deal in life.board.deals()}
        for row_id, row in store_of(made).tables["opportunity"].rows.items():
            changed = {name for name, value in row.items() if value != before[row_id][name]}
            assert changed <= {"dealStageID", "isClosed", "isWon", "updateTimestamp"}


@pytest.mark.parametrize("options", [{}, {"closing": "coupled"}, {"pipeline_id": "present"}], ids=str)
async def test_every_move_brings_its_deal_into_another_state(options: dict[str, OptionValue]) -> None:
    async with ground(options) as (_, _, life):
        generator = random.Random(3)  # noqa: S311  # repeatable, not secret
        for turn in range(1_000):
            deal = life.board.deals()[turn % len(life.board.deals())]
            before = life.board.state(deal)

            life.board.move(deal, generator)

            assert life.board.state(deal) not in (None, before)


async def test_deals_go_on_and_back_are_won_and_lost_and_opened_again() -> None:
    async with ground() as (made, _, life):
        order = [row["id"] for row in sorted(store_of(made).tables["dealStage"].rows.values(), key=lambda row: row["weight"] or 99)]

        life.move(1_000)

        kinds: dict[str, int] = {}
        for states in life.history.values():
            for one, other in itertools.pairwise(states):
                assert one is not None and other is not None and one.stage is not None and other.stage is not None
                if one.status == other.status == "OPEN":
                    kind = "on" if order.index(int(other.stage)) == order.index(int(one.stage)) + 1 else "back"
                else:
                    kind = f"{one.status} {other.status}"
                kinds[kind] = kinds.get(kind, 0) + 1
                assert (other.stage == CLOSED_WON) == (other.status == "WON")
                assert (other.stage == CLOSED_LOST) == (other.status == "LOST")
        assert kinds.keys() == {"on", "back", "OPEN WON", "OPEN LOST", "WON OPEN", "LOST OPEN", "WON LOST", "LOST WON"}
        assert max(kinds, key=lambda kind: kinds[kind]) == "on"


async def test_the_same_seed_makes_the_same_moves() -> None:
    histories: list[Any] = []
    for _ in range(2):
        async with ground() as (_, _, life):
            life.move(200)
            histories.append(life.history)

    assert histories[0] == histories[1]


async def test_what_the_api_changes_is_heard_after_it_was_made() -> None:
    heard: list[tuple[str, DealState | None]] = []
    async with calling() as caller:
        board = caller.sandbox.app[LIFE].board
        board.listen(lambda deal: heard.append((deal, board.state(deal))))
        before = list(board.deals())

        (new_id,) = await caller.write("createOpportunities", NEW)
        await caller.write("updateOpportunities", {"id": new_id, "dealStageID": NEGOTIATION})
        await caller.write("updateOpportunities", {"id": new_id, "isClosed": 1})
        await caller.write("updateOpportunities", {"id": new_id, "isClosed": 1})  # changes nothing
        await caller.write("createOpportunityLeads", {"opportunityID": new_id, "leadID": "88038560001"})  # changes another table
        assert list(board.deals()) == [*before, str(new_id)]
        await caller.write("deleteOpportunities", {"id": new_id})

        deal = str(new_id)
        assert heard == [
            (deal, DealState(QUALIFIED, "OPEN")),
            (deal, DealState(NEGOTIATION, "OPEN")),
            (deal, DealState(NEGOTIATION, "LOST")),
            (deal, None),
        ]
        assert list(board.deals()) == before
        assert caller.sandbox.app[LIFE].history[deal] == [state for _, state in heard]


async def test_an_inactive_deal_is_none_until_it_is_active_again() -> None:
    async with calling(deletes="deactivate") as caller:
        board = caller.sandbox.app[LIFE].board
        before = list(board.deals())
        deal = before[7]
        was = board.state(deal)

        await caller.write("deleteOpportunities", {"id": deal})

        assert list(board.deals()) == [other for other in before if other != deal]
        assert board.state(deal) is None
        with pytest.raises(KeyError):
            board.move(deal, random.Random(1))  # noqa: S311  # repeatable, not secret
        await caller.write("updateOpportunities", {"id": deal, "isActive": 1})
        assert list(board.deals()) == before
        assert board.state(deal) == was
        await caller.write("deleteOpportunities", {"id": before[9]})
        assert list(board.deals()) == [other for other in before if other != before[9]]


async def test_the_deals_are_those_of_the_list_the_oldest_first() -> None:
    async with calling(scale=400) as caller:
        board = caller.sandbox.app[LIFE].board

        listed = [row["id"] for row in await caller.rows("getOpportunities", where={})]

        assert list(board.deals()) == listed
        assert len(listed) < 400
        assert board.deals() is board.deals()  # nothing is made anew for each move


@pytest.mark.parametrize("deal", ["", "x", "1", "-1", "²", "99999999999999999999"])
async def test_what_is_no_deal_has_no_state(deal: str) -> None:
    async with calling() as caller:
        board = caller.sandbox.app[LIFE].board

        assert board.state(deal) is None
        with pytest.raises(KeyError):
            board.move(deal, random.Random(1))  # noqa: S311  # repeatable, not secret


async def test_a_deal_won_without_being_closed_counts_as_won_and_can_be_opened() -> None:
    async with calling() as caller:
        board = caller.sandbox.app[LIFE].board
        deal = next(deal for deal, row in (await caller.raw()).items() if row["isWon"] and not row["isClosed"])

        before = board.state(deal)
        board.move(deal, random.Random(1))  # noqa: S311  # repeatable, not secret

        row = (await caller.raw())[deal]
        after = board.state(deal)
        assert before is not None and before.status == "WON"
        assert after is not None and after.status in ("OPEN", "LOST")
        assert row["isWon"] is False
        assert after.stage == str(row["dealStageID"])


async def test_moves_and_history_are_governed_over_http() -> None:
    async with calling() as caller, aiohttp.ClientSession(caller.sandbox.base_url) as session:
        await session.post("/_sandbox/moves", json={"count": 30})
        async with session.get("/_sandbox/history") as response:
            history: dict[str, list[list[str]]] = await response.json()

        raw = await caller.raw()
        moved = {deal: states for deal, states in history.items() if len(states) > 1}
        assert sum(len(states) - 1 for states in moved.values()) == 30
        for deal, states in moved.items():
            flags = {"OPEN": (False, False), "WON": (True, True), "LOST": (True, False)}[states[-1][1]]
            assert (str(raw[deal]["dealStageID"]), raw[deal]["isClosed"], raw[deal]["isWon"]) == (states[-1][0], *flags)


@pytest.mark.parametrize(
    ("stamp", "told"), [("every", {"new", "edited", "moved"}), ("edits", {"edited", "moved"}), ("api", {"new", "edited"})]
)
async def test_what_stamps_a_deal_as_updated_is_an_option(stamp: str, told: set[str]) -> None:
    async with calling(update_stamp=stamp) as caller:
        board = caller.sandbox.app[LIFE].board
        edited, moved = board.deals()[:2]
        (new_id,) = await caller.write("createOpportunities", NEW)
        await caller.write("updateOpportunities", {"id": edited, "opportunityName": "Renamed"})
        board.move(moved, random.Random(1))  # noqa: S311  # repeatable, not secret

        now = caller.clocks.now.strftime("%Y-%m-%d %H:%M:%S")
        rows = await caller.rows("getOpportunitiesDateRange", startDate=now, endDate=now, timestamp="update")

        names = {str(new_id): "new", edited: "edited", moved: "moved"}
        assert {names[row["id"]] for row in rows} == told


@pytest.mark.parametrize(("bounds", "seconds"), [("in", {-1, 0, 1}), ("out", {0})])
async def test_whether_the_ends_belong_to_a_range_is_an_option(bounds: str, seconds: set[int]) -> None:
    async with calling(range_bounds=bounds) as caller:
        made: dict[str, int] = {}
        for second in (-1, 0, 1):
            (new_id,) = await caller.write("createOpportunities", NEW)
            made[str(new_id)] = second
            caller.clocks.forward(seconds=1)

        window = {"startDate": "2026-11-21 12:00:00", "endDate": "2026-11-21 12:00:02"}
        rows = await caller.rows("getOpportunitiesDateRange", **window, timestamp="create")

        assert {made[row["id"]] for row in rows} == seconds
