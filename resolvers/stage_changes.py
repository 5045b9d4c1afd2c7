"""Reading the log of changes: what a filter means in it, a page of it, and what it holds of one opportunity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import strawberry

from resolvers.arguments import MaxAge
from resolvers.changes import ChangeCriteria, ChangeEvent, Changes, cursor_of, position_of
from resolvers.context import Context
from resolvers.errors import UserError, bad_input
from resolvers.freshness import allowed
from resolvers.listing.request import MAX_FIRST
from resolvers.node_id import decode
from resolvers.types.change import StageChangeFilter
from vendors.errors import ErrorCode
from vendors.model import Ref

DEFAULT_FIRST: Final = 20
_MOST_VALUES: Final = 100

Info = strawberry.Info[Any, Any]

After = Annotated[
    str | None,
    strawberry.argument(description="Cursor of the row before the page: a page's `endCursor`, or the `cursor` of an event."),
]
First = Annotated[
    int | None,
    strawberry.argument(
        description=f"Number of rows from the oldest, or behind `after`, from 1 to {MAX_FIRST}; {DEFAULT_FIRST} when absent."
    ),
]
Filter = Annotated[StageChangeFilter | None, strawberry.argument(description="Which changes belong to the list; all when absent.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """A page of the log."""

    nodes: Sequence[ChangeEvent]
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str


async def stage_changes(
    info: Info,
    after: After = None,
    first: First = None,
    filter: Filter = None,  # noqa: A002
    max_age: MaxAge = 0,
) -> Any:
    context: Context = info.context
    allowed(info, max_age)
    changes = watched(context)
    size = DEFAULT_FIRST if first is None else first
    if not 1 <= size <= MAX_FIRST:
        raise bad_input(f"`first` must be from 1 to {MAX_FIRST}, not {size}.")
    criteria = criteria_of(context, filter or StageChangeFilter(), only_moves=True)
    begun = changes.oldest if after is None else position_of(context.cursors, changes, after)
    head = changes.head  # before reading: what is appended meanwhile stands behind an empty page
    page = await changes.read(begun, size, criteria)
    ends = [cursor_of(context.cursors, changes, event.sequence) for event in (page.events[0], page.events[-1])] if page.events else []
    return LogPage(
        nodes=page.events,
        has_next_page=page.has_more,
        has_previous_page=after is not None,
        start_cursor=ends[0] if ends else None,
        end_cursor=ends[-1] if ends else cursor_of(context.cursors, changes, head),
    )


def changes_cursor(info: Info) -> Any:
    context: Context = info.context
    changes = watched(context)
    return cursor_of(context.cursors, changes, changes.head)


def watched(context: Context) -> Changes:
    """Whoever keeps the log.

    Raises:
        UserError: Nobody watches (NOT_SUPPORTED).
    """
    if context.changes is None:
        message = "Changes are not watched for here: the server's configuration says `enabled = false` in [changes]."
        raise UserError(ErrorCode.NOT_SUPPORTED, message)
    return context.changes


def criteria_of(context: Context, filter_: StageChangeFilter, *, only_moves: bool) -> ChangeCriteria:
    """What a filter means in the log, for what the viewer may see.

    Raises:
        UserError: A list is too long (BAD_USER_INPUT), an id is malformed or of another type (INVALID_ID), or a Crm is not there
            (UNKNOWN_CRM).
    """
    _check_length("crms", filter_.crms)
    return ChangeCriteria(
        crms=frozenset(crm.key for crm in context.chosen_crms(filter_.crms)),
        pipelines=_refs(context, "pipelineIds", filter_.pipeline_ids, "Pipeline"),
        stages=_refs(context, "stageIds", filter_.stage_ids, "Stage"),
        opportunities=_refs(context, "opportunityIds", filter_.opportunity_ids, "Opportunity"),
        owners=_refs(context, "ownerIds", filter_.owner_ids, "User"),
        only_moves=only_moves,
    )


def _refs(context: Context, name: str, ids: Sequence[str] | None, type_name: str) -> frozenset[Ref] | None:
    _check_length(name, ids)
    if ids is None:
        return None
    refs = frozenset(decode(text, type_name).ref for text in ids)
    for ref in refs:
        context.crm(ref.crm)
    return refs


def _check_length(name: str, values: Sequence[str] | None) -> None:
    if values is not None and len(values) > _MOST_VALUES:
        raise bad_input(f"`{name}` may hold at most {_MOST_VALUES} values, not {len(values)}.")
