"""The life of Autotask's sandbox: deals that people move in the product, and what the API then tells of them."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from tests.contract.reading import whole_list
from tests.vendors.autotask.writing_ground import OPEN, Ground, ground
from vendors.autotask.sandbox import SANDBOX
from vendors.autotask.sandbox.board import OpportunityBoard
from vendors.autotask.sandbox.control import API
from vendors.autotask.sandbox.fields import ENTITIES
from vendors.autotask.sandbox.store import CLOSED, IMPLEMENTED, LOST, Store
from vendors.autotask.sandbox.values import Row
from vendors.model import OpportunityStatus
from vendors.sandbox import OptionValue
from vendors.sandbox_board import LIFE, DealState

STATUSES = {OpportunityStatus.OPEN: "OPEN", OpportunityStatus.WON: "WON", OpportunityStatus.LOST: "LOST", None: None}
OPEN_STAGES: Sequence[str | None] = ("29682772", "29682773", "29682774", "29682775", "12")
NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


@pytest.fixture
async def here() -> AsyncIterator[Ground]:
    async with ground() as made:
        yield made


def dice(seed: int) -> Random:
    return Random(seed)  # noqa: S311  # keeps no secret


def store_of(here: Ground) -> Store:
    return here.made.sandbox.app[API].store


def board_of(here: Ground) -> OpportunityBoard:
    board = here.made.sandbox.app[LIFE].board
    assert isinstance(board, OpportunityBoard)
    return board


def row_of(here: Ground, deal: str) -> Row:
    return store_of(here).tables["Opportunities"].rows[int(deal)]


async def states(here: Ground) -> dict[str, DealState]:
    """Where the deals are, as the adapter reads it."""
    return {
        record.local_id: DealState(stage=record.stage_ref and record.stage_ref.local_id, status=STATUSES[record.status])  # type: ignore[arg-type]
        for record in await whole_list(here.made.crm)
    }


async def control(here: Ground, method: str, path: str, body: object = None) -> Any:
    session = here.made.crm.link.session
    async with session.request(method, f"{here.made.sandbox.base_url}/_sandbox/{path}", json=body) as response:
        assert response.status == 200
        return json.loads(await response.text())


@pytest.mark.parametrize("options", SANDBOX.positions(), ids=lambda options: ",".join(f"{options}".split()) or "defaults")
async def test_the_adapter_reads_every_deal_where_the_board_has_brought_it(options: dict[str, OptionValue]) -> None:
    async with ground(options=options) as here:
        board = board_of(here)
        assert {deal: board.state(deal) for deal in board.deals()} == await states(here)

        here.made.sandbox.app[LIFE].move(500)

        assert {deal: board.state(deal) for deal in board.deals()} == await states(here)


async def test_each_of_many_moves_leads_elsewhere_and_leaves_a_record_that_the_vendor_would_have(here: Ground) -> None:
    board, random, ways = board_of(here), dice(5), Counter[object]()
    store_of(here).now = lambda: NOW
    for _ in range(3_000):
        deal = random.choice(board.deals())
        before, row_before = board.state(deal), row_of(here, deal)

        board.move(deal, random)

        after, row = board.state(deal), row_of(here, deal)
        assert before is not None and after is not None
        assert after != before
        assert row["stage"] in {int(value["value"]) for value in store_of(here).picklists["Opportunities"]["stage"]}
        assert ("lostDate" in row) == (row["status"] == LOST)
        assert ("closedDate" in row) == (row["status"] in {CLOSED, IMPLEMENTED})
        assert row["lastActivity"] == "2026-11-21T08:30:00.000Z"
        assert {name for name in row_before.keys() | row.keys() if row_before.get(name) != row.get(name)} <= {
            "stage",
            "status",
            "lostDate",
            "closedDate",
            "lastActivity",
            "revenueSpreadUnit",
        }
        if before.status == after.status == "OPEN" and before.stage in OPEN_STAGES:
            assert abs(OPEN_STAGES.index(after.stage) - OPEN_STAGES.index(before.stage)) == 1
        ways["same stage" if before.stage == after.stage else "same status" if before.status == after.status else "both"] += 1
        ways[before.status, after.status] += 1
    assert ways["OPEN", "OPEN"] > 1_000
    assert min(ways[way] for way in ("same stage", "same status", "both")) > 50
    assert min(ways[way] for way in (("OPEN", "WON"), ("OPEN", "LOST"), ("WON", "OPEN"), ("LOST", "OPEN"))) > 50
    assert min(ways["WON", "LOST"], ways["LOST", "WON"]) > 5


@pytest.mark.parametrize("deal", ["313", "29701433", "311"])
async def test_deals_of_odd_standing_are_moved_like_others(here: Ground, deal: str) -> None:
    """In an old stage, in a stage that is gone, and implemented."""
    for seed in range(40):
        before = dict(row_of(here, deal))
        state = board_of(here).state(deal)

        board_of(here).move(deal, dice(seed))

        assert board_of(here).state(deal) != state
        store_of(here).tables["Opportunities"].put(before)


async def test_moves_follow_from_the_given_random_alone() -> None:
    histories: list[object] = []
    for _ in range(2):
        async with ground() as here:
            here.made.sandbox.app[LIFE].move(100)
            histories.append(here.made.sandbox.app[LIFE].history)

    assert histories[0] == histories[1]


async def test_changes_by_the_api_and_by_people_are_told_after_they_were_made(here: Ground) -> None:
    board = board_of(here)
    told: list[tuple[str, DealState | None]] = []
    board.listen(lambda deal: told.append((deal, board.state(deal))))
    store = store_of(here)

    created = store.create(ENTITIES["Opportunities"], {"stage": 12, "status": 0})
    await here.done(await here.client.plan_move(await here.read(OPEN), "29682773", None))
    store.update(ENTITIES["Companies"], 174, {"phone": "1"})
    board.delete(OPEN)

    assert told == [
        (str(created), DealState(stage="12", status="OPEN")),
        (OPEN, DealState(stage="29682773", status="OPEN")),
        (OPEN, None),
    ]


async def test_the_deals_are_those_that_the_api_shows_oldest_first(here: Ground) -> None:
    board = board_of(here)
    assert list(board.deals()) == [record.local_id for record in await whole_list(here.made.crm)]

    board.delete(OPEN)
    created = str(store_of(here).create(ENTITIES["Opportunities"], {"stage": 12, "status": 1}))

    assert list(board.deals()) == [record.local_id for record in await whole_list(here.made.crm)]
    assert OPEN not in board.deals() and board.deals()[-1] == created
    assert board.deals() is board.deals()


async def test_an_id_is_never_given_twice(here: Ground) -> None:
    last = board_of(here).deals()[-1]
    board_of(here).delete(last)

    assert store_of(here).create(ENTITIES["Opportunities"], {"stage": 12, "status": 1}) == int(last) + 1


@pytest.mark.parametrize("deal", ["1", "", "x", "²", "-1", "9" * 30])
async def test_a_deal_that_is_not_listed_is_nowhere(here: Ground, deal: str) -> None:
    assert board_of(here).state(deal) is None
    with pytest.raises(KeyError):
        board_of(here).move(deal, dice(0))


async def test_a_deal_without_stage_and_status_is_in_neither(here: Ground) -> None:
    row = row_of(here, OPEN)
    del row["stage"], row["status"]

    assert board_of(here).state(OPEN) == DealState(stage=None, status=None)
    board_of(here).move(OPEN, dice(0))
    assert board_of(here).state(OPEN) != DealState(stage=None, status=None)


async def test_life_is_governed_beside_the_vendors_own_paths(here: Ground) -> None:
    before = board_of(here).state(OPEN)
    await control(here, "POST", "moves", {"deal": OPEN})
    await control(here, "POST", "moves", {"count": 3})
    history = await control(here, "GET", "history")

    assert before is not None
    assert history[OPEN][0] == [before.stage, before.status]
    assert sum(len(known) - 1 for known in history.values()) == 4


@pytest.mark.parametrize(
    ("position", "stamped"), [("yes", {"title", "stage", "status", "new"}), ("not_of_stage", {"title", "new"}), ("no", set[str]())]
)
async def test_what_counts_as_activity_is_an_option(position: str, stamped: set[str]) -> None:
    async with ground(options={"edit_is_activity": position}) as here:
        store, entity = store_of(here), ENTITIES["Opportunities"]
        store.now = lambda: NOW
        seen: set[str] = set()
        for name, value in (("title", "Ferry"), ("stage", 29682772), ("status", 0)):
            store.update(entity, int(OPEN), {name: value})
            if row_of(here, OPEN)["lastActivity"] == "2026-11-21T08:30:00.000Z":
                seen.add(name)
            row_of(here, OPEN)["lastActivity"] = "2026-11-12T13:40:00.000Z"
        created = str(store.create(entity, {"title": "Tug", "stage": 12, "status": 1}))
        if "lastActivity" in row_of(here, created):
            seen.add("new")

        assert seen == stamped
        assert row_of(here, created)["createDate"] == "2026-11-21T08:30:00.000Z"
