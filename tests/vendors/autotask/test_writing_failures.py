"""What comes of a write of Autotask's that the vendor refuses, or that gets no proper answer."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from time import monotonic

import aiohttp
import pytest

from tests.vendors.autotask.writing_ground import IVO, LEAST, NEW, OPEN, QUOTED, Ground, ground, own, told
from vendors.autotask.sandbox.control import API
from vendors.calls import Deadline, deadline_scope
from vendors.errors import (
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
)
from vendors.model import EVERYTHING, OpportunityStatus, Selection
from vendors.sandbox import Fault, FaultKind
from vendors.writes import AccountValues, ContactValues, InputRefusedError, OpportunityValues, StatusValues, WritePlan

Planner = Callable[[Ground], Awaitable[WritePlan]]


async def plan_create(at: Ground) -> WritePlan:
    return await at.client.plan_create(NEW)


async def plan_update(at: Ground) -> WritePlan:
    return await at.client.plan_update(await at.read(OPEN), OpportunityValues(title="Dock upgrade"))


async def plan_close(at: Ground) -> WritePlan:
    return await at.client.plan_close(await at.read(OPEN), StatusValues(status=OpportunityStatus.WON))


async def plan_account(at: Ground) -> WritePlan:
    return await at.client.plan_create_account(AccountValues(name="Dock upgrade", phone="+44", owner_id=IVO))


async def plan_contact(at: Ground) -> WritePlan:
    return await at.client.plan_create_contact(ContactValues(first_name="Dock", last_name="Upgrade", account_id="174"))


PLANNERS: list[tuple[Planner, str]] = [
    (plan_create, "Opportunities.create"),
    (plan_update, "Opportunities.patch"),
    (plan_close, "Opportunities.patch"),
    (plan_account, "Companies.create"),
    (plan_contact, "Contacts.create"),
]


def errors(*texts: object) -> str:
    return json.dumps({"errors": texts})


# The vendor refuses.


@pytest.mark.parametrize("shape", ["text", "object"])
@pytest.mark.parametrize(
    ("values", "broken"),
    [
        (own(use_quote_totals=True), [("extension.use_quote_totals", "REJECTED_BY_VENDOR")]),
        (own(product_id="1"), [("extension.product_id", "INVALID_REFERENCE")]),
        (own(organizational_level_association_id="7"), [("extension.organizational_level_association_id", "INVALID_REFERENCE")]),
    ],
)
async def test_a_rule_that_the_vendor_alone_knows_comes_back_as_ours(values: object, broken: list[tuple[str, str]], shape: str) -> None:
    async with ground(options={"error_items": shape}) as at:
        before = await at.read(OPEN)
        plan = await at.client.plan_update(before, OpportunityValues(title="Something else", extension=values))
        assert plan.violations == ()

        with pytest.raises(InputRefusedError) as caught:
            await plan.execute()

        assert told(caught.value.violations) == broken
        assert (caught.value.status, len(at.writes())) == (500, 1)
        assert await at.read(OPEN) == before


@pytest.mark.parametrize("name", ["Service level", "Crane hours per year"])
async def test_a_custom_field_that_the_vendor_refuses_is_named(name: str) -> None:
    async with ground() as at:
        body = errors(f"The value of user-defined field {name} is not in its list.")
        at.made.control.faults.append(Fault(kind="status", status=500, body=body, match="Opportunities.create"))
        custom_fields = {"Service level": "Gold & on call", "Crane hours per year": 1, "Scope notes": "Field"}
        plan = await at.client.plan_create(replace(LEAST, custom_fields=custom_fields))

        with pytest.raises(InputRefusedError) as caught:
            await plan.execute()

        assert told(caught.value.violations) == [(f"custom_fields.{name}", "REJECTED_BY_VENDOR")]


async def test_a_list_entry_that_does_not_exist_any_more_is_refused_by_the_vendor() -> None:
    async with ground() as at:
        await at.client.custom_field_definitions()
        del at.made.sandbox.app[API].store.picklists["Opportunities"]["Service level"][2]
        plan = await at.client.plan_update(await at.read(QUOTED), OpportunityValues(custom_fields={"Service level": "Gold & on call"}))

        with pytest.raises(InputRefusedError) as caught:
            await plan.execute()

        assert told(caught.value.violations) == [("custom_fields.Service level", "REJECTED_BY_VENDOR")]


async def test_a_stale_table_is_found_out_by_the_vendor() -> None:
    async with ground() as at, aiohttp.ClientSession() as session:
        await at.client.users()
        headers = {
            "ApiIntegrationCode": "NKSANDBOXTRACKINGIDENTIFIER",
            "UserName": "crmgraph@nordkai-service.example",
            "Secret": "harbour-Crane-7",
        }
        leaves = {"id": int(IVO), "isActive": False}
        async with session.patch(f"{at.made.sandbox.base_url}/atservicesrest/v1.0/Resources", json=leaves, headers=headers) as left:
            assert left.status == 200

        with pytest.raises(InputRefusedError) as caught:
            await (await at.client.plan_create(NEW)).execute()

        assert told(caught.value.violations) == [("owner_id", "INVALID_REFERENCE")]


@pytest.mark.parametrize(
    ("text", "path", "code"),
    [
        ("Reference value on field: contactID of type: Contact does not exist or is invalid.", "primary_contact_id", "INVALID_REFERENCE"),
        ("Missing Required Field: title.", "title", "REQUIRED"),
        ("Value on picklist field: stage does not exist or is invalid.", "stage_id", "INVALID_REFERENCE"),
        ("The field salesOrderID is read-only.", "", "READ_ONLY"),
        ("The value of field description is longer than 8000 characters.", "description", "TOO_LONG"),
        ("projectedCloseDate must be greater than or equal to startDate.", "expected_close_date", "REJECTED_BY_VENDOR"),
        ("Something about lossReason", "extension.loss_reason", "REJECTED_BY_VENDOR"),
        ("Something about lostDate", "extension.lost_date", "REJECTED_BY_VENDOR"),
        ("Something about useQuoteTotals", "extension.use_quote_totals", "REJECTED_BY_VENDOR"),
        ("Computer says no", "", "REJECTED_BY_VENDOR"),
        ("", "", "REJECTED_BY_VENDOR"),
    ],
)
async def test_the_vendors_text_is_turned_into_a_path_and_a_code_and_not_passed_on(text: str, path: str, code: str) -> None:
    async with ground() as at:
        at.made.control.faults.append(Fault(kind="status", status=500, body=errors(text), match="Opportunities.create"))

        with pytest.raises(InputRefusedError) as caught:
            await (await plan_create(at)).execute()

        assert told(caught.value.violations) == [(path, code)]
        shown = [caught.value.message, *(violation.message for violation in caught.value.violations)]
        assert not text or all(text not in line for line in shown)


async def test_several_refusals_are_told_together() -> None:
    async with ground() as at:
        body = errors(
            "Missing Required Field: title.",
            {"message": "The value of field description is too long", "field": ""},
            "Missing Required Field: title.",
        )
        at.made.control.faults.append(Fault(kind="status", status=400, body=body, match="Opportunities.create"))

        with pytest.raises(InputRefusedError) as caught:
            await (await plan_create(at)).execute()

        assert [violation.path for violation in caught.value.violations] == [("title",), ("description",)]


async def test_a_refused_contact_is_told_in_its_own_attributes() -> None:
    async with ground() as at:
        body = errors("The value of field emailAddress is no address", "Something about stage")
        at.made.control.faults.append(Fault(kind="status", status=500, body=body, match="Companies.Contacts.create"))
        plan = await at.client.plan_create_contact(ContactValues(first_name="A", last_name="B", email="x", account_id="174"))

        with pytest.raises(InputRefusedError) as caught:
            await plan.execute()

        assert told(caught.value.violations) == [("email", "REJECTED_BY_VENDOR"), ("", "REJECTED_BY_VENDOR")]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, errors("The logged in Resource does not have the adequate permissions to update this entity type."), PermissionDeniedError),
        (403, "", PermissionDeniedError),
        (500, errors("No matching records found. The logged in Resource may not have the required permissions."), NotFoundError),
        (429, errors("The Autotask API thread threshold of 3 threads has been exceeded."), RateLimitedError),
        (404, json.dumps({"Message": "No HTTP resource was found"}), RejectedRequestError),
        (405, json.dumps({"Message": "The requested resource does not support http method"}), RejectedRequestError),
    ],
)
async def test_what_the_vendor_did_not_do_is_told_as_such_and_not_tried_again(status: int, body: str, kind: type[VendorError]) -> None:
    async with ground() as at:
        at.made.control.faults.append(Fault(kind="status", status=status, body=body, match="Opportunities.create"))

        with pytest.raises(kind):
            await (await plan_create(at)).execute()

        assert len(at.writes()) == 1


async def test_an_update_of_what_is_gone_finds_nothing() -> None:
    async with ground() as at:
        gone = replace(await at.read(OPEN), ref=(await at.read(OPEN)).ref._replace(local_id="5"))

        with pytest.raises(NotFoundError):
            await (await at.client.plan_update(gone, OpportunityValues(title="Gone"))).execute()


# No proper answer.


# Before the vendor handled it: reset, and what stands in front of the vendor. After it: reset_mid_body, cut_json.
@pytest.mark.parametrize("kind", ["reset", "reset_mid_body", "cut_json", "empty", "html", "wrong_type", "deep_json", "redirect"])
@pytest.mark.parametrize(("planner", "operation"), PLANNERS)
async def test_a_write_without_a_proper_answer_is_of_unknown_outcome_and_made_once(
    kind: FaultKind, planner: Planner, operation: str
) -> None:
    async with ground() as at:
        plan = await planner(at)
        at.made.control.faults.append(Fault(kind=kind, match=operation))

        with pytest.raises(OutcomeUnknownError):
            await plan.execute()

        assert len(at.writes()) == 1


@pytest.mark.parametrize(("kind", "handled"), [("reset", False), ("reset_mid_body", True), ("cut_json", True)])
async def test_an_unknown_outcome_may_be_either(kind: FaultKind, *, handled: bool) -> None:
    async with ground() as at:
        plan = await plan_update(at)
        at.made.control.faults.append(Fault(kind=kind, match="Opportunities.patch"))

        with pytest.raises(OutcomeUnknownError):
            await plan.execute()

        assert ((await at.read(OPEN)).title == "Dock upgrade") == handled


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_an_answer_of_something_in_between_tells_nothing(status: int) -> None:
    async with ground() as at:
        plan = await plan_create(at)
        at.made.control.faults.append(Fault(kind="status", status=status, body="<html>Gateway</html>", match="Opportunities.create"))

        with pytest.raises(OutcomeUnknownError) as caught:
            await plan.execute()

        assert (caught.value.status, len(at.writes())) == (status, 1)


async def test_a_write_that_takes_too_long_is_of_unknown_outcome() -> None:
    async with ground() as at:
        plan = await plan_create(at)
        at.made.control.faults.append(Fault(kind="hang", match="Opportunities.create"))

        with deadline_scope(Deadline(monotonic() + 0.2, monotonic)), pytest.raises(OutcomeUnknownError):
            await plan.execute()

        assert len(at.writes()) == 1


async def test_a_vendor_that_is_not_there_has_written_nothing() -> None:
    async with ground() as at:
        plan = await plan_create(at)
        await at.made.sandbox.stop()
        assert isinstance((await at.client.check())[0].error, UnavailableError)  # no connection is left open

        with pytest.raises(UnavailableError):
            await plan.execute()


async def test_a_zone_that_cannot_be_found_means_that_nothing_was_sent() -> None:
    async with ground() as at:
        plan = await plan_create(at)
        at.made.control.faults.append(Fault(kind="status", status=401, match="Opportunities.create"))
        at.made.control.faults.append(Fault(kind="html", match="zoneInformation"))

        with pytest.raises(VendorError) as caught:
            await plan.execute()

        assert not isinstance(caught.value, OutcomeUnknownError)


async def test_a_plan_that_cannot_be_checked_is_not_made() -> None:
    async with ground() as at:
        at.made.control.faults.append(Fault(kind="status", status=503, match="Contacts.query"))

        with pytest.raises(UnavailableError):
            await plan_create(at)

        assert at.writes() == []


# Reading after writing.


async def test_who_reads_after_a_write_is_not_given_an_answer_from_before_it() -> None:
    async with ground() as at:
        wanted = Selection({"Opportunity": frozenset({"title"})})
        plan = await plan_update(at)
        at.made.control.faults.append(Fault(kind="hang", match="Opportunities.query", times=1))
        slow = asyncio.ensure_future(at.client.opportunities_by_ids([OPEN], wanted))
        while at.made.control.count("Opportunities.query") < 2:  # noqa: ASYNC110  # a sandbox announces nothing
            await asyncio.sleep(0)

        await plan.execute()
        found = (await at.client.opportunities_by_ids([OPEN], wanted))[OPEN]

        assert not isinstance(found, VendorError) and found.title == "Dock upgrade"
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)


async def test_what_was_written_is_found_by_the_next_list_and_record() -> None:
    async with ground() as at:
        created = await at.create(replace(NEW, expected_close_date=date(2031, 1, 1), extension=own(cost=Decimal("0.5"))))

        assert (await at.client.opportunities_by_ids([created.local_id], EVERYTHING))[created.local_id] == created
