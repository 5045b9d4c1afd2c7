"""Writes of one record: which keys may be set, what must hold, and the lists of links that come with it.

Source: Pipeliner "Create Opportunity", required fields, value, possible problems, parameter `validation-level`.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from vendors.pipeliner.sandbox.entities import Entity, Field
from vendors.pipeliner.sandbox.errors import (
    FIELD_VALIDATION,
    PARAMETER_INVALID,
    PARAMETER_MISSING,
    RELATION_MISSING,
    FieldProblem,
    validation,
)
from vendors.pipeliner.sandbox.store import CENT, Row, Store, other_amount
from vendors.pipeliner.sandbox.values import BadValueError, amount, id_of, value_from_body

ONLY_CHANGED, ONLY_SYSTEM, READ_ONLY_TOO, TO_DELETED_TOO = 2, 4, 8, 16
_APPLICATION_ID = "6f0d2a51-88a4-4c1e-9b0e-2f7c3a5d1e90"
# The list of links that each link entity is part of: by the key of its owner, exactly one is the primary one.
_LISTS = {
    "LeadOpptyAccountRelations": ("lead_oppty_id", "account_relations"),
    "LeadOpptyContactRelations": ("lead_oppty_id", "contact_relations"),
    "ContactAccountRelations": ("contact_id", "account_relations"),
}
_FURTHER_SENDERS = {"Currency", "CurrencyExchangeRate", "Lead"}
_FURTHER_EVENTS = {
    "Lead.BackToLead",
    *(f"Opportunity.{verb}" for verb in ("DocumentLinked", "OwnerChanged", "Move", "Lost", "Won", "Qualify")),
}


@dataclass(frozen=True, slots=True)
class Write:
    """What a request writes to, how strictly, and the key that its webhooks are skipped by."""

    entity: Entity
    level: int
    skip_key: str | None

    def allows(self, bit: int) -> bool:
        return bool(self.level & bit)


@dataclass(slots=True)
class _Draft:
    """A row on its way into the store: what the body sets, and everything that is wrong with it."""

    write: Write
    before: Row | None
    row_id: str
    values: Row = field(default_factory=dict[str, Any])
    lists: dict[str, Sequence[Any]] = field(default_factory=dict[str, Sequence[Any]])
    problems: list[tuple[str, tuple[int, str], str]] = field(default_factory=list[tuple[str, tuple[int, str], str]])

    def refuse(self, key: str, code: tuple[int, str], message: str) -> None:
        self.problems.append((key, code, message))

    @property
    def row(self) -> Row:
        return {**(self.before or {"id": self.row_id}), **self.values}


class Writer:
    """Writes into a store as the API allows it."""

    def __init__(self, store: Store, *, replaces_links: bool) -> None:
        self._store = store
        self._replaces_links = replaces_links

    def create(self, write: Write, body: Mapping[str, Any]) -> Row:
        """Create a record.

        Raises:
            RefusedError: The vendor does not take it.
        """
        return self._save(_Draft(write, None, str(uuid.uuid4())), body)

    def update(self, write: Write, row_id: str, body: Mapping[str, Any]) -> Row:
        """Set the body's keys of a record.

        Raises:
            RefusedError: The vendor does not take it.
        """
        before = self._store.tables[write.entity.path].rows[row_id]
        return self._save(_Draft(write, before, row_id), body)

    def delete(self, write: Write, row_id: str) -> None:
        """Delete a record.

        Raises:
            RefusedError: It is protected, or other links would be left without a primary one.
        """
        path = write.entity.path
        row = self._store.tables[path].rows[row_id]
        if row.get("is_delete_protected"):
            draft = _Draft(write, row, row_id)
            draft.refuse("", FIELD_VALIDATION, "The record is protected against deletion.")
            self._raise(draft)
        with self._store.transaction():
            self._store.delete(path, row_id, skip_key=write.skip_key)
            if path in _LISTS:
                self._check_primary(write, path, row)

    def _save(self, draft: _Draft, body: Mapping[str, Any]) -> Row:
        self._read(draft, body)
        self._fill(draft)
        self._check(draft)
        self._raise(draft)
        write = draft.write
        path = write.entity.path
        with self._store.transaction():
            if draft.before is None:
                self._store.insert(path, {"id": draft.row_id, **draft.values}, skip_key=write.skip_key)
            elif draft.values:
                self._store.change(path, draft.row_id, draft.values, skip_key=write.skip_key)
            for key, items in draft.lists.items():
                self._link(draft, write.entity.by_key[key], items)
            if path in _LISTS:
                self._settle_primary(write, path, draft.row)
        return self._store.tables[path].rows[draft.row_id]

    def _read(self, draft: _Draft, body: Mapping[str, Any]) -> None:
        """Take the body's values, and note what the entity does not have or a write may not set."""
        by_key = draft.write.entity.by_key
        for key, value in body.items():
            one = by_key.get(key)
            # Not documented: what an unknown key does.
            if key == "id" and value == draft.row_id:
                continue
            if one is None:
                draft.refuse("", PARAMETER_INVALID, f"Unknown field '{key}'.")
            elif one.kind == "many" and not one.read_only:
                draft.lists[key] = value if isinstance(value, list) else []
                if not isinstance(value, list):
                    draft.refuse(key, FIELD_VALIDATION, f"Error on field {key}. A list is needed.")
            elif key != one.name or one.kind in {"computed", "primary", "many"} or self._is_closed_to(draft, one):
                draft.refuse(key, FIELD_VALIDATION, f"Field '{key}' is read-only.")
            else:
                self._take(draft, one, value)

    def _is_closed_to(self, draft: _Draft, one: Field) -> bool:
        return one.name == "id" or (one.read_only and not draft.write.allows(READ_ONLY_TOO))

    def _take(self, draft: _Draft, one: Field, value: Any) -> None:
        if one.name == "revision":
            return  # The server counts.
        try:
            draft.values[one.name] = self._money(draft, one, value) if one.kind == "money" else value_from_body(one, value)
        except BadValueError as error:
            draft.refuse(one.name, FIELD_VALIDATION, f"Value of field '{one.name}' is invalid: {error}.")

    def _money(self, draft: _Draft, one: Field, value: Any) -> Row | None:
        """Complete a value: one amount is computed from the other by the exchange rate of the day."""
        if value is None:
            return None
        if not isinstance(value, dict) or not cast("Row", value).keys() <= {"base_value", "currency_id", "value_foreign"}:
            raise BadValueError("it needs base_value or value_foreign, and currency_id")
        given, old = cast("Row", value), cast("Row", (draft.before or {}).get(one.name) or {})
        currency_id = given.get("currency_id", old.get("currency_id"))
        base, foreign = (None if given.get(key) is None else amount(given[key]) for key in ("base_value", "value_foreign"))
        if currency_id is None or (base is None and foreign is None):
            missing = "currency_id" if currency_id is None else "base_value"
            draft.refuse(one.name, PARAMETER_MISSING, f"Non-null field '{one.name}.{missing}' is null or empty.")
            return None
        currency = self._store.row("Currencies", currency_id) if isinstance(currency_id, str) else None
        if currency is None or currency.get("is_deleted"):
            draft.refuse(one.name, RELATION_MISSING, f"Related entity Currency with id '{currency_id}' doesn't exist.")
            return None
        rate = self._store.rate(currency_id, self._store.now())
        if rate is None:
            raise BadValueError("its currency has no exchange rate")
        foreign, base = other_amount(foreign=foreign, base=base, rate=rate)
        return {"base_value": base.quantize(CENT), "currency_id": currency_id, "value_foreign": foreign.quantize(CENT)}

    def _fill(self, draft: _Draft) -> None:
        """Set what the server sets by itself in a new record."""
        if draft.before is not None:
            return
        by_key = draft.write.entity.by_key
        if "unit_id" in by_key and draft.values.get("unit_id") is None:
            # Source: Pipeliner "Create Opportunity", Owner_id: without a unit it is the default one of its owner.
            owner = self._store.row("Clients", draft.values.get("owner_id"))
            draft.values["unit_id"] = None if owner is None else owner.get("default_unit_id")
        if draft.write.entity.path == "Webhooks":
            draft.values["application_id"] = _APPLICATION_ID
            draft.values["signature"] = draft.values.get("signature") or str(uuid.uuid4())

    def _check(self, draft: _Draft) -> None:
        write, row = draft.write, draft.row
        refused = {key for key, _, _ in draft.problems}
        for one in write.entity.fields:
            is_set = one.name in draft.values
            if one.name in refused or (write.allows(ONLY_CHANGED) and not is_set and draft.before is not None):
                continue
            value = row.get(one.name, one.default)
            if one.required and value in (None, ""):
                draft.refuse(one.name, PARAMETER_MISSING, f"Non-null field '{one.name}' is null or empty.")
            elif not (one.custom and write.allows(ONLY_SYSTEM)):
                self._check_relations(draft, one, value, is_set=is_set)
        if write.entity.path == "Opportunities":
            self._check_step(draft)
        if "events" in draft.values and not self._are_events(draft.values["events"]):
            draft.refuse("events", FIELD_VALIDATION, "Value of field 'events' is invalid: an event is not known.")

    def _check_relations(self, draft: _Draft, one: Field, value: Any, *, is_set: bool) -> None:
        table = self._store.tables.get(one.target)
        if table is None or one.kind not in {"one", "links", "id", "ids"} or one.read_only or not value:
            return
        for other_id in cast("tuple[str, ...]", value if isinstance(value, tuple) else (value,)):
            other = table.rows.get(other_id) or (self._store.row("Leads", other_id) if one.if_exists else None)
            # A deleted record may stay where it is; only pointing to it anew needs to be allowed.
            if other is None or (other.get("is_deleted") and is_set and not draft.write.allows(TO_DELETED_TOO)):
                message = f"Related entity {table.entity.name} with id '{other_id}' doesn't exist."
                draft.refuse(one.name, RELATION_MISSING, message)

    def _are_events(self, events: Any) -> bool:
        """Whether it is a list of the vendor's events.

        Source: Pipeliner webhooks, the list of events.
        """
        writable = {table.entity.name for table in self._store.tables.values() if table.entity.writable}
        known = {f"{name}.{verb}" for name in writable | _FURTHER_SENDERS for verb in ("Create", "Update", "Delete", "*")} | _FURTHER_EVENTS
        if not isinstance(events, list):
            return False
        listed: list[Any] = events  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
        return bool(listed) and all(isinstance(event, str) and event in known for event in listed)

    def _check_step(self, draft: _Draft) -> None:
        step = self._store.row("Steps", draft.row.get("step_id"))
        if "step_id" in draft.values and step is not None and step.get("pipeline_id") is None:
            draft.refuse("step_id", FIELD_VALIDATION, "An opportunity needs a step of a pipeline.")

    def _checklist(self, draft: _Draft) -> list[dict[str, Any]]:
        """What the step that is left asks to be done before.

        Not documented: which items stop a move. Here the fields that they name have to be filled to get on in the same pipeline.
        """
        old, new = (self._store.row("Steps", each.get("step_id")) for each in (draft.before or {}, draft.row))
        if (
            old is None
            or new is None
            or old.get("pipeline_id") != new.get("pipeline_id")
            or new.get("sort_order", 0) <= old.get("sort_order", 0)
        ):
            return []
        checklist = self._store.linked(self._store.tables["Steps"].entity.by_key["step_checklists"], old["id"])
        by_id = self._store.tables["Fields"].rows
        asked = [(item, by_id[item["field_id"]]["api_name"]) for item in checklist if item.get("field_id") in by_id]
        return [
            {
                "step_checklist_id": item["id"],
                "label": item["label"],
                "field_id": item["field_id"],
                "field_name": name,
                "code": PARAMETER_MISSING[0],
                "name": PARAMETER_MISSING[1],
                "message": f"Step checklist item '{item['label']}' is not completed.",
            }
            for item, name in asked
            if draft.row.get(name) in (None, "", (), False)
        ]

    def _raise(self, draft: _Draft) -> None:
        checklist = self._checklist(draft) if draft.write.entity.path == "Opportunities" else []
        if not draft.problems and not checklist:
            return
        entity = draft.write.entity
        problems = [FieldProblem(self._store.field_id(entity, key) if key else "", key, code, text) for key, code, text in draft.problems]
        raise validation(
            entity.name,
            draft.row_id,
            problems=[problem for problem in problems if problem.field_name],
            entity_problems=[problem for problem in problems if not problem.field_name],
            checklist=checklist,
        )

    def _link(self, draft: _Draft, one: Field, items: Sequence[Any]) -> None:
        """Make a record's links what its body lists. A link is found by its id, or by the record it leads to."""
        links = self._store.tables[one.target].entity
        nested = Write(links, draft.write.level, draft.write.skip_key)
        other = next(each.name for each in links.fields if each.required and each.kind == "one" and each.name != one.via)
        present = {link["id"]: link for link in self._store.linked(one, draft.row_id)}
        by_other = {link[other]: link["id"] for link in present.values()}
        named: set[str] = set()
        for item in items:
            body = {**cast("Row", item), one.via: draft.row_id} if isinstance(item, dict) else {"id": item, one.via: draft.row_id}
            link_id = id_of(body.pop("id")) if body.get("id") is not None else by_other.get(body.get(other))
            if link_id is not None and link_id not in present:
                draft.refuse(one.name, RELATION_MISSING, f"Related entity {links.name} with id '{link_id}' doesn't exist.")
                self._raise(draft)
            child = _Draft(nested, None, str(uuid.uuid4())) if link_id is None else _Draft(nested, present[link_id], link_id)
            self._save_link(child, body)
            named.add(child.row_id)
        rows = self._store.tables[one.target].rows
        has_new_primary = any(rows[row_id].get("is_primary") for row_id in named)
        # Not documented: whether a list in an update replaces the links or adds to them; an option of the sandbox.
        for row_id in present.keys() - named:
            if self._replaces_links:
                self._store.delete(one.target, row_id, skip_key=nested.skip_key)
            elif has_new_primary and rows[row_id].get("is_primary"):
                self._store.change(one.target, row_id, {"is_primary": False}, skip_key=nested.skip_key)
        self._require_one_primary(draft, one)

    def _save_link(self, child: _Draft, body: Mapping[str, Any]) -> None:
        self._read(child, body)
        self._check(child)
        self._raise(child)
        path = child.write.entity.path
        if child.before is None:
            self._store.insert(path, {"id": child.row_id, **child.values}, skip_key=child.write.skip_key)
        else:
            self._store.change(path, child.row_id, child.values, skip_key=child.write.skip_key)

    def _require_one_primary(self, draft: _Draft, one: Field) -> None:
        links = self._store.linked(one, draft.row_id)
        if links and sum(bool(link.get("is_primary")) for link in links) != 1:
            draft.refuse(one.name, FIELD_VALIDATION, f"Error on field {one.name}. Exactly one 'is_primary' item must be set.")
            self._raise(draft)

    def _settle_primary(self, write: Write, path: str, row: Row) -> None:
        """Keep one primary link among those of the same record: the newest takes the place of the others."""
        key, _ = _LISTS[path]
        table = self._store.tables[path]
        if row.get("is_primary"):
            for other_id in list(table.by(key, row[key])):
                other = table.rows[other_id]
                if other_id != row["id"] and other.get("is_primary") and not other.get("is_deleted"):
                    self._store.change(path, other_id, {"is_primary": False}, skip_key=write.skip_key)
        self._check_primary(write, path, row)

    def _check_primary(self, write: Write, path: str, row: Row) -> None:
        key, name = _LISTS[path]
        table = self._store.tables[path]
        links = [link for link in (table.rows[row_id] for row_id in table.by(key, row[key])) if not link.get("is_deleted")]
        if links and sum(bool(link.get("is_primary")) for link in links) != 1:
            draft = _Draft(write, row, row["id"])
            draft.refuse("is_primary", FIELD_VALIDATION, f"Error on field {name}. Exactly one 'is_primary' item must be set.")
            self._raise(draft)
