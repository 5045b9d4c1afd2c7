"""What the adapter takes of a list, and what it makes of that on the wire."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from vendors.model import OpportunityStatus
from vendors.onlyoffice.mapping import LOST_USER_ID, NOBODY
from vendors.onlyoffice.query import (
    accounts_pushdown,
    contact_params,
    contacts_pushdown,
    opportunities_pushdown,
    opportunity_filter,
)
from vendors.query import Condition, Field, Operator, Pushdown

IVO, EWA = "9924256a-739c-462b-af15-e652a3b1b6eb", "e81b6f3d-0a95-4c72-8d4e-b7f2916c5a08"
OPEN, WON, LOST = OpportunityStatus.OPEN, OpportunityStatus.WON, OpportunityStatus.LOST
DAY, MOMENT = date(2026, 11, 20), datetime(2026, 11, 20, tzinfo=UTC)


def any_of(field: Field, *values: Any) -> Condition:
    return Condition(field, Operator.ANY_OF, values)


def bound(field: Field, operator: Operator, value: Any) -> Condition:
    return Condition(field, operator, (value,))


EXPECTED, ACTUAL = Field.EXPECTED_CLOSE_DATE, Field.ACTUAL_CLOSE_DATE
IS_OPEN = any_of(Field.STATUS, OPEN)
SINCE, UNTIL = bound(EXPECTED, Operator.GTE, DAY), bound(EXPECTED, Operator.LT, DAY)


@pytest.mark.parametrize(
    ("condition", "params"),
    [
        (any_of(Field.STATUS, OPEN), {"stageType": "0"}),
        (any_of(Field.STATUS, WON), {"stageType": "1"}),
        (any_of(Field.STATUS, LOST), {"stageType": "2"}),
        (any_of(Field.STAGE, "11"), {"opportunityStagesid": "11"}),
        (any_of(Field.OWNER, IVO), {"responsibleid": IVO}),
        (any_of(Field.CONTACT, "41"), {}),
        (any_of(Field.ACCOUNT, "12"), {}),
        (any_of(Field.PIPELINE, "other", "default"), {}),
    ],
    ids=str,
)
def test_one_value_is_asked_for(condition: Condition, params: dict[str, str]) -> None:
    assert opportunities_pushdown([condition]) == Pushdown(conditions=(condition,))
    wanted = opportunity_filter([condition])
    assert wanted is not None and dict(wanted.params) == params


@pytest.mark.parametrize(
    "condition",
    [
        any_of(Field.STATUS, WON, LOST),
        any_of(Field.STAGE, "4", "5"),
        any_of(Field.OWNER, IVO, EWA),
        any_of(Field.OWNER, LOST_USER_ID),
        any_of(Field.CONTACT, "41", "42"),
        any_of(Field.ACCOUNT, "12", "13"),
        SINCE,
        bound(ACTUAL, Operator.LTE, DAY),
        bound(Field.CREATED_AT, Operator.GTE, MOMENT),
        bound(Field.PROBABILITY, Operator.GT, 50.0),
        bound(Field.TITLE, Operator.CONTAINS, "crane"),
    ],
    ids=str,
)
def test_what_the_portal_cannot_do_for_sure_is_left(condition: Condition) -> None:
    assert opportunities_pushdown([condition]) == Pushdown()


def test_different_fields_are_asked_for_at_once_and_each_field_once() -> None:
    conditions = [any_of(Field.OWNER, IVO), any_of(Field.STAGE, "5"), any_of(Field.STAGE, "6"), IS_OPEN]

    taken = opportunities_pushdown(conditions)

    assert set(taken.conditions) == {conditions[0], conditions[1], IS_OPEN} and taken.is_exact
    wanted = opportunity_filter(taken.conditions)
    assert wanted is not None
    assert dict(wanted.params) == {"stageType": "0", "opportunityStagesid": "5", "responsibleid": IVO}


@pytest.mark.parametrize("order", [1, -1])
def test_a_contact_goes_before_a_company(order: int) -> None:
    conditions = [any_of(Field.ACCOUNT, "12"), any_of(Field.CONTACT, "41")]

    assert opportunities_pushdown(conditions[::order]).conditions == (any_of(Field.CONTACT, "41"),)


@pytest.mark.parametrize(
    ("field", "status", "is_taken"),
    [
        (EXPECTED, OPEN, True),
        (EXPECTED, WON, False),
        (EXPECTED, LOST, False),
        (ACTUAL, OPEN, False),
        (ACTUAL, WON, True),
        (ACTUAL, LOST, True),
    ],
)
def test_a_close_date_needs_the_status_that_makes_it_the_one_looked_at(field: Field, status: OpportunityStatus, *, is_taken: bool) -> None:
    since = bound(field, Operator.GTE, DAY)

    taken = opportunities_pushdown([since, any_of(Field.STATUS, status)])

    assert (since in taken.conditions, taken.is_exact) == (is_taken, not is_taken)


@pytest.mark.parametrize(
    ("conditions", "start", "end"),
    [
        ([SINCE], "2026-11-19", "9999-12-31"),
        ([bound(EXPECTED, Operator.GT, DAY)], "2026-11-19", "9999-12-31"),
        ([UNTIL], "0002-01-01", "2026-11-22"),
        ([bound(EXPECTED, Operator.LTE, DAY)], "0002-01-01", "2026-11-22"),
        ([SINCE, UNTIL], "2026-11-19", "2026-11-22"),
        ([SINCE, bound(EXPECTED, Operator.GTE, date(2026, 12, 1))], "2026-11-30", "9999-12-31"),
        ([bound(EXPECTED, Operator.GTE, date.min)], "0002-01-01", "9999-12-31"),
        ([bound(EXPECTED, Operator.LTE, date.min)], "0002-01-01", "0002-01-01"),
        ([bound(EXPECTED, Operator.LTE, date.max)], "0002-01-01", "9999-12-31"),
        ([bound(EXPECTED, Operator.GTE, date.max)], "9999-12-30", "9999-12-31"),
    ],
)
def test_days_are_asked_for_in_pairs_and_a_day_wider(conditions: list[Condition], start: str, end: str) -> None:
    wanted = opportunity_filter([IS_OPEN, *conditions])

    assert wanted is not None
    assert dict(wanted.params) == {"stageType": "0", "fromDate": start, "toDate": end}


def test_days_without_their_status_are_not_asked_for_since_the_portal_would_take_them_for_others() -> None:
    for where in ([SINCE], [SINCE, any_of(Field.STATUS, WON)]):
        wanted = opportunity_filter(where)
        assert wanted is not None and "fromDate" not in dict(wanted.params)


@pytest.mark.parametrize(
    "condition",
    [
        *(
            any_of(field, text)
            for field in (Field.STAGE, Field.CONTACT, Field.ACCOUNT)
            for text in ("", "0", "-1", "05", "٤١", "x", "2147483647")
        ),
        *(any_of(Field.OWNER, text) for text in ("", "12", IVO.upper(), IVO.replace("-", ""), NOBODY, "@self")),
        any_of(Field.PIPELINE, "other"),
        bound(Field.UPDATED_AT, Operator.GTE, MOMENT),
        bound(Field.UPDATED_AT, Operator.LT, MOMENT),
    ],
    ids=str,
)
def test_what_no_opportunity_can_fulfil_is_known_at_once(condition: Condition) -> None:
    assert opportunities_pushdown([condition]) == Pushdown(conditions=(condition,))
    assert opportunity_filter([condition]) is None


def test_contact_and_participation_are_always_sent_together() -> None:
    assert contact_params("41", is_participant=False) == [("contactid", "41"), ("contactAlsoIsParticipant", "false")]
    assert contact_params("41", is_participant=True) == [("contactid", "41"), ("contactAlsoIsParticipant", "true")]


def test_of_contacts_the_company_is_taken_and_of_both_the_owner_whom_none_has() -> None:
    name, owner = bound(Field.NAME, Operator.CONTAINS, "port"), any_of(Field.OWNER, IVO, EWA)
    company, other = any_of(Field.ACCOUNT, "12"), any_of(Field.ACCOUNT, "13")

    assert contacts_pushdown([name, company, other]).conditions == (company,)
    assert contacts_pushdown([any_of(Field.ACCOUNT, "12", "13")]) == Pushdown()
    assert contacts_pushdown([owner]).conditions == accounts_pushdown([owner, name]).conditions == (owner,)
    assert accounts_pushdown([company]) == Pushdown()
