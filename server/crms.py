"""Connects the configured Crms: one HTTP session for the process, a client per Crm. Nobody is called yet."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import aiohttp

from server.config import Config
from server.config_crms import CrmConfig
from server.version import product_version
from vendors.cache import MemoryCache
from vendors.calls import Clock
from vendors.changes import WATCHING, WatchesOpportunities
from vendors.errors import ConfigError
from vendors.limiting import IndivisibleError, Sleep
from vendors.registry import Crm, Link

_CONNECT_TIMEOUT_SECONDS: Final = 5.0


@asynccontextmanager
async def open_session() -> AsyncGenerator[aiohttp.ClientSession, None]:
    """Open the session that all vendor calls of the process share.

    It sets no limits of its own: how many calls a Crm gets and how long they take is decided in `vendors/http.py`. It keeps no cookies,
    because two Crms of one vendor live on one host, and does not look at the environment for a proxy: that is a setting of a Crm.
    """
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"crmgraph/{product_version()}"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_SECONDS),
        trust_env=False,
    )
    async with session:
        yield session


def connect_crms(
    config: Config, session: aiohttp.ClientSession, *, clock: Clock, sleep: Sleep, jitter: Callable[[], float]
) -> Mapping[str, Crm]:
    """Make a client for every configured Crm, in the configuration's order.

    Args:
        config: The configuration.
        session: See `open_session`.
        clock: Monotonic seconds.
        sleep: Waits.
        jitter: Gives random numbers from 0 to 1.

    Raises:
        ConfigError: A Crm allows too few calls at once for so many processes.
    """
    workers = config.server.workers
    return {key: _connect(crm, session, clock, sleep, jitter, workers=workers) for key, crm in config.crms.items()}


def _connect(
    crm: CrmConfig, session: aiohttp.ClientSession, clock: Clock, sleep: Sleep, jitter: Callable[[], float], *, workers: int
) -> Crm:
    link = Link(
        crm=crm.key,
        session=session,
        clock=clock,
        sleep=sleep,
        jitter=jitter,
        table_ttl_seconds=crm.table_ttl_seconds,
        proxy=None if crm.proxy is None else crm.proxy.get_secret_value(),
        ssl=crm.tls or True,
        processes=workers,
    )
    try:
        client = crm.vendor.connect(link, crm.settings)
    except IndivisibleError as error:
        raise ConfigError(f"server.workers: {workers} are too many for the CRM {crm.key!r}: {error}") from None
    watching = client.watching() if isinstance(client, WatchesOpportunities) else WATCHING
    return Crm(
        key=crm.key,
        label=crm.label,
        vendor=crm.vendor,
        client=client,
        link=link,
        scanning=crm.scanning,
        correlation_field=crm.correlation_field,
        watching=replace(watching, **crm.watching),
        cache=MemoryCache(ttl_seconds=crm.cache_ttl_seconds, clock=clock) if crm.cache_ttl_seconds else None,
    )
