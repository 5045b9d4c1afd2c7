"""Fields as declarations: each says which attributes of the record it reads, and relations say which loader fetches what they point at.

A declaration makes the ordinary resolver and the metadata (`FieldPlan`) that tells adapters what to ask for, and that another executor can
run without calling the resolver.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import strawberry

from vendors.model import UNREAD, Opportunity

if TYPE_CHECKING:
    from resolvers.context import Context

PLAN: Final = "plan"
ASSUMED_SIZE: Final = "assumed_size"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPlan:
    """What a field needs.

    Args:
        reads: Attributes of the record.
        also: Attributes of records of other classes that the field will load, by class name.
        loader: For a relation: name of the loader.
        key: For a relation: attribute that holds the reference, or the references when `many`.
        many: Whether the relation is a list.
        links: Whether an UNREAD key is told by the links loader.
        attribute: For a field that shows an attribute of another name: the attribute, or a dotted path to it.
        value: For a computed field: gives its value from the record, or from the record and the context when `takes_context`.
        takes_context: Whether it does.
    """

    reads: tuple[str, ...] = ()
    also: tuple[tuple[str, str], ...] = ()
    loader: str | None = None
    key: str | None = None
    many: bool = False
    links: bool = False
    attribute: str | None = None
    value: Callable[..., Any] | None = None
    takes_context: bool = False


def attribute(description: str, *, name: str | None = None, reads: str | None = None, always: str | None = None) -> Any:
    """Declare a field that shows an attribute of the record.

    Args:
        description: What frontends read about it.
        name: Its name in the graph; by default that of the Python field.
        reads: The attribute; by default the one of the field's own Python name.
        always: Dotted path to an attribute that every record has, whatever was read of it.
    """
    shown = always or reads
    if shown is None:
        return strawberry.field(description=description, name=name)
    read = attrgetter(shown)

    def resolve(self: Any) -> Any:
        return read(self)

    plan = FieldPlan(reads=() if reads is None else (reads,), attribute=shown)
    return strawberry.field(resolver=resolve, description=description, name=name, metadata=_metadata(plan, None))


def computed(
    value: Callable[[Any], Any],
    description: str,
    *,
    reads: tuple[str, ...] = (),
    also: tuple[tuple[str, str], ...] = (),
    name: str | None = None,
    assumed_size: int | None = None,
    graphql_type: Any = None,
) -> Any:
    """Declare a field that is computed without waiting from the record alone, which must not change while an operation shows it.

    `graphql_type` is for types known only at run time.
    """

    def resolve(self: Any) -> Any:
        return value(self)

    return strawberry.field(
        resolver=resolve,
        description=description,
        name=name,
        graphql_type=graphql_type,
        metadata=_metadata(FieldPlan(reads=reads, also=also, value=value), assumed_size),
    )


def contextual(
    value: Callable[[Any, "Context"], Any],
    description: str,
    *,
    reads: tuple[str, ...] = (),
    also: tuple[tuple[str, str], ...] = (),
    assumed_size: int | None = None,
) -> Any:
    """Declare a field that is computed from the record and the operation's context; the value may be awaitable."""

    def resolve(self: Any, info: strawberry.Info[Any, Any]) -> Any:
        return value(self, info.context)

    plan = FieldPlan(reads=reads, also=also, value=value, takes_context=True)
    return strawberry.field(resolver=resolve, description=description, metadata=_metadata(plan, assumed_size))


def relation(description: str, *, loader: str, key: str, many: bool = False, links: bool = False, assumed_size: int | None = None) -> Any:
    """Declare a relation: the record(s) that `key` refers to, through a batching loader of the operation.

    Args:
        description: What frontends read about it.
        loader: Name of a loader of `Loaders`.
        key: Attribute with a Ref (or None), or a tuple of Refs when `many`.
        many: Whether it is a list, in the order of the keys; a record that does not exist is null in it.
        links: Whether an UNREAD key is asked of the links loader.
        assumed_size: Number of items that the cost of a query assumes.
    """
    plan = FieldPlan(reads=(key,), loader=loader, key=key, many=many, links=links)

    def resolve(self: Any, info: strawberry.Info[Any, Any]) -> Any:
        keys = getattr(self, key)
        if keys is UNREAD:
            return _through_links(self, plan, info.context)
        return _load(keys, plan, info.context)

    return strawberry.field(resolver=resolve, description=description, metadata=_metadata(plan, assumed_size))


def _load(keys: Any, plan: FieldPlan, context: "Context") -> Any:
    if keys is None:
        return None
    load = getattr(context.loaders, plan.loader or "").load
    return [load(ref) for ref in keys] if plan.many else load(keys)


async def _through_links(record: Opportunity, plan: FieldPlan, context: "Context") -> Any:
    links = await context.loaders.links_by_opportunity.load(record)
    if links is None:
        return None
    loaded = _load(getattr(links, plan.key or ""), plan, context)
    if not plan.many:
        return None if loaded is None else await loaded
    return loaded


def _metadata(plan: FieldPlan, assumed_size: int | None) -> dict[object, object]:
    return {PLAN: plan} if assumed_size is None else {PLAN: plan, ASSUMED_SIZE: assumed_size}
