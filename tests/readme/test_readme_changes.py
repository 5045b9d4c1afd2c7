"""What the README shows of the stream of changes, on a server that watches the sandboxes: what happens in them is what the README says."""

import asyncio
import json
import re
import signal
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final, cast

import aiohttp
import pytest

from server.changes.webhooks import PATH
from server.commands.sandbox import configuration
from tests.live import Live, live
from tests.playground import connect
from tests.readme.test_readme import BLOCKS, FOLLOWS, answer_to, blocks, followed_by_json
from tests.server.command_line import COMMAND, ROOT, crmgraph
from vendors.changes import RegistersWebhooks
from vendors.sandbox_board import LIFE

SECONDS: Final = 60
BY_THEMSELVES: Final[Mapping[str, float]] = {}
OFTEN: Final = {"poll_seconds": 0.2, "sweep_seconds": 0.5, "watch_calls_per_hour": 1_000_000.0}
THE_CRANE: Final = ("dach", "0295bc44-1df0-4b91-b322-d182c3769fbe", 0)
# The deals that the README moves, in their CRMs, in that order; each as the dice fall that begin with this number.
MOVES: Final = (
    ("americas", "9017442102", 1),
    ("baltic", "102", 1),
    THE_CRANE,
    ("nordic", "90531100108", 0),
    ("service", "29701403", 2),
)
MOMENTARY: Final = frozenset(
    {"changedAt", "completeSince", "cursor", "detectedAt", "endCursor", "lagSeconds", "oldestEventAt", "polledAt", "sweptAt"}
)
"""What is another one each time."""


@asynccontextmanager
async def watched(watch: Mapping[str, float]) -> AsyncGenerator[Live, None]:
    """A server that has read every CRM once."""
    async with live(watch=watch) as it:
        async with asyncio.timeout(SECONDS):
            while not all(crm["changes"]["completeSince"] for crm in await crms(it)):  # noqa: ASYNC110  # a server announces nothing
                await asyncio.sleep(0.02)
        yield it


async def crms(of: Live) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await answer_to("{ crms { changes { completeSince } } }", of))["data"]["crms"]
    return found


async def register_webhooks(of: Live, crm: str) -> None:
    sandbox = of.sandboxes[crm]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        client = connect(sandbox.kind.vendor, sandbox, session).client
        assert isinstance(client, RegistersWebhooks)
        await client.register_webhook(f"{of.origin}{PATH}/{crm}")


def move(of: Live, crm: str, deal: str, dice: int) -> None:
    of.sandboxes[crm].app[LIFE].board.move(deal, Random(dice))  # noqa: S311  # repeatable, not secret


async def move_all(of: Live) -> None:
    """Make the README's moves, each when the one before it has been seen."""
    for number, one in enumerate(MOVES, 1):
        move(of, *one)
        async with asyncio.timeout(SECONDS):
            while await seen(of) < number:  # noqa: ASYNC110  # a server announces nothing
                await asyncio.sleep(0.02)


async def seen(of: Live) -> int:
    """Number of changes of stage in the log."""
    return len((await answer_to("{ stageChanges { nodes { eventId } } }", of))["data"]["stageChanges"]["nodes"])


async def end_of_log(of: Live) -> str:
    answer = await answer_to("{ stageChanges { pageInfo { endCursor } } }", of)
    return str(answer["data"]["stageChanges"]["pageInfo"]["endCursor"])


def shown(name: str) -> tuple[str, Any]:
    """A query and the answer below it."""
    [found] = [(query, answer) for query, answer in followed_by_json("graphql") if query.startswith(name)]
    return found


def lasting(answer: object) -> Any:
    """An answer of which only that it is there is kept where it is another one each time."""
    if isinstance(answer, list):
        return [lasting(item) for item in cast("list[object]", answer)]
    if isinstance(answer, dict):
        values = cast("dict[str, object]", answer).items()
        return {name: "some" if name in MOMENTARY and value is not None else lasting(value) for name, value in values}
    return answer


async def test_a_subscription_receives_what_stands_below_it() -> None:
    query, expected = shown("subscription Moves")
    async with watched(BY_THEMSELVES) as it:
        await register_webhooks(it, "dach")
        request = {"query": query, "variables": {"after": await end_of_log(it)}}
        async with (
            aiohttp.ClientSession(headers={"accept": "text/event-stream"}) as session,
            asyncio.timeout(SECONDS),
            session.post(it.url, json=request) as stream,
        ):
            move(it, *THE_CRANE)
            data = [line async for line in until_an_event(stream)][-1]

    assert lasting(json.loads(data)) == lasting(expected)


async def until_an_event(stream: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    async for line in stream.content:
        if line.startswith(b"data: "):
            yield line.removeprefix(b"data: ")
            return


async def test_the_history_is_that_of_the_mutation_above_it() -> None:
    mutation, _ = shown("mutation Change")
    query, expected = shown("query History")
    async with watched(BY_THEMSELVES) as it:
        await answer_to(mutation, it)
        answer = await answer_to(query, it)

    assert lasting(answer) == lasting(expected)


async def test_the_log_and_the_terminal_show_the_moves_of_five_crms() -> None:
    query, expected = shown("query Log")
    [told] = [text for text in blocks("console") if text.startswith("$ crmgraph changes")]
    async with watched(OFTEN) as it:
        await move_all(it)
        answer = await answer_to(query, it)
        lines, notes = await followed(it, len(MOVES))

    assert lasting(answer) == lasting(expected)
    command, *told_lines = told.splitlines()
    assert command == "$ crmgraph changes --follow"
    assert [without_time(line) for line in lines] == [without_time(line) for line in told_lines[: len(MOVES)]]
    assert [re.sub(r"--after=.*", "--after=", line) for line in notes] == [
        re.sub(r"--after=.*", "--after=", line) for line in told_lines[len(MOVES) :]
    ]


async def followed(of: Live, count: int) -> tuple[list[str], list[str]]:
    """What `crmgraph changes --follow` shows up to that many changes, and what it says when it is interrupted then."""
    process = await asyncio.create_subprocess_exec(*COMMAND, "changes", "--follow", "--url", of.url, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(SECONDS):
            lines = [(await process.stdout.readline()).decode().rstrip("\n") for _ in range(count)]
            process.send_signal(signal.SIGINT)
            _, notes = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return lines, notes.decode().splitlines()


def without_time(line: str) -> str:
    return re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "then", line)


async def test_how_well_every_crm_is_watched_is_what_stands_there() -> None:
    query, expected = shown("query Watched")
    async with watched(BY_THEMSELVES) as it:
        answer = await answer_to(query, it)

    assert lasting(answer) == lasting(expected)


SCRIPTS = [(script, expected) for script, expected in followed_by_json("js") if FOLLOWS in script]
FOLLOWING = [re.findall(r'from "([\w@/-]+)"', script)[0] for script, _ in SCRIPTS]
"""The packages that they are for."""


@pytest.mark.parametrize(("script", "expected"), SCRIPTS, ids=FOLLOWING)
async def test_a_script_that_follows_prints_the_move_that_stands_below_it(script: str, expected: Any, npm_folder: Path) -> None:
    async with watched(BY_THEMSELVES) as it:
        await register_webhooks(it, "dach")
        script, found = re.subn(r"after( =|:) null", rf'after\1 "{await end_of_log(it)}"', script)
        assert found == 1
        file = npm_folder / "follows.mjs"
        file.write_text(script.replace("127.0.0.1:8000", it.origin.removeprefix("http://")))
        process = await asyncio.create_subprocess_exec("node", "--import", "./browser.mjs", str(file), cwd=npm_folder, stdout=PIPE)
        try:
            assert process.stdout is not None
            move(it, *THE_CRANE)
            async with asyncio.timeout(SECONDS):
                line = await process.stdout.readline()
        finally:
            process.kill()
            await process.wait()

    assert json.loads(line) == expected


async def test_registering_a_webhook_says_what_stands_there(tmp_path: Path) -> None:
    [told] = [text for text in blocks("console") if text.startswith("$ crmgraph webhooks")]
    command, *lines = told.splitlines()
    async with live() as it:
        (tmp_path / "crms.toml").write_text(configuration(list(it.sandboxes.values())))
        done = await asyncio.to_thread(crmgraph, *command.removeprefix("$ crmgraph ").split(), folder=tmp_path)

    assert [without_id(line) for line in done.stdout.splitlines()] == [without_id(line) for line in lines]


def without_id(line: str) -> str:
    return re.sub(r"[0-9a-f-]{36}", "id", line).rstrip()


def test_every_block_of_the_terminal_is_compared() -> None:
    commands = [text.splitlines()[0] for kind, text in BLOCKS if kind == "console"]

    assert [command for command in commands if not command.startswith("$ make")] == [
        "$ crmgraph changes --follow",
        "$ crmgraph webhooks register --config crms.toml --crm dach --url https://crm.example.com",
    ]
