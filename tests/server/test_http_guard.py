"""Hosts and origins: whom the server answers, asked over real connections."""

import aiohttp
import pytest

from server.http import HttpSettings
from server.http.guard import host_name, is_own_host
from tests.server.toy_graph import serving

QUERY = {"query": "{parent{name}}"}
BOARD = "https://board.example"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:8000", "localhost"),
        ("crm.example.:443", "crm.example"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:8000", "::1"),
        ("", None),
        (".", None),
        (":8000", None),
        ("a b", None),
        ("evil.example/@localhost", None),
        ("user@localhost", None),
        ("localhost:", None),
        ("localhost:x", None),
        ("localhost, evil.example", None),
    ],
)
def test_a_host_header_is_a_name_and_perhaps_a_port(header: str, name: str | None) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize(
    ("name", "listening_at", "allowed", "is_own"),
    [
        ("localhost", "127.0.0.1", (), True),
        ("api.localhost", "127.0.0.1", (), True),
        ("127.9.9.9", "127.0.0.1", (), True),
        ("::1", "127.0.0.1", (), True),
        ("crm.example", "crm.example", (), True),
        ("crm.example", "127.0.0.1", ("CRM.example",), True),
        ("10.0.0.5", "0.0.0.0", (), True),  # noqa: S104  # compared, not listened at
        ("fd00::5", "::", (), True),
        ("10.0.0.5", "127.0.0.1", (), False),
        ("crm.example", "0.0.0.0", (), False),  # noqa: S104  # compared, not listened at
        ("evil.example", "127.0.0.1", ("crm.example",), False),
        ("localhost.evil.example", "127.0.0.1", (), False),
        ("127.0.0.1.evil.example", "127.0.0.1", (), False),
        ("notlocalhost", "127.0.0.1", (), False),
        ("0.0.0.0", "127.0.0.1", (), False),  # noqa: S104  # compared, not listened at
    ],
)
def test_loopback_the_own_address_and_what_is_allowed_are_own_hosts(
    name: str, listening_at: str, allowed: tuple[str, ...], is_own: object
) -> None:
    assert is_own_host(name, listening_at=listening_at, allowed=allowed) is is_own


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.5"])
async def test_a_foreign_host_is_refused_everywhere_and_nothing_runs(host: str) -> None:
    headers = {"host": host}

    async with serving() as server:
        posted = await server.post(json=QUERY, headers=headers)
        others = [await server.get(path, params=QUERY, headers=headers) for path in ("/graphql", "/healthz", "/readyz", "/nothing")]
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await server.http.ws_connect(server.url, protocols=["graphql-transport-ws"], headers=headers)

    assert (posted.status, posted.codes) == (421, ["FORBIDDEN"])
    assert "server.allowed_hosts" in posted.messages[0]
    assert "x-request-id" in posted.headers
    assert [reply.status for reply in others] == [421] * 4
    assert caught.value.status == 421
    assert server.journal.ran == []


@pytest.mark.parametrize("host", ["localhost", "LocalHost:1", "board.localhost:3000", "127.0.0.1", "[::1]:9"])
async def test_loopback_may_be_named_with_any_port(host: str) -> None:
    async with serving() as server:
        reply = await server.post(json=QUERY, headers={"host": host})

    assert reply.status == 200


async def test_an_allowed_host_is_answered() -> None:
    async with serving(HttpSettings(allowed_hosts=("crm.example",))) as server:
        allowed = await server.post(json=QUERY, headers={"host": "crm.example:8443"})
        same_origin = await server.post(json=QUERY, headers={"host": "crm.example", "origin": "https://crm.example"})
        other = await server.post(json=QUERY, headers={"host": "other.example"})

    assert (allowed.status, same_origin.status, other.status) == (200, 200, 421)


@pytest.mark.parametrize("hosts", [b"", b"Host: \r\n", b"Host: a b\r\n", b"Host: localhost\r\nHost: evil.example\r\n"])
async def test_a_request_names_one_host(hosts: bytes) -> None:
    async with serving() as server:
        answer = await server.exchange(b"GET /healthz HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"errors":[{"message":"The request must have one Host header' in answer


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1", "", "file://"])
async def test_a_page_of_another_origin_runs_nothing(origin: str) -> None:
    headers = {"origin": origin, "graphql-require-preflight": "1"}

    async with serving() as server:
        posted = await server.post(json=QUERY, headers=headers)
        got = await server.get(params=QUERY, headers=headers)
        health = await server.get("/healthz", headers=headers)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await server.http.ws_connect(server.url, protocols=["graphql-transport-ws"], headers={"origin": origin})

    assert (posted.status, posted.codes) == (403, ["FORBIDDEN"])
    assert "server.cors_origins" in posted.messages[0]
    assert (got.status, health.status, caught.value.status) == (403, 403, 403)
    assert server.journal.ran == []


async def test_a_page_of_the_own_or_an_allowed_origin_may_ask() -> None:
    async with serving(HttpSettings(cors_origins=(BOARD,))) as server:
        own = await server.post(json=QUERY, headers={"origin": server.origin})
        allowed = await server.post(json=QUERY, headers={"origin": BOARD})
        for origin in (server.origin, BOARD):
            socket = await server.http.ws_connect(server.url, protocols=["graphql-transport-ws"], origin=origin)
            await socket.send_json({"type": "connection_init"})
            assert (await socket.receive_json(timeout=60))["type"] == "connection_ack"

    assert (own.status, allowed.status) == (200, 200)
    assert allowed.headers["access-control-allow-origin"] == BOARD


@pytest.mark.parametrize(
    ("preflight", "status"),
    [
        ({"origin": "https://evil.example", "access-control-request-method": "POST"}, 403),
        ({"origin": BOARD, "access-control-request-method": "DELETE"}, 400),
        ({"origin": BOARD, "access-control-request-method": "POST", "access-control-request-headers": "x-odd"}, 400),
    ],
)
async def test_a_preflight_is_refused_in_json(preflight: dict[str, str], status: int) -> None:
    async with serving(HttpSettings(cors_origins=(BOARD,))) as server, server.http.options(server.url, headers=preflight) as response:
        body = await response.json()

    assert (response.status, response.content_type) == (status, "application/json")
    assert set(body["errors"][0]) == {"message", "extensions"}
