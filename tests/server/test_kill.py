"""A server that is killed while it writes, and started again on the same store: no key ever sends a second create."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.commands.toml import toml_lines
from tests.contract.conftest import VENDORS
from tests.resolvers.graph import until
from tests.resolvers.writing_desk import CREATE_OPERATIONS, Desk, Json, asks, desk, errors
from tests.server.command_line import lines_until, running
from vendors.sandbox import Fault

UNKNOWN = [(["idempotencyKey"], "OUTCOME_UNKNOWN")]


@dataclass(frozen=True)
class Server:
    """A server process that can be killed."""

    url: str
    session: aiohttp.ClientSession
    pid_kill: Any

    async def ask(self, at: Desk, values: Json, key: str, **resolution: Any) -> Json:
        """Ask for an opportunity to be created, under a key that is the Crm's own; its payload."""
        variables = {"input": values, "key": f"{at.key}-{key}", "dry": False, "resolution": resolution or None}
        async with self.session.post(self.url, json={"query": asks("createOpportunity"), "variables": variables}) as answer:
            body = await answer.json()
        assert "errors" not in body, body
        return dict(body["data"]["made"])

    async def kill(self) -> None:
        await asyncio.to_thread(self.pid_kill)


@asynccontextmanager
async def server(folder: Path) -> AsyncGenerator[Server, None]:
    """Run the command that people run, on the configuration and the store in a folder."""
    with running("serve", "--port", "0", folder=folder) as process:

        def kill() -> None:
            process.kill()
            process.wait(timeout=60)

        lines = await asyncio.to_thread(lines_until, process, "Application startup complete")
        found = re.search(r"http://127\.0\.0\.1:\d+/graphql", "\n".join(lines))
        assert found is not None
        async with aiohttp.ClientSession() as session:
            yield Server(found[0], session, kill)


@pytest.fixture
async def desks(tmp_path: Path) -> AsyncGenerator[Sequence[Desk], None]:
    """A sandbox of every vendor, and a configuration for them in the folder."""
    async with AsyncExitStack() as stack:
        found = [await stack.enter_async_context(desk(vendor)) for vendor in VENDORS]
        # Nobody watches: only the calls of writes are counted.
        tables = [["[changes]", "enabled = false"]]
        tables += [[f"[crms.{at.key}]", f'vendor = "{at.vendor}"', *toml_lines(at.ground.sandbox.settings)] for at in found]
        (tmp_path / "crms.toml").write_text("\n".join(line for table in tables for line in table), encoding="utf-8")
        yield found


async def killed_while_writing(folder: Path, desks: Sequence[Desk], faults: Mapping[str, Fault], inputs: Mapping[str, Json]) -> None:
    """Kill a server that has asked every vendor for something that none answers."""
    async with server(folder) as first:
        for at in desks:
            at.calls().clear()
            at.ground.control.faults[:] = [faults[at.vendor]]
        asked = [asyncio.ensure_future(first.ask(at, inputs[at.key], "open")) for at in desks]
        await until(lambda: all(any(faults[at.vendor].match in call.operation for call in at.calls()) for at in desks))
        await first.kill()
        assert all(isinstance(each, aiohttp.ClientError) for each in await asyncio.gather(*asked, return_exceptions=True))
    for at in desks:
        at.ground.control.faults.clear()


async def test_what_is_done_is_replayed_after_a_kill(tmp_path: Path, desks: Sequence[Desk]) -> None:
    inputs = {at.key: await at.new(title="Quay lights") for at in desks}
    async with server(tmp_path) as first:
        made = [await first.ask(at, inputs[at.key], "done") for at in desks]
        await first.kill()

    async with server(tmp_path) as second:
        again = [await second.ask(at, inputs[at.key], "done") for at in desks]

    assert {each["outcome"] for each in made} == {"DONE"}
    assert {each["outcome"] for each in again} == {"REPLAYED"}
    assert [each["opportunity"] for each in again] == [each["opportunity"] for each in made]
    assert [at.creates() for at in desks] == [1] * len(desks)


async def test_a_server_killed_after_the_vendors_handled_the_creates_finds_and_adopts_them(tmp_path: Path, desks: Sequence[Desk]) -> None:
    inputs = {at.key: await at.new(title="Quay lights") for at in desks}
    faults = {vendor: Fault(kind="hang_after", match=operation) for vendor, operation in CREATE_OPERATIONS.items()}
    await killed_while_writing(tmp_path, desks, faults, inputs)

    async with server(tmp_path) as second:
        for at in desks:
            unknown = await second.ask(at, inputs[at.key], "open")
            assert (unknown["outcome"], errors(unknown)) == ("UNKNOWN", UNKNOWN), at.key
            (candidate,) = unknown["candidates"]
            adopted = await second.ask(at, inputs[at.key], "open", adopt=candidate["id"])
            replayed = await second.ask(at, inputs[at.key], "open")
            assert [each["outcome"] for each in (adopted, replayed)] == ["ADOPTED", "REPLAYED"]
            assert adopted["opportunity"]["title"] == replayed["opportunity"]["title"] == "Quay lights"

    assert [at.creates() for at in desks] == [1] * len(desks)


@pytest.mark.parametrize("point", ["while the vendors have the creates", "before the creates are sent"])
async def test_a_server_killed_before_the_vendors_handled_the_creates_never_sends_them_again_by_itself(
    tmp_path: Path, desks: Sequence[Desk], point: str
) -> None:
    inputs = {at.key: await at.new(title="Quay lights") for at in desks}
    is_sent = point.startswith("while")
    faults = {vendor: Fault(kind="hang", match=operation if is_sent else "") for vendor, operation in CREATE_OPERATIONS.items()}
    await killed_while_writing(tmp_path, desks, faults, inputs)
    sent = [at.creates() for at in desks]

    async with server(tmp_path) as second:
        for at in desks:
            unknown = await second.ask(at, inputs[at.key], "open")
            assert (unknown["outcome"], errors(unknown), unknown["candidates"]) == ("UNKNOWN", UNKNOWN, []), at.key
        assert [at.creates() for at in desks] == sent == [int(is_sent)] * len(desks)
        for at in desks:
            made = await second.ask(at, inputs[at.key], "open", retry=True)
            again = await second.ask(at, inputs[at.key], "open", retry=True)
            assert [each["outcome"] for each in (made, again)] == ["DONE", "REPLAYED"]

    assert [at.creates() for at in desks] == [count + 1 for count in sent]
