"""The server that the clients are tried on: the product, over a CRM that outlives it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from starlette.applications import Starlette

from server.compose import create_server
from server.config import parse_config
from server.http import GraphServer, listen, uvicorn_config
from tests.ports import held_port
from vendors.registry import all_sandboxes
from vendors.sandbox import RunningSandbox, start
from vendors.sandbox_board import LIFE

_WATCHED = {"poll_seconds": 0.2, "sweep_seconds": 1.0, "watch_calls_per_hour": 1_000_000.0}
_LOG = "{ stageChanges(first: 100) { nodes { eventId } } }"
_IS_READ = "{ crms { changes { completeSince } } }"


class Subject:
    """A server of the graph of one CRM, whose deals a test moves.

    Args:
        sandbox: The CRM.
        store: What the server keeps, also while it is stopped.
        port: Where it listens, on loopback.
    """

    def __init__(self, sandbox: RunningSandbox, store: Path, port: int) -> None:
        self._sandbox = sandbox
        self._store = store
        self._port = port
        self._moves = 0
        self._app = Starlette()
        self._server: GraphServer | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/graphql"

    def move(self, deal: str | None = None) -> None:
        """Let that deal be moved in the CRM, or each time another one, whether the server runs or not."""
        board = self._sandbox.app[LIFE].board
        if deal is None:
            deal = board.deals()[self._moves]
            self._moves += 1
        board.move(deal, Random(1))  # noqa: S311  # repeatable, not secret

    def lose_log(self) -> None:
        """Lose what has happened, while the server is stopped, and keep the key of its cursors."""
        for file in self._store.glob("changes.sqlite3*"):
            file.unlink()

    async def until_followed(self) -> None:
        """Return when a client follows, so that it receives live what happens from now on."""
        async with asyncio.timeout(60):
            while not self._app.state.watching()[0].broker.subscribers:  # noqa: ASYNC110  # nobody announces it
                await asyncio.sleep(0.01)

    async def log(self) -> Sequence[str]:
        """The ids of all events that there have been, in order."""
        return [node["eventId"] for node in (await self.ask(_LOG))["stageChanges"]["nodes"]]

    async def ask(self, query: str) -> dict[str, Any]:
        """The data of an answer without errors."""
        async with aiohttp.ClientSession() as session, session.post(self.url, json={"query": query}) as answer:
            body = await answer.json()
            assert "errors" not in body, body
            return dict(body["data"])

    async def start(self) -> None:
        """Start the server, always at the same address, with what it has kept."""
        crm = {"vendor": "autotask", **self._sandbox.settings, **_WATCHED}
        data = {"server": {"store_dir": str(self._store)}, "crms": {"service": crm}}
        self._app = create_server(parse_config(data, {}, folder=self._store))
        listener = listen("127.0.0.1", self._port)
        self._server = GraphServer(uvicorn_config(self._app, port=self._port), self._app.state.on_stop)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        async with asyncio.timeout(60):
            while (await self.ask(_IS_READ))["crms"][0]["changes"]["completeSince"] is None:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Stop the server as its operator would."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._server = None


@asynccontextmanager
async def subject() -> AsyncGenerator[Subject]:
    """A running server, for one test."""
    sandbox = await start(all_sandboxes()["autotask"])
    with TemporaryDirectory() as store, held_port() as port:
        made = Subject(sandbox, Path(store), port)
        await made.start()
        try:
            yield made
        finally:
            await made.stop()
            await sandbox.stop()
