"""Finding what a write may have made, when no answer told whether it has happened."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from resolvers.listing.criteria import Criteria, Criterion, Moment
from resolvers.listing.kinds import ACCOUNTS, CONTACTS, OPPORTUNITIES, Kind
from resolvers.listing.pages import read_page
from resolvers.listing.request import Listing, Window
from vendors.model import Record, Ref
from vendors.query import Condition, Field, Operator
from vendors.registry import Crm
from vendors.writes import UNSET, AccountValues, ContactValues, OpportunityValues

if TYPE_CHECKING:
    from resolvers.context import Context

# Clocks differ, and the vendor's may be behind ours.
_MARGIN: Final = timedelta(minutes=5)
_MOST: Final = 20


async def created_opportunities(
    context: "Context", crm: Crm, values: OpportunityValues, since: float, correlation: tuple[str, str] | None
) -> list[Ref]:
    """The opportunities that a create may have made: by the correlation field where there is one, else by title and when they came."""
    if correlation is not None:
        field, value = correlation
        matches = Criterion(
            label="correlation",
            matches=lambda entry: entry.custom_fields is not None and entry.custom_fields.get(field) == value,
            columns=frozenset({"custom_fields"}),
        )
        return await _found(context, crm, OPPORTUNITIES, [matches])
    earliest = datetime.fromtimestamp(since, UTC) - _MARGIN
    criteria = [
        Criterion(
            label="createdAt",
            matches=lambda entry: entry.created_at is None or entry.created_at >= earliest,
            columns=frozenset({"created_at"}),
            conditions=(Condition(Field.CREATED_AT, Operator.GTE, (earliest,)),),
        )
    ]
    if isinstance(values.title, str):
        title = _folded(values.title)
        criteria.append(Criterion(label="title", matches=lambda entry: _folded(entry.title) == title, columns=frozenset({"title"})))
    if isinstance(values.owner_id, str):
        criteria.append(_refers("owner", Field.OWNER, values.owner_id))
    return await _found(context, crm, OPPORTUNITIES, criteria)


async def created_accounts(context: "Context", crm: Crm, values: AccountValues) -> list[Ref]:
    """The accounts that a create may have made, by their name."""
    return await _found(context, crm, ACCOUNTS, [_texts(record_name=values.name)])


async def created_contacts(context: "Context", crm: Crm, values: ContactValues) -> list[Ref]:
    """The contacts that a create may have made, by e-mail address or name: some vendors are told the address in a second call."""
    parts = [part for part in (values.first_name, values.last_name) if isinstance(part, str)]
    return await _found(context, crm, CONTACTS, [_texts(record_name=" ".join(parts), email=values.email)])


def _texts(*, record_name: object = UNSET, email: object = UNSET) -> Criterion:
    """That one of the texts that were given is there."""
    given = {attribute: _folded(text) for attribute, text in (("name", record_name), ("email", email)) if isinstance(text, str)}
    wanted = {attribute: text for attribute, text in given.items() if text}
    return Criterion(
        label="texts",
        matches=lambda record: any(_folded(getattr(record, attribute) or "") == text for attribute, text in wanted.items()),
        columns=frozenset(wanted),
    )


def _refers(column: str, field: Field, local_id: str) -> Criterion:
    return Criterion(
        label=column,
        matches=lambda entry: getattr(entry, column) == local_id,
        columns=frozenset({column}),
        conditions=(Condition(field, Operator.ANY_OF, (local_id,)),),
    )


async def _found(context: "Context", crm: Crm, kind: Kind[Any], criteria: Sequence[Criterion]) -> list[Ref]:
    """The records that fulfil all of it. Raises VendorError when the Crm could not be read as a whole."""

    async def of(_: Crm, __: Moment) -> Criteria:
        return criteria

    listing: Listing[Record] = Listing(
        context=context,
        kind=kind,
        crms=[crm],
        criteria=of,
        window=Window(size=_MOST, cursor=None, is_backward=False),
        identity=["candidates"],
        path=(),
    )
    page = await read_page(listing)
    error = page.sources[0].error
    if error is not None:
        raise error
    return [record.ref for record in page.records]


def _folded(text: str) -> str:
    """Text as it is compared: vendors trim what they are sent, or put it in another form."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
