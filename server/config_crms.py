"""Reads `[crms.<key>]`: what is said of one Crm, and the settings of its vendor."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from server.config_mistakes import Mistakes, known, validated
from server.config_secrets import Found, Places, refuse_literals, setting_names
from server.config_values import refuse_unusable
from vendors.registry import Scanning, Vendor, VendorSettings

_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_PROXY: Final = re.compile(r"http://[^/\s]+/?")


class CrmSettings(BaseModel):
    """What a `[crms.<key>]` may hold besides its vendor's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: str = Field(description="Name of the vendor.")
    label: str | None = Field(default=None, min_length=1, description="Name that people see; the vendor's by default.")
    proxy: SecretStr | None = Field(default=None, description="URL of an HTTP proxy to reach the vendor through.")
    ca_file: Path | None = Field(default=None, description="Certificates (PEM) to trust for this CRM instead of the system's.")
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
        description="Time from one poll for changes to the next, where the vendor can be polled; what fits the vendor by default.",
    )
    sweep_seconds: float | None = Field(
        default=None,
        gt=0,
        strict=True,
        allow_inf_nan=False,
        description="Time from one reading of all opportunities to the next, which finds what polls do not tell, such as deletions.",
    )
    watch_calls_per_hour: float | None = Field(
        default=None,
        gt=0,
        strict=True,
        allow_inf_nan=False,
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


def crm_config(key: str, value: object, vendors: Mapping[str, Vendor], places: Places, mistakes: Mistakes) -> CrmConfig | None:
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
    tls = _tls(places.folder / file, mistakes) if isinstance(file, str) and file else None
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
