"""Once something is wrong, graphql-core shows what was found level by level: as it would have found it, and as early."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, NewType

import pytest
import strawberry
from graphql import parse
from strawberry.schema.config import StrawberryConfig

from resolvers.relation import contextual
from server.execution.core import execute
from server.execution.executor import executor_class
from server.execution.plans import Plans, Way
from tests.execution.both_ways import STOCK

A_LONG_TIME = 300
"""Ticks that nobody has to wait."""


class Thing:
    """Has the attributes that it is given; a function is called each time it is asked for."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__["attributes"] = attributes

    def __getattr__(self, name: str) -> Any:
        try:
            value = self.attributes[name]
        except KeyError as missing:
            raise AttributeError(name) from missing
        return value() if callable(value) else value


class Shown:
    """A type whose values are things."""

    @classmethod
    def is_type_of(cls, value: object, info: object) -> bool:
        del info
        return isinstance(value, Thing)


@strawberry.type
class Part(Shown):
    number: int


@strawberry.type
class Whole(Shown):
    part: Part
    parts: list[Part]
    grid: list[list[Part]]
    called_part: Part = contextual(lambda whole, _: whole.part, "The same.")
    called_parts: list[Part] = contextual(lambda whole, _: whole.parts, "The same.")
    called_grid: list[list[Part]] = contextual(lambda whole, _: whole.grid, "The same.")


@strawberry.type
class Place(Shown):
    whole: Whole
    must: str = contextual(lambda place, _: place.must, "May not be null.")


Digits = NewType("Digits", object)


@strawberry.type
class Row(Shown):
    text: str = contextual(lambda row, _: row.text, "May not be null.")
    texts: list[str] = contextual(lambda row, _: row.texts, "May not be null, nor hold it.")
    part: Part = contextual(lambda row, _: row.part, "May not be null.")
    parts: list[Part] = contextual(lambda row, _: row.parts, "May not be null, nor hold it.")
    grid: list[list[Part]] = contextual(lambda row, _: row.grid, "May not be null, nor hold it.")
    slow: str | None = contextual(lambda row, _: row.slow, "Comes late.")
    digits: Digits
    title: str


async def both(found: Callable[[], Any], kind: Any, text: str) -> list[Any]:
    """What is shown of `found`, the stock way and then ours, and the errors of each."""

    @strawberry.type
    class Query:
        found_: Any = strawberry.field(resolver=found, graphql_type=kind, name="found")

        @strawberry.field
        def bad(self) -> str | None:
            raise ValueError("It is bad.")

    plans = Plans()
    config = StrawberryConfig(scalar_map={Digits: strawberry.scalar(name="Digits", serialize=list)})
    stock, ours = (strawberry.Schema(Query, config=config, execution_context_class=of) for of in (STOCK, executor_class(plans)))
    outcomes: list[Any] = []
    for schema in (stock, ours, ours, ours):  # level by level, and compiled
        result = await schema.execute(text)
        outcomes.append((result.data, sorted(map(str, result.errors or ()))))
        left = asyncio.all_tasks() - {asyncio.current_task()}  # graphql-core lets go on what it does not wait for
        for _ in range(5):  # a coroutine that has not begun would be complained of
            await asyncio.sleep(0)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    assert plans.gone == {Way.REPEATED: 3}
    return outcomes


def all_same(outcomes: list[Any]) -> bool:
    return all(outcome == outcomes[0] for outcome in outcomes)


def at_once(value: object) -> object:
    return value


async def awaited(value: object) -> object:
    await asyncio.sleep(0)
    return value


async def failing(ticks: int) -> object:
    for _ in range(ticks):
        await asyncio.sleep(0)
    raise ValueError(f"It is bad after {ticks}.")


async def items(values: list[Any]) -> AsyncIterator[object]:
    for value in values:
        yield value


def future(value: object) -> "asyncio.Future[object]":
    return asyncio.ensure_future(awaited(value))


LISTS: dict[str, Callable[[list[Any]], object]] = {
    "a coroutine": awaited,
    "a list of coroutines": lambda parts: list(map(awaited, parts)),
    "an iterator": iter,
    "an iterator that is awaited": lambda parts: awaited(iter(parts)),
    "an asynchronous iterator": items,
    "a future": future,
    "a future of an iterator": lambda parts: future(iter(parts)),
    "a future of a list of coroutines": lambda parts: future(list(map(awaited, parts))),
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("field", ["parts", "calledParts", "grid", "calledGrid"])
async def test_what_can_be_used_only_once_is_shown_at_each_place_of_its_object(kind: str, field: str) -> None:
    def whole() -> Thing:
        def parts() -> object:
            return LISTS[kind]([Thing(number=1), Thing(number=2)])

        return Thing(parts=parts, grid=lambda: [parts(), parts()])

    def found() -> Any:
        twice = whole()
        return [twice, whole(), twice]

    shows = f"found {{ shown: {field} {{ number }} }}"

    for text in (f"{{ bad {shows} }}", f"{{ {shows} bad }}"):
        outcomes = await both(found, list[Whole], text)
        assert all_same(outcomes)
        parts = [{"number": 1}, {"number": 2}]
        assert outcomes[0][0]["found"] == [{"shown": [parts] * 2 if "rid" in field else parts}] * 3


@pytest.mark.parametrize("field", ["part", "parts", "grid", "calledPart", "calledParts", "calledGrid"])
async def test_a_future_that_is_given_up_at_one_place_of_its_object_is_shown_at_another(field: str) -> None:
    def found() -> Any:
        def part() -> object:
            return asyncio.ensure_future(slowly(Thing(number=1)))

        whole = Thing(part=part, parts=lambda: [part()], grid=lambda: [[part()]])
        return [Thing(whole=whole, must=lambda: failing(3)), Thing(whole=whole, must="here")]

    async def slowly(value: object) -> object:
        for _ in range(12):
            await asyncio.sleep(0)
        return value

    outcomes = await both(found, list[Place | None], f"{{ found {{ whole {{ {field} {{ number }} }} must }} }}")

    assert all_same(outcomes)
    data, errors = outcomes[0]
    assert data["found"][0] is None
    assert data["found"][1]["must"] == "here"
    assert len(errors) == 1


WRONG: dict[tuple[str, str], list[Any]] = {
    ("text", ""): [None, 7.5j],
    ("texts", ""): [None, [None], "no list"],
    ("part", "{ number }"): [None, 3],
    ("parts", "{ number }"): [None, [None], [3]],
    ("parts", "{ __typename }"): [None, [None], [3]],
    ("grid", "{ number }"): [None, [None], [[None]], [[3]]],
}


@pytest.mark.parametrize("how", [at_once, awaited, future])
@pytest.mark.parametrize(("field", "selected", "wrong"), [(*shown, wrong) for shown, values in WRONG.items() for wrong in values])
async def test_nobody_waits_for_what_stands_beside_a_value_that_takes_it_away(
    field: str, selected: str, wrong: object, how: Callable[[object], object]
) -> None:
    ended: list[object] = []

    async def late() -> object:
        for _ in range(A_LONG_TIME):
            await asyncio.sleep(0)
        ended.append(late)
        raise ValueError("It is late.")

    def found() -> Any:
        return [Thing(**{field: lambda: how(wrong), "slow": late})]

    outcomes = await both(found, list[Row | None], f"{{ found {{ slow {field} {selected} }} }}")

    assert all_same(outcomes)
    data, errors = outcomes[0]
    assert data == {"found": [None]}
    assert len(errors) == 1
    assert not ended


@pytest.mark.parametrize("later", [4, 5, 6])
@pytest.mark.parametrize("selected", ["text slow", "slow text"])
async def test_what_fails_after_it_was_taken_away_is_no_error(selected: str, later: int) -> None:
    def found() -> Any:
        return [Thing(text=lambda: failing(5), slow=lambda: failing(5 + later))]

    outcomes = await both(found, list[Row | None], f"{{ found {{ {selected} }} }}")

    assert all_same(outcomes)
    data, errors = outcomes[0]
    assert data == {"found": [None]}
    assert len(errors) == 1


@pytest.mark.parametrize("selected", ["digits title", "title digits"])
async def test_a_scalar_that_goes_through_an_iterator_finds_it_whole(selected: str) -> None:
    def found() -> Any:
        return [Thing(digits=iter([1, 2]), title=title) for title in ("a", None)]

    outcomes = await both(found, list[Row | None], f"{{ found {{ {selected} }} }}")

    assert all_same(outcomes)
    assert outcomes[0][0] == {"found": [{"digits": [1, 2], "title": "a"}, None]}


@pytest.mark.parametrize("field", ["digits", "called", "late"])
async def test_a_scalar_of_ones_own_is_called_once_for_each_value(field: str) -> None:
    asked: list[object] = []

    def shown(value: object) -> object:
        asked.append(value)
        return str(value)

    Shown = NewType("Shown", object)

    @strawberry.type
    class Query:
        digits: Shown

        @strawberry.field
        def called(self) -> Shown:
            return Shown(2)

        @strawberry.field
        async def late(self) -> Shown:
            return Shown(3)

    plans = Plans()
    config = StrawberryConfig(scalar_map={Shown: strawberry.scalar(name="Shown", serialize=shown)})
    schema = strawberry.Schema(Query, config=config, execution_context_class=executor_class(plans))
    for _ in range(3):
        result = await schema.execute(f"{{ {field} }}", root_value=Thing(digits=1))
        assert result.errors is None

    assert len(asked) == plans.gone[Way.QUICK] == 3


async def test_what_fails_before_anybody_waits_is_told_to_who_waits_then() -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        async def slow(self) -> str | None:
            await asyncio.sleep(3600)
            return None

        @strawberry.field
        async def text(self) -> str:
            raise ValueError("It is bad.")

    schema: Any = strawberry.Schema(Query)
    running: Any = execute(schema._schema, parse("{ slow text }"), executor_class=executor_class())
    for _ in range(20):
        await asyncio.sleep(0)

    async with asyncio.timeout(5):
        result = await running

    assert result.data is None
    assert [error.message for error in result.errors] == ["It is bad."]
