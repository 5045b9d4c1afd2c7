"""What is around each event of a subscription: warnings of its own, loaders that end with it, and errors that are its own."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, ClassVar

import strawberry

from resolvers.answers import Answers
from resolvers.context import Context
from resolvers.event_execution import EventExecutor
from server.context import ContextMaker
from server.cursors import SignedCursors
from vendors.calls import warn

Info = strawberry.Info[Context, None]


@strawberry.type
class Event:
    number: int

    @strawberry.field
    def odd(self, info: Info) -> bool:
        if self.number == 1:
            warn("dach", "ODD", "Odd data.")
        return info.context.event_id == f"c{self.number}"

    @strawberry.field
    def child(self) -> "Event":
        return self

    @strawberry.field
    async def left_behind(self, info: Info) -> str:
        """Starts a batch that nobody waits for."""
        begun = asyncio.Event()

        async def batch() -> None:
            info.context.loaders.tasks.begin(asyncio.current_task())
            begun.set()
            await asyncio.Event().wait()

        LEFT_BEHIND.append(asyncio.ensure_future(batch()))
        await begun.wait()
        return "started"


LEFT_BEHIND: list["asyncio.Task[None]"] = []


@strawberry.type
class Query:
    nothing: str | None = None


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def events(self, info: Info) -> AsyncGenerator[Event]:
        for number in range(3):
            info.context.begin_event(f"c{number}")
            yield Event(number=number)


async def results_of(query: str, executor: type[EventExecutor] = EventExecutor) -> list[Any]:
    schema = strawberry.Schema(Query, subscription=Subscription, extensions=[Answers], execution_context_class=executor)
    context = ContextMaker({}, SignedCursors(b"a key that only tests have"))()
    return [result async for result in await schema.stream(query, context_value=context)]


async def test_a_warning_belongs_to_its_event() -> None:
    results = await results_of("subscription { events { odd } }")

    assert [result.data for result in results] == [{"events": {"odd": True}}] * 3
    assert [result.extensions for result in results[::2]] == [{}, {}]
    assert [warning["code"] for warning in results[1].extensions["warnings"]] == ["ODD"]


async def test_what_an_event_leaves_behind_ends_with_it() -> None:
    LEFT_BEHIND.clear()

    await results_of("subscription { events { leftBehind } }")
    await asyncio.wait(LEFT_BEHIND, timeout=60)

    assert [task.cancelled() for task in LEFT_BEHIND] == [True] * 3


class Counting(EventExecutor):
    """Tells how much each event's executor has noted of selections before it runs."""

    noted: ClassVar[list[int]] = []

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001  # graphql-core's signature
        self.noted.append(len(self._relevant_sub_fields))
        return super().execute_operation(serially)


async def test_events_leave_nothing_behind_for_those_after_them() -> None:
    await results_of("subscription { events { child { child { odd } } } }", Counting)

    assert Counting.noted == [0, 0, 0]
