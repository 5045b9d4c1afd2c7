"""How the sandbox checks a request body: shapes of objects, made of fields, each with a check of its value."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, cast


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one place of a request."""

    kind: Literal["missing", "invalid"]
    path: str
    rule: str


Check = Callable[[str, object], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a shape."""

    check: Check
    nullable: bool = True
    read_only: bool = False
    write_only: bool = False

    def problems(self, path: str, value: object) -> Iterator[Problem]:
        """Find everything wrong with a value that a client wants to write here."""
        if self.read_only:
            yield Problem("invalid", path, "is read-only")
        elif value is not None:
            yield from self.check(path, value)
        elif not self.nullable:
            yield Problem("invalid", path, "must not be null")


@dataclass(frozen=True, slots=True)
class Shape:
    """An object of the document.

    Args:
        fields: Its keys.
        required: Keys that must be there.
        either: Keys of which at least one must be there.
        closed: Whether other keys are forbidden.
    """

    fields: Mapping[str, Field]
    required: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    closed: bool = True

    def problems(self, path: str, value: object) -> Iterator[Problem]:
        """Find everything wrong with a value that a client wants to write."""
        if not isinstance(value, dict):
            yield Problem("invalid", path or "body", "must be an object")
            return
        given = cast("dict[str, object]", value)
        prefix = f"{path}." if path else ""
        for name in self.required:
            if name not in given:
                yield Problem("missing", f"{prefix}{name}", "required")
        if self.either and not any(name in given for name in self.either):
            yield Problem("missing", f"{prefix}{self.either[0]}", f"one of {', '.join(self.either)} is required")
        for name, entry in given.items():
            known = self.fields.get(name)
            if known is not None:
                yield from known.problems(f"{prefix}{name}", entry)
            elif self.closed:
                yield Problem("invalid", f"{prefix}{name}", "unknown property")

    def nullable_names(self) -> tuple[str, ...]:
        """Keys that an answer may carry as null."""
        return tuple(name for name, known in self.fields.items() if known.nullable and not known.write_only)


def typed(kind: str, is_kind: Callable[[object], bool]) -> Check:
    def check(path: str, value: object) -> Iterator[Problem]:
        if not is_kind(value):
            yield Problem("invalid", path, f"must be {kind}")

    return check


def is_date(value: object) -> bool:
    """Whether the value is a calendar day as `YYYY-MM-DD`."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_date_time(value: object) -> bool:
    """Whether the value is an instant with its offset."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def one_of(*words: str) -> Check:
    return typed(f"one of {', '.join(words)}", lambda value: value in words)


def many(check: Check) -> Check:
    def check_all(path: str, value: object) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem("invalid", path, "must be an array")
            return
        for index, item in enumerate(cast("list[object]", value)):
            yield from check(f"{path}[{index}]", item)

    return check_all


def anything(_path: str, _value: object) -> Iterator[Problem]:
    return iter(())
