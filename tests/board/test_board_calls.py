"""The board query costs the least calls that each vendor's API permits."""

import tomllib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from server.context import ContextMaker
from server.cursors import SignedCursors
from server.schema import build_schema
from tests.contract.conftest import VENDORS
from tests.playground import Playground, playground
from vendors.registry import all_sandboxes
from vendors.sandbox import OptionValue

HERE = Path(__file__).parent
BOARD = (HERE / "board.graphql").read_text()
EXPECTED: Mapping[str, Any] = tomllib.loads((HERE / "calls.toml").read_text())
POSITIONS = [(vendor, options) for vendor in VENDORS for options in all_sandboxes()[vendor].positions()]
ROWS = 20


def expected(vendor: str, options: Mapping[str, OptionValue]) -> Mapping[str, int]:
    """What the file says of that position: the defaults, then what single options change."""
    numbers = {name: EXPECTED[vendor][name] for name in ("login", "cold", "warm")}
    for name, value in options.items():
        numbers |= EXPECTED[vendor].get("positions", {}).get(f"{name}={value}", {})
    if len(options) > 1:
        numbers |= EXPECTED[vendor].get("positions", {}).get("hardest", {})
    return numbers


async def ask(grounds: list[Playground], first: int) -> list[dict[str, Any]]:
    make = ContextMaker({ground.crm.key: ground.crm for ground in grounds}, SignedCursors(b"k" * 32))
    result = await build_schema().execute(BOARD, variable_values={"first": first}, context_value=make())
    assert result.errors is None, result.errors
    assert result.data is not None
    page = result.data["opportunities"]
    assert {source["status"] for source in page["sources"]} == {"OK"}
    nodes: list[dict[str, Any]] = page["nodes"]
    return nodes


def taken(ground: Playground) -> list[str]:
    operations = ground.control.operations()
    ground.control.calls.clear()
    return operations


def _name(position: tuple[str, dict[str, OptionValue]]) -> str:
    vendor, options = position
    return f"{vendor}-" + ("hardest" if len(options) > 1 else ",".join(f"{name}={value}" for name, value in options.items()) or "defaults")


@pytest.mark.parametrize("position", POSITIONS, ids=_name)
async def test_the_board_costs_the_fewest_calls_in_every_position(position: tuple[str, dict[str, OptionValue]]) -> None:
    vendor, options = position
    async with playground(vendor, options=options) as ground:
        nodes = await ask([ground], ROWS)
        cold = taken(ground)
        again = await ask([ground], ROWS)
        warm = taken(ground)

    numbers = expected(vendor, options)
    assert len(nodes) == ROWS
    assert nodes == again
    assert len(cold) == numbers["login"] + numbers["cold"], cold
    assert len(warm) == numbers["warm"], warm


async def test_a_hundred_rows_of_all_crms_cost_the_sum() -> None:
    async with AsyncExitStack() as stack:
        grounds = [await stack.enter_async_context(playground(vendor)) for vendor in VENDORS]

        nodes = await ask(grounds, ROWS * len(VENDORS))

        assert len(nodes) == ROWS * len(VENDORS)
        for ground in grounds:
            mine = [node for node in nodes if node["crm"]["key"] == ground.crm.key]
            numbers = expected(ground.crm.vendor.key, {})
            assert len(mine) == ROWS
            assert len(taken(ground)) == numbers["login"] + numbers["cold"]
            for relation in ("pipeline", "stage", "owner", "account"):
                assert sum(node[relation] is not None for node in mine) >= ROWS // 2, relation
            assert sum(bool(node["contacts"]) for node in mine) >= ROWS // 2
