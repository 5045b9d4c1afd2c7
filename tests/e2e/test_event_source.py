"""A browser's own EventSource on a cursor that is refused, as the README tells it."""

import re
from pathlib import Path

import pytest

from server import graphiql
from tests.e2e.browser import browser_page, find_chromium
from tests.e2e.clients.subject import subject

CHROMIUM = find_chromium()
PAGES = [Path(__file__).parents[2] / page for page in ("README.md", "docs/changes.md")]
FOLLOW = """
globalThis.follow = () => {
  const query = 'subscription { opportunityStageChanged(after: "x") { cursor } }';
  const source = new EventSource("/graphql?" + new URLSearchParams({ query }));
  source.seen = [];
  source.addEventListener("next", ({ data }) => source.seen.push(JSON.parse(data).errors[0].extensions.code));
  source.addEventListener("complete", () => source.seen.push("complete"));
  return source;
};
"""


@pytest.mark.browser
async def test_an_event_source_asks_with_a_refused_cursor_for_ever_unless_the_page_closes_it(tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("no Chromium on the PATH: install one, or name it in CRMGRAPH_CHROMIUM")
    if not graphiql.is_built():
        pytest.skip("GraphiQL is not built: make graphiql")
    [close] = {line for page in PAGES for line in re.findall(r"source\.addEventListener\(.+\.close\(\)\)", page.read_text())}
    async with subject() as server, browser_page(CHROMIUM, tmp_path) as page:
        await page.open(server.url)
        await page.evaluate(f"{FOLLOW} globalThis.left = follow(); {{ const source = globalThis.ended = follow(); {close}; }}")
        await page.wait_for("left.seen.length >= 4")
        ended = await page.evaluate("[ended.readyState === EventSource.CLOSED, ended.seen]")

    assert ended == [True, ["INVALID_CURSOR", "complete"]]
