"""How the result of an operation becomes an HTTP answer. Pure but for the response object."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from graphql import GraphQLError
from starlette.responses import Response
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from server.http.media import GRAPHQL_RESPONSE
from vendors.errors import ErrorCode

_RAN = frozenset({ErrorCode.TIMEOUT, ErrorCode.OUTCOME_UNKNOWN})
INTERNAL_ERROR: Final[dict[str, Any]] = {"message": "Internal error.", "extensions": {"code": ErrorCode.INTERNAL}}
"""A mistake of ours, as it may be shown."""

_PARTIAL_SUCCESS = 294  # Source: GraphQL over HTTP, draft of August 2026, status codes.


@dataclass(frozen=True, slots=True)
class Answer:
    """A GraphQL response and what it means for the status.

    Args:
        body: `data` (absent if nothing ran), `errors`, `extensions`.
        ran: Whether execution began.
        failed: Whether the server is at fault that nothing ran.
    """

    body: dict[str, Any]
    ran: bool
    failed: bool = False


def answer_from_result(result: ExecutionResult) -> Answer:
    """Bring a result into the form the specification gives it: without `data` if execution did not begin."""
    errors = result.errors or []
    ran = result.data is not None or not _is_request_error(result, errors)
    body: dict[str, Any] = {"data": result.data} if ran else {}
    failed = False
    if errors:
        body["errors"] = [masked(error.formatted) for error in errors]
        failed = not ran and any(error["extensions"]["code"] == ErrorCode.INTERNAL for error in body["errors"])
    if result.extensions:
        body["extensions"] = result.extensions
    return Answer(body, ran, failed)


def request_error(message: str, code: ErrorCode = ErrorCode.BAD_USER_INPUT) -> Answer:
    """The answer to a well-formed request that names nothing that can run."""
    return Answer({"errors": [{"message": message, "extensions": {"code": code}}]}, ran=False)


def response_from_answer(answer: Answer, media_type: str, *, status_partial_294: bool) -> Response:
    """Write an answer as HTTP.

    Plain JSON is always 200: a client cannot tell whether another status comes from us. The GraphQL type is 400 if nothing ran, 500 if
    that is our fault, else 200, or 294 for data with errors if that is switched on.
    """
    status = 200
    if media_type == GRAPHQL_RESPONSE:
        if not answer.ran:
            status = 500 if answer.failed else 400
        elif status_partial_294 and answer.body.get("errors") and answer.body["data"] is not None:
            status = _PARTIAL_SUCCESS
    # The document says UTF-8 although JSON has no other encoding: the specification asks for it.
    headers = {"content-type": f"{media_type}; charset=utf-8", "vary": "accept", "cache-control": "no-store"}
    return Response(encoded(answer.body), status, headers)


def encoded(body: object) -> bytes:
    """Write JSON. Half a surrogate pair in a vendor's text is no Unicode and stays escaped; it must not cost the whole answer."""
    try:
        return orjson.dumps(body)  # keys that are no text would halve its speed if it looked for them
    except orjson.JSONEncodeError:
        return json.dumps(body).encode()


def masked(formatted: Mapping[str, Any]) -> dict[str, Any]:
    """A formatted error as it may be shown; one that nobody gave a code is a mistake of ours, and its text stays inside."""
    extensions: Mapping[str, Any] = formatted.get("extensions", {})
    if "code" in extensions:
        return {**formatted}
    return {**formatted, **INTERNAL_ERROR, "extensions": {**INTERNAL_ERROR["extensions"], **extensions}}


def _is_request_error(result: ExecutionResult, errors: list[GraphQLError]) -> bool:
    """Whether errors without data mean that nothing ran, rather than that a null reached the top or that time ran out."""
    if any((error.extensions or {}).get("code") in _RAN for error in errors):
        return False
    return isinstance(result, PreExecutionError) or (bool(errors) and all(error.path is None for error in errors))
