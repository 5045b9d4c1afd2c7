"""ONLYOFFICE's own input: what can be written into an opportunity and has no unified home."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from vendors.extension import VendorId, described
from vendors.onlyoffice.extension import OnlyofficeBidType
from vendors.writes import UNSET, Maybe


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyofficeOpportunityInput:
    """Fields of an opportunity that only ONLYOFFICE has, or that it takes in another way than the unified ones."""

    bid_type: Maybe[OnlyofficeBidType] = described(
        "How it is paid: once, which is what a new opportunity has, or by period. Cannot be cleared.", wire="bidType", default=UNSET
    )
    bid_value: Maybe[Decimal] = described(
        "The bid; that of one period when it is paid by period, and the amount is then that for all periods. Cannot be cleared.",
        wire="bidValue",
        default=UNSET,
    )
    per_period_value: Maybe[int] = described(
        "Number of periods; 0 while it is not agreed. Cannot be cleared.", wire="perPeriodValue", default=UNSET
    )
    actual_close_date: Maybe[date] = described(
        "Day on which it was won or lost. The portal itself sets it when an opportunity is moved to a stage that closes it.",
        wire="actualCloseDate",
        default=UNSET,
    )
    is_private: Maybe[bool] = described(
        "Whether only those in the access list may see it. Only its creator or an administrator may change that.",
        wire="isPrivate",
        default=UNSET,
    )
    access_list: Maybe[tuple[VendorId, ...]] = described(
        "The vendor's ids of the users who may see it when it is private; the configured user is always among them.",
        wire="accessList",
        relation="users",
        default=UNSET,
    )
    is_notify: Maybe[bool] = described("Whether those in the access list are told by e-mail.", wire="isNotify", default=UNSET)
