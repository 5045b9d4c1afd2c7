"""Apideck's users, companies and contacts as normalized ones, and the fields of them that a selection needs. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeVar

from vendors.apideck import wire
from vendors.apideck.mapping import ref
from vendors.model import Account, Address, Contact, Ref, Selection, User
from vendors.wire import joined

# All that a complete user needs.
USER_FIELDS: Final = ("emails", "first_name", "id", "last_name", "name", "status")
_ACCOUNT_WIRE: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("name",),
    "email": ("emails",),
    "phone": ("phone_numbers",),
    "website": ("websites",),
    "industry": ("industry",),
    "owner_ref": ("owner_id",),
    "parent_ref": ("parent_id",),
    "address": ("addresses",),
}
_CONTACT_WIRE: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("name", "first_name", "last_name"),
    "first_name": ("first_name",),
    "last_name": ("last_name",),
    "email": ("emails",),
    "phone": ("phone_numbers",),
    "title": ("title",),
    "account_ref": ("company_id",),
    "owner_ref": ("owner_id",),
}

# Not documented: the status is the downstream CRM's own text; other words say nothing.
_ACTIVE: Final = {
    **dict.fromkeys(("active", "enabled"), True),
    **dict.fromkeys(("inactive", "disabled", "suspended", "deactivated", "deleted", "archived"), False),
}


class _Typed(Protocol):
    @property
    def type(self) -> str | None: ...


T = TypeVar("T", bound=_Typed)


def account_fields(selection: Selection) -> list[str] | None:
    return _fields(selection, "Account", _ACCOUNT_WIRE)


def contact_fields(selection: Selection) -> list[str] | None:
    return _fields(selection, "Contact", _CONTACT_WIRE)


def user_from_wire(crm: str, row: wire.User) -> User:
    return User(
        ref=Ref(crm, row.id),
        name=row.name or joined(row.first_name, row.last_name),
        first_name=row.first_name,
        last_name=row.last_name,
        email=_email(row.emails),
        is_active=_ACTIVE.get((row.status or "").strip().lower()),
    )


def account_from_wire(crm: str, row: wire.Company, *, read_fields: frozenset[str] | None = None) -> Account:
    website = _main([item for item in row.websites if item.url is not None])
    return Account(
        ref=Ref(crm, row.id),
        read_fields=read_fields,
        name=row.name,
        email=_email(row.emails),
        phone=_phone(row.phone_numbers),
        website=None if website is None else website.url,
        industry=row.industry,
        owner_ref=ref(crm, row.owner_id),
        parent_ref=ref(crm, row.parent_id),
        address=_address(_main(row.addresses)),
    )


def contact_from_wire(crm: str, row: wire.Contact, *, read_fields: frozenset[str] | None = None) -> Contact:
    return Contact(
        ref=Ref(crm, row.id),
        read_fields=read_fields,
        name=row.name or joined(row.first_name, row.last_name),
        first_name=row.first_name,
        last_name=row.last_name,
        email=_email(row.emails),
        phone=_phone(row.phone_numbers),
        title=row.title,
        account_ref=ref(crm, row.company_id),
        owner_ref=ref(crm, row.owner_id),
    )


def _main(items: Sequence[T]) -> T | None:
    """The primary one, else the first. Source: Apideck CRM API, schemas Email, PhoneNumber, Website and Address, type."""
    return next((item for item in items if item.type == "primary"), items[0] if items else None)


def _email(emails: Sequence[wire.Email]) -> str | None:
    main = _main([item for item in emails if item.email is not None])
    return None if main is None else main.email


def _phone(phones: Sequence[wire.Phone]) -> str | None:
    phone = _main([item for item in phones if item.number is not None])
    if phone is None or phone.number is None:
        return None
    # Not documented: whether the number repeats its codes; one that begins with a plus is taken for whole.
    country = None if phone.country_code is None else "+" + phone.country_code.lstrip("+")
    codes = [] if phone.number.startswith("+") else [country, phone.area_code]
    return joined(*codes, phone.number, None if phone.extension is None else f"ext. {phone.extension}")


def _address(address: wire.Address | None) -> Address | None:
    if address is None:
        return None
    lines = joined(address.line1, address.line2, address.line3, address.line4, address.line5)
    # Not documented: whether the lines repeat the number.
    number = None if address.street_number in (lines or "").split() else address.street_number
    found = Address(
        street=joined(number, lines),
        city=address.city,
        region=address.state,
        postal_code=address.postal_code,
        country=address.country,
    )
    if found != Address():
        return found
    return None if address.string is None else Address(street=address.string)


def _fields(selection: Selection, name: str, table: Mapping[str, Sequence[str]]) -> list[str] | None:
    wanted = selection.of(name)
    return None if wanted is None else sorted({"id"}.union(*(table.get(attribute, ()) for attribute in wanted)))
