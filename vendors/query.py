"""What a list asks of a vendor, in the model's terms: conditions that its rows fulfil, and the order they come in.

A vendor evaluates what it can and leaves the rest. What it evaluates may let through more rows than asked for, never fewer: whoever reads
the list checks every row again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Field(StrEnum):
    """What a condition or an order is about. References are ids of the same Crm, without its key."""

    STATUS = "status"
    PIPELINE = "pipeline"
    STAGE = "stage"
    OWNER = "owner"
    ACCOUNT = "account"
    CONTACT = "contact"
    TITLE = "title"
    NAME = "name"
    PROBABILITY = "probability"
    EXPECTED_CLOSE_DATE = "expectedCloseDate"
    ACTUAL_CLOSE_DATE = "actualCloseDate"
    CREATED_AT = "createdAt"
    UPDATED_AT = "updatedAt"


class Operator(StrEnum):
    """How a field is compared with the values of a condition. A field without a value fulfils none of them."""

    ANY_OF = "anyOf"
    CONTAINS = "contains"
    GTE = "gte"
    GT = "gt"
    LTE = "lte"
    LT = "lt"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a row must fulfil.

    Args:
        field: What is compared.
        operator: How.
        values: One value, or for ANY_OF one or more: local ids as text, `OpportunityStatus`, text, numbers, days or aware instants.
            CONTAINS pays no regard to case.
    """

    field: Field
    operator: Operator
    values: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.field.value} {self.operator.value}"


@dataclass(frozen=True, slots=True)
class Sort:
    """An order by one field; rows of equal value may come in any order."""

    field: Field
    descending: bool = False

    def __str__(self) -> str:
        return f"orderBy {self.field.value}{' descending' if self.descending else ''}"


@dataclass(frozen=True, slots=True)
class Ability:
    """What a vendor can do with a field and an operator.

    Args:
        values: Number of values that it takes at once.
        is_exact: Whether exactly the rows that fulfil the condition come, so that the vendor's count is theirs.
    """

    values: int = 1
    is_exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushdown:
    """What of a list a vendor will evaluate itself.

    Args:
        conditions: Those of the conditions asked for that it takes.
        is_exact: Whether the rows that come are exactly those that fulfil them.
        is_sorted: Whether the rows come in the order asked for.
    """

    conditions: tuple[Condition, ...] = ()
    is_exact: bool = True
    is_sorted: bool = False


NOTHING: Final = Pushdown()

Abilities = Mapping[tuple[Field, Operator], Ability]
"""A vendor's declaration: what it can evaluate, by field and operator. What is not in it is evaluated by whoever reads the list."""


def choose(
    abilities: Abilities,
    conditions: Sequence[Condition],
    *,
    sort: Sort | None = None,
    sorts: Collection[Field] = (),
    most: int | None = None,
    one_for_a_field: bool = False,
) -> Pushdown:
    """Choose what a vendor will evaluate, by its declaration.

    Args:
        abilities: What it can evaluate; where it cannot do everything at once, what comes first in it is preferred.
        conditions: What is asked for.
        sort: The order that is asked for.
        sorts: Fields that it can order by.
        most: Number of conditions that it takes at once.
        one_for_a_field: Whether it takes only one condition on a field.
    """
    rank = {key: position for position, key in enumerate(abilities)}
    able = [condition for condition in conditions if _fits(condition, abilities)]
    able.sort(key=lambda condition: rank[condition.field, condition.operator])
    taken: list[Condition] = []
    for condition in able:
        is_free = not (one_for_a_field and any(other.field == condition.field for other in taken))
        if is_free and (most is None or len(taken) < most):
            taken.append(condition)
    return Pushdown(
        conditions=tuple(taken),
        is_exact=all(abilities[condition.field, condition.operator].is_exact for condition in taken),
        is_sorted=sort is not None and sort.field in sorts,
    )


def _fits(condition: Condition, abilities: Abilities) -> bool:
    ability = abilities.get((condition.field, condition.operator))
    return ability is not None and len(condition.values) <= ability.values
