"""Answers that go on: an operation's outcomes as an HTTP answer without an end, and the end of all such answers when the server stops.

What the bytes look like is the business of the transport: `transport_sse` and `transport_multipart`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import aclosing, contextmanager, suppress
from typing import Final, Protocol

from starlette.types import Receive, Scope, Send

from server.http.answer import INTERNAL_ERROR
from server.http.operations import Failure, Outcome, Result
from server.limits import RunningOperation, running_operation

logger = logging.getLogger(__name__)

_STOP_SECONDS: Final = 1.0  # a stream that has not ended by then is not waited for


class OpenStreams:
    """The streams of a server, sockets among them, so that it can end them when it stops."""

    def __init__(self) -> None:
        self._ends: set[Callable[[], None]] = set()
        self._all_ended = asyncio.Event()
        self._is_stopping = False

    @contextmanager
    def opened(self, end: Callable[[], None]) -> Generator[None]:
        """A stream is open within this scope; `end` asks it to leave the scope soon, which it may be asked right away."""
        self._ends.add(end)
        self._all_ended.clear()
        if self._is_stopping:
            end()
        try:
            yield
        finally:
            self._ends.discard(end)
            if not self._ends:
                self._all_ended.set()

    async def stop(self) -> None:
        """End all of them, and those that are still to come; return once they have ended, or soon."""
        self._is_stopping = True
        if self._ends:
            for end in list(self._ends):
                end()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_ended.wait(), _STOP_SECONDS)


class StreamForm(Protocol):
    """How outcomes become bytes.

    Args:
        headers: Of the answer.
        opening: Sent at once, so that the client knows that it is connected.
        heartbeat: Sent every `heartbeat_seconds`, so that nobody on the way takes the connection for dead.
        closing: Sent after the last outcome.
        stopping: Sent instead, when the server stops and the client should come back.
    """

    headers: Mapping[str, str]
    opening: bytes
    heartbeat: bytes
    heartbeat_seconds: float
    closing: bytes
    stopping: bytes

    def result(self, result: Result) -> bytes: ...

    def failure(self, failure: Failure) -> bytes: ...


class StreamResponse:
    """The ASGI answer of an operation whose outcomes come one by one.

    The next outcome is asked for when the last one is on its way: a slow client makes its own operation wait, and nobody else's. When the
    client leaves, the operation ends at once, wherever it is; only a mutation that has begun goes on to its end.
    """

    def __init__(self, outcomes: Callable[[], AsyncGenerator[Outcome]], form: StreamForm, streams: OpenStreams) -> None:
        self._outcomes = outcomes
        self._form = form
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        stopped = asyncio.Event()
        running = RunningOperation()

        async def emit(data: bytes, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": more})

        with self._streams.opened(stopped.set):
            headers = [(name.encode(), value.encode()) for name, value in self._form.headers.items()]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await emit(self._form.opening)
            token = running_operation.set(running)
            sending = asyncio.create_task(self._send_outcomes(emit))
            running_operation.reset(token)
            ends = (asyncio.create_task(_left(receive)), asyncio.create_task(stopped.wait()))
            others = (*ends, asyncio.create_task(self._send_heartbeats(emit)))
            try:
                await asyncio.wait((sending, *ends), return_when=asyncio.FIRST_COMPLETED)
                if not sending.done() and not running.abandonable:
                    await asyncio.wait((sending,))
            finally:
                for task in (sending, *others):
                    task.cancel()
                await asyncio.wait((sending, *others))
            if not sending.cancelled():
                await emit(self._form.closing, more=False)
            elif stopped.is_set():
                await emit(self._form.stopping, more=False)

    async def _send_outcomes(self, emit: "_Emit") -> None:
        try:
            async with aclosing(self._outcomes()) as outcomes:
                async for outcome in outcomes:
                    await emit(self._form.failure(outcome) if isinstance(outcome, Failure) else self._form.result(outcome))
        except Exception:
            logger.exception("A stream failed in the server itself")
            await emit(self._form.failure(Failure([INTERNAL_ERROR], is_request_error=False)))

    async def _send_heartbeats(self, emit: "_Emit") -> None:
        while True:
            await asyncio.sleep(self._form.heartbeat_seconds)
            await emit(self._form.heartbeat)


class _Emit(Protocol):
    async def __call__(self, data: bytes, *, more: bool = True) -> None: ...


async def _left(receive: Receive) -> None:
    """Return when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
