"""uvicorn's protocols with an end to waiting: for a client that does not finish its headers, and for one that does not take its answer.

uvicorn has a timeout between requests only, and no limit to what it collects before a request is complete. What it sends waits while the
client has no room for it, but for ever.
"""

import asyncio

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from server.http.media import JSON
from server.http.refusal import refusal_body
from vendors.errors import ErrorCode

_NO_UTF_8 = 1007
_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class _StallTimer:
    """Cuts a connection whose client takes nothing, or hardly anything, of what waits for it."""

    def __init__(self) -> None:
        self._handle: asyncio.TimerHandle | None = None

    def start(self, transport: asyncio.Transport, seconds: float) -> None:
        """Cut the connection after a time, unless stopped; a close would wait until all is sent."""
        self.stop()
        self._handle = asyncio.get_running_loop().call_later(seconds, transport.abort)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class PatientProtocol(HttpToolsProtocol):
    """Waits for headers and for the client to take its answer, but not for ever.

    `header_timeout_seconds` runs from the connection, or from the first byte of a later request, to the last header. More than
    `header_buffer_bytes` without an end of the headers is refused; the exact limit is `HttpSettings.max_header_bytes`.
    `stall_timeout_seconds` is how long a client may take for a buffer of what was sent, some 50 KB; `stop_seconds` the same once the
    server stops.
    """

    stall_timeout_seconds = 30.0
    stop_seconds = 1.0
    header_timeout_seconds = 10.0
    header_buffer_bytes = 128 * 1024

    _header_timer: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._stall_timer = _StallTimer()
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_header_timer()
        self._stall_timer.stop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall_timer.start(self.transport, self.stall_timeout_seconds)

    def resume_writing(self) -> None:
        self._stall_timer.stop()
        super().resume_writing()

    def shutdown(self) -> None:
        super().shutdown()
        if self.flow.write_paused:
            self._stall_timer.start(self.transport, self.stop_seconds)

    def data_received(self, data: bytes) -> None:
        if self._header_timer is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._header_timer is not None and self._header_bytes > self.header_buffer_bytes:
            self._refuse(431, "The headers are too large.", ErrorCode.LIMIT_EXCEEDED)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start_header_timer()

    def on_headers_complete(self) -> None:
        self._stop_header_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or ambiguous HTTP."""
        self._refuse(400, msg, ErrorCode.BAD_USER_INPUT)

    def _start_header_timer(self) -> None:
        if self._header_timer is None:
            self._header_bytes = 0
            self._header_timer = self.loop.call_later(self.header_timeout_seconds, self._give_up)

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _give_up(self) -> None:
        self._refuse(408, "The headers were not sent in time.", ErrorCode.TIMEOUT)

    def _refuse(self, status: int, message: str, code: ErrorCode) -> None:
        self._stop_header_timer()
        if self.transport.is_closing():
            return
        body = refusal_body(message, code)
        head = b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, _REASONS[status], JSON.encode(), len(body)) + body)
        self.transport.close()


class PatientSocket(WebSocketsSansIOProtocol):
    """Waits for the client of a WebSocket to take what it is sent, but not for ever.

    `stall_timeout_seconds` and `stop_seconds` are those of `PatientProtocol`.
    """

    stall_timeout_seconds = 30.0
    stop_seconds = 1.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._stall_timer = _StallTimer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall_timer.stop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall_timer.start(self.transport, self.stall_timeout_seconds)

    def resume_writing(self) -> None:
        self._stall_timer.stop()
        super().resume_writing()

    def shutdown(self) -> None:
        super().shutdown()
        if not self.writable.is_set():
            self._stall_timer.start(self.transport, self.stop_seconds)

    def handle_ping(self) -> None:
        """Answer a ping, unless the client takes no answers: by RFC 6455, 5.5.3, the latest of several is enough."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # dropped

    def send_receive_event_to_app(self) -> None:
        """Hand over a message; text that is no UTF-8 ends the socket, as RFC 6455, 8.1, wants it."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.fail(_NO_UTF_8, "Text must be UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    async def send(self, message: ASGISendEvent) -> None:
        await self.writable.wait()
        if self.close_sent:  # by uvicorn itself, after a frame that is none
            raise ClientDisconnected
        await super().send(message)
