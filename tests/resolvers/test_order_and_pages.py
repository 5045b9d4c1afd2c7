"""One list over several Crms: its order, its pages, its cursors."""

from collections import Counter
from typing import Any

import pytest

from server.cursors import SignedCursors
from tests.resolvers.graph import Graph, autotask_graph

PAGE = """
query Page($first: Int!, $after: String, $crms: [String!], $deleted: Boolean = false) {
  opportunities(first: $first, after: $after, crms: $crms, includeDeleted: $deleted) {
    edges { cursor node { id vendorId crm { key } } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    sources { crm { key } status rows vendorCalls fetchedAt }
  }
}
"""


async def page(graph: Graph, first: int = 10, after: str | None = None, **more: object) -> dict[str, Any]:
    found: dict[str, Any] = (await graph.data(PAGE, first=first, after=after, **more))["opportunities"]
    return found


async def pages(graph: Graph, first: int) -> list[dict[str, Any]]:
    """All pages, each behind the end of the one before."""
    found = [await page(graph, first)]
    while found[-1]["pageInfo"]["hasNextPage"]:
        found.append(await page(graph, first, found[-1]["pageInfo"]["endCursor"]))
        assert len(found) < 500
    return found


def rows(*found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(edge["node"]["crm"]["key"], edge["node"]["vendorId"]) for one in found for edge in one["edges"]]


def states(found: dict[str, Any]) -> dict[str, str]:
    return {source["crm"]["key"]: source["status"] for source in found["sources"]}


async def test_rows_are_ordered_by_their_rank_in_their_crm_and_then_by_its_key() -> None:
    async with autotask_graph(right=4, left=4) as graph:
        found = rows(await page(graph))

    ids = [str(100_001 + rank) for rank in range(4)]
    assert found == [(key, local_id) for local_id in ids for key in ("left", "right")]


@pytest.mark.parametrize("first", [1, 3, 7, 100])
async def test_pages_of_any_size_give_the_same_sequence(first: int) -> None:
    async with autotask_graph(long=11, short=2, middle=6) as graph:
        found = await pages(graph, first)

    ranks = [(rank, key) for key, size in {"long": 11, "short": 2, "middle": 6}.items() for rank in range(size)]
    assert rows(*found) == [(key, str(100_001 + rank)) for rank, key in sorted(ranks)]
    assert [len(one["edges"]) for one in found[:-1]] == [first] * (len(found) - 1)
    assert found[-1]["edges"]


async def test_every_vendors_rows_come_whole_and_once_in_pages_of_any_size(graph: Graph) -> None:
    at_once = rows(*await pages(graph, 100))
    in_steps = await pages(graph, 7)

    assert rows(*in_steps) == at_once
    assert len(set(at_once)) == len(at_once)
    assert {key for key, _ in at_once} == set(graph.grounds)
    assert all(one["edges"] for one in in_steps[:-1])


@pytest.mark.parametrize("first", [4, 9])
async def test_every_edges_cursor_goes_on_right_behind_that_edge(first: int) -> None:
    async with autotask_graph(long=7, short=2) as graph:
        everything = rows(await page(graph, 100))
        start = await page(graph, first)

        for index, edge in enumerate(start["edges"]):
            rest = await page(graph, 100, edge["cursor"])
            assert rows(rest) == everything[index + 1 :]


async def test_the_cursors_of_a_page_are_those_of_its_first_and_last_edge(twins: Graph) -> None:
    found = await page(twins, 5)

    assert found["pageInfo"]["startCursor"] == found["edges"][0]["cursor"]
    assert found["pageInfo"]["endCursor"] == found["edges"][-1]["cursor"]


async def test_an_empty_list_has_no_cursors_and_no_next_page(twins: Graph) -> None:
    found = await page(twins, crms=[])

    assert found["edges"] == found["sources"] == []
    assert found["pageInfo"] == {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}


@pytest.mark.parametrize(("first", "has_next_page"), [(8, True), (9, False), (10, False)])
async def test_a_next_page_is_promised_exactly_when_rows_follow(first: int, has_next_page: bool) -> None:  # noqa: FBT001
    async with autotask_graph(left=5, right=4) as graph:
        found = await page(graph, first)

    assert found["pageInfo"]["hasNextPage"] is has_next_page


async def test_a_previous_page_exists_behind_a_cursor_only(twins: Graph) -> None:
    start = await page(twins, 2)
    second = await page(twins, 2, start["pageInfo"]["endCursor"])

    assert start["pageInfo"]["hasPreviousPage"] is False
    assert second["pageInfo"]["hasPreviousPage"] is True


async def test_a_crm_that_ends_early_is_made_up_for_by_the_others() -> None:
    async with autotask_graph(long=30, short=2) as graph:
        found = await page(graph, 20)

    assert Counter(key for key, _ in rows(found)) == {"long": 18, "short": 2}
    assert states(found) == {"long": "OK", "short": "OK"}


async def test_a_crm_without_any_rows_is_asked_once_and_takes_no_place() -> None:
    async with autotask_graph(empty=0, full=6) as graph:
        found = await pages(graph, 4)

        assert rows(*found) == [("full", str(100_001 + rank)) for rank in range(6)]
        assert graph.calls("empty").count("Opportunities.query") == 1


async def test_a_crm_that_is_through_is_skipped_and_not_called_again() -> None:
    async with autotask_graph(long=30, short=2) as graph:
        start = await page(graph, 10)
        graph.calls("short")

        second = await page(graph, 10, start["pageInfo"]["endCursor"])

        assert states(second) == {"long": "OK", "short": "SKIPPED"}
        assert [source for source in second["sources"] if source["crm"]["key"] == "short"] == [
            {"crm": {"key": "short"}, "status": "SKIPPED", "rows": 0, "vendorCalls": 0, "fetchedAt": None}
        ]
        assert graph.calls("short") == []


async def test_a_cursor_before_the_last_row_of_a_crm_does_not_call_it_through() -> None:
    async with autotask_graph(long=9, short=2) as graph:
        everything = rows(await page(graph, 100))
        start = await page(graph, 10)

        rest = await page(graph, 10, start["edges"][2]["cursor"])

        assert states(rest)["short"] == "OK"
        assert rows(rest) == everything[3:]


async def test_a_page_asks_every_crm_for_its_share_at_once() -> None:
    async with autotask_graph(left=40, right=40) as graph:
        found = await page(graph, 20)

        assert {source["crm"]["key"]: source["rows"] for source in found["sources"]} == {"left": 10, "right": 10}
        for key in ("left", "right"):
            assert [call.body for call in graph.grounds[key].control.calls if '"MaxRecords":10' in call.body]
            assert graph.calls(key).count("Opportunities.query") == 1


async def test_sources_count_rows_and_calls_of_the_list(twins: Graph) -> None:
    await page(twins, 2)

    found = await page(twins, 10, crms=["right"])

    source = found["sources"][0]
    assert source["rows"] == 10
    assert source["vendorCalls"] == 1
    assert source["fetchedAt"].endswith("+00:00")


async def test_only_the_crms_that_are_asked_for_are_called(twins: Graph) -> None:
    found = await page(twins, 4, crms=["right"])

    assert {key for key, _ in rows(found)} == {"right"}
    assert twins.calls("left") == []


async def test_crms_may_be_named_in_any_order_and_twice(twins: Graph) -> None:
    start = await page(twins, 3, crms=["right", "left"])

    second = await page(twins, 3, start["pageInfo"]["endCursor"], crms=["left", "right", "left"])

    assert rows(start, second) == rows(await page(twins, 6))


async def test_a_row_that_is_added_behind_the_page_appears_and_none_is_repeated() -> None:
    async with autotask_graph(left=4, right=4) as graph:
        start = await page(graph, 6)
        table = graph.table("left", "Opportunities")
        table.put({**table.rows[100_001], "id": 100_009, "title": "New"})
        table.remove(100_001)

        rest = await page(graph, 6, start["pageInfo"]["endCursor"])

    assert rows(rest) == [("left", "100004"), ("right", "100004"), ("left", "100009")]


@pytest.mark.parametrize(
    "changed",
    [{"crms": ["left"]}, {"crms": ["left", "right"]}, {"deleted": True}],
    ids=["fewer crms", "the same crms by name", "deleted rows too"],
)
async def test_a_cursor_of_other_arguments_is_refused(twins: Graph, changed: dict[str, object]) -> None:
    start = await page(twins, 2)

    error = await twins.error(PAGE, first=2, after=start["pageInfo"]["endCursor"], **changed)

    assert error.extensions == {"code": "INVALID_CURSOR"}
    assert "other arguments" in error.message


async def test_the_page_size_may_change_from_page_to_page(twins: Graph) -> None:
    start = await page(twins, 2)

    second = await page(twins, 5, start["pageInfo"]["endCursor"])

    assert rows(start, second) == rows(await page(twins, 7))


async def test_a_cursor_of_another_list_is_refused(twins: Graph) -> None:
    query = """
    query List($id: ID!, $after: String) {
      account(id: $id) { contacts(first: 1, after: $after) { pageInfo { endCursor } } opportunities(first: 1) { pageInfo { endCursor } } }
    }
    """
    account = (await twins.data("{ opportunities(first: 3) { nodes { account { id } } } }"))["opportunities"]["nodes"][0]["account"]
    lists = (await twins.data(query, id=account["id"]))["account"]

    error = await twins.error(query, id=account["id"], after=lists["opportunities"]["pageInfo"]["endCursor"])

    assert error.extensions == {"code": "INVALID_CURSOR"}
    assert error.path == ["account", "contacts"]


async def test_a_changed_cursor_is_refused(twins: Graph) -> None:
    cursor = (await page(twins, 2))["pageInfo"]["endCursor"]

    for index in (0, len(cursor) // 2, len(cursor) - 2):
        changed = cursor[:index] + ("A" if cursor[index] != "A" else "B") + cursor[index + 1 :]
        error = await twins.error(PAGE, first=2, after=changed)
        assert error.extensions == {"code": "INVALID_CURSOR"}


async def test_a_cursor_of_the_log_of_changes_is_refused(twins: Graph) -> None:
    cursors = twins.make().cursors
    cursor = cursors.seal(b'["changes", "a run", 7]')
    assert cursors.open(cursor) is not None, "it is one of this server's"

    error = await twins.error(PAGE, first=2, after=cursor)

    assert error.extensions == {"code": "INVALID_CURSOR"}


@pytest.mark.parametrize("cursor", ["", "x", "garbage!", "bm8gY3Vyc29y", "ü", "\x00", "A" * 10_000])
async def test_what_is_no_cursor_is_refused(twins: Graph, cursor: str) -> None:
    error = await twins.error(PAGE, first=2, after=cursor)

    assert error.extensions == {"code": "INVALID_CURSOR"}
    assert error.path == ["opportunities"]
    assert twins.calls("left") == []


async def test_a_cursor_of_another_server_is_refused(twins: Graph) -> None:
    theirs = SignedCursors(b"somebody else's key").seal(b'{"v":1,"of":"","at":{}}')

    error = await twins.error(PAGE, first=2, after=theirs)

    assert error.extensions == {"code": "INVALID_CURSOR"}


@pytest.mark.parametrize("first", [0, -1, 101, 2_147_483_647])
async def test_a_page_size_out_of_range_is_refused(twins: Graph, first: int) -> None:
    error = await twins.error("query($first: Int!) { opportunities(first: $first) { nodes { id } } }", first=first)

    assert error.extensions is not None and error.extensions["code"] in {"BAD_USER_INPUT", "LIMIT_EXCEEDED"}
    assert twins.calls("left") == []


async def test_a_page_size_out_of_range_is_told_with_the_range(twins: Graph) -> None:
    error = await twins.error("{ opportunities(first: 101) { nodes { id } } }")

    assert error.message == "`first` must be from 1 to 100, not 101; use `after` for more."
    assert error.extensions == {"code": "BAD_USER_INPUT"}


async def test_without_a_page_size_25_rows_come(twins: Graph) -> None:
    found = await twins.data("{ opportunities { nodes { id } } }")

    assert len(found["opportunities"]["nodes"]) == 25


@pytest.mark.parametrize("crms", [["nobody"], ["left", "nobody"], [""], ["LEFT"]])
async def test_an_unknown_crm_is_refused_before_any_call(twins: Graph, crms: list[str]) -> None:
    error = await twins.error(PAGE, first=2, crms=crms)

    assert error.extensions == {"code": "UNKNOWN_CRM"}
    assert twins.calls("left") == []


async def test_deleted_rows_are_listed_only_on_demand(graph: Graph) -> None:
    query = """
    query($deleted: Boolean!, $after: String) {
      opportunities(first: 100, after: $after, includeDeleted: $deleted) {
        nodes { id isDeleted }
        pageInfo { hasNextPage endCursor }
      }
    }
    """

    async def listed(*, deleted: bool) -> dict[str, bool]:
        found: dict[str, bool] = {}
        after, goes_on = None, True
        while goes_on:
            one = (await graph.data(query, deleted=deleted, after=after))["opportunities"]
            found |= {row["id"]: row["isDeleted"] for row in one["nodes"]}
            after, goes_on = one["pageInfo"]["endCursor"], one["pageInfo"]["hasNextPage"]
        return found

    everything, visible = await listed(deleted=True), await listed(deleted=False)

    assert visible == {row: is_deleted for row, is_deleted in everything.items() if not is_deleted}
