import asyncio
import gzip
import io
from collections.abc import AsyncGenerator

import orjson
import pytest

from server.http import HttpSettings
from server.http.body import parse_json
from server.http.refusal import RefusedError
from tests.server.toy_graph import serving

_JSON = {"content-type": "application/json"}
_GOOD = b'{"query":"{__typename}"}'


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", _JSON, 400),
        (b"null", _JSON, 400),
        (b'"x"', _JSON, 400),
        (b"1", _JSON, 400),
        (b"[]", _JSON, 400),
        (b"[" + _GOOD + b"]", _JSON, 400),
        (b"{", _JSON, 400),
        (b"{}", _JSON, 400),
        (b'{"query":null}', _JSON, 400),
        (b'{"query":{}}', _JSON, 400),
        (b'{"query":"{__typename}","variables":[]}', _JSON, 400),
        (b'{"query":"{__typename}","operationName":1}', _JSON, 400),
        (b'{"query":"{__typename}","extensions":"x"}', _JSON, 400),
        (b'{"query":"\xff\xfe"}', _JSON, 400),
        (b'{"query":"\\ud800"}', _JSON, 400),
        (b"[" * 100_000, _JSON, 400),
        (b'{"query":"{__typename}","variables":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, _JSON, 400),
        (b'{"query":"{__typename}","variables":{"n":' + b"9" * 100_000 + b"}}", _JSON, 400),
        (b'{"query":"{__typename}","variables":{"n":0.' + b"9" * 100_000 + b"}}", _JSON, 400),
        (b'{"query":"{__typename}","variables":{"n":NaN}}', _JSON, 400),
        (gzip.compress(_GOOD), {**_JSON, "content-encoding": "gzip"}, 415),
        (_GOOD.decode().encode("utf-16"), {"content-type": "application/json; charset=utf-16"}, 415),
        (_GOOD, {"content-type": "application/json; charset=latin-1"}, 415),
        (_GOOD, {"content-type": "text/plain"}, 415),
        (_GOOD, {"content-type": "application/x-www-form-urlencoded"}, 415),
        (_GOOD, {"content-type": "multipart/form-data; boundary=x"}, 415),
        (_GOOD, {"content-type": ";"}, 415),
        (b'{"query":"' + b" " * 1024 * 1024 + b'"}', _JSON, 413),
    ],
)
async def test_a_bad_body_is_refused_with_a_json_error(body: bytes, headers: dict[str, str], status: int) -> None:
    async with serving() as server:
        reply = await server.post(data=io.BytesIO(body), headers=headers)
        later = await server.ask("{__typename}")

    assert reply.status == status
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.codes[0] in {"BAD_USER_INPUT", "LIMIT_EXCEEDED"}
    assert "Traceback" not in reply.text
    assert later.status == 200


async def test_a_body_without_a_content_type_is_refused() -> None:
    async with serving() as server:
        answer = await server.exchange(b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 24\r\n\r\n" + _GOOD)

    assert answer.startswith(b"HTTP/1.1 415 ")


async def test_a_body_whose_length_is_not_told_is_refused_once_it_is_too_large() -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        for _ in range(64):
            yield b" " * 1024

    async with serving(HttpSettings(max_body_bytes=4096)) as server:
        reply = await server.post(data=chunks(), headers=_JSON)

    assert (reply.status, reply.codes) == (413, ["LIMIT_EXCEEDED"])


async def test_a_body_that_is_not_sent_in_time_is_not_waited_for() -> None:
    head = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"

    async with serving(HttpSettings(body_read_timeout_seconds=0.05)) as server:
        answer = await server.exchange(head)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["errors"][0]["extensions"] == {"code": "TIMEOUT"}


@pytest.mark.parametrize(
    "request_line",
    [
        b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=["two lengths", "no HTTP"],
)
async def test_ambiguous_http_is_refused_in_json(request_line: bytes) -> None:
    async with serving() as server:
        answer = await server.exchange(request_line)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}


async def test_a_client_that_leaves_before_its_body_is_sent_disturbs_nobody() -> None:
    async with serving() as server:
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

        reply = await server.ask("{__typename}")

    assert reply.status == 200


def test_brackets_and_digits_within_strings_are_text() -> None:
    text = b'{"query":"' + b"[" * 100 + b'\\"' + b"{" * 100 + b"9" * 2000 + b'"}'

    assert parse_json(text, HttpSettings())["query"].endswith("9")


def test_a_depth_is_counted_exactly() -> None:
    settings = HttpSettings(max_json_depth=3)

    assert parse_json(b'[[[1],[2]],{"a":[]}]', settings) == [[[1], [2]], {"a": []}]
    with pytest.raises(RefusedError):
        parse_json(b"[[[[]]]]", settings)


@pytest.mark.parametrize("body", [b'"' + b'\\"' * 500_000, b'{"a":"' + b"\\" * 500_000, b"[]," * 300_000, b'"",' * 300_000])
def test_reading_a_hostile_body_takes_one_pass(body: bytes) -> None:
    # Going back and trying again would take hours at this size, not fail an assertion.
    brackets_for_the_scan = b"[]," * 65

    with pytest.raises(RefusedError, match="not valid JSON"):
        parse_json(b"[" + brackets_for_the_scan + body, HttpSettings())
