"""Many moves: each after the subscribers know of the one before, or at random times."""

import asyncio
import random
from collections.abc import Awaitable, Sequence
from typing import Final

from bench.changes.ground import EVERY_SECONDS
from bench.deals import Deals, Move
from bench.followers import Follower

WARM_UP_MOVES: Final = 3


async def moved(deals: Deals, followers: Sequence[Follower], count: int, *, pause_seconds: float = 0.0) -> list[Move]:
    """Move deals, each when all of these subscribers know of the one before, and so much later."""
    found: list[Move] = []
    for _ in range(count):
        found.append(await deals.move(followers))
        await asyncio.sleep(pause_seconds)
    return found


async def moved_at_times(deals: Deals, followers: Sequence[Follower], count: int) -> list[Move]:
    """Move at random times, a few within the time from one look to the next."""
    moving: list[Awaitable[Move]] = []
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            moving.append(group.create_task(deals.move(followers)))
            await asyncio.sleep(random.uniform(0, EVERY_SECONDS / 5))  # noqa: S311  # keeps no secret
    return [await move for move in moving]
