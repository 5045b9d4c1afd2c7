"""Every rule for writes through Apideck, broken: all are told at once, and nobody is called to write."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from tests.vendors.apideck.scripted_vendor import refusal, rows, scripted
from tests.vendors.apideck.writing_ground import LIGHTS, ground, own, told
from vendors.apideck.inputs import ApideckExtendPathInput, ApideckPassThroughInput
from vendors.apideck.settings import Settings
from vendors.errors import UnavailableError
from vendors.model import Money, Opportunity, OpportunityStatus, Ref
from vendors.sandbox import Fault
from vendors.writes import AccountValues, ContactValues, InputRefusedError, OpportunityValues, RuleCode, StatusValues

HALF = "half \ud800"
WON, LOST, OPEN = OpportunityStatus.WON, OpportunityStatus.LOST, OpportunityStatus.OPEN
NOT_SUPPORTED, CONTRADICTION, REQUIRED = RuleCode.NOT_SUPPORTED, RuleCode.CONTRADICTION, RuleCode.REQUIRED
REFERENCE, VALUE, RANGE = RuleCode.INVALID_REFERENCE, RuleCode.INVALID_VALUE, RuleCode.OUT_OF_RANGE
CURRENCY = RuleCode.CURRENCY_NOT_SUPPORTED


def nested(depth: int) -> object:
    return {"deeper": [nested(depth - 1)]} if depth else "bottom"


def passed(**values: Any) -> dict[str, Any]:
    return {"extension": own(pass_through=(ApideckPassThroughInput(**values),))}


BROKEN_ALWAYS: list[tuple[dict[str, Any], str, RuleCode]] = [
    ({"title": HALF}, "title", VALUE),
    ({"description": HALF}, "description", VALUE),
    ({"tags": ("good", HALF)}, "tags", VALUE),
    ({"amount": Money(amount=Decimal("NaN"))}, "amount.amount", RANGE),
    ({"amount": Money(amount=Decimal("1E+999999"))}, "amount.amount", RANGE),
    ({"amount": Money(amount=Decimal("1E-999999"))}, "amount.amount", RANGE),
    ({"amount": Money(amount=Decimal(1), currency="BYN")}, "amount.currency", CURRENCY),
    ({"amount": Money(amount=Decimal(1), currency="usd")}, "amount.currency", CURRENCY),
    ({"amount": Money(amount=Decimal(1), currency="UNKNOWN_CURRENCY")}, "amount.currency", CURRENCY),
    ({"probability_percent": 100.5}, "probability_percent", RANGE),
    ({"probability_percent": -0.1}, "probability_percent", RANGE),
    ({"probability_percent": float("nan")}, "probability_percent", RANGE),
    ({"stage_id": "default~nowhere"}, "stage_id", REFERENCE),
    ({"stage_id": "nowhere"}, "stage_id", REFERENCE),
    ({"stage_id": ""}, "stage_id", REFERENCE),
    ({"stage_id": "~contractsent"}, "stage_id", REFERENCE),
    ({"stage_id": "default~contractsent~"}, "stage_id", REFERENCE),
    ({"stage_id": "default~contract%73ent"}, "stage_id", REFERENCE),
    ({"pipeline_id": "nowhere"}, "pipeline_id", REFERENCE),
    ({"stage_id": "default~contractsent", "pipeline_id": "74215630"}, "pipeline_id", CONTRADICTION),
    ({"owner_id": "1"}, "owner_id", REFERENCE),
    ({"owner_id": ""}, "owner_id", REFERENCE),
    ({"owner_id": ".."}, "owner_id", REFERENCE),
    ({"owner_id": "9" * 5_000}, "owner_id", REFERENCE),
    ({"account_id": "1"}, "account_id", REFERENCE),
    ({"account_ids": ("1",)}, "account_ids", REFERENCE),
    ({"account_ids": ("6214407301", "6214407302")}, "account_ids", NOT_SUPPORTED),
    ({"account_ids": ("6214407301",), "account_id": "6214407302"}, "account_id", CONTRADICTION),
    ({"primary_contact_id": "1"}, "primary_contact_id", REFERENCE),
    ({"contact_ids": ("101", "1", "2", "3", "4")}, "contact_ids", REFERENCE),
    ({"contact_ids": ("101",), "primary_contact_id": "151"}, "primary_contact_id", CONTRADICTION),
    ({"contact_ids": (), "primary_contact_id": "151"}, "primary_contact_id", CONTRADICTION),
    ({"contact_ids": ("101",), "extension": own(contact_id="151")}, "extension.contact_id", CONTRADICTION),
    ({"extension": own(contact_id="1")}, "extension.contact_id", REFERENCE),
    ({"custom_fields": {"": 1}}, "custom_fields.", VALUE),
    ({"custom_fields": {"a": [1, [2]]}}, "custom_fields.a", VALUE),
    ({"custom_fields": {"a": float("inf")}}, "custom_fields.a", VALUE),
    ({"custom_fields": {"a": {"b": HALF}}}, "custom_fields.a", VALUE),
    ({"custom_fields": {"a": {HALF: 1}}}, "custom_fields.a", VALUE),
    ({"custom_fields": {"a": 10**400}}, "custom_fields.a", VALUE),
    ({"custom_fields": {"a": Decimal("1E+60")}}, "custom_fields.a", VALUE),
    ({"custom_fields": {"a": nested(60)}}, "custom_fields.a", VALUE),
    ({"custom_fields": {HALF: 1}}, f"custom_fields.{HALF}", VALUE),
    ({"extension": own(priority=HALF)}, "extension.priority", VALUE),
    ({"extension": object()}, "extension", NOT_SUPPORTED),
    (passed(extend_object=[1]), "extension.pass_through.0.extend_object", VALUE),
    (passed(extend_paths=(ApideckExtendPathInput(value=1),)), "extension.pass_through.0.extend_paths.0.path", REQUIRED),
    (passed(service_id=HALF), "extension.pass_through", VALUE),
]


@pytest.mark.parametrize(("values", "path", "code"), BROKEN_ALWAYS)
async def test_a_rule_that_is_broken_is_told_and_nobody_is_called_to_write(values: dict[str, Any], path: str, code: RuleCode) -> None:
    async with ground() as made:
        given: dict[str, Any] = {"title": "x", **values}
        create = await made.client.plan_create(OpportunityValues(**given))
        update = await made.client.plan_update(await made.deal(LIGHTS), OpportunityValues(**values))

        assert told(create) == [(path, code)]
        assert told(update) == [(path, code)]
        assert create.requests == update.requests == ()
        with pytest.raises(InputRefusedError) as caught:
            await create.execute()
        assert caught.value.violations == create.violations
        assert made.sent == []


@pytest.mark.parametrize(
    ("values", "path", "code"),
    [
        ({}, "title", REQUIRED),
        ({"title": None}, "title", REQUIRED),
        ({"title": "x", "add_contact_ids": ("101",)}, "add_contact_ids", NOT_SUPPORTED),
        ({"title": "x", "remove_contact_ids": ("101",)}, "remove_contact_ids", NOT_SUPPORTED),
    ],
)
async def test_a_rule_of_creates_that_is_broken_is_told(values: dict[str, Any], path: str, code: RuleCode) -> None:
    async with ground() as made:
        assert told(await made.client.plan_create(OpportunityValues(**values))) == [(path, code)]
        assert made.sent == []


@pytest.mark.parametrize(
    ("values", "path", "code"),
    [
        ({"title": None}, "title", REQUIRED),
        ({"stage_id": "default~contractsent", "pipeline_id": None}, "pipeline_id", CONTRADICTION),
        ({"account_ids": (), "account_id": "6214407302"}, "account_id", CONTRADICTION),
        ({"account_ids": ("6214407302",), "account_id": None}, "account_id", CONTRADICTION),
        ({"add_contact_ids": ("1",)}, "add_contact_ids", REFERENCE),
        ({"add_contact_ids": ("101",), "remove_contact_ids": ("101",)}, "remove_contact_ids", CONTRADICTION),
        ({"remove_contact_ids": ("101",), "primary_contact_id": "101"}, "primary_contact_id", CONTRADICTION),
    ],
)
async def test_a_rule_of_changes_that_is_broken_is_told(values: dict[str, Any], path: str, code: RuleCode) -> None:
    async with ground() as made:
        assert told(await made.client.plan_update(await made.deal(LIGHTS), OpportunityValues(**values))) == [(path, code)]
        assert made.sent == []


async def test_all_broken_rules_are_told_at_once() -> None:
    values = OpportunityValues(
        amount=Money(amount=Decimal("Infinity"), currency="XYZ"),
        probability_percent=101,
        stage_id="x",
        owner_id="x",
        account_id="x",
        primary_contact_id="x",
        contact_ids=("y",),
        custom_fields={"a": [[1]]},
        extension=own(contact_id="z", priority=HALF),
    )
    async with ground() as made:
        plan = await made.client.plan_create(values)

    assert set(told(plan)) == {
        *(("title", REQUIRED), ("amount.amount", RANGE), ("amount.currency", CURRENCY), ("probability_percent", RANGE)),
        *(("stage_id", REFERENCE), ("owner_id", REFERENCE), ("account_id", REFERENCE), ("primary_contact_id", REFERENCE)),
        *(("contact_ids", REFERENCE), ("primary_contact_id", CONTRADICTION), ("custom_fields.a", VALUE)),
        *(("extension.contact_id", CONTRADICTION), ("extension.contact_id", REFERENCE), ("extension.priority", VALUE)),
    }
    assert made.sent == []


async def test_messages_quote_no_more_than_a_few_short_ids() -> None:
    async with ground() as made:
        plan = await made.client.plan_create(OpportunityValues(title="x", contact_ids=tuple(str(number) * 400 for number in range(1, 9))))

    assert told(plan) == [("contact_ids", REFERENCE)]
    assert len(plan.violations[0].message) < 400


async def test_a_move_to_a_stage_that_is_not_there_is_told() -> None:
    async with ground() as made:
        plan = await made.client.plan_move(await made.deal(LIGHTS), "default~148220911", None)

        assert told(plan) == [("stage_id", REFERENCE)]
        assert made.sent == []


async def test_a_closed_deals_date_is_changed_only_by_closing_it() -> None:
    async with ground() as made:
        deal = await made.deal(LIGHTS)
        await made.make(await made.client.plan_close(deal, StatusValues(status=WON, closed_on=date(2026, 10, 1))))
        closed = await made.deal(LIGHTS)

        changed = await made.client.plan_update(closed, OpportunityValues(expected_close_date=date(2027, 1, 1)))
        cleared = await made.client.plan_update(closed, OpportunityValues(expected_close_date=None))
        reopened = await made.update(closed, expected_close_date=date(2027, 1, 1), extension=own(status="open"))

    assert told(changed) == [("expected_close_date", CONTRADICTION)]
    assert (cleared.violations, cleared.requests) == ((), ())
    assert reopened == {"title": "Deck lighting 2027", "close_date": "2027-01-01", "status": "open"}


# What connectors demand. Nothing of it needs a look at the CRM, so it is checked without one.


CONTACT_CONNECTORS = ["act", "activecampaign", "copper", "microsoft-dynamics", "pipedrive", "teamleader", "zoho-books"]


@pytest.mark.parametrize("settings", [{"service_id": name} for name in CONTACT_CONNECTORS] + [{"require_primary_contact": True}])
async def test_a_primary_contact_is_demanded_by_connectors_or_by_setting(settings: dict[str, Any]) -> None:
    async with ground(**settings) as made:
        missing = await made.client.plan_create(OpportunityValues(title="x"))
        nobody = await made.client.plan_create(OpportunityValues(title="x", contact_ids=(), primary_contact_id=None))
        rules = {rule.name for rule in await made.client.create_fields() if rule.is_required}

        assert told(missing) == told(nobody) == [("primary_contact_id", REQUIRED)]
        assert rules == {"title", "primary_contact_id"}
        assert made.sandbox.control.calls == []


async def test_a_demanded_primary_contact_may_be_the_first_of_all_and_is_never_cleared() -> None:
    async with ground({"primary_contact": "required"}) as made:
        plan = await made.client.plan_create(OpportunityValues(title="x", contact_ids=("151", "101")))
        assert (await made.make(plan))["primary_contact_id"] == "151"
        deal = await made.deal(LIGHTS)

        cleared = [
            OpportunityValues(primary_contact_id=None),
            OpportunityValues(contact_ids=()),
            OpportunityValues(remove_contact_ids=("301",)),
        ]
        for values in cleared:
            assert told(await made.client.plan_update(deal, values)) == [("primary_contact_id", REQUIRED)]
        assert await made.update(deal, description="d") == {"title": deal.title, "description": "d"}


async def test_salesforce_demands_a_close_date_and_a_stage_and_keeps_them() -> None:
    current = Opportunity(ref=Ref("am", "1"), title="x", status=WON, close_date=date(2026, 1, 1))
    async with ground(service_id="salesforce") as made:
        create = await made.client.plan_create(OpportunityValues(title="x", expected_close_date=None))
        cleared = OpportunityValues(expected_close_date=None, stage_id=None, pipeline_id=None)
        update = await made.client.plan_update(Opportunity(ref=Ref("am", "1"), title="x", status=OPEN), cleared)
        opened = await made.client.plan_close(current, StatusValues(status=OPEN))

    assert set(told(create)) == set(told(update)) == {("expected_close_date", REQUIRED), ("stage_id", REQUIRED)}
    assert [request.body for request in opened.requests] == [b'{"title":"x","status":"open"}']


@pytest.mark.parametrize(
    ("word", "is_taken"), [("active", True), ("won", True), ("lost", True), ("Won", False), ("open", False), (None, False)]
)
async def test_planhat_takes_three_words_for_a_status(word: str | None, is_taken: bool) -> None:  # noqa: FBT001
    async with ground(service_id="planhat", won_status="won", lost_status="lost", open_status="active") as made:
        current = Opportunity(ref=Ref("am", "1"), title="x")
        plan = await made.client.plan_update(current, OpportunityValues(extension=own(status=word)))

    assert told(plan) == ([] if is_taken else [("extension.status", VALUE)])


async def test_a_lookup_of_microsoft_dynamics_cannot_be_cleared() -> None:
    async with ground(service_id="microsoft-dynamics") as made:
        current = Opportunity(ref=Ref("am", "1"), title="x")
        values = OpportunityValues(custom_fields={"_new_region_value": None, "new_note": None, "_other_value": "guid"})

        assert told(await made.client.plan_update(current, values)) == [("custom_fields._new_region_value", NOT_SUPPORTED)]


# Closing.


@pytest.mark.parametrize("status", [WON, LOST, OPEN])
async def test_a_status_without_a_configured_word_cannot_be_given(status: OpportunityStatus) -> None:
    async with ground(won_status=None, lost_status=None, open_status=None) as made:
        plan = await made.client.plan_close(await made.deal(LIGHTS), StatusValues(status=status))

        assert told(plan) == [("status", NOT_SUPPORTED)]
        assert f"{status.value}_status" in plan.violations[0].message
        assert made.sent == []


@pytest.mark.parametrize(
    ("values", "paths"),
    [
        (StatusValues(status=WON, closed_on=None), [("closed_on", REQUIRED)]),
        (StatusValues(status=LOST, reason_detail=HALF), [("reason_detail", VALUE)]),
        (StatusValues(status=OPEN, closed_on=date(2026, 1, 1)), [("closed_on", CONTRADICTION)]),
        (
            StatusValues(status=OPEN, reason_id="r", reason_detail="d"),
            [("reason_id", CONTRADICTION), ("reason_detail", CONTRADICTION)],
        ),
    ],
)
async def test_a_rule_of_closing_that_is_broken_is_told(values: StatusValues, paths: list[tuple[str, RuleCode]]) -> None:
    async with ground() as made:
        assert told(await made.client.plan_close(await made.deal(LIGHTS), values)) == paths
        assert made.sent == []


CONNECTION = {"api_key": "K", "app_id": "A", "consumer_id": "C", "service_id": "hubspot"}


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"won_status": "done", "lost_status": " DONE "}, "lost_status"),
        ({"won_status": "done", "open_status": "done"}, "open_status"),
        ({"won_status": "Done", "status_map": {"done": "lost"}}, "won_status"),
        ({"won_status": " "}, "won_status"),
        ({"service_id": "planhat", "won_status": "closed"}, "won_status"),
    ],
)
def test_a_word_with_two_meanings_is_a_mistake_in_the_settings(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({**CONNECTION, **settings})

    assert [error["loc"] for error in caught.value.errors()] == [(name,)]


def test_a_word_that_is_written_means_the_same_when_it_is_read() -> None:
    settings = Settings.model_validate({**CONNECTION, "won_status": "Lost cause, not", "status_map": {"X": "lost"}})

    assert settings.meanings == {"lost cause, not": WON, "x": LOST}


# Companies and contacts.


@pytest.mark.parametrize(
    ("values", "path", "code"),
    [
        ({}, "name", REQUIRED),
        ({"name": None}, "name", REQUIRED),
        ({"name": HALF}, "name", VALUE),
        ({"name": "x", "email": "nobody"}, "email", VALUE),
        ({"name": "x", "email": ""}, "email", VALUE),
        ({"name": "x", "phone": " "}, "phone", VALUE),
        ({"name": "x", "website": ""}, "website", VALUE),
        ({"name": "x", "owner_id": "1"}, "owner_id", REFERENCE),
    ],
)
async def test_a_rule_of_companies_that_is_broken_is_told(values: dict[str, Any], path: str, code: RuleCode) -> None:
    async with ground() as made:
        assert told(await made.client.plan_create_account(AccountValues(**values))) == [(path, code)]
        assert made.sent == []


@pytest.mark.parametrize(
    ("values", "path", "code"),
    [
        ({"first_name": HALF}, "first_name", VALUE),
        ({"email": "a b@c"}, "email", VALUE),
        ({"phone": ""}, "phone", VALUE),
        ({"account_id": "1"}, "account_id", REFERENCE),
        ({"owner_id": ""}, "owner_id", REFERENCE),
    ],
)
async def test_a_rule_of_contacts_that_is_broken_is_told(values: dict[str, Any], path: str, code: RuleCode) -> None:
    async with ground() as made:
        assert told(await made.client.plan_create_contact(ContactValues(**{"last_name": "Berg", **values}))) == [(path, code)]
        assert made.sent == []


@pytest.mark.parametrize(
    "values", [{}, {"email": "ida@berg.example", "title": "Buyer"}, {"first_name": " ", "last_name": ""}, {"last_name": None}]
)
async def test_a_contact_without_any_name_is_refused(values: dict[str, Any]) -> None:
    async with ground() as made:
        assert told(await made.client.plan_create_contact(ContactValues(**values))) == [("last_name", RuleCode.REQUIRED)]
        assert made.sent == []
        for name in ("first_name", "last_name"):
            assert told(await made.client.plan_create_contact(ContactValues(**{name: "Ida"}))) == []


# Look-ups that do not work.


async def test_a_deleted_company_is_no_reference() -> None:
    async with ground() as made:
        made.sandbox.control.faults.append(
            Fault(kind="status", status=200, body='{"data": {"id": "6214407301", "deleted": true}}', match="companiesOne")
        )
        plan = await made.client.plan_create(OpportunityValues(title="x", account_id="6214407301"))

    assert told(plan) == [("account_id", REFERENCE)]


async def test_what_the_connector_does_not_let_us_look_up_is_left_to_it() -> None:
    def answer(path: str, _query: dict[str, str]) -> web.Response:
        kind = "ConnectorOperationUnsupportedError" if "companies" in path else "x"
        return refusal(501 if "companies" in path else 403, kind)

    values = OpportunityValues(title="x", stage_id="p~s", owner_id="1", account_id="2", primary_contact_id="3")
    async with scripted(answer, service_id="zendesk-sell") as (_, client):
        plan = await client.plan_create(values)
        nonsense = await client.plan_create(OpportunityValues(title="x", stage_id="no stage"))

    assert plan.violations == ()
    assert [request.body for request in plan.requests] == [
        b'{"title":"x","owner_id":"1","pipeline_id":"p","pipeline_stage_id":"s","company_id":"2","primary_contact_id":"3"}'
    ]
    assert told(nonsense) == [("stage_id", REFERENCE)]


async def test_a_user_who_is_not_listed_may_still_be_one() -> None:
    def answer(path: str, _query: dict[str, str]) -> Any:
        return {"data": {"id": "7"}} if path == "users/7" else refusal(404, "EntityNotFoundError") if "/" in path else rows([])

    async with scripted(answer, service_id="hubspot") as (_, client):
        known = await client.plan_create(OpportunityValues(title="x", owner_id="7"))
        unknown = await client.plan_create(OpportunityValues(title="x", owner_id="8"))

    assert (told(known), told(unknown)) == ([], [("owner_id", REFERENCE)])


async def test_a_look_up_that_fails_fails_the_plan() -> None:
    async with ground() as made:
        made.sandbox.control.faults.append(Fault(kind="status", status=503, match="contacts"))

        with pytest.raises(UnavailableError):
            await made.client.plan_create(OpportunityValues(title="x", primary_contact_id="101"))
        assert made.sent == []
