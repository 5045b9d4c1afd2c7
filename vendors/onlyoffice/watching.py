"""How a portal is watched: it pushes nothing, and tells of no record when it was changed, so that all are read again and compared.

Few keys of each are read, a thousand in a call, in the order of their ids. Ids are given once and ascend, whatever becomes of a record, so
that one that is moved, made or deleted between two pages cannot carry another one across their border. The vendor's default order is that
of the stages: there a moved record would be missed or come twice, and shift those behind it.
"""

from typing import Final

from vendors.changes import ChangeFacts, Watching
from vendors.model import Opportunity, OpportunityStatus

# Source: Community Server: no throttling in its source. Our choice: 120 readings an hour of up to ten pages, which are about 10,000
# opportunities; greater portals are read less often.
WATCHING: Final = Watching(sweep_seconds=30.0, calls_per_hour=1_200.0)
_CLOSED: Final = (OpportunityStatus.WON, OpportunityStatus.LOST)


def change_facts(record: Opportunity) -> ChangeFacts:
    """Tell when a record was closed; nothing tells when one was moved otherwise, nor who did it.

    Source: Community Server, CRMApi.Deals UpdateToDealMilestone: a move sets `actualCloseDate` to now, or to no date. UpdateDeal: an update
    of the whole record leaves it to whoever writes it; midnight is a day that somebody chose, and no moment.
    """
    return ChangeFacts(changed_at=record.closed_at if record.status in _CLOSED else None)
