"""`crmgraph demo`: every vendor's sandbox as a process of its own, and the graph over all of them, on this machine.

Deals are moved in the sandboxes, as people would; vendors that can push tell of it by webhooks, the others are asked every few seconds.

The sandboxes end with the demo, however it ends: each reads a pipe that only the demo holds. One that is stopped by hand stays stopped,
and can be started again by hand on the same port.
"""

import asyncio
import os
import random
import re
import shlex
import sys
import time
from argparse import Namespace
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from typing import Final

import uvicorn

from server.changes import webhooks
from server.commands.ending import ended_tidily_by_sigterm
from server.commands.sandbox import LAST_PORT
from server.commands.terminal import table
from server.compose import create_server
from server.config import Config, parse_config
from server.crms import connect_crms, open_session
from server.examples import BOARD_QUERY, TABS
from server.http import GraphServer, StopHook, listen, request_id, uvicorn_config
from server.observe import configure_logging
from vendors.changes import RegistersWebhooks
from vendors.errors import ConfigError
from vendors.registry import all_sandboxes, all_vendors
from vendors.sandbox import SandboxKind, web_socket

_HOST: Final = "127.0.0.1"
_ROOT: Final = Path(__file__).parents[1]
RATES_FILE: Final = Path(__file__).with_name("demo_rates.xml")
# The sandboxes are asked far more often than a vendor would like, so that what is moved in them shows within a second or two.
_WATCHING: Final = {"poll_seconds": 1.0, "sweep_seconds": 3.0, "watch_calls_per_hour": 100_000.0}
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 5.0
_ADDRESS: Final = re.compile(rb"listens at (http://\S+?:(\d+)),")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxProcess:
    """A sandbox that runs. `restart` is the command that starts it again on its port."""

    kind: SandboxKind
    process: Process
    base_url: str
    port: int
    restart: str


def run(arguments: Namespace) -> int:
    """Serve the demo until interrupted."""
    configure_logging(level="warning", request_id=request_id)
    with listen(_HOST, arguments.port, port_name="--port") as listener, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        _refuse_taken(arguments.sandbox_port_base, len(_kinds()))
        runner.run(_serve(listener, arguments.sandbox_port_base, arguments.scale, arguments.pace))
    return 0


def configuration(sandboxes: Sequence[SandboxProcess], *, port: int, store: Path) -> Config:
    """The configuration of the demo: a Crm per sandbox, invented exchange rates, and a store that ends with the sandboxes' data."""
    crms = {
        sandbox.kind.crm_key: {
            "vendor": sandbox.kind.vendor,
            "label": sandbox.kind.label,
            **sandbox.kind.settings(sandbox.base_url, sandbox.kind.complete_options()),
            **_WATCHING,
        }
        for sandbox in sandboxes
    }
    money = {"currency": "EUR", "rates_file": str(RATES_FILE)}
    return parse_config({"server": {"port": port, "store_dir": str(store)}, "money": money, "crms": crms}, {}, folder=_ROOT)


def _refuse_taken(port_base: int, count: int) -> None:
    """Tell all ports of sandboxes that cannot be had at once, before each sandbox would tell its own."""
    if not port_base:
        return
    if port_base + count - 1 > LAST_PORT:
        raise ConfigError(f"the ports end at {LAST_PORT}; choose a lower --sandbox-port-base")
    taken: dict[int, OSError] = {}
    for port in range(port_base, port_base + count):
        try:
            web_socket(_HOST, port).close()
        except OSError as error:
            taken[port] = error
    if taken:
        why = next(iter(taken.values())).strerror
        raise ConfigError(
            f"the sandboxes cannot listen at {_HOST}:{', '.join(map(str, taken))} ({why});"
            " --sandbox-port-base chooses other ports, and with 0 free ones"
        )


async def _serve(listener: socket, port_base: int, scale: int | None, pace: float) -> None:
    print("Starting the sandboxes ...", flush=True)
    with ended_tidily_by_sigterm(), TemporaryDirectory(prefix="crmgraph-demo-") as store:
        async with _sandboxes(port_base, scale, pace) as sandboxes:
            await _serve_graph(listener, sandboxes, Path(store))


async def _serve_graph(listener: socket, sandboxes: Sequence[SandboxProcess], store: Path) -> None:
    port = listener.getsockname()[1]
    config = configuration(sandboxes, port=port, store=store)
    app = create_server(config, tabs=TABS)

    async def started() -> None:
        await _register_webhooks(config, port)
        print(_welcome(sandboxes, port), flush=True)

    server = _Server(uvicorn_config(app, host=_HOST, port=port), app.state.on_stop, started)
    with suppress(asyncio.CancelledError):
        await server.serve(sockets=[listener])
        await asyncio.sleep(0)  # uvicorn repeats the interrupt that ended it; taken here, it does not disturb the stopping of the sandboxes


async def _register_webhooks(config: Config, port: int) -> None:
    """Let the vendors that can push do so."""
    async with open_session() as session:
        crms = connect_crms(config, session, clock=time.monotonic, sleep=asyncio.sleep, jitter=random.random)
        for key, crm in crms.items():
            if isinstance(crm.client, RegistersWebhooks):
                await crm.client.register_webhook(f"http://{_HOST}:{port}{webhooks.PATH}/{key}")


@asynccontextmanager
async def _sandboxes(port_base: int, scale: int | None, pace: float) -> AsyncGenerator[list[SandboxProcess], None]:
    """Run every sandbox whose vendor has an adapter."""
    started: list[SandboxProcess] = []
    watchers: list[asyncio.Task[None]] = []
    options = [*([] if scale is None else ["--scale", str(scale)]), "--pace", f"{pace:g}"]
    starting = [
        asyncio.ensure_future(_start(kind, port_base and port_base + index, options, started)) for index, kind in enumerate(_kinds())
    ]
    try:
        await asyncio.gather(*starting)
        started.sort(key=lambda sandbox: sandbox.kind.vendor)
        watchers += [asyncio.ensure_future(_watch(sandbox)) for sandbox in started]
        yield started
    finally:
        for task in (*starting, *watchers):
            task.cancel()
        await asyncio.gather(*starting, *watchers, return_exceptions=True)
        await asyncio.gather(*(_stop(sandbox.process) for sandbox in started))


def _kinds() -> list[SandboxKind]:
    return [kind for vendor, kind in all_sandboxes().items() if vendor in all_vendors()]


async def _start(kind: SandboxKind, port: int, options: Sequence[str], started: list[SandboxProcess]) -> None:
    command = [sys.executable, "-m", "server.cli", "sandbox", kind.vendor, *options]
    process = await asyncio.create_subprocess_exec(
        *command, "--port", str(port), "--end-with-input", stdin=PIPE, stdout=PIPE, cwd=_ROOT, start_new_session=True
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
    except TimeoutError:
        await _stop(process)
        raise ConfigError(
            f"the sandbox of {kind.vendor} did not start within {_START_SECONDS:.0f} seconds; try a smaller --scale"
        ) from None
    except asyncio.CancelledError:
        await _stop(process)
        raise
    address = _ADDRESS.search(line)
    if address is None:  # it has told why, on the standard error that is ours too
        await _stop(process)
        raise ConfigError(f"the sandbox of {kind.vendor} did not start; --sandbox-port-base chooses other ports")
    chosen = int(address[2])
    restart = shlex.join([*command, "--port", str(chosen)])
    started.append(SandboxProcess(kind=kind, process=process, base_url=address[1].decode(), port=chosen, restart=restart))


async def _watch(sandbox: SandboxProcess) -> None:
    """Tell once that a sandbox was stopped by hand."""
    await sandbox.process.wait()
    print(
        f"The sandbox of {sandbox.kind.vendor} (crm {sandbox.kind.crm_key}) has stopped. Start it again with:\n  {sandbox.restart}",
        flush=True,
    )


async def _stop(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class _Server(GraphServer):
    """Tells when it serves."""

    def __init__(self, config: uvicorn.Config, on_stop: Sequence[StopHook], started: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config, on_stop, tunes_gc=True)
        self._tell = started

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            await self._tell()


def _welcome(sandboxes: Sequence[SandboxProcess], port: int) -> str:
    rows = [["crm", "vendor", "port", "pid", "stop it with"]]
    rows += [
        [sandbox.kind.crm_key, sandbox.kind.vendor, str(sandbox.port), str(sandbox.process.pid), f"kill {sandbox.process.pid}"]
        for sandbox in sandboxes
    ]
    restarts = "\n".join(f"  {sandbox.restart}" for sandbox in sandboxes)
    return (
        f"\n{table(rows)}\n\nStart one again in {_ROOT} with\n{restarts}\n\n"
        f"GraphiQL: http://{_HOST}:{port}/graphql\n\nA query to paste:\n\n{BOARD_QUERY}\nCtrl-C ends everything."
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if os.name != "posix":
        return None
    import uvloop  # noqa: PLC0415  # exists on POSIX only

    return uvloop.new_event_loop
