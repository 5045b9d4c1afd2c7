"""What comes of a write through Apideck: refused by the vendor, done in part, or nobody knows."""

from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from tests.vendors.apideck.scripted_vendor import Answer, refusal, scripted
from tests.vendors.apideck.writing_ground import LIGHTS, Ground, ground
from vendors.apideck.sandbox import STORE
from vendors.calls import Deadline, deadline_scope
from vendors.errors import (
    ConflictError,
    CredentialsError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    UnsupportedError,
    VendorError,
)
from vendors.model import Opportunity, OpportunityStatus, Ref
from vendors.sandbox import Fault, FaultKind
from vendors.writes import AccountValues, ContactValues, InputRefusedError, OpportunityValues, RuleCode, StatusValues, Violation, WritePlan

CREATE, UPDATE, DELETE, CLOSE = "create", "update", "delete", "close"
CURRENT = Opportunity(ref=Ref("am", "1"), title="x")


async def plan_of(made: Ground, verb: str) -> WritePlan:
    client = made.client
    if verb == CREATE:
        return await client.plan_create(OpportunityValues(title="Once and no more"))
    deal = await made.deal(LIGHTS)
    if verb == UPDATE:
        return await client.plan_update(deal, OpportunityValues(title="Once and no more"))
    if verb == CLOSE:
        return await client.plan_close(deal, StatusValues(status=OpportunityStatus.WON))
    return await client.plan_delete(deal)


def state(made: Ground) -> list[Any]:
    return [dict(record) for record in made.sandbox.app[STORE].tables["opportunities"]]


# Nobody knows.


@pytest.mark.parametrize("verb", [CREATE, UPDATE, CLOSE, DELETE])
@pytest.mark.parametrize(
    ("kind", "is_done"),
    [
        ("reset", False),
        ("html", False),
        ("empty", False),
        ("wrong_type", False),
        ("redirect", False),
        ("status", False),
        ("reset_mid_body", True),
        ("cut_json", True),
    ],
)
async def test_a_write_whose_answer_is_lost_is_made_once_and_its_outcome_is_unknown(verb: str, kind: FaultKind, *, is_done: bool) -> None:
    async with ground() as made:
        plan = await plan_of(made, verb)
        before = state(made)
        made.sandbox.control.faults.append(Fault(kind=kind, status=502))

        with pytest.raises(OutcomeUnknownError) as caught:
            await plan.execute()

        assert len(made.sent) == 1
        assert (state(made) != before) is is_done
        assert caught.value.operation == plan.requests[0].operation


async def test_a_write_that_is_not_answered_in_time_is_made_once_and_its_outcome_is_unknown() -> None:
    async with ground() as made:
        plan = await plan_of(made, CREATE)
        made.sandbox.control.faults.append(Fault(kind="hang"))
        now = [0.0, 0.0, 0.2]

        with deadline_scope(Deadline(0.3, lambda: now.pop(0) if len(now) > 1 else now[0])), pytest.raises(OutcomeUnknownError):
            await plan.execute()

        assert len(made.sent) == 1


@pytest.mark.parametrize("type_name", ["MappingError", "ConnectorResponseMappingNotFoundError", "ConnectorWorkflowMappingError"])
async def test_what_is_told_after_the_connector_did_its_part_leaves_the_outcome_unknown(type_name: str) -> None:
    async with scripted(lambda _path, _query: refusal(501, type_name)) as (made, client):
        plan = await client.plan_update(CURRENT, OpportunityValues(title="y"))

        with pytest.raises(OutcomeUnknownError):
            await plan.execute()
        assert made.paths() == ["opportunities/1"]


@pytest.mark.parametrize("body", [{"data": {}}, {"data": None}, {"data": {"id": ""}}, {"data": [{"id": "1"}]}, {}])
async def test_a_create_without_an_id_in_its_answer_leaves_the_outcome_unknown(body: dict[str, Any]) -> None:
    async with scripted(lambda _path, _query: body) as (made, client):
        plan = await client.plan_create_account(AccountValues(name="x"))

        with pytest.raises(OutcomeUnknownError):
            await plan.execute()
        assert made.paths() == ["companies"]


# It has not happened.


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(401, "UnauthorizedError"), CredentialsError),
        (refusal(402, "RequestLimitError"), QuotaExceededError),
        (refusal(403, "x"), PermissionDeniedError),
        (refusal(404, "EntityNotFoundError"), NotFoundError),
        (refusal(404, "ConnectorExecutionError"), NotFoundError),
        (refusal(404, "ConnectorNotFoundError"), CredentialsError),
        (refusal(409, "ConnectorExecutionError"), ConflictError),
        (refusal(429, "ConnectorRateLimitError"), RateLimitedError),
        (refusal(501, "ConnectorOperationUnsupportedError"), UnsupportedError),
        (refusal(400, "RequestHeadersValidationError", detail={"missing": [{"title": "required"}]}), RejectedRequestError),
        (refusal(405, "x"), RejectedRequestError),
    ],
)
async def test_errors_of_other_kinds_stay_what_they_are_and_nothing_is_tried_again(answer: web.Response, kind: type[VendorError]) -> None:
    async with scripted(lambda _path, _query: answer) as (made, client):
        plan = await client.plan_update(CURRENT, OpportunityValues(title="y"))

        with pytest.raises(kind) as caught:
            await plan.execute()
        assert not isinstance(caught.value, InputRefusedError)
        assert len(made.asked) == 1


async def test_a_vendor_that_cannot_be_reached_has_not_written() -> None:
    async with ground() as made:
        plan = await plan_of(made, CREATE)
        await made.sandbox.stop()

        with pytest.raises(UnavailableError):
            await plan.execute()


# Refused by the vendor.


async def refused(answer: Answer, values: OpportunityValues, *, is_new: bool = True) -> list[tuple[str, RuleCode, str | None]]:
    async with scripted(answer, service_id="hubspot") as (made, client):
        plan = await (client.plan_create(values) if is_new else client.plan_update(CURRENT, values))
        assert plan.violations == ()
        with pytest.raises(InputRefusedError) as caught:
            await plan.execute()
        assert len(made.asked) == 1
    assert "Jane" not in str(caught.value) + repr([caught.value.violations, vars(caught.value)])
    assert "Jane" not in repr(vars(caught.value.__cause__))
    return [(".".join(found.path), found.code, found.vendor_code) for found in caught.value.violations]


VALUES = OpportunityValues(title="x", description="d", custom_fields={"a": 1}, tags=("t",))
INVALID, REQUIRED, READ_ONLY = RuleCode.INVALID_VALUE, RuleCode.REQUIRED, RuleCode.READ_ONLY
REJECTED = RuleCode.REJECTED_BY_VENDOR
VALIDATION, CONNECTOR = "RequestValidationError", "ConnectorExecutionError"


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ({"missing": [{"primary_contact_id": "required"}]}, [("primary_contact_id", REQUIRED, VALIDATION)]),
        (
            {"missing": [{"close_date": "required"}], "invalid": [{"tags[0]": "Jane"}, {"currency": "Jane"}, {"Jane": "Jane"}]},
            [("expected_close_date", REQUIRED, VALIDATION), ("tags", INVALID, VALIDATION), ("amount.currency", INVALID, VALIDATION)],
        ),
        ({"invalid": [{"monetary_amount": "is read-only"}]}, [("amount.amount", READ_ONLY, VALIDATION)]),
        ({"invalid": [{"custom_fields[0].value": 3}]}, [("custom_fields", INVALID, VALIDATION)]),
        ({"invalid": [{"pass_through[0].extend_object": "x"}]}, [("extension.pass_through", INVALID, VALIDATION)]),
        (
            {"invalid": [{"priority": "x"}, {"lead_id": "x"}]},
            [("extension.priority", INVALID, VALIDATION), ("extension.lead_id", INVALID, VALIDATION)],
        ),
        (
            "primary_contact_id: required; title: must not be Jane",
            [("primary_contact_id", REQUIRED, VALIDATION), ("title", INVALID, VALIDATION)],
        ),
        ("Jane has no owner_id, which is missing", [("owner_id", REQUIRED, VALIDATION)]),
        ("The name of Jane's type is wrong", [("", REJECTED, VALIDATION)]),
        ({"missing": "Jane", "invalid": [["Jane"], None]}, [("", REJECTED, VALIDATION)]),
        (None, [("", REJECTED, VALIDATION)]),
        (17, [("", REJECTED, VALIDATION)]),
    ],
)
@pytest.mark.parametrize("is_new", [True, False])
async def test_the_vendors_complaints_are_told_by_our_paths_in_our_words(
    detail: object, told: list[tuple[str, RuleCode, str]], *, is_new: bool
) -> None:
    assert await refused(lambda _path, _query: refusal(400, VALIDATION, detail=detail), VALUES, is_new=is_new) == told


async def test_complaints_about_companies_and_contacts_are_told_by_our_paths_too() -> None:
    reach = [{"emails[0].email": "x"}, {"phone_numbers[0].number": "x"}]
    shared = {"email": "ida@berg.example", "phone": "+47 55"}

    def answer(path: str, _query: dict[str, str]) -> web.Response:
        return refusal(400, VALIDATION, detail={"invalid": [*reach, *([{"websites[0].url": "x"}] if "companies" in path else [])]})

    async with scripted(answer, service_id="hubspot") as (_, client):
        plans = [
            await client.plan_create_account(AccountValues(name="Berg", website="https://berg.example", **shared)),
            await client.plan_create_contact(ContactValues(last_name="Berg", **shared)),
        ]
        told: list[list[str]] = []
        for plan in plans:
            with pytest.raises(InputRefusedError) as caught:
                await plan.execute()
            told.append([".".join(found.path) for found in caught.value.violations])

    assert told == [["email", "phone", "website"], ["email", "phone"]]


CONNECTORS_WORDS: list[tuple[int, str | None, Any, list[tuple[str, RuleCode, str | None]]]] = [
    (422, "InvalidStateError", None, [("", REJECTED, "InvalidStateError")]),
    (422, None, None, [("", REJECTED, None)]),
    (422, "Jane", [{"message": "no win_probability"}], [("probability_percent", REJECTED, None)]),
    (400, "Customer Jane", None, [("", REJECTED, None)]),
    (400, CONNECTOR, [{"message": "Jane", "detail": "Jane", "code": "INVALID_EMAIL"}], [("", REJECTED, "INVALID_EMAIL")]),
    (400, CONNECTOR, [{"message": "no win_probability", "code": "Jane"}], [("probability_percent", REJECTED, CONNECTOR)]),
    (
        400,
        CONNECTOR,
        [{"detail": "Jane's pipeline_stage_id", "code": "A_B"}, {"code": "C_D"}],
        [("stage_id", REJECTED, "A_B"), ("", REJECTED, "C_D")],
    ),
    (400, CONNECTOR, [{"message": 3, "detail": {}, "code": 4}, "Jane", None], [("", REJECTED, CONNECTOR)]),
    (405, CONNECTOR, [], [("", REJECTED, CONNECTOR)]),
]


@pytest.mark.parametrize(("status", "type_name", "errors", "told"), CONNECTORS_WORDS)
async def test_what_the_connector_refuses_is_told(
    status: int, type_name: str | None, errors: Any, told: list[tuple[str, RuleCode, str | None]]
) -> None:
    assert await refused(lambda _path, _query: refusal(status, type_name, downstream_errors=errors), VALUES) == told


async def test_a_create_that_the_connector_answers_with_404_is_refused_and_no_record_is_missing() -> None:
    answer = refusal(404, CONNECTOR, downstream_errors=[{"code": "OBJECT_NOT_FOUND"}])

    assert await refused(lambda _path, _query: answer, VALUES) == [("", REJECTED, CONNECTOR)]


async def test_a_create_at_a_wrong_address_misses_no_record() -> None:
    async with scripted(lambda _path, _query: refusal(404, "EntityNotFoundError"), service_id="hubspot") as (_, client):
        plan = await client.plan_create(VALUES)

        with pytest.raises(RejectedRequestError, match="mend the CRM's URL") as caught:
            await plan.execute()
    assert (caught.value.status, caught.value.operation) == (404, "opportunitiesAdd")


@pytest.mark.parametrize("form", ["object", "string"])
async def test_the_sandbox_refuses_a_deal_without_the_primary_contact_that_nobody_told_us_of(form: str) -> None:
    async with ground({"primary_contact": "required", "error_detail": form}, require_primary_contact=False) as made:
        plan = await made.client.plan_create(OpportunityValues(title="x"))
        assert plan.violations == ()

        with pytest.raises(InputRefusedError) as caught:
            await plan.execute()

    assert caught.value.violations == (
        Violation(
            path=("primary_contact_id",), code=REQUIRED, message="Give a value: the CRM needs it.", vendor_code="RequestValidationError"
        ),
    )


async def test_the_sandbox_refuses_another_pipeline_without_its_stage() -> None:
    async with ground() as made:
        before = state(made)
        plan = await made.client.plan_update(await made.deal(LIGHTS), OpportunityValues(pipeline_id="74215630"))

        with pytest.raises(InputRefusedError) as caught:
            await plan.execute()

        assert [(found.code, found.vendor_code) for found in caught.value.violations] == [(REJECTED, "INVALID_STAGE")]
        assert state(made) == before


async def test_the_sandbox_refuses_to_change_what_is_deleted() -> None:
    async with ground({"after_delete": "flagged"}) as made:
        deal = await made.deal(LIGHTS)
        await made.make(await made.client.plan_delete(deal))
        gone = await made.deal(LIGHTS)
        plans = [await made.client.plan_update(gone, OpportunityValues(title="y")), await made.client.plan_delete(gone)]

        for plan in plans:
            with pytest.raises(InputRefusedError) as caught:
                await plan.execute()
            assert [found.vendor_code for found in caught.value.violations] == ["InvalidStateError"]
    assert gone.is_deleted


async def test_a_record_that_is_gone_is_not_found() -> None:
    async with ground() as made:
        deal = await made.deal(LIGHTS)
        await made.make(await made.client.plan_delete(deal))

        for plan in (await made.client.plan_delete(deal), await made.client.plan_update(deal, OpportunityValues(title="y"))):
            with pytest.raises(NotFoundError):
                await plan.execute()


# Done in part.


@pytest.mark.parametrize(
    ("meta", "is_partly"),
    [
        ({"warnings": [{"type": "warning", "status_code": 403, "operation": "associationsAdd", "message": "Jane"}]}, True),
        ({"warnings": []}, False),
        ({}, False),
        (None, False),
        ("Jane", False),
    ],
)
async def test_a_step_behind_the_write_that_failed_is_told_as_partly_done(meta: Mapping[str, Any] | str | None, *, is_partly: bool) -> None:
    async with scripted(lambda _path, _query: {"data": {"id": 7}, "meta": meta}, service_id="hubspot") as (_, client):
        written = await (await client.plan_create(VALUES)).execute()

    assert written.local_id == "7"
    assert [(found.path, found.code) for found in written.problems] == ([((), RuleCode.PARTLY_DONE)] if is_partly else [])
    assert "Jane" not in repr(written)


async def test_a_change_answers_the_id_that_the_record_had() -> None:
    async with scripted(lambda _path, _query: {"data": {"id": "0011"}}) as (made, client):
        current = Opportunity(ref=Ref("am", "a/b c"), title="x")
        written = await (await client.plan_update(current, OpportunityValues(title="y"))).execute()

    assert written.local_id == "a/b c"
    assert made.paths() == ["opportunities/a%2Fb%20c"]
