"""Reads `[server]` and, in it, the limits."""

import math
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from server.config_mistakes import Mistakes, known, validated
from server.config_secrets import Places, is_loopback, refuse_literals, setting_names
from server.http.settings import HttpSettings
from server.limits.model import Limits

LIMITS: Final[Mapping[str, float]] = {
    field.name: getattr(defaults, field.name)
    for defaults in (Limits(), HttpSettings())
    for field in fields(defaults)
    if type(getattr(defaults, field.name)) in {int, float} and field.name != "deadline_seconds"
}
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_ORIGIN: Final = re.compile(r"https?://[^/?#@\s*]+")


class ServerSettings(BaseModel):
    """`[server]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen at.")
    port: int = Field(default=8000, ge=0, le=65_535, strict=True, description="Port to listen at; 0 takes a free one.")
    allow_public: bool = Field(
        default=False, strict=True, description="Whether host may be an address that other machines reach; clients are not authenticated."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="Further names that requests may address the server by, without scheme and port; it answers for localhost and host.",
    )
    cors_origins: tuple[str, ...] = Field(default=(), description="Origins of other web pages that may ask, as scheme://host:port.")
    deadline_seconds: float = Field(
        default=10.0, gt=0, le=300, strict=True, allow_inf_nan=False, description="Time that one operation may take."
    )
    store_dir: Path = Field(
        default=Path(".crmgraph"), description="Directory for what outlives the process; a relative one starts at the file's folder."
    )
    cursor_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Key that cursors are sealed with, at least 16 characters, the same for servers that stand in for each other; made in"
        " store_dir when absent.",
    )
    ledger_days: float = Field(
        default=30.0, gt=0, strict=True, allow_inf_nan=False, description="How many days an idempotency key is remembered for."
    )
    graphiql: bool = Field(default=True, strict=True, description="Whether browsers get GraphiQL.")
    status_partial_294: bool = Field(
        default=False, strict=True, description="Whether an answer with data and errors has status 294 instead of 200."
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        strict=True,
        description="Number of processes that answer. Several read only, watch nothing, and divide what each CRM may be asked.",
    )
    gc: Literal["tuned", "default"] = Field(
        default="tuned",
        description="Whether the garbage collector is set for serving, so that it leaves alone what stays, or as Python sets it.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least severe level that is logged.")
    log_format: Literal["text", "json"] = Field(default="text", description="Form of the log: lines of text, or a JSON object a line.")

    @field_validator("allowed_hosts")
    @classmethod
    def _only_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_HOST.fullmatch(host) for host in hosts):
            raise ValueError("name each host as crm.example.com, without scheme, port and brackets; there is no wildcard")
        return hosts

    @field_validator("cors_origins")
    @classmethod
    def _only_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError("name each origin as scheme://host or scheme://host:port, without a path; there is no wildcard")
        return origins


def server_settings(
    value: object, given: Mapping[str, object], places: Places, mistakes: Mistakes
) -> tuple[ServerSettings | None, Mapping[str, Any]]:
    """Read `[server]` and, in it, the limits; None when the former has mistakes, of which what is given instead makes no fewer."""
    if not isinstance(value, dict):
        mistakes.add("", "must be a table, [server]")
        return None, {}
    table = cast("dict[str, Any]", value)
    numbers = _limits(table.get("limits", {}), mistakes.within("limits"))
    own = known({name: table[name] for name in table if name != "limits"}, list(setting_names(ServerSettings)), mistakes)
    found = places.find(ServerSettings, own, mistakes)
    own = found.values
    if given:
        validated(ServerSettings, own, mistakes, noted=found.missed)
    own |= given
    refuse_literals(found, f"http://{own.get('host', '127.0.0.1')}", mistakes)
    if isinstance(own.get("store_dir", Path(".crmgraph")), str | Path):
        own["store_dir"] = places.folder / own.get("store_dir", ".crmgraph")
    host = own.get("host")
    if isinstance(host, str) and host and not is_loopback(host) and own.get("allow_public") is not True:
        mistakes.add(
            "host",
            "other machines may reach this address, and clients are not authenticated; use 127.0.0.1, "
            "or set server.allow_public = true if something in front of it guards it",
        )
    return validated(ServerSettings, own, mistakes, noted=found.missed), numbers


def _limits(value: object, mistakes: Mistakes) -> Mapping[str, float]:
    """Read `[server.limits]`: the numbers of `Limits` and `HttpSettings`, which say what they mean."""
    if not isinstance(value, dict):
        mistakes.add("", "must be a table, [server.limits]")
        return {}
    table = known(cast("dict[str, Any]", value), list(LIMITS), mistakes)
    for name, number in table.items():
        whole = isinstance(LIMITS[name], int)
        if type(number) not in ({int} if whole else {int, float}) or not 0 < number < math.inf:
            mistakes.add(name, f"must be a {'whole ' if whole else ''}number above 0")
    return table
