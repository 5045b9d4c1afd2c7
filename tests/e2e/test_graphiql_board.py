"""The product as a person meets it: GraphiQL of the real server, over every sandbox, in a browser that reaches nothing but loopback."""

import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server import graphiql
from server.examples import TABS
from server.graphiql import Tab
from tests.e2e.browser import Page, browser_page, find_chromium
from tests.e2e.test_graphiql import QUERY, RESPONSE, RUN, change_to_tab, complaints
from tests.live import live
from vendors.registry import all_sandboxes, all_vendors

CHROMIUM = find_chromium()


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncGenerator[Page, None]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on the PATH: install one, or name it in CRMGRAPH_CHROMIUM")
    if not graphiql.is_built():
        pytest.skip("GraphiQL is not built: make graphiql")
    async with live() as it, browser_page(CHROMIUM, tmp_path) as page:
        await page.open(it.url)
        await page.wait_for(f"{QUERY}.includes('query Board')")
        await page.wait_for("document.querySelector('.graphiql-explorer-root')?.innerText.includes('opportunities')")
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


async def test_every_tab_is_answered_by_every_crm_without_errors() -> None:
    async with live() as it, aiohttp.ClientSession() as session:
        for tab in TABS:
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
