"""Accounts and contacts of opportunities whose own records do not tell them."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from resolvers.freshness import LINKS, keep_seeds
from resolvers.loaders.base import PerCrm
from resolvers.loaders.level import BatchTasks
from vendors.capabilities import ById, LinksOpportunities, OpportunityLinks, supported
from vendors.errors import VendorError
from vendors.model import Opportunity
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context


class LinksByOpportunity:
    """Loads links by opportunity, one call for each Crm and tick, and keeps the related records that came along."""

    def __init__(self, context: "Context", tasks: BatchTasks, loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._tasks = tasks
        self._loop = loop
        self._by_crm: dict[str, _LinksOfCrm] = {}

    def load(self, opportunity: Opportunity) -> "asyncio.Future[OpportunityLinks | None]":
        return self._of(opportunity).load_of(opportunity)

    def seed(self, opportunity: Opportunity, links: OpportunityLinks | None) -> None:
        """Keep links that hold at least what the operation reads of them."""
        self._of(opportunity).prime(opportunity.local_id, links)
        self._context.loaders.seed(None if links is None else links.seeds)

    def _of(self, opportunity: Opportunity) -> "_LinksOfCrm":
        crm = self._context.crms[opportunity.crm]
        loader = self._by_crm.get(crm.key)
        if loader is None:
            loader = self._by_crm[crm.key] = _LinksOfCrm(self._context, crm, self._tasks, self._loop)
        return loader


class _LinksOfCrm(PerCrm[OpportunityLinks]):
    def __init__(self, context: "Context", crm: Crm, tasks: BatchTasks, loop: asyncio.AbstractEventLoop) -> None:
        self._records: dict[str, Opportunity] = {}
        super().__init__(context, crm, LINKS, partial(_read, self._records), tasks=tasks, loop=loop)

    def load_of(self, opportunity: Opportunity) -> "asyncio.Future[OpportunityLinks | None]":
        self._records[opportunity.local_id] = opportunity
        return self.load(opportunity.local_id)


async def _read(records: Mapping[str, Opportunity], context: "Context", crm: Crm, ids: Sequence[str]) -> ById[OpportunityLinks]:
    client = supported(crm.client, LinksOpportunities, crm=crm.key, what="tell the contacts of opportunities")
    cache, selection = crm.cache, context.selection
    begun, revision = (0.0, 0) if cache is None else (cache.now(), cache.revision)
    links = await client.opportunity_links([records[local_id] for local_id in ids], selection)
    for found in links.values():
        if not isinstance(found, VendorError):
            context.loaders.seed(found.seeds)
            if context.freshness.max_age:
                keep_seeds(crm, found.seeds, selection, read_at=begun, revision=revision)
    return links
