"""Every rule that the portal is known to have, broken: told with its path and code, all at once, and no write call made."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from tests.playground import Playground, brief_sleep, playground
from tests.vendors.onlyoffice.writing_desk import ANNA, IVO, broken, client_of, deal_of, own_of, read, sent, store_of, values, writes
from vendors.errors import PermissionDeniedError
from vendors.extension import VendorId
from vendors.model import Money, OpportunityStatus
from vendors.onlyoffice.client import Client
from vendors.onlyoffice.extension import OnlyofficeBidType
from vendors.onlyoffice.inputs import OnlyofficeOpportunityInput as Own
from vendors.onlyoffice.mapping import LOST_USER_ID
from vendors.onlyoffice.settings import Settings
from vendors.registry import Link
from vendors.sandbox import Fault
from vendors.writes import (
    AccountValues,
    ContactValues,
    InputRefusedError,
    OpportunityValues,
    RuleCode,
    StatusValues,
)

NOBODY_KNOWN = VendorId("11111111-2222-3333-4444-555555555555")
MONTHLY = OnlyofficeBidType.PER_MONTH


def euro(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="EUR")


@pytest.fixture
async def ground() -> AsyncIterator[Playground]:
    async with playground("onlyoffice") as opened:
        yield opened


# What breaks a rule of a create and of an update alike
ALIKE: list[tuple[dict[str, Any], Mapping[tuple[str, ...], RuleCode]]] = [
    ({"title": None}, {("title",): RuleCode.REQUIRED}),
    ({"title": ""}, {("title",): RuleCode.REQUIRED}),
    ({"title": " \n"}, {("title",): RuleCode.REQUIRED}),
    ({"title": "x" * 256}, {("title",): RuleCode.TOO_LONG}),
    ({"title": "a\x00b"}, {("title",): RuleCode.INVALID_VALUE}),
    ({"title": "\ud800"}, {("title",): RuleCode.INVALID_VALUE}),
    ({"description": "ä" * 32_768}, {("description",): RuleCode.TOO_LONG}),
    ({"description": "\x1b[0m"}, {("description",): RuleCode.INVALID_VALUE}),
    ({"owner_id": None}, {("owner_id",): RuleCode.REQUIRED}),
    ({"owner_id": NOBODY_KNOWN}, {("owner_id",): RuleCode.INVALID_REFERENCE}),
    ({"owner_id": LOST_USER_ID}, {("owner_id",): RuleCode.INVALID_REFERENCE}),
    ({"owner_id": "ivo.brandt"}, {("owner_id",): RuleCode.INVALID_REFERENCE}),
    ({"stage_id": None}, {("stage_id",): RuleCode.REQUIRED}),
    ({"stage_id": "10"}, {("stage_id",): RuleCode.INVALID_REFERENCE}),
    ({"stage_id": "x" * 5_000}, {("stage_id",): RuleCode.INVALID_REFERENCE}),
    ({"pipeline_id": "other"}, {("pipeline_id",): RuleCode.INVALID_REFERENCE}),
    ({"pipeline_id": None}, {("pipeline_id",): RuleCode.INVALID_REFERENCE}),
    ({"amount": Money(amount=Decimal(0), currency="XXX")}, {("amount", "currency"): RuleCode.CURRENCY_NOT_SUPPORTED}),
    ({"amount": Money(amount=Decimal(0), currency="")}, {("amount", "currency"): RuleCode.CURRENCY_NOT_SUPPORTED}),
    ({"amount": euro("0.0000000001")}, {("amount", "amount"): RuleCode.OUT_OF_RANGE}),
    ({"amount": euro("1e28")}, {("amount", "amount"): RuleCode.OUT_OF_RANGE}),
    ({"amount": euro("1e999999")}, {("amount", "amount"): RuleCode.OUT_OF_RANGE}),
    ({"amount": euro("NaN")}, {("amount", "amount"): RuleCode.OUT_OF_RANGE}),
    ({"amount": euro("12345678901234567890.123456789")}, {("amount", "amount"): RuleCode.OUT_OF_RANGE}),
    ({"probability_percent": 101.0}, {("probability_percent",): RuleCode.OUT_OF_RANGE}),
    ({"probability_percent": -1.0}, {("probability_percent",): RuleCode.OUT_OF_RANGE}),
    ({"probability_percent": float("nan")}, {("probability_percent",): RuleCode.OUT_OF_RANGE}),
    ({"probability_percent": 12.5}, {("probability_percent",): RuleCode.INVALID_VALUE}),
    ({"expected_close_date": date(1, 1, 1)}, {("expected_close_date",): RuleCode.OUT_OF_RANGE}),
    ({"expected_close_date": date(9999, 12, 31)}, {("expected_close_date",): RuleCode.OUT_OF_RANGE}),
    ({"account_id": "999"}, {("account_id",): RuleCode.INVALID_REFERENCE}),
    ({"account_id": "26"}, {("account_id",): RuleCode.INVALID_REFERENCE}),  # hidden
    ({"account_id": "x"}, {("account_id",): RuleCode.INVALID_REFERENCE}),
    ({"account_ids": ("12", "41")}, {("account_ids",): RuleCode.INVALID_REFERENCE}),  # a person
    ({"account_id": "14", "account_ids": ("12",)}, {("account_id",): RuleCode.CONTRADICTION}),
    ({"primary_contact_id": "12"}, {("primary_contact_id",): RuleCode.INVALID_REFERENCE}),  # a company
    ({"contact_ids": ("41", "999")}, {("contact_ids",): RuleCode.INVALID_REFERENCE}),
    ({"primary_contact_id": "41", "contact_ids": ("42",)}, {("primary_contact_id",): RuleCode.CONTRADICTION}),
    ({"primary_contact_id": "44", "account_id": "12"}, {("account_id",): RuleCode.CONTRADICTION}),  # works for another company
    ({"primary_contact_id": "44", "account_ids": ("12",)}, {("account_ids",): RuleCode.CONTRADICTION}),
    ({"primary_contact_id": "44", "account_id": None}, {("account_id",): RuleCode.CONTRADICTION}),
    ({"contact_ids": ("44", "41"), "account_id": "12"}, {("contact_ids",): RuleCode.CONTRADICTION}),  # the first one does
    ({"contact_ids": ("44",), "account_ids": ("12",)}, {("contact_ids",): RuleCode.CONTRADICTION}),
    ({"contact_ids": ("44",), "account_id": None}, {("contact_ids",): RuleCode.CONTRADICTION}),
    ({"type": "New"}, {("type",): RuleCode.NOT_SUPPORTED}),
    ({"lead_source": "Fair"}, {("lead_source",): RuleCode.NOT_SUPPORTED}),
    ({"tags": ("crane", " ")}, {("tags",): RuleCode.INVALID_VALUE}),
    ({"tags": ("x" * 256,)}, {("tags",): RuleCode.TOO_LONG}),
    ({"custom_fields": {"999": "x"}}, {("custom_fields", "999"): RuleCode.INVALID_REFERENCE}),
    ({"custom_fields": {"23": "x"}}, {("custom_fields", "23"): RuleCode.INVALID_REFERENCE}),  # a heading
    ({"custom_fields": {"": None}}, {("custom_fields", ""): RuleCode.INVALID_REFERENCE}),
    ({"custom_fields": {"21": 7}}, {("custom_fields", "21"): RuleCode.INVALID_VALUE}),
    ({"custom_fields": {"21": "\x07"}}, {("custom_fields", "21"): RuleCode.INVALID_VALUE}),
    ({"custom_fields": {"24": "Marina"}}, {("custom_fields", "24"): RuleCode.INVALID_VALUE}),
    ({"custom_fields": {"25": "yes"}}, {("custom_fields", "25"): RuleCode.INVALID_VALUE}),
    ({"custom_fields": {"26": "2027-02-30"}}, {("custom_fields", "26"): RuleCode.INVALID_VALUE}),
    ({"custom_fields": {"26": 5}}, {("custom_fields", "26"): RuleCode.INVALID_VALUE}),
    ({"extension": Own(per_period_value=-1)}, {("extension", "per_period_value"): RuleCode.OUT_OF_RANGE}),
    ({"extension": Own(per_period_value=2**31)}, {("extension", "per_period_value"): RuleCode.OUT_OF_RANGE}),
    ({"extension": Own(actual_close_date=date(999, 1, 1))}, {("extension", "actual_close_date"): RuleCode.OUT_OF_RANGE}),
    ({"extension": Own(is_private=True)}, {("extension", "access_list"): RuleCode.REQUIRED}),
    ({"extension": Own(is_private=True, access_list=())}, {("extension", "access_list"): RuleCode.REQUIRED}),
    ({"extension": Own(access_list=(IVO,))}, {("extension", "access_list"): RuleCode.CONTRADICTION}),
    ({"extension": Own(is_private=True, access_list=(IVO, NOBODY_KNOWN))}, {("extension", "access_list"): RuleCode.INVALID_REFERENCE}),
    (
        {"amount": euro("100"), "extension": Own(bid_type=MONTHLY, per_period_value=3)},
        {("amount", "amount"): RuleCode.INVALID_VALUE},
    ),
    ({"amount": euro("100"), "extension": Own(bid_type=MONTHLY, per_period_value=0)}, {("amount", "amount"): RuleCode.INVALID_VALUE}),
    (
        {"amount": euro("100"), "extension": Own(bid_type=MONTHLY, bid_value=Decimal("9e999999"), per_period_value=12)},
        {("extension", "bid_value"): RuleCode.OUT_OF_RANGE},
    ),
    ({"amount": euro("100"), "extension": Own(bid_value=Decimal(99))}, {("amount", "amount"): RuleCode.CONTRADICTION}),
    (
        {"title": "", "probability_percent": 200.0, "stage_id": "77", "custom_fields": {"24": "?", "25": "?"}, "type": "x"},
        {
            ("title",): RuleCode.REQUIRED,
            ("probability_percent",): RuleCode.OUT_OF_RANGE,
            ("stage_id",): RuleCode.INVALID_REFERENCE,
            ("custom_fields", "24"): RuleCode.INVALID_VALUE,
            ("custom_fields", "25"): RuleCode.INVALID_VALUE,
            ("type",): RuleCode.NOT_SUPPORTED,
        },
    ),
]


@pytest.mark.parametrize(("changes", "rules"), ALIKE, ids=lambda item: str(item)[:50].encode("ascii", "replace").decode())
async def test_a_broken_rule_is_told_before_anything_is_written(
    ground: Playground, changes: dict[str, Any], rules: Mapping[tuple[str, ...], RuleCode]
) -> None:
    client = client_of(ground)
    created = await client.plan_create(values(**changes))
    updated = await client.plan_update(await read(ground, "104"), OpportunityValues(**changes))

    assert (broken(created), broken(updated)) == (rules, rules)
    for plan in (created, updated):
        with pytest.raises(InputRefusedError) as refused:
            await plan.execute()
        assert refused.value.violations == plan.violations
    assert not writes(ground)


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"add_contact_ids": ("41",)}, {("add_contact_ids",): RuleCode.NOT_SUPPORTED}),
        ({"remove_contact_ids": ("41",)}, {("remove_contact_ids",): RuleCode.NOT_SUPPORTED}),
        ({"amount": Money(amount=Decimal(5))}, {("amount", "currency"): RuleCode.REQUIRED}),
        (
            {"extension": Own(bid_value=Decimal("1e-10")), "amount": None},
            {("extension", "bid_value"): RuleCode.OUT_OF_RANGE, ("amount", "currency"): RuleCode.REQUIRED},
        ),
    ],
)
async def test_a_broken_rule_of_a_create_is_told(
    ground: Playground, changes: dict[str, Any], rules: Mapping[tuple[str, ...], RuleCode]
) -> None:
    assert broken(await client_of(ground).plan_create(values(**changes))) == rules
    assert not writes(ground)


async def test_a_create_of_nothing_is_told_all_that_it_needs(ground: Playground) -> None:
    plan = await client_of(ground).plan_create(OpportunityValues())

    assert broken(plan) == dict.fromkeys([("title",), ("owner_id",), ("stage_id",), ("amount", "currency")], RuleCode.REQUIRED)


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"amount": None}, {("amount",): RuleCode.REQUIRED}),
        ({"probability_percent": None}, {("probability_percent",): RuleCode.REQUIRED}),
        ({"extension": Own(bid_type=None)}, {("extension", "bid_type"): RuleCode.REQUIRED}),
        ({"extension": Own(bid_value=None)}, {("extension", "bid_value"): RuleCode.REQUIRED}),
        ({"extension": Own(per_period_value=None)}, {("extension", "per_period_value"): RuleCode.REQUIRED}),
        ({"extension": Own(is_private=None)}, {("extension", "is_private"): RuleCode.REQUIRED}),
        ({"add_contact_ids": ("12",)}, {("add_contact_ids",): RuleCode.INVALID_REFERENCE}),
        ({"account_id": "12"}, {("account_id",): RuleCode.CONTRADICTION}),  # the primary contact stays, and works elsewhere
        ({"account_id": None}, {("account_id",): RuleCode.CONTRADICTION}),
        ({"primary_contact_id": "44", "remove_contact_ids": ("44",)}, {("primary_contact_id",): RuleCode.CONTRADICTION}),
        ({"stage_id": "8", "probability_percent": 80.0}, {("probability_percent",): RuleCode.CONTRADICTION}),
    ],
)
async def test_a_broken_rule_of_an_update_is_told(
    ground: Playground, changes: dict[str, Any], rules: Mapping[tuple[str, ...], RuleCode]
) -> None:
    plan = await client_of(ground).plan_update(await read(ground, "104"), OpportunityValues(**changes))

    assert broken(plan) == rules
    assert not writes(ground)


async def test_what_an_update_would_lose_has_to_be_given(ground: Playground) -> None:
    client = client_of(ground)
    stageless = await client.plan_update(await read(ground, "135"), OpportunityValues(title="New"))
    without_currency = await client.plan_update(await read(ground, "136"), OpportunityValues(title="New"))
    record = await read(ground, "104")
    own = replace(own_of(record), bid_type=None)  # a number that the portal has since learnt
    nobodys = replace(record, owner_ref=None, extension=own)
    unreadable = await client.plan_update(nobodys, OpportunityValues(description="New"))

    assert broken(stageless) == {("stage_id",): RuleCode.REQUIRED}
    assert broken(without_currency) == {("amount", "currency"): RuleCode.REQUIRED}
    assert broken(unreadable) == {("owner_id",): RuleCode.REQUIRED, ("extension", "bid_type"): RuleCode.REQUIRED}


async def test_another_account_among_several_has_to_be_told_which_ones_stay(ground: Playground) -> None:
    deal = deal_of(ground, "167")  # nobody primary, one company
    deal.members = [12, 14]

    plan = await client_of(ground).plan_update(await read(ground, "167"), OpportunityValues(account_id=None))

    assert broken(plan) == {("account_id",): RuleCode.CONTRADICTION}


@pytest.mark.parametrize("local_id", ["121", "122", "167"])  # whose primary contact is a person, a company, nobody
async def test_contacts_whose_first_works_elsewhere_do_not_take_the_place_of_the_account_unsaid(ground: Playground, local_id: str) -> None:
    plan = await client_of(ground).plan_update(await read(ground, local_id), OpportunityValues(contact_ids=("44", "41")))

    assert broken(plan) == {("contact_ids",): RuleCode.CONTRADICTION}
    assert "primary_contact_id" in plan.violations[0].message
    assert not writes(ground)


async def test_what_the_user_may_not_change_is_told_without_a_call(ground: Playground) -> None:
    client = client_of(ground)
    record = replace(await read(ground, "104"), can_edit=False)
    plans = [
        await client.plan_update(record, OpportunityValues(title="x")),
        await client.plan_move(record, "8", None),
        await client.plan_close(record, StatusValues(status=OpportunityStatus.WON)),
        await client.plan_delete(record),
    ]

    assert [broken(plan) for plan in plans] == [{(): RuleCode.READ_ONLY}] * 4
    assert not writes(ground)


async def test_a_move_goes_to_a_stage_that_exists_and_changes_nothing_else(ground: Playground) -> None:
    record = await read(ground, "104")

    plan = await client_of(ground).plan_move(record, "77", Own(is_notify=True, bid_type=MONTHLY))

    assert broken(plan) == {
        ("stage_id",): RuleCode.INVALID_REFERENCE,
        ("extension", "is_notify"): RuleCode.NOT_SUPPORTED,
        ("extension", "bid_type"): RuleCode.NOT_SUPPORTED,
    }
    assert not writes(ground)


@pytest.mark.parametrize(
    ("how", "rules"),
    [
        (
            StatusValues(status=OpportunityStatus.LOST, reason_id="3", reason_detail="Price"),
            {("reason_id",): RuleCode.NOT_SUPPORTED, ("reason_detail",): RuleCode.NOT_SUPPORTED},
        ),
        (StatusValues(status=OpportunityStatus.WON, closed_on=None), {("closed_on",): RuleCode.REQUIRED}),
        (StatusValues(status=OpportunityStatus.WON, closed_on=date(800, 1, 1)), {("closed_on",): RuleCode.OUT_OF_RANGE}),
        (StatusValues(status=OpportunityStatus.OPEN, closed_on=date(2026, 1, 1)), {("closed_on",): RuleCode.CONTRADICTION}),
    ],
)
async def test_a_broken_rule_of_closing_is_told(ground: Playground, how: StatusValues, rules: Mapping[tuple[str, ...], RuleCode]) -> None:
    plan = await client_of(ground).plan_close(await read(ground, "104"), how)

    assert broken(plan) == rules
    assert not writes(ground)


async def test_a_portal_without_a_stage_of_that_kind_closes_nothing(ground: Playground) -> None:
    for stage in store_of(ground).stages.values():
        stage.stage_type = 0

    plan = await client_of(ground).plan_close(await read(ground, "104"), StatusValues(status=OpportunityStatus.LOST))

    assert broken(plan) == {("status",): RuleCode.NOT_SUPPORTED}


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        (AccountValues(), {("name",): RuleCode.REQUIRED}),
        (AccountValues(name="  ", owner_id=IVO), {("name",): RuleCode.REQUIRED, ("owner_id",): RuleCode.NOT_SUPPORTED}),
        (AccountValues(name="x" * 256, email="\x01"), {("name",): RuleCode.TOO_LONG, ("email",): RuleCode.INVALID_VALUE}),
        (AccountValues(name="a", website="w" * 65_536), {("website",): RuleCode.TOO_LONG}),
    ],
)
async def test_a_broken_rule_of_an_account_is_told(
    ground: Playground, given: AccountValues, rules: Mapping[tuple[str, ...], RuleCode]
) -> None:
    assert broken(await client_of(ground).plan_create_account(given)) == rules
    assert not writes(ground)


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        (ContactValues(last_name="Lund"), {("first_name",): RuleCode.REQUIRED}),
        (ContactValues(first_name="Ole", owner_id=IVO), {("owner_id",): RuleCode.NOT_SUPPORTED}),
        (ContactValues(first_name="Ole", account_id="999"), {("account_id",): RuleCode.INVALID_REFERENCE}),
        (ContactValues(first_name="Ole", account_id="41"), {("account_id",): RuleCode.INVALID_REFERENCE}),
        (ContactValues(first_name="Ole", account_id=""), {("account_id",): RuleCode.INVALID_REFERENCE}),
        (
            ContactValues(first_name="Ole", last_name="x" * 256, title="\ufffe", phone="\x00"),
            {("last_name",): RuleCode.TOO_LONG, ("title",): RuleCode.INVALID_VALUE, ("phone",): RuleCode.INVALID_VALUE},
        ),
    ],
)
async def test_a_broken_rule_of_a_contact_is_told(
    ground: Playground, given: ContactValues, rules: Mapping[tuple[str, ...], RuleCode]
) -> None:
    assert broken(await client_of(ground).plan_create_contact(given)) == rules
    assert not writes(ground)


async def test_the_fields_of_a_form_are_all_told_and_required_ones_are_refused_when_missing(ground: Playground) -> None:
    rules = {rule.name: rule for rule in await client_of(ground).create_fields()}

    attributes = {item.name for item in fields(OpportunityValues)} - {"extension"}
    assert set(rules) == attributes | {f"extension.{item.name}" for item in fields(Own)}
    assert {name for name, rule in rules.items() if rule.is_required} == {"title", "owner_id", "stage_id", "amount"}
    assert {name for name, rule in rules.items() if not rule.is_allowed} == {"type", "lead_source", "add_contact_ids", "remove_contact_ids"}
    assert rules["title"].max_length == 255


async def test_settings_give_what_a_form_need_not_ask_for() -> None:
    settings = {"base_currency": "SEK", "owns_by_default": True}
    async with playground("onlyoffice", settings=settings) as ground:
        client = client_of(ground)
        rules = await client.create_fields()
        plan = await client.plan_create(OpportunityValues(title="x", stage_id="1"))
        await plan.execute()

        assert {rule.name for rule in rules if rule.is_required} == {"title", "stage_id"}
        [(_, body)] = sent(ground)
    assert body == {"title": "x", "responsibleid": "2f9e1c7b-4d38-4b0a-8c66-91a7b35e0d42", "bidCurrencyAbbr": "SEK", "stageid": 1}


async def test_a_lookup_that_fails_fails_the_plan(ground: Playground) -> None:
    ground.control.faults.append(Fault(kind="status", status=403, match="GET crm/contact/{id}"))

    with pytest.raises(PermissionDeniedError):
        await client_of(ground).plan_create(values(account_id="12"))

    assert not writes(ground)


async def test_a_stage_that_was_added_since_the_table_was_read_is_found(ground: Playground) -> None:
    now = 1_000.0
    async with aiohttp.ClientSession() as session:
        link = Link(crm="baltic", session=session, clock=lambda: now, sleep=brief_sleep, jitter=lambda: 0.0)
        client = Client(link, Settings.model_validate(ground.sandbox.settings))
        await client.pipelines()
        store_of(ground).save_stage(None, "Paused", description="", color="", probability=10, stage_type=0)

        assert broken(await client.plan_create(values(stage_id="12"))) == {("stage_id",): RuleCode.INVALID_REFERENCE}
        now += 31.0
        assert not broken(await client.plan_create(values(stage_id="12", owner_id=ANNA)))
