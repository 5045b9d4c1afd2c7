"""The examples that GraphiQL opens with in the demo, whose deals move."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from resolvers.node_id import decode
from server.commands.sandbox import EXAMPLE_DEALS, play
from server.examples import TABS
from vendors.registry import all_sandboxes
from vendors.sandbox import start
from vendors.sandbox_board import LIFE

SECONDS: Final = 60
MOVES: Final = 500
# Beside the explorer GraphiQL's editor shows 35 in a window of 1400 pixels, and wraps what is longer.
COLUMNS: Final = 40


def test_the_queries_are_narrow_enough_for_the_editor() -> None:
    assert [line for tab in TABS for line in tab.query.splitlines() if len(line) > COLUMNS] == []


def test_the_deals_that_are_left_alone_are_those_that_an_example_writes_to() -> None:
    inputs: list[Mapping[str, Any]] = [json.loads(tab.variables).get("input", {}) for tab in TABS if tab.variables]
    deals = [decode(given["id"]) for given in inputs if "id" in given]

    assert {(deal.ref.crm, deal.ref.local_id) for deal in deals} == {(crm, deal) for crm, some in EXAMPLE_DEALS.items() for deal in some}


async def test_a_deal_that_an_example_writes_to_stays_where_it_is_while_the_others_move() -> None:
    [kind] = [kind for kind in all_sandboxes().values() if kind.crm_key in EXAMPLE_DEALS]
    sandbox = await start(kind)
    try:
        life = sandbox.app[LIFE]
        play(sandbox, 0.0001)
        async with asyncio.timeout(SECONDS):
            while sum(len(states) - 1 for states in life.history.values()) < MOVES:  # noqa: ASYNC110  # a sandbox announces nothing
                await asyncio.sleep(0.01)
        moved = {deal for deal, states in life.history.items() if len(states) > 1}
    finally:
        await sandbox.stop()

    assert moved == life.history.keys() - EXAMPLE_DEALS[kind.crm_key]
