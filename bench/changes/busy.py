"""What subscribers cost who want every event with its relations: vendor calls, latency and CPU."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.changes.ground import ASKED, EVERY_SECONDS, PUSHING, Ground
from bench.changes.moves import moved
from bench.changes.plan import Plan
from bench.changes.quiet import cpu_ms_of_a_second
from bench.followers import Transport, clock, following
from bench.processes import Running, together
from vendors.registry import all_vendors


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Subscribers who want every event with its relations.

    Args:
        transport: How they are connected.
        subscribers: Number of them.
        latency_ms: What every vendor call takes at least.
        calls: Vendor calls for an event, by vendor; of those that are asked now and then, without that asking.
        latencies_ms: Of each delivery, where the vendor pushes.
        cpu_ms: User and system time of the server for a delivery.
    """

    transport: Transport
    subscribers: int
    latency_ms: float
    calls: Mapping[str, float]
    latencies_ms: Sequence[float]
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Own:
    """What a server does when nothing happens: what it asks of the vendors, and its CPU time in a second."""

    calls: Mapping[str, frozenset[str]]
    cpu_ms: float


async def measure_own(ground: Ground, server: Running) -> Own:
    await ground.sandboxes.forget_calls()
    cpu_ms = await cpu_ms_of_a_second(server, 3 * EVERY_SECONDS)
    return Own({vendor: frozenset(map(_shape, calls)) for vendor, calls in (await ground.calls()).items()}, cpu_ms)


async def measure_busy(
    plan: Plan, ground: Ground, server: Running, own: Own, transport: Transport, *, subscribers: int, latency_ms: float
) -> Busy:
    """Move deals with subscribers who want everything: one by one where the vendor pushes, one of each Crm at once where it is asked."""
    await ground.sandboxes.set_latency(latency_ms)
    count, rounds = max(1, plan.moves // 20), max(1, plan.moves // 30)
    after = await ground.head(server)
    async with following(transport, ground.session, server.url, "Nested", followers=subscribers, after=after) as followers:
        for vendor in all_vendors():
            await ground.deals[vendor].move(followers)
        calls: dict[str, float] = {}
        latencies: list[float] = []
        begun, cpu = clock(), server.cpu_seconds()
        for vendor in PUSHING:
            await ground.sandboxes.forget_calls()
            moves = await moved(ground.deals[vendor], followers, count)
            calls[vendor] = len((await ground.calls())[vendor]) / count
            latencies += [latency for move in moves for latency in move.latencies_ms]
        cpu_ms = (server.cpu_seconds() - cpu) * 1_000 - own.cpu_ms * (clock() - begun)
        await ground.sandboxes.forget_calls()
        for _ in range(rounds):
            await together(*(ground.deals[vendor].move(followers) for vendor in ASKED))
        logs = await ground.calls()
    for vendor in ASKED:
        calls[vendor] = sum(_shape(call) not in own.calls[vendor] for call in logs[vendor]) / rounds
    return Busy(
        transport=transport,
        subscribers=subscribers,
        latency_ms=latency_ms,
        calls={vendor: calls[vendor] for vendor in all_vendors()},
        latencies_ms=latencies,
        cpu_ms=cpu_ms / (count * len(PUSHING) * subscribers),
    )


def _shape(call: Mapping[str, Any]) -> str:
    """A call without its numbers, which are moments and places in lists."""
    return re.sub(r"\d+", "#", f"{call['operation']} {call['path']} {call['query']} {call['body']}")
