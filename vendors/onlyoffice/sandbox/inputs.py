"""How the portal reads what it is sent: JSON, form and query become one flat set of case-insensitive names, then typed arguments."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from vendors.onlyoffice.sandbox.faults import bad_request
from vendors.onlyoffice.sandbox.shapes import is_array, is_object

_INT32 = 2**31
# Source: .NET Decimal.
_DECIMAL_MAX = Decimal(2) ** 96
# Source: ApiArgumentBuilder turns JSON into XML, which has no control characters and no halves of a pair.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_EMPTY_GUID = "00000000-0000-0000-0000-000000000000"
_INDEXED = re.compile(r"^([^\[]+)\[\d*\]$")
_PAIR = re.compile(r"^([^\[]+)\[(\d+)\]\[(key|value)\]$")

# Source: Community Server, ASC.Specific ApiDateTime: 7, 3 or no fraction digits; "-" is allowed between the parts of the time.
_DATE = re.compile(r"^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d)(?P<sep>[:-])(\d\d)(?P=sep)(\d\d)(?:\.(\d{3}|\d{7}))?)?(?P<zone>Z|[+-]\d\d:\d\d)?$")


class Params:
    """The arguments of one request, by lower-case name."""

    def __init__(self, pairs: Iterable[tuple[str, str]], zone: timezone) -> None:
        self._zone = zone
        self._values: dict[str, list[str]] = {}
        self._pairs: dict[str, dict[int, dict[str, str]]] = {}
        for name, value in pairs:
            self._add(name.lower(), value)

    def _add(self, name: str, value: str) -> None:
        if pair := _PAIR.match(name):
            self._pairs.setdefault(pair[1], {}).setdefault(int(pair[2]), {})[pair[3]] = value
            return
        indexed = _INDEXED.match(name)
        self._values.setdefault(indexed[1] if indexed else name, []).append(value)

    def has(self, name: str) -> bool:
        return any(self._values.get(name, ()))

    def text(self, name: str) -> str | None:
        """The first value; None when the name was not sent at all."""
        values = self._values.get(name)
        return values[0] if values else None

    def texts(self, name: str) -> list[str]:
        return [value for value in self._values.get(name, ()) if value]

    def integer(self, name: str) -> int:
        """An int32; 0 when absent."""
        return _integer(self.text(name) or "0")

    def integers(self, name: str) -> list[int]:
        return [_integer(value) for value in self.texts(name)]

    def number(self, name: str) -> Decimal:
        """An exact decimal; 0 when absent."""
        text = self.text(name) or "0"
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise bad_request(f"{text} is not a valid value for Decimal.") from None
        if not value.is_finite() or abs(value) >= _DECIMAL_MAX:
            raise bad_request("Value was either too large or too small for a Decimal.")
        return value

    def boolean(self, name: str) -> bool:
        text = (self.text(name) or "false").lower()
        if text not in {"true", "false"}:
            raise bad_request(f"{text} is not a valid value for Boolean.")
        return text == "true"

    def guid(self, name: str) -> str | None:
        """A guid in the portal's spelling; None when absent or all zeros."""
        text = self.text(name)
        return None if not text or (guid := _guid(text)) == _EMPTY_GUID else guid

    def guids(self, name: str) -> list[str]:
        return list(dict.fromkeys(_guid(value) for value in self.texts(name)))

    def word(self, name: str, words: tuple[str, ...]) -> int | None:
        """An enum by its name (any case) or number; None when absent."""
        text = self.text(name)
        if not text:
            return None
        lowered = [word.lower() for word in words]
        if text.lower() in lowered:
            return lowered.index(text.lower())
        if text.isdecimal() and int(text) < len(words):
            return int(text)
        raise bad_request(f"{text} is not a valid value for the enumeration.")

    def date(self, name: str) -> datetime | None:
        text = self.text(name)
        return parse_date(text, self._zone) if text else None

    def key_values(self, name: str) -> list[tuple[int, str]]:
        """An array of objects with `Key` (int) and `Value` (string)."""
        return [(_integer(pair.get("key") or "0"), pair.get("value", "")) for _, pair in sorted(self._pairs.get(name, {}).items())]


def pairs_of(query: str, content_type: str, body: str, *, single_objects_bind: bool) -> list[tuple[str, str]]:
    """Flatten a request: query string first, then its body.

    Args:
        query: The query string, still encoded.
        content_type: Media type of the body, without parameters.
        body: The decoded body.
        single_objects_bind: Whether an array of exactly one object keeps being an array.

    Raises:
        ApiError: The body is no JSON although it says so.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    if not body.strip():
        return pairs
    if content_type == "application/json":
        try:
            parsed = json.loads(body, parse_int=str, parse_float=str)
        except (ValueError, RecursionError) as error:
            raise bad_request(f"Unable to deserialize json. {error}") from None
        return pairs + _flatten(parsed, single_objects_bind=single_objects_bind)
    return pairs + parse_qsl(body, keep_blank_values=True)


def parse_date(text: str, zone: timezone) -> datetime | None:
    """Read one of the accepted formats; without a zone it is the portal's. None is year 1.

    Raises:
        ApiError: Any other text, among them one with six fraction digits.
    """
    match = _DATE.match(text)
    if match is None:
        raise bad_request("String was not recognized as a valid DateTime.")
    year, month, day, hour, _, minute, second, fraction, named = match.groups()
    if year == "0001":
        return None
    microsecond = int((fraction or "0").ljust(7, "0")[:6])
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), microsecond, _zone(named, zone)
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad_request("String was not recognized as a valid DateTime.") from None


def zone_of(offset: str) -> timezone:
    """The time zone of an offset such as `+03:00`."""
    sign = -1 if offset.startswith("-") else 1
    return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6])))


def _zone(named: str | None, portal: timezone) -> timezone:
    if named is None:
        return portal
    return timezone.utc if named == "Z" else zone_of(named)  # noqa: UP017


def _flatten(parsed: Any, *, single_objects_bind: bool) -> list[tuple[str, str]]:
    """Name the leaves as form names. The portal turns JSON into XML first, so an array of one object is no array any more."""
    if not is_object(parsed):
        raise bad_request("Unable to deserialize json. The root must be an object.")
    pairs: list[tuple[str, str]] = []
    for name, value in parsed.items():
        if not is_array(value):
            pairs += _leaves(name, value)
        elif len(value) != 1 or not is_object(value[0]) or single_objects_bind:
            for index, item in enumerate(value):
                pairs += _leaves(f"{name}[{index}]", item)
    return pairs


def _leaves(name: str, value: Any) -> list[tuple[str, str]]:
    if is_object(value):
        return [leaf for key, item in value.items() for leaf in _leaves(f"{name}[{key}]", item)]
    if value is None or isinstance(value, list):
        return []
    if isinstance(value, bool):
        return [(name, "true" if value else "false")]
    if _NOT_XML.search(text := str(value)):
        raise bad_request("Unable to deserialize json. Hexadecimal value is an invalid character.")
    return [(name, text)]


def _integer(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise bad_request(f"{text} is not a valid value for Int32.") from None
    if not -_INT32 <= value < _INT32:
        raise bad_request("Value was either too large or too small for an Int32.")
    return value


def _guid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise bad_request("Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).") from None
