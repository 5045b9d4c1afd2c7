"""New companies and contacts. Pure. How long their texts may be and what else they need is in the vendor's metadata."""

from collections.abc import Mapping
from typing import Final

from vendors.autotask.drafts import Draft, Path, number_of
from vendors.autotask.mapping import Picklists, Users
from vendors.autotask.rules import put_owner
from vendors.writes import UNSET, AccountValues, ContactValues, Maybe, RuleCode, Unset

_COMPANY: Final[Mapping[str, str]] = {"companyName": "name", "phone": "phone", "webAddress": "website"}
_CONTACT: Final[Mapping[str, str]] = {
    "firstName": "first_name",
    "lastName": "last_name",
    "emailAddress": "email",
    "phone": "phone",
    "title": "title",
}
_COMPANY_PATHS: Final[Mapping[str, Path]] = {
    **{name: (attribute,) for name, attribute in _COMPANY.items()},
    "ownerResourceID": ("owner_id",),
    "companyType": (),
}
_CONTACT_PATHS: Final[Mapping[str, Path]] = {name: (attribute,) for name, attribute in _CONTACT.items()}


def company_draft_of(values: AccountValues, fields: Picklists, users: Users, *, company_type: str | None) -> Draft:
    """Write the body of a new company.

    Args:
        values: What is wanted.
        fields: The metadata of companies.
        users: All people.
        company_type: Label or value of its type, as the settings have it; None for the picklist's own default.
    """
    # Source: Autotask REST "Companies" (vendor help): its name is needed in any case.
    draft = Draft(mandatory=fields.required | {"companyName"})
    _put_texts(draft, values, _COMPANY, fields)
    put_owner(draft, "ownerResourceID", _none_is_unset(values.owner_id), users)
    if isinstance(values.email, str) and values.email:
        draft.refuse(("email",), RuleCode.NOT_SUPPORTED, "Leave the e-mail address out: companies of Autotask have none.")
    kind = _company_type(fields, company_type)
    if kind is not None:
        draft.put("companyType", number_of(kind), ())
    draft.put("isActive", True, ())
    _miss(draft, _COMPANY_PATHS)
    return draft


def contact_draft_of(values: ContactValues, fields: Picklists, *, has_account: bool) -> Draft:
    """Write the body of a new contact, which is written as a child of its company.

    Args:
        values: What is wanted.
        fields: The metadata of contacts.
        has_account: Whether the Crm has the company that is wanted.
    """
    draft = Draft(mandatory=fields.required)
    _put_texts(draft, values, _CONTACT, fields)
    if not isinstance(values.account_id, str):
        draft.refuse(("account_id",), RuleCode.REQUIRED, "Give an account: a contact of Autotask belongs to one.")
    elif not has_account:
        draft.refuse(("account_id",), RuleCode.INVALID_REFERENCE, "Give the id of an account of this CRM.")
    else:
        draft.reference("companyID", values.account_id, ("account_id",))
    if isinstance(values.owner_id, str):
        draft.refuse(("owner_id",), RuleCode.NOT_SUPPORTED, "Leave the owner out: contacts of Autotask have none.")
    # Source: Autotask REST "Contacts" (vendor help): a number here, where other entities have a boolean.
    draft.put("isActive", 1, ())
    _miss(draft, _CONTACT_PATHS)
    return draft


def _put_texts(draft: Draft, values: AccountValues | ContactValues, names: Mapping[str, str], fields: Picklists) -> None:
    for name, attribute in names.items():
        text: Maybe[str] = _none_is_unset(getattr(values, attribute))
        draft.text(name, text, (attribute,), max_length=fields.lengths.get(name))


def _miss(draft: Draft, paths: Mapping[str, Path]) -> None:
    """Name what is needed and was not given."""
    told = {violation.path for violation in draft.violations}
    for name, path in paths.items():
        if name in draft.mandatory and name not in draft.body and path not in told:
            what = "Give a value: Autotask needs it." if path else "Set `company_type` in the CRM's settings: Autotask has no default type."
            draft.refuse(path, RuleCode.REQUIRED, what)


def _company_type(fields: Picklists, wanted: str | None) -> str | None:
    listed = {value: choice for value, choice in fields.values.get("companyType", {}).items() if choice.isActive is not False}
    if wanted is not None:
        return next((value for value, choice in listed.items() if wanted in {value, choice.label}), None)
    return next((value for value, choice in listed.items() if choice.isDefaultValue), None)


def _none_is_unset(value: Maybe[str]) -> str | Unset:
    return UNSET if value is None else value
