"""Apideck's own fields: everything of its CRM models that has no unified home."""

from dataclasses import dataclass
from datetime import datetime

from vendors.extension import VendorId, described


@dataclass(frozen=True, slots=True, kw_only=True)
class ApideckOpportunityFields:
    """Fields of an opportunity that only Apideck has, or that the unified fields show in another way."""

    loss_reason_id: VendorId | None = described("Id of the reason why it was lost.", wire="loss_reason_id")
    won_reason_id: VendorId | None = described("Id of the reason why it was won.", wire="won_reason_id")
    source_id: VendorId | None = described("Id of its source.", wire="source_id")
    lead_id: VendorId | None = described("Id of the lead it came from.", wire="lead_id")
    status_id: VendorId | None = described("Id of its status.", wire="status_id")
    contact_id: VendorId | None = described("Id of a contact; may differ from the primary one.", wire="contact_id")
    interaction_count: float | None = described("Number of interactions.", wire="interaction_count")
    date_stage_changed: datetime | None = described("When its stage changed; read-only at the vendor.", wire="date_stage_changed")
    stage_last_changed_at: datetime | None = described("When its stage last changed.", wire="stage_last_changed_at")
    date_last_contacted: datetime | None = described("When somebody was last in contact about it.", wire="date_last_contacted")
    date_lead_created: datetime | None = described("When its lead was created.", wire="date_lead_created")
    custom_mappings: object | None = described("Results of the field mappings that are configured in Apideck.", wire="custom_mappings")
    raw_currency: str | None = described("The currency as sent, which may be `UNKNOWN_CURRENCY`.", wire="currency")
    service: str | None = described("The connector it came through.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApideckPipelineFields:
    """Fields of a pipeline that only Apideck has."""

    active: bool | None = described("Whether it is active.", wire="active")
    display_order: int | None = described("The connector's own order of pipelines.", wire="display_order")
    win_probability_enabled: bool | None = described("Whether its stages have a chance of winning.", wire="win_probability_enabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApideckStageFields:
    """Fields of a stage that only Apideck has."""

    value: str | None = described("The connector's constant of the stage.", wire="value")
    display_order: int | None = described("The connector's own order; may repeat or be missing.", wire="display_order")
    created_at: datetime | None = described("When it was created.", wire="created_at")
    updated_at: datetime | None = described("When it was last changed.", wire="updated_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApideckCustomFieldFields:
    """Fields of a custom field's value that only Apideck has."""

    description: str | None = described("What the field is for.", wire="description")
