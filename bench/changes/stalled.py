"""What becomes of subscribers that stop reading, and of the one that reads beside them."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from bench.changes.ground import PUSHING, Ground
from bench.changes.moves import WARM_UP_MOVES, moved
from bench.changes.plan import Plan
from bench.changes.replay import taken
from bench.deals import Move
from bench.followers import Follower, Transport, clock, following, open_session, told
from bench.processes import Running

_LAG_SECONDS: Final = 3.0
_MOST_WAITING: Final = 20
_SEND_BUFFER_BYTES: Final = 16 * 1024
_MOVE_PAUSE_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalled:
    """A subscriber that stops reading, beside one that reads.

    Args:
        transport: How it is connected.
        told: What it was told when it read again.
        is_whole: Whether it has every event once, in order, after it went on from the cursor that it was told, or that it had.
    """

    transport: Transport
    told: str
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The one that reads, and the server meanwhile.

    Args:
        alone_ms: Its latencies without the others.
        reading_ms: Its latencies while all read.
        stalled_ms: Its latencies while the others do not.
        before: Resident bytes before they stopped.
        peak: The most there were until they read again.
        after: Resident bytes when they had gone.
    """

    alone_ms: Sequence[float]
    reading_ms: Sequence[float]
    stalled_ms: Sequence[float]
    before: int
    peak: int
    after: int


async def measure_stalled(plan: Plan, ground: Ground) -> tuple[list[Stalled], Beside]:
    """Subscribers that stop reading, some for a while and some until they are given up, while one reads on."""
    deals = ground.deals[PUSHING[-1]]
    settings = {"most_waiting": _MOST_WAITING, "lag_seconds": _LAG_SECONDS}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ground.server("--send-buffer", str(_SEND_BUFFER_BYTES), asking=False, changes=settings))
        session = await stack.enter_async_context(open_session(small_buffers=True))
        after = await ground.head(server)
        (quick,) = await stack.enter_async_context(
            following(Transport.SOCKET, ground.session, server.url, "Moves", followers=1, after=after)
        )
        await moved(deals, [quick], WARM_UP_MOVES)
        alone = await moved(deals, [quick], plan.moves, pause_seconds=_MOVE_PAUSE_SECONDS)
        slow = {
            transport: await stack.enter_async_context(following(transport, session, server.url, "Wide", followers=1, after=after))
            for transport in Transport
        }
        for (follower,) in slow.values():
            await follower.ended_or_has(len(quick.event_ids))
        reading = await moved(deals, [quick], plan.moves, pause_seconds=_MOVE_PAUSE_SECONDS)
        server.forget_peak()
        before = server.resident_bytes()
        for (follower,) in slow.values():
            follower.stop_reading()
        begun, stalling = clock(), list[Move]()
        while clock() - begun < plan.stalled_seconds:
            stalling += await moved(deals, [quick], 1, pause_seconds=_MOVE_PAUSE_SECONDS)
        peak = server.resident_bytes(peak=True)
        stalled = [
            Stalled(
                transport=transport,
                told=await _told_at_last(follower, len(quick.event_ids)),
                is_whole=await _is_whole(ground, server, transport, follower, quick.event_ids),
            )
            for transport, (follower,) in slow.items()
        ]
        after_bytes = server.resident_bytes()
    return stalled, Beside(
        alone_ms=[move.latencies_ms[0] for move in alone],
        reading_ms=[move.latencies_ms[0] for move in reading],
        stalled_ms=[move.latencies_ms[0] for move in stalling],
        before=before,
        peak=peak,
        after=after_bytes,
    )


async def _told_at_last(follower: Follower, events: int) -> str:
    follower.read_again()
    await follower.ended_or_has(events)
    match follower.end:
        case None:
            return "nothing, it has caught up"
        case str(end):
            return end
        case errors:
            return ", ".join(str(error["extensions"]["code"]) for error in errors)


async def _is_whole(ground: Ground, server: Running, transport: Transport, follower: Follower, expected: Sequence[str]) -> bool:
    """Go on where the subscriber was left, and compare all that came with what has happened."""
    end = follower.end
    cursor = follower.cursor if isinstance(end, str) or not end else end[0]["extensions"].get("cursor", follower.cursor)
    missing = len(expected) - len(follower.event_ids)
    later: Sequence[str] = []
    if missing > 0 and cursor is not None:
        later = await taken(told(transport, ground.session, server.url, "Moves", lambda: None, after=cursor), missing)
    return [*follower.event_ids, *later] == list(expected)
