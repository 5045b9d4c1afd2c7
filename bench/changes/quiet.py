"""A server while nothing happens: how much it does, and how to wait until it does nothing."""

import asyncio
from typing import Final

from bench.followers import PATIENCE_SECONDS, clock
from bench.processes import BenchError, Running

_QUIET_SECONDS: Final = 0.5
_QUIET_SHARE: Final = 0.02


async def cpu_ms_of_a_second(server: Running, seconds: float) -> float:
    """User and system time of the server in a second in which nothing happens."""
    begun, before = clock(), server.cpu_seconds()
    await asyncio.sleep(seconds)
    return (server.cpu_seconds() - before) * 1_000 / (clock() - begun)


async def quiet(server: Running) -> None:
    """Wait until the server has nothing to do."""
    deadline = clock() + PATIENCE_SECONDS
    while await cpu_ms_of_a_second(server, _QUIET_SECONDS) > _QUIET_SHARE * 1_000:
        if clock() > deadline:
            raise BenchError("the server is not idle though nothing happens")
