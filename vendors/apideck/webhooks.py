"""Webhooks of Apideck: which opportunity a delivery names, and who is registered for them; `Client` mixes it in.

A delivery says that something has happened to a record, and nothing of what.
Source: Apideck CRM API, x-webhooks, and Apideck Webhook API, OpenAPI document 10.59.0.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import quote

from vendors.apideck import wire
from vendors.apideck.query import is_possible
from vendors.apideck.reader import MAX_LIMIT
from vendors.apideck.settings import Settings
from vendors.apideck.signatures import is_signed
from vendors.changes import Delivery, Webhook, WebhookMalformedError, WebhookRefusedError
from vendors.http import Request, VendorHttp
from vendors.paging import LoopGuard, all_pages
from vendors.wire import instant

_SIGNATURE: Final = "x-apideck-signature"
_KEY: Final = "x-apideck-idempotency-key"
# Source: Apideck CRM API, CrmEventType. There are none of pipelines, stages and users.
_EVENTS: Final = ("crm.opportunity.created", "crm.opportunity.updated", "crm.opportunity.deleted")
_UNIFIED_API: Final = "crm"
_PATH: Final = "webhook/webhooks"
# Source: Apideck Webhook API, schema Webhook, disabled_reason.
_NOTES: Final[Mapping[str, str]] = {
    "retry_limit": "The vendor has given up: deliveries were not answered with success for too long.",
    "usage_limit": "The account is over its usage limit.",
    "delivery_url_validation_failed": "The vendor's trial delivery to the URL was not answered with success.",
}


class Webhooks:
    """What a client needs for webhooks, and what it can do with them."""

    _crm: str
    _settings: Settings
    _http: VendorHttp

    def receives_webhooks(self) -> bool:
        return True  # they are signed with the API key, which has to be configured anyhow

    def delivery(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """See `vendors.changes.ReceivesWebhooks.delivery`.

        A delivery that is about something else, or of a kind that is not known, names no opportunity: the vendor makes a trial delivery to
        a URL that is registered, whose body is not documented. The URL in a body is not followed.
        """
        secret = self._settings.webhook_secret or self._settings.api_key
        if not is_signed(body, headers.get(_SIGNATURE, ""), secret.get_secret_value()):
            raise WebhookRefusedError("The delivery is not signed as the vendor signs it; look at the API key and the webhook secret.")
        payload = _payload(body)
        key = headers.get(_KEY) or _text(payload, "event_id")
        return Delivery(opportunity_ids=self._named(payload), key=key, occurred_at=instant(_text(payload, "occurred_at")))

    async def webhooks(self) -> Sequence[Webhook]:
        rows = await all_pages(self._webhooks_page, LoopGuard(crm=self._crm, operation="webhooksAll"))
        return [_webhook(row) for row in rows if row.unified_api == _UNIFIED_API]

    async def register_webhook(self, url: str) -> Webhook:
        # Source: Apideck Webhook API, webhooksAdd: a URL that does not stand the trial delivery is kept, and disabled.
        wanted = {
            "unified_api": _UNIFIED_API,
            "status": "enabled",
            "delivery_url": url,
            "events": list(_EVENTS),
            "description": f"crmgraph, CRM {self._crm}",
        }
        request = Request(
            operation="webhooksAdd",
            method="POST",
            path=_PATH,
            body=json.dumps(wanted).encode(),
            content_type="application/json",
            read=False,
        )
        return _webhook(wire.WEBHOOK.read(self._http, request, await self._http.send(request)).value.data)

    async def remove_webhook(self, local_id: str) -> None:
        path = f"{_PATH}/{quote(local_id, safe='')}"
        await self._http.send(Request(operation="webhooksDelete", method="DELETE", path=path, read=False, by_id=True))

    async def _webhooks_page(self, cursor: str | None) -> tuple[Sequence[wire.Webhook], str | None]:
        params = [("limit", str(MAX_LIMIT)), *([] if cursor is None else [("cursor", cursor)])]
        request = Request(operation="webhooksAll", path=_PATH, params=params)
        rows = wire.WEBHOOKS.read(self._http, request, await self._http.send(request)).value
        return rows.data, None if rows.meta is None or rows.meta.cursors is None else rows.meta.cursors.next

    def _named(self, payload: Mapping[str, Any]) -> Sequence[str]:
        """The opportunity of this connection that a payload names."""
        # One application has one receiver for all its consumers and connectors.
        connection = (self._settings.service_id, self._settings.consumer_id)
        if payload.get("event_type") not in _EVENTS or (payload.get("service_id"), payload.get("consumer_id")) != connection:
            return ()
        local_id = payload.get("entity_id")
        if isinstance(local_id, int) and not isinstance(local_id, bool):
            local_id = str(local_id)
        if not isinstance(local_id, str) or not is_possible(local_id):
            raise WebhookMalformedError("The delivery does not name its record.")
        return (local_id,)


def _payload(body: bytes) -> Mapping[str, Any]:
    """What a signed body says; nothing where it is empty."""
    if not body.strip():
        return {}
    try:
        data = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise WebhookMalformedError("The delivery is no JSON that can be read.") from None  # the cause quotes the body
    if not isinstance(data, dict):
        raise WebhookMalformedError("The delivery is no JSON object.")
    payload = cast("dict[str, Any]", data).get("payload")
    return cast("dict[str, Any]", payload) if isinstance(payload, dict) else {}


def _text(payload: Mapping[str, Any], name: str) -> str | None:
    value = payload.get(name)
    return value if isinstance(value, str) and value else None


def _webhook(row: wire.Webhook) -> Webhook:
    return Webhook(
        local_id=row.id,
        url=row.delivery_url or "",
        events=row.events,
        is_enabled=row.status == "enabled",
        note=None if row.disabled_reason in (None, "none") else _NOTES.get(row.disabled_reason, row.disabled_reason),
    )
