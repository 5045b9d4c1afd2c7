"""A body that is being written, value by value: checked, in the vendor's spelling, and with where each value came from. Pure."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

import orjson

from vendors.autotask import query
from vendors.autotask.mapping import Picklists
from vendors.writes import Maybe, RuleCode, Unset, Violation

Path: TypeAlias = tuple[str, ...]

# Not documented; a decimal of the vendor's platform (.NET) has at most 28 digits before the point, and 28 behind it.
_MAX_DIGITS: Final = 28
# Source: Autotask REST "Opportunities", Field definitions, integer: 32 bits.
_MAX_INTEGER: Final = 2**31 - 1
# Not documented; the years that the vendor's database (SQL Server, datetime) keeps. The last is left out, as a zone's hours lead out of it.
_FIRST_YEAR, _LAST_YEAR = 1753, 9998


@dataclass(slots=True)
class Draft:
    """The body of a write as far as it has been written.

    Args:
        mandatory: The vendor's names of fields that are never empty.
        body: What will be sent, by the vendor's names.
        origins: Attributes of the input that the values came from, by the vendor's names.
        violations: Rules that were found to be broken.
    """

    mandatory: AbstractSet[str] = frozenset()
    body: dict[str, Any] = field(default_factory=dict[str, Any])
    origins: dict[str, Path] = field(default_factory=dict[str, Path])
    violations: list[Violation] = field(default_factory=list[Violation])

    def refuse(self, path: Path, code: RuleCode, message: str) -> None:
        self.violations.append(Violation(path=path, code=code, message=message))

    def put(self, name: str, value: Any, path: Path) -> None:
        """Write a value that has been checked; None clears the field, unless it must not be empty."""
        self.origins[name] = path
        if value is None and name in self.mandatory:
            self.refuse(path, RuleCode.REQUIRED, "Give a value: this cannot be empty in Autotask.")
        else:
            self.body[name] = value

    def text(self, name: str, value: Maybe[str], path: Path, *, max_length: int | None) -> None:
        if isinstance(value, Unset):
            return
        if value is not None and not value.strip() and name in self.mandatory:
            self.refuse(path, RuleCode.REQUIRED, "Give a text that is not blank.")
        elif value is not None and max_length is not None and len(value) > max_length:
            self.refuse(path, RuleCode.TOO_LONG, f"Shorten the text to at most {max_length:,} characters; it has {len(value):,}.")
        elif value is not None and not is_unicode(value):
            self.refuse(path, RuleCode.INVALID_VALUE, "Give a text of whole characters; it holds half of one.")
        else:
            self.put(name, value, path)

    def decimal(self, name: str, value: Maybe[Decimal], path: Path) -> None:
        if isinstance(value, Unset):
            return
        if value is not None and not value.is_finite():
            self.refuse(path, RuleCode.INVALID_VALUE, "Give a number.")
        elif value is not None and not _fits(value):
            self.refuse(path, RuleCode.OUT_OF_RANGE, f"Give a number of at most {_MAX_DIGITS} digits before and behind the point.")
        else:
            self.put(name, value, path)

    def integer(self, name: str, value: Maybe[int], path: Path) -> None:
        if isinstance(value, Unset):
            return
        if value is not None and abs(value) > _MAX_INTEGER:
            self.refuse(path, RuleCode.OUT_OF_RANGE, f"Give a whole number of at most {_MAX_INTEGER:,}.")
        else:
            self.put(name, value, path)

    def day(self, name: str, value: Maybe[date], path: Path) -> None:
        """A day without a time. Source: Autotask REST "Opportunities", Special field attributes: date-only values."""
        if isinstance(value, Unset):
            return
        if value is not None and not _FIRST_YEAR <= value.year <= _LAST_YEAR:
            self.refuse(path, RuleCode.OUT_OF_RANGE, f"Give a date of the years {_FIRST_YEAR} to {_LAST_YEAR}.")
        else:
            self.put(name, None if value is None else value.isoformat(), path)

    def moment(self, name: str, value: Maybe[datetime], path: Path) -> None:
        if isinstance(value, Unset):
            return
        if value is not None and not _is_kept(value):
            self.refuse(path, RuleCode.OUT_OF_RANGE, f"Give a time of the years {_FIRST_YEAR} to {_LAST_YEAR}.")
        else:
            self.put(name, None if value is None else spelled(value), path)

    def reference(self, name: str, value: Maybe[str], path: Path) -> None:
        """The id of another record; whether there is one is not looked at."""
        if isinstance(value, Unset):
            return
        if value is not None and number_of(value) is None:
            self.refuse(path, RuleCode.INVALID_REFERENCE, "Give the id of a record that exists; Autotask's ids are whole numbers.")
        else:
            self.put(name, None if value is None else number_of(value), path)

    def choice(self, name: str, value: Maybe[str], path: Path, *, picklists: Picklists, kept: str | None = None) -> None:
        """A value of a picklist, an active one unless it is the one that the record has already."""
        if isinstance(value, Unset):
            return
        listed = picklists.values.get(name)
        known = None if listed is None or value is None else listed.get(value)
        if value is not None and ((listed is not None and known is None) or number_of(value) is None):
            self.refuse(path, RuleCode.INVALID_REFERENCE, f"Give a value that Autotask's picklist `{name}` has.")
        elif known is not None and known.isActive is False and value != kept:
            self.refuse(path, RuleCode.INVALID_REFERENCE, f"Give a value of Autotask's picklist `{name}` that is still active.")
        else:
            self.put(name, None if value is None else number_of(value), path)


def encode(body: Mapping[str, Any]) -> bytes:
    """Write a body as JSON, its decimals digit by digit. Source: Autotask REST "Opportunities", Field definitions, decimal."""
    return orjson.dumps(body, default=_digits)


def number_of(local_id: str) -> int | None:
    """An id as the vendor writes it into a reference; None for what cannot be one."""
    number = int(local_id) if query.is_id(local_id) else None
    return number if number is not None and abs(number) <= _MAX_INTEGER else None


def spelled(moment: datetime) -> str:
    """An instant in UTC. Source: Autotask REST: dates and times are in UTC (vendor help)."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    precision = "milliseconds" if moment.microsecond else "seconds"
    return f"{aware.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision)}Z"


def is_unicode(text: str) -> bool:
    """Whether a text can be sent: JSON from elsewhere may hold half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def digits(value: Decimal) -> str:
    """All digits of a number, without an exponent."""
    return format(value, "f")


def _is_kept(moment: datetime) -> bool:
    """Whether an instant lies in the years that are kept, also in UTC."""
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        return False
    return _FIRST_YEAR <= int(spelled(moment)[:4]) <= _LAST_YEAR


def _fits(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return value.adjusted() < _MAX_DIGITS and isinstance(exponent, int) and exponent >= -_MAX_DIGITS


def _digits(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(digits(value))
    raise TypeError
