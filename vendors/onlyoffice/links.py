"""How opportunities hang together with contacts: what an operation needs of them, and what the replies already hold. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from vendors.capabilities import OpportunityLinks, Seeds
from vendors.model import UNREAD, Account, Contact, Opportunity, Ref, Selection, User
from vendors.onlyoffice import wire
from vendors.onlyoffice.extension import OnlyofficeContactBase, OnlyofficeOpportunityFields
from vendors.onlyoffice.mapping import companies_of, contact_base, contact_from_wire, needs_employer, persons_of, refs, user_seed

# What the embedded short forms hold, and what the vendor has nowhere: it is None in complete records too.
_ACCOUNT_SEED: Final = frozenset({"name", "owner_ref", "parent_ref", "currency", "extension"})
_CONTACT_SEED: Final = frozenset({"name", "owner_ref", "extension"})


def is_account_wanted(selection: Selection) -> bool:
    return selection.wants("Opportunity", "account_ref", "account_refs", "account_name")


def are_persons_wanted(selection: Selection) -> bool:
    """Whether more of contacts is read than their short form holds."""
    attributes = selection.of("Contact")
    return selection.wants("Opportunity", "contact_refs") and (attributes is None or not attributes <= _CONTACT_SEED)


def own_fields(record: Opportunity) -> OnlyofficeOpportunityFields:
    assert isinstance(record.extension, OnlyofficeOpportunityFields), "a record of another vendor"
    return record.extension


def with_contacts_later(record: Opportunity) -> Opportunity:
    """The same record with its contacts, if it has any, left to `opportunity_links`."""
    return replace(record, contact_refs=UNREAD) if record.contact_refs else record


def with_employer(record: Opportunity, account_id: str) -> Opportunity:
    """The same record with its account, which is the company of the person who is its primary contact."""
    account = Ref(record.crm, account_id)
    others = [ref for ref in refs(record.crm, companies_of(own_fields(record), None)) if ref != account]
    return replace(record, account_ref=account, account_refs=(account, *others))


def links_of(crm: str, record: Opportunity, read: Mapping[str, wire.Contact]) -> OpportunityLinks:
    """The accounts and contacts of an opportunity, with what is known of them.

    Args:
        crm: The Crm's key.
        record: The opportunity.
        read: Persons whose own record was read, by id.
    """
    own = own_fields(record)
    person = read.get(own.contact.id) if own.contact is not None and needs_employer(own) else None
    employer = None if person is None or person.company is None else contact_base(crm, person.company)
    companies, persons = companies_of(own, employer), persons_of(own)
    known = [read[base.id] for base in persons if base.id in read]
    employers = [contact_base(crm, contact.company) for contact in known if contact.company is not None]
    account_refs = refs(crm, companies)
    return OpportunityLinks(
        account_ref=account_refs[0] if account_refs else None,
        account_refs=account_refs,
        contact_refs=refs(crm, persons),
        seeds=Seeds(
            accounts=[_account_seed(crm, base) for base in {base.id: base for base in [*companies, *employers]}.values()],
            contacts=[contact_from_wire(crm, read[base.id]) if base.id in read else _contact_seed(crm, base) for base in persons],
        ),
    )


def seeds_of(crm: str, rows: Iterable[wire.Opportunity]) -> Seeds:
    """Everybody whom the rows of a list embed in their short form."""
    users: dict[str, User] = {}
    contacts: dict[str, wire.ContactBase] = {}
    for row in rows:
        embedded = [base for base in (row.contact, *(row.members or ())) if base is not None]
        contacts |= {base.id: base for base in embedded}
        lists = [row.accessList, *(base.accessList for base in embedded)]
        for employee in (row.createBy, row.responsible, *(member for members in lists for member in members or ())):
            if employee is not None and employee.id not in users:
                users[employee.id] = user_seed(crm, employee)
    bases = [contact_base(crm, base) for base in contacts.values()]
    return Seeds(
        users=list(users.values()),
        accounts=[_account_seed(crm, base) for base in bases if base.is_company],
        contacts=[_contact_seed(crm, base) for base in bases if not base.is_company],
    )


def employers_of(crm: str, people: Iterable[wire.Contact]) -> Seeds:
    """The companies that people embed in their short form."""
    companies = {row.company.id: row.company for row in people if row.company is not None}
    return Seeds(accounts=[_account_seed(crm, contact_base(crm, base)) for base in companies.values()])


def _account_seed(crm: str, base: OnlyofficeContactBase) -> Account:
    return Account(ref=Ref(crm, base.id), read_fields=_ACCOUNT_SEED, name=base.display_name)


def _contact_seed(crm: str, base: OnlyofficeContactBase) -> Contact:
    return Contact(ref=Ref(crm, base.id), read_fields=_CONTACT_SEED, name=base.display_name)
