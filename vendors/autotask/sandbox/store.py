"""What the sandbox keeps: tables of rows with their ids in order, the picklists and user-defined fields, and a hook for every change."""

import json
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from vendors.autotask.sandbox.fields import ENTITIES, Entity, Field
from vendors.autotask.sandbox.query import Query
from vendors.autotask.sandbox.values import UDFS, RefusedError, Row, instant, parse, parse_udf
from vendors.sandbox import OptionValue

# The demo company's API-only user: the one set of credentials that this sandbox takes.
USERNAME = "crmgraph@nordkai-service.example"
INTEGRATION_CODE = "NKSANDBOXTRACKINGIDENTIFIER"
SECRET = "harbour-Crane-7"  # noqa: S105 - opens nothing but this sandbox

MAX_UDFS = 200
ACTIVE, LOST, CLOSED, IMPLEMENTED = 1, 2, 3, 4
_SEED = Path(__file__).with_name("seed.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of one record, told to listeners after it was made. `before` and `after` are None where there was or is none."""

    action: Literal["create", "update", "delete"]
    entity: str
    id: int
    before: Row | None
    after: Row | None


class Table:
    """The rows of one entity."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows: dict[int, Row] = {row["id"]: row for row in rows}
        self.ids: list[int] = sorted(self.rows)
        self._last_id = max(self.ids, default=0)

    def next_id(self) -> int:
        """An id that no record has or has had."""
        return self._last_id + 1

    def select(self, query: Query, after: int | None = None) -> tuple[list[Row], bool]:
        """The first rows that match, by id upwards, and whether there are more.

        Args:
            query: What to look for.
            after: Only rows with a greater id than this.
        """
        found = list(islice(self._matching(query, after), query.max_records + 1))
        return found[: query.max_records], len(found) > query.max_records

    def count(self, query: Query) -> int:
        return sum(1 for _ in self._matching(query, None))

    def put(self, row: Row) -> None:
        if row["id"] not in self.rows:
            insort(self.ids, row["id"])
            self._last_id = max(self._last_id, row["id"])
        self.rows[row["id"]] = row

    def remove(self, record_id: int) -> None:
        del self.rows[record_id]
        self.ids.remove(record_id)

    def _matching(self, query: Query, after: int | None) -> Iterator[Row]:
        bounds = [bound for bound in (after, query.after_id) if bound is not None]
        if query.ids is not None:
            candidates = sorted(
                record_id for record_id in query.ids if record_id in self.rows and all(record_id > bound for bound in bounds)
            )
        else:
            candidates = self.ids[bisect_right(self.ids, max(bounds)) :] if bounds else self.ids
        rows = self.rows
        return (rows[record_id] for record_id in candidates if query.matches(rows[record_id]))


@dataclass(slots=True)
class Store:
    """Everything the customer's database holds.

    Args:
        options: The sandbox's switches.
        tables: The rows, by entity.
        picklists: Values of picklist fields, by entity and field.
        udfs: User-defined fields, by entity and name; a list field is also in `picklists` under its name.
        organizational_levels: Ids of organizational level associations, and whether each is active.
        quoted: Ids of opportunities that a quote refers to.
        category_defaults: Field values that an opportunity category brings along, by category.
        won_stage: Stage that the product's own win wizard sets.
        lost_stage: Stage that the product's own lose wizard sets.
        api_user_id: Resource that the credentials belong to.
        now: The wall clock.
        listeners: Called after every change.
    """

    options: Mapping[str, OptionValue]
    tables: dict[str, Table]
    picklists: dict[str, dict[str, list[dict[str, Any]]]]
    udfs: dict[str, dict[str, Field]]
    organizational_levels: dict[int, bool]
    quoted: set[int]
    category_defaults: dict[int, Row]
    won_stage: int
    lost_stage: int
    api_user_id: int
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    listeners: list[Callable[[Change], None]] = field(default_factory=list[Callable[[Change], None]])

    def row(self, entity: str, record_id: object) -> Row | None:
        return self.tables[entity].rows.get(record_id) if isinstance(record_id, int) else None

    def create(self, entity: Entity, values: Row) -> int:
        """Keep a new record under the next id, stamped as new."""
        table = self.tables[entity.name]
        row = {name: value for name, value in values.items() if value is not None}
        row["id"] = table.next_id()
        for name in ("createDate", entity.activity_field, entity.modified_field):
            if name and (name != entity.activity_field or self._is_activity(entity, {}, row)):
                row[name] = instant(self.now())
        table.put(row)
        self._tell("create", entity.name, None, row)
        record_id: int = row["id"]
        return record_id

    def update(self, entity: Entity, record_id: int, changes: Row) -> None:
        """Change a record; a value of None unsets the field. Stamps it as the vendor does."""
        before = self.tables[entity.name].rows[record_id]
        after = {name: value for name, value in (before | changes).items() if value is not None}
        if entity.activity_field and self._is_activity(entity, before, after):
            after[entity.activity_field] = instant(self.now())
        if entity.modified_field:
            after[entity.modified_field] = instant(self.now())
        self.tables[entity.name].put(after)
        self._tell("update", entity.name, before, after)

    def delete(self, entity: Entity, record_id: int) -> None:
        before = self.tables[entity.name].rows[record_id]
        self.tables[entity.name].remove(record_id)
        self._tell("delete", entity.name, before, None)

    def move(self, record_id: int, stage: int) -> None:
        """Move a deal as a person does in the product: its win and lose wizards set the status along with the stage.

        Raises:
            RefusedError: There is no such deal or stage.
        """
        row = self.row("Opportunities", record_id)
        if row is None or str(stage) not in {value["value"] for value in self.picklists["Opportunities"]["stage"]}:
            raise RefusedError(f"There is no opportunity {record_id} or no stage {stage}.", status=404)
        changes: Row = {"stage": stage}
        if stage == self.won_stage:
            changes |= {"status": CLOSED, "closedDate": f"{instant(self.now())[:10]}T00:00:00.000Z", "lostDate": None}
        elif stage == self.lost_stage:
            changes |= {"status": LOST, "lostDate": instant(self.now()), "closedDate": None}
        elif row.get("status") in {LOST, CLOSED, IMPLEMENTED}:
            changes |= {"status": ACTIVE, "lostDate": None, "closedDate": None}
        self.update(ENTITIES["Opportunities"], record_id, changes)

    def _is_activity(self, entity: Entity, before: Row, after: Row) -> bool:
        # Not documented: which edits of an opportunity count as activity, and whether its creation does; an option of the sandbox.
        position = "yes" if entity.name != "Opportunities" else self.options["edit_is_activity"]
        moves = bool(before) and any(before.get(name) != after.get(name) for name in ("stage", "status"))
        return position == "yes" or (position == "not_of_stage" and not moves)

    def _tell(self, action: Literal["create", "update", "delete"], entity: str, before: Row | None, after: Row | None) -> None:
        record_id = (after or before or {})["id"]
        for listener in self.listeners:
            listener(Change(action=action, entity=entity, id=record_id, before=before, after=after))


def load(options: Mapping[str, OptionValue]) -> Store:
    """Make a store from the seed."""
    seed: dict[str, Any] = json.loads(_SEED.read_text(encoding="utf-8"))
    udfs = {entity: {udf["name"]: _udf(udf) for udf in listed} for entity, listed in seed["userDefinedFields"].items()}
    picklists = seed["picklists"]
    for entity, listed in seed["userDefinedFields"].items():
        picklists.setdefault(entity, {}).update({udf["name"]: udf["picklistValues"] for udf in listed if "picklistValues" in udf})
    categories = [{"value": str(row["id"]), "label": row["name"], "isActive": row["isActive"]} for row in seed["OpportunityCategories"]]
    picklists["Opportunities"]["opportunityCategoryID"] = categories
    return Store(
        options=options,
        tables={name: Table(_row(entity, raw, udfs.get(name, {})) for raw in seed[name]) for name, entity in ENTITIES.items()},
        picklists=picklists,
        udfs=udfs,
        organizational_levels={level["id"]: level["isActive"] for level in seed["organizationalLevelAssociations"]},
        quoted={quote["opportunityID"] for quote in seed["quotes"]},
        category_defaults={category["id"]: category["values"] for category in seed["categoryDefaults"]},
        won_stage=seed["wonStage"],
        lost_stage=seed["lostStage"],
        api_user_id=next(row["id"] for row in seed["Resources"] if row["userName"] == USERNAME),
    )


def _udf(definition: dict[str, Any]) -> Field:
    return Field(
        name=definition["name"], type=definition["type"], length=definition.get("length", 0), picklist="picklistValues" in definition
    )


def _row(entity: Entity, raw: dict[str, Any], udfs: Mapping[str, Field]) -> Row:
    """Bring a row of the seed into the kept spelling.

    Raises:
        KeyError: The seed holds a field that the entity does not have.
    """
    row: Row = {}
    for name, value in raw.items():
        if name == UDFS:
            row[UDFS] = {given["name"]: given["value"] for given in value if parse_udf(udfs[given["name"]], given["value"])}
        elif (kept := value if name == "postalCode" else parse(entity.fields[name], value)) is not None:
            row[name] = kept
    return row
