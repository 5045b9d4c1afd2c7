"""Small readings that contract tests share."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import pytest

from vendors.capabilities import LinksOpportunities, ListsAccounts, ListsContacts, ListsOpportunities, Page, PageRequest, Row
from vendors.errors import VendorError
from vendors.model import EVERYTHING, UNREAD, Account, Contact, Opportunity, Record, Ref, Selection
from vendors.query import Condition, Field, Pushdown, Sort
from vendors.registry import Crm

P = TypeVar("P")
R = TypeVar("R", bound=Record)

_MAX_PAGES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[R]):
    """A list of a Crm: what can be asked about it, what its vendor evaluates of that, and its pages."""

    name: str
    fields: Sequence[Field]
    pushdown: Callable[[Sequence[Condition], Sort | None], Pushdown]
    page: Callable[[PageRequest], Awaitable[Page[R]]]


@dataclass(slots=True)
class Walk(Generic[R]):
    """A list read to its end."""

    rows: list[Row[R]] = field(default_factory=list[Row[R]])
    totals: list[int | None] = field(default_factory=list[int | None])

    @property
    def records(self) -> list[R]:
        return [row.record for row in self.rows]

    @property
    def refs(self) -> list[Ref]:
        return [row.record.ref for row in self.rows]


def client_as(crm: Crm, protocol: type[P]) -> P:
    """The client as that protocol; a vendor that cannot do it, as its quality file then has to say, skips the test."""
    if not isinstance(crm.client, protocol):
        pytest.skip(f"{crm.vendor.key} does not implement {protocol.__name__}")
    return crm.client


def opportunities_of(crm: Crm) -> Listing[Opportunity]:
    client = client_as(crm, ListsOpportunities)
    fields = [field for field in Field if field is not Field.NAME]
    return Listing(name="Opportunity", fields=fields, pushdown=client.opportunities_pushdown, page=client.opportunities_page)


def accounts_of(crm: Crm) -> Listing[Account]:
    client = client_as(crm, ListsAccounts)
    return Listing(
        name="Account",
        fields=(Field.NAME, Field.OWNER),
        pushdown=lambda conditions, _sort: client.accounts_pushdown(conditions),
        page=client.accounts_page,
    )


def contacts_of(crm: Crm) -> Listing[Contact]:
    client = client_as(crm, ListsContacts)
    return Listing(
        name="Contact",
        fields=(Field.NAME, Field.OWNER, Field.ACCOUNT),
        pushdown=lambda conditions, _sort: client.contacts_pushdown(conditions),
        page=client.contacts_page,
    )


async def walk(
    listing: Listing[R],
    size: int,
    *,
    selection: Selection = EVERYTHING,
    include_deleted: bool = False,
    where: Sequence[Condition] = (),
    sort: Sort | None = None,
    count: bool = False,
    position: str | None = None,
    between: Callable[[Sequence[Row[R]]], None] = lambda _rows: None,
) -> Walk[R]:
    """Read a list page by page. `between` is called with the rows seen so far before each further page."""
    found = Walk[R]()
    for _ in range(_MAX_PAGES):
        page = await listing.page(
            PageRequest(
                size=size,
                position=position,
                selection=selection,
                include_deleted=include_deleted,
                where=tuple(where),
                sort=sort,
                count=count,
            )
        )
        assert len(page.rows) <= size
        found.rows += page.rows
        found.totals.append(page.total)
        if not page.has_more:
            return found
        assert page.position is not None and page.position != position, "a page that does not get on"
        position = page.position
        between(found.rows)
    raise AssertionError("the list does not end")


async def whole_list(crm: Crm, *, size: int = 100, selection: Selection = EVERYTHING, include_deleted: bool = False) -> list[Opportunity]:
    return (await walk(opportunities_of(crm), size, selection=selection, include_deleted=include_deleted)).records


def sound(value: P | VendorError) -> P:
    assert not isinstance(value, VendorError), value
    return value


async def links_of(client: object, records: Sequence[Opportunity]) -> tuple[list[Ref], list[Ref]]:
    """The accounts and contacts of opportunities, read where the list does not tell them."""
    unread = [record for record in records if UNREAD in (record.account_ref, record.account_refs, record.contact_refs)]
    accounts = [ref for record in records if record.account_refs is not UNREAD for ref in record.account_refs]
    contacts = [ref for record in records if record.contact_refs is not UNREAD for ref in record.contact_refs]
    if unread:
        assert isinstance(client, LinksOpportunities), "a record leaves relations UNREAD that nothing reads"
        links = [sound(link) for link in (await client.opportunity_links(unread, EVERYTHING)).values()]
        assert len(links) == len(unread)
        accounts += [ref for link in links for ref in link.account_refs]
        contacts += [ref for link in links for ref in link.contact_refs]
    return accounts, contacts
