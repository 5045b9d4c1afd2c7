"""A vendor that answers over HTTP as a test says, for habits that the sandbox does not have."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from vendors.apideck.client import Client
from vendors.apideck.settings import Settings
from vendors.registry import Link
from vendors.sandbox import web_socket

Json = dict[str, Any]
Answer = Callable[[str, dict[str, str]], Json | web.Response]


@dataclass
class Scripted:
    """What was asked, as raw path and query, waited for, and learned. Time stands still unless the test moves `now`."""

    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])
    pauses: list[float] = field(default_factory=list[float])
    lessons: list[str] = field(default_factory=list[str])
    now: float = 0.0

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def queries(self) -> list[dict[str, str]]:
        return [query for _, query in self.asked]


@asynccontextmanager
async def scripted(answer: Answer, **settings: Any) -> AsyncGenerator[tuple[Scripted, Client], None]:
    """Serve answers to a raw path behind `/crm/` and a query, and connect a client."""
    made = Scripted()

    async def handle(request: web.Request) -> web.Response:
        path, query = request.rel_url.raw_path.removeprefix("/crm/"), dict(request.query)
        made.asked.append((path, query))
        reply = answer(path, query)
        return reply if isinstance(reply, web.Response) else web.json_response({"status_code": 200, "service": "hubspot", **reply})

    async def sleep(seconds: float) -> None:
        made.pauses.append(seconds)

    app = web.Application()
    app.router.add_route("*", "/{anywhere:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    sock = web_socket("127.0.0.1", 0)
    await web.SockSite(runner, sock).start()
    async with aiohttp.ClientSession() as session:
        link = Link(crm="am", session=session, clock=lambda: made.now, sleep=sleep, jitter=lambda: 0.25, lessons=made.lessons)
        base_url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        given = {"base_url": base_url, "api_key": "K", "app_id": "A", "consumer_id": "C", "service_id": "pipedrive", **settings}
        try:
            yield made, Client(link, Settings.model_validate(given))
        finally:
            await runner.cleanup()


def rows(data: Sequence[Json], following: str | None = None, **meta: Any) -> Json:
    """The body of a list."""
    return {"data": data, "meta": {"cursors": {"next": following}, **meta}}


def refusal(status: int, type_name: object, **body: Any) -> web.Response:
    """An error's body. The status that it repeats is not the line's, as in the vendor's examples."""
    return web.json_response({"status_code": 400, "type_name": type_name, "message": "vendor's words", **body}, status=status)


def numbered(ids: Sequence[str], query: dict[str, str], **about: Any) -> Json:
    """A page of a connector whose cursors are page numbers: with another limit they mean other rows."""
    limit, page = int(query.get("limit", "20")), int(query.get("cursor", "page-0").removeprefix("page-"))
    mine = ids[page * limit : (page + 1) * limit]
    following = f"page-{page + 1}" if (page + 1) * limit < len(ids) else None
    return rows([{"id": row_id, "title": row_id, **about} for row_id in mine], following)
