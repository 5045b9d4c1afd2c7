"""A vendor's adapter connected to that vendor's sandbox over real HTTP on loopback."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from vendors.limiting import Sleep
from vendors.registry import Crm, Link, all_sandboxes, all_vendors
from vendors.sandbox import Control, OptionValue, RunningSandbox, start


@dataclass(frozen=True, slots=True)
class Playground:
    crm: Crm
    sandbox: RunningSandbox

    @property
    def control(self) -> Control:
        return self.sandbox.control


async def brief_sleep(seconds: float) -> None:
    """Wait for what a test waits for, but never for a vendor's pause: pauses are decided before, and asserted by their number."""
    await asyncio.sleep(min(seconds, 0.001))


@dataclass(slots=True)
class Pauses:
    """Time as the sandbox sees it: what a client does not wait for has passed nevertheless, or its limits would refuse the next call."""

    skipped_seconds: float = 0.0

    def clock(self) -> float:
        return time.monotonic() + self.skipped_seconds

    async def sleep(self, seconds: float) -> None:
        self.skipped_seconds += seconds
        await brief_sleep(seconds)


@asynccontextmanager
async def playground(
    vendor: str,
    *,
    options: Mapping[str, OptionValue] | None = None,
    scale: int | None = None,
    crm: str | None = None,
    settings: Mapping[str, object] | None = None,
) -> AsyncGenerator[Playground, None]:
    """Start the vendor's sandbox and connect a Crm to it; `settings` override those that fit the sandbox."""
    pauses = Pauses()
    sandbox = await start(all_sandboxes()[vendor], options=options, scale=scale, clock=pauses.clock)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        try:
            yield Playground(connect(vendor, sandbox, session, crm=crm, settings=settings, sleep=pauses.sleep), sandbox)
        finally:
            await sandbox.stop()


def connect(
    vendor: str,
    sandbox: RunningSandbox,
    session: aiohttp.ClientSession,
    *,
    crm: str | None = None,
    settings: Mapping[str, object] | None = None,
    sleep: Sleep = brief_sleep,
) -> Crm:
    """Connect one more Crm to a running sandbox."""
    link = Link(
        crm=crm or sandbox.kind.crm_key,
        session=session,
        clock=time.monotonic,
        sleep=sleep,
        jitter=random.Random(7).random,  # noqa: S311  # repeatable, not secret
    )
    declared = all_vendors()[vendor]
    client = declared.connect(link, declared.settings(**{**sandbox.settings, **(settings or {})}))
    return Crm(key=link.crm, label=sandbox.kind.label, vendor=declared, client=client, link=link)
