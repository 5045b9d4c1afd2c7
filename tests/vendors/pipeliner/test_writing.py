"""Creating in Pipeliner: the tutorial, the exact requests, and what is read back.

Source: Pipeliner "Create Opportunity", 0. Required fields, 1. Prepare Data, 2. Create Opportunity, POST/entities/Opportunities.
"""

from collections.abc import AsyncIterator
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tests.vendors.pipeliner.writing_ground import (
    EUR,
    FIRST_CONTACT,
    LEAST,
    MIRA,
    NEEDS_ANALYSIS,
    NEW_EQUIPMENT,
    USD,
    Ground,
    body_of,
    writing,
)
from vendors.extension import VendorId
from vendors.model import CustomField, Money, OpportunityStatus, Reason, Ref
from vendors.pipeliner import VENDOR
from vendors.pipeliner.extension import PipelinerLabel, PipelinerOpportunityFields, PipelinerShareMode
from vendors.pipeliner.inputs import PipelinerOpportunityInput
from vendors.registry import all_sandboxes
from vendors.writes import (
    UNSET,
    AccountValues,
    ClosesOpportunities,
    ContactValues,
    CreatesAccounts,
    CreatesContacts,
    CreatesOpportunities,
    DeletesOpportunities,
    MovesOpportunities,
    OpportunityValues,
    UpdatesOpportunities,
)

POSITIONS = all_sandboxes()["pipeliner"].positions()
# Source: Pipeliner "Create Opportunity", POST/entities/Opportunities, Body: every field that is not marked read-only.
DOCUMENTED = {
    *(
        "created",
        "closing_date",
        "description",
        "is_archived",
        "is_value_auto_calculate",
        "label_flag",
        "name",
        "oppty_type_id",
        "owner_id",
    ),
    *(
        "product_currency_id",
        "product_price_list_id",
        "product_sections",
        "quick_account_email",
        "quick_account_name",
        "quick_account_phone",
    ),
    *("quick_contact_name", "quick_email", "quick_phone", "ranking", "reason_of_close_description", "reason_of_close_id", "share_mode"),
    *("step_id", "unit_id", "was_qualified", "revision", "won_date", "lost_date", "value", "oppty_recurrence", "revenue_schedule"),
    *("product_relations", "contact_relations", "account_relations", "documents", "sharing_units", "sharing_clients"),
}


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    async with writing() as found:
        yield found


def position_name(options: dict[str, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in options.items()) or "defaults"


def test_the_client_can_do_all_writes() -> None:
    for protocol in (CreatesOpportunities, UpdatesOpportunities, MovesOpportunities, ClosesOpportunities, DeletesOpportunities):
        assert issubclass(VENDOR.client, protocol)
    assert issubclass(VENDOR.client, CreatesAccounts) and issubclass(VENDOR.client, CreatesContacts)


@pytest.mark.parametrize("options", POSITIONS, ids=position_name)
async def test_the_tutorial_runs_step_by_step(options: dict[str, Any]) -> None:
    async with writing(options) as ground:
        client = ground.client
        account = await (await client.plan_create_account(AccountValues(name="Ziemann and Sons", owner_id=MIRA))).execute()
        contacts = [
            await (await client.plan_create_contact(ContactValues(last_name=name, owner_id=MIRA, account_id=account.local_id))).execute()
            for name in ("Ziemann", "Moss")
        ]
        pipeline = next(pipeline for pipeline in await client.pipelines() if pipeline.name == "New equipment")
        plan = await client.plan_create(
            OpportunityValues(
                title="New Opportunity",
                owner_id=MIRA,
                expected_close_date=date(2027, 1, 1),
                stage_id=pipeline.stages[0].local_id,
                amount=Money(amount=Decimal(100), currency="EUR"),
                account_id=account.local_id,
                contact_ids=tuple(contact.local_id for contact in contacts),
            )
        )
        ground.play.control.calls.clear()

        written = await plan.execute()

        (request,) = plan.requests
        assert (request.method, request.path, request.content_type, request.read) == ("POST", "Opportunities", "application/json", False)
        assert ground.bodies() == [
            (
                "POST",
                "Opportunities",
                {
                    "name": "New Opportunity",
                    "owner_id": MIRA,
                    "closing_date": "2027-01-01",
                    "step_id": FIRST_CONTACT,
                    "value": {"base_value": 100, "currency_id": EUR},
                    "account_relations": [{"account_id": account.local_id, "is_primary": True}],
                    "contact_relations": [
                        {"contact_id": contacts[0].local_id, "is_primary": True},
                        {"contact_id": contacts[1].local_id, "is_primary": False},
                    ],
                },
            )
        ]
        assert ground.writes()[0].body == (request.body or b"").decode()
        row = ground.row("Opportunities", written.local_id)
        assert (row["name"], row["step_id"], row["owner_id"], row["closing_date"]) == (
            "New Opportunity",
            FIRST_CONTACT,
            MIRA,
            date(2027, 1, 1),
        )
        assert row["unit_id"] == ground.row("Clients", MIRA)["default_unit_id"]
        assert ground.accounts_of(written.local_id) == {account.local_id: True}
        assert ground.contacts_of(written.local_id) == {contacts[0].local_id: True, contacts[1].local_id: False}
        belong = {row["contact_id"] for row in ground.rows("ContactAccountRelations") if row["account_id"] == account.local_id}
        assert belong == {contact.local_id for contact in contacts}


async def test_every_value_arrives_in_the_field_that_the_reference_names(ground: Ground) -> None:
    accounts, contacts = ground.ids("Accounts", 2), ground.ids("Contacts", 2)
    reason, source = ground.id_of("Data", "Framework agreement", "option_name"), ground.id_of("Data", "Referral", "option_name")
    units = ground.ids("SalesUnits", 1)
    east = timezone(timedelta(hours=2))
    extension = PipelinerOpportunityInput(
        unit_id=VendorId(units[0]),
        share_mode=PipelinerShareMode.ALL_VIEW,
        labels=(PipelinerLabel.HOT, PipelinerLabel.STALLED),
        ranking=3,
        is_archived=False,
        is_value_auto_calculate=False,
        was_qualified=True,
        product_currency_id=VendorId(USD),
        product_price_list_id=VendorId("36f10000-0000-4000-8000-000000000001"),
        product_sections={"sections": [{"name": "Masts", "share": Decimal("0.25")}]},
        quick_account_name="Harbour of Varel",
        quick_account_email="office@varel.example",
        quick_account_phone="+49 4451 1",
        quick_contact_name="Ole Lund",
        quick_email="ole@varel.example",
        quick_phone="+49 4451 2",
        reason_of_close_id=VendorId(reason),
        reason_of_close_description="Known to them.",
        won_date=None,
        created=datetime(2026, 3, 1, 2, 30, tzinfo=east),
    )

    plan = await ground.client.plan_create(
        OpportunityValues(
            title="Quay lights",
            description="Twelve masts",
            amount=Money(amount=Decimal("1234567890123456.78"), currency="USD"),
            expected_close_date=date(2026, 12, 31),
            pipeline_id=NEW_EQUIPMENT,
            stage_id=NEEDS_ANALYSIS,
            owner_id=MIRA,
            account_id=accounts[1],
            account_ids=(accounts[0], accounts[1]),
            primary_contact_id=contacts[1],
            contact_ids=(contacts[0], contacts[1], contacts[0]),
            type="Public tender",
            lead_source="Referral",
            extension=extension,
        )
    )

    assert plan.violations == ()
    body = body_of(plan.requests[0])
    assert body == {
        "name": "Quay lights",
        "owner_id": MIRA,
        "closing_date": "2026-12-31",
        "step_id": NEEDS_ANALYSIS,
        "value": {"value_foreign": Decimal("1234567890123456.78"), "currency_id": USD},
        "description": "Twelve masts",
        "oppty_type_id": ground.id_of("OpportunityTypes", "Public tender"),
        "lead_source_id": source,
        "unit_id": units[0],
        "share_mode": 2,
        "label_flag": 6,
        "ranking": 3,
        "is_archived": False,
        "is_value_auto_calculate": False,
        "was_qualified": True,
        "product_currency_id": USD,
        "product_price_list_id": "36f10000-0000-4000-8000-000000000001",
        "product_sections": {"sections": [{"name": "Masts", "share": Decimal("0.25")}]},
        "quick_account_name": "Harbour of Varel",
        "quick_account_email": "office@varel.example",
        "quick_account_phone": "+49 4451 1",
        "quick_contact_name": "Ole Lund",
        "quick_email": "ole@varel.example",
        "quick_phone": "+49 4451 2",
        "reason_of_close_id": reason,
        "reason_of_close_description": "Known to them.",
        "created": "2026-03-01T00:30:00",
        "account_relations": [{"account_id": accounts[0], "is_primary": False}, {"account_id": accounts[1], "is_primary": True}],
        "contact_relations": [{"contact_id": contacts[0], "is_primary": False}, {"contact_id": contacts[1], "is_primary": True}],
    }
    assert body.keys() <= DOCUMENTED | {"lead_source_id"}
    assert b'"value_foreign": 1234567890123456.78,' in (plan.requests[0].body or b"")


def test_the_own_input_names_documented_fields_only() -> None:
    names = {item.metadata["wire"] for item in fields(PipelinerOpportunityInput)}

    assert VENDOR.inputs == {"Opportunity": PipelinerOpportunityInput}
    assert names <= DOCUMENTED
    assert all(item.default is UNSET and item.metadata["description"] for item in fields(PipelinerOpportunityInput))


async def test_what_is_created_shows_in_the_unified_record(ground: Ground) -> None:
    accounts, contacts = ground.ids("Accounts", 2), ground.ids("Contacts", 2)
    segment = ground.id_of("Data", "Coating", "option_name")

    record = await ground.create(
        title="  Quay   lights ",
        description="Twelve masts",
        amount=Money(amount=Decimal("116.00"), currency="USD"),
        account_id=accounts[1],
        account_ids=(accounts[0], accounts[1]),
        contact_ids=(contacts[1], contacts[0]),
        type="New equipment",
        lead_source="Website",
        custom_fields={"cf_segment": "Coating", "cf_berths": 4, "cf_site_visit": True},
        extension=PipelinerOpportunityInput(labels=(PipelinerLabel.PRIORITY,), reason_of_close_description="none yet"),
    )

    assert record.title == "Quay lights"  # the sandbox tidies names
    assert (record.description, record.type, record.lead_source, record.priority) == (
        "Twelve masts",
        "New equipment",
        "Website",
        "Priority",
    )
    assert (record.amount, record.amount_base) == (Money(amount=Decimal(116), currency="USD"), Money(amount=Decimal(100), currency="EUR"))
    assert (record.status, record.expected_close_date, record.probability_percent) == (OpportunityStatus.OPEN, date(2026, 12, 31), 10)
    assert (record.account_ref, record.account_refs) == (Ref("dach", accounts[1]), (Ref("dach", accounts[1]), Ref("dach", accounts[0])))
    assert record.contact_refs == (Ref("dach", contacts[1]), Ref("dach", contacts[0]))
    custom = {each.key: each.value for each in record.custom_fields or ()}
    assert (custom["cf_segment"], custom["cf_berths"], custom["cf_site_visit"]) == (segment, 4, True)


async def test_amounts_keep_all_their_digits(ground: Ground) -> None:
    record = await ground.create(amount=Money(amount=Decimal("123456789012345.67"), currency="EUR"))

    assert record.amount == Money(amount=Decimal("123456789012345.67"), currency="EUR")


async def test_an_amount_without_a_currency_is_in_the_base_currency(ground: Ground) -> None:
    plan = await ground.client.plan_create(replace(LEAST, amount=Money(amount=Decimal("1E+2"))))

    assert body_of(plan.requests[0])["value"] == {"base_value": 100, "currency_id": EUR}


async def test_what_is_null_is_left_out_of_a_new_record(ground: Ground) -> None:
    own: dict[str, Any] = {item.name: None for item in fields(PipelinerOpportunityInput)}
    names = ["description", "probability_percent", "pipeline_id", "account_id", "account_ids", "primary_contact_id", "contact_ids"]
    nulls: dict[str, Any] = dict.fromkeys([*names, "type", "lead_source", "tags"])
    custom = {"cf_segment": None, "cf_offer_no": None}

    plan = await ground.client.plan_create(replace(LEAST, custom_fields=custom, extension=PipelinerOpportunityInput(**own), **nulls))

    assert plan.violations == ()
    assert body_of(plan.requests[0]).keys() == {"name", "owner_id", "closing_date", "step_id", "value"}


async def test_custom_fields_are_read_back_as_they_were_given(ground: Ground) -> None:
    option = ground.id_of("Data", "Shore power", "option_name")
    given = {
        "cf_site_visit": False,
        "cf_budget": 1500.25,
        "cf_down_payment": {"base_value": None, "value_foreign": "200.50", "currency_id": USD},
        "cf_commissioning": "2027-03-01",
        "cf_board_meeting": "2027-02-01T10:00:00+01:00",
        "cf_buyer_email": "buyer@varel.example",
        "cf_margin": "12.5",
        "cf_project_code": "Q-1",
        "cf_berths": 3.0,
        "cf_options": [option, "Remote operation"],
        "cf_risk": "Low",
        "cf_scope": "Two lines\nof text",
        "cf_tender_url": "https://varel.example/tender",
    }

    record = await ground.create(custom_fields=given)

    custom = {each.key: each for each in record.custom_fields or ()}
    remote = ground.id_of("Data", "Remote operation", "option_name")
    assert {key: _value(custom[key]) for key in given} == {
        **given,
        "cf_down_payment": ("200.50", USD),
        "cf_board_meeting": "2027-02-01T09:00:00+00:00",
        "cf_margin": 12.5,
        "cf_berths": 3,
        "cf_options": [option, remote],
        "cf_risk": ground.id_of("Data", "Low", "option_name"),
    }


def _value(field: CustomField) -> Any:
    value: Any = field.value
    return (value["value_foreign"], value["currency_id"]) if field.key == "cf_down_payment" else value


async def test_what_was_read_of_custom_fields_can_be_written_again(ground: Ground) -> None:
    record = await ground.create(custom_fields={"cf_down_payment": {"value_foreign": 5, "currency_id": USD}, "cf_options": ["Shore power"]})
    read = {each.key: each.value for each in record.custom_fields or () if each.key != "cf_offer_no"}

    again = await ground.update(record, custom_fields=read)

    assert again.custom_fields == record.custom_fields


async def test_accounts_and_contacts_carry_their_common_fields(ground: Ground) -> None:
    client = ground.client
    account_plan = await client.plan_create_account(
        AccountValues(name="Varel Port", email="office@varel.example", phone="+49 1", website="varel.example", owner_id=MIRA)
    )
    account_id = (await account_plan.execute()).local_id
    contact_plan = await client.plan_create_contact(
        ContactValues(
            first_name="Ole",
            last_name="Lund",
            email="ole@varel.example",
            phone="+49 2",
            title="Buyer",
            account_id=account_id,
            owner_id=MIRA,
        )
    )
    contact_id = (await contact_plan.execute()).local_id

    account, contact = await ground.account(account_id), await ground.contact(contact_id)
    assert [body for _, _, body in ground.bodies()] == [
        {"name": "Varel Port", "owner_id": MIRA, "email1": "office@varel.example", "phone1": "+49 1", "home_page": "varel.example"},
        {
            "last_name": "Lund",
            "owner_id": MIRA,
            "first_name": "Ole",
            "email1": "ole@varel.example",
            "phone1": "+49 2",
            "position": "Buyer",
            "account_relations": [{"account_id": account_id, "is_primary": True}],
        },
    ]
    assert (account.name, account.email, account.phone, account.website) == ("Varel Port", "office@varel.example", "+49 1", "varel.example")
    assert (contact.name, contact.email, contact.phone, contact.title) == ("Ole Lund", "ole@varel.example", "+49 2", "Buyer")
    assert (contact.account_ref, contact.owner_ref, account.owner_ref) == (Ref("dach", account_id), Ref("dach", MIRA), Ref("dach", MIRA))


async def test_the_fields_of_a_new_opportunity_are_told(ground: Ground) -> None:
    rules = {rule.name: rule for rule in await ground.client.create_fields()}

    own = {f"extension.{item.name}" for item in fields(PipelinerOpportunityInput)}
    assert rules.keys() == {item.name for item in fields(OpportunityValues)} - {"extension"} | own
    assert {name for name, rule in rules.items() if rule.is_required} == {"title", "owner_id", "stage_id", "expected_close_date", "amount"}
    not_allowed = {name for name, rule in rules.items() if not rule.is_allowed}
    assert not_allowed == {"probability_percent", "tags", "add_contact_ids", "remove_contact_ids"}
    assert all(rules[name].note for name in not_allowed)
    assert ground.play.control.calls == []


async def test_the_operators_validation_level_goes_with_creates_and_updates() -> None:
    async with writing(settings={"validation_level": 6}) as ground:
        record = await ground.create()
        await ground.update(record, description="More")
        await (await ground.client.plan_delete(record)).execute()

        assert [call.query for call in ground.writes()] == [[("validation-level", "6")], []]


async def test_planning_looks_up_only_what_is_named(ground: Ground) -> None:
    await ground.client.plan_create(LEAST)
    first = {call.path.rpartition("/")[2] for call in ground.play.control.calls}
    ground.play.control.calls.clear()
    await ground.client.plan_create(LEAST)

    assert first == {"Pipelines", "Clients", "Currencies"}
    assert ground.play.control.calls == []


async def test_what_a_reason_is_shows_once_the_deal_is_closed(ground: Ground) -> None:
    reason = ground.id_of("Data", "No decision", "option_name")
    record = await ground.create(
        extension=PipelinerOpportunityInput(
            reason_of_close_id=VendorId(reason), lost_date=datetime(2026, 5, 1, 9, tzinfo=UTC), is_archived=True
        )
    )

    own = record.extension
    assert isinstance(own, PipelinerOpportunityFields)
    assert (record.status, record.loss_reason) == (OpportunityStatus.LOST, Reason(id=reason, label="No decision"))
    assert own.lost_date == datetime(2026, 5, 1, 9, tzinfo=UTC)
