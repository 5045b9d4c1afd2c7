"""What holds for every request, whatever it asks for: its size, its id, and the headers that keep browsers careful."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.http.refusal import RefusedError
from server.http.request_id import HEADER, request_id, request_id_from
from server.http.settings import HttpSettings
from vendors.errors import ErrorCode

_HEADER = HEADER.encode()
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class RequestIdMiddleware:
    """Names the request, and adds the id and the security headers to the answer where the application set none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        name = request_id_from(Headers(scope=scope))

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):  # the latter refuses a WebSocket
                headers = [header for header in message["headers"] if header[0] != _HEADER]
                there = {key for key, _ in headers}
                message["headers"] = [*headers, (_HEADER, name.encode()), *(one for one in _SECURITY_HEADERS if one[0] not in there)]
            await send(message)

        token = request_id.set(name)
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            request_id.reset(token)


class HeaderSizeMiddleware:
    """Refuses requests with large headers or a long URL; the HTTP parser itself accepts any."""

    def __init__(self, app: ASGIApp, settings: HttpSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refusal.response()(scope, receive, send)

    def _refusal(self, scope: Scope) -> RefusedError | None:
        close = {"connection": "close"}
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        maximum = self._settings.max_header_bytes
        if sum(len(name) + len(value) for name, value in headers) > maximum:
            return RefusedError(431, f"The headers are larger than {maximum} bytes.", code=ErrorCode.LIMIT_EXCEEDED, headers=close)
        maximum = self._settings.max_url_bytes
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > maximum:
            return RefusedError(414, f"The URL is longer than {maximum} bytes.", code=ErrorCode.LIMIT_EXCEEDED, headers=close)
        return None
