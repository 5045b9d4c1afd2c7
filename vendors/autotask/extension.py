"""Autotask's own fields: everything of its Opportunities page that has no unified home."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from vendors.extension import VendorId, described
from vendors.model import Ref

_REVENUE = "In the company's currency."
_COST = "In the internal currency."


@dataclass(frozen=True, slots=True, kw_only=True)
class AutotaskPicklistValue:
    """A choice of a picklist. Inactive ones still occur in records."""

    value: VendorId = described("The vendor's number of the choice.")
    label: str | None = described("What people see.")
    is_active: bool | None = described("Whether it can still be chosen; null when the picklist does not hold it any more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AutotaskOpportunityFields:
    """Fields of an opportunity that only Autotask has, or that the unified fields show in another way."""

    advanced_field1: Decimal | None = described("First free number of the opportunity.", wire="advancedField1")
    advanced_field2: Decimal | None = described("Second free number of the opportunity.", wire="advancedField2")
    advanced_field3: Decimal | None = described("Third free number of the opportunity.", wire="advancedField3")
    advanced_field4: Decimal | None = described("Fourth free number of the opportunity.", wire="advancedField4")
    advanced_field5: Decimal | None = described("Fifth free number of the opportunity.", wire="advancedField5")
    assessment_score: Decimal | None = described("Score of the whole assessment; read-only.", wire="assessmentScore")
    relationship_assessment_score: Decimal | None = described("Score of the relationship; read-only.", wire="relationshipAssessmentScore")
    technical_assessment_score: Decimal | None = described("Score of the technical fit; read-only.", wire="technicalAssessmentScore")
    sales_process_percent_complete: Decimal | None = described(
        "How far the sales process is, in percent; read-only.", wire="salesProcessPercentComplete"
    )
    barriers: str | None = described("What stands in the way; at most 500 characters.", wire="barriers")
    help_needed: str | None = described("What help is needed; at most 500 characters.", wire="helpNeeded")
    market: str | None = described("The market; at most 500 characters.", wire="market")
    next_step: str | None = described("What to do next; at most 500 characters.", wire="nextStep")
    loss_reason_detail: str | None = described("Why it was lost, in words; at most 500 characters.", wire="lossReasonDetail")
    win_reason_detail: str | None = described("Why it was won, in words; at most 500 characters.", wire="winReasonDetail")
    promotion_name: str | None = described("Name of the promotion; at most 50 characters.", wire="promotionName")
    closed_date: date | None = described("Day on which it was won.", wire="closedDate")
    projected_close_date: date | None = described("Day on which it is expected to close.", wire="projectedCloseDate")
    through_date: date | None = described("Day through which the recurring parts run.", wire="throughDate")
    promised_fulfillment_date: datetime | None = described("When delivery was promised.", wire="promisedFulfillmentDate")
    start_date: datetime | None = described("When the deal began; the creation date that the product shows.", wire="startDate")
    create_date: datetime | None = described("When the record was created.", wire="createDate")
    last_activity: datetime | None = described("When something last happened to it.", wire="lastActivity")
    lost_date: datetime | None = described("When it was lost; kept by the vendor.", wire="lostDate")
    cost: Decimal | None = described(f"Total cost. {_COST}", wire="cost")
    onetime_cost: Decimal | None = described(f"One-time cost. {_COST}", wire="onetimeCost")
    onetime_revenue: Decimal | None = described(f"One-time revenue. {_REVENUE}", wire="onetimeRevenue")
    monthly_cost: Decimal | None = described(f"Cost a month. {_COST}", wire="monthlyCost")
    monthly_revenue: Decimal | None = described(f"Revenue a month. {_REVENUE}", wire="monthlyRevenue")
    quarterly_cost: Decimal | None = described(f"Cost a quarter. {_COST}", wire="quarterlyCost")
    quarterly_revenue: Decimal | None = described(f"Revenue a quarter. {_REVENUE}", wire="quarterlyRevenue")
    semiannual_cost: Decimal | None = described(f"Cost a half-year. {_COST}", wire="semiannualCost")
    semiannual_revenue: Decimal | None = described(f"Revenue a half-year. {_REVENUE}", wire="semiannualRevenue")
    yearly_cost: Decimal | None = described(f"Cost a year. {_COST}", wire="yearlyCost")
    yearly_revenue: Decimal | None = described(f"Revenue a year. {_REVENUE}", wire="yearlyRevenue")
    total_amount_months: int | None = described("Number of months that recurring parts are totalled over.", wire="totalAmountMonths")
    revenue_spread: int | None = described("Number of units that the revenue is spread over.", wire="revenueSpread")
    revenue_spread_unit: str | None = described("Unit of the spread; at most 6 characters.", wire="revenueSpreadUnit")
    use_quote_totals: bool | None = described("Whether the amounts come from the primary quote.", wire="useQuoteTotals")
    lead_source: AutotaskPicklistValue | None = described("Where the lead came from.")
    loss_reason: AutotaskPicklistValue | None = described("Why it was lost.")
    win_reason: AutotaskPicklistValue | None = described("Why it was won.")
    primary_competitor: AutotaskPicklistValue | None = described("The main competitor.")
    rating: AutotaskPicklistValue | None = described("How the deal is rated.")
    opportunity_category_id: AutotaskPicklistValue | None = described("Category, which brings default values.")
    status: AutotaskPicklistValue | None = described("The vendor's status; it decides the unified one.")
    stage: AutotaskPicklistValue | None = described("The vendor's sales stage.")
    product_id: VendorId | None = described("Id of the product.", wire="productID")
    sales_order_id: VendorId | None = described("Id of the sales order; read-only.", wire="salesOrderID")
    organizational_level_association_id: VendorId | None = described(
        "Id of the organizational level; cannot be cleared.", wire="organizationalLevelAssociationID"
    )
    creator_resource_ref: Ref | None = described("Who created it.", relation="users")
    impersonator_creator_resource_ref: Ref | None = described("Who created it in another's name.", relation="users")
