"""What filters, orders and totals look at in an opportunity: small enough to keep one for each row of a Crm."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from sys import intern
from typing import TYPE_CHECKING, Any, Final

from resolvers.freshness import LINKS, read_by_ids
from vendors.capabilities import ById, LinksOpportunities, OpportunityLinks, ReadsAccounts, supported
from vendors.errors import VendorError
from vendors.model import UNREAD, Account, Opportunity, OpportunityStatus, Ref, Selection, Unread, derived_expected_revenue
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context


@dataclass(slots=True, kw_only=True)
class Entry:
    """An opportunity as lists see it. References are ids of the same Crm; UNREAD is what nobody has needed yet.

    `weighted` is the expected revenue, in the currency of the amount. `currency_of` is the account that tells the currency.
    """

    local_id: str
    title: str
    amount: Decimal | None
    currency: str | None
    currency_of: str | None
    expected_revenue: Decimal | None
    probability: float | None
    status: OpportunityStatus | None
    stage: str | None
    pipeline: str | None
    owner: str | None
    account: str | Unread | None
    accounts: tuple[str, ...] | Unread
    contacts: tuple[str, ...] | Unread
    account_name: str | Unread | None
    expected_close_date: date | None
    actual_close_date: date | None
    created_at: datetime | None
    updated_at: datetime | None
    tags: tuple[str, ...] | None
    custom_fields: Mapping[str, Any] | None
    is_deleted: bool
    is_archived: bool | None

    @property
    def weighted(self) -> Decimal | None:
        """The expected revenue: the vendor's own, else the amount weighed by its chance."""
        if self.expected_revenue is not None or self.amount is None:
            return self.expected_revenue
        return derived_expected_revenue(
            amount=self.amount, currency=self.currency, probability_percent=self.probability, status=self.status
        )


# What has to be read of an opportunity for each column of an entry.
READS: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("title",),
    "amount": ("amount",),
    "currency": ("amount",),
    "weighted": ("expected_revenue", "amount", "probability_percent", "status"),
    "probability": ("probability_percent",),
    "status": ("status",),
    "stage": ("stage_ref",),
    "pipeline": ("pipeline_ref",),
    "owner": ("owner_ref",),
    "account": ("account_ref",),
    "accounts": ("account_ref", "account_refs"),
    "contacts": ("primary_contact_ref", "contact_refs"),
    "account_name": ("account_name", "account_ref"),
    "expected_close_date": ("expected_close_date",),
    "actual_close_date": ("actual_close_date",),
    "created_at": ("created_at",),
    "updated_at": ("updated_at",),
    "tags": ("tags",),
    "custom_fields": ("custom_fields",),
    "is_deleted": ("is_deleted",),
    "is_archived": ("is_archived",),
}
# Columns that a record may leave to a further read.
FURTHER_COLUMNS: Final = frozenset({"currency", "account", "accounts", "contacts", "account_name"})
# Columns that no vendor needs a further call for: an index holds them whatever it was filled for.
PLAIN_COLUMNS: Final = frozenset(READS) - {"currency", "account", "accounts", "contacts", "account_name", "tags", "custom_fields"}


def selection_of_columns(columns: Iterable[str]) -> Selection:
    """What to read of opportunities for these columns."""
    attributes = {"id", "is_deleted"}.union(*(READS[column] for column in columns))
    return Selection({"Opportunity": frozenset(attributes), "Money": frozenset({"amount", "currency"})})


def entry_of(record: Opportunity) -> Entry:
    """The entry of a record, as far as the record tells."""
    amount = record.amount
    custom = record.custom_fields
    return Entry(
        local_id=record.local_id,
        title=record.title,
        amount=None if amount is None else amount.amount,
        currency=None if amount is None or amount.currency is None else intern(amount.currency),
        currency_of=None if amount is None or amount.currency_of is None else intern(amount.currency_of.local_id),
        expected_revenue=None if record.expected_revenue is None else record.expected_revenue.amount,
        probability=record.probability_percent,
        status=record.status,
        stage=_id(record.stage_ref),
        pipeline=_id(record.pipeline_ref),
        owner=_id(record.owner_ref),
        account=record.account_ref if isinstance(record.account_ref, Unread) else _id(record.account_ref),
        accounts=_ids(record.account_refs),
        contacts=_contacts(record),
        account_name=_account_name(record),
        expected_close_date=record.expected_close_date,
        actual_close_date=record.actual_close_date,
        created_at=record.created_at,
        updated_at=record.updated_at,
        tags=record.tags or None,
        custom_fields={field.key: field.value for field in custom} if custom else None,
        is_deleted=record.is_deleted,
        is_archived=record.is_archived,
    )


def settled(entries: Iterable[Entry], columns: frozenset[str]) -> frozenset[str]:
    """These columns, and the currency where all entries happen to know it. A relation that was not asked for looks like none at all."""
    return columns if any(entry.currency_of is not None for entry in entries) else columns | {"currency"}


def plain_entries(records: Sequence[Opportunity]) -> list[Entry]:
    """The entries of records, as far as the records tell."""
    return [entry_of(record) for record in records]


async def entries_of(context: "Context", crm: Crm, records: Sequence[Opportunity], columns: frozenset[str]) -> list[Entry]:
    """The entries of records, with those columns completed by further reads where a record leaves them out.

    Raises:
        VendorError: A further read failed; a column that is only half known would leave rows out without a word.
    """
    entries = plain_entries(records)
    if not columns & FURTHER_COLUMNS:
        return entries
    if columns & {"account", "accounts", "contacts", "account_name"}:
        await _complete_links(context, crm, records, entries, columns)
    accounts = await _accounts(context, crm, entries, columns)
    for entry in entries:
        if entry.currency_of is not None and "currency" in columns:
            account = accounts.get(entry.currency_of)
            entry.currency, entry.currency_of = (None if account is None else account.currency), None
        if entry.account_name is UNREAD and "account_name" in columns:
            account = accounts.get(entry.account) if isinstance(entry.account, str) else None
            entry.account_name = None if account is None else account.name
    return entries


async def _complete_links(
    context: "Context", crm: Crm, records: Sequence[Opportunity], entries: Sequence[Entry], columns: frozenset[str]
) -> None:
    """Read the relations that records leave out, where these columns need them."""
    wanted = [name for name in ("account", "accounts", "contacts") if name in columns or (name == "account" and "account_name" in columns)]
    lacking = [
        (record, entry) for record, entry in zip(records, entries, strict=True) if any(getattr(entry, name) is UNREAD for name in wanted)
    ]
    if not lacking:
        return
    client = supported(crm.client, LinksOpportunities, crm=crm.key, what="tell the accounts and contacts of opportunities")
    # The operation may show none of these relations; the list looks at them all the same.
    selection = context.selection.including(selection_of_columns(wanted))
    by_id = {record.local_id: record for record, _ in lacking}

    async def read(ids: Sequence[str]) -> ById[OpportunityLinks]:
        return await client.opportunity_links([by_id[local_id] for local_id in ids], selection)

    found = await read_by_ids(context, crm, LINKS, list(by_id), selection=selection, read=read)
    for record, entry in lacking:
        links = found.get(record.local_id)
        if isinstance(links, VendorError):
            raise links
        context.loaders.links_by_opportunity.seed(record, links)
        entry.account = None if links is None else _id(links.account_ref)
        entry.accounts = () if links is None else _ids(links.account_refs)
        entry.contacts = () if links is None else _ids(links.contact_refs)


async def _accounts(context: "Context", crm: Crm, entries: Iterable[Entry], columns: frozenset[str]) -> Mapping[str, Account]:
    """Read the accounts that tell a currency or a name which the entries lack."""
    attributes: set[str] = set()
    ids: dict[str, None] = {}
    for entry in entries:
        if entry.currency_of is not None and "currency" in columns:
            attributes.add("currency")
            ids[entry.currency_of] = None
        if entry.account_name is UNREAD and "account_name" in columns and isinstance(entry.account, str):
            attributes.add("name")
            ids[entry.account] = None
    if not ids:
        return {}
    client = supported(crm.client, ReadsAccounts, crm=crm.key, what="read accounts")
    selection = Selection({"Account": frozenset({"id", *attributes})})

    async def read(wanted: Sequence[str]) -> ById[Account]:
        return await client.accounts_by_ids(wanted, selection)

    found = await read_by_ids(context, crm, "Account", list(ids), selection=selection, read=read)
    for account in found.values():
        if isinstance(account, VendorError):
            raise account
        context.loaders.accounts_by_ref.seed(account)
    return {local_id: account for local_id, account in found.items() if not isinstance(account, VendorError)}


def _account_name(record: Opportunity) -> str | Unread | None:
    return record.account_name if record.account_name is not None or record.account_ref is None else UNREAD


def _contacts(record: Opportunity) -> tuple[str, ...] | Unread:
    if isinstance(record.contact_refs, Unread):
        return UNREAD
    primary = () if record.primary_contact_ref is None else (record.primary_contact_ref,)
    return _ids((*primary, *record.contact_refs))


def _id(ref: Ref | None) -> str | None:
    return None if ref is None else intern(ref[1])  # thousands of rows name the same few


def _ids(refs: tuple[Ref, ...] | Unread) -> tuple[str, ...] | Unread:
    return refs if isinstance(refs, Unread) else tuple([intern(ref[1]) for ref in refs])
