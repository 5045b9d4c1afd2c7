"""Subscribers of a benchmark: what a client of either transport gets, and when."""

import asyncio
import socket
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, cast

import aiohttp
import orjson
from graphql import parse, print_ast, separate_operations

from bench.processes import BenchError

_DOCUMENT: Final = parse((Path(__file__).parent / "changes.graphql").read_text("utf-8"))
# Each operation with what it uses, as a client sends it: a server keeps the document of a subscription.
OPERATIONS: Final = {name: print_ast(document) for name, document in separate_operations(_DOCUMENT).items()}
PATIENCE_SECONDS: Final = 60.0
_PROTOCOL: Final = "graphql-transport-ws"
_FOR_EVER: Final = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE_SECONDS)
_SMALL_BUFFER_BYTES: Final = 16 * 1024

clock: Final = time.monotonic  # the sandboxes' logs tell this clock's time too, which on Linux is one for all processes


class Transport(StrEnum):
    """How events travel."""

    SOCKET = "WebSocket"
    SSE = "SSE"


@dataclass(frozen=True, slots=True)
class Told:
    """What came from the server, and when: an event, or errors, which are the last that comes."""

    at: float
    body: Mapping[str, Any]

    @property
    def event(self) -> Mapping[str, Any] | None:
        data = self.body.get("data")
        return None if data is None else data["opportunityStageChanged"]

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        return self.body.get("errors") or []


class CutError(Exception):
    """The server, or somebody on the way, has ended the connection."""


def open_session(*, small_buffers: bool = False) -> aiohttp.ClientSession:
    """A session for any number of streams. With small buffers the kernel takes little for a subscriber that does not read."""

    def opened(address: tuple[Any, ...]) -> socket.socket:
        found = socket.socket(*address[:3])
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER_BYTES)
        return found

    connector = aiohttp.TCPConnector(limit=0, socket_factory=opened if small_buffers else None)
    return aiohttp.ClientSession(connector=connector, timeout=_FOR_EVER, read_bufsize=_SMALL_BUFFER_BYTES)


def told(
    transport: Transport, session: aiohttp.ClientSession, url: str, operation: str, ready: Callable[[], None], **variables: object
) -> AsyncGenerator[Told, None]:
    """All that a subscription is told; `ready` is called when the server has it.

    Raises:
        CutError: The connection has ended, and the subscription had not.
    """
    request = {"query": OPERATIONS[operation], "variables": variables}
    return (_told_by_socket if transport is Transport.SOCKET else _told_by_sse)(session, f"{url}/graphql", request, ready)


async def _told_by_socket(
    session: aiohttp.ClientSession, url: str, request: Mapping[str, object], ready: Callable[[], None]
) -> AsyncGenerator[Told, None]:
    async with session.ws_connect(url, protocols=[_PROTOCOL], max_msg_size=0) as connection:
        await connection.send_json({"type": "connection_init"})
        while True:
            frame = await connection.receive()
            if frame.type is not aiohttp.WSMsgType.TEXT:
                reason = frame.extra or "without a reason" if frame.type is aiohttp.WSMsgType.CLOSE else "without a word"
                raise CutError(f"closed with {connection.close_code}, {reason}")
            at = clock()
            message = orjson.loads(cast("str", frame.data))
            match message["type"]:
                case "connection_ack":
                    await connection.send_json({"id": "1", "type": "subscribe", "payload": request})
                    await connection.send_json({"type": "ping"})
                case "pong":  # the server takes messages in their order
                    ready()
                case "ping":
                    await connection.send_json({"type": "pong"})
                case "next":
                    yield Told(at, message["payload"])
                case "error":
                    yield Told(at, {"errors": message["payload"]})
                    return
                case _:  # complete
                    return


async def _told_by_sse(
    session: aiohttp.ClientSession, url: str, request: Mapping[str, object], ready: Callable[[], None]
) -> AsyncGenerator[Told, None]:
    async with session.post(url, json=request, headers={"Accept": "text/event-stream"}) as response:
        if response.status != 200:
            raise BenchError(f"a stream was answered with {response.status}: {(await response.text())[:500]}")
        ready()
        name = b""
        try:
            async for line in response.content:
                if line.startswith(b"event: "):
                    name = line[7:].rstrip()
                elif line.startswith(b"data: ") and name == b"next":
                    yield Told(clock(), orjson.loads(line[6:]))
                elif line.startswith(b"data: ") and name == b"complete":
                    return
        except aiohttp.ClientError as error:
            raise CutError(f"cut off, {type(error).__name__}") from None
        raise CutError("ended without `complete`")


class Follower:
    """A subscriber: notes when which event came, and how its stream has ended.

    Attributes:
        event_ids: Of the events that came, in their order.
        cursor: Of the last one.
        end: The errors that ended the stream, or how else it has ended; None while it goes on.
    """

    def __init__(self) -> None:
        self.event_ids: list[str] = []
        self.cursor: str | None = None
        self.end: list[Mapping[str, Any]] | str | None = None
        self.subscribed = asyncio.Event()
        self._arrivals: defaultdict[str, list[float]] = defaultdict(list)
        self._news = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()

    def count(self, opportunity_id: str) -> int:
        """Number of events of an opportunity so far."""
        return len(self._arrivals[opportunity_id])

    async def arrival(self, opportunity_id: str, number: int) -> float:
        """Wait for an opportunity's event of that number, and tell when it came.

        Raises:
            BenchError: It did not come.
        """
        await self._until(lambda: self.count(opportunity_id) >= number, f"an event of {opportunity_id}")
        return self._arrivals[opportunity_id][number - 1]

    async def ended_or_has(self, events: int) -> None:
        """Wait for the end of the stream, or for so many events."""
        await self._until(lambda: self.end is not None or len(self.event_ids) >= events, "the end of a stream")

    def stop_reading(self) -> None:
        """Take nothing from the connection any more."""
        self._reads.clear()

    def read_again(self) -> None:
        self._reads.set()

    async def follow(self, stream: AsyncGenerator[Told, None]) -> None:
        try:
            async with aclosing(stream):
                await self._take_all(stream)
        except (CutError, aiohttp.ClientError, OSError) as error:
            self.end = str(error) or type(error).__name__
        finally:
            self._news.set()

    async def _take_all(self, stream: AsyncGenerator[Told, None]) -> None:
        async for item in stream:
            event = item.event
            if event is None:
                self.end = item.errors
                return
            if item.errors:
                self.end = item.errors
                return
            self._arrivals[event["opportunityId"]].append(item.at)
            self.event_ids.append(event["eventId"])
            self.cursor = event["cursor"]
            self._news.set()
            await self._reads.wait()
        self.end = "completed"

    async def _until(self, holds: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not holds():
                    if self.end is not None:
                        raise BenchError(f"{what} was waited for; the stream has ended: {self.end}"[:2_000])
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise BenchError(f"{what} did not come within {PATIENCE_SECONDS:g} seconds") from None


@asynccontextmanager
async def following(
    transport: Transport,
    session: aiohttp.ClientSession,
    url: str,
    operation: str,
    *,
    followers: int,
    **variables: object,
) -> AsyncGenerator[list[Follower], None]:
    """So many subscribers that the server has, until the scope ends."""
    found = [Follower() for _ in range(followers)]
    tasks: list[asyncio.Task[None]] = []
    try:
        for follower in found:
            stream = told(transport, session, url, operation, follower.subscribed.set, **variables)
            tasks.append(asyncio.create_task(follower.follow(stream)))
            if len(tasks) % 50 == 0:
                await _subscribed(follower)  # no more at once than a listening socket has room for
        for follower in found:
            await _subscribed(follower)
        yield found
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)


async def _subscribed(follower: Follower) -> None:
    try:
        await asyncio.wait_for(follower.subscribed.wait(), PATIENCE_SECONDS)
    except TimeoutError:
        raise BenchError(f"a subscriber was not taken: {follower.end}") from None
