"""Values of a body as the store keeps them, or the reason why the vendor refuses them."""

from decimal import Decimal, InvalidOperation
from typing import Any, cast

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
                # Not documented: how the vendor tidies texts. Here names lose the blanks around and double ones within them.
                return " ".join(value.split()) if one.name == "name" else value
        case "int":
            # Source: Pipeliner "Create Opportunity": label_flag is declared a string and shown as a number.
            number = int(value) if one.maximum is not None and isinstance(value, str) and value.isdecimal() else value
            # Source: Pipeliner "Create Opportunity", `ranking`: integer, int32.
            smallest, largest = (-(2**31), 2**31 - 1) if one.maximum is None else (0, one.maximum)
            if isinstance(number, int) and not isinstance(number, bool) and smallest <= number <= largest:
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
        case "json":
            return plain(value)
        case _:
            return value
    raise BadValueError("it is not of the field's type")


def plain(value: Any) -> Any:
    """JSON as the web framework writes it."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
    return float(value) if isinstance(value, Decimal) else value


def amount(value: Any) -> Decimal:
    """Read a number.

    Raises:
        BadValueError: It is neither a number nor the text of one.
    """
    try:
        number = Decimal(str(value)) if isinstance(value, (int, Decimal, str)) and not isinstance(value, bool) else Decimal("NaN")
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
