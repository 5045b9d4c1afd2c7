"""Vendors' own fields: frozen dataclasses with described fields, free of GraphQL; the graph builds its types from them."""

from collections.abc import Iterable
from dataclasses import field, fields
from typing import Any, Final, NewType, TypeVar

DESCRIPTION: Final = "description"
RELATION: Final = "relation"
WIRE: Final = "wire"

VendorId = NewType("VendorId", str)
"""The vendor's id of something that is no record of the graph."""

X = TypeVar("X")

_wire_names: dict[type, dict[str, str]] = {}


def described(description: str, *, wire: str | None = None, relation: str | None = None, default: Any = None) -> Any:
    """Declare a field of an extension class.

    Args:
        description: What frontends read about it.
        wire: The attribute of the wire model that `extension_from` copies, and the vendor's name of the field; None when the mapping
            fills it in another way.
        relation: For a field that holds a `Ref`, or a tuple of them: what it points at (`users`, `accounts`, `contacts`, `stages`,
            `pipelines`). The graph then shows the record under the field's name without its `_ref` or `_refs` ending.
        default: Value of a record that does not have it.
    """
    return field(default=default, metadata={DESCRIPTION: description, WIRE: wire, RELATION: relation})


def extension_from(kind: type[X], row: object, **more: object) -> X:
    """Make an extension object: every field with a wire name is copied from the row, the others are given."""
    values: dict[str, Any] = {name: getattr(row, wire) for name, wire in wire_names(kind).items()}
    return kind(**values, **more)


def wire_names(kind: type) -> dict[str, str]:
    """The vendor's names of an extension class's copied fields, by attribute."""
    if kind not in _wire_names:
        _wire_names[kind] = {item.name: item.metadata[WIRE] for item in fields(kind) if item.metadata.get(WIRE)}
    return _wire_names[kind]


def wire_names_of(kind: type, attributes: Iterable[str] | None) -> set[str]:
    """The vendor's names of these attributes (all of them for None), as far as they are copied."""
    names = wire_names(kind)
    return set(names.values()) if attributes is None else {names[attribute] for attribute in attributes if attribute in names}
