"""Secrets of a configuration: each stands in an environment variable, in a file, or, for a Crm on this machine, as it is.

A secret setting `x` is given as `x_env` (name of a variable), `x_file` (path of a file) or `x` (the secret itself).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from server.config_mistakes import Mistakes

_TELLABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*")  # another "name" may be the secret itself, put into the wrong place


@dataclass(slots=True)
class Found:
    """A table with its secrets looked up.

    Attributes:
        values: The settings, secrets among them.
        literals: Secrets that stand in the file themselves.
        missed: Secrets that could not be had; the mistake is noted.
    """

    values: dict[str, Any]
    literals: list[str] = field(default_factory=list[str])
    missed: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Places:
    """Where secrets may stand: the environment, and files whose relative paths start at the folder."""

    env: Mapping[str, str]
    folder: Path

    def find(self, settings: type[BaseModel], table: Mapping[str, Any], mistakes: Mistakes) -> Found:
        """Look up the secrets of a table."""
        found = Found(dict(table))
        for name in secret_fields(settings):
            ways = [way for way in (name, f"{name}_env", f"{name}_file") if way in table]
            given = [found.values.pop(way) for way in ways]
            if not ways:
                if settings.model_fields[name].is_required():
                    found.missed.add(name)
                    mistakes.add(name, f"is missing; name an environment variable in {name}_env, or a file in {name}_file")
                continue
            secret = None
            if len(ways) > 1:
                mistakes.add(name, f"is given {len(ways)} times; keep one of {', '.join(ways)}")
            else:
                secret = self._look_up(name, ways[0], given[0], mistakes)
            if ways == [name] and secret is not None:
                found.literals.append(name)
            if secret is None:
                found.missed.add(name)
            else:
                found.values[name] = SecretStr(secret)
        return found

    def _look_up(self, name: str, way: str, value: object, mistakes: Mistakes) -> str | None:
        if not isinstance(value, str):
            mistakes.add(way, "must be text, in quotes")
            return None
        if way == name:
            if not value:
                mistakes.add(name, f"is empty; name an environment variable in {name}_env, or a file in {name}_file")
            return value or None
        return self._from_env(way, value, mistakes) if way == f"{name}_env" else self._from_file(way, value, mistakes)

    def _from_env(self, way: str, variable: str, mistakes: Mistakes) -> str | None:
        text = self.env.get(variable)
        if text:
            return text
        told = f"the environment variable {variable}" if _TELLABLE.fullmatch(variable) else "the environment variable that it names"
        mistakes.add(way, f"set {told}, which is {'not set' if text is None else 'empty'}")
        return None

    def _from_file(self, way: str, file: str, mistakes: Mistakes) -> str | None:
        try:
            text = (self.folder / file).read_text("utf-8").strip()
        except OSError as error:
            # The name itself is not told: it may be the secret, put into the wrong place.
            place = "" if Path(file).is_absolute() else f"; it is looked for in {self.folder.resolve()}"
            mistakes.add(way, f"the file that it names cannot be read ({error.strerror}){place}")
        except ValueError:
            mistakes.add(way, "the file that it names is not UTF-8 text")
        else:
            if text:
                return text
            mistakes.add(way, "the file that it names is empty")
        return None


@cache
def secret_fields(settings: type[BaseModel]) -> tuple[str, ...]:
    """Names of the settings that are secrets."""
    return tuple(name for name, field in settings.model_fields.items() if _is_secret(field.annotation))


def setting_names(settings: type[BaseModel]) -> list[str]:
    """Names that settings have in a file."""
    ways = {name: [name, f"{name}_env", f"{name}_file"] for name in secret_fields(settings)}
    return [way for name in settings.model_fields for way in ways.get(name, [name])]


def secret_values(settings: BaseModel) -> list[str]:
    """The secrets themselves."""
    values: list[SecretStr | None] = [getattr(settings, name) for name in secret_fields(type(settings))]
    return [value.get_secret_value() for value in values if value is not None]


def refuse_literals(found: Found, origin: str | None, mistakes: Mistakes) -> None:
    """Note the secrets that stand in the file although they are sent to another machine. An unknown origin has its own mistake."""
    try:
        if origin is None or is_loopback(urlsplit(origin).hostname or ""):
            return
    except ValueError:  # no URL, which is a mistake of its own
        return
    for name in found.literals:
        mistakes.add(name, f"a secret does not stand in this file; name an environment variable in {name}_env, or a file in {name}_file")


def _is_secret(annotation: object) -> bool:
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, told from its name or address alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
