"""Scalars whose text form matters: exact decimals, UTC instants, calendar days, JSON."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, NewType, cast

import strawberry
from strawberry.types.scalar import ScalarDefinition

from resolvers.errors import bad_input

JSON = NewType("JSON", object)

_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")  # Python also reads " 1_000 " and other scripts' digits
_MOST_DIGITS: Final = 1_000
_MOST_DAYS: Final = 4_096
_SHOWN: Final = 64  # characters of a value in a message
_LARGEST_INTEGER: Final = 2**53 - 1  # the largest that every JSON reader holds exactly


def _decimal_to_text(value: Decimal) -> str:
    text = str(value)
    return format(value, "f") if "E" in text else text  # which takes three times as long


def _decimal_from_text(value: object) -> Decimal:
    text = str(value)
    if _DECIMAL.fullmatch(text) is None:
        raise bad_input(f'{text[:_SHOWN]!r} is no decimal number; write it like "1250.50".')
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent that even this cannot hold
        number = Decimal("Infinity")
    exponent = number.as_tuple().exponent
    # Written out, as numbers are, a huge exponent would fill the memory.
    if not isinstance(exponent, int) or number.adjusted() >= _MOST_DIGITS or exponent < -_MOST_DIGITS:
        raise bad_input(f"{text[:_SHOWN]!r} is out of range: a number has at most {_MOST_DIGITS} digits before and behind the point.")
    return number


def _instant_to_text(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


def _instant_from_text(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise bad_input(f'{value!r} is no date and time; write it like "2026-11-21T09:30:00Z".') from None
    if moment.tzinfo is None:
        raise bad_input(f"{value!r} has no offset; add one, such as Z.")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise bad_input(f"{value!r} is outside the years 1 to 9999.") from None


_text_of_day: Final = lru_cache(_MOST_DAYS)(date.isoformat)  # there are few, and to write one takes ten times as long


def _day_to_text(value: date) -> str:
    return _text_of_day(value) if type(value) is date else date.isoformat(value)  # moments that are equal may be of two days


def _day_from_text(value: object) -> date:
    text = str(value)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # the library also reads other forms of ISO 8601
        raise bad_input(f'{value!r} is no day; write it like "2026-11-21".')
    return day


def _json_out(value: object) -> Any:
    """Keep a JSON value as it is; a number that readers could not hold becomes text, so that no digit is lost."""
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        return str(value)
    if isinstance(value, Decimal):
        number = float(value)
        return number if Decimal(repr(number)) == value else format(value, "f")
    if isinstance(value, Mapping):
        return {key: _json_out(item) for key, item in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_json_out(item) for item in cast("list[object]", value)]
    return value


SCALARS: Final[Mapping[object, ScalarDefinition]] = {
    Decimal: strawberry.scalar(
        name="Decimal",
        description="An exact decimal number, as text without an exponent. Send it as text through variables: literals go through a float.",
        serialize=_decimal_to_text,
        parse_value=_decimal_from_text,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment, as ISO 8601 with an offset; answers are in UTC (`+00:00`).",
        serialize=_instant_to_text,
        parse_value=_instant_from_text,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A calendar day without a time zone, as `YYYY-MM-DD`.",
        serialize=_day_to_text,
        parse_value=_day_from_text,
    ),
    JSON: strawberry.scalar(
        name="JSON", description="Any JSON value, as the vendor sent it.", serialize=_json_out, parse_value=lambda value: value
    ),
}
