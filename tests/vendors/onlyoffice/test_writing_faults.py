"""Writes that go wrong: refused by the portal, cut off on the way, done in part. No write is ever sent twice."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.playground import Playground, playground
from tests.vendors.onlyoffice.writing_desk import IVO, broken, client_of, deal_of, done, read, store_of, values, writes
from vendors.calls import Deadline, deadline_scope
from vendors.errors import (
    CredentialsError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    VendorError,
)
from vendors.model import OpportunityStatus
from vendors.sandbox import Fault, FaultKind
from vendors.writes import (
    AccountValues,
    ContactValues,
    InputRefusedError,
    OpportunityValues,
    RuleCode,
    StatusValues,
    WritePlan,
)

CREATE, UPDATE, TAG = "POST crm/opportunity", "PUT crm/opportunity/{id}", "POST crm/opportunity/{id}/tag"
# Source: Community Server, ErrorWrapper; .NET ArgumentException writes the argument behind its text.
ENVELOPE: dict[str, Any] = {"status": 1, "statusCode": 400, "error": {"message": "", "hresult": -2147024809, "data": {}}}


@pytest.fixture
async def ground() -> AsyncIterator[Playground]:
    async with playground("onlyoffice") as opened:
        yield opened


async def plans(ground: Playground) -> dict[str, WritePlan]:
    """A plan of every kind, each with one request."""
    client, record = client_of(ground), await read(ground, "121")
    found = {
        "create": await client.plan_create(values()),
        "update": await client.plan_update(record, OpportunityValues(title="x")),
        "link": await client.plan_update(record, OpportunityValues(add_contact_ids=("41",))),
        "move": await client.plan_move(record, "8", None),
        "close": await client.plan_close(record, StatusValues(status=OpportunityStatus.LOST)),
        "delete": await client.plan_delete(record),
        "account": await client.plan_create_account(AccountValues(name="x")),
        "contact": await client.plan_create_contact(ContactValues(first_name="x")),
    }
    assert all(len(plan.requests) == 1 and not plan.requests[0].read for plan in found.values())
    return found


PLANS = ["create", "update", "link", "move", "close", "delete", "account", "contact"]


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("kind", ["reset", "reset_mid_body", "cut_json", "html", "empty", "wrong_type", "deep_json", "redirect"])
async def test_a_write_without_a_readable_answer_may_have_happened_and_is_not_sent_again(
    ground: Playground, kind: FaultKind, name: str
) -> None:
    plan = (await plans(ground))[name]
    ground.control.faults.append(Fault(kind=kind))

    with pytest.raises(OutcomeUnknownError):
        await plan.execute()

    assert len(writes(ground)) == 1


@pytest.mark.parametrize(("kind", "has_happened"), [("reset", False), ("reset_mid_body", True)])
async def test_a_create_that_is_cut_off_before_or_after_the_portal_made_it_is_told_alike(
    ground: Playground, kind: FaultKind, *, has_happened: bool
) -> None:
    before = len(store_of(ground).deals)
    plan = await client_of(ground).plan_create(values(tags=("crane",)))
    ground.control.faults.append(Fault(kind=kind, match=CREATE))

    with pytest.raises(OutcomeUnknownError):
        await plan.execute()

    assert len(store_of(ground).deals) - before == has_happened
    assert [call.operation for call in writes(ground)] == [CREATE]  # and nothing that would need its id


async def test_a_create_that_takes_too_long_may_have_happened(ground: Playground) -> None:
    plan = await client_of(ground).plan_create(values())
    ground.control.faults.append(Fault(kind="hang", match=CREATE))

    with pytest.raises(OutcomeUnknownError), deadline_scope(Deadline(time.monotonic() + 0.2, time.monotonic)):
        await plan.execute()

    assert len(writes(ground)) == 1


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InputRefusedError),
        (401, CredentialsError),
        (403, PermissionDeniedError),
        (429, RateLimitedError),
        (500, OutcomeUnknownError),
        (502, OutcomeUnknownError),
        (503, OutcomeUnknownError),
        (504, OutcomeUnknownError),
    ],
)
async def test_what_an_answer_says_of_a_write(ground: Playground, status: int, kind: type[VendorError], name: str) -> None:
    plan = (await plans(ground))[name]
    ground.control.faults.append(Fault(kind="status", status=status, body=json.dumps(ENVELOPE), match="crm/"))

    with pytest.raises(VendorError) as raised:
        await plan.execute()

    assert type(raised.value) is kind
    # A refused token is renewed, and was refused before anything was done; the header's form is found out on the way too.
    assert len(writes(ground)) == 1 or kind is CredentialsError


@pytest.mark.parametrize("name", ["update", "link", "move", "delete"])
async def test_a_record_that_is_gone_meanwhile_is_not_found(ground: Playground, name: str) -> None:
    plan = (await plans(ground))[name]
    del store_of(ground).deals[121]

    with pytest.raises(NotFoundError):
        await plan.execute()

    assert len(writes(ground)) == 1


async def test_a_deletion_of_many_that_deletes_nothing_has_found_nothing(ground: Playground) -> None:
    plan = await client_of(ground).plan_delete(await read(ground, "135"))
    del store_of(ground).deals[135]

    with pytest.raises(NotFoundError):
        await plan.execute()


# Refused by the portal


async def test_what_the_portal_alone_knows_comes_back_as_a_refusal_in_our_words(ground: Playground) -> None:
    client, store = client_of(ground), store_of(ground)
    stage = store.save_stage(None, "Paused", description="", color="", probability=10, stage_type=0)
    plan = await client.plan_create(values(stage_id=str(stage.id)))
    store.delete_stage(stage.id)

    with pytest.raises(InputRefusedError) as refused:
        await plan.execute()
    again = await client.plan_create(values(stage_id=str(stage.id)))

    [violation] = refused.value.violations
    assert (violation.path, violation.code, violation.vendor_code) == ((), RuleCode.REJECTED_BY_VENDOR, "-2147467259")
    assert "milestone" not in violation.message and (refused.value.status, refused.value.crm) == (400, "baltic")
    assert broken(again) == {("stage_id",): RuleCode.INVALID_REFERENCE}  # the kept table was cleared
    assert len(writes(ground)) == 1


@pytest.mark.parametrize(
    ("message", "paths"),
    [
        ("Value cannot be null.\r\nParameter name: bidValue", [("extension", "bid_value")]),
        ("Failed to convert parameter 'expectedCloseDate' to type 'ApiDateTime'", [("expected_close_date",)]),
        ("stageid and responsibleid, and STAGEID", [("stage_id",), ("owner_id",)]),
        ("Der Wert liegt außerhalb des erwarteten Bereichs.", [()]),
        ("", [()]),
    ],
)
async def test_arguments_that_a_refusal_names_are_its_paths(ground: Playground, message: str, paths: list[tuple[str, ...]]) -> None:
    plan = await client_of(ground).plan_create(values())
    body = json.dumps({**ENVELOPE, "error": {"message": message, "hresult": -2147024809}}, ensure_ascii=False)
    ground.control.faults.append(Fault(kind="status", status=400, body=body, match=CREATE))

    with pytest.raises(InputRefusedError) as refused:
        await plan.execute()

    assert [violation.path for violation in refused.value.violations] == paths
    assert {violation.vendor_code for violation in refused.value.violations} == {"-2147024809"}
    assert not message or message not in str(refused.value.violations)


# Source: API page "Create an opportunity", Body; Community Server, CRMApi.Contacts, CRMApi.Tag and CRMApi.CustomFields.
ARGUMENTS = {
    "contactid": "primary_contact_id",
    "members": "contact_ids",
    "title": "title",
    "description": "description",
    "responsibleid": "owner_id",
    "bidType": "extension.bid_type",
    "bidValue": "extension.bid_value",
    "bidCurrencyAbbr": "amount.currency",
    "perPeriodValue": "extension.per_period_value",
    "stageid": "stage_id",
    "successProbability": "probability_percent",
    "actualCloseDate": "extension.actual_close_date",
    "expectedCloseDate": "expected_close_date",
    "customFieldList": "custom_fields",
    "isPrivate": "extension.is_private",
    "accessList": "extension.access_list",
    "isNotify": "extension.is_notify",
    "fieldValue": "custom_fields",
    "tagName": "tags",
    "companyName": "name",
    "firstName": "first_name",
    "lastName": "last_name",
    "jobTitle": "title",
    "companyId": "account_id",
}


async def test_every_argument_that_is_sent_has_a_path(ground: Playground) -> None:
    told: dict[str, str] = {}
    for name in ARGUMENTS:
        plan = await client_of(ground).plan_create(values())
        body = json.dumps({**ENVELOPE, "error": {"message": f"Parameter name: {name}", "hresult": 1}})
        ground.control.faults[:] = [Fault(kind="status", status=400, body=body, match=CREATE)]
        with pytest.raises(InputRefusedError) as refused:
            await plan.execute()
        [violation] = refused.value.violations
        told[name] = ".".join(violation.path)

    assert told == ARGUMENTS


async def test_a_refusal_without_an_envelope_is_one_too(ground: Playground) -> None:
    plan = await client_of(ground).plan_create(values())
    ground.control.faults.append(Fault(kind="status", status=400, body="<h1>Bad Request</h1>", match=CREATE))

    with pytest.raises(InputRefusedError) as refused:
        await plan.execute()

    assert [(violation.path, violation.code) for violation in refused.value.violations] == [((), RuleCode.REJECTED_BY_VENDOR)]


async def test_a_contact_that_was_hidden_meanwhile_is_forbidden(ground: Playground) -> None:
    plan = await client_of(ground).plan_create(values(account_id="12"))
    store_of(ground).contacts[12].share_type = 0

    with pytest.raises(PermissionDeniedError):
        await plan.execute()


# Done in part


async def test_a_tag_that_fails_is_a_problem_of_a_create_that_is_done(ground: Playground) -> None:
    plan = await client_of(ground).plan_create(values(tags=("a", "b", "c")))
    ground.control.faults.append(Fault(kind="status", status=403, match=TAG, skip=1, times=1))

    written = await plan.execute()

    assert [(problem.path, problem.code) for problem in written.problems] == [(("tags",), RuleCode.PARTLY_DONE)]
    assert deal_of(ground, written.local_id).tags == ["a", "c"]
    assert [request.path for request in plan.requests] == ["crm/opportunity", *["crm/opportunity/{id}/tag"] * 3]
    assert [call.path.rpartition("/api/2.0/")[2] for call in writes(ground)] == [
        "crm/opportunity",
        *[f"crm/opportunity/{written.local_id}/tag"] * 3,
    ]


async def test_parts_of_an_update_that_fail_are_told_by_what_they_are_for(ground: Playground) -> None:
    given = OpportunityValues(
        title="x", add_contact_ids=("48",), account_ids=("16", "12"), custom_fields={"21": None}, tags=("t",), stage_id="8"
    )
    deal_of(ground, "121").fields = {21: "Berth"}
    plan = await client_of(ground).plan_update(await read(ground, "121"), given)
    ground.control.faults += [
        Fault(kind="status", status=404, match="/contact/48"),
        Fault(kind="reset_mid_body", match="/contact/12"),
        Fault(kind="status", status=400, match="customfield"),
        Fault(kind="status", status=500, match="/tag"),
        Fault(kind="cut_json", match="/stage/8"),
    ]

    written = await plan.execute()

    assert {problem.path for problem in written.problems} == {
        ("add_contact_ids",),
        ("account_ids",),
        ("custom_fields", "21"),
        ("tags",),
        ("stage_id",),
    }
    assert {problem.code for problem in written.problems} == {RuleCode.PARTLY_DONE}
    assert deal_of(ground, "121").title == "x"
    assert len(writes(ground)) == len(plan.requests) == 6


async def test_an_email_that_fails_is_a_problem_of_an_account_that_is_made(ground: Playground) -> None:
    plan = await client_of(ground).plan_create_account(AccountValues(name="Reede", email="a@b.example", phone="1"))
    ground.control.faults.append(Fault(kind="status", status=404, match="POST crm/contact/{contactid}/data", times=1))

    written = await plan.execute()

    assert [(problem.path, problem.code) for problem in written.problems] == [(("email",), RuleCode.PARTLY_DONE)]
    assert [row["data"] for row in store_of(ground).contacts[int(written.local_id)].info] == ["1"]


# Two at a time


async def test_two_updates_one_after_another_keep_each_others_changes(ground: Playground) -> None:
    client = client_of(ground)
    changes = (
        OpportunityValues(title="x"),
        OpportunityValues(description="y"),
        OpportunityValues(owner_id=IVO),
        OpportunityValues(probability_percent=12.0),
    )
    for given in changes:
        await done(await client.plan_update(await read(ground, "104"), given))

    deal = deal_of(ground, "104")
    assert (deal.title, deal.description, deal.responsible_id, deal.success_probability) == ("x", "y", IVO, 12)


async def test_tags_links_and_moves_do_not_undo_a_change_made_after_the_record_was_read(ground: Playground) -> None:
    client, stale = client_of(ground), await read(ground, "121")
    await done(await client.plan_update(stale, OpportunityValues(title="Meanwhile")))

    await done(await client.plan_update(stale, OpportunityValues(tags=("t",), add_contact_ids=("41",), custom_fields={"21": None})))
    await done(await client.plan_move(stale, "7", None))

    assert deal_of(ground, "121").title == "Meanwhile"
