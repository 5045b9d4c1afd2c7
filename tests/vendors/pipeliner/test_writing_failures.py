"""What can go wrong with a write to Pipeliner: the vendor refuses, half of it is done, or nobody knows.

Source of the bodies: Pipeliner, recorded answers (400, 422); "Create Opportunity", Possible problems.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.vendors.pipeliner.writing_ground import (
    FIRST_CONTACT,
    LEAST,
    MIRA,
    MISSING,
    NEEDS_ANALYSIS,
    PROPOSAL,
    WON,
    Ground,
    brief,
    writing,
)
from vendors.calls import Deadline, deadline_scope
from vendors.errors import (
    CredentialsError,
    ErrorCode,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
)
from vendors.extension import VendorId
from vendors.model import Money, OpportunityStatus
from vendors.pipeliner import wire
from vendors.pipeliner.inputs import PipelinerOpportunityInput
from vendors.pipeliner.refusals import violations_from
from vendors.sandbox import Fault
from vendors.writes import AccountValues, ContactValues, InputRefusedError, OpportunityValues, RuleCode, StatusValues, Violation, WritePlan

Own = PipelinerOpportunityInput
SCOPE = "cf_scope"


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    async with writing() as found:
        yield found


async def refusal(plan: WritePlan) -> InputRefusedError:
    assert plan.violations == ()
    with pytest.raises(InputRefusedError) as raised:
        await plan.execute()
    assert raised.value.code is ErrorCode.REJECTED
    return raised.value


def coded(error: InputRefusedError) -> list[tuple[tuple[str, ...], str, str | None]]:
    return [(each.path, each.code.value, each.vendor_code) for each in error.violations]


# the vendor refuses


async def test_an_amount_that_the_server_does_not_take_is_refused_by_it(ground: Ground) -> None:
    plan = await ground.client.plan_create(replace(LEAST, amount=Money(amount=Decimal(10) ** 15, currency="EUR")))

    error = await refusal(plan)

    assert coded(error) == [(("amount",), "INVALID_VALUE", "40002")]
    assert (error.status, error.operation, error.crm) == (422, "Opportunities.create", "dach")
    assert len(ground.writes()) == 1


async def test_what_vanished_since_planning_is_refused_with_its_attribute(ground: Ground) -> None:
    account, contact = ground.ids("Accounts", 1)[0], ground.ids("Contacts", 1)[0]
    unit = ground.ids("SalesUnits", 1)[0]
    values = replace(
        LEAST, primary_contact_id=contact, type="Retrofit", extension=Own(unit_id=VendorId(unit)), custom_fields={"cf_segment": "Coating"}
    )
    plan = await ground.client.plan_create(values)
    linked = await ground.client.plan_create(replace(LEAST, account_id=account))
    for entity, row_id in (("Accounts", account), ("SalesUnits", unit), ("Clients", MIRA), ("Steps", FIRST_CONTACT)):
        ground.row(entity, row_id)["is_deleted"] = True
    ground.row("OpportunityTypes", "d1af6b97-c4d4-4728-adf1-06a2bb151604")["is_deleted"] = True
    ground.row("Data", ground.id_of("Data", "Coating", "option_name"))["is_deleted"] = True

    error = await refusal(plan)

    assert sorted(coded(error)) == [
        (("custom_fields", "cf_segment"), "INVALID_REFERENCE", "120"),
        (("extension", "unit_id"), "INVALID_REFERENCE", "120"),
        (("owner_id",), "INVALID_REFERENCE", "120"),
        (("stage_id",), "INVALID_REFERENCE", "120"),
        (("type",), "INVALID_REFERENCE", "120"),
    ]
    for entity, row_id in (("SalesUnits", unit), ("Clients", MIRA), ("Steps", FIRST_CONTACT)):
        ground.row(entity, row_id)["is_deleted"] = False
    assert coded(await refusal(linked)) == [(("account_id",), "INVALID_REFERENCE", "120")]
    assert len(ground.rows("Opportunities")) == len({row["id"] for row in ground.rows("Opportunities") if row["name"] != "Quay lights"})


async def test_a_checklist_stops_a_move_until_it_is_done(ground: Ground) -> None:
    record = await ground.create(stage_id=NEEDS_ANALYSIS)

    move = await refusal(await ground.client.plan_move(record, PROPOSAL, None))
    close = await refusal(await ground.client.plan_close(record, StatusValues(status=OpportunityStatus.WON)))
    await ground.update(record, stage_id=PROPOSAL, custom_fields={SCOPE: "Twelve masts"})

    assert coded(move) == [(("stage_id",), "STAGE_CHECKLIST_INCOMPLETE", "119")]
    assert "custom_fields.cf_scope" in move.violations[0].message
    assert coded(close) == [(("status",), "STAGE_CHECKLIST_INCOMPLETE", "119")]
    assert (ground.row("Opportunities", record.local_id)["step_id"], WON) != (WON, PROPOSAL)
    assert ground.row("Opportunities", record.local_id)["step_id"] == PROPOSAL


async def test_a_record_that_is_protected_meanwhile_is_not_deleted(ground: Ground) -> None:
    record = await ground.create()
    plan = await ground.client.plan_delete(record)
    ground.row("Opportunities", record.local_id)["is_delete_protected"] = True

    assert coded(await refusal(plan)) == [((), "REJECTED_BY_VENDOR", "40002")]


async def test_accounts_and_contacts_are_refused_with_their_attributes(ground: Ground) -> None:
    account = ground.ids("Accounts", 1)[0]
    new_account = await ground.client.plan_create_account(AccountValues(name="A", owner_id=MIRA))
    new_contact = await ground.client.plan_create_contact(ContactValues(last_name="B", owner_id=MIRA, account_id=account))
    ground.row("Accounts", account)["is_deleted"] = True
    contact_error = await refusal(new_contact)
    ground.row("Clients", MIRA)["is_deleted"] = True
    account_error = await refusal(new_account)

    assert coded(contact_error) == [(("account_id",), "INVALID_REFERENCE", "120")]
    assert coded(account_error) == [(("owner_id",), "INVALID_REFERENCE", "120")]


async def test_a_field_that_was_not_given_is_named_by_its_attribute(ground: Ground) -> None:
    record = await ground.create()
    ground.row("Opportunities", record.local_id).update(name="", owner_id=MISSING, product_currency_id=VendorId(MISSING))

    error = await refusal(await ground.client.plan_update(record, OpportunityValues(description="More")))

    assert sorted(coded(error)) == [
        (("extension", "product_currency_id"), "INVALID_REFERENCE", "120"),
        (("owner_id",), "INVALID_REFERENCE", "120"),
        (("title",), "REQUIRED", "119"),
    ]


LIST_RULE = "Error on field account_relations. Exactly one 'is_primary' item must be set."


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            422,
            {
                "code": 40000,
                "field_errors": [{"field_name": "account_relations", "code": 40002, "errors": [{"code": 40002, "message": LIST_RULE}]}],
            },
            [(("account_ids",), "INVALID_VALUE", "40002")],
        ),
        (
            422,
            {"code": 40000, "field_errors": [{"field_name": "closing_date", "code": 40002}]},
            [(("expected_close_date",), "INVALID_VALUE", "40002")],
        ),
        (422, {"code": 40000, "field_errors": [{"field_name": "new_in_2027", "code": 40002}]}, [((), "INVALID_VALUE", "40002")]),
        (
            422,
            {"code": 40000, "step_checklist_errors": [{"label": "Call <b>them</b>"}]},
            [(("stage_id",), "STAGE_CHECKLIST_INCOMPLETE", None)],
        ),
        (422, {"code": 40000, "field_errors": "?"}, [((), "REJECTED_BY_VENDOR", "40000")]),
        (422, {"code": 40000, "field_errors": ["?"]}, [((), "REJECTED_BY_VENDOR", None)]),
        (422, "no JSON", [((), "REJECTED_BY_VENDOR", None)]),
        (400, {"code": 117, "name": "ERROR_PARAMETER_INVALID", "success": False}, [((), "REJECTED_BY_VENDOR", "117")]),
        (200, {"code": 40000, "success": False, "http_status": 422}, [((), "REJECTED_BY_VENDOR", "40000")]),
    ],
)
async def test_refusals_of_any_form_are_told_in_our_words(ground: Ground, status: int, body: Any, expected: list[Any]) -> None:
    text = body if isinstance(body, str) else json.dumps({**body, "message": "\nVendor's own words"})
    plan = await ground.client.plan_create(LEAST)
    ground.play.control.faults.append(Fault(kind="status", status=status, body=text, match="POST"))

    error = await refusal(plan)

    assert coded(error) == expected
    assert not any(word in violation.message for violation in error.violations for word in ("own words", "<b>", LIST_RULE, "2027"))


async def test_a_field_of_a_new_contact_that_nobody_named_is_told_by_its_attribute(ground: Ground) -> None:
    text = json.dumps({"code": 40000, "field_errors": [{"field_name": "account_relations", "code": 40001}]})
    ground.play.control.faults.append(Fault(kind="status", status=422, body=text, match="POST"))

    error = await refusal(await ground.client.plan_create_contact(ContactValues(last_name="B", owner_id=MIRA)))

    assert [path for path, *_ in coded(error)] == [("account_id",)]


def test_the_checklist_names_a_field_only_by_a_safe_name() -> None:
    def message(name: object) -> str:
        row = wire.Refusal.model_validate({"step_checklist_errors": [{"field_name": name}]})
        return violations_from(row, "Opportunity", {"step_id": ("stage_id",)})[0].message

    assert "'amount'" in message("value")
    assert "'custom_fields.cf_scope'" in message("cf_scope")
    assert "pages" in message("<b>") and "pages" in message(None) and "pages" in message("x" * 101)


def test_the_same_refusal_is_told_once() -> None:
    error = {"code": 119, "field_name": "name"}
    row = wire.Refusal.model_validate({"field_errors": [{"field_name": "name", "errors": [error, error]}], "entity_errors": [{"code": 1}]})

    assert violations_from(row, "Opportunity", {}) == [
        Violation(
            path=("title",),
            code=RuleCode.REQUIRED,
            message="Give a value: the vendor does not take the record without it.",
            vendor_code="119",
        ),
        Violation(
            path=(),
            code=RuleCode.REJECTED_BY_VENDOR,
            message="Change the values: the vendor refused them and named no field.",
            vendor_code="1",
        ),
    ]


async def test_a_read_that_the_vendor_refuses_stays_a_rejected_request(ground: Ground) -> None:
    ground.play.control.faults.append(Fault(kind="status", status=400, body='{"code": 117, "success": false}', match="Pipelines"))

    with pytest.raises(RejectedRequestError) as raised:
        await ground.client.pipelines()

    assert not isinstance(raised.value, InputRefusedError)
    assert raised.value.vendor_code == "117"


# half of it is done


async def test_a_link_that_cannot_be_deleted_is_told_as_partly_done(ground: Ground) -> None:
    contacts = ground.ids("Contacts", 3)
    record = await ground.create(contact_ids=tuple(contacts))
    plan = await ground.client.plan_update(record, OpportunityValues(title="Renamed", contact_ids=(contacts[0],)))
    ground.play.control.faults.append(Fault(kind="status", status=500, match="DELETE", times=1))

    written = await plan.execute()

    assert [request.method for request in plan.requests] == ["PATCH", "DELETE", "DELETE"]
    assert written.local_id == record.local_id
    assert brief(written.problems) == [(("contact_ids",), "PARTLY_DONE")]
    assert [call.method for call in ground.writes()] == ["PATCH", "DELETE", "DELETE"]
    assert len(ground.contacts_of(record.local_id)) == 2
    again = await ground.update(await ground.read(record.local_id), contact_ids=(contacts[0],))
    assert (again.title, ground.contacts_of(record.local_id)) == ("Renamed", {contacts[0]: True})


async def test_a_link_that_is_gone_already_is_no_problem(ground: Ground) -> None:
    contacts = ground.ids("Contacts", 2)
    record = await ground.create(contact_ids=tuple(contacts))
    assert isinstance(record.contact_refs, tuple)
    plan = await ground.client.plan_update(record, OpportunityValues(remove_contact_ids=(record.contact_refs[1].local_id,)))
    await plan.execute()

    assert (await plan.execute()).problems == ()


async def test_the_first_request_that_fails_fails_the_whole(ground: Ground) -> None:
    contacts = ground.ids("Contacts", 2)
    record = await ground.create(contact_ids=tuple(contacts))
    plan = await ground.client.plan_update(record, OpportunityValues(contact_ids=()))
    ground.play.control.faults.append(Fault(kind="status", status=429, match="DELETE", times=1))

    with pytest.raises(RateLimitedError):
        await plan.execute()

    assert len(ground.writes()) == 1 and len(ground.contacts_of(record.local_id)) == 2


# nobody knows


async def plans(ground: Ground) -> dict[str, WritePlan]:
    """One plan of each kind."""
    client, record = ground.client, await ground.create()
    return {
        "POST Opportunities": await client.plan_create(LEAST),
        "POST Accounts": await client.plan_create_account(AccountValues(name="A", owner_id=MIRA)),
        "POST Contacts": await client.plan_create_contact(ContactValues(last_name="B", owner_id=MIRA)),
        "PATCH Opportunities": await client.plan_update(record, OpportunityValues(title="Renamed")),
        "DELETE Opportunities": await client.plan_delete(record),
    }


KINDS = ["POST Opportunities", "POST Accounts", "POST Contacts", "PATCH Opportunities", "DELETE Opportunities"]
AFTER = ["reset_mid_body", "cut_json"]
INSTEAD = ["reset", "html", "empty", "deep_json", "wrong_type", "redirect", "endless"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [*AFTER, *INSTEAD])
async def test_without_a_readable_answer_the_outcome_is_unknown_and_nothing_is_repeated(ground: Ground, kind: str, fault: Any) -> None:
    plan = (await plans(ground))[kind]
    before = {entity: len(ground.rows(entity)) for entity in ("Opportunities", "Accounts", "Contacts")}
    ground.play.control.calls.clear()
    ground.play.control.faults.append(Fault(kind=fault, match=kind))

    with pytest.raises(OutcomeUnknownError) as raised:
        await plan.execute()

    assert [call.operation.partition("/")[0] for call in ground.writes()] == [kind]
    assert raised.value.operation is not None and "look the record up" in raised.value.message
    happened = sum(abs(len(ground.rows(entity)) - count) for entity, count in before.items())
    assert happened == (1 if fault in AFTER and not kind.startswith("PATCH") else 0)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_leaves_the_outcome_unknown(ground: Ground, status: int) -> None:
    plan = await ground.client.plan_create(LEAST)
    ground.play.control.faults.append(Fault(kind="status", status=status, match="POST"))

    with pytest.raises(OutcomeUnknownError) as raised:
        await plan.execute()

    assert raised.value.status == status
    assert len(ground.writes()) == 1


async def test_a_server_error_behind_a_good_status_leaves_it_unknown_too(ground: Ground) -> None:
    plan = await ground.client.plan_create(LEAST)
    body = '{"success": false, "http_status": 500}'
    ground.play.control.faults.append(Fault(kind="status", status=200, body=body, match="POST"))

    with pytest.raises(OutcomeUnknownError):
        await plan.execute()


async def test_no_answer_in_time_leaves_the_outcome_unknown(ground: Ground) -> None:
    plan = await ground.client.plan_create(LEAST)
    ground.play.control.faults.append(Fault(kind="hang", match="POST"))
    loop = asyncio.get_running_loop()

    with deadline_scope(Deadline(at=loop.time() + 0.2, clock=loop.time)), pytest.raises(OutcomeUnknownError):
        await plan.execute()

    assert len(ground.writes()) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(401, CredentialsError), (403, PermissionDeniedError), (404, RejectedRequestError), (429, RateLimitedError)]
)
async def test_what_did_not_happen_is_told_as_such(ground: Ground, status: int, kind: type[VendorError]) -> None:
    plan = await ground.client.plan_create(LEAST)
    ground.play.control.faults.append(Fault(kind="status", status=status, match="POST"))

    with pytest.raises(kind) as raised:
        await plan.execute()

    assert not isinstance(raised.value, InputRefusedError)
    assert len(ground.writes()) == 1


async def test_a_vendor_that_cannot_be_reached_has_done_nothing() -> None:
    async with writing() as ground:
        plan = await ground.client.plan_create(LEAST)
        await ground.play.sandbox.stop()
        with pytest.raises(UnavailableError):
            await ground.client.check()  # it notices that kept connections are closed

        with pytest.raises(UnavailableError):
            await plan.execute()
