"""What subscribers cost that nothing happens to: memory, CPU, and the latency of one that gets events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.changes.ground import ASKED, PUSHING, Ground
from bench.changes.moves import WARM_UP_MOVES, moved
from bench.changes.plan import Plan
from bench.changes.quiet import cpu_ms_of_a_second, quiet
from bench.followers import Transport, following, open_session
from bench.processes import BenchError
from resolvers.node_id import encode
from server.http.settings import HttpSettings
from vendors.model import Ref

_PINGS: Final[Mapping[Transport, float]] = {
    Transport.SOCKET: HttpSettings().ping_interval_seconds,
    Transport.SSE: HttpSettings().sse_ping_seconds,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Subscribers that nothing happens to, beside one that gets events.

    Args:
        transport: How they are connected.
        subscribers: Number of idle ones.
        before: Resident bytes without them.
        after: Resident bytes with them.
        later: Resident bytes after they have been idle for a while.
        cpu_ms: User and system time of the server for a second in which nothing happens, without them and with them.
        alone_ms: Latencies of the busy one without them.
        beside_ms: Latencies of the busy one with them.
    """

    transport: Transport
    subscribers: int
    before: int
    after: int
    later: int
    cpu_ms: tuple[float, float]
    alone_ms: Sequence[float]
    beside_ms: Sequence[float]


async def measure_idle(plan: Plan, ground: Ground, transport: Transport) -> Idle:
    """Subscribers of one opportunity that nothing happens to, on a server that nothing else has grown."""
    seconds = _PINGS[transport] if plan.idle_seconds is None else plan.idle_seconds
    count = max(1, plan.moves // 2)
    deals, other = ground.deals[PUSHING[-1]], ground.deals[ASKED[0]]
    async with ground.server(asking=False) as server, open_session() as session:
        after = await ground.head(server)
        async with following(transport, session, server.url, "Moves", followers=1, after=after) as (busy,):
            await moved(deals, [busy], WARM_UP_MOVES)
            alone = await moved(deals, [busy], count)
            await quiet(server)
            cpu_without, before = await cpu_ms_of_a_second(server, min(2.0, seconds)), server.resident_bytes()
            unmoved = [encode("Opportunity", Ref(other.crm, other.first))]
            async with following(transport, session, server.url, "Moves", followers=plan.idle, after=after, opportunityIds=unmoved) as idle:
                await quiet(server)
                after_bytes = server.resident_bytes()
                cpu_with = await cpu_ms_of_a_second(server, seconds)
                later = server.resident_bytes()
                beside = await moved(deals, [busy], count)
                lost = [follower for follower in idle if follower.end is not None or follower.event_ids]
                if lost:
                    raise BenchError(f"{len(lost)} of {plan.idle} idle subscribers were not left alone: {lost[0].end}")
    return Idle(
        transport=transport,
        subscribers=plan.idle,
        before=before,
        after=after_bytes,
        later=later,
        cpu_ms=(cpu_without, cpu_with),
        alone_ms=[latency for move in alone for latency in move.latencies_ms],
        beside_ms=[latency for move in beside for latency in move.latencies_ms],
    )
