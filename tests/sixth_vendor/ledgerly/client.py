from collections.abc import Sequence

from vendors.auth import FixedAccess
from vendors.capabilities import ById, EntityCheck, Page, PageRequest, Row
from vendors.errors import VendorError
from vendors.http import Request
from vendors.ledgerly import mapping, wire
from vendors.ledgerly.settings import Settings
from vendors.limiting import Limits
from vendors.model import Opportunity, Selection
from vendors.paging import in_chunks, lost
from vendors.query import NOTHING, Condition, Pushdown, Sort
from vendors.registry import Link
from vendors.wire import Decoded


class Client:
    def __init__(self, link: Link, settings: Settings) -> None:
        self._crm = link.crm
        self._http = link.http(auth=FixedAccess(settings.base_url, {"X-Key": settings.api_key}), limits=Limits(max_concurrent=8))

    def opportunities_pushdown(self, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:
        return NOTHING

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        answer = await self._deals(("limit", str(request.size)), ("after", request.position or "0"))
        rows = [Row(mapping.opportunity_from_wire(self._crm, row), row.id) for row in answer.value.deals]
        return Page(rows=rows, has_more=answer.value.more, position=rows[-1].position if rows else None, dropped=len(answer.dropped))

    async def opportunities_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:
        async def read(chunk: Sequence[str]) -> ById[Opportunity]:
            answer = await self._deals(("ids", ",".join(chunk)))
            found = {row.id: mapping.opportunity_from_wire(self._crm, row) for row in answer.value.deals}
            return {**found, **lost(chunk, found, len(answer.dropped), crm=self._crm, operation="deals")}

        return await in_chunks(ids, 50, read)

    async def check(self) -> Sequence[EntityCheck]:
        try:
            await self._deals(("limit", "1"), ("after", "0"))
        except VendorError as error:
            return [EntityCheck(entity="deals", error=error)]
        return [EntityCheck(entity="deals", error=None)]

    async def _deals(self, *params: tuple[str, str]) -> Decoded[wire.Deals]:
        request = Request(operation="deals", path="deals", params=params)
        return wire.DEALS.read(self._http, request, await self._http.send(request))
