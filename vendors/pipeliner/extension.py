"""Pipeliner's own fields: everything of its "Create Opportunity" page that has no unified home."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from vendors.extension import VendorId, described
from vendors.model import Ref

_DELETED = "Whether the vendor keeps it as deleted."
_PROTECTED = "Whether the vendor refuses to delete it."
_CREATED = "When it was created."
_MODIFIED = "When it was last changed."
_REVISION = "Number that grows with every change."


class PipelinerShareMode(StrEnum):
    """Who may see an opportunity."""

    STANDARD = "standard"
    PRIVATE = "private"
    ALL_VIEW = "all_view"
    ALL_EDIT = "all_edit"


class PipelinerLabel(StrEnum):
    """A label of an opportunity; it may have several."""

    PRIORITY = "priority"
    HOT = "hot"
    STALLED = "stalled"


class PipelinerAccountClass(StrEnum):
    """Rating of an account."""

    NO_CLASS = "no_class"
    A = "a"
    B = "b"
    C = "c"
    D = "d"


class PipelinerGender(StrEnum):
    """Gender of a contact."""

    UNKNOWN = "unknown"
    MALE = "male"
    FEMALE = "female"
    NON_BINARY = "non_binary"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerCurrency:
    """A currency that people of the space set up."""

    id: VendorId = described("The vendor's id of it.", wire="id")
    code: str | None = described("Code as entered, usually ISO 4217 letters.", wire="code")
    symbol: str | None = described("Symbol as entered.", wire="symbol")
    is_base: bool | None = described("Whether base values are in it.", wire="is_base")
    is_delete_protected: bool | None = described(_PROTECTED, wire="is_delete_protected")
    is_deleted: bool | None = described(_DELETED, wire="is_deleted")
    revision: int | None = described(_REVISION, wire="revision")
    created: datetime | None = described(_CREATED, wire="created")
    modified: datetime | None = described(_MODIFIED, wire="modified")
    exchange_rate_ids: tuple[VendorId, ...] = described("Ids of its exchange rates.", wire="currency_exchange_rates", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerOpportunityValue:
    """What an opportunity is worth, in two currencies."""

    base_value: Decimal | None = described("In the base currency.", wire="base_value")
    value_foreign: Decimal | None = described("In the opportunity's own currency.", wire="value_foreign")
    currency: PipelinerCurrency | None = described("The opportunity's own currency.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerFitness:
    """How well an opportunity is looked after, as the vendor reckons it."""

    is_won: bool | None = described("Whether it is won.", wire="is_won")
    is_overdue: bool | None = described("Whether its closing date has passed.", wire="is_overdue")
    activities_on_time: int | None = described("Activities that are on time.", wire="activities_on_time")
    scheduled_activity: int | None = described("Activities that are scheduled.", wire="scheduled_activity")
    fitness: int | None = described("The vendor's score.", wire="fitness")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerOpportunityAccount:
    """Link of an opportunity to an account."""

    id: VendorId = described("The vendor's id of the link.")
    is_primary: bool | None = described("Whether it is the main account.")
    account_ref: Ref | None = described("The account.", relation="accounts")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerOpportunityContact:
    """Link of an opportunity to a contact."""

    id: VendorId = described("The vendor's id of the link.")
    is_primary: bool | None = described("Whether it is the main contact.")
    contact_ref: Ref | None = described("The contact.", relation="contacts")
    relationship: int | None = described("Strength of the relationship: 0 none, 1 weak, 2 moderate, 3 strong.")
    comment: str | None = described("Comment on the link.")
    sales_roles: tuple[VendorId, ...] = described("Ids of the roles the contact plays in the sale.", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerOpportunityFields:
    """Fields of an opportunity that only Pipeliner has, or that the unified fields show in another way."""

    formatted_name: str | None = described("Name as the vendor shows it.", wire="formatted_name")
    is_delete_protected: bool | None = described(_PROTECTED, wire="is_delete_protected")
    is_favorite: bool | None = described("Whether it is marked as a favourite.", wire="is_favorite")
    is_value_auto_calculate: bool | None = described("Whether its value comes from its product lines.", wire="is_value_auto_calculate")
    was_qualified: bool | None = described("Whether it was a lead before.", wire="was_qualified")
    label_flag: int | None = described("Labels as a bit mask: 1 priority, 2 hot, 4 stalled.", wire="label_flag")
    labels: tuple[PipelinerLabel, ...] = described("Labels.", default=())
    ranking: int | None = described("Rank by quality.", wire="ranking")
    days_in_step: int | None = described("Whole days since it came into its stage.", wire="days_in_step")
    qualify_date: datetime | None = described("When the lead became an opportunity.", wire="qualify_date")
    won_date: datetime | None = described("When it was won; the status decides whether it is.")
    lost_date: datetime | None = described("When it was lost; the status decides whether it is.")
    oppty_type_id: VendorId | None = described("Id of its opportunity type.")
    unit_id: VendorId | None = described("Id of its sales unit.")
    product_currency_id: VendorId | None = described("Id of the currency of its product lines.")
    product_price_list_id: VendorId | None = described("Id of its price list.")
    reason_of_close_id: VendorId | None = described("Id of the reason why it was won or lost.")
    reason_of_close_description: str | None = described("Why it was won or lost, in words.", wire="reason_of_close_description")
    product_sections: Any = described("Sections of its product lines.", wire="product_sections")
    quick_account_name: str | None = described("Company as typed, where no account is linked.", wire="quick_account_name")
    quick_account_email: str | None = described("E-mail address of that company.", wire="quick_account_email")
    quick_account_phone: str | None = described("Telephone number of that company.", wire="quick_account_phone")
    quick_contact_name: str | None = described("Person as typed, where no contact is linked.", wire="quick_contact_name")
    quick_email: str | None = described("E-mail address of that person.", wire="quick_email")
    quick_phone: str | None = described("Telephone number of that person.", wire="quick_phone")
    share_mode: PipelinerShareMode | None = described("Who may see it.")
    revision: int | None = described(_REVISION, wire="revision")
    value: PipelinerOpportunityValue | None = described("What it is worth.")
    fitness: PipelinerFitness | None = described("How well it is looked after.")
    oppty_recurrence: VendorId | None = described("Id of its recurrence.", wire="oppty_recurrence")
    revenue_schedule: VendorId | None = described("Id of its revenue schedule.", wire="revenue_schedule")
    product_relations: tuple[VendorId, ...] = described("Ids of its product lines.", wire="product_relations", default=())
    documents: tuple[VendorId, ...] = described("Ids of its documents.", wire="documents", default=())
    sharing_units: tuple[VendorId, ...] = described("Ids of its shares with sales units.", wire="sharing_units", default=())
    sharing_clients: tuple[VendorId, ...] = described("Ids of its shares with users.", wire="sharing_clients", default=())
    account_relations: tuple[PipelinerOpportunityAccount, ...] = described("Links to its accounts.", default=())
    contact_relations: tuple[PipelinerOpportunityContact, ...] = described("Links to its contacts.", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerPipelineFields:
    """Fields of a pipeline that only Pipeliner has."""

    color: int | None = described("Colour as an RGB number.", wire="color")
    revision: int | None = described(_REVISION, wire="revision")
    is_delete_protected: bool | None = described(_PROTECTED, wire="is_delete_protected")
    is_deleted: bool | None = described(_DELETED, wire="is_deleted")
    created: datetime | None = described(_CREATED, wire="created")
    modified: datetime | None = described(_MODIFIED, wire="modified")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerStageFields:
    """Fields of a stage that only Pipeliner has."""

    sort_order: int | None = described("The vendor's own number of its place.", wire="sort_order")
    timeframe: int | None = described("Days an opportunity should stay in it.", wire="timeframe")
    documents: tuple[VendorId, ...] = described("Ids of its documents.", wire="documents", default=())
    step_checklists: tuple[VendorId, ...] = described("Ids of what has to be done before it is left.", wire="step_checklists", default=())
    revision: int | None = described(_REVISION, wire="revision")
    is_delete_protected: bool | None = described(_PROTECTED, wire="is_delete_protected")
    is_deleted: bool | None = described(_DELETED, wire="is_deleted")
    created: datetime | None = described(_CREATED, wire="created")
    modified: datetime | None = described(_MODIFIED, wire="modified")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerUserFields:
    """Fields of a user that only Pipeliner has."""

    default_unit_id: VendorId | None = described("Id of the sales unit that new records of the user belong to.", wire="default_unit_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerContactAccountRelation:
    """Link of a contact to an account."""

    id: VendorId = described("The vendor's id of the link.", wire="id")
    account_ref: Ref | None = described("The account.", relation="accounts")
    contact_ref: Ref | None = described("The contact.", relation="contacts")
    comment: str | None = described("Comment on the link.", wire="comment")
    is_assistant: bool | None = described("Whether the contact is an assistant there.", wire="is_assistant")
    is_primary: bool | None = described("Whether it is the contact's main account.", wire="is_primary")
    is_sibling: bool | None = described("Whether it is a link between equals.", wire="is_sibling")
    position: str | None = described("The contact's position at the account.", wire="position")
    relationship: int | None = described("Strength of the relationship: 0 none, 1 weak, 2 moderate, 3 strong.", wire="relationship")
    account_roles: tuple[VendorId, ...] = described("Ids of the contact's roles there.", wire="account_roles", default=())
    revision: int | None = described(_REVISION, wire="revision")
    is_deleted: bool | None = described(_DELETED, wire="is_deleted")
    is_delete_protected: bool | None = described(_PROTECTED, wire="is_delete_protected")
    created: datetime | None = described(_CREATED, wire="created")
    modified: datetime | None = described(_MODIFIED, wire="modified")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerAccountFields:
    """Fields of an account that only Pipeliner has, or that the unified fields show in another way."""

    account_type_id: VendorId | None = described("Id of its account type.")
    customer_type_id: VendorId | None = described("Id of its customer type.")
    industry_id: VendorId | None = described("Id of its industry.")
    parent_account_id: VendorId | None = described("Id of the account it belongs to.")
    parent_account_relation_type_id: VendorId | None = described("Id of how it belongs to its parent.")
    picture_id: VendorId | None = described("Id of its picture.", wire="picture")
    unit_id: VendorId | None = described("Id of its sales unit.")
    account_class: PipelinerAccountClass | None = described("Rating.")
    comments: str | None = described("Comments.", wire="comments")
    emails: tuple[str, ...] = described("All e-mail addresses, the main one first.", default=())
    phones: tuple[str, ...] = described("All telephone numbers, the main one first.", default=())
    health_category: str | None = described("The vendor's health category.", wire="health_category")
    health_status: str | None = described("The vendor's health status.", wire="health_status")
    is_delete_protected: bool | None = described(_PROTECTED, wire="is_delete_protected")
    is_deleted: bool | None = described(_DELETED, wire="is_deleted")
    revision: int | None = described(_REVISION, wire="revision")
    created: datetime | None = described(_CREATED, wire="created")
    modified: datetime | None = described(_MODIFIED, wire="modified")
    contact_relations: tuple[PipelinerContactAccountRelation, ...] = described("Links to its contacts.", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinerContactFields:
    """Fields of a contact that only Pipeliner has, or that the unified fields show in another way."""

    middle_name: str | None = described("Middle name.", wire="middle_name")
    title: str | None = described("Form of address.", wire="title")
    account_position: str | None = described("Position at the main account.", wire="account_position")
    gender: PipelinerGender | None = described("Gender.")
    emails: tuple[str, ...] = described("All e-mail addresses, the main one first.", default=())
    phones: tuple[str, ...] = described("All telephone numbers, the main one first.", default=())
    is_delete_protected: bool | None = described(_PROTECTED, wire="is_delete_protected")
    is_deleted: bool | None = described(_DELETED, wire="is_deleted")
    revision: int | None = described(_REVISION, wire="revision")
    created: datetime | None = described(_CREATED, wire="created")
    modified: datetime | None = described(_MODIFIED, wire="modified")
    account_relations: tuple[PipelinerContactAccountRelation, ...] = described("Links to the accounts the contact belongs to.", default=())
