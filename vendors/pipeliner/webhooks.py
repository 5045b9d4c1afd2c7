"""Webhooks: what a signed delivery names, and their registration.

Nothing but the signature is documented of a delivery, so that every id that may be an opportunity's counts as one; whoever is told reads
the record, and an id that is none does no harm.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, cast

from pydantic import SecretStr

from vendors.changes import Delivery, Webhook, WebhookMalformedError, WebhookRefusedError
from vendors.errors import MalformedReplyError, NotFoundError, OutcomeUnknownError, UnsupportedError
from vendors.http import Request, VendorHttp
from vendors.pipeliner import wire
from vendors.pipeliner.bodies import encoded
from vendors.pipeliner.reader import Reader

# Source: Pipeliner "Webhooks (real-time updates)" and the entity Webhooks of the API reference: an HMAC-SHA256 of the body with the
# webhook's signature as its key. How the digest is written is not said; hexadecimal digits and base64 are read.
_HEADER: Final = "webhook-signature"
# Source: the same reference, list of events. An opportunity that becomes a lead again changes as an opportunity no more.
_EVENTS: Final = ("Opportunity.*", "Lead.BackToLead")
# Source: as above, events of other entities. Leads share their ids with opportunities.
_OTHERS: Final = frozenset(
    {
        "account",
        "contact",
        "contactaccountrelation",
        "currency",
        "currencyexchangerate",
        "leadopptyaccountrelation",
        "leadopptycontactrelation",
    }
)
# Not documented: what a record is wrapped in. These are the keys that may tell what it is, and those that may hold its id.
_KINDS: Final = ("event", "entity", "entity_name", "entity_type")
_KINDS_OF_RECORDS: Final = ("table_name",)
_IDS: Final = ("id", "entity_id")
# Source: Pipeliner "Create Opportunity", recorded answers: what every record has, and an envelope has not.
_OF_A_RECORD: Final = frozenset({"created", "modified", "revision", "is_deleted"})
_MAX_DEPTH: Final = 6
# Source: as above, `chunk_size`: at most 100 records a delivery.
_MAX_IDS: Final = 1_000
_NOT_UNDERSTOOD: Final = "The body is not JSON with records in it."


class Webhooks:
    """Receives and registers webhooks. What it is mixed into has the way out, the reader and the key."""

    _crm: str
    _http: VendorHttp
    _reader: Reader
    _signature: SecretStr | None

    def receives_webhooks(self) -> bool:
        return self._signature is not None

    def delivery(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        if self._signature is None:
            raise WebhookRefusedError("No webhooks are expected; set `webhook_signature` to receive them.")
        if not is_signed(headers.get(_HEADER, ""), body, self._signature.get_secret_value()):
            raise WebhookRefusedError("The signature is missing or wrong.")
        return Delivery(opportunity_ids=named_ids(body))

    async def webhooks(self) -> Sequence[Webhook]:
        return [self._shown(row) for row in await self._registered()]

    async def register_webhook(self, url: str) -> Webhook:
        """Register a URL, unless it is registered so already."""
        if self._signature is None:
            message = f"Set `webhook_signature` of the CRM {self._crm!r} to a UUID of your own; its webhooks are signed with it."
            raise UnsupportedError(message, crm=self._crm)
        signature = self._signature.get_secret_value()
        for row in await self._registered():
            if row.url == url and row.signature == signature and {*_EVENTS} <= {*row.events}:
                return self._shown(row)
        # Not documented: what insecure_ssl allows; taken for certificates that nobody vouches for.
        body = encoded({"url": url, "insecure_ssl": False, "events": [*_EVENTS], "signature": signature})
        request = Request(
            operation="Webhooks.create",
            method="POST",
            path="Webhooks",
            body=body,
            content_type="application/json",
            entity="Webhooks",
            read=False,
        )
        try:
            return self._shown(wire.WEBHOOK.read(self._http, request, await self._http.send(request)).value.data)
        except MalformedReplyError as error:
            message = f"It is not known whether the CRM {self._crm!r} has registered the webhook; list its webhooks."
            raise OutcomeUnknownError(message, crm=self._crm, operation=request.operation, status=error.status) from error

    async def remove_webhook(self, local_id: str) -> None:
        if not wire.is_id(local_id):
            raise NotFoundError(f"The CRM {self._crm!r} has no webhook with this id; its ids are UUIDs.", crm=self._crm)
        await self._http.send(
            Request(operation="Webhooks.delete", method="DELETE", path=f"Webhooks/{local_id}", entity="Webhooks", read=False, by_id=True)
        )

    async def _registered(self) -> list[wire.Webhook]:
        return [row for row in await self._reader.all("Webhooks", wire.WEBHOOKS) if not row.is_deleted]

    def _shown(self, row: wire.Webhook) -> Webhook:
        is_ours = self._signature is not None and row.signature == self._signature.get_secret_value()
        return Webhook(
            local_id=row.id,
            url=row.url or "",
            events=[event for event in row.events if event is not None],
            is_enabled=True,
            note=None if is_ours else "It is not signed with `webhook_signature`, so that what it sends is refused.",
        )


def is_signed(signature: str, body: bytes, key: str) -> bool:
    """Whether it is the signature of a body; takes the same time wherever it differs."""
    digest = hmac.new(key.encode(), body, hashlib.sha256).digest()
    given = signature.strip().encode(errors="replace")
    as_digits = hmac.compare_digest(given.lower(), digest.hex().encode())
    as_base64 = hmac.compare_digest(given, base64.b64encode(digest))
    return as_digits or as_base64


def named_ids(body: bytes) -> tuple[str, ...]:
    """The ids in a delivery that may be those of opportunities, each once.

    Raises:
        WebhookMalformedError: It is no JSON object or list, or names more than a delivery holds.
    """
    try:
        data: object = json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookMalformedError(_NOT_UNDERSTOOD) from None  # the cause quotes the body
    if not isinstance(data, dict | list):
        raise WebhookMalformedError(_NOT_UNDERSTOOD)
    found = list(islice(_ids_in(cast("object", data)), _MAX_IDS + 1))
    if len(found) > _MAX_IDS:
        raise WebhookMalformedError(f"The body names more than {_MAX_IDS} records.")
    return tuple(dict.fromkeys(found))


def _ids_in(item: object, *, depth: int = 0) -> Iterator[str]:
    """The ids of a record; of anything else also those of what is in it, for it is what records are wrapped in."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(item, str) and wire.is_id(item):
        yield item
    elif isinstance(item, list):
        for one in cast("list[object]", item):
            yield from _ids_in(one, depth=depth + 1)
    elif isinstance(item, dict):
        members = cast("dict[str, Any]", item)
        is_record = not _OF_A_RECORD.isdisjoint(members)
        if _is_something_else(members, _KINDS_OF_RECORDS if is_record else _KINDS):
            return
        yield from (found for key in _IDS if (found := wire.id_in(members.get(key))) is not None and wire.is_id(found))
        for key, value in () if is_record else members.items():
            if key == "data" or not isinstance(value, str):
                yield from _ids_in(value, depth=depth + 1)


def _is_something_else(members: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Whether it says that it is a record, or tells of one, that is neither an opportunity nor a lead."""
    told = (value for key in keys if isinstance(value := members.get(key), str))
    return any(name.partition(".")[0].replace("_", "").removesuffix("s").casefold() in _OTHERS for name in told)
