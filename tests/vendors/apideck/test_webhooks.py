"""Webhooks of Apideck: what is taken for the vendor's, what it says, who is registered; the sandbox's deliveries come over real HTTP."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.playground import Playground, playground
from tests.vendors.apideck.sandbox_caller import calling
from tests.vendors.apideck.scripted_vendor import Json, refusal, rows, scripted
from vendors.apideck.client import Client
from vendors.apideck.sandbox import SANDBOX, STORE
from vendors.apideck.settings import Settings
from vendors.apideck.signatures import MOST_BYTES, canonical, is_signed
from vendors.changes import (
    Delivery,
    ReceivesWebhooks,
    RegistersWebhooks,
    Webhook,
    WebhookMalformedError,
    WebhookRefusedError,
)
from vendors.errors import NotFoundError, OutcomeUnknownError, RejectedRequestError
from vendors.registry import Link
from vendors.sandbox import OptionValue, web_socket
from vendors.sandbox_board import LIFE

CRANE, COMPANY = "9017442101", "6214407301"
EVENTS = ("crm.opportunity.created", "crm.opportunity.updated", "crm.opportunity.deleted")
SECRET = "sk_test"
# Source: Apideck CRM API, x-webhooks, OpportunityUpdated, example.
PAYLOAD: Mapping[str, Any] = {
    "event_type": "crm.opportunity.updated",
    "unified_api": "crm",
    "service_id": "hubspot",
    "consumer_id": "test_user_id",
    "event_id": "d290f1ee-6c54-4b01-90e6-d701748f0851",
    "entity_id": "123456ASDF",
    "entity_url": "https://unify.apideck.com/crm/opportunities/123456ASDF",
    "entity_type": "opportunity",
    "occurred_at": "2020-01-01T00:00:00.000Z",
}
# What Node.js makes of texts: sorted as in the vendor's guide, written by JSON.stringify, and signed with SECRET.
STRINGIFIED = [
    (
        r'{"payload":{"event_type":"crm.opportunity.updated","entity_id":"17","b":1,"a":[{"z":null,"y":true},[],{}]}}',
        r'{"payload":{"a":[{"y":true,"z":null},[],{}],"b":1,"entity_id":"17","event_type":"crm.opportunity.updated"}}',
        "a555d38489c404b4beb2ec993c9c19fcbe475ac11e96144e243b8ff744d24122",
    ),
    (
        r'{ "z" : "\u00e9\u20ac/<>&\u2028" , "\ud83d\ude00":1, "\uff01":2, "e\u0301":3, "x":"\ud800 \n\t\u0001\u007f\"\\" }',
        '{"e\u0301":3,"x":"\\ud800 \\n\\t\\u0001\x7f\\"\\\\","z":"é€/<>&\u2028","\U0001f600":1,"\uff01":2}',
        "213276d0907eefa224b4c10f43cfeb57f84e399e1dbe30742df3f6958477520f",
    ),
    (
        '{"n":[0,-1,1.5,1e+21,12345678901234567000]}',
        '{"n":[0,-1,1.5,1e+21,12345678901234567000]}',
        "a71ef47a186582038da2d18ce449a8c8df281704db8e2be9fbc4c1a2fb0da9db",
    ),
    (
        '{"a":{"b":{"d":1,"c":{}}},"Z":1,"_":2,"10x":3}',
        '{"10x":3,"Z":1,"_":2,"a":{"b":{"c":{},"d":1}}}',
        "ba59b7dde89479c61bf8f03188a51a91af4d0162c1c73bb6c2dd029c58f8dc45",
    ),
    ("[]", "[]", "1c312d67fef285b4e52f806c3a970527fc1519fb20a1f0c57234ceb6f42191a6"),
    ('"x"', '"x"', "d18f9d100ab5868ab54e62e36e6ee29c9bd360ca5a17962c5beac130c37bcafb"),
    ("null", "null", "8e60ec9d2e19ed9aa2a12466ffc97b362e8d304e06a75813cedeb1d7d5587b91"),
]


@dataclass
class Receiver:
    """A server that takes deliveries as a Crm's client reads them."""

    url: str
    client: Client | None = None
    status: int = 204
    got: "asyncio.Queue[Delivery | Exception]" = field(default_factory=asyncio.Queue[Delivery | Exception])
    sent: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list[tuple[Mapping[str, str], bytes]])

    async def next(self) -> Delivery:
        async with asyncio.timeout(60):
            got = await self.got.get()
        assert isinstance(got, Delivery)
        return got

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.sent.append((headers, body))
        assert self.client is not None
        try:
            self.got.put_nowait(self.client.delivery(headers, body))
        except (WebhookRefusedError, WebhookMalformedError) as error:
            self.got.put_nowait(error)
            return web.Response(status=401)
        return web.Response(status=self.status)


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver, None]:
    sock = web_socket("127.0.0.1", 0)
    receiver = Receiver(url=f"http://127.0.0.1:{sock.getsockname()[1]}/webhooks/americas")
    app = web.Application()
    app.router.add_post("/webhooks/americas", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    try:
        yield receiver
    finally:
        await runner.cleanup()


@asynccontextmanager
async def registered(options: Mapping[str, OptionValue] | None = None) -> AsyncGenerator[tuple[Playground, Client, Receiver], None]:
    """A receiver that is registered and has stood the trial delivery."""
    async with receiving() as receiver, playground("apideck", options=options) as made:
        client = made.crm.client
        assert isinstance(client, Client)
        receiver.client = client
        assert (await client.register_webhook(receiver.url)).is_enabled
        assert await receiver.next() == Delivery(opportunity_ids=(), key=receiver.sent[0][0]["x-apideck-idempotency-key"])
        yield made, client, receiver


@asynccontextmanager
async def client_of(**settings: Any) -> AsyncGenerator[Client, None]:
    """A client that calls nobody."""
    async with aiohttp.ClientSession() as session:
        link = Link(crm="am", session=session, clock=lambda: 0.0, sleep=asyncio.sleep, jitter=lambda: 0.5)
        given = {"api_key": SECRET, "app_id": "A", "consumer_id": "test_user_id", "service_id": "hubspot", **settings}
        yield Client(link, Settings.model_validate(given))


def signature_of(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signed(body: bytes, **headers: str) -> dict[str, str]:
    return {"x-apideck-signature": signature_of(body), **headers}


def body_of(**payload: object) -> bytes:
    return json.dumps({"payload": {**PAYLOAD, **payload}}).encode()


async def told(body: bytes, **settings: Any) -> Delivery:
    async with client_of(**settings) as client:
        return client.delivery(signed(body), body)


# Signatures.


@pytest.mark.parametrize(("text", "stringified", "digest"), STRINGIFIED)
def test_a_body_is_sorted_and_written_as_javascript_does(text: str, stringified: str, digest: str) -> None:
    assert canonical(text.encode()) == stringified.encode()
    assert is_signed(text.encode(), digest, SECRET)
    assert is_signed(text.encode(), digest.upper(), SECRET)
    assert is_signed(text.encode(), base64.b64encode(bytes.fromhex(digest)).decode(), SECRET)
    assert not is_signed(text.encode(), digest, SECRET + "x")
    assert not is_signed(text.encode() + b"x", digest, SECRET)


def test_numbers_are_signed_as_they_are_written() -> None:
    assert canonical(b'{ "b": 1.0, "a": 1E5, "c": -0, "d": 123456789012345678901234567890 }') == (
        b'{"a":1E5,"b":1.0,"c":-0,"d":123456789012345678901234567890}'
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"[" * 20_000 + b"]" * 20_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
    ids=["empty", "cut", "utf-16", "mark", "nan", "infinity", "deep list", "deep object"],
)
async def test_what_is_no_json_is_refused_or_malformed_and_never_a_crash(body: bytes) -> None:
    assert canonical(body) is None
    assert not is_signed(body, "0" * 64, SECRET)
    async with client_of() as client:
        with pytest.raises(WebhookRefusedError):
            client.delivery({"x-apideck-signature": "0" * 64}, body)
        if body == b"":
            assert client.delivery(signed(body), body) == Delivery(opportunity_ids=())
        elif b"NaN" not in body and b"Infinity" not in body:
            with pytest.raises(WebhookMalformedError):
                client.delivery(signed(body), body)


@pytest.mark.parametrize(
    "signature",
    [None, "", " ", "0" * 64, "g" * 64, "0" * 63, "A" * 43 + "=", "ü" * 64, "sha256=" + "0" * 64, "0" * 100_000],
    ids=lambda text: str(text)[:8],
)
async def test_a_delivery_without_the_right_signature_is_refused(signature: str | None) -> None:
    body = body_of()
    async with client_of() as client:
        with pytest.raises(WebhookRefusedError) as refused:
            client.delivery({} if signature is None else {"x-apideck-signature": signature}, body)

    assert SECRET not in str(refused.value)


async def test_any_change_of_a_signed_body_is_refused() -> None:
    body = body_of()
    async with client_of() as client:
        for at in range(len(body)):
            changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
            with pytest.raises(WebhookRefusedError):
                client.delivery(signed(body), changed)


async def test_a_body_that_is_far_longer_than_the_vendors_is_refused_unread() -> None:
    body = body_of(more="x" * MOST_BYTES)
    async with client_of() as client:
        with pytest.raises(WebhookRefusedError):
            client.delivery(signed(body), body)


async def test_the_webhook_secret_counts_where_it_is_given() -> None:
    body = body_of()
    async with client_of(webhook_secret="whsec") as client:
        assert client.delivery({"x-apideck-signature": signature_of(body, "whsec")}, body).opportunity_ids == ("123456ASDF",)
        with pytest.raises(WebhookRefusedError):
            client.delivery(signed(body), body)


# What a delivery says.


async def test_a_delivery_names_its_opportunity_and_nothing_more() -> None:
    async with client_of() as client:
        assert isinstance(client, ReceivesWebhooks) and isinstance(client, RegistersWebhooks)
        assert client.receives_webhooks()
        body = body_of(entity_url="http://127.0.0.1:9/elsewhere")
        delivery = client.delivery(signed(body, **{"x-apideck-idempotency-key": "k1", "x-apideck-event-type": "crm.lead.created"}), body)

    assert delivery == Delivery(opportunity_ids=("123456ASDF",), key="k1", occurred_at=datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("event", EVENTS)
async def test_every_event_of_opportunities_is_heeded(event: str) -> None:
    assert (await told(body_of(event_type=event, entity_type="Opportunity"))).opportunity_ids == ("123456ASDF",)


@pytest.mark.parametrize(
    "payload",
    [
        {"event_type": "crm.company.updated"},
        {"event_type": "crm.opportunity.moved"},
        {"event_type": "vault.connection.callable"},
        {"event_type": None, "entity_id": 5},
        {"event_type": ["crm.opportunity.updated"]},
        {"service_id": "salesforce"},
        {"consumer_id": "somebody else"},
        {"service_id": None},
        {"consumer_id": {"deep": []}},
    ],
    ids=str,
)
async def test_a_delivery_about_something_else_names_nothing(payload: Mapping[str, Any]) -> None:
    delivery = await told(body_of(**payload))

    assert delivery.opportunity_ids == ()
    assert delivery.key == PAYLOAD["event_id"]


@pytest.mark.parametrize("body", [b"{}", b'{"payload": null}', b'{"payload": []}', b'{"other": 1}', b" ", b"\n"])
async def test_a_trial_delivery_of_any_form_is_taken(body: bytes) -> None:
    assert await told(body) == Delivery(opportunity_ids=())


NO_IDS: Sequence[object] = (None, "", "..", "x" * 501, True, {})


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"17", b"{", *(body_of(entity_id=bad) for bad in NO_IDS)])
async def test_a_signed_body_that_is_not_the_vendors_is_malformed(body: bytes) -> None:
    with pytest.raises(WebhookMalformedError):
        await told(body)


async def test_an_id_may_be_a_number() -> None:
    assert (await told(body_of(entity_id=123_456))).opportunity_ids == ("123456",)


@pytest.mark.parametrize("moment", [None, "", "yesterday", 17, "2020-13-01T00:00:00Z"])
async def test_a_delivery_that_does_not_say_when_is_taken(moment: object) -> None:
    assert (await told(body_of(occurred_at=moment))).occurred_at is None


# The sandbox's deliveries.


@pytest.mark.parametrize("options", SANDBOX.positions(pushes=True), ids=str)
async def test_changes_are_delivered_signed_in_every_position(options: dict[str, OptionValue]) -> None:
    async with registered(options) as (made, _, receiver):
        store, life = made.sandbox.app[STORE], made.sandbox.app[LIFE]
        contact = store.create("contacts", {"name": "Nobody's deal"})
        key = store.create("opportunities", {"title": "Größe 船 \u2028 rails"})
        store.update("opportunities", key, {"title": "Slipway rails"})
        store.delete("contacts", contact)
        life.board.move(CRANE, Random(1))  # noqa: S311  # repeatable, not secret
        store.delete("opportunities", key)
        got = [await receiver.next() for _ in range(4)]

        assert [delivery.opportunity_ids for delivery in got] == [(key,), (key,), (CRANE,), (key,)]
        assert len({delivery.key for delivery in got}) == 4
        crane = store.tables["opportunities"].get(CRANE) or {}
        assert got[2].occurred_at == datetime.fromisoformat(crane["updated_at"])
        assert [headers["x-apideck-event-type"].rpartition(".")[2] for headers, _ in receiver.sent[1:]] == [
            *("created", "updated", "updated", "deleted")
        ]


async def test_a_change_that_is_made_by_the_api_is_delivered() -> None:
    async with receiving() as receiver, calling() as caller, client_of(api_key="sk_sandbox_nordkai_americas_3f9c71") as client:
        receiver.client = client
        wanted = {"delivery_url": receiver.url, "status": "enabled", "events": ["*"], "unified_api": "crm"}
        await caller.call("POST", "/webhook/webhooks", body=wanted)
        await caller.call("PATCH", f"/crm/companies/{COMPANY}", body={"name": "Atlantic Crane"})
        await receiver.next()
        await receiver.next()

        bodies = [json.loads(body)["payload"] for _, body in receiver.sent]
    assert bodies[1] == {
        **PAYLOAD,
        "event_type": "crm.company.updated",
        "consumer_id": "nordkai-americas",
        "event_id": bodies[1]["event_id"],
        "entity_id": COMPANY,
        "entity_type": "company",
        "entity_url": f"{caller.running.base_url}/crm/companies/{COMPANY}",
        "occurred_at": bodies[1]["occurred_at"],
    }
    assert list(bodies[1]) == list(PAYLOAD)


async def test_a_delivery_that_is_refused_comes_again_with_its_key() -> None:
    async with registered() as (made, _, receiver):
        receiver.status = 503
        made.sandbox.app[STORE].update("opportunities", CRANE, {"title": "Crane"})
        first = await receiver.next()
        receiver.status = 204
        second = await receiver.next()

    assert first == second
    assert first.key is not None


# Registration.


async def test_a_receiver_is_registered_listed_and_removed() -> None:
    async with registered() as (made, client, receiver):
        listed = await client.webhooks()
        assert listed == [Webhook(local_id=listed[0].local_id, url=receiver.url, events=EVENTS, is_enabled=True)]

        await client.remove_webhook(listed[0].local_id)

        assert await client.webhooks() == []
        with pytest.raises(NotFoundError):
            await client.remove_webhook(listed[0].local_id)
        made.sandbox.app[STORE].update("opportunities", CRANE, {"title": "Crane"})
        assert len(receiver.sent) == 1
        assert made.control.operations() == ["webhooksAdd", "webhooksAll", "webhooksDelete", "webhooksAll", "webhooksDelete"]


@pytest.mark.parametrize("status", [401, 500, 302])
async def test_a_url_that_does_not_stand_the_trial_is_registered_as_disabled(status: int) -> None:
    async with receiving() as receiver, playground("apideck") as made:
        client = made.crm.client
        assert isinstance(client, Client)
        receiver.client, receiver.status = client, status
        webhook = await client.register_webhook(receiver.url)

        assert not webhook.is_enabled
        assert webhook.note is not None and "trial" in webhook.note
        assert await client.webhooks() == [webhook]


async def test_receivers_are_listed_over_pages_and_only_those_of_this_api() -> None:
    def answer(path: str, query: dict[str, str]) -> Json:
        assert path == "/webhook/webhooks"
        assert query["limit"] == "200"
        if "cursor" not in query:
            return rows([{"id": "1", "unified_api": "crm", "delivery_url": "https://a/", "status": "enabled", "events": ["*"]}], "two")
        return rows(
            [
                {"id": "2", "unified_api": "hris", "delivery_url": "https://b/", "status": "enabled", "events": ["*"]},
                {"id": "3", "unified_api": "crm", "delivery_url": "https://c/", "status": "disabled", "disabled_reason": "retry_limit"},
                {"id": "4", "unified_api": "crm", "status": "disabled", "disabled_reason": "a new one"},
                {"id": "5", "unified_api": "crm", "status": "enabled", "disabled_reason": "none"},
            ]
        )

    async with scripted(answer) as (_, client):
        found = await client.webhooks()

    assert [(webhook.local_id, webhook.url, tuple(webhook.events), webhook.is_enabled) for webhook in found] == [
        ("1", "https://a/", ("*",), True),
        ("3", "https://c/", (), False),
        ("4", "", (), False),
        ("5", "", (), True),
    ]
    assert [bool(webhook.note) for webhook in found] == [False, True, True, False]
    assert found[2].note == "a new one"


async def test_what_is_registered_is_what_the_vendor_wants_and_is_sent_once() -> None:
    bodies: list[Json] = []

    async def take(request: web.Request) -> web.Response:
        bodies.append({"path": request.path, "method": request.method, **await request.json()})
        return web.Response(status=503)

    sock = web_socket("127.0.0.1", 0)
    app = web.Application()
    app.router.add_route("*", "/{anywhere:.*}", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    try:
        async with client_of(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}") as client:
            with pytest.raises(OutcomeUnknownError):
                await client.register_webhook("https://graph.example/webhooks/am")
    finally:
        await runner.cleanup()

    description = bodies[0].pop("description")
    assert "'am'" not in description and "am" in description
    assert bodies == [
        {
            "path": "/webhook/webhooks",
            "method": "POST",
            "unified_api": "crm",
            "status": "enabled",
            "delivery_url": "https://graph.example/webhooks/am",
            "events": list(EVENTS),
        }
    ]


async def test_a_url_that_the_vendor_refuses_is_a_refusal() -> None:
    async with playground("apideck") as made:
        client = made.crm.client
        assert isinstance(client, Client)
        with pytest.raises(RejectedRequestError):
            await client.register_webhook("ftp://graph.example/")

    async with scripted(lambda _path, _query: refusal(402, "RequestLimitError")) as (_, other):
        with pytest.raises(Exception, match="quota"):
            await other.webhooks()


async def test_an_id_of_any_form_is_one_segment_of_the_path() -> None:
    async with scripted(lambda _path, _query: {"data": {"id": "x"}}) as (made, client):
        await client.remove_webhook("a/../b?c")

    assert made.paths() == ["/webhook/webhooks/a%2F..%2Fb%3Fc"]


# The sandbox's own API.


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "delivery_url"),
        ({"delivery_url": "x", "status": "enabled", "events": [], "unified_api": "crm"}, "delivery_url"),
        ({"delivery_url": "https://a/", "status": "on", "events": [], "unified_api": "crm"}, "status"),
        ({"delivery_url": "https://a/", "status": "enabled", "events": "*", "unified_api": "crm"}, "events"),
        ({"delivery_url": "https://a/", "status": "enabled", "events": ["?"], "unified_api": "crm"}, "events[0]"),
        ({"delivery_url": "https://a/", "status": "enabled", "events": [], "unified_api": "crm", "id": "1"}, "id"),
    ],
)
async def test_the_sandbox_refuses_a_subscription_that_is_none(body: Json, place: str) -> None:
    async with calling() as caller:
        answer = await caller.call("POST", "/webhook/webhooks", body=body)

    assert answer.status == 400
    assert any(place in entry for entries in answer.body["detail"].values() for entry in entries)


async def test_the_sandbox_wants_the_key_and_the_application_and_no_consumer() -> None:
    none: Mapping[str, str | None] = {"x-apideck-consumer-id": None, "x-apideck-service-id": None}
    async with calling() as caller:
        statuses = [
            (await caller.call("GET", "/webhook/webhooks", headers={**none, **headers})).status
            for headers in ({}, {"Authorization": None}, {"x-apideck-app-id": None}, {"x-apideck-app-id": "another"})
        ]

    assert statuses == [200, 401, 400, 401]


async def test_the_sandbox_pages_changes_and_forgets_subscriptions() -> None:
    wanted = {"delivery_url": "https://a.invalid/", "status": "disabled", "events": ["*"], "unified_api": "crm"}
    async with receiving() as receiver, calling() as caller, client_of(api_key="sk_sandbox_nordkai_americas_3f9c71") as client:
        receiver.client = client
        made: Sequence[Any] = [await caller.call("POST", "/webhook/webhooks", body=wanted) for _ in range(5)]
        pages = await caller.pages("/webhook/webhooks", {"limit": "2"})
        path = f"/webhook/webhooks/{made[1].data['id']}"
        enabled = await caller.call("PATCH", path, body={"status": "enabled", "delivery_url": receiver.url})
        found = await caller.call("GET", path)
        gone = await caller.call("DELETE", path)
        missing = [await caller.call(method, path, body={}) for method in ("GET", "PATCH", "DELETE")]
        wrong = await caller.get("/webhook/webhooks", limit="0")

    assert [answer.status for answer in made] == [HTTPStatus.CREATED] * 5
    assert [len(page.data) for page in pages] == [2, 2, 1]
    assert [row["id"] for page in pages for row in page.data] == [answer.data["id"] for answer in made]
    assert (enabled.data["status"], enabled.data["disabled_reason"]) == ("enabled", "none")
    assert found.data == enabled.data == gone.data
    assert len(receiver.sent) == 1
    assert [answer.status for answer in missing] == [404, 404, 404]
    assert wrong.status == 400
