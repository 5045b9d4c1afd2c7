"""The streams of the graph: what happens to opportunities, while it happens.

What can be wrong with a subscription is found before its first event. A stream then goes on until its client leaves, the server stops,
or the client has become too slow; whatever fails within an event is that event's alone.
"""

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import Annotated, Any, Final

import strawberry

from resolvers.changes import ChangeCriteria, ChangeEvent, ChangeKind, Changes, cursor_of, position_of
from resolvers.context import Context
from resolvers.stage_changes import criteria_of, watched
from resolvers.types.change import OpportunityChange, StageChange, StageChangeFilter

Info = strawberry.Info[Any, Any]

_RESUMING: Final = "Last-Event-ID"
_HOW: Final = (
    " What is in the log behind `after` comes first, then what happens from then on, without a gap and in order. Delivery is at least once:"
    " drop an event whose `eventId` you have had. To go on later, subscribe with the last event's `cursor` as `after`; when that is older"
    " than what is kept, the error CURSOR_EXPIRED tells the `oldestCursor`. A client that takes events too slowly is sent away with"
    " SUBSCRIBER_LAGGED and the `cursor` to go on from."
)

After = Annotated[
    str | None,
    strawberry.argument(
        description="Cursor to go on behind: of the last event you have, or the `endCursor` of `stageChanges`. When absent, only what"
        " happens from now on comes. Over server-sent events a `Last-Event-ID` counts more."
    ),
]
Crms = Annotated[list[str] | None, strawberry.argument(description="Keys of CRMs that it happens in; all when absent, none when empty.")]
PipelineIds = Annotated[
    list[strawberry.ID] | None, strawberry.argument(description="Pipelines that it leaves, enters or is within; at most 100.")
]
StageIds = Annotated[list[strawberry.ID] | None, strawberry.argument(description="Stages that it leaves, enters or stays in; at most 100.")]
OpportunityIds = Annotated[list[strawberry.ID] | None, strawberry.argument(description="Opportunities that it happens to; at most 100.")]
OwnerIds = Annotated[
    list[strawberry.ID] | None, strawberry.argument(description="Users who own the opportunity before or after; at most 100.")
]
Kinds = Annotated[list[ChangeKind] | None, strawberry.argument(description="What happens; anything when absent, nothing when empty.")]


async def _stage_changed(  # noqa: PLR0917  # the arguments of the field
    info: Info,
    after: After = None,
    crms: Crms = None,
    pipeline_ids: PipelineIds = None,
    stage_ids: StageIds = None,
    opportunity_ids: OpportunityIds = None,
    owner_ids: OwnerIds = None,
) -> Any:
    filter_ = StageChangeFilter(
        crms=crms, pipeline_ids=pipeline_ids, stage_ids=stage_ids, opportunity_ids=opportunity_ids, owner_ids=owner_ids
    )
    return _stream(info.context, after, filter_, only_moves=True)


async def _changed(  # noqa: PLR0917  # the arguments of the field
    info: Info,
    after: After = None,
    crms: Crms = None,
    opportunity_ids: OpportunityIds = None,
    owner_ids: OwnerIds = None,
    kinds: Kinds = None,
) -> Any:
    filter_ = StageChangeFilter(crms=crms, opportunity_ids=opportunity_ids, owner_ids=owner_ids)
    return _stream(info.context, after, filter_, only_moves=False, kinds=kinds)


@strawberry.type(description="What happens in the CRMs, while it happens.")
class Subscription:
    opportunity_stage_changed: StageChange = strawberry.subscription(
        resolver=_stage_changed,
        description="Opportunities that come into another stage or another status, in all CRMs. What lies between two looks at a CRM is not"
        " seen: two quick moves may come as one." + _HOW,
    )
    opportunity_changed: OpportunityChange = strawberry.subscription(
        resolver=_changed, description="Opportunities that come, change in whatever way, and go, in all CRMs." + _HOW
    )


def _stream(
    context: Context, after: str | None, filter_: StageChangeFilter, *, only_moves: bool, kinds: Collection[ChangeKind] | None = None
) -> AsyncGenerator[ChangeEvent, None]:
    """The events that a subscription is about.

    Raises:
        UserError: Nobody watches, or an argument is wrong.
    """
    changes = watched(context)
    criteria = criteria_of(context, filter_, only_moves=only_moves)
    if context.resume_after:
        position = position_of(context.cursors, changes, context.resume_after, argument=_RESUMING)
    else:
        position = changes.head if after is None else position_of(context.cursors, changes, after)
    return _events(context, changes, position, criteria, kinds)


async def _events(
    context: Context, changes: Changes, position: int, criteria: ChangeCriteria, kinds: Collection[ChangeKind] | None
) -> AsyncGenerator[ChangeEvent, None]:
    async with aclosing(changes.follow(position, criteria)) as events:
        async for event in events:
            if kinds is not None and event.kind not in kinds:
                continue
            context.begin_event(cursor_of(context.cursors, changes, event.sequence))
            if event.record is not None:
                context.loaders.opportunities_by_ref.seed(event.record)
            yield event
