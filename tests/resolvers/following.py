"""The graph over Crms that are really watched, followed as a client follows it."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from strawberry.types import ExecutionResult

from resolvers.context import Context
from resolvers.node_id import encode
from server.changes.settings import ChangeSettings
from server.limits import Limits, operation_extensions
from server.schema import build_schema
from tests.resolvers.graph import until
from tests.server.changes.watchtower import Tower, tower
from vendors.model import Ref
from vendors.sandbox_board import DealState


@dataclass(slots=True)
class Stream:
    """One subscription, and the context that its events are shown with."""

    results: AsyncGenerator[ExecutionResult, None]
    context: Context

    async def next(self) -> ExecutionResult:
        """The next answer, whether there are errors in it or not."""
        async with asyncio.timeout(60):
            return await anext(self.results)

    async def event(self) -> dict[str, Any]:
        """The next event, which must have no errors."""
        result = await self.next()
        assert result.errors is None, result.errors
        assert result.data is not None
        (event,) = result.data.values()
        return dict(event)

    async def waiting(self) -> "asyncio.Task[dict[str, Any]]":
        """Wait for the next event in a task of its own; it has begun to wait when this returns."""
        waiting = asyncio.create_task(self.event())
        await asyncio.sleep(0)
        return waiting

    async def has_ended(self) -> bool:
        async with asyncio.timeout(60):
            return await anext(self.results, None) is None


class WatchedGraph:
    """The graph over Crms that are watched, and what a test does behind its back."""

    def __init__(self, tower: Tower) -> None:
        self.tower = tower
        self._schema = build_schema(operation_extensions(Limits(), clock=time.monotonic))
        self._random = Random(11)  # noqa: S311  # keeps no secret

    async def answer(self, query: str, **variables: object) -> ExecutionResult:
        """Run an operation with a context of its own."""
        return await self.answer_with(self.tower.make_context(), query, **variables)

    async def answer_with(self, context: Context, query: str, **variables: object) -> ExecutionResult:
        result = await self._schema.execute(query, variable_values=variables, context_value=context)
        assert isinstance(result, ExecutionResult)
        return result

    async def data(self, query: str, **variables: object) -> dict[str, Any]:
        """The data of an operation that must not fail anywhere."""
        result = await self.answer(query, **variables)
        assert result.errors is None, result.errors
        assert result.data is not None
        return result.data

    @asynccontextmanager
    async def following(self, query: str, *, resume_after: str | None = None, **variables: Any) -> AsyncGenerator[Stream, None]:
        """Subscribe for as long as the block lasts."""
        context = self.tower.make_context()
        context.resume_after = resume_after
        results: Any = await self._schema.subscribe(query, variable_values=variables, context_value=context)
        try:
            yield Stream(results, context)
        finally:
            await results.aclose()

    async def refusal(self, query: str, *, resume_after: str | None = None, **variables: Any) -> dict[str, Any]:
        """The `extensions` of the one error that a subscription is refused with, after which it is over; and its `message`."""
        async with self.following(query, resume_after=resume_after, **variables) as stream:
            result = await stream.next()
            assert result.data is None
            assert result.errors is not None
            (error,) = result.errors
            assert await stream.has_ended()
            return {**(error.extensions or {}), "message": error.message}

    async def replayed(self, query: str, *, after: str, **filter_: Any) -> list[dict[str, Any]]:
        """The events behind a cursor that are told before the stream waits for what is to come."""
        told: list[dict[str, Any]] = []
        async with self.following(query, after=after, **filter_) as stream:
            while True:
                waiting = await stream.waiting()
                await until(partial(self._has_come_or_waits, waiting))
                if not waiting.done():
                    waiting.cancel()
                    await asyncio.wait([waiting])
                    return told
                told.append(waiting.result())

    def _has_come_or_waits(self, event: "asyncio.Task[dict[str, Any]]") -> bool:
        return event.done() or self.tower.service.broker.subscribers > 0

    def move(self, crm: str, *, deal: str | None = None) -> tuple[str, DealState, DealState]:
        """Move a deal in the vendor's own product; give its id, and where it was and is."""
        board = self.tower.board(crm)
        chosen = board.deals()[0] if deal is None else deal
        before = board.state(chosen)
        board.move(chosen, self._random)
        after = board.state(chosen)
        assert before is not None
        assert after is not None
        return chosen, before, after


@asynccontextmanager
async def watched_graph(folder: Path, *vendors: str, settings: ChangeSettings | None = None) -> AsyncGenerator[WatchedGraph, None]:
    """Watch the Crms of these vendors, each of which has been read once."""
    async with tower(folder, *vendors, settings=settings) as built:
        await built.settled()
        yield WatchedGraph(built)


def global_id(type_name: str, crm: str, local_id: str | None) -> str:
    assert local_id is not None
    return encode(type_name, Ref(crm, local_id))
