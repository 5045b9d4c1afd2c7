"""`crmgraph changes`: a process of its own that reads a real server, which watches a real sandbox.

One file, because a third of it is that scene, and most tests play in it.
"""

import asyncio
import json
import os
import re
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from server.commands.changes import line
from server.commands.event_stream import EventStream, ServerSentEvent
from server.compose import create_server
from server.config import parse_config
from server.http import GraphServer, listen, uvicorn_config
from tests.ports import held_port
from tests.server.command_line import COMMAND, ROOT
from vendors.registry import all_sandboxes
from vendors.sandbox import RunningSandbox, start
from vendors.sandbox_board import LIFE, Board

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  service  \S.*  \S.*")
CURSOR = re.compile(r"to go on from here: --after=(\S+)")
SECONDS = 60


@dataclass(slots=True)
class Scene:
    """A sandbox, and the servers that watch it one after the other with one log."""

    sandbox: RunningSandbox
    store: Path
    changes: Mapping[str, object]
    port: int

    @property
    def board(self) -> Board:
        return self.sandbox.app[LIFE].board

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    def move(self, *deals: str) -> None:
        for deal in deals:
            self.board.move(deal, Random(5))  # noqa: S311  # keeps no secret

    @asynccontextmanager
    async def serving(self, **changes: object) -> AsyncGenerator[None, None]:
        """Serve, always at the same address."""
        crm = {
            "vendor": self.sandbox.kind.vendor,
            **self.sandbox.settings,
            "poll_seconds": 0.05,
            "sweep_seconds": 0.5,
            "watch_calls_per_hour": 1e9,
        }
        tables = {"server": {"store_dir": str(self.store)}, "changes": {**self.changes, **changes}, "crms": {"service": crm}}
        app = create_server(parse_config(tables, {}, folder=Path()))
        listener = listen("127.0.0.1", self.port)
        server = GraphServer(uvicorn_config(app, host="127.0.0.1", port=self.port), app.state.on_stop)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield
        finally:
            server.should_exit = True
            await task


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncGenerator[Scene, None]:
    sandbox = await start(all_sandboxes()["autotask"])
    (tmp_path / "store").mkdir()
    try:
        with held_port() as port:
            yield Scene(sandbox, tmp_path / "store", {}, port)
    finally:
        await sandbox.stop()


@asynccontextmanager
async def command(*arguments: str) -> AsyncGenerator[Process, None]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "changes", *arguments, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(*arguments: str) -> tuple[int | None, list[str], str]:
    """Run the command to its end: its exit status, its lines, and what it said beside them."""
    async with asyncio.timeout(SECONDS), command(*arguments) as process:
        out, err = await process.communicate()
        return process.returncode, out.decode().splitlines(), err.decode()


async def shown(process: Process) -> str:
    """The next line of what it shows."""
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        return (await process.stdout.readline()).decode().rstrip("\n")


async def said(process: Process, text: str) -> str:
    """What it says beside that, up to the line with this text."""
    assert process.stderr is not None
    async with asyncio.timeout(SECONDS):
        lines: list[str] = []
        async for received in process.stderr:
            lines.append(received.decode())
            if text in lines[-1]:
                return lines[-1]
    raise AssertionError("\n".join(["it ended without saying it:", *lines]))


async def interrupted(process: Process, by: signal.Signals = signal.SIGINT) -> tuple[int | None, str]:
    async with asyncio.timeout(SECONDS):
        process.send_signal(by)
        _, err = await process.communicate()
        return process.returncode, err.decode()


async def ended_by_itself(process: Process) -> tuple[int | None, str]:
    async with asyncio.timeout(SECONDS):
        _, err = await process.communicate()
        return process.returncode, err.decode()


async def asked(scene: Scene, query: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.post(scene.url, json={"query": query}) as response:
        answer = await response.json()
    assert "errors" not in answer
    return dict(answer["data"])


async def watched(scene: Scene) -> None:
    """Wait until the server has read all opportunities once: a change of one is then seen."""
    async with asyncio.timeout(SECONDS):
        while (await asked(scene, "{ crms { changes { completeSince } } }"))["crms"][0]["changes"]["completeSince"] is None:
            pass


async def seen(scene: Scene, count: int) -> None:
    """Wait until the log holds so many changes."""
    async with asyncio.timeout(SECONDS):
        while len((await asked(scene, "{ stageChanges { nodes { eventId } } }"))["stageChanges"]["nodes"]) < count:
            pass


async def in_log(scene: Scene) -> list[dict[str, Any]]:
    """What the log holds, as the command shows it to machines."""
    status, lines, err = await ended("--json", "--url", scene.url)
    assert status == 0, err
    return [json.loads(text) for text in lines]


async def test_the_log_is_shown_and_the_cursor_to_go_on_from(scene: Scene) -> None:
    one, other, *_ = scene.board.deals()
    async with scene.serving():
        await watched(scene)
        scene.move(one, other)
        await seen(scene, 2)
        changes = await in_log(scene)
        status, lines, err = await ended("--url", scene.url)
        cursor = CURSOR.search(err)
        assert cursor is not None
        behind = await ended("--url", scene.url, f"--after={cursor[1]}")
        scene.move(one)
        await seen(scene, 3)
        rest = await ended("--url", scene.url, f"--after={cursor[1]}", "--crm", "service")

    assert status == 0
    assert len(lines) == 2
    assert all(LINE.fullmatch(text) for text in lines)
    assert lines == [line(change) for change in changes]
    assert all(change["opportunity"]["title"] in text for change, text in zip(changes, lines, strict=True))
    assert behind == (0, [], "")
    assert (rest[0], len(rest[1])) == (0, 1)
    assert CURSOR.search(rest[2]) is not None


async def test_an_opportunity_of_many_changes_is_read_once(scene: Scene) -> None:
    one, *_ = scene.board.deals()
    async with scene.serving():
        await watched(scene)
        for count in range(1, 4):
            scene.move(one)
            await seen(scene, count)
        first = await in_log(scene)
        reads = [call.body for call in scene.sandbox.control.calls if one in call.body]
        again = await in_log(scene)

    assert [change["opportunity"]["title"] for change in first] == [change["opportunity"]["title"] for change in again]
    assert len(first) == 3
    assert reads
    assert [call.body for call in scene.sandbox.control.calls if one in call.body] == reads


async def test_following_shows_the_log_and_goes_on_with_what_happens_until_interrupted(scene: Scene) -> None:
    one, other, *_ = scene.board.deals()
    async with scene.serving():
        await watched(scene)
        scene.move(one)
        await seen(scene, 1)
        async with command("--follow", "--json", "--url", scene.url) as process:
            changes = [json.loads(await shown(process))]
            scene.move(other)
            changes.append(json.loads(await shown(process)))
            status, err = await interrupted(process)
        everything = await in_log(scene)

    assert changes == everything
    assert (status, "Traceback" in err) == (0, False)
    assert f"--after={changes[-1]['cursor']}" in err


async def test_who_ends_it_by_sigterm_is_told_the_cursor_too(scene: Scene) -> None:
    async with scene.serving():
        await watched(scene)
        scene.move(scene.board.deals()[0])
        await seen(scene, 1)
        async with command("--follow", "--json", "--url", scene.url) as process:
            change = json.loads(await shown(process))
            status, err = await interrupted(process, signal.SIGTERM)

    assert status == -signal.SIGTERM
    assert err == f"crmgraph: to go on from here: --after={change['cursor']}\n"


async def test_when_nobody_reads_its_output_it_ends(scene: Scene) -> None:
    async with scene.serving():
        await watched(scene)
        reading, writing = os.pipe()
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "changes", "--follow", "--url", scene.url, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=writing, stderr=PIPE
        )
        os.close(writing)
        os.close(reading)
        scene.move(scene.board.deals()[0])
        async with asyncio.timeout(SECONDS):
            _, err = await process.communicate()

    assert process.returncode == 1
    assert "trying again" not in err.decode()


async def test_a_stream_that_breaks_off_is_taken_up_where_it_was(scene: Scene) -> None:
    one, other, *_ = scene.board.deals()
    changes: list[dict[str, Any]] = []
    async with AsyncExitStack() as stack:
        async with scene.serving():
            await watched(scene)
            process = await stack.enter_async_context(command("--follow", "--json", "--url", scene.url))
            scene.move(one)
            changes.append(json.loads(await shown(process)))
        assert "(the server ended it); trying again" in await said(process, "broke off")
        scene.move(other)  # nobody sees it before the server is back
        async with scene.serving():
            changes.append(json.loads(await shown(process)))
            scene.move(one)
            changes.append(json.loads(await shown(process)))
            everything = await in_log(scene)
            status, err = await interrupted(process)

    assert changes == everything
    assert len({change["eventId"] for change in changes}) == 3
    assert status == 0
    assert f"--after={changes[-1]['cursor']}" in err


async def test_who_was_too_slow_goes_on_by_itself(scene: Scene) -> None:
    deals = scene.board.deals()[:5]
    async with scene.serving(most_waiting=1, lag_seconds=1e-9):
        await watched(scene)
        async with command("--follow", "--json", "--url", scene.url) as process:
            scene.move(deals[0])
            first = json.loads(await shown(process))
            scene.move(*deals)
            changes = [json.loads(await shown(process)) for _ in deals]
            told = await said(process, "did not wait")

            assert [first, *changes] == await in_log(scene)
            assert "going on from" in told


async def test_an_expired_cursor_is_told_with_the_one_to_go_on_from(scene: Scene) -> None:
    deal = scene.board.deals()[0]
    async with scene.serving():
        await watched(scene)
        scene.move(deal)
        await seen(scene, 1)
        (change,) = await in_log(scene)
        scene.move(deal)
        await seen(scene, 2)
    async with scene.serving(retention_days=1e-9):
        await watched(scene)
        status, lines, err = await ended("--follow", "--url", scene.url, f"--after={change['cursor']}")
        oldest = re.search(r"--after=(\S+)", err)
        assert oldest is not None
        again = await ended("--url", scene.url, f"--after={oldest[1]}")

    assert (status, lines) == (1, [])
    assert "not kept any more" in err
    assert change["cursor"] not in err
    assert again[0] == 0


async def test_a_cursor_that_expires_while_it_follows_is_told_with_the_one_to_go_on_from(scene: Scene) -> None:
    deal = scene.board.deals()[0]
    async with AsyncExitStack() as stack:
        async with scene.serving():
            await watched(scene)
            process = await stack.enter_async_context(command("--follow", "--json", "--url", scene.url))
            scene.move(deal)
            change = json.loads(await shown(process))
            process.send_signal(signal.SIGSTOP)
        async with scene.serving():
            await watched(scene)
            scene.move(deal)
            await seen(scene, 2)
        async with scene.serving(retention_days=1e-9):
            await watched(scene)
            process.send_signal(signal.SIGCONT)
            status, err = await ended_by_itself(process)
            oldest = re.findall(r"--after=(\S+)", err)
            again = await ended("--url", scene.url, f"--after={oldest[0]}")

    assert status == 1
    assert len(oldest) == 1
    assert change["cursor"] not in err
    assert again[0] == 0


async def test_a_cursor_of_a_store_that_is_lost_is_not_one_to_go_on_from(scene: Scene, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with scene.serving():
            await watched(scene)
            process = await stack.enter_async_context(command("--follow", "--json", "--url", scene.url))
            scene.move(scene.board.deals()[0])
            await shown(process)
        scene.store = tmp_path / "new"
        scene.store.mkdir()
        async with scene.serving():
            status, err = await ended_by_itself(process)

    assert status == 1
    assert "is no cursor of this stream" in err
    assert "--after" not in err


async def test_what_cannot_be_asked_is_told_without_a_traceback(scene: Scene) -> None:
    async with scene.serving():
        unknown = await ended("--url", scene.url, "--crm", "nowhere")
        malformed = await ended("--url", scene.url, "--after", "nonsense")
        no_graph = await ended("--url", f"{scene.sandbox.base_url}/graphql")
        other_path = await ended("--url", scene.url.replace("graphql", "nope"))
    async with scene.serving(enabled=False):
        unwatched = await ended("--url", scene.url)
    away = await ended("--follow", "--url", scene.url)
    no_url = await ended("--url", "localhost:8000")

    assert (unknown[0], malformed[0], no_graph[0], unwatched[0], away[0], no_url[0]) == (1, 1, 1, 1, 1, 2)
    assert "There is no CRM 'nowhere'" in unknown[2]
    assert "no cursor of this stream" in malformed[2]
    assert "is no graph" in no_graph[2]
    assert other_path[0] == 1
    assert "/nope is no graph: it answered 404 with application/json; its address ends in /graphql" in other_path[2]
    assert "`enabled = false` in [changes]" in unwatched[2]
    assert f"{scene.url} does not answer (Connection refused); is the server running" in away[2]
    assert "--url: must be" in no_url[2]
    assert "Traceback" not in "".join(err for _, _, err in (unknown, malformed, no_graph, unwatched, away, no_url))


def test_a_line_shows_what_has_changed_and_steers_no_terminal() -> None:
    change = {
        "detectedAt": "2027-01-04T08:00:00.123000+00:00",
        "crm": {"key": "dach"},
        "opportunityId": "aWQ=",
        "opportunity": {"title": "Winch\x1b[2J, \u202eport"},
        "fromStage": {"name": "Offer"},
        "toStage": {"name": "Closed"},
        "fromStatus": "OPEN",
        "toStatus": "WON",
    }

    assert line(change) == "2027-01-04 08:00:00  dach  Winch [2J,  port  Offer -> Closed  OPEN -> WON"
    assert line({**change, "opportunity": None, "toStage": None, "toStatus": "OPEN"}) == (
        "2027-01-04 08:00:00  dach  aWQ=  Offer -> ?  OPEN"
    )


def test_events_are_read_wherever_the_stream_is_cut() -> None:
    text = (
        'retry: 250\n:\n\nevent: next\nid: a\ndata: {"ü": 1}\n\n: ping\n\n'
        "event: next\r\ndata: 1\r\ndata:2\r\n\r\nevent: complete\ndata: \n\n"
    )
    events = [
        ServerSentEvent("next", '{"ü": 1}', "a"),
        ServerSentEvent("next", "1\n2", None),
        ServerSentEvent("complete", "", None),
    ]

    for size in range(1, len(text)):
        stream = EventStream()
        received = text.encode()
        found = [event for at in range(0, len(received), size) for event in stream.feed(received[at : at + size])]

        assert found == events, size
        assert stream.retry_seconds == 0.25
