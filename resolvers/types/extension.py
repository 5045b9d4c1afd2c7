"""Builds the graph's types of the vendors' own fields from the dataclasses that the vendors declare."""

import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Optional, TypeVar, Union, get_args, get_origin, get_type_hints

import strawberry

from resolvers.relation import attribute, computed, relation
from resolvers.scalars import JSON
from resolvers.types.enums import described_enum
from vendors.extension import DESCRIPTION, RELATION, VendorId
from vendors.registry import all_vendors

if TYPE_CHECKING:
    from resolvers.types.account import Account
    from resolvers.types.contact import Contact
    from resolvers.types.pipeline import Pipeline
    from resolvers.types.stage import Stage
    from resolvers.types.user import User

C = TypeVar("C", bound=type)

_PLAIN: Final[dict[Any, Any]] = {
    str: str,
    int: int,
    float: float,
    bool: bool,
    Decimal: Decimal,
    date: date,
    datetime: datetime,
    VendorId: strawberry.ID,
    Any: JSON,
    object: JSON,
}
_RELATIONS: Final[dict[str, tuple[str, Any]]] = {
    "users": ("users_by_ref", Annotated["User", strawberry.lazy("resolvers.types.user")]),
    "accounts": ("accounts_by_ref", Annotated["Account", strawberry.lazy("resolvers.types.account")]),
    "contacts": ("contacts_by_ref", Annotated["Contact", strawberry.lazy("resolvers.types.contact")]),
    "pipelines": ("pipelines_by_ref", Annotated["Pipeline", strawberry.lazy("resolvers.types.pipeline")]),
    "stages": ("stages_by_ref", Annotated["Stage", strawberry.lazy("resolvers.types.stage")]),
}
_LIST_SIZE: Final = 5
# Types made at run time, which type checkers cannot follow.
_OPTIONAL: Final[Any] = Optional
_LIST: Final[Any] = list


def vendor_fields(model_name: str) -> Callable[[C], C]:
    """Add a nullable field for every vendor that extends this model class, such as `Opportunity.autotask`.

    Exactly one of them is not null on a record of a Crm whose vendor extends the class.
    """

    def add(owner: C) -> C:
        for vendor in all_vendors().values():
            extension = vendor.extensions.get(model_name)
            if extension is not None:
                owner.__annotations__[vendor.key] = _OPTIONAL[output_type(extension)]
                setattr(
                    owner,
                    vendor.key,
                    _extension_field(extension, f"Fields that only {vendor.label} has; null on records of other vendors."),
                )
        return owner

    return add


@cache
def output_type(extension: type[Any]) -> Any:
    """The graph's type of a vendor's extension class."""
    if issubclass(extension, Enum):
        texts = {member.name: member.name.replace("_", " ").capitalize() + "." for member in extension}
        return described_enum(extension, name=extension.__name__, description=_doc(extension), texts=texts)
    assert is_dataclass(extension), f"{extension!r} is neither an enum nor a dataclass, so it has no counterpart in the graph"
    hints = get_type_hints(extension)
    body: dict[str, Any] = {"__annotations__": {}, "__module__": __name__}
    for item in fields(extension):
        name, annotation, field = _field(item.name, hints[item.name], item.metadata[DESCRIPTION], item.metadata[RELATION])
        body["__annotations__"][name] = annotation
        body[name] = field
    return strawberry.type(type(extension.__name__, (), body), description=_doc(extension))


def _doc(extension: type) -> str:
    return " ".join((extension.__doc__ or "").split())


def _field(name: str, hint: Any, description: str, related: str | None) -> tuple[str, Any, Any]:
    if related is None:
        annotation, is_list = _annotation(hint)
        if is_list:
            return name, annotation, computed(lambda record: getattr(record, name), description, reads=(name,), assumed_size=_LIST_SIZE)
        return name, annotation, attribute(description)
    loader, target = _RELATIONS[related]
    if get_origin(_without_none(hint)) is tuple:
        many = relation(description, loader=loader, key=name, many=True, assumed_size=_LIST_SIZE)
        return name.removesuffix("_refs"), _OPTIONAL[_LIST[_OPTIONAL[target]]], many
    return name.removesuffix("_ref"), _OPTIONAL[target], relation(description, loader=loader, key=name)


def _annotation(hint: Any) -> tuple[Any, bool]:
    """The graph's annotation of a dataclass field's type, and whether it is a list."""
    inner = _without_none(hint)
    is_list = get_origin(inner) is tuple
    made = _LIST[_annotation(get_args(inner)[0])[0]] if is_list else _PLAIN.get(inner) or output_type(inner)
    return made if inner is hint and inner not in {Any, object} else _OPTIONAL[made], is_list


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in {Union, types.UnionType}:
        parts = [part for part in get_args(hint) if part is not type(None)]
        return parts[0] if len(parts) == 1 else hint
    return hint


def _extension_field(extension: type, description: str) -> Any:
    def value(record: Any) -> Any:
        own = record.extension
        return own if isinstance(own, extension) else None

    return computed(value, description, reads=("extension",))
