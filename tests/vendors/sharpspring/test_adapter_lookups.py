"""How many calls it takes to find many records, with each habit of the vendor and with what was learned before."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.playground import Playground, playground
from tests.vendors.sharpspring.scripted_vendor import scripted
from vendors.calls import recording
from vendors.capabilities import PageRequest
from vendors.errors import MalformedReplyError, PermissionDeniedError, UnavailableError, VendorError
from vendors.model import EVERYTHING, UNREAD, Account, Contact, Opportunity, Selection, User
from vendors.sandbox import Fault
from vendors.sharpspring.client import Client

# What a board of opportunities reads.
BOARD = Selection(
    {
        "Opportunity": frozenset({"title", "amount", "status", "pipeline_ref", "stage_ref", "owner_ref", "account_ref", "contact_refs"}),
        "Money": frozenset({"amount", "currency"}),
        "Account": frozenset({"name", "currency"}),
        "User": frozenset({"name", "email"}),
        "Contact": frozenset({"name", "email"}),
        "Stage": frozenset({"name", "order"}),
        "Pipeline": frozenset({"name"}),
    }
)
LIST, LINKS, LEADS, ACCOUNTS = "getOpportunities", "getOpportunityLeads", "getLeads", "getAccounts"
USERS, STAGES = "getUserProfiles", "getDealStages"


@asynccontextmanager
async def ground(**options: Any) -> AsyncGenerator[tuple[Playground, Client], None]:
    async with playground("sharpspring", **options) as made:
        assert isinstance(made.crm.client, Client)
        yield made, made.crm.client


async def board(made: Playground, client: Client, size: int = 20) -> list[str]:
    """Read what a board shows, and give the methods that were called, sorted."""
    made.control.calls.clear()
    page = await client.opportunities_page(PageRequest(size=size, selection=BOARD))
    records = [row.record for row in page.rows]
    links = await client.opportunity_links(records, BOARD)
    contacts = {ref.local_id for link in links.values() if not isinstance(link, VendorError) for ref in link.contact_refs}
    accounts = {record.account_ref.local_id for record in records if isinstance(record.account_ref, tuple)}
    owners = {record.owner_ref.local_id for record in records if record.owner_ref is not None}
    found_contacts = await client.contacts_by_ids(sorted(contacts), BOARD)
    found_accounts = await client.accounts_by_ids(sorted(accounts), BOARD)
    found_users = await client.users_by_ids(sorted(owners), BOARD)
    pipelines = await client.pipelines()

    assert len(records) == size == len(links)
    assert found_contacts.keys() == contacts
    assert accounts - found_accounts.keys() <= {"40112299917"}  # the seed's removed account
    assert owners - found_users.keys() <= {"312009998"}  # the seed's removed user
    assert not [value for value in (*found_contacts.values(), *found_accounts.values()) if isinstance(value, VendorError)]
    assert {record.stage_ref for record in records} <= {stage.ref for pipeline in pipelines for stage in pipeline.stages}
    return sorted(made.control.operations())


@pytest.mark.parametrize(
    ("options", "cold", "warm"),
    [
        ({}, [], []),
        ({"array_where": "all"}, [], []),
        ({"has_more": "off"}, [], []),
        ({"lead_ids_per_call": "100"}, [], []),
        ({"lead_without_id": "on"}, [], []),
        ({"row_order": "descending"}, [], []),
        ({"array_where": "none"}, [LEADS], []),
        ({"page_limit_500": "fails"}, [STAGES], []),
    ],
)
async def test_a_board_costs_six_calls_and_three_when_the_tables_are_kept(
    options: dict[str, str], cold: list[str], warm: list[str]
) -> None:
    """`cold` and `warm` are the calls beyond that."""
    async with ground(options=options) as (made, client):
        assert await board(made, client) == sorted([LIST, LINKS, LEADS, ACCOUNTS, USERS, STAGES, *cold])
        assert await board(made, client) == sorted([LIST, LINKS, LEADS, *warm])


@pytest.mark.parametrize(
    ("array_where", "cold", "warm"),
    [
        # 3,000 opportunities have 8 pages of links.
        ("all", [LINKS] * 2, [LINKS]),  # a look at the table, and the list
        ("leads_only", [LINKS] * 9, [LINKS] * 8),  # all pages, and once the list that is refused
    ],
)
async def test_a_long_table_of_links_costs_the_list_or_all_its_pages(array_where: str, cold: list[str], warm: list[str]) -> None:
    async with ground(options={"array_where": array_where}, scale=3_000) as (made, client):
        assert await board(made, client, 18) == sorted([LIST, LEADS, ACCOUNTS, USERS, STAGES, *cold])
        assert await board(made, client, 18) == sorted([LIST, LEADS, *warm])


async def test_links_of_a_few_are_asked_for_one_by_one_once_the_table_is_known_to_be_long() -> None:
    async with ground(scale=3_000) as (made, client):
        await board(made, client, 18)
        page = await client.opportunities_page(PageRequest(size=3, selection=BOARD))
        made.control.calls.clear()

        links = await client.opportunity_links([row.record for row in page.rows], BOARD)

        assert len(links) == 3
        assert made.control.operations() == [LINKS] * 3


async def test_the_links_of_one_opportunity_cost_one_call_and_an_unlinked_one_has_none() -> None:
    async with ground() as (made, client):
        found = await client.opportunities_by_ids(["90531100457"], BOARD)
        record = found["90531100457"]
        assert isinstance(record, Opportunity)

        links = await client.opportunity_links([record], BOARD)

        link = links["90531100457"]
        assert not isinstance(link, VendorError)
        assert link.contact_refs == ()
        assert made.control.count(LINKS) == 1


@pytest.mark.parametrize(("array_where", "first", "later"), [("all", 1, 1), ("leads_only", 2, 1), ("none", 2, 1)])
async def test_opportunities_by_ids_try_the_list_once(array_where: str, first: int, later: int) -> None:
    async with ground(options={"array_where": array_where}) as (made, client):
        page = await client.opportunities_page(PageRequest(size=20, selection=BOARD))
        ids = [row.record.local_id for row in page.rows]
        for expected in (first, later, later):
            made.control.calls.clear()
            assert list(await client.opportunities_by_ids(ids, BOARD)) == ids
            assert made.control.count(LIST) == expected


async def test_what_the_whole_table_hides_is_looked_up_alone() -> None:
    async with ground() as (made, client):
        ids = ["90531100108", "90531100116", "90531100457", "999999999999"]

        found = await client.opportunities_by_ids(ids, BOARD)

        assert list(found) == ids[:3]
        assert made.control.count(LIST) == 1 + 1 + 2  # the refused list, the table, the two that are not in it


@pytest.mark.parametrize("lead_without_id", ["off", "on"])
async def test_a_lead_that_does_not_exist_is_told_from_one_that_cannot_be_read(lead_without_id: str) -> None:
    async with ground(options={"lead_without_id": lead_without_id}) as (made, client):
        listed = await client.contacts_page(PageRequest(size=3, selection=BOARD))
        known = [row.record.local_id for row in listed.rows]
        assert await client.contacts_by_ids(["999999999999"], BOARD) == {}

        made.control.faults.append(Fault(kind="bad_row", match=LEADS))
        single = await client.contacts_by_ids(known[:1], BOARD)
        several = await client.contacts_by_ids(known, BOARD)

        assert [type(value) for value in single.values()] == [MalformedReplyError]
        assert sorted(type(several[local_id]).__name__ for local_id in known) == ["Contact", "Contact", "MalformedReplyError"]


async def test_an_unknown_user_is_in_doubt_while_a_row_of_the_table_cannot_be_read() -> None:
    async with ground() as (made, client):
        made.control.faults.append(Fault(kind="bad_row", match=USERS, times=1))
        known = [user.local_id for user in await client.users()]

        found = await client.users_by_ids([known[0], "999999999999"], BOARD)

        assert [type(value) for value in found.values()] == [User, MalformedReplyError]
        assert made.control.count(USERS) == 1


async def test_a_link_that_cannot_be_read_takes_no_opportunity_from_a_page() -> None:
    selection = Selection({"Opportunity": frozenset({"title", "contact_refs"}), "SharpspringOpportunityFields": frozenset({"links"})})
    async with ground() as (made, client):
        made.control.faults.append(Fault(kind="bad_row", match=LINKS))

        page = await client.opportunities_page(PageRequest(size=18, selection=selection))
        records = [row.record for row in page.rows]
        links = await client.opportunity_links(records, selection)

        doubtful = {local_id for local_id, link in links.items() if isinstance(link, MalformedReplyError)}
        assert (len(records), page.dropped) == (18, 0)
        assert 0 < len(doubtful) < 18
        assert {record.local_id for record in records if record.contact_refs is UNREAD} == doubtful


# A vendor with habits that the sandbox does not have.


@dataclass
class Tables:
    """A vendor's tables, and how it treats `where`.

    `lists` gives the values that a list counts for, or the code of its refusal. `failing` are codes by value, `broken` codes by method.
    """

    rows: dict[str, list[dict[str, Any]]]
    lists: Callable[[str, Sequence[str]], Sequence[str] | int] = lambda _, values: values
    asked: list[tuple[str, Any, int]] = field(default_factory=list[tuple[str, Any, int]])
    failing: dict[str, int] = field(default_factory=dict[str, int])
    broken: dict[str, int] = field(default_factory=dict[str, int])

    def __call__(self, asked: dict[str, Any]) -> dict[str, Any]:
        rows, code = self._answer(asked["method"], **asked["params"])
        return {"result": {"rows": rows}, "error": None if code is None else {"code": code, "message": "m"}}

    def _answer(
        self, method: str, *, where: dict[str, Any], offset: int, limit: int, fields: Sequence[str] = ()
    ) -> tuple[list[dict[str, Any]], int | None]:
        assert not fields
        self.asked.append((method, next(iter(where.values()), None), offset))
        if method in self.broken:
            return [], self.broken[method]
        rows = self.rows.get(method, [])
        for column, wanted in where.items():
            values = [wanted] if isinstance(wanted, str) else self.lists(method, wanted)
            if isinstance(values, int):
                return [], values
            code = next((self.failing[value] for value in values if value in self.failing), None)
            if code is not None:
                return [], code
            rows = [row for row in rows if row[column] in values]
        return rows[offset : offset + limit], None

    def calls(self) -> int:
        count = len(self.asked)
        self.asked.clear()
        return count


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"id": str(number), "accountName": f"No. {number}"} for number in range(1, count + 1)]


def ids(*numbers: int) -> list[str]:
    return [str(number) for number in numbers]


async def test_a_short_table_of_accounts_is_kept_for_its_time() -> None:
    tables = Tables({ACCOUNTS: numbered(50)})
    async with scripted(tables) as (vendor, client):
        assert list(await client.accounts_by_ids(ids(1, 2, 3), EVERYTHING)) == ids(1, 2, 3)
        assert list(await client.accounts_by_ids(ids(4, 50), EVERYTHING)) == ids(4, 50)
        assert list(await client.accounts_by_ids(ids(9), EVERYTHING)) == ids(9)
        assert tables.calls() == 1

        vendor.now = 299.0
        assert list(await client.accounts_by_ids(ids(1, 50), EVERYTHING)) == ids(1, 50)
        assert tables.calls() == 0

        vendor.now = 300.0
        await client.accounts_by_ids(ids(1, 50), EVERYTHING)
        assert tables.calls() == 1


async def test_a_table_of_accounts_is_as_old_as_the_beginning_of_its_reading() -> None:
    tables = Tables({ACCOUNTS: numbered(5)})

    def slowly(asked: dict[str, Any]) -> dict[str, Any]:
        vendor.now += 20.0
        return tables(asked)

    async with scripted(slowly) as (vendor, client):
        await client.accounts_by_ids(ids(1, 2), EVERYTHING)
        with recording() as recorder:
            await client.accounts_by_ids(ids(1, 2), EVERYTHING)

    assert recorder.kept_since == 0.0


async def test_an_account_that_the_kept_table_misses_is_looked_for_again_after_half_a_minute() -> None:
    tables = Tables({ACCOUNTS: numbered(5)})
    async with scripted(tables) as (vendor, client):
        await client.accounts_by_ids(ids(1, 2), EVERYTHING)
        tables.rows[ACCOUNTS] = numbered(6)

        vendor.now = 29.0
        assert list(await client.accounts_by_ids(ids(1, 6), EVERYTHING)) == ids(1)
        assert tables.calls() == 1

        vendor.now = 31.0
        assert list(await client.accounts_by_ids(ids(1, 6), EVERYTHING)) == ids(1, 6)
        assert tables.calls() == 1


async def test_an_account_may_be_the_unreadable_row_of_the_kept_table_until_that_is_read_again() -> None:
    tables = Tables({ACCOUNTS: [{"id": {"no": "id"}}, *numbered(5)[1:]]})
    async with scripted(tables) as (vendor, client):
        for now in (0.0, 29.0):
            vendor.now = now
            found = await client.accounts_by_ids(ids(1, 2, 9), EVERYTHING)
            assert {local_id: type(value) for local_id, value in found.items()} == {
                "1": MalformedReplyError,
                "2": Account,
                "9": MalformedReplyError,
            }
        assert tables.calls() == 1

        tables.rows[ACCOUNTS] = numbered(5)
        vendor.now = 31.0
        assert list(await client.accounts_by_ids(ids(1, 2, 9), EVERYTHING)) == ids(1, 2)
        assert tables.calls() == 1


async def test_a_single_account_is_read_alone_where_nothing_is_kept() -> None:
    tables = Tables({ACCOUNTS: numbered(5)})
    async with scripted(tables) as (_, client):
        assert list(await client.accounts_by_ids(ids(3), EVERYTHING)) == ids(3)
        assert await client.accounts_by_ids(ids(7), EVERYTHING) == {}
        assert tables.asked == [(ACCOUNTS, "3", 0), (ACCOUNTS, "7", 0)]


async def test_a_long_table_of_accounts_is_read_by_lists_where_they_work() -> None:
    tables = Tables({ACCOUNTS: numbered(950)})
    async with scripted(tables, page_size=100) as (_, client):
        assert list(await client.accounts_by_ids(ids(1, 500, 2000), EVERYTHING)) == ids(1, 500)
        assert tables.asked == [(ACCOUNTS, None, 0), (ACCOUNTS, ids(1, 500, 2000), 0)]
        tables.calls()

        assert list(await client.accounts_by_ids(ids(7, 8), EVERYTHING)) == ids(7, 8)
        assert tables.asked == [(ACCOUNTS, ids(7, 8), 0)]


@pytest.mark.parametrize("code", [205, 210])
async def test_refused_lists_are_not_tried_again(code: int) -> None:
    tables = Tables({ACCOUNTS: numbered(350)}, lists=lambda _, __: code)
    async with scripted(tables, page_size=100) as (_, client):
        assert list(await client.accounts_by_ids(ids(1, 150, 250), EVERYTHING)) == ids(1, 150, 250)
        # A look at the table, the list, two more pages (as many as single reads would be), and the single reads.
        assert [where for _, where, _ in tables.asked] == [None, ids(1, 150, 250), None, None, *ids(1, 150, 250)]
        tables.calls()

        assert list(await client.accounts_by_ids(ids(1, 150, 250), EVERYTHING)) == ids(1, 150, 250)
        assert tables.calls() == 3  # it is known to be longer than three pages

        wanted = ids(*range(1, 11))
        assert list(await client.accounts_by_ids(wanted, EVERYTHING)) == wanted
        assert [offset for _, _, offset in tables.asked] == [0, 100, 200, 300]
        tables.calls()

        assert list(await client.accounts_by_ids(ids(20, 30), EVERYTHING)) == ids(20, 30)
        assert tables.calls() == 0  # the whole table is kept now


async def test_a_vendor_that_takes_only_the_first_of_a_list_is_found_out() -> None:
    tables = Tables({LIST: numbered(3)}, lists=lambda _, values: values[:1])
    async with scripted(tables) as (_, client):
        assert list(await client.opportunities_by_ids(ids(1, 2, 3), BOARD)) == ids(1, 2, 3)
        tables.asked[:] = [call for call in tables.asked if call[0] == LIST]
        assert [where for _, where, _ in tables.asked] == [ids(1, 2, 3), None]
        tables.calls()

        assert list(await client.opportunities_by_ids(ids(2, 3), BOARD)) == ids(2, 3)
        assert [where for _, where, _ in tables.asked] == [None]


async def test_a_vendor_that_ignores_lists_is_found_out() -> None:
    tables = Tables({LIST: numbered(5)}, lists=lambda _, __: ids(1, 2, 3, 4, 5))
    async with scripted(tables) as (_, client):
        assert list(await client.opportunities_by_ids(ids(1, 2), BOARD)) == ids(1, 2)  # the first rows of all, by chance
        tables.calls()

        assert list(await client.opportunities_by_ids(ids(2, 5), BOARD)) == ids(2, 5)
        assert list(await client.opportunities_by_ids(ids(3, 4), BOARD)) == ids(3, 4)
        assert [where for method, where, _ in tables.asked if method == LIST] == [ids(2, 5), None, None]


async def test_a_list_that_finds_one_row_says_nothing_yet() -> None:
    tables = Tables({LIST: numbered(2)})
    async with scripted(tables) as (_, client):
        assert list(await client.opportunities_by_ids(ids(2, 8), BOARD)) == ids(2)
        tables.calls()

        assert list(await client.opportunities_by_ids(ids(1, 2), BOARD)) == ids(1, 2)
        assert [where for method, where, _ in tables.asked if method == LIST] == [ids(1, 2)]


async def test_links_of_a_list_may_be_longer_than_a_page() -> None:
    opportunities = [{"id": str(number)} for number in range(1, 4)]
    links = [{"id": str(number), "opportunityID": str(number % 3 + 1), "leadID": str(1000 + number)} for number in range(1, 331)]
    tables = Tables({LIST: opportunities, LINKS: links})
    async with scripted(tables, page_size=100) as (_, client):
        page = await client.opportunities_page(PageRequest(size=3, selection=BOARD))
        found = await client.opportunity_links([row.record for row in page.rows], BOARD)

        assert [len(link.contact_refs) for link in found.values() if not isinstance(link, VendorError)] == [110, 110, 110]
        assert [where for method, where, _ in tables.asked if method == LINKS] == [None, *[ids(1, 2, 3)] * 4]


@pytest.mark.parametrize("code", [209, 222])
async def test_leads_are_asked_for_by_500_and_by_100_once_that_is_too_many(code: int) -> None:
    tables = Tables({LEADS: numbered(600)})
    async with scripted(tables) as (_, client):
        wanted = ids(*range(1, 601))
        assert len(await client.contacts_by_ids(wanted, EVERYTHING)) == 600
        assert sorted(len(where) for _, where, _ in tables.asked) == [100, 500]
        tables.calls()

        tables.lists = lambda _, values: values if len(values) <= 100 else code
        assert len(await client.contacts_by_ids(wanted, EVERYTHING)) == 600
        tables.calls()
        assert len(await client.contacts_by_ids(wanted, EVERYTHING)) == 600
        assert [len(where) for _, where, _ in tables.asked] == [100] * 6


async def test_a_list_longer_than_the_pages_that_work_finds_all_its_rows() -> None:
    async with ground(options={"page_limit_500": "fails", "array_where": "all"}, scale=450) as (made, client):
        first = await client.opportunities_page(PageRequest(size=150, selection=BOARD))
        second = await client.opportunities_page(PageRequest(size=150, position=first.position, selection=BOARD))
        wanted = [row.record.local_id for row in (*first.rows, *second.rows)]
        made.control.calls.clear()

        assert list(await client.opportunities_by_ids(wanted, BOARD)) == wanted
        assert made.control.count(LIST) == 2  # 200 and 100: that larger pages fail was learned from the table of stages

    async with ground(options={"page_limit_500": "fails", "array_where": "all"}, scale=450) as (made, client):
        assert list(await client.opportunities_by_ids(wanted, Selection({"Opportunity": frozenset({"title"})}))) == wanted
        assert made.control.count(LIST) == 3  # 300, 200 and 100


async def test_an_id_that_fails_alone_fails_no_other() -> None:
    tables = Tables({LIST: numbered(900)}, lists=lambda _, __: 210, failing={"700": 305})
    async with scripted(tables, page_size=100) as (_, client):
        found = await client.opportunities_by_ids(ids(600, 700), BOARD)

        assert isinstance(found["600"], Opportunity)
        assert isinstance(found["700"], PermissionDeniedError)


async def test_a_list_that_fails_fails_its_own_ids_and_is_not_taken_for_a_refusal_of_lists() -> None:
    tables = Tables({LEADS: numbered(600)}, failing={"550": 305})
    async with scripted(tables) as (_, client):
        found = await client.contacts_by_ids(ids(*range(1, 601)), EVERYTHING)

        assert sum(isinstance(value, Contact) for value in found.values()) == 500
        assert sum(isinstance(value, PermissionDeniedError) for value in found.values()) == 100
        tables.calls()
        assert len(await client.contacts_by_ids(ids(1, 2), EVERYTHING)) == 2
        assert tables.calls() == 1


async def test_links_that_cannot_be_read_fail_the_opportunities_that_show_them() -> None:
    own = Selection({"Opportunity": frozenset({"extension"}), "SharpspringOpportunityFields": frozenset({"links"})})
    tables = Tables({LIST: numbered(1)}, broken={LINKS: 999})
    async with scripted(tables) as (_, client):
        assert isinstance((await client.opportunities_by_ids(ids(1), own))["1"], UnavailableError)
        with pytest.raises(UnavailableError):
            await client.opportunities_page(PageRequest(size=5, selection=own))

        tables.broken.clear()
        assert isinstance((await client.opportunities_by_ids(ids(1), own))["1"], Opportunity)
