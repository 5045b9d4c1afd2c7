"""A body that is being written, value by value, with where each came from and which rules are broken on the way. Pure."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final, TypeAlias, cast

import orjson

from vendors.writes import RuleCode, Unset, Violation

Path: TypeAlias = tuple[str, ...]

# Not documented; more is not read back either, and writing out 1e999999999 would take forever.
_MAX_DIGITS: Final = 50  # before and behind the point
_MAX_DEPTH: Final = 50
_MAX_INTEGER: Final = 2**63 - 1  # what the encoder takes as such
_MAX_SHOWN: Final = 64  # characters of a value in a message


@dataclass(slots=True)
class Draft:
    """The body of a write as far as it has been written.

    Args:
        is_new: Whether the record is created; there is nothing to clear in it then.
        demanded: Attributes of the input that have to have a value.
        body: What will be sent, by the vendor's names.
        origins: Attributes that the values came from, by the vendor's names.
        violations: Rules that were found to be broken.
    """

    is_new: bool
    demanded: AbstractSet[str] = frozenset()
    body: dict[str, Any] = field(default_factory=dict[str, Any])
    origins: dict[str, Path] = field(default_factory=dict[str, Path])
    violations: list[Violation] = field(default_factory=list[Violation])

    def refuse(self, path: Path, code: RuleCode, message: str) -> None:
        self.violations.append(Violation(path=path, code=code, message=message))

    def put(self, name: str, value: Any, path: Path) -> None:
        """Write a value: None clears the field where there is one, UNSET leaves it alone."""
        if isinstance(value, Unset) or (value is None and self.is_new):
            return
        is_blank = isinstance(value, str) and not value.strip()
        if is_blank and path[0] in self.demanded:
            self.refuse(path, RuleCode.REQUIRED, "Give a text that is not blank.")
            return
        if value is None and path[0] in self.demanded:
            self.refuse(path, RuleCode.REQUIRED, "Give a value: this cannot be cleared in the CRM.")
            return
        try:
            self.body[name] = _sendable(value, 0)
            self.origins[name] = path
        except ValueError:
            self.refuse(path, RuleCode.INVALID_VALUE, "Give a value of whole characters and finite numbers, not nested too deeply.")

    def demand(self, wire_names: Mapping[str, str]) -> None:
        """Refuse a new record that lacks what is demanded, whose vendor's names these are; once where more is wrong with it."""
        complained = {violation.path[:1] for violation in self.violations}
        for attribute, name in wire_names.items():
            if attribute in self.demanded and name not in self.body and (attribute,) not in complained:
                self.refuse((attribute,), RuleCode.REQUIRED, "Give a value: the CRM does not create the record without it.")


def encode(body: Mapping[str, Any]) -> bytes:
    """Write a body as JSON, its decimals digit by digit."""
    return orjson.dumps(body, default=_digits)


def is_writable(number: Decimal) -> bool:
    """Whether a number can be written out."""
    if not number.is_finite():
        return False
    exponent = number.as_tuple().exponent
    return not number or (number.adjusted() < _MAX_DIGITS and isinstance(exponent, int) and exponent >= -_MAX_DIGITS)


def spelled(moment: datetime) -> str:
    """An instant in UTC. Source: Apideck CRM API, "Dates": ISO 8601, such as 2019-11-14T00:55:31.820Z."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return f"{aware.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def shown(text: str) -> str:
    """A value that was given, as a message quotes it."""
    return repr(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}...")


def _sendable(value: Any, depth: int) -> Any:
    """A value as the encoder takes it (raises ValueError when JSON has nothing for it)."""
    if depth > _MAX_DEPTH:
        raise ValueError
    if isinstance(value, dict):
        items = cast("dict[object, Any]", value).items()
        return {str(_scalar(key)): _sendable(item, depth + 1) for key, item in items}
    if isinstance(value, list | tuple):
        return [_sendable(item, depth + 1) for item in cast("list[Any]", value)]
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair is a ValueError
    elif isinstance(value, Decimal | int) and not isinstance(value, bool):
        return _number(value)
    elif value is not None and not isinstance(value, bool) and not (isinstance(value, float) and isfinite(value)):
        raise ValueError
    return value


def _number(value: Decimal | int) -> Decimal | int:
    if isinstance(value, int) and abs(value) <= _MAX_INTEGER:
        return value
    if isinstance(value, int) and value.bit_length() > 4 * _MAX_DIGITS:
        raise ValueError
    number = Decimal(value)
    if not is_writable(number):
        raise ValueError
    return number or Decimal(0)


def _digits(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError
