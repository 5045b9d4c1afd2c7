"""Which contacts an opportunity has after a write. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from vendors.apideck.drafts import Draft, Path
from vendors.apideck.extension import ApideckOpportunityFields
from vendors.apideck.inputs import ApideckOpportunityInput
from vendors.model import Opportunity
from vendors.writes import UNSET, Maybe, OpportunityValues, RuleCode, Unset

_PRIMARY: Path = ("primary_contact_id",)
_ALL: Path = ("contact_ids",)
_ADDED: Path = ("add_contact_ids",)
_REMOVED: Path = ("remove_contact_ids",)
_OTHER: Path = ("extension", "contact_id")


@dataclass(frozen=True, slots=True)
class Contacts:
    """All contacts, the primary one first."""

    ids: tuple[str, ...]
    primary: str | None


def named_contacts(values: OpportunityValues, extension: ApideckOpportunityInput) -> dict[str, Path]:
    """The contacts that an input names, and the attribute that does so first."""
    named: dict[str, Path] = {}
    for ids, path in (
        ((values.primary_contact_id,), _PRIMARY),
        (values.contact_ids or (), _ALL),
        (values.add_contact_ids, _ADDED),
        ((extension.contact_id,), _OTHER),
    ):
        for local_id in () if isinstance(ids, Unset) else ids:
            if isinstance(local_id, str):
                named.setdefault(local_id, path)
    return named


def present_contacts(current: Opportunity | None) -> tuple[str, ...]:
    """The contacts of a record as it was read."""
    refs = None if current is None else current.contact_refs
    return tuple(ref.local_id for ref in refs) if isinstance(refs, tuple) else ()


def write_contacts(draft: Draft, values: OpportunityValues, extension: ApideckOpportunityInput, current: Opportunity | None) -> None:
    """Write the primary contact, the set, and the contact beside them, so that nobody else is read back as a contact."""
    all_ids = UNSET if draft.is_new and values.contact_ids is None else values.contact_ids
    _check(draft, values, extension, all_ids)
    after = _contacts_after(values, all_ids, current)
    if after is None:
        return
    if after.primary is not None or _primary(current) is not None:
        draft.put("primary_contact_id", after.primary, _PRIMARY)
    if current is not None or not isinstance(all_ids, Unset):
        path = next((path for given, path in ((values.add_contact_ids, _ADDED), (values.remove_contact_ids, _REMOVED)) if given), _ALL)
        draft.put("contact_ids", list(after.ids), path)
    other = current.extension.contact_id if current is not None and isinstance(current.extension, ApideckOpportunityFields) else None
    # Whoever stands in `contact_id` is a contact too, and the primary one where there is no other.
    if isinstance(extension.contact_id, Unset) and other is not None and (other not in after.ids or after.primary is None):
        draft.put("contact_id", after.primary, _ALL)


def _contacts_after(values: OpportunityValues, all_ids: Maybe[tuple[str, ...]], current: Opportunity | None) -> Contacts | None:
    """Nothing where the input says nothing of them."""
    given, present = values.primary_contact_id, present_contacts(current)
    if isinstance(all_ids, Unset) and isinstance(given, Unset) and not values.add_contact_ids and not values.remove_contact_ids:
        return None
    if isinstance(all_ids, Unset):
        removed = frozenset(values.remove_contact_ids)
        ids = dict.fromkeys([*(local_id for local_id in present if local_id not in removed), *values.add_contact_ids])
    else:
        ids = dict.fromkeys(all_ids or ())
    if not isinstance(given, Unset):
        primary = given
    else:
        before = _primary(current)
        stays = isinstance(all_ids, Unset) and (before in ids or (before is None and bool(present)))
        primary = before if stays else next(iter(ids), None)
    return Contacts(tuple(dict.fromkeys([*(() if primary is None else (primary,)), *ids])), primary)


def _primary(current: Opportunity | None) -> str | None:
    return None if current is None or current.primary_contact_ref is None else current.primary_contact_ref.local_id


def _check(draft: Draft, values: OpportunityValues, extension: ApideckOpportunityInput, all_ids: Maybe[Sequence[str]]) -> None:
    primary = values.primary_contact_id
    if draft.is_new and values.add_contact_ids:
        draft.refuse(_ADDED, RuleCode.NOT_SUPPORTED, "Give all contacts of a new opportunity at once, in `contact_ids`.")
    if draft.is_new and values.remove_contact_ids:
        draft.refuse(_REMOVED, RuleCode.NOT_SUPPORTED, "Leave this out: a new opportunity has no contacts to take out.")
    if not draft.is_new and set(values.add_contact_ids) & set(values.remove_contact_ids):
        draft.refuse(_REMOVED, RuleCode.CONTRADICTION, "Add or remove a contact, not both.")
    if isinstance(primary, str) and primary in values.remove_contact_ids:
        draft.refuse(_PRIMARY, RuleCode.CONTRADICTION, "Keep the primary contact, or make another one primary.")
    if isinstance(all_ids, Unset):
        return
    everybody = all_ids or ()
    if isinstance(primary, str) and primary not in everybody:
        draft.refuse(_PRIMARY, RuleCode.CONTRADICTION, "Make one of `contact_ids` the primary contact, or name this one there too.")
    if isinstance(extension.contact_id, str) and extension.contact_id not in everybody:
        draft.refuse(_OTHER, RuleCode.CONTRADICTION, "Name this contact in `contact_ids` too, or leave it out.")
