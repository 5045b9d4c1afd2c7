"""Defects of ours: masked, logged once, and contained in the Crm that they show with."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from resolvers.node_id import encode
from server.limits import Limits
from tests.resolvers.graph import SEEDED, Graph, autotask_graph, codes, crm_of
from vendors.capabilities import ById, Page, PageRequest, Row
from vendors.model import Opportunity, Pipeline, Ref, Selection, User
from vendors.query import NOTHING, Condition, Pushdown, Sort

SECRET = "psycopg://admin:hunter2@db"
MASKED = "Something went wrong on our side; the server's log has it under this request's id."


class EvaluatesNothing:
    """What a client's list of opportunities needs, where its vendor evaluates nothing."""

    def opportunities_pushdown(self, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:  # noqa: ARG002
        return NOTHING


class BrokenClient(EvaluatesNothing):
    """A client with a defect in everything it does."""

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        raise RuntimeError(f"{SECRET} {request}")

    async def opportunities_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:
        raise KeyError(f"{SECRET} {ids} {selection}")

    async def pipelines(self) -> Sequence[Pipeline]:
        raise ZeroDivisionError(SECRET)


class HalfBrokenClient(EvaluatesNothing):
    """A client that lists, and has a defect in reading users."""

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        records = [
            Opportunity(ref=Ref("broken", str(number)), title=f"Deal {number}", owner_ref=Ref("broken", str(number % 3)))
            for number in range(request.size)
        ]
        return Page(rows=[Row(record, record.local_id) for record in records], has_more=False, position=records[-1].local_id)

    async def users_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[User]:
        raise RuntimeError(f"{SECRET} {ids} {selection}")


class EndlessClient(EvaluatesNothing):
    """A client that takes no notice of the deadline."""

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        await asyncio.Event().wait()
        raise AssertionError(request)


def beside(twins: Graph, client: object, limits: Limits | None = None) -> Graph:
    """A graph with one more Crm, `broken`, which has that client."""
    return Graph(twins.grounds, more={"broken": crm_of(client, twins.grounds["left"].crm, key="broken")}, limits=limits)


def logged(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_defect_in_one_crm_leaves_the_others_rows(twins: Graph) -> None:
    graph = beside(twins, BrokenClient())

    result = await graph.answer("{ opportunities(first: 10) { nodes { crm { key } owner { name } } } }")

    assert result.data is not None
    nodes = result.data["opportunities"]["nodes"]
    assert len(nodes) == 10
    assert {node["crm"]["key"] for node in nodes} == {"left", "right"}
    assert all(node["owner"] for node in nodes)
    assert codes(result) == ["INTERNAL"]


async def test_a_defect_is_masked_and_logged_once(twins: Graph, caplog: pytest.LogCaptureFixture) -> None:
    error = await beside(twins, BrokenClient()).error("{ opportunities(first: 10) { nodes { id } } }")

    assert error.message == MASKED
    assert error.extensions == {"code": "INTERNAL", "crm": "broken", "vendor": "AUTOTASK", "retryable": False, "retryAfterMs": None}
    assert "hunter2" not in str(error.formatted)
    assert len(logged(caplog)) == 1
    assert "hunter2" in caplog.text


async def test_a_defect_is_logged_also_when_sources_tell_it(twins: Graph, caplog: pytest.LogCaptureFixture) -> None:
    found = await beside(twins, BrokenClient()).data("{ opportunities(first: 10) { sources { crm { key } status code message } } }")

    assert found["opportunities"]["sources"][0] == {"crm": {"key": "broken"}, "status": "FAILED", "code": "INTERNAL", "message": MASKED}
    assert len(logged(caplog)) == 1


async def test_a_defect_in_reading_pipelines_leaves_the_others_pipelines(twins: Graph, caplog: pytest.LogCaptureFixture) -> None:
    result = await beside(twins, BrokenClient()).answer("{ pipelines { crm { key } } }")

    assert result.data is not None
    assert [pipeline["crm"]["key"] for pipeline in result.data["pipelines"]] == ["left", "right"]
    assert codes(result) == ["INTERNAL"]
    assert len(logged(caplog)) == 1


async def test_a_defect_in_reading_by_id_is_the_error_of_that_id_alone(twins: Graph, caplog: pytest.LogCaptureFixture) -> None:
    ids = [encode("Opportunity", Ref("broken", "1")), encode("Opportunity", Ref("left", "311"))]

    result = await beside(twins, BrokenClient()).answer("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)

    assert result.data == {"nodes": [None, {"id": ids[1]}]}
    assert [(error.path, error.message) for error in result.errors or ()] == [(["nodes", 0], MASKED)]
    assert len(logged(caplog)) == 1


async def test_a_defect_behind_many_rows_is_logged_once(twins: Graph, caplog: pytest.LogCaptureFixture) -> None:
    result = await beside(twins, HalfBrokenClient()).answer(
        '{ opportunities(first: 9, crms: ["broken"]) { nodes { title owner { name } } } }'
    )

    assert result.data is not None
    assert len(result.data["opportunities"]["nodes"]) == 9
    assert codes(result) == ["INTERNAL"] * 9
    assert len(logged(caplog)) == 1


async def test_a_defect_in_a_field_of_a_crm_is_masked_and_logged_once(twins: Graph, caplog: pytest.LogCaptureFixture) -> None:
    error = await beside(twins, BrokenClient()).error('{ crm(key: "broken") { key pipelines { name } } }')

    assert (error.message, error.path, error.extensions) == (MASKED, ["crm", "pipelines"], {"code": "INTERNAL"})
    assert len(logged(caplog)) == 1


async def test_what_a_crm_cannot_do_is_told(twins: Graph) -> None:
    graph = beside(twins, EndlessClient())

    user = await graph.error("query($id: ID!) { user(id: $id) { name } }", id=encode("User", Ref("broken", "1")))
    crm = await graph.error('{ crm(key: "broken") { baseCurrency pipelines { name } } }')
    capabilities = await graph.data('{ crm(key: "broken") { capabilities } }')

    assert (user.extensions or {})["code"] == (crm.extensions or {})["code"] == "NOT_SUPPORTED"
    assert user.message == "The CRM 'broken' cannot read users; `Crm.capabilities` tells what it can."
    assert capabilities == {"crm": {"capabilities": ["LIST_OPPORTUNITIES"]}}


async def test_a_client_that_ignores_the_deadline_ends_with_the_operation(twins: Graph) -> None:
    graph = beside(twins, EndlessClient(), Limits(deadline_seconds=0.1, grace_seconds=0.1))

    error = await graph.error("{ opportunities(first: 10) { nodes { id } } }")

    assert (error.extensions or {})["code"] == "TIMEOUT"


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("{ nothing }", "Cannot query field 'nothing'"),
        ("{ opportunities(first: x) { nodes { id } } }", "Int cannot represent"),
        ("{ opportunities {", "Syntax Error"),
        ("query($id: ID!) { node(id: $id) { id } }", "non-null type 'ID!'"),
        ("{ node { id } }", "of type 'ID!' is required"),
    ],
)
async def test_mistakes_of_a_request_are_not_masked(twins: Graph, query: str, part: str, caplog: pytest.LogCaptureFixture) -> None:
    error = await twins.error(query)

    assert part in error.message
    assert (error.extensions or {})["code"] == "BAD_USER_INPUT"
    assert logged(caplog) == []


async def test_a_value_of_a_variable_that_does_not_fit_is_not_masked(twins: Graph) -> None:
    error = await twins.error("query($first: Int!) { opportunities(first: $first) { nodes { id } } }", first="many")

    assert "Int cannot represent" in error.message
    assert (error.extensions or {})["code"] == "BAD_USER_INPUT"


async def test_mistakes_of_a_request_are_not_logged_as_errors(twins: Graph, caplog: pytest.LogCaptureFixture) -> None:
    for query in ("{ opportunities(first: 0) { nodes { id } } }", '{ crm(key: "x") { key } }', '{ node(id: "x") { id } }'):
        assert (await twins.answer(query)).errors

    assert logged(caplog) == []


async def test_one_answer_holds_the_errors_of_fields_and_of_lists() -> None:
    async with autotask_graph(left=SEEDED) as graph:
        more = {"broken": crm_of(BrokenClient(), graph.grounds["left"].crm, key="broken")}
        both = Graph(graph.grounds, more=more)

        result = await both.answer('{ opportunities(first: 2) { nodes { id } } crm(key: "nobody") { key } }')

    found: dict[Any, str] = {tuple(error.path or ()): code for error, code in zip(result.errors or (), codes(result), strict=True)}
    assert found == {("opportunities",): "INTERNAL", ("crm",): "UNKNOWN_CRM"}


async def streamed(graph: Graph, query: str) -> list[Any]:
    """All results of an operation over a transport that streams, such as a WebSocket."""
    return [result async for result in await graph.schema.stream(query, context_value=graph.make())]


async def test_a_defect_is_masked_and_logged_once_over_a_socket_too(twins: Graph, caplog: pytest.LogCaptureFixture) -> None:
    (result,) = await streamed(beside(twins, BrokenClient()), '{ crm(key: "broken") { key pipelines { name } } }')

    assert result.data == {"crm": {"key": "broken", "pipelines": None}}
    assert [error.message for error in result.errors] == [MASKED]
    assert codes(result) == ["INTERNAL"]
    assert len(logged(caplog)) == 1


async def test_the_failure_of_a_crm_is_told_over_a_socket_too(twins: Graph, caplog: pytest.LogCaptureFixture) -> None:
    (result,) = await streamed(beside(twins, BrokenClient()), "{ opportunities(first: 4) { nodes { id } } }")

    assert len(result.data["opportunities"]["nodes"]) == 4
    assert [(error.path, error.message) for error in result.errors] == [(["opportunities"], MASKED)]
    assert len(logged(caplog)) == 1


async def test_a_mistake_of_a_request_is_told_over_a_socket_too(twins: Graph) -> None:
    (result,) = await streamed(twins, "{ nothing }")

    assert codes(result) == ["BAD_USER_INPUT"]
    assert "Cannot query field" in result.errors[0].message
