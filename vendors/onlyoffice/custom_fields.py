"""Fields that a portal's own people defined: their definitions, and values, which always come as text. Pure."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from vendors.extension import extension_from
from vendors.model import CustomField, CustomFieldDefinition, CustomFieldType
from vendors.onlyoffice import wire
from vendors.onlyoffice.extension import OnlyofficeCustomFieldFields, OnlyofficeFieldType, member
from vendors.wire import day

_FIELD_TYPES: Final = {
    OnlyofficeFieldType.TEXT_FIELD: CustomFieldType.TEXT,
    OnlyofficeFieldType.TEXT_AREA: CustomFieldType.LONG_TEXT,
    OnlyofficeFieldType.SELECT_BOX: CustomFieldType.SELECT,
    OnlyofficeFieldType.CHECK_BOX: CustomFieldType.BOOLEAN,
    OnlyofficeFieldType.DATE: CustomFieldType.DATE,
}


def definition_from_wire(crm: str, row: wire.CustomField) -> CustomFieldDefinition:
    return CustomFieldDefinition(
        crm=crm,
        key=row.id,
        label=row.label,
        applies_to="opportunity",
        type=_field_type(row),
        is_custom=True,
        options=_options(row.mask),
    )


def is_heading(row: wire.CustomField) -> bool:
    """Whether it only divides the form and holds no value."""
    return member(OnlyofficeFieldType, row.fieldType) is OnlyofficeFieldType.HEADING


def custom_fields_of(row: wire.Opportunity, *, date_format: str | None) -> Iterator[CustomField]:
    """The values of an opportunity. A single read also has every heading, which is none."""
    for entry in row.customFields or ():
        if not is_heading(entry):
            kind = _field_type(entry)
            yield CustomField(
                key=entry.id,
                label=entry.label,
                type=kind,
                value=None if not entry.fieldValue else _typed(kind, entry.fieldValue, date_format),
                display_value=entry.fieldValue or None,
                extension=extension_from(OnlyofficeCustomFieldFields, entry, field_type=member(OnlyofficeFieldType, entry.fieldType)),
            )


def _field_type(row: wire.CustomField) -> CustomFieldType:
    kind = member(OnlyofficeFieldType, row.fieldType)
    return CustomFieldType.UNKNOWN if kind is None else _FIELD_TYPES.get(kind, CustomFieldType.UNKNOWN)


def _typed(kind: CustomFieldType, text: str, date_format: str | None) -> str | bool:
    """Convert a value, which the vendor always sends as text, by its declared type; text that does not fit stays text."""
    match kind:
        case CustomFieldType.BOOLEAN:
            return {"true": True, "false": False}.get(text.lower(), text)
        case CustomFieldType.DATE:
            parsed = day(text)
            if parsed is None and date_format is not None:
                try:
                    parsed = datetime.strptime(text, date_format).replace(tzinfo=UTC).date()
                except ValueError:
                    return text
            return text if parsed is None else parsed.isoformat()
        case _:
            return text


def _options(mask: str | None) -> tuple[str, ...]:
    """The choices of a select box; the masks of other kinds hold sizes."""
    try:
        choices: Any = json.loads(mask or "null")
    except ValueError:
        return ()
    if not isinstance(choices, list):
        return ()
    found: list[Any] = choices  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
    return tuple(map(str, found))
