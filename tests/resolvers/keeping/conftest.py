from collections.abc import AsyncGenerator

import pytest

from tests.resolvers.graph import SEEDED, autotask_graph, whole_graph
from tests.resolvers.keeping.graph import KeepingGraph


@pytest.fixture
async def whole() -> AsyncGenerator[KeepingGraph, None]:
    async with whole_graph() as graph:
        yield KeepingGraph(graph)


@pytest.fixture
async def twins() -> AsyncGenerator[KeepingGraph, None]:
    async with autotask_graph(left=SEEDED, right=SEEDED) as graph:
        yield KeepingGraph(graph)
