"""ONLYOFFICE's records as normalized ones. Pure."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

from vendors.extension import extension_from
from vendors.model import (
    UNREAD,
    Account,
    Address,
    Contact,
    Money,
    Opportunity,
    OpportunityStatus,
    Pipeline,
    Ref,
    Stage,
    StageKind,
    User,
    ValueOrigin,
)
from vendors.onlyoffice import wire
from vendors.onlyoffice.custom_fields import custom_fields_of
from vendors.onlyoffice.extension import (
    OnlyofficeBidType,
    OnlyofficeContactBase,
    OnlyofficeCurrency,
    OnlyofficeOpportunityFields,
    OnlyofficeShareType,
    OnlyofficeStageFields,
    OnlyofficeStageType,
    OnlyofficeUserFields,
    member,
)
from vendors.wire import day, instant, joined, percent

V = TypeVar("V")

PIPELINE_ID: Final = "default"

# Source: Community Server, ASC.Core.Common Constants: the stand-in for users who were deleted, and nobody.
LOST_USER_ID: Final = "4a515a15-d4d6-4b8e-828e-e0586f18f3a3"
NOBODY: Final = "00000000-0000-0000-0000-000000000000"

# Source: API page "Create an opportunity", the numbers of StageType.
_STATUSES: Final = (OpportunityStatus.OPEN, OpportunityStatus.WON, OpportunityStatus.LOST)
_STAGE_KINDS: Final = (StageKind.OPEN, StageKind.WON, StageKind.LOST)
_STAGE_TYPE_NAMES: Final = ("Open", "ClosedAndWon", "ClosedAndLost")
# Source: Community Server, ContactInfoType.
_PHONE, _EMAIL, _WEBSITE = range(3)
_ACTIVE: Final = 1  # Source: Community Server, EmployeeStatus: flags.
_CURRENCY_CODE: Final = re.compile(r"[A-Z]{3}")

# The list holds everything but tags, whatever is selected.
_ALL_BUT_TAGS: Final = frozenset(Opportunity.__dataclass_fields__) - {"tags"}
# What the embedded short form of a user holds.
_USER_SEED: Final = frozenset({"name", "extension"})


def needs_employer(own: OnlyofficeOpportunityFields) -> bool:
    """Whether the account hangs on the company of the primary contact, which only that person's own record tells."""
    return own.contact is not None and not own.contact.is_company


def persons_of(own: OnlyofficeOpportunityFields) -> list[OnlyofficeContactBase]:
    """Persons among primary contact and participants, the primary one first."""
    return list({base.id: base for base in _contacts_of(own) if not base.is_company}.values())


def companies_of(own: OnlyofficeOpportunityFields, employer: OnlyofficeContactBase | None) -> list[OnlyofficeContactBase]:
    """Companies of an opportunity, the account first: the contact itself, else the person's company, else the first participant."""
    companies = [base for base in _contacts_of(own) if base.is_company]
    if employer is not None:
        companies.insert(0, employer)
    return list({base.id: base for base in companies}.values())


def opportunity_from_wire(
    crm: str,
    row: wire.Opportunity,
    *,
    tags: tuple[str, ...] | None = None,
    date_format: str | None = None,
    are_links_later: bool = False,
) -> Opportunity:
    """Map a row of the list or of a single read.

    Args:
        crm: The Crm's key.
        row: The row.
        tags: Its tags, which no row holds; None when they were not read.
        date_format: How custom fields of kind Date are written, where it is not ISO 8601.
        are_links_later: Whether all its relations to contacts are left to `opportunity_links`.
    """
    own = _own_fields(crm, row)
    companies, persons = companies_of(own, None), persons_of(own)
    is_account_later = needs_employer(own) or (are_links_later and bool(companies))
    stage_type = None if row.stage is None else row.stage.stageType or 0
    actual = day(row.actualCloseDate)
    return Opportunity(
        ref=Ref(crm, row.id),
        read_fields=_ALL_BUT_TAGS if tags is None else None,
        title=row.title or "",
        description=row.description,
        amount=_amount(row),
        probability_percent=percent(Decimal(row.successProbability or 0), crm=crm, kind="opportunity", local_id=row.id),
        probability_origin=ValueOrigin.VENDOR,
        status=_nth(_STATUSES, stage_type),
        status_label=_nth(_STAGE_TYPE_NAMES, stage_type),
        pipeline_ref=Ref(crm, PIPELINE_ID),
        stage_ref=None if row.stage is None else Ref(crm, row.stage.id),
        expected_close_date=row.expectedCloseDate,
        actual_close_date=actual,
        close_date=actual or row.expectedCloseDate,
        closed_at=_closed_at(row.actualCloseDate),
        owner_ref=_user_ref(crm, row.responsible),
        account_ref=UNREAD if is_account_later else _first(refs(crm, companies)),
        account_name=None if needs_employer(own) or not companies else companies[0].display_name,
        account_refs=UNREAD if is_account_later else refs(crm, companies),
        primary_contact_ref=Ref(crm, own.contact.id) if own.contact is not None and needs_employer(own) else None,
        contact_refs=UNREAD if are_links_later and persons else refs(crm, persons),
        tags=tags,
        custom_fields=tuple(custom_fields_of(row, date_format=date_format)),
        is_private=row.isPrivate,
        can_edit=row.canEdit,
        created_at=row.created,
        created_by_ref=_user_ref(crm, row.createBy),
        extension=own,
    )


def pipeline_from_stages(crm: str, name: str, rows: Sequence[wire.Stage]) -> Pipeline:
    """The one pipeline that holds all stages. Source: Community Server, ListItemWrapper: only the list's own order ranks them."""
    stages = tuple(
        Stage(
            ref=Ref(crm, row.id),
            name=row.title,
            order=order,
            pipeline_ref=Ref(crm, PIPELINE_ID),
            probability_percent=percent(Decimal(row.successProbability or 0), crm=crm, kind="stage", local_id=row.id),
            kind=_nth(_STAGE_KINDS, row.stageType or 0),
            description=row.description,
            color=row.color,
            extension=extension_from(OnlyofficeStageFields, row, stage_type=member(OnlyofficeStageType, row.stageType)),
        )
        for order, row in enumerate(rows)
    )
    return Pipeline(ref=Ref(crm, PIPELINE_ID), name=name, is_synthetic=True, stages=stages)


def user_from_wire(crm: str, row: wire.Person) -> User:
    return User(
        ref=Ref(crm, row.id),
        name=_unescaped(row.displayName) or joined(row.firstName, row.lastName),
        first_name=row.firstName,
        last_name=row.lastName,
        email=row.email,
        is_active=None if row.status is None else bool(row.status & _ACTIVE),
        extension=extension_from(OnlyofficeUserFields, row),
    )


def user_seed(crm: str, row: wire.Employee) -> User:
    """A user from the short form, which is all that is left of a removed one."""
    return User(
        ref=Ref(crm, row.id),
        read_fields=None if row.id == LOST_USER_ID else _USER_SEED,
        name=_unescaped(row.displayName),
        is_active=False if row.id == LOST_USER_ID else None,
        extension=extension_from(OnlyofficeUserFields, row),
    )


def account_from_wire(crm: str, row: wire.Contact) -> Account:
    return Account(
        ref=Ref(crm, row.id),
        name=row.displayName or row.companyName,
        email=_data(row, _EMAIL),
        phone=_data(row, _PHONE),
        website=_data(row, _WEBSITE),
        industry=row.industry,
        address=_address(row),
    )


def contact_from_wire(crm: str, row: wire.Contact) -> Contact:
    return Contact(
        ref=Ref(crm, row.id),
        name=row.displayName or joined(row.firstName, row.lastName),
        first_name=row.firstName,
        last_name=row.lastName,
        email=_data(row, _EMAIL),
        phone=_data(row, _PHONE),
        title=row.title,
        account_ref=None if row.company is None else Ref(crm, row.company.id),
    )


def base_currency_of(rows: Iterable[wire.Currency]) -> str | None:
    """The only basic currency. Not documented: which one the portal's totals are in when several are basic."""
    basic = [row.abbreviation for row in rows if row.isBasic]
    return basic[0] if len(basic) == 1 else None


def contact_base(crm: str, row: wire.ContactBase) -> OnlyofficeContactBase:
    return extension_from(
        OnlyofficeContactBase,
        row,
        access_list_refs=_user_refs(crm, row.accessList),
        share_type=member(OnlyofficeShareType, row.shareType),
        currency=_currency(row.currency),
    )


def _own_fields(crm: str, row: wire.Opportunity) -> OnlyofficeOpportunityFields:
    return extension_from(
        OnlyofficeOpportunityFields,
        row,
        bid_type=member(OnlyofficeBidType, row.bidType),
        bid_value=row.bidValue or Decimal(0),
        per_period_value=row.perPeriodValue or 0,
        bid_currency=_currency(row.bidCurrency),
        contact=None if row.contact is None else contact_base(crm, row.contact),
        members=tuple(contact_base(crm, member) for member in row.members or ()),
        access_list_refs=_user_refs(crm, row.accessList),
    )


def _contacts_of(own: OnlyofficeOpportunityFields) -> Iterator[OnlyofficeContactBase]:
    if own.contact is not None:
        yield own.contact
    yield from own.members


def _amount(row: wire.Opportunity) -> Money:
    """The bid over all periods. Source: API page "Create an opportunity", bidType and perPeriodValue ("amount per period")."""
    bid, periods = row.bidValue or Decimal(0), row.perPeriodValue or 0
    code = "" if row.bidCurrency is None else row.bidCurrency.abbreviation or ""
    return Money(amount=bid * periods if row.bidType else bid, currency=code if _CURRENCY_CODE.fullmatch(code) else None)


def _closed_at(text: str | None) -> datetime | None:
    """The moment of closing; None when the vendor holds a day, which is midnight in the portal's time zone."""
    moment = instant(text)
    has_time = text is not None and re.search(r"T00:00:00(?!\.0*[1-9])", text) is None
    return moment if has_time else None


def _data(row: wire.Contact, kind: int) -> str | None:
    """The primary one of a kind of contact data, else the first."""
    found = [info for info in row.commonData or () if (info.infoType or 0) == kind and info.data is not None]
    return next((info.data for info in found if info.isPrimary), found[0].data if found else None)


def _address(row: wire.Contact) -> Address | None:
    addresses = row.addresses or []
    chosen = next((address for address in addresses if address.isPrimary), addresses[0] if addresses else None)
    if chosen is None:
        return None
    return Address(street=chosen.street, city=chosen.city, region=chosen.state, postal_code=chosen.zip, country=chosen.country)


def _currency(row: wire.Currency | None) -> OnlyofficeCurrency | None:
    return None if row is None else extension_from(OnlyofficeCurrency, row)


def _user_ref(crm: str, row: wire.Employee | None) -> Ref | None:
    return None if row is None or row.id == NOBODY else Ref(crm, row.id)


def _user_refs(crm: str, rows: Iterable[wire.Employee] | None) -> tuple[Ref, ...]:
    return tuple(Ref(crm, row.id) for row in rows or () if row.id != NOBODY)


def refs(crm: str, bases: Iterable[OnlyofficeContactBase]) -> tuple[Ref, ...]:
    return tuple(Ref(crm, base.id) for base in bases)


def _first(refs: tuple[Ref, ...]) -> Ref | None:
    return refs[0] if refs else None


def _unescaped(text: str | None) -> str | None:
    """A name of a user, which is HTML-encoded also from U+00A0 to U+00FF. Source: Community Server, DisplayUserSettings."""
    return None if text is None else html.unescape(text)


def _nth(values: Sequence[V], number: int | None) -> V | None:
    return values[number] if number is not None and 0 <= number < len(values) else None
