"""Autotask's own input: what can be written into an opportunity and has no unified home.

Fields that the vendor keeps itself (creation, activity, scores, sales order) are not in it: they cannot even be given.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from vendors.extension import VendorId, described
from vendors.writes import UNSET, Maybe

_REVENUE = "In the account's currency. Amount and cost become the totals of their parts, so neither can be given as well."
_COST = "In the internal currency. Amount and cost become the totals of their parts, so neither can be given as well."


@dataclass(frozen=True, slots=True, kw_only=True)
class AutotaskOpportunityInput:
    """Fields of an opportunity that only Autotask has. Choices of picklists are given by the vendor's number of the choice."""

    status: Maybe[VendorId] = described("The vendor's status; the active one when an opportunity is created.", wire="status", default=UNSET)
    start_date: Maybe[datetime] = described(
        "When the deal began; today when an opportunity is created. Cannot be cleared.", wire="startDate", default=UNSET
    )
    closed_date: Maybe[date] = described("Day on which it was won.", wire="closedDate", default=UNSET)
    lost_date: Maybe[datetime] = described(
        "When it was lost; taken only while the status is Lost, or together with that status.", wire="lostDate", default=UNSET
    )
    through_date: Maybe[date] = described("Day through which the recurring parts run.", wire="throughDate", default=UNSET)
    promised_fulfillment_date: Maybe[datetime] = described("When delivery was promised.", wire="promisedFulfillmentDate", default=UNSET)
    barriers: Maybe[str] = described("What stands in the way; at most 500 characters.", wire="barriers", default=UNSET)
    help_needed: Maybe[str] = described("What help is needed; at most 500 characters.", wire="helpNeeded", default=UNSET)
    market: Maybe[str] = described("The market; at most 500 characters.", wire="market", default=UNSET)
    next_step: Maybe[str] = described("What to do next; at most 500 characters.", wire="nextStep", default=UNSET)
    loss_reason: Maybe[VendorId] = described("Why it was lost.", wire="lossReason", default=UNSET)
    loss_reason_detail: Maybe[str] = described("Why it was lost, in words; at most 500 characters.", wire="lossReasonDetail", default=UNSET)
    win_reason: Maybe[VendorId] = described("Why it was won.", wire="winReason", default=UNSET)
    win_reason_detail: Maybe[str] = described("Why it was won, in words; at most 500 characters.", wire="winReasonDetail", default=UNSET)
    primary_competitor: Maybe[VendorId] = described("The main competitor.", wire="primaryCompetitor", default=UNSET)
    rating: Maybe[VendorId] = described("How the deal is rated.", wire="rating", default=UNSET)
    promotion_name: Maybe[str] = described("Name of the promotion; at most 50 characters.", wire="promotionName", default=UNSET)
    product_id: Maybe[VendorId] = described("Id of the product.", wire="productID", default=UNSET)
    organizational_level_association_id: Maybe[VendorId] = described(
        "Id of the organizational level, an active one; cannot be cleared.", wire="organizationalLevelAssociationID", default=UNSET
    )
    use_quote_totals: Maybe[bool] = described(
        "Whether the amounts come from the primary quote; only once a quote refers to the opportunity.",
        wire="useQuoteTotals",
        default=UNSET,
    )
    cost: Maybe[Decimal] = described("Total cost, in the internal currency; 0 when an opportunity is created.", wire="cost", default=UNSET)
    onetime_cost: Maybe[Decimal] = described(f"One-time cost. {_COST}", wire="onetimeCost", default=UNSET)
    onetime_revenue: Maybe[Decimal] = described(f"One-time revenue. {_REVENUE}", wire="onetimeRevenue", default=UNSET)
    monthly_cost: Maybe[Decimal] = described(f"Cost a month. {_COST}", wire="monthlyCost", default=UNSET)
    monthly_revenue: Maybe[Decimal] = described(f"Revenue a month. {_REVENUE}", wire="monthlyRevenue", default=UNSET)
    quarterly_cost: Maybe[Decimal] = described(f"Cost a quarter. {_COST}", wire="quarterlyCost", default=UNSET)
    quarterly_revenue: Maybe[Decimal] = described(f"Revenue a quarter. {_REVENUE}", wire="quarterlyRevenue", default=UNSET)
    semiannual_cost: Maybe[Decimal] = described(f"Cost a half-year. {_COST}", wire="semiannualCost", default=UNSET)
    semiannual_revenue: Maybe[Decimal] = described(f"Revenue a half-year. {_REVENUE}", wire="semiannualRevenue", default=UNSET)
    yearly_cost: Maybe[Decimal] = described(f"Cost a year. {_COST}", wire="yearlyCost", default=UNSET)
    yearly_revenue: Maybe[Decimal] = described(f"Revenue a year. {_REVENUE}", wire="yearlyRevenue", default=UNSET)
    total_amount_months: Maybe[int] = described(
        "Number of months that recurring parts are totalled over.", wire="totalAmountMonths", default=UNSET
    )
    revenue_spread: Maybe[int] = described(
        "Number of units that the revenue is spread over; only together with a unit.", wire="revenueSpread", default=UNSET
    )
    revenue_spread_unit: Maybe[str] = described("Unit of the spread; at most 6 characters.", wire="revenueSpreadUnit", default=UNSET)
    advanced_field1: Maybe[Decimal] = described("First free number of the opportunity.", wire="advancedField1", default=UNSET)
    advanced_field2: Maybe[Decimal] = described("Second free number of the opportunity.", wire="advancedField2", default=UNSET)
    advanced_field3: Maybe[Decimal] = described("Third free number of the opportunity.", wire="advancedField3", default=UNSET)
    advanced_field4: Maybe[Decimal] = described("Fourth free number of the opportunity.", wire="advancedField4", default=UNSET)
    advanced_field5: Maybe[Decimal] = described("Fifth free number of the opportunity.", wire="advancedField5", default=UNSET)
