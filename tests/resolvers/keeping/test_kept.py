"""What an operation may take from what earlier ones have read."""

import pytest

from resolvers.node_id import encode
from tests.live import live
from tests.resolvers.keeping.graph import BOARD, KeepingGraph, nodes
from tests.resolvers.test_over_http import ask
from vendors.model import Ref
from vendors.sandbox import Fault


async def test_a_board_over_every_vendor_is_shown_again_without_a_call(whole: KeepingGraph) -> None:
    first = await whole.data(BOARD, age=60)
    assert set(whole.all_calls()) == set(whole.grounds)

    again = await whole.data(BOARD, age=60)

    assert whole.all_calls() == {}
    assert nodes(again) == nodes(first)
    assert {source["vendorCalls"] for source in again["opportunities"]["sources"]} == {0}


@pytest.mark.parametrize(
    "arguments",
    [
        "filter: { status: [OPEN] }",
        "filter: { probability: { gte: 10 } }",
        'filter: { accountName: { contains: "a" } }',
        'filter: { stageNames: ["Proposal"] }',
        "orderBy: [{ field: TITLE }]",
        'orderBy: [{ field: AMOUNT, currency: "EUR" }], filter: { status: [OPEN] }',
        "orderBy: [{ field: EXPECTED_CLOSE_DATE }]",
        "last: 10",
        "includeDeleted: true",
    ],
)
async def test_a_list_is_shown_again_without_a_call(arguments: str, whole: KeepingGraph) -> None:
    query = (
        f"{{ opportunities({arguments}, maxAge: 60) {{ nodes {{ id title account {{ name }} }} pageInfo {{ endCursor hasNextPage }}"
        " sources { status } } }"
    )
    first = await whole.data(query)
    assert whole.all_calls()

    again = await whole.data(query)

    assert whole.all_calls() == {}
    assert [node["id"] for node in nodes(again)] == [node["id"] for node in nodes(first)]
    assert again == first


async def test_pages_totals_and_lists_below_records_are_shown_again_without_a_call(whole: KeepingGraph) -> None:
    query = """query($after: String) { opportunities(first: 7, after: $after, maxAge: 60) { totalCount pageInfo { endCursor }
        nodes { title account { name opportunities(first: 3) { nodes { title } } contacts(first: 2) { nodes { name } } } } } }"""
    second = """{ accounts(first: 5, maxAge: 60) { nodes { name } } contacts(first: 5, maxAge: 60) { nodes { name } }
        users(first: 5, maxAge: 60) { nodes { name } } }"""
    first = await whole.data(query)
    behind = await whole.data(query, after=first["opportunities"]["pageInfo"]["endCursor"])
    parties = await whole.data(second)
    assert whole.all_calls()

    assert await whole.data(query) == first
    assert await whole.data(query, after=first["opportunities"]["pageInfo"]["endCursor"]) == behind
    assert await whole.data(second) == parties
    assert whole.all_calls() == {}


async def test_records_are_read_by_id_once_and_so_is_that_there_is_none(whole: KeepingGraph) -> None:
    ids = [node["id"] for node in nodes(await whole.data("{ opportunities(first: 10) { nodes { id } } }"))]
    ids += [encode("Contact", Ref(key, "4711471147")) for key in whole.grounds]
    query = "query($ids: [ID!]!) { nodes(ids: $ids, maxAge: 60) { id ... on Opportunity { title contacts { name } } } }"
    first = await whole.answer(query, ids=ids)
    whole.all_calls()

    again = await whole.answer(query, ids=ids)

    assert again.data == first.data
    assert set(whole.all_calls()) <= {error.extensions["crm"] for error in first.errors or () if error.extensions}


async def test_rows_of_a_list_are_found_by_their_ids(twins: KeepingGraph) -> None:
    found = await twins.data("{ opportunities(first: 3, maxAge: 60) { nodes { id title } } }")
    twins.all_calls()

    query = "query($id: ID!) { opportunity(id: $id, maxAge: 60) { title } node(id: $id, maxAge: 60) { id } }"
    shown = await twins.data(query, id=nodes(found)[2]["id"])

    assert shown["opportunity"]["title"] == nodes(found)[2]["title"]
    assert twins.all_calls() == {}


async def test_without_an_age_everything_is_read_anew_and_nothing_is_kept(twins: KeepingGraph) -> None:
    await twins.data(BOARD, age=0)
    twins.all_calls()

    kept = await twins.data(BOARD, age=60)
    assert set(twins.all_calls()) == {"left", "right"}
    anew = await twins.data(BOARD, age=0)

    assert set(twins.all_calls()) == {"left", "right"}
    assert nodes(anew) == nodes(kept)


async def test_a_record_that_was_read_with_few_fields_does_not_serve_who_asks_for_more(twins: KeepingGraph) -> None:
    few = "{ opportunities(first: 5, maxAge: 60) { nodes { title } } }"
    more = "{ opportunities(first: 5, maxAge: 60) { nodes { title amount { amount } autotask { assessmentScore } } } }"
    await twins.data(few)
    twins.all_calls()

    shown = await twins.data(more)
    assert set(twins.all_calls()) == {"left", "right"}
    assert any(node["amount"] for node in nodes(shown))
    await twins.data(few)
    assert twins.all_calls() == {}


async def test_a_list_with_deleted_rows_and_one_without_are_two(twins: KeepingGraph) -> None:
    plain = "{ opportunities(first: 60, maxAge: 60) { nodes { title } } }"
    await twins.data(plain)
    twins.all_calls()

    await twins.data(plain.replace("first", "includeDeleted: true, first"))

    assert set(twins.all_calls()) == {"left", "right"}


async def test_an_error_is_never_kept(twins: KeepingGraph) -> None:
    twins.break_down("left", Fault(kind="status", status=503))
    failed = await twins.data(BOARD, age=60)
    assert [source["status"] for source in failed["opportunities"]["sources"]] == ["FAILED", "OK"]
    twins.mend("left")
    twins.crms["left"].link.https[-1].circuit.succeeded()

    mended = await twins.data(BOARD, age=60)

    assert [source["status"] for source in mended["opportunities"]["sources"]] == ["OK", "OK"]
    assert {node["crm"]["key"] for node in nodes(mended)} == {"left", "right"}


async def test_a_page_with_rows_that_could_not_be_read_is_asked_for_again(twins: KeepingGraph) -> None:
    row = next(iter(twins.table("left", "Opportunities").rows.values()))
    title, row["title"] = row["title"], {"not": "a title"}
    failed = await twins.data(BOARD, age=60)
    assert [source["status"] for source in failed["opportunities"]["sources"]] == ["PARTIAL", "OK"]
    row["title"] = title

    mended = await twins.data(BOARD, age=60)

    assert [source["status"] for source in mended["opportunities"]["sources"]] == ["OK", "OK"]
    global_id = encode("Opportunity", Ref("left", str(row["id"])))
    assert global_id not in [node["id"] for node in nodes(failed)]
    assert global_id in [node["id"] for node in nodes(mended)]


async def test_rows_that_are_kept_are_not_what_a_stricter_field_reads_by_id(twins: KeepingGraph) -> None:
    for order in ("", "orderBy: [{ field: TITLE }]"):
        rows = f'opportunities(first: 4, maxAge: 60, crms: ["left"] {order}) {{ nodes {{ id title }} }}'
        shown = nodes(await twins.data(f"{{ {rows} }}"))[0]
        twins.calls("left")

        found = await twins.data(f"query($id: ID!) {{ {rows} opportunity(id: $id) {{ title }} }}", id=shown["id"])

        assert found["opportunity"]["title"] == nodes(found)[0]["title"] == shown["title"]
        assert len(twins.calls("left")) == 1


async def test_a_record_that_could_not_be_read_is_asked_for_again(twins: KeepingGraph) -> None:
    await twins.data("{ pipelines { name } users { nodes { name } } }")
    query = "{ opportunities(first: 4, maxAge: 60) { nodes { account { name } } } }"
    twins.break_down("left", Fault(kind="status", status=503, match="Companies"))
    failed = await twins.answer(query)
    assert failed.errors
    twins.mend("left")
    twins.crms["left"].link.https[-1].circuit.succeeded()

    mended = await twins.data(query)

    assert all(node["account"] for node in nodes(mended))


async def test_what_was_odd_in_a_list_is_told_again(twins: KeepingGraph) -> None:
    next(iter(twins.table("left", "Opportunities").rows.values()))["probability"] = 140
    first = await twins.answer(BOARD, age=60)
    again = await twins.answer(BOARD, age=60)

    told = (first.extensions or {})["warnings"]
    assert [(warning["code"], warning["crm"], warning["path"]) for warning in told] == [("PERCENT_OUT_OF_RANGE", "left", ["opportunities"])]
    assert (again.extensions or {})["warnings"] == told


@pytest.mark.parametrize("is_listed", [True, False])
async def test_what_was_odd_in_a_record_is_told_of_that_record(twins: KeepingGraph, *, is_listed: bool) -> None:
    odd, fine = list(twins.table("left", "Opportunities").rows)[:2]
    twins.table("left", "Opportunities").rows[odd]["probability"] = 140
    by_id = "query($ids: [ID!]!) { nodes(ids: $ids, maxAge: 60) { ... on Opportunity { probability } } }"
    ids = [encode("Opportunity", Ref("left", str(number))) for number in (odd, fine)]
    first = await twins.answer("{ opportunities(maxAge: 60) { nodes { probability } } }" if is_listed else by_id, ids=ids)
    twins.all_calls()

    both, one, other = [await twins.answer(by_id, ids=wanted) for wanted in (ids, ids[:1], ids[1:])]

    assert twins.all_calls() == {}
    told = [warning["message"] for answer in (first, both, one) for warning in (answer.extensions or {})["warnings"]]
    assert len(told) == 3
    assert len(set(told)) == 1
    assert "warnings" not in (other.extensions or {})


async def test_a_configured_server_keeps_what_it_reads() -> None:
    query = "{ opportunities(first: 10, maxAge: 300) { nodes { title owner { name } account { name } } } }"
    async with live() as running:
        _, first = await ask(running.url, query)
        for sandbox in running.sandboxes.values():
            sandbox.control.calls.clear()

        _, again = await ask(running.url, query)

        assert again["data"] == first["data"]
        assert set(again["extensions"]["ages"]) == set(running.sandboxes)
        assert all(0 < age < 300 for age in again["extensions"]["ages"].values())
        assert [sandbox.control.operations() for sandbox in running.sandboxes.values()] == [[]] * len(running.sandboxes)
