"""What Autotask evaluates of a list: the filters it is sent, in how many calls, and the rows that come."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.playground import Playground, playground
from vendors.autotask import query, wire
from vendors.autotask.client import Client
from vendors.autotask.mapping import Picklists
from vendors.autotask.sandbox.control import API
from vendors.capabilities import Page, PageRequest
from vendors.errors import MalformedReplyError, RejectedRequestError
from vendors.model import EVERYTHING, OpportunityStatus, Ref, Selection
from vendors.query import Abilities, Condition, Field, Operator, Sort
from vendors.sandbox import Fault

OPEN, WON, LOST = OpportunityStatus.OPEN, OpportunityStatus.WON, OpportunityStatus.LOST
ANY, GTE, GT, LTE, LT = Operator.ANY_OF, Operator.GTE, Operator.GT, Operator.LTE, Operator.LT
TITLES = Selection({"Opportunity": frozenset({"title"}), "Account": frozenset({"name"}), "Contact": frozenset({"name"})})
ALL = [{"op": "exist", "field": "id"}]


@asynccontextmanager
async def ground(**options: Any) -> AsyncGenerator[tuple[Playground, Client], None]:
    async with playground("autotask", **options) as made:
        assert isinstance(made.crm.client, Client)
        yield made, made.crm.client


def when(field: Field, operator: Operator, *values: Any) -> Condition:
    return Condition(field, operator, values)


def asked(*where: Condition, size: int = 100, selection: Selection = TITLES, count: bool = False) -> PageRequest:
    return PageRequest(size=size, selection=selection, where=where, count=count)


def sent(made: Playground, operation: str = "Opportunities.query") -> list[dict[str, Any]]:
    return [json.loads(call.body) for call in made.control.calls if call.operation == operation]


def ids(page: Page[Any]) -> list[str]:
    return [row.record.local_id for row in page.rows]


def statuses(labels: Mapping[str, str | None]) -> Picklists:
    return Picklists({"status": {value: wire.PicklistValue(value=value, label=label) for value, label in labels.items()}})


def rows_of(made: Playground, entity: str = "Opportunities") -> dict[int, dict[str, Any]]:
    return made.sandbox.app[API].store.tables[entity].rows


# The filters.


def ranged(name: str, operator: str, value: object) -> dict[str, object]:
    return {"op": operator, "field": name, "value": value}


CREATED_UNSET = {"op": "notExist", "field": "createDate"}
FILTERS: list[tuple[Condition, Any]] = [
    (when(Field.STAGE, ANY, "12", "29682772"), [ranged("stage", "in", [12, 29682772])]),
    (when(Field.OWNER, ANY, "29682885"), [ranged("ownerResourceID", "in", [29682885])]),
    (when(Field.ACCOUNT, ANY, "0", "174", "0"), [ranged("companyID", "in", [0, 174])]),
    (when(Field.CONTACT, ANY, "30684", "nobody", "-1"), [ranged("contactID", "in", [30684, -1])]),
    (when(Field.PIPELINE, ANY, "default", "other"), []),
    (when(Field.PIPELINE, ANY, "other"), None),
    (when(Field.UPDATED_AT, LT, datetime.max.replace(tzinfo=UTC)), None),
    (when(Field.STATUS, ANY, WON), [ranged("status", "in", [3, 4])]),
    (when(Field.STATUS, ANY, LOST, WON), [ranged("status", "in", [2, 3, 4])]),
    (when(Field.STATUS, ANY, OPEN), [{"op": "exist", "field": "status"}, ranged("status", "notIn", [2, 3, 4])]),
    (when(Field.STATUS, ANY, OPEN, LOST), [{"op": "exist", "field": "status"}, ranged("status", "notIn", [3, 4])]),
    (when(Field.STATUS, ANY, OPEN, LOST, WON), [{"op": "exist", "field": "status"}]),
    (when(Field.PROBABILITY, GTE, 50.0), [ranged("probability", "gte", 50), ranged("probability", "lte", 100)]),
    (when(Field.PROBABILITY, GTE, 49.5), [ranged("probability", "gte", 50), ranged("probability", "lte", 100)]),
    (when(Field.PROBABILITY, GT, 50.0), [ranged("probability", "gte", 51), ranged("probability", "lte", 100)]),
    (when(Field.PROBABILITY, GT, 49.5), [ranged("probability", "gte", 50), ranged("probability", "lte", 100)]),
    (when(Field.PROBABILITY, LTE, 50.0), [ranged("probability", "gte", 0), ranged("probability", "lte", 50)]),
    (when(Field.PROBABILITY, LTE, 50.5), [ranged("probability", "gte", 0), ranged("probability", "lte", 50)]),
    (when(Field.PROBABILITY, LT, 50.0), [ranged("probability", "gte", 0), ranged("probability", "lte", 49)]),
    (when(Field.PROBABILITY, LT, 50.5), [ranged("probability", "gte", 0), ranged("probability", "lte", 50)]),
    (when(Field.PROBABILITY, GTE, -1e300), [ranged("probability", "gte", 0), ranged("probability", "lte", 100)]),
    (when(Field.PROBABILITY, LT, 1e300), [ranged("probability", "gte", 0), ranged("probability", "lte", 100)]),
    (when(Field.PROBABILITY, GT, 100.0), None),
    (when(Field.PROBABILITY, LT, 0.0), None),
    (when(Field.EXPECTED_CLOSE_DATE, GTE, date(2026, 12, 11)), [ranged("projectedCloseDate", "gte", "2026-12-10T00:00:00Z")]),
    (when(Field.EXPECTED_CLOSE_DATE, GT, date(2026, 12, 11)), [ranged("projectedCloseDate", "gte", "2026-12-10T00:00:00Z")]),
    (when(Field.EXPECTED_CLOSE_DATE, LTE, date(2026, 12, 11)), [ranged("projectedCloseDate", "lte", "2026-12-13T00:00:00Z")]),
    (when(Field.EXPECTED_CLOSE_DATE, LT, date(2026, 12, 11)), [ranged("projectedCloseDate", "lte", "2026-12-13T00:00:00Z")]),
    (when(Field.EXPECTED_CLOSE_DATE, GTE, date.min), [{"op": "exist", "field": "projectedCloseDate"}]),
    (when(Field.EXPECTED_CLOSE_DATE, LTE, date.max), [{"op": "exist", "field": "projectedCloseDate"}]),
    (when(Field.EXPECTED_CLOSE_DATE, GTE, date.max), [ranged("projectedCloseDate", "gte", "8999-12-31T00:00:00Z")]),
    (when(Field.EXPECTED_CLOSE_DATE, LTE, date.min), [ranged("projectedCloseDate", "lte", "1900-01-03T00:00:00Z")]),
    (
        when(Field.ACTUAL_CLOSE_DATE, LTE, date(2026, 4, 21)),
        [
            {
                "op": "or",
                "items": [ranged("closedDate", "lte", "2026-04-23T00:00:00Z"), ranged("lostDate", "lte", "2026-04-23T00:00:00Z")],
            }
        ],
    ),
    (
        when(Field.CREATED_AT, GTE, datetime(2026, 3, 9, 1, tzinfo=timezone(timedelta(hours=2)))),
        [{"op": "or", "items": [ranged("createDate", "gte", "2026-03-07T23:00:00Z"), CREATED_UNSET]}],
    ),
    (
        when(Field.CREATED_AT, LT, datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))),
        [{"op": "or", "items": [{"op": "exist", "field": "createDate"}, CREATED_UNSET]}],
    ),
    (
        when(Field.CREATED_AT, LT, datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))),
        [{"op": "or", "items": [ranged("createDate", "lte", "1900-01-02T00:00:00Z"), CREATED_UNSET]}],
    ),
]


@pytest.mark.parametrize(("condition", "expected"), FILTERS, ids=lambda value: str(value) if isinstance(value, Condition) else "")
def test_a_condition_is_written_in_the_vendors_language(condition: Condition, expected: Any) -> None:
    assert query.pushdown(query.OPPORTUNITIES, [condition]).conditions == (condition,)
    found = query.opportunities_filter([condition], Picklists())

    assert json.dumps(found) == json.dumps(expected)


def test_conditions_are_all_needed_and_one_that_nothing_fulfils_leaves_nothing() -> None:
    stage, pipeline = when(Field.STAGE, ANY, "12"), when(Field.PIPELINE, ANY, "default")

    assert query.opportunities_filter([stage, pipeline, stage], Picklists()) == [ranged("stage", "in", [12])] * 2
    assert query.opportunities_filter([stage, when(Field.PIPELINE, ANY, "12")], Picklists()) is None
    assert query.opportunities_filter([], Picklists()) == []


@pytest.mark.parametrize(
    ("labels", "wanted", "expected"),
    [
        # People renamed a value: its label decides, and the vendor's own values keep their meaning where the picklist has lost them.
        ({"3": "Gewonnen", "7": " CLOSED "}, WON, [ranged("status", "in", [4, 7])]),
        ({"2": "Verloren"}, LOST, None),
        ({"0": None, "2": ""}, LOST, [ranged("status", "in", [2])]),
        ({"2": "Verloren", "9": "Paused"}, OPEN, [{"op": "exist", "field": "status"}, ranged("status", "notIn", [3, 4])]),
        ({"Lost": "Lost", "09": "Lost", "9" * 12: "Lost"}, LOST, [ranged("status", "in", [2])]),
    ],
)
def test_a_status_is_asked_for_by_the_values_whose_labels_mean_it(
    labels: Mapping[str, str | None], wanted: OpportunityStatus, expected: Any
) -> None:
    assert query.opportunities_filter([when(Field.STATUS, ANY, wanted)], statuses(labels)) == expected


# What is taken.


@pytest.mark.parametrize("field", [Field.TITLE, Field.NAME])
@pytest.mark.parametrize("abilities", [query.OPPORTUNITIES, query.ACCOUNTS, query.CONTACTS])
def test_texts_are_left_to_the_reader(abilities: Abilities, field: Field) -> None:
    pushed = query.pushdown(abilities, [when(field, Operator.CONTAINS, "winch")])

    assert pushed.conditions == ()
    assert pushed.is_exact


async def test_no_order_is_promised() -> None:
    async with ground() as (made, client):
        for field in Field:
            assert not client.opportunities_pushdown([], Sort(field)).is_sorted
        assert made.control.calls == []


def test_days_and_instants_bring_more_rows_than_asked_for_and_say_so() -> None:
    day, moment = date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)
    wide = [when(Field.EXPECTED_CLOSE_DATE, GTE, day), when(Field.ACTUAL_CLOSE_DATE, LT, day), when(Field.CREATED_AT, GT, moment)]
    exact = [when(Field.STAGE, ANY, "12"), when(Field.STATUS, ANY, OPEN), when(Field.PROBABILITY, LT, 3.0)]

    assert query.pushdown(query.OPPORTUNITIES, exact).is_exact
    for condition in wide:
        pushed = query.pushdown(query.OPPORTUNITIES, [*exact, condition])
        assert set(pushed.conditions) == {*exact, condition}
        assert not pushed.is_exact


def numbered(field: Field, number: int) -> Condition:
    return when(field, ANY, *(str(10_000 + index) for index in range(number)))


@pytest.mark.parametrize(
    ("asked_for", "taken"),
    [
        ([(Field.STAGE, 500)], [0]),
        ([(Field.STAGE, 501)], []),
        ([(Field.STAGE, 501), (Field.OWNER, 3)], [1]),
        ([(Field.STAGE, 250), (Field.OWNER, 250)], [0, 1]),
        # What sifts more comes first, and a smaller one behind one that is too large still fits.
        ([(Field.OWNER, 251), (Field.CONTACT, 250)], [1]),
        ([(Field.STAGE, 300), (Field.CONTACT, 250), (Field.OWNER, 250)], [1, 2]),
    ],
)
def test_a_query_holds_500_alternatives_altogether(asked_for: Sequence[tuple[Field, int]], taken: Sequence[int]) -> None:
    conditions = [numbered(field, number) for field, number in asked_for]

    assert set(query.pushdown(query.OPPORTUNITIES, conditions).conditions) == {conditions[index] for index in taken}


async def test_the_largest_query_that_is_taken_is_one_that_the_vendor_takes() -> None:
    day, moment = date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)
    conditions = [
        numbered(Field.STAGE, 476),
        when(Field.STATUS, ANY, OPEN),
        when(Field.ACTUAL_CLOSE_DATE, GTE, day),
        when(Field.CREATED_AT, GTE, moment),
    ]
    async with ground() as (made, client):
        pushed = client.opportunities_pushdown(conditions, None)
        page = await client.opportunities_page(asked(*pushed.conditions))

        assert set(pushed.conditions) == set(conditions)
        assert page.rows == []
        assert made.control.count("Opportunities.query") == 1
        with pytest.raises(RejectedRequestError):
            await client.opportunities_page(asked(numbered(Field.STAGE, 500), when(Field.OWNER, ANY, "1")))


# The rows.


async def test_conditions_and_the_place_go_on_together() -> None:
    where = (when(Field.OWNER, ANY, "29682887"), when(Field.PROBABILITY, LTE, 35.0))
    async with ground() as (made, client):
        first = await client.opportunities_page(asked(*where, size=2))
        second = await client.opportunities_page(replace(asked(*where, size=2), position=first.position))

        assert ids(first) == ["312", "313"]
        assert first.has_more and len(second.rows) == 2 and int(ids(second)[0]) > 313
        conditions = [ranged("ownerResourceID", "in", [29682887]), ranged("probability", "gte", 0), ranged("probability", "lte", 35)]
        assert [body["filter"] for body in sent(made)] == [conditions, [*conditions, ranged("id", "gt", 313)]]


ODD = ["abc", "", "²", "٣", "--5", "1.5", "05", "-0", "9" * 19, "9" * 5_000, " 311", "0x1", "2147483648", "-2147483648"]


@pytest.mark.parametrize("odd", ODD)
async def test_ids_that_no_record_can_refer_to_cost_no_call(odd: str) -> None:
    async with ground() as (made, client):
        for field in (Field.STAGE, Field.OWNER, Field.ACCOUNT, Field.CONTACT, Field.PIPELINE):
            page = await client.opportunities_page(asked(when(field, ANY, odd), selection=EVERYTHING, count=True))
            assert (page.rows, page.has_more, page.total) == ((), False, 0)
        accounts = await client.accounts_page(asked(when(Field.OWNER, ANY, odd), selection=EVERYTHING))
        contacts = await client.contacts_page(asked(when(Field.ACCOUNT, ANY, odd), selection=EVERYTHING))

        assert (accounts.rows, accounts.total, contacts.rows, contacts.total) == ((), None, (), None)
        assert made.control.calls == []


async def test_an_impossible_id_among_others_is_left_out() -> None:
    async with ground() as (made, client):
        page = await client.opportunities_page(asked(when(Field.ACCOUNT, ANY, *ODD, "29683530")))

        assert ids(page) == ["29701425"]
        assert sent(made)[0]["filter"] == [ranged("companyID", "in", [29683530])]


async def test_nothing_was_ever_changed_and_nobody_owns_a_contact_at_no_cost() -> None:
    async with ground() as (made, client):
        changed = when(Field.UPDATED_AT, GTE, datetime(2000, 1, 1, tzinfo=UTC))
        owned = numbered(Field.OWNER, 1_000)
        assert client.opportunities_pushdown([changed], None).conditions == (changed,)
        assert client.contacts_pushdown([owned]).conditions == (owned,)

        pages: list[Page[Any]] = [
            await client.opportunities_page(asked(changed, count=True)),
            await client.contacts_page(asked(owned, count=True)),
        ]

        assert [(page.rows, page.total) for page in pages] == [((), 0)] * 2
        assert made.control.calls == []


async def test_a_status_costs_the_picklist_once_and_the_value_of_a_gone_label_is_open() -> None:
    async with ground() as (made, client):
        rows_of(made)[311]["status"] = 77
        rows_of(made)[312].pop("status")

        first, again = [ids(await client.opportunities_page(asked(when(Field.STATUS, ANY, OPEN)))) for _ in range(2)]

        assert first == again
        assert "311" in first and "312" not in first
        assert sorted(made.control.operations()) == ["Opportunities.fields", *["Opportunities.query"] * 2, "zoneInformation"]
        rest = await client.opportunities_page(asked(when(Field.STATUS, ANY, WON, LOST)))
        assert len(first) + len(rest.rows) == 51
        everything = await client.opportunities_page(asked(when(Field.STATUS, ANY, OPEN, WON, LOST)))
        assert len(everything.rows) == 51


async def test_an_opportunity_without_a_creation_date_is_found_by_its_start() -> None:
    async with ground() as (_, client):
        page = await client.opportunities_page(
            asked(
                when(Field.CREATED_AT, LTE, datetime(2025, 8, 19, tzinfo=UTC)),
                when(Field.CREATED_AT, GTE, datetime(2025, 8, 19, tzinfo=UTC)),
            )
        )

        assert ids(page) == ["313"]


async def test_unset_days_and_probabilities_beyond_the_scale_fulfil_nothing() -> None:
    async with ground() as (made, client):
        rows_of(made)[311].pop("projectedCloseDate")
        rows_of(made)[312]["probability"] = 140

        expected = await client.opportunities_page(asked(when(Field.EXPECTED_CLOSE_DATE, GTE, date.min)))
        likely = await client.opportunities_page(asked(when(Field.PROBABILITY, GTE, 0.0)))

        assert "311" not in ids(expected) and len(expected.rows) == 51
        assert "312" not in ids(likely) and len(likely.rows) == 51


@pytest.mark.parametrize("zone", ["utc", "west", "east"])
async def test_no_row_is_missing_whatever_zone_a_filter_is_read_in(zone: str) -> None:
    async with ground(options={"filter_zone": zone}) as (_, client):
        everything = [row.record for row in (await client.opportunities_page(asked(selection=EVERYTHING))).rows]
        checked = 0
        for record in everything:
            held = {
                Field.EXPECTED_CLOSE_DATE: record.expected_close_date,
                Field.ACTUAL_CLOSE_DATE: record.actual_close_date,
                Field.CREATED_AT: record.created_at,
            }
            where = [when(field, operator, value) for field, value in held.items() if value is not None for operator in (GTE, LTE)]
            page = await client.opportunities_page(asked(*where))
            checked += len(where)
            assert record.local_id in ids(page)
        assert checked > 200


# Counts.


async def test_a_count_is_one_call_beside_the_page_and_the_same_on_every_page() -> None:
    where = when(Field.OWNER, ANY, "29682887")
    async with ground() as (made, client):
        await client.opportunities_page(asked())
        made.control.calls.clear()
        made.control.latency_seconds = 0.05

        first = await client.opportunities_page(asked(where, size=2, count=True))
        second = await client.opportunities_page(replace(asked(where, size=2, count=True), position=first.position))

        assert first.total == second.total == len((await client.opportunities_page(asked(where))).rows) > 4
        assert sent(made, "Opportunities.count") == [{"filter": [ranged("ownerResourceID", "in", [29682887])]}] * 2
        assert sorted(made.control.operations()) == ["Opportunities.count"] * 2 + ["Opportunities.query"] * 3
        assert max(call.in_flight for call in made.control.calls) == 2


async def test_a_count_is_asked_for_only_where_it_is_wanted() -> None:
    async with ground() as (made, client):
        pages: list[Page[Any]] = [
            await client.opportunities_page(asked()),
            await client.accounts_page(asked()),
            await client.contacts_page(asked()),
        ]

        assert [page.total for page in pages] == [None] * 3
        assert not [name for name in made.control.operations() if name.endswith(".count")]


async def test_every_list_is_counted_by_the_vendor() -> None:
    async with ground() as (made, client):
        pages: list[Page[Any]] = [
            await client.opportunities_page(asked(size=1, count=True)),
            await client.accounts_page(asked(size=1, count=True)),
            await client.contacts_page(asked(size=1, count=True)),
        ]

        assert [page.total for page in pages] == [52, 16, 21]
        for entity in ("Opportunities", "Companies", "Contacts"):
            assert sent(made, f"{entity}.count") == [{"filter": ALL}]


async def test_a_count_that_is_no_number_is_a_malformed_answer() -> None:
    async with ground() as (made, client):
        made.control.faults.append(Fault(kind="status", status=200, body='{"queryCount": "many"}', match="Opportunities.count"))

        with pytest.raises(MalformedReplyError):
            await client.opportunities_page(asked(count=True))


# Accounts, contacts and users.


async def test_accounts_are_listed_whole_and_by_owner() -> None:
    async with ground() as (made, client):
        whole = await client.accounts_page(asked(size=1_000))
        mine = await client.accounts_page(asked(when(Field.OWNER, ANY, "29682887", "29682999"), count=True))

        assert ids(whole)[:2] == ["0", "174"]
        assert len(whole.rows) == 16
        assert ids(mine) == ["29683522", "29683528"]
        assert mine.total == 2
        assert [body["filter"] for body in sent(made, "Companies.query")] == [ALL, [ranged("ownerResourceID", "in", [29682887, 29682999])]]
        assert [body["MaxRecords"] for body in sent(made, "Companies.query")] == [500, 100]


async def test_a_list_of_accounts_costs_the_tables_that_are_read() -> None:
    async with ground() as (made, client):
        pages = [await client.accounts_page(asked(selection=EVERYTHING)) for _ in range(2)]

        assert all(row.record.currency for page in pages for row in page.rows)
        assert sorted(made.control.operations()) == [
            "Companies.fields",
            "Companies.query",
            "Companies.query",
            "Currencies.query",
            "zoneInformation",
        ]


async def test_contacts_are_listed_whole_and_by_accounts() -> None:
    async with ground() as (made, client):
        whole = await client.contacts_page(asked(size=1_000))
        of_two = await client.contacts_page(asked(when(Field.ACCOUNT, ANY, "0", "174"), selection=EVERYTHING))

        assert len(whole.rows) == 21
        assert ids(of_two) == ["30684", "30685", "30831"]
        assert {row.record.account_ref for row in of_two.rows} == {Ref("service", "0"), Ref("service", "174")}
        assert [body["filter"] for body in sent(made, "Contacts.query")] == [ALL, [ranged("companyID", "in", [0, 174])]]


async def test_users_come_from_the_kept_table() -> None:
    async with ground() as (made, client):
        users, again = await client.users(), await client.users()
        await client.users_by_ids(["29682885"], EVERYTHING)

        assert users == again
        assert [user.local_id for user in users] == ["29682885", "29682886", "29682887", "29682901"]
        assert {user.is_active for user in users} == {True, False}
        assert made.control.operations() == ["zoneInformation", "Resources.query"]


async def test_a_page_of_which_nothing_can_be_read_ends_there() -> None:
    answer = {"items": [{"id": None}], "pageDetails": {"nextPageUrl": "https://webservices22.autotask.net/next"}}
    async with ground() as (made, client):
        made.control.faults.append(Fault(kind="status", status=200, body=json.dumps(answer), match="Opportunities.query"))

        page = await client.opportunities_page(asked(size=3))

        assert (page.rows, page.dropped, page.has_more, page.position) == ([], 1, True, None)
        assert made.control.count("Opportunities.query") == 1
