"""Runs the contract for every vendor against its sandbox, in every option position."""

from collections.abc import AsyncGenerator

import pytest

from tests.playground import Playground, playground
from vendors.registry import all_sandboxes, all_vendors
from vendors.sandbox import OptionValue

VENDORS = sorted(set(all_vendors()) & set(all_sandboxes()))
POSITIONS = [(vendor, options) for vendor in VENDORS for options in all_sandboxes()[vendor].positions()]


def _name(position: tuple[str, dict[str, OptionValue]]) -> str:
    vendor, options = position
    if len(options) > 1:
        return f"{vendor}-hardest"
    return f"{vendor}-" + (",".join(f"{name}={value}" for name, value in options.items()) or "defaults")


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def plain(vendor: str) -> AsyncGenerator[Playground, None]:
    """A vendor in its default options."""
    async with playground(vendor) as ground:
        yield ground


@pytest.fixture(params=POSITIONS, ids=_name)
async def ground(request: pytest.FixtureRequest) -> AsyncGenerator[Playground, None]:
    """A vendor in one of its option positions."""
    name, options = request.param
    async with playground(name, options=options) as ground:
        yield ground
