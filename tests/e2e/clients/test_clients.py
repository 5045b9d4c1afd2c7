"""Clients as people use them: they receive live events, and none twice and none too few when the server is started anew."""

import json
import os
import shutil
import subprocess
import sys
from asyncio import create_subprocess_exec, wait_for
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients.subject import subject

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def npm_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm packages and the scripts that use them."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no node and npm on the PATH: the npm clients are not run")
    folder = tmp_path_factory.mktemp("clients")
    for file in (*HERE.glob("*.json"), *HERE.glob("*.mjs")):
        shutil.copy(file, folder)
    installed(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    return folder


@pytest.fixture(scope="module")
def gql_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with gql, to be put on the path of a script."""
    folder = tmp_path_factory.mktemp("gql")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--requirement", str(HERE / "requirements.lock")]
    installed([sys.executable, "-m", "pip", "install", *options, "--target", str(folder)], folder)
    return folder


@pytest.mark.parametrize("name", ["graphql-ws", "graphql-sse", "apollo-client"])
async def test_an_npm_client_receives_live_events_and_resumes(name: str, npm_packages: Path) -> None:
    await receives_and_resumes("node", str(npm_packages / f"{name}.mjs"))


async def test_gql_receives_live_events_and_resumes(gql_package: Path) -> None:
    await receives_and_resumes(sys.executable, str(HERE / "gql_client.py"), PYTHONPATH=str(gql_package))


async def receives_and_resumes(*command: str, **environment: str) -> None:
    async with subject() as server:
        client = await create_subprocess_exec(*command, server.url, "4", stdout=PIPE, stderr=PIPE, env={**os.environ, **environment})
        try:
            await server.until_followed()
            server.move()
            server.move()
            received = [await event(client), await event(client)]
            await server.stop()
            server.move()
            await server.start()
            received.append(await event(client))
            server.move()
            received.append(await event(client))
            rest, complaints = await wait_for(client.communicate(), 60)
            log = await server.log()
        finally:
            if client.returncode is None:
                client.kill()
                await client.wait()

    assert [it["eventId"] for it in received] == log
    assert len({it["cursor"] for it in received}) == len(log) == 4
    assert (client.returncode, rest, complaints.decode()) == (0, b"", "")


async def event(client: Process) -> Any:
    assert client.stdout is not None
    assert client.stderr is not None
    line = await wait_for(client.stdout.readline(), 60)
    assert line, (await client.stderr.read()).decode()
    return json.loads(line)


def installed(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  # commands of this file
    assert done.returncode == 0, done.stderr
