"""Writes TOML, as far as settings need it."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import cast


def toml_lines(settings: Mapping[str, object]) -> list[str]:
    """`name = value` for each setting; those that are None are left out."""
    return [f"{name} = {toml_value(value)}" for name, value in settings.items() if value is not None]


def toml_value(value: object) -> str:
    """Write a value: text, number, truth, day, list or table.

    Raises:
        TypeError: TOML has nothing for it.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if type(value) is date:
        return value.isoformat()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # the escapes of JSON are escapes of TOML too
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value).items()
        return "{" + ", ".join(f"{json.dumps(name)} = {toml_value(item)}" for name, item in pairs) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(toml_value, cast("Sequence[object]", value))) + "]"
    raise TypeError(f"TOML cannot hold a {type(value).__name__}")
