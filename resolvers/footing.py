"""What an answer stands on that was made of kept records alone: as long as that holds, making it anew would give the same answer.

An operation has such an answer if it shows nothing but records and the lists they are in, and has asked neither a vendor nor anything else
that was kept of one. Besides on the kept records it depends on the Crms that may be seen, on the exchange rates and on the day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple
from weakref import ReferenceType, ref

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
_BYTES: Final = 1_000
_BYTES_OF_A_CRM: Final = 400
_TYPES: Final = frozenset({"PageInfo", "ConvertedMoney", *(f"{kind}Edge" for kind in _KINDS)})


def shows_records(type_name: str, fields: Iterable[str]) -> bool:
    """Whether these fields of a type of the graph show nothing but records and the lists they are in."""
    known = _FIELDS.get(type_name)
    if known is not None:
        return known.issuperset(fields)
    return type_name in _TYPES or type_name in record_classes()


class _Used(NamedTuple):
    """What was kept of a Crm and used: the Crm's version, when the oldest was read, and when not all is used any more."""

    crm: Crm
    cache: EntityCache
    version: tuple[int, int]
    read_at: float
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """What an answer stands on.

    Args:
        crms: The Crms that the viewer may see.
        rates: The exchange rates; answers that nobody asks for again do not keep them alive.
        day: The day in UTC on which the operation began; the answer of one that goes on into the next is never given again.
        used: What was kept and used, by Crm.
    """

    crms: Mapping[str, Crm]
    rates: ReferenceType[Rates]
    day: date
    used: Mapping[str, _Used]

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return _BYTES + _BYTES_OF_A_CRM * len(self.used)

    def extensions(self, context: object) -> dict[str, object] | None:
        """What the answer's `extensions` would hold if another operation made it anew; None where it may become another answer."""
        if not isinstance(context, Context) or context.crms is not self.crms or context.rates is not self.rates():
            return None
        if context.utc_now().date() != self.day:
            return None
        ages: dict[str, float] = {}
        for key, used in self.used.items():
            now = used.cache.now()
            if used.crm.version != used.version or now >= used.until:
                return None
            ages[key] = now - used.read_at
        return {"ages": shown_ages(ages)} if ages else {}


def note_footing(context: object) -> None:
    """Note what the answer stands on of an operation that shows records, at its end."""
    if not isinstance(context, Context) or context.depends_on_indexes:
        return
    freshness, recorder = context.freshness, context.recorder
    if freshness.begun is None or freshness.has_read:
        return
    if recorder.calls or recorder.kept_since is not None or recorder.joined_since is not None:  # of tables
        return
    day, versions = freshness.begun
    used: dict[str, _Used] = {}
    for key, span in freshness.spans.items():
        crm = context.crms[key]
        if crm.cache is None or crm.version != versions[key]:
            return
        used[key] = _Used(crm, crm.cache, crm.version, *span)
    context.footing = Footing(crms=context.crms, rates=ref(context.rates), day=day, used=used)


def footing_of(context: object) -> Footing | None:
    """What the answer of an operation stands on, after its end; None where it stands on more than what is kept."""
    return context.footing if isinstance(context, Context) else None
