"""Pipeliner's custom fields: their definitions from the field metadata, and their values, which are further keys of a record. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from vendors.model import CustomField, CustomFieldDefinition, CustomFieldType
from vendors.pipeliner import wire
from vendors.wire import day, instant, note_unknown

# Source: Pipeliner "Fields", type ids. `currency_foreign` has a base value, a foreign value and a currency, as an opportunity's value.
_FIELD_TYPES: Final = {
    "checkbox": CustomFieldType.BOOLEAN,
    "currency": CustomFieldType.NUMBER,
    "currency_foreign": CustomFieldType.JSON,
    "date": CustomFieldType.DATE,
    "datetime": CustomFieldType.DATE_TIME,
    "dropdown": CustomFieldType.SELECT,
    "email": CustomFieldType.EMAIL,
    "float": CustomFieldType.NUMBER,
    "input": CustomFieldType.TEXT,
    "integer": CustomFieldType.NUMBER,
    "multiselect_checkbox": CustomFieldType.MULTI_SELECT,
    "phone": CustomFieldType.PHONE,
    "radio": CustomFieldType.SELECT,
    "sequence": CustomFieldType.TEXT,
    "text_area": CustomFieldType.LONG_TEXT,
    "url": CustomFieldType.URL,
}
# Source: Pipeliner REST API, entities Opportunities, Accounts and Contacts: the vendor's own fields that are not mapped. The field
# metadata lists the vendor's own fields beside the custom ones and does not tell them apart.
_NOT_MAPPED: Final = frozenset(
    {
        *("table_name", "active_quote", "active_quote_id", "quote_relations", "modified_by_user_id", "formatted_name", "tags"),
        *("contact_type", "contact_type_id", "unit", "unit_id", "documents", "comments", "quick_account_name", "modified_by_user"),
        *("is_archived", "is_unsubscribed", "share_mode", "address", "city", "zip_code", "state_province", "country"),
        *("currency_exchange_rates_list", "currency_exchange_rates_list_id", "static_profiles"),
    }
)
_MODELS: Final[Mapping[str, tuple[str, type[wire.Row]]]] = {
    "Opportunity": ("opportunity", wire.Opportunity),
    "Account": ("account", wire.Account),
    "Contact": ("contact", wire.Contact),
}
ENTITY_NAMES: Final = tuple(_MODELS)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of all dropdowns: their labels by id, and those of each set that can be chosen, in the vendor's order."""

    labels: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    sets: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])

    @classmethod
    def of(cls, rows: Iterable[wire.Data]) -> "Options":
        labels: dict[str, str | None] = {}
        sets: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for row in rows:
            labels[row.id] = row.option_name
            if row.data_set_id is not None and row.option_name is not None and not row.is_deleted:
                sets[row.data_set_id][row.id] = row.option_name
        return cls(labels, sets)

    def choices(self, row: wire.Field) -> Mapping[str, str]:
        """The options of a field that can be chosen: their labels by id."""
        if row.data_set_id is not None and row.data_set_id in self.sets:
            return self.sets[row.data_set_id]
        rows = {found: option for option in row.data_set if (found := wire.id_in(option)) is not None}
        labels = {
            found: option.option_name if isinstance(option, wire.Data) else self.labels.get(found)
            for found, option in rows.items()
            if not (isinstance(option, wire.Data) and option.is_deleted)
        }
        return {found: label for found, label in labels.items() if label is not None}


def own_fields(rows: Iterable[wire.Field], entity_name: str) -> dict[str, wire.Field]:
    """All fields of an entity, those of the vendor too, by their names; deleted ones are left out."""
    return {row.api_name: row for row in rows if row.entity_name == entity_name and row.api_name is not None and not row.is_deleted}


def is_custom(row: wire.Field) -> bool:
    """Whether people of the space set the field up."""
    return row.api_name is not None and _is_custom(row.entity_name, row.api_name)


def definitions_from_wire(crm: str, rows: Iterable[wire.Field], options: Options) -> list[CustomFieldDefinition]:
    """The definitions of the custom fields among all fields."""
    return [
        _definition(crm, row, row.api_name, options)
        for row in rows
        if row.api_name is not None and _is_custom(row.entity_name, row.api_name)
    ]


def custom_fields_from_wire(
    further: Mapping[str, Any],
    definitions: Mapping[str, CustomFieldDefinition],
    *,
    labels: Mapping[str, str | None],
    code: Callable[[str | None], str | None],
) -> tuple[CustomField, ...]:
    """The custom fields among the further keys of an opportunity, in the order of the record.

    Args:
        further: Keys that the wire model does not have.
        definitions: The opportunity's custom fields by key.
        labels: Labels of the options of dropdowns by id.
        code: Gives the code of a currency.
    """
    note_unknown("Opportunities", further.keys() - definitions.keys() - _NOT_MAPPED)
    return tuple(_custom_field(definitions[name], raw, labels, code) for name, raw in further.items() if name in definitions)


def _is_custom(entity_name: str | None, api_name: str) -> bool:
    _, model = _MODELS.get(entity_name or "", (None, None))
    return model is not None and api_name not in model.model_fields.keys() | _NOT_MAPPED


def _definition(crm: str, row: wire.Field, api_name: str, options: Options) -> CustomFieldDefinition:
    own = [option.option_name if isinstance(option, wire.Data) else options.labels.get(wire.id_in(option) or "") for option in row.data_set]
    return CustomFieldDefinition(
        crm=crm,
        key=api_name,
        label=row.name or api_name,
        applies_to=_MODELS[row.entity_name or ""][0],
        type=_FIELD_TYPES.get(row.type_id or "", CustomFieldType.UNKNOWN),
        is_custom=True,
        is_active=None if row.is_deleted is None else not row.is_deleted,
        options=tuple(label for label in own if label is not None) or tuple(options.sets.get(row.data_set_id or "", {}).values()),
    )


def _custom_field(
    definition: CustomFieldDefinition, raw: Any, labels: Mapping[str, str | None], code: Callable[[str | None], str | None]
) -> CustomField:
    value, display = (None, None) if raw is None or raw == "" else _typed(definition.type, raw, labels, code)
    return CustomField(key=definition.key, label=definition.label, type=definition.type, value=value, display_value=display)


def _typed(  # noqa: PLR0911  # a table of kinds
    kind: CustomFieldType, raw: Any, labels: Mapping[str, str | None], code: Callable[[str | None], str | None]
) -> tuple[Any, str | None]:
    """Convert a value by its declared type, and say how the vendor's pages show it. What does not fit stays as it is."""
    match kind:
        case CustomFieldType.NUMBER:
            return _number(raw), str(raw)
        case CustomFieldType.DATE:
            return _iso(day(str(raw)), raw), str(raw)
        case CustomFieldType.DATE_TIME:
            return _iso(instant(str(raw)), raw), str(raw)
        case CustomFieldType.SELECT:
            option = wire.id_in(raw) or str(raw)
            return option, labels.get(option)
        case CustomFieldType.MULTI_SELECT:
            # Not documented; a list of ids in public clients, and text with commas where the vendor flattens lists.
            options = list(wire.ids_in(raw.split(",") if isinstance(raw, str) else raw))
            return options, ", ".join(labels.get(option) or option for option in options) or None
        case CustomFieldType.JSON:
            return _money(raw, code)
        case CustomFieldType.BOOLEAN:
            return raw, str(raw).lower()
        case _:
            return raw, raw if isinstance(raw, str) else str(raw)


def _money(raw: Any, code: Callable[[str | None], str | None]) -> tuple[Any, str | None]:
    if not isinstance(raw, dict):
        return raw, str(raw)
    value = wire.Value.model_validate(raw)
    amounts = {"base_value": value.base_value, "value_foreign": value.value_foreign}
    texts = {name: None if amount is None else format(amount, "f") for name, amount in amounts.items()}
    shown = [texts["value_foreign"] or texts["base_value"], code(value.currency_id)]
    return {**texts, "currency_id": value.currency_id}, " ".join(filter(None, shown)) or None


def _number(raw: Any) -> Any:
    try:
        number = Decimal(str(raw))
    except InvalidOperation:
        return raw
    if not number.is_finite():
        return raw
    return int(number) if number == number.to_integral_value() else float(number)


def _iso(moment: Any, raw: Any) -> Any:
    return raw if moment is None else moment.isoformat()
