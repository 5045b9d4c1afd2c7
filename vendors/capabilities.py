"""What a vendor can do, one small protocol per capability, and the values they exchange.

A client implements the protocols that its vendor permits and leaves the others out. By-id methods take many ids and return a mapping, so
that order and gaps cannot go wrong: an id that is missing from it does not exist (or is hidden), and a value may be the error of reading
just that id.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Generic, Protocol, TypeVar, cast, runtime_checkable

from vendors.changes import ReceivesWebhooks
from vendors.errors import UnsupportedError, VendorError
from vendors.model import Account, Contact, CustomFieldDefinition, Opportunity, Pipeline, Ref, Selection, User
from vendors.query import Condition, Pushdown, Sort
from vendors.values import dataclass
from vendors.writes import (
    ClosesOpportunities,
    CreatesAccounts,
    CreatesContacts,
    CreatesOpportunities,
    DeletesOpportunities,
    MovesOpportunities,
    UpdatesOpportunities,
)

T = TypeVar("T")
ById = Mapping[str, T | VendorError]


class Capability(StrEnum):
    """What a Crm can do beyond reading opportunities. Frontends hide buttons by it."""

    LIST_OPPORTUNITIES = "list_opportunities"
    READ_OPPORTUNITIES = "read_opportunities"
    READ_PIPELINES = "read_pipelines"
    READ_USERS = "read_users"
    READ_ACCOUNTS = "read_accounts"
    READ_CONTACTS = "read_contacts"
    LIST_ACCOUNTS = "list_accounts"
    LIST_CONTACTS = "list_contacts"
    LIST_USERS = "list_users"
    READ_CUSTOM_FIELD_DEFINITIONS = "read_custom_field_definitions"
    CREATE_OPPORTUNITIES = "create_opportunities"
    UPDATE_OPPORTUNITIES = "update_opportunities"
    MOVE_OPPORTUNITIES = "move_opportunities"
    CLOSE_OPPORTUNITIES = "close_opportunities"
    DELETE_OPPORTUNITIES = "delete_opportunities"
    CREATE_ACCOUNTS = "create_accounts"
    CREATE_CONTACTS = "create_contacts"
    RECEIVE_WEBHOOKS = "receive_webhooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """A wish for one page.

    Args:
        size: Number of rows wanted, at least 1. A client makes as few vendor calls for it as its vendor permits.
        position: Where to go on: the `position` of the last row seen, or None for the start.
        selection: What will be read of the rows.
        include_deleted: Whether rows that the vendor marks as deleted belong to the list.
        where: Conditions that the client said it evaluates; every row fulfils them, or more rows come, never fewer.
        sort: The order, when the client said that it gives it; else rows come in the native order.
        count: Whether the number of all rows is wanted.
    """

    size: int
    position: str | None = None
    selection: Selection
    include_deleted: bool = False
    where: tuple[Condition, ...] = ()
    sort: Sort | None = None
    count: bool = False


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    """A record and the place right behind it, opaque to everybody but its client; printable ASCII, at most 500 characters."""

    record: T
    position: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Rows in the order asked for, never more than asked for.

    Args:
        rows: May be fewer than the size wanted while `has_more` is true, when rows were dropped or hidden; then `position` goes on.
        has_more: Whether the vendor has rows behind the last one.
        position: Place behind the last row looked at, also when that row is not among `rows`; None when nothing was looked at.
        dropped: Number of rows that could not be read and are left out.
        seeds: Records found inside the rows' reply, complete or partial by their `read_fields`.
        total: Number of all rows of the list, on every page of it, by the vendor's own count; None where it does not tell, or its count
            holds rows that do not belong to the list.
    """

    rows: Sequence[Row[T]]
    has_more: bool
    position: str | None = None
    dropped: int = 0
    seeds: "Seeds | None" = None
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """Related records that a reply holds besides what was asked for; they save the loaders a call."""

    users: Sequence[User] = ()
    accounts: Sequence[Account] = ()
    contacts: Sequence[Contact] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityLinks:
    """Which accounts and contacts belong to an opportunity, the primary one first, and what the reply held of them."""

    account_ref: Ref | None
    account_refs: tuple[Ref, ...]
    contact_refs: tuple[Ref, ...]
    seeds: Seeds | None = None


@runtime_checkable
class ListsOpportunities(Protocol):
    def opportunities_pushdown(self, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:
        """Tell what of a list of opportunities the vendor evaluates; calls nobody."""
        ...

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        """Read a page of opportunities, in the vendor's native id order where no other is asked for."""
        ...


@runtime_checkable
class ReadsOpportunities(Protocol):
    async def opportunities_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:
        """Read opportunities, deleted ones included where the vendor still shows them."""
        ...


@runtime_checkable
class LinksOpportunities(Protocol):
    async def opportunity_links(self, opportunities: Sequence[Opportunity], selection: Selection) -> ById[OpportunityLinks]:
        """Find the accounts and contacts of opportunities whose own records leave them UNREAD. Keys are opportunity ids."""
        ...


@runtime_checkable
class ReadsPipelines(Protocol):
    async def pipelines(self) -> Sequence[Pipeline]:
        """Read all pipelines with their stages, from the Crm's cached table, in the vendor's order; archived ones included."""
        ...


@runtime_checkable
class ReadsUsers(Protocol):
    async def users_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[User]: ...


@runtime_checkable
class ReadsAccounts(Protocol):
    async def accounts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Account]: ...


@runtime_checkable
class ReadsContacts(Protocol):
    async def contacts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Contact]: ...


@runtime_checkable
class ListsAccounts(Protocol):
    def accounts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        """Tell what of a list of accounts the vendor evaluates; calls nobody."""
        ...

    async def accounts_page(self, request: PageRequest) -> Page[Account]:
        """Read a page of accounts in the vendor's native id order."""
        ...


@runtime_checkable
class ListsContacts(Protocol):
    def contacts_pushdown(self, conditions: Sequence[Condition]) -> Pushdown:
        """Tell what of a list of contacts the vendor evaluates; calls nobody."""
        ...

    async def contacts_page(self, request: PageRequest) -> Page[Contact]:
        """Read a page of contacts in the vendor's native id order."""
        ...


@runtime_checkable
class ListsUsers(Protocol):
    async def users(self) -> Sequence[User]:
        """Read all users from the Crm's kept table, in the vendor's order; inactive ones included where the vendor lists them."""
        ...


@runtime_checkable
class ReadsCustomFieldDefinitions(Protocol):
    async def custom_field_definitions(self) -> Sequence[CustomFieldDefinition]:
        """Read the definitions of all custom fields, from the Crm's cached table."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityCheck:
    """Outcome of reading one row of one entity with the configured credentials. `error` is None when it worked."""

    entity: str
    error: VendorError | None


@runtime_checkable
class ReadsBaseCurrency(Protocol):
    async def base_currency(self) -> str | None:
        """Read the currency that the Crm's own totals are in, from a cached table; None when it has none."""
        ...


@runtime_checkable
class Checks(Protocol):
    async def check(self) -> Sequence[EntityCheck]:
        """Read as little as possible of every entity the graph needs, and say what works. Raises VendorError when nothing can."""
        ...


PROTOCOLS: Mapping[Capability, type] = {
    Capability.LIST_OPPORTUNITIES: ListsOpportunities,
    Capability.READ_OPPORTUNITIES: ReadsOpportunities,
    Capability.READ_PIPELINES: ReadsPipelines,
    Capability.READ_USERS: ReadsUsers,
    Capability.READ_ACCOUNTS: ReadsAccounts,
    Capability.READ_CONTACTS: ReadsContacts,
    Capability.LIST_ACCOUNTS: ListsAccounts,
    Capability.LIST_CONTACTS: ListsContacts,
    Capability.LIST_USERS: ListsUsers,
    Capability.READ_CUSTOM_FIELD_DEFINITIONS: ReadsCustomFieldDefinitions,
    Capability.CREATE_OPPORTUNITIES: CreatesOpportunities,
    Capability.UPDATE_OPPORTUNITIES: UpdatesOpportunities,
    Capability.MOVE_OPPORTUNITIES: MovesOpportunities,
    Capability.CLOSE_OPPORTUNITIES: ClosesOpportunities,
    Capability.DELETE_OPPORTUNITIES: DeletesOpportunities,
    Capability.CREATE_ACCOUNTS: CreatesAccounts,
    Capability.CREATE_CONTACTS: CreatesContacts,
    Capability.RECEIVE_WEBHOOKS: ReceivesWebhooks,
}


def capabilities_of(client_class: type) -> frozenset[Capability]:
    """The capabilities whose protocol a client's class implements."""
    return frozenset(capability for capability, protocol in PROTOCOLS.items() if issubclass(client_class, protocol))


# Looking at all methods of a class takes a while, and is done for every read.
_implemented: Final[set[tuple[type, type]]] = set()


def supported(client: object, protocol: type[T], *, crm: str, what: str) -> T:
    """Give the client as that protocol.

    Raises:
        UnsupportedError: The vendor cannot do it.
    """
    pair = type(client), protocol
    if pair in _implemented:
        return cast("T", client)
    if isinstance(client, protocol):
        if issubclass(pair[0], protocol):
            _implemented.add(pair)
        return client
    raise UnsupportedError(f"The CRM {crm!r} cannot {what}; `Crm.capabilities` tells what it can.", crm=crm)
