"""A graph with a subscription like that of stage changes, whose events a test makes, and a real server for it on loopback."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import strawberry
from starlette.requests import HTTPConnection
from strawberry.schema.config import StrawberryConfig

from resolvers.answers import Answers
from resolvers.errors import UserError
from resolvers.event_execution import EventExecutor
from server.app import create_app
from server.http import GraphServer, HttpSettings, listen, uvicorn_config
from server.limits import Limits, operation_extensions
from server.schema import Schema
from vendors.calls import Clock, current_deadline
from vendors.errors import ErrorCode

SUBSCRIPTION = "subscription S($after: String) { opportunityStageChanged(after: $after) { cursor eventId } }"


@dataclass(slots=True)
class Feed:
    """The log of events, and what became of those who follow it."""

    events: list[str] = field(default_factory=list[str])
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    following: int = 0
    made: int = 0
    contexts: list["FeedContext"] = field(default_factory=list["FeedContext"])
    failure: Exception | None = None
    saving: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    saved: asyncio.Event = field(default_factory=asyncio.Event)

    async def add(self, *events: str) -> None:
        async with self.changed:
            self.events += events
            self.changed.notify_all()

    async def fail(self, failure: Exception) -> None:
        """End all who follow with an error, once they have the events so far."""
        async with self.changed:
            self.failure = failure
            self.changed.notify_all()

    async def until_followed_by(self, number: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.following == number)


@dataclass(eq=False, slots=True)
class FeedContext:
    feed: Feed
    resume_after: str | None = None
    event_id: str | None = None


FeedInfo = strawberry.Info[FeedContext, None]


@strawberry.type
class Change:
    cursor: str
    event_id: strawberry.ID

    @strawberry.field
    def padding(self, size: int) -> str:
        return "x" * size

    @strawberry.field
    def seconds_left(self) -> float | None:
        deadline = current_deadline()
        return None if deadline is None else deadline.remaining()

    @strawberry.field
    async def slow_if(self, event_id: strawberry.ID) -> str | None:
        """Never comes for that event."""
        if event_id == self.event_id:
            await asyncio.Event().wait()
        return None

    @strawberry.field
    def broken(self) -> str:
        raise RuntimeError("private detail")


@strawberry.type
class Query:
    @strawberry.field
    def echo(self, text: str) -> str:
        return text


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def save(self, info: FeedInfo) -> str:
        info.context.feed.saving.set()
        await info.context.feed.release.wait()
        info.context.feed.saved.set()
        return "saved"


async def _refused() -> Any:
    raise UserError(ErrorCode.NOT_SUPPORTED, "Nobody watches.")


@strawberry.type
class Subscription:
    refused: int = strawberry.subscription(resolver=_refused)

    @strawberry.subscription
    async def opportunity_stage_changed(self, info: FeedInfo, after: str | None = None) -> AsyncGenerator[Change]:
        feed, context = info.context.feed, info.context
        begun = _position(feed, context.resume_after or after)
        async with feed.changed:
            feed.following += 1
            feed.changed.notify_all()
        try:
            for position in range(begun, 1_000_000):
                async with feed.changed:
                    while len(feed.events) <= position and feed.failure is None:
                        await feed.changed.wait()
                if len(feed.events) <= position and feed.failure is not None:
                    raise feed.failure
                feed.made += 1
                context.event_id = f"c{position + 1}"
                yield Change(cursor=context.event_id, event_id=strawberry.ID(feed.events[position]))
        finally:
            feed.following -= 1
            async with feed.changed:
                feed.changed.notify_all()

    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int]:
        for number in range(to):
            yield number


def _position(feed: Feed, cursor: str | None) -> int:
    if cursor is None:
        return len(feed.events)
    if cursor == "expired":
        raise UserError(ErrorCode.CURSOR_EXPIRED, "This cursor is older than what is kept.", oldestCursor="c1")
    return int(cursor.removeprefix("c"))


@dataclass(slots=True)
class FeedServer:
    feed: Feed
    http: aiohttp.ClientSession
    host: str
    port: int
    server: GraphServer

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/graphql"

    def unsent(self) -> int:
        """Bytes that wait in the server for clients to take them."""
        return sum(connection.transport.get_write_buffer_size() for connection in self.server.server_state.connections)

    async def socket(self) -> aiohttp.ClientWebSocketResponse:
        """A WebSocket that is ready for operations."""
        socket = await self.http.ws_connect(self.url, protocols=["graphql-transport-ws"])
        await socket.send_json({"type": "connection_init"})
        assert await socket.receive_json(timeout=60) == {"type": "connection_ack"}
        return socket


@asynccontextmanager
async def serving(
    settings: HttpSettings | None = None,
    limits: Limits | None = None,
    *,
    clock: Clock = time.monotonic,
    feed: Feed | None = None,
) -> AsyncGenerator[FeedServer]:
    """Run the graph under uvicorn; without a feed there is a new one."""
    feed = feed or Feed()

    def context(connection: HTTPConnection, params: Mapping[str, object]) -> FeedContext:
        del connection, params
        feed.contexts.append(FeedContext(feed))
        return feed.contexts[-1]

    schema = Schema(
        Query,
        Mutation,
        Subscription,
        extensions=[Answers, *operation_extensions(limits or Limits(), clock=clock)],
        execution_context_class=EventExecutor,
        config=StrawberryConfig(disable_field_suggestions=True),
    )
    app = create_app(schema=schema, context_factory=context, settings=settings or HttpSettings(graphiql=False), ready=lambda: True)
    listener = listen("127.0.0.1", 0)
    host, chosen = listener.getsockname()
    server = GraphServer(uvicorn_config(app, host=host, port=chosen), app.state.on_stop)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with aiohttp.ClientSession() as http:
            yield FeedServer(feed, http, host, chosen, server)
    finally:
        server.should_exit = True
        await task
