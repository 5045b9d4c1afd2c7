"""Every rule that the vendor documents, broken: told with its path, all at once, and nothing is written."""

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.vendors.sharpspring.scripted_vendor import scripted
from tests.vendors.sharpspring.writing_ground import (
    BUDGET,
    CAPACITY,
    CLOSED_LOST,
    DAY,
    DRONES,
    FJORD,
    HENRIK,
    IDA,
    JURGEN,
    LENE,
    NEW,
    NO_DATE,
    OSLOFJORD,
    PERMIT,
    PROJECT,
    TOVE,
    broken,
    ground,
)
from vendors.model import Money, OpportunityStatus
from vendors.sharpspring.inputs import SharpspringOpportunityInput
from vendors.sharpspring.rules import shortest
from vendors.writes import UNSET, AccountValues, ContactValues, InputRefusedError, OpportunityValues, RuleCode, StatusValues

WON, LOST, OPEN = OpportunityStatus.WON, OpportunityStatus.LOST, OpportunityStatus.OPEN
HUGE = "x" * 100_000


def own(**values: Any) -> dict[str, Any]:
    return {"extension": SharpspringOpportunityInput(**values)}


def money(amount: str, currency: str | None = None) -> dict[str, Any]:
    return {"amount": Money(amount=Decimal(amount), currency=currency)}


# Values that neither a new nor an existing opportunity takes.
WRONG: list[tuple[dict[str, Any], tuple[str, ...], RuleCode]] = [
    ({"title": ""}, ("title",), RuleCode.REQUIRED),
    ({"title": " \n"}, ("title",), RuleCode.REQUIRED),
    ({"title": None}, ("title",), RuleCode.REQUIRED),
    ({"title": "x" * 256}, ("title",), RuleCode.TOO_LONG),
    ({"title": HUGE}, ("title",), RuleCode.TOO_LONG),
    ({"title": "half \ud83d"}, ("title",), RuleCode.INVALID_VALUE),
    ({"expected_close_date": None}, ("expected_close_date",), RuleCode.REQUIRED),
    ({"expected_close_date": date(1, 1, 1)}, ("expected_close_date",), RuleCode.OUT_OF_RANGE),
    ({"expected_close_date": date(1970, 1, 1)}, ("expected_close_date",), RuleCode.OUT_OF_RANGE),
    ({"expected_close_date": date(9999, 12, 31)}, ("expected_close_date",), RuleCode.OUT_OF_RANGE),
    ({"stage_id": None}, ("stage_id",), RuleCode.REQUIRED),
    ({"stage_id": "7"}, ("stage_id",), RuleCode.INVALID_REFERENCE),
    ({"stage_id": ""}, ("stage_id",), RuleCode.INVALID_REFERENCE),
    ({"owner_id": None}, ("owner_id",), RuleCode.REQUIRED),
    ({"owner_id": "312009998"}, ("owner_id",), RuleCode.INVALID_REFERENCE),
    ({"pipeline_id": "5102"}, ("pipeline_id",), RuleCode.INVALID_REFERENCE),
    ({"account_id": "40112299917"}, ("account_id",), RuleCode.INVALID_REFERENCE),
    ({"account_id": HUGE}, ("account_id",), RuleCode.INVALID_REFERENCE),
    ({"account_ids": ("x",)}, ("account_ids",), RuleCode.INVALID_REFERENCE),
    ({"account_ids": (FJORD, OSLOFJORD)}, ("account_ids",), RuleCode.NOT_SUPPORTED),
    ({"account_id": FJORD, "account_ids": (OSLOFJORD,)}, ("account_id",), RuleCode.CONTRADICTION),
    ({"account_id": FJORD, "account_ids": None}, ("account_id",), RuleCode.CONTRADICTION),
    ({"account_id": None, "account_ids": (FJORD,)}, ("account_id",), RuleCode.CONTRADICTION),
    ({"primary_contact_id": "1"}, ("primary_contact_id",), RuleCode.INVALID_REFERENCE),
    ({"contact_ids": (IDA, "1")}, ("contact_ids",), RuleCode.INVALID_REFERENCE),
    ({"contact_ids": ("x\ud83d",)}, ("contact_ids",), RuleCode.INVALID_REFERENCE),
    ({"primary_contact_id": LENE, "contact_ids": (IDA,)}, ("primary_contact_id",), RuleCode.CONTRADICTION),
    ({"probability_percent": -0.5}, ("probability_percent",), RuleCode.OUT_OF_RANGE),
    ({"probability_percent": 100.01}, ("probability_percent",), RuleCode.OUT_OF_RANGE),
    ({"probability_percent": float("nan")}, ("probability_percent",), RuleCode.OUT_OF_RANGE),
    ({"probability_percent": 1e-30}, ("probability_percent",), RuleCode.OUT_OF_RANGE),
    (money("1234567890123456789"), ("amount", "amount"), RuleCode.OUT_OF_RANGE),
    (money("0.123456789012345678"), ("amount", "amount"), RuleCode.OUT_OF_RANGE),
    (money("1E+999999"), ("amount", "amount"), RuleCode.OUT_OF_RANGE),
    (money("NaN"), ("amount", "amount"), RuleCode.OUT_OF_RANGE),
    (money("-Infinity"), ("amount", "amount"), RuleCode.OUT_OF_RANGE),
    (money("5", "EUR"), ("amount", "currency"), RuleCode.CURRENCY_NOT_SUPPORTED),
    ({"description": "Two cranes"}, ("description",), RuleCode.NOT_SUPPORTED),
    ({"type": "Service"}, ("type",), RuleCode.NOT_SUPPORTED),
    ({"lead_source": "Fair"}, ("lead_source",), RuleCode.NOT_SUPPORTED),
    ({"tags": ("urgent",)}, ("tags",), RuleCode.NOT_SUPPORTED),
    (own(campaign_id="1"), ("extension", "campaign_id"), RuleCode.INVALID_REFERENCE),
    (own(originating_lead_id="1"), ("extension", "originating_lead_id"), RuleCode.INVALID_REFERENCE),
    (own(is_closed=None), ("extension", "is_closed"), RuleCode.REQUIRED),
    (own(is_won=None), ("extension", "is_won"), RuleCode.REQUIRED),
    (own(is_active=None), ("extension", "is_active"), RuleCode.REQUIRED),
    (own(is_won=True), ("extension", "is_won"), RuleCode.CONTRADICTION),
    (own(is_won=True, is_closed=False), ("extension", "is_won"), RuleCode.CONTRADICTION),
    ({"custom_fields": {"nowhere": "x"}}, ("custom_fields", "nowhere"), RuleCode.INVALID_REFERENCE),
    ({"custom_fields": {"amount": "5"}}, ("custom_fields", "amount"), RuleCode.INVALID_REFERENCE),
    ({"custom_fields": {PROJECT: "x" * 256}}, ("custom_fields", PROJECT), RuleCode.TOO_LONG),
    ({"custom_fields": {PROJECT: "\udfff"}}, ("custom_fields", PROJECT), RuleCode.INVALID_VALUE),
    ({"custom_fields": {PROJECT: 5}}, ("custom_fields", PROJECT), RuleCode.INVALID_VALUE),
    ({"custom_fields": {CAPACITY: "heavy"}}, ("custom_fields", CAPACITY), RuleCode.INVALID_VALUE),
    ({"custom_fields": {CAPACITY: True}}, ("custom_fields", CAPACITY), RuleCode.INVALID_VALUE),
    ({"custom_fields": {CAPACITY: 10**5000}}, ("custom_fields", CAPACITY), RuleCode.INVALID_VALUE),
    ({"custom_fields": {CAPACITY: 123_456_789_012}}, ("custom_fields", CAPACITY), RuleCode.TOO_LONG),
    ({"custom_fields": {BUDGET: float("inf")}}, ("custom_fields", BUDGET), RuleCode.INVALID_VALUE),
    ({"custom_fields": {PERMIT: "1"}}, ("custom_fields", PERMIT), RuleCode.INVALID_VALUE),
    ({"custom_fields": {DAY: "2027-02-30"}}, ("custom_fields", DAY), RuleCode.INVALID_VALUE),
    ({"custom_fields": {DAY: "2027-02-01 and later"}}, ("custom_fields", DAY), RuleCode.INVALID_VALUE),
    ({"custom_fields": {DAY: ["2027-02-01"]}}, ("custom_fields", DAY), RuleCode.INVALID_VALUE),
]


@pytest.mark.parametrize(("values", "path", "code"), WRONG)
async def test_a_wrong_value_is_told_before_anything_is_written(values: dict[str, Any], path: tuple[str, ...], code: RuleCode) -> None:
    async with ground() as made:
        created = await made.client.plan_create(replace(NEW, **values))
        updated = await made.client.plan_update(await made.read(), OpportunityValues(**values))

        assert broken(created) == {(path, code)}
        assert broken(updated) == {(path, code)}
        for plan in (created, updated):
            assert plan.requests == ()
            assert all(violation.message.endswith(".") and len(violation.message) < 250 for violation in plan.violations)
            with pytest.raises(InputRefusedError) as caught:
                await plan.execute()
            assert caught.value.violations == plan.violations
        assert made.writes() == []


@pytest.mark.parametrize(
    ("missing", "path"),
    [("title", "title"), ("expected_close_date", "expected_close_date"), ("stage_id", "stage_id"), ("owner_id", "owner_id")],
)
async def test_a_new_opportunity_needs_what_the_document_requires(missing: str, path: str) -> None:
    async with ground() as made:
        values: dict[str, Any] = {missing: UNSET}

        plan = await made.client.plan_create(replace(NEW, **values))

        assert broken(plan) == {((path,), RuleCode.REQUIRED)}
        assert made.writes() == []


async def test_all_broken_rules_are_told_at_once() -> None:
    async with ground() as made:
        values = OpportunityValues(
            title="x" * 256, stage_id="1", account_id="1", contact_ids=("1", "2"), tags=("a",), custom_fields={"no": 1, CAPACITY: "x"}
        )

        plan = await made.client.plan_create(values)

        assert [(".".join(violation.path), violation.code.value) for violation in plan.violations] == [
            ("tags", "NOT_SUPPORTED"),
            ("owner_id", "REQUIRED"),
            ("stage_id", "INVALID_REFERENCE"),
            ("account_id", "INVALID_REFERENCE"),
            ("title", "TOO_LONG"),
            ("expected_close_date", "REQUIRED"),
            ("contact_ids", "INVALID_REFERENCE"),
            ("contact_ids", "INVALID_REFERENCE"),
            ("custom_fields.no", "INVALID_REFERENCE"),
            (f"custom_fields.{CAPACITY}", "INVALID_VALUE"),
        ]


@pytest.mark.parametrize("name", ["add_contact_ids", "remove_contact_ids"])
async def test_a_new_opportunity_has_no_contacts_to_change(name: str) -> None:
    async with ground() as made:
        values: dict[str, Any] = {name: (IDA,)}

        plan = await made.client.plan_create(replace(NEW, **values))

        assert broken(plan) == {((name,), RuleCode.NOT_SUPPORTED)}


@pytest.mark.parametrize(
    ("values", "path", "code"),
    [
        ({"add_contact_ids": ("1",)}, ("add_contact_ids",), RuleCode.INVALID_REFERENCE),
        ({"add_contact_ids": (LENE,), "remove_contact_ids": (LENE,)}, ("remove_contact_ids",), RuleCode.CONTRADICTION),
        ({"primary_contact_id": HENRIK, "remove_contact_ids": (HENRIK,)}, ("primary_contact_id",), RuleCode.CONTRADICTION),
        ({"primary_contact_id": IDA, "contact_ids": None}, ("primary_contact_id",), RuleCode.CONTRADICTION),
        ({"pipeline_id": None}, ("pipeline_id",), RuleCode.REQUIRED),
    ],
)
async def test_a_change_that_cannot_be_is_told(values: dict[str, Any], path: tuple[str, ...], code: RuleCode) -> None:
    async with ground() as made:
        plan = await made.client.plan_update(await made.read(), OpportunityValues(**values))

        assert broken(plan) == {(path, code)}
        assert made.writes() == []


async def test_a_stage_is_one_of_the_pipeline_that_is_named() -> None:
    async with ground({"pipeline_id": "present"}) as made:
        current = await made.read()

        created = await made.client.plan_create(replace(NEW, pipeline_id="5102"))
        updated = await made.client.plan_update(current, OpportunityValues(pipeline_id="5102"))
        fitting = await made.client.plan_update(current, OpportunityValues(pipeline_id="5101", stage_id=CLOSED_LOST))
        moved = await made.client.plan_update(current, OpportunityValues(pipeline_id="5102", stage_id="70110023"))

        assert broken(created) == broken(updated) == {(("pipeline_id",), RuleCode.CONTRADICTION)}
        assert broken(fitting) == broken(moved) == set()


async def test_a_closed_opportunity_has_no_expected_date() -> None:
    async with ground() as made:
        closed = await made.read(DRONES)
        someday = date(2027, 5, 1)

        plan = await made.client.plan_update(closed, OpportunityValues(expected_close_date=someday))
        closing = await made.client.plan_update(await made.read(), OpportunityValues(expected_close_date=someday, **own(is_closed=True)))
        reopening = await made.client.plan_update(closed, OpportunityValues(expected_close_date=someday, **own(is_closed=False)))

        assert broken(plan) == broken(closing) == {(("expected_close_date",), RuleCode.CONTRADICTION)}
        assert broken(reopening) == set()


@pytest.mark.parametrize("local_id", [DRONES, NO_DATE])
async def test_clearing_a_date_that_is_not_there_changes_nothing(local_id: str) -> None:
    async with ground() as made:
        await made.update(local_id, expected_close_date=None)

        assert made.writes() == []


async def test_a_won_opportunity_is_not_opened_half() -> None:
    async with ground() as made:
        won = await made.read("90531100326")

        plan = await made.client.plan_update(won, OpportunityValues(**own(is_closed=False)))

        assert broken(plan) == {(("extension", "is_closed"), RuleCode.CONTRADICTION)}


@pytest.mark.parametrize(
    ("values", "path", "code"),
    [
        (StatusValues(status=LOST, reason_id="3"), ("reason_id",), RuleCode.NOT_SUPPORTED),
        (StatusValues(status=WON, reason_detail="Price"), ("reason_detail",), RuleCode.NOT_SUPPORTED),
        (StatusValues(status=WON, closed_on=None), ("closed_on",), RuleCode.REQUIRED),
        (StatusValues(status=OPEN, closed_on=date(2027, 1, 1)), ("closed_on",), RuleCode.CONTRADICTION),
    ],
)
async def test_a_close_that_cannot_be_is_told(values: StatusValues, path: tuple[str, ...], code: RuleCode) -> None:
    async with ground() as made:
        plan = await made.client.plan_close(await made.read(), values)

        assert broken(plan) == {(path, code)}
        assert plan.requests == ()
        assert made.writes() == []


async def test_a_move_goes_to_a_stage_that_is_there() -> None:
    async with ground() as made:
        plan = await made.client.plan_move(await made.read(), "1", SharpspringOpportunityInput(is_won=True))

        assert broken(plan) == {(("stage_id",), RuleCode.INVALID_REFERENCE), (("extension", "is_won"), RuleCode.CONTRADICTION)}
        assert made.writes() == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (AccountValues(owner_id=TOVE), {(("name",), RuleCode.REQUIRED)}),
        (AccountValues(owner_id=TOVE, name=""), {(("name",), RuleCode.REQUIRED)}),
        (AccountValues(name="Moss"), {(("owner_id",), RuleCode.REQUIRED)}),
        (AccountValues(name="Moss", owner_id="1"), {(("owner_id",), RuleCode.INVALID_REFERENCE)}),
        (AccountValues(name=HUGE, owner_id=TOVE), {(("name",), RuleCode.TOO_LONG)}),
        (
            AccountValues(name="Moss", owner_id=TOVE, phone="1" * 256, website="\ud800", email="a@b.example"),
            {(("email",), RuleCode.NOT_SUPPORTED), (("phone",), RuleCode.TOO_LONG), (("website",), RuleCode.INVALID_VALUE)},
        ),
    ],
)
async def test_an_account_that_cannot_be_is_told(values: AccountValues, expected: set[Any]) -> None:
    async with ground() as made:
        plan = await made.client.plan_create_account(values)

        assert broken(plan) == expected
        assert made.writes() == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (ContactValues(), {((), RuleCode.REQUIRED)}),
        (ContactValues(email="lene@fjordshipping.example"), {(("email",), RuleCode.CONTRADICTION)}),
        (
            ContactValues(first_name=HUGE, last_name="x" * 256, email=HUGE, title="\udc00", phone="1" * 256, account_id="1", owner_id="x"),
            {
                (("first_name",), RuleCode.TOO_LONG),
                (("last_name",), RuleCode.TOO_LONG),
                (("email",), RuleCode.TOO_LONG),
                (("title",), RuleCode.INVALID_VALUE),
                (("phone",), RuleCode.TOO_LONG),
                (("account_id",), RuleCode.INVALID_REFERENCE),
                (("owner_id",), RuleCode.INVALID_REFERENCE),
            },
        ),
    ],
)
async def test_a_contact_that_cannot_be_is_told(values: ContactValues, expected: set[Any]) -> None:
    async with ground() as made:
        plan = await made.client.plan_create_contact(values)

        assert broken(plan) == expected
        assert made.writes() == []


@pytest.mark.parametrize(
    "values", [ContactValues(first_name="Ida"), ContactValues(last_name="Dahl"), ContactValues(email="new@dahl.example")]
)
async def test_a_name_or_an_address_is_enough_for_a_contact(values: ContactValues) -> None:
    async with ground() as made:
        assert broken(await made.client.plan_create_contact(values)) == set()


async def test_a_custom_field_that_is_required_has_to_be_given() -> None:
    async with ground() as made:
        fields_table = made.store.tables["field"]
        fields_table.put(fields_table.rows[55001] | {"isRequired": True})
        current = await made.read()

        missing = await made.client.plan_create(NEW)
        empty = await made.client.plan_create(replace(NEW, custom_fields={PROJECT: ""}))
        given = await made.client.plan_create(replace(NEW, custom_fields={PROJECT: "G-1"}))
        cleared = await made.client.plan_update(current, OpportunityValues(custom_fields={PROJECT: None}))
        untouched = await made.client.plan_update(current, OpportunityValues(title="Deck lights"))

        assert broken(missing) == broken(empty) == broken(cleared) == {(("custom_fields", PROJECT), RuleCode.REQUIRED)}
        assert broken(given) == broken(untouched) == set()


async def test_without_a_currency_of_its_own_a_crm_takes_none() -> None:
    async with ground(settings={"currency": None}) as made:
        with_currency = await made.client.plan_create(replace(NEW, **money("5", "NOK")))
        without = await made.client.plan_create(replace(NEW, **money("5")))

        assert broken(with_currency) == {(("amount", "currency"), RuleCode.CURRENCY_NOT_SUPPORTED)}
        assert broken(without) == set()


async def test_planning_asks_in_few_calls_and_only_for_what_is_named() -> None:
    async with ground() as made:
        values = replace(NEW, account_id=FJORD, contact_ids=(IDA, LENE, JURGEN, HENRIK), **own(campaign_id="21600014"))
        await made.client.plan_create(values)
        first = sorted(made.made.control.operations())
        made.made.control.calls.clear()
        await made.client.plan_create(NEW)

        assert first == ["getAccounts", "getCampaigns", "getDealStages", "getFields", "getLeads", "getUserProfiles"]
        assert made.made.control.operations() == []


async def test_a_stage_or_user_that_came_since_the_table_was_read_is_found() -> None:
    ids = ["1"]

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        key = {"getDealStages": "dealStage", "getUserProfiles": "userProfile", "getFields": "field"}[asked["method"]]
        return {"result": {key: [{"id": local_id} for local_id in ids] if key != "field" else []}}

    async with scripted(answer) as (vendor, client):
        await client.pipelines()
        await client.users()
        ids.append("2")
        vendor.now += 31

        plan = await client.plan_create(replace(NEW, stage_id="2", owner_id="2"))

        assert broken(plan) == set()


async def test_the_fields_of_a_form_are_told_for_every_attribute() -> None:
    async with ground() as made:
        rules = {rule.name: rule for rule in await made.client.create_fields()}

        assert set(rules) == {item.name for item in fields(OpportunityValues)} - {"extension"} | {
            f"extension.{item.name}" for item in fields(SharpspringOpportunityInput)
        }
        assert {name for name, rule in rules.items() if rule.is_required} == {"title", "expected_close_date", "stage_id", "owner_id"}
        assert {name for name, rule in rules.items() if not rule.is_allowed} == {
            "description",
            "type",
            "lead_source",
            "tags",
            "add_contact_ids",
            "remove_contact_ids",
        }
        assert rules["title"].max_length == 255


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("1500.50", "1500.5"),
        ("-0.01", "-0.01"),
        ("123456789012345678", "123456789012345678"),
        ("1E+5", "100000"),
        ("10.0000000000000000000000000", "10"),
        ("0E-50", "0"),
        ("0.00000000000000001", "0.00000000000000001"),
        ("0.000000000000000001", None),
        ("1E+18", None),
        ("sNaN", None),
    ],
)
def test_a_number_is_written_exactly_or_not_at_all(given: str, written: str | None) -> None:
    number = shortest(Decimal(given))

    assert (None if number is None else format(number, "f")) == written
