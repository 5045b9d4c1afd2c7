"""Every rule that Autotask's page states is told before anything is written, and all broken ones at once."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.vendors.autotask.writing_ground import (
    API_USER,
    ATLANTIC,
    FJORD,
    HARBOUR,
    HARBOUR_CHILD,
    IVO,
    LEAST,
    LOST,
    NEW,
    OLD_STAGE,
    OPEN,
    QUOTED,
    SAM,
    WON,
    YACHT,
    choice,
    ground,
    own,
)
from vendors.errors import ErrorCode
from vendors.model import Money, OpportunityStatus
from vendors.writes import (
    UNSET,
    AccountValues,
    ContactValues,
    InputRefusedError,
    OpportunityValues,
    StatusValues,
)

PARTS = [f"{period}_{kind}" for period in ("onetime", "monthly", "quarterly", "semiannual", "yearly") for kind in ("revenue", "cost")]
LENGTHS = {
    "barriers": 500,
    "help_needed": 500,
    "market": 500,
    "next_step": 500,
    "loss_reason_detail": 500,
    "win_reason_detail": 500,
    "promotion_name": 50,
    "revenue_spread_unit": 6,
}


def pounds(amount: str, currency: str | None = "GBP") -> Money:
    return Money(amount=Decimal(amount), currency=currency)


# Rules that hold for whatever is written: (what is given, the rules that it breaks).
EVERYWHERE: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"title": "x" * 129}, [("title", "TOO_LONG")]),
    ({"title": ""}, [("title", "REQUIRED")]),
    ({"title": " \n"}, [("title", "REQUIRED")]),
    ({"title": "half \ud800"}, [("title", "INVALID_VALUE")]),
    ({"description": "x" * 8001}, [("description", "TOO_LONG")]),
    ({"probability_percent": -1.0}, [("probability_percent", "OUT_OF_RANGE")]),
    ({"probability_percent": 100.5}, [("probability_percent", "OUT_OF_RANGE")]),
    ({"probability_percent": float("nan")}, [("probability_percent", "OUT_OF_RANGE")]),
    ({"probability_percent": float("inf")}, [("probability_percent", "OUT_OF_RANGE")]),
    ({"probability_percent": 12.5}, [("probability_percent", "INVALID_VALUE")]),
    ({"amount": pounds("1", "USD")}, [("amount.currency", "CURRENCY_NOT_SUPPORTED")]),
    ({"amount": pounds("1", "gbp")}, [("amount.currency", "CURRENCY_NOT_SUPPORTED")]),
    ({"amount": pounds("NaN", None)}, [("amount", "INVALID_VALUE")]),
    ({"amount": pounds("Infinity", None)}, [("amount", "INVALID_VALUE")]),
    ({"amount": pounds("1E+999999", None)}, [("amount", "OUT_OF_RANGE")]),
    ({"amount": pounds("1E-999999", None)}, [("amount", "OUT_OF_RANGE")]),
    ({"stage_id": "99"}, [("stage_id", "INVALID_REFERENCE")]),
    ({"stage_id": "won"}, [("stage_id", "INVALID_REFERENCE")]),
    ({"stage_id": ""}, [("stage_id", "INVALID_REFERENCE")]),
    ({"stage_id": OLD_STAGE}, [("stage_id", "INVALID_REFERENCE")]),
    ({"pipeline_id": "2"}, [("pipeline_id", "INVALID_REFERENCE")]),
    ({"owner_id": "1"}, [("owner_id", "INVALID_REFERENCE")]),
    ({"owner_id": "somebody"}, [("owner_id", "INVALID_REFERENCE")]),
    ({"owner_id": SAM}, [("owner_id", "INVALID_REFERENCE")]),
    ({"owner_id": API_USER}, [("owner_id", "INVALID_REFERENCE")]),
    ({"account_id": "1"}, [("account_id", "INVALID_REFERENCE")]),
    ({"account_id": "x"}, [("account_id", "INVALID_REFERENCE")]),
    ({"account_id": "99999999999999999"}, [("account_id", "INVALID_REFERENCE")]),
    ({"account_id": HARBOUR, "account_ids": (FJORD,)}, [("account_ids", "CONTRADICTION")]),
    ({"account_id": UNSET, "account_ids": (HARBOUR, FJORD)}, [("account_ids", "NOT_SUPPORTED")]),
    ({"account_id": UNSET, "account_ids": ()}, [("account_ids", "REQUIRED")]),
    ({"primary_contact_id": "30701"}, [("primary_contact_id", "INVALID_REFERENCE")]),
    ({"primary_contact_id": "30821"}, [("primary_contact_id", "INVALID_REFERENCE")]),
    ({"primary_contact_id": "999"}, [("primary_contact_id", "INVALID_REFERENCE")]),
    ({"primary_contact_id": "x"}, [("primary_contact_id", "INVALID_REFERENCE")]),
    ({"contact_ids": ("999",)}, [("contact_ids", "INVALID_REFERENCE")]),
    ({"contact_ids": ("30711", "30712")}, [("contact_ids", "NOT_SUPPORTED")]),
    ({"contact_ids": ("30711",), "primary_contact_id": "30712"}, [("primary_contact_id", "CONTRADICTION")]),
    ({"primary_contact_id": "30711", "add_contact_ids": ("30712",)}, [("add_contact_ids", "NOT_SUPPORTED")]),
    ({"type": "Nothing"}, [("type", "INVALID_VALUE")]),
    ({"type": ""}, [("type", "INVALID_VALUE")]),
    ({"lead_source": "Nothing"}, [("lead_source", "INVALID_VALUE")]),
    ({"lead_source": "Telephone directory"}, [("lead_source", "INVALID_REFERENCE")]),
    ({"tags": ("hot",)}, [("tags", "NOT_SUPPORTED")]),
    ({"custom_fields": {"Nothing": 1}}, [("custom_fields.Nothing", "INVALID_REFERENCE")]),
    ({"custom_fields": {"Port code": "GBSOU"}}, [("custom_fields.Port code", "INVALID_REFERENCE")]),
    ({"custom_fields": {"Vessel or berth": "x" * 101}}, [("custom_fields.Vessel or berth", "TOO_LONG")]),
    ({"custom_fields": {"Vessel or berth": 5}}, [("custom_fields.Vessel or berth", "INVALID_VALUE")]),
    ({"custom_fields": {"Crane hours per year": "many"}}, [("custom_fields.Crane hours per year", "INVALID_VALUE")]),
    ({"custom_fields": {"Crane hours per year": True}}, [("custom_fields.Crane hours per year", "INVALID_VALUE")]),
    ({"custom_fields": {"Crane hours per year": float("inf")}}, [("custom_fields.Crane hours per year", "INVALID_VALUE")]),
    ({"custom_fields": {"Renewal Date": "soon"}}, [("custom_fields.Renewal Date", "INVALID_VALUE")]),
    ({"custom_fields": {"Service level": ["Gold"]}}, [("custom_fields.Service level", "INVALID_VALUE")]),
    ({"custom_fields": {"Service level": "Platinum"}}, [("custom_fields.Service level", "INVALID_VALUE")]),
    ({"custom_fields": {"Service level": "4"}}, [("custom_fields.Service level", "INVALID_VALUE")]),
    ({"custom_fields": {"Service level": "bronze"}}, [("custom_fields.Service level", "INVALID_VALUE")]),
    ({"expected_close_date": date(1, 1, 1)}, [("expected_close_date", "OUT_OF_RANGE")]),
    *(({"extension": own(**{name: "x" * (length + 1)})}, [(f"extension.{name}", "TOO_LONG")]) for name, length in LENGTHS.items()),
    *(
        ({"extension": own(**{name: choice("77")})}, [(f"extension.{name}", "INVALID_REFERENCE")])
        for name in ("status", "loss_reason", "win_reason", "primary_competitor", "rating")
    ),
    ({"extension": own(revenue_spread_unit="Weeks")}, [("extension.revenue_spread_unit", "INVALID_VALUE")]),
    ({"extension": own(product_id="x")}, [("extension.product_id", "INVALID_REFERENCE")]),
    ({"extension": own(cost=Decimal("NaN"))}, [("extension.cost", "INVALID_VALUE")]),
    ({"extension": own(total_amount_months=2**31)}, [("extension.total_amount_months", "OUT_OF_RANGE")]),
    ({"extension": own(closed_date=date(1, 1, 1))}, [("extension.closed_date", "OUT_OF_RANGE")]),
    (
        {"extension": own(promised_fulfillment_date=datetime.max.replace(tzinfo=UTC))},
        [("extension.promised_fulfillment_date", "OUT_OF_RANGE")],
    ),
    (
        {"extension": own(promised_fulfillment_date=datetime.fromisoformat("1753-01-01T00:00:00+14:00"))},
        [("extension.promised_fulfillment_date", "OUT_OF_RANGE")],
    ),
    ({"expected_close_date": date(9999, 12, 31)}, [("expected_close_date", "OUT_OF_RANGE")]),
    # Source: revenueSpread and lostDate, Special field attributes.
    ({"extension": own(revenue_spread=6)}, [("extension.revenue_spread", "CONTRADICTION")]),
    ({"extension": own(revenue_spread=6, revenue_spread_unit="")}, [("extension.revenue_spread", "CONTRADICTION")]),
    ({"extension": own(lost_date=datetime(2026, 10, 1, tzinfo=UTC))}, [("extension.lost_date", "CONTRADICTION")]),
    (
        {"extension": own(status=choice("3"), lost_date=datetime(2026, 10, 1, tzinfo=UTC))},
        [("extension.lost_date", "CONTRADICTION")],
    ),
    # Source: General: a total is ignored when a part is given.
    *(({"amount": pounds("1"), "extension": own(**{part: Decimal(1)})}, [("amount", "CONTRADICTION")]) for part in PARTS),
    *(({"extension": own(cost=Decimal(1), **{part: Decimal(1)})}, [("extension.cost", "CONTRADICTION")]) for part in PARTS),
]


@pytest.mark.parametrize(("given", "broken"), EVERYWHERE)
async def test_a_rule_is_told_when_an_opportunity_is_created(given: dict[str, Any], broken: list[tuple[str, str]]) -> None:
    start = own(start_date=datetime(2026, 11, 1, tzinfo=UTC))
    async with ground() as at:
        assert await at.refusals_of_create(replace(LEAST, **{"account_id": HARBOUR, "extension": start, **given})) == broken


@pytest.mark.parametrize(("given", "broken"), [case for case in EVERYWHERE if "add_contact_ids" not in case[0]])
async def test_a_rule_is_told_when_an_opportunity_is_updated(given: dict[str, Any], broken: list[tuple[str, str]]) -> None:
    async with ground() as at:
        assert await at.refusals_of_update(OPEN, replace(OpportunityValues(), **given)) == broken


@pytest.mark.parametrize("name", ["title", "account_id", "owner_id", "stage_id", "expected_close_date"])
@pytest.mark.parametrize("value", [UNSET, None])
async def test_a_new_opportunity_needs_its_required_fields(name: str, value: Any) -> None:
    async with ground() as at:
        assert await at.refusals_of_create(replace(LEAST, **{name: value})) == [(name, "REQUIRED")]


@pytest.mark.parametrize(
    "name",
    ["title", "account_id", "account_ids", "owner_id", "stage_id", "pipeline_id", "expected_close_date", "amount", "probability_percent"],
)
async def test_what_is_required_cannot_be_cleared(name: str) -> None:
    cleared: dict[str, Any] = {name: None}
    async with ground() as at:
        assert await at.refusals_of_update(OPEN, replace(OpportunityValues(), **cleared)) == [(name, "REQUIRED")]


@pytest.mark.parametrize("name", ["status", "start_date", "cost", "use_quote_totals", "organizational_level_association_id"])
async def test_what_is_required_of_the_vendors_own_cannot_be_cleared(name: str) -> None:
    async with ground() as at:
        values = OpportunityValues(extension=own(**{name: None}))

        assert await at.refusals_of_update(QUOTED, values) == [(f"extension.{name}", "REQUIRED")]


async def test_all_broken_rules_are_told_at_once() -> None:
    values = OpportunityValues(
        title="x" * 129,
        description="x" * 8001,
        amount=pounds("1", "USD"),
        probability_percent=101.0,
        stage_id="99",
        owner_id=SAM,
        account_id=HARBOUR,
        primary_contact_id="30701",
        type="Nothing",
        tags=("hot",),
        custom_fields={"Nothing": 1, "Renewal Date": "soon"},
        extension=own(monthly_revenue=Decimal(1), revenue_spread=3, use_quote_totals=True),
    )
    async with ground() as at:
        assert await at.refusals_of_create(values) == [
            ("title", "TOO_LONG"),
            ("description", "TOO_LONG"),
            ("primary_contact_id", "INVALID_REFERENCE"),
            ("owner_id", "INVALID_REFERENCE"),
            ("stage_id", "INVALID_REFERENCE"),
            ("amount", "CONTRADICTION"),
            ("amount.currency", "CURRENCY_NOT_SUPPORTED"),
            ("probability_percent", "OUT_OF_RANGE"),
            ("type", "INVALID_VALUE"),
            ("tags", "NOT_SUPPORTED"),
            ("extension.revenue_spread", "CONTRADICTION"),
            ("custom_fields.Nothing", "INVALID_REFERENCE"),
            ("custom_fields.Renewal Date", "INVALID_VALUE"),
            ("extension.use_quote_totals", "INVALID_VALUE"),
            ("expected_close_date", "REQUIRED"),
        ]


async def test_a_plan_that_breaks_rules_writes_nothing_even_when_it_is_carried_out() -> None:
    async with ground() as at:
        plan = await at.client.plan_create(replace(NEW, title=""))

        with pytest.raises(InputRefusedError) as caught:
            await plan.execute()

        assert (caught.value.violations, caught.value.code) == (plan.violations, ErrorCode.REJECTED)
        assert at.writes() == []


async def test_a_projected_close_is_not_before_the_start() -> None:
    before, start = date(2026, 11, 19), datetime(2026, 11, 20, 23, tzinfo=UTC)
    close = [("expected_close_date", "OUT_OF_RANGE")]
    async with ground() as at:
        assert await at.refusals_of_create(replace(LEAST, expected_close_date=date(2026, 7, 1))) == close  # it starts today
        assert await at.refusals_of_create(replace(LEAST, expected_close_date=before, extension=own(start_date=start))) == close
        assert await at.refusals_of_update(OPEN, OpportunityValues(expected_close_date=date(2026, 7, 19))) == close
        late = OpportunityValues(extension=own(start_date=datetime(2027, 2, 27, tzinfo=UTC)))
        assert await at.refusals_of_update(OPEN, late) == [("extension.start_date", "OUT_OF_RANGE")]

        same_day = OpportunityValues(expected_close_date=date(2026, 11, 20), extension=own(start_date=start))
        assert (await at.update(OPEN, same_day)).expected_close_date == date(2026, 11, 20)


async def test_a_contact_of_a_child_account_is_not_one_of_its_parent() -> None:
    async with ground() as at:
        wanted = replace(LEAST, account_id=HARBOUR, primary_contact_id="30713")

        assert await at.refusals_of_create(wanted) == [("primary_contact_id", "INVALID_REFERENCE")]
        assert (await at.client.plan_create(replace(wanted, account_id=HARBOUR_CHILD))).violations == ()


async def test_a_new_account_does_not_keep_another_ones_contact() -> None:
    async with ground() as at:
        assert await at.refusals_of_update(OPEN, OpportunityValues(account_id=FJORD)) == [("account_id", "CONTRADICTION")]
        assert await at.refusals_of_update("29701434", OpportunityValues(account_ids=(FJORD,))) == [("account_ids", "CONTRADICTION")]
        assert (await at.client.plan_update(await at.read(OPEN), OpportunityValues(account_id=FJORD, contact_ids=()))).violations == ()


@pytest.mark.parametrize(
    ("given", "broken"),
    [
        ({"add_contact_ids": ("30711",)}, [("add_contact_ids", "NOT_SUPPORTED")]),
        ({"add_contact_ids": ("30711",), "remove_contact_ids": ("30711",)}, [("remove_contact_ids", "CONTRADICTION")]),
        ({"primary_contact_id": "30711", "remove_contact_ids": ("30711",)}, [("remove_contact_ids", "CONTRADICTION")]),
        ({"account_id": HARBOUR, "account_ids": None}, [("account_ids", "CONTRADICTION")]),
        ({"primary_contact_id": None, "contact_ids": ("30711",)}, [("primary_contact_id", "CONTRADICTION")]),
        ({"add_contact_ids": ("30701",), "remove_contact_ids": ("30712",)}, [("add_contact_ids", "INVALID_REFERENCE")]),
    ],
)
async def test_an_opportunity_has_one_contact_and_one_account(given: dict[str, Any], broken: list[tuple[str, str]]) -> None:
    async with ground() as at:
        assert await at.refusals_of_update(OPEN, replace(OpportunityValues(), **given)) == broken


async def test_a_new_opportunity_has_no_contacts_to_remove() -> None:
    async with ground() as at:
        assert await at.refusals_of_create(replace(LEAST, remove_contact_ids=("30684",))) == [("remove_contact_ids", "NOT_SUPPORTED")]


@pytest.mark.parametrize(
    ("account", "currency", "is_right"),
    [(FJORD, "EUR", True), (ATLANTIC, "USD", True), (YACHT, "GBP", True), (YACHT, "EUR", False), (FJORD, None, True)],
)
async def test_the_currency_is_the_accounts_else_the_internal_one(account: str, currency: str | None, *, is_right: bool) -> None:
    async with ground() as at:
        plan = await at.client.plan_create(replace(LEAST, account_id=account, amount=pounds("1", currency)))

        assert (plan.violations == ()) == is_right


async def test_the_currency_of_an_update_is_that_of_the_account_it_has_then() -> None:
    async with ground() as at:
        moved = OpportunityValues(account_id=FJORD, primary_contact_id=None, amount=pounds("1", "EUR"))

        assert (await at.client.plan_update(await at.read(OPEN), moved)).violations == ()
        assert await at.refusals_of_update(OPEN, OpportunityValues(amount=pounds("1", "EUR"))) == [
            ("amount.currency", "CURRENCY_NOT_SUPPORTED")
        ]


async def test_no_quote_refers_to_a_new_opportunity() -> None:
    async with ground() as at:
        assert await at.refusals_of_create(replace(LEAST, extension=own(use_quote_totals=True))) == [
            ("extension.use_quote_totals", "INVALID_VALUE")
        ]


async def test_more_than_200_custom_fields_are_refused() -> None:
    given = {f"Field {number}": "x" for number in range(201)}
    async with ground() as at:
        broken = await at.refusals_of_create(replace(LEAST, custom_fields=given))

        assert broken[0] == ("custom_fields", "OUT_OF_RANGE")
        assert len(broken) == 202
        assert len(await at.refusals_of_create(replace(LEAST, custom_fields=dict(list(given.items())[:200])))) == 200


async def test_a_spread_keeps_its_unit() -> None:
    spread = OpportunityValues(extension=own(revenue_spread=6, revenue_spread_unit="Months"))
    async with ground() as at:
        await at.update(OPEN, spread)
        await at.update(OPEN, OpportunityValues(extension=own(revenue_spread=7)))
        at.made.control.calls.clear()

        unit = OpportunityValues(extension=own(revenue_spread_unit=None))
        assert await at.refusals_of_update(OPEN, unit) == [("extension.revenue_spread_unit", "CONTRADICTION")]
        both = OpportunityValues(extension=own(revenue_spread=None, revenue_spread_unit=None))
        assert (await at.client.plan_update(await at.read(OPEN), both)).violations == ()


async def test_the_lost_date_of_a_lost_opportunity_cannot_be_cleared_nor_kept_when_it_is_opened() -> None:
    async with ground() as at:
        assert await at.refusals_of_update(LOST, OpportunityValues(extension=own(lost_date=None))) == [("extension.lost_date", "REQUIRED")]
        opened = own(status=choice("1"), lost_date=datetime(2026, 10, 1, tzinfo=UTC))
        assert await at.refusals_of_update(LOST, OpportunityValues(extension=opened)) == [("extension.lost_date", "CONTRADICTION")]


@pytest.mark.parametrize(
    ("stage", "extension", "broken"),
    [
        ("99", None, [("stage_id", "INVALID_REFERENCE")]),
        (OLD_STAGE, None, [("stage_id", "INVALID_REFERENCE")]),
        ("12", own(status=choice("9")), [("extension.status", "INVALID_REFERENCE")]),
    ],
)
async def test_a_move_leads_to_a_stage_that_can_be_chosen(stage: str, extension: object, broken: list[tuple[str, str]]) -> None:
    async with ground() as at:
        assert at.refusals(await at.client.plan_move(await at.read(OPEN), stage, extension)) == broken


@pytest.mark.parametrize(
    ("local_id", "values", "broken"),
    [
        (OPEN, StatusValues(status=OpportunityStatus.WON, reason_id="77"), [("reason_id", "INVALID_REFERENCE")]),
        (OPEN, StatusValues(status=OpportunityStatus.LOST, reason_id="price"), [("reason_id", "INVALID_REFERENCE")]),
        (OPEN, StatusValues(status=OpportunityStatus.LOST, reason_detail="x" * 501), [("reason_detail", "TOO_LONG")]),
        (OPEN, StatusValues(status=OpportunityStatus.WON, closed_on=date(1, 1, 1)), [("closed_on", "OUT_OF_RANGE")]),
        (OPEN, StatusValues(status=OpportunityStatus.LOST, closed_on=None), [("closed_on", "REQUIRED")]),
        (
            WON,
            StatusValues(status=OpportunityStatus.OPEN, reason_id="1", reason_detail="Because", closed_on=date(2026, 11, 21)),
            [("reason_id", "CONTRADICTION"), ("reason_detail", "CONTRADICTION"), ("closed_on", "CONTRADICTION")],
        ),
    ],
)
async def test_a_rule_is_told_when_an_opportunity_is_closed(local_id: str, values: StatusValues, broken: list[tuple[str, str]]) -> None:
    async with ground() as at:
        assert at.refusals(await at.client.plan_close(await at.read(local_id), values)) == broken


ACCOUNT = AccountValues(name="Cowes Boat Hoist", phone="+44 1983 555 100", owner_id=IVO)


@pytest.mark.parametrize(
    ("given", "broken"),
    [
        ({"name": UNSET}, [("name", "REQUIRED")]),
        ({"name": " "}, [("name", "REQUIRED")]),
        ({"name": "x" * 101}, [("name", "TOO_LONG")]),
        ({"phone": None}, [("phone", "REQUIRED")]),
        ({"phone": "1" * 26}, [("phone", "TOO_LONG")]),
        ({"website": "https://" + "x" * 255}, [("website", "TOO_LONG")]),
        ({"owner_id": UNSET}, [("owner_id", "REQUIRED")]),
        ({"owner_id": "1"}, [("owner_id", "INVALID_REFERENCE")]),
        ({"owner_id": SAM}, [("owner_id", "INVALID_REFERENCE")]),
        ({"email": "info@cowes.example"}, [("email", "NOT_SUPPORTED")]),
        ({"name": None, "phone": None, "owner_id": None}, [("name", "REQUIRED"), ("phone", "REQUIRED"), ("owner_id", "REQUIRED")]),
    ],
)
async def test_a_rule_is_told_when_an_account_is_created(given: dict[str, Any], broken: list[tuple[str, str]]) -> None:
    async with ground() as at:
        assert at.refusals(await at.client.plan_create_account(replace(ACCOUNT, **given))) == broken


async def test_a_type_that_the_vendor_does_not_have_is_told() -> None:
    async with ground(settings={"company_type": "Friend"}) as at:
        plan = await at.client.plan_create_account(ACCOUNT)

        assert at.refusals(plan) == [("", "REQUIRED")]
        assert "company_type" in plan.violations[0].message


CONTACT = ContactValues(first_name="Lene", last_name="Berg", account_id=FJORD)


@pytest.mark.parametrize(
    ("given", "broken"),
    [
        ({"first_name": UNSET}, [("first_name", "REQUIRED")]),
        ({"last_name": ""}, [("last_name", "REQUIRED")]),
        ({"first_name": "x" * 51}, [("first_name", "TOO_LONG")]),
        ({"email": "x" * 255}, [("email", "TOO_LONG")]),
        ({"title": "x" * 51}, [("title", "TOO_LONG")]),
        ({"account_id": UNSET}, [("account_id", "REQUIRED")]),
        ({"account_id": None}, [("account_id", "REQUIRED")]),
        ({"account_id": "1"}, [("account_id", "INVALID_REFERENCE")]),
        ({"account_id": "../0"}, [("account_id", "INVALID_REFERENCE")]),
        ({"owner_id": IVO}, [("owner_id", "NOT_SUPPORTED")]),
    ],
)
async def test_a_rule_is_told_when_a_contact_is_created(given: dict[str, Any], broken: list[tuple[str, str]]) -> None:
    async with ground() as at:
        assert at.refusals(await at.client.plan_create_contact(replace(CONTACT, **given))) == broken
