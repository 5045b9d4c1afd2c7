"""Times what the server adds to an operation: from the bytes of a request to those of its answer, without a socket.

    python -m bench.overhead

The application is the product's own, over a company in memory. Its processor time for `{ __typename }`, less what executing that takes, is
what every request costs besides its lists and fields; the board is shown beside it.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any, Final

import orjson
import uvloop
from graphql import parse
from starlette.types import ASGIApp, Message
from strawberry.execution import optimized_is_awaitable

from bench.company import contexts, memory_crm
from bench.execution import BOARD
from resolvers.context import Context
from server.app import create_app
from server.context import ContextMaker
from server.execution.core import execute
from server.http import HttpSettings
from server.http.run import tune_gc
from server.limits import Limits, operation_extensions
from server.schema import build_schema

TYPENAME: Final = "{ __typename }"
ROUNDS: Final = 9
TURNS: Final = 200
HEADERS: Final = [
    (b"host", b"localhost:8000"),
    (b"content-type", b"application/json"),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"identity"),
]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description="Time what the server adds to an operation.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    for name, milliseconds in uvloop.run(measure(rounds=rounds)).items():
        print(f"{name:<44} {milliseconds:.3f} ms")
    return 0


async def measure(*, rounds: int) -> dict[str, float]:
    """Processor time in milliseconds, the median of all rounds, by what it was spent on."""
    schema = build_schema(operation_extensions(Limits(), clock=time.monotonic))
    make = contexts([memory_crm("memory", opportunities=100, account_currencies=False)])

    def context(*_: object) -> Context:
        return make()

    app = create_app(schema=schema, context_factory=context, settings=HttpSettings(), ready=lambda: True)
    spent = {
        "execution of { __typename }": _execution(schema, make),
        "request of { __typename }": _request(app, TYPENAME),
        "request of the board, 1 row": _request(app, BOARD, first=1),
        "request of the board, 100 rows": _request(app, BOARD, first=100),
    }
    for run in spent.values():
        for _ in range(10):
            await run()
    tune_gc()
    times: dict[str, list[float]] = {name: [] for name in spent}
    for _ in range(rounds):
        for name, run in spent.items():
            times[name].append(await _milliseconds(run))
    told = {name: median(of) for name, of in times.items()}
    execution, request, *_ = times.values()
    told["besides lists and fields"] = median(whole - part for part, whole in zip(execution, request, strict=True))
    return told


async def _milliseconds(run: Callable[[], Awaitable[None]]) -> float:
    begun = time.process_time()
    for _ in range(TURNS):
        await run()
    return (time.process_time() - begun) / TURNS * 1_000


def _execution(schema: Any, make: ContextMaker) -> Callable[[], Awaitable[None]]:
    document = parse(TYPENAME)

    async def run() -> None:
        executor = schema.execution_context_class
        result = execute(schema._schema, document, context_value=make(), executor_class=executor, is_awaitable=optimized_is_awaitable)  # noqa: SLF001  # it has no public name
        assert result.errors is None, result.errors

    return run


def _request(app: ASGIApp, query: str, **variables: int) -> Callable[[], Awaitable[None]]:
    body = orjson.dumps({"query": query, "variables": variables})
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "root_path": "",
        "query_string": b"",
        "headers": [*HEADERS, (b"content-length", str(len(body)).encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }

    async def run() -> None:
        received: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Message] = []

        async def receive() -> Message:
            if not received:
                await asyncio.Event().wait()  # the client stays
            return received.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        await app(dict(scope), receive, send)
        assert sent[0]["status"] == 200, sent
        assert sent[1]["body"].startswith(b'{"data":{'), sent[1]["body"]

    return run


if __name__ == "__main__":
    raise SystemExit(main())
