"""How a CRM behind Apideck is watched, and what a record tells of its last move. Pure."""

from datetime import timedelta
from typing import Final

from vendors.changes import ChangeFacts, Watching
from vendors.model import Opportunity

# Source: Apideck help, article 4233346 and category 1483970: Unify adds no limit to the connector's, and bills calls. A quiet poll is one
# call, and a sweep one for 200 opportunities. Not documented how soon a connector's sorted list shows a change, and how exact its stamps
# are; two minutes are given to it.
WATCHING: Final = Watching(poll_seconds=60.0, sweep_seconds=1_800.0, overlap_seconds=120.0, calls_per_hour=300.0)

_ONE_WRITE: Final = timedelta(seconds=1)
# Connectors touch a record again shortly after it was moved, to compute what follows.
_ONE_CHANGE: Final = timedelta(minutes=1)


def change_facts(record: Opportunity) -> ChangeFacts:
    """Tell what a record says of its last change, given that this was one of its stage or status.

    The stage has a stamp of its own, the status has none. So the stamp tells when it happened as long as nothing was changed much later:
    else the status may have changed then, and the stage long before. And `updated_by` made the last change, which is that of the stage if
    both have the same time.

    Source: Apideck CRM API, schema Opportunity, stage_last_changed_at, date_stage_changed, updated_at, updated_by.
    """
    moved_at, updated_at = record.stage_changed_at, record.updated_at
    if moved_at is None or updated_at is None:
        return ChangeFacts()
    distance = abs(updated_at - moved_at)
    return ChangeFacts(
        changed_at=moved_at if distance <= _ONE_CHANGE else None,
        changed_by=record.updated_by_ref if distance <= _ONE_WRITE else None,
    )
