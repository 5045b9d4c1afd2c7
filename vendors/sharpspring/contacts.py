"""Which leads an opportunity is to have: a primary one in its own row, the others by rows of a table of connections.

Not documented whether the primary lead has a connection too, so none is made for it, and one that is there stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vendors.model import Opportunity
from vendors.sharpspring.rules import Draft, Path
from vendors.writes import UNSET, Maybe, OpportunityValues, RuleCode

_PRIMARY: Path = ("primary_contact_id",)
_ALL: Path = ("contact_ids",)
_ADDED: Path = ("add_contact_ids",)
_REMOVED: Path = ("remove_contact_ids",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What has to be written so that an opportunity has the contacts that were asked for.

    Args:
        primary: The primary lead; None to have none, UNSET to leave it.
        to_link: Leads to connect, and the attribute that each comes from.
        to_unlink: Ids of connections to take away, and the attribute that each comes from.
        named: Leads that the input names and that have to exist, and where it names them.
    """

    primary: Maybe[str] = UNSET
    to_link: Mapping[str, Path] = field(default_factory=dict[str, Path])
    to_unlink: Mapping[str, Path] = field(default_factory=dict[str, Path])
    named: Mapping[str, Path] = field(default_factory=dict[str, Path])


def says_of_contacts(values: OpportunityValues) -> bool:
    is_set = values.contact_ids is not UNSET or values.primary_contact_id is not UNSET
    return is_set or bool(values.add_contact_ids or values.remove_contact_ids)


def contacts_of_new(draft: Draft, values: OpportunityValues) -> Wish:
    """The contacts of an opportunity that does not exist yet; with None none of them is the primary one."""
    wanted = dict.fromkeys(values.contact_ids or (), _ALL) if values.contact_ids is not UNSET else {}
    given = values.primary_contact_id
    primary = next(iter(wanted), None) if given is UNSET else given
    if isinstance(given, str):
        if wanted:
            _check_primary(draft, given, wanted)
        wanted = {**wanted, given: _PRIMARY}
    to_link = {lead: path for lead, path in wanted.items() if lead != primary}
    return Wish(primary=UNSET if primary is None else primary, to_link=to_link, named=wanted)


def contacts_of_changed(draft: Draft, values: OpportunityValues, current: Opportunity, links: Sequence[tuple[str, str]]) -> Wish:
    """The contacts of an opportunity that is there.

    Args:
        draft: Is told of contradictions.
        values: What is asked for.
        current: The opportunity as it is.
        links: Its connections, as (id, lead).
    """
    if not says_of_contacts(values):
        return Wish()
    old = None if current.primary_contact_ref is None else current.primary_contact_ref.local_id
    wanted: dict[str, Path]
    primary: str | None
    linked = {lead for _, lead in links}
    given = values.primary_contact_id
    if values.contact_ids is not UNSET:
        wanted = dict.fromkeys(values.contact_ids or (), _ALL)
        primary = next(iter(wanted), None) if given is UNSET else given
        if isinstance(given, str):
            _check_primary(draft, given, wanted)
    else:
        _check_changes(draft, values)
        primary = (None if old in values.remove_contact_ids else old) if given is UNSET else given
        # What is displaced by another primary lead stays a contact.
        present = linked if old is None else {old, *linked}
        wanted = dict.fromkeys(sorted(present.difference(values.remove_contact_ids)), _PRIMARY)
        wanted.update(dict.fromkeys(values.add_contact_ids, _ADDED))
    if isinstance(given, str):
        wanted[given] = _PRIMARY
    to_link = {lead: path for lead, path in wanted.items() if lead != primary and lead not in linked}
    named = _named(values)
    checked = [*to_link, *([primary] if isinstance(primary, str) and primary != old else [])]
    return Wish(
        primary=UNSET if given is UNSET and primary == old else primary,
        to_link=to_link,
        to_unlink={link: _REMOVED if values.contact_ids is UNSET else _ALL for link, lead in links if lead not in wanted},
        named={lead: named[lead] for lead in checked if lead in named},
    )


def _named(values: OpportunityValues) -> dict[str, Path]:
    all_of_them: Iterable[str] = () if values.contact_ids is UNSET else values.contact_ids or ()
    named = {**dict.fromkeys(all_of_them, _ALL), **dict.fromkeys(values.add_contact_ids, _ADDED)}
    return named | ({values.primary_contact_id: _PRIMARY} if isinstance(values.primary_contact_id, str) else {})


def _check_primary(draft: Draft, primary: str, wanted: Mapping[str, Path]) -> None:
    if primary not in wanted:
        draft.refuse(_PRIMARY, RuleCode.CONTRADICTION, "Put the primary contact among contact_ids, or leave one of the two out.")


def _check_changes(draft: Draft, values: OpportunityValues) -> None:
    removed = set(values.remove_contact_ids)
    if removed & set(values.add_contact_ids):
        draft.refuse(_REMOVED, RuleCode.CONTRADICTION, "Either add a contact or take it out; some are in both lists.")
    if values.primary_contact_id in removed:
        draft.refuse(_PRIMARY, RuleCode.CONTRADICTION, "A contact that is taken out cannot be the primary one; choose another.")
