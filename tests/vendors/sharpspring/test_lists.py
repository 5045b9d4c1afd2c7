"""Lists of Lead Gen & CRM: what of a wish the vendor evaluates, in how many calls, and that nothing is missed while rows come and go."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.playground import Playground, playground
from tests.vendors.sharpspring.scripted_vendor import scripted
from vendors.capabilities import Page, PageRequest
from vendors.model import EVERYTHING, OpportunityStatus, Selection
from vendors.query import NOTHING, Condition, Field, Operator, Pushdown, Sort
from vendors.sharpspring.client import Client
from vendors.sharpspring.sandbox.routes import STORE
from vendors.sharpspring.sandbox.store import Store

TITLES = Selection({"Opportunity": frozenset({"title"})})
COLUMNS = {Field.ACCOUNT: "accountID", Field.OWNER: "ownerID", Field.STAGE: "dealStageID"}
FJORD, TOVE, LARS, SURVEY = "40112233401", "312000001", "312000002", "70110013"
# Ids that the vendor does not give: no digits, digits it does not write, nothing's id, and one longer than 18 digits.
IMPOSSIBLE = ["x", "", "0", "007", "-5", "٣", " 7", "7\n", "1234567890123456789"]
UTC_ZONE = ZoneInfo("UTC")

ReadPage = Callable[[PageRequest], Any]


def is_one(field: Field, *values: Any) -> Condition:
    return Condition(field, Operator.ANY_OF, values)


@asynccontextmanager
async def ground(**options: Any) -> AsyncGenerator[tuple[Playground, Client], None]:
    async with playground("sharpspring", **options) as made:
        assert isinstance(made.crm.client, Client)
        yield made, made.crm.client


def sent(made: Playground) -> list[dict[str, Any]]:
    return [json.loads(call.body)["params"] for call in made.control.calls]


def store_of(made: Playground) -> Store:
    return made.sandbox.app[STORE]


def ids_of(page: Page[Any]) -> list[str]:
    return [row.record.local_id for row in page.rows]


async def walk(read: ReadPage, size: int = 3, *, position: str | None = None, **wishes: Any) -> list[str]:
    """Give the ids of all rows from a position on."""
    found: list[str] = []
    while True:
        page = await read(PageRequest(size=size, position=position, selection=TITLES, **wishes))
        found += ids_of(page)
        if not page.has_more:
            return found
        position = page.position


# What the vendor evaluates.


@pytest.mark.parametrize("field", COLUMNS)
async def test_one_reference_is_evaluated_by_the_vendor_exactly(field: Field) -> None:
    condition = is_one(field, "7")
    async with scripted(lambda _: {"result": []}) as (_, client):
        assert client.opportunities_pushdown([condition], None) == Pushdown(conditions=(condition,), is_exact=True)


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        ([is_one(Field.STAGE, "1"), is_one(Field.OWNER, "2"), is_one(Field.ACCOUNT, "3")], is_one(Field.ACCOUNT, "3")),
        ([is_one(Field.STAGE, "1"), is_one(Field.OWNER, "2")], is_one(Field.OWNER, "2")),
        ([is_one(Field.OWNER, "2"), is_one(Field.ACCOUNT, "3", "4")], is_one(Field.OWNER, "2")),
        ([is_one(Field.STAGE, "1"), is_one(Field.STAGE, "2")], is_one(Field.STAGE, "1")),
        ([is_one(Field.STATUS, OpportunityStatus.OPEN), is_one(Field.STAGE, "1")], is_one(Field.STAGE, "1")),
    ],
)
async def test_of_several_conditions_the_narrowest_is_evaluated(asked: Sequence[Condition], taken: Condition) -> None:
    async with scripted(lambda _: {"result": []}) as (vendor, client):
        assert client.opportunities_pushdown(asked, None) == Pushdown(conditions=(taken,))
        assert vendor.asked == []


@pytest.mark.parametrize(
    "condition",
    [
        is_one(Field.ACCOUNT, "1", "2"),
        is_one(Field.OWNER, "1", "2"),
        is_one(Field.STAGE, "1", "2"),
        is_one(Field.CONTACT, "1"),
        is_one(Field.PIPELINE, "default"),
        is_one(Field.STATUS, OpportunityStatus.WON),
        Condition(Field.TITLE, Operator.CONTAINS, ("crane",)),
        Condition(Field.PROBABILITY, Operator.GTE, (50.0,)),
        Condition(Field.EXPECTED_CLOSE_DATE, Operator.LT, (date(2026, 1, 1),)),
        Condition(Field.CREATED_AT, Operator.GT, (datetime(2026, 1, 1, tzinfo=UTC),)),
    ],
    ids=str,
)
async def test_what_is_not_documented_is_left_to_the_reader(condition: Condition) -> None:
    async with scripted(lambda _: {"result": []}) as (_, client):
        assert client.opportunities_pushdown([condition], None) == NOTHING


@pytest.mark.parametrize("field", Field)
async def test_no_order_is_asked_of_the_vendor(field: Field) -> None:
    async with scripted(lambda _: {"result": []}) as (_, client):
        assert client.opportunities_pushdown([], Sort(field)) == NOTHING


async def test_of_accounts_the_owner_and_of_contacts_nothing_is_evaluated() -> None:
    owner = is_one(Field.OWNER, "1")
    others = [is_one(Field.OWNER, "1", "2"), Condition(Field.NAME, Operator.CONTAINS, ("as",)), is_one(Field.ACCOUNT, "1")]
    async with scripted(lambda _: {"result": []}) as (_, client):
        assert client.accounts_pushdown([*others, owner]) == Pushdown(conditions=(owner,))
        assert client.contacts_pushdown([*others, owner]) == NOTHING


# Conditions on the wire.


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"row_order": "descending"},
        {"scalars": "number"},
        {"booleans": "blank"},
        {"has_more": "off"},
        {"empty_map": "list"},
        {"array_where": "none"},
        {"inactive_rows": "listed"},
        {"page_limit_500": "fails"},
    ],
    ids=str,
)
@pytest.mark.parametrize("field", COLUMNS)
async def test_one_condition_is_asked_of_the_vendor(field: Field, options: dict[str, str]) -> None:
    column = COLUMNS[field]
    async with ground(options=options) as (made, client):
        stored = {str(row["id"]): row for row in store_of(made).tables["opportunity"].rows.values()}
        everything = await walk(client.opportunities_page, 200, include_deleted=True)
        counts: dict[int | None, int] = {}
        for row in stored.values():
            counts[row[column]] = counts.get(row[column], 0) + 1
        assert field is not Field.ACCOUNT or None in counts  # rows without an account come by no condition
        for value in counts.keys() - {None}:
            made.control.calls.clear()

            page = await client.opportunities_page(
                PageRequest(size=100, selection=TITLES, where=(is_one(field, str(value)),), include_deleted=True)
            )

            assert ids_of(page) == [row_id for row_id in everything if stored[row_id][column] == value]
            assert sent(made) == [{"where": {column: str(value)}, "limit": 101, "offset": 0}]
            assert not page.has_more


async def test_rows_of_a_condition_come_page_by_page_and_each_call_has_the_condition() -> None:
    where = (is_one(Field.OWNER, LARS),)
    async with ground() as (made, client):
        expected = await walk(client.opportunities_page, 100, where=where)
        made.control.calls.clear()

        assert await walk(client.opportunities_page, 4, where=where) == expected
        assert len(expected) > 12
        assert {json.dumps(params["where"]) for params in sent(made)} == {json.dumps({"ownerID": LARS})}
        assert len(sent(made)) == -(-len(expected) // 4)


@pytest.mark.parametrize(("deleted", "count"), [(False, 0), (True, 1)])
async def test_inactive_rows_of_a_condition_come_only_when_they_are_wanted(
    deleted: bool,  # noqa: FBT001  # a row of the table
    count: int,
) -> None:
    async with ground(options={"inactive_rows": "listed"}) as (_, client):
        page = await client.opportunities_page(
            PageRequest(size=100, selection=TITLES, where=(is_one(Field.OWNER, "312000007"),), include_deleted=deleted)
        )

        assert sum(row.record.is_deleted for row in page.rows) == count


@pytest.mark.parametrize("value", IMPOSSIBLE)
async def test_an_id_that_cannot_be_costs_no_call(value: str) -> None:
    async with ground() as (made, client):
        for field in COLUMNS:
            pushed = client.opportunities_pushdown([is_one(field, value)], None)
            page = await client.opportunities_page(PageRequest(size=5, selection=EVERYTHING, where=pushed.conditions))
            assert (ids_of(page), page.has_more, page.position) == ([], False, None)
        accounts = await client.accounts_page(PageRequest(size=5, selection=EVERYTHING, where=(is_one(Field.OWNER, value),)))

        assert (ids_of(accounts), accounts.has_more) == ([], False)
        assert await client.accounts_by_ids([value], EVERYTHING) == {}
        assert made.control.calls == []


async def test_an_id_that_nothing_has_costs_a_call() -> None:
    async with ground() as (made, client):
        page = await client.opportunities_page(PageRequest(size=5, selection=TITLES, where=(is_one(Field.ACCOUNT, "4711"),)))

        assert (ids_of(page), page.has_more, page.position) == ([], False, None)
        assert sent(made) == [{"where": {"accountID": "4711"}, "limit": 6, "offset": 0}]


@pytest.mark.parametrize("conditions", [(), (is_one(Field.OWNER, TOVE),)])
async def test_the_vendor_tells_no_number_of_rows_and_is_not_asked_for_it(conditions: tuple[Condition, ...]) -> None:
    async with ground() as (made, client):
        request = PageRequest(size=5, selection=TITLES, where=conditions, count=True)

        assert (await client.opportunities_page(request)).total is None
        assert (await client.accounts_page(request)).total is None
        assert (await client.contacts_page(PageRequest(size=5, selection=TITLES, count=True))).total is None
        assert made.control.operations() == ["getOpportunities", "getAccounts", "getLeads"]


# Rows that come and go.


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("size", [1, 2, 5])
async def test_rows_that_join_and_leave_a_condition_make_neither_gap_nor_repetition(order: str, size: int) -> None:
    where = (is_one(Field.OWNER, TOVE),)
    async with ground(options={"row_order": order}) as (made, client):
        store = store_of(made)

        def change(row_id: str, owner: str) -> None:
            store.update("opportunity", {"id": row_id, "ownerID": owner}, UTC_ZONE)

        before = await walk(client.opportunities_page, 100, where=where)
        others = await walk(client.opportunities_page, 100, where=(is_one(Field.OWNER, LARS),))
        found: list[str] = []
        position: str | None = None
        has_more, turn = True, 0
        gone: set[str] = set()
        while has_more:
            page = await client.opportunities_page(PageRequest(size=size, position=position, selection=TITLES, where=where))
            found += ids_of(page)
            position, has_more = page.position, page.has_more
            # The last row read and one unread row leave, in turns by a change and by being deleted, and another's row joins.
            unread = [row_id for row_id in before if row_id not in found and row_id not in gone]
            leaving = [found[-1]] if turn % 2 else [found[-1], *unread[2:3]]
            for row_id in leaving:
                gone.add(row_id)
                if turn % 3:
                    change(row_id, LARS)
                else:
                    store.delete("opportunity", {"id": row_id})
            if others and turn % 2:
                change(others.pop(len(others) // 2), TOVE)
            turn += 1

        assert turn > 3
        assert len(found) == len(set(found))
        assert [row_id for row_id in before if row_id not in gone] == [
            row_id for row_id in found if row_id in before and row_id not in gone
        ]


@pytest.mark.parametrize("descending", [False, True])
async def test_the_last_row_is_found_when_the_one_before_it_is_gone(descending: bool) -> None:  # noqa: FBT001  # a row of the table
    """A single row does not tell the direction; the position does."""
    ids = ["30", "50"]
    if descending:
        ids.reverse()

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        start, count = asked["params"]["offset"], asked["params"]["limit"]
        return {"result": {"opportunity": [{"id": row_id} for row_id in ids[start : start + count]]}}

    async with scripted(answer) as (_, client):
        first = await client.opportunities_page(PageRequest(size=1, selection=TITLES))
        gone = ids.pop(0)
        second = await client.opportunities_page(PageRequest(size=1, position=first.position, selection=TITLES))

        assert ids_of(first) == [gone]
        assert ids_of(second) == ids
        assert not second.has_more


# Large pages.


@pytest.mark.parametrize(
    ("settings", "options", "pages", "calls"),
    [
        ({}, {}, [999, 998, 290], 5),
        ({}, {"has_more": "off"}, [999, 998, 290], 5),
        ({}, {"row_order": "descending"}, [999, 998, 290], 5),
        ({"page_size": 100}, {}, [991, 990, 306], 24),
        ({}, {"page_limit_500": "fails"}, [996, 995, 296], 13),  # one of them is the page of 500 that fails
    ],
)
async def test_a_scan_takes_as_many_calls_as_there_are_full_pages_that_overlap_by_a_row(
    settings: Mapping[str, object], options: dict[str, str], pages: list[int], calls: int
) -> None:
    async with ground(settings=settings, options=options, scale=2_330) as (made, client):
        active = [str(row["id"]) for row in store_of(made).tables["opportunity"].rows.values() if row["isActive"]]
        found: list[str] = []
        lengths: list[int] = []
        position: str | None = None
        has_more = True
        while has_more:
            page = await client.opportunities_page(PageRequest(size=1_000, position=position, selection=TITLES))
            found += ids_of(page)
            lengths.append(len(page.rows))
            position, has_more = page.position, page.has_more

        assert sorted(active, reverse=options.get("row_order") == "descending") == found
        assert (lengths, made.control.count()) == (pages, calls)


async def test_a_short_list_takes_one_call_however_large_the_page() -> None:
    async with ground() as (made, client):
        opportunities = await client.opportunities_page(PageRequest(size=1_000, selection=TITLES))
        owned = await client.opportunities_page(PageRequest(size=1_000, selection=TITLES, where=(is_one(Field.OWNER, TOVE),)))

        assert (len(opportunities.rows), opportunities.has_more, owned.has_more) == (50, False, False)
        assert 1 < len(owned.rows) < 50
        assert made.control.operations() == ["getOpportunities"] * 2


@pytest.mark.parametrize("size", [500, 1_000])
async def test_a_page_ends_where_it_is_full_although_more_was_read(size: int) -> None:
    ids = [str(number) for number in range(1, size + 2)]

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        start, count = asked["params"]["offset"], min(asked["params"]["limit"], 500)
        return {"result": {"opportunity": [{"id": row_id} for row_id in ids[start : start + count]]}}

    async with scripted(answer) as (_, client):
        assert await walk(client.opportunities_page, size) == ids
        assert await walk(client.opportunities_page, size, position=f"{size}~{size}") == ids[size:]


@pytest.mark.parametrize("gone", [[3], [499, 500], [500], [501], [600]])
async def test_rows_that_go_between_the_calls_of_one_page_make_no_gap(gone: list[int]) -> None:
    ids = [str(number) for number in range(1, 1_101)]

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        start, count = asked["params"]["offset"], asked["params"]["limit"]
        rows = [{"id": row_id} for row_id in ids[start : start + count]]
        ids[:] = [row_id for row_id in ids if int(row_id) not in gone]
        return {"result": {"opportunity": rows}}

    async with scripted(answer) as (_, client):
        page = await client.opportunities_page(PageRequest(size=1_000, selection=TITLES))
        rest = await walk(client.opportunities_page, 1_000, position=page.position)

        seen = [*ids_of(page), *rest]
        assert seen == [str(number) for number in range(1, 1_101) if number not in gone or number <= 500]
        assert len(page.rows) > 900


# Accounts, contacts and users.


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("size", [1, 4, 1_000])
async def test_accounts_are_listed_and_found_by_their_owner(size: int, order: str) -> None:
    async with ground(options={"row_order": order}) as (made, client):
        stored = store_of(made).tables["account"].rows
        everything = sorted(stored, reverse=order == "descending")

        assert await walk(client.accounts_page, size) == list(map(str, everything))
        for owner in (TOVE, LARS):
            made.control.calls.clear()
            owned = await walk(client.accounts_page, size, where=(is_one(Field.OWNER, owner),))
            assert owned == [str(row_id) for row_id in everything if str(stored[row_id]["ownerID"]) == owner]
            assert len(owned) > 1
            assert {json.dumps(params["where"]) for params in sent(made)} == {json.dumps({"ownerID": owner})}
            assert set(made.control.operations()) == {"getAccounts"}


async def test_a_listed_account_is_the_one_that_its_id_finds() -> None:
    async with ground() as (made, client):
        page = await client.accounts_page(PageRequest(size=100, selection=EVERYTHING))
        found = await client.accounts_by_ids(ids_of(page), EVERYTHING)

        assert {row.record.local_id: row.record for row in page.rows} == found
        assert FJORD in found
        assert sent(made)[0] == {"where": {}, "limit": 101, "offset": 0}


async def test_contacts_are_listed_with_the_fields_that_are_read() -> None:
    names = Selection({"Contact": frozenset({"name"})})
    async with ground() as (made, client):
        page = await client.contacts_page(PageRequest(size=3, selection=names))
        await client.contacts_page(PageRequest(size=3, position=page.position, selection=names))

        assert [row.record.name for row in page.rows][:1] == ["Lene Sørensen"]
        assert {row.record.read_fields for row in page.rows} == {frozenset({"name"})}
        fields = ["emailAddress", "firstName", "id", "lastName"]
        assert sent(made) == [
            {"where": {}, "limit": 4, "offset": 0, "fields": fields},
            {"where": {}, "limit": 5, "offset": 2, "fields": fields},
        ]
        assert set(made.control.operations()) == {"getLeads"}


@pytest.mark.parametrize("options", [{}, {"row_order": "descending"}, {"lead_without_id": "on"}, {"lead_ids_per_call": "100"}], ids=str)
@pytest.mark.parametrize("size", [1, 7, 1_000])
async def test_the_list_of_contacts_is_whole_but_for_the_inactive_whom_the_vendor_hides(options: dict[str, str], size: int) -> None:
    async with ground(options=options) as (made, client):
        stored = store_of(made).tables["lead"].rows
        active = sorted((row_id for row_id, row in stored.items() if row["active"]), reverse="row_order" in options)
        hidden = [str(row_id) for row_id, row in stored.items() if not row["active"]]

        assert await walk(client.contacts_page, size, include_deleted=True) == list(map(str, active))
        assert hidden
        assert list(await client.contacts_by_ids(hidden, EVERYTHING)) == hidden


async def test_a_listed_contact_is_the_one_that_its_id_finds() -> None:
    async with ground() as (_, client):
        page = await client.contacts_page(PageRequest(size=100, selection=EVERYTHING))

        assert {row.record.local_id: row.record for row in page.rows} == await client.contacts_by_ids(ids_of(page), EVERYTHING)


async def test_contacts_that_come_and_go_make_neither_gap_nor_repetition() -> None:
    async with ground() as (made, client):
        before = await walk(client.contacts_page, 100)
        first = await client.contacts_page(PageRequest(size=5, selection=EVERYTHING))
        for row_id in (before[1], before[4], before[6]):
            store_of(made).delete("lead", {"id": row_id})

        rest = await walk(client.contacts_page, 5, position=first.position)

        assert ids_of(first) == before[:5]
        assert rest == [before[5], *before[7:]]


async def test_users_are_listed_from_the_kept_table_inactive_ones_too() -> None:
    async with ground() as (made, client):
        listed = await client.users()
        await client.users()
        found = await client.users_by_ids([user.local_id for user in listed], EVERYTHING)

        assert [user.local_id for user in listed] == [TOVE, LARS, "312000003", "312000004", "312000007"]
        assert list(found.values()) == list(listed)
        assert [user.is_active for user in listed].count(False) == 1
        assert made.control.operations() == ["getUserProfiles"]
