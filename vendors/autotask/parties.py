"""Which one company and which one contact an opportunity is to have. Pure: an opportunity of Autotask has no more of either."""

from collections.abc import Mapping
from dataclasses import dataclass

from vendors.autotask import wire
from vendors.autotask.drafts import Draft, Path
from vendors.model import Opportunity, Ref
from vendors.writes import UNSET, Maybe, OpportunityValues, RuleCode, Unset, Violation

_ACCOUNT: Path = ("account_id",)
_CONTACT: Path = ("primary_contact_id",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """What a write makes of an opportunity's company and contact.

    Args:
        account_id: What to write as its company; UNSET when that is not touched.
        account_path: The attribute that says so.
        account_then: The company it has after the write, if any.
        contact_id: What to write as its contact, None for nobody; UNSET when that is not touched or stays the same.
        contact_path: The attribute that says so.
        contact_then: The contact it has after the write, if any.
        violations: Where the input wants more than one of them, or contradicts itself.
    """

    account_id: Maybe[str]
    account_path: Path
    account_then: str | None
    contact_id: Maybe[str]
    contact_path: Path
    contact_then: str | None
    violations: tuple[Violation, ...]


def parties_of(values: OpportunityValues, current: Opportunity | None) -> Parties:
    """Settle what the input says about accounts and contacts.

    Args:
        values: What to write.
        current: The record as it is; None for a new one.
    """
    account_now = None if current is None or not isinstance(current.account_ref, Ref) else current.account_ref.local_id
    contact_now = None if current is None or current.primary_contact_ref is None else current.primary_contact_ref.local_id
    account_id, account_path, broken = _account(values)
    contact_id, contact_path, also_broken = _contact(values, contact_now)
    if current is None and values.remove_contact_ids:
        violation = _violation(("remove_contact_ids",), RuleCode.NOT_SUPPORTED, "Leave this out: a new opportunity has no contacts yet.")
        also_broken = [*also_broken, violation]
    return Parties(
        account_id=account_id,
        account_path=account_path,
        account_then=account_now if isinstance(account_id, Unset) else account_id,
        contact_id=UNSET if contact_id == contact_now else contact_id,
        contact_path=contact_path,
        contact_then=contact_now if isinstance(contact_id, Unset) else contact_id,
        violations=(*broken, *also_broken),
    )


def put_account(draft: Draft, parties: Parties, companies: Mapping[str, wire.Company]) -> None:
    """A company of this CRM."""
    draft.reference("companyID", parties.account_id, parties.account_path)
    account_id = draft.body.get("companyID")
    if account_id is not None and str(account_id) not in companies:
        del draft.body["companyID"]
        draft.refuse(parties.account_path, RuleCode.INVALID_REFERENCE, "Give the id of an account of this CRM.")


def put_contact(draft: Draft, parties: Parties, companies: Mapping[str, wire.Company], contacts: Mapping[str, wire.Contact]) -> None:
    """An active contact of the company or of its parent. Source: Autotask REST "Opportunities", contactID (vendor help)."""
    company = companies.get(parties.account_then or "")
    draft.reference("contactID", parties.contact_id, parties.contact_path)
    if isinstance(parties.contact_id, str) and "contactID" in draft.body:
        contact = contacts.get(parties.contact_id)
        if contact is None:
            draft.refuse(parties.contact_path, RuleCode.INVALID_REFERENCE, "Give the id of a contact of this CRM.")
        elif contact.isActive is False:
            draft.refuse(parties.contact_path, RuleCode.INVALID_REFERENCE, "Give a contact who is active.")
        elif company is not None and not _belongs(contact, company):
            draft.refuse(
                parties.contact_path,
                RuleCode.INVALID_REFERENCE,
                "Give a contact of the opportunity's account, or of that account's parent.",
            )
    elif isinstance(parties.contact_id, Unset) and parties.contact_then is not None and "companyID" in draft.body:
        contact = contacts.get(parties.contact_then)
        if company is not None and (contact is None or contact.isActive is False or not _belongs(contact, company)):
            draft.refuse(
                parties.account_path,
                RuleCode.CONTRADICTION,
                "Give a contact of that account as well, or none: the opportunity's contact is not an active one of it or of its parent.",
            )


def _account(values: OpportunityValues) -> tuple[Maybe[str], Path, list[Violation]]:
    if isinstance(values.account_ids, Unset):
        return values.account_id, _ACCOUNT, []
    listed = list(dict.fromkeys(values.account_ids or ()))
    path = ("account_ids",)
    if not isinstance(values.account_id, Unset) and values.account_id not in (listed or (None,)):
        return values.account_id, _ACCOUNT, [_violation(path, RuleCode.CONTRADICTION, "Give the main account only, or leave this out.")]
    if len(listed) > 1:
        return UNSET, path, [_violation(path, RuleCode.NOT_SUPPORTED, "Give one account: an opportunity of Autotask has no more.")]
    return (listed[0] if listed else None), path, []


def _contact(values: OpportunityValues, now: str | None) -> tuple[Maybe[str], Path, list[Violation]]:
    primary = values.primary_contact_id
    if isinstance(values.contact_ids, Unset):
        return _changed_contact(values, now)
    listed = list(dict.fromkeys(values.contact_ids or ()))
    if not isinstance(primary, Unset) and primary not in (listed or (None,)):
        return UNSET, _CONTACT, [_violation(_CONTACT, RuleCode.CONTRADICTION, "Give one of the contacts as the primary one.")]
    return _only(listed, ("contact_ids",))


def _changed_contact(values: OpportunityValues, now: str | None) -> tuple[Maybe[str], Path, list[Violation]]:
    primary, added, removed = values.primary_contact_id, values.add_contact_ids, values.remove_contact_ids
    both = set(removed) & {*added, *([primary] if isinstance(primary, str) else [])}
    if both:
        path: Path = ("remove_contact_ids",)
        return UNSET, path, [_violation(path, RuleCode.CONTRADICTION, "Do not remove a contact that is to be there.")]
    if isinstance(primary, Unset) and not added and not removed:
        return UNSET, _CONTACT, []
    if isinstance(primary, Unset):
        there = [now] if now is not None and now not in removed else []
    else:
        there = [] if primary is None else [primary]
    path = ("add_contact_ids",) if added else _CONTACT if not isinstance(primary, Unset) else ("remove_contact_ids",)
    return _only(list(dict.fromkeys([*there, *added])), path)


def _only(wanted: list[str], path: Path) -> tuple[Maybe[str], Path, list[Violation]]:
    if len(wanted) > 1:
        message = "Leave one contact: an opportunity of Autotask has no more. To replace it, give the other one as the primary contact."
        return UNSET, path, [_violation(path, RuleCode.NOT_SUPPORTED, message)]
    return (wanted[0] if wanted else None), path, []


def _violation(path: Path, code: RuleCode, message: str) -> Violation:
    return Violation(path=path, code=code, message=message)


def _belongs(contact: wire.Contact, company: wire.Company) -> bool:
    return contact.companyID in {company.id, company.parentCompanyID or company.id}
