"""From bytes to the parameters of a GraphQL request, with every size looked at before it can hurt."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from starlette.requests import ClientDisconnect, Request

from server.http.media import JSON, parse_media_type
from server.http.refusal import RefusedError
from server.http.settings import HttpSettings
from vendors.errors import ErrorCode

_CLOSE = {"connection": "close"}  # a body that was not read must not be taken for the next request


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQLParameters:
    """A well-formed GraphQL request; that its query parses is not known yet."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


async def parameters_of_post(request: Request, settings: HttpSettings) -> GraphQLParameters:
    """Read a POST request.

    Raises:
        RefusedError: The body is too large, too slow, in another form than JSON in UTF-8, or no GraphQL request.
    """
    _check_headers(request)
    return _parameters(parse_json(await read_body(request, settings), settings))


def parameters_of_get(query: Mapping[str, str], settings: HttpSettings) -> GraphQLParameters:
    """Read the query of a GET request, where variables and extensions are JSON and empty means absent."""
    parameters: dict[str, Any] = {name: value for name in ("query", "operationName") if (value := query.get(name))}
    for name in ("variables", "extensions"):
        if text := query.get(name):
            parameters[name] = parse_json(text.encode(), settings)
    return _parameters(parameters)


def parse_json(data: bytes, settings: HttpSettings) -> Any:
    """Parse JSON that somebody else wrote.

    Raises:
        RefusedError: It is no JSON, is nested too deeply, or has a number nobody needs.
    """
    if not _is_nested_within(data, settings.max_json_depth):
        message = f"The JSON is nested deeper than {settings.max_json_depth} levels."
        raise RefusedError(400, message, code=ErrorCode.LIMIT_EXCEEDED)
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, "The request is not valid JSON in UTF-8.") from error
    if _has_number_longer_than(data, settings.max_number_digits):
        message = f"The JSON has a number of more than {settings.max_number_digits} digits."
        raise RefusedError(400, message, code=ErrorCode.LIMIT_EXCEEDED)
    return parsed


def _check_headers(request: Request) -> None:
    headers = request.headers
    content_type = headers.get("content-type")
    if content_type is None:
        raise RefusedError(415, f"The request has no Content-Type. Please send {JSON}.", headers=_CLOSE)
    media_type = parse_media_type(content_type)
    if media_type.name != JSON:
        raise RefusedError(415, f"The Content-Type is not supported. Please send {JSON}.", headers=_CLOSE)
    if media_type.charset not in (None, "utf-8", "utf8"):
        raise RefusedError(415, "The charset of the body is not supported. Please send UTF-8.", headers=_CLOSE)
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise RefusedError(415, "Compressed bodies are not supported.", headers={**_CLOSE, "accept-encoding": "identity"})


async def read_body(request: Request, settings: HttpSettings) -> bytes:
    """Read a body up to the largest size, for as long as a client may take.

    Raises:
        RefusedError: It is too large, comes too slowly, or does not end.
    """
    maximum = settings.max_body_bytes
    too_large = RefusedError(413, f"The body is larger than {maximum} bytes.", code=ErrorCode.LIMIT_EXCEEDED, headers=_CLOSE)
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > maximum:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(settings.body_read_timeout_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > maximum:
                    raise too_large
    except TimeoutError:
        seconds = settings.body_read_timeout_seconds
        raise RefusedError(408, f"The body was not sent within {seconds:g} seconds.", code=ErrorCode.TIMEOUT, headers=_CLOSE) from None
    except ClientDisconnect as error:
        raise RefusedError(400, "The client left before the body was sent.", headers=_CLOSE) from error
    return bytes(body)


def _parameters(parsed: Any) -> GraphQLParameters:
    if not isinstance(parsed, dict):
        raise RefusedError(400, "The request must be a JSON object with a `query`. Several requests in one are not supported.")
    data = cast("dict[str, Any]", parsed)
    query = data.get("query")
    if not isinstance(query, str):
        raise RefusedError(400, "`query` must be a string with a GraphQL document.")
    operation_name = data.get("operationName")
    if not isinstance(operation_name, str | None):
        raise RefusedError(400, "`operationName` must be a string or null.")
    return GraphQLParameters(
        query=query, variables=_object(data, "variables"), operation_name=operation_name or None, extensions=_object(data, "extensions")
    )


def _object(data: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = data.get(name)
    if not isinstance(value, dict | None):
        raise RefusedError(400, f"`{name}` must be an object or null.")
    return cast("dict[str, Any] | None", value)


# Strings are skipped as a whole, an unfinished one up to the end; possessive, so that no input makes it go back and try again.
_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def _is_nested_within(data: bytes, maximum: int) -> bool:
    if data.count(b"{") + data.count(b"[") <= maximum:
        return True
    depth = 0
    for match in _BRACKETS.finditer(data):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
            if depth > maximum:
                return False
        elif token in (b"}", b"]"):
            depth -= 1
    return True


def _has_number_longer_than(data: bytes, digits: int) -> bool:
    # The cheap search finds candidates in strings too; only then are the strings taken out. Each run of digits is tried once.
    pattern = re.compile(rb"(?<![0-9.])[0-9.]{%d,}" % (digits + 1))
    return pattern.search(data) is not None and pattern.search(_STRINGS.sub(b'""', data)) is not None
