"""The kinds of records that lists hold, and how each is read from a Crm."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from resolvers.listing import entries
from resolvers.loaders import Loaders
from vendors.capabilities import (
    ById,
    ListsAccounts,
    ListsContacts,
    ListsOpportunities,
    ListsUsers,
    Page,
    PageRequest,
    ReadsAccounts,
    ReadsContacts,
    ReadsOpportunities,
    ReadsUsers,
    Row,
    supported,
)
from vendors.model import Account, Contact, Opportunity, Record, Selection, User
from vendors.query import NOTHING, Condition, Pushdown, Sort
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[R]):
    """A kind of records.

    Args:
        name: Name of its class.
        plain_columns: Columns that an index holds whatever it was filled for.
        pushdown: What of a list the Crm's vendor evaluates.
        page: Reads a page.
        by_ids: Reads records by their ids.
        entries: What filters and orders look at in records, with these columns completed.
        further: Columns that may take a further read to be completed.
        plain_entries: The entries of records without these.
        settled: The columns that are known in all entries.
        selection: What to read for these columns.
        seed: Keeps records for the operation's loaders.
    """

    name: str
    plain_columns: frozenset[str]
    pushdown: Callable[[Crm, Sequence[Condition], Sort | None], Pushdown]
    page: Callable[[Crm, PageRequest], Awaitable[Page[R]]]
    by_ids: Callable[[Crm, Sequence[str], Selection], Awaitable[ById[R]]]
    entries: Callable[["Context", Crm, Sequence[R], frozenset[str]], Awaitable[Sequence[Any]]]
    further: frozenset[str]
    plain_entries: Callable[[Sequence[R]], Sequence[Any]]
    settled: Callable[[Iterable[Any], frozenset[str]], frozenset[str]]
    selection: Callable[[Iterable[str]], Selection]
    seed: Callable[[Loaders, Iterable[R]], None]


def _opportunities_pushdown(crm: Crm, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:
    return supported(crm.client, ListsOpportunities, crm=crm.key, what="list opportunities").opportunities_pushdown(conditions, sort)


async def _opportunities_page(crm: Crm, request: PageRequest) -> Page[Opportunity]:
    return await supported(crm.client, ListsOpportunities, crm=crm.key, what="list opportunities").opportunities_page(request)


async def _opportunities_by_ids(crm: Crm, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:
    client = supported(crm.client, ReadsOpportunities, crm=crm.key, what="read opportunities by id")
    return await client.opportunities_by_ids(ids, selection)


def _accounts_pushdown(crm: Crm, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:  # noqa: ARG001  # no order
    return supported(crm.client, ListsAccounts, crm=crm.key, what="list accounts").accounts_pushdown(conditions)


async def _accounts_page(crm: Crm, request: PageRequest) -> Page[Account]:
    return await supported(crm.client, ListsAccounts, crm=crm.key, what="list accounts").accounts_page(request)


async def _accounts_by_ids(crm: Crm, ids: Sequence[str], selection: Selection) -> ById[Account]:
    return await supported(crm.client, ReadsAccounts, crm=crm.key, what="read accounts").accounts_by_ids(ids, selection)


def _contacts_pushdown(crm: Crm, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:  # noqa: ARG001  # no order
    return supported(crm.client, ListsContacts, crm=crm.key, what="list contacts").contacts_pushdown(conditions)


async def _contacts_page(crm: Crm, request: PageRequest) -> Page[Contact]:
    return await supported(crm.client, ListsContacts, crm=crm.key, what="list contacts").contacts_page(request)


async def _contacts_by_ids(crm: Crm, ids: Sequence[str], selection: Selection) -> ById[Contact]:
    return await supported(crm.client, ReadsContacts, crm=crm.key, what="read contacts").contacts_by_ids(ids, selection)


async def _users_page(crm: Crm, request: PageRequest) -> Page[User]:
    """A page of the kept table; a position is the number of users before it and the id of the last one."""
    users = await supported(crm.client, ListsUsers, crm=crm.key, what="list users").users()
    start = 0
    if request.position is not None:
        count, _, last = request.position.partition("~")
        start = next((index + 1 for index, user in enumerate(users) if user.local_id == last), int(count))
    shown = users[start : start + request.size]
    rows = [Row(user, f"{start + index + 1}~{user.local_id}") for index, user in enumerate(shown)]
    return Page(rows=rows, has_more=start + len(shown) < len(users), position=rows[-1].position if rows else None, total=len(users))


async def _users_by_ids(crm: Crm, ids: Sequence[str], selection: Selection) -> ById[User]:
    return await supported(crm.client, ReadsUsers, crm=crm.key, what="read users").users_by_ids(ids, selection)


async def _records_themselves(context: "Context", crm: Crm, records: Sequence[R], columns: frozenset[str]) -> Sequence[R]:  # noqa: ARG001
    return records


def _themselves(records: Sequence[R]) -> Sequence[R]:
    return records


def _all_settled(_: Iterable[object], columns: frozenset[str]) -> frozenset[str]:
    return columns


def _selection_of(name: str) -> Callable[[Iterable[str]], Selection]:
    return lambda columns: Selection({name: frozenset({"id", *columns})})


OPPORTUNITIES: Final[Kind[Opportunity]] = Kind(
    name="Opportunity",
    plain_columns=entries.PLAIN_COLUMNS,
    pushdown=_opportunities_pushdown,
    page=_opportunities_page,
    by_ids=_opportunities_by_ids,
    entries=entries.entries_of,
    further=entries.FURTHER_COLUMNS,
    plain_entries=entries.plain_entries,
    settled=entries.settled,
    selection=entries.selection_of_columns,
    seed=lambda loaders, records: loaders.opportunities_by_ref.seed_all(records),
)
ACCOUNTS: Final[Kind[Account]] = Kind(
    name="Account",
    plain_columns=frozenset({"name", "email", "phone", "website", "owner_ref"}),
    pushdown=_accounts_pushdown,
    page=_accounts_page,
    by_ids=_accounts_by_ids,
    entries=_records_themselves,
    further=frozenset(),
    plain_entries=_themselves,
    settled=_all_settled,
    selection=_selection_of("Account"),
    seed=lambda loaders, records: loaders.accounts_by_ref.seed_all(records),
)
CONTACTS: Final[Kind[Contact]] = Kind(
    name="Contact",
    plain_columns=frozenset({"name", "email", "phone", "title", "account_ref", "owner_ref"}),
    pushdown=_contacts_pushdown,
    page=_contacts_page,
    by_ids=_contacts_by_ids,
    entries=_records_themselves,
    further=frozenset(),
    plain_entries=_themselves,
    settled=_all_settled,
    selection=_selection_of("Contact"),
    seed=lambda loaders, records: loaders.contacts_by_ref.seed_all(records),
)
USERS: Final[Kind[User]] = Kind(
    name="User",
    plain_columns=frozenset({"name", "email", "is_active"}),
    pushdown=lambda crm, conditions, sort: NOTHING,  # noqa: ARG005  # the table is here
    page=_users_page,
    by_ids=_users_by_ids,
    entries=_records_themselves,
    further=frozenset(),
    plain_entries=_themselves,
    settled=_all_settled,
    selection=_selection_of("User"),
    seed=lambda loaders, records: loaders.users_by_ref.seed_all(records),
)
