"""Our targets of the comparison with other servers answer as they are expected to, with the vendor calls that they should make."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bench.peers.runner import extend
from bench.peers.workload import CRMS, expected_form, query
from tests.ports import held_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the comparison runs on Linux only")

ROOT = Path(__file__).parents[2]
OURS: Sequence[str] = ()
APART = ("--apart",)
ANEW = ("--apart", "--anew")
EXECUTED = ("--executed",)
FILES = ("opportunities", "pipelines", "stages", "users", "accounts", "contacts")
ROWS = 4
START_SECONDS = 60
VENDOR_SECONDS = 0.5
AT_ONCE = 3  # the first one of several reads by itself, and only the others share readings

Rows = list[dict[str, Any]]


def files_of(vendor: str) -> dict[str, Rows]:
    """The files of a vendor: rows that miss what rows may miss, too."""

    def numbered(letter: str, count: int, name: str, **more: Any) -> Rows:
        return [{"id": f"{vendor}{letter}{at}", "name": f"{name} {at} of {vendor}", "unknown": [at], **more} for at in range(count)]

    people = [
        [{**row, "email": f"{row['id']}@example.com"} for row in numbered(letter, count, name)]
        for letter, count, name in (("u", 2, "User"), ("c", 5, "Contact"))
    ]
    stages = [{**row, "probability": 10 * at, "pipelineId": f"{vendor}p{at % 2}"} for at, row in enumerate(numbered("s", 4, "Stage"))]
    opportunities: Rows = [
        {
            "id": f"{vendor}o{at}",
            "title": f"Deal {at} of {vendor}",
            "amount": None if at == 1 else 100.5 + at,
            "currency": None if at == 1 else "USD",
            "probability": 25 * at,
            "closeDate": f"2026-08-0{at + 1}",
            "pipelineId": f"{vendor}p{at % 2}",
            "stageId": f"{vendor}s{at}",
            "ownerId": None if at == 2 else f"{vendor}u{at % 2}",
            "accountId": f"{vendor}a{at % 3}",
            "contactIds": [f"{vendor}c{at}", f"{vendor}c4"],
        }
        for at in range(ROWS)
    ]
    return {
        "opportunities": opportunities,
        "pipelines": numbered("p", 2, "Pipeline"),
        "stages": stages,
        "users": people[0],
        "accounts": numbered("a", 3, "Account"),
        "contacts": people[1],
    }


class Backend:
    """The vendors: static files, which a test may change. `calls` are the files that were asked for."""

    def __init__(self) -> None:
        self.vendors = {f"v{number}": files_of(f"v{number}") for number in range(1, CRMS + 1)}
        self.calls: Counter[str] = Counter()
        self.seconds = 0.0

    async def answer(self, request: web.Request) -> web.Response:
        vendor, name = request.match_info["vendor"], request.match_info["name"]
        self.calls[f"{vendor}/{name}"] += 1
        await asyncio.sleep(self.seconds)
        return web.json_response(self.vendors[vendor][name])

    def taken_calls(self) -> Counter[str]:
        """The calls since this was asked last."""
        taken, self.calls = self.calls, Counter()
        return taken

    def board(self) -> list[dict[str, Any]]:
        """The rows that an answer should have, vendor by vendor."""
        return [_row(files, deal) for files in self.vendors.values() for deal in files["opportunities"]]


def _row(files: Mapping[str, Rows], deal: Mapping[str, Any]) -> dict[str, Any]:
    def found(name: str, key: str | None, *fields: str) -> dict[str, Any] | None:
        return next(({field: row[field] for field in ("id", "name", *fields)} for row in files[name] if row["id"] == key), None)

    return {
        **{name: deal[name] for name in ("id", "title", "amount", "currency", "probability", "closeDate")},
        "pipeline": found("pipelines", deal["pipelineId"]),
        "stage": found("stages", deal["stageId"], "probability"),
        "owner": found("users", deal["ownerId"], "email"),
        "account": found("accounts", deal["accountId"]),
        "contacts": [found("contacts", key, "email") for key in deal["contactIds"]],
    }


@asynccontextmanager
async def serving(backend: Backend) -> AsyncGenerator[str]:
    app = web.Application()
    app.router.add_get("/{vendor}/{name}.json", backend.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield site.name
    finally:
        await runner.cleanup()


class Target:
    """One of our targets, as the runner starts it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, variant: str) -> None:
        self._session = session
        self._url = url
        self._body = {"query": query(variant)}

    async def rows(self) -> Any:
        """The rows of its answer, in the form that the runner compares."""
        async with self._session.post(self._url, json=self._body) as response:
            answer = await response.json()
        assert "errors" not in answer
        return expected_form(answer)["data"]["opportunities"]

    async def is_up(self) -> bool:
        try:
            async with self._session.post(self._url, json={"query": "{ __typename }"}) as response:
                return response.ok
        except aiohttp.ClientConnectionError:
            return False


@asynccontextmanager
async def target(backend: Backend, variant: str, options: Sequence[str]) -> AsyncGenerator[Target]:
    async with serving(backend) as address, aiohttp.ClientSession() as session:
        with held_port() as port:
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "BACKEND": address, "VARIANT": variant}
            command = ["-m", "bench.peers.serve", "--port", str(port), *options]
            process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, env=environment)
            try:
                found = Target(session, f"http://127.0.0.1:{port}/graphql", variant)
                await asyncio.wait_for(_up(found, process), START_SECONDS)
                yield found
            finally:
                if process.returncode is None:
                    process.terminate()
                await process.wait()


async def _up(found: Target, process: Process) -> None:
    while not await found.is_up():
        assert process.returncode is None, "it did not start"
        await asyncio.sleep(0.05)


EACH_FILE_ONCE = Counter(f"v{number}/{name}" for number in range(1, CRMS + 1) for name in FILES)


@pytest.mark.parametrize("options", [OURS, APART, ANEW], ids=["ours", "apart", "anew"])
async def test_every_board_is_read_with_thirty_calls_and_follows_the_files(options: Sequence[str]) -> None:
    backend = Backend()
    async with target(backend, "A", options) as asked:
        for _ in range(2):
            assert await asked.rows() == backend.board()
            assert backend.taken_calls() == EACH_FILE_ONCE

        files = backend.vendors["v3"]
        files["stages"][2]["name"] = "Renamed"
        assert await asked.rows() == backend.board()
        files["pipelines"][0]["name"] = "Renamed too"
        files["stages"].reverse()
        assert await asked.rows() == backend.board()
        files["contacts"][4]["email"] = "new@example.com"
        files["opportunities"][0] |= {"title": "Won", "ownerId": None, "contactIds": []}
        assert await asked.rows() == backend.board()
        assert backend.taken_calls() == Counter(dict.fromkeys(EACH_FILE_ONCE, 3))


@pytest.mark.parametrize("options", [OURS, APART], ids=["ours", "apart"])
async def test_only_who_is_not_apart_shares_calls(options: Sequence[str]) -> None:
    backend = Backend()
    async with target(backend, "C", options) as asked:
        backend.seconds = VENDOR_SECONDS
        boards = await asyncio.gather(*(asked.rows() for _ in range(AT_ONCE)))

    assert boards == [backend.board()] * AT_ONCE
    calls = backend.taken_calls()
    if options == APART:
        assert calls == Counter(dict.fromkeys(EACH_FILE_ONCE, AT_ONCE))
    else:
        assert EACH_FILE_ONCE.total() <= calls.total() < AT_ONCE * EACH_FILE_ONCE.total()


@pytest.mark.parametrize("options", [OURS, EXECUTED], ids=["ours", "executed"])
async def test_what_is_in_memory_is_not_asked_again(options: Sequence[str]) -> None:
    backend = Backend()
    async with target(backend, "B", options) as asked:
        first = await asked.rows()
        assert backend.taken_calls() == EACH_FILE_ONCE
        expected = backend.board()
        backend.vendors["v1"]["opportunities"][0]["title"] = "Nobody looks"

        for _ in range(3):
            assert await asked.rows() == first == expected
        assert not backend.taken_calls()


def nodes(amount: Any) -> bytes:
    money = None if amount is None else {"amount": amount, "currency": "EUR"}
    rows = [{"id": f"v{number}o0", "amount": money} for number in range(1, CRMS + 1)]
    return json.dumps({"data": {"opportunities": {"nodes": rows}}}).encode()


class Runner:
    """What the runner has that is replaced: it notes what is sent, and answers what it is made with."""

    def __init__(self, answer: bytes, measured: Mapping[str, Any]) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.table: Any = print

        def post(url: str, body: bytes, timeout: float = 20) -> bytes:  # noqa: ARG001  # as the runner's own
            self.sent.append((url, body))
            return answer

        def wrk(url: str, body_file: Path, clients: int, seconds: int) -> dict[str, Any]:  # noqa: ARG001
            self.sent.append((url, body_file.read_bytes()))
            return dict(measured)

        self.post = post
        self.wrk = wrk


OUR_URL, THEIR_URL = "http://127.0.0.1:9400/graphql", "http://127.0.0.1:9300/graphql"
OUR_QUESTION = json.dumps({"query": query("A")}).encode()


def test_only_our_addresses_are_asked_our_question(tmp_path: Path) -> None:
    runner = Runner(nodes("12.50"), {"requests": 10, "bytes": 10 * len(nodes("12.50")), "errors": 0, "p50": 3.0})
    theirs = tmp_path / "body.json"
    theirs.write_bytes(b"theirs")
    extend(runner, ("http://127.0.0.1:9400/",), "A")

    assert runner.post(THEIR_URL, b"theirs") == nodes("12.50")
    answer = json.loads(runner.post(OUR_URL, b"theirs"))
    assert answer["data"]["opportunities"] == [{"id": f"v{at}o0", "amount": 12.5, "currency": "EUR"} for at in range(1, CRMS + 1)]
    for url in (THEIR_URL, OUR_URL):
        assert runner.wrk(url, theirs, 16, 5) == {"requests": 10, "bytes": 10 * len(nodes("12.50")), "errors": 0, "p50": 3.0}

    assert runner.sent == [(THEIR_URL, b"theirs"), (OUR_URL, OUR_QUESTION), (THEIR_URL, b"theirs"), (OUR_URL, OUR_QUESTION)]


def test_answers_that_are_cut_short_count_as_errors_and_none_at_all_as_slow(tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_bytes(b"theirs")
    short = Runner(nodes(None), {"requests": 10, "bytes": 9 * len(nodes(None)), "errors": 1, "p50": 3.0})
    extend(short, ("http://127.0.0.1:9400/",), "A")
    short.post(OUR_URL, b"")

    assert short.wrk(OUR_URL, body, 16, 5)["errors"] == 11
    assert short.wrk(THEIR_URL, body, 16, 5)["errors"] == 1

    silent = Runner(nodes(None), {"requests": 0, "bytes": 0, "errors": 0, "p50": 0.0})
    extend(silent, ("http://127.0.0.1:9400/",), "A")
    silent.post(OUR_URL, b"")
    assert silent.wrk(OUR_URL, body, 16, 5)["p50"] == 5_000.0
