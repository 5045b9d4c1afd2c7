"""Subscriptions as HTTP answers without an end: server-sent events and Apollo's multipart protocol."""

import asyncio
import email.parser
import email.policy
import json
from typing import Any

import aiohttp
import pytest

from resolvers.errors import UserError
from server.http import HttpSettings
from server.http.protocol import PatientProtocol
from server.limits import Limits
from tests.server.stage_feed import SUBSCRIPTION, FeedServer, serving
from vendors.errors import ErrorCode

EVENTS = "text/event-stream"
MULTIPART = 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0",application/json'
COUNT = "subscription { count(to: 2) }"


def opened(server: FeedServer, query: str = SUBSCRIPTION, *, accept: str = EVENTS, **kwargs: Any) -> Any:
    """The answer to a subscription by POST, as aiohttp's context manager."""
    headers = {"accept": accept, **kwargs.pop("headers", {})}
    return server.http.post(server.url, json={"query": query, **kwargs}, headers=headers)


async def silent(server: FeedServer) -> asyncio.StreamWriter:
    """Subscribe to large events and read none of them."""
    body = json.dumps({"query": 'subscription{opportunityStageChanged(after:"c0"){padding(size:100000)}}'}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: {EVENTS}\r\nContent-Type: application/json\r\n"
    _, writer = await asyncio.open_connection(server.host, server.port, limit=1024)
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await asyncio.wait_for(server.feed.until_followed_by(1), 60)
    return writer


async def block(reply: aiohttp.ClientResponse) -> dict[str, str]:
    """The next event with its fields; comments have the name ''."""
    fields: dict[str, str] = {}
    while (line := (await asyncio.wait_for(reply.content.readline(), 60)).decode()) not in ("\n", ""):
        name, _, value = line.rstrip("\n").partition(":")
        fields[name] = value.removeprefix(" ")
    return fields


async def event(reply: aiohttp.ClientResponse) -> dict[str, str]:
    """The next event that is more than a comment."""
    while not (fields := await block(reply)).get("event"):
        pass
    return fields


def parts_of(content_type: str, body: bytes) -> list[Any]:
    """The parts of a whole multipart answer, by Python's own parser, which finds what RFC 2046 does not allow."""
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + body)
    assert message.is_multipart()
    assert message.defects == []
    assert message.preamble in (None, "")
    parts = list(message.iter_parts())
    assert {part.get_content_type() for part in parts} == {"application/json"}
    return [json.loads(part.get_content()) for part in parts]


async def test_events_have_ids_and_a_client_resumes_with_the_last_one() -> None:
    async with serving() as server:
        async with opened(server) as reply:
            await server.feed.until_followed_by(1)
            await server.feed.add("e1", "e2")
            first, second = await event(reply), await event(reply)
        await server.feed.until_followed_by(0)
        await server.feed.add("e3")
        async with opened(server, headers={"Last-Event-ID": first["id"]}) as reply:
            resumed = [await event(reply), await event(reply)]
        async with opened(server, variables={"after": "c2"}) as reply:
            by_argument = await event(reply)

    assert (reply.status, reply.headers["content-type"], reply.headers["x-accel-buffering"]) == (
        200,
        "text/event-stream; charset=utf-8",
        "no",
    )
    assert "no-store" in reply.headers["cache-control"]
    assert "content-encoding" not in reply.headers
    assert [(it["event"], it["id"]) for it in (first, second)] == [("next", "c1"), ("next", "c2")]
    assert json.loads(first["data"]) == {"data": {"opportunityStageChanged": {"cursor": "c1", "eventId": "e1"}}}
    assert [it["id"] for it in resumed] == ["c2", "c3"]
    assert by_argument["id"] == "c3"


async def test_a_browser_subscribes_by_get() -> None:
    headers = {"accept": EVENTS, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "last-event-id": ""}

    async with serving() as server, server.http.get(server.url, params={"query": COUNT}, headers=headers) as reply:
        body = await reply.text()

    assert body.startswith("retry: 1000\n:\n\nevent: next\ndata: ")
    assert body.endswith('event: next\ndata: {"data":{"count":1}}\n\nevent: complete\ndata: \n\n')


async def test_a_stream_is_not_for_another_site_and_changes_nothing_by_get() -> None:
    async with serving() as server:
        other_site = {"accept": EVENTS, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
        async with server.http.get(server.url, params={"query": COUNT}, headers=other_site) as reply:
            refused = reply.status
        async with server.http.get(server.url, params={"query": "mutation{save}"}, headers={"accept": EVENTS}) as reply:
            changing = (reply.status, reply.headers["allow"], reply.content_type)

    assert refused == 403
    assert changing == (405, "POST", "application/json")
    assert not server.feed.saving.is_set()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "BAD_USER_INPUT"),
        ("", "BAD_USER_INPUT"),
        ("subscription{nothing}", "BAD_USER_INPUT"),
        ("subscription{refused}", "NOT_SUPPORTED"),
    ],
)
async def test_a_mistake_in_a_request_is_told_in_the_stream(query: str, code: str) -> None:
    async with serving() as server:
        async with opened(server, query) as reply:
            told, end = await event(reply), await event(reply)
        async with opened(server, query, accept=MULTIPART.partition(",")[0]) as reply:
            (_, part) = parts_of(reply.headers["content-type"], await reply.read())

    assert [error["extensions"]["code"] for error in json.loads(told["data"])["errors"]] == [code]
    assert (told["event"], end) == ("next", {"event": "complete", "data": ""})
    assert part["payload"]["errors"][0]["extensions"]["code"] == code


async def test_a_request_that_is_none_is_refused_as_always() -> None:
    headers = {"accept": EVENTS, "content-type": "application/json"}

    async with serving() as server, server.http.post(server.url, data=b"{", headers=headers) as reply:
        answer = await reply.json()

    assert (reply.status, answer["errors"][0]["extensions"]["code"]) == (400, "BAD_USER_INPUT")


async def test_queries_and_mutations_run_as_streams_too() -> None:
    async with serving() as server:
        server.feed.release.set()
        async with opened(server, '{echo(text: "a")}') as reply:
            query = [await event(reply), await event(reply)]
        async with opened(server, "mutation{save}") as reply:
            mutation = [await event(reply), await event(reply)]

    assert [it["event"] for it in (*query, *mutation)] == ["next", "complete"] * 2
    assert json.loads(query[0]["data"]) == {"data": {"echo": "a"}}
    assert json.loads(mutation[0]["data"]) == {"data": {"save": "saved"}}


@pytest.mark.parametrize("accept", [MULTIPART, "application/json, text/event-stream", "text/event-stream, */*"])
async def test_who_accepts_both_gets_a_stream_for_a_subscription_only(accept: str) -> None:
    async with serving() as server:
        async with opened(server, '{echo(text: "a")}', accept=accept) as reply:
            query = (reply.content_type, await reply.json())
        async with opened(server, COUNT, accept=accept) as reply:
            subscription = reply.content_type

    assert query == ("application/json", {"data": {"echo": "a"}})
    assert subscription in (EVENTS, "multipart/mixed")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/event-stream;q=0.5, multipart/mixed;subscriptionSpec=1.0", "multipart/mixed"),
        ("multipart/mixed;subscriptionSpec='1.0';q=0.1, text/event-stream;q=0.2", EVENTS),
        ("multipart/mixed, text/event-stream", EVENTS),
        ("Multipart/Mixed; boundary=graphql; SubscriptionSpec=1.0", "multipart/mixed"),
        ("multipart/mixed;subscriptionSpec=1.1, application/json", "application/json"),
        ("text/event-stream;q=0, application/json", "application/json"),
        ("*/*", "application/json"),
    ],
)
async def test_the_kind_of_stream_is_the_one_the_client_likes_best(accept: str, content_type: str) -> None:
    async with serving() as server, opened(server, COUNT, accept=accept) as reply:
        body = await reply.text()

    assert reply.content_type == content_type
    assert (content_type == "application/json") == ("please accept text/event-stream, or multipart/mixed;subscriptionSpec=1.0" in body)


async def test_multipart_has_the_form_of_rfc_2046_and_of_apollo() -> None:
    async with serving() as server, opened(server, COUNT, accept=MULTIPART, headers={"accept-encoding": "gzip"}) as reply:
        body = await reply.read()

    assert "content-encoding" not in reply.headers
    assert reply.headers["content-type"] == 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"'
    assert body.startswith(b"--graphql\r\ncontent-type: application/json")
    assert body.endswith(b"\r\n--graphql--\r\n")
    assert parts_of(reply.headers["content-type"], body) == [{}, {"payload": {"data": {"count": 0}}}, {"payload": {"data": {"count": 1}}}]


async def test_a_part_is_whole_as_soon_as_it_is_sent() -> None:
    async with serving() as server, opened(server, accept=MULTIPART) as reply:
        await server.feed.until_followed_by(1)
        await asyncio.wait_for(reply.content.readuntil(b"\r\n--graphql"), 60)
        await server.feed.add("e1")
        part = await asyncio.wait_for(reply.content.readuntil(b"\r\n--graphql"), 60)

    assert (
        json.loads(part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n--graphql"))["payload"]["data"]["opportunityStageChanged"]["eventId"]
        == "e1"
    )


async def test_a_stream_without_events_shows_that_it_lives() -> None:
    settings = HttpSettings(sse_ping_seconds=0.01, multipart_heartbeat_seconds=0.01)

    async with serving(settings) as server:
        async with opened(server) as reply:
            blocks = [await block(reply) for _ in range(4)]
        async with opened(server, accept=MULTIPART) as reply:
            parts = [await asyncio.wait_for(reply.content.readuntil(b"{}\r\n--graphql"), 60) for _ in range(4)]

    assert blocks == [{"retry": "1000", "": ""}, {"": ""}, {"": ""}, {"": ""}]
    assert len(parts) == 4


LAGGED = UserError(ErrorCode.SUBSCRIBER_LAGGED, "Too far behind; subscribe again with `after`.", cursor="c7")


async def test_the_failure_of_a_stream_is_its_last_event() -> None:
    async with serving() as server, opened(server) as reply, opened(server, accept=MULTIPART) as multipart:
        await server.feed.until_followed_by(2)
        await server.feed.add("e1")
        await server.feed.fail(LAGGED)
        _, failed, end = [await event(reply) for _ in range(3)]
        parts = parts_of(multipart.headers["content-type"], await multipart.read())

    expected = [{"code": "SUBSCRIBER_LAGGED", "cursor": "c7"}]
    assert [error["extensions"] for error in json.loads(failed["data"])["errors"]] == expected
    assert (failed["event"], end["event"]) == ("next", "complete")
    assert [part.get("payload", {}) is not None for part in parts] == [True, True, False]
    assert [error["extensions"] for error in parts[-1]["errors"]] == expected


async def test_a_stream_that_cannot_begin_says_why() -> None:
    async with serving() as server, opened(server, headers={"last-event-id": "expired"}) as reply:
        failed, end = await event(reply), await event(reply)

    assert json.loads(failed["data"])["errors"][0]["extensions"] == {"code": "CURSOR_EXPIRED", "oldestCursor": "c1"}
    assert end["event"] == "complete"


async def test_a_mistake_of_ours_ends_the_stream_and_tells_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server, opened(server) as reply:
        await server.feed.until_followed_by(1)
        await server.feed.fail(RuntimeError("private detail"))
        failed, end = await event(reply), await event(reply)

    assert "private detail" not in failed["data"]
    assert json.loads(failed["data"])["errors"][0]["extensions"] == {"code": "INTERNAL"}
    assert end["event"] == "complete"
    assert any("private detail" in str(record.exc_info) for record in caplog.records)


@pytest.mark.parametrize("accept", [EVENTS, MULTIPART])
async def test_the_leaving_of_a_client_ends_its_subscription_while_it_waits(accept: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server, opened(server, accept=accept) as reply:
        await server.feed.until_followed_by(1)
        reply.close()
        await asyncio.wait_for(server.feed.until_followed_by(0), 60)

    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_mutation_goes_on_when_its_client_leaves() -> None:
    async with serving() as server:
        async with opened(server, "mutation{save}") as reply:
            await asyncio.wait_for(server.feed.saving.wait(), 60)
            reply.close()
        server.feed.release.set()
        await asyncio.wait_for(server.feed.saved.wait(), 60)


@pytest.mark.parametrize("accept", [EVENTS, MULTIPART])
async def test_an_event_that_hangs_becomes_an_error_and_the_stream_goes_on(accept: str) -> None:
    query = 'subscription{changed:opportunityStageChanged{eventId slowIf(eventId:"e1")}}'

    async with serving(limits=Limits(deadline_seconds=0.05, grace_seconds=0)) as server, opened(server, query, accept=accept) as reply:
        await server.feed.until_followed_by(1)
        await server.feed.add("e1", "e2")
        found: list[Any] = []
        while len(found) < 2:
            line = await asyncio.wait_for(reply.content.readline(), 60)
            if b'"data":' in line:
                found.append(json.loads(line.removeprefix(b"data: ")))
        hung, next_one = [it.get("payload", it) for it in found]

    assert hung["data"] is None
    assert [(error["path"], error["extensions"]["code"]) for error in hung["errors"]] == [(["changed"], "TIMEOUT")]
    assert next_one == {"data": {"changed": {"eventId": "e2", "slowIf": None}}}


async def test_every_event_has_a_deadline_of_its_own_and_the_stream_has_none() -> None:
    query = "subscription{opportunityStageChanged{secondsLeft}}"
    now = 0.0

    async with serving(limits=Limits(deadline_seconds=10), clock=lambda: now) as server, opened(server, query) as reply:
        await server.feed.until_followed_by(1)
        left: list[float] = []
        for number in range(3):
            now += 100
            await server.feed.add(f"e{number}")
            left.append(json.loads((await event(reply))["data"])["data"]["opportunityStageChanged"]["secondsLeft"])

    assert left == [10, 10, 10]


async def test_a_client_that_does_not_read_makes_nobody_wait_and_holds_little() -> None:
    async with serving() as server:
        await server.feed.add(*(f"e{number}" for number in range(500)))
        writer = await silent(server)
        async with opened(server, variables={"after": "c0"}) as reply:
            while (await event(reply))["id"] != "c500":
                pass
        made, held = server.feed.made - 500, server.unsent()
        writer.transport.abort()
        await asyncio.wait_for(server.feed.until_followed_by(0), 60)

    assert 0 < made < 250
    assert 0 < held < 300_000


async def test_a_client_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "stall_timeout_seconds", 0.01)
    async with serving() as server:
        writer = await silent(server)
        await server.feed.add(*(f"e{number}" for number in range(500)))

        await asyncio.wait_for(server.feed.until_followed_by(0), 60)
        writer.transport.abort()


async def test_streams_end_when_the_server_stops_and_say_that_one_should_come_back() -> None:
    async with serving() as server, opened(server) as reply, opened(server, accept=MULTIPART) as multipart:
        await server.feed.until_followed_by(2)
        server.server.should_exit = True
        events = await asyncio.wait_for(reply.text(), 60)
        parts = parts_of(multipart.headers["content-type"], await asyncio.wait_for(multipart.read(), 60))

    assert events == "retry: 1000\n:\n\n"
    assert parts[-1] == {
        "payload": None,
        "errors": [{"message": "The server is stopping; please subscribe again.", "extensions": {"code": "UNAVAILABLE"}}],
    }


async def test_a_page_of_an_allowed_origin_may_resume() -> None:
    asked = {"origin": "https://app.example", "access-control-request-method": "POST", "access-control-request-headers": "last-event-id"}

    async with (
        serving(HttpSettings(cors_origins=("https://app.example",))) as server,
        server.http.options(server.url, headers=asked) as reply,
    ):
        assert reply.status == 200
