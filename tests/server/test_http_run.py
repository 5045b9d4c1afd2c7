import asyncio
import contextlib
import gc

import orjson
import pytest
from starlette.applications import Starlette

from server.http import GraphServer, HttpSettings, listen, uvicorn_config
from server.http.protocol import PatientProtocol
from server.http.run import tune_gc
from tests.server.toy_graph import serving
from vendors.errors import ConfigError


def test_a_port_in_use_is_told_with_its_address() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: the port is in use"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(("host", "port"), [("no such host", 0), ("203.0.113.1", 0), ("127.0.0.1", 99999)])
def test_an_address_that_cannot_be_had_is_a_mistake_of_the_configuration(host: str, port: int) -> None:
    with pytest.raises(ConfigError, match="Cannot listen on"):
        listen(host, port)


def test_an_origin_is_a_scheme_and_a_host() -> None:
    with pytest.raises(ConfigError, match="cors_origins"):
        HttpSettings(cors_origins=("https://example.com/app",))


def test_a_tuned_garbage_collector_looks_less_often_and_not_at_what_there_is() -> None:
    before = gc.get_threshold()
    try:
        tune_gc()

        assert gc.get_threshold() == (200_000, 50, 100)
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


@pytest.mark.parametrize("sent", [b"", b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nX-Half"], ids=["nothing", "half a header"])
async def test_a_client_that_does_not_finish_its_headers_is_let_go(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "header_timeout_seconds", 0.05)

    async with serving() as server:
        answer = await asyncio.wait_for(server.exchange(sent), 60)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["errors"][0]["extensions"] == {"code": "TIMEOUT"}


async def test_headers_without_an_end_are_not_collected() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Large: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                writer.write(b"x" * 16_384)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

        reply = await server.get("/healthz")

    assert reply.status == 200


async def test_a_connection_serves_one_request_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "header_timeout_seconds", 5.0)
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    async with serving() as server:
        answers = await asyncio.wait_for(server.exchange(request + request + last), 60)

    assert answers.count(b"HTTP/1.1 200 OK") == 3


async def test_what_runs_when_the_server_stops_cannot_keep_it_from_stopping(caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> None:
        raise RuntimeError("a hook failed")

    async def last() -> None:
        ran.append("last")

    ran: list[str] = []
    listener = listen("127.0.0.1", 0)
    server = GraphServer(uvicorn_config(Starlette()), [failing, last])
    server.should_exit = True
    await server.serve(sockets=[listener])

    assert ran == ["last"]
    assert ["a hook failed" in str(record.exc_info) for record in caplog.records if record.exc_info] == [True]
