"""One exchange after the other over kept connections, against servers that say every byte themselves."""

import asyncio
import gc
import socket
import ssl
import struct
import time
import zlib
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from server.crms import open_session
from vendors.auth import FixedAccess
from vendors.calls import Deadline, deadline_scope
from vendors.errors import MalformedReplyError, OutcomeUnknownError, UnavailableError, VendorError, VendorTimeoutError
from vendors.health import network_reason
from vendors.http import Reply, Request, VendorHttp
from vendors.limiting import Limits
from vendors.retry import RetryPolicy

LIST = Request(operation="deals.list", path="deals")
PUT = Request(operation="deals.put", method="PUT", path="deals", body=b"{}", content_type="application/json", read=False)
MOST = 100_000


def answer(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> bytes:
    """An answer that tells its length."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]).encode() + body


HANG_UP = b""
"""Closes the connection in the place of an answer."""
UNTRUSTED = Path(__file__).parent / "untrusted.pem"
"""A certificate that nobody has signed, and its key."""


@dataclass(slots=True)
class Vendor:
    """What a server has heard, by connection, those that it closes instead of answering, and two ways out to it."""

    http: VendorHttp
    other: VendorHttp
    heard: list[list[bytes]] = field(default_factory=list[list[bytes]])
    writers: list[asyncio.StreamWriter] = field(default_factory=list[asyncio.StreamWriter])
    gone: list[asyncio.StreamWriter] = field(default_factory=list[asyncio.StreamWriter])
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, request: Request = LIST, *, seconds: float = 5.0) -> Reply:
        with deadline_scope(Deadline(time.monotonic() + seconds, time.monotonic)):
            return await self.http.send(request)

    async def error(self, request: Request = LIST, *, seconds: float = 5.0) -> VendorError:
        with pytest.raises(VendorError) as caught:
            await self.ask(request, seconds=seconds)
        return caught.value

    async def heard_something(self) -> None:
        """Wait until a request has come, and the beginning of its answer has arrived."""
        async with asyncio.timeout(2):
            while not self.requests:  # noqa: ASYNC110  # nobody announces it
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)

    @property
    def requests(self) -> list[bytes]:
        return [request for connection in self.heard for request in connection]


@asynccontextmanager
async def vendor(
    answers: Sequence[bytes],
    *,
    ends: bool = False,
    base_url: Callable[[int], str] | None = None,
    proxied: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[Vendor, None]:
    """A vendor that gives these answers, the last one again and again.

    Args:
        answers: All bytes of each.
        ends: Whether it closes the connection behind each.
        base_url: The address that is asked for, by the port; by default its own.
        proxied: User and password for whom it is a proxy.
        tls: How it shows who it is.
    """
    left = list(answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection: list[bytes] = []
        it.heard.append(connection)
        it.writers.append(writer)
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                connection.append(request)
                said = HANG_UP if writer in it.gone else left.pop(0) if len(left) > 1 else left[0]
                writer.write(said)
                await writer.drain()
                if ends or said == HANG_UP:
                    return
        except asyncio.LimitOverrunError:  # it reads no more of a body, and closes nothing
            await it.closed.wait()
        except (asyncio.IncompleteReadError, ConnectionError):
            it.closed.set()
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    port: int = server.sockets[0].getsockname()[1]
    async with server, open_session() as session:

        def way(crm: str) -> VendorHttp:
            return VendorHttp(
                crm=crm,
                session=session,
                auth=FixedAccess(base_url(port) if base_url else f"http://127.0.0.1:{port}/api", {"X-Key": "k"}),
                limits=Limits(max_concurrent=8, max_reply_bytes=MOST),
                clock=time.monotonic,
                sleep=asyncio.sleep,
                jitter=lambda: 1.0,
                retry=RetryPolicy(max_attempts=1),
                proxy=None if proxied is None else f"http://{proxied}@127.0.0.1:{port}",
            )

        it = Vendor(way("main"), way("other"))
        yield it


def lines(request: bytes) -> tuple[str, Mapping[str, str]]:
    """The first line of a request, and its headers."""
    first, *rest = request.decode().rstrip().split("\r\n")
    headers = [line.split(": ", 1) for line in rest]
    assert len(dict(headers)) == len(headers), "no header comes twice"
    return first, dict(headers)


class TestARequest:
    async def test_says_what_it_has_to_and_lets_its_own_headers_win(self) -> None:
        request = Request(operation="deals.list", path="deals", params=[("q", "a b&c"), ("q", "ü")], headers={"Accept": "application/json"})
        async with vendor([answer()]) as it:
            await it.ask(request)

            first, headers = lines(it.requests[0])
            assert first == "GET /api/deals?q=a+b%26c&q=%C3%BC HTTP/1.1"
            assert headers["Host"].startswith("127.0.0.1:")
            assert headers["User-Agent"].startswith("crmgraph/")
            assert (headers["Accept"], headers["X-Key"]) == ("application/json", "k")
            assert "Content-Length" not in headers

    async def test_tells_the_length_of_its_body_also_where_there_is_none(self) -> None:
        posts = [Request(operation="deals.find", method="POST", path="deals", body=body, content_type="text/x") for body in (b"", None)]
        async with vendor([answer()]) as it:
            for post in posts:
                await it.ask(post)

            assert [lines(request)[1]["Content-Length"] for request in it.requests] == ["0", "0"]
            assert lines(it.requests[0])[1]["Content-Type"] == "text/x"

    async def test_tells_a_proxy_the_whole_address_and_who_asks(self) -> None:
        async with vendor([answer()], base_url=lambda _: "http://crm.example/api", proxied="me:s%40cret") as it:
            await it.ask()

            first, headers = lines(it.requests[0])
            assert first == "GET http://crm.example/api/deals HTTP/1.1"
            assert headers["Host"] == "crm.example"
            assert headers["Proxy-Authorization"] == f"Basic {b64encode(b'me:s@cret').decode()}"

    async def test_through_a_tunnel_tells_the_proxy_alone_who_asks(self) -> None:
        refused = answer(status="502 Bad Gateway")
        async with vendor([refused], base_url=lambda _: "https://crm.example/api", proxied="me:s%40cret") as it:
            assert isinstance(await it.error(), UnavailableError)

            first, headers = lines(it.requests[0])
            assert first == "CONNECT crm.example:443 HTTP/1.1"
            assert headers["Proxy-Authorization"] == f"Basic {b64encode(b'me:s@cret').decode()}"
            assert headers["User-Agent"].startswith("crmgraph/")
            assert "X-Key" not in headers

    async def test_that_no_tunnel_is_given_has_not_been_sent(self) -> None:
        async with vendor([answer(status="407 Who Asks")], base_url=lambda _: "https://crm.example/api", proxied="me:no") as it:
            assert isinstance(await it.error(PUT), UnavailableError)

    async def test_tells_a_proxy_nothing_of_an_address_that_is_for_others(self) -> None:
        link = Request(operation="deals.next", path="http://me:s3cret@crm.example/api/next?page=2#top")
        async with vendor([answer()], base_url=lambda _: "http://crm.example/api", proxied="me") as it:
            await it.ask(link)

            assert lines(it.requests[0])[0] == "GET http://crm.example/api/next?page=2 HTTP/1.1"


class TestAConnection:
    async def test_that_never_comes_about_leaves_nothing_unknown(self) -> None:
        with socket.socket() as full, ExitStack() as waiting:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(8):  # more than wait in line: who comes then is not heard
                before = waiting.enter_context(socket.socket())
                before.setblocking(False)
                before.connect_ex(full.getsockname())
            async with vendor([answer()], base_url=lambda _: f"http://127.0.0.1:{full.getsockname()[1]}") as it:
                assert isinstance(await it.error(PUT, seconds=0.3), VendorTimeoutError)

    async def test_is_kept_for_the_next_request(self) -> None:
        async with vendor([answer(), answer(b"", status="404 Not Found"), answer()]) as it:
            await it.ask()
            await it.error()
            await it.ask()

            assert [len(connection) for connection in it.heard] == [3]

    async def test_is_not_kept_when_the_vendor_says_so(self) -> None:
        async with vendor([answer(b"{}", "Connection: close"), answer()]) as it:
            await it.ask()
            await it.ask()

            assert [len(connection) for connection in it.heard] == [1, 1]

    @pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\n", answer()[:-1]])
    async def test_is_closed_with_who_gives_up(self, said: bytes) -> None:
        async with vendor([said]) as it:
            assert isinstance(await it.error(seconds=0.2), VendorTimeoutError)

            await asyncio.wait_for(it.closed.wait(), 5)

    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_that_was_closed_meanwhile_costs_a_read_nothing(self, method: str) -> None:
        read = Request(operation="deals.list", method=method, path="deals")
        async with vendor([answer(), HANG_UP, answer(b"[]")]) as it:
            await it.ask()

            assert (await it.ask(read)).body == b"[]"
            assert len(it.requests) == 3

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    async def test_that_was_closed_meanwhile_lets_no_write_be_sent_again(self, method: str) -> None:
        write = Request(operation="deals.put", method=method, path="deals", body=b"{}", content_type="application/json", read=False)
        async with vendor([answer(), HANG_UP, answer()]) as it:
            await it.ask()

            assert isinstance(await it.error(write), OutcomeUnknownError)
            assert len(it.requests) == 2

    async def test_that_was_closed_meanwhile_takes_the_others_with_it(self) -> None:
        async with vendor([answer()]) as it:
            reads = [Request(operation="deals.list", path=f"deals/{number}") for number in range(8)]
            await asyncio.gather(*(it.ask(read) for read in reads[:4]), *map(it.other.send, reads[4:]))
            it.gone += it.writers

            again = await asyncio.gather(*(it.ask(Request(operation="deals.list", path=f"again/{number}")) for number in range(3)))

            assert [reply.body for reply in again] == [b"{}"] * 3
            assert len(it.heard) == 8 + 3

    async def test_on_which_something_unasked_was_said_is_not_kept(self) -> None:
        async with vendor([answer(b"[1]"), answer(b"[3]")]) as it:
            await it.ask()
            it.writers[0].write(answer(b"[2]"))
            await asyncio.sleep(0.05)

            assert (await it.ask()).body == b"[3]"
            assert len(it.heard) == 2

    async def test_on_which_something_unasked_was_said_costs_nothing_however_many_there_are(self) -> None:
        async with vendor([answer()]) as it:
            await asyncio.gather(*(it.ask(Request(operation="deals.list", path=f"deals/{number}")) for number in range(5)))
            for writer in it.writers:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await asyncio.sleep(0.05)

            assert (await it.ask(PUT)).status == 200
            assert len(it.heard) == 6

    async def test_that_breaks_after_an_answer_in_parts_is_not_complained_of(self) -> None:
        heard: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: heard.append(complaint))
        async with vendor([answer(b"[1, 2]")[:-1]]) as it:
            asking = asyncio.create_task(it.ask())
            await it.heard_something()
            it.writers[0].write(b"]")
            assert (await asking).body == b"[1, 2]"

            sock = it.writers[0].get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            it.writers[0].transport.abort()
            await asyncio.sleep(0.05)
            await it.error(seconds=0.1)  # by which the pool lets go of it
            gc.collect()
            assert heard == []

    async def test_to_a_vendor_that_is_not_trusted_is_none(self) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(UNTRUSTED)
        async with vendor([answer()], tls=tls, base_url=lambda port: f"https://127.0.0.1:{port}/") as it:
            for request in (LIST, PUT):
                error = await it.error(request)
                assert isinstance(error, UnavailableError)
                assert "certificate" in str(network_reason(error.__cause__ or error))
            assert it.http.health.error is error
            assert it.requests == []

    async def test_that_still_has_much_to_send_is_not_kept(self) -> None:
        upload = Request(operation="deals.find", method="POST", path="deals", body=b" " * 20_000_000, content_type="text/x")
        async with vendor([answer(status="413 Too Large"), answer()]) as it:
            await it.error(upload)
            await it.ask()

            assert [len(connection) for connection in it.heard] == [1, 1]
            it.closed.set()

    async def test_that_is_closed_each_time_is_tried_twice(self) -> None:
        async with vendor([HANG_UP]) as it:
            assert isinstance(await it.error(), UnavailableError)
            assert len(it.requests) == 2


class TestAnAnswer:
    async def test_comes_after_what_only_announces_it(self) -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
        async with vendor([early + answer(b"[1]")]) as it:
            assert [(await it.ask()).body for _ in range(2)] == [b"[1]", b"[1]"]
            assert len(it.heard) == 1

    async def test_of_a_status_that_there_is_not_is_not_waited_beyond(self) -> None:
        async with vendor([answer(status="099 Odd")]) as it:
            assert isinstance(await it.error(), MalformedReplyError)

    async def test_may_end_with_its_connection(self) -> None:
        async with vendor([b"HTTP/1.1 200 OK\r\n\r\n[1, 2]"], ends=True) as it:
            assert (await it.ask()).body == b"[1, 2]"

    async def test_that_breaks_off_is_none(self) -> None:
        async with vendor([answer(b"[1, 2]")[:-1]], ends=True) as it:
            assert isinstance(await it.error(), UnavailableError)

    async def test_whose_rest_cannot_be_read_is_not_waited_for(self) -> None:
        async with vendor([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", b"zz\r\n"]) as it:
            asking = asyncio.create_task(it.error())
            await it.heard_something()
            it.writers[0].write(b"zz\r\n")

            async with asyncio.timeout(2):
                assert isinstance(await asking, UnavailableError)

    async def test_is_unpacked(self) -> None:
        packed = zlib.compress(b"[1, 2]")
        async with vendor([answer(packed, "Content-Encoding: deflate")]) as it:
            assert (await it.ask()).body == b"[1, 2]"

    async def test_that_grows_too_large_takes_its_connection_away(self) -> None:
        packed = zlib.compress(b" " * 100 * MOST)
        async with vendor([answer(packed, "Content-Encoding: deflate"), answer()]) as it:
            assert isinstance(await it.error(), MalformedReplyError)
            await it.ask()

            assert [len(connection) for connection in it.heard] == [1, 1]

    @pytest.mark.parametrize(
        "said",
        [
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        ],
    )
    async def test_that_is_no_http_is_an_outage(self, said: bytes) -> None:
        async with vendor([said]) as it:
            assert isinstance(await it.error(seconds=1), UnavailableError)
