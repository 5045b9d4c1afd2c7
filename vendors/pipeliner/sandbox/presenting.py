"""Rows as answers spell them: relations as URIs or, expanded, as objects; what `load-only` asks for; what the server computes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from vendors.pipeliner.sandbox.entities import ENTITIES, Entity, Field
from vendors.pipeliner.sandbox.errors import invalid
from vendors.pipeliner.sandbox.query import Tree
from vendors.pipeliner.sandbox.store import OPEN, WON, Row, Store
from vendors.sandbox import OptionValue

# Source: Pipeliner "Create Opportunity": links in recorded rows name the vendor's host, in an older and a newer form.
_HOSTS = {"new": "eu-central.api.pipelinersales.com", "old": "eu-central.pipelinersales.com"}
# Source: recorded answers of 2026 hold keys that the published reference of 2024 does not have.
_EXTRA_KEYS: Mapping[str, Any] = {"currency_exchange_rates_list": None, "static_profiles": [], "ai_score": {"value": None}}
_LINK_KINDS = {"one", "primary", "many", "links"}


@dataclass(frozen=True, slots=True)
class View:
    """What a request wants of a record: the relations to expand and the keys to show; all keys when `only` is empty."""

    expand: Tree
    only: Tree

    def below(self, key: str) -> "View":
        return View(self.expand.get(key, {}), self.only.get(key, {}))


class Presenter:
    """Shows rows in one position of the options."""

    def __init__(self, store: Store, options: Mapping[str, OptionValue], space_id: str) -> None:
        self._store = store
        self._options = options
        self._root = f"https://{_HOSTS[str(options['relation_host'])]}/api/v100/rest/spaces/{space_id}/entities"
        self._computed: Mapping[str, Callable[[Entity, Row], Any]] = {
            "formatted_name": _formatted_name,
            "name": _formatted_name,
            "days_in_step": self._days_in_step,
            "fitness_description": self._fitness,
            "table_name": lambda entity, _row: entity.name,
        }

    def check(self, entity: Entity, view: View) -> None:
        """Refuse what the entity does not have.

        Raises:
            RefusedError: A name in `expand` is no relation, or one in `load-only` no field.
        """
        self._check(entity, view.expand, "expand", relations_only=True)
        self._check(entity, view.only, "load-only", relations_only=False)

    def record(self, entity: Entity, row: Row, view: View) -> dict[str, Any]:
        shown = {key: self._value(entity, entity.by_key[key], key, row, view) for key in view.only or entity.by_key}
        return shown if view.only or self._options["extra_keys"] == "off" else {**shown, **_EXTRA_KEYS}

    def _check(self, entity: Entity, tree: Tree, parameter: str, *, relations_only: bool) -> None:
        # Not documented: what an unknown name does.
        for key, below in tree.items():
            one = entity.by_key.get(key)
            if one is None or (relations_only and (one.kind not in _LINK_KINDS or key != one.relation)):
                raise invalid(f"Unknown field '{key}' of entity {entity.name} in parameter '{parameter}'.")
            if below and one.target in ENTITIES:
                self._check(self._store.tables[one.target].entity, below, parameter, relations_only=relations_only)

    def _value(self, entity: Entity, one: Field, key: str, row: Row, view: View) -> Any:  # a table of kinds
        match one.kind:
            case "computed":
                return _pick(self._computed[key](entity, row), view.only.get(key))
            case "many":
                mine = row.get(one.source or "id")
                linked = [] if mine is None else self._store.linked(one, mine, deleted=bool(row.get("is_deleted")))
                return [self._link(one, other["id"], view, key) for other in linked]
            case "links":
                return [self._link(one, other_id, view, key) for other_id in row.get(one.name, ())]
            case "one" | "primary" if key == one.relation:
                return self._link(one, self._store.related_id(one, row), view, key)
            case "money":
                return _pick(self._plain(one, row.get(one.name)), view.only.get(key))
            case _:
                return self._plain(one, row.get(one.name, one.default))

    def _link(self, one: Field, other_id: str | None, view: View, key: str) -> Any:
        # Not documented: whether steps that are not expanded are URIs; the reference's schema says objects.
        expanded = key in view.expand or (key == "steps" and self._options["unexpanded_steps"] == "objects")
        if other_id is None:
            return None
        if not expanded or one.target not in self._store.tables:
            return f"{self._root}/{one.target}/{other_id}"
        other = self._store.row(one.target, other_id)
        return None if other is None else self.record(self._store.tables[one.target].entity, other, view.below(key))

    def _plain(self, one: Field, value: Any) -> Any:  # noqa: PLR0911  # a table of kinds
        if isinstance(value, Decimal):
            return self._decimal(value)
        if isinstance(value, datetime):
            return self._datetime(value)
        match one.kind:
            case "money" if value is not None:
                return {part: self._decimal(amount) if isinstance(amount, Decimal) else amount for part, amount in value.items()}
            case "date" if value is not None:
                return value.isoformat()
            case "ids":
                return self._choices(value or ())
            case "int" if one.name == "label_flag" and self._options["label_flag"] == "string":
                return None if value is None else str(value)
            case _:
                return value

    def _decimal(self, value: Decimal) -> str | float:
        return format(value, "f") if self._options["decimals"] == "string" else float(value)

    def _datetime(self, value: datetime) -> str:
        # Source: recorded rows have a space and an offset; the examples of the reference have a T and no offset.
        match self._options["datetimes"]:
            case "naive":
                return value.replace(tzinfo=None).isoformat()
            case "t":
                return value.isoformat(timespec="microseconds")
            case _:
                return value.isoformat(sep=" ", timespec="microseconds")

    def _choices(self, ids: tuple[str, ...]) -> Any:
        match self._options["multi_select"]:
            case "comma":
                return ",".join(ids)
            case "objects":
                return [{"id": one, "option_name": (self._store.row("Data", one) or {}).get("option_name", "")} for one in ids]
            case _:
                return list(ids)

    def _days_in_step(self, _entity: Entity, row: Row) -> int | None:
        return (self._store.now() - row["_step_entered"]).days if "_step_entered" in row else None

    def _fitness(self, _entity: Entity, row: Row) -> dict[str, Any]:
        # Not documented: how fitness is reckoned; here one for a date that is not overdue and one each for activities.
        activities = {"on_time": 0, "scheduled": 0} | row.get("_activities", {})
        closing: date | None = row.get("closing_date")
        overdue = row.get("status", OPEN) == OPEN and closing is not None and closing < self._store.now().date()
        return {
            "is_won": row.get("status", OPEN) == WON,
            "is_overdue": overdue,
            "activities_on_time": activities["on_time"],
            "scheduled_activity": activities["scheduled"],
            "fitness": (not overdue) + (activities["on_time"] > 0) + (activities["scheduled"] > 0),
        }


def _formatted_name(entity: Entity, row: Row) -> str:
    if "last_name" not in entity.by_key:
        return str(row.get("name", ""))
    return " ".join(part for part in (row.get(key) for key in ("first_name", "middle_name", "last_name")) if part)


def _pick(value: Any, only: Tree | None) -> Any:
    """The parts of an object that `load-only` names."""
    return {key: part for key, part in cast("Row", value).items() if key in only} if only and isinstance(value, dict) else value
