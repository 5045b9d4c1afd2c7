import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import strawberry
from graphql import get_introspection_query, get_operation_ast, parse
from strawberry.extensions import SchemaExtension

from resolvers.kept import kept_with
from server.limits import Limits, cost, operation_extensions
from server.limits.cost import known_cost
from server.limits.shape import exceeded, measure
from tests.server.toy_graph import Query, serving, toy_schema

_SCHEMA = toy_schema()


def _cost(query: str, variables: Mapping[str, Any] | None = None) -> int:
    document = parse(query)
    operation = get_operation_ast(document, None)
    assert operation is not None
    return cost(document, operation, variables or {}, _SCHEMA._schema)  # pyright: ignore[reportPrivateUsage]


def _exceeded(query: str, **limits: int) -> list[str]:
    return [str((error.extensions or {})["limit"]) for error in exceeded(measure(parse(query)), Limits(**limits))]


def _nested(levels: int, *, page: str = "") -> str:
    inner = "name"
    for level in range(levels, 0, -1):
        inner = f"{'parents' if level % 2 == 0 else 'children'}{page}{{{inner}}}"
    return f"{{parent{{{inner}}}}}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{__typename echo(text:"x")}', 0),
        ("{parent{name}}", 1),
        ("{parent{children(first:5){name}}}", 6),
        ("{parent{children{name}}}", 21),
        ("{parent{children(first:5){parents{name}}}}", 1 + 5 * (1 + 3)),
        ("{parents(first:7){totalCount}}", 1),
        ("{parents(first:7){nodes{name}}}", 1 + 7),
        ("{parents(last:7){edges{node{name}}pageInfo{hasNextPage}}}", 1 + 1 + 7 * 2),
        ("{parents{nodes{name}}}", 1 + 10),
        ("{parents(first:7){edges{node{children(first:2){name}}}}}", 1 + 7 * (2 + 2)),
        ('{nodes(ids:["a","b","c"]){name}}', 3),
        ("{__schema{types{name}}}", 0),
    ],
)
def test_a_cost_counts_the_objects_of_the_answer(query: str, expected: int) -> None:
    assert _cost(query) == expected


def test_a_cost_that_is_kept_is_the_one_that_would_be_found() -> None:
    text = """query A($n: Int = 4, $ids: [ID!] = ["a"]) { parents(first: $n) { nodes { ...F } } nodes(ids: $ids) { name } }
    query B($n: Int) { parents(last: $n) { nodes { name } } }
    fragment F on Parent { ... on Parent { children(first: $n) { name } } }"""
    document = parse(text)
    schema = _SCHEMA._schema  # pyright: ignore[reportPrivateUsage]
    sizes: list[Any] = [1, 1.0, True, False, None, "1", [], ["a"], ["a", "b"], {}, 0, -3, 7, 100, 7.9]
    given = [{}, *({"n": size} for size in sizes), *({"ids": size} for size in sizes), *({"n": 3, "ids": size} for size in sizes)]
    expected: list[int] = []
    found: list[int] = []

    for name in ("A", "B"):
        operation = get_operation_ast(document, name)
        assert operation is not None
        for variables in given + given:
            expected.append(cost(parse(text), operation, variables, schema))
            found.append(known_cost(document, operation, variables, schema))

    assert found == expected
    assert len(set(expected)) > 10


def test_costs_are_kept_for_some_sizes_only() -> None:
    document = parse("query($n: Int) { parents(first: $n) { nodes { name } } }")
    operation = get_operation_ast(document, None)
    assert operation is not None
    schema = _SCHEMA._schema  # pyright: ignore[reportPrivateUsage]

    costs = [known_cost(document, operation, {"n": size}, schema) for size in range(1, 1_000)]

    assert costs == [1 + size for size in range(1, 1_000)]
    kept: dict[Any, int] = kept_with(document, schema)["costs", id(operation)]
    assert 0 < len(kept) < 100


def test_a_cost_reads_page_sizes_from_variables_and_their_defaults() -> None:
    query = "query($n: Int = 4){parents(first:$n){nodes{name}}}"

    assert _cost(query) == 1 + 4
    assert _cost(query, {"n": 9}) == 1 + 9
    assert _cost("query($ids:[ID!]!){nodes(ids:$ids){name}}", {"ids": ["a", "b"]}) == 2


def test_an_empty_page_still_counts_as_a_row() -> None:
    assert _cost("{parents(first:0){nodes{children(first:-5){name}}}}") == 1 + 1 * (1 + 1)


def test_a_page_size_that_is_null_or_nonsense_counts_as_the_assumed_size() -> None:
    query = "query($n: Int){parents(first:$n){nodes{name}}}"

    assert _cost(query, {"n": None}) == _cost(query, {"n": "many"}) == _cost(query) == 1 + 10


def test_a_fragment_costs_the_same_wherever_it_is_written() -> None:
    plain = _cost("{parents(first:7){edges{node{children(first:2){name}}}}}")

    spread = _cost(
        "{parents(first:7){...C}} fragment C on ParentConnection{edges{node{...P}}} fragment P on Parent{children(first:2){name}}"
    )
    inline = _cost("{parents(first:7){...{edges{node{... on Parent{children(first:2){name}}}}}}}")

    assert plain == spread == inline


def test_every_limit_of_the_shape_is_told_by_name() -> None:
    assert _exceeded("{parent{children{name}}}", max_depth=2) == ["max_depth"]
    assert _exceeded("{a:parent{name} b:parent{name}}", max_aliases=1) == ["max_aliases"]
    assert _exceeded('{parent{name} echo(text:"")}', max_root_fields=1) == ["max_root_fields"]
    assert _exceeded("{parent @skip(if:true) @include(if:true){name}}", max_directives=1) == ["max_directives"]
    assert _exceeded("{parent{name ...{name} name}}", max_repeats=2) == ["max_repeats"]
    assert _exceeded("{...F ...G} fragment F on Query{a} fragment G on Query{a}", max_fragments=1) == ["max_fragments"]
    assert _exceeded("{...{...{a}}}", max_nesting=2) == ["max_nesting"]
    assert _exceeded("{a:parent{name} b:parent{name}}", max_aliases=1, max_root_fields=1) == ["max_aliases", "max_root_fields"]


def test_fragments_count_as_if_written_out() -> None:
    shape = measure(parse("{...F x:parent{...P}} fragment F on Query{a:parent{...P} b:parent{...P}} fragment P on Parent{n:name m:name}"))

    assert (shape.root_fields, shape.aliases, shape.depth) == (3, 3 + 3 * 2, 2)


def test_a_fragment_bomb_is_measured_in_linear_time() -> None:
    bomb = (
        "{...F0}"
        + "".join(f"fragment F{n} on Query{{...F{n + 1} ...F{n + 1}}}" for n in range(90))
        + "fragment F90 on Query{x:parent{name}}"
    )

    shape = measure(parse(bomb))

    assert shape.aliases == 2**90
    (error, *_) = exceeded(shape, Limits(max_root_fields=2**100))
    assert error.extensions == {"code": "LIMIT_EXCEEDED", "limit": "max_aliases", "maximum": 60, "actual": 2**53 - 1}


async def test_a_number_beyond_all_bounds_is_still_told() -> None:
    query = "{parents(first:2147483647){nodes{" + "children(first:2147483647){parents(first:2147483647){" * 40 + "name" + "}}" * 40 + "}}}"

    result = await toy_schema(Limits(max_depth=200, max_nesting=200)).execute(query)

    (error,) = result.errors or []
    assert "costs far more" in error.message
    assert (error.extensions or {})["actual"] == 2**53 - 1


def test_fragments_in_a_circle_are_measured_without_hanging() -> None:
    shape = measure(
        parse("{...A} fragment A on Query{a:parent{name} ...B} fragment B on Query{b:parent{name} ...A} fragment C on Query{...C}")
    )

    assert shape.aliases >= 1


@pytest.mark.parametrize("depth", [9, 12])
def test_the_introspection_of_graphiql_passes(depth: int) -> None:
    query = get_introspection_query(
        descriptions=True, specified_by_url=True, schema_description=True, input_value_deprecation=True, type_depth=depth
    )

    assert _exceeded(query, max_depth=3) == []
    assert _cost(query) == 0


def test_introspection_has_a_depth_of_its_own() -> None:
    query = '{__type(name:"Query"){' + "ofType{" * 20 + "name" + "}" * 20 + "}}"

    assert _exceeded(query) == ["max_depth"]
    assert _exceeded("{...F} fragment F on Query{__schema{types{...T}}} fragment T on __Type{" + "ofType{" * 20 + "name" + "}" * 21) == [
        "max_depth"
    ]


async def test_a_query_nested_thirty_deep_through_two_lists_is_refused_before_anything_runs() -> None:
    query = _nested(29)

    async with serving() as server:
        reply = await server.ask(query)

    assert len(query) < 460
    assert (reply.status, reply.codes) == (400, ["LIMIT_EXCEEDED"])
    assert "data" not in reply.json
    assert server.journal.ran == []


async def test_the_same_query_is_refused_for_its_cost_where_depth_is_allowed() -> None:
    async with serving(limits=Limits(max_depth=100)) as server:
        reply = await server.ask(_nested(29))

    (error,) = reply.json["errors"]
    assert reply.status == 400
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "max_cost", "maximum": 100_000, "actual": 2**53 - 1}
    assert "fewer rows or fewer nested lists" in error["message"]
    assert server.journal.ran == []


async def test_a_cost_depends_on_the_variables_sent() -> None:
    query = "query($n:Int!){parents(first:$n){nodes{children(first:$n){name}}}}"

    async with serving(limits=Limits(max_cost=50)) as server:
        cheap = await server.ask(query, variables={"n": 5})
        dear = await server.ask(query, variables={"n": 50})

    assert cheap.status == 200
    assert dear.codes == ["LIMIT_EXCEEDED"]
    assert dear.json["errors"][0]["extensions"]["actual"] == 1 + 50 + 50 * 50


async def test_a_document_that_a_cache_knows_as_valid_is_still_counted() -> None:
    class Cache(SchemaExtension):
        def on_validate(self) -> Iterator[None]:
            self.execution_context.pre_execution_errors = []
            yield

    limits = operation_extensions(Limits(max_cost=50), clock=time.monotonic)
    schema = strawberry.Schema(Query, extensions=[Cache, *limits])

    refused = await schema.execute("{parents(first:100){nodes{name}}}")
    allowed = await schema.execute('{echo(text:"x")}')

    assert [(error.extensions or {})["limit"] for error in refused.errors or []] == ["max_cost"]
    assert allowed.data == {"echo": "x"}


async def test_too_many_tokens_are_refused_while_parsing() -> None:
    async with serving(limits=Limits(max_tokens=50)) as server:
        reply = await server.ask("{" + "parent{name}" * 20 + "}")

    assert reply.status == 400
    assert reply.json["errors"][0]["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "max_tokens", "maximum": 50}


async def test_all_exceeded_limits_are_told_at_once() -> None:
    async with serving(limits=Limits(max_aliases=1, max_root_fields=1)) as server:
        reply = await server.ask("{a:parent{name} b:parent{name}}")

    assert [error["extensions"]["limit"] for error in reply.json["errors"]] == ["max_aliases", "max_root_fields"]


@pytest.mark.parametrize(
    "query",
    [
        "{" + " ".join(f"a{n}:parent{{name}}" for n in range(1000)) + "}",
        "{parent{" + "children{name}" * 900 + "}}",
        "{parent{" + "...{children{name}}" * 500 + "}}",
        "{parent{"
        + "".join(f"...F{n} " for n in range(300))
        + "}}"
        + "".join(f"fragment F{n} on Parent{{children{{name}}}}" for n in range(300)),
        "{parent{name" + " @skip(if:false)" * 700 + "}}",
        "{parent{" + "...{" * 150 + "name" + "}" * 150 + "}}",
    ],
    ids=["aliases", "repeated fields", "inline fragments", "fragments", "directives", "nested fragments"],
)
async def test_documents_that_make_validation_slow_are_refused_before_it(query: str) -> None:
    async with serving() as server:
        reply = await server.ask(query)

    assert reply.status == 400
    assert set(reply.codes) == {"LIMIT_EXCEEDED"}


async def test_graphiql_can_read_the_schema() -> None:
    async with serving() as server:
        reply = await server.ask(get_introspection_query(input_value_deprecation=True), accept="application/json")

    assert reply.json["data"]["__schema"]["queryType"]["name"] == "Query"
    assert "errors" not in reply.json
