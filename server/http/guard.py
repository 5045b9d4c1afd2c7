"""Who may speak to the server at all: requests to a host of ours, and of pages only those that are ours or allowed.

Clients are not authenticated, so no page of another site may reach the server through the browser of somebody who can. By DNS rebinding
a site points its own name at this machine, and browsers take what we answer for that site's: hence the `Host` is looked at. And a page
may send requests whose answer it cannot read, but which would run: hence the `Origin`. Both hold for every address and for WebSockets.
"""

import re
from collections.abc import Collection
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.http.websocket_origin import is_same_origin, normalize_origin

from server.http.refusal import RefusedError
from server.http.settings import HttpSettings
from vendors.errors import ErrorCode

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")


class GuardMiddleware:
    """Refuses, before anything runs, what is sent to another host or from a page of another site."""

    def __init__(self, app: ASGIApp, settings: HttpSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Headers(scope=scope)) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refusal.response()(scope, receive, send)

    def _refusal(self, headers: Headers) -> RefusedError | None:
        hosts = headers.getlist("host")
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None:
            return RefusedError(400, "The request must have one Host header, with a host name.")
        if not is_own_host(name, listening_at=self._settings.host, allowed=self._settings.allowed_hosts):
            message = f"This server does not answer for the host {name!r}. If it should, add it to `server.allowed_hosts`."
            return RefusedError(421, message, code=ErrorCode.FORBIDDEN)
        if not all(self._is_allowed(origin, hosts[0]) for origin in headers.getlist("origin")):
            message = "Pages of this origin may not ask here. If they should, add it to `server.cors_origins`."
            return RefusedError(403, message, code=ErrorCode.FORBIDDEN)
        return None

    def _is_allowed(self, origin: str, host: str) -> bool:
        allowed = self._settings.cors_origins
        return is_same_origin(origin, host) or "*" in allowed or normalize_origin(origin) in map(normalize_origin, allowed)


class JsonCorsMiddleware(CORSMiddleware):
    """Answers preflights as CORSMiddleware does, but refuses them in JSON."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code < 400:  # noqa: PLR2004
            return response
        refusal = RefusedError(response.status_code, "This method or header is not among those that pages of other origins may use.")
        refused = refusal.response()
        kept = {name: value for name, value in response.headers.items() if name not in ("content-length", "content-type")}
        refused.headers.update(kept)
        return refused


def host_name(header: str) -> str | None:
    """The name or address in a Host header, in lower case and without port, brackets and final dot; None when it is none."""
    match = _HOST.fullmatch(header.strip())
    return None if match is None else match[1].strip("[]").rstrip(".").lower() or None


def is_own_host(name: str, *, listening_at: str, allowed: Collection[str]) -> bool:
    """Whether a host is this server.

    Args:
        name: As `host_name` gives it.
        listening_at: The address it listens at.
        allowed: Further names.
    """
    if name == "localhost" or name.endswith(".localhost") or name == listening_at.lower() or name in map(str.lower, allowed):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    # Whoever listens at all addresses of a machine is asked by any of them; an address, unlike a name, cannot be pointed elsewhere.
    return address.is_loopback or listening_at in ("0.0.0.0", "::")  # noqa: S104  # compared with, not listened at
