"""How values become what an answer shows of them, where nothing is wrong with them. Whatever else they are is a `FlawError`.

A flaw says only that the quick way ends here: what the answer then is, graphql-core decides.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from math import inf
from typing import Any, Final

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLString,
    Undefined,
)
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from server.execution.core import is_leaf_type, is_list_type, is_non_null_type

Complete = Callable[[Any], Any]
"""Gives what is shown of one value."""
CompleteAll = Callable[[list[Any]], list[Any]]
"""Gives what is shown of each value of a column."""

# Values of other types might have to be awaited.
NEVER_AWAITED: Final = frozenset({str, int, float, bool, list, tuple, dict, Decimal, date, datetime})


LISTS: Final = frozenset({list, tuple})


class FlawError(Exception):
    """Something is not as it would be in an answer without errors, or not as the quick way knows it."""


def column_completion(type_: Any) -> CompleteAll:
    """The completion of a column of values of a leaf type, or of lists of one."""
    complete = value_completion(type_)
    is_required = is_non_null_type(type_)
    leaf: Any = type_.of_type if is_required else type_
    quick = _QUICK.get(leaf.name) if is_leaf_type(leaf) else None
    if quick is not None and is_built_in(leaf):
        return quick(complete)
    names = enum_names(leaf)
    if names is not None:
        members: type = leaf.wrapped_cls
        return lambda column: [names[id(value)] if type(value) is members else complete(value) for value in column]
    return lambda column: [complete(value) for value in column]


def value_completion(type_: Any) -> Complete:
    """The completion of a single value of a leaf type, or of a list of one."""
    if is_non_null_type(type_):
        return _required(value_completion(type_.of_type))
    if is_list_type(type_):
        return _listed(value_completion(type_.of_type))
    return _coerced(type_)


def enum_names(leaf: Any) -> dict[int, str] | None:
    """Names of an enum's members by their ids: members are what they are for as long as their class."""
    if not isinstance(leaf, CustomGraphQLEnumType) or type(leaf).coerce_output_value is not CustomGraphQLEnumType.coerce_output_value:
        return None
    members: Any = leaf.wrapped_cls
    return {id(member): leaf.coerce_output_value(member) for member in members}


def quick_check(leaf: Any) -> str | None:
    """A condition on `{x}` under which a value of a leaf type is shown as it is; None when there is none."""
    return _CHECKS.get(leaf.name) if is_built_in(leaf) else None


def is_built_in(leaf: Any) -> bool:
    """Whether a type is a scalar of GraphQL itself, and not another one of that name."""
    return leaf in {GraphQLString, GraphQLID, GraphQLBoolean, GraphQLInt, GraphQLFloat}


def _required(complete: Complete) -> Complete:
    def complete_required(value: Any) -> Any:
        if value is None:
            raise FlawError
        return complete(value)

    return complete_required


def _listed(complete: Complete) -> Complete:
    def complete_list(value: Any) -> Any:
        if value is None:
            return None
        if value.__class__ not in LISTS:
            raise FlawError
        return [complete(item) for item in value]

    return complete_list


def _coerced(leaf: Any) -> Complete:
    coerce: Any = leaf.coerce_output_value

    def complete(value: Any) -> Any:
        if value is None:
            return None
        if type(value) not in NEVER_AWAITED and (value is Undefined or isinstance(value, Exception) or _is_for_once(value)):
            raise FlawError
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise FlawError
        return coerced

    return complete


def _is_for_once(value: Any) -> bool:
    """Whether the value has to be awaited, or is used up by a scalar that goes through it."""
    return hasattr(value, "__await__") or hasattr(value, "__next__")


def _texts(complete: Complete) -> CompleteAll:
    return lambda column: [x if type(x) is str else complete(x) for x in column]


def _booleans(complete: Complete) -> CompleteAll:
    return lambda column: [x if type(x) is bool else complete(x) for x in column]


def _integers(complete: Complete) -> CompleteAll:
    return lambda column: [x if type(x) is int and GRAPHQL_MIN_INT <= x <= GRAPHQL_MAX_INT else complete(x) for x in column]


def _floats(complete: Complete) -> CompleteAll:
    return lambda column: [x if type(x) is float and -inf < x < inf else complete(x) for x in column]


_QUICK: Final[dict[str, Callable[[Complete], CompleteAll]]] = {
    "String": _texts,
    "ID": _texts,
    "Boolean": _booleans,
    "Int": _integers,
    "Float": _floats,
}
_CHECKS: Final = {
    "String": "type({x}) is str",
    "ID": "type({x}) is str",
    "Boolean": "type({x}) is bool",
    "Int": f"type({{x}}) is int and {GRAPHQL_MIN_INT} <= {{x}} <= {GRAPHQL_MAX_INT}",
    "Float": "type({x}) is float and -inf < {x} < inf",
}
