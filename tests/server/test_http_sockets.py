"""graphql-transport-ws: what ends an operation, what ends the socket, and that neither ends it without a reason."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from server.http import HttpSettings
from server.limits import Limits
from tests.server.toy_graph import ToyServer, serving

LONG = "x" * 500
SUBSCRIBE: dict[str, Any] = {"id": "1", "type": "subscribe", "payload": {"query": "{__typename}"}}


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in SUBSCRIBE.items() if name not in names}


async def _connected(server: ToyServer) -> aiohttp.ClientWebSocketResponse:
    socket = await server.http.ws_connect(server.url, protocols=["graphql-transport-ws"])
    await socket.send_json({"type": "connection_init"})
    assert (await socket.receive_json(timeout=60))["type"] == "connection_ack"
    return socket


async def _end(socket: aiohttp.ClientWebSocketResponse) -> tuple[int, str]:
    """Code and reason that a socket is closed with, whatever comes before."""
    message = await socket.receive(timeout=60)
    while message.type is aiohttp.WSMsgType.TEXT:
        message = await socket.receive(timeout=60)
    return (int(message.data), str(message.extra)) if message.type is aiohttp.WSMsgType.CLOSE else (1006, "")


async def _answers(socket: aiohttp.ClientWebSocketResponse, key: str, query: str, variables: object = None) -> list[dict[str, object]]:
    await socket.send_json({"id": key, "type": "subscribe", "payload": {"query": query, "variables": variables}})
    messages: list[dict[str, object]] = []
    while not messages or messages[-1]["type"] == "next":
        messages.append(await socket.receive_json(timeout=60))
    return messages


async def test_operations_of_a_socket_have_contexts_and_limits_of_their_own() -> None:
    async with (
        serving(limits=Limits(max_root_fields=2)) as server,
        server.http.ws_connect(server.url, protocols=["graphql-transport-ws"]) as socket,
    ):
        await socket.send_json({"type": "connection_init", "payload": {"token": "t"}})
        assert (await socket.receive_json(timeout=60))["type"] == "connection_ack"

        counted = await _answers(socket, "1", "subscription{count(to:2)}")
        refused = await _answers(socket, "2", "{a:__typename b:__typename c:__typename}")
        syntax = await _answers(socket, "3", "{")
        variables = await _answers(socket, "4", "{parent{name}}", ["x"])
        answered = await _answers(socket, "5", "{parent{name}}")

    assert [message["type"] for message in counted] == ["next", "next", "complete"]
    assert refused[0]["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"  # type: ignore[index]
    assert syntax[0]["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"  # type: ignore[index]
    assert variables[0]["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"  # type: ignore[index]
    assert answered[0]["payload"]["data"] == {"parent": {"name": "root"}}  # type: ignore[index]
    assert len(set(map(id, server.journal.contexts))) == 5
    assert {context.connection_params["token"] for context in server.journal.contexts} == {"t"}


async def test_the_deadline_holds_on_a_socket_too() -> None:
    async with (
        serving(limits=Limits(deadline_seconds=0.05, grace_seconds=0)) as server,
        server.http.ws_connect(server.url, protocols=["graphql-transport-ws"]) as socket,
    ):
        await socket.send_json({"type": "connection_init"})
        await socket.receive_json(timeout=60)

        (message,) = await _answers(socket, "1", "{slow}")

    assert message["payload"][0]["extensions"]["code"] == "TIMEOUT"  # type: ignore[index]
    assert server.journal.cancelled.is_set()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({}, "A message has a `type`"),
        ({"type": 7}, "A message has a `type`"),
        ({"type": ["ping"]}, "A message has a `type`"),
        ({"type": "start"}, "Unknown message type: start"),
        ({"type": LONG}, "Unknown message type: xxx"),
        ({"type": "é" * 200}, "Unknown message type: é"),
        ({"type": "ping", "payload": "x"}, "`payload` must be an object"),
        ({"type": "connection_init", "payload": [1]}, "`payload` must be an object"),
        (without("id"), "`id` must be a string"),
        ({**SUBSCRIBE, "id": 1}, "`id` must be a string"),
        ({**SUBSCRIBE, "id": ["1"]}, "`id` must be a string"),
        ({**SUBSCRIBE, "id": ""}, "`id` must be a string"),
        (without("payload"), "`payload` of subscribe must be an object"),
        ({**SUBSCRIBE, "payload": None}, "`payload` of subscribe must be an object"),
        ({**SUBSCRIBE, "payload": "{__typename}"}, "`payload` of subscribe must be an object"),
        ({**SUBSCRIBE, "payload": []}, "`payload` of subscribe must be an object"),
        ({**SUBSCRIBE, "payload": {}}, "`payload.query` must be a string"),
        ({**SUBSCRIBE, "payload": {"query": 7}}, "`payload.query` must be a string"),
        ({**SUBSCRIBE, "payload": {"query": None}}, "`payload.query` must be a string"),
        ({**SUBSCRIBE, "payload": {"query": "{__typename}", "operationName": 7}}, "`payload.operationName` must be"),
        ({**SUBSCRIBE, "payload": {"query": "{__typename}", "extensions": []}}, "`payload.extensions` must be"),
        ({"type": "complete"}, "`id` must be a string"),
        ({"type": "complete", "id": {}}, "`id` must be a string"),
    ],
)
async def test_a_message_that_is_none_ends_the_socket_with_a_reason(
    message: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server:
        socket = await _connected(server)
        await socket.send_json(message)
        code, told = await _end(socket)

    assert (code, told[: len(reason)]) == (4400, reason)
    assert [record for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize("frame", ["null", "[]", "{", "", "hello", '"ping"', "1" * 5000, "[" * 5000, '{"type": "\\ud800"}'])
async def test_text_that_is_no_object_in_json_ends_the_socket_with_a_reason(frame: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        socket = await _connected(server)
        await socket.send_str(frame)

        assert await _end(socket) == (4400, "WebSocket message must be valid JSON")

    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_binary_frame_ends_the_socket_with_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        socket = await _connected(server)
        await socket.send_bytes(json.dumps(SUBSCRIBE).encode())

        assert await _end(socket) == (4400, "WebSocket message type must be text")

    assert [record for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize(
    ("frame", "code", "reason"),
    [
        (b"\x81\x81\0\0\0\0\xff", 1007, "Text must be UTF-8"),
        (b"\x01\x81\0\0\0\0\xc3\x80\x81\0\0\0\0\xc3", 1007, "Text must be UTF-8"),
        (b"\x81\x02{}", 1002, "incorrect masking"),
        (b"\x81\xff\0\0\0\0\0\x20\0\0\0\0\0\0", 1009, ""),
    ],
    ids=["no UTF-8", "no UTF-8 in two frames", "not masked", "too large"],
)
async def test_a_frame_that_is_none_ends_the_socket_as_the_standard_says(
    frame: bytes, code: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server:
        socket = await _connected(server)
        connection = socket._response.connection  # pyright: ignore[reportPrivateUsage]
        assert connection is not None
        assert connection.transport is not None
        connection.transport.write(frame)
        ended = await _end(socket)

    assert (ended[0], ended[1][: len(reason)]) == (code, reason)
    assert [record for record in caplog.records if record.exc_info] == []


async def test_what_runs_ends_with_the_socket_and_without_noise(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        socket = await _connected(server)
        await socket.send_json({**SUBSCRIBE, "payload": {"query": "{slow}"}})
        await asyncio.wait_for(server.journal.started.wait(), 60)
        await socket.send_json({"type": "nonsense"})

        assert (await _end(socket))[0] == 4400
        await asyncio.wait_for(server.journal.cancelled.wait(), 60)

    assert [record for record in caplog.records if record.exc_info] == []


async def test_an_id_in_use_ends_the_socket_however_long_it_is() -> None:
    request = {**SUBSCRIBE, "id": LONG, "payload": {"query": "{slow}"}}

    async with serving() as server:
        socket = await _connected(server)
        await socket.send_json(request)
        await socket.send_json(request)
        code, reason = await _end(socket)

    assert (code, reason[:18], len(reason)) == (4409, "Subscriber for xxx", 123)


async def test_a_mistake_in_an_operation_ends_that_operation_only() -> None:
    async with serving() as server:
        socket = await _connected(server)
        (syntax,) = await _answers(socket, "1", "{")
        (unclear,) = await _answers(socket, "2", "query A{__typename} query B{__typename}")
        (empty,) = await _answers(socket, "3", "")
        answered = await _answers(socket, "1", "{__typename}")

    assert [message["type"] for message in (syntax, unclear, empty)] == ["error"] * 3
    assert syntax["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"  # type: ignore[index]
    assert answered[0]["payload"] == {"data": {"__typename": "Query"}}


async def test_one_operation_too_many_is_refused_and_the_others_go_on() -> None:
    async with serving(HttpSettings(max_operations_per_socket=1)) as server:
        socket = await _connected(server)
        await socket.send_json({**SUBSCRIBE, "payload": {"query": "{slow}"}})
        (refused,) = await _answers(socket, "2", "{__typename}")
        server.journal.release.set()
        first = await socket.receive_json(timeout=60)

    assert refused["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"  # type: ignore[index]
    assert (first["id"], first["payload"]) == ("1", {"data": {"slow": "done"}})


async def test_a_mistake_of_ours_tells_nothing_of_itself() -> None:
    async with serving() as server:
        socket = await _connected(server)
        (message, *_) = await _answers(socket, "1", "{broken}")

    assert "private detail" not in str(message)
    assert message["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL"  # type: ignore[index]


async def test_text_that_is_no_unicode_does_not_cost_the_answer() -> None:
    async with serving() as server:
        socket = await _connected(server)
        (message, *_) = await _answers(socket, "1", "{halfAPair}")

    assert message["payload"] == {"data": {"halfAPair": "\ud800"}}


async def test_a_socket_begins_once_and_in_time_and_before_it_asks() -> None:
    async with serving() as server:
        twice = await _connected(server)
        await twice.send_json({"type": "connection_init"})
        never = await server.http.ws_connect(server.url, protocols=["graphql-transport-ws"])
        await never.send_json(SUBSCRIBE)
        other = await server.http.ws_connect(server.url, protocols=["graphql-ws"])
        ends = [await _end(socket) for socket in (twice, never, other)]
    async with serving(HttpSettings(connection_init_timeout_seconds=0.01)) as server:
        late = await server.http.ws_connect(server.url, protocols=["graphql-transport-ws"])
        ends.append(await _end(late))

    assert ends == [
        (4429, "Too many initialisation requests"),
        (4401, "Unauthorized"),
        (4406, "Subprotocol not acceptable"),
        (4408, "Connection initialisation timeout"),
    ]


async def test_nothing_may_be_given_as_null() -> None:
    async with serving() as server:
        socket = await server.http.ws_connect(server.url, protocols=["graphql-transport-ws"])
        await socket.send_json({"type": "connection_init", "payload": None})
        await socket.send_json({"type": "ping", "payload": None})
        await socket.send_json({"type": "ping", "payload": {"at": 1}})
        nothing = {"operationName": None, "variables": None, "extensions": None}
        await socket.send_json({**SUBSCRIBE, "payload": {"query": "{__typename}", **nothing}})
        replies = [await socket.receive_json(timeout=60) for _ in range(4)]

    assert replies[:3] == [{"type": "connection_ack"}, {"type": "pong"}, {"type": "pong", "payload": {"at": 1}}]
    assert replies[3]["payload"] == {"data": {"__typename": "Query"}}


async def test_a_client_that_is_silent_after_a_ping_is_let_go() -> None:
    async with serving(HttpSettings(ping_interval_seconds=0.01, pong_timeout_seconds=0.01)) as server:
        socket = await _connected(server)
        ping = await socket.receive_json(timeout=60)

        assert (ping, await _end(socket)) == ({"type": "ping"}, (4408, "Pong timeout"))


async def test_a_client_that_answers_pings_stays() -> None:
    async with serving(HttpSettings(ping_interval_seconds=0.01, pong_timeout_seconds=5)) as server:
        socket = await _connected(server)
        for _ in range(5):
            assert await socket.receive_json(timeout=60) == {"type": "ping"}
            await socket.send_json({"type": "pong"})
        await socket.send_json(SUBSCRIBE)
        while (answer := await socket.receive_json(timeout=60))["type"] == "ping":
            await socket.send_json({"type": "pong"})

    assert answer["payload"] == {"data": {"__typename": "Query"}}


async def test_a_mutation_goes_on_when_nobody_waits_for_it_any_more() -> None:
    async with serving() as server:
        socket = await _connected(server)
        await socket.send_json({**SUBSCRIBE, "payload": {"query": "mutation{saveSlowly}"}})
        await asyncio.wait_for(server.journal.started.wait(), 60)
        await socket.send_json({"id": "1", "type": "complete"})
        answered = await _answers(socket, "1", "{__typename}")
        await socket.close()
        server.journal.release.set()
        await asyncio.wait_for(server.journal.finished.wait(), 60)

    assert [message["type"] for message in answered] == ["next", "complete"]
    assert not server.journal.cancelled.is_set()
