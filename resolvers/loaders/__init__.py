"""All loaders of one operation."""

import asyncio
from typing import TYPE_CHECKING

from resolvers.loaders.accounts import AccountsByRef
from resolvers.loaders.contacts import ContactsByRef
from resolvers.loaders.history import MovesByOpportunity
from resolvers.loaders.level import BatchTasks
from resolvers.loaders.links import LinksByOpportunity
from resolvers.loaders.opportunities import OpportunitiesByRef
from resolvers.loaders.pipelines import PipelinesByRef, StagesByRef
from resolvers.loaders.users import UsersByRef
from vendors.values import cached_property

if TYPE_CHECKING:
    from resolvers.context import Context
    from vendors.capabilities import Seeds
    from vendors.model import Ref


class Loaders:
    """The loaders of one operation, made when first asked for.

    Args:
        context: The operation.
        has_ended: Whether it has ended, so that no batch is begun any more.

    Attributes:
        tasks: What reads for the operation, in whatever loader.
    """

    def __init__(self, context: "Context", *, has_ended: bool = False) -> None:
        self._context = context
        self.tasks = BatchTasks(has_ended=has_ended)

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running event loop, which it takes a call of the system to find."""
        return asyncio.get_running_loop()

    @cached_property
    def opportunities_by_ref(self) -> OpportunitiesByRef:
        return OpportunitiesByRef(self._context, self.tasks, self.loop)

    @cached_property
    def users_by_ref(self) -> UsersByRef:
        return UsersByRef(self._context, self.tasks, self.loop)

    @cached_property
    def accounts_by_ref(self) -> AccountsByRef:
        return AccountsByRef(self._context, self.tasks, self.loop)

    @cached_property
    def contacts_by_ref(self) -> ContactsByRef:
        return ContactsByRef(self._context, self.tasks, self.loop)

    @cached_property
    def pipelines_by_ref(self) -> PipelinesByRef:
        return PipelinesByRef(self._context, self.tasks, self.loop)

    @cached_property
    def stages_by_ref(self) -> StagesByRef:
        return StagesByRef(self._context, self.tasks, self.loop)

    @cached_property
    def links_by_opportunity(self) -> LinksByOpportunity:
        return LinksByOpportunity(self._context, self.tasks, self.loop)

    @cached_property
    def moves_by_opportunity(self) -> MovesByOpportunity:
        return MovesByOpportunity(self._context, self.tasks, self.loop)

    def forget(self, ref: "Ref") -> None:
        """Drop what was read of a record, because it has changed."""
        for loader in (self.opportunities_by_ref, self.accounts_by_ref, self.contacts_by_ref):
            loader.forget(ref)

    def seed(self, seeds: "Seeds | None") -> None:
        """Keep records that another reply held, as far as they hold what the operation reads."""
        if seeds is None:
            return
        if seeds.users:
            self.users_by_ref.seed_all(seeds.users)
        if seeds.accounts:
            self.accounts_by_ref.seed_all(seeds.accounts)
        if seeds.contacts:
            self.contacts_by_ref.seed_all(seeds.contacts)

    def end(self) -> None:
        """Cancel the batches that are under way, and let no other begin."""
        self.tasks.end()
