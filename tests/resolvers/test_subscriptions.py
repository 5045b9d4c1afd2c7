"""Subscriptions: what they tell, how they go on, what they refuse, and what they cost. The Crms are sandboxes that are really watched."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from server.changes.settings import ChangeSettings
from server.examples import TABS
from tests.resolvers.following import WatchedGraph, global_id, watched_graph
from tests.resolvers.graph import Graph, until
from vendors.sandbox import Fault

MOVES = """
subscription Moves(
  $after: String, $crms: [String!], $pipelineIds: [ID!], $stageIds: [ID!], $opportunityIds: [ID!], $ownerIds: [ID!]
) {
  opportunityStageChanged(
    after: $after, crms: $crms, pipelineIds: $pipelineIds, stageIds: $stageIds, opportunityIds: $opportunityIds, ownerIds: $ownerIds
  ) {
    eventId
    cursor
    opportunityId
    crm { key }
    opportunity { id title status stage { id } }
    fromStage { id name }
    toStage { id name }
    fromPipeline { id }
    toPipeline { id }
    fromStatus
    toStatus
    changedAt
    detectedAt
    source
  }
}
"""
CHANGES = """
subscription Changes($after: String, $crms: [String!], $opportunityIds: [ID!], $ownerIds: [ID!], $kinds: [ChangeKind!]) {
  opportunityChanged(after: $after, crms: $crms, opportunityIds: $opportunityIds, ownerIds: $ownerIds, kinds: $kinds) {
    eventId
    cursor
    kind
    opportunityId
    opportunity { title }
    crm { key }
    stageChange { eventId cursor toStage { id } }
    detectedAt
    source
  }
}
"""
END = "{ stageChanges(first: 100) { nodes { cursor } pageInfo { endCursor } } }"
RENAME = "mutation Rename($input: UpdateOpportunityInput!) { updateOpportunity(input: $input) { outcome } }"
CREATE = """
mutation Create($input: CreateOpportunityInput!) { createOpportunity(input: $input) { opportunity { id } userErrors { message } } }
"""
DELETE = "mutation Delete($input: DeleteOpportunityInput!) { deleteOpportunity(input: $input) { outcome } }"
LEFT, RIGHT = "service", "dach"
(NEW_DEAL,) = [json.loads(tab.variables or "")["input"] for tab in TABS if "mutation Create(" in tab.query]


@pytest.fixture
async def graph(tmp_path: Path) -> AsyncGenerator[WatchedGraph, None]:
    async with watched_graph(tmp_path, "autotask") as graph:
        yield graph


@pytest.fixture
async def both(tmp_path: Path) -> AsyncGenerator[WatchedGraph, None]:
    async with watched_graph(tmp_path, "autotask", "pipeliner") as graph:
        yield graph


async def end_of(graph: WatchedGraph) -> str:
    """The end of the log, as a client reads it before it follows."""
    return str((await graph.data(END))["stageChanges"]["pageInfo"]["endCursor"])


async def test_a_move_is_told_with_where_the_opportunity_was_and_is(graph: WatchedGraph) -> None:
    begun = datetime.now(UTC)

    async with graph.following(MOVES) as stream:
        deal, before, after = graph.move(LEFT)
        event = await stream.event()

        assert event["opportunityId"] == event["opportunity"]["id"] == global_id("Opportunity", LEFT, deal)
        assert event["crm"] == {"key": LEFT}
        assert event["fromStage"]["id"] == global_id("Stage", LEFT, before.stage)
        assert event["toStage"]["id"] == event["opportunity"]["stage"]["id"] == global_id("Stage", LEFT, after.stage)
        assert event["fromStage"]["name"]
        assert event["fromPipeline"] == event["toPipeline"] == {"id": global_id("Pipeline", LEFT, "default")}
        assert (event["fromStatus"], event["toStatus"], event["opportunity"]["status"]) == (before.status, after.status, after.status)
        assert event["source"] == "POLL"
        assert begun - timedelta(seconds=1) <= datetime.fromisoformat(event["detectedAt"]) <= datetime.now(UTC)
        assert event["changedAt"] is not None
        assert stream.context.event_id == event["cursor"]


@pytest.mark.parametrize("vendor", ["apideck", "autotask", "onlyoffice", "pipeliner", "sharpspring"])
async def test_a_new_event_costs_no_vendor_call_for_what_the_reading_that_found_it_holds(tmp_path: Path, vendor: str) -> None:
    async with watched_graph(tmp_path, vendor) as graph:
        (key,) = graph.tower.crms
        await graph.data("{ pipelines { stages { name } } }")

        async with graph.following(MOVES) as stream:
            for _ in range(2):
                waiting = await stream.waiting()
                graph.move(key)
                event = await waiting

                assert event["opportunity"]["title"]
                assert stream.context.recorder.calls == []


async def test_every_event_shows_the_opportunity_anew(graph: WatchedGraph) -> None:
    deal = graph.tower.board(LEFT).deals()[0]

    async with graph.following(MOVES) as stream:
        for _ in range(3):
            waiting = await stream.waiting()
            _, _, after = graph.move(LEFT, deal=deal)

            assert (await waiting)["opportunity"]["stage"]["id"] == global_id("Stage", LEFT, after.stage)


async def test_a_client_goes_on_behind_its_cursor_without_a_gap_and_is_then_live(both: WatchedGraph) -> None:
    begun = await end_of(both)
    moved: list[str] = []
    for crm in (LEFT, RIGHT, LEFT):
        async with both.following(MOVES) as live:
            waiting = await live.waiting()
            deal, _, _ = both.move(crm, deal=both.tower.board(crm).deals()[len(moved)])
            moved.append((await waiting)["opportunityId"])
            assert moved[-1] == global_id("Opportunity", crm, deal)

    async with both.following(MOVES, after=begun) as stream:
        first = await stream.event()
    async with both.following(MOVES, after=first["cursor"]) as stream:
        second, third = await stream.event(), await stream.event()
        waiting = await stream.waiting()
        deal, _, _ = both.move(RIGHT)
        fourth = await waiting

    told = [first, second, third, fourth]
    assert [event["opportunityId"] for event in told] == [*moved, global_id("Opportunity", RIGHT, deal)]
    assert len({event["eventId"] for event in told}) == 4


async def test_an_event_is_the_same_one_when_it_comes_again(graph: WatchedGraph) -> None:
    begun = await end_of(graph)
    async with graph.following(MOVES) as stream:
        waiting = await stream.waiting()
        graph.move(LEFT)
        live = await waiting

    async with graph.following(MOVES, after=begun) as stream:
        assert await stream.event() == live


async def test_the_transports_cursor_counts_more_than_the_argument(graph: WatchedGraph) -> None:
    begun = await end_of(graph)
    async with graph.following(MOVES) as stream:
        graph.move(LEFT)
        first = await stream.event()
        graph.move(LEFT)
        second = await stream.event()

    async with graph.following(MOVES, resume_after=first["cursor"], after=begun) as stream:
        assert (await stream.event())["eventId"] == second["eventId"]


async def test_only_what_the_filter_names_is_told(both: WatchedGraph) -> None:
    begun = await end_of(both)
    board = both.tower.board(LEFT)
    one, other = board.deals()[:2]
    events: list[dict[str, Any]] = []
    async with both.following(MOVES) as stream:
        for crm, deal in ((LEFT, one), (RIGHT, None), (LEFT, other)):
            waiting = await stream.waiting()
            both.move(crm, deal=deal)
            events.append(await waiting)

    of_one, of_right, of_other = (event["eventId"] for event in events)
    last = events[2]
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"crms": [RIGHT]}, [of_right]),
        ({"opportunityIds": [global_id("Opportunity", LEFT, other)]}, [of_other]),
        ({"opportunityIds": [global_id("Opportunity", LEFT, other), events[1]["opportunityId"]]}, [of_right, of_other]),
        ({"pipelineIds": [global_id("Pipeline", LEFT, "default")]}, [of_one, of_other]),
        ({"crms": [LEFT], "pipelineIds": [events[1]["fromPipeline"]["id"]]}, []),
        ({"stageIds": [last["fromStage"]["id"]], "opportunityIds": [last["opportunityId"]]}, [of_other]),
        ({"stageIds": [last["toStage"]["id"]], "opportunityIds": [last["opportunityId"]]}, [of_other]),
        ({"ownerIds": [global_id("User", LEFT, "0")]}, []),
        ({"crms": []}, []),
        ({"stageIds": []}, []),
        ({"ownerIds": []}, []),
    ]
    for filter_, told in cases:
        replayed = await both.replayed(MOVES, after=begun, **filter_)
        assert [event["eventId"] for event in replayed] == told, filter_


async def test_a_move_between_stages_belongs_to_both_and_to_both_owners(graph: WatchedGraph) -> None:
    begun = await end_of(graph)
    async with graph.following(MOVES) as stream:
        waiting = await stream.waiting()
        deal, _, _ = graph.move(LEFT)
        event = await waiting
    owner = (await graph.data("query Q($id: ID!) { opportunity(id: $id) { owner { id } } }", id=event["opportunityId"]))["opportunity"]

    assert event["fromStage"] != event["toStage"]
    for filter_ in (
        {"stageIds": [event["fromStage"]["id"]]},
        {"stageIds": [event["toStage"]["id"], global_id("Stage", LEFT, "no such stage")]},
        {"ownerIds": [owner["owner"]["id"]]},
        {"opportunityIds": [global_id("Opportunity", LEFT, deal)]},
    ):
        assert [told["eventId"] for told in await graph.replayed(MOVES, after=begun, **filter_)] == [event["eventId"]]


MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"stageIds": ["nonsense"]}, "INVALID_ID", "'nonsense' is no id"),
    ({"stageIds": [global_id("Pipeline", LEFT, "default")]}, "INVALID_ID", "takes one of Stage"),
    ({"pipelineIds": [global_id("Stage", LEFT, "1")]}, "INVALID_ID", "takes one of Pipeline"),
    ({"opportunityIds": [global_id("User", LEFT, "1")]}, "INVALID_ID", "takes one of Opportunity"),
    ({"ownerIds": [global_id("Contact", LEFT, "1")]}, "INVALID_ID", "takes one of User"),
    ({"ownerIds": [global_id("User", "nowhere", "1")]}, "UNKNOWN_CRM", "'nowhere'"),
    ({"crms": [LEFT, "nowhere"]}, "UNKNOWN_CRM", "'nowhere'"),
    ({"stageIds": [global_id("Stage", LEFT, str(number)) for number in range(101)]}, "BAD_USER_INPUT", "`stageIds` may hold at most 100"),
    ({"crms": [LEFT] * 101}, "BAD_USER_INPUT", "`crms` may hold at most 100"),
    ({"after": "nonsense"}, "INVALID_CURSOR", "`after` is no cursor of this stream"),
    ({"after": ""}, "INVALID_CURSOR", "`after` is no cursor of this stream"),
]


async def test_a_mistake_is_told_instead_of_a_first_event_and_ends_the_subscription(graph: WatchedGraph) -> None:
    for variables, code, message in MISTAKES:
        refusal = await graph.refusal(MOVES, **variables)

        assert refusal["code"] == code, variables
        assert message in refusal["message"]
    assert graph.tower.service.broker.subscribers == 0


async def test_a_cursor_that_the_client_repeated_of_itself_is_told_by_the_name_of_its_header(graph: WatchedGraph) -> None:
    refusal = await graph.refusal(MOVES, resume_after="nonsense", after=await end_of(graph))

    assert refusal["message"].startswith("`Last-Event-ID` is no cursor of this stream")


async def test_a_cursor_of_a_list_is_none_of_a_stream(graph: WatchedGraph) -> None:
    cursor = (await graph.data("{ opportunities(first: 1) { pageInfo { endCursor } } }"))["opportunities"]["pageInfo"]["endCursor"]

    assert (await graph.refusal(MOVES, after=cursor))["code"] == "INVALID_CURSOR"


async def test_an_expired_cursor_is_told_with_the_oldest_one_that_works(graph: WatchedGraph) -> None:
    begun = await end_of(graph)
    async with graph.following(MOVES) as stream:
        graph.move(LEFT)
        await stream.event()
    await graph.tower.store.drop_before(time.time() + 60, deliveries_before=0)

    refusals = [await graph.refusal(MOVES, after=begun), await graph.refusal(CHANGES, resume_after=begun)]

    for refusal in refusals:
        assert refusal["code"] == "CURSOR_EXPIRED"
        async with graph.following(MOVES, after=refusal["oldestCursor"]) as stream:
            waiting = await stream.waiting()
            deal, _, _ = graph.move(LEFT)
            assert (await waiting)["opportunityId"] == global_id("Opportunity", LEFT, deal)


async def test_where_nobody_watches_a_subscription_says_which_setting_to_change(twins: Graph) -> None:
    for field in ("opportunityStageChanged", "opportunityChanged"):
        results: Any = await twins.schema.subscribe(f"subscription {{ {field} {{ eventId }} }}", context_value=twins.make())
        answers = [result async for result in results]

        ((error,),) = [answer.errors for answer in answers]
        assert error.extensions["code"] == "NOT_SUPPORTED"
        assert "`enabled = false` in [changes]" in error.message


async def test_who_leaves_is_followed_no_more_at_once(graph: WatchedGraph) -> None:
    async with graph.following(MOVES) as stream:
        graph.move(LEFT)
        await stream.event()
        assert graph.tower.service.broker.subscribers == 1

    assert graph.tower.service.broker.subscribers == 0


async def test_who_leaves_while_waiting_is_followed_no_more(graph: WatchedGraph) -> None:
    async with graph.following(MOVES) as stream:
        waiting = await stream.waiting()
        await until(lambda: graph.tower.service.broker.subscribers == 1)
        waiting.cancel()
        await asyncio.wait([waiting])

        assert graph.tower.service.broker.subscribers == 0


async def test_what_fails_within_an_event_is_that_events_alone(graph: WatchedGraph) -> None:
    query = "subscription { opportunityStageChanged { opportunityId opportunity { title owner { name } } } }"
    control = graph.tower.grounds[LEFT].control
    deals = graph.tower.board(LEFT).deals()

    async with graph.following(query) as stream:
        control.faults[:] = [Fault(kind="status", status=503, match="Resources")]
        graph.move(LEFT, deal=deals[0])
        failed = await stream.next()
        control.faults.clear()
        waiting = await stream.waiting()
        graph.move(LEFT, deal=deals[1])
        event = await waiting

    assert failed.data is not None
    shown = failed.data["opportunityStageChanged"]
    assert shown["opportunityId"] == global_id("Opportunity", LEFT, deals[0])
    assert shown["opportunity"]["title"]
    assert shown["opportunity"]["owner"] is None
    assert [(error.path, (error.extensions or {})["code"]) for error in failed.errors or ()] == [
        (["opportunityStageChanged", "opportunity", "owner"], "UNAVAILABLE")
    ]
    assert event["opportunityId"] == global_id("Opportunity", LEFT, deals[1])
    assert event["opportunity"]["owner"]["name"]


async def test_who_is_too_slow_is_sent_away_with_the_cursor_to_go_on_from(tmp_path: Path) -> None:
    async with watched_graph(tmp_path, "autotask", settings=ChangeSettings(most_waiting=1, lag_seconds=0.0)) as graph:
        board = graph.tower.board(LEFT)
        async with graph.following(MOVES) as slow:
            waiting = await slow.waiting()
            graph.move(LEFT, deal=board.deals()[0])
            first = await waiting
            head = graph.tower.service.head
            for deal in board.deals()[1:3]:
                graph.move(LEFT, deal=deal)
            await until(lambda: graph.tower.service.head == head + 2)
            # Both are in the log; both have been told as well when something later has been taken in.
            await graph.data(RENAME, input={"id": first["opportunityId"], "title": "A new title"})
            result = await slow.next()
            assert result.errors is not None
            (error,) = result.errors

            assert (error.extensions or {})["code"] == "SUBSCRIBER_LAGGED"
            assert (error.extensions or {})["cursor"] == first["cursor"]
            assert await slow.has_ended()
        missed = await graph.replayed(MOVES, after=first["cursor"])
        assert {event["opportunityId"] for event in missed} == {global_id("Opportunity", LEFT, deal) for deal in board.deals()[1:3]}


async def test_other_changes_are_told_with_their_kind_and_a_move_as_the_same_event(graph: WatchedGraph) -> None:
    begun = await end_of(graph)
    async with graph.following(CHANGES) as stream:
        waiting = await stream.waiting()
        graph.move(LEFT)
        moved = await waiting
        waiting = await stream.waiting()
        await graph.data(RENAME, input={"id": moved["opportunityId"], "title": "A new title"})
        renamed = await waiting
    (move,) = await graph.replayed(MOVES, after=begun)

    assert (moved["kind"], renamed["kind"]) == ("UPDATED", "UPDATED")
    assert (moved["stageChange"]["eventId"], moved["stageChange"]["cursor"]) == (moved["eventId"], moved["cursor"])
    assert (move["eventId"], move["cursor"]) == (moved["eventId"], moved["cursor"])
    assert renamed["opportunity"] == {"title": "A new title"}
    assert renamed["stageChange"] is None


async def test_what_comes_and_goes_is_told_and_what_is_gone_has_no_opportunity(tmp_path: Path) -> None:
    async with watched_graph(tmp_path, "pipeliner") as graph:
        begun = await end_of(graph)
        async with graph.following(CHANGES) as stream:
            waiting = await stream.waiting()
            made = (await graph.data(CREATE, input=NEW_DEAL))["createOpportunity"]
            assert made["userErrors"] == []
            created = await waiting
            waiting = await stream.waiting()
            await graph.data(DELETE, input={"id": made["opportunity"]["id"]})
            deleted = await waiting
            assert stream.context.recorder.calls == []

        assert (created["kind"], created["opportunity"], created["opportunityId"]) == (
            "CREATED",
            {"title": "Spreader beams, berth 6"},
            made["opportunity"]["id"],
        )
        assert (deleted["kind"], deleted["opportunity"], deleted["opportunityId"]) == ("DELETED", None, created["opportunityId"])
        assert (created["stageChange"], deleted["stageChange"]) == (None, None)
        for kinds, told in ((["DELETED"], [deleted]), (["CREATED", "DELETED"], [created, deleted]), (["UPDATED"], []), ([], [])):
            replayed = await graph.replayed(CHANGES, after=begun, kinds=kinds)
            assert [event["eventId"] for event in replayed] == [event["eventId"] for event in told]
        assert await graph.replayed(MOVES, after=begun) == []
