"""What Pipeliner is asked for when a list has conditions, an order or a count: the parameters sent, the calls made, the rows that come."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.contract.reading import sound, whole_list
from tests.playground import Playground, playground
from tests.vendors.pipeliner.sandbox_caller import AUTHORIZATION, ENTITIES
from tests.vendors.pipeliner.test_adapter import BOARD, NAMES, TITLES, answers, calls, client_of, ids_of
from vendors.capabilities import Page, PageRequest
from vendors.errors import MalformedReplyError
from vendors.model import EVERYTHING, Account, Opportunity, OpportunityStatus, Ref, Selection
from vendors.pipeliner import query
from vendors.pipeliner.extension import PipelinerAccountFields
from vendors.query import Condition, Field, Operator, Pushdown, Sort

OPEN, WON, LOST = OpportunityStatus.OPEN, OpportunityStatus.WON, OpportunityStatus.LOST
SOME_ID = "00000000-0000-4000-8000-0000000000aa"
OTHER_ID = "00000000-0000-4000-8000-0000000000bb"
NOON = datetime(2026, 5, 11, 12, tzinfo=UTC)
DATES = Selection({"Opportunity": frozenset({"created_at", "updated_at", "expected_close_date"})})


def any_of(field: Field, *values: object) -> Condition:
    return Condition(field, Operator.ANY_OF, values)


def pushed(*conditions: Condition, sort: Sort | None = None) -> Pushdown:
    return query.pushdown(query.OPPORTUNITIES, conditions, sort, sorts=query.SORTS)


def asked(ground: Playground) -> dict[str, str]:
    """What the only call asked for, but for fields and relations."""
    (call,) = ground.control.calls
    ground.control.calls.clear()
    return {name: value for name, value in call.query if name not in {"first", "load-only", "expand"}}


async def walked(ground: Playground, *where: Condition, size: int = 100, **wishes: Any) -> list[Opportunity]:
    """The whole list of what a pushdown took, over all its pages."""
    client = client_of(ground)
    taken = client.opportunities_pushdown(where, wishes.get("sort"))
    assert set(taken.conditions) == set(where) and (taken.is_sorted or "sort" not in wishes)
    request = replace(PageRequest(size=size, selection=DATES, where=taken.conditions), **wishes)
    records: list[Opportunity] = []
    while True:
        page = await client.opportunities_page(request)
        records += [row.record for row in page.rows]
        if not page.has_more:
            return records
        assert page.position != request.position
        request = replace(request, position=page.position)


@pytest.mark.parametrize(
    ("condition", "is_exact", "params"),
    [
        (any_of(Field.OWNER, SOME_ID), True, {"filter[owner_id]": SOME_ID}),
        (any_of(Field.STAGE, SOME_ID), True, {"filter[step_id]": SOME_ID}),
        (any_of(Field.STATUS, OPEN), True, {"filter[status]": "1"}),
        (any_of(Field.STATUS, LOST), True, {"filter[status]": "2"}),
        (any_of(Field.STATUS, WON, WON), True, {"filter[status]": "3"}),
        (any_of(Field.STATUS, WON, OPEN), False, {"filter[status]": "2", "filter-op[status]": "not-eq"}),
        (Condition(Field.TITLE, Operator.CONTAINS, ("CRANE",)), False, {"filter[name]": "crane", "filter-op[name]": "icontains"}),
        *(
            (
                Condition(Field.EXPECTED_CLOSE_DATE, operator, (date(2026, 3, 1),)),
                True,
                {"filter[closing_date]": "2026-03-01", "filter-op[closing_date]": operator.value},
            )
            for operator in (Operator.GTE, Operator.GT, Operator.LTE, Operator.LT)
        ),
    ],
    ids=str,
)
async def test_a_condition_is_sent_as_a_filter(condition: Condition, is_exact: bool, params: Mapping[str, str]) -> None:  # noqa: FBT001
    assert pushed(condition) == Pushdown(conditions=(condition,), is_exact=is_exact)

    async with playground("pipeliner") as ground:
        await client_of(ground).opportunities_page(PageRequest(size=5, selection=TITLES, where=(condition,)))

        assert asked(ground) == params


@pytest.mark.parametrize(
    ("operator", "moment", "sent", "value", "is_exact"),
    [
        (Operator.GTE, NOON, "gte", "2026-05-11 12:00:00", True),
        (Operator.LT, NOON, "lt", "2026-05-11 12:00:00", True),
        (Operator.GT, NOON, "gte", "2026-05-11 12:00:00", False),
        (Operator.LTE, NOON, "lte", "2026-05-11 12:00:00", False),
        (Operator.GTE, NOON.replace(microsecond=1), "gte", "2026-05-11 12:00:00", False),
        (Operator.LT, NOON.replace(microsecond=1), "lt", "2026-05-11 12:00:01", False),
        (Operator.LTE, NOON.replace(microsecond=999_999), "lte", "2026-05-11 12:00:01", False),
        (Operator.GTE, datetime(2026, 5, 11, 1, tzinfo=timezone(timedelta(hours=2))), "gte", "2026-05-10 23:00:00", True),
        (Operator.GTE, datetime(90, 1, 1, tzinfo=UTC), "gte", "0090-01-01 00:00:00", True),
    ],
)
def test_an_instant_is_sent_as_a_whole_second_in_utc(
    operator: Operator, moment: datetime, sent: str, value: str, *, is_exact: bool
) -> None:
    condition = Condition(Field.UPDATED_AT, operator, (moment,))

    assert pushed(condition).is_exact is is_exact
    assert query.params_of([condition], None) == [("filter[modified]", value), ("filter-op[modified]", sent)]


@pytest.mark.parametrize(
    "condition",
    [
        any_of(Field.PIPELINE, SOME_ID),
        any_of(Field.OWNER, SOME_ID, OTHER_ID),
        any_of(Field.STAGE, SOME_ID, OTHER_ID),
        any_of(Field.ACCOUNT, SOME_ID, OTHER_ID),
        any_of(Field.STATUS, OPEN, WON, LOST),
        Condition(Field.TITLE, Operator.CONTAINS, ("ß",)),
        Condition(Field.TITLE, Operator.CONTAINS, ("%_\\",)),
        Condition(Field.TITLE, Operator.CONTAINS, ("",)),
        Condition(Field.PROBABILITY, Operator.GTE, (50.0,)),
        Condition(Field.ACTUAL_CLOSE_DATE, Operator.GTE, (date(2026, 1, 1),)),
        Condition(Field.CREATED_AT, Operator.LTE, (datetime.max.replace(tzinfo=UTC),)),
        Condition(Field.CREATED_AT, Operator.GTE, (datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),)),
    ],
    ids=str,
)
def test_what_the_vendor_may_not_evaluate_rightly_is_left_to_the_reader(condition: Condition) -> None:
    assert pushed(condition) == Pushdown()


@pytest.mark.parametrize("field", [Field.TITLE, Field.STATUS, Field.PROBABILITY, Field.ACTUAL_CLOSE_DATE])
def test_an_order_that_is_not_documented_is_left_to_the_reader(field: Field) -> None:
    assert not pushed(sort=Sort(field)).is_sorted


def test_a_field_takes_one_bound_the_lower_one() -> None:
    until = Condition(Field.CREATED_AT, Operator.LT, (NOON,))
    since = Condition(Field.CREATED_AT, Operator.GTE, (NOON,))

    assert pushed(until, since, any_of(Field.STATUS, OPEN)).conditions == (any_of(Field.STATUS, OPEN), since)


def test_what_comes_by_links_takes_neither_further_conditions_nor_an_order() -> None:
    of_contact, of_account = any_of(Field.CONTACT, SOME_ID), any_of(Field.ACCOUNT, SOME_ID)
    sort = Sort(Field.CREATED_AT)

    assert pushed(any_of(Field.STATUS, OPEN), of_contact, of_account, sort=sort) == Pushdown(conditions=(of_account,), is_exact=False)
    assert pushed(any_of(Field.STATUS, OPEN), of_contact, sort=sort) == Pushdown(conditions=(of_contact,), is_exact=False)


@pytest.mark.parametrize(
    ("needle", "part"),
    [
        ("Quay crane", "quay crane"),
        ("crane rail, Mannheim", "crane rail"),
        ("Deck lighting", "lighting"),
        ("50% off", "50"),
        ("Straße", "ra"),
        ("Kleinhüningen", "ingen"),
        ("ss", ""),
        ("it", ""),
    ],
)
def test_a_text_is_asked_for_by_its_longest_certain_part(needle: str, part: str) -> None:
    assert query.certain_part(needle) == part


def test_the_certain_part_of_a_text_is_in_every_title_that_holds_the_text() -> None:
    letters = [chr(point) for point in range(0x80, sys.maxunicode + 1) if any(map(str.isascii, chr(point).casefold()))]
    titles = [
        before + letter + between + other + after
        for letter in letters
        for other in ["", *letters]
        for before, between, after in [("ab", "", "cd"), ("fs", "i", "lt"), ("", "n", "")]
    ]

    for title in titles:
        folded, known = title.casefold(), _ascii_lower(title)
        for begin in range(len(folded)):
            for end in range(begin + 1, len(folded) + 1):
                assert query.certain_part(folded[begin:end]) in known, (title, folded[begin:end])


def _ascii_lower(text: str) -> str:
    """The text for somebody who knows only the case of ASCII letters."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


@pytest.mark.parametrize("options", [{}, {"text_match": "pattern"}], ids=str)
async def test_titles_are_found_by_any_part_that_can_be_asked_for(options: Mapping[str, str]) -> None:
    async with playground("pipeliner", options=options) as ground:
        titles = {record.local_id: record.title for record in await whole_list(ground.crm, selection=TITLES)}
        for needle in ("CRANE", "crane rail, M", "mannheimerstrasse", "Teufelsbrück", "Ölsperren & ", "2027_"):
            conditions = pushed(Condition(Field.TITLE, Operator.CONTAINS, (needle,))).conditions

            found = {record.local_id for record in await walked(ground, *conditions)}

            assert found >= {local_id for local_id, title in titles.items() if needle.casefold() in title.casefold()}
            assert len(found) < len(titles)


@pytest.mark.parametrize("options", [{}, {"filter_instants": "seconds"}], ids=str)
async def test_no_row_is_missing_at_the_edge_of_a_second(options: Mapping[str, str]) -> None:
    async with playground("pipeliner", options=options) as ground:
        records = await whole_list(ground.crm, selection=DATES)
        moments = sorted(record.created_at for record in records if record.created_at)
        tests = {Operator.GTE: "__ge__", Operator.GT: "__gt__", Operator.LTE: "__le__", Operator.LT: "__lt__"}
        for operator, test in tests.items():
            for moment in (moments[20], moments[20].replace(microsecond=0), moments[20] + timedelta(microseconds=1)):
                condition = Condition(Field.CREATED_AT, operator, (moment,))
                wanted = [record.ref for record in records if record.created_at and getattr(record.created_at, test)(moment)]

                found = [record.ref for record in await walked(ground, condition)]

                assert [ref for ref in found if ref in wanted] == wanted
                assert len(found) - len(wanted) <= 1
                assert found == wanted or not pushed(condition).is_exact


@pytest.mark.parametrize("field", [Field.CREATED_AT, Field.UPDATED_AT, Field.EXPECTED_CLOSE_DATE])
@pytest.mark.parametrize("descending", [False, True])
async def test_an_order_is_sent_and_kept_over_pages(field: Field, *, descending: bool) -> None:
    async with playground("pipeliner", scale=230) as ground:
        records = await walked(ground, any_of(Field.STATUS, OPEN), sort=Sort(field, descending), size=7)
        first = ground.control.calls[0]
        ground.control.calls.clear()
        at_once = await walked(ground, any_of(Field.STATUS, OPEN), sort=Sort(field, descending), size=1_000)

        values = [
            getattr(record, {"createdAt": "created_at", "updatedAt": "updated_at"}.get(field, "expected_close_date")) for record in records
        ]
        assert values == sorted(values, reverse=descending)
        assert [record.ref for record in records] == [record.ref for record in at_once]
        assert dict(first.query)["order-by"] == ("-" if descending else "") + query.SORTS[field]
        assert len(records) > 100
        assert calls(ground) == {"Opportunities": 2}


async def test_an_ordered_list_goes_on_where_it_was_although_its_last_row_has_moved() -> None:
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        request = PageRequest(size=40, selection=TITLES, sort=Sort(Field.UPDATED_AT))
        rows = (await client.opportunities_page(request)).rows
        stage = next(stage for pipeline in await client.pipelines() for stage in pipeline.stages)
        await _move(ground, rows[4].record.local_id, stage.local_id)

        rest = await client.opportunities_page(
            PageRequest(size=40, position=rows[4].position, selection=TITLES, sort=Sort(Field.UPDATED_AT))
        )

        # The list is read again from its start, for the place is in the middle of a page; the row itself is now the newest.
        assert [row.record.ref for row in rest.rows][:35] == [row.record.ref for row in rows[5:]]


async def _move(ground: Playground, opportunity_id: str, stage_id: str) -> None:
    async with ground.crm.link.session.post(
        f"{ground.sandbox.base_url}/_sandbox/move", json={"id": opportunity_id, "stage": stage_id}
    ) as response:
        assert response.status == 200


@pytest.mark.parametrize("field", [Field.ACCOUNT, Field.CONTACT, Field.OWNER, Field.STAGE])
@pytest.mark.parametrize("impossible", ["../x", "7", "", "no such id", SOME_ID + "?x=y", "9" * 400])
async def test_an_id_that_cannot_be_costs_no_call(field: Field, impossible: str) -> None:
    async with playground("pipeliner") as ground:
        where = pushed(any_of(field, impossible)).conditions
        assert where

        page = await client_of(ground).opportunities_page(PageRequest(size=5, selection=BOARD, where=where, count=True))

        assert (list(page.rows), page.has_more, page.total) == ([], False, 0)
        assert calls(ground) == {}


async def test_accounts_and_contacts_of_impossible_ids_cost_no_call() -> None:
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        owner, account = any_of(Field.OWNER, "me"), any_of(Field.ACCOUNT, "../x")

        pages: list[Page[Any]] = [
            await client.accounts_page(PageRequest(size=5, selection=NAMES, where=(owner,))),
            await client.contacts_page(PageRequest(size=5, selection=NAMES, where=(owner,))),
            await client.contacts_page(PageRequest(size=5, selection=NAMES, where=(account,))),
        ]

        assert not any(page.rows or page.has_more for page in pages)
        assert calls(ground) == {}


async def test_an_id_that_does_not_exist_has_no_rows() -> None:
    async with playground("pipeliner") as ground:
        for field in (Field.ACCOUNT, Field.CONTACT, Field.OWNER, Field.STAGE):
            assert await walked(ground, any_of(field, SOME_ID)) == []


async def test_the_count_is_that_of_the_answer_and_costs_no_call() -> None:
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        where = (any_of(Field.STATUS, WON),)
        request = PageRequest(size=2, selection=TITLES, where=where, count=True)
        first = await client.opportunities_page(request)
        second = await client.opportunities_page(replace(request, position=first.position))
        uncounted = await client.opportunities_page(replace(request, count=False))
        assert calls(ground) == {"Opportunities": 3}

        won = len(await walked(ground, *where))

        assert (first.total, second.total, uncounted.total) == (won, won, None)
        assert (await client.accounts_page(PageRequest(size=1, selection=NAMES, count=True))).total == len(
            (await client.accounts_page(PageRequest(size=100, selection=NAMES))).rows
        )


async def test_there_is_no_count_where_the_vendor_tells_none() -> None:
    async with playground("pipeliner", options={"total": "absent"}) as ground:
        assert (await client_of(ground).opportunities_page(PageRequest(size=2, selection=TITLES, count=True))).total is None
    async with playground("pipeliner") as ground:
        _, (account_id,), _ = await ids_of(ground, 1)
        where = (any_of(Field.ACCOUNT, account_id),)

        page = await client_of(ground).opportunities_page(PageRequest(size=2, selection=TITLES, where=where, count=True))

        assert page.rows and page.total is None, "links are counted, not opportunities"


async def test_an_accounts_opportunities_come_with_their_relations_in_one_call() -> None:
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        _, (account_id,), _ = await ids_of(ground, 1)
        await client.opportunities_page(PageRequest(size=1, selection=BOARD))
        calls(ground)

        page = await client.opportunities_page(PageRequest(size=10, selection=BOARD, where=(any_of(Field.ACCOUNT, account_id),)))

        assert dict(ground.control.calls[0].query).items() >= {"filter[account_id]": account_id, "order-by": "lead_oppty_id"}.items()
        assert calls(ground) == {"LeadOpptyAccountRelations": 1}
        assert page.seeds is not None
        assert page.rows and page.seeds.users
        assert all(row.record.title for row in page.rows)


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("include_deleted", [False, True])
async def test_what_is_linked_comes_once_and_in_the_order_of_the_list(size: int, *, include_deleted: bool) -> None:
    async with playground("pipeliner") as ground:
        whole = await whole_list(ground.crm, include_deleted=include_deleted)
        accounts = _most_frequent(ref.local_id for record in whole if isinstance(record.account_refs, tuple) for ref in record.account_refs)
        contacts = _most_frequent(ref.local_id for record in whole if isinstance(record.contact_refs, tuple) for ref in record.contact_refs)

        for field, local_id in [(Field.ACCOUNT, accounts), (Field.CONTACT, contacts)]:
            wanted = [record.ref for record in whole if local_id in _linked(record, field)]

            found = await walked(ground, any_of(field, local_id), size=size, include_deleted=include_deleted, selection=EVERYTHING)

            assert [record.ref for record in found if local_id in _linked(record, field)] == wanted
            assert all(record.is_deleted for record in found if record.ref not in wanted)
            assert len(wanted) > 2


def _most_frequent(ids: Iterable[str]) -> str:
    given = sorted(ids)
    return max(given, key=given.count)


def _linked(record: Opportunity, field: Field) -> set[str]:
    first, more = (record.account_ref, record.account_refs) if field is Field.ACCOUNT else (record.primary_contact_ref, record.contact_refs)
    assert isinstance(more, tuple)
    return {ref.local_id for ref in (first, *more) if isinstance(ref, tuple)}


async def test_a_second_link_that_is_added_between_pages_does_not_repeat_its_record() -> None:
    async with playground("pipeliner") as ground:
        whole = await whole_list(ground.crm)
        account_id = _most_frequent(record.account_ref.local_id for record in whole if isinstance(record.account_ref, Ref))
        client = client_of(ground)
        request = PageRequest(size=1, selection=TITLES, where=(any_of(Field.ACCOUNT, account_id),))
        expected = [record.local_id for record in await walked(ground, *request.where)]
        came: list[str] = []
        while True:
            page = await client.opportunities_page(request)
            came += [row.record.local_id for row in page.rows]
            if not page.has_more:
                break
            await _post(ground, {"lead_oppty_id": came[-1], "account_id": account_id, "is_primary": False})
            request = replace(request, position=page.position)

        assert came == expected
        assert len(await walked(ground, *request.where, size=2)) == len(expected) > 2


async def _post(ground: Playground, link: Mapping[str, object]) -> None:
    url = f"{ground.sandbox.base_url}{ENTITIES}LeadOpptyAccountRelations"
    async with ground.crm.link.session.post(url, json=link, headers=AUTHORIZATION) as response:
        assert response.status == 201


async def test_opportunities_that_links_leave_unexpanded_are_read_by_id() -> None:
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        opportunity_ids, (account_id,), _ = await ids_of(ground, 1)
        rows = [
            {"id": "l1", "oppty": f"https://old.example/x/Opportunities/{opportunity_ids[0]}", "lead": None},
            {"id": "l2", "oppty": None, "lead": "https://old.example/x/Leads/00000000-0000-4000-8000-000000000003"},
            {"id": "l3", "oppty": "https://old.example/x/Opportunities/00000000-0000-4000-8000-00000000dead", "lead": None},
        ]
        answers(ground, "entities/LeadOpptyAccountRelations", {"success": True, "data": rows})

        page = await client.opportunities_page(PageRequest(size=10, selection=TITLES, where=(any_of(Field.ACCOUNT, account_id),)))

        assert [row.record.local_id for row in page.rows] == opportunity_ids
        assert calls(ground)["LeadOpptyAccountRelations"] == 1


async def test_a_linked_opportunity_that_cannot_be_read_is_not_left_out_without_a_word() -> None:
    async with playground("pipeliner") as ground:
        rows = [{"id": "l1", "oppty": f"https://old.example/x/Opportunities/{SOME_ID}"}]
        answers(ground, "entities/LeadOpptyAccountRelations", {"success": True, "data": rows})
        answers(ground, "entities/Opportunities/", {"success": True, "data": {"id": {"no": "id"}}}, {"success": True, "data": []})

        with pytest.raises(MalformedReplyError):
            await client_of(ground).opportunities_page(PageRequest(size=10, selection=TITLES, where=(any_of(Field.ACCOUNT, OTHER_ID),)))


async def test_an_accounts_contacts_come_in_one_call() -> None:
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        _, account_ids, _ = await ids_of(ground, 8)

        pages = [
            await client.contacts_page(PageRequest(size=50, selection=BOARD, where=(any_of(Field.ACCOUNT, account_id),)))
            for account_id in account_ids
        ]

        assert calls(ground) == {"ContactAccountRelations": len(account_ids)}
        assert any(row.record.name and row.record.email for page in pages for row in page.rows)


async def test_a_contact_with_several_links_is_shown_once_and_one_whose_link_was_taken_away_not_at_all() -> None:
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        _, (account_id, _), contact_ids = await ids_of(ground, 2)
        one = {"contact": f"https://old.example/x/Contacts/{contact_ids[0]}"}
        other = {"contact": f"https://old.example/x/Contacts/{contact_ids[1]}"}
        rows = [{"id": "l1", **one}, {"id": "l2", **one}, {"id": "l3", "is_deleted": True, **other}, {"id": "l4", "contact": None}]
        answers(ground, "entities/ContactAccountRelations", {"success": True, "data": rows})
        request = PageRequest(size=10, selection=NAMES, include_deleted=True, where=(any_of(Field.ACCOUNT, account_id),))

        page = await client.contacts_page(request)

        assert [row.record.local_id for row in page.rows] == contact_ids[:1]


async def test_accounts_and_contacts_are_listed_with_what_is_read_of_them() -> None:
    selection = Selection({"Account": frozenset({"name"}), "Contact": frozenset({"name", "account_ref"})})
    async with playground("pipeliner") as ground:
        client = client_of(ground)

        accounts = await client.accounts_page(PageRequest(size=1_000, selection=selection))
        contacts = await client.contacts_page(PageRequest(size=1_000, selection=selection))

        first, second = [dict(call.query) for call in ground.control.calls]
        assert first == {"first": "100", "load-only": "id,is_deleted,name"}
        assert (second["first"], second["expand"]) == ("100", "primary_account")
        assert calls(ground) == {"Accounts": 1, "Contacts": 1}
        assert contacts.seeds is not None
        seeds = {account.ref: account.name for account in contacts.seeds.accounts}
        names = {row.record.ref: row.record.name for row in accounts.rows}
        assert {row.record.account_ref for row in contacts.rows if row.record.account_ref} == set(seeds)
        assert all(account.covers(frozenset({"name"})) for account in contacts.seeds.accounts)
        assert names.items() >= {(ref, name) for ref, name in seeds.items() if ref in names}
        assert len(names) > 5 and set(seeds) & set(names)


async def test_accounts_and_contacts_are_filtered_by_owner_and_accounts_by_name() -> None:
    name = Condition(Field.NAME, Operator.CONTAINS, ("Rhein",))
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        whole = [row.record for row in (await client.accounts_page(PageRequest(size=100, selection=EVERYTHING))).rows]
        owner_ref = next(record.owner_ref for record in whole if record.owner_ref is not None)
        owner = any_of(Field.OWNER, owner_ref.local_id)
        ground.control.calls.clear()
        assert client.accounts_pushdown([name, owner]) == Pushdown(conditions=(owner, name), is_exact=False)
        assert client.contacts_pushdown([name, owner]) == Pushdown(conditions=(owner,))

        mine = await client.accounts_page(PageRequest(size=100, selection=NAMES, where=(owner,)))
        assert asked(ground) == {"filter[owner_id]": owner_ref.local_id}
        named = await client.accounts_page(PageRequest(size=100, selection=NAMES, where=(name,)))
        assert asked(ground) == {"filter[name]": "rhein", "filter-op[name]": "icontains"}
        contacts = await client.contacts_page(
            PageRequest(size=100, selection=Selection({"Contact": frozenset({"owner_ref"})}), where=(owner,))
        )
        assert asked(ground) == {"filter[owner_id]": owner_ref.local_id}

        assert [row.record.ref for row in mine.rows] == [record.ref for record in whole if record.owner_ref == owner_ref]
        assert {row.record.ref for row in named.rows} >= {record.ref for record in whole if "rhein" in (record.name or "").casefold()}
        assert {row.record.owner_ref for row in contacts.rows} == {owner_ref}


async def test_links_of_listed_accounts_are_read_only_when_asked_for_and_an_error_is_told() -> None:
    own = Selection({"Account": frozenset({"extension"}), "PipelinerAccountFields": frozenset({"contact_relations"})})
    async with playground("pipeliner", options={"multi_value": "repeat"}) as ground:
        client = client_of(ground)

        page = await client.accounts_page(PageRequest(size=100, selection=own))
        by_id = await client.accounts_by_ids([row.record.local_id for row in page.rows], own)
        assert calls(ground)["ContactAccountRelations"] >= 1
        answers(ground, "entities/ContactAccountRelations", "no JSON")

        assert _links(row.record for row in page.rows) == _links(map(sound, by_id.values())) != {}
        with pytest.raises(MalformedReplyError):
            await client.accounts_page(PageRequest(size=100, selection=own))


def _links(records: Iterable[Account]) -> dict[str, object]:
    fields = {record.local_id: record.extension for record in records}
    return {local_id: own.contact_relations for local_id, own in fields.items() if isinstance(own, PipelinerAccountFields)}


async def test_users_are_those_of_the_kept_table() -> None:
    async with playground("pipeliner") as ground:
        client = client_of(ground)

        users = await client.users()
        by_id = await client.users_by_ids([user.local_id for user in users], EVERYTHING)

        assert calls(ground) == {"Clients": 1}
        assert list(by_id.values()) == list(users)
        assert {user.is_active for user in users} == {True, False}


async def test_a_scan_of_a_filtered_list_costs_one_call_for_a_hundred_rows() -> None:
    async with playground("pipeliner", scale=1_000) as ground:
        found = await walked(ground, any_of(Field.STATUS, OPEN), size=1_000)

        assert calls(ground) == {"Opportunities": (len(found) + 99) // 100}
        assert len(found) > 400
