"""State of one Pipeliner space: tables, stamps, the life of an opportunity, and the hook that tells of every change.

Rows are sparse: a key that is missing has its field's default. Keys with a leading underscore are the sandbox's own and never shown.
"""

import uuid
from bisect import bisect_left, insort
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from vendors.pipeliner.sandbox.entities import ENTITIES, Entity, Field, custom_field, type_id_of

Row = dict[str, Any]

OPEN, LOST, WON = 1, 2, 3
CENT = Decimal("0.01")
_FIELD_IDS = uuid.UUID("20030000-0000-0557-9bda-000000000000")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row that was written: what a webhook is made of. `events` are the vendor's names, such as `Opportunity.Move`."""

    entity: Entity
    id: str
    events: tuple[str, ...]
    before: Row | None
    after: Row
    changed: frozenset[str]
    skip_key: str | None


class Table:
    """The rows of one entity, with ids kept sorted and an index for every key that was ever asked by value."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.rows: dict[str, Row] = {}
        self.ids: list[str] = []
        self.version = 0
        self._indexes: dict[str, dict[object, list[str]]] = {}

    def load(self, rows: Iterable[Row]) -> None:
        """Replace all rows at once."""
        self.rows = {row["id"]: row for row in rows}
        self.ids = sorted(self.rows)
        self._indexes.clear()
        self.version += 1

    def value(self, row: Row, key: str) -> Any:
        """The stored value of a key, or its field's default."""
        return row[key] if key in row else self.entity.by_key[key].default

    def by(self, key: str, value: object) -> Sequence[str]:
        """Ids of the rows that hold a value, in ascending order."""
        index = self._indexes.get(key)
        if index is None:
            index = self._indexes[key] = {}
            for row_id in self.ids:
                index.setdefault(self.value(self.rows[row_id], key), []).append(row_id)
        return index.get(value, ())

    def put(self, row: Row) -> None:
        """Store a row in place of the one with its id, if there is one."""
        row_id = row["id"]
        old = self.rows.get(row_id)
        if old is None:
            insort(self.ids, row_id)
        self.rows[row_id] = row
        self.version += 1
        for key, index in self._indexes.items():
            value = self.value(row, key)
            if old is not None:
                if self.value(old, key) == value:
                    continue
                index[self.value(old, key)].remove(row_id)
            insort(index.setdefault(value, []), row_id)

    def discard(self, row_id: str) -> None:
        """Forget a row altogether; deleting one does not do that."""
        row = self.rows.pop(row_id)
        del self.ids[bisect_left(self.ids, row_id)]
        self.version += 1
        for key, index in self._indexes.items():
            index[self.value(row, key)].remove(row_id)


class Store:
    """One space.

    Args:
        seed: Rows by entity, as `seed.json` spells them.
        won_by: What closes a deal, besides the archive: entering a `step` of 100 or of 0 percent, or a `won_date` or `lost_date`.
        now: The wall clock; aware, UTC.
    """

    def __init__(self, seed: Mapping[str, Sequence[Row]], *, won_by: str = "step", now: Callable[[], datetime] | None = None) -> None:
        self._now = now or (lambda: datetime.now(UTC))
        self._won_by = won_by
        self._listeners: list[Callable[[Change], None]] = []
        self._request_listeners: list[Callable[[Sequence[Change]], None]] = []
        self._depth = 0
        self._journal: list[tuple[Table, str, Row | None]] = []
        self._pending: list[Change] = []
        self._taken_out: set[str] = set()  # rows that were deleted by themselves, and not with the record that they belong to
        self.tables = {path: Table(entity) for path, entity in _with_custom_fields(seed["Fields"]).items()}
        for path, table in self.tables.items():
            table.load(_row_from_seed(table.entity, raw) for raw in seed.get(path, ()))
        self._list_system_fields()
        rows = [row for table in self.tables.values() for row in table.rows.values()]
        self._revision = max(row.get("revision", 0) for row in rows)
        self._last_stamp: datetime = max(row["modified"] for row in rows)

    # reading

    def row(self, path: str, row_id: str | None) -> Row | None:
        return self.tables[path].rows.get(row_id) if path in self.tables and row_id is not None else None

    def now(self) -> datetime:
        """The time of the space, which never runs behind what was last written."""
        return max(self._now(), self._last_stamp)

    def field_id(self, entity: Entity, key: str) -> str:
        """Id of the `Fields` row that describes a key."""
        fields = self.tables["Fields"]
        for row_id in fields.by("api_name", key):
            if fields.rows[row_id]["entity_name"] == entity.name:
                return row_id
        return str(uuid.uuid5(_FIELD_IDS, f"{entity.name}.{key}"))

    def linked(self, one: Field, owner_id: str, *, deleted: bool = False) -> list[Row]:
        """The rows of a `many` field, in the field's order; of a deleted record those that were deleted with it."""
        table = self.tables[one.target]
        rows = [table.rows[row_id] for row_id in table.by(one.via, owner_id)]
        gone = self._taken_out if deleted else table.rows
        rows = [row for row in rows if not (row.get("is_deleted") and row["id"] in gone)]
        if one.order != "id":
            rows.sort(key=lambda row: (table.value(row, one.order), row["id"]))
        return rows

    def related_id(self, one: Field, row: Row) -> str | None:
        """Id of the record that a `one` or `primary` field leads to."""
        if one.kind == "primary":
            table = self.tables[one.through]
            links = (table.rows[row_id] for row_id in table.by(one.via, row["id"]))
            # A record that is deleted keeps showing the links that were deleted with it, and not those that were taken out before.
            gone = self._taken_out if row.get("is_deleted") else self.tables[one.through].rows
            return next(
                (link[one.pick] for link in links if link.get("is_primary") and not (link.get("is_deleted") and link["id"] in gone)), None
            )
        found: str | None = row.get(one.source or one.name)
        return None if one.if_exists and self.row(one.target, found) is None else found

    def base_currency_id(self) -> str:
        return self.tables["Currencies"].by("is_base", value=True)[0]

    def rate(self, currency_id: str, at: datetime) -> Decimal | None:
        """Units of a currency for one unit of the base currency, from the newest list that is valid at that time."""
        if currency_id == self.base_currency_id():
            return Decimal(1)
        rates = self.tables["CurrencyExchangeRates"]
        lists = self.tables["CurrencyExchangeRatesLists"].rows
        dated = [
            (lists[rate["currency_exchange_rate_list_id"]]["valid_from"], rate["exchange_rate"])
            for rate in (rates.rows[row_id] for row_id in rates.by("currency_id", currency_id))
        ]
        valid = sorted(pair for pair in dated if pair[0] <= at)
        return valid[-1][1] if valid else None

    # writing

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Be told of every change, after the request that made it has succeeded."""
        self._listeners.append(listener)

    def subscribe_to_requests(self, listener: Callable[[Sequence[Change]], None]) -> None:
        """Be told of all changes of a request at once, after it has succeeded."""
        self._request_listeners.append(listener)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Keep all writes of the block or, when it raises, none; a block inside a block undoes only itself."""
        self._depth += 1
        written, announced = len(self._journal), len(self._pending)
        try:
            yield
        except BaseException:
            for table, row_id, before in reversed(self._journal[written:]):
                table.discard(row_id) if before is None else table.put(before)
            del self._journal[written:], self._pending[announced:]
            raise
        finally:
            self._depth -= 1
        if self._depth == 0:
            self._journal.clear()
            changes, self._pending = self._pending, []
            for change in changes:
                for listener in self._listeners:
                    listener(change)
            for request_listener in self._request_listeners:
                request_listener(changes)

    def insert(self, path: str, values: Row, *, skip_key: str | None = None) -> Row:
        """Create a row; the store gives the id (unless the values hold one), the stamps and what follows from the values."""
        row = {"id": str(uuid.uuid4()), **values}
        self._write(self.tables[path], None, row, skip_key)
        return self.tables[path].rows[row["id"]]

    def change(self, path: str, row_id: str, values: Row, *, skip_key: str | None = None, by: str | None = None) -> Row:
        """Set some values of a row; `by` is the person who does it, None for an application."""
        before = self.tables[path].rows[row_id]
        self._write(self.tables[path], before, {**before, **values}, skip_key, by=by)
        return self.tables[path].rows[row_id]

    def delete(self, path: str, row_id: str, *, skip_key: str | None = None) -> None:
        """Mark a row and the link rows below it as deleted; nothing leaves the table."""
        with self.transaction():
            for one in self.tables[path].entity.fields:
                if one.kind == "many" and not one.read_only:
                    for link in self.linked(one, row_id):
                        self.change(one.target, link["id"], {"is_deleted": True}, skip_key=skip_key)
                        self._taken_out.discard(link["id"])
            self.change(path, row_id, {"is_deleted": True}, skip_key=skip_key)
            self._taken_out.add(row_id)

    def move(self, row_id: str, step_id: str) -> Row:
        """Move an opportunity as a person does it in the vendor's pipeline view.

        Raises:
            KeyError: There is no such opportunity or no such step.
        """
        return self.change("Opportunities", row_id, {"step_id": self.tables["Steps"].rows[step_id]["id"]})

    def back_to_lead(self, row_id: str) -> None:
        """Make an opportunity a lead again, as a person does: it keeps its id and its links, and is no opportunity any more.

        Source: Pipeliner webhook event `Lead.BackToLead`. What else becomes of it is not documented.

        Raises:
            KeyError: There is no such opportunity.
        """
        opportunities, leads = self.tables["Opportunities"], self.tables["Leads"]
        row = opportunities.rows[row_id]
        with self.transaction():
            opportunities.discard(row_id)
            self._journal.append((opportunities, row_id, row))
            kept: Row = {key: row[key] for key in ("id", "created", "name", "owner_id") if key in row}
            self._write(leads, leads.rows.get(row_id), kept, None, events=("Lead.BackToLead",))

    def _write(
        self,
        table: Table,
        before: Row | None,
        row: Row,
        skip_key: str | None,
        *,
        by: str | None = None,
        events: tuple[str, ...] | None = None,
    ) -> None:
        with self.transaction():
            stamp = self._last_stamp = max(self._now(), self._last_stamp + _MICROSECOND)
            self._revision += 1
            row.setdefault("created", stamp)
            row["modified"] = stamp
            if "revision" in table.entity.by_key:
                row["revision"] = self._revision
            if "modified_by_user_id" in table.entity.by_key:
                # Not documented: who has modified what an application writes; it belongs to the space, not to a person.
                row["modified_by_user_id"] = by
            if table.entity.path == "Opportunities":
                self._settle(before, row, stamp)
            table.put(row)
            self._journal.append((table, row["id"], before))
            changed = frozenset(key for key in {*row, *(before or {})} if (before or {}).get(key) != row.get(key))
            self._pending.append(
                Change(
                    entity=table.entity,
                    id=row["id"],
                    events=_events(table.entity, before, row) if events is None else events,
                    before=before,
                    after=row,
                    changed=changed,
                    skip_key=skip_key,
                )
            )

    def _settle(self, before: Row | None, row: Row, stamp: datetime) -> None:
        """Derive what the vendor derives: time in the step, status, and the dates of winning and losing."""
        old: Row = before or {}
        moved = old.get("step_id") != row.get("step_id")
        if moved:
            row["_step_entered"] = stamp
        if bool(old.get("is_archived")) != bool(row.get("is_archived")):
            # What loses a deal is not documented; the vendor's list of events ties losing to archiving.
            if row.get("is_archived"):
                row["status"] = LOST
                row["lost_date"] = row.get("lost_date") or stamp
                return
            row["lost_date"] = None
        elif row.get("is_archived") or (before is not None and not moved and not self._is_closed_anew(old, row)):
            return
        won, lost = self._ends(row)
        row["status"] = WON if won else LOST if lost else OPEN
        row["won_date"] = (row.get("won_date") or stamp) if won else None
        if lost:
            row["lost_date"] = row.get("lost_date") or stamp
        elif old.get("status") == LOST:
            row["lost_date"] = None

    def _is_closed_anew(self, old: Row, row: Row) -> bool:
        decisive = ("won_date",) if self._won_by == "step" else ("won_date", "lost_date")
        return any(old.get(key) != row.get(key) for key in decisive)

    def _ends(self, row: Row) -> tuple[bool, bool]:
        """Whether a deal is won, and whether it is lost. What decides is not documented; an option of the sandbox."""
        if self._won_by != "step":
            won = row.get("won_date") is not None
            return won, not won and row.get("lost_date") is not None
        step = self.row("Steps", row.get("step_id"))
        percent = None if step is None else step.get("percent")
        return percent == 100, percent == 0  # noqa: PLR2004

    # loading

    def _list_system_fields(self) -> None:
        """Add to `Fields` the system's own fields, which the seed lists only where they have options."""
        table = self.tables["Fields"]
        listed = {(row["entity_name"], row["api_name"]) for row in table.rows.values()}
        stamp = datetime(2025, 3, 3, 8, 0, tzinfo=UTC)
        for entity in ENTITIES.values():
            for one in entity.fields:
                type_id = type_id_of(one)
                if type_id is not None and (entity.name, one.name) not in listed:
                    row_id = str(uuid.uuid5(_FIELD_IDS, f"{entity.name}.{one.name}"))
                    label = one.name.replace("_", " ").capitalize()
                    names = {"entity_name": entity.name, "api_name": one.name, "name": label, "type_id": type_id}
                    table.put({"id": row_id, "created": stamp, "modified": stamp, "revision": 1, "is_delete_protected": True, **names})


def other_amount(*, foreign: Decimal | None, base: Decimal | None, rate: Decimal) -> tuple[Decimal, Decimal]:
    """Foreign and base amount, one computed from the other; a given foreign amount decides."""
    if foreign is not None:
        return foreign, (foreign / rate).quantize(CENT)
    assert base is not None
    return (base * rate).quantize(CENT), base


def parse_datetime(text: str) -> datetime:
    """Read a time with a space or a T; UTC where no offset is given.

    Raises:
        ValueError: It is not a time.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_date(text: str) -> date:
    """Read a day, also from a time.

    Raises:
        ValueError: It is neither.
    """
    return parse_datetime(text).date()


def _with_custom_fields(rows: Sequence[Row]) -> dict[str, Entity]:
    entities = dict(ENTITIES)
    for entity in ENTITIES.values():
        own = [row for row in rows if row["entity_name"] == entity.name and row["api_name"] not in entity.by_key]
        if own:
            entities[entity.path] = entity.extended([custom_field(row["api_name"], row["type_id"]) for row in own])
    return entities


def _row_from_seed(entity: Entity, raw: Row) -> Row:
    row = {key: _value_from_seed(entity.by_key[key], value) for key, value in raw.items() if not key.startswith("_")}
    if "_step_entered" in raw:
        row["_step_entered"] = parse_datetime(raw["_step_entered"])
    if "_activities" in raw:
        row["_activities"] = raw["_activities"]
    return row


def _value_from_seed(one: Field, value: Any) -> Any:  # noqa: PLR0911  # a table of kinds
    if value is None:
        return None
    match one.kind:
        case "decimal":
            return Decimal(value)
        case "datetime":
            return parse_datetime(value)
        case "date":
            return date.fromisoformat(value)
        case "money":
            return {key: Decimal(part) if part is not None and key != "currency_id" else part for key, part in value.items()}
        case "links" | "ids":
            return tuple(value)
        case _:
            return value


def _events(entity: Entity, before: Row | None, after: Row) -> tuple[str, ...]:
    """Source: Pipeliner webhook events (`Opportunity.*`). That a move is an update as well is not documented."""
    if before is None:
        return (f"{entity.name}.Create",)
    if after.get("is_deleted") and not before.get("is_deleted"):
        return (f"{entity.name}.Delete",)
    events = [f"{entity.name}.Update"]
    if entity.path == "Opportunities":
        if before.get("step_id") != after.get("step_id"):
            events.append("Opportunity.Move")
        if before.get("owner_id") != after.get("owner_id"):
            events.append("Opportunity.OwnerChanged")
        if before.get("status") != after.get("status") and after.get("status") in {LOST, WON}:
            events.append("Opportunity.Won" if after["status"] == WON else "Opportunity.Lost")
    return tuple(events)
