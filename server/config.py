"""Reads `crms.toml`: the server's settings, what it knows of money, and a table per Crm that holds its vendor's.

All mistakes of a file are told at once, each by the setting's full name and what to do. Whether credentials are right is not asked
here: wrong ones are a Crm's state.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from server.changes.settings import ChangeSettings
from server.config_crms import CrmConfig, crm_config
from server.config_mistakes import Mistakes, known
from server.config_money import MoneyConfig, money_config
from server.config_secrets import Places, secret_values
from server.config_server import ServerSettings, server_settings
from server.http.settings import HttpSettings
from server.limits.model import Limits
from vendors.errors import ConfigError
from vendors.registry import Vendor, all_vendors

_D = TypeVar("_D", HttpSettings, Limits, ChangeSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration without mistakes. `crms` are in the order of the file."""

    server: ServerSettings
    http: HttpSettings
    limits: Limits
    money: MoneyConfig
    changes: ChangeSettings
    crms: Mapping[str, CrmConfig]

    def secrets(self) -> frozenset[str]:
        """Every secret in it, for the log to leave out."""
        proxies = (crm.proxy.get_secret_value() for crm in self.crms.values() if crm.proxy is not None)
        own = secret_values(self.server)
        return frozenset((*own, *proxies, *(secret for crm in self.crms.values() for secret in secret_values(crm.settings))))


def load_config(path: Path, env: Mapping[str, str], *, host: str | None = None, port: int | None = None) -> Config:
    """Read a configuration file.

    Args:
        path: The file; relative paths in it start at its folder.
        env: The environment, for secrets.
        host: Taken instead of the file's `server.host`.
        port: Taken instead of the file's `server.port`.

    Raises:
        ConfigError: The file cannot be read or has mistakes; the message has a line for each.
    """
    data = _read(path)
    given: dict[str, object] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    try:
        return parse_config(data, env, folder=path.parent, given=given)
    except ConfigError as error:
        raise ConfigError(f"{path} has mistakes:\n{error}") from None


def parse_config(
    data: Mapping[str, Any],
    env: Mapping[str, str],
    *,
    folder: Path,
    vendors: Mapping[str, Vendor] | None = None,
    given: Mapping[str, object] | None = None,
) -> Config:
    """Make a configuration from the content of a file in that folder; see `load_config`.

    Args:
        data: The content.
        env: The environment, for secrets.
        folder: Where relative paths start.
        vendors: Those that there are; by default those of this installation.
        given: Settings of `[server]` that are taken instead of the file's.
    """
    mistakes = Mistakes()
    for name in data:
        if name not in {"server", "money", "changes", "crms"}:
            mistakes.add(name, "unknown; a configuration has [server], [money], [changes] and [crms.<key>]")
    places = Places(env, folder)
    server, numbers = server_settings(data.get("server", {}), given or {}, places, mistakes.within("server"))
    money = money_config(data.get("money", {}), mistakes.within("money"), folder=folder)
    changes = _changes(data.get("changes", {}), mistakes.within("changes"))
    tables = data.get("crms")
    crms: list[CrmConfig | None] = []
    if isinstance(tables, dict) and tables:
        vendors = all_vendors() if vendors is None else vendors
        crms = [
            crm_config(key, table, vendors, places, mistakes.within(f"crms.{key}"))
            for key, table in cast("dict[str, object]", tables).items()
        ]
    else:
        mistakes.add("crms", "configure at least one CRM, as a table [crms.<key>]")
    if server is not None and server.workers > 1 and changes.get("enabled", True):
        mistakes.add("server.workers", "several processes watch no changes: set changes.enabled = false, or leave one")
    if mistakes.lines or server is None or money is None:
        raise ConfigError("\n".join(mistakes.lines))
    return Config(
        server=server,
        http=_made(HttpSettings, {**numbers, **server.model_dump()}),
        limits=_made(Limits, {**numbers, **server.model_dump()}),
        money=money,
        changes=_made(ChangeSettings, changes),
        crms={crm.key: crm for crm in crms if crm is not None},
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; `crmgraph init` writes one to start from") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None


def _changes(value: object, mistakes: Mistakes) -> Mapping[str, Any]:
    """Read `[changes]`: the values of `ChangeSettings`, which say what they mean."""
    if not isinstance(value, dict):
        mistakes.add("", "must be a table, [changes]")
        return {}
    defaults = {field.name: field.default for field in fields(ChangeSettings)}
    table = known(cast("dict[str, Any]", value), list(defaults), mistakes)
    for name, given in table.items():
        default = defaults[name]
        if isinstance(default, bool):
            if not isinstance(given, bool):
                mistakes.add(name, "must be true or false")
        elif type(given) not in ({int} if isinstance(default, int) else {int, float}) or not 0 < given < math.inf:
            mistakes.add(name, f"must be a {'whole ' if isinstance(default, int) else ''}number above 0")
    return table


def _made(kind: type[_D], values: Mapping[str, Any]) -> _D:
    return kind(**{field.name: values[field.name] for field in fields(kind) if field.name in values})
