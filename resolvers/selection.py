"""What an operation reads of each class of records, found from its document before anything runs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
    value_from_ast_untyped,
)

from resolvers.kept import kept_with
from resolvers.relation import PLAN, FieldPlan
from vendors.model import Selection


def selection_of(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> Selection:
    """Collect, by class name, the attributes that the fields of an operation read, anywhere in it; once for each document.

    Fields behind `@skip` and `@include` count as read: the answer may hold more than needed, never less.
    """
    kept = kept_with(document, schema)
    key = "selection", id(operation)  # it is a part of the document
    if key not in kept:
        kept[key] = _found(schema, document, operation)
    selection: Selection = kept[key]
    return selection


def selects(info: "GraphQLResolveInfo[Any]", variables: Mapping[str, Any], *names: str) -> bool:
    """Whether the answer will hold a field of the last name below ones of the names before it, below the field that is being resolved."""
    return any(_among(node.selection_set, names, 0, info.fragments, variables, frozenset()) for node in info.field_nodes)


def _among(  # noqa: PLR0917  # it calls itself, and a closure that does so is garbage that refers to itself
    selections: SelectionSetNode | None,
    names: Sequence[str],
    depth: int,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
    seen: frozenset[str],
) -> bool:
    for node in selections.selections if selections else ():
        if _is_left_out(node, variables):
            continue
        if isinstance(node, FieldNode):
            is_last = depth + 1 == len(names)
            found = node.name.value == names[depth] and (
                is_last or _among(node.selection_set, names, depth + 1, fragments, variables, frozenset())
            )
        elif isinstance(node, InlineFragmentNode):
            found = _among(node.selection_set, names, depth, fragments, variables, seen)
        else:
            spread = node.name.value if isinstance(node, FragmentSpreadNode) else ""
            found = (
                spread not in seen
                and spread in fragments
                and _among(fragments[spread].selection_set, names, depth, fragments, variables, seen | {spread})
            )
        if found:
            return True
    return False


def _found(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> Selection:
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    walk = _Walk(schema, fragments)
    root = schema.get_root_type(operation.operation)
    if root is not None:
        walk.into(operation.selection_set, root)
    return Selection({name: frozenset(attributes) for name, attributes in walk.attributes.items()})


def _is_left_out(node: SelectionNode, variables: Mapping[str, Any]) -> bool:
    conditions = {
        directive.name.value: value_from_ast_untyped(directive.arguments[0].value, dict(variables))
        for directive in node.directives or ()
        if directive.name.value in {"skip", "include"} and directive.arguments
    }
    return conditions.get("skip") is True or conditions.get("include") is False


class _Walk:
    def __init__(self, schema: GraphQLSchema, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self.attributes: defaultdict[str, set[str]] = defaultdict(set)
        self._schema = schema
        self._fragments = fragments
        self._seen: set[tuple[str, str]] = set()

    def into(self, selections: SelectionSetNode, parent: GraphQLNamedType) -> None:
        for node in selections.selections:
            if isinstance(node, FieldNode):
                self._field(node, parent)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                self.into(node.selection_set, parent if condition is None else self._schema.type_map[condition.name.value])
            elif isinstance(node, FragmentSpreadNode) and (node.name.value, parent.name) not in self._seen:
                self._seen.add((node.name.value, parent.name))
                fragment = self._fragments[node.name.value]
                self.into(fragment.selection_set, self._schema.type_map[fragment.type_condition.name.value])

    def _field(self, node: FieldNode, parent: GraphQLNamedType) -> None:
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) or node.name.value not in parent.fields:
            return
        field = parent.fields[node.name.value]
        definition: Any = field.extensions.get("strawberry-definition")
        if definition is not None:
            plan: FieldPlan | None = definition.metadata.get(PLAN)
            if plan is None:
                if definition.base_resolver is None:  # a resolver without a plan reads nothing of the record but its ref
                    self.attributes[parent.name].add(definition.python_name)
            else:
                self.attributes[parent.name].update(plan.reads)
                for class_name, attribute in plan.also:
                    self.attributes[class_name].add(attribute)
        if node.selection_set is not None:
            self.into(node.selection_set, cast("GraphQLNamedType", get_named_type(field.type)))
