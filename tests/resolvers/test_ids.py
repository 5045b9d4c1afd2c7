"""Global ids, and the roots that take them."""

import base64
from typing import Any, cast

import pytest

from resolvers.errors import UserError
from resolvers.node_id import NodeId, decode, encode
from tests.resolvers.graph import Graph, codes
from vendors.model import Ref
from vendors.sandbox import Fault

NODE = "query($id: ID!) { node(id: $id) { __typename id } }"
NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
TYPES = ["opportunity", "account", "contact", "user", "pipeline", "stage"]


def plain(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_an_id_keeps_its_parts() -> None:
    assert decode(encode("Stage", Ref("service", "1:2~%7E:é"))) == NodeId("Stage", Ref("service", "1:2~%7E:é"))


def test_an_id_is_base64_of_its_parts() -> None:
    assert base64.b64decode(encode("Account", Ref("service", "0"))) == b"Account:service:0"


@pytest.mark.parametrize(
    "text", ["", "x", "!!!!", "ü", "T3A=\n", plain("Account"), plain("Account:service"), plain(":service:1"), "/+/+", "//8="]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no id of this graph"):
        decode(text)


async def every_id(graph: Graph) -> dict[str, dict[str, Any]]:
    """Records of all types by their id, as an answer about opportunities shows them."""
    query = """
    {
      crms { id __typename key }
      opportunities(first: 60) {
        nodes {
          id __typename title
          owner { id __typename name }
          account { id __typename name }
          contacts { id __typename name }
          stage { id __typename name }
          pipeline { id __typename name }
        }
      }
    }
    """
    found: dict[str, dict[str, Any]] = {}
    waiting: list[Any] = [await graph.data(query)]
    while waiting:
        item: Any = waiting.pop()
        if isinstance(item, dict):
            values = cast("dict[str, Any]", item)
            waiting.extend(values.values())
            if "id" in values:
                found[values["id"]] = {name: value for name, value in values.items() if isinstance(value, str)}
        elif item is not None and not isinstance(item, str):
            waiting.extend(item)
    return found


async def test_every_id_of_an_answer_is_found_again_and_gives_the_same_record(graph: Graph) -> None:
    shown = await every_id(graph)
    ids = list(shown)
    query = """
    query($ids: [ID!]!) {
      nodes(ids: $ids) {
        id __typename
        ... on Opportunity { title }
        ... on User { name }
        ... on Account { name }
        ... on Contact { name }
        ... on Stage { name }
        ... on Pipeline { name }
        ... on Crm { key }
      }
    }
    """

    found = [node for at in range(0, len(ids), 100) for node in (await graph.data(query, ids=ids[at : at + 100]))["nodes"]]

    assert {record["__typename"] for record in shown.values()} == {"Crm", "Opportunity", "User", "Account", "Contact", "Stage", "Pipeline"}
    assert [node["id"] for node in found] == ids
    for node in found:
        assert {name: value for name, value in node.items() if value is not None} == shown[node["id"]]


@pytest.mark.parametrize("root", TYPES)
async def test_a_record_is_found_by_the_root_of_its_type(twins: Graph, root: str) -> None:
    type_name = root.capitalize()
    shown = next(record for record in (await every_id(twins)).values() if record["__typename"] == type_name)

    found = await twins.data(f"query($id: ID!) {{ {root}(id: $id) {{ id __typename }} }}", id=shown["id"])

    assert found == {root: {"id": shown["id"], "__typename": type_name}}


@pytest.mark.parametrize("root", [*TYPES, "node"])
async def test_an_unknown_record_is_null_without_an_error(twins: Graph, root: str) -> None:
    type_name = "Account" if root == "node" else root.capitalize()

    for local_id in ("987654", "no number", "1:2", ""):
        found = await twins.data(f"query($id: ID!) {{ {root}(id: $id) {{ id }} }}", id=encode(type_name, Ref("left", local_id)))
        assert found == {root: None}


@pytest.mark.parametrize("root", [*TYPES, "node"])
@pytest.mark.parametrize("identifier", ["", "311", "not base64!", plain("Opportunity:left")])
async def test_a_malformed_id_is_refused_before_any_call(twins: Graph, root: str, identifier: str) -> None:
    error = await twins.error(f"query($id: ID!) {{ {root}(id: $id) {{ id }} }}", id=identifier)

    assert error.extensions == {"code": "INVALID_ID"}
    assert error.path == [root]
    assert twins.calls("left") == []


async def test_an_id_of_another_type_is_refused_with_both_types(twins: Graph) -> None:
    error = await twins.error("query($id: ID!) { account(id: $id) { id } }", id=encode("User", Ref("left", "29682885")))

    assert error.extensions == {"code": "INVALID_ID"}
    assert "id of the type User; this field takes one of Account" in error.message


async def test_an_id_of_a_type_that_does_not_exist_is_refused_in_a_short_message(twins: Graph) -> None:
    error = await twins.error(NODE, id=encode("X" * 5_000, Ref("left", "1")))

    assert error.extensions == {"code": "INVALID_ID"}
    assert len(error.message) < 400


@pytest.mark.parametrize("root", [*TYPES, "node"])
async def test_an_id_of_an_unknown_crm_is_refused(twins: Graph, root: str) -> None:
    type_name = "Account" if root == "node" else root.capitalize()

    error = await twins.error(f"query($id: ID!) {{ {root}(id: $id) {{ id }} }}", id=encode(type_name, Ref("elsewhere", "1")))

    assert error.extensions == {"code": "UNKNOWN_CRM"}


async def test_a_crm_is_a_node(twins: Graph) -> None:
    identifier = (await twins.data('{ crm(key: "right") { id } }'))["crm"]["id"]

    found = await twins.data("query($id: ID!) { node(id: $id) { ... on Crm { key vendor label } } }", id=identifier)

    assert found["node"]["key"] == "right"
    assert found["node"]["vendor"] == "AUTOTASK"
    assert base64.b64decode(identifier) == b"Crm:right:"


async def test_a_crm_has_one_id_only(twins: Graph) -> None:
    assert await twins.data(NODE, id=plain("Crm:right:1")) == {"node": None}


async def test_an_unknown_crm_key_is_told(twins: Graph) -> None:
    error = await twins.error('{ crm(key: "nobody") { key } }')

    assert error.extensions == {"code": "UNKNOWN_CRM"}
    assert "'nobody'" in error.message


async def test_nodes_keep_the_order_of_the_ids_with_gaps_and_repetitions(twins: Graph) -> None:
    ids = [
        encode("Account", Ref("right", "174")),
        encode("Account", Ref("left", "987654")),
        encode("Account", Ref("left", "0")),
        encode("Crm", Ref("left", "")),
        encode("Account", Ref("right", "174")),
    ]

    found = (await twins.data(NODES, ids=ids))["nodes"]

    assert [node and node["id"] for node in found] == [ids[0], None, ids[2], ids[3], ids[4]]


async def test_nodes_of_one_type_are_one_call_for_each_crm(twins: Graph) -> None:
    ids = [encode("Account", Ref(key, local_id)) for local_id in ("0", "174", "29683512") for key in ("left", "right")]

    await twins.data(NODES, ids=ids)

    assert twins.calls("left") == twins.calls("right") == ["zoneInformation", "Companies.query"]


async def test_one_wrong_id_among_many_is_an_error_of_its_item_alone(twins: Graph) -> None:
    ids = ["garbage", encode("Account", Ref("left", "174")), encode("Account", Ref("elsewhere", "1"))]

    result = await twins.answer(NODES, ids=ids)

    assert result.data == {"nodes": [None, {"__typename": "Account", "id": ids[1]}, None]}
    assert [(error.path, (error.extensions or {})["code"]) for error in result.errors or ()] == [
        (["nodes", 0], "INVALID_ID"),
        (["nodes", 2], "UNKNOWN_CRM"),
    ]


async def test_nodes_of_a_failing_crm_leave_the_others(twins: Graph) -> None:
    twins.break_down("left", Fault(kind="html"))
    ids = [encode("Account", Ref(key, "174")) for key in ("left", "right")]

    result = await twins.answer(NODES, ids=ids)

    assert result.data is not None
    assert [node and node["id"] for node in result.data["nodes"]] == [None, ids[1]]
    assert codes(result) == ["MALFORMED"]


async def test_more_than_a_hundred_ids_are_refused(twins: Graph) -> None:
    error = await twins.error(NODES, ids=[encode("Account", Ref("left", str(number))) for number in range(101)])

    assert error.extensions == {"code": "BAD_USER_INPUT"}
    assert twins.calls("left") == []


async def test_a_local_id_may_be_zero(twins: Graph) -> None:
    found = await twins.data("query($id: ID!) { account(id: $id) { name vendorId } }", id=encode("Account", Ref("left", "0")))

    assert found["account"] == {"name": "Nordkai Service Ltd", "vendorId": "0"}
