"""What a list asks of one Crm: what of it the vendor evaluates, and what is left to be evaluated here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from resolvers.listing.criteria import Criteria, Criterion
from resolvers.listing.kinds import Kind
from resolvers.listing.order import Order
from vendors.query import NOTHING, Pushdown, Sort
from vendors.registry import Crm
from vendors.values import cached_property


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a list asks of one Crm.

    Args:
        crm: The Crm.
        criteria: What decides about a row; None when no row of the Crm can belong to the list.
        conditions: All of it that can be put in a vendor's terms.
        pushdown: What of it the vendor evaluates.
        columns: What filters and orders look at.
        sort: The order in a vendor's terms.
    """

    crm: Crm
    criteria: Sequence[Criterion] | None
    pushdown: Pushdown = NOTHING
    columns: frozenset[str] = frozenset()
    sort: Sort | None = None

    @property
    def residual(self) -> list[Criterion]:
        """The parts of the filter that the vendor does not evaluate, or not alone."""
        taken = set(self.pushdown.conditions)
        return [criterion for criterion in self.criteria or () if not criterion.conditions or not taken.issuperset(criterion.conditions)]

    @property
    def is_exact(self) -> bool:
        """Whether the vendor's rows are exactly those of the list."""
        return self.pushdown.is_exact and not self.residual

    @property
    def takes_all(self) -> bool:
        """Whether every row that the vendor gives belongs to the list."""
        return not self._checks

    @cached_property
    def _checks(self) -> list[Callable[[Any], bool]]:
        taken = set(self.pushdown.conditions)
        return [
            criterion.matches
            for criterion in self.criteria or ()
            if not (criterion.is_trusted and criterion.conditions and taken.issuperset(criterion.conditions))
        ]

    def matches(self, entry: Any) -> bool:
        """Whether a row that the vendor gave belongs to the list."""
        return all(matches(entry) for matches in self._checks)


def plan_of(kind: Kind[Any], crm: Crm, criteria: Criteria, order: Order | None) -> Plan:
    """What a list asks of a Crm, and what of it the vendor evaluates.

    Raises:
        UnsupportedError: The vendor has no such list.
    """
    if criteria is None:
        return Plan(crm=crm, criteria=None)
    conditions = [condition for criterion in criteria for condition in criterion.conditions]
    sort = None if order is None else order.sort
    columns = frozenset[str]().union(*(criterion.columns for criterion in criteria), () if order is None else order.columns)
    return Plan(crm=crm, criteria=criteria, pushdown=kind.pushdown(crm, conditions, sort), columns=columns, sort=sort)
