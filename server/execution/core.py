"""What is used of graphql-core beyond its types; its own annotations are too open for a strict type checker."""

from importlib import import_module
from typing import Any, Final

_type: Any = import_module("graphql.type")
is_abstract_type: Final = _type.is_abstract_type
is_leaf_type: Final = _type.is_leaf_type
is_list_type: Final = _type.is_list_type
is_non_null_type: Final = _type.is_non_null_type
get_named_type: Final = _type.get_named_type

_collecting: Any = import_module("graphql.execution.collect_fields")
collect_fields: Final = _collecting.collect_fields
collect_subfields: Final = _collecting.collect_subfields

_executing: Any = import_module("graphql.execution.execute")
execute: Final = _executing.execute
assume_not_awaitable: Final = _executing.assume_not_awaitable
default_field_resolver: Final = _executing.default_field_resolver
default_type_resolver: Final = _executing.default_type_resolver

_values: Any = import_module("graphql.execution.values")
get_argument_values: Final = _values.get_argument_values

_pyutils: Any = import_module("graphql.pyutils")
is_awaitable: Final = _pyutils.is_awaitable
