"""Requests that are refused before GraphQL sees them, and the JSON that says so."""

from collections.abc import Mapping

import orjson
from starlette.responses import Response

from server.http.media import JSON
from vendors.errors import ErrorCode


class RefusedError(Exception):
    """A request that is answered with an error and not looked at any further.

    Args:
        status: HTTP status.
        message: What is wrong and what to do, safe to show.
        code: `extensions.code` of the error.
        headers: Headers of the answer.
    """

    def __init__(
        self, status: int, message: str, *, code: ErrorCode = ErrorCode.BAD_USER_INPUT, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers

    def response(self, media_type: str = JSON) -> Response:
        """The answer that tells the client."""
        return Response(refusal_body(self.message, self.code), self.status, self.headers, media_type)


def refusal_body(message: str, code: ErrorCode) -> bytes:
    """Write an error in the form GraphQL errors have."""
    return orjson.dumps({"errors": [{"message": message, "extensions": {"code": code}}]})
