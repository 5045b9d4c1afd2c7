"""GraphiQL in a real browser that reaches nothing but loopback."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from strawberry.asgi import GraphQL

from server import graphiql
from server.graphiql import Tab
from tests.e2e.browser import Page, browser_page, find_chromium

CHROMIUM = find_chromium()

TABS = (
    Tab(
        query="query Board($first: Int!) {\n  opportunities(first: $first) {\n    name\n  }\n}\n",
        variables='{"first": 1}',
        headers='{"x-seller": "Ada"}',
    ),
    Tab(query="query Seller {\n  seller\n}\n"),
    Tab(query="subscription Changes {\n  stageChanged\n}\n"),
)


def text_in(editor: str) -> str:
    """JavaScript for the text that an editor shows."""
    return f"document.querySelector('{editor} .view-lines').innerText.replaceAll('\\u00a0', ' ')"


QUERY = text_in(".graphiql-query-editor")
VARIABLES = text_in(".graphiql-editor-tool")
RESPONSE = text_in(".graphiql-response")
RUN = "document.querySelector('.graphiql-execute-button')"


@strawberry.type(description="A deal that a seller works on.")
class Opportunity:
    name: str = strawberry.field(description="What the seller calls it.")
    stage: str = strawberry.field(description="Where it stands.")


def opportunities(first: int) -> list[Opportunity]:
    return [Opportunity(name="Solar roof", stage="Offer"), Opportunity(name="Heat pump", stage="Won")][:first]


def seller(info: strawberry.Info[dict[str, Any]]) -> str:
    return str(info.context["request"].headers.get("x-seller", "nobody"))


async def stages_reached() -> AsyncGenerator[str]:
    yield "Won"


@strawberry.type
class Query:
    opportunities: list[Opportunity] = strawberry.field(resolver=opportunities, description="Opportunities, oldest first.")
    seller: str = strawberry.field(resolver=seller, description="Who the header x-seller says is asking.")


@strawberry.type
class Subscription:
    stage_changed: AsyncGenerator[str] = strawberry.subscription(resolver=stages_reached, description="Stages reached.")


def app() -> Starlette:
    """The server under test: GraphiQL, its assets and a small graph at one address."""
    graph = GraphQL[Any, Any](strawberry.Schema(Query, subscription=Subscription), graphql_ide=None)

    async def page(_request: Request) -> HTMLResponse:
        html = graphiql.page(endpoint="/graphql", subscription_url="/graphql", default_tabs=TABS)
        return HTMLResponse(html, headers={"content-security-policy": graphiql.CONTENT_SECURITY_POLICY})

    return Starlette(
        routes=[
            Mount("/graphql/assets", StaticFiles(directory=graphiql.assets_dir())),
            Route("/graphql", page, methods=["GET"]),
            Route("/graphql", graph, methods=["POST"]),
            WebSocketRoute("/graphql", graph),
        ]
    )


@asynccontextmanager
async def served(application: Starlette) -> AsyncGenerator[str]:
    """Serve on a free port of loopback and yield the origin."""
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncGenerator[Page]:
    """GraphiQL opened by a browser that has never seen it."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on the PATH: install one, or name it in CRMGRAPH_CHROMIUM")
    if not graphiql.is_built():
        pytest.skip("GraphiQL is not built: make graphiql")
    async with served(app()) as origin, browser_page(CHROMIUM, tmp_path) as page:
        await page.open(f"{origin}/graphql")
        await page.wait_for(f"{QUERY}.includes('opportunities')")
        await page.wait_for("document.querySelector('.graphiql-explorer-root')?.innerText.includes('stage')")
        yield page


async def complaints(page: Page) -> list[str]:
    """What the page said is wrong, and every address outside its own origin that it asked for."""
    origin = str(await page.evaluate("location.origin"))
    own = (origin + "/", origin.replace("http:", "ws:", 1) + "/", "data:")
    return [*page.errors, *(f"asked for {address}" for address in page.requests if not address.startswith(own))]


async def change_to_tab(page: Page, title: str, query: str) -> None:
    await page.click(f"[...document.querySelectorAll('.graphiql-tab-button')].find(button => button.innerText === '{title}')")
    # GraphiQL learns what operation it is to run a moment after the editor shows it, together with storing it.
    await page.wait_for(f"localStorage.getItem('graphiql:query').includes('{query}')")


@pytest.mark.browser
async def test_graphiql_opens_with_its_default_tabs(opened: Page) -> None:
    title = await opened.evaluate("document.title")
    tabs = await opened.evaluate("[...document.querySelectorAll('.graphiql-tab-button')].map(button => button.innerText)")
    variables = await opened.wait_for(VARIABLES)

    assert title == "crmgraph"
    assert tabs == ["Board", "Seller", "Changes"]
    assert variables == '{"first": 1}'
    assert await complaints(opened) == []


@pytest.mark.browser
async def test_the_documentation_shows_the_description_of_a_type(opened: Page) -> None:
    await opened.click("document.querySelector('[aria-label=\"Show Documentation Explorer\"]')")
    await opened.click("[...document.querySelectorAll('.graphiql-plugin a')].find(link => link.innerText === 'Query')")
    await opened.click("[...document.querySelectorAll('.graphiql-plugin a')].find(link => link.innerText === 'Opportunity')")

    await opened.wait_for("document.querySelector('.graphiql-plugin').innerText.includes('A deal that a seller works on.')")

    assert await complaints(opened) == []


@pytest.mark.browser
async def test_a_field_ticked_in_the_explorer_is_added_to_the_query_and_to_its_answer(opened: Page) -> None:
    await opened.click("document.querySelector('.graphiql-explorer-root [data-field-name=stage]')")
    await opened.wait_for(f"/name\\s+stage/.test({QUERY})")
    await opened.click(RUN)

    answer = await opened.wait_for(f"{RESPONSE}.includes('Solar roof') && {RESPONSE}")

    assert json.loads(answer) == {"data": {"opportunities": [{"name": "Solar roof", "stage": "Offer"}]}}
    assert await complaints(opened) == []


@pytest.mark.browser
async def test_the_header_editor_sets_headers_of_the_request(opened: Page) -> None:
    await change_to_tab(opened, "Seller", "query Seller")
    await opened.click("[...document.querySelectorAll('.graphiql-editor-tools button')].find(button => button.innerText === 'Headers')")
    await opened.click("document.querySelector('.graphiql-editor-tool .graphiql-editor:not(.hidden) .view-lines')")
    await opened.write('{"x-seller": "Ada"')  # the editor closes the brace
    await opened.click(RUN)

    answer = await opened.wait_for(f"{RESPONSE}.includes('data') && {RESPONSE}")

    assert json.loads(answer) == {"data": {"seller": "Ada"}}
    assert await complaints(opened) == []


@pytest.mark.browser
async def test_a_subscription_runs_over_a_websocket_of_the_same_origin(opened: Page) -> None:
    await change_to_tab(opened, "Changes", "subscription Changes")
    await opened.click(RUN)

    await opened.wait_for(f"{RESPONSE}.includes('Won')")

    assert [address for address in opened.requests if address.startswith("ws:")]
    assert await complaints(opened) == []


@pytest.mark.browser
async def test_a_query_that_ran_is_in_the_history(opened: Page) -> None:
    await opened.click(RUN)
    await opened.wait_for(f"{RESPONSE}.includes('Solar roof')")
    await opened.click("document.querySelector('[aria-label=\"Show History\"]')")

    await opened.wait_for("document.querySelector('.graphiql-history-item').innerText.includes('Board')")

    assert await complaints(opened) == []


@pytest.mark.browser
async def test_a_request_to_another_origin_is_refused_and_noticed(opened: Page) -> None:
    """Without this the tests above could not fail for such a request."""
    refused = await opened.evaluate("fetch('http://example.com/').then(() => false, () => true)")

    assert refused
    assert any("http://example.com/" in complaint for complaint in await complaints(opened))


def test_the_page_carries_text_that_looks_like_markup_unharmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "version").write_text("1")
    monkeypatch.setattr(graphiql, "assets_dir", lambda: tmp_path)
    query = '# </script><script>alert(1)</script><!-- {assets}\nquery Q { seller(name: "\u00e9") }'

    html = graphiql.page(endpoint="/graphql", subscription_url=None, default_tabs=[Tab(query=query)])

    [settings] = re.findall(r'<script type="application/json" id="settings">(.*?)</script>', html, re.DOTALL)
    assert json.loads(settings) == {
        "endpoint": "/graphql",
        "subscriptionUrl": None,
        "defaultTabs": [{"query": query, "variables": None, "headers": None}],
    }


@pytest.mark.parametrize("address", ["https://example.com/graphql", "//example.com/graphql", "/\\example.com", "graphql", ""])
def test_an_address_of_another_origin_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="its own origin only"):
        graphiql.page(endpoint=address, subscription_url=None, default_tabs=[])
    with pytest.raises(ValueError, match="its own origin only"):
        graphiql.page(endpoint="/graphql", subscription_url=address, default_tabs=[])


def test_without_a_build_the_page_says_how_to_build_and_loads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphiql, "assets_dir", lambda: tmp_path)

    html = graphiql.page(endpoint="/graphql", subscription_url="/graphql", default_tabs=[])

    assert not graphiql.is_built()
    assert "make graphiql" in html
    assert re.findall(r"<script|<link|src=|href=|https?://", html) == []


def test_the_npm_lock_names_no_address_and_checks_every_package() -> None:
    lock = json.loads((graphiql.assets_dir().parent / "package-lock.json").read_text("utf-8"))

    packages = [package for name, package in lock["packages"].items() if name]

    assert [package for package in packages if "resolved" in package or "integrity" not in package] == []
