"""The lists of the graph: over all Crms, and of what refers to one record."""

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar, cast

import strawberry

from resolvers.arguments import After, Before, CrmKeys, First, IncludeDeleted, Last, MaxAge
from resolvers.context import Context
from resolvers.eager import begun
from resolvers.errors import bad_input
from resolvers.freshness import allowed
from resolvers.list_errors import is_selected, path_of, report
from resolvers.listing.criteria import Criteria, refers_to
from resolvers.listing.filter_check import checked_filter
from resolvers.listing.kinds import ACCOUNTS, CONTACTS, OPPORTUNITIES, USERS, Kind
from resolvers.listing.moment import Moment
from resolvers.listing.opportunity_criteria import needs_tables, opportunity_criteria
from resolvers.listing.order import Order, OrderBy, OrderField
from resolvers.listing.pages import Connection, read_page
from resolvers.listing.party_criteria import account_criteria, contact_criteria, user_criteria
from resolvers.listing.request import Listing, window_of
from resolvers.types.enums import SourceState
from resolvers.types.filters import AccountFilter, ContactFilter, OpportunityFilter, OpportunityOrder, UserFilter
from vendors.model import Record
from vendors.query import Field
from vendors.registry import Crm

R = TypeVar("R", bound=Record)
Info = strawberry.Info[Any, Any]

Filter = Annotated[OpportunityFilter | None, strawberry.argument(description="Which opportunities belong to the list; all when absent.")]
OrderByArgument = Annotated[
    list[OpportunityOrder] | None,
    strawberry.argument(
        description="Keys of the order, the most important one first; rows of equal keys come by CRM and id. When absent, the first row of"
        " every CRM comes first, then the second of every CRM, and so on, which costs the fewest calls."
    ),
]
AccountFilterArgument = Annotated[
    AccountFilter | None, strawberry.argument(description="Which accounts belong to the list; all when absent.")
]
ContactFilterArgument = Annotated[
    ContactFilter | None, strawberry.argument(description="Which contacts belong to the list; all when absent.")
]
UserFilterArgument = Annotated[UserFilter | None, strawberry.argument(description="Which users belong to the list; all when absent.")]


def opportunities(  # noqa: PLR0917  # the arguments of the field
    info: Info,
    filter: Filter = None,  # noqa: A002
    order_by: OrderByArgument = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    crms: CrmKeys = None,
    include_deleted: IncludeDeleted = False,  # noqa: FBT002
    max_age: MaxAge = 0,
) -> Any:
    listing = opportunity_listing(
        info,
        filter,
        order_by,
        first=first,
        after=after,
        last=last,
        before=before,
        crms=crms,
        include_deleted=include_deleted,
        max_age=allowed(info, max_age),
    )
    return _shown_soon(info, listing)


def opportunity_listing(
    info: Info,
    filter_: OpportunityFilter | None,
    order_by: list[OpportunityOrder] | None,
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    crms: list[str] | None,
    include_deleted: bool,
    max_age: float,
    of: tuple[Record, Field] | None = None,
) -> Listing[Any]:
    """The list of opportunities that these arguments mean: over all Crms, or of what refers to a record.

    Raises:
        UserError: An argument is wrong.
    """
    context: Context = info.context
    checked_filter(filter_, context)
    order, currency = _order(order_by)

    async def criteria(crm: Crm, moment: Moment) -> Criteria:
        found = await opportunity_criteria(context, crm, filter_, moment)
        return found if found is None or of is None else [refers_to(of[1], of[0].local_id), *found]

    return Listing(
        context=context,
        kind=OPPORTUNITIES,
        crms=_crms(context, crms, of),
        criteria=criteria,
        window=window_of(first, after, last, before),
        identity=[plain(filter_) or None, plain(order_by) or None, plain(crms), include_deleted, None if of is None else of[0].ref],
        path=path_of(info),
        order=order,
        currency=currency,
        include_deleted=include_deleted or (filter_ is not None and filter_.deleted is True),
        is_counted=_is_counted(info),
        max_age=max_age,
        needs_tables=needs_tables(filter_),
        refers=None if of is None else (of[1], of[0].local_id),
    )


def opportunities_of(field: Field) -> Callable[..., Awaitable[Any]]:
    """The resolver of the opportunities that refer to a record by that field."""

    async def resolve(  # noqa: PLR0917  # the arguments of the field
        self: Any,
        info: Info,
        filter: Filter = None,  # noqa: A002
        order_by: OrderByArgument = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        include_deleted: IncludeDeleted = False,  # noqa: FBT002
    ) -> Any:
        record: Record = self
        listing = opportunity_listing(
            info,
            filter,
            order_by,
            first=first,
            after=after,
            last=last,
            before=before,
            crms=None,
            include_deleted=include_deleted,
            max_age=info.context.freshness.max_age,
            of=(record, field),
        )
        return await _shown(info, listing, is_of_one=True)

    return resolve


async def account_contacts(  # noqa: PLR0917  # the arguments of the field
    self: Any,
    info: Info,
    filter: ContactFilterArgument = None,  # noqa: A002
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Any:
    record: Record = self
    context: Context = info.context
    checked_filter(filter, context)

    async def criteria(crm: Crm, _: Moment) -> Criteria:
        found = contact_criteria(crm, filter)
        return None if found is None else [refers_to(Field.ACCOUNT, record.local_id, kind="contact"), *found]

    listing = _party_listing(
        info,
        CONTACTS,
        criteria,
        filter,
        window=(first, after, last, before),
        crms=None,
        max_age=context.freshness.max_age,
        of=(record, Field.ACCOUNT),
    )
    return await _shown(info, listing, is_of_one=True)


def accounts(  # noqa: PLR0917  # the arguments of the field
    info: Info,
    filter: AccountFilterArgument = None,  # noqa: A002
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    crms: CrmKeys = None,
    max_age: MaxAge = 0,
) -> Any:
    async def criteria(crm: Crm, _: Moment) -> Criteria:
        return account_criteria(crm, filter)

    age = allowed(info, max_age)
    return _shown_soon(info, _party_listing(info, ACCOUNTS, criteria, filter, window=(first, after, last, before), crms=crms, max_age=age))


def contacts(  # noqa: PLR0917  # the arguments of the field
    info: Info,
    filter: ContactFilterArgument = None,  # noqa: A002
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    crms: CrmKeys = None,
    max_age: MaxAge = 0,
) -> Any:
    async def criteria(crm: Crm, _: Moment) -> Criteria:
        return contact_criteria(crm, filter)

    age = allowed(info, max_age)
    return _shown_soon(info, _party_listing(info, CONTACTS, criteria, filter, window=(first, after, last, before), crms=crms, max_age=age))


def users(  # noqa: PLR0917  # the arguments of the field
    info: Info,
    filter: UserFilterArgument = None,  # noqa: A002
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    crms: CrmKeys = None,
    max_age: MaxAge = 0,
) -> Any:
    async def criteria(crm: Crm, _: Moment) -> Criteria:
        return user_criteria(crm, filter)

    age = allowed(info, max_age)
    return _shown_soon(info, _party_listing(info, USERS, criteria, filter, window=(first, after, last, before), crms=crms, max_age=age))


def _party_listing(
    info: Info,
    kind: Kind[R],
    criteria: Callable[[Crm, Moment], Awaitable[Criteria]],
    filter_: AccountFilter | ContactFilter | UserFilter | None,
    *,
    window: tuple[int | None, str | None, int | None, str | None],
    crms: list[str] | None,
    max_age: float,
    of: tuple[Record, Field] | None = None,
) -> Listing[R]:
    context: Context = info.context
    checked_filter(filter_, context)
    return Listing(
        context=context,
        kind=kind,
        crms=_crms(context, crms, of),
        criteria=criteria,
        window=window_of(*window),
        identity=[plain(filter_) or None, plain(crms), None if of is None else of[0].ref],
        path=path_of(info),
        is_counted=_is_counted(info),
        max_age=max_age,
        refers=None if of is None else (of[1], of[0].local_id),
    )


def _shown_soon(info: Info, listing: Listing[R]) -> Connection[R] | Awaitable[Connection[R]]:
    """The page at once where all of it is kept; else the wait for it."""
    shown = _shown(info, listing)
    return begun(shown) if listing.max_age else shown


async def _shown(info: Info, listing: Listing[R], *, is_of_one: bool = False) -> Connection[R]:
    page = await read_page(listing)
    listing.context.explained.append((listing.path, page.sources))
    source = page.sources[0] if is_of_one else None
    if source is not None and source.error is not None and source.status is SourceState.FAILED:
        raise source.error
    report(info, page.sources)
    return page


def _crms(context: Context, keys: list[str] | None, of: tuple[Record, Field] | None) -> Sequence[Crm]:
    return context.chosen_crms(keys) if of is None else [context.crm(of[0].crm)]


def _is_counted(info: Info) -> bool:
    return is_selected(info, "totalCount") or is_selected(info, "sources", "totalCount") or is_selected(info, "sources", "totalCountOrigin")


def _order(keys: list[OpportunityOrder] | None) -> tuple[Order | None, str | None]:
    """The order that an argument means, and the currency that it compares amounts in."""
    if not keys:
        return None, None
    fields = [key.field for key in keys]
    for key in keys:
        if fields.count(key.field) > 1:
            raise bad_input(f"`orderBy` names {key.field.name} twice; the first one decides alone, so leave the other out.")
        if key.currency is not None and key.field is not OrderField.AMOUNT:
            raise bad_input(f"`orderBy` has a `currency` for {key.field.name}; only AMOUNT is compared in one.")
    currency = next((key.currency for key in keys if key.field is OrderField.AMOUNT), None)
    return Order([OrderBy(key.field, key.descending) for key in keys]), currency


def plain(value: Any) -> Any:
    """An argument as JSON that is equal where it means the same: without what is left open, lists of choices in any order."""
    if dataclasses.is_dataclass(value):
        found = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {name: part for name, part in found.items() if part is not None}
    if isinstance(value, list):
        items = [plain(item) for item in cast("list[object]", value)]
        return sorted(set(items)) if all(isinstance(item, str) for item in items) else items
    return value
