from collections.abc import AsyncGenerator

import pytest

from tests.contract.conftest import VENDORS
from tests.resolvers.graph import SEEDED, Graph, autotask_graph, whole_graph
from tests.resolvers.writing_desk import Desk, desk


@pytest.fixture
async def graph() -> AsyncGenerator[Graph, None]:
    """One Crm of every registered vendor."""
    async with whole_graph() as graph:
        yield graph


@pytest.fixture
async def twins() -> AsyncGenerator[Graph, None]:
    """Two Crms of one vendor, `left` and `right`, with the demo company in each."""
    async with autotask_graph(left=SEEDED, right=SEEDED) as graph:
        yield graph


@pytest.fixture(params=VENDORS)
async def at(request: pytest.FixtureRequest) -> AsyncGenerator[Desk, None]:
    """A graph over one Crm, of every vendor in turn."""
    async with desk(request.param) as found:
        yield found
