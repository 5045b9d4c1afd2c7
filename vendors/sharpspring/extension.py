"""Lead Gen & CRM's own fields: what its Opportunities article describes and the unified fields do not hold."""

from dataclasses import dataclass

from vendors.extension import VendorId, described
from vendors.model import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpspringLink:
    """A row of the table that connects opportunities and leads."""

    id: VendorId = described("Id of the connection, needed to remove it.", wire="id")
    lead_ref: Ref | None = described("The lead.", relation="contacts")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpspringOpportunityFields:
    """Fields of an opportunity that only Lead Gen & CRM has, or that the unified fields show in another way."""

    campaign_id: VendorId | None = described("Id of the campaign it came from.", wire="campaignID")
    originating_lead_id: VendorId | None = described("Id of the lead it began with.", wire="originatingLeadID")
    originating_lead_ref: Ref | None = described("The lead it began with.", relation="contacts")
    is_closed: bool | None = described("Whether it is closed; null where the vendor leaves it empty.", wire="isClosed")
    is_won: bool | None = described("Whether it is won; null where the vendor leaves it empty.", wire="isWon")
    is_active: bool | None = described("False for one that was put away, which lists then leave out.", wire="isActive")
    links: tuple[SharpspringLink, ...] | None = described("Its connections to leads, by id.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpspringStageFields:
    """Fields of a deal stage that only Lead Gen & CRM has."""

    weight: int | None = described("The vendor's number that stages are ordered by; may be null.", wire="weight")
    is_editable: bool | None = described("False for a stage that belongs to the system.", wire="isEditable")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpspringFieldDefinition:
    """Fields of a custom field's definition that only Lead Gen & CRM has."""

    id: VendorId | None = described("The vendor's id of the definition.", wire="id")
    source: str | None = described("Where the field comes from, in the vendor's words.", wire="source")
    is_available_in_contact_manager: bool | None = described("Whether the contact manager shows it.", wire="isAvailableInContactManager")
    is_editable_in_contact_manager: bool | None = described(
        "Whether it can be changed in the contact manager.", wire="isEditableInContactManager"
    )
    is_available_in_forms: bool | None = described("Whether forms can hold it.", wire="isAvailableInForms")
