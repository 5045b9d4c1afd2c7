"""Bodies of writes in the vendor's spelling, with the rules that the values break on their way into them. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias, cast

from vendors.writes import RuleCode, Violation

Path: TypeAlias = tuple[str, ...]

_MAX_DIGITS: Final = 50  # before and behind the point; writing out 1e999999999 would take forever
_SHOWN: Final = 64  # characters of a value in a message


@dataclass(slots=True)
class Draft:
    """A body under construction.

    Args:
        body: Values by the vendor's fields.
        paths: Attributes that led to them, by the same fields.
        violations: Every rule that is broken.
    """

    body: dict[str, Any] = field(default_factory=dict[str, Any])
    paths: dict[str, Path] = field(default_factory=dict[str, Path])
    violations: list[Violation] = field(default_factory=list[Violation])

    def put(self, name: str, value: Any, path: Path) -> None:
        """Set a field, if its value can be sent at all."""
        try:
            encoded(value)
        except (ValueError, RecursionError):
            self.refuse(path, RuleCode.INVALID_VALUE, "Give a value without broken characters, without NaN, and not nested so deeply.")
        else:
            self.body[name] = value
            self.paths[name] = path

    def refuse(self, path: Path, code: RuleCode, message: str) -> None:
        self.violations.append(Violation(path=path, code=code, message=message))


def encoded(value: Any) -> bytes:
    """Write JSON, with decimals as numbers of exactly their digits.

    Raises:
        ValueError: JSON has nothing for it.
        RecursionError: It is nested too deeply.
    """
    return _json(value).encode()


def shown(text: str) -> str:
    """A value that was given, as a message quotes it."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def is_writable_number(number: Decimal) -> bool:
    """Whether it is a number that can be written out."""
    if not number.is_finite():
        return False
    exponent = number.as_tuple().exponent
    return number.adjusted() < _MAX_DIGITS and isinstance(exponent, int) and exponent >= -_MAX_DIGITS


def instant_text(moment: datetime) -> str:
    """Write an instant, without an offset in UTC.

    Source: Pipeliner "Create Opportunity", `won_date`: 2019-01-01T00:00:00; the page "Dates": UTC where no other zone is asked for.

    Raises:
        OverflowError: It is not within the calendar in UTC.
    """
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return aware.astimezone(UTC).replace(tzinfo=None).isoformat()


def _json(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        return "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {_json(item)}" for name, item in members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_json, cast("Sequence[Any]", value))) + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
