"""One request and its answer over a connection of aiohttp's pool, and nothing else.

Finding and keeping connections, TLS, proxies, parsing and unpacking are aiohttp's. Its session's way to a request is not taken: for
redirects, cookies, traces and middlewares, none of which a vendor is called with, it takes more than half of what a call costs
(docs/decisions/0013-calls-go-past-the-session.md).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from ssl import SSLContext
from typing import Final
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.hdrs import AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, METH_GET, PROXY_AUTHORIZATION
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDictProxy
from yarl import URL

_CHUNK_BYTES: Final = 64 * 1024
_CONNECTIONS_TRIED: Final = 2
_INTERIM_STATUSES: Final = frozenset(range(100, 200)) - {101}  # that one would be the last of HTTP

_used: Final[WeakSet[ResponseHandler]] = WeakSet()
"""The connections over which something was asked: those of a session are kept for all Crms of one vendor."""


class TooLargeError(Exception):
    """An answer is larger than it may be."""


@dataclass(slots=True)
class Sending:
    """How far a request has come.

    Attributes:
        asking_since: Since when the vendor, or its login, has been asked without an answer, in monotonic seconds; None while nobody is.
        is_sent: Whether any of it may have left for the vendor.
    """

    asking_since: float | None = None
    is_sent: bool = False


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to an origin.

    Args:
        asking: A request that is never sent: it tells the pool where to, and how.
        lines: Header lines that every request has, by the names of their headers in small letters.
        is_told_whole: Whether a proxy has to be told the whole address, since there is no tunnel.
    """

    asking: aiohttp.ClientRequest
    lines: Mapping[str, str]
    is_told_whole: bool


class Exchanges:
    """Makes the exchanges of one Crm.

    Args:
        session: Whose connections, default headers and timeouts are used.
        proxy: URL of an HTTP proxy.
        ssl: A TLS context, or True for the system's.
        most_bytes: Size of a body, unpacked, at which it is given up.
    """

    def __init__(self, session: aiohttp.ClientSession, *, proxy: str | None, ssl: SSLContext | bool, most_bytes: int) -> None:
        self._session = session
        self._proxy = None if proxy is None else URL(proxy)
        self._ssl = ssl
        self._most_bytes = most_bytes
        self._ways: dict[URL, _Way] = {}

    async def run(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, *, once: bool, sending: Sending
    ) -> tuple[int, CIMultiDictProxy[str], bytes]:
        """Send a request, and give the status, headers and body of its answer. A redirect is an answer like any other.

        Args:
            method: HTTP verb.
            url: Address, with its query.
            headers: In addition to the session's; they win.
            body: Encoded body.
            once: Whether it may not be sent again when a kept connection turns out to be closed, since it may have been done.
            sending: Is told when it is sent.

        Raises:
            ValueError: A header, the verb or the address cannot be sent.
            TooLargeError: The answer is.
            aiohttp.ClientError: No answer came.
        """
        origin = url.origin()
        way = self._ways.get(origin)
        if way is None:
            way = self._ways[origin] = self._way(origin)
        sent = _head(method, url, way, headers, body)
        if body:
            sent += body
        is_second = False
        while True:
            connection, transport, protocol = await self._connected(way, is_new=is_second)
            try:
                protocol.set_response_params(read_until_eof=True)
                sending.is_sent = True
                transport.write(sent)
                message, content = await protocol.read()
                while message.code in _INTERIM_STATUSES:
                    message, content = await protocol.read()
                whole = content.read_nowait() if content.is_eof() else await self._body(message.headers, content, protocol)
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                connection.close()
                if once or is_second:
                    raise
                is_second = True
                continue
            except HttpProcessingError as cause:
                connection.close()
                raise aiohttp.ClientConnectionError("it answers with something else than HTTP") from cause
            except BaseException:
                connection.close()
                raise
            _give_back(connection, transport)
            if len(whole) > self._most_bytes:
                raise TooLargeError
            return message.code, message.headers, whole

    def _way(self, origin: URL) -> _Way:
        asking = aiohttp.ClientRequest(
            METH_GET,
            origin,
            headers=self._session.headers,
            loop=asyncio.get_running_loop(),
            session=self._session,
            proxy=self._proxy,
            proxy_headers=None if self._proxy is None else self._session.headers.copy(),
            ssl=self._ssl,
        )
        is_told_whole = self._proxy is not None and not asking.is_ssl()
        if is_told_whole and self._proxy is not None:  # otherwise the connector says who asks, when it asks for the tunnel
            credentials = aiohttp.ClientRequest(METH_GET, self._proxy, loop=asyncio.get_running_loop()).headers.get(AUTHORIZATION)
            if credentials is not None:
                asking.headers[PROXY_AUTHORIZATION] = credentials
        lines = {name.lower(): f"\r\n{name}: {value}" for name, value in asking.headers.items()}
        return _Way(asking, lines, is_told_whole)

    async def _connected(self, way: _Way, *, is_new: bool) -> tuple[Connection, asyncio.Transport, ResponseHandler]:
        """Take a connection of the pool that can be used, or a new one.

        Args:
            way: The way to the origin.
            is_new: Whether it has to be a new one: when one that was kept turned out to be closed, others are likely to be, too, and go.
        """
        connector = self._session.connector
        if connector is None:
            raise aiohttp.ClientConnectionError("the session is closed")
        failed = 0
        while failed < _CONNECTIONS_TRIED:
            try:
                connection = await connector.connect(way.asking, [], self._session.timeout)
            except TimeoutError as cause:  # of the connection: our own deadlines come as cancellations
                raise aiohttp.ConnectionTimeoutError from cause
            transport, protocol = connection.transport, connection.protocol
            is_kept = protocol in _used
            if transport is not None and protocol is not None and not protocol.should_close and not (is_new and is_kept):
                if not is_kept:
                    _used.add(protocol)
                    if protocol.closed is not None:
                        protocol.closed.add_done_callback(_look_at)
                return connection, transport, protocol
            connection.close()  # the vendor has closed it just now, or said something unasked
            failed += not is_kept
        raise aiohttp.ServerDisconnectedError

    async def _body(self, headers: Mapping[str, str], content: aiohttp.StreamReader, protocol: ResponseHandler) -> bytes:
        """The body; aiohttp does not tell whoever waits for it that the connection was closed because of what came last."""
        closed = protocol.closed
        if closed is None:
            raise aiohttp.ClientPayloadError
        end = partial(_break_off, content)
        closed.add_done_callback(end)
        try:
            return await self._read(headers, content)
        finally:
            closed.remove_done_callback(end)

    async def _read(self, headers: Mapping[str, str], content: aiohttp.StreamReader) -> bytes:
        """The body, or as much of it as is too large. A length that is told is believed, but for what is packed and grows by unpacking."""
        if int(headers.get(CONTENT_LENGTH, self._most_bytes)) < self._most_bytes and CONTENT_ENCODING not in headers:
            return await content.read()
        body = bytearray()
        async for chunk in content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._most_bytes:
                break
        return bytes(body)


def _break_off(content: aiohttp.StreamReader, closed: "asyncio.Future[None]") -> None:
    """End the wait for the rest of a body that will not come."""
    del closed
    if not content.is_eof() and content.exception() is None:
        content.set_exception(aiohttp.ClientPayloadError("the connection was closed in the middle of a body"))


def _look_at(closed: "asyncio.Future[None]") -> None:
    """Keep the end of a connection from being reported as one that nobody looked at: whoever needs it is told by what he waits for."""
    if not closed.cancelled():
        closed.exception()


def _give_back(connection: Connection, transport: asyncio.Transport) -> None:
    """Keep a connection for the next request, unless there is more to come of the answer, or to go of the request."""
    if transport.get_write_buffer_size():
        connection.close()
    else:
        connection.release()


def _head(method: str, url: URL, way: _Way, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """A request up to its body.

    Raises:
        ValueError: It would not end there.
    """
    lines = dict(way.lines)
    for name, value in headers.items():
        lines[name.lower()] = f"\r\n{name}: {value}"
    if body is not None or method != METH_GET:
        lines["content-length"] = f"\r\nContent-Length: {len(body or b'')}"
    target = str(url.with_user(None).with_fragment(None)) if way.is_told_whole else url.raw_path_qs
    head = f"{method} {target} HTTP/1.1{''.join(lines.values())}"
    if not head.count("\r") == head.count("\n") == len(lines) or "\0" in head:
        raise ValueError("a header, the verb or the address holds a character that would end it")
    return f"{head}\r\n\r\n".encode()
