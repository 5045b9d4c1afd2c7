"""Reads `crms.toml`: the server's settings, what it knows of money, and a table per Crm that holds its vendor's.

All mistakes of a file are told at once, each by the setting's full name and what to do. Whether credentials are right is not asked
here: wrong ones are a Crm's state.
"""

import math
import re
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from server.changes.settings import ChangeSettings
from server.config_mistakes import Mistakes, known, validated
from server.config_money import MoneyConfig, money_config
from server.config_secrets import Found, Places, is_loopback, refuse_literals, secret_values, setting_names
from server.config_values import refuse_unusable
from server.http.settings import HttpSettings
from server.limits.model import Limits
from vendors.errors import ConfigError
from vendors.registry import Scanning, Vendor, VendorSettings, all_vendors

_D = TypeVar("_D", HttpSettings, Limits, ChangeSettings)

LIMITS: Final[Mapping[str, float]] = {
    field.name: getattr(defaults, field.name)
    for defaults in (Limits(), HttpSettings())
    for field in fields(defaults)
    if type(getattr(defaults, field.name)) in {int, float} and field.name != "deadline_seconds"
}
_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_ORIGIN: Final = re.compile(r"https?://[^/?#@\s*]+")
_PROXY: Final = re.compile(r"http://[^/\s]+/?")


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
        description="Number of processes that answer. Several read only, watch nothing, and divide what each Crm may be asked.",
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


class CrmSettings(BaseModel):
    """What a `[crms.<key>]` may hold besides its vendor's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: str = Field(description="Name of the vendor.")
    label: str | None = Field(default=None, min_length=1, description="Name that people see; the vendor's by default.")
    proxy: SecretStr | None = Field(default=None, description="URL of an HTTP proxy to reach the vendor through.")
    ca_file: Path | None = Field(default=None, description="Certificates (PEM) to trust for this Crm instead of the system's.")
    table_ttl_seconds: float = Field(
        default=300.0,
        gt=0,
        strict=True,
        allow_inf_nan=False,
        description="How long pipelines, users and other small tables are kept before they are read again.",
    )
    cache_ttl_seconds: float = Field(
        default=300.0,
        ge=0,
        strict=True,
        allow_inf_nan=False,
        description="How long anything read is kept at most for queries that allow an age (maxAge); 0 keeps nothing.",
    )
    scan_max_rows: int = Field(
        default=50_000, ge=100, strict=True, description="Rows that one list may read where the vendor does not evaluate all of it."
    )
    scan_max_calls: int = Field(default=500, ge=1, strict=True, description="Vendor calls that one list may make for that.")
    scan_seconds: float = Field(
        default=60.0, gt=0, strict=True, allow_inf_nan=False, description="How long reading all rows of a list into an index may take."
    )
    index_ttl_seconds: float = Field(
        default=120.0, gt=0, strict=True, allow_inf_nan=False, description="How long such an index is kept before it is read again."
    )

    poll_seconds: float | None = Field(
        default=None,
        gt=0,
        strict=True,
        allow_inf_nan=False,
        examples=[30],
        description="Time from one poll for changes to the next, where the vendor can be polled; what fits the vendor by default.",
    )
    sweep_seconds: float | None = Field(
        default=None,
        gt=0,
        strict=True,
        allow_inf_nan=False,
        examples=[900],
        description="Time from one reading of all opportunities to the next, which finds what polls do not tell, such as deletions.",
    )
    watch_calls_per_hour: float | None = Field(
        default=None,
        gt=0,
        strict=True,
        allow_inf_nan=False,
        examples=[600],
        description="Vendor calls an hour that watching for changes may make on the average.",
    )
    correlation_field: str | None = Field(
        default=None,
        min_length=1,
        description="Key of a custom text field of opportunities, made for this: a create writes a mark of its idempotency key into it, by"
        " which the record is found again when no answer came.",
    )

    @field_validator("proxy")
    @classmethod
    def _only_http(cls, proxy: SecretStr | None) -> SecretStr | None:
        if proxy is not None and not _PROXY.fullmatch(proxy.get_secret_value()):
            raise ValueError("give the proxy as http://host:port")
        return proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmConfig:
    """One configured Crm. `tls` is None where the system's certificates hold; `watching` holds what is said about how it is watched."""

    key: str
    label: str
    vendor: Vendor
    settings: VendorSettings
    proxy: SecretStr | None
    tls: ssl.SSLContext | None
    table_ttl_seconds: float
    cache_ttl_seconds: float
    scanning: Scanning
    correlation_field: str | None
    watching: Mapping[str, Any]


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
    server, numbers = _server(data.get("server", {}), given or {}, places, mistakes.within("server"))
    money = money_config(data.get("money", {}), mistakes.within("money"), folder=folder)
    changes = _changes(data.get("changes", {}), mistakes.within("changes"))
    tables = data.get("crms")
    crms: list[CrmConfig | None] = []
    if isinstance(tables, dict) and tables:
        vendors = all_vendors() if vendors is None else vendors
        crms = [
            _crm(key, table, vendors, places, mistakes.within(f"crms.{key}")) for key, table in cast("dict[str, object]", tables).items()
        ]
    else:
        mistakes.add("crms", "configure at least one Crm, as a table [crms.<key>]")
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


def _server(
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


def _crm(key: str, value: object, vendors: Mapping[str, Vendor], places: Places, mistakes: Mistakes) -> CrmConfig | None:
    """Read `[crms.<key>]`; None when it has mistakes."""
    if not _KEY.fullmatch(key):
        mistakes.add("", "a key is 1 to 32 lower case letters, digits, - and _, and begins with a letter or digit")
    if not isinstance(value, dict):
        mistakes.add("", f"must be a table, [crms.{key}]")
        return None
    table = cast("dict[str, Any]", value)
    vendor = vendors.get(str(table.get("vendor")))
    if vendor is None:
        mistakes.add("vendor", f"{'is missing' if 'vendor' not in table else 'unknown'}; name one of {', '.join(vendors)}")
        return None
    common_names, own_names = setting_names(CrmSettings), setting_names(vendor.settings)
    table = known(table, [*common_names, *own_names], mistakes)
    common = {name: table[name] for name in table if name in common_names}
    crm = _common(places.find(CrmSettings, common, mistakes), mistakes)
    own = {name: table[name] for name in table if name not in common}
    settings = _vendor_settings(vendor, places.find(vendor.settings, own, mistakes), mistakes)
    file = common.get("ca_file")
    tls = _tls(places.folder / file, mistakes) if isinstance(file, str) else None
    if crm is None or settings is None:
        return None
    watching = {"poll_seconds": crm.poll_seconds, "sweep_seconds": crm.sweep_seconds, "calls_per_hour": crm.watch_calls_per_hour}
    return CrmConfig(
        key=key,
        label=crm.label or vendor.label,
        vendor=vendor,
        settings=settings,
        proxy=crm.proxy,
        tls=tls,
        table_ttl_seconds=crm.table_ttl_seconds,
        cache_ttl_seconds=crm.cache_ttl_seconds,
        scanning=Scanning(
            max_rows=crm.scan_max_rows,
            max_calls=crm.scan_max_calls,
            seconds=crm.scan_seconds,
            index_ttl_seconds=crm.index_ttl_seconds,
        ),
        correlation_field=crm.correlation_field,
        watching={name: value for name, value in watching.items() if value is not None},
    )


def _common(found: Found, mistakes: Mistakes) -> CrmSettings | None:
    if "proxy" in found.literals and "@" in found.values["proxy"].get_secret_value():
        mistakes.add("proxy", "a password does not stand in this file; name an environment variable in proxy_env")
    unusable = refuse_unusable(found.values, mistakes)
    return validated(CrmSettings, found.values, mistakes, noted=found.missed | unusable)


def _vendor_settings(vendor: Vendor, found: Found, mistakes: Mistakes) -> VendorSettings | None:
    unusable = refuse_unusable(found.values, mistakes)
    settings = validated(vendor.settings, found.values, mistakes, noted=found.missed | unusable)
    refuse_literals(found, _origin(vendor.settings, found.values) if settings is None else settings.origin, mistakes)
    return settings


def _origin(settings: type[VendorSettings], values: Mapping[str, Any]) -> str | None:
    """Where credentials would go, as far as settings with mistakes tell; None when they do not."""
    try:
        return str(settings.model_construct(None, **values).origin)
    except (AttributeError, TypeError, ValueError):
        return None


def _tls(file: Path, mistakes: Mistakes) -> ssl.SSLContext | None:
    try:
        return ssl.create_default_context(cafile=file)
    except OSError:  # what is no certificate is an ssl.SSLError, which is one
        mistakes.add("ca_file", "the file that it names cannot be read as certificates in PEM form")
        return None
