"""Values of custom fields as the vendor takes them, by the type of their field. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar, cast

from vendors.pipeliner import wire
from vendors.pipeliner.bodies import instant_text, is_writable_number, shown
from vendors.pipeliner.custom_fields import Options
from vendors.writes import RuleCode

T = TypeVar("T")

# Source: Pipeliner "Fields", type ids.
_TEXTS: Final = frozenset({"email", "input", "phone", "text_area", "url"})
_CHOICE: Final = frozenset({"dropdown", "radio"})
_CHOICES: Final = "multiselect_checkbox"
_MONEY: Final = frozenset({"base_value", "currency_id", "value_foreign"})


class MisfitError(Exception):
    """The value does not fit its field; the text says what to do."""

    def __init__(self, message: str, code: RuleCode = RuleCode.INVALID_VALUE) -> None:
        super().__init__(message)
        self.code = code


def custom_value_to_wire(row: wire.Field, value: Any, options: Options) -> Any:
    """Convert a JSON value, as `CustomField.value` has it; None clears it.

    Raises:
        MisfitError: It is not a value of the field.
    """
    kind = row.type_id or ""
    if kind == "sequence":
        raise MisfitError("Leave it out: the vendor numbers it by itself.", RuleCode.READ_ONLY)
    if value is None:
        return "" if kind in _TEXTS else [] if kind == _CHOICES else None
    if kind in _CHOICE:
        return _option(value, options.choices(row))
    if kind == _CHOICES:
        # Not documented: how several choices are written; ids in a list, as public clients read them.
        if not isinstance(value, list | tuple):
            raise MisfitError("Give a list of options.")
        return list(dict.fromkeys(_option(each, options.choices(row)) for each in cast("Sequence[Any]", value)))
    if kind in _TEXTS:
        return _of(str, value, "Give text.")
    convert = _CONVERSIONS.get(kind)
    return value if convert is None else convert(value)


def _of(kind: type[T], value: Any, message: str) -> T:
    if not isinstance(value, kind):
        raise MisfitError(message)
    return value


def _number(value: Any) -> Decimal:
    try:
        number = Decimal("NaN") if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not is_writable_number(number):
        raise MisfitError("Give a number.")
    return number


def _whole(value: Any) -> int:
    number = _number(value)
    if number != number.to_integral_value():
        raise MisfitError("Give a whole number.")
    return int(number)


def _date(value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise MisfitError("Give a day as YYYY-MM-DD.") from None


def _instant(value: Any) -> str:
    try:
        return instant_text(datetime.fromisoformat(value))
    except (TypeError, ValueError, OverflowError):
        raise MisfitError("Give a date and time as YYYY-MM-DDTHH:MM:SS with an offset.") from None


def _option(value: Any, choices: Mapping[str, str]) -> str:
    """The id of an option, which may also be given by its label."""
    if isinstance(value, str):
        if value in choices:
            return value
        labelled = [option for option, label in choices.items() if label == value]
        if labelled:
            return labelled[0]
    raise MisfitError(f"There is no option {shown(str(value))}; choose one of the field's options.", RuleCode.INVALID_REFERENCE)


def _money(value: Any) -> Mapping[str, Any]:
    given: dict[str, Any] = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    currency_id = given.get("currency_id")
    amounts = [name for name in ("value_foreign", "base_value") if given.get(name) is not None]
    if not amounts or not isinstance(currency_id, str) or not given.keys() <= _MONEY:
        raise MisfitError("Give `currency_id` and one of `value_foreign` and `base_value`.")
    return {amounts[0]: _number(given[amounts[0]]), "currency_id": currency_id}  # the vendor computes the other from it


_CONVERSIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "checkbox": lambda value: _of(bool, value, "Give true or false."),
    "currency": _number,
    "float": _number,
    "integer": _whole,
    "date": _date,
    "datetime": _instant,
    "currency_foreign": _money,
}
