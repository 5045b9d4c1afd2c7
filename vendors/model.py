"""The normalized model: what every vendor's records are mapped to.

Frozen, slotted values without behaviour beyond pure derivations. Relations are `Ref`s; foreign keys stay on the parent. A record may
be partial: `read_fields` names the attributes it was read with, and None means that it is complete.
"""

from collections.abc import Hashable, Mapping
from dataclasses import field
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from enum import Enum, StrEnum
from typing import Any, Final, NamedTuple

from vendors.values import dataclass

# ISO 4217 currencies whose minor unit is not a hundredth. Source: ISO 4217 list one, column "minor unit".
_MINOR_UNITS: Final = {
    **dict.fromkeys(
        ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"], 0
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
_DEFAULT_MINOR_UNITS: Final = 2
_PERCENT: Final = Decimal(100)
_PRECISION: Final = 120  # digits; amounts of vendors have at most 50 and as many behind the point


class Unread(Enum):
    """Marks a relation that the record's own reply does not tell; `LinksOpportunities` or a second read does."""

    UNREAD = "unread"


UNREAD: Final = Unread.UNREAD


class Ref(NamedTuple):
    """Where a record lives: the Crm's key and the vendor's own id of it, as text and unchanged."""

    crm: str
    local_id: str


class OpportunityStatus(StrEnum):
    """Whether an opportunity is still open, and how it ended."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class StageKind(StrEnum):
    """What being in a stage means for the opportunity."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class ValueOrigin(StrEnum):
    """Where a value comes from: sent by the vendor, derived from other fields, or taken from the Crm's settings."""

    VENDOR = "vendor"
    DERIVED = "derived"
    CONFIGURED = "configured"


class CustomFieldType(StrEnum):
    """Kind of value that a custom field holds."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATE_TIME = "date_time"
    SELECT = "select"
    MULTI_SELECT = "multi_select"
    URL = "url"
    EMAIL = "email"
    PHONE = "phone"
    JSON = "json"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount and its currency.

    Args:
        amount: The amount, exact.
        currency: ISO 4217 letters; None when the vendor does not say.
        currency_of: The account whose currency it is, when only that account's record tells; `currency` is then None.
    """

    amount: Decimal
    currency: str | None = None
    currency_of: Ref | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why an opportunity was won or lost. `id` is the vendor's id of the reason, `detail` is free text."""

    id: str | None = None
    label: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address, as far as the vendor splits it."""

    street: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField:
    """A value of a field that the Crm's own people defined.

    Args:
        key: The vendor's stable key of the field.
        value: A JSON value, converted by the declared type.
        display_value: The value as the vendor's own pages show it.
        extension: The vendor's further keys.
    """

    key: str
    label: str | None
    type: CustomFieldType
    value: Any
    display_value: str | None = None
    extension: object | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomFieldDefinition:
    """Describes a custom field of one kind of record. `applies_to` is the lower-case name of the kind, such as `opportunity`."""

    crm: str
    key: str
    label: str | None
    applies_to: str
    type: CustomFieldType
    max_length: int | None = None
    is_required: bool | None = None
    is_custom: bool | None = None
    is_active: bool | None = None
    options: tuple[str, ...] = ()
    extension: object | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What all records have.

    Args:
        ref: Where it lives.
        read_fields: Attributes it was read with; None for all.
        extension: The vendor's own fields, an instance of a class that the vendor's `extension.py` declares.
    """

    ref: Ref
    read_fields: frozenset[str] | None = None
    extension: object | None = None

    @property
    def crm(self) -> str:
        """Key of the Crm it lives in."""
        return self.ref.crm

    @property
    def local_id(self) -> str:
        """The vendor's own id of it."""
        return self.ref.local_id

    def covers(self, wanted: frozenset[str]) -> bool:
        """Whether every wanted attribute was read."""
        return self.read_fields is None or wanted <= self.read_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Record):
    """A step of a pipeline. `order` is a dense 0-based rank within its pipeline."""

    name: str | None
    order: int
    pipeline_ref: Ref | None
    probability_percent: float | None = None
    kind: StageKind | None = None
    description: str | None = None
    color: str | None = None
    is_archived: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline(Record):
    """A sales process with its stages in order. Synthetic where the vendor has a single unnamed one."""

    name: str | None
    is_synthetic: bool
    stages: tuple[Stage, ...]
    is_archived: bool | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Record):
    """A person who works with the Crm and may own opportunities."""

    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    is_active: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Record):
    """A customer's company. `currency` is that of its opportunities, where the vendor keeps it here (see `Money.currency_of`)."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    website: str | None = None
    industry: str | None = None
    owner_ref: Ref | None = None
    parent_ref: Ref | None = None
    address: Address | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact(Record):
    """A person at a customer's company."""

    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    title: str | None = None
    account_ref: Ref | None = None
    owner_ref: Ref | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity(Record):
    """A deal. Dates are calendar days as the vendor meant them, instants are aware and in UTC, percentages are 0 to 100.

    `account_ref`, `account_refs` and `contact_refs` are UNREAD where the reply does not tell them. `tags` is None where a further read
    would be needed. `expected_revenue` holds only what the vendor itself sends; `derived_expected_revenue` computes it for the others.
    """

    title: str
    description: str | None = None
    amount: Money | None = None
    amount_base: Money | None = None
    cost: Money | None = None
    probability_percent: float | None = None
    probability_origin: ValueOrigin | None = None
    expected_revenue: Money | None = None
    status: OpportunityStatus | None = None
    status_label: str | None = None
    pipeline_ref: Ref | None = None
    stage_ref: Ref | None = None
    stage_changed_at: datetime | None = None
    expected_close_date: date | None = None
    actual_close_date: date | None = None
    close_date: date | None = None
    closed_at: datetime | None = None
    loss_reason: Reason | None = None
    won_reason: Reason | None = None
    owner_ref: Ref | None = None
    account_ref: Ref | Unread | None = None
    account_name: str | None = None
    account_refs: tuple[Ref, ...] | Unread = ()
    primary_contact_ref: Ref | None = None
    contact_refs: tuple[Ref, ...] | Unread = ()
    type: str | None = None
    priority: str | None = None
    lead_source: str | None = None
    tags: tuple[str, ...] | None = ()
    custom_fields: tuple[CustomField, ...] | None = ()
    is_deleted: bool = False
    is_archived: bool | None = None
    is_private: bool | None = None
    can_edit: bool | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_activity_at: datetime | None = None
    created_by_ref: Ref | None = None
    updated_by_ref: Ref | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which attributes of each class an operation reads, so that an adapter asks its vendor for no more.

    `attributes` maps a class name (`Opportunity`, `User`, a vendor's extension class ...) to the attribute names selected anywhere in the
    operation. None selects everything. `derived` holds what others have worked out from it, so that they do it once.
    """

    attributes: Mapping[str, frozenset[str]] | None = field(default=None)
    derived: dict[Any, Any] = field(default_factory=dict[Any, Any], compare=False, repr=False)

    @property
    def key(self) -> Hashable:
        """What two selections that ask for the same have in common."""
        if "key" not in self.derived:
            self.derived["key"] = None if self.attributes is None else frozenset(self.attributes.items())
        key: Hashable = self.derived["key"]
        return key

    def of(self, class_name: str) -> frozenset[str] | None:
        """Attributes read of that class: None for all, empty when the class does not occur."""
        return None if self.attributes is None else self.attributes.get(class_name, frozenset())

    def wants(self, class_name: str, *names: str) -> bool:
        """Whether any of these attributes of that class is read."""
        selected = self.of(class_name)
        return selected is None or any(name in selected for name in names)

    def including(self, other: "Selection") -> "Selection":
        """What either of the two reads."""
        if self.attributes is None or other.attributes is None:
            return EVERYTHING
        names = {*self.attributes, *other.attributes}
        return Selection({name: self.attributes.get(name, frozenset()) | other.attributes.get(name, frozenset()) for name in names})

    def mentions(self, class_name: str) -> bool:
        """Whether anything of that class is read."""
        selected = self.of(class_name)
        return selected is None or bool(selected)


EVERYTHING: Final = Selection()


def minor_units(currency: str | None) -> int:
    """Number of decimal places of a currency's amounts; 2 where the currency is unknown."""
    return _MINOR_UNITS.get(currency or "", _DEFAULT_MINOR_UNITS)


def derived_expected_revenue(
    *, amount: Decimal, currency: str | None, probability_percent: float | None, status: OpportunityStatus | None
) -> Decimal | None:
    """Weigh an amount by its chance: all of it when won, none when lost, else by probability.

    Returns:
        The amount rounded half-even to the currency's minor units; None when the probability is unknown and the deal is not closed.
    """
    match status:
        case OpportunityStatus.WON:
            percent = _PERCENT
        case OpportunityStatus.LOST:
            percent = Decimal(0)
        case OpportunityStatus.OPEN | None:
            if probability_percent is None:
                return None
            percent = Decimal(str(probability_percent))
    with localcontext(prec=_PRECISION):
        return (amount * percent / _PERCENT).quantize(Decimal(1).scaleb(-minor_units(currency)), rounding=ROUND_HALF_EVEN)
