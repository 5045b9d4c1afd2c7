"""Failures of single Crms in a list that goes on without them."""

from collections.abc import Iterable
from typing import Any, cast

import strawberry
from graphql import GraphQLError, GraphQLResolveInfo

from resolvers.context import Context
from resolvers.errors import vendor_extensions
from resolvers.listing.source import Source
from resolvers.selection import selects
from vendors.errors import VendorError


def is_selected(info: strawberry.Info[Any, Any], *names: str) -> bool:
    """Whether the answer will hold a field of the last name below ones of the names before it."""
    return selects(_core_info(info), info.variable_values, *names)


def path_of(info: strawberry.Info[Any, Any]) -> list[str | int]:
    """Where the field that is being resolved stands in the answer."""
    return _core_info(info).path.as_list()


def report(info: strawberry.Info[Any, Any], sources: Iterable[Source]) -> None:
    """Tell the failures of single Crms in `errors`, unless the operation reads them from `sources`."""
    if is_selected(info, "sources"):
        return
    for source in sources:
        if source.error is not None:
            add_list_error(info, source.error)


def add_list_error(info: strawberry.Info[Any, Any], error: VendorError) -> None:
    """Add an error to the answer without taking the field's value away."""
    context: Context = info.context
    raw = _core_info(info)
    context.list_errors.append(
        GraphQLError(
            error.message,
            nodes=list(raw.field_nodes),
            path=path_of(info),
            extensions=vendor_extensions(error, context.crms),
            original_error=error,
        )
    )


def _core_info(info: strawberry.Info[Any, Any]) -> GraphQLResolveInfo[Any]:
    core: Any = info
    return cast("GraphQLResolveInfo[Any]", core._raw_info)  # noqa: SLF001  # Strawberry wraps what is needed here
