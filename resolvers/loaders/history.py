"""What was seen of opportunities: what is asked for in one tick, of whatever Crms, takes one reading of the log."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from resolvers.changes import ChangeEvent, Changes
from resolvers.loaders.level import BatchTasks, LevelLoader
from vendors.model import Ref

if TYPE_CHECKING:
    from resolvers.context import Context


class MovesByOpportunity:
    """Loads the last moves of opportunities, oldest first; None where nobody watches."""

    def __init__(self, context: "Context", tasks: BatchTasks, loop: asyncio.AbstractEventLoop) -> None:
        self._changes = context.changes
        self._tasks = tasks
        self._loop = loop
        self._by_number: dict[int, _LastMoves] = {}

    def load(self, ref: Ref, last: int) -> "asyncio.Future[Sequence[ChangeEvent]] | None":
        if self._changes is None:
            return None
        if last not in self._by_number:
            self._by_number[last] = _LastMoves(self._changes, last, self._tasks, self._loop)
        return self._by_number[last].load(ref)


class _LastMoves(LevelLoader[Ref, Sequence[ChangeEvent]]):
    def __init__(self, changes: Changes, last: int, tasks: BatchTasks, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._changes = changes
        self._last = last
        self._tasks = tasks

    async def batch_load_fn(self, keys: list[Ref]) -> list[Sequence[ChangeEvent]]:
        self._tasks.begin(asyncio.current_task(self.loop))
        found = await self._changes.of_opportunities(keys, self._last)
        return [found.get(ref, ()) for ref in keys]
