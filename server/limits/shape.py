"""The shape of a document: how deep, how wide, how repetitive. Pure, linear in the size of the document, and safe before validation.

Each definition is walked once without recursion; fragments are then put together bottom-up, so a fragment used a million times is
looked at once. Fragments that form a cycle or do not exist count as empty where they would be repeated: validation refuses them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from server.limits.model import Limits, limit_error

# The introspection query of GraphiQL and of the reference implementation goes 15 levels deep.
MAX_INTROSPECTION_DEPTH = 20

_INTROSPECTION = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True)
class _Spread:
    name: str
    depth: int
    nesting: int
    introspection: bool


@dataclass(slots=True)
class Shape:
    """Measures of a definition; of a whole document, the largest over its operations.

    Args:
        depth: Levels of fields.
        introspection_depth: Levels of fields below and including `__schema` or `__type`.
        nesting: Levels of selection sets, fragments included.
        aliases: Aliases, expanded.
        root_fields: Fields at the top level, expanded.
        directives: Directives as written.
        repeats: The most frequent response name of any one selection set, named fragments aside.
        fragments: Named fragments as written.
    """

    depth: int = 0
    introspection_depth: int = 0
    nesting: int = 0
    aliases: int = 0
    root_fields: int = 0
    directives: int = 0
    repeats: int = 0
    fragments: int = 0
    spreads: list[_Spread] = field(default_factory=list[_Spread])


def measure(document: DocumentNode) -> Shape:
    """Measure a parsed document, valid or not."""
    fragments = {node.name.value: _outline(node) for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    operations = [_outline(node) for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    directives = sum(shape.directives for shape in (*fragments.values(), *operations))
    repeats = max((shape.repeats for shape in (*fragments.values(), *operations)), default=0)
    finished: dict[str, Shape] = {}
    for name in _leaves_first(fragments):
        _add_fragments(fragments[name], finished)
        finished[name] = fragments[name]
    total = Shape(directives=directives, repeats=repeats, fragments=len(fragments))
    for operation in operations:
        _add_fragments(operation, finished)
        total.depth = max(total.depth, operation.depth)
        total.introspection_depth = max(total.introspection_depth, operation.introspection_depth)
        total.nesting = max(total.nesting, operation.nesting)
        total.aliases = max(total.aliases, operation.aliases)
        total.root_fields = max(total.root_fields, operation.root_fields)
    return total


def exceeded(shape: Shape, limits: Limits) -> list[GraphQLError]:
    """Return one error for each limit that a document exceeds."""
    checks = (
        ("max_depth", shape.depth, limits.max_depth, "levels of fields", "ask for less in one operation"),
        ("max_depth", shape.introspection_depth, MAX_INTROSPECTION_DEPTH, "levels of introspection", "ask for less in one operation"),
        ("max_nesting", shape.nesting, limits.max_nesting, "levels of selections and fragments", "use fewer fragments within fragments"),
        ("max_aliases", shape.aliases, limits.max_aliases, "aliases", "send several operations"),
        ("max_root_fields", shape.root_fields, limits.max_root_fields, "root fields", "send several operations"),
        ("max_directives", shape.directives, limits.max_directives, "directives", "leave fields out instead"),
        ("max_repeats", shape.repeats, limits.max_repeats, "repetitions of one field in one selection", "ask for each field once"),
        ("max_fragments", shape.fragments, limits.max_fragments, "fragments", "send several operations"),
    )
    return [
        limit_error(
            f"At most {{maximum}} {what} are allowed, the document has {{actual}}. Please {advice}.",
            limit=name,
            maximum=maximum,
            actual=actual,
        )
        for name, actual, maximum, what, advice in checks
        if actual > maximum
    ]


def _outline(definition: OperationDefinitionNode | FragmentDefinitionNode) -> Shape:
    """Measure one definition by itself and note where it uses fragments."""
    shape = Shape(directives=len(definition.directives or ()))
    shape.directives += sum(len(variable.directives or ()) for variable in definition.variable_definitions or ())
    names: Counter[str] = Counter()
    stack: list[tuple[SelectionSetNode, int, int, bool, Counter[str]]] = [(definition.selection_set, 0, 1, False, names)]
    while stack:
        selection_set, depth, nesting, introspection, names = stack.pop()
        shape.nesting = max(shape.nesting, nesting)
        for node in selection_set.selections:
            shape.directives += len(node.directives or ())
            if isinstance(node, FieldNode):
                _count_field(shape, node, depth + 1, introspection=introspection, names=names)
                if node.selection_set is not None:
                    inside = introspection or node.name.value in _INTROSPECTION
                    # `__schema` itself is the first level of introspection, wherever a fragment put it.
                    below = 1 if inside and not introspection else depth + 1
                    stack.append((node.selection_set, below, nesting + 1, inside, Counter()))
            elif isinstance(node, FragmentSpreadNode):
                shape.spreads.append(_Spread(node.name.value, depth, nesting, introspection))
            elif isinstance(node, InlineFragmentNode):
                stack.append((node.selection_set, depth, nesting + 1, introspection, names))
    return shape


def _count_field(shape: Shape, node: FieldNode, depth: int, *, introspection: bool, names: Counter[str]) -> None:
    if introspection:
        shape.introspection_depth = max(shape.introspection_depth, depth)
    else:
        shape.depth = max(shape.depth, depth)
    if node.alias is not None:
        shape.aliases += 1
    if depth == 1 and not introspection:
        shape.root_fields += 1
    response_name = node.alias.value if node.alias else node.name.value
    names[response_name] += 1
    shape.repeats = max(shape.repeats, names[response_name])


def _add_fragments(shape: Shape, finished: Mapping[str, Shape]) -> None:
    for spread in shape.spreads:
        fragment = finished.get(spread.name)
        if fragment is None:
            continue
        shape.nesting = max(shape.nesting, spread.nesting + fragment.nesting)
        shape.aliases += fragment.aliases
        if spread.introspection:
            shape.introspection_depth = max(shape.introspection_depth, spread.depth + fragment.depth)
            continue
        shape.depth = max(shape.depth, spread.depth + fragment.depth)
        shape.introspection_depth = max(shape.introspection_depth, fragment.introspection_depth)
        if spread.depth == 0:
            shape.root_fields += fragment.root_fields


def _leaves_first(fragments: Mapping[str, Shape]) -> Iterator[str]:
    """Yield every fragment after those it uses."""
    seen: set[str] = set()
    for start in fragments:
        if start in seen:
            continue
        seen.add(start)
        path = [(start, iter(fragments[start].spreads))]
        while path:
            name, spreads = path[-1]
            used = next((spread.name for spread in spreads if spread.name in fragments and spread.name not in seen), None)
            if used is None:
                path.pop()
                yield name
            else:
                seen.add(used)
                path.append((used, iter(fragments[used].spreads)))
