"""State of the sandbox: the records of one connected CRM, the rules that writes obey, and the stamps they leave.

Every change goes through `Store.create`, `update`, `delete` or `move`, which stamp it and tell the listeners.
"""

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from aiohttp import web

from vendors.apideck.sandbox.fields import RESOURCES, Record
from vendors.apideck.sandbox.limits import Limits
from vendors.apideck.sandbox.search import Search, TextFilter, found

INTEGRATION_USER = "71004001"
_KEPT_SEARCHES = 64
_CONTACT_KEYS = ("primary_contact_id", "contact_id")

StageIds = Literal["present", "repeated", "null"]
Verb = Literal["created", "updated", "deleted"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How this connector behaves where the vendor's document leaves it open (options of the sandbox)."""

    stage_ids: StageIds = "present"
    status_follows_stage: bool = True
    delete_leaves_record: bool = False
    text_filter: TextFilter = "contains"
    merges_custom_fields: bool = True
    needs_primary_contact: bool = False
    nulls_first: bool = False
    stamps_in: Literal["milliseconds", "seconds"] = "milliseconds"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one record, as a webhook would tell it: which, not what."""

    verb: Verb
    resource: str
    id: str
    occurred_at: str


class DownstreamError(Exception):
    """The connected CRM refuses a write (a reference that does not exist, say)."""

    def __init__(self, message: str, detail: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.code = code


class DeletedError(Exception):
    """The record is there, but only as a deleted one."""


class Table:
    """Records of one resource, in id order. Ids are digits, as the connected CRM's are."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records: dict[str, Record] = {record["id"]: record for record in records}
        self._order = sorted(int(key) for key in self._records)
        self._last_id = max(self._order, default=0)
        self._searches: dict[Search, list[str]] = {}

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Record]:
        return (self._records[str(key)] for key in self._order)

    def __contains__(self, key: object) -> bool:
        return key in self._records

    def get(self, key: str) -> Record | None:
        return self._records.get(key)

    def put(self, record: Record) -> None:
        if record["id"] not in self._records:
            insort(self._order, int(record["id"]))
            self._last_id = max(self._last_id, self._order[-1])
        self._records[record["id"]] = record
        self._searches.clear()

    def remove(self, key: str) -> None:
        del self._records[key]
        self._order.remove(int(key))
        self._searches.clear()

    def next_id(self) -> str:
        return str(self._last_id + 1)  # an id that was given once is never given again

    def after(self, key: int, count: int) -> list[Record]:
        """Up to `count` records whose ids are greater than the key."""
        start = bisect_right(self._order, key)
        return [self._records[str(item)] for item in self._order[start : start + count]]

    def search(self, resource: str, search: Search, rules: Rules) -> list[str]:
        """The ids a search finds; kept until the next change, so that paging through it costs one scan."""
        ids = self._searches.get(search)
        if ids is None:
            if len(self._searches) >= _KEPT_SEARCHES:
                self._searches.clear()
            ids = found(RESOURCES[resource], self, search, text_filter=rules.text_filter, nulls_first=rules.nulls_first)
            self._searches[search] = ids
        return ids


def utc_now() -> datetime:
    return datetime.now(UTC)


def stage_key(stage: Mapping[str, Any]) -> str:
    """What a deal's `pipeline_stage_id` holds for a stage: its id; without one the connector's constant; without that its name."""
    return str(stage["id"] or stage["value"] or stage["name"])


class Store:
    """The records behind one connection.

    Args:
        seed: Records of every resource, by its name.
        rules: The connector's behaviour where it is not documented.
        limits: The connector's request budget.
        now: Clock that changes are stamped with.
    """

    def __init__(
        self,
        seed: Mapping[str, Sequence[Record]],
        *,
        rules: Rules | None = None,
        limits: Limits | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.rules = rules or Rules()
        self.limits = limits or Limits()
        self.now = now
        self.listeners: list[Callable[[Change], None]] = []
        self.pipelines = [dict(pipeline, stages=[dict(stage) for stage in pipeline["stages"]]) for pipeline in seed["pipelines"]]
        opportunities = [dict(record) for record in seed["opportunities"]]
        self._rename_stages(opportunities)
        self.tables = {
            "opportunities": Table(opportunities),
            "users": Table([dict(record) for record in seed["users"]]),
            "companies": Table([dict(record) for record in seed["companies"]]),
            "contacts": Table([dict(record) for record in seed["contacts"]]),
        }

    def create(self, resource: str, body: Record) -> str:
        """Keep a new record; its id.

        Raises:
            DownstreamError: It refers to something that does not exist.
        """
        table = self.tables[resource]
        stamp = self.stamp()
        record: Record = {"id": table.next_id(), "created_at": stamp}
        if resource in {"opportunities", "companies"}:
            record |= {"created_by": INTEGRATION_USER, "deleted": False}
        self._write(resource, record, body, stamp)
        table.put(record)
        self._tell("created", resource, record["id"], stamp)
        return str(record["id"])

    def update(self, resource: str, key: str, body: Record, *, by: str = INTEGRATION_USER) -> None:
        """Change the keys that the body holds, in the name of a user.

        Raises:
            KeyError: There is no such record.
            DeletedError: It is marked as deleted.
            DownstreamError: It would refer to something that does not exist.
        """
        record = dict(self._writable(resource, key))
        stamp = self.stamp()
        self._write(resource, record, body, stamp, by=by)
        self.tables[resource].put(record)
        self._tell("updated", resource, key, stamp)

    def delete(self, resource: str, key: str) -> None:
        """Delete a record: it is gone, or stays marked as deleted where the connector does so.

        Raises:
            KeyError: There is no such record.
            DeletedError: It is marked as deleted already.
        """
        record = self._writable(resource, key)
        stamp = self.stamp()
        if self.rules.delete_leaves_record and "deleted" in RESOURCES[resource].shape.fields:
            self.tables[resource].put({**record, "deleted": True, "updated_at": stamp, "updated_by": INTEGRATION_USER})
        else:
            self.tables[resource].remove(key)
        self._tell("deleted", resource, key, stamp)

    def move(self, key: str, stage: str) -> Record:
        """Move a deal to a stage as a person would in the CRM's own board, and return it.

        Raises:
            KeyError: There is no such deal.
            DeletedError: It is marked as deleted.
            DownstreamError: There is no such stage in the deal's pipeline, or in exactly one other.
        """
        record = self._writable("opportunities", key)
        within = [pipeline for pipeline in self.pipelines if pipeline["id"] == record.get("pipeline_id")]
        holders = [pipeline for pipeline in within if _stage_of(pipeline, stage)] or [
            pipeline for pipeline in self.pipelines if _stage_of(pipeline, stage)
        ]
        if len(holders) != 1:
            raise DownstreamError("Stage not found", f"stage {stage!r} is in {len(holders)} pipelines", "INVALID_STAGE")
        self.update("opportunities", key, {"pipeline_id": holders[0]["id"], "pipeline_stage_id": stage})
        return self.tables["opportunities"].get(key) or record

    def _writable(self, resource: str, key: str) -> Record:
        record = self.tables[resource].get(key)
        if record is None:
            raise KeyError(key)
        if record.get("deleted"):
            raise DeletedError
        return record

    def _write(self, resource: str, record: Record, body: Record, stamp: str, *, by: str = INTEGRATION_USER) -> None:
        known = RESOURCES[resource].shape.fields
        changes = {name: value for name, value in body.items() if name in known and not known[name].write_only}
        self._check_references(changes)
        if resource == "opportunities":
            changes = _trimmed(self._with_stage_effects(record, changes, stamp))
        if self.rules.merges_custom_fields and changes.get("custom_fields") is not None:
            changes["custom_fields"] = _merged(record.get("custom_fields") or [], changes["custom_fields"])
        if changes.get("company_id") is not None and "company_name" not in changes:
            changes["company_name"] = (self.tables["companies"].get(changes["company_id"]) or {}).get("name")
        record |= changes
        record["updated_at"] = stamp
        if "updated_by" in known:
            record["updated_by"] = by
        if resource == "opportunities" and {"monetary_amount", "win_probability"} & changes.keys():
            record["expected_revenue"] = _expected_revenue(record.get("monetary_amount"), record.get("win_probability"))

    def _check_references(self, changes: Record) -> None:
        contacts = [changes.get(name) for name in _CONTACT_KEYS] + list(changes.get("contact_ids", []))
        for resource, keys in (
            ("users", [changes.get("owner_id")]),
            ("companies", [changes.get("company_id")]),
            ("contacts", contacts),
        ):
            for key in keys:
                if key is not None and key not in self.tables[resource]:
                    raise DownstreamError("Association target not found", f"no {resource} object has id {key!r}", "OBJECT_NOT_FOUND")

    def _with_stage_effects(self, record: Record, changes: Record, stamp: str) -> Record:
        if "pipeline_id" not in changes and "pipeline_stage_id" not in changes:
            return changes
        stage_id = changes.get("pipeline_stage_id", record.get("pipeline_stage_id"))
        pipeline_id = changes.get("pipeline_id", record.get("pipeline_id"))
        holders = [pipeline for pipeline in self.pipelines if pipeline_id in (None, pipeline["id"])]
        if not holders:
            raise DownstreamError("Pipeline not found", f"pipeline {pipeline_id!r} does not exist", "INVALID_PIPELINE")
        if stage_id is None:
            return changes if stage_id == record.get("pipeline_stage_id") else {**changes, **_changed_at(changes, stamp)}
        holding = [(pipeline, stage) for pipeline in holders if (stage := _stage_of(pipeline, stage_id))]
        if not holding:
            raise DownstreamError("Stage not found", f"pipeline {pipeline_id!r} has no stage {stage_id!r}", "INVALID_STAGE")
        pipeline, stage = holding[0]
        changes = {**changes, "pipeline_id": pipeline["id"]}
        if (pipeline["id"], stage_id) == (record.get("pipeline_id"), record.get("pipeline_stage_id")):
            return changes
        if self.rules.status_follows_stage:
            changes = {"status": status_of(stage), "win_probability": stage["win_probability"], **changes}
        return {**changes, **_changed_at(changes, stamp)}

    def _rename_stages(self, opportunities: Sequence[Record]) -> None:
        """Give the stages the ids that the option says, and the deals with them."""
        if self.rules.stage_ids == "present":
            return
        names: dict[str, str] = {}
        for pipeline in self.pipelines:
            for number, stage in enumerate(pipeline["stages"], start=1):
                old = stage_key(stage)
                stage["id"] = str(number) if self.rules.stage_ids == "repeated" else None
                names[old] = stage_key(stage)
        for record in opportunities:
            stage_id = record.get("pipeline_stage_id")
            if stage_id is not None:
                record["pipeline_stage_id"] = names.get(stage_id, stage_id)

    def stamp(self) -> str:
        """The present moment, as records are stamped with it."""
        return self.now().astimezone(UTC).isoformat(timespec=self.rules.stamps_in).replace("+00:00", "Z")

    def _tell(self, verb: Verb, resource: str, key: str, stamp: str) -> None:
        change = Change(verb, resource, key, stamp)
        for listener in self.listeners:
            listener(change)


STORE = web.AppKey("STORE", Store)


def _stage_of(pipeline: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    return next((stage for stage in pipeline["stages"] if stage_key(stage) == key), None)


def status_of(stage: Mapping[str, Any]) -> str:
    """The status of deals in a stage, where it follows the stage."""
    return {100: "closedwon", 0: "closedlost"}.get(stage["win_probability"], "open")


def _trimmed(changes: Record) -> Record:
    """A title without blanks around it. Not documented: what a connector does to texts; that it does something is the sandbox's own."""
    return {**changes, "title": changes["title"].strip()} if "title" in changes else changes


def _merged(present: Sequence[Record], given: Sequence[Record]) -> list[Record]:
    """Custom fields, the given ones in the places of those of the same id, or of the same name without one."""
    merged = {_field_key(entry): entry for entry in present}
    for entry in given:
        merged[_field_key(entry)] = {**merged.get(_field_key(entry), {}), **entry}
    return list(merged.values())


def _field_key(entry: Mapping[str, Any]) -> tuple[bool, Any]:
    return (True, entry["id"]) if entry.get("id") is not None else (False, entry.get("name"))


def _changed_at(changes: Record, stamp: str) -> Record:
    """Both stamps of a stage change: one the client may write, one only the server."""
    return {"stage_last_changed_at": changes.get("stage_last_changed_at") or stamp, "date_stage_changed": stamp}


def _expected_revenue(amount: float | None, probability: float | None) -> float | None:
    if amount is None or probability is None:
        return None
    return float(round(Decimal(str(amount)) * Decimal(str(probability)) / 100, 2))
