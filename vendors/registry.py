"""Vendors are registered by existing: a folder in here whose package has a `VENDOR`."""

import importlib
import importlib.util
import pkgutil
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import aiohttp
from pydantic import BaseModel, ConfigDict

import vendors
from vendors.auth import Auth
from vendors.cache import EntityCache
from vendors.calls import Clock
from vendors.changes import WATCHING, Watching
from vendors.http import Judge, VendorHttp, no_judgement
from vendors.limiting import Limits, Sleep
from vendors.sandbox import SandboxKind
from vendors.sharing import SharedReads


class VendorSettings(BaseModel):
    """Base of a vendor's settings, which are one Crm's part of the configuration. Secrets are `SecretStr` fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    @abstractmethod
    def origin(self) -> str:
        """The URL that the credentials are sent to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a vendor is given to connect one Crm.

    Args:
        crm: The Crm's key.
        session: The process's aiohttp session.
        clock: Monotonic seconds.
        sleep: Waits.
        jitter: Gives random numbers from 0 to 1.
        table_ttl_seconds: How long small tables are kept.
        proxy: URL of an HTTP proxy.
        ssl: TLS context, or True for the system's.
        processes: How many processes share what the Crm may be asked.
        https: Filled with every `VendorHttp` that was made, for health and limits.
        lessons: Filled with what of lists the vendor turned out not to evaluate, each once; from then on it is asked for them otherwise.
    """

    crm: str
    session: aiohttp.ClientSession
    clock: Clock
    sleep: Sleep
    jitter: Callable[[], float]
    table_ttl_seconds: float = 300.0
    proxy: str | None = None
    ssl: Any = True
    processes: int = 1
    https: list[VendorHttp] = field(default_factory=list[VendorHttp])
    lessons: list[str] = field(default_factory=list[str])

    def http(self, *, auth: Auth, limits: Limits, judge: Judge = no_judgement) -> VendorHttp:
        """Make a way out to the vendor for this Crm."""
        http = VendorHttp(
            crm=self.crm,
            session=self.session,
            auth=auth,
            limits=limits.shared_by(self.processes),
            judge=judge,
            clock=self.clock,
            sleep=self.sleep,
            jitter=self.jitter,
            proxy=self.proxy,
            ssl=self.ssl,
        )
        if self.https:
            http.health.join(self.https[0].health)
        self.https.append(http)
        return http


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """An adapter as its folder declares it.

    Args:
        key: The folder's name.
        label: The product's name.
        settings: Its part of a Crm's configuration.
        client: Class of its clients; the capability protocols that it implements are what the vendor can do.
        connect: Makes a client for one Crm; calls nobody yet.
        extensions: Its own fields: name of the model class they belong to (`Opportunity`, `Stage`, ...) to extension class.
        inputs: Its own inputs of writes: name of the model class to a frozen, keyword-only dataclass whose fields are `described`, with
            UNSET as their default.
        has_strict_pages: Whether its pages neither skip nor repeat unchanged rows while others come, change and go.
    """

    key: str
    label: str
    settings: type[VendorSettings]
    client: type
    connect: Callable[[Link, Any], object]
    extensions: Mapping[str, type]
    inputs: Mapping[str, type] = field(default_factory=dict[str, type])
    has_strict_pages: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanning:
    """How far a Crm may be read for one list, where its vendor does not evaluate all of it.

    Args:
        max_rows: Number of rows.
        max_calls: Number of vendor calls.
        seconds: How long filling an index may take.
        index_ttl_seconds: How long an index is kept.
    """

    max_rows: int = 50_000
    max_calls: int = 500
    seconds: float = 60.0
    index_ttl_seconds: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crm:
    """One configured set of credentials for one vendor, connected.

    `correlation_field` is the key of a custom field that creates write a mark of their idempotency key into; `watching` is how its changes
    are watched; `cache` keeps what was read, None where nothing is kept; `reads` are under way.
    """

    key: str
    label: str
    vendor: Vendor
    client: object
    link: Link
    scanning: Scanning = Scanning()
    correlation_field: str | None = None
    watching: Watching = WATCHING
    cache: EntityCache | None = None
    reads: SharedReads = field(default_factory=SharedReads, compare=False, repr=False)

    @property
    def version(self) -> tuple[int, int]:
        """Changes with what is kept of it, and with how its vendor is asked for lists."""
        return 0 if self.cache is None else self.cache.version, len(self.link.lessons)

    @property
    def epoch(self) -> int:
        """Grows with every change: what was read in an earlier epoch may not show it."""
        return sum(http.epoch for http in self.link.https)

    def note_change(self) -> None:
        """Let nobody join a read that is under way: something has changed in the Crm, and whoever asks from now on is to see it."""
        for http in self.link.https:
            http.epoch += 1

    @property
    def http(self) -> VendorHttp:
        """The way out that carries the Crm's reads."""
        return self.link.https[-1]


@cache
def all_vendors() -> Mapping[str, Vendor]:
    """Every vendor of this installation by key, in alphabetical order."""
    found = {name: importlib.import_module(f"vendors.{name}") for name in _folders()}
    return {name: module.VENDOR for name, module in found.items() if hasattr(module, "VENDOR")}


@cache
def all_sandboxes() -> Mapping[str, SandboxKind]:
    """Every vendor's sandbox by vendor key, in alphabetical order."""
    found = {name: find_sandbox(name) for name in _folders()}
    return {name: kind for name, kind in found.items() if kind is not None}


@cache
def find_sandbox(vendor: str) -> SandboxKind | None:
    """One vendor's sandbox, without loading those of the others; None where there is none."""
    if vendor not in _folders() or importlib.util.find_spec(f"vendors.{vendor}.sandbox") is None:
        return None
    return getattr(importlib.import_module(f"vendors.{vendor}.sandbox"), "SANDBOX", None)


def _folders() -> list[str]:
    return sorted(info.name for info in pkgutil.iter_modules(vendors.__path__) if info.ispkg)
