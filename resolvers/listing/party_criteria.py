"""From a filter of accounts, contacts or users to what it means in one Crm."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from resolvers.listing.criteria import Criteria, Criterion, given_in, ids_in, reference, row_criterion, text_criterion
from resolvers.types.filters import AccountFilter, ContactFilter, UserFilter
from vendors.query import Field
from vendors.registry import Crm

_ACCOUNT_TEXT: Final = frozenset({"name", "email", "phone", "website"})
_CONTACT_TEXT: Final = frozenset({"name", "email", "phone", "title"})


def account_criteria(crm: Crm, filter_: AccountFilter | None) -> Criteria:
    """What a filter of accounts means in a Crm."""
    return _party_criteria(
        crm, filter_, text_of=lambda record: (record.name, record.email, record.phone, record.website), columns=_ACCOUNT_TEXT
    )


def contact_criteria(crm: Crm, filter_: ContactFilter | None) -> Criteria:
    """What a filter of contacts means in a Crm."""
    return _party_criteria(
        crm, filter_, text_of=lambda record: (record.name, record.email, record.phone, record.title), columns=_CONTACT_TEXT
    )


def user_criteria(crm: Crm, filter_: UserFilter | None) -> Criteria:
    """What a filter of users means in a Crm."""
    return _party_criteria(crm, filter_, text_of=lambda record: (record.name, record.email), columns=frozenset({"name", "email"}))


def _party_criteria(  # noqa: C901  # a table of the fields
    crm: Crm,
    filter_: AccountFilter | ContactFilter | UserFilter | None,
    *,
    text_of: Callable[[Any], tuple[str | None, ...]],
    columns: frozenset[str],
) -> Criteria:
    criteria: list[Criterion] = []
    for name, value in given_in(filter_).items():
        match name:
            case "crms":
                if crm.key not in value:
                    return None
            case "text":
                criteria.append(row_criterion("text", columns, _any_holds(text_of, value)))
            case "name":
                criteria.append(text_criterion("name", Field.NAME, lambda record: record.name, frozenset({"name"}), value))
            case "emails":
                if not value:
                    return None
                criteria.append(row_criterion("emails", {"email"}, _has_email(value)))
            case "active":
                criteria.append(row_criterion("active", {"is_active"}, _is_active(value)))
            case "account_ids":
                ids = ids_in(crm, value)
                if not ids:
                    return None
                # A contact may belong to further accounts than the one that its record names; who lists by account knows.
                criteria.append(reference("accountIds", Field.ACCOUNT, "account_ref", ids, is_trusted=True))
            case _:
                ids = ids_in(crm, value)
                if not ids:
                    return None
                criteria.append(reference("ownerIds", Field.OWNER, "owner_ref", ids))
    return criteria


def _any_holds(text_of: Callable[[Any], tuple[str | None, ...]], wanted: str) -> Callable[[Any], bool]:
    needle = wanted.casefold()
    return lambda record: any(needle in text.casefold() for text in text_of(record) if text)


def _has_email(emails: Iterable[str]) -> Callable[[Any], bool]:
    wanted = {email.casefold() for email in emails}
    return lambda record: record.email is not None and record.email.casefold() in wanted


def _is_active(wanted: bool) -> Callable[[Any], bool]:  # noqa: FBT001
    return lambda record: record.is_active is wanted
