"""What is read off objects only when they are shown: in whose name, and how often."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from bench.company import Reply, memory_of
from resolvers.relation import computed, relation
from resolvers.scalars import SCALARS
from server.execution.executor import executor_class
from server.execution.plans import Plans, Way
from tests.execution.both_ways import STOCK, Bench
from vendors import model
from vendors.errors import UnavailableError
from vendors.registry import Crm

SEEN: ContextVar[str] = ContextVar("SEEN", default="nothing")


class BeyondError(BaseException):
    """What is no mere exception."""


def cancelled(_: object) -> str:
    raise asyncio.CancelledError


def beyond(_: object) -> str:
    raise BeyondError


@strawberry.type
class Person:
    name: str
    seen: str = computed(lambda _: SEEN.get(), "What the context holds.")
    cancelled: str = computed(cancelled, "Nothing.")
    beyond: str = computed(beyond, "Nothing.")

    @classmethod
    def is_type_of(cls, value: object, info: object) -> bool:
        del info
        return isinstance(value, model.User)


@strawberry.type
class Deal:
    owner: Person | None = relation("Who cares for it.", loader="users_by_ref", key="owner_ref")

    @classmethod
    def is_type_of(cls, value: object, info: object) -> bool:
        del info
        return isinstance(value, model.Opportunity)


@pytest.fixture
def deals(bench: Bench) -> Bench:
    """The bench, with a graph of deals and of owners of whom nothing has to be resolved."""
    records = memory_of(bench.crms[0]).all_opportunities()

    @strawberry.type
    class Query:
        deals: Any = strawberry.field(resolver=lambda: records, graphql_type=list[Deal])

    schema = strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))
    bench.schema = schema._schema  # pyright: ignore[reportPrivateUsage]  # Strawberry has no public name for it
    return bench


async def test_what_is_shown_as_it_arrives_is_read_in_the_name_of_the_operation(deals: Bench) -> None:
    def setting(_: Crm) -> Reply:
        async def reply(operation: str, found: dict[str, Any]) -> dict[str, Any]:
            SEEN.set(f"what {operation} have set")
            return found

        return reply

    deals.reply = setting
    SEEN.set("what the operation has set")

    ours, way = await deals.same("{ deals { owner { seen } } }")

    assert way is Way.QUICK
    assert b"what the operation has set" in ours.data


@pytest.mark.parametrize("field", ["cancelled", "beyond"])
async def test_what_is_cancelled_as_it_arrives_ends_the_operation_and_no_other_one(field: str, deals: Bench) -> None:
    for executor in (STOCK, executor_class(deals.plans)):
        with pytest.raises(asyncio.CancelledError if field == "cancelled" else BeyondError):
            async with asyncio.timeout(5):
                await deals.outcome(f"{{ deals {{ owner {{ name {field} }} }} }}", executor)
        async with asyncio.timeout(5):
            after = await deals.outcome("{ deals { owner { name } } }", executor)
        assert b'"name": "User' in after.data
        assert not after.errors


async def test_what_a_crm_is_like_is_told_as_it_is_when_it_is_asked_for(bench: Bench) -> None:
    crm = bench.crms[0]

    def failing(_: Crm) -> Reply:
        crm.http.health.answered("pipelines")

        async def reply(operation: str, found: dict[str, Any]) -> dict[str, Any]:
            del found
            error = UnavailableError("It is down.", crm="a", operation=operation)
            crm.http.health.failed(error)
            raise error

        return reply

    bench.reply = failing

    ours, way = await bench.same('{ crm(key: "a") { health { code message circuit } pipelines { name } } }')

    assert way is Way.REPEATED
    assert b'"health": {"code": null, "message": null' in ours.data
    assert crm.http.health.error is not None


class Source:
    """Makes what it shows each time it is read, and counts that."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.made = 0
        self._make = make

    @property
    def shown(self) -> Any:
        made = self._make()
        self.made += 1
        return made


async def _text() -> str:
    return "there"


def _under_way() -> Any:
    return asyncio.ensure_future(_text())


@strawberry.type
class Leaf:
    shown: str | None
    computed: str | None = computed(lambda source: source.shown, "The same.")


@strawberry.type
class Branch:
    shown: Leaf | None


@pytest.mark.parametrize("make", [_text, _under_way])
@pytest.mark.parametrize("field", ["shown", "computed"])
async def test_a_leaf_that_has_to_be_awaited_is_made_once(field: str, make: Callable[[], Any]) -> None:
    @strawberry.type
    class Query:
        found: Any = strawberry.field(resolver=lambda: sources, graphql_type=list[Leaf])

    sources: list[Any] = []
    plans = Plans()
    schema = strawberry.Schema(Query, execution_context_class=executor_class(plans))

    for _ in range(3):  # the last one by the plan's code
        sources[:] = [Source(make) for _ in range(3)]
        result = await schema.execute(f"{{ found {{ {field} }} }}")
        assert result.errors is None
        assert result.data == {"found": [{field: "there"}] * 3}
        assert [source.made for source in sources] == [1, 1, 1]

    assert plans.gone == {Way.REPEATED: 3}


async def test_an_object_is_made_once_whatever_is_wrong_with_it() -> None:
    @strawberry.type
    class Query:
        found: Any = strawberry.field(resolver=lambda: sources, graphql_type=list[Branch])

    async def later() -> Source:
        return Source(lambda: "later")

    def made() -> Source:
        inner.append(Source(_text))
        return inner[-1]

    inner: list[Source] = []
    sources: list[Any] = []
    plans = Plans()
    schema = strawberry.Schema(Query, execution_context_class=executor_class(plans))

    for _ in range(3):
        inner.clear()
        sources[:] = [Source(made), Source(later), Source(lambda: None), Source(made)]
        result = await schema.execute("{ found { shown { shown } } }")
        assert result.errors is None
        assert result.data == {
            "found": [{"shown": {"shown": shown}} if shown else {"shown": None} for shown in ("there", "later", None, "there")]
        }
        assert [source.made for source in (*sources, *inner)] == [1] * 6

    assert plans.gone == {Way.REPEATED: 3}


async def test_what_is_of_several_types_is_shown_as_what_it_is() -> None:
    @strawberry.type
    class Text:
        text: str

    @strawberry.type
    class Number:
        number: int

    @strawberry.type
    class Holder:
        held: Text | Number | None

    @strawberry.type
    class Query:
        found: Any = strawberry.field(
            resolver=lambda: [Holder(held=Number(number=7)), Holder(held=Text(text="x")), Holder(held=None)], graphql_type=list[Holder]
        )

    plans = Plans()
    schema = strawberry.Schema(Query, execution_context_class=executor_class(plans))

    for _ in range(3):
        result = await schema.execute("{ found { held { __typename ... on Text { text } ... on Number { number } } } }")
        assert result.errors is None
        held = [{"__typename": "Number", "number": 7}, {"__typename": "Text", "text": "x"}, None]
        assert result.data == {"found": [{"held": of} for of in held]}

    assert plans.gone == {Way.QUICK: 3}


async def _number() -> int:
    return 7


async def _leaf() -> Source:
    return Source(lambda: "later")


def _bad() -> Any:
    raise ValueError("It is bad.")


def _one_thrice() -> list[Source]:
    return [Source(_text)] * 3


def _one_below_three() -> list[Source]:
    leaf = Source(_text)
    return [Source(lambda: leaf) for _ in range(3)]


@strawberry.type
class Numbers:
    shown: list[int | None] | None


ODD: dict[str, tuple[type, str, Callable[[], list[Source]]]] = {
    "one object at three places": (Leaf, "shown", _one_thrice),
    "one object below three others": (Branch, "shown { shown }", _one_below_three),
    "one that leads on at three places": (Branch, "shown { shown }", lambda: [Source(_leaf)] * 3),
    "a leaf before one that fails": (Leaf, "shown", lambda: [Source(_text), Source(_bad), Source(_text)]),
    "an object before one that fails": (Branch, "shown { shown }", lambda: [Source(_leaf), Source(_bad), Source(_leaf)]),
    "an item after one that is wrong": (Numbers, "shown", lambda: [Source(lambda: ["no number", _number()]), Source(lambda: [1])]),
}


@pytest.mark.parametrize(("kind", "selected", "make"), ODD.values(), ids=ODD)
async def test_what_is_awaited_is_made_as_often_as_graphql_core_makes_it(
    kind: type, selected: str, make: Callable[[], list[Source]]
) -> None:
    @strawberry.type
    class Query:
        found: Any = strawberry.field(resolver=lambda: sources, graphql_type=list[kind])  # type: ignore[valid-type]

    sources: list[Source] = []
    plans = Plans()
    seen: list[Any] = []
    stock, ours = (strawberry.Schema(Query, execution_context_class=of) for of in (STOCK, executor_class(plans)))

    for schema in (stock, ours, ours, ours):
        sources[:] = make()
        result = await schema.execute(f"{{ found {{ {selected} }} }}")
        seen.append((result.data, list(map(str, result.errors or ())), [source.made for source in sources]))

    assert seen[1:] == seen[:1] * 3
    assert plans.gone == {Way.REPEATED: 3}
