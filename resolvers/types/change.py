"""What happened to opportunities. The values of these types are the log's events themselves."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import strawberry

from resolvers.changes import ChangeEvent, ChangeKind, ChangeSource, Whereabouts, cursor_of
from resolvers.node_id import encode
from resolvers.relation import attribute, computed, contextual, relation
from resolvers.types.connection import PageInfo
from resolvers.types.crm import Crm
from resolvers.types.enums import OpportunityStatus
from resolvers.types.opportunity import Opportunity
from resolvers.types.pipeline import Pipeline
from resolvers.types.stage import Stage
from resolvers.types.user import User
from vendors import model

if TYPE_CHECKING:
    from resolvers.context import Context

_Side = Callable[[ChangeEvent], Whereabouts | None]


def _before(event: ChangeEvent) -> Whereabouts | None:
    return event.before


def _after(event: ChangeEvent) -> Whereabouts | None:
    return event.after


def _stage(side: _Side, description: str) -> Any:
    def load(event: ChangeEvent, context: "Context") -> "Awaitable[model.Stage | None] | None":
        place = side(event)
        return None if place is None or place.stage is None else context.loaders.stages_by_ref.load(model.Ref(event.ref.crm, place.stage))

    return contextual(load, description)


def _pipeline(side: _Side, description: str) -> Any:
    def load(event: ChangeEvent, context: "Context") -> "Awaitable[model.Pipeline | None] | None":
        place = side(event)
        if place is None or place.pipeline is None:
            return None
        return context.loaders.pipelines_by_ref.load(model.Ref(event.ref.crm, place.pipeline))

    return contextual(load, description)


def _status(side: _Side, description: str) -> Any:
    return computed(lambda event: None if (place := side(event)) is None else place.status, description)


def _cursor(event: ChangeEvent, context: "Context") -> str:
    assert context.changes is not None, "the event is from its log"
    return cursor_of(context.cursors, context.changes, event.sequence)


def _opportunity(event: ChangeEvent, context: "Context") -> "Awaitable[model.Opportunity | None] | None":
    return None if event.kind is ChangeKind.DELETED else context.loaders.opportunities_by_ref.load(event.ref)


@strawberry.type(description="Something that was seen to happen to an opportunity.")
class _Happening:
    event_id: strawberry.ID = attribute(
        "What tells the event from all others. An event comes at least once to everybody who follows: drop those whose id you have had."
    )
    cursor: str = contextual(_cursor, "Place behind this event: give it as `after` to go on from here, also after days.")
    opportunity_id: strawberry.ID = computed(
        lambda event: encode("Opportunity", event.ref), "Global id of the opportunity, also of one that is gone."
    )
    crm: Crm = contextual(lambda event, context: context.crms[event.ref.crm], "The CRM it lives in.")
    detected_at: datetime = attribute("When we saw it; the order of events is the order in which we saw them.")
    source: ChangeSource = attribute("What made us look.")


@strawberry.type(
    description="An opportunity was seen in another stage or another status than before. What lies between two looks is not seen: two quick"
    " moves may come as one, from where it was to where it is."
)
class StageChange(_Happening):
    opportunity: Opportunity | None = relation(
        "The opportunity as it is now, which may be further on already; null when it is gone.", loader="opportunities_by_ref", key="ref"
    )
    from_stage: Stage | None = _stage(_before, "The stage it was in; null when that is gone.")
    to_stage: Stage | None = _stage(_after, "The stage it came into; the same one when only the status has changed.")
    from_pipeline: Pipeline | None = _pipeline(_before, "The pipeline it was in.")
    to_pipeline: Pipeline | None = _pipeline(_after, "The pipeline it came into.")
    from_status: OpportunityStatus | None = _status(_before, "The status it had.")
    to_status: OpportunityStatus | None = _status(_after, "The status it came to have.")
    changed_at: datetime | None = attribute("When it happened, where the vendor tells.")
    changed_by: User | None = relation("Who did it, where the vendor tells.", loader="users_by_ref", key="changed_by_ref")


@strawberry.type(description="An opportunity was seen for the first time, was seen to have changed in whatever way, or is gone.")
class OpportunityChange(_Happening):
    kind: ChangeKind = attribute("What happened.")
    opportunity: Opportunity | None = contextual(
        _opportunity, "The opportunity as it is now, which may have changed further; null when it is gone."
    )
    stage_change: StageChange | None = computed(
        lambda event: event if event.is_move else None, "The same event as a change of stage or status; null when neither has changed."
    )


@strawberry.type(description="A change of stage in a list.")
class StageChangeEdge:
    cursor: str = contextual(_cursor, "Place behind this row; give it as `after`.")
    node: StageChange = computed(lambda event: event, "The change.")


@strawberry.type(description="A page of the log of changes of stage, oldest first.")
class StageChangeConnection:
    edges: list[StageChangeEdge] = computed(lambda page: page.nodes, "The rows with their cursors.")
    nodes: list[StageChange] = attribute("The rows.")
    page_info: PageInfo = computed(
        lambda page: page,
        "Where the page is in the log. Its `endCursor` is always there, also on an empty page, and is good as `after` of"
        " `opportunityStageChanged` too: a client that has read up to it and then follows from it misses nothing.",
    )


def _list(description: str) -> Any:
    return strawberry.field(default=None, description=description)


@strawberry.input(
    description="Which changes of stage belong to a list. All that is given must hold; of a list any value; an empty list lets nothing"
    " through. A list may hold at most 100 values. Ids of records that do not exist fit nothing."
)
class StageChangeFilter:
    crms: list[str] | None = _list("It happened in one of the CRMs of these keys.")
    pipeline_ids: list[strawberry.ID] | None = _list("It left, entered or was within one of these pipelines.")
    stage_ids: list[strawberry.ID] | None = _list("It left, entered or stayed in one of these stages.")
    opportunity_ids: list[strawberry.ID] | None = _list("It is of one of these opportunities.")
    owner_ids: list[strawberry.ID] | None = _list("One of these users owned the opportunity before or after.")
