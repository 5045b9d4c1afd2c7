"""What Autotask evaluates of a list, and the filters that ask for it. Pure.

Texts are left to the reader of the list: how `contains` compares letters is not documented. There is no order but that of ids.
"""

import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from vendors.autotask.mapping import PIPELINE_ID, STATUS_LABELS, Picklists, status_and_label
from vendors.model import OpportunityStatus
from vendors.query import Abilities, Ability, Condition, Field, Operator, Pushdown, choose

Filter = Sequence[Mapping[str, object]]
"""Conditions in the vendor's own language; a row has to fulfil all of them."""

MAX_ALTERNATIVES: Final = 500
"""Members of lists and items of `or` groups in one query. Source: Autotask REST "Advanced query features" (vendor help)."""

_ANY: Final = Operator.ANY_OF
_LOWER: Final = (Operator.GTE, Operator.GT)
_BOUNDS: Final = (*_LOWER, Operator.LTE, Operator.LT)
_MANY: Final = sys.maxsize

# What more rows are sifted by comes first: where not everything can be asked at once, it is what is asked.
# Source of the operators: Autotask REST "Basic query calls", operators in, notIn, gte, lte, exist and notExist (vendor help); of the
# fields: REST "Opportunities", Field definitions.
OPPORTUNITIES: Final[Abilities] = {
    # There is one pipeline, and nothing tells when an opportunity was changed: both are known without asking.
    (Field.PIPELINE, _ANY): Ability(values=_MANY),
    **{(Field.UPDATED_AT, operator): Ability() for operator in _BOUNDS},
    # `contactID`, `companyID`, `stage` and `ownerResourceID`.
    (Field.CONTACT, _ANY): Ability(values=MAX_ALTERNATIVES),
    (Field.ACCOUNT, _ANY): Ability(values=MAX_ALTERNATIVES),
    (Field.STAGE, _ANY): Ability(values=MAX_ALTERNATIVES),
    (Field.OWNER, _ANY): Ability(values=MAX_ALTERNATIVES),
    # `status`, by the values whose labels mean it.
    (Field.STATUS, _ANY): Ability(values=_MANY),
    # `probability`, a whole number from 0 to 100.
    **{(Field.PROBABILITY, operator): Ability() for operator in _BOUNDS},
    # `projectedCloseDate`; `closedDate` or `lostDate`, whichever the status makes the actual one; `createDate`, and whatever has none, as
    # its `startDate` stands in.
    # Not documented: which time zone a filter's days and instants are read in; a day more on either side is asked for.
    **{(Field.EXPECTED_CLOSE_DATE, operator): Ability(is_exact=False) for operator in _BOUNDS},
    **{(Field.ACTUAL_CLOSE_DATE, operator): Ability(is_exact=False) for operator in _BOUNDS},
    **{(Field.CREATED_AT, operator): Ability(is_exact=False) for operator in _BOUNDS},
}
# Source: Autotask REST "Companies", ownerResourceID.
ACCOUNTS: Final[Abilities] = {(Field.OWNER, _ANY): Ability(values=MAX_ALTERNATIVES)}
# Source: Autotask REST "Contacts", companyID. Nobody owns a contact, which is known without asking.
CONTACTS: Final[Abilities] = {(Field.OWNER, _ANY): Ability(values=_MANY), (Field.ACCOUNT, _ANY): Ability(values=MAX_ALTERNATIVES)}

_OPPORTUNITY_IDS: Final = {
    Field.STAGE: "stage",
    Field.OWNER: "ownerResourceID",
    Field.ACCOUNT: "companyID",
    Field.CONTACT: "contactID",
}
# Members that a condition on statuses may need: values that mean won or lost, of which a database has a handful.
_STATUS_ALTERNATIVES: Final = 20
_GROUP_ALTERNATIVES: Final = 2
_ID: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
# Source: Autotask REST "Opportunities" and "Contacts", Field definitions, integer: what refers to another record has 32 bits.
_TOO_GREAT: Final = 2**31
_HIGHEST_PROBABILITY: Final = 100
_MARGIN: Final = timedelta(days=1)
_DAY: Final = timedelta(days=1)
# What changes is asked for all the time. A moment that is read in the zone farthest behind UTC is this much later; no zone misses more.
_ZONE_MARGIN: Final = timedelta(hours=12)
# Not documented: the first and the last moment that a filter may name. No deal lies outside of these.
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def pushdown(abilities: Abilities, conditions: Sequence[Condition]) -> Pushdown:
    """Choose what the vendor will evaluate: as much as one query may hold."""
    kept: list[Condition] = []
    left = MAX_ALTERNATIVES
    for condition in choose(abilities, conditions).conditions:
        needed = _alternatives(condition)
        if needed <= left:
            kept.append(condition)
            left -= needed
    return choose(abilities, kept)


def opportunities_filter(where: Iterable[Condition], picklists: Picklists) -> Filter | None:
    """Write conditions that were taken; None where no opportunity can fulfil them.

    Args:
        where: The conditions.
        picklists: Those of opportunities, for conditions on a status.
    """
    return _all_of(_on_opportunities(condition, picklists) for condition in where)


def accounts_filter(where: Iterable[Condition]) -> Filter | None:
    return _all_of(_among("ownerResourceID", condition.values) for condition in where)


def contacts_filter(where: Iterable[Condition]) -> Filter | None:
    return _all_of(_among("companyID", condition.values) if condition.field is Field.ACCOUNT else None for condition in where)


def by_ids(ids: Iterable[str]) -> Filter:
    return [_compared("in", "id", [int(local_id) for local_id in ids])]


def behind(wanted: Filter, position: str | None) -> Filter:
    """The part of a list that lies behind an id.

    Source: Autotask REST "Advanced query features" (vendor help): pages by `id` greater than the last; a filter needs a condition.
    """
    # "id greater than 0" would leave out company 0.
    return [*wanted, _compared("gt", "id", int(position))] if position is not None else wanted or [_unary("exist", "id")]


def changed_since(since: datetime) -> Filter:
    """The opportunities that were touched since a moment, or created: whether a creation counts as activity is not documented.

    Source: Autotask REST "Opportunities", lastActivity and createDate (vendor help).
    """
    names = ("lastActivity", "createDate")
    return [_any_of(*(_moments(name, Operator.GTE, since, margin=_ZONE_MARGIN) for name in names))]


def is_id(local_id: str) -> bool:
    """Whether the vendor could have given that id; others exist nowhere."""
    return _ID.fullmatch(local_id) is not None


def _alternatives(condition: Condition) -> int:
    """How many members of lists and items of `or` groups a condition needs."""
    match condition.field:
        case Field.STATUS:
            return _STATUS_ALTERNATIVES
        case Field.ACTUAL_CLOSE_DATE | Field.CREATED_AT:
            return _GROUP_ALTERNATIVES
        case Field.STAGE | Field.OWNER | Field.ACCOUNT | Field.CONTACT:
            return min(len(condition.values), MAX_ALTERNATIVES)
        case _:
            return 0


def _all_of(parts: Iterable[Filter | None]) -> Filter | None:
    whole: list[Mapping[str, object]] = []
    for part in parts:
        if part is None:
            return None
        whole += part
    return whole


def _on_opportunities(condition: Condition, picklists: Picklists) -> Filter | None:
    found: Filter | None
    match condition.field:
        case Field.PIPELINE:
            found = [] if PIPELINE_ID in condition.values else None
        case Field.UPDATED_AT:
            found = None
        case Field.STATUS:
            found = _statuses(condition.values, picklists)
        case Field.PROBABILITY:
            found = _probabilities(condition.operator, condition.values[0])
        case Field.EXPECTED_CLOSE_DATE:
            found = [_days("projectedCloseDate", condition)]
        case Field.ACTUAL_CLOSE_DATE:
            found = [_any_of(_days("closedDate", condition), _days("lostDate", condition))]
        case Field.CREATED_AT:
            created = _moments("createDate", condition.operator, condition.values[0])
            found = [_any_of(created, _unary("notExist", "createDate"))]
        case _:
            found = _among(_OPPORTUNITY_IDS[condition.field], condition.values)
    return found


def _among(name: str, ids: Iterable[str]) -> Filter | None:
    numbers = [int(local_id) for local_id in dict.fromkeys(ids) if is_id(local_id)]
    numbers = [number for number in numbers if abs(number) < _TOO_GREAT]
    return [_compared("in", name, numbers)] if numbers else None


def _statuses(wanted: Sequence[OpportunityStatus], picklists: Picklists) -> Filter | None:
    """Ask for the values that mean a status. What the picklist does not hold is open, unless it is one of the vendor's own values."""
    values = {value for value in (*picklists.values.get("status", ()), *STATUS_LABELS) if is_id(value)}
    is_wanted = {value: status_and_label(value, picklists)[0] in wanted for value in values}
    if OpportunityStatus.OPEN not in wanted:
        return _among("status", sorted(value for value in values if is_wanted[value]))
    others = _among("status", sorted(value for value in values if not is_wanted[value]))
    # Not documented: whether a row without a status is "not in" a list.
    return [_unary("exist", "status"), *({**part, "op": "notIn"} for part in others or ())]


def _probabilities(operator: Operator, bound: float) -> Filter | None:
    """Ask for whole numbers; those that are no percentages have no value to compare."""
    low, high, near = 0, _HIGHEST_PROBABILITY, max(-1.0, min(bound, _HIGHEST_PROBABILITY + 1.0))
    if operator in _LOWER:
        low = max(low, math.ceil(near) if operator is Operator.GTE else math.floor(near) + 1)
    else:
        high = min(high, math.floor(near) if operator is Operator.LTE else math.ceil(near) - 1)
    return [_compared("gte", "probability", low), _compared("lte", "probability", high)] if low <= high else None


def _days(name: str, condition: Condition) -> Mapping[str, object]:
    day: date = condition.values[0]
    return _moments(name, condition.operator, datetime(day.year, day.month, day.day, tzinfo=UTC), length=_DAY)


def _moments(
    name: str, operator: Operator, moment: datetime, *, length: timedelta = timedelta(0), margin: timedelta = _MARGIN
) -> Mapping[str, object]:
    """Ask for what begins or ends at a moment that lasts that long, and for a margin."""
    if operator in _LOWER:
        return _unary("exist", name) if moment < _EARLIEST else _compared("gte", name, _spelled(min(moment, _LATEST) - margin))
    return _unary("exist", name) if moment > _LATEST else _compared("lte", name, _spelled(max(moment, _EARLIEST) + length + margin))


def _spelled(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _compared(operator: str, name: str, value: object) -> Mapping[str, object]:
    return {"op": operator, "field": name, "value": value}


def _unary(operator: str, name: str) -> Mapping[str, object]:
    """`exist` and `notExist` take no value."""
    return {"op": operator, "field": name}


def _any_of(*items: Mapping[str, object]) -> Mapping[str, object]:
    return {"op": "or", "items": items}
