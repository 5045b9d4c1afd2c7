"""What Apideck's adapter leaves to the vendor of a list, and what becomes of filters where a connector lacks them."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from aiohttp import web

from tests.playground import playground
from tests.vendors.apideck.listing import (
    ACCOUNT,
    COMPANIES,
    COMPANY,
    OPTIONS,
    OWNED,
    OWNER,
    RELATED,
    all_deals,
    asking,
    by,
    client_of,
    fulfils,
    ids_of,
)
from tests.vendors.apideck.scripted_vendor import Json, refusal, rows, scripted
from vendors.apideck.sandbox import STORE
from vendors.errors import UnsupportedError
from vendors.model import OpportunityStatus
from vendors.query import Condition, Field, Operator, Pushdown, Sort
from vendors.sandbox import OptionValue

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
    assert made.lessons == ["filter opportunities by company_id, owner_id"]
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
