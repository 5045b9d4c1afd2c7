"""The life of the sandbox: moves from stage to stage by the portal's own rules, and what is told of them."""

from collections.abc import Mapping
from random import Random
from typing import Literal

import aiohttp
import pytest

from tests.contract.reading import whole_list
from tests.playground import Playground, playground
from tests.vendors.onlyoffice.writing_desk import client_of, deal_of, done, read, store_of, values
from vendors.model import Opportunity, OpportunityStatus
from vendors.onlyoffice.sandbox.board import Board
from vendors.onlyoffice.sandbox.logins import ADMIN_USERNAME
from vendors.registry import all_sandboxes
from vendors.sandbox import OptionValue
from vendors.sandbox_board import LIFE, DealState, Life
from vendors.writes import OpportunityValues

POSITIONS = all_sandboxes()["onlyoffice"].positions()
ADMIN = "1b0d6a54-7c21-4f6e-9a53-0c8e5d2f7a10"
HIDDEN, STAGELESS = "130", "135"
WON, LOST = "8", "9"
STATUSES: Mapping[OpportunityStatus | None, Literal["OPEN", "WON", "LOST"] | None] = {
    OpportunityStatus.OPEN: "OPEN",
    OpportunityStatus.WON: "WON",
    OpportunityStatus.LOST: "LOST",
    None: None,
}


def life_of(ground: Playground) -> Life:
    return ground.sandbox.app[LIFE]


def state_of(record: Opportunity) -> DealState:
    """What the adapter says where an opportunity is, in the sandbox's terms."""
    return DealState(None if record.stage_ref is None else record.stage_ref.local_id, STATUSES[record.status])


def new_random(seed: int = 0) -> Random:
    return Random(seed)  # noqa: S311  # keeps no secret


@pytest.mark.parametrize("position", POSITIONS, ids=str)
async def test_after_many_moves_the_board_is_what_the_api_shows(position: Mapping[str, OptionValue]) -> None:
    async with playground("onlyoffice", options=position) as ground:
        life = life_of(ground)
        life.move(500)

        records = {record.local_id: record for record in await whole_list(ground.crm)}

    assert list(records) == list(life.board.deals())
    assert {deal: state_of(record) for deal, record in records.items()} == {deal: life.board.state(deal) for deal in records}
    assert {deal: states[-1] for deal, states in life.history.items()} == {deal: life.board.state(deal) for deal in records}


async def test_every_move_leads_to_another_stage_and_does_what_the_portal_does() -> None:
    async with playground("onlyoffice") as ground:
        board, store, random = life_of(ground).board, store_of(ground), new_random()
        kinds: set[tuple[str | None, str | None]] = set()
        for _ in range(500):
            deal = random.choice(board.deals())
            before = board.state(deal)
            board.move(deal, random)
            after, moved = board.state(deal), deal_of(ground, deal)
            stage = store.stages[moved.stage_id]

            assert before is not None and after is not None and before != after
            assert moved.success_probability == stage.success_probability
            assert (moved.actual_close_date is None) == (stage.stage_type == 0)
            kinds.add((before.status, after.status))

    assert kinds >= {(before, after) for before in ("OPEN", "WON", "LOST") for after in ("OPEN", "WON", "LOST")} - {("LOST", "LOST")}


async def test_people_mostly_bring_a_deal_to_the_next_stage() -> None:
    async with playground("onlyoffice") as ground:
        board, store, random = life_of(ground).board, store_of(ground), new_random()
        found: list[str | None] = []
        for _ in range(200):
            store.move(101, 5)
            board.move("101", random)
            state = board.state("101")
            found.append(None if state is None else state.stage)

    assert set(found) == {"4", "6", WON, LOST, "11"}
    assert found.count("6") > len(found) / 2


async def test_moves_are_told_by_the_given_randomness_alone() -> None:
    async with playground("onlyoffice") as one, playground("onlyoffice") as other:
        for ground in (one, other):
            life_of(ground).board.move(STAGELESS, new_random(3))
            life_of(ground).move(100)

        assert life_of(one).history == life_of(other).history


async def test_a_deal_whose_stage_is_gone_is_nowhere_until_it_is_moved() -> None:
    async with playground("onlyoffice") as ground:
        board = life_of(ground).board
        assert board.state(STAGELESS) == DealState(None, None)

        board.move(STAGELESS, new_random())

        assert (await read(ground, STAGELESS)).status is not None
        assert board.state(STAGELESS) == state_of(await read(ground, STAGELESS))


async def test_a_deal_that_is_not_shown_is_not_on_the_board() -> None:
    async with playground("onlyoffice") as ground, playground("onlyoffice", settings={"username": ADMIN_USERNAME}) as wide:
        board = life_of(ground).board
        assert HIDDEN in {record.local_id for record in await whole_list(wide.crm)}
        assert HIDDEN not in board.deals()
        for deal in (HIDDEN, "999", "0", "", "x", "-101", " 101", "0101"):
            assert board.state(deal) is None
            with pytest.raises(KeyError):
                board.move(deal, new_random())


async def test_every_change_that_the_api_makes_is_told_when_it_is_made() -> None:
    async with playground("onlyoffice") as ground:
        client, board = client_of(ground), life_of(ground).board
        told: list[tuple[str, DealState | None, bool]] = []
        board.listen(lambda deal: told.append((deal, board.state(deal), deal in board.deals())))

        created = await done(await client.plan_create(values()))
        await done(await client.plan_update(await read(ground, "101"), OpportunityValues(title="Another title")))
        await done(await client.plan_update(await read(ground, "101"), OpportunityValues(tags=("later",))))
        await done(await client.plan_move(await read(ground, "101"), WON, None))
        await done(await client.plan_delete(await read(ground, "105")))

    assert list(dict.fromkeys(told)) == [
        (created.local_id, DealState("4", "OPEN"), True),
        ("101", DealState("6", "OPEN"), True),
        ("101", DealState(WON, "WON"), True),
        ("105", None, False),
    ]
    assert len(told) > 5, "a change of tags is told as well"


async def test_the_list_of_deals_follows_what_comes_goes_and_is_hidden() -> None:
    async with playground("onlyoffice") as ground:
        store, life = store_of(ground), life_of(ground)
        admin = store.employees[ADMIN]
        told: list[str] = []
        life.board.listen(told.append)
        for deal_id in (110, 101, 168):
            store.delete(admin, deal_id)
        store.set_access(admin, 112, is_private=True, access_list=[ADMIN])
        hidden = list(life.board.deals())
        store.move(int(HIDDEN), 8)
        store.set_access(admin, 130, is_private=False, access_list=[])
        store.set_access(admin, 112, is_private=False, access_list=[])

        records = await whole_list(ground.crm)

    assert "112" not in hidden
    assert list(life.board.deals()) == [record.local_id for record in records]
    assert told == ["110", "101", "168", "112", HIDDEN, "112"]
    assert life.history["110"][-1] is None
    assert [None if state is None else state.stage for state in life.history["112"]] == ["4", None, "4"]
    assert life.history[HIDDEN] == [DealState(WON, "WON")]


async def test_in_a_portal_of_one_stage_nothing_can_be_moved() -> None:
    async with playground("onlyoffice", scale=1) as ground:
        store, board = store_of(ground), life_of(ground).board
        [deal] = board.deals()
        store.move(int(deal), 4)
        for stage_id in [stage_id for stage_id in store.stages if stage_id != 4]:
            store.delete_stage(stage_id)
        told: list[str] = []
        board.listen(told.append)

        board.move(deal, new_random())

    assert board.state(deal) == DealState("4", "OPEN") and not told


async def test_without_stages_to_close_in_deals_go_to_and_fro() -> None:
    async with playground("onlyoffice", scale=1) as ground:
        store, board, random = store_of(ground), life_of(ground).board, new_random()
        [deal] = board.deals()
        store.move(int(deal), 4)
        for stage_id in [stage_id for stage_id in store.stages if stage_id not in {4, 7}]:
            store.delete_stage(stage_id)
        for _ in range(10):
            board.move(deal, random)

        states = life_of(ground).history[deal]

    assert states[-11:] == [DealState("4", "OPEN"), DealState("7", "OPEN")] * 5 + [DealState("4", "OPEN")]


async def test_the_sandbox_is_told_to_move_over_http() -> None:
    async with playground("onlyoffice") as ground, aiohttp.ClientSession(ground.sandbox.base_url) as session:
        await session.post("/_sandbox/moves", json={"deal": "101", "seed": 5})
        await session.post("/_sandbox/moves", json={"deal": "no such deal"})
        await session.post("/_sandbox/moves", json={"count": 30})
        history = await (await session.get("/_sandbox/history")).json()
        await session.put("/_sandbox/pace", json=60)
        await session.put("/_sandbox/pace", json=None)

        record = await read(ground, "101")

    assert sum(len(states) - 1 for states in history.values()) == 31
    assert history["101"][0] == ["6", "OPEN"] and len(history["101"]) >= 2
    assert history["101"][-1] == [state_of(record).stage, state_of(record).status]
    assert HIDDEN not in history


async def test_the_board_of_another_user_shows_what_that_user_sees() -> None:
    async with playground("onlyoffice", settings={"username": ADMIN_USERNAME}) as ground:
        store = store_of(ground)
        board = Board(store, store.employees[ADMIN])

        assert list(board.deals()) == [record.local_id for record in await whole_list(ground.crm)]
        assert HIDDEN in board.deals()
