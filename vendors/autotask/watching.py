"""How changes of opportunities are noticed: by their last activity, and by a sweep for what counts as none. Pure.

The vendor has no webhooks for opportunities, and a deal that people delete is simply gone.
Source: Autotask REST "Webhooks" (vendor help): companies, contacts, configuration items, tickets and ticket notes.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from vendors.autotask import wire
from vendors.capabilities import Page
from vendors.changes import ChangeFacts, Watching
from vendors.model import Opportunity

# Source: Autotask REST "Thresholds and limits" (vendor help): 10,000 requests an hour for all integrations of a customer's database; a
# twentieth of them is for watching, beside the half from which on the server slows everybody down.
# Not documented: whether every edit of a stage or status stamps lastActivity. What is not stamped, and what was deleted, is noticed by the
# sweep, which is why that comes every few minutes: of 1,000 opportunities it costs 2 requests, and 2 for the currencies of their companies.
WATCHING: Final = Watching(poll_seconds=30, sweep_seconds=300, overlap_seconds=120, calls_per_hour=500)
_STAMPS: Final = ("lastActivity", "createDate")


def change_facts(record: Opportunity) -> ChangeFacts:
    """The last activity is when it was moved, or shortly after; nothing tells who did it."""
    return ChangeFacts(changed_at=record.last_activity_at)


def fields_with_stamps(fields: Sequence[str] | None) -> Sequence[str] | None:
    """The fields to ask for so that rows can be judged by their age; None for all."""
    return None if fields is None else sorted({*fields, *_STAMPS})


def told_since(page: Page[wire.Opportunity], since: datetime, size: int) -> Page[wire.Opportunity]:
    """Cut a page down to that many rows that changed since a moment: the filter brings older ones too.

    Answers are in UTC, whatever zone a filter is read in. Not documented: how exact stamps are; a second counts as a whole.
    """
    second = since.replace(microsecond=0)
    rows = [row for row in page.rows if _is_since(row.record, second)]
    if len(rows) <= size:
        return replace(page, rows=rows)
    return replace(page, rows=rows[:size], has_more=True, position=rows[size - 1].position)


def _is_since(row: wire.Opportunity, second: datetime) -> bool:
    stamps = [stamp for stamp in (row.lastActivity, row.createDate) if stamp is not None]
    return not stamps or max(stamps) >= second
