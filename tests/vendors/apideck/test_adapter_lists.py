"""What Apideck's adapter leaves to the vendor of a list: filters, orders, counts, and what becomes of them where a connector lacks them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from tests.playground import Playground, playground
from tests.vendors.apideck.scripted_vendor import Json, numbered, refusal, rows, scripted
from vendors.apideck.client import Client
from vendors.apideck.pages import Place
from vendors.apideck.sandbox import STORE
from vendors.capabilities import Page, PageRequest
from vendors.errors import UnsupportedError
from vendors.model import EVERYTHING, Opportunity, OpportunityStatus, Ref, Selection
from vendors.query import Condition, Field, Operator, Pushdown, Sort
from vendors.sandbox import OptionValue

COMPANY, OWNER = "6214407301", "71004012"
RELATED = Selection(
    {
        "Opportunity": frozenset({"title", "owner_ref", "account_ref", "contact_refs", "created_at", "updated_at"}),
        "ApideckOpportunityFields": frozenset(),
        "Contact": frozenset({"name", "account_ref", "owner_ref"}),
    }
)
TITLES = Selection({"Opportunity": frozenset({"title"}), "ApideckOpportunityFields": frozenset(), "Contact": frozenset({"name"})})
COMPANIES = Selection({"Opportunity": frozenset({"account_ref"}), "ApideckOpportunityFields": frozenset()})
OPTIONS: Sequence[Mapping[str, OptionValue]] = [
    {},
    {"filters": "unsupported"},
    {"filters": "unsupported", "unsupported_status": 501},
    {"filtered_relations": "present"},
    {"pages": "short"},
    {"nulls": "absent", "total_count": "absent", "last_page": "no_meta", "after_delete": "flagged"},
]


def by(field: Field, *values: object, operator: Operator = Operator.ANY_OF) -> Condition:
    return Condition(field, operator, values)


ACCOUNT, OWNED = by(Field.ACCOUNT, COMPANY), by(Field.OWNER, OWNER)


def client_of(ground: Playground) -> Client:
    assert isinstance(ground.crm.client, Client)
    return ground.crm.client


def asking(size: int, *where: Condition, selection: Selection = TITLES, **others: Any) -> PageRequest:
    return PageRequest(size=size, selection=selection, where=where, **others)


def ids_of(page: Page[Any]) -> list[str]:
    return [row.record.local_id for row in page.rows]


async def all_deals(client: Client, request: PageRequest) -> list[Opportunity]:
    found: list[Opportunity] = []
    while True:
        page = await client.opportunities_page(request)
        found += [row.record for row in page.rows]
        if not page.has_more:
            return found
        assert page.position is not None and page.position != request.position
        request = replace(request, position=page.position)


def fulfils(deal: Opportunity, condition: Condition) -> bool:
    ref = deal.owner_ref if condition.field is Field.OWNER else deal.account_ref
    return isinstance(ref, Ref) and ref.local_id == condition.values[0]


# What is pushed.


@pytest.mark.parametrize(
    ("conditions", "taken"),
    [
        ([], []),
        ([OWNED], [OWNED]),
        ([OWNED, ACCOUNT], [ACCOUNT, OWNED]),
        ([by(Field.OWNER, "1", "2")], []),
        ([ACCOUNT, by(Field.ACCOUNT, "other")], [ACCOUNT]),
        (
            [
                by(Field.TITLE, "crane", operator=Operator.CONTAINS),
                by(Field.STATUS, OpportunityStatus.OPEN),
                by(Field.CONTACT, "101"),
                by(Field.STAGE, "default~closedwon"),
                by(Field.PROBABILITY, 60.0, operator=Operator.GTE),
            ],
            [],
        ),
    ],
)
async def test_only_ids_are_left_to_the_vendor_one_of_each_kind(conditions: list[Condition], taken: list[Condition]) -> None:
    async with playground("apideck") as made:
        client = client_of(made)

        assert client.opportunities_pushdown(conditions, None) == Pushdown(conditions=tuple(taken))
        assert client.contacts_pushdown(conditions) == Pushdown(conditions=tuple(taken))
        assert client.accounts_pushdown(conditions) == Pushdown()
        assert made.control.count() == 0


async def test_only_the_stamps_of_creation_and_change_are_ordered_by_the_vendor() -> None:
    async with playground("apideck") as made:
        client = client_of(made)

        sorted_by = {field for field in Field if client.opportunities_pushdown([], Sort(field, descending=True)).is_sorted}

    assert sorted_by == {Field.CREATED_AT, Field.UPDATED_AT}


# Filters.


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("where", [(ACCOUNT,), (OWNED,), (ACCOUNT, OWNED), (by(Field.OWNER, "nobody"),)], ids=lambda where: str(len(where)))
async def test_filtered_deals_are_those_of_the_whole_list_in_its_order(
    where: tuple[Condition, ...], options: Mapping[str, OptionValue]
) -> None:
    async with playground("apideck", options=options) as made:
        client = client_of(made)
        for key in ("9017442101", "9017442103"):  # one of the company's, and one of its owner's
            made.sandbox.app[STORE].delete("opportunities", key)
        for with_deleted in (False, True):
            request = asking(100, selection=RELATED, include_deleted=with_deleted)
            whole = await all_deals(client, request)
            wanted = [deal for deal in whole if all(fulfils(deal, condition) for condition in where)]
            for size in (2, 100, 1_000):
                found = await all_deals(client, replace(request, size=size, where=where))
                assert found == wanted

    assert (len(wanted) > 0) is (where[0].values != ("nobody",))
    assert len(wanted) < len(whole)
    assert any(deal.owner_ref is None for deal in whole) and any(deal.account_ref is None for deal in whole)


@pytest.mark.parametrize(
    ("where", "sort", "sent"),
    [
        ((ACCOUNT,), None, {"filter[company_id]": COMPANY}),
        ((OWNED,), None, {"filter[owner_id]": OWNER}),
        ((by(Field.OWNER, "a&b=c #ü%5B"),), None, {"filter[owner_id]": "a&b=c #ü%5B"}),
        ((ACCOUNT, OWNED), None, {"filter[company_id]": COMPANY, "filter[owner_id]": OWNER}),
        ((), Sort(Field.CREATED_AT), {"sort[by]": "created_at", "sort[direction]": "asc"}),
        (
            (OWNED,),
            Sort(Field.UPDATED_AT, descending=True),
            {"filter[owner_id]": OWNER, "sort[by]": "updated_at", "sort[direction]": "desc"},
        ),
    ],
)
async def test_what_is_pushed_is_a_parameter_and_one_call(where: tuple[Condition, ...], sort: Sort | None, sent: Mapping[str, str]) -> None:
    async with playground("apideck") as made:
        await client_of(made).opportunities_page(asking(5, *where, sort=sort))
        (call,) = made.control.calls

    # In whole pages: the end of a search of hubspot has to be seen.
    assert dict(call.query) == {"limit": "200", "fields": "deleted,id,title", **sent}


async def test_other_connectors_are_asked_for_as_many_rows_as_are_wanted() -> None:
    async with scripted(lambda _path, _query: rows([{"id": "1"}], "more")) as (made, client):
        await client.opportunities_page(asking(1, OWNED))
        await client.contacts_page(asking(1, ACCOUNT, OWNED))

    assert made.queries() == [
        {"limit": "1", "fields": "deleted,id,title", "filter[owner_id]": OWNER},
        {"limit": "1", "fields": "first_name,id,last_name,name", "filter[company_id]": COMPANY, "filter[owner_id]": OWNER},
    ]


@pytest.mark.parametrize("local_id", ["", ".", "..", "x" * 501, "\ud800"])
@pytest.mark.parametrize("field", [Field.ACCOUNT, Field.OWNER])
async def test_ids_that_nobody_can_have_cost_no_call(field: Field, local_id: str) -> None:
    async with playground("apideck") as made:
        client = client_of(made)
        for page in (
            await client.opportunities_page(asking(5, by(field, local_id), count=True)),
            await client.contacts_page(asking(5, OWNED, by(field, local_id))),
        ):
            assert (page.rows, page.has_more, page.position) == ([], False, None)

    assert made.control.count() == 0


@pytest.mark.parametrize("where", [(ACCOUNT,), (OWNED,), (ACCOUNT, OWNED), (by(Field.ACCOUNT, "none"),)])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
async def test_filtered_contacts_are_those_of_the_whole_list(where: tuple[Condition, ...], options: Mapping[str, OptionValue]) -> None:
    refs = {Field.ACCOUNT: "account_ref", Field.OWNER: "owner_ref"}
    async with playground("apideck", options=options) as made:
        client = client_of(made)
        whole = await client.contacts_page(asking(1_000, selection=RELATED))

        found = await client.contacts_page(asking(1_000, *where, selection=RELATED))

    wanted = [
        row.record
        for row in whole.rows
        if all(getattr(row.record, refs[condition.field]) == ("americas", condition.values[0]) for condition in where)
    ]
    assert [row.record for row in found.rows] == wanted
    assert (len(wanted) > 0) is (where[0].values != ("none",))


async def test_rows_that_do_not_name_their_company_have_the_filters() -> None:
    async with scripted(lambda _path, _query: rows([{"id": "1"}, {"id": "2", "company_id": "parent"}])) as (_, client):
        deals = await client.opportunities_page(asking(5, by(Field.ACCOUNT, "co"), selection=RELATED))
        contacts = await client.contacts_page(asking(5, by(Field.ACCOUNT, "co"), selection=RELATED))
        unknown = await client.contacts_page(asking(5, by(Field.OWNER, "u"), selection=RELATED))

    assert [row.record.account_ref for row in deals.rows] == [("am", "co"), ("am", "parent")]
    assert [row.record.account_ref for row in contacts.rows] == [("am", "co"), ("am", "parent")]
    assert [row.record.account_ref for row in unknown.rows] == [None, ("am", "parent")]


async def test_deals_that_hubspot_finds_by_owner_are_read_again_for_their_relations_alone() -> None:
    async with playground("apideck") as made:
        client = client_of(made)
        await client.opportunities_page(asking(20, OWNED))
        await client.opportunities_page(asking(20, OWNED, selection=RELATED))
        await client.opportunities_page(asking(20, OWNED, ACCOUNT, selection=COMPANIES))
        fields = [dict(call.query)["fields"] for call in made.control.calls]

    relations = "company_id,contact_id,contact_ids,created_at,deleted,id,owner_id,primary_contact_id,title,updated_at"
    assert fields == ["deleted,id,title", "deleted,id", relations, "company_id,deleted,id"]


# Filters that a connector lacks.


async def test_a_set_of_filters_that_is_refused_leaves_the_first_of_them_to_the_vendor() -> None:
    def answer(_: str, query: dict[str, str]) -> Json | web.Response:
        if {"filter[company_id]", "filter[owner_id]"} <= query.keys():
            return refusal(400, "UnsupportedFiltersError")
        return rows([{"id": "1", "company_id": "co", "owner_id": "u"}, {"id": "2", "company_id": "co"}, {"id": "3", "owner_id": "u"}])

    where = (by(Field.ACCOUNT, "co"), by(Field.OWNER, "u"))
    async with scripted(answer) as (made, client):
        assert client.opportunities_pushdown(where, None).conditions == where
        page = await client.opportunities_page(asking(5, *where))
        after = client.opportunities_pushdown(where, None).conditions
        again = await client.opportunities_page(asking(5, *where))
        await client.opportunities_page(asking(5, *after))

    assert ids_of(page) == ids_of(again) == ["1"]
    assert after == where[:1]
    assert [sorted(name for name in query if name.startswith("filter")) for query in made.queries()] == [
        ["filter[company_id]", "filter[owner_id]"],
        [],
        [],
        ["filter[company_id]"],
    ]
    assert made.queries()[1]["fields"] == "company_id,deleted,id,owner_id,title"


async def test_other_errors_of_a_filtered_list_are_told() -> None:
    async with scripted(lambda _path, _query: refusal(501, "ConnectorOperationUnsupportedError")) as (made, client):
        with pytest.raises(UnsupportedError):
            await client.opportunities_page(asking(5, OWNED))

    assert len(made.asked) == 1


@pytest.mark.parametrize("meta", [{"total_count": 10_000}, {}])
async def test_where_hubspot_may_find_more_than_it_lists_the_whole_list_is_looked_through(meta: Json) -> None:
    def answer(_: str, query: dict[str, str]) -> Json:
        found: list[Json] = [{"id": "1", "owner_id": "u"}, {"id": "2"}]
        return rows(found, "more", **meta) if "filter[owner_id]" in query else rows(found)

    async with scripted(answer, service_id="hubspot") as (made, client):
        page = await client.contacts_page(asking(5, by(Field.OWNER, "u")))
        pushed = client.contacts_pushdown([by(Field.OWNER, "u")]).conditions

    assert (ids_of(page), page.has_more, len(pushed)) == (["1"], False, 1)
    assert [query.get("filter[owner_id]") for query in made.queries()] == ["u", None]


async def test_a_search_that_outgrows_hubspots_limit_on_the_way_is_an_error() -> None:
    def answer(_: str, query: dict[str, str]) -> Json:
        page = int(query.get("cursor", "0"))
        return rows([{"id": f"d{page}"}], str(page + 1), total_count=9_999 + page)

    async with scripted(answer, service_id="hubspot") as (_, client):
        first = await client.opportunities_page(asking(1, OWNED))
        with pytest.raises(UnsupportedError):
            await client.opportunities_page(asking(1, OWNED, position=first.position))


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
