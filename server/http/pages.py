"""The addresses beside GraphQL: health, readiness, and errors of the router, all in JSON."""

from collections.abc import Awaitable, Callable

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from server.http.media import JSON
from server.http.refusal import RefusedError
from vendors.errors import ErrorCode

Handler = Callable[[Request], Awaitable[Response]]


async def healthz(_: Request) -> Response:
    """The process answers."""
    return _status("ok", 200)


def readyz(ready: Callable[[], bool]) -> Handler:
    """Make the answer to whether requests may be sent here."""

    async def handler(_: Request) -> Response:
        return _status("ready", 200) if ready() else _status("starting", 503)

    return handler


def moved(to: str) -> Handler:
    """Send whoever opens an address on to another one."""

    async def handler(_: Request) -> Response:
        return RedirectResponse(to)

    return handler


def http_error(graph: str) -> Callable[[Request, Exception], Response]:
    """Make the answer to an address that does not exist, or a method it does not know; the path of the graph is named in it."""

    def handler(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = ErrorCode.NOT_FOUND if error.status_code == 404 else ErrorCode.BAD_USER_INPUT  # noqa: PLR2004
        return RefusedError(error.status_code, f"{error.detail}. The graph is at {graph}.", code=code, headers=error.headers).response()

    return handler


def server_error(_: Request, error: Exception) -> Response:
    """Answer a mistake of ours without saying which."""
    del error
    return RefusedError(500, "Internal error.", code=ErrorCode.INTERNAL).response()


def _status(status: str, code: int) -> Response:
    return Response(orjson.dumps({"status": status}), code, {"cache-control": "no-store"}, JSON)
