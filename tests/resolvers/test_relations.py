"""Relations: batched over the whole answer, isolated from each other, and never fetched for nothing."""

import json
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from resolvers.selection import selection_of
from tests.resolvers.graph import Graph, codes
from vendors.sandbox import Fault

FIFTY = """
{
  opportunities(first: 100) {
    nodes {
      title
      owner { name }
      createdBy { name }
      account { name owner { name } }
      accounts { name }
      primaryContact { name }
      contacts { name account { name } }
      stage { name }
      pipeline { name }
      amount { amount currency }
    }
  }
}
"""


async def by_id(graph: Graph, key: str, vendor_id: int) -> str:
    """The global id of an opportunity."""
    query = "query($key: String!) { opportunities(first: 100, crms: [$key]) { nodes { id vendorId } } }"
    nodes = (await graph.data(query, key=key))["opportunities"]["nodes"]
    return next(str(node["id"]) for node in nodes if node["vendorId"] == str(vendor_id))


def asked_fields(graph: Graph, key: str, operation: str) -> list[set[str]]:
    """The fields that every call of an operation asked the vendor for."""
    calls = [call for call in graph.grounds[key].control.calls if call.operation == operation]
    return [set(json.loads(call.body)["IncludeFields"]) for call in calls]


async def test_fifty_opportunities_cost_one_call_for_each_entity_and_crm(twins: Graph) -> None:
    nodes = (await twins.data(FIFTY))["opportunities"]["nodes"]

    assert len(nodes) == 100
    for key in ("left", "right"):
        assert sorted(twins.calls(key)) == [
            "Companies.query",
            "Contacts.query",
            "Currencies.query",
            "Opportunities.fields",
            "Opportunities.query",
            "Resources.query",
            "zoneInformation",
        ]


async def test_small_tables_are_kept_from_one_operation_to_the_next(twins: Graph) -> None:
    await twins.data(FIFTY)
    twins.calls("left")

    await twins.data(FIFTY)

    assert sorted(twins.calls("left")) == ["Companies.query", "Contacts.query", "Opportunities.query"]


async def test_aliases_share_the_loads_of_their_records(twins: Graph) -> None:
    query = """
    {
      one: opportunities(first: 6) { nodes { buyer: account { name } customer: account { phone } owner { name } } }
      two: opportunities(first: 6) { nodes { account { name } boss: owner { name } } }
    }
    """

    found = await twins.data(query)

    assert [row["buyer"]["name"] for row in found["one"]["nodes"]] == [row["account"]["name"] for row in found["two"]["nodes"]]
    for key in ("left", "right"):
        assert sorted(twins.calls(key)) == ["Companies.query", "Opportunities.query", "Resources.query", "zoneInformation"]


async def test_a_record_that_an_upper_level_loaded_is_not_loaded_again_below(twins: Graph) -> None:
    query = '{ opportunities(first: 2, crms: ["left"]) { nodes { account { id name } primaryContact { account { id name } } } } }'

    for node in (await twins.data(query))["opportunities"]["nodes"]:
        assert node["primaryContact"]["account"] == node["account"]

    assert twins.calls("left").count("Companies.query") == 1


async def test_a_level_below_loads_only_what_is_new(twins: Graph) -> None:
    query = '{ opportunities(first: 100, crms: ["left"]) { nodes { account { name parent { name } } } } }'

    nodes = (await twins.data(query))["opportunities"]["nodes"]

    parents = {node["account"]["parent"]["name"] for node in nodes if node["account"] and node["account"]["parent"]}
    assert "Harbour Lines Ltd" in parents
    assert twins.calls("left").count("Companies.query") <= 2


@pytest.mark.parametrize(
    ("selection", "operations"),
    [
        ("title", ["Opportunities.query"]),
        ("id crm { key label vendor } vendorId", ["Opportunities.query"]),
        ("amount { amount }", ["Opportunities.query"]),
        ("status", ["Opportunities.fields", "Opportunities.query"]),
        ("owner { name }", ["Opportunities.query", "Resources.query"]),
        ("stage { name }", ["Opportunities.fields", "Opportunities.query"]),
        ("contacts { name }", ["Contacts.query", "Opportunities.query"]),
        ("accountName", ["Companies.query", "Opportunities.query"]),
        ("amount { currency }", ["Companies.query", "Currencies.query", "Opportunities.query"]),
        ("autotask { nextStep }", ["Opportunities.query"]),
    ],
)
async def test_only_what_is_selected_is_fetched(twins: Graph, selection: str, operations: list[str]) -> None:
    await twins.data("{ opportunities(first: 1) { nodes { id } } }")
    twins.calls("left")

    await twins.data(f"{{ opportunities(first: 5) {{ nodes {{ {selection} }} }} }}")

    assert sorted(twins.calls("left")) == operations


async def test_the_vendor_is_asked_for_the_selected_fields_only(twins: Graph) -> None:
    await twins.data("{ opportunities(first: 5) { nodes { title owner { name } } } }")

    assert asked_fields(twins, "left", "Opportunities.query") == [{"id", "title", "ownerResourceID"}]


async def test_fields_of_fragments_and_aliases_are_asked_for_together(twins: Graph) -> None:
    query = """
    query($no: Boolean = false) {
      opportunities(first: 5, crms: ["left"]) {
        nodes { name: title ...Who ... on CrmRecord { vendorId } ... @include(if: $no) { description } }
        edges { node { ... on Opportunity { account { ...Company } } } }
      }
    }
    fragment Who on Opportunity { boss: owner { name } account { tel: phone } }
    fragment Company on Account { name }
    """

    await twins.data(query)

    assert asked_fields(twins, "left", "Opportunities.query") == [{"id", "title", "ownerResourceID", "companyID", "description"}]
    assert asked_fields(twins, "left", "Companies.query") == [{"id", "companyName", "phone"}]


async def test_a_record_by_id_is_asked_for_the_selected_fields_only(twins: Graph) -> None:
    identifier = await by_id(twins, "left", 311)
    twins.calls("left")

    await twins.data("query($id: ID!) { node(id: $id) { id ... on Opportunity { title } ... on Account { phone } } }", id=identifier)

    assert asked_fields(twins, "left", "Opportunities.query") == [{"id", "title"}]


async def test_a_list_below_a_record_counts_as_nothing_that_is_read_of_it(twins: Graph) -> None:
    document = parse("{ account(id: 1) { name contacts { nodes { email } } opportunities { nodes { title } } } }")
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)

    found = selection_of(twins.schema._schema, document, operation)  # pyright: ignore[reportPrivateUsage]

    assert found.of("Account") == frozenset({"name"})
    assert found.of("Contact") == frozenset({"email"})


async def test_a_currency_asks_for_the_accounts_currency(twins: Graph) -> None:
    await twins.data("{ opportunities(first: 5) { nodes { amount { currency } } } }")

    assert asked_fields(twins, "left", "Companies.query") == [{"id", "currencyID"}]


async def test_an_expected_revenue_asks_for_what_it_is_made_of(twins: Graph) -> None:
    await twins.data("{ opportunities(first: 5) { nodes { expectedRevenue { amount } } } }")

    assert asked_fields(twins, "left", "Opportunities.query") == [{"id", "amount", "companyID", "probability", "status"}]
    assert asked_fields(twins, "left", "Companies.query") == [{"id", "currencyID"}]


@pytest.mark.parametrize(
    ("vendor_id", "relation"),
    [(29_701_431, "account"), (29_701_432, "owner"), (29_701_430, "primaryContact")],
)
async def test_a_relation_whose_record_is_gone_is_null_without_an_error(twins: Graph, vendor_id: int, relation: str) -> None:
    identifier = await by_id(twins, "left", vendor_id)

    found = await twins.data(f"query($id: ID!) {{ opportunity(id: $id) {{ title {relation} {{ name }} }} }}", id=identifier)

    assert found["opportunity"]["title"]
    assert found["opportunity"][relation] is None


async def test_an_item_whose_record_is_gone_is_a_gap_in_its_list(twins: Graph) -> None:
    identifier = await by_id(twins, "left", 29_701_430)

    found = await twins.data("query($id: ID!) { opportunity(id: $id) { contacts { name } } }", id=identifier)

    assert found["opportunity"]["contacts"] == [None]


async def test_a_list_without_items_is_empty(twins: Graph) -> None:
    identifier = await by_id(twins, "left", 29_701_425)

    found = await twins.data("query($id: ID!) { opportunity(id: $id) { contacts { name } primaryContact { name } } }", id=identifier)

    assert found["opportunity"] == {"contacts": [], "primaryContact": None}


async def test_items_that_cannot_be_loaded_are_null_one_by_one(twins: Graph) -> None:
    identifier = await by_id(twins, "left", 311)
    twins.break_down("left", Fault(kind="status", status=403, match="Contacts"))

    result = await twins.answer("query($id: ID!) { opportunity(id: $id) { title contacts { name } } }", id=identifier)

    assert result.data is not None
    assert result.data["opportunity"]["contacts"] == [None]
    assert [(error.path, (error.extensions or {})["code"]) for error in result.errors or ()] == [
        (["opportunity", "contacts", 0], "FORBIDDEN")
    ]


async def test_a_relation_that_fails_for_many_rows_is_asked_for_once(twins: Graph) -> None:
    twins.break_down("left", Fault(kind="status", status=403, match="Companies"))

    result = await twins.answer("{ opportunities(first: 20) { nodes { title account { name } } } }")

    assert set(codes(result)) == {"FORBIDDEN"}
    assert len(codes(result)) == 10
    assert twins.calls("left").count("Companies.query") == 1


LISTS = """
query Lists($id: ID!, $first: Int!, $contacts: String, $opportunities: String) {
  account(id: $id) {
    name
    contacts(first: $first, after: $contacts) { nodes { id name } pageInfo { hasNextPage endCursor } }
    opportunities(first: $first, after: $opportunities) {
      edges { cursor node { id account { id } } }
      pageInfo { hasNextPage endCursor }
      sources { crm { key } status rows }
    }
  }
}
"""


async def busiest(graph: Graph) -> str:
    nodes = (await graph.data('{ opportunities(first: 100, crms: ["left"]) { nodes { account { id name } } } }'))["opportunities"]["nodes"]
    return next(str(node["account"]["id"]) for node in nodes if node["account"] and node["account"]["name"] == "Harbour Lines Ltd")


@pytest.mark.parametrize("first", [1, 2, 100])
async def test_lists_of_an_account_page_like_any_other_list(twins: Graph, first: int) -> None:
    account = await busiest(twins)
    contacts: list[str] = []
    opportunities: list[str] = []
    at: dict[str, Any] = {"contacts": None, "opportunities": None}
    goes_on = {"contacts": True, "opportunities": True}

    while any(goes_on.values()):
        found = (await twins.data(LISTS, id=account, first=first, **at))["account"]
        contacts += [node["name"] for node in found["contacts"]["nodes"] if goes_on["contacts"]]
        opportunities += [edge["node"]["id"] for edge in found["opportunities"]["edges"] if goes_on["opportunities"]]
        assert all(edge["node"]["account"]["id"] == account for edge in found["opportunities"]["edges"])
        for name, place in list(at.items()):
            goes_on[name] = goes_on[name] and found[name]["pageInfo"]["hasNextPage"]
            at[name] = found[name]["pageInfo"]["endCursor"] if goes_on[name] else place

    assert len(contacts) == len(set(contacts)) == 3
    assert len(opportunities) == len(set(opportunities)) == 7


async def test_a_list_of_an_account_tells_its_source(twins: Graph) -> None:
    found = (await twins.data(LISTS, id=await busiest(twins), first=3))["account"]

    assert found["opportunities"]["sources"] == [{"crm": {"key": "left"}, "status": "OK", "rows": 3}]


async def test_a_cursor_of_another_account_is_refused(twins: Graph) -> None:
    nodes = (await twins.data("{ opportunities(first: 100) { nodes { account { id } } } }"))["opportunities"]["nodes"]
    one, other = list(dict.fromkeys(node["account"]["id"] for node in nodes if node["account"]))[:2]
    cursor = (await twins.data(LISTS, id=one, first=1))["account"]["opportunities"]["pageInfo"]["endCursor"]

    error = await twins.error(LISTS, id=other, first=1, opportunities=cursor)

    assert error.extensions == {"code": "INVALID_CURSOR"}


async def test_a_list_of_an_account_that_fails_is_null_alone(twins: Graph) -> None:
    account = await busiest(twins)
    twins.break_down("left", Fault(kind="status", status=403, match="Contacts"))

    result = await twins.answer(LISTS, id=account, first=3)

    assert result.data is not None
    assert result.data["account"]["contacts"] is None
    assert len(result.data["account"]["opportunities"]["edges"]) == 3
    assert [(error.path, (error.extensions or {})["code"]) for error in result.errors or ()] == [(["account", "contacts"], "FORBIDDEN")]


async def test_a_list_of_an_account_keeps_the_rows_that_can_be_read(twins: Graph) -> None:
    account = await busiest(twins)
    twins.break_down("left", Fault(kind="bad_row", match="Contacts", times=1))

    result = await twins.answer("query($id: ID!) { account(id: $id) { contacts { nodes { name } } } }", id=account)

    assert result.data is not None
    assert len(result.data["account"]["contacts"]["nodes"]) == 2
    assert codes(result) == ["MALFORMED"]


@pytest.mark.parametrize("first", [0, 101])
async def test_a_list_of_an_account_takes_page_sizes_of_the_same_range(twins: Graph, first: int) -> None:
    error = await twins.error(LISTS.replace("opportunities(first: $first", "opportunities(first: 1"), id=await busiest(twins), first=first)

    assert error.extensions == {"code": "BAD_USER_INPUT"}
    assert error.path == ["account", "contacts"]


async def test_relations_of_every_vendor_load(graph: Graph) -> None:
    query = """
    {
      opportunities(first: 100) {
        nodes { crm { key } owner { name } account { name } contacts { name } stage { name pipeline { id } } pipeline { id } }
      }
    }
    """

    nodes = (await graph.data(query))["opportunities"]["nodes"]

    for key in graph.grounds:
        mine = [node for node in nodes if node["crm"]["key"] == key]
        for relation in ("owner", "account", "contacts", "stage", "pipeline"):
            assert sum(bool(node[relation]) for node in mine) >= len(mine) // 2, (key, relation)
        assert all(node["stage"]["pipeline"] == node["pipeline"] for node in mine if node["stage"] and node["pipeline"])
