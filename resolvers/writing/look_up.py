"""Finding what a write may have made, when no answer told whether it has happened."""

import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from resolvers.listing.criteria import Criteria, Criterion
from resolvers.listing.kinds import ACCOUNTS, CONTACTS, OPPORTUNITIES, Kind
from resolvers.listing.moment import Moment
from resolvers.listing.pages import read_page
from resolvers.listing.request import Listing, Window
from resolvers.writing.correlation import is_mark
from resolvers.writing.work import Found
from vendors.errors import VendorError
from vendors.model import Record, Ref
from vendors.query import Condition, Field, Operator
from vendors.registry import Crm
from vendors.writes import AccountValues, ContactValues, OpportunityValues, ReadsBack

if TYPE_CHECKING:
    from resolvers.context import Context

# Clocks differ, and the vendor's may be behind ours.
_MARGIN: Final = timedelta(minutes=5)
_MOST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a create may have made: the records that are like what was to be written.

    Args:
        context: The operation.
        crm: The Crm.
        kind: Kind of the records.
        criteria: What they have to be like; None when there is nothing to know them by.
        narrowing: What they are like as well, unless somebody has changed them since.
        mark: That a record bears the mark of the write, which proves it; None when the write carried none.
    """

    context: "Context"
    crm: Crm
    kind: Kind[Any]
    criteria: Sequence[Criterion] | None
    narrowing: Sequence[Criterion] = ()
    mark: Criterion | None = None

    async def find(self) -> Found:
        if self.mark is not None:
            marked = await _found(self.context, self.crm, self.kind, [self.mark])
            if marked:
                return Found(marked, is_certain=True)
        if self.criteria is None:
            return Found(None)
        return Found(await _found(self.context, self.crm, self.kind, [*self.criteria, *self.narrowing]))

    async def admits(self, ref: Ref) -> bool | None:
        criteria = self.criteria or ()
        columns = frozenset[str]().union(*(each.columns for each in (*criteria, *([self.mark] if self.mark else ()))))
        record = (await self.kind.by_ids(self.crm, [ref.local_id], self.kind.selection(columns))).get(ref.local_id)
        if isinstance(record, VendorError):
            raise record
        if record is None or getattr(record, "is_deleted", False):
            return None
        (entry,) = await self.kind.entries(self.context, self.crm, [record], columns)
        is_marked = self.mark is not None and self.mark.matches(entry)
        return is_marked or all(criterion.matches(entry) for criterion in criteria)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The record that a change was to be made of, which alone can have come of it.

    Args:
        ref: The record.
        is_proven: Tells whether the record as it is now proves that the change has happened.
    """

    ref: Ref
    is_proven: Callable[[], Awaitable[bool]]

    async def find(self) -> Found:
        return Found([self.ref], is_certain=await self.is_proven())

    async def admits(self, ref: Ref) -> bool | None:
        return ref == self.ref


def created_opportunities(context: "Context", crm: Crm, values: OpportunityValues, since: float, mark: tuple[str, str] | None) -> Made:
    """The opportunities that a create may have made: by the mark that it carried, as field and text, else by title and when they came."""
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
        criteria.append(_texts(crm, "title", title=values.title))
    if mark is not None:
        field, text = mark
        criteria.append(_bears(field, "othersMark", lambda found: found is None or found == text or not is_mark(found)))
    return Made(
        context=context,
        crm=crm,
        kind=OPPORTUNITIES,
        criteria=criteria,
        narrowing=[_refers("owner", Field.OWNER, values.owner_id)] if isinstance(values.owner_id, str) else (),
        mark=None if mark is None else _bears(mark[0], "correlation", lambda found: found == mark[1]),
    )


def created_accounts(context: "Context", crm: Crm, values: AccountValues) -> Made:
    """The accounts that a create may have made, by their name."""
    return Made(context=context, crm=crm, kind=ACCOUNTS, criteria=_by_texts(crm, name=values.name))


def created_contacts(context: "Context", crm: Crm, values: ContactValues) -> Made:
    """The contacts that a create may have made, by e-mail address or name: some vendors are told the address in a second call."""
    parts = [part for part in (values.first_name, values.last_name) if isinstance(part, str)]
    return Made(context=context, crm=crm, kind=CONTACTS, criteria=_by_texts(crm, name=" ".join(parts), email=values.email))


def _by_texts(crm: Crm, **given: object) -> Sequence[Criterion] | None:
    """That one of the texts that were given is there; None when none was."""
    texts = {attribute: text for attribute, text in given.items() if isinstance(text, str) and _folded(text)}
    return [_texts(crm, "texts", **texts)] if texts else None


def _texts(crm: Crm, label: str, **wanted: str) -> Criterion:
    """That one of the texts is there, as the vendor tells it again."""
    read = crm.client.read_back if isinstance(crm.client, ReadsBack) else str
    given = {attribute: _folded(read(text)) for attribute, text in wanted.items()}
    return Criterion(
        label=label,
        matches=lambda record: any(_folded(read(getattr(record, attribute) or "")) == text for attribute, text in given.items()),
        columns=frozenset(given),
    )


def _bears(field: str, label: str, matches: Callable[[Any], bool]) -> Criterion:
    """What a custom field has to hold."""
    return Criterion(
        label=label,
        matches=lambda entry: matches(None if entry.custom_fields is None else entry.custom_fields.get(field)),
        columns=frozenset({"custom_fields"}),
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
