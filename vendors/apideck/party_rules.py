"""The rules for companies and contacts that are created. Pure."""

import re
from collections.abc import Set as AbstractSet
from typing import Any, Final

from vendors.apideck.drafts import Draft, shown
from vendors.writes import AccountValues, ContactValues, Maybe, RuleCode

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_UNKNOWN: Final = "Give the id of a record that the CRM has; it has none with {}."


def company_draft(values: AccountValues, *, unknown: AbstractSet[str]) -> Draft:
    """Write the body of a new company; `unknown` are attributes whose record nobody has."""
    # Source: Apideck CRM API, schema Company, required.
    draft = Draft(is_new=True, demanded=frozenset({"name"}))
    draft.put("name", values.name, ("name",))
    _write_reach(draft, values.email, values.phone)
    _write_item(draft, "websites", "url", values.website, "website")
    _write_reference(draft, "owner_id", "owner_id", values.owner_id, unknown)
    draft.demand({"name": "name"})
    return draft


def contact_draft(values: ContactValues, *, unknown: AbstractSet[str]) -> Draft:
    """Write the body of a new contact, which needs a name; `unknown` are attributes whose record nobody has."""
    draft = Draft(is_new=True)
    for name in ("first_name", "last_name", "title"):
        draft.put(name, getattr(values, name), (name,))
    # Not documented what a contact needs; nobody could tell who one without any name is.
    if not any(isinstance(name, str) and name.strip() for name in (values.first_name, values.last_name)):
        draft.refuse(("last_name",), RuleCode.REQUIRED, "Give a first or a last name.")
    _write_reach(draft, values.email, values.phone)
    _write_reference(draft, "company_id", "account_id", values.account_id, unknown)
    _write_reference(draft, "owner_id", "owner_id", values.owner_id, unknown)
    return draft


def _write_reach(draft: Draft, email: Maybe[str], phone: Maybe[str]) -> None:
    # Source: Apideck CRM API, schema Email, email: format email.
    if isinstance(email, str) and not _EMAIL.fullmatch(email):
        draft.refuse(("email",), RuleCode.INVALID_VALUE, "Give an e-mail address, such as jo@example.com.")
    else:
        _write_item(draft, "emails", "email", email, "email")
    _write_item(draft, "phone_numbers", "number", phone, "phone")


def _write_item(draft: Draft, name: str, key: str, value: Maybe[str], attribute: str) -> None:
    """Write a list of one. Source: Apideck CRM API, schemas Email, PhoneNumber and Website: not empty, and of type primary."""
    if isinstance(value, str) and not value.strip():
        draft.refuse((attribute,), RuleCode.INVALID_VALUE, "Give a value that is not blank, or leave this out.")
    elif isinstance(value, str):
        items: list[dict[str, Any]] = [{key: value, "type": "primary"}]
        draft.put(name, items, (attribute,))


def _write_reference(draft: Draft, name: str, attribute: str, value: Maybe[str], unknown: AbstractSet[str]) -> None:
    if attribute in unknown and isinstance(value, str):
        draft.refuse((attribute,), RuleCode.INVALID_REFERENCE, _UNKNOWN.format(shown(value)))
    else:
        draft.put(name, value, (attribute,))
