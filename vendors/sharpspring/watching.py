"""How a Crm of Lead Gen & CRM is watched, and what its records tell of a move."""

from typing import Final

from vendors.changes import ChangeFacts, Watching

# Source: Lead Gen & CRM Open API, overview article: 50,000 calls a day for an account, all integrations together; this is a quarter of it.
# A quiet poll is one call. A sweep is one for each 500 opportunities, and finds what polls cannot: rows that were deleted or made inactive.
# Not documented when a change can be seen by others; a minute is given to it.
WATCHING: Final = Watching(poll_seconds=20.0, sweep_seconds=900.0, overlap_seconds=60.0, calls_per_hour=500.0)

# Source: article 50887, table "Opportunity": it has no time of a move and nobody who made it. closeDate is a day, and people plan with it.
CHANGE_FACTS: Final = ChangeFacts()
