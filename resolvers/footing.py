"""What an answer stands on that was made of kept records alone: as long as that holds, making it anew would give the same answer.

An operation has such an answer if it shows nothing but records and the lists they are in, and has asked neither a vendor nor anything else
that was kept of one. Besides on the kept records it depends on the Crms that may be seen, on the exchange rates and on the day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from resolvers.context import Context
from resolvers.freshness import record_classes, shown_ages
from resolvers.rates import Rates
from vendors.cache import EntityCache
from vendors.registry import Crm

_TYPENAME: Final = "__typename"
_KINDS: Final = ("Opportunity", "Account", "Contact", "User")
_LIST: Final = frozenset({"nodes", "edges", "pageInfo", _TYPENAME})
# The fields that show nothing else, of types of which others do: how a list was put together, or how a Crm is doing.
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "Query": frozenset({"opportunities", "accounts", "contacts", "users", _TYPENAME}),
    "Crm": frozenset({"id", "key", "vendor", "label", _TYPENAME}),
    **dict.fromkeys([f"{kind}Connection" for kind in _KINDS], _LIST),
}
_TYPES: Final = frozenset({"PageInfo", "ConvertedMoney", *(f"{kind}Edge" for kind in _KINDS)})


def shows_records(type_name: str, fields: Iterable[str]) -> bool:
    """Whether these fields of a type of the graph show nothing but records and the lists they are in."""
    known = _FIELDS.get(type_name)
    if known is not None:
        return known.issuperset(fields)
    return type_name in _TYPES or type_name in record_classes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """What an answer stands on.

    Args:
        crms: The Crms that the viewer may see.
        rates: The exchange rates.
        day: The day, in UTC.
        max_age: How old the records may be, in seconds.
        versions: What was kept: by Crm, the version of its cache.
        read_at: By Crm, its cache, and when the oldest was read of what was used of it, in that cache's seconds.
    """

    crms: Mapping[str, Crm]
    rates: Rates
    day: date
    max_age: float
    versions: Mapping[str, int]
    read_at: Mapping[str, tuple[EntityCache, float]]

    def extensions(self, context: object) -> dict[str, object] | None:
        """What the answer's `extensions` would hold if another operation made it anew; None where it may become another answer."""
        if not isinstance(context, Context) or context.crms is not self.crms or context.rates is not self.rates:
            return None
        if context.utc_now().date() != self.day or context.cache_versions() != self.versions:
            return None
        if not all(cache.is_young(read_at, max_age=self.max_age) for cache, read_at in self.read_at.values()):
            return None
        return {"ages": shown_ages({crm: cache.now() - read_at for crm, (cache, read_at) in self.read_at.items()})} if self.read_at else {}


def note_footing(context: object) -> None:
    """Note what the answer stands on of an operation that shows records, at its end."""
    if not isinstance(context, Context) or context.has_looked_for_indexes or not context.freshness.max_age:
        return
    ages, recorder, versions = context.freshness.ages, context.recorder, context.cache_versions()
    if recorder.calls or recorder.kept_since is not None or recorder.joined_since is not None:
        return
    if versions != context.freshness.versions or not ages.keys() <= versions.keys():
        return
    caches = {key: crm.cache for key, crm in context.crms.items() if crm.cache is not None}
    context.footing = Footing(
        crms=context.crms,
        rates=context.rates,
        day=context.utc_now().date(),
        max_age=context.freshness.max_age,
        versions=versions,
        read_at={crm: (caches[crm], caches[crm].now() - age) for crm, age in ages.items()},
    )


def footing_of(context: object) -> Footing | None:
    """What the answer of an operation stands on, after its end; None where it stands on more than what is kept."""
    return context.footing if isinstance(context, Context) else None
