"""Subscriptions to webhooks, and the deliveries that they bring. Source: Apideck Webhook API, OpenAPI document 10.59.0."""

import base64
import hashlib
import hmac
import json
import re
import uuid
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

import aiohttp
from aiohttp import web

from vendors.apideck.sandbox.answers import SERVICE, RefusedError, cursor_position, cursor_token, refused_for
from vendors.apideck.sandbox.fields import Record
from vendors.apideck.sandbox.search import Search
from vendors.apideck.sandbox.shapes import Field, Problem, Shape, many, one_of, typed
from vendors.apideck.sandbox.store import Change, Store
from vendors.sandbox_webhooks import Parcel, Sender, add_sender

# Source: Apideck CRM API, CrmEventType; of leads, notes and activities, which are not simulated, there are more.
_ENTITIES = {"opportunities": "opportunity", "companies": "company", "contacts": "contact"}
_DEFAULT_LIMIT, _MAX_LIMIT = 20, 200
_PATIENCE = aiohttp.ClientTimeout(total=10)
_OK = range(200, 300)

_text = typed("a string", lambda value: isinstance(value, str))
_url = typed("an http or https URL", lambda value: isinstance(value, str) and re.match(r"https?://\S", value) is not None)
_event = typed("an event type", lambda value: isinstance(value, str) and re.fullmatch(r"\*|[a-z-]+(\.[a-z_-]+)+", value) is not None)
_FIELDS = {
    "description": Field(_text),
    "status": Field(one_of("enabled", "disabled"), nullable=False),
    "delivery_url": Field(_url, nullable=False),
    "events": Field(many(_event), nullable=False),
}
# Source: Apideck Webhook API, schemas CreateWebhookRequest and UpdateWebhookRequest.
_CREATED = Shape(
    fields={**_FIELDS, "unified_api": Field(_text, nullable=False)}, required=("delivery_url", "status", "events", "unified_api")
)
_UPDATED = Shape(fields=_FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How deliveries are signed. The vendor's documents contradict each other; options of the sandbox.

    Args:
        secret: The API key, or a secret of its own.
        encoding: How the digest is written.
        over: What is signed: the body with its keys sorted, or as it is sent.
        trial: The body of the delivery that tries a URL out: an event, or an empty object.
    """

    secret: str
    encoding: Literal["hex", "base64"] = "hex"
    over: Literal["sorted", "raw"] = "sorted"
    trial: Literal["event", "empty"] = "event"

    def parcel(self, url: str, event_type: str, content: Mapping[str, Any]) -> Parcel:
        body = _compact(content)
        # Source: Apideck guide "Webhook Signature Verification".
        signed = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() if self.over == "sorted" else body
        digest = hmac.new(self.secret.encode(), signed, hashlib.sha256).digest()
        headers = {
            "Content-Type": "application/json",
            "x-apideck-event-type": event_type,
            "x-apideck-signature": digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode(),
            "x-apideck-idempotency-key": str(uuid.uuid4()),
        }
        return Parcel(url=url, headers=headers, body=body)


@dataclass(slots=True, kw_only=True)
class Subscriptions:
    """The subscriptions of the application, by id.

    Args:
        store: What they tell of.
        signing: How deliveries are signed.
        base_url: Origin of the API, for links.
        consumer: The consumer whose records these are.
    """

    store: Store
    signing: Signing
    base_url: str
    consumer: str
    records: dict[str, Record] = field(default_factory=dict[str, Record])
    _last_id: int = 0

    def deliveries(self, change: Change) -> list[Parcel]:
        """What goes out for a change."""
        entity = _ENTITIES.get(change.resource)
        event_type = f"crm.{entity}.{change.verb}"
        return [
            self.signing.parcel(record["delivery_url"], event_type, self._content(event_type, change, str(entity)))
            for record in self.records.values()
            if entity is not None and record["status"] == "enabled" and not {event_type, "*"}.isdisjoint(record["events"])
        ]

    def trial(self, url: str) -> Parcel:
        """The delivery that tries a URL out. What is in it is not documented; this is the sandbox's own."""
        content: Record = {} if self.signing.trial == "empty" else {"payload": {"event_type": "webhook.validation", "event_id": _uuid()}}
        return self.signing.parcel(url, "webhook.validation", content)

    def add(self, body: Record) -> Record:
        self._last_id += 1
        key, stamp = str(self._last_id), self.store.stamp()
        record: Record = {
            "id": key,
            "description": None,
            "disabled_reason": "none",
            "execute_base_url": f"{self.base_url}/webhook/webhooks/{key}/execute",
            "updated_at": stamp,
            "created_at": stamp,
            **body,
        }
        self.records[key] = record
        return record

    def change(self, record: Record, changes: Record) -> None:
        record |= changes
        record["updated_at"] = self.store.stamp()

    def get(self, key: str) -> Record:
        if key not in self.records:
            raise RefusedError(
                404, "EntityNotFoundError", f"webhook {key!r} was not found", {"not_found": {"entity": "webhook", "id": key}}
            )
        return self.records[key]

    def _content(self, event_type: str, change: Change, entity: str) -> Record:
        # Source: Apideck CRM API, x-webhooks, examples: these keys in this order, without execution_attempt.
        return {
            "payload": {
                "event_type": event_type,
                "unified_api": "crm",
                "service_id": SERVICE,
                "consumer_id": self.consumer,
                "event_id": _uuid(),
                "entity_id": change.id,
                "entity_url": f"{self.base_url}/crm/{change.resource}/{change.id}",
                "entity_type": entity,
                "occurred_at": change.occurred_at,
            }
        }


SUBSCRIPTIONS = web.AppKey("SUBSCRIPTIONS", Subscriptions)
_SESSION = web.AppKey("_SESSION", aiohttp.ClientSession)


def add_webhooks(app: web.Application, subscriptions: Subscriptions) -> None:
    """Give the sandbox its subscriptions, and let its store's changes go out to them."""
    sender = Sender()
    app[SUBSCRIPTIONS] = subscriptions
    app.cleanup_ctx.append(_session)
    add_sender(app, sender)
    app.add_routes(
        [
            web.get("/webhook/webhooks", _list, allow_head=False),
            web.post("/webhook/webhooks", _add),
            web.get("/webhook/webhooks/{id}", _one, allow_head=False),
            web.patch("/webhook/webhooks/{id}", _update),
            web.delete("/webhook/webhooks/{id}", _delete),
        ]
    )

    def send(change: Change) -> None:
        for parcel in subscriptions.deliveries(change):
            sender.send(parcel)

    subscriptions.store.listeners.append(send)


async def _session(app: web.Application) -> AsyncGenerator[None, None]:
    async with aiohttp.ClientSession(timeout=_PATIENCE) as session:
        app[_SESSION] = session
        yield


async def _list(request: web.Request) -> web.Response:
    limit = request.query.get("limit", str(_DEFAULT_LIMIT))
    if not (re.fullmatch(r"[0-9]{1,9}", limit) and 1 <= int(limit) <= _MAX_LIMIT):
        raise refused_for([Problem("invalid", "limit", f"must be an integer from 1 to {_MAX_LIMIT}")])
    cursor, plain = request.query.get("cursor"), Search()
    start = cursor_position(cursor, "webhooks", plain) if cursor else 0
    records = list(request.app[SUBSCRIPTIONS].records.values())
    end = start + int(limit)
    following = cursor_token("webhooks", plain, end) if end < len(records) else None
    meta = {"items_on_page": len(records[start:end]), "cursors": {"previous": None, "current": cursor, "next": following}}
    return _answer(records[start:end], meta=meta)


async def _one(request: web.Request) -> web.Response:
    return _answer(_named(request))


async def _add(request: web.Request) -> web.Response:
    record = request.app[SUBSCRIPTIONS].add(await _body(request, _CREATED))
    await _try_out(request.app, record)
    return _answer(record, status=HTTPStatus.CREATED)


async def _update(request: web.Request) -> web.Response:
    record = _named(request)
    body = await _body(request, _UPDATED)
    is_new = any(name in body and body[name] != record[name] for name in ("delivery_url", "status"))
    request.app[SUBSCRIPTIONS].change(record, body)
    if is_new:
        await _try_out(request.app, record)
    return _answer(record)


async def _delete(request: web.Request) -> web.Response:
    record = _named(request)
    del request.app[SUBSCRIPTIONS].records[record["id"]]
    return _answer(record)


async def _try_out(app: web.Application, record: Record) -> None:
    """Send a signed delivery to the URL; one that is not answered with success is disabled.

    Source: Apideck Webhook API, webhooksAdd and webhooksUpdate, "Delivery URL Validation".
    """
    if record["status"] == "disabled":
        return
    parcel, status = app[SUBSCRIPTIONS].trial(record["delivery_url"]), 0
    try:
        async with app[_SESSION].post(parcel.url, data=parcel.body, headers=parcel.headers, allow_redirects=False) as response:
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass
    is_good = status in _OK
    state = {"status": "enabled", "disabled_reason": "none"}
    app[SUBSCRIPTIONS].change(record, state if is_good else {"status": "disabled", "disabled_reason": "delivery_url_validation_failed"})


def _named(request: web.Request) -> Record:
    return request.app[SUBSCRIPTIONS].get(request.match_info["id"])


async def _body(request: web.Request, shape: Shape) -> Record:
    try:
        body: Record = json.loads(await request.text())
    except ValueError as error:
        raise refused_for([Problem("invalid", "body", "is not JSON")]) from error
    problems = list(shape.problems("", body))
    if problems:
        raise refused_for(problems)
    return body


def _answer(data: object, *, status: HTTPStatus = HTTPStatus.OK, meta: Record | None = None) -> web.Response:
    body = {"status_code": status, "status": status.phrase, "data": data}
    return web.json_response(body if meta is None else {**body, "meta": meta}, status=status)


def _compact(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _uuid() -> str:
    return str(uuid.uuid4())
