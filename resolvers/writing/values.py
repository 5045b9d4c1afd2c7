"""From the graph's inputs to the values that vendors write, with every mistake in the ids told by where it stands."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, Final, cast

import strawberry

from resolvers.errors import UserError
from resolvers.node_id import decode
from resolvers.types.enums import UserErrorCode
from resolvers.types.inputs import CustomFieldInput, MoneyInput, class_of
from resolvers.types.money import CURRENCY
from vendors.extension import RELATION
from vendors.model import Money
from vendors.registry import Crm, all_vendors
from vendors.writes import UNSET, OpportunityValues, Unset, Violation

# Input key to the attribute of the values, where they differ; and the type of the ids that a key holds.
_ATTRIBUTES: Final = {"probability": "probability_percent", "add_contacts": "add_contact_ids", "remove_contacts": "remove_contact_ids"}
_KEYS: Final = {attribute: key for key, attribute in _ATTRIBUTES.items()}
_ID_TYPES: Final = {
    "pipeline_id": "Pipeline",
    "stage_id": "Stage",
    "owner_id": "User",
    "account_id": "Account",
    "account_ids": "Account",
    "primary_contact_id": "Contact",
    "contact_ids": "Contact",
    "add_contacts": "Contact",
    "remove_contacts": "Contact",
}
_RELATED: Final = {"users": "User", "accounts": "Account", "contacts": "Contact", "stages": "Stage", "pipelines": "Pipeline"}
ONLY_OF_CHANGES: Final = frozenset({"add_contact_ids", "remove_contact_ids"})
"""Attributes that the input of a new opportunity has no keys for."""
_ATTRIBUTE_NAME: Final = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")
_NO_VALUES: Final = frozenset({"crm", "id", "expected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a write was not made, as the graph shows it."""

    path: Sequence[str]
    code: UserErrorCode
    message: str
    vendor_code: str | None = None


@dataclass(slots=True)
class Values:
    """Reads an input for one Crm.

    Attributes:
        crm: The Crm.
        refusals: What is wrong with it.
    """

    crm: Crm
    refusals: list[Refusal] = field(default_factory=list[Refusal])

    def of(self, given: Any, kind: type[Any]) -> Any:
        """The values of an input, as the vendors' class for them; what is wrong is left out and noted."""
        names = {item.name for item in dataclasses.fields(kind)}
        values: dict[str, Any] = {}
        for key, value in _given(given).items():
            attribute = _ATTRIBUTES.get(key, key)
            if attribute in names:
                values[attribute] = self._value(key, value)
        if kind is OpportunityValues:
            values["extension"] = self._extension(given)
            self._check_contacts(values)
        return kind(**values)

    def of_new(self, given: Any, kind: type[Any]) -> Any:
        """The values of the input of a new record, which has nothing to clear: null is as good as absent there.

        That there is to be no primary contact says something beside contacts: which of them is to be it.
        """
        values = self.of(given, kind)
        nothing = {name: UNSET for name in _nulls_in(values) if name != "extension"}
        if kind is not OpportunityValues:
            return dataclasses.replace(values, **nothing)
        if not isinstance(values.contact_ids, Unset) and values.contact_ids:
            nothing.pop("primary_contact_id", None)
        own = values.extension
        return dataclasses.replace(
            values,
            **nothing,
            custom_fields={key: value for key, value in values.custom_fields.items() if value is not None},
            extension=None if own is None else dataclasses.replace(own, **dict.fromkeys(_nulls_in(own), UNSET)),
        )

    def ids(self, texts: Iterable[str], type_name: str, *path: str) -> tuple[str, ...]:
        """The local ids of global ids, those that are wrong left out."""
        found = [self.local_id(text, type_name, *path, str(index)) for index, text in enumerate(texts)]
        return tuple(local_id for local_id in found if isinstance(local_id, str))

    def local_id(self, text: str, type_name: str, *path: str) -> str | Unset:
        """The local id of a global id of this Crm, which stands at that path of the input."""
        try:
            ref = decode(text, type_name).ref
        except UserError as error:
            self.refusals.append(Refusal(path=_path(*path), code=UserErrorCode.INVALID_ID, message=error.message))
            return UNSET
        if ref.crm != self.crm.key:
            message = f"This is an id of the CRM {ref.crm[:50]!r}; give one of the CRM {self.crm.key!r}, which is written to."
            self.refusals.append(Refusal(path=_path(*path), code=UserErrorCode.INVALID_ID, message=message))
            return UNSET
        return ref.local_id

    def _value(self, key: str, value: Any) -> Any:
        if key in _ID_TYPES and value is not None:
            type_name = _ID_TYPES[key]
            if isinstance(value, list):
                return self.ids(cast("Sequence[str]", value), type_name, key)
            return self.local_id(value, type_name, key)
        if key in {"add_contacts", "remove_contacts"}:
            return ()
        if key == "amount" and value is not None:
            return self._money(value)
        if key == "custom_fields":
            return self._custom_fields(value or ())
        return tuple(cast("Sequence[Any]", value)) if isinstance(value, list) else value

    def _check_contacts(self, values: Mapping[str, Any]) -> None:
        """The contacts are either all given, or added and taken out."""
        for attribute, key in (("add_contact_ids", "add_contacts"), ("remove_contact_ids", "remove_contacts")):
            if "contact_ids" in values and values.get(attribute):
                message = "Give either all contacts in `contactIds`, or those to add and to take out."
                self.refusals.append(Refusal(path=_path(key), code=UserErrorCode.CONTRADICTION, message=message))

    def _custom_fields(self, given: Sequence[CustomFieldInput]) -> dict[str, Any]:
        """The values by key, each of which may be given once."""
        times = Counter(item.key for item in given)
        for key, number in times.items():
            if number > 1:
                message = "Give one value of this custom field; it is named several times."
                self.refusals.append(Refusal(path=_path("custom_fields", key), code=UserErrorCode.CONTRADICTION, message=message))
        return {item.key: item.value for item in given}

    def _money(self, value: MoneyInput) -> Money | Unset:
        if value.currency is not None and not CURRENCY.fullmatch(value.currency):
            message = f"Write the currency as three capital letters of ISO 4217, such as EUR, not {value.currency[:50]!r}."
            self.refusals.append(Refusal(path=_path("amount", "currency"), code=UserErrorCode.INVALID_VALUE, message=message))
            return UNSET
        return Money(amount=value.amount, currency=value.currency)

    def _extension(self, given: Any) -> object | None:
        """The input of the Crm's own vendor; one of another vendor is a mistake."""
        own: object | None = None
        for vendor in all_vendors().values():
            value = getattr(given, vendor.key, strawberry.UNSET)
            if value is strawberry.UNSET or value is None:
                continue
            if vendor.key == self.crm.vendor.key:
                own = self._as_own(value, vendor.inputs["Opportunity"], (vendor.key,))
            else:
                message = f"The CRM {self.crm.key!r} is run with {self.crm.vendor.label}; leave out what only {vendor.label} takes."
                self.refusals.append(Refusal(path=_path(vendor.key), code=UserErrorCode.NOT_SUPPORTED, message=message))
        return own

    def _as_own(self, value: Any, own: type[Any], path: tuple[str, ...]) -> Any:
        """A vendor's input as an instance of the class that the vendor declares."""
        values: dict[str, Any] = {}
        for item in dataclasses.fields(own):
            given = getattr(value, item.name)
            related = _RELATED.get(item.metadata.get(RELATION) or "")
            here = (*path, item.name)
            if given is strawberry.UNSET:
                values[item.name] = UNSET
            elif related is not None and given is not None:
                is_list = isinstance(given, list)
                values[item.name] = (
                    self.ids(cast("Sequence[str]", given), related, *here) if is_list else self.local_id(given, related, *here)
                )
            else:
                values[item.name] = self._plain(given, own, here)
        return own(**values)

    def _plain(self, value: Any, own: type[Any], path: tuple[str, ...]) -> Any:
        if isinstance(value, list):
            return tuple(self._plain(item, own, path) for item in cast("Sequence[Any]", value))
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._as_own(value, class_of(own, path[-1]), path)
        return value


def refusal_of(violation: Violation, crm: Crm) -> Refusal:
    """A broken rule as the graph shows it."""
    steps = [crm.vendor.key if step == "extension" else _KEYS.get(step, step) for step in violation.path]
    code = UserErrorCode[violation.code.name]
    return Refusal(path=_path(*steps), code=code, message=in_graph_words(violation.message), vendor_code=violation.vendor_code)


def in_graph_words(text: str) -> str:
    """What a vendor's adapter says of attributes, said of the keys of the input."""
    names = _attribute_names()
    return _ATTRIBUTE_NAME.sub(lambda found: _camel(_KEYS.get(found[0], found[0])) if found[0] in names else found[0], text)


@cache
def _attribute_names() -> frozenset[str]:
    kinds = [OpportunityValues, *(own for vendor in all_vendors().values() for own in vendor.inputs.values())]
    return frozenset(item.name for kind in kinds for item in dataclasses.fields(kind))


def graph_name(attribute: str, crm: Crm) -> str:
    """The key of an input, dotted, that an attribute of the values comes from."""
    steps = [crm.vendor.key if step == "extension" else _KEYS.get(step, step) for step in attribute.split(".")]
    return ".".join(_path(*steps)[1:])


def as_json(given: Any) -> Any:
    """An input as JSON, by which a repetition is known: what is absent is left out, null and the order of lists count."""
    if dataclasses.is_dataclass(given):
        parts = {item.name: getattr(given, item.name) for item in dataclasses.fields(given)}
        return {name: as_json(part) for name, part in parts.items() if part is not strawberry.UNSET}
    if isinstance(given, Decimal):
        whole, _, decimals = format(given, "f").partition(".")
        decimals = decimals.rstrip("0")  # 1.50 is 1.5
        return (f"{whole}.{decimals}" if decimals else whole) if given else "0"
    return [as_json(item) for item in cast("Sequence[Any]", given)] if isinstance(given, list) else given


def _path(first: str | None = None, *others: str) -> list[str]:
    """A path as the graph spells it; the keys of custom fields are the vendor's to spell."""
    if first is None:
        return ["input"]
    return ["input", _camel(first), *(others if first == "custom_fields" else map(_camel, others))]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _nulls_in(values: Any) -> list[str]:
    return [item.name for item in dataclasses.fields(values) if getattr(values, item.name) is None]


def _given(given: Any) -> Mapping[str, Any]:
    """What an input says; absent keys left out."""
    names = [item.name for item in dataclasses.fields(given) if item.name not in _NO_VALUES]
    return {name: value for name in names if (value := getattr(given, name)) is not strawberry.UNSET}
