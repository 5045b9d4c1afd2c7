"""What happened to opportunities, as it stands in the log of changes, and the protocol of whoever keeps that log."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from resolvers.errors import UserError
from vendors.errors import ErrorCode
from vendors.model import Opportunity, OpportunityStatus, Ref
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import CursorCodec

_CURSOR_KIND: Final = "changes"


class ChangeKind(StrEnum):
    """What happened to an opportunity, as we saw it."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class ChangeSource(StrEnum):
    """What made us look."""

    WEBHOOK = "webhook"
    POLL = "poll"
    MUTATION = "mutation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where an opportunity is; references are ids of its Crm."""

    stage: str | None
    pipeline: str | None
    status: OpportunityStatus | None
    owner: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEvent:
    """One change of one opportunity, as the log holds it.

    Args:
        sequence: Its place in the log.
        event_id: What tells it from all others, also when it is delivered twice.
        kind: What happened.
        ref: The opportunity.
        before: Where it was; None when it was not known before.
        after: Where it is; None when it is deleted.
        source: What made us look.
        detected_at: When we saw it.
        changed_at: When it happened, as far as the vendor tells.
        changed_by_ref: Who did it, as far as the vendor tells.
        record: The record as it was read, while the event is new.
    """

    sequence: int
    event_id: str
    kind: ChangeKind
    ref: Ref
    before: Whereabouts | None
    after: Whereabouts | None
    source: ChangeSource
    detected_at: datetime
    changed_at: datetime | None = None
    changed_by_ref: Ref | None = None
    record: Opportunity | None = field(default=None, compare=False, repr=False)

    @property
    def is_move(self) -> bool:
        """Whether its stage or its status has changed."""
        before, after = self.before, self.after
        return before is not None and after is not None and (before.stage, before.status) != (after.stage, after.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCriteria:
    """Which events somebody wants; None for all. An event belongs to a pipeline or stage that it leaves or enters, and to either owner.

    Args:
        crms: Keys of Crms.
        opportunities: Opportunities.
        pipelines: Pipelines.
        stages: Stages.
        owners: Users.
        only_moves: Whether only changes of stage or status count.
    """

    crms: frozenset[str]
    opportunities: frozenset[Ref] | None = None
    pipelines: frozenset[Ref] | None = None
    stages: frozenset[Ref] | None = None
    owners: frozenset[Ref] | None = None
    only_moves: bool = False

    def matches(self, event: ChangeEvent) -> bool:
        crm = event.ref.crm
        if crm not in self.crms or (self.only_moves and not event.is_move):
            return False
        if self.opportunities is not None and event.ref not in self.opportunities:
            return False
        sides = [side for side in (event.before, event.after) if side is not None]
        wanted = (
            (self.pipelines, [side.pipeline for side in sides]),
            (self.stages, [side.stage for side in sides]),
            (self.owners, [side.owner for side in sides]),
        )
        return all(refs is None or any(Ref(crm, local_id) in refs for local_id in ids if local_id is not None) for refs, ids in wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchState:
    """How well a Crm is watched.

    Args:
        complete_since: When its opportunities had all been read for the first time; before that, what is seen first is no event.
        polled_at: When it was last asked for what has changed.
        swept_at: When the last reading of all its opportunities ended.
        pending_hints: Number of opportunities that have yet to be looked at.
        lag_seconds: How old what we know of it may be; None while nothing is known.
        poll_seconds: Time from one poll to the next.
        sweep_seconds: Time from one sweep to the next.
        error: What keeps us from seeing changes; None while nothing does.
        oldest_event_at: When the oldest event of it that is kept was seen.
        retention_days: How long events are kept.
    """

    complete_since: datetime | None
    polled_at: datetime | None
    swept_at: datetime | None
    pending_hints: int
    lag_seconds: float | None
    poll_seconds: float | None
    sweep_seconds: float
    error: ErrorCode | None
    oldest_event_at: datetime | None
    retention_days: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """Events in the order of the log."""

    events: Sequence[ChangeEvent]
    has_more: bool


class Log(Protocol):
    """The extent of the log. Positions are places in it: that of an event is its `sequence`."""

    def run_of(self, position: int) -> str:
        """The run of the log that came to a position: a cursor names both, so that it is refused where the log is an older copy."""
        ...

    def holds(self, run: str, position: int) -> bool:
        """Whether that run came to that position, and what follows it is all here."""
        ...

    @property
    def head(self) -> int:
        """The position behind the newest event."""
        ...

    @property
    def oldest(self) -> int:
        """The position before the oldest event that is kept; what comes before has been dropped."""
        ...


class Changes(Log, Protocol):
    """Keeps the log of changes."""

    async def hand_on(self, crm: Crm, ref: Ref) -> Opportunity | None:
        """Read a record that was just written, note what has changed, and give it; None where that does not work now, and is done later.

        A record that is gone is noted as deleted, and None is given for it too.
        """
        ...

    async def read(self, after: int, limit: int, criteria: ChangeCriteria) -> ChangePage:
        """Read at most that many events behind a position."""
        ...

    def follow(self, after: int | None, criteria: ChangeCriteria) -> AsyncGenerator[ChangeEvent, None]:
        """Give the events behind a position, then those that come, without a hole between; None for only those that come.

        Raises:
            UserError: The events behind the position have been dropped (CURSOR_EXPIRED), or whoever follows has been up to date and has
                then taken events too slowly for a while (SUBSCRIBER_LAGGED).
        """
        ...

    async def of_opportunities(self, refs: Sequence[Ref], last: int) -> Mapping[Ref, Sequence[ChangeEvent]]:
        """The last moves of opportunities, oldest first."""
        ...

    async def state(self, crm: Crm) -> WatchState | None:
        """How well a Crm is watched; None when it is not."""
        ...


def cursor_of(codec: "CursorCodec", log: Log, position: int) -> str:
    """The text of a position in the log."""
    return codec.seal(orjson.dumps([_CURSOR_KIND, log.run_of(position), position]))


def position_of(codec: "CursorCodec", log: Log, text: str, *, argument: str = "after") -> int:
    """The position that a cursor means, which was given as that argument or header.

    Raises:
        UserError: It is none of ours (INVALID_CURSOR), or what follows it is not kept any more (CURSOR_EXPIRED).
    """
    content = codec.open(text)
    found: Any = None if content is None else orjson.loads(content)
    match found:
        case [kind, str(run), int(position)] if kind == _CURSOR_KIND:
            if not log.holds(run, position):
                raise expired(codec, log, argument=argument)
            return position
        case _:
            message = (
                f"`{argument}` is no cursor of this stream, or one from before its store was lost. "
                f"Take the `cursor` of one of its events, or read what you show anew and go on without `{argument}`."
            )
            raise UserError(ErrorCode.INVALID_CURSOR, message)


def expired(codec: "CursorCodec", log: Log, *, argument: str = "after") -> UserError:
    """The error for a cursor whose events have been dropped."""
    return UserError(
        ErrorCode.CURSOR_EXPIRED,
        f"What followed this cursor is not kept any more. Read what you show anew, and go on from `oldestCursor` or without `{argument}`.",
        oldestCursor=cursor_of(codec, log, log.oldest),
    )
