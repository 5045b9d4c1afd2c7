"""The people of the sandbox: what their moves leave behind, and that everybody who listens hears of every change."""

import itertools
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import pytest

from tests.playground import playground
from tests.vendors.apideck.sandbox_caller import calling
from vendors.apideck.client import Client
from vendors.apideck.sandbox import SANDBOX, STORE, Store
from vendors.apideck.sandbox.store import stage_key
from vendors.capabilities import PageRequest
from vendors.model import Opportunity, OpportunityStatus, Selection
from vendors.sandbox import OptionValue
from vendors.sandbox_board import LIFE, DealState, Life

DELETED = "9017442153"
WHEREABOUTS = Selection({"Opportunity": frozenset({"stage_ref", "status"})})
WORDS = {OpportunityStatus.OPEN: "OPEN", OpportunityStatus.WON: "WON", OpportunityStatus.LOST: "LOST", None: None}


@asynccontextmanager
async def ground(options: Mapping[str, OptionValue] | None = None) -> AsyncGenerator[tuple[Client, Store, Life], None]:
    async with playground("apideck", options=options) as made:
        assert isinstance(made.crm.client, Client)
        yield made.crm.client, made.sandbox.app[STORE], made.sandbox.app[LIFE]


def state_as_read(deal: Opportunity) -> DealState:
    # A stage is known by its pipeline and its own id.
    stage = None if deal.stage_ref is None else deal.stage_ref.local_id.partition("~")[2]
    return DealState(stage, WORDS[deal.status])  # type: ignore[arg-type]  # one of three, or none


async def states_as_read(client: Client) -> dict[str, DealState]:
    page = await client.opportunities_page(PageRequest(size=1_000, selection=WHEREABOUTS))
    assert not page.has_more
    return {row.record.local_id: state_as_read(row.record) for row in page.rows}


def assert_is_valid(store: Store, deal: str) -> None:
    record = store.tables["opportunities"].get(deal) or {}
    (pipeline,) = [pipeline for pipeline in store.pipelines if pipeline["id"] == record["pipeline_id"]]
    assert record["pipeline_stage_id"] in [stage_key(stage) for stage in pipeline["stages"]]
    assert record["status"] in {"open", "closedwon", "closedlost"}
    assert record["updated_at"] >= record["stage_last_changed_at"] == record["date_stage_changed"]
    assert record["updated_by"] in store.tables["users"]


@pytest.mark.parametrize("options", SANDBOX.positions(), ids=str)
async def test_after_500_moves_the_vendor_tells_what_the_board_says(options: dict[str, OptionValue]) -> None:
    async with ground(options) as (client, store, life):
        board = life.board
        assert await states_as_read(client) == {deal: board.state(deal) for deal in board.deals()}
        before = {record["id"]: record for record in store.tables["opportunities"]}

        life.move(500)

        states = {deal: board.state(deal) for deal in board.deals()}
        assert await states_as_read(client) == states == {deal: history[-1] for deal, history in life.history.items()}
        for record in store.tables["opportunities"]:
            changed = {name for name, value in record.items() if value != before[record["id"]].get(name)}
            assert changed <= {
                *("pipeline_id", "pipeline_stage_id", "status", "win_probability", "expected_revenue"),
                *("stage_last_changed_at", "date_stage_changed", "updated_at", "updated_by"),
            }


@pytest.mark.parametrize("options", [{}, {"status_after_move": "kept"}, {"stage_ids": "repeated"}], ids=str)
async def test_every_move_brings_its_deal_into_another_state(options: dict[str, OptionValue]) -> None:
    async with ground(options) as (_, store, life):
        generator = random.Random(3)  # noqa: S311  # repeatable, not secret
        deals = life.board.deals()
        for turn in range(40 * len(deals)):
            deal = deals[turn % len(deals)]
            before, count = life.board.state(deal), len(life.history[deal])
            life.board.move(deal, generator)
            assert life.board.state(deal) != before
            assert len(life.history[deal]) == count + 1
        for deal in deals:
            assert_is_valid(store, deal)

        statuses = {state.status for history in life.history.values() for state in history if state is not None}
    assert {"OPEN", "WON", "LOST"} <= statuses


async def test_people_do_all_that_people_do() -> None:
    async with ground() as (_, _, life):
        life.move(500)
        pairs = {
            (before.status, after.status, before.stage == after.stage)
            for history in life.history.values()
            for before, after in itertools.pairwise(history)
            if before is not None and after is not None
        }

    assert {("OPEN", "OPEN", False), ("OPEN", "WON", False), ("OPEN", "LOST", False)} <= pairs
    assert {("WON", "OPEN", False), ("LOST", "OPEN", False), ("WON", "LOST", False), ("LOST", "WON", False)} <= pairs


async def test_where_the_status_does_not_follow_a_deal_is_closed_in_its_stage_too() -> None:
    async with ground({"status_after_move": "kept"}) as (_, _, life):
        life.move(500)
        closed_where_it_was = [
            (before, after)
            for history in life.history.values()
            for before, after in itertools.pairwise(history)
            if before and after and before.stage == after.stage and before.status == "OPEN" and after.status != "OPEN"
        ]

    assert closed_where_it_was


async def test_the_same_seed_moves_the_same_deals_the_same_way() -> None:
    histories: list[object] = []
    for seed in (5, 5, 6):
        async with ground() as (_, _, life):
            again = Life(life.board, seed=seed)
            again.move(60)
            histories.append(again.history)

    assert histories[0] == histories[1] != histories[2]


async def test_changes_by_the_api_are_told_after_they_are_made() -> None:
    async with calling() as caller:
        app = caller.running.app
        board = app[LIFE].board
        told: list[tuple[str, DealState | None, int]] = []
        board.listen(lambda deal: told.append((deal, board.state(deal), len(board.deals()))))
        count = len(board.deals())
        body = {"title": "Slipway rails", "pipeline_id": "default", "pipeline_stage_id": "qualifiedtobuy"}
        made = (await caller.call("POST", "/crm/opportunities", body=body)).data["id"]
        await caller.call("PATCH", f"/crm/opportunities/{made}", body={"title": "Slipway rails", "pipeline_stage_id": "closedwon"})
        await caller.call("DELETE", f"/crm/opportunities/{made}")
        await caller.call("POST", "/crm/contacts", body={"name": "Nobody's deal"})

        assert told == [
            (made, DealState("qualifiedtobuy", "OPEN"), count + 1),
            (made, DealState("closedwon", "WON"), count + 1),
            (made, None, count),
        ]
        assert app[LIFE].history[made] == [DealState("qualifiedtobuy", "OPEN"), DealState("closedwon", "WON"), None]


@pytest.mark.parametrize("after_delete", ["gone", "flagged"])
async def test_a_deleted_deal_is_none_and_its_id_is_not_given_again(after_delete: str) -> None:
    async with ground({"after_delete": after_delete}) as (_, store, life):
        made = store.create("opportunities", {"title": "Slipway rails"})
        assert life.board.deals()[-1] == made
        assert DELETED not in life.board.deals() and life.board.state(DELETED) is None

        store.delete("opportunities", made)

        assert life.board.state(made) is None
        assert made not in life.board.deals()
        for deal in (made, DELETED, "", "no deal"):
            with pytest.raises(KeyError):
                life.board.move(deal, random.Random(1))  # noqa: S311  # repeatable, not secret
        assert int(store.create("opportunities", {"title": "Another one"})) > int(made)


async def test_a_person_moves_and_not_the_integration() -> None:
    async with ground() as (_, store, life):
        life.move(100)
        movers = {record.get("updated_by") for record in store.tables["opportunities"]}

    assert len(movers & {user["id"] for user in store.tables["users"]}) > 2


async def test_10_000_deals_are_listed_quickly_for_every_move() -> None:
    async with playground("apideck", scale=10_000) as made:
        life, store = made.sandbox.app[LIFE], made.sandbox.app[STORE]
        listed = life.board.deals()
        life.move(500)

        assert life.board.deals() is listed
        assert list(listed) == [record["id"] for record in store.tables["opportunities"]]
