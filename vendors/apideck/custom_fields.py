"""Custom fields as a write carries them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from vendors.apideck.drafts import Draft
from vendors.apideck.extension import ApideckCustomFieldFields
from vendors.model import CustomField, Opportunity
from vendors.writes import RuleCode

_NAME: Final = "custom_fields"
_LOOKUP_CONNECTOR: Final = "microsoft-dynamics"


def write_custom_fields(draft: Draft, given: Mapping[str, Any], current: Opportunity | None, *, service_id: str) -> None:
    """Write values by key, with those that the record has.

    Not documented: whether an update replaces the array or only the fields that it names. Sent whole it means the same either way; fields
    without a value need not be among them.
    """
    accepted = {key: value for key, value in given.items() if _is_accepted(draft, key, value, service_id=service_id)}
    if not accepted:
        return
    present: Sequence[CustomField] = () if current is None else current.custom_fields or ()
    kept = [entry for entry in present if entry.key in accepted or entry.value is not None]
    entries = [_entry(entry, accepted.get(entry.key, entry.value)) for entry in kept]
    known = {entry.key for entry in kept}
    # Source: Apideck CRM API, schema CustomField: at least one of id and name; what is a field's key here is its id where it has one.
    entries += [{"id": key, "value": value} for key, value in accepted.items() if key not in known]
    draft.put(_NAME, entries, (_NAME,))


def _is_accepted(draft: Draft, key: str, value: Any, *, service_id: str) -> bool:
    path = (_NAME, key)
    if value is None and draft.is_new:
        return False
    if not key:
        draft.refuse(path, RuleCode.INVALID_VALUE, "Give the key of a custom field.")
    elif isinstance(value, list) and any(isinstance(item, list) for item in cast("list[object]", value)):
        # Source: Apideck CRM API, schema CustomField, value: an array's items are no arrays.
        draft.refuse(path, RuleCode.INVALID_VALUE, "Give a list without lists in it.")
    elif value is None and service_id == _LOOKUP_CONNECTOR and key.startswith("_") and key.endswith("_value"):
        # Source: Apideck CRM API, opportunitiesUpdate, connector notes, microsoft-dynamics: `_<attribute>_value` is a lookup.
        draft.refuse(path, RuleCode.NOT_SUPPORTED, "Give another record: a lookup of Microsoft Dynamics cannot be cleared here.")
    else:
        try_out = Draft(is_new=False)
        try_out.put(_NAME, [key, value], path)
        draft.violations += try_out.violations
        return not try_out.violations
    return False


def _entry(entry: CustomField, value: Any) -> dict[str, Any]:
    # A field without an id has its name as key; where both are the same, the name is enough.
    identity = {"name": entry.key} if entry.label == entry.key else {"id": entry.key, "name": entry.label}
    own = entry.extension
    about = {"description": own.description if isinstance(own, ApideckCustomFieldFields) else None}
    return {**{name: text for name, text in {**identity, **about}.items() if text is not None}, "value": value}
