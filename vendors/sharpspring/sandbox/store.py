"""The state of one account, and the rules under which it changes. Knows nothing of HTTP, nor of how values look on the wire."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from vendors.sandbox import OptionValue
from vendors.sharpspring.sandbox.errors import RefusedError
from vendors.sharpspring.sandbox.scale import generated
from vendors.sharpspring.sandbox.schema import (
    CUSTOMIZABLE,
    LEAD_STATUSES,
    PIPELINE_ID,
    SPECS,
    TIMESTAMPS,
    Column,
    TableSpec,
    standard_fields,
)
from vendors.sharpspring.sandbox.table import Row, Table
from vendors.sharpspring.sandbox.values import TIME_FORMAT, integer, stored_value

_SEED = Path(__file__).with_name("seed.json")
_FIRST_STANDARD_FIELD_ID = 51_000

# Columns that no two rows of a table may share. The e-mail address is a lead's natural key.
# Not documented for links; the same pair twice is the same entry.
_UNIQUE = {"lead": ("emailAddress",), "opportunityLead": ("opportunityID", "leadID")}


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one row, as listeners are told of it."""

    kind: Literal["create", "update", "delete"]
    table: str
    before: Row | None
    after: Row | None


class Store:
    """One account.

    Args:
        options: A value for every option of the sandbox.
        scale: Number of opportunities to generate instead of the seed's own.
        now: The time of day that changes are stamped with.

    Attributes:
        zone: Time zone of the Company Profile, which v1 speaks.
        listeners: Told of every change after it happened.
        lead_update_urls: Where the account was asked to post changed leads.
    """

    def __init__(self, options: Mapping[str, OptionValue], *, scale: int | None = None, now: Callable[[], datetime] = utc_now) -> None:
        seed: dict[str, Any] = json.loads(_SEED.read_text(encoding="utf-8"))
        custom_fields: list[Row] = seed["field"]
        if scale is not None:
            seed |= generated(seed, scale)
        seed["field"] = [*standard_fields(_FIRST_STANDARD_FIELD_ID), *custom_fields]
        self.options = options
        self.now = now
        self.zone = ZoneInfo(seed["company"]["timezone"])
        self.listeners: list[Callable[[Change], None]] = []
        self.lead_update_urls: list[str] = []
        self.tables = {name: Table(spec, _columns(spec, options, custom_fields)) for name, spec in SPECS.items()}
        for name, table in self.tables.items():
            _fill(table, seed[name])
        self._last_ids = {name: max(table.rows, default=0) for name, table in self.tables.items()}

    def create(self, table_name: str, given: Mapping[str, Any], zone: ZoneInfo) -> int:
        """Add a row as the API does, and return its id.

        Raises:
            RefusedError: 205 for a value, 303 for a reference to nothing, 301 for an entry that exists already.
        """
        table = self.tables[table_name]
        values = self._checked(table, given, zone)
        missing = next((name for name, column in table.columns.items() if column.required and name not in values), None)
        if missing is not None:
            raise RefusedError(205, {"param": missing})
        row = {name: values.get(name, "" if column.custom else column.default) for name, column in table.columns.items()}
        if table_name == "opportunity" and "probability" not in values and self.options["probability_default"] == "stage":
            row["probability"] = self.tables["dealStage"].rows[row["dealStageID"]]["defaultProbability"]
        self._refuse_duplicates(table, row)
        self._last_ids[table_name] += 1
        stamp = self.now().strftime(TIME_FORMAT)
        row_id = self._last_ids[table_name]
        is_new_an_update = table_name != "opportunity" or self.options["update_stamp"] != "edits"
        row |= {"id": row_id, "createTimestamp": stamp, "updateTimestamp": stamp if is_new_an_update else None}
        if table_name == "opportunity":
            self._couple(row, values)
        table.api_written[row_id] = set(table.columns)
        table.put(row)
        self._tell(Change("create", table_name, None, row))
        return row_id

    def update(self, table_name: str, given: Mapping[str, Any], zone: ZoneInfo) -> None:
        """Change a row as the API does.

        Raises:
            RefusedError: 404 for an unknown id, 302 when nothing changes, and those of `create`.
        """
        table = self.tables[table_name]
        row_id = integer(given.get("id"))
        if row_id is None:
            raise RefusedError(205, {"param": "id"})
        values = self._checked(table, {name: value for name, value in given.items() if name != "id"}, zone)
        if row_id not in table.rows:
            if table_name == "opportunity" and self.options["unknown_update"] == "silent":
                return
            raise RefusedError(404)
        if not self._apply(table, row_id, values):
            raise RefusedError(302)
        table.api_written.setdefault(row_id, set()).update(values)

    def delete(self, table_name: str, given: Mapping[str, Any]) -> None:
        """Delete a row as the API does; an opportunity takes its links with it, or becomes inactive (an option).

        Raises:
            RefusedError: 205 for keys other than id, 404 for an unknown id, 212 or 303 for a stage of the system or in use.
        """
        table = self.tables[table_name]
        row_id = integer(given.get("id"))
        if row_id is None or len(given) > 1:
            raise RefusedError(205, {"param": "id"})
        if row_id not in table.rows:
            raise RefusedError(404)
        if table_name == "dealStage":
            self._refuse_needed_stage(table.rows[row_id])
        if table_name == "opportunity" and self.options["deletes"] == "deactivate":
            if not self._apply(table, row_id, {"isActive": False}):
                raise RefusedError(302)
            return
        if table_name == "opportunity":
            links = self.tables["opportunityLead"]
            for link in links.find({"opportunityID": frozenset({row_id})}, inactive=True):
                self._remove(links, link["id"])
        self._remove(table, row_id)

    def edit(self, opportunity_id: int, values: Row) -> Row:
        """Change stored values of a deal as a person does in the product, such as moving it to a stage.

        Raises:
            RefusedError: 404 for an unknown deal, 303 for an unknown stage.
        """
        table = self.tables["opportunity"]
        if opportunity_id not in table.rows:
            raise RefusedError(404)
        self._refuse_broken_references(table, values)
        self._apply(table, opportunity_id, values, stamp="never" if self.options["update_stamp"] == "api" else "if_changed")
        return table.rows[opportunity_id]

    def touch(self, table_name: str, row_id: int) -> None:
        """Stamp a row as changed although nothing in it did."""
        self._apply(self.tables[table_name], row_id, {}, stamp="always")

    def _checked(self, table: Table, given: Mapping[str, Any], zone: ZoneInfo) -> Row:
        """Read the values of a write. Keys are case-sensitive; not documented what an unknown or a system's one does, refused here."""
        values: Row = {}
        for name, value in given.items():
            column = table.columns.get(name)
            if column is None or column.read_only:
                raise RefusedError(205, {"param": name})
            values[name] = stored_value(column, value, zone)
        if values.get("leadStatus", "open") not in LEAD_STATUSES:
            raise RefusedError(205, {"param": "leadStatus"})
        self._refuse_broken_references(table, values)
        return values

    def _refuse_broken_references(self, table: Table, values: Row) -> None:
        for name, value in values.items():
            column = table.columns[name]
            if column.kind == "ref" and value is not None and value not in self.tables[column.refers_to].rows:
                raise RefusedError(303)

    def _refuse_duplicates(self, table: Table, row: Row) -> None:
        keys = _UNIQUE.get(table.spec.name, ())
        if keys and all(row[key] for key in keys) and table.find({key: frozenset({row[key]}) for key in keys}, inactive=True):
            raise RefusedError(301)

    def _refuse_needed_stage(self, stage: Row) -> None:
        # Not documented; refused with the codes that fit.
        if not stage["isEditable"]:
            raise RefusedError(212)
        if self.tables["opportunity"].find({"dealStageID": frozenset({stage["id"]})}, inactive=True):
            raise RefusedError(303)

    def _apply(self, table: Table, row_id: int, values: Row, *, stamp: Literal["always", "if_changed", "never"] = "if_changed") -> bool:
        before = table.rows[row_id]
        after = before | values
        if table.spec.name == "opportunity":
            self._couple(after, {name for name, value in values.items() if value != before[name]})
        if after == before and stamp != "always":
            return False
        if stamp != "never":
            after["updateTimestamp"] = self.now().strftime(TIME_FORMAT)
        table.put(after)
        self._tell(Change("update", table.spec.name, before, after))
        return True

    def _couple(self, row: Row, changed: Collection[str]) -> None:
        """Let the stage follow the flags, or the flags the stage. Not documented whether they do; an option of the sandbox."""
        if self.options["closing"] != "coupled":
            return
        # The stages that the system owns are the closing ones; the one that is certain wins. Not documented either.
        outcomes = {
            stage["id"]: stage["defaultProbability"] == "100" for stage in self.tables["dealStage"].rows.values() if not stage["isEditable"]
        }
        if "isClosed" in changed or "isWon" in changed:
            if row["isClosed"]:
                row["dealStageID"] = next(stage_id for stage_id, is_won in outcomes.items() if is_won == row["isWon"])
        elif "dealStageID" in changed:
            row |= {"isClosed": row["dealStageID"] in outcomes, "isWon": outcomes.get(row["dealStageID"], False)}

    def _remove(self, table: Table, row_id: int) -> None:
        before = table.remove(row_id)
        table.api_written.pop(row_id, None)
        self._tell(Change("delete", table.spec.name, before, None))

    def _tell(self, change: Change) -> None:
        for listener in self.listeners:
            listener(change)


def _columns(spec: TableSpec, options: Mapping[str, OptionValue], custom_fields: list[Row]) -> dict[str, Column]:
    columns = list(spec.columns)
    if spec.name == "opportunity":
        required = options["close_date_required"] == "on"
        columns = [replace(column, required=required) if column.name == "closeDate" else column for column in columns]
        if options["opportunity_timestamps"] == "present":
            columns += TIMESTAMPS
    if spec.name == "dealStage" and options["pipeline_id"] == "present":
        columns.append(PIPELINE_ID)
    if spec.name in CUSTOMIZABLE:
        related = [row for row in custom_fields if row["relationship"] == spec.name]
        columns += [
            Column(
                name=row["systemName"],
                kind="text",
                length=row["dataLength"],
                required=row["isRequired"],
                custom=True,
                data_type=row["dataType"],
            )
            for row in related
        ]
    return {column.name: column for column in columns}


def _fill(table: Table, seeded: list[Row]) -> None:
    """Put the seed's rows in. Columns that a row leaves out have their defaults; its `api` says that its texts came through the API."""
    blank: Row = {name: "" if column.custom else column.default for name, column in table.columns.items()}
    for seed_row in seeded:
        row = blank | seed_row
        if row.pop("api", False):
            table.api_written[row["id"]] = set(table.columns)
        table.put(row)
