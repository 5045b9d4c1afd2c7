"""What the log of changes shows when it is asked: pages of it, the history of one opportunity, and how well a Crm is watched."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from resolvers.changes import ChangeEvent
from tests.playground import playground
from tests.resolvers.following import WatchedGraph, global_id, watched_graph
from tests.resolvers.graph import Graph, codes
from vendors.model import Ref

PAGE = """
query Page($after: String, $first: Int, $filter: StageChangeFilter) {
  stageChanges(after: $after, first: $first, filter: $filter) {
    nodes { eventId cursor opportunityId toStage { id } toStatus opportunity { title } crm { key } }
    edges { cursor node { eventId } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
MOVES = "subscription Moves($after: String) { opportunityStageChanged(after: $after) { eventId cursor opportunityId toStage { id } } }"
HISTORIES = """
query Histories($last: Int! = 20) {
  opportunities(first: 50) { nodes { id stageHistory(last: $last) { eventId fromStage { id } toStage { id } toStatus } } }
}
"""
STATE = """{ crms { changes {
  completeSince polledAt sweptAt pendingHints lagSeconds pollSeconds sweepSeconds error oldestEventAt retentionDays
} } }"""
CRM = "service"


@pytest.fixture
async def graph(tmp_path: Path) -> AsyncGenerator[WatchedGraph, None]:
    async with watched_graph(tmp_path, "autotask") as graph:
        yield graph


async def page(graph: WatchedGraph, **variables: object) -> dict[str, Any]:
    return dict((await graph.data(PAGE, **variables))["stageChanges"])


async def moved(graph: WatchedGraph, *deals: str) -> list[dict[str, Any]]:
    """Move deals one after the other, each once the move before it was seen; give what was told of it."""
    told: list[dict[str, Any]] = []
    async with graph.following(MOVES) as stream:
        for deal in deals:
            waiting = await stream.waiting()
            graph.move(CRM, deal=deal)
            told.append(await waiting)
    return told


async def test_the_log_is_read_from_its_oldest_event_page_by_page(graph: WatchedGraph) -> None:
    one, other, *_ = graph.tower.board(CRM).deals()
    told = [event["eventId"] for event in await moved(graph, one, other, one, other, one)]

    first = await page(graph, first=2)
    second = await page(graph, first=2, after=first["pageInfo"]["endCursor"])
    third = await page(graph, first=2, after=second["pageInfo"]["endCursor"])

    pages = [first, second, third]
    assert [[node["eventId"] for node in found["nodes"]] for found in pages] == [told[:2], told[2:4], told[4:]]
    assert [[edge["node"]["eventId"] for edge in found["edges"]] for found in pages] == [told[:2], told[2:4], told[4:]]
    assert [(found["pageInfo"]["hasNextPage"], found["pageInfo"]["hasPreviousPage"]) for found in pages] == [
        (True, False),
        (True, True),
        (False, True),
    ]
    for found in pages:
        cursors = [edge["cursor"] for edge in found["edges"]]
        assert cursors == [node["cursor"] for node in found["nodes"]]
        assert (found["pageInfo"]["startCursor"], found["pageInfo"]["endCursor"]) == (cursors[0], cursors[-1])
    assert [node["eventId"] for node in (await page(graph))["nodes"]] == told


async def test_a_page_costs_one_vendor_call_for_the_opportunities_on_it(graph: WatchedGraph) -> None:
    deals = graph.tower.board(CRM).deals()[:4]
    await moved(graph, *deals)
    query = "query Q { stageChanges { nodes { toStage { name } opportunity { title } } } }"
    await graph.data(query)
    context = graph.tower.make_context()

    answer = await graph.answer_with(context, query)

    assert answer.data is not None
    assert all(node["opportunity"]["title"] and node["toStage"]["name"] for node in answer.data["stageChanges"]["nodes"])
    assert len(answer.data["stageChanges"]["nodes"]) == 4
    assert len(context.recorder.calls) == 1


async def test_reading_up_to_the_end_and_following_from_there_misses_nothing(graph: WatchedGraph) -> None:
    empty = await page(graph)
    deal = graph.tower.board(CRM).deals()[0]
    (first,) = await moved(graph, deal)
    whole = await page(graph)
    behind = await page(graph, after=whole["pageInfo"]["endCursor"])
    nothing = await page(graph, filter={"crms": []})
    (second,) = await moved(graph, deal)

    assert empty["nodes"] == behind["nodes"] == nothing["nodes"] == []
    assert empty["pageInfo"]["hasNextPage"] is behind["pageInfo"]["hasNextPage"] is False
    assert empty["pageInfo"]["startCursor"] is None
    for end, missed in ((empty, [first, second]), (whole, [second]), (behind, [second]), (nothing, [second])):
        assert await graph.replayed(MOVES, after=end["pageInfo"]["endCursor"]) == missed


async def test_an_empty_page_ends_at_the_place_that_the_log_had_before_it_was_read(
    graph: WatchedGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = graph.tower.board(CRM).deals()[0]
    read = graph.tower.service.read
    told: list[dict[str, Any]] = []

    async def slow_read(*arguments: Any) -> Any:
        found = await read(*arguments)
        told.extend(await moved(graph, deal))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(graph.tower.service, "read", slow_read)
        empty = await page(graph)

    assert empty["nodes"] == []
    assert await graph.replayed(MOVES, after=empty["pageInfo"]["endCursor"]) == told


async def test_who_asks_for_the_place_first_misses_nothing_of_what_is_read_then(graph: WatchedGraph) -> None:
    deal, other, *_ = graph.tower.board(CRM).deals()
    await moved(graph, deal)

    place = (await graph.data("{ changesCursor }"))["changesCursor"]
    told = await moved(graph, other, deal)

    assert await graph.replayed(MOVES, after=place) == told


async def test_a_filter_takes_what_fits_all_that_it_names(graph: WatchedGraph) -> None:
    one, other, *_ = graph.tower.board(CRM).deals()
    first, second, third = await moved(graph, one, other, one)

    for filter_, expected in (
        ({"opportunityIds": [first["opportunityId"]]}, [first, third]),
        ({"opportunityIds": [second["opportunityId"]], "crms": [CRM]}, [second]),
        ({"opportunityIds": [second["opportunityId"]], "crms": []}, []),
        ({"opportunityIds": [first["opportunityId"]], "stageIds": [global_id("Stage", CRM, "no such stage")]}, []),
        ({"pipelineIds": [global_id("Pipeline", CRM, "default")]}, [first, second, third]),
    ):
        found = await page(graph, filter=filter_)
        assert [node["eventId"] for node in found["nodes"]] == [event["eventId"] for event in expected], filter_


async def test_mistakes_are_told_at_the_field(graph: WatchedGraph) -> None:
    for variables, code in (
        ({"first": 0}, "BAD_USER_INPUT"),
        ({"first": 101}, "BAD_USER_INPUT"),
        ({"after": "nonsense"}, "INVALID_CURSOR"),
        ({"filter": {"stageIds": ["nonsense"]}}, "INVALID_ID"),
        ({"filter": {"stageIds": [global_id("User", CRM, "1")]}}, "INVALID_ID"),
        ({"filter": {"crms": ["nowhere"]}}, "UNKNOWN_CRM"),
        ({"filter": {"ownerIds": [global_id("User", CRM, str(number)) for number in range(101)]}}, "BAD_USER_INPUT"),
    ):
        answer = await graph.answer(PAGE, **variables)

        assert answer.data == {"stageChanges": None}
        assert codes(answer) == [code], variables


async def test_what_has_been_dropped_is_not_passed_over_in_silence(graph: WatchedGraph) -> None:
    deal = graph.tower.board(CRM).deals()[0]
    begun = (await page(graph))["pageInfo"]["endCursor"]
    await moved(graph, deal)
    await graph.tower.store.drop_before(time.time() + 60, deliveries_before=0)
    (kept,) = await moved(graph, deal)

    answer = await graph.answer(PAGE, after=begun)

    assert codes(answer) == ["CURSOR_EXPIRED"]
    assert answer.errors is not None
    (error,) = answer.errors
    oldest = (error.extensions or {})["oldestCursor"]
    assert [node["eventId"] for node in (await page(graph, after=oldest))["nodes"]] == [kept["eventId"]]
    assert [node["eventId"] for node in (await page(graph))["nodes"]] == [kept["eventId"]]


async def test_an_opportunity_shows_its_last_moves_oldest_first(graph: WatchedGraph) -> None:
    one, other, *_ = graph.tower.board(CRM).deals()
    first, second, third, fourth = await moved(graph, one, one, other, one)

    for last, of_one in ((1, [fourth]), (2, [second, fourth]), (20, [first, second, fourth])):
        nodes = (await graph.data(HISTORIES, last=last))["opportunities"]["nodes"]
        histories = {node["id"]: [event["eventId"] for event in node["stageHistory"]] for node in nodes}

        assert histories.pop(global_id("Opportunity", CRM, one)) == [event["eventId"] for event in of_one]
        assert histories.pop(global_id("Opportunity", CRM, other)) == [third["eventId"]]
        assert set(map(tuple, histories.values())) == {()}


async def test_every_move_begins_where_the_one_before_it_ended(graph: WatchedGraph) -> None:
    deal = graph.tower.board(CRM).deals()[0]
    await moved(graph, deal, deal, deal, deal)

    (history,) = [
        node["stageHistory"]
        for node in (await graph.data(HISTORIES))["opportunities"]["nodes"]
        if node["id"] == global_id("Opportunity", CRM, deal)
    ]

    assert len(history) == 4
    assert [event["fromStage"] for event in history[1:]] == [event["toStage"] for event in history[:-1]]


async def test_the_histories_of_a_list_are_read_at_once(graph: WatchedGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    read = graph.tower.service.of_opportunities
    asked: list[tuple[int, int]] = []

    async def noted(refs: Sequence[Ref], last: int) -> Mapping[Ref, Sequence[ChangeEvent]]:
        asked.append((len(refs), last))
        return await read(refs, last)

    monkeypatch.setattr(graph.tower.service, "of_opportunities", noted)
    nodes = (await graph.data(HISTORIES, last=7))["opportunities"]["nodes"]

    assert len(nodes) > 1
    assert asked == [(len(nodes), 7)]


@pytest.mark.parametrize("last", [0, 101])
async def test_a_history_has_at_most_a_hundred_moves(graph: WatchedGraph, last: int) -> None:
    answer = await graph.answer(
        "query Q($last: Int!) { opportunities(first: 1) { nodes { stageHistory(last: $last) { eventId } } } }", last=last
    )

    assert codes(answer) == ["BAD_USER_INPUT"]


async def test_a_history_counts_in_the_cost_of_an_operation(graph: WatchedGraph) -> None:
    query = """{ opportunities(first: 100) { nodes { stageHistory(last: 100) {
        fromStage { name } toStage { name } opportunity { owner { name } account { name } accounts { name } contacts { name } }
    } } } }"""

    assert codes(await graph.answer(query)) == ["LIMIT_EXCEEDED"]


async def test_where_nobody_watches_there_is_no_history_and_no_state(twins: Graph) -> None:
    data = await twins.data("{ crms { changes { pendingHints } } opportunities(first: 2) { nodes { stageHistory { eventId } } } }")
    error = await twins.error("{ stageChanges { nodes { eventId } } }")

    assert data == {"crms": [{"changes": None}] * 2, "opportunities": {"nodes": [{"stageHistory": None}] * 2}}
    assert (error.extensions or {})["code"] == "NOT_SUPPORTED"


async def test_a_crm_tells_how_well_it_is_watched(graph: WatchedGraph) -> None:
    (before,) = (await graph.data(STATE))["crms"]
    await moved(graph, graph.tower.board(CRM).deals()[0])
    (after,) = (await graph.data(STATE))["crms"]

    assert before["changes"]["oldestEventAt"] is None
    state = after["changes"]
    assert datetime.fromisoformat(state["completeSince"]) <= datetime.fromisoformat(state["oldestEventAt"]) <= datetime.now(UTC)
    assert datetime.fromisoformat(state["sweptAt"]) <= datetime.now(UTC)
    assert 0 <= state["lagSeconds"] < 60
    assert (state["pollSeconds"], state["sweepSeconds"], state["retentionDays"]) == (0.05, 0.3, 30.0)
    assert (state["pendingHints"], state["error"]) == (0, None)


@pytest.mark.parametrize(("signature", "receives"), [(str(uuid4()), True), (None, False)])
async def test_webhooks_are_a_capability_only_where_the_settings_hold_what_they_are_signed_with(
    signature: str | None, *, receives: bool
) -> None:
    async with playground("pipeliner", settings={"webhook_signature": signature}) as ground:
        data = await Graph({ground.crm.key: ground}).data("{ crms { capabilities } }")

    assert ("RECEIVE_WEBHOOKS" in data["crms"][0]["capabilities"]) is receives
