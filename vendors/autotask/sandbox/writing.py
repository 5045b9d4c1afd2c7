"""What a write is checked against in every entity: names, types, read-only and required fields, picklists, references."""

from dataclasses import dataclass
from typing import Any, Literal, cast

from vendors.autotask.sandbox.fields import Entity, Field
from vendors.autotask.sandbox.store import MAX_UDFS, Store
from vendors.autotask.sandbox.values import UDFS, RefusedError, Row, parse, parse_udf

Verb = Literal["create", "patch", "put"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A write that names existing fields with fitting values.

    Args:
        verb: What is asked.
        before: The record as it is; empty on create.
        given: What was sent; on put also None for every writable field that was not. `userDefinedFields` is the whole new set.
    """

    verb: Verb
    before: Row
    given: Row

    def changes(self, name: str) -> bool:
        return name in self.given and self.given[name] != self.before.get(name)

    def after(self, name: str) -> Any:
        return self.given[name] if name in self.given else self.before.get(name)


def read_write(store: Store, entity: Entity, verb: Verb, body: object) -> Write:
    """Understand and check the body of a write.

    Raises:
        RefusedError: The vendor would not accept it.
    """
    if not isinstance(body, dict):
        raise RefusedError("The request body is not a JSON object.")
    sent = _canonical(store, entity, cast("dict[str, object]", body))
    before = _target(store, entity, verb, sent.pop("id", None))
    udfs = sent.pop(UDFS, None)
    given: Row = {name: parse(entity.fields[name], value) for name, value in sent.items()}
    given = {name: value for name, value in given.items() if _is_writable(store, entity.fields[name], value, before)}
    if verb == "put":
        unset: Row = dict.fromkeys(name for name, field in entity.fields.items() if not field.readonly and name not in _KEPT_BY_PUT)
        given = unset | given
    if udfs is not None or (verb == "put" and entity.has_udfs):
        given[UDFS] = _udf_values(store, entity, udfs or [], {} if verb == "put" else before.get(UDFS, {}))
    write = Write(verb=verb, before=before, given=given)
    for field in entity.fields.values():
        _check_field(store, entity, field, write)
    return write


# Source: Autotask REST "Opportunities", organizationalLevelAssociationID: what is not sent stays as it is. lostDate is the server's own.
# Not documented for `id`; it says which record is meant.
_KEPT_BY_PUT = {"id", "organizationalLevelAssociationID", "lostDate"}


def _canonical(store: Store, entity: Entity, body: dict[str, object]) -> dict[str, object]:
    any_case = {name.lower(): name for name in (*entity.fields, UDFS)} if store.options["field_case"] == "any" else {}
    sent = {any_case.get(name.lower(), name): value for name, value in body.items()}
    unknown = sorted(sent.keys() - entity.fields.keys() - ({UDFS} if entity.has_udfs else {""}))
    if unknown:
        # Not documented; refused, so that a misspelt name never goes unnoticed.
        raise RefusedError(f"Could not find member '{unknown[0]}' on object of type '{entity.singular}'.")
    return sent


def _target(store: Store, entity: Entity, verb: Verb, record_id: object) -> Row:
    if verb == "create":
        if record_id is not None and record_id != 0:
            raise RefusedError("The field id is read-only.")
        return {}
    row = store.row(entity.name, parse(entity.fields["id"], record_id))
    if row is None:
        raise RefusedError("No matching records found. The logged in Resource may not have the required permissions to update the data.")
    return row


def _is_writable(store: Store, field: Field, value: Any, before: Row) -> bool:
    if not field.readonly:
        return True
    # A record that was read may be written back whole. Not documented: what happens to other values; an option of the sandbox.
    if value != before.get(field.name) and store.options["read_only"] == "refused":
        raise RefusedError(f"The field {field.name} is read-only.")
    return False


def _check_field(store: Store, entity: Entity, field: Field, write: Write) -> None:
    name = field.name
    if field.readonly:
        return
    value = write.after(name)
    if field.required and value is None and (write.verb == "create" or name in write.given):
        raise RefusedError(f"Missing Required Field: {name}.")
    if value is None or not write.changes(name):
        return
    if field.picklist and str(value) not in {option["value"] for option in store.picklists[entity.name][name] if option["isActive"]}:
        raise RefusedError(f"Value on picklist field: {name} does not exist or is invalid.")
    if field.reference and not refers(store, field, value):
        raise bad_reference(field)


def refers(store: Store, field: Field, value: object) -> bool:
    """Whether there is a record behind a reference."""
    if field.reference == "OrganizationalLevelAssociations":
        return store.organizational_levels.get(cast("int", value), False)
    return store.row(field.reference, value) is not None


def bad_reference(field: Field) -> RefusedError:
    # Source: client report of a refused contactID.
    singular = {"Companies": "Company", "Currencies": "Currency"}.get(field.reference, field.reference.removesuffix("s"))
    return RefusedError(f"Reference value on field: {field.name} of type: {singular} does not exist or is invalid.")


def _udf_values(store: Store, entity: Entity, sent: object, before: dict[str, str | None]) -> dict[str, str | None]:
    if not isinstance(sent, list):
        raise RefusedError(f"Cannot deserialize the current JSON value into type 'UserDefinedField[]'. Path '{UDFS}', line 1.")
    items = cast("list[object]", sent)
    # Source: Autotask REST "Opportunities", General: no more than 200 user-defined fields.
    if len(items) > MAX_UDFS:
        raise RefusedError(f"The {entity.singular} entity can have no more than {MAX_UDFS} user-defined fields.")
    return before | dict(_udf_value(store, entity, item) for item in items)


def _udf_value(store: Store, entity: Entity, item: object) -> tuple[str, str | None]:
    pair = cast("dict[str, object]", item) if isinstance(item, dict) else {}
    if pair.keys() != {"name", "value"}:
        raise RefusedError("A user-defined field is written as its name and its value.")
    name, value = str(pair["name"]), pair["value"]
    field = store.udfs.get(entity.name, {}).get(name)
    if field is None:
        raise RefusedError(f"The user-defined field {name} does not exist.")
    if value is None or value == "":
        return name, None
    if not isinstance(value, str):
        raise RefusedError(f"Unexpected character encountered while parsing value: {str(value)[:1]}. Path '{UDFS}.value', line 1.")
    if field.picklist:
        options = store.picklists[entity.name][name]
        kept = next((option["value"] for option in options if value in {option["value"], option["label"]}), None)
        if kept is None:
            raise RefusedError(f"The value of user-defined field {name} is not in its list.")
        return name, kept
    parse_udf(field, value)
    return name, value
