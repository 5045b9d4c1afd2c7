"""What Lead Gen & CRM evaluates of a list, and the `where` that asks for it. Orders and counts it has none."""

from collections.abc import Mapping, Sequence
from typing import Final

from vendors.query import Abilities, Ability, Condition, Field, Operator
from vendors.sharpspring.wire import is_row_id

# Source: getOpportunities takes one of id, ownerID, dealStageID, accountID and campaignID in `where` (observed by several clients), with
# one value: lists are documented for leads only. What narrows the list most comes first. A contact's opportunities cannot be asked for:
# primaryLeadID is no key, and it is not documented whether a primary lead has a row in the table of links too.
OPPORTUNITIES: Final[Abilities] = {
    (Field.ACCOUNT, Operator.ANY_OF): Ability(),
    (Field.OWNER, Operator.ANY_OF): Ability(),
    (Field.STAGE, Operator.ANY_OF): Ability(),
}
# Source: Lead Gen & CRM Open API, account methods (vendor help, article 50891): `where` takes id and ownerID.
ACCOUNTS: Final[Abilities] = {(Field.OWNER, Operator.ANY_OF): Ability()}
# Source: Lead Gen & CRM Open API, lead methods (vendor help, article 50889): `where` takes id and emailAddress, of which no list is made.
CONTACTS: Final[Abilities] = {}

MOST_CONDITIONS: Final = 1
_COLUMNS: Final[Mapping[Field, str]] = {Field.ACCOUNT: "accountID", Field.OWNER: "ownerID", Field.STAGE: "dealStageID"}


def where_of(conditions: Sequence[Condition]) -> dict[str, str] | None:
    """Write conditions that the vendor takes as `where`; None when no row can fulfil them, because one names an id that cannot be."""
    where = {_COLUMNS[condition.field]: str(condition.values[0]) for condition in conditions}
    return where if all(map(is_row_id, where.values())) else None
