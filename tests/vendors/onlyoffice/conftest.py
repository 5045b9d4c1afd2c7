from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from tests.vendors.onlyoffice.portal import Open, Portal
from vendors.onlyoffice.sandbox import SANDBOX
from vendors.onlyoffice.sandbox.logins import USERNAME
from vendors.sandbox import OptionValue, start


@pytest.fixture
async def open_portal() -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def opened(*, user_name: str | None = USERNAME, scale: int | None = None, **options: OptionValue) -> Portal:
            running = await start(SANDBOX, options=options, scale=scale)
            stack.push_async_callback(running.stop)
            portal = Portal(running, await stack.enter_async_context(aiohttp.ClientSession(running.base_url)))
            if user_name:
                await portal.log_in(user_name)
            return portal

        yield opened


@pytest.fixture
async def portal(open_portal: Open) -> Portal:
    return await open_portal()
