"""Our server over five Crms of the workload's backend. Import it when `vendors` knows the vendor's folder."""

import resource
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from bench.peers.workload import CRMS
from server.compose import create_server
from server.config import Config, parse_config
from server.http import GraphServer, listen, request_id, uvicorn_config
from server.observe import configure_logging
from vendors.auth import Auth
from vendors.calls import current_deadline
from vendors.flight import Flights
from vendors.http import Judge, VendorHttp, no_judgement
from vendors.limiting import Limits
from vendors.model import Pipeline
from vendors.readings import Readings
from vendors.registry import Link, Vendor
from vendors.sharing import SharedReads

_DEADLINE_SECONDS: Final = 60.0  # slow answers are measured, not cut off
_FOREVER_SECONDS: Final = 86_400.0
_NOT_KEPT_SECONDS: Final = 1e-9
_TOO_SMALL_BYTES: Final = 1
# Settings of a Crm. In B everything is in memory.
_CRM_SETTINGS: Final[Mapping[str, Mapping[str, float]]] = {
    "A": {"table_ttl_seconds": _NOT_KEPT_SECONDS},
    "B": {"table_ttl_seconds": _FOREVER_SECONDS, "cache_ttl_seconds": _FOREVER_SECONDS},
    "C": {"table_ttl_seconds": _NOT_KEPT_SECONDS},
}


def serve(backend: str, variant: str, *, port: int, apart: bool = False, anew: bool = False, executed: bool = False) -> None:
    """Serve until told to stop, put together as `crmgraph serve` does it.

    Args:
        backend: Address of the vendors.
        variant: One of the workload's variants.
        port: Port to listen at.
        apart: Whether operations share no vendor calls.
        anew: Whether every answer is read anew, as those of vendors whose data changes all the time.
        executed: Whether every query is executed, as those that differ each time.
    """
    files, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, most_files), most_files))
    signal.signal(signal.SIGTERM, _end)  # uvicorn stops first, and then raises the signal again
    with tempfile.TemporaryDirectory(prefix="crmgraph-peers-") as folder, listen("127.0.0.1", port) as listener:
        config = configuration(backend, variant, Path(folder))
        configure_logging(level="warning", form=config.server.log_format, secrets=config.secrets(), request_id=request_id)
        if apart:
            config = _apart(config)
        if anew:
            _keep_no_readings()
        if executed:
            config = replace(config, http=replace(config.http, kept_answers_bytes=_TOO_SMALL_BYTES))
        app = create_server(config)
        GraphServer(uvicorn_config(app, port=port), app.state.on_stop, tunes_gc=config.server.gc == "tuned").run(sockets=[listener])


def _end(*_: object) -> None:
    sys.exit()


def configuration(backend: str, variant: str, folder: Path) -> Config:
    """Five Crms of one vendor, which nobody watches."""
    crms = {
        f"v{number}": {"vendor": "plainrest", "label": f"Vendor {number}", "base_url": f"{backend}/v{number}", **_CRM_SETTINGS[variant]}
        for number in range(1, CRMS + 1)
    }
    server_settings = {"deadline_seconds": _DEADLINE_SECONDS, "graphiql": False}
    return parse_config({"server": server_settings, "changes": {"enabled": False}, "crms": crms}, {}, folder=folder)


def _apart(config: Config) -> Config:
    """The same configuration, under which no operation makes use of a vendor call of another."""
    reads: Any = SharedReads
    reads.run = _read_apart
    return replace(config, crms={key: replace(crm, vendor=_apart_vendor(crm.vendor)) for key, crm in config.crms.items()})


def _apart_vendor(vendor: Vendor) -> Vendor:
    kind: Any = type("ApartClient", (_ApartPipelines, vendor.client), {})

    def connect(link: Link, settings: Any) -> object:
        return kind(_ApartLink(**{field.name: getattr(link, field.name) for field in fields(link)}), settings)

    return replace(vendor, connect=connect)


def _keep_no_readings() -> None:
    readings: Any = Readings
    readings.keep = _keep_nothing


def _keep_nothing(*_: object) -> None:
    """Stand in for `Readings.keep`."""


def _operation() -> float | None:
    """What tells the operation that is running from others: each has a deadline of its own."""
    deadline = current_deadline()
    return None if deadline is None else deadline.at


def _read_apart(_: SharedReads, kind: str, key: Callable[[], Hashable], read: Callable[[], Awaitable[Any]]) -> Awaitable[Any]:  # noqa: ARG001  # as SharedReads.run
    return read()


class _ApartFlights(Flights[Any]):
    def run(
        self, key: Hashable, work: Callable[[], Coroutine[Any, Any, Any]], *, seconds: float | None = None, about: object = None
    ) -> Any:
        return super().run((_operation(), key), work, seconds=seconds, about=about)


class _ApartHttp(VendorHttp):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._flights = _ApartFlights()


class _ApartLink(Link):
    def http(self, *, auth: Auth, limits: Limits, judge: Judge = no_judgement) -> VendorHttp:
        http = _ApartHttp(
            crm=self.crm,
            session=self.session,
            auth=auth,
            limits=limits,
            judge=judge,
            clock=self.clock,
            sleep=self.sleep,
            jitter=self.jitter,
            proxy=self.proxy,
            ssl=self.ssl,
        )
        self.https.append(http)
        return http


class _ApartPipelines:
    """Goes before a client: reads the pipelines once for each operation, which needs them twice, for pipelines and for stages."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._reads: Flights[Sequence[Pipeline]] = Flights()

    def pipelines(self) -> Awaitable[Sequence[Pipeline]]:
        client: Any = self
        return self._reads.run(_operation(), client.read_pipelines)
