"""What Apideck evaluates of a list, and how it is asked for it. Pure.

Filters compare an id, by one value each. Texts are left to the reader of the list: how a connector matches `filter[title]`,
`filter[status]` or `filter[name]` is not documented. `filter[primary_contact_id]` is left out too: a contact may belong to a deal without
being its first.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vendors.query import Abilities, Ability, Condition, Field, Operator, Pushdown, Sort, choose

OPPORTUNITIES: Final[Abilities] = {
    # Source: Apideck CRM API, schema OpportunitiesFilter, company_id: "Company ID to filter on". It comes first, as fewer rows match.
    (Field.ACCOUNT, Operator.ANY_OF): Ability(),
    # Source: Apideck CRM API, schema OpportunitiesFilter, owner_id: "Owner ID to filter on".
    (Field.OWNER, Operator.ANY_OF): Ability(),
}
CONTACTS: Final[Abilities] = {
    # Source: Apideck CRM API, schema ContactsFilter, company_id: the associated company.
    (Field.ACCOUNT, Operator.ANY_OF): Ability(),
    # Source: Apideck CRM API, schema ContactsFilter, owner_id.
    (Field.OWNER, Operator.ANY_OF): Ability(),
}
_FILTERS: Final[Mapping[Field, str]] = {Field.ACCOUNT: "company_id", Field.OWNER: "owner_id"}
# Source: Apideck CRM API, schema OpportunitiesSort, by. Titles and status words are left out: their collation is not documented; chances
# too, because ours leave out those that are no percentages.
SORTS: Final[Mapping[Field, str]] = {Field.CREATED_AT: "created_at", Field.UPDATED_AT: "updated_at"}

# Whatever is typed as an id may come here; one that is longer than this is none.
_LONGEST_ID: Final = 500
# As segments of a path these would name another resource, and as a filter the empty one is no filter.
_NO_IDS: Final = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Search:
    """What a list is asked for beyond its pages.

    Args:
        filters: Names of fields and the value that each has to have.
        sort: The order.
    """

    filters: tuple[tuple[str, str], ...] = ()
    sort: Sort | None = None

    @property
    def is_plain(self) -> bool:
        return not self.filters and self.sort is None

    @property
    def names(self) -> frozenset[str]:
        """The fields that it filters by."""
        return frozenset(name for name, _ in self.filters)

    @property
    def params(self) -> list[tuple[str, str]]:
        """It as parameters. Source: Apideck CRM API, parameters filter and sort (deepObject)."""
        params = [(f"filter[{name}]", value) for name, value in self.filters]
        if self.sort is not None:
            direction = "desc" if self.sort.descending else "asc"
            params += [("sort[by]", SORTS[self.sort.field]), ("sort[direction]", direction)]
        return params


PLAIN: Final = Search()
NEWEST_FIRST: Final = Search(sort=Sort(Field.UPDATED_AT, descending=True))


def is_possible(local_id: str) -> bool:
    """Whether the vendor can have given this id; others exist nowhere."""
    # Half a surrogate pair is no character, and nothing that could be sent.
    return local_id not in _NO_IDS and len(local_id) <= _LONGEST_ID and not any("\ud800" <= letter <= "\udfff" for letter in local_id)


def pushdown(
    abilities: Abilities,
    conditions: Sequence[Condition],
    sort: Sort | None = None,
    *,
    sorts: Collection[Field] = (),
    refused: Collection[frozenset[str]] = (),
) -> Pushdown:
    """Choose what the connector will evaluate.

    Args:
        abilities: What the resource's filters can do.
        conditions: What is asked for.
        sort: The order that is asked for.
        sorts: Fields that the connector orders by.
        refused: Sets of filters that it turned out not to take; of one that is refused as a whole, the first filter alone is tried.
    """
    chosen = choose(abilities, conditions, sort=sort, sorts=sorts, one_for_a_field=True)
    if frozenset(_FILTERS[condition.field] for condition in chosen.conditions) not in refused:
        return chosen
    return choose(abilities, conditions, sort=sort, sorts=sorts, most=1)


def search_for(where: Sequence[Condition], sort: Sort | None) -> Search | None:
    """The search for conditions that a pushdown took; None where no row can fulfil them."""
    filters = {_FILTERS[condition.field]: condition.values[0] for condition in where}
    return Search(tuple(filters.items()), sort) if all(map(is_possible, filters.values())) else None
