"""Winning, losing and reopening an opportunity: moves into the stages that the settings name. Pure.

What wins or loses a deal is not documented. So the stage and the date are written together, and the status in the answer tells whether the
vendor took it so.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from vendors.model import Opportunity, OpportunityStatus, Stage
from vendors.pipeliner.bodies import Draft, instant_text
from vendors.pipeliner.drafts import put_option
from vendors.pipeliner.extension import PipelinerOpportunityFields
from vendors.pipeliner.lookups import Known
from vendors.writes import UNSET, RuleCode, StatusValues

# Source: Pipeliner REST API, entity Opportunities: `won_date` and `lost_date` may be written, `status` may not.
_DATES: Final = {OpportunityStatus.WON: "won_date", OpportunityStatus.LOST: "lost_date"}
STATUS_NUMBERS: Final = {OpportunityStatus.OPEN: 1, OpportunityStatus.LOST: 2, OpportunityStatus.WON: 3}


@dataclass(frozen=True, slots=True)
class ClosingStages:
    """Ids of the stages that win and that lose a deal, as the settings have them; at most one of each counts in a pipeline."""

    won: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    def of(self, status: OpportunityStatus) -> tuple[str, ...]:
        return self.won if status is OpportunityStatus.WON else self.lost if status is OpportunityStatus.LOST else ()

    @property
    def statuses(self) -> frozenset[OpportunityStatus]:
        """The statuses that can be given."""
        closed = {status for status in _DATES if self.of(status)}
        return frozenset(closed | {OpportunityStatus.OPEN} if closed else ())


def status_draft(current: Opportunity, values: StatusValues, known: Known, closing: ClosingStages, now: datetime | None) -> Draft:
    """Make the body of an update that gives an opportunity a status that can be given."""
    draft = Draft()
    if values.status is OpportunityStatus.OPEN:
        _reopen(draft, current, values, known.pipelines.stages, closing)
    else:
        _close(draft, current, values, known, closing.of(values.status), now)
    return draft


def _close(  # noqa: PLR0917  # all of them are different
    draft: Draft, current: Opportunity, values: StatusValues, known: Known, stage_ids: Collection[str], now: datetime | None
) -> None:
    status, name = values.status, _DATES[values.status]
    stage = next((stage for stage in _of_pipeline(current, known.pipelines.stages) if stage.local_id in stage_ids), None)
    if stage is None:
        setting = f"{status.value}_stage_id"
        message = f"Add the stage of this pipeline to `{setting}` in the CRM's settings; it names none that is in use there."
        draft.refuse(("status",), RuleCode.NOT_SUPPORTED, message)
    else:
        draft.put("step_id", stage.local_id, ("status",))
    if values.closed_on is None:
        draft.refuse(("closed_on",), RuleCode.REQUIRED, "Give the day on which it was closed, or leave it out.")
    elif isinstance(values.closed_on, date):
        draft.put(name, instant_text(datetime.combine(values.closed_on, time(), UTC)), ("closed_on",))
    elif now is not None and (current.status is not status or current.closed_at is None):
        draft.put(name, instant_text(now), ("closed_on",))
    _clear_dates(draft, current, keep=name)
    if status is OpportunityStatus.WON and current.is_archived:
        draft.put("is_archived", value=False, path=("status",))
    if values.reason_id is None or isinstance(values.reason_id, str):
        put_option(draft, "reason_of_close_id", values.reason_id, ("reason_id",), known)
    if values.reason_detail is None or isinstance(values.reason_detail, str):
        draft.put("reason_of_close_description", values.reason_detail or "", ("reason_detail",))


def _reopen(draft: Draft, current: Opportunity, values: StatusValues, stages: Mapping[str, Stage], closing: ClosingStages) -> None:
    """Put it back into the stage before the one it was closed in, and take away what belongs to its end."""
    for name, value in (("reason_id", values.reason_id), ("reason_detail", values.reason_detail), ("closed_on", values.closed_on)):
        if value is not None and value is not UNSET:
            draft.refuse((name,), RuleCode.CONTRADICTION, "Leave it out: an open deal has neither reason nor day of its end.")
    if current.status is OpportunityStatus.OPEN:
        return
    closed_in = {*closing.won, *closing.lost}
    if current.stage_ref is not None and current.stage_ref.local_id in closed_in:
        here = stages.get(current.stage_ref.local_id)
        usable = [stage for stage in _of_pipeline(current, stages) if stage.local_id not in closed_in]
        before = [stage for stage in usable if here is None or stage.order < here.order]
        if not usable:
            draft.refuse(("status",), RuleCode.NOT_SUPPORTED, "Move it into a stage of another pipeline: all of its own close a deal.")
            return
        draft.put("step_id", (before[-1] if before else usable[0]).local_id, ("status",))
    if current.is_archived:
        draft.put("is_archived", value=False, path=("status",))
    _clear_dates(draft, current)
    own = current.extension if isinstance(current.extension, PipelinerOpportunityFields) else None
    if own is not None and own.reason_of_close_id is not None:
        draft.put("reason_of_close_id", None, ("status",))
    if own is not None and own.reason_of_close_description is not None:
        draft.put("reason_of_close_description", "", ("status",))


def _clear_dates(draft: Draft, current: Opportunity, *, keep: str = "") -> None:
    """Take away the dates of an end that does not hold any more."""
    own = current.extension if isinstance(current.extension, PipelinerOpportunityFields) else None
    for name in _DATES.values():
        if name != keep and own is not None and getattr(own, name) is not None:
            draft.put(name, None, ("status",))


def _of_pipeline(current: Opportunity, stages: Mapping[str, Stage]) -> list[Stage]:
    """The stages in use of an opportunity's pipeline, in their order."""
    own = [stage for stage in stages.values() if current.pipeline_ref is not None and stage.pipeline_ref == current.pipeline_ref]
    return sorted((stage for stage in own if not stage.is_archived), key=lambda stage: stage.order)
