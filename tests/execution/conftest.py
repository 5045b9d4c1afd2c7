import asyncio
import gc
from collections.abc import AsyncGenerator

import pytest

from bench.company import memory_crm
from server.execution.plans import Plans
from server.schema import build_schema
from tests.execution.both_ways import Bench

SCHEMA = build_schema()._schema  # pyright: ignore[reportPrivateUsage]  # Strawberry has no public name for it


@pytest.fixture
def bench() -> Bench:
    """Two Crms: `a` tells all of its opportunities' links, `b` only of half of them."""
    crms = [memory_crm("a", opportunities=12), memory_crm("b", opportunities=12, links=True)]
    return Bench(SCHEMA, crms, Plans())


@pytest.fixture(autouse=True)
async def complaints() -> AsyncGenerator[list[str]]:
    """What asyncio has to say about tasks and exceptions that nobody looked at: nothing, at the end of every test."""
    heard: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(str(context)))
    yield heard
    gc.collect()
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert left == []
    assert heard == []
