"""The whole product on loopback: every vendor's sandbox, and the server that is configured for them, as the demo runs them."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from server.compose import create_server
from server.config import parse_config
from server.demo import RATES_FILE
from server.examples import TABS
from server.http import GraphServer, uvicorn_config
from vendors.registry import all_sandboxes, all_vendors
from vendors.sandbox import RunningSandbox, start


@dataclass(frozen=True, slots=True)
class Live:
    """A running server. `sandboxes` are by crm key."""

    origin: str
    sandboxes: Mapping[str, RunningSandbox]

    @property
    def url(self) -> str:
        return f"{self.origin}/graphql"


@asynccontextmanager
async def live(*, watch: Mapping[str, float] | None = None) -> AsyncGenerator[Live, None]:
    """Serve the graph of all vendors' sandboxes. Nobody watches them, or as these settings of a Crm say."""
    async with AsyncExitStack() as stack:
        sandboxes: dict[str, RunningSandbox] = {}
        for vendor in sorted(set(all_vendors()) & set(all_sandboxes())):
            sandbox = await start(all_sandboxes()[vendor])
            stack.push_async_callback(sandbox.stop)
            sandboxes[sandbox.kind.crm_key] = sandbox
        tables = {key: {"vendor": it.kind.vendor, "label": it.kind.label, **it.settings, **(watch or {})} for key, it in sandboxes.items()}
        server_table = {"store_dir": stack.enter_context(TemporaryDirectory())}
        money = {"currency": "EUR", "rates_file": str(RATES_FILE)}
        data = {"server": server_table, "money": money, "changes": {"enabled": watch is not None}, "crms": tables}
        app = create_server(parse_config(data, {}, folder=Path()), tabs=TABS)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            number = listener.getsockname()[1]
            running = GraphServer(uvicorn_config(app, host="127.0.0.1", port=number), app.state.on_stop)
            serving = asyncio.create_task(running.serve(sockets=[listener]))
            try:
                yield Live(f"http://127.0.0.1:{number}", sandboxes)
            finally:
                running.should_exit = True
                await serving
