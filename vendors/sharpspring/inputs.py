"""What can be written into Lead Gen & CRM beyond the unified values."""

from dataclasses import dataclass

from vendors.extension import VendorId, described
from vendors.writes import UNSET, Maybe


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpspringOpportunityInput:
    """Fields of an opportunity that only Lead Gen & CRM has."""

    # Source: Lead Gen & CRM Open API Schema: Opportunities (vendor help, article 50887), table "Opportunity".
    campaign_id: Maybe[VendorId] = described("Id of the campaign it came from.", wire="campaignID", default=UNSET)
    originating_lead_id: Maybe[VendorId] = described("The vendor's id of the lead it began with.", wire="originatingLeadID", default=UNSET)
    is_closed: Maybe[bool] = described("Whether it is closed; cannot be null.", wire="isClosed", default=UNSET)
    is_won: Maybe[bool] = described("Whether it is won, which only a closed one is; cannot be null.", wire="isWon", default=UNSET)
    is_active: Maybe[bool] = described("False puts it away, so that lists leave it out; cannot be null.", wire="isActive", default=UNSET)
