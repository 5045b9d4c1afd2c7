"""User-defined fields of a write: each by its name, its value as text. Pure."""

import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from vendors.autotask.drafts import Draft, Path, digits, is_unicode
from vendors.autotask.mapping import ListDefinition
from vendors.model import CustomFieldDefinition, CustomFieldType
from vendors.writes import RuleCode

# Source: Autotask REST "Opportunities", General (vendor help).
MAX_CUSTOM_FIELDS: Final = 200
NAME: Final = "userDefinedFields"
_MAX_EXPONENT: Final = 28
_MOST_SHOWN: Final = 5
_WORDS: Final = {
    CustomFieldType.NUMBER: "Give a number.",
    CustomFieldType.BOOLEAN: "Give true or false.",
    CustomFieldType.DATE: "Give a date, such as 2026-12-31.",
    CustomFieldType.DATE_TIME: "Give a date, or a date and time, such as 2026-12-31T12:00:00Z.",
}


def put_custom_fields(draft: Draft, given: Mapping[str, Any], definitions: Mapping[str, CustomFieldDefinition]) -> None:
    """Write the fields that are named; the vendor leaves the others as they are.

    Source: Autotask REST "Updating data, PATCH" (vendor help): `name` and `value` of each field to change.
    """
    if not given:
        return
    if len(given) > MAX_CUSTOM_FIELDS:
        draft.refuse(("custom_fields",), RuleCode.OUT_OF_RANGE, f"Give at most {MAX_CUSTOM_FIELDS} custom fields.")
    written: list[dict[str, str | None]] = []
    for key, value in given.items():
        path: Path = ("custom_fields", key)
        definition = definitions.get(key)
        if definition is None:
            draft.refuse(path, RuleCode.INVALID_REFERENCE, "Give the key of a custom field that opportunities of this CRM have.")
            continue
        text = None if value is None else text_of(definition.type, value)
        limit = definition.max_length
        if text and isinstance(definition, ListDefinition) and text not in definition.entries:
            some = ", ".join(map(repr, definition.options[:_MOST_SHOWN]))
            draft.refuse(path, RuleCode.INVALID_VALUE, f"Give an entry of the field's list, such as {some}.")
        elif value is not None and text is None:
            draft.refuse(path, RuleCode.INVALID_VALUE, _WORDS.get(definition.type, "Give a text."))
        elif text is not None and limit is not None and len(text) > limit:
            draft.refuse(path, RuleCode.TOO_LONG, f"Shorten the text to at most {limit:,} characters; it has {len(text):,}.")
        else:
            written.append({"name": key, "value": text})
    draft.put(NAME, written, ("custom_fields",))


def text_of(kind: CustomFieldType, value: Any) -> str | None:
    """A value as the vendor takes it, which is always text; None when it does not fit the declared type.

    Not documented: whether a list takes the label or the value of an entry; either is passed on.
    """
    if isinstance(value, str) and not is_unicode(value):
        return None
    match kind:
        case CustomFieldType.NUMBER:
            return _number(value)
        case CustomFieldType.BOOLEAN:
            return {True: "true", False: "false"}.get(value) if isinstance(value, bool) else None
        case CustomFieldType.DATE | CustomFieldType.DATE_TIME:
            return value if isinstance(value, str) and (not value or _is_moment(value)) else None
        case CustomFieldType.UNKNOWN:
            return _any(value)
        case _:
            return value if isinstance(value, str) else None


def _any(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else _number(value)


def _number(value: Any) -> str | None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | Decimal | str)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        return None
    if isinstance(value, str) and not value.isascii():
        return None
    try:
        number = Decimal(str(value).strip())
    except (InvalidOperation, ValueError):
        return None
    return digits(number) if number.is_finite() and abs(number.adjusted()) <= _MAX_EXPONENT else None


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
