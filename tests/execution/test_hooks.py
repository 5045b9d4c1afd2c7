"""Hooks run as Strawberry runs them: in the same order, with the same exceptions, whatever kind they are of."""

from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from typing import Any

import pytest
import strawberry
from strawberry.extensions import SchemaExtension
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types import ExecutionContext

from server.execution import HooksRunner

RUNNERS = [SchemaExtensionsRunner, HooksRunner]


@strawberry.type
class Query:
    @strawberry.field
    def value(self) -> int:
        return 1


def schema_of(runner: type[SchemaExtensionsRunner], *extensions: Callable[[], SchemaExtension]) -> strawberry.Schema:
    class Schema(strawberry.Schema):
        def create_extensions_runner(
            self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
        ) -> SchemaExtensionsRunner:
            return runner(execution_context, extensions)

        def process_errors(self, errors: list[Any], execution_context: Any = None) -> None:
            """Leave them to the test."""

    return Schema(Query, extensions=extensions)


def diary(
    told: list[str], name: str, *, fails_at: str = "", turns_errors: bool = False, plain_parse: bool = False
) -> type[SchemaExtension]:
    """An extension that writes down what it is called for, and how it goes on."""

    around = partial(_noted, told, name, fails_at=fails_at, turns_errors=turns_errors)

    class Diary(SchemaExtension):
        def on_operation(self) -> Generator[None]:
            yield from around("operation")

        def on_validate(self) -> Generator[None]:
            yield from around("validate")

        async def on_execute(self) -> AsyncGenerator[None]:
            for _ in around("execute"):
                yield

        def get_results(self) -> dict[str, Any]:
            return {name: len(told)}

    class WithFunction(Diary):
        def on_parse(self) -> None:  # type: ignore[override]  # Strawberry allows it
            told.append(f"{name} parse")

    return WithFunction if plain_parse else Diary


def _noted(told: list[str], name: str, stage: str, *, fails_at: str, turns_errors: bool) -> Generator[None]:
    told.append(f"{name} {stage}")
    if fails_at == stage:
        raise ValueError(f"{name} fails")
    try:
        yield
    except Exception as error:
        told.append(f"{name} {stage} saw {error}")
        if turns_errors:
            raise KeyError(f"turned by {name}") from error
        raise
    told.append(f"{name} {stage} over")


class Silent(SchemaExtension):
    """Has no hooks."""


@pytest.mark.parametrize("options", [{}, {"turns_errors": True}, {"plain_parse": True}])
@pytest.mark.parametrize("query", ["{ value }", "{ nothing }", "{", "query A { value } query B { value }"])
async def test_hooks_run_as_strawberry_runs_them(options: dict[str, Any], query: str) -> None:
    seen: list[Any] = []
    for runner in RUNNERS:
        told: list[str] = []
        schema = schema_of(runner, diary(told, "first", **options), Silent, diary(told, "second"))
        result = await schema.execute(query)
        seen.append((told, result.data, [error.message for error in result.errors or ()], result.extensions))

    assert seen[0] == seen[1]
    assert seen[0][0][:2] == ["first operation", "second operation"]


@pytest.mark.parametrize("turns_errors", [False, True])
async def test_an_exception_goes_through_the_hooks_from_the_last_to_the_first(*, turns_errors: bool) -> None:
    told: list[str] = []
    extensions = [diary(told, "first"), diary(told, "second", turns_errors=turns_errors), diary(told, "third", fails_at="validate")]

    result = await schema_of(HooksRunner, *extensions).execute("{ value }")

    saw = "'turned by second'" if turns_errors else "third fails"
    assert told[3:] == [
        *("first validate", "second validate", "third validate", "second validate saw third fails", f"first validate saw {saw}"),
        *(f"third operation saw {saw}", f"second operation saw {saw}", f"first operation saw {saw}"),
    ]
    assert result.data is None
    assert result.errors is not None


async def test_a_hook_that_yields_twice_is_a_mistake() -> None:
    class Twice(SchemaExtension):
        def on_operation(self) -> Generator[None]:
            yield
            yield

    result = await schema_of(HooksRunner, Twice).execute("{ value }")

    assert [error.message for error in result.errors or ()] == ["A hook of an extension yields once."]


async def test_an_answer_of_a_stream_has_its_hooks() -> None:
    told: list[Any] = []

    class Streams(SchemaExtension):
        def on_stream_result(self, result: Any) -> Generator[None]:
            told.append(result.data)
            yield

    stream = await schema_of(HooksRunner, Streams).stream("{ value }")
    async for _ in stream:
        pass

    assert told == [{"value": 1}]
