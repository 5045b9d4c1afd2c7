"""What one operation carries, and the protocols that the server fulfils for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from graphql import GraphQLError

from resolvers.changes import Changes
from resolvers.errors import UserError
from resolvers.freshness import Freshness
from resolvers.listing.index import IndexStore
from resolvers.listing.source import Source
from resolvers.loaders import Loaders
from resolvers.rates import NO_RATES, MissingRates, Rates
from resolvers.writing.ledger import WriteLedger
from vendors.calls import CallRecorder, Warned
from vendors.errors import ErrorCode
from vendors.model import EVERYTHING, Selection
from vendors.registry import Crm
from vendors.values import dataclass

if TYPE_CHECKING:
    from resolvers.footing import Footing
    from resolvers.listing.parents import Siblings


class CursorCodec(Protocol):
    """Makes cursors that cannot be tampered with."""

    def seal(self, content: bytes) -> str:
        """Give content as an opaque cursor."""
        ...

    def open(self, cursor: str) -> bytes | None:
        """Give a cursor's content; None when it is not one of ours."""
        ...


class Clocks(Protocol):
    """The time, handed in so that tests can set it."""

    def monotonic(self) -> float: ...

    def utc_timestamp(self) -> float: ...


@dataclass(slots=True)
class Context:
    """One operation, or one event of a subscription: never kept longer, because its loaders cache.

    Args:
        crms: The Crms that the viewer may see, by key, in the order of their keys. Every list of Crms goes through this.
        cursors: Makes and reads cursors.
        clocks: The time.
        indexes: Keeps what lists have scanned.
        ledger: Keeps what became of writes.
        changes: Keeps what happened to opportunities; None where nobody watches.
        rates: Exchange rates, the same ones for the whole operation.
        reporting_currency: The currency that amounts are compared and summed in where a query names none.
        recorder: Collects vendor calls and warnings.
        selection: What the operation reads; set before the first resolver runs.
        list_errors: Errors of single Crms in lists, added to the answer's `errors` once at its end.
        warning_paths: The list that each warning came up in; a warning of records that were read by id belongs to no one place.
        missing_rates: Counts the amounts that could not be converted, for the answer's warnings.
        siblings: Lists that hang on several records and are read together.
        explained: How the Crms contributed to each list, by its path.
        resume_after: The cursor that the transport says the client has come to; it counts more than the operation's own argument.
        event_id: The cursor of the event that is being shown.
        freshness: How old what it reads may be, and how old what it used was.
        depends_on_indexes: Whether an index, if there was one, would be used.
        footing: What its answer stands on, where that is made of kept records alone.
    """

    crms: Mapping[str, Crm]
    cursors: CursorCodec
    clocks: Clocks
    indexes: IndexStore
    ledger: WriteLedger
    changes: Changes | None = None
    rates: Rates = NO_RATES
    reporting_currency: str | None = None
    recorder: CallRecorder = field(default_factory=CallRecorder)
    selection: Selection = EVERYTHING
    list_errors: list[GraphQLError] = field(default_factory=list[GraphQLError])
    warning_paths: dict[Warned, Sequence[str | int]] = field(default_factory=dict[Warned, Sequence[str | int]])
    missing_rates: MissingRates = field(default_factory=MissingRates)
    siblings: dict[object, "Siblings"] = field(default_factory=dict[object, Any])
    explained: list[tuple[Sequence[str | int], Sequence[Source]]] = field(default_factory=list[Any])
    resume_after: str | None = None
    event_id: str | None = None
    freshness: Freshness = field(default_factory=Freshness)
    depends_on_indexes: bool = False
    footing: "Footing | None" = None
    _loaders: Loaders | None = None
    _has_ended: bool = False

    @property
    def loaders(self) -> Loaders:
        if self._loaders is None:
            self._loaders = Loaders(self, has_ended=self._has_ended)
        return self._loaders

    def utc_now(self) -> datetime:
        return datetime.fromtimestamp(self.clocks.utc_timestamp(), UTC)

    def detached(self) -> "Context":
        """A context for what outlives the operation, with loaders of its own."""
        return replace(
            self,
            recorder=CallRecorder(),
            list_errors=[],
            warning_paths={},
            missing_rates=MissingRates(),
            siblings={},
            explained=[],
            freshness=Freshness(),
            _loaders=None,
            _has_ended=False,
        )

    def begin_event(self, event_id: str) -> None:
        """Begin anew for the next event of a subscription, which is shown after the one before: nothing of that one may be seen in it."""
        fresh = self.detached()
        self.event_id = event_id
        self.recorder.clear()
        self.list_errors, self.warning_paths, self.missing_rates = fresh.list_errors, fresh.warning_paths, fresh.missing_rates
        self.siblings, self.explained, self.freshness, self._loaders = fresh.siblings, fresh.explained, fresh.freshness, None
        self._has_ended = False

    def versions(self) -> dict[str, tuple[int, int]]:
        """The versions of all Crms, by key."""
        return {key: crm.version for key, crm in self.crms.items()}

    def place_warnings(self, warnings: Iterable[Warned], path: Sequence[str | int]) -> None:
        """Note in which list warnings came up; the first one counts."""
        for warned in warnings:
            self.warning_paths.setdefault(warned, path)

    def end(self) -> None:
        """End what the loaders still have under way, when nobody waits for it any more; whatever still runs has no more read by them."""
        self._has_ended = True
        self.siblings.clear()
        loaders, self._loaders = self._loaders, None
        if loaders is not None:
            loaders.end()

    def chosen_crms(self, keys: list[str] | None) -> list[Crm]:
        """The Crms of these keys, or all of them for None, in the order of their keys.

        Raises:
            UserError: A key is unknown (UNKNOWN_CRM).
        """
        if keys is None:
            return list(self.crms.values())
        for key in keys:
            self.crm(key)
        return [crm for key, crm in self.crms.items() if key in keys]

    def crm(self, key: str) -> Crm:
        """The Crm of a key.

        Raises:
            UserError: The key is unknown (UNKNOWN_CRM).
        """
        if key not in self.crms:
            raise UserError(ErrorCode.UNKNOWN_CRM, f"There is no CRM {key[:50]!r}; `crms {{ key }}` lists them.")
        return self.crms[key]
