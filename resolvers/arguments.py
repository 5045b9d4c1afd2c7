"""Arguments that several fields take."""

from typing import Annotated

import strawberry

from resolvers.freshness import MAX_AGE
from resolvers.listing.request import DEFAULT_FIRST, MAX_FIRST

First = Annotated[
    int | None,
    strawberry.argument(
        description=f"Number of rows from the start, or behind `after`, from 1 to {MAX_FIRST}; {DEFAULT_FIRST} when absent."
    ),
]
After = Annotated[str | None, strawberry.argument(description="Cursor of the row before the page: a page's `endCursor`.")]
Last = Annotated[
    int | None,
    strawberry.argument(
        description=f"Number of rows from the end, or before `before`, from 1 to {MAX_FIRST}; {DEFAULT_FIRST} when only `before` is given."
        " Reading backwards costs one scan of each CRM, which is kept for a while."
    ),
]
Before = Annotated[str | None, strawberry.argument(description="Cursor of the row behind the page: a page's `startCursor`.")]
CrmKey = Annotated[str, strawberry.argument(description="Key of the CRM, as `crms { key }` lists it.")]
CrmKeys = Annotated[list[str] | None, strawberry.argument(description="Keys of the CRMs to ask; all when absent.")]
IncludeDeleted = Annotated[bool, strawberry.argument(description="Whether rows that the vendor keeps as deleted are listed too.")]
MaxAge = Annotated[
    int,
    strawberry.argument(
        description=f"How old what is shown may be, in seconds: from 0, which reads records anew, to {MAX_AGE}; at most"
        " `cache_ttl_seconds` of its CRM. For what is read below root fields the strictest of them counts. What was scanned for orders,"
        " totals and sums serves for `index_ttl_seconds` in any case, and small tables for `table_ttl_seconds`. `extensions.ages` and"
        " `sources.ageSeconds` tell how old it is."
    ),
]
GlobalId = Annotated[strawberry.ID, strawberry.argument(description="Global id, from the `id` field of an answer.")]
GlobalIds = Annotated[list[strawberry.ID], strawberry.argument(description="Global ids; at most 100.")]
