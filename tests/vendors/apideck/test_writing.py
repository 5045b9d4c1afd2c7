"""What Apideck's adapter sends when it writes, and what becomes of it at the vendor."""

import asyncio
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.vendors.apideck import openapi
from tests.vendors.apideck.scripted_vendor import Json, rows, scripted
from tests.vendors.apideck.writing_ground import COATING, CRANE, LIGHTS, WINCH, ground, own
from vendors.apideck.client import Client
from vendors.apideck.currencies import CURRENCIES
from vendors.apideck.inputs import ApideckExtendPathInput, ApideckOpportunityInput, ApideckPassThroughInput
from vendors.apideck.sandbox import SANDBOX
from vendors.extension import wire_names
from vendors.model import EVERYTHING, Money, OpportunityStatus, Ref
from vendors.sandbox import OptionValue
from vendors.writes import (
    AccountValues,
    ClosesOpportunities,
    ContactValues,
    CreatesAccounts,
    CreatesContacts,
    CreatesOpportunities,
    DeletesOpportunities,
    MovesOpportunities,
    OpportunityValues,
    RuleCode,
    StatusValues,
    UpdatesOpportunities,
)

ANNA, MIRA = "71004012", "71004011"
COMPANY = "6214407303"
WON, LOST, OPEN = OpportunityStatus.WON, OpportunityStatus.LOST, OpportunityStatus.OPEN
POSITIONS = SANDBOX.positions()


def _name(options: Mapping[str, OptionValue]) -> str:
    return "hardest" if len(options) > 1 else ",".join(f"{name}={value}" for name, value in options.items()) or "defaults"


WHOLE = OpportunityValues(
    title="  Lashing bridge, berth 7 ",
    description="",
    amount=Money(amount=Decimal("12345678901234567890.10"), currency="CAD"),
    probability_percent=12.5,
    expected_close_date=date(2027, 3, 1),
    stage_id="default~presentationscheduled",
    owner_id=ANNA,
    account_id=COMPANY,
    contact_ids=("251", "252"),
    primary_contact_id="252",
    type="New business",
    lead_source="Website",
    tags=("new", "Öl"),
    custom_fields={"berth": "7", "sizes": [1, "two", None, {"three": Decimal("3.10")}], "none": None, "big": 2**80},
    extension=own(
        status="open",
        status_id="s1",
        priority="high",
        loss_reason=None,
        won_reason_id="w1",
        won_reason="Price",
        source_id="1201",
        lead_id="L-1",
        contact_id="251",
        stage_last_changed_at=datetime(2026, 11, 1, 8, 0, 0, 123_456, tzinfo=UTC),
        pass_through=(
            ApideckPassThroughInput(
                extend_object={"a": {"b": 1.5}},
                extend_paths=(ApideckExtendPathInput(path="$.x", value=[1]), ApideckExtendPathInput(path="$.y")),
            ),
            ApideckPassThroughInput(service_id="hubspot", operation_id="dealsAdd"),
        ),
    ),
)


async def test_a_create_carries_every_value_in_the_vendors_spelling() -> None:
    async with ground() as made:
        plan = await made.client.plan_create(WHOLE)
        body = await made.make(plan)
        text = made.sent[-1].text

    assert body == {
        "title": "  Lashing bridge, berth 7 ",
        "description": "",
        "monetary_amount": Decimal("12345678901234567890.10"),
        "currency": "CAD",
        "win_probability": Decimal("12.5"),
        "close_date": "2027-03-01",
        "pipeline_id": "default",
        "pipeline_stage_id": "presentationscheduled",
        "owner_id": ANNA,
        "company_id": COMPANY,
        "primary_contact_id": "252",
        "contact_ids": ["252", "251"],
        "type": "New business",
        "lead_source": "Website",
        "tags": ["new", "Öl"],
        "custom_fields": [
            {"id": "berth", "value": "7"},
            {"id": "sizes", "value": [1, "two", None, {"three": Decimal("3.10")}]},
            {"id": "big", "value": 2**80},
        ],
        "status": "open",
        "status_id": "s1",
        "priority": "high",
        "won_reason_id": "w1",
        "won_reason": "Price",
        "source_id": "1201",
        "lead_id": "L-1",
        "contact_id": "251",
        "stage_last_changed_at": "2026-11-01T08:00:00.123Z",
        "pass_through": [
            {
                "service_id": "hubspot",
                "extend_object": {"a": {"b": Decimal("1.5")}},
                "extend_paths": [{"path": "$.x", "value": [1]}, {"path": "$.y", "value": None}],
            },
            {"service_id": "hubspot", "operation_id": "dealsAdd"},
        ],
    }
    assert '"monetary_amount":12345678901234567890.10,' in text


async def test_what_was_created_is_read_again_and_not_echoed() -> None:
    async with ground() as made:
        plan = await made.client.plan_create(WHOLE)
        written = await plan.execute()
        record = await made.deal(written.local_id)

    assert written.problems == ()
    assert record.title == "Lashing bridge, berth 7"  # the blanks around it are gone
    assert (record.stage_ref, record.owner_ref) == (Ref("americas", "default~presentationscheduled"), Ref("americas", ANNA))
    assert (record.primary_contact_ref, record.account_ref) == (Ref("americas", "252"), Ref("americas", COMPANY))
    assert (record.priority, record.tags) == ("high", ("new", "Öl"))
    assert record.account_name == "Bayport Container Terminal"


async def test_a_title_is_all_that_a_create_sends_where_no_more_is_given() -> None:
    names = ["description", "amount", "probability_percent", "expected_close_date", "pipeline_id", "stage_id", "owner_id", "account_id"]
    nothing = dict.fromkeys([*names, "account_ids", "primary_contact_id", "contact_ids", "type", "lead_source", "tags"])
    empty = own(**dict.fromkeys(item.name for item in fields(ApideckOpportunityInput)))
    given: dict[str, Any] = {**nothing, "extension": empty, "custom_fields": {"a": None}}
    async with ground() as made:
        assert await made.make(await made.client.plan_create(OpportunityValues(title="y", **given))) == {"title": "y"}
        assert await made.make(await made.client.plan_create(OpportunityValues(title="x"))) == {"title": "x"}
        assert made.sandbox.control.operations() == ["opportunitiesAdd", "opportunitiesAdd"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0.1", "0.1"),
        ("-7", "-7"),
        ("1E+3", "1000"),
        ("0E+99", "0"),
        ("0E-400", "0"),
        ("1250.50", "1250.50"),
        ("0.00000000000000000000000000000000000000000000000001", "0.00000000000000000000000000000000000000000000000001"),
    ],
)
async def test_amounts_are_sent_digit_by_digit(number: str, text: str) -> None:
    async with ground() as made:
        await made.make(await made.client.plan_create(OpportunityValues(title="x", amount=Money(amount=Decimal(number)))))

        assert made.sent[-1].text == f'{{"title":"x","monetary_amount":{text}}}'


@pytest.mark.parametrize(("percent", "text"), [(40.0, "40"), (0.0, "0"), (100, "100"), (33.33, "33.33"), (1e-7, "0.0000001")])
async def test_a_chance_is_a_plain_number(percent: float, text: str) -> None:
    async with ground() as made:
        await made.make(await made.client.plan_create(OpportunityValues(title="x", probability_percent=percent)))

        assert made.sent[-1].text == f'{{"title":"x","win_probability":{text}}}'


# Changes.


async def test_an_update_repeats_the_title_and_names_only_what_changes() -> None:
    async with ground() as made:
        deal = await made.deal()
        before = made.record(CRANE)

        body = await made.update(deal, amount=Money(amount=Decimal(5)))
        after = made.record(CRANE)

    assert body == {"title": "Quay crane retrofit, berth 4", "monetary_amount": 5}
    assert {key for key in after if after[key] != before.get(key)} == {"monetary_amount", "expected_revenue", "updated_at", "updated_by"}


async def test_null_clears_and_absent_leaves_alone() -> None:
    async with ground() as made:
        deal = await made.deal()
        names = ["description", "amount", "probability_percent", "expected_close_date", "pipeline_id", "owner_id", "account_id", "type"]
        cleared = dict.fromkeys([*names, "lead_source", "tags", "primary_contact_id", "contact_ids"])

        body = await made.update(deal, **cleared, custom_fields={"berth": None}, extension=own(priority=None, source_id=None))
        after = await made.deal()

    assert {name for name, value in body.items() if value is None} == {
        *("description", "monetary_amount", "win_probability", "close_date", "pipeline_id", "pipeline_stage_id", "owner_id", "company_id"),
        *("company_name", "type", "lead_source", "primary_contact_id", "contact_id", "priority", "source_id"),
    }
    assert (body["tags"], body["contact_ids"]) == ([], [])
    assert (after.amount, after.stage_ref, after.owner_ref, after.account_ref, after.account_name) == (None,) * 5
    assert (after.contact_refs, after.tags, after.priority, after.expected_close_date) == ((), (), None, None)
    assert next(entry.value for entry in after.custom_fields or () if entry.key == "berth") is None


async def test_an_update_of_nothing_calls_nobody() -> None:
    async with ground() as made:
        deal = await made.deal()
        plan = await made.client.plan_update(deal, OpportunityValues(custom_fields={}, extension=own()))
        written = await plan.execute()

        assert (plan.requests, plan.violations, written.local_id) == ((), (), CRANE)
        assert made.sent == []


async def test_two_updates_of_what_was_read_once_lose_no_other_field() -> None:
    async with ground() as made:
        deal = await made.deal()
        await made.update(deal, description="First", custom_fields={"berth": "9"})
        await made.update(deal, owner_id=MIRA, extension=own(priority="low"))
        after = await made.deal()

    assert (after.description, after.owner_ref, after.priority) == ("First", Ref("americas", MIRA), "low")
    assert next(entry.value for entry in after.custom_fields or () if entry.key == "berth") == "9"
    assert (after.contact_refs, after.amount, after.tags) == (deal.contact_refs, deal.amount, deal.tags)


@pytest.mark.parametrize("way", ["merged", "replaced"])
async def test_custom_fields_that_are_not_named_stay_whatever_the_vendor_does_to_them(way: str) -> None:
    async with ground({"custom_fields": way}) as made:
        deal = await made.deal()
        body = await made.update(deal, custom_fields={"berth": "5", "fresh": True, "scope": None})
        after = await made.deal()
        coats = await made.update(await made.deal(COATING), custom_fields={"Coats": 4})

    before = {entry.key: entry.value for entry in deal.custom_fields or () if entry.value is not None}
    assert {entry.key: entry.value for entry in after.custom_fields or () if entry.value is not None} == {
        **{key: value for key, value in before.items() if key != "scope"},
        "berth": "5",
        "fresh": True,
    }
    assert body["custom_fields"][0] == {"id": "berth", "name": "Berth", "value": "5"}
    permit = {"id": "needs_permit", "name": "Needs permit", "description": "City permit for night work", "value": True}
    assert body["custom_fields"][2] == permit
    assert "notes_internal" not in {entry["id"] for entry in body["custom_fields"]}
    assert coats["custom_fields"] == [{"id": "dock_slot", "name": "Dock slot", "value": "2027-W05"}, {"name": "Coats", "value": 4}]


# Contacts and accounts.


@pytest.mark.parametrize(
    ("deal_id", "values", "sent", "contacts"),
    [
        # Replacing the set.
        (
            CRANE,
            {"contact_ids": ("251", "252")},
            {"primary_contact_id": "251", "contact_ids": ["251", "252"], "contact_id": "251"},
            "251 252",
        ),
        (CRANE, {"contact_ids": ("151", "101")}, {"primary_contact_id": "151", "contact_ids": ["151", "101"]}, "151 101"),
        (
            CRANE,
            {"contact_ids": ("251", "151"), "primary_contact_id": "151"},
            {"primary_contact_id": "151", "contact_ids": ["151", "251"], "contact_id": "151"},
            "151 251",
        ),
        (CRANE, {"contact_ids": ()}, {"primary_contact_id": None, "contact_ids": [], "contact_id": None}, ""),
        # Another primary contact; the one before stays a contact.
        (CRANE, {"primary_contact_id": "151"}, {"primary_contact_id": "151", "contact_ids": ["151", "101"]}, "151 101"),
        (LIGHTS, {"primary_contact_id": "302"}, {"primary_contact_id": "302", "contact_ids": ["302", "301"]}, "302 301"),
        (CRANE, {"primary_contact_id": None}, {"primary_contact_id": None, "contact_ids": ["101", "151"], "contact_id": None}, "101 151"),
        # Adding and removing.
        (CRANE, {"add_contact_ids": ("251", "151")}, {"primary_contact_id": "101", "contact_ids": ["101", "151", "251"]}, "101 151 251"),
        (CRANE, {"remove_contact_ids": ("151", "999")}, {"primary_contact_id": "101", "contact_ids": ["101"]}, "101"),
        (CRANE, {"remove_contact_ids": ("101",)}, {"primary_contact_id": "151", "contact_ids": ["151"], "contact_id": "151"}, "151"),
        (LIGHTS, {"remove_contact_ids": ("301",)}, {"primary_contact_id": None, "contact_ids": [], "contact_id": None}, ""),
        (WINCH, {"remove_contact_ids": ("302",)}, {"primary_contact_id": "301", "contact_ids": ["301"], "contact_id": "301"}, "301"),
        (
            LIGHTS,
            {"add_contact_ids": ("302",), "remove_contact_ids": ("301",)},
            {"primary_contact_id": "302", "contact_ids": ["302"], "contact_id": "302"},
            "302",
        ),
        # The contact beside them.
        (CRANE, {"extension": own(contact_id="251")}, {"contact_id": "251"}, "101 251 151"),
    ],
)
async def test_contacts_are_replaced_added_and_removed(deal_id: str, values: dict[str, Any], sent: dict[str, Any], contacts: str) -> None:
    async with ground() as made:
        deal = await made.deal(deal_id)
        body = await made.update(deal, **values)
        after = await made.deal(deal_id)

    assert body == {"title": deal.title, **sent}
    assert isinstance(after.contact_refs, tuple)
    assert [ref.local_id for ref in after.contact_refs] == contacts.split()
    primary = sent.get("primary_contact_id", "101")
    assert after.primary_contact_ref == (None if primary is None else Ref("americas", primary))


async def test_a_deal_without_a_primary_contact_gets_none_by_adding_one() -> None:
    async with ground() as made:
        await made.update(await made.deal(), primary_contact_id=None)
        added = await made.update(await made.deal(), add_contact_ids=("251",))
        await made.update(await made.deal(), contact_ids=())
        first = await made.update(await made.deal(), add_contact_ids=("252",))

    assert added["contact_ids"] == ["101", "151", "251"]
    assert "primary_contact_id" not in added
    assert (first["primary_contact_id"], first["contact_ids"]) == ("252", ["252"])


@pytest.mark.parametrize(
    ("values", "sent"),
    [
        ({"account_id": COMPANY}, {"company_id": COMPANY}),
        ({"account_ids": (COMPANY,)}, {"company_id": COMPANY}),
        ({"account_ids": (COMPANY, COMPANY), "account_id": COMPANY}, {"company_id": COMPANY}),
        ({"account_ids": ()}, {"company_id": None, "company_name": None}),
        ({"account_id": None}, {"company_id": None, "company_name": None}),
        ({"account_id": None, "extension": own(company_name="Somebody")}, {"company_id": None, "company_name": "Somebody"}),
    ],
)
async def test_the_account_is_one_company(values: dict[str, Any], sent: dict[str, Any]) -> None:
    async with ground() as made:
        deal = await made.deal()
        assert await made.update(deal, **values) == {"title": deal.title, **sent}


# Stages.


@pytest.mark.parametrize("options", POSITIONS, ids=_name)
async def test_updates_and_moves_work_in_every_position(options: Mapping[str, OptionValue]) -> None:
    async with ground(options) as made:
        deal = await made.deal(LIGHTS)
        stage = next(
            stage
            for pipeline in await made.client.pipelines()
            for stage in pipeline.stages
            if stage.pipeline_ref == deal.pipeline_ref and stage.name == "Contract sent"
        )
        await made.update(deal, description="Changed", add_contact_ids=("302",), custom_fields={"a": 1})
        plan = await made.client.plan_move(await made.deal(LIGHTS), stage.ref.local_id, own(priority="low"))
        await made.make(plan)
        moved = await made.deal(LIGHTS)
        elsewhere = next(stage for pipeline in await made.client.pipelines() for stage in pipeline.stages if stage.name == "Parked")
        await made.make(await made.client.plan_move(moved, elsewhere.ref.local_id, None))
        again = await made.deal(LIGHTS)

    assert (moved.stage_ref, moved.pipeline_ref, moved.description, moved.priority) == (stage.ref, deal.pipeline_ref, "Changed", "low")
    assert (again.stage_ref, again.pipeline_ref, again.title) == (elsewhere.ref, elsewhere.pipeline_ref, deal.title)
    assert isinstance(again.contact_refs, tuple)
    assert [ref.local_id for ref in again.contact_refs] == ["301", "302"]


async def test_a_move_names_pipeline_and_stage_and_repeats_the_title() -> None:
    async with ground() as made:
        plan = await made.client.plan_move(await made.deal(LIGHTS), "74215630~148220912", own(status="in progress"))

        assert await made.make(plan) == {
            "title": "Deck lighting 2027",
            "pipeline_id": "74215630",
            "pipeline_stage_id": "148220912",
            "status": "in progress",
        }


async def test_a_pipeline_can_be_given_without_a_stage() -> None:
    async with ground() as made:
        body = await made.make(await made.client.plan_create(OpportunityValues(title="x", pipeline_id="default")))
        both = OpportunityValues(title="x", pipeline_id="default", stage_id="default~contractsent")

        assert body == {"title": "x", "pipeline_id": "default"}
        assert await made.make(await made.client.plan_create(both)) == {**body, "pipeline_stage_id": "contractsent"}


# Closing, deleting, accounts and contacts.


async def test_a_deal_is_won_lost_and_opened_by_the_configured_words() -> None:
    async with ground(won_status="Gewonnen", lost_status="verloren", open_status="Offen") as made:
        assert made.client.closable() == {WON, LOST, OPEN}
        title = {"title": "Deck lighting 2027"}
        days = {datetime.now(UTC).date().isoformat()}
        won = await made.make(await made.client.plan_close(await made.deal(LIGHTS), StatusValues(status=WON, reason_detail="Price")))
        days.add(datetime.now(UTC).date().isoformat())
        is_won = await made.deal(LIGHTS)
        lose = StatusValues(status=LOST, reason_id="r1", reason_detail=None, closed_on=date(2026, 10, 1))
        lost = await made.make(await made.client.plan_close(is_won, lose))
        is_lost = await made.deal(LIGHTS)
        opened = await made.make(await made.client.plan_close(is_lost, StatusValues(status=OPEN, reason_id=None)))
        is_open = await made.deal(LIGHTS)

    assert won.pop("close_date") in days
    assert won == {**title, "status": "Gewonnen", "won_reason": "Price"}
    expected = {"loss_reason_id": "r1", "loss_reason": None, "won_reason": None}
    assert lost == {**title, "status": "verloren", "close_date": "2026-10-01", **expected}
    assert opened == {**title, "status": "Offen", "close_date": None, "loss_reason_id": None}
    assert [deal.status for deal in (is_won, is_lost, is_open)] == [WON, LOST, OPEN]
    assert (is_lost.actual_close_date, is_lost.won_reason, is_open.loss_reason) == (date(2026, 10, 1), None, None)


async def test_without_words_for_it_nothing_can_be_closed() -> None:
    async with ground(won_status=None, lost_status=None, open_status="open") as made:
        assert made.client.closable() == {OPEN}
    async with ground(won_status=None, lost_status=None, open_status=None) as made:
        assert made.client.closable() == frozenset()


async def test_a_delete_is_one_call_with_the_id_in_its_path() -> None:
    async with ground() as made:
        plan = await made.client.plan_delete(await made.deal(LIGHTS))

        assert await made.make(plan) is None
        assert [(call.method, call.path) for call in made.sent] == [("DELETE", f"/crm/opportunities/{LIGHTS}")]
        assert await made.client.opportunities_by_ids([LIGHTS], EVERYTHING) == {}


async def test_a_company_is_created_with_what_is_given() -> None:
    values = AccountValues(name="Öl & Söhne", email="jo@oel.example", phone="+49 40 1", website="https://oel.example", owner_id=ANNA)
    async with ground() as made:
        body = await made.make(await made.client.plan_create_account(values))
        plain = await made.make(await made.client.plan_create_account(AccountValues(name="x", email=None, owner_id=None)))

    assert body == {
        "name": "Öl & Söhne",
        "emails": [{"email": "jo@oel.example", "type": "primary"}],
        "phone_numbers": [{"number": "+49 40 1", "type": "primary"}],
        "websites": [{"url": "https://oel.example", "type": "primary"}],
        "owner_id": ANNA,
    }
    assert plain == {"name": "x"}


async def test_a_contact_is_created_with_what_is_given() -> None:
    values = ContactValues(
        first_name="Jo", last_name="Öl", email="jo@oel.example", phone="1", title="CEO", account_id=COMPANY, owner_id=ANNA
    )
    async with ground() as made:
        contact_id = (await (await made.client.plan_create_contact(values)).execute()).local_id
        body = made.sent[-1].body
        read = (await made.client.contacts_by_ids([contact_id], EVERYTHING))[contact_id]

    assert body == {
        "first_name": "Jo",
        "last_name": "Öl",
        "title": "CEO",
        "emails": [{"email": "jo@oel.example", "type": "primary"}],
        "phone_numbers": [{"number": "1", "type": "primary"}],
        "company_id": COMPANY,
        "owner_id": ANNA,
    }
    assert (getattr(read, "name", None), getattr(read, "email", None)) == ("Jo Öl", "jo@oel.example")


# What is planned from.


async def test_planning_looks_up_only_what_is_new() -> None:
    async with ground() as made:
        deal = await made.deal()
        await made.client.pipelines()
        await made.client.users()
        made.sandbox.control.calls.clear()

        same = OpportunityValues(
            owner_id=ANNA, account_id="6214407301", contact_ids=("151", "101"), stage_id="default~contractsent", title="x"
        )
        await made.client.plan_update(deal, same)
        assert made.sandbox.control.operations() == []

        other = OpportunityValues(owner_id=MIRA, account_id=COMPANY, add_contact_ids=("251",), extension=own(contact_id="252"))
        plan = await made.client.plan_update(deal, other)
        assert plan.violations == ()
        assert sorted(made.sandbox.control.operations()) == ["companiesOne", "contactsOne", "contactsOne"]


async def test_a_stage_that_was_just_made_is_found() -> None:
    stages = [{"id": "s1"}]

    def answer(_path: str, _query: dict[str, str]) -> Json:
        return rows([{"id": "p", "name": "P", "stages": stages}])

    async with scripted(answer, service_id="hubspot") as (made, client):
        values = OpportunityValues(title="x", stage_id="p~s2")
        before = await client.plan_create(values)
        stages.append({"id": "s2"})
        at_once = await client.plan_create(values)
        made.now = 31.0  # from then on a miss is worth another look
        after = await client.plan_create(values)

    assert [len(plan.violations) for plan in (before, at_once, after)] == [1, 1, 0]
    assert made.paths() == ["pipelines", "pipelines"]


async def test_a_read_after_a_write_never_shares_one_from_before_it() -> None:
    async with ground() as made:
        deal = await made.deal(LIGHTS)
        made.sandbox.control.calls.clear()
        made.arrived.clear()
        made.sandbox.control.latency_seconds = 0.05
        plan = await made.client.plan_update(deal, OpportunityValues(description="New"))
        early = asyncio.ensure_future(made.deal(LIGHTS))
        await made.arrived.wait()
        made.sandbox.control.latency_seconds = 0.0
        await plan.execute()
        late = await made.deal(LIGHTS)
        await early

    assert late.description == "New"
    assert made.sandbox.control.count("opportunitiesOne") == 2


# What there is to write.


def test_the_client_writes_everything() -> None:
    protocols = [CreatesOpportunities, UpdatesOpportunities, MovesOpportunities, ClosesOpportunities, DeletesOpportunities]
    for protocol in (*protocols, CreatesAccounts, CreatesContacts):
        assert issubclass(Client, protocol)


async def test_create_fields_tell_of_every_value() -> None:
    async with ground() as made:
        rules = {rule.name: rule for rule in await made.client.create_fields()}
    async with ground(service_id="salesforce", require_primary_contact=True) as made:
        strict = {rule.name for rule in await made.client.create_fields() if rule.is_required}

    own_names = {f"extension.{item.name}" for item in fields(ApideckOpportunityInput)}
    assert set(rules) == {item.name for item in fields(OpportunityValues)} - {"extension"} | own_names
    assert {name for name, rule in rules.items() if rule.is_required} == {"title"}
    assert {name for name, rule in rules.items() if not rule.is_allowed} == {"add_contact_ids", "remove_contact_ids"}
    assert strict == {"title", "primary_contact_id", "expected_close_date", "stage_id"}


@pytest.mark.skipif(openapi.unavailable() is not None, reason=str(openapi.unavailable()))
def test_every_field_that_the_document_lets_be_written_can_be_and_no_other() -> None:
    properties = openapi.record_properties("/crm/opportunities")
    writable = {name for name, schema in properties.items() if not openapi.marks(schema)[1]}
    unified = {"title", "description", "monetary_amount", "currency", "win_probability", "close_date", "pipeline_id", "pipeline_stage_id"}
    unified |= {"owner_id", "company_id", "primary_contact_id", "contact_ids", "type", "lead_source", "tags", "custom_fields"}

    assert unified | set(wire_names(ApideckOpportunityInput).values()) | {"pass_through"} == writable
    assert {code for code in properties["currency"]["enum"] if code} - {"UNKNOWN_CURRENCY"} == CURRENCIES


@pytest.mark.parametrize("blank", ["", "   ", "\n"])
async def test_a_blank_text_is_none_where_one_is_demanded(blank: str) -> None:
    async with ground() as made:
        deal = await made.client.plan_create(OpportunityValues(title=blank))
        account = await made.client.plan_create_account(AccountValues(name=blank))

        assert [(violation.path, violation.code) for violation in deal.violations] == [(("title",), RuleCode.REQUIRED)]
        assert [(violation.path, violation.code) for violation in account.violations] == [(("name",), RuleCode.REQUIRED)]
        assert not made.sent


async def test_what_is_so_already_keeps_its_day() -> None:
    async with ground() as made:
        deal = await made.deal(LIGHTS)
        assert deal.status is OpportunityStatus.OPEN
        opened = await made.client.plan_close(deal, StatusValues(status=OpportunityStatus.OPEN))
        await made.make(await made.client.plan_close(deal, StatusValues(status=OpportunityStatus.WON, closed_on=date(2026, 11, 20))))
        won = await made.client.plan_close(await made.deal(LIGHTS), StatusValues(status=OpportunityStatus.WON))

    assert all(b"close_date" not in (request.body or b"") for plan in (opened, won) for request in plan.requests)
