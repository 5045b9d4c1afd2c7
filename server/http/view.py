"""GraphQL over HTTP at one address: negotiation, parameters, execution, answer. WebSockets go to `transport_ws`.

Source: GraphQL over HTTP, draft specification (media types, status codes, methods).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry import Schema
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from server.graphiql import CONTENT_SECURITY_POLICY
from server.http.answer import Answer, answer_from_result, request_error, response_from_answer
from server.http.body import GraphQLParameters, parameters_of_get, parameters_of_post
from server.http.csrf import may_query_by_get
from server.http.kept_answers import FootingOf, KeptAnswers
from server.http.media import EVENT_STREAM, GRAPHQL_RESPONSE, HTML, JSON, MULTIPART, answer_type, stream_type
from server.http.operations import ContextFactory, Operations, Resumable
from server.http.refusal import RefusedError
from server.http.settings import HttpSettings
from server.http.streams import OpenStreams, StreamForm, StreamResponse
from server.http.transport_multipart import MultipartForm
from server.http.transport_sse import LAST_EVENT_ID, EventStreamForm
from server.http.transport_ws import GraphQLSocket
from server.limits import RunningOperation, running_operation
from vendors.errors import ErrorCode

logger = logging.getLogger(__name__)

_QUERY, _MUTATION, _SUBSCRIPTION = OperationType.QUERY, OperationType.MUTATION, OperationType.SUBSCRIPTION
# Not Strawberry's own table, which lets a subscription run by POST as if it were a query.
_ANSWERED = {"GET": frozenset({_QUERY}), "POST": frozenset({_QUERY, _MUTATION})}
_STREAMED = {"GET": frozenset({_QUERY, _SUBSCRIPTION}), "POST": frozenset({_QUERY, _MUTATION, _SUBSCRIPTION})}
_HOW_TO_SUBSCRIBE: Final = (
    f"Subscriptions run over WebSocket, with the protocol graphql-transport-ws, or as a stream: please accept {EVENT_STREAM}, or"
    f" {MULTIPART};subscriptionSpec=1.0."
)
_UNWATCHED_SECONDS: Final = 0.01


class GraphQLView:
    """The ASGI application behind `/graphql`; `guard` has looked at host and origin before.

    Args:
        schema: The schema; its extensions enforce the limits (see `server.limits.operation_extensions`).
        context_factory: Called once for each operation.
        settings: Sizes, origins, switches.
        page: Writes the page for browsers; None if there is none.
        footing_of: Tells which answers can be kept; without it none are.
    """

    def __init__(
        self,
        *,
        schema: Schema,
        context_factory: ContextFactory,
        settings: HttpSettings,
        page: Callable[[], str] | None = None,
        footing_of: FootingOf | None = None,
    ) -> None:
        self._operations = Operations(schema, context_factory)
        self._settings = settings
        self._page = page
        self._streams = OpenStreams()
        self._kept = None if footing_of is None else KeptAnswers(footing_of, max_bytes=settings.kept_answers_bytes)
        self._forms: dict[str, StreamForm] = {EVENT_STREAM: EventStreamForm(settings), MULTIPART: MultipartForm(settings)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await GraphQLSocket(WebSocket(scope, receive, send), self._operations, self._settings, self._streams).serve()
            return
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def stop(self) -> None:
        """End what would go on for ever: streams and sockets."""
        await self._streams.stop()

    async def _respond(self, request: Request) -> ASGIApp:
        media_type = JSON
        try:
            if request.method not in ("GET", "POST"):
                raise RefusedError(405, "GraphQL answers GET and POST.", headers={"allow": "GET, POST"})  # noqa: TRY301
            accept = ", ".join(request.headers.getlist("accept"))
            chosen = answer_type(accept, html=self._page is not None and request.method == "GET")
            streamed = stream_type(accept)
            if chosen is None and streamed is None:
                raise RefusedError(406, f"Please accept {GRAPHQL_RESPONSE} or {JSON}.")  # noqa: TRY301
            if chosen == HTML and self._page is not None:
                headers = {"content-security-policy": CONTENT_SECURITY_POLICY, "vary": "accept", "cache-control": "no-cache"}
                return HTMLResponse(self._page(), headers=headers)
            media_type = chosen or JSON
            parameters = await self._parameters(request)
            context = await self._operations.context(request, {})
            if streamed is not None and (chosen is None or await self._operations.type_of(parameters) is _SUBSCRIPTION):
                return await self._stream(request, parameters, context, self._forms[streamed])
            answer = await self._answer(request, parameters, context)
        except RefusedError as refusal:
            return refusal.response(media_type)
        except Exception:
            logger.exception("The request failed in the server itself")
            return RefusedError(500, "Internal error.", code=ErrorCode.INTERNAL).response(media_type)
        return response_from_answer(answer, media_type, status_partial_294=self._settings.status_partial_294)

    async def _parameters(self, request: Request) -> GraphQLParameters:
        if request.method == "POST":
            return await parameters_of_post(request, self._settings)
        if not may_query_by_get(request.headers):
            message = "A browser may not run queries by GET for another site. Please send POST, or the header GraphQL-Require-Preflight."
            raise RefusedError(403, message, code=ErrorCode.FORBIDDEN)
        return parameters_of_get(request.query_params, self._settings)

    async def _stream(self, request: Request, parameters: GraphQLParameters, context: object, form: StreamForm) -> StreamResponse:
        """Answer with a stream: a subscription, or any operation of a client that accepts nothing else."""
        if request.method == "GET" and self._operations.has_mutations and await self._operations.type_of(parameters) is _MUTATION:
            raise _mutation_by_get()
        if isinstance(context, Resumable):
            context.resume_after = request.headers.get(LAST_EVENT_ID) or None
        outcomes = partial(self._operations.outcomes, parameters, context, allowed=_STREAMED[request.method])
        return StreamResponse(outcomes, form, self._streams)

    async def _answer(self, request: Request, parameters: GraphQLParameters, context: object) -> Answer:
        kept = None if self._kept is None else self._kept.find(parameters, context)
        if kept is not None:
            return kept
        operation = self._operations.execute(parameters, context, _ANSWERED[request.method])
        try:
            answer = answer_from_result(await _while_connected(request, operation))
            return answer if self._kept is None else self._kept.keep(parameters, context, answer)
        except InvalidOperationTypeError as error:
            if error.operation_type is _SUBSCRIPTION:
                return request_error(_HOW_TO_SUBSCRIBE if self._operations.has_subscriptions else "This graph has no subscriptions.")
            if not self._operations.has_mutations:
                return request_error("This graph has no mutations.")
            raise _mutation_by_get() from error
        except CannotGetOperationTypeError as error:
            return request_error(error.as_http_error_reason())
        except MissingQueryError:
            return request_error("The document is empty.")


def _mutation_by_get() -> RefusedError:
    return RefusedError(405, "Mutations are sent by POST.", headers={"allow": "POST"})


async def _while_connected(request: Request, operation: Awaitable[ExecutionResult]) -> ExecutionResult:
    """Run an operation; cancel it when the client leaves, unless it is a mutation, whose outcome must not be left open.

    Raises:
        RefusedError: The client has left; nobody will read the answer.
    """
    running = RunningOperation()
    watch = _Watch(request, running)
    token = running_operation.set(running)
    try:
        return await operation
    except asyncio.CancelledError:
        if watch.has_cancelled():
            raise RefusedError(499, "The client has left.") from None
        raise
    finally:
        running_operation.reset(token)
        watch.end()


class _Watch:
    """Cancels the current task when its client has left; most operations are over before it begins to look."""

    def __init__(self, request: Request, running: RunningOperation) -> None:
        task = asyncio.current_task()
        assert task is not None, "a request is answered in a task"
        self._task = task
        self._cancelling = task.cancelling()
        self._request = request
        self._running = running
        self._watching: asyncio.Task[None] | None = None
        self._has_cancelled = False
        self._beginning = asyncio.get_running_loop().call_later(_UNWATCHED_SECONDS, self._begin)

    def has_cancelled(self) -> bool:
        """Whether it has cancelled the task, and nobody else has."""
        return self._has_cancelled and self._task.uncancel() <= self._cancelling

    def end(self) -> None:
        self._beginning.cancel()
        if self._watching is not None:
            self._watching.cancel()  # it does nothing any more, and need not be waited for

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        if self._running.abandonable:
            self._has_cancelled = True
            self._task.cancel()
