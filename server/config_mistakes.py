"""How mistakes in a configuration are collected and worded. No message quotes a value: it may be a secret in the wrong place."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)


class Mistakes:
    """Collects lines of the form `table.setting: what to do`."""

    def __init__(self, table: str = "", lines: list[str] | None = None) -> None:
        self.lines: list[str] = [] if lines is None else lines
        self._table = table

    def within(self, table: str) -> "Mistakes":
        """The same collection, for the settings of a table inside this one."""
        return Mistakes(self._name(table), self.lines)

    def add(self, setting: str, what: str) -> None:
        """Note a mistake; an empty setting is the table itself."""
        line = f"{self._name(setting)}: {what}"
        if line not in self.lines:
            self.lines.append(line)

    def _name(self, setting: str) -> str:
        return ".".join(part for part in (self._table, setting) if part)


def known(table: Mapping[str, Any], names: Sequence[str], mistakes: Mistakes) -> dict[str, Any]:
    """The settings of a table that exist; each other one is a mistake."""
    for name in table:
        if name not in names:
            close = get_close_matches(name, names, n=1)
            mistakes.add(
                name, f"unknown; did you mean {_way(close[0], names)}?" if close else f"unknown; the settings here are {', '.join(names)}"
            )
    return {name: table[name] for name in table if name in names}


def _way(name: str, names: Sequence[str]) -> str:
    """The name under which a setting is given: that of a secret's environment variable, since the secret itself is mostly refused."""
    return f"{name}_env" if f"{name}_env" in names else name


def validated(model: type[M], values: Mapping[str, Any], mistakes: Mistakes, *, noted: AbstractSet[str] = frozenset()) -> M | None:
    """Make the settings of a table.

    Args:
        model: Its settings.
        values: What the file has.
        mistakes: Gets a line for each mistake.
        noted: Settings whose mistake is noted already.

    Returns:
        The settings, or None when there are mistakes.
    """
    empty = [name for name, value in values.items() if name in model.model_fields and name not in noted and value == ""]
    for name in empty:
        what = "give a value" if model.model_fields[name].is_required() else "give a value, or remove the line"
        mistakes.add(name, _explained(f"is empty; {what}", model, name))
    noted = noted | set(empty)
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            if not detail["loc"] or detail["loc"][0] not in noted:
                mistakes.add(_setting(detail), _what(detail, model))
        return None
    return None if empty else settings


def _setting(detail: ErrorDetails) -> str:
    name = ""
    for part in detail["loc"]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


def _what(detail: ErrorDetails, model: type[BaseModel]) -> str:
    name = str(detail["loc"][0]) if len(detail["loc"]) == 1 else ""  # of what lies deeper, the model says nothing
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error" | "assertion_error":
            return str(context["error"])
        case "string_pattern_mismatch":
            what = _PATTERNS.get(context["pattern"], "does not have the form that it needs")
        case kind:
            what = _WORDS.get(kind, "cannot be used as it is").format_map(context)
    return _explained(what, model, name)


def _explained(what: str, model: type[BaseModel], name: str) -> str:
    field = model.model_fields.get(name)
    return what if field is None or field.description is None else f"{what}. {field.description}"


_PATTERNS: Final[Mapping[str, str]] = {
    r"^https?://": "must be a URL that begins with https:// or http://",
    r"^[A-Z]{3}$": "must be three capital letters of ISO 4217, such as EUR",
    r"^[!-~]([ -~]*[!-~])?$": "goes into an HTTP header, which carries Latin letters, digits and signs, and no blank at either end",
    r"\S": "must not be blank",
}
"""What the patterns of settings want, in words; what another pattern wants, the setting's description says."""


_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "unknown",
    "string_type": "must be text, in quotes",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have {max_length} or fewer characters",
    "too_short": "must have {min_length} or more characters",  # of secrets; no setting is a list with a bound
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "date_type": "must be a day without quotes, such as 2026-11-20",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "tuple_type": "must be a list, in brackets",
    "list_type": "must be a list, in brackets",
    "set_type": "must be a list, in brackets",
    "frozen_set_type": "must be a list, in brackets",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "model_type": "must be a table",
    "path_type": "must be text, in quotes",
    "url_type": "must be a URL, in quotes",
    "url_parsing": "must be a URL, such as https://host/",
    "url_scheme": "must be a URL that begins with {expected_schemes}",
}
