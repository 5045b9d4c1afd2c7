"""Deliveries to the registered webhooks: which changes they want, in what form, and signed.

Source: Pipeliner "Webhooks (real-time updates)" and the entity Webhooks of its API reference. How the signature is written and what the
records are wrapped in is not documented; options of the sandbox.
"""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from vendors.pipeliner.sandbox.presenting import Presenter, View
from vendors.pipeliner.sandbox.store import Change, Row, Store
from vendors.sandbox import OptionValue
from vendors.sandbox_webhooks import Parcel

# What the Crm that talks to this sandbox registers its webhooks with.
SIGNATURE = "6b0f7e3c-52f4-4d0e-9a41-c8d17b5e2f90"
_MAX_CHUNK = 100


class Deliveries:
    """Makes a delivery of every event that a webhook wants."""

    def __init__(self, store: Store, presenter: Presenter, options: Mapping[str, OptionValue], send: Callable[[Parcel], None]) -> None:
        self._store = store
        self._presenter = presenter
        self._options = options
        self._send = send

    def tell(self, changes: Sequence[Change]) -> None:
        """Deliver the changes of a request."""
        hooks = self._store.tables["Webhooks"]
        for hook_id in hooks.by("is_deleted", value=False):
            self._tell(hooks.rows[hook_id], changes)

    def _tell(self, hook: Row, changes: Sequence[Change]) -> None:
        skipped, size = _options_of(hook)
        wanted: dict[str, list[Change]] = {}
        for change in changes:
            for event in change.events:
                if change.skip_key not in skipped and not {event, f"{event.partition('.')[0]}.*"}.isdisjoint(hook["events"]):
                    wanted.setdefault(event, []).append(change)
        for event, told in wanted.items():
            for begin in range(0, len(told), size):
                self._deliver(hook, event, told[begin : begin + size])

    def _deliver(self, hook: Row, event: str, changes: Sequence[Change]) -> None:
        records = [self._presenter.record(change.entity, change.after, View({}, {})) for change in changes]
        body = json.dumps(self._envelope(event, records)).encode()
        digest = hmac.new(hook["signature"].encode(), body, hashlib.sha256).digest()
        signature = digest.hex() if self._options["webhook_digest"] == "hex" else base64.b64encode(digest).decode()
        self._send(Parcel(url=hook["url"], headers={"Content-Type": "application/json", "WebHook-Signature": signature}, body=body))

    def _envelope(self, event: str, records: Sequence[Mapping[str, Any]]) -> object:
        match self._options["webhook_envelope"]:
            case "wrapped":
                return {"id": str(uuid.uuid4()), "event": event, "data": records}
            case "object" if len(records) == 1:
                return records[0]
            case _:
                return records


def _options_of(hook: Row) -> tuple[Sequence[Any], int]:
    """Keys whose changes a webhook skips, and how many records it takes at once."""
    options = cast("dict[str, Any]", hook["options"]) if isinstance(hook.get("options"), dict) else {}
    skipped = cast("list[Any]", options["skip_keys"]) if isinstance(options.get("skip_keys"), list) else []
    size = options.get("chunk_size")
    return skipped, min(size, _MAX_CHUNK) if isinstance(size, int) and size > 0 else _MAX_CHUNK
