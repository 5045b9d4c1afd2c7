"""The whole way: a client, the server under uvicorn, and the vendors' sandboxes."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from starlette.requests import HTTPConnection

from resolvers.context import Context
from resolvers.footing import footing_of
from server.app import create_app
from server.http import HttpSettings, listen, uvicorn_config
from tests.resolvers.graph import Graph, until
from vendors.sandbox import Fault

BOARD = "{ opportunities(first: 10) { nodes { id title crm { key } owner { name } account { name } contacts { name } } } }"


@asynccontextmanager
async def served(graph: Graph) -> AsyncGenerator[str, None]:
    """Run the server over a graph; gives its address."""

    def context(connection: HTTPConnection, params: Mapping[str, object]) -> Context:
        del connection, params
        return graph.make()

    app = create_app(schema=graph.schema, context_factory=context, settings=HttpSettings(), ready=lambda: True, footing_of=footing_of)
    listener = listen("127.0.0.1", 0)
    host, port = listener.getsockname()
    server = uvicorn.Server(uvicorn_config(app, host=host, port=port))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://{host}:{port}/graphql"
    finally:
        server.should_exit = True
        await task


async def ask(url: str, query: str, **variables: object) -> tuple[int, dict[str, Any]]:
    body = {"query": query, "variables": variables}
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
        return response.status, await response.json(content_type=None)


async def test_a_board_over_every_vendor_comes_over_http_as_it_is(graph: Graph) -> None:
    async with served(graph) as url:
        status, answer = await ask(url, BOARD)

    assert status == 200
    assert answer == {"data": await graph.data(BOARD)}


async def test_a_failing_crm_is_a_partial_answer_with_status_200(twins: Graph) -> None:
    twins.break_down("left", Fault(kind="status", status=503))

    async with served(twins) as url:
        status, answer = await ask(url, BOARD)

    assert status == 200
    assert len(answer["data"]["opportunities"]["nodes"]) == 10
    (error,) = answer["errors"]
    assert error["path"] == ["opportunities"]
    assert error["extensions"] == {"code": "UNAVAILABLE", "crm": "left", "vendor": "AUTOTASK", "retryable": True, "retryAfterMs": None}


async def test_pages_go_on_over_http(twins: Graph) -> None:
    query = "query($after: String) { opportunities(first: 40, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }"
    ids: list[str] = []
    after, goes_on = None, True

    async with served(twins) as url:
        while goes_on:
            page = (await ask(url, query, after=after))[1]["data"]["opportunities"]
            ids += [node["id"] for node in page["nodes"]]
            after, goes_on = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    assert len(ids) == len(set(ids)) == 104


async def test_every_operation_on_a_socket_has_its_own_context_and_tells_its_failing_crms(twins: Graph) -> None:
    answers: list[dict[str, Any]] = []

    async with (
        served(twins) as url,
        aiohttp.ClientSession() as http,
        http.ws_connect(url, protocols=["graphql-transport-ws"]) as socket,
    ):
        await socket.send_json({"type": "connection_init"})
        assert (await socket.receive_json())["type"] == "connection_ack"
        for number, title in enumerate(("First title", "Second title")):
            twins.table("right", "Opportunities").rows[311]["title"] = title
            twins.break_down("left", *([Fault(kind="html")] if number else []))
            query = "{ opportunities(first: 2) { nodes { title crm { key } } } }"
            await socket.send_json({"id": str(number), "type": "subscribe", "payload": {"query": query}})
            answers.append((await socket.receive_json())["payload"])
            assert (await socket.receive_json())["type"] == "complete"

    first, second = answers
    assert first["data"]["opportunities"]["nodes"][1]["title"] == "First title"
    assert "errors" not in first
    assert second["data"]["opportunities"]["nodes"][0]["title"] == "Second title"
    assert [error["extensions"]["code"] for error in second["errors"]] == ["MALFORMED"]


async def test_a_client_that_goes_away_ends_its_vendor_calls(twins: Graph) -> None:
    await twins.data(BOARD)
    twins.break_down("left", Fault(kind="hang", match="Companies.query"))
    twins.calls("left")

    async with served(twins) as url, aiohttp.ClientSession() as http:
        request = asyncio.ensure_future(http.post(url, json={"query": BOARD}))
        await until(lambda: twins.grounds["left"].control.count("Companies.query") > 0)
        waiting = batches()
        request.cancel()
        _, pending = await asyncio.wait(waiting, timeout=60)

    assert not pending
    assert any(task.cancelled() for task in waiting)


def batches() -> set["asyncio.Task[Any]"]:
    """Batches of loaders that are under way."""
    return {task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__name__", "") == "dispatch_queue_batch"}
