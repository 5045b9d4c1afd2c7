"""A subscription in GraphiQL while its server is away: it comes back with the server, and otherwise says in words what is wrong."""

import asyncio
import json
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import strawberry
from starlette.requests import HTTPConnection

from server import graphiql
from server.app import create_app
from server.graphiql import Tab
from server.http import GraphServer, HttpSettings, listen, uvicorn_config
from tests.e2e.browser import Page, browser_page, find_chromium
from tests.e2e.test_graphiql import QUERY, RESPONSE, RUN, change_to_tab
from tests.ports import held_port

CHROMIUM = find_chromium()
SECONDS: Final = 60
TABS = (
    Tab(query="query Which {\n  server\n}\n"),
    Tab(query="subscription Changes {\n  stageChanged\n}\n", headers='{"x-seller": "Ada"}'),
)
# A long line of the answer is shown on several lines.
ANSWER: Final = f"{RESPONSE}.replace(/\\s+/g, ' ')"
IS_RUNNING: Final = f"{RUN}.ariaLabel.startsWith('Stop')"


@dataclass(frozen=True, slots=True)
class Context:
    """Which server answers, and what the client said when it connected."""

    server: str
    connection_params: Mapping[str, object]


def which(info: strawberry.Info[Context]) -> str:
    return info.context.server


async def one_change(info: strawberry.Info[Context]) -> AsyncGenerator[str]:
    yield f"told by the {info.context.server} server to {info.context.connection_params.get('x-seller')}"
    await asyncio.Event().wait()


@strawberry.type
class Query:
    server: str = strawberry.field(resolver=which)


@strawberry.type
class Subscription:
    stage_changed: AsyncGenerator[str] = strawberry.subscription(resolver=one_change)


@asynccontextmanager
async def serving(port: int, name: str) -> AsyncGenerator[None]:
    """Serve GraphiQL and the small graph as the product does."""

    def context(_connection: HTTPConnection, params: Mapping[str, object]) -> Context:
        return Context(name, params)

    schema = strawberry.Schema(Query, subscription=Subscription)
    app = create_app(schema=schema, context_factory=context, settings=HttpSettings(), ready=lambda: True, default_tabs=TABS)
    listener = listen("127.0.0.1", port)
    server = GraphServer(uvicorn_config(app, port=port), app.state.on_stop)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


@pytest.fixture
def port() -> Generator[int]:
    with held_port() as port:
        yield port


@pytest.fixture
async def page(tmp_path: Path) -> AsyncGenerator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on the PATH: install one, or name it in CRMGRAPH_CHROMIUM")
    if not graphiql.is_built():
        pytest.skip("GraphiQL is not built: make graphiql")
    async with browser_page(CHROMIUM, tmp_path) as page:
        yield page


async def open_subscription(page: Page, port: int) -> None:
    await page.open(f"http://127.0.0.1:{port}/graphql")
    await page.wait_for(f"{QUERY}.includes('query Which')")
    await page.wait_for("document.querySelector('.graphiql-explorer-root')?.innerText.includes('server')")
    await change_to_tab(page, "Changes", "subscription Changes")


async def refused(page: Page) -> None:
    """Wait until the page has tried to connect its WebSocket in vain."""
    async with asyncio.timeout(SECONDS):
        while not any(error.startswith("WebSocket connection to") and "ERR_CONNECTION_REFUSED" in error for error in page.errors):  # noqa: ASYNC110  # a page announces nothing
            await asyncio.sleep(0.05)


@pytest.mark.browser
async def test_a_subscription_says_that_its_connection_is_lost_and_goes_on_when_the_server_is_back(page: Page, port: int) -> None:
    async with serving(port, "first"):
        await open_subscription(page, port)
        await page.click(RUN)
        before = await page.wait_for(f"{ANSWER}.includes('told') && {ANSWER}")
    await refused(page)
    meanwhile = await page.wait_for(f"{ANSWER}.includes('errors') && {ANSWER}")
    async with serving(port, "second"):
        after = await page.wait_for(f"{ANSWER}.includes('told') && {ANSWER}")
        is_running = await page.evaluate(IS_RUNNING)

    assert json.loads(before) == {"data": {"stageChanged": "told by the first server to Ada"}}
    assert "The connection to the server was lost." in meanwhile
    assert json.loads(after) == {"data": {"stageChanged": "told by the second server to Ada"}}
    assert is_running


@pytest.mark.browser
async def test_a_subscription_whose_connection_is_lost_can_be_stopped(page: Page, port: int) -> None:
    async with serving(port, "first"):
        await open_subscription(page, port)
        await page.click(RUN)
        await page.wait_for(f"{ANSWER}.includes('told')")
    await page.wait_for(f"{ANSWER}.includes('errors')")
    await page.click(RUN)

    await page.wait_for(f"!{IS_RUNNING}")


@pytest.mark.browser
async def test_a_subscription_that_cannot_connect_at_all_says_so_at_once(page: Page, port: int) -> None:
    async with serving(port, "first"):
        await open_subscription(page, port)
    await page.click(RUN)

    answer = await page.wait_for(f"{ANSWER}.includes('errors') && {ANSWER}")

    assert "There is no WebSocket connection to the server" in answer
    assert not await page.evaluate(IS_RUNNING)
