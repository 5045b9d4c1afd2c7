"""A Crm that fails takes nothing away from the others, and says what it is."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from server.limits import Limits
from tests.resolvers.graph import SEEDED, Graph, autotask_graph, codes
from vendors.sandbox import Fault

LIST = "Opportunities.query"
BOARD = """
query Board($first: Int = 10, $after: String) {
  opportunities(first: $first, after: $after) {
    nodes { id crm { key } owner { name } account { name } contacts { name } stage { name } }
    pageInfo { endCursor hasNextPage }
  }
}
"""
WITH_SOURCES = "{ opportunities(first: 10) { nodes { id } sources { crm { key } status code message retryable retryAfterMs rows } } }"

FAILURES: Mapping[str, tuple[Fault, dict[str, object]]] = {
    "down": (Fault(kind="status", status=503), {"code": "UNAVAILABLE", "retryable": True, "retryAfterMs": None}),
    "refused": (Fault(kind="status", status=401), {"code": "UNAUTHENTICATED", "retryable": False, "retryAfterMs": None}),
    "forbidden": (Fault(kind="status", status=403), {"code": "FORBIDDEN", "retryable": False, "retryAfterMs": None}),
    "limited": (
        Fault(kind="status", status=429, headers={"Retry-After": "1800"}),
        {"code": "RATE_LIMITED", "retryable": True, "retryAfterMs": 1_800_000},
    ),
    "html": (Fault(kind="html"), {"code": "MALFORMED", "retryable": False, "retryAfterMs": None}),
    "reset": (Fault(kind="reset"), {"code": "UNAVAILABLE", "retryable": True, "retryAfterMs": None}),
}


@pytest.fixture(params=FAILURES)
def failure(request: pytest.FixtureRequest) -> tuple[Fault, dict[str, object]]:
    return FAILURES[request.param]


def keys(nodes: list[dict[str, Any]]) -> set[str]:
    return {node["crm"]["key"] for node in nodes}


async def test_the_other_crms_rows_and_their_relations_are_there(twins: Graph, failure: tuple[Fault, dict[str, object]]) -> None:
    twins.break_down("left", failure[0])

    result = await twins.answer(BOARD)

    assert result.data is not None
    nodes = result.data["opportunities"]["nodes"]
    assert len(nodes) == 10
    assert keys(nodes) == {"right"}
    assert sum(bool(node["owner"] and node["account"] and node["contacts"] and node["stage"]) for node in nodes) >= 9


async def test_a_failure_is_one_error_that_says_which_crm_and_why(twins: Graph, failure: tuple[Fault, dict[str, object]]) -> None:
    twins.break_down("left", failure[0])

    error = await twins.error(BOARD)

    assert error.path == ["opportunities"]
    assert error.extensions == {"crm": "left", "vendor": "AUTOTASK", **failure[1]}
    assert error.locations is not None


async def test_a_failure_stands_in_sources_only_when_they_are_read(twins: Graph, failure: tuple[Fault, dict[str, object]]) -> None:
    twins.break_down("left", failure[0])

    left, right = (await twins.data(WITH_SOURCES))["opportunities"]["sources"]

    assert left.pop("message")
    assert left == {"crm": {"key": "left"}, "status": "FAILED", "rows": 0, **failure[1]}
    assert (right["status"], right["code"], right["message"], right["rows"]) == ("OK", None, None, 10)


@pytest.mark.parametrize(
    "selection",
    [
        "...Parts",
        "... on OpportunityConnection { sources { status } }",
        "... { s: sources { status } }",
        "...Outer",
        "s: sources { status }",
        "sources @include(if: $yes) { status }",
    ],
)
async def test_sources_count_as_read_also_through_fragments_and_under_another_name(twins: Graph, selection: str) -> None:
    twins.break_down("left", Fault(kind="html"))
    query = f"""
    query($yes: Boolean = true) {{ opportunities(first: 2) {{ nodes {{ id }} {selection} }} unused: crms @include(if: $yes) {{ key }} }}
    """
    query += "fragment Parts on OpportunityConnection { sources { status } } " if "Parts" in selection else ""
    if "Outer" in selection:
        query += "fragment Outer on OpportunityConnection { ...Inner } fragment Inner on OpportunityConnection { sources { status } }"

    result = await twins.answer(query)

    assert result.errors is None


@pytest.mark.parametrize("selection", ["sources @include(if: $no) { status }", "... @skip(if: true) { sources { status } }"])
async def test_sources_that_are_left_out_do_not_hide_a_failure(twins: Graph, selection: str) -> None:
    twins.break_down("left", Fault(kind="html"))

    result = await twins.answer(
        f"query($no: Boolean = false) {{ opportunities(first: 2) {{ nodes {{ id }} {selection} }} crms @include(if: $no) {{ key }} }}"
    )

    assert codes(result) == ["MALFORMED"]


async def test_sources_of_one_list_do_not_hide_the_failure_of_another(twins: Graph) -> None:
    twins.break_down("left", Fault(kind="html"))

    error = await twins.error("{ quiet: opportunities(first: 2) { sources { status } } loud: opportunities(first: 2) { nodes { id } } }")

    assert error.path == ["loud"]


async def test_when_every_crm_fails_the_list_is_empty_and_every_crm_is_told(twins: Graph) -> None:
    for key in ("left", "right"):
        twins.break_down(key, Fault(kind="html"))

    result = await twins.answer("{ opportunities(first: 2) { nodes { id } pageInfo { hasNextPage endCursor } } }")

    assert result.data == {"opportunities": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}}
    assert [(error.extensions or {})["crm"] for error in result.errors or ()] == ["left", "right"]


async def test_a_failure_says_nothing_of_addresses_secrets_or_the_vendors_words(
    twins: Graph, failure: tuple[Fault, dict[str, object]]
) -> None:
    fault = failure[0]
    fault.body = '{"errors": ["SQL error near harbour-Crane-7"]}' if fault.kind == "status" and fault.status == 503 else ""
    twins.break_down("left", fault)

    error = await twins.error(BOARD)

    said = str(error.formatted)
    settings = twins.grounds["left"].sandbox.settings
    for secret in ("http", "127.0.0.1", "SQL", str(settings["secret"]), str(settings["integration_code"]), str(settings["username"])):
        assert secret not in said


async def test_one_vendor_that_is_down_leaves_all_the_others(graph: Graph) -> None:
    for broken in graph.grounds:
        graph.break_down(broken, Fault(kind="html"))

        found = (await graph.data("{ opportunities(first: 50) { nodes { crm { key } } sources { crm { key } status } } }"))["opportunities"]

        graph.mend(broken)
        assert {source["crm"]["key"]: source["status"] for source in found["sources"]} == {
            key: "FAILED" if key == broken else "OK" for key in graph.grounds
        }
        assert keys(found["nodes"]) == set(graph.grounds) - {broken}


@pytest.mark.parametrize("fault", [Fault(kind="html"), Fault(kind="status", status=400, body="at http://x"), Fault(kind="reset")])
async def test_no_vendors_failure_says_anything_of_addresses_or_settings(graph: Graph, fault: Fault) -> None:
    for key in graph.grounds:
        graph.break_down(key, replace(fault))

    sources = (await graph.data("{ opportunities(first: 5) { sources { crm { key } status message } } }"))["opportunities"]["sources"]

    for source in sources:
        assert source["status"] == "FAILED"
        settings = graph.grounds[source["crm"]["key"]].sandbox.settings
        secrets = [text for text in settings.values() if isinstance(text, str) and len(text) > 5]
        assert not any(text in source["message"] for text in ("http", "127.0.0.1", *secrets))


async def test_a_row_that_cannot_be_read_is_left_out_and_told(twins: Graph) -> None:
    twins.break_down("left", Fault(kind="bad_row", match=LIST, times=1))

    result = await twins.answer("{ opportunities(first: 10) { nodes { crm { key } } } }")

    assert result.data is not None
    nodes = result.data["opportunities"]["nodes"]
    assert [node["crm"]["key"] for node in nodes].count("left") == 5
    assert codes(result) == ["MALFORMED"]
    assert (result.errors or [])[0].path == ["opportunities"]


async def test_a_source_is_partial_when_rows_of_it_cannot_be_read(twins: Graph) -> None:
    twins.break_down("left", Fault(kind="bad_row", match=LIST, times=1))

    left, right = (await twins.data(WITH_SOURCES))["opportunities"]["sources"]

    assert (left["status"], left["code"], left["rows"]) == ("PARTIAL", "MALFORMED", 5)
    assert right["status"] == "OK"


async def test_a_source_that_fails_in_the_middle_of_a_page_is_partial() -> None:
    async with autotask_graph(long=30, short=2) as graph:
        graph.break_down("long", Fault(kind="html", match=LIST, skip=1))

        left, right = (await graph.data(WITH_SOURCES))["opportunities"]["sources"]

    assert (left["status"], left["code"], left["rows"]) == ("PARTIAL", "MALFORMED", 5)
    assert (right["status"], right["rows"]) == ("OK", 2)


async def test_after_its_recovery_a_crm_delivers_what_it_owes_and_nothing_comes_twice() -> None:
    async with autotask_graph(left=9, right=9) as graph:
        graph.break_down("left", Fault(kind="html", match=LIST))
        start = await graph.answer(BOARD, first=4)
        graph.mend("left")
        assert start.data is not None
        seen = [start.data["opportunities"]]

        while seen[-1]["pageInfo"]["hasNextPage"]:
            seen.append((await graph.data(BOARD, first=4, after=seen[-1]["pageInfo"]["endCursor"]))["opportunities"])

        everything = [node["id"] for node in (await graph.data(BOARD, first=100))["opportunities"]["nodes"]]
        ids = [node["id"] for page in seen for node in page["nodes"]]
        assert keys(seen[0]["nodes"]) == {"right"}
        assert sorted(ids) == sorted(everything)
        assert keys(seen[1]["nodes"]) == {"left"}


async def test_a_failure_in_the_middle_of_the_list_loses_and_repeats_nothing() -> None:
    async with autotask_graph(left=9, right=9) as graph:
        seen = [(await graph.data(BOARD, first=4))["opportunities"]]
        graph.break_down("right", Fault(kind="html", match=LIST))
        broken = await graph.answer(BOARD, first=4, after=seen[-1]["pageInfo"]["endCursor"])
        graph.mend("right")
        assert broken.data is not None
        seen.append(broken.data["opportunities"])

        while seen[-1]["pageInfo"]["hasNextPage"]:
            seen.append((await graph.data(BOARD, first=4, after=seen[-1]["pageInfo"]["endCursor"]))["opportunities"])

        ids = [node["id"] for page in seen for node in page["nodes"]]
        assert len(ids) == len(set(ids)) == 18


async def test_a_crm_that_is_too_slow_is_timed_out_and_the_others_are_there_in_time() -> None:
    async with autotask_graph(Limits(deadline_seconds=1.0), left=SEEDED, right=SEEDED) as graph:
        await graph.data(BOARD)
        graph.break_down("left", Fault(kind="hang"))

        result = await graph.answer(BOARD)

    assert codes(result) == ["TIMEOUT"]
    assert result.data is not None
    nodes = result.data["opportunities"]["nodes"]
    assert keys(nodes) == {"right"}
    assert len(nodes) == 10
    assert all(node["stage"] for node in nodes)


async def test_a_relation_that_is_too_slow_is_null_and_the_list_is_there() -> None:
    async with autotask_graph(Limits(deadline_seconds=1.0), left=SEEDED, right=SEEDED) as graph:
        await graph.data(BOARD)
        graph.break_down("left", Fault(kind="hang", match="Companies.query"))

        result = await graph.answer(BOARD)

    assert result.data is not None
    nodes = result.data["opportunities"]["nodes"]
    assert keys(nodes) == {"left", "right"}
    assert set(codes(result)) == {"TIMEOUT"}
    assert all(node["account"] is None for node in nodes if node["crm"]["key"] == "left")
    assert all(node["owner"] for node in nodes if node["crm"]["key"] == "left")
    assert all(node["account"] for node in nodes if node["crm"]["key"] == "right")


async def test_a_crm_that_hangs_at_log_in_leaves_the_others() -> None:
    async with autotask_graph(Limits(deadline_seconds=1.0), left=SEEDED, right=SEEDED) as graph:
        graph.break_down("left", Fault(kind="hang", match="zoneInformation"))

        result = await graph.answer(BOARD)

    assert codes(result) == ["TIMEOUT"]
    assert result.data is not None
    assert keys(result.data["opportunities"]["nodes"]) == {"right"}


async def test_one_failing_relation_is_null_alone_with_a_path_and_a_code(twins: Graph) -> None:
    twins.break_down("left", Fault(kind="status", status=403, match="Companies"))

    result = await twins.answer(
        "{ opportunities(first: 2) { nodes { title crm { key } account { name } owner { name } stage { name } } } }"
    )

    assert result.data is not None
    left, right = result.data["opportunities"]["nodes"]
    assert left["account"] is None
    assert left["title"] and left["owner"] and left["stage"]
    assert right["account"]
    assert result.errors is not None and len(result.errors) == 1
    assert result.errors[0].path == ["opportunities", "nodes", 0, "account"]
    assert result.errors[0].extensions == {
        "code": "FORBIDDEN",
        "crm": "left",
        "vendor": "AUTOTASK",
        "retryable": False,
        "retryAfterMs": None,
    }


async def test_a_currency_that_only_a_failing_account_tells_is_null_with_the_amount_there(twins: Graph) -> None:
    twins.break_down("left", Fault(kind="status", status=403, match="Companies"))

    result = await twins.answer("{ opportunities(first: 1) { nodes { amount { amount currency } } } }")

    assert result.data is not None
    assert result.data["opportunities"]["nodes"] == [{"amount": {"amount": "48200.0", "currency": None}}]
    assert (result.errors or [])[0].path == ["opportunities", "nodes", 0, "amount", "currency"]


async def test_pipelines_of_a_failing_crm_are_missing_and_told(twins: Graph) -> None:
    twins.break_down("left", Fault(kind="html", match="fields"))

    result = await twins.answer("{ pipelines { crm { key } stages { name } } }")

    assert result.data is not None
    assert [pipeline["crm"]["key"] for pipeline in result.data["pipelines"]] == ["right"]
    assert [(error.path, (error.extensions or {})["crm"]) for error in result.errors or ()] == [(["pipelines"], "left")]


async def test_pipelines_are_null_when_no_crm_tells_them(twins: Graph) -> None:
    for key in ("left", "right"):
        twins.break_down(key, Fault(kind="html", match="fields"))

    result = await twins.answer("{ pipelines { name } }")

    assert result.data == {"pipelines": None}
    assert codes(result) == ["MALFORMED", "MALFORMED"]


async def test_health_shows_a_crm_that_fails_and_its_recovery(twins: Graph) -> None:
    query = '{ crm(key: "left") { health { circuit code message } } }'
    await twins.data(BOARD)
    twins.break_down("left", Fault(kind="status", status=401, match=LIST))
    await twins.answer(BOARD)
    ill = (await twins.data(query))["crm"]["health"]
    twins.mend("left")
    await twins.answer(BOARD)

    well = (await twins.data(query))["crm"]["health"]

    assert (ill["circuit"], ill["code"]) == ("CLOSED", "UNAUTHENTICATED")
    assert well == {"circuit": "CLOSED", "code": None, "message": None}


async def test_an_open_circuit_is_told_without_a_call(twins: Graph) -> None:
    await twins.data(BOARD)
    twins.break_down("left", Fault(kind="status", status=503))
    for _ in range(3):
        await twins.answer("{ opportunities(first: 2) { nodes { id } } }")
    twins.calls("left")

    error = await twins.error("{ opportunities(first: 2) { nodes { id } } }")

    assert twins.calls("left") == []
    assert error.extensions is not None
    assert error.extensions["code"] == "UNAVAILABLE"
    assert 0 < error.extensions["retryAfterMs"] <= 5_000
    assert (await twins.data('{ crm(key: "left") { health { circuit } } }'))["crm"]["health"] == {"circuit": "OPEN"}


async def test_concurrent_operations_survive_the_same_failure(twins: Graph) -> None:
    twins.break_down("left", Fault(kind="html"))

    results = await asyncio.gather(*(twins.answer(BOARD) for _ in range(5)))

    for result in results:
        assert codes(result) == ["MALFORMED"]
        assert result.data is not None
        assert len(result.data["opportunities"]["nodes"]) == 10
