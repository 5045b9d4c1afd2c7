"""How fast one client reads the log again, by every way there is, and what that takes."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from bench.changes.ground import Ground
from bench.changes.plan import Plan
from bench.filled_log import Filled
from bench.followers import Told, Transport, clock, told
from bench.processes import BenchError, Running

_PAGE_ROWS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One client that reads the log from its beginning.

    Args:
        way: How it reads.
        events: Number of events that came.
        seconds: How long it took.
        cpu_ms: User and system time of the server for an event.
        calls: Vendor calls for an event.
        before: Resident bytes when it began.
        peak: The most there were.
        after: Resident bytes when it had ended.
    """

    way: str
    events: int
    seconds: float
    cpu_ms: float
    calls: float
    before: int
    peak: int
    after: int


async def measure_replays(plan: Plan, ground: Ground, filled: Filled) -> list[Replay]:
    """Read the log in each way, each from a server of its own."""
    log = filled.event_ids

    def stream(server: Running, transport: Transport, operation: str, events: int) -> Awaitable[Sequence[str]]:
        return taken(told(transport, ground.session, server.url, operation, lambda: None, after=filled.cursor), events)

    def by_socket(server: Running) -> Awaitable[Sequence[str]]:
        return stream(server, Transport.SOCKET, "Moves", len(log))

    def by_sse(server: Running) -> Awaitable[Sequence[str]]:
        return stream(server, Transport.SSE, "Moves", len(log))

    def by_pages(server: Running) -> Awaitable[Sequence[str]]:
        return _paged(ground, server, filled.cursor, min(plan.paged_events, len(log)))

    def with_opportunity(server: Running) -> Awaitable[Sequence[str]]:
        return stream(server, Transport.SOCKET, "Nested", min(plan.nested_events, len(log)))

    found: list[Replay] = []
    for way, read in {
        Transport.SOCKET.value: by_socket,
        Transport.SSE.value: by_sse,
        "stageChanges": by_pages,
        "WebSocket, with opportunity": with_opportunity,
    }.items():
        async with ground.server(asking=False) as server:
            found.append(await _measured(way, ground, server, read, log))
    return found


async def taken(stream: AsyncGenerator[Told, None], count: int) -> Sequence[str]:
    """The ids of the next so many events."""
    found: list[str] = []
    async with aclosing(stream):
        async for item in stream:
            if item.event is None or item.errors:
                raise BenchError(f"a stream was told {item.errors}"[:2_000])
            found.append(item.event["eventId"])
            if len(found) == count:
                break
    return found


async def _measured(
    way: str, ground: Ground, server: Running, read: Callable[[Running], Awaitable[Sequence[str]]], log: Sequence[str]
) -> Replay:
    await ground.sandboxes.forget_calls()
    server.forget_peak()
    before, cpu, begun = server.resident_bytes(), server.cpu_seconds(), clock()
    events = await read(server)
    seconds, cpu = clock() - begun, server.cpu_seconds() - cpu
    if not events or events != log[: len(events)]:
        raise BenchError(f"{way} gave {len(events)} events, which are not those of the log")
    calls = sum(map(len, (await ground.calls()).values()))
    return Replay(
        way=way,
        events=len(events),
        seconds=seconds,
        cpu_ms=cpu * 1_000 / len(events),
        calls=calls / len(events),
        before=before,
        peak=server.resident_bytes(peak=True),
        after=server.resident_bytes(),
    )


async def _paged(ground: Ground, server: Running, after: str, events: int) -> Sequence[str]:
    """The ids of so many events, read page by page."""
    found: list[str] = []
    while len(found) < events:
        page = await ground.ask(server, "Log", first=min(_PAGE_ROWS, events - len(found)), after=after)
        found += [event["eventId"] for event in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["nodes"]:
            break
    return found
