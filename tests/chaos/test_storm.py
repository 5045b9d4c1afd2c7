"""No event is lost and none invented, whatever happens to the server and to webhooks on their way."""

import asyncio
import os
from pathlib import Path
from random import Random

from tests.chaos.storm import Seen, broken_chains, storm
from vendors.sandbox_webhooks import Mishaps

# `make chaos` moves 10,000.
MOVES = int(os.environ.get("CHAOS_MOVES", "1500"))


async def test_a_client_that_goes_on_from_its_cursor_sees_every_deal_move(tmp_path: Path) -> None:
    random, seen, calm = Random(MOVES), Seen(), asyncio.Event()  # noqa: S311  # repeatable, not secret
    async with storm(tmp_path) as world:
        await world.register_webhooks()
        serving = asyncio.create_task(world.serve_and_kill(random, calm=calm))
        following = asyncio.create_task(world.follow(seen))
        try:
            await world.first_read()
            world.set_mishaps(Mishaps(drop=0.2, duplicate=0.2, reorder=0.2))
            await world.move(MOVES, random)
            calm.set()
            await world.calmed(seen, serving, following)
        finally:
            for task in (serving, following):
                task.cancel()
            await asyncio.gather(serving, following, return_exceptions=True)
        wrong = broken_chains(world.truth(), seen.chains())
    assert not wrong, "\n".join(wrong[:10])
    assert world.kills >= MOVES // 1_000
    assert seen.connections > world.kills
    positions = [event["cursor"] for event in seen.events]
    assert len({event["eventId"] for event in seen.events}) == len(set(positions)), "an event has one place in the log"
