"""What every adapter that writes does, with every position of its vendor's options."""

import dataclasses
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.reading import client_as, sound, whole_list
from tests.playground import Playground
from vendors.capabilities import ReadsAccounts, ReadsContacts, ReadsOpportunities, ReadsPipelines, ReadsUsers
from vendors.model import EVERYTHING, Money, Opportunity, OpportunityStatus, Ref, User
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
    WritePlan,
)

SAME = (
    "extension",
    "read_fields",
    "updated_at",
    "updated_by_ref",
    "last_activity_at",
    "revision",
    "account_refs",
    "contact_refs",
    "account_ref",
)


async def read(ground: Playground, local_id: str) -> Opportunity | None:
    found = (await client_as(ground.crm, ReadsOpportunities).opportunities_by_ids([local_id], EVERYTHING)).get(local_id)
    return None if found is None else sound(found)


async def made(plan: WritePlan) -> str:
    assert plan.violations == ()
    assert plan.requests
    written = await plan.execute()
    assert written.problems == ()
    return written.local_id


async def an_open_one(ground: Playground) -> Opportunity:
    """An opportunity that people work on, with an owner, a stage and an amount."""
    records = [
        record
        for record in await whole_list(ground.crm)
        if record.status is OpportunityStatus.OPEN
        and None not in (record.owner_ref, record.stage_ref, record.amount, record.expected_close_date)
        and isinstance(record.account_ref, Ref)
        and record.can_edit is not False
        and not record.is_archived
        and record.title
    ]
    for record in records:
        whole = await read(ground, record.local_id)
        if whole is not None and whole.stage_ref in await stages(ground) and await refers_well(ground, record):
            return whole
    raise AssertionError("the sandbox has none")


async def refers_well(ground: Playground, record: Opportunity) -> bool:
    """Whether its account and its owner are there: the sandboxes also have deals whose are not."""
    account, owner = record.account_ref, record.owner_ref
    if not isinstance(account, Ref) or owner is None:
        return False
    users = await client_as(ground.crm, ReadsUsers).users_by_ids([owner.local_id], EVERYTHING)
    user = users.get(owner.local_id)
    accounts = await client_as(ground.crm, ReadsAccounts).accounts_by_ids([account.local_id], EVERYTHING)
    return isinstance(user, User) and user.is_active is not False and account.local_id in accounts


async def stages(ground: Playground) -> list[Ref]:
    return [
        stage.ref
        for pipeline in await client_as(ground.crm, ReadsPipelines).pipelines()
        for stage in pipeline.stages
        if not stage.is_archived
    ]


async def values_like(ground: Playground, model: Opportunity) -> OpportunityValues:
    """What a new opportunity beside that one needs: its references are known to fit each other."""
    allowed = {rule.name for rule in await client_as(ground.crm, CreatesOpportunities).create_fields() if rule.is_allowed}
    amount = model.amount
    currency = None if amount is None or amount.currency_of is not None else amount.currency
    wanted: dict[str, Any] = {
        "title": "A deal of the contract suite",
        "description": "Öl, 5 %",
        "amount": Money(amount=Decimal("1250.50"), currency=currency),
        "expected_close_date": date(2027, 3, 31),
        "stage_id": None if model.stage_ref is None else model.stage_ref.local_id,
        "owner_id": None if model.owner_ref is None else model.owner_ref.local_id,
        "account_id": model.account_ref.local_id if isinstance(model.account_ref, Ref) else UNSET,
        "primary_contact_id": model.primary_contact_ref.local_id if model.primary_contact_ref is not None else UNSET,
    }
    return OpportunityValues(**{name: value for name, value in wanted.items() if name in allowed})


def unlike(before: Opportunity, after: Opportunity, but: Sequence[str] = ()) -> set[str]:
    """The attributes that differ."""
    names = {field.name for field in dataclasses.fields(Opportunity)} - {*SAME, *but}
    return {name for name in names if getattr(before, name) != getattr(after, name)}


async def test_what_is_created_is_read_back(ground: Playground) -> None:
    client = client_as(ground.crm, CreatesOpportunities)
    values = await values_like(ground, await an_open_one(ground))

    record = await read(ground, await made(await client.plan_create(values)))

    assert record is not None
    assert record.title.strip() == values.title
    assert record.amount is not None
    assert isinstance(values.amount, Money)
    assert record.amount.amount == values.amount.amount
    assert record.expected_close_date == values.expected_close_date
    assert (record.stage_ref, record.owner_ref) == tuple(
        Ref(ground.crm.key, str(local_id)) for local_id in (values.stage_id, values.owner_id)
    )
    assert record.status is OpportunityStatus.OPEN


async def test_a_create_without_anything_tells_all_that_is_missing_and_calls_nobody_to_write(ground: Playground) -> None:
    client = client_as(ground.crm, CreatesOpportunities)
    required = {rule.name for rule in await client.create_fields() if rule.is_required}

    plan = await client.plan_create(OpportunityValues())

    assert {".".join(violation.path[:1]) for violation in plan.violations} >= {name.split(".")[0] for name in required}
    assert "title" in required


async def test_an_update_changes_what_it_names_and_nothing_else(ground: Playground) -> None:
    client = client_as(ground.crm, UpdatesOpportunities)
    before = await an_open_one(ground)

    local_id = await made(await client.plan_update(before, OpportunityValues(title="Another title")))
    after = await read(ground, local_id)

    assert after is not None
    assert local_id == before.local_id
    assert after.title.strip() == "Another title"
    assert unlike(before, after) <= {"title"}


async def test_a_move_changes_the_stage(ground: Playground) -> None:
    client = client_as(ground.crm, MovesOpportunities)
    before = await an_open_one(ground)
    pipelines = await client_as(ground.crm, ReadsPipelines).pipelines()
    siblings = next(pipeline.stages for pipeline in pipelines if any(stage.ref == before.stage_ref for stage in pipeline.stages))
    target = next(stage for stage in siblings if stage.ref != before.stage_ref and not stage.is_archived)

    after = await read(ground, await made(await client.plan_move(before, target.local_id, None)))

    assert after is not None
    assert after.stage_ref == target.ref
    # A vendor may let the chance of winning follow the stage.
    assert unlike(before, after, ["probability_percent", "stage_changed_at"]) <= {"stage_ref", "expected_revenue"}


async def test_a_move_to_a_stage_that_is_not_there_is_refused_before_the_write(ground: Playground) -> None:
    client = client_as(ground.crm, MovesOpportunities)
    before = await an_open_one(ground)

    for unknown in ("999999999", "no such stage", "", "../1"):
        plan = await client.plan_move(before, unknown, None)
        assert [violation.path[:1] for violation in plan.violations] == [("stage_id",)], unknown


async def test_a_deal_is_closed_and_opened_again(ground: Playground) -> None:
    client = client_as(ground.crm, ClosesOpportunities)
    able = client.closable()
    if OpportunityStatus.WON not in able:
        pytest.skip(f"the settings of {ground.crm.key} do not say how a deal is won")
    before = await an_open_one(ground)

    won = await read(ground, await made(await client.plan_close(before, StatusValues(status=OpportunityStatus.WON))))
    assert won is not None
    assert won.status is OpportunityStatus.WON

    if OpportunityStatus.OPEN in able:
        again = await read(ground, await made(await client.plan_close(won, StatusValues(status=OpportunityStatus.OPEN))))
        assert again is not None
        assert again.status is OpportunityStatus.OPEN


async def test_what_is_deleted_is_gone(ground: Playground) -> None:
    client = client_as(ground.crm, DeletesOpportunities)
    before = await an_open_one(ground)

    await made(await client.plan_delete(before))

    after = await read(ground, before.local_id)
    assert after is None or after.is_deleted
    assert before.ref not in [record.ref for record in await whole_list(ground.crm)]


async def test_accounts_and_contacts_are_created(ground: Playground) -> None:
    if not isinstance(ground.crm.client, CreatesAccounts | CreatesContacts):
        pytest.skip(f"{ground.crm.vendor.key} creates neither")
    owner = (await an_open_one(ground)).owner_ref
    owner_id = UNSET if owner is None else owner.local_id
    account_id: str | None = None
    if isinstance(ground.crm.client, CreatesAccounts):
        plan = await ground.crm.client.plan_create_account(AccountValues(name="Contract & Söhne", phone="+49 40 555", owner_id=owner_id))
        if plan.violations and {violation.path for violation in plan.violations} == {("owner_id",)}:
            plan = await ground.crm.client.plan_create_account(AccountValues(name="Contract & Söhne", phone="+49 40 555"))
        account_id = await made(plan)
        account = sound((await client_as(ground.crm, ReadsAccounts).accounts_by_ids([account_id], EVERYTHING))[account_id])
        assert (account.name or "").strip() == "Contract & Söhne"
    if isinstance(ground.crm.client, CreatesContacts):
        person = ContactValues(
            first_name="Ida", last_name="Contract", email="ida@contract.example", account_id=UNSET if account_id is None else account_id
        )
        plan = await ground.crm.client.plan_create_contact(person)
        if plan.violations and {violation.path for violation in plan.violations} == {("owner_id",)}:
            plan = await ground.crm.client.plan_create_contact(dataclasses.replace(person, owner_id=owner_id))
        contact_id = await made(plan)
        contact = sound((await client_as(ground.crm, ReadsContacts).contacts_by_ids([contact_id], EVERYTHING))[contact_id])
        assert (contact.first_name, contact.last_name, contact.email) == ("Ida", "Contract", "ida@contract.example")
        assert contact.account_ref == (None if account_id is None else Ref(ground.crm.key, account_id))
