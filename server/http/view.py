"""GraphQL over HTTP at one address: negotiation, parameters, execution, answer. WebSockets go to `transport_ws`.

Source: GraphQL over HTTP, draft specification (media types, status codes, methods).
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any, cast

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry import Schema
from strawberry.asgi import GraphQL
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from server.graphiql import CONTENT_SECURITY_POLICY
from server.http.answer import Answer, answer_from_result, encoded, request_error, response_from_answer
from server.http.body import GraphQLParameters, parameters_of_get, parameters_of_post, parse_json
from server.http.csrf import may_query_by_get
from server.http.media import GRAPHQL_RESPONSE, HTML, JSON, answer_type
from server.http.refusal import RefusedError
from server.http.settings import HttpSettings
from server.http.transport_ws import SocketAdapter, SocketSession, TransportWSHandler
from server.limits import RunningOperation, running_operation
from vendors.errors import ErrorCode

logger = logging.getLogger(__name__)

# Not Strawberry's own table, which lets a subscription run by POST as if it were a query.
_ALLOWED = {"GET": frozenset({OperationType.QUERY}), "POST": frozenset({OperationType.QUERY, OperationType.MUTATION})}

ContextFactory = Callable[[HTTPConnection, Mapping[str, object]], Awaitable[object] | object]
"""Builds the context of one operation from the connection and, on a WebSocket, the payload of its connection_init."""


class GraphQLView(GraphQL[Any, None]):
    """The ASGI application behind `/graphql`.

    Args:
        schema: The schema; its extensions enforce the limits (see `server.limits.operation_extensions`).
        context_factory: Called once for each operation.
        settings: Sizes, origins, switches.
        page: Writes the page for browsers; None if there is none.
    """

    graphql_transport_ws_handler_class = TransportWSHandler
    websocket_adapter_class = SocketAdapter

    def __init__(
        self, *, schema: Schema, context_factory: ContextFactory, settings: HttpSettings, page: Callable[[], str] | None = None
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            allowed_origins=settings.cors_origins,
            max_subscriptions_per_connection=settings.max_operations_per_socket,
        )
        self._has_mutations = schema.mutation is not None
        self._has_subscriptions = schema.subscription is not None
        self._context_factory = context_factory
        self._settings = settings
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def operation_context(self, connection: HTTPConnection, connection_params: Mapping[str, object]) -> object:
        """Build a fresh context."""
        context = self._context_factory(connection, connection_params)
        return await context if isawaitable(context) else context

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Any:
        """Hold what a socket's operations share; Strawberry asks once for each socket."""
        del response
        assert isinstance(request, WebSocket)
        return SocketSession(request)

    def encode_json(self, data: object) -> str:
        """Encode a WebSocket message; text, since clients expect text frames."""
        return encoded(data).decode()

    def decode_json(self, data: str | bytes) -> object:
        """Decode a WebSocket message; anything but an object ends the connection with a reason."""
        raw = data.encode() if isinstance(data, str) else data
        try:
            message = parse_json(raw, self._settings)
        except RefusedError as error:
            raise json.JSONDecodeError(error.message, "", 0) from error
        if not isinstance(message, dict):
            raise json.JSONDecodeError("A message is an object", "", 0)
        return cast("dict[str, Any]", message)

    async def _respond(self, request: Request) -> Response:
        media_type = JSON
        try:
            if request.method not in ("GET", "POST"):
                raise RefusedError(405, "GraphQL answers GET and POST.", headers={"allow": "GET, POST"})  # noqa: TRY301
            accept = ", ".join(request.headers.getlist("accept"))
            chosen = answer_type(accept, html=self._page is not None and request.method == "GET")
            if chosen is None:
                raise RefusedError(406, f"Please accept {GRAPHQL_RESPONSE} or {JSON}.")  # noqa: TRY301
            if chosen == HTML and self._page is not None:
                headers = {"content-security-policy": CONTENT_SECURITY_POLICY, "vary": "accept", "cache-control": "no-cache"}
                return HTMLResponse(self._page(), headers=headers)
            media_type = chosen
            answer = await self._answer(request)
        except RefusedError as refusal:
            return refusal.response(media_type)
        except Exception:
            logger.exception("The request failed in the server itself")
            return RefusedError(500, "Internal error.", code=ErrorCode.INTERNAL).response(media_type)
        return response_from_answer(answer, media_type, status_partial_294=self._settings.status_partial_294)

    async def _answer(self, request: Request) -> Answer:
        if request.method == "GET":
            if not may_query_by_get(request.headers):
                message = (
                    "A browser may not run queries by GET for another site. Please send POST, or the header GraphQL-Require-Preflight."
                )
                raise RefusedError(403, message, code=ErrorCode.FORBIDDEN)
            parameters = parameters_of_get(request.query_params, self._settings)
        else:
            parameters = await parameters_of_post(request, self._settings)
        context = await self.operation_context(request, {})
        operation = self._execute(parameters, context, _ALLOWED[request.method])
        try:
            return answer_from_result(await _while_connected(request, operation))
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                over_socket = "Subscriptions run over WebSocket, with the protocol graphql-transport-ws."
                return request_error(over_socket if self._has_subscriptions else "This graph has no subscriptions.")
            if not self._has_mutations:
                return request_error("This graph has no mutations.")
            raise RefusedError(405, "Mutations are sent by POST.", headers={"allow": "POST"}) from error
        except CannotGetOperationTypeError as error:
            return request_error(error.as_http_error_reason())
        except MissingQueryError:
            return request_error("The document is empty.")

    async def _execute(self, parameters: GraphQLParameters, context: object, allowed: frozenset[OperationType]) -> ExecutionResult:
        return await self.schema.execute(
            parameters.query,
            variable_values=parameters.variables,
            context_value=context,
            operation_name=parameters.operation_name,
            allowed_operation_types=allowed,
            operation_extensions=parameters.extensions,
        )


async def _while_connected(request: Request, operation: Awaitable[ExecutionResult]) -> ExecutionResult:
    """Run an operation; cancel it when the client leaves, unless it is a mutation, whose outcome must not be left open.

    Raises:
        RefusedError: The client has left; nobody will read the answer.
    """
    running = RunningOperation()
    token = running_operation.set(running)
    task = asyncio.ensure_future(operation)
    running_operation.reset(token)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and running.abandonable:
            raise RefusedError(499, "The client has left.")
        return await task
    finally:
        for unfinished in (task, gone):
            if not unfinished.done():
                unfinished.cancel()
                await asyncio.wait((unfinished,))


async def _disconnected(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
