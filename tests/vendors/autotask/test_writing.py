"""What Autotask's adapter writes, request by request, and what comes of it."""

import json
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.vendors.autotask.writing_ground import (
    API_USER,
    FJORD,
    HARBOUR,
    IMPLEMENTED,
    IVO,
    LEAST,
    LOST,
    NEGOTIATION,
    NEW,
    OPEN,
    PRIYA,
    QUOTED,
    RECURRING,
    VERBAL,
    WON,
    choice,
    ground,
    own,
    told,
)
from vendors.autotask import VENDOR
from vendors.autotask.extension import AutotaskOpportunityFields
from vendors.autotask.inputs import AutotaskOpportunityInput
from vendors.errors import VendorError
from vendors.extension import wire_names
from vendors.model import EVERYTHING, Money, Opportunity, OpportunityStatus, Ref
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
    StatusValues,
    UpdatesOpportunities,
)

POSITIONS = all_sandboxes()["autotask"].positions()


def euros(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="EUR")


def fields_of(opportunity: Opportunity) -> AutotaskOpportunityFields:
    assert isinstance(opportunity.extension, AutotaskOpportunityFields)
    return opportunity.extension


def unchanged(before: Opportunity, after: Opportunity, *changed: str) -> None:
    """Every attribute but these is as it was; what the vendor stamps may differ."""
    free = {*changed, "last_activity_at", "extension"}
    for item in fields(Opportunity):
        if item.name not in free:
            assert getattr(after, item.name) == getattr(before, item.name), item.name
    stamped = {"last_activity", "revenue_spread_unit", *changed}
    for item in fields(AutotaskOpportunityFields):
        if item.name not in stamped:
            assert getattr(fields_of(after), item.name) == getattr(fields_of(before), item.name), item.name


def test_what_the_vendor_can_do_is_implemented_and_nothing_else() -> None:
    protocols = (CreatesOpportunities, UpdatesOpportunities, MovesOpportunities, ClosesOpportunities, CreatesAccounts, CreatesContacts)
    assert all(issubclass(VENDOR.client, protocol) for protocol in protocols)
    # Source: Autotask REST "Opportunities", Can Delete (vendor help).
    assert not issubclass(VENDOR.client, DeletesOpportunities)


# Creating.


async def test_a_create_sends_the_documented_fields_and_nothing_else() -> None:
    async with ground() as at:
        await at.create(NEW)

        (call,) = at.writes()
        assert (call.method, call.path.lower()) == ("POST", "/atservicesrest/v1.0/opportunities")
        assert json.loads(call.body) == {
            "title": "Dock upgrade",
            "description": "Two cranes",
            "companyID": 174,
            "contactID": 30684,
            "ownerResourceID": 29682885,
            "stage": 12,
            "status": 1,
            "probability": 20,
            "amount": 5000.10,
            "cost": 3000,
            "startDate": "2026-11-20T00:00:00Z",
            "projectedCloseDate": "2027-01-31",
            "useQuoteTotals": False,
        }


async def test_a_create_fills_what_is_left_out() -> None:
    async with ground() as at:
        before = datetime.now(UTC).date()
        created = await at.create(LEAST)
        after = datetime.now(UTC).date()

        (body,) = at.bodies()
        started = date.fromisoformat(body.pop("startDate").removesuffix("T00:00:00Z"))
        assert before - timedelta(days=1) <= started <= after
        assert body == {
            "title": "Dock upgrade",
            "companyID": 174,
            "ownerResourceID": 29682885,
            "stage": 12,
            "projectedCloseDate": "2099-01-31",
            "status": 1,
            "probability": 0,
            "amount": 0,
            "cost": 0,
            "useQuoteTotals": False,
        }
        # The vendor takes its default category, and what that brings along.
        assert (created.type, fields_of(created).total_amount_months) == ("Service contract", 12)


async def test_a_create_costs_one_write_and_as_many_reads_as_there_are_kinds_of_records() -> None:
    async with ground() as at:
        plan = await at.client.plan_create(NEW)

        tables = ["Opportunities.fields", "Resources.query", "Currencies.query"]
        assert sorted(at.made.control.operations()) == sorted(["zoneInformation", *tables, "Companies.query", "Contacts.query"])
        at.made.control.calls.clear()
        await plan.execute()
        await at.client.plan_create(NEW)
        assert sorted(at.made.control.operations()) == ["Companies.query", "Contacts.query", "Opportunities.create"]


async def test_the_plan_holds_the_request_that_is_sent_and_no_secret() -> None:
    async with ground() as at:
        plan = await at.client.plan_create(NEW)
        assert at.writes() == []

        await plan.execute()

        (request,), (call,) = plan.requests, at.writes()
        assert (request.method, request.read, request.body) == (call.method, False, call.body.encode())
        assert call.path.endswith(request.path)
        assert request.headers == {}


async def test_a_created_opportunity_is_read_back_as_the_vendor_keeps_it() -> None:
    async with ground() as at:
        created = await at.create(replace(NEW, title="  Dock upgrade "))

        assert json.loads(at.writes()[0].body)["title"] == "  Dock upgrade "
        assert (created.title, created.description) == ("Dock upgrade", "Two cranes")  # the vendor trims the title
        assert created.amount is not None and created.amount.amount == Decimal("5000.10")
        assert (created.probability_percent, created.expected_close_date) == (20.0, date(2027, 1, 31))
        assert (created.status, created.stage_ref) == (OpportunityStatus.OPEN, Ref("service", VERBAL))
        assert (created.account_ref, created.primary_contact_ref) == (Ref("service", FJORD), Ref("service", "30684"))
        assert created.owner_ref == Ref("service", IVO)


@pytest.mark.parametrize(
    ("amount", "literal"),
    [
        ("0.1", "0.1"),
        ("12345678901234567.89", "12345678901234567.89"),
        ("1E+5", "100000"),
        ("-250.50", "-250.50"),
        ("0.0000000001", "0.0000000001"),
        ("9999999999999999999999999999", "9999999999999999999999999999"),
    ],
)
async def test_money_is_sent_digit_by_digit_and_read_back_exactly(amount: str, literal: str) -> None:
    async with ground() as at:
        created = await at.create(replace(NEW, amount=euros(amount), extension=own(cost=Decimal(amount))))

        assert f'"amount":{literal},' in at.writes()[0].body
        assert f'"cost":{literal},' in at.writes()[0].body
        assert created.amount is not None and created.amount.amount == Decimal(amount)


async def test_every_field_of_the_vendors_own_input_is_written_and_read_back() -> None:
    moment, day = datetime(2026, 11, 20, 7, 30, tzinfo=UTC), date(2026, 12, 24)
    texts = {name: f"About {name}" for name in ("barriers", "help_needed", "market", "next_step")}
    texts |= {"loss_reason_detail": "Too dear", "win_reason_detail": "Fast", "promotion_name": "Autumn", "revenue_spread_unit": "Months"}
    numbers = {f"advanced_field{number}": Decimal(f"{number}.5") for number in range(1, 6)}
    parts = {
        f"{period}_{kind}": Decimal(100 + index)
        for index, (period, kind) in enumerate(
            (period, kind) for period in ("onetime", "monthly", "quarterly", "semiannual", "yearly") for kind in ("revenue", "cost")
        )
    }
    choices = {"status": "0", "loss_reason": "1", "win_reason": "2", "primary_competitor": "3", "rating": "1"}
    ids = {"product_id": "29682845", "organizational_level_association_id": "6"}
    plain: dict[str, Any] = {
        **texts,
        **numbers,
        **parts,
        **ids,
        "start_date": moment,
        "promised_fulfillment_date": moment,
        "closed_date": day,
        "through_date": day,
        "total_amount_months": 24,
        "revenue_spread": 6,
        "use_quote_totals": False,
    }
    async with ground() as at:
        created = await at.create(replace(LEAST, extension=own(**plain, **{name: choice(value) for name, value in choices.items()})))

        read = fields_of(created)
        assert {name: getattr(read, name) for name in plain} == plain
        assert {name: getattr(read, name).value for name in choices} == choices
        # `lost_date` needs the status Lost, and the cost cannot be given beside its parts.
        assert {*plain, *choices, "lost_date", "cost"} == {item.name for item in fields(AutotaskOpportunityInput)}
        assert (await at.create(replace(LEAST, extension=own(cost=Decimal(7))))).cost == Money(amount=Decimal(7), currency="GBP")


async def test_a_lost_opportunity_is_created_with_its_lost_date() -> None:
    async with ground() as at:
        lost = own(status=choice("2"), lost_date=datetime(2026, 10, 1, 12, tzinfo=UTC))

        created = await at.create(replace(LEAST, extension=lost))

        assert (created.status, created.closed_at) == (OpportunityStatus.LOST, datetime(2026, 10, 1, 12, tzinfo=UTC))


async def test_an_instant_is_sent_in_utc_and_one_without_a_zone_is_taken_as_utc() -> None:
    async with ground() as at:
        await at.create(
            replace(
                LEAST,
                extension=own(
                    start_date=datetime.fromisoformat("2026-11-20T23:30:00-05:00"),
                    promised_fulfillment_date=datetime(2027, 1, 2, 3, 4, 5, 678_900),  # noqa: DTZ001  # the point of it
                ),
            )
        )

        (body,) = at.bodies()
        assert (body["startDate"], body["promisedFulfillmentDate"]) == ("2026-11-21T04:30:00Z", "2027-01-02T03:04:05.678Z")


async def test_null_is_as_good_as_nothing_said_when_an_opportunity_is_created() -> None:
    nulls: dict[str, Any] = {item.name: None for item in fields(OpportunityValues) if getattr(LEAST, item.name) is UNSET}
    own_nulls = {item.name: None for item in fields(AutotaskOpportunityInput)}
    async with ground() as at:
        await at.create(replace(LEAST, **nulls, extension=own(**own_nulls)))
        await at.create(LEAST)

        assert at.bodies()[0] == at.bodies()[1]


async def test_the_category_and_the_lead_source_are_named_by_label_or_value() -> None:
    async with ground() as at:
        labelled = await at.create(replace(LEAST, type="Repair project", lead_source="Referral"))
        numbered = await at.create(replace(LEAST, type="2", lead_source="3"))

        assert [(body["opportunityCategoryID"], body["leadSource"]) for body in at.bodies()] == [(2, 3), (2, 3)]
        assert (labelled.type, labelled.lead_source) == (numbered.type, numbered.lead_source) == ("Repair project", "Referral")


@pytest.mark.parametrize(
    "parties",
    [
        {"account_ids": ("174",), "contact_ids": ("30685",)},
        {"account_id": "174", "account_ids": ("174", "174"), "primary_contact_id": "30685", "contact_ids": ("30685",)},
        {"account_id": "174", "add_contact_ids": ("30685",)},
    ],
)
async def test_the_account_and_the_contact_are_named_in_any_way(parties: dict[str, Any]) -> None:
    async with ground() as at:
        created = await at.create(replace(LEAST, **{"account_id": UNSET, **parties}))

        assert (created.account_ref, created.contact_refs) == (Ref("service", FJORD), (Ref("service", "30685"),))


async def test_company_0_is_an_account_like_others() -> None:
    async with ground() as at:
        assert (await at.create(replace(LEAST, account_id="0"))).account_ref == Ref("service", "0")


async def test_a_contact_of_the_parent_account_is_taken() -> None:
    async with ground() as at:
        assert (await at.create(replace(LEAST, account_id="29683514", primary_contact_id="30711"))).primary_contact_ref is not None


async def test_custom_fields_are_written_as_text_by_their_names() -> None:
    given = {"Vessel or berth": "Quay 9", "Crane hours per year": 4300.5, "Service level": "Bronze", "Renewal Date": "2027-03-01"}
    async with ground() as at:
        created = await at.create(replace(LEAST, custom_fields={**given, "Scope notes": None}))

        sent = {"Vessel or berth": "Quay 9", "Crane hours per year": "4300.5", "Service level": "Bronze", "Renewal Date": "2027-03-01"}
        assert at.bodies()[0]["userDefinedFields"] == [{"name": key, "value": sent.get(key)} for key in (*given, "Scope notes")]
        kept = {field.key: field.value for field in created.custom_fields or ()}
        assert kept == {**given, "Renewal Date": "2027-03-01T00:00:00+00:00", "Scope notes": None}


@pytest.mark.parametrize("entry", ["Gold & on call", "3", ""])
async def test_an_entry_of_a_list_is_named_by_its_label_or_its_value(entry: str) -> None:
    async with ground() as at:
        plan = await at.client.plan_update(await at.read(QUOTED), OpportunityValues(custom_fields={"Service level": entry}))

        assert plan.violations == ()


@pytest.mark.parametrize("options", POSITIONS, ids=str)
async def test_writes_work_in_every_position_of_the_sandbox(options: dict[str, Any]) -> None:
    async with ground(options=options) as at:
        created = await at.create(NEW)
        updated = await at.update(created.local_id, OpportunityValues(description="Three cranes", primary_contact_id="30685"))
        moved = await at.done(await at.client.plan_move(updated, NEGOTIATION, None))
        won = await at.done(await at.client.plan_close(moved, StatusValues(status=OpportunityStatus.WON, closed_on=date(2026, 11, 21))))
        open_again = await at.done(await at.client.plan_close(won, StatusValues(status=OpportunityStatus.OPEN)))

        unchanged(created, updated, "description", "primary_contact_ref", "contact_refs")
        assert (updated.description, updated.primary_contact_ref) == ("Three cranes", Ref("service", "30685"))
        unchanged(updated, moved, "stage_ref", "stage")
        assert moved.stage_ref == Ref("service", NEGOTIATION)
        assert (won.status, won.actual_close_date) == (OpportunityStatus.WON, date(2026, 11, 21))
        unchanged(moved, open_again)
        assert [call.operation for call in at.writes()] == ["Opportunities.create", *["Opportunities.patch"] * 4]


# Updating.


async def test_an_update_sends_what_it_names() -> None:
    async with ground() as at:
        before = await at.read(QUOTED)
        after = await at.update(QUOTED, OpportunityValues(title="Quay crane retrofit", probability_percent=65.0))

        (call,) = at.writes()
        assert (call.method, call.path.lower()) == ("PATCH", "/atservicesrest/v1.0/opportunities")
        assert json.loads(call.body) == {"id": int(QUOTED), "title": "Quay crane retrofit", "probability": 65}
        unchanged(before, after, "title", "probability_percent")
        assert (after.title, after.probability_percent) == ("Quay crane retrofit", 65.0)


async def test_two_updates_that_were_planned_from_one_reading_lose_nothing_of_each_other() -> None:
    async with ground() as at:
        before = await at.read(QUOTED)
        first = await at.client.plan_update(before, OpportunityValues(description="A", custom_fields={"Vessel or berth": "Berth 5"}))
        second = await at.client.plan_update(before, OpportunityValues(title="B", custom_fields={"Crane hours per year": 1}))

        await first.execute()
        await second.execute()

        after = await at.read(QUOTED)
        assert (after.title, after.description) == ("B", "A")
        kept = {field.key: field.value for field in after.custom_fields or ()}
        assert (kept["Vessel or berth"], kept["Crane hours per year"], kept["Service level"]) == ("Berth 5", 1.0, "Gold & on call")
        unchanged(before, after, "title", "description", "custom_fields")


async def test_null_clears_what_can_be_cleared() -> None:
    cleared = own(rating=None, next_step=None, product_id=None, help_needed=None, primary_competitor=None)
    async with ground() as at:
        values = OpportunityValues(description=None, lead_source=None, primary_contact_id=None, custom_fields={"Service level": None})
        after = await at.update(QUOTED, replace(values, extension=cleared))

        names = ("description", "leadSource", "contactID", "rating", "nextStep", "productID", "helpNeeded", "primaryCompetitor")
        expected = dict.fromkeys(names) | {"id": int(QUOTED), "userDefinedFields": [{"name": "Service level", "value": None}]}
        assert at.bodies() == [expected]
        assert (after.description, after.lead_source, after.primary_contact_ref, after.priority) == (None, None, None, None)
        assert {field.key: field.value for field in after.custom_fields or ()}["Service level"] is None


@pytest.mark.parametrize(
    "values",
    [
        OpportunityValues(),
        OpportunityValues(primary_contact_id="30712"),
        OpportunityValues(contact_ids=("30712",)),
        OpportunityValues(add_contact_ids=("30712",)),
        OpportunityValues(remove_contact_ids=("30711",)),
        OpportunityValues(tags=()),
        OpportunityValues(tags=None),
        OpportunityValues(extension=own()),
        OpportunityValues(extension=own(lost_date=None)),
    ],
)
async def test_an_update_that_changes_nothing_sends_nothing(values: OpportunityValues) -> None:
    async with ground() as at:
        before = await at.read(OPEN)
        plan = await at.client.plan_update(before, values)

        assert await at.done(plan) == before
        assert (plan.requests, at.writes()) == ((), [])


@pytest.mark.parametrize(
    ("values", "contact"),
    [
        (OpportunityValues(primary_contact_id="30711"), "30711"),
        (OpportunityValues(contact_ids=("30711",)), "30711"),
        (OpportunityValues(add_contact_ids=("30711",), remove_contact_ids=("30712",)), "30711"),
        (OpportunityValues(contact_ids=()), None),
        (OpportunityValues(contact_ids=None), None),
        (OpportunityValues(remove_contact_ids=("30712",)), None),
        (OpportunityValues(primary_contact_id=None), None),
        (OpportunityValues(primary_contact_id=None, contact_ids=()), None),
    ],
)
async def test_the_contact_is_replaced_or_taken_out(values: OpportunityValues, contact: str | None) -> None:
    async with ground() as at:
        before = await at.read(OPEN)
        after = await at.update(OPEN, values)

        assert after.primary_contact_ref == (None if contact is None else Ref("service", contact))
        unchanged(before, after, "primary_contact_ref", "contact_refs")


async def test_account_and_contact_change_together() -> None:
    async with ground() as at:
        after = await at.update(OPEN, OpportunityValues(account_id=FJORD, primary_contact_id="30685", amount=euros("12.5")))

        assert at.bodies() == [{"id": int(OPEN), "companyID": 174, "contactID": 30685, "amount": Decimal("12.5")}]
        assert (after.account_ref, after.primary_contact_ref) == (Ref("service", FJORD), Ref("service", "30685"))


async def test_an_owner_who_has_left_may_stay_and_an_old_choice_too() -> None:
    async with ground() as at:
        left = await at.update("29701416", OpportunityValues(owner_id="29682887", title="Ice crane"))
        old = await at.update(OPEN, OpportunityValues(extension=own(rating=choice("2"))))

        assert (left.title, old.priority) == ("Ice crane", "Warm")


async def test_parts_are_written_and_the_totals_follow() -> None:
    async with ground() as at:
        after = await at.update(RECURRING, OpportunityValues(extension=own(monthly_revenue=Decimal("8000.25"))))

        assert at.bodies() == [{"id": int(RECURRING), "monthlyRevenue": Decimal("8000.25")}]
        assert after.amount is not None and (after.amount.amount, fields_of(after).monthly_cost) == (Decimal(96_003), Decimal(4320))


async def test_the_lost_date_of_a_lost_opportunity_is_changed() -> None:
    async with ground() as at:
        after = await at.update(LOST, OpportunityValues(extension=own(lost_date=datetime(2026, 4, 2, 8, tzinfo=UTC))))

        assert after.closed_at == datetime(2026, 4, 2, 8, tzinfo=UTC)


# Moving and closing.


async def test_a_move_sends_the_stage_and_a_status_that_is_given_with_it() -> None:
    async with ground() as at:
        current = await at.read(OPEN)
        moved = await at.done(await at.client.plan_move(current, VERBAL, None))
        held = await at.done(await at.client.plan_move(moved, NEGOTIATION, own(status=choice("0"))))

        assert at.bodies() == [{"id": int(OPEN), "stage": 12}, {"id": int(OPEN), "stage": 29682775, "status": 0}]
        assert (moved.status_label, held.status_label, held.stage_ref) == ("Active", "Not Ready To Buy", Ref("service", NEGOTIATION))


async def test_every_status_can_be_given_without_asking_anybody() -> None:
    async with ground() as at:
        assert at.client.closable() == {OpportunityStatus.OPEN, OpportunityStatus.WON, OpportunityStatus.LOST}
        assert at.made.control.calls == []


async def test_an_opportunity_is_won() -> None:
    values = StatusValues(status=OpportunityStatus.WON, reason_id="1", reason_detail="Fast", closed_on=date(2026, 11, 19))
    async with ground() as at:
        before = await at.read(OPEN)
        won = await at.done(await at.client.plan_close(before, values))

        sent = {"id": int(OPEN), "status": 3, "winReason": 1, "winReasonDetail": "Fast", "closedDate": "2026-11-19"}
        assert at.bodies() == [sent]
        assert (won.status, won.actual_close_date) == (OpportunityStatus.WON, date(2026, 11, 19))
        assert won.won_reason is not None and (won.won_reason.label, won.won_reason.detail) == ("Response time", "Fast")
        assert won.stage_ref == before.stage_ref


async def test_an_opportunity_is_won_today_by_the_vendors_clock() -> None:
    async with ground() as at:
        first = datetime.now(UTC).date()
        await at.done(await at.client.plan_close(await at.read(OPEN), StatusValues(status=OpportunityStatus.WON)))
        last = datetime.now(UTC).date()

        assert first - timedelta(days=1) <= date.fromisoformat(at.bodies()[0]["closedDate"]) <= last


async def test_an_opportunity_is_lost_now_unless_a_day_is_given() -> None:
    async with ground() as at:
        current = await at.read(OPEN)
        await at.done(await at.client.plan_close(current, StatusValues(status=OpportunityStatus.LOST)))
        values = StatusValues(status=OpportunityStatus.LOST, reason_id="2", reason_detail=None, closed_on=date(2026, 11, 1))
        lost = await at.done(await at.client.plan_close(current, values))

        dated = {"status": 2, "lossReason": 2, "lossReasonDetail": None, "lostDate": "2026-11-01T00:00:00Z"}
        assert at.bodies() == [{"id": int(OPEN), "status": 2}, {"id": int(OPEN), **dated}]
        assert (lost.status, lost.actual_close_date) == (OpportunityStatus.LOST, date(2026, 11, 1))
        assert lost.loss_reason is not None and lost.loss_reason.label == "Competitor"


@pytest.mark.parametrize("local_id", [LOST, WON, IMPLEMENTED])
async def test_a_closed_opportunity_is_opened_again(local_id: str) -> None:
    async with ground() as at:
        before = await at.read(local_id)
        opened = await at.done(await at.client.plan_close(before, StatusValues(status=OpportunityStatus.OPEN)))

        assert (opened.status, opened.actual_close_date, opened.closed_at) == (OpportunityStatus.OPEN, None, None)
        own_fields = fields_of(opened)
        assert (own_fields.closed_date, own_fields.lost_date) == (None, None)


async def test_what_is_won_already_keeps_its_status_and_its_day() -> None:
    async with ground() as at:
        before = await at.read(IMPLEMENTED)
        same = await at.client.plan_close(before, StatusValues(status=OpportunityStatus.WON))
        told_why = await at.done(await at.client.plan_close(before, StatusValues(status=OpportunityStatus.WON, reason_detail="Fast")))

        assert same.requests == ()
        assert at.bodies() == [{"id": int(IMPLEMENTED), "winReasonDetail": "Fast"}]
        assert (told_why.status_label, told_why.actual_close_date) == ("Implemented", before.actual_close_date)


async def test_a_won_opportunity_that_is_lost_after_all_loses_the_day_it_was_won() -> None:
    async with ground() as at:
        lost = await at.done(await at.client.plan_close(await at.read(WON), StatusValues(status=OpportunityStatus.LOST)))

        assert at.bodies() == [{"id": int(WON), "status": 2, "closedDate": None}]
        assert (lost.status, fields_of(lost).closed_date) == (OpportunityStatus.LOST, None)


# Accounts and contacts.


async def test_an_account_is_created_with_the_vendors_default_type() -> None:
    values = AccountValues(name="Cowes Boat Hoist", phone="+44 1983 555 100", website="https://cowes.example", owner_id=IVO)
    async with ground() as at:
        written = await (await at.client.plan_create_account(values)).execute()
        account = (await at.client.accounts_by_ids([written.local_id], EVERYTHING))[written.local_id]

        (call,) = at.writes()
        assert (call.method, call.path.lower()) == ("POST", "/atservicesrest/v1.0/companies")
        assert json.loads(call.body) == {
            "companyName": "Cowes Boat Hoist",
            "phone": "+44 1983 555 100",
            "webAddress": "https://cowes.example",
            "ownerResourceID": 29682885,
            "companyType": 1,
            "isActive": True,
        }
        assert not isinstance(account, VendorError)
        assert (account.name, account.website, account.owner_ref) == (values.name, values.website, Ref("service", IVO))


@pytest.mark.parametrize("company_type", ["Prospect", "3"])
async def test_the_type_of_new_accounts_is_a_setting(company_type: str) -> None:
    async with ground(settings={"company_type": company_type}) as at:
        await (await at.client.plan_create_account(AccountValues(name="Cowes", phone="+44 1983 555 100", owner_id=IVO))).execute()

        assert at.bodies()[0]["companyType"] == 3


async def test_a_contact_is_created_through_its_account() -> None:
    values = ContactValues(
        first_name="Lene",
        last_name="Sørensen",
        email="lene@fjordshipping.example",
        phone="+47 55 55 01 49",
        title="Buyer",
        account_id=FJORD,
    )
    async with ground() as at:
        written = await (await at.client.plan_create_contact(values)).execute()
        contact = (await at.client.contacts_by_ids([written.local_id], EVERYTHING))[written.local_id]

        (call,) = at.writes()
        assert (call.method, call.path.lower()) == ("POST", "/atservicesrest/v1.0/companies/174/contacts")
        assert json.loads(call.body) == {
            "firstName": "Lene",
            "lastName": "Sørensen",
            "emailAddress": "lene@fjordshipping.example",
            "phone": "+47 55 55 01 49",
            "title": "Buyer",
            "companyID": 174,
            "isActive": 1,
        }
        assert not isinstance(contact, VendorError)
        assert (contact.name, contact.account_ref) == ("Lene Sørensen", Ref("service", FJORD))


async def test_a_new_account_and_contact_can_be_used_at_once() -> None:
    async with ground() as at:
        account = AccountValues(name="Cowes", phone="+44 1983 555 100", owner_id=PRIYA)
        account_id = (await (await at.client.plan_create_account(account)).execute()).local_id
        contact = ContactValues(first_name="Lene", last_name="Berg", account_id=account_id)
        contact_id = (await (await at.client.plan_create_contact(contact)).execute()).local_id

        created = await at.create(replace(LEAST, account_id=account_id, primary_contact_id=contact_id))

        assert (created.account_ref, created.primary_contact_ref) == (Ref("service", account_id), Ref("service", contact_id))


# What frontends are told.


async def test_the_fields_of_a_create_name_every_attribute_once() -> None:
    async with ground() as at:
        rules = await at.client.create_fields()

        unified = [item.name for item in fields(OpportunityValues) if item.name != "extension"]
        assert [rule.name for rule in rules] == unified + [f"extension.{item.name}" for item in fields(AutotaskOpportunityInput)]
        assert {rule.name for rule in rules if rule.is_required} == {
            "title",
            "expected_close_date",
            "stage_id",
            "owner_id",
            "account_id",
        }
        assert {rule.name for rule in rules if not rule.is_allowed} == {"remove_contact_ids", "tags"}
        lengths = {rule.name: rule.max_length for rule in rules if rule.max_length}
        assert (lengths["title"], lengths["description"], lengths["extension.barriers"]) == (128, 8000, 500)
        assert at.made.control.calls == []


async def test_what_is_required_is_enough() -> None:
    async with ground() as at:
        required = {rule.name for rule in await at.client.create_fields() if rule.is_required}

        assert {item.name for item in fields(OpportunityValues) if getattr(LEAST, item.name)} - {"extension"} >= required
        assert told((await at.client.plan_create(OpportunityValues())).violations) == [
            (name, "REQUIRED") for name in ("title", "account_id", "owner_id", "stage_id", "expected_close_date")
        ]


def test_every_field_of_the_input_is_described_and_names_the_vendors_field() -> None:
    writable = wire_names(AutotaskOpportunityInput)
    assert VENDOR.inputs == {"Opportunity": AutotaskOpportunityInput}
    assert len(writable) == len(fields(AutotaskOpportunityInput)) == len(set(writable.values()))
    for item in fields(AutotaskOpportunityInput):
        assert item.metadata["description"].endswith(".") and item.default is UNSET


def test_what_the_vendor_keeps_itself_cannot_even_be_given() -> None:
    # Source: Autotask REST "Opportunities", Field definitions; the scores and the sales order are taken as read-only.
    kept = {
        "id",
        "createDate",
        "creatorResourceID",
        "impersonatorCreatorResourceID",
        "lastActivity",
        "salesOrderID",
        "assessmentScore",
        "relationshipAssessmentScore",
        "technicalAssessmentScore",
        "salesProcessPercentComplete",
    }
    assert not kept & set(wire_names(AutotaskOpportunityInput).values())


async def test_the_users_of_the_graph_still_hold_the_api_user() -> None:
    async with ground() as at:
        assert API_USER in {user.local_id for user in await at.client.users()}
        assert HARBOUR in await at.client.accounts_by_ids([HARBOUR], EVERYTHING)
