"""The ground of all measurements: the sandboxes, and servers over them that are told of changes or ask for them."""

import asyncio
import os
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from bench.changes.quiet import quiet
from bench.deals import Deals
from bench.followers import OPERATIONS, PATIENCE_SECONDS, clock
from bench.measure import HEADERS
from bench.processes import BenchError, Cpus, Running, Sandboxes, running, write_config
from server import crms
from server.changes import webhooks
from server.config import load_config
from vendors.changes import RegistersWebhooks

PUSHING: Final = ("apideck", "pipeliner")
ASKED: Final = ("autotask", "onlyoffice", "sharpspring")
SWEPT: Final = ("onlyoffice",)
EVERY_SECONDS: Final = 1.0
_NEVER_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The sandboxes, and how to start servers over them, one after the other, with one store."""

    folder: Path
    cpus: Cpus
    sandboxes: Sandboxes
    deals: Mapping[str, Deals]
    session: aiohttp.ClientSession

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @asynccontextmanager
    async def server(self, *arguments: str, asking: bool, changes: Mapping[str, float] | None = None) -> AsyncGenerator[Running, None]:
        """A server that has read all opportunities and is told of what happens to them; `asking` lets it ask every second besides."""
        seldom = {"poll_seconds": _NEVER_SECONDS, "sweep_seconds": _NEVER_SECONDS, "watch_calls_per_hour": 1e9}
        often = {vendor: {"sweep_seconds" if vendor in SWEPT else "poll_seconds": EVERY_SECONDS} for vendor in ASKED}
        config = write_config(
            self.folder,
            crm=seldom,
            vendors=often if asking else {},
            changes=changes or {},
            more=f'[server]\nstore_dir = "{self.store}"\n',
        )
        begun = datetime.now(UTC)
        async with running("ours", "bench.serve", "ours", "--config", str(config), *arguments, cpus=self.cpus.server) as found:
            await self._swept(found, begun)
            if not asking:
                await quiet(found)
            async with _registered(config, found):
                yield found

    async def ask(self, server: Running, operation: str, **variables: object) -> Any:
        """The value of an operation's only field.

        Raises:
            BenchError: The answer has errors.
        """
        body = orjson.dumps({"query": OPERATIONS[operation], "variables": variables})
        async with self.session.post(f"{server.url}/graphql", data=body, headers=HEADERS) as response:
            answer = orjson.loads(await response.read())
        if answer.get("errors") or answer.get("data") is None:
            raise BenchError(f"{operation} was answered with {orjson.dumps(answer).decode():.1000}")
        (value,) = answer["data"].values()
        return value

    async def head(self, server: Running) -> str:
        """The cursor behind the newest event."""
        return str((await self.ask(server, "Head"))["pageInfo"]["endCursor"])

    async def calls(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        return await self.sandboxes.calls()

    async def _swept(self, server: Running, begun: datetime) -> None:
        """Wait until all Crms have been read since then."""
        deadline = clock() + PATIENCE_SECONDS
        while clock() < deadline:
            states = [crm["changes"] for crm in await self._watched(server)]
            if all(_is_later(state["polledAt"], begun) or _is_later(state["sweptAt"], begun) for state in states):
                return
            await asyncio.sleep(0.1)
        raise BenchError("the Crms were not read in time")

    async def _watched(self, server: Running) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = await self.ask(server, "Watched")
        return found


def _is_later(moment: str | None, than: datetime) -> bool:
    return moment is not None and datetime.fromisoformat(moment) > than


@asynccontextmanager
async def _registered(config: Path, server: Running) -> AsyncGenerator[None, None]:
    """Let the vendors that can push do so, to this server, within the scope."""
    async with crms.open_session() as session:
        connected = crms.connect_crms(
            load_config(config, os.environ), session, clock=time.monotonic, sleep=asyncio.sleep, jitter=random.random
        )
        registered = [
            (crm.client, await crm.client.register_webhook(f"{server.url}{webhooks.PATH}/{key}"))
            for key, crm in connected.items()
            if isinstance(crm.client, RegistersWebhooks)
        ]
        yield
        for client, webhook in registered:
            await client.remove_webhook(webhook.local_id)
