"""How opportunities of a contact or a company are read, which the portal has no one list of. Pure.

It lists those whose primary contact somebody is, and those that somebody takes part in; a company has those of its people too. A few
such lists are read as one; for a company of many people the whole list is walked through a sieve instead.
"""

from dataclasses import dataclass, replace
from typing import Final

from vendors.onlyoffice.pages import Place
from vendors.onlyoffice.query import OpportunityFilter, contact_params

# Our choice: a call for each list, and a position names them all in less than 500 characters.
_MAX_PEOPLE: Final = 20
_PARTICIPANT: Final = "p"


@dataclass(frozen=True, slots=True)
class Reading:
    """Where to go on, and with whom.

    Args:
        place: The place, with its lists when several are read as one.
        people: The company's people, as known at the start where several lists are read.
        is_sieve: Whether most rows of the list may be left out.
    """

    place: Place
    people: frozenset[str] = frozenset()
    is_sieve: bool = False


def reading_of(wanted: OpportunityFilter, place: Place, people: frozenset[str]) -> Reading:
    """Choose how to read; a place that names its lists is gone on from with those."""
    owner = wanted.contact_id or wanted.account_id
    if owner is None:
        return Reading(place)
    if place.lists:
        return Reading(place, frozenset(name for name, _ in place.lists if name != owner and not name.endswith(_PARTICIPANT)))
    if len(people) > _MAX_PEOPLE:
        return Reading(place, people, is_sieve=True)
    names = [owner, owner + _PARTICIPANT, *sorted(people, key=int)]
    return Reading(replace(place, lists=tuple((name, 0) for name in names)), people)


def params_of(name: str) -> list[tuple[str, str]]:
    """Ask for a list by its name; the empty name is the list of all."""
    return contact_params(name.removesuffix(_PARTICIPANT), is_participant=name.endswith(_PARTICIPANT)) if name else []
