"""Values of a body as the store keeps them, or the reason why the vendor refuses them."""

from decimal import Decimal, InvalidOperation
from typing import Any

from vendors.pipeliner.sandbox.entities import Field
from vendors.pipeliner.sandbox.store import parse_date, parse_datetime

_MAX_AMOUNT = Decimal(10) ** 15


class BadValueError(ValueError):
    """The text says what is wrong."""


def value_from_body(one: Field, value: Any) -> Any:  # noqa: C901, PLR0911, PLR0912  # a table of kinds
    """Read a value; None where the body has null.

    Raises:
        BadValueError: It is not a value of the field.
    """
    if value is None:
        return one.default
    match one.kind:
        case "text" | "id":
            if isinstance(value, str):
                return value
        case "int":
            # Source: Pipeliner "Create Opportunity": label_flag is declared a string and shown as a number.
            number = int(value) if one.maximum is not None and isinstance(value, str) and value.isdecimal() else value
            if isinstance(number, int) and not isinstance(number, bool) and (one.maximum is None or 0 <= number <= one.maximum):
                return number
        case "bool":
            if isinstance(value, bool):
                return value
        case "decimal":
            return amount(value)
        case "date" | "datetime":
            return _moment(one, value)
        case "one":
            if (found := id_of(value)) is not None:
                return found
        case "links":
            if isinstance(value, list):
                return tuple(_linked(item) for item in value)  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
        case "ids":
            if isinstance(value, list) and all(isinstance(item, str) for item in value):  # pyright: ignore[reportUnknownVariableType]
                return tuple(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            return value
    raise BadValueError("it is not of the field's type")


def amount(value: Any) -> Decimal:
    """Read a number.

    Raises:
        BadValueError: It is neither a number nor the text of one.
    """
    try:
        number = Decimal(str(value)) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) >= _MAX_AMOUNT:
        raise BadValueError("it is not a number")
    return number


def id_of(value: Any) -> str | None:
    """The id in a text, in a URI, or in an object with either as its `id`."""
    # Source: Pipeliner "Create Opportunity", body of POST: relations are objects whose id is a URI.
    given: Any = value.get("id") if isinstance(value, dict) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return given.rstrip("/").rpartition("/")[2] if isinstance(given, str) else None


def _linked(item: Any) -> str:
    if (found := id_of(item)) is None:
        raise BadValueError("an element holds no id")
    return found


def _moment(one: Field, value: Any) -> Any:
    try:
        return parse_date(value) if one.kind == "date" else parse_datetime(value)
    except (AttributeError, TypeError, ValueError):
        raise BadValueError(f"it is not a {one.kind}") from None
