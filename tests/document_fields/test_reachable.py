"""Every field that a vendor's documents list is in the graph, and a query brings its value from the vendor."""

from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import pytest
from graphql import GraphQLNamedType, GraphQLObjectType, GraphQLSchema, get_named_type

from server.context import ContextMaker
from server.cursors import SignedCursors
from server.schema import build_schema
from tests.document_fields.documents import DOCUMENTED, Entity, entities_of, settings_of
from tests.playground import Playground, playground
from vendors.registry import all_sandboxes, all_vendors

SHOWN = [entity for vendor in DOCUMENTED if vendor in all_vendors() for entity in entities_of(vendor) if any(entity.shown())]
PLAYED = [entity for entity in SHOWN if entity.vendor in all_sandboxes()]

_DEALS = "opportunities"
# How to come to records of a type: all of those that opportunities lead to.
_WAYS = {
    "Opportunity": [_DEALS, "nodes"],
    "Account": [_DEALS, "nodes", "accounts"],
    "Contact": [_DEALS, "nodes", "contacts"],
    "User": [_DEALS, "nodes", "owner"],
    "Pipeline": ["pipelines"],
    "Stage": ["pipelines", "stages"],
    "CustomFieldDefinition": ["crms", "customFieldDefinitions"],
}


@cache
def schema() -> Any:
    return build_schema()


def test_every_document_belongs_to_a_vendor() -> None:
    assert DOCUMENTED == ["apideck", "autotask", "onlyoffice", "pipeliner", "sharpspring"]


@pytest.mark.parametrize("vendor", DOCUMENTED)
def test_the_fields_of_a_document_are_complete_and_told_once(vendor: str) -> None:
    entities = entities_of(vendor)

    assert len({entity.name for entity in entities}) == len(entities)
    for entity in entities:
        names = [field.name for field in entity.fields]
        assert entity.source
        assert names == sorted(set(names))
        assert len(names) == entity.count
        for field in entity.fields:
            assert (field.path is None) == field.input, field.name
            assert field.path is not None or field.always_null is None, field.name


@pytest.mark.parametrize("entity", SHOWN, ids=lambda entity: f"{entity.vendor}-{entity.name}")
def test_the_graph_has_a_place_for_every_field(entity: Entity) -> None:
    core: GraphQLSchema = schema()._schema  # it has no public name

    missing = [field.path for field, steps in entity.shown() if _kind_at(core, steps) is None]
    assert not missing


@pytest.mark.parametrize("entity", PLAYED, ids=lambda entity: f"{entity.vendor}-{entity.name}")
async def test_a_query_brings_every_field_from_the_vendor(entity: Entity) -> None:
    core: GraphQLSchema = schema()._schema
    async with playground(entity.vendor, settings=settings_of(entity.vendor)) as ground:
        filled = {field.name: await _is_filled(ground, core, steps) for field, steps in entity.shown() if _kind_at(core, steps)}

    unfilled = [name for name, is_filled in filled.items() if not is_filled]
    assert unfilled == [field.name for field, _ in entity.shown() if field.always_null], f"never filled: {unfilled}"


def _kind_at(core: GraphQLSchema, steps: list[str]) -> GraphQLNamedType | None:
    """The type of the field at the end of a path; None when there is no such field."""
    kind: GraphQLNamedType = core.type_map[steps[0]]
    for step in steps[1:]:
        if not isinstance(kind, GraphQLObjectType) or step not in kind.fields:
            return None
        kind = cast("GraphQLNamedType", get_named_type(kind.fields[step].type))
    return kind


async def _is_filled(ground: Playground, core: GraphQLSchema, steps: list[str]) -> bool:
    """Whether any record has a value there, read by a query for just that."""
    way = [*_WAYS[steps[0]], *steps[1:]]
    make = ContextMaker({ground.crm.key: ground.crm}, SignedCursors(b"a key that only tests have"))
    after: str | None = None
    while True:
        answer = await schema().execute(_query(way, _kind_at(core, steps)), {"after": after}, context_value=make())
        assert answer.data is not None, answer.errors
        if any(value is not None for value in _values(answer.data, way)):
            return True
        page: dict[str, Any] | None = answer.data[_DEALS]["pageInfo"] if way[0] == _DEALS else None
        if page is None or not page["hasNextPage"]:
            return False
        after = page["endCursor"]


def _query(way: list[str], kind: GraphQLNamedType | None) -> str:
    selection = "{ __typename }" if isinstance(kind, GraphQLObjectType) else ""
    for step in reversed(way[1:]):
        selection = f"{{ {step} {selection} }}"
    if way[0] != _DEALS:
        return f"{{ {way[0]} {selection} }}"
    rest = selection.removeprefix("{ ").removesuffix(" }")
    return f"query($after: String) {{ {_DEALS}(first: 20, after: $after) {{ pageInfo {{ hasNextPage endCursor }} {rest} }} }}"


def _values(data: Any, way: list[str]) -> Iterator[Any]:
    """All values at the end of a way, through lists and past nulls."""
    if isinstance(data, list):
        items: list[Any] = data  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
        for item in items:
            yield from _values(item, way)
    elif not way:
        yield data
    elif data is not None:
        yield from _values(data[way[0]], way[1:])
