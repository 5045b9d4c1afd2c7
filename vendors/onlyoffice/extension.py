"""ONLYOFFICE's own fields: everything of its opportunity object that has no unified home, or that the unified fields show differently."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from vendors.extension import VendorId, described
from vendors.model import Ref

N = TypeVar("N", bound=StrEnum)


class OnlyofficeBidType(StrEnum):
    """How an opportunity is paid."""

    FIXED_BID = "fixed_bid"
    PER_HOUR = "per_hour"
    PER_DAY = "per_day"
    PER_WEEK = "per_week"
    PER_MONTH = "per_month"
    PER_YEAR = "per_year"


class OnlyofficeShareType(StrEnum):
    """What everybody may do with a contact."""

    NONE = "none"
    READ_WRITE = "read_write"
    READ = "read"


class OnlyofficeStageType(StrEnum):
    """What a stage means in the vendor's words."""

    OPEN = "open"
    CLOSED_AND_WON = "closed_and_won"
    CLOSED_AND_LOST = "closed_and_lost"


class OnlyofficeFieldType(StrEnum):
    """Kind of a custom field in the vendor's words."""

    TEXT_FIELD = "text_field"
    TEXT_AREA = "text_area"
    SELECT_BOX = "select_box"
    CHECK_BOX = "check_box"
    HEADING = "heading"
    DATE = "date"


def member(kind: type[N], number: int | None) -> N | None:
    """A member by the vendor's number, which is its rank. Numbers that are left out mean 0; unknown ones give None."""
    members, at = list(kind), number or 0
    return members[at] if 0 <= at < len(members) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyofficeCurrency:
    """A currency of the portal."""

    title: str | None = described("Name of the currency.", wire="title")
    symbol: str | None = described("Its symbol.", wire="symbol")
    abbreviation: str | None = described("Its ISO 4217 letters.", wire="abbreviation")
    culture_name: str | None = described("Region that it belongs to, such as US.", wire="cultureName")
    is_convertable: bool | None = described("Whether the portal can convert it.", wire="isConvertable")
    is_basic: bool | None = described("Whether it is among the portal's basic currencies.", wire="isBasic")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyofficeContactBase:
    """A person or a company as an opportunity holds it. Both live in one id space."""

    id: VendorId = described("The vendor's id of the contact.", wire="id")
    display_name: str | None = described("Name.", wire="displayName")
    is_company: bool | None = described("Whether it is a company; a person otherwise.", wire="isCompany")
    small_foto_url: str | None = described("Address of the small picture.", wire="smallFotoUrl")
    medium_foto_url: str | None = described("Address of the larger picture.", wire="mediumFotoUrl")
    access_list_refs: tuple[Ref, ...] = described("Who may see it when it is private.", relation="users", default=())
    is_private: bool | None = described("Whether only some users may see it.", wire="isPrivate")
    is_shared: bool | None = described("Whether everybody may see it.", wire="isShared")
    share_type: OnlyofficeShareType | None = described("What everybody may do with it.")
    currency: OnlyofficeCurrency | None = described("Currency of the contact.")
    can_edit: bool | None = described("Whether the configured user may change it.", wire="canEdit")
    can_delete: bool | None = described("Whether the configured user may delete it.", wire="canDelete")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyofficeOpportunityFields:
    """Fields of an opportunity that only ONLYOFFICE has, or that the unified fields show in another way."""

    bid_type: OnlyofficeBidType | None = described("How it is paid: once, or by period.")
    bid_value: Decimal | None = described("The bid; that of one period when it is paid by period.")
    per_period_value: int | None = described("Number of periods; 0 also when it is not agreed yet.")
    bid_currency: OnlyofficeCurrency | None = described("Currency of the bid.")
    contact: OnlyofficeContactBase | None = described("The primary contact, a person or a company; null when none, or not visible.")
    members: tuple[OnlyofficeContactBase, ...] = described("Participants, persons and companies, as far as visible.", default=())
    access_list_refs: tuple[Ref, ...] = described("Who may see it when it is private.", relation="users", default=())
    is_private: bool | None = described("Whether only some users may see it.", wire="isPrivate")
    can_edit: bool | None = described("Whether the configured user may change it.", wire="canEdit")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyofficeStageFields:
    """Fields of a stage that the unified fields show in another way."""

    stage_type: OnlyofficeStageType | None = described("What the stage means.")
    sort_order: int | None = described("Declared by the vendor and left empty in practice; `order` is the rank.", wire="sortOrder")
    color: str | None = described("Colour as #rrggbb.", wire="color")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyofficeUserFields:
    """Fields of a user that only ONLYOFFICE has."""

    title: str | None = described("Job title.", wire="title")
    avatar_small: str | None = described("Path of the small picture.", wire="avatarSmall")
    profile_url: str | None = described("Address of the profile.", wire="profileUrl")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyofficeCustomFieldFields:
    """Fields of a custom field that only ONLYOFFICE has."""

    entity_id: VendorId | None = described("The vendor's id of the record that holds the value.", wire="entityId")
    field_type: OnlyofficeFieldType | None = described("Kind of the field.")
    position: int | None = described("Place in the form.", wire="position")
    mask: str | None = described("Choices or size, as JSON text.", wire="mask")
