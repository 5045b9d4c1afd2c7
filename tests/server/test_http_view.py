import asyncio
from typing import Any

import pytest

from server.http import HttpSettings
from server.limits import Limits
from tests.server.toy_graph import serving

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (GRAPHQL, GRAPHQL),
        (JSON, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (f"{GRAPHQL}; charset=utf-8, {JSON}; charset=utf-8", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", GRAPHQL),
        (f"{JSON}, {GRAPHQL};q=0.9", JSON),
        (f"{GRAPHQL};q=0.5, */*;q=0.1", GRAPHQL),
        (f"{JSON};q=0, */*", GRAPHQL),
        ("text/html, */*;q=0.1", JSON),
    ],
)
async def test_the_media_type_is_the_one_the_client_likes_best(accept: str, expected: str) -> None:
    async with serving() as server:
        reply = await server.ask("{__typename}", accept=accept)

    assert reply.status == 200
    assert reply.headers["content-type"] == f"{expected}; charset=utf-8"
    assert reply.json == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("accept", ["text/plain", "image/png", f"{JSON};q=0", f"{JSON}; charset=utf-16", "text/html", ","])
async def test_a_client_that_reads_no_json_is_told_406(accept: str) -> None:
    async with serving() as server:
        reply = await server.ask("{__typename}", accept=accept)

    assert (reply.status, reply.codes) == (406, ["BAD_USER_INPUT"])


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("{", {}),
        ("", {}),
        ("{nothing}", {}),
        ("query($n:Int!){parents(first:$n){totalCount}}", {"variables": {"n": "x"}}),
        ("query A{__typename} query B{__typename}", {}),
        ("query A{__typename} query B{__typename}", {"operationName": ""}),
        ("query A{__typename}", {"operationName": "C"}),
        ("subscription{count(to:1)}", {}),
        ("{parents(first:" + "9" * 100_000 + "){totalCount}}", {}),
        ("{" + "a{" * 2000, {}),
    ],
    ids=[
        "syntax",
        "empty",
        "validation",
        "variables",
        "which operation",
        "empty name",
        "unknown operation",
        "subscription",
        "number",
        "nesting",
    ],
)
async def test_a_request_error_is_400_in_the_graphql_type_and_200_in_plain_json(query: str, parameters: dict[str, Any]) -> None:
    async with serving() as server:
        graphql = await server.ask(query, **parameters)
        plain = await server.ask(query, accept=JSON, **parameters)

    assert graphql.status == 400
    assert plain.status == 200
    assert "data" not in graphql.json
    assert "data" not in plain.json
    assert set(graphql.codes) == set(plain.codes) == {"BAD_USER_INPUT"}


async def test_what_the_schema_does_not_have_is_told_as_it_is() -> None:
    async with serving() as server:
        otherwise = await server.ask("subscription{count(to:1)}")
    async with serving(reads_only=True) as server:
        no_subscription = await server.ask("subscription{count(to:1)}")
        no_mutation = await server.get(params={"query": "mutation{save}"}, headers={"accept": GRAPHQL})

    (told,) = otherwise.messages
    assert "please accept text/event-stream, or multipart/mixed;subscriptionSpec=1.0" in told
    assert (no_subscription.status, no_subscription.messages) == (400, ["This graph has no subscriptions."])
    assert (no_mutation.status, no_mutation.messages) == (400, ["This graph has no mutations."])


async def test_the_operation_that_is_named_is_the_one_that_runs() -> None:
    async with serving() as server:
        reply = await server.ask('query A{echo(text:"a")} query B{echo(text:"b")}', operationName="B")

    assert reply.json == {"data": {"echo": "b"}}


async def test_a_partial_answer_is_200_and_294_only_where_switched_on() -> None:
    query = '{echo(text:"x") broken}'

    async with serving() as server:
        usual = await server.ask(query)
    async with serving(HttpSettings(status_partial_294=True)) as server:
        switched = await server.ask(query)
        plain = await server.ask(query, accept=JSON)
        whole = await server.ask('{echo(text:"x")}')

    assert (usual.status, switched.status, plain.status, whole.status) == (200, 294, 200, 200)
    assert usual.json["data"] == {"echo": "x", "broken": None}
    assert (usual.json["errors"][0]["path"], usual.codes) == (["broken"], ["INTERNAL"])
    assert "private detail" not in usual.text


async def test_a_get_runs_queries_only() -> None:
    async with serving() as server:
        query = await server.get(params={"query": "query($t:String!){echo(text:$t)}", "variables": '{"t":"å"}', "operationName": ""})
        mutation = await server.get(params={"query": "mutation{save}"})
        nothing = await server.get(headers={"accept": JSON})
        bad = await server.get(params={"query": "{__typename}", "variables": "[[["})

    assert query.json == {"data": {"echo": "å"}}
    assert (mutation.status, mutation.headers["allow"], mutation.codes) == (405, "POST", ["BAD_USER_INPUT"])
    assert (nothing.status, bad.status) == (400, 400)
    assert server.journal.ran == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_other_methods_are_told_what_is_allowed(method: str) -> None:
    async with serving() as server, server.http.request(method, server.url) as response:
        assert response.status == 405
        assert response.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", "accept": JSON},
        {"sec-fetch-site": "same-origin", "sec-fetch-mode": "no-cors", "accept": "*/*"},
        {"accept": "image/avif,image/webp,*/*;q=0.8"},
    ],
)
async def test_a_get_that_another_site_can_cause_runs_nothing(headers: dict[str, str]) -> None:
    async with serving() as server:
        refused = await server.get(params={"query": "{parent{name}}"}, headers=headers)
        allowed = await server.get(params={"query": "{parent{name}}"}, headers={**headers, "graphql-require-preflight": "1"})

    assert (refused.status, refused.codes) == (403, ["FORBIDDEN"])
    assert allowed.status == 200
    assert server.journal.ran == ["parent"]


async def test_pages_of_an_allowed_origin_may_ask_and_read() -> None:
    origin = "https://app.example.com"

    async with serving(HttpSettings(cors_origins=(origin,))) as server:
        asked = await server.get(params={"query": "{__typename}"}, headers={"origin": origin, "sec-fetch-site": "cross-site"})
        preflight = {"origin": origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
        async with server.http.options(server.url, headers=preflight) as response:
            allowed = response.headers["access-control-allow-origin"]
        preflight["origin"] = "https://other.example"
        async with server.http.options(server.url, headers=preflight) as response:
            refused = response.headers.get("access-control-allow-origin")

    assert asked.headers["access-control-allow-origin"] == allowed == origin
    assert refused is None


async def test_a_browser_gets_a_page_that_nobody_can_frame() -> None:
    async with serving() as server:
        page = await server.get(params={"query": "{parent{name}}"}, headers={"accept": BROWSER})
    async with serving(HttpSettings(graphiql=False)) as plain:
        none = await plain.get(headers={"accept": BROWSER})

    assert page.headers["content-type"].startswith("text/html")
    assert "crmgraph" in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert server.journal.ran == []
    assert none.status == 403


async def test_answers_carry_the_request_id_and_careful_headers() -> None:
    async with serving() as server:
        given = await server.post(json={"query": "{requestId}"}, headers={"x-request-id": "abc-1.2_3"})
        made = await server.ask("{requestId}")
        forged = await server.post(json={"query": "{requestId}"}, headers={"x-request-id": "a b"})

    assert given.headers["x-request-id"] == given.json["data"]["requestId"] == "abc-1.2_3"
    assert made.headers["x-request-id"] == made.json["data"]["requestId"]
    assert forged.headers["x-request-id"] != "a b"
    assert (made.headers["x-content-type-options"], made.headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert "frame-ancestors 'none'" in made.headers["content-security-policy"]
    assert "server" not in made.headers


async def test_large_answers_are_compressed_for_those_who_ask() -> None:
    query = f'{{echo(text:"{"x" * 5000}")}}'

    async with serving() as server:
        zipped = await server.post(json={"query": query}, headers={"accept-encoding": "gzip"})
        plain = await server.post(json={"query": query}, headers={"accept-encoding": "identity"})
        small = await server.post(json={"query": "{__typename}"}, headers={"accept-encoding": "gzip"})

    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.json == plain.json
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in small.headers


async def test_headers_and_urls_have_a_largest_size() -> None:
    async with serving() as server:
        headers = await server.post(json={"query": "{__typename}"}, headers={"x-large": "x" * 20_000})
        url = await server.get(params={"query": "{__typename}" + " " * 20_000})

    assert (headers.status, headers.codes) == (431, ["LIMIT_EXCEEDED"])
    assert (url.status, url.codes) == (414, ["LIMIT_EXCEEDED"])


async def test_health_and_readiness_answer_in_json() -> None:
    state = {"ready": False}

    async with serving(ready=lambda: state["ready"]) as server:
        health, starting = await server.get("/healthz"), await server.get("/readyz")
        state["ready"] = True
        ready, missing = await server.get("/readyz"), await server.get("/nothing")

    assert (health.status, health.json) == (200, {"status": "ok"})
    assert (starting.status, starting.json) == (503, {"status": "starting"})
    assert (ready.status, ready.json) == (200, {"status": "ready"})
    assert (missing.status, missing.codes) == (404, ["NOT_FOUND"])


async def test_who_opens_the_server_itself_is_sent_to_the_page_or_told_where_the_graph_is() -> None:
    async with serving() as server:
        sent = await server.get("/", headers={"accept": BROWSER}, allow_redirects=False)
        page = await server.get("/", headers={"accept": BROWSER})
        posted = await server.http.post(f"http://{server.host}:{server.port}/", json={"query": "{__typename}"})
        refused = await posted.json()
    async with serving(HttpSettings(graphiql=False)) as plain:
        told = await plain.get("/", headers={"accept": BROWSER})

    assert (sent.status, sent.headers["location"]) == (307, "/graphql")
    assert page.headers["content-type"].startswith("text/html")
    assert (posted.status, refused["errors"][0]["message"]) == (405, "Method Not Allowed. The graph is at /graphql.")
    assert (told.status, told.messages, told.codes) == (404, ["Not Found. The graph is at /graphql."], ["NOT_FOUND"])


async def test_a_slash_at_the_end_makes_no_difference_to_the_graph_and_redirects_nobody() -> None:
    async with serving() as server:
        async with server.http.post(server.url + "/", json={"query": "{__typename}"}, allow_redirects=False) as response:
            answered = await response.json()
        page = await server.get("/graphql/", headers={"accept": BROWSER})
        elsewhere = await server.get("/healthz/", allow_redirects=False)

    assert answered == {"data": {"__typename": "Query"}}
    assert page.headers["content-type"].startswith("text/html")
    assert (elsewhere.status, elsewhere.codes) == (404, ["NOT_FOUND"])


async def test_every_operation_has_its_own_context() -> None:
    async with serving() as server:
        await server.ask("{parent{name}}")
        await server.ask("{parent{name}}")

    assert len(set(map(id, server.journal.contexts))) == 2


async def test_an_operation_knows_its_deadline() -> None:
    async with serving(limits=Limits(deadline_seconds=7)) as server:
        reply = await server.ask("{secondsLeft}")

    assert 0 < reply.json["data"]["secondsLeft"] <= 7


async def test_an_operation_past_its_deadline_is_cancelled() -> None:
    async with serving(limits=Limits(deadline_seconds=0.05, grace_seconds=0)) as server:
        query = await server.ask("{slow}")
        await asyncio.wait_for(server.journal.cancelled.wait(), 60)
        mutation = await server.ask("mutation{saveSlowly}")

    assert (query.status, query.json["data"], query.codes) == (200, None, ["TIMEOUT"])
    assert (mutation.status, mutation.json["data"], mutation.codes) == (200, None, ["OUTCOME_UNKNOWN"])


async def test_a_query_ends_when_its_client_leaves() -> None:
    async with serving() as server:
        request = asyncio.create_task(server.ask("{slow}"))
        await asyncio.wait_for(server.journal.started.wait(), 60)
        request.cancel()

        await asyncio.wait_for(server.journal.cancelled.wait(), 60)

    assert not server.journal.finished.is_set()


async def test_a_mutation_goes_on_when_its_client_leaves() -> None:
    async with serving() as server:
        _, writer = await asyncio.open_connection(server.host, server.port)
        body = b'{"query":"mutation{saveSlowly}"}'
        head = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await asyncio.wait_for(server.journal.started.wait(), 60)
        writer.close()
        await writer.wait_closed()
        await server.ask("{__typename}")  # the server has had its turn to notice

        server.journal.release.set()
        await asyncio.wait_for(server.journal.finished.wait(), 60)

    assert not server.journal.cancelled.is_set()


async def test_a_mistake_of_the_server_tells_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        server.journal.contexts = None  # type: ignore[assignment]
        reply = await server.ask("{__typename}")

    assert (reply.status, reply.json) == (500, {"errors": [{"message": "Internal error.", "extensions": {"code": "INTERNAL"}}]})
    assert "append" in caplog.text
