"""How long a change takes to a subscriber, for each Crm and transport."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from bench.changes.ground import ASKED, PUSHING, SWEPT, Ground
from bench.changes.moves import moved, moved_at_times
from bench.changes.plan import Plan
from bench.deals import Move
from bench.followers import Transport, following
from bench.processes import Running, together
from vendors.registry import all_vendors


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """From a move in a sandbox to a subscriber.

    Args:
        crm: Where it was moved.
        way: What told us.
        transport: How it got to the subscriber.
        latencies_ms: How long each took.
        waits_ms: What of that was over before the vendor was asked; nothing where the vendor pushes.
    """

    crm: str
    way: str
    transport: Transport
    latencies_ms: Sequence[float]
    waits_ms: Sequence[float]


async def measure_latencies(plan: Plan, ground: Ground, server: Running) -> list[Latency]:
    """Move deals one by one where the vendor pushes, and at any moment where it is asked."""
    found: list[Latency] = []
    after = await ground.head(server)
    async with AsyncExitStack() as stack:
        followers = [
            (await stack.enter_async_context(following(transport, ground.session, server.url, "Moves", followers=1, after=after)))[0]
            for transport in Transport
        ]
        for vendor in all_vendors():  # connections are open and tables read afterwards
            await ground.deals[vendor].move(followers)
        for vendor in PUSHING:
            moves = await moved(ground.deals[vendor], followers, plan.moves)
            found += [
                Latency(
                    crm=vendor, way="webhook", transport=transport, latencies_ms=[move.latencies_ms[index] for move in moves], waits_ms=[]
                )
                for index, transport in enumerate(Transport)
            ]
        await ground.sandboxes.forget_calls()
        asked = await together(*(moved_at_times(ground.deals[vendor], followers, plan.moves) for vendor in ASKED))
        calls = await ground.calls()
        for vendor, moves in zip(ASKED, asked, strict=True):
            found += [
                Latency(
                    crm=vendor,
                    way="sweep" if vendor in SWEPT else "poll",
                    transport=transport,
                    latencies_ms=[move.latencies_ms[index] for move in moves],
                    waits_ms=[_wait_ms(move, index, calls[vendor]) for move in moves],
                )
                for index, transport in enumerate(Transport)
            ]
    return found


def _wait_ms(move: Move, index: int, calls: Sequence[Mapping[str, Any]]) -> float:
    """Time until the vendor was asked for the first time after a move, in time for its event; nothing if it was being asked just then."""
    begun = [call["started"] for call in calls if call["started"] >= move.at and call["ended"] <= move.arrivals[index]]
    return (min(begun) - move.at) * 1_000 if begun else 0.0
