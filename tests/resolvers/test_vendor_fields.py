"""Fields that only one vendor has."""

from resolvers.node_id import encode
from tests.resolvers.graph import Graph
from vendors.model import Ref
from vendors.sandbox import Fault


async def test_exactly_the_fields_of_the_records_own_vendor_are_filled(graph: Graph) -> None:
    vendors = sorted(ground.crm.vendor.key for ground in graph.grounds.values())
    selection = " ".join(f"{vendor} {{ __typename }}" for vendor in vendors)

    nodes = (await graph.data(f"{{ opportunities(first: 100) {{ nodes {{ crm {{ vendor }} {selection} }} }} }}"))["opportunities"]["nodes"]

    assert {node["crm"]["vendor"] for node in nodes} == {vendor.upper() for vendor in vendors}
    for node in nodes:
        assert [vendor for vendor in vendors if node[vendor] is not None] == [node["crm"]["vendor"].lower()]


async def test_a_vendors_own_values_are_shown_beside_the_unified_ones(twins: Graph) -> None:
    query = """
    query($id: ID!) {
      opportunity(id: $id) {
        status statusLabel cost { amount currency }
        autotask { status { value label isActive } winReasonDetail onetimeRevenue closedDate useQuoteTotals primaryCompetitor { value } }
      }
    }
    """

    found = await twins.data(query, id=encode("Opportunity", Ref("left", "311")))

    assert found["opportunity"] == {
        "status": "WON",
        "statusLabel": "Implemented",
        "cost": {"amount": "29884.0", "currency": "GBP"},
        "autotask": {
            "status": {"value": "4", "label": "Implemented", "isActive": True},
            "winReasonDetail": "Covered by the frame contract",
            "onetimeRevenue": "48200.0",
            "closedDate": "2026-01-12",
            "useQuoteTotals": False,
            "primaryCompetitor": {"value": "3"},
        },
    }


async def test_relations_among_a_vendors_own_fields_load_in_the_same_batch(twins: Graph) -> None:
    query = """
    { opportunities(first: 100, crms: ["left"]) { nodes { owner { name } createdBy { id } autotask { creatorResource { id name } } } } }
    """

    nodes = (await twins.data(query))["opportunities"]["nodes"]

    assert sum(node["autotask"]["creatorResource"] is not None for node in nodes) > 20
    for node in nodes:
        mine = node["autotask"]["creatorResource"]
        assert (mine and mine["id"]) == (node["createdBy"] and node["createdBy"]["id"])
    assert twins.calls("left").count("Resources.query") == 1


async def test_a_relation_among_a_vendors_own_fields_that_fails_is_null_alone(twins: Graph) -> None:
    twins.break_down("left", Fault(kind="status", status=403, match="Resources"))

    result = await twins.answer(
        '{ opportunities(first: 1, crms: ["left"]) { nodes { title autotask { nextStep creatorResource { name } } } } }'
    )

    assert result.data is not None
    assert result.data["opportunities"]["nodes"][0]["autotask"]["creatorResource"] is None
    assert result.data["opportunities"]["nodes"][0]["title"]
    assert [error.path for error in result.errors or ()] == [["opportunities", "nodes", 0, "autotask", "creatorResource"]]


async def test_a_whole_number_that_does_not_fit_the_graphs_integers_is_null_and_no_mistake_of_the_client(twins: Graph) -> None:
    twins.table("left", "Opportunities").rows[311]["revenueSpread"] = 3_000_000_000

    result = await twins.answer(
        "query($id: ID!) { opportunity(id: $id) { title autotask { revenueSpread } } }", id=encode("Opportunity", Ref("left", "311"))
    )

    assert result.data is not None
    assert result.data["opportunity"] == {"title": "Gantry brake replacement, quay 2", "autotask": {"revenueSpread": None}}
    error = (result.errors or [])[0]
    assert error.path == ["opportunity", "autotask", "revenueSpread"]
    assert error.extensions == {"code": "INTERNAL"}
    assert "3000000000" not in error.message


async def test_custom_fields_come_with_their_definitions(twins: Graph) -> None:
    query = """
    {
      crm(key: "left") { customFieldDefinitions(appliesTo: "opportunity") { key label type appliesTo } }
      opportunities(first: 100, crms: ["left"]) { nodes { customFields { key label type value displayValue } } }
    }
    """

    found = await twins.data(query)

    definitions = {definition["key"]: definition for definition in found["crm"]["customFieldDefinitions"]}
    fields = [field for node in found["opportunities"]["nodes"] for field in node["customFields"]]
    assert any(field["value"] is not None for field in fields)
    assert all(definitions[field["key"]]["type"] == field["type"] for field in fields)
    assert {definition["appliesTo"] for definition in definitions.values()} == {"opportunity"}


async def test_crms_say_what_they_can_do(graph: Graph) -> None:
    crms = (await graph.data("{ crms { key vendor label capabilities pipelines { name stages { name order } } } }"))["crms"]

    assert [crm["key"] for crm in crms] == sorted(graph.grounds)
    for crm in crms:
        assert "LIST_OPPORTUNITIES" in crm["capabilities"]
        for pipeline in crm["pipelines"]:
            assert [stage["order"] for stage in pipeline["stages"]] == list(range(len(pipeline["stages"])))
