"""Speaks HTTP to the sandbox for its tests: plain aiohttp, the vendor's words, no adapter."""

import functools
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from vendors.sandbox import OptionValue, RunningSandbox, start
from vendors.sharpspring.sandbox import SANDBOX
from vendors.sharpspring.sandbox.routes import ACCOUNT_ID, SECRET_KEY, build

CREDENTIALS = {"accountID": ACCOUNT_ID, "secretKey": SECRET_KEY}


@dataclass
class Clocks:
    """The sandbox's clocks. Between two calls `step` seconds pass on the one that throttles; by default enough for a full bucket."""

    step: float = 1.0
    seconds: float = 0.0
    now: datetime = field(default_factory=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))

    def monotonic(self) -> float:
        self.seconds += self.step
        return self.seconds

    def time_of_day(self) -> datetime:
        return self.now

    def forward(self, **duration: float) -> None:
        self.now += timedelta(**duration)


def rows_of(envelope: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of an answer, which stand under the only key of `result` beside hasMore."""
    (key,) = envelope["result"].keys() - {"hasMore"}
    rows: list[dict[str, Any]] = envelope["result"][key]
    return rows


@dataclass
class Caller:
    sandbox: RunningSandbox
    session: aiohttp.ClientSession
    clocks: Clocks

    async def post(
        self, body: object, *, version: str = "v1.2/", query: Mapping[str, str] = CREDENTIALS, headers: Mapping[str, str] | None = None
    ) -> tuple[aiohttp.ClientResponse, str]:
        data = body if isinstance(body, bytes) else None
        json = None if isinstance(body, bytes) else body
        url = f"{self.sandbox.base_url}/pubapi/{version}"
        async with self.session.post(url, params=query, headers=headers, data=data, json=json, allow_redirects=False) as response:
            return response, await response.text()

    async def call(self, method: str, params: Mapping[str, object], *, version: str = "v1.2/") -> dict[str, Any]:
        """Call a method and return the envelope."""
        response, _ = await self.post({"method": method, "params": params, "id": "q1"}, version=version)
        assert response.status == 200
        envelope: dict[str, Any] = await response.json()
        assert envelope["id"] == "q1"
        return envelope

    async def rows(self, method: str, **params: object) -> list[dict[str, Any]]:
        """Call a reading method and return its rows."""
        envelope = await self.call(method, params)
        assert not envelope["error"], envelope["error"]
        return rows_of(envelope)

    async def one(self, method: str, **params: object) -> dict[str, Any]:
        (row,) = await self.rows(method, **params)
        return row

    async def code(self, method: str, params: Mapping[str, object]) -> int:
        """Call a method that is refused as a whole, and return the code."""
        envelope = await self.call(method, params)
        assert envelope["result"] is None
        code: int = envelope["error"]["code"]
        assert envelope["error"]["message"]
        return code

    async def write(self, method: str, *objects: Mapping[str, object]) -> list[Any]:
        """Call a writing method and say of each object: its new id, True, or the code of its refusal."""
        envelope = await self.call(method, {"objects": objects})
        ((kind, written),) = envelope["result"].items()
        assert kind == {"c": "creates", "u": "updates", "d": "deletes"}[method[0]]
        return [row.get("id", True) if row["success"] else row["error"]["code"] for row in written]

    async def raw(self) -> dict[str, dict[str, Any]]:
        """Return the stored opportunities by id as text."""
        async with self.session.get(f"{self.sandbox.base_url}/_sandbox/records") as response:
            return {str(row["id"]): row for row in await response.json()}

    async def by_name(self, name: str) -> dict[str, Any]:
        """Return the stored opportunity of that name."""
        (row,) = [row for row in (await self.raw()).values() if row["opportunityName"] == name]
        return row


@asynccontextmanager
async def calling(*, scale: int | None = None, clocks: Clocks | None = None, **options: OptionValue) -> AsyncGenerator[Caller]:
    """Start a fresh sandbox and something that calls it."""
    clocks = clocks or Clocks()
    kind = replace(SANDBOX, build=functools.partial(build, clock=clocks.monotonic, now=clocks.time_of_day))
    sandbox = await start(kind, options=options, scale=scale)
    try:
        async with aiohttp.ClientSession() as session:
            yield Caller(sandbox, session, clocks)
    finally:
        await sandbox.stop()
