"""Speaks HTTP to the sandbox for its tests: plain aiohttp, the vendor's words, no adapter."""

import functools
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp

from vendors.pipeliner.sandbox import SANDBOX
from vendors.pipeliner.sandbox.control import build
from vendors.sandbox import OptionValue, RunningSandbox, start

SPACE = "/api/v100/rest/spaces/de_Nordkai_AG"
ENTITIES = f"{SPACE}/entities/"
AUTHORIZATION = {"Authorization": aiohttp.encode_basic_auth("de_Nordkai_AG_4JX2R8TQWM", "hQ7-Landungsbruecken-30")}


@dataclass
class Clocks:
    """The sandbox's clocks."""

    seconds: float = 0.0
    now: datetime = field(default_factory=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))

    def monotonic(self) -> float:
        return self.seconds

    def time_of_day(self) -> datetime:
        return self.now


@dataclass
class Caller:
    sandbox: RunningSandbox
    session: aiohttp.ClientSession
    clocks: Clocks

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | list[tuple[str, str]] | None = None,
        headers: Mapping[str, str] = AUTHORIZATION,
    ) -> tuple[aiohttp.ClientResponse, str]:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        url = self.sandbox.base_url + path
        async with self.session.request(method, url, params=params, headers=headers, data=data, allow_redirects=False) as response:
            return response, await response.text()

    async def __call__(
        self, method: str, entity: str, body: object = None, *, status: Any = 200, headers: Any = None, **params: Any
    ) -> Any:
        """Call an entity and return the whole answer; a parameter with a list is sent once for each value.

        `status` is the expected one, `headers` come on top; both are Any so that a mapping of parameters can be unpacked beside them.
        """
        pairs: list[tuple[str, str]] = []
        for name, value in params.items():
            values: list[Any] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
            pairs += [(name, str(each)) for each in values]
        response, text = await self.send(method, ENTITIES + entity, body, params=pairs, headers={**AUTHORIZATION, **(headers or {})})
        assert response.status == status, f"{method} {entity}: {response.status} {text}"
        return json.loads(text)

    async def rows(self, entity: str, **params: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self("GET", entity, **params))["data"]
        return rows

    async def one(self, entity: str, **params: Any) -> dict[str, Any]:
        """Return the only row of a list."""
        (row,) = await self.rows(entity, **params)
        return row

    async def read(self, entity: str, row_id: str, **params: Any) -> dict[str, Any]:
        row: dict[str, Any] = (await self("GET", f"{entity}/{row_id}", **params))["data"]
        return row

    async def deal(self, name: str, **params: Any) -> dict[str, Any]:
        return await self.one("Opportunities", **{"filter[name]": name}, **params)

    async def id_of(self, entity: str, name: str, key: str = "name") -> str:
        row_id: str = (await self.one(entity, **{f"filter[{key}]": name, "load-only": "id"}))["id"]
        return row_id

    async def raw(self) -> dict[str, dict[str, Any]]:
        """Return the stored opportunities by id."""
        async with self.session.get(f"{self.sandbox.base_url}/_sandbox/records") as response:
            return {row["id"]: row for row in await response.json()}


@asynccontextmanager
async def calling(*, scale: int | None = None, clocks: Clocks | None = None, **options: OptionValue) -> AsyncGenerator[Caller]:
    """Start a fresh sandbox and something that calls it."""
    clocks = clocks or Clocks()
    kind = replace(SANDBOX, build=functools.partial(build, now=clocks.time_of_day))
    sandbox = await start(kind, options=options, scale=scale, clock=clocks.monotonic)
    try:
        async with aiohttp.ClientSession() as session:
            yield Caller(sandbox, session, clocks)
    finally:
        await sandbox.stop()
