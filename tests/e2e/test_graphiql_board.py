"""The product as a person meets it: GraphiQL of the real server, over every sandbox, in a browser that reaches nothing but loopback."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server import graphiql
from server.examples import TABS
from server.graphiql import Tab
from tests.e2e.browser import Page, browser_page, find_chromium
from tests.e2e.test_graphiql import QUERY, RESPONSE, RUN, change_to_tab, complaints
from tests.live import Live, live
from vendors.registry import all_sandboxes, all_vendors
from vendors.sandbox_board import LIFE

CHROMIUM = find_chromium()
(MOVES,) = [tab for tab in TABS if "subscription " in tab.query]
WATCH = {"poll_seconds": 0.1, "sweep_seconds": 1.0, "watch_calls_per_hour": 1e9}


@asynccontextmanager
async def browser_at(folder: Path, url: str) -> AsyncGenerator[Page, None]:
    """GraphiQL, opened by a browser that has never seen it."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on the PATH: install one, or name it in CRMGRAPH_CHROMIUM")
    if not graphiql.is_built():
        pytest.skip("GraphiQL is not built: make graphiql")
    async with browser_page(CHROMIUM, folder) as page:
        await page.open(url)
        await page.wait_for(f"{QUERY}.includes('query Board')")
        await page.wait_for("document.querySelector('.graphiql-explorer-root')?.innerText.includes('opportunities')")
        yield page


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncGenerator[Page, None]:
    async with live() as it, browser_at(tmp_path, it.url) as page:
        yield page


@pytest.mark.browser
async def test_the_first_tab_runs_and_shows_rows_of_every_crm(opened: Page) -> None:
    await opened.click(RUN)
    await opened.wait_for(f"{RESPONSE}.includes('opportunities')")

    keys = {all_sandboxes()[vendor].crm_key for vendor in all_vendors()}
    shown = json.dumps(await opened.evaluate("document.body.innerText"))
    assert any(f'\\"key\\": \\"{key}\\"' in shown or key in shown for key in keys)
    assert '\\"errors\\"' not in shown
    assert await complaints(opened) == []


@pytest.mark.browser
async def test_the_first_key_is_the_querys_and_not_the_explorers(opened: Page) -> None:
    """The explorer takes the keyboard for the first argument that it shows, unless somebody has it."""
    is_of_query = "document.activeElement.closest('.graphiql-query-editor') !== null"
    await opened.wait_for("document.querySelector('.graphiql-explorer-root input[type=text]') !== null")
    assert await opened.evaluate(is_of_query)

    for title in ("QuarterBoard", "Board"):
        await change_to_tab(opened, title, f"query {title}")
        await opened.wait_for(is_of_query)


@pytest.mark.browser
async def test_every_tab_is_seen_without_scrolling(opened: Page) -> None:
    """A tab that is cut off, or below something else, is not what is found at its own place."""
    seen = await opened.evaluate(
        "[...document.querySelectorAll('.graphiql-tab-button')].filter(tab => {"
        " const box = tab.getBoundingClientRect();"
        " return [box.left + 2, box.right - 2].every(x => tab.contains(document.elementFromPoint(x, box.top + box.height / 2)));"
        "}).length"
    )

    assert seen == len(TABS)


@pytest.mark.browser
async def test_no_line_of_a_query_is_cut_off_by_the_buttons_beside_it(opened: Page) -> None:
    cut_off = (
        "[...document.querySelectorAll('.graphiql-query-editor .view-line > span')].filter(line =>"
        " line.getBoundingClientRect().right > document.querySelector('.graphiql-toolbar').getBoundingClientRect().left"
        ").map(line => line.innerText)"
    )
    for tab in TABS:
        [(beginning, title)] = re.findall(r"^((?:query|mutation|subscription) (\w+))", tab.query, re.MULTILINE)
        await change_to_tab(opened, title, beginning)
        await opened.wait_for(f"{QUERY}.includes('{beginning}')")

        assert await opened.evaluate(cut_off) == []


@pytest.mark.browser
async def test_the_tabs_of_lists_run_and_the_page_takes_them_without_complaint(opened: Page) -> None:
    tops = {"QuarterBoard": '"totalCount": 19', "MyDeals": '"totalCount": 17', "Summary": '"opportunitySummary"', "Explain": '"explain"'}
    for title, top in tops.items():
        await change_to_tab(opened, title, f"query {title}")
        await opened.click(RUN)

        shown = str(await opened.wait_for(f"{RESPONSE}.includes('{top}') && {RESPONSE}"))
        assert '"errors"' not in shown
    assert await complaints(opened) == []


@pytest.mark.browser
async def test_the_tabs_of_writes_create_move_and_win(opened: Page) -> None:
    tops = {
        "Create": ("DONE", "Harbour Lines GmbH"),
        "Move": ("DONE", "Negotiation"),
        "Win": ("DONE", "WON"),
        "DryRun": ("DRY_RUN", "nextStep"),
    }
    for title, (outcome, content) in tops.items():
        await change_to_tab(opened, title, f"mutation {title}")
        await opened.click(RUN)

        shown = str(await opened.wait_for(f"{RESPONSE}.includes('\"{outcome}\"') && {RESPONSE}.includes('{content}') && {RESPONSE}"))
        assert '"errors"' not in shown
    assert await complaints(opened) == []


@pytest.mark.browser
async def test_the_tab_of_stage_changes_shows_a_move_that_is_made_meanwhile(tmp_path: Path) -> None:
    async with live(watch=WATCH) as it, aiohttp.ClientSession() as session, browser_at(tmp_path, it.url) as page:
        await watched(session, it)
        await change_to_tab(page, "StageChanges", "subscription StageChanges")
        await page.click(RUN)
        # When the server has begun to tell, the page does not show.
        moving = asyncio.create_task(move_again_and_again(it))
        try:
            shown = str(await page.wait_for(f"{RESPONSE}.includes('\"toStage\"') && {RESPONSE}"))
        finally:
            moving.cancel()
        assert '"errors"' not in shown
        assert await complaints(page) == []


async def test_the_tab_of_stage_changes_is_answered_for_every_crm_without_errors() -> None:
    async with live(watch=WATCH) as it, aiohttp.ClientSession() as session:
        await watched(session, it)
        headers = {"accept": "text/event-stream"}
        variables = json.loads(MOVES.variables or "{}")
        left = set(it.sandboxes)
        async with (
            asyncio.timeout(60),
            session.post(it.url, json={"query": MOVES.query, "variables": variables}, headers=headers) as stream,
        ):
            for sandbox in it.sandboxes.values():
                sandbox.app[LIFE].move(1)
            async for line in stream.content:
                if not line.startswith(b'data: {"data"'):
                    continue
                answer = json.loads(line.removeprefix(b"data: "))
                event = answer["data"]["opportunityStageChanged"]
                assert "errors" not in answer
                assert event["opportunity"]["title"]
                assert event["toStage"]["name"]
                left.discard(event["crm"]["key"])
                if not left:
                    break
    assert left == set()


async def move_again_and_again(it: Live) -> None:
    while True:
        for sandbox in it.sandboxes.values():
            sandbox.app[LIFE].move(1)
        await asyncio.sleep(1)


async def watched(session: aiohttp.ClientSession, it: Live) -> None:
    """Wait until all opportunities of every CRM have been read once: a change of one is then seen."""
    query = {"query": "{ crms { changes { completeSince } } }"}
    async with asyncio.timeout(60):
        while True:
            async with session.post(it.url, json=query) as response:
                crms = (await response.json())["data"]["crms"]
            if all(crm["changes"]["completeSince"] for crm in crms):
                return


async def test_every_tab_is_answered_by_every_crm_without_errors() -> None:
    async with live() as it, aiohttp.ClientSession() as session:
        for tab in TABS:
            if tab == MOVES:
                continue
            answer = await answer_of(session, it.url, tab)

            assert "errors" not in answer, tab.query
            assert all(answer["data"].values()), tab.query


async def test_the_tabs_of_writes_do_the_same_for_what_was_created() -> None:
    """A person puts the id that Create answers with into the tabs behind it."""
    tabs = {title: tab for tab in TABS for title in re.findall(r"^mutation (\w+)", tab.query, re.MULTILINE)}
    async with live() as it, aiohttp.ClientSession() as session:
        created = (await answer_of(session, it.url, tabs["Create"]))["data"]["createOpportunity"]
        again = (await answer_of(session, it.url, tabs["Create"]))["data"]["createOpportunity"]
        own = created["opportunity"]["id"]
        moved = (await answer_of(session, it.url, tabs["Move"], id=own))["data"]["moveOpportunityToStage"]
        won = (await answer_of(session, it.url, tabs["Win"], id=own))["data"]["closeOpportunity"]

    assert (created["outcome"], created["opportunity"]["stage"]["name"]) == ("DONE", "First contact")
    assert (again["outcome"], again["opportunity"]) == ("REPLAYED", created["opportunity"])
    assert (moved["outcome"], moved["opportunity"]["stage"]["name"]) == ("DONE", "Negotiation")
    assert (won["outcome"], won["opportunity"]["id"], won["opportunity"]["status"]) == ("DONE", own, "WON")


async def answer_of(session: aiohttp.ClientSession, url: str, tab: Tab, **input_values: str) -> Any:
    """What a tab is answered with; `input_values` are put into its variable `input`."""
    variables = json.loads(tab.variables or "{}")
    if input_values:
        variables["input"].update(input_values)
    async with session.post(url, json={"query": tab.query, "variables": variables}) as response:
        return await response.json()


@pytest.mark.browser
async def test_the_docs_describe_the_real_types(opened: Page) -> None:
    await opened.click("document.querySelector('button[aria-label*=\"ocumentation\"]')")
    await opened.wait_for("document.querySelector('.graphiql-doc-explorer')?.innerText.includes('Query')")
    await opened.click("[...document.querySelectorAll('.graphiql-doc-explorer a')].find(link => link.innerText === 'Query')")

    await opened.wait_for("document.querySelector('.graphiql-doc-explorer').innerText.includes('Opportunities of all CRMs in one list')")
    assert await complaints(opened) == []


@pytest.mark.browser
async def test_ticking_a_field_in_the_explorer_writes_it_into_the_query(opened: Page) -> None:
    before = str(await opened.evaluate(QUERY))
    assert "probability" not in before

    await opened.click(
        "[...document.querySelectorAll('.graphiql-explorer-root *')].filter(item => item.innerText === 'probability').at(-1)"
    )

    await opened.wait_for(f"{QUERY}.includes('probability')")
    assert await complaints(opened) == []
