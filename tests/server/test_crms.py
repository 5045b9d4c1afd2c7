"""How the configured Crms are connected: one session, nothing called, nothing leaked from one Crm to another."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from server.config import Config, parse_config
from server.crms import connect_crms, open_session
from vendors.capabilities import Checks
from vendors.errors import VendorError
from vendors.registry import all_sandboxes, all_vendors
from vendors.sandbox import Fault, RunningSandbox, start


async def _no_pause(seconds: float) -> None:
    del seconds


def _config(*sandboxes: RunningSandbox, **more: object) -> Config:
    crms = {
        f"{sandbox.kind.crm_key}-{index}": {"vendor": sandbox.kind.vendor, **sandbox.settings, **more}
        for index, sandbox in enumerate(sandboxes)
    }
    return parse_config({"crms": crms}, {}, folder=Path())


@asynccontextmanager
async def _started(vendor: str) -> AsyncGenerator[RunningSandbox, None]:
    sandbox = await start(all_sandboxes()[vendor])
    try:
        yield sandbox
    finally:
        await sandbox.stop()


@pytest.mark.parametrize("vendor", sorted(all_vendors()))
async def test_connecting_calls_no_vendor_and_the_client_works(vendor: str) -> None:
    async with _started(vendor) as sandbox, open_session() as session:
        crms = connect_crms(_config(sandbox), session, clock=asyncio.get_running_loop().time, sleep=_no_pause, jitter=lambda: 0.5)
        before = sandbox.control.count()
        (crm,) = crms.values()
        assert isinstance(crm.client, Checks)
        checks = await crm.client.check()

        assert before == 0
        assert crm.vendor.key == vendor
        assert [check.error for check in checks] == [None] * len(checks)
        assert sandbox.control.count() > 0


async def test_crms_of_one_vendor_have_limits_of_their_own() -> None:
    async with _started("autotask") as one, _started("autotask") as two, open_session() as session:
        crms = connect_crms(_config(one, two), session, clock=asyncio.get_running_loop().time, sleep=_no_pause, jitter=lambda: 0.5)

        first, second = crms.values()
        assert list(crms) == ["service-0", "service-1"]
        assert first.http is not second.http


async def test_settings_of_the_crm_reach_its_link() -> None:
    async with _started("autotask") as sandbox, open_session() as session:
        config = _config(sandbox, proxy="http://127.0.0.1:9", table_ttl_seconds=7.0, label="Service")
        (crm,) = connect_crms(config, session, clock=asyncio.get_running_loop().time, sleep=_no_pause, jitter=lambda: 0.5).values()

        assert (crm.label, crm.link.proxy, crm.link.table_ttl_seconds, crm.link.ssl) == ("Service", "http://127.0.0.1:9", 7.0, True)


async def test_a_crm_keeps_what_it_reads_for_as_long_as_its_settings_say() -> None:
    seconds = 1_000.0
    async with _started("autotask") as sandbox, open_session() as session:
        made = [
            connect_crms(_config(sandbox, cache_ttl_seconds=ttl), session, clock=lambda: seconds, sleep=_no_pause, jitter=lambda: 0.5)
            for ttl in (7.0, 0)
        ]

        (keeping,), (forgetting,) = (crms.values() for crms in made)
        assert forgetting.cache is None
        assert keeping.cache is not None
        keeping.cache.keep("Contact", {"1": None}, wish=None, read_at=seconds, revision=keeping.cache.revision)
        seconds += 7
        assert keeping.cache.take("Contact", ["1"], wish=None, max_age=60).age == 7
        seconds += 1
        assert not keeping.cache.take("Contact", ["1"], wish=None, max_age=60).records


@pytest.mark.parametrize("vendor", sorted(all_vendors()))
async def test_that_a_crm_is_away_and_back_is_logged_once_each(vendor: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "vendors.health")
    now = 1_000.0
    async with _started(vendor) as sandbox, open_session() as session:
        (crm,) = connect_crms(_config(sandbox), session, clock=lambda: now, sleep=_no_pause, jitter=lambda: 0.5).values()
        assert isinstance(crm.client, Checks)
        sandbox.control.faults.append(Fault(kind="status", status=503))
        with suppress(VendorError):
            await crm.client.check()
        sandbox.control.faults.clear()
        now += 60
        await crm.client.check()
        await crm.client.check()

    told = [record.getMessage() for record in caplog.records if record.name == "vendors.health"]
    assert [message.partition(":")[0] for message in told] == [
        f"CRM '{crm.key}' is not usable",
        f"CRM '{crm.key}' answers again",
    ]


@asynccontextmanager
async def _cookie_site() -> AsyncGenerator[tuple[str, list[web.Request]], None]:
    seen: list[web.Request] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(headers={"Set-Cookie": "session=1"})

    app = web.Application()
    app.add_routes([web.get("/", handle)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://localhost:{runner.addresses[0][1]}/", seen
    finally:
        await runner.cleanup()


async def test_the_session_keeps_no_cookies_and_says_who_it_is() -> None:
    async with _cookie_site() as (url, seen), open_session() as session:
        for _ in range(2):
            async with session.get(url):
                pass

        assert "Cookie" not in seen[1].headers
        assert seen[0].headers["User-Agent"].startswith("crmgraph/")


async def test_the_session_ignores_a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async with _cookie_site() as (url, seen), open_session() as session, session.get(url):
        assert len(seen) == 1


async def test_the_pool_is_no_bottleneck() -> None:
    async with open_session() as session:
        assert isinstance(session.connector, aiohttp.TCPConnector)
        assert session.connector.limit == 0
        assert session.timeout.total is None
        assert session.timeout.sock_connect == 5
