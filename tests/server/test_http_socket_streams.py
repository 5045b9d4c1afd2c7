"""Subscriptions over graphql-transport-ws: live events, how they end, and clients that do not read."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from resolvers.errors import UserError
from server.http.protocol import PatientSocket
from server.limits import Limits
from tests.server.stage_feed import SUBSCRIPTION, FeedServer, serving
from vendors.errors import ErrorCode

LAGGED = UserError(ErrorCode.SUBSCRIBER_LAGGED, "Too far behind; subscribe again with `after`.", cursor="c7")


async def subscribe(socket: aiohttp.ClientWebSocketResponse, key: str = "1", query: str = SUBSCRIPTION, **payload: Any) -> None:
    await socket.send_json({"id": key, "type": "subscribe", "payload": {"query": query, **payload}})


async def received(socket: aiohttp.ClientWebSocketResponse, number: int) -> list[Any]:
    return [await socket.receive_json(timeout=60) for _ in range(number)]


async def silent(server: FeedServer, query: str) -> asyncio.StreamWriter:
    """Subscribe through a socket that reads nothing but its handshake and acknowledgement."""
    reader, writer = await asyncio.open_connection(server.host, server.port, limit=1024)
    writer.write(
        b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    )
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    writer.write(text_frame({"type": "connection_init"}) + text_frame({"id": "1", "type": "subscribe", "payload": {"query": query}}))
    await asyncio.wait_for(server.feed.until_followed_by(1), 60)
    return writer


def text_frame(message: object) -> bytes:
    """A text frame of a client, masked with zeros."""
    data = json.dumps(message).encode()
    return b"\x81\xfe" + len(data).to_bytes(2) + b"\0\0\0\0" + data


LARGE = 'subscription{opportunityStageChanged(after:"c0"){padding(size:100000)}}'


async def test_a_client_resumes_with_its_last_cursor() -> None:
    async with serving() as server:
        socket = await server.socket()
        await subscribe(socket)
        await server.feed.until_followed_by(1)
        await server.feed.add("e1", "e2")
        live = await received(socket, 2)
        await socket.close()
        await server.feed.add("e3")
        socket = await server.socket()
        await subscribe(socket, variables={"after": "c1"})
        resumed = await received(socket, 2)

    assert [message["type"] for message in (*live, *resumed)] == ["next"] * 4
    events = [message["payload"]["data"]["opportunityStageChanged"] for message in (*live, *resumed)]
    assert [(event["cursor"], event["eventId"]) for event in events] == [("c1", "e1"), ("c2", "e2"), ("c2", "e2"), ("c3", "e3")]


async def test_what_the_client_completes_or_leaves_ends_at_once() -> None:
    async with serving() as server:
        socket = await server.socket()
        await subscribe(socket)
        await subscribe(socket, "2")
        await server.feed.until_followed_by(2)
        await socket.send_json({"id": "1", "type": "complete"})
        await asyncio.wait_for(server.feed.until_followed_by(1), 60)
        await subscribe(socket, "1", '{echo(text:"a")}')
        again = await received(socket, 2)
        await socket.close()
        await asyncio.wait_for(server.feed.until_followed_by(0), 60)

    assert [(message["id"], message["type"]) for message in again] == [("1", "next"), ("1", "complete")]


async def test_an_operation_that_is_completed_before_it_begins_never_does() -> None:
    async with serving() as server:
        socket = await server.socket()
        for _ in range(20):
            await subscribe(socket)
            await socket.send_json({"id": "1", "type": "complete"})
        await subscribe(socket, "2", '{echo(text:"a")}')
        await received(socket, 2)
        await asyncio.wait_for(server.feed.until_followed_by(0), 60)


@pytest.mark.parametrize(
    ("failure", "extensions"),
    [(LAGGED, {"code": "SUBSCRIBER_LAGGED", "cursor": "c7"}), (RuntimeError("private detail"), {"code": "INTERNAL"})],
)
async def test_the_failure_of_a_stream_is_an_error_of_its_operation_only(failure: Exception, extensions: object) -> None:
    async with serving() as server:
        socket = await server.socket()
        await subscribe(socket)
        await server.feed.until_followed_by(1)
        await server.feed.add("e1")
        await server.feed.fail(failure)
        event, error = await received(socket, 2)
        await subscribe(socket, "1", '{echo(text:"a")}')
        others = await received(socket, 2)

    assert (event["type"], error["id"], error["type"]) == ("next", "1", "error")
    assert [told["extensions"] for told in error["payload"]] == [extensions]
    assert "private detail" not in str(error)
    assert [message["type"] for message in others] == ["next", "complete"]


@pytest.mark.parametrize(
    ("query", "extensions"),
    [
        ('subscription{opportunityStageChanged(after:"expired"){cursor}}', {"code": "CURSOR_EXPIRED", "oldestCursor": "c1"}),
        ("subscription{refused}", {"code": "NOT_SUPPORTED"}),
    ],
)
async def test_a_stream_that_cannot_begin_says_why(query: str, extensions: object) -> None:
    async with serving() as server:
        socket = await server.socket()
        await subscribe(socket, "1", query)
        (error,) = await received(socket, 1)

    assert error["type"] == "error"
    assert [told["extensions"] for told in error["payload"]] == [extensions]


@pytest.mark.parametrize("query", ["", "fragment F on Query { echo }"])
async def test_a_document_without_an_operation_is_a_mistake_of_the_client(query: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        socket = await server.socket()
        await subscribe(socket, "1", query)
        (error,) = await received(socket, 1)

    assert (error["type"], error["payload"][0]["extensions"]) == ("error", {"code": "BAD_USER_INPUT"})
    assert [record for record in caplog.records if record.exc_info] == []


async def test_an_event_that_fails_or_hangs_is_an_event_with_errors_and_the_stream_goes_on() -> None:
    query = 'subscription{opportunityStageChanged{eventId slowIf(eventId:"e1")}}'

    async with serving(limits=Limits(deadline_seconds=0.05, grace_seconds=0)) as server:
        socket = await server.socket()
        await subscribe(socket, "1", query)
        await subscribe(socket, "2", "subscription{opportunityStageChanged{broken}}")
        await server.feed.until_followed_by(2)
        await server.feed.add("e1", "e2")
        messages = await received(socket, 4)

    assert [message["type"] for message in messages] == ["next"] * 4
    hung, after = [message["payload"] for message in messages if message["id"] == "1"]
    assert [error["extensions"]["code"] for error in hung["errors"]] == ["TIMEOUT"]
    assert after["data"]["opportunityStageChanged"]["eventId"] == "e2"
    broken = [message["payload"] for message in messages if message["id"] == "2"]
    assert [payload["errors"][0]["extensions"]["code"] for payload in broken] == ["INTERNAL", "INTERNAL"]


async def test_a_client_that_does_not_read_makes_nobody_wait_and_holds_little() -> None:
    async with serving() as server:
        await server.feed.add(*(f"e{number}" for number in range(500)))
        writer = await silent(server, LARGE)
        socket = await server.socket()
        await subscribe(socket, variables={"after": "c0"})
        await received(socket, 500)
        made, held = server.feed.made - 500, server.unsent()
        writer.transport.abort()
        await asyncio.wait_for(server.feed.until_followed_by(1), 60)

    assert 0 < made < 250
    assert 0 < held < 300_000


async def test_a_client_that_only_pings_is_not_answered_more_than_it_takes() -> None:
    ping = b"\x89\xfd\0\0\0\0" + b"x" * 125

    async with serving() as server:
        await server.feed.add(*(f"e{number}" for number in range(500)))
        writer = await silent(server, LARGE)
        for _ in range(50):
            writer.write(ping * 1000)
            await asyncio.wait_for(writer.drain(), 60)
        writer.write(text_frame({"id": "1", "type": "complete"}))
        await asyncio.wait_for(server.feed.until_followed_by(0), 60)
        held = server.unsent()
        writer.transport.abort()

    assert 0 < held < 300_000


async def test_a_client_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientSocket, "stall_timeout_seconds", 0.01)

    async with serving() as server:
        await server.feed.add(*(f"e{number}" for number in range(500)))
        writer = await silent(server, LARGE)

        await asyncio.wait_for(server.feed.until_followed_by(0), 60)
        writer.transport.abort()


async def test_sockets_are_closed_with_a_reason_when_the_server_stops(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        await server.feed.add(*(f"e{number}" for number in range(500)))
        writer = await silent(server, LARGE)
        socket = await server.socket()
        await subscribe(socket)
        await server.feed.until_followed_by(2)
        server.server.should_exit = True
        end = await socket.receive(timeout=60)
        await asyncio.wait_for(server.feed.until_followed_by(0), 60)
        writer.transport.abort()

    assert (end.type, end.data, end.extra) == (aiohttp.WSMsgType.CLOSE, 1001, "The server is stopping; please come back.")
    assert [record for record in caplog.records if record.exc_info] == []
