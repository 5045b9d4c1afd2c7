"""What is sent when something is written into Lead Gen & CRM, and what it then holds."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.vendors.sharpspring.scripted_vendor import scripted
from tests.vendors.sharpspring.writing_ground import (
    BUDGET,
    CAPACITY,
    CLOSED_LOST,
    DAY,
    DECK_LIGHTING,
    DRONES,
    FAIR,
    FJORD,
    HENRIK,
    IDA,
    JURGEN,
    KARI,
    LARS,
    LENE,
    NEGOTIATION,
    NEW,
    OSLOFJORD,
    PERMIT,
    PROJECT,
    QUALIFIED,
    TOVE,
    ground,
)
from vendors.extension import VendorId
from vendors.model import EVERYTHING, Account, Contact, Money, Opportunity, OpportunityStatus, Ref
from vendors.registry import Crm
from vendors.sandbox import OptionValue
from vendors.sharpspring import VENDOR
from vendors.sharpspring.client import Client
from vendors.sharpspring.extension import SharpspringOpportunityFields
from vendors.sharpspring.inputs import SharpspringOpportunityInput
from vendors.sharpspring.sandbox import SANDBOX
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
    StatusValues,
    UpdatesOpportunities,
)

WON, LOST, OPEN = OpportunityStatus.WON, OpportunityStatus.LOST, OpportunityStatus.OPEN
POSITIONS = pytest.mark.parametrize("options", SANDBOX.positions(), ids=str)
# Source: Lead Gen & CRM Open API Schema: Opportunities (vendor help, article 50887), table "Opportunity": name, type.
DOCUMENTED: dict[str, type] = {
    "id": int,
    "ownerID": int,
    "dealStageID": int,
    "accountID": int,
    "campaignID": int,
    "opportunityName": str,
    "probability": Decimal,
    "amount": Decimal,
    "isClosed": int,
    "isWon": int,
    "isActive": int,
    "closeDate": str,
    "originatingLeadID": int,
    "primaryLeadID": int,
}
FULL = replace(
    NEW,
    amount=Money(amount=Decimal("1840000.123456789"), currency="NOK"),
    probability_percent=62.5,
    account_id=FJORD,
    primary_contact_id=LENE,
    contact_ids=(IDA, LENE, JURGEN),
    custom_fields={PROJECT: "G-1", CAPACITY: 65, PERMIT: True, DAY: "2027-05-03", BUDGET: "12.50"},
    extension=SharpspringOpportunityInput(
        campaign_id=VendorId(FAIR), originating_lead_id=VendorId(KARI), is_closed=True, is_won=True, is_active=True
    ),
)


def refs(crm: Crm, *ids: str) -> tuple[Ref, ...]:
    return tuple(Ref(crm.key, local_id) for local_id in ids)


def test_the_client_writes_all_that_the_vendor_can() -> None:
    for protocol in (
        CreatesOpportunities,
        UpdatesOpportunities,
        MovesOpportunities,
        ClosesOpportunities,
        DeletesOpportunities,
        CreatesAccounts,
        CreatesContacts,
    ):
        assert issubclass(VENDOR.client, protocol)
    assert VENDOR.inputs == {"Opportunity": SharpspringOpportunityInput}


# Creating.


async def test_a_create_carries_the_documented_fields_in_their_types() -> None:
    async with ground() as made:
        plan = await made.client.plan_create(FULL)

        create, links = (json.loads(request.body or b"", parse_float=Decimal) for request in plan.requests)
        assert (create["method"], links["method"]) == ("createOpportunities", "createOpportunityLeads")
        assert create.keys() == {"method", "params", "id"}
        (sent,) = create["params"]["objects"]
        assert sent == {
            "ownerID": 312000001,
            "dealStageID": 70110012,
            "accountID": 40112233401,
            "campaignID": 21600014,
            "opportunityName": "Gantry crane & rails",
            "probability": Decimal("62.5"),
            "amount": Decimal("1840000.123456789"),
            "isClosed": 1,
            "isWon": 1,
            "isActive": 1,
            "closeDate": "2027-02-01 00:00:00",
            "originatingLeadID": 88038560018,
            "primaryLeadID": 88038560001,
            PROJECT: "G-1",
            CAPACITY: "65",
            PERMIT: "1",
            DAY: "2027-05-03",
            BUDGET: "12.5",
        }
        assert sent.keys() & DOCUMENTED.keys() == DOCUMENTED.keys() - {"id"}
        assert all(type(value) is DOCUMENTED.get(name, str) for name, value in sent.items())
        assert b'"amount":1840000.123456789' in (plan.requests[0].body or b"")
        assert links["params"]["objects"] == [
            {"opportunityID": "{id}", "leadID": 88038560009},
            {"opportunityID": "{id}", "leadID": 88038560004},
        ]


async def test_what_was_planned_is_what_is_sent_but_for_the_new_id() -> None:
    async with ground() as made:
        plan = await made.client.plan_create(FULL)
        assert made.writes() == []

        written = await plan.execute()

        calls = [call for call in made.made.control.calls if call.operation.startswith("create")]
        planned = [(request.body or b"").decode().replace('"{id}"', written.local_id) for request in plan.requests]
        assert [call.body for call in calls] == planned
        assert all(request.read is False and request.method == "POST" for request in plan.requests)
        assert written.problems == ()


async def test_what_is_created_can_be_read_back() -> None:
    async with ground() as made:
        written = await (await made.client.plan_create(FULL)).execute()

        record = await made.read(written.local_id)
        own = record.extension
        assert isinstance(own, SharpspringOpportunityFields)
        assert record.title == "Gantry crane & rails"
        assert record.amount == Money(amount=Decimal("1840000.123456789"), currency="NOK")
        assert (record.probability_percent, record.status, record.close_date) == (62.5, WON, date(2027, 2, 1))
        assert (record.account_ref, record.primary_contact_ref) == refs(made.made.crm, FJORD, LENE)
        assert record.contact_refs == refs(made.made.crm, LENE, IDA, JURGEN)
        assert (own.campaign_id, own.originating_lead_id, own.is_active) == (FAIR, KARI, True)
        custom = {field.key: field.value for field in record.custom_fields or ()}
        assert (custom[PROJECT], custom[CAPACITY], custom[PERMIT], custom[DAY], custom[BUDGET]) == ("G-1", 65, True, "2027-05-03", 12.5)


async def test_what_is_not_given_is_left_to_the_vendor() -> None:
    async with ground() as made:
        await made.create()
        await made.create(account_id=None, amount=None, probability_percent=None, primary_contact_id=None, contact_ids=None)

        plain = {
            "ownerID": 312000001,
            "dealStageID": 70110012,
            "opportunityName": "Gantry crane & rails",
            "closeDate": "2027-02-01 00:00:00",
        }
        assert made.writes() == [("createOpportunities", [plain])] * 2


@pytest.mark.parametrize(
    ("values", "primary", "linked"),
    [
        ({"contact_ids": (IDA, HENRIK, IDA)}, IDA, {HENRIK}),
        ({"contact_ids": (IDA, HENRIK), "primary_contact_id": HENRIK}, HENRIK, {IDA}),
        ({"primary_contact_id": HENRIK}, HENRIK, set[str]()),
        ({"contact_ids": ()}, None, set[str]()),
    ],
)
async def test_the_primary_contact_is_in_the_row_and_the_others_are_connected(
    values: dict[str, Any], primary: str | None, linked: set[str]
) -> None:
    async with ground() as made:
        written = await made.create(**values)

        assert made.row(written.local_id)["primaryLeadID"] == (None if primary is None else int(primary))
        assert made.leads_of(written.local_id) == linked


async def test_more_than_500_contacts_are_connected_in_several_calls() -> None:
    async with ground() as made:
        leads = made.store.tables["lead"]
        many = [str(88_000_000_000 + number) for number in range(502)]
        for lead in many:
            leads.put(leads.rows[int(LENE)] | {"id": int(lead), "emailAddress": f"{lead}@many.example"})

        written = await made.create(contact_ids=tuple(many))

        assert [len(objects) for _, objects in made.writes()] == [1, 500, 1]
        assert len(made.leads_of(written.local_id)) == 501


async def test_the_vendor_may_alter_what_is_written_and_a_second_read_tells() -> None:
    async with ground() as made:
        written = await made.create(title="  Gantry crane  ")

        assert made.writes()[0][1][0]["opportunityName"] == "  Gantry crane  "
        assert (await made.read(written.local_id)).title == "Gantry crane"


async def test_a_day_is_written_so_that_it_is_read_as_the_same_day_in_the_company_s_zone() -> None:
    async with ground(settings={"api_version": "v1", "time_zone": "Europe/Oslo"}) as made:
        written = await made.create(expected_close_date=date(2027, 7, 1))

        assert made.row(written.local_id)["closeDate"] == "2027-06-30 22:00:00"
        assert (await made.read(written.local_id)).expected_close_date == date(2027, 7, 1)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("day", [date(1970, 1, 2), date(9999, 12, 30)])
async def test_the_first_and_the_last_day_are_read_back_in_any_zone(zone: str, day: date) -> None:
    async with ground(settings={"api_version": "v1", "time_zone": zone}) as made:
        written = await made.create(expected_close_date=day)

        assert (await made.read(written.local_id)).expected_close_date == day


@POSITIONS
async def test_a_create_works_in_every_option_position(options: dict[str, OptionValue]) -> None:
    async with ground(options) as made:
        written = await made.create(account_ids=(FJORD,), contact_ids=(IDA, LENE))

        record = await made.read(written.local_id)
        assert (record.title, record.status, record.expected_close_date) == (NEW.title, OPEN, date(2027, 2, 1))
        assert record.account_refs == refs(made.made.crm, FJORD)
        assert record.contact_refs == refs(made.made.crm, IDA, LENE)
        assert written.problems == ()


# Updating.


@POSITIONS
async def test_an_update_changes_what_it_names_in_every_option_position(options: dict[str, OptionValue]) -> None:
    async with ground(options) as made:
        before = await made.read()

        await made.update(title="Deck lights", amount=Money(amount=Decimal("7.25"), currency="NOK"), account_id=FJORD)

        after = await made.read()
        assert made.writes() == [
            (
                "updateOpportunities",
                [{"id": int(DECK_LIGHTING), "accountID": int(FJORD), "opportunityName": "Deck lights", "amount": 7.25}],
            )
        ]
        (account,) = refs(made.made.crm, FJORD)
        expected = replace(
            before,
            title="Deck lights",
            amount=Money(amount=Decimal("7.25"), currency="NOK"),
            account_ref=account,
            account_refs=(account,),
        )
        assert replace(after, updated_at=None) == replace(expected, updated_at=None)


async def test_two_updates_of_one_reading_do_not_lose_each_others_fields() -> None:
    async with ground() as made:
        current = await made.read()
        first = await made.client.plan_update(current, OpportunityValues(title="Deck lights", custom_fields={PROJECT: "new"}))
        second = await made.client.plan_update(current, OpportunityValues(owner_id=TOVE, custom_fields={CAPACITY: "12"}))

        await first.execute()
        await second.execute()

        row = made.row(DECK_LIGHTING)
        assert (row["opportunityName"], row["ownerID"], row[PROJECT], row[CAPACITY]) == ("Deck lights", int(TOVE), "new", "12")
        assert row["accountID"] == int(OSLOFJORD)


async def test_null_clears_and_what_is_absent_stays() -> None:
    async with ground() as made:
        await made.update(custom_fields={PROJECT: "x"})
        before = made.row(DECK_LIGHTING)

        await made.update(
            amount=None,
            probability_percent=None,
            account_id=None,
            custom_fields={PROJECT: None},
            extension=SharpspringOpportunityInput(campaign_id=None, originating_lead_id=None),
        )

        cleared = {"amount": None, "probability": None, "accountID": None, "campaignID": None, "originatingLeadID": None}
        assert made.writes()[-1] == ("updateOpportunities", [{"id": int(DECK_LIGHTING), **cleared, PROJECT: ""}])
        after = made.row(DECK_LIGHTING)
        changed = {name for name in before if before[name] != after[name]}
        assert changed - {"updateTimestamp"} == {name for name in (*cleared, PROJECT) if before[name] not in (None, "")}
        assert all(after[name] is None for name in cleared)
        assert after[PROJECT] == ""


async def test_an_empty_list_of_accounts_clears_the_account() -> None:
    async with ground() as made:
        await made.update(account_ids=())

        assert made.row(DECK_LIGHTING)["accountID"] is None


@POSITIONS
async def test_an_update_that_changes_nothing_is_a_success(options: dict[str, OptionValue]) -> None:
    async with ground(options) as made:
        record = await made.read()

        written = await made.update(title=record.title, stage_id=record.stage_ref.local_id if record.stage_ref else None)

        assert written.local_id == DECK_LIGHTING
        assert written.problems == ()
        assert len(made.writes()) == 1


async def test_an_update_that_names_nothing_calls_nobody() -> None:
    async with ground() as made:
        plan = await made.client.plan_update(await made.read(), OpportunityValues())

        assert plan.requests == ()
        assert (await plan.execute()).local_id == DECK_LIGHTING
        assert made.writes() == []


# Ida is the primary contact of the deal; Ida and Henrik are connected to it.
@pytest.mark.parametrize(
    ("values", "primary", "contacts"),
    [
        ({"add_contact_ids": (LENE, HENRIK)}, IDA, {IDA, HENRIK, LENE}),
        ({"remove_contact_ids": (HENRIK, LENE)}, IDA, {IDA}),
        ({"remove_contact_ids": (IDA,)}, None, {HENRIK}),
        ({"remove_contact_ids": (IDA,), "add_contact_ids": (LENE,), "primary_contact_id": LENE}, LENE, {HENRIK, LENE}),
        ({"contact_ids": (LENE, HENRIK)}, LENE, {LENE, HENRIK}),
        ({"contact_ids": (LENE, HENRIK), "primary_contact_id": HENRIK}, HENRIK, {LENE, HENRIK}),
        ({"contact_ids": (LENE,), "primary_contact_id": None}, None, {LENE}),
        ({"contact_ids": ()}, None, set[str]()),
        ({"contact_ids": None}, None, set[str]()),
        ({"primary_contact_id": LENE}, LENE, {IDA, HENRIK, LENE}),
        ({"primary_contact_id": None}, None, {IDA, HENRIK}),
        ({"primary_contact_id": HENRIK}, HENRIK, {IDA, HENRIK}),
        ({"title": "Deck lights"}, IDA, {IDA, HENRIK}),
    ],
)
@pytest.mark.parametrize("is_primary_linked", [True, False])
async def test_contacts_are_replaced_added_and_taken_out(
    values: dict[str, Any], primary: str | None, contacts: set[str], *, is_primary_linked: bool
) -> None:
    async with ground() as made:
        if not is_primary_linked:
            links = made.store.tables["opportunityLead"]
            (own,) = [row for row in links.rows.values() if (row["opportunityID"], row["leadID"]) == (int(DECK_LIGHTING), int(IDA))]
            links.remove(own["id"])
        before = await made.read()

        written = await made.update(**values)

        after = await made.read()
        assert isinstance(after.contact_refs, tuple)
        assert written.problems == ()
        assert after.primary_contact_ref == (None if primary is None else Ref(made.made.crm.key, primary))
        assert {ref.local_id for ref in after.contact_refs} == contacts
        assert (after.account_ref, after.amount, after.custom_fields) == (before.account_ref, before.amount, before.custom_fields)


async def test_the_connections_are_looked_up_when_the_record_was_read_without_them() -> None:
    async with ground() as made:
        record = await made.read()
        assert isinstance(record.extension, SharpspringOpportunityFields)
        without = replace(record, extension=replace(record.extension, links=None))

        await (await made.client.plan_update(without, OpportunityValues(remove_contact_ids=(HENRIK,)))).execute()

        assert made.leads_of(DECK_LIGHTING) == {IDA}


async def test_a_primary_contact_that_is_long_gone_does_not_stand_in_the_way_of_a_new_one() -> None:
    async with ground() as made:
        written = await made.update("90531100247", primary_contact_id=LENE)

        assert written.problems == ()
        assert made.row("90531100247")["primaryLeadID"] == int(LENE)


# Moving, closing and deleting.


@POSITIONS
async def test_a_move_changes_the_stage_in_every_option_position(options: dict[str, OptionValue]) -> None:
    async with ground(options) as made:
        before = await made.read()

        plan = await made.client.plan_move(before, NEGOTIATION, None)
        await plan.execute()

        after = await made.read()
        (stage,) = refs(made.made.crm, NEGOTIATION)
        assert made.writes() == [("updateOpportunities", [{"id": int(DECK_LIGHTING), "dealStageID": int(NEGOTIATION)}])]
        assert replace(after, updated_at=None) == replace(before, stage_ref=stage, updated_at=None)


async def test_a_move_may_set_the_flags_too() -> None:
    async with ground() as made:
        extension = SharpspringOpportunityInput(is_closed=True)

        await (await made.client.plan_move(await made.read(), CLOSED_LOST, extension)).execute()

        assert (await made.read()).status is LOST


@POSITIONS
@pytest.mark.parametrize("status", [WON, LOST])
async def test_closing_and_opening_again_work_in_every_option_position(options: dict[str, OptionValue], status: OpportunityStatus) -> None:
    async with ground(options) as made:
        assert made.client.closable() == {OPEN, WON, LOST}

        closing = await made.client.plan_close(await made.read(), StatusValues(status=status, closed_on=date(2026, 11, 20)))
        await closing.execute()
        closed = await made.read()
        await (await made.client.plan_close(closed, StatusValues(status=OPEN))).execute()
        opened = await made.read()

        flags = {"isClosed": 1, "isWon": int(status is WON)}
        assert made.writes() == [
            ("updateOpportunities", [{"id": int(DECK_LIGHTING), **flags, "closeDate": "2026-11-20 00:00:00"}]),
            ("updateOpportunities", [{"id": int(DECK_LIGHTING), "isClosed": 0, "isWon": 0}]),
        ]
        assert (closed.status, closed.actual_close_date, opened.status) == (status, date(2026, 11, 20), OPEN)


async def test_what_is_closed_without_a_day_is_closed_on_the_vendor_s_today() -> None:
    async with ground(settings={"time_zone": "Pacific/Kiritimati"}) as made:
        ahead = timedelta(hours=14)
        days = {(datetime.now(UTC) + ahead).date()}

        await (await made.client.plan_close(await made.read(), StatusValues(status=WON))).execute()

        assert (await made.read()).actual_close_date in days | {(datetime.now(UTC) + ahead).date()}


async def test_what_is_already_closed_keeps_its_day() -> None:
    async with ground() as made:
        before = made.row(DRONES)

        await (await made.client.plan_close(await made.read(DRONES), StatusValues(status=LOST))).execute()

        assert made.writes() == [("updateOpportunities", [{"id": int(DRONES), "isClosed": 1, "isWon": 0}])]
        assert made.row(DRONES) == before


@POSITIONS
async def test_a_delete_works_in_every_option_position(options: dict[str, OptionValue]) -> None:
    async with ground(options) as made:
        plan = await made.client.plan_delete(await made.read())

        written = await plan.execute()

        found = (await made.client.opportunities_by_ids([DECK_LIGHTING], EVERYTHING)).get(DECK_LIGHTING)
        assert written.local_id == DECK_LIGHTING
        assert made.writes() == [("deleteOpportunities", [{"id": int(DECK_LIGHTING)}])]
        assert found is None or (isinstance(found, Opportunity) and found.is_deleted)


# Accounts and contacts.


async def test_an_account_and_its_contact_are_created_and_found_at_once() -> None:
    async with ground() as made:
        # The table of accounts is kept from here on.
        await made.client.accounts_by_ids([FJORD, OSLOFJORD], EVERYTHING)

        new_account = AccountValues(name="Drammen Quays", phone="+47 32 00 00 00", website="drammen.example", owner_id=LARS)
        account_id = (await (await made.client.plan_create_account(new_account)).execute()).local_id
        new_contact = ContactValues(
            first_name="Nora",
            last_name="Dahl",
            email="nora@drammen.example",
            phone="+47 1",
            title="CEO",
            account_id=account_id,
            owner_id=LARS,
        )
        contact_id = (await (await made.client.plan_create_contact(new_contact)).execute()).local_id
        written = await made.create(account_id=account_id, primary_contact_id=contact_id)

        account = (await made.client.accounts_by_ids([account_id, FJORD], EVERYTHING))[account_id]
        contact = (await made.client.contacts_by_ids([contact_id], EVERYTHING))[contact_id]
        record = await made.read(written.local_id)
        assert made.writes()[:2] == [
            (
                "createAccounts",
                [{"ownerID": int(LARS), "accountName": "Drammen Quays", "phone": "+47 32 00 00 00", "website": "drammen.example"}],
            ),
            (
                "createLeads",
                [
                    {
                        "firstName": "Nora",
                        "lastName": "Dahl",
                        "emailAddress": "nora@drammen.example",
                        "title": "CEO",
                        "phoneNumber": "+47 1",
                        "accountID": int(account_id),
                        "ownerID": int(LARS),
                    }
                ],
            ),
        ]
        assert isinstance(account, Account)
        assert isinstance(contact, Contact)
        assert (account.name, contact.name, contact.account_ref) == ("Drammen Quays", "Nora Dahl", account.ref)
        assert (record.account_ref, record.primary_contact_ref) == (account.ref, contact.ref)


async def test_an_account_that_somebody_else_just_created_is_not_taken_as_missing() -> None:
    async with ground() as made:
        await made.client.accounts_by_ids([FJORD, OSLOFJORD], EVERYTHING)
        accounts = made.store.tables["account"]
        accounts.put(accounts.rows[int(FJORD)] | {"id": 40112299999})

        plan = await made.client.plan_create(replace(NEW, account_id="40112299999", stage_id=QUALIFIED))

        assert plan.violations == ()


async def test_a_table_of_accounts_that_was_being_read_during_a_write_is_not_kept() -> None:
    clients: list[Client] = []

    def answer(_: dict[str, Any]) -> dict[str, Any]:
        clients[0]._accounts.clear()  # pyright: ignore[reportPrivateUsage]  # as a write does that ends meanwhile
        return {"result": {"account": [{"id": "1"}, {"id": "2"}]}}

    async with scripted(answer) as (vendor, client):
        clients.append(client)
        await client.accounts_by_ids(["1", "2"], EVERYTHING)
        await client.accounts_by_ids(["1", "2"], EVERYTHING)

        assert len(vendor.asked) == 2


async def test_empty_texts_of_a_contact_are_left_out() -> None:
    async with ground() as made:
        values = ContactValues(first_name="", last_name="Dahl", email=" ", phone=None, title="")

        await (await made.client.plan_create_contact(values)).execute()

        assert made.writes() == [("createLeads", [{"lastName": "Dahl"}])]
