"""A small graph that can be nested without end, waits, fails and writes, and a real server for it on loopback."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import strawberry
import uvicorn
from starlette.requests import HTTPConnection
from strawberry.schema.config import StrawberryConfig

from server.app import create_app
from server.http import HttpSettings, listen, request_id, uvicorn_config
from server.limits import Limits, operation_extensions
from vendors.calls import current_deadline


@dataclass(slots=True)
class Journal:
    """What the resolvers did, and what they wait for."""

    ran: list[str] = field(default_factory=list[str])
    contexts: list["ToyContext"] = field(default_factory=list["ToyContext"])
    started: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False, slots=True)
class ToyContext:
    journal: Journal
    connection: HTTPConnection
    connection_params: Mapping[str, object]


ToyInfo = strawberry.Info[ToyContext, None]


def _parents_of_child(info: ToyInfo, first: int | None = None) -> list["Parent"]:
    info.context.journal.ran.append("parents")
    return [Parent(name="p")] * (first or 1)


@strawberry.type
class Child:
    name: str
    parents: list["Parent"] = strawberry.field(resolver=_parents_of_child, metadata={"assumed_size": 3})


@strawberry.type
class Parent:
    name: str

    @strawberry.field
    def children(self, info: ToyInfo, first: int = 20) -> list[Child]:
        info.context.journal.ran.append("children")
        return [Child(name="c")] * first


@strawberry.type
class ParentEdge:
    node: Parent


@strawberry.type
class ToyPageInfo:
    has_next_page: bool


@strawberry.type
class ParentConnection:
    edges: list[ParentEdge]
    nodes: list[Parent]
    page_info: ToyPageInfo
    total_count: int


@strawberry.type
class Query:
    @strawberry.field
    def parent(self, info: ToyInfo) -> Parent:
        info.context.journal.ran.append("parent")
        return Parent(name="root")

    @strawberry.field
    def parents(self, info: ToyInfo, first: int | None = None, last: int | None = None) -> ParentConnection:
        info.context.journal.ran.append("parents")
        rows = [Parent(name=f"p{n}") for n in range(first or last or 1)]
        return ParentConnection(
            edges=[ParentEdge(node=row) for row in rows], nodes=rows, page_info=ToyPageInfo(has_next_page=False), total_count=len(rows)
        )

    @strawberry.field
    def nodes(self, info: ToyInfo, ids: list[strawberry.ID]) -> list[Parent | None]:
        info.context.journal.ran.append("nodes")
        return [Parent(name=key) for key in ids]

    @strawberry.field
    def echo(self, text: str) -> str:
        return text

    @strawberry.field
    def half_a_pair(self) -> str:
        return "\ud800"

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("private detail")

    @strawberry.field
    def request_id(self) -> str:
        return request_id.get()

    @strawberry.field
    def seconds_left(self) -> float | None:
        deadline = current_deadline()
        return None if deadline is None else deadline.remaining()

    @strawberry.field
    async def slow(self, info: ToyInfo) -> str:
        return await _wait(info.context.journal)


@strawberry.type
class Mutation:
    @strawberry.mutation
    def save(self, info: ToyInfo) -> str:
        info.context.journal.ran.append("save")
        return "saved"

    @strawberry.mutation
    async def save_slowly(self, info: ToyInfo) -> str:
        return await _wait(info.context.journal)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int]:
        for number in range(to):
            yield number


async def _wait(journal: Journal) -> str:
    journal.started.set()
    try:
        await journal.release.wait()
    except asyncio.CancelledError:
        journal.cancelled.set()
        raise
    journal.finished.set()
    return "done"


def toy_schema(limits: Limits | None = None, *, clock: Callable[[], float] = time.monotonic, reads_only: bool = False) -> strawberry.Schema:
    return strawberry.Schema(
        Query,
        None if reads_only else Mutation,
        None if reads_only else Subscription,
        extensions=operation_extensions(limits or Limits(), clock=clock),
        config=StrawberryConfig(disable_field_suggestions=True),
    )


@dataclass(slots=True)
class ToyServer:
    journal: Journal
    http: aiohttp.ClientSession
    host: str
    port: int

    @property
    def origin(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/graphql"

    async def ask(self, query: str, *, accept: str = "application/graphql-response+json", **parameters: Any) -> "Reply":
        """Send a GraphQL request the usual way."""
        return await self.post(json={"query": query, **parameters}, headers={"accept": accept})

    async def post(self, **kwargs: Any) -> "Reply":
        async with self.http.post(self.url, **kwargs) as response:
            return await Reply.read(response)

    async def get(self, path: str = "/graphql", **kwargs: Any) -> "Reply":
        async with self.http.get(self.origin + path, **kwargs) as response:
            return await Reply.read(response)

    async def exchange(self, request: bytes) -> bytes:
        """Send bytes as they are and return everything up to the end of the connection."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(request)
        try:
            return await reader.read()
        finally:
            writer.close()


@dataclass(slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    text: str
    json: Any

    @classmethod
    async def read(cls, response: aiohttp.ClientResponse) -> "Reply":
        text = await response.text()
        return cls(
            response.status, response.headers, text, await response.json(content_type=None) if "json" in response.content_type else None
        )

    @property
    def messages(self) -> list[str]:
        return [error["message"] for error in self.json.get("errors", [])]

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.json.get("errors", [])]


@asynccontextmanager
async def serving(
    settings: HttpSettings | None = None,
    limits: Limits | None = None,
    *,
    ready: Callable[[], bool] = lambda: True,
    reads_only: bool = False,
) -> AsyncGenerator[ToyServer]:
    """Run the toy graph under uvicorn on a free port; `reads_only` without mutations and subscriptions."""
    journal = Journal()

    def context(connection: HTTPConnection, params: Mapping[str, object]) -> ToyContext:
        context = ToyContext(journal, connection, params)
        journal.contexts.append(context)
        return context

    app = create_app(
        schema=toy_schema(limits, reads_only=reads_only), context_factory=context, settings=settings or HttpSettings(), ready=ready
    )
    listener = listen("127.0.0.1", 0)
    host, port = listener.getsockname()
    server = uvicorn.Server(uvicorn_config(app, host=host, port=port))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with aiohttp.ClientSession() as http:
            yield ToyServer(journal, http, host, port)
    finally:
        server.should_exit = True
        await task
