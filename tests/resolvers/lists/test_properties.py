"""Lists over five Crms equal a plain reference, whatever the Crms hold.

The examples are the same ones in every run. `LIST_EXAMPLES=20` in the environment tries twenty times as many, and others every time.
"""

import itertools
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.resolvers.lists.asking import Asked, Page, World, examples, in_list_order, in_reading_order, page_sizes
from tests.resolvers.lists.filters import filters, filters_of, order_keys, orders
from tests.resolvers.lists.raw.onlyoffice import STAND_IN
from tests.resolvers.lists.reference import FILTER_FIELDS, ORDER_FIELDS, Deal, global_id, row_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def check(world: World, data: st.DataObject, asked: Asked, deals: list[Deal]) -> None:
    """See that a list equals the reference, forwards and backwards, with indexes and without."""
    expected = world.expected(deals, asked)
    sizes = page_sizes(len(expected))
    # Apideck cannot be asked to leave deleted rows out, so that too is done here.
    leaves_out = not asked.include_deleted and any(deal.is_deleted and world.vendor(deal.crm) == "apideck" for deal in deals)
    is_forward_first = data.draw(st.booleans(), label="forwards first")
    for is_forward in (is_forward_first, not is_forward_first):
        drawn = data.draw(sizes, label="page sizes")
        pages = await (world.forwards(asked, drawn) if is_forward else world.backwards(asked, drawn))
        assert [page.failed() for page in pages if page.failed()] == []
        assert (in_reading_order(pages) if is_forward else in_list_order(pages)) == expected
        assert {page.total for page in pages} == {len(expected)}
        check_ends(pages if is_forward else pages[::-1], len(expected), is_forward=is_forward, leaves_out=leaves_out)
        if data.draw(st.booleans(), label="let indexes expire"):
            world.age()


def check_ends(pages: list[Page], number: int, *, is_forward: bool, leaves_out: bool) -> None:
    """See that pages say truly what is before and behind them. `pages` are in the list's order."""
    seen = 0
    for index, page in enumerate(pages):
        is_first, is_last = index == 0, index + 1 == len(pages)
        assert page.has_next is not is_last
        assert page.has_previous is not is_first
        assert (page.start, page.end) == ((page.cursors[0], page.cursors[-1]) if page.rows else (None, None))
        seen += len(page.rows)
        last_read = is_last if is_forward else is_first
        # An empty page may only come behind one that could not know so, because rows are left out here.
        assert page.rows or number == 0 or (last_read and (leaves_out or page.is_evaluated_here))
    assert seen == number


@examples(8)
@given(data=st.data())
async def test_rows_show_what_the_vendors_hold(world: World, data: st.DataObject) -> None:
    deals = world.begin({key: rows[:15] for key, rows in data.draw(world.contents).items()})

    nodes = (await world.graph.data(_SHOWN))["opportunities"]["nodes"]

    assert {node["id"]: node for node in nodes} == {global_id("Opportunity", *deal.row): shown(deal) for deal in deals}


_SHOWN = """
{
  opportunities(first: 100, includeDeleted: true) {
    nodes {
      id title amount { amount currency } probability status expectedCloseDate actualCloseDate createdAt updatedAt
      accountName tags isDeleted isArchived customFields { key value }
    }
  }
}
"""


def shown(deal: Deal) -> dict[str, Any]:
    """A deal as the query shows it."""
    return {
        "id": global_id("Opportunity", *deal.row),
        "title": deal.title,
        "amount": None if deal.amount is None else {"amount": AnyScale(deal.amount), "currency": deal.currency},
        "probability": deal.probability,
        "status": deal.status,
        "expectedCloseDate": None if deal.expected_close_date is None else deal.expected_close_date.isoformat(),
        "actualCloseDate": None if deal.actual_close_date is None else deal.actual_close_date.isoformat(),
        "createdAt": None if deal.created_at is None else deal.created_at.isoformat(),
        "updatedAt": None if deal.updated_at is None else deal.updated_at.isoformat(),
        "accountName": deal.account_name,
        "tags": list(deal.tags),
        "isDeleted": deal.is_deleted,
        "isArchived": deal.is_archived,
        "customFields": AnyOrder([{"key": key, "value": value} for key, value in deal.custom_fields.items()]),
    }


class AnyScale:
    """Is equal to a number written with any number of zeros behind the point."""

    __hash__ = None  # type: ignore[assignment]  # compared only

    def __init__(self, number: Decimal) -> None:
        self.number = number

    def __repr__(self) -> str:
        return repr(str(self.number))

    def __eq__(self, other: object) -> bool:
        return Decimal(str(other)) == self.number


class AnyOrder:
    """Is equal to a list of the same custom fields, those without a value or a choice left out."""

    __hash__ = None  # type: ignore[assignment]  # compared only

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.entries = {entry["key"]: entry["value"] for entry in entries if entry["value"] is not None}

    def __repr__(self) -> str:
        return repr(self.entries)

    def __eq__(self, other: object) -> bool:
        return {entry["key"]: entry["value"] for entry in cast("Any", other) if entry["value"] not in (None, [])} == self.entries


@examples(8)
@given(data=st.data())
async def test_the_whole_list_comes_in_pages_of_any_size(world: World, data: st.DataObject) -> None:
    deals = world.begin(data.draw(world.contents))

    await check(world, data, Asked(include_deleted=data.draw(st.booleans())), deals)


@pytest.mark.parametrize("name", FILTER_FIELDS)
@examples(3)
@given(data=st.data())
async def test_every_field_of_a_filter_alone(world: World, name: str, data: st.DataObject) -> None:
    deals = world.begin(data.draw(world.contents))
    wanted = {name: data.draw(filters_of(name, deals, world.keys))}
    asked = Asked(filter={"not": wanted} if data.draw(st.booleans()) else wanted, include_deleted=data.draw(st.booleans()))

    await check(world, data, asked, deals)


@examples(10)
@given(data=st.data())
async def test_fields_of_filters_together(world: World, data: st.DataObject) -> None:
    deals = world.begin(data.draw(world.contents))
    wanted = data.draw(filters(deals, world.keys, depth=2))

    await check(world, data, Asked(filter=wanted, include_deleted=data.draw(st.booleans())), deals)


@pytest.mark.parametrize("name", ORDER_FIELDS)
@examples(3)
@given(data=st.data())
async def test_every_order(world: World, name: str, data: st.DataObject) -> None:
    deals = world.begin(data.draw(world.contents))

    await check(world, data, Asked(order_by=[data.draw(order_keys(name))], include_deleted=data.draw(st.booleans())), deals)


@examples(8)
@given(data=st.data())
async def test_orders_of_several_keys_and_filters(world: World, data: st.DataObject) -> None:
    deals = world.begin(data.draw(world.contents))
    wanted = data.draw(st.one_of(st.none(), filters(deals, world.keys)))

    await check(world, data, Asked(filter=wanted, order_by=data.draw(orders), include_deleted=data.draw(st.booleans())), deals)


@examples(8)
@given(data=st.data())
async def test_pages_may_be_turned_to_and_fro(world: World, data: st.DataObject) -> None:
    deals = world.begin(data.draw(world.contents))
    asked = Asked(filter=data.draw(st.one_of(st.none(), filters(deals, world.keys))), order_by=data.draw(st.one_of(st.just([]), orders)))
    expected = world.expected(deals, asked)
    sizes = data.draw(page_sizes(len(expected)))
    page = await world.page(asked, first=next(sizes))
    place = 0

    for is_forward in data.draw(st.lists(st.booleans(), min_size=1, max_size=6), label="forwards"):
        assert page.rows == expected[place : place + len(page.rows)]
        if not page.cursors:
            break
        index = data.draw(st.integers(0, len(page.cursors) - 1), label="from row")
        size = next(sizes)
        if is_forward:
            place += index + 1
            page = await world.page(asked, first=size, after=page.cursors[index])
            assert len(page.rows) == min(size, len(expected) - place)
        else:
            end, place = place + index, max(0, place + index - size)
            page = await world.page(asked, last=size, before=page.cursors[index])
            assert len(page.rows) == end - place
        if data.draw(st.booleans(), label="let indexes expire"):
            world.age()


@examples(5)
@given(data=st.data())
async def test_what_refers_to_a_record_is_its_selection_of_the_whole(world: World, data: st.DataObject) -> None:
    deals = world.begin(data.draw(world.contents))
    whole = await world.graph.data(_REFERRED_TO)
    found = {
        (field, node["id"])
        for opportunity in whole["opportunities"]["nodes"]
        for field, nodes in _records(opportunity).items()
        for node in nodes
        if row_of(node["id"])[1] != STAND_IN  # nobody's id
    }
    for field, identifier in data.draw(st.lists(st.sampled_from(sorted(found)), max_size=4, unique=True) if found else st.just([])):
        order_by = data.draw(st.one_of(st.just([]), orders))
        filter_ = data.draw(st.one_of(st.none(), filters(deals, world.keys, depth=0)))
        expected = world.expected(deals, Asked(filter={"not": {"not": {field: [identifier]}}, **(filter_ or {})}, order_by=order_by))
        asked = Asked(filter=filter_, order_by=order_by, of=identifier)

        pages = await world.forwards(asked, data.draw(page_sizes(len(expected))))
        back = await world.backwards(asked, data.draw(page_sizes(len(expected))))

        assert in_reading_order(pages) == in_list_order(back) == expected
        assert {page.total for page in (*pages, *back)} == {len(expected)}


@examples(3)
@given(data=st.data())
async def test_what_refers_to_many_records_comes_for_each_of_them(world: World, data: st.DataObject) -> None:
    deals = world.begin(data.draw(world.contents))
    first = data.draw(st.integers(1, 6))

    nodes = (await world.graph.data(_FOR_EACH, first=first))["opportunities"]["nodes"]

    for node in nodes:
        for name, field in (("account", "accountIds"), ("owner", "ownerIds"), ("stage", "stageIds")):
            record = node[name]
            if record is None or record["opportunities"] is None:
                continue
            expected = world.expected(deals, Asked(filter={field: [record["id"]]}))
            found = record["opportunities"]
            assert [row_of(one["id"]) for one in found["nodes"]] == expected[:first]
            assert found["pageInfo"]["hasNextPage"] is (len(expected) > first)
            if found["nodes"] and row_of(record["id"])[1] != STAND_IN:
                rest = await world.forwards(Asked(of=record["id"]), itertools.repeat(100), after=found["pageInfo"]["endCursor"])
                assert in_reading_order(rest) == expected[first:]


_FOR_EACH = """
query ($first: Int!) {
  opportunities(first: 8) {
    nodes {
      account { id opportunities(first: $first) { ...Page } }
      owner { id opportunities(first: $first) { ...Page } }
      stage { id opportunities(first: $first) { ...Page } }
    }
  }
}
fragment Page on OpportunityConnection { nodes { id } pageInfo { hasNextPage endCursor } }
"""
_REFERRED_TO = """
{
  opportunities(first: 100) {
    nodes { account { id } accounts { id } contacts { id } primaryContact { id } owner { id } stage { id } pipeline { id } }
  }
}
"""


def _records(opportunity: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    fields = {
        "accountIds": [opportunity["account"], *opportunity["accounts"]],
        "contactIds": [opportunity["primaryContact"], *opportunity["contacts"]],
        "ownerIds": [opportunity["owner"]],
        "stageIds": [opportunity["stage"]],
        "pipelineIds": [opportunity["pipeline"]],
    }
    return {name: [node for node in nodes if node is not None] for name, nodes in fields.items()}


@examples(5)
@given(data=st.data())
async def test_a_cursor_of_another_list_is_refused(world: World, data: st.DataObject) -> None:
    deals = world.begin(data.draw(world.contents))
    wanted = filters(deals, world.keys, depth=0).map(lambda drawn: drawn or None)
    some = st.builds(Asked, filter=wanted, order_by=st.one_of(st.just([]), orders), include_deleted=st.booleans())
    asked, other = data.draw(some), data.draw(some)
    page = await world.page(asked, first=3)

    for cursor, name in itertools.product(page.cursors, ("after", "before")):
        variables = {"filter": other.filter, "orderBy": other.order_by or None, "deleted": other.include_deleted, name: cursor}
        result = await world.graph.answer(_OTHER, **variables)
        codes = [(error.extensions or {})["code"] for error in result.errors or ()]
        assert codes == ([] if _means(asked) == _means(other) else ["INVALID_CURSOR"])


_OTHER = """
query ($filter: OpportunityFilter, $orderBy: [OpportunityOrder!], $deleted: Boolean!, $after: String, $before: String) {
  opportunities(filter: $filter, orderBy: $orderBy, includeDeleted: $deleted, after: $after, before: $before) {
    nodes { id }
    sources { status }
  }
}
"""


def _means(asked: Asked) -> Any:
    """A list in a form that is equal where it means the same: choices count in any order."""

    def choices(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        some: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  # JSON
        return sorted(set(some)) if all(isinstance(one, str) for one in some) else some

    filter_ = {name: choices(value) for name, value in (asked.filter or {}).items()}
    order_by = [{name: value for name, value in key.items() if value is not None} for key in asked.order_by]
    return filter_, order_by, asked.include_deleted
