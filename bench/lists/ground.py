"""The sandboxes of one size, and servers over them."""

import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from bench.lists.budgets import DEADLINE_SECONDS, budgets
from bench.lists.client import Client
from bench.processes import Cpus, Sandboxes, pinned, running, sandbox, together, write_config
from server.demo import RATES_FILE
from vendors.registry import all_vendors

_MONEY: Final = f'[money]\ncurrency = "EUR"\nrates_file = "{RATES_FILE}"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The sandboxes of one size, and how to start servers over them."""

    size: int
    config: Path
    cpus: Cpus
    sandboxes: Sandboxes
    session: aiohttp.ClientSession

    @asynccontextmanager
    async def server(self, *arguments: str, env: Mapping[str, str] | None = None) -> AsyncGenerator[Client, None]:
        """A server that has answered nothing yet."""
        command = ("bench.serve", "ours", "--config", str(self.config), *arguments)
        async with running("ours", *command, cpus=self.cpus.server, env=env) as target:
            yield Client(self.size, target, self.sandboxes, self.session)


@asynccontextmanager
async def prepared(size: int) -> AsyncGenerator[Ground, None]:
    async with AsyncExitStack() as stack:
        cpus = stack.enter_context(pinned())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crmgraph-bench-")))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        starting = (stack.enter_async_context(sandbox(vendor, folder, cpus.others, scale=size)) for vendor in all_vendors())
        sandboxes = Sandboxes(await together(*starting), session)
        config = write_config(folder, crm=budgets(size), more=f"[server]\ndeadline_seconds = {DEADLINE_SECONDS}\n\n{_MONEY}")
        yield Ground(size=size, config=config, cpus=cpus, sandboxes=sandboxes, session=session)
