"""Webhooks of Apideck: who is registered, and what the sandbox then delivers over real HTTP."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from random import Random
from typing import Any

import pytest
from aiohttp import web

from tests.playground import Playground, playground
from tests.vendors.apideck.sandbox_caller import calling
from tests.vendors.apideck.scripted_vendor import Json, refusal, rows, scripted
from tests.vendors.apideck.webhook_ground import EVENTS, PAYLOAD, client_of
from vendors.apideck.client import Client
from vendors.apideck.sandbox import SANDBOX, STORE
from vendors.changes import (
    Delivery,
    Webhook,
    WebhookMalformedError,
    WebhookRefusedError,
)
from vendors.errors import NotFoundError, OutcomeUnknownError, RejectedRequestError
from vendors.sandbox import OptionValue, web_socket
from vendors.sandbox_board import LIFE

CRANE, COMPANY = "9017442101", "6214407301"


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
