"""Webhooks of Apideck: what is taken for the vendor's, and what it says."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.vendors.apideck.webhook_ground import EVENTS, PAYLOAD, SECRET, client_of
from vendors.apideck.signatures import MOST_BYTES, canonical, is_signed
from vendors.changes import (
    Delivery,
    ReceivesWebhooks,
    RegistersWebhooks,
    WebhookMalformedError,
    WebhookRefusedError,
)

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
