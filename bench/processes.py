"""The processes of a benchmark: each is pinned to a CPU, ends with its standard input, and is killed if it does not. Linux only."""

import asyncio
import os
import re
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Coroutine, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp

from vendors.registry import all_vendors

T = TypeVar("T")

ROOT: Final = Path(__file__).parents[1]
# Sandboxes that refuse calls beyond a rate: how each is told not to.
_UNLIMITED_OPTIONS: Final[Mapping[str, Sequence[str]]] = {"sharpspring": ["rate_limit=off"]}
_UNLIMITED_ROUTES: Final[Mapping[str, tuple[str, object]]] = {"autotask": ("/_sandbox/threshold", {"threshold": 1_000_000_000})}
_KEPT_FOREVER_SECONDS: Final = 86_400.0
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_ADDRESS: Final = re.compile(rb"listens at (http://\S+?),")


class BenchError(Exception):
    """The benchmark cannot go on."""


@dataclass(frozen=True, slots=True)
class Cpus:
    """Where processes run: the server under test on one CPU, everything else on the others. The same where there is only one."""

    server: frozenset[int]
    others: frozenset[int]

    @property
    def are_apart(self) -> bool:
        return self.server != self.others


@dataclass(frozen=True, slots=True)
class Running:
    """A process that listens."""

    name: str
    process: Process
    url: str

    def cpu_seconds(self) -> float:
        """User and system time that it has used up so far: what /proc/<pid>/stat tells, but finer than its ticks of 10 ms."""
        # The id that clock_getcpuclockid(3) gives for a process; see also linux/posix-timers.h, CPUCLOCK_SCHED.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    async def allocated_bytes(self) -> int:
        """What its Python objects take, once garbage is collected; it runs with PYTHONTRACEMALLOC."""
        assert self.process.stdin is not None, "it is a pipe"
        assert self.process.stdout is not None, "it is a pipe"
        self.process.stdin.write(b"?\n")
        return int(await self.process.stdout.readline())

    def resident_bytes(self, *, peak: bool = False) -> int:
        """Memory that it has in use; with `peak`, the most that it has had."""
        name = "VmHWM" if peak else "VmRSS"
        lines = Path(f"/proc/{self.process.pid}/status").read_text("ascii", "replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1_024

    def forget_peak(self) -> None:
        """Let the peak of its memory be the most from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", "ascii")  # see proc(5)


@contextmanager
def pinned() -> Generator[Cpus, None, None]:
    """Keep this process, which makes the load, off the CPU of the server under test; as before afterwards."""
    before = os.sched_getaffinity(0)
    first = frozenset([min(before)])
    cpus = Cpus(server=first, others=frozenset(before - first) or first)
    os.sched_setaffinity(0, cpus.others)
    try:
        yield cpus
    finally:
        os.sched_setaffinity(0, before)


@asynccontextmanager
async def running(name: str, *command: str, cpus: frozenset[int], env: Mapping[str, str] | None = None) -> AsyncGenerator[Running, None]:
    """Run a Python module until the scope ends; it is ready when the scope begins. `env` is added to the environment."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *command,
        stdin=PIPE,
        stdout=PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        start_new_session=True,  # an interrupt from the keyboard is for the benchmark, which then ends them
    )
    try:
        os.sched_setaffinity(process.pid, cpus)
        assert process.stdout is not None, "it is a pipe"
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        except TimeoutError:
            line = b""
        address = _ADDRESS.search(line)
        if address is None:
            raise BenchError(f"{name} did not start")
        yield Running(name, process, address[1].decode())
    finally:
        await _stop(process)


@asynccontextmanager
async def sandbox(vendor: str, folder: Path, cpus: frozenset[int], *, scale: int | None = None) -> AsyncGenerator[Running, None]:
    """Run a vendor's sandbox, which writes the configuration of its Crm into the folder; `scale` is its number of opportunities."""
    options = [argument for option in _UNLIMITED_OPTIONS.get(vendor, ()) for argument in ("--option", option)]
    if scale is not None:
        options += ["--scale", str(scale)]
    file = folder / f"{vendor}.toml"
    async with running(
        vendor, "server.cli", "sandbox", vendor, "--write-config", str(file), "--end-with-input", *options, cpus=cpus
    ) as found:
        if vendor in _UNLIMITED_ROUTES:
            path, body = _UNLIMITED_ROUTES[vendor]
            async with aiohttp.ClientSession() as session, session.put(found.url + path, json=body, raise_for_status=True):
                pass
        yield found


def write_config(
    folder: Path,
    *,
    crm: Mapping[str, float] | None = None,
    vendors: Mapping[str, Mapping[str, float]] | None = None,
    changes: Mapping[str, float] | None = None,
    more: str = "",
) -> Path:
    """Put the sandboxes' configurations together. Small tables are kept for good, so that no round reads them again.

    Args:
        folder: Where the sandboxes wrote them.
        crm: Further settings of every Crm.
        vendors: Further settings of the Crm of a vendor.
        changes: Settings of the log of changes; None when nobody watches, so that no call is made but for queries.
        more: Further tables.
    """
    tables: list[str] = []
    for vendor in all_vendors():
        settings = {"table_ttl_seconds": _KEPT_FOREVER_SECONDS, **(crm or {}), **(vendors or {}).get(vendor, {})}
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        tables.append((folder / f"{vendor}.toml").read_text("utf-8") + lines)
    log = {"enabled": "false"} if changes is None else {name: f"{value}" for name, value in changes.items()}
    watching = "\n".join(["[changes]", *(f"{name} = {value}" for name, value in log.items()), ""])
    file = folder / "crms.toml"
    file.write_text("\n".join([*tables, watching, more]), "utf-8")
    return file


class Sandboxes:
    """The test side of the running sandboxes, by the key of their vendor."""

    def __init__(self, running: Sequence[Running], session: aiohttp.ClientSession) -> None:
        self._urls = {sandbox.name: sandbox.url for sandbox in running}
        self._session = session

    async def set_latency(self, milliseconds: float) -> None:
        """Let every answer take that much longer."""
        for url in self._urls.values():
            async with self._session.put(f"{url}/_sandbox/latency", json=milliseconds / 1_000, raise_for_status=True):
                pass

    async def forget_calls(self) -> None:
        for url in self._urls.values():
            async with self._session.delete(f"{url}/_sandbox/calls", raise_for_status=True):
                pass

    async def calls(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """The calls since they were forgotten."""
        found: dict[str, Sequence[Mapping[str, Any]]] = {}
        for vendor, url in self._urls.items():
            async with self._session.get(f"{url}/_sandbox/calls", raise_for_status=True) as response:
                found[vendor] = await response.json()
        return found


async def together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """Do all of it at once; the first failure ends the rest."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def _stop(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except (TimeoutError, asyncio.CancelledError):
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
