"""A vendor that answers over HTTP as a test says, for habits that the sandbox does not have."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from vendors.registry import Link
from vendors.sandbox import web_socket
from vendors.sharpspring.client import Client
from vendors.sharpspring.settings import Settings

Answer = Callable[[dict[str, Any]], dict[str, Any] | web.Response]


@dataclass
class Scripted:
    """What was asked and waited for. Time stands still unless the test moves `now`."""

    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    sent_as: set[tuple[str, ...]] = field(default_factory=set[tuple[str, ...]])
    pauses: list[float] = field(default_factory=list[float])
    now: float = 0.0


@asynccontextmanager
async def scripted(answer: Answer, **settings: Any) -> AsyncGenerator[tuple[Scripted, Client], None]:
    """Serve answers, and connect a client. An answer without `id` gets that of its question; one without `error` is a success."""
    made = Scripted()

    async def handle(request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        made.asked.append(asked)
        credentials = (request.headers["X-Account-Id"], request.headers["Authorization"])
        made.sent_as.add((request.method, request.path_qs, request.content_type, *credentials))
        reply = answer(asked)
        return reply if isinstance(reply, web.Response) else web.json_response({"error": None, "id": asked["id"], **reply})

    async def sleep(seconds: float) -> None:
        made.pauses.append(seconds)

    app = web.Application()
    app.router.add_route("*", "/{anywhere:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    sock = web_socket("127.0.0.1", 0)
    await web.SockSite(runner, sock).start()
    async with aiohttp.ClientSession() as session:
        link = Link(crm="ss", session=session, clock=lambda: made.now, sleep=sleep, jitter=lambda: 0.25)
        base_url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        given = {"base_url": base_url, "account_id": "A", "secret_key": "S", **settings}
        try:
            yield made, Client(link, Settings.model_validate(given))
        finally:
            await runner.cleanup()
