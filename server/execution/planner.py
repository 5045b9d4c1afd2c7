"""Makes the plan of an operation, or finds that it has to run as graphql-core runs it.

Fields are planned when it is known what their resolvers need: those that read an attribute, and those that `resolvers.relation` declares.
The resolvers of others are called as they are, but only for objects that are in no list, where their info can tell all that it should.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, Final, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.pyutils import Path
from strawberry.types.field import StrawberryField

from resolvers import relation
from resolvers.footing import shows_records
from resolvers.relation import PLAN, FieldPlan
from server.execution.core import (
    collect_fields,
    collect_subfields,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from server.execution.leaves import FlawError, column_completion
from server.execution.plan import Children, ObjectPlan, Plan, Step
from server.execution.steps import CallStep, ReadStep, RelationStep, TypenameStep, computed, contextual, resolved

MAX_FIELDS: Final = 2_000  # and types of objects

_READ: Final[Any] = StrawberryField.get_result  # pyright: ignore[reportUnknownMemberType]  # as Strawberry has it
_CONDITIONS: Final = frozenset({"skip", "include"})


class UnplannableError(Exception):
    """The operation has something that only graphql-core knows how to run."""


def conditions_of(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> tuple[str, ...]:
    """The variables that decide which fields an operation has.

    Raises:
        UnplannableError: There are other directives than `@skip` and `@include`.
    """
    names: dict[str, None] = {}
    selection_sets = [operation.selection_set, *(fragment.selection_set for fragment in fragments.values())]
    for directive in (directive for selections in selection_sets for directive in _directives(selections)):
        if directive.name.value not in _CONDITIONS:
            raise UnplannableError
        names.update((given.value.name.value, None) for given in directive.arguments if isinstance(given.value, VariableNode))
    if any(fragment.variable_definitions for fragment in fragments.values()):
        raise UnplannableError
    return tuple(names)


def _directives(selections: SelectionSetNode) -> Iterator[Any]:
    stack = [selections]
    while stack:
        for node in stack.pop().selections:
            yield from node.directives or ()
            if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
                stack.append(node.selection_set)
            elif not isinstance(node, FieldNode | InlineFragmentNode | FragmentSpreadNode):
                raise UnplannableError


def plan_of(executor: Any) -> Plan:
    """Plan the operation of an executor.

    Raises:
        UnplannableError: It cannot be planned.
    """
    return _Planner(executor).plan()


class _Planner:
    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self._schema = executor.schema
        self._objects: list[ObjectPlan] = []
        self._steps: dict[int, Step] = {}
        self._collected: dict[Any, Any] = {}

    def plan(self) -> Plan:
        executor = self._executor
        root_type = self._schema.get_root_type(executor.operation.operation)
        if root_type is None:
            raise UnplannableError
        collected = collect_fields(
            self._schema, executor.fragments, executor.variable_values, root_type, executor.operation, executor.hide_suggestions
        )
        root = self._object(root_type, collected.grouped_field_set, None, is_single=True)
        return Plan(
            objects=self._objects,
            steps=self._steps,
            root=root,
            root_fields=collected.grouped_field_set,
            collected=self._collected,
            shows_records=all(shows_records(of.object_type.name, map(_field_name, of.steps)) for of in self._objects),
        )

    def _object(self, type_: GraphQLObjectType, fields: GroupedFieldSet, path: Path | None, *, is_single: bool) -> ObjectPlan:
        plan = ObjectPlan(number=len(self._objects), object_type=type_)
        self._objects.append(plan)
        self._check_size()
        for name, details in fields.items():
            definition = self._schema.get_field(type_, details[0].node.name.value)
            if definition is None:
                continue  # graphql-core leaves it out as well
            step = self._step(plan, name, definition, details, Path(path, name, type_.name), is_single=is_single)
            plan.steps.append(step)
            self._steps[id(details)] = step
            self._check_size()
        plan.finish()
        return plan

    def _check_size(self) -> None:
        if len(self._steps) + len(self._objects) > MAX_FIELDS:
            raise UnplannableError

    def _step(self, owner: ObjectPlan, name: str, definition: Any, details: FieldDetailsList, path: Path, *, is_single: bool) -> Step:
        if any(detail.defer_usage or detail.fragment_variable_values for detail in details):
            raise UnplannableError
        field_name = details[0].node.name.value
        common: dict[str, Any] = {
            "name": name,
            "index": len(owner.steps),
            "owner": owner,
            "definition": definition,
            "details": details,
            "path": path,
            "required": _required(definition.type),
        }
        if field_name.startswith("__"):
            if field_name != "__typename":
                raise UnplannableError
            return TypenameStep(**common)
        step = _kind_of_step(definition, common, is_single=is_single)
        if is_leaf_type(get_named_type(definition.type)):
            step.complete_all = column_completion(definition.type)
        else:
            step.children = self._children(definition, details, path, step.required, is_single=is_single)
        if isinstance(step, RelationStep) and (step.children is None or step.children.depth != int(step.plan.many)):
            raise UnplannableError
        return step

    def _children(self, definition: Any, details: FieldDetailsList, path: Path, required: tuple[bool, ...], *, is_single: bool) -> Children:
        executor = self._executor
        inner: Any = get_named_type(definition.type)
        abstract = inner if is_abstract_type(inner) else None
        possible = self._schema.get_possible_types(inner) if abstract is not None else [inner]
        plans: dict[str, ObjectPlan] = {}
        for object_type in possible:
            collected = collect_subfields(
                self._schema,
                executor.fragments,
                executor.variable_values,
                executor.operation,
                object_type,
                details,
                executor.hide_suggestions,
            )
            self._collected[object_type, id(details)] = collected
            plans[object_type.name] = self._object(
                object_type, collected.grouped_field_set, path, is_single=is_single and len(required) == 1
            )
        if not plans:
            raise UnplannableError
        return Children(required=required, plans=plans, abstract=abstract)


def _field_name(step: Step) -> str:
    return step.details[0].node.name.value


def _required(type_: Any) -> tuple[bool, ...]:
    required: list[bool] = [is_non_null_type(type_)]
    inner = type_.of_type if required[0] else type_
    while is_list_type(inner):
        required.append(is_non_null_type(inner.of_type))
        inner = inner.of_type.of_type if required[-1] else inner.of_type
    return tuple(required)


def _kind_of_step(definition: Any, common: dict[str, Any], *, is_single: bool) -> Step:
    field: Any = definition.extensions.get("strawberry-definition")
    if definition.resolve is None:
        if is_single:
            return CallStep(**common, call=resolved)
        return ReadStep(**common, read=_looked_up(common["details"][0].node.name.value))
    if not isinstance(field, StrawberryField):
        return _as_it_is(common, is_single=is_single)
    if field.extensions or field.is_subscription:
        return _as_it_is(common, is_single=is_single and not field.extensions)
    if _is_attribute(definition, field):
        return ReadStep(**common, read=attrgetter(field.python_name), attribute=field.python_name)
    declared = _declared(field, common)
    return _as_it_is(common, is_single=is_single) if declared is None else declared


def _as_it_is(common: dict[str, Any], *, is_single: bool) -> Step:
    if not is_single:
        raise UnplannableError
    return CallStep(**common, call=resolved)


def _is_attribute(definition: Any, field: Any) -> bool:
    return (
        field.is_basic_field
        and definition.resolve.__name__ == "_get_basic_result"
        and field.__class__.get_result is _READ
        and field.default_resolver is getattr
        and field.python_name.isidentifier()
    )


def _declared(field: Any, common: dict[str, Any]) -> Step | None:
    plan: FieldPlan | None = field.metadata.get(PLAN)
    resolver: Any = field.base_resolver
    if plan is None or resolver is None:
        return None
    function: Any = resolver.wrapped_func
    if function.__module__ != relation.__name__ or field.arguments:
        # Its plan says that the record, the arguments and the context decide: nothing that a path would tell.
        return CallStep(**common, call=resolved)
    if plan.loader is not None:
        return RelationStep(**common, plan=plan, key=attrgetter(plan.key or ""))
    if plan.attribute is not None:
        return ReadStep(**common, read=attrgetter(plan.attribute), attribute=plan.attribute)
    assert plan.value is not None, "all others have one"
    if plan.takes_context:
        return CallStep(**common, call=contextual(plan.value))
    is_leaf = is_leaf_type(get_named_type(common["definition"].type))
    return ReadStep(**common, read=plan.value) if is_leaf else CallStep(**common, call=computed(plan.value), may_wait=False)


def _looked_up(name: str) -> Any:
    def look_up(source: Any) -> Any:
        value = cast("Mapping[str, Any]", source).get(name) if isinstance(source, Mapping) else getattr(source, name, None)
        if callable(value):
            raise FlawError
        return value

    return look_up
