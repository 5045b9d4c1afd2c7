from collections.abc import AsyncGenerator

import pytest_asyncio

from tests.resolvers.graph import whole_graph
from tests.resolvers.lists.asking import World


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncGenerator[World, None]:
    """The five sandboxes, started once for all examples of a module."""
    async with whole_graph() as graph:
        yield World(graph)
