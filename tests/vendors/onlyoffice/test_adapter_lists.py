"""Lists that the portal narrows down: what is asked, what comes, and what the portal's own peculiarities do not take away."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any

import pytest

from tests.playground import Playground, playground
from vendors.capabilities import Page, PageRequest
from vendors.model import EVERYTHING, UNREAD, Account, Contact, Opportunity, OpportunityStatus, Ref, Selection
from vendors.onlyoffice.client import Client
from vendors.onlyoffice.mapping import LOST_USER_ID
from vendors.onlyoffice.sandbox.logins import ADMIN_USERNAME
from vendors.onlyoffice.sandbox.routes import PORTAL
from vendors.onlyoffice.sandbox.store import Store
from vendors.query import Condition, Field, Operator
from vendors.registry import all_sandboxes
from vendors.sandbox import Fault, OptionValue

LOGIN, LIST, CONTACTS, STAFF = (
    "authentication",
    "GET crm/opportunity/filter",
    "GET crm/contact/filter",
    "GET crm/contact/company/{companyid}/person",
)
IVO, LEFT = "9924256a-739c-462b-af15-e652a3b1b6eb", "7ad20b61-c3f4-4598-8e17-5f09d6b3c8a2"
REMOVED = "d15c"
TITLES = Selection({"Opportunity": frozenset({"title"})})
WHOLE_ROWS = Selection({"Opportunity": frozenset({"title", "extension"})})
ACCOUNTS = Selection({"Opportunity": frozenset({"title", "account_ref"})})
BY_ID = {"sortBy": "id", "sortOrder": "ascending"}
POSITIONS = [position for position in all_sandboxes()["onlyoffice"].positions() if len(position) <= 1]


def client_of(ground: Playground) -> Client:
    assert isinstance(ground.crm.client, Client)
    return ground.crm.client


def store_of(ground: Playground) -> Store:
    return ground.sandbox.app[PORTAL].store


def any_of(field: Field, *values: Any) -> Condition:
    return Condition(field, Operator.ANY_OF, values)


def status(value: OpportunityStatus) -> Condition:
    return any_of(Field.STATUS, value)


def calls(ground: Playground) -> Counter[str]:
    """What was answered since the last look, the login left out."""
    counted = Counter(call.operation for call in ground.control.calls if call.operation != LOGIN and call.status != HTTPStatus.UNAUTHORIZED)
    ground.control.calls.clear()
    return counted


def queries(ground: Playground) -> list[dict[str, str]]:
    """The filters of the list that were sent since the last look."""
    sent = [dict(call.query) for call in ground.control.calls if call.operation == LIST]
    ground.control.calls.clear()
    return [{name: value for name, value in query.items() if name not in {"startIndex", "count"}} for query in sent]


async def pages(
    client: Client, *where: Condition, size: int = 100, selection: Selection = WHOLE_ROWS, between: Callable[[], None] = lambda: None
) -> list[Page[Opportunity]]:
    taken = client.opportunities_pushdown(where, None)
    assert set(taken.conditions) == set(where), "not everything is taken"
    found: list[Page[Opportunity]] = []
    position: str | None = None
    while True:
        page = await client.opportunities_page(
            PageRequest(size=size, position=position, selection=selection, where=taken.conditions, count=True)
        )
        found.append(page)
        if not page.has_more:
            return found
        assert page.position not in (None, position)
        position = page.position
        between()


def ids(found: Sequence[Page[Opportunity]] | Sequence[Page[Contact]] | Sequence[Page[Account]]) -> list[int]:
    return [int(row.record.local_id) for page in found for row in page.rows]


# What is sent


@pytest.mark.parametrize(
    ("conditions", "query", "expected"),
    [
        ((status(OpportunityStatus.WON),), {"stageType": "1"}, {117, 122, *range(141, 151)}),
        ((any_of(Field.STAGE, "11"),), {"opportunityStagesid": "11"}, {122, 145, 148}),
        ((any_of(Field.OWNER, LEFT),), {"responsibleid": LEFT}, {133, 166}),
        ((any_of(Field.STAGE, "11"), any_of(Field.OWNER, IVO)), {"opportunityStagesid": "11", "responsibleid": IVO}, {122}),
        ((any_of(Field.PIPELINE, "default"), any_of(Field.STAGE, "3")), {"opportunityStagesid": "3"}, {120, 134}),
    ],
)
async def test_a_condition_is_sent_and_the_count_comes_with_the_page(
    conditions: Sequence[Condition], query: dict[str, str], expected: set[int]
) -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        whole = await pages(client, *conditions)

        assert calls(ground) == {LIST: 1}
        parts = await pages(client, *conditions, size=2)
        assert all(sent == {**BY_ID, **query} for sent in queries(ground))

    assert ids(whole) == ids(parts) == sorted(expected)
    assert {page.total for page in [*whole, *parts]} == {len(expected)}


@pytest.mark.parametrize("offset", ["+03:00", "+00:00", "-05:00"])
@pytest.mark.parametrize(
    ("field", "value", "attribute"),
    [
        (Field.EXPECTED_CLOSE_DATE, OpportunityStatus.OPEN, "expected_close_date"),
        (Field.ACTUAL_CLOSE_DATE, OpportunityStatus.LOST, "actual_close_date"),
    ],
)
async def test_no_day_of_a_range_is_lost_wherever_the_portal_is(
    offset: str, field: Field, value: OpportunityStatus, attribute: str
) -> None:
    async with playground("onlyoffice", options={"portal_offset": offset}) as ground:
        client = client_of(ground)
        whole = [row.record for page in await pages(client, status(value)) for row in page.rows]
        days = sorted({day for record in whole if (day := getattr(record, attribute)) is not None})
        for day in days:
            exactly = [Condition(field, Operator.GTE, (day,)), Condition(field, Operator.LTE, (day,))]
            found = ids(await pages(client, status(value), *exactly))
            assert {int(record.local_id) for record in whole if getattr(record, attribute) == day} <= set(found)
            assert len(found) <= 4

    assert len(days) > 5


async def test_an_opportunity_without_the_date_is_in_no_range() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        until = Condition(Field.EXPECTED_CLOSE_DATE, Operator.LTE, (date.max,))

        found = ids(await pages(client, status(OpportunityStatus.OPEN), until))

        assert queries(ground) == [{**BY_ID, "stageType": "0", "fromDate": "0002-01-01", "toDate": "9999-12-31"}]
    assert 101 in found and not {120, 136} & set(found)


@pytest.mark.parametrize(
    "condition",
    [
        any_of(Field.STAGE, "Won"),
        any_of(Field.OWNER, "@self"),
        any_of(Field.ACCOUNT, "12 or 1=1"),
        any_of(Field.CONTACT, "99999999999"),
        any_of(Field.PIPELINE, "7"),
        Condition(Field.UPDATED_AT, Operator.GTE, (datetime(2020, 1, 1, tzinfo=UTC),)),
    ],
    ids=str,
)
async def test_what_nothing_can_fulfil_costs_no_call(condition: Condition) -> None:
    async with playground("onlyoffice") as ground:
        [page] = await pages(client_of(ground), condition)

        assert not ground.control.calls
    assert (list(page.rows), page.has_more, page.total) == ([], False, 0)


async def test_the_count_is_told_on_demand_and_where_the_portal_tells_it() -> None:
    async with playground("onlyoffice") as ground, playground("onlyoffice", options={"total": "absent"}) as silent:
        plain = await client_of(ground).opportunities_page(PageRequest(size=10, selection=TITLES))
        counted = await client_of(ground).opportunities_page(PageRequest(size=10, selection=TITLES, count=True))
        unknown = await client_of(silent).opportunities_page(PageRequest(size=10, selection=TITLES, count=True))

        assert calls(ground) == {LIST: 2}
    assert (plain.total, counted.total, unknown.total) == (None, 53, None)


async def test_the_count_is_right_behind_rows_that_went_meanwhile() -> None:
    async with playground("onlyoffice") as ground:
        client, store = client_of(ground), store_of(ground)

        def half_goes() -> None:
            store.delete_many(store.employees[IVO], [deal_id for deal_id in store.deals if deal_id < 150])

        found = await pages(client, size=48, between=half_goes)

        assert [page.total for page in found] == [53, len(store.deals)]
    assert len(set(ids(found))) == 53


# What the portal shows differently from what it looks for


async def test_the_stand_in_of_removed_users_is_not_looked_for_since_the_portal_keeps_their_own_ids() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        assert not client.opportunities_pushdown([any_of(Field.OWNER, LOST_USER_ID)], None).conditions

        removed = next(deal.responsible_id for deal in store_of(ground).deals.values() if deal.responsible_id.startswith(REMOVED))
        [page] = await pages(client, any_of(Field.OWNER, removed))

    assert (list(page.rows), page.has_more, page.total) == ([], False, None)


async def test_a_stage_that_is_gone_has_no_opportunities_although_the_portal_finds_some() -> None:
    async with playground("onlyoffice") as ground:
        [page] = await pages(client_of(ground), any_of(Field.STAGE, "10"))

    assert (list(page.rows), page.total) == ([], None)


# Contacts and companies


async def test_a_contact_s_opportunities_are_two_lists_read_at_once() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        store_of(ground).deals[113].members = [15]
        store_of(ground).deals[101].members = [15]  # its primary contact 45 is no participant, as after an update by the API
        found = await pages(client, any_of(Field.CONTACT, "45"))

        sent = queries(ground)
        assert sorted(sent, key=str) == [
            {**BY_ID, "contactid": "45", "contactAlsoIsParticipant": "false"},
            {**BY_ID, "contactid": "45", "contactAlsoIsParticipant": "true"},
        ]
        assert ids(await pages(client, any_of(Field.CONTACT, "45"), status(OpportunityStatus.WON))) == [144]
        assert all(query["stageType"] == "1" for query in queries(ground))

    assert ids(found) == [101, 144]
    assert [page.total for page in found] == [None]


async def test_a_company_is_nobody_s_contact_and_a_person_nobody_s_company() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)

        assert ids(await pages(client, any_of(Field.CONTACT, "12"))) == []
        assert ids(await pages(client, any_of(Field.ACCOUNT, "41"))) == []


@pytest.mark.parametrize("position", POSITIONS, ids=str)
@pytest.mark.parametrize("size", [1, 3, 100])
async def test_a_company_has_what_it_takes_part_in_and_what_its_people_are_the_contact_of(
    position: dict[str, OptionValue], size: int
) -> None:
    async with playground("onlyoffice", options=position) as ground:
        client = client_of(ground)
        for deal in store_of(ground).deals.values():
            deal.members = [member for member in deal.members if member != 15 or deal.id == 126]

        found = await pages(client, any_of(Field.ACCOUNT, "15"), size=size, selection=ACCOUNTS)

        counted = calls(ground)
        assert counted[STAFF] == 1
        assert size < 100 or counted[LIST] == 4
    records = [row.record for page in found for row in page.rows]
    assert ids(found) == [101, 113, 120, 126, 134, 144, 161]
    assert {record.account_ref for record in records} == {Ref("baltic", "15")}
    assert records[0].account_refs == (Ref("baltic", "15"),)


async def test_a_participant_whose_contact_is_somebody_else_s_is_told_without_an_account() -> None:
    async with playground("onlyoffice") as ground:
        [page] = await pages(client_of(ground), any_of(Field.ACCOUNT, "13"), selection=ACCOUNTS)

        assert calls(ground) == {STAFF: 1, LIST: 3}
    told = {int(row.record.local_id): row.record.account_ref for row in page.rows}
    company = Ref("baltic", "13")
    assert told == {106: UNREAD, 110: company, 128: company, 148: company}


@pytest.mark.parametrize("company", ["26", "999"])
async def test_a_company_that_is_hidden_or_unknown_has_nothing(company: str) -> None:
    async with playground("onlyoffice") as ground:
        [page] = await pages(client_of(ground), any_of(Field.ACCOUNT, company))
        assert calls(ground) == {STAFF: 1}

        [people] = await people_pages(client_of(ground), any_of(Field.ACCOUNT, company))
    assert not page.rows and not people.rows


async def test_who_moved_to_another_company_brings_nothing_to_the_first() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        store_of(ground).contacts[45].still_listed_by = [12]

        assert ids(await people_pages(client, any_of(Field.ACCOUNT, "12"))) == [41, 42]
        assert 101 not in ids(await pages(client, any_of(Field.ACCOUNT, "12")))


async def test_somebody_of_a_company_who_cannot_be_read_is_told_as_a_row_that_is_missing() -> None:
    async with playground("onlyoffice") as ground:
        ground.control.faults.append(Fault(kind="bad_row", match=STAFF))

        found = await pages(client_of(ground), any_of(Field.ACCOUNT, "15"), size=3)

    assert [page.dropped for page in found] == [1, 0, 0]


@pytest.mark.parametrize("size", [1, 4, 50])
async def test_of_a_company_of_many_people_the_whole_list_is_looked_through(size: int) -> None:
    async with playground("onlyoffice", scale=2_500) as ground:
        client, store = client_of(ground), store_of(ground)
        template = store.contacts[45]
        for contact_id in range(1_000, 1_021):
            store.contacts[contact_id] = type(template)(
                id=contact_id, is_company=False, first_name="P", company_id=15, create_by=IVO, created=template.created
            )
        deals = [deal for deal in store.deals.values() if 15 in (deal.contact_id, *deal.members)]
        for deal in deals[12:]:
            deal.contact_id, deal.members = 41, [41]

        found = await pages(client, any_of(Field.ACCOUNT, "15"), size=size, selection=ACCOUNTS)

        counted = calls(ground)
        assert counted[STAFF] == counted[LIST] == len(found) <= -(-12 // size) + 3
    assert ids(found) == [deal.id for deal in deals[:12]]
    assert {row.record.account_ref for page in found for row in page.rows} == {Ref("baltic", "15")}
    assert {page.total for page in found} == {None}


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_several_lists_read_as_one_give_each_row_once_while_rows_come_and_go(size: int) -> None:
    async with playground("onlyoffice") as ground:
        client, store = client_of(ground), store_of(ground)
        admin = next(user for user in store.employees.values() if user.is_admin)
        goes = itertools.chain([101, 113], itertools.repeat(0))

        def something_goes() -> None:
            store.delete_many(admin, [next(goes)])

        found = ids(await pages(client, any_of(Field.ACCOUNT, "15"), size=size, between=something_goes))

    assert len(found) == len(set(found)) and found == sorted(found)
    assert set(found) >= {120, 126, 134, 144, 161}


async def test_a_position_holds_its_lists_and_stays_short() -> None:
    async with playground("onlyoffice", scale=3_000) as ground:
        client, store = client_of(ground), store_of(ground)
        template = store.contacts[45]
        for contact_id in range(2_000_000_000, 2_000_000_018):
            store.contacts[contact_id] = type(template)(
                id=contact_id, is_company=False, first_name="P", company_id=15, create_by=IVO, created=template.created
            )
        page = await client.opportunities_page(PageRequest(size=40, selection=TITLES, where=(any_of(Field.ACCOUNT, "15"),)))

    assert page.has_more and page.position is not None
    assert all(len(row.position) <= 500 and row.position.isascii() and row.position.isprintable() for row in page.rows)
    assert page.position.count("~") == 1 + 2 + 20


# Accounts, contacts, users


async def people_pages(client: Client, *where: Condition, size: int = 100) -> list[Page[Contact]]:
    found: list[Page[Contact]] = []
    position: str | None = None
    while True:
        assert client.contacts_pushdown(where).conditions == where
        found.append(await client.contacts_page(PageRequest(size=size, position=position, selection=EVERYTHING, where=where, count=True)))
        if not found[-1].has_more:
            return found
        position = found[-1].position


@pytest.mark.parametrize("position", POSITIONS, ids=str)
async def test_accounts_are_the_companies_and_contacts_the_persons_by_id(position: dict[str, OptionValue]) -> None:
    async with playground("onlyoffice", options=position) as ground:
        client = client_of(ground)
        seen = [contact for contact in store_of(ground).contacts.values() if contact.share_type > 0]
        first = await client.accounts_page(PageRequest(size=10, selection=EVERYTHING, count=True))
        second = await client.accounts_page(PageRequest(size=10, position=first.position, selection=EVERYTHING, count=True))
        people = await people_pages(client, size=7)

    assert ids([first, second]) == sorted(contact.id for contact in seen if contact.is_company)
    assert ids(people) == sorted(contact.id for contact in seen if not contact.is_company)
    totals = {page.total for page in people}
    assert totals == ({None} if position.get("total") == "absent" else {len(ids(people))})


async def test_a_page_of_contacts_is_one_call_and_holds_their_companies() -> None:
    async with playground("onlyoffice") as ground:
        page = await client_of(ground).contacts_page(PageRequest(size=5, selection=EVERYTHING))

        sent = [dict(call.query) for call in ground.control.calls if call.operation == CONTACTS]
    assert sent == [{"startIndex": "0", "count": "6", "contactListView": "Person", **BY_ID}]
    assert page.seeds is not None
    assert {account.ref for account in page.seeds.accounts} == {row.record.account_ref for row in page.rows}
    assert {account.name for account in page.seeds.accounts} >= {"Harbour Lines"}
    assert page.total is None


async def test_people_of_a_company_are_listed_by_id_and_cost_one_call_a_page() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        found = await people_pages(client, any_of(Field.ACCOUNT, "15"), size=1)

        assert calls(ground) == {STAFF: 2}
        [nobody] = await people_pages(client, any_of(Field.ACCOUNT, "x"))
        assert not calls(ground)
    assert [row.record.name for page in found for row in page.rows] == ["Kasia Zielińska", "Tomasz Wójcik"]
    assert [(page.total, page.has_more) for page in found] == [(2, True), (2, False)]
    assert found[0].rows[0].record.account_ref == Ref("baltic", "15")
    assert not nobody.rows


async def test_nobody_owns_a_contact_or_a_company() -> None:
    where = (any_of(Field.OWNER, IVO),)
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        assert client.accounts_pushdown(where).conditions == client.contacts_pushdown(where).conditions == where
        accounts = await client.accounts_page(PageRequest(size=5, selection=EVERYTHING, where=where))
        contacts = await client.contacts_page(PageRequest(size=5, selection=EVERYTHING, where=where))

        assert not ground.control.calls
    assert not accounts.rows and not contacts.rows


async def test_users_are_those_of_the_kept_table() -> None:
    async with playground("onlyoffice") as ground, playground("onlyoffice", settings={"username": ADMIN_USERNAME}) as told:
        client = client_of(ground)
        names = [user.name for user in await client.users()]
        await client.users()

        assert calls(ground) == {"GET people/filter": 1}
        assert LEFT in {user.local_id for user in await client_of(told).users()}
    assert len(names) == 7 and "Ivo Brandt" in names


async def test_a_scan_takes_as_few_calls_as_the_portal_permits() -> None:
    async with playground("onlyoffice", scale=2_990) as ground:
        found = await pages(client_of(ground), any_of(Field.PIPELINE, "default"), size=1_000)

        assert calls(ground) == {LIST: 3}
    assert len(ids(found)) == 2_990
    assert {page.total for page in found} == {2_990}
