"""How well a CRM is watched for changes."""

from datetime import datetime

import strawberry

from resolvers.relation import attribute
from resolvers.types.enums import ErrorCode


@strawberry.type(description="How well a CRM is watched for changes of its opportunities, and how far back its events reach.")
class CrmChanges:
    complete_since: datetime | None = attribute(
        "When its opportunities had all been read for the first time; null until then, and what is seen first before that is no event."
    )
    polled_at: datetime | None = attribute("When it was last asked for what has changed; null where it has not been, or cannot be.")
    swept_at: datetime | None = attribute("When the last reading of all its opportunities ended.")
    pending_hints: int = attribute("Number of opportunities that something may have happened to and that have yet to be looked at.")
    lag_seconds: float | None = attribute("How old what is known of it may be, in seconds; null while nothing is known.")
    poll_seconds: float | None = attribute("Time from one poll to the next; null where its vendor cannot be asked for what has changed.")
    sweep_seconds: float = attribute("Time from one reading of all its opportunities to the next, which finds what polls do not tell.")
    error: ErrorCode | None = attribute("What keeps us from seeing changes; null while nothing does.")
    oldest_event_at: datetime | None = attribute("When its oldest event that is kept was seen; null when there is none.")
    retention_days: float = attribute("How long events are kept, and so how old a cursor may be.")
