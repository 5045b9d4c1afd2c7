from collections.abc import Awaitable, Sequence

from resolvers.loaders.base import RefLoader
from vendors.capabilities import ById, ReadsOpportunities, supported
from vendors.model import Opportunity
from vendors.registry import Crm


class OpportunitiesByRef(RefLoader[Opportunity]):
    record_name = "Opportunity"

    def read(self, crm: Crm, ids: Sequence[str]) -> Awaitable[ById[Opportunity]]:
        client = supported(crm.client, ReadsOpportunities, crm=crm.key, what="read opportunities by id")
        return client.opportunities_by_ids(ids, self._context.selection)
