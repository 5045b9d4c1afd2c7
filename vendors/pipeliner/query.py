"""Which conditions and orders of a list Pipeliner evaluates, and the parameters that ask for them. Pure.

A field takes one operator and one value. Not asked for: an opportunity's pipeline and probability, which belong to its step, when it was
closed, which is one of two fields by its status, and the order of texts, whose collation is not documented.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from vendors.model import OpportunityStatus
from vendors.pipeliner.wire import is_id
from vendors.query import Abilities, Ability, Condition, Field, Operator, Pushdown, Sort, choose

_ONE: Final = Ability()
_WIDER: Final = Ability(is_exact=False)

# Where not all of it can be had, what comes first is preferred: links lead to few records, and a lower bound leaves the old ones out.
OPPORTUNITIES: Final[Abilities] = {
    # Source: entities LeadOpptyAccountRelations and LeadOpptyContactRelations of the Pipeliner API reference. The records come by their
    # links, so nothing else can be asked of them. Of a deleted opportunity the links count that were deleted with it.
    (Field.ACCOUNT, Operator.ANY_OF): _WIDER,
    (Field.CONTACT, Operator.ANY_OF): _WIDER,
    # Source: Pipeliner "Create Opportunity", `filter[field]`, operator eq by default; step_id, owner_id and status are fields.
    (Field.STAGE, Operator.ANY_OF): _ONE,
    (Field.OWNER, Operator.ANY_OF): _ONE,
    # Two of the three statuses are all but the third (operator not-eq).
    (Field.STATUS, Operator.ANY_OF): Ability(values=2),
    # Source: Pipeliner "Create Opportunity", `filter-op[field]`: icontains. How it compares letters is not documented.
    (Field.TITLE, Operator.CONTAINS): _WIDER,
    # Source: as above, gte, gt, lte and lt; closing_date is a day.
    (Field.EXPECTED_CLOSE_DATE, Operator.GTE): _ONE,
    (Field.EXPECTED_CLOSE_DATE, Operator.GT): _ONE,
    (Field.EXPECTED_CLOSE_DATE, Operator.LTE): _ONE,
    (Field.EXPECTED_CLOSE_DATE, Operator.LT): _ONE,
    # Source: as above. Instants are filtered by whole seconds in UTC (public clients), so a bound within a second goes to its edge.
    (Field.CREATED_AT, Operator.GTE): _ONE,
    (Field.CREATED_AT, Operator.GT): _WIDER,
    (Field.CREATED_AT, Operator.LT): _ONE,
    (Field.CREATED_AT, Operator.LTE): _WIDER,
    (Field.UPDATED_AT, Operator.GTE): _ONE,
    (Field.UPDATED_AT, Operator.GT): _WIDER,
    (Field.UPDATED_AT, Operator.LT): _ONE,
    (Field.UPDATED_AT, Operator.LTE): _WIDER,
}
ACCOUNTS: Final[Abilities] = {
    # Source: entity Accounts of the Pipeliner API reference, owner_id and name; operators as above.
    (Field.OWNER, Operator.ANY_OF): _ONE,
    (Field.NAME, Operator.CONTAINS): _WIDER,
}
CONTACTS: Final[Abilities] = {
    # Source: entity ContactAccountRelations of the Pipeliner API reference: all accounts of a contact, not its primary one alone.
    (Field.ACCOUNT, Operator.ANY_OF): _WIDER,
    # Source: entity Contacts of the Pipeliner API reference. A contact's whole name is computed, so it is no field to filter by.
    (Field.OWNER, Operator.ANY_OF): _ONE,
}
# Source: Pipeliner "Create Opportunity", `order-by`, with a leading minus for descending.
SORTS: Final[Mapping[Field, str]] = {Field.CREATED_AT: "created", Field.UPDATED_AT: "modified", Field.EXPECTED_CLOSE_DATE: "closing_date"}

_FIELDS: Final[Mapping[Field, str]] = {
    **SORTS,
    Field.STAGE: "step_id",
    Field.OWNER: "owner_id",
    Field.STATUS: "status",
    Field.TITLE: "name",
    Field.NAME: "name",
}
# Source: Pipeliner REST API, entity Opportunities, `status`.
_STATUSES: Final = {OpportunityStatus.OPEN: 1, OpportunityStatus.LOST: 2, OpportunityStatus.WON: 3}
_LINKED: Final = frozenset({Field.ACCOUNT, Field.CONTACT})
_IDS: Final = frozenset({*_LINKED, Field.STAGE, Field.OWNER})
_SECOND: Final = timedelta(seconds=1)
# What of a needle a server might compare in another way than by folding case: letters of other scripts; letters that some of those are
# folded to, in part ("ss", the ligatures of f and s) or altogether (a long s, the Kelvin sign), or in part at an edge of the needle (the
# Turkish dotted I); and characters that mean something in a pattern or in a list of values.
_UNCERTAIN: Final = re.compile(r"^[ilnt]|[ahijtwy]$|[ahijtwy]?[^ -~]+n?|[fs]+[ilt]?|[^0-9a-jl-z ]")


def pushdown(abilities: Abilities, conditions: Sequence[Condition], sort: Sort | None = None, *, sorts: Collection[Field] = ()) -> Pushdown:
    """Choose what the vendor will evaluate of a list."""
    known = [condition for condition in conditions if (condition.field, condition.operator) in abilities]
    able = [condition for condition in known if condition.field in _LINKED or _test(condition) is not None]
    chosen = choose(abilities, able, sort=sort, sorts=sorts, one_for_a_field=True)
    link = next((condition for condition in chosen.conditions if condition.field in _LINKED), None)
    if link is not None:
        return Pushdown(conditions=(link,), is_exact=abilities[link.field, link.operator].is_exact)
    return replace(chosen, is_exact=chosen.is_exact and all(map(_is_exact, chosen.conditions)))


def can_match(where: Iterable[Condition]) -> bool:
    """Whether a record could fulfil the conditions: not when they name an id that the vendor cannot have given."""
    return all(is_id(condition.values[0]) for condition in where if condition.field in _IDS)


def params_of(where: Iterable[Condition], sort: Sort | None) -> list[tuple[str, str]]:
    """The parameters that ask for conditions and an order that `pushdown` took."""
    params: list[tuple[str, str]] = []
    for condition in where:
        name, test = _FIELDS[condition.field], _test(condition)
        if test is not None:
            operator, value = test
            params += [(f"filter[{name}]", value), *([] if operator == "eq" else [(f"filter-op[{name}]", operator)])]
    if sort is not None:
        params.append(("order-by", f"{'-' if sort.descending else ''}{SORTS[sort.field]}"))
    return params


def certain_part(needle: str) -> str:
    """The longest part of a text that is in everything that holds the text, however a server pays no regard to case; may be empty."""
    return max((part.strip() for part in _UNCERTAIN.split(needle.casefold())), key=len)


def _test(condition: Condition) -> tuple[str, str] | None:
    """The vendor's operator and value; None where it has none for this condition."""
    value = condition.values[0]
    match condition.field:
        case Field.STATUS:
            asked = {_STATUSES[status] for status in condition.values}
            others = {*_STATUSES.values()} - asked
            return ("eq", str(*asked)) if len(asked) == 1 else ("not-eq", str(*others)) if len(others) == 1 else None
        case Field.TITLE | Field.NAME:
            part = certain_part(value)
            return ("icontains", part) if part else None
        case Field.CREATED_AT | Field.UPDATED_AT:
            return _instant_test(condition.operator, value)
        case Field.EXPECTED_CLOSE_DATE:
            return condition.operator.value, value.isoformat()
        case _:
            return "eq", value


def _instant_test(operator: Operator, moment: datetime) -> tuple[str, str] | None:
    """Source: public clients of the vendor write `YYYY-MM-DD HH:MM:SS` in UTC; whether seconds have fractions there is not documented."""
    is_lower = operator in {Operator.GTE, Operator.GT}
    try:
        second = moment.astimezone(UTC).replace(microsecond=0, tzinfo=None)
        bound = second if is_lower or not moment.microsecond else second + _SECOND
    except OverflowError:  # within a day of the first or the last year, in another zone
        return None
    return ("gte" if is_lower else operator.value), bound.isoformat(sep=" ")


def _is_exact(condition: Condition) -> bool:
    if condition.field is Field.STATUS:
        return len({*condition.values}) == 1  # a record without a status is not that of the third
    return not isinstance(condition.values[0], datetime) or not condition.values[0].microsecond
