"""What the README's scripts that follow do when the server is away for a while, and when it refuses their cursor."""

import asyncio
import json
import re
from asyncio import StreamReader
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.clients.subject import Subject, subject
from tests.readme.test_readme_changes import FOLLOWING, SCRIPTS, SECONDS

MOVES: Final = """{ stageChanges(first: 100) {
  nodes { opportunity { title } fromStage { name } toStage { name } }
  pageInfo { endCursor }
} }"""
ITS_STAGE_IS_GONE: Final = "29701433"
REFUSAL: Final = "is no cursor of this stream"
EXPIRY: Final = "not kept any more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A script that runs."""

    output: StreamReader
    complaints: StreamReader

    async def move(self) -> Any:
        """The next move that it tells."""
        async with asyncio.timeout(SECONDS):
            line = await self.output.readline()
            assert line, (await self.complaints.read()).decode()
        return json.loads(line)

    async def until_it_complains(self, of: str) -> None:
        said = ""
        async with asyncio.timeout(SECONDS):
            async for line in self.complaints:
                said += line.decode()
                if of in said:
                    return
        raise AssertionError(said)


@asynccontextmanager
async def following(name: str, server: Subject, folder: Path, *, after: str | None = None) -> AsyncGenerator[Client, None]:
    """Run the README's script of that package, with a clock that is fast; what it follows from is nothing, or that cursor."""
    script, found = re.subn(r"after( =|:) null", rf"after\1 {json.dumps(after)}", SCRIPTS[FOLLOWING.index(name)][0])
    assert found == 1
    file = folder / "breaks.mjs"
    file.write_text(script.replace("http://127.0.0.1:8000/graphql", server.url).replace("127.0.0.1:8000", server.url.split("/")[2]))
    command = ("node", "--import", "./browser.mjs", "--import", "./impatient.mjs", str(file))
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield Client(output=process.stdout, complaints=process.stderr)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def log(of: Subject) -> Sequence[Any]:
    """All moves that there have been, as the scripts tell them."""
    nodes = (await of.ask(MOVES))["stageChanges"]["nodes"]
    parts = ("opportunity", "title"), ("fromStage", "name"), ("toStage", "name")
    return [[None if node[part] is None else node[part][name] for part, name in parts] for node in nodes]


@pytest.mark.parametrize("name", FOLLOWING)
async def test_a_script_goes_on_where_it_was_when_a_server_comes_back_that_has_refused_it(name: str, npm_folder: Path) -> None:
    async with subject() as server, following(name, server, npm_folder) as client:
        await server.until_followed()
        server.move()
        received = [await client.move()]
        await server.stop()
        server.move()
        await client.until_it_complains("refused")
        await server.start()
        received.append(await client.move())
        server.move()
        received.append(await client.move())

        assert received == await log(server)


@pytest.mark.parametrize("name", FOLLOWING)
async def test_a_script_tells_of_a_deal_whose_stage_is_gone(name: str, npm_folder: Path) -> None:
    async with subject() as server, following(name, server, npm_folder) as client:
        await server.until_followed()
        server.move(ITS_STAGE_IS_GONE)
        received = await client.move()

        assert [received] == await log(server)
        assert None in received


@pytest.mark.parametrize("name", ["graphql-ws", "graphql-sse"])
async def test_a_script_whose_cursor_is_refused_says_so_and_ends(name: str, npm_folder: Path) -> None:
    async with subject() as server, following(name, server, npm_folder, after="x") as client, asyncio.timeout(SECONDS):
        output, complaints = await client.output.read(), (await client.complaints.read()).decode()

    assert output == b""
    assert complaints.count(REFUSAL) == 1


async def test_the_script_of_apollo_goes_on_without_a_cursor_that_is_none(npm_folder: Path) -> None:
    async with subject() as server, following("@apollo/client", server, npm_folder, after="x") as client:
        await client.until_it_complains(REFUSAL)
        await server.until_followed()
        server.move()
        received = await client.move()

        assert [received] == await log(server)


async def test_the_script_of_apollo_goes_on_from_the_oldest_cursor_when_its_own_has_expired(npm_folder: Path) -> None:
    async with subject() as server:
        cursor = (await server.ask(MOVES))["stageChanges"]["pageInfo"]["endCursor"]
        await server.stop()
        server.lose_log()
        await server.start()
        server.move()
        async with asyncio.timeout(SECONDS):
            while not await log(server):  # noqa: ASYNC110  # a server announces nothing
                await asyncio.sleep(0.02)
        async with following("@apollo/client", server, npm_folder, after=cursor) as client:
            await client.until_it_complains(EXPIRY)
            received = await client.move()

        assert [received] == await log(server)
