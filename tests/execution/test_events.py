"""Every event of a subscription goes the quick way too, within its scopes, by the plan of the operation."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import strawberry
from strawberry.extensions import SchemaExtension

from resolvers.event_execution import around_events
from server.execution import document_cache, executor_class
from server.execution.plans import Plans, Way


@strawberry.type
class Place:
    name: str


@strawberry.type
class Event:
    number: int
    place: Place
    maybe: Place | None = None


@strawberry.type
class Query:
    @strawberry.field
    def nothing(self) -> int:
        return 0


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def events(self, to: int) -> AsyncGenerator[Event]:
        for number in range(to):
            # The second one has a text where a number belongs.
            yield Event(number=number if number != 1 else "one", place=Place(name=f"p{number}"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Scopes(SchemaExtension):
    """Counts the events that it is around."""

    entered = 0

    def on_execute(self) -> Iterator[None]:
        with around_events(self._event):
            yield

    @asynccontextmanager
    async def _event(self) -> AsyncGenerator[None]:
        type(self).entered += 1
        yield


async def test_events_go_the_quick_way_and_a_faulty_one_is_told_as_always() -> None:
    plans = Plans()
    Scopes.entered = 0
    schema = strawberry.Schema(
        Query, subscription=Subscription, extensions=[document_cache(), Scopes], execution_context_class=executor_class(plans)
    )

    seen: list[Any] = []
    stream = await schema.stream("subscription { events(to: 4) { n: number place { name __typename } maybe { name } } }")
    async for result in stream:
        errors = [(error.message, error.path) for error in getattr(result, "errors", None) or ()]
        seen.append((getattr(result, "data", None), errors))

    assert [bool(errors) for _, errors in seen] == [False, True, False, False]
    assert seen[0][0] == {"events": {"n": 0, "place": {"name": "p0", "__typename": "Place"}, "maybe": None}}
    assert seen[1] == (None, [("Int cannot represent non-integer value: 'one'", ["events", "n"])])
    assert plans.gone == {Way.QUICK: 3, Way.REPEATED: 1}
    assert len(plans) == 1
    assert Scopes.entered == 4


async def test_an_operation_over_a_stream_goes_the_quick_way() -> None:
    plans = Plans()
    schema = strawberry.Schema(Query, execution_context_class=executor_class(plans))

    stream = await schema.stream("{ nothing }")

    assert [getattr(result, "data", None) async for result in stream] == [{"nothing": 0}]
    assert plans.gone == {Way.QUICK: 1}


def test_an_operation_that_waits_for_nothing_needs_no_event_loop() -> None:
    plans = Plans()
    schema = strawberry.Schema(Query, execution_context_class=executor_class(plans))

    result = schema.execute_sync("{ nothing again: nothing }")

    assert result.data == {"nothing": 0, "again": 0}
    assert plans.gone == {Way.QUICK: 1}
