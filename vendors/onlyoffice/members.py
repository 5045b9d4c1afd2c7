"""Who takes part in an opportunity after a write, and who is its primary contact. Pure.

The portal keeps one primary contact, a person or a company, and a set of participants. The account is not written as such: it is the
primary contact, or the company of the person who is that, or else a participant.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from vendors.onlyoffice import wire
from vendors.onlyoffice.extension import OnlyofficeOpportunityFields
from vendors.onlyoffice.mapping import companies_of, persons_of
from vendors.onlyoffice.rules import Path, Rules
from vendors.writes import UNSET, OpportunityValues, RuleCode, Unset

_OTHER_COMPANY: Final = (
    "Name the company of the primary contact, or change the primary contact too; here the account follows from the primary contact."
)
_FIRST_OF_OTHER_COMPANY: Final = (
    "Put somebody of the account first, name primary_contact_id too (null leaves the account itself as the primary contact), or name the"
    " first one's company as the account: the first is the primary contact, and here the account follows from that one."
)


@dataclass(frozen=True, slots=True)
class Members:
    """Ids of the primary contact, and of everybody who takes part, that one among them."""

    contact_id: str | None = None
    ids: tuple[str, ...] = ()


def is_about_members(values: OpportunityValues) -> bool:
    named = (values.account_id, values.account_ids, values.primary_contact_id, values.contact_ids)
    return any(value is not UNSET for value in named) or bool(values.add_contact_ids or values.remove_contact_ids)


def members_of_record(own: OnlyofficeOpportunityFields) -> Members:
    """Those whom the record shows. Source: Community Server, DealDao: a primary contact need not be a participant."""
    return Members(None if own.contact is None else own.contact.id, tuple(base.id for base in own.members))


def ids_to_read(values: OpportunityValues, own: OnlyofficeOpportunityFields | None) -> list[str]:
    """Contacts whose own records a write with these values is judged by."""
    if not is_about_members(values):
        return []
    primary = [own.contact.id] if own is not None and own.contact is not None and not own.contact.is_company else []
    return list(dict.fromkeys([*_companies_named(values), *_persons_named(values), *primary]))


def members_after(
    values: OpportunityValues, own: OnlyofficeOpportunityFields | None, read: Mapping[str, wire.Contact], rules: Rules
) -> Members:
    """Work out who takes part.

    Args:
        values: What is written.
        own: The record's own fields; None for a new one.
        read: What was read of `ids_to_read`.
        rules: Where broken rules are noted.
    """
    if not _are_known(values, read, rules):
        return Members() if own is None else members_of_record(own)
    persons, primary, is_default = _persons_after(values, own, rules)
    companies, main = _companies_after(values, own, read, rules)
    is_account_named = values.account_id is not UNSET or values.account_ids is not UNSET
    account = main if is_account_named or own is None else _main_of_record(own, read)
    employer = _employer_of(primary, read)
    if employer not in (None, account) and is_default and (is_account_named or account is not None):
        # Source: Community Server, CRMApi.Deals: `contactid` is one person or company; who reads the deal takes the account from it.
        rules.breaks(("contact_ids",), RuleCode.CONTRADICTION, _FIRST_OF_OTHER_COMPANY)
    elif employer not in (None, account) and is_account_named:
        rules.breaks(_account_path(values), RuleCode.CONTRADICTION, _OTHER_COMPANY)
    has_primary = own is None or own.contact is not None or is_account_named
    contact_id = primary or (account if has_primary else None)
    ids = [*_one(contact_id), *companies, *persons]
    return Members(contact_id, tuple(dict.fromkeys(ids)))


def path_of_member(local_id: str, values: OpportunityValues, own: OnlyofficeOpportunityFields) -> Path:
    """The attribute by which somebody comes or goes."""
    if local_id in values.add_contact_ids:
        return ("add_contact_ids",)
    if local_id in values.remove_contact_ids:
        return ("remove_contact_ids",)
    if local_id in _companies_named(values) or any(base.id == local_id for base in companies_of(own, None)):
        return _account_path(values)
    return ("contact_ids",) if local_id in _many(values.contact_ids) or values.primary_contact_id is UNSET else ("primary_contact_id",)


def _are_known(values: OpportunityValues, read: Mapping[str, wire.Contact], rules: Rules) -> bool:
    broken = len(rules.broken)

    def unknown(ids: Iterable[str], *, is_company: bool) -> list[str]:
        return [local_id for local_id in dict.fromkeys(ids) if local_id not in read or bool(read[local_id].isCompany) is not is_company]

    rules.unknown(("account_id",), "company", unknown(_one(values.account_id), is_company=True))
    rules.unknown(("account_ids",), "company", unknown(_many(values.account_ids), is_company=True))
    rules.unknown(("primary_contact_id",), "person", unknown(_one(values.primary_contact_id), is_company=False))
    rules.unknown(("contact_ids",), "person", unknown(_many(values.contact_ids), is_company=False))
    rules.unknown(("add_contact_ids",), "person", unknown(values.add_contact_ids, is_company=False))
    return len(rules.broken) == broken


def _persons_after(values: OpportunityValues, own: OnlyofficeOpportunityFields | None, rules: Rules) -> tuple[list[str], str | None, bool]:
    """The persons, the primary one of them, and whether that one is only the first and was not named."""
    now = [] if own is None else [base.id for base in persons_of(own)]
    is_replaced = not isinstance(values.contact_ids, Unset)
    if not {*values.add_contact_ids}.isdisjoint(values.remove_contact_ids):
        rules.breaks(("remove_contact_ids",), RuleCode.CONTRADICTION, "Either add a contact or take it out.")
    persons = _many(values.contact_ids) if is_replaced else [*now, *values.add_contact_ids]
    persons = [local_id for local_id in persons if local_id not in values.remove_contact_ids]
    primary = values.primary_contact_id
    if isinstance(primary, Unset):
        if is_replaced:
            return persons, persons[0] if persons else None, True
        kept = own.contact.id if own is not None and own.contact is not None else None
        return persons, kept if kept in persons else None, False
    if primary is not None and (primary in values.remove_contact_ids or (is_replaced and primary not in persons)):
        rules.breaks(("primary_contact_id",), RuleCode.CONTRADICTION, "Name the primary contact among the contacts that take part.")
    return [*_one(primary), *persons], primary, False


def _companies_after(
    values: OpportunityValues, own: OnlyofficeOpportunityFields | None, read: Mapping[str, wire.Contact], rules: Rules
) -> tuple[list[str], str | None]:
    """The companies, and the main one where the values name it."""
    account_id = values.account_id
    if not isinstance(values.account_ids, Unset):
        companies = _many(values.account_ids)
        if isinstance(account_id, Unset):
            return companies, companies[0] if companies else None
        is_named = account_id in companies if account_id is not None else not companies
        if not is_named:
            rules.breaks(("account_id",), RuleCode.CONTRADICTION, "Name the account among the accounts that take part.")
        return companies, account_id
    now: list[str] = [] if own is None else [base.id for base in companies_of(own, None)]
    if isinstance(account_id, Unset):
        return now, None
    before = None if own is None else _main_of_record(own, read)
    others = [local_id for local_id in now if local_id not in (before, account_id)]
    if account_id is None and others:
        rules.breaks(("account_id",), RuleCode.CONTRADICTION, "Name all accounts that shall take part; another one would be the account.")
    return [*_one(account_id), *others], account_id


def _main_of_record(own: OnlyofficeOpportunityFields, read: Mapping[str, wire.Contact]) -> str | None:
    """The account as the record is read: the primary contact, else that person's company, else the first company that takes part."""
    employer = None if own.contact is None else _employer_of(own.contact.id, read)
    companies = companies_of(own, None)
    is_company_primary = own.contact is not None and own.contact.is_company
    if is_company_primary or employer is None:
        return companies[0].id if companies else None
    return employer


def _employer_of(local_id: str | None, read: Mapping[str, wire.Contact]) -> str | None:
    person = read.get(local_id or "")
    return None if person is None or person.isCompany or person.company is None else person.company.id


def _account_path(values: OpportunityValues) -> Path:
    return ("account_ids",) if isinstance(values.account_id, Unset) and not isinstance(values.account_ids, Unset) else ("account_id",)


def _companies_named(values: OpportunityValues) -> list[str]:
    return [*_one(values.account_id), *_many(values.account_ids)]


def _persons_named(values: OpportunityValues) -> list[str]:
    return [*_one(values.primary_contact_id), *_many(values.contact_ids), *values.add_contact_ids]


def _one(value: str | Unset | None) -> list[str]:
    return [] if value is None or isinstance(value, Unset) else [value]


def _many(value: tuple[str, ...] | Unset | None) -> list[str]:
    return [] if value is None or isinstance(value, Unset) else list(dict.fromkeys(value))
