"""Changes of stage, from the sandbox to the subscriber: `python -m bench.changes`.

Vendor calls are exact; times and memory are this machine's. README.md says what the rows mean.
"""

import asyncio
import os
import random
import re
import resource
import sys
import tempfile
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from bench.deals import Deals, Move, deals_of
from bench.filled_log import Filled, fill
from bench.followers import OPERATIONS, PATIENCE_SECONDS, Follower, Told, Transport, clock, following, open_session, told
from bench.measure import HEADERS, percentile
from bench.processes import BenchError, Cpus, Running, Sandboxes, pinned, running, sandbox, together, write_config
from resolvers.node_id import encode
from server import crms
from server.changes import webhooks
from server.commands.terminal import table
from server.config import load_config
from server.http.settings import HttpSettings
from vendors.changes import RegistersWebhooks
from vendors.model import Ref
from vendors.registry import all_vendors

PUSHING: Final = ("apideck", "pipeliner")
ASKED: Final = ("autotask", "onlyoffice", "sharpspring")
_SWEPT: Final = ("onlyoffice",)
_EVERY_SECONDS: Final = 1.0
_NEVER_SECONDS: Final = 86_400.0
_LAG_SECONDS: Final = 3.0
_MOST_WAITING: Final = 20
_SEND_BUFFER_BYTES: Final = 16 * 1024
_PAGE_ROWS: Final = 100
_VENDOR_LATENCY_MS: Final = 100.0
_MOVE_PAUSE_SECONDS: Final = 0.01
_QUIET_SECONDS: Final = 0.5
_QUIET_SHARE: Final = 0.02
_WARM_UP_MOVES: Final = 3
_PINGS: Final[Mapping[Transport, float]] = {
    Transport.SOCKET: HttpSettings().ping_interval_seconds,
    Transport.SSE: HttpSettings().sse_ping_seconds,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure.

    Args:
        deals: Number of deals in each sandbox.
        moves: Number of moves in each Crm for the latency, and of those that a loaded server is measured with.
        idle: Number of idle subscribers.
        idle_seconds: How long they are looked at; None for as long as it takes until each has been pinged.
        busy: Number of subscribers who want every event.
        events: Number of events that are replayed.
        paged_events: Number of those that are read page by page besides.
        nested_events: Number of those that are replayed with their opportunities.
        stalled_seconds: How long a subscriber reads nothing that comes back.
    """

    deals: int = 200
    moves: int = 100
    idle: int = 1_000
    idle_seconds: float | None = None
    busy: int = 100
    events: int = 100_000
    paged_events: int = 10_000
    nested_events: int = 200
    stalled_seconds: float = 8.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured."""

    plan: Plan
    load: tuple[float, float]
    seconds: float
    latencies: Sequence[Latency]
    idle: Sequence[Idle]
    busy: Sequence[Busy]
    replays: Sequence[Replay]
    stalled: Sequence[Stalled]
    beside: Beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The sandboxes, and how to start servers over them, one after the other, with one store."""

    folder: Path
    cpus: Cpus
    sandboxes: Sandboxes
    deals: Mapping[str, Deals]
    session: aiohttp.ClientSession

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @asynccontextmanager
    async def server(self, *arguments: str, asking: bool, changes: Mapping[str, float] | None = None) -> AsyncGenerator[Running, None]:
        """A server that has read all opportunities and is told of what happens to them; `asking` lets it ask every second besides."""
        seldom = {"poll_seconds": _NEVER_SECONDS, "sweep_seconds": _NEVER_SECONDS, "watch_calls_per_hour": 1e9}
        often = {vendor: {"sweep_seconds" if vendor in _SWEPT else "poll_seconds": _EVERY_SECONDS} for vendor in ASKED}
        config = write_config(
            self.folder,
            crm=seldom,
            vendors=often if asking else {},
            changes=changes or {},
            more=f'[server]\nstore_dir = "{self.store}"\n',
        )
        begun = datetime.now(UTC)
        async with running("ours", "bench.serve", "ours", "--config", str(config), *arguments, cpus=self.cpus.server) as found:
            await self._swept(found, begun)
            if not asking:
                await _quiet(found)
            async with _registered(config, found):
                yield found

    async def ask(self, server: Running, operation: str, **variables: object) -> Any:
        """The value of an operation's only field.

        Raises:
            BenchError: The answer has errors.
        """
        body = orjson.dumps({"query": OPERATIONS[operation], "variables": variables})
        async with self.session.post(f"{server.url}/graphql", data=body, headers=HEADERS) as response:
            answer = orjson.loads(await response.read())
        if answer.get("errors") or answer.get("data") is None:
            raise BenchError(f"{operation} was answered with {orjson.dumps(answer).decode():.1000}")
        (value,) = answer["data"].values()
        return value

    async def head(self, server: Running) -> str:
        """The cursor behind the newest event."""
        return str((await self.ask(server, "Head"))["pageInfo"]["endCursor"])

    async def calls(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        return await self.sandboxes.calls()

    async def _swept(self, server: Running, begun: datetime) -> None:
        """Wait until all Crms have been read since then."""
        deadline = clock() + PATIENCE_SECONDS
        while clock() < deadline:
            states = [crm["changes"] for crm in await self._watched(server)]
            if all(_is_later(state["polledAt"], begun) or _is_later(state["sweptAt"], begun) for state in states):
                return
            await asyncio.sleep(0.1)
        raise BenchError("the Crms were not read in time")

    async def _watched(self, server: Running) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = await self.ask(server, "Watched")
        return found


def _is_later(moment: str | None, than: datetime) -> bool:
    return moment is not None and datetime.fromisoformat(moment) > than


@asynccontextmanager
async def _registered(config: Path, server: Running) -> AsyncGenerator[None, None]:
    """Let the vendors that can push do so, to this server, within the scope."""
    async with crms.open_session() as session:
        connected = crms.connect_crms(
            load_config(config, os.environ), session, clock=time.monotonic, sleep=asyncio.sleep, jitter=random.random
        )
        registered = [
            (crm.client, await crm.client.register_webhook(f"{server.url}{webhooks.PATH}/{key}"))
            for key, crm in connected.items()
            if isinstance(crm.client, RegistersWebhooks)
        ]
        yield
        for client, webhook in registered:
            await client.remove_webhook(webhook.local_id)


@dataclass(frozen=True, slots=True)
class Own:
    """What a server does when nothing happens: what it asks of the vendors, and its CPU time in a second."""

    calls: Mapping[str, frozenset[str]]
    cpu_ms: float


async def run(plan: Plan) -> Report:
    """Measure everything, and end everything.

    Raises:
        BenchError: Something did not start, an event did not come, or one came twice.
    """
    begun, load = clock(), os.getloadavg()[0]
    async with AsyncExitStack() as stack:
        stack.enter_context(_many_files())
        cpus = stack.enter_context(pinned())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crmgraph-bench-")))
        session = await stack.enter_async_context(open_session())
        starting = (stack.enter_async_context(sandbox(vendor, folder, cpus.others, scale=plan.deals)) for vendor in all_vendors())
        started = await together(*starting)
        deals = {found.name: await deals_of(found, session) for found in started}
        ground = Ground(folder=folder, cpus=cpus, sandboxes=Sandboxes(started, session), deals=deals, session=session)
        async with ground.server(asking=True) as server:
            latencies = await _latencies(plan, ground, server)
            own = await _own(ground, server)
            busy = [
                await _busy(plan, ground, server, own, transport, subscribers=subscribers, latency_ms=latency_ms)
                for transport, subscribers, latency_ms in [
                    (Transport.SOCKET, 1, 0.0),
                    *((transport, plan.busy, 0.0) for transport in Transport),
                    (Transport.SOCKET, plan.busy, _VENDOR_LATENCY_MS),
                ]
            ]
            await ground.sandboxes.set_latency(0)
        idle = [await _idle(plan, ground, transport) for transport in Transport]
        filled = await fill(ground.store, [of_vendor.crm for of_vendor in deals.values()], plan.events)
        replays = await _replays(plan, ground, filled)
        stalled, beside = await _stalled(plan, ground)
    return Report(
        plan=plan,
        load=(load, os.getloadavg()[0]),
        seconds=clock() - begun,
        latencies=latencies,
        idle=idle,
        busy=busy,
        replays=replays,
        stalled=stalled,
        beside=beside,
    )


@contextmanager
def _many_files() -> Generator[None, None, None]:
    """Let this process, and those it starts, open as many files as the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _latencies(plan: Plan, ground: Ground, server: Running) -> list[Latency]:
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
            moves = await _moved(ground.deals[vendor], followers, plan.moves)
            found += [
                Latency(
                    crm=vendor, way="webhook", transport=transport, latencies_ms=[move.latencies_ms[index] for move in moves], waits_ms=[]
                )
                for index, transport in enumerate(Transport)
            ]
        await ground.sandboxes.forget_calls()
        asked = await together(*(_moved_at_times(ground.deals[vendor], followers, plan.moves) for vendor in ASKED))
        calls = await ground.calls()
        for vendor, moves in zip(ASKED, asked, strict=True):
            found += [
                Latency(
                    crm=vendor,
                    way="sweep" if vendor in _SWEPT else "poll",
                    transport=transport,
                    latencies_ms=[move.latencies_ms[index] for move in moves],
                    waits_ms=[_wait_ms(move, index, calls[vendor]) for move in moves],
                )
                for index, transport in enumerate(Transport)
            ]
    return found


async def _moved(deals: Deals, followers: Sequence[Follower], count: int, *, pause_seconds: float = 0.0) -> list[Move]:
    """Move deals, each when all of these subscribers know of the one before, and so much later."""
    found: list[Move] = []
    for _ in range(count):
        found.append(await deals.move(followers))
        await asyncio.sleep(pause_seconds)
    return found


async def _moved_at_times(deals: Deals, followers: Sequence[Follower], count: int) -> list[Move]:
    """Move at random times, a few within the time from one look to the next."""
    moving: list[Awaitable[Move]] = []
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            moving.append(group.create_task(deals.move(followers)))
            await asyncio.sleep(random.uniform(0, _EVERY_SECONDS / 5))  # noqa: S311  # keeps no secret
    return [await move for move in moving]


def _wait_ms(move: Move, index: int, calls: Sequence[Mapping[str, Any]]) -> float:
    """Time until the vendor was asked for the first time after a move, in time for its event; nothing if it was being asked just then."""
    begun = [call["started"] for call in calls if call["started"] >= move.at and call["ended"] <= move.arrivals[index]]
    return (min(begun) - move.at) * 1_000 if begun else 0.0


async def _busy(
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
            moves = await _moved(ground.deals[vendor], followers, count)
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


async def _own(ground: Ground, server: Running) -> Own:
    await ground.sandboxes.forget_calls()
    cpu_ms = await _cpu_ms_of_a_second(server, 3 * _EVERY_SECONDS)
    return Own({vendor: frozenset(map(_shape, calls)) for vendor, calls in (await ground.calls()).items()}, cpu_ms)


def _shape(call: Mapping[str, Any]) -> str:
    """A call without its numbers, which are moments and places in lists."""
    return re.sub(r"\d+", "#", f"{call['operation']} {call['path']} {call['query']} {call['body']}")


async def _cpu_ms_of_a_second(server: Running, seconds: float) -> float:
    """User and system time of the server in a second in which nothing happens."""
    begun, before = clock(), server.cpu_seconds()
    await asyncio.sleep(seconds)
    return (server.cpu_seconds() - before) * 1_000 / (clock() - begun)


async def _quiet(server: Running) -> None:
    """Wait until the server has nothing to do."""
    deadline = clock() + PATIENCE_SECONDS
    while await _cpu_ms_of_a_second(server, _QUIET_SECONDS) > _QUIET_SHARE * 1_000:
        if clock() > deadline:
            raise BenchError("the server is not idle though nothing happens")


async def _idle(plan: Plan, ground: Ground, transport: Transport) -> Idle:
    """Subscribers of one opportunity that nothing happens to, on a server that nothing else has grown."""
    seconds = _PINGS[transport] if plan.idle_seconds is None else plan.idle_seconds
    count = max(1, plan.moves // 2)
    deals, other = ground.deals[PUSHING[-1]], ground.deals[ASKED[0]]
    async with ground.server(asking=False) as server, open_session() as session:
        after = await ground.head(server)
        async with following(transport, session, server.url, "Moves", followers=1, after=after) as (busy,):
            await _moved(deals, [busy], _WARM_UP_MOVES)
            alone = await _moved(deals, [busy], count)
            await _quiet(server)
            cpu_without, before = await _cpu_ms_of_a_second(server, min(2.0, seconds)), server.resident_bytes()
            unmoved = [encode("Opportunity", Ref(other.crm, other.first))]
            async with following(transport, session, server.url, "Moves", followers=plan.idle, after=after, opportunityIds=unmoved) as idle:
                await _quiet(server)
                after_bytes = server.resident_bytes()
                cpu_with = await _cpu_ms_of_a_second(server, seconds)
                later = server.resident_bytes()
                beside = await _moved(deals, [busy], count)
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


async def _replays(plan: Plan, ground: Ground, filled: Filled) -> list[Replay]:
    """Read the log in each way, each from a server of its own."""
    log = filled.event_ids

    def stream(server: Running, transport: Transport, operation: str, events: int) -> Awaitable[Sequence[str]]:
        return _taken(told(transport, ground.session, server.url, operation, lambda: None, after=filled.cursor), events)

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


async def _stalled(plan: Plan, ground: Ground) -> tuple[list[Stalled], Beside]:
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
        await _moved(deals, [quick], _WARM_UP_MOVES)
        alone = await _moved(deals, [quick], plan.moves, pause_seconds=_MOVE_PAUSE_SECONDS)
        slow = {
            transport: await stack.enter_async_context(following(transport, session, server.url, "Wide", followers=1, after=after))
            for transport in Transport
        }
        for (follower,) in slow.values():
            await follower.ended_or_has(len(quick.event_ids))
        reading = await _moved(deals, [quick], plan.moves, pause_seconds=_MOVE_PAUSE_SECONDS)
        server.forget_peak()
        before = server.resident_bytes()
        for (follower,) in slow.values():
            follower.stop_reading()
        begun, stalling = clock(), list[Move]()
        while clock() - begun < plan.stalled_seconds:
            stalling += await _moved(deals, [quick], 1, pause_seconds=_MOVE_PAUSE_SECONDS)
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
        later = await _taken(told(transport, ground.session, server.url, "Moves", lambda: None, after=cursor), missing)
    return [*follower.event_ids, *later] == list(expected)


async def _taken(stream: AsyncGenerator[Told, None], count: int) -> Sequence[str]:
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


def shown(report: Report) -> str:
    """The report as text for people."""
    sandboxes = f"{report.plan.deals} deals in each of {len(all_vendors())} sandboxes"
    rows = [
        *_latency_rows(report),
        *_idle_rows(report),
        *_busy_rows(report),
        *_replay_rows(report),
        *_stalled_rows(report),
    ]
    return "\n".join(
        [
            f"{sandboxes}; {report.seconds:.0f} seconds, load {report.load[0]:.1f} before, {report.load[1]:.1f} after",
            "pairs are p50 / p95",
            "",
            table([["", *Transport], *rows]),
            "",
            table([["vendor calls for an event", *all_vendors()], *_call_rows(report)]),
            "",
            table([_REPLAY_HEADING, *map(_replay_row, report.replays)]),
        ]
    )


def _latency_rows(report: Report) -> list[list[str]]:
    rows: list[list[str]] = []
    for crm, way in dict.fromkeys((latency.crm, latency.way) for latency in report.latencies):
        cells = [latency for latency in report.latencies if latency.crm == crm]
        rows.append([f"{way}, {crm}: ms", *(_pair(cell.latencies_ms) for cell in cells)])
        if cells[0].waits_ms:
            rows += [
                ["  of that, waiting for the next look", *(f"{sum(cell.waits_ms) / sum(cell.latencies_ms):.0%}" for cell in cells)],
                ["  without it: ms", *(_pair(_differences(cell.latencies_ms, cell.waits_ms)) for cell in cells)],
            ]
    return rows


def _idle_rows(report: Report) -> list[list[str]]:
    cells = report.idle
    count = f"{report.plan.idle:,} idle"
    return [
        [f"{count}: MB before / with / later", *(" / ".join(_mb(it) for it in (cell.before, cell.after, cell.later)) for cell in cells)],
        ["  KB a subscriber", *(f"{(max(cell.after, cell.later) - cell.before) / cell.subscribers / 1_000:.1f}" for cell in cells)],
        ["  CPU ms a second, without / with", *(f"{cell.cpu_ms[0]:.1f} / {cell.cpu_ms[1]:.1f}" for cell in cells)],
        ["  webhook beside none: ms", *(_pair(cell.alone_ms) for cell in cells)],
        ["  webhook beside them: ms", *(_pair(cell.beside_ms) for cell in cells)],
    ]


def _busy_rows(report: Report) -> list[list[str]]:
    rows: list[list[str]] = []
    for load in dict.fromkeys((cell.subscribers, cell.latency_ms) for cell in report.busy):
        cells = {cell.transport: cell for cell in report.busy if (cell.subscribers, cell.latency_ms) == load}
        found = [cells.get(transport) for transport in Transport]
        rows += [
            [f"{load[0]} busy, vendors take {load[1]:g} ms: ms", *("" if it is None else _pair(it.latencies_ms) for it in found)],
            ["  CPU ms a delivery", *("" if it is None else f"{it.cpu_ms:.2f}" for it in found)],
        ]
    return rows


def _replay_rows(report: Report) -> list[list[str]]:
    cells = {replay.way: replay for replay in report.replays}
    found = [cells[transport.value] for transport in Transport]
    return [[f"replay of {found[0].events:,}: events a second", *(f"{cell.events / cell.seconds:.0f}" for cell in found)]]


def _stalled_rows(report: Report) -> list[list[str]]:
    beside = report.beside
    return [
        [f"reads nothing for {report.plan.stalled_seconds:g} seconds: is told", *(cell.told for cell in report.stalled)],
        ["  has all events after going on", *("yes" if cell.is_whole else "no" for cell in report.stalled)],
        ["  webhook beside none: ms", _pair(beside.alone_ms), ""],
        ["  webhook beside them while they read: ms", _pair(beside.reading_ms), ""],
        ["  webhook beside them while they do not: ms", _pair(beside.stalled_ms), ""],
        ["  MB before / peak / after", " / ".join(_mb(it) for it in (beside.before, beside.peak, beside.after)), ""],
    ]


def _call_rows(report: Report) -> list[list[str]]:
    return [
        [
            f"{cell.subscribers} by {cell.transport}, vendors take {cell.latency_ms:g} ms",
            *(f"{cell.calls[vendor]:.1f}" for vendor in all_vendors()),
        ]
        for cell in report.busy
    ]


_REPLAY_HEADING: Final = ["reading the log by", "events", "events/s", "CPU ms an event", "calls an event", "MB before", "peak", "after"]


def _replay_row(replay: Replay) -> list[str]:
    return [
        replay.way,
        str(replay.events),
        f"{replay.events / replay.seconds:.0f}",
        f"{replay.cpu_ms:.2f}",
        f"{replay.calls:.2f}",
        *(_mb(count) for count in (replay.before, replay.peak, replay.after)),
    ]


def _pair(values: Sequence[float]) -> str:
    return f"{percentile(values, 50):.0f} / {percentile(values, 95):.0f}"


def _differences(values: Sequence[float], others: Sequence[float]) -> list[float]:
    return [value - other for value, other in zip(values, others, strict=True)]


def _mb(count: int) -> str:
    return f"{count / 1_000_000:.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when it could not be done."""
    default = Plan()
    parser = ArgumentParser(prog="python -m bench.changes", description="Changes of stage, from the sandbox to the subscriber.")
    for name, meaning in _MEANINGS.items():
        parser.add_argument(
            f"--{name}", type=_number, default=getattr(default, name.replace("-", "_")), metavar="N", help=f"{meaning} (%(default)s)"
        )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement there")
    given = vars(parser.parse_args(arguments))
    file: Path | None = given.pop("json")
    try:
        report = asyncio.run(run(Plan(**given)))
    except (BenchError, KeyboardInterrupt) as error:
        print(f"bench: {str(error) or 'interrupted'}", file=sys.stderr)
        return 1
    print(shown(report))
    if file is not None:
        file.write_bytes(orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2))
    return 0


_MEANINGS: Final[Mapping[str, str]] = {
    "deals": "deals in each sandbox",
    "moves": "moves in each Crm",
    "idle": "idle subscribers",
    "idle-seconds": "how long they are looked at",
    "busy": "subscribers who want every event",
    "events": "events that are replayed",
    "paged-events": "of those, read page by page",
    "nested-events": "of those, replayed with their opportunities",
    "stalled-seconds": "how long a subscriber reads nothing",
}


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise ArgumentTypeError("must be a whole number from 1 to 1000000")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
