from collections.abc import Sequence

from resolvers.loaders.base import RefLoader
from vendors.capabilities import ById, ReadsOpportunities, supported
from vendors.model import Opportunity
from vendors.registry import Crm


class OpportunitiesByRef(RefLoader[Opportunity]):
    record_name = "Opportunity"

    async def read(self, crm: Crm, ids: Sequence[str]) -> ById[Opportunity]:
        client = supported(crm.client, ReadsOpportunities, crm=crm.key, what="read opportunities by id")
        return await client.opportunities_by_ids(ids, self._context.selection)
