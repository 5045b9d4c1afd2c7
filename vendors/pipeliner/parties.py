"""Pipeliner's users, accounts and contacts as normalized records. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from vendors.extension import extension_from
from vendors.model import Account, Address, Contact, Ref, User
from vendors.pipeliner import wire
from vendors.pipeliner.extension import (
    PipelinerAccountClass,
    PipelinerAccountFields,
    PipelinerContactAccountRelation,
    PipelinerContactFields,
    PipelinerGender,
    PipelinerUserFields,
)
from vendors.wire import joined

# Source: Pipeliner REST API, entity Accounts, `account_class`: 1 no class, 2 A, 3 B, 4 C, 5 D.
_CLASSES: Final = dict(enumerate(PipelinerAccountClass, start=1))
# Source: Pipeliner REST API, entity Contacts, `gender`.
_GENDERS: Final = dict(enumerate(PipelinerGender))


def user_from_wire(crm: str, row: wire.Client, *, read_fields: frozenset[str] | None = None) -> User:
    return User(
        ref=Ref(crm, row.id),
        read_fields=read_fields,
        name=row.formatted_name or joined(row.first_name, row.last_name),
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        is_active=None if row.is_deleted is None else not row.is_deleted,
        extension=extension_from(PipelinerUserFields, row),
    )


def account_from_wire(
    crm: str,
    row: wire.Account,
    *,
    labels: Mapping[str, str | None],
    contact_relations: Iterable[wire.ContactAccountRelation] = (),
    read_fields: frozenset[str] | None = None,
) -> Account:
    address = Address(street=row.address, city=row.city, region=row.state_province, postal_code=row.zip_code, country=row.country)
    industry_id = row.industry_id or row.industry
    parent_id = row.parent_account_id or row.parent_account
    return Account(
        ref=Ref(crm, row.id),
        read_fields=read_fields,
        name=row.name,
        email=row.email1,
        phone=row.phone1,
        website=row.home_page,
        industry=labels.get(industry_id or ""),
        owner_ref=reference(crm, row.owner_id or row.owner),
        parent_ref=reference(crm, parent_id),
        address=None if address == Address() else address,
        extension=extension_from(
            PipelinerAccountFields,
            row,
            account_type_id=row.account_type_id or row.account_type,
            customer_type_id=row.customer_type_id or row.customer_type,
            industry_id=industry_id,
            parent_account_id=parent_id,
            parent_account_relation_type_id=row.parent_account_relation_type_id or row.parent_account_relation_type,
            unit_id=row.unit_id or row.unit,
            account_class=None if row.account_class is None else _CLASSES.get(row.account_class),
            emails=_filled(row.email1, row.email2, row.email3, row.email4, row.email5),
            phones=_filled(row.phone1, row.phone2, row.phone3, row.phone4, row.phone5),
            contact_relations=tuple(contact_relation_from_wire(crm, link) for link in contact_relations),
        )
        if read_fields is None or "extension" in read_fields
        else None,
    )


def contact_from_wire(crm: str, row: wire.Contact, *, read_fields: frozenset[str] | None = None) -> Contact:
    return Contact(
        ref=Ref(crm, row.id),
        read_fields=read_fields,
        name=row.formatted_name or joined(row.first_name, row.last_name),
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email1,
        phone=row.phone1,
        title=row.position,
        account_ref=reference(crm, wire.id_in(row.primary_account)),
        owner_ref=reference(crm, row.owner_id or row.owner),
        extension=extension_from(
            PipelinerContactFields,
            row,
            gender=None if row.gender is None else _GENDERS.get(row.gender),
            emails=_filled(row.email1, row.email2, row.email3, row.email4, row.email5),
            phones=_filled(row.phone1, row.phone2, row.phone3, row.phone4, row.phone5),
            account_relations=tuple(contact_relation_from_wire(crm, link) for link in row.account_relations),
        )
        if read_fields is None or "extension" in read_fields
        else None,
    )


def contact_relation_from_wire(crm: str, link: wire.ContactAccountRelation | str) -> PipelinerContactAccountRelation:
    """Make a link of a contact to an account; of one that came as a URI only the id is known."""
    row = wire.ContactAccountRelation(id=wire.id_in(link) or link) if isinstance(link, str) else link
    return extension_from(
        PipelinerContactAccountRelation,
        row,
        account_ref=reference(crm, row.account_id or row.account),
        contact_ref=reference(crm, row.contact_id or wire.id_in(row.contact)),
    )


def reference(crm: str, local_id: str | None) -> Ref | None:
    return None if local_id is None else Ref(crm, local_id)


def _filled(*texts: str | None) -> tuple[str, ...]:
    return tuple(text for text in texts if text is not None)
