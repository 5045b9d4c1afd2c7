"""Orders, positions and counts of Apideck's lists, and the lists of accounts and users."""

from collections.abc import Mapping

import pytest
from aiohttp import web

from tests.playground import playground
from tests.vendors.apideck.listing import ACCOUNT, COMPANY, OPTIONS, OWNED, RELATED, all_deals, asking, by, client_of, ids_of
from tests.vendors.apideck.scripted_vendor import Json, numbered, refusal, rows, scripted
from vendors.apideck.pages import Place
from vendors.apideck.sandbox import STORE
from vendors.errors import UnsupportedError
from vendors.model import EVERYTHING, Selection
from vendors.query import Field, Sort
from vendors.sandbox import OptionValue

# Orders.


@pytest.mark.parametrize("field", [Field.CREATED_AT, Field.UPDATED_AT])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("options", [option for option in OPTIONS if "filters" not in option], ids=str)
async def test_deals_come_in_an_order_each_once(field: Field, options: Mapping[str, OptionValue], *, descending: bool) -> None:
    name = "created_at" if field is Field.CREATED_AT else "updated_at"
    async with playground("apideck", options=options) as made:
        client = client_of(made)
        made.sandbox.app[STORE].delete("opportunities", "9017442101")
        for where in ((), (OWNED,)):
            whole = await all_deals(client, asking(100, *where, selection=RELATED))
            for size in (2, 100):
                found = await all_deals(client, asking(size, *where, selection=RELATED, sort=Sort(field, descending=descending)))
                values = [value for deal in found if (value := getattr(deal, name)) is not None]
                assert sorted(found, key=lambda deal: deal.local_id) == sorted(whole, key=lambda deal: deal.local_id)
                assert values == sorted(values, reverse=descending)


async def test_an_order_that_the_connector_refuses_is_not_offered_again() -> None:
    async with playground("apideck", options={"sorts": "unsupported"}) as made:
        client = client_of(made)
        sort = Sort(Field.CREATED_AT)
        with pytest.raises(UnsupportedError):
            await client.opportunities_page(asking(5, OWNED, sort=sort))
        pushed = [client.opportunities_pushdown([OWNED], Sort(field)) for field in (Field.CREATED_AT, Field.UPDATED_AT)]
        page = await client.opportunities_page(asking(5, OWNED))

    assert [(len(push.conditions), push.is_sorted) for push in pushed] == [(1, False), (1, True)]
    assert made.crm.link.lessons == ["order by createdAt"]
    assert len(page.rows) == 5


async def test_a_connector_that_orders_and_does_not_filter_is_looked_through_in_the_order() -> None:
    ids = [f"d{number}" for number in range(250)]

    def answer(_: str, query: dict[str, str]) -> Json | web.Response:
        if "filter[owner_id]" in query:
            return refusal(400, "UnsupportedFiltersError")
        page = numbered(ids if "sort[by]" not in query else ids[::-1], query)
        return {**page, "data": [{**row, "owner_id": "u" if row["id"].endswith("7") else None} for row in page["data"]]}

    async with scripted(answer) as (made, client):
        found = await all_deals(client, asking(4, by(Field.OWNER, "u"), sort=Sort(Field.CREATED_AT)))

    assert [deal.local_id for deal in found] == [row_id for row_id in reversed(ids) if row_id.endswith("7")]
    assert {query["limit"] for query in made.queries()[1:]} == {"200"}


async def test_hubspot_orders_no_more_than_it_lists() -> None:
    async with playground("apideck", scale=10_300) as made:
        client = client_of(made)
        assert client.opportunities_pushdown([], Sort(Field.CREATED_AT)).is_sorted
        with pytest.raises(UnsupportedError):
            await client.opportunities_page(asking(5, sort=Sort(Field.CREATED_AT)))

        assert made.control.count() == 1
        assert not client.opportunities_pushdown([], Sort(Field.CREATED_AT)).is_sorted
        assert "order by createdAt" in made.crm.link.lessons
        assert not client.opportunities_pushdown([], Sort(Field.UPDATED_AT)).is_sorted
        assert len((await client.opportunities_page(asking(5, OWNED))).rows) == 5


async def test_hubspot_without_filters_is_not_looked_through_in_an_order_that_lacks_relations() -> None:
    async with playground("apideck", options={"filters": "unsupported"}) as made:
        client = client_of(made)
        with pytest.raises(UnsupportedError):
            await client.opportunities_page(asking(5, ACCOUNT, sort=Sort(Field.CREATED_AT)))

        assert not client.opportunities_pushdown([ACCOUNT], Sort(Field.CREATED_AT)).is_sorted


@pytest.mark.parametrize(
    ("seen", "ids", "index"),
    [
        ("abc", "xabcyz", 4),
        ("abc", "xabyzc", 3),  # the last row passed was changed and went to the end
        ("abc", "cxabyz", 4),  # ... or to the beginning
        ("abc", "xcyz", 2),
        ("abc", "xyz", 0),
        ("abc", "xabc", 4),
        ("", "xyz", 0),
    ],
)
def test_an_ordered_list_goes_on_behind_most_of_the_rows_remembered(seen: str, ids: str, index: int) -> None:
    place = Place(limit=20, seen=tuple(seen), is_ordered=True)

    assert place.first_unseen(tuple(ids)) == index


# Positions.


async def test_a_position_is_good_only_for_a_list_that_comes_in_its_way() -> None:
    async with playground("apideck") as made:
        client = client_of(made)
        sort = Sort(Field.CREATED_AT)
        filtered = (await client.opportunities_page(asking(5, OWNED))).position
        ordered = (await client.opportunities_page(asking(5, sort=sort))).position
        plain = await client.opportunities_page(asking(5))
        made.control.calls.clear()
        for request in (asking(5, position=filtered), asking(5, position=ordered), asking(5, position=plain.position, sort=sort)):
            with pytest.raises(UnsupportedError):
                await client.opportunities_page(request)
        assert made.control.count() == 0

        # A place in the whole list is one in a list that is looked through.
        rest = await client.opportunities_page(asking(1_000, OWNED, position=plain.position))
        mine = await client.opportunities_page(asking(1_000, OWNED))

    assert ids_of(rest) == [row_id for row_id in ids_of(mine) if row_id not in ids_of(plain)]


# Counts.


@pytest.mark.parametrize("after_delete", ["gone", "flagged"])
async def test_a_list_is_counted_where_the_vendors_number_is_its_own(after_delete: str) -> None:
    async with playground("apideck", options={"after_delete": after_delete}) as made:
        client, store = client_of(made), made.sandbox.app[STORE]
        store.delete("opportunities", "9017442101")
        store.delete("companies", "6214407312")
        for lists, resource in ((client.opportunities_page, "opportunities"), (client.accounts_page, "companies")):
            first = await lists(asking(10, selection=EVERYTHING, count=True, include_deleted=True))
            second = await lists(asking(10, selection=EVERYTHING, count=True, include_deleted=True, position=first.position))
            without = await lists(asking(10, selection=EVERYTHING, include_deleted=True))
            undeleted = await lists(asking(10, selection=EVERYTHING, count=True))

            assert (first.total, second.total, without.total, undeleted.total) == (len(store.tables[resource]),) * 2 + (None,) * 2
        contacts = [await client.contacts_page(asking(4, count=count)) for count in (True, False)]
        owned = await client.opportunities_page(asking(4, OWNED, count=True, include_deleted=True))
        ordered = await client.opportunities_page(asking(4, count=True, include_deleted=True, sort=Sort(Field.CREATED_AT)))
        calls = made.control.count()

    assert [page.total for page in contacts] == [len(store.tables["contacts"]), None]
    assert (owned.total, ordered.total) == (None, len(store.tables["opportunities"]))
    assert calls == 12


async def test_a_connector_without_counts_tells_none() -> None:
    async with playground("apideck", options={"total_count": "absent"}) as made:
        page = await client_of(made).contacts_page(asking(4, count=True))

    assert page.total is None


# Accounts and users.


async def test_deleted_accounts_are_listed_only_on_demand_and_ask_for_the_mark() -> None:
    names = Selection({"Account": frozenset({"name"})})
    async with playground("apideck", options={"after_delete": "flagged"}) as made:
        client = client_of(made)
        made.sandbox.app[STORE].delete("companies", COMPANY)
        shown = await client.accounts_page(asking(1_000, selection=names))
        all_of_them = await client.accounts_page(asking(1_000, selection=names, include_deleted=True))
        queries = [dict(call.query) for call in made.control.calls]

    assert set(ids_of(all_of_them)) - set(ids_of(shown)) == {COMPANY, "6214407314"}
    assert shown.rows[0].record.read_fields == frozenset({"name"})
    assert queries == [{"limit": "200", "fields": "deleted,id,name"}] * 2


async def test_users_are_the_kept_table_whoever_else_was_read() -> None:
    def answer(path: str, _: dict[str, str]) -> Json:
        return {"data": {"id": "gone", "name": "Bo"}} if "/" in path else rows([{"id": "z", "name": "Ann"}, {"id": "a", "name": "Cy"}])

    async with scripted(answer) as (made, client):
        await client.users_by_ids(["gone"], EVERYTHING)
        users = await client.users()

    assert [user.local_id for user in users] == ["z", "a"]
    assert made.paths() == ["users", "users/gone"]


async def test_users_that_the_connector_does_not_list_are_no_empty_list() -> None:
    async with scripted(lambda _path, _query: refusal(501, "ConnectorOperationUnsupportedError")) as (_, client):
        for _ in range(2):
            with pytest.raises(UnsupportedError):
                await client.users()
