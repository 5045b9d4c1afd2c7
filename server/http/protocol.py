"""uvicorn's HTTP protocol with an end to waiting: a client that does not finish its request line and headers is let go.

uvicorn has a timeout between requests only, and no limit to what it collects before a request is complete.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.http.media import JSON
from server.http.refusal import refusal_body
from vendors.errors import ErrorCode

_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class PatientProtocol(HttpToolsProtocol):
    """Waits for headers, but not for ever.

    `header_timeout_seconds` runs from the connection, or from the first byte of a later request, to the last header. More than
    `header_buffer_bytes` without an end of the headers is refused; the exact limit is `HttpSettings.max_header_bytes`.
    """

    header_timeout_seconds = 10.0
    header_buffer_bytes = 128 * 1024

    _header_timer: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_header_timer()
        super().connection_lost(exc)

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
