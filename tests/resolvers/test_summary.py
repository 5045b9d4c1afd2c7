"""Counts and sums over all Crms, against what the list itself shows.

One file, because most of it is compared with one reference, which counts and sums the rows of the list.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import pytest

from resolvers.rates import NO_RATES, RateTable
from server.context import ContextMaker
from server.cursors import SignedCursors
from server.limits import Limits
from tests.playground import playground
from tests.resolvers.graph import SEEDED, Graph, autotask_graph, codes
from vendors.model import minor_units
from vendors.registry import Scanning
from vendors.sandbox import Fault

DAY: Final = date(2026, 11, 20)
# Not of CHF and SEK, which the demo companies have too.
PER_EURO: Final = {
    "EUR": Decimal(1),
    "USD": Decimal("1.0850"),
    "PLN": Decimal("4.2735"),
    "NOK": Decimal("11.6480"),
    "GBP": Decimal("0.84115"),
    "CAD": Decimal("1.5271"),
    "BRL": Decimal("6.1093"),
    "JPY": Decimal("167.425"),
}
RATES: Final = RateTable("EUR", [(DAY, {currency: rate for currency, rate in PER_EURO.items() if currency != "EUR"})])
FJORD_SHIPPING: Final = 174  # its deals are in euros
MONEY: Final = "amount currency"
FIGURES: Final = f"""
count total {{ {MONEY} }} weightedTotal {{ {MONEY} }} totals {{ {MONEY} }} weightedTotals {{ {MONEY} }}
unconverted {{ currency count total weightedTotal }}
"""
SOURCES: Final = "sources { crm { key } status code rows totalCount totalCountOrigin vendorCalls pushedDown evaluatedHere fetchedAt }"
LIST: Final = f"""
query($after: String, $filter: OpportunityFilter, $deleted: Boolean = false) {{
  opportunities(first: 100, after: $after, filter: $filter, includeDeleted: $deleted) {{
    nodes {{
      crm {{ key }} status pipeline {{ id }} stage {{ id }} owner {{ id }} account {{ id }} expectedCloseDate actualCloseDate createdAt
      amount {{ {MONEY} }} expectedRevenue {{ {MONEY} }}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
"""

Node = dict[str, Any]
Numbers = dict[str, Any]


def _month(node: Node) -> str | None:
    day = (None if node["status"] == "OPEN" else node["actualCloseDate"]) or node["expectedCloseDate"]
    return None if day is None else str(day)[:7]


def _id(name: str) -> Callable[[Node], Any]:
    return lambda node: None if node[name] is None else node[name]["id"]


# For each key: its field of a group, and what a row of the list has for it.
KEYS: Final[Mapping[str, tuple[str, Callable[[Node], Any]]]] = {
    "CRM": ("crm { key }", lambda node: node["crm"]["key"]),
    "STATUS": ("status", lambda node: node["status"]),
    "PIPELINE": ("pipelineId", _id("pipeline")),
    "STAGE": ("stageId", _id("stage")),
    "OWNER": ("ownerId", _id("owner")),
    "ACCOUNT": ("accountId", _id("account")),
    "CURRENCY": ("currency", lambda node: node["amount"] and node["amount"]["currency"]),
    "CLOSE_MONTH": ("closeMonth", _month),
    "CREATED_MONTH": ("createdMonth", lambda node: node["createdAt"] and node["createdAt"][:7]),
}


def key_of(group: Node, name: str, shown: Collection[Any]) -> Any:
    """What a group has for a key. A record that is gone has an id, and the list does not show it."""
    value = group["crm"]["key"] if name == "CRM" else group[KEYS[name][0]]
    return value if value in shown else None


def with_money(graph: Graph, rates: RateTable = RATES, currency: str | None = "EUR", **scanning: int) -> Graph:
    """The same graph, with exchange rates, a currency to report in, and these bounds of reading."""
    crms = {key: ground.crm for key, ground in graph.grounds.items()}
    crms = {key: replace(crm, scanning=Scanning(**scanning)) for key, crm in crms.items()} if scanning else crms
    graph.make = ContextMaker(crms, SignedCursors(b"a key that only tests have"), rates=lambda: rates, reporting_currency=currency)
    return graph


async def listed(graph: Graph, **variables: object) -> list[Node]:
    """All rows of the list, page by page."""
    nodes: list[Node] = []
    after: str | None = None
    while True:
        page = (await graph.data(LIST, after=after, **variables))["opportunities"]
        nodes += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return nodes
        after = page["pageInfo"]["endCursor"]


async def summary(graph: Graph, arguments: str = "", selection: str = "", **variables: object) -> Node:
    """A summary with all its numbers."""
    head = "query($filter: OpportunityFilter, $deleted: Boolean = false)"
    given = f"(filter: $filter, includeDeleted: $deleted {arguments})"
    fields = f"{FIGURES} currency groupCount isComplete {SOURCES} {selection}"
    found: Node = (await graph.data(f"{head} {{ opportunitySummary{given} {{ {fields} }} }}", **variables))["opportunitySummary"]
    return found


def grouped_by(*keys: str) -> tuple[str, str]:
    fields = " ".join(KEYS[key][0] for key in keys)
    return f"groupBy: [{', '.join(keys)}]", f"groups(first: 1000) {{ {FIGURES} {fields} }}"


def numbers(found: Node) -> Numbers:
    """The numbers of an answer, as `reference` has them."""
    return {
        "count": found["count"],
        "total": found["total"] and (Decimal(found["total"]["amount"]), found["total"]["currency"]),
        "weightedTotal": found["weightedTotal"] and (Decimal(found["weightedTotal"]["amount"]), found["weightedTotal"]["currency"]),
        "totals": {money["currency"]: Decimal(money["amount"]) for money in found["totals"]},
        "weightedTotals": {money["currency"]: Decimal(money["amount"]) for money in found["weightedTotals"]},
        "unconverted": {
            part["currency"]: (
                part["count"],
                part["total"] and Decimal(part["total"]),
                part["weightedTotal"] and Decimal(part["weightedTotal"]),
            )
            for part in found["unconverted"]
        },
    }


def reference(nodes: Iterable[Node], currency: str | None = "EUR", per_euro: Mapping[str, Decimal] = PER_EURO) -> Numbers:
    """The numbers of rows of the list, by fractions, which are exact."""
    nodes = list(nodes)
    sums = {field: _sums(nodes, field) for field in ("amount", "expectedRevenue")}
    holders: defaultdict[str | None, int] = defaultdict(int)
    for node in nodes:
        money = node["amount"] or node["expectedRevenue"]
        if money is not None:
            holders[money["currency"]] += 1
    lacking = [source for source in holders if currency is not None and source != currency and not {source, currency} <= set(per_euro)]
    return {
        "count": len(nodes),
        "total": _converted(sums["amount"], currency, per_euro),
        "weightedTotal": _converted(sums["expectedRevenue"], currency, per_euro),
        "totals": sums["amount"],
        "weightedTotals": sums["expectedRevenue"],
        "unconverted": {source: (holders[source], sums["amount"].get(source), sums["expectedRevenue"].get(source)) for source in lacking},
    }


def _sums(nodes: Iterable[Node], field: str) -> dict[str | None, Decimal]:
    found: dict[str | None, Decimal] = {}
    for node in nodes:
        if node[field] is not None:
            source = node[field]["currency"]
            found[source] = found.get(source, Decimal(0)) + Decimal(node[field]["amount"])
    return found


def _together(groups: Iterable[Node], field: str) -> dict[str | None, Decimal]:
    found: dict[str | None, Decimal] = {}
    for group in groups:
        for money in group[field]:
            found[money["currency"]] = found.get(money["currency"], Decimal(0)) + Decimal(money["amount"])
    return found


def _converted(
    sums: Mapping[str | None, Decimal], currency: str | None, per_euro: Mapping[str, Decimal]
) -> tuple[Decimal, str | None] | None:
    if currency is None:
        return None
    parts = [
        Fraction(amount) if source == currency else Fraction(amount) / Fraction(per_euro[source]) * Fraction(per_euro[currency])
        for source, amount in sums.items()
        if source is not None and (source == currency or {source, currency} <= set(per_euro))
    ]
    if sums and not parts:
        return None
    places = minor_units(currency)
    return Decimal(round(sum(parts, Fraction(0)) * 10**places)).scaleb(-places), currency


def states(found: Node) -> dict[str, str]:
    return {source["crm"]["key"]: source["status"] for source in found["sources"]}


async def test_the_totals_of_all_crms_are_those_of_the_listed_rows(graph: Graph) -> None:
    nodes = await listed(with_money(graph))

    found = await summary(graph)

    assert numbers(found) == reference(nodes)
    assert set(reference(nodes)["unconverted"]) >= {"CHF", "SEK"}
    assert found["currency"] == "EUR"
    assert found["groupCount"] == 0
    assert found["isComplete"] is True
    assert {source["crm"]["key"]: source["rows"] for source in found["sources"]} == {
        key: sum(node["crm"]["key"] == key for node in nodes) for key in graph.grounds
    }
    assert all(source["totalCount"] == source["rows"] and source["totalCountOrigin"] == "SCAN" for source in found["sources"])


@pytest.mark.parametrize("currency", ["USD", "JPY", "SEK", "CHF"])
async def test_the_totals_are_in_the_currency_asked_for(graph: Graph, currency: str) -> None:
    nodes = await listed(with_money(graph))

    found = await summary(graph, f'currency: "{currency}"')

    assert numbers(found) == reference(nodes, currency)
    assert found["currency"] == currency


@pytest.mark.parametrize("key", KEYS)
async def test_groups_of_a_key_alone_and_with_any_other_are_those_of_the_listed_rows(graph: Graph, key: str) -> None:
    nodes = await listed(with_money(graph))

    for keys in [(key,), *((key, other) for other in KEYS if other != key)]:
        found = await summary(graph, *grouped_by(*keys))

        expected: defaultdict[tuple[Any, ...], list[Node]] = defaultdict(list)
        for node in nodes:
            expected[tuple(KEYS[name][1](node) for name in keys)].append(node)
        shown = [{values[place] for values in expected} for place in range(len(keys))]
        grouped: defaultdict[tuple[Any, ...], list[Node]] = defaultdict(list)
        for group in found["groups"]:
            grouped[tuple(key_of(group, name, of_key) for name, of_key in zip(keys, shown, strict=True))].append(group)
        assert grouped.keys() == expected.keys(), keys
        for values, of_group in expected.items():
            if len(grouped[values]) == 1:
                assert numbers(grouped[values][0]) == reference(of_group), (keys, values)
            else:
                assert {None} & set(values), "only records that are gone make several groups of one"
                assert sum(group["count"] for group in grouped[values]) == len(of_group)
                assert _together(grouped[values], "totals") == reference(of_group)["totals"]
                assert _together(grouped[values], "weightedTotals") == reference(of_group)["weightedTotals"]
        assert found["groupCount"] == len(found["groups"]) >= len(expected)
        assert sum(group["count"] for group in found["groups"]) == found["count"] == len(nodes)


@pytest.mark.parametrize(
    "chosen",
    [
        {"status": ["OPEN"]},
        {"status": ["WON", "LOST"], "crms": ["service", "dach"]},
        {"amount": {"currency": "USD", "gte": "10000"}},
        {"not": {"status": ["OPEN"]}, "expectedCloseDate": {"gte": "2026-01-01"}},
    ],
)
async def test_a_filter_lets_the_same_rows_through_as_in_the_list(graph: Graph, chosen: dict[str, Any]) -> None:
    nodes = await listed(with_money(graph), filter=chosen)

    found = await summary(graph, filter=chosen)

    assert nodes
    assert numbers(found) == reference(nodes)
    assert found["isComplete"] is True


async def test_crms_that_the_filter_leaves_out_are_skipped_and_not_called(graph: Graph) -> None:
    found = await summary(with_money(graph), filter={"crms": ["service"]})

    assert states(found) == {key: "OK" if key == "service" else "SKIPPED" for key in graph.grounds}
    assert found["isComplete"] is True
    assert [graph.calls(key) for key in graph.grounds if key != "service"] == [[], [], [], []]


@pytest.mark.parametrize("chosen", [{"status": []}, {"ownerIds": []}, {"crms": []}])
async def test_a_filter_that_lets_nothing_through_gives_zero(graph: Graph, chosen: dict[str, Any]) -> None:
    found = await summary(with_money(graph), *grouped_by("STATUS"), filter=chosen)

    assert numbers(found) == reference([])
    assert found["total"] == {"amount": "0.00", "currency": "EUR"}
    assert (found["groups"], found["groupCount"], found["isComplete"]) == ([], 0, True)
    assert not any(graph.calls(key) for key in graph.grounds)


async def test_without_a_currency_the_totals_by_currency_stand_alone(graph: Graph) -> None:
    with_money(graph, currency=None)
    nodes = await listed(graph)
    result = await graph.answer(f"{{ opportunitySummary {{ currency {FIGURES} }} }}")

    assert result.errors is None
    assert result.data is not None
    found = result.data["opportunitySummary"]
    assert found["currency"] is None
    assert numbers(found) == reference(nodes, None)
    assert found["total"] is found["weightedTotal"] is None
    assert found["unconverted"] == []
    assert len(found["totals"]) > 5
    assert "MISSING_RATE" not in {warned["code"] for warned in (result.extensions or {}).get("warnings", [])}


async def test_without_rates_only_amounts_of_the_currency_itself_are_summed_and_the_others_are_told(graph: Graph) -> None:
    nodes = await listed(with_money(graph, NO_RATES))

    result = await graph.answer(f'{{ opportunitySummary(currency: "NOK") {{ {FIGURES} }} }}')

    assert result.data is not None
    found = result.data["opportunitySummary"]
    assert numbers(found) == reference(nodes, "NOK", {})
    kroner = [node["amount"]["amount"] for node in nodes if node["amount"] and node["amount"]["currency"] == "NOK"]
    assert Decimal(found["total"]["amount"]) == sum(map(Decimal, kroner))
    warnings = [warned["message"] for warned in (result.extensions or {})["warnings"] if warned["code"] == "MISSING_RATE"]
    assert len(warnings) == len(found["unconverted"])
    assert all(
        any(message.startswith(f"{part['count']} amount") and (part["currency"] or "without") in message for message in warnings)
        for part in found["unconverted"]
    )


async def test_a_total_of_which_nothing_can_be_converted_is_null_and_not_zero() -> None:
    async with autotask_graph(service=3) as graph:
        for row in graph.table("service", "Opportunities").rows.values():
            row.update(companyID=FJORD_SHIPPING, amount=100.0)

        found = await summary(with_money(graph), 'currency: "SEK"')

    assert found["total"] is found["weightedTotal"] is None
    assert [(part["currency"], part["count"], Decimal(part["total"])) for part in found["unconverted"]] == [("EUR", 3, Decimal(300))]


async def test_amounts_whose_crm_does_not_tell_a_currency_are_listed_as_such() -> None:
    async with playground("sharpspring", settings={"currency": None}) as ground:
        graph = with_money(Graph({ground.crm.key: ground}))
        nodes = await listed(graph)

        found = await summary(graph, *grouped_by("CURRENCY"))

    with_amount = [Decimal(node["amount"]["amount"]) for node in nodes if node["amount"]]
    assert with_amount
    assert found["total"] is None
    assert found["count"] == len(nodes)
    assert [(part["currency"], part["count"], Decimal(part["total"])) for part in found["unconverted"]] == [
        (None, len(with_amount), sum(with_amount))
    ]
    assert [(group["currency"], group["count"]) for group in found["groups"]] == [(None, len(nodes))]


async def test_the_sum_is_rounded_and_not_each_deal() -> None:
    async with autotask_graph(service=3) as graph:
        for row in graph.table("service", "Opportunities").rows.values():
            row.update(companyID=FJORD_SHIPPING, amount=0.05)  # 0.05425 dollars

        found = await summary(with_money(graph), 'currency: "USD"')

    assert found["total"] == {"amount": "0.16", "currency": "USD"}


async def test_a_deal_without_an_amount_is_counted_and_adds_nothing() -> None:
    async with autotask_graph(service=3) as graph:
        rows = list(graph.table("service", "Opportunities").rows.values())
        for row, amount in zip(rows, (None, 20.0, 0.0), strict=True):
            row.update(companyID=FJORD_SHIPPING, amount=amount)

        found = await summary(with_money(graph))

    assert found["count"] == 3
    assert found["total"] == {"amount": "20.00", "currency": "EUR"}


async def test_deals_without_an_owner_are_a_group_of_their_own_and_keys_tell_it_from_what_was_not_asked_for() -> None:
    async with autotask_graph(service=4) as graph:
        rows = list(graph.table("service", "Opportunities").rows.values())
        for rank, row in enumerate(rows):
            row.update(companyID=FJORD_SHIPPING, amount=100.0, ownerResourceID=None if rank == 0 else rows[1]["ownerResourceID"])

        found = await summary(
            with_money(graph),
            "groupBy: [OWNER]",
            "groups { keys count owner { name } ownerId account { id } accountId stage { id } crm { key } }",
        )

    nothing = {"keys": ["OWNER"], "account": None, "accountId": None, "stage": None, "crm": None}
    owned, ownerless = found["groups"]
    assert owned.pop("owner")["name"]
    assert owned.pop("ownerId")
    assert (owned, ownerless) == ({"count": 3, **nothing}, {"count": 1, "owner": None, "ownerId": None, **nothing})


@pytest.mark.parametrize(("key", "argument"), [("OWNER", "ownerIds"), ("STAGE", "stageIds"), ("PIPELINE", "pipelineIds")])
async def test_a_groups_id_is_a_filter_for_its_rows_also_where_the_record_is_gone(graph: Graph, key: str, argument: str) -> None:
    groups = (await summary(with_money(graph), *grouped_by(key)))["groups"]

    for group in groups:
        identifier = group[KEYS[key][0]]
        if identifier is not None:
            assert numbers(await summary(graph, filter={argument: [identifier]})) == numbers(group)


async def test_a_group_whose_owner_is_gone_is_not_that_of_deals_without_one() -> None:
    async with autotask_graph(service=3) as graph:
        rows = list(graph.table("service", "Opportunities").rows.values())
        for row, owner in zip(rows, (None, 29_699_999, 29_699_999), strict=True):
            row.update(companyID=FJORD_SHIPPING, amount=100.0, ownerResourceID=owner)

        found = await summary(with_money(graph), "groupBy: [OWNER]", "groups { count owner { name } ownerId }")

    gone, ownerless = found["groups"]
    assert (gone["count"], gone["owner"], ownerless) == (2, None, {"count": 1, "owner": None, "ownerId": None})
    assert gone["ownerId"]


async def test_groups_come_by_their_totals_and_those_without_one_last(graph: Graph) -> None:
    arguments, selection = grouped_by("CURRENCY", "STATUS")
    with_money(graph)

    groups = (await summary(graph, arguments, selection))["groups"]

    totals = [group["total"] and Decimal(group["total"]["amount"]) for group in groups]
    known = [total for total in totals if total is not None]
    assert known == sorted(known, reverse=True)
    assert totals == known + [None] * (len(totals) - len(known))
    rest = [(group["currency"] is None, group["currency"] or "", group["status"]) for group in groups[len(known) :]]
    assert len(rest) > 3
    assert [part[:2] for part in rest] == sorted(part[:2] for part in rest)
    for first in (1, 7):
        shorter = await summary(graph, arguments, selection.replace("first: 1000", f"first: {first}"))
        assert shorter["groups"] == groups[:first]
        assert shorter["groupCount"] == len(groups)


@pytest.mark.parametrize("kind", ["html", "reset"])
async def test_a_crm_that_fails_makes_the_numbers_incomplete_and_leaves_those_of_the_others(graph: Graph, kind: Any) -> None:
    nodes = await listed(with_money(graph))
    graph.break_down("dach", Fault(kind=kind))

    found = await summary(graph, *grouped_by("CRM"))

    assert found["isComplete"] is False
    assert numbers(found) == reference(node for node in nodes if node["crm"]["key"] != "dach")
    assert states(found) == {key: "FAILED" if key == "dach" else "OK" for key in graph.grounds}
    assert {group["crm"]["key"] for group in found["groups"]} == set(graph.grounds) - {"dach"}
    assert next(source for source in found["sources"] if source["crm"]["key"] == "dach")["totalCount"] is None


async def test_a_failure_is_an_error_where_sources_are_not_read(graph: Graph) -> None:
    graph.break_down("dach", Fault(kind="html"))

    result = await graph.answer("{ opportunitySummary { count isComplete } }")

    assert codes(result) == ["MALFORMED"]
    assert result.errors is not None
    assert result.errors[0].path == ["opportunitySummary"]
    assert result.data is not None
    assert result.data["opportunitySummary"]["isComplete"] is False
    assert result.data["opportunitySummary"]["count"] > 0


async def test_rows_that_cannot_be_read_make_the_numbers_incomplete(twins: Graph) -> None:
    whole = await summary(with_money(twins))
    twins.break_down("left", Fault(kind="bad_row", match="Opportunities", times=1))

    found = await summary(with_money(twins))  # which has no index yet

    assert found["isComplete"] is False
    assert found["count"] == whole["count"] - 1
    assert states(found) == {"left": "PARTIAL", "right": "OK"}
    assert [source["totalCount"] for source in found["sources"]] == [None, whole["count"] // 2]


async def test_a_crm_that_would_take_too_much_reading_is_told_and_not_counted_by_half() -> None:
    async with autotask_graph(long=1_600, short=SEEDED) as graph:
        found = await summary(with_money(graph, max_rows=1_000))

    assert found["isComplete"] is False
    assert states(found) == {"long": "FAILED", "short": "OK"}
    assert [source["code"] for source in found["sources"]] == ["SCAN_BUDGET_EXCEEDED", None]
    assert found["count"] == found["sources"][1]["rows"]


async def test_a_second_summary_asks_no_vendor(graph: Graph) -> None:
    first = await summary(with_money(graph), *grouped_by("CRM", "STATUS"))
    assert all(graph.calls(key) for key in graph.grounds)

    again = await summary(graph, *grouped_by("CLOSE_MONTH", "CREATED_MONTH"))
    by_currency = await summary(graph, 'currency: "USD"', filter={"amount": {"gte": "1"}})

    assert [graph.calls(key) for key in graph.grounds] == [[]] * len(graph.grounds)
    assert numbers(again) == numbers(first)
    assert by_currency["count"] > 0
    assert {source["vendorCalls"] for source in again["sources"]} == {0}


async def test_a_list_in_another_order_reads_its_page_alone_after_a_summary() -> None:
    async with autotask_graph(service=1_200) as graph:
        await summary(with_money(graph))
        assert graph.calls("service").count("Opportunities.query") == 3

        found = await graph.data("{ opportunities(first: 5, orderBy: [{field: AMOUNT}]) { nodes { id } } }")

        assert len(found["opportunities"]["nodes"]) == 5
        assert graph.calls("service").count("Opportunities.query") == 1


async def test_a_summary_after_a_list_in_an_order_asks_no_vendor() -> None:
    async with autotask_graph(service=1_200) as graph:
        await with_money(graph).data("{ opportunities(first: 5, orderBy: [{field: AMOUNT}]) { nodes { id } } }")
        graph.calls("service")

        assert (await summary(graph, *grouped_by("STAGE")))["count"] == 1_200

        assert "Opportunities.query" not in graph.calls("service")


async def test_groups_of_accounts_are_the_same_after_a_list_that_did_not_look_at_them(graph: Graph) -> None:
    arguments, selection = grouped_by("CRM", "ACCOUNT")
    await with_money(graph).data("{ opportunities(first: 1, orderBy: [{field: AMOUNT}]) { nodes { id } } }")
    after_a_list = (await summary(graph, arguments, selection))["groups"]

    alone = (await summary(with_money(graph), arguments, selection))["groups"]  # which has no index yet

    assert after_a_list == alone
    assert all(any(group["accountId"] for group in alone if group["crm"]["key"] == key) for key in graph.grounds)


async def test_the_records_of_all_groups_are_read_at_once(twins: Graph) -> None:
    await summary(with_money(twins), *grouped_by("ACCOUNT"))
    for key in twins.grounds:
        twins.calls(key)

    found = await summary(twins, "groupBy: [ACCOUNT]", "groups { account { name } }")

    assert len(found["groups"]) > 10
    assert [twins.calls(key) for key in ("left", "right")] == [["Companies.query"], ["Companies.query"]]


async def test_only_counting_reads_nothing_of_accounts(twins: Graph) -> None:
    found = await twins.data("{ opportunitySummary(groupBy: [STATUS]) { count groupCount } }")

    assert found["opportunitySummary"]["groupCount"] > 1
    assert "Companies.query" not in twins.calls("left")


@pytest.mark.parametrize("chosen", [{}, {"deleted": True}, {"deleted": False}])
async def test_deleted_rows_count_once_where_they_are_asked_for(graph: Graph, chosen: dict[str, Any]) -> None:
    without = await summary(with_money(graph), filter=chosen)
    nodes = await listed(graph, filter=chosen, deleted=True)

    found = await summary(graph, *grouped_by("CRM"), filter=chosen, deleted=True)

    assert numbers(found) == reference(nodes)
    assert found["count"] >= without["count"]
    assert sum(group["count"] for group in found["groups"]) == found["count"]


async def test_deleted_rows_do_not_count_by_themselves(graph: Graph) -> None:
    plain = await summary(with_money(graph))
    everything = await summary(graph, deleted=True)
    deleted = await summary(graph, filter={"deleted": True})

    assert deleted["count"] > 0
    assert everything["count"] == plain["count"] + deleted["count"]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        ("groupBy: [STAGE, OWNER, STAGE]", "BAD_USER_INPUT", "STAGE"),
        ('currency: "euro"', "BAD_USER_INPUT", "currency"),
        ('currency: ""', "BAD_USER_INPUT", "currency"),
        ('crms: ["nowhere"]', "UNKNOWN_CRM", "nowhere"),
        ("filter: {amount: {gte: 5, lt: 5}}", "BAD_USER_INPUT", "amount"),
        ('filter: {ownerIds: ["x"]}', "INVALID_ID", "x"),
    ],
)
async def test_a_mistake_in_the_arguments_is_told_before_any_vendor_is_asked(twins: Graph, arguments: str, code: str, word: str) -> None:
    result = await twins.answer(f"{{ opportunitySummary({arguments}) {{ count }} crms {{ key }} }}")

    assert codes(result) == [code]
    assert result.errors is not None
    assert word in result.errors[0].message
    assert result.data == {"opportunitySummary": None, "crms": [{"key": "left"}, {"key": "right"}]}
    assert twins.calls("left") == twins.calls("right") == []


@pytest.mark.parametrize("first", [-1, 0, 1_001])
async def test_a_number_of_groups_that_is_not_permitted_is_refused(twins: Graph, first: int) -> None:
    error = await twins.error(f"{{ opportunitySummary(groupBy: [CRM]) {{ count groups(first: {first}) {{ count }} }} }}")

    assert (error.extensions or {})["code"] == "BAD_USER_INPUT"
    assert "1000" in error.message


@pytest.mark.parametrize(("first", "is_refused"), [("(first: 49)", False), ("(first: 50)", True), ("", True)])
async def test_the_cost_of_a_summary_is_that_of_its_groups(first: str, is_refused: bool) -> None:  # noqa: FBT001
    async with autotask_graph(Limits(max_cost=100), service=5) as graph:
        result = await graph.answer(f"{{ opportunitySummary(groupBy: [OWNER]) {{ groups{first} {{ owner {{ name }} }} }} }}")

    assert codes(result) == (["LIMIT_EXCEEDED"] if is_refused else [])
