"""Pipeliner's own input: what its create request takes besides the unified values.

What the server keeps itself (status, days in the step, fitness, favourites, qualification date, revision) is not in it. Neither are links
to product lines, documents and shares: they are made where those records are.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vendors.extension import VendorId, described
from vendors.pipeliner.extension import PipelinerLabel, PipelinerShareMode
from vendors.writes import UNSET, Maybe


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerOpportunityInput:
    """Fields of an opportunity that only Pipeliner has."""

    # Source: Pipeliner "Create Opportunity", POST/entities/Opportunities, Body.
    oppty_type_id: Maybe[VendorId] = described("Id of its opportunity type; instead of `type`.", wire="oppty_type_id", default=UNSET)
    unit_id: Maybe[VendorId] = described(
        "Id of its sales unit; the owner's default one when an opportunity is created.", wire="unit_id", default=UNSET
    )
    share_mode: Maybe[PipelinerShareMode] = described("Who may see it; cannot be cleared.", wire="share_mode", default=UNSET)
    labels: Maybe[tuple[PipelinerLabel, ...]] = described("Labels; replaces them all.", wire="label_flag", default=UNSET)
    ranking: Maybe[int] = described("Rank by quality; cannot be cleared.", wire="ranking", default=UNSET)
    is_archived: Maybe[bool] = described(
        "Whether it is in the archive, which may lose it; cannot be cleared.", wire="is_archived", default=UNSET
    )
    is_value_auto_calculate: Maybe[bool] = described(
        "Whether its value comes from its product lines; cannot be cleared.", wire="is_value_auto_calculate", default=UNSET
    )
    was_qualified: Maybe[bool] = described("Whether it was a lead before; cannot be cleared.", wire="was_qualified", default=UNSET)
    product_currency_id: Maybe[VendorId] = described("Id of the currency of its product lines.", wire="product_currency_id", default=UNSET)
    product_price_list_id: Maybe[VendorId] = described("Id of its price list.", wire="product_price_list_id", default=UNSET)
    product_sections: Maybe[Any] = described("Sections of its product lines, an object.", wire="product_sections", default=UNSET)
    quick_account_name: Maybe[str] = described("Company as typed, where no account is linked.", wire="quick_account_name", default=UNSET)
    quick_account_email: Maybe[str] = described("E-mail address of that company.", wire="quick_account_email", default=UNSET)
    quick_account_phone: Maybe[str] = described("Telephone number of that company.", wire="quick_account_phone", default=UNSET)
    quick_contact_name: Maybe[str] = described("Person as typed, where no contact is linked.", wire="quick_contact_name", default=UNSET)
    quick_email: Maybe[str] = described("E-mail address of that person.", wire="quick_email", default=UNSET)
    quick_phone: Maybe[str] = described("Telephone number of that person.", wire="quick_phone", default=UNSET)
    reason_of_close_id: Maybe[VendorId] = described("Id of the reason why it was won or lost.", wire="reason_of_close_id", default=UNSET)
    reason_of_close_description: Maybe[str] = described(
        "Why it was won or lost, in words.", wire="reason_of_close_description", default=UNSET
    )
    won_date: Maybe[datetime] = described("When it was won; whether that wins it is up to the vendor.", wire="won_date", default=UNSET)
    lost_date: Maybe[datetime] = described("When it was lost; whether that loses it is up to the vendor.", wire="lost_date", default=UNSET)
    created: Maybe[datetime] = described("When it was created, for one that is brought in from elsewhere.", wire="created", default=UNSET)
