"""One value's way in and out: what a write may say, what is stored, and how it looks on the wire.

Stored are: ids and integers as int, doubles as their shortest decimal text, flags as bool, instants as `YYYY-MM-DD HH:MM:SS` in UTC,
texts as they were typed; None where there is nothing.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeGuard
from zoneinfo import ZoneInfo

from vendors.sandbox import OptionValue
from vendors.sharpspring.sandbox.errors import RefusedError
from vendors.sharpspring.sandbox.schema import Column

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_INTEGER = re.compile(r"-?\d{1,18}")
_DECIMAL = re.compile(r"-?\d{1,30}(\.\d{1,30})?")
_MAX_DIGITS = 18
# What custom fields of a type hold; all of them hold "", which is how they start.
_CUSTOM_FORMS = {
    "int": re.compile(r"-?[0-9]+"),
    "double": re.compile(r"-?[0-9]+(\.[0-9]+)?"),
    "boolean": re.compile(r"0|1|true|false"),
    "date": _DAY,
}

Render = Callable[[Any, int], Any]

_FLAGS: dict[str, dict[Any, Any]] = {
    "digits": {True: "1", False: "0", None: ""},
    "numbers": {True: 1, False: 0, None: None},
    "json": {True: True, False: False, None: None},
    "blank": {True: "1", False: "0", None: ""},
}


def stored_value(column: Column, given: Any, zone: ZoneInfo) -> Any:
    """Turn what a write says into what is stored.

    Raises:
        RefusedError: 205 when the column cannot hold it, 210 when it is a list or an object.
    """
    if isinstance(given, list | dict):
        raise RefusedError(210, {"param": column.name})
    # Not every text refuses null; those known to are the required ones, and custom fields, which start empty.
    if given is None:
        if column.required or column.custom or column.kind == "flag":
            raise RefusedError(205, {"param": column.name})
        return None
    value = _READERS[column.kind](given, zone)
    if value is None or not _fits(column, value):
        raise RefusedError(205, {"param": column.name})
    if column.kind == "ref" and value == 0 and not column.required:
        return None
    if column.required and value == "":
        raise RefusedError(205, {"param": column.name})
    return value


def _fits(column: Column, value: Any) -> bool:
    """Whether a column can hold a value. Source: article 50887, "Length" of its columns; "Field", dataType and dataLength."""
    match column.kind:
        case "id" | "ref" | "int":
            return bool(abs(value) < 10**_MAX_DIGITS)
        case "double":
            return len(str(value).replace("-", "").replace(".", "")) <= _MAX_DIGITS
        case "text":
            form = _CUSTOM_FORMS.get(column.data_type)
            return len(value) <= column.length and bool(form is None or value == "" or form.fullmatch(value))
        case _:
            return True


def is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def instant(given: Any, zone: ZoneInfo) -> str | None:
    """Read a timestamp of the wire in its zone as stored text; None when it has another form."""
    if not isinstance(given, str) or not _TIME.fullmatch(given):
        return None
    try:
        return datetime.strptime(given, TIME_FORMAT).replace(tzinfo=zone).astimezone(UTC).strftime(TIME_FORMAT)
    except (ValueError, OverflowError):
        return None


def integer(given: Any) -> int | None:
    """Read an integer written as a number or as digits; None when it is neither."""
    if isinstance(given, bool):
        return None
    if isinstance(given, int):
        return given
    return int(given) if isinstance(given, str) and _INTEGER.fullmatch(given) else None


def flag(given: Any) -> bool | None:
    """Read a flag written as 1, 0, "1", "0", true or false; None when it is none of these."""
    if given in ("0", "1") or (isinstance(given, int) and given in (0, 1)):
        return bool(int(given))
    return None


def short_decimal(number: Decimal) -> str:
    """Write a double as the database does: no trailing zeros, no exponent."""
    return format(number.normalize(), "f") if number else "0"


def _double(given: Any, _: ZoneInfo) -> str | None:
    text = format(given, "f") if isinstance(given, Decimal) else str(given)
    return short_decimal(Decimal(text)) if _DECIMAL.fullmatch(text) else None


def _time(given: Any, zone: ZoneInfo) -> str | None:
    # Clients write closeDate as a day or with a time of day. A day is its midnight.
    return instant(f"{given} 00:00:00" if isinstance(given, str) and _DAY.fullmatch(given) else given, zone)


def _text(given: Any, _: ZoneInfo) -> str | None:
    # Not documented; a habit of this sandbox, so that what is read differs from what was written: ends are trimmed.
    return str(given).strip() if isinstance(given, str | int) and not isinstance(given, bool) else None


_READERS: dict[str, Callable[[Any, ZoneInfo], Any]] = {
    "id": lambda given, _: integer(given),
    "ref": lambda given, _: integer(given),
    "int": lambda given, _: integer(given),
    "double": _double,
    "flag": lambda given, _: flag(given),
    "time": _time,
    "text": _text,
}


def renderer(column: Column, options: Mapping[str, OptionValue], zone: ZoneInfo) -> Render:
    """Make the function that writes this column's value; it is given the stored value and the row's id."""
    match column.kind:
        case "id" | "ref" | "int":
            return _integer_renderer(numbers=options["scalars"] == "number", is_ref=column.kind == "ref")
        case "double":
            return _as_number if options["scalars"] == "number" else _unchanged
        case "flag":
            return _flag_renderer(column, str(options["booleans"]))
        case "time":
            return _time_renderer(zone, bare_day=column.name == "closeDate" and options["close_date"] == "day")
        case "text":
            return _custom_text if column.custom else _unchanged


def escaped(text: str) -> str:
    """Escape a text as the product does when it is typed there: `<` twice.

    Source: observed encoding of values typed in the product, written down by a client's author.
    """
    text = text.replace("&", "&amp;").replace('"', "&quot;").replace("'", "&#039;").replace(">", "&gt;")
    return text.replace("<", "&amp;lt;")


def _unchanged(value: Any, _: int) -> Any:
    return value


def _custom_text(value: Any, _: int) -> Any:
    return "" if value is None else value


def _as_number(value: Any, _: int) -> Any:
    if value is None:
        return None
    number = Decimal(value)
    return int(number) if number == number.to_integral_value() else float(number)


def _integer_renderer(*, numbers: bool, is_ref: bool) -> Render:
    # An empty integer comes back as "", null or 0, all in one answer. Source: rows seen by several clients.
    zero = 0 if numbers else "0"
    empty = ("", None, zero) if is_ref else ("", None, "")

    def render(value: Any, row_id: int) -> Any:
        if value is None:
            return empty[row_id % 3]
        return value if numbers else str(value)

    return render


def _flag_renderer(column: Column, words: str) -> Render:
    spoken: dict[Any, Any] = dict(_FLAGS[words])
    if words == "blank" and column.name in ("isClosed", "isWon", "isActive"):
        spoken[column.default] = None if column.default else ""
    return lambda value, _: spoken[value]


def _time_renderer(zone: ZoneInfo, *, bare_day: bool) -> Render:
    def render(value: Any, row_id: int) -> Any:
        if value is None:
            return ("", None)[row_id % 2]
        if zone.key != "UTC":
            value = datetime.strptime(value, TIME_FORMAT).replace(tzinfo=UTC).astimezone(zone).strftime(TIME_FORMAT)
        return value[:10] if bare_day else value

    return render
