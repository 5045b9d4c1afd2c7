"""graphql-transport-ws: Strawberry's handler, stricter with messages and gentler with operations.

A message that is none ends the socket with 4400 and a reason; a mistake in an operation ends that operation. Each operation has a context
of its own. Source: "GraphQL over WebSocket Protocol" (PROTOCOL.md of graphql-ws), messages and close codes.
"""

import copy
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, cast

from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message, SubscribeMessage

from server.http.answer import masked
from vendors.errors import ErrorCode

_REASON_BYTES: Final = 123  # Source: RFC 6455, 5.5: a control frame carries 125 bytes, two of which are the code.


@dataclass(slots=True)
class SocketSession:
    """What the operations of one WebSocket share: the connection and what the client said when it connected."""

    connection: WebSocket
    connection_params: dict[str, object] = field(default_factory=dict[str, object])


class _MakesContexts(Protocol):
    operation_context: Callable[[WebSocket, Mapping[str, object]], Awaitable[object]]


class SocketAdapter(ASGIWebSocketAdapter):
    """A socket that can be written to at any time: what comes after its end is dropped, and a reason fits its frame."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        if self.ws.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnected):
                await super().send_json(message)

    async def close(self, code: int, reason: str) -> None:
        if self.ws.application_state is WebSocketState.CONNECTED:
            await super().close(code, reason.encode()[:_REASON_BYTES].decode(errors="ignore"))


class TransportWSHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """Strawberry's handler of graphql-transport-ws, with a context of its own for each operation."""

    async def handle_message(self, message: Message) -> None:
        """Look at a message before anything is done with it."""
        mistake = mistake_in(cast("Mapping[str, object]", message))
        if mistake is not None:
            await self.handle_invalid_message(mistake)
        else:
            await super().handle_message(message)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Start an operation, unless there are enough of them."""
        maximum = self.max_subscriptions_per_connection
        is_new = self.connection_acknowledged and message["id"] not in self.operations
        if is_new and maximum is not None and len(self.operations) >= maximum:
            error = GraphQLError(
                f"{maximum} operations are running on this socket; let one of them end.", extensions={"code": ErrorCode.LIMIT_EXCEEDED}
            )
            await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
        else:
            await super().handle_subscribe(message)

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        """Run one operation; a copy of the handler carries its context, everything else is shared."""
        session: SocketSession = self.context
        scoped = copy.copy(self)
        scoped.context = await cast("_MakesContexts", self.view).operation_context(session.connection, session.connection_params)
        await BaseGraphQLTransportWSHandler.run_operation(scoped, operation)

    async def send_message(self, message: Message) -> None:
        """Send a message, without the text of mistakes of ours."""
        shown = cast("dict[str, Any]", message)
        payload: Any = shown.get("payload")
        if shown["type"] == "error":
            shown = {**shown, "payload": [masked(error) for error in payload]}
        elif shown["type"] == "next" and "errors" in payload:
            shown = {**shown, "payload": {**payload, "errors": [masked(error) for error in payload["errors"]]}}
        await super().send_message(cast("Message", shown))

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        # A mistake in one operation ends that operation, not the others on the socket.
        del error
        return None


def mistake_in(message: Mapping[str, object]) -> str | None:
    """What makes a JSON object no message of the protocol; None when it is one."""
    payload = message.get("payload")
    match message.get("type"):
        case "subscribe":
            return _mistake_of_id(message) or _mistake_in_request(payload)
        case "complete":
            return _mistake_of_id(message)
        case "connection_init" | "ping" | "pong":
            return None if isinstance(payload, dict) or "payload" not in message else "`payload` must be an object"
        case str(kind):
            return f"Unknown message type: {kind}"
        case _:
            return "A message has a `type`, which is a string"


def _mistake_of_id(message: Mapping[str, object]) -> str | None:
    local_id = message.get("id")
    return None if isinstance(local_id, str) and local_id else "`id` must be a string that is not empty"


def _mistake_in_request(payload: object) -> str | None:
    """Of the variables the operation itself tells."""
    match payload:
        case {"query": str()}:
            name = cast("Mapping[str, object]", payload).get("operationName")
            return None if isinstance(name, str | None) else "`payload.operationName` must be a string or null"
        case {}:
            return "`payload.query` must be a string with a GraphQL document"
        case _:
            return "`payload` of subscribe must be an object"
