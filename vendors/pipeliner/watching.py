"""How a space is watched: what is asked for what has changed, how often, and what a changed record tells. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from vendors.capabilities import PageRequest
from vendors.changes import ChangeFacts, Watching
from vendors.model import Opportunity
from vendors.query import Condition, Field, Operator, Sort

# Not documented: the vendor publishes no limits. A poll is one call as a rule, a sweep one for every 100 opportunities; polls tell of
# deleted opportunities too, so that a sweep is needed only for what became a lead again. The overlap covers a filter of whole seconds, and
# changes that are stamped before others can see them.
WATCHING: Final = Watching(poll_seconds=30.0, sweep_seconds=3_600.0, overlap_seconds=60.0, calls_per_hour=600.0, polls_tell_deletions=True)


def changes_since(since: datetime, request: PageRequest) -> PageRequest:
    """What to ask for to see the changes since a moment.

    Source: Pipeliner "Create Opportunity", `filter[modified]` with gte, `order-by` and `include-deleted`. In the order of `modified` a
    record that changes meanwhile moves to the end, where it is still to come, and none ever moves to the front.
    """
    where = (Condition(Field.UPDATED_AT, Operator.GTE, (since,)),)
    return replace(request, where=where, sort=Sort(Field.UPDATED_AT), include_deleted=True)


def change_facts(record: Opportunity) -> ChangeFacts:
    """When and by whom it was last modified, which is the move, or something that was done after it.

    Source: Pipeliner REST API, entity Opportunities, `modified` and `modified_by_user`. `won_date` and `lost_date` are for people to write.
    """
    return ChangeFacts(changed_at=record.updated_at, changed_by=record.updated_by_ref)
