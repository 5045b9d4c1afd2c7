"""How large an answer may be, over real HTTP on loopback: whether its length is told, hidden or grows by unpacking."""

import asyncio
import gzip
import time

import aiohttp
import pytest
from aiohttp import web

from vendors.auth import FixedAccess
from vendors.errors import MalformedReplyError
from vendors.http import Request, VendorHttp
from vendors.limiting import Limits
from vendors.retry import RetryPolicy

MOST = 1_000


async def read(size: int, *, is_chunked: bool = False, is_packed: bool = False) -> int:
    """The size of what was read of an answer of that size."""
    body = b"x" * size

    async def handle(_: web.Request) -> web.Response:
        response = web.Response(body=gzip.compress(body) if is_packed else body)
        if is_packed:
            response.headers["Content-Encoding"] = "gzip"
        if is_chunked:
            response.enable_chunked_encoding()
        return response

    app = web.Application()
    app.router.add_get("/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with aiohttp.ClientSession() as session:
            way_out = VendorHttp(
                crm="main",
                session=session,
                auth=FixedAccess(f"http://{host}:{port}", {}),
                limits=Limits(max_concurrent=1, max_reply_bytes=MOST),
                clock=time.monotonic,
                sleep=asyncio.sleep,
                jitter=lambda: 1.0,
                retry=RetryPolicy(max_attempts=1),
            )
            return len((await way_out.send(Request(operation="deals.list", path="deals"))).body)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("is_chunked", [True, False])
@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("size", [0, 1, MOST - 1, MOST])
async def test_an_answer_is_read_up_to_the_most(size: int, is_chunked: bool, is_packed: bool) -> None:  # noqa: FBT001
    assert await read(size, is_chunked=is_chunked, is_packed=is_packed) == size


@pytest.mark.parametrize("is_chunked", [True, False])
@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("size", [MOST + 1, 1_000_000])
async def test_a_larger_one_is_given_up(size: int, is_chunked: bool, is_packed: bool) -> None:  # noqa: FBT001
    with pytest.raises(MalformedReplyError):
        await read(size, is_chunked=is_chunked, is_packed=is_packed)
