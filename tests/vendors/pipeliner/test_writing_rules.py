"""Every rule of Pipeliner's writes: broken, told with its path and code, and nothing is written."""

from collections.abc import AsyncIterator
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tests.vendors.pipeliner.writing_ground import (
    FIRST_CONTACT,
    FORMER,
    LEAST,
    MIRA,
    MISSING,
    NEW_EQUIPMENT,
    OLD_STAGE,
    RETROFIT,
    Ground,
    body_of,
    told,
    writing,
)
from vendors.errors import UnavailableError
from vendors.extension import VendorId
from vendors.model import Money, OpportunityStatus
from vendors.pipeliner.inputs import PipelinerOpportunityInput
from vendors.sandbox import Fault
from vendors.writes import UNSET, AccountValues, ContactValues, InputRefusedError, OpportunityValues, StatusValues

Own = PipelinerOpportunityInput
REQUIRED = [((name,), "REQUIRED") for name in ("title", "owner_id", "expected_close_date", "stage_id", "amount")]


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    async with writing() as found:
        yield found
        assert found.writes() == [], "a rule was broken, and yet something was written"


async def test_all_required_fields_that_are_missing_are_told_at_once(ground: Ground) -> None:
    assert told(await ground.client.plan_create(OpportunityValues())) == REQUIRED
    nulls = OpportunityValues(title=None, owner_id=None, expected_close_date=None, stage_id=None, amount=None)
    assert told(await ground.client.plan_create(nulls)) == REQUIRED


REFUSED: list[tuple[str, dict[str, Any], tuple[str, ...], str]] = [
    ("title is empty", {"title": ""}, ("title",), "REQUIRED"),
    ("title is blank", {"title": " \t\n"}, ("title",), "REQUIRED"),
    ("title with a broken character", {"title": "Quay \ud800"}, ("title",), "INVALID_VALUE"),
    ("description with a broken character", {"description": "\udfff"}, ("description",), "INVALID_VALUE"),
    ("probability", {"probability_percent": 50.0}, ("probability_percent",), "NOT_SUPPORTED"),
    ("tags", {"tags": ("hot",)}, ("tags",), "NOT_SUPPORTED"),
    ("contacts to add", {"add_contact_ids": (MISSING,)}, ("add_contact_ids",), "NOT_SUPPORTED"),
    ("contacts to remove", {"remove_contact_ids": (MISSING,)}, ("remove_contact_ids",), "NOT_SUPPORTED"),
    ("unknown stage", {"stage_id": MISSING}, ("stage_id",), "INVALID_REFERENCE"),
    ("odd stage", {"stage_id": "'; drop"}, ("stage_id",), "INVALID_REFERENCE"),
    ("stage that is no longer used", {"stage_id": OLD_STAGE}, ("stage_id",), "INVALID_REFERENCE"),
    ("step of a lead process", {"stage_id": "46ff80f0-a1c2-4193-b24f-efef49b1ed59"}, ("stage_id",), "INVALID_REFERENCE"),
    ("unknown pipeline", {"pipeline_id": MISSING}, ("pipeline_id",), "INVALID_REFERENCE"),
    ("pipeline of another stage", {"pipeline_id": RETROFIT}, ("pipeline_id",), "CONTRADICTION"),
    ("unknown owner", {"owner_id": MISSING}, ("owner_id",), "INVALID_REFERENCE"),
    ("former owner", {"owner_id": FORMER}, ("owner_id",), "INVALID_REFERENCE"),
    ("unknown currency", {"amount": Money(amount=Decimal(1), currency="JPY")}, ("amount", "currency"), "CURRENCY_NOT_SUPPORTED"),
    ("odd currency", {"amount": Money(amount=Decimal(1), currency="kr.")}, ("amount", "currency"), "CURRENCY_NOT_SUPPORTED"),
    ("amount that is no number", {"amount": Money(amount=Decimal("NaN"), currency="EUR")}, ("amount", "amount"), "OUT_OF_RANGE"),
    ("infinite amount", {"amount": Money(amount=Decimal("Infinity"))}, ("amount", "amount"), "OUT_OF_RANGE"),
    ("huge amount", {"amount": Money(amount=Decimal("1E+999999"), currency="EUR")}, ("amount", "amount"), "OUT_OF_RANGE"),
    ("tiny amount", {"amount": Money(amount=Decimal("1E-999999"), currency="EUR")}, ("amount", "amount"), "OUT_OF_RANGE"),
    ("unknown account", {"account_id": MISSING}, ("account_id",), "INVALID_REFERENCE"),
    ("odd account", {"account_id": "Ü/../x"}, ("account_id",), "INVALID_REFERENCE"),
    ("unknown one of the accounts", {"account_ids": (MISSING,)}, ("account_ids",), "INVALID_REFERENCE"),
    ("unknown contact", {"primary_contact_id": MISSING}, ("primary_contact_id",), "INVALID_REFERENCE"),
    ("unknown one of the contacts", {"contact_ids": (MISSING,)}, ("contact_ids",), "INVALID_REFERENCE"),
    ("unknown type", {"type": "Guesswork"}, ("type",), "INVALID_REFERENCE"),
    (
        "type twice",
        {"type": "Retrofit", "extension": Own(oppty_type_id=VendorId("5b2951c8-8931-4511-980a-815e83dc4d86"))},
        ("type",),
        "CONTRADICTION",
    ),
    ("unknown lead source", {"lead_source": "Tea leaves"}, ("lead_source",), "INVALID_REFERENCE"),
    ("unknown custom field", {"custom_fields": {"cf_nothing": 1}}, ("custom_fields", "cf_nothing"), "INVALID_REFERENCE"),
    (
        "the vendor's own field as a custom one",
        {"custom_fields": {"step_id": FIRST_CONTACT}},
        ("custom_fields", "step_id"),
        "INVALID_REFERENCE",
    ),
    ("number of a sequence", {"custom_fields": {"cf_offer_no": "7"}}, ("custom_fields", "cf_offer_no"), "READ_ONLY"),
    ("unknown option", {"custom_fields": {"cf_segment": "Tugs"}}, ("custom_fields", "cf_segment"), "INVALID_REFERENCE"),
    ("deleted option", {"custom_fields": {"cf_segment": "Winches (old list)"}}, ("custom_fields", "cf_segment"), "INVALID_REFERENCE"),
    ("unknown one of the options", {"custom_fields": {"cf_options": ["Tugs"]}}, ("custom_fields", "cf_options"), "INVALID_REFERENCE"),
    ("no list of options", {"custom_fields": {"cf_options": "Shore power"}}, ("custom_fields", "cf_options"), "INVALID_VALUE"),
    ("no truth", {"custom_fields": {"cf_site_visit": "yes"}}, ("custom_fields", "cf_site_visit"), "INVALID_VALUE"),
    ("no number", {"custom_fields": {"cf_budget": "much"}}, ("custom_fields", "cf_budget"), "INVALID_VALUE"),
    ("truth as a number", {"custom_fields": {"cf_margin": True}}, ("custom_fields", "cf_margin"), "INVALID_VALUE"),
    ("fraction", {"custom_fields": {"cf_berths": 1.5}}, ("custom_fields", "cf_berths"), "INVALID_VALUE"),
    ("no day", {"custom_fields": {"cf_commissioning": "soon"}}, ("custom_fields", "cf_commissioning"), "INVALID_VALUE"),
    ("no time", {"custom_fields": {"cf_board_meeting": 7}}, ("custom_fields", "cf_board_meeting"), "INVALID_VALUE"),
    ("no text", {"custom_fields": {"cf_scope": 7}}, ("custom_fields", "cf_scope"), "INVALID_VALUE"),
    (
        "money without a currency",
        {"custom_fields": {"cf_down_payment": {"base_value": 1}}},
        ("custom_fields", "cf_down_payment"),
        "INVALID_VALUE",
    ),
    ("money that is text", {"custom_fields": {"cf_down_payment": "1 EUR"}}, ("custom_fields", "cf_down_payment"), "INVALID_VALUE"),
    ("unknown unit", {"extension": Own(unit_id=VendorId(MISSING))}, ("extension", "unit_id"), "INVALID_REFERENCE"),
    ("unknown type by id", {"extension": Own(oppty_type_id=VendorId(MISSING))}, ("extension", "oppty_type_id"), "INVALID_REFERENCE"),
    (
        "unknown product currency",
        {"extension": Own(product_currency_id=VendorId(MISSING))},
        ("extension", "product_currency_id"),
        "INVALID_REFERENCE",
    ),
    ("unknown reason", {"extension": Own(reason_of_close_id=VendorId(MISSING))}, ("extension", "reason_of_close_id"), "INVALID_REFERENCE"),
    ("huge ranking", {"extension": Own(ranking=2**31)}, ("extension", "ranking"), "OUT_OF_RANGE"),
    ("sections that are a list", {"extension": Own(product_sections=[1])}, ("extension", "product_sections"), "INVALID_VALUE"),
    ("sections with NaN", {"extension": Own(product_sections={"a": float("nan")})}, ("extension", "product_sections"), "INVALID_VALUE"),
    (
        "time before the calendar",
        {"extension": Own(won_date=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))))},
        ("extension", "won_date"),
        "OUT_OF_RANGE",
    ),
]


@pytest.mark.parametrize(("values", "path", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
async def test_a_broken_rule_is_told_and_nothing_is_written(
    ground: Ground, values: dict[str, Any], path: tuple[str, ...], code: str
) -> None:
    plan = await ground.client.plan_create(replace(LEAST, **values))

    assert told(plan) == [(path, code)]
    assert plan.violations[0].message.endswith(".") and len(plan.violations[0].message) < 200
    with pytest.raises(InputRefusedError) as raised:
        await plan.execute()
    assert raised.value.violations == plan.violations


async def test_deeply_nested_sections_are_refused(ground: Ground) -> None:
    sections: dict[str, Any] = {}
    for _ in range(100_000):
        sections = {"a": sections}

    assert await ground.refused(extension=Own(product_sections=sections)) == [(("extension", "product_sections"), "INVALID_VALUE")]


async def test_deleted_accounts_and_contacts_cannot_be_linked(ground: Ground) -> None:
    account, contact = ground.ids("Accounts", 1)[0], ground.ids("Contacts", 1)[0]
    ground.row("Accounts", account)["is_deleted"] = True
    ground.row("Contacts", contact)["is_deleted"] = True

    assert await ground.refused(account_ids=(account,), contact_ids=(contact,)) == [
        (("account_ids",), "INVALID_REFERENCE"),
        (("contact_ids",), "INVALID_REFERENCE"),
    ]


async def test_there_is_exactly_one_main_account_and_contact(ground: Ground) -> None:
    accounts, contacts = ground.ids("Accounts", 2), ground.ids("Contacts", 2)

    refused = await ground.refused(
        account_id=accounts[0], account_ids=(accounts[1],), primary_contact_id=contacts[0], contact_ids=(contacts[1],)
    )

    assert refused == [(("account_id",), "CONTRADICTION"), (("primary_contact_id",), "CONTRADICTION")]


async def test_all_broken_rules_are_told_together(ground: Ground) -> None:
    refused = await ground.refused(
        title="",
        owner_id=MISSING,
        expected_close_date=UNSET,
        stage_id=MISSING,
        amount=Money(amount=Decimal(1), currency="XXX"),
        probability_percent=3.0,
        custom_fields={"cf_nothing": 1},
        account_id=MISSING,
        extension=Own(unit_id=VendorId(MISSING)),
    )

    assert {path for path, _ in refused} == {
        ("title",),
        ("owner_id",),
        ("expected_close_date",),
        ("stage_id",),
        ("amount", "currency"),
        ("probability_percent",),
        ("custom_fields", "cf_nothing"),
        ("account_id",),
        ("extension", "unit_id"),
    }


@pytest.mark.parametrize("name", ["title", "owner_id", "expected_close_date", "stage_id", "pipeline_id", "amount"])
async def test_what_is_required_cannot_be_cleared(ground: Ground, name: str) -> None:
    record = await ground.create()

    assert await ground.refused_update(record, **{name: None}) == [((name,), "REQUIRED")]


@pytest.mark.parametrize("name", ["share_mode", "ranking", "is_archived", "is_value_auto_calculate", "was_qualified"])
async def test_what_the_vendor_always_has_cannot_be_cleared(ground: Ground, name: str) -> None:
    record = await ground.create()

    assert await ground.refused_update(record, extension=Own(**{name: None})) == [(("extension", name), "REQUIRED")]


async def test_the_day_of_creation_cannot_be_changed(ground: Ground) -> None:
    record = await ground.create()

    refused = await ground.refused_update(record, extension=Own(created=datetime(2026, 1, 1, tzinfo=UTC)))

    assert refused == [(("extension", "created"), "READ_ONLY")]


async def test_a_pipeline_is_only_left_by_a_stage_of_another(ground: Ground) -> None:
    record = await ground.create()

    assert await ground.refused_update(record, pipeline_id=RETROFIT) == [(("pipeline_id",), "CONTRADICTION")]
    plan = await ground.client.plan_update(record, OpportunityValues(pipeline_id=NEW_EQUIPMENT, description="Same"))
    assert body_of(plan.requests[0]) == {"description": "Same"}


async def test_links_contradict_each_other(ground: Ground) -> None:
    first, second, third = ground.ids("Contacts", 3)
    account, other = ground.ids("Accounts", 2)
    record = await ground.create(contact_ids=(first, second), account_ids=(account, other))

    async def refused(**values: Any) -> list[tuple[tuple[str, ...], str]]:
        return await ground.refused_update(record, **values)

    assert await refused(contact_ids=(first,), add_contact_ids=(third,)) == [(("contact_ids",), "CONTRADICTION")]
    assert await refused(contact_ids=None, remove_contact_ids=(first,)) == [(("contact_ids",), "CONTRADICTION")]
    assert await refused(add_contact_ids=(third,), remove_contact_ids=(third,)) == [(("remove_contact_ids",), "CONTRADICTION")]
    assert await refused(primary_contact_id=second, remove_contact_ids=(second,)) == [(("primary_contact_id",), "CONTRADICTION")]
    assert await refused(primary_contact_id=None) == [(("primary_contact_id",), "CONTRADICTION")]
    assert await refused(primary_contact_id=first, contact_ids=()) == [(("primary_contact_id",), "CONTRADICTION")]
    assert await refused(account_id=None) == [(("account_id",), "CONTRADICTION")]
    assert await refused(account_id=None, account_ids=(account,)) == [(("account_id",), "CONTRADICTION")]
    assert await refused(add_contact_ids=(MISSING,)) == [(("add_contact_ids",), "INVALID_REFERENCE")]


async def test_the_rules_of_accounts_and_contacts(ground: Ground) -> None:
    client = ground.client

    assert told(await client.plan_create_account(AccountValues(email="a@b.example"))) == [
        (("name",), "REQUIRED"),
        (("owner_id",), "REQUIRED"),
    ]
    assert told(await client.plan_create_account(AccountValues(name=" ", owner_id=MISSING))) == [
        (("name",), "REQUIRED"),
        (("owner_id",), "INVALID_REFERENCE"),
    ]
    assert told(await client.plan_create_account(AccountValues(name="A", owner_id=MIRA, website="\ud800"))) == [
        (("website",), "INVALID_VALUE")
    ]
    assert told(await client.plan_create_contact(ContactValues(first_name="Ole"))) == [
        (("last_name",), "REQUIRED"),
        (("owner_id",), "REQUIRED"),
    ]
    assert told(await client.plan_create_contact(ContactValues(last_name="Lund", owner_id=FORMER, account_id=MISSING))) == [
        (("owner_id",), "INVALID_REFERENCE"),
        (("account_id",), "INVALID_REFERENCE"),
    ]


async def test_an_unknown_move_is_refused(ground: Ground) -> None:
    record = await ground.create()

    assert told(await ground.client.plan_move(record, MISSING, None)) == [(("stage_id",), "INVALID_REFERENCE")]
    assert told(await ground.client.plan_move(record, FIRST_CONTACT, Own(unit_id=VendorId(MISSING)))) == [
        (("extension", "unit_id"), "INVALID_REFERENCE")
    ]


async def test_what_is_protected_cannot_be_deleted(ground: Ground) -> None:
    record = await ground.create()
    ground.row("Opportunities", record.local_id)["is_delete_protected"] = True

    assert told(await ground.client.plan_delete(await ground.read(record.local_id))) == [((), "READ_ONLY")]


async def test_the_rules_of_closing(ground: Ground) -> None:
    record = await ground.create()
    won, open_again = OpportunityStatus.WON, OpportunityStatus.OPEN

    async def refused(**values: Any) -> list[tuple[tuple[str, ...], str]]:
        return told(await ground.client.plan_close(record, StatusValues(**values)))

    assert await refused(status=won, reason_id=MISSING) == [(("reason_id",), "INVALID_REFERENCE")]
    assert await refused(status=won, closed_on=None) == [(("closed_on",), "REQUIRED")]
    assert await refused(status=open_again, reason_id="x", reason_detail="y", closed_on=date(2026, 1, 1)) == [
        (("reason_id",), "CONTRADICTION"),
        (("reason_detail",), "CONTRADICTION"),
        (("closed_on",), "CONTRADICTION"),
    ]


async def test_without_settings_nothing_can_be_closed() -> None:
    async with writing(settings={"won_stage_id": (), "lost_stage_id": ()}) as ground:
        record = await ground.create()

        assert ground.client.closable() == frozenset()
        for status in OpportunityStatus:
            assert told(await ground.client.plan_close(record, StatusValues(status=status))) == [(("status",), "NOT_SUPPORTED")]
        assert ground.writes() == []


async def test_only_what_the_settings_name_can_be_closed() -> None:
    async with writing(settings={"won_stage_id": "0a71c40e-d888-4ea6-94c7-8544691fabe1", "lost_stage_id": ()}) as ground:
        record = await ground.create()

        assert ground.client.closable() == {OpportunityStatus.WON, OpportunityStatus.OPEN}
        assert told(await ground.client.plan_close(record, StatusValues(status=OpportunityStatus.LOST))) == [(("status",), "NOT_SUPPORTED")]
        plan = await ground.client.plan_close(record, StatusValues(status=OpportunityStatus.WON))
        assert told(plan) == [(("status",), "NOT_SUPPORTED")]  # the stage is of another pipeline
        assert "won_stage_id" in plan.violations[0].message
        assert ground.writes() == []


async def test_a_look_up_that_fails_is_an_error_and_no_broken_rule(ground: Ground) -> None:
    account = ground.ids("Accounts", 1)[0]
    ground.play.control.faults.append(Fault(kind="status", status=503, match="Accounts"))

    with pytest.raises(UnavailableError):
        await ground.client.plan_create(replace(LEAST, account_id=account))


def test_every_own_field_that_is_looked_up_has_a_case() -> None:
    cases = {path[1] for _, _, path, code in REFUSED if path[0] == "extension" and code == "INVALID_REFERENCE"}

    assert cases == {"unit_id", "oppty_type_id", "product_currency_id", "reason_of_close_id"} <= {item.name for item in fields(Own)}
