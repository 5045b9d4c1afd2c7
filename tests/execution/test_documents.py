"""Documents are parsed and validated once, and keep within their bounds."""

import gc
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import strawberry
from graphql import DocumentNode, GraphQLError, parse
from strawberry.extensions import SchemaExtension
from strawberry.schema import schema as strawberry_schema
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionResult

from server.bounded import BoundedCache
from server.execution.documents import document_cache
from server.limits import Limits, extension, operation_extensions


@strawberry.type
class Query:
    @strawberry.field
    def rows(self, first: int = 1) -> list["Row"]:
        return [Row(name="a")] * first


@strawberry.type
class Row:
    name: str


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int]:
        for number in range(to):
            yield number


class Work:
    """Counts how often a text is parsed and a document is validated."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parsed: list[str] = []
        self.validated = 0
        validate = strawberry_schema.validate_document

        def counted_parse(text: str, **options: Any) -> Any:
            self.parsed.append(text)
            return parse(text, **options)

        def counted_validate(*args: Any) -> Any:
            self.validated += 1
            return validate(*args)

        monkeypatch.setattr(strawberry_schema, "parse", counted_parse)
        monkeypatch.setattr(strawberry_schema, "validate_document", counted_validate)
        monkeypatch.setattr(extension, "validate_document", counted_validate)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


def schema_of(*extensions: Any) -> strawberry.Schema:
    return strawberry.Schema(Query, subscription=Subscription, extensions=extensions)


async def messages(schema: strawberry.Schema, text: str, **variables: Any) -> list[str]:
    result = await schema.execute(text, variable_values=variables)
    assert isinstance(result, ExecutionResult)
    return [error.message for error in result.errors or ()]


async def test_a_known_document_is_neither_parsed_nor_validated_again(work: Work) -> None:
    schema = schema_of(document_cache())

    for _ in range(3):
        assert await messages(schema, "{ rows { name } }") == []

    assert len(work.parsed) == 1
    assert work.validated == 1


async def test_an_invalid_document_is_refused_every_time(work: Work) -> None:
    schema = schema_of(document_cache(), *operation_extensions(Limits(), clock=time.monotonic))

    first = await messages(schema, "{ rows { nonsense } }")
    second = await messages(schema, "{ rows { nonsense } }")

    assert first == second != []
    assert work.validated == 2


async def test_a_syntax_error_is_one_every_time() -> None:
    schema = schema_of(document_cache())

    assert await messages(schema, "{ rows {") == await messages(schema, "{ rows {") != []


async def test_schemas_share_no_documents(work: Work) -> None:
    text = "{ rows { name } }"

    await messages(schema_of(document_cache()), text)
    await messages(schema_of(document_cache()), text)

    assert len(work.parsed) == 2


async def test_the_shape_of_a_document_is_measured_once_and_its_cost_every_time(work: Work) -> None:
    schema = schema_of(document_cache(), *operation_extensions(Limits(max_cost=50), clock=time.monotonic))
    text = "query($n: Int!) { rows(first: $n) { name } }"

    assert await messages(schema, text, n=10) == []
    assert "cost" in (await messages(schema, text, n=1_000))[0]
    assert await messages(schema, text, n=20) == []

    assert len(work.parsed) == 1
    assert work.validated == 1


async def test_a_document_too_dear_at_first_is_still_judged_by_its_variables(work: Work) -> None:
    schema = schema_of(document_cache(), *operation_extensions(Limits(max_cost=50), clock=time.monotonic))
    text = "query($n: Int!) { rows(first: $n) { name } }"

    assert "cost" in (await messages(schema, text, n=1_000))[0]
    assert await messages(schema, text, n=10) == []
    assert await messages(schema, text, n=11) == []

    assert len(work.parsed) == 2


async def test_a_document_beyond_the_limits_of_shape_is_never_kept() -> None:
    schema = schema_of(document_cache(), *operation_extensions(Limits(max_aliases=1), clock=time.monotonic))
    text = "{ a: rows { name } b: rows { name } }"

    for _ in range(2):
        assert "aliases" in (await messages(schema, text))[0]


async def test_a_known_document_with_several_operations_still_needs_a_name() -> None:
    schema = schema_of(document_cache(), *operation_extensions(Limits(), clock=time.monotonic))
    text = "query a { rows { name } } query b { rows { name } }"

    named = await schema.execute(text, operation_name="b")
    unnamed = await schema.execute(text)

    assert isinstance(named, ExecutionResult)
    assert isinstance(unnamed, ExecutionResult)
    assert named.errors is None
    assert "operationName" in (unnamed.errors or [])[0].message


async def test_an_operation_of_a_kind_that_is_not_allowed_stays_refused() -> None:
    schema = schema_of(document_cache())
    assert await messages(schema, "{ rows { name } }") == []

    with pytest.raises(InvalidOperationTypeError):
        await schema.execute("{ rows { name } }", allowed_operation_types=[])


async def test_streams_use_the_same_documents(work: Work) -> None:
    schema = schema_of(document_cache(), *operation_extensions(Limits(), clock=time.monotonic))

    for _ in range(3):
        stream = await schema.stream("subscription { count(to: 2) }")
        assert [getattr(result, "data", None) async for result in stream] == [{"count": 0}, {"count": 1}]

    assert len(work.parsed) == 1
    assert work.validated == 1


async def test_many_documents_leave_few_behind() -> None:
    schema = schema_of(document_cache(max_documents=20, max_characters=10_000))
    before = documents_alive()

    for number in range(400):
        assert await messages(schema, f"{{ rows {{ n{number}: name }} }}") == []

    assert documents_alive() - before <= 21  # the last one is still in the hands of whoever asked


def test_ten_thousand_texts_stay_within_both_bounds() -> None:
    cache: BoundedCache[str, int] = BoundedCache(max_items=100, max_weight=1_000, weigh=lambda text, _: len(text))

    for number in range(10_000):
        cache.put("x" * (number % 50) + str(number), number)
        assert len(cache) <= 100
        assert cache.weight <= 1_000

    assert cache.get("x" * 49 + "9999") == 9_999
    assert cache.get("0") is None


def test_what_is_used_stays_and_what_is_dropped_weighs_nothing() -> None:
    cache: BoundedCache[str, str] = BoundedCache(max_items=2, max_weight=1_000, weigh=lambda _, value: len(value))
    cache.put("a", "1")
    cache.put("b", "22")
    cache.get("a")

    cache.put("c", "333")
    cache.put("c", "4444")

    assert (cache.get("a"), cache.get("b"), cache.get("c")) == ("1", None, "4444")
    assert cache.weight == 5
    cache.drop("c")
    cache.drop("c")
    assert cache.weight == 1


def documents_alive() -> int:
    gc.collect()
    return sum(isinstance(thing, DocumentNode) for thing in gc.get_objects())


async def test_a_huge_document_is_not_kept_and_drives_none_out(work: Work) -> None:
    schema = schema_of(document_cache(max_documents=20, max_characters=1_000))
    small = "{ rows { name } }"
    huge = "{ rows { " + "name " * 50 + "} }"

    await messages(schema, small)
    await messages(schema, huge)
    await messages(schema, huge)
    await messages(schema, small)

    assert work.parsed == [small, huge, huge]


class Refusing(SchemaExtension):
    """Finds fault with every document after it was validated."""

    def on_validate(self) -> Any:
        yield
        self.execution_context.pre_execution_errors = [GraphQLError("not today")]


async def test_a_document_that_another_extension_refuses_is_not_kept(work: Work) -> None:
    schema = schema_of(document_cache(), Refusing)

    for _ in range(2):
        await messages(schema, "{ rows { name } }")

    assert len(work.parsed) == 2


async def test_subscribers_of_a_document_share_it() -> None:
    schema = schema_of(document_cache())
    text = "subscription Shared { count(to: 2) }"
    streams = [await schema.stream(text) for _ in range(5)]

    for stream in streams:
        await anext(stream)

    gc.collect()
    alive = [node for node in gc.get_objects() if isinstance(node, DocumentNode) and node.loc is not None and node.loc.source.body == text]
    assert len(alive) == 1
    for stream in streams:
        await stream.aclose()
