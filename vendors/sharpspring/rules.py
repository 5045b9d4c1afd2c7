"""What the vendor documents about single values of a write, checked all at once, and the object that is put together of them.

Pure: what exists at the vendor is handed in.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, tzinfo
from decimal import Decimal
from typing import Any, Final, TypeVar

from vendors.model import CustomFieldDefinition, CustomFieldType
from vendors.wire import day, instant
from vendors.writes import UNSET, Maybe, RuleCode, Unset, Violation

T = TypeVar("T")
Path = tuple[str, ...]

# Source: Lead Gen & CRM Open API Schema: Opportunities (vendor help, article 50887), table "Opportunity", column "Length".
MAX_TEXT: Final = 255
MAX_DIGITS: Final = 18
# Source: the same table, closeDate: a timestamp. Not documented which ones there are; those of Unix are taken, and no year of five digits.
# A day at each end is left out, since a day begins in the account's time zone.
_FIRST_DAY, _LAST_DAY = date(1970, 1, 2), date(9999, 12, 30)

_SHOWN: Final = 64  # characters of somebody's text in a message
_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # half a character, which JSON cannot carry


@dataclass(slots=True)
class Draft:
    """An object to write, as far as it is put together, and the rules that its input breaks.

    What is UNSET is left out. None clears a value of an existing record, where that is possible; in a new one there is nothing to clear.

    Args:
        is_new: Whether the record does not exist yet.
    """

    is_new: bool
    body: dict[str, object] = field(default_factory=dict[str, object])
    violations: list[Violation] = field(default_factory=list[Violation])
    paths: dict[str, Path] = field(default_factory=dict[str, Path])

    def refuse(self, path: Path, code: RuleCode, message: str) -> None:
        self.violations.append(Violation(path=path, code=code, message=message))

    def refuse_unknown(self, path: Path, what: str, local_id: str) -> None:
        self.refuse(path, RuleCode.INVALID_REFERENCE, f"There is no {what} with the id {shown(local_id)}; choose one that exists.")

    def refuse_given(self, values: object, names: Collection[str], message: str) -> None:
        """Refuse those attributes that are given although the vendor has no place for them."""
        for name in names:
            if getattr(values, name) not in (UNSET, ()):
                self.refuse((name,), RuleCode.NOT_SUPPORTED, message)

    def put(self, path: Path, name: str, value: object) -> None:
        """Write a value as it is; the path is where it came from."""
        self.body[name] = value
        self.paths[name] = path

    def text(self, path: Path, name: str, value: Maybe[str], *, required: bool = False) -> None:
        given = self._given(path, name, None if isinstance(value, str) and not value.strip() else value, required=required)
        if given is not None and self._is_sound(path, given, MAX_TEXT):
            self.put(path, name, given)

    def number(self, path: Path, name: str, value: Maybe[Decimal]) -> None:
        given = self._given(path, name, value)
        if given is None:
            return
        number = shortest(given)
        if number is None:
            self.refuse(path, RuleCode.OUT_OF_RANGE, f"Give a number of at most {MAX_DIGITS} digits.")
        else:
            self.put(path, name, number)

    def percentage(self, path: Path, name: str, value: Maybe[float]) -> None:
        """Write a percentage. Not documented: its unit, nor that it is one; taken as it is read."""
        given = self._given(path, name, value)
        if given is None:
            return
        if 0 <= given <= 100:  # noqa: PLR2004
            self.number(path, name, Decimal(repr(given)))
        else:
            self.refuse(path, RuleCode.OUT_OF_RANGE, "Give a probability from 0 to 100.")

    def flag(self, path: Path, name: str, value: Maybe[bool]) -> None:
        """Write a tinyint, which takes no null."""
        if value is None:
            self.refuse(path, RuleCode.REQUIRED, "Give true or false, or leave it out; it cannot be empty.")
        elif not isinstance(value, Unset):
            self.put(path, name, int(value))

    def day(self, path: Path, name: str, value: Maybe[date], *, required: bool = False) -> None:
        """Write a day as its midnight, in the time zone that the API speaks."""
        given = self._given(path, name, value, required=required)
        if given is not None and not _FIRST_DAY <= given <= _LAST_DAY:
            self.refuse(path, RuleCode.OUT_OF_RANGE, f"Give a day from {_FIRST_DAY} to {_LAST_DAY}.")
        elif given is not None:
            # Source: observed: timestamps are `YYYY-MM-DD HH:MM:SS` without a zone.
            self.put(path, name, f"{given.isoformat()} 00:00:00")

    def reference(self, path: Path, name: str, value: Maybe[str], known: Collection[str], what: str, *, required: bool = False) -> None:
        given = self._given(path, name, value, required=required)
        if given is None:
            return
        if given in known:
            self.put(path, name, int(given))
        else:
            self.refuse_unknown(path, what, given)

    def custom_fields(self, values: Mapping[str, Any], definitions: Mapping[str, CustomFieldDefinition], zone: tzinfo) -> None:
        """Write custom fields by their `systemName`; their values are texts, and an empty one clears.

        Source: article 50887, "Field": systemName is a key of any object that is created or updated; dataType, dataLength, isRequired.
        """
        for key, value in values.items():
            definition = definitions.get(key)
            if definition is None:
                message = f"There is no custom field of opportunities with the key {shown(key)}; choose one that exists."
                self.refuse(("custom_fields", key), RuleCode.INVALID_REFERENCE, message)
            else:
                self._custom_field(("custom_fields", key), definition, value, zone)
        if self.is_new:
            for key, definition in definitions.items():
                if definition.is_required and definition.is_active is not False and key not in values:
                    self.refuse(("custom_fields", key), RuleCode.REQUIRED, "Give this custom field; it is required.")

    def _custom_field(self, path: Path, definition: CustomFieldDefinition, value: object, zone: tzinfo) -> None:
        if value is None or value == "":
            if definition.is_required:
                self.refuse(path, RuleCode.REQUIRED, "Give this custom field a value; it is required.")
            else:
                # Source: observed: a custom field is emptied with "", and null is refused.
                self.put(path, definition.key, "")
            return
        text = _custom_text(definition.type, value, zone)
        if text is None:
            wish = _WISHES.get(definition.type, "a text")
            self.refuse(path, RuleCode.INVALID_VALUE, f"Give {wish}; the custom field is of the type {definition.type.name}.")
        elif self._is_sound(path, text, definition.max_length):
            self.put(path, definition.key, text)

    def _given(self, path: Path, name: str, value: Maybe[T], *, required: bool = False) -> T | None:
        """The value, if there is one to check. One to clear is written as null."""
        if isinstance(value, Unset):
            if required and self.is_new:
                self.refuse(path, RuleCode.REQUIRED, "Give a value; a new record needs it.")
            return None
        if value is None:
            if required:
                self.refuse(path, RuleCode.REQUIRED, "Give a value; it cannot be empty.")
            elif not self.is_new:
                self.put(path, name, None)
            return None
        return value

    def _is_sound(self, path: Path, text: str, most: int | None) -> bool:
        if _SURROGATE.search(text):
            self.refuse(path, RuleCode.INVALID_VALUE, "Give a text of whole characters; this one has half of a pair.")
        elif most and len(text) > most:
            self.refuse(path, RuleCode.TOO_LONG, f"Give at most {most} characters; these are {len(text)}.")
        else:
            return True
        return False


def shortest(number: Decimal) -> Decimal | None:
    """The same number without zeros behind its last decimal place; None when it has more digits than the vendor holds."""
    if not number.is_finite():
        return None
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "a finite number has one"
    if not number:
        return Decimal(0)
    while exponent < 0 and digits[-1] == 0:
        digits, exponent = digits[:-1], exponent + 1
    written = len(digits) + exponent if exponent >= 0 else max(len(digits), 1 - exponent)
    return Decimal((sign, digits, exponent)) if written <= MAX_DIGITS else None


def shown(text: str) -> str:
    """Somebody's text, short enough and safe to be shown in a message."""
    return ascii(text[:_SHOWN])


def _custom_text(kind: CustomFieldType, value: object, zone: tzinfo) -> str | None:
    """A custom field's value as the vendor keeps it; None when it is not of the field's type."""
    match kind:
        case CustomFieldType.NUMBER:
            number = shortest(Decimal(str(value))) if _is_number(value) else None
            return None if number is None else format(number, "f")
        case CustomFieldType.BOOLEAN:
            return str(int(value)) if isinstance(value, bool) else None
        case CustomFieldType.DATE:
            parsed = day(value) if isinstance(value, str) else None
            return parsed.isoformat() if parsed is not None and parsed.isoformat() == value else None
        case CustomFieldType.DATE_TIME:
            moment = instant(value, naive_in=zone) if isinstance(value, str) else None
            return None if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        case _:
            return value if isinstance(value, str) else None


def _is_number(value: object) -> bool:
    """Whether a value is a number, in JSON or as text, of a size that can be written down."""
    if isinstance(value, str):
        return re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", value) is not None
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < 10**MAX_DIGITS
    return isinstance(value, float | Decimal)


_WISHES: Final = {
    CustomFieldType.NUMBER: f"a number of at most {MAX_DIGITS} digits",
    CustomFieldType.BOOLEAN: "true or false",
    CustomFieldType.DATE: "a day, like 2027-01-31",
    CustomFieldType.DATE_TIME: "a date and time, like 2027-01-31T09:30:00Z",
}
