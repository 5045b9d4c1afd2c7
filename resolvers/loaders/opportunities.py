from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from resolvers.loaders.base import RefLoader
from vendors.capabilities import ById, ReadsOpportunities, supported
from vendors.model import Opportunity
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context


class OpportunitiesByRef(RefLoader[Opportunity]):
    record_name = "Opportunity"

    @staticmethod
    def read(context: "Context", crm: Crm, ids: Sequence[str]) -> Awaitable[ById[Opportunity]]:
        client = supported(crm.client, ReadsOpportunities, crm=crm.key, what="read opportunities by id")
        return client.opportunities_by_ids(ids, context.selection)
