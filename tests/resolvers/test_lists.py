"""Lists over several Crms: what they cost, what they refuse, and how they explain themselves."""

from typing import Any

import pytest

from resolvers.node_id import encode
from server.context import ContextMaker
from server.cursors import SignedCursors
from tests.resolvers.graph import Graph, autotask_graph, codes, whole_graph
from vendors.model import Ref
from vendors.registry import Scanning
from vendors.sandbox import Fault

SOURCES = "sources { crm { key } status code rows vendorCalls totalCount totalCountOrigin pushedDown evaluatedHere }"
BY_TITLE = "orderBy: [{ field: TITLE }]"


def calls(graph: Graph) -> dict[str, list[str]]:
    return {key: graph.calls(key) for key in graph.grounds}


async def explained(graph: Graph, query: str) -> dict[str, Any]:
    result = await graph.schema.execute(query, context_value=graph.make(), operation_extensions={"explain": True})
    assert result.errors is None, result.errors
    assert result.extensions is not None
    return dict(result.extensions["explain"])


@pytest.mark.parametrize(
    "query",
    [
        "{ opportunities(first: 30) { nodes { title owner { name } account { name } contacts { name } stage { name } } } }",
        "{ opportunities(first: 10, orderBy: [{ field: TITLE }]) { nodes { title account { name } } totalCount } }",
        '{ opportunities(first: 5, filter: { stageKinds: [WON], title: { contains: "crane" } }) { nodes { title } } }',
        "{ accounts(first: 10) { nodes { opportunities(first: 2) { nodes { title } } contacts(first: 2) { nodes { name } } } } }",
    ],
)
async def test_the_calls_that_are_explained_are_those_that_the_sandboxes_saw(query: str) -> None:
    async with whole_graph() as graph:
        found = await explained(graph, query)

        seen = calls(graph)
        assert {crm["crm"]: len(crm["calls"]) for crm in found["crms"]} == {key: len(of_crm) for key, of_crm in seen.items()}
        assert sum(map(len, seen.values())) > 0


async def test_an_answer_explains_itself_only_when_asked(twins: Graph) -> None:
    result = await twins.schema.execute("{ crms { key } }", context_value=twins.make(), operation_extensions={"explain": False})

    assert not result.extensions


async def test_a_dry_run_calls_nobody_and_tells_the_plan() -> None:
    query = """{ explain(dryRun: %s, first: 5, filter: { ownerEmails: ["tove@example.test"], status: [OPEN] }) {
        dryRun vendorCalls plans { strategy needsCall pages source { crm { key } pushedDown evaluatedHere } } } }"""
    async with whole_graph() as graph:
        cold = (await graph.data(query % "true"))["explain"]
        assert calls(graph) == {key: [] for key in graph.grounds}

        real = (await graph.data(query % "false"))["explain"]
        made = calls(graph)

        warm = (await graph.data(query % "true"))["explain"]
        assert calls(graph) == {key: [] for key in graph.grounds}

    assert cold["vendorCalls"] is warm["vendorCalls"] is None
    assert all(plan["needsCall"] for plan in cold["plans"])
    assert not any(plan["needsCall"] for plan in warm["plans"])
    assert [plan["source"] for plan in warm["plans"]] == [plan["source"] for plan in real["plans"]]
    assert real["vendorCalls"] == sum(map(len, made.values()))


async def test_another_order_costs_one_scan_and_then_none(twins: Graph) -> None:
    scan = await explained(twins, "{ opportunities(first: 3, orderBy: [{ field: TITLE }]) { nodes { id } totalCount } }")
    calls(twins)

    query = """query($after: String) { opportunities(first: 3, after: $after, orderBy: [{ field: PROBABILITY, descending: true }]) {
        nodes { id } totalCount pageInfo { endCursor } } }"""
    first = await twins.data(query)
    second = await twins.data(query, after=first["opportunities"]["pageInfo"]["endCursor"])

    assert {source["strategy"] for source in scan["lists"][0]["sources"]} == {"INDEX"}
    assert len({node["id"] for page in (first, second) for node in page["opportunities"]["nodes"]}) == 6
    # What is left is reading the records of the page by their ids: at most one call for each Crm and page.
    assert all(of_crm.count("Opportunities.query") <= 2 for of_crm in calls(twins).values())


async def test_the_first_page_costs_the_same_whatever_the_size() -> None:
    async with autotask_graph(small=30) as small, autotask_graph(large=1_500) as large:
        for graph in (small, large):
            await graph.data("{ opportunities(first: 20) { nodes { id } } }")

        assert small.calls("small") == large.calls("large")


async def test_too_long_a_scan_fails_its_crm_alone_and_says_what_to_do() -> None:
    async with autotask_graph(large=1_200, small=20) as graph:
        tight = graph.narrow("large", Scanning(max_rows=500))
        found = (await tight.data(f"{{ opportunities(first: 10, {BY_TITLE}) {{ nodes {{ crm {{ key }} }} totalCount {SOURCES} }} }}"))[
            "opportunities"
        ]

    large, small = found["sources"]
    assert (large["status"], large["code"], large["totalCount"]) == ("FAILED", "SCAN_BUDGET_EXCEEDED", None)
    assert (small["status"], small["rows"], small["totalCount"]) == ("OK", 10, 20)
    assert found["totalCount"] is None
    assert {node["crm"]["key"] for node in found["nodes"]} == {"small"}


async def test_a_filter_that_finds_nothing_in_its_budget_goes_on_where_it_stopped() -> None:
    async with autotask_graph(large=1_200) as graph:
        tight = graph.narrow("large", Scanning(max_rows=400))
        table = graph.table("large", "Opportunities")
        last = max(table.rows)
        table.rows[last]["title"] = "The needle"

        query = """query($after: String) { opportunities(first: 5, after: $after, filter: { title: { contains: "needle" } }) {
            nodes { title } pageInfo { hasNextPage endCursor } sources { status code } } }"""
        after: str | None = None
        pages = 0
        titles: list[str] = []
        while pages < 10:
            page = (await tight.data(query, after=after))["opportunities"]
            pages += 1
            titles += [node["title"] for node in page["nodes"]]
            if not page["pageInfo"]["hasNextPage"]:
                break
            assert page["sources"] == [{"status": "PARTIAL", "code": "SCAN_BUDGET_EXCEEDED"}]
            after = page["pageInfo"]["endCursor"]

    assert titles == ["The needle"]
    assert 2 <= pages <= 4


async def test_lists_of_many_parents_are_read_together_where_the_vendor_can() -> None:
    async with autotask_graph(one=200) as graph:
        found = await graph.data(
            "{ accounts(first: 30) { nodes { opportunities(first: 2) { nodes { title } } contacts(first: 2) { nodes { name } } } } }"
        )

        made = graph.calls("one")

    assert len(found["accounts"]["nodes"]) > 10
    assert made.count("Opportunities.query") <= 4
    assert made.count("Contacts.query") <= 4


async def test_a_list_that_was_read_with_others_goes_on_by_itself() -> None:
    whole = "query($id: ID!) { account(id: $id) { opportunities(first: 100) { nodes { id } } } }"
    more = """query($id: ID!, $after: String) { account(id: $id) { opportunities(first: 2, after: $after) {
        nodes { id } pageInfo { hasNextPage endCursor } } } }"""
    async with autotask_graph(one=120) as graph:
        listed = await graph.data(
            "{ accounts(first: 10) { nodes { id opportunities(first: 2) { nodes { id } pageInfo { hasNextPage endCursor } } } } }"
        )
        checked = 0
        for account in listed["accounts"]["nodes"]:
            rows: list[str] = []
            page = account["opportunities"]
            while True:
                rows += [node["id"] for node in page["nodes"]]
                if not page["pageInfo"]["hasNextPage"]:
                    break
                page = (await graph.data(more, id=account["id"], after=page["pageInfo"]["endCursor"]))["account"]["opportunities"]
                checked += 1
            alone = (await graph.data(whole, id=account["id"]))["account"]["opportunities"]["nodes"]
            assert rows == [node["id"] for node in alone]

    assert checked


async def test_a_page_of_rows_that_cannot_be_read_takes_nothing_from_the_others() -> None:
    async with whole_graph() as graph:
        graph.break_down("americas", Fault(kind="bad_row"))
        for first in (1, 4, 5, 20):
            found = (
                await graph.data(f"query($n: Int!) {{ opportunities(first: $n) {{ nodes {{ id crm {{ key }} }} {SOURCES} }} }}", n=first)
            )["opportunities"]

            assert len(found["nodes"]) == first
            assert {source["crm"]["key"] for source in found["sources"] if source["status"] != "OK"} <= {"americas"}
            assert len(graph.calls("americas")) < 10


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("first: 0", "BAD_USER_INPUT", "`first` must be from 1 to 100"),
        ("last: 101", "BAD_USER_INPUT", "`last` must be from 1 to 100"),
        ("first: 1, last: 1", "BAD_USER_INPUT", "not both at once"),
        ('first: 1, before: "x"', "BAD_USER_INPUT", "not both at once"),
        ('after: "x"', "INVALID_CURSOR", "no cursor of this graph"),
        ("filter: { probability: { gte: 60, lt: 60 } }", "BAD_USER_INPUT", "`probability`: its `gte` is its `lt`"),
        ('filter: { expectedCloseDate: { gt: "2026-03-01", lte: "2026-02-01" } }', "BAD_USER_INPUT", "`expectedCloseDate`"),
        ('filter: { createdAt: { gte: "2026-01-01" } }', "BAD_USER_INPUT", "has no offset"),
        ('filter: { expectedCloseDate: { gte: "2027-02-30" } }', "BAD_USER_INPUT", "is no day"),
        ('filter: { createdAt: { gte: "0001-01-01T00:00:00+14:00" } }', "BAD_USER_INPUT", "outside the years"),
        ('filter: { amount: { gte: "NaN", currency: "EUR" } }', "BAD_USER_INPUT", "no decimal number"),
        ('filter: { amount: { gte: "1" } }', "BAD_USER_INPUT", "Name the `currency`"),
        ('filter: { amount: { gte: "1", currency: "euro" } }', "BAD_USER_INPUT", "three capital letters"),
        ("orderBy: [{ field: AMOUNT }]", "BAD_USER_INPUT", "Name the `currency`"),
        ('orderBy: [{ field: TITLE, currency: "EUR" }]', "BAD_USER_INPUT", "only AMOUNT"),
        ("orderBy: [{ field: TITLE }, { field: TITLE, descending: true }]", "BAD_USER_INPUT", "twice"),
        ('filter: { crms: ["nobody"] }', "UNKNOWN_CRM", "'nobody'"),
        ('filter: { not: { ownerIds: ["x"] } }', "INVALID_ID", "no id of this graph"),
        (f'filter: {{ stageIds: ["{encode("User", Ref("left", "1"))}"] }}', "INVALID_ID", "id of the type User"),
        (f'filter: {{ ownerIds: ["{encode("User", Ref("nobody", "1"))}"] }}', "UNKNOWN_CRM", "'nobody'"),
    ],
)
async def test_what_cannot_be_meant_is_refused(twins: Graph, arguments: str, code: str, words: str) -> None:
    error = await twins.error(f"{{ opportunities({arguments}) {{ nodes {{ id }} }} }}")

    assert (error.extensions or {})["code"] == code
    assert words in error.message


async def test_a_cursor_belongs_to_its_filter_and_order(twins: Graph) -> None:
    start = await twins.data(
        "{ opportunities(first: 2, orderBy: [{ field: TITLE }], filter: { status: [OPEN, WON] }) { pageInfo { endCursor } } }"
    )
    query = "query($after: String!) {{ opportunities(first: 2, after: $after, {}) {{ nodes {{ id }} }} }}"
    after = start["opportunities"]["pageInfo"]["endCursor"]

    same = await twins.data(query.format("orderBy: [{ field: TITLE }], filter: { status: [WON, OPEN] }"), after=after)
    for other in ("orderBy: [{ field: TITLE }]", "orderBy: [{ field: TITLE, descending: true }], filter: { status: [OPEN, WON] }"):
        error = await twins.error(query.format(other), after=after)
        assert (error.extensions or {})["code"] == "INVALID_CURSOR"

    assert len(same["opportunities"]["nodes"]) == 2


async def test_a_filter_that_says_nothing_is_none(twins: Graph) -> None:
    start = await twins.data("{ opportunities(first: 2, filter: {}, orderBy: []) { pageInfo { endCursor } } }")
    after = start["opportunities"]["pageInfo"]["endCursor"]

    page = await twins.data("query($after: String!) { opportunities(first: 2, after: $after) { nodes { id } } }", after=after)
    error = await twins.error("query($after: String!) { opportunities(after: $after) { nodes { id } } }", after=after + "=")

    assert len(page["opportunities"]["nodes"]) == 2
    assert (error.extensions or {})["code"] == "INVALID_CURSOR"


async def test_a_cursor_is_taken_by_another_server_with_the_same_key(twins: Graph) -> None:
    first = (await twins.data("{ opportunities(first: 3, orderBy: [{ field: TITLE }]) { nodes { id } pageInfo { endCursor } } }"))[
        "opportunities"
    ]
    query = "query($after: String!) { opportunities(first: 3, after: $after, orderBy: [{ field: TITLE }]) { nodes { id } } }"
    here = await twins.data(query, after=first["pageInfo"]["endCursor"])

    other = Graph(twins.grounds)
    there = await other.data(query, after=first["pageInfo"]["endCursor"])
    other.make = ContextMaker({key: ground.crm for key, ground in twins.grounds.items()}, SignedCursors(b"another key than that one"))
    refused = await other.error(query, after=first["pageInfo"]["endCursor"])

    assert there == here
    assert (refused.extensions or {})["code"] == "INVALID_CURSOR"


async def test_unknown_ids_and_empty_lists_fit_nothing_and_cost_nothing(twins: Graph) -> None:
    nobody = encode("User", Ref("left", "999999999"))
    found = await twins.data("{ opportunities(filter: { status: [] }) { nodes { id } totalCount sources { status vendorCalls } } }")
    calls(twins)
    owned = await twins.data("query($ids: [ID!]) { opportunities(filter: { ownerIds: $ids }) { nodes { id } totalCount } }", ids=[nobody])

    assert found["opportunities"] == {"nodes": [], "totalCount": 0, "sources": [{"status": "SKIPPED", "vendorCalls": 0}] * 2}
    assert owned["opportunities"] == {"nodes": [], "totalCount": 0}
    assert twins.calls("right") == []


async def test_a_crm_that_fails_while_it_is_scanned_says_so_and_is_whole_again_later() -> None:
    query = f"query($after: String) {{ opportunities(first: 100, after: $after, {BY_TITLE}) {{ nodes {{ id }} totalCount {SOURCES} }} }}"
    async with autotask_graph(left=1_200, right=30) as graph:
        await graph.data("{ opportunities(first: 1) { nodes { id } } }")
        graph.calls("left")
        graph.break_down("left", Fault(kind="status", status=400, match="Opportunities.query", skip=1))
        broken = (await graph.data(query))["opportunities"]
        graph.mend("left")
        whole = (await graph.data(query))["opportunities"]

    assert [(source["status"], source["totalCount"]) for source in broken["sources"]] == [("FAILED", None), ("OK", 30)]
    assert broken["totalCount"] is None
    assert len(broken["nodes"]) == 30
    assert whole["totalCount"] == 1_230


async def test_my_deals_in_all_crms_are_found_by_e_mail() -> None:
    async with whole_graph() as graph:
        users = (await graph.data("{ users(first: 100) { nodes { email crm { key } } } }"))["users"]["nodes"]
        emails = [user["email"] for user in users if user["email"]]
        shared = max(emails, key=lambda email: sum(other.casefold() == email.casefold() for other in emails))
        found = await graph.data(
            "query($e: [String!]) { opportunities(first: 100, filter: { ownerEmails: $e }) { nodes { crm { key } owner { email } } } }",
            e=[shared.upper()],
        )

    assert {node["owner"]["email"].casefold() for node in found["opportunities"]["nodes"]} == {shared.casefold()}
    assert len({node["crm"]["key"] for node in found["opportunities"]["nodes"]}) > 1


async def test_people_and_companies_are_found_by_text() -> None:
    async with whole_graph() as graph:
        found = await graph.data(
            '{ accounts(first: 100, filter: { text: "CRANE" }) { nodes { name email phone website } totalCount }'
            ' contacts(first: 100, filter: { text: "mar" }) { nodes { name email phone title } totalCount }'
            ' users(first: 100, filter: { text: "tove" }) { nodes { name email } totalCount } }'
        )

    for name, needle in (("accounts", "crane"), ("contacts", "mar"), ("users", "tove")):
        rows = found[name]["nodes"]
        assert rows
        assert all(any(needle in (text or "").casefold() for text in row.values()) for row in rows)
        assert found[name]["totalCount"] == len(rows)


async def test_the_failure_of_a_crm_is_in_errors_where_nobody_reads_sources(twins: Graph) -> None:
    twins.break_down("left", Fault(kind="status", status=503))

    result = await twins.answer(f"{{ opportunities(first: 5, {BY_TITLE}) {{ nodes {{ crm {{ key }} }} }} }}")

    assert codes(result) == ["UNAVAILABLE"]
    assert result.data is not None
    assert {node["crm"]["key"] for node in result.data["opportunities"]["nodes"]} == {"right"}
