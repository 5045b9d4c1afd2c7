"""Several processes of one server: they answer together, write nothing, and end together."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.config import load_config
from tests.resolvers.graph import until
from tests.server.command_line import crmgraph, lines_until, running
from vendors.errors import ConfigError
from vendors.limiting import IndivisibleError, Limits

# Nobody listens at that Crm's address; nobody is asked.
CRM = """
[crms.dach]
vendor = "pipeliner"
service_url = "http://127.0.0.1:9"
space_id = "space"
username = "u"
password = "p"
"""
TOGETHER = f"[server]\nworkers = 2\n[changes]\nenabled = false\n{CRM}"


@dataclass(frozen=True)
class Server:
    """The processes of a server: the one that was started, and those that answer."""

    process: "subprocess.Popen[str]"
    workers: list[int]
    url: str
    http: aiohttp.ClientSession

    async def ask(self, query: str) -> Any:
        """Ask over a connection of its own, which any of the processes may take."""
        async with self.http.post(self.url, json={"query": query}) as answer:
            return await answer.json()

    async def until_all_have_ended(self) -> int:
        status = await asyncio.to_thread(self.process.wait, 30)
        await until(lambda: not any(map(is_running, self.workers)))
        return status


@asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[Server, None]:
    (folder / "crms.toml").write_text(TOGETHER)
    with running("serve", "--port", "0", folder=folder) as process:
        lines = await asyncio.to_thread(lines_until, process, "processes answer")
        for _ in range(2):
            lines += await asyncio.to_thread(lines_until, process, "Application startup complete")
        told = "\n".join(lines)
        url = re.search(r"http://127\.0\.0\.1:\d+/graphql", told)
        workers = re.search(r"2 processes answer: (\d+), (\d+)", told)
        assert url is not None
        assert workers is not None
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
            yield Server(process, [int(workers[1]), int(workers[2])], url[0], session)


def is_running(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def test_they_answer_and_end_by_a_signal(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        answers = await asyncio.gather(*(server.ask("{ crms { key } }") for _ in range(40)))
        server.process.send_signal(signal.SIGTERM)

        assert await server.until_all_have_ended() == 0

    assert answers == [{"data": {"crms": [{"key": "dach"}]}}] * 40


async def test_they_write_nothing(tmp_path: Path) -> None:
    mutation = 'mutation { createAccount(input: {crm: "dach", name: "Acme"}) { userErrors { message } } }'
    async with serving(tmp_path) as server:
        answers = [await server.ask(mutation) for _ in range(2)]  # of a document that is known, too

    for answer in answers:
        (error,) = answer["errors"]
        assert "does not write" in error["message"]
        assert error["extensions"] == {"code": "FORBIDDEN"}


async def test_one_that_ends_by_itself_ends_all_of_them(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        os.kill(server.workers[0], signal.SIGKILL)

        assert await server.until_all_have_ended() == 1


async def test_none_is_left_when_the_process_that_started_them_is_killed(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.process.kill()

        assert await server.until_all_have_ended() == -signal.SIGKILL


async def test_their_store_is_theirs_alone(tmp_path: Path) -> None:
    async with serving(tmp_path):
        second = await asyncio.to_thread(crmgraph, "serve", "--port", "0", folder=tmp_path)

    assert second.returncode == 2
    assert "is in use by another server" in second.stderr


def test_several_processes_watch_nothing(tmp_path: Path) -> None:
    (tmp_path / "crms.toml").write_text(f"[server]\nworkers = 2\n{CRM}")

    with pytest.raises(ConfigError, match=r"server\.workers: .* set changes\.enabled = false"):
        load_config(tmp_path / "crms.toml", {})


def test_more_processes_than_a_crm_lets_calls_run_at_once_do_not_start(tmp_path: Path) -> None:
    (tmp_path / "crms.toml").write_text(TOGETHER.replace("workers = 2", "workers = 7"))

    served = crmgraph("serve", "--port", "0", folder=tmp_path)

    assert served.returncode == 2
    assert "server.workers: 7 are too many for the CRM 'dach': it lets 6 calls run at once" in served.stderr


def test_what_processes_may_ask_is_together_what_one_may() -> None:
    limits = Limits(max_concurrent=10, max_concurrent_per_entity=3, calls_per_second=5.0, burst=100)

    assert limits.shared_by(1) is limits
    assert limits.shared_by(3) == Limits(max_concurrent=3, max_concurrent_per_entity=1, calls_per_second=5 / 3, burst=33)
    assert Limits(max_concurrent=1).shared_by(3) == Limits(max_concurrent=1)
    with pytest.raises(IndivisibleError, match="3 calls"):
        limits.shared_by(4)
