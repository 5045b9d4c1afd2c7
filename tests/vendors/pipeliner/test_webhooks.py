"""Webhooks of Pipeliner: what the sandbox delivers, what the adapter makes of it, and how it is registered."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from tests.playground import playground
from tests.vendors.pipeliner.sandbox_caller import Caller, calling
from tests.vendors.pipeliner.test_adapter import answers, client_of
from tests.vendors.pipeliner.test_watching import board_of, dice, in_order, store_of
from tests.vendors.pipeliner.writing_ground import MISSING, PROPOSAL, WON, Ground
from vendors.changes import Delivery, ReceivesWebhooks, RegistersWebhooks, WebhookMalformedError, WebhookRefusedError
from vendors.errors import NotFoundError, OutcomeUnknownError, PermissionDeniedError, RejectedRequestError, UnsupportedError
from vendors.pipeliner.client import Client
from vendors.pipeliner.sandbox.control import API
from vendors.pipeliner.settings import Settings
from vendors.pipeliner.webhooks import is_signed, named_ids
from vendors.sandbox import OptionValue, web_socket
from vendors.sandbox_webhooks import SENDER

KEY = "3f2b0000-0000-4000-8000-00000000abcd"
BODY = b'{"id": "5a0d1e2b-1111-4000-8000-000000000001"}'
# Made with `openssl dgst -sha256 -hmac`.
IN_DIGITS = "d35f4f4234458067932085de880041e5114d0285797eb2141f885a27c2bbe0b6"
IN_BASE64 = "019PQjRFgGeTIIXeiABB5RFNAoV5frIUH4haJ8K74LY="
A, B, C = (f"5a0d1e2b-1111-4000-8000-00000000000{number}" for number in (1, 2, 3))
RECORD = {"created": "2026-02-03 08:15:00+00:00", "is_deleted": False, "step_id": C, "owner": {"id": C}, "tags": [C]}
FORMS: list[dict[str, OptionValue]] = [
    {"webhook_digest": digest, "webhook_envelope": envelope} for digest in ("hex", "base64") for envelope in ("object", "list", "wrapped")
]


@dataclass
class Inbox:
    """Something that webhooks are sent to."""

    url: str
    came: "asyncio.Queue[tuple[Mapping[str, str], bytes]]" = field(default_factory=asyncio.Queue[tuple[Mapping[str, str], bytes]])

    async def next(self) -> tuple[Mapping[str, str], bytes]:
        """The headers, in lower case, and the body of the next delivery."""
        return await asyncio.wait_for(self.came.get(), 60)

    async def take(self, count: int) -> list[Any]:
        return [json.loads((await self.next())[1]) for _ in range(count)]


@asynccontextmanager
async def inbox() -> AsyncGenerator[Inbox, None]:
    sock = web_socket("127.0.0.1", 0)
    found = Inbox(f"http://127.0.0.1:{sock.getsockname()[1]}/webhooks/dach")

    async def take(request: web.Request) -> web.Response:
        await found.came.put(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/webhooks/dach", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    try:
        yield found
    finally:
        await runner.cleanup()


async def registered(call: Caller, box: Inbox, *events: str, **options: Any) -> dict[str, Any]:
    body = {"url": box.url, "insecure_ssl": False, "events": [*events], "signature": KEY, "options": options}
    row: dict[str, Any] = (await call("POST", "Webhooks", body, status=201))["data"]
    return row


def records_in(body: Any) -> list[dict[str, Any]]:
    """The records of a delivery, whatever they are wrapped in."""
    if isinstance(body, list):
        return body  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
    data: list[dict[str, Any]] | None = body.get("data")
    return [body] if data is None else data


# the adapter


@pytest.mark.parametrize("options", FORMS, ids=str)
async def test_a_signed_delivery_names_the_opportunity_that_has_changed(options: Mapping[str, OptionValue]) -> None:
    async with playground("pipeliner", options=options) as play, inbox() as box:
        ground, client = Ground(play), client_of(play)
        await client.register_webhook(box.url)

        async def told() -> str:
            """The id of the record in the next delivery, which is the only one that it names beside its own."""
            headers, body = await box.next()
            (record,) = records_in(json.loads(body))
            ids = client.delivery(headers, body).opportunity_ids
            assert record["id"] in ids and len(ids) == (2 if options["webhook_envelope"] == "wrapped" else 1)
            return str(record["id"])

        created = await ground.create()
        assert await told() == created.local_id
        moved = await ground.update(created, stage_id=PROPOSAL)
        assert [await told() for _ in ("Update", "Move")] == [created.local_id] * 2
        won = await ground.update(moved, stage_id=WON)
        assert [await told() for _ in ("Update", "Move", "Won")] == [created.local_id] * 3
        await (await client.plan_delete(won)).execute()
        assert await told() == created.local_id
        gone, other, *_ = in_order(board_of(play))
        store_of(play).back_to_lead(gone)
        assert await told() == gone
        board_of(play).move(other, dice(0))
        assert await told() == other


def test_a_signature_may_be_in_digits_or_in_base64() -> None:
    for signature in (IN_DIGITS, IN_DIGITS.upper(), IN_BASE64, f" {IN_BASE64} "):
        assert is_signed(signature, BODY, KEY)


@pytest.mark.parametrize(
    ("signature", "body", "key"),
    [
        ("", BODY, KEY),
        (IN_DIGITS[:-1], BODY, KEY),
        (IN_DIGITS[:-1] + "7", BODY, KEY),
        (IN_BASE64.lower(), BODY, KEY),
        (IN_BASE64.rstrip("="), BODY, KEY),
        (f"sha1={IN_DIGITS}", BODY, KEY),
        (IN_DIGITS, BODY + b" ", KEY),
        (IN_DIGITS, b"", KEY),
        (IN_DIGITS, BODY, MISSING),
        ("\u00fc\udcff\u0000", BODY, KEY),
        ("0" * 64, BODY, KEY),
    ],
)
def test_what_is_not_the_signature_is_none(signature: str, body: bytes, key: str) -> None:
    assert not is_signed(signature, body, key)


async def test_a_delivery_without_its_signature_is_refused_whatever_it_holds() -> None:
    async with playground("pipeliner", settings={"webhook_signature": KEY}) as play:
        client = client_of(play)

        assert client.delivery({"webhook-signature": IN_DIGITS}, BODY) == Delivery(opportunity_ids=(A,))
        for headers, body in [
            ({}, BODY),
            ({"webhook-signature": ""}, BODY),
            ({"x-signature": IN_DIGITS}, BODY),
            ({"webhook-signature": IN_DIGITS}, b"{"),
        ]:
            with pytest.raises(WebhookRefusedError):
                client.delivery(headers, body)


async def test_without_a_key_nothing_is_received_nor_registered() -> None:
    async with playground("pipeliner", settings={"webhook_signature": None}) as play:
        client = client_of(play)

        assert not client.receives_webhooks()
        with pytest.raises(WebhookRefusedError, match="webhook_signature"):
            client.delivery({"webhook-signature": IN_DIGITS}, BODY)
        with pytest.raises(UnsupportedError, match=r"`webhook_signature` of the CRM 'dach'"):
            await client.register_webhook("https://graph.example/webhooks/dach")
        assert play.control.calls == []


def test_the_key_is_a_uuid_spelt_as_the_vendor_spells_it_and_kept_secret() -> None:
    given: dict[str, Any] = {"service_url": "eu.example", "space_id": "s", "username": "u", "password": "p"}
    settings = Settings.model_validate({**given, "webhook_signature": f"{{{KEY.upper()}}}"})

    assert settings.webhook_signature is not None
    assert settings.webhook_signature.get_secret_value() == KEY
    assert KEY not in repr(settings)
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({**given, "webhook_signature": "letmein"})
    assert [error["msg"] for error in refused.value.errors()] == ["Value error, the signature of webhooks is a UUID"]
    assert Settings(**given).webhook_signature is None
    assert issubclass(Client, ReceivesWebhooks) and issubclass(Client, RegistersWebhooks)


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"id": A}, [A]),
        ({"id": A, **RECORD}, [A]),
        ([{"id": A, **RECORD}, {"id": B, **RECORD}, {"id": A, **RECORD}], [A, B]),
        ({"data": {"id": A, **RECORD}}, [A]),
        ({"data": [{"id": A, **RECORD}, {"id": B, **RECORD}]}, [A, B]),
        ({"success": True, "event": "Opportunity.Move", "data": [{"id": A}]}, [A]),
        ({"id": C, "event": "Opportunity.Update", "entity_id": A, "payload": {"records": [{"id": B, **RECORD}]}}, [C, A, B]),
        ({"entity_id": A}, [A]),
        ({"id": f"https://eu.example/api/v100/rest/spaces/s/entities/Opportunities/{A}"}, [A]),
        ({"event": "Opportunity.Delete", "data": A}, [A]),
        ({"event": "Opportunity.Delete", "data": [A, B]}, [A, B]),
        ([A, B], [A, B]),
        ({"event": "Lead.BackToLead", "data": {"id": A, **RECORD}}, [A]),
        ({"id": A, **RECORD, "event": "Account.Update"}, [A]),
        # something else
        ({"event": "LeadOpptyAccountRelation.Create", "data": [{"id": A, **RECORD}]}, []),
        ({"entity": "LeadOpptyContactRelations", "id": A}, []),
        ({"entity_name": "Account", "entity_id": A}, []),
        ({"id": A, **RECORD, "table_name": "contact_account_relation"}, []),
        ([{"event": "Contact.Update", "id": A}, {"event": "Opportunity.Update", "id": B}], [B]),
        # nothing
        ({}, []),
        ([], []),
        ({"id": 17, "entity_id": None, "data": "hello", "step_id": A}, []),
        ({"id": "", "data": [17, None, "x", {"id": ["y"]}]}, []),
        ({"id": "hello", "entity_id": "7"}, []),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"id": A}}}}}}}, [A]),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"id": A}}}}}}}}, []),
    ],
    ids=str,
)
def test_the_ids_that_a_delivery_may_mean_are_found(body: object, ids: Sequence[str]) -> None:
    assert list(named_ids(json.dumps(body).encode())) == ids


@pytest.mark.parametrize("body", [b"", b"{", b"17", b'"x"', b"null", b"\xff\xfe\x00", b"id=1", b"[" * 100_000, b"1" * 10_000], ids=len)
def test_what_is_no_delivery_is_malformed(body: bytes) -> None:
    with pytest.raises(WebhookMalformedError):
        named_ids(body)


def test_a_delivery_names_only_so_many_records() -> None:
    ids = [f"{number:08x}-1111-4000-8000-000000000001" for number in range(1_001)]

    assert list(named_ids(json.dumps(ids[:1_000]).encode())) == ids[:1_000]
    for body in (ids, [A] * 1_001):
        with pytest.raises(WebhookMalformedError, match="1000"):
            named_ids(json.dumps(body).encode())


async def test_a_webhook_is_registered_once_and_for_what_happens_to_opportunities() -> None:
    async with playground("pipeliner", settings={"webhook_signature": KEY}) as play:
        client, url = client_of(play), "https://graph.example/webhooks/dach"

        made = await client.register_webhook(url)
        again = await client.register_webhook(url)

        ((method, path, body),) = Ground(play).bodies()
        assert (method, path) == ("POST", "Webhooks")
        assert body == {"url": url, "insecure_ssl": False, "events": ["Opportunity.*", "Lead.BackToLead"], "signature": KEY}
        assert again == made and list(await client.webhooks()) == [made]
        assert (made.url, list(made.events), made.is_enabled, made.note) == (url, body["events"], True, None)


async def test_a_webhook_with_another_key_or_for_other_events_is_listed_but_not_taken_for_ours() -> None:
    async with playground("pipeliner", settings={"webhook_signature": KEY}) as play:
        client, url = client_of(play), "https://graph.example/webhooks/dach"
        for body in ({"events": ["Opportunity.*", "Lead.BackToLead"], "signature": MISSING}, {"events": ["Account.*"], "signature": KEY}):
            store_of(play).insert("Webhooks", {"url": url, "insecure_ssl": False, **body})

        made = await client.register_webhook(url)

        listed = {webhook.local_id: webhook for webhook in await client.webhooks()}
        assert len(listed) == 3 and listed[made.local_id] == made
        assert sorted((len(webhook.events), webhook.note is None) for webhook in listed.values()) == [(1, True), (2, False), (2, True)]


async def test_a_registration_is_ended() -> None:
    async with playground("pipeliner") as play:
        client = client_of(play)
        kept, ended = [await client.register_webhook(f"https://graph.example/{name}") for name in ("a", "b")]

        await client.remove_webhook(ended.local_id)

        assert list(await client.webhooks()) == [kept]
        with pytest.raises(NotFoundError):
            await client.remove_webhook(ended.local_id)
        with pytest.raises(NotFoundError):
            await client.remove_webhook(MISSING)
        play.control.calls.clear()
        for nonsense in ("", "..", f"../Opportunities/{MISSING}", "7"):
            with pytest.raises(NotFoundError):
                await client.remove_webhook(nonsense)
        assert play.control.calls == []


async def test_a_registration_that_the_vendor_refuses_or_garbles_is_told() -> None:
    async with playground("pipeliner") as play:
        client = client_of(play)
        for status, kind in ((403, PermissionDeniedError), (422, RejectedRequestError)):
            answers(play, "POST Webhooks", {"success": False, "http_status": status, "code": 1}, status=status)
            with pytest.raises(kind):
                await client.register_webhook("https://graph.example/webhooks/dach")
        answers(play, "POST Webhooks", {"success": True, "data": {}}, status=201)
        with pytest.raises(OutcomeUnknownError, match="'dach'"):
            await client.register_webhook("https://graph.example/webhooks/dach")


# the sandbox


async def test_only_the_events_asked_for_are_delivered_and_signed_with_the_webhooks_own_key() -> None:
    async with calling() as call, inbox() as moves, inbox() as rest:
        await registered(call, moves, "Opportunity.Move")
        await registered(call, rest, "Opportunity.Create", "Opportunity.Delete", "Account.*")
        deal = await call.deal("Quay crane retrofit, berth 4")

        await call("PATCH", f"Opportunities/{deal['id']}", {"ranking": 1})
        await call("PATCH", f"Opportunities/{deal['id']}", {"step_id": PROPOSAL})
        account = (await call.rows("Accounts"))[0]["id"]
        await call("PATCH", f"Accounts/{account}", {"city": "Kiel"})
        await call("DELETE", f"Opportunities/{deal['id']}")

        headers, body = await moves.next()
        assert is_signed(headers["webhook-signature"], body, KEY) and headers["content-type"] == "application/json"
        record = json.loads(body)
        assert (record["id"], record["step_id"], record["is_deleted"]) == (deal["id"], PROPOSAL, False)
        assert record["step"].endswith(PROPOSAL)
        of_account, of_deal = await rest.take(2)
        assert (of_account["id"], of_account["city"]) == (account, "Kiel")
        assert (of_deal["id"], of_deal["is_deleted"]) == (deal["id"], True)
        assert moves.came.empty() and rest.came.empty()


async def test_changes_with_a_key_to_skip_and_what_was_undone_are_not_delivered() -> None:
    async with calling() as call, inbox() as box:
        await registered(call, box, "Opportunity.Update", skip_keys=["federation"])
        deal = await call.deal("Quay crane retrofit, berth 4")

        for key, ranking in (("federation", 1), ("another", 2)):
            await call("PATCH", f"Opportunities/{deal['id']}", {"ranking": ranking}, headers={"Webhook-Skip-Key": key})
        await call("POST", "Opportunities/batch-modify", [{"id": deal["id"], "ranking": 3}, {}], status=422)
        await call("PATCH", f"Opportunities/{deal['id']}", {"ranking": 4})

        assert [record["ranking"] for record in await box.take(2)] == [2, 4]


@pytest.mark.parametrize(
    ("options", "sizes"), [({}, [100, 20]), ({"chunk_size": 50}, [50, 50, 20]), ({"chunk_size": 5_000}, [100, 20])], ids=str
)
@pytest.mark.parametrize("envelope", ["object", "list", "wrapped"])
async def test_changes_of_many_records_are_delivered_in_chunks(options: Mapping[str, Any], sizes: list[int], envelope: str) -> None:
    async with calling(scale=120, webhook_envelope=envelope) as call, inbox() as box:
        await registered(call, box, "Opportunity.Update", **options)
        store = call.sandbox.app[API].store
        ids = list(store.tables["Opportunities"].ids)

        with store.transaction():
            for row_id in ids:
                store.change("Opportunities", row_id, {"ranking": 4})

        bodies = await box.take(len(sizes))
        assert [len(records_in(body)) for body in bodies] == sizes
        assert [record["id"] for body in bodies for record in records_in(body)] == ids
        assert [found for body in bodies for found in named_ids(json.dumps(body).encode()) if found in ids] == ids


async def test_a_batch_is_one_delivery() -> None:
    async with calling() as call, inbox() as box:
        await registered(call, box, "Opportunity.Update")
        ids = [row["id"] for row in await call.rows("Opportunities", first=7)]

        await call("POST", "Opportunities/batch-modify", [{"id": row_id, "ranking": 4} for row_id in ids])

        assert [[record["id"] for record in body] for body in await box.take(1)] == [ids]


@pytest.mark.parametrize(("envelope", "beginning"), [("object", '{"id'), ("list", '[{"id'), ("wrapped", '{"id')])
async def test_one_record_is_delivered_in_the_form_that_the_option_says(envelope: str, beginning: str) -> None:
    async with calling(webhook_envelope=envelope) as call, inbox() as box:
        await registered(call, box, "Opportunity.*")
        deal = await call.deal("Quay crane retrofit, berth 4")

        await call("PATCH", f"Opportunities/{deal['id']}", {"ranking": 1})

        (body,) = await box.take(1)
        assert json.dumps(body).startswith(beginning)
        assert [record["ranking"] for record in records_in(body)] == [1]
        assert envelope != "wrapped" or body["event"] == "Opportunity.Update"


@pytest.mark.parametrize("options", [None, [], {"skip_keys": "federation", "chunk_size": "many"}, {"skip_keys": None, "chunk_size": -1}])
async def test_options_that_mean_nothing_stop_no_delivery(options: object) -> None:
    async with calling() as call, inbox() as box:
        hook = await registered(call, box, "Opportunity.Update")
        await call("PATCH", f"Webhooks/{hook['id']}", {"options": options})
        deal = await call.deal("Quay crane retrofit, berth 4")

        await call("PATCH", f"Opportunities/{deal['id']}", {"ranking": 1}, headers={"Webhook-Skip-Key": "federation"})

        assert [record["ranking"] for record in await box.take(1)] == [1]


async def test_a_webhook_that_was_removed_gets_nothing_more() -> None:
    async with calling() as call, inbox() as gone, inbox() as kept:
        hook = await registered(call, gone, "Opportunity.*")
        await registered(call, kept, "Opportunity.*")
        await call("DELETE", f"Webhooks/{hook['id']}")
        deal = await call.deal("Quay crane retrofit, berth 4")

        await call("PATCH", f"Opportunities/{deal['id']}", {"ranking": 1})

        await kept.take(1)
        assert gone.came.empty()
        assert [note.url for note in call.sandbox.app[SENDER].log] == [kept.url]


async def test_mishaps_befall_the_deliveries() -> None:
    async with playground("pipeliner") as play, inbox() as box:
        await client_of(play).register_webhook(box.url)
        async with play.crm.link.session.put(f"{play.sandbox.base_url}/_sandbox/mishaps", json={"duplicate": 1.0}) as answer:
            assert answer.status == 200

        created = await Ground(play).create()

        for _ in range(2):
            assert client_of(play).delivery(*await box.next()).opportunity_ids == (created.local_id,)
