"""What was seen of opportunities: what is asked for in one tick, of whatever Crms, takes one reading of the log."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiodataloader import DataLoader

from resolvers.changes import ChangeEvent, Changes
from vendors.model import Ref

if TYPE_CHECKING:
    import asyncio

    from resolvers.context import Context


class MovesByOpportunity:
    """Loads the last moves of opportunities, oldest first; None where nobody watches."""

    def __init__(self, context: "Context") -> None:
        self._context = context
        self._by_number: dict[int, _LastMoves] = {}

    def load(self, ref: Ref, last: int) -> "asyncio.Future[Sequence[ChangeEvent]] | None":
        if self._context.changes is None:
            return None
        if last not in self._by_number:
            self._by_number[last] = _LastMoves(self._context, self._context.changes, last)
        return self._by_number[last].load(ref)


class _LastMoves(DataLoader[Ref, Sequence[ChangeEvent]]):
    def __init__(self, context: "Context", changes: Changes, last: int) -> None:
        super().__init__()
        self._context = context
        self._changes = changes
        self._last = last

    async def batch_load_fn(self, keys: list[Ref]) -> list[Sequence[ChangeEvent]]:
        self._context.loaders.note_batch()
        found = await self._changes.of_opportunities(keys, self._last)
        return [found.get(ref, ()) for ref in keys]
