"""Changing, moving, closing and deleting in Pipeliner: what is sent, and what the record is afterwards."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.vendors.pipeliner.writing_ground import (
    EUR,
    FIRST_CONTACT,
    LOST,
    NEEDS_ANALYSIS,
    NEGOTIATION,
    PROPOSAL,
    RETROFIT,
    USD,
    WON,
    Ground,
    brief,
    told,
    writing,
)
from vendors.errors import NotFoundError
from vendors.model import Money, Opportunity, OpportunityStatus, Reason, Ref
from vendors.pipeliner.extension import PipelinerLabel, PipelinerOpportunityFields, PipelinerShareMode
from vendors.pipeliner.inputs import PipelinerOpportunityInput
from vendors.registry import all_sandboxes
from vendors.writes import OpportunityValues, StatusValues

Own = PipelinerOpportunityInput
Status = OpportunityStatus
POSITIONS = all_sandboxes()["pipeliner"].positions()
# What every write changes by itself.
STAMPS = {"updated_at", "revision", "extension"}


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    async with writing() as found:
        yield found


def position_name(options: dict[str, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in options.items()) or "defaults"


def changed(before: Opportunity, after: Opportunity) -> set[str]:
    """The attributes that differ, beside the stamps; those of the vendor's own fields as `extension.`."""
    own = {
        f"extension.{item.name}"
        for item in fields(PipelinerOpportunityFields)
        if item.name != "revision" and getattr(before.extension, item.name) != getattr(after.extension, item.name)
    }
    return {item.name for item in fields(before) if getattr(before, item.name) != getattr(after, item.name)} - STAMPS | own


async def full(ground: Ground) -> Opportunity:
    """An opportunity that has everything."""
    accounts, contacts = ground.ids("Accounts", 2), ground.ids("Contacts", 3)
    return await ground.create(
        description="Twelve masts",
        amount=Money(amount=Decimal("116.00"), currency="USD"),
        account_ids=tuple(accounts),
        contact_ids=tuple(contacts),
        type="Public tender",
        lead_source="Website",
        custom_fields={"cf_segment": "Coating", "cf_berths": 4, "cf_scope": "Masts and cables", "cf_options": ["Shore power"]},
        extension=Own(labels=(PipelinerLabel.HOT,), quick_phone="+49 1", share_mode=PipelinerShareMode.ALL_EDIT, ranking=2),
    )


@pytest.mark.parametrize("options", POSITIONS, ids=position_name)
async def test_an_update_changes_what_it_names_in_every_position(options: dict[str, Any]) -> None:
    async with writing(options) as ground:
        before = await full(ground)
        former = ground.contacts_of(before.local_id)
        new = ground.ids("Contacts", 4)[3]

        after = await ground.update(
            before,
            title="Quay lights, phase 2",
            amount=Money(amount=Decimal("250.50"), currency="EUR"),
            add_contact_ids=(new,),
            remove_contact_ids=(next(one for one, is_main in former.items() if not is_main),),
            custom_fields={"cf_berths": 5},
        )

        kept = {one: is_main for one, is_main in former.items() if is_main}
        still = [one for one in former if one in ground.contacts_of(before.local_id)]
        assert changed(before, after) == {
            *("title", "amount", "amount_base", "contact_refs", "custom_fields"),
            *("extension.formatted_name", "extension.value", "extension.contact_relations"),
        }
        assert (after.title, after.amount) == ("Quay lights, phase 2", Money(amount=Decimal("250.50"), currency="EUR"))
        assert len(still) == 2 and ground.contacts_of(before.local_id) == {**dict.fromkeys(still, False), **kept, new: False}
        assert {each.key: each.value for each in after.custom_fields or ()}["cf_berths"] == 5


@pytest.mark.parametrize("options", POSITIONS, ids=position_name)
async def test_a_move_changes_the_stage_in_every_position(options: dict[str, Any]) -> None:
    async with writing(options) as ground:
        before = await full(ground)

        plan = await ground.client.plan_move(before, PROPOSAL, None)
        written = await plan.execute()

        after = await ground.read(before.local_id)
        assert ground.bodies() == [("PATCH", f"Opportunities/{before.local_id}", {"step_id": PROPOSAL})]
        assert (written.local_id, written.problems) == (before.local_id, ())
        assert changed(before, after) <= {"stage_ref", "probability_percent", "extension.days_in_step"}
        assert (after.stage_ref, after.status) == (Ref("dach", PROPOSAL), Status.OPEN)


@pytest.mark.parametrize("options", POSITIONS, ids=position_name)
async def test_the_main_contact_is_replaced_in_every_position(options: dict[str, Any]) -> None:
    async with writing(options) as ground:
        before = await full(ground)
        assert isinstance(before.contact_refs, tuple)
        first, second, third = before.contact_refs
        new = ground.ids("Contacts", 4)[3]

        after = await ground.update(before, contact_ids=(new, second.local_id), account_ids=())

        assert ground.contacts_of(before.local_id) == {new: True, second.local_id: False}
        assert ground.accounts_of(before.local_id) == {}
        assert after.contact_refs == (Ref("dach", new), second)
        assert (after.primary_contact_ref, after.account_ref, after.account_refs) == (Ref("dach", new), None, ())
        assert first.local_id not in ground.contacts_of(before.local_id) and third.local_id not in ground.contacts_of(before.local_id)


@pytest.mark.parametrize("options", POSITIONS, ids=position_name)
@pytest.mark.parametrize("status", [Status.WON, Status.LOST])
async def test_a_deal_is_closed_and_opened_again_in_every_position(options: dict[str, Any], status: Status) -> None:
    async with writing(options) as ground:
        before = await full(ground)
        reason = ground.id_of("Data", "No decision", "option_name")

        closing = await ground.client.plan_close(
            before, StatusValues(status=status, reason_id=reason, reason_detail="Said so", closed_on=date(2026, 11, 3))
        )
        closed_problems = (await closing.execute()).problems
        closed = await ground.read(before.local_id)
        opening = await ground.client.plan_close(closed, StatusValues(status=Status.OPEN))
        open_problems = (await opening.execute()).problems
        opened = await ground.read(before.local_id)

        assert (closed_problems, open_problems) == ((), ())
        given = closed.won_reason if status is Status.WON else closed.loss_reason
        assert given == Reason(id=reason, label="No decision", detail="Said so")
        assert (closed.status, closed.actual_close_date) == (status, date(2026, 11, 3))
        assert closed.stage_ref == Ref("dach", WON if status is Status.WON else LOST)
        assert (opened.status, opened.stage_ref, opened.actual_close_date) == (Status.OPEN, Ref("dach", NEGOTIATION), None)
        name = "won_date" if status is Status.WON else "lost_date"
        assert [body for _, _, body in ground.bodies()] == [
            {
                "step_id": WON if status is Status.WON else LOST,
                name: "2026-11-03T00:00:00",
                "reason_of_close_id": reason,
                "reason_of_close_description": "Said so",
            },
            {"step_id": NEGOTIATION, name: None, "reason_of_close_id": None, "reason_of_close_description": ""},
        ]
        assert changed(before, opened) <= {"stage_ref", "probability_percent", "extension.days_in_step"}


async def test_the_text_of_a_reason_is_cleared_with_an_empty_text(ground: Ground) -> None:
    before = await full(ground)
    plan = await ground.client.plan_update(before, OpportunityValues(extension=Own(reason_of_close_description=None, quick_email=None)))

    await plan.execute()

    assert [body for _, _, body in ground.bodies()] == [{"reason_of_close_description": "", "quick_email": ""}]


async def test_every_field_can_be_changed_and_cleared(ground: Ground) -> None:
    before = await full(ground)
    values = OpportunityValues(
        description=None,
        account_id=None,
        account_ids=None,
        primary_contact_id=None,
        contact_ids=(),
        type=None,
        lead_source=None,
        custom_fields=dict.fromkeys(("cf_segment", "cf_berths", "cf_scope", "cf_options")),
        extension=Own(
            labels=None,
            unit_id=None,
            product_currency_id=None,
            product_price_list_id=None,
            product_sections=None,
            reason_of_close_id=None,
            won_date=None,
            quick_phone=None,
            share_mode=PipelinerShareMode.STANDARD,
        ),
    )
    plan = await ground.client.plan_update(before, values)
    assert plan.violations == ()

    await plan.execute()

    after = await ground.read(before.local_id)
    assert ground.bodies()[0][2] == {
        "description": "",
        "oppty_type_id": None,
        "lead_source_id": None,
        "label_flag": 0,
        "unit_id": None,
        "product_currency_id": None,
        "product_price_list_id": None,
        "product_sections": None,
        "reason_of_close_id": None,
        "won_date": None,
        "quick_phone": "",
        "share_mode": 0,
        "cf_segment": None,
        "cf_berths": None,
        "cf_scope": "",
        "cf_options": [],
    }
    assert (after.description, after.account_ref, after.account_refs, after.contact_refs) == (None, None, (), ())
    assert (after.type, after.lead_source, after.priority, after.primary_contact_ref) == (None, None, None, None)
    own = after.extension
    assert isinstance(own, PipelinerOpportunityFields)
    assert (own.unit_id, own.quick_phone, own.share_mode, own.ranking) == (None, None, PipelinerShareMode.STANDARD, 2)
    custom = {each.key: each.value for each in after.custom_fields or ()}
    assert [custom[name] or None for name in values.custom_fields] == [None] * 4
    assert (after.title, after.amount, after.owner_ref, after.stage_ref) == (
        before.title,
        before.amount,
        before.owner_ref,
        before.stage_ref,
    )


async def test_an_update_that_names_nothing_sends_nothing(ground: Ground) -> None:
    record = await ground.create()

    plan = await ground.client.plan_update(record, OpportunityValues())
    written = await plan.execute()

    assert (plan.violations, plan.requests, written.local_id) == ((), (), record.local_id)
    assert ground.play.control.calls == []


async def test_two_updates_of_the_same_record_lose_nothing(ground: Ground) -> None:
    record = await full(ground)
    contacts = ground.ids("Contacts", 5)
    first = await ground.client.plan_update(record, OpportunityValues(title="Renamed", add_contact_ids=(contacts[3],)))
    second = await ground.client.plan_update(record, OpportunityValues(description="Described", expected_close_date=date(2027, 2, 1)))

    await asyncio.gather(first.execute(), second.execute())

    after = await ground.read(record.local_id)
    assert (after.title, after.description, after.expected_close_date) == ("Renamed", "Described", date(2027, 2, 1))
    assert (after.type, after.lead_source, after.amount, after.account_refs) == (
        record.type,
        record.lead_source,
        record.amount,
        record.account_refs,
    )
    assert set(ground.contacts_of(record.local_id)) == {*contacts[:4]}


async def test_an_amount_without_a_currency_stays_in_that_of_the_opportunity(ground: Ground) -> None:
    record = await ground.create(amount=Money(amount=Decimal(1), currency="USD"))

    after = await ground.update(record, amount=Money(amount=Decimal("7.25")))
    other = await ground.update(after, amount=Money(amount=Decimal(3), currency="EUR"))

    assert [body for _, _, body in ground.bodies()] == [
        {"value": {"value_foreign": 7.25, "currency_id": USD}},
        {"value": {"base_value": 3, "currency_id": EUR}},
    ]
    assert (after.amount, other.amount) == (Money(amount=Decimal("7.25"), currency="USD"), Money(amount=Decimal(3), currency="EUR"))


async def test_links_that_stay_keep_what_is_written_on_them(ground: Ground) -> None:
    first, second, third = ground.ids("Contacts", 3)
    record = await ground.create(contact_ids=(first, second))
    links = {row["contact_id"]: row for row in ground.rows("LeadOpptyContactRelations") if row["lead_oppty_id"] == record.local_id}
    ground.row("LeadOpptyContactRelations", links[first]["id"]).update(relationship=3, comment="Signs the order.")

    await ground.update(record, primary_contact_id=third)

    after = {row["contact_id"]: row for row in ground.rows("LeadOpptyContactRelations") if row["lead_oppty_id"] == record.local_id}
    assert ground.contacts_of(record.local_id) == {first: False, second: False, third: True}
    assert ground.bodies() == [
        (
            "PATCH",
            f"Opportunities/{record.local_id}",
            {
                "contact_relations": [
                    {"id": links[first]["id"], "is_primary": False},
                    {"id": links[second]["id"], "is_primary": False},
                    {"contact_id": third, "is_primary": True},
                ]
            },
        )
    ]
    assert (after[first]["relationship"], after[first]["comment"], after[first]["id"]) == (3, "Signs the order.", links[first]["id"])


async def test_the_first_of_the_others_follows_a_main_contact_that_is_taken_out(ground: Ground) -> None:
    first, second, third = ground.ids("Contacts", 3)
    record = await ground.create(contact_ids=(first, second, third))
    assert isinstance(record.contact_refs, tuple)

    await ground.update(record, remove_contact_ids=(first,))
    await ground.update(record, remove_contact_ids=(first,))  # it is gone already

    assert ground.contacts_of(record.local_id) == {record.contact_refs[1].local_id: True, record.contact_refs[2].local_id: False}
    assert [call.method for call in ground.writes()] == ["PATCH", "DELETE"]


async def test_the_only_account_can_be_cleared_and_set_again(ground: Ground) -> None:
    first, second = ground.ids("Accounts", 2)
    record = await ground.create(account_id=first)

    cleared = await ground.update(record, account_id=None)
    again = await ground.update(cleared, account_id=second)
    both = await ground.update(again, account_id=first)

    assert (cleared.account_ref, cleared.account_refs) == (None, ())
    assert again.account_refs == (Ref("dach", second),)
    assert both.account_refs == (Ref("dach", first), Ref("dach", second))


async def test_links_that_are_as_wanted_are_not_written(ground: Ground) -> None:
    contacts = ground.ids("Contacts", 2)
    record = await ground.create(contact_ids=tuple(contacts))

    wishes = [
        OpportunityValues(contact_ids=tuple(contacts)),
        OpportunityValues(add_contact_ids=(contacts[1],)),
        OpportunityValues(primary_contact_id=contacts[0]),
    ]
    for values in wishes:
        assert (await ground.client.plan_update(record, values)).requests == ()


async def test_a_deleted_account_that_is_linked_may_stay(ground: Ground) -> None:
    first, second = ground.ids("Accounts", 2)
    record = await ground.create(account_id=first)
    ground.row("Accounts", first)["is_deleted"] = True

    await ground.update(record, account_ids=(second, first))

    assert ground.accounts_of(record.local_id) == {first: False, second: True}


async def test_a_record_may_keep_an_owner_and_a_stage_that_are_gone(ground: Ground) -> None:
    record = await ground.create()
    ground.row("Opportunities", record.local_id).update(owner_id="00000000-0000-0000-0000-000000011407")
    record = await ground.read(record.local_id)

    after = await ground.update(record, owner_id="00000000-0000-0000-0000-000000011407", title="Renamed")

    assert [body for _, _, body in ground.bodies()] == [{"name": "Renamed"}]
    assert after.owner_ref == record.owner_ref


async def test_a_move_may_carry_own_fields_and_lead_into_another_pipeline(ground: Ground) -> None:
    record = await ground.create()
    stage = ground.id_of("Steps", "Anfrage")

    plan = await ground.client.plan_move(record, stage, Own(ranking=4))
    await plan.execute()

    after = await ground.read(record.local_id)
    assert ground.bodies()[0][2] == {"step_id": stage, "ranking": 4}
    assert (after.stage_ref, after.pipeline_ref) == (Ref("dach", stage), Ref("dach", RETROFIT))


async def test_the_type_of_the_stages_pipeline_is_preferred(ground: Ground) -> None:
    twin = ground.row("OpportunityTypes", "d1af6b97-c4d4-4728-adf1-06a2bb151604")
    twin["name"] = "New equipment"
    record = await ground.create(type="New equipment")
    stage = ground.id_of("Steps", "Anfrage")

    await ground.update(record, type="New equipment", stage_id=stage)

    assert ground.bodies()[0][2] == {"step_id": stage, "oppty_type_id": twin["id"]}


async def test_closing_without_a_day_is_dated_by_the_vendors_clock(ground: Ground) -> None:
    record = await ground.create()
    before = datetime.now(UTC) - timedelta(seconds=2)

    await (await ground.client.plan_close(record, StatusValues(status=Status.WON))).execute()

    closed = await ground.read(record.local_id)
    assert closed.status is Status.WON and closed.closed_at is not None
    assert before <= closed.closed_at <= datetime.now(UTC) + timedelta(seconds=2)
    assert ground.bodies()[0][2].keys() == {"step_id", "won_date"}


async def test_what_is_closed_keeps_its_day_when_only_the_reason_changes(ground: Ground) -> None:
    record = await ground.create()
    await (await ground.client.plan_close(record, StatusValues(status=Status.LOST, closed_on=date(2026, 5, 1)))).execute()
    lost = await ground.read(record.local_id)

    await (await ground.client.plan_close(lost, StatusValues(status=Status.LOST, reason_detail="Too late"))).execute()

    after = await ground.read(record.local_id)
    assert (after.actual_close_date, after.loss_reason) == (date(2026, 5, 1), Reason(detail="Too late"))


@pytest.mark.parametrize("won_by", ["step", "won_date"])
async def test_a_deal_that_was_lost_by_archiving_is_opened_and_won(won_by: str) -> None:
    async with writing({"won_by": won_by}) as ground:
        record = await ground.create(extension=Own(is_archived=True, reason_of_close_description="Too late"))
        assert (record.status, record.is_archived) == (Status.LOST, True)

        await (await ground.client.plan_close(record, StatusValues(status=Status.OPEN))).execute()
        opened = await ground.read(record.local_id)
        await ground.update(opened, extension=Own(is_archived=True))
        won = await (await ground.client.plan_close(await ground.read(record.local_id), StatusValues(status=Status.WON))).execute()

        closed = await ground.read(record.local_id)
        assert (opened.status, opened.is_archived, opened.stage_ref, opened.loss_reason) == (
            Status.OPEN,
            False,
            Ref("dach", FIRST_CONTACT),
            None,
        )
        assert (won.problems, closed.status, closed.is_archived, closed.stage_ref) == ((), Status.WON, False, Ref("dach", WON))


async def test_a_deal_that_is_open_is_left_alone_when_it_is_opened(ground: Ground) -> None:
    record = await ground.create()

    plan = await ground.client.plan_close(record, StatusValues(status=Status.OPEN))

    assert (plan.violations, plan.requests) == ((), ())
    assert (await plan.execute()).local_id == record.local_id


async def test_a_stage_that_does_not_close_is_told_as_partly_done() -> None:
    async with writing(settings={"won_stage_id": PROPOSAL}) as ground:
        record = await ground.create()

        plan = await ground.client.plan_close(record, StatusValues(status=Status.WON))
        written = await plan.execute()

        assert brief(written.problems) == [(("status",), "PARTLY_DONE")]
        after = await ground.read(record.local_id)
        assert (after.status, after.stage_ref) == (Status.OPEN, Ref("dach", PROPOSAL))


async def test_a_pipeline_of_closing_stages_only_cannot_be_opened_again() -> None:
    every = [FIRST_CONTACT, NEEDS_ANALYSIS, PROPOSAL, NEGOTIATION, WON, LOST]
    async with writing(settings={"won_stage_id": every}) as ground:
        record = replace(await ground.create(), status=Status.WON)

        assert told(await ground.client.plan_close(record, StatusValues(status=Status.OPEN))) == [(("status",), "NOT_SUPPORTED")]


async def test_what_is_deleted_is_kept_as_deleted(ground: Ground) -> None:
    record = await full(ground)

    plan = await ground.client.plan_delete(record)
    written = await plan.execute()

    gone = await ground.read(record.local_id)
    again = await ground.client.plan_delete(gone)
    assert ground.bodies() == [("DELETE", f"Opportunities/{record.local_id}", None)]
    assert (written.local_id, gone.is_deleted) == (record.local_id, True)
    assert (again.violations, again.requests) == ((), ())
    plan = await ground.client.plan_update(gone, OpportunityValues(title="Too late"))
    with pytest.raises(NotFoundError):
        await plan.execute()
