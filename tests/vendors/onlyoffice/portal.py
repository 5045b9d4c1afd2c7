"""Plain HTTP to the sandbox, without an adapter."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from vendors.onlyoffice.sandbox.logins import PASSWORD, USERNAME
from vendors.onlyoffice.sandbox.routes import PORTAL
from vendors.sandbox import RunningSandbox

Open = Callable[..., Awaitable["Portal"]]


class Portal:
    """Plain HTTP to one sandbox, logged in."""

    def __init__(self, running: RunningSandbox, session: aiohttp.ClientSession) -> None:
        self.running = running
        self.session = session
        self.store = running.app[PORTAL].store
        self.headers: dict[str, str] = {}

    async def log_in(self, user_name: str = USERNAME) -> None:
        async with self.session.post("/api/2.0/authentication", json={"userName": user_name, "password": PASSWORD}) as reply:
            body = await reply.json()
            self.headers = {"Authorization": next(value for key, value in body["response"].items() if key.lower() == "token")}

    async def call(self, method: str, path: str, *, status: int = 200, **kwargs: Any) -> Any:
        async with self.session.request(method, f"/api/2.0/{path}", headers=self.headers, **kwargs) as reply:
            text = await reply.text()
            assert reply.status == status, text
            return json.loads(text)

    async def get(self, path: str, **params: Any) -> Any:
        return (await self.call("GET", path, params=params))["response"]
