"""What the portal evaluates of a list, and the parameters that ask for it. Pure."""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from vendors.model import OpportunityStatus
from vendors.onlyoffice import wire
from vendors.onlyoffice.mapping import LOST_USER_ID, NOBODY, PIPELINE_ID
from vendors.query import Abilities, Ability, Condition, Field, Operator, Pushdown, choose

_ANY: Final = Operator.ANY_OF
_BOUNDS: Final = (Operator.GTE, Operator.GT, Operator.LTE, Operator.LT)
_MANY: Final = sys.maxsize

# Source: Community Server, CRMApi.Deals GetDeals and DealDao: one value each, and all of them at once.
# Left out: `filterValue`, which may look up whole words in a full-text index, so that rows could be missing; and orders, since the
# collation of titles is not documented, `bidvalue` is the price of one period, and `dateandtime` mixes expected and actual days.
OPPORTUNITIES: Final[Abilities] = {
    # There is one pipeline, and nothing tells when an opportunity was changed: both are known without asking.
    (Field.PIPELINE, _ANY): Ability(values=_MANY),
    **{(Field.UPDATED_AT, operator): Ability() for operator in _BOUNDS},
    # `stageType`, which is the status of the stage.
    (Field.STATUS, _ANY): Ability(),
    # `opportunityStagesid`.
    (Field.STAGE, _ANY): Ability(),
    # `responsibleid`.
    (Field.OWNER, _ANY): Ability(),
    # `contactid` without and with `contactAlsoIsParticipant`; companies and persons share their ids.
    (Field.CONTACT, _ANY): Ability(),
    (Field.ACCOUNT, _ANY): Ability(),
    # `fromDate` with `toDate`: the expected day of open opportunities, the actual day of others, so that they need a status. A day begins
    # in the portal's time zone, which no answer names; a day more on either side is asked for.
    **{(Field.EXPECTED_CLOSE_DATE, operator): Ability(is_exact=False) for operator in _BOUNDS},
    **{(Field.ACTUAL_CLOSE_DATE, operator): Ability(is_exact=False) for operator in _BOUNDS},
}
# Source: Community Server, CRMApi.Contacts GetContacts: `filterValue` searches addresses too, and by whole words. Nobody owns a contact or
# a company: who made one is not its owner, and `responsibleid` stands for those who may see it.
ACCOUNTS: Final[Abilities] = {(Field.OWNER, _ANY): Ability(values=_MANY)}
# Source: Community Server, crm/contact/company/{companyid}/person.
CONTACTS: Final[Abilities] = {(Field.OWNER, _ANY): Ability(values=_MANY), (Field.ACCOUNT, _ANY): Ability()}

# Source: Community Server, DealMilestoneStatus.
_STAGE_TYPES: Final = {OpportunityStatus.OPEN: "0", OpportunityStatus.WON: "1", OpportunityStatus.LOST: "2"}
_STATUSES_OF_DATE: Final = {
    Field.EXPECTED_CLOSE_DATE: frozenset({OpportunityStatus.OPEN}),
    Field.ACTUAL_CLOSE_DATE: frozenset({OpportunityStatus.WON, OpportunityStatus.LOST}),
}
# Source: Community Server, TenantUtil: the first moment of year 1 stands for "no date", and the pair is passed over.
_FIRST_DAY, _LAST_DAY = date(2, 1, 1), date(9999, 12, 31)
_DAY: Final = timedelta(days=1)
_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,9}")
# Source: Community Server, DealDao: the greatest number of 32 bits stands for "no condition".
_TOO_GREAT: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class OpportunityFilter:
    """What the list of opportunities is asked for, without contacts, and what every row of it is then looked at for.

    Args:
        params: Parameters.
        stage_id: A stage that may be gone; its opportunities are then in no stage.
        owner_id: A user who may have been removed; their opportunities then belong to the vendor's stand-in.
        contact_id: A person that takes part.
        account_id: A company that takes part, or that the primary contact belongs to.
    """

    params: tuple[tuple[str, str], ...] = ()
    stage_id: str | None = None
    owner_id: str | None = None
    contact_id: str | None = None
    account_id: str | None = None

    def keeps(self, row: wire.Opportunity, people: frozenset[str]) -> bool:
        """Whether a row fulfils what is asked for; `people` are the ids of the company's people."""
        involved = [base for base in (row.contact, *(row.members or ())) if base is not None]
        persons = {base.id for base in involved if not base.isCompany}
        companies = {base.id for base in involved if base.isCompany}
        return (
            (self.stage_id is None or (row.stage is not None and row.stage.id == self.stage_id))
            and (self.owner_id is None or (row.responsible is not None and row.responsible.id == self.owner_id))
            and (self.contact_id is None or self.contact_id in persons)
            and (self.account_id is None or self.account_id in companies or (row.contact is not None and row.contact.id in people))
        )


def is_number(local_id: str) -> bool:
    """Whether the vendor could have given that id to anything but a user: a positive 32-bit number."""
    return _NUMBER.fullmatch(local_id) is not None and int(local_id) < _TOO_GREAT


def is_guid(local_id: str) -> bool:
    """Whether the vendor could have given that id to a user."""
    return _GUID.fullmatch(local_id) is not None and local_id != NOBODY


def opportunities_pushdown(conditions: Sequence[Condition]) -> Pushdown:
    taken: list[Condition] = []
    for condition in choose(OPPORTUNITIES, conditions).conditions:
        if _fits(condition, taken):
            taken.append(condition)
    return _pushdown(OPPORTUNITIES, taken)


def accounts_pushdown(conditions: Sequence[Condition]) -> Pushdown:
    return choose(ACCOUNTS, conditions)


def contacts_pushdown(conditions: Sequence[Condition]) -> Pushdown:
    return choose(CONTACTS, conditions, one_for_a_field=True)


def opportunity_filter(where: Sequence[Condition]) -> OpportunityFilter | None:
    """Write conditions that were taken; None when no opportunity can fulfil them."""
    by_field = {condition.field: condition for condition in where if condition.operator is _ANY}
    value = {field: condition.values[0] for field, condition in by_field.items()}
    numbers = [value[field] for field in (Field.STAGE, Field.CONTACT, Field.ACCOUNT) if field in value]
    pipelines = [condition.values for condition in where if condition.field is Field.PIPELINE]
    if (
        not all(map(is_number, numbers))
        or (Field.OWNER in value and not is_guid(value[Field.OWNER]))
        or any(PIPELINE_ID not in values for values in pipelines)
        or any(condition.field is Field.UPDATED_AT for condition in where)
    ):
        return None
    params: list[tuple[str, str]] = []
    if Field.STATUS in value:
        params.append(("stageType", _STAGE_TYPES[value[Field.STATUS]]))
    if Field.STAGE in value:
        params.append(("opportunityStagesid", value[Field.STAGE]))
    if Field.OWNER in value:
        params.append(("responsibleid", value[Field.OWNER]))
    return OpportunityFilter(
        params=(*params, *_days(condition for condition in where if _has_status(condition, where))),
        stage_id=value.get(Field.STAGE),
        owner_id=value.get(Field.OWNER),
        contact_id=value.get(Field.CONTACT),
        account_id=value.get(Field.ACCOUNT),
    )


def contact_params(contact_id: str, *, is_participant: bool) -> list[tuple[str, str]]:
    """Ask for opportunities of one contact: those whose primary contact it is, or those that it takes part in.

    Source: Community Server, DealDao: a contact that takes part in anything is not looked for among primary contacts any more, and
    only an opportunity made by the API is sure to have its primary contact among the participants.
    """
    # Both are sent always: the vendor's kept counts mix up stage 1 with contact 20, and stage 12 without a contact.
    return [("contactid", contact_id), ("contactAlsoIsParticipant", "true" if is_participant else "false")]


def account_of(where: Sequence[Condition]) -> str | None:
    """The company that a list of contacts is asked for."""
    return next((condition.values[0] for condition in where if condition.field is Field.ACCOUNT), None)


def has_owner(where: Sequence[Condition]) -> bool:
    return any(condition.field is Field.OWNER for condition in where)


def _fits(condition: Condition, taken: Sequence[Condition]) -> bool:
    """Whether a condition can be asked for along with the others."""
    fields = {other.field for other in taken}
    match condition.field:
        case Field.PIPELINE | Field.UPDATED_AT:
            return True
        case Field.EXPECTED_CLOSE_DATE | Field.ACTUAL_CLOSE_DATE:
            return _has_status(condition, taken)
        case Field.OWNER:
            # Source: Community Server, EmployeeWraper: the stand-in is shown, and the removed user's own id is what is kept.
            return Field.OWNER not in fields and condition.values[0] != LOST_USER_ID
        case Field.CONTACT | Field.ACCOUNT:
            return fields.isdisjoint({Field.CONTACT, Field.ACCOUNT})
        case _:
            return condition.field not in fields


def _has_status(condition: Condition, others: Iterable[Condition]) -> bool:
    """Whether the condition is about a close date, and others make it the one that the vendor looks at."""
    wanted = _STATUSES_OF_DATE.get(condition.field, frozenset())
    return any(other.field is Field.STATUS and wanted.issuperset(other.values) for other in others)


def _days(conditions: Iterable[Condition]) -> list[tuple[str, str]]:
    """Write ranges of days as one, a day wider on either side. Both ends are sent: one alone is passed over."""
    start, end = _FIRST_DAY, _LAST_DAY
    is_any = False
    for condition in conditions:
        day, is_any = condition.values[0], True
        if condition.operator in (Operator.GTE, Operator.GT):
            start = max(start, day - _DAY if day > _FIRST_DAY else day)
        else:
            # The day's own end is the next one's beginning.
            end = min(end, day + 2 * _DAY if day < _LAST_DAY - 2 * _DAY else _LAST_DAY)
    return [("fromDate", start.isoformat()), ("toDate", max(end, _FIRST_DAY).isoformat())] if is_any else []


def _pushdown(abilities: Abilities, taken: Sequence[Condition]) -> Pushdown:
    is_exact = all(abilities[condition.field, condition.operator].is_exact for condition in taken)
    return Pushdown(conditions=tuple(taken), is_exact=is_exact)
