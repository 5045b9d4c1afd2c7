"""Vendors' own fields: frozen dataclasses with described fields, free of GraphQL; the graph builds its types from them."""

from dataclasses import field
from typing import Any, Final

DESCRIPTION: Final = "description"
RELATION: Final = "relation"


def described(description: str, *, relation: str | None = None, default: Any = None) -> Any:
    """Declare a field of an extension class.

    Args:
        description: What frontends read about it.
        relation: For a field that holds a `Ref`, or a tuple of them: what it points at (`users`, `accounts`, `contacts`, `stages`,
            `pipelines`). The graph then shows the record under the field's name without its `_ref` or `_refs` ending.
        default: Value of a record that does not have it.
    """
    return field(default=default, metadata={DESCRIPTION: description, RELATION: relation})
