"""A client of the Apideck sandbox for tests of writes: what it sends is written down, and checked against the vendor's OpenAPI file."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import aiohttp
from aiohttp import web

from tests.playground import connect
from tests.vendors.apideck import openapi
from vendors.apideck.client import Client
from vendors.apideck.inputs import ApideckOpportunityInput
from vendors.apideck.sandbox import SANDBOX, STORE
from vendors.errors import VendorError
from vendors.model import EVERYTHING, Opportunity
from vendors.sandbox import Handler, OptionValue, RunningSandbox, SandboxSetup, start
from vendors.writes import OpportunityValues, RuleCode, WritePlan

CRANE = "9017442101"  # with two contacts, custom fields of every kind, a priority
LIGHTS = "9017442103"  # with one contact, who is also its `contact_id`
COATING = "9017442105"  # with a custom field that has no id
WINCH = "9017442104"  # whose `contact_id` is not its primary contact

Json = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """A write as the vendor got it."""

    operation: str
    method: str
    path: str
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text, parse_float=Decimal) if self.text else None


@dataclass
class Ground:
    client: Client
    sandbox: RunningSandbox
    sent: list[Sent] = field(default_factory=list[Sent])
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by every request that reaches the sandbox."""

    async def deal(self, local_id: str = CRANE) -> Opportunity:
        found = (await self.client.opportunities_by_ids([local_id], EVERYTHING))[local_id]
        assert not isinstance(found, VendorError)
        return found

    def record(self, local_id: str) -> Json:
        """A record as the sandbox keeps it."""
        return dict(self.sandbox.app[STORE].tables["opportunities"].get(local_id) or {})

    async def update(self, current: Opportunity, **values: Any) -> Any:
        """Make a change; the body that was sent for it."""
        return await self.make(await self.client.plan_update(current, OpportunityValues(**values)))

    async def make(self, plan: WritePlan) -> Any:
        """Carry out a plan that breaks no rule; the body that was sent."""
        assert plan.violations == ()
        await plan.execute()
        (request,) = plan.requests
        last = self.sent[-1]
        assert (request.operation, request.method, "/" + request.path) == (last.operation, last.method, last.path)
        assert (request.body or b"").decode() == last.text
        return last.body


def own(**values: Any) -> ApideckOpportunityInput:
    return ApideckOpportunityInput(**values)


def told(plan: WritePlan) -> list[tuple[str, RuleCode]]:
    """The rules that a plan breaks, by dotted path."""
    assert all(violation.message.endswith(".") for violation in plan.violations)
    return [(".".join(violation.path), violation.code) for violation in plan.violations]


@asynccontextmanager
async def ground(options: Mapping[str, OptionValue] | None = None, **settings: Any) -> AsyncGenerator[Ground, None]:
    """Run a sandbox and connect a client; afterwards every write that was sent has to be one that the vendor's document allows."""
    sent: list[Sent] = []
    arrived = asyncio.Event()
    names = {"POST": "Add", "PATCH": "Update", "DELETE": "Delete"}

    @web.middleware
    async def write_down(request: web.Request, handler: Handler) -> web.StreamResponse:
        arrived.set()
        if request.method in names and request.path.startswith("/crm/"):
            operation = request.path.split("/")[2] + names[request.method]
            sent.append(Sent(operation, request.method, request.rel_url.raw_path, request.headers, await request.text()))
        return await handler(request)

    def build(setup: SandboxSetup) -> web.Application:
        app = SANDBOX.build(setup)
        app.middlewares.insert(0, write_down)
        return app

    sandbox = await start(replace(SANDBOX, build=build), options=options)
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            client = connect("apideck", sandbox, session, settings=settings).client
            assert isinstance(client, Client)
            yield Ground(client, sandbox, sent, arrived)
    finally:
        await sandbox.stop()
    if openapi.unavailable() is None:
        for call in sent:
            body = json.loads(call.text) if call.text else None
            assert openapi.request_violations(call.method, call.path, [], call.headers, body) == [], call
