"""What has changed is seen, however old what is shown may be."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from resolvers.node_id import encode
from tests.playground import playground
from tests.resolvers.graph import Graph, until
from tests.resolvers.keeping.graph import BOARD, KeepingGraph, nodes
from tests.server.changes.watchtower import EAGER, Tower, watched
from vendors.capabilities import Page, PageRequest
from vendors.model import Opportunity, Ref
from vendors.sandbox import Fault


async def test_an_own_write_is_seen_at_once(twins: KeepingGraph) -> None:
    before = await twins.data(BOARD, age=60)
    chosen = next(node for node in nodes(before) if node["crm"]["key"] == "left")
    by_id = "query($id: ID!) { opportunity(id: $id, maxAge: 60) { title } }"
    await twins.data(by_id, id=chosen["id"])
    made = await twins.data(
        "mutation($input: UpdateOpportunityInput!) { updateOpportunity(input: $input) { outcome opportunity { title } } }",
        input={"id": chosen["id"], "title": "Renamed by us"},
    )
    assert made["updateOpportunity"] == {"outcome": "DONE", "opportunity": {"title": "Renamed by us"}}
    twins.all_calls()

    after = await twins.data(BOARD, age=60)

    assert [node["title"] for node in nodes(after) if node["id"] == chosen["id"]] == ["Renamed by us"]
    assert set(twins.all_calls()) == {"left"}  # nothing was written into the other one
    assert (await twins.data(by_id, id=chosen["id"]))["opportunity"]["title"] == "Renamed by us"


async def test_a_write_whose_answer_is_lost_is_seen_at_once(twins: KeepingGraph) -> None:
    chosen = next(node for node in nodes(await twins.data(BOARD, age=60)) if node["crm"]["key"] == "left")
    twins.break_down("left", Fault(kind="reset_mid_body", match="Opportunities.patch", times=1))
    lost = await twins.answer(
        "mutation($input: UpdateOpportunityInput!) { updateOpportunity(input: $input) { outcome } }",
        input={"id": chosen["id"], "title": "Renamed nevertheless"},
    )
    assert lost.errors

    after = await twins.data(BOARD, age=60)

    assert [node["title"] for node in nodes(after) if node["id"] == chosen["id"]] == ["Renamed nevertheless"]


async def test_a_write_that_is_found_to_have_happened_after_all_is_seen_at_once(twins: KeepingGraph) -> None:
    chosen = next(node for node in nodes(await twins.data(BOARD, age=0)) if node["crm"]["key"] == "left")
    new = {"id": chosen["id"], "title": "Renamed in the end"}
    with_key = """mutation($input: UpdateOpportunityInput!, $resolution: Resolution) {
        updateOpportunity(input: $input, idempotencyKey: "k", resolution: $resolution) { outcome } }"""
    twins.break_down("left", Fault(kind="reset", match="Opportunities.patch", times=1))
    assert (await twins.answer(with_key, input=new)).errors
    await twins.data(BOARD, age=60)
    vendor_makes_it_now = "mutation($input: UpdateOpportunityInput!) { updateOpportunity(input: $input) { outcome } }"
    await Graph(twins.grounds).data(vendor_makes_it_now, input=new)
    found = await twins.data(with_key, input=new, resolution={"adopt": chosen["id"]})
    assert found["updateOpportunity"] == {"outcome": "ADOPTED"}

    after = await twins.data(BOARD, age=60)

    assert [node["title"] for node in nodes(after) if node["id"] == chosen["id"]] == ["Renamed in the end"]


async def test_a_reading_that_a_write_overtakes_is_not_kept(twins: KeepingGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = next(node for node in nodes(await twins.data(BOARD, age=0)) if node["crm"]["key"] == "left")
    client: Any = twins.crms["left"].client
    read, has_read, goes_on = client.opportunities_page, asyncio.Event(), asyncio.Event()

    async def read_slowly(request: PageRequest) -> Page[Opportunity]:
        page: Page[Opportunity] = await read(request)
        has_read.set()
        await goes_on.wait()
        return page

    monkeypatch.setattr(client, "opportunities_page", read_slowly)
    slow = asyncio.create_task(twins.data(BOARD, age=60))
    await has_read.wait()
    monkeypatch.undo()
    await twins.data(
        "mutation($input: UpdateOpportunityInput!) { updateOpportunity(input: $input) { outcome } }",
        input={"id": chosen["id"], "title": "Renamed meanwhile"},
    )
    goes_on.set()
    await slow

    after = await twins.data(BOARD, age=60)

    assert [node["title"] for node in nodes(after) if node["id"] == chosen["id"]] == ["Renamed meanwhile"]


@asynccontextmanager
async def watched_and_kept(folder: Path) -> AsyncGenerator[tuple[Tower, KeepingGraph], None]:
    async with playground("autotask") as ground:
        keeping = KeepingGraph(Graph({ground.crm.key: ground}))
        crm = keeping.crms[ground.crm.key]
        crm = replace(crm, watching=EAGER, link=replace(crm.link, sleep=asyncio.sleep))
        async with watched(folder, {crm.key: crm}) as (service, store, make_context):
            tower = Tower({crm.key: crm}, {crm.key: ground}, service, store, make_context)
            keeping.make = make_context
            await tower.settled()
            yield tower, keeping


async def test_a_change_that_is_noticed_is_seen_at_once(tmp_path: Path) -> None:
    async with watched_and_kept(tmp_path) as (tower, keeping):
        (key,) = tower.crms
        query = "{ opportunities(first: 60, maxAge: 3600) { nodes { id stage { name } } } }"
        before = await keeping.data(query)
        assert await keeping.data(query) == before
        board = tower.board(key)
        deal = board.deals()[0]
        head = tower.service.head
        board.move(deal, Random(11))  # noqa: S311  # keeps no secret
        await tower.next(1, after=head)

        after = await keeping.data(query)

        changed = [new["id"] for old, new in zip(nodes(before), nodes(after), strict=True) if old != new]
        assert changed == [encode("Opportunity", Ref(key, deal))]


async def test_an_event_of_a_subscription_is_shown_as_it_is_now(tmp_path: Path) -> None:
    async with watched_and_kept(tmp_path) as (tower, keeping):
        (key,) = tower.crms
        await keeping.data("{ accounts(first: 60, maxAge: 3600) { nodes { name } } }")
        await keeping.data("{ opportunities(first: 60, maxAge: 3600) { nodes { title account { name } } } }")
        query = "subscription { opportunityStageChanged { opportunity { title account { name } } } }"
        results: Any = await keeping.schema.subscribe(query, context_value=keeping.make())
        waiting = asyncio.create_task(anext(results))
        await until(lambda: tower.service.broker.subscribers > 0)
        keeping.calls(key)
        board = tower.board(key)
        board.move(board.deals()[0], Random(11))  # noqa: S311  # keeps no secret

        async with asyncio.timeout(60):
            result = await waiting

        await results.aclose()
        assert result.errors is None
        assert "ages" not in (result.extensions or {})
        assert any("Companies" in call for call in keeping.calls(key))
