"""One value at a time: what the wire may carry for a field, how it is kept, and how it is shown.

Kept are numbers (decimals digit by digit), booleans and text; instants are text in one spelling (`2026-11-21T08:00:00.000Z`), so that
they compare as text. Unset values are not kept at all: a row holds only what is set.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import MAXYEAR, UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from vendors.autotask.sandbox.fields import Entity, Field
from vendors.sandbox import OptionValue

Row = dict[str, Any]
UDFS = "userDefinedFields"


class RefusedError(Exception):
    """The vendor answers with this text in its list of errors."""

    def __init__(self, text: str, *, status: int = 500) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


def instant(moment: datetime) -> str:
    """The spelling in which instants are kept."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse(field: Field, value: object) -> Any:
    """Turn a JSON value into what is kept; empty text means unset.

    Raises:
        RefusedError: The value does not fit the field's type or length.
    """
    if value is None and field.type != "boolean":
        return None
    return _PARSERS[field.type](field, value)


def parse_udf(field: Field, text: str) -> Any:
    """Read the text of a user-defined field as its type says.

    Raises:
        RefusedError: The text does not fit the type.
    """
    if field.type != "decimal":
        return parse(field, text)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise RefusedError(f"The value of user-defined field {field.name} is not a number.") from None


def _boolean(field: Field, value: object) -> bool:
    # Source: Autotask REST "Advanced query features": booleans are JSON true or false, null is an error.
    if not isinstance(value, bool):
        raise RefusedError(f"Error converting value {_quoted(value)} to type 'System.Boolean'. Path '{field.name}'.")
    return value


def _integer(field: Field, value: object) -> int:
    if isinstance(value, bool):
        # Source: client reports of Contacts.isActive sent as true.
        raise RefusedError(f"Unexpected character encountered while parsing value: {_quoted(value)[0]}. Path '{field.name}', line 1.")
    if isinstance(value, float | Decimal):
        whole = math.isfinite(value) and value == int(value)
    else:
        whole = isinstance(value, str) and value.removeprefix("-").isdecimal()
    # Not documented; an integer has 32 bits, and what does not fit into them is refused as frameworks of this kind do.
    if isinstance(value, int | float | Decimal | str) and (whole or isinstance(value, int)) and abs(int(value)) < _TOO_GREAT[field.type]:
        return int(value)
    raise RefusedError(f"Input string '{_quoted(value)}' is not a valid integer. Path '{field.name}', line 1.")


def _decimal(field: Field, value: object) -> Decimal:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and (number := Decimal(str(value))).is_finite():
        return number
    raise RefusedError(f"Input string '{_quoted(value)}' is not a valid decimal. Path '{field.name}', line 1.")


def _string(field: Field, value: object) -> str | None:
    if not isinstance(value, str):
        raise RefusedError(f"Unexpected character encountered while parsing value: {_quoted(value)[:1]}. Path '{field.name}', line 1.")
    if field.length and len(value) > field.length:
        raise RefusedError(f"The value of field {field.name} is longer than {field.length} characters.")
    return value or None


def _datetime(field: Field, value: object) -> str | None:
    moment = _moment(field, value)
    return instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC)) if moment else None


def _date(field: Field, value: object) -> str | None:
    # Source: Autotask REST "Opportunities", Special field attributes: the time is removed. The day is the one that was written.
    moment = _moment(field, value)
    return f"{moment.date().isoformat()}T00:00:00.000Z" if moment else None


_TOO_GREAT = {"integer": 2**31, "long": 2**63}
# Not documented; the first year that databases of this kind keep. The last one is left out too, as a zone's hours lead out of it.
_FIRST_YEAR = 1753


def _moment(field: Field, value: object) -> datetime | None:
    if value == "":
        return None
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        if _FIRST_YEAR <= moment.year < MAXYEAR:
            return moment
        raise RefusedError("SqlDateTime overflow. Must be between 1/1/1753 12:00:00 AM and 12/31/9999 11:59:59 PM.")
    except ValueError:
        raise RefusedError(f"Could not convert string to DateTime: {_quoted(value)}. Path '{field.name}', line 1.") from None


def _quoted(value: object) -> str:
    return json.dumps(value, default=str)


_PARSERS: dict[str, Callable[[Field, object], Any]] = {
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "decimal": _decimal,
    "integer": _integer,
    "long": _integer,
    "string": _string,
}


class Look:
    """How records appear on the wire, in the positions of the sandbox's options."""

    def __init__(self, options: Mapping[str, OptionValue]) -> None:
        self._options = options
        self._shown: dict[str, Callable[[Any], Any]] = {"string": _same, "boolean": _same, "decimal": _same}
        self._shown |= dict.fromkeys(("integer", "long"), float if options["ints"] == "float" else _same)
        self._shown |= dict.fromkeys(("date", "datetime"), _INSTANTS[str(options["dates"])])

    def record(self, entity: Entity, row: Row, include: Iterable[str] | None, udfs: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
        """A record as the vendor shows it.

        Args:
            entity: What it is.
            row: What is kept.
            include: The names of `IncludeFields`, user-defined ones among them; None for all fields.
            udfs: The user-defined fields of the entity, each with the words to show instead of kept values.
        """
        item: dict[str, Any] = {}
        fields = entity.fields
        for name in fields if include is None else (name for name in include if name in fields):
            value = row.get(name)
            if value is not None:
                item[name] = self._shown[fields[name].type](value)
            elif self._options["nulls"] != "absent":
                item[name] = self._unset(fields[name])
        wanted = udfs if include is None else [name for name in include if name not in fields]
        kept: dict[str, str | None] = row.get(UDFS, {})
        shown = [{"name": name, "value": udfs[name].get(value, value) if (value := kept.get(name)) else None} for name in wanted]
        if shown or self._has_empty_udfs(entity, include):
            item[UDFS] = shown
        return item

    def _unset(self, field: Field) -> str | None:
        emptied = field.type in {"string", "date", "datetime"} or field.reference
        return "" if emptied and self._options["nulls"] == "empty" else None

    def _has_empty_udfs(self, entity: Entity, include: Iterable[str] | None) -> bool:
        if not entity.has_udfs:
            return self._options["entities_without_udfs"] == "empty" and include is None
        return include is None or self._options["include_udf_with_fields"] == "present"


def _same(value: Any) -> Any:
    return value


def _to_second(value: str) -> str:
    """The shortest spelling: a fraction appears only where there is one."""
    return value.replace(".000Z", "Z")


def _without_zone(value: str) -> str:
    return _to_second(value).removesuffix("Z")


_INSTANTS: dict[str, Callable[[str], str]] = {"seconds": _to_second, "fraction": _same, "no_zone": _without_zone}
