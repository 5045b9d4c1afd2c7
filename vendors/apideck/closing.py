"""Closing an opportunity and opening it again, by the connector's own words for it. Pure."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from typing import Final

from vendors.apideck.drafts import Draft
from vendors.model import Opportunity, OpportunityStatus, Reason
from vendors.writes import RuleCode, StatusValues, Unset

# Source: Apideck CRM API, schema Opportunity: won_reason_id, won_reason, loss_reason_id, loss_reason.
_REASONS: Final[Mapping[OpportunityStatus, str]] = {OpportunityStatus.WON: "won_reason", OpportunityStatus.LOST: "loss_reason"}


def closing_draft(
    values: StatusValues,
    current: Opportunity,
    *,
    words: Mapping[OpportunityStatus, str],
    demanded: AbstractSet[str],
    today: date | None,
) -> Draft:
    """Write the status, the day and the reason; what is left over of another outcome is cleared.

    Args:
        values: What to write.
        current: The record as it was read.
        words: The connector's word for each status, as far as they are configured.
        demanded: Attributes that an opportunity always has.
        today: The day to take where none is given; None when the vendor has not told it.
    """
    draft = Draft(is_new=False, demanded=demanded)
    draft.put("title", current.title, ("title",))
    word = words.get(values.status)
    if word is None:
        message = f"Configure the connector's word for it as `{values.status.value}_status` of this CRM; without it this cannot be done."
        draft.refuse(("status",), RuleCode.NOT_SUPPORTED, message)
    else:
        draft.put("status", word, ("status",))
    if values.status is OpportunityStatus.OPEN:
        _write_opening(draft, values, current)
    else:
        _write_outcome(draft, values, current, today)
    for status, reason in ((OpportunityStatus.WON, current.won_reason), (OpportunityStatus.LOST, current.loss_reason)):
        if status is not values.status:
            _clear_reason(draft, _REASONS[status], reason)
    return draft


def _write_outcome(draft: Draft, values: StatusValues, current: Opportunity, today: date | None) -> None:
    name = _REASONS[values.status]
    draft.put(f"{name}_id", values.reason_id, ("reason_id",))
    draft.put(name, values.reason_detail, ("reason_detail",))
    if values.closed_on is None:
        # Source: Apideck CRM API, schema Opportunity, close_date: if it is null, the opportunity is not closed yet.
        draft.refuse(("closed_on",), RuleCode.REQUIRED, "Give the day, or leave this out for today.")
    elif not isinstance(values.closed_on, Unset) or current.status is not values.status:  # one that was closed so before keeps its day
        # Source: Apideck CRM API, "Dates": all of them are in UTC.
        day = today if isinstance(values.closed_on, Unset) else values.closed_on
        if day is None:
            draft.refuse(("closed_on",), RuleCode.REQUIRED, "Give the day: Apideck did not tell today's date.")
        else:
            draft.put("close_date", day.isoformat(), ("closed_on",))


def _write_opening(draft: Draft, values: StatusValues, current: Opportunity) -> None:
    for attribute in ("reason_id", "reason_detail", "closed_on"):
        if isinstance(getattr(values, attribute), str | date):
            draft.refuse((attribute,), RuleCode.CONTRADICTION, "Leave this out: an open opportunity was neither won nor lost.")
    # Of an open opportunity it is the day on which it is expected to close.
    if "expected_close_date" not in draft.demanded and current.status is not OpportunityStatus.OPEN:
        draft.put("close_date", None, ("closed_on",))


def _clear_reason(draft: Draft, name: str, reason: Reason | None) -> None:
    if reason is not None and reason.id is not None:
        draft.put(f"{name}_id", None, ("status",))
    if reason is not None and reason.label is not None:
        draft.put(name, None, ("status",))
