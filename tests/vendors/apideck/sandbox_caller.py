"""A plain HTTP client of the Apideck sandbox, for its tests. It knows the headers and nothing of the adapter."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from vendors.apideck.sandbox import SANDBOX
from vendors.sandbox import OptionValue, RunningSandbox, start

HEADERS = {
    "Authorization": "Bearer sk_sandbox_nordkai_americas_3f9c71",
    "x-apideck-app-id": "nordkaiUnifyAppJQ8m2sVd",
    "x-apideck-consumer-id": "nordkai-americas",
    "x-apideck-service-id": "hubspot",
}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def data(self) -> Any:
        return self.body["data"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls one running sandbox with its credentials; a header given as None is left out."""

    running: RunningSandbox
    session: aiohttp.ClientSession

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        chosen = {name: value for name, value in {**HEADERS, **(headers or {})}.items() if value is not None}
        url = f"{self.running.base_url}{path}"
        async with self.session.request(method, url, params=params, headers=chosen, json=body) as response:
            return Answer(response.status, dict(response.headers), await response.json(content_type=None))

    async def get(self, path: str, **params: str) -> Answer:
        return await self.call("GET", path, params=params)

    async def pages(self, path: str, params: Mapping[str, str]) -> list[Answer]:
        """Every page of a list, by its cursors."""
        pages = [await self.call("GET", path, params=params)]
        while cursor := pages[-1].body.get("meta", {}).get("cursors", {}).get("next"):
            pages.append(await self.call("GET", path, params={**params, "cursor": cursor}))
        return pages


@asynccontextmanager
async def calling(options: Mapping[str, OptionValue] | None = None, *, scale: int | None = None) -> AsyncGenerator[Caller, None]:
    running = await start(SANDBOX, options=options, scale=scale)
    try:
        async with aiohttp.ClientSession() as session:
            yield Caller(running, session)
    finally:
        await running.stop()
