"""How an opportunity is won, lost, and opened again: by its status, which the sales stage does not follow. Pure."""

from datetime import date
from typing import Final

from vendors.autotask.drafts import Draft, number_of
from vendors.autotask.rules import Known, own_fields, status_value
from vendors.model import Opportunity, OpportunityStatus
from vendors.writes import RuleCode, StatusValues, Unset

_REASON: Final = {OpportunityStatus.WON: ("winReason", "winReasonDetail"), OpportunityStatus.LOST: ("lossReason", "lossReasonDetail")}
# Source: Autotask REST "Opportunities", Field definitions (vendor help).
_DETAIL_LENGTH: Final = 500


def closing_draft_of(values: StatusValues, known: Known, current: Opportunity) -> Draft:
    """Write the body of a change of status. What has that status already keeps it: only what is said about it changes."""
    draft = Draft()
    if current.status is not values.status:
        _put_status(draft, values, known)
    if values.status is OpportunityStatus.OPEN:
        _reopen(draft, values, current)
        return draft
    reason, detail = _REASON[values.status]
    draft.choice(reason, values.reason_id, ("reason_id",), picklists=known.picklists)
    draft.text(detail, values.reason_detail, ("reason_detail",), max_length=_DETAIL_LENGTH)
    if values.status is OpportunityStatus.WON:
        _put_won_day(draft, values, known, current)
    else:
        _put_lost_day(draft, values, current)
    return draft


def _put_status(draft: Draft, values: StatusValues, known: Known) -> None:
    value = status_value(values.status, known.picklists)
    if value is None:
        message = "Restore that status in Autotask's picklist `status`: none of its active choices has the vendor's own label of it."
        draft.refuse(("status",), RuleCode.NOT_SUPPORTED, message)
    else:
        draft.put("status", number_of(value), ("status",))


def _reopen(draft: Draft, values: StatusValues, current: Opportunity) -> None:
    """The vendor clears the lost date itself."""
    for name in ("reason_id", "reason_detail", "closed_on"):
        if not isinstance(getattr(values, name), Unset) and getattr(values, name) is not None:
            draft.refuse((name,), RuleCode.CONTRADICTION, "Leave this out: an open opportunity has not been won or lost.")
    _clear_won_day(draft, current)


def _put_won_day(draft: Draft, values: StatusValues, known: Known, current: Opportunity) -> None:
    """Not documented: whether the vendor fills closedDate; it is always sent."""
    path = ("closed_on",)
    if not isinstance(values.closed_on, Unset):
        draft.day("closedDate", values.closed_on, path)
    elif current.status is not OpportunityStatus.WON or own_fields(current).closed_date is None:
        if known.today is None:
            draft.refuse(path, RuleCode.REQUIRED, "Give the day: Autotask did not tell today's date.")
        draft.day("closedDate", known.today, path)


def _put_lost_day(draft: Draft, values: StatusValues, current: Opportunity) -> None:
    """Source: Autotask REST "Opportunities", lostDate (vendor help): now when left out; kept when given together with the status."""
    path = ("closed_on",)
    if isinstance(values.closed_on, date):
        draft.day("lostDate", values.closed_on, path)
        if "lostDate" in draft.body:
            draft.put("lostDate", f"{draft.body['lostDate']}T00:00:00Z", path)
    elif values.closed_on is None:
        draft.refuse(path, RuleCode.REQUIRED, "Give a day, or leave this out: while an opportunity is lost, Autotask keeps when that was.")
    _clear_won_day(draft, current)


def _clear_won_day(draft: Draft, current: Opportunity) -> None:
    if own_fields(current).closed_date is not None:
        draft.put("closedDate", None, ("status",))
