"""The graph over Crms that run on loopback, asked as a client asks it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from graphql import GraphQLError
from strawberry.types import ExecutionResult

from server.context import ContextMaker
from server.cursors import SignedCursors
from server.limits import Limits, operation_extensions
from server.schema import build_schema
from tests.contract.conftest import VENDORS
from tests.playground import Playground, playground
from vendors.autotask.sandbox.control import API
from vendors.autotask.sandbox.store import Table
from vendors.registry import Crm, Link, Scanning, Vendor, VendorSettings
from vendors.sandbox import Fault

SEEDED = None


class Graph:
    """A schema and the Crms behind it."""

    def __init__(self, grounds: Mapping[str, Playground], *, more: Mapping[str, Crm] | None = None, limits: Limits | None = None) -> None:
        self.grounds = grounds
        crms = {key: ground.crm for key, ground in grounds.items()} | dict(more or {})
        self.make = ContextMaker(crms, SignedCursors(b"a key that only tests have"))
        self.schema = build_schema(operation_extensions(limits or Limits(), clock=time.monotonic))

    async def answer(self, query: str, **variables: object) -> ExecutionResult:
        """Run an operation with a context of its own."""
        result = await self.schema.execute(query, variable_values=variables, context_value=self.make())
        assert isinstance(result, ExecutionResult)
        return result

    async def data(self, query: str, **variables: object) -> dict[str, Any]:
        """The data of an operation that must not fail anywhere."""
        result = await self.answer(query, **variables)
        assert result.errors is None, result.errors
        assert result.data is not None
        return result.data

    async def error(self, query: str, **variables: object) -> GraphQLError:
        """The one error of an operation."""
        result = await self.answer(query, **variables)
        assert result.errors is not None
        assert len(result.errors) == 1, result.errors
        return result.errors[0]

    def break_down(self, key: str, *faults: Fault) -> None:
        """Let a Crm fail from now on."""
        self.grounds[key].control.faults[:] = faults

    def mend(self, key: str) -> None:
        self.grounds[key].control.faults.clear()

    def narrow(self, key: str, scanning: Scanning) -> "Graph":
        """The same graph, with a Crm that may not be scanned as far."""
        return Graph(self.grounds, more={key: replace(self.grounds[key].crm, scanning=scanning)})

    def calls(self, key: str) -> list[str]:
        """What the sandbox of a Crm was asked since the last look."""
        control = self.grounds[key].control
        operations = control.operations()
        control.calls.clear()
        return operations

    def table(self, key: str, entity: str) -> Table:
        """What the sandbox of an Autotask Crm keeps of an entity, to be read and changed."""
        return self.grounds[key].sandbox.app[API].store.tables[entity]


@asynccontextmanager
async def autotask_graph(limits: Limits | None = None, **sizes: int | None) -> AsyncGenerator[Graph, None]:
    """A graph over several Crms of one vendor, by key, each with that many opportunities, or SEEDED."""
    async with AsyncExitStack() as stack:
        grounds = {key: await stack.enter_async_context(playground("autotask", crm=key, scale=size)) for key, size in sizes.items()}
        yield Graph(grounds, limits=limits)


@asynccontextmanager
async def whole_graph(limits: Limits | None = None) -> AsyncGenerator[Graph, None]:
    """A graph over one Crm of every vendor that is registered."""
    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(playground(vendor)) for vendor in VENDORS]
        yield Graph({ground.crm.key: ground for ground in running}, limits=limits)


def crm_of(client: object, beside: Crm, *, key: str) -> Crm:
    """A Crm with a client of the test's own, which shares nothing with `beside` but the session."""
    link = Link(
        crm=key, session=beside.link.session, clock=time.monotonic, sleep=asyncio.sleep, jitter=lambda: 0.5, https=beside.link.https
    )
    vendor = Vendor(
        key=beside.vendor.key,
        label="Made for a test",
        settings=VendorSettings,
        client=type(client),
        connect=lambda _link, _settings: client,
        extensions={},
    )
    return Crm(key=key, label="Made for a test", vendor=vendor, client=client, link=link)


async def until(has_happened: Callable[[], bool]) -> None:
    """Let the other tasks run until something has happened."""
    async with asyncio.timeout(60):
        while not has_happened():  # noqa: ASYNC110  # a sandbox announces nothing
            await asyncio.sleep(0)


def codes(result: ExecutionResult) -> list[str]:
    """The codes of all errors, in order."""
    return [str((error.extensions or {}).get("code")) for error in result.errors or ()]
