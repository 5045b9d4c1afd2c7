"""How old what an operation reads may be, and how old what it used was.

Root fields that read take `maxAge`. The rows of such a field may be as old as its own says; what is read below it, by all root fields
together, as old as the strictest of them says. An operation that allows no age reads everything anew, and nothing of it is kept.
"""

import sys
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, is_dataclass
from datetime import date
from functools import cache, partial
from math import inf
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import strawberry
from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLResolveInfo,
    InlineFragmentNode,
    OperationType,
    SelectionSetNode,
    value_from_ast_untyped,
)

from resolvers.errors import bad_input
from vendors import model
from vendors.cache import EntityCache, KeptPage, Span, Wish
from vendors.calls import MAX_WARNINGS, CallRecorder, Warned, record_cache_hit, recording, recording_all_warnings, warn_again
from vendors.capabilities import ById, OpportunityLinks, Page, PageRequest, Seeds
from vendors.meanings import late
from vendors.registry import Crm, all_vendors
from vendors.values import dataclass

if TYPE_CHECKING:
    from resolvers.context import Context

T = TypeVar("T")
R = TypeVar("R", bound=model.Record)

MAX_AGE: Final = 86_400
LINKS: Final = "OpportunityLinks"
"""The kind of what tells the relations of opportunities, by the ids of these."""
_ARGUMENT: Final = "maxAge"
_RECORDS: Final = ("Opportunity", "User", "Account", "Contact", "Pipeline", "Stage")
# What these kinds are read with depends on what is asked of themselves. Of opportunities a vendor may also read what their people and
# companies need, so that one kept row tells less than another.
_ALONE: Final = frozenset(_RECORDS) - {"Opportunity"}
# What comes with links is seeded by who reads them; pipelines and stages are the vendors' own tables, which are read for all at once.
_APART: Final = frozenset({LINKS, "Pipeline", "Stage"})
# Kinds that vendors' clients take from small tables, which they keep for everybody.
_OF_TABLES: Final = frozenset({"User", "Pipeline", "Stage"})
_NOT_AGAIN: Final[Span] = (-inf, -inf)
_READ_FIELDS: Final = (frozenset, NoneType)


@dataclass(slots=True)
class Freshness:
    """How old what one operation reads may be, and was.

    Attributes:
        max_age: Seconds, for what is read by id, and lists below others; 0 reads anew.
        ages: By Crm, how old the oldest thing was that was kept and used, in seconds.
        spans: By Crm, when the oldest of that was read, and from when on not all of it is used any more, in seconds of its cache.
        begun: The day in UTC, and by Crm its version, when the operation began; None where it allows no age.
        has_read: Whether anything was read anew.
    """

    max_age: float = 0.0
    ages: dict[str, float] = field(default_factory=dict[str, float])
    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    begun: tuple[date, Mapping[str, tuple[int, int]]] | None = None
    has_read: bool = False
    _is_settled: bool = False

    def settle(self, context: "Context", info: "GraphQLResolveInfo[Any]", variables: dict[str, Any]) -> None:
        """Find the strictest age that the root fields of the operation allow, once."""
        if not self._is_settled:
            self._is_settled = True
            self.max_age = _strictest(info, variables)
            if self.max_age:
                self.begun = context.utc_now().date(), context.versions()

    def note(self, crm: str, age: float, *, span: Span = _NOT_AGAIN) -> None:
        """Note that something was used that was kept for so long, and from when until when it is used again."""
        if age >= self.ages.get(crm, 0.0):
            self.ages[crm] = age
        begin, end = self.spans.get(crm, span)
        self.spans[crm] = min(begin, span[0]), min(end, span[1])


def shown_ages(ages: Mapping[str, float]) -> dict[str, float]:
    """What an answer's `extensions.ages` holds: by Crm, in seconds."""
    return {crm: round(age, 3) for crm, age in sorted(ages.items())}


def allowed(info: strawberry.Info[Any, Any], max_age: int) -> float:
    """The age that a root field allows.

    Raises:
        UserError: There is no such age (BAD_USER_INPUT).
    """
    if not 0 <= max_age <= MAX_AGE:
        raise bad_input(f"`{_ARGUMENT}` must be from 0 to {MAX_AGE} seconds, not {max_age}; 0 reads records anew.")
    core: Any = info
    info.context.freshness.settle(info.context, core._raw_info, info.variable_values)  # noqa: SLF001  # Strawberry wraps what is needed here
    return float(max_age)


def wish_of(selection: model.Selection, kind: str) -> Wish:
    """What a selection asks of records of a kind."""
    if selection.attributes is None:
        return None
    wish: Wish = selection.derived.get(kind)
    if wish is None:
        classes = record_classes()
        if kind in _ALONE:
            classes = classes.difference(_RECORDS) | {kind}
        wish = frozenset((name, attribute) for name, read in selection.attributes.items() if name in classes for attribute in read)
        selection.derived[kind] = wish
    return wish


def read_by_ids(
    context: "Context",
    crm: Crm,
    kind: str,
    ids: Sequence[str],
    *,
    selection: model.Selection,
    read: Callable[[Sequence[str]], Awaitable[ById[T]]],
    max_age: float | None = None,
    note: Callable[[float], None] | None = None,
) -> Awaitable[ById[T]]:
    """Read records by their ids: what is kept and young enough from there, the others anew, which are kept then.

    Args:
        context: The operation.
        crm: Their Crm.
        kind: Their kind.
        ids: Their ids.
        selection: What to read of them.
        read: Reads some of them from the vendor.
        max_age: How old they may be; None for what the operation allows.
        note: Is told the age of the oldest one that was kept.
    """
    max_age = context.freshness.max_age if max_age is None else max_age
    if crm.cache is not None and max_age:
        return _read_missing(context, crm, crm.cache, kind, ids, selection=selection, read=read, max_age=max_age, note=note)
    context.freshness.has_read = True
    return read(ids) if kind in _APART else _shared(crm, kind, tuple(ids), selection, partial(read, ids))


async def _read_missing(
    context: "Context",
    crm: Crm,
    kept_in: EntityCache,
    kind: str,
    ids: Sequence[str],
    *,
    selection: model.Selection,
    read: Callable[[Sequence[str]], Awaitable[ById[T]]],
    max_age: float,
    note: Callable[[float], None] | None,
) -> ById[T]:
    wish = wish_of(selection, kind)
    known = take(context, crm, kind, ids, wish, max_age=max_age, note=note)
    missing = [local_id for local_id in ids if local_id not in known]
    found: Mapping[str, Any] = {}
    if missing:
        context.freshness.has_read = True
        begun, revision = kept_in.now(), kept_in.revision
        with recording_all_warnings() as recorder:
            found = await read(missing)
        read_at, until = _begun_by(begun, recorder), -inf
        is_all_kept = not recorder.calls and recorder.joined_since is None
        if recorder.kept_since is not None and (kind in _OF_TABLES or is_all_kept):
            read_at = min(read_at, recorder.kept_since)
            if is_all_kept:
                context.freshness.note(crm.key, begun - read_at)
                if kind in _OF_TABLES:
                    until = read_at + crm.link.table_ttl_seconds
        fresh = {local_id: record for local_id, record in found.items() if _is_sound(record, kind)}
        none = dict.fromkeys(local_id for local_id in missing if local_id not in found)
        warnings = tuple(recorder.warnings)
        kept_in.keep(kind, {**none, **fresh}, wish=wish, read_at=read_at, revision=revision, until=until, warnings=warnings)
    return {**{local_id: record for local_id, record in known.items() if record is not None}, **found}


def take(
    context: "Context", crm: Crm, kind: str, ids: Sequence[str], wish: Wish, *, max_age: float, note: Callable[[float], None] | None = None
) -> Mapping[str, Any]:
    """What is kept of records and young enough, by id; None where it is known that there is none."""
    kept_in = crm.cache
    assert kept_in is not None, "nothing is kept of other Crms"
    records, age, span, warnings = kept_in.take(kind, ids, wish=wish, max_age=max_age)
    if records:
        record_cache_hit()
        warn_again(warnings)
        context.freshness.note(crm.key, age, span=span)
        if note is not None:
            note(age)
    return records


@dataclass(frozen=True, slots=True)
class Rows:
    """A page of a list.

    Args:
        page: The page.
        age: How old it is, in seconds.
        made: What its readers have made of it.
        is_kept: Whether it was kept, so that what came with it is kept as well.
        warnings: What was odd in it, where it was kept.
    """

    page: Page[Any]
    age: float
    made: dict[str, Any]
    is_kept: bool = False
    warnings: Sequence[Warned] = ()


def kept_rows(context: "Context", crm: Crm, kind: str, request: PageRequest, max_age: float) -> Rows | None:
    """A page that is kept and young enough."""
    kept_in = crm.cache
    if kept_in is None or not max_age:
        return None
    kept = kept_in.page(kind, _page_key(request), wish=wish_of(request.selection, kind), max_age=max_age)
    if kept is None:
        return None
    age = kept_in.now() - kept.read_at
    record_cache_hit()
    context.freshness.note(crm.key, age, span=kept_in.span(kept.read_at, max_age=max_age))
    return Rows(kept.page, age, kept.made, is_kept=True, warnings=kept.warnings)


async def read_rows(
    context: "Context",
    crm: Crm,
    kind: str,
    request: PageRequest,
    *,
    max_age: float,
    read: Callable[[Crm, PageRequest], Awaitable[Page[Any]]],
) -> Rows:
    """A page of a list: the kept one if it is young enough, else one that is read and, where an age is allowed, kept."""
    found = kept_rows(context, crm, kind, request, max_age)
    if found is not None:
        return found
    context.freshness.has_read = True
    kept_in = crm.cache if max_age else None
    if kept_in is None and kind not in _OF_TABLES:

        async def read_anew() -> Rows:
            return Rows(await read(crm, request), 0.0, {})

        return await _shared(crm, kind, _page_key(request), request.selection, read_anew)
    begun, revision = (crm.link.clock(), 0) if kept_in is None else (kept_in.now(), kept_in.revision)
    with recording() if kept_in is None else recording_all_warnings() as recorder:
        page = await read(crm, request)
    read_at = _begun_by(begun, recorder)
    if kind in _OF_TABLES and recorder.kept_since is not None:
        read_at = min(read_at, recorder.kept_since)
        if max_age:
            context.freshness.note(crm.key, begun - read_at)
    kept = KeptPage(page, read_at, wish_of(request.selection, kind), tuple(recorder.warnings[:MAX_WARNINGS]))
    if kept_in is not None:
        for row in page.rows:
            if not _is_sound(row.record, kind):
                raise TypeError(f"{crm.key!r} listed something else than records of kind {kind}: {type(row.record).__name__}")
        rows = (row.record for row in page.rows if not getattr(row.record, "is_deleted", False))
        whole = _covering(rows, request.selection.of(kind))
        if not page.dropped:  # what could not be read may be readable the next time
            kept_in.keep_page(kind, _page_key(request), kept, revision=revision)
        kept_in.keep(kind, whole, wish=kept.wish, read_at=read_at, revision=revision, warnings=recorder.warnings)
        keep_seeds(crm, page.seeds, request.selection, read_at=read_at, revision=revision)
    return Rows(page, begun - read_at, kept.made)


async def _shared(crm: Crm, kind: str, what: Hashable, selection: model.Selection, read: Callable[[], Awaitable[T]]) -> T:
    """Read, together with other operations that ask for the same meanwhile; but not with one that began before a change."""
    try:
        return await crm.reads.run(kind, lambda: (kind, what, selection.key, crm.epoch), read)
    except TimeoutError as cause:
        raise late(crm.key) from cause


def keep_seeds(crm: Crm, seeds: Seeds | None, selection: model.Selection, *, read_at: float, revision: int) -> None:
    """Keep records that another reply held, as far as they hold what was asked."""
    if seeds is None or crm.cache is None:
        return
    for kind, records in (("User", seeds.users), ("Account", seeds.accounts), ("Contact", seeds.contacts)):
        wish = wish_of(selection, kind)
        sound = (record for record in records if _is_sound(record, kind))
        crm.cache.keep(kind, _covering(sound, selection.of(kind)), wish=wish, read_at=read_at, revision=revision)


def forget_rows(crm: Crm, kind: str, request: PageRequest) -> None:
    """Let go of a page that turned out to be defective, so that it is read again."""
    if crm.cache is not None:
        crm.cache.forget_page(kind, _page_key(request))


def drop_kept(crm: Crm, *local_ids: str) -> None:
    """Forget what is kept of records that have changed, and of all lists of their Crm, and let nobody join a read that is under way."""
    crm.note_change()
    if crm.cache is not None:
        crm.cache.drop(local_ids)


def _covering(records: Iterable[R], wanted: frozenset[str] | None) -> dict[str, R]:
    """The records that hold what is wanted, by id."""
    return {record.local_id: record for record in records if (record.read_fields is None if wanted is None else record.covers(wanted))}


def _is_sound(record: object, kind: str) -> bool:
    """Whether it is of its kind and says which record it is and what of it was read: an adapter's defect must not be kept."""
    if kind == LINKS:
        return isinstance(record, OpportunityLinks)
    if not isinstance(record, model.Record) or not isinstance(record, getattr(model, kind)):
        return False
    told: Any = record  # it may hold what its class does not allow
    return isinstance(told.ref, model.Ref) and isinstance(told.read_fields, _READ_FIELDS)


def _begun_by(begun: float, recorder: CallRecorder) -> float:
    """When that began which was read: before, where a read was joined that was under way."""
    return begun if recorder.joined_since is None else min(begun, recorder.joined_since)


def _page_key(request: PageRequest) -> tuple[Any, ...]:
    return request.size, request.position, request.include_deleted, request.where, request.sort, request.count


def _strictest(info: "GraphQLResolveInfo[Any]", variables: dict[str, Any]) -> float:
    """The least age that the root fields of an operation allow which take one; a mistake in it is that field's own error."""
    if info.operation.operation is not OperationType.QUERY:
        return 0.0
    ages = list(_ages(info, info.operation.selection_set, variables))
    return max(0.0, float(min(ages))) if ages else 0.0


def _ages(info: "GraphQLResolveInfo[Any]", selections: SelectionSetNode, variables: dict[str, Any]) -> Iterator[float]:
    for node in selections.selections:
        if any(_leaves_out(directive, variables) for directive in node.directives or ()):
            continue
        if isinstance(node, FieldNode):
            field_ = info.parent_type.fields.get(node.name.value)
            if field_ is not None and _ARGUMENT in field_.args:
                given = next((argument.value for argument in node.arguments or () if argument.name.value == _ARGUMENT), None)
                age = None if given is None else value_from_ast_untyped(given, variables)
                yield age if isinstance(age, int) else 0
        elif isinstance(node, InlineFragmentNode):
            yield from _ages(info, node.selection_set, variables)
        elif isinstance(node, FragmentSpreadNode):
            yield from _ages(info, info.fragments[node.name.value].selection_set, variables)


def _leaves_out(directive: DirectiveNode, variables: dict[str, Any]) -> bool:
    if directive.name.value not in {"skip", "include"} or not directive.arguments:
        return False
    return value_from_ast_untyped(directive.arguments[0].value, variables) is (directive.name.value == "skip")


@cache
def record_classes() -> frozenset[str]:
    """Names of the classes that records are made of: those of the model, and those of the vendors' own fields."""
    modules = {model.__name__} | {kind.__module__ for vendor in all_vendors().values() for kind in vendor.extensions.values()}
    return frozenset(name for module in modules for name, found in vars(sys.modules[module]).items() if is_dataclass(found))
