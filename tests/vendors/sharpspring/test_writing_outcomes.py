"""Writes that the vendor refuses, does in part, or leaves without an answer."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from aiohttp import web

from tests.vendors.sharpspring.scripted_vendor import scripted
from tests.vendors.sharpspring.writing_ground import (
    BUDGET,
    DECK_LIGHTING,
    FAIR,
    FJORD,
    HENRIK,
    IDA,
    JURGEN,
    LARS,
    LENE,
    NEW,
    OSLOFJORD,
    Ground,
    ground,
)
from vendors.calls import Deadline, deadline_scope
from vendors.errors import (
    CredentialsError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
)
from vendors.extension import VendorId
from vendors.model import EVERYTHING, Opportunity, OpportunityStatus, Ref
from vendors.sandbox import Fault, FaultKind, OptionValue
from vendors.sharpspring.client import Client
from vendors.sharpspring.inputs import SharpspringOpportunityInput
from vendors.sharpspring.sandbox.errors import RefusedError
from vendors.writes import AccountValues, ContactValues, InputRefusedError, OpportunityValues, RuleCode, StatusValues, WritePlan

SOME = Opportunity(ref=Ref("ss", "7"), title="Deal", status=OpportunityStatus.OPEN)
REOPEN = StatusValues(status=OpportunityStatus.OPEN)


async def refusal_of(plan: WritePlan) -> list[tuple[tuple[str, ...], RuleCode, str | None]]:
    assert plan.violations == ()
    with pytest.raises(InputRefusedError) as caught:
        await plan.execute()
    assert "Invalid" not in str(caught.value.violations) and "constraint" not in str(caught.value.violations)
    return [(violation.path, violation.code, violation.vendor_code) for violation in caught.value.violations]


# What only the server knows.


async def test_an_account_that_vanished_since_planning_is_the_server_s_to_refuse() -> None:
    async with ground() as made:
        plan = await made.client.plan_update(await made.read(), OpportunityValues(title="Deck lights", account_id=FJORD))
        made.store.tables["account"].remove(int(FJORD))

        assert await refusal_of(plan) == [(("account_id",), RuleCode.INVALID_REFERENCE, "303")]
        assert len(made.writes()) == 1
        assert made.row(DECK_LIGHTING)["opportunityName"] == "Deck lighting 2027"


async def test_which_of_several_references_is_meant_is_not_guessed() -> None:
    async with ground() as made:
        extension = SharpspringOpportunityInput(campaign_id=VendorId(FAIR))
        plan = await made.client.plan_create(replace(NEW, account_id=FJORD, extension=extension))
        made.store.tables["campaign"].remove(int(FAIR))

        assert await refusal_of(plan) == [((), RuleCode.INVALID_REFERENCE, "303")]


async def test_a_date_that_the_server_cannot_hold_is_refused_with_its_path() -> None:
    async with ground(settings={"api_version": "v1", "time_zone": "Europe/Oslo"}) as made:
        # Which days it holds is not documented; here it holds none.
        table = made.store.tables["opportunity"]
        table.columns["closeDate"] = replace(table.columns["closeDate"], kind="int")
        plan = await made.client.plan_create(replace(NEW, expected_close_date=date(2027, 1, 1)))

        assert await refusal_of(plan) == [(("expected_close_date",), RuleCode.REJECTED_BY_VENDOR, "205")]


async def test_a_custom_field_that_the_server_refuses_is_named() -> None:
    async with ground() as made:
        # The definition says that it is a double, which the adapter goes by; the server keeps it as whole numbers.
        table = made.store.tables["opportunity"]
        table.columns[BUDGET] = replace(table.columns[BUDGET], data_type="int")
        plan = await made.client.plan_create(replace(NEW, custom_fields={BUDGET: 12.5}))

        assert await refusal_of(plan) == [(("custom_fields", BUDGET), RuleCode.REJECTED_BY_VENDOR, "205")]


async def test_an_e_mail_address_that_was_taken_since_planning_is_the_server_s_to_refuse() -> None:
    async with ground() as made:
        plan = await made.client.plan_create_contact(ContactValues(last_name="Dahl", email="nora@drammen.example"))
        leads = made.store.tables["lead"]
        leads.put(leads.rows[int(LENE)] | {"id": 88038569998, "emailAddress": "nora@drammen.example"})

        assert await refusal_of(plan) == [(("email",), RuleCode.REJECTED_BY_VENDOR, "301")]


@pytest.mark.parametrize(
    "options", [{"object_errors": "null"}, {"success_flags": "string"}, {"empty_map": "list"}, {"success_error": "list"}]
)
async def test_a_refusal_is_understood_in_every_shape(options: dict[str, OptionValue]) -> None:
    async with ground(options) as made:
        plan = await made.client.plan_create(replace(NEW, account_id=FJORD))
        made.store.tables["account"].remove(int(FJORD))

        assert [code for _, code, _ in await refusal_of(plan)] == [RuleCode.INVALID_REFERENCE]


async def test_an_opportunity_that_vanished_is_not_found() -> None:
    async with ground() as made:
        current = await made.read()
        plans = [
            await made.client.plan_update(current, OpportunityValues(title="x")),
            await made.client.plan_close(current, REOPEN),
            await made.client.plan_delete(current),
        ]
        made.store.tables["opportunity"].remove(int(DECK_LIGHTING))

        for plan in plans:
            with pytest.raises(NotFoundError):
                await plan.execute()


def written(answer: dict[str, Any], *, key: str = "updates") -> dict[str, Any]:
    return {"result": {key: [answer]}}


def refused(code: object, data: object = ()) -> dict[str, Any]:
    return {"success": False, "error": {"code": code, "message": "Vendor's words", "data": data}}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (written(refused(212)), PermissionDeniedError),
        (written(refused(107)), RateLimitedError),
        (written(refused(999)), OutcomeUnknownError),
        (written(refused(205)), InputRefusedError),
        (written({"success": "false", "error": None}), InputRefusedError),
        (written({"success": True, "error": [{"code": 217, "message": "x"}]}), InputRefusedError),
        ({"result": None, "error": {"code": 105, "message": "x"}}, CredentialsError),
        ({"result": None, "error": {"code": 106, "message": "x"}}, QuotaExceededError),
        ({"result": None, "error": {"code": 107, "message": "x"}}, RateLimitedError),
        ({"result": None, "error": {"code": 205, "message": "x"}}, InputRefusedError),
        ({"result": None, "error": {"code": 301, "message": "x"}}, InputRefusedError),
        ({"result": None, "error": {"code": 207, "message": "x"}}, RejectedRequestError),
        ({"result": None, "error": {"code": 999, "message": "x"}}, OutcomeUnknownError),
        ({"result": []}, OutcomeUnknownError),
        ({"result": {"updates": []}}, OutcomeUnknownError),
        ({"result": {"updates": [{"success": True}, {"success": True}]}}, OutcomeUnknownError),
        ({"result": {"updates": "done"}}, OutcomeUnknownError),
        ({"result": {"updates": [7]}}, OutcomeUnknownError),
        ({"id": "another", "result": {"updates": [{"success": True}]}}, OutcomeUnknownError),
        (web.Response(text="Service temporarily unavailable"), OutcomeUnknownError),
        (web.Response(text="[" * 100_000), OutcomeUnknownError),
        (web.Response(status=503), OutcomeUnknownError),
        (web.Response(status=303, headers={"Location": "/login"}), OutcomeUnknownError),
        (web.Response(status=401), CredentialsError),
        (web.Response(status=400), RejectedRequestError),
        (web.Response(status=429), RateLimitedError),
    ],
    ids=str,
)
async def test_an_answer_to_a_write_says_whether_it_happened(reply: dict[str, Any] | web.Response, kind: type[VendorError]) -> None:
    async with scripted(lambda _: reply) as (vendor, client):
        plan = await client.plan_close(SOME, REOPEN)

        with pytest.raises(VendorError) as caught:
            await plan.execute()

        assert type(caught.value) is kind
        assert "Vendor's words" not in str(caught.value) + str(getattr(caught.value, "violations", ""))
        assert len(vendor.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        written({"success": True, "error": None}),
        written({"success": "1", "error": []}),
        written({"success": True, "error": {"code": None, "message": None, "data": None}}),
        written(refused(302)),
        written(refused("302")) | {"error": [{"code": "302", "message": "x"}]},
        {"result": None, "error": {"code": 302, "message": "No table rows affected."}},
    ],
)
async def test_an_update_succeeds_in_many_shapes_and_without_any_change(reply: dict[str, Any]) -> None:
    async with scripted(lambda _: reply) as (_, client):
        plan = await client.plan_close(SOME, REOPEN)

        assert (await plan.execute()).local_id == "7"


@pytest.mark.parametrize("code", [302, "302"])
async def test_a_deletion_that_found_nothing_left_to_delete_is_done(code: int | str) -> None:
    async with scripted(lambda _: written(refused(code), key="deletes")) as (vendor, client):
        plan = await client.plan_delete(SOME)

        assert (await plan.execute()).local_id == "7"
        assert [asked["method"] for asked in vendor.asked] == ["deleteOpportunities"]


@pytest.mark.parametrize("data", [{"param": "isWon"}, ["isWon"], {"isWon": "bad"}])
async def test_the_field_that_a_refusal_names_is_its_path(data: object) -> None:
    async with scripted(lambda _: written(refused(217, data))) as (_, client):
        plan = await client.plan_close(SOME, REOPEN)

        assert await refusal_of(plan) == [(("status",), RuleCode.REJECTED_BY_VENDOR, "217")]


@pytest.mark.parametrize("new_id", [None, "", 0, "abc", {"no": "id"}, -4])
async def test_a_created_record_without_an_id_is_an_unknown_outcome(new_id: object) -> None:
    async with scripted(lambda _: written({"success": True, "error": None, "id": new_id}, key="creates")) as (vendor, client):
        plan = await client.plan_create_contact(ContactValues(last_name="Dahl"))

        with pytest.raises(OutcomeUnknownError):
            await plan.execute()
        assert len(vendor.asked) == 1


async def test_without_the_vendor_s_day_the_day_of_a_close_has_to_be_given() -> None:
    def undated(asked: dict[str, Any]) -> web.Response:
        return web.json_response({"result": {"dealStage": []}, "error": None, "id": asked["id"]}, headers={"Date": "someday"})

    async with scripted(undated) as (vendor, client):
        plan = await client.plan_close(SOME, StatusValues(status=OpportunityStatus.WON))

        assert [(violation.path, violation.code) for violation in plan.violations] == [(("closed_on",), RuleCode.REQUIRED)]
        assert [asked["method"] for asked in vendor.asked] == ["getDealStages"]


# Cut connections.


async def create(client: Client) -> WritePlan:
    plan = await client.plan_create(replace(NEW, contact_ids=(IDA, LENE)))
    assert plan.violations == ()
    return plan


def count(made: Ground) -> int:
    return len(made.store.tables["opportunity"].rows)


@pytest.mark.parametrize(
    ("kind", "is_done"),
    [
        ("reset", False),
        ("reset_mid_body", True),
        ("cut_json", True),
        ("html", False),
        ("empty", False),
        ("deep_json", False),
        ("wrong_type", False),
        ("redirect", False),
        ("endless", False),
        ("status", False),
    ],
)
async def test_a_create_without_a_clear_answer_is_unknown_and_sent_once(kind: FaultKind, *, is_done: bool) -> None:
    async with ground() as made:
        before = count(made)
        plan = await create(made.client)
        made.made.control.faults.append(Fault(kind=kind, status=502, match="createOpportunities"))

        with pytest.raises(OutcomeUnknownError):
            await plan.execute()

        assert [method for method, _ in made.writes()] == ["createOpportunities"]
        assert count(made) - before == int(is_done)


async def test_a_create_that_gets_no_answer_in_time_is_unknown_and_sent_once() -> None:
    async with ground() as made:
        plan = await create(made.client)
        made.made.control.faults.append(Fault(kind="hang", match="createOpportunities"))
        link = made.made.crm.link

        with pytest.raises(OutcomeUnknownError), deadline_scope(Deadline(at=link.clock() + 0.2, clock=link.clock)):
            await plan.execute()

        assert [method for method, _ in made.writes()] == ["createOpportunities"]


async def test_a_create_that_could_not_be_sent_has_not_happened() -> None:
    async with ground() as made:
        plan = await made.client.plan_delete(SOME)
        await made.made.sandbox.stop()

        with pytest.raises(UnavailableError):
            await plan.execute()


@pytest.mark.parametrize("method", ["update", "delete"])
async def test_changes_without_an_answer_are_unknown_and_sent_once(method: str) -> None:
    async with ground() as made:
        current = await made.read()
        if method == "delete":
            plan = await made.client.plan_delete(current)
        else:
            plan = await made.client.plan_update(current, OpportunityValues(title="Deck lights", remove_contact_ids=(HENRIK,)))
        made.made.control.faults.append(Fault(kind="reset_mid_body", match=f"{method}Opportunities"))

        with pytest.raises(OutcomeUnknownError):
            await plan.execute()

        assert [written_by for written_by, _ in made.writes()] == [f"{method}Opportunities"]


async def test_the_table_of_accounts_is_read_again_also_when_the_outcome_is_unknown() -> None:
    async with ground() as made:
        await made.client.accounts_by_ids([FJORD, OSLOFJORD], EVERYTHING)
        made.made.control.faults.append(Fault(kind="reset_mid_body", match="createAccounts"))
        plan = await made.client.plan_create_account(AccountValues(name="Drammen Quays", owner_id=LARS))

        with pytest.raises(OutcomeUnknownError):
            await plan.execute()

        new_id = str(max(made.store.tables["account"].rows))
        assert new_id in await made.client.accounts_by_ids([new_id, FJORD], EVERYTHING)


# Done in part.


async def test_an_opportunity_is_created_although_a_contact_cannot_be_connected() -> None:
    async with ground() as made:
        plan = await made.client.plan_create(replace(NEW, contact_ids=(IDA, LENE, JURGEN)))
        made.store.tables["lead"].remove(int(JURGEN))

        done = await plan.execute()

        assert [(problem.path, problem.code, problem.vendor_code) for problem in done.problems] == [
            (("contact_ids",), RuleCode.PARTLY_DONE, "303")
        ]
        assert made.leads_of(done.local_id) == {LENE}


@pytest.mark.parametrize("kind", ["reset", "reset_mid_body", "status", "html"])
async def test_an_opportunity_is_created_although_its_contacts_get_no_answer(kind: FaultKind) -> None:
    async with ground() as made:
        plan = await create(made.client)
        made.made.control.faults.append(Fault(kind=kind, match="createOpportunityLeads"))

        done = await plan.execute()

        assert [(problem.path, problem.code) for problem in done.problems] == [(("contact_ids",), RuleCode.PARTLY_DONE)]
        assert (await made.read(done.local_id)).title == NEW.title
        assert [method for method, _ in made.writes()] == ["createOpportunities", "createOpportunityLeads"]


async def test_the_rest_of_an_update_is_done_although_a_part_is_not() -> None:
    async with ground() as made:
        values = OpportunityValues(title="Deck lights", add_contact_ids=(LENE,), remove_contact_ids=(HENRIK,))
        plan = await made.client.plan_update(await made.read(), values)
        made.store.tables["lead"].remove(int(LENE))

        done = await plan.execute()

        assert [(problem.path, problem.code, problem.vendor_code) for problem in done.problems] == [
            (("add_contact_ids",), RuleCode.PARTLY_DONE, "303")
        ]
        assert made.leads_of(DECK_LIGHTING) == {IDA}
        assert (await made.read()).title == "Deck lights"


async def test_an_update_of_which_nothing_could_be_done_is_refused() -> None:
    async with ground() as made:
        plan = await made.client.plan_update(await made.read(), OpportunityValues(add_contact_ids=(LENE,)))
        made.store.tables["lead"].remove(int(LENE))

        assert await refusal_of(plan) == [(("add_contact_ids",), RuleCode.INVALID_REFERENCE, "303")]


async def test_contacts_that_somebody_else_connected_or_took_out_meanwhile_are_no_problem() -> None:
    async with ground() as made:
        current = await made.read()
        plans = [
            await made.client.plan_update(current, OpportunityValues(add_contact_ids=(LENE,), remove_contact_ids=(HENRIK,)))
            for _ in range(2)
        ]

        outcomes = [await plan.execute() for plan in plans]

        assert [done.problems for done in outcomes] == [(), ()]
        assert made.leads_of(DECK_LIGHTING) == {IDA, LENE}


async def test_a_refused_error_of_the_sandbox_has_the_vendor_s_words() -> None:
    """What the tests above look for must be there to be hidden."""
    assert "Invalid" in RefusedError(205).message
    assert "constraint" in RefusedError(303).message
