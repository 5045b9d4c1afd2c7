"""graphql-transport-ws: operations and their events over a WebSocket.

A message that is none ends the socket with 4400 and a reason; a mistake in an operation ends that operation. Nothing is sent that the
client has no room for: an operation waits until its message is on its way, and what the client sends is read no faster than it is answered.
Source: "GraphQL over WebSocket Protocol" (PROTOCOL.md of graphql-ws), messages and close codes.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Final, cast

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from server.http.answer import INTERNAL_ERROR, encoded
from server.http.body import GraphQLParameters, parse_json
from server.http.operations import Failure, Operations
from server.http.refusal import RefusedError
from server.http.settings import HttpSettings
from server.http.streams import OpenStreams
from server.limits import RunningOperation, running_operation
from vendors.errors import ErrorCode

logger = logging.getLogger(__name__)

PROTOCOL: Final = "graphql-transport-ws"

_REASON_BYTES: Final = 123  # Source: RFC 6455, 5.5: a control frame carries 125 bytes, two of which are the code.
_GOING_AWAY: Final = 1001  # Source: RFC 6455, 7.4.1: "going away", such as a server going down.
_BAD_REQUEST: Final = 4400
_UNAUTHORIZED: Final = 4401
_NOT_ACCEPTABLE: Final = 4406
_TIMEOUT: Final = 4408
_ALREADY_EXISTS: Final = 4409
_TOO_MANY_INITS: Final = 4429


@dataclass(eq=False, slots=True)
class _Started:
    """An operation that runs, or that the client no longer waits for but which must not be cancelled."""

    task: "asyncio.Task[None]"
    running: RunningOperation


class GraphQLSocket:
    """One WebSocket from its handshake to its end."""

    def __init__(self, socket: WebSocket, operations: Operations, settings: HttpSettings, streams: OpenStreams) -> None:
        self._socket = socket
        self._operations = operations
        self._settings = settings
        self._streams = streams
        self._connection_params: Mapping[str, object] = {}
        self._acknowledged = asyncio.Event()
        self._heard = asyncio.Event()
        self._sending = asyncio.Lock()
        self._started: dict[str, _Started] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Accept the socket and answer its messages until it ends."""
        is_ours = PROTOCOL in self._socket.scope["subprotocols"]
        await self._socket.accept(subprotocol=PROTOCOL if is_ours else None)
        if not is_ours:
            await self._close(_NOT_ACCEPTABLE, "Subprotocol not acceptable")
            return
        with self._streams.opened(self._stop):
            watch = asyncio.create_task(self._watch())
            try:
                await self._read()
            finally:
                watch.cancel()
                await self._end_operations()

    def _stop(self) -> None:
        self._keep(asyncio.create_task(self._close(_GOING_AWAY, "The server is stopping; please come back.")))

    async def _read(self) -> None:
        while self._is_open:
            event = await self._socket.receive()
            if event["type"] != "websocket.receive":
                return
            self._heard.set()
            await self._handle(event)

    async def _handle(self, event: Message) -> None:
        """Look at a message before anything is done with it."""
        text = event.get("text")
        if text is None:
            await self._close(_BAD_REQUEST, "WebSocket message type must be text")
            return
        try:
            message: object = parse_json(text.encode(), self._settings)
        except RefusedError:
            message = None
        if not isinstance(message, dict):
            await self._close(_BAD_REQUEST, "WebSocket message must be valid JSON")
            return
        given = cast("Mapping[str, Any]", message)
        mistake = mistake_in(given)
        if mistake is not None:
            await self._close(_BAD_REQUEST, mistake)
            return
        match given["type"]:
            case "connection_init":
                await self._initialise(given.get("payload") or {})
            case "ping":
                payload = given.get("payload")
                await self._send({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})
            case "subscribe":
                await self._subscribe(given["id"], given["payload"])
            case "complete":
                self._drop(given["id"])
            case _:  # a pong, which has been heard
                pass

    async def _initialise(self, payload: Mapping[str, object]) -> None:
        if self._acknowledged.is_set():
            await self._close(_TOO_MANY_INITS, "Too many initialisation requests")
            return
        self._connection_params = payload
        self._acknowledged.set()
        await self._send({"type": "connection_ack"})

    async def _subscribe(self, key: str, payload: Mapping[str, Any]) -> None:
        maximum = self._settings.max_operations_per_socket
        if not self._acknowledged.is_set():
            await self._close(_UNAUTHORIZED, "Unauthorized")
        elif key in self._started:
            await self._close(_ALREADY_EXISTS, f"Subscriber for {key} already exists")
        elif sum(not task.cancelling() for task in self._tasks) >= maximum:
            message = f"{maximum} operations are running on this socket; let one of them end."
            await self._send(_error(key, [{"message": message, "extensions": {"code": ErrorCode.LIMIT_EXCEEDED}}]))
        else:
            parameters = GraphQLParameters(
                query=payload["query"],
                variables=payload.get("variables"),
                operation_name=payload.get("operationName") or None,
                extensions=payload.get("extensions"),
            )
            running = RunningOperation()
            token = running_operation.set(running)
            task = asyncio.create_task(self._run(key, parameters))
            running_operation.reset(token)
            self._started[key] = _Started(task, running)
            self._keep(task)

    async def _run(self, key: str, parameters: GraphQLParameters) -> None:
        """Run an operation and send what comes of it, as long as the client waits for it."""
        own = asyncio.current_task()
        try:
            context = await self._operations.context(self._socket, self._connection_params)
            last: Mapping[str, object] = {"id": key, "type": "complete"}
            async with aclosing(self._operations.outcomes(parameters, context)) as outcomes:
                async for outcome in outcomes:
                    if isinstance(outcome, Failure):
                        last = _error(key, outcome.errors)
                    elif self._is_awaited(key, own):
                        await self._send({"id": key, "type": "next", "payload": outcome.body})
        except Exception:
            logger.exception("An operation failed in the server itself")
            last = _error(key, [INTERNAL_ERROR])
        if self._is_awaited(key, own):
            del self._started[key]  # before the message, after which the client may use the id again
            await self._send(last)

    def _is_awaited(self, key: str, task: "asyncio.Task[None] | None") -> bool:
        started = self._started.get(key)
        return started is not None and started.task is task

    def _drop(self, key: str) -> None:
        """The client waits no longer; a mutation that has begun goes on, since nobody could tell what became of it."""
        started = self._started.pop(key, None)
        if started is not None and started.running.abandonable:
            started.task.cancel()

    async def _end_operations(self) -> None:
        for key in list(self._started):
            self._drop(key)
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        except asyncio.CancelledError:
            for task in self._tasks:
                task.cancel()
            raise

    async def _watch(self) -> None:
        """Close the socket of a client that does not begin, or that is not heard of any more.

        A missing pong is told with a code of the protocol's own range, after which its clients come back; 1011 would end them for good.
        """
        settings = self._settings
        try:
            async with asyncio.timeout(settings.connection_init_timeout_seconds):
                await self._acknowledged.wait()
        except TimeoutError:
            await self._close(_TIMEOUT, "Connection initialisation timeout")
            return
        while True:
            await asyncio.sleep(settings.ping_interval_seconds)
            self._heard.clear()
            try:
                async with asyncio.timeout(settings.pong_timeout_seconds):
                    await self._send({"type": "ping"})
                    await self._heard.wait()
            except TimeoutError:
                await self._close(_TIMEOUT, "Pong timeout")
                return

    @property
    def _is_open(self) -> bool:
        return self._socket.application_state is WebSocketState.CONNECTED

    async def _send(self, message: Mapping[str, object]) -> None:
        """Send when there is room; what comes after the end is dropped."""
        data = encoded(message).decode()
        async with self._sending:  # those who wait for room go on one by one
            if self._is_open:
                with suppress(WebSocketDisconnect):
                    await self._socket.send_text(data)

    async def _close(self, code: int, reason: str) -> None:
        if self._is_open:
            with suppress(WebSocketDisconnect):
                await self._socket.close(code, reason.encode()[:_REASON_BYTES].decode(errors="ignore"))

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def mistake_in(message: Mapping[str, object]) -> str | None:
    """What makes a JSON object no message of the protocol; None when it is one."""
    payload = message.get("payload")
    match message.get("type"):
        case "subscribe":
            return _mistake_of_id(message) or _mistake_in_request(payload)
        case "complete":
            return _mistake_of_id(message)
        case "connection_init" | "ping" | "pong":
            return None if isinstance(payload, dict | None) else "`payload` must be an object or null"
        case str(kind):
            return f"Unknown message type: {kind}"
        case _:
            return "A message has a `type`, which is a string"


def _mistake_of_id(message: Mapping[str, object]) -> str | None:
    local_id = message.get("id")
    return None if isinstance(local_id, str) and local_id else "`id` must be a string that is not empty"


def _mistake_in_request(payload: object) -> str | None:
    """Of the variables the operation itself tells."""
    if not isinstance(payload, dict):
        return "`payload` of subscribe must be an object"
    request = cast("Mapping[str, object]", payload)
    if not isinstance(request.get("query"), str):
        return "`payload.query` must be a string with a GraphQL document"
    if not isinstance(request.get("operationName"), str | None):
        return "`payload.operationName` must be a string or null"
    return None if isinstance(request.get("extensions"), dict | None) else "`payload.extensions` must be an object or null"


def _error(key: str, errors: list[dict[str, Any]]) -> Mapping[str, object]:
    return {"id": key, "type": "error", "payload": errors}
