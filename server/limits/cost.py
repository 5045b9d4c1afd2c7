"""The cost of an operation: about how many objects its answer will hold. Pure; for a document that has passed validation.

A field that returns an object costs 1, a leaf 0, introspection 0. A list multiplies what is below it by its size: the page argument
(`first` or `last`, at least 1), the number of `ids`, else the size its declaration assumes, else 10. A connection's size applies to what is
under its `edges` or `nodes`, once. Conditions (@skip, @include, several types of one interface) are counted as if all of them applied.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    ValueNode,
    VariableNode,
)

from resolvers.kept import kept_with

DEFAULT_ASSUMED_SIZE = 10

_PAGE_ARGUMENTS = ("first", "last")
_KEY_LIST_ARGUMENTS = ("ids", "representations")  # of `nodes`, and of a federation's `_entities`
_ROWS = frozenset({"edges", "nodes"})
_ABSENT = "absent"
_KEPT_COSTS = 32  # for a document


class _Cost(NamedTuple):
    """A cost that grows with the page size of the connection around it."""

    fixed: int = 0
    per_row: int = 0


def cost(document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any], schema: GraphQLSchema) -> int:
    """Estimate the objects in the answer to an operation.

    Args:
        document: The document, already valid, so that it has no cycle of fragments.
        operation: The operation of it that is to run.
        variables: The variables as the client sent them; defaults are taken from the operation.
        schema: The schema, whose lists may declare `metadata={"assumed_size": n}`.
    """
    root = schema.get_root_type(operation.operation)
    return _Estimate(document, operation, variables, schema).selections(operation.selection_set, root).fixed


def known_cost(document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any], schema: GraphQLSchema) -> int:
    """The same, found once for a document and the sizes that its variables ask for."""
    kept = kept_with(document, schema)
    names: frozenset[str] | None = kept.get("sizes")
    if names is None:
        names = kept["sizes"] = _size_variables(document)
    costs: dict[Any, int] = kept.setdefault(("costs", id(operation)), {})
    key = tuple([_size(variables[name]) if name in variables else _ABSENT for name in names])
    found = costs.get(key)
    if found is None:
        found = cost(document, operation, variables, schema)
        if len(costs) < _KEPT_COSTS:
            costs[key] = found
    return found


def page_size(arguments: Mapping[str, ValueNode], variables: Mapping[str, Any], field: GraphQLField) -> int:
    """The number of rows a list field may return.

    Args:
        arguments: The arguments as written.
        variables: Values of the variables; anything else than a whole number counts as not given.
        field: The field, for the defaults of its arguments and its assumed size.
    """
    sizes = [size for name in _PAGE_ARGUMENTS if (size := _whole_number(_argument(name, arguments, variables, field))) is not None]
    if sizes:
        return max(sizes)
    for name in _KEY_LIST_ARGUMENTS:
        keys = _argument(name, arguments, variables, field)
        if isinstance(keys, list):
            return len(cast("list[object]", keys))
    definition = field.extensions.get("strawberry-definition")
    metadata: Mapping[Any, Any] = getattr(definition, "metadata", None) or {}
    return int(metadata.get("assumed_size", DEFAULT_ASSUMED_SIZE))


class _Estimate:
    def __init__(
        self, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any], schema: GraphQLSchema
    ) -> None:
        self._schema = schema
        self._fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        self._known: dict[str, _Cost] = {}
        defaults = {
            definition.variable.name.value: _literal(definition.default_value, {})
            for definition in operation.variable_definitions or ()
            if definition.default_value is not None
        }
        self._variables = {**defaults, **variables}

    def selections(self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None) -> _Cost:
        """Cost of one object's selections."""
        fixed = per_row = 0
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                part = self._field(node, parent)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                part = self.selections(node.selection_set, self._schema.get_type(condition.name.value) if condition else parent)
            elif isinstance(node, FragmentSpreadNode):
                part = self._fragment(node.name.value)
            else:
                continue
            fixed += part.fixed
            per_row += part.per_row
        return _Cost(fixed, per_row)

    def _fragment(self, name: str) -> _Cost:
        if name not in self._known:
            fragment = self._fragments[name]
            self._known[name] = self.selections(fragment.selection_set, self._schema.get_type(fragment.type_condition.name.value))
        return self._known[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> _Cost:
        # The fields every type has, and introspection, are not among `parent.fields`: they are free.
        if node.selection_set is None or not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return _Cost()
        field = parent.fields.get(node.name.value)
        if field is None:
            return _Cost()
        written = str(field.type)  # such as "[Opportunity!]!"
        is_list = written.startswith("[")
        below = self.selections(node.selection_set, self._schema.get_type(written.strip("[]!")))
        if _is_connection(parent) and node.name.value in _ROWS:
            return _Cost(per_row=1 + below.fixed)
        if not is_list and not below.per_row:
            return _Cost(fixed=1 + below.fixed)
        size = page_size({argument.name.value: argument.value for argument in node.arguments or ()}, self._variables, field)
        if is_list:
            return _Cost(fixed=size * (1 + below.fixed))
        return _Cost(fixed=1 + below.fixed + size * below.per_row)


def _size_variables(document: DocumentNode) -> frozenset[str]:
    """The variables that tell how many rows lists have."""
    names: set[str] = set()
    stack: list[Any] = [getattr(definition, "selection_set", None) for definition in document.definitions]
    while stack:
        selections = stack.pop()
        for node in () if selections is None else selections.selections:
            if isinstance(node, FieldNode):
                sizes = (
                    argument.value for argument in node.arguments or () if argument.name.value in (*_PAGE_ARGUMENTS, *_KEY_LIST_ARGUMENTS)
                )
                names.update(value.name.value for value in sizes if isinstance(value, VariableNode))
            stack.append(getattr(node, "selection_set", None))
    return frozenset(names)


def _size(value: Any) -> int | None:
    """All that a cost takes from a variable."""
    return -len(cast("list[object]", value)) if isinstance(value, list) else _whole_number(value)


def _argument(name: str, arguments: Mapping[str, ValueNode], variables: Mapping[str, Any], field: GraphQLField) -> Any:
    if name not in field.args:
        return None
    node = arguments.get(name)
    if node is None or (isinstance(node, VariableNode) and node.name.value not in variables):
        default = field.args[name].default_value
        return None if default is Undefined else default
    return _literal(node, variables)


def _literal(node: ValueNode | None, variables: Mapping[str, Any]) -> Any:
    """Read as much of a literal as sizes need: whole numbers, and lists for their length."""
    if isinstance(node, VariableNode):
        return variables.get(node.name.value)
    if isinstance(node, IntValueNode):
        return int(node.value)
    if isinstance(node, ListValueNode):
        return [None] * len(node.values)
    return None


def _whole_number(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return max(1, int(value))


def _is_connection(type_: GraphQLObjectType | GraphQLInterfaceType) -> bool:
    return "pageInfo" in type_.fields and not _ROWS.isdisjoint(type_.fields)
