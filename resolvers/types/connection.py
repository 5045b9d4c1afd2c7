"""Relay pages."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from resolvers.errors import retry_after_ms
from resolvers.relation import attribute, computed
from resolvers.types.enums import Consistency, CountOrigin, ErrorCode, SourceState

if TYPE_CHECKING:
    from resolvers.types.account import Account
    from resolvers.types.contact import Contact
    from resolvers.types.crm import Crm
    from resolvers.types.opportunity import Opportunity
    from resolvers.types.user import User


SOURCES = "How every CRM contributed. Selecting it keeps the failures of single CRMs out of `errors`."
TOTAL_COUNT = (
    "Number of rows in the whole list; null when a CRM's rows could not be counted, `sources` tells which. Asking for it may cost reading"
    " all rows once, where a vendor does not count them."
)


class _Edge:
    """A row and the page it is on: its cursor is made only when somebody reads it."""

    __slots__ = ("_index", "_page")

    def __init__(self, page: Any, index: int) -> None:
        self._page = page
        self._index = index

    @property
    def node(self) -> Any:
        return self._page.records[self._index]

    @property
    def cursor(self) -> str:
        return str(self._page.cursor(self._index))


def _edges(page: Any) -> list[_Edge]:
    return [_Edge(page, index) for index in range(len(page.records))]


@strawberry.type(description="Where a page is in its list.")
class PageInfo:
    has_next_page: bool = attribute(
        "Whether rows follow, as far as the CRMs that answered tell; before a cursor always. Where a CRM evaluates only a part of the"
        " filter, true may be followed by an empty page."
    )
    has_previous_page: bool = attribute("Whether rows precede, as far as the CRMs that answered tell; behind a cursor always.")
    start_cursor: str | None = attribute("Cursor of the first row: give it as `before` for the previous page.")
    end_cursor: str | None = attribute(
        "Cursor of the last row: give it as `after` for the next page. Where a CRM's scan budget ended the page, it is the place that the"
        " scan had come to, and may be there without any row."
    )


@strawberry.type(description="How one CRM contributed to a list.")
class SourceStatus:
    crm: Annotated["Crm", strawberry.lazy("resolvers.types.crm")] = attribute("The CRM.")
    status: SourceState = attribute("Whether its rows are here.")
    code: ErrorCode | None = computed(lambda source: None if source.error is None else source.error.code, "What went wrong, if anything.")
    message: str | None = computed(lambda source: None if source.error is None else source.error.message, "What to do about it.")
    retryable: bool = computed(lambda source: source.error is not None and source.error.retryable, "Whether the same query may work later.")
    retry_after_ms: int | None = computed(
        lambda source: None if source.error is None else retry_after_ms(source.error),
        "When it may work, in milliseconds, where that is known.",
    )
    consistency: Consistency = attribute("What paging promises while records change.")
    fetched_at: datetime | None = attribute("When its rows were read, the oldest of them; null when it was not asked.")
    age_seconds: float | None = attribute("How old the oldest of them are; 0 when they were read just now, null when it was not asked.")
    vendor_calls: int = attribute("Number of calls to the vendor for this page of the list, without those for relations.")
    rows: int = attribute("Number of its rows on this page.")
    total_count: int | None = attribute(
        "Number of its rows in the whole list; null when nobody counted. It is found out only where the connection's `totalCount`, or this,"
        " is asked for."
    )
    total_count_origin: CountOrigin = attribute("Who counted them.")
    pushed_down: list[str] = computed(
        lambda source: source.pushed_down, "Parts of the query that the vendor itself evaluated.", assumed_size=5
    )
    evaluated_here: list[str] = computed(
        lambda source: source.evaluated_here, "Parts of the query that were evaluated here.", assumed_size=5
    )


@strawberry.type(description="An opportunity in a list.")
class OpportunityEdge:
    cursor: str = attribute("Place behind this row; give it as `after`.")
    node: Annotated["Opportunity", strawberry.lazy("resolvers.types.opportunity")] = attribute("The opportunity.")


@strawberry.type(description="A page of opportunities.")
class OpportunityConnection:
    edges: list[OpportunityEdge] = computed(_edges, "The rows with their cursors.")
    nodes: list[Annotated["Opportunity", strawberry.lazy("resolvers.types.opportunity")]] = computed(lambda page: page.records, "The rows.")
    page_info: PageInfo = computed(lambda page: page, "Where the page is in the list.")
    sources: list[SourceStatus] = computed(lambda page: page.sources, SOURCES, assumed_size=5)
    total_count: int | None = attribute(TOTAL_COUNT)


@strawberry.type(description="An account in a list.")
class AccountEdge:
    cursor: str = attribute("Place behind this row; give it as `after`.")
    node: Annotated["Account", strawberry.lazy("resolvers.types.account")] = attribute("The account.")


@strawberry.type(description="A page of accounts.")
class AccountConnection:
    edges: list[AccountEdge] = computed(_edges, "The rows with their cursors.")
    nodes: list[Annotated["Account", strawberry.lazy("resolvers.types.account")]] = computed(lambda page: page.records, "The rows.")
    page_info: PageInfo = computed(lambda page: page, "Where the page is in the list.")
    sources: list[SourceStatus] = computed(lambda page: page.sources, SOURCES, assumed_size=5)
    total_count: int | None = attribute(TOTAL_COUNT)


@strawberry.type(description="A contact in a list.")
class ContactEdge:
    cursor: str = attribute("Place behind this row; give it as `after`.")
    node: Annotated["Contact", strawberry.lazy("resolvers.types.contact")] = attribute("The contact.")


@strawberry.type(description="A page of contacts.")
class ContactConnection:
    edges: list[ContactEdge] = computed(_edges, "The rows with their cursors.")
    nodes: list[Annotated["Contact", strawberry.lazy("resolvers.types.contact")]] = computed(lambda page: page.records, "The rows.")
    page_info: PageInfo = computed(lambda page: page, "Where the page is in the list.")
    sources: list[SourceStatus] = computed(lambda page: page.sources, SOURCES, assumed_size=5)
    total_count: int | None = attribute(TOTAL_COUNT)


@strawberry.type(description="A user in a list.")
class UserEdge:
    cursor: str = attribute("Place behind this row; give it as `after`.")
    node: Annotated["User", strawberry.lazy("resolvers.types.user")] = attribute("The user.")


@strawberry.type(description="A page of users.")
class UserConnection:
    edges: list[UserEdge] = computed(_edges, "The rows with their cursors.")
    nodes: list[Annotated["User", strawberry.lazy("resolvers.types.user")]] = computed(lambda page: page.records, "The rows.")
    page_info: PageInfo = computed(lambda page: page, "Where the page is in the list.")
    sources: list[SourceStatus] = computed(lambda page: page.sources, SOURCES, assumed_size=5)
    total_count: int | None = attribute(TOTAL_COUNT)
