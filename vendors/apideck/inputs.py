"""Apideck's own input: what can be written into an opportunity and has no unified home.

Fields that the vendor marks as read-only (expected revenue, interactions, dates and users of creation and change) are not in it: they
cannot even be given.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vendors.extension import VendorId, described
from vendors.writes import UNSET, Maybe


@dataclass(frozen=True, slots=True, kw_only=True)
class ApideckExtendPathInput:
    """A value for one place of the request that Apideck makes to the connector."""

    path: Maybe[str] = described("Where to put it, as a JSONPath such as `$.nested.property`. Required.", default=UNSET)
    value: Maybe[Any] = described("The value, any JSON; null when left out.", default=UNSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApideckPassThroughInput:
    """What to hand on to the connector beyond the unified fields."""

    # Source: Apideck CRM API, schema PassThroughBody.
    service_id: Maybe[str] = described("The connector that it is for; the CRM's own when left out.", default=UNSET)
    operation_id: Maybe[str] = described("The downstream request that it is for, where there are several.", default=UNSET)
    extend_object: Maybe[Any] = described("A JSON object whose properties are added to the downstream request.", default=UNSET)
    extend_paths: Maybe[tuple[ApideckExtendPathInput, ...]] = described("Values for places of the downstream request.", default=UNSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApideckOpportunityInput:
    """Fields of an opportunity that only Apideck has. Texts and ids are the connected CRM's own."""

    # Source: Apideck CRM API, schema Opportunity.
    status: Maybe[str] = described(
        "The connector's word for its status; `planhat` takes active, won and lost.", wire="status", default=UNSET
    )
    status_id: Maybe[VendorId] = described("Id of its status.", wire="status_id", default=UNSET)
    priority: Maybe[str] = described("Its priority.", wire="priority", default=UNSET)
    loss_reason_id: Maybe[VendorId] = described("Id of the reason why it was lost.", wire="loss_reason_id", default=UNSET)
    loss_reason: Maybe[str] = described("Why it was lost.", wire="loss_reason", default=UNSET)
    won_reason_id: Maybe[VendorId] = described("Id of the reason why it was won.", wire="won_reason_id", default=UNSET)
    won_reason: Maybe[str] = described("Why it was won.", wire="won_reason", default=UNSET)
    source_id: Maybe[VendorId] = described("Id of its source.", wire="source_id", default=UNSET)
    lead_id: Maybe[VendorId] = described("Id of the lead it comes from.", wire="lead_id", default=UNSET)
    contact_id: Maybe[VendorId] = described(
        "Id of a contact, who may differ from the primary one; with all contacts given, one of them.", wire="contact_id", default=UNSET
    )
    company_name: Maybe[str] = described("Name of the company, where none is linked.", wire="company_name", default=UNSET)
    stage_last_changed_at: Maybe[datetime] = described(
        "When its stage last changed; usually the vendor's to say.", wire="stage_last_changed_at", default=UNSET
    )
    pass_through: Maybe[tuple[ApideckPassThroughInput, ...]] = described(
        "What to hand on to the connector in this write; it is not kept.", default=UNSET
    )
